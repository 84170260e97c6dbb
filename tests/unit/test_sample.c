/* test_sample.c - the sampler against a naive one in double precision: which tokens stay in the running, and how often each is drawn. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "cpu/cpu.h"
#include "lm/sample.h"

enum { MOST = 2000 };

static leat_sampling plain(void) {
    leat_sampling o;
    leat_sampling_default(&o);
    o.temperature = 1;
    o.top_k = 0;
    o.top_p = 1;
    o.min_p = 0;
    o.seed = 11;
    return o;
}

/* ---- the naive sampler: everything sorted, everything in double ------------------------------------------------------------- */

typedef struct entry {
    int    id;
    double value, weight, key;
} entry;

static int by_key(const void *a, const void *b) {
    const entry *x = a, *y = b;
    return x->key != y->key ? (x->key < y->key) - (x->key > y->key) : x->id - y->id;
}

static double weigh(entry *e, int n) {
    double most = -INFINITY, sum = 0;
    for (int i = 0; i < n; i++) most = fmax(most, e[i].value);
    for (int i = 0; i < n; i++) sum += e[i].weight = exp(e[i].value - most);
    return sum;
}

static int cut(entry *e, int n, double mass) {
    double sum = 0;
    int    kept = 0;
    qsort(e, (size_t)n, sizeof *e, by_key);
    while (kept < n && sum < mass) sum += e[kept++].weight;
    return kept;
}

/* Probabilities [n] of the draw. */
static void expected(const leat_sampling *o, const float *logits, int n, double *p) {
    entry *e = calloc((size_t)n, sizeof *e);
    int    m = 0;
    for (int i = 0; i < n; i++)
        if (logits[i] > -INFINITY) e[m++] = (entry){i, (double)logits[i], 1, (double)logits[i]};
    if (o->top_k) m = cut(e, m, o->top_k);
    double total = weigh(e, m), entropy = 0;
    if (o->typical_p < 1) {
        for (int i = 0; i < m; i++) entropy -= e[i].weight / total * log(e[i].weight / total);
        for (int i = 0; i < m; i++) e[i].key = -fabs(-log(e[i].weight / total) - entropy);
        m = cut(e, m, (double)o->typical_p * total);
    }
    for (int i = 0; i < m; i++) e[i].key = e[i].value;
    total = weigh(e, m);
    if (o->top_p < 1) m = cut(e, m, (double)o->top_p * total);
    weigh(e, m);
    for (int i = 0; i < m; i++)
        if (e[i].weight < (double)o->min_p) e[i].value = -INFINITY;
    for (int i = 0; i < m; i++) e[i].value /= (double)o->temperature;
    total = weigh(e, m);
    memset(p, 0, (size_t)n * sizeof *p);
    for (int i = 0; i < m; i++) p[e[i].id] = e[i].weight / total;
    free(e);
}

/* Draws, and compares counts by chi-square: what is never to be drawn is not, and the statistic is within 6 standard deviations. */
static void check_draws(const leat_sampling *o, const float *logits, int n, const double *p, int draws) {
    leat_lm_sampler *s;
    int *count = calloc((size_t)n, sizeof *count);
    assert_int_equal(leat__sampler_open(n, &s), LEAT_OK);
    leat__sampler_begin(s, o);
    leat__hot_enter();
    uint64_t before = leat__thread_hot_allocations();
    for (int i = 0; i < draws; i++) {
        int32_t token;
        assert_int_equal(leat__sample(s, &(leat_lm_choice){.logits = logits, .draw = (uint64_t)i}, &token), LEAT_OK);
        count[token]++;
    }
    leat__hot_leave();
    assert_int_equal(leat__thread_hot_allocations(), before);
    double chi = 0, rare_p = 0, rare = 0;
    int    cells = 0;
    for (int i = 0; i < n; i++) {
        if (p[i] == 0) assert_int_equal(count[i], 0);
        if (p[i] * draws < 8) {
            rare_p += p[i];
            rare += count[i];
            continue;
        }
        chi += (count[i] - p[i] * draws) * (count[i] - p[i] * draws) / (p[i] * draws);
        cells++;
    }
    if (rare_p * draws >= 8) chi += (rare - rare_p * draws) * (rare - rare_p * draws) / (rare_p * draws), cells++;
    double free_cells = cells > 1 ? cells - 1 : 1;
    if (chi > free_cells + 6 * sqrt(2 * free_cells)) fail_msg("chi-square %g with %g degrees of freedom", chi, free_cells);
    free(count);
    leat__sampler_close(s);
}

