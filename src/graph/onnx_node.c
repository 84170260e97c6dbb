/* onnx_node.c - NodeProto to leat_node; Constant nodes become constants at once, calls of functions are inlined.
 *
 *   1 input*   2 output*   3 name   4 op_type   5 attribute*   7 domain   8 overload
 */
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "graph/onnx_internal.h"

enum { N_INPUT = 1, N_OUTPUT = 2, N_NAME = 3, N_OP = 4, N_ATTRIBUTE = 5, N_DOMAIN = 7, N_OVERLOAD = 8 };
#define MOST_PORTS (1 << 24) /* inputs or outputs of one node */

typedef struct head {
    const char *name, *op_type, *domain, *overload;
    size_t      n_in, n_out, n_attrs;
} head;

static int read_head(leat_importer *importer, leat_cursor message, head *h) {
    leat_field field;
    *h = (head){"", "", "", "", 0, 0, 0};
    while (leat__wire_next(&message, &field)) {
        const char **text = field.number == N_NAME ? &h->name : field.number == N_OP ? &h->op_type : field.number == N_DOMAIN ? &h->domain
                          : field.number == N_OVERLOAD ? &h->overload : NULL;
        int status = text ? leat__wire_name(&field, importer->arena, text, importer->error) : LEAT_OK;
        if (status != LEAT_OK) return status;
        h->n_in += field.number == N_INPUT;
        h->n_out += field.number == N_OUTPUT;
        h->n_attrs += field.number == N_ATTRIBUTE;
    }
    if (strcmp(h->domain, "ai.onnx") == 0) h->domain = "";
    if (h->n_in > MOST_PORTS || h->n_out > MOST_PORTS) return leat__fail(importer->error, LEAT_ELIMIT, "too many inputs or outputs");
    return leat__wire_end(&message, "a node", importer->error);
}

/* Puts the node's name and place before the message that is there; only the innermost node, or deep nesting would push the cause out. */
static int node_error(const leat_scope *scope, leat_cursor message, const char *name, const char *op_type, int status) {
    leat_error *error = scope->importer->error;
    uint64_t offset = leat__cursor_offset(&message);
    if (!error || scope->importer->blamed) return status;
    scope->importer->blamed = 1;
    if (error->offset == 0) error->offset = offset;
    return leat__fail_prefix(error, status, "node '%s%.100s' (%.60s) at byte %" PRIu64, scope->prefix, name, op_type, offset);
}

/* ---- first pass: what nodes make ---------------------------------------------------------------------------------------- */

static int define_output(leat_scope *scope, const char *name) {
    leat_value *value;
    size_t length = strlen(name);
    leat_name_entry *result = scope->results ? leat__names_find(scope->results, name, length) : NULL;
    if (!result || !result->item || leat__names_find(&scope->names, name, length)) {
        int status = leat__scope_define(scope, name, &value);
        if (status == LEAT_OK) value->id = LEAT_VALUE_PENDING;
        return status;
    }
    value = result->item; /* the caller's value stands for the function's result; it is pending already */
    return leat__names_add(&scope->names, name, length, value) ? LEAT_OK : leat__onnx_oom(scope->importer->error);
}

int leat__onnx_node_outputs(leat_scope *scope, leat_cursor message) {
    leat_importer *importer = scope->importer;
    leat_cursor walk = message;
    leat_field field;
    const char *name;
    while (leat__wire_next(&walk, &field)) {
        if (field.number != N_OUTPUT || leat__cursor_left(&field.body) == 0) continue;
        int status = leat__wire_name(&field, importer->arena, &name, importer->error);
        if (status == LEAT_OK) status = define_output(scope, name);
        if (status != LEAT_OK) return node_error(scope, message, name, "output", status);
    }
    return leat__wire_end(&walk, "a node", importer->error);
}

/* ---- second pass -------------------------------------------------------------------------------------------------------- */

