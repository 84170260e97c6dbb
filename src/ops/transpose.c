/* transpose.c - permutations of axes: Transpose, DepthToSpace, SpaceToDepth, and the layout pass's ToNHWC, ToNCHW,
 * ChannelShuffle.
 *
 * Each is one strided copy: list the axes in the memory order of the output with their strides in input and output; copy_nd folds
 * them and finds the 2-D transposition inside.
 *
 *   ToNHWC, ToNCHW   logical dims stay, the storage changes (LEAT_TENSOR_NHWC in flags)
 *   ChannelShuffle   channel g * (C / groups) + k of the input becomes channel k * groups + g of the output
 */
#include "ops/move.h"

#include <inttypes.h>

/* ---- Transpose -------------------------------------------------------------------------------------------------------- */

static int read_perm(leat_op_call *call, int rank, int perm[LEAT_MAX_RANK]) {
    int n = 0;
    const int64_t *ints = leat__attr_ints(call->attrs, "perm", &n);
    uint32_t seen = 0;
    for (int i = 0; i < rank; i++) perm[i] = rank - 1 - i;
    if (!ints) return LEAT_OK;
    if (n != rank) return leat__op_fail(call, LEAT_ESHAPE, "perm has %d axes, the input has rank %d", n, rank);
    for (int i = 0; i < n; i++) {
        int64_t axis = ints[i] < 0 ? ints[i] + rank : ints[i];
        if (axis < 0 || axis >= rank || seen >> axis & 1)
            return leat__op_fail(call, LEAT_ESHAPE, "perm[%d] = %" PRId64 " makes no permutation", i, ints[i]);
        seen |= 1u << axis;
        perm[i] = (int)axis;
    }
    return LEAT_OK;
}

static int transpose_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int perm[LEAT_MAX_RANK], status = read_perm(call, x->rank, perm);
    int64_t dims[LEAT_MAX_RANK];
    if (status) return status;
    for (int i = 0; i < x->rank; i++) dims[i] = x->dims[perm[i]];
    return leat__move_out(call, 0, x->dtype, x->rank, dims);
}

static int transpose_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *y = call->out[0];
    int perm[LEAT_MAX_RANK], status = read_perm(call, x->rank, perm);
    int64_t from[LEAT_MAX_RANK], to[LEAT_MAX_RANK];
    if (status) return status;
    leat_copy copy = {.elem = (int64_t)leat_dtype_size(x->dtype)};
    leat__move_strides(x, from);
    leat__move_strides(y, to);
    for (int i = 0; i < x->rank; i++) leat__copy_axis(&copy, y->dims[i], from[perm[i]], to[i]);
    leat__move_run(call, &copy, x->data, y->data);
    return LEAT_OK;
}

/* ---- layout conversion ------------------------------------------------------------------------------------------------ */

static int to_layout(leat_op_call *call, uint32_t flag) {
    const leat_tensor *x = call->in[0];
    if (flag && x->rank < 3)
        return leat__op_fail(call, LEAT_ESHAPE, "channels-last storage needs rank 3 or more, has %d", x->rank);
    int status = leat__move_out(call, 0, x->dtype, x->rank, x->dims);
    if (status == LEAT_OK && call->out[0]) call->out[0]->flags = flag;
    return status;
}

static int to_nhwc_infer(leat_op_call *call) { return to_layout(call, LEAT_TENSOR_NHWC); }
static int to_nchw_infer(leat_op_call *call) { return to_layout(call, 0); }

static int layout_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *y = call->out[0];
    if (leat__is_nhwc(x) == leat__is_nhwc(y) || leat__layouts_equal(x)) return leat__move_view_run(call);
    leat_copy copy = {.elem = (int64_t)leat_dtype_size(x->dtype)};
    int64_t from[LEAT_MAX_RANK], to[LEAT_MAX_RANK];
    int order[LEAT_MAX_RANK];
    leat__move_strides(x, from);
    leat__move_strides(y, to);
    leat__move_order(y, order);
    for (int i = 0; i < x->rank; i++) leat__copy_axis(&copy, x->dims[order[i]], from[order[i]], to[order[i]]);
    leat__move_run(call, &copy, x->data, y->data);
    return LEAT_OK;
}

