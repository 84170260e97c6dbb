/* pass_reorder.c - transposes that become free when convolutions store their results channels-last.
 *
 *   Reshape [N,C,H,W] -> [N,C,HW], Transpose (0,2,1)            = Transpose (0,2,3,1), Reshape -> [N,HW,C]       (tokens of a ViT)
 *   Transpose (0,2,1) of [N,HW,C], Reshape -> [N,C,H,W]         = Reshape -> [N,H,W,C], Transpose (0,3,1,2)      (and back)
 *   Reshape [N,A*K,H,W] -> [N,A,K,H,W], Transpose p             = Transpose (0,2,3,1), Reshape -> [N,H,W,A,K], Transpose p'
 *                                                                                                              (detection heads)
 * The transposes on the right are the ones that pass_layout.c turns into views of channels-last values.  The third rule adds a
 * node, so it asks for a convolution in front; the first two cost nothing in either layout.
 */
#include <string.h>

#include "graph/pass.h"

static const int64_t to_last[4] = {0, 2, 3, 1}, to_first[4] = {0, 3, 1, 2};

static int perm_is(const leat_node *transpose, const int64_t *wanted, int rank) {
    int            n = 0;
    const int64_t *perm = leat__attr_ints(&transpose->attrs, "perm", &n);
    return perm && n == rank && memcmp(perm, wanted, (size_t)rank * sizeof *perm) == 0;
}

/* x with its axes in the order perm, by a Transpose in front of `before`. */
static leat_value *insert_transpose(leat_node *before, leat_value *x, const int64_t *perm, int rank) {
    leat_value *y = leat__insert(before, "", "Transpose", 13, 1, &x, x);
    if (!y || leat__node_attr_set_ints(y->producer, "perm", perm, rank) != LEAT_OK) return NULL;
    for (int i = 0; i < rank; i++) {
        y->dims[i] = x->dims[perm[i]];
        y->probe[i] = x->probe[perm[i]];
    }
    return y;
}

/* `node` becomes the Reshape of x to shape [rank]. */
static int become_reshape(leat_node *node, leat_value *x, const int64_t *shape, int rank) {
    leat_value *target = leat__new_ints(node->graph, shape, rank);
    if (!target || !leat__become(node, "", "Reshape", 14, 2)) return LEAT_ENOMEM;
    leat__set_in(node, 0, x);
    leat__set_in(node, 1, target);
    return 1;
}

/* [N,C,..] keeps its first two axes in y. */
static int keeps_two(const leat_value *x, const leat_value *y) {
    return x->dims[1] > 0 && x->dims[1] == y->dims[1] && x->dims[0] == y->dims[0] && (x->dims[0] >= 0 || x->probe[0] == y->probe[0]);
}

static int tokens(leat_pass *pass, leat_node *node) {
    static const int64_t swap[3] = {0, 2, 1};
    leat_node           *reshape = leat__is(node, "Transpose") && perm_is(node, swap, 3) ? leat__from(node, 0, "Reshape") : NULL;
    if (!reshape || !leat__feeds_only(reshape, node) || reshape->in[0]->rank != 4 || !keeps_two(reshape->in[0], reshape->out[0])) return 0;
    int64_t     shape[3] = {0, -1, reshape->in[0]->dims[1]};
    leat_value *last = insert_transpose(node, reshape->in[0], to_last, 4);
    return last ? become_reshape(node, last, shape, 3) : LEAT_ENOMEM;
}

