/* test_pipeline.c - the pipeline: order, ends from all sides, failures, replicas, batches, drops, push and pull, no allocation. */
#include "pipe_case.h"

#include <stdlib.h>
#include <unistd.h>

static leat_pipeline *open_with(const leat_pipeline_options *options) {
    leat_pipeline *p;
    assert_int_equal(leat_pipeline_open(options, &p, NULL), LEAT_OK);
    return p;
}

static void run_to(leat_pipeline *p, int expected, leat_error *error) {
    leat_error none = {0};
    assert_int_equal(leat_pipeline_start(p, &none), LEAT_OK);
    assert_int_equal(leat_pipeline_wait(p, -1, error), expected);
    check_accounts(p);
}

static void everything_arrives_in_order(void **state) {
    (void)state;
    leat_pipeline *p = open_with(NULL);
    leat_pool *pool = make_pool(12);
    feed f = {.count = 20000};
    worker a = WORKER(.bit = 0), b = WORKER(.bit = 1);
    drain d = DRAIN(.want_seen = 3);
    leat_pipeline_stats s;
    add_feed(p, &f, pool, NULL);
    add_worker(p, "a", &a, 1);
    add_worker(p, "b", &b, 3);
    add_drain(p, &d);
    run_to(p, LEAT_OK, NULL);
    assert_int_equal(d.count, 20000);
    assert_int_equal(d.out_of_order + d.repeats + d.missing, 0);
    assert_int_equal(d.flushed, 1);
    assert_int_equal(d.closed, 1);
    assert_int_equal(b.opened, 3);
    assert_int_equal(b.flushed, 3);
    assert_int_equal(b.closed, 3);
    assert_int_equal(leat_pipeline_get_stats(p, &s), LEAT_OK);
    assert_int_equal(s.done, 20000);
    assert_int_equal(s.sources, 20000);
    assert_int_equal(s.in_flight, 0);
    assert_int_equal(s.dropped + s.discarded + s.skipped, 0);
    assert_int_equal(leat_pool_idle(pool), 12);
    leat_pipeline_close(p);
    leat_pool_unref(pool);
}

static void replicas_with_uneven_times_keep_the_order(void **state) {
    (void)state;
    for (int copies = 1; copies <= 9; copies += 4) { /* 9: more than a slot holds */
        leat_pipeline *p = open_with(NULL);
        leat_pool *pool = make_pool(40);
        feed f = {.count = 120};
        worker w = WORKER(.sleep_ns = 200000, .jitter_ns = 700000, .copies = copies);
        drain d = DRAIN();
        add_feed(p, &f, pool, NULL);
        add_worker(p, "uneven", &w, 4);
        add_drain(p, &d);
        run_to(p, LEAT_OK, NULL);
        assert_int_equal(d.count, 120 * copies);
        assert_int_equal(d.out_of_order, 0);
        assert_int_equal(d.repeats, 120 * (copies - 1));
        assert_true(w.most_inside > 1);
        assert_int_equal(leat_pool_idle(pool), 40);
        leat_pipeline_close(p);
        leat_pool_unref(pool);
    }
}

static void filtering_stage_ends_frames_quietly(void **state) {
    (void)state;
    leat_pipeline *p = open_with(NULL);
    leat_pool *pool = make_pool(8);
    feed f = {.count = 3000};
    worker w = WORKER(.filter_mod = 3), k = WORKER(.filter_mod = 5);
    drain d = DRAIN();
    leat_stage_stats s;
    add_feed(p, &f, pool, NULL);
    add_worker(p, "thirds", &w, 1);
    add_worker(p, "fifths", &k, 2);
    add_drain(p, &d);
    run_to(p, LEAT_OK, NULL);
    assert_int_equal(d.count, 1600);
    assert_int_equal(d.out_of_order, 0);
    assert_int_equal(leat_pipeline_get_stage(p, 1, &s), LEAT_OK);
    assert_int_equal(s.filtered, 1000);
    assert_int_equal(s.items_in, 3000);
    assert_int_equal(s.items_out, 2000);
    leat_pipeline_close(p);
    leat_pool_unref(pool);
}

