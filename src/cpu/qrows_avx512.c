/* qrows_avx512.c - integer products with 512-bit multiply-adds of 16-bit pairs. */
#include "cpu/qrows.h"

#define DOT(acc, a, b) _mm512_add_epi32(acc, _mm512_madd_epi16(a, b))
#define ROWS_NAME rows_i16_avx512
#define X_TYPE int16_t
#define W_TYPE int16_t
#define GROUP 2
#include "cpu/qrows_tmpl.h"

#define DOT(acc, a, b) _mm512_add_epi32(acc, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), _mm512_set1_epi16(1)))
#define ROWS_NAME rows_u8s8_avx512
#define X_TYPE uint8_t
#define W_TYPE int8_t
#define GROUP 4
#include "cpu/qrows_tmpl.h"

void leat__qrows_init_avx512(leat_qrows_kernels *table) {
    table->rows_i16 = rows_i16_avx512;
    table->rows_u8s8 = rows_u8s8_avx512;
    table->isa = LEAT_ISA_AVX512;
}
