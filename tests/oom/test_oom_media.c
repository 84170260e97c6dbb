/* test_oom_media.c - the n-th allocation fails in media, tensor files and the classifier, for every n: LEAT_ENOMEM, nothing leaks. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "leat/leat.h"

#define MOST 5000 /* allocations; more would mean that the count never ends */

static char folder[] = "/tmp/leat-oom-XXXXXX", png[64], jpeg[64], npy[64], labels_path[64];

static uint64_t live_bytes(void) {
    leat_memory_stats stats;
    uint64_t sum = 0;
    leat_memory_get(&stats);
    for (int i = 0; i < LEAT_MEMORY_TAGS; i++) sum += stats.live_bytes[i];
    return sum;
}

static int set_up(void **state) {
    (void)state;
    leat_image image;
    uint8_t bytes[6] = {1, 2, 3, 4, 5, 6};
    leat_tensor tensor = {.data = bytes, .dtype = LEAT_DTYPE_U8, .rank = 2, .dims = {2, 3}};
    leat_error error = {0};
    assert_non_null(mkdtemp(folder));
    snprintf(png, sizeof png, "%s/a.png", folder);
    snprintf(jpeg, sizeof jpeg, "%s/a.jpg", folder);
    snprintf(npy, sizeof npy, "%s/a.npy", folder);
    snprintf(labels_path, sizeof labels_path, "%s/labels", folder);
    assert_int_equal(leat_image_alloc(20, 10, &image), LEAT_OK);
    assert_int_equal(leat_image_save_png(png, &image, &error), LEAT_OK);
    assert_int_equal(leat_image_save_jpeg(jpeg, &image, 90, &error), LEAT_OK);
    assert_int_equal(leat_tensor_save_npy(npy, &tensor, &error), LEAT_OK);
    FILE *file = fopen(labels_path, "w");
    fputs("n01440764 tench\ngoldfish\r\nlast", file);
    fclose(file);
    leat_image_free(&image);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    unlink(png), unlink(jpeg), unlink(npy), unlink(labels_path);
    return rmdir(folder);
}

static int load(const char *path, leat_error *error) {
    leat_image image;
    int status = leat_image_load(path, NULL, &image, error);
    leat_image_free(&image);
    return status;
}

static int load_png(leat_error *error) { return load(png, error); }
static int load_jpeg(leat_error *error) { return load(jpeg, error); }

static int save_images(leat_error *error) {
    uint8_t pixels[48] = {0};
    leat_image image = {pixels, 4, 4, 12};
    int status = leat_image_save_png(png, &image, error);
    return status == LEAT_OK ? leat_image_save_jpeg(jpeg, &image, 80, error) : status;
}

static int load_and_save_tensor(leat_error *error) {
    leat_tensor tensor;
    int status = leat_tensor_load(npy, &tensor, error);
    if (status == LEAT_OK) status = leat_tensor_save_npy(npy, &tensor, error);
    leat_tensor_free(&tensor);
    return status;
}

static int open_labels(leat_error *error) {
    leat_labels *labels;
    int status = leat_labels_open(labels_path, &labels, error);
    if (status == LEAT_OK) {
        assert_int_equal(leat_labels_count(labels), 3);
        assert_string_equal(leat_labels_name(labels, 0), "tench");
        assert_string_equal(leat_labels_name(labels, 1), "goldfish");
        assert_string_equal(leat_labels_name(labels, 2), "last");
        assert_null(leat_labels_name(labels, 3));
    }
    leat_labels_close(labels);
    return status;
}

static int classify(leat_error *error) {
    leat_model *model;
    leat_model_options options;
    leat_classifier *classifier;
    leat_model_options_default(&options);
    options.threads = 1;
    int status = leat_model_open("models/abacus_cells.onnx", &options, &model, error);
    if (status != LEAT_OK) return status;
    status = leat_classifier_open(model, NULL, &classifier, error);
    leat_classifier_close(classifier);
    leat_model_unref(model);
    return status;
}

/* Runs `work` with the n-th allocation failing, n = 1, 2, ... until it passes without one. */
static void fail_everywhere(int (*work)(leat_error *), int stride) {
    leat_error error = {0};
    assert_int_equal(work(&error), LEAT_OK);
    uint64_t before = live_bytes();
    int failures = 0;
    for (uint64_t n = 1;; n += (uint64_t)stride) {
        assert_true(n < MOST);
        leat__alloc_fail_at(n, 1);
        int status = work(&error);
        leat__alloc_fail_at(0, 0);
        assert_int_equal(live_bytes(), before);
        if (status == LEAT_OK) break;
        assert_int_equal(status, LEAT_ENOMEM);
        failures++;
    }
    assert_true(failures > 0);
}

static int open_font(leat_error *error) {
    leat_font *font;
    int status = leat_font_open(NULL, 12, &font, error);
    leat_font_close(font);
    return status;
}

static void test_png(void **state) { (void)state; fail_everywhere(load_png, 1); }
static void test_jpeg(void **state) { (void)state; fail_everywhere(load_jpeg, 1); }
static void test_saving(void **state) { (void)state; fail_everywhere(save_images, 1); }
static void test_tensor_files(void **state) { (void)state; fail_everywhere(load_and_save_tensor, 1); }
static void test_labels(void **state) { (void)state; fail_everywhere(open_labels, 1); }
static void test_font(void **state) {
    (void)state;
    leat_error error;
    if (open_font(&error) == LEAT_EIO) {
        printf("skipped: %s\n", error.message);
        skip();
    }
    fail_everywhere(open_font, 1);
}
static void test_classifier(void **state) { (void)state; fail_everywhere(classify, 7); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png),          cmocka_unit_test(test_jpeg),   cmocka_unit_test(test_saving),
        cmocka_unit_test(test_tensor_files), cmocka_unit_test(test_labels), cmocka_unit_test(test_classifier),
        cmocka_unit_test(test_font),
    };
    return cmocka_run_group_tests_name("oom media", tests, set_up, tear_down);
}
