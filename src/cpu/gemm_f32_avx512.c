/* gemm_f32_avx512.c - register tiles of 12x32, 9x48 and 16x16: 16 to 27 accumulators, and the same with half a vector at the end.
 *
 * Half a vector takes half the time (24 columns are common, 40 and 72 too): on CPUs that run 512 bits as two halves or 256 bits at
 * twice the rate.
 */
#include "cpu/gemm_f32.h"

#include <immintrin.h>

#define VEC 16
#define MAX_ACC 27
#define V __m512
#define LOAD _mm512_loadu_ps
#define STORE _mm512_storeu_ps
#define SET1 _mm512_set1_ps
#define FMA _mm512_fmadd_ps
#define FMA1(a, b, c) FMA(SET1(a), b, c)
#define MUL _mm512_mul_ps
#define ADD _mm512_add_ps
#define MIN _mm512_min_ps
#define MAX _mm512_max_ps
#define H __m256
#define H_LOAD _mm256_loadu_ps
#define H_STORE _mm256_storeu_ps
#define H_SET1 _mm256_set1_ps
#define H_FMA _mm256_fmadd_ps
#define H_FMA1(a, b, c) H_FMA(H_SET1(a), b, c)
#define H_MUL _mm256_mul_ps
#define H_ADD _mm256_add_ps
#define H_MIN _mm256_min_ps
#define H_MAX _mm256_max_ps

/* The first n lanes, 0 < n <= VEC; nothing else is touched. */
static inline V load_first(const float *p, int n) { return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
static inline void store_first(float *p, V v, int n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v); }

#include "cpu/gemm_f32_tmpl.h"

#define EACH_2_9(X, nv) X(2, nv) X(3, nv) X(4, nv) X(5, nv) X(6, nv) X(7, nv) X(8, nv) X(9, nv)
#define EACH_16(X) EACH_2_9(X, 1) X(10, 1) X(11, 1) X(12, 1) X(13, 1) X(14, 1) X(15, 1) X(16, 1)
#define EACH_32(X) EACH_2_9(X, 2) X(10, 2) X(11, 2) X(12, 2)
#define EACH_48(X) EACH_2_9(X, 3)

#define TILE(mr, nv)                                                                                                \
    static void leat_f32_gemm_##mr##x##nv##_avx512(const leat_gemm_tile *t) { tiles(t, mr, nv, 0, 1); }             \
    static void leat_f32_gemm_##mr##x##nv##_half_avx512(const leat_gemm_tile *t) { tiles(t, mr, nv, 1, 1); }        \
    static void leat_f32_gemm_##mr##x##nv##_rows_avx512(const leat_gemm_tile *t) { tiles(t, mr, nv, 0, 0); }        \
    static void leat_f32_gemm_##mr##x##nv##_rows_half_avx512(const leat_gemm_tile *t) { tiles(t, mr, nv, 1, 0); }
EACH_16(TILE)
EACH_32(TILE)
EACH_48(TILE)

#define ROW(nv)                                                                              \
    static void leat_f32_gemm_1x##nv##_avx512(const leat_gemm_tile *t) { row(t, nv, 1); }    \
    static void leat_f32_gemm_1x##nv##_rows_avx512(const leat_gemm_tile *t) { row(t, nv, 0); }
ROW(1)
ROW(2)
ROW(3)

#define SET(mr, nv)                                                        \
    table->tile[nv][mr][0][0] = leat_f32_gemm_##mr##x##nv##_rows_avx512;      \
    table->tile[nv][mr][0][1] = leat_f32_gemm_##mr##x##nv##_rows_half_avx512; \
    table->tile[nv][mr][1][0] = leat_f32_gemm_##mr##x##nv##_avx512;           \
    table->tile[nv][mr][1][1] = leat_f32_gemm_##mr##x##nv##_half_avx512;
#define SET_ROW(nv)                                                                                   \
    table->tile[nv][1][0][0] = table->tile[nv][1][0][1] = leat_f32_gemm_1x##nv##_rows_avx512;            \
    table->tile[nv][1][1][0] = table->tile[nv][1][1][1] = leat_f32_gemm_1x##nv##_avx512;
void leat__gemm_f32_fill_avx512(leat_gemm_f32_table *table) {
    *table = (leat_gemm_f32_table){.isa = "avx512", .vec = VEC, .mr = {0, 16, 12, 9}};
    EACH_16(SET)
    EACH_32(SET)
    EACH_48(SET)
    SET_ROW(1)
    SET_ROW(2)
    SET_ROW(3)
}
