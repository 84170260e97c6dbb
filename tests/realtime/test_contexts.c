/* test_contexts.c - the promises of model.h on the bundled classifier: shared weights, concurrency, no allocation, cancel, close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "leat/model.h"

static const char *const model_path = "models/abacus_cells.onnx";
enum { SIDE = 64, PIXELS = 3 * SIDE * SIDE, CLASSES = 3, MOST_BATCH = 6 };

static float pixels[MOST_BATCH * PIXELS];

static void fill_pixels(void) {
    uint32_t s = 1;
    for (size_t i = 0; i < MOST_BATCH * PIXELS; i++) {
        s = s * 1664525u + 1013904223u;
        pixels[i] = (float)(s >> 8) / 8388608.0f - 1.0f;
    }
}

static leat_model *open_model(int threads) {
    leat_model_options options;
    leat_model_options_default(&options);
    options.threads = threads;
    leat_model *model;
    leat_error  error = {0};
    if (leat_model_open(model_path, &options, &model, &error) != LEAT_OK) fail_msg("%s", error.message);
    return model;
}

static leat_context *open_context(leat_model *model) {
    leat_context *context;
    leat_error    error = {0};
    if (leat_context_open(model, NULL, &context, &error) != LEAT_OK) fail_msg("%s", error.message);
    return context;
}

static leat_tensor image_batch(int first, int n) {
    return (leat_tensor){.data = pixels + (size_t)first * PIXELS, .dtype = LEAT_DTYPE_F32, .rank = 4, .dims = {n, 3, SIDE, SIDE}};
}

static void run_batch(leat_context *context, int first, int n, float *out) {
    leat_error  error = {0};
    leat_tensor in = image_batch(first, n), result;
    assert_int_equal(leat_context_set_input(context, 0, &in, &error), LEAT_OK);
    if (leat_context_run(context, &error) != LEAT_OK) fail_msg("%s", error.message);
    assert_int_equal(leat_context_output(context, 0, &result), LEAT_OK);
    assert_int_equal(leat_tensor_bytes(&result), (size_t)n * CLASSES * sizeof(float));
    memcpy(out, result.data, leat_tensor_bytes(&result));
}

static void close_enough(const float *a, const float *b, int n) {
    for (int i = 0; i < n; i++) assert_true(a[i] - b[i] < 1e-3f && b[i] - a[i] < 1e-3f);
}

/* ---- tests ------------------------------------------------------------------------------------------------------------------ */

static void batches_agree_with_single_images(void **state) {
    leat_model   *model = open_model(1);
    leat_context *context = open_context(model);
    float         single[MOST_BATCH * CLASSES], batch[MOST_BATCH * CLASSES];
    for (int i = 0; i < MOST_BATCH; i++) run_batch(context, i, 1, single + i * CLASSES);
    for (int round = 0; round < 2; round++) /* more shapes than plans are kept: the second round builds them again */
        for (int n = 1; n <= MOST_BATCH; n++) {
            run_batch(context, 0, n, batch);
            close_enough(batch, single, n * CLASSES);
        }
    leat_context_close(context);
    leat_model_unref(model);
}

static void results_do_not_depend_on_threads(void **state) {
    float one[CLASSES * MOST_BATCH], many[CLASSES * MOST_BATCH];
    for (int threads = 1; threads <= 5; threads++) {
        leat_model   *model = open_model(threads);
        leat_context *context = open_context(model);
        run_batch(context, 0, MOST_BATCH, threads == 1 ? one : many);
        if (threads > 1) assert_memory_equal(one, many, sizeof one);
        leat_context_close(context);
        leat_model_unref(model);
    }
}

static void a_prepared_run_allocates_nothing(void **state) {
    leat_model       *model = open_model(2);
    leat_context     *context = open_context(model);
    leat_error        error = {0};
    leat_tensor       in = image_batch(0, 1);
    leat_memory_stats before, after;
    assert_int_equal(leat_context_set_input(context, 0, &in, &error), LEAT_OK);
    assert_int_equal(leat_context_prepare(context, &error), LEAT_OK);
    leat_memory_get(&before);
    assert_int_equal(leat_context_warmup(context, 20, &error), LEAT_OK);
    leat_memory_get(&after);
    assert_int_equal(after.allocations, before.allocations);
    assert_int_equal(after.hot_allocations, before.hot_allocations);
    leat_context_stats stats;
    leat_context_get_stats(context, &stats);
    assert_int_equal(stats.run_allocations, 0);
    assert_int_equal(stats.runs, 20);
    assert_true(stats.macs > 0 && stats.arena_bytes > 0);
    leat_context_close(context);
    leat_model_unref(model);
}

