/* test_lm_window.c - layers with a sliding window, which keep the last rows of their keys and values only: the same logits far behind the window, going back within the rows
 * that there are and beyond them, snapshots, batches of sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "leat/leat.h"
#include "lm/lm_impl.h"
#include "lm_build.h"
#include "lm_case.h"

/* Wherever the build is, and however many of these run at once. */
static const char *snapshot_path(void) {
    static char path[64];
    snprintf(path, sizeof path, "/tmp/leat_window_%ld.leatsess", (long)getpid());
    return path;
}

enum { CONTEXT = 512, TOKENS = 400, WINDOW = 7, BATCH = 5 };

static const lm_spec slides[] = {
    {"mistral", "llama", 0, SIZES, .extra = {{.key = "attention.sliding_window", .value = WINDOW}}}, /* all layers, and those of gemma 2 and 3 that are not global */
    {"gemma2", "gemma2", HAS_TIED | HAS_POST_NORMS, SIZES, .extra = {{.key = "attention.sliding_window", .value = WINDOW}}},
    {"gemma3", "gemma3", HAS_TIED | HAS_POST_NORMS | HAS_HEAD_NORMS, .layers = 7, .width = 32, .heads = 4, .kv_heads = 2, .head = 8, .ffn = 24,
     .extra = {{.key = "attention.sliding_window", .value = WINDOW}}},
};
enum { MODELS = sizeof slides / sizeof *slides };

typedef struct fixture {
    leat_lm *lm;
    uint8_t *bytes;
    int32_t  tokens[TOKENS];
    leat_lm_session *whole, *short_of; /* with a row for every position, since the batch is that large; with 7 + 7 + 7 rows */
} fixture;

static fixture open_fixture(const lm_spec *spec, leat_kv_type type) {
    fixture f;
    size_t size;
    leat_lm_options options;
    leat_error error = {0};
    leat_lm_options_default(&options);
    options.threads = 2;
    f.bytes = lm_build(spec, NULL, &size);
    if (leat_lm_open_memory(f.bytes, size, &options, &f.lm, &error)) fail_msg("%s: %s", spec->name, error.message);
    for (int i = 0; i < TOKENS; i++) f.tokens[i] = i == 0 ? 1 : 3 + (7 * i * i + 13 * i + 5) % 256;
    f.whole = lm_session(f.lm, type, CONTEXT, CONTEXT);
    f.short_of = lm_session(f.lm, type, CONTEXT, BATCH);
    return f;
}

static void close_fixture(const fixture *f) {
    leat_lm_session_close(f->whole);
    leat_lm_session_close(f->short_of);
    leat_lm_unref(f->lm);
    free(f->bytes);
}

static int64_t evaluated(const leat_lm_session *s) {
    leat_lm_session_stats stats;
    leat_lm_session_get_stats(s, &stats);
    return stats.evaluated_tokens;
}

/* The same logits behind the first `count` tokens; how many the session had to evaluate for them.  Steps are cut differently, which halves of precision carry further. */
static int64_t alike(fixture *f, leat_lm_session *s, int64_t count) {
    double tolerance = s->kv->type == LEAT_KV_F32 ? 1e-4 : 2e-3;
    const float *want, *got;
    int64_t before = evaluated(s);
    lm_sync(f->whole, f->tokens, count);
    lm_sync(s, f->tokens, count);
    assert_int_equal(leat_lm_logits(f->whole, &want), LEAT_OK);
    assert_int_equal(leat_lm_logits(s, &got), LEAT_OK);
    double off = lm_largest_difference(want, got, SPEC_VOCABULARY);
    if (off > tolerance) fail_msg("%s, %lld tokens: logits differ by %g", f->lm->arch->name, (long long)count, off);
    return evaluated(s) - before;
}

static void test_far(void **state) {
    for (int m = 0; m < MODELS; m++)
        for (int type = LEAT_KV_F16; type <= (int)LEAT_KV_F32; type++) {
            fixture f = open_fixture(&slides[m], (leat_kv_type)type);
            leat_lm_session_stats whole, short_of;
            leat_lm_session_get_stats(f.whole, &whole);
            leat_lm_session_get_stats(f.short_of, &short_of);
            assert_true(short_of.kv_bytes < whole.kv_bytes);
            if (m == 0) assert_int_equal(whole.kv_bytes / short_of.kv_bytes, CONTEXT / (3 * WINDOW)); /* no layer sees more */
            for (int64_t n = 1; n <= 60; n++) assert_int_equal(alike(&f, f.short_of, n), 1);
            alike(&f, f.short_of, 61 + BATCH);
            alike(&f, f.short_of, TOKENS);
            close_fixture(&f);
        }
}

