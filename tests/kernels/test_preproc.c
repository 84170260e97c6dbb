/* test_preproc.c - the preprocessing kernels bit for bit against their reference, and the whole pass against a plain computation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#include "base/fp16.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cpu/cpu.h"
#include "cpu/preproc.h"
#include "leat/media.h"

#define SEED 20240611
#define MOST 67
#define CANARY 0x5a

static float uniform(int stream, int i) { return leat__rng_uniformf(SEED, (uint64_t)stream, (uint64_t)i); }

static void check_canary(const void *buffer, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) assert_int_equal(((const uint8_t *)buffer)[i], CANARY);
}

static void test_affine_and_conversions(void **state) {
    (void)state;
    leat_preproc_table ref, best;
    leat__cpu_select(LEAT_ISA_REF);
    ref = leat__preproc;
    leat__cpu_select(leat__cpu_detect());
    best = leat__preproc;
    for (int n = 0; n <= MOST; n++) {
        float    a[MOST + 1], b[MOST + 1], want[MOST + 8], got[MOST + 8];
        uint16_t half_want[MOST + 8], half_got[MOST + 8];
        uint8_t  byte_want[MOST + 8], byte_got[MOST + 8];
        for (int i = 0; i < n; i++) a[i] = uniform(1, i) * 400 - 70, b[i] = uniform(2, i) * 255;
        if (n > 3) a[0] = NAN, a[1] = INFINITY, a[2] = -INFINITY, a[3] = 0.5f;
        memset(got, CANARY, sizeof got), memset(half_got, CANARY, sizeof half_got), memset(byte_got, CANARY, sizeof byte_got);
        ref.affine(a, 0.0171f, -2.1f, want, n);
        best.affine(a, 0.0171f, -2.1f, got, n);
        for (int i = 0; i < n; i++) assert_true(want[i] == got[i] || (isnan(want[i]) && isnan(got[i])));
        ref.to_f16(b, half_want, n), best.to_f16(b, half_got, n);
        ref.to_u8(a, byte_want, n), best.to_u8(a, byte_got, n);
        assert_memory_equal(half_want, half_got, (size_t)n * 2);
        assert_memory_equal(byte_want, byte_got, (size_t)n);
        check_canary(got, (size_t)n * 4, sizeof got);
        check_canary(half_got, (size_t)n * 2, sizeof half_got);
        check_canary(byte_got, (size_t)n, sizeof byte_got);
    }
}

static void check_columns(const leat_preproc_table *ref, const leat_preproc_table *best, const float *cells, int cell, int n) {
    int32_t first[MOST], taps[MOST];
    float   w[MOST * 5], want[3][MOST], got[3][MOST + 2], *wants[3], *gots[3];
    for (int i = 0; i < MOST * 5; i++) w[i] = uniform(6, i) - 0.25f;
    memset(got, CANARY, sizeof got);
    for (int x = 0; x < n; x++) {
        first[x] = (int32_t)(uniform(7, x) * (float)n), taps[x] = 1 + x % 4;
        if (first[x] + taps[x] > n) first[x] = 0, taps[x] = 1;
    }
    for (int c = 0; c < 3; c++) wants[c] = want[c], gots[c] = got[c];
    ref->columns(cells, cell, first, taps, w, wants, n), best->columns(cells, cell, first, taps, w, gots, n);
    for (int c = 0; c < 3; c++) {
        int used = c < cell ? n : 0;
        assert_memory_equal(want[c], got[c], (size_t)used * 4);
        check_canary(got[c], (size_t)used * 4, sizeof got[c]);
    }
}

static void test_weighted_rows_and_columns(void **state) {
    (void)state;
    leat_preproc_table ref, best;
    leat__cpu_select(LEAT_ISA_REF);
    ref = leat__preproc;
    leat__cpu_select(leat__cpu_detect());
    best = leat__preproc;
    for (int n = 0; n <= MOST; n++)
        for (int cell = 1; cell <= 4; cell++) {
            int      k = 1 + n % 5, bytes = cell * n;
            float    w[5], want[MOST * 4 + 8], got[MOST * 4 + 8];
            uint8_t *rows = leat__alloc((size_t)(k * bytes), LEAT_MEMORY_OTHER);
            for (int i = 0; i < k * bytes; i++) rows[i] = (uint8_t)(uniform(5, i) * 256);
            for (int i = 0; i < 5; i++) w[i] = uniform(8, i) - 0.25f;
            memset(got, CANARY, sizeof got), memset(want, 0, sizeof want);
            ref.rows(rows, bytes, w, k, want, bytes), best.rows(rows, bytes, w, k, got, bytes);
            assert_memory_equal(want, got, (size_t)bytes * 4);
            check_canary(got, (size_t)bytes * 4, sizeof got);
            check_columns(&ref, &best, want, cell, n);
            leat__free(rows);
        }
}

static double luma(const double rgb[3]) { return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]; }

/* Weight of source pixel i for output pixel `to`: a triangle, widened when it shrinks with antialiasing. */
static double triangle(int i, double to, int resized, int source, int antialias) {
    double scale = (double)source / resized, support = antialias && scale > 1 ? scale : 1;
    return fmax(0, 1 - fabs(i + 0.5 - (to + 0.5) * scale) / support);
}

