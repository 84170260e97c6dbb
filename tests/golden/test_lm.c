/* test_lm.c - language models against llama.cpp's and llama2.c's records (golden-llm), at every level of instructions, and what sessions promise:
 * prefixes kept, cut and continued; the same numbers for any number of threads; cancelling; no allocation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "leat/leat.h"
#include "lm_case.h"

enum { MOST = 512 };

/* ---- records --------------------------------------------------------------------------------------------------------------- */

typedef struct record {
    const char *name, *file;
    double      absolute, relative; /* tolerances: of a logit, of their range */
} record;

static const record records[] = {
    {"stories260K", "llm/stories260K.gguf", 1e-3, 0},
    {"stories260K-f16", "llm/stories260K-gguf/stories260K-f16.gguf", 0, 0.001},
    {"stories260K-bf16", "llm/stories260K-gguf/stories260K-bf16.gguf", 0, 0.005},
    {"stories260K-q8_0", "llm/stories260K-gguf/stories260K-q8_0.gguf", 0, 0.02},
    {"stories260K-q4_0", "llm/stories260K-gguf/stories260K-q4_0.gguf", 0, 0.02},
    {"stories260K-q4_1", "llm/stories260K-gguf/stories260K-q4_1.gguf", 0, 0.02},
    {"stories260K-q5_0", "llm/stories260K-gguf/stories260K-q5_0.gguf", 0, 0.02},
    {"stories260K-q5_1", "llm/stories260K-gguf/stories260K-q5_1.gguf", 0, 0.02},
};

/* Follows the record's greedy tokens as long as each is certain: where the two best are nearer than twice the tolerance, either may come. */
static void check_greedy(leat_lm_session *session, const json_t *steps, int32_t *tokens, int64_t n, double tolerance) {
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *step = json_array_get(steps, i), *top = json_object_get(step, "top5");
        int32_t wanted = (int32_t)json_integer_value(json_object_get(step, "token"));
        double gap = json_number_value(json_array_get(json_array_get(top, 0), 1)) - json_number_value(json_array_get(json_array_get(top, 1), 1));
        int32_t got = lm_best(session);
        if (got != wanted && gap > 2 * tolerance) fail_msg("step %zu: token %d, the record has %d with a gap of %g", i, got, wanted, gap);
        tokens[n++] = wanted; /* the record's way, so that all its steps are compared */
        lm_sync(session, tokens, n);
    }
}

static void check_record(const record *r) {
    char path[GOLDEN_PATH], name[256], line[64];
    snprintf(name, sizeof name, "golden-llm/%s.golden.json", r->name);
    golden_need(golden_path(path, name));
    json_t *json = json_load_file(path, 0, NULL), *prompt = json_object_get(json, "prompt_tokens");
    snprintf(name, sizeof name, "golden-llm/%s.golden.logits.f32", r->name);
    char *wanted;
    size_t bytes;
    assert_int_equal(leat__read_file(golden_path(path, name), 1 << 24, &wanted, &bytes, NULL), LEAT_OK);
    leat_lm *lm = lm_open(golden_path(path, r->file), 2);
    leat_lm_session *session = lm_session(lm, LEAT_KV_F32, 256, 0);
    int32_t tokens[MOST], vocabulary = lm_vocabulary(lm);
    int64_t n = (int64_t)json_array_size(prompt), count = n * vocabulary;
    for (int64_t i = 0; i < n; i++) tokens[i] = (int32_t)json_integer_value(json_array_get(prompt, (size_t)i));
    assert_int_equal(bytes, (size_t)count * sizeof(float));
    float *logits = calloc((size_t)count, sizeof *logits);
    assert_int_equal(leat_lm_sync_logits(session, tokens, n, logits, NULL), LEAT_OK);
    double range = lm_range((const float *)(void *)wanted, count), error = lm_largest_difference(logits, (const float *)(void *)wanted, count);
    double tolerance = r->absolute > 0 ? r->absolute : r->relative * range;
    snprintf(line, sizeof line, "%.2e (%.2e of the range)", error, error / range);
    if (!(error <= tolerance)) fail_msg("%s at %s: %s", r->name, leat_isa_name(leat_isa_selected()), line);
    print_message("%s at %s: %s\n", r->name, leat_isa_name(leat_isa_selected()), line);
    check_greedy(session, json_object_get(json, "steps"), tokens, n, tolerance);
    free(logits);
    leat_lm_session_close(session);
    leat_lm_unref(lm);
    leat__free(wanted);
    json_decref(json);
}

