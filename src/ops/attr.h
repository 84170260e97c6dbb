/* attr.h - attributes of a node, as read from the file, and typed look-ups with defaults.
 *
 * Everything points into the mapped file or the graph's arena; nothing here owns memory.
 */
#ifndef LEAT_OPS_ATTR_H
#define LEAT_OPS_ATTR_H

#include <stddef.h>
#include <stdint.h>

#include "leat/tensor.h"

typedef enum leat_attr_type { /* numbers of onnx.AttributeProto.AttributeType */
    LEAT_ATTR_NONE = 0, LEAT_ATTR_FLOAT = 1, LEAT_ATTR_INT = 2, LEAT_ATTR_STRING = 3, LEAT_ATTR_TENSOR = 4, LEAT_ATTR_GRAPH = 5,
    LEAT_ATTR_FLOATS = 6, LEAT_ATTR_INTS = 7, LEAT_ATTR_STRINGS = 8, LEAT_ATTR_TENSORS = 9, LEAT_ATTR_GRAPHS = 10
} leat_attr_type;

typedef struct leat_attr {
    const char        *name;
    leat_attr_type     type;
    int64_t            i;
    float              f;
    const char        *s;       /* STRING: NUL-terminated copy */
    size_t             s_len;
    const leat_tensor *t;
    void              *graph;   /* GRAPH: a leat_graph of the graph room; ops pass it on to services only */
    const int64_t     *ints;
    const float       *floats;
    const char *const *strings; /* NUL-terminated */
    int                n;       /* of ints, floats, strings */
    const char        *ref;     /* inside functions: name of the function's attribute that stands here, or NULL */
} leat_attr;

typedef struct leat_attrs {
    leat_attr *list;
    int        n;
} leat_attrs;

const leat_attr *leat__attr(const leat_attrs *attrs, const char *name); /* NULL when absent */
int64_t leat__attr_int(const leat_attrs *attrs, const char *name, int64_t fallback);
float leat__attr_float(const leat_attrs *attrs, const char *name, float fallback);
const char *leat__attr_string(const leat_attrs *attrs, const char *name, const char *fallback);
/* Returns the values and their number, or NULL and 0 when absent. */
const int64_t *leat__attr_ints(const leat_attrs *attrs, const char *name, int *n);
const float *leat__attr_floats(const leat_attrs *attrs, const char *name, int *n);
const leat_tensor *leat__attr_tensor(const leat_attrs *attrs, const char *name);

#endif
