/* norm_row.c - normalisation of contiguous rows: LayerNormalization, RMSNormalization, their com.microsoft forms with a skip connection,
 * EmbedLayerNormalization, LpNormalization.
 *
 * A row is everything from `axis` on.  Rows are spread over the threads.  Two passes for mean and variance, so large means cost no precision.
 */
#include <math.h>
#include <string.h>

#include "cpu/vmath.h"
#include "ops/el_walk.h"

typedef struct row_job {
    const float *x, *skip, *gain, *shift, *bias; /* bias is added with the skip */
    float       *y, *sum, *mean, *inv;
    int64_t      n, skip_rows;
    float        eps;
    int          rms;
} row_job;

static void normalise_row(const row_job *job, const float *x, float *y, int64_t row) {
    float *inv = job->inv ? job->inv + row : NULL;
    if (job->rms) leat__rms_norm_row(x, job->gain, y, job->n, job->eps, inv);
    else leat__layer_norm_row(x, job->gain, job->shift, y, job->n, job->eps, job->mean ? job->mean + row : NULL, inv);
}

static void row_span(const void *arg, int64_t from, int64_t count) {
    const row_job *job = arg;
    const leat_vmath_table *v = leat__vmath();
    for (int64_t r = from; r < from + count; r++) {
        const float *x = job->x + r * job->n;
        float *y = job->y + r * job->n, *sum = job->sum ? job->sum + r * job->n : y;
        if (job->skip) {
            v->vv[LEAT_VBIN_ADD](x, job->skip + r % job->skip_rows * job->n, sum, job->n);
            if (job->bias) v->vv[LEAT_VBIN_ADD](sum, job->bias, sum, job->n);
            x = sum;
        }
        normalise_row(job, x, y, r);
    }
}

static void run_rows(leat_op_call *call, const row_job *job) {
    int64_t total = leat_tensor_count(call->in[0]);
    if (total) leat__el_rows(call, total / job->n, job->n, row_span, job);
}

static float *data_of(const leat_tensor *t) { return t ? t->data : NULL; }

/* ---- LayerNormalization, RMSNormalization ----------------------------------------------------------------------------- */

static int is_rms(const leat_op_call *call) { return strcmp(call->op->name, "RMSNormalization") == 0 || strstr(call->op->name, "Simplified") != NULL; }

/* Elements from `axis` on; -1 when the axis is outside. */
static int64_t row_length(const leat_tensor *x, int64_t axis_attr, int *axis) {
    *axis = leat__norm_axis(axis_attr, x->rank);
    return *axis < 0 ? -1 : leat__dims_count(x->dims + *axis, x->rank - *axis);
}

static int check_vectors(leat_op_call *call, int first, int64_t n) {
    for (int i = first; i < call->n_in; i++) {
        if (!call->in[i]) continue;
        if (call->in[i]->dtype != LEAT_DTYPE_F32) return leat__op_fail(call, LEAT_ETYPE, "input %d is %s, not float32", i, leat_dtype_name(call->in[i]->dtype));
        if (leat_tensor_count(call->in[i]) != n)
            return leat__op_fail(call, LEAT_ESHAPE, "input %d has %lld elements, a row has %lld", i, (long long)leat_tensor_count(call->in[i]), (long long)n);
    }
    return LEAT_OK;
}

/* Outputs 1 and 2: one value per row, shaped like the input with the row's axes set to 1. */
static void infer_statistics(leat_op_call *call, int axis) {
    int64_t dims[LEAT_MAX_RANK];
    const leat_tensor *x = call->in[0];
    for (int i = 0; i < x->rank; i++) dims[i] = i < axis ? x->dims[i] : 1;
    for (int i = 1; i < 3; i++)
        if (leat__op_out(call, i)) leat__tensor_set(call->out[i], LEAT_DTYPE_F32, x->rank, dims);
}

