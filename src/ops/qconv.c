/* qconv.c - QLinearConv and ConvInteger: 8-bit convolutions with integer sums.
 *
 * One image at a time is brought to a padded, channels-last form.  After that no window is cut by an edge and no im2col is needed: a row of
 * a kernel, all its columns and channels, is one contiguous run of the image, and the product kernels (cpu/qrows.h) walk over the runs.
 * Depthwise layers reduce windows channel by channel.
 *
 *   exact   the image is widened to 16 bits with its zero point taken off; sums are exact
 *   bytes   uint8 data with int8 weights without zero points (QLinearConv, not depthwise): the image stays bytes, and each pair of products
 *           along [kernel row, kernel column, channel] is clamped to 16 bits.  That is what ONNX Runtime computes without VNNI, and so
 *           what quantised networks were tuned to and what their published outputs hold: the ONNX model zoo's ShuffleNet v2 int8 is
 *           35 % (relative L2) off its own recorded output with exact sums, and equal to it to the last bit with these.  A network
 *           whose weights use 7 bits (reduce_range) gets the same bits both ways.  LEAT_INT8_EXACT=1 makes all sums exact.
 *
 * Sums are requantised like ONNX Runtime does: float(sum) * (x_scale * w_scale / y_scale), rounded half to even.
 * Scratch: image | scales [c_out] | start values (bias) | per worker: sums [PIXELS][columns], bytes [PIXELS][columns], gathered runs
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/qrows.h"
#include "cpu/quant.h"
#include "ops/window.h"

#define PIXELS 32           /* outputs of a row whose sums are held at once */
#define SLACK 64            /* values read past the image */
#define SEGMENTS_MAX 1024

typedef struct {
    leat_window    w;
    int64_t        n, c_in, c_out, group, cin_g, cout_g; /* _g: of one group */
    int64_t        padded[3];
    int            depthwise, merged, segments;          /* merged: a run covers the last kernel axis */
    int            bytes;                                /* clamped sums of bytes, see above */
    int            gathered;                             /* runs of odd length are joined, so that pairs of products span them */
    int64_t        k;                                    /* values of one run */
    int64_t        columns;                              /* cout_g (depthwise: c_out), rounded */
    size_t         w_bytes, group_bytes, image_bytes, worker_bytes; /* w: all groups, sums of columns behind them */
    const void    *packed;                               /* or NULL: packed at each run */
    int64_t        offset[SEGMENTS_MAX];
} qconv_state;

/* Where the inputs are: QLinearConv and ConvInteger order them differently; -1 = there is none. */
typedef struct {
    int x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, bias;
} places;

static const places linear_places = {1, 2, 3, 4, 5, 6, 7, 8}, integer_places = {-1, 2, 1, -1, 3, -1, -1, -1};

static const places *places_of(const leat_op_call *call) { return strcmp(call->op->name, "ConvInteger") == 0 ? &integer_places : &linear_places; }

/* ---- shapes ---------------------------------------------------------------------------------------------------------------------- */

static int is_byte(const leat_tensor *t) { return t && (t->dtype == LEAT_DTYPE_U8 || t->dtype == LEAT_DTYPE_I8); }

/* Input i must be absent, or hold one value or (columns > 0) one for each column. */
static int check_params(leat_op_call *call, int i, leat_dtype dtype, int64_t columns, int required) {
    const leat_tensor *t = i < 0 ? NULL : leat__op_in(call, i);
    if (!t) return required ? leat__op_fail(call, LEAT_EINVAL, "input %d is missing", i) : LEAT_OK;
    if (t->dtype != dtype) return leat__op_fail(call, LEAT_ETYPE, "input %d is %s, expected %s", i, leat_dtype_name(t->dtype), leat_dtype_name(dtype));
    int64_t n = leat_tensor_count(t);
    if (n != 1 && (columns == 0 || n != columns)) return leat__op_fail(call, LEAT_ESHAPE, "input %d has %lld values", i, (long long)n);
    return LEAT_OK;
}

