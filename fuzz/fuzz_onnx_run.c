/* fuzz_onnx_run.c - whole life of a small model: open (with optimising), prepare, run twice, read the outputs.
 *
 * Inputs are filled with a fixed pattern; unknown dims become 2.  What is large or loops is left out or cancelled, so that the fuzzer's
 * time goes into paths, not into arithmetic.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "leat/leat.h"
#include "leat/tensor_io.h"

#define MAX_TENSOR ((uint64_t)1 << 20)
#define MAX_MACS 20000000
#define LOOP_NS 500000000 /* a run of a model with loops is cancelled after this */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A small value at every element, different ones, valid for every type. */
static void fill(leat_tensor *tensor) {
    size_t count = (size_t)leat_tensor_count(tensor), each = leat_dtype_size(tensor->dtype);
    for (size_t i = 0; i < count; i++) {
        uint8_t *at = (uint8_t *)tensor->data + i * each;
        if (tensor->dtype == LEAT_DTYPE_F32) {
            float value = (float)(i % 7) * 0.25f - 0.5f;
            memcpy(at, &value, sizeof value);
        } else if (tensor->dtype != LEAT_DTYPE_STRING) {
            at[0] = tensor->dtype == LEAT_DTYPE_BOOL ? i & 1 : i % 5;
        }
    }
}

/* Binds input i to new data; 0 when it is not one that this program can make. */
static int bind_input(leat_context *context, const leat_model *model, int i, leat_tensor *tensor) {
    leat_value_info info;
    leat_error error = {0};
    if (leat_model_input_info(model, i, &info) != LEAT_OK) return 0;
    tensor->dtype = info.dtype;
    tensor->rank = info.rank < 0 ? 2 : info.rank;
    for (int d = 0; d < tensor->rank; d++) tensor->dims[d] = info.rank < 0 || info.dims[d] < 0 ? 2 : info.dims[d];
    if (leat_tensor_bytes(tensor) > MAX_TENSOR || leat_tensor_alloc(tensor) != LEAT_OK) return 0;
    fill(tensor);
    return leat_context_set_input(context, i, tensor, &error) == LEAT_OK;
}

static volatile uint8_t sink; /* keeps the reads */

static void read_outputs(leat_context *context, const leat_model *model) {
    for (int i = 0; i < leat_model_output_count(model); i++) {
        leat_tensor out;
        if (leat_context_output(context, i, &out) != LEAT_OK) continue;
        size_t bytes = leat_tensor_bytes(&out);
        if (bytes == SIZE_MAX) abort();
        for (size_t k = 0; k < bytes; k++) sink = ((const uint8_t *)out.data)[k];
    }
}

static int run_once(leat_context *context, int may_loop) {
    leat_error error = {0};
    if (!may_loop) return leat_context_run(context, &error);
    if (leat_context_start(context, &error) != LEAT_OK) return LEAT_ESTATE;
    int status = leat_context_wait(context, LOOP_NS, &error);
    if (status != LEAT_EAGAIN) return status;
    leat_context_cancel(context);
    return leat_context_wait(context, -1, &error);
}

static void use(leat_context *context, const leat_model *model, leat_tensor *inputs, int may_loop) {
    leat_error error = {0};
    leat_context_stats stats;
    for (int i = 0; i < leat_model_input_count(model); i++)
        if (!bind_input(context, model, i, &inputs[i])) return;
    int status = leat_context_prepare(context, &error);
    if (status != LEAT_OK && (error.status != status || !error.message[0])) abort();
    leat_context_get_stats(context, &stats);
    if (status != LEAT_OK || stats.macs > MAX_MACS) return;
    for (int run = 0; run < 2; run++)
        if (run_once(context, may_loop) == LEAT_OK) read_outputs(context, model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    leat_model_options options;
    leat_model *model;
    leat_context *context;
    leat_error error = {0};
    leat_model_options_default(&options);
    options.threads = 1;
    options.max_bytes = MAX_TENSOR;
    if (leat_model_open_memory(data, size, &options, &model, &error) != LEAT_OK) return 0;
    int n = leat_model_input_count(model), may_loop = memmem(data, size, "Loop", 4) || memmem(data, size, "Scan", 4);
    leat_tensor *inputs = calloc((size_t)n + 1, sizeof *inputs);
    if (inputs && leat_context_open(model, NULL, &context, &error) == LEAT_OK) {
        use(context, model, inputs, may_loop);
        leat_context_close(context);
    }
    for (int i = 0; inputs && i < n; i++) leat_tensor_free(&inputs[i]);
    free(inputs);
    leat_model_unref(model);
    return 0;
}
