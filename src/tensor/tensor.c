/* tensor.c - element types, shapes, strides, broadcasting, single elements. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fp16.h"
#include "base/mem.h"
#include "tensor/tensor_util.h"

/* ---- element types ------------------------------------------------------------------------------------------------------ */

size_t leat_dtype_size(leat_dtype dtype) {
    static const uint8_t bits[LEAT_DTYPE_COUNT] = {
#define DTYPE_BITS(name, number, n_bits, text) [number] = n_bits,
        LEAT_DTYPE_LIST(DTYPE_BITS)
#undef DTYPE_BITS
    };
    return (unsigned)dtype < LEAT_DTYPE_COUNT ? bits[dtype] / 8 : 0;
}

const char *leat_dtype_name(leat_dtype dtype) {
    static const char *const names[LEAT_DTYPE_COUNT] = {
#define DTYPE_NAME(name, number, n_bits, text) [number] = text,
        LEAT_DTYPE_LIST(DTYPE_NAME)
#undef DTYPE_NAME
    };
    return (unsigned)dtype < LEAT_DTYPE_COUNT ? names[dtype] : "unknown";
}

int leat__dtype_is_float(leat_dtype dtype) {
    return dtype == LEAT_DTYPE_F32 || dtype == LEAT_DTYPE_F64 || dtype == LEAT_DTYPE_F16 || dtype == LEAT_DTYPE_BF16;
}

int leat__dtype_is_int(leat_dtype dtype) {
    switch ((int)dtype) {
    case LEAT_DTYPE_U8: case LEAT_DTYPE_U16: case LEAT_DTYPE_U32: case LEAT_DTYPE_U64: return 1;
    default: return leat__dtype_is_signed(dtype) && !leat__dtype_is_float(dtype);
    }
}

int leat__dtype_is_signed(leat_dtype dtype) {
    switch ((int)dtype) {
    case LEAT_DTYPE_I8: case LEAT_DTYPE_I16: case LEAT_DTYPE_I32: case LEAT_DTYPE_I64: return 1;
    default: return leat__dtype_is_float(dtype);
    }
}

/* ---- shapes ------------------------------------------------------------------------------------------------------------- */

int64_t leat__dims_count(const int64_t *dims, int rank) {
    int64_t count = 1;
    int zero = 0; /* a zero dimension must not hide the overflow or negative sign of another */
    for (int i = 0; i < rank; i++) {
        if (dims[i] < 0) return -1;
        if (dims[i] == 0) zero = 1;
        else if (__builtin_mul_overflow(count, dims[i], &count)) return -1;
    }
    return zero ? 0 : count;
}

int64_t leat_tensor_count(const leat_tensor *tensor) { return leat__dims_count(tensor->dims, tensor->rank); }

size_t leat_tensor_bytes(const leat_tensor *tensor) {
    int64_t count = leat_tensor_count(tensor);
    size_t bytes, size = leat_dtype_size(tensor->dtype);
    if (count < 0 || size == 0 || leat__mul_overflows((size_t)count, size, &bytes)) return SIZE_MAX;
    return bytes;
}

void leat__tensor_set(leat_tensor *t, leat_dtype dtype, int rank, const int64_t *dims) {
    t->dtype = dtype;
    t->rank = rank;
    t->flags = 0;
    for (int i = 0; i < LEAT_MAX_RANK; i++) t->dims[i] = i < rank ? dims[i] : 0;
}

int leat__dims_equal(const leat_tensor *a, const leat_tensor *b) {
    if (a->rank != b->rank) return 0;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i]) return 0;
    return 1;
}

void leat__tensor_physical(const leat_tensor *t, int64_t out[LEAT_MAX_RANK]) {
    for (int i = 0; i < t->rank; i++) out[leat__physical_axis(t, i)] = t->dims[i];
}

int leat__physical_axis(const leat_tensor *t, int axis) {
    if (!leat__is_nhwc(t) || t->rank < 3 || axis == 0) return axis;
    return axis == 1 ? t->rank - 1 : axis - 1;
}

int leat__layouts_equal(const leat_tensor *t) {
    if (t->rank < 3 || t->dims[1] == 1) return 1;
    for (int i = 2; i < t->rank; i++)
        if (t->dims[i] != 1) return 0;
    return 1;
}

void leat__strides(const int64_t *dims, int rank, int64_t *strides) {
    int64_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        strides[i] = stride;
        if (__builtin_mul_overflow(stride, dims[i], &stride)) stride = 0; /* only with a zero dim further out: nothing is walked */
    }
}

int leat__norm_axis(int64_t axis, int rank) {
    if (axis < -(int64_t)rank || axis >= rank) return -1;
    return (int)(axis < 0 ? axis + rank : axis);
}

/* ---- broadcasting ------------------------------------------------------------------------------------------------------- */

int leat__broadcast_dims(const int64_t *a, int ra, const int64_t *b, int rb, int64_t *out, int *ro) {
    int rank = ra > rb ? ra : rb;
    int64_t result[LEAT_MAX_RANK]; /* out may be a or b */
    for (int i = 0; i < rank; i++) {
        int64_t x = i < rank - ra ? 1 : a[i - (rank - ra)], y = i < rank - rb ? 1 : b[i - (rank - rb)];
        if (x != y && x != 1 && y != 1) return LEAT_ESHAPE;
        result[i] = x == 1 ? y : x;
    }
    memcpy(out, result, (size_t)rank * sizeof *out);
    *ro = rank;
    return LEAT_OK;
}