/* Back by less than the rows behind the window: they are still there.  Further: all is evaluated anew, with the same outcome. */
static void test_going_back(void **state) {
    for (int m = 0; m < MODELS; m++) {
        fixture f = open_fixture(&slides[m], LEAT_KV_F32);
        alike(&f, f.short_of, 300);
        f.tokens[296] ^= 1;
        assert_int_equal(alike(&f, f.short_of, 300), 4);
        f.tokens[250] ^= 1;
        assert_int_equal(alike(&f, f.short_of, 300), 300);
        assert_int_equal(alike(&f, f.short_of, 120), 120);
        assert_int_equal(alike(&f, f.short_of, 20), 20);
        assert_int_equal(alike(&f, f.short_of, 20), 0);
        f.tokens[13] ^= 1; /* nothing has moved yet: as far back as one likes */
        assert_int_equal(alike(&f, f.short_of, 20), 7);
        assert_int_equal(alike(&f, f.short_of, 1), 1);
        close_fixture(&f);
    }
}

static void test_snapshot(void **state) {
    leat_error error = {0};
    for (int m = 0; m < MODELS; m++) {
        fixture f = open_fixture(&slides[m], LEAT_KV_F16);
        leat_lm_session *from[2] = {f.short_of, f.whole};
        for (int i = 0; i < 2; i++) {
            leat_lm_session *other = lm_session(f.lm, LEAT_KV_F16, i ? CONTEXT : 310, i ? 2 : CONTEXT);
            alike(&f, f.short_of, 303);
            assert_int_equal(leat_lm_session_save(from[i], snapshot_path(), &error), LEAT_OK);
            if (leat_lm_session_load(other, snapshot_path(), &error)) fail_msg("%s", error.message);
            assert_int_equal(alike(&f, other, 303), 0);
            assert_int_equal(alike(&f, other, 309), 6);
            assert_int_equal(alike(&f, other, 305), 1); /* back, and forward again */
            assert_int_equal(alike(&f, other, 200), 200);
            leat_lm_session_close(other);
        }
        close_fixture(&f);
    }
    remove(snapshot_path());
}

/* Positions of the first row that cannot be: refused, though the hash is right. */
static void test_hostile_first(void **state) {
    fixture f = open_fixture(&slides[0], LEAT_KV_F16);
    leat_lm_kv *kv = f.short_of->kv;
    assert_int_equal(kv->sliding.places, 3 * WINDOW);
    assert_true(leat__lm_kv_may_begin(kv, 0, 3 * WINDOW));
    assert_false(leat__lm_kv_may_begin(kv, 0, 3 * WINDOW + 1));
    assert_true(leat__lm_kv_may_begin(kv, 100 - 3 * WINDOW, 100));
    assert_false(leat__lm_kv_may_begin(kv, 99 - 3 * WINDOW, 100)); /* more rows than there are places */
    assert_true(leat__lm_kv_may_begin(kv, 100 - WINDOW + 1, 100));
    assert_false(leat__lm_kv_may_begin(kv, 100 - WINDOW + 2, 100)); /* fewer than the window */
    assert_false(leat__lm_kv_may_begin(kv, 101, 100));
    assert_false(leat__lm_kv_may_begin(kv, UINT32_MAX, 100));
    close_fixture(&f);
}

/* Texts of several sessions at once, prompts longer than a session's batch. */
static void test_batches(void **state) {
    enum { REQUESTS = 3, MADE = 40 };
    for (int m = 0; m < MODELS; m++) {
        fixture f = open_fixture(&slides[m], LEAT_KV_F32);
        leat_lm_session *sessions[2] = {f.whole, f.short_of};
        leat_lm_request requests[REQUESTS];
        leat_lm_result results[REQUESTS], alone;
        int32_t made[REQUESTS][MADE], one[MADE];
        leat_error error = {0};
        for (int i = 0; i < REQUESTS; i++) {
            leat_lm_request_default(&requests[i]);
            leat_lm_result_init(&results[i]);
            requests[i].tokens = f.tokens + i;
            requests[i].n_tokens = 150 + 50 * i;
            requests[i].max_tokens = MADE;
            requests[i].sampling.temperature = 0;
            requests[i].flags = LEAT_GENERATE_IGNORE_EOS;
            results[i].tokens = made[i];
            results[i].token_capacity = MADE;
        }
        if (leat_lm_generate_batch(sessions, 2, requests, results, REQUESTS, NULL, NULL, NULL, &error)) fail_msg("%s", error.message);
        for (int i = 0; i < REQUESTS; i++) {
            leat_lm_result_init(&alone);
            alone.tokens = one;
            alone.token_capacity = MADE;
            assert_int_equal(leat_lm_generate(f.whole, &requests[i], &alone, NULL, NULL, &error), LEAT_OK);
            assert_int_equal(results[i].n_tokens, MADE);
            assert_memory_equal(made[i], one, sizeof one);
        }
        close_fixture(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_far), cmocka_unit_test(test_going_back), cmocka_unit_test(test_snapshot),
                                       cmocka_unit_test(test_hostile_first), cmocka_unit_test(test_batches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
