/* model.h - open an ONNX model once, run it in any number of contexts.
 *
 * A leat_model is immutable, shared and ref-counted: weights are used in place from the mapped file or packed once.
 * A leat_context is one thread's mutable state: bound buffers, prepared plans, arena.  Everything is allocated in
 * leat_context_prepare(); leat_context_run() on a prepared plan of static shapes allocates nothing.
 *
 *     leat_model_open -> leat_context_open -> leat_context_set_input(s) -> leat_context_run -> leat_context_output
 */
#ifndef LEAT_MODEL_H
#define LEAT_MODEL_H

#include "leat/common.h"
#include "leat/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct leat_model   leat_model;
typedef struct leat_context leat_context;

#define LEAT_MODEL_ALLOW_LINKS 1u  /* external data may be reached through links that stay under the model's folder */
#define LEAT_MODEL_NO_FUSION 2u    /* keep the graph as the file has it (constant folding still applies) */
#define LEAT_MODEL_ALLOW_UNSUPPORTED 4u /* open although operators are missing: inspection only, contexts are refused */

typedef struct leat_model_options {
    size_t      size;       /* sizeof(leat_model_options), set by _default() */
    int         threads;    /* of the model's own pool, 0 = all usable CPUs, 1 = none; ignored when pool is given */
    uint32_t    flags;      /* LEAT_MODEL_* */
    leat_tpool *pool;       /* shares: the caller's pool, or NULL */
    uint64_t    max_bytes;  /* refuse tensors larger than this, 0 = 16 GiB */
} leat_model_options;

/* Fills *options with the defaults.  RT-safe. */
void leat_model_options_default(leat_model_options *options);

/* Opens the ONNX model file `path`.  options: borrows, NULL = defaults.  *model: the caller takes one reference; NULL on failure.
 * LEAT_EIO, LEAT_EFORMAT, LEAT_EUNSUPPORTED (error lists every unsupported operator), LEAT_ENOMEM, LEAT_ELIMIT, LEAT_EINVAL (NULL; options whose size
 * _default() has not set).  Any thread. */
int leat_model_open(const char *path, const leat_model_options *options, leat_model **model, leat_error *error);
/* The same from memory: borrows `data` [bytes] until the model is gone; external data is refused. */
int leat_model_open_memory(const void *data, size_t bytes, const leat_model_options *options, leat_model **model,
                           leat_error *error);
/* Shares: one more reference.  Any thread. */
leat_model *leat_model_ref(leat_model *model);
/* Drops a reference; contexts hold their own, so closing during a run is safe.  NULL allowed.  Any thread. */
void leat_model_unref(leat_model *model);

/* One input or output as declared: -1 for a dimension that is symbolic or unknown, rank -1 for an unknown rank. */
typedef struct leat_value_info {
    const char *name;                     /* owned by the model */
    leat_dtype  dtype;
    int32_t     rank;
    int64_t     dims[LEAT_MAX_RANK];
    const char *dim_names[LEAT_MAX_RANK]; /* symbolic name or NULL, owned by the model */
} leat_value_info;

int leat_model_input_count(const leat_model *model);
int leat_model_output_count(const leat_model *model);
/* LEAT_EINVAL when the index is out of range.  Any thread, RT-safe. */
int leat_model_input_info(const leat_model *model, int index, leat_value_info *info);
int leat_model_output_info(const leat_model *model, int index, leat_value_info *info);
/* Index of the input (output) of that name, or -1.  Any thread, RT-safe. */
int leat_model_input_index(const leat_model *model, const char *name);
int leat_model_output_index(const leat_model *model, const char *name);

/* What a model is made of.  Strings are owned by the model. */
typedef struct leat_model_info {
    const char *producer, *producer_version, *graph_name, *doc;
    int64_t     ir_version;
    int         opset;          /* of ai.onnx */
    int64_t     parameters;     /* elements of all initializers */
    uint64_t    file_bytes;     /* model file and external data */
    int         nodes_file;     /* as the file has them, functions inlined */
    int         nodes_run;      /* after folding and fusion */
    int         unsupported;    /* operators without an implementation */
    int64_t     open_ns;        /* time that leat_model_open() took */
} leat_model_info;
void leat_model_get_info(const leat_model *model, leat_model_info *info);
/* The i-th unsupported operator as "domain.Op (opset 17) node 'name': reason"; NULL past the end.  RT-safe. */
const char *leat_model_unsupported(const leat_model *model, int index);

/* One kind of operator in the file, functions inlined, before folding and fusion.  Strings are owned by the model. */
typedef struct leat_operator_info {
    const char *domain; /* "ai.onnx", ... */
    const char *op;
    int         opset;     /* imported for the domain */
    int         count;     /* nodes, inner graphs included */
    int         supported; /* of them, nodes that can run */
} leat_operator_info;
/* Fills *info with the i-th kind, the most frequent first.  LEAT_EINVAL past the end.  Any thread, RT-safe. */
int leat_model_operator(const leat_model *model, int index, leat_operator_info *info);
/* Fills *tensor with the initializer or folded constant `name` of the optimised graph; data is the model's, read-only, possibly unaligned
 * for its type.  LEAT_EINVAL when there is no such constant.  Any thread. */
