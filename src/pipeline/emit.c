/* emit.c - what callbacks send on: in order, whoever made it (pipeline_impl.h, "Order"). */
#include <stdatomic.h>

#include "base/clock.h"
#include "pipeline/pipeline_impl.h"

#define BUMP(field, by) \
    atomic_store_explicit(&(field), atomic_load_explicit(&(field), memory_order_relaxed) + (by), memory_order_relaxed)

void leat__emit_retire(leat_pipeline *p, int n) {
    if (n <= 0) {
        if (n < 0) atomic_fetch_add(&p->gate.in_flight, -n);
        return;
    }
    atomic_fetch_sub(&p->gate.in_flight, n);
    if (p->links[p->first_link]) leat__link_nudge(p->links[p->first_link]);
}

/* The policy let an item go: it is in flight no more, unless it never was let in. */
static void drop(leat_stage *r, leat_item *victim) {
    leat__event event = {.start_ns = leat__now_ns(), .frame = victim->index, .n = 1, .depth = -1, .kind = LEAT__EVENT_DROP};
    leat__event_add(&r->events, event);
    if (r->stage->output != r->pipeline->links[r->pipeline->first_link]) leat__emit_retire(r->pipeline, 1);
    leat_item_unref(victim);
}

/* Hands one item to the output; takes the reference.  What waiting costs is not the callback's time. */
static int send_on(leat_stage *r, leat_item *item) {
    leat_item *victim;
    int64_t from = leat__now_ns();
    int status = leat__link_put(r->stage->output, item, r->rider.holds ? 0 : INT64_MAX, &victim);
    if (status == LEAT_EAGAIN) {
        leat__rider_yield(&r->rider);
        status = leat__link_put(r->stage->output, item, INT64_MAX, &victim);
    }
    r->waited_ns += leat__now_ns() - from;
    if (victim) drop(r, victim);
    if (status == LEAT_OK) return LEAT_OK;
    leat__link_discard(r->stage->output, 1);
    leat__emit_retire(r->pipeline, r->stage->output == r->pipeline->links[r->pipeline->first_link] ? 0 : 1);
    leat_item_unref(item);
    return status;
}

/* ---- turns ---------------------------------------------------------------------------------------------------------------- */

static void discard(leat_stage *r, leat_item *item) {
    leat__link_discard(r->stage->output, 1);
    leat__emit_retire(r->pipeline, 1);
    leat_item_unref(item);
}

/* Sends the slots on whose turn it is.  The turn's lock is held, `sending` is ours; both are given up at the end. */
static int send_slots(leat_stage *r) {
    leat__stage *s = r->stage;
    int status = LEAT_OK;
    for (;;) {
        uint64_t ticket = atomic_load_explicit(&s->next, memory_order_relaxed);
        leat__slot *slot = &s->slots[ticket % (uint64_t)s->window];
        int wanted = ticket < s->end;
        if (!slot->filled) break;
        pthread_mutex_unlock(&s->turn.lock);
        for (int i = 0; i < slot->n; i++) {
            if (!wanted) discard(r, slot->items[i]);
            else if (send_on(r, slot->items[i]) != LEAT_OK) status = LEAT_EEND;
        }
        pthread_mutex_lock(&s->turn.lock);
        slot->filled = slot->n = 0;
        atomic_store(&s->next, ticket + 1);
    }
    s->sending = 0;
    pthread_cond_broadcast(&s->turn.changed);
    pthread_mutex_unlock(&s->turn.lock);
    leat__link_nudge(s->input);
    return status;
}

/* Waits until all earlier tickets are through, then sends what is held and from here on straight. */
static int take_turn(leat_stage *r) {
    leat__stage *s = r->stage;
    int status = LEAT_OK;
    int64_t from = leat__now_ns();
    leat__rider_yield(&r->rider);
    pthread_mutex_lock(&s->turn.lock);
    while (s->sending || atomic_load_explicit(&s->next, memory_order_relaxed) != r->ticket) leat__monitor_wait(&s->turn, INT64_MAX);
    s->sending = r->direct = 1;
    int wanted = r->ticket < s->end;
    pthread_mutex_unlock(&s->turn.lock);
    r->waited_ns += leat__now_ns() - from;
    for (int i = 0; i < r->n_held; i++) {
        if (!wanted) discard(r, r->held[i]);
        else if (send_on(r, r->held[i]) != LEAT_OK) status = LEAT_EEND;
    }
    r->n_held = 0;
    return wanted ? status : LEAT_EEND;
}

/* The end of a call among several replicas: its slot is filled; if it is due and nobody is at it, it and those behind it are
 * sent. */
