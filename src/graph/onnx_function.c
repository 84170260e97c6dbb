/* onnx_function.c - model-local functions (FunctionProto), inlined where they are called.
 *
 *   1 name   4 input*   5 output*   7 node*   9 opset_import*   10 domain   11 attribute_proto* (defaults)   13 overload
 *
 * The body gets a scope of its own that sees nothing of the caller but the values bound to its inputs.  What a body node makes under
 * the name of a formal output is the caller's value itself.  Depth and number of nodes are limited, since functions that call
 * functions twice grow exponentially.
 */
#include <string.h>

#include "graph/onnx_internal.h"

enum { F_NAME = 1, F_INPUT = 4, F_OUTPUT = 5, F_NODE = 7, F_OPSET = 9, F_DOMAIN = 10, F_DEFAULT = 11, F_OVERLOAD = 13 };

/* ---- declarations ------------------------------------------------------------------------------------------------------- */

static int read_function_field(leat_importer *importer, const leat_field *field, leat_onnx_function *f, const char **overload) {
    const char **text = NULL;
    switch (field->number) {
    case F_NAME: text = &f->name; break;
    case F_DOMAIN: text = &f->domain; break;
    case F_OVERLOAD: text = overload; break;
    case F_INPUT: text = &f->inputs[f->n_inputs++]; break;
    case F_OUTPUT: text = &f->outputs[f->n_outputs++]; break;
    case F_OPSET: return leat__onnx_opset_entry(importer, field->body, &f->opsets);
    default: return LEAT_OK;
    }
    return leat__wire_name(field, importer->arena, text, importer->error);
}

/* Room for the names of inputs and outputs. */
static int size_lists(leat_importer *importer, leat_cursor message, leat_onnx_function *f) {
    leat_field field;
    size_t inputs = 0, outputs = 0;
    while (leat__wire_next(&message, &field)) {
        inputs += field.number == F_INPUT;
        outputs += field.number == F_OUTPUT;
    }
    if (inputs > INT32_MAX || outputs > INT32_MAX) return leat__fail(importer->error, LEAT_ELIMIT, "a function has too many inputs or outputs");
    f->inputs = leat__arena_calloc(&importer->scratch, inputs + 1, sizeof *f->inputs);
    f->outputs = leat__arena_calloc(&importer->scratch, outputs + 1, sizeof *f->outputs);
    return f->inputs && f->outputs ? LEAT_OK : leat__onnx_oom(importer->error);
}

static char *function_key(leat_importer *importer, const char *domain, const char *name, const char *overload) {
    return leat__arena_printf(&importer->scratch, "%s\n%s\n%s", domain, name, overload);
}

int leat__onnx_function_add(leat_importer *importer, leat_cursor message) {
    leat_onnx_function *f = leat__arena_calloc(&importer->scratch, 1, sizeof *f);
    const char *overload = "";
    leat_field field;
    if (!f) return leat__onnx_oom(importer->error);
    f->message = message;
    f->name = f->domain = "";
    int status = size_lists(importer, message, f);
    while (status == LEAT_OK && leat__wire_next(&message, &field)) status = read_function_field(importer, &field, f, &overload);
    if (status == LEAT_OK) status = leat__wire_end(&message, "a function", importer->error);
    if (status != LEAT_OK) return leat__fail_prefix(importer->error, status, "function '%.100s'", f->name);
    if (strcmp(f->domain, "ai.onnx") == 0) f->domain = "";
    char *key = function_key(importer, f->domain, f->name, overload);
    if (!key) return leat__onnx_oom(importer->error);
    if (leat__names_find(&importer->functions, key, strlen(key)))
        return leat__fail(importer->error, LEAT_EFORMAT, "function '%.100s' is defined twice", f->name);
    return leat__names_add(&importer->functions, key, strlen(key), f) ? LEAT_OK : leat__onnx_oom(importer->error);
}

leat_onnx_function *leat__onnx_function_find(leat_importer *importer, const char *domain, const char *name, const char *overload) {
    if (importer->functions.count == 0) return NULL;
    char *key = function_key(importer, domain, name, overload);
    const leat_name_entry *entry = key ? leat__names_find(&importer->functions, key, strlen(key)) : NULL;
    return entry ? entry->item : NULL;
}

/* ---- inlining ----------------------------------------------------------------------------------------------------------- */

typedef struct call {
    leat_scope          scope; /* of the body */
    leat_onnx_function *function;
    leat_value        **in, **out;
    int                 n_in, n_out;
    leat_names          results;
    leat_attrs          bound;
} call;