static int from_tokens(leat_pass *pass, leat_node *node) {
    static const int64_t swap[3] = {0, 2, 1};
    leat_node           *transpose = leat__is(node, "Reshape") ? leat__from(node, 0, "Transpose") : NULL;
    leat_value          *y = node->out[0];
    if (!transpose || !perm_is(transpose, swap, 3) || !leat__feeds_only(transpose, node) || y->rank != 4) return 0;
    if (!keeps_two(transpose->out[0], y) || y->dims[2] < 1 || y->dims[3] < 1) return 0;
    int64_t     shape[4] = {0, y->dims[2], y->dims[3], y->dims[1]};
    leat_value *x = transpose->in[0], *target = leat__new_ints(node->graph, shape, 4), *in[2] = {x, target};
    leat_value *spread = target ? leat__insert(node, "", "Reshape", 14, 2, in, y) : NULL;
    if (!spread) return LEAT_ENOMEM;
    for (int i = 0; i < 4; i++) {
        spread->dims[i] = y->dims[to_last[i]];
        spread->probe[i] = y->probe[to_last[i]];
    }
    if (!leat__become(node, "", "Transpose", 13, 1)) return LEAT_ENOMEM;
    leat__set_in(node, 0, spread);
    return leat__node_attr_set_ints(node, "perm", to_first, 4) == LEAT_OK ? 1 : LEAT_ENOMEM;
}

static int made_by_conv(const leat_value *value) {
    for (int step = 0; step < 4 && value->producer; step++) {
        const leat_node *node = value->producer;
        if (strstr(node->op_type, "Conv") || strcmp(node->op_type, "InvertedResidual") == 0) return 1;
        if (!node->op || node->op->layout != LEAT_OP_ANY || node->n_in < 1 || !node->in[0]) return 0;
        value = node->in[0];
    }
    return 0;
}

/* [N,A*K,H,W] -> [N,A,K,H,W] with space unchanged. */
static int splits_channels(const leat_value *x, const leat_value *y) {
    if (x->rank != 4 || y->rank != 5 || y->dims[1] < 1 || y->dims[2] < 1 || x->dims[1] != y->dims[1] * y->dims[2]) return 0;
    for (int i = 2; i < 4; i++)
        if (x->dims[i] != y->dims[i + 1] || (x->dims[i] < 0 && x->probe[i] != y->probe[i + 1])) return 0;
    return 1;
}

static int heads(leat_pass *pass, leat_node *node) {
    static const int64_t moved[5] = {0, 3, 4, 1, 2}; /* where axes N, A, K, H, W lie in [N,H,W,A,K] */
    int                  n = 0;
    const int64_t       *perm = leat__is(node, "Transpose") ? leat__attr_ints(&node->attrs, "perm", &n) : NULL;
    leat_node           *reshape = perm && n == 5 ? leat__from(node, 0, "Reshape") : NULL;
    if (!reshape || !leat__feeds_only(reshape, node) || !splits_channels(reshape->in[0], reshape->out[0])) return 0;
    leat_value *x = reshape->in[0], *y = reshape->out[0];
    int64_t     shape[5] = {0, x->dims[2], x->dims[3], y->dims[1], y->dims[2]}, order[5];
    if ((shape[1] < 0 && shape[2] < 0) || !made_by_conv(x)) return 0;
    for (int i = 0; i < 5; i++) {
        if (perm[i] < 0 || perm[i] >= 5) return 0;
        order[i] = moved[perm[i]];
    }
    leat_value *last = insert_transpose(reshape, x, to_last, 4);
    if (!last || become_reshape(reshape, last, shape, 5) < 0) return LEAT_ENOMEM;
    leat_value old = *y;
    for (int i = 0; i < 5; i++) {
        y->dims[moved[i]] = old.dims[i];
        y->probe[moved[i]] = old.probe[i];
    }
    return leat__node_attr_set_ints(node, "perm", order, 5) == LEAT_OK ? 1 : LEAT_ENOMEM;
}

int leat__pass_reorder(leat_pass *pass) {
    static const leat_rewrite rewrites[] = {tokens, from_tokens, heads};
    int                       status = LEAT_OK;
    for (size_t i = 0; i < sizeof rewrites / sizeof *rewrites && status == LEAT_OK; i++) status = leat__pass_each(pass, rewrites[i]);
    return status;
}
