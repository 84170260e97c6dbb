/* matmul_plan.c - shapes, packing and execution of batched matrix products.
 *
 * Three ways.  B is one matrix and A lies in batch order: one tall product.  Many batches: one task a batch, each packs its own B.
 * Few batches: one after the other, each split over the threads.
 */
#include "ops/matmul_plan.h"

#include <stdio.h>
#include <string.h>

static size_t align64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* ---- shapes -------------------------------------------------------------------------------------------------------------- */

typedef struct operand {
    int64_t rows, columns;
    int     batch_rank;
    const int64_t *batch;
} operand;

static int read_operand(leat_op_call *call, const leat_tensor *t, int transposed, int is_b, operand *o) {
    if (!t) return leat__op_fail(call, LEAT_EFORMAT, "input %d is missing", is_b);
    if (t->rank < 1) return leat__op_fail(call, LEAT_ESHAPE, "input %d is a scalar", is_b);
    o->batch = t->dims;
    o->batch_rank = t->rank > 2 ? t->rank - 2 : 0;
    int64_t last = t->dims[t->rank - 1], before = t->rank > 1 ? t->dims[t->rank - 2] : 1;
    if (t->rank == 1) {
        o->rows = is_b ? last : 1;
        o->columns = is_b ? 1 : last;
        return LEAT_OK;
    }
    o->rows = transposed ? last : before;
    o->columns = transposed ? before : last;
    return LEAT_OK;
}

static int64_t batch_strides(const operand *o, const matmul_shape *s, int64_t *strides) {
    int64_t count = 1;
    for (int d = s->batch_rank - 1; d >= 0; d--) {
        int own = d - (s->batch_rank - o->batch_rank);
        int64_t size = own >= 0 ? o->batch[own] : 1;
        strides[d] = size == 1 ? 0 : count;
        count *= size;
    }
    return count;
}

static int output_shape(leat_op_call *call, const leat_tensor *a, const leat_tensor *b, const matmul_shape *s, leat_tensor *out) {
    int64_t dims[LEAT_MAX_RANK + 2];
    int rank = s->batch_rank;
    memcpy(dims, s->batch_dims, sizeof s->batch_dims);
    if (a->rank > 1) dims[rank++] = s->m;
    if (b->rank > 1) dims[rank++] = s->n;
    if (rank > LEAT_MAX_RANK || leat__dims_count(dims, rank) < 0) return leat__op_fail(call, LEAT_ELIMIT, "the output is too large");
    leat__tensor_set(out, a->dtype, rank, dims);
    return LEAT_OK;
}

int leat__matmul_shape(leat_op_call *call, const leat_tensor *a, const leat_tensor *b, int trans_a, int trans_b, matmul_shape *s, leat_tensor *out) {
    operand oa, ob;
    int status = read_operand(call, a, trans_a, 0, &oa);
    if (!status) status = read_operand(call, b, trans_b, 1, &ob);
    if (status) return status;
    memset(s, 0, sizeof *s);
    if (a->dtype != b->dtype)
        return leat__op_fail(call, LEAT_ETYPE, "inputs are %s and %s", leat_dtype_name(a->dtype), leat_dtype_name(b->dtype));
    char ta[160], tb[160];
    if (oa.columns != ob.rows || leat__broadcast_dims(oa.batch, oa.batch_rank, ob.batch, ob.batch_rank, s->batch_dims, &s->batch_rank) != LEAT_OK)
        return leat__op_fail(call, LEAT_ESHAPE, "%s and %s do not multiply", leat__tensor_text(a, ta, sizeof ta), leat__tensor_text(b, tb, sizeof tb));
    s->m = oa.rows, s->n = ob.columns, s->k = oa.columns;
    s->trans_a = trans_a && a->rank > 1, s->trans_b = trans_b && b->rank > 1;
    s->batch = leat__dims_count(s->batch_dims, s->batch_rank);
    if (s->batch < 0) return leat__op_fail(call, LEAT_ELIMIT, "too many batches");
    s->a_count = batch_strides(&oa, s, s->a_strides);
    s->b_count = batch_strides(&ob, s, s->b_strides);
    return out ? output_shape(call, a, b, s, out) : LEAT_OK;
}

void leat__matmul_operands(const matmul_shape *s, int64_t index, int64_t *a, int64_t *b) {
    *a = *b = 0;
    for (int d = s->batch_rank - 1; d >= 0; d--) {
        int64_t i = index % s->batch_dims[d];
        index /= s->batch_dims[d];
        *a += i * s->a_strides[d];
        *b += i * s->b_strides[d];
    }
}

/* ---- prepare ------------------------------------------------------------------------------------------------------------- */

