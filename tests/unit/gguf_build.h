/* gguf_build.h - writes small GGUF files in memory for tests. */
#ifndef TEST_GGUF_BUILD_H
#define TEST_GGUF_BUILD_H

#include <stdint.h>
#include <string.h>

typedef struct gguf_out {
    uint8_t bytes[16384];
    size_t  n;
} gguf_out;

static inline void g_raw(gguf_out *o, const void *p, size_t n) {
    memcpy(o->bytes + o->n, p, n);
    o->n += n;
}
static inline void g_u32(gguf_out *o, uint32_t v) { g_raw(o, &v, 4); }
static inline void g_u64(gguf_out *o, uint64_t v) { g_raw(o, &v, 8); }
static inline void g_f32(gguf_out *o, float v) { g_raw(o, &v, 4); }
static inline void g_text(gguf_out *o, const char *text) {
    g_u64(o, strlen(text));
    g_raw(o, text, strlen(text));
}
static inline void g_header(gguf_out *o, uint32_t version, uint64_t tensors, uint64_t values) {
    g_raw(o, "GGUF", 4);
    g_u32(o, version);
    g_u64(o, tensors);
    g_u64(o, values);
}
static inline void g_key(gguf_out *o, const char *key, uint32_t kind) {
    g_text(o, key);
    g_u32(o, kind);
}
static inline void g_tensor(gguf_out *o, const char *name, uint32_t type, uint64_t columns, uint64_t rows, uint64_t offset) {
    g_text(o, name);
    g_u32(o, 2);
    g_u64(o, columns);
    g_u64(o, rows);
    g_u32(o, type);
    g_u64(o, offset);
}
static inline void g_pad(gguf_out *o, size_t alignment) {
    while (o->n % alignment) o->bytes[o->n++] = 0;
}

#endif
