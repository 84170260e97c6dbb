/* replica.c - the thread of one replica: take, process, settle, until there is no more.
 *
 * The whole thread is a hot phase (base/mem.h) but for open and close, which run elsewhere, for flush, for calls of stages that
 * say they allocate, and for the warm-up, in which first-time buffers are allowed.
 */
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pipeline/pipeline_impl.h"

#define RELAXED(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define SET(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define BUMP(field, by) SET(field, RELAXED(field) + (by))
#define RETRY_SPIN 64 /* of waits: one in so many spins again after spinning had not helped */

/* ---- input ---------------------------------------------------------------------------------------------------------------- */

/* A permit: the order's window, then the gate.  Under the lock of the stage's input. */
static int may_take(void *arg, int want) {
    leat_stage *r = arg;
    leat__stage *s = r->stage;
    leat_pipeline *p = r->pipeline;
    if (s->slots && s->input->tickets >= atomic_load(&s->next) + (uint64_t)s->window) return 0;
    if (s->input != p->links[p->first_link]) return want;
    int look, room = leat__gate_room(&p->gate, want, &look);
    if (!look) return room;
    leat__chain_times times = {0};
    for (int i = s->index; i < p->n_stages; i++) {
        int64_t alone = atomic_exchange_explicit(&p->stages[i]->alone_ns, 0, memory_order_relaxed);
        int64_t period = alone / p->stages[i]->options.replicas / p->stages[i]->options.batch;
        times.sum_ns += alone;
        if (period > times.slowest_ns) times.slowest_ns = period;
    }
    leat__gate_look(&p->gate, &times);
    return leat__gate_room(&p->gate, want, &look);
}

/* Looks for input for a moment before the thread sleeps: a wake-up costs more than a short spin.  Spins get shorter while they
 * find nothing, so that a thread whose input is slow takes no time from those that work. */
static void spin_for_input(leat_stage *r) {
    leat__link *input = r->stage->input;
    if (r->spin_ns == 0 && ++r->dry_spins % RETRY_SPIN == 0) r->spin_ns = r->pipeline->options.spin_ns;
    if (r->spin_ns == 0 || leat__link_ready(input)) return;
    int64_t until = leat__now_ns() + r->spin_ns;
    do {
        for (int i = 0; i < 16; i++) leat__pause();
        if (leat__link_ready(input)) {
            r->spin_ns = r->pipeline->options.spin_ns;
            return;
        }
    } while (leat__now_ns() < until);
    r->spin_ns = r->spin_ns / 2 < 500 ? 0 : r->spin_ns / 2;
}

/* Items are let in through the gate: whether they count, and whether they run alone, is settled here.  Under the first link's
 * lock. */
static void let_in(void *arg, const leat__entry *entries, int n) {
    leat_stage *r = arg;
    leat_pipeline *p = r->pipeline;
    if (r->stage->input != p->links[p->first_link]) return;
    int alone = leat__gate_pass(&p->gate, n), measured = RELAXED(p->measuring);
    for (int i = 0; i < n; i++) {
        SET(leat__item_of(entries[i].item)->alone, (uint8_t)alone);
        SET(leat__item_of(entries[i].item)->measured, (uint8_t)measured);
    }
}

/* The next items; 0 when there will be none. */
static int take_input(leat_stage *r) {
    leat__stage *s = r->stage;
    leat__demand demand = {s->options.batch, s->options.batch_wait_ns, INT64_MAX, may_take, let_in, r};
    int64_t from = leat__now_ns();
    int n = 0;
    if (r->rider.holds) { /* keeps its place if it need not wait */
        if (s->options.batch_wait_ns == 0) {
            demand.deadline_ns = 0;
            n = leat__link_take(s->input, &demand, r->in, &r->ticket);
        }
        if (n == 0) leat__rider_yield(&r->rider);
        demand.deadline_ns = INT64_MAX;
    }
    if (n == 0) {
        spin_for_input(r);
        n = leat__link_take(s->input, &demand, r->in, &r->ticket);
    }
    if (n <= 0) return 0;
    for (int i = 0; i < n; i++) r->items[i] = r->in[i].item;
    r->n = n;
    r->measured = RELAXED(leat__item_of(r->items[0])->measured);
    r->alone = RELAXED(leat__item_of(r->items[0])->alone);
    r->asked_ns = from;
    return n;
}

/* ---- one call ------------------------------------------------------------------------------------------------------------- */

static void note_start(leat_stage *r, int64_t now) {
    leat__record *rec = &r->record;
    SET(rec->started_ns, now);
    BUMP(rec->calls, 1);
    if (r->n == 0) return;
    BUMP(rec->items_in, (uint64_t)r->n);
    if (r->measured) leat__histogram_add(&rec->starved, now - r->asked_ns);
    SET(rec->signalled_ns, r->in[0].queued_ns);
    if (r->measured && now - r->in[0].queued_ns > RELAXED(rec->worst_delay_ns)) SET(rec->worst_delay_ns, now - r->in[0].queued_ns);
}

