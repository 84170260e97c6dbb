/* dwconv_f32.h - single-precision depthwise convolution, channels-last, fused bias and activation.
 *
 *   y[oh][ow][c] = act( sum_kh sum_kw x[oh * sh - ph + kh * dh][ow * sw - pw + kw * dw][c] * w[kh][kw][c] + bias[c] )
 *
 * The unit of work is one output row.  x is given by the addresses of the input rows that lie inside the image, so a ring of rows
 * serves as well as a tensor.  w [kh, kw, C].  Channels in any number; a vector covers `vec` of them and a tile several output pixels.
 * Writes y [OW, C] only; reads only the named rows, w and bias.  Tolerance against _ref: 1e-6 * kh * kw * max|x| * max|w|.
 * RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_DWCONV_F32_H
#define LEAT_CPU_DWCONV_F32_H

#include <stdint.h>

#include "cpu/gemm_f32.h"

#define LEAT_DWCONV_MAX_ROWS 16 /* kernel height at most */

typedef struct leat_dwconv {
    int64_t      channels, in_width, out_width;
    int64_t      kernel_h, kernel_w, stride_w, dilation_w, pad_w;
    const float *weights;  /* [kernel_h, kernel_w, channels] */
    const float *bias;     /* [channels] or NULL */
    float        lo, hi;   /* clip */
} leat_dwconv;

/* Computes one output row.  rows [count]: input rows of the kernel rows [first, first + count), the others lie in the padding. */
typedef void (*leat_dwconv_row_fn)(const leat_dwconv *d, const float *const *rows, int first, int count, float *y);

typedef struct leat_dwconv_f32_table {
    const char *isa;
    /* The best row function for the sizes of *d; valid for every call with the same sizes. */
    leat_dwconv_row_fn (*choose)(const leat_dwconv *d);
    /* y [n] = a + weight * (b - a): enlarging of rows and pixels; y may be neither a nor b. */
    void (*lerp)(const float *a, const float *b, float weight, int64_t n, float *y);
} leat_dwconv_f32_table;

extern leat_dwconv_f32_table leat__dwconv_f32;
void leat__dwconv_f32_init(leat_isa level);
leat_dwconv_row_fn leat__f32_dwconv_choose_ref(const leat_dwconv *d);
leat_dwconv_row_fn leat__f32_dwconv_choose_avx2(const leat_dwconv *d);
leat_dwconv_row_fn leat__f32_dwconv_choose_avx512(const leat_dwconv *d);
leat_dwconv_row_fn leat__f32_dwconv_choose_neon(const leat_dwconv *d);

void leat_f32_lerp_ref(const float *a, const float *b, float weight, int64_t n, float *y);
void leat_f32_lerp_avx2(const float *a, const float *b, float weight, int64_t n, float *y);
void leat_f32_lerp_avx512(const float *a, const float *b, float weight, int64_t n, float *y);
void leat_f32_lerp_neon(const float *a, const float *b, float weight, int64_t n, float *y);

/* [channels, taps] to [taps, channels]. */
void leat__f32_dwconv_pack(const float *w, int64_t channels, int64_t taps, float *packed);

#endif
