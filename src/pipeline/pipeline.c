/* pipeline.c - life of a pipeline: open, add, start, wait, close. */
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "pipeline/pipeline_impl.h"

#define MOST_WINDOW 1000000
#define MOST_EVENTS (1 << 24)
#define MOST_CAPACITY 4096
#define MOST_IN_FLIGHT 65536

void leat_pipeline_options_default(leat_pipeline_options *options, int live) {
    *options = (leat_pipeline_options){.size = sizeof *options, .live = live != 0, .spin_ns = 5000, .window = 120};
}

void leat_stage_options_default(leat_stage_options *options) {
    *options = (leat_stage_options){.size = sizeof *options, .replicas = 1, .batch = 1};
}

const char *leat_policy_name(leat_policy policy) {
    static const char *const names[] = {NULL, "block", "drop-oldest", "drop-newest"};
    return (unsigned)policy < sizeof names / sizeof *names ? names[policy] : NULL;
}

/* ---- building ------------------------------------------------------------------------------------------------------------- */

static int check_link(const leat_link_options *o, const char *whose, leat_error *error) {
    if (o->capacity < 0 || o->capacity > MOST_CAPACITY)
        return leat__fail(error, LEAT_EINVAL, "link behind '%s': capacity %d is not within 0..%d", whose, o->capacity, MOST_CAPACITY);
    if (o->policy < LEAT_POLICY_DEFAULT || o->policy > LEAT_POLICY_DROP_NEWEST)
        return leat__fail(error, LEAT_EINVAL, "link behind '%s': no policy %d", whose, (int)o->policy);
    return LEAT_OK;
}

static int check_options(const leat_pipeline_options *o, leat_error *error) {
    if (o->size != sizeof *o) return leat__fail(error, LEAT_EINVAL, "pipeline options: size %zu, call _default() first", o->size);
    if (o->in_flight < 0 || o->in_flight > MOST_IN_FLIGHT) return leat__fail(error, LEAT_EINVAL, "pipeline options: in_flight %d", o->in_flight);
    if (o->warmup < 0) return leat__fail(error, LEAT_EINVAL, "pipeline options: warmup %lld", (long long)o->warmup);
    if (!(o->max_fps >= 0) || o->max_fps > 1e9) return leat__fail(error, LEAT_EINVAL, "pipeline options: max_fps %g", o->max_fps);
    if (o->max_fps > 0 && o->max_fps < 1e-6) return leat__fail(error, LEAT_EINVAL, "pipeline options: max_fps %g", o->max_fps);
    if (o->every_nth < 0) return leat__fail(error, LEAT_EINVAL, "pipeline options: every_nth %d", o->every_nth);
    if (o->latency_target_ns < 0 || o->spin_ns < 0 || o->report_ns < 0) return leat__fail(error, LEAT_EINVAL, "pipeline options: a time is negative");
    if (o->window < 1 || o->window > MOST_WINDOW) return leat__fail(error, LEAT_EINVAL, "pipeline options: window %d", o->window);
    if (o->trace_events < 0 || o->trace_events > MOST_EVENTS) return leat__fail(error, LEAT_EINVAL, "pipeline options: trace_events %d", o->trace_events);
    return check_link(&o->entry, "send", error);
}

int leat_pipeline_open(const leat_pipeline_options *options, leat_pipeline **pipeline, leat_error *error) {
    leat_pipeline_options defaults;
    leat_pipeline_options_default(&defaults, 0);
    if (!pipeline) return leat__fail(error, LEAT_EINVAL, "leat_pipeline_open: pipeline is NULL");
    *pipeline = NULL;
    if (!options) options = &defaults;
    int status = check_options(options, error);
    if (status != LEAT_OK) return status;
    leat_pipeline *p = leat__calloc(1, sizeof *p, LEAT_MEMORY_OTHER);
    if (!p) return leat__fail(error, LEAT_ENOMEM, "pipeline: out of memory");
    p->options = *options;
    leat_pool_ref(p->options.entry.pool);
    leat__throttle_init(&p->throttle, options->live, options->max_fps, options->every_nth, options->latency_target_ns);
    leat__monitor_init(&p->monitor);
    pthread_mutex_init(&p->window_lock, NULL);
    *pipeline = p;
    return LEAT_OK;
}

