/* pass_widen.c - float16 and bfloat16 models compute in float32.
 *
 * CPUs of the level that Leat is built for convert halves quickly and multiply them not at all.  Rather than teach every operator
 * two more types, every *source* of halves is changed: constants are widened once, graph inputs pass a Cast, and the nodes that
 * make halves by an attribute (Cast, ConstantOfShape, EyeLike, random numbers, DequantizeLinear) make float32.  What follows from
 * them is float32 then by inference.  Graph outputs are cast back, so that the declared types hold.
 *
 * A model made only of operators that move or convert halves themselves (LEAT_OP_F16) is left as it is.
 */
#include <string.h>

#include "graph/node_eval.h"
#include "graph/pass.h"

static int is_half(leat_dtype dtype) {
    return dtype == LEAT_DTYPE_F16 || dtype == LEAT_DTYPE_BF16;
}

/* ---- is there anything to do? -------------------------------------------------------------------------------------------- */

static int makes_type_of(const leat_attr *attr) {
    return strcmp(attr->name, "to") == 0 || strcmp(attr->name, "dtype") == 0 || strcmp(attr->name, "output_dtype") == 0 ||
           strcmp(attr->name, "stash_type") == 0;
}

/* Types are not inferred yet, so the question is coarse: do halves come in anywhere, and does any node not take them? */
static int has_half_source(const leat_graph *graph) {
    for (int i = 0; i < graph->n_values; i++)
        if (is_half(graph->values[i]->dtype)) return 1;
    for (int n = 0; n < graph->n_nodes; n++)
        for (int a = 0; a < graph->nodes[n]->attrs.n; a++) {
            const leat_attr *attr = &graph->nodes[n]->attrs.list[a];
            if (attr->type == LEAT_ATTR_INT && makes_type_of(attr) && is_half((leat_dtype)attr->i)) return 1;
            if (attr->type == LEAT_ATTR_TENSOR && attr->t && is_half(attr->t->dtype)) return 1;
            if (attr->type == LEAT_ATTR_GRAPH && has_half_source(attr->graph)) return 1;
        }
    return 0;
}

static int has_float_node(const leat_graph *graph) {
    for (int n = 0; n < graph->n_nodes; n++) {
        const leat_node *node = graph->nodes[n];
        if (!node->op || !(node->op->flags & LEAT_OP_F16)) return 1;
    }
    return 0;
}

/* ---- sources of halves --------------------------------------------------------------------------------------------------- */

/* By the Cast operator itself, whose kernels are fast. */
static const leat_tensor *widened(leat_arena *arena, const leat_tensor *half) {
    leat_attr    to = {.name = "to", .type = LEAT_ATTR_INT, .i = LEAT_DTYPE_F32};
    leat_value   result = {.name = ""}, *out = &result;
    leat_node    cast = {.name = "", .domain = "", .op_type = "Cast", .op = leat__op_find("", "Cast", 13), .opset = 13, .out = &out,
                         .n_in = 1, .n_out = 1, .attrs = {&to, 1}};
    leat_tensor  in = *half, *ins = &in;
    leat_tensor *wide = leat__arena_calloc(arena, 1, sizeof *wide);
    return wide && leat__node_eval(&cast, &ins, wide, arena, SIZE_MAX, NULL) == LEAT_OK ? wide : NULL;
}

static int widen_constant(leat_value *value) {
    if (!value->constant || !is_half(value->constant->dtype)) return 1;
    const leat_tensor *wide = widened(value->graph->arena, value->constant);
    if (!wide) return 0;
    leat_tensor *own = leat__arena_calloc(value->graph->arena, 1, sizeof *own);
    if (!own) return 0;
    *own = *wide;
    value->constant = own;
    return 1;
}

