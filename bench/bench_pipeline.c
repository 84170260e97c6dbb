/* bench_pipeline.c - what the scheduler reaches, as ratios to what the machine and the stages allow.
 *
 *     overlap of sleeping stages        frames/s against 1 / slowest stage                                 goal >= 0.98
 *     overlap of working stages         frames/s against min(CPUs / CPU time of a frame, 1 / slowest)      goal >= 0.93
 *     own cost                          CPU time of a frame through empty stages, per link                 goal < 15 us
 *       at a camera's pace              the same less what threads with one mutex and condition cost; waking an idle CPU is the system's
 *     long run                          20,000 frames: memory, allocations, order                          goal 0
 *     live source, 2x overload          p99 latency against the stages' times + 2 output periods           goal <= 1.00
 *     live source, latency target       p95 latency against the target                                     goal <= 1.00
 *
 * bench_pipeline [name-prefix]: only the cases whose name begins so.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "leat/leat.h"

enum { MOST = 8 };

typedef struct job {
    int64_t  sleep_ns;
    int      rounds; /* of work */
    double   sink;
} job;

typedef struct chain {
    int     stages;
    int64_t sleep_ns[MOST]; /* of each stage behind the source */
    int     rounds[MOST];
    int     replicas[MOST];
    int64_t frames, period_ns; /* of the source */
    int     live, in_flight, warmup;
    int64_t target_ns;      /* latency */
} chain;

typedef struct outcome {
    leat_pipeline_stats all;
    leat_stage_stats    stage[MOST + 1];
    double  sum_ms, slowest_ms; /* of the stages' mean times */
    int64_t out_of_order;
    int64_t rss_slope;          /* bytes that the resident set grew by in the second half */
} outcome;

static struct {
    int64_t next, count, period_ns, due_ns, half_rss;
} feed;
static struct {
    int64_t last, out_of_order;
} end;

