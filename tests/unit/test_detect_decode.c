/* test_detect_decode.c - decoders on synthetic tensors: each layout, mapping back, thresholds, classes, batches, hostile values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fp16.h"
#include "base/mem.h"
#include "leat/detect.h"

enum { MOST = 300 };

static leat_detector_options options;
static leat_detect_view plain; /* the network's pixels are the source's */
static leat_detection found[MOST];
static leat_error error;

static int setup(void **state) {
    leat_detector_options_default(&options);
    options.preprocess.width = options.preprocess.height = 64; /* 8 x 8, 4 x 4, 2 x 2 cells: 84, three times 252, with stride 64 85 */
    plain = (leat_detect_view){{1, 1, 0, 0, 64, 64}, 64, 64};
    memset(&error, 0, sizeof error);
    return 0;
}

static leat_tensor tensor(int64_t batch, int64_t n, int64_t width) {
    return (leat_tensor){calloc((size_t)(batch * n * width), sizeof(float)), LEAT_DTYPE_F32, 3, {batch, n, width}, 0};
}

static float *at(const leat_tensor *t, int64_t row, int64_t column) { return (float *)t->data + row * t->dims[2] + column; }

/* Opens, decodes image `index`, closes; returns the number of boxes. */
static int decode(const leat_tensor *outputs, int n, leat_decoder kind, int index, const leat_detect_view *view) {
    leat_decode *d;
    leat_decode_info info;
    if (leat_decode_open(outputs, NULL, n, &options, &d, &error)) fail_msg("%s", error.message);
    leat_decode_get_info(d, &info);
    assert_int_equal(info.decoder, kind);
    uint64_t before = leat__thread_hot_allocations();
    leat__hot_enter();
    int count = leat_decode_run(d, outputs, index, view, found, NULL);
    leat__hot_leave();
    assert_int_equal(leat__thread_hot_allocations(), before);
    leat_decode_close(d);
    return count;
}

static void check(const leat_detection *d, int class_id, double score, double x1, double y1, double x2, double y2) {
    assert_int_equal(d->class_id, class_id);
    const double got[5] = {(double)d->score, (double)d->x1, (double)d->y1, (double)d->x2, (double)d->y2}, want[5] = {score, x1, y1, x2, y2};
    for (int i = 0; i < 5; i++)
        if (!(fabs(got[i] - want[i]) < 1e-3)) fail_msg("value %d is %g, expected %g", i, got[i], want[i]);
}

static void set(float *to, int n, const float *values) { memcpy(to, values, (size_t)n * sizeof *values); }

/* ---- layouts -------------------------------------------------------------------------------------------------------------- */

static void yolov5(void **state) {
    leat_tensor t = tensor(1, 252, 8);
    set(at(&t, 7, 0), 8, (float[]){20, 30, 10, 8, 0.9f, 0.1f, 0.8f, 0.3f});
    set(at(&t, 8, 0), 8, (float[]){21, 30, 10, 8, 0.8f, 0.1f, 0.8f, 0.3f}); /* overlaps, the same class */
    set(at(&t, 9, 0), 8, (float[]){20, 30, 10, 8, 0.7f, 0.9f, 0.1f, 0.3f}); /* another class */
    set(at(&t, 200, 0), 8, (float[]){60, 60, 20, 20, 0.5f, 0, 0, 1});       /* beyond the border */
    set(at(&t, 251, 0), 8, (float[]){10, 10, 5, 5, 0.9f, 0.2f, 0.1f, 0.1f}); /* 0.18: below */
    assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV5, 0, &plain), 3);
    check(&found[0], 1, 0.72, 15, 26, 25, 34);
    check(&found[1], 0, 0.63, 15, 26, 25, 34);
    check(&found[2], 2, 0.5, 50, 50, 64, 64);
    free(t.data);
}

