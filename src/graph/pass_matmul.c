/* pass_matmul.c - matrix products take in transposes, scale, bias, and what follows them (pass_epilogue.c): leat.MatMul.
 *
 *   MatMul(Transpose(A), B)   the last two axes swapped -> trans_a, trans_b.  A transposition that ends in a swap (as of keys,
 *                             [B,S,H,D] -> [B,H,D,S]) keeps its cheap part, which moves whole rows, and leaves the swap to the product.
 *   MatMul, then Mul or Div   by a constant scalar -> alpha
 *   MatMul, then Add          of a constant vector over the last axis -> bias
 *   Gemm                      with beta 1 and a vector (or no) C -> leat.MatMul, so that an activation can follow
 */
#include <string.h>

#include "graph/pass.h"
#include "ops/fused.h"

static int is_fused(const leat_node *node) {
    return leat__is_in(node, LEAT_FUSED_DOMAIN, "MatMul");
}

static int is_product(const leat_node *node) {
    return is_fused(node) || leat__is(node, "MatMul");
}

static int available(void) {
    return leat__op_find(LEAT_FUSED_DOMAIN, "MatMul", LEAT_FUSED_OPSET) != NULL;
}

/* `last` becomes a leat.MatMul with the inputs and attributes of `node`, which dies unless it is the same. */
static int take_over(leat_node *last, leat_node *node) {
    leat_value *in[4] = {NULL};
    leat_attrs  attrs = node->attrs;
    for (int i = 0; i < node->n_in && i < 4; i++) in[i] = node->in[i];
    if (!leat__become(last, LEAT_FUSED_DOMAIN, "MatMul", LEAT_FUSED_OPSET, 4)) return 0;
    if (last == node) last->attrs = attrs;
    else if (!leat__copy_attrs(last, node)) return 0;
    for (int i = 0; i < 4; i++) leat__set_in(last, i, in[i]);
    if (last == node) return 1;
    last->name = node->name;
    leat__kill(node);
    return 1;
}

/* ---- transposes in front -------------------------------------------------------------------------------------------------- */

static int swaps_last_two(const int64_t *perm, int rank) {
    for (int i = 0; i < rank - 2; i++)
        if (perm[i] != i) return 0;
    return rank >= 2 && perm[rank - 2] == rank - 1 && perm[rank - 1] == rank - 2;
}

static int toggle(leat_node *node, const char *name) {
    if (!is_fused(node) && !take_over(node, node)) return LEAT_ENOMEM;
    leat__node_attr_set_int(node, name, !leat__attr_int(&node->attrs, name, 0));
    return 1;
}

/* The rows of the transposed operand are columns in memory: transpose only down to rows and let the product swap. */
static int move_swap(leat_node *node, leat_node *transpose, const int64_t *perm, int rank, const char *name) {
    int64_t     cheap[LEAT_MAX_RANK];
    leat_value *out = transpose->out[0];
    if (rank < 3 || perm[rank - 2] != rank - 1 || !leat__feeds_only(transpose, node)) return 0;
    memcpy(cheap, perm, (size_t)rank * sizeof *perm);
    cheap[rank - 2] = perm[rank - 1];
    cheap[rank - 1] = perm[rank - 2];
    if (leat__node_attr_set_ints(transpose, "perm", cheap, rank) != LEAT_OK) return LEAT_ENOMEM;
    int64_t dim = out->dims[rank - 2], probe = out->probe[rank - 2];
    out->dims[rank - 2] = out->dims[rank - 1];
    out->dims[rank - 1] = dim;
    out->probe[rank - 2] = out->probe[rank - 1];
    out->probe[rank - 1] = probe;
    return toggle(node, name);
}

static int absorb_transpose(leat_node *node, int i) {
    static const char *const names[] = {"trans_a", "trans_b"};
    int                      rank = 0;
    leat_node               *transpose = leat__from(node, i, "Transpose");
    const int64_t           *perm = transpose ? leat__attr_ints(&transpose->attrs, "perm", &rank) : NULL;
    if (!perm || rank > LEAT_MAX_RANK || transpose->out[0]->rank != rank || transpose->out[0]->is_output) return 0;
    if (!swaps_last_two(perm, rank)) return move_swap(node, transpose, perm, rank, names[i]);
    leat__set_in(node, i, transpose->in[0]);
    return toggle(node, names[i]);
}

static int transposes(leat_pass *pass, leat_node *node) {
    if (!is_product(node) || node->in[0] == node->in[1] || !leat__is_f32(node->out[0])) return 0;
    int result = absorb_transpose(node, 0);
    return result ? result : absorb_transpose(node, 1);
}

/* ---- Gemm ----------------------------------------------------------------------------------------------------------------- */

static int is_vector(const leat_value *value) {
    const leat_tensor *t = value ? value->constant : NULL;
    return t && t->dtype == LEAT_DTYPE_F32 && t->rank >= 1 && leat_tensor_count(t) == t->dims[t->rank - 1];
}

