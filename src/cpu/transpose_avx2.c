/* transpose_avx2.c - transposition by register tiles: 8x8 of 4, 2 and 1 bytes, 4x4 of 8. */
#include "cpu/transpose.h"

#include <immintrin.h>

#include "cpu/transpose_walk.h"

/* ---- tiles ------------------------------------------------------------------------------------------------------------ */

static inline __attribute__((always_inline)) void tile_b4(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds) {
    __m256 r[8], t[8];
    UNROLL for (int i = 0; i < 4; i++) { /* rows i and i + 4 side by side: saves the cross-lane permutes afterwards */
        __m256 lo = _mm256_castps128_ps256(_mm_loadu_ps((const float *)(const void *)(src + i * ss)));
        __m256 hi = _mm256_castps128_ps256(_mm_loadu_ps((const float *)(const void *)(src + i * ss + 16)));
        r[i] = _mm256_insertf128_ps(lo, _mm_loadu_ps((const float *)(const void *)(src + (i + 4) * ss)), 1);
        r[i + 4] = _mm256_insertf128_ps(hi, _mm_loadu_ps((const float *)(const void *)(src + (i + 4) * ss + 16)), 1);
    }
    UNROLL for (int h = 0; h < 8; h += 4) {
        t[h + 0] = _mm256_unpacklo_ps(r[h], r[h + 1]);
        t[h + 1] = _mm256_unpackhi_ps(r[h], r[h + 1]);
        t[h + 2] = _mm256_unpacklo_ps(r[h + 2], r[h + 3]);
        t[h + 3] = _mm256_unpackhi_ps(r[h + 2], r[h + 3]);
        _mm256_storeu_ps((float *)(void *)(dst + (h + 0) * ds), _mm256_shuffle_ps(t[h], t[h + 2], 0x44));
        _mm256_storeu_ps((float *)(void *)(dst + (h + 1) * ds), _mm256_shuffle_ps(t[h], t[h + 2], 0xEE));
        _mm256_storeu_ps((float *)(void *)(dst + (h + 2) * ds), _mm256_shuffle_ps(t[h + 1], t[h + 3], 0x44));
        _mm256_storeu_ps((float *)(void *)(dst + (h + 3) * ds), _mm256_shuffle_ps(t[h + 1], t[h + 3], 0xEE));
    }
}

/* 4x4 */
static inline __attribute__((always_inline)) void tile_b4_half(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds) {
    __m128 r0 = _mm_loadu_ps((const float *)(const void *)src), r1 = _mm_loadu_ps((const float *)(const void *)(src + ss));
    __m128 r2 = _mm_loadu_ps((const float *)(const void *)(src + 2 * ss)),
        r3 = _mm_loadu_ps((const float *)(const void *)(src + 3 * ss));
    _MM_TRANSPOSE4_PS(r0, r1, r2, r3);
    _mm_storeu_ps((float *)(void *)dst, r0);
    _mm_storeu_ps((float *)(void *)(dst + ds), r1);
    _mm_storeu_ps((float *)(void *)(dst + 2 * ds), r2);
    _mm_storeu_ps((float *)(void *)(dst + 3 * ds), r3);
}

static inline __attribute__((always_inline)) void tile_b8(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds) {
    __m256d r[4];
    UNROLL for (int i = 0; i < 4; i++) r[i] = _mm256_loadu_pd((const double *)(const void *)(src + i * ss));
    __m256d t0 = _mm256_unpacklo_pd(r[0], r[1]), t1 = _mm256_unpackhi_pd(r[0], r[1]);
    __m256d t2 = _mm256_unpacklo_pd(r[2], r[3]), t3 = _mm256_unpackhi_pd(r[2], r[3]);
    _mm256_storeu_pd((double *)(void *)dst, _mm256_permute2f128_pd(t0, t2, 0x20));
    _mm256_storeu_pd((double *)(void *)(dst + ds), _mm256_permute2f128_pd(t1, t3, 0x20));
    _mm256_storeu_pd((double *)(void *)(dst + 2 * ds), _mm256_permute2f128_pd(t0, t2, 0x31));
    _mm256_storeu_pd((double *)(void *)(dst + 3 * ds), _mm256_permute2f128_pd(t1, t3, 0x31));
}

