/* preproc.h - kernels of the fused image preprocessing (src/media/preprocess.c): resize a row, blend two rows, convert, interleave.
 *
 * All variants give the same bits as the reference: products and sums are rounded separately.  RT-safe: no allocation, no failure.
 */
#ifndef LEAT_CPU_PREPROC_H
#define LEAT_CPU_PREPROC_H

#include <stdint.h>

#include "leat/common.h"

typedef struct leat_preproc_table {
    /* out[c][x] = p + (q - p) * w[x] for x in [0, n), with p and q the bytes c of the RGB pixels at row + at0[x] and row + at1[x].
     * For x < wide, 4 bytes may be read at both places. */
    void (*columns)(const uint8_t *row, const int32_t *at0, const int32_t *at1, const float *w, float *const out[3], int n, int wide);
    /* out[x] = (a[x] + (b[x] - a[x]) * w) * mul + add */
    void (*rows)(const float *a, const float *b, float w, float mul, float add, float *out, int n);
    /* out[c][x] = sum over t < count[x] of byte c of the pixel (first[x] + t) * w, with the weights of all x one after another.  The row
     * has `width` pixels; nothing behind them is read. */
    void (*taps)(const uint8_t *row, int width, const int32_t *first, const int32_t *count, const float *w, float *const out[3], int n);
    /* sum[x] += a[x] * w */
    void (*gather)(const float *a, float w, float *sum, int n);
    void (*to_f16)(const float *in, uint16_t *out, int n); /* nearest even */
    void (*to_u8)(const float *in, uint8_t *out, int n);   /* nearest even, clamped, NaN to 0 */
    void (*interleave)(const float *a, const float *b, const float *c, float *out, int n); /* out[3n] = a0 b0 c0 a1 ... */
} leat_preproc_table;

extern leat_preproc_table leat__preproc;
void leat__preproc_init(leat_isa level);

void leat_u8_columns_ref(const uint8_t *row, const int32_t *at0, const int32_t *at1, const float *w, float *const out[3], int n, int wide);
void leat_f32_rows_ref(const float *a, const float *b, float w, float mul, float add, float *out, int n);
void leat_u8_taps_ref(const uint8_t *row, int width, const int32_t *first, const int32_t *count, const float *w, float *const out[3], int n);
void leat_f32_gather_ref(const float *a, float w, float *sum, int n);
void leat_f32_to_f16_ref(const float *in, uint16_t *out, int n);
void leat_f32_to_u8_ref(const float *in, uint8_t *out, int n);
void leat_f32_interleave3_ref(const float *a, const float *b, const float *c, float *out, int n);

void leat_u8_columns_avx2(const uint8_t *row, const int32_t *at0, const int32_t *at1, const float *w, float *const out[3], int n, int wide);
void leat_f32_rows_avx2(const float *a, const float *b, float w, float mul, float add, float *out, int n);
void leat_u8_taps_avx2(const uint8_t *row, int width, const int32_t *first, const int32_t *count, const float *w, float *const out[3], int n);
void leat_f32_gather_avx2(const float *a, float w, float *sum, int n);
void leat_f32_to_f16_avx2(const float *in, uint16_t *out, int n);
void leat_f32_to_u8_avx2(const float *in, uint8_t *out, int n);

#endif
