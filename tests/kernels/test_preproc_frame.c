/* test_preproc_frame.c - the fused preprocessing of frames against float64 arithmetic written down independently.
 *
 * Every format, odd sizes, gaps between rows, rectangles, fits, types and layouts; each plane ends at a page that may not be touched;
 * the same bits for every ISA level and number of threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/fp16.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cpu/cpu.h"
#include "cpu/preproc.h"
#include "leat/video.h"

#define SEED 20261121
#define CANARY 0x5a
#define PAGE 4096u

static uint32_t counter;
static int below(int n) { return (int)(leat__rng_uniformf(SEED, 1, counter++) * (float)n); }

/* ---- frames whose planes end at a forbidden page ---------------------------------------------------------------------------- */

typedef struct guarded {
    leat_frame frame;
    void  *map[3];
    size_t bytes[3];
} guarded;

static uint8_t *guarded_plane(guarded *g, int i, size_t bytes) {
    size_t pages = (bytes + PAGE - 1) / PAGE * PAGE;
    g->bytes[i] = pages + PAGE;
    g->map[i] = mmap(NULL, g->bytes[i], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g->map[i] != MAP_FAILED);
    uint8_t *at = (uint8_t *)g->map[i] + pages - bytes;
    for (size_t k = 0; k < bytes; k++) at[k] = (uint8_t)below(256);
    assert_int_equal(mprotect((uint8_t *)g->map[i] + pages, PAGE, PROT_NONE), 0);
    return at;
}

static int row_bytes(leat_pixel_format f, int plane, int width) {
    int half = (width + 1) / 2;
    if (f == LEAT_PIXEL_RGB24 || f == LEAT_PIXEL_BGR24) return 3 * width;
    if (f == LEAT_PIXEL_RGBA || f == LEAT_PIXEL_BGRA) return 4 * width;
    if (f == LEAT_PIXEL_UYVY || f == LEAT_PIXEL_YUY2) return 4 * half;
    if (plane == 0) return width;
    return f == LEAT_PIXEL_NV12 ? 2 * half : half;
}

static void open_frame(guarded *g, leat_pixel_format format, int width, int height, int gap) {
    *g = (guarded){.frame = {.format = format, .width = width, .height = height, .matrix = (leat_color_matrix)below(2), .full_range = below(2)}};
    int planes = format == LEAT_PIXEL_NV12 ? 2 : format == LEAT_PIXEL_I420 ? 3 : 1;
    for (int i = 0; i < planes; i++) {
        int row = row_bytes(format, i, width), rows = i ? (height + 1) / 2 : height;
        g->frame.stride[i] = row + gap;
        g->frame.plane[i] = guarded_plane(g, i, (size_t)((row + gap) * (rows - 1) + row));
    }
}

static void close_frame(guarded *g) {
    for (int i = 0; i < 3; i++)
        if (g->map[i]) munmap(g->map[i], g->bytes[i]);
}

/* ---- the oracle ----------------------------------------------------------------------------------------------------------- */

static int is_yuv(leat_pixel_format f) { return f >= LEAT_PIXEL_UYVY; }
static int is_420(leat_pixel_format f) { return f == LEAT_PIXEL_NV12 || f == LEAT_PIXEL_I420; }

/* Component c of pixel (x, y); of 4:2:0 chroma planes, of chroma sample (x, y). */
static double component(const leat_frame *f, int c, int x, int y) {
    const uint8_t *row = f->plane[0] + y * f->stride[0];
    switch (f->format) {
    case LEAT_PIXEL_RGB24: return row[3 * x + c];
    case LEAT_PIXEL_BGR24: return row[3 * x + 2 - c];
    case LEAT_PIXEL_RGBA: return row[4 * x + c];
    case LEAT_PIXEL_BGRA: return row[4 * x + 2 - c];
    case LEAT_PIXEL_UYVY: return c == 0 ? row[2 * x + 1] : row[x / 2 * 4 + (c == 1 ? 0 : 2)];
    case LEAT_PIXEL_YUY2: return c == 0 ? row[2 * x] : row[x / 2 * 4 + (c == 1 ? 1 : 3)];
    case LEAT_PIXEL_NV12: return c == 0 ? row[x] : (f->plane[1] + y * f->stride[1])[2 * x + c - 1];
    default: return c == 0 ? row[x] : (f->plane[c] + y * f->stride[c])[x];
    }
}

