/* crew.h - threads that stay together through many small parallel regions.
 *
 * A region of a pool (tpool.h) costs a microsecond or two: threads find it, join it, leave it.  Where thousands follow each other, a crew is one such region: its
 * first task, the leader's, runs the caller's function; the others help with whatever the leader hands out by leat__crew_for(), which costs a few
 * hundred nanoseconds, and spin between.  Helpers that come late, or never, are not missed: the leader does all work that nobody takes.
 *
 * Results do not depend on who takes an index.  Nothing allocates or fails.
 */
#ifndef LEAT_BASE_CREW_H
#define LEAT_BASE_CREW_H

#include <stdatomic.h>
#include <stdalign.h>

#include "base/tpool.h"

typedef struct leat_crew {
    alignas(64) _Atomic uint64_t turn; /* region << 40 | indices << 20 | next index; all ones at the end */
    alignas(64) _Atomic uint64_t done; /* indices of the region that are finished */
    alignas(64) leat_task_fn fn;       /* of the region */
    void           *arg;
    int             threads;
    int             leader;            /* its number as a worker */
    void          (*lead)(void *user);
    void           *user;
} leat_crew;

/* Runs lead(user) with a crew of at most `threads` of the pool, on one of its threads or the caller's; returns when it has ended. */
void leat__crew_run(leat_crew *crew, leat_tpool *pool, int threads, void (*lead)(void *user), void *user);
/* By the leader alone: indices [0, n) of fn over the crew, n < 2^20; workers are numbered as in tpool.h. */
void leat__crew_for(leat_crew *crew, int64_t n, leat_task_fn fn, void *arg);

#endif
