/* test_tpool.c - every index once, workers distinct, nested and concurrent calls, dispatch cost. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/tpool.h"

#define MOST 1000

typedef struct tally {
    leat_tpool *pool;
    _Atomic int hits[MOST];
    _Atomic int in_use[LEAT_MAX_THREADS]; /* by worker number: two at once would be a clash */
    _Atomic int clashes, high_worker, threads_now, threads_most;
} tally;

static void note_thread(tally *t, int worker) {
    if (atomic_fetch_add(&t->in_use[worker], 1) != 0) atomic_fetch_add(&t->clashes, 1);
    int now = atomic_fetch_add(&t->threads_now, 1) + 1, most = atomic_load(&t->threads_most);
    while (now > most && !atomic_compare_exchange_weak(&t->threads_most, &most, now)) {}
    int high = atomic_load(&t->high_worker);
    while (worker > high && !atomic_compare_exchange_weak(&t->high_worker, &high, worker)) {}
}

static void unnote_thread(tally *t, int worker) {
    atomic_fetch_sub(&t->threads_now, 1);
    atomic_fetch_sub(&t->in_use[worker], 1);
}

static void count_index(void *arg, int64_t index, int worker) {
    tally *t = arg;
    note_thread(t, worker);
    atomic_fetch_add(&t->hits[index], 1);
    unnote_thread(t, worker);
}

static void check_tally(tally *t, int64_t n, int threads) {
    for (int64_t i = 0; i < MOST; i++) assert_int_equal(t->hits[i], i < n);
    assert_int_equal(t->clashes, 0);
    assert_true(t->high_worker < threads);
}

static void every_index_runs_once(void **state) {
    (void)state;
    for (int threads = 1; threads <= 5; threads++) {
        leat_tpool *pool;
        assert_int_equal(leat_tpool_new(threads, &pool), LEAT_OK);
        for (int n = 0; n < 300; n++) {
            tally *t = calloc(1, sizeof *t);
            leat__tpool_for(pool, n, count_index, t);
            check_tally(t, n, threads);
            free(t);
        }
        leat_tpool_unref(pool);
    }
}

static void limit_is_kept_and_null_pool_runs_inline(void **state) {
    (void)state;
    leat_tpool *pool;
    assert_int_equal(leat_tpool_new(4, &pool), LEAT_OK);
    for (int i = 0; i < 200; i++) {
        tally *t = calloc(1, sizeof *t);
        leat__tpool_for_n(pool, 2, MOST, count_index, t);
        check_tally(t, MOST, 2);
        assert_true(t->threads_most <= 2);
        free(t);
    }
    tally *t = calloc(1, sizeof *t);
    leat__tpool_for(NULL, MOST, count_index, t);
    check_tally(t, MOST, 1);
    free(t);
    leat_tpool_unref(pool);
}

static void run_inner(void *arg, int64_t index, int worker) {
    tally *outer = arg;
    tally *inner = calloc(1, sizeof *inner);
    leat__tpool_for(outer->pool, MOST, count_index, inner);
    if (inner->high_worker != 0 || inner->clashes) atomic_fetch_add(&outer->clashes, 1);
    for (int i = 0; i < MOST; i++)
        if (inner->hits[i] != 1) atomic_fetch_add(&outer->clashes, 1);
    free(inner);
    count_index(arg, index, worker);
}

static void nested_call_runs_inline(void **state) {
    (void)state;
    tally *t = calloc(1, sizeof *t);
    assert_int_equal(leat_tpool_new(3, &t->pool), LEAT_OK);
    leat__tpool_for(t->pool, 50, run_inner, t);
    check_tally(t, 50, 3);
    leat_tpool_unref(t->pool);
    free(t);
}

static void *call_often(void *arg) {
    leat_tpool *pool = arg;
    for (int i = 0; i < 300; i++) {
        tally *t = calloc(1, sizeof *t);
        leat__tpool_for(pool, 1 + i % 40, count_index, t);
        for (int k = 0; k < MOST; k++)
            if (t->hits[k] != (k < 1 + i % 40)) return "wrong";
        if (t->clashes) return "clash";
        free(t);
        if (i % 64 == 0) usleep(300); /* lets the workers park */
    }
    return NULL;
}

static void many_callers_share_a_pool(void **state) {
    (void)state;
    enum { CALLERS = 20 }; /* more than there are region slots */
    pthread_t ids[CALLERS];
    leat_tpool *pool;
    assert_int_equal(leat_tpool_new(3, &pool), LEAT_OK);
    for (int i = 0; i < CALLERS; i++) assert_int_equal(pthread_create(&ids[i], NULL, call_often, pool), 0);
    for (int i = 0; i < CALLERS; i++) {
        void *wrong;
        pthread_join(ids[i], &wrong);
        assert_null(wrong);
    }
    leat_tpool_unref(pool);
}

static void no_allocation_and_parked_workers_cost_nothing(void **state) {
    (void)state;
    leat_tpool *pool;
    assert_int_equal(leat_tpool_new(4, &pool), LEAT_OK);
    tally *t = calloc(1, sizeof *t);
    uint64_t before = leat__thread_allocations();
    leat__tpool_for(pool, MOST, count_index, t);
    assert_int_equal(leat__thread_allocations(), before);
    usleep(20000);
    int64_t cpu = leat__cpu_ns();
    usleep(100000);
    assert_true(leat__cpu_ns() - cpu < 20000000); /* a spinning worker would use 100 ms */
    leat_tpool_unref(pool);
    free(t);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    leat_tpool *pool = (leat_tpool *)1;
    assert_int_equal(leat_tpool_new(-1, &pool), LEAT_EINVAL);
    assert_null(pool);
    assert_int_equal(leat_tpool_new(LEAT_MAX_THREADS + 1, &pool), LEAT_EINVAL);
    assert_int_equal(leat_tpool_new(2, NULL), LEAT_EINVAL);
    leat__alloc_fail_at(1, 0);
    assert_int_equal(leat_tpool_new(2, &pool), LEAT_ENOMEM);
    leat__alloc_fail_at(0, 0);
    assert_int_equal(leat_tpool_threads(NULL), 1);
    assert_int_equal(leat_tpool_new(0, &pool), LEAT_OK);
    assert_int_equal(leat_tpool_threads(pool), leat_cpu_count());
    leat_tpool_unref(leat_tpool_ref(pool));
    leat_tpool_unref(pool);
    leat_tpool_unref(NULL);
}

static void nothing(void *arg, int64_t index, int worker) { (void)arg, (void)index, (void)worker; }

static void dispatch_cost_is_shown(void **state) {
    (void)state;
    leat_tpool *pool;
    assert_int_equal(leat_tpool_new(2, &pool), LEAT_OK);
    int64_t best = INT64_MAX;
    for (int round = 0; round < 50; round++) {
        int64_t start = leat__now_ns();
        for (int i = 0; i < 100; i++) leat__tpool_for(pool, 2, nothing, NULL);
        int64_t each = (leat__now_ns() - start) / 100;
        if (each < best) best = each;
    }
    print_message("dispatch of an empty region over 2 threads: %lld ns\n", (long long)best);
    assert_true(best < 100000); /* a system call in every dispatch of a spinning pool would show on any machine */
    leat_tpool_unref(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_runs_once),
        cmocka_unit_test(limit_is_kept_and_null_pool_runs_inline),
        cmocka_unit_test(nested_call_runs_inline),
        cmocka_unit_test(many_callers_share_a_pool),
        cmocka_unit_test(no_allocation_and_parked_workers_cost_nothing),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(dispatch_cost_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
