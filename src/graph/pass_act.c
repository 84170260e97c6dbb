/* pass_act.c - activations that an exporter wrote out in steps become one node again.
 *
 *   x * sigmoid(x)                      -> Swish (SiLU), also with a factor: x * sigmoid(a x)
 *   min(max(x, lo), hi), relu6 by parts -> Clip
 *   clip(x + 3, 0, 6) / 6               -> HardSigmoid(1/6, 1/2)         (Div, or Mul by 1/6)
 *   clip(a x + b, 0, 1)                 -> HardSigmoid(a, b)
 *   x * hardsigmoid(x), x * clip(x + 3, 0, 6) / 6 -> HardSwish
 *   x * tanh(softplus(x))               -> Mish
 *   x/2 (1 + erf(x / sqrt 2))           -> Gelu                          (any order of the factors)
 *   x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3))) -> Gelu(approximate = tanh)
 *
 * Only float32 is touched.  A rewrite is made only if the operator it needs is in the table.
 */
#include <math.h>
#include <string.h>

#include "graph/pass.h"

static int is_binary(const leat_node *node, const char *op_type) {
    return leat__is(node, op_type) && node->n_in == 2 && node->in[0] && node->in[1];
}

/* Makes `node` the unary operator; 1, or LEAT_ENOMEM. */
static int become_unary(leat_node *node, const char *op_type, int opset, leat_value *x) {
    if (!leat__become(node, "", op_type, opset, 1)) return LEAT_ENOMEM;
    leat__set_in(node, 0, x);
    return 1;
}

/* value = x * c or x / c with a constant; the factor goes to *c.  Without a factor: x itself and 1. */
static leat_value *scaled(leat_value *value, double *c) {
    leat_node  *node = value->producer;
    leat_value *x;
    *c = 1;
    if (leat__is(node, "Mul") && leat__with_scalar(node, 0, c, &x)) return x;
    if (leat__is(node, "Div") && leat__with_scalar(node, 1, c, &x) && *c != 0) {
        *c = 1 / *c;
        return x;
    }
    *c = 1;
    return value;
}

static int near(double a, double b) {
    return fabs(a - b) <= 1e-4 * fabs(b);
}

/* ---- clip ---------------------------------------------------------------------------------------------------------------- */

/* Bounds of a Clip, Relu, Min or Max with constants; widens what is absent to infinity.  Its input, or NULL. */
static leat_value *bounds(const leat_node *node, double *lo, double *hi) {
    leat_value *x = NULL;
    *lo = -INFINITY;
    *hi = INFINITY;
    if (!node || node->n_in < 1 || !node->in[0]) return NULL;
    if (leat__is(node, "Relu")) {
        *lo = 0;
        return node->in[0];
    }
    if (leat__is(node, "Max")) return leat__with_scalar(node, 0, lo, &x) ? x : NULL;
    if (leat__is(node, "Min")) return leat__with_scalar(node, 0, hi, &x) ? x : NULL;
    if (!leat__is(node, "Clip")) return NULL;
    *lo = leat__attr_float(&node->attrs, "min", -INFINITY);
    *hi = leat__attr_float(&node->attrs, "max", INFINITY);
    if (leat__in(node, 1) && !leat__const_scalar(node->in[1], lo)) return NULL;
    if (leat__in(node, 2) && !leat__const_scalar(node->in[2], hi)) return NULL;
    return node->in[0];
}

static int become_clip(leat_node *node, leat_value *x, double lo, double hi) {
    leat_value *low = leat__new_f32(node->graph, 0, NULL), *high = leat__new_f32(node->graph, 0, NULL);
    if (!low || !high || !leat__become(node, "", "Clip", 13, 3)) return LEAT_ENOMEM;
    *(float *)low->constant->data = (float)lo;
    *(float *)high->constant->data = (float)hi;
    leat__set_in(node, 0, x);
    leat__set_in(node, 1, low);
    leat__set_in(node, 2, high);
    return 1;
}

/* Min of Max and the other way round, Clip of Relu, ...: one Clip, as long as the inner bounds do not cross the outer ones. */
static int merge_bounds(leat_pass *pass, leat_node *node) {
    double      lo, hi, inner_lo, inner_hi;
    leat_value *y = bounds(node, &lo, &hi);
    if (!y || !leat__is_f32(y) || !y->producer || y->producer->graph != node->graph || !leat__feeds_only(y->producer, node)) return 0;
    leat_value *x = bounds(y->producer, &inner_lo, &inner_hi);
    if (!x || x->constant || x->rank < 0) return 0;
    double low = fmax(lo, inner_lo), high = fmin(hi, inner_hi);
    if (!(low <= high)) return 0;
    leat__kill(y->producer);
    return become_clip(node, x, low, high);
}