/* Weight of sample i of `size` at position s; neighbours, a triangle or a box of `scale` samples. */
static double weight(int i, double s, double scale, int size, leat_antialias how) {
    if (how == LEAT_ANTIALIAS_NONE || scale <= 1) return fmax(0, 1 - fabs(i - fmin(fmax(s, 0), size - 1)));
    if (how == LEAT_ANTIALIAS_TRIANGLE) return fmax(0, 1 - fabs(i - s) / scale);
    return fmax(0, fmin(i + 0.5, s + scale / 2) - fmax(i - 0.5, s - scale / 2));
}

static double sample(const leat_frame *f, int c, double sx, double sy, double scale_x, double scale_y, leat_antialias how) {
    int    halved = is_420(f->format) && c > 0, w = halved ? (f->width + 1) / 2 : f->width, h = halved ? (f->height + 1) / 2 : f->height;
    double sum = 0, total = 0;
    if (halved) sx *= 0.5, sy *= 0.5, scale_x *= 0.5, scale_y *= 0.5;
    for (int y = 0; y < h; y++) {
        double wy = weight(y, sy, scale_y, h, how);
        for (int x = 0; wy > 0 && x < w; x++) {
            double k = wy * weight(x, sx, scale_x, w, how);
            if (k > 0) sum += k * component(f, c, x, y), total += k;
        }
    }
    return sum / total;
}

static void to_rgb(const leat_frame *f, double v[3]) {
    if (!is_yuv(f->format)) return;
    double kr = f->matrix == LEAT_MATRIX_BT709 ? 0.2126 : 0.299, kb = f->matrix == LEAT_MATRIX_BT709 ? 0.0722 : 0.114;
    double y = f->full_range ? v[0] / 255 : (v[0] - 16) / 219, chroma = f->full_range ? 255 : 224;
    double pb = (v[1] - 128) / chroma, pr = (v[2] - 128) / chroma, r = y + 2 * (1 - kr) * pr, b = y + 2 * (1 - kb) * pb;
    double rgb[3] = {r, (y - kr * r - kb * b) / (1 - kr - kb), b};
    for (int c = 0; c < 3; c++) v[c] = fmin(fmax(rgb[c] * 255, 0), 255);
}

static double expected(const leat_preprocess *p, const leat_frame *f, const leat_placement *at, int x, int y, int c) {
    int    cw = p->crop_rect[2] ? p->crop_rect[2] : f->width, ch = p->crop_rect[3] ? p->crop_rect[3] : f->height;
    double scale_x = (double)cw / at->resized_width, scale_y = (double)ch / at->resized_height, v[3];
    double left = rint(at->offset_x + p->crop_rect[0] / scale_x), top = rint(at->offset_y + p->crop_rect[1] / scale_y);
    int    inside = x >= left && x < left + at->resized_width && y >= top && y < top + at->resized_height;
    for (int k = 0; k < 3; k++)
        v[k] = inside ? sample(f, k, (x - left + 0.5) * scale_x - 0.5 + p->crop_rect[0], (y - top + 0.5) * scale_y - 0.5 + p->crop_rect[1],
                               scale_x, scale_y, p->antialias) : p->pad[k];
    if (inside) to_rgb(f, v);
    double value = p->channels == 1 ? 0.299 * v[0] + 0.587 * v[1] + 0.114 * v[2] : v[p->bgr ? 2 - c : c];
    return (value * p->scale - p->mean[c]) / p->std[c];
}

static double element(const leat_preprocess *p, const void *out, size_t i) {
    if (p->dtype == LEAT_DTYPE_U8) return ((const uint8_t *)out)[i];
    if (p->dtype == LEAT_DTYPE_F16) return leat__f16_to_f32(((const uint16_t *)out)[i]);
    return ((const float *)out)[i];
}

/* ---- cases ---------------------------------------------------------------------------------------------------------------- */

static void check_canary(const uint8_t *at, size_t n) {
    for (size_t i = 0; i < n; i++) assert_int_equal(at[i], CANARY);
}

static void run(const leat_preprocess *p, const leat_frame *f, leat_tpool *pool, uint8_t *out, size_t bytes) {
    size_t   scratch_bytes = leat_preprocess_scratch_bytes(p) * (size_t)leat_tpool_threads(pool);
    uint8_t *scratch = leat__alloc(scratch_bytes + 64, LEAT_MEMORY_OTHER);
    memset(out, CANARY, bytes + 64), memset(scratch, CANARY, scratch_bytes + 64);
    assert_int_equal(leat_preprocess_frame(p, f, pool, out, scratch), LEAT_OK);
    check_canary(out + bytes, 64);
    check_canary(scratch + scratch_bytes, 64);
    leat__free(scratch);
}