static void batches_gather_up_to_b(void **state) {
    (void)state;
    leat_pipeline *p = open_with(NULL);
    leat_pool *pool = make_pool(24);
    feed f = {.count = 403};
    worker w = WORKER(.sleep_ns = 300000);
    drain d = DRAIN();
    leat_stage_stats s;
    add_feed(p, &f, pool, NULL);
    add_worker_with(p, "batch", &w, 1, 4, 20000000);
    add_drain(p, &d);
    run_to(p, LEAT_OK, NULL);
    assert_int_equal(d.count, 403);
    assert_int_equal(d.out_of_order, 0);
    assert_int_equal(w.most_batch, 4);
    assert_int_equal(leat_pipeline_get_stage(p, 1, &s), LEAT_OK);
    assert_int_equal(s.items_in, 403);
    assert_in_range(s.calls, 101, 150); /* nearly all are full: the source is fast, and the first item waits 20 ms */
    leat_pipeline_close(p);
    leat_pool_unref(pool);
}

static void failure_names_stage_and_frame_and_keeps_what_was_before(void **state) {
    (void)state;
    for (int replicas = 1; replicas <= 3; replicas += 2) {
        leat_pipeline *p = open_with(NULL);
        leat_pool *pool = make_pool(16);
        feed f = {.count = -1};
        worker w = WORKER(.fail_at = 57, .jitter_ns = replicas > 1 ? 100000 : 0), after = WORKER();
        drain d = DRAIN();
        leat_error error = {0};
        add_feed(p, &f, pool, NULL);
        add_worker(p, "picky", &w, replicas);
        add_worker(p, "after", &after, 1);
        add_drain(p, &d);
        run_to(p, LEAT_EFORMAT, &error);
        assert_string_equal(error.message, "stage 'picky' at frame 57: value 57 is bad");
        assert_int_equal(error.status, LEAT_EFORMAT);
        assert_int_equal(d.count, 57); /* 0..56, nothing behind the gap */
        assert_int_equal(d.last, 56);
        assert_int_equal(d.flushed, 1);
        assert_int_equal(d.closed, 1);
        assert_int_equal(w.flushed, 0);
        assert_int_equal(after.flushed, 1);
        assert_int_equal(w.closed, replicas);
        assert_int_equal(leat_pipeline_wait(p, -1, NULL), LEAT_EFORMAT);
        leat_pipeline_close(p);
        assert_int_equal(leat_pool_idle(pool), 16);
        leat_pool_unref(pool);
    }
}

static void sink_may_end_the_run(void **state) {
    (void)state;
    leat_pipeline *p = open_with(NULL);
    leat_pool *pool = make_pool(16);
    feed f = {.count = -1};
    worker w = WORKER();
    drain d = DRAIN(.end_at = 99);
    leat_pipeline_stats s;
    add_feed(p, &f, pool, NULL);
    add_worker(p, "w", &w, 2);
    add_drain(p, &d);
    run_to(p, LEAT_OK, NULL);
    assert_int_equal(d.count, 100);
    assert_int_equal(leat_pipeline_get_stats(p, &s), LEAT_OK);
    assert_int_equal(s.done, 100);
    assert_int_equal(s.sources, s.done + s.discarded);
    leat_pipeline_close(p);
    assert_int_equal(leat_pool_idle(pool), 16);
    leat_pool_unref(pool);
}

static void middle_stage_may_end_the_run(void **state) {
    (void)state;
    for (int replicas = 1; replicas <= 4; replicas += 3) {
        leat_pipeline *p = open_with(NULL);
        leat_pool *pool = make_pool(16);
        feed f = {.count = -1};
        worker w = WORKER(.end_at = 40, .jitter_ns = 50000);
        drain d = DRAIN();
        add_feed(p, &f, pool, NULL);
        add_worker(p, "w", &w, replicas);
        add_drain(p, &d);
        run_to(p, LEAT_OK, NULL);
        assert_int_equal(d.count, 41);
        assert_int_equal(d.out_of_order, 0);
        assert_int_equal(w.flushed, replicas);
        leat_pipeline_close(p);
        assert_int_equal(leat_pool_idle(pool), 16);
        leat_pool_unref(pool);
    }
}

