/* bench_lm.c - `leat bench M.gguf`: tokens per second of prefill and of decoding, under the conditions of llama.cpp's llama-bench.
 *
 * pp N: N random tokens evaluated at once into an empty session.  tg N: N tokens one after the other, from an empty session, without sampling.  With --contexts
 * the tokens of so many sessions are decoded together.  Each test runs once to warm up, then --reps times; rates are means of the runs' rates.
 *
 * Ceilings: prefill is compared with the int8 dot product's peak (2 operations a weight that a token meets), decoding with the rate of reading memory
 * (the weights that a token reads, and the cache that it has filled on average).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_machine.h"
#include "leat/generate.h"
#include "lm_setup.h"
#include "machine.h"
#include "report.h"
#include "term.h"

#define TESTS 2
#define MOST_REPS 1000

typedef struct lm_result {
    const char  *model, *kv_type;
    leat_lm_info info;
    char         architecture[32], file_type[16], test[32];
    int          threads, contexts;
    int64_t      tokens, runs;
    double       rate, sd, mean_ms, open_ms;
    double       ceiling_percent; /* 0 = not measured */
    int64_t      rss_bytes;
    uint64_t     kv_bytes, allocations;
} lm_result;

typedef struct lm_bench {
    const cli_args *args;
    const char     *path;
    leat_lm        *lm;
    leat_lm_session **sessions; /* [contexts] */
    int             threads, contexts;
    int32_t        *tokens;     /* [room] random, the first one BOS */
    int64_t         prompt, made;
    leat_machine   *machine;
    lm_result      *results;
    int             n;
} lm_bench;

/* ---- one run ---------------------------------------------------------------------------------------------------------------- */

static int run_prompt(lm_bench *b, leat_error *error) { return leat_lm_sync(b->sessions[0], b->tokens, b->prompt, error); }

static int run_decode(lm_bench *b, leat_error *error) {
    int failed = LEAT_OK;
    for (int64_t i = 1; failed == LEAT_OK && i <= b->made && !cli_interrupted(); i++) failed = leat_lm_sync(b->sessions[0], b->tokens, i, error);
    return failed;
}

/* All sessions continue one token each, as many tokens as a single one would. */
static int run_batch(lm_bench *b, leat_error *error) {
    leat_lm_request *requests = calloc((size_t)b->contexts, sizeof *requests);
    leat_lm_result  *results = calloc((size_t)b->contexts, sizeof *results);
    int failed = requests && results ? LEAT_OK : LEAT_ENOMEM;
    for (int i = 0; failed == LEAT_OK && i < b->contexts; i++) {
        leat_lm_request_default(&requests[i]);
        leat_lm_result_init(&results[i]);
        requests[i].tokens = b->tokens + i;
        requests[i].n_tokens = 1;
        requests[i].max_tokens = b->made;
        requests[i].flags = LEAT_GENERATE_IGNORE_EOS;
        requests[i].sampling.temperature = 0;
    }
    if (failed == LEAT_OK) failed = leat_lm_generate_batch(b->sessions, b->contexts, requests, results, b->contexts, NULL, NULL, NULL, error);
    free(requests);
    free(results);
    return failed;
}

typedef int (*run_fn)(lm_bench *b, leat_error *error);

static int empty_sessions(lm_bench *b, leat_error *error) {
    int failed = LEAT_OK;
    for (int i = 0; failed == LEAT_OK && i < b->contexts; i++) failed = leat_lm_sync(b->sessions[i], NULL, 0, error);
    return failed;
}

static uint64_t allocations_of(const lm_bench *b) {
    uint64_t sum = 0;
    for (int i = 0; i < b->contexts; i++) {
        leat_lm_session_stats stats;
        leat_lm_session_get_stats(b->sessions[i], &stats);
        sum += stats.allocations;
    }
    return sum;
}

/* Fills the rates of *r from the seconds of its runs. */
static void summarise(lm_result *r, const double *seconds) {
    double sum = 0, squares = 0, time = 0;
    for (int64_t i = 0; i < r->runs; i++) {
        sum += (double)r->tokens / seconds[i];
        time += seconds[i];
    }
    r->rate = sum / (double)r->runs;
    for (int64_t i = 0; i < r->runs; i++) squares += pow((double)r->tokens / seconds[i] - r->rate, 2);
    r->sd = r->runs > 1 ? sqrt(squares / (double)(r->runs - 1)) : 0;
    r->mean_ms = 1e3 * time / (double)r->runs;
}

