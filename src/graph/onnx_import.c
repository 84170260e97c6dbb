/* onnx_import.c - ModelProto and GraphProto to leat_graph.
 *
 * A graph is walked once per kind of thing (initializers, inputs, what nodes make, nodes, outputs), since the fields of a message may
 * come in any order and a node may read what a later one makes.  A walk only hops from length to length: weights are not touched.
 *
 *   ModelProto  1 ir_version  2 producer_name  3 producer_version  6 doc_string  7 graph  8 opset_import*  25 functions*
 *   GraphProto  1 node*  2 name  5 initializer*  11 input*  12 output*  13 value_info* (ignored: often wrong)  15 sparse_initializer*
 */
#include "graph/onnx_import.h"

#include <inttypes.h>
#include <string.h>

#include "graph/onnx_internal.h"
#include "leat/model.h"

#define IR_OLDEST 1 /* files of IR 1 and 2 that import an opset differ in nothing that is read here */
#define IR_NEWEST 13
#define OPSET_OLDEST 6
#define OPSET_NEWEST 28

enum { M_IR = 1, M_PRODUCER = 2, M_PRODUCER_VERSION = 3, M_DOC = 6, M_GRAPH = 7, M_OPSET = 8, M_FUNCTION = 25 };
enum { G_NODE = 1, G_NAME = 2, G_INITIALIZER = 5, G_INPUT = 11, G_OUTPUT = 12, G_SPARSE = 15 };

int leat__onnx_oom(leat_error *error) { return leat__fail(error, LEAT_ENOMEM, "out of memory while reading the model"); }

/* ---- scopes ------------------------------------------------------------------------------------------------------------- */

int leat__scope_define(leat_scope *scope, const char *name, leat_value **value) {
    leat_error *error = scope->importer->error;
    size_t length = strlen(name);
    if (leat__names_find(&scope->names, name, length)) return leat__fail(error, LEAT_EFORMAT, "value '%.200s' is defined twice", name);
    const char *full = scope->prefix[0] ? leat__arena_printf(scope->importer->arena, "%s%s", scope->prefix, name) : name;
    *value = full ? leat__graph_value(scope->graph, full) : NULL;
    if (!*value || !leat__names_add(&scope->names, name, length, *value)) return leat__onnx_oom(error);
    (*value)->id = LEAT_VALUE_READY;
    return LEAT_OK;
}

/* A value that a later node makes: the graph it belongs to needs sorting.  Its scope is `scope` or one further out. */
static void mark_unsorted(leat_scope *scope, const leat_value *value) {
    for (; scope; scope = scope->outer)
        if (scope->graph == value->graph) *scope->unsorted = 1;
}

int leat__scope_resolve(leat_scope *scope, const char *name, size_t length, leat_value **value) {
    for (leat_scope *s = scope; s; s = s->outer) {
        const leat_name_entry *entry = leat__names_find(&s->names, name, length);
        if (!entry) continue;
        *value = entry->item;
        if (*value && (*value)->id == LEAT_VALUE_PENDING) mark_unsorted(s, *value);
        return LEAT_OK;
    }
    int shown = length < 200 ? (int)length : 200;
    return leat__fail(scope->importer->error, LEAT_EFORMAT, "value '%.*s' is not defined", shown, name);
}

static int find_opset(const leat_onnx_opsets *opsets, const char *domain) {
    for (int i = 0; i < opsets->n; i++)
        if (strcmp(opsets->list[i].domain, domain) == 0) return opsets->list[i].version;
    return 0;
}

int leat__scope_opset(const leat_scope *scope, const char *domain) {
    int version = find_opset(scope->opsets, domain);
    return version ? version : find_opset(&scope->importer->opsets, domain);
}

/* ---- opsets ------------------------------------------------------------------------------------------------------------- */

