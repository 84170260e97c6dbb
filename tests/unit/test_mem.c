/* test_mem.c - alignment, tail, counters, hot phases, injected failures; concurrent use. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"

static void blocks_are_aligned_with_a_zero_tail(void **state) {
    (void)state;
    static const char zero[LEAT_TAIL_BYTES];
    const size_t sizes[] = {0, 1, 63, 64, 65, 4095, 100000, (size_t)5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *block = leat__alloc(sizes[i], LEAT_MEMORY_IO);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % LEAT_ALIGN, 0);
        assert_int_equal(leat__alloc_size(block), sizes[i]);
        memset(block, 0xa5, sizes[i]);
        assert_memory_equal(block + sizes[i], zero, sizeof zero);
        leat__free(block);
    }
    leat__free(NULL);
    assert_int_equal(leat__alloc_size(NULL), 0);
}

static void overflowing_requests_fail(void **state) {
    (void)state;
    assert_null(leat__alloc(SIZE_MAX, LEAT_MEMORY_IO));
    assert_null(leat__alloc(SIZE_MAX - 150, LEAT_MEMORY_IO));
    assert_null(leat__calloc(SIZE_MAX / 2 + 1, 2, LEAT_MEMORY_IO));
    assert_null(leat__calloc((size_t)1 << 33, (size_t)1 << 33, LEAT_MEMORY_IO));
}

static void counters_follow_the_tag(void **state) {
    (void)state;
    leat_memory_stats before, during, after;
    leat_memory_get(&before);
    char *block = leat__alloc(1000, LEAT_MEMORY_WEIGHTS);
    block = leat__realloc(block, 3000, LEAT_MEMORY_IO); /* keeps the tag */
    leat_memory_get(&during);
    assert_int_equal(during.live_bytes[LEAT_MEMORY_WEIGHTS] - before.live_bytes[LEAT_MEMORY_WEIGHTS], 3000);
    assert_int_equal(during.live_bytes[LEAT_MEMORY_IO], before.live_bytes[LEAT_MEMORY_IO]);
    assert_true(during.peak_bytes >= 3000);
    assert_int_equal(during.allocations - before.allocations, 2);
    leat__free(block);
    leat_memory_get(&after);
    assert_int_equal(after.live_bytes[LEAT_MEMORY_WEIGHTS], before.live_bytes[LEAT_MEMORY_WEIGHTS]);
    assert_string_equal(leat_memory_tag_name(LEAT_MEMORY_WEIGHTS), "weights");
    assert_null(leat_memory_tag_name(LEAT_MEMORY_TAGS));
}

static void realloc_keeps_content_or_the_old_block(void **state) {
    (void)state;
    char *block = leat__realloc(NULL, 6, LEAT_MEMORY_OTHER);
    memcpy(block, "hello", 6);
    block = leat__realloc(block, 5000, LEAT_MEMORY_OTHER);
    assert_string_equal(block, "hello");
    leat__alloc_fail_at(1, 0);
    assert_null(leat__realloc(block, 9000, LEAT_MEMORY_OTHER));
    assert_string_equal(block, "hello");
    block = leat__realloc(block, 3, LEAT_MEMORY_OTHER);
    assert_memory_equal(block, "hel", 3);
    leat__free(block);
}

static void hot_phases_count_what_they_should_not_do(void **state) {
    (void)state;
    uint64_t hot = leat__thread_hot_allocations(), all = leat__thread_allocations();
    leat__free(leat__alloc(1, LEAT_MEMORY_OTHER));
    leat__hot_enter();
    leat__hot_enter();
    leat__hot_leave();
    leat__free(leat__alloc(1, LEAT_MEMORY_OTHER));
    leat__hot_leave();
    leat__free(leat__alloc(1, LEAT_MEMORY_OTHER));
    assert_int_equal(leat__thread_hot_allocations() - hot, 1);
    assert_int_equal(leat__thread_allocations() - all, 3);
}

static void the_chosen_allocation_fails(void **state) {
    (void)state;
    for (int forever = 0; forever < 2; forever++) {
        leat__alloc_fail_at(3, forever);
        for (int i = 1; i <= 5; i++) {
            void *block = leat__alloc(8, LEAT_MEMORY_OTHER);
            assert_int_equal(block == NULL, i == 3 || (forever && i > 3));
            leat__free(block);
        }
        leat__alloc_fail_at(0, 0);
    }
    assert_null(leat__strdup(NULL, LEAT_MEMORY_OTHER));
    char *copy = leat__strdup("text", LEAT_MEMORY_OTHER);
    assert_string_equal(copy, "text");
    leat__free(copy);
}

static void *allocate_often(void *arg) {
    (void)arg;
    for (int i = 0; i < 2000; i++) leat__free(leat__alloc((size_t)i, LEAT_MEMORY_PLAN));
    return NULL;
}

static void threads_leave_no_trace(void **state) {
    (void)state;
    pthread_t ids[4];
    leat_memory_stats before, after;
    leat_memory_get(&before);
    for (int i = 0; i < 4; i++) assert_int_equal(pthread_create(&ids[i], NULL, allocate_often, NULL), 0);
    for (int i = 0; i < 4; i++) pthread_join(ids[i], NULL);
    leat_memory_get(&after);
    assert_int_equal(after.live_bytes[LEAT_MEMORY_PLAN], before.live_bytes[LEAT_MEMORY_PLAN]);
    assert_int_equal(after.allocations - before.allocations, 8000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_with_a_zero_tail),   cmocka_unit_test(overflowing_requests_fail),
        cmocka_unit_test(counters_follow_the_tag),               cmocka_unit_test(realloc_keeps_content_or_the_old_block),
        cmocka_unit_test(hot_phases_count_what_they_should_not_do), cmocka_unit_test(the_chosen_allocation_fails),
        cmocka_unit_test(threads_leave_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
