/* gemm_f32_avx2.c - register tiles of 6x16, 4x24 and 12x8: twelve accumulators.
 *
 * Two FMA a cycle of latency 4 (5 on some) want 8 to 10 chains; twelve and the operands fill the sixteen registers.
 */
#include "cpu/gemm_f32.h"

#include <immintrin.h>

#define VEC 8
#define MAX_ACC 12
#define V __m256
#define LOAD _mm256_loadu_ps
#define STORE _mm256_storeu_ps
#define SET1 _mm256_set1_ps
#define FMA multiply_add
#define FMA1(a, b, c) FMA(SET1(a), b, c)
#define MUL _mm256_mul_ps
#define ADD _mm256_add_ps
#define MIN _mm256_min_ps
#define MAX _mm256_max_ps
#define H __m128
#define H_LOAD _mm_loadu_ps
#define H_STORE _mm_storeu_ps
#define H_SET1 _mm_set1_ps
#define H_FMA _mm_fmadd_ps
#define H_FMA1(a, b, c) H_FMA(H_SET1(a), b, c)
#define H_MUL _mm_mul_ps
#define H_ADD _mm_add_ps
#define H_MIN _mm_min_ps
#define H_MAX _mm_max_ps

/* ab + c into c's own register: gcc likes to take that of a or b for the result and then spills accumulators within the loop. */
static inline V multiply_add(V a, V b, V c) {
    __asm__("vfmadd231ps %2, %1, %0" : "+x"(c) : "x"(a), "x"(b));
    return c;
}

/* The first n lanes, 0 < n <= VEC; nothing else is touched. */
static inline V load_first(const float *p, int n) {
    return _mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)));
}

/* Masked stores are slow on some CPUs. */
static inline void store_first(float *p, V v, int n) {
    __m128 part = _mm256_castps256_ps128(v);
    if (n == VEC) {
        _mm256_storeu_ps(p, v);
        return;
    }
    if (n & 4) {
        _mm_storeu_ps(p, part);
        part = _mm256_extractf128_ps(v, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)p, part);
        part = _mm_movehl_ps(part, part);
        p += 2;
    }
    if (n & 1) _mm_store_ss(p, part);
}

#include "cpu/gemm_f32_tmpl.h"

#define EACH_8(X) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(9, 1) X(10, 1) X(11, 1) X(12, 1)
#define EACH_16(X) X(2, 2) X(3, 2) X(4, 2) X(5, 2) X(6, 2)
#define EACH_24(X) X(2, 3) X(3, 3) X(4, 3)

#define TILE(mr, nv)                                                                                         \
    static void leat_f32_gemm_##mr##x##nv##_avx2(const leat_gemm_tile *t) { tiles(t, mr, nv, 0, 1); }        \
    static void leat_f32_gemm_##mr##x##nv##_rows_avx2(const leat_gemm_tile *t) { tiles(t, mr, nv, 0, 0); }
EACH_8(TILE)
EACH_16(TILE)
EACH_24(TILE)

#define ROW(nv)                                                                            \
    static void leat_f32_gemm_1x##nv##_avx2(const leat_gemm_tile *t) { row(t, nv, 1); }    \
    static void leat_f32_gemm_1x##nv##_rows_avx2(const leat_gemm_tile *t) { row(t, nv, 0); }
ROW(1)
ROW(2)
ROW(3)

#define SET(mr, nv)                                                                                                \
    table->tile[nv][mr][0][0] = table->tile[nv][mr][0][1] = leat_f32_gemm_##mr##x##nv##_rows_avx2;                 \
    table->tile[nv][mr][1][0] = table->tile[nv][mr][1][1] = leat_f32_gemm_##mr##x##nv##_avx2;
void leat__gemm_f32_fill_avx2(leat_gemm_f32_table *table) {
    *table = (leat_gemm_f32_table){.isa = "avx2", .vec = VEC, .mr = {0, 12, 6, 4}};
    SET(1, 1) SET(1, 2) SET(1, 3)
    EACH_8(SET)
    EACH_16(SET)
    EACH_24(SET)
}