void leat__broadcast_strides(const int64_t *dims, int rank_t, const int64_t *out_dims, int rank, int64_t *strides) {
    int64_t own[LEAT_MAX_RANK];
    leat__strides(dims, rank_t, own);
    for (int i = 0; i < rank; i++) {
        int j = i - (rank - rank_t);
        strides[i] = j < 0 || (dims[j] == 1 && out_dims[i] != 1) ? 0 : own[j];
    }
}

/* ---- single elements ---------------------------------------------------------------------------------------------------- */

/* Saturating conversion; NaN gives 0. */
static int64_t to_int(double value) {
    if (!(value == value)) return 0;
    if (value >= 0x1p63) return INT64_MAX;
    if (value <= -0x1p63) return INT64_MIN;
    return (int64_t)value;
}

int64_t leat__tensor_get_int(const leat_tensor *t, int64_t i) {
    switch ((int)t->dtype) {
    case LEAT_DTYPE_I64: return ((const int64_t *)t->data)[i];
    case LEAT_DTYPE_U64: return (int64_t)((const uint64_t *)t->data)[i];
    case LEAT_DTYPE_I32: return ((const int32_t *)t->data)[i];
    case LEAT_DTYPE_U32: return ((const uint32_t *)t->data)[i];
    case LEAT_DTYPE_I16: return ((const int16_t *)t->data)[i];
    case LEAT_DTYPE_U16: return ((const uint16_t *)t->data)[i];
    case LEAT_DTYPE_I8: return ((const int8_t *)t->data)[i];
    case LEAT_DTYPE_U8: return ((const uint8_t *)t->data)[i];
    case LEAT_DTYPE_BOOL: return ((const uint8_t *)t->data)[i] != 0;
    default: return to_int(leat__tensor_get_float(t, i));
    }
}

double leat__tensor_get_float(const leat_tensor *t, int64_t i) {
    switch ((int)t->dtype) {
    case LEAT_DTYPE_F32: return ((const float *)t->data)[i];
    case LEAT_DTYPE_F64: return ((const double *)t->data)[i];
    case LEAT_DTYPE_F16: return leat__f16_to_f32(((const uint16_t *)t->data)[i]);
    case LEAT_DTYPE_BF16: return leat__bf16_to_f32(((const uint16_t *)t->data)[i]);
    case LEAT_DTYPE_U64: return (double)((const uint64_t *)t->data)[i];
    default: return leat__dtype_is_int(t->dtype) || t->dtype == LEAT_DTYPE_BOOL ? (double)leat__tensor_get_int(t, i) : 0;
    }
}

void leat__tensor_set_int(leat_tensor *t, int64_t i, int64_t value) {
    switch ((int)t->dtype) {
    case LEAT_DTYPE_I64: ((int64_t *)t->data)[i] = value; break;
    case LEAT_DTYPE_U64: ((uint64_t *)t->data)[i] = (uint64_t)value; break;
    case LEAT_DTYPE_I32: ((int32_t *)t->data)[i] = (int32_t)value; break;
    case LEAT_DTYPE_U32: ((uint32_t *)t->data)[i] = (uint32_t)value; break;
    case LEAT_DTYPE_I16: ((int16_t *)t->data)[i] = (int16_t)value; break;
    case LEAT_DTYPE_U16: ((uint16_t *)t->data)[i] = (uint16_t)value; break;
    case LEAT_DTYPE_I8: ((int8_t *)t->data)[i] = (int8_t)value; break;
    case LEAT_DTYPE_U8: ((uint8_t *)t->data)[i] = (uint8_t)value; break;
    case LEAT_DTYPE_BOOL: ((uint8_t *)t->data)[i] = value != 0; break;
    default: leat__tensor_set_float(t, i, (double)value); break;
    }
}

void leat__tensor_set_float(leat_tensor *t, int64_t i, double value) {
    switch ((int)t->dtype) {
    case LEAT_DTYPE_F32: ((float *)t->data)[i] = (float)value; break;
    case LEAT_DTYPE_F64: ((double *)t->data)[i] = value; break;
    case LEAT_DTYPE_F16: ((uint16_t *)t->data)[i] = leat__f32_to_f16((float)value); break;
    case LEAT_DTYPE_BF16: ((uint16_t *)t->data)[i] = leat__f32_to_bf16((float)value); break;
    case LEAT_DTYPE_BOOL: ((uint8_t *)t->data)[i] = value != 0; break;
    default:
        if (leat__dtype_is_int(t->dtype)) leat__tensor_set_int(t, i, to_int(value));
        break;
    }
}

/* ---- text --------------------------------------------------------------------------------------------------------------- */

const char *leat__tensor_text(const leat_tensor *t, char *buf, size_t n) {
    size_t used = 0;
    if (n == 0) return buf;
    int length = snprintf(buf, n, "%s[", leat_dtype_name(t->dtype));
    for (int i = 0; length >= 0; i++) {
        used += (size_t)length;
        if (used >= n || i > t->rank) break;
        if (i >= t->rank) length = snprintf(buf + used, n - used, t->rank < 0 ? "?]" : "]");
        else length = snprintf(buf + used, n - used, "%s%" PRId64, i ? "," : "", t->dims[i]);
    }
    return buf;
}
