/* circle_sums_neon.c - the sums of a disc on 64-bit ARM: eight of the nine in two registers, the last beside them. */
#include <arm_neon.h>

#include "cpu/circle_sums.h"

void leat_circle_sums_disc_neon(const float *table, int width, int height, float cx, float cy, float r, float sums[LEAT_CIRCLE_SUMS]) {
    float32x4_t sum[3] = {vdupq_n_f32(0.0f), vdupq_n_f32(0.0f), vdupq_n_f32(0.0f)};
    int         y0, y1, x0, x1;
    leat__circle_sums_rows(height, cy, r, &y0, &y1);
    for (int y = y0; y < y1; y++) {
        float dy = (float)y - cy, rest = r * r - dy * dy;
        if (rest < 0) continue;
        leat__circle_sums_span(width, cx, __builtin_sqrtf(rest), &x0, &x1);
        if (x0 >= x1) continue;
        const float *row = table + (size_t)y * (size_t)(width + 1) * LEAT_CIRCLE_SUMS;
        const float *from = row + (size_t)x0 * LEAT_CIRCLE_SUMS, *to = row + (size_t)x1 * LEAT_CIRCLE_SUMS;
#pragma GCC unroll 3
        for (int i = 0; i < 3; i++) sum[i] = vaddq_f32(sum[i], vsubq_f32(vld1q_f32(to + 4 * i), vld1q_f32(from + 4 * i)));
    }
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++) vst1q_f32(sums + 4 * i, sum[i]);
}
