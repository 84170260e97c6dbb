/* cmd_inspect.c - `leat inspect`: what a model is made of; --check, --dot, --dump. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect_gguf.h"
#include "options.h"
#include "report.h"
#include "session.h"
#include "term.h"

#define LARGEST 5

/* What can only be told once the shapes are known. */
typedef struct plan_facts {
    int                known;
    leat_context_stats stats;
    leat_node_stats    largest[LARGEST]; /* by bytes of their output; strings live as long as the context */
    int                n_largest;
} plan_facts;

static void note_largest(plan_facts *facts, const leat_node_stats *node) {
    size_t bytes = leat_tensor_bytes(&node->output);
    if (bytes == SIZE_MAX) return;
    int at = facts->n_largest;
    while (at > 0 && bytes > leat_tensor_bytes(&facts->largest[at - 1].output)) at--;
    if (at == LARGEST) return;
    if (facts->n_largest < LARGEST) facts->n_largest++;
    memmove(&facts->largest[at + 1], &facts->largest[at], (size_t)(facts->n_largest - 1 - at) * sizeof *facts->largest);
    facts->largest[at] = *node;
}

/* Prepares a context if the shapes are given or can be guessed; says on stderr why not. */
static plan_facts plan(leat_model *model, const cli_args *args, leat_context **context) {
    plan_facts      facts = {0};
    cli_inputs      inputs = {0};
    leat_error      error = {0};
    leat_node_stats node;
    int asked = 0;
    for (int i = 0; i < args->n_items; i++) asked |= args->items[i].id == OPT_SHAPE || args->items[i].id == OPT_INPUT;
    if (cli_inputs_make(model, args, CLI_FILL_SHAPES, 0, !asked, &inputs) == CLI_DONE && leat_context_open(model, NULL, context, &error) == LEAT_OK) {
        int failed = LEAT_OK;
        for (int i = 0; failed == LEAT_OK && i < inputs.count; i++) failed = leat_context_set_input(*context, i, &inputs.tensors[i], &error);
        if (failed == LEAT_OK) failed = leat_context_prepare(*context, &error);
        facts.known = failed == LEAT_OK;
        if (failed != LEAT_OK) cli_note("not planned: %s", error.message);
    } else if (!asked) {
        cli_note("not planned: the inputs have open dimensions; give --shape");
    }
    cli_inputs_fini(&inputs);
    if (!facts.known) return facts;
    leat_context_get_stats(*context, &facts.stats);
    for (int i = 0; leat_context_node(*context, i, &node) == LEAT_OK; i++) note_largest(&facts, &node);
    return facts;
}

/* ---- text ----------------------------------------------------------------------------------------------------------------- */

static void print_values(const leat_model *model, const char *what, int count, int (*get)(const leat_model *, int, leat_value_info *)) {
    for (int i = 0; i < count; i++) {
        leat_value_info info;
        char shape[256];
        if (get(model, i, &info) != LEAT_OK) continue;
        printf("  %-8s %s  %s\n", what, info.name, cli_shape_text(info.dtype, info.rank, info.dims, info.dim_names, shape, sizeof shape));
    }
}

static void print_operators(const leat_model *model) {
    cli_table table;
    leat_operator_info op;
    cli_table_init(&table, "operator|domain|opset|nodes|supported", 2);
    for (int i = 0; leat_model_operator(model, i, &op) == LEAT_OK; i++) {
        cli_table_row(&table);
        cli_table_set(&table, 0, "%s", op.op);
        cli_table_set(&table, 1, "%s", op.domain);
        cli_table_set(&table, 2, "%d", op.opset);
        cli_table_set(&table, 3, "%d", op.count);
        cli_table_set(&table, 4, "%s", op.supported == op.count ? "yes" : op.supported ? "partly" : "no");
    }
    putchar('\n');
    cli_table_print(&table);
    cli_table_fini(&table);
}

static void print_plan(const plan_facts *facts) {
    char text[4][32], shape[256];
    const leat_context_stats *s = &facts->stats;
    printf("\n  %s MACs a run, arena %s, weights %s in place + %s packed\n", cli_count_text((double)s->macs, text[0], 32),
           cli_bytes_text((double)s->arena_bytes, text[1], 32), cli_bytes_text((double)s->weight_bytes_mapped, text[2], 32),
           cli_bytes_text((double)s->weight_bytes_packed, text[3], 32));
    puts("  largest activations:");
    for (int i = 0; i < facts->n_largest; i++) {
        const leat_tensor *t = &facts->largest[i].output;
        printf("    %10s  %s %s %s\n", cli_bytes_text((double)leat_tensor_bytes(t), text[0], 32), facts->largest[i].op,
               cli_shape_text(t->dtype, t->rank, t->dims, NULL, shape, sizeof shape), facts->largest[i].name);
    }
}

