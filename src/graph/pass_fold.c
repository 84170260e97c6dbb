/* pass_fold.c - what can be computed at load is computed at load.
 *
 * 1. A deterministic node whose inputs are all constants becomes constants itself, by running it (node_eval).  Results that are large
 *    and much larger than what they are made from (Expand, ConstantOfShape, Tile) stay nodes: the file said it in fewer bytes.
 * 2. A node that reads only dims (Shape, Size) is computed when they are known; Gather of Shape also when just the dims it asks
 *    for are known, which frees the usual "batch is symbolic, the rest is not" chains.
 * 3. If with a constant condition is replaced by the nodes of the branch taken.
 *
 * A node that fails here (division by zero, say) is left alone: it will fail, with its own message, if it is ever run.
 */
#include <string.h>

#include "graph/node_eval.h"
#include "graph/pass.h"

#define FOLD_SMALL ((size_t)4 << 20) /* results up to this many bytes are always kept */
#define FOLD_GROWTH 4                /* larger ones may be this many times the inputs: int8 weights to float32 */
#define FOLD_BUDGET ((size_t)64 << 20) /* all results together, beside FOLD_GROWTH times all constants of the file */
#define MAX_PORTS 64

static int exotic(leat_dtype dtype) {
    return dtype == LEAT_DTYPE_STRING || dtype == LEAT_DTYPE_C64 || dtype == LEAT_DTYPE_C128;
}

/* Input tensors for evaluation; 0 when one is not available. */
static int gather_inputs(const leat_node *node, leat_tensor *dims_only, leat_tensor **in, size_t *bytes) {
    int shape_only = (node->op->flags & LEAT_OP_SHAPE_ONLY) != 0;
    for (int i = 0; i < node->n_in; i++) {
        leat_value *value = node->in[i];
        in[i] = value ? value->constant : NULL;
        if (value && !in[i]) {
            if (!shape_only || !leat__known_dims(value) || value->dtype == LEAT_DTYPE_NONE) return 0;
            leat__tensor_set(&dims_only[i], value->dtype, value->rank, value->dims);
            in[i] = &dims_only[i];
        } else if (value && (!in[i]->data || exotic(in[i]->dtype))) {
            return 0;
        } else if (value) {
            *bytes += leat_tensor_bytes(in[i]);
        }
    }
    return 1;
}

static int make_constant(leat_value *value, const leat_tensor *tensor) {
    leat_tensor *copy = leat__arena_calloc(value->graph->arena, 1, sizeof *copy);
    if (!copy) return 0;
    *copy = *tensor;
    value->constant = copy;
    value->producer = NULL;
    value->dtype = tensor->dtype;
    value->rank = tensor->rank;
    memcpy(value->dims, tensor->dims, sizeof value->dims);
    return 1;
}

/* A graph output stays the product of a node: a run has to write it into the caller's buffer. */
static int foldable(const leat_node *node) {
    if (!node->op || (node->op->flags & (LEAT_OP_NONDET | LEAT_OP_CONTROL)) || node->n_in > MAX_PORTS || node->n_out > MAX_PORTS)
        return 0;
    for (int o = 0; o < node->n_out; o++)
        if (node->out[o] && node->out[o]->is_output) return 0;
    return 1;
}

static int fold_node(leat_pass *pass, leat_node *node) {
    leat_tensor dims_only[MAX_PORTS] = {0}, out[MAX_PORTS], *in[MAX_PORTS];
    size_t      bytes = 0;
    if (!foldable(node) || !gather_inputs(node, dims_only, in, &bytes)) return 0;
    size_t limit = bytes * FOLD_GROWTH > FOLD_SMALL ? bytes * FOLD_GROWTH : FOLD_SMALL;
    if (limit > pass->fold_budget) limit = pass->fold_budget;
    int status = leat__node_eval(node, in, out, node->graph->arena, limit, NULL);
    if (status == LEAT_ENOMEM) return LEAT_ENOMEM;
    if (status != LEAT_OK) return 0;
    for (int o = 0; o < node->n_out; o++) {
        if (!node->out[o]) continue;
        if (!make_constant(node->out[o], &out[o])) return LEAT_ENOMEM;
        pass->fold_budget -= leat_tensor_bytes(&out[o]);
    }
    leat__kill(node);
    return 1;
}

