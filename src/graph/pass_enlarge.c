/* pass_enlarge.c - the decoder of a U-Net: an enlarged tensor beside a skip connection, in front of an inverted residual.
 *
 *   Concat(Resize linear(U), X) -> InvertedResidual     =     InvertedResidual(X, UP = U)
 *
 * Enlarging and the 1x1 expansion are linear, so they may change places: U is expanded at its own size, a quarter of the pixels at a
 * factor of two, and neither the enlarged tensor nor the concatenation is ever made.  The Resize must enlarge by whole factors, or
 * to a size that is known, so that its scale is the ratio of the sizes.
 */
#include <math.h>
#include <string.h>

#include "graph/pass.h"
#include "ops/fused.h"

enum { X2 = 11, UP = 12, INPUTS = 13 }; /* of leat.InvertedResidual */

/* Constant scales [1, 1, a, b] with whole a and b. */
static int whole_scales(const leat_value *scales) {
    const leat_tensor *t = scales ? scales->constant : NULL;
    if (!t || !t->data || t->dtype != LEAT_DTYPE_F32 || leat_tensor_count(t) != 4) return 0;
    const float *s = t->data;
    return s[0] == 1 && s[1] == 1 && s[2] >= 1 && s[3] >= 1 && s[2] == floorf(s[2]) && s[3] == floorf(s[3]);
}

/* Sizes alone decide, and they are known: then the scale is their ratio. */
static int known_sizes(const leat_node *resize) {
    const leat_value *x = resize->in[0], *y = resize->out[0];
    return leat__in(resize, 3) && leat__known_dims(x) && leat__known_dims(y) && x->dims[0] == y->dims[0] && x->dims[1] == y->dims[1] &&
           x->dims[2] > 0 && x->dims[3] > 0;
}

/* The up_mode of a Resize or Upsample that only enlarges linearly along H and W, or NULL. */
static const char *linear_mode(const leat_node *resize) {
    int legacy = leat__is(resize, "Upsample") || resize->opset < 11;
    const char *mode = leat__attr_string(&resize->attrs, "mode", "nearest");
    const char *where = leat__attr_string(&resize->attrs, "coordinate_transformation_mode", legacy ? "asymmetric" : "half_pixel");
    if (strcmp(mode, "linear") != 0 || leat__attr(&resize->attrs, "axes") || leat__attr_int(&resize->attrs, "antialias", 0)) return NULL;
    if (leat__attr(&resize->attrs, "keep_aspect_ratio_policy") || !leat__is_f32(resize->in[0]) || resize->in[0]->rank != 4) return NULL;
    if (!(legacy ? whole_scales(leat__in(resize, 1)) : whole_scales(leat__in(resize, 2)) || known_sizes(resize))) return NULL;
    int known = strcmp(where, "half_pixel") == 0 || strcmp(where, "pytorch_half_pixel") == 0 || strcmp(where, "align_corners") == 0 ||
                strcmp(where, "asymmetric") == 0;
    return known ? where : NULL;
}

/* The Resize that makes `value` for `reader` alone, or NULL. */
static leat_node *resize_for(const leat_value *value, const leat_node *reader) {
    leat_node *resize = value->producer;
    if (!resize || resize->dead || resize->graph != reader->graph || !(leat__is(resize, "Resize") || leat__is(resize, "Upsample"))) return NULL;
    return leat__feeds_only(resize, reader) && linear_mode(resize) ? resize : NULL;
}

/* The two tensors that the block reads side by side, and the node that reads them. */
static const leat_node *find_pair(const leat_node *node, leat_value *pair[2]) {
    if (leat__in(node, X2)) {
        pair[0] = node->in[0];
        pair[1] = node->in[X2];
        return node;
    }
    leat_node *concat = leat__from(node, 0, "Concat");
    if (!concat || concat->n_in != 2 || !leat__feeds_only(concat, node) || leat__attr_int(&concat->attrs, "axis", 0) != 1) return NULL;
    pair[0] = concat->in[0];
    pair[1] = concat->in[1];
    return concat;
}

static int enlarge(leat_pass *pass, leat_node *node) {
    leat_value *pair[2];
    if (!leat__is_in(node, LEAT_FUSED_DOMAIN, "InvertedResidual") || !leat__in(node, 1) || leat__in(node, UP)) return 0;
    const leat_node *reader = find_pair(node, pair);
    if (!reader || !pair[0] || !pair[1] || pair[0] == pair[1]) return 0;
    int up = resize_for(pair[0], reader) ? 0 : resize_for(pair[1], reader) ? 1 : -1;
    if (up < 0 || !leat__grow_in(node, INPUTS)) return up < 0 ? 0 : LEAT_ENOMEM;
    leat_node *resize = pair[up]->producer;
    leat__node_attr_set_string(node, "up_mode", linear_mode(resize));
    leat__node_attr_set_int(node, "up_first", up == 0);
    leat__set_in(node, 0, pair[1 - up]);
    leat__set_in(node, X2, NULL);
    leat__set_in(node, UP, resize->in[0]);
    if (reader != node) leat__kill((leat_node *)reader);
    leat__kill(resize);
    return 1;
}

int leat__pass_enlarge(leat_pass *pass) { return leat__pass_each(pass, enlarge); }