static void random_logits(float *x, int n, uint64_t seed, double spread, int steps) {
    for (int i = 0; i < n; i++) {
        x[i] = (float)(leat__rng_normal(seed, 1, (uint64_t)i) * spread);
        if (steps) x[i] = roundf(x[i] * (float)steps) / (float)steps; /* ties */
        if (leat__rng_uniform(seed, 2, (uint64_t)i) < 0.05) x[i] = -INFINITY;
    }
}

static void test_random_chains(void **state) {
    (void)state;
    float  x[MOST];
    double p[MOST];
    for (uint64_t seed = 1; seed <= 60; seed++) {
        double u[8];
        for (uint64_t i = 0; i < 8; i++) u[i] = leat__rng_uniform(seed, 3, i);
        int n = 2 + (int)(u[0] * (seed % 4 ? 60 : MOST - 2));
        leat_sampling o = plain();
        o.seed = seed;
        o.temperature = (float)(0.3 + 1.5 * u[1]);
        if (u[2] < 0.6) o.top_k = 1 + (int)(u[2] / 0.6 * n * 0.7);
        if (u[3] < 0.6) o.top_p = (float)(0.2 + u[3]);
        if (u[4] < 0.5) o.min_p = (float)(u[4] * 0.3);
        if (u[5] < 0.4) o.typical_p = (float)(0.3 + u[5]);
        random_logits(x, n, seed, 0.5 + 3 * u[6], u[7] < 0.3 && o.typical_p == 1 ? 2 : 0);
        x[0] = 0.25f;
        expected(&o, x, n, p);
        check_draws(&o, x, n, p, seed % 4 ? 10000 : 3000);
    }
}

/* Worked out by hand: probabilities 0.5, 0.25, 0.15, 0.1. */
static void test_known_cases(void **state) {
    (void)state;
    const float x[4] = {logf(0.25f), logf(0.5f), logf(0.1f), logf(0.15f)};
    leat_sampling o = plain();
    check_draws(&o, x, 4, (double[]){0.25, 0.5, 0.1, 0.15}, 50000);
    o.top_k = 2;
    check_draws(&o, x, 4, (double[]){1 / 3.0, 2 / 3.0, 0, 0}, 50000);
    o.top_k = 0;
    o.top_p = 0.6f;
    check_draws(&o, x, 4, (double[]){1 / 3.0, 2 / 3.0, 0, 0}, 50000);
    o.top_p = 0.76f;
    check_draws(&o, x, 4, (double[]){0.25 / 0.9, 0.5 / 0.9, 0, 0.15 / 0.9}, 50000);
    o.top_p = 1;
    o.min_p = 0.25f;
    check_draws(&o, x, 4, (double[]){0.25 / 0.9, 0.5 / 0.9, 0, 0.15 / 0.9}, 50000);
    o.min_p = 0;
    o.temperature = 0.5f; /* squares */
    check_draws(&o, x, 4, (double[]){0.0625 / 0.345, 0.25 / 0.345, 0.01 / 0.345, 0.0225 / 0.345}, 50000);
    /* entropy 1.2080 nats; surprises 1.386, 0.693, 2.303, 1.897: nearest are 0.25, then 0.5 */
    o.temperature = 1;
    o.typical_p = 0.2f;
    check_draws(&o, x, 4, (double[]){1, 0, 0, 0}, 1000);
    o.typical_p = 0.5f;
    check_draws(&o, x, 4, (double[]){1 / 3.0, 2 / 3.0, 0, 0}, 50000);
}

static int32_t greedy(leat_lm_sampler *s, const leat_lm_choice *c) {
    int32_t token;
    assert_int_equal(leat__sample(s, c, &token), LEAT_OK);
    return token;
}