int leat_model_constant(const leat_model *model, const char *name, leat_tensor *tensor);

typedef enum leat_dump_format { LEAT_DUMP_TEXT = 0, LEAT_DUMP_DOT = 1, LEAT_DUMP_JSON = 2 } leat_dump_format;
/* Writes the optimised graph as text, Graphviz or JSON to a new string; *text: the caller takes it, leat_free().  LEAT_ENOMEM. */
int leat_model_dump(const leat_model *model, leat_dump_format format, char **text);
/* Frees a string that the library handed over.  NULL allowed. */
void leat_free(void *pointer);

typedef struct leat_context_options {
    size_t      size;        /* sizeof, set by _default() */
    int         threads;     /* at most this many of the pool's threads, 0 = all */
    int         profile;     /* 1 = keep per-node times */
    int         max_plans;   /* prepared input shapes kept (least recently used goes first), 0 = 4 */
    const char *keep;        /* name of an intermediate value to keep readable after a run, or NULL; turns fusion results visible only */
} leat_context_options;
void leat_context_options_default(leat_context_options *options);

/* Opens a context.  Shares the model.  options: borrows, NULL = defaults.  LEAT_ENOMEM, LEAT_EUNSUPPORTED, LEAT_EINVAL.
 * Any thread. */
int leat_context_open(leat_model *model, const leat_context_options *options, leat_context **context, leat_error *error);
/* Waits for a started run, then frees.  NULL allowed. */
void leat_context_close(leat_context *context);

/* Binds input `index` to the caller's tensor: borrows data until replaced or closed, copies dtype and dims.  No copy of data.
 * LEAT_EINVAL, LEAT_ETYPE, LEAT_ESHAPE.  The context's thread; allocates nothing. */
int leat_context_set_input(leat_context *context, int index, const leat_tensor *tensor, leat_error *error);
/* Binds output `index` to the caller's buffer [capacity_bytes], written by run; data NULL unbinds.  Borrows. */
int leat_context_set_output(leat_context *context, int index, void *data, size_t capacity_bytes, leat_error *error);
/* Builds (or finds) the plan for the bound inputs' shapes; data pointers may still be NULL unless a shape depends on them.
 * LEAT_ESHAPE, LEAT_ETYPE, LEAT_ENOMEM, LEAT_EUNSUPPORTED.  Not RT-safe. */
int leat_context_prepare(leat_context *context, leat_error *error);
/* Runs the graph; prepares first if shapes changed.  RT-safe after prepare, if no shape depends on data. */
int leat_context_run(leat_context *context, leat_error *error);
/* Fills *tensor with output `index` of the last run; data is valid until the next run or close.  LEAT_ESTATE before a run. */
int leat_context_output(const leat_context *context, int index, leat_tensor *tensor);
/* The value named in leat_context_options.keep after a run.  LEAT_ESTATE, LEAT_EINVAL. */
int leat_context_kept(const leat_context *context, leat_tensor *tensor);

/* Runs `runs` times on the bound inputs. */
int leat_context_warmup(leat_context *context, int runs, leat_error *error);

/* Asks a run in progress to stop between two nodes: it returns LEAT_ECANCELLED.  Any thread, RT-safe. */
void leat_context_cancel(leat_context *context);

/* Starts a run on the context's own thread (made on the first call).  LEAT_ESTATE when one is in flight. */
int leat_context_start(leat_context *context, leat_error *error);
/* LEAT_EAGAIN while the started run is in flight, else its status.  Any thread, RT-safe. */
int leat_context_poll(leat_context *context);
/* Waits at most timeout_ns (negative: for ever) and returns as leat_context_poll(). */
int leat_context_wait(leat_context *context, int64_t timeout_ns, leat_error *error);

/* What a context holds and did.  *_bytes are bytes now. */
typedef struct leat_context_stats {
    uint64_t runs;
    int64_t  last_run_ns, prepare_ns;
    uint64_t arena_bytes;           /* activations and scratch of the current plan */
    uint64_t dynamic_bytes;         /* buffers of values whose shape depends on data */
    uint64_t weight_bytes_mapped;   /* initializers used in place */
    uint64_t weight_bytes_packed;   /* shared by all contexts of the model */
    uint64_t run_allocations;       /* heap allocations by all runs since prepare */
    int64_t  macs;                  /* multiply-accumulates of one run, convolutions and matrix products, as direct */
    uint64_t largest_bytes;         /* largest activation of the plan */
    int      nodes;                 /* nodes in the plan */
    int      threads;               /* effective */
} leat_context_stats;
void leat_context_get_stats(const leat_context *context, leat_context_stats *stats);

/* One node of the current plan, for tables and traces. */
typedef struct leat_node_stats {
    const char *name, *op, *kernel; /* kernel = what prepare chose, with its ISA; owned by the context until the next prepare */
    leat_tensor output;             /* of output 0, data NULL */
    int64_t     macs;
    uint64_t    bytes;              /* read + written, weights included */
    uint64_t    runs;
    int64_t     last_start_ns, last_ns, total_ns, min_ns; /* filled when profile = 1; last_start_ns is CLOCK_MONOTONIC */
} leat_node_stats;
/* LEAT_EINVAL past the end.  The context's thread. */
int leat_context_node(const leat_context *context, int index, leat_node_stats *stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
