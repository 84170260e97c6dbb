/* conv_plan.h - what Conv's prepare decides and its run uses; shared by the files conv*.c.
 *
 * The computation is always channels-last in float32: a plain input or output is copied to or from scratch around it.  A way of computing
 * ("algo") is two functions: one that packs weights and asks for scratch, one that computes y from x. */
#ifndef LEAT_OPS_CONV_PLAN_H
#define LEAT_OPS_CONV_PLAN_H

#include "cpu/conv_f32.h"
#include "cpu/dwconv_f32.h"
#include "ops/op.h"

typedef struct conv_plan conv_plan;

/* Buffers of one run, all NHWC. */
typedef struct conv_run {
    leat_op_call    *call;
    const conv_plan *plan;
    const float     *x, *residual;
    int              x_plain; /* x is still [N, C, ..]: only for a way that takes_plain */
    float           *y;
    const float     *weights; /* packed */
    char            *workers; /* [threads][worker_bytes] */
    void            *shared;  /* [shared_bytes] */
} conv_run;

typedef struct conv_algo {
    const char *name;
    int         takes_plain;
    /* Bytes of packed weights, and the packing, of the plan's shape. */
    size_t (*packed_bytes)(const conv_plan *plan);
    void (*pack)(const conv_plan *plan, const float *w, void *packed);
    /* Sets plan->worker_bytes and plan->shared_bytes. */
    void (*scratch)(conv_plan *plan, int threads);
    void (*run)(const conv_run *run);
} conv_algo;

extern const conv_algo leat__conv_gemm, leat__conv_few, leat__conv_depthwise, leat__conv_wino4, leat__conv_wino2,
    leat__conv_phases, leat__conv_thin; /* ConvTranspose */

/* Whether few output channels make thin products the better way. */
int leat__conv_suits_thin(const leat_conv_shape *shape);
/* Side of the Winograd output tile (4 or 2) for this shape, 0 = do not. */
int leat__conv_wino_tile(const leat_conv_shape *shape);

struct conv_plan {
    leat_conv_shape  shape;
    leat_epilogue    epilogue;  /* act, params, after; the pointers are set per run */
    const conv_algo *algo;
    const float     *weights;   /* packed and shared, NULL: packed in every run */
    size_t           worker_bytes, shared_bytes;
    size_t           at_weights, at_shared, at_workers, at_x, at_y, at_residual; /* in scratch */
    int              threads;
    int              variant;   /* the algo's own */
    char             kernel[48];
};

/* Reference path for float64, plain layout. */
void leat__conv_direct_f64(leat_op_call *call, const leat_conv_shape *shape);

#endif