static int widen_attrs(leat_node *node) {
    for (int a = 0; a < node->attrs.n; a++) {
        leat_attr *attr = &node->attrs.list[a];
        if (attr->type == LEAT_ATTR_INT && makes_type_of(attr) && is_half((leat_dtype)attr->i)) attr->i = LEAT_DTYPE_F32;
        if (attr->type != LEAT_ATTR_TENSOR || !attr->t || !is_half(attr->t->dtype)) continue;
        attr->t = widened(node->graph->arena, (leat_tensor *)(uintptr_t)attr->t);
        if (!attr->t) return 0;
    }
    return 1;
}

/* ---- the borders --------------------------------------------------------------------------------------------------------- */

static int widen_input(leat_graph *graph, leat_value *input) {
    if (!is_half(input->dtype) || graph->n_nodes == 0) return 1;
    leat_value *wide = leat__new_value(graph, input);
    if (!wide) return 0;
    leat__graph_replace_uses(graph, input, wide);
    leat_node *cast = leat__graph_node(graph, 0, "", "Cast", 13, 1, 1);
    if (!cast) return 0;
    cast->name = input->name;
    leat__node_attr_set_int(cast, "to", LEAT_DTYPE_F32);
    leat__set_in(cast, 0, input);
    wide->dtype = LEAT_DTYPE_F32;
    wide->producer = cast;
    cast->out[0] = wide;
    return 1;
}

/* The output value keeps its name and type and is made by a Cast from a new value, which takes over all readers. */
static int widen_output(leat_graph *graph, int index) {
    leat_value *out = graph->outputs[index];
    leat_node  *producer = out->producer;
    if (!is_half(out->dtype) || !producer || producer->graph != graph) return 1; /* or an input handed straight through */
    leat_value *wide = leat__new_value(graph, out);
    leat_node  *cast = leat__graph_node(graph, -1, "", "Cast", 13, 1, 1);
    if (!wide || !cast) return 0;
    leat__graph_replace_uses(graph, out, wide);
    for (int i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == wide) graph->outputs[i] = out;
    for (int o = 0; o < producer->n_out; o++)
        if (producer->out[o] == out) producer->out[o] = wide;
    cast->name = out->name;
    leat__node_attr_set_int(cast, "to", out->dtype);
    leat__set_in(cast, 0, wide);
    cast->out[0] = out;
    wide->dtype = LEAT_DTYPE_F32;
    wide->producer = producer;
    out->producer = cast;
    return 1;
}

static int widen_borders(leat_graph *graph) {
    int ok = 1;
    for (int i = 0; i < graph->n_inputs && ok; i++) ok = widen_input(graph, graph->inputs[i]);
    for (int i = 0; i < graph->n_outputs && ok; i++) ok = widen_output(graph, i);
    return ok;
}

/* Inner graphs follow their outer one: their own inputs and outputs are float32 too. */
static int widen_graph(leat_graph *graph) {
    int ok = 1, inner = graph->parent != NULL;
    for (int n = 0; n < graph->n_nodes && ok; n++) {
        leat_node *node = graph->nodes[n];
        ok = widen_attrs(node);
        for (int a = 0; a < node->attrs.n && ok; a++)
            if (node->attrs.list[a].type == LEAT_ATTR_GRAPH) ok = widen_graph(node->attrs.list[a].graph);
    }
    if (!inner && ok) ok = widen_borders(graph);
    for (int i = 0; i < graph->n_values && ok; i++) {
        leat_value *value = graph->values[i];
        int         border = !inner && (value->is_input || value->is_output);
        ok = widen_constant(value);
        if (is_half(value->dtype) && (!border || value->constant)) value->dtype = LEAT_DTYPE_F32;
    }
    return ok;
}

int leat__pass_widen(leat_pass *pass) {
    if (!has_half_source(pass->root) || !has_float_node(pass->root)) return LEAT_OK;
    if (!widen_graph(pass->root)) return leat__fail(pass->error, LEAT_ENOMEM, "out of memory while widening to float32");
    pass->changed++;
    return LEAT_OK;
}
