/* trilu.c - Trilu (upper or lower triangle of each matrix) and ReverseSequence (each batch entry reversed up to its own length).
 * */
#include "ops/move.h"

#include <inttypes.h>
#include <string.h>

/* ---- Trilu ------------------------------------------------------------------------------------------------------------ */

static int trilu_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *k = leat__op_in(call, 1);
    if (x->rank < 2) return leat__op_fail(call, LEAT_ESHAPE, "input must have rank 2 or more, has %d", x->rank);
    if (k && (k->dtype != LEAT_DTYPE_I64 || leat_tensor_count(k) != 1))
        return leat__op_fail(call, LEAT_ETYPE, "k must be one int64");
    return leat__move_out(call, 0, x->dtype, x->rank, x->dims);
}

static int trilu_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *y = call->out[0], *k_in = leat__op_in(call, 1);
    int64_t rows = x->dims[x->rank - 2], cols = x->dims[x->rank - 1], k = k_in ? *(const int64_t *)k_in->data : 0;
    int64_t matrices = leat__move_span(x->dims, 0, x->rank - 2), elem = (int64_t)leat_dtype_size(x->dtype);
    int upper = leat__attr_int(call->attrs, "upper", 1) != 0;
    k = k > cols ? cols : k < -rows ? -rows : k;
    leat__move_view_run(call);
    for (int64_t m = 0; m < matrices * rows; m++) { /* columns [0, edge) lie below diagonal k, [edge, cols) on it or above */
        int64_t edge = m % rows + k + (upper ? 0 : 1);
        edge = edge < 0 ? 0 : edge > cols ? cols : edge;
        uint8_t *row = (uint8_t *)y->data + m * cols * elem;
        if (upper) memset(row, 0, (size_t)(edge * elem));
        else memset(row + edge * elem, 0, (size_t)((cols - edge) * elem));
    }
    return LEAT_OK;
}

/* ---- ReverseSequence -------------------------------------------------------------------------------------------------- */

static int sequence_axes(leat_op_call *call, int64_t *batch, int64_t *time) {
    *batch = leat__attr_int(call->attrs, "batch_axis", 1);
    *time = leat__attr_int(call->attrs, "time_axis", 0);
    if ((*batch == 0 && *time == 1) || (*batch == 1 && *time == 0)) return LEAT_OK;
    return leat__op_fail(call, LEAT_EFORMAT, "batch_axis %" PRId64 " and time_axis %" PRId64 " must be 0 and 1", *batch, *time);
}

static int reverse_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *lens = call->in[1];
    int64_t batch, time;
    int status = sequence_axes(call, &batch, &time);
    if (status) return status;
    if (x->rank < 2) return leat__op_fail(call, LEAT_ESHAPE, "input must have rank 2 or more, has %d", x->rank);
    if (lens->dtype != LEAT_DTYPE_I64 || lens->rank != 1 || lens->dims[0] != x->dims[batch])
        return leat__op_fail(call, LEAT_ESHAPE, "sequence_lens must be int64[%" PRId64 "]", x->dims[batch]);
    return leat__move_out(call, 0, x->dtype, x->rank, x->dims);
}

static int reverse_run(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *y = call->out[0];
    const int64_t *lens = call->in[1]->data;
    int64_t batch, time, chunk = leat__move_span(x->dims, 2, x->rank) * (int64_t)leat_dtype_size(x->dtype);
    int status = sequence_axes(call, &batch, &time);
    if (status) return status;
    int64_t entries = x->dims[batch], steps = x->dims[time], batch_step = batch == 0 ? steps * chunk : chunk,
        time_step = time == 0 ? entries * chunk : chunk;
    for (int64_t b = 0; b < entries; b++) {
        int64_t len = lens[b];
        if (len < 0 || len > steps)
            return leat__op_fail(call, LEAT_EINVAL, "sequence_lens[%" PRId64 "] is %" PRId64 " of %" PRId64, b, len, steps);
        for (int64_t t = 0; t < steps; t++) {
            int64_t from = t < len ? len - 1 - t : t;
            memcpy((uint8_t *)y->data + b * batch_step + t * time_step,
                   (const uint8_t *)x->data + b * batch_step + from * time_step, (size_t)chunk);
        }
    }
    return LEAT_OK;
}

const leat_op leat__ops_trilu[] = {
    {"", "Trilu", 14, 0, 1, 2, 1, 1, LEAT_OP_INPLACE | MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, trilu_infer, NULL, trilu_run},
    {"", "ReverseSequence", 10, 0, 2, 2, 1, 1, MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, reverse_infer, NULL, reverse_run},
    {0}};
