/* test_bpe.c - byte-level vocabularies: what is a space for their patterns, and whose texts are composed.  Expected: Hugging Face's tokenizers 0.23 with the same vocabulary and the
 * pre-tokenizers of the models' tokenizer.json (4000 random texts and 20,000 characters of each family were compared, and 4000 texts of an SPM vocabulary with sentencepiece). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "gguf_build.h"
#include "leat/tokenizer.h"

enum { SPACE_E1 = 256, TOKENS };

/* The printable character of each byte, as GPT-2 has them. */
static void byte_letter(int byte, char text[8]) {
    int other = 0, code = byte;
    for (int b = 0; b < byte; b++) other += b <= 32 || (b >= 127 && b <= 160) || b == 173;
    if (byte <= 32 || (byte >= 127 && byte <= 160) || byte == 173) code = 256 + other;
    if (code < 128) snprintf(text, 8, "%c", code);
    else snprintf(text, 8, "%c%c", 0xC0 | code >> 6, 0x80 | (code & 63));
}

static leat_gguf *file; /* of the open tokenizer, which reads it */

/* The bytes, and a space with the first byte of U+1000 to U+1FFF. */
static leat_tokenizer *make_tokenizer(const char *pre) {
    static gguf_out o;
    char letter[8], pair[16];
    leat_tokenizer *t = NULL;
    leat_error error = {0};
    o.n = 0;
    g_header(&o, 3, 0, 4);
    g_key(&o, "tokenizer.ggml.model", LEAT_GGUF_STRING);
    g_text(&o, "gpt2");
    g_key(&o, "tokenizer.ggml.pre", LEAT_GGUF_STRING);
    g_text(&o, pre);
    g_key(&o, "tokenizer.ggml.tokens", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_STRING);
    g_u64(&o, TOKENS);
    for (int i = 0; i < 256; i++) {
        byte_letter(i, letter);
        g_text(&o, letter);
    }
    byte_letter(' ', letter);
    snprintf(pair, sizeof pair, "%s\xC3\xA1", letter);
    g_text(&o, pair);
    g_key(&o, "tokenizer.ggml.merges", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_STRING);
    g_u64(&o, 1);
    snprintf(pair, sizeof pair, "%s \xC3\xA1", letter);
    g_text(&o, pair);
    g_pad(&o, 32);
    if (leat_gguf_open_memory(o.bytes, o.n, &file, &error) || leat_tokenizer_open(file, &t, &error)) fail_msg("%s: %s", pre, error.message);
    return t;
}

static void close_tokenizer(leat_tokenizer *t) {
    leat_tokenizer_close(t);
    leat_gguf_close(file);
}

static void expect(const leat_tokenizer *t, const char *text, const int32_t *ids, int64_t count) {
    int32_t out[64];
    int64_t n = 0;
    assert_int_equal(leat_tokenizer_encode(t, text, strlen(text), 0, out, 64, &n), LEAT_OK);
    if (n != count || (n && memcmp(out, ids, (size_t)n * sizeof *out) != 0)) fail_msg("'%s': %lld tokens, the first %d", text, (long long)n, n ? (int)out[0] : -1);
}
#define EXPECT(text, ...) expect(t, text, (const int32_t[]){__VA_ARGS__}, sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

/* U+180E was a space until Unicode 6.3, and goes with the space in front of it since; U+2003 is one. */
static void test_spaces(void **state) {
    static const char *const families[] = {"gpt-2", "llama-bpe", "qwen2", "smollm", "gpt-4o", "tekken"};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        leat_tokenizer *t = make_tokenizer(families[i]);
        EXPECT("a \xE1\xA0\x8E", 'a', SPACE_E1, 0xA0, 0x8E);
        EXPECT("a \xE1\x9A\x80" "b", 'a', ' ', 0xE1, 0x9A, 0x80, 'b'); /* U+1680 is a space: two of them, the last one apart */
        close_tokenizer(t);
    }
}

static void test_composed(void **state) {
    static const struct {
        const char *pre;
        int         composed;
    } families[] = {{"qwen2", 1}, {"command-r", 1}, {"llama-bpe", 0}, {"gpt-2", 0}, {"deepseek-r1-qwen", 0}, {"tekken", 0}};
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        leat_tokenizer *t = make_tokenizer(families[i].pre);
        if (families[i].composed) {
            EXPECT("e\xCC\x81", 0xC3, 0xA9);
            EXPECT("\xE2\x84\xAB", 0xC3, 0x85);                         /* the sign of Angstrom is the letter */
            EXPECT("\xE1\x84\x92\xE1\x85\xA1", 0xED, 0x95, 0x98);      /* two parts of a syllable */
            EXPECT("\xCC\x81", 0xCC, 0x81);                             /* nothing to go with */
        } else {
            EXPECT("e\xCC\x81", 'e', 0xCC, 0x81);
        }
        EXPECT("e\xCC\x81\xFF", 'e', 0xCC, 0x81, 0xFF);                 /* not UTF-8: as it is */
        EXPECT("\xC3\xA9", 0xC3, 0xA9);
        expect(t, "", NULL, 0);
        close_tokenizer(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_spaces), cmocka_unit_test(test_composed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
