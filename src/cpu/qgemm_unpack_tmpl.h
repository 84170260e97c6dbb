/* qgemm_unpack_tmpl.h - rows of block formats as small unsigned integers, scales and minima: one text, which the compiler vectorises for
 * the level of the file that includes it.  On ARM, where plain C is compiled for Advanced SIMD too, that file asks for it: UNPACK_NEON.
 */
#include <string.h>

#include "base/fp16.h"
#include "cpu/blocks.h"

#ifdef __AVX2__
#include <immintrin.h>
static inline float half(const uint8_t *p) { return _cvtsh_ss((uint16_t)(p[0] | p[1] << 8)); }
#elif defined(UNPACK_NEON)
#include <arm_neon.h>
static inline float half(const uint8_t *p) {
    __fp16 h;
    memcpy(&h, p, sizeof h);
    return (float)h;
}
#else
static inline float half(const uint8_t *p) { return leat__f16_to_f32((uint16_t)(p[0] | p[1] << 8)); }
#endif

#ifndef FLIP
#define FLIP 0x80 /* makes signed bytes unsigned, 128 more */
#endif

static inline uint32_t load32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* q[j], q[j + 16] = low and high nibbles, plus 16 times bit j of `high`: in one store, since what follows reads it at once. */
static inline void nibbles(const uint8_t *restrict b, uint32_t high, uint8_t *restrict q) {
#ifdef __AVX2__
    const __m256i which = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201ull);
    __m128i both = _mm_loadu_si128((const __m128i *)(const void *)b);
    __m256i v = _mm256_and_si256(_mm256_inserti128_si256(_mm256_castsi128_si256(both), _mm_srli_epi16(both, 4), 1), _mm256_set1_epi8(15));
    __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32((int)high), which);
    __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
    _mm256_storeu_si256((__m256i *)(void *)q, _mm256_or_si256(v, _mm256_and_si256(set, _mm256_set1_epi8(16))));
#elif defined(UNPACK_NEON)
    const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u)), sixteen = vdupq_n_u8(16);
    uint8x16_t both = vld1q_u8(b);
    uint8x16_t set = vtstq_u8(vcombine_u8(vdup_n_u8((uint8_t)high), vdup_n_u8((uint8_t)(high >> 8))), bit);
    uint8x16_t set2 = vtstq_u8(vcombine_u8(vdup_n_u8((uint8_t)(high >> 16)), vdup_n_u8((uint8_t)(high >> 24))), bit);
    vst1q_u8(q, vorrq_u8(vandq_u8(both, vdupq_n_u8(15)), vandq_u8(set, sixteen)));
    vst1q_u8(q + 16, vorrq_u8(vshrq_n_u8(both, 4), vandq_u8(set2, sixteen)));
#else
    for (int j = 0; j < 16; j++) {
        q[j] = (uint8_t)((b[j] & 15) | (high >> j & 1) << 4);
        q[j + 16] = (uint8_t)(b[j] >> 4 | (high >> (j + 16) & 1) << 4);
    }
#endif
}

/* The steps of IQ4 by nibble. */
static inline void steps(const uint8_t *b, uint8_t *q) {
#ifdef __AVX2__
    __m128i both = _mm_loadu_si128((const __m128i *)(const void *)b);
    __m256i v = _mm256_and_si256(_mm256_inserti128_si256(_mm256_castsi128_si256(both), _mm_srli_epi16(both, 4), 1), _mm256_set1_epi8(15));
    __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)leat__iq4_steps));
    v = _mm256_shuffle_epi8(_mm256_xor_si256(table, _mm256_set1_epi8((char)FLIP)), v);
    _mm256_storeu_si256((__m256i *)(void *)q, v);
#elif defined(UNPACK_NEON)
    uint8x16_t both = vld1q_u8(b), table = veorq_u8(vreinterpretq_u8_s8(vld1q_s8(leat__iq4_steps)), vdupq_n_u8(FLIP));
    vst1q_u8(q, vqtbl1q_u8(table, vandq_u8(both, vdupq_n_u8(15))));
    vst1q_u8(q + 16, vqtbl1q_u8(table, vshrq_n_u8(both, 4)));
#else
    for (int j = 0; j < 16; j++) {
        q[j] = (uint8_t)(leat__iq4_steps[b[j] & 15] ^ FLIP);
        q[j + 16] = (uint8_t)(leat__iq4_steps[b[j] >> 4] ^ FLIP);
    }
#endif
}

/* ---- blocks of 32 --------------------------------------------------------------------------------------------------------- */

static void unpack_q8_0(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *added) {
    for (; groups > 0; groups--, b += 34, q += 32) {
        *scale++ = half(b);
        for (int j = 0; j < 32; j++) q[j] = b[2 + j] ^ FLIP;
    }
}

