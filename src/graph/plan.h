/* plan.h - a prepared graph for one set of input shapes: steps, kernels chosen, and where every value lives.
 *
 * Places: CONST (weights, folded), INPUT (the caller's buffer or a view of it), OUTPUT (the caller's buffer if one is bound, else arena),
 * ARENA (offset planned from lifetimes, in place and views merged), DYNAMIC (a buffer of its own that grows and is kept).
 * A plan belongs to one context and holds no activations itself: leat__plan_bind() lays it over an arena of arena_bytes.
 */
#ifndef LEAT_GRAPH_PLAN_H
#define LEAT_GRAPH_PLAN_H

#include <stdatomic.h>

#include "graph/trace.h"

typedef enum leat_place_kind { LEAT_PLACE_NONE, LEAT_PLACE_CONST, LEAT_PLACE_INPUT, LEAT_PLACE_OUTPUT, LEAT_PLACE_ARENA, LEAT_PLACE_DYNAMIC } leat_place_kind;

typedef struct leat_place {
    leat_place_kind kind;
    int32_t         index;  /* of the graph input or output */
    size_t          offset; /* in the arena: ARENA and OUTPUT */
} leat_place;

typedef struct leat_plan {
    leat_trace   trace;
    leat_tensor *key;          /* [n_inputs] dims and dtypes that it was built for */
    leat_place  *places;       /* [n_ids] */
    int32_t     *external;     /* ids placed in INPUT or OUTPUT */
    int          n_external;
    size_t       arena_bytes, lower_bound_bytes, largest_bytes;
    size_t      *capacity;     /* [n_ids] of DYNAMIC buffers; the data pointer is in the tensor */
    uint64_t     dynamic_bytes;
    void        *dynamic_scratch;
    size_t       dynamic_scratch_bytes;
    int          is_dynamic;   /* some step is: runs may allocate while shapes are new */
    int64_t      macs;
    uint8_t     *base;         /* arena that the tensors point into now */
    uint64_t     last_used;
} leat_plan;

/* Builds a plan.  keep: a value to keep alive to the end, or NULL.  On failure the plan is empty. */
int leat__plan_build(leat_plan *plan, leat_graph *graph, const leat_tensor *inputs, leat_packs *packs, leat_tpool *pool, int threads,
                     uint64_t max_bytes, const leat_value *keep, leat_error *error);
void leat__plan_fini(leat_plan *plan);
int leat__plan_matches(const leat_plan *plan, const leat_tensor *inputs);

/* Points the tensors at the arena and at the caller's buffers: inputs[i], and outputs[i] where not NULL.  Allocates nothing. */
void leat__plan_bind(leat_plan *plan, uint8_t *arena, void *const *inputs, void *const *outputs);

typedef struct leat_exec {
    leat_plan        *plan;
    const atomic_int *cancel;
    int               profile;
    leat_error       *error;
} leat_exec;

/* Runs all steps of the bound plan. */
int leat__exec_run(leat_exec *exec);
/* For control flow: runs the steps of a block; gives a DYNAMIC value room for its dims; copies src into value `id`. */
int leat__exec_block(leat_exec *exec, leat_block *block);
int leat__exec_reserve(leat_exec *exec, int32_t id, int keep_content);
int leat__exec_assign(leat_exec *exec, int32_t id, const leat_tensor *src);
/* If, Loop, Scan (exec_control.c). */
int leat__exec_control(leat_exec *exec, leat_step *step);

#endif
