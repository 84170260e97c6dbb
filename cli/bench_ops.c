/* bench_ops.c - where the time goes: a profiled context for the table of operators and the trace.
 *
 * The profiled runs are their own, after the measurement, so that reading the clock at every node does not slow what is measured.
 * A node's time is its mean over them.  The trace is the Chrome trace format: complete events in microseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "report.h"
#include "term.h"

#define PROFILE_RUNS 20
#define PROFILE_MS 1000
#define TRACE_RUNS 3
#define ROWS 25

/* "avx2" of "gemm_6x16_avx2": the last part of a kernel's name that is a level's name; NULL when there is none. */
static const char *kernel_isa(const char *kernel) {
    const char *found = NULL;
    for (int i = 0; i < LEAT_ISA_COUNT; i++) {
        const char *name = leat_isa_name((leat_isa)i), *at = strstr(kernel, name);
        if (at && (!found || strlen(name) >= strlen(found))) found = name;
    }
    return found;
}

/* ---- trace ---------------------------------------------------------------------------------------------------------------- */

static void add_events(json_t *events, const leat_context *context, int64_t origin_ns) {
    leat_node_stats node;
    char shape[160];
    for (int i = 0; leat_context_node(context, i, &node) == LEAT_OK; i++) {
        const leat_tensor *t = &node.output;
        json_array_append_new(
            events, json_pack("{s:o, s:s, s:s, s:f, s:f, s:i, s:i, s:{s:o, s:s, s:s, s:I, s:I}}", "name", cli_json_text(node.name[0] ? node.name : node.op), "cat",
                              "node", "ph", "X", "ts", (double)(node.last_start_ns - origin_ns) / 1e3, "dur", (double)node.last_ns / 1e3, "pid",
                              (int)getpid(), "tid", 1, "args", "op", cli_json_text(node.op), "kernel", node.kernel, "output",
                              cli_shape_text(t->dtype, t->rank, t->dims, NULL, shape, sizeof shape), "macs", (json_int_t)node.macs, "bytes",
                              (json_int_t)node.bytes));
    }
}

static void add_run_event(json_t *events, const char *name, int64_t start_ns, int64_t end_ns, int64_t origin_ns) {
    json_array_append_new(events, json_pack("{s:o, s:s, s:s, s:f, s:f, s:i, s:i}", "name", cli_json_text(name), "cat", "run", "ph", "X", "ts",
                                            (double)(start_ns - origin_ns) / 1e3, "dur", (double)(end_ns - start_ns) / 1e3, "pid", (int)getpid(),
                                            "tid", 1));
}

/* ---- table ---------------------------------------------------------------------------------------------------------------- */

static json_t *json_node(const leat_node_stats *node, int index, double ms, double total_ms, double peak) {
    double gflops = ms > 0 ? 2e-6 * (double)node->macs / ms : 0;
    char   number[24];
    snprintf(number, sizeof number, "#%d", index); /* many files leave nodes without a name */
    const char *name = node->name[0] ? node->name : number;
    return json_pack("{s:o, s:o, s:s, s:s?, s:o, s:f, s:f, s:f, s:f, s:f}", "name", cli_json_text(name), "op", cli_json_text(node->op), "kernel", node->kernel, "isa",
                     kernel_isa(node->kernel), "shape", cli_json_shape(node->output.rank, node->output.dims, NULL), "ms", ms, "percent",
                     total_ms > 0 ? 100 * ms / total_ms : 0.0, "gflops", gflops, "peak_percent", peak > 0 ? 100 * gflops / peak : 0.0, "gbytes_per_s",
                     ms > 0 ? 1e-6 * (double)node->bytes / ms : 0.0);
}

static double node_ms(const leat_node_stats *node) { return node->runs ? (double)node->total_ns / 1e6 / (double)node->runs : 0; }

