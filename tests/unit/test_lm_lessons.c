/* test_lm_lessons.c - what went wrong in other readers of models, grammars and requests: which test holds each lesson, and the tests that have no better place.
 *
 *   products of sizes that wrap (ggml#709, llama.cpp#14595, #18674, CVE-2025-53630, CVE-2026-27940)  test_gguf_lessons: test_products; test_lm_arch: test_hostile_numbers
 *   padding that overflows, alignments of any value and kind (llama.cpp#26318, ggml#1516)           test_gguf_lessons: test_alignment; here: test_padding
 *   dimensions of zero, empty keys, no asserts (llama.cpp#24263, gguf-tools#25)                      test_gguf_lessons: test_products; test_gguf: test_hostile_values
 *   tensors behind the end of the file (CVE-2026-7482)                                              test_gguf_lessons: test_ranks_and_offsets, test_directory; test_gguf: test_hostile_tensors
 *   lengths believed before they are compared with what is left (llama.cpp#25378, #27188)           test_gguf_lessons: test_lengths
 *   integers of requests out of range (CVE-2026-21869)                                              test_lm_arguments: test_requests; test_generate: test_refused; here: test_request_numbers;
 *                                                                  bindings: test_integers_are_not_cut (Python), TestTokens (Go); test_cli_lm.sh: numbers_are_whole
 *   signed and unsigned lengths in tokenizers (GHSA-7rxv-5jhh-j6xx)                                  here: test_text_lengths; fuzz_tokenizer
 *   recursion as deep as the input (llama.cpp#26600, #25308, llamafile#860)                         test_grammar: test_deep, test_long; test_schema: test_deep; here: test_reference_chains;
 *                                                                                                  test_cli_chat.sh: deep_json (conversations are read from files)
 *   constraints that fail open (llama.cpp#19051)                                      test_grammar: test_fails_closed; test_generate: test_grammar_fails_closed; test_schema: test_refused
 *   grammars that are read in ever more ways                                                        test_grammar: test_ambiguous; fuzz_grammar
 *   memory on the stack sized by the client (CVE-2025-23310, -23311)                                -Wvla (mk/flags.mk), tools/check-style
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf_build.h"
#include "leat/leat.h"

#define MODEL "models/tiny_lm.gguf"

static leat_error error;

static leat_lm *open_model(void) {
    leat_lm *lm;
    error = (leat_error){0};
    if (leat_lm_open(MODEL, NULL, &lm, &error)) fail_msg("%s", error.message);
    return lm;
}

/* ---- files ------------------------------------------------------------------------------------------------------------------ */

/* The largest alignment there is: the start of the data and the ends of tensors are rounded up beyond the file, and beyond 64 bits. */
static void test_padding(void **state) {
    static const uint64_t columns[] = {1, 8, UINT64_C(1) << 61, (UINT64_C(1) << 62) - 1, UINT64_MAX / 4, UINT64_MAX - (1 << 20) + 1, UINT64_MAX};
    static const uint64_t offsets[] = {0, 1 << 20, UINT64_MAX - (1 << 20) + 1, UINT64_C(1) << 63};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        for (size_t k = 0; k < sizeof offsets / sizeof *offsets; k++) {
            gguf_out o = {.n = 0};
            leat_gguf *file = NULL;
            g_header(&o, 3, 1, 1);
            g_key(&o, "general.alignment", LEAT_GGUF_U32);
            g_u32(&o, 1 << 20);
            g_tensor(&o, "t", LEAT_GGUF_T_F32, columns[i], 1, offsets[k]);
            error = (leat_error){0};
            assert_int_not_equal(leat_gguf_open_memory(o.bytes, o.n, &file, &error), LEAT_OK);
            assert_null(file);
            assert_true(error.message[0]);
        }
}

/* ---- texts ------------------------------------------------------------------------------------------------------------------ */

/* Lengths that are negative, or small, as a signed or a shorter integer: refused before a byte is read. */
static void test_text_lengths(void **state) {
    static const size_t lengths[] = {(size_t)INT32_MAX, (size_t)1 << 31, ((size_t)1 << 32) + 1, (size_t)INT64_MAX, (size_t)1 << 63, SIZE_MAX};
    leat_lm *lm = open_model();
    const leat_tokenizer *t = leat_lm_tokenizer(lm);
    int32_t tokens[8];
    int64_t count;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) assert_int_equal(leat_tokenizer_encode(t, "a", lengths[i], 0, tokens, 8, &count), LEAT_EINVAL);
    for (int64_t capacity = 0; capacity < 8; capacity++) { /* nothing behind the room that there is */
        memset(tokens, 0x55, sizeof tokens);
        int status = leat_tokenizer_encode(t, "once upon a time there was one", 30, LEAT_TOKENIZE_SPECIALS, tokens, capacity, &count);
        assert_int_equal(status, count > capacity ? LEAT_ELIMIT : LEAT_OK);
        for (int64_t k = capacity; k < 8; k++) assert_int_equal(tokens[k], 0x55555555);
    }
    leat_lm_unref(lm);
}

