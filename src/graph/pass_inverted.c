/* pass_inverted.c - inverted residual blocks become one operator.
 *
 *   [1x1 convolution, act]  ->  depthwise k x k, act  ->  1x1 convolution [, act] [+ residual]        -> leat.InvertedResidual
 *
 * The wide tensor in the middle is several times as large as both ends; computed in row tiles it never leaves the cache.  The pattern
 * is anchored at the depthwise convolution, after pass_conv.c has put activations and the residual into the convolutions.  Every value
 * in between must have one reader.  Without an expansion in front (or with one that others read too) depthwise + pointwise alone
 * is matched.  A Concat of two equal tensors in front becomes two inputs.
 *
 * A small middle stays in the cache anyway, and three convolutions are as fast.  Where the size is not known at load the block is made: the
 * operator looks again when it knows.
 */
#include <string.h>

#include "graph/pass.h"
#include "ops/fused.h"

#define INPUTS 12 /* of leat.InvertedResidual */
#define MIDDLE_BYTES ((int64_t)64 << 10) /* from this size on the middle is worth keeping in tiles */

static int is_conv(const leat_node *node) {
    return leat__is(node, "Conv") || leat__is_in(node, LEAT_FUSED_DOMAIN, "Conv");
}

/* Constant float32 weights [.., .., kh, kw] of a two-dimensional convolution, or NULL. */
static const leat_tensor *weights_2d(const leat_node *conv) {
    leat_value *w = is_conv(conv) ? leat__in(conv, 1) : NULL;
    if (!w || !w->constant || !w->constant->data || w->constant->dtype != LEAT_DTYPE_F32 || w->constant->rank != 4) return NULL;
    leat_value *bias = leat__in(conv, 2);
    return bias && !bias->constant ? NULL : w->constant;
}

static int explicit_padding(const leat_node *conv) {
    return strcmp(leat__attr_string(&conv->attrs, "auto_pad", "NOTSET"), "NOTSET") == 0;
}

static int is_pointwise(const leat_node *conv) {
    const leat_tensor *w = weights_2d(conv);
    return w && w->dims[2] == 1 && w->dims[3] == 1 && leat__attr_int(&conv->attrs, "group", 1) == 1 &&
           leat__attr_ints_are(conv, "strides", 1, 1) && leat__attr_ints_are(conv, "pads", 0, 0) &&
           strncmp(leat__attr_string(&conv->attrs, "auto_pad", "NOTSET"), "SAME", 4) != 0;
}

static int is_depthwise(const leat_node *conv) {
    const leat_tensor *w = weights_2d(conv);
    return w && w->dims[1] == 1 && w->dims[0] > 1 && leat__attr_int(&conv->attrs, "group", 1) == w->dims[0] &&
           w->dims[2] <= 16 && w->dims[3] <= 16 && explicit_padding(conv) && !leat__in(conv, 3);
}

/* ---- does it pay? --------------------------------------------------------------------------------------------------------- */

static int pays(const leat_node *depthwise, int64_t middle) {
    const leat_value *x = depthwise->in[0];
    if (!leat__known_dims(x) || x->rank != 4) return 1;
    if (x->dims[2] > 65536 || x->dims[3] > 65536) return 0;
    return middle * x->dims[2] * x->dims[3] * (int64_t)sizeof(float) >= MIDDLE_BYTES;
}

/* ---- building ------------------------------------------------------------------------------------------------------------- */

/* Copies attributes act, act_alpha, .. of `from` to act1, act1_alpha, .. of `to` (prefix "act1"). */
static int copy_act(leat_node *to, const leat_node *from, const char *prefix) {
    for (int i = 0; from && i < from->attrs.n; i++) {
        const leat_attr *attr = &from->attrs.list[i];
        if (strcmp(attr->name, "act") != 0 && strncmp(attr->name, "act_", 4) != 0) continue;
        const char *name = leat__arena_printf(to->graph->arena, "%s%s", prefix, attr->name + 3);
        leat_attr  *copy = name ? leat__node_attr_add(to, name, attr->type) : NULL;
        if (!copy) return 0;
        const char *kept = copy->name;
        *copy = *attr;
        copy->name = kept;
    }
    return 1;
}

