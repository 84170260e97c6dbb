/* norm_channel.c - normalisation per channel of [N, C, spatial..]: BatchNormalization, InstanceNormalization, GroupNormalization,
 * MeanVarianceNormalization; plain or channels-last.
 *
 * One scheme: (1) mean and sum of squared deviations of every channel of every sample, (2) combined over the samples or channels that the
 * operator takes together, (3) folded with scale and bias into y = a x + b per channel, (4) applied.  Inference-mode BatchNormalization begins at (3).
 * (1) is robust: blocks that stay in the second-level cache are passed over twice, and blocks are merged by Chan's formula (1983) in double.
 * Blocks are cut by size only, so results do not depend on the number of threads.
 */
#include <math.h>
#include <string.h>

#include "cpu/vmath.h"
#include "ops/el_walk.h"

enum { MAX_BLOCKS = 32, BLOCK = 32768, MAX_ROWS = 4096 };

typedef struct moments {
    double n, mean, m2; /* m2 = sum of squared deviations */
} moments;

typedef struct channel_job {
    const float *x;
    float       *y, *a, *b;      /* a, b [N, C] or [C] */
    moments     *each;           /* [N, C] */
    float       *part;           /* channels-last: [N, blocks, 2, C] means and deviations */
    int64_t      N, C, S, blocks, block_rows;
    int          nhwc, per_sample;
} channel_job;

static void merge(moments *to, double n, double mean, double m2) {
    double total = to->n + n, d = mean - to->mean;
    if (n == 0) return;
    to->m2 += m2 + d * d * to->n * n / total;
    to->mean += d * n / total;
    to->n = total;
}

/* ---- shapes and scratch --------------------------------------------------------------------------------------------- */

static void set_shape(channel_job *job, const leat_tensor *x) {
    memset(job, 0, sizeof *job);
    job->N = x->dims[0];
    job->C = x->rank > 1 ? x->dims[1] : 1;
    job->S = 1;
    for (int i = 2; i < x->rank; i++) job->S *= x->dims[i];
    job->nhwc = leat__is_nhwc(x) || job->S == 1; /* [N, C] is both */
    int64_t c = job->C ? job->C : 1;
    job->block_rows = BLOCK / c + 1;
    if (job->block_rows < (job->S + MAX_BLOCKS - 1) / MAX_BLOCKS) job->block_rows = (job->S + MAX_BLOCKS - 1) / MAX_BLOCKS;
    job->blocks = (job->S + job->block_rows - 1) / job->block_rows;
}

static size_t scratch_size(const channel_job *job) {
    size_t nc = (size_t)(job->N * job->C), part = job->nhwc ? (size_t)job->blocks * 2 : 0;
    return nc * (sizeof(moments) + (2 + part) * sizeof(float)) + 64;
}

static void set_scratch(channel_job *job, leat_op_call *call) {
    size_t nc = (size_t)(job->N * job->C);
    job->x = call->in[0]->data;
    job->y = call->out[0]->data;
    job->each = call->scratch;
    job->a = (float *)(void *)(job->each + nc);
    job->b = job->a + nc;
    job->part = job->b + nc;
}

/* ---- moments -------------------------------------------------------------------------------------------------------- */

static void plane_span(const void *arg, int64_t from, int64_t n) {
    const channel_job *job = arg;
    const leat_vmath_table *v = leat__vmath();
    for (int64_t i = from; i < from + n; i++) {
        moments m = {0, 0, 0};
        const float *x = job->x + i * job->S;
        for (int64_t at = 0; at < job->S; at += BLOCK) {
            int64_t k = job->S - at < BLOCK ? job->S - at : BLOCK;
            double mean = v->sum64(x + at, k) / (double)k;
            merge(&m, (double)k, (double)(float)mean, v->dev64(x + at, k, (float)mean));
        }
        job->each[i] = m;
    }
}

