/* probe_avx512vnni.c - peak of the 8-bit dot-product instruction. */
#include "cpu/probe.h"

#include <immintrin.h>

enum { CHAINS = 16 };

static int int8_rounds(int64_t rounds) {
    __m512i acc[CHAINS], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-2);
#pragma GCC unroll 16
    for (int i = 0; i < CHAINS; i++) acc[i] = _mm512_set1_epi32(i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) acc[i] = _mm512_dpbusd_epi32(acc[i], a, b);
    }
    __m512i sum = acc[0];
#pragma GCC unroll 16
    for (int i = 1; i < CHAINS; i++) sum = _mm512_add_epi32(sum, acc[i]);
    return _mm_cvtsi128_si32(_mm512_castsi512_si128(sum));
}

void leat__probe_fill_avx512vnni(leat_probe *probe) {
    probe->int8 = int8_rounds;
    probe->int8_ops = 2 * 64 * CHAINS;
}
