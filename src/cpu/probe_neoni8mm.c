/* probe_neoni8mm.c - peak of the 8-bit matrix-product instruction. */
#include "cpu/probe.h"

#include <arm_neon.h>

enum { CHAINS = 16 };

static int int8_rounds(int64_t rounds) {
    int32x4_t acc[CHAINS];
    int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(-2);
#pragma GCC unroll 16
    for (int i = 0; i < CHAINS; i++) acc[i] = vdupq_n_s32(i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) acc[i] = vmmlaq_s32(acc[i], a, b);
    }
    int32x4_t sum = acc[0];
#pragma GCC unroll 16
    for (int i = 1; i < CHAINS; i++) sum = vaddq_s32(sum, acc[i]);
    return vgetq_lane_s32(sum, 0);
}

void leat__probe_fill_neoni8mm(leat_probe *probe) {
    probe->int8 = int8_rounds;
    probe->int8_ops = 2 * 32 * CHAINS;
}