static int check_operands(leat_op_call *call, const places *at, qconv_state *s) {
    const leat_tensor *x = leat__op_in(call, 0), *w = leat__op_in(call, at->w), *bias = at->bias < 0 ? NULL : leat__op_in(call, at->bias);
    if (!is_byte(x) || !is_byte(w)) return leat__op_fail(call, LEAT_ETYPE, "input and weights must be int8 or uint8");
    if (x->rank != w->rank || x->rank < 3) return leat__op_fail(call, LEAT_ESHAPE, "input has rank %d, weights %d", x->rank, w->rank);
    s->n = x->dims[0];
    s->c_in = x->dims[1];
    s->c_out = w->dims[0];
    s->group = leat__attr_int(call->attrs, "group", 1);
    if (s->group < 1 || s->c_in % s->group || s->c_out % s->group || w->dims[1] != s->c_in / s->group || s->c_in < 1 || s->c_out < 1)
        return leat__op_fail(call, LEAT_ESHAPE, "%lld input and %lld output channels do not fit group %lld", (long long)s->c_in, (long long)s->c_out,
                             (long long)s->group);
    int linear = at->x_scale >= 0;
    const leat_tensor *y_zero = linear ? leat__op_in(call, at->y_zero) : NULL;
    int status = check_params(call, at->x_scale, LEAT_DTYPE_F32, 0, linear);
    if (!status) status = check_params(call, at->x_zero, x->dtype, 0, linear);
    if (!status) status = check_params(call, at->w_scale, LEAT_DTYPE_F32, s->c_out, linear);
    if (!status) status = check_params(call, at->w_zero, w->dtype, s->c_out, linear);
    if (!status) status = check_params(call, at->y_scale, LEAT_DTYPE_F32, 0, linear);
    if (!status && linear && (!is_byte(y_zero) || leat_tensor_count(y_zero) != 1)) status = leat__op_fail(call, LEAT_ETYPE, "y_zero_point is not one byte");
    if (!status && bias && (bias->dtype != LEAT_DTYPE_I32 || leat_tensor_count(bias) != s->c_out))
        status = leat__op_fail(call, LEAT_ESHAPE, "bias must be int32 [%lld]", (long long)s->c_out);
    return status;
}

static int infer_qconv(leat_op_call *call) {
    qconv_state s;
    const places *at = places_of(call);
    int status = check_operands(call, at, &s);
    if (!status) status = leat__window_init_conv(call, call->in[at->w]->dims + 2, &s.w);
    if (status) return status;
    const leat_tensor *x = call->in[0];
    int64_t dims[LEAT_MAX_RANK] = {s.n, s.c_out};
    for (int i = 2; i < x->rank; i++) dims[i] = s.w.out[LEAT_SPATIAL_MAX - x->rank + i];
    leat__tensor_set(call->out[0], at->y_zero < 0 ? LEAT_DTYPE_I32 : call->in[at->y_zero]->dtype, x->rank, dims);
    leat__op_same_layout(call);
    return LEAT_OK;
}

/* ---- plan ------------------------------------------------------------------------------------------------------------------------- */

static int plan_segments(leat_op_call *call, qconv_state *s) {
    const leat_window *w = &s->w;
    s->depthwise = s->cin_g == 1 && s->cout_g == 1;
    s->merged = s->group == 1 && w->dilation[2] == 1 && !s->depthwise;
    int64_t last = s->merged ? 1 : w->kernel[2];
    if (w->kernel[0] * w->kernel[1] > SEGMENTS_MAX / last) return leat__op_fail(call, LEAT_ELIMIT, "kernel has more than %d positions", SEGMENTS_MAX);
    s->segments = 0;
    for (int64_t a = 0; a < w->kernel[0]; a++)
        for (int64_t b = 0; b < w->kernel[1]; b++)
            for (int64_t c = 0; c < last; c++)
                s->offset[s->segments++] = (((a * w->dilation[0]) * s->padded[1] + b * w->dilation[1]) * s->padded[2] + c * w->dilation[2]) * s->c_in;
    s->k = s->depthwise ? 1 : s->cin_g * (s->merged ? w->kernel[2] : 1);
    return LEAT_OK;
}

