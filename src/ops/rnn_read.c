/* rnn_read.c - attributes and shapes of LSTM, GRU and RNN, their activation lists, and the packing of their weights. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "ops/rnn_internal.h"

#define SIZE_LIMIT (1 << 24) /* hidden and input sizes: products stay inside int64 */

/* ---- activations -------------------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    int         kind, n_params, scaled;
} act_name;

static const act_name act_names[] = {
    {"Sigmoid", LEAT_ACT_SIGMOID, 0, 0},       {"Tanh", LEAT_ACT_TANH, 0, 0},         {"Relu", LEAT_ACT_RELU, 0, 0},
    {"Affine", LEAT_ACT_AFFINE, 2, 0},         {"LeakyRelu", LEAT_ACT_LEAKY_RELU, 1, 0}, {"ThresholdedRelu", LEAT_ACT_THRESHOLDED_RELU, 1, 0},
    {"ScaledTanh", LEAT_ACT_TANH, 2, 1},       {"HardSigmoid", LEAT_ACT_HARD_SIGMOID, 2, 0}, {"Elu", LEAT_ACT_ELU, 1, 0},
    {"Softsign", LEAT_ACT_SOFTSIGN, 0, 0},     {"Softplus", LEAT_ACT_SOFTPLUS, 0, 0},
};

/* Values of activation_alpha and activation_beta are taken in order, by the functions that have such a parameter. */
typedef struct {
    const float *alpha, *beta;
    int          n_alpha, n_beta;
} act_values;

static int find_act(leat_op_call *call, const char *name, act_values *v, rnn_act *act) {
    for (size_t i = 0; i < sizeof act_names / sizeof *act_names; i++) {
        const act_name *a = &act_names[i];
        if (strcasecmp(a->name, name) != 0) continue;
        act->kind = a->kind;
        act->scaled = a->scaled;
        leat__act_defaults(a->kind, &act->params);
        if (a->scaled) act->params.alpha = act->params.beta = 1;
        if (a->n_params > 0 && v->n_alpha > 0) act->params.alpha = (v->n_alpha--, *v->alpha++);
        if (a->n_params > 1 && v->n_beta > 0) act->params.beta = (v->n_beta--, *v->beta++);
        return LEAT_OK;
    }
    return leat__op_fail(call, LEAT_EUNSUPPORTED, "activation '%s' is unknown", name);
}

static int read_activations(leat_op_call *call, rnn_state *s) {
    static const char *const defaults[3][3] = {{"Tanh"}, {"Sigmoid", "Tanh"}, {"Sigmoid", "Tanh", "Tanh"}};
    int per = s->kind == RNN_PLAIN ? 1 : s->kind == RNN_GRU ? 2 : 3;
    const leat_attr *list = leat__attr(call->attrs, "activations");
    act_values v;
    v.alpha = leat__attr_floats(call->attrs, "activation_alpha", &v.n_alpha);
    v.beta = leat__attr_floats(call->attrs, "activation_beta", &v.n_beta);
    if (list && list->type == LEAT_ATTR_STRINGS && list->n == 0) list = NULL;
    if (list && (list->type != LEAT_ATTR_STRINGS || list->n < per * s->directions))
        return leat__op_fail(call, LEAT_EINVAL, "activations must name %d functions", per * s->directions);
    for (int d = 0; d < s->directions; d++)
        for (int i = 0; i < per; i++) {
            int status = find_act(call, list ? list->strings[d * per + i] : defaults[s->kind][i], &v, &s->act[d][i]);
            if (status) return status;
        }
    return LEAT_OK;
}

void leat__rnn_activate(const rnn_act *act, float *x, int64_t n) {
    if (!act->scaled) {
        leat__act_f32(act->kind, x, n, &act->params);
        return;
    }
    leat_act_params p = act->params;
    p.alpha = act->params.beta;
    p.beta = 0;
    leat__act_f32(LEAT_ACT_AFFINE, x, n, &p);
    leat__act_f32(LEAT_ACT_TANH, x, n, &p);
    p.alpha = act->params.alpha;
    leat__act_f32(LEAT_ACT_AFFINE, x, n, &p);
}

/* ---- shapes -------------------------------------------------------------------------------------------------------------------- */

/* Input i, if there, must be float32 [a, b, c] (c -1: rank 2). */
static int expect_dims(leat_op_call *call, int i, int64_t a, int64_t b, int64_t c) {
    const leat_tensor *t = leat__op_in(call, i);
    if (!t) return LEAT_OK;
    if (t->dtype != LEAT_DTYPE_F32) return leat__op_fail(call, LEAT_ETYPE, "input %d is %s", i, leat_dtype_name(t->dtype));
    if (t->rank == (c < 0 ? 2 : 3) && t->dims[0] == a && t->dims[1] == b && (c < 0 || t->dims[2] == c)) return LEAT_OK;
    return leat__op_fail(call, LEAT_ESHAPE, "input %d does not have the shape that follows from X, W and hidden_size", i);
}

