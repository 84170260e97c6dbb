/* vmath_avx512.c - vector math in AVX-512: 16 lanes, tails by masks; see vmath_tmpl.h. */
#include <immintrin.h>
#include <stdint.h>

#include "cpu/simd_avx512.h"
#include "cpu/vmath.h"

/* ---- half precision --------------------------------------------------------------------------------------------------- */

static inline __m256i round_bf16(VF v) {
    VI bits = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    VI rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
    VI quiet = _mm512_or_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(0x40));
    return _mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(rounded, V_UNORD(v), quiet));
}

#define TO_F32(name, widen)                                                                         \
    static void name(const uint16_t *x, float *y, int64_t n) {                                      \
        int64_t i = 0;                                                                              \
        for (; i + W <= n; i += W) V_STORE(y + i, widen(_mm256_loadu_si256((const __m256i *)(const void *)(x + i)))); \
        if (i < n) V_STOREN(y + i, widen(_mm256_maskz_loadu_epi16(lanes_below(n - i), x + i)), n - i); \
    }
#define FROM_F32(name, shorten)                                                                     \
    static void name(const float *x, uint16_t *y, int64_t n) {                                      \
        int64_t i = 0;                                                                              \
        for (; i + W <= n; i += W) _mm256_storeu_si256((__m256i *)(void *)(y + i), shorten(V_LOAD(x + i))); \
        if (i < n) _mm256_mask_storeu_epi16(y + i, lanes_below(n - i), shorten(V_LOADN(x + i, n - i))); \
    }
#define WIDEN_F16(h) _mm512_cvtph_ps(h)
#define WIDEN_BF16(h) _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(h), 16))
#define SHORTEN_F16(v) _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define SHORTEN_BF16(v) round_bf16(v)
TO_F32(f16_to_f32, WIDEN_F16)
TO_F32(bf16_to_f32, WIDEN_BF16)
FROM_F32(f32_to_f16, SHORTEN_F16)
FROM_F32(f32_to_bf16, SHORTEN_BF16)

#include "cpu/vmath_tmpl.h"

void leat__vmath_fill_avx512(leat_vmath_table *table) {
    table->isa = "avx512";
    fill_table(table);
}
