/* sync.h - a lock with a condition on the monotonic clock.  Held for a few instructions only, never while a callback runs. */
#ifndef LEAT_PIPELINE_SYNC_H
#define LEAT_PIPELINE_SYNC_H

#include <pthread.h>
#include <stdint.h>

typedef struct leat__monitor {
    pthread_mutex_t lock;
    pthread_cond_t  changed;
} leat__monitor;

void leat__monitor_init(leat__monitor *m);
void leat__monitor_fini(leat__monitor *m);
/* CLOCK_MONOTONIC deadline of a timeout; INT64_MAX for a negative one. */
int64_t leat__deadline(int64_t timeout_ns);
/* Waits on a condition with `lock` held, at most until the deadline (INT64_MAX: for ever); 0 when it has passed. */
int leat__wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline);
static inline int leat__monitor_wait(leat__monitor *m, int64_t deadline) { return leat__wait_until(&m->changed, &m->lock, deadline); }

static inline void leat__pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
