/* pass_norm.c - layer normalisation that an exporter wrote out in steps becomes LayerNormalization again.
 *
 *   m = mean(x);  d = x - m;  v = mean(d^2);  y = d / sqrt(v + eps);  [y * gamma]  [+ beta]
 *
 * The means run over the last axis with keepdims.  d may be squared by Pow or by Mul with itself, gamma and beta are constants over
 * the last axis; when gamma is absent and the width is known, ones stand in.  The new node takes the place of the last one that
 * matched.  Root mean square normalisation, x / sqrt(mean(x^2) + eps) * gamma, becomes RMSNormalization where the table has it.
 */
#include <string.h>

#include "graph/pass.h"

/* node is a ReduceMean over the last axis of its input, kept; the input or NULL. */
static leat_value *mean_of_last(const leat_node *node) {
    int64_t axes[LEAT_MAX_RANK];
    if (!leat__is(node, "ReduceMean") || !node->in[0] || leat__attr_int(&node->attrs, "keepdims", 1) != 1) return NULL;
    if (leat__node_axes(node, axes, LEAT_MAX_RANK) != 1) return NULL;
    int rank = node->in[0]->rank;
    return axes[0] == -1 || (rank > 0 && axes[0] == rank - 1) ? node->in[0] : NULL;
}

/* value = d^2; d or NULL. */
static leat_value *square_root_of(const leat_value *value) {
    const leat_node *node = value->producer;
    double           power;
    if (leat__is(node, "Pow") && leat__const_scalar(leat__in(node, 1), &power) && power == 2) return node->in[0];
    return leat__is(node, "Mul") && node->in[0] == node->in[1] ? node->in[0] : NULL;
}

/* value = sqrt(mean(d^2) + eps); d or NULL. */
static leat_value *deviation(const leat_value *value, double *epsilon) {
    leat_node  *root = leat__is(value->producer, "Sqrt") ? value->producer : NULL;
    leat_node  *add = root ? leat__from(root, 0, "Add") : NULL;
    leat_value *variance;
    if (!add || !leat__with_scalar(add, 0, epsilon, &variance)) return NULL;
    leat_value *squares = variance->producer ? mean_of_last(variance->producer) : NULL;
    return squares ? square_root_of(squares) : NULL;
}

/* Constant float32 vector over the last axis: [D] with any leading ones. */
static int is_vector(const leat_value *value) {
    if (!value || !value->constant || value->constant->dtype != LEAT_DTYPE_F32 || value->constant->rank < 1) return 0;
    const leat_tensor *t = value->constant;
    return leat_tensor_count(t) == t->dims[t->rank - 1] && t->dims[t->rank - 1] > 1;
}

/* The constant vector that `reader` combines with `value`, if it is that operator. */
static leat_value *vector_operand(leat_node *reader, const char *op_type, const leat_value *value) {
    leat_value *other = leat__is(reader, op_type) && reader->n_in == 2 ? leat__other(reader, value) : NULL;
    return is_vector(other) ? other : NULL;
}

/* The vector as rank 1, which the operator asks for. */
static leat_value *as_rank1(leat_graph *graph, leat_value *vector) {
    if (vector->constant->rank == 1) return vector;
    leat_value  *flat = leat__graph_value(graph, NULL);
    leat_tensor *tensor = leat__arena_calloc(graph->arena, 1, sizeof *tensor);
    if (!flat || !tensor) return NULL;
    leat__tensor_set(tensor, LEAT_DTYPE_F32, 1, &vector->constant->dims[vector->constant->rank - 1]);
    tensor->data = vector->constant->data;
    flat->constant = tensor;
    flat->dtype = LEAT_DTYPE_F32;
    flat->rank = 1;
    flat->dims[0] = tensor->dims[0];
    return flat;
}

static leat_value *ones(leat_graph *graph, int64_t n) {
    leat_value *value = leat__new_f32(graph, 1, &n);
    for (int64_t i = 0; value && i < n; i++) ((float *)value->constant->data)[i] = 1;
    return value;
}

static int normalise(leat_node *div, leat_value *x, double epsilon, const char *op_type, int opset, int with_beta) {
    leat_node  *last = div, *next = leat__only_reader(div->out[0]);
    leat_value *gamma = next ? vector_operand(next, "Mul", div->out[0]) : NULL, *beta = NULL;
    if (gamma) last = next;
    next = leat__only_reader(last->out[0]);
    if (gamma && next && with_beta) beta = vector_operand(next, "Add", last->out[0]);
    if (beta) last = next;
    int64_t width = x->rank > 0 ? x->dims[x->rank - 1] : -1;
    if (!leat__op_find("", op_type, opset) || (!gamma && width < 1)) return 0;
    gamma = gamma ? as_rank1(div->graph, gamma) : ones(div->graph, width);
    if (beta) beta = as_rank1(div->graph, beta);
    if (!gamma || !leat__become(last, "", op_type, opset, beta ? 3 : 2)) return LEAT_ENOMEM;
    leat__set_in(last, 0, x);
    leat__set_in(last, 1, gamma);
    if (beta) leat__set_in(last, 2, beta);
    leat__node_attr_set_int(last, "axis", -1);
    leat__node_attr_set_float(last, "epsilon", (float)epsilon);
    return 1;
}

static int layer_norm(leat_pass *pass, leat_node *node) {
    double epsilon;
    if (!leat__is(node, "Div") || node->n_in != 2 || !node->in[0] || !node->in[1] || !leat__is_f32(node->in[0])) return 0;
    leat_value *d = deviation(node->in[1], &epsilon);
    if (!d || d != node->in[0]) return 0;
    leat_node *sub = leat__is(d->producer, "Sub") ? d->producer : NULL;
    if (sub && sub->in[1]->producer && mean_of_last(sub->in[1]->producer) == sub->in[0])
        return normalise(node, sub->in[0], epsilon, "LayerNormalization", 17, 1);
    return normalise(node, d, epsilon, "RMSNormalization", 23, 0);
}

int leat__pass_norm(leat_pass *pass) {
    return leat__pass_each(pass, layer_norm);
}