static void test_greedy(void **state) {
    (void)state;
    enum { N = 1000 };
    float x[N];
    leat_lm_sampler *s;
    leat_sampling o = plain();
    o.temperature = 0;
    o.mirostat = 2; /* greedy whatever else is set */
    assert_int_equal(leat__sampler_open(N, &s), LEAT_OK);
    leat__sampler_begin(s, &o);
    for (int i = 0; i < N; i++) x[i] = -1;
    leat_lm_choice c = {.logits = x};
    x[700] = x[300] = x[999] = 2;
    assert_int_equal(greedy(s, &c), 300);
    x[300] = NAN;
    assert_int_equal(greedy(s, &c), 700);
    x[998] = INFINITY;
    assert_int_equal(greedy(s, &c), 998);
    c.forbidden = (int32_t[]){998, 700};
    c.n_forbidden = 2;
    assert_int_equal(greedy(s, &c), 999);
    uint32_t mask[(N + 31) / 32] = {0};
    mask[17 / 32] |= 1u << 17 % 32;
    mask[998 / 32] |= 1u << 998 % 32;
    c.mask = mask;
    assert_int_equal(greedy(s, &c), 17);
    leat__sampler_close(s);
}

static void test_nothing_left(void **state) {
    (void)state;
    const float nan[3] = {NAN, -INFINITY, NAN}, fine[3] = {1, 2, 3};
    const uint32_t none = 0;
    int32_t token;
    leat_lm_sampler *s;
    assert_int_equal(leat__sampler_open(3, &s), LEAT_OK);
    for (int mirostat = 0; mirostat < 3; mirostat++) {
        leat_sampling o = plain();
        o.mirostat = mirostat;
        leat__sampler_begin(s, &o);
        assert_int_equal(leat__sample(s, &(leat_lm_choice){.logits = nan}, &token), LEAT_EINVAL);
        assert_int_equal(leat__sample(s, &(leat_lm_choice){.logits = fine, .mask = &none}, &token), LEAT_EINVAL);
        assert_int_equal(token, -1);
    }
    leat__sampler_close(s);
}

static void test_one_left(void **state) {
    (void)state;
    const float x[5] = {NAN, -INFINITY, -3e38f, NAN, -INFINITY};
    const double p[5] = {0, 0, 1, 0, 0};
    leat_sampling o = plain();
    for (int k = 0; k < 3; k++) {
        o.top_k = k;
        o.top_p = 0;
        check_draws(&o, x, 5, p, 100);
        o.typical_p = 0.1f;
        check_draws(&o, x, 5, p, 100);
        o.typical_p = 1;
        o.min_p = 1;
        check_draws(&o, x, 5, p, 100);
    }
    for (o.mirostat = 1; o.mirostat <= 2; o.mirostat++) check_draws(&o, x, 5, p, 100);
}

/* Among equals, cuts keep the smaller ids. */
static void test_ties(void **state) {
    (void)state;
    float  x[1000];
    double p[1000] = {0};
    for (int i = 0; i < 1000; i++) x[i] = 1;
    for (int i = 0; i < 10; i++) p[i] = 0.1;
    leat_sampling o = plain();
    o.top_k = 10;
    check_draws(&o, x, 1000, p, 20000);
    o.top_k = 0;
    o.top_p = 0.0095f;
    check_draws(&o, x, 1000, p, 20000);
    o.top_p = 1;
    o.typical_p = 0.0095f;
    check_draws(&o, x, 1000, p, 20000);
}

