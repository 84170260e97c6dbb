/* tpool.h - parallel-for over a shared pool of threads (public life cycle in leat/common.h).
 *
 * leat__tpool_for() splits indices [0, n) over the caller and idle workers; each index runs exactly once; it returns when all are done.
 * Several threads may call it on one pool at once: workers are lent to whoever comes first, and callers count as workers, so
 * never more than leat_tpool_threads() threads compute beyond the callers themselves.  It never fails, locks nothing that
 * another caller holds while working, allocates nothing.  A nested call runs inline.
 */
#ifndef LEAT_BASE_TPOOL_H
#define LEAT_BASE_TPOOL_H

#include <stdint.h>

#include "leat/common.h"

/* index in [0, n); worker in [0, leat_tpool_threads(pool)), distinct among threads that run the same call. */
typedef void (*leat_task_fn)(void *arg, int64_t index, int worker);

void leat__tpool_for(leat_tpool *pool, int64_t n, leat_task_fn fn, void *arg);
/* The same with at most `max_threads` threads, the caller included (0 = all). */
void leat__tpool_for_n(leat_tpool *pool, int max_threads, int64_t n, leat_task_fn fn, void *arg);

#endif
