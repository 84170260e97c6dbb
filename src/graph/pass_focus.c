/* pass_focus.c - the first layer of YOLOv5 and YOLOX: every second row and column, four times, in front of a convolution.
 *
 *   Concat(x[:, :, a::2, b::2] for the four pairs a, b), Conv k x k        ->  Conv 2k x 2k of x, stride and padding doubled
 *
 * Element (i, j) of the small kernel for channel c of part (a, b) is element (2i + a, 2j + b) of the large one for channel c.  The sums
 * are the same; no slice is copied, no concatenation made, and the picture is read as it comes.  Only for few channels: such a
 * convolution has its own way (conv_few.c), where a wide one would rather have Winograd.
 */
#include <string.h>

#include "graph/onnx_import.h"
#include "graph/pass.h"

enum { PARTS = 4, MOST_CHANNELS = 4, MOST_SLICES = 2 };

/* ---- matching ------------------------------------------------------------------------------------------------------------- */

/* Constants of a Slice that takes every second element from 0 or 1 on, to the end, of axes 2 and 3; offset[axis - 2], -1 = not sliced. */
static int read_slice(const leat_node *slice, int offset[2]) {
    int64_t start[2], end[2], axis[2], step[2];
    int     n = leat__const_ints(leat__in(slice, 1), start, 2);
    if (n < 1 || leat__const_ints(leat__in(slice, 2), end, 2) != n || leat__const_ints(leat__in(slice, 3), axis, 2) != n) return 0;
    if (leat__const_ints(leat__in(slice, 4), step, 2) != n) return 0;
    for (int i = 0; i < n; i++) {
        int64_t a = axis[i] < 0 ? axis[i] + 4 : axis[i];
        if (a < 2 || a > 3 || step[i] != 2 || start[i] < 0 || start[i] > 1 || offset[a - 2] >= 0) return 0;
        const leat_value *x = slice->in[0];
        int reaches = end[i] >= INT32_MAX || (x->rank == 4 && x->dims[a] > 0 && end[i] >= x->dims[a]);
        if (!reaches) return 0;
        offset[a - 2] = (int)start[i];
    }
    return 1;
}

/* The tensor that `part` takes a quarter of the pixels of, and which: offset[0] of the rows, offset[1] of the columns. */
static leat_value *whole_of(leat_value *part, int offset[2]) {
    offset[0] = offset[1] = -1;
    for (int i = 0; i < MOST_SLICES && (offset[0] < 0 || offset[1] < 0); i++) {
        const leat_node *slice = part ? part->producer : NULL;
        if (!slice || !leat__is(slice, "Slice") || slice->n_in < 5 || !read_slice(slice, offset)) return NULL;
        part = slice->in[0];
    }
    return offset[0] >= 0 && offset[1] >= 0 ? part : NULL;
}

/* The one tensor whose four quarters the Concat joins; place[a * 2 + b] = which of its inputs is quarter (a, b). */
static leat_value *source_of(const leat_node *concat, int place[PARTS]) {
    leat_value *x = NULL;
    if (!concat || concat->n_in != PARTS || leat__attr_int(&concat->attrs, "axis", 0) != 1) return NULL;
    for (int i = 0; i < PARTS; i++) place[i] = -1;
    for (int i = 0; i < PARTS; i++) {
        int         offset[2];
        leat_value *whole = whole_of(concat->in[i], offset);
        if (!whole || (x && whole != x) || place[2 * offset[0] + offset[1]] >= 0) return NULL;
        place[2 * offset[0] + offset[1]] = i;
        x = whole;
    }
    return x;
}

/* Quarters of an odd side differ in size; such a model is refused where it is run, not mended here. */
static int is_picture(const leat_value *x) {
    if (!leat__is_f32(x) || x->rank != 4 || x->dims[1] < 1 || x->dims[1] > MOST_CHANNELS) return 0;
    return (x->dims[2] < 0 || x->dims[2] % 2 == 0) && (x->dims[3] < 0 || x->dims[3] % 2 == 0);
}

