/* loss.c - NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss: input [N, C, d..], target [N, d..], weight [C] or absent.
 *
 *   loss[n, d] = -weight[t] * log p[n, t, d], t = target[n, d]; 0 where t is ignore_index.  reduction "mean" divides by the sum of the weights used.
 * SoftmaxCrossEntropyLoss takes the logarithm of the softmax over C first and can return it.
 */
#include <math.h>
#include <string.h>

#include "base/str.h"
#include "ops/op.h"

typedef struct loss_job {
    const leat_tensor *x, *target, *weight;
    int64_t            N, C, D, ignored;
    int                softmax, has_ignored;
} loss_job;

static int wants(const leat_op_call *call, const char *reduction) {
    return leat__streq(leat__attr_string(call->attrs, "reduction", "mean"), reduction);
}

static int loss_infer(leat_op_call *call) {
    const leat_tensor *x = call->in[0], *target = call->in[1], *weight = leat__op_in(call, 2);
    int fits = x->rank >= 2 && target->rank == x->rank - 1 && target->dims[0] == x->dims[0];
    for (int i = 2; fits && i < x->rank; i++) fits = target->dims[i - 1] == x->dims[i];
    if (!fits) return leat__op_fail(call, LEAT_ESHAPE, "input must be [N, C, d..] and target [N, d..]");
    if (x->dtype != LEAT_DTYPE_F32 && x->dtype != LEAT_DTYPE_F64) return leat__op_fail(call, LEAT_ETYPE, "input is %s, not float", leat_dtype_name(x->dtype));
    if (target->dtype != LEAT_DTYPE_I32 && target->dtype != LEAT_DTYPE_I64) return leat__op_fail(call, LEAT_ETYPE, "target must be int32 or int64");
    if (weight && (weight->dtype != x->dtype || leat_tensor_count(weight) != x->dims[1])) return leat__op_fail(call, LEAT_ESHAPE, "weight must be [C]");
    leat__tensor_set(call->out[0], x->dtype, wants(call, "none") ? target->rank : 0, target->dims);
    if (leat__op_out(call, 1)) leat__tensor_set(call->out[1], x->dtype, x->rank, x->dims);
    return LEAT_OK;
}

/* max + log of the sum of exponentials over C at (n, d); 0 when the input is log-probabilities already. */
static double log_sum(const loss_job *job, int64_t n, int64_t d) {
    double max = -INFINITY, sum = 0;
    if (!job->softmax) return 0;
    for (int64_t c = 0; c < job->C; c++) {
        double v = leat__tensor_get_float(job->x, (n * job->C + c) * job->D + d);
        max = v > max ? v : max;
    }
    for (int64_t c = 0; c < job->C; c++) sum += exp(leat__tensor_get_float(job->x, (n * job->C + c) * job->D + d) - max);
    return max + log(sum);
}

/* Loss at (n, d) and the weight that counts for it; LEAT_EINVAL for a target outside [0, C). */
static int one_loss(const loss_job *job, int64_t n, int64_t d, double *loss, double *weight) {
    int64_t t = leat__tensor_get_int(job->target, n * job->D + d);
    *loss = *weight = 0;
    if (job->has_ignored && t == job->ignored) return LEAT_OK;
    if (t < 0 || t >= job->C) return LEAT_EINVAL;
    *weight = job->weight ? leat__tensor_get_float(job->weight, t) : 1;
    *loss = *weight * (log_sum(job, n, d) - leat__tensor_get_float(job->x, (n * job->C + t) * job->D + d));
    return LEAT_OK;
}

static void write_log_prob(const loss_job *job, leat_tensor *out) {
    for (int64_t n = 0; n < job->N; n++)
        for (int64_t d = 0; d < job->D; d++) {
            double shift = log_sum(job, n, d);
            for (int64_t c = 0; c < job->C; c++) {
                int64_t at = (n * job->C + c) * job->D + d;
                leat__tensor_set_float(out, at, leat__tensor_get_float(job->x, at) - shift);
            }
        }
}

static int loss_run(leat_op_call *call) {
    loss_job job = {.x = call->in[0], .target = call->in[1], .weight = leat__op_in(call, 2), .N = call->in[0]->dims[0], .C = call->in[0]->dims[1], .D = 1};
    double total = 0, weights = 0;
    for (int i = 2; i < job.x->rank; i++) job.D *= job.x->dims[i];
    job.softmax = strcmp(call->op->name, "SoftmaxCrossEntropyLoss") == 0;
    job.has_ignored = leat__attr(call->attrs, "ignore_index") != NULL;
    job.ignored = leat__attr_int(call->attrs, "ignore_index", 0);
    for (int64_t i = 0; i < job.N * job.D; i++) {
        double loss, weight;
        if (one_loss(&job, i / job.D, i % job.D, &loss, &weight)) return leat__op_fail(call, LEAT_EINVAL, "target %lld is outside the classes", (long long)i);
        if (wants(call, "none")) leat__tensor_set_float(call->out[0], i, loss);
        total += loss;
        weights += weight;
    }
    if (!wants(call, "none")) leat__tensor_set_float(call->out[0], 0, wants(call, "sum") ? total : total / weights);
    if (leat__op_out(call, 1)) write_log_prob(&job, call->out[1]);
    return LEAT_OK;
}

const leat_op leat__ops_loss[] = {
    {"", "NegativeLogLikelihoodLoss", 12, 0, 2, 3, 1, 1, 0, LEAT_OP_PLAIN, 0, loss_infer, NULL, loss_run},
    {"", "SoftmaxCrossEntropyLoss", 12, 0, 2, 3, 1, 2, 0, LEAT_OP_PLAIN, 0, loss_infer, NULL, loss_run},
    {0}};