static void contexts_share_one_copy_of_the_weights(void **state) {
    leat_model        *model = open_model(1);
    leat_context      *contexts[8];
    leat_context_stats first, last;
    float              a[CLASSES], b[CLASSES];
    for (int i = 0; i < 8; i++) {
        contexts[i] = open_context(model);
        run_batch(contexts[i], 0, 1, i ? b : a);
        if (i) assert_memory_equal(a, b, sizeof a);
        leat_context_get_stats(contexts[i], i ? &last : &first);
    }
    assert_true(first.weight_bytes_packed > 0);
    assert_int_equal(first.weight_bytes_packed, last.weight_bytes_packed);
    for (int i = 0; i < 8; i++) leat_context_close(contexts[i]);
    leat_model_unref(model);
}

typedef struct runner {
    leat_context *context;
    int           first, rounds;
    float         expected[CLASSES];
    int           differences;
} runner;

static void *run_many(void *arg) {
    runner *r = arg;
    for (int i = 0; i < r->rounds; i++) {
        leat_tensor in = image_batch(r->first, 1), result;
        leat_error  error = {0};
        if (leat_context_set_input(r->context, 0, &in, &error) != LEAT_OK || leat_context_run(r->context, &error) != LEAT_OK ||
            leat_context_output(r->context, 0, &result) != LEAT_OK || memcmp(result.data, r->expected, sizeof r->expected) != 0)
            r->differences++;
    }
    return NULL;
}

static void contexts_run_at_once_and_the_model_may_be_closed_meanwhile(void **state) {
    enum { THREADS = 4 };
    leat_model *model = open_model(2);
    runner      runners[THREADS];
    pthread_t   threads[THREADS];
    for (int t = 0; t < THREADS; t++) {
        runners[t] = (runner){.context = open_context(model), .first = t, .rounds = 50};
        run_batch(runners[t].context, t, 1, runners[t].expected);
    }
    for (int t = 0; t < THREADS; t++) assert_int_equal(pthread_create(&threads[t], NULL, run_many, &runners[t]), 0);
    leat_model_unref(model);
    for (int t = 0; t < THREADS; t++) {
        pthread_join(threads[t], NULL);
        assert_int_equal(runners[t].differences, 0);
        leat_context_close(runners[t].context);
    }
}

static void cancel_stops_one_run(void **state) {
    leat_model   *model = open_model(1);
    leat_context *context = open_context(model);
    float         a[CLASSES], b[CLASSES];
    leat_error    error = {0};
    run_batch(context, 0, 1, a);
    leat_context_cancel(context);
    assert_int_equal(leat_context_run(context, &error), LEAT_ECANCELLED);
    leat_tensor result;
    assert_int_equal(leat_context_output(context, 0, &result), LEAT_ESTATE);
    run_batch(context, 0, 1, b);
    assert_memory_equal(a, b, sizeof a);
    leat_context_close(context);
    leat_model_unref(model);
}

static void a_started_run_gives_the_same(void **state) {
    leat_model   *model = open_model(2);
    leat_context *context = open_context(model);
    float         a[CLASSES];
    leat_error    error = {0};
    leat_tensor   result;
    run_batch(context, 2, 1, a);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(leat_context_start(context, &error), LEAT_OK);
        int status = LEAT_EAGAIN;
        while (status == LEAT_EAGAIN) status = leat_context_wait(context, 100000, &error);
        assert_int_equal(leat_context_poll(context), LEAT_OK);
        assert_int_equal(status, LEAT_OK);
        assert_int_equal(leat_context_output(context, 0, &result), LEAT_OK);
        assert_memory_equal(result.data, a, sizeof a);
    }
    leat_context_close(context);
    leat_model_unref(model);
}