/* Inputs (or outputs) of the node as values; an empty name is an absent one. */
static int resolve_ports(leat_scope *scope, leat_cursor message, uint64_t number, leat_value **ports) {
    leat_field field;
    int n = 0;
    while (leat__wire_next(&message, &field)) {
        if (field.number != number) continue;
        size_t length = leat__cursor_left(&field.body);
        const char *name = (const char *)field.body.at;
        if (number == N_OUTPUT && length) ports[n] = leat__names_find(&scope->names, name, length)->item; /* defined by the first pass */
        int status = number == N_INPUT && length ? leat__scope_resolve(scope, name, length, &ports[n]) : LEAT_OK;
        if (status != LEAT_OK) return leat__fail_prefix(scope->importer->error, status, "input %d", n);
        n++;
    }
    return LEAT_OK;
}

static int read_attrs(leat_scope *scope, leat_cursor message, size_t count, leat_attrs *attrs) {
    leat_field field;
    attrs->n = 0;
    attrs->list = leat__arena_calloc(scope->importer->arena, count + 1, sizeof *attrs->list);
    if (!attrs->list) return leat__onnx_oom(scope->importer->error);
    while (leat__wire_next(&message, &field)) {
        int present;
        if (field.number != N_ATTRIBUTE) continue;
        int status = leat__onnx_attr(scope, field.body, &attrs->list[attrs->n], &present);
        if (status != LEAT_OK) return status;
        attrs->n += present;
    }
    return LEAT_OK;
}

/* A tensor of n elements from a value_* attribute. */
static leat_tensor *small_tensor(leat_importer *importer, leat_dtype dtype, int rank, int n, const void *data) {
    leat_tensor *tensor = leat__arena_calloc(importer->arena, 1, sizeof *tensor);
    int64_t dims[1] = {n};
    if (!tensor) return NULL;
    leat__tensor_set(tensor, dtype, rank, dims);
    size_t bytes = leat_tensor_bytes(tensor);
    tensor->data = leat__arena_alloc_aligned(importer->arena, bytes);
    if (tensor->data && bytes && data) memcpy(tensor->data, data, bytes);
    return tensor->data ? tensor : NULL;
}

static leat_tensor *text_tensor(leat_importer *importer, int rank, int n, const char *const *texts) {
    leat_tensor *tensor = small_tensor(importer, LEAT_DTYPE_STRING, rank, n, NULL);
    for (int i = 0; tensor && i < n; i++) ((leat_text *)tensor->data)[i] = (leat_text){texts[i], strlen(texts[i])};
    return tensor;
}

/* The tensor that a Constant's attribute stands for; *known = 0 if it is none of them. */
static leat_tensor *constant_of(leat_importer *importer, const leat_attr *attr, int *known) {
    *known = 1;
    switch ((int)attr->type) {
    case LEAT_ATTR_TENSOR: return (leat_tensor *)(uintptr_t)attr->t;
    case LEAT_ATTR_FLOAT: return small_tensor(importer, LEAT_DTYPE_F32, 0, 1, &attr->f);
    case LEAT_ATTR_FLOATS: return small_tensor(importer, LEAT_DTYPE_F32, 1, attr->n, attr->floats);
    case LEAT_ATTR_INT: return small_tensor(importer, LEAT_DTYPE_I64, 0, 1, &attr->i);
    case LEAT_ATTR_INTS: return small_tensor(importer, LEAT_DTYPE_I64, 1, attr->n, attr->ints);
    case LEAT_ATTR_STRING: return text_tensor(importer, 0, 1, &attr->s);
    case LEAT_ATTR_STRINGS: return text_tensor(importer, 1, attr->n, attr->strings);
    default: *known = 0; return NULL;
    }
}

