/* vmath.h - single-precision vector math: activations, arithmetic, reductions, softmax, normalisation, half conversions.
 *
 * Tolerances of the vector forms against float64, over all finite inputs unless a range is named (u = unit in the last place of the result):
 *   exp 2u   log 2u   sqrt, reciprocal 1u   softsign 2u   tanh 4u   sigmoid 4u   erf 4u or 2e-7 absolute   softplus, mish, gelu, gelu_tanh, silu, elu, selu, celu
 *   4e-7 relative to max(|y|, 1) for |x| <= 100.  exp flushes results below 2^-126 to denormals or zero.  Infinities map to the limits, NaN to NaN.
 *   sum, sumsq: 4e-7 * sum |x| for n <= 2^24 (32 and more partial sums).  softmax: 4e-7 absolute.
 * y may equal an input where both are vectors; no other overlap.  Nothing is read or written outside [0, n).
 * Results depend on the inputs and the level only, never on alignment or on where a caller cuts its data, reductions excepted.
 * RT-safe: no allocation, no lock, no failure.
 */
#ifndef LEAT_CPU_VMATH_H
#define LEAT_CPU_VMATH_H

#include <stdint.h>

#include "cpu/act.h"
#include "leat/common.h"

typedef enum leat_vbin {
    LEAT_VBIN_ADD, LEAT_VBIN_SUB, LEAT_VBIN_MUL, LEAT_VBIN_DIV,
    LEAT_VBIN_MIN, LEAT_VBIN_MAX, /* NaN propagates */
    LEAT_VBIN_PRELU,              /* a < 0 ? a b : a */
    LEAT_VBIN_COUNT
} leat_vbin;

typedef enum leat_vred {
    LEAT_VRED_SUM,   /* 0 for n = 0 */
    LEAT_VRED_MAX,   /* -inf for n = 0; NaN propagates */
    LEAT_VRED_MIN,   /* +inf for n = 0; NaN propagates */
    LEAT_VRED_SUMSQ,
    LEAT_VRED_SUMABS,
    LEAT_VRED_COUNT
} leat_vred;

typedef struct leat_vmath_table {
    const char *isa; /* level that filled most of the table, for logs */
    void (*act[LEAT_ACT_COUNT])(const float *x, float *y, int64_t n, const leat_act_params *params);
    void (*vv[LEAT_VBIN_COUNT])(const float *a, const float *b, float *y, int64_t n);    /* y = a op b */
    void (*vs[LEAT_VBIN_COUNT])(const float *a, float b, float *y, int64_t n);           /* y = a op scalar */
    void (*sv[LEAT_VBIN_COUNT])(float a, const float *b, float *y, int64_t n);           /* y = scalar op b */
    float (*red[LEAT_VRED_COUNT])(const float *x, int64_t n);
    void (*redrow[LEAT_VRED_COUNT])(const float *x, float *acc, int64_t n);              /* acc[i] = acc[i] reduced with x[i] */
    void (*affine)(const float *x, const float *scale, const float *bias, float *y, int64_t n); /* y = x * scale + bias, element-wise */
    double (*sum64)(const float *x, int64_t n);                                          /* sum x */
    double (*dev64)(const float *x, int64_t n, float mean);                              /* sum (x - mean)^2 */
    /* x [rows, stride], the first n columns: acc[i] += sum over rows of x; of (x - mean[i])^2.  Four or fewer partial sums: keep rows <= 4096. */
    void (*colsum)(const float *x, int64_t rows, int64_t stride, int64_t n, float *acc);
    void (*coldev)(const float *x, int64_t rows, int64_t stride, int64_t n, const float *mean, float *acc);
    void (*affine_rows)(const float *x, int64_t rows, int64_t n, const float *scale, const float *bias, float *y); /* one scale and bias per column */
    float (*expsum)(const float *x, float *y, int64_t n, float shift);                   /* y = e^(x - shift); returns the sum of y */
    void (*f16_to_f32)(const uint16_t *x, float *y, int64_t n);
    void (*f32_to_f16)(const float *x, uint16_t *y, int64_t n);                          /* nearest even, NaN quiet */
    void (*bf16_to_f32)(const uint16_t *x, float *y, int64_t n);
    void (*f32_to_bf16)(const float *x, uint16_t *y, int64_t n);
} leat_vmath_table;

/* The table of the level in use. */
const leat_vmath_table *leat__vmath(void);
/* Fills the table for `level`: reference first, then ascending levels over it. */
void leat__vmath_init(leat_isa level);
void leat__vmath_fill_ref(leat_vmath_table *table);
void leat__vmath_fill_avx2(leat_vmath_table *table);
void leat__vmath_fill_avx512(leat_vmath_table *table);
void leat__vmath_fill_neon(leat_vmath_table *table);

/* Rows built on the table.  y [n] may equal x [n]. */
void leat__softmax_row(const float *x, float *y, int64_t n);
void leat__log_softmax_row(const float *x, float *y, int64_t n);
/* y = (x - mean) / sqrt(var + eps) * scale + bias, two-pass; scale and bias [n] or NULL; mean, inv_std: one float each or NULL. */
void leat__layer_norm_row(const float *x, const float *scale, const float *bias, float *y, int64_t n, float eps, float *mean, float *inv_std);
/* y = x / sqrt(mean(x^2) + eps) * scale. */
void leat__rms_norm_row(const float *x, const float *scale, float *y, int64_t n, float eps, float *inv_rms);

#endif
