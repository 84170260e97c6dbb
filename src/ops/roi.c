/* roi.c - RoiAlign, MaxRoiPool, MaxUnpool: pooling over regions that the data names. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "ops/nn_util.h"
#include "ops/window.h"

#define SIZE_LIMIT (1 << 16) /* pooled height and width */
#define SAMPLE_LIMIT 1024    /* samples in a bin, each way */

typedef struct {
    const leat_op_call *call;
    int64_t             c, h, w, ph, pw;
    int64_t             sampling;
    float               scale;
    int                 max, half_pixel;
} roi_job;

/* ---- RoiAlign ---------------------------------------------------------------------------------------------------------------------------- */

static int read_align(leat_op_call *call, roi_job *job) {
    const leat_tensor *x = leat__op_in(call, 0), *rois = leat__op_in(call, 1), *batch = leat__op_in(call, 2);
    int status = leat__op_expect(call, 0, LEAT_DTYPE_F32);
    if (!status) status = leat__op_expect(call, 1, LEAT_DTYPE_F32);
    if (!status) status = leat__op_expect(call, 2, LEAT_DTYPE_I64);
    if (status) return status;
    if (x->rank != 4 || rois->rank != 2 || rois->dims[1] != 4 || batch->rank != 1 || batch->dims[0] != rois->dims[0])
        return leat__op_fail(call, LEAT_ESHAPE, "X must have rank 4, rois [n, 4], batch_indices [n]");
    const char *mode = leat__attr_string(call->attrs, "mode", "avg");
    const char *coordinate = leat__attr_string(call->attrs, "coordinate_transformation_mode", call->opset < 16 ? "output_half_pixel" : "half_pixel");
    *job = (roi_job){.call = call, .c = x->dims[1], .h = x->dims[2], .w = x->dims[3], .ph = leat__attr_int(call->attrs, "output_height", 1),
                     .pw = leat__attr_int(call->attrs, "output_width", 1), .sampling = leat__attr_int(call->attrs, "sampling_ratio", 0),
                     .scale = leat__attr_float(call->attrs, "spatial_scale", 1), .max = strcmp(mode, "max") == 0,
                     .half_pixel = strcmp(coordinate, "half_pixel") == 0};
    if (job->ph < 1 || job->pw < 1 || job->ph > SIZE_LIMIT || job->pw > SIZE_LIMIT || job->sampling < 0 || job->sampling > SAMPLE_LIMIT)
        return leat__op_fail(call, LEAT_EINVAL, "output size or sampling_ratio is out of range");
    return LEAT_OK;
}

static int infer_align(leat_op_call *call) {
    roi_job job;
    int status = read_align(call, &job);
    int64_t dims[4] = {0, job.c, job.ph, job.pw};
    if (status) return status;
    dims[0] = call->in[1]->dims[0];
    leat__tensor_set(call->out[0], LEAT_DTYPE_F32, 4, dims);
    return LEAT_OK;
}

/* Bilinear value at (y, x) of a plane: the sum, or the largest, of the four weighted corners. */
static float sample(const roi_job *job, const float *plane, float y, float x) {
    if (!(y >= -1) || y > (float)job->h || !(x >= -1) || x > (float)job->w) return 0;
    y = fmaxf(y, 0);
    x = fmaxf(x, 0);
    int64_t y0 = leat__min64((int64_t)y, job->h - 1), x0 = leat__min64((int64_t)x, job->w - 1);
    int64_t y1 = leat__min64(y0 + 1, job->h - 1), x1 = leat__min64(x0 + 1, job->w - 1);
    float fy = y0 == y1 ? 0 : y - (float)y0, fx = x0 == x1 ? 0 : x - (float)x0;
    float a = (1 - fy) * (1 - fx) * plane[y0 * job->w + x0], b = (1 - fy) * fx * plane[y0 * job->w + x1];
    float c = fy * (1 - fx) * plane[y1 * job->w + x0], d = fy * fx * plane[y1 * job->w + x1];
    return job->max ? fmaxf(fmaxf(a, b), fmaxf(c, d)) : a + b + c + d;
}

static float align_bin(const roi_job *job, const float *plane, float y, float x, float bin_h, float bin_w, int64_t ny, int64_t nx) {
    float result = job->max ? -FLT_MAX : 0;
    for (int64_t i = 0; i < ny; i++)
        for (int64_t k = 0; k < nx; k++) {
            float v = sample(job, plane, y + ((float)i + 0.5f) * bin_h / (float)ny, x + ((float)k + 0.5f) * bin_w / (float)nx);
            result = job->max ? fmaxf(result, v) : result + v;
        }
    return job->max ? result : result / (float)(ny * nx);
}

static int64_t samples(const roi_job *job, float bin) {
    if (job->sampling > 0) return job->sampling;
    return bin > 1 ? (int64_t)fminf(ceilf(bin), SAMPLE_LIMIT) : 1;
}