static void pack_matrix(const matmul_plan *p, const float *b, int64_t c0, int64_t c1, float *packed) {
    const matmul_shape *s = &p->shape;
    int64_t sk = s->trans_b ? 1 : s->n, sn = s->trans_b ? s->k : 1;
    leat__f32_gemm_pack_part(b, 1, s->k, s->n, 0, sk, sn, p->alpha, c0, c1, packed);
}

typedef struct pack_job {
    const matmul_plan *plan;
    const float       *b;
} pack_job;

static void fill_pack(void *block, void *arg) {
    const pack_job *job = arg;
    const matmul_shape *s = &job->plan->shape;
    for (int64_t i = 0; i < s->b_count; i++)
        pack_matrix(job->plan, job->b + i * s->k * s->n, 0, s->n, (float *)((char *)block + (size_t)i * job->plan->matrix_bytes));
}

static leat_gemm product(const matmul_plan *p) {
    const matmul_shape *s = &p->shape;
    leat_gemm g = {.m = p->folded ? s->batch * s->m : s->m, .n = s->n, .k = s->k, .taps = 1, .lda = s->k, .ldc = s->n, .epilogue = p->epilogue};
    g.epilogue.ldr = s->n;
    g.a = (const float *)p; /* until the run only whether there is one counts */
    return g;
}

static size_t take(size_t *total, size_t bytes) {
    size_t at = *total;
    *total += align64(bytes) + 64;
    return at;
}

static int prepare_b(leat_op_call *call, matmul_plan *p) {
    const matmul_shape *s = &p->shape;
    if (!leat__op_is_const(call, 1) || s->b_count == 0) return LEAT_OK;
    uint32_t alpha_bits;
    memcpy(&alpha_bits, &p->alpha, sizeof alpha_bits);
    pack_job job = {p, call->in[1]->data};
    uint64_t variant = leat__f32_gemm_format() | (uint64_t)s->trans_b << 8 | (uint64_t)(s->n & 0x3fffff) << 9 | (uint64_t)alpha_bits << 32;
    p->packed = leat__op_pack(call, job.b, variant, (size_t)s->b_count * p->matrix_bytes, fill_pack, &job);
    return p->packed ? LEAT_OK : LEAT_ENOMEM;
}

/* Batches are tasks of their own when there are enough of them; then every worker needs its own packed B and transposed A. */
static int by_batches(const matmul_plan *p) { return !p->folded && p->shape.batch >= p->threads; }

int leat__matmul_prepare(leat_op_call *call, matmul_plan *p, size_t extra_bytes) {
    const matmul_shape *s = &p->shape;
    p->threads = call->threads < 1 ? 1 : call->threads;
    p->folded = s->b_count == 1 && s->a_count == s->batch && !s->trans_a;
    p->matrix_bytes = align64(leat__f32_gemm_packed_bytes(s->k, s->n)) + 64;
    call->macs = s->batch * s->m * s->n * s->k;
    int status = prepare_b(call, p);
    if (status) return status;
    leat_gemm g = product(p);
    size_t total = 64, copies = by_batches(p) ? (size_t)p->threads : 1;
    p->worker_bytes = align64(leat__f32_gemm_scratch(&g));
    p->at_workers = take(&total, p->worker_bytes * (size_t)p->threads);
    p->at_b = p->packed ? 0 : take(&total, p->matrix_bytes * copies);
    p->at_a = s->trans_a ? take(&total, (align64((size_t)(s->m * s->k) * sizeof(float)) + 64) * copies) : 0;
    p->at_c = extra_bytes ? take(&total, extra_bytes) : 0;
    call->scratch_bytes = total;
    snprintf(p->kernel, sizeof p->kernel, "leat_f32_gemm%s_%s", p->folded ? "" : "_batched", leat__gemm_f32.isa);
    call->kernel = p->kernel;
    return LEAT_OK;
}

/* ---- run ----------------------------------------------------------------------------------------------------------------- */

typedef struct matmul_job {
    leat_op_call        *call;
    const matmul_plan   *p;
    const leat_epilogue *e;
    int64_t              batch, parts; /* of packing */
} matmul_job;

static char *own_copy(const matmul_job *j, size_t at, size_t bytes, int worker) {
    return (char *)j->call->scratch + at + (by_batches(j->p) ? (size_t)worker * bytes : 0);
}

static const float *operand_a(const matmul_job *j, int64_t index, int worker) {
    const matmul_shape *s = &j->p->shape;
    const float *a = (const float *)j->call->in[0]->data + index * s->m * s->k;
    if (!s->trans_a) return a;
    float *copy = (float *)own_copy(j, j->p->at_a, align64((size_t)(s->m * s->k) * sizeof(float)) + 64, worker);
    leat__f32_gemm_transpose(a, s->k, s->m, copy);
    return copy;
}

