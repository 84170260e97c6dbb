/* cmd_bench.c - `leat bench`: each model measured at each number of threads, then told as a table, CSV or JSON.  GGUF files go to bench_lm.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_machine.h"
#include "inspect_gguf.h"
#include "machine.h"
#include "report.h"
#include "term.h"

static json_t *json_result(const bench_result *r) {
    json_t *object = json_pack(
        "{s:o, s:s, s:i, s:i, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:f, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "model", cli_json_text(r->model), "isa",
        leat_isa_name(leat_isa_selected()), "threads", r->threads, "contexts", r->contexts, "runs", (json_int_t)r->runs, "mean_ms", r->mean_ms,
        "sd_ms", r->sd_ms, "min_ms", r->min_ms, "p50_ms", r->p50_ms, "p90_ms", r->p90_ms, "p95_ms", r->p95_ms, "p99_ms", r->p99_ms, "p999_ms",
        r->p999_ms, "inferences_per_s", r->rate, "macs", (json_int_t)r->macs, "gflops", bench_gflops(r), "peak_rss_bytes",
        (json_int_t)r->peak_rss_bytes, "weight_bytes", (json_int_t)r->weight_bytes, "arena_bytes", (json_int_t)r->arena_bytes, "run_allocations",
        (json_int_t)r->run_allocations, "cpu_percent", r->cpu_percent, "open_ms", r->open_ms, "prepare_ms", r->prepare_ms);
    if (r->peak_gflops > 0) {
        json_object_set_new(object, "peak_gflops", json_real(r->peak_gflops));
        json_object_set_new(object, "peak_percent", json_real(bench_peak_percent(r)));
    }
    if (r->ops) json_object_set(object, "ops", r->ops);
    return object;
}

static void fill_row(cli_table *table, const bench_result *r) {
    cli_table_row(table);
    cli_table_set(table, 0, "%s", r->model);
    cli_table_set(table, 1, "%d", r->threads);
    cli_table_set(table, 2, "%d", r->contexts);
    cli_table_set(table, 3, "%lld", (long long)r->runs);
    const double ms[] = {r->mean_ms, r->sd_ms, r->min_ms, r->p50_ms, r->p90_ms, r->p95_ms, r->p99_ms, r->p999_ms};
    for (int i = 0; i < 8; i++) cli_table_set(table, 4 + i, "%.4g", ms[i]);
    cli_table_set(table, 12, "%.4g", r->rate);
    if (r->macs) cli_table_set(table, 13, "%.1f", bench_gflops(r));
    if (r->macs && r->peak_gflops > 0) cli_table_set(table, 14, "%.0f", bench_peak_percent(r));
    cli_table_set(table, 15, "%.1f", (double)r->peak_rss_bytes / 1e6);
    cli_table_set(table, 16, "%.2f", (double)r->weight_bytes / 1e6);
    cli_table_set(table, 17, "%.2f", (double)r->arena_bytes / 1e6);
    cli_table_set(table, 18, "%llu", (unsigned long long)r->run_allocations);
    cli_table_set(table, 19, "%.0f", r->cpu_percent);
}

static void print_table(const bench_result *results, int n, int form) {
    cli_table table;
    cli_table_init(&table, form == BENCH_CSV ? "model|threads|contexts|runs|mean_ms|sd_ms|min_ms|p50_ms|p90_ms|p95_ms|p99_ms|p999_ms|inferences_per_s|gflops|"
                                              "peak_percent|peak_rss_mb|weights_mb|arena_mb|run_allocations|cpu_percent"
                                            : "model|threads|contexts|runs|mean ms|sd|min|p50|p90|p95|p99|p99.9|inf/s|GFLOP/s|% of peak|RSS MB|weights MB|"
                                              "arena MB|allocs|CPU %", 1);
    for (int i = 0; i < n; i++) fill_row(&table, &results[i]);
    if (form == BENCH_CSV) cli_table_print_csv(&table);
    else cli_table_print(&table);
    cli_table_fini(&table);
}

static double peak_of(const bench_result *r, const leat_machine *machine) {
    return r->threads * r->contexts == 1 ? machine->fma_gflops_1t : machine->fma_gflops_nt;
}

static int bench_model(const cli_args *args, const char *path, const leat_machine *machine, bench_result *result) {
    leat_model     *model = NULL;
    leat_model_info info;
    cli_inputs      inputs = {0};
    *result = (bench_result){.model = path};
    int status = cli_open_model(args, path, 0, &model);
    if (status) return status;
    leat_model_get_info(model, &info);
    result->open_ms = (double)info.open_ns / 1e6;
    status = cli_inputs_make(model, args, CLI_FILL_RANDOM, 1, 0, &inputs);
    if (status == CLI_DONE) status = bench_measure(model, &inputs, args, result);
    result->peak_gflops = peak_of(result, machine);
    if (status == CLI_DONE) status = bench_profile(model, &inputs, args, result);
    cli_inputs_fini(&inputs);
    leat_model_unref(model);
    return status;
}

static void print_json(const bench_result *results, int n, const leat_machine *machine) {
    json_t *list = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(list, json_result(&results[i]));
    cli_print_json(json_pack("{s:o, s:o}", "machine", cli_json_machine(machine), "results", list));
}

static void print_results(const bench_result *results, int n, int form, const leat_machine *machine) {
    if (form == BENCH_JSON) print_json(results, n, machine);
    else if (n && form != BENCH_JSONL) print_table(results, n, form);
    for (int i = 0; form == BENCH_MD && i < n; i++)
        if (results[i].ops) bench_print_ops(&results[i]);
}

/* "1,2,4" into numbers.  0, or 2 after a message. */
static int parse_threads(const char *text, bench_threads *threads) {
    const char *at = text;
    for (threads->count = 0; threads->count < BENCH_MOST_THREADS;) {
        char *end;
        long  n = strtol(at, &end, 10);
        if (end == at || n < 0 || n > 256 || (*end && *end != ',')) break;
        threads->of[threads->count++] = (int)n;
        if (!*end) return CLI_DONE;
        at = end + 1;
    }
    return cli_usage("--threads: '%s' is not a list of at most %d numbers from 0 to 256", text, BENCH_MOST_THREADS);
}

