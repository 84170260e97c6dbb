/* link.c - the bounded queue of link.h. */
#include "pipeline/link.h"

#include <stdatomic.h>

#include "base/clock.h"
#include "base/mem.h"

#define RELAXED(field) atomic_load_explicit(&(field), memory_order_relaxed)
/* Written under the lock only, read by anybody. */
#define COUNT(field, by) atomic_store_explicit(&(field), RELAXED(field) + (by), memory_order_relaxed)

int leat__link_init(leat__link *link, const char *from, const char *to, const leat_link_options *options, const _Atomic int *cancelled) {
    link->ring = leat__calloc((size_t)options->capacity, sizeof *link->ring, LEAT_MEMORY_OTHER);
    if (!link->ring) return LEAT_ENOMEM;
    link->from = from;
    link->to = to;
    link->policy = options->policy;
    link->capacity = options->capacity;
    link->pool = leat_pool_ref(options->pool);
    link->cancelled = cancelled;
    pthread_mutex_init(&link->lock, NULL);
    pthread_cond_init(&link->filled, NULL);
    pthread_cond_init(&link->drained, NULL);
    return LEAT_OK;
}

/* The lock is held, or nobody else is there. */
static leat__entry pop(leat__link *link) {
    leat__entry entry = link->ring[link->head];
    link->head = link->head + 1 == link->capacity ? 0 : link->head + 1;
    atomic_fetch_sub(&link->count, 1);
    return entry;
}

void leat__link_fini(leat__link *link) {
    if (!link->ring) return;
    while (RELAXED(link->count) > 0) leat_item_unref(pop(link).item);
    leat_pool_unref(link->pool);
    pthread_cond_destroy(&link->filled);
    pthread_cond_destroy(&link->drained);
    pthread_mutex_destroy(&link->lock);
    leat__free(link->ring);
}

/* ---- putting -------------------------------------------------------------------------------------------------------------- */

/* Waits for room, or makes it; the lock is held.  LEAT_OK: there is room, unless *victim is the new item itself. */
static int make_room(leat__link *link, leat_item *item, int64_t deadline_ns, leat_item **victim) {
    for (;;) {
        if (atomic_load(link->cancelled) || RELAXED(link->ended) || RELAXED(link->closed)) return LEAT_EEND;
        if (RELAXED(link->count) < link->capacity) return LEAT_OK;
        if (link->policy == LEAT_POLICY_DROP_OLDEST) *victim = pop(link).item;
        if (link->policy == LEAT_POLICY_DROP_NEWEST) *victim = item;
        if (*victim) {
            COUNT(link->dropped, 1);
            return LEAT_OK;
        }
        if (deadline_ns <= 0) return LEAT_EAGAIN;
        link->putters++;
        int in_time = leat__wait_until(&link->drained, &link->lock, deadline_ns);
        link->putters--;
        if (!in_time && RELAXED(link->count) >= link->capacity) return LEAT_EAGAIN;
    }
}

static void push(leat__link *link, leat_item *item) {
    int count = RELAXED(link->count), at = link->head + count;
    link->ring[at < link->capacity ? at : at - link->capacity] = (leat__entry){item, leat__now_ns()};
    atomic_fetch_add(&link->count, 1);
    if (count + 1 > RELAXED(link->most)) atomic_store_explicit(&link->most, count + 1, memory_order_relaxed);
}

int leat__link_put(leat__link *link, leat_item *item, int64_t deadline_ns, leat_item **victim) {
    *victim = NULL;
    pthread_mutex_lock(&link->lock);
    int status = make_room(link, item, deadline_ns, victim);
    if (status == LEAT_OK) {
        COUNT(link->put, 1);
        if (*victim != item) push(link, item);
    }
    pthread_mutex_unlock(&link->lock);
    if (status == LEAT_OK && atomic_load(&link->takers) > 0) pthread_cond_signal(&link->filled);
    return status;
}

void leat__link_discard(leat__link *link, int n) {
    pthread_mutex_lock(&link->lock);
    COUNT(link->put, (uint64_t)n);
    COUNT(link->discarded, (uint64_t)n);
    pthread_mutex_unlock(&link->lock);
}

/* ---- taking --------------------------------------------------------------------------------------------------------------- */

