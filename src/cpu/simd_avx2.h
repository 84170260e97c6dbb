/* simd_avx2.h - the vector names of vmath_vec.h in AVX2, FMA and F16C: 8 lanes.  For _avx2.c files only. */
#ifndef LEAT_CPU_SIMD_AVX2_H
#define LEAT_CPU_SIMD_AVX2_H

#include <immintrin.h>
#include <stdint.h>

typedef __m256 VF;
typedef __m256i VI;

#define W 8
#define V_SET(c) _mm256_set1_ps(c)
#define V_LOAD(p) _mm256_loadu_ps(p)
#define V_STORE(p, v) _mm256_storeu_ps(p, v)
#define V_LOADN(p, n) _mm256_maskload_ps(p, lanes_below(n))
#define V_STOREN(p, v, n) _mm256_maskstore_ps(p, lanes_below(n), v)
#define V_KEEP(v, n) _mm256_and_ps(v, _mm256_castsi256_ps(lanes_below(n)))
#define V_ADD _mm256_add_ps
#define V_SUB _mm256_sub_ps
#define V_MUL _mm256_mul_ps
#define V_DIV _mm256_div_ps
#define V_SQRT _mm256_sqrt_ps
#define V_FMA _mm256_fmadd_ps
#define V_FNMA _mm256_fnmadd_ps
#define V_FMA1(s, v, c) V_FMA(V_SET(s), v, c)
#define V_MIN _mm256_min_ps
#define V_MAX _mm256_max_ps
#define V_ATMOST V_MIN
#define V_ATLEAST V_MAX
#define V_MAXNUM V_MAX
#define V_MINP(a, b) V_SEL(V_UNORD(a), a, V_MIN(a, b))
#define V_MAXP(a, b) V_SEL(V_UNORD(a), a, V_MAX(a, b))
#define V_ABS(v) _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v)
#define V_NEG(v) _mm256_xor_ps(_mm256_set1_ps(-0.0f), v)
#define V_COPYSIGN(m, s) _mm256_or_ps(V_ABS(m), _mm256_and_ps(_mm256_set1_ps(-0.0f), s))
#define V_RINT(v) _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define V_LT(a, b) _mm256_cmp_ps(a, b, _CMP_LT_OQ)
#define V_EQ(a, b) _mm256_cmp_ps(a, b, _CMP_EQ_OQ)
#define V_UNORD(a) _mm256_cmp_ps(a, a, _CMP_UNORD_Q)
#define V_SEL(m, yes, no) _mm256_blendv_ps(no, yes, m)

static inline VI lanes_below(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline VF power_of_two(VI n) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23)); }

/* In two steps, as 2^n alone may be out of range. */
static inline VF V_SCALE(VF v, VF n) {
    VI whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1);
    return V_MUL(V_MUL(v, power_of_two(half)), power_of_two(_mm256_sub_epi32(whole, half)));
}

/* A NaN keeps being one: its n converts to 2^31, which shifts out. */
static inline VF V_SCALE_NEAR(VF v, VF n) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(v), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
}

static inline VF V_SPLIT(VF v, VF *e) {
    VF tiny = V_LT(v, V_SET(1.17549435e-38f));
    v = V_SEL(tiny, V_MUL(v, V_SET(8388608.0f)), v);
    /* adding the distance of sqrt(1/2) from 1 before taking the exponent puts m into [sqrt 1/2, sqrt 2) */
    VI bits = _mm256_add_epi32(_mm256_castps_si256(v), _mm256_set1_epi32(0x3f800000 - 0x3f3504f3));
    VF exponent = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srai_epi32(bits, 23), _mm256_set1_epi32(127)));
    *e = V_SUB(exponent, _mm256_and_ps(tiny, V_SET(23.0f)));
    bits = _mm256_add_epi32(_mm256_and_si256(bits, _mm256_set1_epi32(0x007fffff)), _mm256_set1_epi32(0x3f3504f3));
    return _mm256_castsi256_ps(bits);
}

static inline float V_HSUM(VF v) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

static inline float V_HMAX(VF v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

static inline float F16_FLOAT(uint16_t half) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half))); }
static inline uint16_t FLOAT_F16(float x) {
    return (uint16_t)_mm_cvtsi128_si32(_mm_cvtps_ph(_mm_set_ss(x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

#endif