static void check_values(const leat_preprocess *p, const leat_frame *f, const uint8_t *out) {
    double tolerance = p->dtype == LEAT_DTYPE_U8 ? 0.501 : p->dtype == LEAT_DTYPE_F16 ? 3e-3 : 3e-5;
    leat_placement at;
    assert_int_equal(leat_preprocess_place(p, f->width, f->height, &at), LEAT_OK);
    for (int c = 0; c < p->channels; c++)
        for (int y = 0; y < p->height; y++)
            for (int x = 0; x < p->width; x++) {
                size_t i = p->nhwc ? (size_t)((y * p->width + x) * p->channels + c) : (size_t)((c * p->height + y) * p->width + x);
                double want = expected(p, f, &at, x, y, c), got = element(p, out, i);
                if (p->dtype == LEAT_DTYPE_U8) want = fmin(fmax(want, 0), 255);
                if (!(fabs(want - got) <= tolerance))
                    fail_msg("%s %dx%d to %dx%d fit %d antialias %d rect %d,%d,%d,%d channel %d (%d, %d): %g, expected %g",
                             leat_pixel_format_name(f->format), f->width, f->height, p->width, p->height, (int)p->fit, (int)p->antialias,
                             p->crop_rect[0], p->crop_rect[1], p->crop_rect[2], p->crop_rect[3], c, x, y, got, want);
            }
}

static void random_options(leat_preprocess *p, int width, int height) {
    leat_preprocess_default(p);
    p->fit = (leat_fit)below(4), p->antialias = (leat_antialias)below(3);
    p->width = 1 + below(40), p->height = 1 + below(24);
    p->channels = below(5) ? 3 : 1, p->bgr = below(2), p->nhwc = below(2);
    p->dtype = below(3) ? LEAT_DTYPE_F32 : below(2) ? LEAT_DTYPE_F16 : LEAT_DTYPE_U8;
    if (p->dtype == LEAT_DTYPE_U8)
        for (int c = 0; c < 3; c++) p->scale = 1, p->mean[c] = 0, p->std[c] = 1;
    if (below(2)) return;
    p->crop_rect[2] = 1 + below(width), p->crop_rect[3] = 1 + below(height);
    p->crop_rect[0] = below(width - p->crop_rect[2] + 1), p->crop_rect[1] = below(height - p->crop_rect[3] + 1);
}

static void check_case(const leat_preprocess *p, const leat_frame *f, leat_tpool *const pools[2]) {
    size_t   bytes = leat_dtype_size(p->dtype) * (size_t)(p->channels * p->width * p->height);
    uint8_t *want = leat__alloc(bytes + 64, LEAT_MEMORY_OTHER), *got = leat__alloc(bytes + 64, LEAT_MEMORY_OTHER);
    leat__cpu_select(LEAT_ISA_REF);
    run(p, f, NULL, want, bytes);
    check_values(p, f, want);
    for (leat_isa isa = leat_isa_next(LEAT_ISA_REF); isa < LEAT_ISA_COUNT; isa = leat_isa_next(isa)) {
        leat__cpu_select(isa);
        run(p, f, NULL, got, bytes);
        assert_memory_equal(want, got, bytes);
    }
    for (int i = 0; i < 2; i++) {
        run(p, f, pools[i], got, bytes);
        assert_memory_equal(want, got, bytes);
    }
    leat__free(want);
    leat__free(got);
}

static void test_all_formats_against_float64(void **state) {
    (void)state;
    leat_tpool *pools[2];
    assert_int_equal(leat_tpool_new(2, &pools[0]), LEAT_OK);
    assert_int_equal(leat_tpool_new(5, &pools[1]), LEAT_OK);
    for (int round = 0; round < 60; round++)
        for (int format = 0; format < LEAT_PIXEL_COUNT; format++) {
            leat_preprocess p;
            guarded g;
            int width = round < 8 ? 1 + round % 4 : 1 + below(60), height = round < 8 ? 1 + round / 4 : 1 + below(40);
            random_options(&p, width, height);
            open_frame(&g, (leat_pixel_format)format, width, height, below(3) ? below(20) : 0);
            check_case(&p, &g.frame, pools);
            close_frame(&g);
        }
    for (int i = 0; i < 2; i++) leat_tpool_unref(pools[i]);
}

