/* gemm_f32_init.c - dispatch of the matrix multiply. */
#include "cpu/cpu.h"
#include "cpu/gemm_f32.h"

leat_gemm_f32_table leat__gemm_f32;

void leat__gemm_f32_init(leat_isa level) {
    leat__gemm_f32_fill_ref(&leat__gemm_f32);
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__gemm_f32_fill_avx2(&leat__gemm_f32);
    if (level >= LEAT_ISA_AVX512) leat__gemm_f32_fill_avx512(&leat__gemm_f32);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__gemm_f32_fill_neon(&leat__gemm_f32);
#endif
}