static int64_t resident(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static void nap(int64_t ns) {
    struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    if (ns > 0) nanosleep(&t, NULL);
}

static double work(int rounds) {
    double x = 1;
    for (int i = 0; i < rounds; i++) x = x * 0.999999 + 1e-6 * i;
    return x;
}

static int source_process(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    leat_item *item;
    (void)user, (void)items, (void)n, (void)error;
    if (feed.next == feed.count) return LEAT_EEND;
    if (feed.next == feed.count / 2) feed.half_rss = resident();
    if (feed.period_ns > 0) {
        if (feed.due_ns == 0) feed.due_ns = leat__now_ns();
        nap(feed.due_ns - leat__now_ns());
    }
    int status = leat_stage_get(stage, &item);
    if (status != LEAT_OK) return status;
    item->index = feed.next++;
    item->capture_ns = feed.period_ns > 0 ? feed.due_ns : 0;
    feed.due_ns += feed.period_ns;
    return leat_stage_emit(stage, item);
}

static int middle_process(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    job *j = user;
    (void)n, (void)error;
    nap(j->sleep_ns);
    if (j->rounds > 0) *(volatile double *)items[0]->data = work(j->rounds);
    return leat_stage_emit(stage, leat_item_ref(items[0]));
}

static int sink_process(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    job *j = user;
    (void)stage, (void)n, (void)error;
    nap(j->sleep_ns);
    if (j->rounds > 0) *(volatile double *)items[0]->data = work(j->rounds);
    if (items[0]->index <= end.last) end.out_of_order++;
    end.last = items[0]->index;
    return LEAT_OK;
}

static void need(int status, const leat_error *error) {
    if (status == LEAT_OK) return;
    fprintf(stderr, "bench_pipeline: %s\n", error && error->message[0] ? error->message : leat_status_text(status));
    exit(1);
}

static void add_stages(leat_pipeline *p, const chain *c, job *jobs, leat_pool *pool) {
    static const char *const names[MOST] = {"one", "two", "three", "four", "five", "six", "seven", "eight"};
    leat_stage_options o;
    leat_stage_options_default(&o);
    o.name = "source";
    o.process = source_process;
    o.output.pool = pool;
    need(leat_pipeline_add(p, &o, NULL), NULL);
    o.output.pool = NULL;
    for (int i = 0; i < c->stages; i++) {
        jobs[i] = (job){.sleep_ns = c->sleep_ns[i], .rounds = c->rounds[i]};
        o.name = names[i];
        o.user = &jobs[i];
        o.replicas = c->replicas[i] ? c->replicas[i] : 1;
        o.process = i + 1 < c->stages ? middle_process : sink_process;
        need(leat_pipeline_add(p, &o, NULL), NULL);
    }
}

static outcome measure(const chain *c) {
    leat_pipeline_options options;
    leat_pool_options pool_options;
    leat_pipeline *p;
    leat_pool *pool;
    leat_error error = {0};
    outcome o = {0};
    job jobs[MOST];
    leat_pool_options_default(&pool_options);
    pool_options.count = 32;
    pool_options.item_bytes = 64;
    need(leat_pool_new(&pool_options, &pool), NULL);
    leat_pipeline_options_default(&options, c->live);
    options.in_flight = c->in_flight;
    options.warmup = c->warmup;
    options.latency_target_ns = c->target_ns;
    need(leat_pipeline_open(&options, &p, &error), &error);
    feed.next = feed.due_ns = feed.half_rss = 0;
    feed.count = c->frames;
    feed.period_ns = c->period_ns;
    end.last = -1;
    end.out_of_order = 0;
    add_stages(p, c, jobs, pool);
    need(leat_pipeline_start(p, &error), &error);
    need(leat_pipeline_wait(p, -1, &error), &error);
    o.rss_slope = resident() - feed.half_rss;
    leat_pipeline_get_stats(p, &o.all);
    for (int i = 0; i <= c->stages; i++) {
        leat_pipeline_get_stage(p, i, &o.stage[i]);
        if (i == 0) continue;
        double ms = o.stage[i].run.mean_ms, share = ms / o.stage[i].replicas;
        o.sum_ms += ms;
        if (share > o.slowest_ms) o.slowest_ms = share;
    }
    o.out_of_order = end.out_of_order;
    leat_pipeline_close(p);
    leat_pool_unref(pool);
    return o;
}

static void verdict(const char *name, double ratio, double goal, int at_most, const char *note) {
    printf("%-34s %8.3f  goal %s %-6g %-7s %s\n", name, ratio, at_most ? "<=" : ">=", goal, (at_most ? ratio <= goal : ratio >= goal) ? "reached" : "MISSED",
           note);
    fflush(stdout);
}

/* ---- cases ---------------------------------------------------------------------------------------------------------------- */

/* What a sleep of ns really takes here, alone. */
static double nap_ms(int64_t ns) {
    enum { TIMES = 40 };
    int64_t from = leat__now_ns();
    for (int i = 0; i < TIMES; i++) nap(ns);
    return (double)(leat__now_ns() - from) / 1e6 / TIMES;
}

static void sleeping(const char *name, chain c) {
    char note[160];
    int64_t slowest = 0;
    outcome o = measure(&c);
    for (int i = 0; i < c.stages; i++) {
        int64_t share = c.sleep_ns[i] / (c.replicas[i] ? c.replicas[i] : 1);
        if (share > slowest) slowest = share;
    }
    snprintf(note, sizeof note, "%.2f frames/s; a sleep of %.0f ms alone takes %.3f", o.all.fps, (double)slowest / 1e6, nap_ms(slowest));
    verdict(name, o.all.fps * (double)slowest / 1e9, 0.98, 0, note);
}

static void working(const char *name, chain c) {
    char note[160];
    outcome o = measure(&c);
    int cpus = leat_cpu_count();
    double cpu_ms = o.all.cpu_percent / 100 * 1000 / o.all.fps, slowest = 0;
    for (int i = 1; i <= c.stages; i++) {
        double ms = o.stage[i].cpu_ms / (double)o.stage[i].items_in / o.stage[i].replicas;
        if (ms > slowest) slowest = ms;
    }
    double bound = cpus * 1000 / cpu_ms < 1000 / slowest ? cpus * 1000 / cpu_ms : 1000 / slowest;
    snprintf(note, sizeof note, "%.1f frames/s, %.3f ms CPU a frame, %d CPUs", o.all.fps, cpu_ms, cpus);
    verdict(name, o.all.fps / bound, 0.93, 0, note);
}

static void own_cost(const char *name, chain c) {
    char note[160];
    outcome o = measure(&c);
    double cpu_us = o.all.cpu_percent / 100 * 1e6 / o.all.fps / c.stages;
    snprintf(note, sizeof note, "us of CPU per frame and link; %.0f frames/s, latency p50 %.1f us", o.all.fps, o.all.latency.p50_ms * 1e3);
    verdict(name, cpu_us, 15, 1, note);
}

/* ---- the same hand-over by hand: a mutex, a condition and a slot ------------------------------------------------------------ */

typedef struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    int             full, over;
} mailbox;

