/* test_minimise.c - the minimiser: every algorithm on classic functions, exact resume, cancelled steps, bad options and states. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "leat/minimise.h"

#define DIMS 10
#define PI 3.14159265358979323846

typedef double (*function)(const double *x);

typedef struct problem {
    function f;
    int      calls, cancel_at; /* 0 = never */
} problem;

static double sphere(const double *x) {
    double sum = 0;
    for (int j = 0; j < DIMS; j++) sum += (x[j] - 1) * (x[j] - 1);
    return sum;
}
static double rastrigin(const double *x) {
    double sum = 10 * DIMS;
    for (int j = 0; j < DIMS; j++) sum += (x[j] - 1) * (x[j] - 1) - 10 * cos(2 * PI * (x[j] - 1));
    return sum;
}
static double ackley(const double *x) {
    double squares = 0, waves = 0;
    for (int j = 0; j < DIMS; j++) {
        squares += (x[j] - 1) * (x[j] - 1);
        waves += cos(2 * PI * (x[j] - 1));
    }
    return -20 * exp(-0.2 * sqrt(squares / DIMS)) - exp(waves / DIMS) + 20 + exp(1.0);
}
static double not_a_number(const double *x) { return x[0] < 1 ? NAN : x[0]; }

static int costs_of(void *user, const double *x, int32_t n, double *costs) {
    problem *p = user;
    if (++p->calls == p->cancel_at) return 1;
    for (int32_t i = 0; i < n; i++) {
        for (int j = 0; j < DIMS; j++) assert_true(x[i * DIMS + j] >= -5 && x[i * DIMS + j] <= 7);
        costs[i] = p->f(x + i * DIMS);
    }
    return 0;
}

static leat_minimiser *open_with(const leat_minimise_options *o) {
    leat_minimiser *m;
    leat_error error = {0};
    double lower[DIMS], upper[DIMS];
    for (int j = 0; j < DIMS; j++) lower[j] = -5, upper[j] = 7;
    if (leat_minimise_open(DIMS, lower, upper, o, &m, &error) != LEAT_OK) fail_msg("%s", error.message);
    return m;
}

static leat_minimise_options options_of(int algorithm, uint64_t seed, int iterations) {
    leat_minimise_options o;
    assert_int_equal(leat_minimise_options_default((leat_minimise_algorithm)algorithm, &o), LEAT_OK);
    o.seed = seed;
    o.iterations = iterations;
    return o;
}

static double mean_of(int algorithm, leat_minimise_distance distance, function f) {
    double sum = 0;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        leat_minimise_options o = options_of(algorithm, seed, 300);
        problem p = {.f = f};
        o.distance = distance;
        leat_minimiser *m = open_with(&o);
        while (leat_minimise_step(m, costs_of, &p) == LEAT_OK) {}
        assert_int_equal(leat_minimise_iterations(m), 300);
        assert_true(f(leat_minimise_best(m)) == leat_minimise_best_cost(m));
        sum += leat_minimise_best_cost(m);
        leat_minimise_close(m);
    }
    return sum / 5;
}

/* Means over five seeds with the optimum off the centre; the limits lie well above what was measured. */
static void every_algorithm_finds_the_optimum(void **state) {
    (void)state;
    static const struct { double sphere, rastrigin, ackley; } limit[LEAT_MINIMISE_ALGORITHMS] = {
        [LEAT_MINIMISE_MAYFLY] = {1e-6, 12, 2}, [LEAT_MINIMISE_DESMA] = {1e-4, 12, 2}, [LEAT_MINIMISE_OLCE] = {1e-6, 15, 2},
        [LEAT_MINIMISE_EOBBMA] = {0.5, 15, 3}, [LEAT_MINIMISE_GSASMA] = {1e-2, 15, 2}, [LEAT_MINIMISE_MPMA] = {1e-6, 12, 2},
        [LEAT_MINIMISE_AOBLMOA] = {1, 25, 3}, [LEAT_MINIMISE_DE_RAND] = {1e-3, 60, 0.3}, [LEAT_MINIMISE_DE_BEST] = {10, 60, 6},
        [LEAT_MINIMISE_JADE] = {1e-6, 15, 1e-2}};
    for (int a = 0; a < LEAT_MINIMISE_ALGORITHMS; a++) {
        double s = mean_of(a, LEAT_MINIMISE_CARTESIAN, sphere), r = mean_of(a, LEAT_MINIMISE_CARTESIAN, rastrigin), k = mean_of(a, LEAT_MINIMISE_CARTESIAN, ackley);
        print_message("%-8s sphere %.3g rastrigin %.3g ackley %.3g\n", leat_minimise_name((leat_minimise_algorithm)a), s, r, k);
        assert_true(s < limit[a].sphere && r < limit[a].rastrigin && k < limit[a].ackley);
    }
    assert_true(mean_of(LEAT_MINIMISE_MAYFLY, LEAT_MINIMISE_PER_DIMENSION, sphere) < 1e-3);
}

