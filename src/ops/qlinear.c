/* qlinear.c - 8-bit element-wise operators of com.microsoft: QLinearAdd, QLinearMul, QLinearWhere, QLinearConcat, QLinearSigmoid,
 * QLinearLeakyRelu, QLinearSoftmax.
 *
 * Operators of one input are a table of 256 answers.  The others bring short runs to float32, compute there and quantise back; a run lies
 * in a buffer on the stack.  Every operand is a triple (data, scale, zero point) with scalar parameters.
 */
#include <math.h>
#include <string.h>

#include "cpu/quant.h"
#include "cpu/vmath.h"
#include "ops/nn_util.h"
#include "ops/quant_util.h"

#define RUN 512 /* elements brought to float32 at once */

/* ---- triples ------------------------------------------------------------------------------------------------------------------------ */

static int is_byte(leat_dtype d) { return d == LEAT_DTYPE_U8 || d == LEAT_DTYPE_I8; }

/* Scale at input i, zero point (may be absent) at i + 1, of type dtype. */
static int check_scale(leat_op_call *call, int i, leat_dtype dtype) {
    const leat_tensor *scale = leat__op_in(call, i), *zero = leat__op_in(call, i + 1);
    if (!scale || scale->dtype != LEAT_DTYPE_F32 || leat_tensor_count(scale) != 1)
        return leat__op_fail(call, LEAT_ETYPE, "input %d is not one float32 scale", i);
    if (zero && (zero->dtype != dtype || leat_tensor_count(zero) != 1))
        return leat__op_fail(call, LEAT_ETYPE, "input %d is not one zero point of type %s", i + 1, leat_dtype_name(dtype));
    return LEAT_OK;
}

static int check_triple(leat_op_call *call, int i, leat_dtype dtype) {
    const leat_tensor *x = leat__op_in(call, i);
    if (!x || !is_byte(x->dtype) || x->dtype != dtype) return leat__op_fail(call, LEAT_ETYPE, "input %d is not 8 bits wide, or of another type", i);
    return check_scale(call, i + 1, dtype);
}

typedef struct {
    const uint8_t *data;
    leat_dtype     dtype;
    float          scale;
    int32_t        zero;
} operand;

static operand triple(const leat_op_call *call, int data, int scale) {
    const leat_tensor *x = leat__op_in(call, data), *zero = leat__op_in(call, scale + 1);
    operand o = {x ? x->data : NULL, call->out[0]->dtype, *(const float *)call->in[scale]->data, 0};
    if (zero) o.zero = (int32_t)leat__tensor_get_int(zero, 0);
    return o;
}

static void load(const operand *o, int64_t at, float *to, int64_t n) {
    if (o->dtype == LEAT_DTYPE_U8) leat__quant.dequantize_u8(o->data + at, to, n, o->scale, o->zero);
    else leat__quant.dequantize_i8((const int8_t *)o->data + at, to, n, o->scale, o->zero);
}

static void store(const operand *o, const float *from, uint8_t *to, int64_t n) {
    if (o->dtype == LEAT_DTYPE_U8) leat__quant.quantize_u8(from, to, n, o->scale, o->zero);
    else leat__quant.quantize_i8(from, (int8_t *)to, n, o->scale, o->zero);
}

/* ---- Add, Mul, Where: broadcast over rows of the last axis ---------------------------------------------------------------------------- */

typedef struct {
    const leat_op_call *call;
    operand             x[2], y;
    const uint8_t      *condition;
    int                 n_in, rank, multiply;
    int64_t             dims[LEAT_MAX_RANK], step[3][LEAT_MAX_RANK];
} rows_job;

/* Elements `at`, `at` + step, .. (step 0 or 1) as float32. */
static void load_run(const operand *o, int64_t at, int64_t step, float *to, int64_t n) {
    load(o, at, to, step ? n : 1);
    for (int64_t i = 1; i < n && !step; i++) to[i] = to[0];
}

