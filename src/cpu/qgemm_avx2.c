/* qgemm_avx2.c - tiles of 16 rows x 4 tokens, twice, on byte products that are summed in 16 bits: as many of them as cannot saturate.
 *
 * Signed weights of 8 bits go as their magnitude, the sign moved to the activations: 128 * 127 twice fits 16 bits, 255 * 127 would not.
 */
#include "cpu/qgemm.h"

#include <immintrin.h>

#define SIGNED8 1
#include "cpu/qgemm_unpack_tmpl.h"

#define VI __m256i
#define VF __m256
#define LANES 8
#define MOST 4
#define LOADI(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define LOADF _mm256_loadu_ps
#define STOREF _mm256_storeu_ps
#define SETX(p) _mm256_set1_epi32(load_quad(p))
#define SETI _mm256_set1_epi32
#define SETF _mm256_set1_ps
#define CVT _mm256_cvtepi32_ps
#define FMA _mm256_fmadd_ps
#define MUL _mm256_mul_ps
#define DOT16 _mm256_maddubs_epi16
#define PAIRS(v) _mm256_madd_epi16(v, _mm256_set1_epi16(1))
#define ADD16 _mm256_add_epi16
#define ADD32 _mm256_add_epi32
#define SIGNED16(w, x) _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w))

static inline int32_t load_quad(const int8_t *p) {
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

#include "cpu/qgemm_tmpl.h"

#define EACH_T(X, a, b, c, d) X(a, b, c, d, 1) X(a, b, c, d, 2) X(a, b, c, d, 3) X(a, b, c, d, 4)

DEFINE_TILES(32_4, 0, 4, 0)
DEFINE_TILES(32_6, 0, 6, 0)
DEFINE_TILES(32_8, 0, 8, 0)
DEFINE_TILES(32_4_min, 0, 4, 1)
DEFINE_TILES(32_6_min, 0, 6, 1)
DEFINE_TILES(16_6, 1, 6, 0)
DEFINE_TILES(16_6_min, 1, 6, 1)

void leat__qgemm_fill_avx2(leat_qgemm_table *table) {
    table->isa = "avx2";
    table->most = MOST;
    memcpy(table->format, unpackers, sizeof unpackers);
    SET_TILES(32_4, LEAT_QGEMM_32_4)
    SET_TILES(32_6, LEAT_QGEMM_32_6)
    SET_TILES(32_8, LEAT_QGEMM_32_8)
    SET_TILES(32_4_min, LEAT_QGEMM_32_4_MIN)
    SET_TILES(32_6_min, LEAT_QGEMM_32_6_MIN)
    SET_TILES(16_6, LEAT_QGEMM_16_6)
    SET_TILES(16_6_min, LEAT_QGEMM_16_6_MIN)
}
