/* test_yuv.c - colour kernels: every level's bits against the reference over odd sizes with canaries, the reference against the
 * standards' formulas in double, and leat_frame_convert() over all pairs of formats. */
#include "kernel_util.h"

#include "cpu/yuv.h"
#include "leat/video.h"

#define GUARD 64
#define MARK 0xA5

typedef struct bytes {
    uint8_t *data;
    size_t   n;
} bytes;

/* The last byte is the last of its block, so that ASan sees over-reads; canaries stand before it and, for outputs, behind it. */
static bytes make_input(size_t n) {
    bytes b = {malloc(n ? n : 1), n};
    for (size_t i = 0; i < n; i++) b.data[i] = (uint8_t)(kt_next() >> 40);
    return b;
}

static bytes make_output(size_t n) {
    bytes b = {malloc(n + 2 * GUARD), n};
    memset(b.data, MARK, n + 2 * GUARD);
    b.data += GUARD;
    return b;
}

static void check_output(bytes b) {
    for (int i = 1; i <= GUARD; i++)
        if (b.data[-i] != MARK || b.data[b.n + (size_t)i - 1] != MARK) fail_msg("written outside the output, %d bytes away", i);
    free(b.data - GUARD);
}

static void same(bytes want, bytes got) {
    assert_memory_equal(want.data, got.data, want.n);
    check_output(want);
    check_output(got);
}

static void from_rgb_once(int n, int step, const leat_yuv_forward *k) {
    size_t half = ((size_t)n + 1) / 2;
    bytes a = make_input((size_t)(n * step)), b = make_input((size_t)(n * step));
    bytes out[2][4];
    for (int i = 0; i < 2; i++)
        for (int p = 0; p < 4; p++) out[i][p] = make_output(p < 2 ? (size_t)n : half);
    leat_u8_yuv_from_rgb_ref(a.data, b.data, step, out[0][0].data, out[0][1].data, out[0][2].data, out[0][3].data, n, k);
    leat__yuv.from_rgb(a.data, b.data, step, out[1][0].data, out[1][1].data, out[1][2].data, out[1][3].data, n, k);
    for (int p = 0; p < 4; p++) same(out[0][p], out[1][p]);
    free(a.data);
    free(b.data);
}

static void to_rgb_once(int n, int step, const leat_yuv_inverse *k) {
    size_t half = ((size_t)n + 1) / 2;
    bytes y = make_input((size_t)n), u = make_input(half), v = make_input(half);
    bytes want = make_output((size_t)(n * step)), got = make_output((size_t)(n * step));
    leat_u8_yuv_to_rgb_ref(y.data, u.data, v.data, want.data, step, n, k);
    leat__yuv.to_rgb(y.data, u.data, v.data, got.data, step, n, k);
    same(want, got);
    free(y.data);
    free(u.data);
    free(v.data);
}

static void orders_once(int n) {
    bytes pairs = make_input(2 * (size_t)n), a = make_input((size_t)n), b = make_input((size_t)n);
    bytes even[2], odd[2], joined[2], mean[2];
    for (int i = 0; i < 2; i++) {
        even[i] = make_output((size_t)n), odd[i] = make_output((size_t)n);
        joined[i] = make_output(2 * (size_t)n), mean[i] = make_output((size_t)n);
    }
    leat_u8_split_ref(pairs.data, even[0].data, odd[0].data, n), leat__yuv.split(pairs.data, even[1].data, odd[1].data, n);
    leat_u8_join_ref(a.data, b.data, joined[0].data, n), leat__yuv.join(a.data, b.data, joined[1].data, n);
    leat_u8_average_ref(a.data, b.data, mean[0].data, n), leat__yuv.average(a.data, b.data, mean[1].data, n);
    same(even[0], even[1]), same(odd[0], odd[1]), same(joined[0], joined[1]), same(mean[0], mean[1]);
    free(pairs.data), free(a.data), free(b.data);
}

static void reorder_once(int n, int from, int to, int swap) {
    bytes in = make_input((size_t)(n * from)), want = make_output((size_t)(n * to)), got = make_output((size_t)(n * to));
    leat_u8_reorder_ref(in.data, from, want.data, to, swap, n);
    leat__yuv.reorder(in.data, from, got.data, to, swap, n);
    same(want, got);
    free(in.data);
}