/* Wider than a strip of the averaging pass. */
static void test_wide_frames(void **state) {
    (void)state;
    leat_tpool *pools[2] = {NULL, NULL};
    for (int format = 0; format < LEAT_PIXEL_COUNT; format++)
        for (int k = 0; k < 4; k++) {
            leat_preprocess p;
            guarded g;
            leat_preprocess_default(&p);
            p.fit = LEAT_FIT_STRETCH, p.antialias = (leat_antialias)(k % 3), p.width = 37, p.height = 2;
            open_frame(&g, (leat_pixel_format)format, k == 3 ? 16384 : 5001, 3, 0);
            check_case(&p, &g.frame, pools);
            close_frame(&g);
        }
}

/* Known colours, to the eye of anyone who knows the standards: BT.709 limited red is (63, 102, 240), BT.601 full red is (76, 85, 255). */
static void test_primary_colors(void **state) {
    (void)state;
    uint8_t pair[2][4] = {{102, 63, 240, 63}, {85, 76, 255, 76}};
    for (int k = 0; k < 2; k++) {
        leat_frame f = {.format = LEAT_PIXEL_UYVY, .matrix = k ? LEAT_MATRIX_BT601 : LEAT_MATRIX_BT709, .full_range = k, .width = 2, .height = 1,
                        .plane = {pair[k]}, .stride = {4}};
        leat_preprocess p;
        float out[3];
        leat_preprocess_default(&p);
        p.width = p.height = 1, p.fit = LEAT_FIT_STRETCH;
        for (int c = 0; c < 3; c++) p.mean[c] = 0, p.std[c] = 1;
        void *scratch = leat__alloc(leat_preprocess_scratch_bytes(&p), LEAT_MEMORY_OTHER);
        assert_int_equal(leat_preprocess_frame(&p, &f, NULL, out, scratch), LEAT_OK);
        assert_true(fabsf(out[0] - 1) < 0.005f && out[1] < 0.005f && out[2] < 0.005f);
        leat__free(scratch);
    }
}

static void test_rectangles_are_placed_and_checked(void **state) {
    (void)state;
    leat_preprocess p;
    leat_placement  at;
    leat_preprocess_default(&p);
    p.fit = LEAT_FIT_STRETCH, p.width = p.height = 512;
    memcpy(p.crop_rect, (int32_t[]){548, 0, 1372, 1080}, sizeof p.crop_rect);
    assert_int_equal(leat_preprocess_place(&p, 1920, 1080, &at), LEAT_OK);
    assert_true(fabs((1920 - 548) * (512.0 / 1372) - 512) < 1e-9 && fabsf(548 * at.scale_x + at.offset_x) < 1e-3f && at.offset_y == 0);
    assert_int_equal(leat_preprocess_place(&p, 1919, 1080, &at), LEAT_EINVAL);
    static const int32_t bad[][4] = {{-1, 0, 4, 4}, {0, 0, 0, 4}, {0, 0, 4, 0}, {1, 0, 0, 0}, {0, 1077, 4, 4}, {INT32_MAX, 0, INT32_MAX, 4}, {0, 0, -4, 4}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(p.crop_rect, bad[i], sizeof p.crop_rect);
        assert_int_equal(leat_preprocess_place(&p, 1920, 1080, &at), LEAT_EINVAL);
    }
}

static void test_nothing_is_allocated(void **state) {
    (void)state;
    leat_tpool     *pool;
    leat_preprocess p;
    guarded g;
    assert_int_equal(leat_tpool_new(2, &pool), LEAT_OK);
    leat_preprocess_default(&p);
    open_frame(&g, LEAT_PIXEL_NV12, 97, 43, 5);
    void *out = leat__alloc(4 * 3 * 224 * 224, LEAT_MEMORY_OTHER), *scratch = leat__alloc(2 * leat_preprocess_scratch_bytes(&p), LEAT_MEMORY_OTHER);
    uint64_t before = leat__thread_hot_allocations();
    leat__hot_enter();
    assert_int_equal(leat_preprocess_frame(&p, &g.frame, pool, out, scratch), LEAT_OK);
    leat__hot_leave();
    assert_int_equal(leat__thread_hot_allocations(), before);
    leat__free(out);
    leat__free(scratch);
    close_frame(&g);
    leat_tpool_unref(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_formats_against_float64), cmocka_unit_test(test_wide_frames), cmocka_unit_test(test_primary_colors),
        cmocka_unit_test(test_rectangles_are_placed_and_checked), cmocka_unit_test(test_nothing_is_allocated),
    };
    return cmocka_run_group_tests_name("preproc_frame", tests, NULL, NULL);
}
