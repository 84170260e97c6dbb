/* qdot_init.c - the table of the kernels for few tokens. */
#include "cpu/qdot.h"

leat_qdot_kernels leat__qdot;

void leat__qdot_init(leat_isa level) {
    leat__qdot_fill_ref(&leat__qdot);
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__qdotwide_fill_avx2(&leat__qdot);
    if (level >= LEAT_ISA_AVX2) leat__qdotpair_fill_avx2(&leat__qdot);
    if (level >= LEAT_ISA_AVX2) leat__qdotfloat_fill_avx2(&leat__qdot);
    if (level >= LEAT_ISA_AVX2) leat__qdot.round = leat__qdot_round_avx2;
    if (level >= LEAT_ISA_AVX512VNNI) leat__qdotwide_fill_avx512vnni(&leat__qdot);
    if (level >= LEAT_ISA_AVX512VNNI) leat__qdotgrain_fill_avx512vnni(&leat__qdot);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__qdot_fill_neon(&leat__qdot);
    if (level >= LEAT_ISA_NEON) leat__qdotfloat_fill_neon(&leat__qdot);
    if (level >= LEAT_ISA_NEON) leat__qdot.round = leat__qdot_round_neon;
    if (level >= LEAT_ISA_NEONDOT) leat__qdot_fill_neondot(&leat__qdot);
#endif
}
