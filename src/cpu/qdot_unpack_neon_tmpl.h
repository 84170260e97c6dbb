/* qdot_unpack_neon_tmpl.h - weights of each block format as signed bytes, four groups of 32 at a time, and their scales.
 *
 *   unpack(f, b, k, w)         w[j][h]: half h of group j, of four blocks at b (small formats) or groups 4k.. of the chunk at b
 *   open_factors(f, b, s)      the integer scales and minima of a chunk
 *   chunk_unit(f, b)           what they are multiples of
 *
 * Weights of Q4_0 and Q6_K come with 8 and 32 added, those of Q5_1 and Q5_K less 16, those of Q2_K times 1, 4, 16, 1 in groups 0..3 of
 * four.  Bits are put together by the shifts that insert: what the shift does not reach stays, so that low bits need no mask.  Fifth bits
 * and the third ones of Q3_K are tested whether they are clear: all ones, shifted in above the low bits, are the -16 (-4) that makes the
 * number signed. */
#ifndef LEAT_CPU_QDOT_UNPACK_NEON_TMPL_H
#define LEAT_CPU_QDOT_UNPACK_NEON_TMPL_H

#include <arm_neon.h>
#include <string.h>

#include "cpu/blocks.h"

#define INLINE static inline __attribute__((always_inline))

enum { Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q2_K = 10, Q3_K = 11, Q4_K = 12, Q5_K = 13, Q6_K = 14, IQ4_NL = 20,
       IQ4_XS = 23 };

INLINE int has_halves(const int f) { return f == Q2_K || f == Q3_K || f == Q6_K; }
INLINE int is_small(const int f) { return f < Q2_K || f == IQ4_NL; }
/* Weights of 8 bits: their products fill 16 bits by twos. */
INLINE int is_wide(const int f) { return f == Q8_0 || f == IQ4_NL || f == IQ4_XS; }
INLINE int has_minima(const int f) { return f == Q2_K || f == Q4_K || f == Q5_K; } /* of the K formats */
INLINE int d_is_second(const int f) { return f == Q3_K || f == Q6_K; }
INLINE int has_steps(const int f) { return f == IQ4_NL || f == IQ4_XS; }
/* Bytes of 32 weights; of 256. */
INLINE int small_bytes(const int f) { return f == Q8_0 ? 34 : f == Q5_1 ? 24 : f == Q5_0 ? 22 : f == Q4_1 ? 20 : 18; }
INLINE int chunk_bytes(const int f) {
    return f == Q2_K ? 84 : f == Q3_K ? 110 : f == Q4_K ? 144 : f == Q5_K ? 176 : f == Q6_K ? 210 : 136;
}

INLINE uint8x16_t bytes_of(const int value) { return vdupq_n_u8((uint8_t)value); }
INLINE int8x16_t  as_signed(uint8x16_t v) { return vreinterpretq_s8_u8(v); }
INLINE uint16_t word(const uint8_t *p) {
    uint16_t value;
    memcpy(&value, p, 2);
    return value;
}
INLINE uint32_t dword(const uint8_t *p) {
    uint32_t value;
    memcpy(&value, p, 4);
    return value;
}
INLINE float32x4_t floats_of_halves(uint16x4_t v) { return vcvt_f32_f16(vreinterpret_f16_u16(v)); }

/* gcc takes a complement anew wherever it is used. */
#define PIN(where, v) __asm__("" : "+" where(v))

/* ---- weights --------------------------------------------------------------------------------------------------------------- */

/* Nibbles of 16 bytes: the low ones, the high ones. */
INLINE void nibbles(const int f, const uint8_t *p, int8x16_t *low, int8x16_t *high) {
    uint8x16_t raw = vld1q_u8(p), l = vandq_u8(raw, bytes_of(15)), h = vshrq_n_u8(raw, 4);
    const int8x16_t values = vld1q_s8(leat__iq4_steps);
    *low = has_steps(f) ? vqtbl1q_s8(values, l) : as_signed(l);
    *high = has_steps(f) ? vqtbl1q_s8(values, h) : as_signed(h);
}

