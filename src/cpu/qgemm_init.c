/* qgemm_init.c - dispatch of the products with many tokens. */
#include "cpu/qgemm.h"

leat_qgemm_table leat__qgemm_kernels;

void leat__qgemm_init(leat_isa level) {
    leat__qgemm_fill_ref(&leat__qgemm_kernels);
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__qgemm_fill_avx2(&leat__qgemm_kernels);
    if (level >= LEAT_ISA_AVX512) leat__qgemm_fill_avx512(&leat__qgemm_kernels);
    if (level >= LEAT_ISA_AVX512VNNI) leat__qgemm_fill_avx512vnni(&leat__qgemm_kernels);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__qgemm_fill_neon(&leat__qgemm_kernels);
    if (level >= LEAT_ISA_NEONDOT) leat__qgemm_fill_neondot(&leat__qgemm_kernels);
    if (level >= LEAT_ISA_NEONI8MM) leat__qgemm_fill_neoni8mm(&leat__qgemm_kernels);
#endif
}
