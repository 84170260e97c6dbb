/* node_eval.h - runs one node by itself, now: for folding constants at load and for anything else that has data before a plan exists. */
#ifndef LEAT_GRAPH_NODE_EVAL_H
#define LEAT_GRAPH_NODE_EVAL_H

#include "graph/graph.h"

/* Infers, prepares and runs `node` on in[n_in] (NULL = absent; data may be NULL only for an operator that reads dims alone).
 * out [n_out] tensors are filled: dtype, dims, and data taken from `arena` (NULL entries of node->out stay as they are).
 * max_bytes limits the sum of the outputs: beyond it LEAT_ELIMIT before anything is allocated.  Control flow is refused.
 * LEAT_EUNSUPPORTED, LEAT_EDYNAMIC, LEAT_ENOMEM, or what the operator says.  One thread; not RT-safe. */
int leat__node_eval(const leat_node *node, leat_tensor *const *in, leat_tensor *out, leat_arena *arena, size_t max_bytes,
                    leat_error *error);

#endif
