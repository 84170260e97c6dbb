/* qmatmul.c - MatMulInteger, QLinearMatMul and, of com.microsoft, MatMulIntegerToFloat, DynamicQuantizeMatMul, QGemm.
 *
 * All are C = A B of 8-bit integers less their zero points, summed exactly (cpu/qrows.h), and differ in what becomes of the sums: left
 * as int32, requantised to 8 bits, or scaled to float32.  One table says where each operator keeps its inputs.
 * Scratch: A widened [batch of A][m][k, even] | column scales [n] | start values [n] | B packed, unless constant | per worker: sums
 */
#include <string.h>

#include "cpu/qrows.h"
#include "cpu/quant.h"
#include "ops/nn_util.h"
#include "ops/quant_util.h"

#define SIZE_LIMIT (INT64_C(1) << 31)
#define ROWS 16     /* of one task */
#define COLUMNS 256 /* of one task: a multiple of LEAT_QROWS_PANEL */

typedef enum { TO_INT32, TO_BYTES, TO_FLOAT } q_result;

typedef struct {
    const char *name;
    int         a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero, bias; /* -1 = has none */
} places;

static const places table[] = {
    {"MatMulInteger", -1, 2, 1, -1, 3, -1, -1, -1},       {"QLinearMatMul", 1, 2, 3, 4, 5, 6, 7, -1},
    {"MatMulIntegerToFloat", 2, 4, 1, 3, 5, -1, -1, 6},   {"DynamicQuantizeMatMul", -1, -1, 1, 2, 3, -1, -1, 4},
    {"QGemm", 1, 2, 3, 4, 5, 7, 8, 6},
};

typedef struct {
    const places  *at;
    q_result       result;
    int            dynamic;                 /* A is float32, quantised here */
    int            trans_a, trans_b;
    int64_t        m, k, n, columns;        /* columns: n rounded */
    int64_t        a_mats, b_mats, batches; /* matrices in A, in B, in the result */
    int            batch_rank;
    int64_t        batch_dims[LEAT_MAX_RANK], a_step[LEAT_MAX_RANK], b_step[LEAT_MAX_RANK]; /* steps in matrices */
    size_t         mat_elements;            /* of one packed B */
    const int16_t *packed;
} qmat_state;

static const places *places_of(const leat_op_call *call) {
    for (size_t i = 0; i + 1 < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, call->op->name) == 0) return &table[i];
    return &table[sizeof table / sizeof *table - 1];
}

static const leat_tensor *input(const leat_op_call *call, int i) { return i < 0 ? NULL : leat__op_in(call, i); }
static int is_byte(const leat_tensor *t) { return t && (t->dtype == LEAT_DTYPE_U8 || t->dtype == LEAT_DTYPE_I8); }

/* ---- shapes ------------------------------------------------------------------------------------------------------------------------ */

/* [.., rows, columns] of a matrix operand; vectors count as one row (A) or one column (B). */
static int split(leat_op_call *call, const leat_tensor *t, int is_a, int trans, int64_t *rows, int64_t *columns, int *batch_rank) {
    if (t->rank < 1) return leat__op_fail(call, LEAT_ESHAPE, "a scalar cannot be multiplied");
    *batch_rank = t->rank < 2 ? 0 : t->rank - 2;
    int64_t last = t->dims[t->rank - 1], before = t->rank < 2 ? 1 : t->dims[t->rank - 2];
    if (t->rank == 1 && !is_a) before = last, last = 1;
    *rows = trans ? last : before;
    *columns = trans ? before : last;
    return LEAT_OK;
}

static int check_params(leat_op_call *call, int i, leat_dtype dtype, int64_t many, int required) {
    const leat_tensor *t = input(call, i);
    if (!t) return required && i >= 0 ? leat__op_fail(call, LEAT_EINVAL, "input %d is missing", i) : LEAT_OK;
    if (t->dtype != dtype) return leat__op_fail(call, LEAT_ETYPE, "input %d is %s, expected %s", i, leat_dtype_name(t->dtype), leat_dtype_name(dtype));
    int64_t n = leat_tensor_count(t);
    return n == 1 || n == many ? LEAT_OK : leat__op_fail(call, LEAT_ESHAPE, "input %d has %lld values", i, (long long)n);
}