static int measure(lm_bench *b, run_fn run, lm_result *r) {
    double       seconds[MOST_REPS];
    int64_t      reps = cli_is_set(b->args, OPT_REPS) ? cli_int(b->args, OPT_REPS) : 5;
    leat_error   error = {0};
    cli_progress progress;
    uint64_t     before = 0;
    if (reps > MOST_REPS) reps = MOST_REPS;
    cli_progress_start(&progress, r->test);
    for (int64_t i = -1; i < reps && !cli_interrupted(); i++) { /* the first one warms up */
        int     failed = empty_sessions(b, &error);
        int64_t start = cli_now_ns();
        if (failed == LEAT_OK) failed = run(b, &error);
        if (failed != LEAT_OK) return cli_fail_error(failed, &error);
        if (cli_interrupted()) break;
        if (i < 0) before = allocations_of(b);
        else seconds[r->runs++] = (double)(cli_now_ns() - start) / 1e9;
        cli_progress_show(&progress, (double)(i + 1), (double)reps, "runs");
    }
    cli_progress_end(&progress);
    r->allocations = allocations_of(b) - before;
    if (r->runs) summarise(r, seconds);
    return cli_interrupted() ? CLI_INTERRUPTED : CLI_DONE;
}

/* ---- what a rate is worth --------------------------------------------------------------------------------------------------- */

/* Weights that every token of a prompt is multiplied with: not the embedding, nor the output, which only the last one meets. */
static double weights_met(const leat_lm *lm, const leat_lm_info *info) {
    double tables = (double)info->vocabulary * info->width * (leat_gguf_find_tensor(leat_lm_gguf(lm), "output.weight") ? 2 : 1);
    double met = (double)info->parameters - tables;
    if (info->experts > 0) {
        const leat_gguf_tensor *e = leat_gguf_find_tensor(leat_lm_gguf(lm), "blk.0.ffn_up_exps.weight");
        if (!e) e = leat_gguf_find_tensor(leat_lm_gguf(lm), "blk.0.ffn_up.0.weight"); /* one tensor an expert */
        double all = e ? 3.0 * info->layers * (double)e->dims[0] * (double)e->dims[1] * (e->dims[2] > 1 ? (double)e->dims[2] : info->experts) : 0;
        met -= all * (1 - (double)info->experts_used / info->experts);
    }
    return met;
}

static double ceiling_percent(const lm_bench *b, const lm_result *r, int prefill) {
    const leat_machine *m = b->machine;
    int    one = r->threads == 1;
    double peak = prefill ? (one ? m->int8_gops_1t : m->int8_gops_nt) : (one ? m->read_gbps_1t : m->read_gbps_nt);
    if (peak <= 0) return 0;
    if (prefill) return 100 * 2e-9 * weights_met(b->lm, &r->info) * r->rate / peak;
    double bytes = (double)r->info.weight_bytes_token / b->contexts + (double)r->kv_bytes / b->contexts * ((double)b->made / 2) / (double)(b->prompt + b->made);
    return 100 * 1e-9 * bytes * r->rate / peak;
}

static int run_test(lm_bench *b, run_fn run, const char *name, int64_t tokens) {
    lm_result *r = &b->results[b->n];
    leat_lm_session_stats stats;
    *r = (lm_result){.model = b->path, .threads = b->threads, .contexts = b->contexts, .tokens = tokens * b->contexts, .kv_type = cli_text(b->args, OPT_KV_TYPE)};
    leat_lm_get_info(b->lm, &r->info);
    snprintf(r->architecture, sizeof r->architecture, "%s", r->info.architecture);
    snprintf(r->file_type, sizeof r->file_type, "%s", r->info.file_type);
    snprintf(r->test, sizeof r->test, b->contexts > 1 ? "%s%lld x%d" : "%s%lld", name, (long long)tokens, b->contexts);
    r->open_ms = (double)r->info.open_ns / 1e6;
    int status = measure(b, run, r);
    leat_lm_session_get_stats(b->sessions[0], &stats);
    r->kv_bytes = stats.kv_bytes * (uint64_t)b->contexts;
    r->threads = stats.threads;
    r->rss_bytes = cli_rss_bytes();
    r->ceiling_percent = ceiling_percent(b, r, run == run_prompt);
    if (r->runs) b->n++;
    return status;
}