static void print_text(const leat_model *model, const char *path, const plan_facts *facts) {
    leat_model_info info;
    char text[2][32];
    leat_model_get_info(model, &info);
    printf("%s: graph '%s' by %s %s, IR %lld, opset %d, %s, opened in %.1f ms\n", path, info.graph_name, info.producer, info.producer_version,
           (long long)info.ir_version, info.opset, cli_bytes_text((double)info.file_bytes, text[0], 32), (double)info.open_ns / 1e6);
    printf("  %s parameters, %d nodes in the file, %d after folding and fusion\n", cli_count_text((double)info.parameters, text[1], 32),
           info.nodes_file, info.nodes_run);
    print_values(model, "input", leat_model_input_count(model), leat_model_input_info);
    print_values(model, "output", leat_model_output_count(model), leat_model_output_info);
    print_operators(model);
    if (facts->known) print_plan(facts);
    for (int i = 0; leat_model_unsupported(model, i); i++) printf("  unsupported: %s\n", leat_model_unsupported(model, i));
}

/* ---- JSON ----------------------------------------------------------------------------------------------------------------- */

static json_t *json_values(const leat_model *model, int count, int (*get)(const leat_model *, int, leat_value_info *)) {
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        leat_value_info info;
        if (get(model, i, &info) == LEAT_OK)
            json_array_append_new(list, json_pack("{s:o, s:s, s:o}", "name", cli_json_text(info.name), "dtype", leat_dtype_name(info.dtype), "shape",
                                                  cli_json_shape(info.rank, info.dims, info.dim_names)));
    }
    return list;
}

static json_t *json_operators(const leat_model *model) {
    json_t *list = json_array();
    leat_operator_info op;
    for (int i = 0; leat_model_operator(model, i, &op) == LEAT_OK; i++)
        json_array_append_new(list, json_pack("{s:o, s:o, s:i, s:i, s:b}", "domain", cli_json_text(op.domain), "op", cli_json_text(op.op), "opset", op.opset, "count", op.count,
                                              "supported", op.supported == op.count));
    return list;
}

static json_t *json_unsupported(const leat_model *model) {
    json_t *list = json_array();
    for (int i = 0; leat_model_unsupported(model, i); i++) json_array_append_new(list, cli_json_text(leat_model_unsupported(model, i)));
    return list;
}

static json_t *json_plan(const plan_facts *facts) {
    json_t *largest = json_array();
    for (int i = 0; i < facts->n_largest; i++) {
        const leat_node_stats *n = &facts->largest[i];
        json_array_append_new(largest, json_pack("{s:o, s:o, s:o, s:I}", "name", cli_json_text(n->name), "op", cli_json_text(n->op), "shape",
                                                 cli_json_shape(n->output.rank, n->output.dims, NULL), "bytes",
                                                 (json_int_t)leat_tensor_bytes(&n->output)));
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:o}", "macs", (json_int_t)facts->stats.macs, "arena_bytes", (json_int_t)facts->stats.arena_bytes,
                     "weight_bytes_mapped", (json_int_t)facts->stats.weight_bytes_mapped, "weight_bytes_packed",
                     (json_int_t)facts->stats.weight_bytes_packed, "largest", largest);
}

static void print_json(const leat_model *model, const char *path, const plan_facts *facts) {
    leat_model_info info;
    leat_model_get_info(model, &info);
    json_t *object = json_pack("{s:o, s:o, s:o, s:I, s:i, s:I, s:f, s:I, s:i, s:i, s:o, s:o, s:o, s:o}", "model", cli_json_text(path), "producer", cli_json_text(info.producer),
                               "graph", cli_json_text(info.graph_name), "ir_version", (json_int_t)info.ir_version, "opset", info.opset, "file_bytes",
                               (json_int_t)info.file_bytes, "open_ms", (double)info.open_ns / 1e6, "parameters", (json_int_t)info.parameters,
                               "nodes_file", info.nodes_file, "nodes_run", info.nodes_run, "inputs",
                               json_values(model, leat_model_input_count(model), leat_model_input_info), "outputs",
                               json_values(model, leat_model_output_count(model), leat_model_output_info), "operators", json_operators(model),
                               "unsupported", json_unsupported(model));
    if (facts->known) json_object_set_new(object, "plan", json_plan(facts));
    cli_print_json(object);
}