static void mailbox_put(mailbox *m, int over) {
    pthread_mutex_lock(&m->lock);
    while (m->full) pthread_cond_wait(&m->changed, &m->lock);
    m->full = 1;
    m->over = over;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

static int mailbox_take(mailbox *m) {
    pthread_mutex_lock(&m->lock);
    while (!m->full) pthread_cond_wait(&m->changed, &m->lock);
    m->full = 0;
    int over = m->over;
    pthread_cond_broadcast(&m->changed);
    pthread_mutex_unlock(&m->lock);
    return over;
}

static void *relay(void *pair) {
    mailbox *m = pair;
    int over;
    do {
        over = mailbox_take(m);
        mailbox_put(m + 1, over);
    } while (!over);
    return NULL;
}

static void *swallow(void *box) {
    while (!mailbox_take(box)) {}
    return NULL;
}

/* CPU time of a frame and link through `links` mailboxes at the pace of the source, us. */
static double bare_cost(int links, int64_t frames, int64_t period_ns) {
    mailbox boxes[MOST];
    pthread_t threads[MOST];
    for (int i = 0; i < links; i++) {
        boxes[i] = (mailbox){.full = 0};
        pthread_mutex_init(&boxes[i].lock, NULL);
        pthread_cond_init(&boxes[i].changed, NULL);
    }
    int64_t cpu = leat__cpu_ns(), due = leat__now_ns();
    for (int i = 0; i < links; i++)
        if (pthread_create(&threads[i], NULL, i + 1 < links ? relay : swallow, &boxes[i]) != 0) exit(1);
    for (int64_t f = 0; f < frames; f++) {
        nap(due - leat__now_ns());
        due += period_ns;
        mailbox_put(&boxes[0], f + 1 == frames);
    }
    for (int i = 0; i < links; i++) pthread_join(threads[i], NULL);
    return (double)(leat__cpu_ns() - cpu) / 1e3 / (double)frames / links;
}

static void paced_cost(const char *name, chain c) {
    char note[160];
    double bare = bare_cost(c.stages, c.frames, c.period_ns);
    outcome o = measure(&c);
    double cpu_us = o.all.cpu_percent / 100 * 1e6 / o.all.fps / c.stages;
    snprintf(note, sizeof note, "us of CPU per frame and link more than by hand (%.1f, by hand %.1f); latency p50 %.1f us", cpu_us, bare, o.all.latency.p50_ms * 1e3);
    verdict(name, cpu_us - bare, 15, 1, note);
}

static void long_run(const char *name, chain c) {
    char note[200];
    outcome o = measure(&c);
    uint64_t lost = o.all.sources - o.all.done - o.all.dropped - o.all.skipped - o.all.discarded;
    snprintf(note, sizeof note, "%llu done, %llu dropped, grown by %lld bytes, %llu allocations, %lld out of order, %llu unaccounted",
             (unsigned long long)o.all.done, (unsigned long long)o.all.dropped, (long long)o.rss_slope, (unsigned long long)o.all.allocations,
             (long long)o.out_of_order, (unsigned long long)lost);
    verdict(name, (double)(o.rss_slope > 0 ? o.rss_slope : 0) + (double)o.all.allocations + (double)o.out_of_order + (double)lost, 0, 1, note);
}

static void overload(const char *name, chain c) {
    char note[200];
    outcome o = measure(&c);
    double sum = 0, allowed;
    for (int i = 0; i < c.stages; i++) sum += (double)c.sleep_ns[i] / 1e6;
    if (sum == 0) sum = o.sum_ms;
    allowed = sum + 2 * 1000 / o.all.fps;
    snprintf(note, sizeof note, "p50 %.1f p99 %.1f ms, stages %.1f ms, period %.2f ms, limit %d, %.1f %% dropped", o.all.latency.p50_ms, o.all.latency.p99_ms, sum,
             1000 / o.all.fps, o.all.in_flight_limit, 100.0 * (double)o.all.dropped / (double)o.all.sources);
    verdict(name, o.all.latency.p99_ms / allowed, 1, 1, note);
}

static void on_target(const char *name, chain c) {
    char note[200];
    outcome o = measure(&c);
    snprintf(note, sizeof note, "p50 %.1f p95 %.1f p99 %.1f ms, target %.1f; %.1f of %.1f frames/s, %.1f %% skipped, %.1f %% dropped", o.all.latency.p50_ms,
             o.all.latency.p95_ms, o.all.latency.p99_ms, (double)c.target_ns / 1e6, o.all.fps, 1000 / o.slowest_ms,
             100.0 * (double)o.all.skipped / (double)o.all.sources, 100.0 * (double)o.all.dropped / (double)o.all.sources);
    verdict(name, o.all.latency.p95_ms / ((double)c.target_ns / 1e6), 1, 1, note);
}

#define MS INT64_C(1000000)

static const struct {
    const char *name;
    void (*run)(const char *name, chain c);
    chain c;
} cases[] = {
    {"sleeping 5 8 6 ms", sleeping, {.stages = 3, .sleep_ns = {5 * MS, 8 * MS, 6 * MS}, .frames = 250, .warmup = 10}},
    {"sleeping 5 5 5 5 ms", sleeping, {.stages = 4, .sleep_ns = {5 * MS, 5 * MS, 5 * MS, 5 * MS}, .frames = 400, .warmup = 10}},
    {"sleeping 5 15(x3) 5 ms", sleeping,
     {.stages = 3, .sleep_ns = {5 * MS, 15 * MS, 5 * MS}, .replicas = {1, 3, 1}, .frames = 400, .warmup = 10}},
    {"working 1:2:1", working, {.stages = 3, .rounds = {500000, 1000000, 500000}, .frames = 600, .warmup = 20}},
    {"working 3:10:2:3", working, {.stages = 4, .rounds = {500000, 1600000, 330000, 500000}, .frames = 500, .warmup = 20}},
    {"working 1:6(x2):1", working,
     {.stages = 3, .rounds = {300000, 1800000, 300000}, .replicas = {1, 2, 1}, .frames = 500, .warmup = 20}},
    {"own cost, 3 links, saturated", own_cost, {.stages = 3, .frames = 100000, .warmup = 1000}},
    {"own cost, 6 links, saturated", own_cost, {.stages = 6, .frames = 50000, .warmup = 1000}},
    {"own cost, 3 links, 500 frames/s", paced_cost, {.stages = 3, .frames = 1000, .period_ns = 2 * MS, .warmup = 50}},
    {"long run", long_run, {.stages = 3, .replicas = {1, 2, 1}, .frames = 20000, .warmup = 200}},
    {"long run, live, dropping", long_run,
     {.stages = 3, .live = 1, .sleep_ns = {0, 200000, 0}, .period_ns = 100000, .frames = 20000, .warmup = 200}},
    {"overload 2 10 4 ms", overload,
     {.stages = 3, .live = 1, .sleep_ns = {2 * MS, 10 * MS, 4 * MS}, .period_ns = 5 * MS, .frames = 800, .warmup = 10}},
    {"overload 5 5 10 5 ms", overload,
     {.stages = 4, .live = 1, .sleep_ns = {5 * MS, 5 * MS, 10 * MS, 5 * MS}, .period_ns = 5 * MS, .frames = 800, .warmup = 10}},
    {"overload 3 3 3 12 ms", overload,
     {.stages = 4, .live = 1, .sleep_ns = {3 * MS, 3 * MS, 3 * MS, 12 * MS}, .period_ns = 6 * MS, .frames = 800, .warmup = 10}},
    {"overload 3 12(x2) 3 ms", overload,
     {.stages = 3, .live = 1, .sleep_ns = {3 * MS, 12 * MS, 3 * MS}, .replicas = {1, 2, 1}, .period_ns = 3 * MS, .frames = 1200,
      .warmup = 10}},
    {"target 40 ms, 3 3 3 12 ms", on_target,
     {.stages = 4, .live = 1, .in_flight = 12, .sleep_ns = {3 * MS, 3 * MS, 3 * MS, 12 * MS}, .period_ns = 6 * MS,
      .frames = 1500, .warmup = 100, .target_ns = 40 * MS}},
    {"target 25 ms, 3 3 3 12 ms", on_target,
     {.stages = 4, .live = 1, .sleep_ns = {3 * MS, 3 * MS, 3 * MS, 12 * MS}, .period_ns = 6 * MS, .frames = 1500, .warmup = 100,
      .target_ns = 25 * MS}},
    {"overload working 1:6:1", overload,
     {.stages = 3, .live = 1, .rounds = {1000000, 6000000, 1000000}, .period_ns = 5 * MS, .frames = 800, .warmup = 10}},
};

int main(int argc, char **argv) {
    const char *only = argc > 1 ? argv[1] : "";
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); /* sleeping stages are to sleep what they say; threads inherit it */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strncmp(cases[i].name, only, strlen(only)) == 0) cases[i].run(cases[i].name, cases[i].c);
    return 0;
}