/* Binds formal inputs to the caller's values, and notes which value each formal output stands for. */
static int bind_values(call *c) {
    leat_importer *importer = c->scope.importer;
    const leat_onnx_function *f = c->function;
    if (c->n_in > f->n_inputs || c->n_out > f->n_outputs)
        return leat__fail(importer->error, LEAT_EFORMAT, "the call has %d inputs and %d outputs, function '%.100s' %d and %d", c->n_in,
                          c->n_out, f->name, f->n_inputs, f->n_outputs);
    for (int i = 0; i < f->n_inputs; i++) {
        size_t length = strlen(f->inputs[i]);
        if (leat__names_find(&c->scope.names, f->inputs[i], length))
            return leat__fail(importer->error, LEAT_EFORMAT, "function '%.100s': input '%.100s' is declared twice", f->name, f->inputs[i]);
        if (!leat__names_add(&c->scope.names, f->inputs[i], length, i < c->n_in ? c->in[i] : NULL)) return leat__onnx_oom(importer->error);
    }
    for (int i = 0; i < f->n_outputs; i++) {
        size_t length = strlen(f->outputs[i]);
        if (leat__names_find(&c->results, f->outputs[i], length))
            return leat__fail(importer->error, LEAT_EFORMAT, "function '%.100s': output '%.100s' is declared twice", f->name, f->outputs[i]);
        if (!leat__names_add(&c->results, f->outputs[i], length, i < c->n_out ? c->out[i] : NULL)) return leat__onnx_oom(importer->error);
    }
    return LEAT_OK;
}

/* Attributes of the call, then the function's defaults for those that it does not give. */
static int bind_attrs(call *c, const leat_attrs *given) {
    leat_importer *importer = c->scope.importer;
    leat_cursor message = c->function->message;
    leat_field field;
    size_t defaults = 0;
    while (leat__wire_next(&message, &field)) defaults += field.number == F_DEFAULT;
    c->bound.list = leat__arena_calloc(importer->arena, (size_t)given->n + defaults + 1, sizeof *c->bound.list);
    if (!c->bound.list) return leat__onnx_oom(importer->error);
    if (given->n) memcpy(c->bound.list, given->list, (size_t)given->n * sizeof *given->list);
    c->bound.n = given->n;
    c->scope.bound = &c->bound;
    message = c->function->message;
    while (leat__wire_next(&message, &field)) {
        leat_attr attr;
        int present;
        if (field.number != F_DEFAULT) continue;
        int status = leat__onnx_attr(&c->scope, field.body, &attr, &present);
        if (status != LEAT_OK) return status;
        if (present && !leat__attr(given, attr.name)) c->bound.list[c->bound.n++] = attr;
    }
    return LEAT_OK;
}

static int add_body(call *c) {
    leat_field field;
    leat_cursor message = c->function->message;
    int status = LEAT_OK;
    while (status == LEAT_OK && leat__wire_next(&message, &field))
        if (field.number == F_NODE) status = leat__onnx_node_outputs(&c->scope, field.body);
    message = c->function->message;
    while (status == LEAT_OK && leat__wire_next(&message, &field))
        if (field.number == F_NODE) status = leat__onnx_node(&c->scope, field.body);
    return status;
}

/* A result that is an input of the function as it came, not made by a node: copied by an Identity. */
static int pass_through(call *c, leat_value *from, leat_value *to) {
    leat_importer *importer = c->scope.importer;
    int opset = leat__scope_opset(&c->scope, "");
    leat_node *node = leat__graph_node(c->scope.graph, -1, "", "Identity", opset ? opset : 13, 1, 1);
    if (!node) return leat__onnx_oom(importer->error);
    node->name = c->scope.prefix;
    node->in[0] = from;
    node->out[0] = to;
    to->id = LEAT_VALUE_READY;
    return LEAT_OK;
}

static int check_results(call *c) {
    leat_importer *importer = c->scope.importer;
    for (int i = 0; i < c->n_out; i++) {
        const char *name = c->function->outputs[i];
        const leat_name_entry *entry = leat__names_find(&c->scope.names, name, strlen(name));
        if (!c->out[i] || (entry && entry->item == c->out[i])) continue;
        if (!entry || !entry->item)
            return leat__fail(importer->error, LEAT_EFORMAT, "function '%.100s' does not make its output '%.100s'", c->function->name, name);
        int status = pass_through(c, entry->item, c->out[i]);
        if (status != LEAT_OK) return status;
    }
    return LEAT_OK;
}

int leat__onnx_function_inline(leat_scope *scope, leat_onnx_function *function, const char *call_name, leat_value **in, int n_in,
                               leat_value **out, int n_out, const leat_attrs *attrs) {
    leat_importer *importer = scope->importer;
    call c = {.function = function, .in = in, .out = out, .n_in = n_in, .n_out = n_out};
    c.scope = (leat_scope){.importer = importer, .graph = scope->graph, .names.arena = &importer->scratch, .opsets = &function->opsets,
                           .results = &c.results, .unsorted = scope->unsorted};
    c.results.arena = &importer->scratch;
    if (function->active) return leat__fail(importer->error, LEAT_EFORMAT, "function '%.100s' calls itself", function->name);
    if (importer->depth >= LEAT_ONNX_MAX_DEPTH) return leat__fail(importer->error, LEAT_ELIMIT, "functions are nested too deeply");
    const char *shown = call_name[0] ? call_name : function->name;
    c.scope.prefix = leat__arena_printf(importer->arena, "%s%s#%d/", scope->prefix, shown, ++importer->calls);
    if (!c.scope.prefix) return leat__onnx_oom(importer->error);
    function->active = 1;
    importer->depth++;
    int status = bind_values(&c);
    if (status == LEAT_OK) status = bind_attrs(&c, attrs);
    if (status == LEAT_OK) status = add_body(&c);
    if (status == LEAT_OK) status = check_results(&c);
    importer->depth--;
    function->active = 0;
    return status;
}
