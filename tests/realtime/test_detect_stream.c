/* test_detect_stream.c - the detector and its stream with the bundled model: no allocation on the hot path, order, batches and replicas, thresholds,
 * an end from either side, errors that keep what was done, allocation failure at every n of opening. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "leat/detect_stream.h"

#define SCENE "scene:seed=7,size=320x240,frames=30"
enum { FRAMES = 30, SIDE = 128 }; /* a small input, so that ThreadSanitizer gets through */

static leat_model *model;
static char lines[64][8192];
static int  n_lines;

static int open_model(void **state) {
    leat_model_options o;
    leat_error error = {0};
    leat_model_options_default(&o);
    o.threads = 2;
    if (leat_model_open("models/coin_bead.onnx", &o, &model, &error) == LEAT_OK) return 0;
    print_message("%s\n", error.message);
    return -1;
}

static int close_model(void **state) {
    leat_model_unref(model);
    return 0;
}

static void keep_line(void *user, const leat_detect_result *r) {
    if (n_lines < 64 && r->json_bytes < sizeof lines[0]) memcpy(lines[n_lines], r->json, r->json_bytes + 1);
    n_lines++;
}

static leat_source *open_source(const char *spec) {
    leat_source *source;
    leat_error error = {0};
    if (leat_source_open(spec, NULL, &source, &error)) fail_msg("%s", error.message);
    return source;
}

static leat_detect_stream_options options_of(int replicas, int in_flight) {
    leat_detect_stream_options o;
    leat_detect_stream_options_default(&o);
    o.detector.preprocess.width = o.detector.preprocess.height = SIDE;
    o.detector.nms.score = 0.1f;
    o.replicas = replicas;
    o.pipeline.in_flight = in_flight;
    o.result = keep_line;
    return o;
}

static int run(const char *spec, const leat_detect_stream_options *o, leat_pipeline_stats *stats, leat_error *error) {
    leat_detect_stream *s;
    leat_source *source = open_source(spec);
    n_lines = 0;
    int status = leat_detect_stream_open(model, source, o, &s, error);
    if (status == LEAT_OK) status = leat_detect_stream_start(s, error);
    if (status == LEAT_OK) status = leat_detect_stream_wait(s, -1, error);
    if (s && stats) leat_pipeline_get_stats(leat_detect_stream_pipeline(s), stats);
    leat_detect_stream_close(s);
    leat_source_close(source);
    return status;
}

static void nothing_is_allocated_while_frames_flow(void **state) {
    leat_detect_stream_options o = options_of(2, 6);
    leat_pipeline_stats stats;
    leat_error error = {0};
    o.tracker.kind = LEAT_TRACK_BYTE;
    assert_int_equal(run(SCENE, &o, &stats, &error), LEAT_OK);
    assert_int_equal(n_lines, FRAMES);
    assert_int_equal(stats.done, FRAMES);
    assert_int_equal(stats.hot_allocations, 0);
}

static void order_and_results_do_not_depend_on_replicas(void **state) {
    static char one[FRAMES][8192];
    leat_error error = {0};
    leat_detect_stream_options o = options_of(1, 1);
    assert_int_equal(run(SCENE, &o, NULL, &error), LEAT_OK);
    memcpy(one, lines, sizeof one);
    assert_non_null(strstr(one[3], "\"score\""));
    for (int replicas = 1; replicas <= 3; replicas++) {
        o = options_of(replicas, 8);
        assert_int_equal(run(SCENE, &o, NULL, &error), LEAT_OK);
        assert_int_equal(n_lines, FRAMES);
        for (int i = 0; i < FRAMES; i++) assert_string_equal(lines[i], one[i]);
    }
}

/* The detector by hand gives what the stream gives. */
static void stream_is_the_detector(void **state) {
    leat_detect_stream_options o = options_of(1, 4);
    leat_error error = {0};
    leat_detector *detector;
    leat_detector_info info;
    leat_source_info source_info;
    assert_int_equal(run(SCENE, &o, NULL, &error), LEAT_OK);
    assert_int_equal(leat_detector_open(model, &o.detector, &detector, &error), LEAT_OK);
    leat_detector_get_info(detector, &info);
    assert_int_equal(info.decoder, LEAT_DECODER_YOLOV5);
    assert_int_equal(info.anchors, 3 * (16 * 16 + 8 * 8 + 4 * 4));
    leat_source *source = open_source(SCENE);
    leat_source_describe(source, &source_info);
    void *pixels = leat__alloc(source_info.frame_bytes, LEAT_MEMORY_IO), *input = leat__alloc(info.input_bytes, LEAT_MEMORY_IO);
    void *scratch = leat__alloc(info.scratch_bytes, LEAT_MEMORY_IO);
    for (int i = 0; i < 5; i++) {
        leat_frame frame;
        leat_detect_view view;
        leat_detection found[300];
        int32_t count, at = 0;
        const void *inputs = input;
        char score[32];
        assert_int_equal(leat_source_next(source, pixels, source_info.frame_bytes, &frame, &error), LEAT_OK);
        uint64_t before = leat__thread_hot_allocations();
        leat__hot_enter();
        assert_int_equal(leat_detector_prepare_frame(detector, &frame, input, scratch, &view), LEAT_OK);
        assert_int_equal(leat_detector_infer(detector, &inputs, &view, 1, found, &count, NULL, &error), LEAT_OK);
        leat__hot_leave();
        assert_int_equal(leat__thread_hot_allocations(), before);
        for (const char *c = lines[i]; (c = strstr(c, "\"score\"")); c++) at++;
        assert_int_equal(at, count);
        snprintf(score, sizeof score, "\"score\":%.4f", count ? (double)found[0].score : 0);
        assert_true(count == 0 || strstr(lines[i], score));
    }
    leat__free(pixels);
    leat__free(input);
    leat__free(scratch);
    leat_source_close(source);
    leat_detector_close(detector);
}