static void test_records(void **state) {
    leat_isa before = leat_isa_selected();
    for (leat_isa level = LEAT_ISA_REF; level <= before; level = leat_isa_next(level)) {
        assert_int_equal(leat_isa_select(level), LEAT_OK);
        for (size_t i = 0; i < sizeof records / sizeof *records; i++) check_record(&records[i]);
    }
    assert_int_equal(leat_isa_select(before), LEAT_OK);
}

static void test_story(void **state) {
    char path[GOLDEN_PATH], *wanted, text[4096];
    size_t bytes, length;
    int32_t tokens[MOST] = {1};
    int64_t n = 1;
    leat_lm *lm = lm_open_stories(1);
    golden_need(golden_path(path, "golden-llm/stories260K.llama2c-greedy-200.txt"));
    assert_int_equal(leat__read_file(path, 1 << 20, &wanted, &bytes, NULL), LEAT_OK);
    leat_lm_session *session = lm_session(lm, LEAT_KV_F32, 0, 0);
    lm_sync(session, tokens, n);
    lm_greedy(session, tokens, &n, 200);
    assert_int_equal(leat_tokenizer_decode(leat_lm_tokenizer(lm), tokens + 1, 200, 0, text, sizeof text, &length), LEAT_OK);
    while (bytes && wanted[bytes - 1] == '\n') bytes--; /* llama2.c ends its output with one, and makes one token less */
    assert_true(length >= bytes);
    assert_memory_equal(text, wanted, bytes);
    leat__free(wanted);
    leat_lm_session_close(session);
    leat_lm_unref(lm);
}

/* ---- sessions -------------------------------------------------------------------------------------------------------------- */

static const int32_t prompt[] = {1, 403, 407, 261, 378, 432, 317, 269, 274, 287, 382, 276, 337, 299, 322, 265, 282, 295, 433, 426};
enum { PROMPT = sizeof prompt / sizeof *prompt };

static void copy_logits(const leat_lm_session *session, float *out) {
    const float *logits;
    assert_int_equal(leat_lm_logits(session, &logits), LEAT_OK);
    memcpy(out, logits, 512 * sizeof *out);
}

/* The logits behind tokens [n] of a session that holds nothing else. */
static void fresh_logits(leat_lm *lm, const int32_t *tokens, int64_t n, int32_t batch, float *out) {
    leat_lm_session *session = lm_session(lm, LEAT_KV_F32, 64, batch);
    lm_sync(session, tokens, n);
    copy_logits(session, out);
    leat_lm_session_close(session);
}

static void test_prefixes(void **state) {
    float wanted[512], got[512];
    int32_t other[PROMPT];
    leat_lm_session_stats stats;
    leat_lm *lm = lm_open_stories(1);
    leat_lm_session *session = lm_session(lm, LEAT_KV_F32, 64, 0);
    lm_sync(session, prompt, PROMPT);
    memcpy(other, prompt, sizeof other);
    other[12] = 300;
    lm_sync(session, other, 15); /* cut at 12, two more */
    leat_lm_session_get_stats(session, &stats);
    assert_int_equal(stats.reused_tokens, 12);
    assert_int_equal(stats.evaluated_tokens, PROMPT + 3);
    copy_logits(session, got);
    fresh_logits(lm, other, 15, 0, wanted);
    assert_true(lm_largest_difference(got, wanted, 512) < 1e-4);
    lm_sync(session, other, 15); /* nothing to do */
    leat_lm_session_get_stats(session, &stats);
    assert_int_equal(stats.evaluated_tokens, PROMPT + 3);
    lm_sync(session, other, 14); /* rewound: one token once more, for its logits */
    leat_lm_session_get_stats(session, &stats);
    assert_int_equal(stats.evaluated_tokens, PROMPT + 4);
    copy_logits(session, got);
    fresh_logits(lm, other, 14, 0, wanted);
    assert_true(lm_largest_difference(got, wanted, 512) < 1e-4);
    const int32_t *tokens;
    const float *logits;
    int64_t count;
    leat_lm_session_tokens(session, &tokens, &count);
    assert_int_equal(count, 14);
    assert_memory_equal(tokens, other, 14 * sizeof *tokens);
    assert_int_equal(stats.allocations, 0);
    lm_sync(session, NULL, 0);
    assert_int_equal(leat_lm_logits(session, &logits), LEAT_ESTATE);
    leat_lm_session_close(session);
    leat_lm_unref(lm);
}

