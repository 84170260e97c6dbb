/* layout_apply.c - makes the graph have the layouts that pass_layout.c chose.
 *
 * Every value keeps one home storage, that of its producer.  Where readers want the other one, a twin value is made by one
 * leat.ToNHWC or leat.ToNCHW and all those readers share it.  A value that must exist in logical order (graph outputs, inner graphs)
 * stays itself; if its producer writes channels-last, the producer gets a new output and the value is made from that.
 *
 * Constants are stored as their readers want: the same bytes under another flag where only channels differ from one, else rearranged.
 * A Transpose that becomes the identity in memory order turns into leat.Relabel, a view.
 */
#include <string.h>

#include "graph/layout.h"
#include "ops/fused.h"

/* ---- twins ---------------------------------------------------------------------------------------------------------------- */

static void reindex(leat_layout *l, leat_value *from, leat_value *to, int storage) {
    for (int r = l->first[from->id]; r < l->first[from->id + 1]; r++) {
        layout_read read = l->reads[r];
        if (leat__layout_needs(l, read) == storage) leat__set_in(l->nodes[read.node], read.input, to);
    }
}

static int any_needs(const leat_layout *l, const leat_value *value, int storage) {
    for (int r = l->first[value->id]; r < l->first[value->id + 1]; r++)
        if (leat__layout_needs(l, l->reads[r]) == storage) return 1;
    return 0;
}

/* New node right behind node `at` (-1: in front of all) that turns `from` into `to`. */
static int convert(leat_graph *graph, int at, const char *op_type, leat_value *from, leat_value *to) {
    leat_node *node = leat__graph_node(graph, at + 1, LEAT_FUSED_DOMAIN, op_type, LEAT_FUSED_OPSET, 1, 1);
    if (!node) return 0;
    node->name = from->name;
    leat__set_in(node, 0, from);
    node->out[0] = to;
    to->producer = node;
    return 1;
}

/* ---- constants ------------------------------------------------------------------------------------------------------------ */

static void rearrange(const leat_tensor *from, leat_tensor *to) {
    size_t  elem = leat_dtype_size(from->dtype);
    int64_t space = 1;
    for (int d = 2; d < from->rank; d++) space *= from->dims[d];
    const char *src = from->data;
    char       *dst = to->data;
    for (int64_t n = 0; n < from->dims[0]; n++, src += (size_t)(from->dims[1] * space) * elem)
        for (int64_t s = 0; s < space; s++)
            for (int64_t c = 0; c < from->dims[1]; c++, dst += elem) memcpy(dst, src + (size_t)(c * space + s) * elem, elem);
}

static leat_value *constant_twin(leat_graph *graph, const leat_value *value) {
    leat_value *twin;
    if (leat__layouts_equal(value->constant)) {
        leat_tensor *tensor = leat__arena_calloc(graph->arena, 1, sizeof *tensor);
        twin = leat__new_value(graph, value);
        if (!twin || !tensor) return NULL;
        *tensor = *value->constant;
        twin->constant = tensor;
    } else {
        twin = leat__graph_constant(graph, value->constant->dtype, value->constant->rank, value->constant->dims);
        if (!twin) return NULL;
        rearrange(value->constant, twin->constant);
    }
    twin->constant->flags |= LEAT_TENSOR_NHWC;
    twin->nhwc = 1;
    return twin;
}

static int apply_constant(leat_layout *l, leat_value *value) {
    if (value->rank < 3 || !value->constant->data || leat_dtype_size(value->constant->dtype) == 0 || !any_needs(l, value, 1)) return 1;
    leat_value *twin = constant_twin(l->graph, value);
    if (!twin) return 0;
    reindex(l, value, twin, 1);
    return 1;
}

/* ---- computed values ------------------------------------------------------------------------------------------------------ */

static int node_index(const leat_graph *graph, const leat_node *node) {
    return node ? leat__graph_at(graph, node) : -1;
}

/* Plain at home: readers that want channels-last share one twin. */
static int apply_plain(leat_layout *l, leat_node *producer, leat_value *value) {
    if (!any_needs(l, value, 1)) return 1;
    leat_value *twin = leat__new_value(l->graph, value);
    if (!twin || !convert(l->graph, node_index(l->graph, producer), "ToNHWC", value, twin)) return 0;
    twin->nhwc = 1;
    reindex(l, value, twin, 1);
    return 1;
}

/* Channels-last at home: where logical order is needed too, the old value is that, and a new one takes its place at the producer. */
static int apply_last(leat_layout *l, leat_node *producer, leat_value *value) {
    if (!l->outside[value->id] && !any_needs(l, value, 0)) {
        value->nhwc = 1;
        return 1;
    }
    leat_value *home = leat__new_value(l->graph, value);
    if (!home) return 0;
    for (int o = 0; o < producer->n_out; o++)
        if (producer->out[o] == value) producer->out[o] = home;
    home->producer = producer;
    home->nhwc = 1;
    reindex(l, value, home, 1);
    reindex(l, value, home, LAYOUT_ANY);
    return convert(l->graph, node_index(l->graph, producer), "ToNCHW", home, value);
}

/* ---- transposes ----------------------------------------------------------------------------------------------------------- */

/* Logical axis that is the i-th in memory. */
static int axis_in_memory(int rank, int nhwc, int i) {
    if (!nhwc || i == 0) return i;
    return i == rank - 1 ? 1 : i + 1;
}

int leat__layout_turns(const leat_node *transpose, int in_nhwc, int out_nhwc) {
    int            n = 0, rank = transpose->out[0]->rank;
    const int64_t *perm = leat__attr_ints(&transpose->attrs, "perm", &n);
    if (!perm || n != rank || transpose->in[0]->rank != rank) return 1;
    for (int i = 0; i < rank; i++)
        if (perm[axis_in_memory(rank, out_nhwc, i)] != axis_in_memory(rank, in_nhwc, i)) return 1;
    return 0;
}

static int relabel(leat_node *node) {
    leat_value *x = node->in[0], *y = node->out[0];
    if (x->nhwc == y->nhwc || leat__layout_turns(node, x->nhwc, y->nhwc)) return 1;
    if (!leat__become(node, LEAT_FUSED_DOMAIN, "Relabel", LEAT_FUSED_OPSET, 1)) return 0;
    leat__set_in(node, 0, x);
    leat__node_attr_set_string(node, "mode", x->nhwc ? "last" : "first");
    return 1;
}

int leat__layout_apply(leat_layout *l) {
    int n_values = l->graph->n_values, ok = 1;
    for (int i = 0; i < n_values && ok; i++) {
        leat_value *value = l->graph->values[i];
        int         from = l->producer[value->id];
        leat_node  *producer = from >= 0 ? l->nodes[from] : NULL;
        if (value->constant) ok = apply_constant(l, value);
        else if (producer && leat__layout_writes(l, from)) ok = apply_last(l, producer, value);
        else ok = apply_plain(l, producer, value);
    }
    for (int n = 0; n < l->n_nodes && ok; n++)
        if (l->kind[n] == LAYOUT_TURN) ok = relabel(l->nodes[n]);
    return ok;
}