static void block_span(const void *arg, int64_t from, int64_t n) {
    const channel_job *job = arg;
    const leat_vmath_table *v = leat__vmath();
    for (int64_t i = from; i < from + n; i++) {
        int64_t row = i % job->blocks * job->block_rows, rows = job->S - row < job->block_rows ? job->S - row : job->block_rows;
        const float *x = job->x + (i / job->blocks * job->S + row) * job->C;
        float *mean = job->part + i * 2 * job->C, *dev = mean + job->C;
        memset(mean, 0, (size_t)(2 * job->C) * sizeof *mean);
        for (int64_t r = 0; r < rows; r += MAX_ROWS) v->colsum(x + r * job->C, rows - r < MAX_ROWS ? rows - r : MAX_ROWS, job->C, job->C, mean);
        v->vs[LEAT_VBIN_DIV](mean, (float)rows, mean, job->C);
        for (int64_t r = 0; r < rows; r += MAX_ROWS) v->coldev(x + r * job->C, rows - r < MAX_ROWS ? rows - r : MAX_ROWS, job->C, job->C, mean, dev);
    }
}

static void merge_blocks(const channel_job *job) {
    for (int64_t n = 0; n < job->N; n++)
        for (int64_t c = 0; c < job->C; c++) {
            moments m = {0, 0, 0};
            for (int64_t k = 0; k < job->blocks; k++) {
                const float *part = job->part + (n * job->blocks + k) * 2 * job->C;
                int64_t rows = job->S - k * job->block_rows < job->block_rows ? job->S - k * job->block_rows : job->block_rows;
                merge(&m, (double)rows, part[c], part[job->C + c]);
            }
            job->each[n * job->C + c] = m;
        }
}

static void find_moments(leat_op_call *call, const channel_job *job) {
    if (!job->nhwc) {
        leat__el_rows(call, job->N * job->C, job->S, plane_span, job);
        return;
    }
    leat__el_rows(call, job->N * job->blocks, BLOCK, block_span, job);
    merge_blocks(job);
}

/* Merges groups of `channels` neighbours of one sample, or (samples) every channel over all samples. */
static moments group_moments(const channel_job *job, int64_t n, int64_t first, int64_t channels) {
    moments m = {0, 0, 0};
    for (int64_t c = first; c < first + channels; c++) {
        const moments *e = &job->each[n * job->C + c];
        merge(&m, e->n, e->mean, e->m2);
    }
    return m;
}
static moments sample_moments(const channel_job *job, int64_t c) {
    moments m = {0, 0, 0};
    for (int64_t n = 0; n < job->N; n++) merge(&m, job->each[n * job->C + c].n, job->each[n * job->C + c].mean, job->each[n * job->C + c].m2);
    return m;
}

static void set_coefficients(const channel_job *job, int64_t at, double mean, double variance, double eps, double scale, double bias) {
    double a = scale / sqrt(variance + eps);
    job->a[at] = (float)a;
    job->b[at] = (float)(bias - mean * a);
}

/* ---- applying ------------------------------------------------------------------------------------------------------- */

static void apply_planes(const void *arg, int64_t from, int64_t n) {
    const channel_job *job = arg;
    for (int64_t i = from; i < from + n; i++) {
        int64_t at = job->per_sample ? i : i % job->C;
        leat_act_params p = {job->a[at], job->b[at], 0, 0};
        leat__act_map_f32(LEAT_ACT_AFFINE, job->x + i * job->S, job->y + i * job->S, job->S, &p);
    }
}

static void apply_rows(const void *arg, int64_t from, int64_t n) {
    const channel_job *job = arg;
    for (int64_t i = from; i < from + n;) {
        int64_t sample = i / job->S, end = (sample + 1) * job->S < from + n ? (sample + 1) * job->S : from + n;
        int64_t at = job->per_sample ? sample * job->C : 0;
        leat__vmath()->affine_rows(job->x + i * job->C, end - i, job->C, job->a + at, job->b + at, job->y + i * job->C);
        i = end;
    }
}

static void apply(leat_op_call *call, const channel_job *job) {
    if (job->nhwc) leat__el_rows(call, job->N * job->S, job->C, apply_rows, job);
    else leat__el_rows(call, job->N * job->C, job->S, apply_planes, job);
}

/* ---- BatchNormalization --------------------------------------------------------------------------------------------- */

static int require_float(leat_op_call *call, int n, int64_t count) {
    for (int i = 0; i < n; i++) {
        if (!call->in[i] || call->in[i]->dtype != LEAT_DTYPE_F32) return leat__op_fail(call, LEAT_ETYPE, "input %d must be float32", i);
        if (i > 0 && leat_tensor_count(call->in[i]) != count)
            return leat__op_fail(call, LEAT_ESHAPE, "input %d must have %lld elements", i, (long long)count);
    }
    return LEAT_OK;
}

