/* reduce.c - ReduceSum, Mean, Max, Min, Prod, L1, L2, SumSquare, LogSum, LogSumExp.
 *
 * Axes are put in memory order and neighbours of one kind (kept or reduced) are merged.  float32 then takes one of two fast forms: the last group is
 * reduced (vector reductions of contiguous rows) or kept (rows are accumulated into a row).  Everything else - other types, Prod, LogSumExp, outputs
 * whose memory order differs - is one general loop over strides, in double or 64-bit integers.
 * An empty set reduces to the operation's neutral element; Mean of nothing is NaN.
 */
#include <math.h>
#include <string.h>

#include "cpu/vmath.h"
#include "ops/el_walk.h"
#include "ops/reduce_shape.h"

typedef enum reduce_kind { SUM, MEAN, MAX, MIN, PROD, L1, L2, SUM_SQUARE, LOG_SUM, LOG_SUM_EXP } reduce_kind;

static const char *const kind_names[] = {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
                                         "ReduceLogSum", "ReduceLogSumExp"};
static const int first_step[] = {[SUM] = LEAT_VRED_SUM, [MEAN] = LEAT_VRED_SUM, [MAX] = LEAT_VRED_MAX, [MIN] = LEAT_VRED_MIN, [PROD] = -1,
                                 [L1] = LEAT_VRED_SUMABS, [L2] = LEAT_VRED_SUMSQ, [SUM_SQUARE] = LEAT_VRED_SUMSQ, [LOG_SUM] = LEAT_VRED_SUM,
                                 [LOG_SUM_EXP] = -1};

typedef struct reduce_job {
    leat_reduce_shape       s;
    reduce_kind        kind;
    const leat_tensor *in;
    leat_tensor       *out;
} reduce_job;

static reduce_kind kind_of(const leat_op_call *call) {
    int i = 0;
    while (strcmp(kind_names[i], call->op->name) != 0) i++;
    return (reduce_kind)i;
}

/* ---- axes and infer ------------------------------------------------------------------------------------------------- */

static int mark_axes(leat_op_call *call, const int64_t *axes, int64_t n, uint32_t *mask) {
    int rank = call->in[0]->rank;
    *mask = 0;
    for (int64_t i = 0; i < n; i++) {
        int axis = leat__norm_axis(axes[i], rank);
        if (axis < 0) return leat__op_fail(call, LEAT_EINVAL, "axis %lld is outside a tensor of rank %d", (long long)axes[i], rank);
        *mask |= 1u << axis;
    }
    return LEAT_OK;
}

static int reduced_axes(leat_op_call *call, uint32_t *mask) {
    int n = 0, status;
    const leat_tensor *input = leat__op_in(call, 1);
    if (input) {
        int64_t count = leat_tensor_count(input);
        if (!input->data && count > 0) return LEAT_EDYNAMIC;
        if (input->dtype != LEAT_DTYPE_I64 || input->rank > 1) return leat__op_fail(call, LEAT_ETYPE, "axes must be a vector of int64");
        n = count > 64 ? 65 : (int)count;
        if (n > 64) return leat__op_fail(call, LEAT_EINVAL, "more axes than a tensor can have");
        status = mark_axes(call, input->data, n, mask);
    } else {
        const int64_t *axes = leat__attr_ints(call->attrs, "axes", &n);
        status = mark_axes(call, axes, n, mask);
    }
    if (!status && n == 0 && !leat__attr_int(call->attrs, "noop_with_empty_axes", 0)) *mask = (1u << call->in[0]->rank) - 1;
    return status;
}

static int reduce_infer(leat_op_call *call) {
    const leat_tensor *in = call->in[0];
    int64_t dims[LEAT_MAX_RANK];
    int rank = 0, keep = leat__attr_int(call->attrs, "keepdims", 1) != 0;
    uint32_t mask;
    int is_bool = in->dtype == LEAT_DTYPE_BOOL && (kind_of(call) == MAX || kind_of(call) == MIN);
    if (in->dtype != LEAT_DTYPE_F32 && in->dtype != LEAT_DTYPE_F64 && !leat__dtype_is_int(in->dtype) && !is_bool)
        return leat__op_fail(call, LEAT_ETYPE, "input has element type %s, which the operator does not take", leat_dtype_name(in->dtype));
    int status = reduced_axes(call, &mask);
    if (status) return status;
    for (int i = 0; i < in->rank; i++)
        if (!(mask >> i & 1)) dims[rank++] = in->dims[i];
        else if (keep) dims[rank++] = 1;
    leat__tensor_set(call->out[0], in->dtype, rank, dims);
    if (rank == in->rank && leat__is_nhwc(in)) call->out[0]->flags |= LEAT_TENSOR_NHWC;
    return LEAT_OK;
}

