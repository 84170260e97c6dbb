/* fuzz_onnx.c - the ONNX reader on any bytes: it returns a status, stays inside the input and leaks nothing. */
#include <stdint.h>
#include <stdlib.h>

#include "graph/onnx_import.h"

#define MAX_TENSOR ((uint64_t)16 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_failed(const leat_error *error, int status) {
    if (error->status != status || error->message[0] == 0) abort(); /* every failure is explained */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    leat_arena arena;
    leat_onnx_model model;
    leat_tensor tensor;
    leat_error error = {0};
    leat__arena_init(&arena, LEAT_MEMORY_GRAPH);
    int status = leat__onnx_import(data, size, NULL, size & 1 ? LEAT_ONNX_IN_PLACE : 0, MAX_TENSOR, &arena, &model, &error);
    if (status != LEAT_OK) check_failed(&error, status);
    leat__onnx_import_fini(&model);
    leat__arena_fini(&arena);
    error = (leat_error){0};
    status = leat__onnx_tensor_parse(data, size, &arena, &tensor, NULL, &error);
    if (status != LEAT_OK) check_failed(&error, status);
    leat__arena_fini(&arena);
    return 0;
}
