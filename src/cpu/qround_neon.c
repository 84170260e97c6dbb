/* qround_neon.c - rounding of activations to 8 bits with Advanced SIMD; the bits of qdot_ref.c's. */
#include <arm_neon.h>
#include <math.h>
#include <string.h>

#include "cpu/qdot.h"

enum { GROUP = 32, CHUNK = 256 };

/* The largest size of 32, not finite where one is not: the maximum of a NaN and anything is NaN. */
static inline float size_of(const float *x) {
    float32x4_t m = vabsq_f32(vld1q_f32(x));
#pragma GCC unroll 7
    for (int i = 1; i < 8; i++) m = vmaxq_f32(m, vabsq_f32(vld1q_f32(x + 4 * i)));
    return vmaxvq_f32(m);
}

/* v where the mask is set, else 0. */
static inline float32x4_t only(uint32x4_t mask, float32x4_t v) {
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), mask));
}

static inline int16x8_t eight(const float *x, float factor) {
    int32x4_t a = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x), factor)), b = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4), factor));
    return vqmovn_high_s32(vqmovn_s32(a), b);
}
static inline int8x16_t sixteen(const float *x, float factor) {
    if (!(factor > 0)) return vdupq_n_s8(0);
    return vqmovn_high_s16(vqmovn_s16(eight(x, factor)), eight(x + 8, factor));
}

static inline void round_group(const float *x, float factor, const leat_qact *act, int64_t g, int *total, int *negative) {
    *total = *negative = 0;
    for (int h = 0; h < 2; h++) {
        int8x16_t q = sixteen(x + 16 * h, factor), size = vabsq_s8(q);
        int       sum = vaddlvq_s8(q);
        vst1q_s8(act->q + GROUP * g + 16 * h, q);
        act->sum[2 * g + h] = (int16_t)sum;
        *total += sum;
        *negative += (vaddlvq_u8(vreinterpretq_u8_s8(size)) - sum) / 2;
        if (act->n > LEAT_QMAT_FEW) continue;
        vst1q_s32(act->fours + 8 * g + 4 * h, vmulq_n_s32(vpaddlq_s16(vpaddlq_s8(q)), -32));
    }
}

/* 256 elements, groups from g on. */
static void round_chunk(const float *x, const leat_qact *act, int64_t g) {
    float size[8], factor[8], most = 0;
    int   total[8], negative[8];
    for (int j = 0; j < 8; j++) size[j] = size_of(x + GROUP * j);
    uint32x4_t some[2], finite[2];
    for (int i = 0; i < 2; i++) {
        float32x4_t v = vld1q_f32(size + 4 * i);
        finite[i] = vcleq_f32(v, vdupq_n_f32(3.4028235e38f));
        some[i] = vandq_u32(finite[i], vcgeq_f32(v, vdupq_n_f32(LEAT_QACT_TINY)));
        most = fmaxf(most, vmaxvq_f32(only(some[i], v)));
    }
    const float unit = most / (127.0f * LEAT_QACT_GRAINS), step = most > 0 ? LEAT_QACT_GRAINS / most : 0;
    float32x4_t scale[2];
    for (int i = 0; i < 2; i++) {
        float32x4_t grain = vrndpq_f32(vmulq_n_f32(vld1q_f32(size + 4 * i), step));
        grain = only(some[i], vmaxq_f32(vminq_f32(grain, vdupq_n_f32(LEAT_QACT_GRAINS)), vdupq_n_f32(1)));
        scale[i] = vmulq_n_f32(grain, unit);
        vst1q_f32(factor + 4 * i, only(some[i], vdivq_f32(vdupq_n_f32(1), scale[i])));
        scale[i] = vbslq_f32(finite[i], scale[i], vdupq_n_f32(NAN));
        uint32x4_t whole = vcvtq_u32_f32(grain);
        vst1q_s16(act->grain + 2 * g + 8 * i, vreinterpretq_s16_u32(vsliq_n_u32(whole, whole, 16)));
        vst1q_f32(act->scale + g + 4 * i, scale[i]);
    }
    act->unit[g / 8] = vminvq_u32(vandq_u32(finite[0], finite[1])) ? unit : NAN;
    for (int j = 0; j < 8; j++) round_group(x + GROUP * j, factor[j], act, g + j, &total[j], &negative[j]);
    for (int i = 0; i < 2; i++) {
        vst1q_f32(act->bias + g + 4 * i, vmulq_f32(scale[i], vcvtq_f32_s32(vld1q_s32(total + 4 * i))));
        if (act->n > LEAT_QMAT_FEW) continue;
        vst1q_f32(act->lack + g + 4 * i, vmulq_f32(scale[i], vcvtq_f32_s32(vld1q_s32(negative + 4 * i))));
    }
}

void leat__qdot_round_neon(const leat_qact *act, int64_t t) {
    const float *x = act->x + t * act->ld;
    int64_t      g = t * act->groups, i = 0;
    for (; i + CHUNK <= act->cols; i += CHUNK, g += CHUNK / GROUP) round_chunk(x + i, act, g);
    if (i == act->cols) return;
    float rest[CHUNK] = {0};
    memcpy(rest, x + i, (size_t)(act->cols - i) * sizeof *x);
    round_chunk(rest, act, g);
}
