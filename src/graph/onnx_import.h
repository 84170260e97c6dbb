/* onnx_import.h - ONNX files (ModelProto) to a leat_graph, TensorProto to a leat_tensor.
 *
 * Weights whose bytes are aligned for their element type are used in place: `data` must outlive the graph.  Everything else that the
 * graph points to lives in `arena`.
 */
#ifndef LEAT_GRAPH_ONNX_IMPORT_H
#define LEAT_GRAPH_ONNX_IMPORT_H

#include "base/arena.h"
#include "base/file.h"
#include "graph/graph.h"

#define LEAT_ONNX_MAX_BYTES ((uint64_t)16 << 30) /* of one tensor, unless the caller says less */

/* Import flag beside LEAT_MODEL_*: unaligned weights of 4 KiB and more stay in the file, marked LEAT_TENSOR_UNALIGNED, which makes
 * opening fast; whoever reads such a constant through its element type calls leat__onnx_settle() first.  Packing may read bytes. */
#define LEAT_ONNX_IN_PLACE 0x10000u

typedef struct leat_onnx_model {
    leat_graph   *graph;
    const char   *producer, *producer_version, *doc; /* "" when absent */
    int64_t       ir_version;
    int           opset;      /* of ai.onnx */
    int64_t       parameters; /* elements of all initializers, inner graphs included */
    uint64_t      file_bytes; /* of `data` and the external files */
    leat_mapping *maps;       /* external data, in the arena */
    int           n_maps;
} leat_onnx_model;

/* Reads a model.  data [bytes]: borrows until the graph is gone.  base_dir: folder of external data; NULL = refuse it, `data`
 * is the caller's memory; not NULL = `data` is a leat__map_file() mapping, with its tail, whose pages may be released.
 * flags: LEAT_MODEL_ALLOW_LINKS, LEAT_ONNX_IN_PLACE.  max_bytes: largest tensor, 0 = 16 GiB.  On success nodes are in topological order, functions are
 * inlined, initializers are constants (also those listed as inputs), Constant nodes are constants, and leat__graph_index() has run;
 * a node whose operator is unknown has op = NULL.  On failure *out is empty; the arena keeps what was made until its fini.
 * LEAT_EFORMAT, LEAT_EUNSUPPORTED, LEAT_ELIMIT, LEAT_EIO, LEAT_ENOMEM; the error names the node and has the byte offset. */
int leat__onnx_import(const void *data, size_t bytes, const char *base_dir, uint32_t flags, uint64_t max_bytes, leat_arena *arena,
                      leat_onnx_model *out, leat_error *error);
/* Unmaps external data.  Call before the arena's fini.  A zeroed model is allowed. */
void leat__onnx_import_fini(leat_onnx_model *model);

/* Copies a tensor marked LEAT_TENSOR_UNALIGNED into the arena and clears the mark; otherwise does nothing.  LEAT_ENOMEM. */
int leat__onnx_settle(leat_tensor *tensor, leat_arena *arena, leat_error *error);

/* Reads one TensorProto (.pb of a test case).  tensor->data points into `data` or the arena.  *name: "" when absent, may be NULL. */
int leat__onnx_tensor_parse(const void *data, size_t bytes, leat_arena *arena, leat_tensor *tensor, const char **name, leat_error *error);

#endif
