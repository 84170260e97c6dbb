/* sync.c - waiting until a deadline. */
#include "pipeline/sync.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"

void leat__monitor_init(leat__monitor *m) {
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->changed, NULL);
}

void leat__monitor_fini(leat__monitor *m) {
    pthread_cond_destroy(&m->changed);
    pthread_mutex_destroy(&m->lock);
}

int64_t leat__deadline(int64_t timeout_ns) {
    int64_t at;
    if (timeout_ns < 0 || __builtin_add_overflow(leat__now_ns(), timeout_ns, &at)) return INT64_MAX;
    return at;
}

int leat__wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline) {
    if (deadline == INT64_MAX) return pthread_cond_wait(cond, lock) == 0;
    struct timespec at = {.tv_sec = (time_t)(deadline / 1000000000), .tv_nsec = (long)(deadline % 1000000000)};
    return pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, &at) != ETIMEDOUT;
}