static void outputs_go_into_the_callers_buffer(void **state) {
    leat_model   *model = open_model(1);
    leat_context *context = open_context(model);
    float         expected[CLASSES];
    leat_error    error = {0};
    leat_tensor   result;
    run_batch(context, 1, 1, expected);
    char *block = aligned_alloc(4096, 4096);
    for (int offset = 0; offset < 8; offset += 4) { /* aligned: written directly; unaligned: copied; both must hold */
        memset(block, 0x55, 4096);
        assert_int_equal(leat_context_set_output(context, 0, block + offset, sizeof expected, &error), LEAT_OK);
        assert_int_equal(leat_context_run(context, &error), LEAT_OK);
        assert_int_equal(leat_context_output(context, 0, &result), LEAT_OK);
        assert_ptr_equal(result.data, block + offset);
        assert_memory_equal(block + offset, expected, sizeof expected);
        for (int i = offset + (int)sizeof expected; i < 4096; i++) assert_int_equal(block[i], 0x55);
    }
    assert_int_equal(leat_context_set_output(context, 0, block, 4, &error), LEAT_OK);
    assert_int_equal(leat_context_run(context, &error), LEAT_ELIMIT);
    free(block);
    leat_context_close(context);
    leat_model_unref(model);
}

static void inputs_at_the_end_of_a_page_are_not_over_read(void **state) {
    leat_model   *model = open_model(1);
    leat_context *context = open_context(model);
    float         a[CLASSES], b[CLASSES];
    leat_error    error = {0};
    run_batch(context, 0, 1, a);
    size_t bytes = PIXELS * sizeof(float), room = (bytes + 4095) / 4096 * 4096;
    char  *block = aligned_alloc(4096, room);
    float *at_end = (float *)(block + room - bytes);
    memcpy(at_end, pixels, bytes);
    leat_tensor in = image_batch(0, 1), result;
    in.data = at_end;
    assert_int_equal(leat_context_set_input(context, 0, &in, &error), LEAT_OK);
    assert_int_equal(leat_context_run(context, &error), LEAT_OK);
    assert_int_equal(leat_context_output(context, 0, &result), LEAT_OK);
    memcpy(b, result.data, sizeof b);
    assert_memory_equal(a, b, sizeof a);
    free(block);
    leat_context_close(context);
    leat_model_unref(model);
}

static void misuse_is_an_error(void **state) {
    leat_model   *model = open_model(1);
    leat_context *context = open_context(model);
    leat_error    error = {0};
    leat_tensor   in = image_batch(0, 1), result;
    assert_int_equal(leat_context_output(context, 0, &result), LEAT_ESTATE);
    assert_int_equal(leat_context_run(context, &error), LEAT_ESTATE);
    assert_int_equal(leat_context_set_input(context, 7, &in, &error), LEAT_EINVAL);
    in.dtype = LEAT_DTYPE_F64;
    assert_int_equal(leat_context_set_input(context, 0, &in, &error), LEAT_ETYPE);
    in = image_batch(0, 1);
    in.dims[1] = 4;
    assert_int_equal(leat_context_set_input(context, 0, &in, &error), LEAT_ESHAPE);
    in = image_batch(0, 1);
    in.rank = 3;
    assert_int_equal(leat_context_set_input(context, 0, &in, &error), LEAT_ESHAPE);
    assert_non_null(strstr(error.message, "dimensions"));
    leat_context_close(context);
    leat_context_options no_size = {0};
    assert_int_equal(leat_context_open(model, &no_size, &context, &error), LEAT_EINVAL);
    assert_null(context);
    assert_non_null(strstr(error.message, "leat_context_options_default()"));
    assert_int_equal(leat_context_open(NULL, NULL, &context, &error), LEAT_EINVAL);
    leat_model_unref(model);
    assert_int_equal(leat_model_open("models/absent.onnx", NULL, &model, &error), LEAT_EIO);
    assert_non_null(strstr(error.message, "models/absent.onnx"));
    leat_model_options none = {0};
    assert_int_equal(leat_model_open(model_path, &none, &model, &error), LEAT_EINVAL);
    assert_null(model);
    assert_non_null(strstr(error.message, "leat_model_options_default()"));
    assert_int_equal(leat_model_open(NULL, NULL, &model, &error), LEAT_EINVAL);
    assert_int_equal(leat_model_open_memory(NULL, 0, NULL, &model, &error), LEAT_EINVAL);
}

int main(void) {
    fill_pixels();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_agree_with_single_images),
        cmocka_unit_test(results_do_not_depend_on_threads),
        cmocka_unit_test(a_prepared_run_allocates_nothing),
        cmocka_unit_test(contexts_share_one_copy_of_the_weights),
        cmocka_unit_test(contexts_run_at_once_and_the_model_may_be_closed_meanwhile),
        cmocka_unit_test(cancel_stops_one_run),
        cmocka_unit_test(a_started_run_gives_the_same),
        cmocka_unit_test(outputs_go_into_the_callers_buffer),
        cmocka_unit_test(inputs_at_the_end_of_a_page_are_not_over_read),
        cmocka_unit_test(misuse_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
