/* combine.c - element-wise read-modify-write by type, see combine.h. */
#include "ops/combine.h"

#include <string.h>

#include "base/fp16.h"

/* Arithmetic is done in `wide`: uint64_t lets integers wrap without undefined behaviour. */
#define COMBINE(name, type, wide, MAX, MIN)                                                                         \
    static void name(void *to, const void *from, int64_t n, leat_combine op) {                                      \
        type *dst = to;                                                                                             \
        const type *src = from;                                                                                     \
        for (int64_t i = 0; i < n; i++) {                                                                           \
            type a = dst[i], b = src[i];                                                                            \
            switch (op) {                                                                                           \
            case LEAT_COMBINE_ADD: dst[i] = (type)((wide)a + (wide)b); break;                                       \
            case LEAT_COMBINE_MUL: dst[i] = (type)((wide)a * (wide)b); break;                                       \
            case LEAT_COMBINE_MAX: dst[i] = MAX(a, b); break;                                                       \
            case LEAT_COMBINE_MIN: dst[i] = MIN(a, b); break;                                                       \
            default: dst[i] = b; break;                                                                             \
            }                                                                                                       \
        }                                                                                                           \
    }

#define INT_MAX_OF(a, b) ((a) > (b) ? (a) : (b))
#define INT_MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define FLOAT_MAX_OF(a, b) ((a) > (b) || __builtin_isnan(a) ? (a) : (b))
#define FLOAT_MIN_OF(a, b) ((a) < (b) || __builtin_isnan(a) ? (a) : (b))

COMBINE(combine_u8, uint8_t, uint64_t, INT_MAX_OF, INT_MIN_OF)
COMBINE(combine_i8, int8_t, uint64_t, INT_MAX_OF, INT_MIN_OF)
COMBINE(combine_u16, uint16_t, uint64_t, INT_MAX_OF, INT_MIN_OF)
COMBINE(combine_i16, int16_t, uint64_t, INT_MAX_OF, INT_MIN_OF)
COMBINE(combine_u32, uint32_t, uint64_t, INT_MAX_OF, INT_MIN_OF)
COMBINE(combine_i32, int32_t, uint64_t, INT_MAX_OF, INT_MIN_OF)
COMBINE(combine_u64, uint64_t, uint64_t, INT_MAX_OF, INT_MIN_OF)
COMBINE(combine_i64, int64_t, uint64_t, INT_MAX_OF, INT_MIN_OF)
COMBINE(combine_f32, float, float, FLOAT_MAX_OF, FLOAT_MIN_OF)
COMBINE(combine_f64, double, double, FLOAT_MAX_OF, FLOAT_MIN_OF)

static void combine_bool(void *dst, const void *src, int64_t n, leat_combine op) { /* add = or, mul = and */
    combine_u8(dst, src, n, op == LEAT_COMBINE_ADD ? LEAT_COMBINE_MAX : op == LEAT_COMBINE_MUL ? LEAT_COMBINE_MIN : op);
}

static void combine_f16(void *to, const void *from, int64_t n, leat_combine op) {
    uint16_t *dst = to;
    const uint16_t *src = from;
    for (int64_t i = 0; i < n; i++) {
        float a = leat__f16_to_f32(dst[i]), b = leat__f16_to_f32(src[i]);
        combine_f32(&a, &b, 1, op);
        dst[i] = leat__f32_to_f16(a);
    }
}

static void combine_bf16(void *to, const void *from, int64_t n, leat_combine op) {
    uint16_t *dst = to;
    const uint16_t *src = from;
    for (int64_t i = 0; i < n; i++) {
        float a = leat__bf16_to_f32(dst[i]), b = leat__bf16_to_f32(src[i]);
        combine_f32(&a, &b, 1, op);
        dst[i] = leat__f32_to_bf16(a);
    }
}

leat_combine_fn leat__combine_of(leat_dtype dtype) {
    switch (dtype) {
    case LEAT_DTYPE_U8: return combine_u8;
    case LEAT_DTYPE_I8: return combine_i8;
    case LEAT_DTYPE_U16: return combine_u16;
    case LEAT_DTYPE_I16: return combine_i16;
    case LEAT_DTYPE_U32: return combine_u32;
    case LEAT_DTYPE_I32: return combine_i32;
    case LEAT_DTYPE_U64: return combine_u64;
    case LEAT_DTYPE_I64: return combine_i64;
    case LEAT_DTYPE_F32: return combine_f32;
    case LEAT_DTYPE_F64: return combine_f64;
    case LEAT_DTYPE_F16: return combine_f16;
    case LEAT_DTYPE_BF16: return combine_bf16;
    case LEAT_DTYPE_BOOL: return combine_bool;
    default: return NULL;
    }
}

leat_combine leat__combine_parse(const char *text) {
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    for (int i = 0; i < 5; i++)
        if (strcmp(text, names[i]) == 0) return (leat_combine)i;
    return LEAT_COMBINE_UNKNOWN;
}