static int bench_all(const cli_args *args, const bench_threads *threads, bench_result *results, leat_machine *machine) {
    int form = cli_int(args, OPT_FORMAT), n = 0, most = 0;
    for (int i = 0; i < threads->count; i++) most = threads->of[i] > most || threads->of[i] == 0 ? threads->of[i] : most;
    int status = bench_machine(args, most * cli_int(args, OPT_CONTEXTS), machine);
    for (int i = 0; status == CLI_DONE && i < args->n_positional * threads->count; i++) {
        cli_args one = *args;
        one.value[OPT_THREADS].number = threads->of[i % threads->count];
        status = bench_model(&one, args->positional[i / threads->count], machine, &results[n]);
        if (results[n].runs == 0) continue; /* nothing was measured */
        if (form == BENCH_JSONL) cli_print_json(json_result(&results[n]));
        n++;
    }
    print_results(results, n, form, machine);
    return status;
}

int cli_bench(const cli_args *args) {
    leat_machine  machine = {0};
    bench_threads threads;
    int           language = 0, status = cli_select_isa(args);
    for (int i = 0; i < args->n_positional; i++) language += cli_is_gguf(args->positional[i]);
    if (status == CLI_DONE) status = parse_threads(cli_text(args, OPT_THREADS), &threads);
    if (status != CLI_DONE) return status;
    if (language && language < args->n_positional) return cli_usage("models of both kinds: bench language models and others apart");
    if (language) {
        cli_note_unused(args, (const cli_option_id[]){OPT_SHAPE, OPT_INPUT, OPT_PER_OP, OPT_PROFILE, OPT_WARMUP, OPT_DURATION, OPT_HELP}, "ONNX models");
        return bench_lm(args, &threads);
    }
    cli_note_unused(args, (const cli_option_id[]){OPT_PROMPT_TOKENS, OPT_NEW_TOKENS, OPT_KV_TYPE, OPT_NO_MMAP, OPT_MLOCK, OPT_HELP}, "language models");
    int           n = args->n_positional * threads.count;
    bench_result *results = calloc((size_t)n, sizeof *results);
    if (!results) return cli_fail("out of memory");
    status = bench_all(args, &threads, results, &machine);
    for (int i = 0; i < n; i++) json_decref(results[i].ops);
    free(results);
    return status;
}