static int check_all(leat_op_call *call, qmat_state *s, const leat_tensor *a, const leat_tensor *b) {
    const places *at = s->at;
    const leat_tensor *y_zero = input(call, at->y_zero);
    int linear = s->result == TO_BYTES;
    int status = check_params(call, at->a_scale, LEAT_DTYPE_F32, 1, 1);
    if (!status) status = check_params(call, at->a_zero, a->dtype, s->m, 0);
    if (!status) status = check_params(call, at->b_scale, LEAT_DTYPE_F32, s->n, 1);
    if (!status) status = check_params(call, at->b_zero, b->dtype, s->n, 0);
    if (!status && linear) status = check_params(call, at->y_scale, LEAT_DTYPE_F32, 1, 1);
    if (!status && linear && (!is_byte(y_zero) || leat_tensor_count(y_zero) != 1)) status = leat__op_fail(call, LEAT_ETYPE, "y_zero_point is not one byte");
    if (!status) status = check_params(call, at->bias, strcmp(at->name, "QGemm") == 0 ? LEAT_DTYPE_I32 : LEAT_DTYPE_F32, s->n, 0);
    return status;
}

static int plan_batches(leat_op_call *call, qmat_state *s, const leat_tensor *a, int ra, const leat_tensor *b, int rb) {
    int status = leat__broadcast_dims(a->dims, ra, b->dims, rb, s->batch_dims, &s->batch_rank);
    if (status) return leat__op_fail(call, status, "batch dimensions of A and B do not match");
    leat__broadcast_strides(a->dims, ra, s->batch_dims, s->batch_rank, s->a_step);
    leat__broadcast_strides(b->dims, rb, s->batch_dims, s->batch_rank, s->b_step);
    s->a_mats = leat__dims_count(a->dims, ra);
    s->b_mats = leat__dims_count(b->dims, rb);
    s->batches = leat__dims_count(s->batch_dims, s->batch_rank);
    return s->batches < 0 ? leat__op_fail(call, LEAT_ELIMIT, "too many matrices") : LEAT_OK;
}

static int read_call(leat_op_call *call, qmat_state *s) {
    const places *at = s->at = places_of(call);
    const leat_tensor *a = leat__op_in(call, 0), *b = input(call, at->b);
    int64_t k = 0;
    int ra = 0, rb = 0;
    s->packed = NULL;
    s->dynamic = strcmp(at->name, "DynamicQuantizeMatMul") == 0;
    s->trans_a = leat__attr_int(call->attrs, "transA", 0) != 0;
    s->trans_b = leat__attr_int(call->attrs, "transB", 0) != 0;
    s->result = input(call, at->y_scale) ? TO_BYTES : at->b_scale >= 0 ? TO_FLOAT : TO_INT32;
    if (!is_byte(b) || !a || (s->dynamic ? a->dtype != LEAT_DTYPE_F32 : !is_byte(a))) return leat__op_fail(call, LEAT_ETYPE, "operands are not 8-bit integers");
    int status = split(call, a, 1, s->trans_a, &s->m, &s->k, &ra);
    if (!status) status = split(call, b, 0, s->trans_b, &k, &s->n, &rb);
    if (status) return status;
    if (s->k != k) return leat__op_fail(call, LEAT_ESHAPE, "inner dimensions %lld and %lld differ", (long long)s->k, (long long)k);
    if (s->m > SIZE_LIMIT || s->n > SIZE_LIMIT || s->k > SIZE_LIMIT) return leat__op_fail(call, LEAT_ELIMIT, "a dimension is too large");
    s->columns = leat__qrows_round(s->n);
    s->mat_elements = (size_t)((s->k + 1) / 2 * 2) * (size_t)s->columns;
    status = plan_batches(call, s, a, ra, b, rb);
    return status ? status : check_all(call, s, a, b);
}

