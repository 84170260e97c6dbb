/* lm_rows.h - what a language model does to one row (vector) of float32 at a time, between the products.
 *
 * Every function takes and writes float32; out may be an input (the same row, no other overlap).  Nothing is read or written outside [0, n).
 * Tolerance against _ref: 4 ulp of the row's largest value.  Results do not depend on alignment.
 * RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_LM_ROWS_H
#define LEAT_CPU_LM_ROWS_H

#include <stdint.h>

#include "leat/common.h"

typedef struct leat_lm_rows {
    /* out = x / sqrt(mean(x^2) + eps) * weight (NULL = 1) */
    void (*rms_norm)(const float *x, const float *weight, float eps, int64_t n, float *out);
    /* out = (x - mean) / sqrt(var + eps) * weight + bias (NULL = 0) */
    void (*layer_norm)(const float *x, const float *weight, const float *bias, float eps, int64_t n, float *out);
    /* out = x + y; out = x * factor */
    void (*add)(const float *x, const float *y, int64_t n, float *out);
    void (*scale)(const float *x, float factor, int64_t n, float *out);
    /* out += x * factor */
    void (*add_scaled)(const float *x, float factor, int64_t n, float *out);
    /* out = act(gate) * up; up NULL: act(gate) alone */
    void (*silu_mul)(const float *gate, const float *up, int64_t n, float *out);
    void (*gelu_mul)(const float *gate, const float *up, int64_t n, float *out); /* tanh form */
    void (*gelu_erf)(const float *x, int64_t n, float *out);
    /* Rotates pairs of the first 2 * half elements by the angles' cos, sin [half]: neighbours (2i, 2i+1), or halves apart (i, i + half). */
    void (*rope_pairs)(float *x, const float *cos, const float *sin, int64_t half);
    void (*rope_halves)(float *x, const float *cos, const float *sin, int64_t half);
    /* x = softmax(x) in place (-INFINITY becomes 0); returns the logarithm of the sum of exp(x) */
    float (*softmax)(float *x, int64_t n);
    /* out = cap * tanh(x / cap) */
    void (*softcap)(const float *x, float cap, int64_t n, float *out);
    /* out = min(x, limit), and -INFINITY where x is NaN */
    void (*tame)(const float *x, float limit, int64_t n, float *out);
    /* Index of the largest, the first among equals; never that of a NaN, but 0 if there is nothing else. */
    int64_t (*argmax)(const float *x, int64_t n);
    const char *isa;
} leat_lm_rows;

extern leat_lm_rows leat__lm_rows; /* filled at dispatch */
void leat__lm_rows_init(leat_isa level);
void leat__lm_rows_fill_ref(leat_lm_rows *table);
void leat__lm_rows_fill_avx2(leat_lm_rows *table);
void leat__lm_rows_fill_avx512(leat_lm_rows *table);
void leat__lm_rows_fill_neon(leat_lm_rows *table);

#endif