/* ---- the report ------------------------------------------------------------------------------------------------------------- */

static json_t *json_result(const lm_result *r) {
    json_t *o = json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:s, s:i, s:i, s:s, s:o, s:I, s:I, s:f, s:f, s:f, s:f, s:I, s:I, s:I}", "model", cli_json_text(r->model),
                          "architecture", cli_json_text(r->architecture), "file_type", cli_json_text(r->file_type), "parameters",
                          (json_int_t)r->info.parameters, "weight_bytes", (json_int_t)r->info.weight_bytes, "weight_bytes_token",
                          (json_int_t)r->info.weight_bytes_token, "isa", leat_isa_name(leat_isa_selected()), "threads", r->threads, "contexts", r->contexts,
                          "kv_type", r->kv_type, "test", cli_json_text(r->test), "tokens", (json_int_t)r->tokens, "runs", (json_int_t)r->runs,
                          "tokens_per_s", r->rate, "sd_tokens_per_s", r->sd, "mean_ms", r->mean_ms, "open_ms", r->open_ms, "rss_bytes",
                          (json_int_t)r->rss_bytes, "kv_bytes", (json_int_t)r->kv_bytes, "run_allocations", (json_int_t)r->allocations);
    if (r->ceiling_percent > 0) json_object_set_new(o, r->test[0] == 'p' ? "int8_peak_percent" : "read_bandwidth_percent", json_real(r->ceiling_percent));
    if (r->test[0] == 'p') json_object_set_new(o, "first_token_ms", json_real(r->mean_ms));
    return o;
}

static void fill_row(cli_table *table, const lm_result *r) {
    cli_table_row(table);
    cli_table_set(table, 0, "%s", r->model);
    cli_table_set(table, 1, "%s%s%s", r->architecture, r->file_type[0] ? " " : "", r->file_type);
    cli_table_set(table, 2, "%.2f", (double)r->info.weight_bytes / 1e6);
    cli_table_set(table, 3, "%s", r->kv_type);
    cli_table_set(table, 4, "%d", r->threads);
    cli_table_set(table, 5, "%s", r->test);
    cli_table_set(table, 6, "%.2f", r->rate);
    cli_table_set(table, 7, "%.2f", r->sd);
    if (r->ceiling_percent > 0) cli_table_set(table, 8, "%.0f", r->ceiling_percent);
    if (r->test[0] == 'p') cli_table_set(table, 9, "%.1f", r->mean_ms);
    cli_table_set(table, 10, "%.1f", (double)r->rss_bytes / 1e6);
    cli_table_set(table, 11, "%llu", (unsigned long long)r->allocations);
}

static void print_results(const lm_bench *b, int form) {
    cli_table table;
    if (form == BENCH_JSON) {
        json_t *list = json_array();
        for (int i = 0; i < b->n; i++) json_array_append_new(list, json_result(&b->results[i]));
        cli_print_json(json_pack("{s:o, s:o}", "machine", cli_json_machine(b->machine), "results", list));
    }
    if (form == BENCH_JSON || form == BENCH_JSONL || !b->n) return;
    cli_table_init(&table, form == BENCH_CSV ? "model|kind|weights_mb|kv_type|threads|test|tokens_per_s|sd|ceiling_percent|first_token_ms|rss_mb|run_allocations"
                                             : "model|kind|weights MB|KV|threads|test|tokens/s|sd|% of ceiling|first token ms|RSS MB|allocs", 2);
    for (int i = 0; i < b->n; i++) fill_row(&table, &b->results[i]);
    if (form == BENCH_CSV) cli_table_print_csv(&table);
    else cli_table_print(&table);
    cli_table_fini(&table);
}

/* ---- models and threads ----------------------------------------------------------------------------------------------------- */

