/* yuv_avx2.c - RGB and YUV rows, 16 pixels at a time; what is left over goes through the reference, which has the same bits.
 *
 * from_rgb spreads four pixels a 128-bit lane into 32-bit elements of two 16-bit words, (c0, c1) and (c2, 0), so that one multiply-add
 * each makes their part of the product, and the same words summed over 2x2 pixels serve for chroma.  to_rgb pairs (Y, V) and (Y, U).
 */
#include <immintrin.h>

#include "cpu/yuv.h"

static __m256i pair_of(int16_t low, int16_t high) { return _mm256_set1_epi32((int)((uint32_t)(uint16_t)low | (uint32_t)(uint16_t)high << 16)); }

/* ---- RGB to YUV ----------------------------------------------------------------------------------------------------------- */

typedef struct spread {
    __m256i c01, c2; /* of a pixel: words c0 c1, words c2 0 */
} spread;

static inline __m256i mask_c01(int step) {
    return step == 3 ? _mm256_setr_epi8(0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1, 0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1)
                     : _mm256_setr_epi8(0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1, 0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1);
}

static inline __m256i mask_c2(int step) {
    return step == 3 ? _mm256_setr_epi8(2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1, 2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1)
                     : _mm256_setr_epi8(2, -1, -1, -1, 6, -1, -1, -1, 10, -1, -1, -1, 14, -1, -1, -1, 2, -1, -1, -1, 6, -1, -1, -1, 10, -1, -1, -1, 14, -1, -1, -1);
}

/* Eight pixels from p on; reads 4 * step + 16 bytes. */
static inline spread load_pixels(const uint8_t *p, int step, __m256i m01, __m256i m2) {
    __m256i raw = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)p)),
                                          _mm_loadu_si128((const __m128i *)(p + 4 * step)), 1);
    return (spread){_mm256_shuffle_epi8(raw, m01), _mm256_shuffle_epi8(raw, m2)};
}

static inline __m256i luma8(spread p, __m256i k01, __m256i k2, __m256i bias) {
    __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(p.c01, k01), _mm256_madd_epi16(p.c2, k2));
    return _mm256_srai_epi32(_mm256_add_epi32(sum, bias), 15);
}

/* 16 values of 32 bits, pixels 0..7 in a and 8..15 in b, to bytes. */
static inline void store_luma(uint8_t *y, __m256i a, __m256i b) {
    __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
    __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(words, words), 0x08);
    _mm_storeu_si128((__m128i *)y, _mm256_castsi256_si128(bytes));
}

static inline __m256i pair_sum(__m256i a, __m256i b) { /* neighbours' sums, in the order 0 1 4 5 | 2 3 6 7 */
    __m256 fa = _mm256_castsi256_ps(a), fb = _mm256_castsi256_ps(b);
    return _mm256_add_epi16(_mm256_castps_si256(_mm256_shuffle_ps(fa, fb, 0x88)), _mm256_castps_si256(_mm256_shuffle_ps(fa, fb, 0xdd)));
}

static inline __m256i chroma8(__m256i c01, __m256i c2, const int16_t *k, __m256i bias) {
    __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(c01, pair_of(k[0], k[1])), _mm256_madd_epi16(c2, pair_of(k[2], 0)));
    return _mm256_srai_epi32(_mm256_add_epi32(sum, bias), 17);
}

