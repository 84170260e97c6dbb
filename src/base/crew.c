/* crew.c - a region of the pool that hands out regions of its own (contract in crew.h).
 *
 * One word says which region is open, how many indices it has and which is next.  Taking an index is a compare-and-swap on it: success means that the region is still
 * the one that was read, and it cannot end before the index is done, so that fn and arg may be read then.  The leader waits until `done` has counted all.
 *
 * Whoever waits spins, and after some time offers its CPU to others: on a machine with more threads than CPUs the one that is waited for may be among them.
 */
#include "base/crew.h"

#include <sched.h>

#define COUNT_BITS 20
#define COUNT_MASK ((UINT64_C(1) << COUNT_BITS) - 1)
#define REGION (UINT64_C(1) << 2 * COUNT_BITS)
#define OVER UINT64_MAX
#define SPINS 2000 /* some 40 microseconds, then the CPU is offered */

static inline void pause_cpu(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static inline int64_t count_of(uint64_t turn) { return (int64_t)(turn >> COUNT_BITS & COUNT_MASK); }
static inline int64_t next_of(uint64_t turn) { return (int64_t)(turn & COUNT_MASK); }

/* Takes indices of the open region until there are none; returns the turn that it saw last. */
static uint64_t work(leat_crew *crew, int worker) {
    uint64_t turn = atomic_load_explicit(&crew->turn, memory_order_acquire);
    while (turn != OVER && next_of(turn) < count_of(turn)) {
        if (!atomic_compare_exchange_weak_explicit(&crew->turn, &turn, turn + 1, memory_order_acquire, memory_order_acquire)) continue;
        crew->fn(crew->arg, next_of(turn), worker);
        atomic_fetch_add_explicit(&crew->done, 1, memory_order_release);
        turn = atomic_load_explicit(&crew->turn, memory_order_acquire);
    }
    return turn;
}

static void help(leat_crew *crew, int worker) {
    for (;;) {
        uint64_t seen = work(crew, worker);
        if (seen == OVER) return;
        for (int spins = 0; atomic_load_explicit(&crew->turn, memory_order_relaxed) == seen; spins++) {
            if (spins < SPINS) pause_cpu();
            else sched_yield();
        }
    }
}

static void member(void *arg, int64_t index, int worker) {
    leat_crew *crew = arg;
    if (index > 0) {
        help(crew, worker);
        return;
    }
    crew->leader = worker;
    crew->lead(crew->user);
    atomic_store_explicit(&crew->turn, OVER, memory_order_release);
}

void leat__crew_run(leat_crew *crew, leat_tpool *pool, int threads, void (*lead)(void *user), void *user) {
    int most = leat_tpool_threads(pool);
    crew->threads = threads > 0 && threads < most ? threads : most;
    crew->lead = lead;
    crew->user = user;
    atomic_store_explicit(&crew->done, 0, memory_order_relaxed);
    atomic_store_explicit(&crew->turn, 0, memory_order_relaxed);
    leat__tpool_for_n(pool, crew->threads, crew->threads, member, crew);
}

void leat__crew_for(leat_crew *crew, int64_t n, leat_task_fn fn, void *arg) {
    if (crew->threads == 1 || n == 1) {
        for (int64_t i = 0; i < n; i++) fn(arg, i, crew->leader);
        return;
    }
    uint64_t region = atomic_load_explicit(&crew->turn, memory_order_relaxed) & ~(REGION - 1);
    crew->fn = fn;
    crew->arg = arg;
    atomic_store_explicit(&crew->done, 0, memory_order_relaxed);
    atomic_store_explicit(&crew->turn, region + REGION + ((uint64_t)n << COUNT_BITS), memory_order_release);
    work(crew, crew->leader);
    for (int spins = 0; atomic_load_explicit(&crew->done, memory_order_acquire) < (uint64_t)n; spins++) {
        if (spins < SPINS) pause_cpu();
        else sched_yield();
    }
}