/* Nibbles with fifth bits, less 16. */
INLINE void fives(const uint8_t *bits, const uint8_t *p, int8x16_t *low, int8x16_t *high) {
    const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u));
    const uint8x16_t byte = vcombine_u8(vdup_n_u8(0), vdup_n_u8(1));
    uint32_t         none = ~dword(bits);
    PIN("r", none);
    uint8x16_t       clear = vreinterpretq_u8_u32(vdupq_n_u32(none)), raw = vld1q_u8(p);
    uint8x16_t       first = vtstq_u8(vqtbl1q_u8(clear, byte), bit);
    uint8x16_t       second = vtstq_u8(vqtbl1q_u8(clear, vaddq_u8(byte, bytes_of(2))), bit);
    *low = as_signed(vsliq_n_u8(raw, first, 4));
    *high = as_signed(vsriq_n_u8(second, raw, 4));
}

INLINE void unpack_small(const int f, const uint8_t *b, int8x16_t w[2]) {
    if (f == Q8_0) w[0] = vld1q_s8((const int8_t *)b + 2), w[1] = vld1q_s8((const int8_t *)b + 18);
    else if (f == Q5_0 || f == Q5_1) fives(b + small_bytes(f) - 20, b + small_bytes(f) - 16, &w[0], &w[1]);
    else nibbles(f, b + small_bytes(f) - 16, &w[0], &w[1]);
}

/* Halves h of groups 0..3 of four; where they lie, so that those of groups 1 and 2 come 4 and 16 times too large. */
INLINE void unpack_q2(const uint8_t *b, const int k, const int h, int8x16_t w[4][2]) {
    uint8x16_t raw = vld1q_u8(b + 16 + 32 * k + 16 * h);
    w[0][h] = as_signed(vandq_u8(raw, bytes_of(3)));
    w[1][h] = as_signed(vandq_u8(raw, bytes_of(3 << 2)));
    w[2][h] = as_signed(vandq_u8(raw, bytes_of(3 << 4)));
    w[3][h] = as_signed(vshrq_n_u8(raw, 6));
}

INLINE void unpack_q3(const uint8_t *b, const int k, const int h, int8x16_t w[4][2]) {
    uint8x16_t raw = vld1q_u8(b + 32 + 32 * k + 16 * h), clear = vmvnq_u8(vld1q_u8(b + 16 * h));
    PIN("w", clear);
    w[3][h] = as_signed(vsliq_n_u8(vshrq_n_u8(raw, 6), vtstq_u8(clear, bytes_of(8 << 4 * k)), 2));
    w[2][h] = as_signed(vsliq_n_u8(vshrq_n_u8(raw, 4), vtstq_u8(clear, bytes_of(4 << 4 * k)), 2));
    w[1][h] = as_signed(vsliq_n_u8(vshrq_n_u8(raw, 2), vtstq_u8(clear, bytes_of(2 << 4 * k)), 2));
    w[0][h] = as_signed(vsliq_n_u8(raw, vtstq_u8(clear, bytes_of(1 << 4 * k)), 2));
}

/* Groups 2i and 2i + 1 of four; their fifth bits are bits 4k + 2i and the next one. */
INLINE void unpack_q5(const uint8_t *b, const int k, const int i, const int h, int8x16_t w[4][2]) {
    const int  bit = 1 << (4 * k + 2 * i);
    uint8x16_t raw = vld1q_u8(b + 48 + 64 * k + 32 * i + 16 * h), clear = vmvnq_u8(vld1q_u8(b + 16 + 16 * h));
    PIN("w", clear);
    w[2 * i + 1][h] = as_signed(vsriq_n_u8(vtstq_u8(clear, bytes_of(2 * bit)), raw, 4));
    w[2 * i][h] = as_signed(vsliq_n_u8(raw, vtstq_u8(clear, bytes_of(bit)), 4));
}