/* ---- float32, fast forms -------------------------------------------------------------------------------------------- */

static float last_step(reduce_kind kind, double v, int64_t n) {
    switch (kind) {
    case MEAN: return (float)(v / (double)n);
    case L2: return (float)sqrt(v);
    case LOG_SUM: return (float)log(v);
    default: return (float)v;
    }
}

static double combine(reduce_kind kind, double a, double b) {
    if (kind == MAX) return a != a || b != b ? NAN : a > b ? a : b;
    if (kind == MIN) return a != a || b != b ? NAN : a < b ? a : b;
    return a + b;
}

static double neutral(reduce_kind kind) { return kind == MAX ? -INFINITY : kind == MIN ? INFINITY : 0; }

static void rows_span(const void *arg, int64_t from, int64_t n) {
    const reduce_job *job = arg;
    const leat_reduce_shape *s = &job->s;
    const float *x = job->in->data;
    float *y = job->out->data;
    int64_t inner = s->dims[s->n - 1], times = s->inputs_each / inner, unused;
    for (int64_t o = from; o < from + n; o++) {
        const float *base = x + leat__reduce_offset(s, 0, s->n, o, &unused);
        double total = neutral(job->kind);
        for (int64_t t = 0; t < times; t++)
            total = combine(job->kind, total, leat__vmath()->red[first_step[job->kind]](base + leat__reduce_offset(s, 1, s->n - 1, t, &unused), inner));
        y[o] = last_step(job->kind, total, s->inputs_each);
    }
}

enum { COLUMNS = 256, BURST = 64 }; /* a piece of the row that is accumulated; rows added in float before going to double */

static void column_piece(const reduce_job *job, const float *x, float *y, int64_t n) {
    const leat_reduce_shape *s = &job->s;
    double total[COLUMNS];
    float acc[COLUMNS];
    int64_t unused;
    for (int64_t i = 0; i < n; i++) total[i] = neutral(job->kind);
    for (int64_t t = 0; t < s->inputs_each; t += BURST) {
        int64_t end = s->inputs_each < t + BURST ? s->inputs_each : t + BURST;
        for (int64_t i = 0; i < n; i++) acc[i] = (float)neutral(job->kind);
        for (int64_t r = t; r < end; r++) leat__vmath()->redrow[first_step[job->kind]](x + leat__reduce_offset(s, 1, s->n, r, &unused), acc, n);
        for (int64_t i = 0; i < n; i++) total[i] = combine(job->kind, total[i], (double)acc[i]);
    }
    for (int64_t i = 0; i < n; i++) y[i] = last_step(job->kind, total[i], s->inputs_each);
}

static void columns_span(const void *arg, int64_t from, int64_t n) {
    const reduce_job *job = arg;
    const leat_reduce_shape *s = &job->s;
    int64_t inner = s->dims[s->n - 1], pieces = (inner + COLUMNS - 1) / COLUMNS, unused;
    for (int64_t i = from; i < from + n; i++) {
        int64_t row = i / pieces, at = i % pieces * COLUMNS;
        const float *x = (const float *)job->in->data + leat__reduce_offset(s, 0, s->n - 1, row, &unused) + at;
        column_piece(job, x, (float *)job->out->data + row * inner + at, inner - at < COLUMNS ? inner - at : COLUMNS);
    }
}

static void run_fast(leat_op_call *call, const reduce_job *job) {
    const leat_reduce_shape *s = &job->s;
    int64_t inner = s->dims[s->n - 1];
    if (s->reduced[s->n - 1]) {
        leat__el_rows(call, s->outputs, s->inputs_each, rows_span, job);
        return;
    }
    int64_t pieces = (inner + COLUMNS - 1) / COLUMNS;
    leat__el_rows(call, s->outputs / inner * pieces, s->inputs_each * (inner < COLUMNS ? inner : COLUMNS), columns_span, job);
}

/* ---- general form --------------------------------------------------------------------------------------------------- */

