/* attn_kv_avx512.c - the inner kernels of attention, 16 lanes; see attn_kv_tmpl.h. */
#include "cpu/attn_kv_impl.h"
#include "cpu/simd_avx512.h"

#define STRIP 4
#define AT_ONCE 4
#define DOT_POSITIONS(rows) ((rows) <= 2 ? 8 : 4)
#define MIX_VECTORS(rows) ((rows) <= 2 ? 8 : 4)
#define MIX_POSITIONS LEAT_ATTN_TILE
#define V_RAMP _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

static inline VF V_F16(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256(p)); }
static inline VF V_F16N(const void *p, int64_t n) { return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(lanes_below(n), p)); }
static inline __m256i to_f16(VF v) { return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
static inline void V_F16_STORE(void *p, VF v) { _mm256_storeu_si256(p, to_f16(v)); }
static inline void V_F16_STOREN(void *p, VF v, int64_t n) { _mm256_mask_storeu_epi16(p, lanes_below(n), to_f16(v)); }
static inline VF V_I8(const void *p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(p))); }
static inline void V_I8_STORE(void *p, VF v) { _mm_storeu_si128(p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v))); }
static inline VF V_HALF(const uint8_t *p) {
    uint16_t half;
    __builtin_memcpy(&half, p, sizeof half);
    return _mm512_cvtph_ps(_mm256_set1_epi16((short)half));
}
static inline __m256 fold(VF v) { return _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)); }
static inline void V_SUM4(float *p, VF a, VF b, VF c, VF d) {
    __m256 sums = _mm256_hadd_ps(_mm256_hadd_ps(fold(a), fold(b)), _mm256_hadd_ps(fold(c), fold(d)));
    _mm_storeu_ps(p, _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps(sums, 1)));
}
static inline __attribute__((always_inline)) void V_TRANSPOSE(VF v[W]) {
    VF t[W], u[W];
#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]), t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) /* u[i + e]: element e + 4q of rows i .. i + 3 in quarter q */
#pragma GCC unroll 2
        for (int k = 0; k < 2; k++) {
            u[i + 2 * k] = _mm512_shuffle_ps(t[i + k], t[i + k + 2], 0x44);
            u[i + 2 * k + 1] = _mm512_shuffle_ps(t[i + k], t[i + k + 2], 0xee);
        }
#pragma GCC unroll 4
    for (int e = 0; e < 4; e++) {
        VF low0 = _mm512_shuffle_f32x4(u[e], u[e + 4], 0x88), low1 = _mm512_shuffle_f32x4(u[e + 8], u[e + 12], 0x88);
        VF high0 = _mm512_shuffle_f32x4(u[e], u[e + 4], 0xdd), high1 = _mm512_shuffle_f32x4(u[e + 8], u[e + 12], 0xdd);
        v[e] = _mm512_shuffle_f32x4(low0, low1, 0x88);
        v[e + 8] = _mm512_shuffle_f32x4(low0, low1, 0xdd);
        v[e + 4] = _mm512_shuffle_f32x4(high0, high1, 0x88);
        v[e + 12] = _mm512_shuffle_f32x4(high0, high1, 0xdd);
    }
}

#include "cpu/attn_kv_tmpl.h"

void leat__attn_kv_fill_avx512(leat_attn_kv_table *table) { *table = (leat_attn_kv_table)ATTN_KV_TABLE("avx512"); }
