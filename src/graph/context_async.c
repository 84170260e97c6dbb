/* context_async.c - start / poll / wait: a context's own thread, made on the first start. */
#include <errno.h>
#include <time.h>

#include "graph/context_impl.h"

static void *runner_main(void *arg) {
    leat_context *context = arg;
    leat_runner  *runner = &context->runner;
    pthread_mutex_lock(&runner->lock);
    for (;;) {
        while (!runner->requested && !runner->quit) pthread_cond_wait(&runner->changed, &runner->lock);
        if (!runner->requested) break;
        runner->requested = 0;
        runner->error = (leat_error){0};
        pthread_mutex_unlock(&runner->lock);
        int status = leat__context_run(context, &runner->error);
        pthread_mutex_lock(&runner->lock);
        runner->status = status;
        runner->in_flight = 0;
        pthread_cond_broadcast(&runner->changed);
    }
    pthread_mutex_unlock(&runner->lock);
    return NULL;
}

void leat__runner_stop(leat_runner *runner) {
    pthread_mutex_lock(&runner->lock);
    runner->quit = 1;
    pthread_cond_broadcast(&runner->changed);
    int created = runner->created;
    pthread_mutex_unlock(&runner->lock);
    if (created) pthread_join(runner->thread, NULL);
    pthread_cond_destroy(&runner->changed);
    pthread_mutex_destroy(&runner->lock);
}

int leat_context_start(leat_context *context, leat_error *error) {
    leat_runner *runner = &context->runner;
    pthread_mutex_lock(&runner->lock);
    int status = runner->in_flight ? LEAT_ESTATE : LEAT_OK;
    if (status == LEAT_OK && !runner->created) {
        runner->created = pthread_create(&runner->thread, NULL, runner_main, context) == 0;
        if (!runner->created) status = LEAT_ENOMEM;
    }
    if (status == LEAT_OK) {
        runner->requested = runner->in_flight = 1;
        pthread_cond_broadcast(&runner->changed);
    }
    pthread_mutex_unlock(&runner->lock);
    if (status == LEAT_ESTATE) return leat__fail(error, status, "a started run is in flight");
    return status == LEAT_OK ? LEAT_OK : leat__fail(error, status, "cannot make a thread for the context");
}

int leat_context_poll(leat_context *context) {
    leat_runner *runner = &context->runner;
    pthread_mutex_lock(&runner->lock);
    int status = runner->in_flight ? LEAT_EAGAIN : runner->status;
    pthread_mutex_unlock(&runner->lock);
    return status;
}

/* Waits on the condition until the run has ended or the deadline (monotonic) passes; the lock is held. */
static void wait_until(leat_runner *runner, int64_t timeout_ns) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = at.tv_nsec + timeout_ns % 1000000000;
    at.tv_sec += (time_t)(timeout_ns / 1000000000 + ns / 1000000000);
    at.tv_nsec = (long)(ns % 1000000000);
    while (runner->in_flight)
        if (pthread_cond_clockwait(&runner->changed, &runner->lock, CLOCK_MONOTONIC, &at) == ETIMEDOUT) break;
}

int leat_context_wait(leat_context *context, int64_t timeout_ns, leat_error *error) {
    leat_runner *runner = &context->runner;
    pthread_mutex_lock(&runner->lock);
    if (timeout_ns < 0)
        while (runner->in_flight) pthread_cond_wait(&runner->changed, &runner->lock);
    else wait_until(runner, timeout_ns);
    int status = runner->in_flight ? LEAT_EAGAIN : runner->status;
    if (error && status != LEAT_OK && status != LEAT_EAGAIN) *error = runner->error;
    pthread_mutex_unlock(&runner->lock);
    return status;
}
