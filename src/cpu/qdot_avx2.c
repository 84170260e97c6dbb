/* qdot_avx2.c - products for few tokens with 256-bit bytes: the multiply-add of unsigned by signed bytes. */
#include "cpu/qdot.h"

#include <immintrin.h>

#define SIGNED_OFFSET 0
#define DOT(w, x) _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), _mm256_set1_epi16(1)) /* pairs stay below 2^15 */

#include "cpu/qdot_tmpl.h"

void leat__qdot_fill_avx2(leat_qdot_kernels *table) {
    fill(table);
    table->isa = LEAT_ISA_AVX2;
}
