/* deform_conv.c - DeformConv (19, 22), two spatial axes: a convolution whose kernel positions are moved by offsets in the data.
 *
 * For every output position the sampled columns [c_in of the group, kernel positions] are gathered by bilinear interpolation (zero outside
 * the image), then multiplied with the weights [c_out of the group, columns].  Scratch: one set of columns per worker.
 */
#include <math.h>

#include "ops/window.h"

typedef struct {
    const leat_op_call *call;
    leat_window         w;
    int64_t             c_in, c_out, group, offset_group, positions; /* positions of the kernel */
    float              *columns;                                     /* [workers][c_in of a group * positions] */
} deform_job;

static int check_shape(leat_op_call *call, int i, int64_t a, int64_t b, int64_t c, int64_t d) {
    const leat_tensor *t = leat__op_in(call, i);
    if (!t) return LEAT_OK;
    if (t->dtype == LEAT_DTYPE_F32 && t->rank == 4 && t->dims[0] == a && t->dims[1] == b && t->dims[2] == c && t->dims[3] == d) return LEAT_OK;
    return leat__op_fail(call, LEAT_ESHAPE, "input %d does not have the shape that follows from X, W and the attributes", i);
}

static int read_call(leat_op_call *call, deform_job *job) {
    const leat_tensor *x = leat__op_in(call, 0), *w = leat__op_in(call, 1), *bias = leat__op_in(call, 3);
    int status = leat__op_expect(call, 0, LEAT_DTYPE_F32);
    if (!status) status = leat__op_expect(call, 1, LEAT_DTYPE_F32);
    if (!status) status = leat__op_expect(call, 2, LEAT_DTYPE_F32);
    if (status) return status;
    if (x->rank != 4 || w->rank != 4) return leat__op_fail(call, LEAT_EUNSUPPORTED, "only two spatial axes are supported");
    *job = (deform_job){.call = call, .c_in = x->dims[1], .c_out = w->dims[0], .group = leat__attr_int(call->attrs, "group", 1),
                        .offset_group = leat__attr_int(call->attrs, "offset_group", 1), .positions = w->dims[2] * w->dims[3]};
    if (job->group < 1 || job->offset_group < 1 || job->c_in < 1 || job->c_in % job->group || job->c_out % job->group || job->c_in % job->offset_group ||
        w->dims[1] != job->c_in / job->group)
        return leat__op_fail(call, LEAT_ESHAPE, "channels do not fit group and offset_group");
    status = leat__window_init_conv(call, w->dims + 2, &job->w);
    int64_t n = x->dims[0], h = job->w.out[1], width = job->w.out[2];
    if (!status) status = check_shape(call, 2, n, job->offset_group * 2 * job->positions, h, width);
    if (!status) status = check_shape(call, 4, n, job->offset_group * job->positions, h, width);
    if (!status && bias && (bias->dtype != LEAT_DTYPE_F32 || leat_tensor_count(bias) != job->c_out))
        status = leat__op_fail(call, LEAT_ESHAPE, "bias must be float32 [%lld]", (long long)job->c_out);
    return status;
}

static int infer_deform(leat_op_call *call) {
    deform_job job;
    int status = read_call(call, &job);
    if (status) return status;
    int64_t dims[4] = {call->in[0]->dims[0], job.c_out, job.w.out[1], job.w.out[2]};
    leat__tensor_set(call->out[0], LEAT_DTYPE_F32, 4, dims);
    return LEAT_OK;
}

static size_t column_floats(const deform_job *job) { return (size_t)(job->c_in / job->group * job->positions); }

static int workers(const leat_op_call *call) {
    int n = leat_tpool_threads(call->pool);
    return call->threads > n ? call->threads : n;
}

static int prepare_deform(leat_op_call *call) {
    deform_job job;
    int status = read_call(call, &job);
    if (status) return status;
    call->scratch_bytes = column_floats(&job) * sizeof(float) * (size_t)workers(call);
    call->kernel = "deform_conv_f32";
    return LEAT_OK;
}

