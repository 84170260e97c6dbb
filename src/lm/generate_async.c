/* generate_async.c - start / poll / wait: a generation on the session's own thread, made on the first start.
 *
 * The session stays claimed from start until the thread has called on_complete, so no other use of it can begin in between; poll and wait look at that claim. */
#include <errno.h>
#include <time.h>

#include "base/error.h"
#include "lm/generation.h"

static void *thread_main(void *arg) {
    leat_lm_generation *g = arg;
    leat_lm_async      *a = &g->async;
    pthread_mutex_lock(&a->lock);
    for (;;) {
        while (!a->requested && !a->quit) pthread_cond_wait(&a->changed, &a->lock);
        if (!a->requested) break;
        a->requested = 0;
        leat_lm_complete_fn on_complete = a->on_complete;
        const leat_lm_request *request = a->request;
        leat_lm_result   *result = a->result;
        leat_lm_token_fn  on_token = a->on_token;
        void             *user = a->user;
        pthread_mutex_unlock(&a->lock);
        leat_error error = {0};
        int status = leat__generation_run(g, request, result, on_token, user, &error);
        if (on_complete) on_complete(user, status, result);
        leat__generation_release(g->session, status, &error);
        pthread_mutex_lock(&a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

int leat_lm_start(leat_lm_session *session, const leat_lm_request *request, leat_lm_result *result, leat_lm_token_fn on_token, leat_lm_complete_fn on_complete,
                  void *user, leat_error *error) {
    int status = leat__generation_claim(session, error);
    if (status) return status;
    leat_lm_generation *g = session->generation;
    leat_lm_async      *a = &g->async;
    pthread_mutex_lock(&a->lock);
    if (!a->created) a->created = pthread_create(&a->thread, NULL, thread_main, g) == 0;
    if (a->created) {
        a->request = request;
        a->result = result;
        a->on_token = on_token;
        a->on_complete = on_complete;
        a->user = user;
        a->requested = 1;
        pthread_cond_broadcast(&a->changed);
    }
    int created = a->created;
    pthread_mutex_unlock(&a->lock);
    if (created) return LEAT_OK;
    leat__generation_release(session, LEAT_ENOMEM, NULL);
    return leat__fail(error, LEAT_ENOMEM, "cannot make a thread for the session");
}

int leat_lm_poll(leat_lm_session *session) {
    if (!session) return LEAT_EINVAL;
    leat_lm_async *a = &((leat_lm_generation *)session->generation)->async;
    pthread_mutex_lock(&a->lock);
    int status = a->claimed ? LEAT_EAGAIN : a->status;
    pthread_mutex_unlock(&a->lock);
    return status;
}

/* Waits on the condition until the generation has ended or the time is over; the lock is held. */
static void wait_until(leat_lm_async *a, int64_t timeout_ns) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = at.tv_nsec + timeout_ns % 1000000000;
    at.tv_sec += (time_t)(timeout_ns / 1000000000 + ns / 1000000000);
    at.tv_nsec = (long)(ns % 1000000000);
    while (a->claimed)
        if (pthread_cond_clockwait(&a->changed, &a->lock, CLOCK_MONOTONIC, &at) == ETIMEDOUT) break;
}

int leat_lm_wait(leat_lm_session *session, int64_t timeout_ns, leat_error *error) {
    if (!session) return leat__fail(error, LEAT_EINVAL, "leat_lm_wait: session may not be NULL");
    leat_lm_async *a = &((leat_lm_generation *)session->generation)->async;
    pthread_mutex_lock(&a->lock);
    if (timeout_ns < 0)
        while (a->claimed) pthread_cond_wait(&a->changed, &a->lock);
    else wait_until(a, timeout_ns);
    int status = a->claimed ? LEAT_EAGAIN : a->status;
    if (error && status != LEAT_OK && status != LEAT_EAGAIN) *error = a->error;
    pthread_mutex_unlock(&a->lock);
    return status;
}
