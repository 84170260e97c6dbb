/* onnx_attr.c - AttributeProto to leat_attr.
 *
 *   1 name   2 f   3 i   4 s   5 t   6 g   7 floats*   8 ints*   9 strings*   20 type   21 ref_attr_name   22 sparse_tensor
 *
 * Old files leave the type out: then what is there tells it.  A sparse tensor becomes a dense one.
 */
#include <string.h>

#include "graph/onnx_internal.h"

enum { A_NAME = 1, A_F = 2, A_I = 3, A_S = 4, A_T = 5, A_G = 6, A_FLOATS = 7, A_INTS = 8, A_STRINGS = 9, A_TYPE = 20, A_REF = 21, A_SPARSE = 22 };
#define TYPE_SPARSE 11 /* AttributeProto.SPARSE_TENSOR */

static int read_tensor(leat_scope *scope, const leat_field *field, leat_attr *attr) {
    leat_importer *importer = scope->importer;
    leat_tensor *tensor = leat__arena_calloc(importer->arena, 1, sizeof *tensor);
    const char *ignored;
    if (!tensor) return leat__onnx_oom(importer->error);
    attr->t = tensor;
    return field->number == A_SPARSE ? leat__onnx_sparse(&importer->source, field->body, tensor, &ignored)
                                     : leat__onnx_tensor(&importer->source, field->body, tensor, &ignored);
}

static int read_graph(leat_scope *scope, const leat_field *field, leat_attr *attr) {
    leat_graph *graph;
    int status = leat__onnx_graph(scope->importer, field->body, scope, &graph);
    attr->graph = graph;
    return status;
}

/* The type that a field of a single value stands for, for files that leave the type out. */
static int64_t implied_type(uint64_t number) {
    switch (number) {
    case A_F: return LEAT_ATTR_FLOAT;
    case A_I: return LEAT_ATTR_INT;
    case A_S: return LEAT_ATTR_STRING;
    case A_T: case A_SPARSE: return LEAT_ATTR_TENSOR;
    case A_G: return LEAT_ATTR_GRAPH;
    case A_FLOATS: return LEAT_ATTR_FLOATS;
    case A_INTS: return LEAT_ATTR_INTS;
    case A_STRINGS: return LEAT_ATTR_STRINGS;
    default: return LEAT_ATTR_NONE;
    }
}

static int read_single(leat_scope *scope, const leat_field *field, leat_attr *attr) {
    leat_importer *importer = scope->importer;
    uint32_t bits = (uint32_t)field->value;
    switch (field->number) {
    case A_NAME: return leat__wire_name(field, importer->arena, &attr->name, importer->error);
    case A_REF: return leat__wire_name(field, importer->arena, &attr->ref, importer->error);
    case A_F: memcpy(&attr->f, &bits, sizeof attr->f); return LEAT_OK;
    case A_I: attr->i = (int64_t)field->value; return LEAT_OK;
    case A_S:
        attr->s_len = leat__cursor_left(&field->body);
        attr->s = leat__wire_text(field, importer->arena);
        return attr->s ? LEAT_OK : leat__onnx_oom(importer->error);
    case A_T: case A_SPARSE: return read_tensor(scope, field, attr);
    case A_G: return read_graph(scope, field, attr);
    default: return LEAT_OK;
    }
}

/* ---- lists -------------------------------------------------------------------------------------------------------------- */

typedef struct lists {
    int64_t     *ints;
    float       *floats;
    const char **strings;
    size_t       n_ints, n_floats, n_strings;
} lists;

static void count_list(const leat_field *field, lists *l) {
    if (field->number == A_INTS) l->n_ints += leat__wire_count(field, LEAT_WIRE_VARINT);
    if (field->number == A_FLOATS) l->n_floats += leat__wire_count(field, LEAT_WIRE_32);
    if (field->number == A_STRINGS) l->n_strings++;
}

/* Appends the values of one field; the counters say how many there are already. */
static int append_list(leat_importer *importer, leat_field field, lists *l) {
    uint64_t value;
    if (field.number == A_STRINGS) {
        l->strings[l->n_strings] = leat__wire_text(&field, importer->arena);
        return l->strings[l->n_strings++] ? LEAT_OK : leat__onnx_oom(importer->error);
    }
    while (field.number == A_INTS && leat__wire_number(&field, LEAT_WIRE_VARINT, &value)) l->ints[l->n_ints++] = (int64_t)value;
    while (field.number == A_FLOATS && leat__wire_number(&field, LEAT_WIRE_32, &value)) {
        uint32_t bits = (uint32_t)value;
        memcpy(&l->floats[l->n_floats++], &bits, sizeof bits);
    }
    if (!field.body.failed && (field.wire != LEAT_WIRE_BYTES || field.body.at == field.body.end)) return LEAT_OK;
    return leat__fail_at(importer->error, LEAT_EFORMAT, leat__cursor_offset(&field.body), "a damaged list of numbers");
}