INLINE void unpack_q6(const uint8_t *b, const int k, const int h, int8x16_t w[4][2]) {
    uint8x16_t first = vld1q_u8(b + 64 * k + 16 * h), second = vld1q_u8(b + 64 * k + 32 + 16 * h);
    uint8x16_t bits = vld1q_u8(b + 128 + 32 * k + 16 * h), moved = vshrq_n_u8(bits, 2);
    w[2][h] = as_signed(vsriq_n_u8(vandq_u8(bits, bytes_of(48)), first, 4));
    w[3][h] = as_signed(vsriq_n_u8(vandq_u8(moved, bytes_of(48)), second, 4));
    w[0][h] = as_signed(vandq_u8(vsliq_n_u8(first, bits, 4), bytes_of(63)));
    w[1][h] = as_signed(vandq_u8(vsliq_n_u8(second, moved, 4), bytes_of(63)));
}

INLINE void unpack(const int f, const uint8_t *b, const int k, int8x16_t w[4][2]) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        if (is_small(f)) unpack_small(f, b + small_bytes(f) * i, w[i]);
        if (f == IQ4_XS) nibbles(f, b + 8 + 64 * k + 16 * i, &w[i][0], &w[i][1]);
        if (f == Q4_K) nibbles(f, b + 16 + 64 * k + 16 * i, &w[i / 2 * 2][i % 2], &w[i / 2 * 2 + 1][i % 2]);
        if (f == Q5_K) unpack_q5(b, k, i / 2, i % 2, w);
        if (f == Q2_K && i < 2) unpack_q2(b, k, i, w);
        if (f == Q3_K && i < 2) unpack_q3(b, k, i, w);
        if (f == Q6_K && i < 2) unpack_q6(b, k, i, w);
    }
}

/* ---- scales ---------------------------------------------------------------------------------------------------------------- */

/* Halves at b, b + step, b + 2 step, b + 3 step. */
INLINE float32x4_t four_halves(const uint8_t *b, const int step) {
    uint16x4_t v = vdup_n_u16(word(b));
    v = vset_lane_u16(word(b + step), v, 1);
    v = vset_lane_u16(word(b + 2 * step), v, 2);
    v = vset_lane_u16(word(b + 3 * step), v, 3);
    return floats_of_halves(v);
}

/* Two halves each: scales and minima. */
INLINE void four_pairs(const uint8_t *b, const int step, float32x4_t *scale, float32x4_t *minimum) {
    uint32x4_t v = vdupq_n_u32(dword(b));
    v = vsetq_lane_u32(dword(b + step), v, 1);
    v = vsetq_lane_u32(dword(b + 2 * step), v, 2);
    v = vsetq_lane_u32(dword(b + 3 * step), v, 3);
    float32x4_t low = vcvt_f32_f16(vget_low_f16(vreinterpretq_f16_u32(v))), high = vcvt_high_f32_f16(vreinterpretq_f16_u32(v));
    *scale = vuzp1q_f32(low, high);
    *minimum = vuzp2q_f32(low, high);
}

/* The two halves at b, twice. */
INLINE float32x4_t two_halves(const uint8_t *b) { return floats_of_halves(vreinterpret_u16_u32(vdup_n_u32(dword(b)))); }

/* Eight scales, or the 16 of halves: first those of first halves. */
typedef struct factors {
    int16x8_t scale[2], minimum[2];
} factors;

/* Words A, B, C of 6-bit numbers: scales are the low 6 bits of A, then the low nibbles of C with the high pairs of A; minima so from B
 * and the high nibbles.  They are taken apart in general registers, which are idle. */