static int layer_infer(leat_op_call *call) {
    int axis;
    const leat_tensor *x = call->in[0];
    int64_t n = row_length(x, leat__attr_int(call->attrs, "axis", -1), &axis);
    if (x->dtype != LEAT_DTYPE_F32) return leat__op_fail(call, LEAT_ETYPE, "input is %s, not float32", leat_dtype_name(x->dtype));
    if (axis < 0) return leat__op_fail(call, LEAT_EINVAL, "attribute axis is outside a tensor of rank %d", x->rank);
    int status = check_vectors(call, 1, n);
    if (status) return status;
    infer_statistics(call, axis);
    return leat__infer_same(call);
}

static int layer_run(leat_op_call *call) {
    int axis;
    row_job job = {.x = call->in[0]->data, .gain = data_of(leat__op_in(call, 1)), .shift = data_of(leat__op_in(call, 2)), .y = call->out[0]->data};
    job.n = row_length(call->in[0], leat__attr_int(call->attrs, "axis", -1), &axis);
    job.rms = is_rms(call);
    job.eps = leat__attr_float(call->attrs, "epsilon", 1e-5f);
    if (job.rms) job.inv = data_of(leat__op_out(call, 1));
    else job.mean = data_of(leat__op_out(call, 1)), job.inv = data_of(leat__op_out(call, 2));
    run_rows(call, &job);
    return LEAT_OK;
}

/* ---- with a skip connection (com.microsoft) ---------------------------------------------------------------------------- */

/* input [B, S, H], skip [B, S, H] or [S, H], gamma [H], then beta [H] (not simplified) and bias [H].  Outputs: Y, mean, 1/std, input + skip + bias. */
static int skip_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *skip = call->in[1];
    if (x->dtype != LEAT_DTYPE_F32 || skip->dtype != LEAT_DTYPE_F32) return leat__op_fail(call, LEAT_ETYPE, "input and skip must be float32");
    if (x->rank < 2 || skip->rank < 2) return leat__op_fail(call, LEAT_ESHAPE, "input and skip need rank 2 or more");
    int64_t n = x->dims[x->rank - 1], total = leat_tensor_count(x), part = leat_tensor_count(skip);
    int64_t head = x->rank == 3 ? x->dims[1] * n : total;
    if (skip->dims[skip->rank - 1] != n || (part != total && part != head)) return leat__op_fail(call, LEAT_ESHAPE, "skip does not fit the input");
    int status = check_vectors(call, 2, n);
    if (status) return status;
    infer_statistics(call, x->rank - 1);
    if (leat__op_out(call, 3)) leat__tensor_set(call->out[3], LEAT_DTYPE_F32, x->rank, x->dims);
    return leat__infer_same(call);
}

static int skip_run(leat_op_call *call) {
    int rms = is_rms(call);
    row_job job = {.x = call->in[0]->data, .skip = call->in[1]->data, .gain = call->in[2]->data, .y = call->out[0]->data, .rms = rms};
    job.shift = rms ? NULL : data_of(leat__op_in(call, 3));
    job.bias = data_of(leat__op_in(call, rms ? 3 : 4));
    job.mean = data_of(leat__op_out(call, 1));
    job.inv = data_of(leat__op_out(call, 2));
    job.sum = data_of(leat__op_out(call, 3));
    job.n = call->in[0]->dims[call->in[0]->rank - 1];
    job.skip_rows = job.n ? leat_tensor_count(call->in[1]) / job.n : 1;
    job.eps = leat__attr_float(call->attrs, "epsilon", 1e-12f);
    run_rows(call, &job);
    return LEAT_OK;
}

/* ---- EmbedLayerNormalization ------------------------------------------------------------------------------------------- */

