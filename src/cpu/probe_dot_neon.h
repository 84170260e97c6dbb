/* probe_dot_neon.h - peak of DOT(sums, a, b), an instruction that adds products of bytes to four sums.  For _neondot.c and _neoni8mm.c files only. */
#ifndef LEAT_CPU_PROBE_DOT_NEON_H
#define LEAT_CPU_PROBE_DOT_NEON_H

#include <arm_neon.h>
#include <stdint.h>

enum { CHAINS = 16 };

static int int8_rounds(int64_t rounds) {
    int32x4_t acc[CHAINS];
    int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(-2);
#pragma GCC unroll 16
    for (int i = 0; i < CHAINS; i++) acc[i] = vdupq_n_s32(i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) acc[i] = DOT(acc[i], a, b);
    }
    int32x4_t sum = acc[0];
#pragma GCC unroll 16
    for (int i = 1; i < CHAINS; i++) sum = vaddq_s32(sum, acc[i]);
    return vgetq_lane_s32(sum, 0);
}

#endif
