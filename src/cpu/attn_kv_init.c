/* attn_kv_init.c - dispatch table of attention over a cache. */
#include "cpu/attn_kv_impl.h"
#include "cpu/cpu.h"

leat_attn_kv_table leat__attn_kv_kernels;

void leat__attn_kv_init(leat_isa level) {
    (void)level;
    leat__attn_kv_fill_ref(&leat__attn_kv_kernels);
}
