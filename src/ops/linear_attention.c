/* linear_attention.c - LinearAttention (27..): a recurrence over time with a state [B, HK, DK, DV] in place of a table of scores.
 *
 *   gated, gated_delta   S *= exp(decay)                   decay [B, T, HK] or [B, T, HK*DK]
 *   delta, gated_delta   v = beta (v - S^T k)              beta [B, T, HK] or [B, T, 1]
 *   all                  S += k v^T;   y = scale S^T q     query heads share the state of their key head
 *
 * Inputs query [B,T,HQ*DK], key [B,T,HK*DK], value [B,T,HK*DV], past_state, decay, beta.  Outputs [B,T,HQ*DV] and the state.  Heads run in parallel.
 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "cpu/vmath.h"
#include "ops/el_walk.h"

typedef struct linear_job {
    const float *q, *k, *v, *past, *decay, *beta;
    float       *y, *state, *row;   /* row: [threads of heads][DV] scratch */
    int64_t      B, T, HQ, HK, DK, DV, decay_n, beta_n;
    float        scale;
} linear_job;

static const float *data_of(const leat_tensor *t) { return t ? t->data : NULL; }
static int is_3d(const leat_tensor *t, int64_t b, int64_t n) { return t->dtype == LEAT_DTYPE_F32 && t->rank == 3 && t->dims[0] == b && t->dims[1] == n; }

static int setup_options(leat_op_call *call, linear_job *job, const leat_tensor *past, const leat_tensor *decay, const leat_tensor *beta) {
    const char *rule = leat__attr_string(call->attrs, "update_rule", "gated_delta");
    int gated = leat__streq(rule, "gated") || leat__streq(rule, "gated_delta"), delta = leat__streq(rule, "delta") || leat__streq(rule, "gated_delta");
    if (!gated && !delta && !leat__streq(rule, "linear")) return leat__op_fail(call, LEAT_EINVAL, "update_rule '%.40s' is unknown", rule);
    if (gated != !!decay || delta != !!beta) return leat__op_fail(call, LEAT_EFORMAT, "decay or beta does not go with update_rule '%.40s'", rule);
    job->decay_n = decay && decay->rank == 3 ? decay->dims[2] : 0;
    job->beta_n = beta && beta->rank == 3 ? beta->dims[2] : 0;
    if (decay && (!is_3d(decay, job->B, job->T) || (job->decay_n != job->HK && job->decay_n != job->HK * job->DK)))
        return leat__op_fail(call, LEAT_ESHAPE, "decay does not fit");
    if (beta && (!is_3d(beta, job->B, job->T) || (job->beta_n != job->HK && job->beta_n != 1))) return leat__op_fail(call, LEAT_ESHAPE, "beta does not fit");
    if (past && (past->dtype != LEAT_DTYPE_F32 || past->rank != 4 || past->dims[0] != job->B || past->dims[1] != job->HK || past->dims[2] != job->DK ||
                 past->dims[3] != job->DV))
        return leat__op_fail(call, LEAT_ESHAPE, "past_state does not fit");
    return LEAT_OK;
}

static int setup(leat_op_call *call, linear_job *job) {
    const leat_tensor *q = call->in[0], *k = call->in[1], *v = call->in[2], *past = leat__op_in(call, 3), *decay = leat__op_in(call, 4), *beta = leat__op_in(call, 5);
    memset(job, 0, sizeof *job);
    job->HQ = leat__attr_int(call->attrs, "q_num_heads", 0);
    job->HK = leat__attr_int(call->attrs, "kv_num_heads", 0);
    if (job->HQ < 1 || job->HK < 1 || job->HQ % job->HK) return leat__op_fail(call, LEAT_EINVAL, "head counts do not fit");
    if (q->rank != 3 || q->dims[2] % job->HQ) return leat__op_fail(call, LEAT_ESHAPE, "query must be [batch, time, heads * size]");
    job->B = q->dims[0], job->T = q->dims[1], job->DK = q->dims[2] / job->HQ;
    if (!is_3d(q, job->B, job->T) || !is_3d(k, job->B, job->T) || !is_3d(v, job->B, job->T) || k->dims[2] != job->HK * job->DK || v->dims[2] % job->HK)
        return leat__op_fail(call, LEAT_ESHAPE, "query, key and value do not fit each other");
    job->DV = v->dims[2] / job->HK;
    job->q = q->data, job->k = k->data, job->v = v->data, job->past = data_of(past), job->decay = data_of(decay), job->beta = data_of(beta);
    float scale = leat__attr_float(call->attrs, "scale", 0);
    job->scale = scale != 0 || job->DK == 0 ? scale : 1 / sqrtf((float)job->DK);
    return setup_options(call, job, past, decay, beta);
}

