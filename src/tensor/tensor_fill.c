/* tensor_fill.c - elements by value: reading any type as a double, filling with reproducible noise. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "leat/tensor_io.h"
#include "tensor/tensor_util.h"

double leat_tensor_value(const leat_tensor *tensor, int64_t index) {
    switch (tensor->dtype) {
    case LEAT_DTYPE_NONE: case LEAT_DTYPE_STRING: case LEAT_DTYPE_C64: case LEAT_DTYPE_C128: return NAN;
    default: return leat__tensor_get_float(tensor, index);
    }
}

/* Random bits that a type holds exactly in [0, 1). */
static int float_bits(leat_dtype dtype) {
    switch (dtype) {
    case LEAT_DTYPE_BF16: return 8;
    case LEAT_DTYPE_F16: return 11;
    case LEAT_DTYPE_F32: return 24;
    case LEAT_DTYPE_F64: return 53;
    default: return 0;
    }
}

static void fill_floats(float *to, int64_t n, uint64_t seed, uint64_t stream) {
    for (int64_t i = 0; i < n; i++) to[i] = leat__rng_uniformf(seed, stream, (uint64_t)i);
}

int leat_tensor_fill_random(leat_tensor *tensor, uint64_t seed, uint64_t stream) {
    int64_t n = leat_tensor_count(tensor);
    int bits = float_bits(tensor->dtype);
    if (n < 0 || (n > 0 && !tensor->data) || tensor->dtype == LEAT_DTYPE_STRING || tensor->dtype == LEAT_DTYPE_NONE) return LEAT_EINVAL;
    if (tensor->dtype == LEAT_DTYPE_F32) fill_floats(tensor->data, n, seed, stream);
    else if (tensor->dtype == LEAT_DTYPE_C64) fill_floats(tensor->data, 2 * n, seed, stream);
    else if (tensor->dtype == LEAT_DTYPE_C128)
        for (int64_t i = 0; i < 2 * n; i++) ((double *)tensor->data)[i] = leat__rng_uniform(seed, stream, (uint64_t)i);
    else
        for (int64_t i = 0; i < n; i++) {
            uint64_t word = leat__rng_u64(seed, stream, (uint64_t)i);
            if (bits) leat__tensor_set_float(tensor, i, ldexp((double)(word >> (64 - bits)), -bits));
            else leat__tensor_set_int(tensor, i, (int64_t)(word & 1));
        }
    return LEAT_OK;
}
