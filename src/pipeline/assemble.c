/* assemble.c - from options to links, replicas and rings: everything the run will need is allocated here. */
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "pipeline/pipeline_impl.h"

#define USUAL_CAPACITY 8 /* longer queues add latency and memory, no throughput */
#define SPARE_HOLD 3     /* items a call may emit beyond one for each input before it has to wait for its turn */

/* ---- links ---------------------------------------------------------------------------------------------------------------- */

static int consumers(const leat_pipeline *p) {
    int threads = 0;
    for (int i = p->options.push ? 0 : 1; i < p->n_stages; i++) threads += p->stages[i]->options.replicas;
    return threads;
}

/* Enough for every stage to gather a whole batch. */
static int least_in_flight(const leat_pipeline *p) {
    int least = 1;
    for (int i = 0; i < p->n_stages; i++) least += p->stages[i]->options.batch - 1;
    return least;
}

/* Live and without a number, or with a latency to keep, the limit is found while running; a number then is the most. */
static void set_gate(leat_pipeline *p) {
    int least = least_in_flight(p), given = p->options.in_flight, most = given > 0 ? given : 2 * consumers(p);
    int adaptive = p->options.live && (given == 0 || p->options.latency_target_ns > 0);
    if (most < least && given == 0) most = least;
    leat__gate_init(&p->gate, adaptive ? 0 : most, least < most ? least : most, most, p->options.latency_target_ns);
}

/* Fills in what the options of link i left open. */
static leat_link_options resolve(const leat_pipeline *p, int i) {
    leat_link_options o = i == 0 ? p->options.entry : p->stages[i - 1]->options.output;
    int first = i == p->first_link, batch = i < p->n_stages ? p->stages[i]->options.batch : 1;
    if (o.capacity == 0) {
        o.capacity = first && p->options.live ? 1 : p->gate.most < USUAL_CAPACITY ? p->gate.most : USUAL_CAPACITY;
        if (o.capacity < batch) o.capacity = batch;
    }
    if (o.policy == LEAT_POLICY_DEFAULT) o.policy = first && p->options.live ? LEAT_POLICY_DROP_OLDEST : LEAT_POLICY_BLOCK;
    return o;
}

static int make_link(leat_pipeline *p, int i) {
    leat_link_options options = resolve(p, i);
    leat__link *link = leat__calloc(1, sizeof *link, LEAT_MEMORY_OTHER);
    if (!link) return LEAT_ENOMEM;
    p->links[i] = link;
    p->n_links++;
    return leat__link_init(link, i == 0 ? "send" : p->stages[i - 1]->name, i == p->n_stages ? "get" : p->stages[i]->name, &options,
                           &p->cancelled);
}

static int make_links(leat_pipeline *p) {
    p->first_link = p->options.push ? 0 : 1;
    set_gate(p);
    for (int i = p->first_link; i < p->n_stages + (p->options.pull != 0); i++) {
        int status = make_link(p, i);
        if (status != LEAT_OK) return status;
    }
    for (int i = 0; i < p->n_stages; i++) {
        p->stages[i]->input = p->links[i];
        p->stages[i]->output = p->links[i + 1];
    }
    return LEAT_OK;
}

/* ---- stages --------------------------------------------------------------------------------------------------------------- */

/* Several replicas with a link behind them need an order.  The window leaves the oldest ticket a buffer, however many the younger
 * ones hold: else a small pool would be a deadlock. */
static int make_turn(leat__stage *s) {
    int pool = s->output ? leat__pool_count(s->output->pool) : 0;
    if (s->options.replicas == 1 || !s->output) return LEAT_OK;
    s->hold = s->options.batch + SPARE_HOLD;
    s->window = 2 * s->options.replicas;
    if (pool > 0 && s->window > pool / s->options.batch) s->window = pool / s->options.batch;
    if (s->window < 1) s->window = 1;
    s->slots = leat__calloc((size_t)s->window, sizeof *s->slots, LEAT_MEMORY_OTHER);
    s->slot_items = leat__calloc((size_t)s->window * (size_t)s->hold, sizeof *s->slot_items, LEAT_MEMORY_OTHER);
    if (!s->slots || !s->slot_items) return LEAT_ENOMEM;
    for (int i = 0; i < s->window; i++) s->slots[i].items = s->slot_items + (size_t)i * (size_t)s->hold;
    s->end = UINT64_MAX;
    return LEAT_OK;
}

