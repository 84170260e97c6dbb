/* attr.c - look-ups of attributes; an attribute of another type than asked for counts as absent. */
#include "ops/attr.h"

#include <string.h>

const leat_attr *leat__attr(const leat_attrs *attrs, const char *name) {
    for (int i = 0; i < attrs->n; i++)
        if (strcmp(attrs->list[i].name, name) == 0) return &attrs->list[i];
    return NULL;
}

static const leat_attr *typed(const leat_attrs *attrs, const char *name, leat_attr_type type) {
    const leat_attr *attr = leat__attr(attrs, name);
    return attr && attr->type == type ? attr : NULL;
}

int64_t leat__attr_int(const leat_attrs *attrs, const char *name, int64_t fallback) {
    const leat_attr *attr = typed(attrs, name, LEAT_ATTR_INT);
    return attr ? attr->i : fallback;
}

float leat__attr_float(const leat_attrs *attrs, const char *name, float fallback) {
    const leat_attr *attr = typed(attrs, name, LEAT_ATTR_FLOAT);
    return attr ? attr->f : fallback;
}

const char *leat__attr_string(const leat_attrs *attrs, const char *name, const char *fallback) {
    const leat_attr *attr = typed(attrs, name, LEAT_ATTR_STRING);
    return attr ? attr->s : fallback;
}

const int64_t *leat__attr_ints(const leat_attrs *attrs, const char *name, int *n) {
    const leat_attr *attr = typed(attrs, name, LEAT_ATTR_INTS);
    *n = attr ? attr->n : 0;
    return attr ? attr->ints : NULL;
}

const float *leat__attr_floats(const leat_attrs *attrs, const char *name, int *n) {
    const leat_attr *attr = typed(attrs, name, LEAT_ATTR_FLOATS);
    *n = attr ? attr->n : 0;
    return attr ? attr->floats : NULL;
}

const leat_tensor *leat__attr_tensor(const leat_attrs *attrs, const char *name) {
    const leat_attr *attr = typed(attrs, name, LEAT_ATTR_TENSOR);
    return attr ? attr->t : NULL;
}