/* ---- ChannelShuffle --------------------------------------------------------------------------------------------------- */

static int shuffle_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t groups = leat__attr_int(call->attrs, "groups", 0);
    if (x->rank < 2) return leat__op_fail(call, LEAT_ESHAPE, "input has rank %d, needs channels on axis 1", x->rank);
    if (groups < 1 || (groups > 1 && groups > x->dims[1]) || x->dims[1] % groups)
        return leat__op_fail(call, LEAT_ESHAPE, "%" PRId64 " channels do not divide into %" PRId64 " groups", x->dims[1], groups);
    return leat__infer_same(call);
}

static int shuffle_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *y = call->out[0];
    int64_t groups = leat__attr_int(call->attrs, "groups", 1), each = x->dims[1] / groups, stride[LEAT_MAX_RANK];
    leat_copy copy = {.elem = (int64_t)leat_dtype_size(x->dtype)};
    int order[LEAT_MAX_RANK];
    leat__move_strides(x, stride); /* the same in x and y */
    leat__move_order(y, order);
    for (int i = 0; i < x->rank; i++) {
        int a = order[i];
        if (a != 1) leat__copy_axis(&copy, x->dims[a], stride[a], stride[a]);
        else {
            leat__copy_axis(&copy, each, stride[1], groups * stride[1]);
            leat__copy_axis(&copy, groups, each * stride[1], stride[1]);
        }
    }
    leat__move_run(call, &copy, x->data, y->data);
    return LEAT_OK;
}

/* ---- DepthToSpace, SpaceToDepth --------------------------------------------------------------------------------------- */

static int block_size(leat_op_call *call, int64_t *b) {
    const leat_tensor *x = call->in[0];
    *b = leat__attr_int(call->attrs, "blocksize", 0);
    if (x->rank != 4) return leat__op_fail(call, LEAT_ESHAPE, "input must have rank 4, has %d", x->rank);
    if (*b < 1 || *b > 1 << 20) return leat__op_fail(call, LEAT_EFORMAT, "attribute blocksize is %" PRId64, *b);
    return LEAT_OK;
}

static int finish_block_infer(leat_op_call *call, const int64_t dims[4]) {
    int status = leat__move_out(call, 0, call->in[0]->dtype, 4, dims);
    if (status == LEAT_OK && call->out[0]) call->out[0]->flags = call->in[0]->flags & LEAT_TENSOR_NHWC;
    return status;
}

static int depth_to_space_infer(leat_op_call *call) {
    int64_t b;
    int status = block_size(call, &b);
    if (status) return status;
    const int64_t *d = call->in[0]->dims;
    if (d[1] % (b * b))
        return leat__op_fail(call, LEAT_ESHAPE, "%" PRId64 " channels do not divide by blocksize %" PRId64 " squared", d[1], b);
    int64_t dims[4] = {d[0], d[1] / (b * b)};
    if (__builtin_mul_overflow(d[2], b, &dims[2]) || __builtin_mul_overflow(d[3], b, &dims[3]))
        return leat__op_fail(call, LEAT_ELIMIT, "output is too large");
    return finish_block_infer(call, dims);
}

static int space_to_depth_infer(leat_op_call *call) {
    int64_t b;
    int status = block_size(call, &b);
    if (status) return status;
    const int64_t *d = call->in[0]->dims;
    if (d[2] % b || d[3] % b)
        return leat__op_fail(call, LEAT_ESHAPE, "%" PRId64 "x%" PRId64 " does not divide by blocksize %" PRId64, d[2], d[3], b);
    int64_t dims[4] = {d[0], 0, d[2] / b, d[3] / b};
    if (__builtin_mul_overflow(d[1], b * b, &dims[1])) return leat__op_fail(call, LEAT_ELIMIT, "output is too large");
    return finish_block_infer(call, dims);
}

/* One block move in terms of the tensor with deep channels (`deep`) and the one with wide space (`wide`).  Strides in bytes by
 * role: channel of a group c, position inside a block bh and bw. */