static inline __attribute__((always_inline)) void tile_b2(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds) {
    __m128i r[8], t[8];
    UNROLL for (int i = 0; i < 8; i++) r[i] = _mm_loadu_si128((const __m128i *)(const void *)(src + i * ss));
    UNROLL for (int i = 0; i < 4; i++) { /* pairs of rows i, i + 4 interleaved: three rounds of the same shuffle transpose 8 rows */
        t[2 * i] = _mm_unpacklo_epi16(r[i], r[i + 4]);
        t[2 * i + 1] = _mm_unpackhi_epi16(r[i], r[i + 4]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        r[2 * i] = _mm_unpacklo_epi16(t[i], t[i + 4]);
        r[2 * i + 1] = _mm_unpackhi_epi16(t[i], t[i + 4]);
    }
    UNROLL for (int i = 0; i < 4; i++) {
        _mm_storeu_si128((__m128i *)(void *)(dst + 2 * i * ds), _mm_unpacklo_epi16(r[i], r[i + 4]));
        _mm_storeu_si128((__m128i *)(void *)(dst + (2 * i + 1) * ds), _mm_unpackhi_epi16(r[i], r[i + 4]));
    }
}

static inline __attribute__((always_inline)) void tile_b1(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds) {
    __m128i p[4], q[4];
    UNROLL for (int i = 0; i < 4; i++) /* the same shuffle on rows of 8 bytes, two to a register */
        p[i] = _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)(const void *)(src + i * ss)),
                                 _mm_loadl_epi64((const __m128i *)(const void *)(src + (i + 4) * ss)));
    q[0] = _mm_unpacklo_epi8(p[0], p[2]);
    q[1] = _mm_unpackhi_epi8(p[0], p[2]);
    q[2] = _mm_unpacklo_epi8(p[1], p[3]);
    q[3] = _mm_unpackhi_epi8(p[1], p[3]);
    p[0] = _mm_unpacklo_epi8(q[0], q[2]);
    p[1] = _mm_unpackhi_epi8(q[0], q[2]);
    p[2] = _mm_unpacklo_epi8(q[1], q[3]);
    p[3] = _mm_unpackhi_epi8(q[1], q[3]);
    UNROLL for (int i = 0; i < 4; i++) {
        _mm_storel_epi64((__m128i *)(void *)(dst + 2 * i * ds), p[i]);
        _mm_storel_epi64((__m128i *)(void *)(dst + (2 * i + 1) * ds), _mm_unpackhi_epi64(p[i], p[i]));
    }
}

/* ---- narrow blocks of 4-byte elements: 2 or 3 channels to pixels and back -------------------------------------------------- */

#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)

/* Two rows into pairs: dst[j] = {a[j], b[j]}.  Does whole groups of 8 and returns how many columns are done. */
static int64_t weave2_b4(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t cols) {
    int64_t j = 0;
    for (; j + 8 <= cols; j += 8) {
        __m256i a = LOAD(src + j * 4), b = LOAD(src + ss + j * 4);
        __m256i lo = _mm256_unpacklo_epi32(a, b), hi = _mm256_unpackhi_epi32(a, b);
        STORE(dst + j * 8, _mm256_permute2x128_si256(lo, hi, 0x20));
        STORE(dst + j * 8 + 32, _mm256_permute2x128_si256(lo, hi, 0x31));
    }
    return j;
}

