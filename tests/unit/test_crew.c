/* test_crew.c - every index of every region once, whoever comes; workers distinct; regions in order; several crews on one pool. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crew.h"
#include "base/mem.h"

enum { MOST = 200, REGIONS = 300 };

typedef struct tally {
    leat_crew   crew;
    int         threads;
    int         hits[MOST];      /* plain: the region's end must make them visible to the leader */
    _Atomic int in_use[LEAT_MAX_THREADS];
    _Atomic int clashes, beyond;
    int         wrong, regions;
} tally;

static void count_index(void *arg, int64_t index, int worker) {
    tally *t = arg;
    if (worker < 0 || worker >= t->threads) atomic_fetch_add(&t->beyond, 1);
    else if (atomic_fetch_add(&t->in_use[worker], 1) != 0) atomic_fetch_add(&t->clashes, 1);
    t->hits[index]++;
    if (worker >= 0 && worker < t->threads) atomic_fetch_sub(&t->in_use[worker], 1);
}

static void lead(void *user) {
    tally *t = user;
    for (int region = 0; region < REGIONS; region++) {
        int64_t n = region % MOST;
        memset(t->hits, 0, sizeof t->hits);
        leat__crew_for(&t->crew, n, count_index, t);
        for (int i = 0; i < MOST; i++) t->wrong += t->hits[i] != (i < n);
        t->regions++;
    }
}

static void run(leat_tpool *pool, int threads) {
    tally *t = leat__calloc(1, sizeof *t, LEAT_MEMORY_OTHER);
    t->threads = threads;
    for (int again = 0; again < 3; again++) leat__crew_run(&t->crew, pool, threads, lead, t);
    assert_int_equal(t->wrong, 0);
    assert_int_equal(t->regions, 3 * REGIONS);
    assert_int_equal(t->clashes, 0);
    assert_int_equal(t->beyond, 0);
    leat__free(t);
}

static void every_index_once(void **state) {
    for (int threads = 1; threads <= 6; threads++) {
        leat_tpool *pool;
        assert_int_equal(leat_tpool_new(threads, &pool), LEAT_OK);
        for (int used = 1; used <= threads; used++) run(pool, used);
        leat_tpool_unref(pool);
    }
    run(NULL, 1);
}

static void *run_thread(void *pool) {
    run(pool, 3);
    return NULL;
}

static void crews_side_by_side(void **state) {
    pthread_t threads[4];
    leat_tpool *pool;
    assert_int_equal(leat_tpool_new(3, &pool), LEAT_OK);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&threads[i], NULL, run_thread, pool), 0);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    leat_tpool_unref(pool);
}

/* A task of a pool that leads a crew works alone. */
static void nested_task(void *pool, int64_t index, int worker) {
    run(pool, 1);
}

static void inside_a_region(void **state) {
    leat_tpool *pool;
    assert_int_equal(leat_tpool_new(2, &pool), LEAT_OK);
    leat__tpool_for(pool, 4, nested_task, pool);
    leat_tpool_unref(pool);
}

static void touch(void *arg, int64_t index, int worker) { ((volatile char *)arg)[64 * index] = 1; }

static void many_regions(void *user) {
    static leat_crew *crew;
    static char lines[2 * 64];
    crew = user;
    for (int i = 0; i < 20000; i++) leat__crew_for(crew, 2, touch, lines);
}

static void cost_of_a_region(void **state) {
    leat_tpool *pool;
    leat_crew  *crew = leat__calloc(1, sizeof *crew, LEAT_MEMORY_OTHER);
    assert_int_equal(leat_tpool_new(2, &pool), LEAT_OK);
    leat__crew_run(crew, pool, 0, many_regions, crew);
    int64_t start = leat__now_ns();
    leat__crew_run(crew, pool, 0, many_regions, crew);
    print_message("a region of two indices on two threads: %.0f ns\n", (double)(leat__now_ns() - start) / 20000);
    leat_tpool_unref(pool);
    leat__free(crew);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_index_once), cmocka_unit_test(crews_side_by_side), cmocka_unit_test(inside_a_region),
                                       cmocka_unit_test(cost_of_a_region)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
