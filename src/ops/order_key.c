/* order_key.c - see order_key.h.  A float's bits, with the sign bit flipped for positive and all bits for negative numbers,
 * order as unsigned integers; smaller types are widened first. */
#include "ops/order_key.h"

#include <string.h>

#include "base/fp16.h"

#define SIGN64 0x8000000000000000u

static uint64_t float_key(double value) {
    uint64_t bits;
    if (value != value) return UINT64_MAX;
    value += 0.0; /* -0 becomes +0 */
    memcpy(&bits, &value, sizeof bits);
    return bits & SIGN64 ? ~bits : bits | SIGN64;
}

static uint64_t signed_key(int64_t value) { return (uint64_t)value ^ SIGN64; }

int leat__has_order_key(leat_dtype dtype) {
    return dtype > LEAT_DTYPE_NONE && dtype < LEAT_DTYPE_COUNT && dtype != LEAT_DTYPE_STRING && dtype != LEAT_DTYPE_C64 &&
           dtype != LEAT_DTYPE_C128;
}

uint64_t leat__order_key(leat_dtype dtype, const void *data, int64_t i) {
    switch (dtype) {
    case LEAT_DTYPE_F32: return float_key(((const float *)data)[i]);
    case LEAT_DTYPE_F64: return float_key(((const double *)data)[i]);
    case LEAT_DTYPE_F16: return float_key(leat__f16_to_f32(((const uint16_t *)data)[i]));
    case LEAT_DTYPE_BF16: return float_key(leat__bf16_to_f32(((const uint16_t *)data)[i]));
    case LEAT_DTYPE_I8: return signed_key(((const int8_t *)data)[i]);
    case LEAT_DTYPE_I16: return signed_key(((const int16_t *)data)[i]);
    case LEAT_DTYPE_I32: return signed_key(((const int32_t *)data)[i]);
    case LEAT_DTYPE_I64: return signed_key(((const int64_t *)data)[i]);
    case LEAT_DTYPE_U16: return ((const uint16_t *)data)[i];
    case LEAT_DTYPE_U32: return ((const uint32_t *)data)[i];
    case LEAT_DTYPE_U64: return ((const uint64_t *)data)[i];
    default: return ((const uint8_t *)data)[i];
    }
}