static void test_batches(void **state) {
    float whole[512], parts[512];
    leat_lm *lm = lm_open_stories(1);
    fresh_logits(lm, prompt, PROMPT, 0, whole);
    for (int32_t batch = 1; batch < PROMPT; batch += 3) {
        fresh_logits(lm, prompt, PROMPT, batch, parts);
        assert_true(lm_largest_difference(whole, parts, 512) < 1e-4);
    }
    leat_lm_unref(lm);
}

static void test_threads(void **state) {
    float one[PROMPT * 512], many[PROMPT * 512];
    for (int threads = 1; threads <= 5; threads++) {
        leat_lm *lm = lm_open_stories(threads);
        leat_lm_session *session = lm_session(lm, LEAT_KV_F16, 64, 0);
        assert_int_equal(leat_lm_sync_logits(session, prompt, PROMPT, threads == 1 ? one : many, NULL), LEAT_OK);
        if (threads > 1) assert_memory_equal(one, many, sizeof one);
        leat_lm_session_close(session);
        leat_lm_unref(lm);
    }
}

static void test_half_cache(void **state) {
    float full[512], half[512];
    leat_lm *lm = lm_open_stories(1);
    leat_lm_session *session = lm_session(lm, LEAT_KV_F16, 64, 0);
    fresh_logits(lm, prompt, PROMPT, 0, full);
    lm_sync(session, prompt, PROMPT);
    copy_logits(session, half);
    assert_true(lm_largest_difference(full, half, 512) < 0.02 * lm_range(full, 512));
    assert_true(lm_largest_difference(full, half, 512) > 0);
    leat_lm_session_close(session);
    leat_lm_unref(lm);
}

static void test_refusals(void **state) {
    leat_error error = {0};
    leat_lm_session_options options;
    leat_lm *lm = lm_open_stories(1);
    leat_lm_session *session = lm_session(lm, LEAT_KV_F16, 16, 0), *none;
    int32_t bad[] = {1, 2, 512};
    assert_int_equal(leat_lm_sync(session, bad, 3, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "token 2 is 512"));
    bad[1] = -1;
    assert_int_equal(leat_lm_sync(session, bad, 2, &error), LEAT_EINVAL);
    assert_int_equal(leat_lm_sync(session, prompt, PROMPT, &error), LEAT_ELIMIT);
    assert_int_equal(leat_lm_sync(session, prompt, -1, &error), LEAT_EINVAL);
    lm_sync(session, prompt, 16); /* just fits */
    leat_lm_session_options_default(&options);
    options.kv_type = LEAT_KV_Q8_0; /* heads of 8 elements */
    assert_int_equal(leat_lm_session_open(lm, &options, &none, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "multiple of 32"));
    assert_null(none);
    options.kv_type = LEAT_KV_F16;
    options.context = -5;
    assert_int_equal(leat_lm_session_open(lm, &options, &none, &error), LEAT_EINVAL);
    leat_lm_session_close(session);
    leat_lm_unref(lm);
}

/* ---- snapshots ------------------------------------------------------------------------------------------------------------- */

static const char *snapshot_path(char out[GOLDEN_PATH]) {
    const char *folder = getenv("TMPDIR");
    snprintf(out, GOLDEN_PATH, "%s/leat-test-session-%d", folder ? folder : "/tmp", (int)getpid());
    return out;
}