static int check_stage(const leat_pipeline *p, const leat_stage_options *o, leat_error *error) {
    if (!o || o->size != sizeof *o) return leat__fail(error, LEAT_EINVAL, "stage options: call _default() first");
    if (!o->name || !o->name[0] || strlen(o->name) >= sizeof p->stages[0]->name)
        return leat__fail(error, LEAT_EINVAL, "stage options: a name of 1 to 31 bytes is needed");
    if (!o->process) return leat__fail(error, LEAT_EINVAL, "stage '%s': process is NULL", o->name);
    if (o->replicas < 1 || o->replicas > LEAT_PIPELINE_MAX_REPLICAS)
        return leat__fail(error, LEAT_EINVAL, "stage '%s': %d replicas, 1..%d are possible", o->name, o->replicas, LEAT_PIPELINE_MAX_REPLICAS);
    if (o->batch < 1 || o->batch > LEAT_PIPELINE_MAX_BATCH)
        return leat__fail(error, LEAT_EINVAL, "stage '%s': batch %d, 1..%d are possible", o->name, o->batch, LEAT_PIPELINE_MAX_BATCH);
    if (o->batch_wait_ns < 0) return leat__fail(error, LEAT_EINVAL, "stage '%s': batch_wait_ns is negative", o->name);
    if (p->n_stages == 0 && !p->options.push && (o->replicas > 1 || o->batch > 1))
        return leat__fail(error, LEAT_EINVAL, "stage '%s' is the source: it has one replica and batch 1", o->name);
    return check_link(&o->output, o->name, error);
}

int leat_pipeline_add(leat_pipeline *p, const leat_stage_options *options, leat_error *error) {
    if (p->state != LEAT__BUILDING) return leat__fail(error, LEAT_ESTATE, "stages are added before the start");
    int status = check_stage(p, options, error);
    if (status != LEAT_OK) return status;
    if (p->n_stages == LEAT_PIPELINE_MAX_STAGES)
        return leat__fail(error, LEAT_ELIMIT, "stage '%s': %d stages are the limit", options->name, LEAT_PIPELINE_MAX_STAGES);
    leat__stage *s = leat__calloc(1, sizeof *s, LEAT_MEMORY_OTHER);
    if (!s) return leat__fail(error, LEAT_ENOMEM, "stage '%s': out of memory", options->name);
    s->pipeline = p;
    s->options = *options;
    s->index = p->n_stages;
    memcpy(s->name, options->name, strlen(options->name));
    leat_pool_ref(s->options.output.pool);
    leat__monitor_init(&s->turn);
    p->stages[p->n_stages++] = s;
    return LEAT_OK;
}

/* ---- starting ------------------------------------------------------------------------------------------------------------- */

static int open_stages(leat_pipeline *p, leat_error *error) {
    for (int i = 0; i < p->n_stages; i++) {
        leat__stage *s = p->stages[i];
        for (int k = 0; k < s->options.replicas; k++) {
            leat_error why = {0};
            int status = s->options.open ? s->options.open(&s->replicas[k], s->options.user, &why) : LEAT_OK;
            if (status != LEAT_OK) return leat__fail(error, status, "stage '%s': %s", s->name, why.message[0] ? why.message : leat_status_text(status));
            s->replicas[k].opened = 1;
        }
    }
    return LEAT_OK;
}

static void close_stages(leat_pipeline *p) {
    for (int i = 0; i < p->n_stages; i++) {
        leat__stage *s = p->stages[i];
        for (int k = 0; s->replicas && k < s->options.replicas; k++) {
            if (s->replicas[k].opened && s->options.close) s->options.close(&s->replicas[k], s->options.user);
            s->replicas[k].opened = 0;
        }
    }
}

static int start_thread(leat_stage *r) {
    char name[16] = {0};
    if (pthread_create(&r->thread, NULL, leat__replica_main, r) != 0) return LEAT_ENOMEM;
    r->started = 1;
    for (size_t i = 0; i < sizeof name - 1 && r->stage->name[i]; i++) name[i] = r->stage->name[i]; /* the kernel keeps 15 bytes */
    pthread_setname_np(r->thread, name);
    return LEAT_OK;
}

static void join_threads(leat_pipeline *p) {
    for (int i = 0; i < p->n_stages; i++)
        for (int k = 0; k < p->stages[i]->options.replicas; k++) {
            leat_stage *r = &p->stages[i]->replicas[k];
            if (r->started) pthread_join(r->thread, NULL);
            r->started = 0;
        }
}