static json_t *json_ops(const leat_context *context, double peak) {
    json_t *list = json_array();
    leat_node_stats node;
    double total = 0;
    for (int i = 0; leat_context_node(context, i, &node) == LEAT_OK; i++) total += node_ms(&node);
    for (int i = 0; leat_context_node(context, i, &node) == LEAT_OK; i++) json_array_append_new(list, json_node(&node, i, node_ms(&node), total, peak));
    return list;
}

static const char *text_of(const json_t *op, const char *key) {
    const char *text = json_string_value(json_object_get(op, key));
    return text ? text : "";
}

static double number_of(const json_t *op, const char *key) { return json_number_value(json_object_get(op, key)); }

typedef struct kind {
    const char *op, *kernel, *isa;
    int         nodes;
    double      ms, percent, gflop, peak_percent_ms; /* gflop, and percent of the peak times ms, summed */
} kind;

static int by_time(const void *a, const void *b) {
    double x = ((const kind *)a)->ms, y = ((const kind *)b)->ms;
    return (x < y) - (x > y);
}

/* Sums nodes of one operator and kernel; returns how many kinds there are. */
static int group(const json_t *ops, kind *kinds) {
    int     n = 0;
    size_t  i;
    json_t *op;
    json_array_foreach(ops, i, op) {
        int k = 0;
        while (k < n && (strcmp(kinds[k].op, text_of(op, "op")) != 0 || strcmp(kinds[k].kernel, text_of(op, "kernel")) != 0)) k++;
        if (k == n) kinds[n++] = (kind){.op = text_of(op, "op"), .kernel = text_of(op, "kernel"), .isa = text_of(op, "isa")};
        double ms = number_of(op, "ms");
        kinds[k].nodes++;
        kinds[k].ms += ms;
        kinds[k].percent += number_of(op, "percent");
        kinds[k].gflop += number_of(op, "gflops") * ms;
        kinds[k].peak_percent_ms += number_of(op, "peak_percent") * ms;
    }
    qsort(kinds, (size_t)n, sizeof *kinds, by_time);
    return n;
}

static void print_kinds(const kind *kinds, int n) {
    cli_table table;
    cli_table_init(&table, "operator|kernel|ISA|nodes|ms|%|GFLOP/s|% of peak", 3);
    for (int k = 0; k < n; k++) {
        double ms = kinds[k].ms;
        cli_table_row(&table);
        cli_table_set(&table, 0, "%s", kinds[k].op);
        cli_table_set(&table, 1, "%s", kinds[k].kernel);
        cli_table_set(&table, 2, "%s", kinds[k].isa);
        cli_table_set(&table, 3, "%d", kinds[k].nodes);
        cli_table_set(&table, 4, "%.3f", ms);
        cli_table_set(&table, 5, "%.1f", kinds[k].percent);
        if (kinds[k].gflop > 0 && ms > 0) cli_table_set(&table, 6, "%.1f", kinds[k].gflop / ms);
        if (kinds[k].peak_percent_ms > 0) cli_table_set(&table, 7, "%.0f", kinds[k].peak_percent_ms / ms);
    }
    cli_table_print(&table);
    cli_table_fini(&table);
}

static int by_node_time(const void *a, const void *b) {
    double x = number_of(*(json_t *const *)a, "ms"), y = number_of(*(json_t *const *)b, "ms");
    return (x < y) - (x > y);
}

static void shape_of(const json_t *op, char *buf, size_t size) {
    const json_t *shape = json_object_get(op, "shape");
    size_t n = 0;
    buf[0] = 0;
    for (size_t d = 0; d < json_array_size(shape) && n < size; d++)
        n += (size_t)snprintf(buf + n, size - n, "%s%lld", d ? "x" : "", (long long)json_integer_value(json_array_get(shape, d)));
}