static void test_snapshot(void **state) {
    char path[GOLDEN_PATH];
    int32_t tokens[64], again[64];
    int64_t n = PROMPT, m = PROMPT;
    leat_error error = {0};
    leat_lm *lm = lm_open_stories(1);
    leat_lm_session *first = lm_session(lm, LEAT_KV_F16, 64, 0), *second = lm_session(lm, LEAT_KV_F16, 48, 0), *full = lm_session(lm, LEAT_KV_F32, 64, 0);
    memcpy(tokens, prompt, sizeof prompt);
    memcpy(again, prompt, sizeof prompt);
    lm_sync(first, tokens, n);
    if (leat_lm_session_save(first, snapshot_path(path), &error)) fail_msg("%s", error.message);
    lm_greedy(first, tokens, &n, 20);
    lm_sync(second, tokens, 3); /* what it holds is replaced */
    if (leat_lm_session_load(second, path, &error)) fail_msg("%s", error.message);
    lm_greedy(second, again, &m, 20);
    assert_memory_equal(tokens, again, (size_t)n * sizeof *tokens);
    assert_int_equal(leat_lm_session_load(full, path, &error), LEAT_ESTATE); /* another kv_type */
    leat_lm_session_close(full);
    leat_lm_session_close(second);
    second = lm_session(lm, LEAT_KV_F16, PROMPT - 1, 0);
    assert_int_equal(leat_lm_session_load(second, path, &error), LEAT_ELIMIT);
    leat_lm_session_close(second);
    leat_lm_session_close(first);
    leat_lm_unref(lm);
    remove(path);
}

/* Any byte of the file turned, or its end cut off: refused, and the session is empty and usable. */
static void test_damaged_snapshot(void **state) {
    char path[GOLDEN_PATH], *bytes;
    size_t size;
    int64_t count;
    const int32_t *held;
    leat_error error = {0};
    leat_lm *lm = lm_open_stories(1);
    leat_lm_session *session = lm_session(lm, LEAT_KV_F16, 64, 0);
    lm_sync(session, prompt, 5);
    assert_int_equal(leat_lm_session_save(session, snapshot_path(path), &error), LEAT_OK);
    assert_int_equal(leat__read_file(path, 1 << 24, &bytes, &size, NULL), LEAT_OK);
    for (size_t i = 0; i < size; i += i < 200 ? 1 : 97) {
        bytes[i] ^= 0x40;
        assert_int_equal(leat__write_file(path, bytes, size, NULL), LEAT_OK);
        if (leat_lm_session_load(session, path, &error) == LEAT_OK) fail_msg("byte %zu was turned unnoticed", i);
        leat_lm_session_tokens(session, &held, &count);
        assert_int_equal(count, 0);
        bytes[i] ^= 0x40;
    }
    for (size_t cut = 0; cut < size; cut += 1 + size / 50) {
        assert_int_equal(leat__write_file(path, bytes, cut, NULL), LEAT_OK);
        assert_int_not_equal(leat_lm_session_load(session, path, &error), LEAT_OK);
    }
    lm_sync(session, prompt, 5);
    leat__free(bytes);
    leat_lm_session_close(session);
    leat_lm_unref(lm);
    remove(path);
}

/* ---- cancelling ------------------------------------------------------------------------------------------------------------ */

typedef struct canceller {
    leat_lm_session *session;
    atomic_int       done;
} canceller;

/* Again and again, since an operation that has not begun yet forgets it. */
static void *cancel_soon(void *arg) {
    canceller *c = arg;
    struct timespec nap = {0, 2000000};
    while (!atomic_load(&c->done)) {
        nanosleep(&nap, NULL);
        leat_lm_cancel(c->session);
    }
    return NULL;
}

static void test_cancel(void **state) {
    leat_error error = {0};
    pthread_t thread;
    int32_t tokens[2048];
    int64_t count;
    const int32_t *held;
    leat_lm *lm = lm_open_stories(1);
    leat_lm_session *session = lm_session(lm, LEAT_KV_F32, 2048, 1);
    canceller c = {.session = session};
    for (int i = 0; i < 2048; i++) tokens[i] = 3 + i % 500;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &c), 0);
    int status = leat_lm_sync(session, tokens, 2048, &error);
    atomic_store(&c.done, 1);
    pthread_join(thread, NULL);
    assert_int_equal(status, LEAT_ECANCELLED);
    leat_lm_session_tokens(session, &held, &count);
    assert_true(count < 2048);
    assert_memory_equal(held, tokens, (size_t)count * sizeof *held);
    lm_sync(session, prompt, PROMPT); /* a new operation is not cancelled */
    leat_lm_session_close(session);
    leat_lm_unref(lm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records), cmocka_unit_test(test_story),      cmocka_unit_test(test_prefixes), cmocka_unit_test(test_batches),
        cmocka_unit_test(test_threads), cmocka_unit_test(test_half_cache), cmocka_unit_test(test_refusals), cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_snapshot), cmocka_unit_test(test_damaged_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