static void evaluations_are_the_published_count(void **state) {
    (void)state;
    leat_minimise_options o = options_of(LEAT_MINIMISE_MAYFLY, 42, 100);
    problem p = {.f = sphere};
    o.population = 30;
    leat_minimiser *m = open_with(&o);
    while (leat_minimise_step(m, costs_of, &p) == LEAT_OK) {}
    assert_int_equal(leat_minimise_evaluations(m), 60 + 100 * (60 + 20 + 2));
    assert_int_equal(leat_minimise_step(m, costs_of, &p), LEAT_ESTATE);
    leat_minimise_close(m);
}

/* Stopped after every k-th iteration, saved, and gone on in a new minimiser: the end is the same to the last bit, and nothing is allocated on the way. */
static void resume_is_exact(void **state) {
    (void)state;
    for (int a = 0; a < LEAT_MINIMISE_ALGORITHMS; a++) {
        leat_minimise_options o = options_of(a, 7, 60);
        problem p = {.f = rastrigin};
        leat_minimiser *whole = open_with(&o), *part = open_with(&o);
        size_t bytes = leat_minimise_state_bytes(whole);
        char *one = malloc(bytes), *two = malloc(bytes);
        uint64_t before = leat__thread_allocations();
        while (leat_minimise_step(whole, costs_of, &p) == LEAT_OK) {}
        assert_int_equal(leat__thread_allocations(), before);
        leat_minimise_save(whole, one);
        while (leat_minimise_step(part, costs_of, &p) == LEAT_OK) {
            if (leat_minimise_iterations(part) % 7 != 3) continue;
            leat_minimise_save(part, two);
            leat_minimise_close(part);
            part = open_with(&o);
            assert_int_equal(leat_minimise_load(part, two, bytes, NULL), LEAT_OK);
        }
        leat_minimise_save(part, two);
        assert_memory_equal(one, two, bytes);
        leat_minimise_close(whole);
        leat_minimise_close(part);
        free(one);
        free(two);
    }
}

static void threads_do_not_matter(void **state) {
    (void)state;
    leat_tpool *pool;
    assert_int_equal(leat_tpool_new(4, &pool), LEAT_OK);
    for (int a = 0; a < LEAT_MINIMISE_ALGORITHMS; a++) {
        leat_minimise_options o = options_of(a, 11, 40);
        problem p = {.f = rastrigin};
        leat_minimiser *one = open_with(&o);
        o.pool = pool;
        leat_minimiser *four = open_with(&o);
        size_t bytes = leat_minimise_state_bytes(one);
        char *x = malloc(bytes), *y = malloc(bytes);
        while (leat_minimise_step(one, costs_of, &p) == LEAT_OK) {}
        while (leat_minimise_step(four, costs_of, &p) == LEAT_OK) {}
        leat_minimise_save(one, x);
        leat_minimise_save(four, y);
        assert_memory_equal(x, y, bytes);
        leat_minimise_close(one);
        leat_minimise_close(four);
        free(x);
        free(y);
    }
    leat_tpool_unref(pool);
}

static void a_cancelled_step_never_was(void **state) {
    (void)state;
    for (int a = 0; a < LEAT_MINIMISE_ALGORITHMS; a++) {
        leat_minimise_options o = options_of(a, 3, 20);
        problem p = {.f = ackley}, q = {.f = ackley};
        leat_minimiser *calm = open_with(&o), *torn = open_with(&o);
        size_t bytes = leat_minimise_state_bytes(calm);
        char *one = malloc(bytes), *two = malloc(bytes);
        while (leat_minimise_step(calm, costs_of, &p) == LEAT_OK) {}
        for (int status = LEAT_OK, k = 0; status != LEAT_ESTATE; k++) {
            q.calls = 0;
            q.cancel_at = 1 + k % 3;
            status = leat_minimise_step(torn, costs_of, &q);
            q.cancel_at = 0;
            if (status == LEAT_ECANCELLED) assert_int_equal(leat_minimise_step(torn, costs_of, &q), LEAT_OK);
        }
        leat_minimise_save(calm, one);
        leat_minimise_save(torn, two);
        assert_memory_equal(one, two, bytes);
        leat_minimise_close(calm);
        leat_minimise_close(torn);
        free(one);
        free(two);
    }
}

