/* test_circlefit.c - scenes of circles against the pixel-by-pixel definition: the original's fixture, then random scenes on each instruction
 * set, number of threads and evaluation path. */
#include "circle_cases.h"

#include "base/mem.h"

/* ---- the fixture ------------------------------------------------------------------------------------------------------------------ */

static uint32_t fnv1a_rgba(const leat_image *image) {
    uint32_t hash = 2166136261u;
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++)
            for (int c = 0; c < 4; c++) hash = (hash ^ (c < 3 ? image->data[y * image->stride + 3 * x + c] : 255u)) * 16777619u;
    return hash;
}

static void check_fixture(int side, int k, uint64_t writes, const uint64_t sums[3], uint32_t hash) {
    leat_circle circles[100];
    leat_image  image;
    uint64_t    got = 0, sum[3] = {0};
    cc_fixture(circles, k, side, side);
    assert_int_equal(leat_image_alloc(side, side, &image), LEAT_OK);
    memset(image.data, 255, (size_t)(image.stride * side));
    assert_int_equal(leat_circles_render(circles, k, &image, NULL, &got), LEAT_OK);
    for (int64_t i = 0; i < image.stride * side; i++) sum[i % 3] += image.data[i];
    assert_int_equal(got, writes);
    for (int c = 0; c < 3; c++) assert_int_equal(sum[c], sums[c]);
    assert_int_equal(fnv1a_rgba(&image), hash);
    leat_image_free(&image);
}

static void fixture_has_its_bytes(void **state) {
    (void)state;
    check_fixture(256, 30, 119115, (const uint64_t[]){9792716, 8591612, 8647225}, 0x4d17c6cc);
    check_fixture(512, 100, 1471457, (const uint64_t[]){32720996, 31971574, 37325838}, 0xa7a8aceb);
}

/* ---- random scenes ------------------------------------------------------------------------------------------------------------------ */

enum { MOST = 5100 };

static void check_scene(int width, int height, int frozen, int k, leat_tpool *pool) {
    static leat_circle circles[MOST];
    leat_image  reference = cc_noise(width, height), canvas = cc_noise(width, height), drawn;
    uint64_t    writes = 0, got, sse;
    int64_t     bytes = canvas.stride * height;
    if (frozen == 0 || kt_int(0, 2)) memset(canvas.data, kt_int(0, 1) ? 255 : kt_int(0, 255), (size_t)bytes);
    for (int i = 0; i < frozen + k; i++) circles[i] = cc_random(width, height);
    assert_int_equal(leat_image_alloc(width, height, &drawn), LEAT_OK);
    memcpy(drawn.data, canvas.data, (size_t)bytes);
    leat_circle_target    *target;
    leat_circle_evaluator *evaluator;
    assert_int_equal(leat_circle_target_open(&reference, &canvas, &target, NULL), LEAT_OK);
    assert_int_equal(leat_circle_target_sse(target), cc_sse(canvas.data, reference.data, bytes));
    assert_int_equal(leat_circle_target_freeze(target, circles, frozen, NULL), LEAT_OK);
    assert_int_equal(leat_circle_evaluator_open(target, k, &evaluator), LEAT_OK);
    leat__hot_enter();
    assert_int_equal(leat_circle_evaluate(evaluator, circles + frozen, k, &sse), LEAT_OK);
    leat__hot_leave();
    assert_int_equal(leat_circles_render(circles, frozen + k, &drawn, pool, &got), LEAT_OK);
    for (int i = 0; i < frozen + k; i++) writes += cc_paint(&circles[i], canvas.data, width, height);
    assert_memory_equal(drawn.data, canvas.data, (size_t)bytes);
    assert_int_equal(got, writes);
    assert_int_equal(sse, cc_sse(canvas.data, reference.data, bytes));
    leat_circle_evaluator_close(evaluator);
    leat_circle_target_unref(target);
    leat_image_free(&reference);
    leat_image_free(&canvas);
    leat_image_free(&drawn);
}