static size_t rounded(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* Whether sums are made of bytes: decided for good in prepare, so the weights' zero points must be known and zero. */
static int wants_bytes(const leat_op_call *call, const places *at, const qconv_state *s) {
    const leat_tensor *zero = leat__op_in(call, at->w_zero);
    const char *exact = getenv("LEAT_INT8_EXACT");
    if (at->y_scale < 0 || s->depthwise || (exact && *exact && *exact != '0')) return 0;
    if (call->in[0]->dtype != LEAT_DTYPE_U8 || call->in[at->w]->dtype != LEAT_DTYPE_I8 || (zero && !leat__op_is_const(call, at->w_zero))) return 0;
    for (int64_t i = 0; zero && i < leat_tensor_count(zero); i++)
        if (leat__tensor_get_int(zero, i) != 0) return 0;
    return 1;
}

static void plan_weights(qconv_state *s) {
    size_t pairs = s->depthwise ? (size_t)(s->segments + 1) / 2 : (size_t)s->segments * (size_t)((s->k + 1) / 2);
    size_t quads = s->gathered ? (size_t)leat__ceil_div(s->segments * s->k, 4) : (size_t)s->segments * (size_t)leat__ceil_div(s->k, 4);
    size_t groups = s->depthwise ? 1 : (size_t)s->group, sums = s->bytes ? (size_t)s->columns * groups * sizeof(int32_t) : 0;
    s->group_bytes = 4 * (s->bytes ? quads : pairs) * (size_t)s->columns;
    s->w_bytes = rounded(s->group_bytes * groups) + sums;
}

static int64_t gathered_row(const qconv_state *s) { return s->gathered ? leat__ceil_div(s->segments * s->k, 4) * 4 : 0; }

static int plan_sizes(leat_op_call *call, const places *at, qconv_state *s) {
    const leat_window *w = &s->w;
    size_t image = (size_t)s->c_in;
    s->cin_g = s->c_in / s->group;
    s->cout_g = s->c_out / s->group;
    for (int i = 0; i < 3; i++) {
        /* Rounding in the output size may leave a part of the padding unread; what is read must be there. */
        int64_t need = (w->out[i] - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1;
        s->padded[i] = leat__max64(1, leat__max64(need, w->in[i] + w->pad_begin[i] + w->pad_end[i]));
        if (leat__mul_overflows(image, (size_t)s->padded[i], &image) || image > (size_t)1 << 40)
            return leat__op_fail(call, LEAT_ELIMIT, "padded image is too large");
    }
    int status = plan_segments(call, s);
    if (status) return status;
    s->bytes = wants_bytes(call, at, s);
    s->gathered = s->bytes && s->segments > 1 && (s->k & 1);
    s->columns = leat__qrows_round(s->depthwise ? s->c_out : s->cout_g);
    s->image_bytes = rounded((image + SLACK) * (s->bytes ? 1 : sizeof(int16_t)));
    plan_weights(s);
    s->worker_bytes = rounded((size_t)(PIXELS * s->columns) * (sizeof(int32_t) + 1) + (size_t)(PIXELS * gathered_row(s)));
    return LEAT_OK;
}

typedef struct {
    const leat_op_call *call;
    const qconv_state  *s;
} pack_job;

/* Weights of one group; behind all groups, for bytes, the sum of each column: the share of the input's zero point. */
static void pack_group(const qconv_state *s, const leat_qrows_source *from, char *block, int64_t g) {
    void *to = block + (size_t)g * s->group_bytes;
    if (s->depthwise) leat__qrows_pack_window(to, from, s->segments, s->c_out);
    else if (!s->bytes) leat__qrows_pack(to, from, s->segments, s->k, s->cout_g);
    else if (s->gathered) leat__qrows_pack_bytes(to, from, 1, s->segments * s->k, s->cout_g);
    else leat__qrows_pack_bytes(to, from, s->segments, s->k, s->cout_g);
    if (!s->bytes) return;
    int32_t *sums = (int32_t *)(block + rounded(s->group_bytes * (size_t)s->group)) + g * s->columns;
    for (int64_t j = 0; j < s->columns; j++) {
        sums[j] = 0;
        for (int64_t i = 0; i < from->n_stride && j < s->cout_g; i++) sums[j] += ((const int8_t *)from->data)[j * from->n_stride + i];
    }
}

static void pack_weights(void *block, void *arg) {
    const qconv_state *s = ((pack_job *)arg)->s;
    const leat_op_call *call = ((pack_job *)arg)->call;
    const places *at = places_of(call);
    const leat_tensor *w = call->in[at->w], *zero = leat__op_in(call, at->w_zero);
    const leat_window *win = &s->w;
    int64_t volume = win->kernel[0] * win->kernel[1] * win->kernel[2], groups = s->depthwise ? 1 : s->group;
    leat_qrows_source from = {.data = w->data, .is_signed = w->dtype == LEAT_DTYPE_I8, .n_stride = s->cin_g * volume, .inner = s->cin_g};
    from.segment_stride = s->merged ? win->kernel[2] : 1;
    from.outer_stride = 1;
    from.inner_stride = volume;
    from.zero = zero ? zero->data : NULL;
    from.zero_step = zero && leat_tensor_count(zero) > 1;
    for (int64_t g = 0; g < groups; g++) {
        pack_group(s, &from, block, g);
        from.data = (const uint8_t *)from.data + s->cout_g * from.n_stride;
        if (from.zero_step) from.zero = (const uint8_t *)from.zero + s->cout_g;
    }
}

/* The highest level that has a form of its own for these sums. */
static void name_kernel(leat_op_call *call, const qconv_state *s) {
    leat_isa top = s->depthwise ? LEAT_ISA_AVX2 : s->bytes ? LEAT_ISA_AVX512 : LEAT_ISA_AVX512VNNI;
    leat_isa isa = leat__qrows.isa < top || leat__qrows.isa >= LEAT_ISA_NEON ? leat__qrows.isa : top; /* on ARM one file has them all */
    leat__op_name_kernel(call, s->depthwise ? "qconv_depthwise_i16" : s->bytes ? "qconv_u8s8" : "qconv_i16", isa);
}

static int prepare_qconv(leat_op_call *call) {
    const places *at = places_of(call);
    qconv_state *s = leat__op_state(call, sizeof *s);
    if (!s) return LEAT_ENOMEM;
    int status = check_operands(call, at, s);
    if (!status) status = leat__window_init_conv(call, call->in[at->w]->dims + 2, &s->w);
    if (!status) status = plan_sizes(call, at, s);
    if (status) return status;
    int zero_const = !leat__op_in(call, at->w_zero) || leat__op_is_const(call, at->w_zero), workers = leat_tpool_threads(call->pool);
    pack_job job = {call, s};
    if (leat__op_is_const(call, at->w) && zero_const) {
        const leat_tensor *zero = leat__op_in(call, at->w_zero); /* taken off in the packed form: part of its identity */
        uint64_t variant = 0x51434f4e56000000u + (uint64_t)(s->gathered * 8 + s->bytes * 4 + s->merged * 2 + s->depthwise) + (zero ? (uint64_t)(uintptr_t)zero->data : 0);
        s->packed = leat__op_pack(call, call->in[at->w]->data, variant, s->w_bytes, pack_weights, &job);
        if (!s->packed) return LEAT_ENOMEM;
    }
    if (call->threads > workers) workers = call->threads;
    call->scratch_bytes = s->image_bytes + rounded((size_t)(s->columns * s->group) * (sizeof(float) + sizeof(int32_t))) +
                          (size_t)workers * s->worker_bytes + (s->packed ? 0 : s->w_bytes);
    name_kernel(call, s);
    double macs = (double)leat_tensor_count(call->out[0]) * (double)s->cin_g * (double)s->w.kernel[0] * (double)s->w.kernel[1] * (double)s->w.kernel[2];
    call->macs = macs < 9e18 ? (int64_t)macs : INT64_MAX;
    return LEAT_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    const leat_op_call *call;
    const qconv_state  *s;
    const char         *weights;
    char               *image;
    float              *scale;    /* [groups][columns] */
    int32_t            *init;     /* [groups][columns] */
    char               *workers;
    int64_t             b;        /* image of the batch */
    int32_t             x_zero, y_zero;
} qconv_job;

/* n values of x from `at` on, in the image's form. */
static void load(const qconv_job *job, void *to, int64_t at, int64_t n) {
    const leat_tensor *x = job->call->in[0];
    if (job->s->bytes) memcpy(to, (const uint8_t *)x->data + at, (size_t)n);
    else if (x->dtype == LEAT_DTYPE_U8) leat__qrows.widen_u8(to, (const uint8_t *)x->data + at, n, job->x_zero);
    else leat__qrows.widen_i8(to, (const int8_t *)x->data + at, n, job->x_zero);
}

/* Row of every channel, one after the other, from a plain tensor. */
static void load_planes(const qconv_job *job, void *row, int64_t at, int64_t plane) {
    const leat_tensor *x = job->call->in[0];
    int64_t c = job->s->c_in, width = job->s->w.in[2];
    for (int64_t j = 0; j < c; j++) {
        const uint8_t *from = (const uint8_t *)x->data + at + j * plane;
        for (int64_t i = 0; i < width; i++) {
            if (job->s->bytes) ((uint8_t *)row)[i * c + j] = from[i];
            else ((int16_t *)row)[i * c + j] = (int16_t)((x->dtype == LEAT_DTYPE_U8 ? from[i] : ((const int8_t *)from)[i]) - job->x_zero);
        }
    }
}

/* One row of the padded image. */
static void image_task(void *arg, int64_t index, int worker) {
    const qconv_job *job = arg;
    const qconv_state *s = job->s;
    const leat_window *w = &s->w;
    int64_t d = index / s->padded[1] - w->pad_begin[0], h = index % s->padded[1] - w->pad_begin[1], c = s->c_in, width = w->in[2];
    size_t size = s->bytes ? 1 : sizeof(int16_t);
    char *row = job->image + (size_t)(index * s->padded[2] * c) * size;
    memset(row, s->bytes ? job->x_zero : 0, (size_t)(s->padded[2] * c) * size);
    if (d < 0 || d >= w->in[0] || h < 0 || h >= w->in[1]) return;
    row += (size_t)(w->pad_begin[2] * c) * size;
    int64_t plane = w->in[0] * w->in[1] * width, line = (d * w->in[1] + h) * width;
    if (leat__is_nhwc(job->call->in[0])) load(job, row, (job->b * plane + line) * c, width * c);
    else load_planes(job, row, job->b * c * plane + line, plane);
}

static void requantize(const qconv_job *job, const int32_t *sum, void *to, int64_t n, int64_t at) {
    if (job->call->out[0]->dtype == LEAT_DTYPE_U8) leat__quant.requantize_u8(sum, to, n, job->scale + at, job->y_zero);
    else leat__quant.requantize_i8(sum, to, n, job->scale + at, job->y_zero);
}

/* Sums of `count` pixels from output position `pixel` on -> output channels [first, first + n). */
static void store_pixels(const qconv_job *job, const int32_t *sums, uint8_t *bytes, int64_t pixel, int64_t count, int64_t group, int64_t n) {
    const qconv_state *s = job->s;
    const leat_tensor *y = job->call->out[0];
    int64_t area = s->w.out[0] * s->w.out[1] * s->w.out[2], base = job->b * area * s->c_out, first = group * s->cout_g, ld = s->columns;
    int wide = y->dtype == LEAT_DTYPE_I32;
    for (int64_t i = 0; i < count; i++) {
        int64_t at = base + (pixel + i) * s->c_out + first;
        if (leat__is_nhwc(y) && wide) memcpy((int32_t *)y->data + at, sums + i * ld, (size_t)n * sizeof *sums);
        else if (!wide) requantize(job, sums + i * ld, leat__is_nhwc(y) ? (uint8_t *)y->data + at : bytes + i * ld, n, group * ld);
    }
    if (leat__is_nhwc(y)) return;
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < count; i++) {
            int64_t at = base + (first + j) * area + pixel + i;
            if (wide) ((int32_t *)y->data)[at] = sums[i * ld + j];
            else ((uint8_t *)y->data)[at] = bytes[i * ld + j];
        }
}

/* Byte sums of `count` pixels, `step` apart in the image. */
static void byte_sums(const qconv_job *job, int32_t *sums, const uint8_t *x, int64_t step, int64_t count, int64_t group, uint8_t *runs) {
    const qconv_state *s = job->s;
    const int8_t *weights = (const int8_t *)job->weights + (size_t)group * s->group_bytes;
    const int32_t *init = job->init + group * s->columns;
    int64_t row = gathered_row(s), zero = 0;
    if (!s->gathered) {
        leat__qrows.rows_u8s8(sums, s->columns, x, step, count, s->offset, s->segments, leat__ceil_div(s->k, 4), weights, s->cout_g, init);
        return;
    }
    memset(runs, 0, (size_t)(count * row));
    for (int64_t i = 0; i < count; i++)
        for (int k = 0; k < s->segments; k++) memcpy(runs + i * row + k * s->k, x + i * step + s->offset[k], (size_t)s->k);
    leat__qrows.rows_u8s8(sums, s->columns, runs, row, count, &zero, 1, row / 4, weights, s->cout_g, init);
}

static void exact_sums(const qconv_job *job, int32_t *sums, const int16_t *x, int64_t step, int64_t count, int64_t group) {
    const qconv_state *s = job->s;
    const int16_t *weights = (const int16_t *)(job->weights + (size_t)group * s->group_bytes);
    const int32_t *init = job->init + group * s->columns;
    if (!s->depthwise) leat__qrows.rows_i16(sums, s->columns, x, step, count, s->offset, s->segments, (s->k + 1) / 2, weights, s->cout_g, init);
    else
        for (int64_t k = 0; k < count; k++) leat__qrows.window_i16(sums + k * s->columns, x + k * step, s->offset, s->segments, weights, s->c_out, init);
}

/* One output row of one group. */
static void row_task(void *arg, int64_t index, int worker) {
    const qconv_job *job = arg;
    const qconv_state *s = job->s;
    const leat_window *w = &s->w;
    int64_t groups = s->depthwise ? 1 : s->group, group = index % groups, line = index / groups;
    int64_t d = line / w->out[1] * w->stride[0], h = line % w->out[1] * w->stride[1], step = w->stride[2] * s->c_in;
    int64_t x = (d * s->padded[1] + h) * s->padded[2] * s->c_in + group * s->cin_g;
    int32_t *sums = (int32_t *)(job->workers + (size_t)worker * s->worker_bytes);
    uint8_t *bytes = (uint8_t *)(sums + PIXELS * s->columns);
    for (int64_t i = 0; i < w->out[2]; i += PIXELS) {
        int64_t count = leat__min64(PIXELS, w->out[2] - i), from = x + i * step;
        if (s->bytes) byte_sums(job, sums, (const uint8_t *)job->image + from, step, count, group, bytes + PIXELS * s->columns);
        else exact_sums(job, sums, (const int16_t *)job->image + from, step, count, group);
        store_pixels(job, sums, bytes, line * w->out[2] + i, count, group, s->depthwise ? s->c_out : s->cout_g);
    }
}

static int32_t byte_value(const leat_op_call *call, int i) {
    const leat_tensor *t = i < 0 ? NULL : leat__op_in(call, i);
    return t ? (int32_t)leat__tensor_get_int(t, 0) : 0;
}

/* Scales and start values of every column, groups apart since their columns are rounded up. */
static void fill_columns(qconv_job *job, const places *at) {
    const leat_op_call *call = job->call;
    const qconv_state *s = job->s;
    int64_t groups = s->depthwise ? 1 : s->group, n = s->depthwise ? s->c_out : s->cout_g;
    const leat_tensor *ws = at->w_scale < 0 ? NULL : call->in[at->w_scale], *bias = at->bias < 0 ? NULL : leat__op_in(call, at->bias);
    float x_scale = ws ? *(const float *)call->in[at->x_scale]->data : 1, y_scale = ws ? *(const float *)call->in[at->y_scale]->data : 1;
    int64_t step = ws && leat_tensor_count(ws) > 1;
    const int32_t *sums = s->bytes ? (const int32_t *)(job->weights + rounded(s->group_bytes * (size_t)groups)) : NULL;
    for (int64_t g = 0; g < groups; g++)
        for (int64_t j = 0; j < s->columns; j++) {
            int64_t c = g * n + j, to = g * s->columns + j;
            job->scale[to] = ws && j < n ? x_scale * ((const float *)ws->data)[c * step] / y_scale : 0;
            job->init[to] = bias && j < n ? ((const int32_t *)bias->data)[c] : 0;
            if (sums) job->init[to] -= job->x_zero * sums[to];
        }
}

static int run_qconv(leat_op_call *call) {
    const places *at = places_of(call);
    const qconv_state *s = call->state;
    qconv_job job = {.call = call, .s = s, .weights = s->packed, .image = call->scratch};
    if (leat_tensor_count(call->out[0]) == 0) return LEAT_OK;
    job.scale = (float *)(job.image + s->image_bytes);
    job.init = (int32_t *)(job.scale + s->columns * s->group);
    job.workers = (char *)job.scale + rounded((size_t)(s->columns * s->group) * (sizeof(float) + sizeof(int32_t)));
    job.x_zero = byte_value(call, at->x_zero);
    job.y_zero = byte_value(call, at->y_zero);
    if (!job.weights) {
        int workers = leat_tpool_threads(call->pool);
        char *packed = job.workers + (size_t)(call->threads > workers ? call->threads : workers) * s->worker_bytes;
        pack_weights(packed, &(pack_job){call, s});
        job.weights = packed;
    }
    fill_columns(&job, at);
    memset(job.image + s->image_bytes - SLACK, 0, SLACK); /* read past the last row, times zero weights */
    int64_t groups = s->depthwise ? 1 : s->group;
    for (job.b = 0; job.b < s->n; job.b++) {
        leat__op_for(call, s->padded[0] * s->padded[1], s->padded[2] * s->c_in / 8, image_task, &job);
        leat__op_for(call, s->w.out[0] * s->w.out[1] * groups, s->w.out[2] * s->cout_g * s->k * s->segments / 16, row_task, &job);
    }
    return LEAT_OK;
}

const leat_op leat__ops_qconv[] = {
    {"", "QLinearConv", 10, 0, 8, 9, 1, 1, 0, LEAT_OP_NHWC, 0, infer_qconv, prepare_qconv, run_qconv},
    {"", "ConvInteger", 10, 0, 2, 4, 1, 1, 0, LEAT_OP_NHWC, 0, infer_qconv, prepare_qconv, run_qconv},
    {0},
};
