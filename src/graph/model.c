/* model.c - opening, sharing and describing a model (contract in leat/model.h).
 *
 * open: map -> import -> list what is unsupported -> infer -> optimise.  Afterwards the graph is read-only; only the table of
 * packed weights grows, under its own lock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/sized_options.h"
#include "base/str.h"
#include "cpu/cpu.h"
#include "graph/dump.h"
#include "graph/model_impl.h"
#include "graph/optimize.h"

void leat_model_options_default(leat_model_options *options) { *options = (leat_model_options){.size = sizeof *options}; }

/* ---- what the file declares ---------------------------------------------------------------------------------------------- */

static void describe(const leat_value *value, leat_value_info *info) {
    info->name = value->name;
    info->dtype = value->dtype;
    info->rank = value->rank;
    for (int d = 0; d < LEAT_MAX_RANK; d++) {
        info->dims[d] = d < value->rank ? value->dims[d] : -1;
        info->dim_names[d] = d < value->rank ? value->dim_names[d] : NULL;
    }
}

static int keep_declarations(leat_model *model) {
    const leat_graph *graph = model->graph;
    model->inputs = leat__arena_calloc(&model->arena, (size_t)graph->n_inputs + 1, sizeof *model->inputs);
    model->outputs = leat__arena_calloc(&model->arena, (size_t)graph->n_outputs + 1, sizeof *model->outputs);
    if (!model->inputs || !model->outputs) return LEAT_ENOMEM;
    for (int i = 0; i < graph->n_inputs; i++) describe(graph->inputs[i], &model->inputs[i]);
    for (int i = 0; i < graph->n_outputs; i++) describe(graph->outputs[i], &model->outputs[i]);
    return LEAT_OK;
}

int leat__graph_node_count(const leat_graph *graph) {
    int count = graph->n_nodes;
    for (int n = 0; n < graph->n_nodes; n++)
        for (int a = 0; a < graph->nodes[n]->attrs.n; a++)
            if (graph->nodes[n]->attrs.list[a].type == LEAT_ATTR_GRAPH) count += leat__graph_node_count(graph->nodes[n]->attrs.list[a].graph);
    return count;
}

/* ---- unsupported operators --------------------------------------------------------------------------------------------------- */

static const char *reason(const leat_node *node) {
    if (!node->op) return "operator not supported";
    const leat_op *op = node->op;
    if (node->n_in < op->min_in || (op->max_in >= 0 && node->n_in > op->max_in)) return "wrong number of inputs";
    if (node->n_out < op->min_out || (op->max_out >= 0 && node->n_out > op->max_out)) return "wrong number of outputs";
    for (int i = 0; i < op->min_in; i++)
        if (!node->in[i]) return "a required input is missing";
    if (op->min_out > 0 && !node->out[0]) return "the first output is missing";
    return NULL;
}

static int list_unsupported(leat_model *model, const leat_graph *graph) {
    for (int n = 0; n < graph->n_nodes; n++) {
        const leat_node *node = graph->nodes[n];
        const char      *why = reason(node);
        if (why) {
            const char *text = leat__arena_printf(&model->arena, "%s.%s (opset %d) node '%s': %s",
                                                  node->domain[0] ? node->domain : "ai.onnx", node->op_type, node->opset, node->name, why);
            if (!text) return LEAT_ENOMEM;
            model->unsupported[model->n_unsupported++] = text;
        }
        for (int a = 0; a < node->attrs.n; a++)
            if (node->attrs.list[a].type == LEAT_ATTR_GRAPH) {
                int status = list_unsupported(model, node->attrs.list[a].graph);
                if (status != LEAT_OK) return status;
            }
    }
    return LEAT_OK;
}

static int refuse_unsupported(const leat_model *model, leat_error *error) {
    leat_strbuf text = {0};
    for (int i = 0; i < model->n_unsupported; i++) leat__strbuf_addf(&text, "%s%s", i ? "; " : "", model->unsupported[i]);
    leat__fail(error, LEAT_EUNSUPPORTED, "%d unsupported: %s", model->n_unsupported, text.text ? text.text : "");
    leat__strbuf_fini(&text);
    return LEAT_EUNSUPPORTED;
}

