/* inverted_residual.h - the plan of a fused inverted residual: shared by inverted_residual.c (preparation) and _run.c.
 *
 * The expanded channels are cut into blocks of `eb` (16 or 32; the last padded with zero weights): everything between X and Y is stored
 * as [block][pixel][eb], so that the depthwise kernel walks contiguous memory with a constant distance of pixels, whatever E is.  For
 * the projection a block is a tap of the matrix multiply.  Without W1 there is one block of all of X's channels, read where they lie;
 * but where pixels are a multiple of 1 KiB apart and would evict each other from L1, blocks of X are copied instead of expanded.
 *
 * UP is a smaller tensor whose linear enlargement would stand beside X on the channel axis (U-Net decoders).  Since the expansion is
 * linear before its activation, UP is expanded at its own size and the result enlarged: a quarter of the work at a factor of 2. */
#ifndef LEAT_OPS_INVERTED_RESIDUAL_H
#define LEAT_OPS_INVERTED_RESIDUAL_H

#include "cpu/conv_f32.h"
#include "cpu/dwconv_f32.h"
#include "ops/op.h"

enum { IR_X, IR_W1, IR_B1, IR_WD, IR_BD, IR_W2, IR_B2, IR_R, IR_S1, IR_SD, IR_S2, IR_X2, IR_UP, IR_INPUTS };

/* Linear interpolation along one axis: output i lies between from[i] and the next, weight[i] of the way. */
typedef struct ir_axis {
    int32_t *from;
    float   *weight;
} ir_axis;

typedef struct ir_plan {
    leat_conv_shape dw;              /* the depthwise: cin = cout = group = E */
    int64_t         c, e, co;        /* channels of x (with X2), middle, y */
    int             parts;           /* 2: the second half of the channels is X2 */
    int64_t         up_c, up_h, up_w; /* of the tensor that is enlarged to x's size and stands beside it; up_c 0: none */
    ir_axis         up_rows, up_columns; /* [H], [W] */
    int64_t         eb, blocks;      /* channels of a block, number of blocks */
    leat_epilogue   expand, project; /* act, params, after */
    int             act_dw;
    leat_act_params params_dw;
    const float    *w1, *w1_up;      /* packed: [blocks] products C x eb, and those of the enlarged channels.  w1 NULL: no expansion */
    const float    *wd, *w2;         /* packed: [blocks][taps][eb]; blocks taps of eb x CO */
    size_t          w1_block, w1_up_block; /* floats of one block of w1, w1_up */
    int             ringed;          /* 1: the depthwise reads a ring, expanded or copied; 0: X itself */
    int             staged;          /* 1: whole images, a task is a block of channels, then the projection; 0: tiles */
    int64_t         strips, strip;   /* columns of the output are cut into strips of at most `strip` */
    int64_t         block, segments; /* output rows per tile; independent runs of rows per strip */
    int64_t         ring_rows, columns; /* expanded rows kept, expanded columns of a strip at most */
    int64_t         low_rows, low_columns; /* the same before enlarging */
    size_t          at_low, at_lerp; /* in a worker's scratch: [blocks][low_rows][low_columns][eb], [low_columns][eb] */
    size_t          at_ring, at_middle, at_gemm, worker_bytes; /* in a worker's scratch, but at_middle of stages in the shared one */
    size_t          at_biases, at_workers, at_x, at_x2, at_y, at_residual, at_up;
    int             threads;
    char            kernel[48];
} ir_plan;

/* Buffers of a run, NHWC. */
typedef struct ir_run {
    leat_op_call  *call;
    const ir_plan *p;
    const float   *x, *x2, *up, *residual;
    float         *y;
    const float   *b1, *bd; /* [blocks * eb], zero-padded, or NULL */
} ir_run;

/* The product with one block of W1 (M rows of eb) and with W2 (M rows of CO, `pixels` per block of the middle); without A and C. */
leat_gemm leat__ir_expand_gemm(const ir_plan *p, int64_t m);
leat_gemm leat__ir_enlarged_gemm(const ir_plan *p, int64_t m); /* the block's columns for UP */
leat_gemm leat__ir_project_gemm(const ir_plan *p, int64_t m, int64_t pixels);
void leat__ir_run(ir_run *r);

#endif
