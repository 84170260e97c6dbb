/* preproc.h - kernels of the fused preprocessing (src/media/preprocess*.c): sample, weigh, convert colours, normalise, convert.
 *
 * All variants give the same bits as the reference: products and sums are rounded separately, in the order written below.
 * RT-safe: no allocation, no failure.
 */
#ifndef LEAT_CPU_PREPROC_H
#define LEAT_CPU_PREPROC_H

#include <stdint.h>

#include "leat/common.h"

/* Where the eight bytes come from that one output pixel is made of: two neighbouring cells of each of two source rows.
 * PACKED: 8 bytes at row[0] + at[0][x].   SEMI (NV12): 2 bytes of row[0] + at[0][x], 4 bytes of row[1] + at[1][x] (places 0 1, 4-7).
 * PLANAR (I420): 2 bytes of row[0] + at[0][x], 2 each of row[1] and row[2] + at[1][x] (places 0 1, 4 5, 6 7). */
typedef enum leat_sampling { LEAT_SAMPLE_PACKED = 0, LEAT_SAMPLE_SEMI = 1, LEAT_SAMPLE_PLANAR = 2 } leat_sampling;

/* One row of bilinear samples.  With b the eight bytes of each row put in `order` (>= 8: zero), as [a0 a1 a2 a3 | b0 b1 b2 b3]:
 *   v[j] = upper[j] * down[0][j % 4] + lower[j] * down[1][j % 4];   p[j] = v[j] * across[8 * x + j];   s[k] = p[k] + p[k + 4]
 *   out[0][x] = s[0] + s[3], out[1][x] = s[1], out[2][x] = s[2]
 * For x < safe all eight bytes may be read; beyond it only those whose weight is not zero. */
typedef struct leat_bilinear {
    const uint8_t *upper[3], *lower[3];
    float          down[2][4];
    const int32_t *at[2];  /* [n] bytes */
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
    void (*bilinear[3])(const leat_bilinear *job, float *const out[3]); /* by leat_sampling; the PACKED one reads nothing but row[0] */
    /* out[i] = sum over r in [0, k) of w[r] * rows[r * stride + i], i in [0, n), k >= 1.  Reads and writes nothing past n. */
    void (*rows)(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n);
    /* out[c][x] = sum over t in [0, taps[x]) of w[t] * cells[cell * (first[x] + t) + c], x in [0, n), c below the smaller of 3 and
     * `cell` (1..4); w goes on from one x to the next.  Up to three floats may be read past the last cell used. */
    void (*columns)(const float *cells, int cell, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n);
    void (*color)(const leat_color *color, float *const yuv[3], float *const out[3], int n); /* out may be yuv */
    void (*affine)(const float *in, float mul, float add, float *out, int n); /* out[x] = in[x] * mul + add; out may be in */
    void (*to_f16)(const float *in, uint16_t *out, int n); /* nearest even */
    void (*to_u8)(const float *in, uint8_t *out, int n);   /* nearest even, clamped, NaN to 0 */
    void (*interleave)(const float *a, const float *b, const float *c, float *out, int n); /* out[3n] = a0 b0 c0 a1 ... */
} leat_preproc_table;

extern leat_preproc_table leat__preproc;
void leat__preproc_init(leat_isa level);

void leat_u8_bilinear_packed_ref(const leat_bilinear *job, float *const out[3]);
void leat_u8_bilinear_semi_ref(const leat_bilinear *job, float *const out[3]);
void leat_u8_bilinear_planar_ref(const leat_bilinear *job, float *const out[3]);
void leat_u8_rows_ref(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n);
void leat_f32_columns_ref(const float *cells, int cell, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n);
void leat_f32_color_ref(const leat_color *color, float *const yuv[3], float *const out[3], int n);
void leat_f32_affine_ref(const float *in, float mul, float add, float *out, int n);
void leat_f32_to_f16_ref(const float *in, uint16_t *out, int n);
void leat_f32_to_u8_ref(const float *in, uint8_t *out, int n);
void leat_f32_interleave3_ref(const float *a, const float *b, const float *c, float *out, int n);
/* The reference for output pixels [from, job->n), for variants that do their tail with it. */
void leat__bilinear_from(const leat_bilinear *job, leat_sampling sampling, int from, float *const out[3]);

void leat_u8_bilinear_packed_avx2(const leat_bilinear *job, float *const out[3]);
void leat_u8_bilinear_semi_avx2(const leat_bilinear *job, float *const out[3]);
void leat_u8_bilinear_planar_avx2(const leat_bilinear *job, float *const out[3]);
void leat_u8_rows_avx2(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n);
void leat_f32_columns_avx2(const float *cells, int cell, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n);
void leat_f32_color_avx2(const leat_color *color, float *const yuv[3], float *const out[3], int n);
void leat_f32_affine_avx2(const float *in, float mul, float add, float *out, int n);
void leat_f32_to_f16_avx2(const float *in, uint16_t *out, int n);
void leat_f32_to_u8_avx2(const float *in, uint8_t *out, int n);
void leat_f32_interleave3_avx2(const float *a, const float *b, const float *c, float *out, int n);

#endif
