/* window.h - the sliding window of pooling operators: attributes -> padding and output size on up to three spatial axes. */
#ifndef LEAT_OPS_WINDOW_H
#define LEAT_OPS_WINDOW_H

#include "ops/nn_util.h"

/* Axes are [D, H, W]; leading ones that the tensor lacks have kernel 1, stride 1, size 1. */
typedef struct leat_window {
    int64_t kernel[3], stride[3], dilation[3], pad_begin[3], pad_end[3];
    int64_t in[3], out[3];
} leat_window;

/* Reads kernel_shape, strides, dilations, pads, auto_pad, ceil_mode for in[0] (rank 3..5) and works out the output size.
 * LEAT_ESHAPE, LEAT_EINVAL, LEAT_EUNSUPPORTED with a message. */
int leat__window_init(leat_op_call *call, leat_window *window);
/* The same for a convolution: the kernel is `kernel` [rank - 2], which kernel_shape, if present, must repeat; no ceil_mode. */
int leat__window_init_conv(leat_op_call *call, const int64_t *kernel, leat_window *window);

/* The range of kernel positions [*first, *last) on `axis` that fall inside the input for output position `o`. */
static inline void leat__window_clip(const leat_window *w, int axis, int64_t o, int64_t *first, int64_t *last) {
    int64_t start = o * w->stride[axis] - w->pad_begin[axis], dil = w->dilation[axis];
    int64_t lo = start < 0 ? (-start + dil - 1) / dil : 0;
    int64_t hi = start >= w->in[axis] ? 0 : (w->in[axis] - start + dil - 1) / dil;
    *last = hi < w->kernel[axis] ? hi : w->kernel[axis];
    *first = lo < *last ? lo : *last;
}

/* How many kernel positions for output `o` fall inside the padded input: the divisor when padding is counted. */
static inline int64_t leat__window_padded(const leat_window *w, int axis, int64_t o) {
    int64_t start = o * w->stride[axis] - w->pad_begin[axis], end = w->in[axis] + w->pad_end[axis];
    int64_t n = start >= end ? 0 : (end - start + w->dilation[axis] - 1) / w->dilation[axis];
    return n < w->kernel[axis] ? n : w->kernel[axis];
}

#endif
