/* probe_avx512.c - peak of 512-bit FMA, and of maddubs + madd + add without VNNI. */
#include "cpu/probe.h"

#include <immintrin.h>

enum { CHAINS = 16, WORDS = 12 };

static float fma_rounds(int64_t rounds) {
    __m512 acc[CHAINS], scale = _mm512_set1_ps(0.999f), add = _mm512_set1_ps(0.001f);
#pragma GCC unroll 16
    for (int i = 0; i < CHAINS; i++) acc[i] = _mm512_set1_ps((float)i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) acc[i] = _mm512_fmadd_ps(acc[i], scale, add);
    }
    __m512 sum = acc[0];
#pragma GCC unroll 16
    for (int i = 1; i < CHAINS; i++) sum = _mm512_add_ps(sum, acc[i]);
    return _mm512_cvtss_f32(sum);
}

static int int8_rounds(int64_t rounds) {
    __m512i acc[WORDS], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-2), ones = _mm512_set1_epi16(1);
#pragma GCC unroll 12
    for (int i = 0; i < WORDS; i++) acc[i] = _mm512_set1_epi32(i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < WORDS; i++) {
            acc[i] = _mm512_add_epi32(acc[i], _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), ones));
            __asm__ volatile("" : "+v"(a)); /* keeps the product inside the loop */
        }
    }
    __m512i sum = acc[0];
#pragma GCC unroll 12
    for (int i = 1; i < WORDS; i++) sum = _mm512_add_epi32(sum, acc[i]);
    return _mm_cvtsi128_si32(_mm512_castsi512_si128(sum));
}

void leat__probe_fill_avx512(leat_probe *probe) { *probe = (leat_probe){fma_rounds, 2 * 16 * CHAINS, int8_rounds, 2 * 64 * WORDS}; }
