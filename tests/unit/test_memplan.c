/* test_memplan.c - the memory planner: blocks that live together never overlap, and plans stay near the lower bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/rng.h"
#include "graph/memplan.h"
#include "leat/common.h"

enum { MOST = 300 };

static void fill_random(leat_memreq *requests, int n, uint64_t seed) {
    for (int i = 0; i < n; i++) {
        int first = (int)(leat__rng_u64(seed, 1, (uint64_t)i) % 200);
        int life = (int)(leat__rng_u64(seed, 2, (uint64_t)i) % 12);
        requests[i] = (leat_memreq){.bytes = (size_t)(leat__rng_u64(seed, 3, (uint64_t)i) % 100000), .first = first, .last = first + life};
    }
}

static void check_disjoint(const leat_memreq *requests, int n, size_t total) {
    for (int i = 0; i < n; i++) {
        const leat_memreq *a = &requests[i];
        assert_int_equal(a->offset % LEAT_ALIGN, 0);
        assert_true(a->offset + a->bytes + LEAT_TAIL_BYTES <= total);
        for (int j = 0; j < i; j++) {
            const leat_memreq *b = &requests[j];
            if (a->first > b->last || b->first > a->last) continue;
            assert_true(a->offset + a->bytes + LEAT_TAIL_BYTES <= b->offset || b->offset + b->bytes + LEAT_TAIL_BYTES <= a->offset);
        }
    }
}

static void random_plans_are_disjoint_and_tight(void **state) {
    leat_memreq requests[MOST];
    double      worst = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        int    n = 1 + (int)(leat__rng_u64(seed, 0, 0) % MOST);
        size_t total;
        fill_random(requests, n, seed);
        assert_int_equal(leat__memplan(requests, n, &total), LEAT_OK);
        check_disjoint(requests, n, total);
        size_t least = leat__memplan_lower_bound(requests, n);
        assert_true(total >= least);
        double ratio = least ? (double)total / (double)least : 1;
        if (ratio > worst) worst = ratio;
    }
    print_message("worst plan / lower bound: %.3f\n", worst);
    assert_true(worst < 1.35);
}

static void a_chain_needs_two_blocks(void **state) {
    leat_memreq requests[50];
    size_t      total;
    for (int i = 0; i < 50; i++) requests[i] = (leat_memreq){.bytes = 6400, .first = i, .last = i + 1};
    assert_int_equal(leat__memplan(requests, 50, &total), LEAT_OK);
    assert_int_equal(total, 2 * (6400 + LEAT_TAIL_BYTES));
}

static void hostile_sizes_are_refused(void **state) {
    leat_memreq requests[2] = {{.bytes = SIZE_MAX - 8, .first = 0, .last = 1}, {.bytes = SIZE_MAX / 3, .first = 0, .last = 1}};
    size_t      total;
    assert_int_equal(leat__memplan(requests, 2, &total), LEAT_ELIMIT);
    assert_int_equal(leat__memplan(NULL, 0, &total), LEAT_OK);
    assert_int_equal(total, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_plans_are_disjoint_and_tight),
        cmocka_unit_test(a_chain_needs_two_blocks),
        cmocka_unit_test(hostile_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
