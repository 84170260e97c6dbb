/* preproc.h - kernels of the fused preprocessing (src/media/preprocess*.c): sample, weigh, convert colours, normalise, convert.
 *
 * All variants give the same bits as the reference: products and sums are rounded separately, in the order written below.
 * RT-safe: no allocation, no failure.
 */
#ifndef LEAT_CPU_PREPROC_H
#define LEAT_CPU_PREPROC_H

#include <stdint.h>

#include "leat/common.h"

/* One row of bilinear samples of a packed format: two neighbouring cells (a pixel, or a 4:2:2 pair) of each of two source rows lie in the
 * eight bytes at row + at[x].  With them put in `order` (>= 8: zero), as [a0 a1 a2 a3 | b0 b1 b2 b3]:
 *   v[j] = upper[j] * down[0] + lower[j] * down[1];   p[j] = v[j] * across[8 * x + j];   s[k] = p[k] + p[k + 4]
 *   out[0][x] = s[0] + s[3], out[1][x] = s[1], out[2][x] = s[2]
 * For x < safe all eight bytes may be read; beyond it only those whose weight is not zero. */
typedef struct leat_bilinear {
    const uint8_t *upper, *lower;
    float          down[2];
    const int32_t *at;     /* [n] bytes */
    const float   *across; /* [n][8] */
    uint8_t        order[8];
    int            n, safe;
} leat_bilinear;

/* Y'CbCr to normalised RGB: with R = y * Y + rv * V + offset[0], G = (y * Y + gu * U) + gv * V + offset[1],
 * B = y * Y + bu * U + offset[2], each clamped to 0..255:  out[c] = value * mul[c] + add[c]. */
typedef struct leat_color {
    float y, rv, gu, gv, bu, offset[3], mul[3], add[3];
} leat_color;

typedef struct leat_preproc_table {
    void (*bilinear)(const leat_bilinear *job, float *const out[3]);
    /* out[i] = sum over r in [0, k) of w[r] * rows[r * stride + i], i in [0, n), k >= 1.  Reads and writes nothing past n. */
    void (*rows)(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n);
    /* out[c][x] = sum over t in [0, taps[x]) of w[t] * cells[cell * (first[x] + t) + c], x in [0, n), c below the smaller of 3 and
     * `cell` (1..4); w goes on from one x to the next.  Up to three floats may be read past the last cell used. */
    void (*columns)(const float *cells, int cell, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n);
    /* The same with two taps everywhere and cells of one or two floats; w[2 * x], w[2 * x + 1].  Nothing else is read. */
    void (*pairs)(const float *cells, int cell, const int32_t *first, const float *w, float *const out[2], int n);
    void (*color)(const leat_color *color, float *const yuv[3], float *const out[3], int n); /* out may be yuv */
    void (*affine)(const float *in, float mul, float add, float *out, int n); /* out[x] = in[x] * mul + add; out may be in */
    void (*to_f16)(const float *in, uint16_t *out, int n); /* nearest even */
    void (*to_u8)(const float *in, uint8_t *out, int n);   /* nearest even, clamped, NaN to 0 */
    void (*interleave)(const float *a, const float *b, const float *c, float *out, int n); /* out[3n] = a0 b0 c0 a1 ... */
} leat_preproc_table;

extern leat_preproc_table leat__preproc;
void leat__preproc_init(leat_isa level);

void leat_u8_bilinear_ref(const leat_bilinear *job, float *const out[3]);
void leat_u8_rows_ref(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n);
void leat_f32_columns_ref(const float *cells, int cell, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n);
void leat_f32_pairs_ref(const float *cells, int cell, const int32_t *first, const float *w, float *const out[2], int n);
void leat_f32_color_ref(const leat_color *color, float *const yuv[3], float *const out[3], int n);
void leat_f32_affine_ref(const float *in, float mul, float add, float *out, int n);
void leat_f32_to_f16_ref(const float *in, uint16_t *out, int n);
void leat_f32_to_u8_ref(const float *in, uint8_t *out, int n);
void leat_f32_interleave3_ref(const float *a, const float *b, const float *c, float *out, int n);
/* The reference for output pixels [from, job->n), for variants that do their tail with it. */
void leat__bilinear_from(const leat_bilinear *job, int from, float *const out[3]);

void leat_u8_bilinear_avx2(const leat_bilinear *job, float *const out[3]);
void leat_u8_rows_avx2(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n);
void leat_f32_columns_avx2(const float *cells, int cell, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n);
void leat_f32_pairs_avx2(const float *cells, int cell, const int32_t *first, const float *w, float *const out[2], int n);
void leat_f32_color_avx2(const leat_color *color, float *const yuv[3], float *const out[3], int n);
void leat_f32_affine_avx2(const float *in, float mul, float add, float *out, int n);
void leat_f32_to_f16_avx2(const float *in, uint16_t *out, int n);
void leat_f32_to_u8_avx2(const float *in, uint8_t *out, int n);
void leat_f32_interleave3_avx2(const float *a, const float *b, const float *c, float *out, int n);

void leat_u8_bilinear_neon(const leat_bilinear *job, float *const out[3]);
void leat_u8_rows_neon(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n);
void leat_f32_columns_neon(const float *cells, int cell, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n);
void leat_f32_pairs_neon(const float *cells, int cell, const int32_t *first, const float *w, float *const out[2], int n);
void leat_f32_color_neon(const leat_color *color, float *const yuv[3], float *const out[3], int n);
void leat_f32_affine_neon(const float *in, float mul, float add, float *out, int n);
void leat_f32_to_f16_neon(const float *in, uint16_t *out, int n);
void leat_f32_to_u8_neon(const float *in, uint8_t *out, int n);
void leat_f32_interleave3_neon(const float *a, const float *b, const float *c, float *out, int n);

#endif
