/* test_classify_golden.c - whole classifiers on real inputs: the networks' own test tensors, and photos with known answers.
 *
 * Photos: resize of the short side to 256, centre crop, as the answers were made.  An answer that differs is forgiven only where the
 * first two probabilities lie within 0.05: there the resampling of the decoder decides.
 */
#include "golden.h"
#include "leat/media.h"

static void top1_on_own_input(const char *name) {
    char path[GOLDEN_PATH], rest[256];
    leat_tensor in, want, got;
    leat_model *model;
    leat_context *context;
    leat_error error = {0};
    snprintf(rest, sizeof rest, "classification/%s.onnx", name);
    golden_need(golden_path(path, rest));
    golden_open(path, 2, &model, &context);
    snprintf(rest, sizeof rest, "classification/%s.input_0.pb", name);
    golden_read_pb(golden_path(path, rest), &in);
    snprintf(rest, sizeof rest, "classification/%s.output_0.pb", name);
    golden_read_pb(golden_path(path, rest), &want);
    assert_int_equal(leat_context_set_input(context, 0, &in, &error), LEAT_OK);
    if (leat_context_run(context, &error)) fail_msg("%s: %s", name, error.message);
    assert_int_equal(leat_context_output(context, 0, &got), LEAT_OK);
    assert_int_equal(golden_argmax(&got), golden_argmax(&want));
    golden_close(model, context);
    free(in.data);
    free(want.data);
}

static void mobilenetv2_int8_on_its_own_input(void **state) { top1_on_own_input("mobilenetv2-qdq-int8-244"); }
static void shufflenet_int8_on_its_own_input(void **state) { top1_on_own_input("shufflenet-v2-12-int8"); }

/* ---- photos ------------------------------------------------------------------------------------------------------------ */

typedef struct classifier {
    const char *model, *key; /* below models/; in labels_shared.json */
    int         size, caffe;
} classifier;

static void preset(const classifier *c, leat_preprocess *p) {
    static const float caffe_mean[3] = {104, 117, 123};
    leat_preprocess_default(p);
    p->width = p->height = c->size;
    p->crop_ratio = 256.0f / (float)c->size;
    if (!c->caffe) return;
    p->bgr = 1;
    p->scale = 1;
    for (int i = 0; i < 3; i++) {
        p->mean[i] = caffe_mean[i];
        p->std[i] = 1;
    }
}

static void load_photo(const classifier *c, const char *photo, leat_tensor *t) {
    char path[GOLDEN_PATH], rest[256];
    leat_preprocess p;
    leat_image image;
    leat_error error = {0};
    preset(c, &p);
    snprintf(rest, sizeof rest, "photos/%s", photo);
    if (leat_image_load(golden_path(path, rest), NULL, &image, &error)) fail_msg("%s", error.message);
    *t = (leat_tensor){.dtype = LEAT_DTYPE_F32, .rank = 4, .dims = {1, 3, c->size, c->size}};
    t->data = aligned_alloc(LEAT_ALIGN, (leat_tensor_bytes(t) + 2 * LEAT_ALIGN) / LEAT_ALIGN * LEAT_ALIGN);
    void *scratch = aligned_alloc(LEAT_ALIGN, (leat_preprocess_scratch_bytes(&p) / LEAT_ALIGN + 1) * LEAT_ALIGN);
    assert_true(t->data && scratch);
    assert_int_equal(leat_preprocess_run(&p, &image, t->data, scratch), LEAT_OK);
    leat_image_free(&image);
    free(scratch);
}

/* Difference of the two largest probabilities; logits are brought through softmax first. */
static double margin(const leat_tensor *t) {
    int64_t n = leat_tensor_count(t), best = golden_argmax(t);
    double top = leat__tensor_get_float(t, best), second = -INFINITY, sum = 0, plain = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = leat__tensor_get_float(t, i);
        plain += x;
        sum += exp(x - top);
        if (i != best) second = fmax(second, x);
    }
    int is_probability = fabs(plain - 1) < 1e-2 && top <= 1.001;
    return is_probability ? top - second : (1 - exp(second - top)) / sum;
}

static void photos_agree(const classifier *c) {
    char path[GOLDEN_PATH];
    golden_need(golden_path(path, c->model));
    leat_model *model;
    leat_context *context;
    golden_open(path, 2, &model, &context);
    json_t *photos = json_load_file(golden_path(path, "photos/labels_shared.json"), 0, NULL), *entry;
    const char *photo;
    int agreed = 0, forgiven = 0, wrong = 0;
    assert_non_null(photos);
    json_object_foreach(photos, photo, entry) {
        json_t *answer = json_object_get(json_object_get(entry, "imagenet_top1"), c->key);
        leat_tensor in, got;
        if (!answer) continue;
        load_photo(c, photo, &in);
        assert_int_equal(leat_context_set_input(context, 0, &in, NULL), LEAT_OK);
        assert_int_equal(leat_context_run(context, NULL), LEAT_OK);
        assert_int_equal(leat_context_output(context, 0, &got), LEAT_OK);
        int64_t top = golden_argmax(&got), want = json_integer_value(json_array_get(answer, 0));
        int same = top == want, close = margin(&got) <= 0.05;
        agreed += same;
        forgiven += !same && close;
        wrong += !same && !close;
        if (!same) print_message("%s on %s: class %d, expected %d, margin %.3f\n", c->key, photo, (int)top, (int)want, margin(&got));
        free(in.data);
    }
    print_message("%s: %d photos agree, %d within the margin, %d wrong\n", c->key, agreed, forgiven, wrong);
    json_decref(photos);
    golden_close(model, context);
    assert_true(agreed > 0);
    assert_int_equal(wrong, 0);
}

static void squeezenet_on_photos(void **state) {
    photos_agree(&(classifier){"derived/squeezenet1.1-fp32.onnx", "squeezenet-fp32", 224, 1});
}
static void mobilenetv2_on_photos(void **state) {
    photos_agree(&(classifier){"derived/mobilenetv2-fp32.onnx", "mobilenetv2-fp32", 224, 0});
}
static void mobilenetv2_int8_on_photos(void **state) {
    photos_agree(&(classifier){"classification/mobilenetv2-qdq-int8-244.onnx", "mobilenetv2-qdq", 244, 0});
}
static void shufflenet_int8_on_photos(void **state) {
    photos_agree(&(classifier){"classification/shufflenet-v2-12-int8.onnx", "shufflenet-int8", 224, 0});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mobilenetv2_int8_on_its_own_input), cmocka_unit_test(shufflenet_int8_on_its_own_input),
        cmocka_unit_test(squeezenet_on_photos), cmocka_unit_test(mobilenetv2_on_photos),
        cmocka_unit_test(mobilenetv2_int8_on_photos), cmocka_unit_test(shufflenet_int8_on_photos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
