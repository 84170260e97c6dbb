/* conv_geom.c - convolution attributes, all hostile until checked here.
 *
 * Axes are kept as [D, H, W]; `lead` of them are missing in the tensor and stay 1.  Sizes, strides, dilations and pads are limited to
 * 2^31 - 1 and effective kernels to 2^40, so that products of two of them fit in an int64. */
#include "ops/conv_geom.h"

#include <string.h>

#define MAX_VALUE 2147483647LL

typedef struct reader {
    leat_op_call    *call;
    leat_conv_shape *s;
    int              axes, lead; /* spatial axes of the tensor, missing ones */
} reader;

static int read_axes(const reader *r, const char *name, int64_t least, int64_t *out) {
    int n;
    const int64_t *values = leat__attr_ints(r->call->attrs, name, &n);
    if (!values || n == 0) return LEAT_OK;
    if (n != r->axes) return leat__op_fail(r->call, LEAT_EINVAL, "attribute %s has %d values for %d spatial axes", name, n, r->axes);
    for (int i = 0; i < n; i++) {
        if (values[i] < least || values[i] > MAX_VALUE)
            return leat__op_fail(r->call, LEAT_EINVAL, "attribute %s has the value %lld", name, (long long)values[i]);
        out[r->lead + i] = values[i];
    }
    return LEAT_OK;
}

static int read_pads(const reader *r) {
    int n;
    const int64_t *values = leat__attr_ints(r->call->attrs, "pads", &n);
    if (!values || n == 0) return LEAT_OK;
    if (n != 2 * r->axes) return leat__op_fail(r->call, LEAT_EINVAL, "attribute pads has %d values for %d spatial axes", n, r->axes);
    for (int i = 0; i < n; i++) {
        if (values[i] < 0 || values[i] > MAX_VALUE)
            return leat__op_fail(r->call, LEAT_EINVAL, "attribute pads has the value %lld", (long long)values[i]);
        int64_t *to = i < r->axes ? r->s->pad : r->s->pad_end;
        to[r->lead + i % r->axes] = values[i];
    }
    return LEAT_OK;
}

static int64_t extent(const leat_conv_shape *s, int a) { return (s->kernel[a] - 1) * s->dilation[a] + 1; }

/* Splits `total` padding of an axis: the odd one at the end, or with SAME_LOWER at the begin. */
static void split_padding(leat_conv_shape *s, int a, int64_t total, int lower) {
    if (total < 0) total = 0;
    s->pad[a] = lower ? total - total / 2 : total / 2;
    s->pad_end[a] = total - s->pad[a];
}