static void yolov8(void **state) {
    leat_tensor t = tensor(1, 6, 84);
    const float rows[3][6] = {{20, 30, 10, 8, 0.1f, 0.72f}, {20, 30, 10, 8, 0.63f, 0.3f}, {5, 5, 4, 4, 0.2f, 0.1f}};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 6; k++) *at(&t, k, i * 40) = rows[i][k];
    assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV8, 0, &plain), 2);
    check(&found[0], 1, 0.72, 15, 26, 25, 34);
    check(&found[1], 0, 0.63, 15, 26, 25, 34);
    free(t.data);
}

static void yolox(void **state) {
    leat_tensor t = tensor(1, 84, 7);
    set(at(&t, 64 + 4 * 2 + 1, 0), 7, (float[]){0.5f, 0.25f, logf(1.5f), logf(0.5f), 0.9f, 0.2f, 1}); /* stride 16, column 1, row 2 */
    assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOX, 0, &plain), 1);
    check(&found[0], 1, 0.9, 24 - 12, 36 - 4, 24 + 12, 36 + 4);
    free(t.data);
}

/* One bin far above the others is that distance. */
static void set_bins(float *to, const int bins[4]) {
    for (int side = 0; side < 4; side++) to[side * 8 + bins[side]] = 50;
}

static void nanodet(void **state) {
    static const int64_t cells[3] = {64, 16, 4};
    leat_tensor t[6];
    for (int v = 0; v < 3; v++) t[v] = tensor(1, cells[v], 5), t[3 + v] = tensor(1, cells[v], 32);
    *at(&t[1], 6, 4) = 0.8f; /* stride 16, column 2, row 1: centre 40, 24 */
    set_bins(at(&t[4], 6, 0), (int[]){1, 0, 1, 1});
    assert_int_equal(decode(t, 6, LEAT_DECODER_NANODET, 0, &plain), 1);
    check(&found[0], 4, 0.8, 24, 24, 56, 40);
    for (int i = 0; i < 6; i++) free(t[i].data);
    leat_tensor plus = tensor(1, 85, 3 + 32);
    *at(&plus, 64 + 6, 2) = 0.7f; /* the same cell; NanoDet-Plus counts from its corner */
    set_bins(at(&plus, 64 + 6, 3), (int[]){1, 0, 1, 1});
    assert_int_equal(decode(&plus, 1, LEAT_DECODER_NANODET, 0, &plain), 1);
    check(&found[0], 2, 0.7, 16, 16, 48, 32);
    free(plus.data);
}

static void ssd_either_order(void **state) {
    leat_tensor t[2] = {tensor(1, 50, 4), tensor(1, 50, 3)};
    set(at(&t[0], 9, 0), 4, (float[]){0.25f, 0.5f, 0.5f, 0.75f});
    set(at(&t[1], 9, 0), 3, (float[]){0.1f, 0.3f, 0.6f});
    set(at(&t[1], 10, 0), 3, (float[]){0.9f, 0.05f, 0.05f}); /* background */
    assert_int_equal(decode(t, 2, LEAT_DECODER_SSD, 0, &plain), 1);
    check(&found[0], 1, 0.6, 16, 32, 32, 48);
    leat_tensor other[2] = {t[1], t[0]};
    assert_int_equal(decode(other, 2, LEAT_DECODER_SSD, 0, &plain), 1);
    free(t[0].data);
    free(t[1].data);
}

static void yunet(void **state) {
    static const int64_t cells[3] = {64, 16, 4}, widths[4] = {1, 1, 4, 10};
    leat_tensor t[12];
    for (int i = 0; i < 12; i++) t[i] = tensor(1, cells[i % 3], widths[i / 3]);
    *at(&t[0], 9, 0) = 0.81f, *at(&t[3], 9, 0) = 1.5f; /* cut to 1; column 1, row 1 of stride 8 */
    set(at(&t[6], 9, 0), 4, (float[]){0.5f, 0.5f, logf(2), 0});
    for (int i = 0; i < 10; i++) *at(&t[9], 9, i) = (float)i / 10;
    assert_int_equal(decode(t, 12, LEAT_DECODER_YUNET, 0, &plain), 1);
    check(&found[0], 0, 0.9, 4, 8, 20, 16);
    assert_int_equal(found[0].landmarks, 5);
    assert_true(fabsf(found[0].points[4][0] - 8 * 1.8f) < 1e-4f && fabsf(found[0].points[4][1] - 8 * 1.9f) < 1e-4f);
    for (int i = 0; i < 12; i++) free(t[i].data);
}

