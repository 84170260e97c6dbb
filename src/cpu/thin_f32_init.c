/* thin_f32_init.c - dispatch of the thin products. */
#include "cpu/cpu.h"
#include "cpu/thin_f32.h"

leat_thin_f32_table leat__thin_f32;

void leat__thin_f32_init(leat_isa level) {
    leat__thin_f32_fill_ref(&leat__thin_f32);
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__thin_f32_fill_avx2(&leat__thin_f32);
    if (level >= LEAT_ISA_AVX512) leat__thin_f32_fill_avx512(&leat__thin_f32);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__thin_f32_fill_neon(&leat__thin_f32);
#endif
}
