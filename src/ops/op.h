/* op.h - what an operator is: one table row with infer, prepare and run.
 *
 *   infer    in dims and dtypes (and values, where the row's value_inputs says) -> out dims and dtypes.   Called at load, plan and, for
 *            shapes that depend on data, at run time.  Must validate everything that a hostile file may have wrong: ranks, axes,
 *            dims, types, attribute ranges.  A returned LEAT_OK promises that prepare and run cannot read or write out of bounds.
 *   prepare  everything that needs memory: packed weights (leat__op_pack), per-node state (leat__op_state), scratch size (call->scratch_bytes),
 *            the kernel's name.  Inputs and outputs have dims; data may be NULL unless constant.
 *   run      computes.  Allocates nothing, cannot fail except for values found in the data (index out of range, say).
 *
 * NULL input: an absent optional input.  An optional output that nobody reads is NULL in out[] (infer included): check before use.
 * An output whose dims depend on data: infer returns LEAT_EDYNAMIC while the data it needs is NULL.
 * Dims are never unknown here: a node is inferred only when all its inputs' dims are known.  Zero-sized dims are legal everywhere.
 */
#ifndef LEAT_OPS_OP_H
#define LEAT_OPS_OP_H

#include "base/arena.h"
#include "base/error.h"
#include "base/tpool.h"
#include "ops/attr.h"
#include "tensor/tensor_util.h"

typedef struct leat_op leat_op;
typedef struct leat_op_call leat_op_call;

/* What the executor does for an operator; ops never see the graph room. */
typedef struct leat_op_services {
    /* Shared, ref-counted packed weights of the model: returns the block for (key, variant), filled by fill(block, arg) the first
     * time; NULL when out of memory.  key is the data pointer of a constant input, which run must not read any more. */
    const void *(*pack)(leat_op_call *call, const void *key, uint64_t variant, size_t bytes, void (*fill)(void *block, void *arg), void *arg);
    /* Zeroed memory that lives as long as the plan. */
    void *(*state)(leat_op_call *call, size_t bytes);
    /* Runs the subgraph in attribute `attr`; used by If, Loop, Scan only, which live in the graph room. */
} leat_op_services;

struct leat_op_call {
    const leat_op           *op;
    const leat_attrs        *attrs;
    const char              *name;     /* of the node, for messages */
    int                      opset;    /* of the op's domain in the model */
    int                      n_in, n_out;
    leat_tensor            **in;       /* [n_in] */
    leat_tensor            **out;      /* [n_out] */
    const uint8_t           *in_const; /* [n_in] 1 = data is immutable and lives as long as the model: may be packed */
    void                    *state;    /* what prepare made; read-only in run, shared by nobody */
    void                    *scratch;  /* run: [scratch_bytes], LEAT_ALIGN-aligned, uninitialised */
    size_t                   scratch_bytes;
    leat_tpool              *pool;     /* may be NULL */
    int                      threads;  /* use at most this many; scratch is sized by it */
    const char              *kernel;   /* prepare may set: static string or in state; for tables */
    int64_t                  macs;     /* prepare may set */
    const leat_op_services  *services;
    void                    *owner;    /* the executor's, for services */
    leat_error              *error;
};

typedef enum leat_op_flags {
    LEAT_OP_INPLACE = 1,      /* out[0] may be the same memory as in[0] if dtype, dims and layout are equal and in[0] dies here */
    LEAT_OP_INPLACE1 = 2,     /* the same for in[1] (checked with the same rule; both may be set) */
    LEAT_OP_VIEW = 4,         /* out[0] has the bytes of in[0]: the planner may alias them; run must copy if the pointers differ */
    LEAT_OP_NONDET = 8,       /* never folded, never merged (random numbers) */
    LEAT_OP_SHAPE_ONLY = 16,  /* out depends on in dims only, data may be NULL (Shape, Size) */
    LEAT_OP_CONTROL = 32,     /* has subgraphs; executed by the graph room */
    LEAT_OP_F16 = 64,         /* handles float16/bfloat16 data itself; others get float32 (casts inserted) */
    LEAT_OP_LAYOUT = 128      /* converts the layout of in[0]: a VIEW where leat__layouts_equal(in[0]), i.e. both layouts are the same bytes */
} leat_op_flags;

/* Which storage the operator can work on, see tensor_util.h.  The layout pass reads it. */
typedef enum leat_op_layout {
    LEAT_OP_PLAIN = 0, /* logical order only */
    LEAT_OP_ANY,       /* element-wise: all inputs and outputs in one common layout (after broadcasting by physical dims) */
    LEAT_OP_AXIS,      /* works on any one layout common to all of them, by mapping its axes with leat__physical_axis */
    LEAT_OP_NHWC       /* input 0, output 0 (and a fused residual input) in NHWC are fast; other inputs (weights) stay plain */
} leat_op_layout;

struct leat_op {
    const char    *domain;       /* "" = ai.onnx, "com.microsoft", "leat" = made by our passes */
    const char    *name;
    int            since, until; /* opset versions of the domain, both included; until 0 = open end */
    int            min_in, max_in, min_out, max_out; /* max -1 = any number */
    uint32_t       flags;        /* leat_op_flags */
    leat_op_layout layout;
    uint32_t       value_inputs; /* bit i: infer needs the data of input i */
    int (*infer)(leat_op_call *call);
    int (*prepare)(leat_op_call *call); /* NULL: nothing to prepare */
    int (*run)(leat_op_call *call);
};

/* Finds the row for domain ("ai.onnx" equals ""), name and opset; NULL when unsupported. */
const leat_op *leat__op_find(const char *domain, const char *name, int opset);
/* All rows, for docs and tests: NULL past the end. */
const leat_op *leat__op_at(int index);

/* A family file ends with:  const leat_op leat__ops_<family>[] = { ..., {0} };  and op_table.c lists the family. */

/* ---- for operators -------------------------------------------------------------------------------------------------- */

/* Fails with "Op 'name': ..." (status, printf). */
int leat__op_fail(leat_op_call *call, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
static inline leat_tensor *leat__op_in(const leat_op_call *call, int i) { return i < call->n_in ? call->in[i] : NULL; }
static inline leat_tensor *leat__op_out(const leat_op_call *call, int i) { return i < call->n_out ? call->out[i] : NULL; }
static inline int leat__op_is_const(const leat_op_call *call, int i) { return i < call->n_in && call->in[i] && call->in_const[i]; }
/* Zeroed plan-lifetime state, also stored in call->state; NULL (and the error set) when out of memory. */
void *leat__op_state(leat_op_call *call, size_t bytes);
const void *leat__op_pack(leat_op_call *call, const void *key, uint64_t variant, size_t bytes, void (*fill)(void *block, void *arg), void *arg);

/* Common infers. */
int leat__infer_same(leat_op_call *call);        /* out[0] like in[0], flags (layout) too */

#endif
