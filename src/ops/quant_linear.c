/* quant_linear.c - QuantizeLinear, DequantizeLinear (ai.onnx 10.., com.microsoft), DynamicQuantizeLinear.
 *
 * One scale for the tensor, one for each position of an axis, or one for each block along an axis.  All are seen as [outer, n, inner] in
 * the order of memory: a run of `inner` elements has one scale.  The axis is mapped to the storage, so any layout will do.
 */
#include <math.h>

#include "cpu/quant.h"
#include "ops/nn_util.h"
#include "ops/quant_util.h"

#define CHUNK 16384 /* elements of one task */

/* How scales lie over the data, in the order of memory. */
typedef struct {
    int64_t outer, n, inner;
    int64_t block;            /* positions of the axis that share a scale */
    int64_t scales;           /* along the axis: ceil(n / block) */
    int     per_tensor, blocked;
} grid;

static int is_scalar(const leat_tensor *t) { return t->rank == 0 || (t->rank == 1 && t->dims[0] == 1); }

static int check_zero(leat_op_call *call, const leat_tensor *scale, const leat_tensor *zero) {
    if (!zero) return LEAT_OK;
    if (leat_tensor_count(zero) != leat_tensor_count(scale)) return leat__op_fail(call, LEAT_ESHAPE, "zero point and scale differ in size");
    return LEAT_OK;
}

static int check_blocks(leat_op_call *call, const leat_tensor *x, const leat_tensor *scale, int axis, grid *g) {
    g->block = leat__attr_int(call->attrs, "block_size", 0);
    if (g->block < 1) return leat__op_fail(call, LEAT_EINVAL, "block_size %lld for a scale of rank %d", (long long)g->block, scale->rank);
    for (int i = 0; i < x->rank; i++) {
        int64_t expect = i == axis ? x->dims[i] / g->block + (x->dims[i] % g->block != 0) : x->dims[i];
        if (scale->dims[i] != expect)
            return leat__op_fail(call, LEAT_ESHAPE, "scale dimension %d is %lld, %lld expected", i, (long long)scale->dims[i], (long long)expect);
    }
    g->blocked = 1;
    return LEAT_OK;
}

static int make_grid(leat_op_call *call, grid *g) {
    const leat_tensor *x = leat__op_in(call, 0), *scale = leat__op_in(call, 1);
    if (!x || !scale) return leat__op_fail(call, LEAT_EINVAL, "an input is missing");
    if (scale->dtype != LEAT_DTYPE_F32) return leat__op_fail(call, LEAT_ETYPE, "scale must be float32");
    int status = check_zero(call, scale, leat__op_in(call, 2));
    if (status) return status;
    *g = (grid){.outer = 1, .n = 1, .inner = leat_tensor_count(x), .block = 1, .scales = 1, .per_tensor = 1};
    if (is_scalar(scale)) return LEAT_OK;
    int axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", 1), x->rank);
    if (axis < 0) return leat__op_fail(call, LEAT_EINVAL, "axis is out of range for rank %d", x->rank);
    if (scale->rank != 1) {
        if (scale->rank != x->rank) return leat__op_fail(call, LEAT_ESHAPE, "scale has rank %d", scale->rank);
        status = check_blocks(call, x, scale, axis, g);
        if (status) return status;
    } else if (scale->dims[0] != x->dims[axis])
        return leat__op_fail(call, LEAT_ESHAPE, "%lld scales for axis %d of %lld", (long long)scale->dims[0], axis, (long long)x->dims[axis]);
    int64_t dims[LEAT_MAX_RANK];
    int at = leat__physical_axis(x, axis);
    leat__tensor_physical(x, dims);
    g->outer = leat__dims_count(dims, at);
    g->n = dims[at];
    g->inner = leat__dims_count(dims + at + 1, x->rank - at - 1);
    g->scales = g->n / g->block + (g->n % g->block != 0);
    g->per_tensor = 0;
    return LEAT_OK;
}

/* Index of the scale of position i of run (outer, n) with blocks, where every inner position has its own.  Scales are always plain. */
static int64_t block_index(const leat_op_call *call, const grid *g, int64_t outer, int64_t n, int64_t inner) {
    const leat_tensor *x = call->in[0], *scale = call->in[1];
    if (!leat__is_nhwc(x)) return (outer * g->scales + n / g->block) * g->inner + inner;
    int64_t dims[LEAT_MAX_RANK], at[LEAT_MAX_RANK], rest = (outer * g->n + n) * g->inner + inner, index = 0;
    int axis = leat__norm_axis(leat__attr_int(call->attrs, "axis", 1), x->rank);
    leat__tensor_physical(x, dims);
    for (int i = x->rank - 1; i >= 0; i--) {
        at[i] = rest % dims[i];
        rest /= dims[i];
    }
    for (int i = 0; i < x->rank; i++) {
        int64_t own = at[leat__physical_axis(x, i)];
        index = index * scale->dims[i] + (i == axis ? own / g->block : own);
    }
    return index;
}