static void align_task(void *arg, int64_t index, int worker) {
    const roi_job *job = arg;
    int64_t roi = index / job->c, c = index % job->c, batch = ((const int64_t *)job->call->in[2]->data)[roi];
    const float *r = (const float *)job->call->in[1]->data + 4 * roi, *plane = (const float *)job->call->in[0]->data + (batch * job->c + c) * job->h * job->w;
    float *out = (float *)job->call->out[0]->data + index * job->ph * job->pw, shift = job->half_pixel ? 0.5f : 0;
    float x0 = r[0] * job->scale - shift, y0 = r[1] * job->scale - shift, width = r[2] * job->scale - shift - x0, height = r[3] * job->scale - shift - y0;
    if (!job->half_pixel) {
        width = fmaxf(width, 1);
        height = fmaxf(height, 1);
    }
    float bin_h = height / (float)job->ph, bin_w = width / (float)job->pw;
    int64_t ny = samples(job, bin_h), nx = samples(job, bin_w);
    for (int64_t i = 0; i < job->ph; i++)
        for (int64_t k = 0; k < job->pw; k++)
            *out++ = align_bin(job, plane, y0 + (float)i * bin_h, x0 + (float)k * bin_w, bin_h, bin_w, ny, nx);
}

static int run_align(leat_op_call *call) {
    roi_job job;
    int status = read_align(call, &job);
    if (status) return status;
    const int64_t *batch = call->in[2]->data;
    for (int64_t i = 0; i < call->in[2]->dims[0]; i++)
        if (batch[i] < 0 || batch[i] >= call->in[0]->dims[0]) return leat__op_fail(call, LEAT_EINVAL, "batch_indices[%lld] is out of range", (long long)i);
    if (job.h == 0 || job.w == 0) memset(call->out[0]->data, 0, leat_tensor_bytes(call->out[0]));
    else leat__op_for(call, call->in[1]->dims[0] * job.c, job.ph * job.pw * 16, align_task, &job);
    return LEAT_OK;
}

/* ---- MaxRoiPool --------------------------------------------------------------------------------------------------------------------------- */

static int read_max(leat_op_call *call, roi_job *job) {
    const leat_tensor *x = leat__op_in(call, 0), *rois = leat__op_in(call, 1);
    int n, status = leat__op_expect(call, 0, LEAT_DTYPE_F32);
    if (!status) status = leat__op_expect(call, 1, LEAT_DTYPE_F32);
    if (status) return status;
    const int64_t *shape = leat__attr_ints(call->attrs, "pooled_shape", &n);
    if (x->rank != 4 || rois->rank != 2 || rois->dims[1] != 5) return leat__op_fail(call, LEAT_ESHAPE, "X must have rank 4, rois [n, 5]");
    if (!shape || n != 2 || shape[0] < 1 || shape[1] < 1 || shape[0] > SIZE_LIMIT || shape[1] > SIZE_LIMIT)
        return leat__op_fail(call, LEAT_EINVAL, "pooled_shape must be two positive sizes");
    *job = (roi_job){.call = call, .c = x->dims[1], .h = x->dims[2], .w = x->dims[3], .ph = shape[0], .pw = shape[1],
                     .scale = leat__attr_float(call->attrs, "spatial_scale", 1)};
    return LEAT_OK;
}

static int infer_max(leat_op_call *call) {
    roi_job job;
    int status = read_max(call, &job);
    if (status) return status;
    int64_t dims[4] = {call->in[1]->dims[0], job.c, job.ph, job.pw};
    leat__tensor_set(call->out[0], LEAT_DTYPE_F32, 4, dims);
    return LEAT_OK;
}

/* Bin i of n over [start, start + size), cut to [0, limit). */
static void bin_range(int64_t i, int64_t n, float start, float size, int64_t limit, int64_t *from, int64_t *to) {
    float bin = size / (float)n, edge = (float)limit;
    *from = (int64_t)fminf(fmaxf(floorf((float)i * bin) + start, 0), edge);
    *to = (int64_t)fminf(fmaxf(ceilf((float)(i + 1) * bin) + start, 0), edge);
}

static void max_task(void *arg, int64_t index, int worker) {
    const roi_job *job = arg;
    const float *r = (const float *)job->call->in[1]->data + 5 * (index / job->c);
    const float *plane = (const float *)job->call->in[0]->data + ((int64_t)r[0] * job->c + index % job->c) * job->h * job->w;
    float *out = (float *)job->call->out[0]->data + index * job->ph * job->pw;
    float x = roundf(r[1] * job->scale), y = roundf(r[2] * job->scale), width = fmaxf(roundf(r[3] * job->scale) - x + 1, 1);
    float height = fmaxf(roundf(r[4] * job->scale) - y + 1, 1);
    for (int64_t i = 0; i < job->ph; i++)
        for (int64_t k = 0; k < job->pw; k++) {
            int64_t y0, y1, x0, x1;
            bin_range(i, job->ph, y, height, job->h, &y0, &y1);
            bin_range(k, job->pw, x, width, job->w, &x0, &x1);
            float best = y0 < y1 && x0 < x1 ? -FLT_MAX : 0;
            for (int64_t a = y0; a < y1; a++)
                for (int64_t b = x0; b < x1; b++) best = fmaxf(best, plane[a * job->w + b]);
            *out++ = best;
        }
}

