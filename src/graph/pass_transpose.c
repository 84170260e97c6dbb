/* pass_transpose.c - transposes and reshapes in a row.
 *
 * 1. Transpose of Transpose reads the first one's input with the composed permutation (pass_tidy removes what became the identity).
 * 2. A Transpose that moves only dimensions of size one is a Reshape, which costs nothing.
 * 3. Reshape of Reshape, Flatten, Squeeze or Unsqueeze reads the first one's input: only the last shape matters.
 *
 * The first node of a pair stays if others read it; dead code removal takes it otherwise.
 */
#include <string.h>

#include "graph/pass.h"

/* perm of a Transpose of known rank; the default reverses.  0 when the rank is not known. */
static int get_perm(const leat_node *node, int64_t perm[LEAT_MAX_RANK]) {
    int            n = 0;
    const int64_t *list = leat__attr_ints(&node->attrs, "perm", &n);
    int            rank = list ? n : node->in[0]->rank;
    if (rank < 1 || rank > LEAT_MAX_RANK) return 0;
    for (int i = 0; i < rank; i++) {
        perm[i] = list ? list[i] : rank - 1 - i;
        if (perm[i] < 0 || perm[i] >= rank) return 0;
    }
    return rank;
}

static int merge_transposes(leat_pass *pass, leat_node *node) {
    int64_t    first[LEAT_MAX_RANK], second[LEAT_MAX_RANK], both[LEAT_MAX_RANK];
    leat_node *before = leat__is(node, "Transpose") ? leat__from(node, 0, "Transpose") : NULL;
    if (!before) return 0;
    int rank = get_perm(before, first);
    if (!rank || get_perm(node, second) != rank) return 0;
    for (int i = 0; i < rank; i++) both[i] = first[second[i]];
    leat__set_in(node, 0, before->in[0]);
    return leat__node_attr_set_ints(node, "perm", both, rank) == LEAT_OK ? 1 : LEAT_ENOMEM;
}

/* Target of a Reshape that gives `value` its shape: at most one dimension may be unknown.  0 when more are. */
static int reshape_target(const leat_value *value, int64_t shape[LEAT_MAX_RANK]) {
    int unknown = 0;
    if (value->rank < 1) return 0;
    for (int i = 0; i < value->rank; i++) {
        shape[i] = value->dims[i];
        if (shape[i] == 0) return 0;
        unknown += shape[i] < 0;
    }
    return unknown <= 1;
}

/* Do the dimensions that are not 1 keep their order?  An unknown dimension counts as not 1. */
static int moves_only_ones(const leat_value *in, const int64_t *perm, int rank) {
    int64_t last = -1;
    if (in->rank != rank) return 0;
    for (int i = 0; i < rank; i++) {
        if (in->dims[perm[i]] == 1) continue;
        if (perm[i] < last) return 0;
        last = perm[i];
    }
    return 1;
}

static int transpose_to_reshape(leat_pass *pass, leat_node *node) {
    int64_t perm[LEAT_MAX_RANK], shape[LEAT_MAX_RANK];
    if (!leat__is(node, "Transpose") || !node->in[0]) return 0;
    leat_value *x = node->in[0];
    int         rank = get_perm(node, perm);
    if (!rank || !moves_only_ones(x, perm, rank) || !reshape_target(node->out[0], shape)) return 0;
    leat_value *target = leat__new_ints(node->graph, shape, rank);
    if (!target || !leat__become(node, "", "Reshape", 14, 2)) return LEAT_ENOMEM;
    leat__set_in(node, 0, x);
    leat__set_in(node, 1, target);
    return 1;
}

static leat_node *reshaping(const leat_node *node) {
    static const char *const types[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        leat_node *from = leat__from(node, 0, types[i]);
        if (from) return from;
    }
    return NULL;
}

/* A zero in the target copies a dimension of the *input*, which is about to change. */
static int copies_dims(const leat_node *reshape) {
    int64_t shape[LEAT_MAX_RANK];
    int     n = leat__const_ints(leat__in(reshape, 1), shape, LEAT_MAX_RANK);
    if (n < 0) return 1;
    for (int i = 0; i < n; i++)
        if (shape[i] == 0) return 1;
    return 0;
}

static int merge_reshapes(leat_pass *pass, leat_node *node) {
    static const char *const types[] = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"};
    int64_t                  shape[LEAT_MAX_RANK];
    leat_node               *before = reshaping(node);
    int                      known = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) known |= leat__is(node, types[i]);
    if (!before || !known || !before->in[0]) return 0;
    if (leat__is(node, "Reshape") && !copies_dims(node)) {
        leat__set_in(node, 0, before->in[0]);
        return 1;
    }
    if (!reshape_target(node->out[0], shape)) return 0;
    leat_value *x = before->in[0], *target = leat__new_ints(node->graph, shape, node->out[0]->rank);
    if (!target || !leat__become(node, "", "Reshape", 14, 2)) return LEAT_ENOMEM;
    leat__set_in(node, 0, x);
    leat__set_in(node, 1, target);
    return 1;
}

int leat__pass_transpose(leat_pass *pass) {
    int status = leat__pass_each(pass, merge_transposes);
    if (status == LEAT_OK) status = leat__pass_each(pass, transpose_to_reshape);
    return status == LEAT_OK ? leat__pass_each(pass, merge_reshapes) : status;
}
