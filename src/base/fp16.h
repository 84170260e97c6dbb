/* fp16.h - scalar IEEE 754 half and bfloat16 conversions, round to nearest even, NaN kept quiet. */
#ifndef LEAT_BASE_FP16_H
#define LEAT_BASE_FP16_H

#include <stdint.h>

float leat__f16_to_f32(uint16_t half);
uint16_t leat__f32_to_f16(float value);
float leat__bf16_to_f32(uint16_t bits);
uint16_t leat__f32_to_bf16(float value);

#endif
