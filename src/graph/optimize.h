/* optimize.h - rewriting a freshly imported graph into one that runs fast: the ordered list of passes. */
#ifndef LEAT_GRAPH_OPTIMIZE_H
#define LEAT_GRAPH_OPTIMIZE_H

#include "graph/graph.h"

/* Optimises `graph` (a model's root, inner graphs included) in place and leaves it sorted, compacted, inferred and indexed.
 * flags: LEAT_MODEL_*; with LEAT_MODEL_NO_FUSION only widening, folding, tidying and dead code.  Inputs and outputs keep their
 * names, types and layout.  LEAT_ENOMEM, or what shape inference finds wrong with the model. */
int leat__graph_optimize(leat_graph *graph, uint32_t flags, leat_error *error);

#endif
