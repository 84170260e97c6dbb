/* test_attention.c - the blockwise attention against plain double loops: several key blocks, masks, layouts, causality, rows without keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "op_harness.h"

enum { SEED = 11 };

typedef struct shape {
    int64_t B, H, S, T, D;
    float   scale, sharp;               /* sharp: spread of the scores */
    int     mask, split, transposed, threads;
} shape;

static float *noise(int64_t n, uint64_t stream, float spread) {
    float *x = malloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = spread * (float)leat__rng_normal(SEED, stream, (uint64_t)i);
    return x;
}

static int64_t at(const shape *z, int split, int64_t b, int64_t h, int64_t i, int64_t d, int64_t n) {
    return split ? ((b * n + i) * z->H + h) * z->D + d : ((b * z->H + h) * n + i) * z->D + d;
}
static int64_t key_at(const shape *z, int64_t b, int64_t h, int64_t t, int64_t d) {
    return z->transposed ? ((b * z->H + h) * z->D + d) * z->T + t : at(z, z->split, b, h, t, d, z->T);
}

static void check_row(const shape *z, const float *q, const float *k, const float *v, const float *mask, const float *y, int64_t b, int64_t h, int64_t s) {
    double p[2048], max = -INFINITY, sum = 0;
    for (int64_t t = 0; t < z->T; t++) {
        p[t] = 0;
        for (int64_t d = 0; d < z->D; d++) p[t] += (double)q[at(z, z->split, b, h, s, d, z->S)] * k[key_at(z, b, h, t, d)];
        p[t] = p[t] * z->scale + (mask ? mask[s * z->T + t] : 0);
        max = fmax(max, p[t]);
    }
    for (int64_t t = 0; t < z->T; t++) sum += p[t] = max == -INFINITY ? 0 : exp(p[t] - max);
    for (int64_t d = 0; d < z->D; d++) {
        double want = 0;
        for (int64_t t = 0; t < z->T; t++) want += p[t] * v[at(z, z->split, b, h, t, d, z->T)];
        want = sum > 0 ? want / sum : 0;
        double got = y[at(z, z->split, b, h, s, d, z->S)];
        if (!(fabs(got - want) <= 2e-5 * (1 + z->sharp))) fail_msg("b %d h %d row %d feature %d: %g, not %g", (int)b, (int)h, (int)s, (int)d, got, want);
    }
}

static void fill_mask(const shape *z, float *mask) {
    for (int64_t s = 0; s < z->S; s++)
        for (int64_t t = 0; t < z->T; t++) {
            if (z->mask == 2 && (t > s || s == 0)) mask[s * z->T + t] = -INFINITY; /* row 0 sees nothing */
        }
}

static void run_shape(const shape *z) {
    op_case c;
    leat_tpool *pool = NULL;
    int64_t q_dims[4] = {z->B, z->H, z->S, z->D}, k_dims[4] = {z->B, z->H, z->T, z->D}, v_dims[4] = {z->B, z->H, z->T, z->D};
    if (z->split) q_dims[1] = z->S, q_dims[2] = z->H, k_dims[1] = v_dims[1] = z->T, k_dims[2] = v_dims[2] = z->H;
    if (z->transposed) k_dims[2] = z->D, k_dims[3] = z->T;
    float *q = noise(z->B * z->H * z->S * z->D, 1, z->sharp), *k = noise(z->B * z->H * z->T * z->D, 2, 1), *v = noise(z->B * z->H * z->T * z->D, 3, 1);
    float *mask = z->mask ? noise(z->S * z->T, 4, 1) : NULL;
    if (mask) fill_mask(z, mask);
    op_open(&c, "leat", "Attention", 1);
    op_in(&c, LEAT_DTYPE_F32, 4, q_dims, q);
    op_in(&c, LEAT_DTYPE_F32, 4, k_dims, k);
    op_in(&c, LEAT_DTYPE_F32, 4, v_dims, v);
    if (mask) op_in(&c, LEAT_DTYPE_F32, 2, (int64_t[]){z->S, z->T}, mask);
    op_attr_float(&c, "scale", z->scale);
    op_attr_int(&c, "k_transposed", z->transposed);
    op_attr_int(&c, "q_split", z->split);
    op_attr_int(&c, "k_split", z->split);
    op_attr_int(&c, "v_split", z->split);
    op_attr_int(&c, "y_split", z->split);
    if (z->threads > 1) assert_int_equal(leat_tpool_new(z->threads, &pool), LEAT_OK);
    c.call.pool = pool;
    c.call.threads = z->threads;
    op_out(&c);
    if (op_run(&c)) fail_msg("%s", c.error.message);
    for (int64_t b = 0; b < z->B; b++)
        for (int64_t h = 0; h < z->H; h++)
            for (int64_t s = 0; s < z->S; s += z->S > 40 ? 7 : 1) check_row(z, q, k, v, mask, op_f32(&c, 0), b, h, s);
    leat_tpool_unref(pool);
    op_close(&c);
    free(q);
    free(k);
    free(v);
    free(mask);
}

static void against_loops(void **state) {
    static const shape shapes[] = {
        {1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1},           {2, 3, 5, 7, 8, 0.35f, 1, 0, 0, 0, 1},     {1, 2, 197, 197, 64, 0.125f, 1, 0, 0, 0, 2},
        {1, 2, 33, 1100, 16, 0.25f, 1, 0, 0, 0, 1},  {1, 1, 20, 1025, 32, 1, 5, 1, 0, 0, 1},     {2, 2, 40, 40, 20, 0.2f, 1, 2, 0, 0, 2},
        {1, 3, 300, 520, 24, 0.2f, 3, 2, 1, 0, 3},   {1, 2, 10, 600, 64, 0.125f, 1, 1, 0, 1, 1}, {2, 4, 9, 13, 12, 0.3f, 1, 0, 1, 0, 1},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) run_shape(&shapes[i]);
}

/* More queries than keys and a window that has moved past the last key: those rows see nothing and are zero (found by random calls). */
static void window_past_the_keys(void **state) {
    op_case c;
    float ones[6 * 4];
    for (int i = 0; i < 24; i++) ones[i] = 1;
    op_open(&c, "", "Attention", 24);
    op_in(&c, LEAT_DTYPE_F32, 4, (int64_t[]){1, 1, 6, 4}, ones);
    op_in(&c, LEAT_DTYPE_F32, 4, (int64_t[]){1, 1, 2, 4}, ones);
    op_in(&c, LEAT_DTYPE_F32, 4, (int64_t[]){1, 1, 2, 4}, ones);
    op_attr_int(&c, "left_window_size", 0);
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_OK);
    for (int i = 0; i < 24; i++) assert_true(op_f32(&c, 0)[i] == (i / 4 < 2 ? 1.0f : 0.0f));
    op_close(&c);
}

static void refuses_what_does_not_fit(void **state) {
    op_case c;
    op_open(&c, "leat", "Attention", 1);
    op_in(&c, LEAT_DTYPE_F32, 4, (int64_t[]){1, 2, 3, 4}, NULL);
    op_in(&c, LEAT_DTYPE_F32, 4, (int64_t[]){1, 2, 3, 5}, NULL);
    op_in(&c, LEAT_DTYPE_F32, 4, (int64_t[]){1, 2, 3, 4}, NULL);
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_ESHAPE);
    op_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_loops), cmocka_unit_test(window_past_the_keys), cmocka_unit_test(refuses_what_does_not_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