/* ---- what the options do -------------------------------------------------------------------------------------------------- */

static void maps_back_through_crop_and_letterbox(void **state) {
    leat_preprocess p;
    leat_tensor t = tensor(1, 252, 6);
    leat_detect_view view = {.width = 640, .height = 480};
    leat_preprocess_default(&p);
    p.width = p.height = 64;
    memcpy(p.crop_rect, (int32_t[]){100, 50, 400, 200}, sizeof p.crop_rect);
    p.fit = LEAT_FIT_LETTERBOX; /* 400 x 200 becomes 64 x 32, 16 rows of padding above */
    assert_int_equal(leat_preprocess_place(&p, 640, 480, &view.placement), LEAT_OK);
    set(at(&t, 0, 0), 6, (float[]){32, 32, 32, 16, 1, 0.5f});
    assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV5, 0, &view), 1);
    check(&found[0], 0, 0.5, 100 + 100, 50 + 50, 100 + 300, 50 + 150);
    p.fit = LEAT_FIT_STRETCH;
    assert_int_equal(leat_preprocess_place(&p, 640, 480, &view.placement), LEAT_OK);
    assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV5, 0, &view), 1);
    check(&found[0], 0, 0.5, 100 + 100, 50 + 75, 100 + 300, 50 + 125);
    free(t.data);
}

static void thresholds_reach_the_code(void **state) {
    leat_tensor t = tensor(1, 252, 6);
    leat_decode *d;
    for (int i = 0; i < 20; i++) set(at(&t, i, 0), 6, (float[]){5 + 2.5f * (float)i, 20, 5, 5, 1, 0.05f * (float)(i + 1)});
    options.nms.kind = LEAT_NMS_NONE;
    for (int k = 1; k < 20; k++) {
        options.nms.score = 0.05f * (float)k + 0.01f;
        assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV5, 0, &plain), 20 - k);
    }
    options.nms.score = 0;
    options.nms.max_kept = 4;
    assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV5, 0, &plain), 4);
    options.nms.top_k = 3;
    assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV5, 0, &plain), 3);
    options.nms = (leat_nms_options){sizeof options.nms, LEAT_NMS_HARD, 0.2f, 0.5f, 0.01f, 0, 300, 0}; /* neighbours overlap by a third */
    assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV5, 0, &plain), 10);
    assert_int_equal(leat_decode_open(&t, NULL, 1, &options, &d, &error), LEAT_OK);
    assert_int_equal(leat_decode_set_thresholds(d, 0.01f, 0.5f), LEAT_OK);
    assert_int_equal(leat_decode_run(d, &t, 0, &plain, found, NULL), 20);
    assert_int_equal(leat_decode_set_thresholds(d, 0.96f, 0.5f), LEAT_OK);
    assert_int_equal(leat_decode_run(d, &t, 0, &plain, found, NULL), 1);
    assert_int_equal(leat_decode_set_thresholds(d, NAN, 0.5f), LEAT_EINVAL);
    leat_decode_close(d);
    free(t.data);
}

static void classes_are_filtered(void **state) {
    leat_tensor t = tensor(1, 252, 8);
    leat_decode *d;
    for (int i = 0; i < 6; i++) {
        set(at(&t, i, 0), 5, (float[]){5 + 9 * (float)i, 20, 5, 5, 1});
        *at(&t, i, 5 + i % 3) = 0.9f;
    }
    options.classes = (const int32_t[]){2, 0};
    options.n_classes = 2;
    assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV5, 0, &plain), 4);
    for (int i = 0; i < 4; i++) assert_true(found[i].class_id != 1);
    options.classes = (const int32_t[]){3};
    options.n_classes = 1;
    assert_int_equal(leat_decode_open(&t, NULL, 1, &options, &d, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "0..2"));
    free(t.data);
}

static float logit(float p) { return logf(p / (1 - p)); }