static int settle_turn(leat_stage *r, int status) {
    leat__stage *s = r->stage;
    leat__slot *slot = &s->slots[r->ticket % (uint64_t)s->window];
    pthread_mutex_lock(&s->turn.lock);
    if (status != LEAT_OK) {
        uint64_t end = r->ticket + (status == LEAT_EEND);
        if (end < s->end) s->end = end;
    }
    if (r->direct) s->sending = 0;
    slot->n = r->n_held;
    slot->filled = 1;
    for (int i = 0; i < r->n_held; i++) slot->items[i] = r->held[i];
    r->n_held = r->direct = 0;
    if (s->sending || atomic_load_explicit(&s->next, memory_order_relaxed) != r->ticket) {
        pthread_mutex_unlock(&s->turn.lock);
        return LEAT_OK;
    }
    s->sending = 1;
    return send_slots(r);
}

int leat__emit_settle(leat_stage *r, int status) {
    if (r->n > 0) leat__emit_retire(r->pipeline, r->n - r->emitted);
    else if (r->stage->input) leat__emit_retire(r->pipeline, -r->emitted);
    return r->stage->slots && r->n > 0 ? settle_turn(r, status) : LEAT_OK;
}

/* ---- for callbacks -------------------------------------------------------------------------------------------------------- */

/* A source's item: past the throttle, which may hold it back.  LEAT_OK: *pass says whether it goes on. */
static int admit(leat_stage *r, leat_item *item, int *pass) {
    for (;;) {
        int64_t until, from = leat__now_ns();
        leat__admission admission = leat__admit(r->pipeline, item, from, &until);
        *pass = admission == LEAT__PASS;
        r->frame = item->index;
        if (admission != LEAT__WAIT) return LEAT_OK; /* it is counted: whether it is still wanted is for the link to say */
        if (!leat__halt_sleep(r, until)) return LEAT_EEND;
        r->waited_ns += leat__now_ns() - from;
    }
}

static void skip(leat_stage *r, leat_item *item) {
    leat__event event = {.start_ns = leat__now_ns(), .frame = item->index, .n = 1, .depth = -1, .kind = LEAT__EVENT_SKIP};
    leat__event_add(&r->events, event);
    leat_item_unref(item);
}

int leat_stage_emit(leat_stage *r, leat_item *item) {
    leat__stage *s = r->stage;
    if (!item) return LEAT_OK;
    if (!s->output) {
        leat_item_unref(item);
        return LEAT_ESTATE;
    }
    if (!s->input) {
        int pass, status = admit(r, item, &pass);
        if (status != LEAT_OK || !pass) {
            skip(r, item);
            return status;
        }
    }
    r->emitted++;
    BUMP(r->record.items_out, 1);
    if (!s->slots || r->n == 0 || r->direct) return send_on(r, item);
    if (r->n_held < s->hold) {
        r->held[r->n_held++] = item;
        return atomic_load_explicit(&s->output->closed, memory_order_relaxed) ? LEAT_EEND : LEAT_OK;
    }
    int status = take_turn(r);
    if (status == LEAT_OK) return send_on(r, item);
    discard(r, item);
    return status;
}

int leat_stage_get(leat_stage *r, leat_item **item) {
    leat__link *output = r->stage->output;
    *item = NULL;
    if (!output || !output->pool) return LEAT_ESTATE;
    int status = leat__pool_take(output->pool, 0, NULL, NULL, item);
    if (status != LEAT_OK) {
        int64_t from = leat__now_ns();
        leat__rider_yield(&r->rider);
        status = leat__pool_take(output->pool, -1, leat__halt_stopping, r, item);
        r->waited_ns += leat__now_ns() - from;
    }
    if (status != LEAT_OK || r->n == 0) return status;
    leat_item *first = r->items[0];
    (*item)->index = first->index;
    (*item)->pts_ns = first->pts_ns;
    (*item)->capture_ns = first->capture_ns;
    atomic_store_explicit(&leat__item_of(*item)->measured, (uint8_t)r->measured, memory_order_relaxed);
    atomic_store_explicit(&leat__item_of(*item)->alone, (uint8_t)r->alone, memory_order_relaxed);
    return LEAT_OK;
}

int leat_stage_stopping(const leat_stage *stage) { return leat__halt_stopping(stage); }
int leat_stage_replica(const leat_stage *stage) { return stage->index; }
void leat_stage_set_state(leat_stage *stage, void *state) { stage->state = state; }
void *leat_stage_state(const leat_stage *stage) { return stage->state; }