static inline void store_chroma(uint8_t *u, uint8_t *v, __m256i us, __m256i vs) {
    __m256i words = _mm256_packs_epi32(us, vs), bytes = _mm256_packus_epi16(words, words);
    __m128i both = _mm_unpacklo_epi16(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
    _mm_storel_epi64((__m128i *)u, both);
    _mm_storel_epi64((__m128i *)v, _mm_unpackhi_epi64(both, both));
}

static inline int from_rgb_blocks(const uint8_t *rgb0, const uint8_t *rgb1, const int step, uint8_t *y0, uint8_t *y1, uint8_t *u,
                                  uint8_t *v, int n, const leat_yuv_forward *k) {
    const __m256i m01 = mask_c01(step), m2 = mask_c2(step), k01 = pair_of(k->y[0], k->y[1]), k2 = pair_of(k->y[2], 0);
    const __m256i y_bias = _mm256_set1_epi32(k->y_bias), c_bias = _mm256_set1_epi32(k->c_bias);
    int x = 0, last = n - (step == 3 ? 18 : 16); /* the last load of a block reads 4 bytes past its 16 pixels when step is 3 */
    for (; x <= last; x += 16) {
        const uint8_t *p = rgb0 + (int64_t)x * step, *q = rgb1 + (int64_t)x * step;
        spread a = load_pixels(p, step, m01, m2), b = load_pixels(p + 8 * step, step, m01, m2);
        spread c = load_pixels(q, step, m01, m2), d = load_pixels(q + 8 * step, step, m01, m2);
        store_luma(y0 + x, luma8(a, k01, k2, y_bias), luma8(b, k01, k2, y_bias));
        store_luma(y1 + x, luma8(c, k01, k2, y_bias), luma8(d, k01, k2, y_bias));
        __m256i c01 = pair_sum(_mm256_add_epi16(a.c01, c.c01), _mm256_add_epi16(b.c01, d.c01));
        __m256i c2 = pair_sum(_mm256_add_epi16(a.c2, c.c2), _mm256_add_epi16(b.c2, d.c2));
        store_chroma(u + x / 2, v + x / 2, chroma8(c01, c2, k->u, c_bias), chroma8(c01, c2, k->v, c_bias));
    }
    return x;
}

void leat_u8_yuv_from_rgb_avx2(const uint8_t *rgb0, const uint8_t *rgb1, int step, uint8_t *y0, uint8_t *y1, uint8_t *u, uint8_t *v, int n,
                               const leat_yuv_forward *k) {
    int x = step == 3 ? from_rgb_blocks(rgb0, rgb1, 3, y0, y1, u, v, n, k) : from_rgb_blocks(rgb0, rgb1, 4, y0, y1, u, v, n, k);
    int64_t at = (int64_t)x * step;
    leat_u8_yuv_from_rgb_ref(rgb0 + at, rgb1 + at, step, y0 + x, y1 + x, u + x / 2, v + x / 2, n - x, k);
}

/* ---- YUV to RGB ----------------------------------------------------------------------------------------------------------- */

/* Eight chroma bytes as 16 centred words, each twice. */
static inline __m256i load_chroma(const uint8_t *c) {
    __m128i words = _mm_sub_epi16(_mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)c)), _mm_set1_epi16(128));
    __m256i wide = _mm256_cvtepu16_epi32(words);
    return _mm256_or_si256(wide, _mm256_slli_epi32(wide, 16));
}

/* (a, b) . (ka, kb) + rest, to 16 words in order. */
static inline __m256i channel(__m256i a, __m256i b, __m256i k, __m256i rest_low, __m256i rest_high) {
    __m256i low = _mm256_add_epi32(_mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), k), rest_low);
    __m256i high = _mm256_add_epi32(_mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), k), rest_high);
    return _mm256_packs_epi32(_mm256_srai_epi32(low, 13), _mm256_srai_epi32(high, 13));
}

/* c0, c1, c2: 16 words each; 48 bytes out. */
static inline void store_rgb(uint8_t *out, __m256i c0, __m256i c1, __m256i c2) {
    const __m256i f01 = _mm256_setr_epi8(0, 8, -1, 1, 9, -1, 2, 10, -1, 3, 11, -1, 4, 12, -1, 5, 0, 8, -1, 1, 9, -1, 2, 10, -1, 3, 11, -1, 4, 12, -1, 5);
    const __m256i f2 = _mm256_setr_epi8(-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1);
    const __m256i g01 = _mm256_setr_epi8(13, -1, 6, 14, -1, 7, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, 13, -1, 6, 14, -1, 7, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    const __m256i g2 = _mm256_setr_epi8(-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, -1, -1, -1, -1, -1, -1, -1, 5, -1, -1, 6, -1, -1, 7, -1, -1, -1, -1, -1, -1, -1, -1);
    __m256i b01 = _mm256_packus_epi16(c0, c1), b2 = _mm256_packus_epi16(c2, c2);
    __m256i first = _mm256_or_si256(_mm256_shuffle_epi8(b01, f01), _mm256_shuffle_epi8(b2, f2));
    __m256i rest = _mm256_or_si256(_mm256_shuffle_epi8(b01, g01), _mm256_shuffle_epi8(b2, g2));
    _mm_storeu_si128((__m128i *)out, _mm256_castsi256_si128(first));
    _mm_storel_epi64((__m128i *)(out + 16), _mm256_castsi256_si128(rest));
    _mm_storeu_si128((__m128i *)(out + 24), _mm256_extracti128_si256(first, 1));
    _mm_storel_epi64((__m128i *)(out + 40), _mm256_extracti128_si256(rest, 1));
}

static inline void store_rgba(uint8_t *out, __m256i c0, __m256i c1, __m256i c2) {
    __m256i b01 = _mm256_packus_epi16(c0, c1), b2a = _mm256_packus_epi16(c2, _mm256_set1_epi16(255));
    __m256i p01 = _mm256_unpacklo_epi8(b01, _mm256_srli_si256(b01, 8)), p2a = _mm256_unpacklo_epi8(b2a, _mm256_srli_si256(b2a, 8));
    __m256i low = _mm256_unpacklo_epi16(p01, p2a), high = _mm256_unpackhi_epi16(p01, p2a);
    _mm256_storeu_si256((__m256i *)out, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256((__m256i *)(out + 32), _mm256_permute2x128_si256(low, high, 0x31));
}

void leat_u8_yuv_to_rgb_avx2(const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *rgb, int step, int n, const leat_yuv_inverse *k) {
    const __m256i k0 = pair_of(k->luma, k->v0), k1 = pair_of(k->luma, k->u1), k2 = pair_of(k->luma, k->u2), half = _mm256_set1_epi32(4096);
    const __m256i k1_rest = pair_of(k->v1, 4096), one = _mm256_set1_epi16(1), offset = _mm256_set1_epi16(k->y_offset);
    int x = 0;
    for (; x + 16 <= n; x += 16) {
        __m256i yy = _mm256_sub_epi16(_mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(y + x))), offset);
        __m256i uu = load_chroma(u + x / 2), vv = load_chroma(v + x / 2);
        __m256i green_low = _mm256_madd_epi16(_mm256_unpacklo_epi16(vv, one), k1_rest);
        __m256i green_high = _mm256_madd_epi16(_mm256_unpackhi_epi16(vv, one), k1_rest);
        __m256i red = channel(yy, vv, k0, half, half), green = channel(yy, uu, k1, green_low, green_high), blue = channel(yy, uu, k2, half, half);
        __m256i c0 = k->blue_first ? blue : red, c2 = k->blue_first ? red : blue;
        if (step == 3) store_rgb(rgb + (int64_t)x * 3, c0, green, c2);
        else store_rgba(rgb + (int64_t)x * 4, c0, green, c2);
    }
    leat_u8_yuv_to_rgb_ref(y + x, u + x / 2, v + x / 2, rgb + (int64_t)x * step, step, n - x, k);
}

