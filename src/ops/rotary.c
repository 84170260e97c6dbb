/* rotary.c - RotaryEmbedding of ai.onnx (23..) and com.microsoft: pairs of features turned by an angle that depends on the position.
 *
 *   ai.onnx        X [B,H,S,D] or [B,S,H*D], cos, sin [positions, R/2] with position_ids [B,S], or [B,S,R/2] without
 *   com.microsoft  X, position_ids [1] (the first position) or [B,S], cos, sin [positions, R/2]
 *
 * The first R features of a head turn (R = rotary_embedding_dim, 0 = all), pair (i, i + R/2) or, interleaved, (2i, 2i + 1).
 */
#include <string.h>

#include "ops/el_walk.h"

typedef struct rotary_job {
    const float   *x, *cos, *sin;
    float         *y;
    const int64_t *positions;             /* [B, S], [1] or NULL */
    int64_t        B, H, S, D, R, limit;  /* limit: rows of the caches */
    int            flat, interleaved, one_position;
} rotary_job;

static int is_ms(const leat_op_call *call) { return *call->op->domain != 0; }

static int setup_sizes(leat_op_call *call, rotary_job *job) {
    const leat_tensor *x = call->in[0];
    int64_t heads = leat__attr_int(call->attrs, "num_heads", 0);
    job->flat = x->rank == 3;
    job->interleaved = leat__attr_int(call->attrs, "interleaved", 0) != 0;
    job->R = leat__attr_int(call->attrs, "rotary_embedding_dim", 0);
    if (x->dtype != LEAT_DTYPE_F32 || (x->rank != 3 && x->rank != 4)) return leat__op_fail(call, LEAT_ESHAPE, "input must be float32 of rank 3 or 4");
    const leat_tensor *cache = call->in[is_ms(call) ? 2 : 1];
    int64_t half = cache->rank > 0 ? cache->dims[cache->rank - 1] : 0;
    if (job->flat && heads == 0 && is_ms(call) && half > 0) heads = job->R ? 0 : x->dims[2] / (2 * half); /* derived from the cache */
    if (job->flat && (heads < 1 || x->dims[2] % heads)) return leat__op_fail(call, LEAT_EINVAL, "num_heads %lld does not divide the hidden size", (long long)heads);
    job->B = x->dims[0];
    job->S = x->dims[job->flat ? 1 : 2];
    job->H = job->flat ? heads : x->dims[1];
    job->D = job->flat ? x->dims[2] / heads : x->dims[3];
    if (job->R == 0) job->R = job->D;
    if (job->R < 0 || job->R > job->D || job->R % 2 || half != job->R / 2)
        return leat__op_fail(call, LEAT_ESHAPE, "caches with %lld columns do not fit %lld rotated features", (long long)half, (long long)job->R);
    return LEAT_OK;
}

static int setup(leat_op_call *call, rotary_job *job) {
    int ms = is_ms(call), status;
    const leat_tensor *cos = call->in[ms ? 2 : 1], *sin = call->in[ms ? 3 : 2], *positions = ms ? call->in[1] : leat__op_in(call, 3);
    memset(job, 0, sizeof *job);
    status = setup_sizes(call, job);
    if (status) return status;
    if (cos->dtype != LEAT_DTYPE_F32 || sin->dtype != LEAT_DTYPE_F32 || !leat__dims_equal(cos, sin))
        return leat__op_fail(call, LEAT_ESHAPE, "the two caches must be float32 and of one shape");
    if (positions) {
        int64_t n = leat_tensor_count(positions);
        job->one_position = ms && n == 1 && job->B * job->S != 1;
        if (positions->dtype != LEAT_DTYPE_I64 || (n != job->B * job->S && !job->one_position) || cos->rank != 2)
            return leat__op_fail(call, LEAT_ESHAPE, "position_ids must be int64 [batch, sequence] and the caches of rank 2");
        job->limit = cos->dims[0];
        job->positions = positions->data;
    } else if (cos->rank != 3 || cos->dims[0] != job->B || cos->dims[1] != job->S) {
        return leat__op_fail(call, LEAT_ESHAPE, "without position_ids the caches must be [batch, sequence, features / 2]");
    }
    job->x = call->in[0]->data, job->y = call->out[0]->data, job->cos = cos->data, job->sin = sin->data;
    return LEAT_OK;
}

static int rotary_infer(leat_op_call *call) {
    rotary_job job;
    int status = setup(call, &job);
    return status ? status : leat__infer_same(call);
}

static int64_t position(const rotary_job *job, int64_t b, int64_t s) {
    if (!job->positions) return b * job->S + s;
    return job->one_position ? job->positions[0] + s : job->positions[b * job->S + s];
}

static void rotate_head(const rotary_job *job, const float *x, float *y, const float *cos, const float *sin) {
    int64_t half = job->R / 2;
    for (int64_t i = 0; i < half; i++) {
        int64_t first = job->interleaved ? 2 * i : i, second = job->interleaved ? 2 * i + 1 : i + half;
        float a = x[first], b = x[second];
        y[first] = cos[i] * a - sin[i] * b;
        y[second] = sin[i] * a + cos[i] * b;
    }
    if (x != y) memcpy(y + job->R, x + job->R, (size_t)(job->D - job->R) * sizeof *y);
}

static void rotary_span(const void *arg, int64_t from, int64_t n) {
    const rotary_job *job = arg;
    for (int64_t i = from; i < from + n; i++) { /* i = (b, h, s) or, flat, (b, s, h) */
        int64_t b = i / (job->H * job->S), s = job->flat ? i / job->H % job->S : i % job->S, at = position(job, b, s) * (job->R / 2);
        rotate_head(job, job->x + i * job->D, job->y + i * job->D, job->cos + at, job->sin + at);
    }
}

static int rotary_run(leat_op_call *call) {
    rotary_job job;
    int status = setup(call, &job);
    if (status) return status;
    for (int64_t b = 0; job.positions && b < job.B; b++)
        for (int64_t s = 0; s < job.S; s++)
            if (position(&job, b, s) < 0 || position(&job, b, s) >= job.limit)
                return leat__op_fail(call, LEAT_EINVAL, "position %lld is outside the caches", (long long)position(&job, b, s));
    leat__el_rows(call, job.B * job.H * job.S, job.D, rotary_span, &job);
    return LEAT_OK;
}

const leat_op leat__ops_rotary[] = {
    {"", "RotaryEmbedding", 23, 0, 3, 4, 1, 1, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, rotary_infer, NULL, rotary_run},
    {"com.microsoft", "RotaryEmbedding", 1, 0, 4, 4, 1, 1, LEAT_OP_INPLACE, LEAT_OP_PLAIN, 0, rotary_infer, NULL, rotary_run},
    {0}};
