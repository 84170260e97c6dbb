/* lm_rows.h - what a language model does to one row (vector) of float32 at a time, between the products.
 *
 * Every function takes and writes float32, row pointers LEAT_TAIL_BYTES over-readable; out may be x.  Tolerance against _ref: 4 ulp of the row's largest value.
 * RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_LM_ROWS_H
#define LEAT_CPU_LM_ROWS_H

#include <stdint.h>

typedef struct leat_lm_rows {
    /* out = x / sqrt(mean(x^2) + eps) * weight (NULL = 1) */
    void (*rms_norm)(const float *x, const float *weight, float eps, int64_t n, float *out);
    /* out = (x - mean) / sqrt(var + eps) * weight + bias (NULL = 0) */
    void (*layer_norm)(const float *x, const float *weight, const float *bias, float eps, int64_t n, float *out);
    /* out = x + y; out = x * factor */
    void (*add)(const float *x, const float *y, int64_t n, float *out);
    void (*scale)(const float *x, float factor, int64_t n, float *out);
    /* out = act(gate) * up; up NULL: act(gate) alone */
    void (*silu_mul)(const float *gate, const float *up, int64_t n, float *out);
    void (*gelu_mul)(const float *gate, const float *up, int64_t n, float *out); /* tanh form */
    void (*gelu_erf)(const float *x, int64_t n, float *out);
    /* Rotates pairs of the first 2 * half elements by the angles' cos, sin [half]: neighbours (2i, 2i+1), or halves apart (i, i + half). */
    void (*rope_pairs)(float *x, const float *cos, const float *sin, int64_t half);
    void (*rope_halves)(float *x, const float *cos, const float *sin, int64_t half);
    /* x = softmax(x) in place; returns the logarithm of the sum of exp(x) */
    float (*softmax)(float *x, int64_t n);
    /* out = cap * tanh(x / cap) */
    void (*softcap)(const float *x, float cap, int64_t n, float *out);
    /* Index of the largest, the first among equals; NaN never. */
    int64_t (*argmax)(const float *x, int64_t n);
} leat_lm_rows;

extern leat_lm_rows leat__lm_rows; /* filled at dispatch */

#endif