static int read_sizes(leat_op_call *call, rnn_state *s) {
    const leat_tensor *x = leat__op_in(call, 0), *w = leat__op_in(call, 1), *r = leat__op_in(call, 2);
    if (!x || !w || !r || x->rank != 3 || w->rank != 3 || r->rank != 3) return leat__op_fail(call, LEAT_ESHAPE, "X, W and R must have rank 3");
    if (x->dtype != LEAT_DTYPE_F32) return leat__op_fail(call, LEAT_ETYPE, "X is %s, float32 expected", leat_dtype_name(x->dtype));
    s->batch_first = leat__attr_int(call->attrs, "layout", 0) != 0;
    s->steps = x->dims[s->batch_first ? 1 : 0];
    s->batch = x->dims[s->batch_first ? 0 : 1];
    s->inputs = x->dims[2];
    s->hidden = leat__attr_int(call->attrs, "hidden_size", r->dims[2]);
    if (s->hidden < 1 || s->hidden > SIZE_LIMIT || s->inputs > SIZE_LIMIT) return leat__op_fail(call, LEAT_ELIMIT, "size out of range");
    return LEAT_OK;
}

static int check_inputs(leat_op_call *call, rnn_state *s) {
    const leat_tensor *lens = leat__op_in(call, 4);
    int64_t d = s->directions, b = s->batch, h = s->hidden, g = s->columns;
    int status = expect_dims(call, 1, d, g, s->inputs);
    if (!status) status = expect_dims(call, 2, d, g, h);
    if (!status) status = expect_dims(call, 3, d, 2 * g, -1);
    for (int i = 5; i <= 6 && !status; i++) status = s->batch_first ? expect_dims(call, i, b, d, h) : expect_dims(call, i, d, b, h);
    if (!status) status = expect_dims(call, 7, d, 3 * h, -1);
    if (!status && lens && (lens->dtype != LEAT_DTYPE_I32 || lens->rank != 1 || lens->dims[0] != b))
        status = leat__op_fail(call, LEAT_ESHAPE, "sequence_lens must be int32 [%lld]", (long long)b);
    return status;
}

static int read_direction(leat_op_call *call, rnn_state *s) {
    const char *text = leat__attr_string(call->attrs, "direction", "forward");
    s->directions = strcmp(text, "bidirectional") == 0 ? 2 : 1;
    s->reverse_only = strcmp(text, "reverse") == 0;
    if (s->directions == 2 || s->reverse_only || strcmp(text, "forward") == 0) return LEAT_OK;
    return leat__op_fail(call, LEAT_EINVAL, "direction '%s' is unknown", text);
}

/* Steps of input products held at once: about 128 KiB, so that they are still in the cache when the recurrence reads them. */
static int64_t chunk_steps(const rnn_state *s) {
    int64_t steps = 32768 / (s->row * RNN_ROWS);
    return steps < 4 ? 4 : leat__min64(steps, leat__max64(1, s->steps));
}

int leat__rnn_read(leat_op_call *call, rnn_state *s) {
    const char *name = call->op->name;
    s->kind = strcmp(name, "LSTM") == 0 ? RNN_LSTM : strcmp(name, "GRU") == 0 ? RNN_GRU : RNN_PLAIN;
    s->gates = s->kind == RNN_LSTM ? 4 : s->kind == RNN_GRU ? 3 : 1;
    s->w = s->r = NULL;
    int status = read_sizes(call, s);
    if (!status) status = read_direction(call, s);
    if (status) return status;
    s->columns = s->gates * s->hidden;
    s->input_forget = leat__attr_int(call->attrs, "input_forget", 0) != 0;
    s->linear_before_reset = leat__attr_int(call->attrs, "linear_before_reset", 0) != 0;
    s->clip = leat__attr_float(call->attrs, "clip", 0);
    status = check_inputs(call, s);
    if (!status) status = read_activations(call, s);
    int64_t h = s->hidden;
    s->row = leat__rnn_round(s->columns) + LEAT_RNN_ALIGN; /* a piece that starts at 2 * hidden is rounded up by itself */
    s->chunk = chunk_steps(s);
    s->w_floats = (size_t)(leat__rnn_round(s->columns) * s->inputs);
    s->r_floats = (size_t)((s->kind == RNN_GRU ? leat__rnn_round(2 * h) + leat__rnn_round(h) : leat__rnn_round(s->columns)) * h);
    s->worker_floats = (size_t)(RNN_ROWS * (s->row * (s->chunk + 2) + 4 * leat__rnn_round(h)));
    return status;
}

/* ---- packing ------------------------------------------------------------------------------------------------------------------- */

void leat__rnn_pack_w(const leat_op_call *call, const rnn_state *s, float *to) {
    const float *w = call->in[1]->data;
    for (int d = 0; d < s->directions; d++, to += s->w_floats, w += s->columns * s->inputs) leat__rnn_pack(to, w, s->inputs, s->columns);
}

/* GRU: the update and reset gates, then the new gate, since the latter may need the reset state first. */
void leat__rnn_pack_r(const leat_op_call *call, const rnn_state *s, float *to) {
    const float *r = call->in[2]->data;
    int64_t h = s->hidden;
    for (int d = 0; d < s->directions; d++, to += s->r_floats, r += s->columns * h) {
        if (s->kind != RNN_GRU) {
            leat__rnn_pack(to, r, h, s->columns);
            continue;
        }
        leat__rnn_pack(to, r, h, 2 * h);
        leat__rnn_pack(to + leat__rnn_round(2 * h) * h, r + 2 * h * h, h, h);
    }
}
