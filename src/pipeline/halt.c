/* halt.c - how a run ends: by its source, by the program, from downstream, by a failure, by cancelling.
 *
 * Ending from downstream and failing are the same move: the stage closes its input link, which discards what waits there and
 * makes the stage before it see LEAT_EEND from its next emit; that one closes its own input in turn.  Behind the stage nothing is
 * disturbed: frames that were through are finished and flushed.  Cancelling sets one flag that every wait looks at.
 */
#include <stdatomic.h>
#include <stdio.h>

#include "base/error.h"
#include "pipeline/pipeline_impl.h"

int leat__halt_stopping(const void *replica) {
    const leat_stage *r = replica;
    const leat_pipeline *p = r->pipeline;
    const leat__stage *s = r->stage;
    if (atomic_load(&p->cancelled) || s->index < atomic_load(&p->ended_before)) return 1;
    if (s->output && atomic_load(&s->output->closed)) return 1;
    return !s->input && atomic_load(&p->finishing);
}

int leat__halt_sleep(leat_stage *r, int64_t until_ns) {
    leat_pipeline *p = r->pipeline;
    leat__rider_yield(&r->rider);
    pthread_mutex_lock(&p->monitor.lock);
    while (!leat__halt_stopping(r) && leat__monitor_wait(&p->monitor, until_ns)) {}
    int go_on = !leat__halt_stopping(r);
    pthread_mutex_unlock(&p->monitor.lock);
    return go_on;
}

/* Wakes the stages [0, n) from whatever they wait for and asks those that block in a system call to return. */
static void wake_stages(leat_pipeline *p, int n) {
    pthread_mutex_lock(&p->monitor.lock);
    pthread_cond_broadcast(&p->monitor.changed);
    pthread_mutex_unlock(&p->monitor.lock);
    for (int i = 0; i < n; i++) {
        leat__stage *s = p->stages[i];
        if (s->output && s->output->pool) leat__pool_kick(s->output->pool);
        if (s->options.interrupt) s->options.interrupt(s->options.user);
    }
}

void leat__halt_upstream(leat__stage *s) {
    leat_pipeline *p = s->pipeline;
    int before = atomic_load(&p->ended_before);
    while (before < s->index && !atomic_compare_exchange_weak(&p->ended_before, &before, s->index)) {}
    if (!s->input) return;
    int discarded = leat__link_close(s->input);
    if (s->input != p->links[p->first_link]) leat__emit_retire(p, discarded);
    wake_stages(p, s->index);
}

void leat__halt_fail(leat_stage *r, int status, const leat_error *error) {
    leat_pipeline *p = r->pipeline;
    const char *why = error->message[0] ? error->message : leat_status_text(status);
    int64_t frame = r->n > 0 ? r->items[0]->index : -1;
    atomic_store(&r->stage->failed, 1);
    pthread_mutex_lock(&p->monitor.lock);
    if (p->failure == LEAT_OK) {
        p->failure = status;
        if (frame >= 0) leat__fail(&p->failure_error, status, "stage '%s' at frame %lld: %s", r->stage->name, (long long)frame, why);
        else leat__fail(&p->failure_error, status, "stage '%s': %s", r->stage->name, why);
        p->failure_error.offset = error->offset;
    }
    pthread_mutex_unlock(&p->monitor.lock);
}

void leat_pipeline_finish(leat_pipeline *p) {
    pthread_mutex_lock(&p->monitor.lock);
    int running = p->state == LEAT__RUNNING;
    pthread_mutex_unlock(&p->monitor.lock);
    if (!running || atomic_exchange(&p->finishing, 1)) return;
    if (p->links[0]) leat__link_end(p->links[0]);
    else wake_stages(p, 1);
}

void leat_pipeline_cancel(leat_pipeline *p) {
    pthread_mutex_lock(&p->monitor.lock);
    int running = p->state == LEAT__RUNNING;
    pthread_mutex_unlock(&p->monitor.lock);
    if (!running || atomic_exchange(&p->cancelled, 1)) return;
    for (int i = 0; i <= p->n_stages; i++)
        if (p->links[i]) leat__link_kick(p->links[i]);
    wake_stages(p, p->n_stages);
}
