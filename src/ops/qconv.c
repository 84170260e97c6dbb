/* qconv.c - QLinearConv and ConvInteger: 8-bit convolutions with exact integer sums.
 *
 * One image at a time is widened to 16 bits with its zero point taken off, channels last and padded (padding is then zero).  After that no
 * window is cut by an edge and no im2col is needed: a row of a kernel, all its columns and channels, is one contiguous run of the
 * image, and the product kernel (cpu/qrows.h) walks over the runs.  Depthwise layers reduce windows channel by channel.
 * Sums are requantised like ONNX Runtime does: float(sum) * (x_scale * w_scale / y_scale), rounded half to even.
 * Scratch: image | scales [c_out] | start values (bias) | per worker: sums [PIXELS][columns], bytes [PIXELS][columns]
 */
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
    int64_t        k;                                    /* values of one run */
    int64_t        columns;                              /* cout_g (depthwise: c_out), rounded */
    size_t         w_elements, image_elements, worker_bytes;
    const int16_t *packed;                               /* or NULL: packed at each run */
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

static int plan_sizes(leat_op_call *call, qconv_state *s) {
    const leat_window *w = &s->w;
    size_t image = (size_t)s->c_in;
    s->cin_g = s->c_in / s->group;
    s->cout_g = s->c_out / s->group;
    for (int i = 0; i < 3; i++) {
        /* A window that ceil-like padding pushes past the end would read on: hold all that any output needs. */
        int64_t need = (w->out[i] - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1;
        s->padded[i] = leat__max64(need, w->in[i] + w->pad_begin[i] + w->pad_end[i]);
        if (s->padded[i] < 1) s->padded[i] = 1;
        if (leat__mul_overflows(image, (size_t)s->padded[i], &image) || image > (size_t)1 << 40)
            return leat__op_fail(call, LEAT_ELIMIT, "padded image is too large");
    }
    int status = plan_segments(call, s);
    if (status) return status;
    s->columns = leat__qrows_round(s->depthwise ? s->c_out : s->cout_g);
    s->image_elements = (image + SLACK + 31) & ~(size_t)31;
    size_t pairs = s->depthwise ? (size_t)(s->segments + 1) / 2 : (size_t)s->segments * (size_t)((s->k + 1) / 2);
    s->w_elements = 2 * pairs * (size_t)s->columns * (size_t)(s->depthwise ? 1 : s->group);
    s->worker_bytes = (size_t)(PIXELS * s->columns) * (sizeof(int32_t) + 1);
    return LEAT_OK;
}

typedef struct {
    const leat_op_call *call;
    const qconv_state  *s;
} pack_job;

static void pack_weights(void *block, void *arg) {
    const qconv_state *s = ((pack_job *)arg)->s;
    const leat_op_call *call = ((pack_job *)arg)->call;
    const places *at = places_of(call);
    const leat_tensor *w = call->in[at->w], *zero = leat__op_in(call, at->w_zero);
    const leat_window *win = &s->w;
    int64_t volume = win->kernel[0] * win->kernel[1] * win->kernel[2];
    leat_qrows_source from = {.data = w->data, .is_signed = w->dtype == LEAT_DTYPE_I8, .n_stride = s->cin_g * volume, .inner = s->cin_g};
    from.segment_stride = s->merged ? win->kernel[2] : 1;
    from.outer_stride = 1;
    from.inner_stride = volume;
    from.zero = zero ? zero->data : NULL;
    from.zero_step = zero && leat_tensor_count(zero) > 1;
    if (s->depthwise) {
        leat__qrows_pack_window(block, &from, s->segments, s->c_out);
        return;
    }
    int16_t *to = block;
    for (int64_t g = 0; g < s->group; g++, to += s->w_elements / (size_t)s->group) {
        leat__qrows_pack(to, &from, s->segments, s->k, s->cout_g);
        from.data = (const uint8_t *)from.data + s->cout_g * from.n_stride;
        if (from.zero_step) from.zero = (const uint8_t *)from.zero + s->cout_g;
    }
}

static int prepare_qconv(leat_op_call *call) {
    const places *at = places_of(call);
    qconv_state *s = leat__op_state(call, sizeof *s);
    if (!s) return LEAT_ENOMEM;
    int status = check_operands(call, at, s);
    if (!status) status = leat__window_init_conv(call, call->in[at->w]->dims + 2, &s->w);
    if (!status) status = plan_sizes(call, s);
    if (status) return status;
    int zero_const = !leat__op_in(call, at->w_zero) || leat__op_is_const(call, at->w_zero), workers = leat_tpool_threads(call->pool);
    pack_job job = {call, s};
    if (leat__op_is_const(call, at->w) && zero_const) {
        const leat_tensor *zero = leat__op_in(call, at->w_zero); /* taken off in the packed form: part of its identity */
        uint64_t variant = 0x51434f4e56000000u + (uint64_t)s->merged * 2 + (uint64_t)s->depthwise + (zero ? (uint64_t)(uintptr_t)zero->data : 0);
        s->packed = leat__op_pack(call, call->in[at->w]->data, variant, s->w_elements * sizeof(int16_t), pack_weights, &job);
        if (!s->packed) return LEAT_ENOMEM;
    }
    if (call->threads > workers) workers = call->threads;
    call->scratch_bytes = s->image_elements * sizeof(int16_t) + (size_t)(s->columns * s->group) * (sizeof(float) + sizeof(int32_t)) +
                          (size_t)workers * s->worker_bytes + (s->packed ? 0 : s->w_elements * sizeof(int16_t));
    call->kernel = s->depthwise ? "qconv_depthwise_i16" : "qconv_i16";
    double macs = (double)leat_tensor_count(call->out[0]) * (double)s->cin_g * (double)s->w.kernel[0] * (double)s->w.kernel[1] * (double)s->w.kernel[2];
    call->macs = macs < 9e18 ? (int64_t)macs : INT64_MAX;
    return LEAT_OK;
}

/* ---- run --------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    const leat_op_call *call;
    const qconv_state  *s;
    const int16_t      *weights;
    int16_t            *image;
    float              *scale;    /* [groups][columns] */
    int32_t            *init;     /* [groups][columns] */
    char               *workers;
    int64_t             b;        /* image of the batch */
    int32_t             x_zero, y_zero;
} qconv_job;

