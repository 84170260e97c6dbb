/* bench_measure.c - the clock around leat_context_run(): warm-up, then runs of every context at once, each on a thread of its own.
 *
 * All contexts wait for each other after their warm-up, so that no one is measured alone.  A run's time goes into an array that is grown
 * between runs; percentiles interpolate between the closest ranks.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "bench.h"
#include "term.h"

typedef struct plan {
    double  warmup_ms, duration_s;
    int64_t reps; /* 0 = by duration */
} plan;

typedef struct worker {
    pthread_t          thread;
    leat_context      *context;
    plan               plan;
    int                leads;    /* shows progress */
    pthread_barrier_t *barrier;
    double            *ms;       /* [n] */
    int64_t            n, capacity, end_ns;
    int                failed;
    leat_error         error;
} worker;

static int keep_sample(worker *w, double ms) {
    if (w->n == w->capacity) {
        int64_t capacity = w->capacity * 2 + 1024;
        double *grown = realloc(w->ms, (size_t)capacity * sizeof *grown);
        if (!grown) return 0;
        w->ms = grown;
        w->capacity = capacity;
    }
    w->ms[w->n++] = ms;
    return 1;
}

static int run_once(worker *w) {
    if (w->failed || cli_interrupted()) return 0;
    w->failed = leat_context_run(w->context, &w->error);
    return w->failed == LEAT_OK;
}

static void warm_up(worker *w) {
    int64_t end = cli_now_ns() + (int64_t)(w->plan.warmup_ms * 1e6);
    do {
        if (!run_once(w)) return;
    } while (cli_now_ns() < end);
}

static void measure(worker *w) {
    cli_progress progress;
    int64_t start = cli_now_ns(), end = start + (int64_t)(w->plan.duration_s * 1e9);
    cli_progress_start(&progress, "bench");
    for (int64_t before = start, after; w->plan.reps ? w->n < w->plan.reps : before < end; before = after) {
        if (!run_once(w)) break;
        after = cli_now_ns();
        if (!keep_sample(w, (double)(after - before) / 1e6)) break;
        if (!w->leads) continue;
        if (w->plan.reps) cli_progress_show(&progress, (double)w->n, (double)w->plan.reps, "runs");
        else cli_progress_show(&progress, (double)w->n, (double)w->n * (double)(end - start) / (double)(after - start), "runs");
    }
    w->end_ns = cli_now_ns();
    cli_progress_end(&progress);
}

static void *work(void *arg) {
    worker *w = arg;
    warm_up(w);
    pthread_barrier_wait(w->barrier); /* all are warm: the main thread takes the counters */
    pthread_barrier_wait(w->barrier);
    measure(w);
    return NULL;
}

/* ---- summary -------------------------------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(const double *sorted, int64_t n, double p) {
    double  at = p * (double)(n - 1);
    int64_t below = (int64_t)at;
    if (below + 1 >= n) return sorted[n - 1];
    return sorted[below] + (sorted[below + 1] - sorted[below]) * (at - (double)below);
}

static void summarise(double *ms, int64_t n, bench_result *r) {
    double sum = 0, squares = 0;
    r->runs = n;
    if (n == 0) return;
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    for (int64_t i = 0; i < n; i++) sum += ms[i];
    r->mean_ms = sum / (double)n;
    for (int64_t i = 0; i < n; i++) squares += (ms[i] - r->mean_ms) * (ms[i] - r->mean_ms);
    r->sd_ms = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
    r->min_ms = ms[0];
    r->p50_ms = percentile(ms, n, 0.5);
    r->p90_ms = percentile(ms, n, 0.9);
    r->p95_ms = percentile(ms, n, 0.95);
    r->p99_ms = percentile(ms, n, 0.99);
    r->p999_ms = percentile(ms, n, 0.999);
}

static int64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int merge(worker *workers, int n, int64_t start_ns, int64_t start_cpu_ns, int64_t end_cpu_ns, bench_result *r) {
    int64_t total = 0, at = 0, end_ns = start_ns;
    for (int i = 0; i < n; i++) {
        total += workers[i].n;
        if (workers[i].end_ns > end_ns) end_ns = workers[i].end_ns;
    }
    double *all = malloc(((size_t)total + 1) * sizeof *all), seconds = (double)(end_ns - start_ns) / 1e9;
    if (!all) return cli_fail("out of memory");
    for (int i = 0; i < n; i++) {
        if (workers[i].n) memcpy(all + at, workers[i].ms, (size_t)workers[i].n * sizeof *all);
        at += workers[i].n;
    }
    summarise(all, total, r);
    free(all);
    r->rate = seconds > 0 ? (double)total / seconds : 0;
    r->cpu_percent = seconds > 0 ? 100 * (double)(end_cpu_ns - start_cpu_ns) / 1e9 / seconds : 0;
    return CLI_DONE;
}

/* Counters of the contexts: what one holds, and what all runs allocated. */
static void read_stats(worker *workers, int n, bench_result *r) {
    leat_context_stats stats;
    struct rusage usage;
    for (int i = 0; i < n; i++) {
        leat_context_get_stats(workers[i].context, &stats);
        r->run_allocations += stats.run_allocations;
        r->macs = stats.macs;
        r->threads = stats.threads;
        r->arena_bytes = stats.arena_bytes + stats.dynamic_bytes;
        r->weight_bytes = stats.weight_bytes_mapped + stats.weight_bytes_packed;
        if (i == 0) r->prepare_ms = (double)stats.prepare_ns / 1e6;
    }
    getrusage(RUSAGE_SELF, &usage);
    r->peak_rss_bytes = (int64_t)usage.ru_maxrss * 1024;
}