/* Starts all threads with signals blocked: they belong to the program's own threads.  Consumers first, so that the first frame
 * meets nobody asleep. */
static int start_threads(leat_pipeline *p) {
    sigset_t all, old;
    int status = LEAT_OK;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    for (int i = p->n_stages - 1; i >= 0 && status == LEAT_OK; i--)
        for (int k = 0; k < p->stages[i]->options.replicas && status == LEAT_OK; k++) status = start_thread(&p->stages[i]->replicas[k]);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return status;
}

static void set_state(leat_pipeline *p, int state) {
    pthread_mutex_lock(&p->monitor.lock);
    p->state = state;
    pthread_mutex_unlock(&p->monitor.lock);
}

static int check_start(leat_pipeline *p, leat_error *error) {
    if (p->state != LEAT__BUILDING) return leat__fail(error, LEAT_ESTATE, "a pipeline starts once");
    if (p->n_stages == 0) return leat__fail(error, LEAT_EINVAL, "a pipeline needs a stage");
    return LEAT_OK;
}

int leat_pipeline_start(leat_pipeline *p, leat_error *error) {
    int status = check_start(p, error);
    if (status != LEAT_OK) return status;
    status = leat__assemble_make(p, error);
    if (status == LEAT_OK) status = open_stages(p, error);
    if (status != LEAT_OK) {
        close_stages(p);
        p->state = LEAT__BROKEN;
        return status;
    }
    p->stages_running = p->n_stages;
    atomic_store(&p->started_ns, leat__now_ns());
    p->report_at_ns = p->options.report && p->options.report_ns > 0 ? leat__now_ns() + p->options.report_ns : INT64_MAX;
    leat__mark_now(&p->from);
    atomic_store(&p->measuring, p->options.warmup == 0);
    set_state(p, LEAT__RUNNING);
    status = start_threads(p);
    if (status == LEAT_OK) return LEAT_OK;
    leat_pipeline_cancel(p);
    join_threads(p);
    close_stages(p);
    set_state(p, LEAT__BROKEN);
    return leat__fail(error, status, "pipeline: cannot start a thread for each replica");
}

/* ---- waiting -------------------------------------------------------------------------------------------------------------- */

static int64_t sooner(int64_t a, int64_t b) { return a < b ? a : b; }

/* Waits for the end and reports meanwhile; LEAT_EAGAIN past the deadline. */
static int wait_for_end(leat_pipeline *p, int64_t deadline) {
    pthread_mutex_lock(&p->monitor.lock);
    while (p->state == LEAT__RUNNING) {
        int64_t now = leat__now_ns();
        if (now >= deadline) break;
        if (now >= p->report_at_ns) {
            leat_window window;
            p->report_at_ns += p->options.report_ns;
            pthread_mutex_unlock(&p->monitor.lock);
            leat_pipeline_get_window(p, &window);
            p->options.report(p->options.user, p, &window);
            pthread_mutex_lock(&p->monitor.lock);
            continue;
        }
        leat__monitor_wait(&p->monitor, sooner(p->report_at_ns, deadline));
    }
    int ended = p->state != LEAT__RUNNING;
    pthread_mutex_unlock(&p->monitor.lock);
    return ended ? LEAT_OK : LEAT_EAGAIN;
}

int leat_pipeline_wait(leat_pipeline *p, int64_t timeout_ns, leat_error *error) {
    if (p->state == LEAT__BUILDING || p->state == LEAT__BROKEN) return leat__fail(error, LEAT_ESTATE, "the pipeline was not started");
    if (wait_for_end(p, leat__deadline(timeout_ns)) != LEAT_OK) return LEAT_EAGAIN;
    if (p->state == LEAT__ENDED) {
        join_threads(p);
        close_stages(p);
        p->state = LEAT__JOINED;
    }
    if (p->failure != LEAT_OK) {
        if (error) *error = p->failure_error;
        return p->failure;
    }
    return atomic_load(&p->cancelled) ? leat__fail(error, LEAT_ECANCELLED, "cancelled") : LEAT_OK;
}

void leat_pipeline_close(leat_pipeline *p) {
    if (!p) return;
    leat_pipeline_cancel(p);
    if (p->state != LEAT__BUILDING && p->state != LEAT__BROKEN) leat_pipeline_wait(p, -1, NULL);
    leat__assemble_free(p);
    leat__monitor_fini(&p->monitor);
    pthread_mutex_destroy(&p->window_lock);
    leat__free(p);
}
