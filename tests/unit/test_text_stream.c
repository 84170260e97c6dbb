/* test_text_stream.c - text shown token by token: never a part of a character, never a part of a stop string, nothing lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gguf_build.h"
#include "lm/text_stream.h"

/* Tokens: 0 <unk>, 1 <s>, 2 </s>, then pieces; the last 256 are the bytes. */
static const char *const pieces[] = {"<unk>", "<s>", "</s>", "\xE2\x96\x81", "a", "b", "c", "ab", "\xE2\x96\x81" "ab", "\xC3\xA9", "stop", "st", "op", "END", "E", "N", "D"};
enum { PIECES = sizeof pieces / sizeof *pieces, TOKENS = PIECES + 256 };

static leat_gguf *file;
static leat_tokenizer *tokenizer;
static gguf_out out;

static int open_vocabulary(void **state) {
    (void)state;
    g_header(&out, 3, 0, 5);
    g_key(&out, "tokenizer.ggml.model", LEAT_GGUF_STRING);
    g_text(&out, "llama");
    g_key(&out, "tokenizer.ggml.eos_token_id", LEAT_GGUF_U32);
    g_u32(&out, 2);
    g_key(&out, "tokenizer.ggml.tokens", LEAT_GGUF_ARRAY);
    g_u32(&out, LEAT_GGUF_STRING);
    g_u64(&out, TOKENS);
    for (int i = 0; i < TOKENS; i++) {
        char byte[16];
        snprintf(byte, sizeof byte, "<0x%02X>", (unsigned)(i - PIECES) & 255);
        g_text(&out, i < PIECES ? pieces[i] : byte);
    }
    g_key(&out, "tokenizer.ggml.scores", LEAT_GGUF_ARRAY);
    g_u32(&out, LEAT_GGUF_F32);
    g_u64(&out, TOKENS);
    for (int i = 0; i < TOKENS; i++) g_f32(&out, 0);
    g_key(&out, "tokenizer.ggml.token_type", LEAT_GGUF_ARRAY);
    g_u32(&out, LEAT_GGUF_I32);
    g_u64(&out, TOKENS);
    for (int i = 0; i < TOKENS; i++) g_u32(&out, i == 0 ? LEAT_TOKEN_UNKNOWN : i < 3 ? LEAT_TOKEN_CONTROL : i < PIECES ? LEAT_TOKEN_NORMAL : LEAT_TOKEN_BYTE);
    leat_error error = {0};
    if (leat_gguf_open_memory(out.bytes, out.n, &file, &error) || leat_tokenizer_open(file, &tokenizer, &error)) return printf("%s\n", error.message), 1;
    return 0;
}

static int close_vocabulary(void **state) {
    (void)state;
    leat_tokenizer_close(tokenizer);
    leat_gguf_close(file);
    return 0;
}

static int32_t byte_token(int byte) { return PIECES + byte; }
static int32_t piece(const char *text) {
    int32_t token = leat_tokenizer_find(tokenizer, text, strlen(text));
    assert_true(token >= 0);
    return token;
}

/* Adds tokens [n] and writes what is shown to text, '|' after each token that shows something; then '.' and what the flush shows.  Ends at a stop with '!'. */
static void play(leat_lm_text *t, const int32_t *tokens, int n, char *text) {
    size_t at = 0;
    int    stopped = 0;
    for (int i = 0; i < n && !stopped; i++) {
        size_t bytes = leat__text_add(t, tokens[i], &stopped);
        memcpy(text + at, t->shown, bytes);
        at += bytes;
        if (bytes) text[at++] = '|';
    }
    text[at++] = stopped ? '!' : '.';
    size_t bytes = leat__text_flush(t);
    memcpy(text + at, t->shown, bytes);
    text[at + bytes] = 0;
}

#define BEGIN(t, flags, strip, ...)                                                                                                                    \
    const char *const stops[] = {__VA_ARGS__};                                                                                                         \
    assert_int_equal(leat__text_begin(&(t), tokenizer, flags, strip, stops, (int32_t)(sizeof stops / sizeof *stops), NULL), LEAT_OK)

static void test_plain(void **state) {
    (void)state;
    leat_lm_text t = {0};
    char text[256];
    const int32_t tokens[] = {8, 4, 1, 8, 2};
    assert_int_equal(leat__text_begin(&t, tokenizer, 0, 0, NULL, 0, NULL), LEAT_OK);
    play(&t, tokens, 5, text);
    assert_string_equal(text, " ab|a| ab|.");
    assert_int_equal(leat__text_begin(&t, tokenizer, LEAT_DETOKENIZE_SPECIALS, 1, NULL, 0, NULL), LEAT_OK);
    play(&t, tokens, 5, text); /* the first space belongs to the tokenizer */
    assert_string_equal(text, "ab|a|<s>| ab|</s>|.");
    assert_int_equal(leat__text_begin(&t, tokenizer, 0, 1, NULL, 0, NULL), LEAT_OK);
    play(&t, (int32_t[]){1, 3, 8}, 3, text); /* also behind control tokens, and once */
    assert_string_equal(text, " ab|.");
    leat__text_fini(&t);
}

