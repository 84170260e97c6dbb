/* simd_neon.h - the vector names of vmath_vec.h on 64-bit ARM: 8 lanes in two registers.  For _neon.c files only.
 *
 * Two registers, since one instruction widens 8 bytes or rounds 8 halves, a polynomial of 8 lanes is two chains that wait for each other less, and 32
 * registers hold it all.  A NaN passes where the hardware's FMIN and FMAX let it pass; comparisons do what those do differently from x86. */
#ifndef LEAT_CPU_SIMD_NEON_H
#define LEAT_CPU_SIMD_NEON_H

#include <arm_neon.h>
#include <stdint.h>
#include <string.h>

typedef struct VF {
    float32x4_t a, b;
} VF;
typedef struct VI {
    int32x4_t a, b;
} VI;
typedef struct VM {
    uint32x4_t a, b;
} VM;

#define W 8
#define NEON_INLINE static inline __attribute__((always_inline))
/* An operation of one, two or three vectors, both halves alike. */
#define NEON_1(NAME, TO, FROM, expression) \
    NEON_INLINE TO NAME(FROM x) { return (TO){expression(x.a), expression(x.b)}; }
#define NEON_2(NAME, TO, FROM, expression) \
    NEON_INLINE TO NAME(FROM x, FROM y) { return (TO){expression(x.a, y.a), expression(x.b, y.b)}; }
#define NEON_3(NAME, TO, FIRST, expression) \
    NEON_INLINE TO NAME(FIRST x, VF y, VF z) { return (TO){expression(x.a, y.a, z.a), expression(x.b, y.b, z.b)}; }

NEON_INLINE VF V_SET(float c) { return (VF){vdupq_n_f32(c), vdupq_n_f32(c)}; }
NEON_INLINE VF V_LOAD(const float *p) { return (VF){vld1q_f32(p), vld1q_f32(p + 4)}; }
NEON_INLINE void V_STORE(float *p, VF v) {
    vst1q_f32(p, v.a);
    vst1q_f32(p + 4, v.b);
}

#define NEON_FMA(x, y, z) vfmaq_f32(z, x, y)
#define NEON_FNMA(x, y, z) vfmsq_f32(z, x, y)
#define NEON_ABOVE(x, y) vbslq_f32(vcgtq_f32(x, y), x, y) /* y when either is NaN */
#define NEON_BELOW(x, y) vbslq_f32(vcltq_f32(x, y), x, y)
#define NEON_COPYSIGN(m, s) vbslq_f32(vdupq_n_u32(0x80000000u), s, m)
#define NEON_UNORD(x) vmvnq_u32(vceqq_f32(x, x))
NEON_2(V_ADD, VF, VF, vaddq_f32)
NEON_2(V_SUB, VF, VF, vsubq_f32)
NEON_2(V_MUL, VF, VF, vmulq_f32)
NEON_2(V_DIV, VF, VF, vdivq_f32)
NEON_1(V_SQRT, VF, VF, vsqrtq_f32)
NEON_3(V_FMA, VF, VF, NEON_FMA)
NEON_3(V_FNMA, VF, VF, NEON_FNMA)
NEON_INLINE VF V_FMA1(float s, VF v, VF c) { return (VF){vfmaq_n_f32(c.a, v.a, s), vfmaq_n_f32(c.b, v.b, s)}; }
NEON_2(V_MIN, VF, VF, NEON_BELOW)
NEON_2(V_MAX, VF, VF, NEON_ABOVE)
NEON_2(V_ATMOST, VF, VF, vminq_f32)
NEON_2(V_ATLEAST, VF, VF, vmaxq_f32)
NEON_2(V_MAXNUM, VF, VF, vmaxnmq_f32)
NEON_2(V_MINP, VF, VF, vminq_f32)
NEON_2(V_MAXP, VF, VF, vmaxq_f32)
NEON_1(V_ABS, VF, VF, vabsq_f32)
NEON_1(V_NEG, VF, VF, vnegq_f32)
NEON_2(V_COPYSIGN, VF, VF, NEON_COPYSIGN)
NEON_1(V_RINT, VF, VF, vrndnq_f32)
NEON_2(V_LT, VM, VF, vcltq_f32)
NEON_2(V_EQ, VM, VF, vceqq_f32)
NEON_1(V_UNORD, VM, VF, NEON_UNORD)
NEON_3(V_SEL, VF, VM, vbslq_f32)

/* ---- tails: n in [0, 4) of a register, n in [1, 8) of both -------------------------------------------------------------- */

