/* turnstile.c - places for stages that compute. */
#include "pipeline/turnstile.h"

#include <limits.h>
#include <stdatomic.h>
#include <time.h>

#define LONG_NS 100000 /* a call shorter than this takes no place: a wake-up costs as much */
#define LEARN 8        /* weight of the past in the means */

void leat__turnstile_init(leat__turnstile *t, int on, int threads) {
    leat__monitor_init(&t->monitor);
    if (sched_getaffinity(0, sizeof t->allowed, &t->allowed) != 0) return;
    t->on = on && CPU_COUNT(&t->allowed) > 1 && CPU_COUNT(&t->allowed) < threads;
    for (int i = 0; i < CPU_SETSIZE && t->on; i++)
        if (CPU_ISSET((size_t)i, &t->allowed)) t->free_cpu[t->places++] = i;
    t->cpus = t->places;
}

void leat__turnstile_fini(leat__turnstile *t) { leat__monitor_fini(&t->monitor); }

void leat__rider_init(leat__rider *r, leat__turnstile *t, int replicas, int position) {
    r->turnstile = t;
    r->divisor = replicas;
    r->position = position;
    pthread_cond_init(&r->granted, NULL);
}

void leat__rider_fini(leat__rider *r) {
    if (r->turnstile) pthread_cond_destroy(&r->granted);
}

static int64_t thread_cpu_ns(void) {
    struct timespec t = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Who comes first.  A stage whose replicas need a CPU each, all the time, sets the rate of the chain: it never waits.  Among the
 * others what is nearest to its end goes first: else finished work piles up, and the limit on what is in flight stops the stages
 * in front. */
static int rank(const leat__rider *r) {
    int64_t total = atomic_load_explicit(&r->turnstile->total_ns, memory_order_relaxed);
    return r->weight_ns * r->turnstile->cpus >= total - total / 10 ? INT_MAX : r->position;
}

/* The first of those that wait, and where the list names it. */
static leat__rider **first_waiting(leat__turnstile *t) {
    leat__rider **best = &t->waiting;
    for (leat__rider **at = &t->waiting; *at; at = &(*at)->next)
        if (rank(*at) > rank(*best)) best = at;
    return best;
}

static void confine(leat__rider *r, int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    r->confined = pthread_setaffinity_np(r->thread, sizeof set, &set) == 0;
}

/* A place is free: somebody who waits gets it, else it stays free.  The lock is held. */
static void hand_on(leat__turnstile *t, int cpu) {
    leat__rider **best = first_waiting(t), *r = *best;
    if (!r) {
        t->free_cpu[t->places++] = cpu;
        return;
    }
    *best = r->next;
    r->grant = 1;
    r->cpu = cpu;
    confine(r, cpu);
    pthread_cond_signal(&r->granted);
}

/* A free place, the CPU that the thread is on if it can be; the lock is held. */
static void take_place(leat__rider *r) {
    leat__turnstile *t = r->turnstile;
    int at = t->places - 1, here = sched_getcpu();
    for (int i = 0; i < t->places; i++)
        if (t->free_cpu[i] == here) at = i;
    r->cpu = t->free_cpu[at];
    t->free_cpu[at] = t->free_cpu[--t->places];
    if (r->cpu != here) confine(r, r->cpu);
}

static void wait_for_place(leat__rider *r) {
    leat__turnstile *t = r->turnstile;
    r->thread = pthread_self();
    if (t->places > 0) {
        take_place(r);
        return;
    }
    r->grant = 0;
    r->next = t->waiting;
    t->waiting = r;
    while (!r->grant) leat__wait_until(&r->granted, &t->monitor.lock, INT64_MAX);
}

void leat__rider_enter(leat__rider *r) {
    leat__turnstile *t = r->turnstile;
    if (!t->on) return;
    if (r->computes && !r->holds) {
        pthread_mutex_lock(&t->monitor.lock);
        wait_for_place(r);
        pthread_mutex_unlock(&t->monitor.lock);
        r->holds = 1;
        if (r->confined) pthread_setaffinity_np(r->thread, sizeof t->allowed, &t->allowed);
        r->confined = 0;
    }
    r->cpu_ns = r->weight_ns * r->divisor >= LONG_NS ? thread_cpu_ns() : -1;
}

/* A stage computes if its calls are long and at least a third of their time is the thread's own: under load the rest may be
 * waiting for a CPU. */
static void learn(leat__rider *r, int64_t run_ns) {
    int64_t share = run_ns / r->divisor, before = r->weight_ns;
    r->weight_ns = before == 0 ? share : before + (share - before) / LEARN;
    atomic_fetch_add_explicit(&r->turnstile->total_ns, r->weight_ns - before, memory_order_relaxed);
    if (r->cpu_ns < 0) r->computes = 0;
    else r->computes = run_ns >= LONG_NS && (thread_cpu_ns() - r->cpu_ns) * 3 >= run_ns;
}

void leat__rider_leave(leat__rider *r, int64_t run_ns) {
    leat__turnstile *t = r->turnstile;
    if (!t->on) return;
    learn(r, run_ns);
    if (!r->holds) return;
    pthread_mutex_lock(&t->monitor.lock);
    leat__rider *other = *first_waiting(t);
    if (!r->computes || (other && rank(other) > rank(r))) {
        r->holds = 0;
        hand_on(t, r->cpu);
    }
    pthread_mutex_unlock(&t->monitor.lock);
}

int leat__rider_yield(leat__rider *r) {
    leat__turnstile *t = r->turnstile;
    if (!r->holds) return 0;
    pthread_mutex_lock(&t->monitor.lock);
    r->holds = 0;
    hand_on(t, r->cpu);
    pthread_mutex_unlock(&t->monitor.lock);
    return 1;
}