static void unpack_q4_0(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *added) {
    for (; groups > 0; groups--, b += 18, q += 32) {
        *scale++ = half(b);
        nibbles(b + 2, 0, q);
    }
}

static void unpack_q4_1(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *restrict added) {
    for (; groups > 0; groups--, b += 20, q += 32) {
        *scale++ = half(b);
        *added++ = half(b + 2);
        nibbles(b + 4, 0, q);
    }
}

static void unpack_q5_0(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *added) {
    for (; groups > 0; groups--, b += 22, q += 32) {
        *scale++ = half(b);
        nibbles(b + 6, load32(b + 2), q);
    }
}

static void unpack_q5_1(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *restrict added) {
    for (; groups > 0; groups--, b += 24, q += 32) {
        *scale++ = half(b);
        *added++ = half(b + 2);
        nibbles(b + 8, load32(b + 4), q);
    }
}

static void unpack_iq4_nl(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *added) {
    for (; groups > 0; groups--, b += 18, q += 32) {
        *scale++ = half(b);
        steps(b + 2, q);
    }
}

/* ---- blocks of 256 -------------------------------------------------------------------------------------------------------- */

/* 32 integers of two fields: q[j] = low[j] >> shift & mask, plus (unless `high` is NULL) high[j] >> high_shift & high_mask, shifted to the left. */
static inline __attribute__((always_inline)) void two_fields(const uint8_t *low, int shift, int mask, const uint8_t *high, int high_shift, int high_mask,
                                                             int left, uint8_t *q) {
#ifdef __AVX2__
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)low);
    v = _mm256_and_si256(_mm256_srli_epi16(v, shift), _mm256_set1_epi8((char)mask));
    if (high) {
        __m256i h = _mm256_loadu_si256((const __m256i *)(const void *)high);
        h = _mm256_and_si256(_mm256_srli_epi16(h, high_shift), _mm256_set1_epi8((char)high_mask));
        v = _mm256_or_si256(v, _mm256_slli_epi16(h, left));
    }
    _mm256_storeu_si256((__m256i *)(void *)q, v);
#elif defined(UNPACK_NEON)
    for (int i = 0; i < 32; i += 16) {
        uint8x16_t v = vandq_u8(vshlq_u8(vld1q_u8(low + i), vdupq_n_s8((int8_t)-shift)), vdupq_n_u8((uint8_t)mask));
        if (high) {
            uint8x16_t h = vandq_u8(vshlq_u8(vld1q_u8(high + i), vdupq_n_s8((int8_t)-high_shift)), vdupq_n_u8((uint8_t)high_mask));
            v = vorrq_u8(v, vshlq_u8(h, vdupq_n_s8((int8_t)left)));
        }
        vst1q_u8(q + i, v);
    }
#else
    for (int j = 0; j < 32; j++) q[j] = (uint8_t)((low[j] >> shift & mask) | (high ? (high[j] >> high_shift & high_mask) << left : 0));
#endif
}

#define UNROLL_8 _Pragma("GCC unroll 8")

/* Two bits of each of 64 bytes: q[i] of 256; a third one from 32 bytes unless NULL. */
static inline __attribute__((always_inline)) void pairs_of_bits(const uint8_t *b, const uint8_t *third, uint8_t *q) {
    UNROLL_8 for (int g = 0; g < 8; g++) two_fields(b + g / 4 * 32, g % 4 * 2, 3, third, g, 1, 2, q + 32 * g);
}

static void unpack_q2_k(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *restrict added) {
    for (; groups > 0; groups -= 8, b += 84, q += 256, scale += 16, added += 16) {
        float d = half(b + 80), m = half(b + 82);
        for (int j = 0; j < 16; j++) scale[j] = d * (float)(b[j] & 15);
        for (int j = 0; j < 16; j++) added[j] = -(m * (float)(b[j] >> 4));
        pairs_of_bits(b + 16, NULL, q);
    }
}

static void unpack_q3_k(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *added) {
    for (; groups > 0; groups -= 8, b += 110, q += 256, scale += 16) {
        float d = half(b + 108);
        for (int j = 0; j < 16; j++) scale[j] = d * (float)leat__k3_scale(b + 96, j);
        pairs_of_bits(b + 32, b, q);
    }
}

/* Eight bytes times a factor. */
static inline void scaled_bytes(uint32_t low, uint32_t high, float factor, float *restrict to) {
#ifdef __AVX2__
    __m256 v = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((long long)((uint64_t)high << 32 | low))));
    _mm256_storeu_ps(to, _mm256_mul_ps(_mm256_set1_ps(factor), v));