/* ---- memory orders -------------------------------------------------------------------------------------------------------- */

void leat_u8_split_avx2(const uint8_t *pairs, uint8_t *even, uint8_t *odd, int n) {
    const __m256i low = _mm256_set1_epi16(255);
    int i = 0;
    for (; i + 32 <= n; i += 32) {
        __m256i a = _mm256_loadu_si256((const __m256i *)(pairs + 2 * (int64_t)i)), b = _mm256_loadu_si256((const __m256i *)(pairs + 2 * (int64_t)i + 32));
        __m256i e = _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
        __m256i o = _mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));
        _mm256_storeu_si256((__m256i *)(even + i), _mm256_permute4x64_epi64(e, 0xd8));
        _mm256_storeu_si256((__m256i *)(odd + i), _mm256_permute4x64_epi64(o, 0xd8));
    }
    leat_u8_split_ref(pairs + 2 * (int64_t)i, even + i, odd + i, n - i);
}

void leat_u8_join_avx2(const uint8_t *even, const uint8_t *odd, uint8_t *pairs, int n) {
    int i = 0;
    for (; i + 32 <= n; i += 32) {
        __m256i e = _mm256_loadu_si256((const __m256i *)(even + i)), o = _mm256_loadu_si256((const __m256i *)(odd + i));
        __m256i low = _mm256_unpacklo_epi8(e, o), high = _mm256_unpackhi_epi8(e, o);
        _mm256_storeu_si256((__m256i *)(pairs + 2 * (int64_t)i), _mm256_permute2x128_si256(low, high, 0x20));
        _mm256_storeu_si256((__m256i *)(pairs + 2 * (int64_t)i + 32), _mm256_permute2x128_si256(low, high, 0x31));
    }
    leat_u8_join_ref(even + i, odd + i, pairs + 2 * (int64_t)i, n - i);
}

void leat_u8_average_avx2(const uint8_t *a, const uint8_t *b, uint8_t *out, int n) {
    int i = 0;
    for (; i + 32 <= n; i += 32)
        _mm256_storeu_si256((__m256i *)(out + i), _mm256_avg_epu8(_mm256_loadu_si256((const __m256i *)(a + i)), _mm256_loadu_si256((const __m256i *)(b + i))));
    leat_u8_average_ref(a + i, b + i, out + i, n - i);
}

/* Four pixels a step through one shuffle.  With 3 bytes a pixel, loads and stores reach 4 bytes into the next pixels: two pixels more
 * must follow. */
void leat_u8_reorder_avx2(const uint8_t *in, int from, uint8_t *out, int to, int swap, int n) {
    uint8_t table[16], alpha[16] = {0};
    for (int i = 0; i < 16; i++) {
        int pixel = i / to, c = i % to;
        table[i] = pixel > 3 || c == 3 ? 0x80 : (uint8_t)(pixel * from + (swap ? 2 - c : c));
        if (c == 3) alpha[i] = 255;
    }
    const __m128i order = _mm_loadu_si128((const __m128i *)table), fill = _mm_loadu_si128((const __m128i *)alpha);
    int i = 0;
    for (; i + 6 <= n; i += 4) {
        __m128i p = _mm_loadu_si128((const __m128i *)(in + (int64_t)i * from));
        _mm_storeu_si128((__m128i *)(out + (int64_t)i * to), _mm_or_si128(_mm_shuffle_epi8(p, order), fill));
    }
    leat_u8_reorder_ref(in + (int64_t)i * from, from, out + (int64_t)i * to, to, swap, n - i);
}
