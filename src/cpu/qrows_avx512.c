/* qrows_avx512.c - integer products with 512-bit multiply-adds of 16-bit pairs. */
#include "cpu/qrows.h"

#define DOT(acc, a, b) _mm512_add_epi32(acc, _mm512_madd_epi16(a, b))
#define ROWS_NAME rows_i16_avx512
#include "cpu/qrows_tmpl.h"

void leat__qrows_init_avx512(leat_qrows_kernels *table) {
    table->rows_i16 = rows_i16_avx512;
    table->isa = LEAT_ISA_AVX512;
}