/* Three rows into triples: each row is permuted so that its elements stand where they go in all three output vectors at once. */
static int64_t weave3_b4(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t cols) {
    const __m256i pa = _mm256_setr_epi32(0, 3, 6, 1, 4, 7, 2, 5), pb = _mm256_setr_epi32(5, 0, 3, 6, 1, 4, 7, 2);
    const __m256i pc = _mm256_setr_epi32(2, 5, 0, 3, 6, 1, 4, 7);
    int64_t j = 0;
    for (; j + 8 <= cols; j += 8) {
        __m256i a = _mm256_permutevar8x32_epi32(LOAD(src + j * 4), pa),
            b = _mm256_permutevar8x32_epi32(LOAD(src + ss + j * 4), pb);
        __m256i c = _mm256_permutevar8x32_epi32(LOAD(src + 2 * ss + j * 4), pc);
        STORE(dst + j * 12, _mm256_blend_epi32(_mm256_blend_epi32(a, b, 0x92), c, 0x24)); /* abcabcab */
        STORE(dst + j * 12 + 32, _mm256_blend_epi32(_mm256_blend_epi32(c, a, 0x92), b, 0x24)); /* cabcabca */
        STORE(dst + j * 12 + 64, _mm256_blend_epi32(_mm256_blend_epi32(b, c, 0x92), a, 0x24)); /* bcabcabc */
    }
    return j;
}

/* The inverse: triples (rows of the source, 12 bytes apart) into three rows dst_stride apart. */
static int64_t unweave3_b4(const uint8_t *src, uint8_t *dst, int64_t ds, int64_t rows) {
    const __m256i pa = _mm256_setr_epi32(0, 3, 6, 1, 4, 7, 2, 5), pb = _mm256_setr_epi32(1, 4, 7, 2, 5, 0, 3, 6);
    const __m256i pc = _mm256_setr_epi32(2, 5, 0, 3, 6, 1, 4, 7);
    int64_t i = 0;
    for (; i + 8 <= rows; i += 8) {
        __m256i u = LOAD(src + i * 12), v = LOAD(src + i * 12 + 32), w = LOAD(src + i * 12 + 64);
        __m256i a = _mm256_blend_epi32(_mm256_blend_epi32(u, v, 0x92), w, 0x24); /* a of u at 0 3 6, of v at 1 4 7, of w at 2 5 */
        __m256i b = _mm256_blend_epi32(_mm256_blend_epi32(w, u, 0x92), v, 0x24);
        __m256i c = _mm256_blend_epi32(_mm256_blend_epi32(v, w, 0x92), u, 0x24);
        STORE(dst + i * 4, _mm256_permutevar8x32_epi32(a, pa));
        STORE(dst + ds + i * 4, _mm256_permutevar8x32_epi32(b, pb));
        STORE(dst + 2 * ds + i * 4, _mm256_permutevar8x32_epi32(c, pc));
    }
    return i;
}

/* ---- the table ---------------------------------------------------------------------------------------------------------- */

/* Blocks too small for a tile of 8x8. */
static void small_b4(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds, int64_t rows, int64_t cols) {
    walk(src, ss, dst, ds, rows, cols, 4, 4, tile_b4_half, leat_b4_transpose_ref);
}

void leat_b1_transpose_avx2(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows,
                            int64_t cols) {
    walk(src, src_stride, dst, dst_stride, rows, cols, 1, 8, tile_b1, leat_b1_transpose_ref);
}
void leat_b2_transpose_avx2(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows,
                            int64_t cols) {
    walk(src, src_stride, dst, dst_stride, rows, cols, 2, 8, tile_b2, leat_b2_transpose_ref);
}
void leat_b4_transpose_avx2(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows,
                            int64_t cols) {
    int64_t done = 0;
    if (rows == 2 && dst_stride == 8) done = weave2_b4(src, src_stride, dst, cols);
    else if (rows == 3 && dst_stride == 12) done = weave3_b4(src, src_stride, dst, cols);
    if (done) {
        leat_b4_transpose_ref(src + done * 4, src_stride, dst + done * dst_stride, dst_stride, rows, cols - done);
        return;
    }
    if (cols == 3 && src_stride == 12) {
        done = unweave3_b4(src, dst, dst_stride, rows);
        leat_b4_transpose_ref(src + done * 12, src_stride, dst + done * 4, dst_stride, rows - done, cols);
        return;
    }
    walk(src, src_stride, dst, dst_stride, rows, cols, 4, 8, tile_b4, small_b4);
}
void leat_b8_transpose_avx2(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows,
                            int64_t cols) {
    walk(src, src_stride, dst, dst_stride, rows, cols, 8, 4, tile_b8, leat_b8_transpose_ref);
}