/* ---- runs of one scale ---------------------------------------------------------------------------------------------------- */

typedef struct {
    const leat_op_call *call;
    grid                g;
    int64_t             chunks; /* of one run */
} quant_job;

static void quantize_run(leat_dtype dtype, const leat_tensor *x, void *y, int64_t at, int64_t n, float scale, int32_t zero) {
    const float *from = (const float *)x->data + at;
    if (x->dtype == LEAT_DTYPE_F32 && dtype == LEAT_DTYPE_U8) leat__quant.quantize_u8(from, (uint8_t *)y + at, n, scale, zero);
    else if (x->dtype == LEAT_DTYPE_F32 && dtype == LEAT_DTYPE_I8) leat__quant.quantize_i8(from, (int8_t *)y + at, n, scale, zero);
    else {
        float low, high;
        leat__quant_range(dtype, &low, &high);
        for (int64_t i = at; i < at + n; i++) {
            float v = x->dtype == LEAT_DTYPE_F32 ? ((const float *)x->data)[i] : (float)((const int32_t *)x->data)[i];
            v = rintf(v / scale) + (float)zero;
            v = v > low ? v : low;
            v = v < high ? v : high;
            if (dtype == LEAT_DTYPE_U8) ((uint8_t *)y)[i] = (uint8_t)v;
            else if (dtype == LEAT_DTYPE_I8) ((int8_t *)y)[i] = (int8_t)v;
            else if (dtype == LEAT_DTYPE_U16) ((uint16_t *)y)[i] = (uint16_t)v;
            else ((int16_t *)y)[i] = (int16_t)v;
        }
    }
}

static void dequantize_run(const leat_tensor *x, float *y, int64_t at, int64_t n, float scale, int32_t zero) {
    switch (x->dtype) {
        case LEAT_DTYPE_U8: leat__quant.dequantize_u8((const uint8_t *)x->data + at, y + at, n, scale, zero); break;
        case LEAT_DTYPE_I8: leat__quant.dequantize_i8((const int8_t *)x->data + at, y + at, n, scale, zero); break;
        case LEAT_DTYPE_U16:
            for (int64_t i = at; i < at + n; i++) y[i] = (float)(((const uint16_t *)x->data)[i] - zero) * scale;
            break;
        case LEAT_DTYPE_I16:
            for (int64_t i = at; i < at + n; i++) y[i] = (float)(((const int16_t *)x->data)[i] - zero) * scale;
            break;
        default:
            for (int64_t i = at; i < at + n; i++) y[i] = (float)((int64_t)((const int32_t *)x->data)[i] - zero) * scale;
    }
}

static void run_piece(const quant_job *job, int64_t at, int64_t n, int64_t scale_at, int dequantize) {
    const leat_op_call *call = job->call;
    const leat_tensor *zero = leat__op_in(call, 2);
    float scale = ((const float *)call->in[1]->data)[scale_at];
    int32_t z = zero ? (int32_t)leat__tensor_get_int(zero, scale_at) : 0;
    if (dequantize) dequantize_run(call->in[0], call->out[0]->data, at, n, scale, z);
    else quantize_run(call->out[0]->dtype, call->in[0], call->out[0]->data, at, n, scale, z);
}

static void run_index(const quant_job *job, int64_t index, int dequantize) {
    const grid *g = &job->g;
    int64_t run = index / job->chunks, from = index % job->chunks * CHUNK, to = leat__min64(g->inner, from + CHUNK);
    int64_t outer = run / g->n, n = run % g->n, at = run * g->inner;
    if (!g->blocked) {
        run_piece(job, at + from, to - from, g->per_tensor ? 0 : n, dequantize);
        return;
    }
    for (int64_t i = from; i < to; i++) run_piece(job, at + i, 1, block_index(job->call, g, outer, n, i), dequantize);
}

static void quantize_task(void *arg, int64_t index, int worker) { run_index(arg, index, 0); }
static void dequantize_task(void *arg, int64_t index, int worker) { run_index(arg, index, 1); }

static int run_grid(leat_op_call *call, leat_task_fn task) {
    quant_job job = {.call = call};
    int status = make_grid(call, &job.g);
    if (status) return status;
    job.chunks = leat__max64(1, leat__ceil_div(job.g.inner, CHUNK));
    if (job.g.inner > 0) leat__op_for(call, job.g.outer * job.g.n * job.chunks, leat__min64(CHUNK, job.g.inner), task, &job);
    return LEAT_OK;
}

/* ---- rows ------------------------------------------------------------------------------------------------------------------ */