static void scenes_equal_their_definition(void **state) {
    (void)state;
    static const int thread_counts[] = {1, 2, 5};
    const char      *more = getenv("LEAT_CIRCLE_SCENES"); /* the claim is for 10000 */
    int              scenes = more ? atoi(more) : 1200;
    leat_tpool      *pool;
    for (int t = 0; t < 3; t++) {
        assert_int_equal(leat_tpool_new(thread_counts[t], &pool), LEAT_OK);
        for (leat_isa level = LEAT_ISA_REF; level < LEAT_ISA_COUNT; level = leat_isa_next(level)) {
            assert_int_equal(leat_isa_select(level), LEAT_OK);
            for (int i = 0; i < scenes / (3 * ((int)leat_isa_supported() + 1)) + 1; i++) {
                int side = i % 3 ? kt_int(1, 40) : kt_int(60, 150), frozen = kt_int(0, 1) ? kt_int(0, 12) : 0;
                check_scene(i % 40 ? side : 300, kt_int(1, side + 20), frozen, i % 4 ? kt_int(0, 12) : kt_int(13, 70), pool);
            }
        }
        leat_tpool_unref(pool);
    }
    leat_isa_select(leat_isa_supported());
}

/* Many circles: several words of a set, then too many for the sweep; and rows of several blocks of sums. */
static void crowds_equal_their_definition(void **state) {
    (void)state;
    static const int crowds[][3] = {{90, 70, 150}, {300, 40, 250}, {64, 64, 300}, {600, 33, 64}, {257, 20, 40}, {258, 17, 64}, {50, 50, 5000}};
    for (leat_isa level = LEAT_ISA_REF; level < LEAT_ISA_COUNT; level = leat_isa_next(level)) {
        assert_int_equal(leat_isa_select(level), LEAT_OK);
        for (size_t i = 0; i < sizeof crowds / sizeof *crowds; i++) check_scene(crowds[i][0], crowds[i][1], 0, crowds[i][2], NULL);
    }
    leat_isa_select(leat_isa_supported());
}

static void sizes_at_the_ends(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) check_scene(1, 1, i % 3, kt_int(0, 5), NULL);
    check_scene(7680, 3, 1, 20, NULL);
    check_scene(3, 7680, 1, 20, NULL);
    check_scene(7680, 4320, 0, 4, NULL); /* too large for prefix sums of the reference */
}

/* A canvas inside a larger picture: nothing beside it changes, also with threads. */
static void windows_keep_their_surroundings(void **state) {
    (void)state;
    leat_tpool *pool;
    assert_int_equal(leat_tpool_new(3, &pool), LEAT_OK);
    for (int i = 0; i < 150; i++) {
        int         width = kt_int(1, 70), height = kt_int(1, 70), margin = kt_int(0, 20);
        leat_image  whole = cc_noise(width + 2 * margin, height + 2 * margin), before = cc_noise(width + 2 * margin, height + 2 * margin);
        leat_image  window = {whole.data + margin * whole.stride + 3 * margin, width, height, whole.stride};
        uint8_t    *inside = malloc((size_t)width * height * 3);
        leat_circle circles[8];
        assert_non_null(inside);
        memcpy(before.data, whole.data, (size_t)(whole.stride * whole.height));
        for (int y = 0; y < height; y++) memcpy(inside + y * width * 3, window.data + y * window.stride, (size_t)width * 3);
        for (int k = 0; k < 8; k++) circles[k] = cc_random(width, height);
        for (int k = 0; k < 8; k++) cc_paint(&circles[k], inside, width, height);
        assert_int_equal(leat_circles_render(circles, 8, &window, i % 2 ? pool : NULL, NULL), LEAT_OK);
        for (int y = 0; y < height; y++) {
            assert_memory_equal(window.data + y * window.stride, inside + y * width * 3, (size_t)width * 3);
            memcpy(window.data + y * window.stride, before.data + (margin + y) * whole.stride + 3 * margin, (size_t)width * 3);
        }
        assert_memory_equal(whole.data, before.data, (size_t)(whole.stride * whole.height));
        free(inside);
        leat_image_free(&whole);
        leat_image_free(&before);
    }
    leat_tpool_unref(pool);
}

