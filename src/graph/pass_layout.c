/* pass_layout.c - which values are stored channels-last.
 *
 * Convolutions are fast on NHWC.  Every node gets a label, plain or channels-last; a value whose producer and readers disagree costs a
 * conversion of about its size.  The labels are chosen to make the sum small:
 *
 *   kinds    by leat_op.layout: operators that want NHWC, those that do not care (ANY, AXIS), the rest, which need logical order.  A
 *            Transpose may read and write either: in a network that was born channels-last it is then often no work at all.
 *            A Reshape that keeps batch and channels and only folds or unfolds space moves no byte in either layout: it does not care.
 *   forward  a node that does not care starts with the label of the larger part of its inputs
 *   sweeps   backwards and forwards over the nodes, flipping a label where that lowers the cost (backwards also where it keeps it: so
 *            a border wanders up a chain until it finds a place where the value is small); the best state seen wins
 *
 * Inputs and outputs of the graph stay plain.  A graph without an operator that wants NHWC is left alone.
 */
#include <math.h>
#include <string.h>

#include "graph/layout.h"
#include "graph/trace.h"
#include "ops/fused.h"

#define FEW_CHANNELS 8 /* as in ops/conv.c */
#define UNKNOWN_DIM 64 /* stands for a dimension of which nothing is known */

/* ---- what an operator can do ---------------------------------------------------------------------------------------------- */

static int wants_nhwc(const leat_node *node) {
    return node->op->layout == LEAT_OP_NHWC && (strstr(node->op_type, "Conv") || strcmp(node->op_type, "InvertedResidual") == 0);
}

/* Reshape (and its kin) that keeps axes 0 and 1 and has at least one behind them. */
static int keeps_channels(const leat_node *node) {
    if (!leat__is(node, "Reshape") && !leat__is(node, "Squeeze") && !leat__is(node, "Unsqueeze")) return 0;
    const leat_value *x = node->in[0], *y = node->out[0];
    if (x->rank < 3 || y->rank < 3 || x->dims[1] != y->dims[1] || x->dims[1] < 1) return 0;
    return x->dims[0] == y->dims[0] && (x->dims[0] >= 0 || (x->probe[0] >= 0 && x->probe[0] == y->probe[0]));
}

/* An operand whose rank is unknown could be anything. */
static int ranks_known(const leat_node *node) {
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] && !node->in[i]->constant && node->in[i]->rank < 0) return 0;
    for (int o = 0; o < node->n_out; o++)
        if (node->out[o] && node->out[o]->rank < 0) return 0;
    return node->n_in > 0 && node->in[0] != NULL && node->out[0] != NULL;
}

static int outputs_keep_rank(const leat_node *node) {
    for (int o = 0; o < node->n_out; o++)
        if (node->out[o] && node->out[o]->rank != node->out[0]->rank) return 0;
    return node->out[0]->rank >= 3;
}

static layout_kind kind_of(const leat_node *node) {
    if (!node->op || (node->op->flags & LEAT_OP_CONTROL) || !ranks_known(node)) return LAYOUT_PLAIN;
    if (leat__is(node, "Transpose")) return node->in[0]->rank >= 3 && !node->in[0]->constant ? LAYOUT_TURN : LAYOUT_PLAIN;
    if (keeps_channels(node)) return LAYOUT_FREE;
    if (node->op->layout == LEAT_OP_PLAIN) return LAYOUT_PLAIN;
    int keeps = outputs_keep_rank(node);
    if (node->op->layout == LEAT_OP_ANY) return keeps ? LAYOUT_FREE : LAYOUT_PLAIN;
    if (strncmp(node->op_type, "Reduce", 6) == 0 && node->in[0]->rank > node->out[0]->rank && node->in[0]->rank >= 3) return LAYOUT_REDUCE;
    if (!keeps) return LAYOUT_PLAIN;
    return wants_nhwc(node) ? LAYOUT_WANTS : LAYOUT_FREE;
}

/* Does input i hold data that has the node's layout?  The others are weights and parameters, plain always. */
static int bears_layout(const leat_node *node, int i) {
    const leat_value *value = node->in[i];
    if (value->rank < 3) return 0;
    if (i > 0 && leat__is_in(node, LEAT_FUSED_DOMAIN, "InvertedResidual")) return i == 7 || i == 11 || i == 12;
    if (node->op->layout == LEAT_OP_NHWC) return i == 0 || (i == 3 && leat__is_in(node, LEAT_FUSED_DOMAIN, "Conv"));
    if (node->op->layout == LEAT_OP_PLAIN) return i == 0; /* keeps_channels */
    return i == 0 || value->rank == node->out[0]->rank;
}

/* The convolution of few channels with a real kernel row copies its input anyway, from whatever storage. */
static int takes_either(const leat_node *node, int i) {
    const leat_value *w = leat__in(node, 1);
    if (i != 0 || strcmp(node->op_type, "Conv") != 0 || !w || w->rank != 4) return 0;
    return leat__attr_int(&node->attrs, "group", 1) == 1 && w->dims[1] <= FEW_CHANNELS && w->dims[3] > 1 &&
           leat__attr_ints_are(node, "dilations", 1, 1);
}