int leat__onnx_opset_entry(leat_importer *importer, leat_cursor message, leat_onnx_opsets *opsets) {
    leat_field field;
    const char *domain = "";
    int64_t version = 0;
    uint64_t offset = leat__cursor_offset(&message);
    while (leat__wire_next(&message, &field)) {
        int status = field.number == 1 ? leat__wire_name(&field, importer->arena, &domain, importer->error) : LEAT_OK;
        if (status != LEAT_OK) return status;
        if (field.number == 2) version = (int64_t)field.value;
    }
    int status = leat__wire_end(&message, "an opset import", importer->error);
    if (status != LEAT_OK) return status;
    if (strcmp(domain, "ai.onnx") == 0) domain = "";
    int core = domain[0] == 0;
    if (version < (core ? OPSET_OLDEST : 1) || version > (core ? OPSET_NEWEST : INT32_MAX))
        return leat__fail_at(importer->error, LEAT_EUNSUPPORTED, offset, "opset %" PRId64 " of %s is not supported (%d..%d); convert the model",
                             version, core ? "ai.onnx" : domain, core ? OPSET_OLDEST : 1, core ? OPSET_NEWEST : INT32_MAX);
    leat_onnx_opset *list = leat__arena_calloc(importer->arena, (size_t)opsets->n + 1, sizeof *list);
    if (!list) return leat__onnx_oom(importer->error);
    if (opsets->n) memcpy(list, opsets->list, (size_t)opsets->n * sizeof *list);
    list[opsets->n] = (leat_onnx_opset){domain, (int)version};
    opsets->list = list;
    opsets->n++;
    return LEAT_OK;
}

/* ---- declared types ----------------------------------------------------------------------------------------------------- */

/* TensorShapeProto.Dimension: 1 dim_value, 2 dim_param. */
static int read_dim(leat_importer *importer, leat_cursor message, leat_value *value) {
    leat_field field;
    int i = value->rank++;
    while (leat__wire_next(&message, &field)) {
        if (field.number == 1 && field.wire == LEAT_WIRE_VARINT) value->dims[i] = (int64_t)field.value < 0 ? -1 : (int64_t)field.value;
        int status = field.number == 2 ? leat__wire_name(&field, importer->arena, &value->dim_names[i], importer->error) : LEAT_OK;
        if (status != LEAT_OK) return status;
    }
    if (value->dim_names[i] && !value->dim_names[i][0]) value->dim_names[i] = NULL;
    if (value->dim_names[i]) value->dims[i] = -1;
    return leat__wire_end(&message, "a dimension", importer->error);
}

static int read_shape(leat_importer *importer, leat_cursor message, leat_value *value) {
    leat_field field;
    value->rank = 0;
    while (leat__wire_next(&message, &field)) {
        if (field.number != 1) continue;
        if (value->rank == LEAT_MAX_RANK)
            return leat__fail(importer->error, LEAT_EUNSUPPORTED, "value '%.200s' has more than %d dimensions", value->name, LEAT_MAX_RANK);
        int status = read_dim(importer, field.body, value);
        if (status != LEAT_OK) return status;
    }
    return leat__wire_end(&message, "a shape", importer->error);
}

/* TypeProto.Tensor: 1 elem_type, 2 shape. */
static int read_tensor_type(leat_importer *importer, leat_cursor message, leat_value *value) {
    leat_field field;
    while (leat__wire_next(&message, &field)) {
        int status = LEAT_OK;
        if (field.number == 1 && field.value != 0) status = leat__onnx_dtype((int64_t)field.value, &value->dtype, importer->error);
        if (field.number == 2) status = read_shape(importer, field.body, value);
        if (status != LEAT_OK) return leat__fail_prefix(importer->error, status, "value '%.200s'", value->name);
    }
    return leat__wire_end(&message, "a tensor type", importer->error);
}

/* TypeProto: 1 tensor, 4 sequence, 5 map, 7 opaque, 8 sparse tensor, 9 optional.  Inside the model a sequence is a packed vector of
 * bytes (ops/sequence.c), so an inner graph may take and give one; the model itself may not. */
