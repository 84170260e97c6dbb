/* wino_f32_avx512.c - tile transforms, 16 channels at a time. */
#include <immintrin.h>

#include "cpu/wino_f32.h"

static inline __mmask16 part_mask(int64_t n) { return (__mmask16)((1u << n) - 1); }

#define V __m512
#define W 16
#define LOAD(p) _mm512_loadu_ps(p)
#define LOAD_PART(p, n) _mm512_maskz_loadu_ps(part_mask(n), p)
#define STORE(p, v) _mm512_storeu_ps(p, v)
#define STORE_PART(p, v, n) _mm512_mask_storeu_ps(p, part_mask(n), v)
#define SET(f) _mm512_set1_ps(f)
#define ADD(a, b) _mm512_add_ps(a, b)
#define SUB(a, b) _mm512_sub_ps(a, b)
#define MUL(a, b) _mm512_mul_ps(a, b)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define CLIP(v, lo, hi) _mm512_min_ps(hi, _mm512_max_ps(lo, v)) /* this order keeps a NaN */
#define NAME(x) x##_avx512

#include "cpu/wino_f32_tmpl.h"

void leat__wino_f32_fill_avx512(leat_wino_f32_table *table) {
    *table = (leat_wino_f32_table){"avx512", wino_in4_avx512, wino_in2_avx512, wino_out4_avx512, wino_out2_avx512};
}