static void test_penalties(void **state) {
    (void)state;
    const float   x[5] = {2, 2, -1, 0.5f, -2};
    const int32_t recent[] = {3, 4, 0, 0, 2, 0};
    leat_lm_sampler *s;
    int32_t token;
    leat_sampling o = plain();
    o.temperature = 0;
    o.repeat_penalty = 2;
    o.presence_penalty = 0.5f;
    o.frequency_penalty = 0.25f;
    o.penalty_last = 4; /* 0 three times, 2 once */
    assert_int_equal(leat__sampler_open(5, &s), LEAT_OK);
    leat__sampler_begin(s, &o);
    for (int again = 0; again < 2; again++) {
        assert_int_equal(leat__sample(s, &(leat_lm_choice){.logits = x, .recent = recent, .n_recent = 6}, &token), LEAT_OK);
        assert_int_equal(token, 1);
        const float want[5] = {2 / 2.0f - 0.5f - 0.75f, 2, -2 - 0.75f, 0.5f, -2};
        assert_memory_equal(s->logits, want, sizeof want);
    }
    o.penalty_last = -1;
    leat__sampler_begin(s, &o);
    leat__sample(s, &(leat_lm_choice){.logits = x, .recent = recent, .n_recent = 6}, &token);
    assert_float_equal(s->logits[4], -4.75, 0);
    o.penalty_last = 0;
    leat__sampler_begin(s, &o);
    leat__sample(s, &(leat_lm_choice){.logits = x, .recent = recent, .n_recent = 6}, &token);
    assert_memory_equal(s->logits, x, sizeof x);
    o.bias = (leat_logit_bias[]){{1, -INFINITY}, {2, 7}};
    o.n_bias = 2;
    leat__sampler_begin(s, &o);
    leat__sample(s, &(leat_lm_choice){.logits = x}, &token);
    assert_int_equal(token, 2);
    leat__sampler_close(s);
}

/* Version 2 by hand: tau 1, so mu begins at 2 bits: of 0.5, 0.25, 0.15, 0.1 the first two stay. */
static void test_mirostat_first_step(void **state) {
    (void)state;
    const float x[4] = {logf(0.25f), logf(0.5f), logf(0.1f), logf(0.15f)};
    int count[4] = {0};
    leat_lm_sampler *s;
    leat_sampling o = plain();
    o.mirostat = 2;
    o.mirostat_tau = 1.001f;
    o.mirostat_eta = 0.5f;
    assert_int_equal(leat__sampler_open(4, &s), LEAT_OK);
    for (uint64_t i = 0; i < 30000; i++) {
        int32_t token;
        leat__sampler_begin(s, &o);
        assert_int_equal(leat__sample(s, &(leat_lm_choice){.logits = x, .draw = i}, &token), LEAT_OK);
        double surprise = token == 1 ? 1 : 2;
        assert_float_equal((double)s->mu, 2.002 - 0.5 * (surprise - 1.001), 1e-5);
        count[token]++;
    }
    assert_int_equal(count[2] + count[3], 0);
    assert_in_range(count[0], 9700, 10300);
    leat__sampler_close(s);
}

/* Both hold the mean surprise of a text near tau, whatever the spread of the distributions. */
static void test_mirostat_holds(void **state) {
    (void)state;
    enum { N = 4000, STEPS = 1500 };
    float *x = calloc(N, sizeof *x);
    leat_lm_sampler *s;
    assert_int_equal(leat__sampler_open(N, &s), LEAT_OK);
    for (int version = 1; version <= 2; version++) {
        leat_sampling o = plain();
        o.mirostat = version;
        o.mirostat_tau = 4;
        double sum = 0;
        leat__sampler_begin(s, &o);
        for (int i = 0; i < STEPS; i++) {
            leat_token_prob none;
            int32_t token;
            for (int t = 0; t < N; t++) x[t] = -1.1f * logf((float)(1 + (t * 7 + i * 13) % N)); /* Zipf's law, rotated */
            assert_int_equal(leat__sample(s, &(leat_lm_choice){.logits = x, .draw = (uint64_t)i}, &token), LEAT_OK);
            sum -= (double)leat__sample_logprobs(s, x, token, &none, 0) * 1.4426950408889634;
        }
        assert_float_equal(sum / STEPS, 4, 0.35);
    }
    free(x);
    leat__sampler_close(s);
}

