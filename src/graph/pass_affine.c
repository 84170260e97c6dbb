/* pass_affine.c - arithmetic around a convolution that is linear in each channel goes into its weights.
 *
 *   after   Conv or ConvTranspose, then BatchNormalization, or Mul, Div, Add, Sub with a scalar or per-channel constant:
 *             y = s * (W x + b) + t            ->  (s W) x + (s b + t)
 *   before  the same operators, then Conv:
 *             y = W (s x + t) + b              ->  (W s) x + (b + W t)      with padding only if t = 0, for padding is zero
 *   Pad     by zeros in the spatial axes goes into the pads of Conv and, where it counts the same, of AveragePool; by minus infinity
 *           (or by zeros where the values are not negative) into those of MaxPool.
 *
 * Weights are copied only when they must be: a shift alone makes a new bias and leaves W in the mapped file, and the scale behind a
 * large convolution becomes an input of leat.Conv (S in ops/fused.h), applied when the weights are packed.  Sums are done in double.
 */
#include <math.h>
#include <string.h>

#include "graph/onnx_import.h"
#include "graph/pass.h"
#include "ops/fused.h"

#define LAZY_BYTES 16384 /* weights from this size on are not copied for a scale */

/* y = scale[c] x + shift[c]. */
typedef struct affine {
    double *scale, *shift; /* [channels] */
    int64_t channels;
    int     scales, shifts; /* is any scale not 1, any shift not 0? */
} affine;

static int affine_init(affine *a, int64_t channels) {
    *a = (affine){.channels = channels};
    a->scale = leat__calloc((size_t)channels, 2 * sizeof(double), LEAT_MEMORY_GRAPH);
    if (!a->scale) return 0;
    a->shift = a->scale + channels;
    for (int64_t c = 0; c < channels; c++) a->scale[c] = 1;
    return 1;
}

static void affine_fini(affine *a) {
    leat__free(a->scale);
}

static void affine_note(affine *a) {
    for (int64_t c = 0; c < a->channels; c++) {
        a->scales |= a->scale[c] != 1;
        a->shifts |= a->shift[c] != 0;
    }
}

/* ---- reading the affine operator ------------------------------------------------------------------------------------------ */

static const float *channel_vector(const leat_node *node, int i, int64_t channels) {
    leat_value *value = leat__in(node, i);
    if (!value || !value->constant || value->constant->dtype != LEAT_DTYPE_F32 || leat_tensor_count(value->constant) != channels)
        return NULL;
    return leat__onnx_settle(value->constant, value->graph->arena, NULL) == LEAT_OK ? value->constant->data : NULL;
}

static int read_batch_norm(affine *a, const leat_node *node) {
    const float *gamma = channel_vector(node, 1, a->channels), *beta = channel_vector(node, 2, a->channels);
    const float *mean = channel_vector(node, 3, a->channels), *variance = channel_vector(node, 4, a->channels);
    if (!gamma || !beta || !mean || !variance || leat__attr_int(&node->attrs, "training_mode", 0) != 0) return 0;
    if (leat__attr_int(&node->attrs, "spatial", 1) != 1) return 0;
    for (int o = 1; o < node->n_out; o++)
        if (node->out[o] && (node->out[o]->uses || node->out[o]->is_output)) return 0;
    double epsilon = (double)leat__attr_float(&node->attrs, "epsilon", 1e-5f);
    for (int64_t c = 0; c < a->channels; c++) {
        a->scale[c] = (double)gamma[c] / sqrt((double)variance[c] + epsilon);
        a->shift[c] = (double)beta[c] - (double)mean[c] * a->scale[c];
    }
    return 1;
}