static int run_max(leat_op_call *call) {
    roi_job job;
    int status = read_max(call, &job);
    if (status) return status;
    for (int64_t i = 0; i < call->in[1]->dims[0]; i++) {
        float batch = ((const float *)call->in[1]->data)[5 * i];
        if (!(batch >= 0) || batch >= (float)call->in[0]->dims[0]) return leat__op_fail(call, LEAT_EINVAL, "rois[%lld] names no image", (long long)i);
    }
    leat__op_for(call, call->in[1]->dims[0] * job.c, job.ph * job.pw * 16, max_task, &job);
    return LEAT_OK;
}

/* ---- MaxUnpool ------------------------------------------------------------------------------------------------------------------------------ */

static int unpool_given_shape(leat_op_call *call, const leat_tensor *x) {
    const leat_tensor *shape = call->in[2];
    if (shape->dtype != LEAT_DTYPE_I64 || leat_tensor_count(shape) != x->rank)
        return leat__op_fail(call, LEAT_ESHAPE, "output_shape must be int64 [%d]", x->rank);
    if (!shape->data) return LEAT_EDYNAMIC;
    for (int i = 0; i < x->rank; i++)
        if (((const int64_t *)shape->data)[i] < 0) return leat__op_fail(call, LEAT_ESHAPE, "output_shape[%d] is negative", i);
    leat__tensor_set(call->out[0], x->dtype, x->rank, shape->data);
    return LEAT_OK;
}

static int infer_unpool(leat_op_call *call) {
    const leat_tensor *x = leat__op_in(call, 0), *at = leat__op_in(call, 1);
    leat_window w;
    int status = leat__window_init(call, &w);
    if (status) return status;
    if (!at || at->dtype != LEAT_DTYPE_I64 || !leat__dims_equal(x, at)) return leat__op_fail(call, LEAT_ESHAPE, "indices must be int64 and shaped like X");
    if (x->dtype == LEAT_DTYPE_STRING) return leat__op_fail(call, LEAT_ETYPE, "strings cannot be unpooled");
    if (leat__op_in(call, 2)) return unpool_given_shape(call, x);
    int64_t dims[LEAT_MAX_RANK] = {x->dims[0], x->dims[1]};
    for (int i = 2; i < x->rank; i++) {
        int a = LEAT_SPATIAL_MAX - x->rank + i;
        dims[i] = leat__max64(0, (x->dims[i] - 1) * w.stride[a] + w.kernel[a] - w.pad_begin[a] - w.pad_end[a]);
    }
    leat__tensor_set(call->out[0], x->dtype, x->rank, dims);
    return LEAT_OK;
}

/* Indices speak of the tensor that the pooling window covers without output_shape; a larger output_shape keeps positions, by axis. */
static int64_t moved_index(const leat_op_call *call, const int64_t *natural, int64_t at) {
    const leat_tensor *y = call->out[0];
    int64_t index = 0, stride = 1;
    for (int i = y->rank - 1; i >= 0; i--) {
        int64_t k = at % natural[i];
        at /= natural[i];
        if (k >= y->dims[i]) return -1;
        index += k * stride;
        stride *= y->dims[i];
    }
    return at == 0 ? index : -1;
}

static int run_unpool(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *y = call->out[0];
    const int64_t *at = call->in[1]->data;
    size_t size = leat_dtype_size(x->dtype);
    int64_t n = leat_tensor_count(x), natural[LEAT_MAX_RANK];
    leat_window w;
    int status = leat__window_init(call, &w);
    if (status) return status;
    memcpy(natural, x->dims, sizeof natural);
    for (int i = 2; i < x->rank; i++) {
        int a = LEAT_SPATIAL_MAX - x->rank + i;
        natural[i] = (x->dims[i] - 1) * w.stride[a] + w.kernel[a] - w.pad_begin[a] - w.pad_end[a];
    }
    memset(y->data, 0, leat_tensor_bytes(y));
    for (int64_t i = 0; i < n; i++) {
        int64_t to = at[i] < 0 || leat__dims_count(natural, x->rank) < 1 ? -1 : moved_index(call, natural, at[i]);
        if (to < 0) return leat__op_fail(call, LEAT_EINVAL, "index %lld is outside the output", (long long)at[i]);
        memcpy((char *)y->data + (size_t)to * size, (const char *)x->data + (size_t)i * size, size);
    }
    return LEAT_OK;
}

const leat_op leat__ops_roi[] = {
    {"", "RoiAlign", 10, 0, 3, 3, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_align, NULL, run_align},
    {"", "MaxRoiPool", 1, 0, 2, 2, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_max, NULL, run_max},
    {"", "MaxUnpool", 9, 0, 2, 3, 1, 1, 0, LEAT_OP_PLAIN, 4, infer_unpool, NULL, run_unpool},
    {0},
};