static int training(const leat_op_call *call) {
    if (call->opset >= 14) return leat__attr_int(call->attrs, "training_mode", 0) != 0;
    return call->opset < 7 && !leat__attr_int(call->attrs, "is_test", 0) && leat__op_out(call, 1);
}

static int batch_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    if (x->rank < 1) return leat__op_fail(call, LEAT_ESHAPE, "input needs a batch axis");
    if (!leat__attr_int(call->attrs, "spatial", 1))
        return leat__op_fail(call, LEAT_EUNSUPPORTED, "attribute spatial = 0 is not supported; export with a newer opset");
    int status = require_float(call, 5, x->rank > 1 ? x->dims[1] : 1);
    for (int i = 1; !status && i < call->n_out; i++)
        if (call->out[i]) leat__tensor_set(call->out[i], LEAT_DTYPE_F32, 1, (const int64_t[]){x->rank > 1 ? x->dims[1] : 1});
    return status ? status : leat__infer_same(call);
}

static int batch_prepare(leat_op_call *call) {
    channel_job job;
    set_shape(&job, call->in[0]);
    call->scratch_bytes = scratch_size(&job);
    return leat__el_prepare(call);
}

static void train_statistics(leat_op_call *call, channel_job *job) {
    double momentum = (double)leat__attr_float(call->attrs, "momentum", 0.9f), eps = (double)leat__attr_float(call->attrs, "epsilon", 1e-5f);
    const float *scale = call->in[1]->data, *bias = call->in[2]->data, *mean = call->in[3]->data, *var = call->in[4]->data;
    leat_tensor *mean_out = leat__op_out(call, 1), *var_out = leat__op_out(call, 2);
    find_moments(call, job);
    for (int64_t c = 0; c < job->C; c++) {
        moments m = sample_moments(job, c);
        double variance = m.n > 0 ? m.m2 / m.n : 0;
        set_coefficients(job, c, m.mean, variance, eps, scale[c], bias[c]);
        if (mean_out) ((float *)mean_out->data)[c] = (float)(mean[c] * momentum + m.mean * (1 - momentum));
        if (var_out) ((float *)var_out->data)[c] = (float)(var[c] * momentum + variance * (1 - momentum));
    }
}

static int batch_run(leat_op_call *call) {
    channel_job job;
    set_shape(&job, call->in[0]);
    set_scratch(&job, call);
    if (training(call)) train_statistics(call, &job);
    else {
        const float *scale = call->in[1]->data, *bias = call->in[2]->data, *mean = call->in[3]->data, *var = call->in[4]->data;
        double eps = (double)leat__attr_float(call->attrs, "epsilon", 1e-5f);
        for (int64_t c = 0; c < job.C; c++) set_coefficients(&job, c, mean[c], var[c], eps, scale[c], bias[c]);
    }
    apply(call, &job);
    return LEAT_OK;
}

/* ---- Instance, Group, MeanVariance ---------------------------------------------------------------------------------- */

static int instance_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    if (x->rank < 3) return leat__op_fail(call, LEAT_ESHAPE, "input needs rank 3 or more, has %d", x->rank);
    int status = require_float(call, 3, x->dims[1]);
    return status ? status : leat__infer_same(call);
}

static int instance_run(leat_op_call *call) {
    channel_job job;
    const float *scale = call->in[1]->data, *bias = call->in[2]->data;
    double eps = (double)leat__attr_float(call->attrs, "epsilon", 1e-5f);
    set_shape(&job, call->in[0]);
    set_scratch(&job, call);
    job.per_sample = 1;
    find_moments(call, &job);
    for (int64_t i = 0; i < job.N * job.C; i++) {
        const moments *m = &job.each[i];
        set_coefficients(&job, i, m->mean, m->n > 0 ? m->m2 / m->n : 0, eps, scale[i % job.C], bias[i % job.C]);
    }
    apply(call, &job);
    return LEAT_OK;
}

