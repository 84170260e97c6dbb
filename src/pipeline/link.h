/* link.h - a bounded queue between two stages, with the policy of a full one.
 *
 * One lock, held for a few instructions; items that a policy drops are let go outside of it.  End-of-stream comes from either
 * side: `ended` by the producer (what is in the queue is still taken), `closed` by the consumer (what is in it is discarded).  An
 * open account:
 *
 *     put = taken + dropped + discarded + what is in the queue
 *
 * Lost wake-ups: who waits announces itself in `takers` before it looks at its conditions, all of which are sequentially
 * consistent atomics or under the lock; who changes one looks at `takers` afterwards (leat__link_nudge).
 */
#ifndef LEAT_PIPELINE_LINK_H
#define LEAT_PIPELINE_LINK_H

#include <stdalign.h>
#include <stdint.h>

#include "pipeline/histogram.h"
#include "pipeline/item_pool.h"
#include "pipeline/sync.h"

typedef struct leat__entry {
    leat_item *item;
    int64_t    queued_ns;
} leat__entry;

/* How many items may leave the link now, at most `want`; 0 = not yet.  Asked under the link's lock. */
typedef int (*leat__permit)(void *arg, int want);
/* These items [n] leave it, 1 <= n <= what was permitted.  Under the link's lock. */
typedef void (*leat__leaving)(void *arg, const leat__entry *entries, int n);

typedef struct leat__link {
    const char  *from, *to;
    leat_policy  policy;
    int          capacity;
    leat_pool   *pool;    /* a reference, or NULL */
    leat__entry *ring;    /* [capacity] */
    const _Atomic int *cancelled; /* the pipeline's */
    alignas(64) pthread_mutex_t lock;
    pthread_cond_t filled, drained;
    int            head, putters;
    uint64_t       tickets;      /* numbers the calls that take */
    _Atomic int    count, takers, most, ended, closed;
    _Atomic uint64_t put, taken, dropped, discarded;
    leat__histogram wait;        /* time in the queue */
} leat__link;

/* What a consumer wants. */
typedef struct leat__demand {
    int     most;           /* items at once */
    int64_t gather_ns;      /* how long the first may wait for more */
    int64_t deadline_ns;    /* INT64_MAX: none */
    leat__permit  permit;   /* or NULL */
    leat__leaving leaving;  /* or NULL */
    void   *arg;            /* of both */
} leat__demand;

/* Options as resolved: capacity and policy given, pool shared.  LEAT_ENOMEM. */
int leat__link_init(leat__link *link, const char *from, const char *to, const leat_link_options *options, const _Atomic int *cancelled);
/* Lets go of what is in it and of the pool; also of one that is zeroed. */
void leat__link_fini(leat__link *link);

/* LEAT_OK: takes the reference; *victim is an item that the policy dropped, to be let go by the caller, else NULL.  LEAT_EAGAIN
 * full until the deadline, LEAT_EEND ended, closed or cancelled: the reference stays. */
int leat__link_put(leat__link *link, leat_item *item, int64_t deadline_ns, leat_item **victim);
/* Waits and takes 1..demand->most items: their number; 0 = past the deadline, -1 = there will be none.  *ticket numbers the call. */
int leat__link_take(leat__link *link, const leat__demand *demand, leat__entry *out, uint64_t *ticket);
/* Whether a call of take might find something: for those who spin before they wait. */
int leat__link_ready(const leat__link *link);
/* Counts items that had no chance to get in. */
void leat__link_discard(leat__link *link, int n);

void leat__link_end(leat__link *link);
/* Returns the number of items that were discarded. */
int leat__link_close(leat__link *link);
/* A condition of a permit changed: who waits to take asks again. */
void leat__link_nudge(leat__link *link);
/* Wakes everybody, after `cancelled` was set. */
void leat__link_kick(leat__link *link);

#endif
