/* pass_shuffle.c - channel shuffle (ShuffleNet) as one operator.
 *
 *   Reshape [N,C,H,W] -> [N,g,C/g,H,W], Transpose (0,2,1,3,4), Reshape -> [N,C,H,W]        -> leat.ChannelShuffle(groups = g)
 *
 * In channels-last storage that is a small permutation inside each pixel, where the three steps would force logical order.
 */
#include <string.h>

#include "graph/pass.h"
#include "ops/fused.h"

static int swaps_groups(const leat_node *transpose) {
    static const int64_t wanted[5] = {0, 2, 1, 3, 4};
    int                  n = 0;
    const int64_t       *perm = leat__attr_ints(&transpose->attrs, "perm", &n);
    return n == 5 && memcmp(perm, wanted, sizeof wanted) == 0;
}

/* Spatial axes of the result are those of the input and channels are grouped evenly. */
static int is_shuffle(const leat_value *x, const leat_value *split, const leat_value *y) {
    if (x->rank != 4 || split->rank != 5 || y->rank != 4 || x->dims[1] < 1 || split->dims[1] < 1 || split->dims[2] < 1) return 0;
    return split->dims[1] * split->dims[2] == x->dims[1] && leat__surely_same_shape(x, y) && split->dims[3] == x->dims[2] &&
           split->dims[4] == x->dims[3];
}

static int shuffle(leat_pass *pass, leat_node *node) {
    leat_node *transpose = leat__is(node, "Reshape") ? leat__from(node, 0, "Transpose") : NULL;
    leat_node *split = transpose && swaps_groups(transpose) ? leat__from(transpose, 0, "Reshape") : NULL;
    if (!split || !split->in[0] || !is_shuffle(split->in[0], split->out[0], node->out[0])) return 0;
    if (!leat__op_find(LEAT_FUSED_DOMAIN, "ChannelShuffle", LEAT_FUSED_OPSET)) return 0;
    leat_value *x = split->in[0];
    int64_t     groups = split->out[0]->dims[1];
    if (!leat__become(node, LEAT_FUSED_DOMAIN, "ChannelShuffle", LEAT_FUSED_OPSET, 1)) return LEAT_ENOMEM;
    leat__set_in(node, 0, x);
    leat__node_attr_set_int(node, "groups", groups);
    return 1;
}

int leat__pass_shuffle(leat_pass *pass) {
    return leat__pass_each(pass, shuffle);
}