static void finish_drains_and_cancel_discards(void **state) {
    (void)state;
    for (int cancel = 0; cancel <= 1; cancel++) {
        leat_pipeline *p = open_with(NULL);
        leat_pool *pool = make_pool(6);
        feed f = {.count = -1};
        worker w = WORKER(.sleep_ns = 2000000);
        drain d = DRAIN();
        leat_error error = {0};
        leat_pipeline_stats s;
        add_feed(p, &f, pool, NULL);
        add_worker(p, "slow", &w, 1);
        add_drain(p, &d);
        assert_int_equal(leat_pipeline_start(p, NULL), LEAT_OK);
        assert_int_equal(leat_pipeline_wait(p, 30000000, NULL), LEAT_EAGAIN);
        if (cancel) leat_pipeline_cancel(p);
        else leat_pipeline_finish(p);
        assert_int_equal(leat_pipeline_wait(p, -1, &error), cancel ? LEAT_ECANCELLED : LEAT_OK);
        assert_int_equal(d.flushed, !cancel);
        assert_int_equal(d.closed, 1);
        check_accounts(p);
        assert_int_equal(leat_pipeline_get_stats(p, &s), LEAT_OK);
        if (!cancel) assert_int_equal(s.done, s.sources);
        assert_true(d.count > 0);
        leat_pipeline_close(p);
        assert_int_equal(leat_pool_idle(pool), 6);
        leat_pool_unref(pool);
    }
}

typedef struct quitter {
    leat_pipeline *pipeline;
    leat_pool     *pool;
    int            frame;
} quitter;

static int end_before_emit(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    quitter *q = user;
    leat_item *item;
    (void)items, (void)n, (void)error;
    assert_int_equal(leat_stage_get(stage, &item), LEAT_OK);
    *(payload *)item->data = (payload){.value = q->frame};
    if (q->frame++ == 5) leat_pipeline_finish(q->pipeline);
    return leat_stage_emit(stage, item);
}

static void frame_that_meets_the_end_is_accounted_for(void **state) {
    (void)state;
    leat_pipeline *p = open_with(NULL);
    leat_pool *pool = make_pool(4);
    quitter q = {.pipeline = p, .pool = pool};
    drain d = DRAIN();
    leat_stage_options o;
    leat_pipeline_stats s;
    leat_stage_options_default(&o);
    o.name = "source";
    o.process = end_before_emit;
    o.user = &q;
    o.output.pool = pool;
    assert_int_equal(leat_pipeline_add(p, &o, NULL), LEAT_OK);
    add_drain(p, &d);
    run_to(p, LEAT_OK, NULL);
    assert_int_equal(leat_pipeline_get_stats(p, &s), LEAT_OK);
    assert_int_equal(s.sources, 6);
    assert_int_equal(s.done, 6);
    assert_int_equal(d.count, 6);
    leat_pipeline_close(p);
    leat_pool_unref(pool);
}

static int refuse(leat_stage *stage, void *user, leat_error *error) {
    (void)stage, (void)user;
    snprintf(error->message, sizeof error->message, "no such device");
    return LEAT_EIO;
}

static void open_failure_closes_what_was_opened(void **state) {
    (void)state;
    leat_pipeline *p = open_with(NULL);
    leat_pool *pool = make_pool(6);
    feed f = {.count = 5};
    worker w = WORKER();
    leat_stage_options o;
    leat_error error = {0};
    add_feed(p, &f, pool, NULL);
    add_worker(p, "w", &w, 2);
    leat_stage_options_default(&o);
    o.name = "camera";
    o.process = worker_process;
    o.open = refuse;
    assert_int_equal(leat_pipeline_add(p, &o, NULL), LEAT_OK);
    assert_int_equal(leat_pipeline_start(p, &error), LEAT_EIO);
    assert_string_equal(error.message, "stage 'camera': no such device");
    assert_int_equal(w.opened, 2);
    assert_int_equal(w.closed, 2);
    assert_int_equal(leat_pipeline_wait(p, -1, NULL), LEAT_ESTATE);
    leat_pipeline_close(p);
    leat_pool_unref(pool);
}

/* ---- live ----------------------------------------------------------------------------------------------------------------- */

static void live_overload_drops_the_oldest_and_counts(void **state) {
    (void)state;
    leat_pipeline_options options;
    leat_pipeline_options_default(&options, 1);
    leat_pipeline *p = open_with(&options);
    leat_pool *pool = make_pool(16);
    feed f = {.count = 200, .period_ns = 2000000};
    worker a = WORKER(.sleep_ns = 1000000), b = WORKER(.sleep_ns = 6000000);
    drain d = DRAIN();
    leat_pipeline_stats s;
    add_feed(p, &f, pool, NULL);
    add_worker(p, "a", &a, 1);
    add_worker(p, "b", &b, 1);
    add_drain(p, &d);
    run_to(p, LEAT_OK, NULL);
    assert_int_equal(leat_pipeline_get_stats(p, &s), LEAT_OK);
    assert_int_equal(s.sources, 200);
    assert_int_equal(s.done + s.dropped, 200);
    assert_int_equal(s.done, d.count);
    assert_true(s.dropped > 50);
    assert_int_equal(d.out_of_order + d.repeats, 0);
    assert_int_equal(d.last, 199); /* the newest frame is never the one that goes */
    leat_pipeline_close(p);
    leat_pool_unref(pool);
}

