/* matmul_plan.h - the matrix product behind MatMul, Gemm and their fused forms; shared by matmul*.c and gemm_op.c.
 *
 *   Y[.., m, n] = act( alpha * sum_k A[.., m, k] B[.., k, n] + bias[n] + R[.., m, n] )        batch axes broadcast
 */
#ifndef LEAT_OPS_MATMUL_PLAN_H
#define LEAT_OPS_MATMUL_PLAN_H

#include "cpu/gemm_f32.h"
#include "ops/op.h"

typedef struct matmul_shape {
    int64_t m, n, k, batch;
    int     batch_rank;
    int64_t batch_dims[LEAT_MAX_RANK];
    int64_t a_strides[LEAT_MAX_RANK], b_strides[LEAT_MAX_RANK]; /* in matrices; 0 where broadcast */
    int64_t a_count, b_count;                                    /* distinct matrices */
    int     trans_a, trans_b;                                    /* as stored: A [k, m], B [n, k] */
} matmul_shape;

typedef struct matmul_plan {
    matmul_shape  shape;
    leat_epilogue epilogue; /* act, params, after */
    float         alpha;
    const float  *packed;   /* [b_count] packed matrices, or NULL: B is packed in every run */
    size_t        matrix_bytes, worker_bytes;
    size_t        at_a, at_b, at_c, at_workers; /* in scratch */
    int           threads, folded; /* folded: batch and m are one, B is one matrix */
    char          kernel[48];
} matmul_plan;

/* Works out shapes by the rules of numpy.matmul (1-D operands get an axis) after the transposes.  out: rank and dims of Y, or NULL. */
int leat__matmul_shape(leat_op_call *call, const leat_tensor *a, const leat_tensor *b, int trans_a, int trans_b, matmul_shape *shape,
                       leat_tensor *out);
/* Packs a constant B, sizes scratch, names the kernel.  extra_bytes of scratch at plan->at_c for the caller. */
int leat__matmul_prepare(leat_op_call *call, matmul_plan *plan, size_t extra_bytes);
/* Computes float32.  The pointers of `epilogue` are those of the whole Y. */
void leat__matmul_run(leat_op_call *call, const matmul_plan *plan, const leat_epilogue *epilogue);
/* Computes the other types by plain loops: float64, int32, int64, uint32, uint64 (wrapping).  0 if it does not know the type. */
int leat__matmul_knows(leat_dtype dtype);
void leat__matmul_plain(leat_dtype dtype, const matmul_shape *shape, const void *a, const void *b, void *y);
/* Matrix of A and of B (index among the distinct ones) that batch `index` multiplies. */
void leat__matmul_operands(const matmul_shape *shape, int64_t index, int64_t *a, int64_t *b);

#endif
