/* dropout.c - Dropout: the identity in inference; training mode with a ratio other than 0 is refused, as its result is not defined.
 *
 * Outputs: the data and, where somebody reads it, the mask (bool since opset 10, before it the data's type).
 */
#include <string.h>

#include "ops/el_walk.h"

static int is_training(const leat_op_call *call) {
    const leat_tensor *mode = leat__op_in(call, 2);
    return call->opset >= 12 && mode && mode->data && leat__tensor_get_int(mode, 0) != 0;
}

static int dropout_infer(leat_op_call *call) {
    leat_tensor *mask = leat__op_out(call, 1);
    for (int i = 1; i < call->n_in; i++)
        if (call->in[i] && leat_tensor_count(call->in[i]) != 1) return leat__op_fail(call, LEAT_ESHAPE, "input %d must be one value", i);
    if (!leat_dtype_size(call->in[0]->dtype) || call->in[0]->dtype == LEAT_DTYPE_STRING)
        return leat__op_fail(call, LEAT_ETYPE, "input has element type %s", leat_dtype_name(call->in[0]->dtype));
    if (mask) {
        *mask = (leat_tensor){.data = mask->data, .dtype = call->in[0]->dtype, .rank = call->in[0]->rank, .flags = call->in[0]->flags & LEAT_TENSOR_NHWC};
        memcpy(mask->dims, call->in[0]->dims, sizeof mask->dims);
        if (call->opset >= 10) mask->dtype = LEAT_DTYPE_BOOL;
    }
    return leat__infer_same(call);
}

static int dropout_run(leat_op_call *call) {
    leat_tensor *mask = leat__op_out(call, 1);
    const leat_tensor *ratio = leat__op_in(call, 1);
    double share = ratio ? leat__tensor_get_float(ratio, 0) : 0.5;
    if (is_training(call) && share != 0) return leat__op_fail(call, LEAT_EUNSUPPORTED, "training mode is supported with ratio 0 only; export for inference");
    if (call->out[0]->data != call->in[0]->data) memcpy(call->out[0]->data, call->in[0]->data, leat_tensor_bytes(call->out[0]));
    if (!mask) return LEAT_OK;
    if (mask->dtype == LEAT_DTYPE_BOOL) memset(mask->data, 1, (size_t)leat_tensor_count(mask));
    else
        for (int64_t i = 0, n = leat_tensor_count(mask); i < n; i++) leat__tensor_set_float(mask, i, 1);
    return LEAT_OK;
}

const leat_op leat__ops_dropout[] = {
    {"", "Dropout", 1, 11, 1, 1, 1, 2, LEAT_OP_INPLACE | LEAT_OP_F16, LEAT_OP_ANY, 0, dropout_infer, NULL, dropout_run},
    {"", "Dropout", 12, 0, 1, 3, 1, 2, LEAT_OP_INPLACE | LEAT_OP_F16, LEAT_OP_ANY, 0, dropout_infer, NULL, dropout_run},
    {0}};