static void drop_newest_keeps_what_waits(void **state) {
    (void)state;
    leat_pipeline *p = open_with(NULL);
    leat_pool *pool = make_pool(16);
    leat_link_options link = {.capacity = 3, .policy = LEAT_POLICY_DROP_NEWEST};
    feed f = {.count = 1000};
    worker w = WORKER(.sleep_ns = 500000);
    drain d = DRAIN();
    leat_link_stats l;
    add_feed(p, &f, pool, &link);
    add_worker(p, "w", &w, 1);
    add_drain(p, &d);
    run_to(p, LEAT_OK, NULL);
    assert_int_equal(leat_pipeline_get_link(p, 0, &l), LEAT_OK);
    assert_true(l.dropped > 0);
    assert_int_equal(d.count + (int64_t)l.dropped, 1000);
    assert_true(d.sum < d.count * 999); /* the first ones are among them */
    assert_string_equal(leat_policy_name(l.policy), "drop-newest");
    leat_pipeline_close(p);
    leat_pool_unref(pool);
}

static void throttle_skips_every_other_and_holds_the_rate(void **state) {
    (void)state;
    leat_pipeline_options options;
    leat_pipeline_options_default(&options, 0);
    options.every_nth = 2;
    options.max_fps = 500;
    leat_pipeline *p = open_with(&options);
    leat_pool *pool = make_pool(8);
    feed f = {.count = 100};
    drain d = DRAIN();
    leat_pipeline_stats s;
    add_feed(p, &f, pool, NULL);
    add_drain(p, &d);
    int64_t from = leat__now_ns();
    run_to(p, LEAT_OK, NULL);
    assert_true(leat__now_ns() - from >= 49 * INT64_C(2000000)); /* 50 frames, 2 ms apart at least */
    assert_int_equal(d.count, 50);
    assert_int_equal(d.sum, 50 * 49); /* 0, 2, 4, ... 98 */
    assert_int_equal(leat_pipeline_get_stats(p, &s), LEAT_OK);
    assert_int_equal(s.skipped, 50);
    leat_pipeline_close(p);
    leat_pool_unref(pool);
}

/* ---- push and pull -------------------------------------------------------------------------------------------------------- */

static leat_pipeline *open_pushed(worker *w, int replicas) {
    leat_pipeline_options options;
    leat_pipeline_options_default(&options, 0);
    options.push = options.pull = 1;
    options.in_flight = 10; /* what the program may send before it has to get */
    leat_pipeline *p = open_with(&options);
    add_worker(p, "w", w, replicas);
    assert_int_equal(leat_pipeline_start(p, NULL), LEAT_OK);
    return p;
}

static int64_t take_ready(leat_pipeline *p, int64_t expected, int64_t timeout_ns) {
    leat_item *item;
    int status;
    while ((status = leat_pipeline_get(p, &item, timeout_ns)) == LEAT_OK) {
        assert_int_equal(((payload *)item->data)->value, expected);
        expected++;
        leat_item_unref(item);
    }
    assert_int_equal(status, timeout_ns == 0 ? LEAT_EAGAIN : LEAT_EEND);
    return expected;
}

static void send_and_get_keep_order_and_say_again(void **state) {
    (void)state;
    worker w = WORKER(.jitter_ns = 100000);
    leat_pipeline *p = open_pushed(&w, 2);
    leat_pool *pool = make_pool(64);
    leat_item *item;
    int64_t got = 0, full = 0;
    assert_int_equal(leat_pipeline_get(p, &item, 0), LEAT_EAGAIN);
    for (int64_t i = 0; i < 300; i++) {
        assert_int_equal(leat_pool_get(pool, -1, &item), LEAT_OK);
        ((payload *)item->data)->value = i;
        while (leat_pipeline_send(p, item, 0) == LEAT_EAGAIN) {
            full++;
            got = take_ready(p, got, 0);
            usleep(100);
        }
    }
    leat_pipeline_finish(p);
    assert_int_equal(take_ready(p, got, -1), 300);
    assert_true(full > 0);
    assert_int_equal(leat_pipeline_wait(p, -1, NULL), LEAT_OK);
    assert_int_equal(leat_pool_get(pool, -1, &item), LEAT_OK);
    assert_int_equal(leat_pipeline_send(p, item, 0), LEAT_EEND); /* the reference stays */
    leat_item_unref(item);
    check_accounts(p);
    leat_pipeline_close(p);
    assert_int_equal(leat_pool_idle(pool), 64);
    leat_pool_unref(pool);
}

