/* bench_step.c - where the time of a decoded token goes: products, attention, rows, one thread's work between regions, waiting.
 *
 * usage: bench_step MODEL.gguf [THREADS [SESSIONS [TOKENS]]]        from an empty context; 2 threads, 1 session, 128 tokens
 *
 * The linker puts a timer around every region of the pool (mk/bench.mk: --wrap), and around every task in it; what a task was is known by the kernel that it called.
 * busy: mean of the threads; waiting: for the slowest at a region's end; handing over: until a thread has its first task, from task to task, and until the
 * caller goes on.  Microseconds a step, the mean of all steps behind one warm-up run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/tpool.h"
#include "leat/generate.h"
#include "lm/runner.h"

enum { MOST_THREADS = 64, MOST_SESSIONS = 16, RUNS = 4 };
typedef enum kind { ROWS, PRODUCTS, ATTENTION, KINDS } kind;

static _Thread_local kind task_kind; /* of the task that runs */

typedef struct region {
    leat_task_fn fn;
    void        *arg;
    kind         kind[MOST_THREADS];
    int64_t      first[MOST_THREADS], last[MOST_THREADS], busy[MOST_THREADS]; /* ns; last 0: the thread had no task */
} region;

static struct {
    int     threads, running;
    int64_t steps, forward, regions, wall[KINDS];
    double  busy[KINDS], waiting, handing;
} sum;

/* ---- timers ----------------------------------------------------------------------------------------------------------------- */

void __real_leat__qmat(const leat_qmat *w, const leat_qact *act, int64_t first, int64_t count, float *y, int64_t ldy, void *scratch);
void __wrap_leat__qmat(const leat_qmat *w, const leat_qact *act, int64_t first, int64_t count, float *y, int64_t ldy, void *scratch);
void __real_leat__attn_kv_piece(const leat_attn_kv *a, int64_t piece, void *scratch, void *shared);
void __wrap_leat__attn_kv_piece(const leat_attn_kv *a, int64_t piece, void *scratch, void *shared);
void __real_leat__tpool_for_n(leat_tpool *pool, int max_threads, int64_t n, leat_task_fn fn, void *arg);
void __wrap_leat__tpool_for_n(leat_tpool *pool, int max_threads, int64_t n, leat_task_fn fn, void *arg);
int  __real_leat__lm_forward(leat_lm_runner *runner, const leat_lm_row *rows, int32_t n, const leat_lm_outputs *out, const atomic_int *cancel, leat_error *error);
int  __wrap_leat__lm_forward(leat_lm_runner *runner, const leat_lm_row *rows, int32_t n, const leat_lm_outputs *out, const atomic_int *cancel, leat_error *error);

void __wrap_leat__qmat(const leat_qmat *w, const leat_qact *act, int64_t first, int64_t count, float *y, int64_t ldy, void *scratch) {
    task_kind = PRODUCTS;
    __real_leat__qmat(w, act, first, count, y, ldy, scratch);
}

void __wrap_leat__attn_kv_piece(const leat_attn_kv *a, int64_t piece, void *scratch, void *shared) {
    task_kind = ATTENTION;
    __real_leat__attn_kv_piece(a, piece, scratch, shared);
}

static void timed_task(void *arg, int64_t index, int worker) {
    region *r = arg;
    int64_t start = leat__now_ns();
    task_kind = ROWS;
    r->fn(r->arg, index, worker);
    r->kind[worker] = task_kind;
    if (!r->last[worker]) r->first[worker] = start;
    r->last[worker] = leat__now_ns();
    r->busy[worker] += r->last[worker] - start;
}

static void account(const region *r, int64_t start, int64_t end) {
    int64_t slowest = 0;
    kind    what = ROWS;
    for (int w = 0; w < sum.threads; w++) {
        if (r->last[w] > slowest) slowest = r->last[w];
        if (r->last[w]) what = r->kind[w];
    }
    sum.regions++;
    sum.wall[what] += end - start;
    for (int w = 0; w < sum.threads; w++) {
        int64_t first = r->last[w] ? r->first[w] : slowest, last = r->last[w] ? r->last[w] : slowest;
        sum.busy[what] += (double)r->busy[w] / sum.threads;
        sum.waiting += (double)(slowest - last) / sum.threads;
        sum.handing += (double)(first - start + (last - first - r->busy[w]) + end - slowest) / sum.threads;
    }
}

void __wrap_leat__tpool_for_n(leat_tpool *pool, int max_threads, int64_t n, leat_task_fn fn, void *arg) {
    region r = {.fn = fn, .arg = arg};
    if (!sum.running) {
        __real_leat__tpool_for_n(pool, max_threads, n, fn, arg);
        return;
    }
    int64_t start = leat__now_ns();
    __real_leat__tpool_for_n(pool, max_threads, n, timed_task, &r);
    account(&r, start, leat__now_ns());
}