static void block_strides(const int64_t deep[4], const int64_t wide[4], int64_t b, int64_t channels, int depth_major,
                          int64_t deep_of[3], int64_t wide_of[3]) {
    deep_of[0] = depth_major ? b * b * deep[1] : deep[1];          /* CRD: c is the slowest of (c, bh, bw); DCR: the fastest */
    deep_of[1] = depth_major ? b * deep[1] : b * channels * deep[1];
    deep_of[2] = depth_major ? deep[1] : channels * deep[1];
    wide_of[0] = wide[1], wide_of[1] = wide[2], wide_of[2] = wide[3];
}

/* Axes in the order n, c, h, bh, w, bw of the wide tensor, or n, h, bh, w, bw, c when it is stored channels-last. */
static void block_copy(leat_op_call *call, const leat_tensor *deep, const leat_tensor *wide, int64_t b, int crd, int to_wide) {
    int64_t ds[LEAT_MAX_RANK], ws[LEAT_MAX_RANK], d3[3], w3[3];
    leat__move_strides(deep, ds);
    leat__move_strides(wide, ws);
    block_strides(ds, ws, b, wide->dims[1], crd, d3, w3);
    struct { int64_t dim, deep, wide; } axes[6] = {
        {deep->dims[0], ds[0], ws[0]}, {wide->dims[1], d3[0], w3[0]}, {deep->dims[2], ds[2], b * w3[1]},
        {b, d3[1], w3[1]}, {deep->dims[3], ds[3], b * w3[2]}, {b, d3[2], w3[2]}};
    static const int plain[6] = {0, 1, 2, 3, 4, 5}, nhwc[6] = {0, 2, 3, 4, 5, 1};
    const int *order = leat__is_nhwc(wide) ? nhwc : plain;
    leat_copy copy = {.elem = (int64_t)leat_dtype_size(deep->dtype)};
    for (int i = 0; i < 6; i++) {
        int a = order[i];
        leat__copy_axis(&copy, axes[a].dim, to_wide ? axes[a].deep : axes[a].wide, to_wide ? axes[a].wide : axes[a].deep);
    }
    leat__move_run(call, &copy, to_wide ? deep->data : wide->data, to_wide ? wide->data : deep->data);
}

static int depth_to_space_run(leat_op_call *call) {
    const char *mode = leat__attr_string(call->attrs, "mode", "DCR");
    block_copy(call, call->in[0], call->out[0], leat__attr_int(call->attrs, "blocksize", 1), mode[0] == 'C', 1);
    return LEAT_OK;
}

static int space_to_depth_run(leat_op_call *call) {
    const char *mode = leat__attr_string(call->attrs, "mode", "DCR");
    block_copy(call, call->out[0], call->in[0], leat__attr_int(call->attrs, "blocksize", 1), mode[0] == 'C', 0);
    return LEAT_OK;
}

const leat_op leat__ops_transpose[] = {
    {"", "Transpose", 1, 0, 1, 1, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, transpose_infer, NULL, transpose_run},
    {"", "DepthToSpace", 1, 0, 1, 1, 1, 1, MOVE_ANY_TYPE, LEAT_OP_AXIS, 0, depth_to_space_infer, NULL, depth_to_space_run},
    {"", "SpaceToDepth", 1, 0, 1, 1, 1, 1, MOVE_ANY_TYPE, LEAT_OP_AXIS, 0, space_to_depth_infer, NULL, space_to_depth_run},
    {"leat", "ToNHWC", 1, 0, 1, 1, 1, 1, LEAT_OP_LAYOUT | MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, to_nhwc_infer, NULL, layout_run},
    {"leat", "ToNCHW", 1, 0, 1, 1, 1, 1, LEAT_OP_LAYOUT | MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, to_nchw_infer, NULL, layout_run},
    {"leat", "ChannelShuffle", 1, 0, 1, 1, 1, 1, MOVE_ANY_TYPE, LEAT_OP_AXIS, 0, shuffle_infer, NULL, shuffle_run},
    {0}};
