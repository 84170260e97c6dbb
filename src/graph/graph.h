/* graph.h - the intermediate representation: values and nodes in single assignment, made by onnx_import, rewritten by passes.
 *
 * Lifetime: one arena per model; nodes and values are never freed singly.  A removed node has node->dead = 1 until leat__graph_compact().
 * Order: graph->nodes is topological at all times between passes.
 * Subgraphs (If, Loop, Scan bodies) are leat_graph of their own with `parent` set; a name not found inside is looked up outside and the
 * outer leat_value is used directly (captured), so a value may be read by nodes of an inner graph.
 */
#ifndef LEAT_GRAPH_GRAPH_H
#define LEAT_GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/error.h"
#include "ops/op.h"

typedef struct leat_graph leat_graph;
typedef struct leat_node  leat_node;
typedef struct leat_value leat_value;

struct leat_value {
    const char  *name;               /* unique in its graph; never NULL */
    leat_dtype   dtype;              /* NONE = unknown */
    int32_t      rank;               /* -1 = unknown */
    int64_t      dims[LEAT_MAX_RANK];/* -1 = unknown or symbolic */
    int64_t      probe[LEAT_MAX_RANK]; /* dims in the second trace of leat__graph_infer(): tells apart unknown dims that cannot be equal; -1 = no idea */
    const char  *dim_names[LEAT_MAX_RANK]; /* symbols of graph inputs and outputs, or NULL */
    leat_tensor *constant;           /* initializer or folded: data set; else NULL */
    leat_node   *producer;           /* NULL for inputs and constants */
    leat_node   *reader;             /* the last node (of any graph) that leat__graph_index() saw reading it; the reader when uses == 1 */
    leat_graph  *graph;              /* where it is defined */
    int32_t      uses;               /* readers incl. graph outputs and inner graphs; valid after leat__graph_index() */
    int32_t      id;                 /* dense index over the whole model (root and inner graphs), valid after leat__graph_index() */
    uint8_t      is_input, is_output, nhwc; /* nhwc: stored channels-last (layout pass) */
};

struct leat_node {
    const char    *name;             /* may be "" */
    const char    *domain, *op_type;
    const leat_op *op;               /* NULL = unsupported */
    int            opset;            /* of its domain */
    leat_value   **in, **out;        /* NULL entries: absent */
    int            n_in, n_out;
    leat_attrs     attrs;
    leat_graph    *graph;
    uint8_t        dead;
};

struct leat_graph {
    leat_arena  *arena;              /* of the model, shared with inner graphs */
    const char  *name;
    leat_graph  *parent;
    leat_node  **nodes;
    int          n_nodes, cap_nodes;
    leat_value **values;             /* all defined here */
    int          n_values, cap_values;
    leat_value **inputs, **outputs;  /* inputs without initializers */
    int          n_inputs, n_outputs;
    int          opset;              /* ai.onnx */
    uint8_t      failed;             /* an attribute could not be stored for lack of memory: sticky, so that setters need no check */
};

/* ---- building and editing; NULL / LEAT_ENOMEM when out of memory -------------------------------------------------------- */
leat_value *leat__graph_value(leat_graph *graph, const char *name);                 /* new value; name NULL = a fresh unique one */
leat_value *leat__graph_find(const leat_graph *graph, const char *name);            /* in this graph, then its parents (linear) */
leat_node *leat__graph_node(leat_graph *graph, int at, const char *domain, const char *op_type, int opset, int n_in, int n_out);
                                                                                     /* inserted before index `at` (-1 = end); op looked up */
leat_value *leat__graph_constant(leat_graph *graph, leat_dtype dtype, int rank, const int64_t *dims); /* zeroed data in the arena */
leat_attr *leat__node_attr_add(leat_node *node, const char *name, leat_attr_type type); /* appended, or the existing one reset */
void leat__node_attr_set_int(leat_node *node, const char *name, int64_t value);
void leat__node_attr_set_float(leat_node *node, const char *name, float value);
void leat__node_attr_set_string(leat_node *node, const char *name, const char *value);
int leat__node_attr_set_ints(leat_node *node, const char *name, const int64_t *values, int n);
void leat__node_attr_copy(leat_node *to, const leat_node *from);                    /* shallow, replaces */
void leat__graph_replace_uses(leat_graph *graph, leat_value *old_value, leat_value *new_value); /* readers and outputs, inner graphs too */
void leat__graph_index(leat_graph *root);   /* producer, uses, ids */
void leat__graph_compact(leat_graph *graph); /* drops dead nodes */
int leat__graph_sort(leat_graph *graph, leat_error *error); /* topological; LEAT_EFORMAT on a cycle */
/* Index of `node` in graph->nodes. */
int leat__graph_at(const leat_graph *graph, const leat_node *node);

#endif
