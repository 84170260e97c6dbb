/* qgemm_unpack_tmpl.h - rows of block formats as small unsigned integers, scales and minima: one text, which the compiler vectorises for
 * the level of the file that includes it.  The includer defines SIGNED8: 1 where the tiles want integers of 8 bits signed.
 */
#include <string.h>

#include "base/fp16.h"
#include "cpu/blocks.h"

#ifdef __AVX2__
#include <immintrin.h>
static inline float half(const uint8_t *p) { return _cvtsh_ss((uint16_t)(p[0] | p[1] << 8)); }
#else
static inline float half(const uint8_t *p) { return leat__f16_to_f32((uint16_t)(p[0] | p[1] << 8)); }
#endif

#define FLIP (SIGNED8 ? 0 : 0x80)

static inline uint32_t load32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* q[j], q[j + 16] = low and high nibbles. */
static inline void nibbles(const uint8_t *restrict b, uint8_t *restrict q) {
    for (int j = 0; j < 16; j++) q[j] = b[j] & 15;
    for (int j = 0; j < 16; j++) q[j + 16] = b[j] >> 4;
}

/* q[j] += 16 times bit j. */
static inline void fifth_bits(uint32_t high, uint8_t *q) {
#ifdef __AVX2__
    const __m256i which = _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201ull);
    __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32((int)high), which);
    __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
    __m256i v = _mm256_loadu_si256((const __m256i *)q);
    _mm256_storeu_si256((__m256i *)q, _mm256_or_si256(v, _mm256_and_si256(set, _mm256_set1_epi8(16))));
#else
    for (int j = 0; j < 32; j++) q[j] = (uint8_t)(q[j] | (high >> j & 1) << 4);
#endif
}

/* The steps of IQ4 by nibble. */
static inline void steps(const uint8_t *b, uint8_t *q) {
#ifdef __AVX2__
    const __m128i low = _mm_set1_epi8(15);
    __m128i table = _mm_xor_si128(_mm_loadu_si128((const __m128i *)leat__iq4_steps), _mm_set1_epi8((char)FLIP));
    __m128i v = _mm_loadu_si128((const __m128i *)b);
    _mm_storeu_si128((__m128i *)q, _mm_shuffle_epi8(table, _mm_and_si128(v, low)));
    _mm_storeu_si128((__m128i *)(q + 16), _mm_shuffle_epi8(table, _mm_and_si128(_mm_srli_epi16(v, 4), low)));
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
        nibbles(b + 2, q);
    }
}

static void unpack_q4_1(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *restrict added) {
    for (; groups > 0; groups--, b += 20, q += 32) {
        *scale++ = half(b);
        *added++ = half(b + 2);
        nibbles(b + 4, q);
    }
}

static void unpack_q5_0(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *added) {
    for (; groups > 0; groups--, b += 22, q += 32) {
        *scale++ = half(b);
        nibbles(b + 6, q);
        fifth_bits(load32(b + 2), q);
    }
}

static void unpack_q5_1(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *restrict added) {
    for (; groups > 0; groups--, b += 24, q += 32) {
        *scale++ = half(b);
        *added++ = half(b + 2);
        nibbles(b + 8, q);
        fifth_bits(load32(b + 4), q);
    }
}

static void unpack_iq4_nl(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *added) {
    for (; groups > 0; groups--, b += 18, q += 32) {
        *scale++ = half(b);
        steps(b + 2, q);
    }
}

/* ---- blocks of 256 -------------------------------------------------------------------------------------------------------- */

/* Two bits of each of 64 bytes: q[i] of 256. */
static inline void pairs_of_bits(const uint8_t *restrict b, uint8_t *restrict q) {
    for (int part = 0; part < 2; part++)
        for (int shift = 0; shift < 4; shift++)
            for (int j = 0; j < 32; j++) q[128 * part + 32 * shift + j] = b[32 * part + j] >> 2 * shift & 3;
}

static void unpack_q2_k(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *restrict added) {
    for (; groups > 0; groups -= 8, b += 84, q += 256, scale += 16, added += 16) {
        float d = half(b + 80), m = half(b + 82);
        for (int j = 0; j < 16; j++) scale[j] = d * (float)(b[j] & 15);
        for (int j = 0; j < 16; j++) added[j] = -(m * (float)(b[j] >> 4));
        pairs_of_bits(b + 16, q);
    }
}