/* Channel c of the source for pixel (x, y) of the resized image. */
static double sample(const leat_preprocess *p, const leat_image *image, const leat_placement *at, double x, double y, int c) {
    double v = 0, sum = 0;
    for (int j = 0; j < image->height; j++) {
        double wy = triangle(j, y, at->resized_height, image->height, p->antialias);
        for (int i = 0; wy > 0 && i < image->width; i++) {
            double w = wy * triangle(i, x, at->resized_width, image->width, p->antialias);
            v += w * image->data[j * image->stride + 3 * i + c];
            sum += w;
        }
    }
    return v / sum;
}

static double expected(const leat_preprocess *p, const leat_image *image, const leat_placement *at, int x, int y, int c) {
    double rgb[3];
    int inside = x >= at->offset_x && x < at->offset_x + at->resized_width && y >= at->offset_y && y < at->offset_y + at->resized_height;
    for (int k = 0; k < 3; k++)
        rgb[k] = !inside ? p->pad[k] : sample(p, image, at, x - (double)at->offset_x, y - (double)at->offset_y, k);
    double v = p->channels == 1 ? luma(rgb) : rgb[p->bgr ? 2 - c : c];
    return (v * p->scale - p->mean[c]) / p->std[c];
}

static double element(const leat_preprocess *p, const void *out, size_t i) {
    if (p->dtype == LEAT_DTYPE_U8) return ((const uint8_t *)out)[i];
    if (p->dtype == LEAT_DTYPE_F16) return leat__f16_to_f32(((const uint16_t *)out)[i]);
    return ((const float *)out)[i];
}

static void check_pass(const leat_preprocess *p, const leat_image *image, double tolerance) {
    leat_placement at;
    size_t bytes = leat_dtype_size(p->dtype) * (size_t)(p->channels * p->width * p->height), scratch_bytes = leat_preprocess_scratch_bytes(p);
    uint8_t *out = leat__alloc(bytes + 64, LEAT_MEMORY_OTHER), *scratch = leat__alloc(scratch_bytes + 64, LEAT_MEMORY_OTHER);
    memset(out + bytes, CANARY, 64), memset(scratch + scratch_bytes, CANARY, 64);
    assert_int_equal(leat_preprocess_place(p, image->width, image->height, &at), LEAT_OK);
    assert_int_equal(leat_preprocess_run(p, image, out, scratch), LEAT_OK);
    for (int c = 0; c < p->channels; c++)
        for (int y = 0; y < p->height; y++)
            for (int x = 0; x < p->width; x++) {
                size_t i = p->nhwc ? (size_t)((y * p->width + x) * p->channels + c) : (size_t)((c * p->height + y) * p->width + x);
                double want = expected(p, image, &at, x, y, c), got = element(p, out, i);
                if (p->dtype == LEAT_DTYPE_U8) want = fmin(fmax(want, 0), 255);
                if (fabs(want - got) > tolerance) fail_msg("fit %d c %d y %d x %d: %g, expected %g", (int)p->fit, c, y, x, got, want);
            }
    check_canary(out, bytes, bytes + 64);
    check_canary(scratch, scratch_bytes, scratch_bytes + 64);
    leat__free(out);
    leat__free(scratch);
}

