/* tpool.c - parallel-for with bounded spin, then park.
 *
 * A caller claims one of the pool's region slots, fills it, opens it and takes indices from the slot's counter like everybody else.
 * Workers watch one word (open_slots).  Joining a slot is one compare-and-swap on its state, which holds an open bit, the places
 * left for helpers and how many are active; so a caller can close the slot, wait until nobody is active, and hand it back without any lock.
 *
 *   state:  bit 31 open | bit 30 claimed | bit 29 the caller sleeps | bits 12..23 places left | bits 0..11 active now
 *
 * Whoever takes the last place or the last index clears the slot's bit in open_slots, so that the others may park meanwhile.  Only
 * those who hold the slot clear it, hence never the bit of its next user.
 *
 * Budget: `spare` starts at the number of threads; a caller takes one whatever is left, a worker only when it is positive.  Two
 * callers on a pool of two threads therefore run side by side without a third thread between them.
 *
 * Parking: a worker announces itself in `sleepers`, reads `epoch`, looks once more for work and only then sleeps on `epoch`; a caller
 * publishes its slot before it reads `sleepers`.  Sequential consistency makes one of the two see the other, so no wake-up is lost,
 * and while workers spin, publishing costs no system call.
 */
#include "base/tpool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdalign.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

#define SLOTS 16
#define SPIN_NS 200000     /* how long a worker looks for work before it parks */
#define WAIT_SPIN_NS 20000 /* how long a caller spins for its last helpers before it sleeps */
#define CLOCK_EVERY 32     /* pauses between two looks at the clock */

#define OPEN 0x80000000u
#define CLAIMED 0x40000000u
#define WAITING 0x20000000u
#define PLACE (1u << 12)
#define PLACES(state) ((state) >> 12 & 0xfffu)
#define ACTIVE(state) ((state) & 0xfffu)

typedef struct slot {
    alignas(64) _Atomic uint32_t state;
    leat_task_fn fn;
    void        *arg;
    int64_t      n;
    alignas(64) _Atomic int64_t next;
} slot;

struct leat_tpool {
    slot slots[SLOTS];
    alignas(64) _Atomic uint32_t open_slots; /* bit i: slots[i] has indices left */
    _Atomic uint32_t stop;
    alignas(64) _Atomic uint32_t epoch;      /* futex of parked workers */
    _Atomic int32_t sleepers;
    alignas(64) _Atomic int32_t spare;
    _Atomic int32_t refs;
    int             threads, started;
    _Atomic int     caller_cpu; /* that workers are kept off, -1 = none yet */
    cpu_set_t       allowed; /* CPUs that the process might use when the pool was made */
    pthread_t       ids[LEAT_MAX_THREADS];
};

static _Thread_local int inside_region;