int leat__link_ready(const leat__link *link) {
    return RELAXED(link->count) > 0 || RELAXED(link->ended) || RELAXED(link->closed) || atomic_load_explicit(link->cancelled, memory_order_relaxed);
}

/* Items that may be taken now; 0 = wait, -1 = there will be none.  The lock is held. */
static int available(leat__link *link, const leat__demand *d) {
    if (atomic_load(link->cancelled) || RELAXED(link->closed)) return -1;
    int n = RELAXED(link->count);
    if (n == 0) return RELAXED(link->ended) ? -1 : 0;
    if (n > d->most) n = d->most;
    return d->permit ? d->permit(d->arg, n) : n;
}

/* Until when a taker that could have n items goes on waiting; 0 = it takes them. */
static int64_t patience(const leat__link *link, const leat__demand *d, int n) {
    if (n == 0) return d->deadline_ns;
    if (n >= d->most || d->gather_ns <= 0 || RELAXED(link->ended)) return 0;
    return link->ring[link->head].queued_ns + d->gather_ns;
}

static int wait_for_items(leat__link *link, const leat__demand *d) {
    for (;;) {
        int n = available(link, d);
        if (n < 0) return n;
        int64_t until = patience(link, d, n);
        if (until == 0) return n;
        if (!leat__wait_until(&link->filled, &link->lock, until)) return available(link, d);
    }
}

static void take(leat__link *link, const leat__demand *d, leat__entry *out, int n, uint64_t *ticket) {
    int64_t now = leat__now_ns();
    for (int i = 0; i < n; i++) out[i] = pop(link);
    if (d->leaving) d->leaving(d->arg, out, n);
    for (int i = 0; i < n; i++) {
        if (atomic_load_explicit(&leat__item_of(out[i].item)->measured, memory_order_relaxed))
            leat__histogram_add(&link->wait, now - out[i].queued_ns);
    }
    COUNT(link->taken, (uint64_t)n);
    *ticket = link->tickets++;
}

int leat__link_take(leat__link *link, const leat__demand *d, leat__entry *out, uint64_t *ticket) {
    pthread_mutex_lock(&link->lock);
    atomic_fetch_add(&link->takers, 1);
    int n = wait_for_items(link, d);
    if (n > 0) take(link, d, out, n, ticket);
    int others = atomic_fetch_sub(&link->takers, 1) > 1;
    int more = RELAXED(link->count) > 0, room = n > 0 && link->putters > 0;
    pthread_mutex_unlock(&link->lock);
    if (others && more) pthread_cond_signal(&link->filled); /* a wake-up may have been meant for two items */
    if (room) {
        if (n > 1) pthread_cond_broadcast(&link->drained);
        else pthread_cond_signal(&link->drained);
    }
    return n;
}

/* ---- the end -------------------------------------------------------------------------------------------------------------- */

static void wake_all(leat__link *link) {
    pthread_cond_broadcast(&link->filled);
    pthread_cond_broadcast(&link->drained);
}

void leat__link_end(leat__link *link) {
    pthread_mutex_lock(&link->lock);
    atomic_store(&link->ended, 1);
    wake_all(link);
    pthread_mutex_unlock(&link->lock);
}

int leat__link_close(leat__link *link) {
    int discarded = 0;
    pthread_mutex_lock(&link->lock);
    atomic_store(&link->closed, 1);
    wake_all(link);
    while (RELAXED(link->count) > 0) {
        leat_item *item = pop(link).item;
        COUNT(link->discarded, 1);
        discarded++;
        pthread_mutex_unlock(&link->lock); /* recycle() is the program's */
        leat_item_unref(item);
        pthread_mutex_lock(&link->lock);
    }
    pthread_mutex_unlock(&link->lock);
    return discarded;
}

void leat__link_nudge(leat__link *link) {
    if (atomic_load(&link->takers) == 0) return;
    pthread_mutex_lock(&link->lock);
    pthread_cond_broadcast(&link->filled);
    pthread_mutex_unlock(&link->lock);
}

void leat__link_kick(leat__link *link) {
    pthread_mutex_lock(&link->lock);
    wake_all(link);
    pthread_mutex_unlock(&link->lock);
}