NEON_INLINE float32x4_t load_some(const float *p, int64_t n) {
    float32x4_t v = vdupq_n_f32(0.0f);
    if (n & 2) v = vcombine_f32(vld1_f32(p), vdup_n_f32(0.0f));
    if (n == 1) v = vld1q_lane_f32(p, v, 0);
    if (n == 3) v = vld1q_lane_f32(p + 2, v, 2);
    return v;
}
NEON_INLINE void store_some(float *p, float32x4_t v, int64_t n) {
    if (n & 2) vst1_f32(p, vget_low_f32(v));
    if (n == 1) vst1q_lane_f32(p, v, 0);
    if (n == 3) vst1q_lane_f32(p + 2, v, 2);
}
NEON_INLINE VF V_LOADN(const float *p, int64_t n) {
    if (n >= 4) return (VF){vld1q_f32(p), load_some(p + 4, n - 4)};
    return (VF){load_some(p, n), vdupq_n_f32(0.0f)};
}
NEON_INLINE void V_STOREN(float *p, VF v, int64_t n) {
    if (n >= 4) vst1q_f32(p, v.a), store_some(p + 4, v.b, n - 4);
    else store_some(p, v.a, n);
}

NEON_INLINE VM lanes_below(int64_t n) {
    static const int32_t lane[W] = {0, 1, 2, 3, 4, 5, 6, 7};
    int32x4_t            count = vdupq_n_s32((int)n);
    return (VM){vcltq_s32(vld1q_s32(lane), count), vcltq_s32(vld1q_s32(lane + 4), count)};
}
NEON_INLINE float32x4_t keep(float32x4_t v, uint32x4_t mask) { return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), mask)); }
NEON_INLINE VF V_KEEP(VF v, int64_t n) {
    VM m = lanes_below(n);
    return (VF){keep(v.a, m.a), keep(v.b, m.b)};
}

/* ---- exponents ---------------------------------------------------------------------------------------------------------- */

/* Adds n to the exponent of v; a NaN of n counts as 0. */
NEON_INLINE float32x4_t raise_exponent(float32x4_t v, int32x4_t n) {
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(v), vshlq_n_s32(n, 23)));
}

#define NEON_SCALE_NEAR(v, n) raise_exponent(v, vcvtq_s32_f32(n))
NEON_2(V_SCALE_NEAR, VF, VF, NEON_SCALE_NEAR)

/* In two steps, as 2^n alone may be out of range. */
NEON_INLINE float32x4_t scale_register(float32x4_t v, float32x4_t n) {
    const float32x4_t one = vdupq_n_f32(1.0f);
    int32x4_t         whole = vcvtq_s32_f32(n), half = vshrq_n_s32(whole, 1);
    return vmulq_f32(vmulq_f32(v, raise_exponent(one, half)), raise_exponent(one, vsubq_s32(whole, half)));
}
NEON_2(V_SCALE, VF, VF, scale_register)

NEON_INLINE float32x4_t split_register(float32x4_t v, float32x4_t *e) {
    uint32x4_t tiny = vcltq_f32(v, vdupq_n_f32(1.17549435e-38f));
    v = vbslq_f32(tiny, vmulq_f32(v, vdupq_n_f32(8388608.0f)), v);
    /* adding the distance of sqrt(1/2) from 1 before taking the exponent puts m into [sqrt 1/2, sqrt 2) */
    int32x4_t   bits = vaddq_s32(vreinterpretq_s32_f32(v), vdupq_n_s32(0x3f800000 - 0x3f3504f3));
    float32x4_t exponent = vcvtq_f32_s32(vsubq_s32(vshrq_n_s32(bits, 23), vdupq_n_s32(127)));
    *e = vsubq_f32(exponent, keep(vdupq_n_f32(23.0f), tiny));
    return vreinterpretq_f32_s32(vaddq_s32(vandq_s32(bits, vdupq_n_s32(0x007fffff)), vdupq_n_s32(0x3f3504f3)));
}
NEON_INLINE VF V_SPLIT(VF v, VF *e) { return (VF){split_register(v.a, &e->a), split_register(v.b, &e->b)}; }

/* ---- across lanes, and half precision ----------------------------------------------------------------------------------- */

NEON_INLINE float V_HSUM(VF v) { return vaddvq_f32(vaddq_f32(v.a, v.b)); }
NEON_INLINE float V_HMAX(VF v) { return vmaxnmvq_f32(vmaxnmq_f32(v.a, v.b)); }

NEON_INLINE VF widen_f16(uint16x8_t h) {
    float16x8_t half = vreinterpretq_f16_u16(h);
    return (VF){vcvt_f32_f16(vget_low_f16(half)), vcvt_high_f32_f16(half)};
}
NEON_INLINE uint16x8_t narrow_f16(VF v) { return vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(v.a), v.b)); }

NEON_INLINE float F16_FLOAT(uint16_t bits) {
    __fp16 half;
    memcpy(&half, &bits, sizeof half);
    return half;
}
NEON_INLINE uint16_t FLOAT_F16(float x) {
    __fp16   half = (__fp16)x;
    uint16_t bits;
    memcpy(&bits, &half, sizeof bits);
    return bits;
}

#endif
