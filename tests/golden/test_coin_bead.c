/* test_coin_bead.c - the bundled detector on synthetic scenes that its training never saw: found, and not made up; at several sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "leat/detect.h"
#include "leat/video.h"

#define MODEL "models/coin_bead.onnx"
enum { WIDTH = 960, HEIGHT = 540, FRAMES = 4, SCENES = 6, MOST = 300 };

typedef struct tally {
    int wanted, found, extra;
} tally;

static float overlap(const leat_detection *d, const leat_truth *t) {
    float w = (d->x2 < t->box[2] ? d->x2 : t->box[2]) - (d->x1 > t->box[0] ? d->x1 : t->box[0]);
    float h = (d->y2 < t->box[3] ? d->y2 : t->box[3]) - (d->y1 > t->box[1] ? d->y1 : t->box[1]);
    float area = (d->x2 - d->x1) * (d->y2 - d->y1) + (t->box[2] - t->box[0]) * (t->box[3] - t->box[1]);
    return w > 0 && h > 0 ? w * h / (area - w * h) : 0;
}

/* As the model card counts: an object is asked for when a quarter of it is seen and it is not too narrow. */
static int is_wanted(const leat_truth *t) {
    return t->visible >= 0.25f && t->box[2] - t->box[0] >= 12 && t->box[3] - t->box[1] >= 12;
}

static void count(const leat_detection *d, int n, const leat_truth *t, int objects, tally *sum) {
    for (int k = 0; k < objects; k++) {
        int hit = 0;
        for (int i = 0; i < n; i++) hit |= d[i].class_id == t[k].class_index && overlap(&d[i], &t[k]) >= 0.5f;
        sum->wanted += is_wanted(&t[k]);
        sum->found += is_wanted(&t[k]) && hit;
    }
    for (int i = 0; i < n; i++) {
        int real = 0;
        for (int k = 0; k < objects; k++) real |= d[i].class_id == t[k].class_index && overlap(&d[i], &t[k]) >= 0.4f;
        sum->extra += !real;
    }
}

static void watch(leat_detector *detector, int seed, tally *sum) {
    char spec[96];
    static uint8_t pixels[WIDTH * HEIGHT * 3];
    static leat_detection found[MOST];
    leat_truth truth[64];
    leat_source *source = NULL;
    leat_source_options options;
    leat_error error = {0};
    leat_frame frame;
    leat_source_options_default(&options);
    options.stride = 50;
    snprintf(spec, sizeof spec, "scene:seed=%d,size=%dx%d", seed, WIDTH, HEIGHT);
    if (leat_source_open(spec, &options, &source, &error) != LEAT_OK) fail_msg("%s", error.message);
    for (int f = 0; f < FRAMES; f++) {
        int32_t n = 0;
        int objects = 0;
        assert_int_equal(leat_source_next(source, pixels, sizeof pixels, &frame, &error), LEAT_OK);
        assert_int_equal(leat_source_truth(source, frame.index, truth, 64, &objects), LEAT_OK);
        leat_image image = {pixels, WIDTH, HEIGHT, 3 * WIDTH};
        if (leat_detector_run(detector, &image, 1, found, &n, NULL, &error) != LEAT_OK) fail_msg("%s", error.message);
        count(found, n, truth, objects, sum);
    }
    leat_source_close(source);
}

static tally at_size(int width, int height) {
    tally sum = {0};
    leat_model *model = NULL;
    leat_detector *detector = NULL;
    leat_detector_options options;
    leat_detector_info info;
    leat_error error = {0};
    if (leat_model_open(MODEL, NULL, &model, &error) != LEAT_OK) fail_msg("%s", error.message);
    leat_detector_options_default(&options);
    options.preprocess.width = width;
    options.preprocess.height = height;
    options.nms.score = 0.4f;
    if (leat_detector_open(model, &options, &detector, &error) != LEAT_OK) fail_msg("%s", error.message);
    leat_detector_get_info(detector, &info);
    assert_int_equal(info.decoder, LEAT_DECODER_YOLOV5);
    assert_int_equal(info.classes, 2);
    assert_int_equal(info.anchors, 63 * width * height / 1024);
    for (int seed = 0; seed < SCENES; seed++) watch(detector, 2000000 + seed, &sum);
    leat_detector_close(detector);
    leat_model_unref(model);
    print_message("%dx%d: %d of %d objects found, %d boxes of nothing\n", width, height, sum.found, sum.wanted, sum.extra);
    return sum;
}

static void square_of_512(void **state) {
    (void)state;
    tally t = at_size(512, 512);
    assert_true(t.wanted > 100);
    assert_true(t.found * 100 >= t.wanted * 94);
    assert_true(t.extra * 100 <= t.wanted * 6);
}

static void wide_and_smaller(void **state) {
    (void)state;
    tally t = at_size(512, 288), small = at_size(384, 384);
    assert_true(t.found * 100 >= t.wanted * 94 && t.extra * 100 <= t.wanted * 6);
    assert_true(small.found * 100 >= small.wanted * 88 && small.extra * 100 <= small.wanted * 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(square_of_512), cmocka_unit_test(wide_and_smaller)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