static void logits_go_through_the_sigmoid(void **state) {
    leat_tensor t = tensor(1, 252, 7), eight = tensor(1, 5, 84);
    for (int i = 0; i < 252; i++) *at(&t, i, 4) = -20;
    set(at(&t, 3, 0), 7, (float[]){20, 30, 10, 8, logit(0.9f), logit(0.3f), logit(0.8f)});
    set(at(&t, 4, 0), 7, (float[]){50, 30, 10, 8, logit(0.3f), logit(0.3f), logit(0.8f)}); /* 0.24: below */
    options.logits = 1;
    assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV5, 0, &plain), 1);
    check(&found[0], 1, 0.72, 15, 26, 25, 34);
    for (int i = 0; i < 84; i++) *at(&eight, 4, i) = logit(0.2f);
    *at(&eight, 0, 5) = *at(&eight, 1, 5) = *at(&eight, 2, 5) = *at(&eight, 3, 5) = 20;
    *at(&eight, 4, 5) = logit(0.6f);
    assert_int_equal(decode(&eight, 1, LEAT_DECODER_YOLOV8, 0, &plain), 1);
    check(&found[0], 0, 0.6, 10, 10, 30, 30);
    free(t.data);
    free(eight.data);
}

static void batches_and_float16(void **state) {
    leat_tensor t = tensor(3, 252, 7), half = t;
    for (int i = 0; i < 3; i++) set(at(&t, i * 252 + 100, 0), 7, (float[]){20, 30, 10, 8, 1, 0.1f, 0.5f + 0.125f * (float)i});
    int64_t n = 3 * 252 * 7;
    half.dtype = LEAT_DTYPE_F16;
    half.data = malloc((size_t)n * 2);
    for (int64_t i = 0; i < n; i++) ((uint16_t *)half.data)[i] = leat__f32_to_f16(((float *)t.data)[i]);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV5, i, &plain), 1);
        check(&found[0], 1, 0.5 + 0.125 * i, 15, 26, 25, 34);
        assert_int_equal(decode(&half, 1, LEAT_DECODER_YOLOV5, i, &plain), 1);
        check(&found[0], 1, 0.5 + 0.125 * i, 15, 26, 25, 34);
    }
    free(t.data);
    free(half.data);
}

/* ---- hostile -------------------------------------------------------------------------------------------------------------- */

static void nothing_and_nan(void **state) {
    leat_tensor t = tensor(1, 252, 7), eight = tensor(1, 6, 84);
    assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV5, 0, &plain), 0);
    for (int64_t i = 0; i < 252 * 7; i++) ((float *)t.data)[i] = NAN;
    for (int64_t i = 0; i < 84 * 6; i++) ((float *)eight.data)[i] = NAN;
    assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV5, 0, &plain), 0);
    assert_int_equal(decode(&eight, 1, LEAT_DECODER_YOLOV8, 0, &plain), 0);
    set(at(&t, 0, 0), 7, (float[]){NAN, 30, 10, 8, 1, 1, 1});
    set(at(&t, 1, 0), 7, (float[]){20, 30, 10, -8, 1, 1, 1});
    set(at(&t, 2, 0), 7, (float[]){20, 30, 10, 8, 1, NAN, 0.5f}); /* the other class is good */
    set(at(&t, 3, 0), 7, (float[]){20, 30, INFINITY, 8, 1, 1, 1});
    set(at(&t, 4, 0), 7, (float[]){20, 30, 10, 8, INFINITY, INFINITY, 1});
    set(at(&t, 5, 0), 7, (float[]){-400, 30, 10, 8, 1, 1, 1}); /* outside */
    assert_int_equal(decode(&t, 1, LEAT_DECODER_YOLOV5, 0, &plain), 1);
    check(&found[0], 1, 0.5, 15, 26, 25, 34);
    free(t.data);
    free(eight.data);
}

