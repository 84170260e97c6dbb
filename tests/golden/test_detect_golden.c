/* test_detect_golden.c - detectors on photos, against ONNX Runtime and an independent decoder (detect_expect.py makes detect_expect.json).
 *
 * Each box must be there within half a pixel of the photo.
 * A box whose score is within 0.01 of the threshold may be missing or extra: the last bits decide there.
 */
#include "golden.h"
#include "leat/detect.h"
#include "leat/workload.h"

enum { MOST = 300 };
#define BORDER 0.01

static leat_detector *open_detector(const char *path, const leat_detector_options *options) {
    leat_model *model;
    leat_detector *detector;
    leat_model_options model_options;
    leat_error error = {0};
    leat_model_options_default(&model_options);
    model_options.threads = 2;
    if (leat_model_open(path, &model_options, &model, &error)) fail_msg("%s: %s", path, error.message);
    if (leat_detector_open(model, options, &detector, &error)) fail_msg("%s: %s", path, error.message);
    leat_model_unref(model);
    return detector;
}

static int detect_photo(leat_detector *detector, const char *photo, leat_detection *found) {
    char path[GOLDEN_PATH], rest[256];
    leat_image image;
    leat_error error = {0};
    int32_t count;
    snprintf(rest, sizeof rest, "photos/%s", photo);
    if (leat_image_load(golden_path(path, rest), NULL, &image, &error)) fail_msg("%s", error.message);
    if (leat_detector_run(detector, &image, 1, found, &count, NULL, &error)) fail_msg("%s: %s", photo, error.message);
    leat_image_free(&image);
    return count;
}

static double number(json_t *row, size_t i) { return json_number_value(json_array_get(row, i)); }

/* The larger of two distances; a NaN is the largest. */
static double larger(double a, double b) { return b <= a ? a : isnan(b) ? INFINITY : b; }

/* Largest distance of edges and points from the expected row, infinite for another class. */
static double distance(const leat_detection *d, json_t *row) {
    const float edges[4] = {d->x1, d->y1, d->x2, d->y2};
    double worst = 0;
    if (d->class_id != (int)number(row, 0)) return INFINITY;
    for (size_t i = 0; i < 4; i++) worst = larger(worst, fabs((double)edges[i] - number(row, 2 + i)));
    if (json_array_size(row) > 6 && d->landmarks != LEAT_LANDMARKS) return INFINITY;
    for (size_t i = 0; i + 6 < json_array_size(row); i++) worst = larger(worst, fabs((double)d->points[i / 2][i % 2] - number(row, 6 + i)));
    return worst;
}

/* Returns the number of boxes that differ. */
static int compare(const char *photo, const leat_detection *found, int count, json_t *rows, double least, double *worst, double *worst_score) {
    int wrong = 0, used[MOST] = {0};
    size_t r;
    json_t *row;
    json_array_foreach(rows, r, row) {
        int best = -1;
        for (int i = 0; i < count; i++)
            if (!used[i] && (best < 0 || distance(&found[i], row) < distance(&found[best], row))) best = i;
        double d = best < 0 ? INFINITY : distance(&found[best], row), s = best < 0 ? 1 : fabs((double)found[best].score - number(row, 1));
        if (d <= 0.5 && s <= BORDER) {
            used[best] = 1;
            *worst = fmax(*worst, d);
            *worst_score = fmax(*worst_score, s);
        } else if (number(row, 1) >= least + BORDER) {
            print_message("%s: class %d, score %.3f: the nearest box is %.2f pixels and %.4f away\n", photo, (int)number(row, 0), number(row, 1), d, s);
            wrong++;
        }
    }
    for (int i = 0; i < count; i++)
        if (!used[i] && (double)found[i].score >= least + BORDER) {
            print_message("%s: class %d, score %.3f is too much\n", photo, (int)found[i].class_id, (double)found[i].score);
            wrong++;
        }
    return wrong;
}