static int copy_ints(leat_node *to, const leat_node *from, const char *name, int64_t absent, int count) {
    int            n = 0;
    int64_t        all[4] = {absent, absent, absent, absent};
    const int64_t *ints = leat__attr_ints(&from->attrs, name, &n);
    return leat__node_attr_set_ints(to, name, ints && n == count ? ints : all, count) == LEAT_OK;
}

static int build(leat_node *last, leat_node *expand, leat_node *depthwise) {
    leat_value *first = expand ? expand->in[0] : depthwise->in[0];
    leat_value *in[INPUTS] = {first, expand ? expand->in[1] : NULL, expand ? leat__in(expand, 2) : NULL, depthwise->in[1],
                              leat__in(depthwise, 2), last->in[1], leat__in(last, 2), leat__in(last, 3),
                              expand ? leat__in(expand, 4) : NULL, leat__in(depthwise, 4), leat__in(last, 4)};
    leat_node   old = *last; /* its attributes are needed after it has become the block */
    if (!leat__become(last, LEAT_FUSED_DOMAIN, "InvertedResidual", LEAT_FUSED_OPSET, INPUTS)) return LEAT_ENOMEM;
    for (int i = 0; i < INPUTS; i++) leat__set_in(last, i, in[i]);
    int ok = copy_act(last, expand, "act1") && copy_act(last, depthwise, "actd") && copy_act(last, &old, "act2") &&
             copy_ints(last, depthwise, "strides", 1, 2) && copy_ints(last, depthwise, "pads", 0, 4) &&
             copy_ints(last, depthwise, "dilations", 1, 2);
    if (leat__attr_int(&old.attrs, "residual_after", 0)) leat__node_attr_set_int(last, "residual_after", 1);
    last->name = depthwise->name;
    if (expand) leat__kill(expand);
    leat__kill(depthwise);
    return ok ? 1 : LEAT_ENOMEM;
}

static int inverted(leat_pass *pass, leat_node *node) {
    if (!is_conv(node) || !is_depthwise(node)) return 0;
    leat_node *last = leat__only_reader(node->out[0]);
    if (!last || !is_pointwise(last) || last->in[0] != node->out[0]) return 0;
    int64_t middle = node->in[1]->constant->dims[0];
    if (last->in[1]->constant->dims[1] != middle || !pays(node, middle)) return 0;
    leat_node *expand = node->in[0]->producer;
    if (!expand || expand->graph != node->graph || !is_pointwise(expand) || leat__in(expand, 3) || !leat__feeds_only(expand, node))
        expand = NULL;
    return build(last, expand, node);
}

/* Two equal tensors are concatenated only for this block (the skip connection of a U-Net): it reads them one beside the other. */
static int read_parts(leat_pass *pass, leat_node *node) {
    if (!leat__is_in(node, LEAT_FUSED_DOMAIN, "InvertedResidual") || !leat__in(node, 1) || node->n_in < INPUTS) return 0;
    leat_node *concat = leat__from(node, 0, "Concat");
    if (!concat || concat->n_in != 2 || leat__attr_int(&concat->attrs, "axis", 0) != 1 || !leat__feeds_only(concat, node)) return 0;
    if (concat->in[0] == concat->in[1] || !leat__surely_same_shape(concat->in[0], concat->in[1])) return 0;
    leat__set_in(node, 0, concat->in[0]);
    leat__set_in(node, INPUTS - 1, concat->in[1]);
    leat__kill(concat);
    return 1;
}

int leat__pass_inverted(leat_pass *pass) {
    if (!leat__op_find(LEAT_FUSED_DOMAIN, "InvertedResidual", LEAT_FUSED_OPSET)) return LEAT_OK;
    int status = leat__pass_each(pass, inverted);
    return status == LEAT_OK ? leat__pass_each(pass, read_parts) : status;
}
