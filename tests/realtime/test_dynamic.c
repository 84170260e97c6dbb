/* test_dynamic.c - networks whose shapes depend on data (If, Loop): after the first run a steady stream allocates nothing either. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "leat/model.h"

enum { SAMPLES = 512, STATE = 256 };

static int voice_model(char *path, size_t n) {
    const char *shared = getenv("LEAT_SHARED");
    snprintf(path, n, "%s/models/audio/silero_vad_v6.onnx", shared ? shared : "../shared");
    FILE *file = fopen(path, "rb");
    if (file) fclose(file);
    return file != NULL;
}

static void bind(leat_context *context, leat_model *model, const char *name, leat_tensor tensor) {
    leat_error error = {0};
    if (leat_context_set_input(context, leat_model_input_index(model, name), &tensor, &error) != LEAT_OK) fail_msg("%s", error.message);
}

static void a_steady_stream_allocates_nothing(void **state) {
    char path[512];
    if (!voice_model(path, sizeof path)) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    leat_model        *model;
    leat_context      *context;
    leat_context_stats first, last;
    leat_error         error = {0};
    static float       samples[SAMPLES], memory[STATE];
    int64_t            rate = 16000;
    for (int i = 0; i < SAMPLES; i++) samples[i] = (float)((i * 37) % 101) / 101.0f - 0.5f;
    if (leat_model_open(path, NULL, &model, &error) != LEAT_OK) fail_msg("%s", error.message);
    assert_int_equal(leat_context_open(model, NULL, &context, &error), LEAT_OK);
    bind(context, model, "input", (leat_tensor){.data = samples, .dtype = LEAT_DTYPE_F32, .rank = 2, .dims = {1, SAMPLES}});
    bind(context, model, "state", (leat_tensor){.data = memory, .dtype = LEAT_DTYPE_F32, .rank = 3, .dims = {2, 1, 128}});
    bind(context, model, "sr", (leat_tensor){.data = &rate, .dtype = LEAT_DTYPE_I64, .rank = 0});
    if (leat_context_warmup(context, 2, &error) != LEAT_OK) fail_msg("%s", error.message);
    leat_context_get_stats(context, &first);
    for (int i = 0; i < 50; i++) {
        leat_tensor next;
        assert_int_equal(leat_context_run(context, &error), LEAT_OK);
        assert_int_equal(leat_context_output(context, 1, &next), LEAT_OK);
        memcpy(memory, next.data, sizeof memory);
    }
    leat_context_get_stats(context, &last);
    assert_true(first.dynamic_bytes > 0);
    assert_int_equal(last.run_allocations, first.run_allocations);
    assert_int_equal(last.dynamic_bytes, first.dynamic_bytes);
    leat_context_close(context);
    leat_model_unref(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_steady_stream_allocates_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