static double reduce_float(const reduce_job *job, int64_t base) {
    const leat_reduce_shape *s = &job->s;
    double total = job->kind == PROD ? 1 : neutral(job->kind), max = -INFINITY;
    int64_t unused;
    if (job->kind == LOG_SUM_EXP)
        for (int64_t i = 0; i < s->inputs_each; i++) {
            double v = leat__tensor_get_float(job->in, base + leat__reduce_offset(s, 1, s->n, i, &unused));
            max = v > max || v != v ? v : max;
        }
    for (int64_t i = 0; i < s->inputs_each; i++) {
        double v = leat__tensor_get_float(job->in, base + leat__reduce_offset(s, 1, s->n, i, &unused));
        switch (job->kind) {
        case PROD: total *= v; break;
        case L1: total += fabs(v); break;
        case L2:
        case SUM_SQUARE: total += v * v; break;
        case LOG_SUM_EXP: total += isfinite(max) ? exp(v - max) : 0; break;
        default: total = combine(job->kind, total, v); break;
        }
    }
    switch (job->kind) {
    case MEAN: return total / (double)s->inputs_each;
    case L2: return sqrt(total);
    case LOG_SUM: return log(total);
    case LOG_SUM_EXP: return isfinite(max) ? max + log(total) : max;
    default: return total;
    }
}

static int64_t reduce_integer(const reduce_job *job, int64_t base) {
    const leat_reduce_shape *s = &job->s;
    int is_signed = leat__dtype_is_signed(job->in->dtype), bits = (int)leat_dtype_size(job->in->dtype) * 8;
    uint64_t total = job->kind == PROD, low = is_signed ? (uint64_t)-1 << (bits - 1) : 0;
    uint64_t high = is_signed ? ~low : bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    if (job->in->dtype == LEAT_DTYPE_BOOL) high = 1;
    if (job->kind == MAX) total = low;
    if (job->kind == MIN) total = high;
    for (int64_t i = 0, unused; i < s->inputs_each; i++) {
        uint64_t v = (uint64_t)leat__tensor_get_int(job->in, base + leat__reduce_offset(s, 1, s->n, i, &unused));
        int above = is_signed ? (int64_t)v > (int64_t)total : v > total;
        switch (job->kind) {
        case PROD: total *= v; break;
        case MAX: total = above ? v : total; break;
        case MIN: total = above ? total : v; break;
        case L1: total += is_signed && (int64_t)v < 0 ? 0 - v : v; break;
        case SUM_SQUARE: total += v * v; break;
        default: total += v; break;
        }
    }
    return (int64_t)total;
}

static void general_span(const void *arg, int64_t from, int64_t n) {
    const reduce_job *job = arg;
    int in_floats = leat__dtype_is_float(job->in->dtype);
    int in_double = in_floats || job->kind == MEAN || job->kind == L2 || job->kind == LOG_SUM || job->kind == LOG_SUM_EXP;
    for (int64_t o = from; o < from + n; o++) {
        int64_t to, base = leat__reduce_offset(&job->s, 0, job->s.n, o, &to);
        if (in_floats) leat__tensor_set_float(job->out, to, reduce_float(job, base));
        else if (in_double) leat__tensor_set_int(job->out, to, job->s.inputs_each ? (int64_t)reduce_float(job, base) : 0);
        else leat__tensor_set_int(job->out, to, reduce_integer(job, base));
    }
}

static int reduce_run(leat_op_call *call) {
    reduce_job job = {.kind = kind_of(call), .in = call->in[0], .out = call->out[0]};
    uint32_t mask;
    int status = reduced_axes(call, &mask);
    if (status) return status;
    leat__reduce_shape(job.in, job.out, mask, &job.s);
    if (job.s.outputs == 0) return LEAT_OK;
    int fast = job.in->dtype == LEAT_DTYPE_F32 && first_step[job.kind] >= 0 && job.s.ordered && job.s.n > 0 && job.s.inputs_each > 0;
    if (fast) run_fast(call, &job);
    else leat__el_rows(call, job.s.outputs, job.s.inputs_each, general_span, &job);
    return LEAT_OK;
}

#define ROWS(name, split)                                                                                         \
    {"", name, 1, split - 1, 1, 1, 1, 1, 0, LEAT_OP_AXIS, 0, reduce_infer, leat__el_prepare, reduce_run},                     \
    {"", name, split, 0, 1, 2, 1, 1, 0, LEAT_OP_AXIS, 2, reduce_infer, leat__el_prepare, reduce_run}

const leat_op leat__ops_reduce[] = {
    ROWS("ReduceSum", 13), ROWS("ReduceMean", 18), ROWS("ReduceMax", 18), ROWS("ReduceMin", 18), ROWS("ReduceProd", 18), ROWS("ReduceL1", 18),
    ROWS("ReduceL2", 18), ROWS("ReduceSumSquare", 18), ROWS("ReduceLogSum", 18), ROWS("ReduceLogSumExp", 18),
    {0}};
