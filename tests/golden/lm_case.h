/* lm_case.h - what the tests of language models share: opening, prompts, the records of golden-llm, comparisons. */
#ifndef LEAT_TESTS_LM_CASE_H
#define LEAT_TESTS_LM_CASE_H

#include "golden.h"
#include "leat/lm.h"

#define STORIES "llm/stories260K.gguf"

static inline leat_lm *lm_open(const char *path, int threads) {
    leat_lm_options options;
    leat_error error = {0};
    leat_lm *lm = NULL;
    leat_lm_options_default(&options);
    options.threads = threads;
    if (leat_lm_open(path, &options, &lm, &error)) fail_msg("%s: %s", path, error.message);
    return lm;
}

/* The shared story model, or the test is skipped. */
static inline leat_lm *lm_open_stories(int threads) {
    char path[GOLDEN_PATH];
    golden_need(golden_path(path, STORIES));
    return lm_open(path, threads);
}

static inline leat_lm_session *lm_session(leat_lm *lm, leat_kv_type type, int32_t context, int32_t batch) {
    leat_lm_session_options options;
    leat_error error = {0};
    leat_lm_session *session = NULL;
    leat_lm_session_options_default(&options);
    options.kv_type = type;
    options.context = context;
    options.batch = batch;
    if (leat_lm_session_open(lm, &options, &session, &error)) fail_msg("%s", error.message);
    return session;
}

static inline void lm_sync(leat_lm_session *session, const int32_t *tokens, int64_t count) {
    leat_error error = {0};
    if (leat_lm_sync(session, tokens, count, &error)) fail_msg("%s", error.message);
}

static inline int32_t lm_vocabulary(const leat_lm *lm) {
    leat_lm_info info;
    leat_lm_get_info(lm, &info);
    return info.vocabulary;
}

/* The most probable next token. */
static inline int32_t lm_best(const leat_lm_session *session) {
    const float *logits;
    int32_t best = 0, n = lm_vocabulary(leat_lm_session_model(session));
    assert_int_equal(leat_lm_logits(session, &logits), LEAT_OK);
    for (int32_t i = 1; i < n; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

/* Appends `count` greedy tokens behind tokens [*n], which has the room. */
static inline void lm_greedy(leat_lm_session *session, int32_t *tokens, int64_t *n, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        tokens[*n] = lm_best(session);
        *n += 1;
        lm_sync(session, tokens, *n);
    }
}

/* Infinite where a NaN is compared: fmax() would pass over it. */
static inline double lm_largest_difference(const float *a, const float *b, int64_t n) {
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]);
        if (!(d <= most)) most = isnan(d) ? INFINITY : d;
    }
    return most;
}

static inline double lm_range(const float *x, int64_t n) {
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < n; i++) low = x[i] < low ? x[i] : low, high = x[i] > high ? x[i] : high;
    return high - low;
}

#endif