/* ---- hard sigmoid, hard swish -------------------------------------------------------------------------------------------- */

static int become_hard_sigmoid(leat_node *node, leat_value *x, double alpha, double beta) {
    int result = become_unary(node, "HardSigmoid", 6, x);
    leat__node_attr_set_float(node, "alpha", (float)alpha);
    leat__node_attr_set_float(node, "beta", (float)beta);
    return result;
}

/* value = clip(x + 3, 0, 6); its x, or NULL. */
static leat_value *relu6_of_plus3(leat_value *value) {
    double      lo, hi, c;
    leat_value *y = value->producer ? bounds(value->producer, &lo, &hi) : NULL, *x;
    if (!y || lo != 0 || hi != 6 || !is_binary(y->producer, "Add") || !leat__with_scalar(y->producer, 0, &c, &x)) return NULL;
    return c == 3 && leat__is_f32(x) ? x : NULL;
}

static int hard_sigmoid_sixth(leat_pass *pass, leat_node *node) {
    double c;
    if (!is_binary(node, "Div") && !is_binary(node, "Mul")) return 0;
    leat_value *y = scaled(node->out[0], &c);
    if (y == node->out[0] || !near(c, 1.0 / 6)) return 0;
    leat_value *x = relu6_of_plus3(y);
    return x ? become_hard_sigmoid(node, x, 1.0 / 6, 0.5) : 0;
}

/* x * clip(x + 3, 0, 6), then divided by six. */
static int hard_swish_late(leat_pass *pass, leat_node *node) {
    double c;
    if (!is_binary(node, "Div") && !is_binary(node, "Mul")) return 0;
    leat_value *y = scaled(node->out[0], &c);
    if (y == node->out[0] || !near(c, 1.0 / 6) || !is_binary(y->producer, "Mul")) return 0;
    for (int i = 0; i < 2; i++) {
        leat_value *x = relu6_of_plus3(y->producer->in[i]);
        if (x && x == y->producer->in[1 - i]) return become_unary(node, "HardSwish", 14, x);
    }
    return 0;
}

/* clip(a x + b, 0, 1). */
static int hard_sigmoid_general(leat_pass *pass, leat_node *node) {
    double      lo, hi, a, b;
    leat_value *y = bounds(node, &lo, &hi), *x;
    if (!y || lo != 0 || hi != 1 || !leat__is_f32(y) || !is_binary(y->producer, "Add") || !leat__feeds_only(y->producer, node)) return 0;
    if (!leat__with_scalar(y->producer, 0, &b, &x)) return 0;
    x = scaled(x, &a);
    return x->constant ? 0 : become_hard_sigmoid(node, x, a, b);
}

/* ---- products with a function of the same value --------------------------------------------------------------------------- */

static int become_swish(leat_node *node, leat_value *x, double alpha) {
    if (leat__op_find("", "Swish", 24)) {
        int result = become_unary(node, "Swish", 24, x);
        leat__node_attr_set_float(node, "alpha", (float)alpha);
        return result;
    }
    if (!leat__op_find("com.microsoft", "QuickGelu", 1)) return 0;
    if (!leat__become(node, "com.microsoft", "QuickGelu", 1, 1)) return LEAT_ENOMEM;
    leat__set_in(node, 0, x);
    leat__node_attr_set_float(node, "alpha", (float)alpha);
    return 1;
}

static int gated_by(leat_node *node, leat_value *x, leat_value *gate) {
    leat_node *f = gate->producer;
    double     alpha;
    if (leat__is(f, "Sigmoid")) return scaled(f->in[0], &alpha) == x || f->in[0] == x
                                           ? become_swish(node, x, f->in[0] == x ? 1 : alpha) : 0;
    if (leat__is(f, "HardSigmoid") && f->in[0] == x && leat__op_find("", "HardSwish", 14))
        if (near(leat__attr_float(&f->attrs, "alpha", 0.2f), 1.0 / 6) && leat__attr_float(&f->attrs, "beta", 0.5f) == 0.5f)
            return become_unary(node, "HardSwish", 14, x);
    if (leat__is(f, "Tanh") && leat__from(f, 0, "Softplus") && f->in[0]->producer->in[0] == x && leat__op_find("", "Mish", 18))
        return become_unary(node, "Mish", 18, x);
    return 0;
}

