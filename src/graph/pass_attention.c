/* pass_attention.c - scaled dot-product attention that an exporter wrote out in steps becomes leat.Attention (ops/attention.c).
 *
 *   P = Q K' * scale [+ mask];  Y = softmax(P) V         Q [B,H,S,D], K [B,H,T,D] or [B,H,D,T], V [B,H,T,DV]
 *
 * It runs after pass_matmul.c, so that scale and transposition of the first product are attributes of it (alpha, trans_b) and a full
 * mask may have become its residual.  Factors on Q or K alone join the scale.  Transposes (0,2,1,3) that gather heads around it, and
 * the Gather out of one [3,B,H,S,D] tensor that some vision transformers use, are undone: the operator reads and writes [B,S,H,D] directly.
 *
 * The scores then never exist as a whole.  All values in between must have one reader, everything is float32 of rank 4.
 */
#include <string.h>

#include "graph/pass.h"
#include "ops/fused.h"

typedef struct attention {
    leat_node  *scores, *add, *softmax, *product, *last;
    leat_value *q, *k, *v, *mask;
    double      scale;
    int         k_transposed, q_split, k_split, v_split, y_split;
} attention;

static int is_product(const leat_node *node) {
    return leat__is(node, "MatMul") || leat__is_in(node, LEAT_FUSED_DOMAIN, "MatMul");
}

/* A product with nothing but scale, transposition of B and, if allowed, a residual. */
static int is_bare(const leat_node *node, int with_residual) {
    return is_product(node) && !leat__in(node, 2) && (with_residual || !leat__in(node, 3)) && !leat__attr(&node->attrs, "act") &&
           !leat__attr_int(&node->attrs, "trans_a", 0) && !leat__attr_int(&node->attrs, "residual_after", 0);
}

static int is_f32_rank4(const leat_value *value) {
    return leat__is_f32(value) && value->rank == 4;
}

static int along_last(const leat_node *softmax) {
    int64_t axis = leat__attr_int(&softmax->attrs, "axis", softmax->opset < 13 ? 1 : -1);
    return axis == -1 || axis == 3;
}

/* mask broadcasts to the scores and does not enlarge them. */
static int mask_fits(const leat_value *mask, const leat_value *scores) {
    if (!leat__is_f32(mask) || mask->rank < 0 || mask->rank > 4) return 0;
    for (int i = 0; i < mask->rank; i++) {
        int     axis = 4 - mask->rank + i;
        int64_t dim = mask->dims[i], full = scores->dims[axis];
        if (dim == 1 || (dim >= 0 && dim == full)) continue;
        if (mask->probe[i] < 1 || (mask->probe[i] != 1 && mask->probe[i] != scores->probe[axis])) return 0;
    }
    return 1;
}

/* ---- matching -------------------------------------------------------------------------------------------------------------- */

static int match_scores(attention *a) {
    leat_value *x = a->softmax->in[0];
    a->add = leat__is(x->producer, "Add") && leat__feeds_only(x->producer, a->softmax) ? x->producer : NULL;
    leat_node *reader = a->add ? a->add : a->softmax;
    for (int i = 0; i < reader->n_in && !a->scores; i++) {
        leat_node *from = reader->in[i] ? reader->in[i]->producer : NULL;
        if (!from || !is_bare(from, !a->add) || !leat__feeds_only(from, reader)) continue;
        a->scores = from;
        a->mask = a->add ? leat__other(a->add, from->out[0]) : leat__in(from, 3);
    }
    if (!a->scores || !is_f32_rank4(a->scores->out[0]) || (a->mask && !mask_fits(a->mask, a->scores->out[0]))) return 0;
    a->q = a->scores->in[0];
    a->k = a->scores->in[1];
    a->scale = (double)leat__attr_float(&a->scores->attrs, "alpha", 1);
    a->k_transposed = !leat__attr_int(&a->scores->attrs, "trans_b", 0);
    return is_f32_rank4(a->q) && is_f32_rank4(a->k);
}

static int match(attention *a, leat_node *softmax) {
    a->softmax = softmax;
    if (!leat__is(softmax, "Softmax") || !softmax->in[0] || softmax->out[0]->rank != 4 || !along_last(softmax) || !match_scores(a)) return 0;
    a->product = leat__only_reader(softmax->out[0]);
    if (!a->product || !is_bare(a->product, 0) || a->product->in[0] != softmax->out[0]) return 0;
    if (leat__attr_int(&a->product->attrs, "trans_b", 0) || leat__attr_float(&a->product->attrs, "alpha", 1) != 1) return 0;
    a->v = a->product->in[1];
    a->last = a->product;
    return is_f32_rank4(a->v);
}

/* ---- what stands around it --------------------------------------------------------------------------------------------------- */

