/* pipeline_report.c - see pipeline_report.h. */
#include "pipeline_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "term.h"

static int live_line; /* a line without an end stands on the terminal */

/* ---- table ---------------------------------------------------------------------------------------------------------------- */

/* The link that feeds the stage; 0 for a source. */
static int input_of(leat_pipeline *p, const leat_pipeline_stats *all, const char *stage, leat_link_stats *link) {
    for (int i = 0; i < all->links; i++)
        if (leat_pipeline_get_link(p, i, link) == LEAT_OK && strcmp(link->to, stage) == 0) return 1;
    return 0;
}

static void table_row(cli_table *t, leat_pipeline *p, const leat_pipeline_stats *all, int index) {
    leat_stage_stats s;
    leat_link_stats link;
    if (leat_pipeline_get_stage(p, index, &s) != LEAT_OK) return;
    cli_table_row(t);
    if (s.replicas > 1) cli_table_set(t, 0, "%s x%d", s.name, s.replicas);
    else cli_table_set(t, 0, "%s", s.name);
    cli_table_set(t, 1, "%llu", (unsigned long long)(s.items_in ? s.items_in : s.items_out));
    cli_table_set(t, 2, "%.3f ± %.3f", s.run.mean_ms, s.run.sd_ms);
    cli_table_set(t, 3, "%.3f", s.run.min_ms);
    cli_table_set(t, 4, "%.3f", s.run.p50_ms);
    cli_table_set(t, 5, "%.3f", s.run.p95_ms);
    cli_table_set(t, 6, "%.3f", s.run.p99_ms);
    cli_table_set(t, 7, "%.3f", s.run.p999_ms);
    cli_table_set(t, 8, "%.3f", s.run.max_ms);
    cli_table_set(t, 11, "%.0f %%", 100 * s.busy);
    cli_table_set(t, 12, "%.1f", s.run.n ? (double)s.allocations / (double)s.run.n : 0);
    if (!input_of(p, all, s.name, &link)) return;
    cli_table_set(t, 9, "%.3f", link.wait.mean_ms);
    cli_table_set(t, 10, "%llu", (unsigned long long)(link.dropped + link.discarded));
}

static void print_stage_table(leat_pipeline *p, const leat_pipeline_stats *all) {
    cli_table t;
    cli_table_init(&t, "stage|frames|ms ± sd|min|p50|p95|p99|p99.9|max|queue ms|dropped|busy|allocs", 1);
    for (int i = 0; i < all->stages; i++) table_row(&t, p, all, i);
    cli_table_print_to(&t, stderr);
    cli_table_fini(&t);
}

void cli_pipeline_table(leat_pipeline *p) {
    leat_pipeline_stats s;
    char rss[16];
    cli_pipeline_live_end();
    if (leat_pipeline_get_stats(p, &s) != LEAT_OK) return;
    print_stage_table(p, &s);
    const leat_timing *l = &s.latency;
    fprintf(stderr, "frames   %llu in, %llu out, %llu dropped, %llu skipped, %llu discarded; at most %d in flight\n", (unsigned long long)s.sources,
            (unsigned long long)s.done, (unsigned long long)s.dropped, (unsigned long long)s.skipped, (unsigned long long)s.discarded, s.in_flight_limit);
    fprintf(stderr, "rate     %.2f frames/s over %.2f s, CPU %.0f %%, peak memory %s, %.2f allocations a frame (%llu on the hot path)\n", s.fps, s.elapsed_s,
            s.cpu_percent, cli_bytes_text((double)s.peak_rss_bytes, rss, sizeof rss), s.allocations_per_frame, (unsigned long long)s.hot_allocations);
    fprintf(stderr, "latency  %.2f ± %.2f ms, min %.2f, p50 %.2f, p95 %.2f, p99 %.2f, p99.9 %.2f, max %.2f (capture to end, each frame measured)\n", l->mean_ms,
            l->sd_ms, l->min_ms, l->p50_ms, l->p95_ms, l->p99_ms, l->p999_ms, l->max_ms);
}

/* ---- live ----------------------------------------------------------------------------------------------------------------- */

void cli_pipeline_live(void *user, leat_pipeline *pipeline, const leat_window *w) {
    leat_pipeline_stats s = {0};
    (void)user;
    leat_pipeline_get_stats(pipeline, &s);
    live_line = isatty(STDERR_FILENO);
    fprintf(stderr, "%s%8.1f s  %6.2f frames/s  latency %.1f ms, p95 %.1f  in flight %d/%d  done %llu  dropped %llu%s", live_line ? "\r\033[K" : "",
            (double)w->elapsed_ns / 1e9, w->fps, w->latency_avg_ms, w->latency_p95_ms, s.in_flight, s.in_flight_limit, (unsigned long long)w->done,
            (unsigned long long)w->dropped, live_line ? "" : "\n");
}

