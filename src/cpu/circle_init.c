/* circle_init.c - the table of the circle fitter's kernels. */
#include "cpu/circle.h"
#include "cpu/cpu.h"

leat_circle_kernels leat__circle;

void leat__circle_init(leat_isa level) {
    leat__circle = leat__circle_ref;
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__circle_fill_avx2(&leat__circle);
    if (level >= LEAT_ISA_AVX512) leat__circle_fill_avx512(&leat__circle);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__circle_fill_neon(&leat__circle);
#endif
}
