/* onnx_internal.h - what the files of the ONNX reader share.
 *
 *   onnx_import.c    the model: versions, graphs, inputs, outputs, initializers
 *   onnx_node.c      nodes;  onnx_attr.c  their attributes
 *   onnx_function.c  model-local functions, inlined where they are called
 *   onnx_tensor.c    tensors, dense and sparse; onnx_external.c their data in other files
 *   onnx_names.c     name tables;  onnx_wire.c  the protobuf walk
 */
#ifndef LEAT_GRAPH_ONNX_INTERNAL_H
#define LEAT_GRAPH_ONNX_INTERNAL_H

#include "graph/onnx_import.h"
#include "graph/onnx_wire.h"

/* ---- names: text to pointer, open addressing, tables in an arena ---------------------------------------------------------- */

typedef struct leat_name_entry {
    const char *name; /* [length], not NUL-terminated by contract; NULL = free */
    size_t      length;
    uint64_t    hash;
    void       *item;
} leat_name_entry;

typedef struct leat_names {
    leat_arena      *arena;
    leat_name_entry *entries;
    size_t           capacity, count;
} leat_names;

leat_name_entry *leat__names_find(const leat_names *names, const char *name, size_t length); /* NULL when absent */
/* Adds a name that is not there yet; keeps the pointer.  0 when out of memory. */
int leat__names_add(leat_names *names, const char *name, size_t length, void *item);

/* ---- tensors -------------------------------------------------------------------------------------------------------------- */

typedef struct leat_onnx_file {
    const char  *location;
    leat_mapping mapping;
} leat_onnx_file;

/* Where tensors of one content come from and go to. */
typedef struct leat_onnx_source {
    const uint8_t *end;            /* of the content */
    size_t         tail;           /* readable bytes past `end` */
    const char    *base_dir;       /* NULL: external data is refused */
    uint32_t       flags;
    uint64_t       max_bytes;      /* of one tensor, and of all expanded sparse ones together */
    uint64_t       expanded_bytes;
    leat_onnx_file *files;         /* external, in the arena */
    int            n_files, cap_files;
    leat_arena    *arena;
    leat_error    *error;
} leat_onnx_source;

/* TensorProto and SparseTensorProto (expanded to dense).  *name: "" when absent. */
int leat__onnx_tensor(leat_onnx_source *source, leat_cursor message, leat_tensor *tensor, const char **name);
int leat__onnx_sparse(leat_onnx_source *source, leat_cursor message, leat_tensor *tensor, const char **name);
/* Number of a TensorProto.DataType to ours; LEAT_EUNSUPPORTED names it. */
int leat__onnx_dtype(int64_t number, leat_dtype *dtype, leat_error *error);

/* Where a tensor's data lies in another file, from its external_data entries. */
typedef struct leat_onnx_extern {
    const char *location;
    uint64_t    offset, length;
    int         has_length;
} leat_onnx_extern;
int leat__onnx_extern_entry(leat_onnx_source *source, leat_cursor message, leat_onnx_extern *where);
/* Points *data at `bytes` bytes of the file, mapping it if it is new; *end: where the file's content ends. */
int leat__onnx_extern_data(leat_onnx_source *source, const leat_onnx_extern *where, size_t bytes, const uint8_t **data);
void leat__onnx_extern_fini(leat_onnx_source *source);

/* ---- importing ------------------------------------------------------------------------------------------------------------ */

#define LEAT_ONNX_MAX_DEPTH 32            /* graphs in graphs, functions in functions */
#define LEAT_ONNX_MAX_INLINED (1 << 18)   /* nodes made by inlining functions */

typedef struct leat_onnx_opset {
    const char *domain; /* "" = ai.onnx */
    int         version;
} leat_onnx_opset;

typedef struct leat_onnx_opsets {
    leat_onnx_opset *list;
    int              n;
} leat_onnx_opsets;

typedef struct leat_onnx_function {
    leat_cursor      message;
    const char      *domain, *name;
    const char     **inputs, **outputs;
    int              n_inputs, n_outputs;
    leat_onnx_opsets opsets;
    int              active; /* being inlined, so that a call of itself is refused */
} leat_onnx_function;

typedef struct leat_importer {
    leat_onnx_source source;
    leat_arena       scratch;   /* name tables and texts that only the import needs */
    leat_arena      *arena;
    leat_onnx_model *out;
    leat_error      *error;
    leat_onnx_opsets opsets;
    leat_names       functions; /* "domain\nname\noverload" -> leat_onnx_function */
    int              depth, calls, inlined;
    int              blamed;      /* the error names a node already */
    size_t           arena_limit; /* of arena->total, for what functions multiply */
} leat_importer;

/* One name space: a graph, or the body of a function that is being inlined into `graph`. */
typedef struct leat_scope leat_scope;
struct leat_scope {
    leat_importer          *importer;
    leat_scope             *outer;   /* looked in next; NULL for the main graph and for functions */
    leat_graph             *graph;
    leat_names              names;   /* -> leat_value, or NULL for an absent optional input of a function */
    const leat_onnx_opsets *opsets;
    const leat_attrs       *bound;   /* in functions: attributes of the call; else NULL */
    const leat_names       *results; /* in functions: formal output -> the caller's value, NULL when nobody wants it */
    const char             *prefix;  /* of node and value names: "" or "call#1/" */
    int                    *unsorted;/* set when a node of the graph reads what a later one makes */
};

/* While importing, a value's id says whether its producer has been seen. */
enum { LEAT_VALUE_READY = 0, LEAT_VALUE_PENDING = 1 };

int leat__onnx_oom(leat_error *error);
/* Defines a new value in the scope.  LEAT_EFORMAT if the name is taken. */
int leat__scope_define(leat_scope *scope, const char *name, leat_value **value);
/* Looks a name up, outwards: LEAT_EFORMAT if unknown.  Marks graphs as unsorted. */
int leat__scope_resolve(leat_scope *scope, const char *name, size_t length, leat_value **value);
int leat__scope_opset(const leat_scope *scope, const char *domain); /* 0 when not imported */
int leat__onnx_opset_entry(leat_importer *importer, leat_cursor message, leat_onnx_opsets *opsets);
void leat__value_set_constant(leat_value *value, leat_tensor *tensor);

int leat__onnx_graph(leat_importer *importer, leat_cursor message, leat_scope *outer, leat_graph **graph);
/* Defines what the node makes (first pass), then reads it into the graph (second pass). */
int leat__onnx_node_outputs(leat_scope *scope, leat_cursor message);
int leat__onnx_node(leat_scope *scope, leat_cursor message);
/* *present: 0 when the attribute refers to one that the call did not give. */
int leat__onnx_attr(leat_scope *scope, leat_cursor message, leat_attr *attr, int *present);

/* The function that a node calls, or NULL. */
leat_onnx_function *leat__onnx_function_find(leat_importer *importer, const char *domain, const char *name, const char *overload);
int leat__onnx_function_add(leat_importer *importer, leat_cursor message);
/* Puts the function's nodes into scope->graph in place of the call. */
int leat__onnx_function_inline(leat_scope *scope, leat_onnx_function *function, const char *call_name, leat_value **in, int n_in,
                               leat_value **out, int n_out, const leat_attrs *attrs);

#endif
