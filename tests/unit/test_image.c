/* test_image.c - JPEG and PNG in and out, every PNG layout, hostile and truncated files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <png.h>

#include "base/file.h"
#include "base/mem.h"
#include "leat/media.h"

static char path[64];

static int set_up(void **state) {
    (void)state;
    strcpy(path, "/tmp/leat-image-XXXXXX");
    close(mkstemp(path));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return unlink(path);
}

static void make_gradient(leat_image *image, int width, int height) {
    assert_int_equal(leat_image_alloc(width, height, image), LEAT_OK);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *p = image->data + y * image->stride + 3 * x;
            p[0] = (uint8_t)(x * 255 / width);
            p[1] = (uint8_t)(y * 255 / height);
            p[2] = (uint8_t)(128 + (x + y) % 64);
        }
}

static void test_png_round_trip_is_exact(void **state) {
    leat_image a, b;
    leat_error e = {0};
    make_gradient(&a, 37, 23);
    assert_int_equal(leat_image_save_png(path, &a, &e), LEAT_OK);
    assert_int_equal(leat_image_load(path, NULL, &b, &e), LEAT_OK);
    assert_int_equal(b.width, 37);
    assert_int_equal(b.height, 23);
    assert_memory_equal(a.data, b.data, 37 * 23 * 3);
    leat_image_free(&a);
    leat_image_free(&b);
}

static void test_jpeg_round_trip_is_close(void **state) {
    leat_image a, b;
    leat_error e = {0};
    make_gradient(&a, 64, 48);
    assert_int_equal(leat_image_save_jpeg(path, &a, 95, &e), LEAT_OK);
    assert_int_equal(leat_image_load(path, NULL, &b, &e), LEAT_OK);
    double sum = 0;
    for (int i = 0; i < 64 * 48 * 3; i++) sum += abs(a.data[i] - b.data[i]);
    assert_true(sum / (64 * 48 * 3) < 6);
    leat_image_free(&a);
    leat_image_free(&b);
}

/* Writes a 2 x 1 PNG of the given layout with libpng itself. */
static void write_png(int depth, int colour, int interlace, const uint8_t *row, size_t trns) {
    static const png_color palette[2] = {{10, 20, 30}, {200, 100, 50}};
    static const uint8_t   alpha[2] = {0, 255};
    FILE       *f = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop   info = png_create_info_struct(png);
    png_init_io(png, f);
    png_set_IHDR(png, info, 2, 1, depth, colour, interlace, 0, 0);
    if (colour == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 2);
    if (trns) png_set_tRNS(png, info, alpha, (int)trns, NULL);
    png_write_info(png, info);
    if (interlace) png_set_interlace_handling(png);
    png_bytep rows[1] = {(png_bytep)(uintptr_t)row};
    png_write_image(png, rows);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(f);
}

static void expect_pixels(const uint8_t expected[6], const leat_image_options *options) {
    leat_image image;
    leat_error e = {0};
    int status = leat_image_load(path, options, &image, &e);
    if (status != LEAT_OK) print_message("%s\n", e.message);
    assert_int_equal(status, LEAT_OK);
    assert_memory_equal(image.data, expected, 6);
    leat_image_free(&image);
}

