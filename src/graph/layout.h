/* layout.h - between choosing a layout (pass_layout.c) and making the graph have it (layout_apply.c). */
#ifndef LEAT_GRAPH_LAYOUT_H
#define LEAT_GRAPH_LAYOUT_H

#include "graph/pass.h"

typedef enum layout_kind {
    LAYOUT_PLAIN = 0, /* logical order in and out */
    LAYOUT_FREE,      /* works on either, the same in and out */
    LAYOUT_WANTS,     /* FREE, but logical order would cost it a conversion of its own */
    LAYOUT_REDUCE,    /* reads either, its output has fewer axes and is plain */
    LAYOUT_TURN       /* Transpose: reads either, writes either */
} layout_kind;

/* One reading of a value: input `input` of node number `node`. */
typedef struct layout_read {
    int32_t node, input;
} layout_read;

typedef struct leat_layout {
    leat_graph  *graph;
    int          n_nodes, n_ids;
    leat_node  **nodes;    /* [n_nodes] as they were numbered, while the graph gets more */
    uint8_t     *kind;     /* [n_nodes] layout_kind */
    uint8_t     *label;    /* [n_nodes] 1 = channels-last */
    int32_t     *producer; /* [n_ids] node number, or -1 */
    int32_t     *first;    /* [n_ids + 1] where a value's readings begin in reads */
    layout_read *reads;
    uint8_t     *outside;  /* [n_ids] 1 = a graph output, or read by an inner graph: must exist in logical order */
    double      *size;     /* [n_ids] cost of converting the value: about its elements, 0 where both layouts are the same bytes */
} leat_layout;

#define LAYOUT_ANY 2

/* Which storage reading r needs: 0, 1 or LAYOUT_ANY. */
int leat__layout_needs(const leat_layout *l, layout_read r);
/* Which storage node number n writes its outputs in. */
int leat__layout_writes(const leat_layout *l, int n);
/* Does a Transpose move anything, with its input and output stored so? */
int leat__layout_turns(const leat_node *transpose, int in_nhwc, int out_nhwc);
/* Rewrites the graph as labelled: conversions at borders, shared among readers; marks leat_value.nhwc.  0 when out of memory. */
int leat__layout_apply(leat_layout *l);

#endif
