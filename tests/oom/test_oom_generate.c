/* test_oom_generate.c - the n-th allocation fails in a generation, a batch or the cache of models, for every n: LEAT_ENOMEM, nothing leaks, the session is usable. */
#include "../golden/lm_case.h"

#include "leat/generate.h"

#define MOST 3000 /* allocations; more would mean that the count never ends */

static char path[GOLDEN_PATH];

static uint64_t live_bytes(void) {
    leat_memory_stats stats;
    uint64_t sum = 0;
    leat_memory_get(&stats);
    for (int i = 0; i < LEAT_MEMORY_TAGS; i++) sum += stats.live_bytes[i];
    return sum;
}

static leat_lm_request request(int which) {
    static const char *const stop[] = {"xyz", "a long one that is never met"};
    leat_lm_request r;
    leat_lm_request_default(&r);
    r.prompt = "Once";
    r.prompt_bytes = 4;
    r.max_tokens = 3;
    r.sampling.seed = 1;
    r.stop = stop;
    r.n_stop = 2;
    if (which == 1) r.grammar = "root ::= [a-z ]+";
    if (which == 2) r.json_schema = "{\"type\":\"integer\"}";
    return r;
}

/* Everything from the file to the text. */
static int one_generation(int which, leat_error *error) {
    leat_lm *lm = NULL;
    leat_lm_session *s = NULL;
    leat_lm_request r = request(which);
    leat_lm_result  result;
    leat_lm_options options;
    leat_lm_session_options small;
    leat_lm_options_default(&options);
    leat_lm_session_options_default(&small);
    options.threads = 1;
    small.context = 32;
    small.batch = 8;
    leat_lm_result_init(&result);
    int status = leat_lm_open(path, &options, &lm, error);
    if (status == LEAT_OK) status = leat_lm_session_open(lm, &small, &s, error);
    if (status == LEAT_OK) status = leat_lm_generate(s, &r, &result, NULL, NULL, error);
    if (status == LEAT_OK) assert_int_equal(result.finish == LEAT_FINISH_LENGTH || result.finish == LEAT_FINISH_GRAMMAR || result.finish == LEAT_FINISH_EOS, 1);
    leat_lm_session_close(s);
    leat_lm_unref(lm);
    return status;
}

static int one_batch(int which, leat_error *error) {
    (void)which;
    leat_lm_cache *cache = NULL;
    leat_lm *lm = NULL;
    leat_lm_session *s[2] = {NULL, NULL};
    leat_lm_request r[3] = {request(0), request(1), request(0)};
    leat_lm_result  results[3];
    leat_lm_options options;
    leat_lm_session_options small;
    leat_lm_options_default(&options);
    leat_lm_session_options_default(&small);
    options.threads = 1;
    small.context = 32;
    small.batch = 8;
    for (int i = 0; i < 3; i++) leat_lm_result_init(&results[i]);
    int status = leat_lm_cache_open(0, &options, &cache, error);
    if (status == LEAT_OK) status = leat_lm_cache_get(cache, path, &lm, error);
    for (int i = 0; i < 2 && status == LEAT_OK; i++) status = leat_lm_session_open(lm, &small, &s[i], error);
    if (status == LEAT_OK) status = leat_lm_generate_batch(s, 2, r, results, 3, NULL, NULL, NULL, error);
    for (int i = 0; i < 2; i++) leat_lm_session_close(s[i]);
    leat_lm_unref(lm);
    leat_lm_cache_close(cache);
    return status;
}

static void every_allocation_may_fail(int (*work)(int, leat_error *), int which) {
    leat_error error = {0};
    golden_need(golden_path(path, STORIES));
    if (work(which, &error)) fail_msg("%s", error.message);
    uint64_t before = live_bytes();
    int n = 1, status = LEAT_ENOMEM;
    for (; n < MOST && status != LEAT_OK; n++) {
        error = (leat_error){0};
        leat__alloc_fail_at((uint64_t)n, 0);
        status = work(which, &error);
        leat__alloc_fail_at(0, 0);
        if (status != LEAT_OK && (status != LEAT_ENOMEM || error.status != LEAT_ENOMEM || !error.message[0])) fail_msg("allocation %d: %d '%s'", n, status, error.message);
        if (live_bytes() != before) fail_msg("allocation %d leaks", n);
    }
    assert_true(n > 10 && n < MOST);
}

static void test_generation(void **state) {
    (void)state;
    every_allocation_may_fail(one_generation, 0);
}
static void test_grammar(void **state) {
    (void)state;
    every_allocation_may_fail(one_generation, 1);
}
static void test_schema(void **state) {
    (void)state;
    every_allocation_may_fail(one_generation, 2);
}
static void test_batch(void **state) {
    (void)state;
    every_allocation_may_fail(one_batch, 0);
}

/* A generation that failed for memory can be asked for again. */
static void test_again(void **state) {
    (void)state;
    leat_lm *lm = lm_open_stories(1);
    leat_lm_session *s = lm_session(lm, LEAT_KV_F16, 32, 8);
    leat_lm_request r = request(1);
    leat_lm_result  result;
    for (uint64_t n = 1; n < 40; n++) {
        leat_error error = {0};
        leat_lm_result_init(&result);
        leat__alloc_fail_at(n, 0);
        int status = leat_lm_generate(s, &r, &result, NULL, NULL, &error);
        leat__alloc_fail_at(0, 0);
        assert_true(status == LEAT_OK || status == LEAT_ENOMEM);
        assert_int_equal(leat_lm_generate(s, &r, &result, NULL, NULL, &error), LEAT_OK);
    }
    leat_lm_session_close(s);
    leat_lm_unref(lm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generation), cmocka_unit_test(test_grammar), cmocka_unit_test(test_schema), cmocka_unit_test(test_batch), cmocka_unit_test(test_again),
    };
    return cmocka_run_group_tests_name("oom_generate", tests, NULL, NULL);
}
