/* qgemm_avx512vnni.c - tiles of 32 rows x 6 tokens on the accumulating byte product of AVX-512 VNNI: any unsigned weights, any offset. */
#include "cpu/qgemm.h"

#include <immintrin.h>

#include "cpu/qgemm_unpack_tmpl.h"

#define VI __m512i
#define VF __m512
#define LANES 16
#define MOST 6
#define LOADI(p) _mm512_loadu_si512(p)
#define LOADF _mm512_loadu_ps
#define STOREF _mm512_storeu_ps
#define SETI _mm512_set1_epi32
#define SETF _mm512_set1_ps
#define CVT _mm512_cvtepi32_ps
#define FMA _mm512_fmadd_ps
#define MUL _mm512_mul_ps
#define DP _mm512_dpbusd_epi32

#include "cpu/qgemm_tmpl.h"

#define EACH_T(X, a, b, c, d) X(a, b, c, d, 1) X(a, b, c, d, 2) X(a, b, c, d, 3) X(a, b, c, d, 4) X(a, b, c, d, 5) X(a, b, c, d, 6)

DEFINE_TILES(32, 0, 4, 0)
DEFINE_TILES(32_min, 0, 4, 1)
DEFINE_TILES(16, 1, 4, 0)
DEFINE_TILES(16_min, 1, 4, 1)

void leat__qgemm_fill_avx512vnni(leat_qgemm_table *table) {
    table->isa = "avx512vnni";
    table->make_signed = NULL;
    memcpy(table->format, unpackers, sizeof unpackers);
    SET_TILES(32, LEAT_QGEMM_32_4, 6)
    SET_TILES(32, LEAT_QGEMM_32_5, 6)
    SET_TILES(32, LEAT_QGEMM_32_8, 6)
    SET_TILES(32_min, LEAT_QGEMM_32_4_MIN, 6)
    SET_TILES(32_min, LEAT_QGEMM_32_5_MIN, 6)
    SET_TILES(16, LEAT_QGEMM_16_6, 5)
    SET_TILES(16_min, LEAT_QGEMM_16_6_MIN, 4)
}
