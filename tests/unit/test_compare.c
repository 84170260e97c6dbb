/* test_compare.c - squared error, PSNR, SSIM and difference pictures against direct sums and known values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "leat/compare.h"

static leat_image noise(int width, int height, uint64_t seed) {
    leat_image image;
    assert_int_equal(leat_image_alloc(width, height, &image), LEAT_OK);
    for (int64_t i = 0; i < image.stride * height; i++) image.data[i] = (uint8_t)leat__rng_u64(seed, 1, (uint64_t)i);
    return image;
}

static int bounce(int i, int n) {
    while (n > 1 && (i < 0 || i >= n)) i = i < 0 ? -i : 2 * (n - 1) - i;
    return n == 1 ? 0 : i;
}

/* The definition, window by window. */
static double direct_ssim(const leat_image *a, const leat_image *b) {
    double total = 0, norm = 0;
    for (int i = -5; i <= 5; i++) norm += exp(-i * i / 4.5);
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < a->height; y++)
            for (int x = 0; x < a->width; x++) {
                double ma = 0, mb = 0, aa = 0, bb = 0, ab = 0;
                for (int j = -5; j <= 5; j++)
                    for (int i = -5; i <= 5; i++) {
                        int    at = 3 * bounce(x + i, a->width) + c, row = bounce(y + j, a->height);
                        double w = exp(-(i * i + j * j) / 4.5) / (norm * norm), p = a->data[row * a->stride + at], q = b->data[row * b->stride + at];
                        ma += w * p, mb += w * q, aa += w * p * p, bb += w * q * q, ab += w * p * q;
                    }
                double c1 = 6.5025, c2 = 58.5225;
                total += (2 * ma * mb + c1) * (2 * (ab - ma * mb) + c2) / ((ma * ma + mb * mb + c1) * (aa - ma * ma + bb - mb * mb + c2));
            }
    return total / (3.0 * a->width * a->height);
}

static void ssim_is_its_definition(void **state) {
    (void)state;
    static const int sizes[][2] = {{1, 1}, {2, 3}, {1, 9}, {5, 6}, {11, 11}, {23, 17}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        leat_image a = noise(sizes[i][0], sizes[i][1], 1), b = noise(sizes[i][0], sizes[i][1], 2);
        for (int64_t k = 0; k < a.stride * a.height; k++) b.data[k] = (uint8_t)((3 * a.data[k] + b.data[k]) / 4);
        double ssim, same;
        assert_int_equal(leat_image_ssim(&a, &b, &ssim), LEAT_OK);
        assert_int_equal(leat_image_ssim(&a, &a, &same), LEAT_OK);
        assert_true(fabs(ssim - direct_ssim(&a, &b)) < 1e-9);
        assert_true(fabs(same - 1) < 1e-12);
        leat_image_free(&a);
        leat_image_free(&b);
    }
}

static void errors_add_up(void **state) {
    (void)state;
    leat_image a = noise(19, 7, 3), b = noise(19, 7, 4), other = noise(7, 19, 4);
    uint64_t   sse, want = 0;
    for (int i = 0; i < 19 * 7 * 3; i++) want += (uint64_t)((a.data[i] - b.data[i]) * (a.data[i] - b.data[i]));
    assert_int_equal(leat_image_sse(&a, &b, &sse), LEAT_OK);
    assert_int_equal(sse, want);
    assert_int_equal(leat_image_sse(&a, &other, &sse), LEAT_ESHAPE);
    assert_int_equal(leat_image_ssim(&a, &other, &(double){0}), LEAT_ESHAPE);
    assert_int_equal(leat_image_sse(&a, NULL, &sse), LEAT_EINVAL);
    assert_true(fabs(leat_psnr_db(1187.1344) - 17.3858) < 1e-4); /* a published pair */
    assert_true(isinf(leat_psnr_db(0)));
    leat_image_free(&a);
    leat_image_free(&b);
    leat_image_free(&other);
}

static void differences_have_their_colours(void **state) {
    (void)state;
    leat_image a = noise(9, 5, 5), b = noise(9, 5, 6), out = noise(9, 5, 7);
    for (int map = 0; map < LEAT_COLORMAPS; map++) {
        assert_int_equal(leat_image_difference(&a, &b, (leat_colormap)map, &out), LEAT_OK);
        for (int i = 0; i < 45; i++) {
            int     sum = 0;
            uint8_t want[3];
            for (int c = 0; c < 3; c++) sum += abs(a.data[3 * i + c] - b.data[3 * i + c]);
            assert_int_equal(leat_colormap_rgb((leat_colormap)map, (int)floor(sum / 3.0 + 0.5), want), LEAT_OK);
            assert_memory_equal(out.data + 3 * i, want, 3);
        }
    }
    uint8_t rgb[3];
    leat_colormap_rgb(LEAT_COLORMAP_MAGMA, 0, rgb);
    assert_memory_equal(rgb, ((uint8_t[]){0, 0, 4}), 3);
    leat_colormap_rgb(LEAT_COLORMAP_MAGMA, 255, rgb);
    assert_memory_equal(rgb, ((uint8_t[]){252, 253, 191}), 3);
    leat_colormap_rgb(LEAT_COLORMAP_TURBO, 0, rgb);
    assert_memory_equal(rgb, ((uint8_t[]){35, 23, 27}), 3);
    assert_int_equal(leat_colormap_rgb(LEAT_COLORMAPS, 0, rgb), LEAT_EINVAL);
    assert_int_equal(leat_colormap_rgb(LEAT_COLORMAP_TURBO, 256, rgb), LEAT_EINVAL);
    assert_string_equal(leat_colormap_name(LEAT_COLORMAP_TURBO), "turbo");
    assert_null(leat_colormap_name(LEAT_COLORMAPS));
    leat_image_free(&a);
    leat_image_free(&b);
    leat_image_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ssim_is_its_definition), cmocka_unit_test(errors_add_up),
                                       cmocka_unit_test(differences_have_their_colours)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
