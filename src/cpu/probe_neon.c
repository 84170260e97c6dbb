/* probe_neon.c - peak of 128-bit FMA, and of two widening products and a pairwise sum, the exact 8-bit dot product of Advanced SIMD. */
#include "cpu/probe.h"

#include <arm_neon.h>

enum { CHAINS = 16, WORDS = 12 }; /* as many as four pipes of four cycles keep busy */

static float fma_rounds(int64_t rounds) {
    float32x4_t acc[CHAINS], scale = vdupq_n_f32(0.999f), add = vdupq_n_f32(0.001f);
#pragma GCC unroll 16
    for (int i = 0; i < CHAINS; i++) acc[i] = vdupq_n_f32((float)i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) acc[i] = vfmaq_f32(acc[i], scale, add);
    }
    float32x4_t sum = acc[0];
#pragma GCC unroll 16
    for (int i = 1; i < CHAINS; i++) sum = vaddq_f32(sum, acc[i]);
    return vgetq_lane_f32(sum, 0);
}

static int int8_rounds(int64_t rounds) {
    int32x4_t acc[WORDS];
    int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(-2);
#pragma GCC unroll 12
    for (int i = 0; i < WORDS; i++) acc[i] = vdupq_n_s32(i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < WORDS; i++) {
            acc[i] = vpadalq_s16(acc[i], vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b));
            __asm__ volatile("" : "+w"(a)); /* keeps the product inside the loop */
        }
    }
    int32x4_t sum = acc[0];
#pragma GCC unroll 12
    for (int i = 1; i < WORDS; i++) sum = vaddq_s32(sum, acc[i]);
    return vgetq_lane_s32(sum, 0);
}

void leat__probe_fill_neon(leat_probe *probe) { *probe = (leat_probe){fma_rounds, 2 * 4 * CHAINS, int8_rounds, 2 * 16 * WORDS}; }
