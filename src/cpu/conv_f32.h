/* conv_f32.h - what convolutions add to the matrix multiply: geometry, runs of an NHWC input as rows of A, padding, layout.
 *
 *   y[n][o][co] = act( sum_t sum_c x[n][o * stride - pad + t * dilation][c] * w[co][c][t] + bias[co] + residual[n][o][co] )
 *
 * Spatial axes are [D, H, W]; those that a tensor lacks are 1 with kernel 1.  x [N, D, H, W, C] and y [N, OD, OH, OW, CO] are
 * channels-last.  One tap of the matrix multiply is one kernel position: the `cin` channels of a pixel, or zeros outside the input.
 * RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_CONV_F32_H
#define LEAT_CPU_CONV_F32_H

#include <stdint.h>

#include "cpu/gemm_f32.h"

typedef struct leat_conv_shape {
    int64_t n, cin, cout, group; /* channels of the whole tensor */
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3];
    int64_t pad[3], pad_end[3];
} leat_conv_shape;

static inline int64_t leat__conv_taps(const leat_conv_shape *s) { return s->kernel[0] * s->kernel[1] * s->kernel[2]; }
static inline int64_t leat__conv_in_pixels(const leat_conv_shape *s) { return s->in[0] * s->in[1] * s->in[2]; }
static inline int64_t leat__conv_out_pixels(const leat_conv_shape *s) { return s->out[0] * s->out[1] * s->out[2]; }

/* One or two spatial axes, or three of which the first is not there in effect. */
static inline int leat__conv_is_flat(const leat_conv_shape *s) { return s->in[0] == 1 && s->kernel[0] == 1 && s->out[0] == 1 && s->pad[0] == 0; }

/* Left-hand side of one group: rows are output pixels, taps kernel positions, runs cin / group channels from `channel`. */
typedef struct leat_conv_rows {
    leat_conv_shape shape;
    const float    *x;       /* [N, D, H, W, C] */
    const float    *zero;    /* [cin / group] zeros */
    int64_t         channel; /* first of the group */
} leat_conv_rows;

/* leat_gemm_rows_fn over a leat_conv_rows. */
void leat__conv_rows(const void *arg, int64_t m, int count, const float **rows, int64_t stride);

/* Left-hand side for few channels: a copy of the input with its zero border (2-D, dilation 1 along W), so that a kernel row is one run
 * of kernel[2] * cin floats and needs no test for the border.  taps = kernel[1]. */
typedef struct leat_conv_padded {
    leat_conv_shape shape;
    const float    *x; /* [N, H + pads, W + pads, C] */
    int64_t         height, width;
} leat_conv_padded;

/* Whether the copy is not much larger than the image: pads and strides of a hostile file may be anything. */
int leat__conv_padding_is_small(const leat_conv_shape *s);
int64_t leat__conv_padded_height(const leat_conv_shape *s);
int64_t leat__conv_padded_width(const leat_conv_shape *s);
/* leat_gemm_rows_fn over a leat_conv_padded. */
void leat__conv_padded_rows(const void *arg, int64_t m, int count, const float **rows, int64_t stride);
/* Writes row `index` of [0, N * height) of the padded copy to `row`, from x, which is [N, H, W, C] or, with plain 1, [N, C, H, W]. */
void leat__conv_pad_row(const leat_conv_padded *p, int64_t index, const float *x, int plain, float *row);

/* [channels, pixels] to [pixels, channels] and back, pixels [p0, p1) of `pixels`. */
void leat__f32_to_nhwc(const float *x, int64_t channels, int64_t pixels, int64_t p0, int64_t p1, float *y);
void leat__f32_to_nchw(const float *x, int64_t channels, int64_t pixels, int64_t p0, int64_t p1, float *y);

#endif