/* Gather(Shape(x), constant indices) where the dims asked for are known though others are not. */
static int fold_gather_of_shape(leat_pass *pass, leat_node *node) {
    leat_node *shape = leat__is(node, "Gather") ? leat__from(node, 0, "Shape") : NULL;
    int64_t    index[LEAT_MAX_RANK];
    if (!shape || !node->out[0] || node->out[0]->is_output || shape->attrs.n || leat__attr_int(&node->attrs, "axis", 0) != 0) return 0;
    leat_value *x = shape->in[0];
    int         n = leat__const_ints(leat__in(node, 1), index, LEAT_MAX_RANK);
    if (n < 0 || !x || x->rank < 0) return 0;
    leat_tensor result = {0};
    leat__tensor_set(&result, LEAT_DTYPE_I64, node->in[1]->constant->rank, node->in[1]->constant->dims);
    int64_t *dims = result.data = leat__arena_alloc_aligned(node->graph->arena, (size_t)n * sizeof(int64_t));
    if (!dims) return LEAT_ENOMEM;
    for (int i = 0; i < n; i++) {
        int axis = leat__norm_axis(index[i], x->rank);
        if (axis < 0 || x->dims[axis] < 0) return 0;
        dims[i] = x->dims[axis];
    }
    if (!make_constant(node->out[0], &result)) return LEAT_ENOMEM;
    leat__kill(node);
    return 1;
}

/* ---- If ------------------------------------------------------------------------------------------------------------------ */

static void reparent(leat_graph *branch, leat_graph *outer) {
    for (int n = 0; n < branch->n_nodes; n++)
        for (int a = 0; a < branch->nodes[n]->attrs.n; a++) {
            leat_attr *attr = &branch->nodes[n]->attrs.list[a];
            if (attr->type == LEAT_ATTR_GRAPH) ((leat_graph *)attr->graph)->parent = outer;
        }
}

/* Values of the branch move out under names that cannot meet the outer ones. */
static int adopt_values(leat_graph *branch, leat_graph *outer, const leat_node *node) {
    for (int i = 0; i < branch->n_values; i++) {
        leat_value *value = branch->values[i];
        leat_value *slot = leat__graph_value(outer, leat__arena_printf(outer->arena, "%s/%s", node->out[0]->name, value->name));
        if (!slot) return 0;
        outer->values[outer->n_values - 1] = value;
        value->name = slot->name;
        value->graph = outer;
        value->is_output = 0;
    }
    return 1;
}

static int adopt_nodes(leat_graph *branch, leat_graph *outer, const leat_node *before) {
    for (int n = 0; n < branch->n_nodes; n++) {
        int at = leat__graph_at(outer, before);
        if (!leat__graph_node(outer, at, "", "Identity", outer->opset, 0, 0)) return 0;
        outer->nodes[at] = branch->nodes[n];
        branch->nodes[n]->graph = outer;
    }
    return 1;
}

static int fold_if(leat_pass *pass, leat_node *node) {
    if (!leat__is(node, "If") || !node->in[0] || !node->in[0]->constant || leat_tensor_count(node->in[0]->constant) != 1) return 0;
    int              condition = *(const uint8_t *)node->in[0]->constant->data != 0;
    const leat_attr *attr = leat__attr(&node->attrs, condition ? "then_branch" : "else_branch");
    if (!attr || attr->type != LEAT_ATTR_GRAPH || !attr->graph || !node->out[0]) return 0;
    leat_graph *branch = attr->graph, *outer = node->graph;
    if (branch->n_inputs || branch->n_outputs < node->n_out) return 0;
    reparent(branch, outer);
    if (!adopt_values(branch, outer, node) || !adopt_nodes(branch, outer, node)) return LEAT_ENOMEM;
    for (int o = 0; o < node->n_out; o++) {
        if (!node->out[o]) continue;
        leat_value *copy = leat__insert(node, "", "Identity", outer->opset, 1, &branch->outputs[o], branch->outputs[o]);
        if (!copy) return LEAT_ENOMEM;
        copy->producer->out[0] = node->out[o]; /* the Identity makes the If's own output; pass_tidy removes it */
        node->out[o]->producer = copy->producer;
    }
    leat__kill(node);
    return 1;
}

/* A chain of operators that double their input would fill the memory of whoever opens the file. */
static void set_budget(leat_pass *pass) {
    size_t bytes = 0;
    for (int i = 0; i < pass->root->n_values; i++) {
        const leat_tensor *t = pass->root->values[i]->constant;
        if (t && leat_tensor_bytes(t) != SIZE_MAX) bytes += leat_tensor_bytes(t);
    }
    pass->fold_budget = FOLD_BUDGET + FOLD_GROWTH * bytes;
}

int leat__pass_fold(leat_pass *pass) {
    if (!pass->fold_budget) set_budget(pass);
    int status = leat__pass_each(pass, fold_node);
    if (status == LEAT_OK) status = leat__pass_each(pass, fold_gather_of_shape);
    return status == LEAT_OK ? leat__pass_each(pass, fold_if) : status;
}
