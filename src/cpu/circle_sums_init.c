/* circle_sums_init.c - the table of the kernels that sum over circles; valid (reference) even before the first init. */
#include "cpu/circle_sums.h"
#include "cpu/cpu.h"

leat_circle_sums_kernels leat__circle_sums = {leat_circle_sums_row_ref, leat_circle_sums_disc_ref, "ref"};

void leat__circle_sums_init(leat_isa level);

void leat__circle_sums_init(leat_isa level) {
    leat__circle_sums = (leat_circle_sums_kernels){leat_circle_sums_row_ref, leat_circle_sums_disc_ref, "ref"};
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__circle_sums = (leat_circle_sums_kernels){leat_circle_sums_row_ref, leat_circle_sums_disc_avx2, "avx2"};
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__circle_sums = (leat_circle_sums_kernels){leat_circle_sums_row_ref, leat_circle_sums_disc_neon, "neon"};
#endif
}
