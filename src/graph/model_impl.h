/* model_impl.h - what a leat_model is inside; shared by model.c, context.c and their neighbours. */
#ifndef LEAT_GRAPH_MODEL_IMPL_H
#define LEAT_GRAPH_MODEL_IMPL_H

#include <stdatomic.h>

#include "graph/onnx_import.h"
#include "graph/packs.h"
#include "graph/trace.h"
#include "leat/model.h"

struct leat_model {
    atomic_int       references;
    leat_mapping     file;         /* empty when opened from memory */
    leat_arena       arena;        /* graph, names, folded constants */
    leat_onnx_model  onnx;
    leat_graph      *graph;        /* optimised; read-only after open */
    leat_packs       packs;
    leat_mapping    *maps;         /* file and external data, for packs */
    leat_tpool      *pool;
    uint64_t         max_bytes;
    int              holds_level;  /* the instruction-set level may not change meanwhile */
    int              nodes_file;
    int64_t          open_ns;
    const char     **unsupported;
    int              n_unsupported;
    leat_value_info *inputs, *outputs; /* as declared by the file */
    leat_operator_info *operators;     /* [n_operators] kinds of nodes of the file, the most frequent first */
    int              n_operators;
};

/* Fills model->operators from the imported graph, before it is optimised.  LEAT_ENOMEM. */
int leat__model_list_operators(leat_model *model);

/* Number of nodes in a graph and its inner graphs. */
int leat__graph_node_count(const leat_graph *graph);

#endif
