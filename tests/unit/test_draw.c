/* test_draw.c - drawing on frames: a stored picture, all formats alike, clipping, blending, text, no allocation.
 *
 * LEAT_GOLDEN_WRITE=FILE.png writes the picture that is compared with tests/unit/draw_golden.png; look at it before it is stored.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "leat/draw.h"
#include "media/draw_raster.h"
#include "media/font.h"

#define SEED 20261122
#define WIDTH 400
#define HEIGHT 240
#define MARGIN 64
#define CANARY 0xa5

static uint32_t counter;
static float uniform(void) { return leat__rng_uniformf(SEED, 2, counter++); }
static int below(int n) { return (int)(uniform() * (float)n); }

static leat_font *font;

/* The machine may lack the font; tests that need it then say so. */
static int open_font(void **state) {
    leat_error error;
    (void)state;
    int status = leat_font_open(NULL, 16, &font, &error);
    if (status != LEAT_OK) printf("skipped what needs a font: %s\n", error.message);
    return status == LEAT_OK || status == LEAT_EIO ? 0 : -1;
}

static int close_font(void **state) {
    (void)state;
    leat_font_close(font);
    return 0;
}

/* ---- a picture with everything ---------------------------------------------------------------------------------------------- */

static void draw_everything(leat_frame *f) {
    leat_rgba blue = LEAT_RGBA(0, 180, 255, 255);
    leat_draw_fill(f, 0, 0, f->width, f->height, LEAT_RGBA(40, 60, 50, 255));
    leat_draw_fill(f, 210, 20, 90, 60, LEAT_RGBA(200, 120, 40, 255));
    leat_draw_fill(f, 250, 50, 90, 60, LEAT_RGBA(40, 90, 220, 128));
    leat_draw_box(f, (float[]){30, 60, 130, 140}, 2, leat_draw_palette(0));
    leat_draw_label(f, font, 30, 60, "coin 0.97 #12", leat_draw_palette(0));
    leat_draw_brackets(f, (float[]){150, 100, 251, 181}, blue);
    leat_draw_label(f, font, 150, 100, "Perle \xc3\xa4\xc3\xb6\xc3\xbc \xce\xb1\xce\xb2 \xd0\x96 \xe2\x82\xac", leat_draw_palette(1));
    leat_draw_box(f, (float[]){350, 190, 460, 300}, 3, leat_draw_palette(2));
    leat_draw_label(f, font, 370, 190, "pushed inside", leat_draw_palette(2));
    leat_draw_box(f, (float[]){-20, -10, 60, 30}, 2, leat_draw_palette(3));
    leat_draw_label(f, font, -20, -10, "top left", leat_draw_palette(3));
    leat_draw_line(f, 270, 130, 330, 170, 3, LEAT_RGBA(255, 255, 0, 255));
    leat_draw_line(f, 330, 170, 390, 120, 1, LEAT_RGBA(255, 255, 255, 200));
    leat_draw_disc(f, 330, 170, 6, LEAT_RGBA(255, 0, 80, 255));
    leat_draw_bar(f, 360, 20, 24, 90, 4, 4, 0.6f);
    leat_draw_panel(f, font, 2, "preprocess  0.47 ms\ninfer  6.1 ms\nfps  142");
}

static double psnr(const leat_image *a, const leat_image *b) {
    double sum = 0;
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    for (int y = 0; y < a->height; y++)
        for (int i = 0; i < 3 * a->width; i++) {
            double d = (double)a->data[y * a->stride + i] - (double)b->data[y * b->stride + i];
            sum += d * d;
        }
    return sum > 0 ? 10 * log10(255.0 * 255.0 * 3 * a->width * a->height / sum) : 100;
}

static void draw_rgb(leat_image *image) {
    leat_frame frame;
    assert_int_equal(leat_image_alloc(WIDTH, HEIGHT, image), LEAT_OK);
    assert_int_equal(leat_frame_from_image(image, &frame), LEAT_OK);
    draw_everything(&frame);
}

static void test_stored_picture(void **state) {
    (void)state;
    leat_image drawn, stored;
    leat_error error;
    if (!font) skip();
    draw_rgb(&drawn);
    const char *write = getenv("LEAT_GOLDEN_WRITE");
    if (write) assert_int_equal(leat_image_save_png(write, &drawn, NULL), LEAT_OK);
    if (leat_image_load("tests/unit/draw_golden.png", NULL, &stored, &error) != LEAT_OK) fail_msg("%s", error.message);
    double like = psnr(&drawn, &stored);
    if (like < 38) fail_msg("the picture differs from tests/unit/draw_golden.png: %.1f dB", like); /* another FreeType moves edges a little */
    leat_image_free(&drawn);
    leat_image_free(&stored);
}