/* input_ids [B, S], segment_ids, word [V, H], position [P, H], segment [G, H], gamma [H], beta [H], mask [B, S], position_ids. */
static int embed_infer(leat_op_call *call) {
    const leat_tensor *ids = call->in[0], *word = leat__op_in(call, 2);
    for (int i = 2; i < 7; i++)
        if (i != 4 && !leat__op_in(call, i)) return leat__op_fail(call, LEAT_EFORMAT, "input %d is missing", i);
    if (ids->rank != 2 || word->rank != 2 || ids->dtype != LEAT_DTYPE_I32 || call->in[3]->rank != 2)
        return leat__op_fail(call, LEAT_ESHAPE, "input_ids must be int32 [B, S], embeddings [V, H]");
    int64_t h = word->dims[1], dims[3] = {ids->dims[0], ids->dims[1], h};
    for (int i = 2; i < 7; i++)
        if (call->in[i] && (call->in[i]->dtype != LEAT_DTYPE_F32 || call->in[i]->rank < 1 || call->in[i]->dims[call->in[i]->rank - 1] != h || call->in[i]->rank > 2))
            return leat__op_fail(call, LEAT_ESHAPE, "input %d must be float32 with %lld columns", i, (long long)h);
    if (leat_tensor_count(call->in[5]) != h || leat_tensor_count(call->in[6]) != h) return leat__op_fail(call, LEAT_ESHAPE, "gamma and beta must be [H]");
    if (call->in[1] && (!call->in[4] || !leat__dims_equal(call->in[1], ids) || call->in[1]->dtype != LEAT_DTYPE_I32))
        return leat__op_fail(call, LEAT_ESHAPE, "segment_ids must be shaped like input_ids and come with an embedding");
    if (leat__op_in(call, 8)) return leat__op_fail(call, LEAT_EUNSUPPORTED, "position_ids are not supported");
    if (leat__op_in(call, 7) && (!leat__dims_equal(call->in[7], ids) || call->in[7]->dtype != LEAT_DTYPE_I32))
        return leat__op_fail(call, LEAT_ESHAPE, "mask must be shaped like input_ids");
    if (ids->dims[1] > call->in[3]->dims[0]) return leat__op_fail(call, LEAT_ESHAPE, "sequence is longer than the position embedding");
    leat__tensor_set(call->out[0], LEAT_DTYPE_F32, 3, dims);
    if (leat__op_out(call, 1)) leat__tensor_set(call->out[1], LEAT_DTYPE_I32, 1, dims);
    if (leat__op_out(call, 2)) leat__tensor_set(call->out[2], LEAT_DTYPE_F32, 3, dims);
    return LEAT_OK;
}

static void embed_mask(const leat_op_call *call) {
    const leat_tensor *mask = leat__op_in(call, 7);
    leat_tensor *index = leat__op_out(call, 1);
    int64_t s = call->in[0]->dims[1];
    for (int64_t b = 0; index && b < index->dims[0]; b++) {
        int32_t total = 0;
        for (int64_t i = 0; mask && i < s; i++) total += ((const int32_t *)mask->data)[b * s + i];
        ((int32_t *)index->data)[b] = total;
    }
}

static int embed_run(leat_op_call *call) {
    const leat_vmath_table *v = leat__vmath();
    const leat_tensor *word = call->in[2], *segment = leat__op_in(call, 4);
    const int32_t *ids = call->in[0]->data, *segments = (const int32_t *)(const void *)data_of(call->in[1]);
    int64_t s = call->in[0]->dims[1], h = word->dims[1];
    float *total = data_of(leat__op_out(call, 2)), eps = leat__attr_float(call->attrs, "epsilon", 1e-12f);
    embed_mask(call);
    for (int64_t r = 0; r < call->in[0]->dims[0] * s; r++) {
        float *y = (float *)call->out[0]->data + r * h, *sum = total ? total + r * h : y;
        if (ids[r] < 0 || ids[r] >= word->dims[0] || (segments && (segments[r] < 0 || segments[r] >= segment->dims[0])))
            return leat__op_fail(call, LEAT_EINVAL, "row %lld has an id outside its embedding", (long long)r);
        v->vv[LEAT_VBIN_ADD]((const float *)word->data + ids[r] * h, (const float *)call->in[3]->data + r % s * h, sum, h);
        if (segments) v->vv[LEAT_VBIN_ADD](sum, (const float *)segment->data + segments[r] * h, sum, h);
        leat__layer_norm_row(sum, call->in[5]->data, call->in[6]->data, y, h, eps, NULL, NULL);
    }
    return LEAT_OK;
}

