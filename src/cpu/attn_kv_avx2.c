/* attn_kv_avx2.c - the inner kernels of attention, 8 lanes; see attn_kv_tmpl.h. */
#include "cpu/attn_kv_impl.h"
#include "cpu/simd_avx2.h"

#define STRIP 2
#define AT_ONCE 2
#define DOT_POSITIONS(rows) ((rows) == 1 ? 8 : 4)
#define MIX_VECTORS(rows) ((rows) == 1 ? 8 : 4)
#define MIX_POSITIONS 16
#define V_RAMP _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7)

static inline VF V_F16(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128(p)); }
static inline void V_F16_STORE(void *p, VF v) { _mm_storeu_si128(p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)); }
static inline VF V_F16N(const void *p, int64_t n) {
    uint16_t rest[W] = {0};
    __builtin_memcpy(rest, p, (size_t)n * sizeof *rest);
    return V_F16(rest);
}
static inline void V_F16_STOREN(void *p, VF v, int64_t n) {
    uint16_t rest[W];
    V_F16_STORE(rest, v);
    __builtin_memcpy(p, rest, (size_t)n * sizeof *rest);
}
static inline VF V_I8(const void *p) { return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(p))); }
static inline void V_I8_STORE(void *p, VF v) {
    VI      q = _mm256_cvtps_epi32(v);
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
    _mm_storel_epi64(p, _mm_packs_epi16(words, words));
}
static inline VF V_HALF(const uint8_t *p) {
    uint16_t half;
    __builtin_memcpy(&half, p, sizeof half);
    return _mm256_cvtph_ps(_mm_set1_epi16((short)half));
}
static inline void V_SUM4(float *p, VF a, VF b, VF c, VF d) {
    VF sums = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1)));
}
static inline __attribute__((always_inline)) void V_TRANSPOSE(VF v[W]) {
    VF t[W], u[W];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i += 2) t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]), t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
        for (int k = 0; k < 2; k++) {
            u[i + 2 * k] = _mm256_shuffle_ps(t[i + k], t[i + k + 2], 0x44);
            u[i + 2 * k + 1] = _mm256_shuffle_ps(t[i + k], t[i + k + 2], 0xee);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        v[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
        v[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
    }
}

#include "cpu/attn_kv_tmpl.h"

void leat__attn_kv_fill_avx2(leat_attn_kv_table *table) { *table = (leat_attn_kv_table)ATTN_KV_TABLE("avx2"); }