void cli_pipeline_live_end(void) {
    if (live_line) fputc('\n', stderr);
    live_line = 0;
}

int64_t cli_parse_interval(const char *text) {
    char *end;
    double value = strtod(text, &end), seconds;
    if (end == text || !isfinite(value)) return -1;
    if (strcmp(end, "ms") == 0) seconds = value / 1e3;
    else if (*end == 0 || strcmp(end, "s") == 0) seconds = value;
    else if (strcmp(end, "min") == 0) seconds = value * 60;
    else return -1;
    return seconds >= 0.01 && seconds <= 3600 ? (int64_t)(seconds * 1e9) : -1;
}

/* ---- JSON ----------------------------------------------------------------------------------------------------------------- */

static void set(json_t *object, const char *name, json_t *value) { json_object_set_new(object, name, value); }
static void set_count(json_t *object, const char *name, uint64_t value) { set(object, name, json_integer((json_int_t)value)); }

static json_t *timing_json(const leat_timing *t) {
    json_t *o = json_object();
    set_count(o, "n", t->n);
    set(o, "mean_ms", cli_json_number(t->mean_ms));
    set(o, "sd_ms", cli_json_number(t->sd_ms));
    set(o, "min_ms", cli_json_number(t->min_ms));
    set(o, "p50_ms", cli_json_number(t->p50_ms));
    set(o, "p95_ms", cli_json_number(t->p95_ms));
    set(o, "p99_ms", cli_json_number(t->p99_ms));
    set(o, "p999_ms", cli_json_number(t->p999_ms));
    set(o, "max_ms", cli_json_number(t->max_ms));
    return o;
}

static json_t *stage_json(const leat_stage_stats *s) {
    json_t *o = json_object();
    set(o, "stage", cli_json_text(s->name));
    set_count(o, "replicas", (uint64_t)s->replicas);
    set_count(o, "batch", (uint64_t)s->batch);
    set_count(o, "calls", s->calls);
    set_count(o, "items_in", s->items_in);
    set_count(o, "items_out", s->items_out);
    set_count(o, "filtered", s->filtered);
    set(o, "run", timing_json(&s->run));
    set(o, "starved", timing_json(&s->starved));
    set(o, "blocked", timing_json(&s->blocked));
    set(o, "thread_cpu_ms", cli_json_number(s->cpu_ms));
    set(o, "busy_ratio", cli_json_number(s->busy));
    set_count(o, "allocations", s->allocations);
    set(o, "worst_delay_ms", cli_json_number((double)s->worst_delay_ns / 1e6));
    return o;
}

static json_t *link_json(const leat_link_stats *l) {
    json_t *o = json_object();
    set(o, "from", cli_json_text(l->from));
    set(o, "to", cli_json_text(l->to));
    set(o, "policy", cli_json_text(leat_policy_name(l->policy)));
    set_count(o, "capacity", (uint64_t)l->capacity);
    set_count(o, "most", (uint64_t)l->most);
    set_count(o, "put", l->put);
    set_count(o, "taken", l->taken);
    set_count(o, "dropped", l->dropped);
    set_count(o, "discarded", l->discarded);
    set(o, "wait", timing_json(&l->wait));
    return o;
}

static json_t *frames_json(const leat_pipeline_stats *s) {
    json_t *o = json_object();
    set_count(o, "in", s->sources);
    set_count(o, "out", s->done);
    set_count(o, "measured", s->measured);
    set_count(o, "dropped", s->dropped);
    set_count(o, "skipped", s->skipped);
    set_count(o, "discarded", s->discarded);
    return o;
}

json_t *cli_pipeline_json(leat_pipeline *p) {
    leat_pipeline_stats s;
    leat_stage_stats stage;
    leat_link_stats link;
    json_t *o = json_object(), *stages = json_array(), *links = json_array();
    leat_pipeline_get_stats(p, &s);
    set(o, "frames", frames_json(&s));
    set_count(o, "in_flight_limit", (uint64_t)s.in_flight_limit);
    set(o, "elapsed_s", cli_json_number(s.elapsed_s));
    set(o, "fps", cli_json_number(s.fps));
    set(o, "cpu_percent", cli_json_number(s.cpu_percent));
    set_count(o, "peak_rss_bytes", s.peak_rss_bytes);
    set_count(o, "allocations", s.allocations);
    set(o, "allocations_per_frame", cli_json_number(s.allocations_per_frame));
    set_count(o, "hot_allocations", s.hot_allocations);
    set(o, "latency", timing_json(&s.latency));
    for (int i = 0; i < s.stages; i++)
        if (leat_pipeline_get_stage(p, i, &stage) == LEAT_OK) json_array_append_new(stages, stage_json(&stage));
    for (int i = 0; i < s.links; i++)
        if (leat_pipeline_get_link(p, i, &link) == LEAT_OK) json_array_append_new(links, link_json(&link));
    set(o, "stages", stages);
    set(o, "links", links);
    return o;
}
