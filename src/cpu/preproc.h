/* preproc.h - kernels of the fused image preprocessing (src/media/preprocess.c): weigh rows, weigh columns, normalise, convert.
 *
 * All variants give the same bits as the reference: products and sums are rounded separately, sums go from the first term on.
 * RT-safe: no allocation, no failure.
 */
#ifndef LEAT_CPU_PREPROC_H
#define LEAT_CPU_PREPROC_H

#include <stdint.h>

#include "leat/common.h"

typedef struct leat_preproc_table {
    /* out[i] = sum over r in [0, k) of w[r] * rows[r * stride + i], i in [0, n), k >= 1.  Reads and writes nothing past n. */
    void (*rows)(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n);
    /* out[c][x] = sum over t in [0, taps[x]) of w[t] * rgb[3 * (first[x] + t) + c], x in [0, n); w goes on from one x to the next.
     * One float may be read past the last pixel used. */
    void (*columns)(const float *rgb, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n);
    void (*affine)(float *line, float mul, float add, int n); /* line[x] = line[x] * mul + add */
    void (*to_f16)(const float *in, uint16_t *out, int n); /* nearest even */
    void (*to_u8)(const float *in, uint8_t *out, int n);   /* nearest even, clamped, NaN to 0 */
    void (*interleave)(const float *a, const float *b, const float *c, float *out, int n); /* out[3n] = a0 b0 c0 a1 ... */
} leat_preproc_table;

extern leat_preproc_table leat__preproc;
void leat__preproc_init(leat_isa level);

void leat_u8_rows_ref(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n);
void leat_f32_columns_ref(const float *rgb, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n);
void leat_f32_affine_ref(float *line, float mul, float add, int n);
void leat_f32_to_f16_ref(const float *in, uint16_t *out, int n);
void leat_f32_to_u8_ref(const float *in, uint8_t *out, int n);
void leat_f32_interleave3_ref(const float *a, const float *b, const float *c, float *out, int n);

void leat_u8_rows_avx2(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n);
void leat_f32_columns_avx2(const float *rgb, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n);
void leat_f32_affine_avx2(float *line, float mul, float add, int n);
void leat_f32_to_f16_avx2(const float *in, uint16_t *out, int n);
void leat_f32_to_u8_avx2(const float *in, uint8_t *out, int n);

#endif