static int linear_infer(leat_op_call *call) {
    linear_job job;
    int status = setup(call, &job);
    if (status) return status;
    leat__tensor_set(call->out[0], LEAT_DTYPE_F32, 3, (int64_t[]){job.B, job.T, job.HQ * job.DV});
    if (leat__op_out(call, 1)) leat__tensor_set(call->out[1], LEAT_DTYPE_F32, 4, (int64_t[]){job.B, job.HK, job.DK, job.DV});
    return LEAT_OK;
}

static int linear_prepare(leat_op_call *call) {
    linear_job job;
    int status = setup(call, &job);
    if (status) return status;
    int64_t heads = job.B * job.HK;
    call->scratch_bytes = (size_t)(heads * job.DV + heads * job.DK * job.DV) * sizeof(float) + 64;
    call->macs = job.B * job.T * job.HQ * job.DK * job.DV * 2;
    return LEAT_OK;
}

/* acc [n] += factor * x [n] */
static void add_scaled(float *acc, const float *x, float factor, int64_t n) {
    for (int64_t i = 0; i < n; i++) acc[i] += factor * x[i];
}

static void update_state(const linear_job *job, int64_t b, int64_t h, int64_t t, float *state, float *row) {
    int64_t at = b * job->T + t, dk = job->DK, dv = job->DV;
    const float *k = job->k + (at * job->HK + h) * dk, *v = job->v + (at * job->HK + h) * dv;
    for (int64_t d = 0; job->decay && d < dk; d++) {
        float g = job->decay[at * job->decay_n + (job->decay_n == job->HK ? h : h * dk + d)];
        leat__vmath()->vs[LEAT_VBIN_MUL](state + d * dv, expf(g), state + d * dv, dv);
    }
    memset(row, 0, (size_t)dv * sizeof *row);
    for (int64_t d = 0; job->beta && d < dk; d++) add_scaled(row, state + d * dv, k[d], dv);
    float beta = job->beta ? job->beta[at * job->beta_n + (job->beta_n == 1 ? 0 : h)] : 1;
    for (int64_t m = 0; m < dv; m++) row[m] = beta * (v[m] - row[m]);
    for (int64_t d = 0; d < dk; d++) add_scaled(state + d * dv, row, k[d], dv);
}

static void heads_span(const void *arg, int64_t from, int64_t n) {
    const linear_job *job = arg;
    int64_t group = job->HQ / job->HK, dk = job->DK, dv = job->DV;
    for (int64_t i = from; i < from + n; i++) {
        int64_t b = i / job->HK, h = i % job->HK;
        float *state = job->state + i * dk * dv, *row = job->row + i * dv;
        if (job->past) memcpy(state, job->past + i * dk * dv, (size_t)(dk * dv) * sizeof *state);
        else memset(state, 0, (size_t)(dk * dv) * sizeof *state);
        for (int64_t t = 0; t < job->T; t++) {
            update_state(job, b, h, t, state, row);
            for (int64_t g = h * group; g < (h + 1) * group; g++) {
                const float *q = job->q + ((b * job->T + t) * job->HQ + g) * dk;
                float *y = job->y + ((b * job->T + t) * job->HQ + g) * dv;
                memset(y, 0, (size_t)dv * sizeof *y);
                for (int64_t d = 0; d < dk; d++) add_scaled(y, state + d * dv, job->scale * q[d], dv);
            }
        }
    }
}