static int infer_qmat(leat_op_call *call) {
    qmat_state s;
    int status = read_call(call, &s);
    if (status) return status;
    const leat_tensor *a = call->in[0], *b = call->in[s.at->b];
    int rank = s.batch_rank;
    int64_t dims[LEAT_MAX_RANK + 2];
    memcpy(dims, s.batch_dims, sizeof s.batch_dims);
    if (a->rank > 1) dims[rank++] = s.m;
    if (b->rank > 1) dims[rank++] = s.n;
    if (rank > LEAT_MAX_RANK) return leat__op_fail(call, LEAT_ESHAPE, "result has rank %d", rank);
    leat_dtype dtype = s.result == TO_INT32 ? LEAT_DTYPE_I32 : s.result == TO_FLOAT ? LEAT_DTYPE_F32 : call->in[s.at->y_zero]->dtype;
    leat__tensor_set(call->out[0], dtype, rank, dims);
    return LEAT_OK;
}

/* ---- packing ------------------------------------------------------------------------------------------------------------------------ */

typedef struct {
    const leat_op_call *call;
    const qmat_state   *s;
} pack_job;

static void pack_b(void *block, void *arg) {
    const qmat_state *s = ((pack_job *)arg)->s;
    const leat_op_call *call = ((pack_job *)arg)->call;
    const leat_tensor *b = call->in[s->at->b], *zero = input(call, s->at->b_zero);
    leat_qrows_source from = {.data = b->data, .is_signed = b->dtype == LEAT_DTYPE_I8, .inner = leat__max64(1, s->k)};
    from.inner_stride = s->trans_b ? 1 : s->n;
    from.n_stride = s->trans_b ? s->k : 1;
    from.zero = zero ? zero->data : NULL;
    from.zero_step = zero && leat_tensor_count(zero) > 1;
    for (int64_t i = 0; i < s->b_mats; i++) {
        leat__qrows_pack((int16_t *)block + (size_t)i * s->mat_elements, &from, 1, s->k, s->n);
        from.data = (const uint8_t *)from.data + s->k * s->n;
    }
}