static int read_lists(leat_importer *importer, leat_cursor message, const lists *counts, leat_attr *attr) {
    leat_field field;
    lists l = {0};
    if (counts->n_ints > INT32_MAX || counts->n_floats > INT32_MAX || counts->n_strings > INT32_MAX)
        return leat__fail(importer->error, LEAT_ELIMIT, "attribute '%.100s' has too many values", attr->name);
    l.ints = leat__arena_calloc(importer->arena, counts->n_ints + 1, sizeof *l.ints);
    l.floats = leat__arena_calloc(importer->arena, counts->n_floats + 1, sizeof *l.floats);
    l.strings = leat__arena_calloc(importer->arena, counts->n_strings + 1, sizeof *l.strings);
    if (!l.ints || !l.floats || !l.strings) return leat__onnx_oom(importer->error);
    while (leat__wire_next(&message, &field)) {
        int list = field.number == A_INTS || field.number == A_FLOATS || field.number == A_STRINGS;
        int status = list ? append_list(importer, field, &l) : LEAT_OK;
        if (status != LEAT_OK) return status;
    }
    if (attr->type == LEAT_ATTR_INTS) {
        attr->ints = l.ints;
        attr->n = (int)l.n_ints;
    } else if (attr->type == LEAT_ATTR_FLOATS) {
        attr->floats = l.floats;
        attr->n = (int)l.n_floats;
    } else {
        attr->strings = l.strings;
        attr->n = (int)l.n_strings;
    }
    return LEAT_OK;
}

/* ---- the whole ---------------------------------------------------------------------------------------------------------- */

/* Puts what the call gave in the place of a reference. */
static int take_bound(leat_scope *scope, leat_attr *attr, int *present) {
    if (!scope->bound)
        return leat__fail(scope->importer->error, LEAT_EFORMAT, "attribute '%.100s' refers to '%.100s' outside of a function", attr->name, attr->ref);
    const leat_attr *given = leat__attr(scope->bound, attr->ref);
    const char *name = attr->name;
    *present = given != NULL;
    if (!given) return LEAT_OK;
    *attr = *given;
    attr->name = name;
    return LEAT_OK;
}

int leat__onnx_attr(leat_scope *scope, leat_cursor message, leat_attr *attr, int *present) {
    leat_importer *importer = scope->importer;
    leat_cursor walk = message;
    leat_field field;
    lists counts = {0};
    int64_t type = LEAT_ATTR_NONE, implied = LEAT_ATTR_NONE;
    *attr = (leat_attr){.name = "", .s = ""};
    *present = 1;
    while (leat__wire_next(&walk, &field)) {
        int status = read_single(scope, &field, attr);
        if (status != LEAT_OK) return importer->blamed ? status : leat__fail_prefix(importer->error, status, "attribute '%.100s'", attr->name);
        count_list(&field, &counts);
        if (field.number == A_TYPE) type = (int64_t)field.value;
        if (implied_type(field.number)) implied = implied_type(field.number);
    }
    int status = leat__wire_end(&walk, "an attribute", importer->error);
    if (status != LEAT_OK) return status;
    if (attr->ref && attr->ref[0]) return take_bound(scope, attr, present);
    attr->ref = NULL;
    if (type == LEAT_ATTR_NONE) type = implied;
    if (type == TYPE_SPARSE) type = LEAT_ATTR_TENSOR;
    attr->type = type > 0 && type <= LEAT_ATTR_GRAPHS ? (leat_attr_type)type : LEAT_ATTR_NONE;
    if ((attr->type == LEAT_ATTR_GRAPH && !attr->graph) || (attr->type == LEAT_ATTR_TENSOR && !attr->t))
        return leat__fail_at(importer->error, LEAT_EFORMAT, leat__cursor_offset(&message), "attribute '%.100s' has no value", attr->name);
    int list = attr->type == LEAT_ATTR_INTS || attr->type == LEAT_ATTR_FLOATS || attr->type == LEAT_ATTR_STRINGS;
    return list ? read_lists(importer, message, &counts, attr) : LEAT_OK;
}
