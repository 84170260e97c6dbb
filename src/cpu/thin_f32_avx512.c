/* thin_f32_avx512.c - thin products, 16 floats of depth at a time. */
#include <immintrin.h>

#include "cpu/thin_f32.h"

#define V __m512
#define W 16
#define ZERO _mm512_setzero_ps()
#define LOAD(p) _mm512_loadu_ps(p)
#define LOAD_PART(p, n) _mm512_maskz_loadu_ps((__mmask16)((1u << (n)) - 1), p)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define SUM(v) _mm512_reduce_add_ps(v)
#define NAME(x) x##_avx512
#define P1 12
#define P2 8
#define P3 6
#define P4 6

#include "cpu/thin_f32_tmpl.h"

void leat__thin_f32_fill_avx512(leat_thin_f32_table *table) { FILL(table, "avx512"); }