int leat__layout_needs(const leat_layout *l, layout_read r) {
    const leat_node *node = l->nodes[r.node];
    if (l->kind[r.node] == LAYOUT_PLAIN) return 0;
    if (l->kind[r.node] == LAYOUT_TURN) return LAYOUT_ANY;
    if (l->kind[r.node] == LAYOUT_WANTS && takes_either(node, r.input)) return LAYOUT_ANY;
    return bears_layout(node, r.input) ? l->label[r.node] : 0;
}

int leat__layout_writes(const leat_layout *l, int n) {
    return l->kind[n] != LAYOUT_PLAIN && l->kind[n] != LAYOUT_REDUCE && l->label[n];
}

/* ---- tables --------------------------------------------------------------------------------------------------------------- */

static double conversion_cost(const leat_value *value) {
    double count = 1, space = 1;
    for (int d = 0; d < value->rank; d++) {
        int64_t dim = value->dims[d] >= 0 ? value->dims[d] : value->probe[d] > 0 ? value->probe[d] : UNKNOWN_DIM;
        count *= (double)dim;
        if (d >= 2) space *= (double)dim;
    }
    return value->rank < 3 || space == 1 || value->dims[1] == 1 ? 0 : count;
}

/* Counting sort of all readings by value. */
static void collect_reads(leat_layout *l) {
    for (int pass = 0; pass < 2; pass++) {
        for (int n = 0; n < l->n_nodes; n++) {
            const leat_node *node = l->nodes[n];
            for (int i = 0; i < node->n_in; i++)
                if (node->in[i] && pass == 0) l->first[node->in[i]->id + 1]++;
                else if (node->in[i]) l->reads[l->first[node->in[i]->id]++] = (layout_read){n, i};
        }
        if (pass == 0)
            for (int v = 0; v < l->n_ids; v++) l->first[v + 1] += l->first[v];
    }
    for (int v = l->n_ids; v > 0; v--) l->first[v] = l->first[v - 1]; /* filling moved every start to its end */
    l->first[0] = 0;
}

static void describe_values(leat_layout *l) {
    for (int v = 0; v < l->n_ids; v++) l->producer[v] = -1;
    for (int n = 0; n < l->n_nodes; n++)
        for (int o = 0; o < l->nodes[n]->n_out; o++)
            if (l->nodes[n]->out[o]) l->producer[l->nodes[n]->out[o]->id] = n;
    for (int i = 0; i < l->graph->n_values; i++) {
        const leat_value *value = l->graph->values[i];
        int               id = value->id;
        l->size[id] = value->constant ? 0 : conversion_cost(value);
        l->outside[id] = value->is_output || value->uses > l->first[id + 1] - l->first[id];
    }
}

static void layout_fini(leat_layout *l) {
    leat__free(l->nodes);
    leat__free(l->kind);
    leat__free(l->label);
    leat__free(l->producer);
    leat__free(l->first);
    leat__free(l->reads);
    leat__free(l->outside);
    leat__free(l->size);
}

static int layout_init(leat_layout *l, leat_graph *graph) {
    size_t reads = 0;
    *l = (leat_layout){.graph = graph, .n_nodes = graph->n_nodes, .n_ids = leat__graph_id_count(graph)};
    for (int n = 0; n < graph->n_nodes; n++) reads += (size_t)graph->nodes[n]->n_in;
    l->nodes = leat__calloc((size_t)l->n_nodes + 1, sizeof *l->nodes, LEAT_MEMORY_GRAPH);
    l->kind = leat__calloc((size_t)l->n_nodes + 1, 1, LEAT_MEMORY_GRAPH);
    l->label = leat__calloc((size_t)l->n_nodes + 1, 1, LEAT_MEMORY_GRAPH);
    l->producer = leat__calloc((size_t)l->n_ids + 1, sizeof *l->producer, LEAT_MEMORY_GRAPH);
    l->first = leat__calloc((size_t)l->n_ids + 2, sizeof *l->first, LEAT_MEMORY_GRAPH);
    l->reads = leat__calloc(reads + 1, sizeof *l->reads, LEAT_MEMORY_GRAPH);
    l->outside = leat__calloc((size_t)l->n_ids + 1, 1, LEAT_MEMORY_GRAPH);
    l->size = leat__calloc((size_t)l->n_ids + 1, sizeof *l->size, LEAT_MEMORY_GRAPH);
    if (!l->nodes || !l->kind || !l->label || !l->producer || !l->first || !l->reads || !l->outside || !l->size) {
        layout_fini(l);
        return 0;
    }
    memcpy(l->nodes, graph->nodes, (size_t)l->n_nodes * sizeof *l->nodes);
    collect_reads(l);
    describe_values(l);
    for (int n = 0; n < l->n_nodes; n++) l->kind[n] = (uint8_t)kind_of(graph->nodes[n]);
    return 1;
}

