/* fuzz_gguf.c - the GGUF reader on any bytes: it returns a status, explains every failure, and what it returns lies inside the input. */
#include <stdint.h>
#include <stdlib.h>

#include "leat/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_value(const leat_gguf_value *v, const uint8_t *data, size_t size) {
    uint64_t at = 0, length;
    int64_t integer;
    double real;
    const char *text;
    if (v->data < data || v->bytes > size - (size_t)(v->data - data)) abort();
    if (v->count) {
        leat_gguf_integer(v, v->count - 1, &integer);
        leat_gguf_real(v, v->count - 1, &real);
    }
    for (int i = 0; i < 1000 && leat_gguf_string(v, &at, &text, &length) == LEAT_OK; i++)
        if ((const uint8_t *)text < data || length > size - (size_t)((const uint8_t *)text - data)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    leat_gguf *file;
    leat_error error = {0};
    float out[256];
    if (leat_gguf_open_memory(data, size, &file, &error)) {
        if (!error.message[0]) abort();
        return 0;
    }
    for (uint64_t i = 0; leat_gguf_value_at(file, i); i++) ask_value(leat_gguf_value_at(file, i), data, size);
    for (uint64_t i = 0; leat_gguf_tensor_at(file, i); i++) {
        const leat_gguf_tensor *t = leat_gguf_tensor_at(file, i);
        if (leat_gguf_find_tensor(file, t->name) != t) abort();
        leat_gguf_dequantize(t, 0, 256, out);
    }
    leat_gguf_close(file);
    return 0;
}
