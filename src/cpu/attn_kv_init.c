/* attn_kv_init.c - dispatch table of attention over a cache. */
#include "cpu/attn_kv_impl.h"
#include "cpu/cpu.h"

leat_attn_kv_table leat__attn_kv_kernels;

void leat__attn_kv_init(leat_isa level) {
    leat__attn_kv_fill_ref(&leat__attn_kv_kernels);
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__attn_kv_fill_avx2(&leat__attn_kv_kernels);
    if (level >= LEAT_ISA_AVX512) leat__attn_kv_fill_avx512(&leat__attn_kv_kernels);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__attn_kv_fill_neon(&leat__attn_kv_kernels);
#else
    (void)level;
#endif
}
