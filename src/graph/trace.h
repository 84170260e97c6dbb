/* trace.h - one walk over the graph for given input shapes: every node's call, its output dims, and the values that are known already.
 *
 * A trace turns nodes into steps:
 *   FOLDED   outputs were computed during the trace (they depend on shapes and constants only): nothing left to run
 *   STATIC   output dims are known: prepared once, memory planned
 *   DYNAMIC  dims depend on run-time data, or the node holds subgraphs: inferred again at run time
 * Subgraphs become blocks, all of whose steps are DYNAMIC.  Tensors are indexed by leat_value.id over the whole model, so an inner
 * step reads a captured outer value like any other.
 */
#ifndef LEAT_GRAPH_TRACE_H
#define LEAT_GRAPH_TRACE_H

#include "graph/graph.h"
#include "graph/packs.h"

enum { LEAT_STEP_PACKED_BITS = 64 };

typedef enum leat_step_kind { LEAT_STEP_FOLDED, LEAT_STEP_STATIC, LEAT_STEP_DYNAMIC } leat_step_kind;
typedef enum leat_known { LEAT_KNOWN_NOTHING, LEAT_KNOWN_DIMS, LEAT_KNOWN_DATA } leat_known;

typedef struct leat_block leat_block;
typedef struct leat_trace leat_trace;

/* Values on their way round a Loop or Scan: buffers that grow and are kept. */
typedef struct leat_staging {
    leat_tensor *tensors;
    size_t      *capacity;
    int          n;
} leat_staging;

/* What a dynamic step remembers between runs, so that equal shapes cost no second infer and prepare. */
typedef struct leat_step_dynamic {
    leat_arena arena;       /* state made by prepare */
    int64_t   *in_dims;     /* [n_in][1 + LEAT_MAX_RANK]: rank, dims of the last prepare */
    int        prepared;
    leat_staging staging;
} leat_step_dynamic;

typedef struct leat_step {
    const leat_node   *node;
    leat_op_call       call;
    leat_step_kind     kind;
    leat_step_dynamic *dynamic;   /* DYNAMIC only */
    leat_block       **blocks;    /* one per GRAPH attribute, in attribute order */
    int                n_blocks;
    size_t             scratch_offset;
    uint64_t           runs;
    int64_t            last_start_ns, last_ns, total_ns, min_ns;
    leat_arena        *state_arena; /* where prepare's state goes */
    uint64_t           packed;      /* during prepare: constant inputs that were packed */
    leat_trace        *trace;
} leat_step;

struct leat_block {
    leat_graph *graph;
    leat_step  *steps;
    int         n_steps;
};

struct leat_trace {
    leat_arena   arena;     /* everything below, folded data, prepared state */
    leat_graph  *graph;
    leat_packs  *packs;     /* NULL: packs go to the arena */
    leat_tpool  *pool;
    int          threads;
    uint64_t     max_bytes; /* of one tensor */
    leat_tensor *tensors;   /* [n_ids] */
    uint8_t     *known;     /* [n_ids] leat_known */
    int          n_ids;
    leat_block   root;
};

/* Values of the whole model: largest id + 1, after leat__graph_index(). */
int leat__graph_id_count(const leat_graph *root);

/* Traces `graph` (indexed) with inputs [graph->n_inputs] (data may be NULL).  Fails with the first error of an infer.  With `lenient` a
 * failing node is DYNAMIC instead.  On failure the trace is empty; else leat__trace_fini() it. */
int leat__trace(leat_trace *trace, leat_graph *graph, const leat_tensor *inputs, leat_packs *packs, leat_tpool *pool, int threads,
                uint64_t max_bytes, int lenient, leat_error *error);
void leat__trace_fini(leat_trace *trace);

/* Runs op->infer for a step whose inputs' dims are set: output flags come from the graph's layout; checks the sizes. */
int leat__step_infer(leat_step *step, leat_error *error);
/* Prepares a step into `arena`. */
int leat__step_prepare(leat_step *step, leat_arena *arena, leat_error *error);

/* Fills dtype, rank and dims of all values of the root graph that do not depend on symbolic dimensions (two traces with different
 * stand-ins for the symbols; what agrees is known).  Never fails for a model's oddities. */
int leat__graph_infer(leat_graph *graph, leat_error *error);

#endif