static int swaps_heads(const leat_node *node) {
    static const int64_t wanted[4] = {0, 2, 1, 3};
    int                  n = 0;
    const int64_t       *perm = leat__is(node, "Transpose") ? leat__attr_ints(&node->attrs, "perm", &n) : NULL;
    return perm && n == 4 && memcmp(perm, wanted, sizeof wanted) == 0;
}

/* value = factor * x: takes the factor along. */
static leat_value *without_factor(leat_value *value, double *scale) {
    double      c;
    leat_value *x;
    leat_node  *node = value->producer;
    if (leat__is(node, "Mul") && leat__with_scalar(node, 0, &c, &x) && is_f32_rank4(x)) {
        *scale *= c;
        return x;
    }
    if (leat__is(node, "Div") && leat__with_scalar(node, 1, &c, &x) && c != 0 && is_f32_rank4(x)) {
        *scale /= c;
        return x;
    }
    return value;
}

/* Gather of one of [3,B,H,S,D], which is a Transpose (2,0,3,1,4) of x [B,S,3,H,D]; x or NULL. */
static leat_value *packed_source(const leat_node *gather) {
    static const int64_t wanted[5] = {2, 0, 3, 1, 4};
    int                  n = 0;
    if (!leat__is(gather, "Gather") || leat__attr_int(&gather->attrs, "axis", 0) != 0 || !leat__in(gather, 1)) return NULL;
    if (!gather->in[1]->constant || gather->in[1]->constant->rank != 0) return NULL;
    leat_node     *transpose = leat__from(gather, 0, "Transpose");
    const int64_t *perm = transpose ? leat__attr_ints(&transpose->attrs, "perm", &n) : NULL;
    return perm && n == 5 && memcmp(perm, wanted, sizeof wanted) == 0 ? transpose->in[0] : NULL;
}

/* The [B,S,H,D] that `value` [B,H,S,D] was made from, or NULL; *failed when out of memory. */
static leat_value *split_source(leat_value *value, int *failed) {
    leat_node *node = value->producer;
    if (!node || node->dead || node->out[0] != value) return NULL;
    if (swaps_heads(node)) return node->in[0];
    leat_value *packed = packed_source(node);
    if (!packed) return NULL;
    leat_value *in[2] = {packed, node->in[1]}, *y = leat__insert(node, "", "Gather", 13, 2, in, value);
    if (!y) {
        *failed = 1;
        return NULL;
    }
    leat__node_attr_set_int(y->producer, "axis", 2);
    y->dims[1] = value->dims[2];
    y->dims[2] = value->dims[1];
    y->probe[1] = value->probe[2];
    y->probe[2] = value->probe[1];
    return y;
}

static void take_split(leat_value **value, int *split, int *failed) {
    leat_value *source = split_source(*value, failed);
    if (!source) return;
    *value = source;
    *split = 1;
}

static int gather_surroundings(attention *a) {
    int failed = 0;
    a->q = without_factor(a->q, &a->scale);
    a->k = without_factor(a->k, &a->scale);
    take_split(&a->q, &a->q_split, &failed);
    if (!a->k_transposed) take_split(&a->k, &a->k_split, &failed);
    take_split(&a->v, &a->v_split, &failed);
    leat_node *next = leat__only_reader(a->product->out[0]);
    if (swaps_heads(next)) {
        a->last = next;
        a->y_split = 1;
    }
    return !failed;
}

/* ---- rewriting --------------------------------------------------------------------------------------------------------------- */

static int build(attention *a) {
    leat_node  *last = a->last;
    leat_value *in[4] = {a->q, a->k, a->v, a->mask};
    if (!leat__become(last, LEAT_FUSED_DOMAIN, "Attention", LEAT_FUSED_OPSET, a->mask ? 4 : 3)) return LEAT_ENOMEM;
    for (int i = 0; i < last->n_in; i++) leat__set_in(last, i, in[i]);
    leat__node_attr_set_float(last, "scale", (float)a->scale);
    if (a->k_transposed) leat__node_attr_set_int(last, "k_transposed", 1);
    if (a->q_split) leat__node_attr_set_int(last, "q_split", 1);
    if (a->k_split) leat__node_attr_set_int(last, "k_split", 1);
    if (a->v_split) leat__node_attr_set_int(last, "v_split", 1);
    if (a->y_split) leat__node_attr_set_int(last, "y_split", 1);
    last->name = a->softmax->name;
    leat__kill(a->scores);
    if (a->add) leat__kill(a->add);
    leat__kill(a->softmax);
    if (last != a->product) leat__kill(a->product);
    return 1;
}

static int attention_from(leat_pass *pass, leat_node *node) {
    attention a = {0};
    if (!match(&a, node)) return 0;
    return gather_surroundings(&a) ? build(&a) : LEAT_ENOMEM;
}

int leat__pass_attention(leat_pass *pass) {
    if (!leat__op_find(LEAT_FUSED_DOMAIN, "Attention", LEAT_FUSED_OPSET)) return LEAT_OK;
    return leat__pass_each(pass, attention_from);
}