static int is_quantized(leat_dtype d) { return d == LEAT_DTYPE_U8 || d == LEAT_DTYPE_I8 || d == LEAT_DTYPE_U16 || d == LEAT_DTYPE_I16; }

static int infer_quantize(leat_op_call *call) {
    grid g;
    int status = make_grid(call, &g);
    if (status) return status;
    const leat_tensor *x = call->in[0], *zero = leat__op_in(call, 2);
    leat_dtype dtype = (leat_dtype)leat__attr_int(call->attrs, "output_dtype", LEAT_DTYPE_NONE);
    if (zero) dtype = zero->dtype;
    if (dtype == LEAT_DTYPE_NONE) dtype = LEAT_DTYPE_U8;
    if (!is_quantized(dtype)) return leat__op_fail(call, LEAT_ETYPE, "output type %s is not supported", leat_dtype_name(dtype));
    if (x->dtype != LEAT_DTYPE_F32 && x->dtype != LEAT_DTYPE_I32) return leat__op_fail(call, LEAT_ETYPE, "input must be float32 or int32");
    leat__tensor_set(call->out[0], dtype, x->rank, x->dims);
    leat__op_same_layout(call);
    return LEAT_OK;
}

static int infer_dequantize(leat_op_call *call) {
    grid g;
    int status = make_grid(call, &g);
    if (status) return status;
    const leat_tensor *x = call->in[0], *zero = leat__op_in(call, 2);
    if (!is_quantized(x->dtype) && x->dtype != LEAT_DTYPE_I32) return leat__op_fail(call, LEAT_ETYPE, "input type %s", leat_dtype_name(x->dtype));
    if (zero && zero->dtype != x->dtype) return leat__op_fail(call, LEAT_ETYPE, "zero point and input differ in type");
    leat__tensor_set(call->out[0], LEAT_DTYPE_F32, x->rank, x->dims);
    leat__op_same_layout(call);
    return LEAT_OK;
}

static int prepare_quantize(leat_op_call *call) {
    leat__op_name_kernel(call, "quantize", leat__quant.isa);
    return LEAT_OK;
}

static int prepare_dequantize(leat_op_call *call) {
    leat__op_name_kernel(call, "dequantize", leat__quant.isa);
    return LEAT_OK;
}

static int run_quantize(leat_op_call *call) { return run_grid(call, quantize_task); }
static int run_dequantize(leat_op_call *call) { return run_grid(call, dequantize_task); }

/* ---- DynamicQuantizeLinear -------------------------------------------------------------------------------------------------- */

static int infer_dynamic(leat_op_call *call) {
    int status = leat__op_expect(call, 0, LEAT_DTYPE_F32);
    if (status) return status;
    const leat_tensor *x = call->in[0];
    if (leat__op_out(call, 0)) leat__tensor_set(call->out[0], LEAT_DTYPE_U8, x->rank, x->dims);
    if (leat__op_out(call, 1)) leat__tensor_set(call->out[1], LEAT_DTYPE_F32, 0, NULL);
    if (leat__op_out(call, 2)) leat__tensor_set(call->out[2], LEAT_DTYPE_U8, 0, NULL);
    leat__op_same_layout(call);
    return LEAT_OK;
}

static int run_dynamic(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    int64_t n = leat_tensor_count(x);
    leat_dynamic_quant q = leat__dynamic_quant_u8(x->data, n);
    if (leat__op_out(call, 0)) leat__quant.quantize_u8(x->data, call->out[0]->data, n, q.scale, q.zero);
    if (leat__op_out(call, 1)) *(float *)call->out[1]->data = q.scale;
    if (leat__op_out(call, 2)) *(uint8_t *)call->out[2]->data = (uint8_t)q.zero;
    return LEAT_OK;
}

const leat_op leat__ops_quant_linear[] = {
    {"", "QuantizeLinear", 10, 0, 2, 3, 1, 1, 0, LEAT_OP_AXIS, 0, infer_quantize, prepare_quantize, run_quantize},
    {"", "DequantizeLinear", 10, 0, 2, 3, 1, 1, 0, LEAT_OP_AXIS, 0, infer_dequantize, prepare_dequantize, run_dequantize},
    {"com.microsoft", "QuantizeLinear", 1, 0, 2, 3, 1, 1, 0, LEAT_OP_AXIS, 0, infer_quantize, prepare_quantize, run_quantize},
    {"com.microsoft", "DequantizeLinear", 1, 0, 2, 3, 1, 1, 0, LEAT_OP_AXIS, 0, infer_dequantize, prepare_dequantize, run_dequantize},
    {"", "DynamicQuantizeLinear", 11, 0, 1, 1, 1, 3, 0, LEAT_OP_AXIS, 0, infer_dynamic, NULL, run_dynamic},
    {0},
};
