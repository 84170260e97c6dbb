/* pool_avx512.c - channels-last pooling reductions with 512-bit vectors; the rest stays with AVX2. */
#include <immintrin.h>
#include <stdint.h>

#include "cpu/simd_avx512.h"

#include "cpu/pool_tmpl.h"

void leat__pool_init_avx512(leat_pool_kernels *table) {
    pool_fill(table);
    table->isa = LEAT_ISA_AVX512;
}
