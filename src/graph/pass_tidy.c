/* pass_tidy.c - removes what computes nothing: identities, dropout, neutral arithmetic, casts and reshapes to what a value is already,
 * outputs that nobody reads, and nodes that nobody needs.
 *
 * Dropout is an identity because a model is only ever run for inference.  "x * 1", "x + 0" and their like go only when the constant
 * cannot broadcast x to a higher rank.  A node whose output is a graph output hands the name to its producer where that is possible.
 */
#include <string.h>

#include "graph/pass.h"

static int always_identity(const leat_node *node) {
    if (leat__is(node, "Identity")) return 1;
    if (leat__is(node, "Concat") || leat__is(node, "Sum") || leat__is(node, "Max") || leat__is(node, "Min") || leat__is(node, "Mean"))
        return node->n_in == 1;
    return 0;
}

static int inert_dropout(const leat_node *node) {
    double training = 0;
    if (!leat__is(node, "Dropout")) return 0;
    if (node->n_out > 1 && node->out[1] && (node->out[1]->uses || node->out[1]->is_output)) return 0;
    leat_value *mode = leat__in(node, 2);
    if (!mode) return 1;
    if (!mode->constant || mode->constant->dtype != LEAT_DTYPE_BOOL || leat_tensor_count(mode->constant) != 1) return 0;
    training = *(const uint8_t *)mode->constant->data;
    return training == 0;
}

static int null_cast(const leat_node *node) {
    if (!leat__is(node, "Cast") || node->in[0]->dtype == LEAT_DTYPE_NONE) return 0;
    return leat__attr_int(&node->attrs, "to", 0) == (int64_t)node->in[0]->dtype;
}

/* Only the arrangement could change, and it does not. */
static int null_reshape(const leat_node *node) {
    static const char *const types[] = {"Reshape", "Expand", "Flatten", "Squeeze", "Unsqueeze", "Tile"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (leat__is(node, types[i])) return node->in[0] && leat__same_shape(node->in[0], node->out[0]);
    return 0;
}

static int null_pad(const leat_node *node) {
    int64_t pads[2 * LEAT_MAX_RANK];
    int     n = 0;
    if (!leat__is(node, "Pad")) return 0;
    const int64_t *list = leat__attr_ints(&node->attrs, "pads", &n);
    if (!list) {
        n = leat__const_ints(leat__in(node, 1), pads, 2 * LEAT_MAX_RANK);
        list = pads;
    }
    for (int i = 0; i < n; i++)
        if (list[i] != 0) return 0;
    return n > 0;
}

static int null_transpose(const leat_node *node) {
    int            n = 0;
    const int64_t *perm = leat__is(node, "Transpose") ? leat__attr_ints(&node->attrs, "perm", &n) : NULL;
    for (int i = 0; i < n; i++)
        if (perm[i] != i) return 0;
    return perm != NULL && n > 0;
}

/* The operand that passes unchanged through x * 1, x / 1, x + 0, x - 0, x ^ 1; else NULL. */
static leat_value *neutral(const leat_node *node) {
    double      c;
    leat_value *x = NULL;
    int         add = leat__is(node, "Add"), mul = leat__is(node, "Mul");
    int         sub = leat__is(node, "Sub"), div = leat__is(node, "Div"), power = leat__is(node, "Pow");
    if (!(add || mul || sub || div || power) || !leat__with_scalar(node, sub || div || power, &c, &x)) return NULL;
    return x->constant || c != ((add || sub) ? 0 : 1) ? NULL : x;
}

static int remove_inert(leat_pass *pass, leat_node *node) {
    if (node->n_in < 1 || !node->in[0] || !node->out[0]) return 0;
    if (always_identity(node) || inert_dropout(node) || null_cast(node) || null_reshape(node) || null_pad(node) || null_transpose(node))
        return leat__bypass(pass, node, node->in[0]);
    leat_value *x = neutral(node);
    return x ? leat__bypass(pass, node, x) : 0;
}

static int unread(const leat_value *value) {
    return value->uses == 0 && !value->is_output;
}

/* Drops optional outputs that nobody reads; the operators then skip the work.  Where any number of outputs is allowed their number means
 * something (Split), and stays. */
static void drop_unread_outputs(leat_node *node) {
    if (!node->op) return;
    for (int o = node->op->min_out; o < node->n_out; o++)
        if (o > 0 && node->out[o] && unread(node->out[o])) node->out[o] = NULL;
    while (node->op->max_out >= 0 && node->n_out > 1 && node->n_out > node->op->min_out && !node->out[node->n_out - 1]) node->n_out--;
}

/* Backwards, so that a chain of useless nodes goes in one sweep. */
static void remove_dead(leat_pass *pass) {
    leat_graph *graph = pass->graph;
    for (int n = graph->n_nodes - 1; n >= 0; n--) {
        leat_node *node = graph->nodes[n];
        int        needed = 0;
        if (node->dead) continue;
        for (int o = 0; o < node->n_out; o++) needed |= node->out[o] && !unread(node->out[o]);
        if (needed) {
            drop_unread_outputs(node);
        } else {
            leat__kill(node);
            pass->changed++;
        }
    }
}

int leat__pass_tidy(leat_pass *pass) {
    int status = leat__pass_each(pass, remove_inert);
    remove_dead(pass);
    return status;
}