/* Constant that broadcasts along channels of a tensor of `rank`: one element, or [C,1,..,1] with leading ones. */
static const leat_tensor *channel_constant(const leat_value *value, int rank, int64_t channels) {
    leat_tensor *t = value ? value->constant : NULL;
    if (!t || !t->data || t->dtype != LEAT_DTYPE_F32 || t->rank > rank) return NULL;
    int64_t count = leat_tensor_count(t);
    int     axis = t->rank - (rank - 1);
    if (count != 1 && (count != channels || axis < 0 || t->dims[axis] != channels)) return NULL;
    return leat__onnx_settle(t, value->graph->arena, NULL) == LEAT_OK ? t : NULL;
}

static int read_arithmetic(affine *a, const leat_node *node, const leat_value *x, int rank) {
    int add = leat__is(node, "Add"), sub = leat__is(node, "Sub"), mul = leat__is(node, "Mul"), div = leat__is(node, "Div");
    if (!(add || sub || mul || div) || node->n_in != 2) return 0;
    if ((sub || div) && node->in[0] != x) return 0;
    const leat_tensor *t = channel_constant(leat__other(node, x), rank, a->channels);
    if (!t) return 0;
    const float *values = t->data;
    int64_t      step = leat_tensor_count(t) == 1 ? 0 : 1;
    for (int64_t c = 0; c < a->channels; c++) {
        double v = (double)values[c * step];
        if (div && v == 0) return 0;
        if (mul || div) a->scale[c] = mul ? v : 1 / v;
        else a->shift[c] = add ? v : -v;
    }
    return 1;
}

static int read_affine(affine *a, const leat_node *node, const leat_value *x, int rank) {
    int known = leat__is(node, "BatchNormalization") ? node->in[0] == x && read_batch_norm(a, node) : read_arithmetic(a, node, x, rank);
    if (known) affine_note(a);
    return known;
}

/* ---- the convolution's own weights ---------------------------------------------------------------------------------------- */

typedef struct weights {
    leat_tensor *w;
    const float *bias, *scale;                  /* or NULL; scale: S of leat.Conv, of the outputs */
    int64_t      outputs, inputs, group, inner; /* channels of Y and X; elements of W for one pair of channels */
    int          transposed;
} weights;

/* A convolution to which nothing but a scale has been done. */
static int is_conv(const leat_node *node) {
    return leat__is(node, "Conv") || (leat__is_in(node, LEAT_FUSED_DOMAIN, "Conv") && !leat__in(node, 3) && !leat__attr(&node->attrs, "act"));
}

static int read_weights(weights *k, const leat_node *conv) {
    int plain = is_conv(conv);
    if ((!plain && !leat__is(conv, "ConvTranspose")) || !leat__in(conv, 1) || !conv->in[1]->constant) return 0;
    *k = (weights){.w = conv->in[1]->constant, .transposed = !plain, .group = leat__attr_int(&conv->attrs, "group", 1)};
    if (k->w->dtype != LEAT_DTYPE_F32 || k->w->rank < 3 || k->group < 1 || k->group > k->w->dims[0] || !k->w->data) return 0;
    int64_t per_pair = 1;
    for (int i = 2; i < k->w->rank; i++) per_pair *= k->w->dims[i];
    k->inner = per_pair;
    k->outputs = plain ? k->w->dims[0] : k->w->dims[1] * k->group;
    k->inputs = plain ? k->w->dims[1] * k->group : k->w->dims[0];
    k->scale = leat__in(conv, 4) ? conv->in[4]->constant->data : NULL;
    if (k->inner < 1 || k->outputs < 1 || k->inputs < 1 || k->outputs % k->group || k->inputs % k->group) return 0;
    leat_value *bias = leat__in(conv, 2);
    if (!bias) return 1;
    if (!bias->constant || bias->constant->dtype != LEAT_DTYPE_F32 || leat_tensor_count(bias->constant) != k->outputs) return 0;
    if (leat__onnx_settle(bias->constant, conv->graph->arena, NULL) != LEAT_OK) return 0;
    k->bias = bias->constant->data;
    return 1;
}

