/* qdot_avx512vnni.c - products for few tokens with the dot product of four bytes. */
#include "cpu/qdot.h"

#include <immintrin.h>

#define SIGNED_OFFSET 128
#define DOT(w, x) _mm256_dpbusd_epi32(_mm256_setzero_si256(), w, x)

#include "cpu/qdot_tmpl.h"

void leat__qdot_fill_avx512vnni(leat_qdot_kernels *table) {
    fill(table);
    table->isa = LEAT_ISA_AVX512VNNI;
}