static void futex_wait(_Atomic uint32_t *word, uint32_t expected) {
    syscall(SYS_futex, (uint32_t *)word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int n) { syscall(SYS_futex, (uint32_t *)word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0); }

static inline void pause_cpu(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* ---- working on a slot -------------------------------------------------------------------------------------------------- */

/* Takes the slot off the list of those that want help. */
static void unlist(leat_tpool *pool, const slot *s) {
    atomic_fetch_and_explicit(&pool->open_slots, ~(1u << (s - pool->slots)), memory_order_relaxed);
}

static void work(leat_tpool *pool, slot *s, int worker) {
    leat_task_fn fn = s->fn;
    void *arg = s->arg;
    int64_t n = s->n;
    inside_region = 1;
    for (;;) {
        int64_t index = atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed);
        if (index >= n) break;
        fn(arg, index, worker);
    }
    inside_region = 0;
    unlist(pool, s);
}

/* Becomes a helper of `s`: its number (places..1), or 0 if the slot is closed or full. */
static int join(leat_tpool *pool, slot *s) {
    uint32_t state = atomic_load_explicit(&s->state, memory_order_relaxed);
    do {
        if (!(state & OPEN) || PLACES(state) == 0) return 0;
    } while (!atomic_compare_exchange_weak_explicit(&s->state, &state, state - PLACE + 1, memory_order_acquire,
                                                    memory_order_relaxed));
    if (PLACES(state) == 1) unlist(pool, s);
    return (int)PLACES(state);
}

static void leave(slot *s) {
    uint32_t state = atomic_fetch_sub_explicit(&s->state, 1, memory_order_acq_rel) - 1;
    if ((state & WAITING) && ACTIVE(state) == 0) futex_wake(&s->state, 1);
}

static int take_spare(leat_tpool *pool) {
    int32_t spare = atomic_load_explicit(&pool->spare, memory_order_relaxed);
    while (spare > 0)
        if (atomic_compare_exchange_weak_explicit(&pool->spare, &spare, spare - 1, memory_order_relaxed, memory_order_relaxed)) return 1;
    return 0;
}

/* Helps one open slot; 0 if there was none to join. */
static int help(leat_tpool *pool) {
    uint32_t open = atomic_load_explicit(&pool->open_slots, memory_order_relaxed);
    if (open == 0 || !take_spare(pool)) return 0;
    int helped = 0;
    for (; open && !helped; open &= open - 1) {
        slot *s = &pool->slots[__builtin_ctz(open)];
        int worker = join(pool, s);
        if (!worker) continue;
        work(pool, s, worker);
        leave(s);
        helped = 1;
    }
    atomic_fetch_add_explicit(&pool->spare, 1, memory_order_relaxed);
    return helped;
}

/* ---- workers ------------------------------------------------------------------------------------------------------------- */

/* Looks for work for SPIN_NS; 1 if it found some (and did it). */
static int spin_for_work(leat_tpool *pool) {
    int64_t deadline = leat__now_ns() + SPIN_NS;
    do {
        for (int i = 0; i < CLOCK_EVERY; i++) {
            if (help(pool)) return 1;
            pause_cpu();
        }
    } while (leat__now_ns() < deadline && !atomic_load_explicit(&pool->stop, memory_order_relaxed));
    return 0;
}

static void park(leat_tpool *pool) {
    atomic_fetch_add(&pool->sleepers, 1);
    uint32_t epoch = atomic_load(&pool->epoch);
    int idle = atomic_load(&pool->open_slots) == 0 || atomic_load(&pool->spare) <= 0;
    if (idle && !atomic_load(&pool->stop)) futex_wait(&pool->epoch, epoch);
    atomic_fetch_sub(&pool->sleepers, 1);
}

static void *worker_main(void *arg) {
    leat_tpool *pool = arg;
    while (!atomic_load_explicit(&pool->stop, memory_order_acquire))
        if (!spin_for_work(pool)) park(pool);
    return NULL;
}

/* A kernel that finds a small machine half busy may wake a worker on the very CPU of its caller although another is idle, and leave the
 * two to take turns for milliseconds.  So parked workers are kept off the CPU of whoever wakes them: a system call a worker, and
 * only when that CPU is another than the last time. */
static void keep_off(leat_tpool *pool, int cpu) {
    cpu_set_t others = pool->allowed;
    if (cpu < 0 || cpu >= CPU_SETSIZE || atomic_exchange_explicit(&pool->caller_cpu, cpu, memory_order_relaxed) == cpu) return;
    CPU_CLR((size_t)cpu, &others);
    if (CPU_COUNT(&others) == 0) return;
    for (int i = 0; i < pool->started; i++) pthread_setaffinity_np(pool->ids[i], sizeof others, &others);
}

static void wake_workers(leat_tpool *pool, int n) {
    atomic_fetch_add(&pool->epoch, 1);
    futex_wake(&pool->epoch, n);
}

static void destroy(leat_tpool *pool) {
    atomic_store(&pool->stop, 1);
    wake_workers(pool, LEAT_MAX_THREADS);
    for (int i = 0; i < pool->started; i++) pthread_join(pool->ids[i], NULL);
    leat__free(pool);
}

/* Starts one worker with all signals blocked: they belong to the application's threads. */
static int start_worker(leat_tpool *pool) {
    sigset_t all, old;
    char name[24];
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&pool->ids[pool->started], NULL, worker_main, pool);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc != 0) return 0;
    snprintf(name, sizeof name, "leat-%d", pool->started + 1); /* at most 15 characters: threads <= LEAT_MAX_THREADS */
    pthread_setname_np(pool->ids[pool->started], name);
    pool->started++;
    return 1;
}