/* ---- threads -------------------------------------------------------------------------------------------------------------- */

static int open_workers(leat_model *model, const cli_inputs *inputs, const cli_args *args, worker *workers, int n, pthread_barrier_t *barrier) {
    leat_context_options options;
    leat_context_options_default(&options);
    for (int i = 0; i < n; i++) {
        worker *w = &workers[i];
        w->plan = (plan){cli_number(args, OPT_WARMUP), cli_number(args, OPT_DURATION), (int64_t)cli_number(args, OPT_REPS)};
        w->leads = i == 0;
        w->barrier = barrier;
        int failed = leat_context_open(model, &options, &w->context, &w->error);
        if (failed != LEAT_OK) return cli_fail_error(failed, &w->error);
        cli_register_context(w->context);
        int status = cli_bind(w->context, inputs);
        if (status) return status;
    }
    return CLI_DONE;
}

static int run_workers(worker *workers, int n, pthread_barrier_t *barrier, bench_result *result) {
    int started = 0;
    while (started < n && pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0) started++;
    if (started < n) {
        /* those that wait at the barrier would wait for ever */
        cli_fail("cannot start %d threads", n);
        _Exit(CLI_FAILED);
    }
    pthread_barrier_wait(barrier);
    int64_t start_ns = cli_now_ns(), start_cpu = cpu_ns();
    pthread_barrier_wait(barrier);
    for (int i = 0; i < n; i++) pthread_join(workers[i].thread, NULL);
    int64_t end_cpu = cpu_ns();
    read_stats(workers, n, result);
    return merge(workers, n, start_ns, start_cpu, end_cpu, result);
}

int bench_measure(leat_model *model, const cli_inputs *inputs, const cli_args *args, bench_result *result) {
    int n = cli_int(args, OPT_CONTEXTS);
    pthread_barrier_t barrier;
    worker *workers = calloc((size_t)n, sizeof *workers);
    if (!workers || pthread_barrier_init(&barrier, NULL, (unsigned)n + 1) != 0) {
        free(workers);
        return cli_fail("out of memory");
    }
    result->contexts = n;
    int status = open_workers(model, inputs, args, workers, n, &barrier);
    if (status == CLI_DONE) status = run_workers(workers, n, &barrier, result);
    cli_register_context(NULL);
    for (int i = 0; i < n; i++) {
        if (status == CLI_DONE && workers[i].failed != LEAT_OK) status = cli_fail_error(workers[i].failed, &workers[i].error);
        leat_context_close(workers[i].context);
        free(workers[i].ms);
    }
    pthread_barrier_destroy(&barrier);
    free(workers);
    return status == CLI_DONE && cli_interrupted() ? CLI_INTERRUPTED : status;
}
