/* pipeline_trace.c - the threads' event rings as Chrome trace events, for ui.perfetto.dev.
 *
 *     M  names of process and threads           X  calls of process(), waits in emit() and get()
 *     C  depth of each stage's input queue      i  drops and skips
 *     s t f  arrows that follow a frame from stage to stage; its number is their id
 *
 * Written in pieces through a small buffer under a temporary name, then renamed: nothing is left behind on failure.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/target.h"
#include "pipeline/pipeline_impl.h"

#define PIECE 65536 /* bytes between two writes */

typedef struct writer {
    leat_strbuf text;
    int         fd, wrong;  /* wrong: errno of the first failed write */
    int64_t     origin_ns;
    int         tid;
    const leat_stage *replica;
} writer;

static void drain(writer *w) {
    const char *at = w->text.text;
    size_t left = w->text.length;
    while (left > 0 && !w->wrong) {
        ssize_t n = leat__write_quietly(w->fd, at, left);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) w->wrong = errno;
        else at += n, left -= (size_t)n;
    }
    w->text.length = 0;
}

static double us(const writer *w, int64_t ns) { return (double)(ns - w->origin_ns) / 1e3; }

/* ---- events --------------------------------------------------------------------------------------------------------------- */

static void write_thread_name(writer *w) {
    const leat__stage *s = w->replica->stage;
    char name[48];
    if (s->options.replicas > 1) snprintf(name, sizeof name, "%s %d", s->name, w->replica->index + 1);
    else snprintf(name, sizeof name, "%s", s->name);
    leat__strbuf_addf(&w->text, ",\n{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":%d,\"args\":{\"name\":", w->tid);
    leat__strbuf_add_json(&w->text, name, strlen(name));
    leat__strbuf_addf(&w->text, "}},\n{\"ph\":\"M\",\"name\":\"thread_sort_index\",\"pid\":1,\"tid\":%d,\"args\":{\"sort_index\":%d}}", w->tid, w->tid);
}

/* The arrow to or from a call: it starts at the first stage, ends at the last. */
static void write_flow(writer *w, const leat__event *e) {
    const leat__stage *s = w->replica->stage;
    const char *phase = !s->input ? "s" : !s->output ? "f" : "t";
    if (e->frame < 0) return;
    leat__strbuf_addf(&w->text, ",\n{\"ph\":\"%s\",\"cat\":\"frame\",\"name\":\"frame\",\"id\":%" PRId64 ",\"pid\":1,\"tid\":%d,\"ts\":%.3f%s}", phase,
                      e->frame, w->tid, us(w, e->start_ns) + (double)e->span_ns / 2e3, s->output ? "" : ",\"bp\":\"e\"");
}

static void write_call(writer *w, const leat__event *e) {
    const leat__stage *s = w->replica->stage;
    leat__strbuf_add(&w->text, ",\n{\"ph\":\"X\",\"name\":");
    leat__strbuf_add_json(&w->text, s->name, strlen(s->name));
    leat__strbuf_addf(&w->text, ",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"args\":{\"frame\":%" PRId64 ",\"items\":%d}}", w->tid,
                      us(w, e->start_ns), (double)e->span_ns / 1e3, e->frame, e->n);
    write_flow(w, e);
    if (e->depth < 0) return;
    leat__strbuf_add(&w->text, ",\n{\"ph\":\"C\",\"name\":\"queue before ");
    for (const char *c = s->name; *c; c++) leat__strbuf_addn(&w->text, *c == '"' || *c == '\\' || (unsigned char)*c < 32 ? "_" : c, 1);
    leat__strbuf_addf(&w->text, "\",\"pid\":1,\"ts\":%.3f,\"args\":{\"items\":%d}}", us(w, e->start_ns), e->depth);
}

static void write_event(writer *w, const leat__event *e) {
    if (e->kind == LEAT__EVENT_CALL) write_call(w, e);
    else if (e->kind == LEAT__EVENT_BLOCKED)
        leat__strbuf_addf(&w->text, ",\n{\"ph\":\"X\",\"name\":\"waiting\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f}", w->tid, us(w, e->start_ns),
                          (double)e->span_ns / 1e3);
    else
        leat__strbuf_addf(&w->text, ",\n{\"ph\":\"i\",\"s\":\"t\",\"name\":\"%s\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"args\":{\"frame\":%" PRId64 "}}",
                          e->kind == LEAT__EVENT_DROP ? "drop" : "skip", w->tid, us(w, e->start_ns), e->frame);
    if (w->text.length >= PIECE) drain(w);
}

static void write_replica(writer *w, const leat_stage *r) {
    const leat__event_ring *ring = &r->events;
    uint64_t from = ring->written > (uint64_t)ring->capacity ? ring->written - (uint64_t)ring->capacity : 0;
    w->replica = r;
    w->tid++;
    write_thread_name(w);
    for (uint64_t i = from; i < ring->written; i++) write_event(w, &ring->events[i % (uint64_t)ring->capacity]);
}

/* Events that the rings have forgotten. */
static uint64_t forgotten(const leat_pipeline *p) {
    uint64_t sum = 0;
    for (int i = 0; i < p->n_stages; i++)
        for (int k = 0; k < p->stages[i]->options.replicas; k++) {
            const leat__event_ring *ring = &p->stages[i]->replicas[k].events;
            if (ring->written > (uint64_t)ring->capacity) sum += ring->written - (uint64_t)ring->capacity;
        }
    return sum;
}

static int write_all(const leat_pipeline *p, writer *w) {
    leat__strbuf_addf(&w->text, "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"events_forgotten\":%" PRIu64 "},\"traceEvents\":[\n", forgotten(p));
    leat__strbuf_add(&w->text, "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":1,\"args\":{\"name\":\"leat pipeline\"}}");
    for (int i = 0; i < p->n_stages; i++)
        for (int k = 0; k < p->stages[i]->options.replicas; k++) write_replica(w, &p->stages[i]->replicas[k]);
    leat__strbuf_add(&w->text, "\n]}\n");
    drain(w);
    return w->text.failed ? LEAT_ENOMEM : w->wrong ? LEAT_EIO : LEAT_OK;
}

/* ---- the file ------------------------------------------------------------------------------------------------------------- */

static int write_file(const leat_pipeline *p, const char *path, leat_error *error) {
    leat_target target;
    writer w = {.origin_ns = atomic_load(&p->started_ns)};
    int status = leat__target_open(path, &target, error);
    if (status != LEAT_OK) return status;
    w.fd = target.fd;
    status = write_all(p, &w);
    int closed = leat__target_close(&target, status == LEAT_OK);
    if (status == LEAT_OK && closed) w.wrong = closed, status = LEAT_EIO;
    leat__strbuf_fini(&w.text);
    if (status == LEAT_OK) return LEAT_OK;
    return leat__fail(error, status, "%s: %s", path, status == LEAT_EIO ? strerror(w.wrong) : leat_status_text(status));
}

int leat_pipeline_write_trace(leat_pipeline *p, const char *path, leat_error *error) {
    if (!path) return leat__fail(error, LEAT_EINVAL, "leat_pipeline_write_trace: path is NULL");
    if (p->state != LEAT__JOINED) return leat__fail(error, LEAT_ESTATE, "a trace is written after leat_pipeline_wait()");
    if (p->options.trace_events == 0) return leat__fail(error, LEAT_ESTATE, "no trace was kept: set trace_events");
    return write_file(p, path, error);
}