static int make_replica(leat__stage *s, int index) {
    leat_stage *r = &s->replicas[index];
    size_t batch = (size_t)s->options.batch;
    int events = s->pipeline->options.trace_events;
    r->stage = s;
    r->pipeline = s->pipeline;
    r->index = index;
    r->in = leat__calloc(batch, sizeof *r->in, LEAT_MEMORY_OTHER);
    r->items = leat__calloc(batch, sizeof *r->items, LEAT_MEMORY_OTHER);
    r->held = leat__calloc((size_t)s->hold + 1, sizeof *r->held, LEAT_MEMORY_OTHER);
    atomic_init(&r->record.cpu_ns, -1);
    leat__rider_init(&r->rider, &s->pipeline->turnstile, s->options.replicas, s->index);
    if (events > 0) {
        r->events.events = leat__calloc((size_t)events, sizeof *r->events.events, LEAT_MEMORY_OTHER);
        r->events.capacity = r->events.events ? events : 0;
    }
    return r->in && r->items && r->held && r->events.capacity == events ? LEAT_OK : LEAT_ENOMEM;
}

static int make_stage(leat__stage *s) {
    int status = make_turn(s);
    s->replicas = leat__calloc((size_t)s->options.replicas, sizeof *s->replicas, LEAT_MEMORY_OTHER);
    if (!s->replicas) return LEAT_ENOMEM;
    for (int i = 0; i < s->options.replicas && status == LEAT_OK; i++) status = make_replica(s, i);
    atomic_init(&s->running, s->options.replicas);
    return status;
}

static int make_window(leat_pipeline *p) {
    size_t n = (size_t)p->options.window;
    p->window_end = leat__calloc(n, sizeof *p->window_end, LEAT_MEMORY_OTHER);
    p->window_latency = leat__calloc(n, sizeof *p->window_latency, LEAT_MEMORY_OTHER);
    p->window_scratch = leat__calloc(n, sizeof *p->window_scratch, LEAT_MEMORY_OTHER);
    return p->window_end && p->window_latency && p->window_scratch ? LEAT_OK : LEAT_ENOMEM;
}

int leat__assemble_make(leat_pipeline *p, leat_error *error) {
    int status = make_links(p);
    leat__turnstile_init(&p->turnstile, !p->options.live, consumers(p) + !p->options.push);
    if (status == LEAT_OK) status = make_window(p);
    for (int i = 0; i < p->n_stages && status == LEAT_OK; i++) status = make_stage(p->stages[i]);
    return status == LEAT_OK ? LEAT_OK : leat__fail(error, status, "pipeline: out of memory for links and replicas");
}

/* ---- freeing -------------------------------------------------------------------------------------------------------------- */

static void free_stage(leat__stage *s) {
    for (int i = 0; s->replicas && i < s->options.replicas; i++) {
        leat_stage *r = &s->replicas[i];
        leat__rider_fini(&r->rider);
        leat__free(r->in);
        leat__free(r->items);
        leat__free(r->held);
        leat__free(r->events.events);
    }
    leat_pool_unref(s->options.output.pool);
    leat__monitor_fini(&s->turn);
    leat__free(s->replicas);
    leat__free(s->slots);
    leat__free(s->slot_items);
    leat__free(s);
}

void leat__assemble_free(leat_pipeline *p) {
    int assembled = atomic_load(&p->state) != LEAT__BUILDING;
    for (int i = 0; i <= p->n_stages; i++) {
        if (p->links[i]) leat__link_fini(p->links[i]);
        leat__free(p->links[i]);
    }
    for (int i = 0; i < p->n_stages; i++) free_stage(p->stages[i]);
    if (assembled) leat__turnstile_fini(&p->turnstile);
    leat_pool_unref(p->options.entry.pool);
    leat__free(p->window_end);
    leat__free(p->window_latency);
    leat__free(p->window_scratch);
}