static void test_levels(void **state) {
    KT_EACH_LEVEL(level) {
        for (int n = 0; n < 200; n += n < 70 ? 1 : 13) {
            for (int bits = 0; bits < 16; bits++) {
                leat_yuv_forward forward;
                leat_yuv_inverse inverse;
                leat__yuv_forward_make(&forward, bits & 1, bits >> 1 & 1, bits >> 2 & 1);
                leat__yuv_inverse_make(&inverse, bits & 1, bits >> 1 & 1, bits >> 2 & 1);
                from_rgb_once(n, 3 + (bits >> 3), &forward);
                to_rgb_once(n, 3 + (bits >> 3), &inverse);
                if (bits < 8) reorder_once(n, 3 + (bits & 1), 3 + (bits >> 1 & 1), bits >> 2 & 1);
            }
            orders_once(n);
        }
    }
}

/* ---- against the formulas -------------------------------------------------------------------------------------------------- */

static void test_forward_formula(void **state) {
    for (int bits = 0; bits < 4; bits++) {
        int bt709 = bits & 1, full = bits >> 1;
        double kr = bt709 ? 0.2126 : 0.299, kb = bt709 ? 0.0722 : 0.114, ys = full ? 1 : 219 / 255.0, cs = full ? 1 : 224 / 255.0;
        leat_yuv_forward k;
        leat__yuv_forward_make(&k, bt709, full, 0);
        for (int i = 0; i < 4000; i++) {
            uint8_t rgb[6], y[2], u, v;
            for (int c = 0; c < 3; c++) rgb[c] = rgb[c + 3] = i < 8 ? (i >> c & 1) * 255 : (uint8_t)kt_int(0, 255);
            leat_u8_yuv_from_rgb_ref(rgb, rgb, 3, y, y, &u, &v, 2, &k);
            double luma = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2];
            assert_true(fabs(y[0] - (luma * ys + (full ? 0 : 16))) <= 0.52);
            assert_true(fabs(u - fmin(255, (rgb[2] - luma) / (2 * (1 - kb)) * cs + 128)) <= 0.52);
            assert_true(fabs(v - fmin(255, (rgb[0] - luma) / (2 * (1 - kr)) * cs + 128)) <= 0.52);
            if (rgb[0] == rgb[1] && rgb[1] == rgb[2]) assert_true(u == 128 && v == 128);
        }
    }
}

static void test_inverse_formula(void **state) {
    for (int bits = 0; bits < 4; bits++) {
        int bt709 = bits & 1, full = bits >> 1;
        double kr = bt709 ? 0.2126 : 0.299, kb = bt709 ? 0.0722 : 0.114, kg = 1 - kr - kb, ys = full ? 1 : 255 / 219.0, cs = full ? 1 : 255 / 224.0;
        leat_yuv_inverse k;
        leat__yuv_inverse_make(&k, bt709, full, 0);
        for (int i = 0; i < 4000; i++) {
            uint8_t y = (uint8_t)kt_int(0, 255), u = (uint8_t)kt_int(0, 255), v = (uint8_t)kt_int(0, 255), rgb[3];
            leat_u8_yuv_to_rgb_ref(&y, &u, &v, rgb, 3, 1, &k);
            double luma = (y - (full ? 0 : 16)) * ys, cb = (u - 128) * cs, cr = (v - 128) * cs;
            double want[3] = {luma + 2 * (1 - kr) * cr, luma - 2 * (1 - kb) * kb / kg * cb - 2 * (1 - kr) * kr / kg * cr, luma + 2 * (1 - kb) * cb};
            for (int c = 0; c < 3; c++) assert_true(fabs(rgb[c] - fmax(0, fmin(255, want[c]))) <= 0.53);
        }
    }
}

/* ---- whole frames ---------------------------------------------------------------------------------------------------------- */

static leat_frame make_frame(leat_pixel_format format, int width, int height, bytes *block) {
    leat_frame f = {0};
    *block = make_output(leat_frame_bytes(format, width, height));
    assert_int_equal(leat_frame_layout(&f, format, width, height, block->data), LEAT_OK);
    return f;
}