static void get_tells_why_it_ended(void **state) {
    (void)state;
    worker w = WORKER(.fail_at = 3);
    leat_pipeline *p = open_pushed(&w, 1);
    leat_pool *pool = make_pool(8);
    leat_item *item;
    leat_error error = {0};
    int status = LEAT_OK;
    for (int64_t i = 0; i < 6 && status == LEAT_OK; i++) {
        assert_int_equal(leat_pool_get(pool, -1, &item), LEAT_OK);
        ((payload *)item->data)->value = i;
        status = leat_pipeline_send(p, item, -1);
        if (status != LEAT_OK) leat_item_unref(item);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(leat_pipeline_get(p, &item, -1), LEAT_OK);
        leat_item_unref(item);
    }
    assert_int_equal(leat_pipeline_get(p, &item, -1), LEAT_EFORMAT);
    assert_int_equal(leat_pipeline_wait(p, -1, &error), LEAT_EFORMAT);
    assert_non_null(strstr(error.message, "stage 'w' at frame 3"));
    leat_pipeline_close(p);
    assert_int_equal(leat_pool_idle(pool), 8);
    leat_pool_unref(pool);
}

static void closing_with_items_at_both_ends(void **state) {
    (void)state;
    worker w = WORKER();
    leat_pipeline *p = open_pushed(&w, 1);
    leat_pool *pool = make_pool(64);
    leat_item *item, *kept = NULL;
    for (int i = 0; i < 60; i++) {
        if (leat_pool_get(pool, 0, &item) != LEAT_OK) break;
        if (leat_pipeline_send(p, item, 1000000) != LEAT_OK) leat_item_unref(item);
    }
    assert_int_equal(leat_pipeline_get(p, &kept, -1), LEAT_OK);
    leat_pipeline_close(p);
    assert_int_equal(leat_pool_idle(pool), 63);
    leat_pool_unref(pool); /* the item survives its pool */
    ((payload *)kept->data)->value = 7;
    leat_item_unref(kept);
}

/* ---- what it costs -------------------------------------------------------------------------------------------------------- */

static void nothing_is_allocated_after_the_warm_up(void **state) {
    (void)state;
    leat_pipeline_options options;
    leat_pipeline_options_default(&options, 0);
    options.warmup = 50;
    options.trace_events = 256;
    leat_pipeline *p = open_with(&options);
    leat_pool *pool = make_pool(16);
    feed f = {.count = 20050};
    worker w = WORKER();
    drain d = DRAIN();
    leat_pipeline_stats s;
    leat_stage_stats st;
    add_feed(p, &f, pool, NULL);
    add_worker(p, "w", &w, 2);
    add_drain(p, &d);
    run_to(p, LEAT_OK, NULL);
    assert_int_equal(leat_pipeline_get_stats(p, &s), LEAT_OK);
    assert_int_equal(s.hot_allocations, 0);
    assert_int_equal(s.allocations, 0);
    assert_int_equal(s.measured, 20000);
    assert_true(s.latency.n <= 20000 && s.latency.n > 19900); /* those let in before the last warm-up frame was out do not count */
    assert_true(s.latency.p50_ms <= s.latency.p95_ms && s.latency.p95_ms <= s.latency.p999_ms && s.latency.p999_ms <= s.latency.max_ms);
    assert_true(s.fps > 0);
    assert_int_equal(leat_pipeline_get_stage(p, 1, &st), LEAT_OK);
    assert_int_equal(st.allocations, 0);
    assert_true(st.run.n > 19900);
    leat_pipeline_close(p);
    leat_pool_unref(pool);
}

static int allocate_once(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    (void)stage, (void)user, (void)error, (void)n;
    if (((payload *)items[0]->data)->value == 30) leat__free(leat__alloc(10, LEAT_MEMORY_OTHER));
    return LEAT_OK;
}