static int group_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t groups = leat__attr_int(call->attrs, "num_groups", 0);
    if (x->rank < 2) return leat__op_fail(call, LEAT_ESHAPE, "input needs rank 2 or more, has %d", x->rank);
    if (groups < 1 || x->dims[1] % groups != 0)
        return leat__op_fail(call, LEAT_ESHAPE, "num_groups %lld does not divide %lld channels", (long long)groups, (long long)x->dims[1]);
    int status = require_float(call, 3, call->opset < 21 ? groups : x->dims[1]);
    return status ? status : leat__infer_same(call);
}

static int group_run(leat_op_call *call) {
    channel_job job;
    const float *scale = call->in[1]->data, *bias = call->in[2]->data;
    double eps = (double)leat__attr_float(call->attrs, "epsilon", 1e-5f);
    int64_t groups = leat__attr_int(call->attrs, "num_groups", 1);
    set_shape(&job, call->in[0]);
    set_scratch(&job, call);
    job.per_sample = 1;
    find_moments(call, &job);
    for (int64_t i = 0; i < job.N * groups; i++) {
        int64_t g = i % groups, size = job.C / groups;
        moments m = group_moments(&job, i / groups, g * size, size);
        for (int64_t c = g * size; c < (g + 1) * size; c++) {
            int64_t at = call->opset < 21 ? g : c;
            set_coefficients(&job, i / groups * job.C + c, m.mean, m.n > 0 ? m.m2 / m.n : 0, eps, scale[at], bias[at]);
        }
    }
    apply(call, &job);
    return LEAT_OK;
}

/* Axes of MeanVarianceNormalization: 1 = per sample and channel, 2 = per channel; 0 = neither, not supported. */
static int mvn_form(const leat_op_call *call) {
    int n, rank = call->in[0]->rank;
    const int64_t *axes = leat__attr_ints(call->attrs, "axes", &n);
    uint32_t mask = 0, spatial = ((1u << rank) - 1) & ~3u;
    if (!axes) mask = 0xd; /* 0, 2, 3 */
    for (int i = 0; i < n; i++) {
        int axis = leat__norm_axis(axes[i], rank);
        if (axis < 0) return 0;
        mask |= 1u << axis;
    }
    if (leat__attr(call->attrs, "across_channels")) mask = leat__attr_int(call->attrs, "across_channels", 0) ? 0 : spatial; /* opset 1 */
    return mask == spatial ? 1 : mask == (spatial | 1u) ? 2 : 0;
}

static int mvn_infer(leat_op_call *call) {
    if (call->in[0]->rank < 2 || !mvn_form(call))
        return leat__op_fail(call, LEAT_EUNSUPPORTED, "only axes that are all spatial ones, with or without the batch, are supported");
    int status = require_float(call, 1, 0);
    return status ? status : leat__infer_same(call);
}

static int mvn_run(leat_op_call *call) {
    channel_job job;
    set_shape(&job, call->in[0]);
    set_scratch(&job, call);
    find_moments(call, &job);
    job.per_sample = mvn_form(call) == 1;
    for (int64_t i = 0; i < (job.per_sample ? job.N : 1) * job.C; i++) {
        moments m = job.per_sample ? job.each[i] : sample_moments(&job, i);
        double deviation = sqrt(m.n > 0 ? m.m2 / m.n : 0) + 1e-9;
        set_coefficients(&job, i, m.mean, deviation * deviation, 0, 1, 0);
    }
    apply(call, &job);
    return LEAT_OK;
}

const leat_op leat__ops_norm_channel[] = {
    {"", "BatchNormalization", 1, 0, 5, 5, 1, 5, LEAT_OP_INPLACE, LEAT_OP_AXIS, 0, batch_infer, batch_prepare, batch_run},
    {"", "InstanceNormalization", 1, 0, 3, 3, 1, 1, LEAT_OP_INPLACE, LEAT_OP_AXIS, 0, instance_infer, batch_prepare, instance_run},
    {"", "GroupNormalization", 18, 0, 3, 3, 1, 1, LEAT_OP_INPLACE, LEAT_OP_AXIS, 0, group_infer, batch_prepare, group_run},
    {"", "MeanVarianceNormalization", 1, 0, 1, 1, 1, 1, LEAT_OP_INPLACE, LEAT_OP_AXIS, 0, mvn_infer, batch_prepare, mvn_run},
    {0}};