int __wrap_leat__lm_forward(leat_lm_runner *runner, const leat_lm_row *rows, int32_t n, const leat_lm_outputs *out, const atomic_int *cancel, leat_error *error) {
    int64_t start = leat__now_ns();
    int     status = __real_leat__lm_forward(runner, rows, n, out, cancel, error);
    if (sum.running) sum.forward += leat__now_ns() - start, sum.steps++;
    return status;
}

/* ---- runs ------------------------------------------------------------------------------------------------------------------- */

static void must(int status, const leat_error *error) {
    if (status == LEAT_OK) return;
    fprintf(stderr, "bench_step: %s\n", error->message);
    exit(1);
}

static void run(leat_lm_session *const *sessions, int n, int32_t *tokens, int count) {
    leat_lm_request requests[MOST_SESSIONS];
    leat_lm_result  results[MOST_SESSIONS];
    leat_error      error = {0};
    for (int i = 0; i < n; i++) must(leat_lm_sync(sessions[i], NULL, 0, &error), &error);
    for (int i = 1; n == 1 && i <= count; i++) must(leat_lm_sync(sessions[0], tokens, i, &error), &error);
    if (n == 1) return;
    for (int i = 0; i < n; i++) {
        leat_lm_request_default(&requests[i]);
        leat_lm_result_init(&results[i]);
        requests[i].tokens = tokens + i;
        requests[i].n_tokens = 1;
        requests[i].max_tokens = count;
        requests[i].flags = LEAT_GENERATE_IGNORE_EOS;
        requests[i].sampling.temperature = 0;
    }
    must(leat_lm_generate_batch(sessions, n, requests, results, n, NULL, NULL, NULL, &error), &error);
}

static void print(const char *what, double ns, double total) { printf("%-28s %10.1f us %6.1f %%\n", what, ns / 1e3 / (double)sum.steps, 100 * ns / total); }

static void report(double total) {
    double inside = 0;
    for (int k = 0; k < KINDS; k++) inside += (double)sum.wall[k];
    printf("%lld steps of %.1f us, %.1f regions each\n", (long long)sum.steps, total / 1e3 / (double)sum.steps, (double)sum.regions / (double)sum.steps);
    print("products, busy", sum.busy[PRODUCTS], total);
    print("attention, busy", sum.busy[ATTENTION], total);
    print("rows shared, busy", sum.busy[ROWS], total);
    print("waiting for the slowest", sum.waiting, total);
    print("handing over", sum.handing, total);
    print("one thread between regions", (double)sum.forward - inside, total);
    print("outside of the step", total - (double)sum.forward, total);
}

int main(int argc, char **argv) {
    int sessions = argc > 3 ? atoi(argv[3]) : 1, count = argc > 4 ? atoi(argv[4]) : 128;
    sum.threads = argc > 2 ? atoi(argv[2]) : 2;
    if (argc < 2 || sum.threads < 1 || sum.threads > MOST_THREADS || sessions < 1 || sessions > MOST_SESSIONS || count < 1) {
        fputs("usage: bench_step MODEL.gguf [THREADS [SESSIONS [TOKENS]]]\n", stderr);
        return 2;
    }
    leat_error       error = {0};
    leat_lm         *lm;
    leat_lm_session *s[MOST_SESSIONS];
    leat_lm_info     info;
    leat_lm_options  options;
    leat_lm_session_options session;
    leat_lm_options_default(&options);
    options.threads = sum.threads;
    must(leat_lm_open(argv[1], &options, &lm, &error), &error);
    leat_lm_get_info(lm, &info);
    leat_lm_session_options_default(&session);
    session.context = count + 16;
    for (int i = 0; i < sessions; i++) must(leat_lm_session_open(lm, &session, &s[i], &error), &error);
    int32_t *tokens = malloc(((size_t)count + MOST_SESSIONS) * sizeof *tokens);
    for (int i = 0; tokens && i < count + MOST_SESSIONS; i++) tokens[i] = (int32_t)((i * 7919LL + 13) % info.vocabulary);
    if (!tokens) return 1;
    run(s, sessions, tokens, count);
    sum.running = 1;
    int64_t start = leat__now_ns();
    for (int i = 0; i < RUNS; i++) run(s, sessions, tokens, count);
    report((double)(leat__now_ns() - start));
    for (int i = 0; i < sessions; i++) leat_lm_session_close(s[i]);
    leat_lm_unref(lm);
    free(tokens);
    return 0;
}