static size_t rounded(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static int64_t a_row(const qmat_state *s) { return (s->k + 1) / 2 * 2; }
static size_t a_bytes(const qmat_state *s) { return rounded((size_t)(s->a_mats * s->m * a_row(s)) * sizeof(int16_t)); }
static size_t worker_bytes(void) { return (size_t)(ROWS * COLUMNS) * sizeof(int32_t); }

static int workers(const leat_op_call *call) {
    int n = leat_tpool_threads(call->pool);
    return call->threads > n ? call->threads : n;
}

static int prepare_qmat(leat_op_call *call) {
    qmat_state *s = leat__op_state(call, sizeof *s);
    if (!s) return LEAT_ENOMEM;
    int status = read_call(call, s);
    if (status) return status;
    pack_job job = {call, s};
    const leat_tensor *zero = input(call, s->at->b_zero);
    size_t b_bytes = (size_t)s->b_mats * s->mat_elements * sizeof(int16_t);
    if (leat__op_is_const(call, s->at->b) && (!zero || leat__op_is_const(call, s->at->b_zero))) {
        uint64_t variant = 0x514d415400000000u + (uint64_t)s->trans_b + (zero ? (uint64_t)(uintptr_t)zero->data : 0);
        s->packed = leat__op_pack(call, call->in[s->at->b]->data, variant, b_bytes, pack_b, &job);
        if (!s->packed) return LEAT_ENOMEM;
        b_bytes = 0;
    }
    call->scratch_bytes = a_bytes(s) + rounded((size_t)s->columns * sizeof(float)) + rounded((size_t)s->columns * sizeof(int32_t)) +
                          (size_t)workers(call) * worker_bytes() + b_bytes;
    leat__op_name_kernel(call, "qmatmul_i16", leat__qrows.isa);
    double macs = (double)s->batches * (double)s->m * (double)s->n * (double)s->k;
    call->macs = macs < 9e18 ? (int64_t)macs : INT64_MAX;
    return LEAT_OK;
}

/* ---- run ---------------------------------------------------------------------------------------------------------------------------- */

typedef struct {
    const leat_op_call *call;
    const qmat_state   *s;
    const int16_t      *b;
    int16_t            *a;
    float              *scale;
    int32_t            *init;
    char               *workers;
    leat_dynamic_quant  dynamic;
    int32_t             y_zero;
    int64_t             row_blocks, column_blocks;
} qmat_job;

/* One row of A, of one matrix. */
static void widen_task(void *arg, int64_t index, int worker) {
    const qmat_job *job = arg;
    const qmat_state *s = job->s;
    const leat_tensor *a = job->call->in[0], *zeros = input(job->call, s->at->a_zero);
    int64_t row = index % s->m, mat = index / s->m, k = s->k;
    int16_t *to = job->a + index * a_row(s);
    if (s->dynamic) {
        const float *from = (const float *)a->data + index * k;
        uint8_t bytes[256];
        for (int64_t i = 0; i < k; i += 256) {
            int64_t n = leat__min64(256, k - i);
            leat__quant.quantize_u8(from + i, bytes, n, job->dynamic.scale, job->dynamic.zero);
            leat__qrows.widen_u8(to + i, bytes, n, job->dynamic.zero);
        }
    } else {
        int32_t zero = zeros ? (int32_t)leat__tensor_get_int(zeros, leat_tensor_count(zeros) > 1 ? row : 0) : 0;
        const uint8_t *from = (const uint8_t *)a->data + mat * s->m * k;
        if (s->trans_a)
            for (int64_t i = 0; i < k; i++)
                to[i] = (int16_t)((a->dtype == LEAT_DTYPE_U8 ? from[i * s->m + row] : ((const int8_t *)from)[i * s->m + row]) - zero);
        else if (a->dtype == LEAT_DTYPE_U8) leat__qrows.widen_u8(to, from + row * k, k, zero);
        else leat__qrows.widen_i8(to, (const int8_t *)from + row * k, k, zero);
    }
    if (k & 1) to[k] = 0;
}

static void store(const qmat_job *job, const int32_t *sums, int64_t at, int64_t first, int64_t n) {
    const qmat_state *s = job->s;
    const leat_tensor *y = job->call->out[0], *bias = input(job->call, s->at->bias);
    if (s->result == TO_INT32) memcpy((int32_t *)y->data + at, sums, (size_t)n * sizeof *sums);
    else if (s->result == TO_BYTES && y->dtype == LEAT_DTYPE_U8) leat__quant.requantize_u8(sums, (uint8_t *)y->data + at, n, job->scale + first, job->y_zero);
    else if (s->result == TO_BYTES) leat__quant.requantize_i8(sums, (int8_t *)y->data + at, n, job->scale + first, job->y_zero);
    else {
        float *to = (float *)y->data + at;
        const float *add = bias && bias->dtype == LEAT_DTYPE_F32 ? bias->data : NULL;
        int64_t step = add && leat_tensor_count(bias) > 1;
        for (int64_t j = 0; j < n; j++) to[j] = (float)sums[j] * job->scale[first + j] + (add ? add[(first + j) * step] : 0);
    }
}

static void product_task(void *arg, int64_t index, int worker) {
    const qmat_job *job = arg;
    const qmat_state *s = job->s;
    int64_t column = index % job->column_blocks * COLUMNS, row = index / job->column_blocks % job->row_blocks * ROWS;
    int64_t batch = index / (job->column_blocks * job->row_blocks), rest = batch, a_mat = 0, b_mat = 0, zero = 0;
    for (int i = s->batch_rank - 1; i >= 0; i--) {
        a_mat += rest % s->batch_dims[i] * s->a_step[i];
        b_mat += rest % s->batch_dims[i] * s->b_step[i];
        rest /= s->batch_dims[i];
    }
    int64_t rows = leat__min64(ROWS, s->m - row), n = leat__min64(COLUMNS, s->n - column), pairs = (s->k + 1) / 2;
    const int16_t *a = job->a + (a_mat * s->m + row) * a_row(s), *b = job->b + (size_t)b_mat * s->mat_elements + (size_t)(column * pairs * 2);
    int32_t *sums = (int32_t *)(job->workers + (size_t)worker * worker_bytes());
    leat__qrows.rows_i16(sums, COLUMNS, a, a_row(s), rows, &zero, 1, pairs, b, n, job->init + column);
    for (int64_t r = 0; r < rows; r++) store(job, sums + r * COLUMNS, (batch * s->m + row + r) * s->n + column, column, n);
}

static void fill_columns(qmat_job *job) {
    const qmat_state *s = job->s;
    const leat_op_call *call = job->call;
    const leat_tensor *as = input(call, s->at->a_scale), *bs = input(call, s->at->b_scale), *ys = input(call, s->at->y_scale);
    const leat_tensor *bias = input(call, s->at->bias);
    float scale = s->dynamic ? job->dynamic.scale : as ? *(const float *)as->data : 1, alpha = leat__attr_float(call->attrs, "alpha", 1);
    int64_t step = bs && leat_tensor_count(bs) > 1, bias_step = bias && leat_tensor_count(bias) > 1;
    for (int64_t j = 0; j < s->columns; j++) {
        float v = bs && j < s->n ? alpha * scale * ((const float *)bs->data)[j * step] : 0;
        job->scale[j] = ys ? v / *(const float *)ys->data : v;
        job->init[j] = bias && bias->dtype == LEAT_DTYPE_I32 && j < s->n ? ((const int32_t *)bias->data)[j * bias_step] : 0;
    }
}

static int run_qmat(leat_op_call *call) {
    const qmat_state *s = call->state;
    qmat_job job = {.call = call, .s = s, .b = s->packed, .a = call->scratch};
    const leat_tensor *y_zero = input(call, s->at->y_zero);
    if (leat_tensor_count(call->out[0]) == 0) return LEAT_OK;
    job.scale = (float *)((char *)job.a + a_bytes(s));
    job.init = (int32_t *)((char *)job.scale + rounded((size_t)s->columns * sizeof(float)));
    job.workers = (char *)job.init + rounded((size_t)s->columns * sizeof(int32_t));
    job.y_zero = y_zero && is_byte(y_zero) ? (int32_t)leat__tensor_get_int(y_zero, 0) : 0;
    if (s->dynamic) job.dynamic = leat__dynamic_quant_u8(call->in[0]->data, leat_tensor_count(call->in[0]));
    if (!job.b) {
        int16_t *packed = (int16_t *)(job.workers + (size_t)workers(call) * worker_bytes());
        pack_b(packed, &(pack_job){call, s});
        job.b = packed;
    }
    fill_columns(&job);
    job.row_blocks = leat__ceil_div(s->m, ROWS);
    job.column_blocks = leat__ceil_div(s->n, COLUMNS);
    leat__op_for(call, s->a_mats * s->m, s->k, widen_task, &job);
    leat__op_for(call, s->batches * job.row_blocks * job.column_blocks, leat__min64(ROWS, s->m) * s->k * leat__min64(s->n, COLUMNS) / 16, product_task, &job);
    return LEAT_OK;
}

const leat_op leat__ops_qmatmul[] = {
    {"", "MatMulInteger", 10, 0, 2, 4, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_qmat, prepare_qmat, run_qmat},
    {"", "QLinearMatMul", 10, 0, 8, 8, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_qmat, prepare_qmat, run_qmat},
    {"com.microsoft", "MatMulIntegerToFloat", 1, 0, 4, 7, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_qmat, prepare_qmat, run_qmat},
    {"com.microsoft", "DynamicQuantizeMatMul", 1, 0, 3, 5, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_qmat, prepare_qmat, run_qmat},
    {"com.microsoft", "QGemm", 1, 0, 6, 9, 1, 1, 0, LEAT_OP_PLAIN, 0, infer_qmat, prepare_qmat, run_qmat},
    {0},
};
