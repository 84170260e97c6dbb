/* pass_epilogue.c - what follows a convolution or a matrix product moves into it: one residual addition and one activation.
 *
 *   f -> act              Y = act(f)
 *   f -> Add R -> act     Y = act(f + R)
 *   f -> act -> Add R     Y = act(f) + R        (residual_after = 1)
 *
 * Only when nobody else reads the value in between.  R must have exactly the output's shape: an Add that broadcasts stays.  Dimensions
 * that are unknown at load count as equal when they came out equal in the probing trace of graph_infer (leat_value.probe).
 * The attributes are those of ops/fused.h; the residual is input 3 of both operators.
 */
#include <math.h>
#include <string.h>

#include "graph/pass.h"
#include "ops/fused.h"

#define FEW_CHANNELS 8

typedef struct activation {
    const char *name;
    float       alpha, beta, lo, hi;
    int         has_alpha, has_beta;
} activation;

typedef struct act_row {
    const char *domain, *op_type, *act;
    float       alpha, beta; /* defaults of the ONNX attributes; NAN = it has none */
} act_row;

static const act_row act_rows[] = {
    {"", "Relu", "relu", NAN, NAN},
    {"", "LeakyRelu", "leaky_relu", 0.01f, NAN},
    {"", "Sigmoid", "sigmoid", NAN, NAN},
    {"", "Tanh", "tanh", NAN, NAN},
    {"", "HardSwish", "hard_swish", NAN, NAN},
    {"", "HardSigmoid", "hard_sigmoid", 0.2f, 0.5f},
    {"", "Elu", "elu", 1, NAN},
    {"", "Mish", "mish", NAN, NAN},
    {"", "Softplus", "softplus", NAN, NAN},
    {"", "Swish", "silu", 1, NAN},
    {"com.microsoft", "QuickGelu", "silu", 1.702f, NAN},
    {"com.microsoft", "Gelu", "gelu", NAN, NAN},
};

static int read_clip(const leat_node *node, activation *act) {
    double lo = (double)leat__attr_float(&node->attrs, "min", -INFINITY), hi = (double)leat__attr_float(&node->attrs, "max", INFINITY);
    if (leat__in(node, 1) && !leat__const_scalar(node->in[1], &lo)) return 0;
    if (leat__in(node, 2) && !leat__const_scalar(node->in[2], &hi)) return 0;
    if (!(lo <= hi)) return 0;
    *act = (activation){.name = "clip", .lo = (float)lo, .hi = (float)hi};
    return 1;
}

/* Is `node` an activation that kernels apply on the way out? */
static int read_act(const leat_node *node, activation *act) {
    if (leat__is(node, "Clip")) return read_clip(node, act);
    if (leat__is(node, "Gelu")) {
        int tanh_form = strcmp(leat__attr_string(&node->attrs, "approximate", "none"), "tanh") == 0;
        *act = (activation){.name = tanh_form ? "gelu_tanh" : "gelu", .lo = -INFINITY, .hi = INFINITY};
        return 1;
    }
    for (size_t i = 0; i < sizeof act_rows / sizeof *act_rows; i++) {
        const act_row *row = &act_rows[i];
        if (!leat__is_in(node, row->domain, row->op_type)) continue;
        *act = (activation){.name = row->act, .lo = -INFINITY, .hi = INFINITY, .has_alpha = !isnan(row->alpha), .has_beta = !isnan(row->beta)};
        if (act->has_alpha) act->alpha = leat__attr_float(&node->attrs, "alpha", row->alpha);
        if (act->has_beta) act->beta = leat__attr_float(&node->attrs, "beta", row->beta);
        return 1;
    }
    return 0;
}

static void write_act(leat_node *node, const activation *act) {
    leat__node_attr_set_string(node, "act", act->name);
    if (act->has_alpha) leat__node_attr_set_float(node, "act_alpha", act->alpha);
    if (act->has_beta) leat__node_attr_set_float(node, "act_beta", act->beta);
    if (act->lo != -INFINITY) leat__node_attr_set_float(node, "act_lo", act->lo);
    if (act->hi != INFINITY) leat__node_attr_set_float(node, "act_hi", act->hi);
}

/* The last node of the pattern becomes the fused one, with everything that `node` has. */
static int take_over(leat_node *last, leat_node *node, const char *fused_type) {
    int n_in = node->n_in > 4 ? node->n_in : 4;
    if (!leat__become(last, LEAT_FUSED_DOMAIN, fused_type, LEAT_FUSED_OPSET, n_in) || !leat__copy_attrs(last, node)) return 0;
    for (int i = 0; i < node->n_in; i++) leat__set_in(last, i, node->in[i]);
    last->name = node->name;
    leat__kill(node);
    return 1;
}

static int has_act(const leat_node *node) {
    return leat__attr(&node->attrs, "act") != NULL;
}

static int may_have_residual(const leat_node *node) {
    return leat__in(node, 3) == NULL;
}

/* Of two convolutions that meet in an addition the later one takes it, so that the earlier one runs when its input is fresh. */
static int other_is_later(const leat_node *node, const leat_value *other) {
    leat_node *producer = other->producer;
    if (!producer || producer->dead || producer->graph != node->graph || strcmp(producer->op_type, node->op_type) != 0) return 0;
    if (!leat__only_reader(other) || !may_have_residual(producer)) return 0;
    return leat__graph_at(node->graph, producer) > leat__graph_at(node->graph, node);
}

static int absorb_residual(leat_node *node, leat_node *add, const char *fused_type) {
    leat_value *residual = leat__other(add, node->out[0]), *out = node->out[0];
    if (!residual || !leat__is_f32(residual) || !may_have_residual(node) || !leat__surely_same_shape(residual, out)) return 0;
    if (other_is_later(node, residual)) return 0;
    int after = has_act(node);
    if (!take_over(add, node, fused_type)) return LEAT_ENOMEM;
    leat__set_in(add, 3, residual);
    if (after) leat__node_attr_set_int(add, "residual_after", 1);
    return 1;
}

/* Kernels apply an activation row by row; on rows of a few channels a transcendental one runs faster over the whole tensor. */
static int rows_are_long_enough(const leat_node *node, const activation *act) {
    const leat_value *w = leat__in(node, 1);
    int               cheap = strcmp(act->name, "relu") == 0 || strcmp(act->name, "clip") == 0;
    return cheap || strcmp(node->op_type, "Conv") != 0 || !w || w->rank < 3 || w->dims[0] >= FEW_CHANNELS;
}

int leat__absorb_epilogue(leat_node *node, const char *fused_type) {
    activation act;
    leat_node *next = leat__is_f32(node->out[0]) ? leat__only_reader(node->out[0]) : NULL;
    if (!next || !leat__op_find(LEAT_FUSED_DOMAIN, fused_type, LEAT_FUSED_OPSET)) return 0;
    if (leat__is(next, "Add") || (leat__is(next, "Sum") && next->n_in == 2)) return absorb_residual(node, next, fused_type);
    if (has_act(node) || next->in[0] != node->out[0] || !read_act(next, &act) || !rows_are_long_enough(node, &act)) return 0;
    if (!take_over(next, node, fused_type)) return LEAT_ENOMEM;
    write_act(next, &act);
    return 1;
}
