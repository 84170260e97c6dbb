/* turnstile.h - no more computing stages at once than there are CPUs, and each on a CPU of its own.
 *
 * Three threads that compute on two CPUs take turns by the kernel's clock, not by need: the slowest stage, which the whole chain
 * waits for, loses its CPU to others.  Worse, a kernel that wakes a thread often puts it behind another one although a second CPU
 * falls idle just then, and leaves it there for milliseconds.  So a call of a stage that computes holds a place, and places are
 * CPUs.  A free place goes to the waiting stage with the most work per frame, which is woken on that very CPU (and may then go
 * where the kernel likes); whoever has a place keeps it from call to call unless a heavier stage waits or its own input runs
 * dry.  A place is given up before every wait, so nobody can wait for each other in a circle.
 *
 * Stages whose calls are short or mostly sleep (files, devices) pass freely; which they are is measured.  Off for live sources,
 * where what is in flight is limited anyway and a short stage should not wait behind a long one; on one CPU; and where CPUs
 * outnumber the threads.
 */
#ifndef LEAT_PIPELINE_TURNSTILE_H
#define LEAT_PIPELINE_TURNSTILE_H

#include <sched.h>
#include <stdint.h>

#include "pipeline/sync.h"

typedef struct leat__rider leat__rider;

typedef struct leat__turnstile {
    leat__monitor monitor;
    int           on, cpus, places; /* places: free ones */
    _Atomic int64_t total_ns;       /* CPU time of a frame: all riders' weights */
    int           free_cpu[CPU_SETSIZE]; /* [places], a stack */
    cpu_set_t     allowed;
    leat__rider  *waiting; /* list */
} leat__turnstile;

/* A replica's thread. */
struct leat__rider {
    leat__turnstile *turnstile;
    pthread_cond_t   granted;
    leat__rider     *next;
    int              computes; /* its calls take a place */
    int              holds, grant;
    int              cpu;      /* of its place */
    int              confined; /* woken on that CPU only, until it runs */
    pthread_t        thread;
    int64_t          weight_ns; /* of a frame: mean time of a call over the stage's replicas */
    int              divisor, position; /* replicas; place of the stage in the chain */
    int64_t          cpu_ns;    /* of the thread when the call began, -1 = not looked at */
};

/* on: places are given out, if there are fewer CPUs than `threads`. */
void leat__turnstile_init(leat__turnstile *t, int on, int threads);
void leat__turnstile_fini(leat__turnstile *t);
void leat__rider_init(leat__rider *r, leat__turnstile *t, int replicas, int position);
void leat__rider_fini(leat__rider *r);

/* Before a call: waits for a place if the stage computes. */
void leat__rider_enter(leat__rider *r);
/* After a call of run_ns: learns from it, and gives the place to a stage that waits and comes before it. */
void leat__rider_leave(leat__rider *r, int64_t run_ns);
/* Before a wait of any kind: gives the place up; 1 if there was one. */
int  leat__rider_yield(leat__rider *r);

#endif
