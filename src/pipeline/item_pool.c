/* item_pool.c - ref-counted buffers that outlive whoever made their pool.
 *
 * All items are made at once; idle ones wait in a list, the one used last first, because it is still in the caches.  The pool's
 * memory is counted by `holders`: one for all the program's references together, one for each item in use.  When the program has
 * dropped its last reference, idle items go at once and an item in use goes with its own last reference; the last holder frees
 * the pool.
 */
#include "pipeline/item_pool.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "pipeline/sync.h"

#define MOST_ITEMS 65536

struct leat_pool {
    leat__monitor     monitor;
    leat_pool_options options;
    leat__item       *idle;
    _Atomic int       n_idle;
    int               waiting, closed, holders; /* under the lock */
    _Atomic int       refs;
};

void leat_pool_options_default(leat_pool_options *options) { *options = (leat_pool_options){.size = sizeof *options, .count = 8}; }

/* ---- items ---------------------------------------------------------------------------------------------------------------- */

static void free_item(leat_pool *pool, leat__item *item) {
    if (pool->options.destroy) pool->options.destroy(pool->options.user, &item->pub);
    leat__free(item->pub.data);
    leat__free(item);
}

static int make_item(leat_pool *pool) {
    leat__item *item = leat__calloc(1, sizeof *item, LEAT_MEMORY_IO);
    if (!item) return LEAT_ENOMEM;
    item->pool = pool;
    item->pub.bytes = pool->options.item_bytes;
    item->pub.data = leat__calloc(1, item->pub.bytes, LEAT_MEMORY_IO);
    int status = !item->pub.data ? LEAT_ENOMEM : pool->options.make ? pool->options.make(pool->options.user, &item->pub) : LEAT_OK;
    if (status != LEAT_OK) {
        leat__free(item->pub.data);
        leat__free(item);
        return status;
    }
    item->next = pool->idle;
    pool->idle = item;
    atomic_fetch_add_explicit(&pool->n_idle, 1, memory_order_relaxed);
    return LEAT_OK;
}

static void free_idle(leat_pool *pool) {
    while (pool->idle) {
        leat__item *item = pool->idle;
        pool->idle = item->next;
        free_item(pool, item);
    }
}

leat_item *leat_item_ref(leat_item *item) {
    atomic_fetch_add_explicit(&leat__item_of(item)->refs, 1, memory_order_relaxed);
    return item;
}

/* Gives up one hold on the pool's memory; the last one frees it. */
static void let_go(leat_pool *pool) {
    pthread_mutex_lock(&pool->monitor.lock);
    int last = --pool->holders == 0;
    pthread_mutex_unlock(&pool->monitor.lock);
    if (!last) return;
    leat__monitor_fini(&pool->monitor);
    leat__free(pool);
}

/* True if the item is idle again, false if the pool was closed meanwhile and the item has to go. */
static int put_back(leat_pool *pool, leat__item *item) {
    pthread_mutex_lock(&pool->monitor.lock);
    int open = !pool->closed, wake = open && pool->waiting > 0;
    if (open) {
        pool->holders--;
        item->next = pool->idle;
        pool->idle = item;
        atomic_fetch_add_explicit(&pool->n_idle, 1, memory_order_relaxed);
        if (wake) pthread_cond_signal(&pool->monitor.changed); /* under the lock: the pool may be gone after it */
    }
    pthread_mutex_unlock(&pool->monitor.lock);
    return open;
}

void leat_item_unref(leat_item *pub) {
    leat__item *item = leat__item_of(pub);
    if (!item || atomic_fetch_sub_explicit(&item->refs, 1, memory_order_acq_rel) != 1) return;
    leat_pool *pool = item->pool;
    if (pool->options.recycle) pool->options.recycle(pool->options.user, pub);
    if (put_back(pool, item)) return;
    free_item(pool, item);
    let_go(pool);
}

/* ---- pools ---------------------------------------------------------------------------------------------------------------- */

int leat_pool_new(const leat_pool_options *options, leat_pool **pool) {
    if (!pool) return LEAT_EINVAL;
    *pool = NULL;
    if (!options || options->size != sizeof *options || options->count < 1 || options->count > MOST_ITEMS) return LEAT_EINVAL;
    leat_pool *made = leat__calloc(1, sizeof *made, LEAT_MEMORY_IO);
    if (!made) return LEAT_ENOMEM;
    made->options = *options;
    made->holders = 1;
    atomic_init(&made->refs, 1);
    leat__monitor_init(&made->monitor);
    for (int i = 0; i < options->count; i++) {
        int status = make_item(made);
        if (status == LEAT_OK) continue;
        leat_pool_unref(made);
        return status;
    }
    *pool = made;
    return LEAT_OK;
}

leat_pool *leat_pool_ref(leat_pool *pool) {
    if (pool) atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
    return pool;
}

void leat_pool_unref(leat_pool *pool) {
    if (!pool || atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) != 1) return;
    pthread_mutex_lock(&pool->monitor.lock);
    pool->closed = 1; /* from here on nobody but us touches the idle list */
    pthread_mutex_unlock(&pool->monitor.lock);
    free_idle(pool);
    let_go(pool);
}

static leat__item *pop_idle(leat_pool *pool) {
    leat__item *item = pool->idle;
    if (!item) return NULL;
    pool->idle = item->next;
    pool->holders++;
    atomic_fetch_sub_explicit(&pool->n_idle, 1, memory_order_relaxed);
    return item;
}

static leat_item *fresh(leat__item *item) {
    item->pub.index = -1;
    item->pub.pts_ns = item->pub.capture_ns = 0;
    atomic_store_explicit(&item->refs, 1, memory_order_relaxed);
    atomic_store_explicit(&item->measured, 0, memory_order_relaxed);
    atomic_store_explicit(&item->alone, 0, memory_order_relaxed);
    return &item->pub;
}

int leat__pool_take(leat_pool *pool, int64_t timeout_ns, int (*give_up)(const void *arg), const void *arg, leat_item **item) {
    leat__item *found;
    int status = LEAT_OK;
    int64_t deadline = leat__deadline(timeout_ns);
    pthread_mutex_lock(&pool->monitor.lock);
    pool->waiting++;
    for (;;) {
        found = pop_idle(pool);
        if (found) break;
        status = give_up && give_up(arg) ? LEAT_EEND : timeout_ns == 0 ? LEAT_EAGAIN : LEAT_OK;
        if (status == LEAT_OK && !leat__monitor_wait(&pool->monitor, deadline)) status = LEAT_EAGAIN;
        if (status != LEAT_OK) break;
    }
    pool->waiting--;
    pthread_mutex_unlock(&pool->monitor.lock);
    if (!found) return status;
    *item = fresh(found);
    return LEAT_OK;
}

int leat_pool_get(leat_pool *pool, int64_t timeout_ns, leat_item **item) {
    if (!pool || !item) return LEAT_EINVAL;
    *item = NULL;
    return leat__pool_take(pool, timeout_ns, NULL, NULL, item);
}

void leat__pool_kick(leat_pool *pool) {
    pthread_mutex_lock(&pool->monitor.lock);
    pthread_cond_broadcast(&pool->monitor.changed);
    pthread_mutex_unlock(&pool->monitor.lock);
}

int leat_pool_idle(const leat_pool *pool) { return pool ? atomic_load_explicit(&pool->n_idle, memory_order_relaxed) : 0; }

int leat__pool_count(const leat_pool *pool) { return pool ? pool->options.count : 0; }
