/* col2im.c - Col2Im: columns of sliding blocks summed back into images of any number of spatial dimensions.
 *
 *   input  [N, C * prod(block), L]    row c * prod(block) + k holds offset k of the blocks of channel c
 *   output [N, C, image...]           L = product over d of the number of block positions along d
 */
#include "ops/move.h"

#include <inttypes.h>
#include <string.h>

#include "ops/combine.h"

#define COL_DIMS (LEAT_MAX_RANK - 2)

typedef struct col_shape {
    int     dims;
    int64_t image[COL_DIMS], block[COL_DIMS], dilation[COL_DIMS], stride[COL_DIMS], pad[2 * COL_DIMS], places[COL_DIMS];
    int64_t offsets, columns, channels; /* prod(block), L, C */
} col_shape;

/* An INTS attribute of `n` values in [least, 2^31), or all `fallback`. */
static int read_ints(leat_op_call *call, const char *name, int n, int64_t fallback, int64_t least, int64_t *out) {
    int count;
    const int64_t *ints = leat__attr_ints(call->attrs, name, &count);
    if (ints && count != n) return leat__op_fail(call, LEAT_EFORMAT, "attribute %s has %d values, needs %d", name, count, n);
    for (int i = 0; i < n; i++) {
        out[i] = ints ? ints[i] : fallback;
        if (out[i] < least || out[i] > INT32_MAX)
            return leat__op_fail(call, LEAT_EFORMAT, "attribute %s[%d] is %" PRId64, name, i, out[i]);
    }
    return LEAT_OK;
}

static int read_shape(leat_op_call *call, col_shape *s) {
    int n_block, status = leat__move_values(call, 1, s->image, COL_DIMS, &s->dims);
    if (!status) status = leat__move_values(call, 2, s->block, COL_DIMS, &n_block);
    if (status) return status;
    if (s->dims < 1 || s->dims != n_block)
        return leat__op_fail(call, LEAT_ESHAPE, "image_shape and block_shape must have equal lengths of 1 or more");
    if (!status) status = read_ints(call, "dilations", s->dims, 1, 1, s->dilation);
    if (!status) status = read_ints(call, "strides", s->dims, 1, 1, s->stride);
    if (!status) status = read_ints(call, "pads", 2 * s->dims, 0, 0, s->pad);
    s->offsets = s->columns = 1;
    for (int d = 0; d < s->dims && !status; d++) {
        if (s->image[d] < 1 || s->image[d] > INT32_MAX || s->block[d] < 1 || s->block[d] > INT32_MAX)
            return leat__op_fail(call, LEAT_ESHAPE, "image %" PRId64 ", block %" PRId64 " on axis %d", s->image[d], s->block[d],
                                 d);
        int64_t room = s->image[d] + s->pad[d] + s->pad[s->dims + d] - s->dilation[d] * (s->block[d] - 1) - 1;
        s->places[d] = room < 0 ? 0 : room / s->stride[d] + 1;
        if (__builtin_mul_overflow(s->offsets, s->block[d], &s->offsets) ||
            __builtin_mul_overflow(s->columns, s->places[d], &s->columns))
            return leat__op_fail(call, LEAT_ELIMIT, "blocks are too large");
    }
    return status;
}

static int col2im_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    col_shape s;
    int64_t dims[LEAT_MAX_RANK];
    int status = read_shape(call, &s);
    if (status) return status;
    if (!leat__combine_of(x->dtype)) return leat__op_fail(call, LEAT_ETYPE, "%s has no sum", leat_dtype_name(x->dtype));
    if (x->rank != 3 || x->dims[1] % s.offsets || x->dims[2] != s.columns)
        return leat__op_fail(call, LEAT_ESHAPE, "input must be [N, C * %" PRId64 ", %" PRId64 "]", s.offsets, s.columns);
    dims[0] = x->dims[0], dims[1] = x->dims[1] / s.offsets;
    memcpy(dims + 2, s.image, (size_t)s.dims * sizeof *dims);
    return leat__move_out(call, 0, x->dtype, 2 + s.dims, dims);
}

/* Element offset in the image of block place `l`, block offset `k`; -1 in the padding. */
static int64_t image_offset(const col_shape *s, int64_t l, int64_t k) {
    int64_t offset = 0, stride = 1;
    for (int d = s->dims - 1; d >= 0; d--) {
        int64_t at = l % s->places[d] * s->stride[d] + k % s->block[d] * s->dilation[d] - s->pad[d];
        if (at < 0 || at >= s->image[d]) return -1;
        offset += at * stride;
        stride *= s->image[d];
        l /= s->places[d], k /= s->block[d];
    }
    return offset;
}

static int col2im_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *y = call->out[0];
    col_shape s;
    int status = read_shape(call, &s);
    if (status) return status;
    leat_combine_fn add = leat__combine_of(x->dtype);
    size_t elem = leat_dtype_size(x->dtype);
    int64_t images = x->dims[0] * (x->dims[1] / s.offsets), pixels = leat__move_span(y->dims, 2, y->rank);
    const uint8_t *from = x->data;
    memset(y->data, 0, leat_tensor_bytes(y));
    for (int64_t i = 0; i < images; i++) {
        uint8_t *image = (uint8_t *)y->data + (size_t)(i * pixels) * elem;
        for (int64_t k = 0; k < s.offsets; k++)
            for (int64_t l = 0; l < s.columns; l++, from += elem) {
                int64_t at = image_offset(&s, l, k);
                if (at >= 0) add(image + (size_t)at * elem, from, 1, LEAT_COMBINE_ADD);
            }
    }
    return LEAT_OK;
}

const leat_op leat__ops_col2im[] = {
    {"", "Col2Im", 18, 0, 3, 3, 1, 1, LEAT_OP_F16, LEAT_OP_PLAIN, 2 | 4, col2im_infer, NULL, col2im_run},
    {0}};
