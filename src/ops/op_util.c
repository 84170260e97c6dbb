/* op_util.c - what operators share: failing with the node's name, state and packed weights, the common infers. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ops/op.h"

int leat__op_fail(leat_op_call *call, int status, const char *format, ...) {
    char detail[512];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    return leat__fail(call->error, status, "%s '%.200s': %s", call->op ? call->op->name : "operator", call->name ? call->name : "", detail);
}

void *leat__op_state(leat_op_call *call, size_t bytes) {
    call->state = call->services->state(call, bytes);
    if (!call->state) leat__op_fail(call, LEAT_ENOMEM, "no memory for %zu bytes of state", bytes);
    return call->state;
}

const void *leat__op_pack(leat_op_call *call, const void *key, uint64_t variant, size_t bytes, void (*fill)(void *block, void *arg), void *arg) {
    const void *block = call->services->pack(call, key, variant, bytes, fill, arg);
    if (!block) leat__op_fail(call, LEAT_ENOMEM, "no memory for %zu bytes of packed weights", bytes);
    return block;
}

/* ---- common infers ------------------------------------------------------------------------------------------------------ */

int leat__infer_same(leat_op_call *call) {
    const leat_tensor *in = leat__op_in(call, 0);
    leat_tensor *out = leat__op_out(call, 0);
    if (!in) return leat__op_fail(call, LEAT_EFORMAT, "input 0 is missing");
    if (!out) return LEAT_OK;
    leat__tensor_set(out, in->dtype, in->rank, in->dims);
    out->flags = in->flags & LEAT_TENSOR_NHWC;
    return LEAT_OK;
}

static int broadcast_all(leat_op_call *call, leat_tensor *shape) {
    const leat_tensor *first = leat__op_in(call, 0);
    if (!first) return leat__op_fail(call, LEAT_EFORMAT, "input 0 is missing");
    leat__tensor_set(shape, first->dtype, first->rank, first->dims);
    shape->flags = first->flags;
    for (int i = 1; i < call->n_in; i++) {
        const leat_tensor *in = call->in[i];
        if (!in) return leat__op_fail(call, LEAT_EFORMAT, "input %d is missing", i);
        if (in->dtype != first->dtype)
            return leat__op_fail(call, LEAT_ETYPE, "input %d is %s, input 0 is %s", i, leat_dtype_name(in->dtype), leat_dtype_name(first->dtype));
        char a[160], b[160];
        if (leat__broadcast_dims(shape->dims, shape->rank, in->dims, in->rank, shape->dims, &shape->rank) != LEAT_OK)
            return leat__op_fail(call, LEAT_ESHAPE, "%s and %s (input %d) do not broadcast", leat__tensor_text(shape, a, sizeof a),
                                 leat__tensor_text(in, b, sizeof b), i);
        shape->flags |= in->flags & LEAT_TENSOR_NHWC;
    }
    if (leat_tensor_bytes(shape) == SIZE_MAX) return leat__op_fail(call, LEAT_ELIMIT, "the broadcast shape is too large");
    return LEAT_OK;
}

static int infer_broadcast_as(leat_op_call *call, leat_dtype dtype) {
    leat_tensor shape = {0};
    int status = broadcast_all(call, &shape);
    leat_tensor *out = leat__op_out(call, 0);
    if (status != LEAT_OK || !out) return status;
    leat__tensor_set(out, dtype == LEAT_DTYPE_NONE ? shape.dtype : dtype, shape.rank, shape.dims);
    out->flags = shape.flags & LEAT_TENSOR_NHWC;
    return LEAT_OK;
}

int leat__infer_broadcast(leat_op_call *call) { return infer_broadcast_as(call, LEAT_DTYPE_NONE); }
int leat__infer_compare(leat_op_call *call) { return infer_broadcast_as(call, LEAT_DTYPE_BOOL); }
