/* grid_sample.c - GridSample (16, 20: two and three spatial axes) and AffineGrid.
 *
 * Every output position has its taps worked out once (offset and weight; offset -1 = zero padding), then all channels take them.
 * Normalised coordinates x in [-1, 1] become pixels: align_corners ? (x + 1) / 2 * (n - 1) : ((x + 1) * n - 1) / 2.
 */
#include <math.h>
#include <string.h>

#include "ops/nn_util.h"

typedef enum { PAD_ZEROS, PAD_BORDER, PAD_REFLECTION } pad_mode;
typedef enum { MODE_LINEAR, MODE_NEAREST, MODE_CUBIC } sample_mode;

#define TAPS_MAX 64 /* cubic, three axes */

typedef struct {
    const leat_op_call *call;
    int                 axes, align;
    pad_mode            pad;
    sample_mode         mode;
    int64_t             c, in[3], in_size, out_size; /* in: slowest axis first */
} sample_job;

/* ---- infer ------------------------------------------------------------------------------------------------------------------------------ */

static int choice(leat_op_call *call, const char *name, const char *fallback, const char *const *names, int *index) {
    const char *text = leat__attr_string(call->attrs, name, fallback);
    for (int i = 0; names[i]; i++)
        if (strcmp(text, names[i]) == 0) {
            *index = i;
            return LEAT_OK;
        }
    return leat__op_fail(call, LEAT_EUNSUPPORTED, "%s '%s' is unknown", name, text);
}

static int read_call(leat_op_call *call, sample_job *job) {
    static const char *const modes[] = {"linear", "nearest", "cubic", "bilinear", "nearest", "bicubic", NULL};
    static const char *const pads[] = {"zeros", "border", "reflection", NULL};
    const leat_tensor *x = leat__op_in(call, 0), *grid = leat__op_in(call, 1);
    int mode, pad, status = leat__op_expect(call, 0, LEAT_DTYPE_F32);
    if (!status) status = leat__op_expect(call, 1, LEAT_DTYPE_F32);
    if (!status) status = choice(call, "mode", "linear", modes, &mode);
    if (!status) status = choice(call, "padding_mode", "zeros", pads, &pad);
    if (status) return status;
    *job = (sample_job){.call = call, .axes = x->rank - 2, .align = leat__attr_int(call->attrs, "align_corners", 0) != 0};
    job->mode = (sample_mode)(mode % 3);
    job->pad = (pad_mode)pad;
    if (x->rank < 4 || x->rank > 5 || grid->rank != x->rank || grid->dims[0] != x->dims[0] || grid->dims[x->rank - 1] != job->axes)
        return leat__op_fail(call, LEAT_ESHAPE, "X must have rank 4 or 5 and grid [N, .., %d]", job->axes);
    job->c = x->dims[1];
    for (int i = 0; i < job->axes; i++) job->in[i] = x->dims[2 + i];
    job->in_size = leat__dims_count(x->dims + 2, job->axes);
    job->out_size = leat__dims_count(grid->dims + 1, job->axes);
    return LEAT_OK;
}

static int infer_sample(leat_op_call *call) {
    sample_job job;
    int status = read_call(call, &job);
    if (status) return status;
    const leat_tensor *grid = call->in[1];
    int64_t dims[LEAT_MAX_RANK] = {call->in[0]->dims[0], job.c};
    for (int i = 0; i < job.axes; i++) dims[2 + i] = grid->dims[1 + i];
    if (job.in_size == 0 && leat__dims_count(dims, grid->rank) > 0) return leat__op_fail(call, LEAT_ESHAPE, "X is empty");
    leat__tensor_set(call->out[0], LEAT_DTYPE_F32, grid->rank, dims);
    return LEAT_OK;
}

/* ---- coordinates --------------------------------------------------------------------------------------------------------------------------- */

/* Folds x into [low, high] as mirrors at both ends would. */
static float reflect(float x, float low, float high) {
    float span = high - low;
    if (!(span > 0)) return low;
    float t = fmodf(fabsf(x - low), 2 * span);
    return t > span ? high - (t - span) : low + t;
}