static void combine(const rows_job *job, float *a, const float *b, int64_t at, int64_t n) {
    int64_t step = job->step[2][job->rank - 1];
    if (!job->condition) {
        leat__vmath()->vv[job->multiply ? LEAT_VBIN_MUL : LEAT_VBIN_ADD](a, b, a, n);
        return;
    }
    for (int64_t i = 0; i < n; i++) a[i] = job->condition[at + i * step] ? a[i] : b[i];
}

static void rows_task(void *arg, int64_t row, int worker) {
    const rows_job *job = arg;
    int last = job->rank - 1;
    int64_t rest = row, at[3] = {0, 0, 0}, width = job->dims[last];
    for (int i = last - 1; i >= 0; i--) {
        for (int k = 0; k < 3; k++) at[k] += rest % job->dims[i] * job->step[k][i];
        rest /= job->dims[i];
    }
    float a[RUN], b[RUN];
    for (int64_t i = 0; i < width; i += RUN) {
        int64_t n = leat__min64(RUN, width - i);
        load_run(&job->x[0], at[0] + i * job->step[0][last], job->step[0][last], a, n);
        load_run(&job->x[1], at[1] + i * job->step[1][last], job->step[1][last], b, n);
        combine(job, a, b, at[2] + i * job->step[2][last], n);
        store(&job->y, a, (uint8_t *)job->call->out[0]->data + row * width + i, n);
    }
}

/* Indices of the broadcast inputs; the third is Where's condition. */
static void binary_inputs(const leat_op_call *call, int at[3], int *n, int *result_scale) {
    int where = strcmp(call->op->name, "QLinearWhere") == 0;
    at[0] = where ? 1 : 0;
    at[1] = where ? 4 : 3;
    at[2] = 0;
    *n = where ? 3 : 2;
    *result_scale = where ? 7 : 6;
}

static int infer_binary(leat_op_call *call) {
    int at[3], n, result, rank = 0;
    int64_t dims[LEAT_MAX_RANK];
    binary_inputs(call, at, &n, &result);
    const leat_tensor *a = leat__op_in(call, at[0]);
    if (!a) return leat__op_fail(call, LEAT_EINVAL, "input %d is missing", at[0]);
    int status = check_triple(call, at[0], a->dtype);
    if (!status) status = check_triple(call, at[1], a->dtype);
    if (!status) status = check_scale(call, result, a->dtype);
    if (!status && n == 3) status = leat__op_expect(call, 0, LEAT_DTYPE_BOOL);
    for (int i = 0; i < n && !status; i++) {
        const leat_tensor *t = call->in[at[i]];
        status = leat__broadcast_dims(dims, rank, t->dims, t->rank, dims, &rank);
        if (status) leat__op_fail(call, status, "shapes do not broadcast");
    }
    if (!status) leat__tensor_set(call->out[0], a->dtype, rank, dims);
    return status;
}

static int run_binary(leat_op_call *call) {
    const leat_tensor *y = call->out[0];
    int at[3], result;
    rows_job job = {.call = call, .rank = y->rank, .multiply = strcmp(call->op->name, "QLinearMul") == 0};
    binary_inputs(call, at, &job.n_in, &result);
    memcpy(job.dims, y->dims, sizeof job.dims);
    if (job.rank == 0) job.dims[job.rank++] = 1;
    for (int i = 0; i < job.n_in; i++) {
        const leat_tensor *t = call->in[at[i]];
        leat__broadcast_strides(t->dims, t->rank, job.dims, job.rank, job.step[i]);
        if (i < 2) job.x[i] = triple(call, at[i], at[i] + 1);
    }
    if (job.n_in == 3) job.condition = call->in[0]->data;
    job.y = triple(call, at[0], result);
    int64_t width = job.dims[job.rank - 1], rows = leat_tensor_count(y);
    if (rows > 0) leat__op_for(call, rows / width, width, rows_task, &job);
    return LEAT_OK;
}

