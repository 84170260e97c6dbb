/* tensor_io.h - tensors from and to files: NumPy .npy and ONNX TensorProto .pb. */
#ifndef LEAT_TENSOR_IO_H
#define LEAT_TENSOR_IO_H

#include "leat/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Allocates zeroed data for a tensor whose dtype, rank and dims are set (LEAT_MEMORY_IO); the caller frees it with
 * leat_tensor_free().  LEAT_EINVAL (bad dims or dtype), LEAT_ENOMEM; data is NULL on failure.  Any thread. */
int leat_tensor_alloc(leat_tensor *tensor);
/* Frees data that leat_tensor_alloc() or leat_tensor_load() made and sets it NULL.  NULL allowed.  Any thread. */
void leat_tensor_free(leat_tensor *tensor);

/* Reads the tensor in `path`: .npy of versions 1 to 3 (either byte order, C or Fortran order, which is transposed; numeric and bool
 * elements) or an ONNX TensorProto, told apart by content.  Fills *tensor with data of its own: leat_tensor_free().
 * LEAT_EIO, LEAT_EFORMAT, LEAT_EUNSUPPORTED, LEAT_ELIMIT, LEAT_ENOMEM; *tensor is zeroed on failure.  Any thread. */
int leat_tensor_load(const char *path, leat_tensor *tensor, leat_error *error);

/* Writes `tensor` to `path` as .npy version 1.0, under a temporary name that is then renamed.  BFLOAT16 is widened to float32,
 * for NumPy has no such type.  LEAT_EIO, LEAT_EUNSUPPORTED (strings), LEAT_EINVAL, LEAT_ENOMEM.  Any thread. */
int leat_tensor_save_npy(const char *path, const leat_tensor *tensor, leat_error *error);

/* Element `index` (row-major) as a double: any dtype but string and complex, which give NaN.  The index is not checked.  RT-safe. */
double leat_tensor_value(const leat_tensor *tensor, int64_t index);

/* Fills data by a counter generator (Philox), so that element i depends on seed, stream and i only: floats uniform in [0, 1) in steps
 * that the type can hold, booleans and integers 0 or 1.  LEAT_EINVAL for strings and when there is no data.  RT-safe. */
int leat_tensor_fill_random(leat_tensor *tensor, uint64_t seed, uint64_t stream);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
