/* quant_ref.c - reference of the quantisation kernels, and the table of the level in use. */
#include "cpu/quant.h"

#include <math.h>

leat_quant_kernels leat__quant;

/* Clamped before the conversion, so that no value overflows the integer; a NaN fails the first comparison. */
static int32_t round_clamped(float v, int32_t zero, int32_t low, int32_t high) {
    float lo = (float)(low - zero), hi = (float)(high - zero);
    v = v > lo ? v : lo;
    v = v < hi ? v : hi;
    return (int32_t)rintf(v) + zero;
}

static void quantize_u8_ref(const float *x, uint8_t *y, int64_t n, float scale, int32_t zero) {
    for (int64_t i = 0; i < n; i++) y[i] = (uint8_t)round_clamped(x[i] / scale, zero, 0, 255);
}

static void quantize_i8_ref(const float *x, int8_t *y, int64_t n, float scale, int32_t zero) {
    for (int64_t i = 0; i < n; i++) y[i] = (int8_t)round_clamped(x[i] / scale, zero, -128, 127);
}

static void dequantize_u8_ref(const uint8_t *x, float *y, int64_t n, float scale, int32_t zero) {
    for (int64_t i = 0; i < n; i++) y[i] = (float)(x[i] - zero) * scale;
}

static void dequantize_i8_ref(const int8_t *x, float *y, int64_t n, float scale, int32_t zero) {
    for (int64_t i = 0; i < n; i++) y[i] = (float)(x[i] - zero) * scale;
}

static void requantize_u8_ref(const int32_t *acc, uint8_t *y, int64_t n, const float *scale, int32_t zero) {
    for (int64_t i = 0; i < n; i++) y[i] = (uint8_t)round_clamped((float)acc[i] * scale[i], zero, 0, 255);
}

static void requantize_i8_ref(const int32_t *acc, int8_t *y, int64_t n, const float *scale, int32_t zero) {
    for (int64_t i = 0; i < n; i++) y[i] = (int8_t)round_clamped((float)acc[i] * scale[i], zero, -128, 127);
}

void leat__quant_init(leat_isa level) {
    leat__quant = (leat_quant_kernels){quantize_u8_ref,   quantize_i8_ref,   dequantize_u8_ref, dequantize_i8_ref,
                                       requantize_u8_ref, requantize_i8_ref, LEAT_ISA_REF};
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__quant_init_avx2(&leat__quant);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__quant_init_neon(&leat__quant);
#endif
}
