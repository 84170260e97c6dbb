/* pipe_case.h - stages for tests: a counting source, delays, work, and a sink that checks the order. */
#ifndef PIPE_CASE_H
#define PIPE_CASE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "leat/pipeline.h"

typedef struct payload {
    int64_t value;
    uint32_t seen; /* stages that had it, one bit each */
} payload;

typedef struct feed {
    int64_t next, count;  /* frames to make; count < 0: until stopped */
    int64_t period_ns;    /* 0 = as fast as taken */
    int64_t due_ns;
} feed;

typedef struct worker {
    int64_t sleep_ns;     /* of every call */
    int64_t jitter_ns;    /* added to every call, times 0..3 by its number */
    int64_t filter_mod;   /* frames with value % mod == 0 are consumed; 0 = none */
    int64_t fail_at;      /* frame that fails */
    int64_t end_at;       /* frame after which the stage wants no more */
    int     copies;       /* how often each item is emitted; 0 = once */
    int     bit;          /* set in payload.seen */
    _Atomic int calls, flushed, opened, closed, most_batch, inside, most_inside;
} worker;

typedef struct drain {
    int64_t last, count, sum, out_of_order, repeats; /* repeats: equal neighbours */
    int64_t sleep_ns, end_at, fail_at;
    uint32_t want_seen;
    int     missing, flushed, closed;
} drain;

static inline void nap(int64_t ns) {
    struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    if (ns > 0) nanosleep(&t, NULL);
}

static inline leat_pool *make_pool(int count) {
    leat_pool_options options;
    leat_pool *pool;
    leat_pool_options_default(&options);
    options.count = count;
    options.item_bytes = sizeof(payload);
    assert_int_equal(leat_pool_new(&options, &pool), LEAT_OK);
    return pool;
}

static inline int feed_process(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    (void)items, (void)n, (void)error;
    feed *f = user;
    leat_item *item;
    if (f->count >= 0 && f->next >= f->count) return LEAT_EEND;
    if (f->period_ns > 0) {
        int64_t now = leat__now_ns();
        if (f->due_ns == 0) f->due_ns = now;
        nap(f->due_ns - now);
    }
    int status = leat_stage_get(stage, &item);
    if (status != LEAT_OK) return status;
    *(payload *)item->data = (payload){.value = f->next};
    item->index = f->next++;
    if (f->period_ns > 0) {
        item->capture_ns = f->due_ns;
        f->due_ns += f->period_ns;
    }
    return leat_stage_emit(stage, item);
}

static inline int worker_open(leat_stage *stage, void *user, leat_error *error) {
    (void)stage, (void)error;
    atomic_fetch_add(&((worker *)user)->opened, 1);
    return LEAT_OK;
}

static inline int worker_process(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    worker *w = user;
    int call = atomic_fetch_add(&w->calls, 1), inside = atomic_fetch_add(&w->inside, 1) + 1;
    if (n > atomic_load(&w->most_batch)) atomic_store(&w->most_batch, n);
    if (inside > atomic_load(&w->most_inside)) atomic_store(&w->most_inside, inside);
    nap(w->sleep_ns + w->jitter_ns * (call * 7 % 4));
    int status = LEAT_OK;
    for (int i = 0; i < n && status == LEAT_OK; i++) {
        payload *p = items[i]->data;
        p->seen |= 1u << w->bit;
        if (p->value == w->fail_at) {
            snprintf(error->message, sizeof error->message, "value %d is bad", (int)p->value);
            status = LEAT_EFORMAT;
            break;
        }
        if (w->filter_mod > 0 && p->value % w->filter_mod == 0) continue;
        for (int k = 0; k < (w->copies ? w->copies : 1) && status == LEAT_OK; k++) status = leat_stage_emit(stage, leat_item_ref(items[i]));
        if (p->value == w->end_at) status = LEAT_EEND;
    }
    atomic_fetch_sub(&w->inside, 1);
    return status;
}

