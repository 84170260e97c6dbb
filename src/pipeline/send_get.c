/* send_get.c - the two ends of a chain that the program feeds and empties itself, and the way in for all. */
#include <stdatomic.h>

#include "base/clock.h"
#include "pipeline/pipeline_impl.h"

leat__admission leat__admit(leat_pipeline *p, leat_item *item, int64_t now_ns, int64_t *until_ns) {
    uint64_t number = atomic_load_explicit(&p->sources, memory_order_relaxed);
    if (item->index < 0) item->index = (int64_t)number;
    if (item->capture_ns == 0) item->capture_ns = now_ns;
    leat__admission admission = leat__throttle_ask(&p->throttle, now_ns, until_ns);
    if (admission == LEAT__WAIT) return admission;
    if (admission == LEAT__PASS) leat__throttle_passed(&p->throttle, now_ns);
    else atomic_fetch_add_explicit(&p->skipped, 1, memory_order_relaxed);
    atomic_store_explicit(&p->sources, number + 1, memory_order_relaxed);
    return admission;
}

/* Room for one more, or an end, or time out: so that the throttle is asked only about items that go in. */
static int wait_for_room(leat__link *link, int64_t deadline) {
    int status = LEAT_OK;
    pthread_mutex_lock(&link->lock);
    while (link->policy == LEAT_POLICY_BLOCK && link->count >= link->capacity && !link->ended && !link->closed && !*link->cancelled) {
        link->putters++;
        int in_time = deadline > 0 && leat__wait_until(&link->drained, &link->lock, deadline);
        link->putters--;
        if (in_time || link->count < link->capacity) continue;
        status = LEAT_EAGAIN;
        break;
    }
    pthread_mutex_unlock(&link->lock);
    return status;
}

/* Holds the caller back as the throttle asks; LEAT_EAGAIN when that is longer than it wants to wait. */
static int admit(leat_pipeline *p, leat_item *item, int64_t deadline, leat__admission *admission) {
    for (;;) {
        int64_t until, now = leat__now_ns();
        *admission = leat__admit(p, item, now, &until);
        if (*admission != LEAT__WAIT) return LEAT_OK;
        if (until > deadline) return LEAT_EAGAIN;
        pthread_mutex_lock(&p->monitor.lock);
        if (!atomic_load(&p->finishing) && !atomic_load(&p->cancelled)) leat__monitor_wait(&p->monitor, until);
        pthread_mutex_unlock(&p->monitor.lock);
    }
}

static int running(leat_pipeline *p) {
    pthread_mutex_lock(&p->monitor.lock);
    int state = p->state;
    pthread_mutex_unlock(&p->monitor.lock);
    return state != LEAT__BUILDING && state != LEAT__BROKEN;
}

int leat_pipeline_send(leat_pipeline *p, leat_item *item, int64_t timeout_ns) {
    leat__link *link = p->links[0];
    leat__admission admission;
    leat_item *victim;
    if (!item) return LEAT_EINVAL;
    if (!link || !running(p)) return LEAT_ESTATE;
    int64_t deadline = timeout_ns == 0 ? 0 : leat__deadline(timeout_ns);
    int status = wait_for_room(link, deadline);
    if (status != LEAT_OK) return status;
    if (link->ended || link->closed || *link->cancelled) return LEAT_EEND;
    status = admit(p, item, deadline, &admission);
    if (status != LEAT_OK) return status;
    if (admission == LEAT__SKIP) return leat_item_unref(item), LEAT_OK;
    status = leat__link_put(link, item, INT64_MAX, &victim); /* there is room: nobody else sends */
    leat_item_unref(victim);
    if (status != LEAT_OK) atomic_fetch_sub_explicit(&p->sources, 1, memory_order_relaxed); /* ended meanwhile: the item stays the caller's */
    return status;
}

/* Why there will be no more items. */
static int last_word(leat_pipeline *p) {
    pthread_mutex_lock(&p->monitor.lock);
    int failure = p->failure;
    pthread_mutex_unlock(&p->monitor.lock);
    return failure != LEAT_OK ? failure : atomic_load(&p->cancelled) ? LEAT_ECANCELLED : LEAT_EEND;
}

int leat_pipeline_get(leat_pipeline *p, leat_item **item, int64_t timeout_ns) {
    leat__link *link = p->options.pull && running(p) ? p->links[p->n_stages] : NULL;
    leat__demand demand = {.most = 1, .deadline_ns = timeout_ns == 0 ? 0 : leat__deadline(timeout_ns)};
    leat__entry entry;
    uint64_t ticket;
    if (!item) return LEAT_EINVAL;
    *item = NULL;
    if (!link) return LEAT_ESTATE;
    int n = leat__link_take(link, &demand, &entry, &ticket);
    if (n == 0) return LEAT_EAGAIN;
    if (n < 0) return last_word(p);
    *item = entry.item;
    if (link != p->links[p->first_link]) leat__emit_retire(p, 1);
    else atomic_store_explicit(&leat__item_of(*item)->measured, (uint8_t)atomic_load(&p->measuring), memory_order_relaxed);
    leat__note_done(p, &p->latency, *item);
    return LEAT_OK;
}