static int gated(leat_pass *pass, leat_node *node) {
    if (!is_binary(node, "Mul") || !leat__is_f32(node->in[0]) || !leat__is_f32(node->in[1])) return 0;
    int result = gated_by(node, node->in[0], node->in[1]);
    return result ? result : gated_by(node, node->in[1], node->in[0]);
}

/* ---- GELU ---------------------------------------------------------------------------------------------------------------- */

/* Erf(x / sqrt 2): its x. */
static leat_value *erf_argument(const leat_node *f) {
    double      c;
    leat_value *x = scaled(f->in[0], &c);
    return near(c, sqrt(0.5)) ? x : NULL;
}

/* value = 0.044715 x^3 in one of its spellings. */
static int is_cubic(leat_value *value, const leat_value *x) {
    double      c, power;
    leat_value *cube = scaled(value, &c);
    leat_node  *node = cube->producer;
    if (!near(c, 0.044715)) return 0;
    if (leat__is(node, "Pow")) return node->in[0] == x && leat__const_scalar(leat__in(node, 1), &power) && power == 3;
    leat_value *square = is_binary(node, "Mul") ? leat__other(node, x) : NULL;
    return square && is_binary(square->producer, "Mul") && square->producer->in[0] == x && square->producer->in[1] == x;
}

/* Tanh(sqrt(2/pi) (x + 0.044715 x^3)): its x. */
static leat_value *tanh_argument(const leat_node *f) {
    double      c;
    leat_value *sum = scaled(f->in[0], &c);
    if (!near(c, sqrt(2 / 3.14159265358979323846)) || !is_binary(sum->producer, "Add")) return NULL;
    for (int i = 0; i < 2; i++)
        if (is_cubic(sum->producer->in[i], sum->producer->in[1 - i])) return sum->producer->in[1 - i];
    return NULL;
}

/* node multiplies (1 + f) by x and by 1/2, in any order, over one or two products; all the intermediate values have one reader. */
static int is_half_product(const leat_node *node, const leat_value *plus_one, const leat_value *x) {
    double c;
    for (int i = 0; i < 2; i++) {
        leat_value *a = node->in[i], *b = node->in[1 - i];
        if (a == plus_one) return scaled(b, &c) == x && near(c, 0.5);            /* (1+f) * (x/2) */
        if (scaled(a, &c) == plus_one && near(c, 0.5) && b == x) return 1;       /* ((1+f)/2) * x */
    }
    leat_value *rest = scaled(node->out[0], &c);                                 /* ((1+f) * x) / 2 */
    if (rest == node->out[0] || !near(c, 0.5) || !is_binary(rest->producer, "Mul")) return 0;
    return leat__other(rest->producer, plus_one) == x;
}

static int gelu_from(leat_node *f, leat_value *x, const char *approximate) {
    leat_node *plus = leat__only_reader(f->out[0]);
    double     one;
    leat_value *rest;
    if (!x || !leat__is_f32(x) || !is_binary(plus, "Add") || !leat__with_scalar(plus, 0, &one, &rest) || one != 1) return 0;
    leat_node *last = leat__only_reader(plus->out[0]);
    for (int step = 0; step < 2 && last; step++) {
        if (last->n_in == 2 && (leat__is(last, "Mul") || leat__is(last, "Div")) && is_half_product(last, plus->out[0], x)) {
            if (!leat__op_find("", "Gelu", 20)) return 0;
            int result = become_unary(last, "Gelu", 20, x);
            leat__node_attr_set_string(last, "approximate", approximate);
            return result;
        }
        last = leat__only_reader(last->out[0]);
    }
    return 0;
}

static int gelu(leat_pass *pass, leat_node *node) {
    if (leat__is(node, "Erf")) return gelu_from(node, erf_argument(node), "none");
    return leat__is(node, "Tanh") ? gelu_from(node, tanh_argument(node), "tanh") : 0;
}

int leat__pass_act(leat_pass *pass) {
    static const leat_rewrite rewrites[] = {merge_bounds, hard_swish_late, hard_sigmoid_sixth, hard_sigmoid_general, gated, gelu};
    int                       status = LEAT_OK;
    for (size_t i = 0; i < sizeof rewrites / sizeof *rewrites && status == LEAT_OK; i++) status = leat__pass_each(pass, rewrites[i]);
    return status;
}