static int add_constant(leat_importer *importer, const leat_attrs *attrs, leat_value **out, size_t n_out) {
    if (n_out != 1) return leat__fail(importer->error, LEAT_EFORMAT, "a Constant has one output, this has %zu", n_out);
    for (int i = 0; i < attrs->n; i++) {
        int known;
        if (strncmp(attrs->list[i].name, "value", 5) != 0 && strcmp(attrs->list[i].name, "sparse_value") != 0) continue;
        leat_tensor *tensor = constant_of(importer, &attrs->list[i], &known);
        if (!known) continue;
        if (!tensor) return leat__onnx_oom(importer->error);
        if (out[0]) leat__value_set_constant(out[0], tensor);
        return LEAT_OK;
    }
    return leat__fail(importer->error, LEAT_EFORMAT, "a Constant without a value");
}

static int settle_attrs(leat_importer *importer, const leat_attrs *attrs) {
    int status = LEAT_OK;
    for (int i = 0; i < attrs->n && status == LEAT_OK; i++)
        if (attrs->list[i].type == LEAT_ATTR_TENSOR)
            status = leat__onnx_settle((leat_tensor *)(uintptr_t)attrs->list[i].t, importer->arena, importer->error);
    return status;
}

/* An ordinary node, appended to the graph. */
static int append_node(leat_scope *scope, const head *h, leat_value **in, leat_value **out, const leat_attrs *attrs) {
    leat_importer *importer = scope->importer;
    int opset = leat__scope_opset(scope, h->domain);
    if (opset == 0 && h->domain[0] == 0) return leat__fail(importer->error, LEAT_EFORMAT, "the model imports no opset of ai.onnx");
    int status = settle_attrs(importer, attrs);
    if (status != LEAT_OK) return status;
    leat_node *node = leat__graph_node(scope->graph, -1, h->domain, h->op_type, opset ? opset : 1, (int)h->n_in, (int)h->n_out);
    if (!node) return leat__onnx_oom(importer->error);
    node->name = scope->prefix[0] ? leat__arena_printf(importer->arena, "%s%s", scope->prefix, h->name) : h->name;
    if (!node->name) return leat__onnx_oom(importer->error);
    memcpy(node->in, in, h->n_in * sizeof *in);
    memcpy(node->out, out, h->n_out * sizeof *out);
    node->attrs = *attrs;
    for (size_t i = 0; i < h->n_out; i++)
        if (out[i]) out[i]->id = LEAT_VALUE_READY;
    return LEAT_OK;
}

static int read_node(leat_scope *scope, leat_cursor message, const head *h) {
    leat_importer *importer = scope->importer;
    leat_attrs attrs;
    leat_value **in = leat__arena_calloc(&importer->scratch, h->n_in + h->n_out + 1, sizeof *in), **out = in + h->n_in;
    if (!in) return leat__onnx_oom(importer->error);
    if (!h->op_type[0]) return leat__fail(importer->error, LEAT_EFORMAT, "the node has no operator");
    int status = resolve_ports(scope, message, N_INPUT, in);
    if (status == LEAT_OK) status = resolve_ports(scope, message, N_OUTPUT, out);
    if (status == LEAT_OK) status = read_attrs(scope, message, h->n_attrs, &attrs);
    if (status != LEAT_OK) return status;
    leat_onnx_function *function = leat__onnx_function_find(importer, h->domain, h->op_type, h->overload);
    if (function) return leat__onnx_function_inline(scope, function, h->name, in, (int)h->n_in, out, (int)h->n_out, &attrs);
    if (!h->domain[0] && strcmp(h->op_type, "Constant") == 0) return add_constant(importer, &attrs, out, h->n_out);
    return append_node(scope, h, in, out, &attrs);
}

int leat__onnx_node(leat_scope *scope, leat_cursor message) {
    leat_importer *importer = scope->importer;
    head h;
    int status = read_head(importer, message, &h);
    if (status == LEAT_OK && scope->bound && (++importer->inlined > LEAT_ONNX_MAX_INLINED || importer->arena->total > importer->arena_limit))
        status = leat__fail(importer->error, LEAT_ELIMIT, "the model's functions make too many nodes");
    if (status == LEAT_OK) status = read_node(scope, message, &h);
    return status == LEAT_OK || status == LEAT_ENOMEM ? status : node_error(scope, message, h.name, h.op_type, status);
}
