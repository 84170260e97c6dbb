/* test_detect_kernels.c - best class of rows and columns, and overlap, of every level against the reference: the same bits. */
#include "kernel_util.h"

#include "cpu/detect_f32.h"

static void poison(float *x, int64_t n) {
    for (int i = 0; i < 3 && n; i++) x[kt_int(0, (int)n - 1)] = kt_int(0, 1) ? NAN : kt_int(0, 1) ? INFINITY : -INFINITY;
    if (n > 1) x[n - 1] = x[0]; /* equal values: the lower index wins */
}

static void rows(void **state) {
    KT_EACH_LEVEL(level)
    for (int round = 0; round < 400; round++) {
        int64_t n = kt_int(1, 100);
        float  *x = kt_alloc(n);
        int32_t want, got;
        if (round % 3) poison(x, n);
        if (round % 50 == 1)
            for (int64_t i = 0; i < n; i++) x[i] = NAN;
        float a = leat_f32_row_max_ref(x, n, &want), b = leat__detect_f32.row_max(x, n, &got);
        if (a != b || want != got) fail_msg("%s: n %d: %g at %d, expected %g at %d", leat_isa_name(level), (int)n, (double)b, got, (double)a, want);
        kt_free(x);
    }
}

static void columns(void **state) {
    KT_EACH_LEVEL(level)
    for (int round = 0; round < 100; round++) {
        int64_t count = kt_int(1, 20), n = kt_int(1, 1200), ld = n + kt_int(0, 9);
        float  *x = kt_alloc(count * ld), *max = kt_alloc(n), *want_max = kt_alloc(n);
        int32_t *arg = malloc((size_t)n * sizeof *arg), *want_arg = malloc((size_t)n * sizeof *want_arg);
        if (round % 3) poison(x, count * ld);
        leat_f32_column_max_ref(x, count, n, ld, want_max, want_arg);
        leat__detect_f32.column_max(x, count, n, ld, max, arg);
        assert_memory_equal(max, want_max, (size_t)n * sizeof *max);
        assert_memory_equal(arg, want_arg, (size_t)n * sizeof *arg);
        kt_check_canaries(max, n);
        kt_free(x);
        kt_free(max);
        kt_free(want_max);
        free(arg);
        free(want_arg);
    }
}

enum { MOST = 300 };

static void fill_boxes(leat__boxes *b, float *store, int32_t *group, int32_t *alive, int n) {
    *b = (leat__boxes){store, store + MOST, store + 2 * MOST, store + 3 * MOST, store + 4 * MOST, group, alive};
    for (int i = 0; i < MOST; i++) {
        b->x1[i] = kt_float() * 100, b->y1[i] = kt_float() * 100;
        b->x2[i] = b->x1[i] + 1 + 40 * (kt_float() + 1), b->y2[i] = b->y1[i] + 1 + 40 * (kt_float() + 1);
        b->area[i] = (b->x2[i] - b->x1[i]) * (b->y2[i] - b->y1[i]);
        group[i] = kt_int(0, 2);
        alive[i] = kt_int(0, 3) ? -1 : 0;
        if (i >= n) b->x1[i] = NAN;
    }
}

static void overlaps(void **state) {
    static float store[5 * MOST];
    static int32_t group[MOST], alive[MOST], want[MOST];
    KT_EACH_LEVEL(level)
    for (int round = 0; round < 400; round++) {
        leat__boxes b, r;
        int n = kt_int(2, MOST - 20), i = kt_int(0, n - 1);
        float iou = (float)kt_int(0, 10) / 10;
        fill_boxes(&b, store, group, alive, n);
        memcpy(want, alive, sizeof want);
        if (round % 2) b.group = NULL;
        r = b;
        r.alive = want;
        leat_f32_suppress_ref(&r, i, i + 1, n, iou);
        leat__detect_f32.suppress(&b, i, i + 1, n, iou);
        assert_memory_equal(alive, want, (size_t)n * sizeof *alive);
        assert_memory_equal(alive + n + 16, want + n + 16, (size_t)(MOST - n - 16) * sizeof *alive);
    }
}

static void ratios(void **state) {
    static float store[5 * MOST], got[MOST], want[MOST];
    static int32_t group[MOST], alive[MOST];
    KT_EACH_LEVEL(level)
    for (int round = 0; round < 400; round++) {
        leat__boxes b;
        int n = kt_int(2, MOST - 20), i = kt_int(0, n - 1);
        fill_boxes(&b, store, group, alive, n);
        if (round % 2) b.group = NULL;
        for (int k = 0; k < MOST; k++) got[k] = CANARY;
        leat_f32_overlap_ref(&b, i, n, want);
        leat__detect_f32.overlap(&b, i, n, got);
        assert_memory_equal(got, want, (size_t)n * sizeof *got);
        for (int k = n + 16; k < MOST; k++) assert_true(got[k] == CANARY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(columns), cmocka_unit_test(overlaps), cmocka_unit_test(ratios)};
    return cmocka_run_group_tests(tests, kt_seed, NULL);
}
