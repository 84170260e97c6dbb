/* test_nms.c - suppression against a plain one: order, groups, soft scores, hostile boxes, ten thousand candidates, no allocation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "leat/detect.h"

enum { MOST = 10000 };

static float boxes[MOST][4], scores[MOST];
static int32_t groups[MOST], kept[MOST];

static float uniform(uint64_t seed, int i) { return leat__rng_uniformf(seed, 7, (uint64_t)i); }

static void scatter(uint64_t seed, int n, float side, int classes) {
    for (int i = 0; i < n; i++) {
        float x = uniform(seed, 6 * i) * 500, y = uniform(seed, 6 * i + 1) * 500;
        boxes[i][0] = x, boxes[i][1] = y;
        boxes[i][2] = x + 1 + side * uniform(seed, 6 * i + 2), boxes[i][3] = y + 1 + side * uniform(seed, 6 * i + 3);
        scores[i] = floorf(uniform(seed, 6 * i + 4) * 1000) / 1000; /* with ties */
        groups[i] = (int32_t)(uniform(seed, 6 * i + 5) * (float)classes);
    }
}

static int run(const leat_nms_options *o, const int32_t *g, int n) {
    int    count = -1;
    size_t bytes = leat_nms_scratch_bytes(n);
    void  *scratch = leat__alloc(bytes, LEAT_MEMORY_IO);
    assert_non_null(scratch);
    memset(scratch, 0xff, bytes);
    uint64_t before = leat__thread_hot_allocations();
    leat__hot_enter();
    int status = leat_nms_run(o, &boxes[0][0], scores, g, n, kept, &count, scratch);
    leat__hot_leave();
    assert_int_equal(status, LEAT_OK);
    assert_int_equal(leat__thread_hot_allocations(), before);
    leat__free(scratch);
    return count;
}

static double iou(int a, int b) {
    double w = fmin(boxes[a][2], boxes[b][2]) - fmax(boxes[a][0], boxes[b][0]), h = fmin(boxes[a][3], boxes[b][3]) - fmax(boxes[a][1], boxes[b][1]);
    double inter = fmax(w, 0) * fmax(h, 0), area = 0;
    for (int i = 0; i < 2; i++) area += (double)(boxes[i ? b : a][2] - boxes[i ? b : a][0]) * (double)(boxes[i ? b : a][3] - boxes[i ? b : a][1]);
    return inter / (area - inter);
}

static int before(const void *a, const void *b) {
    int i = *(const int *)a, j = *(const int *)b;
    return scores[i] != scores[j] ? (scores[i] < scores[j] ? 1 : -1) : i - j;
}

/* The definition: walk in order of score, keep what no kept one of its group overlaps. */
static int plain(const leat_nms_options *o, const int32_t *g, int n, int *out) {
    static int order[MOST];
    int count = 0, m = 0;
    for (int i = 0; i < n; i++)
        if (scores[i] >= o->score) order[m++] = i;
    qsort(order, (size_t)m, sizeof *order, before);
    if (o->top_k && m > o->top_k) m = o->top_k;
    for (int i = 0; i < m && (!o->max_kept || count < o->max_kept); i++) {
        int good = 1;
        for (int k = 0; k < count && good; k++)
            good = (g && !o->agnostic && g[out[k]] != g[order[i]]) || iou(out[k], order[i]) <= (double)o->iou;
        if (good) out[count++] = order[i];
    }
    return count;
}

static void hard_is_the_definition(void **state) {
    static int want[MOST];
    leat_nms_options o;
    for (int round = 0; round < 60; round++) {
        int n = 1 + (int)(uniform(99, round) * 800);
        leat_nms_options_default(&o);
        o.iou = 0.1f + 0.1f * (float)(round % 8);
        o.agnostic = round % 5 == 0;
        o.top_k = round % 3 ? 0 : n / 2;
        o.max_kept = round % 4 ? 0 : 20;
        scatter((uint64_t)round, n, 120, 3);
        const int32_t *g = round % 7 ? groups : NULL;
        int m = plain(&o, g, n, want), count = run(&o, g, n);
        assert_int_equal(count, m);
        for (int i = 0; i < m; i++) assert_int_equal(kept[i], want[i]);
    }
}

