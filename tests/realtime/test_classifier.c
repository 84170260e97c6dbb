/* test_classifier.c - the classifier on the bundled model: right answers, batches, no allocation, softmax, options; random fills. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "leat/leat.h"

#define MODEL "models/abacus_cells.onnx"
enum { N = 6 };

static const char *const pictures[N] = {"models/demo/upper_1.jpg", "models/demo/lower_1.jpg", "models/demo/empty_1.jpg",
                                        "models/demo/empty_3.png", "models/demo/upper_3.png", "models/demo/lower_3.png"};
static const int answers[N] = {0, 1, 2, 2, 0, 1};
static leat_image images[N];
static leat_model *model;

static int set_up(void **state) {
    (void)state;
    leat_error error = {0};
    for (int i = 0; i < N; i++)
        if (leat_image_load(pictures[i], NULL, &images[i], &error) != LEAT_OK) fail_msg("%s", error.message);
    return leat_model_open(MODEL, NULL, &model, &error);
}

static int tear_down(void **state) {
    (void)state;
    for (int i = 0; i < N; i++) leat_image_free(&images[i]);
    leat_model_unref(model);
    return 0;
}

static leat_classifier *open_classifier(int batch) {
    leat_classifier_options options;
    leat_classifier *classifier;
    leat_error error = {0};
    leat_classifier_options_default(&options);
    options.batch = batch;
    options.preprocess.width = options.preprocess.height = 64;
    options.preprocess.fit = LEAT_FIT_STRETCH;
    if (leat_classifier_open(model, &options, &classifier, &error) != LEAT_OK) fail_msg("%s", error.message);
    return classifier;
}

static void test_answers_in_any_batch(void **state) {
    (void)state;
    float single[N] = {0};
    for (int batch = 1; batch <= 4; batch++) {
        leat_classifier *c = open_classifier(batch);
        assert_int_equal(leat_classifier_classes(c), 3);
        assert_int_equal(leat_classifier_top_k(c), 3);
        for (int at = 0; at < N; at += batch) {
            leat_class top[4 * 3];
            leat_classify_times times[4];
            int n = at + batch <= N ? batch : N - at;
            assert_int_equal(leat_classifier_run(c, images + at, n, top, times, NULL), LEAT_OK);
            for (int i = 0; i < n; i++) {
                assert_int_equal(top[3 * i].index, answers[at + i]);
                assert_true(fabs(top[3 * i].probability + top[3 * i + 1].probability + top[3 * i + 2].probability - 1) < 1e-5);
                assert_true(top[3 * i].probability >= top[3 * i + 1].probability && top[3 * i + 1].probability >= top[3 * i + 2].probability);
                if (batch == 1) single[at + i] = top[3 * i].probability;
                assert_true(fabsf(top[3 * i].probability - single[at + i]) < 1e-5f);
                assert_true(times[i].preprocess_ms >= 0 && times[i].infer_ms > 0 && times[i].postprocess_ms >= 0);
            }
        }
        leat_classifier_close(c);
    }
}

static void test_classifying_allocates_nothing(void **state) {
    (void)state;
    leat_memory_stats before, after;
    leat_class top[3];
    leat_classifier *c = open_classifier(1);
    leat_memory_get(&before);
    for (int i = 0; i < N; i++) assert_int_equal(leat_classifier_run(c, &images[i], 1, top, NULL, NULL), LEAT_OK);
    leat_memory_get(&after);
    assert_int_equal(after.allocations, before.allocations);
    leat_classifier_close(c);
}

static void test_wrong_calls_are_refused(void **state) {
    (void)state;
    leat_class top[3];
    leat_error error = {0};
    leat_image nothing = {0};
    leat_classifier *c = open_classifier(1), *other;
    leat_classifier_options options;
    assert_int_equal(leat_classifier_run(c, images, 2, top, NULL, &error), LEAT_EINVAL);
    assert_int_equal(leat_classifier_run(c, images, 0, top, NULL, &error), LEAT_EINVAL);
    assert_int_equal(leat_classifier_run(c, &nothing, 1, top, NULL, &error), LEAT_EINVAL);
    leat_classifier_close(c);
    leat_classifier_options_default(&options);
    options.batch = 0;
    assert_int_equal(leat_classifier_open(model, &options, &other, &error), LEAT_EINVAL);
    assert_null(other);
    assert_int_equal(leat_preprocess_preset(&options.preprocess, "nonsense"), LEAT_EINVAL);
}

static void test_random_fills(void **state) {
    (void)state;
    static const leat_dtype types[] = {LEAT_DTYPE_F32, LEAT_DTYPE_F16, LEAT_DTYPE_BF16, LEAT_DTYPE_F64, LEAT_DTYPE_I64, LEAT_DTYPE_U8, LEAT_DTYPE_BOOL};
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        leat_tensor a = {.dtype = types[k], .rank = 1, .dims = {1000}}, b = a;
        double sum = 0;
        int differ = 0;
        assert_int_equal(leat_tensor_alloc(&a), LEAT_OK);
        assert_int_equal(leat_tensor_alloc(&b), LEAT_OK);
        assert_int_equal(leat_tensor_fill_random(&a, 7, 1), LEAT_OK);
        assert_int_equal(leat_tensor_fill_random(&b, 7, 2), LEAT_OK);
        for (int i = 0; i < 1000; i++) {
            double v = leat_tensor_value(&a, i);
            assert_true(v >= 0 && (k < 4 ? v < 1 : v == 0 || v == 1));
            differ += v != leat_tensor_value(&b, i);
            sum += v;
        }
        assert_true(sum > 440 && sum < 560 && differ > 400);
        assert_int_equal(leat_tensor_fill_random(&b, 7, 1), LEAT_OK);
        assert_memory_equal(a.data, b.data, leat_tensor_bytes(&a));
        leat_tensor_free(&a);
        leat_tensor_free(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_in_any_batch), cmocka_unit_test(test_classifying_allocates_nothing),
        cmocka_unit_test(test_wrong_calls_are_refused), cmocka_unit_test(test_random_fills),
    };
    return cmocka_run_group_tests_name("classifier", tests, set_up, tear_down);
}