static void test_png_layouts(void **state) {
    leat_image_options black;
    leat_image_options_default(&black);
    memset(black.background, 0, 3);
    write_png(8, PNG_COLOR_TYPE_GRAY, 0, (const uint8_t[]){7, 200}, 0);
    expect_pixels((const uint8_t[]){7, 7, 7, 200, 200, 200}, NULL);
    write_png(1, PNG_COLOR_TYPE_GRAY, 0, (const uint8_t[]){0x40}, 0);
    expect_pixels((const uint8_t[]){0, 0, 0, 255, 255, 255}, NULL);
    write_png(16, PNG_COLOR_TYPE_GRAY, 0, (const uint8_t[]){0x80, 0x80, 0xff, 0xff}, 0);
    expect_pixels((const uint8_t[]){128, 128, 128, 255, 255, 255}, NULL);
    write_png(16, PNG_COLOR_TYPE_RGB, 1, (const uint8_t[]){1, 1, 2, 2, 3, 3, 0xfe, 0xfe, 0xfd, 0xfd, 0xfc, 0xfc}, 0);
    expect_pixels((const uint8_t[]){1, 2, 3, 254, 253, 252}, NULL);
    write_png(4, PNG_COLOR_TYPE_PALETTE, 0, (const uint8_t[]){0x10}, 0);
    expect_pixels((const uint8_t[]){200, 100, 50, 10, 20, 30}, NULL);
    write_png(8, PNG_COLOR_TYPE_PALETTE, 0, (const uint8_t[]){0, 1}, 2);
    expect_pixels((const uint8_t[]){255, 255, 255, 200, 100, 50}, NULL);
    expect_pixels((const uint8_t[]){0, 0, 0, 200, 100, 50}, &black);
    write_png(8, PNG_COLOR_TYPE_RGB_ALPHA, 1, (const uint8_t[]){100, 200, 0, 255, 100, 200, 0, 51}, 0);
    expect_pixels((const uint8_t[]){100, 200, 0, 20, 40, 0}, &black);
    write_png(8, PNG_COLOR_TYPE_GRAY_ALPHA, 0, (const uint8_t[]){90, 255, 90, 0}, 0);
    expect_pixels((const uint8_t[]){90, 90, 90, 255, 255, 255}, NULL);
}

static void test_what_is_no_image_is_refused(void **state) {
    leat_image image;
    leat_error e = {0};
    assert_int_equal(leat_image_load("/nonexistent/x.png", NULL, &image, &e), LEAT_EIO);
    assert_non_null(strstr(e.message, "/nonexistent/x.png"));
    leat__write_file(path, "GIF89a", 6, &e);
    assert_int_equal(leat_image_load(path, NULL, &image, &e), LEAT_EUNSUPPORTED);
    assert_non_null(strstr(e.message, path));
    assert_int_equal(leat_image_decode("", 0, NULL, &image, &e), LEAT_EUNSUPPORTED);
}

static void test_pixel_limit(void **state) {
    leat_image         a, b;
    leat_error         e = {0};
    leat_image_options options;
    leat_image_options_default(&options);
    options.max_pixels = 99;
    make_gradient(&a, 10, 10);
    leat_image_save_png(path, &a, &e);
    assert_int_equal(leat_image_load(path, &options, &b, &e), LEAT_ELIMIT);
    leat_image_save_jpeg(path, &a, 90, &e);
    assert_int_equal(leat_image_load(path, &options, &b, &e), LEAT_ELIMIT);
    assert_null(b.data);
    leat_image_free(&a);
}

/* Cuts and flips bytes of what is in `path`: every cut must fail, a flip may pass or fail but not crash or leak. */
static void maltreat(void) {
    char      *file = NULL;
    size_t     n = 0;
    leat_image image;
    leat_error e = {0};
    assert_int_equal(leat__read_file(path, 1 << 20, &file, &n, &e), LEAT_OK);
    for (size_t cut = 0; cut + 12 < n; cut += 7) assert_int_not_equal(leat_image_decode(file, cut, NULL, &image, &e), LEAT_OK);
    for (size_t at = 0; at < n; at++) {
        char kept = file[at];
        file[at] = (char)(kept ^ (1 << (at % 8)));
        if (leat_image_decode(file, n, NULL, &image, &e) == LEAT_OK) leat_image_free(&image);
        assert_null(image.data);
        file[at] = kept;
    }
    leat__free(file);
}

static void test_broken_files_do_no_harm(void **state) {
    leat_image        a;
    leat_error        e = {0};
    leat_memory_stats before, after;
    leat_memory_get(&before);
    make_gradient(&a, 40, 30);
    leat_image_save_png(path, &a, &e);
    maltreat();
    leat_image_save_jpeg(path, &a, 80, &e);
    maltreat();
    leat_image_free(&a);
    leat_memory_get(&after);
    assert_int_equal(after.live_bytes[LEAT_MEMORY_IO], before.live_bytes[LEAT_MEMORY_IO]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_png_round_trip_is_exact), cmocka_unit_test(test_jpeg_round_trip_is_close),
        cmocka_unit_test(test_png_layouts),             cmocka_unit_test(test_what_is_no_image_is_refused),
        cmocka_unit_test(test_pixel_limit),             cmocka_unit_test(test_broken_files_do_no_harm),
    };
    return cmocka_run_group_tests_name("image", tests, set_up, tear_down);
}