static void finish_ends_an_endless_source(void **state) {
    leat_detect_stream_options o = options_of(1, 0);
    leat_detect_stream *s;
    leat_error error = {0};
    leat_source *source = open_source("scene:seed=3,size=160x120,frames=0");
    n_lines = 0;
    assert_int_equal(leat_detect_stream_open(model, source, &o, &s, &error), LEAT_OK);
    assert_int_equal(leat_detect_stream_start(s, &error), LEAT_OK);
    assert_int_equal(leat_detect_stream_wait(s, 300000000, &error), LEAT_EAGAIN);
    leat_detect_stream_finish(s);
    assert_int_equal(leat_detect_stream_wait(s, -1, &error), LEAT_OK);
    leat_detect_stream_stats stats;
    leat_detect_stream_get_stats(s, &stats);
    assert_true(stats.frames == n_lines);
    leat_detect_stream_close(s);
    leat_source_close(source);
}

static void close_ends_a_running_stream(void **state) {
    leat_detect_stream_options o = options_of(2, 0);
    leat_detect_stream *s;
    leat_error error = {0};
    leat_source *source = open_source("scene:seed=3,size=160x120,frames=0");
    assert_int_equal(leat_detect_stream_open(model, source, &o, &s, &error), LEAT_OK);
    assert_int_equal(leat_detect_stream_start(s, &error), LEAT_OK);
    leat_detect_stream_close(s);
    leat_source_close(source);
}

static void failures_keep_what_was_done(void **state) {
    const char *outputs[] = {"/nowhere/at/all.jsonl", "/tmp/leat-stream-test.jsonl"};
    leat_detect_stream_options o = options_of(1, 2);
    leat_error error = {0};
    o.outputs = outputs;
    o.n_outputs = 1;
    assert_int_equal(run(SCENE, &o, NULL, &error), LEAT_EIO); /* cannot be made */
    assert_non_null(strstr(error.message, "/nowhere/at/all.jsonl"));
    o.outputs = outputs + 1;
    o.detector.crop = (leat_rect){1000, 0, 10, 10};
    assert_int_equal(run(SCENE, &o, NULL, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "crop 1000,0,10,10"));
    unlink(outputs[1]);
    o.detector.crop = (leat_rect){0};
    o.replicas = 0;
    assert_int_equal(run(SCENE, &o, NULL, &error), LEAT_EINVAL);
    o.replicas = 1;
    o.detector.nms.score = 7;
    assert_int_equal(run(SCENE, &o, NULL, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "score"));
}

static uint64_t live_bytes(void) {
    leat_memory_stats stats;
    uint64_t sum = 0;
    leat_memory_get(&stats);
    for (int i = 0; i < LEAT_MEMORY_TAGS; i++) sum += stats.live_bytes[i];
    return sum;
}

/* Opens everything, with the n-th allocation failing. */
static int try_open(leat_source *source, uint64_t n) {
    leat_detect_stream_options o = options_of(1, 2);
    leat_detect_stream *s;
    leat_error error = {0};
    o.tracker.kind = LEAT_TRACK_BYTE;
    leat__alloc_fail_at(n, 0);
    int status = leat_detect_stream_open(model, source, &o, &s, &error);
    leat__alloc_fail_at(0, 0);
    if (status != LEAT_OK) assert_non_null(error.message[0] ? error.message : NULL);
    leat_detect_stream_close(s);
    return status;
}

static void memory_may_fail_anywhere(void **state) {
    leat_source *source = open_source(SCENE);
    assert_int_equal(try_open(source, 0), LEAT_OK); /* what the model keeps is there afterwards */
    uint64_t live = live_bytes(), n = 1;
    for (int status = LEAT_ENOMEM; status == LEAT_ENOMEM; n += n < 60 ? 1 : 7) {
        status = try_open(source, n);
        if (live_bytes() != live) fail_msg("allocation %d: %d bytes leak", (int)n, (int)(live_bytes() - live));
        assert_true(status == LEAT_OK || status == LEAT_ENOMEM);
    }
    print_message("about %d allocations\n", (int)n);
    assert_true(n > 20);
    leat_source_close(source);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_allocated_while_frames_flow), cmocka_unit_test(order_and_results_do_not_depend_on_replicas),
        cmocka_unit_test(stream_is_the_detector), cmocka_unit_test(finish_ends_an_endless_source), cmocka_unit_test(close_ends_a_running_stream),
        cmocka_unit_test(failures_keep_what_was_done), cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
