/* qrows_avx512vnni.c - integer products with the accumulating multiply-add of AVX-512 VNNI. */
#include "cpu/qrows.h"

#define DOT(acc, a, b) _mm512_dpwssd_epi32(acc, a, b)
#define ROWS_NAME rows_i16_avx512vnni
#define X_TYPE int16_t
#define W_TYPE int16_t
#define GROUP 2
#include "cpu/qrows_tmpl.h"

void leat__qrows_init_avx512vnni(leat_qrows_kernels *table) {
    table->rows_i16 = rows_i16_avx512vnni;
    table->isa = LEAT_ISA_AVX512VNNI;
}