/* What is drawn on a frame of any format, converted, is what is drawn on RGB, up to the format's chroma. */
static void test_every_format(void **state) {
    (void)state;
    leat_image rgb, back;
    if (!font) skip();
    draw_rgb(&rgb);
    for (int format = 0; format < LEAT_PIXEL_COUNT; format++)
        for (int k = 0; k < 4; k++) {
            leat_frame frame = {.matrix = (leat_color_matrix)(k & 1), .full_range = k >> 1}, view;
            uint8_t   *buffer = leat__calloc(1, leat_frame_bytes((leat_pixel_format)format, WIDTH, HEIGHT), LEAT_MEMORY_OTHER);
            assert_int_equal(leat_frame_layout(&frame, (leat_pixel_format)format, WIDTH, HEIGHT, buffer), LEAT_OK);
            draw_everything(&frame);
            assert_int_equal(leat_image_alloc(WIDTH, HEIGHT, &back), LEAT_OK);
            leat_frame_from_image(&back, &view);
            assert_int_equal(leat_frame_convert(&frame, &view), LEAT_OK);
            double like = psnr(&rgb, &back), least = format < LEAT_PIXEL_UYVY ? 99 : format < LEAT_PIXEL_NV12 ? 27 : 25;
            if (like < least) fail_msg("%s: %.1f dB", leat_pixel_format_name((leat_pixel_format)format), like);
            leat__free(buffer);
            leat_image_free(&back);
        }
    leat_image_free(&rgb);
}

/* ---- clipping ------------------------------------------------------------------------------------------------------------- */

static int planes_of(leat_pixel_format f) { return f == LEAT_PIXEL_NV12 ? 2 : f == LEAT_PIXEL_I420 ? 3 : 1; }

/* Planes with a margin around every row, so that a write outside shows. */
static uint8_t *open_margins(leat_frame *f, leat_pixel_format format, int width, int height, size_t *bytes) {
    leat_frame tight;
    uint8_t    unused[1];
    *bytes = 0;
    leat_frame_layout(&tight, format, width, height, unused);
    *f = tight;
    for (int i = 0; i < planes_of(format); i++) *bytes += (size_t)(tight.stride[i] + 2 * MARGIN) * (size_t)((i ? (height + 1) / 2 : height) + 2);
    uint8_t *buffer = leat__alloc(*bytes, LEAT_MEMORY_OTHER), *at = buffer;
    memset(buffer, CANARY, *bytes);
    for (int i = 0; i < planes_of(format); i++) {
        int rows = i ? (height + 1) / 2 : height;
        f->stride[i] = tight.stride[i] + 2 * MARGIN;
        f->plane[i] = at + f->stride[i] + MARGIN;
        for (int y = 0; y < rows; y++) memset(f->plane[i] + y * f->stride[i], 0, (size_t)tight.stride[i]);
        at += f->stride[i] * (rows + 2);
    }
    return buffer;
}

static void check_margins(const leat_frame *f, const uint8_t *buffer, size_t bytes) {
    leat_frame tight;
    uint8_t    unused[1], *copy = leat__alloc(bytes, LEAT_MEMORY_OTHER);
    leat_frame_layout(&tight, f->format, f->width, f->height, unused);
    memcpy(copy, buffer, bytes);
    for (int i = 0; i < planes_of(f->format); i++)
        for (int y = 0; y < (i ? (f->height + 1) / 2 : f->height); y++)
            memset(copy + (f->plane[i] - buffer) + y * f->stride[i], CANARY, (size_t)tight.stride[i]);
    for (size_t i = 0; i < bytes; i++) assert_int_equal(copy[i], CANARY);
    leat__free(copy);
}

static float wild(int side) {
    static const float odd[] = {NAN, INFINITY, -INFINITY, 3e38f, -3e38f, 1e7f, 0, -0.0f};
    return below(12) ? (uniform() * 3 - 1) * (float)side : odd[below(8)];
}

static int wild_int(int side) {
    static const int odd[] = {INT32_MAX, INT32_MIN, 0, -1, 65535, 1 << 30};
    return below(8) ? below(3 * side) - side : odd[below(6)];
}