static float pixel(const sample_job *job, float x, int64_t n) {
    float p = job->align ? (x + 1) / 2 * (float)(n - 1) : ((x + 1) * (float)n - 1) / 2;
    return isfinite(p) ? fminf(fmaxf(p, -1e8f), 1e8f) : -1e8f;
}

/* Integer position of a tap after padding, -1 for a zero. */
static int64_t settle(const sample_job *job, int64_t i, int64_t n) {
    if (i >= 0 && i < n) return i;
    if (job->pad == PAD_ZEROS) return -1;
    if (job->pad == PAD_BORDER) return i < 0 ? 0 : n - 1;
    float r = job->align ? reflect((float)i, 0, (float)(n - 1)) : reflect((float)i, -0.5f, (float)n - 0.5f);
    i = (int64_t)rintf(r);
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

static void cubic_weights(float t, float w[4]) {
    const float a = -0.75f;
    float d[4] = {t + 1, t, 1 - t, 2 - t};
    for (int i = 0; i < 4; i++)
        w[i] = d[i] <= 1 ? ((a + 2) * d[i] - (a + 3)) * d[i] * d[i] + 1 : ((a * d[i] - 5 * a) * d[i] + 8 * a) * d[i] - 4 * a;
}

/* Taps of one axis: settled positions and weights; returns their number. */
static int axis_taps(const sample_job *job, float x, int64_t n, int64_t at[4], float w[4]) {
    float p = pixel(job, x, n), base;
    if (job->pad == PAD_BORDER && job->mode != MODE_CUBIC) p = fminf(fmaxf(p, 0), (float)(n - 1));
    if (job->pad == PAD_REFLECTION && job->mode != MODE_CUBIC) {
        p = job->align ? reflect(p, 0, (float)(n - 1)) : reflect(p, -0.5f, (float)n - 0.5f);
        p = fminf(fmaxf(p, 0), (float)(n - 1));
    }
    if (job->mode == MODE_NEAREST) {
        at[0] = settle(job, (int64_t)rintf(p), n);
        w[0] = 1;
        return 1;
    }
    base = floorf(p);
    int taps = job->mode == MODE_CUBIC ? 4 : 2;
    if (taps == 4) cubic_weights(p - base, w);
    else w[0] = 1 - (p - base), w[1] = p - base;
    for (int i = 0; i < taps; i++) at[i] = settle(job, (int64_t)base + i - (taps == 4), n);
    return taps;
}

/* All taps of an output position: offsets into a plane, zero-padded ones left out; returns their number. */
static int position_taps(const sample_job *job, const float *grid, int64_t offset[TAPS_MAX], float weight[TAPS_MAX]) {
    int64_t at[3][4] = {{0}};
    float w[3][4] = {{1}, {1}, {1}};
    int taps[3] = {1, 1, 1}, n = 0, shift = 3 - job->axes;
    for (int a = 0; a < job->axes; a++) /* the grid names the fastest axis first */
        taps[shift + a] = axis_taps(job, grid[job->axes - 1 - a], job->in[a], at[shift + a], w[shift + a]);
    int64_t h = job->in[job->axes - 2], width = job->in[job->axes - 1];
    for (int i = 0; i < taps[0]; i++)
        for (int j = 0; j < taps[1]; j++)
            for (int k = 0; k < taps[2]; k++) {
                if (at[0][i] < 0 || at[1][j] < 0 || at[2][k] < 0) continue;
                offset[n] = (at[0][i] * h + at[1][j]) * width + at[2][k];
                weight[n++] = w[0][i] * w[1][j] * w[2][k];
            }
    return n;
}

/* One row of outputs along the last axis. */
static void sample_task(void *arg, int64_t row, int worker) {
    const sample_job *job = arg;
    const leat_tensor *y = job->call->out[0];
    int64_t width = y->dims[y->rank - 1], rows = job->out_size / width, n = row / rows, from = row % rows * width, offset[TAPS_MAX];
    float weight[TAPS_MAX];
    const float *x = (const float *)job->call->in[0]->data + n * job->c * job->in_size;
    const float *grid = (const float *)job->call->in[1]->data + (n * job->out_size + from) * job->axes;
    float *out = (float *)y->data + n * job->c * job->out_size + from;
    for (int64_t i = 0; i < width; i++, grid += job->axes) {
        int taps = position_taps(job, grid, offset, weight);
        for (int64_t c = 0; c < job->c; c++) {
            float sum = 0;
            for (int t = 0; t < taps; t++) sum += weight[t] * x[c * job->in_size + offset[t]];
            out[c * job->out_size + i] = sum;
        }
    }
}

static int run_sample(leat_op_call *call) {
    sample_job job;
    const leat_tensor *y = call->out[0];
    int status = read_call(call, &job);
    if (status || leat_tensor_count(y) == 0) return status;
    int64_t width = y->dims[y->rank - 1];
    leat__op_for(call, y->dims[0] * (job.out_size / width), width * job.c * 4, sample_task, &job);
    return LEAT_OK;
}

/* ---- AffineGrid ------------------------------------------------------------------------------------------------------------------------------ */

static int infer_affine(leat_op_call *call) {
    const leat_tensor *theta = leat__op_in(call, 0), *size = leat__op_in(call, 1);
    int status = leat__op_expect(call, 0, LEAT_DTYPE_F32);
    if (!status) status = leat__op_expect(call, 1, LEAT_DTYPE_I64);
    if (status) return status;
    int64_t n = leat_tensor_count(size), axes = n - 2;
    if ((n != 4 && n != 5) || theta->rank != 3 || theta->dims[1] != axes || theta->dims[2] != axes + 1)
        return leat__op_fail(call, LEAT_ESHAPE, "theta must be [N, 2, 3] or [N, 3, 4], size [4] or [5]");
    if (!size->data) return LEAT_EDYNAMIC;
    const int64_t *s = size->data;
    int64_t dims[LEAT_MAX_RANK] = {theta->dims[0]};
    if (s[0] != theta->dims[0]) return leat__op_fail(call, LEAT_ESHAPE, "size[0] is not the batch of theta");
    for (int i = 0; i < axes; i++) {
        if (s[2 + i] < 0) return leat__op_fail(call, LEAT_EINVAL, "size[%d] is negative", 2 + i);
        dims[1 + i] = s[2 + i];
    }
    dims[1 + axes] = axes;
    leat__tensor_set(call->out[0], LEAT_DTYPE_F32, (int)axes + 2, dims);
    return LEAT_OK;
}

static float normalised(int64_t i, int64_t n, int align) {
    if (align) return n > 1 ? -1 + 2 * (float)i / (float)(n - 1) : -1;
    return -1 + (2 * (float)i + 1) / (float)n;
}

static int run_affine(leat_op_call *call) {
    const leat_tensor *y = call->out[0];
    int axes = y->rank - 2, align = leat__attr_int(call->attrs, "align_corners", 0) != 0;
    int64_t size = leat__dims_count(y->dims + 1, axes);
    float *out = y->data;
    for (int64_t n = 0; n < y->dims[0]; n++) {
        const float *theta = (const float *)call->in[0]->data + n * axes * (axes + 1);
        for (int64_t i = 0; i < size; i++) {
            float at[4];
            int64_t rest = i;
            for (int a = 0; a < axes; a++) { /* fastest axis first */
                int64_t dim = y->dims[axes - a];
                at[a] = normalised(rest % dim, dim, align);
                rest /= dim;
            }
            at[axes] = 1;
            for (int a = 0; a < axes; a++, out++) {
                *out = 0;
                for (int k = 0; k <= axes; k++) *out += theta[a * (axes + 1) + k] * at[k];
            }
        }
    }
    return LEAT_OK;
}

const leat_op leat__ops_grid_sample[] = {
    {"", "GridSample", 16, 0, 2, 2, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_sample, NULL, run_sample},
    {"", "AffineGrid", 20, 0, 2, 2, 1, 1, 0, LEAT_OP_PLAIN, 2, infer_affine, NULL, run_affine},
    {0},
};
