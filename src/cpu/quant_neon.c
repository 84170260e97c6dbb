/* quant_neon.c - quantisation on 64-bit ARM, eight values at a time. */
#include "cpu/quant.h"
#include "cpu/simd_neon.h"

#include <math.h>

/* The limits, and what is added after rounding. */
typedef struct range {
    float     lo, hi;
    int32x4_t zero;
} range;

static range range_of(int32_t zero, int32_t low, int32_t high) { return (range){(float)(low - zero), (float)(high - zero), vdupq_n_s32(zero)}; }

/* Clamped before the conversion; a NaN becomes the lowest. */
static inline int32x4_t round_register(float32x4_t v, const range *r) {
    v = vminq_f32(vmaxnmq_f32(v, vdupq_n_f32(r->lo)), vdupq_n_f32(r->hi));
    return vaddq_s32(vcvtnq_s32_f32(v), r->zero);
}
static inline int16x8_t round_vector(VF v, const range *r) { return vmovn_high_s32(vmovn_s32(round_register(v.a, r)), round_register(v.b, r)); }

static inline int32_t round_one(float v, const range *r) {
    v = v > r->lo ? v : r->lo;
    v = v < r->hi ? v : r->hi;
    return (int32_t)rintf(v) + vgetq_lane_s32(r->zero, 0);
}

static inline VF to_float(const int32_t *p) { return (VF){vcvtq_f32_s32(vld1q_s32(p)), vcvtq_f32_s32(vld1q_s32(p + 4))}; }

#define QUANTIZE(name, T, low, high, FROM, whole, one, STORE)                                 \
    static void name {                                                                        \
        const range r = range_of(zero, low, high);                                            \
        int64_t     i = 0;                                                                    \
        FROM                                                                                  \
        for (; i + W <= n; i += W) STORE(y + i, round_vector(whole, &r));                     \
        for (; i < n; i++) y[i] = (T)round_one(one, &r);                                      \
    }
#define STORE_U8(p, v) vst1_u8(p, vmovn_u16(vreinterpretq_u16_s16(v)))
#define STORE_I8(p, v) vst1_s8(p, vmovn_s16(v))
#define DIVISOR const VF divisor = V_SET(scale);
QUANTIZE(quantize_u8(const float *x, uint8_t *y, int64_t n, float scale, int32_t zero), uint8_t, 0, 255, DIVISOR, V_DIV(V_LOAD(x + i), divisor), x[i] / scale, STORE_U8)
QUANTIZE(quantize_i8(const float *x, int8_t *y, int64_t n, float scale, int32_t zero), int8_t, -128, 127, DIVISOR, V_DIV(V_LOAD(x + i), divisor), x[i] / scale, STORE_I8)
QUANTIZE(requantize_u8(const int32_t *acc, uint8_t *y, int64_t n, const float *scale, int32_t zero), uint8_t, 0, 255, , V_MUL(to_float(acc + i), V_LOAD(scale + i)),
         (float)acc[i] * scale[i], STORE_U8)
QUANTIZE(requantize_i8(const int32_t *acc, int8_t *y, int64_t n, const float *scale, int32_t zero), int8_t, -128, 127, , V_MUL(to_float(acc + i), V_LOAD(scale + i)),
         (float)acc[i] * scale[i], STORE_I8)

static inline float32x4_t widened(int16x4_t v, int32x4_t zero) { return vcvtq_f32_s32(vsubq_s32(vmovl_s16(v), zero)); }

#define DEQUANTIZE(name, T, LOAD)                                                                          \
    static void name(const T *x, float *y, int64_t n, float scale, int32_t zero) {                         \
        const VF        factor = V_SET(scale);                                                             \
        const int32x4_t z = vdupq_n_s32(zero);                                                             \
        int64_t         i = 0;                                                                             \
        for (; i + W <= n; i += W) {                                                                       \
            int16x8_t v = LOAD(x + i);                                                                     \
            V_STORE(y + i, V_MUL(((VF){widened(vget_low_s16(v), z), widened(vget_high_s16(v), z)}), factor)); \
        }                                                                                                  \
        for (; i < n; i++) y[i] = (float)(x[i] - zero) * scale;                                            \
    }
#define LOAD_U8(p) vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p)))
#define LOAD_I8(p) vmovl_s8(vld1_s8(p))
DEQUANTIZE(dequantize_u8, uint8_t, LOAD_U8)
DEQUANTIZE(dequantize_i8, int8_t, LOAD_I8)

void leat__quant_init_neon(leat_quant_kernels *table) {
    *table = (leat_quant_kernels){quantize_u8, quantize_i8, dequantize_u8, dequantize_i8, requantize_u8, requantize_i8, LEAT_ISA_NEON};
}
