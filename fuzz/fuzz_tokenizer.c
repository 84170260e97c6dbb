/* fuzz_tokenizer.c - a vocabulary of any content on any text: first half the GGUF file, second half the text (cut at a zero byte 16 times).
 * Encoding never fails on a vocabulary that opened; counting and writing agree; ids are in range; decoding takes them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "leat/tokenizer.h"

enum { MOST = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(const leat_tokenizer *t, const char *text, size_t bytes, uint32_t flags) {
    static int32_t tokens[MOST];
    static char back[16 * MOST];
    int64_t counted, written;
    size_t n;
    if (bytes > 512) bytes = 512;
    leat_tokenizer_info info;
    leat_tokenizer_get_info(t, &info);
    int status = leat_tokenizer_encode(t, text, bytes, flags, NULL, 0, &counted);
    if (status != LEAT_OK && status != LEAT_ELIMIT) abort();
    if (counted > MOST || leat_tokenizer_encode(t, text, bytes, flags, tokens, MOST, &written) != LEAT_OK || written != counted) abort();
    for (int64_t i = 0; i < counted; i++)
        if (tokens[i] < 0 || tokens[i] >= info.tokens) abort();
    status = leat_tokenizer_decode(t, tokens, counted, LEAT_DETOKENIZE_SPECIALS, back, sizeof back, &n);
    if (status != LEAT_OK && status != LEAT_ELIMIT) abort();
    if (status == LEAT_OK && leat_utf8_complete(back, n) + 3 < n) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    leat_gguf *file;
    leat_tokenizer *t;
    leat_error error = {0};
    static const uint8_t mark[16];
    const uint8_t *cut = size > sizeof mark ? memmem(data, size, mark, sizeof mark) : NULL;
    size_t head = cut ? (size_t)(cut - data) : size;
    const char *text = cut ? (const char *)cut + sizeof mark : "Hello, world";
    size_t bytes = cut ? size - head - sizeof mark : 12;
    if (leat_gguf_open_memory(data, head, &file, &error)) return 0;
    if (leat_tokenizer_open(file, &t, &error) == LEAT_OK) {
        encode(t, text, bytes, 0);
        encode(t, text, bytes, LEAT_TOKENIZE_SPECIALS | LEAT_TOKENIZE_PARSE);
        leat_tokenizer_close(t);
    } else if (!error.message[0]) {
        abort();
    }
    leat_gguf_close(file);
    return 0;
}