int leat_tpool_new(int threads, leat_tpool **pool) {
    if (!pool) return LEAT_EINVAL;
    *pool = NULL;
    if (threads == 0) threads = leat_cpu_count();
    if (threads < 1 || threads > LEAT_MAX_THREADS) return LEAT_EINVAL;
    leat_tpool *made = leat__calloc(1, sizeof *made, LEAT_MEMORY_OTHER);
    if (!made) return LEAT_ENOMEM;
    made->threads = threads;
    if (sched_getaffinity(0, sizeof made->allowed, &made->allowed) != 0) CPU_ZERO(&made->allowed);
    atomic_init(&made->spare, threads);
    atomic_init(&made->refs, 1);
    atomic_init(&made->caller_cpu, -1);
    while (made->started < threads - 1) {
        if (start_worker(made)) continue;
        destroy(made);
        return LEAT_ENOMEM;
    }
    *pool = made;
    return LEAT_OK;
}

leat_tpool *leat_tpool_ref(leat_tpool *pool) {
    if (pool) atomic_fetch_add_explicit(&pool->refs, 1, memory_order_relaxed);
    return pool;
}

void leat_tpool_unref(leat_tpool *pool) {
    if (pool && atomic_fetch_sub_explicit(&pool->refs, 1, memory_order_acq_rel) == 1) destroy(pool);
}

int leat_tpool_threads(const leat_tpool *pool) { return pool ? pool->threads : 1; }

/* ---- callers ------------------------------------------------------------------------------------------------------------- */

static slot *claim_slot(leat_tpool *pool) {
    for (int i = 0; i < SLOTS; i++) {
        uint32_t free_state = 0;
        if (atomic_load_explicit(&pool->slots[i].state, memory_order_relaxed) != 0) continue;
        if (atomic_compare_exchange_strong_explicit(&pool->slots[i].state, &free_state, CLAIMED, memory_order_acquire,
                                                    memory_order_relaxed))
            return &pool->slots[i];
    }
    return NULL;
}

/* Closes the slot and returns when its last helper has left. */
static void wait_for_helpers(slot *s) {
    uint32_t state = atomic_fetch_and_explicit(&s->state, ~OPEN, memory_order_acq_rel) & ~OPEN;
    if (ACTIVE(state) == 0) return;
    int64_t deadline = leat__now_ns() + WAIT_SPIN_NS;
    do {
        for (int i = 0; i < CLOCK_EVERY; i++) {
            if (ACTIVE(atomic_load_explicit(&s->state, memory_order_acquire)) == 0) return;
            pause_cpu();
        }
    } while (leat__now_ns() < deadline);
    state = atomic_fetch_or(&s->state, WAITING) | WAITING;
    while (ACTIVE(state) != 0) {
        futex_wait(&s->state, state);
        state = atomic_load_explicit(&s->state, memory_order_acquire);
    }
}

static void run_shared(leat_tpool *pool, slot *s, int helpers, int64_t n, leat_task_fn fn, void *arg) {
    s->fn = fn;
    s->arg = arg;
    s->n = n;
    atomic_store_explicit(&s->next, 0, memory_order_relaxed);
    atomic_store_explicit(&s->state, CLAIMED | OPEN | (uint32_t)helpers * PLACE, memory_order_release);
    atomic_fetch_or(&pool->open_slots, 1u << (s - pool->slots));
    int sleepers = atomic_load(&pool->sleepers);
    if (sleepers > 0) {
        keep_off(pool, sched_getcpu());
        wake_workers(pool, helpers < sleepers ? helpers : sleepers);
    }
    work(pool, s, 0);
    wait_for_helpers(s);
    atomic_store_explicit(&s->state, 0, memory_order_release);
}

void leat__tpool_for_n(leat_tpool *pool, int max_threads, int64_t n, leat_task_fn fn, void *arg) {
    int threads = pool ? pool->threads : 1;
    if (max_threads > 0 && max_threads < threads) threads = max_threads;
    if (n < threads) threads = (int)n;
    slot *s = threads > 1 && !inside_region ? claim_slot(pool) : NULL;
    if (s) {
        atomic_fetch_sub_explicit(&pool->spare, 1, memory_order_relaxed);
        run_shared(pool, s, threads - 1, n, fn, arg);
        atomic_fetch_add_explicit(&pool->spare, 1, memory_order_relaxed);
        return;
    }
    for (int64_t i = 0; i < n; i++) fn(arg, i, 0);
}

void leat__tpool_for(leat_tpool *pool, int64_t n, leat_task_fn fn, void *arg) { leat__tpool_for_n(pool, 0, n, fn, arg); }