static void seeds_take_part(void **state) {
    (void)state;
    leat_minimise_options o = options_of(LEAT_MINIMISE_MAYFLY, 1, 5);
    problem p = {.f = sphere};
    double ones[DIMS];
    for (int j = 0; j < DIMS; j++) ones[j] = 1;
    leat_minimiser *m = open_with(&o);
    assert_int_equal(leat_minimise_seed(m, ones, 21, 0), LEAT_EINVAL);
    assert_int_equal(leat_minimise_seed(m, ones, 1, 0.05), LEAT_OK);
    assert_int_equal(leat_minimise_step(m, costs_of, &p), LEAT_OK);
    assert_true(leat_minimise_best_cost(m) == 0);
    assert_int_equal(leat_minimise_seed(m, ones, 1, 0), LEAT_ESTATE);
    leat_minimise_close(m);
}

static void nan_is_the_worst(void **state) {
    (void)state;
    for (int a = 0; a < LEAT_MINIMISE_ALGORITHMS; a++) {
        leat_minimise_options o = options_of(a, 1, 30);
        problem p = {.f = not_a_number};
        leat_minimiser *m = open_with(&o);
        while (leat_minimise_step(m, costs_of, &p) == LEAT_OK) {}
        assert_true(leat_minimise_best_cost(m) >= 1 && leat_minimise_best_cost(m) < 2);
        leat_minimise_close(m);
    }
}

static void bad_states_are_refused(void **state) {
    (void)state;
    leat_minimise_options o = options_of(LEAT_MINIMISE_JADE, 5, 10);
    problem p = {.f = sphere};
    leat_error error = {0};
    leat_minimiser *m = open_with(&o);
    size_t bytes = leat_minimise_state_bytes(m), words = bytes / 8;
    double *good = malloc(bytes), *bad = malloc(bytes);
    for (int i = 0; i < 5; i++) assert_int_equal(leat_minimise_step(m, costs_of, &p), LEAT_OK);
    leat_minimise_save(m, good);
    assert_int_equal(leat_minimise_load(m, good, bytes - 8, &error), LEAT_EFORMAT);
    for (size_t w = 0; w < words; w += w < 32 ? 1 : 97) { /* each scalar, then samples of the arrays */
        memcpy(bad, good, bytes);
        memset(&bad[w], 0xff, 8); /* a NaN, and -1 as an integer */
        int status = leat_minimise_load(m, bad, bytes, &error);
        if (w < 5) assert_int_equal(status, LEAT_EFORMAT);
        if (status == LEAT_OK) assert_int_equal(leat_minimise_step(m, costs_of, &p), LEAT_OK);
        else assert_int_equal(leat_minimise_step(m, costs_of, &p), LEAT_OK); /* from the beginning */
    }
    assert_int_equal(leat_minimise_load(m, good, bytes, &error), LEAT_OK);
    leat_minimise_close(m);
    free(good);
    free(bad);
}

static void bad_options_are_named(void **state) {
    (void)state;
    leat_minimise_options o = options_of(0, 1, 10);
    leat_minimiser *m;
    leat_error error = {0};
    double lower[2] = {0, 1}, upper[2] = {1, 0};
    leat_minimise_algorithm a;
    assert_int_equal(leat_minimise_open(2, lower, upper, &o, &m, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "dimension 1"));
    o.population = 3;
    assert_int_equal(leat_minimise_open(1, lower, upper, &o, &m, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "population"));
    o = options_of(0, 1, 10);
    o.beta = NAN;
    assert_int_equal(leat_minimise_open(1, lower, upper, &o, &m, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "beta"));
    assert_int_equal(leat_minimise_parse("jade", &a), LEAT_OK);
    assert_int_equal(a, LEAT_MINIMISE_JADE);
    assert_int_equal(leat_minimise_parse("bee", &a), LEAT_EINVAL);
    assert_null(leat_minimise_name(LEAT_MINIMISE_ALGORITHMS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_algorithm_finds_the_optimum), cmocka_unit_test(evaluations_are_the_published_count), cmocka_unit_test(resume_is_exact), cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(a_cancelled_step_never_was), cmocka_unit_test(seeds_take_part), cmocka_unit_test(nan_is_the_worst),
        cmocka_unit_test(bad_states_are_refused), cmocka_unit_test(bad_options_are_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