static void note_end(leat_stage *r, int64_t start, int64_t now, uint64_t allocations) {
    leat__stage *s = r->stage;
    leat__record *rec = &r->record;
    int64_t run = now - start - r->waited_ns;
    SET(rec->finished_ns, now);
    leat__rider_leave(&r->rider, run);
    if (r->emitted == 0 && s->output && r->n > 0) BUMP(rec->filtered, 1);
    if (r->measured) {
        leat__histogram_add(&rec->run, run);
        BUMP(rec->call_ns, (uint64_t)run);
        BUMP(rec->allocations, allocations);
    }
    if (r->alone) {
        int64_t best = RELAXED(s->alone_ns);
        if (best == 0 || run < best) SET(s->alone_ns, run > 0 ? run : 1);
    }
    leat__event event = {.start_ns = start, .span_ns = now - start, .frame = r->n > 0 ? r->items[0]->index : r->frame,
                         .n = r->n, .depth = s->input ? (int16_t)RELAXED(s->input->count) : -1, .kind = LEAT__EVENT_CALL};
    leat__event_add(&r->events, event);
}

static int call(leat_stage *r, leat_error *error) {
    leat__stage *s = r->stage;
    int guarded = r->measured && !(s->options.flags & LEAT_STAGE_ALLOCATES);
    uint64_t before = leat__thread_allocations();
    leat__rider_enter(&r->rider);
    int64_t start = leat__now_ns();
    r->emitted = 0;
    r->waited_ns = 0;
    r->frame = -1;
    note_start(r, start);
    if (!guarded) leat__hot_leave();
    int status = s->options.process(r, s->options.user, r->items, r->n, error);
    if (!guarded) leat__hot_enter();
    note_end(r, start, leat__now_ns(), leat__thread_allocations() - before);
    return status;
}

/* Lets go of the call's input; at the end of the chain its frames are done. */
static void release_input(leat_stage *r, int status) {
    for (int i = 0; i < r->n; i++) {
        if (status != LEAT_OK) atomic_fetch_add_explicit(&r->pipeline->lost, 1, memory_order_relaxed);
        else if (!r->stage->output) leat__note_done(r->pipeline, &r->record.latency, r->items[i]);
        leat_item_unref(r->items[i]);
    }
}

/* One call with all that follows from it; 0 when it was the last. */
static int step(leat_stage *r) {
    leat_error error = {0};
    int64_t from = leat__now_ns();
    int status = call(r, &error);
    if (status != LEAT_OK && status != LEAT_EEND) leat__halt_fail(r, status, &error);
    release_input(r, status == LEAT_EEND ? LEAT_OK : status);
    int settled = leat__emit_settle(r, status);
    if (r->measured && r->waited_ns > 0) leat__histogram_add(&r->record.blocked, r->waited_ns);
    if (r->waited_ns > 1000000) {
        leat__event event = {.start_ns = from, .span_ns = r->waited_ns, .frame = -1, .n = 0, .depth = -1, .kind = LEAT__EVENT_BLOCKED};
        leat__event_add(&r->events, event);
    }
    r->n = 0;
    if (status == LEAT_OK && settled == LEAT_OK) return 1;
    leat__halt_upstream(r->stage);
    return 0;
}

/* ---- the end -------------------------------------------------------------------------------------------------------------- */

static void flush_replica(leat_stage *r) {
    leat__stage *s = r->stage;
    leat_error error = {0};
    if (!s->options.flush || atomic_load(&r->pipeline->cancelled) || atomic_load(&s->failed)) return;
    r->n = r->emitted = 0;
    leat__hot_leave();
    int status = s->options.flush(r, s->options.user, &error);
    leat__hot_enter();
    leat__emit_settle(r, LEAT_OK);
    if (status != LEAT_OK && status != LEAT_EEND) leat__halt_fail(r, status, &error);
}

/* The last replica of a stage flushes them all, in turn, and ends the link behind. */
static void leave_stage(leat__stage *s) {
    leat_pipeline *p = s->pipeline;
    if (atomic_fetch_sub(&s->running, 1) != 1) return;
    for (int i = 0; i < s->options.replicas; i++) flush_replica(&s->replicas[i]);
    if (s->output) leat__link_end(s->output);
    pthread_mutex_lock(&p->monitor.lock);
    if (--p->stages_running == 0) {
        leat__mark_now(&p->to);
        p->state = LEAT__ENDED;
        pthread_cond_broadcast(&p->monitor.changed);
    }
    pthread_mutex_unlock(&p->monitor.lock);
}

void *leat__replica_main(void *replica) {
    leat_stage *r = replica;
    leat__hot_enter();
    r->spin_ns = r->pipeline->options.spin_ns;
    for (;;) {
        if (r->stage->input ? !take_input(r) : leat__halt_stopping(r)) break;
        if (!r->stage->input) r->measured = RELAXED(r->pipeline->measuring);
        if (!step(r)) break;
    }
    leat__rider_yield(&r->rider);
    leave_stage(r->stage);
    leat__hot_leave();
    struct timespec cpu = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    SET(r->record.cpu_ns, (int64_t)cpu.tv_sec * 1000000000 + cpu.tv_nsec);
    return NULL;
}