static int read_type(leat_importer *importer, leat_cursor message, leat_value *value) {
    leat_field field;
    while (leat__wire_next(&message, &field)) {
        int status = LEAT_OK;
        if (field.number == 1) status = read_tensor_type(importer, field.body, value);
        if (field.number == 4 && value->graph->parent) {
            value->dtype = LEAT_DTYPE_U8;
            value->rank = 1;
            value->dims[0] = -1;
        } else if (field.number >= 4 && field.number <= 9 && field.number != 6)
            status = leat__fail_at(importer->error, LEAT_EUNSUPPORTED, leat__cursor_offset(&message),
                                   "value '%.200s' is a sequence, map, optional or sparse tensor, which are not supported", value->name);
        if (status != LEAT_OK) return status;
    }
    return leat__wire_end(&message, "a type", importer->error);
}

/* ValueInfoProto: 1 name, 2 type.  *type: empty when absent. */
static int read_value_info(leat_importer *importer, leat_cursor message, const char **name, leat_cursor *type) {
    leat_field field;
    *name = "";
    *type = (leat_cursor){message.base, message.at, message.at, 0};
    while (leat__wire_next(&message, &field)) {
        int status = field.number == 1 ? leat__wire_name(&field, importer->arena, name, importer->error) : LEAT_OK;
        if (status != LEAT_OK) return status;
        if (field.number == 2) *type = field.body;
    }
    return leat__wire_end(&message, "an input or output", importer->error);
}

/* ---- graphs ------------------------------------------------------------------------------------------------------------- */

void leat__value_set_constant(leat_value *value, leat_tensor *tensor) {
    value->constant = tensor;
    value->dtype = tensor->dtype;
    value->rank = tensor->rank;
    memcpy(value->dims, tensor->dims, sizeof value->dims);
    value->id = LEAT_VALUE_READY;
}

static int add_initializer(leat_scope *scope, const leat_field *field) {
    leat_importer *importer = scope->importer;
    const char *name;
    leat_value *value;
    leat_tensor *tensor = leat__arena_calloc(importer->arena, 1, sizeof *tensor);
    if (!tensor) return leat__onnx_oom(importer->error);
    int status = field->number == G_SPARSE ? leat__onnx_sparse(&importer->source, field->body, tensor, &name)
                                           : leat__onnx_tensor(&importer->source, field->body, tensor, &name);
    if (status != LEAT_OK) return leat__fail_prefix(importer->error, status, "initializer");
    if (!name[0]) return leat__fail_at(importer->error, LEAT_EFORMAT, leat__cursor_offset(&field->body), "an initializer without a name");
    status = leat__scope_define(scope, name, &value);
    if (status != LEAT_OK) return status;
    leat__value_set_constant(value, tensor);
    importer->out->parameters += leat_tensor_count(tensor);
    return LEAT_OK;
}

static int add_input(leat_scope *scope, const leat_field *field) {
    leat_importer *importer = scope->importer;
    leat_graph *graph = scope->graph;
    const char *name;
    leat_cursor type;
    leat_value *value;
    int status = read_value_info(importer, field->body, &name, &type);
    if (status != LEAT_OK) return status;
    const leat_name_entry *known = leat__names_find(&scope->names, name, strlen(name));
    if (known && ((leat_value *)known->item)->constant) return LEAT_OK; /* an initializer: its data is the input's only value here */
    if (!name[0]) return leat__fail_at(importer->error, LEAT_EFORMAT, leat__cursor_offset(&field->body), "an input without a name");
    status = leat__scope_define(scope, name, &value);
    if (status != LEAT_OK) return status;
    value->is_input = 1;
    graph->inputs[graph->n_inputs++] = value;
    return read_type(importer, type, value);
}

/* The declared type of an output is kept only for what nobody else knows: symbols, and dims when nothing better is inferred. */
static int add_output(leat_scope *scope, const leat_field *field) {
    leat_importer *importer = scope->importer;
    const char *name;
    leat_cursor type;
    leat_value *value;
    int status = read_value_info(importer, field->body, &name, &type);
    if (status == LEAT_OK) status = leat__scope_resolve(scope, name, strlen(name), &value);
    if (status != LEAT_OK) return leat__fail_prefix(importer->error, status, "output of graph '%.100s'", scope->graph->name);
    scope->graph->outputs[scope->graph->n_outputs++] = value;
    value->is_output = 1;
    if (value->graph != scope->graph || value->is_input || value->constant) return LEAT_OK;
    return read_type(importer, type, value);
}

