/* item_pool.h - what the scheduler knows of an item and of its pool. */
#ifndef LEAT_PIPELINE_ITEM_POOL_H
#define LEAT_PIPELINE_ITEM_POOL_H

#include <stdint.h>

#include "leat/pipeline.h"

typedef struct leat__item {
    leat_item          pub; /* first: a leat_item is a leat__item */
    leat_pool         *pool;
    struct leat__item *next; /* idle items */
    _Atomic int        refs;
    _Atomic uint8_t    measured; /* let in after the warm-up: it counts in the statistics */
    _Atomic uint8_t    alone;    /* let in while nothing else was in flight: its stage times are those of an idle machine */
} leat__item;

static inline leat__item *leat__item_of(leat_item *item) { return (leat__item *)item; }

/* leat_pool_get() that also ends, with LEAT_EEND, when give_up(arg) says so after a kick; give_up may be NULL. */
int leat__pool_take(leat_pool *pool, int64_t timeout_ns, int (*give_up)(const void *arg), const void *arg, leat_item **item);
/* Makes all who wait for an item ask give_up() again. */
void leat__pool_kick(leat_pool *pool);
int leat__pool_count(const leat_pool *pool);

#endif