static leat_gemm batch_product(const matmul_job *j, int64_t batch, int worker) {
    const matmul_plan *p = j->p;
    const matmul_shape *s = &p->shape;
    int64_t ia, ib, at = batch * s->m * s->n;
    leat_gemm g = product(p);
    leat__matmul_operands(s, batch, &ia, &ib);
    g.a = operand_a(j, ia, worker);
    g.b = p->packed ? (const float *)((const char *)p->packed + (size_t)ib * p->matrix_bytes)
                    : (const float *)own_copy(j, p->at_b, p->matrix_bytes, worker);
    g.c = (float *)j->call->out[0]->data + at;
    g.epilogue.bias = j->e->bias;
    g.epilogue.residual = j->e->residual ? j->e->residual + at : NULL;
    return g;
}

static const float *source_b(const matmul_job *j, int64_t batch) {
    int64_t ia, ib;
    leat__matmul_operands(&j->p->shape, batch, &ia, &ib);
    return (const float *)j->call->in[1]->data + ib * j->p->shape.k * j->p->shape.n;
}

static void run_batch(void *arg, int64_t index, int worker) {
    const matmul_job *j = arg;
    leat_gemm g = batch_product(j, index, worker);
    if (!j->p->packed) pack_matrix(j->p, source_b(j, index), 0, g.n, (float *)g.b);
    leat__f32_gemm_part(&g, 0, g.m, 0, g.n, (char *)j->call->scratch + j->p->at_workers + (size_t)worker * j->p->worker_bytes);
}

static void pack_columns(void *arg, int64_t index, int worker) {
    const matmul_job *j = arg;
    int64_t n = j->p->shape.n;
    float *packed = (float *)own_copy(j, j->p->at_b, 0, 0);
    pack_matrix(j->p, source_b(j, j->batch), leat__f32_gemm_column(n, index, j->parts), leat__f32_gemm_column(n, index + 1, j->parts), packed);
}

static void run_split(matmul_job *j) {
    const matmul_plan *p = j->p;
    if (!p->packed) {
        j->parts = p->threads > 1 && p->shape.n * p->shape.k > 65536 ? 4 * (int64_t)p->threads : 1;
        leat__tpool_for_n(j->call->pool, p->threads, j->parts, pack_columns, j);
    }
    leat_gemm g = batch_product(j, j->batch, 0);
    leat__f32_gemm_parallel(&g, j->call->pool, p->threads, p->worker_bytes, (char *)j->call->scratch + p->at_workers);
}

void leat__matmul_run(leat_op_call *call, const matmul_plan *p, const leat_epilogue *e) {
    const matmul_shape *s = &p->shape;
    matmul_job j = {.call = call, .p = p, .e = e};
    if (s->batch == 0 || s->m == 0 || s->n == 0) return;
    if (by_batches(p)) {
        leat__tpool_for_n(call->pool, p->threads, s->batch, run_batch, &j);
        return;
    }
    for (j.batch = 0; j.batch < (p->folded ? 1 : s->batch); j.batch++) run_split(&j);
}

/* ---- other types --------------------------------------------------------------------------------------------------------- */

#define PLAIN(name, type)                                                                                                 \
    static void plain_##name(const matmul_shape *s, const type *a, const type *b, type *y) {                              \
        int64_t am = s->trans_a ? 1 : s->k, ak = s->trans_a ? s->m : 1, bk = s->trans_b ? 1 : s->n, bn = s->trans_b ? s->k : 1; \
        for (int64_t m = 0; m < s->m; m++)                                                                                \
            for (int64_t n = 0; n < s->n; n++, y++) {                                                                     \
                type sum = 0;                                                                                             \
                for (int64_t k = 0; k < s->k; k++) sum += a[m * am + k * ak] * b[k * bk + n * bn];                        \
                *y = sum;                                                                                                 \
            }                                                                                                             \
    }
PLAIN(f64, double)
PLAIN(b4, uint32_t) /* signed and unsigned wrap alike */
PLAIN(b8, uint64_t)

int leat__matmul_knows(leat_dtype dtype) {
    return dtype == LEAT_DTYPE_F64 || dtype == LEAT_DTYPE_I32 || dtype == LEAT_DTYPE_I64 || dtype == LEAT_DTYPE_U32 || dtype == LEAT_DTYPE_U64;
}

void leat__matmul_plain(leat_dtype dtype, const matmul_shape *s, const void *a, const void *b, void *y) {
    size_t size = leat_dtype_size(dtype);
    for (int64_t i = 0; i < s->batch; i++) {
        int64_t ia, ib;
        leat__matmul_operands(s, i, &ia, &ib);
        const void *am = (const char *)a + (size_t)(ia * s->m * s->k) * size, *bm = (const char *)b + (size_t)(ib * s->k * s->n) * size;
        void *ym = (char *)y + (size_t)(i * s->m * s->n) * size;
        if (dtype == LEAT_DTYPE_F64) plain_f64(s, am, bm, ym);
        else if (size == 4) plain_b4(s, am, bm, ym);
        else plain_b8(s, am, bm, ym);
    }
}