/* ---- requests --------------------------------------------------------------------------------------------------------------- */

/* Whatever a request's numbers are: it is refused with a message, or it works; the session can be used then. */
static void attempt(leat_lm_session *s, const leat_lm_request *request, const char *what) {
    int32_t tokens[4];
    leat_lm_result result;
    leat_lm_result_init(&result);
    result.tokens = tokens;
    result.token_capacity = 4;
    error = (leat_error){0};
    int status = leat_lm_generate(s, request, &result, NULL, NULL, &error);
    if (status && (status != error.status || !error.message[0])) fail_msg("%s: status %d without a message", what, status);
    if (result.n_tokens < 0 || result.n_tokens > 4) fail_msg("%s: %lld tokens", what, (long long)result.n_tokens);
}

static void test_request_numbers(void **state) {
    static const int32_t integers[] = {-1, 0, 1, INT_MIN, INT_MAX};
    static const float   reals[] = {-1, 0, NAN, INFINITY, -INFINITY, 3e38f, 1e-45f};
    leat_lm *lm = open_model();
    leat_lm_session *s;
    leat_lm_request  good, r;
    assert_int_equal(leat_lm_session_open(lm, NULL, &s, &error), LEAT_OK);
    leat_lm_request_default(&good);
    good.prompt = "One";
    good.prompt_bytes = 3;
    good.max_tokens = 3;
    good.sampling.seed = 1;
#define INTEGER(field) for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) r = good, r.field = integers[i], attempt(s, &r, #field)
#define REAL(field) for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) r = good, r.sampling.field = reals[i], attempt(s, &r, #field)
    INTEGER(sampling.top_k);
    INTEGER(sampling.penalty_last);
    INTEGER(sampling.mirostat);
    REAL(temperature);
    REAL(top_p);
    REAL(min_p);
    REAL(typical_p);
    REAL(repeat_penalty);
    REAL(presence_penalty);
    REAL(frequency_penalty);
    good.sampling.mirostat = 2;
    REAL(mirostat_tau);
    REAL(mirostat_eta);
    good.sampling.mirostat = 0;
    leat_logit_bias bias = {0, 1};
    good.sampling.bias = &bias;
    good.sampling.n_bias = 1;
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) bias.token = integers[i], attempt(s, &good, "bias.token");
    bias.token = 1;
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) bias.bias = reals[i], attempt(s, &good, "bias.bias");
    good.sampling.n_bias = 0;
    attempt(s, &good, "a good one");
    assert_int_equal(error.status, LEAT_OK);
    leat_lm_session_close(s);
    leat_lm_unref(lm);
}

/* ---- schemas ---------------------------------------------------------------------------------------------------------------- */

/* References that lead from definition to definition, as deep as the text is long. */
static void test_reference_chains(void **state) {
    static const char *const links[] = {"{\"$ref\":\"#/$defs/d%d\"}", "{\"allOf\":[{\"$ref\":\"#/$defs/d%d\"}]}", "{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/d%d\"}}",
                                        "{\"anyOf\":[{\"$ref\":\"#/$defs/d%d\"},{\"type\":\"null\"}]}"};
    char *text = malloc(1 << 20);
    assert_non_null(text);
    for (size_t link = 0; link < sizeof links / sizeof *links; link++)
        for (int n = 10; n <= 10000; n *= 10) {
            char *at = text + sprintf(text, "{\"$ref\":\"#/$defs/d0\",\"$defs\":{");
            for (int i = 0; i < n; i++) {
                at += sprintf(at, "\"d%d\":", i);
                at += snprintf(at, 200, links[link], i + 1);
                *at++ = ',';
            }
            at += sprintf(at, "\"d%d\":{\"type\":\"null\"}}}", n);
            leat_grammar *g = NULL;
            error = (leat_error){0};
            int status = leat_grammar_open_schema(text, (size_t)(at - text), &g, &error);
            assert_int_equal(status, n == 10 ? LEAT_OK : LEAT_ELIMIT);
            assert_true(status == LEAT_OK || (error.message[0] && !g));
            leat_grammar_close(g);
        }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_padding), cmocka_unit_test(test_text_lengths), cmocka_unit_test(test_request_numbers), cmocka_unit_test(test_reference_chains)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
