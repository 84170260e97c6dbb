/* fp16.c - scalar half and bfloat16 conversions. */
#include "base/fp16.h"

#include <string.h>

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

float leat__f16_to_f32(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 0x3ff;
    if (exponent == 31) return float_of(sign | 0x7f800000 | mantissa << 13 | (mantissa ? 0x400000 : 0));
    if (exponent) return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
    float tiny = (float)mantissa * 0x1p-24f; /* subnormal or zero, exact */
    return float_of(sign | bits_of(tiny));
}

uint16_t leat__f32_to_f16(float value) {
    uint32_t bits = bits_of(value), magnitude = bits & 0x7fffffff;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and more round to infinity */
    if (magnitude >= 0x38800000) {                                 /* normal in half */
        uint32_t rounded = magnitude + 0xfff + (magnitude >> 13 & 1) - (112u << 23);
        return (uint16_t)(sign | rounded >> 13);
    }
    /* Adding 0.5 lines the subnormal's last bit up with the float's last bit, so that the FPU rounds to nearest even. */
    uint32_t shifted = bits_of(float_of(magnitude) + 0.5f) - 0x3f000000;
    return (uint16_t)(sign | shifted);
}

float leat__bf16_to_f32(uint16_t bits) { return float_of((uint32_t)bits << 16); }

uint16_t leat__f32_to_bf16(float value) {
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffff) > 0x7f800000) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
