/* dwconv_f32_avx512.c - depthwise convolution and linear mixing, sixteen channels at a time. */
#include "cpu/dwconv_f32.h"

#include <immintrin.h>

#define V __m512
#define VEC 16
#define MASK __mmask16
#define LOADU(p) _mm512_loadu_ps(p)
#define LOADM(p, m) _mm512_maskz_loadu_ps(m, p)
#define LOADE(p, m) LOADM(p, m)
#define STOREU(p, v) _mm512_storeu_ps(p, v)
#define STOREM(p, m, v) _mm512_mask_storeu_ps(p, m, v)
#define SET1(f) _mm512_set1_ps(f)
#define ZERO _mm512_setzero_ps()
#define ADD(a, b) _mm512_add_ps(a, b)
#define SUB(a, b) _mm512_sub_ps(a, b)
#define MIN(a, b) _mm512_min_ps(a, b)
#define MAX(a, b) _mm512_max_ps(a, b)
#define FMADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define TAIL(n) ((__mmask16)((n) >= 16 ? 0xffffu : (1u << (n)) - 1))
#define ALL(condition) ((__mmask16)((condition) ? 0xffffu : 0))
#define AND(a, b) ((__mmask16)((a) & (b)))
#define NAME(x) x##_avx512

#include "cpu/dwconv_f32_tmpl.h"
