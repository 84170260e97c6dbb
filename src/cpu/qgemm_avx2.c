/* qgemm_avx2.c - tiles of 16 rows x 4 tokens, twice, on byte products that are summed in 16 bits: as many of them as cannot saturate.
 *
 * Weights of 8 bits go as their magnitude, with the activations' bits turned over where a weight is negative: 128 * 127 twice fits 16 bits, 255 * 127
 * would not.
 */
#include "cpu/qgemm.h"

#include <immintrin.h>

#include "cpu/qgemm_unpack_tmpl.h"

#define VI __m256i
#define VF __m256
#define LANES 8
#define MOST 4
#define LOADI(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define LOADF _mm256_loadu_ps
#define STOREF _mm256_storeu_ps
#define SETI _mm256_set1_epi32
#define SETF _mm256_set1_ps
#define CVT _mm256_cvtepi32_ps
#define FMA _mm256_fmadd_ps
#define MUL _mm256_mul_ps
#define DOT16 _mm256_maddubs_epi16
#define PAIRS(v) _mm256_madd_epi16(v, _mm256_set1_epi16(1))
#define XOR _mm256_xor_si256
#define AND _mm256_and_si256
#define ABS8 _mm256_abs_epi8
#define NEGATIVE8(w) _mm256_cmpgt_epi8(_mm256_setzero_si256(), w)
#define STOREI(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
#define ADD16 _mm256_add_epi16
#define ADD32 _mm256_add_epi32

#include "cpu/qgemm_tmpl.h"

#define EACH_T(X, a, b, c, d) X(a, b, c, d, 1) X(a, b, c, d, 2) X(a, b, c, d, 3) X(a, b, c, d, 4)

DEFINE_TILES(32_4, 0, 4, 0)
DEFINE_TILES(32_6, 0, 6, 0)
DEFINE_TILES(32_8, 0, 8, 0)
DEFINE_TILES(32_4_min, 0, 4, 1)
DEFINE_TILES(32_6_min, 0, 6, 1)
DEFINE_TILES(16_6, 1, 6, 0)
DEFINE_TILES(16_6_min, 1, 6, 1)

/* 16 bytes each of rows r and r + 4. */
static inline __m256i row_pair(const char *p, int64_t stride) {
    __m256i low = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p));
    return _mm256_inserti128_si256(low, _mm_loadu_si128((const __m128i *)(const void *)(p + 4 * stride)), 1);
}

/* Tiles of 8 rows x 4 columns, transposed within 128 bits. */
static void interleave(const void *from, int64_t stride, int64_t columns, void *to) {
    int64_t c = 0;
    for (; c + 4 <= columns; c += 4)
        for (int r = 0; r < ROWS; r += 8) {
            const char *p = (const char *)from + r * stride + 4 * c;
            __m256i    *out = (__m256i *)(void *)((char *)to + 4 * (c * ROWS + r));
            __m256i a = row_pair(p, stride), b = row_pair(p + stride, stride), d = row_pair(p + 2 * stride, stride), e = row_pair(p + 3 * stride, stride);
            __m256i ab = _mm256_unpacklo_epi32(a, b), ab2 = _mm256_unpackhi_epi32(a, b);
            __m256i de = _mm256_unpacklo_epi32(d, e), de2 = _mm256_unpackhi_epi32(d, e);
            _mm256_storeu_si256(out, _mm256_unpacklo_epi64(ab, de));
            _mm256_storeu_si256(out + ROWS / 8, _mm256_unpackhi_epi64(ab, de));
            _mm256_storeu_si256(out + ROWS / 4, _mm256_unpacklo_epi64(ab2, de2));
            _mm256_storeu_si256(out + 3 * ROWS / 8, _mm256_unpackhi_epi64(ab2, de2));
        }
    for (; c < columns; c++)
        for (int r = 0; r < ROWS; r++) memcpy((char *)to + 4 * (c * ROWS + r), (const char *)from + r * stride + 4 * c, 4);
}

void leat__qgemm_fill_avx2(leat_qgemm_table *table) {
    table->isa = "avx2";
    table->interleave_bytes = table->interleave_scales = interleave;
    table->make_signed = make_signed;
    memcpy(table->format, unpackers, sizeof unpackers);
    SET_TILES(32_4, LEAT_QGEMM_32_4, 4)
    SET_TILES(32_6, LEAT_QGEMM_32_5, 4)
    SET_TILES(32_8, LEAT_QGEMM_32_8, 4)
    SET_TILES(32_4_min, LEAT_QGEMM_32_4_MIN, 4)
    SET_TILES(32_6_min, LEAT_QGEMM_32_5_MIN, 4)
    SET_TILES(16_6, LEAT_QGEMM_16_6, 4)
    SET_TILES(16_6_min, LEAT_QGEMM_16_6_MIN, 4)
}