static void guard_sees_a_stage_that_allocates(void **state) {
    (void)state;
    for (unsigned flags = 0; flags <= LEAT_STAGE_ALLOCATES; flags++) {
        leat_pipeline *p = open_with(NULL);
        leat_pool *pool = make_pool(8);
        feed f = {.count = 60};
        leat_stage_options o;
        leat_pipeline_stats s;
        leat_stage_stats st;
        add_feed(p, &f, pool, NULL);
        leat_stage_options_default(&o);
        o.name = "careless";
        o.process = allocate_once;
        o.flags = flags;
        assert_int_equal(leat_pipeline_add(p, &o, NULL), LEAT_OK);
        run_to(p, LEAT_OK, NULL);
        assert_int_equal(leat_pipeline_get_stats(p, &s), LEAT_OK);
        assert_int_equal(leat_pipeline_get_stage(p, 1, &st), LEAT_OK);
        assert_int_equal(s.hot_allocations, flags ? 0 : 1);
        assert_int_equal(st.allocations, 1);
        leat_pipeline_close(p);
        leat_pool_unref(pool);
    }
}

static _Atomic int reports;
static void count_report(void *user, leat_pipeline *pipeline, const leat_window *window) {
    (void)user;
    leat_pipeline_stats all;
    leat_stage_stats stage;
    leat_link_stats link;
    assert_int_equal(leat_pipeline_get_stats(pipeline, &all), LEAT_OK);
    for (int i = 0; i < all.stages; i++) assert_int_equal(leat_pipeline_get_stage(pipeline, i, &stage), LEAT_OK);
    for (int i = 0; i < all.links; i++) assert_int_equal(leat_pipeline_get_link(pipeline, i, &link), LEAT_OK);
    assert_int_equal(leat_pipeline_get_stage(pipeline, all.stages, &stage), LEAT_EINVAL);
    assert_int_equal(leat_pipeline_get_link(pipeline, all.links, &link), LEAT_EINVAL);
    assert_true(window->frames <= 10);
    assert_true(window->latency_avg_ms <= window->latency_max_ms);
    reports++;
}

static void window_and_trace_are_written(void **state) {
    (void)state;
    char path[] = "/tmp/leat_trace_XXXXXX", text[256] = {0};
    leat_pipeline_options options;
    leat_pipeline_options_default(&options, 0);
    options.window = 10;
    options.report = count_report;
    options.report_ns = 10000000;
    options.trace_events = 64;
    leat_pipeline *p = open_with(&options);
    leat_pool *pool = make_pool(8);
    feed f = {.count = 100};
    worker w = WORKER(.sleep_ns = 1000000);
    drain d = DRAIN();
    leat_window window;
    add_feed(p, &f, pool, NULL);
    add_worker(p, "naps \"1 ms\"", &w, 1);
    add_drain(p, &d);
    reports = 0;
    assert_int_equal(leat_pipeline_write_trace(p, path, NULL), LEAT_ESTATE);
    run_to(p, LEAT_OK, NULL);
    assert_true(reports >= 3);
    assert_int_equal(leat_pipeline_get_window(p, &window), LEAT_OK);
    assert_int_equal(window.frames, 10);
    assert_int_equal(window.done, 100);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(leat_pipeline_write_trace(p, path, NULL), LEAT_OK);
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(text, sizeof text, file));
    assert_non_null(strstr(text, "\"events_forgotten\":"));
    fclose(file);
    remove(path);
    assert_int_equal(leat_pipeline_write_trace(p, "/nonexistent/folder/trace.json", NULL), LEAT_EIO);
    leat_pipeline_close(p);
    leat_pool_unref(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_arrives_in_order),
        cmocka_unit_test(replicas_with_uneven_times_keep_the_order),
        cmocka_unit_test(filtering_stage_ends_frames_quietly),
        cmocka_unit_test(batches_gather_up_to_b),
        cmocka_unit_test(failure_names_stage_and_frame_and_keeps_what_was_before),
        cmocka_unit_test(sink_may_end_the_run),
        cmocka_unit_test(middle_stage_may_end_the_run),
        cmocka_unit_test(finish_drains_and_cancel_discards),
        cmocka_unit_test(frame_that_meets_the_end_is_accounted_for),
        cmocka_unit_test(open_failure_closes_what_was_opened),
        cmocka_unit_test(live_overload_drops_the_oldest_and_counts),
        cmocka_unit_test(drop_newest_keeps_what_waits),
        cmocka_unit_test(throttle_skips_every_other_and_holds_the_rate),
        cmocka_unit_test(send_and_get_keep_order_and_say_again),
        cmocka_unit_test(get_tells_why_it_ended),
        cmocka_unit_test(closing_with_items_at_both_ends),
        cmocka_unit_test(nothing_is_allocated_after_the_warm_up),
        cmocka_unit_test(guard_sees_a_stage_that_allocates),
        cmocka_unit_test(window_and_trace_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