/* A picture whose colour varies slowly, so that halved chroma loses little. */
static void paint(leat_frame *rgb) {
    for (int y = 0; y < rgb->height; y++)
        for (int x = 0; x < rgb->width; x++) {
            uint8_t *p = rgb->plane[0] + y * rgb->stride[0] + 3 * x;
            p[0] = (uint8_t)(40 + x % 160), p[1] = (uint8_t)(60 + (y * 2) % 140), p[2] = (uint8_t)(200 - (x + y) % 120);
        }
}

static int worst_rgb(const leat_frame *a, const leat_frame *b) {
    int worst = 0;
    for (int y = 0; y < a->height; y++)
        for (int i = 0; i < 3 * a->width; i++) {
            int x = i / 3;
            if (x % 120 < 4 || x % 160 < 4 || (x + y) % 120 < 4 || (x + y) % 120 > 116 || x % 160 > 156) continue; /* the picture's own edges */
            int d = abs(a->plane[0][y * a->stride[0] + i] - b->plane[0][y * b->stride[0] + i]);
            if (d > worst) worst = d;
        }
    return worst;
}

/* RGB -> first -> second -> RGB must come back within what halved chroma and three roundings cost. */
static void through(leat_pixel_format first, leat_pixel_format second, int width, int height) {
    bytes block[4];
    leat_frame rgb = make_frame(LEAT_PIXEL_RGB24, width, height, &block[0]), back = make_frame(LEAT_PIXEL_RGB24, width, height, &block[3]);
    leat_frame a = make_frame(first, width, height, &block[1]), b = make_frame(second, width, height, &block[2]);
    paint(&rgb);
    rgb.index = 7, rgb.pts_ns = 8, rgb.capture_ns = 9;
    a.matrix = LEAT_MATRIX_BT709, b.matrix = kt_int(0, 1) ? LEAT_MATRIX_BT709 : LEAT_MATRIX_BT601, b.full_range = kt_int(0, 1);
    assert_int_equal(leat_frame_convert(&rgb, &a), LEAT_OK);
    assert_int_equal(leat_frame_convert(&a, &b), LEAT_OK);
    assert_int_equal(leat_frame_convert(&b, &back), LEAT_OK);
    assert_true(back.index == 7 && back.pts_ns == 8 && back.capture_ns == 9);
    int worst = worst_rgb(&rgb, &back);
    if (worst > 9) fail_msg("%s -> %s at %dx%d: off by %d", leat_pixel_format_name(first), leat_pixel_format_name(second), width, height, worst);
    for (int i = 0; i < 4; i++) check_output(block[i]);
}

static void test_frames(void **state) {
    static const int sizes[][2] = {{1, 1}, {2, 2}, {3, 5}, {64, 3}, {101, 7}, {1023, 3}, {1025, 4}, {2051, 5}};
    KT_EACH_LEVEL(level) {
        for (int s = 0; s < 8; s++)
            for (int i = 0; i < LEAT_PIXEL_COUNT; i++)
                for (int j = 0; j < LEAT_PIXEL_COUNT; j++) through((leat_pixel_format)i, (leat_pixel_format)j, sizes[s][0], sizes[s][1]);
    }
}