/* ---- --dump, --dot, --check ------------------------------------------------------------------------------------------------- */

/* An intermediate value: runs the graph unfused on the given or random inputs. */
static int compute_value(const cli_args *args, const char *name, const char *path) {
    leat_model          *model = NULL;
    leat_context        *context = NULL;
    leat_context_options options;
    leat_error           error = {0};
    leat_tensor          tensor;
    cli_inputs           inputs = {0};
    int status = cli_open_model(args, args->positional[0], LEAT_MODEL_NO_FUSION, &model);
    if (status) return status;
    leat_context_options_default(&options);
    options.keep = name;
    int failed = leat_context_open(model, &options, &context, &error);
    if (failed == LEAT_OK) {
        cli_note("'%s' is computed, from random inputs where none are given", name);
        status = cli_inputs_make(model, args, CLI_FILL_RANDOM, 0, 0, &inputs);
        if (status == CLI_DONE) status = cli_bind(context, &inputs);
        if (status == CLI_DONE) failed = leat_context_run(context, &error);
        if (status == CLI_DONE && failed == LEAT_OK) failed = leat_context_kept(context, &tensor);
        if (status == CLI_DONE && failed == LEAT_OK) failed = leat_tensor_save_npy(path, &tensor, &error);
    }
    if (failed != LEAT_OK) status = cli_fail_error(failed, &error);
    cli_inputs_fini(&inputs);
    leat_context_close(context);
    leat_model_unref(model);
    return status;
}

static int dump_values(const leat_model *model, const cli_args *args) {
    int status = CLI_DONE;
    for (int i = 0; status == CLI_DONE && i < args->n_items; i++) {
        const char *text = args->items[i].text;
        leat_tensor tensor;
        leat_error  error = {0};
        if (args->items[i].id != OPT_DUMP) continue;
        size_t n = cli_split(text, 1);
        if (!n) return cli_usage("--dump %s: TENSOR=FILE.npy is needed", text);
        char *name = strndup(text, n);
        if (!name) return cli_fail("out of memory");
        if (leat_model_constant(model, name, &tensor) == LEAT_OK) {
            int failed = leat_tensor_save_npy(text + n + 1, &tensor, &error);
            if (failed != LEAT_OK) status = cli_fail_error(failed, &error);
        } else {
            status = compute_value(args, name, text + n + 1);
        }
        free(name);
    }
    return status;
}

static int print_dot(const leat_model *model) {
    char *text = NULL;
    int failed = leat_model_dump(model, LEAT_DUMP_DOT, &text);
    if (failed != LEAT_OK) return cli_fail("the graph cannot be written: %s", leat_status_text(failed));
    fputs(text, stdout);
    leat_free(text);
    return CLI_DONE;
}

static void print_check(const leat_model *model, const cli_args *args, int n) {
    if (cli_int(args, OPT_JSON)) {
        cli_print_json(json_pack("{s:o, s:o}", "model", cli_json_text(args->positional[0]), "unsupported", json_unsupported(model)));
        return;
    }
    for (int i = 0; i < n; i++) puts(leat_model_unsupported(model, i));
    if (n == 0) printf("%s: every operator is supported\n", args->positional[0]);
}

static void print_report(leat_model *model, const cli_args *args, int supported) {
    leat_context *context = NULL;
    plan_facts facts = {0};
    if (supported) facts = plan(model, args, &context);
    if (cli_int(args, OPT_JSON)) print_json(model, args->positional[0], &facts);
    else print_text(model, args->positional[0], &facts);
    leat_context_close(context);
}

static int has_dumps(const cli_args *args) {
    for (int i = 0; i < args->n_items; i++)
        if (args->items[i].id == OPT_DUMP) return 1;
    return 0;
}

int cli_inspect(const cli_args *args) {
    leat_model     *model = NULL;
    leat_model_info info;
    if (cli_is_gguf(args->positional[0])) return cli_inspect_gguf(args, args->positional[0]);
    int status = cli_open_model(args, args->positional[0], LEAT_MODEL_ALLOW_UNSUPPORTED, &model);
    if (status) return status;
    leat_model_get_info(model, &info);
    if (cli_int(args, OPT_CHECK)) print_check(model, args, info.unsupported);
    else if (has_dumps(args)) status = dump_values(model, args);
    else if (cli_int(args, OPT_DOT)) status = print_dot(model);
    else print_report(model, args, info.unsupported == 0);
    leat_model_unref(model);
    return status == CLI_DONE && info.unsupported ? CLI_UNSUPPORTED : status;
}