static inline int worker_flush(leat_stage *stage, void *user, leat_error *error) {
    (void)stage, (void)error;
    atomic_fetch_add(&((worker *)user)->flushed, 1);
    return LEAT_OK;
}

static inline void worker_close(leat_stage *stage, void *user) {
    (void)stage;
    atomic_fetch_add(&((worker *)user)->closed, 1);
}

static inline int drain_process(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    (void)stage, (void)error;
    drain *d = user;
    nap(d->sleep_ns);
    for (int i = 0; i < n; i++) {
        const payload *p = items[i]->data;
        if (p->value == d->fail_at) return LEAT_EIO;
        if (d->count > 0 && p->value < d->last) d->out_of_order++;
        if (d->count > 0 && p->value == d->last) d->repeats++;
        if ((p->seen & d->want_seen) != d->want_seen) d->missing++;
        d->last = p->value;
        d->sum += p->value;
        d->count++;
        if (p->value == d->end_at) return LEAT_EEND;
    }
    return LEAT_OK;
}

static inline int drain_flush(leat_stage *stage, void *user, leat_error *error) {
    (void)stage, (void)error;
    ((drain *)user)->flushed++;
    return LEAT_OK;
}

static inline void drain_close(leat_stage *stage, void *user) {
    (void)stage;
    ((drain *)user)->closed++;
}

static inline void add_feed(leat_pipeline *p, feed *f, leat_pool *pool, leat_link_options *link) {
    leat_stage_options o;
    leat_stage_options_default(&o);
    o.name = "source";
    o.process = feed_process;
    o.user = f;
    if (link) o.output = *link;
    o.output.pool = pool;
    assert_int_equal(leat_pipeline_add(p, &o, NULL), LEAT_OK);
}

static inline void add_worker_with(leat_pipeline *p, const char *name, worker *w, int replicas, int batch, int64_t batch_wait_ns) {
    leat_stage_options o;
    leat_stage_options_default(&o);
    o.name = name;
    o.replicas = replicas;
    o.batch = batch;
    o.batch_wait_ns = batch_wait_ns;
    o.open = worker_open;
    o.process = worker_process;
    o.flush = worker_flush;
    o.close = worker_close;
    o.user = w;
    assert_int_equal(leat_pipeline_add(p, &o, NULL), LEAT_OK);
}

static inline void add_worker(leat_pipeline *p, const char *name, worker *w, int replicas) { add_worker_with(p, name, w, replicas, 1, 0); }

static inline void add_drain(leat_pipeline *p, drain *d) {
    leat_stage_options o;
    leat_stage_options_default(&o);
    o.name = "sink";
    o.process = drain_process;
    o.flush = drain_flush;
    o.close = drain_close;
    o.user = d;
    assert_int_equal(leat_pipeline_add(p, &o, NULL), LEAT_OK);
}

/* fail_at and end_at left 0 mean never. */
static inline worker fix_worker(worker w) {
    w.fail_at = w.fail_at ? w.fail_at : -1;
    w.end_at = w.end_at ? w.end_at : -1;
    return w;
}

static inline drain fix_drain(drain d) {
    d.fail_at = d.fail_at ? d.fail_at : -1;
    d.end_at = d.end_at ? d.end_at : -1;
    return d;
}

#define WORKER(...) fix_worker((worker){.calls = 0, __VA_ARGS__})
#define DRAIN(...) fix_drain((drain){.last = 0, __VA_ARGS__})

/* Every item is accounted for, link by link and in all. */
static inline void check_accounts(leat_pipeline *p) {
    leat_pipeline_stats s;
    assert_int_equal(leat_pipeline_get_stats(p, &s), LEAT_OK);
    for (int i = 0; i < s.links; i++) {
        leat_link_stats l;
        assert_int_equal(leat_pipeline_get_link(p, i, &l), LEAT_OK);
        assert_int_equal(l.put, l.taken + l.dropped + l.discarded + (uint64_t)l.depth);
        assert_true(l.most <= l.capacity);
    }
}

#endif
