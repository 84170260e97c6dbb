/* npy.h - NumPy's .npy format in memory. */
#ifndef LEAT_TENSOR_NPY_H
#define LEAT_TENSOR_NPY_H

#include "leat/tensor_io.h"

/* 1 when the bytes begin as an .npy file does. */
int leat__npy_is(const void *data, size_t bytes);
/* Parses an .npy file; fills *tensor with data of its own (leat_tensor_free). */
int leat__npy_parse(const void *data, size_t bytes, leat_tensor *tensor, leat_error *error);

#endif