/* Columns of the product, -1 unknown. */
static int64_t columns(const leat_node *node) {
    const leat_value *b = node->in[1];
    return b->rank < 2 ? -1 : b->dims[b->rank - (leat__attr_int(&node->attrs, "trans_b", 0) ? 2 : 1)];
}

/* The vector as rank 1 [N]; NULL when out of memory. */
static leat_value *as_bias(leat_graph *graph, leat_value *vector) {
    int64_t     n = leat_tensor_count(vector->constant);
    leat_value *bias = vector;
    if (vector->constant->rank == 1) return bias;
    bias = leat__graph_value(graph, NULL);
    leat_tensor *tensor = leat__arena_calloc(graph->arena, 1, sizeof *tensor);
    if (!bias || !tensor) return NULL;
    leat__tensor_set(tensor, LEAT_DTYPE_F32, 1, &n);
    tensor->data = vector->constant->data;
    bias->constant = tensor;
    bias->dtype = LEAT_DTYPE_F32;
    bias->rank = 1;
    bias->dims[0] = n;
    return bias;
}

static int from_gemm(leat_pass *pass, leat_node *node) {
    leat_value *c = leat__is(node, "Gemm") ? leat__in(node, 2) : NULL;
    if (!leat__is(node, "Gemm") || !leat__is_f32(node->in[0]) || !available()) return 0;
    float   alpha = leat__attr_float(&node->attrs, "alpha", 1), beta = leat__attr_float(&node->attrs, "beta", 1);
    int64_t ta = leat__attr_int(&node->attrs, "transA", 0), tb = leat__attr_int(&node->attrs, "transB", 0);
    leat_value *a = node->in[0], *b = node->in[1];
    if (a->rank != 2 || b->rank != 2 || (c && (beta != 1 || !is_vector(c) || c->dims[c->rank - 1] != b->dims[tb ? 0 : 1]))) return 0;
    leat_value *bias = c ? as_bias(node->graph, c) : NULL;
    if ((c && !bias) || !leat__become(node, LEAT_FUSED_DOMAIN, "MatMul", LEAT_FUSED_OPSET, 4)) return LEAT_ENOMEM;
    leat__set_in(node, 0, a);
    leat__set_in(node, 1, b);
    leat__set_in(node, 2, bias);
    if (alpha != 1) leat__node_attr_set_float(node, "alpha", alpha);
    if (ta) leat__node_attr_set_int(node, "trans_a", 1);
    if (tb) leat__node_attr_set_int(node, "trans_b", 1);
    return 1;
}

/* ---- behind --------------------------------------------------------------------------------------------------------------- */

static int untouched(const leat_node *node) {
    return !leat__in(node, 2) && !leat__in(node, 3) && !leat__attr(&node->attrs, "act");
}

static int scale(leat_pass *pass, leat_node *node) {
    double      c;
    leat_value *x;
    leat_node  *next = is_product(node) && untouched(node) && leat__is_f32(node->out[0]) ? leat__only_reader(node->out[0]) : NULL;
    int         div = leat__is(next, "Div");
    if (!next || (!div && !leat__is(next, "Mul")) || !leat__with_scalar(next, div, &c, &x) || (div && c == 0)) return 0;
    if (node->out[0]->rank < 1) return 0;
    float alpha = (float)((double)leat__attr_float(&node->attrs, "alpha", 1) * (div ? 1 / c : c));
    if (!take_over(next, node)) return LEAT_ENOMEM;
    leat__node_attr_set_float(next, "alpha", alpha);
    return 1;
}

static int add_bias(leat_pass *pass, leat_node *node) {
    leat_node  *next = is_product(node) && untouched(node) && leat__is_f32(node->out[0]) ? leat__only_reader(node->out[0]) : NULL;
    leat_value *vector = leat__is(next, "Add") ? leat__other(next, node->out[0]) : NULL;
    int64_t     n = next && node->in[1] ? columns(node) : -1;
    if (!is_vector(vector) || n < 1 || leat_tensor_count(vector->constant) != n || vector->rank > node->out[0]->rank) return 0;
    leat_value *bias = as_bias(node->graph, vector);
    if (!bias || !take_over(next, node)) return LEAT_ENOMEM;
    leat__set_in(next, 2, bias);
    return 1;
}

static int epilogue(leat_pass *pass, leat_node *node) {
    return is_product(node) ? leat__absorb_epilogue(node, "MatMul") : 0;
}

int leat__pass_matmul(leat_pass *pass) {
    static const leat_rewrite rewrites[] = {transposes, from_gemm, scale, add_bias, epilogue};
    int                       status = LEAT_OK;
    if (!available()) return LEAT_OK;
    for (size_t i = 0; i < sizeof rewrites / sizeof *rewrites && status == LEAT_OK; i++) status = leat__pass_each(pass, rewrites[i]);
    return status;
}