static void test_logprobs(void **state) {
    (void)state;
    const float x[6] = {logf(0.25f), logf(0.5f), NAN, logf(0.1f), logf(0.15f), -INFINITY};
    leat_token_prob top[8];
    leat_lm_sampler *s;
    assert_int_equal(leat__sampler_open(6, &s), LEAT_OK);
    assert_float_equal((double)leat__sample_logprobs(s, x, 3, top, 8), log(0.1), 1e-6);
    const int32_t order[] = {1, 0, 4, 3, -1, -1, -1, -1};
    const double  p[] = {0.5, 0.25, 0.15, 0.1};
    for (int i = 0; i < 8; i++) {
        assert_int_equal(top[i].token, order[i]);
        if (i < 4) assert_float_equal((double)top[i].logprob, log(p[i]), 1e-6);
    }
    leat__sampler_close(s);
    float *large = calloc(100000, sizeof *large);
    assert_int_equal(leat__sampler_open(100000, &s), LEAT_OK);
    for (int i = 0; i < 100000; i++) large[i] = (float)leat__rng_normal(1, 1, (uint64_t)i);
    large[99999] = large[5] = 7;
    leat__sample_logprobs(s, large, 0, top, 8);
    assert_int_equal(top[0].token, 5);
    assert_int_equal(top[1].token, 99999);
    for (int i = 2; i < 8; i++) {
        int above = 0;
        for (int t = 0; t < 100000; t++) above += large[t] > large[top[i].token];
        assert_int_equal(above, i);
    }
    free(large);
    leat__sampler_close(s);
}

/* The draw depends on its number and the seed alone. */
static void test_draws_are_numbered(void **state) {
    (void)state;
    float x[50];
    int32_t first[40], token;
    leat_lm_sampler *s;
    leat_sampling o = plain();
    random_logits(x, 50, 5, 1, 0);
    assert_int_equal(leat__sampler_open(50, &s), LEAT_OK);
    leat__sampler_begin(s, &o);
    for (uint64_t i = 0; i < 40; i++) leat__sample(s, &(leat_lm_choice){.logits = x, .draw = i}, &first[i]);
    for (uint64_t i = 40; i-- > 0;) {
        leat__sample(s, &(leat_lm_choice){.logits = x, .draw = i}, &token);
        assert_int_equal(token, first[i]);
    }
    int same = 0;
    o.seed = 12;
    leat__sampler_begin(s, &o);
    for (uint64_t i = 0; i < 40; i++) {
        leat__sample(s, &(leat_lm_choice){.logits = x, .draw = i}, &token);
        same += token == first[i];
    }
    assert_true(same < 30);
    leat__sampler_close(s);
}

static void test_options_refused(void **state) {
    (void)state;
    leat_error error = {0};
    leat_sampling o, good = plain();
    assert_int_equal(leat__sampling_check(&good, 10, &error), LEAT_OK);
#define REFUSE(field, value, ...)                                                  \
    o = good;                                                                      \
    __VA_ARGS__;                                                                   \
    o.field = value;                                                               \
    assert_int_equal(leat__sampling_check(&o, 10, &error), LEAT_EINVAL);           \
    assert_non_null(strstr(error.message, #field))
    REFUSE(temperature, -1, );
    REFUSE(temperature, NAN, );
    REFUSE(top_k, -1, );
    REFUSE(top_p, 1.5f, );
    REFUSE(min_p, NAN, );
    REFUSE(typical_p, -0.1f, );
    REFUSE(repeat_penalty, 0, );
    REFUSE(repeat_penalty, 1e-45f, ); /* logits would become infinite, and differences of them no number */
    REFUSE(repeat_penalty, 3e38f, );
    REFUSE(presence_penalty, INFINITY, );
    REFUSE(presence_penalty, -3e38f, );
    REFUSE(frequency_penalty, -3e38f, );
    REFUSE(frequency_penalty, NAN, );
    REFUSE(penalty_last, -2, );
    REFUSE(mirostat, 3, );
    REFUSE(mirostat_tau, 0, o.mirostat = 1);
    REFUSE(mirostat_eta, 2, o.mirostat = 2);
    REFUSE(n_bias, -1, );
    REFUSE(bias, (&(leat_logit_bias){10, 1}), o.n_bias = 1);
    REFUSE(bias, (&(leat_logit_bias){1, NAN}), o.n_bias = 1);
}

int main(void) {
    leat__cpu_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_chains), cmocka_unit_test(test_known_cases), cmocka_unit_test(test_greedy),
        cmocka_unit_test(test_nothing_left), cmocka_unit_test(test_one_left), cmocka_unit_test(test_ties),
        cmocka_unit_test(test_penalties), cmocka_unit_test(test_mirostat_first_step), cmocka_unit_test(test_mirostat_holds),
        cmocka_unit_test(test_logprobs), cmocka_unit_test(test_draws_are_numbered), cmocka_unit_test(test_options_refused),
    };
    return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