/* Calls `each` for all fields of that number (or its sparse twin). */
static int for_fields(leat_scope *scope, leat_cursor message, uint64_t number, int (*each)(leat_scope *, const leat_field *)) {
    leat_field field;
    while (leat__wire_next(&message, &field)) {
        if (field.number != number && !(number == G_INITIALIZER && field.number == G_SPARSE)) continue;
        int status = each(scope, &field);
        if (status != LEAT_OK) return status;
    }
    return leat__wire_end(&message, "the graph", scope->importer->error);
}

static int define_outputs(leat_scope *scope, const leat_field *field) { return leat__onnx_node_outputs(scope, field->body); }
static int add_node(leat_scope *scope, const leat_field *field) { return leat__onnx_node(scope, field->body); }

/* Name and the sizes of the lists. */
static int start_graph(leat_importer *importer, leat_cursor message, leat_graph *graph) {
    leat_field field;
    size_t inputs = 0, outputs = 0;
    graph->arena = importer->arena;
    graph->name = "";
    while (leat__wire_next(&message, &field)) {
        inputs += field.number == G_INPUT;
        outputs += field.number == G_OUTPUT;
        if (field.number == G_NAME) graph->name = leat__wire_text(&field, importer->arena);
    }
    graph->inputs = leat__arena_calloc(importer->arena, inputs + 1, sizeof *graph->inputs);
    graph->outputs = leat__arena_calloc(importer->arena, outputs + 1, sizeof *graph->outputs);
    if (!graph->name || !graph->inputs || !graph->outputs) return leat__onnx_oom(importer->error);
    return leat__wire_end(&message, "the graph", importer->error);
}

static int fill_graph(leat_scope *scope, leat_cursor message) {
    int status = for_fields(scope, message, G_INITIALIZER, add_initializer);
    if (status == LEAT_OK) status = for_fields(scope, message, G_INPUT, add_input);
    if (status == LEAT_OK) status = for_fields(scope, message, G_NODE, define_outputs);
    if (status == LEAT_OK) status = for_fields(scope, message, G_NODE, add_node);
    if (status == LEAT_OK) status = for_fields(scope, message, G_OUTPUT, add_output);
    return status;
}

int leat__onnx_graph(leat_importer *importer, leat_cursor message, leat_scope *outer, leat_graph **graph) {
    int unsorted = 0;
    *graph = leat__arena_calloc(importer->arena, 1, sizeof **graph);
    if (!*graph) return leat__onnx_oom(importer->error);
    if (importer->depth >= LEAT_ONNX_MAX_DEPTH)
        return leat__fail_at(importer->error, LEAT_ELIMIT, leat__cursor_offset(&message), "graphs are nested too deeply");
    leat_scope scope = {.importer = importer, .outer = outer, .graph = *graph, .names.arena = &importer->scratch, .prefix = "", .unsorted = &unsorted};
    scope.opsets = outer ? outer->opsets : &importer->opsets;
    scope.bound = outer ? outer->bound : NULL;
    (*graph)->parent = outer ? outer->graph : NULL;
    (*graph)->opset = leat__scope_opset(&scope, "");
    importer->depth++;
    int status = start_graph(importer, message, *graph);
    if (status == LEAT_OK) status = fill_graph(&scope, message);
    importer->depth--;
    if (status == LEAT_OK && unsorted) status = leat__graph_sort(*graph, importer->error);
    return status;
}

/* ---- model -------------------------------------------------------------------------------------------------------------- */

