/* test_oom_pipeline.c - the n-th allocation of building and starting a pipeline fails, for every n; and options that make no sense. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "leat/pipeline.h"

#define MOST 2000 /* allocations; more would mean that the count never ends */

static int opened, closed;

static uint64_t live_bytes(void) {
    leat_memory_stats stats;
    uint64_t sum = 0;
    leat_memory_get(&stats);
    for (int i = 0; i < LEAT_MEMORY_TAGS; i++) sum += stats.live_bytes[i];
    return sum;
}

static int count_open(leat_stage *stage, void *user, leat_error *error) {
    (void)stage, (void)user, (void)error;
    opened++;
    return LEAT_OK;
}

static void count_close(leat_stage *stage, void *user) {
    (void)stage, (void)user;
    closed++;
}

static int five_items(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    leat_item *item;
    (void)items, (void)n, (void)error;
    if (++*(int *)user > 5) return LEAT_EEND;
    int status = leat_stage_get(stage, &item);
    return status == LEAT_OK ? leat_stage_emit(stage, item) : status;
}

static int pass_on(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    (void)user, (void)n, (void)error;
    return leat_stage_emit(stage, leat_item_ref(items[0]));
}

static int swallow(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    (void)stage, (void)user, (void)items, (void)n, (void)error;
    return LEAT_OK;
}

static int add(leat_pipeline *p, const char *name, int replicas, leat_pool *pool, void *user,
               int (*process)(leat_stage *, void *, leat_item *const *, int, leat_error *), leat_error *error) {
    leat_stage_options o;
    leat_stage_options_default(&o);
    o.name = name;
    o.replicas = replicas;
    o.output.pool = pool;
    o.user = user;
    o.open = count_open;
    o.process = process;
    o.close = count_close;
    return leat_pipeline_add(p, &o, error);
}

static int run_chain(leat_error *error) {
    leat_pipeline_options options;
    leat_pool_options pool_options;
    leat_pool *pool;
    leat_pipeline *p = NULL;
    int made = 0;
    leat_pool_options_default(&pool_options);
    leat_pipeline_options_default(&options, 0);
    options.trace_events = 8;
    int status = leat_pool_new(&pool_options, &pool);
    if (status != LEAT_OK) return status;
    status = leat_pipeline_open(&options, &p, error);
    if (status == LEAT_OK) status = add(p, "source", 1, pool, &made, five_items, error);
    if (status == LEAT_OK) status = add(p, "middle", 3, NULL, NULL, pass_on, error);
    if (status == LEAT_OK) status = add(p, "sink", 1, NULL, NULL, swallow, error);
    if (status == LEAT_OK) status = leat_pipeline_start(p, error);
    if (status == LEAT_OK) status = leat_pipeline_wait(p, -1, error);
    leat_pipeline_close(p);
    leat_pool_unref(pool);
    return status;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    uint64_t before = live_bytes();
    int status = LEAT_ENOMEM, n = 0;
    while (status != LEAT_OK && ++n < MOST) {
        leat_error error = {0};
        opened = closed = 0;
        leat__alloc_fail_at((uint64_t)n, 0);
        status = run_chain(&error);
        leat__alloc_fail_at(0, 0);
        if (status != LEAT_OK) assert_int_equal(status, LEAT_ENOMEM);
        assert_int_equal(opened, closed);
        assert_int_equal(live_bytes(), before);
    }
    assert_in_range(n, 30, MOST - 1);
}

static void refuse_stage(leat_pipeline *p, leat_stage_options o, const char *text) {
    leat_error error = {0};
    assert_int_equal(leat_pipeline_add(p, &o, &error), LEAT_EINVAL);
    if (!strstr(error.message, text)) fail_msg("'%s' does not say '%s'", error.message, text);
}

static void senseless_stages_are_refused(void **state) {
    (void)state;
    leat_pipeline *p;
    leat_stage_options good, bad;
    leat_stage_options_default(&good);
    good.name = "a";
    good.process = swallow;
    assert_int_equal(leat_pipeline_open(NULL, &p, NULL), LEAT_OK);
#define REFUSE(text, change) bad = good, change, refuse_stage(p, bad, text)
    REFUSE("_default()", bad.size = 1);
    REFUSE("name", bad.name = "");
    REFUSE("name", bad.name = "a name that is longer than thirty-one");
    REFUSE("process is NULL", bad.process = NULL);
    REFUSE("0 replicas", bad.replicas = 0);
    REFUSE("65 replicas", bad.replicas = 65);
    REFUSE("batch 257", bad.batch = 257);
    REFUSE("batch_wait_ns", bad.batch_wait_ns = -1);
    REFUSE("is the source", bad.replicas = 2);
    REFUSE("capacity", bad.output.capacity = -1);
    REFUSE("no policy 9", bad.output.policy = (leat_policy)9);
    assert_int_equal(leat_pipeline_start(p, NULL), LEAT_EINVAL); /* no stage */
    assert_int_equal(leat_pipeline_wait(p, 0, NULL), LEAT_ESTATE);
    for (int i = 0; i < LEAT_PIPELINE_MAX_STAGES; i++) assert_int_equal(leat_pipeline_add(p, &good, NULL), LEAT_OK);
    assert_int_equal(leat_pipeline_add(p, &good, NULL), LEAT_ELIMIT);
    leat_pipeline_close(p);
    leat_pipeline_close(NULL);
}

static void senseless_pipelines_are_refused(void **state) {
    (void)state;
    leat_pipeline_options good, bad;
    leat_pipeline *p;
    leat_pipeline_options_default(&good, 1);
#define REFUSE_ALL(change) bad = good, change, assert_int_equal(leat_pipeline_open(&bad, &p, NULL), LEAT_EINVAL), assert_null(p)
    REFUSE_ALL(bad.size = 0);
    REFUSE_ALL(bad.in_flight = -1);
    REFUSE_ALL(bad.in_flight = 1 << 30);
    REFUSE_ALL(bad.warmup = -1);
    REFUSE_ALL(bad.max_fps = -1);
    REFUSE_ALL(bad.max_fps = 0.0 / 0.0);
    REFUSE_ALL(bad.every_nth = -1);
    REFUSE_ALL(bad.latency_target_ns = -1);
    REFUSE_ALL(bad.window = 0);
    REFUSE_ALL(bad.trace_events = -1);
    REFUSE_ALL(bad.entry.capacity = 5000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(senseless_stages_are_refused),
        cmocka_unit_test(senseless_pipelines_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