static void draw_wildly(leat_frame *f) {
    static const char *const texts[] = {"", "a", "label 0.99\nsecond line", "\xff\xc3\x28\xe2\x82", "\xf0\x9f\x98\x80 long long long long long long long", "\n\n\n"};
    int        w = f->width, h = f->height;
    leat_rgba  color = (leat_rgba)below(1 << 23) << 9 | (leat_rgba)below(512);
    const char *text = texts[below(6)];
    switch (below(9)) {
    case 0: leat_draw_fill(f, wild_int(w), wild_int(h), wild_int(w), wild_int(h), color); break;
    case 1: leat_draw_box(f, (float[]){wild(w), wild(h), wild(w), wild(h)}, wild_int(9), color); break;
    case 2: leat_draw_brackets(f, (float[]){wild(w), wild(h), wild(w), wild(h)}, color); break;
    case 3: leat_draw_line(f, wild(w), wild(h), wild(w), wild(h), wild(20), color); break;
    case 4: leat_draw_disc(f, wild(w), wild(h), wild(40), color); break;
    case 5: leat_draw_bar(f, wild_int(w), wild_int(h), wild_int(w), wild_int(h), wild_int(9), wild_int(9), wild(1)); break;
    case 6: leat_draw_text(f, font, wild_int(w), wild_int(h), text, color); break;
    case 7: leat_draw_label(f, font, wild_int(w), wild_int(h), text, color); break;
    default: leat_draw_panel(f, font, wild_int(5), text);
    }
}

static void test_nothing_leaves_the_frame(void **state) {
    (void)state;
    for (int round = 0; round < 24; round++)
        for (int format = 0; format < LEAT_PIXEL_COUNT; format++) {
            leat_frame f;
            size_t     bytes;
            int        width = round < 6 ? 1 + round % 3 : 1 + below(150), height = round < 6 ? 1 + round / 3 : 1 + below(150);
            uint8_t   *buffer = open_margins(&f, (leat_pixel_format)format, width, height, &bytes);
            uint64_t   before = leat__thread_hot_allocations();
            leat__hot_enter();
            for (int i = 0; i < 60; i++) draw_wildly(&f);
            leat__hot_leave();
            assert_int_equal(leat__thread_hot_allocations(), before);
            check_margins(&f, buffer, bytes);
            leat__free(buffer);
        }
}

/* ---- values --------------------------------------------------------------------------------------------------------------- */

static void test_opaque_is_exact_and_alpha_blends_once(void **state) {
    (void)state;
    leat_image image;
    leat_frame f;
    assert_int_equal(leat_image_alloc(60, 60, &image), LEAT_OK);
    leat_frame_from_image(&image, &f);
    leat_draw_fill(&f, 3, 5, 7, 2, LEAT_RGBA(1, 130, 255, 255));
    for (int y = 0; y < 60; y++)
        for (int x = 0; x < 60; x++) {
            const uint8_t *at = image.data + y * image.stride + 3 * x;
            int inside = x >= 3 && x < 10 && y >= 5 && y < 7;
            assert_true(at[0] == (inside ? 1 : 0) && at[1] == (inside ? 130 : 0) && at[2] == (inside ? 255 : 0));
        }
    memset(image.data, 0, (size_t)image.stride * 60);
    leat_draw_box(&f, (float[]){10, 10, 51, 41}, 4, LEAT_RGBA(255, 255, 255, 128));
    leat_draw_brackets(&f, (float[]){0, 0, 8, 9}, LEAT_RGBA(255, 255, 255, 128));
    for (int i = 0; i < 60 * 60 * 3; i++) assert_true(image.data[i] <= 128); /* no pixel twice */
    assert_int_equal(image.data[10 * image.stride + 30], 128);
    assert_int_equal(image.data[13 * image.stride + 3 * 50], 128);
    assert_int_equal(image.data[14 * image.stride + 3 * 14], 0);
    leat_image_free(&image);
}

static void test_chroma_follows_coverage(void **state) {
    (void)state;
    uint8_t    buffer[6 * 4 + 2 * 3 * 2];
    leat_frame f = {.matrix = LEAT_MATRIX_BT601, .full_range = 1};
    assert_int_equal(leat_frame_layout(&f, LEAT_PIXEL_I420, 6, 4, buffer), LEAT_OK);
    memset(buffer, 0, 24), memset(buffer + 24, 128, 12);
    leat_draw_fill(&f, 1, 0, 3, 2, LEAT_RGBA(255, 0, 0, 255)); /* half of the first chroma sample, all of the second */
    assert_true(buffer[0] == 0 && buffer[1] == 76 && buffer[3] == 76 && buffer[4] == 0);
    assert_int_equal(f.plane[2][0], 192);
    assert_int_equal(f.plane[2][1], 255);
    assert_int_equal(f.plane[2][2], 128);
    assert_int_equal(f.plane[1][1], 85);
}