INLINE void k45_factors(const uint8_t *b, factors *s) {
    const uint32_t a = dword(b + 4), m = dword(b + 8), c = dword(b + 12);
    const uint64_t scale = (a & 0x3f3f3f3f) | (uint64_t)((c & 0x0f0f0f0f) | (a >> 2 & 0x30303030)) << 32;
    const uint64_t minimum = (m & 0x3f3f3f3f) | (uint64_t)((c >> 4 & 0x0f0f0f0f) | (m >> 2 & 0x30303030)) << 32;
    s->scale[0] = vreinterpretq_s16_u16(vmovl_u8(vcreate_u8(scale)));
    s->minimum[0] = vreinterpretq_s16_u16(vmovl_u8(vcreate_u8(minimum)));
}

INLINE void q2_factors(const uint8_t *b, factors *s) {
    uint8x8x2_t both = vld2_u8(b);
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
        s->scale[h] = vreinterpretq_s16_u16(vmovl_u8(vand_u8(both.val[h], vdup_n_u8(15))));
        s->minimum[h] = vreinterpretq_s16_u16(vmovl_u8(vshr_n_u8(both.val[h], 4)));
    }
}

/* Words A, B of nibbles and C of pairs: scale 4i + l is nibble i / 2 of byte l of A (i even) or B, and pair i of byte l of C. */
INLINE void q3_factors(const uint8_t *b, factors *s) {
    static const int32_t at[4] = {4, 2, 0, -2};
    uint8x8_t  ab = vld1_u8(b + 96);
    uint8x16_t low = vandq_u8(vcombine_u8(ab, vshr_n_u8(ab, 4)), bytes_of(15));
    uint8x16_t high = vreinterpretq_u8_u32(vshlq_u32(vdupq_n_u32(dword(b + 104)), vld1q_s32(at)));
    int8x16_t  all = vsubq_s8(as_signed(vorrq_u8(low, vandq_u8(high, bytes_of(48)))), vdupq_n_s8(32));
    s->scale[0] = vmovl_s8(vget_low_s8(vuzp1q_s8(all, all)));
    s->scale[1] = vmovl_s8(vget_low_s8(vuzp2q_s8(all, all)));
}

INLINE void q6_factors(const uint8_t *b, factors *s) {
    int8x8x2_t both = vld2_s8((const int8_t *)b + 192);
    s->scale[0] = vmovl_s8(both.val[0]);
    s->scale[1] = vmovl_s8(both.val[1]);
}

/* 6 bits each: 8 nibbles at b + 4, 8 pairs at b + 2. */
INLINE void iq4_xs_factors(const uint8_t *b, factors *s) {
    static const int16_t at[8] = {4, 2, 0, -2, -4, -6, -8, -10};
    const uint32_t low = dword(b + 4);
    uint8x8_t      even = vcreate_u8(low & 0x0f0f0f0f), odd = vcreate_u8(low >> 4 & 0x0f0f0f0f);
    uint16x8_t     high = vandq_u16(vshlq_u16(vdupq_n_u16((uint16_t)(dword(b) >> 16)), vld1q_s16(at)), vdupq_n_u16(48));
    s->scale[0] = vsubq_s16(vreinterpretq_s16_u16(vaddw_u8(high, vzip1_u8(even, odd))), vdupq_n_s16(32));
}

INLINE void open_factors(const int f, const uint8_t *b, factors *s) {
    if (f == Q2_K) q2_factors(b, s);
    if (f == Q3_K) q3_factors(b, s);
    if (f == Q4_K || f == Q5_K) k45_factors(b, s);
    if (f == Q6_K) q6_factors(b, s);
    if (f == IQ4_XS) iq4_xs_factors(b, s);
}

/* d, in lane 1 where d_is_second(f), else in lane 0; the unit of minima, where there is one, in lane 1. */
INLINE float32x4_t chunk_unit(const int f, const uint8_t *b) {
    return two_halves(b + (f == Q2_K ? 80 : f == Q3_K ? 106 : f == Q6_K ? 206 : 0));
}

#endif
