/* window.c - pooling windows, ONNX rules: explicit pads or auto_pad, ceil_mode that drops windows starting in the end padding. */
#include "ops/window.h"

#include <string.h>

#define AXIS_LIMIT (INT64_C(1) << 31) /* on every dimension: products of two stay far inside int64 */
#define ATTR_LIMIT (INT64_C(1) << 20) /* on every attribute: no network is near, and loops over a kernel stay short */

typedef enum { PAD_EXPLICIT, PAD_SAME_UPPER, PAD_SAME_LOWER, PAD_VALID } pad_mode;

static int parse_auto_pad(leat_op_call *call, pad_mode *mode) {
    static const char *const names[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"};
    const char *text = leat__attr_string(call->attrs, "auto_pad", "NOTSET");
    if (!*text) text = "NOTSET";
    for (int i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) {
            *mode = (pad_mode)i;
            return LEAT_OK;
        }
    return leat__op_fail(call, LEAT_EINVAL, "auto_pad '%s' is unknown", text);
}

/* Copies an optional list of k values in [low, ATTR_LIMIT) to out; absent leaves out as it is. */
static int read_list(leat_op_call *call, const char *name, int k, int64_t low, int64_t *out) {
    int n;
    const int64_t *values = leat__attr_ints(call->attrs, name, &n);
    if (!values || n == 0) return LEAT_OK;
    if (n != k) return leat__op_fail(call, LEAT_ESHAPE, "%s has %d values, %d expected", name, n, k);
    for (int i = 0; i < k; i++) {
        if (values[i] < low || values[i] >= ATTR_LIMIT)
            return leat__op_fail(call, LEAT_EINVAL, "%s[%d] = %lld is out of range", name, i, (long long)values[i]);
        out[i] = values[i];
    }
    return LEAT_OK;
}

static void same_padding(leat_window *w, int axis, int lower) {
    int64_t extent = (w->kernel[axis] - 1) * w->dilation[axis] + 1, s = w->stride[axis];
    w->out[axis] = leat__ceil_div(w->in[axis], s);
    int64_t pad = leat__max64(0, (w->out[axis] - 1) * s + extent - w->in[axis]);
    w->pad_begin[axis] = lower ? (pad + 1) / 2 : pad / 2;
    w->pad_end[axis] = pad - w->pad_begin[axis];
}

static void size_axis(leat_window *w, int axis, pad_mode mode, int ceil_mode) {
    if (mode == PAD_SAME_UPPER || mode == PAD_SAME_LOWER) {
        same_padding(w, axis, mode == PAD_SAME_LOWER);
        return;
    }
    if (mode == PAD_VALID) w->pad_begin[axis] = w->pad_end[axis] = 0;
    int64_t extent = (w->kernel[axis] - 1) * w->dilation[axis] + 1, s = w->stride[axis];
    int64_t room = w->in[axis] + w->pad_begin[axis] + w->pad_end[axis] - extent;
    int64_t out = room < 0 ? 0 : (ceil_mode ? leat__ceil_div(room, s) : room / s) + 1;
    if (ceil_mode && out > 0 && (out - 1) * s >= w->in[axis] + w->pad_begin[axis]) out--;
    w->out[axis] = out;
}

static int check_input(leat_op_call *call) {
    const leat_tensor *x = leat__op_in(call, 0);
    if (!x) return leat__op_fail(call, LEAT_EINVAL, "input 0 is missing");
    if (x->rank < 3 || x->rank > 2 + LEAT_SPATIAL_MAX)
        return leat__op_fail(call, LEAT_EUNSUPPORTED, "input rank %d, 3 to 5 expected", x->rank);
    for (int i = 0; i < x->rank; i++)
        if (x->dims[i] >= AXIS_LIMIT) return leat__op_fail(call, LEAT_ELIMIT, "input dimension %d is too large", i);
    return LEAT_OK;
}

static int init_axes(leat_op_call *call, const int64_t *kernel, int ceil_mode, leat_window *w) {
    int k = call->in[0]->rank - 2, at = LEAT_SPATIAL_MAX - k, status;
    int64_t pads[2 * LEAT_SPATIAL_MAX] = {0};
    pad_mode mode = PAD_EXPLICIT;
    for (int i = 0; i < LEAT_SPATIAL_MAX; i++) {
        w->kernel[i] = w->stride[i] = w->dilation[i] = w->in[i] = w->out[i] = 1;
        w->pad_begin[i] = w->pad_end[i] = 0;
    }
    for (int i = 0; kernel && i < k; i++) w->kernel[at + i] = kernel[i];
    if ((status = read_list(call, "kernel_shape", k, 1, w->kernel + at)) || (status = read_list(call, "strides", k, 1, w->stride + at)) ||
        (status = read_list(call, "dilations", k, 1, w->dilation + at)) || (status = read_list(call, "pads", 2 * k, 0, pads)) ||
        (status = parse_auto_pad(call, &mode)))
        return status;
    for (int i = 0; i < k; i++) {
        if (kernel && w->kernel[at + i] != kernel[i]) return leat__op_fail(call, LEAT_ESHAPE, "kernel_shape contradicts the weights");
        w->in[at + i] = call->in[0]->dims[2 + i];
        w->pad_begin[at + i] = pads[i];
        w->pad_end[at + i] = pads[k + i];
        size_axis(w, at + i, mode, ceil_mode);
    }
    return LEAT_OK;
}

int leat__window_init(leat_op_call *call, leat_window *w) {
    int n, status = check_input(call);
    if (status) return status;
    if (!leat__attr_ints(call->attrs, "kernel_shape", &n)) return leat__op_fail(call, LEAT_EINVAL, "attribute kernel_shape is missing");
    return init_axes(call, NULL, leat__attr_int(call->attrs, "ceil_mode", 0) != 0, w);
}

int leat__window_init_conv(leat_op_call *call, const int64_t *kernel, leat_window *w) {
    int status = check_input(call);
    if (status) return status;
    for (int i = 0; i < call->in[0]->rank - 2; i++)
        if (kernel[i] < 1 || kernel[i] >= ATTR_LIMIT) return leat__op_fail(call, LEAT_ESHAPE, "kernel dimension %d is out of range", i);
    return init_axes(call, kernel, 0, w);
}
