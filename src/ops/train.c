/* train.c - the optimiser steps of ai.onnx.preview.training: Adagrad, Adam, Momentum.
 *
 * Inputs R (learning rate), T (step count), then for n tensors all X, all G (gradients) and all accumulators (H; V; Adam: V and H).
 * Outputs: all new X, then all new accumulators.  float32 and float64, computed in double.
 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "ops/op.h"

typedef struct step {
    double r, t, norm, norm_post, alpha, beta, epsilon, decay;
    int    nesterov, accumulators, n;
} step;

static double number(const leat_op_call *call, const char *name, float fallback) { return (double)leat__attr_float(call->attrs, name, fallback); }

static void setup(const leat_op_call *call, step *s) {
    int adam = strcmp(call->op->name, "Adam") == 0;
    s->accumulators = adam ? 2 : 1;
    s->n = (call->n_in - 2) / (2 + s->accumulators);
    s->norm = number(call, "norm_coefficient", 0);
    s->norm_post = number(call, "norm_coefficient_post", 0);
    s->alpha = number(call, "alpha", 0.9f);
    s->beta = number(call, "beta", 0.999f);
    s->epsilon = number(call, "epsilon", 1e-6f);
    s->decay = number(call, "decay_factor", 0);
    s->nesterov = leat__streq(leat__attr_string(call->attrs, "mode", "standard"), "nesterov");
}

static int train_infer(leat_op_call *call) {
    step s;
    setup(call, &s);
    int each = 2 + s.accumulators, outs = s.n * (1 + s.accumulators);
    if (s.n < 1 || call->n_in != 2 + s.n * each || call->n_out > outs) return leat__op_fail(call, LEAT_EFORMAT, "%d inputs do not make whole sets", call->n_in);
    if (leat_tensor_count(call->in[0]) != 1 || leat_tensor_count(call->in[1]) != 1) return leat__op_fail(call, LEAT_ESHAPE, "R and T must be scalars");
    for (int i = 0; i < s.n * each; i++) {
        const leat_tensor *x = call->in[2 + i % s.n], *t = call->in[2 + i];
        if (!x || !t || (t->dtype != LEAT_DTYPE_F32 && t->dtype != LEAT_DTYPE_F64) || !leat__dims_equal(x, t))
            return leat__op_fail(call, LEAT_ESHAPE, "input %d must be float and shaped like its X", 2 + i);
    }
    for (int i = 0; i < call->n_out; i++)
        if (call->out[i]) leat__tensor_set(call->out[i], call->in[2 + i % s.n]->dtype, call->in[2 + i % s.n]->rank, call->in[2 + i % s.n]->dims);
    return LEAT_OK;
}

/* One element: *x, a[0] and a[1] are updated. */
static void update(const step *s, const char *name, double g, double *x, double a[2]) {
    g += s->norm * *x;
    if (strcmp(name, "Adagrad") == 0) {
        a[0] += g * g;
        *x -= s->r / (1 + s->t * s->decay) * g / (sqrt(a[0]) + s->epsilon);
    } else if (strcmp(name, "Momentum") == 0) {
        a[0] = s->alpha * a[0] + (s->t > 0 ? s->beta : 1) * g;
        *x -= s->r * (s->nesterov ? g + s->alpha * a[0] : a[0]);
    } else {
        a[0] = s->alpha * a[0] + (1 - s->alpha) * g;
        a[1] = s->beta * a[1] + (1 - s->beta) * g * g;
        double r = s->t > 0 ? s->r * sqrt(1 - pow(s->beta, s->t)) / (1 - pow(s->alpha, s->t)) : s->r;
        *x = (1 - s->norm_post) * (*x - r * a[0] / (sqrt(a[1]) + s->epsilon));
    }
}

static void put(leat_tensor *t, int64_t at, double v) {
    if (t) leat__tensor_set_float(t, at, v);
}

static int train_run(leat_op_call *call) {
    step s;
    setup(call, &s);
    s.r = leat__tensor_get_float(call->in[0], 0);
    s.t = (double)leat__tensor_get_int(call->in[1], 0);
    for (int i = 0; i < s.n; i++)
        for (int64_t k = 0, count = leat_tensor_count(call->in[2 + i]); k < count; k++) {
            double x = leat__tensor_get_float(call->in[2 + i], k), g = leat__tensor_get_float(call->in[2 + s.n + i], k), a[2] = {0, 0};
            for (int j = 0; j < s.accumulators; j++) a[j] = leat__tensor_get_float(call->in[2 + (2 + j) * s.n + i], k);
            update(&s, call->op->name, g, &x, a);
            put(leat__op_out(call, i), k, x);
            for (int j = 0; j < s.accumulators; j++) put(leat__op_out(call, (1 + j) * s.n + i), k, a[j]);
        }
    return LEAT_OK;
}

#define ROW(name, least) {"ai.onnx.preview.training", name, 1, 0, least, -1, 1, -1, 0, LEAT_OP_PLAIN, 0, train_infer, NULL, train_run}
const leat_op leat__ops_train[] = {ROW("Adagrad", 5), ROW("Adam", 6), ROW("Momentum", 5), {0}};