/* The slowest nodes of sorted [n]. */
static void print_nodes(json_t *const *sorted, size_t n) {
    cli_table table;
    char shape[80];
    cli_table_init(&table, "slowest nodes|operator|kernel|output|ms|%|GFLOP/s|% of peak|GB/s", 4);
    for (size_t i = 0; i < n && i < ROWS; i++) {
        const json_t *op = sorted[i];
        shape_of(op, shape, sizeof shape);
        cli_table_row(&table);
        cli_table_set(&table, 0, "%.40s", text_of(op, "name"));
        cli_table_set(&table, 1, "%s", text_of(op, "op"));
        cli_table_set(&table, 2, "%s", text_of(op, "kernel"));
        cli_table_set(&table, 3, "%s", shape);
        cli_table_set(&table, 4, "%.3f", number_of(op, "ms"));
        cli_table_set(&table, 5, "%.1f", number_of(op, "percent"));
        if (number_of(op, "gflops") > 0) cli_table_set(&table, 6, "%.1f", number_of(op, "gflops"));
        if (number_of(op, "peak_percent") > 0) cli_table_set(&table, 7, "%.0f", number_of(op, "peak_percent"));
        cli_table_set(&table, 8, "%.1f", number_of(op, "gbytes_per_s"));
    }
    cli_table_print(&table);
    cli_table_fini(&table);
}

void bench_print_ops(const bench_result *result) {
    size_t   n = json_array_size(result->ops);
    kind    *kinds = calloc(n + 1, sizeof *kinds);
    json_t **sorted = calloc(n + 1, sizeof *sorted);
    if (kinds && sorted) {
        for (size_t i = 0; i < n; i++) sorted[i] = json_array_get(result->ops, i);
        qsort(sorted, n, sizeof *sorted, by_node_time);
        printf("\n%s, mean of the profiled runs:\n\n", result->model);
        print_kinds(kinds, group(result->ops, kinds));
        putchar('\n');
        print_nodes(sorted, n);
    }
    free(kinds);
    free(sorted);
}

/* ---- profiled runs -------------------------------------------------------------------------------------------------------- */

static int profile_runs(leat_context *context, const char *model, json_t *events) {
    leat_error error = {0};
    int failed = leat_context_run(context, &error); /* one unseen run warms caches */
    int64_t origin = cli_now_ns();
    for (int i = 0; failed == LEAT_OK && i < PROFILE_RUNS && (i < TRACE_RUNS || cli_now_ns() < origin + PROFILE_MS * 1000000LL); i++) {
        int64_t start = cli_now_ns();
        failed = leat_context_run(context, &error);
        if (failed != LEAT_OK || !events || i >= TRACE_RUNS) continue;
        add_run_event(events, model, start, cli_now_ns(), origin);
        add_events(events, context, origin);
    }
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

int bench_profile(leat_model *model, const cli_inputs *inputs, const cli_args *args, bench_result *result) {
    leat_context        *context = NULL;
    leat_context_options options;
    leat_error           error = {0};
    const char          *path = cli_text(args, OPT_PROFILE);
    if (!path && !cli_int(args, OPT_PER_OP)) return CLI_DONE;
    leat_context_options_default(&options);
    options.profile = 1;
    int failed = leat_context_open(model, &options, &context, &error);
    if (failed != LEAT_OK) return cli_fail_error(failed, &error);
    cli_register_context(context);
    json_t *events = path ? json_array() : NULL;
    int status = cli_bind(context, inputs);
    if (status == CLI_DONE) status = profile_runs(context, result->model, events);
    if (status == CLI_DONE && cli_int(args, OPT_PER_OP)) result->ops = json_ops(context, result->peak_gflops);
    if (status == CLI_DONE && path) {
        json_t *trace = json_pack("{s:O, s:s}", "traceEvents", events, "displayTimeUnit", "ms");
        status = cli_write_json_file(path, trace);
        json_decref(trace);
    }
    json_decref(events);
    cli_register_context(NULL);
    leat_context_close(context);
    return status;
}
