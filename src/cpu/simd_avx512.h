/* simd_avx512.h - the vector names of vmath_vec.h in AVX-512: 16 lanes, tails by masks.  For _avx512.c files only. */
#ifndef LEAT_CPU_SIMD_AVX512_H
#define LEAT_CPU_SIMD_AVX512_H

#include <immintrin.h>
#include <stdint.h>

typedef __m512 VF;
typedef __m512i VI;

#define W 16
#define V_SET(c) _mm512_set1_ps(c)
#define V_LOAD(p) _mm512_loadu_ps(p)
#define V_STORE(p, v) _mm512_storeu_ps(p, v)
#define V_LOADN(p, n) _mm512_maskz_loadu_ps(lanes_below(n), p)
#define V_STOREN(p, v, n) _mm512_mask_storeu_ps(p, lanes_below(n), v)
#define V_KEEP(v, n) _mm512_maskz_mov_ps(lanes_below(n), v)
#define V_ADD _mm512_add_ps
#define V_SUB _mm512_sub_ps
#define V_MUL _mm512_mul_ps
#define V_DIV _mm512_div_ps
#define V_SQRT _mm512_sqrt_ps
#define V_FMA _mm512_fmadd_ps
#define V_FNMA _mm512_fnmadd_ps
#define V_FMA1(s, v, c) V_FMA(V_SET(s), v, c)
#define V_MIN _mm512_min_ps
#define V_MAX _mm512_max_ps
#define V_ATMOST V_MIN
#define V_ATLEAST V_MAX
#define V_MAXNUM V_MAX
#define V_MINP(a, b) V_SEL(V_UNORD(a), a, V_MIN(a, b))
#define V_MAXP(a, b) V_SEL(V_UNORD(a), a, V_MAX(a, b))
#define V_ABS _mm512_abs_ps
#define V_NEG(v) _mm512_xor_ps(_mm512_set1_ps(-0.0f), v)
#define V_COPYSIGN(m, s) _mm512_or_ps(V_ABS(m), _mm512_and_ps(_mm512_set1_ps(-0.0f), s))
#define V_RINT(v) _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define V_LT(a, b) _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ)
#define V_EQ(a, b) _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ)
#define V_UNORD(a) _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q)
#define V_SEL(m, yes, no) _mm512_mask_blend_ps(m, no, yes)
#define V_SCALE(v, n) _mm512_scalef_ps(v, n)
#define V_SCALE_NEAR V_SCALE
#define V_HSUM(v) _mm512_reduce_add_ps(v)
#define V_HMAX(v) _mm512_reduce_max_ps(v)

static inline __mmask16 lanes_below(int64_t n) { return (__mmask16)((1u << n) - 1); }

/* A mantissa in [sqrt 2, 2) is halved and its exponent raised. */
static inline VF V_SPLIT(VF v, VF *e) {
    VF m = _mm512_getmant_ps(v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_zero), exponent = _mm512_getexp_ps(v);
    __mmask16 high = _mm512_cmp_ps_mask(m, V_SET(1.41421354f), _CMP_GE_OQ);
    *e = _mm512_mask_add_ps(exponent, high, exponent, V_SET(1.0f));
    return _mm512_mask_mul_ps(m, high, m, V_SET(0.5f));
}

static inline float F16_FLOAT(uint16_t half) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half))); }
static inline uint16_t FLOAT_F16(float x) {
    return (uint16_t)_mm_cvtsi128_si32(_mm_cvtps_ph(_mm_set_ss(x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

#endif