/* 0 NOTSET, 1 SAME_UPPER, 2 SAME_LOWER, 3 VALID, -1 unknown. */
static int auto_pad_kind(leat_op_call *call) {
    static const char *const names[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
    const char *name = leat__attr_string(call->attrs, "auto_pad", "NOTSET");
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return name[0] ? -1 : 0;
}

/* Everything but padding; wo and wi are the axes of w that hold the group's outputs and inputs. */
static int read_common(reader *r, const leat_tensor *x, const leat_tensor *w) {
    leat_op_call *call = r->call;
    leat_conv_shape *s = r->s;
    if (!x || !w) return leat__op_fail(call, LEAT_EFORMAT, "input %d is missing", x ? 1 : 0);
    if (x->rank < 3 || x->rank > 5) return leat__op_fail(call, LEAT_ESHAPE, "input 0 has rank %d, want 3 to 5", x->rank);
    if (w->rank != x->rank) return leat__op_fail(call, LEAT_ESHAPE, "weights have rank %d, the input has %d", w->rank, x->rank);
    if (w->dtype != x->dtype)
        return leat__op_fail(call, LEAT_ETYPE, "weights are %s, the input is %s", leat_dtype_name(w->dtype), leat_dtype_name(x->dtype));
    memset(s, 0, sizeof *s);
    r->axes = x->rank - 2;
    r->lead = 3 - r->axes;
    for (int a = 0; a < 3; a++) s->in[a] = s->out[a] = s->kernel[a] = s->stride[a] = s->dilation[a] = 1;
    for (int a = 0; a < r->axes; a++) {
        s->in[r->lead + a] = x->dims[2 + a];
        s->kernel[r->lead + a] = w->dims[2 + a];
    }
    s->n = x->dims[0];
    s->cin = x->dims[1];
    s->group = leat__attr_int(call->attrs, "group", 1);
    int64_t given[3] = {s->kernel[0], s->kernel[1], s->kernel[2]};
    int status = read_axes(r, "kernel_shape", 1, given);
    if (!status) status = read_axes(r, "strides", 1, s->stride);
    if (!status) status = read_axes(r, "dilations", 1, s->dilation);
    if (!status) status = read_pads(r);
    if (status) return status;
    for (int a = 0; a < 3; a++) {
        if (given[a] != s->kernel[a])
            return leat__op_fail(call, LEAT_ESHAPE, "kernel_shape says %lld, the weights have %lld", (long long)given[a], (long long)s->kernel[a]);
        if (s->kernel[a] < 1 || s->kernel[a] > MAX_VALUE || s->in[a] > MAX_VALUE || extent(s, a) > ((int64_t)1 << 40))
            return leat__op_fail(call, LEAT_ELIMIT, "a kernel of %lld on an axis of %lld", (long long)s->kernel[a], (long long)s->in[a]);
    }
    return LEAT_OK;
}

static int bad_channels(leat_op_call *call, const leat_conv_shape *s, const leat_tensor *w) {
    return leat__op_fail(call, LEAT_ESHAPE, "%lld input channels in %lld groups do not fit weights [%lld, %lld, ..]", (long long)s->cin,
                         (long long)s->group, (long long)w->dims[0], (long long)w->dims[1]);
}

int leat__conv_geometry(leat_op_call *call, const leat_tensor *x, const leat_tensor *w, leat_conv_shape *s) {
    return leat__conv_geometry_of_group(call, x, w, leat__attr_int(call->attrs, "group", 1), s);
}

int leat__conv_geometry_of_group(leat_op_call *call, const leat_tensor *x, const leat_tensor *w, int64_t group, leat_conv_shape *s) {
    reader r = {.call = call, .s = s};
    int status = read_common(&r, x, w), kind = auto_pad_kind(call);
    if (status) return status;
    s->group = group;
    if (kind < 0) return leat__op_fail(call, LEAT_EINVAL, "attribute auto_pad is not known");
    s->cout = w->dims[0];
    if (s->group < 1 || s->cin % s->group || s->cout % s->group || w->dims[1] != s->cin / s->group) return bad_channels(call, s, w);
    for (int a = 0; a < 3; a++) {
        if (kind == 3) s->pad[a] = s->pad_end[a] = 0;
        if (kind == 1 || kind == 2) {
            int64_t out = (s->in[a] + s->stride[a] - 1) / s->stride[a];
            split_padding(s, a, (out - 1) * s->stride[a] + extent(s, a) - s->in[a], kind == 2);
        }
        int64_t room = s->in[a] + s->pad[a] + s->pad_end[a] - extent(s, a);
        if (room < 0 && s->in[a] > 0)
            return leat__op_fail(call, LEAT_ESHAPE, "a kernel of %lld does not fit in %lld elements with pads %lld and %lld",
                                 (long long)extent(s, a), (long long)s->in[a], (long long)s->pad[a], (long long)s->pad_end[a]);
        s->out[a] = room < 0 ? 0 : room / s->stride[a] + 1;
    }
    return LEAT_OK;
}

/* Output sizes: output_shape, or stride * (in - 1) + output_padding + extent - pads (SAME: in * stride). */
static int transpose_sizes(reader *r, int kind) {
    leat_conv_shape *s = r->s;
    int64_t extra[3] = {0, 0, 0}, wanted[3] = {0, 0, 0};
    int n, status = read_axes(r, "output_padding", 0, extra);
    const int64_t *shape = leat__attr_ints(r->call->attrs, "output_shape", &n);
    if (!status && shape && n > r->axes) shape += n - r->axes; /* some exporters write N and C too */
    if (!status && shape && n < r->axes) status = leat__op_fail(r->call, LEAT_EINVAL, "output_shape has %d values", n);
    if (status) return status;
    for (int a = 0; a < r->axes && shape; a++) wanted[r->lead + a] = shape[a];
    for (int a = 0; a < 3; a++) {
        int64_t full = s->stride[a] * (s->in[a] - 1) + extra[a] + extent(s, a);
        if (a >= r->lead && shape) s->out[a] = wanted[a];
        else if (kind == 1 || kind == 2) s->out[a] = s->in[a] * s->stride[a];
        else s->out[a] = full - s->pad[a] - s->pad_end[a];
        if (s->in[a] == 0) s->out[a] = 0;
        if ((a >= r->lead && shape) || kind == 1 || kind == 2) split_padding(s, a, full - s->out[a], kind != 1);
        if (s->out[a] < 0 || s->out[a] > MAX_VALUE)
            return leat__op_fail(r->call, LEAT_ESHAPE, "the output would have %lld elements on an axis", (long long)s->out[a]);
    }
    return LEAT_OK;
}

int leat__conv_transpose_geometry(leat_op_call *call, const leat_tensor *x, const leat_tensor *w, leat_conv_shape *s) {
    reader r = {.call = call, .s = s};
    int status = read_common(&r, x, w), kind = auto_pad_kind(call);
    if (status) return status;
    if (kind < 0) return leat__op_fail(call, LEAT_EINVAL, "attribute auto_pad is not known");
    if (s->group < 1 || s->cin % s->group || w->dims[0] != s->cin) return bad_channels(call, s, w);
    if (__builtin_mul_overflow(w->dims[1], s->group, &s->cout)) return bad_channels(call, s, w);
    for (int a = 0; a < 3 && kind == 3; a++) s->pad[a] = s->pad_end[a] = 0;
    return transpose_sizes(&r, kind);
}

int leat__conv_set_output(leat_op_call *call, const leat_conv_shape *s, const leat_tensor *x, leat_tensor *y) {
    int64_t dims[LEAT_MAX_RANK] = {s->n, s->cout};
    for (int a = 2; a < x->rank; a++) dims[a] = s->out[3 - (x->rank - 2) + a - 2];
    if (leat__dims_count(dims, x->rank) < 0) return leat__op_fail(call, LEAT_ELIMIT, "the output is too large");
    if (y) leat__tensor_set(y, x->dtype, x->rank, dims);
    return LEAT_OK;
}

int leat__conv_check_bias(leat_op_call *call, const leat_conv_shape *s, const leat_tensor *x, const leat_tensor *bias) {
    if (!bias) return LEAT_OK;
    if (bias->dtype != x->dtype || leat_tensor_count(bias) != s->cout)
        return leat__op_fail(call, LEAT_ESHAPE, "the bias must be %s[%lld]", leat_dtype_name(x->dtype), (long long)s->cout);
    return LEAT_OK;
}