/* An opaque fill, which has a way of its own, gives what the same fill by blending would. */
static void test_fills_at_odd_places(void **state) {
    (void)state;
    for (int round = 0; round < 400; round++) {
        leat_frame a = {.matrix = LEAT_MATRIX_BT709}, b = a;
        int        width = 1 + below(24), height = 1 + below(24), x = below(30) - 4, y = below(30) - 4, w = below(30), h = below(30);
        leat_pixel_format format = (leat_pixel_format)(round % LEAT_PIXEL_COUNT);
        size_t     bytes = leat_frame_bytes(format, width, height);
        uint8_t    one[24 * 24 * 4 + 64], two[24 * 24 * 4 + 64];
        for (size_t i = 0; i < bytes; i++) one[i] = two[i] = (uint8_t)below(256);
        assert_int_equal(leat_frame_layout(&a, format, width, height, one), LEAT_OK);
        assert_int_equal(leat_frame_layout(&b, format, width, height, two), LEAT_OK);
        leat_draw_fill(&a, x, y, w, h, LEAT_RGBA(250, 20, 90, 255));
        leat__raster(&b, LEAT_RGBA(250, 20, 90, 255), x, y, x + w, y + h, NULL, NULL);
        assert_memory_equal(one, two, bytes);
    }
}

static void test_text(void **state) {
    (void)state;
    if (!font) skip();
    assert_int_equal(leat_font_width(font, ""), 0);
    assert_int_equal(leat_font_width(font, "ab\nabcd\n"), leat_font_width(font, "abcd"));
    assert_true(leat_font_width(font, "iiii") < leat_font_width(font, "MMMM"));
    assert_true(leat_font_line_height(font) >= 16 && leat_font_line_height(font) < 32);
    static const struct { const char *text; uint32_t codes[4]; } cases[] = {
        {"a\xc3\xa4", {'a', 0xe4, 0}}, {"\xe2\x82\xac", {0x20ac, 0}}, {"\xf0\x9f\x98\x80", {0x1f600, 0}}, {"\x80z", {0xfffd, 'z', 0}},
        {"\xc3", {0xfffd, 0}}, {"\xe2\x82z", {0xfffd, 'z', 0}}, {"\xc0\x80", {0xfffd, 0}}, {"\xed\xa0\x80", {0xfffd, 0}}, {"\xf7\xbf\xbf\xbf", {0xfffd, 0}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *at = cases[i].text;
        for (int k = 0; k < 4 && (k == 0 || cases[i].codes[k - 1]); k++) assert_int_equal(leat__utf8_next(&at), cases[i].codes[k]);
    }
    assert_int_equal(leat__font_glyph(font, 0xe4)->code, 0xe4);
    assert_int_equal(leat__font_glyph(font, 0x4e00)->code, LEAT_FONT_REPLACEMENT);
}

static void test_fonts_that_are_none(void **state) {
    (void)state;
    leat_font *none = (leat_font *)(void *)state;
    leat_error error;
    assert_int_equal(leat_font_open("/nowhere/at/all.ttf", 20, &none, &error), LEAT_EIO);
    assert_null(none);
    assert_non_null(strstr(error.message, "/nowhere/at/all.ttf"));
    assert_int_equal(leat_font_open("Makefile", 20, &none, &error), LEAT_EFORMAT);
    assert_int_equal(leat_font_open(NULL, 5, &none, &error), LEAT_EINVAL);
    assert_int_equal(leat_font_open(NULL, NAN, &none, &error), LEAT_EINVAL);
}

static void test_colors(void **state) {
    (void)state;
    for (int i = -3; i < 30; i++)
        for (int k = i + 1; k < i + 4; k++) assert_true(leat_draw_palette(i) != leat_draw_palette(k));
    assert_true(leat_draw_contrast(LEAT_RGBA(255, 255, 0, 255)) == LEAT_RGBA(0, 0, 0, 255));
    assert_true(leat_draw_contrast(LEAT_RGBA(0, 0, 160, 255)) == LEAT_RGBA(255, 255, 255, 255));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored_picture), cmocka_unit_test(test_every_format), cmocka_unit_test(test_nothing_leaves_the_frame),
        cmocka_unit_test(test_opaque_is_exact_and_alpha_blends_once), cmocka_unit_test(test_chroma_follows_coverage),
        cmocka_unit_test(test_fills_at_odd_places), cmocka_unit_test(test_text), cmocka_unit_test(test_fonts_that_are_none), cmocka_unit_test(test_colors),
    };
    return cmocka_run_group_tests_name("draw", tests, open_font, close_font);
}
