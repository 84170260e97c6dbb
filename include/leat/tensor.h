/* tensor.h - element types and the dense tensor that crosses the API.
 *
 * A tensor is a typed pointer with dimensions, row-major (C order), contiguous, nothing more.  Whoever allocated `data` owns it.
 */
#ifndef LEAT_TENSOR_H
#define LEAT_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "leat/common.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* X(name, number (ONNX TensorProto.DataType), bits per element, text).  BOOL is one byte, 0 or 1. */
#define LEAT_DTYPE_LIST(X)       \
    X(NONE, 0, 0, "none")        \
    X(F32, 1, 32, "float32")     \
    X(U8, 2, 8, "uint8")         \
    X(I8, 3, 8, "int8")          \
    X(U16, 4, 16, "uint16")      \
    X(I16, 5, 16, "int16")       \
    X(I32, 6, 32, "int32")       \
    X(I64, 7, 64, "int64")       \
    X(STRING, 8, 128, "string")  \
    X(BOOL, 9, 8, "bool")        \
    X(F16, 10, 16, "float16")    \
    X(F64, 11, 64, "float64")    \
    X(U32, 12, 32, "uint32")     \
    X(U64, 13, 64, "uint64")     \
    X(C64, 14, 64, "complex64")  \
    X(C128, 15, 128, "complex128") \
    X(BF16, 16, 16, "bfloat16")

typedef enum leat_dtype {
#define LEAT_DTYPE_ENUM(name, number, bits, text) LEAT_DTYPE_##name = number,
    LEAT_DTYPE_LIST(LEAT_DTYPE_ENUM)
#undef LEAT_DTYPE_ENUM
    LEAT_DTYPE_COUNT
} leat_dtype;

/* A row-major tensor [dims[0], .., dims[rank-1]].  rank 0 is a scalar of one element. */
typedef struct leat_tensor {
    void      *data;
    leat_dtype dtype;
    int32_t    rank;
    int64_t    dims[LEAT_MAX_RANK];
    uint32_t   flags; /* 0 in the public API; the library's own use */
} leat_tensor;

/* Bytes of one element; 0 for NONE and unknown types.  Any thread, RT-safe. */
size_t leat_dtype_size(leat_dtype dtype);
/* "float32", ...; "unknown" when out of range.  Any thread, RT-safe. */
const char *leat_dtype_name(leat_dtype dtype);
/* Product of the dimensions; -1 if one is negative or the product overflows.  Any thread, RT-safe. */
int64_t leat_tensor_count(const leat_tensor *tensor);
/* count * element size; SIZE_MAX on overflow or unknown dimension.  Any thread, RT-safe. */
size_t leat_tensor_bytes(const leat_tensor *tensor);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
