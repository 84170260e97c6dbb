/* test_pipeline_parts.c - histogram against exact percentiles, throttle on made-up clocks, gate arithmetic, pools and their life. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/stats.h"
#include "pipeline/gate.h"
#include "pipeline/histogram.h"
#include "pipeline/item_pool.h"
#include "pipeline/throttle.h"

#define MS INT64_C(1000000)

/* ---- histogram ------------------------------------------------------------------------------------------------------------ */

static uint64_t noise = 88172645463325252u;
static uint64_t next_noise(void) {
    noise ^= noise << 13;
    noise ^= noise >> 7;
    return noise ^= noise << 17;
}

static void close_to(double got, double want, double relative) {
    if (fabs(got - want) > relative * want + 1e-9) fail_msg("%g instead of %g", got, want);
}

static void percentiles_are_within_a_bucket(void **state) {
    (void)state;
    enum { N = 20000 };
    leat__histogram *h = calloc(1, sizeof *h);
    double *values = calloc(N, sizeof *values);
    leat_timing t;
    leat_summary s;
    for (int i = 0; i < N; i++) {
        int64_t ns = (int64_t)(next_noise() >> (24 + next_noise() % 20)); /* up to 2^40, over many magnitudes */
        leat__histogram_add(h, ns);
        values[i] = (double)ns / 1e6;
    }
    leat__histogram_timing(h, &t);
    leat__summarise(values, N, &s);
    assert_int_equal(t.n, N);
    close_to(t.mean_ms, s.mean, 1e-9);
    close_to(t.sd_ms, s.sd, 1e-6);
    close_to(t.min_ms, s.min, 1e-12);
    close_to(t.max_ms, s.max, 1e-12);
    close_to(t.p50_ms, s.p50, 0.035);
    close_to(t.p95_ms, s.p95, 0.035);
    close_to(t.p99_ms, s.p99, 0.035);
    close_to(t.p999_ms, s.p999, 0.035);
    free(h);
    free(values);
}

static void extremes_fall_into_the_end_buckets(void **state) {
    (void)state;
    const int64_t values[] = {-5, 0, 1, 31, 32, 33, 63, 64, 65, INT64_C(1) << 44, (INT64_C(1) << 45) - 1, INT64_C(1) << 45, INT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        leat__histogram *h = calloc(1, sizeof *h);
        leat_timing t;
        leat__histogram_add(h, values[i]);
        leat__histogram_timing(h, &t);
        double ms = values[i] < 0 ? 0 : (double)values[i] / 1e6;
        close_to(t.p50_ms, ms, 1e-12); /* a single value: clamped to [min, max] */
        close_to(t.p999_ms, ms, 1e-12);
        assert_true(t.sd_ms == 0);
        free(h);
    }
    leat__histogram *none = calloc(1, sizeof *none);
    leat_timing t;
    leat__histogram_timing(none, &t);
    assert_true(t.n == 0 && t.mean_ms == 0 && t.p99_ms == 0);
    free(none);
}

static void replicas_add_up(void **state) {
    (void)state;
    leat__histogram *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b), *both = calloc(1, sizeof *both);
    leat__tally *tally = calloc(1, sizeof *tally);
    leat_timing sum, whole;
    for (int i = 0; i < 1000; i++) {
        int64_t ns = (int64_t)(next_noise() % (50 * MS));
        leat__histogram_add(i % 3 ? a : b, ns);
        leat__histogram_add(both, ns);
    }
    leat__tally_add(tally, a);
    leat__tally_add(tally, b);
    leat__tally_timing(tally, &sum);
    leat__histogram_timing(both, &whole);
    assert_int_equal(sum.n, whole.n);
    close_to(sum.mean_ms, whole.mean_ms, 1e-9);
    close_to(sum.p95_ms, whole.p95_ms, 1e-9);
    close_to(sum.min_ms, whole.min_ms, 1e-9);
    free(a);
    free(b);
    free(both);
    free(tally);
}

/* ---- throttle ------------------------------------------------------------------------------------------------------------- */

/* Offers frames every `period` for a second; how many pass. */
static int offer(leat__throttle *t, int64_t period, int64_t jitter) {
    int passed = 0;
    int64_t until;
    for (int64_t at = 1; at < 1000 * MS; at += period) {
        int64_t now = at + (int64_t)(next_noise() % (uint64_t)(2 * jitter + 1)) - jitter;
        if (leat__throttle_ask(t, now, &until) != LEAT__PASS) continue;
        leat__throttle_passed(t, now);
        passed++;
    }
    return passed;
}

