/* relabel.c - Relabel of domain "leat" (fused.h): the same bytes under another order of axes.
 *
 *   mode "last"   X [N,C,d..] stored channels-last -> Y [N,d..,C] in logical order
 *   mode "first"  X [N,d..,C] in logical order     -> Y [N,C,d..] stored channels-last
 *
 * The layout pass makes it of a Transpose that would move nothing.
 */
#include <string.h>

#include "ops/move.h"

static int relabel_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int                last = strcmp(leat__attr_string(call->attrs, "mode", "last"), "last") == 0, rank = x->rank;
    int64_t            dims[LEAT_MAX_RANK];
    if (rank < 3 || leat__is_nhwc(x) != last)
        return leat__op_fail(call, LEAT_ESHAPE, "needs an input of rank 3 or more stored %s", last ? "channels-last" : "in logical order");
    for (int i = 1; i < rank - 1; i++) dims[last ? i : i + 1] = x->dims[last ? i + 1 : i];
    dims[0] = x->dims[0];
    dims[last ? rank - 1 : 1] = x->dims[last ? 1 : rank - 1];
    int status = leat__move_out(call, 0, x->dtype, rank, dims);
    if (status == LEAT_OK && call->out[0]) call->out[0]->flags = last ? 0 : LEAT_TENSOR_NHWC;
    return status;
}

const leat_op leat__ops_relabel[] = {
    {"leat", "Relabel", 1, 0, 1, 1, 1, 1, LEAT_OP_VIEW | MOVE_ANY_TYPE, LEAT_OP_PLAIN, 0, relabel_infer, NULL, leat__move_view_run},
    {0}};