/* BOS where the file puts one in front, then a fixed sequence: ids in no order, never a special one where the vocabulary is large. */
static void fill_tokens(lm_bench *b, int64_t room, int32_t vocabulary) {
    leat_tokenizer_info words;
    uint32_t state = 1;
    for (int64_t i = 0; i < room; i++) {
        state = state * 1664525u + 1013904223u;
        b->tokens[i] = (int32_t)((uint64_t)(state >> 8) * (uint32_t)vocabulary >> 24);
    }
    leat_tokenizer_get_info(leat_lm_tokenizer(b->lm), &words);
    if (words.add_bos && words.bos >= 0) b->tokens[0] = words.bos;
}

static int run_tests(lm_bench *b) {
    int before = b->n, status = CLI_DONE;
    if (b->prompt > 0 && b->contexts == 1) status = run_test(b, run_prompt, "pp", b->prompt);
    if (status == CLI_DONE && b->made > 0) status = run_test(b, b->contexts > 1 ? run_batch : run_decode, "tg", b->made);
    if (cli_int(b->args, OPT_FORMAT) == BENCH_JSONL)
        for (int i = before; i < b->n; i++) cli_print_json(json_result(&b->results[i]));
    return status;
}

static int open_sessions(lm_bench *b, int64_t room) {
    leat_lm_session_options options;
    leat_error error = {0};
    int failed = LEAT_OK;
    leat_lm_session_options_default(&options);
    options.context = (int32_t)room;
    options.kv_type = cli_kv_type(b->args);
    for (int i = 0; failed == LEAT_OK && i < b->contexts; i++) failed = leat_lm_session_open(b->lm, &options, &b->sessions[i], &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

static int bench_file(lm_bench *b) {
    leat_lm_info info;
    int64_t room = (b->prompt > b->made ? b->prompt : b->made) + b->contexts;
    int status = cli_open_lm(b->args, b->path, b->threads, &b->lm);
    if (status) return status;
    leat_lm_get_info(b->lm, &info);
    b->tokens = malloc((size_t)room * sizeof *b->tokens);
    b->sessions = calloc((size_t)b->contexts, sizeof *b->sessions);
    status = b->tokens && b->sessions ? CLI_DONE : cli_fail("out of memory");
    if (status == CLI_DONE && info.encoder) status = cli_usage("%s only makes embeddings: there are no tokens per second of it", b->path);
    if (status == CLI_DONE) fill_tokens(b, room, info.vocabulary);
    if (status == CLI_DONE) status = open_sessions(b, room);
    if (status == CLI_DONE) status = run_tests(b);
    for (int i = 0; b->sessions && i < b->contexts; i++) leat_lm_session_close(b->sessions[i]);
    free(b->sessions);
    free(b->tokens);
    b->sessions = NULL;
    b->tokens = NULL;
    leat_lm_unref(b->lm);
    b->lm = NULL;
    return status;
}

int bench_lm(const cli_args *args, const bench_threads *threads) {
    leat_machine one = {0};
    lm_bench b = {.args = args, .contexts = cli_int(args, OPT_CONTEXTS), .prompt = cli_int(args, OPT_PROMPT_TOKENS), .made = cli_int(args, OPT_NEW_TOKENS)};
    int status = CLI_DONE;
    if (!b.prompt && !b.made) return cli_usage("-p 0 -n 0 leaves nothing to measure");
    b.results = calloc((size_t)(args->n_positional * threads->count * TESTS), sizeof *b.results);
    if (!b.results) return cli_fail("out of memory");
    leat_machine *machines = calloc((size_t)threads->count, sizeof *machines);
    for (int t = 0; machines && status == CLI_DONE && t < threads->count; t++) status = bench_machine(args, threads->of[t], &machines[t]);
    for (int i = 0; machines && status == CLI_DONE && i < args->n_positional; i++)
        for (int t = 0; status == CLI_DONE && t < threads->count; t++) {
            b.path = args->positional[i];
            b.threads = threads->of[t];
            b.machine = &machines[t];
            status = bench_file(&b);
        }
    b.machine = machines ? &machines[threads->count - 1] : &one;
    print_results(&b, cli_int(args, OPT_FORMAT));
    free(machines);
    free(b.results);
    return machines ? status : cli_fail("out of memory");
}
