/* bench.h - what `leat bench` measures, and how it is told. */
#ifndef LEAT_CLI_BENCH_H
#define LEAT_CLI_BENCH_H

#include <jansson.h>

#include "leat/model.h"
#include "options.h"
#include "session.h"

enum { BENCH_MD, BENCH_CSV, BENCH_JSON, BENCH_JSONL };
enum { BENCH_MOST_THREADS = 16 };
/* Numbers of threads to measure one after the other; 0 = all usable CPUs. */
typedef struct bench_threads {
    int of[BENCH_MOST_THREADS], count;
} bench_threads;

typedef struct bench_result {
    const char *model;
    int         threads, contexts;
    int64_t     runs;
    double      mean_ms, sd_ms, min_ms, p50_ms, p90_ms, p95_ms, p99_ms, p999_ms;
    double      rate;          /* inferences per second, all contexts */
    double      cpu_percent;   /* 100 = one CPU */
    double      open_ms, prepare_ms;
    int64_t     macs, peak_rss_bytes;
    uint64_t    weight_bytes, arena_bytes, run_allocations;
    double      peak_gflops;   /* measured ceiling at as many threads as compute; 0 = not measured */
    json_t     *ops;           /* per-op list, or NULL */
} bench_result;

/* Runs `contexts` contexts of the model as the options say; fills the times, rates and counters of *result.
 * 0, an exit status after a message, or 130 with what was measured so far. */
int bench_measure(leat_model *model, const cli_inputs *inputs, const cli_args *args, bench_result *result);

/* Runs one more context with profiling: fills result->ops (per-op) and writes the trace, as the options ask. */
int bench_profile(leat_model *model, const cli_inputs *inputs, const cli_args *args, bench_result *result);

/* Prints the table of result->ops. */
void bench_print_ops(const bench_result *result);

/* `leat bench` of language models: all of it.  Exit status. */
int bench_lm(const cli_args *args, const bench_threads *threads);

static inline double bench_gflops(const bench_result *r) { return 2e-9 * (double)r->macs * r->rate; }
static inline double bench_peak_percent(const bench_result *r) { return r->peak_gflops > 0 ? 100 * bench_gflops(r) / r->peak_gflops : 0; }

#endif