/* ---- cost ----------------------------------------------------------------------------------------------------------------- */

/* A value is converted at most once, however many readers want the other storage. */
static double value_cost(const leat_layout *l, int id) {
    int stored = l->producer[id] >= 0 && leat__layout_writes(l, l->producer[id]);
    if (l->size[id] == 0) return 0;
    if (stored && l->outside[id]) return l->size[id];
    for (int r = l->first[id]; r < l->first[id + 1]; r++) {
        int needs = leat__layout_needs(l, l->reads[r]);
        if (needs != LAYOUT_ANY && needs != stored) return l->size[id];
    }
    return 0;
}

/* What the node itself pays: a Transpose for moving, an operator that wants channels-last for converting on its own. */
static double own_cost(const leat_layout *l, int n) {
    const leat_node *node = l->nodes[n];
    if (l->kind[n] == LAYOUT_TURN) {
        int from = l->producer[node->in[0]->id], stored = from >= 0 && leat__layout_writes(l, from);
        return leat__layout_turns(node, stored, l->label[n]) ? l->size[node->in[0]->id] : 0;
    }
    return l->kind[n] == LAYOUT_WANTS && !l->label[n] ? 1 + l->size[node->in[0]->id] + l->size[node->out[0]->id] : 0;
}

/* Cost of everything that depends on the label of node n. */
static double node_cost(const leat_layout *l, int n) {
    const leat_node *node = l->nodes[n];
    double           cost = own_cost(l, n);
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i]) cost += value_cost(l, node->in[i]->id);
    for (int o = 0; o < node->n_out; o++) {
        if (!node->out[o]) continue;
        int id = node->out[o]->id;
        cost += value_cost(l, id);
        for (int r = l->first[id]; r < l->first[id + 1]; r++)
            if (l->kind[l->reads[r].node] == LAYOUT_TURN) cost += own_cost(l, l->reads[r].node);
    }
    return cost;
}

static double total_cost(const leat_layout *l) {
    double cost = 0;
    for (int id = 0; id < l->n_ids; id++) cost += value_cost(l, id);
    for (int n = 0; n < l->n_nodes; n++) cost += own_cost(l, n);
    return cost;
}

/* ---- choosing ------------------------------------------------------------------------------------------------------------- */

static void label_forward(leat_layout *l) {
    for (int n = 0; n < l->n_nodes; n++) {
        const leat_node *node = l->nodes[n];
        double           last = 0, plain = 0;
        l->label[n] = l->kind[n] == LAYOUT_WANTS;
        if (l->kind[n] != LAYOUT_FREE && l->kind[n] != LAYOUT_REDUCE) continue;
        for (int i = 0; i < node->n_in; i++) {
            if (!node->in[i] || node->in[i]->constant || !bears_layout(node, i)) continue;
            int from = l->producer[node->in[i]->id];
            *(from >= 0 && leat__layout_writes(l, from) ? &last : &plain) += 1 + l->size[node->in[i]->id];
        }
        l->label[n] = last > 0 && last >= plain;
    }
}

static void flip_if_better(leat_layout *l, int n, double margin) {
    if (l->kind[n] == LAYOUT_PLAIN) return;
    double before = node_cost(l, n);
    l->label[n] ^= 1;
    if (!(node_cost(l, n) < before + margin)) l->label[n] ^= 1;
}

static int choose_labels(leat_layout *l) {
    uint8_t *best = leat__calloc((size_t)l->n_nodes + 1, 1, LEAT_MEMORY_GRAPH);
    if (!best) return 0;
    label_forward(l);
    double lowest = total_cost(l);
    memcpy(best, l->label, (size_t)l->n_nodes);
    for (int round = 0; round < 4; round++) {
        double indifferent = round == 0 ? 0.5 : 0; /* sizes are whole numbers */
        for (int n = l->n_nodes - 1; n >= 0; n--) flip_if_better(l, n, l->label[n] ? indifferent : 0);
        for (int n = 0; n < l->n_nodes; n++) flip_if_better(l, n, 0);
        double cost = total_cost(l);
        if (!(cost < lowest)) continue;
        lowest = cost;
        memcpy(best, l->label, (size_t)l->n_nodes);
    }
    memcpy(l->label, best, (size_t)l->n_nodes);
    leat__free(best);
    return 1;
}

static int anything_wanted(const leat_graph *graph) {
    for (int n = 0; n < graph->n_nodes; n++)
        if (graph->nodes[n]->op && wants_nhwc(graph->nodes[n])) return 1;
    return 0;
}

int leat__pass_layout(leat_pass *pass) {
    leat_layout l;
    if (!anything_wanted(pass->graph)) return LEAT_OK;
    if (!layout_init(&l, pass->graph)) return leat__fail(pass->error, LEAT_ENOMEM, "out of memory while choosing layouts");
    int ok = choose_labels(&l) && leat__layout_apply(&l);
    layout_fini(&l);
    return ok ? LEAT_OK : leat__fail(pass->error, LEAT_ENOMEM, "out of memory while choosing layouts");
}
