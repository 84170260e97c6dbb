/* test_oom_grammar.c - the n-th allocation fails while a grammar, a schema, a vocabulary or a state is made, for every n: LEAT_ENOMEM, nothing leaks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "../unit/gguf_build.h"
#include "base/mem.h"
#include "leat/grammar.h"

#define MOST 5000 /* allocations; more would mean that the count never ends */

static leat_gguf *file;
static leat_tokenizer *tokenizer;

static uint64_t live_bytes(void) {
    leat_memory_stats stats;
    uint64_t sum = 0;
    leat_memory_get(&stats);
    for (int i = 0; i < LEAT_MEMORY_TAGS; i++) sum += stats.live_bytes[i];
    return sum;
}

/* Bytes, as an SPM vocabulary must have them, and two words. */
static int set_up(void **state) {
    static gguf_out o;
    char name[16];
    (void)state;
    g_header(&o, 3, 0, 4);
    g_key(&o, "tokenizer.ggml.model", LEAT_GGUF_STRING);
    g_text(&o, "llama");
    g_key(&o, "tokenizer.ggml.tokens", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_STRING);
    g_u64(&o, 261);
    g_text(&o, "<unk>");
    g_text(&o, "<s>");
    g_text(&o, "</s>");
    for (int i = 0; i < 256; i++) {
        snprintf(name, sizeof name, "<0x%02X>", i);
        g_text(&o, name);
    }
    g_text(&o, "true");
    g_text(&o, "\"a");
    g_key(&o, "tokenizer.ggml.scores", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_F32);
    g_u64(&o, 261);
    for (int i = 0; i < 261; i++) g_f32(&o, 0);
    g_key(&o, "tokenizer.ggml.token_type", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_I32);
    g_u64(&o, 261);
    for (int i = 0; i < 261; i++) g_u32(&o, i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1);
    leat_error error = {0};
    return leat_gguf_open_memory(o.bytes, o.n, &file, &error) || leat_tokenizer_open(file, &tokenizer, &error);
}

static int tear_down(void **state) {
    (void)state;
    leat_tokenizer_close(tokenizer);
    leat_gguf_close(file);
    return 0;
}

static int use(leat_grammar *g, leat_error *error) {
    leat_grammar_vocab *vocab = NULL;
    leat_grammar_state *s = NULL, *copy = NULL;
    uint32_t mask[9];
    int status = leat_grammar_vocab_new(tokenizer, NULL, 0, &vocab, error);
    if (status == LEAT_OK) status = leat_grammar_state_open(g, vocab, &s, error);
    if (status == LEAT_OK) status = leat_grammar_state_open(g, vocab, &copy, error);
    if (status == LEAT_OK) {
        assert_int_equal(leat_grammar_state_mask(s, mask, 9), LEAT_OK);
        assert_int_equal(leat_grammar_state_copy(copy, s), LEAT_OK);
    }
    leat_grammar_state_close(copy);
    leat_grammar_state_close(s);
    leat_grammar_vocab_unref(vocab);
    return status;
}

static int make_grammar(leat_error *error) {
    static const char text[] = "root ::= value\nvalue ::= \"[\" (value (\",\" value)*)? \"]\" | \"true\" | \"\\\"\" [^\"\\x00-\\x1f]{0,9} \"\\\"\"\n";
    leat_grammar *g = NULL;
    int status = leat_grammar_open(text, sizeof text - 1, &g, error);
    if (status == LEAT_OK) status = use(g, error);
    leat_grammar_close(g);
    return status;
}

static int make_schema(leat_error *error) {
    static const char text[] = "{\"type\":\"object\",\"properties\":{\"a\":{\"allOf\":[{\"type\":\"integer\",\"minimum\":3},{\"maximum\":9}]},"
                               "\"b\":{\"enum\":[1,\"x\"]}},\"additionalProperties\":{\"pattern\":\"^x+$\"}}";
    leat_grammar *g = NULL;
    int status = leat_grammar_open_schema(text, sizeof text - 1, &g, error);
    leat_grammar_close(g);
    return status;
}

static void fail_each(int (*make)(leat_error *error)) {
    leat_error error = {0};
    assert_int_equal(make(&error), LEAT_OK);
    uint64_t before = live_bytes(), n = 1;
    for (int status = LEAT_ENOMEM; status != LEAT_OK; n++) {
        error = (leat_error){0};
        leat__alloc_fail_at(n, 0);
        status = make(&error);
        leat__alloc_fail_at(0, 0);
        if (status != LEAT_OK && (status != LEAT_ENOMEM || !error.message[0])) fail_msg("allocation %d: %s \"%s\"", (int)n, leat_status_name(status), error.message);
        if (live_bytes() != before) fail_msg("allocation %d: %lld bytes are lost", (int)n, (long long)(live_bytes() - before));
        assert_true(n < MOST);
    }
    assert_true(n > 5);
}

static void test_grammar(void **state) { fail_each(make_grammar); }
static void test_schema(void **state) { fail_each(make_schema); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_grammar), cmocka_unit_test(test_schema)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
