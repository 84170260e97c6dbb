/* fuzz_onnx_run.c - open, prepare and run whatever the bytes describe, with small inputs: nothing may crash, leak or over-read.
 *
 * Inputs get 1 or 2 for unknown dimensions and small values; tensors above 4 MiB are refused; a run that goes on for long is
 * cancelled from a second thread, as a hostile Loop may ask for 2^63 trips.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "leat/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_INPUTS = 16, MOST_BYTES = 1 << 22, PATIENCE_MS = 300 };

typedef struct watchdog {
    leat_context *context;
    atomic_int    done;
} watchdog;

static void *watch(void *arg) {
    watchdog *dog = arg;
    for (int ms = 0; ms < PATIENCE_MS && !atomic_load(&dog->done); ms++) usleep(1000);
    while (!atomic_load(&dog->done)) { /* cancel is for one run at a time: repeat until it was seen */
        leat_context_cancel(dog->context);
        usleep(1000);
    }
    return NULL;
}

static int bind_input(leat_context *context, leat_model *model, int index, void **owned) {
    leat_value_info info;
    leat_tensor     tensor = {0};
    if (leat_model_input_info(model, index, &info) != LEAT_OK || info.rank < 0) return LEAT_EINVAL;
    tensor.dtype = info.dtype;
    tensor.rank = info.rank;
    for (int d = 0; d < info.rank; d++) tensor.dims[d] = info.dims[d] >= 0 ? info.dims[d] : 1 + d % 2;
    size_t bytes = leat_tensor_bytes(&tensor);
    if (bytes > MOST_BYTES) return LEAT_ELIMIT;
    unsigned char *values = malloc(bytes + 1);
    if (!values) return LEAT_ENOMEM;
    for (size_t i = 0; i < bytes; i++) values[i] = (unsigned char)(info.dtype == LEAT_DTYPE_F32 ? (i % 4 == 3 ? 0x3f : i) : i % 8 == 0);
    *owned = tensor.data = values;
    return leat_context_set_input(context, index, &tensor, NULL);
}

static void run_watched(leat_context *context) {
    watchdog  dog = {.context = context};
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, &dog) != 0) return;
    leat_error error = {0};
    leat_context_run(context, &error);
    atomic_store(&dog.done, 1);
    pthread_join(thread, NULL);
}

static void run_model(leat_model *model) {
    leat_context *context;
    leat_error    error = {0};
    void         *owned[MOST_INPUTS] = {0};
    int           n = leat_model_input_count(model), status = LEAT_OK;
    if (n > MOST_INPUTS || leat_context_open(model, NULL, &context, &error) != LEAT_OK) return;
    for (int i = 0; i < n && status == LEAT_OK; i++) status = bind_input(context, model, i, &owned[i]);
    if (status == LEAT_OK) run_watched(context);
    leat_context_close(context);
    for (int i = 0; i < n; i++) free(owned[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    leat_model_options options;
    leat_model_options_default(&options);
    options.threads = 1;
    options.max_bytes = MOST_BYTES;
    leat_model *model;
    leat_error  error = {0};
    if (leat_model_open_memory(data, size, &options, &model, &error) != LEAT_OK) {
        if (error.message[0] == 0) abort(); /* every failure must say something */
        return 0;
    }
    run_model(model);
    leat_model_unref(model);
    return 0;
}
