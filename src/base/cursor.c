/* cursor.c - the bounds-checked reader. */
#include "base/cursor.h"

leat_cursor leat__cursor(const void *data, size_t bytes) {
    static const uint8_t nothing[1]; /* so that an empty cursor never does arithmetic on NULL */
    const uint8_t *base = data ? data : nothing;
    return (leat_cursor){base, base, base + (data ? bytes : 0), 0};
}

const uint8_t *leat__cursor_bytes(leat_cursor *c, size_t n) {
    if (c->failed || n > leat__cursor_left(c)) {
        c->failed = 1;
        return NULL;
    }
    const uint8_t *at = c->at;
    c->at += n;
    return at;
}

leat_cursor leat__cursor_sub(leat_cursor *c, size_t n) {
    const uint8_t *at = leat__cursor_bytes(c, n);
    if (!at) return (leat_cursor){c->base, c->at, c->at, 1};
    return (leat_cursor){c->base, at, at + n, 0};
}

static uint64_t read_le(leat_cursor *c, int n) {
    const uint8_t *at = leat__cursor_bytes(c, (size_t)n);
    uint64_t value = 0;
    if (at)
        for (int i = 0; i < n; i++) value |= (uint64_t)at[i] << (8 * i);
    return value;
}

uint32_t leat__cursor_u32(leat_cursor *c) { return (uint32_t)read_le(c, 4); }
uint64_t leat__cursor_u64(leat_cursor *c) { return read_le(c, 8); }

uint64_t leat__cursor_varint(leat_cursor *c) {
    if (c->failed) return 0;
    uint64_t value = 0;
    const uint8_t *at = c->at;
    for (int i = 0; i < 10 && at < c->end; i++) {
        uint8_t byte = *at++;
        value |= (uint64_t)(byte & 0x7f) << (7 * i); /* bits past the 64th fall off, as protobuf has it */
        if (byte < 0x80) {
            c->at = at;
            return value;
        }
    }
    c->failed = 1;
    return 0;
}