static void boxes_agree(const char *file, leat_decoder kind) {
    char path[GOLDEN_PATH], rest[256];
    json_t *all = json_load_file("tests/golden/detect_expect.json", 0, NULL), *entry, *expected = NULL, *rows;
    const char *photo;
    size_t i;
    snprintf(rest, sizeof rest, "detection/%s", file);
    golden_need(golden_path(path, rest));
    assert_non_null(all);
    json_array_foreach(all, i, entry) if (strcmp(json_string_value(json_object_get(entry, "model")), file) == 0) expected = entry;
    assert_non_null(expected);
    leat_detector_options options;
    leat_detector_info info;
    leat_detector_options_default(&options);
    options.nms.score = (float)json_number_value(json_object_get(expected, "score"));
    options.nms.iou = (float)json_number_value(json_object_get(expected, "iou"));
    leat_detector *detector = open_detector(path, &options);
    leat_detector_get_info(detector, &info);
    assert_int_equal(info.decoder, kind);
    int photos = 0, boxes = 0, wrong = 0;
    double worst = 0, worst_score = 0;
    json_object_foreach(json_object_get(expected, "photos"), photo, rows) {
        leat_detection found[MOST];
        int count = detect_photo(detector, photo, found);
        wrong += compare(photo, found, count, rows, (double)options.nms.score, &worst, &worst_score);
        photos++, boxes += count;
    }
    print_message("%s: %d photos, %d boxes, at most %.3f pixels and %.4f of score away\n", file, photos, boxes, worst, worst_score);
    leat_detector_close(detector);
    json_decref(all);
    assert_true(photos >= 3 && boxes >= 3);
    assert_int_equal(wrong, 0);
}

static void yolox_boxes(void **state) { boxes_agree("yolox_nano_416.onnx", LEAT_DECODER_YOLOX); }
static void nanodet_boxes(void **state) { boxes_agree("nanodet_m_320.onnx", LEAT_DECODER_NANODET); }
static void ultraface_boxes(void **state) { boxes_agree("ultraface_rfb_320.onnx", LEAT_DECODER_SSD); }
static void ultraface_offsets(void **state) { boxes_agree("ultraface_rfb_320_simplified.onnx", LEAT_DECODER_PRIORS); }
static void yunet_boxes(void **state) { boxes_agree("yunet_n_320.onnx", LEAT_DECODER_YUNET); }

/* The list of labels_shared.json, made with averaging when shrinking: the same number of each class. */
static void yolox_counts(void **state) {
    char path[GOLDEN_PATH];
    leat_labels *labels;
    leat_error error = {0};
    golden_need(golden_path(path, "detection/yolox_nano_416.onnx"));
    leat_detector_options options;
    leat_detector_options_default(&options);
    leat_decoder_preset(LEAT_DECODER_YOLOX, &options.preprocess);
    options.own_preprocess = 1;
    options.preprocess.antialias = 1;
    options.nms.score = 0.35f;
    leat_detector *detector = open_detector(path, &options);
    assert_int_equal(leat_labels_open(golden_path(path, "detection/coco80.txt"), &labels, &error), LEAT_OK);
    json_t *photos = json_load_file(golden_path(path, "photos/labels_shared.json"), 0, NULL), *entry;
    const char *photo;
    int wrong = 0, seen = 0;
    assert_non_null(photos);
    json_object_foreach(photos, photo, entry) {
        json_t *want = json_object_get(entry, "yolox_nano"), *row;
        leat_detection found[MOST];
        int want_of[80] = {0}, found_of[80] = {0}, count;
        size_t i;
        if (!want) continue;
        json_array_foreach(want, i, row) {
            char name[64];
            snprintf(name, sizeof name, "%s", json_string_value(json_array_get(row, 0)));
            for (char *c = name; *c; c++) *c = *c == '_' ? ' ' : *c;
            for (int k = 0; k < 80; k++) want_of[k] += strcmp(name, leat_labels_name(labels, k)) == 0;
        }
        count = detect_photo(detector, photo, found);
        for (int k = 0; k < count; k++) found_of[found[k].class_id]++;
        for (int k = 0; k < 80; k++) {
            if (want_of[k] != found_of[k]) print_message("%s: %d of %s, expected %d\n", photo, found_of[k], leat_labels_name(labels, k), want_of[k]);
            wrong += want_of[k] != found_of[k];
        }
        seen++;
    }
    json_decref(photos);
    leat_labels_close(labels);
    leat_detector_close(detector);
    assert_true(seen >= 20);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yolox_boxes), cmocka_unit_test(yolox_counts), cmocka_unit_test(nanodet_boxes), cmocka_unit_test(ultraface_boxes),
        cmocka_unit_test(ultraface_offsets), cmocka_unit_test(yunet_boxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
