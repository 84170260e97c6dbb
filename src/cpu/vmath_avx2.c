/* vmath_avx2.c - vector math in AVX2, FMA and F16C: 8 lanes; see vmath_tmpl.h. */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#include "cpu/simd_avx2.h"
#include "cpu/vmath.h"

/* ---- half precision: tails go through a padded block ------------------------------------------------------------------ */

static inline VI round_bf16(VF v) {
    VI bits = _mm256_castps_si256(v), odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    VI rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
    VI quiet = _mm256_or_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x40));
    return _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(V_UNORD(v)));
}
static inline __m128i narrow(VI v) {
    return _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

#define TO_F32(name, widen)                                                                 \
    static void name(const uint16_t *x, float *y, int64_t n) {                              \
        int64_t i = 0;                                                                      \
        for (; i + W <= n; i += W) V_STORE(y + i, widen(_mm_loadu_si128((const __m128i *)(const void *)(x + i)))); \
        if (i < n) {                                                                        \
            uint16_t rest[W] = {0};                                                         \
            memcpy(rest, x + i, (size_t)(n - i) * sizeof *x);                               \
            V_STOREN(y + i, widen(_mm_loadu_si128((const __m128i *)(const void *)rest)), n - i); \
        }                                                                                   \
    }
#define FROM_F32(name, shorten)                                                             \
    static void name(const float *x, uint16_t *y, int64_t n) {                              \
        int64_t i = 0;                                                                      \
        for (; i + W <= n; i += W) _mm_storeu_si128((__m128i *)(void *)(y + i), shorten(V_LOAD(x + i))); \
        if (i < n) {                                                                        \
            uint16_t rest[W];                                                               \
            _mm_storeu_si128((__m128i *)(void *)rest, shorten(V_LOADN(x + i, n - i)));      \
            memcpy(y + i, rest, (size_t)(n - i) * sizeof *y);                               \
        }                                                                                   \
    }
#define WIDEN_F16(h) _mm256_cvtph_ps(h)
#define WIDEN_BF16(h) _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16))
#define SHORTEN_F16(v) _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define SHORTEN_BF16(v) narrow(round_bf16(v))
TO_F32(f16_to_f32, WIDEN_F16)
TO_F32(bf16_to_f32, WIDEN_BF16)
FROM_F32(f32_to_f16, SHORTEN_F16)
FROM_F32(f32_to_bf16, SHORTEN_BF16)

#include "cpu/vmath_tmpl.h"

void leat__vmath_fill_avx2(leat_vmath_table *table) {
    table->isa = "avx2";
    fill_table(table);
}