static int check_operators(leat_model *model, uint32_t flags, leat_error *error) {
    model->unsupported = leat__arena_calloc(&model->arena, (size_t)model->nodes_file + 1, sizeof *model->unsupported);
    if (!model->unsupported || list_unsupported(model, model->graph) != LEAT_OK)
        return leat__fail(error, LEAT_ENOMEM, "out of memory while checking operators");
    if (model->n_unsupported && !(flags & LEAT_MODEL_ALLOW_UNSUPPORTED)) return refuse_unsupported(model, error);
    return LEAT_OK;
}

/* ---- opening ----------------------------------------------------------------------------------------------------------------- */

static int init_packs(leat_model *model) {
    int n = 0;
    model->maps = leat__arena_calloc(&model->arena, (size_t)model->onnx.n_maps + 1, sizeof *model->maps);
    if (!model->maps) return LEAT_ENOMEM;
    if (model->file.data) model->maps[n++] = model->file;
    for (int i = 0; i < model->onnx.n_maps; i++) model->maps[n++] = model->onnx.maps[i];
    return leat__packs_init(&model->packs, model->maps, n);
}

static int init_pool(leat_model *model, const leat_model_options *options) {
    if (options->pool) {
        model->pool = leat_tpool_ref(options->pool);
        return LEAT_OK;
    }
    int threads = options->threads > 0 ? options->threads : leat_cpu_count();
    return threads > 1 ? leat_tpool_new(threads, &model->pool) : LEAT_OK;
}

static int load(leat_model *model, const void *data, size_t bytes, const char *base_dir, const leat_model_options *options,
                leat_error *error) {
    leat__cpu_init();
    leat__cpu_hold();
    model->holds_level = 1;
    int status = leat__onnx_import(data, bytes, base_dir, options->flags | LEAT_ONNX_IN_PLACE, model->max_bytes, &model->arena, &model->onnx, error);
    if (status != LEAT_OK) return status;
    model->graph = model->onnx.graph;
    model->nodes_file = leat__graph_node_count(model->graph);
    if (keep_declarations(model) != LEAT_OK || leat__model_list_operators(model) != LEAT_OK || init_packs(model) != LEAT_OK ||
        init_pool(model, options) != LEAT_OK)
        return leat__fail(error, LEAT_ENOMEM, "out of memory while opening a model");
    status = check_operators(model, options->flags, error);
    if (status != LEAT_OK || model->n_unsupported) return status;
    status = leat__graph_optimize(model->graph, options->flags, error);
    leat__graph_index(model->graph);
    return status;
}

static leat_model *new_model(const leat_model_options *options) {
    leat_model *model = leat__calloc(1, sizeof *model, LEAT_MEMORY_GRAPH);
    if (!model) return NULL;
    atomic_init(&model->references, 1);
    leat__arena_init(&model->arena, LEAT_MEMORY_GRAPH);
    model->max_bytes = options->max_bytes ? options->max_bytes : UINT64_C(1) << 34;
    return model;
}

static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');
    char       *folder = leat__strdup(slash ? path : ".", LEAT_MEMORY_OTHER);
    if (folder && slash) folder[slash == path ? 1 : slash - path] = 0;
    return folder;
}

int leat_model_open(const char *path, const leat_model_options *options, leat_model **out, leat_error *error) {
    int64_t            start = leat__now_ns();
    leat_model_options wanted;
    leat_model_options_default(&wanted);
    if (out) *out = NULL;
    if (!path || !out) return leat__fail(error, LEAT_EINVAL, "leat_model_open: path and model may not be NULL");
    int status = leat__take_options(&wanted, sizeof wanted, options, "leat_model_options", error);
    if (status != LEAT_OK) return status;
    leat_model *model = new_model(&wanted);
    char       *folder = folder_of(path);
    if (!model || !folder) status = leat__fail(error, LEAT_ENOMEM, "%s: out of memory", path);
    if (status == LEAT_OK) status = leat__map_file(path, &model->file, error);
    if (status == LEAT_OK) {
        status = load(model, model->file.data, model->file.bytes, folder, &wanted, error);
        if (status != LEAT_OK) leat__fail_prefix(error, status, "%s", path);
    }
    leat__free(folder);
    if (status != LEAT_OK) {
        leat_model_unref(model);
        return status;
    }
    model->open_ns = leat__now_ns() - start;
    *out = model;
    return LEAT_OK;
}