/* ---- LpNormalization --------------------------------------------------------------------------------------------------- */

static int lp_infer(leat_op_call *call) {
    int64_t p = leat__attr_int(call->attrs, "p", 2);
    if (leat__norm_axis(leat__attr_int(call->attrs, "axis", -1), call->in[0]->rank) < 0) return leat__op_fail(call, LEAT_EINVAL, "attribute axis is outside the tensor");
    if (p != 1 && p != 2) return leat__op_fail(call, LEAT_EUNSUPPORTED, "p = %lld; 1 and 2 are supported", (long long)p);
    if (call->in[0]->dtype != LEAT_DTYPE_F32) return leat__op_fail(call, LEAT_ETYPE, "input is %s, not float32", leat_dtype_name(call->in[0]->dtype));
    return leat__infer_same(call);
}

static int lp_run(leat_op_call *call) {
    const leat_tensor *t = call->in[0];
    int64_t dims[LEAT_MAX_RANK], outer = 1, inner = 1, p = leat__attr_int(call->attrs, "p", 2);
    int axis = leat__physical_axis(t, leat__norm_axis(leat__attr_int(call->attrs, "axis", -1), t->rank));
    leat__tensor_physical(t, dims);
    for (int i = 0; i < axis; i++) outer *= dims[i];
    for (int i = axis + 1; i < t->rank; i++) inner *= dims[i];
    const float *x = t->data;
    float *y = call->out[0]->data;
    for (int64_t i = 0; i < outer * inner; i++) {
        int64_t base = i / inner * dims[axis] * inner + i % inner;
        double sum = 0;
        for (int64_t k = 0; k < dims[axis]; k++) {
            double v = x[base + k * inner];
            sum += p == 1 ? fabs(v) : v * v;
        }
        double scale = sum == 0 ? 0 : p == 1 ? 1 / sum : 1 / sqrt(sum); /* a zero vector stays zero */
        for (int64_t k = 0; k < dims[axis]; k++) y[base + k * inner] = (float)(x[base + k * inner] * scale);
    }
    return LEAT_OK;
}

const leat_op leat__ops_norm_row[] = {
    {"", "LayerNormalization", 1, 0, 2, 3, 1, 3, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, layer_infer, leat__el_prepare, layer_run},
    {"com.microsoft", "LayerNormalization", 1, 0, 2, 3, 1, 3, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, layer_infer, leat__el_prepare, layer_run},
    {"", "RMSNormalization", 23, 0, 2, 2, 1, 1, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, layer_infer, leat__el_prepare, layer_run},
    {"", "SimplifiedLayerNormalization", 1, 0, 2, 2, 1, 2, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, layer_infer, leat__el_prepare, layer_run},
    {"com.microsoft", "SimplifiedLayerNormalization", 1, 0, 2, 2, 1, 2, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, layer_infer, leat__el_prepare, layer_run},
    {"com.microsoft", "SkipLayerNormalization", 1, 0, 3, 5, 1, 4, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, skip_infer, leat__el_prepare, skip_run},
    {"com.microsoft", "SkipSimplifiedLayerNormalization", 1, 0, 3, 4, 1, 4, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, skip_infer, leat__el_prepare, skip_run},
    {"com.microsoft", "EmbedLayerNormalization", 1, 0, 1, 9, 1, 3, 0, LEAT_OP_PLAIN, 0, embed_infer, leat__el_prepare, embed_run},
    {"", "LpNormalization", 1, 0, 1, 1, 1, 1, LEAT_OP_INPLACE, LEAT_OP_AXIS, 0, lp_infer, leat__el_prepare, lp_run},
    {0}};