static void widen(const leat_tensor *x, int16_t *to, int64_t at, int64_t n, int32_t zero) {
    if (x->dtype == LEAT_DTYPE_U8) leat__qrows.widen_u8(to, (const uint8_t *)x->data + at, n, zero);
    else leat__qrows.widen_i8(to, (const int8_t *)x->data + at, n, zero);
}

/* One row of the padded image. */
static void image_task(void *arg, int64_t index, int worker) {
    const qconv_job *job = arg;
    const qconv_state *s = job->s;
    const leat_window *w = &s->w;
    const leat_tensor *x = job->call->in[0];
    int64_t d = index / s->padded[1] - w->pad_begin[0], h = index % s->padded[1] - w->pad_begin[1], c = s->c_in, width = w->in[2];
    int16_t *row = job->image + index * s->padded[2] * c;
    memset(row, 0, (size_t)(s->padded[2] * c) * sizeof *row);
    if (d < 0 || d >= w->in[0] || h < 0 || h >= w->in[1]) return;
    row += w->pad_begin[2] * c;
    int64_t plane = w->in[0] * w->in[1] * width, line = (d * w->in[1] + h) * width;
    if (leat__is_nhwc(x)) {
        widen(x, row, job->b * plane * c + line * c, width * c, job->x_zero);
        return;
    }
    for (int64_t j = 0; j < c; j++) {
        const uint8_t *from = (const uint8_t *)x->data + (job->b * c + j) * plane + line;
        for (int64_t i = 0; i < width; i++)
            row[i * c + j] = (int16_t)((x->dtype == LEAT_DTYPE_U8 ? from[i] : ((const int8_t *)from)[i]) - job->x_zero);
    }
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

/* One output row of one group. */
static void row_task(void *arg, int64_t index, int worker) {
    const qconv_job *job = arg;
    const qconv_state *s = job->s;
    const leat_window *w = &s->w;
    int64_t groups = s->depthwise ? 1 : s->group, group = index % groups, line = index / groups;
    int64_t d = line / w->out[1] * w->stride[0], h = line % w->out[1] * w->stride[1], step = w->stride[2] * s->c_in, ld = s->columns;
    const int16_t *x = job->image + (d * s->padded[1] + h) * s->padded[2] * s->c_in + group * s->cin_g;
    const int16_t *weights = job->weights + (size_t)group * (s->w_elements / (size_t)groups);
    const int32_t *init = job->init + group * ld;
    int32_t *sums = (int32_t *)(job->workers + (size_t)worker * s->worker_bytes);
    uint8_t *bytes = (uint8_t *)(sums + PIXELS * ld);
    for (int64_t i = 0; i < w->out[2]; i += PIXELS) {
        int64_t count = leat__min64(PIXELS, w->out[2] - i);
        const int16_t *from = x + i * step;
        if (s->depthwise)
            for (int64_t k = 0; k < count; k++) leat__qrows.window_i16(sums + k * ld, from + k * step, s->offset, s->segments, weights, s->c_out, init);
        else leat__qrows.rows_i16(sums, ld, from, step, count, s->offset, s->segments, (s->k + 1) / 2, weights, s->cout_g, init);
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
    for (int64_t g = 0; g < groups; g++)
        for (int64_t j = 0; j < s->columns; j++) {
            int64_t c = g * n + j, to = g * s->columns + j;
            job->scale[to] = ws && j < n ? x_scale * ((const float *)ws->data)[c * step] / y_scale : 0;
            job->init[to] = bias && j < n ? ((const int32_t *)bias->data)[c] : 0;
        }
}

static int run_qconv(leat_op_call *call) {
    const places *at = places_of(call);
    const qconv_state *s = call->state;
    qconv_job job = {.call = call, .s = s, .weights = s->packed, .image = call->scratch};
    if (leat_tensor_count(call->out[0]) == 0) return LEAT_OK;
    job.scale = (float *)(job.image + s->image_elements);
    job.init = (int32_t *)(job.scale + s->columns * s->group);
    job.workers = (char *)(job.init + s->columns * s->group);
    job.x_zero = byte_value(call, at->x_zero);
    job.y_zero = byte_value(call, at->y_zero);
    if (!job.weights) {
        int workers = leat_tpool_threads(call->pool);
        int16_t *packed = (int16_t *)(job.workers + (size_t)(call->threads > workers ? call->threads : workers) * s->worker_bytes);
        pack_weights(packed, &(pack_job){call, s});
        job.weights = packed;
    }
    fill_columns(&job, at);
    memset(job.image + s->image_elements - SLACK, 0, SLACK * sizeof *job.image);
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
