/* test_wpm.c - word pieces of BERT: what normalising and cutting do to odd characters, what is an unknown word.  Expected: what Hugging Face's tokenizers 0.23 give for
 * all-MiniLM-L6-v2 with the same characters (bench/peers/compare_embed.py compares whole texts). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "gguf_build.h"
#include "leat/tokenizer.h"

#define MARK "\xE2\x96\x81"

enum { UNK = 1, CLS, SEP, A, A_IN, B, B_IN, AB, C, DOT, STRESS, HAN, E, E_IN, MARKED, TOKENS };
static const char *const pieces[TOKENS] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", MARK "a", "a", MARK "b", "b", MARK "ab", MARK "c", MARK ".", MARK "^", MARK "\xE5\xAD\xA6", MARK "e", "e", MARK MARK};

static leat_tokenizer *make_tokenizer(void) {
    static const char *const keys[] = {"tokenizer.ggml.unknown_token_id", "tokenizer.ggml.cls_token_id", "tokenizer.ggml.seperator_token_id"};
    gguf_out o = {.n = 0};
    leat_gguf *file;
    leat_tokenizer *t;
    g_header(&o, 3, 0, 5);
    g_key(&o, "tokenizer.ggml.model", LEAT_GGUF_STRING);
    g_text(&o, "bert");
    for (uint32_t i = 0; i < 3; i++) {
        g_key(&o, keys[i], LEAT_GGUF_U32);
        g_u32(&o, i + 1);
    }
    g_key(&o, "tokenizer.ggml.tokens", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_STRING);
    g_u64(&o, TOKENS);
    for (int i = 0; i < TOKENS; i++) g_text(&o, pieces[i]);
    g_pad(&o, 32);
    static uint8_t kept[sizeof o.bytes]; /* pieces stay in it */
    memcpy(kept, o.bytes, o.n);
    assert_int_equal(leat_gguf_open_memory(kept, o.n, &file, NULL), LEAT_OK);
    assert_int_equal(leat_tokenizer_open(file, &t, NULL), LEAT_OK);
    leat_gguf_close(file);
    return t;
}

static void expect(const leat_tokenizer *t, const char *text, size_t bytes, const int32_t *ids, int64_t count) {
    int32_t out[256];
    int64_t n = 0;
    assert_int_equal(leat_tokenizer_encode(t, text, bytes, 0, out, 256, &n), LEAT_OK);
    if (n != count || (n && memcmp(out, ids, (size_t)n * sizeof *out))) fail_msg("'%s': %lld tokens, the first %d", text, (long long)n, n ? (int)out[0] : -1);
}
#define EXPECT(text, ...) expect(t, text, sizeof(text) - 1, (const int32_t[]){__VA_ARGS__}, sizeof((const int32_t[]){__VA_ARGS__}) / sizeof(int32_t))

static void test_words(void **state) {
    leat_tokenizer *t = make_tokenizer();
    EXPECT("ab A ba.c", AB, A, B, A_IN, DOT, C);
    EXPECT("a^b", A, STRESS, B);                         /* ASCII symbols stand alone */
    EXPECT("a\xE5\xAD\xA6" "b", A, HAN, B);              /* and Chinese characters */
    EXPECT("\xC3\xA9" "e\xCC\x81 \xC3\x89", E, E_IN, E); /* accents go, written either way */
    EXPECT("cx c", UNK, C);
    expect(t, " \t\n\r", 4, NULL, 0);
    expect(t, "", 0, NULL, 0);
    leat_tokenizer_close(t);
}

static void test_odd_characters(void **state) {
    leat_tokenizer *t = make_tokenizer();
    EXPECT("a\xC2\xA0" "b\xE3\x80\x80" "b\xE2\x80\xA8" "a", A, B, B, A);             /* spaces of all sorts */
    EXPECT("a\x0B" "b a\x0C" "b a\xC2\x85" "b a\x01" "b", AB, AB, AB, AB);           /* control characters go, these three are none but spaces elsewhere */
    EXPECT("a\0b a\xEF\xBF\xBD" "b a\xE2\x80\x8D" "b a\xEE\x80\x80" "b", AB, AB, AB, AB); /* zero, U+FFFD, a joiner, private use */
    EXPECT("a\xCD\xB8" "b a", UNK, A);                                               /* U+0378 is not assigned: a letter without a piece */
    leat_tokenizer_close(t);
}

/* GGUF's mark of a word's beginning is a character that a text may hold. */
static void test_marks_in_the_text(void **state) {
    leat_tokenizer *t = make_tokenizer();
    EXPECT("a" MARK "b", UNK);
    EXPECT(MARK, MARKED);
    EXPECT(MARK "a", MARKED, A_IN);
    leat_tokenizer_close(t);
}

static void test_long_words(void **state) {
    leat_tokenizer *t = make_tokenizer();
    char text[256];
    int32_t ids[100] = {A};
    memset(text, 'a', sizeof text);
    for (int i = 1; i < 100; i++) ids[i] = A_IN;
    expect(t, text, 100, ids, 100);
    expect(t, text, 101, (int32_t[]){UNK}, 1);
    for (int i = 0; i < 100; i++) memcpy(text + 2 * i, "\xC3\xA9", 2); /* characters count, not bytes */
    for (int i = 0; i < 100; i++) ids[i] = i ? E_IN : E;
    expect(t, text, 200, ids, 100);
    leat_tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_words), cmocka_unit_test(test_odd_characters), cmocka_unit_test(test_marks_in_the_text), cmocka_unit_test(test_long_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
