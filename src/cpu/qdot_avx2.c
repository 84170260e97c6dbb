/* qdot_avx2.c - products for few tokens with 256-bit bytes: the multiply-add of unsigned by signed bytes; signed weights give their sign to x. */
#include "cpu/qdot.h"

#include <immintrin.h>

#define SIGNED_OFFSET 0
#define DOT(f, w, x) dot(f, w, x)

static inline __attribute__((always_inline)) __m256i dot(const int f, __m256i w, __m256i x);

#include "cpu/qdot_tmpl.h"

/* Pairs stay below 2^15: 128 * 127 * 2. */
INLINE __m256i dot(const int f, __m256i w, __m256i x) {
    __m256i pairs = is_signed(f) ? _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w)) : _mm256_maddubs_epi16(w, x);
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

void leat__qdot_fill_avx2(leat_qdot_kernels *table) {
    fill(table);
    table->isa = LEAT_ISA_AVX2;
}