/* ---- Sigmoid, LeakyRelu: a table ------------------------------------------------------------------------------------------------------- */

typedef struct {
    const uint8_t *in;
    uint8_t       *out;
    int64_t        n;
    uint8_t        answer[256];
} table_job;

enum { TABLE_CHUNK = 16384 };

static void table_task(void *arg, int64_t index, int worker) {
    const table_job *job = arg;
    int64_t from = index * TABLE_CHUNK, to = leat__min64(job->n, from + TABLE_CHUNK);
    for (int64_t i = from; i < to; i++) job->out[i] = job->answer[job->in[i]];
}

static int infer_unary(leat_op_call *call) {
    const leat_tensor *x = leat__op_in(call, 0);
    if (!x) return leat__op_fail(call, LEAT_EINVAL, "input 0 is missing");
    int status = check_triple(call, 0, x->dtype);
    if (!status) status = check_scale(call, 3, x->dtype);
    return status ? status : leat__infer_same(call);
}

static int run_unary(leat_op_call *call) {
    table_job job = {.in = call->in[0]->data, .out = call->out[0]->data, .n = leat_tensor_count(call->in[0])};
    operand x = triple(call, 0, 1), y = triple(call, 0, 3);
    uint8_t all[256];
    float values[256];
    for (int i = 0; i < 256; i++) all[i] = (uint8_t)i;
    x.data = all;
    load(&x, 0, values, 256);
    leat_act_params params;
    int kind = strcmp(call->op->name, "QLinearSigmoid") == 0 ? LEAT_ACT_SIGMOID : LEAT_ACT_LEAKY_RELU;
    leat__act_defaults(kind, &params);
    if (kind == LEAT_ACT_LEAKY_RELU) params.alpha = leat__attr_float(call->attrs, "alpha", 0.01f);
    leat__act_f32(kind, values, 256, &params);
    store(&y, values, job.answer, 256);
    leat__op_for(call, leat__ceil_div(job.n, TABLE_CHUNK), leat__min64(TABLE_CHUNK, job.n), table_task, &job);
    return LEAT_OK;
}

/* ---- Softmax ---------------------------------------------------------------------------------------------------------------------------- */

/* Before opset 13 all axes from `axis` on are one. */
static int softmax_shape(leat_op_call *call, int64_t *outer, int64_t *n, int64_t *inner) {
    const leat_tensor *x = call->in[0];
    int since13 = leat__attr_int(call->attrs, "opset", 13) >= 13, axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", since13 ? -1 : 1), x->rank);
    if (axis < 0) return leat__op_fail(call, LEAT_EINVAL, "axis is out of range for rank %d", x->rank);
    *outer = leat__dims_count(x->dims, axis);
    *n = since13 ? x->dims[axis] : leat__dims_count(x->dims + axis, x->rank - axis);
    *inner = since13 ? leat__dims_count(x->dims + axis + 1, x->rank - axis - 1) : 1;
    return LEAT_OK;
}

static int infer_softmax(leat_op_call *call) {
    int64_t outer, n, inner;
    int status = infer_unary(call);
    return status ? status : softmax_shape(call, &outer, &n, &inner);
}

static int prepare_softmax(leat_op_call *call) {
    int64_t outer, n, inner;
    int status = softmax_shape(call, &outer, &n, &inner);
    if (!status) call->scratch_bytes = (size_t)n * (sizeof(float) + 1);
    return status;
}