#elif defined(UNPACK_NEON)
    uint16x8_t v = vmovl_u8(vcreate_u8((uint64_t)high << 32 | low));
    vst1q_f32(to, vmulq_n_f32(vcvtq_f32_u32(vmovl_u16(vget_low_u16(v))), factor));
    vst1q_f32(to + 4, vmulq_n_f32(vcvtq_f32_u32(vmovl_u16(vget_high_u16(v))), factor));
#else
    for (int j = 0; j < 8; j++) to[j] = factor * (float)((j < 4 ? low : high) >> j % 4 * 8 & 255);
#endif
}

/* The eight scales and minima of Q4_K and Q5_K, four bytes at a time. */
static inline void k45_scales(const uint8_t *restrict b, float *restrict scale, float *restrict added) {
    uint32_t w0 = load32(b + 4), w1 = load32(b + 8), w2 = load32(b + 12);
    scaled_bytes(w0 & 0x3f3f3f3fu, (w2 & 0x0f0f0f0fu) | (w0 >> 2 & 0x30303030u), half(b), scale);
    scaled_bytes(w1 & 0x3f3f3f3fu, (w2 >> 4 & 0x0f0f0f0fu) | (w1 >> 2 & 0x30303030u), -half(b + 2), added);
}

/* 256 nibbles of 128 bytes, with a fifth bit from 32 bytes unless NULL. */
static inline __attribute__((always_inline)) void k45_nibbles(const uint8_t *b, const uint8_t *fifth, uint8_t *q) {
    UNROLL_8 for (int g = 0; g < 8; g++) two_fields(b + g / 2 * 32, g % 2 * 4, 15, fifth, g, 1, 4, q + 32 * g);
}

static void unpack_q4_k(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *restrict added) {
    for (; groups > 0; groups -= 8, b += 144, q += 256, scale += 8, added += 8) {
        k45_scales(b, scale, added);
        k45_nibbles(b + 16, NULL, q);
    }
}

static void unpack_q5_k(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *restrict added) {
    for (; groups > 0; groups -= 8, b += 176, q += 256, scale += 8, added += 8) {
        k45_scales(b, scale, added);
        k45_nibbles(b + 48, b + 16, q);
    }
}

/* 128 integers from 64 bytes of nibbles and 32 of high pairs. */
static inline void q6_k_part(const uint8_t *low, const uint8_t *high, uint8_t *q) {
    UNROLL_8 for (int g = 0; g < 4; g++) two_fields(low + g % 2 * 32, g / 2 * 4, 15, high, 2 * g, 3, 4, q + 32 * g);
}

static void unpack_q6_k(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *added) {
    for (; groups > 0; groups -= 8, b += 210, q += 256, scale += 16) {
        float d = half(b + 208);
        for (int j = 0; j < 16; j++) scale[j] = d * (float)(int8_t)b[192 + j];
        q6_k_part(b, b + 128, q);
        q6_k_part(b + 64, b + 160, q + 128);
    }
}

static void unpack_iq4_xs(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *added) {
    for (; groups > 0; groups -= 8, b += 136, q += 256, scale += 8) {
        float    d = half(b);
        unsigned high = b[2] | (unsigned)b[3] << 8;
        for (int j = 0; j < 8; j++) {
            int s = (b[4 + j / 2] >> j % 2 * 4 & 15) | (int)(high >> 2 * j & 3) << 4;
            scale[j] = d * (float)(s - 32);
            steps(b + 8 + 16 * j, q + 32 * j);
        }
    }
}

static const leat_qgemm_format unpackers[LEAT_QGEMM_TYPES] = {
    [2] = {unpack_q4_0, LEAT_QGEMM_32_4, 8},
    [3] = {unpack_q4_1, LEAT_QGEMM_32_4_MIN, 0},
    [6] = {unpack_q5_0, LEAT_QGEMM_32_5, 16},
    [7] = {unpack_q5_1, LEAT_QGEMM_32_5_MIN, 0},
    [8] = {unpack_q8_0, LEAT_QGEMM_32_8, FLIP},
    [10] = {unpack_q2_k, LEAT_QGEMM_16_6_MIN, 0},
    [11] = {unpack_q3_k, LEAT_QGEMM_16_6, 4},
    [12] = {unpack_q4_k, LEAT_QGEMM_32_4_MIN, 0},
    [13] = {unpack_q5_k, LEAT_QGEMM_32_5_MIN, 0},
    [14] = {unpack_q6_k, LEAT_QGEMM_16_6, 32},
    [20] = {unpack_iq4_nl, LEAT_QGEMM_32_8, FLIP},
    [23] = {unpack_iq4_xs, LEAT_QGEMM_32_8, FLIP},
};