static void all_anchors_pass(void **state) {
    leat_tensor t = tensor(1, 16128, 7);
    leat_detect_times times;
    leat_decode *d;
    options.preprocess.width = options.preprocess.height = 512;
    leat_detect_view view = {{1, 1, 0, 0, 512, 512}, 512, 512};
    for (int i = 0; i < 16128; i++) set(at(&t, i, 0), 7, (float[]){(float)(i % 128) * 4, (float)(i / 128) * 4, 6, 6, 1, 0.9f, 0.1f});
    assert_int_equal(leat_decode_open(&t, NULL, 1, &options, &d, &error), LEAT_OK);
    assert_int_equal(leat_decode_run(d, &t, 0, &view, found, &times), MOST);
    assert_int_equal(times.candidates, 16128);
    leat_decode_close(d);
    free(t.data);
}

static void fails(const leat_tensor *t, int n, leat_decoder kind, int status, const char *text) {
    leat_decode *d = (leat_decode *)&error;
    options.decoder = kind;
    assert_int_equal(leat_decode_open(t, NULL, n, &options, &d, &error), status);
    assert_null(d);
    assert_non_null(strstr(error.message, text));
}

static void unknown_shapes_are_told(void **state) {
    leat_tensor t[3] = {{NULL, LEAT_DTYPE_F32, 3, {1, 252, 5}, 0}, {NULL, LEAT_DTYPE_F32, 3, {1, 252, 7}, 0}, {NULL, LEAT_DTYPE_I64, 3, {1, 252, 7}, 0}};
    fails(t, 1, LEAT_DECODER_AUTO, LEAT_EUNSUPPORTED, "float32[1,252,5]");
    fails(t, 2, LEAT_DECODER_AUTO, LEAT_EUNSUPPORTED, "2 outputs");
    fails(t + 2, 1, LEAT_DECODER_AUTO, LEAT_EUNSUPPORTED, "int64");
    fails(t, 3, LEAT_DECODER_AUTO, LEAT_EUNSUPPORTED, "3 outputs");
    fails(t + 1, 1, LEAT_DECODER_YOLOX, LEAT_ESHAPE, "yolox");
    fails(t + 1, 1, LEAT_DECODER_YUNET, LEAT_ESHAPE, "yunet");
    fails(t + 1, 1, LEAT_DECODER_NANODET, LEAT_ESHAPE, "nanodet");
    fails(t, 1, LEAT_DECODER_YOLOV5, LEAT_ESHAPE, "yolov5");
    options.nms.iou = 2;
    fails(t + 1, 1, LEAT_DECODER_AUTO, LEAT_EINVAL, "IoU");
}

static void names_are_parsed(void **state) {
    leat_decoder kind;
    leat_preprocess p;
    for (int i = 0; i <= LEAT_DECODER_YUNET; i++) {
        assert_int_equal(leat_decoder_parse(leat_decoder_name((leat_decoder)i), &kind), LEAT_OK);
        assert_int_equal(kind, i);
        leat_preprocess_default(&p);
        assert_int_equal(leat_decoder_preset(kind, &p), i ? LEAT_OK : LEAT_EINVAL);
        assert_true(leat_preprocess_scratch_bytes(&p) > 0);
    }
    assert_int_equal(leat_decoder_parse("yolov99", &kind), LEAT_EINVAL);
    assert_null(leat_decoder_name((leat_decoder)99));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(yolov5, setup), cmocka_unit_test_setup(yolov8, setup), cmocka_unit_test_setup(yolox, setup),
        cmocka_unit_test_setup(nanodet, setup), cmocka_unit_test_setup(ssd_either_order, setup), cmocka_unit_test_setup(yunet, setup),
        cmocka_unit_test_setup(maps_back_through_crop_and_letterbox, setup), cmocka_unit_test_setup(thresholds_reach_the_code, setup),
        cmocka_unit_test_setup(classes_are_filtered, setup), cmocka_unit_test_setup(logits_go_through_the_sigmoid, setup),
        cmocka_unit_test_setup(batches_and_float16, setup), cmocka_unit_test_setup(nothing_and_nan, setup),
        cmocka_unit_test_setup(all_anchors_pass, setup), cmocka_unit_test_setup(unknown_shapes_are_told, setup),
        cmocka_unit_test_setup(names_are_parsed, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