static void test_pass_against_plain_computation(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 1}, {2, 3}, {17, 9}, {64, 64}, {211, 57}};
    for (leat_isa isa = LEAT_ISA_REF; isa < LEAT_ISA_COUNT; isa = leat_isa_next(isa)) {
        leat__cpu_select(isa);
        for (int k = 0; k < 5 * 4 * 8; k++) {
            leat_preprocess p;
            leat_image      image;
            leat_preprocess_default(&p);
            p.fit = (leat_fit)(k / 8 % 4);
            p.width = 5 + k % 29, p.height = 3 + k % 31;
            p.channels = k % 5 == 0 ? 1 : 3;
            p.bgr = k % 2, p.nhwc = k / 2 % 2, p.antialias = k / 3 % 2;
            p.dtype = k % 8 == 6 ? LEAT_DTYPE_U8 : k % 8 == 3 ? LEAT_DTYPE_F16 : LEAT_DTYPE_F32;
            if (p.dtype == LEAT_DTYPE_U8) p.scale = 1, memset(p.mean, 0, sizeof p.mean), p.std[0] = p.std[1] = p.std[2] = 1;
            /* exact size, so that a read past the last pixel is seen by the sanitiser */
            assert_int_equal(leat_image_alloc(sizes[k / 32][0], sizes[k / 32][1], &image), LEAT_OK);
            for (int i = 0; i < image.width * image.height * 3; i++) image.data[i] = (uint8_t)(uniform(3, i) * 256);
            check_pass(&p, &image, p.dtype == LEAT_DTYPE_U8 ? 0.51 : p.dtype == LEAT_DTYPE_F16 ? 3e-3 : 2e-5);
            leat_image_free(&image);
        }
    }
    leat__cpu_select(leat__cpu_detect());
}

/* Wider than a strip, and shrunk by more than one pixel may average. */
static void test_wide_sources(void **state) {
    (void)state;
    static const int sizes[][2] = {{5000, 3}, {9000, 2}, {3, 1900}, {2048, 1}, {2049, 2}};
    for (int k = 0; k < 10; k++) {
        leat_preprocess p;
        leat_image      image;
        leat_preprocess_default(&p);
        p.fit = LEAT_FIT_STRETCH, p.width = k % 5 == 1 ? 5 : 33, p.height = 4, p.antialias = k / 5;
        if (k == 6) continue; /* 9000 to 5 with antialiasing passes the cap of what is averaged */
        assert_int_equal(leat_image_alloc(sizes[k % 5][0], sizes[k % 5][1], &image), LEAT_OK);
        for (int i = 0; i < image.width * image.height * 3; i++) image.data[i] = (uint8_t)(uniform(4, i) * 256);
        check_pass(&p, &image, 2e-5);
        leat_image_free(&image);
    }
}

static void test_placement_is_the_usual_one(void **state) {
    (void)state;
    leat_preprocess p;
    leat_placement  at;
    leat_preprocess_default(&p);
    leat_preprocess_place(&p, 500, 375, &at);
    assert_int_equal(at.resized_height, 256);
    assert_int_equal(at.resized_width, 341);
    assert_true(at.offset_y == -16 && at.offset_x == -58);
    p.fit = LEAT_FIT_LETTERBOX, p.width = p.height = 640;
    leat_preprocess_place(&p, 1280, 720, &at);
    assert_int_equal(at.resized_height, 360);
    assert_true(at.offset_y == 140 && at.offset_x == 0 && at.scale_x == 0.5f);
}

static void test_bad_options_are_refused(void **state) {
    (void)state;
    uint8_t         pixel[8] = {0}, out[16], scratch[64];
    leat_image      image = {pixel, 1, 1, 3};
    leat_preprocess good, p;
    leat_preprocess_default(&good);
    p = good, p.width = 0;
    assert_int_equal(leat_preprocess_run(&p, &image, out, scratch), LEAT_EINVAL);
    p = good, p.std[1] = 0;
    assert_int_equal(leat_preprocess_run(&p, &image, out, scratch), LEAT_EINVAL);
    p = good, p.channels = 2;
    assert_int_equal(leat_preprocess_scratch_bytes(&p), 0);
    p = good, p.crop_ratio = 0.5f;
    assert_int_equal(leat_preprocess_scratch_bytes(&p), 0);
    image.stride = 2;
    assert_int_equal(leat_preprocess_run(&good, &image, out, scratch), LEAT_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_affine_and_conversions), cmocka_unit_test(test_weighted_rows_and_columns),
        cmocka_unit_test(test_wide_sources),         cmocka_unit_test(test_pass_against_plain_computation),
        cmocka_unit_test(test_placement_is_the_usual_one), cmocka_unit_test(test_bad_options_are_refused),
    };
    return cmocka_run_group_tests_name("preproc", tests, NULL, NULL);
}
