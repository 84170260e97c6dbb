/* telemetry.c - snapshots of what the data threads record, and the few marks that tell the measured time from the warm-up.
 *
 * The data threads write counters and histograms that are theirs; nothing here makes them wait.  Snapshots add the replicas up.
 */
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/stats.h"
#include "pipeline/pipeline_impl.h"

#define RELAXED(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define SET(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)

/* ---- recording ------------------------------------------------------------------------------------------------------------ */

void leat__mark_now(leat__mark *mark) {
    leat_memory_stats memory;
    leat_memory_get(&memory);
    SET(mark->at_ns, leat__now_ns());
    SET(mark->cpu_ns, leat__cpu_ns());
    SET(mark->allocations, memory.allocations);
    SET(mark->hot_allocations, memory.hot_allocations);
}

void leat__note_done(leat_pipeline *p, leat__histogram *latency, const leat_item *item) {
    int64_t now = leat__now_ns(), took = now - item->capture_ns;
    if (RELAXED(leat__item_of((leat_item *)item)->measured)) leat__histogram_add(latency, took);
    uint64_t at = atomic_fetch_add_explicit(&p->window_next, 1, memory_order_relaxed) % (uint64_t)p->options.window;
    SET(p->window_end[at], now);
    SET(p->window_latency[at], took);
    SET(p->last_done_ns, now);
    leat__throttle_feedback(&p->throttle, now, took);
    if (atomic_fetch_add_explicit(&p->done, 1, memory_order_relaxed) + 1 != (uint64_t)p->options.warmup) return;
    leat__mark_now(&p->from);
    atomic_store(&p->measuring, 1);
}

/* ---- snapshots ------------------------------------------------------------------------------------------------------------ */

static int started(const leat_pipeline *p) { return p->state != LEAT__BUILDING && p->state != LEAT__BROKEN; }

static int is_running(leat_pipeline *p) {
    pthread_mutex_lock(&p->monitor.lock);
    int running = p->state == LEAT__RUNNING;
    pthread_mutex_unlock(&p->monitor.lock);
    return running;
}

static void add_links(leat_pipeline *p, leat_pipeline_stats *stats) {
    stats->discarded = RELAXED(p->lost);
    for (int i = 0; i <= p->n_stages; i++) {
        if (!p->links[i]) continue;
        stats->dropped += RELAXED(p->links[i]->dropped);
        stats->discarded += RELAXED(p->links[i]->discarded);
    }
}

/* Rates since the end of the warm-up; before it all are 0. */
static void add_rates(leat_pipeline *p, leat_pipeline_stats *stats) {
    leat__mark now, *to = stats->running ? &now : &p->to;
    if (!atomic_load(&p->measuring)) return;
    if (stats->running) leat__mark_now(&now);
    int64_t wall = RELAXED(to->at_ns) - RELAXED(p->from.at_ns), frames_ns = RELAXED(p->last_done_ns) - RELAXED(p->from.at_ns);
    stats->measured = stats->done > (uint64_t)p->options.warmup ? stats->done - (uint64_t)p->options.warmup : 0;
    stats->elapsed_s = frames_ns > 0 ? (double)frames_ns / 1e9 : 0;
    if (frames_ns > 0) stats->fps = (double)stats->measured / stats->elapsed_s;
    if (wall > 0) stats->cpu_percent = 100.0 * (double)(RELAXED(to->cpu_ns) - RELAXED(p->from.cpu_ns)) / (double)wall;
    stats->allocations = RELAXED(to->allocations) - RELAXED(p->from.allocations);
    stats->hot_allocations = RELAXED(to->hot_allocations) - RELAXED(p->from.hot_allocations);
    if (stats->measured > 0) stats->allocations_per_frame = (double)stats->allocations / (double)stats->measured;
}

static void add_latency(leat_pipeline *p, leat_timing *timing) {
    leat__tally tally = {0};
    const leat__stage *last = p->stages[p->n_stages - 1];
    leat__tally_add(&tally, &p->latency);
    for (int i = 0; i < last->options.replicas; i++) leat__tally_add(&tally, &last->replicas[i].record.latency);
    leat__tally_timing(&tally, timing);
}

int leat_pipeline_get_stats(leat_pipeline *p, leat_pipeline_stats *stats) {
    memset(stats, 0, sizeof *stats);
    if (!started(p)) return LEAT_ESTATE;
    stats->stages = p->n_stages;
    stats->links = p->n_links;
    stats->running = is_running(p);
    stats->sources = RELAXED(p->sources);
    stats->skipped = RELAXED(p->skipped);
    stats->done = RELAXED(p->done);
    stats->in_flight = RELAXED(p->gate.in_flight);
    stats->in_flight_limit = RELAXED(p->gate.limit);
    stats->peak_rss_bytes = (uint64_t)leat__peak_rss();
    add_links(p, stats);
    add_rates(p, stats);
    add_latency(p, &stats->latency);
    return LEAT_OK;
}

