/* probe_avx2.c - peak of 256-bit FMA, and of maddubs + madd + add, the exact 8-bit dot product of AVX2. */
#include "cpu/probe.h"

#include <immintrin.h>

enum { CHAINS = 12, WORDS = 8 };

static float fma_rounds(int64_t rounds) {
    __m256 acc[CHAINS], scale = _mm256_set1_ps(0.999f), add = _mm256_set1_ps(0.001f);
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++) acc[i] = _mm256_set1_ps((float)i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) acc[i] = _mm256_fmadd_ps(acc[i], scale, add);
    }
    __m256 sum = acc[0];
#pragma GCC unroll 12
    for (int i = 1; i < CHAINS; i++) sum = _mm256_add_ps(sum, acc[i]);
    return _mm_cvtss_f32(_mm256_castps256_ps128(sum));
}

static int int8_rounds(int64_t rounds) {
    __m256i acc[WORDS], a = _mm256_set1_epi8(3), b = _mm256_set1_epi8(-2), ones = _mm256_set1_epi16(1);
#pragma GCC unroll 8
    for (int i = 0; i < WORDS; i++) acc[i] = _mm256_set1_epi32(i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 8
        for (int i = 0; i < WORDS; i++) {
            acc[i] = _mm256_add_epi32(acc[i], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), ones));
            __asm__ volatile("" : "+x"(a)); /* keeps the product inside the loop */
        }
    }
    __m256i sum = acc[0];
#pragma GCC unroll 8
    for (int i = 1; i < WORDS; i++) sum = _mm256_add_epi32(sum, acc[i]);
    return _mm_cvtsi128_si32(_mm256_castsi256_si128(sum));
}

void leat__probe_fill_avx2(leat_probe *probe) { *probe = (leat_probe){fma_rounds, 2 * 8 * CHAINS, int8_rounds, 2 * 32 * WORDS}; }