int leat_model_open_memory(const void *data, size_t bytes, const leat_model_options *options, leat_model **out, leat_error *error) {
    int64_t            start = leat__now_ns();
    leat_model_options wanted;
    leat_model_options_default(&wanted);
    if (out) *out = NULL;
    if (!data || !out) return leat__fail(error, LEAT_EINVAL, "leat_model_open_memory: data and model may not be NULL");
    int status = leat__take_options(&wanted, sizeof wanted, options, "leat_model_options", error);
    if (status != LEAT_OK) return status;
    leat_model *model = new_model(&wanted);
    if (!model) return leat__fail(error, LEAT_ENOMEM, "out of memory while opening a model");
    status = load(model, data, bytes, NULL, &wanted, error);
    if (status != LEAT_OK) {
        leat_model_unref(model);
        return status;
    }
    model->open_ns = leat__now_ns() - start;
    *out = model;
    return LEAT_OK;
}

leat_model *leat_model_ref(leat_model *model) {
    atomic_fetch_add_explicit(&model->references, 1, memory_order_relaxed);
    return model;
}

void leat_model_unref(leat_model *model) {
    if (!model || atomic_fetch_sub_explicit(&model->references, 1, memory_order_acq_rel) != 1) return;
    if (model->holds_level) leat__cpu_release();
    leat__packs_fini(&model->packs);
    leat__onnx_import_fini(&model->onnx);
    leat__arena_fini(&model->arena);
    leat__unmap(&model->file);
    leat_tpool_unref(model->pool);
    leat__free(model);
}

/* ---- describing -------------------------------------------------------------------------------------------------------------- */

int leat_model_input_count(const leat_model *model) { return model->graph->n_inputs; }
int leat_model_output_count(const leat_model *model) { return model->graph->n_outputs; }

int leat_model_input_info(const leat_model *model, int index, leat_value_info *info) {
    if (index < 0 || index >= model->graph->n_inputs) return LEAT_EINVAL;
    *info = model->inputs[index];
    return LEAT_OK;
}

int leat_model_output_info(const leat_model *model, int index, leat_value_info *info) {
    if (index < 0 || index >= model->graph->n_outputs) return LEAT_EINVAL;
    *info = model->outputs[index];
    return LEAT_OK;
}

static int index_of(const leat_value_info *list, int n, const char *name) {
    for (int i = 0; i < n; i++)
        if (strcmp(list[i].name, name) == 0) return i;
    return -1;
}

int leat_model_input_index(const leat_model *model, const char *name) { return index_of(model->inputs, model->graph->n_inputs, name); }
int leat_model_output_index(const leat_model *model, const char *name) { return index_of(model->outputs, model->graph->n_outputs, name); }

void leat_model_get_info(const leat_model *model, leat_model_info *info) {
    *info = (leat_model_info){.producer = model->onnx.producer, .producer_version = model->onnx.producer_version, .doc = model->onnx.doc};
    info->graph_name = model->graph->name;
    info->ir_version = model->onnx.ir_version;
    info->opset = model->onnx.opset;
    info->parameters = model->onnx.parameters;
    info->file_bytes = model->onnx.file_bytes;
    info->nodes_file = model->nodes_file;
    info->nodes_run = leat__graph_node_count(model->graph);
    info->unsupported = model->n_unsupported;
    info->open_ns = model->open_ns;
}

const char *leat_model_unsupported(const leat_model *model, int index) {
    return index >= 0 && index < model->n_unsupported ? model->unsupported[index] : NULL;
}

int leat_model_dump(const leat_model *model, leat_dump_format format, char **text) {
    leat_strbuf buf = {0};
    leat__graph_dump(model->graph, format, &buf);
    *text = leat__strbuf_take(&buf);
    return *text ? LEAT_OK : LEAT_ENOMEM;
}

void leat_free(void *pointer) { leat__free(pointer); }