/* Whole conversions have the same bits at every level; 4:2:2 to 4:2:0 averages rows and copies luma. */
static void test_frame_bits(void **state) {
    static const int sizes[][2] = {{1, 1}, {5, 3}, {67, 5}, {1090, 4}};
    for (int s = 0; s < 4; s++)
        for (int pair = 0; pair < LEAT_PIXEL_COUNT * LEAT_PIXEL_COUNT * 2; pair++) {
            bytes block[3];
            leat_frame in = make_frame((leat_pixel_format)(pair % LEAT_PIXEL_COUNT), sizes[s][0], sizes[s][1], &block[0]), out[2];
            leat_pixel_format to = (leat_pixel_format)(pair / LEAT_PIXEL_COUNT % LEAT_PIXEL_COUNT);
            for (size_t i = 0; i < block[0].n; i++) block[0].data[i] = (uint8_t)(kt_next() >> 33);
            leat__cpu_select(LEAT_ISA_REF);
            out[0] = make_frame(to, sizes[s][0], sizes[s][1], &block[1]);
            out[0].full_range = pair / LEAT_PIXEL_COUNT / LEAT_PIXEL_COUNT;
            assert_int_equal(leat_frame_convert(&in, &out[0]), LEAT_OK);
            KT_EACH_LEVEL(level) {
                out[1] = make_frame(to, sizes[s][0], sizes[s][1], &block[2]);
                out[1].full_range = out[0].full_range;
                assert_int_equal(leat_frame_convert(&in, &out[1]), LEAT_OK);
                assert_memory_equal(block[1].data, block[2].data, block[1].n);
                check_output(block[2]);
            }
            check_output(block[0]);
            check_output(block[1]);
        }
    bytes block[2];
    leat_frame in = make_frame(LEAT_PIXEL_YUY2, 5, 3, &block[0]), out = make_frame(LEAT_PIXEL_I420, 5, 3, &block[1]);
    for (size_t i = 0; i < block[0].n; i++) block[0].data[i] = (uint8_t)(kt_next() >> 33);
    assert_int_equal(leat_frame_convert(&in, &out), LEAT_OK);
    for (int y = 0; y < 3; y++)
        for (int x = 0; x < 5; x++) {
            const uint8_t *a = in.plane[0] + (y & ~1) * 12 + x / 2 * 4, *b = in.plane[0] + ((y | 1) < 3 ? y | 1 : y) * 12 + x / 2 * 4;
            assert_int_equal(out.plane[0][y * 5 + x], in.plane[0][y * 12 + 2 * x]);
            assert_int_equal(out.plane[1][y / 2 * 3 + x / 2], (a[1] + b[1] + 1) / 2);
            assert_int_equal(out.plane[2][y / 2 * 3 + x / 2], (a[3] + b[3] + 1) / 2);
        }
    check_output(block[0]);
    check_output(block[1]);
}

static void test_layout(void **state) {
    leat_frame f = {0};
    uint8_t buffer[64];
    leat_pixel_format format;
    assert_int_equal(leat_frame_bytes(LEAT_PIXEL_UYVY, 1920, 1080), 4147200);
    assert_int_equal(leat_frame_bytes(LEAT_PIXEL_NV12, 1920, 1080), 3110400);
    assert_int_equal(leat_frame_bytes(LEAT_PIXEL_I420, 3, 3), 9 + 4 + 4);
    assert_int_equal(leat_frame_bytes(LEAT_PIXEL_YUY2, 3, 1), 8);
    assert_true(leat_frame_bytes(LEAT_PIXEL_RGBA, 65535, 65535) == (size_t)65535 * 65535 * 4);
    assert_int_equal(leat_frame_bytes(LEAT_PIXEL_RGBA, 65536, 1), 0);
    assert_int_equal(leat_frame_bytes(LEAT_PIXEL_COUNT, 1, 1), 0);
    assert_int_equal(leat_frame_bytes((leat_pixel_format)-1, 1, 1), 0);
    assert_int_equal(leat_frame_layout(&f, LEAT_PIXEL_NV12, 0, 4, buffer), LEAT_EINVAL);
    assert_int_equal(leat_frame_layout(&f, LEAT_PIXEL_NV12, 3, 3, buffer), LEAT_OK);
    assert_true(f.plane[1] == buffer + 9 && f.stride[1] == 4 && f.plane[2] == NULL && leat_frame_is_valid(&f));
    f.stride[1] = 3;
    assert_int_equal(leat_frame_is_valid(&f), 0);
    assert_int_equal(leat_pixel_format_parse("yuy2", &format), LEAT_OK);
    assert_int_equal(format, LEAT_PIXEL_YUY2);
    assert_int_equal(leat_pixel_format_parse("yuyv422", &format), LEAT_EINVAL);
    assert_null(leat_pixel_format_name(LEAT_PIXEL_COUNT));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_levels), cmocka_unit_test(test_forward_formula), cmocka_unit_test(test_inverse_formula),
                                       cmocka_unit_test(test_frames), cmocka_unit_test(test_frame_bits), cmocka_unit_test(test_layout)};
    return cmocka_run_group_tests(tests, kt_seed, NULL);
}
