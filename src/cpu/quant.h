/* quant.h - affine quantisation between float32 and 8-bit integers.
 *
 *   quantize:    y = clamp(round_half_even(x / scale) + zero, lowest, highest)        NaN becomes the lowest value
 *   dequantize:  y = (x - zero) * scale
 *   requantize:  y = clamp(round_half_even((float)acc * scale[j]) + zero, lo, hi), one scale for each element (a row of channels)
 * All variants give the same bits.  RT-safe: no allocation, no lock, no failure.  Reads and writes nothing out of range. */
#ifndef LEAT_CPU_QUANT_H
#define LEAT_CPU_QUANT_H

#include <stdint.h>

#include "cpu/cpu.h"

typedef struct leat_quant_kernels {
    void (*quantize_u8)(const float *x, uint8_t *y, int64_t n, float scale, int32_t zero);
    void (*quantize_i8)(const float *x, int8_t *y, int64_t n, float scale, int32_t zero);
    void (*dequantize_u8)(const uint8_t *x, float *y, int64_t n, float scale, int32_t zero);
    void (*dequantize_i8)(const int8_t *x, float *y, int64_t n, float scale, int32_t zero);
    void (*requantize_u8)(const int32_t *acc, uint8_t *y, int64_t n, const float *scale, int32_t zero);
    void (*requantize_i8)(const int32_t *acc, int8_t *y, int64_t n, const float *scale, int32_t zero);
    leat_isa isa;
} leat_quant_kernels;

extern leat_quant_kernels leat__quant;
void leat__quant_init(leat_isa level);
void leat__quant_init_avx2(leat_quant_kernels *table);
void leat__quant_init_neon(leat_quant_kernels *table);

#endif