static void rates_are_met(void **state) {
    (void)state;
    const struct {
        double max_fps;
        int every_nth;
        int64_t period, jitter;
        int least, most;
    } cases[] = {
        {0, 0, 10 * MS, 0, 100, 100}, {0, 3, 10 * MS, 0, 33, 34},       {20, 0, 10 * MS, 0, 20, 22},
        {20, 0, 33 * MS, 0, 20, 22},  {30, 0, 33333333, 2 * MS, 29, 31}, {30, 2, 10 * MS, 0, 29, 31},
        {1000, 0, 10 * MS, 0, 100, 100},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat__throttle t;
        leat__throttle_init(&t, 1, cases[i].max_fps, cases[i].every_nth, 0);
        assert_in_range(offer(&t, cases[i].period, cases[i].jitter), cases[i].least, cases[i].most);
    }
}

static void file_is_held_back_not_skipped(void **state) {
    (void)state;
    leat__throttle t;
    int64_t until = 0, now = 100;
    leat__throttle_init(&t, 0, 100, 0, 0);
    for (int i = 0; i < 50; i++) {
        leat__admission admission = leat__throttle_ask(&t, now, &until);
        assert_int_not_equal(admission, LEAT__SKIP);
        if (admission == LEAT__WAIT) now = until;
        assert_int_equal(leat__throttle_ask(&t, now, &until), LEAT__PASS);
        leat__throttle_passed(&t, now);
    }
    assert_int_equal(now, 100 + 49 * 10 * MS);
    now += 500 * MS; /* a pause is no reason for a burst */
    assert_int_equal(leat__throttle_ask(&t, now, &until), LEAT__PASS);
    leat__throttle_passed(&t, now);
    assert_int_equal(leat__throttle_ask(&t, now + 1, &until), LEAT__WAIT);
    assert_int_equal(until, now + 10 * MS);
}

/* A machine whose latency grows with the rate: at most 40 frames/s stay below the target. */
static void latency_target_finds_a_rate(void **state) {
    (void)state;
    leat__throttle t;
    int64_t until, last = 0;
    int passed = 0;
    leat__throttle_init(&t, 1, 0, 0, 50 * MS);
    for (int64_t now = 1; now < 20000 * MS; now += 10 * MS) {
        if (leat__throttle_ask(&t, now, &until) != LEAT__PASS) continue;
        leat__throttle_passed(&t, now);
        leat__throttle_feedback(&t, now, now - last < 25 * MS ? 80 * MS : 40 * MS);
        last = now;
        if (now > 10000 * MS) passed++;
    }
    assert_in_range(passed, 250, 550); /* of 1000 that were offered in these ten seconds */
}

/* ---- gate ----------------------------------------------------------------------------------------------------------------- */

static void fixed_gate_counts(void **state) {
    (void)state;
    leat__gate g;
    int look;
    leat__gate_init(&g, 3, 1, 8, 0);
    assert_int_equal(leat__gate_room(&g, 2, &look), 2);
    assert_int_equal(leat__gate_pass(&g, 2), 0);
    assert_int_equal(leat__gate_room(&g, 2, &look), 1);
    leat__gate_pass(&g, 1);
    assert_int_equal(leat__gate_room(&g, 2, &look), 0);
    assert_int_equal(look, 0);
}

static int probe(leat__gate *g, int64_t sum, int64_t slowest) {
    int look;
    leat__chain_times times = {sum, slowest};
    while (leat__gate_room(g, 1, &look) == 1) {
        assert_int_equal(leat__gate_pass(g, 1), 1);
        assert_int_equal(leat__gate_room(g, 1, &look), 0); /* alone */
        g->in_flight--;
    }
    assert_int_equal(look, 1);
    leat__gate_look(g, &times);
    return g->limit;
}