static void test_characters(void **state) {
    (void)state;
    leat_lm_text t = {0};
    char text[256];
    const int smile[] = {0xF0, 0x9F, 0x98, 0x80};
    int32_t tokens[12];
    assert_int_equal(leat__text_begin(&t, tokenizer, 0, 0, NULL, 0, NULL), LEAT_OK);
    for (int i = 0; i < 4; i++) tokens[i] = byte_token(smile[i]);
    play(&t, tokens, 4, text);
    assert_string_equal(text, "\xF0\x9F\x98\x80|.");
    play(&t, tokens, 3, text); /* cut off */
    assert_string_equal(text, ".");
    tokens[3] = piece("a"); /* broken off */
    play(&t, tokens, 4, text);
    assert_string_equal(text, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" "a|.");
    play(&t, (int32_t[]){byte_token(0x80), byte_token(0xC3), byte_token(0xA9), byte_token(0xFF)}, 4, text);
    assert_string_equal(text, "\xEF\xBF\xBD|\xC3\xA9|\xEF\xBF\xBD|.");
    play(&t, (int32_t[]){byte_token(0xED), byte_token(0xA0), byte_token(0x80), piece("b")}, 4, text); /* a surrogate is none */
    assert_string_equal(text, "\xEF\xBF\xBD\xEF\xBF\xBD|\xEF\xBF\xBD|b|.");
    play(&t, (int32_t[]){byte_token(0xC0), byte_token(0x80)}, 2, text); /* overlong */
    assert_string_equal(text, "\xEF\xBF\xBD|\xEF\xBF\xBD|.");
    leat__text_fini(&t);
}

static void test_stops(void **state) {
    (void)state;
    leat_lm_text t = {0};
    char text[256];
    BEGIN(t, 0, 0, "stop", "END");
    play(&t, (int32_t[]){piece("a"), piece("st"), piece("op"), piece("b")}, 4, text);
    assert_string_equal(text, "a|!");
    play(&t, (int32_t[]){piece("a"), piece("st"), piece("ab")}, 3, text); /* held back, then shown */
    assert_string_equal(text, "a|stab|.");
    play(&t, (int32_t[]){piece("st"), piece("st"), piece("op")}, 3, text);
    assert_string_equal(text, "st|!");
    play(&t, (int32_t[]){piece("a"), piece("E"), piece("N")}, 3, text); /* the end comes first */
    assert_string_equal(text, "a|.EN");
    play(&t, (int32_t[]){piece("E"), piece("N"), piece("stop")}, 3, text); /* what precedes it is shown with it */
    assert_string_equal(text, "EN|!");
    play(&t, (int32_t[]){piece("E"), piece("E"), piece("N"), piece("END")}, 4, text);
    assert_string_equal(text, "E|EN|!");
    leat__text_fini(&t);
}

static void test_overlapping_stops(void **state) {
    (void)state;
    leat_lm_text t = {0};
    char text[256];
    BEGIN(t, 0, 0, "aab", "ba", "\xC3\xA9\xC3\xA9", "\xA9");
    play(&t, (int32_t[]){4, 4, 4, 5}, 4, text); /* a a a b */
    assert_string_equal(text, "a|!");
    play(&t, (int32_t[]){5, 6, 5, 4}, 4, text); /* b c b a */
    assert_string_equal(text, "bc|!");
    play(&t, (int32_t[]){6, byte_token(0xC3), byte_token(0xA9)}, 3, text); /* a stop inside of a character: its first half is never shown */
    assert_string_equal(text, "c|!");
    leat__text_fini(&t);
}

/* Every pair and some longer beginnings: whole where they cannot be finished, else cut where the character begins. */
static void test_complete(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t      complete;
    } cases[] = {{"", 0}, {"a", 1}, {"a\xC3", 1}, {"a\xC3\xA9", 3}, {"\xE2\x82", 0}, {"\xE2\x82\xAC", 3}, {"x\xF0\x9F\x98", 1}, {"x\xF0\x9F\x98\x80", 5}, {"\xC1", 1}, {"\xC0", 1},
                 {"\xF5", 1}, {"\xF7\x80\x80", 3}, {"\xFF", 1}, {"\xE0\x80", 2}, {"\xE0\xA0", 0}, {"\xED\xA0", 2}, {"\xED\x9F", 0}, {"\xF0\x80", 2}, {"\xF0\x90\x80", 0}, {"\xF4\x90", 2},
                 {"\xF4\x8F\xBF", 0}, {"\x80\x80\x80", 3}, {"\x80\x80\x80\x80", 4}, {"\xC3\xA9\xA9", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (leat_utf8_complete(cases[i].text, strlen(cases[i].text)) != cases[i].complete) fail_msg("case %zu: %zu", i, leat_utf8_complete(cases[i].text, strlen(cases[i].text)));
}

static void test_refused(void **state) {
    (void)state;
    leat_lm_text t = {0};
    leat_error error = {0};
    static char large[LM_MOST_STOP_BYTES + 2];
    memset(large, 'x', sizeof large - 1);
    assert_int_equal(leat__text_begin(&t, tokenizer, 0, 0, (const char *const[]){"a", ""}, 2, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "stop[1] is empty"));
    assert_int_equal(leat__text_begin(&t, tokenizer, 0, 0, (const char *const[]){NULL}, 1, &error), LEAT_EINVAL);
    assert_int_equal(leat__text_begin(&t, tokenizer, 0, 0, NULL, 1, &error), LEAT_EINVAL);
    assert_int_equal(leat__text_begin(&t, tokenizer, 0, 0, NULL, -1, &error), LEAT_EINVAL);
    assert_int_equal(leat__text_begin(&t, tokenizer, 0, 0, (const char *const[]){large}, 1, &error), LEAT_ELIMIT);
    assert_int_equal(leat__text_begin(&t, tokenizer, 0, 0, (const char *const[]){"a"}, LM_MOST_STOPS + 1, &error), LEAT_ELIMIT);
    leat__text_fini(&t);
}

/* Random tokens: what is shown is the whole text up to the first stop, for every way of cutting it into tokens; each piece is valid UTF-8; nothing is allocated. */
static void test_random(void **state) {
    (void)state;
    leat_lm_text t = {0};
    static char whole[4096], shown[4096];
    BEGIN(t, 0, 0, "abca", "stop", "\xC3\xA9" "b", "ccc");
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        size_t n = 0, at = 0, end;
        int stopped = 0;
        int32_t tokens[40];
        for (int i = 0; i < 40; i++) {
            double u = leat__rng_uniform(seed, 1, (uint64_t)i);
            tokens[i] = u < 0.1 ? byte_token(0xC3) : u < 0.2 ? byte_token(0xA9) : 4 + (int32_t)((u - 0.2) / 0.8 * 9);
            size_t bytes;
            assert_int_equal(leat_tokenizer_piece(tokenizer, tokens[i], 0, whole + n, sizeof whole - n, &bytes), LEAT_OK);
            n += bytes;
        }
        end = n;
        for (size_t i = 0; i < 4; i++) {
            const char *found = memmem(whole, n, stops[i], strlen(stops[i]));
            if (found && (size_t)(found - whole) < end) end = (size_t)(found - whole);
        }
        leat__hot_enter();
        uint64_t before = leat__thread_hot_allocations();
        for (int i = 0; i < 40 && !stopped; i++) {
            size_t bytes = leat__text_add(&t, tokens[i], &stopped);
            memcpy(shown + at, t.shown, bytes);
            assert_int_equal(leat_utf8_complete(shown, at + bytes), at + bytes);
            at += bytes;
        }
        size_t rest = leat__text_flush(&t);
        memcpy(shown + at, t.shown, rest);
        at += rest;
        assert_int_equal(leat__thread_hot_allocations(), before);
        leat__hot_leave();
        assert_int_equal(stopped, end < n);
        /* the same with stray bytes replaced */
        size_t w = 0;
        end = leat_utf8_complete(whole, end);
        static char want[3 * 4096];
        for (size_t i = 0; i < end; i++) {
            if ((whole[i] & 0x80) == 0) want[w++] = whole[i];
            else if ((uint8_t)whole[i] == 0xC3 && i + 1 < end && (uint8_t)whole[i + 1] == 0xA9) {
                memcpy(want + w, whole + i++, 2);
                w += 2;
            } else {
                memcpy(want + w, "\xEF\xBF\xBD", 3);
                w += 3;
            }
        }
        if (at != w || memcmp(shown, want, w) != 0) fail_msg("seed %d: '%.*s' instead of '%.*s'", (int)seed, (int)at, shown, (int)w, want);
    }
    leat__text_fini(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain), cmocka_unit_test(test_characters), cmocka_unit_test(test_stops),
        cmocka_unit_test(test_overlapping_stops), cmocka_unit_test(test_complete), cmocka_unit_test(test_refused), cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests_name("text_stream", tests, open_vocabulary, close_vocabulary);
}