static int linear_run(leat_op_call *call) {
    linear_job job;
    int status = setup(call, &job);
    if (status) return status;
    leat_tensor *state = leat__op_out(call, 1);
    job.y = call->out[0]->data;
    job.row = call->scratch;
    job.state = state ? state->data : job.row + job.B * job.HK * job.DV;
    leat__el_rows(call, job.B * job.HK, job.T * job.DK * job.DV, heads_span, &job);
    return LEAT_OK;
}

/* ---- CausalConvWithState (27..): depthwise convolution over time with the last k - 1 inputs as state ------------------------ */

static int causal_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *w = call->in[1], *bias = leat__op_in(call, 2), *past = leat__op_in(call, 3);
    const char *act = leat__attr_string(call->attrs, "activation", "none");
    if (x->dtype != LEAT_DTYPE_F32 || w->dtype != LEAT_DTYPE_F32 || x->rank != 3 || w->rank != 3 || w->dims[0] != x->dims[1] || w->dims[1] != 1 || w->dims[2] < 1)
        return leat__op_fail(call, LEAT_ESHAPE, "input must be float32 [batch, channels, length], weight [channels, 1, k]");
    if (bias && (bias->dtype != LEAT_DTYPE_F32 || leat_tensor_count(bias) != x->dims[1])) return leat__op_fail(call, LEAT_ESHAPE, "bias must be [channels]");
    int64_t state[3] = {x->dims[0], x->dims[1], w->dims[2] - 1};
    if (past && (past->dtype != LEAT_DTYPE_F32 || past->rank != 3 || memcmp(past->dims, state, sizeof state) != 0))
        return leat__op_fail(call, LEAT_ESHAPE, "past_state must be [batch, channels, k - 1]");
    if (!leat__streq(act, "none") && !leat__streq(act, "silu") && !leat__streq(act, "swish")) return leat__op_fail(call, LEAT_EINVAL, "activation '%.40s' is unknown", act);
    if (leat__op_out(call, 1)) leat__tensor_set(call->out[1], LEAT_DTYPE_F32, 3, state);
    return leat__infer_same(call);
}

/* Input t of the padded sequence, counted from the first past value. */
static float padded_at(const float *x, const float *past, int64_t t, int64_t before) { return t >= before ? x[t - before] : past ? past[t] : 0; }

static int causal_run(leat_op_call *call) {
    const leat_tensor *in = call->in[0];
    int64_t C = in->dims[1], L = in->dims[2], k = call->in[1]->dims[2], before = k - 1;
    const float *bias = data_of(leat__op_in(call, 2)), *past = data_of(leat__op_in(call, 3));
    leat_tensor *state = leat__op_out(call, 1);
    int silu = !leat__streq(leat__attr_string(call->attrs, "activation", "none"), "none");
    for (int64_t i = 0; i < in->dims[0] * C; i++) {
        const float *x = (const float *)in->data + i * L, *w = (const float *)call->in[1]->data + i % C * k, *old = past ? past + i * before : NULL;
        float *y = (float *)call->out[0]->data + i * L;
        for (int64_t t = 0; t < L; t++) {
            float sum = bias ? bias[i % C] : 0;
            for (int64_t j = 0; j < k; j++) sum += w[j] * padded_at(x, old, t + j, before);
            y[t] = sum;
        }
        if (silu) leat__act_f32(LEAT_ACT_SILU, y, L, NULL);
        for (int64_t j = 0; state && j < before; j++) ((float *)state->data)[i * before + j] = padded_at(x, old, L + j, before);
    }
    return LEAT_OK;
}

const leat_op leat__ops_linear_attention[] = {
    {"", "LinearAttention", 26, 0, 3, 6, 1, 2, 0, LEAT_OP_PLAIN, 0, linear_infer, linear_prepare, linear_run},
    {"", "CausalConvWithState", 26, 0, 2, 4, 1, 2, 0, LEAT_OP_PLAIN, 0, causal_infer, NULL, causal_run},
    {0}};