static float corner(const float *plane, int64_t h, int64_t w, int64_t y, int64_t x) { return y < 0 || x < 0 || y >= h || x >= w ? 0 : plane[y * w + x]; }

static float sample(const float *plane, int64_t h, int64_t w, float y, float x) {
    if (!(y > -1) || !(x > -1) || y >= (float)h || x >= (float)w) return 0;
    int64_t y0 = (int64_t)floorf(y), x0 = (int64_t)floorf(x);
    float fy = y - (float)y0, fx = x - (float)x0;
    return (1 - fy) * ((1 - fx) * corner(plane, h, w, y0, x0) + fx * corner(plane, h, w, y0, x0 + 1)) +
           fy * ((1 - fx) * corner(plane, h, w, y0 + 1, x0) + fx * corner(plane, h, w, y0 + 1, x0 + 1));
}

/* Gathers the columns of channels [first, first + n) for output position (oy, ox) of image b. */
static void gather(const deform_job *job, int64_t b, int64_t first, int64_t n, int64_t oy, int64_t ox, float *to) {
    const leat_op_call *call = job->call;
    const leat_window *w = &job->w;
    const float *offset = call->in[2]->data, *mask = leat__op_in(call, 4) ? call->in[4]->data : NULL;
    int64_t area = w->out[1] * w->out[2], at = oy * w->out[2] + ox, k = job->positions, kw = w->kernel[2];
    for (int64_t c = first; c < first + n; c++) {
        const float *plane = (const float *)call->in[0]->data + (b * job->c_in + c) * w->in[1] * w->in[2];
        int64_t g = b * job->offset_group + c / (job->c_in / job->offset_group);
        for (int64_t p = 0; p < k; p++) {
            float dy = offset[((g * k + p) * 2) * area + at], dx = offset[((g * k + p) * 2 + 1) * area + at];
            float y = (float)(oy * w->stride[1] - w->pad_begin[1] + p / kw * w->dilation[1]) + dy;
            float x = (float)(ox * w->stride[2] - w->pad_begin[2] + p % kw * w->dilation[2]) + dx;
            float v = sample(plane, w->in[1], w->in[2], y, x);
            *to++ = mask ? v * mask[(g * k + p) * area + at] : v;
        }
    }
}

/* One output row of one image. */
static void row_task(void *arg, int64_t index, int worker) {
    const deform_job *job = arg;
    const leat_window *w = &job->w;
    int64_t b = index / w->out[1], oy = index % w->out[1], cin = job->c_in / job->group, cout = job->c_out / job->group;
    size_t n = column_floats(job);
    float *columns = job->columns + (size_t)worker * n;
    const float *weights = job->call->in[1]->data, *bias = leat__op_in(job->call, 3) ? job->call->in[3]->data : NULL;
    for (int64_t g = 0; g < job->group; g++)
        for (int64_t ox = 0; ox < w->out[2]; ox++) {
            gather(job, b, g * cin, cin, oy, ox, columns);
            for (int64_t o = g * cout; o < (g + 1) * cout; o++) {
                float sum = bias ? bias[o] : 0;
                for (size_t i = 0; i < n; i++) sum += weights[(size_t)o * n + i] * columns[i];
                ((float *)job->call->out[0]->data)[((b * job->c_out + o) * w->out[1] + oy) * w->out[2] + ox] = sum;
            }
        }
}

static int run_deform(leat_op_call *call) {
    deform_job job;
    int status = read_call(call, &job);
    if (status || leat_tensor_count(call->out[0]) == 0) return status;
    job.columns = call->scratch;
    leat__op_for(call, call->in[0]->dims[0] * job.w.out[1], job.w.out[2] * job.c_out * 16, row_task, &job);
    return LEAT_OK;
}

const leat_op leat__ops_deform_conv[] = {
    {"", "DeformConv", 19, 0, 3, 5, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_deform, prepare_deform, run_deform},
    {0},
};