static void adaptive_gate_keeps_the_slowest_stage_busy(void **state) {
    (void)state;
    const struct {
        int64_t sum, slowest, target;
        int limit;
    } cases[] = {{25, 10, 0, 3}, {10, 10, 0, 2}, {18, 6, 0, 4}, {19, 10, 0, 3}, {11, 10, 0, 2}, {1000, 10, 0, 8}, {0, 0, 0, 8},
                 {25, 10, 34, 2}, {25, 10, 35, 3}, {25, 10, 5, 1}, {0, 0, 5, 8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat__gate g;
        leat__gate_init(&g, 0, 1, 8, cases[i].target * MS);
        assert_int_equal(probe(&g, cases[i].sum * MS, cases[i].slowest * MS), cases[i].limit);
        for (int k = 0; k < 64; k++) { /* the second look comes after 64 items */
            leat__gate_pass(&g, 1);
            g.in_flight--;
        }
        assert_int_equal(g.limit, 1);
        probe(&g, cases[i].sum * MS, cases[i].slowest * MS);
        assert_true(g.limit <= cases[i].limit);
    }
}

/* ---- pools ---------------------------------------------------------------------------------------------------------------- */

typedef struct counts {
    int made, recycled, destroyed, fail_at;
} counts;

static int count_make(void *user, leat_item *item) {
    counts *c = user;
    assert_non_null(item->data);
    if (c->made == c->fail_at) return LEAT_EIO;
    c->made++;
    return LEAT_OK;
}
static void count_recycle(void *user, leat_item *item) { (void)item, ((counts *)user)->recycled++; }
static void count_destroy(void *user, leat_item *item) { (void)item, ((counts *)user)->destroyed++; }

static leat_pool_options counted(counts *c, int count) {
    leat_pool_options o;
    leat_pool_options_default(&o);
    o.count = count;
    o.item_bytes = 100;
    o.user = c;
    o.make = count_make;
    o.recycle = count_recycle;
    o.destroy = count_destroy;
    return o;
}

static uint64_t live_bytes(void) {
    leat_memory_stats m;
    leat_memory_get(&m);
    return m.live_bytes[LEAT_MEMORY_IO];
}

static void items_survive_their_pool(void **state) {
    (void)state;
    uint64_t before = live_bytes();
    counts c = {.fail_at = -1};
    leat_pool_options o = counted(&c, 3);
    leat_pool *pool;
    leat_item *a, *b, *none;
    assert_int_equal(leat_pool_new(&o, &pool), LEAT_OK);
    assert_int_equal(leat_pool_get(pool, 0, &a), LEAT_OK);
    assert_int_equal(leat_pool_get(pool, 0, &b), LEAT_OK);
    assert_int_equal(leat_pool_idle(pool), 1);
    assert_int_equal(a->index, -1);
    assert_int_equal((uintptr_t)a->data % LEAT_ALIGN, 0);
    leat_item_ref(a);
    leat_item_unref(a);
    assert_int_equal(c.recycled, 0);
    leat_pool_unref(leat_pool_ref(pool));
    leat_pool_unref(pool);
    assert_int_equal(c.destroyed, 1); /* the idle one */
    memset(a->data, 1, a->bytes);
    leat_item_unref(a);
    assert_int_equal(c.destroyed, 2);
    leat_item_unref(b);
    assert_int_equal(c.destroyed, 3);
    assert_int_equal(c.recycled, 2);
    assert_int_equal(live_bytes(), before);
    leat_item_unref(NULL);
    leat_pool_unref(NULL);
    assert_int_equal(leat_pool_get(NULL, 0, &none), LEAT_EINVAL);
}

static void *give_back(void *item) {
    leat_item_unref(item);
    return NULL;
}

static void empty_pool_says_again_and_wakes_who_waits(void **state) {
    (void)state;
    counts c = {.fail_at = -1};
    leat_pool_options o = counted(&c, 1);
    leat_pool *pool;
    leat_item *a, *b;
    pthread_t thread;
    assert_int_equal(leat_pool_new(&o, &pool), LEAT_OK);
    assert_int_equal(leat_pool_get(pool, 0, &a), LEAT_OK);
    ((char *)a->data)[0] = 7;
    assert_int_equal(leat_pool_get(pool, 0, &b), LEAT_EAGAIN);
    assert_null(b);
    assert_int_equal(leat_pool_get(pool, 2 * MS, &b), LEAT_EAGAIN);
    assert_int_equal(pthread_create(&thread, NULL, give_back, a), 0);
    assert_int_equal(leat_pool_get(pool, -1, &b), LEAT_OK);
    pthread_join(thread, NULL);
    assert_int_equal(((char *)b->data)[0], 7); /* content stays */
    leat_item_unref(b);
    leat_pool_unref(pool);
}

static void failed_pools_leave_nothing(void **state) {
    (void)state;
    uint64_t before = live_bytes();
    leat_pool *pool;
    for (int at = 0; at < 3; at++) {
        counts c = {.fail_at = at};
        leat_pool_options o = counted(&c, 3);
        assert_int_equal(leat_pool_new(&o, &pool), LEAT_EIO);
        assert_null(pool);
        assert_int_equal(c.destroyed, at);
    }
    for (uint64_t n = 1; n <= 7; n++) {
        counts c = {.fail_at = -1};
        leat_pool_options o = counted(&c, 3);
        leat__alloc_fail_at(n, 0);
        assert_int_equal(leat_pool_new(&o, &pool), LEAT_ENOMEM);
        leat__alloc_fail_at(0, 0);
        assert_int_equal(c.destroyed, c.made);
    }
    counts c = {.fail_at = -1};
    leat_pool_options o = counted(&c, 0);
    assert_int_equal(leat_pool_new(&o, &pool), LEAT_EINVAL);
    assert_int_equal(live_bytes(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_within_a_bucket),
        cmocka_unit_test(extremes_fall_into_the_end_buckets),
        cmocka_unit_test(replicas_add_up),
        cmocka_unit_test(rates_are_met),
        cmocka_unit_test(file_is_held_back_not_skipped),
        cmocka_unit_test(latency_target_finds_a_rate),
        cmocka_unit_test(fixed_gate_counts),
        cmocka_unit_test(adaptive_gate_keeps_the_slowest_stage_busy),
        cmocka_unit_test(items_survive_their_pool),
        cmocka_unit_test(empty_pool_says_again_and_wakes_who_waits),
        cmocka_unit_test(failed_pools_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