static int read_model_field(leat_importer *importer, const leat_field *field, leat_cursor *graph) {
    leat_onnx_model *out = importer->out;
    const char **text = field->number == M_PRODUCER ? &out->producer : field->number == M_PRODUCER_VERSION ? &out->producer_version
                      : field->number == M_DOC ? &out->doc : NULL;
    if (text) {
        *text = leat__wire_text(field, importer->arena);
        return *text ? LEAT_OK : leat__onnx_oom(importer->error);
    }
    switch (field->number) {
    case M_IR: out->ir_version = (int64_t)field->value; return LEAT_OK;
    case M_OPSET: return leat__onnx_opset_entry(importer, field->body, &importer->opsets);
    case M_FUNCTION: return leat__onnx_function_add(importer, field->body);
    case M_GRAPH:
        if (field->wire == LEAT_WIRE_BYTES) *graph = field->body;
        return LEAT_OK;
    default: return LEAT_OK;
    }
}

static int read_model(leat_importer *importer, leat_cursor message) {
    leat_onnx_model *out = importer->out;
    leat_error *error = importer->error;
    leat_field field;
    leat_cursor graph = {0};
    if (leat__cursor_left(&message) >= 4 && memcmp(message.at, "GGUF", 4) == 0)
        return leat__fail(error, LEAT_EFORMAT, "this is a GGUF file, not an ONNX model: leat_lm_open() opens language models (leat generate, leat inspect)");
    while (leat__wire_next(&message, &field)) {
        int status = read_model_field(importer, &field, &graph);
        if (status != LEAT_OK) return status;
    }
    int status = leat__wire_end(&message, "the model", error);
    if (status != LEAT_OK) return status;
    if (!graph.base) return leat__fail(error, LEAT_EFORMAT, "no graph: this is not an ONNX model");
    if (out->ir_version < IR_OLDEST || out->ir_version > IR_NEWEST)
        return leat__fail(error, LEAT_EUNSUPPORTED, "IR version %" PRId64 " is not supported (%d..%d)", out->ir_version, IR_OLDEST, IR_NEWEST);
    status = leat__onnx_graph(importer, graph, NULL, &out->graph);
    if (status != LEAT_OK) return status;
    out->opset = out->graph->opset;
    leat__graph_index(out->graph);
    return LEAT_OK;
}

/* Hands the mappings over to *out. */
static int keep_maps(leat_importer *importer) {
    leat_onnx_source *source = &importer->source;
    leat_onnx_model *out = importer->out;
    out->maps = leat__arena_calloc(importer->arena, (size_t)source->n_files + 1, sizeof *out->maps);
    if (!out->maps) return leat__onnx_oom(importer->error);
    for (int i = 0; i < source->n_files; i++) {
        out->maps[i] = source->files[i].mapping;
        out->file_bytes += source->files[i].mapping.bytes;
    }
    out->n_maps = source->n_files;
    return LEAT_OK;
}

int leat__onnx_import(const void *data, size_t bytes, const char *base_dir, uint32_t flags, uint64_t max_bytes, leat_arena *arena,
                      leat_onnx_model *out, leat_error *error) {
    leat_cursor message = leat__cursor(data, bytes);
    leat_importer importer = {.arena = arena, .out = out, .error = error};
    /* A model in a file was mapped by leat__map_file(), which leaves a page behind it; memory of the caller's has nothing. */
    importer.source = (leat_onnx_source){.end = message.end, .tail = base_dir ? LEAT_TAIL_BYTES : 0, .base_dir = base_dir, .flags = flags,
                                         .max_bytes = max_bytes ? max_bytes : LEAT_ONNX_MAX_BYTES, .arena = arena, .error = error};
    importer.arena_limit = arena->total + (size_t)importer.source.max_bytes + 64 * bytes;
    leat__arena_init(&importer.scratch, LEAT_MEMORY_GRAPH);
    importer.functions.arena = &importer.scratch;
    *out = (leat_onnx_model){.producer = "", .producer_version = "", .doc = "", .file_bytes = bytes};
    int status = read_model(&importer, message);
    if (status == LEAT_OK) status = keep_maps(&importer);
    leat__arena_fini(&importer.scratch);
    if (status != LEAT_OK) {
        leat__onnx_extern_fini(&importer.source);
        *out = (leat_onnx_model){0};
    }
    return status;
}

void leat__onnx_import_fini(leat_onnx_model *model) {
    for (int i = 0; i < model->n_maps; i++) leat__unmap(&model->maps[i]);
    model->n_maps = 0;
}