/* Index of the other channel of row r, column q of W ([rows][columns][inner]), counted over all groups. */
static int64_t column_channel(const weights *k, int64_t row, int64_t column) {
    int64_t rows = k->w->dims[0] / k->group;
    return row / rows * k->w->dims[1] + column;
}

/* A copy of W with every element multiplied by the scale of its output (of_input: input) channel; NULL when out of memory. */
static leat_value *scaled_weights(leat_graph *graph, const weights *k, const double *scale, int of_input) {
    leat_value *value = leat__new_f32(graph, k->w->rank, k->w->dims);
    if (!value || leat__onnx_settle(k->w, graph->arena, NULL) != LEAT_OK) return NULL;
    const float *from = k->w->data;
    float       *to = value->constant->data;
    int          by_row = k->transposed == of_input;
    for (int64_t row = 0; row < k->w->dims[0]; row++)
        for (int64_t column = 0; column < k->w->dims[1]; column++) {
            double s = scale[by_row ? row : column_channel(k, row, column)];
            for (int64_t i = 0; i < k->inner; i++) *to++ = (float)((double)*from++ * s);
        }
    return value;
}

static leat_value *new_bias(leat_graph *graph, const weights *k, const affine *after) {
    leat_value *value = leat__new_f32(graph, 1, &k->outputs);
    for (int64_t c = 0; value && c < k->outputs; c++)
        ((float *)value->constant->data)[c] = (float)((k->bias ? (double)k->bias[c] : 0) * after->scale[c] + after->shift[c]);
    return value;
}

/* ---- after a convolution -------------------------------------------------------------------------------------------------- */

static int may_be_lazy(const weights *k) {
    const leat_op *op = leat__op_find(LEAT_FUSED_DOMAIN, "Conv", LEAT_FUSED_OPSET);
    return op && op->max_in > 4 && !k->transposed && (k->scale || leat_tensor_bytes(k->w) >= LAZY_BYTES);
}

static leat_value *joined_scale(leat_graph *graph, const weights *k, const affine *a) {
    leat_value *value = leat__new_f32(graph, 1, &k->outputs);
    for (int64_t c = 0; value && c < k->outputs; c++)
        ((float *)value->constant->data)[c] = (float)((k->scale ? (double)k->scale[c] : 1) * a->scale[c]);
    return value;
}

static int rewrite_after(leat_node *conv, leat_node *next, const weights *k, const affine *a) {
    int         lazy = (a->scales || k->scale) && may_be_lazy(k);
    leat_value *w = a->scales && !lazy ? scaled_weights(conv->graph, k, a->scale, 0) : conv->in[1];
    leat_value *bias = new_bias(conv->graph, k, a), *scale = lazy ? joined_scale(conv->graph, k, a) : NULL;
    const char *domain = lazy ? LEAT_FUSED_DOMAIN : "", *op_type = conv->op_type;
    if (!w || !bias || (lazy && !scale)) return LEAT_ENOMEM;
    if (!leat__become(next, domain, op_type, lazy ? LEAT_FUSED_OPSET : conv->opset, lazy ? 5 : 3) || !leat__copy_attrs(next, conv))
        return LEAT_ENOMEM;
    next->name = conv->name;
    leat__set_in(next, 0, conv->in[0]);
    leat__set_in(next, 1, w);
    leat__set_in(next, 2, bias);
    if (lazy) leat__set_in(next, 4, scale);
    leat__kill(conv);
    return 1;
}

static int fold_after(leat_pass *pass, leat_node *conv) {
    weights    k;
    affine     a;
    leat_node *next = read_weights(&k, conv) ? leat__only_reader(conv->out[0]) : NULL;
    if (!next || !affine_init(&a, k.outputs)) return next ? LEAT_ENOMEM : 0;
    int result = read_affine(&a, next, conv->out[0], k.w->rank) ? rewrite_after(conv, next, &k, &a) : 0;
    affine_fini(&a);
    return result;
}