/* Integer list of `count` small numbers, or absent. */
static int is_sane(const leat_node *node, const char *name, int count, int64_t least) {
    int            n = 0;
    const int64_t *list = leat__attr_ints(&node->attrs, name, &n);
    if (!leat__attr(&node->attrs, name)) return 1;
    for (int i = 0; i < n; i++)
        if (list[i] < least || list[i] > INT16_MAX) return 0;
    return n == count;
}

static int has_kernel(const leat_node *conv, const leat_tensor *w) {
    int            n = 0;
    const int64_t *kernel = leat__attr_ints(&conv->attrs, "kernel_shape", &n);
    return !kernel || (n == 2 && kernel[0] == w->dims[2] && kernel[1] == w->dims[3]);
}

/* The weights of a convolution that sees every channel, undilated and padded in numbers, or NULL. */
static leat_tensor *plain_weights(const leat_node *conv, int64_t channels) {
    const char *pad = leat__attr_string(&conv->attrs, "auto_pad", "NOTSET");
    leat_value *w = leat__in(conv, 1);
    if (!leat__is(conv, "Conv") || !w || !w->constant || !w->constant->data || w->constant->dtype != LEAT_DTYPE_F32 || w->constant->rank != 4) return NULL;
    if (leat__attr_int(&conv->attrs, "group", 1) != 1 || !leat__attr_ints_are(conv, "dilations", 1, 1)) return NULL;
    if (strcmp(pad, "NOTSET") != 0 || w->constant->dims[1] != PARTS * channels || !has_kernel(conv, w->constant)) return NULL;
    if (!is_sane(conv, "strides", 2, 1) || !is_sane(conv, "pads", 4, 0)) return NULL;
    return leat__onnx_settle(w->constant, conv->graph->arena, NULL) == LEAT_OK ? w->constant : NULL;
}

/* ---- editing -------------------------------------------------------------------------------------------------------------- */

static leat_value *spread_weights(leat_graph *graph, const leat_tensor *w, const int place[PARTS]) {
    int64_t outputs = w->dims[0], channels = w->dims[1] / PARTS, high = w->dims[2], wide = w->dims[3];
    int64_t dims[4] = {outputs, channels, 2 * high, 2 * wide};
    leat_value *value = leat__new_f32(graph, 4, dims);
    if (!value) return NULL;
    const float *from = w->data;
    float       *to = value->constant->data;
    for (int64_t oc = 0; oc < outputs * channels; oc++)
        for (int64_t y = 0; y < 2 * high; y++)
            for (int64_t x = 0; x < 2 * wide; x++) {
                int64_t part = place[(y & 1) * 2 + (x & 1)], in = oc / channels * w->dims[1] + part * channels + oc % channels;
                *to++ = from[(in * high + y / 2) * wide + x / 2];
            }
    return value;
}

static int double_ints(leat_node *node, const char *name, int count, int64_t absent) {
    int            n = 0;
    int64_t        doubled[4];
    const int64_t *list = leat__attr_ints(&node->attrs, name, &n);
    for (int i = 0; i < count; i++) doubled[i] = 2 * (n == count ? list[i] : absent);
    return leat__node_attr_set_ints(node, name, doubled, count) == LEAT_OK;
}

static int focus(leat_pass *pass, leat_node *conv) {
    int         place[PARTS];
    leat_node  *concat = leat__is(conv, "Conv") ? leat__from(conv, 0, "Concat") : NULL;
    leat_value *x = source_of(concat, place);
    if (!x || !is_picture(x) || !leat__feeds_only(concat, conv)) return 0;
    leat_tensor *w = plain_weights(conv, x->dims[1]);
    if (!w) return 0;
    leat_value *spread = spread_weights(pass->graph, w, place);
    int64_t     kernel[2] = {2 * w->dims[2], 2 * w->dims[3]};
    if (!spread || !double_ints(conv, "strides", 2, 1) || !double_ints(conv, "pads", 4, 0)) return LEAT_ENOMEM;
    if (leat__node_attr_set_ints(conv, "kernel_shape", kernel, 2) != LEAT_OK) return LEAT_ENOMEM;
    leat__set_in(conv, 0, x);
    leat__set_in(conv, 1, spread);
    leat__kill(concat);
    return 1;
}

int leat__pass_focus(leat_pass *pass) { return leat__pass_each(pass, focus); }
