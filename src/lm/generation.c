/* generation.c - what belongs to a session's generations: made with it, claimed by one at a time, closed with it.  See generation.h. */
#include "lm/generation.h"

#include "base/error.h"
#include "base/mem.h"

static int is_claimed(const leat_lm_session *session) {
    leat_lm_generation *g = session->generation;
    pthread_mutex_lock(&g->async.lock);
    int claimed = g->async.claimed;
    pthread_mutex_unlock(&g->async.lock);
    return claimed;
}

static void stop_thread(leat_lm_generation *g) {
    leat_lm_async *a = &g->async;
    pthread_mutex_lock(&a->lock);
    a->quit = 1;
    pthread_cond_broadcast(&a->changed);
    int created = a->created;
    pthread_mutex_unlock(&a->lock);
    leat_lm_cancel(g->session);
    if (created) pthread_join(a->thread, NULL);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
}

static void close_generation(leat_lm_session *session) {
    leat_lm_generation *g = session->generation;
    stop_thread(g);
    leat__sampler_close(g->sampler);
    leat__text_fini(&g->text);
    leat__free(g->prompt);
    leat__free(g->mask);
    leat__free(g->end_mask);
    leat__free(g);
    session->generation = NULL;
}

int leat__lm_generation_open(leat_lm_session *session, leat_error *error) {
    leat_lm_generation *g = leat__calloc(1, sizeof *g, LEAT_MEMORY_PLAN);
    if (!g) return leat__fail(error, LEAT_ENOMEM, "out of memory for a session");
    g->session = session;
    pthread_mutex_init(&g->async.lock, NULL);
    pthread_cond_init(&g->async.changed, NULL);
    session->generation = g;
    session->generation_busy = is_claimed;
    session->generation_close = close_generation;
    return LEAT_OK;
}

int leat__generation_claim(leat_lm_session *session, leat_error *error) {
    if (!session) return leat__fail(error, LEAT_EINVAL, "session may not be NULL");
    leat_lm_async *a = &((leat_lm_generation *)session->generation)->async;
    pthread_mutex_lock(&a->lock);
    int taken = a->claimed || a->quit;
    if (!taken) {
        a->claimed = 1;
        atomic_store(&session->cancelled, 0);
    }
    pthread_mutex_unlock(&a->lock);
    return taken ? leat__fail(error, LEAT_ESTATE, "a generation of this session is in flight: wait for it with leat_lm_wait()") : LEAT_OK;
}

void leat__generation_release(leat_lm_session *session, int status, const leat_error *error) {
    leat_lm_async *a = &((leat_lm_generation *)session->generation)->async;
    pthread_mutex_lock(&a->lock);
    a->claimed = 0;
    a->status = status;
    a->error = error ? *error : (leat_error){.status = status};
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}