static void unpack_q3_k(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *added) {
    for (; groups > 0; groups -= 8, b += 110, q += 256, scale += 16) {
        float d = half(b + 108);
        for (int j = 0; j < 16; j++) scale[j] = d * (float)leat__k3_scale(b + 96, j);
        pairs_of_bits(b + 32, q);
        for (int g = 0; g < 8; g++)
            for (int j = 0; j < 32; j++) q[32 * g + j] = (uint8_t)(q[32 * g + j] | (b[j] >> g & 1) << 2);
    }
}

/* The eight scales and minima of Q4_K and Q5_K, four bytes at a time. */
static inline void k45_scales(const uint8_t *restrict b, float *restrict scale, float *restrict added) {
    float d = half(b), m = half(b + 2);
    uint32_t w0 = load32(b + 4), w1 = load32(b + 8), w2 = load32(b + 12);
    uint32_t packed[4] = {w0 & 0x3f3f3f3fu, (w2 & 0x0f0f0f0fu) | (w0 >> 2 & 0x30303030u),
                          w1 & 0x3f3f3f3fu, (w2 >> 4 & 0x0f0f0f0fu) | (w1 >> 2 & 0x30303030u)};
    for (int j = 0; j < 8; j++) scale[j] = d * (float)(packed[j / 4] >> j % 4 * 8 & 255);
    for (int j = 0; j < 8; j++) added[j] = -(m * (float)(packed[2 + j / 4] >> j % 4 * 8 & 255));
}

static inline void k45_nibbles(const uint8_t *restrict b, uint8_t *restrict q) {
    for (int part = 0; part < 4; part++) {
        for (int j = 0; j < 32; j++) q[64 * part + j] = b[32 * part + j] & 15;
        for (int j = 0; j < 32; j++) q[64 * part + 32 + j] = b[32 * part + j] >> 4;
    }
}

static void unpack_q4_k(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *restrict added) {
    for (; groups > 0; groups -= 8, b += 144, q += 256, scale += 8, added += 8) {
        k45_scales(b, scale, added);
        k45_nibbles(b + 16, q);
    }
}

static void unpack_q5_k(const uint8_t *restrict b, int64_t groups, uint8_t *restrict q, float *restrict scale, float *restrict added) {
    for (; groups > 0; groups -= 8, b += 176, q += 256, scale += 8, added += 8) {
        k45_scales(b, scale, added);
        k45_nibbles(b + 48, q);
        for (int g = 0; g < 8; g++)
            for (int j = 0; j < 32; j++) q[32 * g + j] = (uint8_t)(q[32 * g + j] | (b[16 + j] >> g & 1) << 4);
    }
}

/* 128 values from 64 bytes of nibbles and 32 of high pairs. */
static inline void q6_k_part(const uint8_t *restrict low, const uint8_t *restrict high, uint8_t *restrict q) {
    for (int j = 0; j < 32; j++) q[j] = (uint8_t)((low[j] & 15) | (high[j] << 4 & 0x30));
    for (int j = 0; j < 32; j++) q[32 + j] = (uint8_t)((low[32 + j] & 15) | (high[j] << 2 & 0x30));
    for (int j = 0; j < 32; j++) q[64 + j] = (uint8_t)(low[j] >> 4 | (high[j] & 0x30));
    for (int j = 0; j < 32; j++) q[96 + j] = (uint8_t)(low[32 + j] >> 4 | (high[j] >> 2 & 0x30));
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
    [6] = {unpack_q5_0, LEAT_QGEMM_32_6, 16},
    [7] = {unpack_q5_1, LEAT_QGEMM_32_6_MIN, 0},
    [8] = {unpack_q8_0, LEAT_QGEMM_32_8, FLIP},
    [10] = {unpack_q2_k, LEAT_QGEMM_16_6_MIN, 0},
    [11] = {unpack_q3_k, LEAT_QGEMM_16_6, 4},
    [12] = {unpack_q4_k, LEAT_QGEMM_32_4_MIN, 0},
    [13] = {unpack_q5_k, LEAT_QGEMM_32_6_MIN, 0},
    [14] = {unpack_q6_k, LEAT_QGEMM_16_6, 32},
    [20] = {unpack_iq4_nl, LEAT_QGEMM_32_8, FLIP},
    [23] = {unpack_iq4_xs, LEAT_QGEMM_32_8, FLIP},
};