static void evaluations_allocate_nothing(void **state) {
    (void)state;
    leat_image             reference = cc_noise(80, 60);
    leat_circle            circles[30];
    leat_circle_target    *target;
    leat_circle_evaluator *evaluator;
    leat_circle_renderer  *renderer;
    uint64_t               sse, before = leat__thread_allocations();
    assert_int_equal(leat_circle_target_open(&reference, NULL, &target, NULL), LEAT_OK);
    assert_int_equal(leat_circle_evaluator_open(target, 30, &evaluator), LEAT_OK);
    assert_int_equal(leat_circle_renderer_open(30, 80, NULL, &renderer), LEAT_OK);
    assert_true(leat__thread_allocations() > before);
    before = leat__thread_allocations();
    for (int i = 0; i < 200; i++) {
        for (int k = 0; k < 30; k++) circles[k] = cc_random(80, 60);
        assert_int_equal(leat_circle_evaluate(evaluator, circles, i % 31, &sse), LEAT_OK);
        assert_int_equal(leat_circle_renderer_draw(renderer, circles, i % 31, &reference, NULL), LEAT_OK);
    }
    assert_int_equal(leat__thread_allocations(), before);
    assert_int_equal(leat_circle_renderer_draw(renderer, circles, 31, &reference, NULL), LEAT_ELIMIT);
    leat_circle_renderer_close(renderer);
    leat_circle_evaluator_close(evaluator);
    leat_circle_target_unref(target);
    leat_image_free(&reference);
}

/* ---- arguments ------------------------------------------------------------------------------------------------------------------------ */

static void bad_circles_are_refused(void **state) {
    (void)state;
    leat_error  error = {0};
    leat_circle good = {1, 1, 1, 0.5, 0.5, 0.5, 0.5};
    assert_int_equal(leat_circles_check(&good, 1, &error), LEAT_OK);
    static const double bad[] = {NAN, INFINITY, -INFINITY, 2e6, -2e6};
    for (int f = 0; f < 7; f++)
        for (int i = 0; i < 5; i++) {
            leat_circle two[2] = {good, good};
            (&two[1].x)[f] = bad[i];
            assert_int_equal(leat_circles_check(two, 2, &error), LEAT_EINVAL);
            assert_non_null(strstr(error.message, "circle 1"));
        }
    good.r = -1;
    assert_int_equal(leat_circles_check(&good, 1, &error), LEAT_EINVAL);
    assert_int_equal(leat_circles_check(&good, LEAT_CIRCLES_MAX + 1, &error), LEAT_ELIMIT);
    assert_int_equal(leat_circles_check(NULL, 1, &error), LEAT_EINVAL);
    assert_int_equal(leat_circles_check(NULL, 0, &error), LEAT_OK);
}

static void targets_check_their_images(void **state) {
    (void)state;
    leat_image          a = cc_noise(5, 4), b = cc_noise(4, 5), none = {0};
    leat_circle_target *target;
    leat_error          error = {0};
    assert_int_equal(leat_circle_target_open(&none, NULL, &target, &error), LEAT_EINVAL);
    assert_null(target);
    assert_int_equal(leat_circle_target_open(&a, &b, &target, &error), LEAT_ESHAPE);
    assert_null(target);
    assert_int_equal(leat_circle_target_open(&a, &a, &target, &error), LEAT_OK);
    assert_int_equal(leat_circle_target_sse(target), 0);
    assert_int_equal(leat_circle_target_canvas(target, &b), LEAT_ESHAPE);
    assert_int_equal(leat_circle_target_reset(target, &b, &error), LEAT_ESHAPE);
    assert_int_equal(leat_circle_target_reset(target, NULL, &error), LEAT_OK);
    leat_image out = cc_noise(5, 4);
    assert_int_equal(leat_circle_target_canvas(target, &out), LEAT_OK);
    for (int i = 0; i < 60; i++) assert_int_equal(out.data[i], 255);
    assert_int_equal(leat_circle_target_reference(target, &out), LEAT_OK);
    assert_memory_equal(out.data, a.data, 60);
    leat_circle_target_unref(target);
    leat_image_free(&a);
    leat_image_free(&b);
    leat_image_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixture_has_its_bytes),          cmocka_unit_test(scenes_equal_their_definition),
        cmocka_unit_test(crowds_equal_their_definition),  cmocka_unit_test(sizes_at_the_ends),
        cmocka_unit_test(windows_keep_their_surroundings),
        cmocka_unit_test(evaluations_allocate_nothing),   cmocka_unit_test(bad_circles_are_refused),
        cmocka_unit_test(targets_check_their_images),
    };
    return cmocka_run_group_tests(tests, kt_seed, NULL);
}
