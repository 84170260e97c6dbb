/* qgemm_avx512.c - the tiles of qgemm_avx2.c with 512 bits, for CPUs without VNNI: 32 rows x 6 tokens. */
#include "cpu/qgemm.h"

#include <immintrin.h>

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
#define DOT16 _mm512_maddubs_epi16
#define PAIRS(v) _mm512_madd_epi16(v, _mm512_set1_epi16(1))
#define XOR _mm512_xor_si512
#define AND _mm512_and_si512
#define ABS8 _mm512_abs_epi8
#define NEGATIVE8(w) _mm512_movm_epi8(_mm512_movepi8_mask(w))
#define STOREI(p, v) _mm512_storeu_si512(p, v)
#define ADD16 _mm512_add_epi16
#define ADD32 _mm512_add_epi32

#include "cpu/qgemm_tmpl.h"

#define EACH_T(X, a, b, c, d) X(a, b, c, d, 1) X(a, b, c, d, 2) X(a, b, c, d, 3) X(a, b, c, d, 4) X(a, b, c, d, 5) X(a, b, c, d, 6)

DEFINE_TILES(32_4, 0, 4, 0)
DEFINE_TILES(32_6, 0, 6, 0)
DEFINE_TILES(32_8, 0, 8, 0)
DEFINE_TILES(32_4_min, 0, 4, 1)
DEFINE_TILES(32_6_min, 0, 6, 1)
DEFINE_TILES(16_6, 1, 6, 0)
DEFINE_TILES(16_6_min, 1, 6, 1)

/* 16 bytes each of rows r, r + 4, r + 8, r + 12. */
static inline __m512i four_rows(const char *p, int64_t stride) {
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(const void *)p));
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(p + 4 * stride)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(p + 8 * stride)), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(const void *)(p + 12 * stride)), 3);
}

/* Tiles of 16 rows x 4 columns, transposed within 128 bits. */
static void interleave(const void *from, int64_t stride, int64_t columns, void *to) {
    int64_t c = 0;
    for (; c + 4 <= columns; c += 4)
        for (int r = 0; r < ROWS; r += 16) {
            const char *p = (const char *)from + r * stride + 4 * c;
            char       *out = (char *)to + 4 * (c * ROWS + r);
            __m512i a = four_rows(p, stride), b = four_rows(p + stride, stride), d = four_rows(p + 2 * stride, stride), e = four_rows(p + 3 * stride, stride);
            __m512i ab = _mm512_unpacklo_epi32(a, b), ab2 = _mm512_unpackhi_epi32(a, b);
            __m512i de = _mm512_unpacklo_epi32(d, e), de2 = _mm512_unpackhi_epi32(d, e);
            _mm512_storeu_si512(out, _mm512_unpacklo_epi64(ab, de));
            _mm512_storeu_si512(out + 4 * ROWS, _mm512_unpackhi_epi64(ab, de));
            _mm512_storeu_si512(out + 8 * ROWS, _mm512_unpacklo_epi64(ab2, de2));
            _mm512_storeu_si512(out + 12 * ROWS, _mm512_unpackhi_epi64(ab2, de2));
        }
    for (; c < columns; c++)
        for (int r = 0; r < ROWS; r++) memcpy((char *)to + 4 * (c * ROWS + r), (const char *)from + r * stride + 4 * c, 4);
}

/* Over avx2's, whose unpacked form is the same. */
void leat__qgemm_fill_avx512(leat_qgemm_table *table) {
    table->isa = "avx512";
    table->interleave_bytes = table->interleave_scales = interleave;
    table->make_signed = make_signed;
    SET_TILES(32_4, LEAT_QGEMM_32_4, 4)
    SET_TILES(32_6, LEAT_QGEMM_32_5, 4)
    SET_TILES(32_8, LEAT_QGEMM_32_8, 6)
    SET_TILES(32_4_min, LEAT_QGEMM_32_4_MIN, 6)
    SET_TILES(32_6_min, LEAT_QGEMM_32_5_MIN, 5)
    SET_TILES(16_6, LEAT_QGEMM_16_6, 4)
    SET_TILES(16_6_min, LEAT_QGEMM_16_6_MIN, 6)
}
