/* test_oom_model.c - the n-th allocation fails while a model is opened, prepared and run, for every n: LEAT_ENOMEM, nothing leaks.
 *
 * A pass may do without what it could not get (a fusion that is not made), so that an open may succeed; then the answer must be the same.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "leat/leat.h"
#include "leat/tensor_io.h"

#define MOST 20000 /* allocations; more would mean that the count never ends */

static uint64_t live_bytes(void) {
    leat_memory_stats stats;
    uint64_t sum = 0;
    leat_memory_get(&stats);
    for (int i = 0; i < LEAT_MEMORY_TAGS; i++) sum += stats.live_bytes[i];
    return sum;
}

typedef struct subject {
    leat_mapping file;
    leat_tensor  input;
    float        expected[4], first[4]; /* of output 0, from a run without failures and from the last run */
} subject;

static int run_context(subject *s, leat_model *model, leat_error *error) {
    leat_context *context;
    leat_tensor out;
    int status = leat_context_open(model, NULL, &context, error);
    if (status != LEAT_OK) return status;
    status = leat_context_set_input(context, 0, &s->input, error);
    if (status == LEAT_OK) status = leat_context_prepare(context, error);
    if (status == LEAT_OK) status = leat_context_run(context, error);
    if (status == LEAT_OK) status = leat_context_output(context, 0, &out);
    if (status == LEAT_OK) memcpy(s->first, out.data, sizeof s->first);
    leat_context_close(context);
    return status;
}

static int whole_life(subject *s, leat_error *error) {
    leat_model_options options;
    leat_model *model;
    leat_model_options_default(&options);
    options.threads = 1;
    *error = (leat_error){0};
    int status = leat_model_open_memory(s->file.data, s->file.bytes, &options, &model, error);
    if (status != LEAT_OK) return status;
    status = run_context(s, model, error);
    leat_model_unref(model);
    return status;
}

static void check_survivor(const subject *s, int n) {
    for (int i = 0; i < 4; i++)
        if (!(fabsf(s->first[i] - s->expected[i]) <= 1e-4f * (1 + fabsf(s->expected[i]))))
            fail_msg("allocation %d: %g instead of %g", n, (double)s->first[i], (double)s->expected[i]);
}

/* Fails allocations n, n + step, .. once each; how many runs survived one. */
static void fail_each(subject *s, uint64_t allocations, int step, int forever, int *refused, int *survived) {
    uint64_t before = live_bytes();
    for (int n = 1; (uint64_t)n <= allocations; n += step) {
        leat_error error;
        leat__alloc_fail_at((uint64_t)n, forever);
        int status = whole_life(s, &error);
        leat__alloc_fail_at(0, 0);
        if (live_bytes() != before) fail_msg("allocation %d: %lld bytes leaked", n, (long long)(live_bytes() - before));
        if (status == LEAT_OK) check_survivor(s, n);
        else if (status != LEAT_ENOMEM || error.status != status || !error.message[0]) fail_msg("allocation %d: %d, %s", n, status, error.message);
        *(status == LEAT_OK ? survived : refused) += 1;
    }
}

static void test_model(const char *name, int rank, const int64_t *dims) {
    char path[512];
    const char *shared = getenv("LEAT_SHARED");
    subject s = {.input.dtype = LEAT_DTYPE_F32, .input.rank = rank};
    leat_error error = {0};
    int refused = 0, survived = 0;
    snprintf(path, sizeof path, "%s/models/%s", shared ? shared : "../shared", name);
    if (leat__map_file(path, &s.file, NULL) != LEAT_OK) {
        print_message("skipped: %s is missing (set LEAT_SHARED)\n", path);
        skip();
    }
    memcpy(s.input.dims, dims, (size_t)rank * sizeof *dims);
    assert_int_equal(leat_tensor_alloc(&s.input), LEAT_OK);
    for (int64_t i = 0; i < leat_tensor_count(&s.input); i++) ((float *)s.input.data)[i] = (float)(i % 17) / 17;
    if (whole_life(&s, &error) != LEAT_OK) fail_msg("%s: %s", name, error.message); /* also fills what is made once per process */
    memcpy(s.expected, s.first, sizeof s.first);
    uint64_t allocations = leat__thread_allocations();
    whole_life(&s, &error);
    allocations = leat__thread_allocations() - allocations;
    assert_in_range(allocations, 10, MOST);
    fail_each(&s, allocations, 1, 0, &refused, &survived);
    fail_each(&s, allocations, 3, 1, &refused, &survived);
    print_message("%s: %d allocations, %d refused, %d survived\n", name, (int)allocations, refused, survived);
    assert_true(refused > 10);
    leat_tensor_free(&s.input);
    leat__unmap(&s.file);
}

static void a_classifier(void **state) {
    (void)state;
    test_model("classification/mnist-8.onnx", 4, (const int64_t[]){1, 1, 28, 28});
}

static void a_detector(void **state) {
    (void)state;
    test_model("detection/yunet_n_320.onnx", 4, (const int64_t[]){1, 3, 320, 320});
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_classifier), cmocka_unit_test(a_detector)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