static void batched_is_each_alone(void **state) {
    static int32_t both[MOST];
    leat_nms_options o;
    leat_nms_options_default(&o);
    o.max_kept = o.top_k = 0;
    scatter(5, 600, 100, 3);
    for (int i = 0; i < 600; i++) both[i] = (i < 300 ? 0 : 3) + groups[i];
    int n = run(&o, both, 600), first = 0, second = 0;
    for (int i = 0; i < n; i++) *(kept[i] < 300 ? &first : &second) += 1;
    assert_int_equal(run(&o, groups, 300), first);
    memmove(boxes, boxes + 300, 300 * sizeof *boxes);
    memmove(scores, scores + 300, 300 * sizeof *scores);
    assert_int_equal(run(&o, groups + 300, 300), second);
}

static void soft_kinds_weaken(void **state) {
    static const float three[3][4] = {{0, 0, 10, 10}, {0, 0, 10, 8}, {50, 50, 60, 60}};
    leat_nms_options o;
    leat_nms_options_default(&o);
    for (int kind = LEAT_NMS_LINEAR; kind <= LEAT_NMS_GAUSSIAN; kind++) {
        memcpy(boxes, three, sizeof three);
        scores[0] = 0.9f, scores[1] = 0.8f, scores[2] = 0.5f;
        o.kind = (leat_nms_kind)kind;
        o.score = 0.1f;
        assert_int_equal(run(&o, NULL, 3), 3);
        float want = kind == LEAT_NMS_LINEAR ? 0.8f * 0.2f : 0.8f * expf(-0.64f / 0.5f);
        assert_int_equal(kept[0], 0);
        assert_int_equal(kept[1], 2);
        assert_int_equal(kept[2], 1);
        assert_true(fabsf(scores[1] - want) < 1e-5f);
        assert_true(scores[2] == 0.5f);
        o.score = 0.3f; /* now the weakened one is too weak */
        scores[1] = 0.8f;
        assert_int_equal(run(&o, NULL, 3), 2);
    }
}

static void hostile_boxes_go(void **state) {
    leat_nms_options o;
    leat_nms_options_default(&o);
    scatter(3, 64, 10, 1);
    for (int i = 0; i < 64; i++) scores[i] = 0.5f + (float)i / 1000;
    boxes[0][0] = NAN, boxes[1][2] = INFINITY, boxes[2][2] = boxes[2][0], boxes[3][3] = -1e30f, boxes[4][0] = -INFINITY;
    boxes[5][0] = -3e38f, boxes[5][2] = 3e38f;
    scores[6] = NAN, scores[7] = INFINITY, scores[8] = -0.0f, scores[9] = -1;
    int n = run(&o, NULL, 64);
    assert_true(n > 10);
    for (int i = 0; i < n; i++) assert_true(kept[i] >= 10);
    o.score = 0;
    n = run(&o, NULL, 64);
    for (int i = 0; i < n; i++) assert_true(kept[i] >= 10 || kept[i] == 8);
    assert_int_equal(kept[n - 1], 8); /* minus zero is the least, not the best */
    scores[0] = NAN;
    assert_int_equal(run(&o, NULL, 1), 0);
    assert_int_equal(leat_nms_scratch_bytes(0), 0);
}

static void ten_thousand(void **state) {
    static int want[MOST];
    leat_nms_options o;
    leat_nms_options_default(&o);
    o.score = 0, o.top_k = o.max_kept = 0;
    scatter(11, MOST, 20, 4);
    int m = plain(&o, groups, MOST, want);
    assert_int_equal(run(&o, groups, MOST), m);
    for (int i = 0; i < m; i++) assert_int_equal(kept[i], want[i]);
}

static void options_are_checked(void **state) {
    leat_nms_options o;
    int n = 5;
    char scratch[1];
    leat_nms_options_default(&o);
    o.iou = 1.5f;
    assert_int_equal(leat_nms_run(&o, &boxes[0][0], scores, NULL, 4, kept, &n, scratch), LEAT_EINVAL);
    assert_int_equal(n, 0);
    leat_nms_options_default(&o);
    o.kind = LEAT_NMS_GAUSSIAN, o.sigma = 0;
    assert_int_equal(leat_nms_run(&o, &boxes[0][0], scores, NULL, 4, kept, &n, scratch), LEAT_EINVAL);
    leat_nms_options_default(&o);
    assert_int_equal(leat_nms_run(&o, &boxes[0][0], scores, NULL, 0, kept, &n, scratch), LEAT_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hard_is_the_definition), cmocka_unit_test(batched_is_each_alone), cmocka_unit_test(soft_kinds_weaken),
        cmocka_unit_test(hostile_boxes_go), cmocka_unit_test(ten_thousand), cmocka_unit_test(options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
