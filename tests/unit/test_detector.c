/* test_detector.c - the detector over a network that passes its image through: batches, buffers in place or apart, crop, refused models.
 *
 * The network is a Reshape of [N, 3, 64, 64] to [N, 2048, 6], read as YOLOv5: the red plane's first pixels are the boxes (cx cy w h, objectness, score) in
 * pixels below 1, so images are written box by box.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/mem.h"
#include "leat/detect.h"
#include "leat/video.h"
#include "onnx_writer.h"

enum { SIDE = 64, BATCH = 3, MOST = 300 };

static uint8_t *network;

static leat_model *open_network(const char *node, int64_t channels, const int64_t *shape, int rank) {
    const int64_t in_dims[4] = {-1, channels, SIDE, SIDE};
    const int64_t count = rank;
    pb graph = {0}, in = onnx_value("images", 1, 4, in_dims), out = onnx_value("y", 1, -1, NULL);
    pb step = onnx_node(node), dims = onnx_tensor("shape", 7, 1, &count, shape, (size_t)rank * sizeof *shape);
    pb_text(&graph, 2, "g");
    pb_message(&graph, 1, &step);
    pb_message(&graph, 5, &dims);
    pb_message(&graph, 11, &in);
    pb_message(&graph, 12, &out);
    pb file = onnx_model(&graph);
    leat_model *model;
    leat_error error = {0};
    if (leat_model_open_memory(file.data, file.n, NULL, &model, &error)) fail_msg("%s", error.message);
    network = file.data; /* borrowed by the model */
    return model;
}

static void close_network(leat_model *model) {
    leat_model_unref(model);
    free(network);
}

static leat_model *pass_through(void) { return open_network("Reshape images,shape -> y", 3, (const int64_t[]){0, 2048, 6}, 3); }

static leat_detector_options raw_options(int batch) {
    leat_detector_options o;
    leat_detector_options_default(&o);
    leat_preprocess_default(&o.preprocess);
    o.own_preprocess = 1;
    o.preprocess.width = o.preprocess.height = 0;
    o.preprocess.fit = LEAT_FIT_STRETCH;
    o.preprocess.antialias = LEAT_ANTIALIAS_NONE;
    o.preprocess.scale = 1.0f / 255;
    for (int c = 0; c < 3; c++) o.preprocess.mean[c] = 0, o.preprocess.std[c] = 1;
    o.batch = batch;
    return o;
}

/* Box `row` of the image: red values of six pixels, in 255ths. */
static void put(leat_image *image, int row, const uint8_t values[6]) {
    for (int i = 0; i < 6; i++) image->data[(size_t)((row * 6 + i) / SIDE) * (size_t)image->stride + 3 * (size_t)((row * 6 + i) % SIDE)] = values[i];
}

static leat_detector *open_detector(leat_model *model, const leat_detector_options *o) {
    leat_detector *d;
    leat_error error = {0};
    if (leat_detector_open(model, o, &d, &error)) fail_msg("%s", error.message);
    return d;
}

static void make_images(leat_image *images) {
    for (int i = 0; i < BATCH; i++) {
        assert_int_equal(leat_image_alloc(SIDE, SIDE, &images[i]), LEAT_OK);
        for (int k = 0; k <= i; k++) put(&images[i], 5 + 9 * k, (const uint8_t[]){(uint8_t)(60 + 60 * k), 100, 40, 80, 255, (uint8_t)(204 - 10 * i)});
    }
}

static void check_image(int i, const leat_detection *d, int count) {
    assert_int_equal(count, i + 1); /* as many boxes as make_images() wrote */
    for (int k = 0; k < count; k++) {
        assert_true(fabsf(d[k].score - (float)(204 - 10 * i) / 255) < 1e-5f);
        assert_true(fabsf(d[k].y1 - 60.0f / 255) < 1e-5f && fabsf(d[k].y2 - 140.0f / 255) < 1e-5f);
    }
    assert_true(fabsf(d[0].x1 - 40.0f / 255) < 1e-5f); /* equal scores: in order of anchors */
}

static void batches_of_any_size(void **state) {
    leat_image images[BATCH];
    leat_model *model = pass_through();
    static leat_detection found[BATCH * MOST];
    int32_t counts[BATCH];
    leat_detect_times times[BATCH];
    leat_error error = {0};
    make_images(images);
    for (int batch = 1; batch <= BATCH; batch++) {
        leat_detector_options o = raw_options(batch);
        leat_detector_info info;
        leat_detector *d = open_detector(model, &o);
        leat_detector_get_info(d, &info);
        assert_int_equal(info.batch, batch);
        assert_int_equal(info.anchors, 2048);
        assert_int_equal(info.decoder, LEAT_DECODER_YOLOV5);
        for (int n = 1; n <= batch; n++)
            for (int first = 0; first + n <= BATCH; first++) {
                uint64_t before = leat__thread_hot_allocations();
                leat__hot_enter();
                assert_int_equal(leat_detector_run(d, images + first, n, found, counts, times, &error), LEAT_OK);
                leat__hot_leave();
                assert_int_equal(leat__thread_hot_allocations(), before);
                for (int i = 0; i < n; i++) {
                    check_image(first + i, found + i * MOST, counts[i]);
                    assert_int_equal(times[i].candidates, first + i + 1);
                }
            }
        assert_int_equal(leat_detector_run(d, images, batch + 1, found, counts, times, &error), LEAT_EINVAL);
        assert_int_equal(leat_detector_run(d, images, 0, found, counts, times, &error), LEAT_EINVAL);
        leat_detector_close(d);
    }
    for (int i = 0; i < BATCH; i++) leat_image_free(&images[i]);
    close_network(model);
}