/* ---- before a convolution ------------------------------------------------------------------------------------------------- */

static int has_padding(const leat_node *conv) {
    const char *mode = leat__attr_string(&conv->attrs, "auto_pad", "NOTSET");
    if (strncmp(mode, "SAME", 4) == 0) return 1;
    return !leat__attr_ints_are(conv, "pads", 0, 0);
}

/* b[o] + S[o] * sum over inputs of W[o][i] t[i]. */
static leat_value *shifted_bias(leat_graph *graph, const weights *k, const double *shift) {
    leat_value *value = leat__new_f32(graph, 1, &k->outputs);
    if (!value || leat__onnx_settle(k->w, graph->arena, NULL) != LEAT_OK) return NULL;
    const float *w = k->w->data;
    for (int64_t o = 0; o < k->outputs; o++) {
        double sum = 0;
        for (int64_t i = 0; i < k->w->dims[1]; i++)
            for (int64_t j = 0; j < k->inner; j++) sum += (double)*w++ * shift[column_channel(k, o, i)];
        ((float *)value->constant->data)[o] = (float)((k->bias ? (double)k->bias[o] : 0) + (k->scale ? (double)k->scale[o] : 1) * sum);
    }
    return value;
}

static int rewrite_before(leat_node *conv, leat_node *previous, leat_value *x, const weights *k, const affine *a) {
    leat_value *bias = a->shifts ? shifted_bias(conv->graph, k, a->shift) : NULL;
    leat_value *w = a->scales ? scaled_weights(conv->graph, k, a->scale, 1) : conv->in[1];
    if (!w || (a->shifts && !bias) || !leat__grow_in(conv, 3)) return LEAT_ENOMEM;
    leat__set_in(conv, 0, x);
    leat__set_in(conv, 1, w);
    if (bias) leat__set_in(conv, 2, bias);
    leat__kill(previous);
    return 1;
}

static int fold_before(leat_pass *pass, leat_node *conv) {
    weights k;
    affine  a;
    if (!is_conv(conv) || !conv->in[0] || !conv->in[0]->producer || !read_weights(&k, conv)) return 0;
    leat_node *previous = conv->in[0]->producer;
    if (previous->dead || previous->out[0] != conv->in[0] || !leat__feeds_only(previous, conv)) return 0;
    if (previous->n_in < 2 || !previous->in[0] || !previous->in[1]) return 0;
    leat_value *x = previous->in[0]->constant ? previous->in[1] : previous->in[0];
    if (x->constant || !leat__is_f32(x) || x->rank != k.w->rank || x->dims[1] != k.inputs) return 0;
    if (!affine_init(&a, k.inputs)) return LEAT_ENOMEM;
    int known = read_affine(&a, previous, x, k.w->rank) && !(a.shifts && has_padding(conv));
    int result = known ? rewrite_before(conv, previous, x, &k, &a) : 0;
    affine_fini(&a);
    return result;
}

/* ---- padding -------------------------------------------------------------------------------------------------------------- */

/* Pads of a constant Pad node [2 rank], none negative, none for batch and channels; its rank or 0. */
static int spatial_pads(const leat_node *pad, int64_t pads[2 * LEAT_MAX_RANK], double *fill) {
    int            n = 0;
    const int64_t *list = leat__attr_ints(&pad->attrs, "pads", &n);
    if (strcmp(leat__attr_string(&pad->attrs, "mode", "constant"), "constant") != 0 || leat__in(pad, 3)) return 0;
    if (list && n <= 2 * LEAT_MAX_RANK) memcpy(pads, list, (size_t)n * sizeof *pads);
    if (!list) n = leat__const_ints(leat__in(pad, 1), pads, 2 * LEAT_MAX_RANK);
    *fill = (double)leat__attr_float(&pad->attrs, "value", 0);
    if (leat__in(pad, 2) && !leat__const_scalar(pad->in[2], fill)) return 0;
    int rank = n / 2;
    if (n < 6 || n > 2 * LEAT_MAX_RANK || n % 2 || pads[0] || pads[1] || pads[rank] || pads[rank + 1]) return 0;
    for (int i = 0; i < n; i++)
        if (pads[i] < 0) return 0;
    return rank;
}

