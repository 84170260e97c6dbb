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
