/* inverted_residual.h - the plan of a fused inverted residual: shared by inverted_residual.c (preparation) and _run.c. */
#ifndef LEAT_OPS_INVERTED_RESIDUAL_H
#define LEAT_OPS_INVERTED_RESIDUAL_H

#include "cpu/conv_f32.h"
#include "cpu/dwconv_f32.h"
#include "ops/op.h"

enum { IR_X, IR_W1, IR_B1, IR_WD, IR_BD, IR_W2, IR_B2, IR_R, IR_INPUTS };

typedef struct ir_plan {
    leat_conv_shape dw;              /* the depthwise: cin = cout = group = E */
    int64_t         c, e, co;        /* channels of x, middle, y */
    leat_epilogue   expand, project; /* act, params, after */
    int             act_dw;
    leat_act_params params_dw;
    const float    *w1, *wd, *w2;    /* packed; w1 NULL: no expansion */
    int             staged;          /* 1: three passes over a whole image instead of tiles */
    int64_t         strips, strip;   /* columns of the output are cut into strips of at most `strip` */
    int64_t         block, segments; /* output rows per tile; independent runs of rows per strip */
    int64_t         ring_rows, columns; /* expanded rows kept, expanded columns of a strip at most */
    size_t          at_ring, at_middle, at_gemm, worker_bytes; /* in a worker's scratch; staged: ring = whole image, shared */
    size_t          at_workers, at_x, at_y, at_residual;
    int             threads;
    char            kernel[48];
} ir_plan;

/* Buffers of a run, NHWC. */
typedef struct ir_run {
    leat_op_call  *call;
    const ir_plan *p;
    const float   *x, *residual;
    float         *y;
} ir_run;

/* The product with W1 (M rows of E) and with W2 (M rows of CO); pointers are set where the call is known. */
leat_gemm leat__ir_expand_gemm(const ir_plan *p, const leat_op_call *call, int64_t m);
leat_gemm leat__ir_project_gemm(const ir_plan *p, const leat_op_call *call, int64_t m);
void leat__ir_run(const ir_run *r);

#endif
