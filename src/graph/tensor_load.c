/* tensor_load.c - leat_tensor_load(): the two formats of tensor files, told apart by content.  Here, for it needs the ONNX reader. */
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "graph/onnx_import.h"
#include "leat/tensor_io.h"
#include "tensor/npy.h"

#define MAX_FILE_BYTES ((size_t)16 << 30)

/* Parses a TensorProto, whose data lies in the file or in an arena, and copies it out. */
static int load_onnx(const char *data, size_t bytes, leat_tensor *tensor, leat_error *error) {
    leat_arena  arena;
    leat_tensor parsed = {0};
    leat__arena_init(&arena, LEAT_MEMORY_IO);
    int status = leat__onnx_tensor_parse(data, bytes, &arena, &parsed, NULL, error);
    if (status == LEAT_OK) {
        *tensor = parsed;
        tensor->flags = 0;
        status = leat_tensor_alloc(tensor);
        if (status != LEAT_OK) leat__fail(error, status, "no memory or no numeric elements (%s)", leat_dtype_name(parsed.dtype));
        else if (leat_tensor_bytes(tensor)) memcpy(tensor->data, parsed.data, leat_tensor_bytes(tensor));
    }
    leat__arena_fini(&arena);
    return status;
}

int leat_tensor_load(const char *path, leat_tensor *tensor, leat_error *error) {
    char  *data = NULL;
    size_t bytes = 0;
    memset(tensor, 0, sizeof *tensor);
    int status = leat__read_file(path, MAX_FILE_BYTES, &data, &bytes, error);
    if (status != LEAT_OK) return status;
    status = leat__npy_is(data, bytes) ? leat__npy_parse(data, bytes, tensor, error) : load_onnx(data, bytes, tensor, error);
    leat__free(data);
    if (status == LEAT_OK) return status;
    memset(tensor, 0, sizeof *tensor);
    return leat__fail_prefix(error, status, "%s", path);
}