static int run_softmax(leat_op_call *call) {
    int64_t outer, n, inner;
    int status = softmax_shape(call, &outer, &n, &inner);
    if (status) return status;
    operand x = triple(call, 0, 1), y = triple(call, 0, 3);
    const uint8_t *in = x.data;
    uint8_t *out = call->out[0]->data, *bytes = (uint8_t *)call->scratch + (size_t)n * sizeof(float);
    float *row = call->scratch;
    for (int64_t i = 0; i < outer * inner && n > 0; i++) {
        int64_t at = i / inner * n * inner + i % inner;
        for (int64_t k = 0; k < n; k++) bytes[k] = in[at + k * inner];
        x.data = bytes;
        load(&x, 0, row, n);
        leat__softmax_row(row, row, n);
        store(&y, row, bytes, n);
        for (int64_t k = 0; k < n; k++) out[at + k * inner] = bytes[k];
    }
    return LEAT_OK;
}

/* ---- Concat ----------------------------------------------------------------------------------------------------------------------------- */

static int infer_concat(leat_op_call *call) {
    const leat_tensor *first = leat__op_in(call, 2);
    if (call->n_in % 3 != 2 || !first || !is_byte(first->dtype)) return leat__op_fail(call, LEAT_EINVAL, "inputs are not triples of 8-bit data");
    int status = check_scale(call, 0, first->dtype), axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", 1), first->rank);
    if (axis < 0) return leat__op_fail(call, LEAT_EINVAL, "axis is out of range for rank %d", first->rank);
    int64_t dims[LEAT_MAX_RANK] = {0};
    memcpy(dims, first->dims, sizeof dims);
    dims[axis] = 0;
    for (int i = 2; i < call->n_in && !status; i += 3) {
        status = check_triple(call, i, first->dtype);
        if (status) return status;
        const leat_tensor *x = call->in[i];
        for (int k = 0; k < first->rank; k++)
            if (x->rank != first->rank || (k != axis && x->dims[k] != dims[k])) return leat__op_fail(call, LEAT_ESHAPE, "input %d does not fit the others", i);
        if (__builtin_add_overflow(dims[axis], x->dims[axis], &dims[axis])) return leat__op_fail(call, LEAT_ELIMIT, "axis is too long");
    }
    if (!status) leat__tensor_set(call->out[0], first->dtype, first->rank, dims);
    return status;
}

static int run_concat(leat_op_call *call) {
    const leat_tensor *y = call->out[0];
    int axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", 1), y->rank);
    int64_t outer = leat__dims_count(y->dims, axis), inner = leat__dims_count(y->dims + axis + 1, y->rank - axis - 1), to = 0;
    operand result = triple(call, 0, 0);
    float run[RUN];
    for (int i = 2; i < call->n_in; i += 3) {
        operand x = triple(call, i, i + 1);
        int64_t n = call->in[i]->dims[axis] * inner;
        for (int64_t o = 0; o < outer; o++)
            for (int64_t k = 0; k < n; k += RUN) {
                int64_t count = leat__min64(RUN, n - k);
                load(&x, o * n + k, run, count);
                store(&result, run, (uint8_t *)y->data + o * y->dims[axis] * inner + to + k, count);
            }
        to += n;
    }
    return LEAT_OK;
}

const leat_op leat__ops_qlinear[] = {
    {"com.microsoft", "QLinearAdd", 1, 0, 7, 8, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_binary, NULL, run_binary},
    {"com.microsoft", "QLinearMul", 1, 0, 7, 8, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_binary, NULL, run_binary},
    {"com.microsoft", "QLinearWhere", 1, 0, 8, 9, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_binary, NULL, run_binary},
    {"com.microsoft", "QLinearSigmoid", 1, 0, 4, 5, 1, 1, 0, LEAT_OP_ANY, 0, infer_unary, NULL, run_unary},
    {"com.microsoft", "QLinearLeakyRelu", 1, 0, 4, 5, 1, 1, 0, LEAT_OP_ANY, 0, infer_unary, NULL, run_unary},
    {"com.microsoft", "QLinearSoftmax", 1, 0, 4, 5, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_softmax, prepare_softmax, run_softmax},
    {"com.microsoft", "QLinearConcat", 1, 0, 5, -1, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_concat, NULL, run_concat},
    {0},
};