/* Prepared inputs side by side are read in place, scattered ones are gathered; both give the same. */
static void inputs_together_or_apart(void **state) {
    leat_image images[BATCH];
    leat_model *model = pass_through();
    static leat_detection found[BATCH * MOST];
    leat_detect_view views[BATCH];
    int32_t counts[BATCH];
    leat_error error = {0};
    leat_detector_options o = raw_options(BATCH);
    leat_detector *d = open_detector(model, &o);
    leat_detector_info info;
    leat_detector_get_info(d, &info);
    make_images(images);
    char *room = leat__alloc(info.input_bytes * (2 * BATCH), LEAT_MEMORY_IO), *scratch = leat__alloc(info.scratch_bytes, LEAT_MEMORY_IO);
    for (int gap = 1; gap <= 2; gap++) {
        const void *inputs[BATCH];
        for (int i = 0; i < BATCH; i++) {
            inputs[i] = room + (size_t)(i * gap) * info.input_bytes;
            assert_int_equal(leat_detector_prepare_image(d, &images[i], room + (size_t)(i * gap) * info.input_bytes, scratch, &views[i]), LEAT_OK);
        }
        for (int n = 1; n <= BATCH; n++) {
            assert_int_equal(leat_detector_infer(d, inputs, views, n, found, counts, NULL, &error), LEAT_OK);
            for (int i = 0; i < n; i++) check_image(i, found + i * MOST, counts[i]);
        }
    }
    leat__free(room);
    leat__free(scratch);
    for (int i = 0; i < BATCH; i++) leat_image_free(&images[i]);
    leat_detector_close(d);
    close_network(model);
}

/* The crop of a larger picture is seen as if it were the picture; boxes come back in the larger one's pixels. */
static void crop_is_looked_at_alone(void **state) {
    leat_image large, part;
    leat_model *model = pass_through();
    static leat_detection found[MOST];
    int32_t count;
    leat_error error = {0};
    leat_detector_options o = raw_options(1);
    o.crop = (leat_rect){30, 20, SIDE, SIDE};
    leat_detector *d = open_detector(model, &o);
    assert_int_equal(leat_image_alloc(200, 100, &large), LEAT_OK);
    part = (leat_image){large.data + 20 * large.stride + 3 * 30, SIDE, SIDE, large.stride};
    put(&part, 3, (const uint8_t[]){100, 100, 40, 80, 255, 204});
    put(&large, 0, (const uint8_t[]){100, 100, 40, 80, 255, 255}); /* outside */
    assert_int_equal(leat_detector_run(d, &large, 1, found, &count, NULL, &error), LEAT_OK);
    assert_int_equal(count, 1);
    assert_true(fabsf(found[0].x1 - (30 + 80.0f / 255)) < 1e-4f && fabsf(found[0].y2 - (20 + 140.0f / 255)) < 1e-4f);
    leat_image small = {large.data, 20, 10, large.stride};
    assert_int_equal(leat_detector_run(d, &small, 1, found, &count, NULL, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "20 x 10"));
    leat_image_free(&large);
    leat_detector_close(d);
    close_network(model);
}

static void refused(leat_model *model, const leat_detector_options *o, int status, const char *text) {
    leat_detector *d = NULL;
    leat_error error = {0};
    int got = leat_detector_open(model, o, &d, &error);
    if (got != status) fail_msg("status %d (%s), expected %d", got, error.message, status);
    assert_null(d);
    if (!strstr(error.message, text)) fail_msg("'%s' lacks '%s'", error.message, text);
}

static void models_that_do_not_fit(void **state) {
    leat_detector_options o = raw_options(1);
    leat_model *model = pass_through();
    o.preprocess.width = 32;
    refused(model, &o, LEAT_ESHAPE, "32 x 0 was asked for");
    o = raw_options(1);
    o.decoder = LEAT_DECODER_YUNET;
    refused(model, &o, LEAT_ESHAPE, "yunet");
    o = raw_options(257);
    refused(model, &o, LEAT_EINVAL, "batch 257");
    o = raw_options(1);
    o.nms.max_kept = 0;
    refused(model, &o, LEAT_EINVAL, "most 0");
    o = raw_options(1);
    o.preprocess.std[1] = 0;
    refused(model, &o, LEAT_EUNSUPPORTED, "no preprocessing");
    close_network(model);
    model = open_network("Reshape images,shape -> y", 5, (const int64_t[]){0, -1}, 2);
    o = raw_options(1);
    refused(model, &o, LEAT_EUNSUPPORTED, "5 channels");
    close_network(model);
    model = open_network("Reshape images,shape -> y", 3, (const int64_t[]){-1}, 1);
    refused(model, &o, LEAT_EUNSUPPORTED, "no decoder");
    close_network(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_of_any_size), cmocka_unit_test(inputs_together_or_apart), cmocka_unit_test(crop_is_looked_at_alone),
        cmocka_unit_test(models_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
