/* test_thin.c - thin products at every level against float64: 1 to 4 columns, odd depths, taps and counts. */
#include "kernel_util.h"

#include "cpu/thin_f32.h"

enum { MOST_ROWS = 40 };

typedef struct problem {
    leat_thin    t;
    int          n;
    int64_t      count, ldy;
    float       *x, *w, *y;
    const float *rows[9 * MOST_ROWS];
} problem;

static void setup(problem *p) {
    p->n = kt_int(1, LEAT_THIN_MAX_N);
    p->count = kt_int(1, MOST_ROWS);
    p->ldy = p->n + kt_int(0, 3);
    p->t = (leat_thin){.taps = kt_int(1, 9), .k = kt_int(1, 70)};
    int64_t row = p->t.k + kt_int(0, 5);
    p->x = kt_alloc((p->count + 9) * row);
    p->w = kt_alloc(p->n * p->t.taps * p->t.k);
    p->y = kt_alloc(p->count * p->ldy);
    p->t.w = p->w;
    for (int64_t t = 0; t < p->t.taps; t++)
        for (int64_t i = 0; i < p->count; i++) p->rows[t * MOST_ROWS + i] = p->x + (i + t) * row;
}

static void teardown(problem *p) {
    kt_free(p->x);
    kt_free(p->w);
    kt_free(p->y);
}

static void check(const problem *p, leat_isa level) {
    int64_t depth = p->t.taps * p->t.k;
    for (int64_t i = 0; i < p->count; i++)
        for (int j = 0; j < p->ldy; j++) {
            float got = p->y[i * p->ldy + j];
            if (j >= p->n) {
                if (got != CANARY) fail_msg("level %s wrote column %d of %d", leat_isa_name(level), j, p->n);
                continue;
            }
            double want = 0;
            for (int64_t t = 0; t < p->t.taps; t++)
                for (int64_t k = 0; k < p->t.k; k++) want += (double)p->rows[t * MOST_ROWS + i][k] * p->w[j * depth + t * p->t.k + k];
            if (!(fabs(got - want) <= 2e-6 * (double)depth)) fail_msg("level %s: %g instead of %g", leat_isa_name(level), (double)got, want);
        }
}

static void agrees_with_float64(void **state) {
    for (int round = 0; round < 200; round++) {
        problem p;
        setup(&p);
        KT_EACH_LEVEL(level) {
            for (int64_t i = 0; i < p.count * p.ldy; i++) p.y[i] = CANARY;
            leat__thin_f32.columns[p.n](&p.t, p.rows, MOST_ROWS, p.count, p.y, p.ldy);
            check(&p, level);
            kt_check_canaries(p.y, p.count * p.ldy);
        }
        teardown(&p);
    }
}

int main(void) {
    kt_seed(NULL);
    const struct CMUnitTest tests[] = {cmocka_unit_test(agrees_with_float64)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