/* CPU time of a replica's thread: its own record once it has ended, else its clock. */
static int64_t cpu_of(const leat_stage *r) {
    clockid_t id;
    struct timespec t;
    int64_t ended = RELAXED(r->record.cpu_ns);
    if (ended >= 0 || !r->started || pthread_getcpuclockid(r->thread, &id) != 0 || clock_gettime(id, &t) != 0) {
        ended = RELAXED(r->record.cpu_ns);
        return ended < 0 ? 0 : ended;
    }
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void add_record(leat_stage_stats *stats, const leat__record *rec) {
    stats->calls += RELAXED(rec->calls);
    stats->items_in += RELAXED(rec->items_in);
    stats->items_out += RELAXED(rec->items_out);
    stats->filtered += RELAXED(rec->filtered);
    stats->allocations += RELAXED(rec->allocations);
    stats->busy += (double)RELAXED(rec->call_ns);
    if (RELAXED(rec->signalled_ns) > stats->signalled_ns) stats->signalled_ns = RELAXED(rec->signalled_ns);
    if (RELAXED(rec->started_ns) > stats->started_ns) stats->started_ns = RELAXED(rec->started_ns);
    if (RELAXED(rec->finished_ns) > stats->finished_ns) stats->finished_ns = RELAXED(rec->finished_ns);
    if (RELAXED(rec->worst_delay_ns) > stats->worst_delay_ns) stats->worst_delay_ns = RELAXED(rec->worst_delay_ns);
}

/* One of a record's histograms, all replicas together. */
static void sum_timing(const leat__stage *s, size_t offset, leat_timing *timing) {
    leat__tally tally = {0};
    for (int i = 0; i < s->options.replicas; i++)
        leat__tally_add(&tally, (const leat__histogram *)(const void *)((const char *)&s->replicas[i].record + offset));
    leat__tally_timing(&tally, timing);
}

int leat_pipeline_get_stage(leat_pipeline *p, int index, leat_stage_stats *stats) {
    memset(stats, 0, sizeof *stats);
    if (!started(p)) return LEAT_ESTATE;
    if (index < 0 || index >= p->n_stages) return LEAT_EINVAL;
    const leat__stage *s = p->stages[index];
    stats->name = s->name;
    stats->replicas = s->options.replicas;
    stats->batch = s->options.batch;
    for (int i = 0; i < s->options.replicas; i++) {
        add_record(stats, &s->replicas[i].record);
        stats->cpu_ms += (double)cpu_of(&s->replicas[i]) / 1e6;
    }
    int64_t wall = (is_running(p) ? leat__now_ns() : RELAXED(p->to.at_ns)) - RELAXED(p->from.at_ns);
    stats->busy = wall > 0 ? stats->busy / (double)wall / s->options.replicas : 0;
    sum_timing(s, offsetof(leat__record, run), &stats->run);
    sum_timing(s, offsetof(leat__record, starved), &stats->starved);
    sum_timing(s, offsetof(leat__record, blocked), &stats->blocked);
    return LEAT_OK;
}

int leat_pipeline_get_link(leat_pipeline *p, int index, leat_link_stats *stats) {
    memset(stats, 0, sizeof *stats);
    if (!started(p)) return LEAT_ESTATE;
    if (index < 0 || index >= p->n_links) return LEAT_EINVAL;
    const leat__link *link = p->links[p->first_link + index];
    stats->from = link->from;
    stats->to = link->to;
    stats->policy = link->policy;
    stats->capacity = link->capacity;
    stats->depth = RELAXED(link->count);
    stats->most = RELAXED(link->most);
    stats->put = RELAXED(link->put);
    stats->taken = RELAXED(link->taken);
    stats->dropped = RELAXED(link->dropped);
    stats->discarded = RELAXED(link->discarded);
    stats->pool_items = leat__pool_count(link->pool);
    stats->pool_idle = leat_pool_idle(link->pool);
    leat__histogram_timing(&link->wait, &stats->wait);
    return LEAT_OK;
}

/* Mean, 95th percentile and rate of the frames in the ring; the window's lock is held. */
static void fill_window(leat_pipeline *p, int n, leat_window *window) {
    int64_t first = INT64_MAX, last = 0;
    leat_summary summary;
    for (int i = 0; i < n; i++) {
        int64_t end = RELAXED(p->window_end[i]);
        if (end < first) first = end;
        if (end > last) last = end;
        p->window_scratch[i] = (double)RELAXED(p->window_latency[i]) / 1e6;
    }
    leat__summarise(p->window_scratch, (size_t)n, &summary);
    window->frames = n;
    window->fps = last > first ? (n - 1) * 1e9 / (double)(last - first) : 0;
    window->latency_avg_ms = summary.mean;
    window->latency_p95_ms = summary.p95;
    window->latency_max_ms = summary.max;
}

int leat_pipeline_get_window(leat_pipeline *p, leat_window *window) {
    leat_pipeline_stats links = {0};
    memset(window, 0, sizeof *window);
    if (!started(p)) return LEAT_ESTATE;
    uint64_t ended = RELAXED(p->window_next);
    pthread_mutex_lock(&p->window_lock);
    fill_window(p, ended < (uint64_t)p->options.window ? (int)ended : p->options.window, window);
    pthread_mutex_unlock(&p->window_lock);
    add_links(p, &links);
    window->elapsed_ns = leat__now_ns() - RELAXED(p->started_ns);
    window->done = RELAXED(p->done);
    window->dropped = links.dropped;
    return LEAT_OK;
}
