/* qgemm_avx512.c - the tiles of qgemm_avx2.c with 512 bits, for CPUs without VNNI: 32 rows x 6 tokens. */
#include "cpu/qgemm.h"

#include <immintrin.h>
#include <string.h>

#define VI __m512i
#define VF __m512
#define LANES 16
#define MOST 6
#define LOADI(p) _mm512_loadu_si512(p)
#define LOADF _mm512_loadu_ps
#define STOREF _mm512_storeu_ps
#define SETX(p) _mm512_set1_epi32(load_quad(p))
#define SETI _mm512_set1_epi32
#define SETF _mm512_set1_ps
#define CVT _mm512_cvtepi32_ps
#define FMA _mm512_fmadd_ps
#define MUL _mm512_mul_ps
#define DOT16 _mm512_maddubs_epi16
#define PAIRS(v) _mm512_madd_epi16(v, _mm512_set1_epi16(1))
#define ADD16 _mm512_add_epi16
#define ADD32 _mm512_add_epi32
#define SIGNED16(w, x) _mm512_maddubs_epi16(_mm512_abs_epi8(w), _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(w), _mm512_setzero_si512(), x))

static inline int32_t load_quad(const int8_t *p) {
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

#include "cpu/qgemm_tmpl.h"

#define EACH_T(X, a, b, c, d) X(a, b, c, d, 1) X(a, b, c, d, 2) X(a, b, c, d, 3) X(a, b, c, d, 4) X(a, b, c, d, 5) X(a, b, c, d, 6)

DEFINE_TILES(32_4, 0, 4, 0)
DEFINE_TILES(32_6, 0, 6, 0)
DEFINE_TILES(32_8, 0, 8, 0)
DEFINE_TILES(32_4_min, 0, 4, 1)
DEFINE_TILES(32_6_min, 0, 6, 1)
DEFINE_TILES(16_6, 1, 6, 0)
DEFINE_TILES(16_6_min, 1, 6, 1)

/* Over avx2's, whose unpacked form is the same. */
void leat__qgemm_fill_avx512(leat_qgemm_table *table) {
    table->isa = "avx512";
    table->most = MOST;
    SET_TILES(32_4, LEAT_QGEMM_32_4)
    SET_TILES(32_6, LEAT_QGEMM_32_6)
    SET_TILES(32_8, LEAT_QGEMM_32_8)
    SET_TILES(32_4_min, LEAT_QGEMM_32_4_MIN)
    SET_TILES(32_6_min, LEAT_QGEMM_32_6_MIN)
    SET_TILES(16_6, LEAT_QGEMM_16_6)
    SET_TILES(16_6_min, LEAT_QGEMM_16_6_MIN)
}