static int never_negative(const leat_value *value) {
    const leat_node *node = value->producer;
    double           lo;
    if (leat__is(node, "Relu") || leat__is(node, "Sigmoid") || leat__is(node, "HardSigmoid")) return 1;
    return leat__is(node, "Clip") && leat__in(node, 1) && leat__const_scalar(node->in[1], &lo) && lo >= 0;
}

/* A window that lies wholly in the padding would see minus infinity instead of zero. */
static int narrower_than_kernel(const leat_node *pool, const int64_t *pads, int rank) {
    int            n = 0;
    const int64_t *kernel = leat__attr_ints(&pool->attrs, "kernel_shape", &n);
    if (n != rank - 2 || !leat__attr_ints_are(pool, "dilations", 1, 1)) return 0;
    for (int i = 0; i < n; i++)
        if (pads[2 + i] >= kernel[i] || pads[rank + 2 + i] >= kernel[i]) return 0;
    return 1;
}

static int takes_padding(const leat_node *node, const leat_node *pad, const int64_t *pads, int rank, double fill) {
    if (leat__is(node, "Conv")) return fill == 0 && leat__in(node, 1) && node->in[1]->rank == rank;
    if (leat__attr_int(&node->attrs, "ceil_mode", 0) != 0 || !leat__attr_ints_are(node, "pads", 0, 0)) return 0;
    if (leat__is(node, "AveragePool")) return fill == 0;
    if (!leat__is(node, "MaxPool") || node->n_out != 1 || !narrower_than_kernel(node, pads, rank)) return 0;
    return fill <= -3.0e38 || (fill == 0 && never_negative(pad->in[0]));
}

static int fold_pad(leat_pass *pass, leat_node *node) {
    int64_t     pads[2 * LEAT_MAX_RANK], total[2 * LEAT_MAX_RANK];
    double      fill;
    leat_node  *pad = node->n_in ? leat__from(node, 0, "Pad") : NULL;
    const char *mode = leat__attr_string(&node->attrs, "auto_pad", "NOTSET");
    int         n = 0, rank = pad ? spatial_pads(pad, pads, &fill) : 0;
    if (!rank || (strcmp(mode, "NOTSET") != 0 && strcmp(mode, "VALID") != 0) || !takes_padding(node, pad, pads, rank, fill)) return 0;
    const int64_t *own = leat__attr_ints(&node->attrs, "pads", &n);
    if (own && n != 2 * (rank - 2)) return 0;
    for (int i = 0; i < rank - 2; i++) {
        int64_t begin = own ? own[i] : 0, end = own ? own[rank - 2 + i] : 0;
        if (__builtin_add_overflow(pads[2 + i], begin, &total[i])) return 0;
        if (__builtin_add_overflow(pads[rank + 2 + i], end, &total[rank - 2 + i])) return 0;
    }
    leat__drop_attr(node, "auto_pad");
    if (leat__node_attr_set_ints(node, "pads", total, 2 * (rank - 2)) != LEAT_OK) return LEAT_ENOMEM;
    if (leat__is(node, "AveragePool")) leat__node_attr_set_int(node, "count_include_pad", 1);
    leat__set_in(node, 0, pad->in[0]);
    return 1;
}

int leat__pass_affine(leat_pass *pass) {
    int status = leat__pass_each(pass, fold_pad);
    if (status == LEAT_OK) status = leat__pass_each(pass, fold_after);
    return status == LEAT_OK ? leat__pass_each(pass, fold_before) : status;
}
