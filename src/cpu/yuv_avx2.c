/* yuv_avx2.c - RGB and YUV rows, 16 or 32 pixels at a time; what is left over goes through the reference, which has the same bits.
 *
 * from_rgb spreads four pixels a 128-bit lane into 32-bit elements of two 16-bit words, (c0, c1) and (c2, 0), so that one multiply-add
 * each makes their part of the product, and the same words summed over 2x2 pixels serve for chroma.  to_rgb works in 16-bit words with
 * rounding products; chroma's share is computed once for two pixels.
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

typedef struct rgb_words {
    __m256i red, green, blue; /* 16 words each */
} rgb_words;

/* 16 chroma bytes as centred words, times 256. */
static inline __m256i load_chroma(const uint8_t *c) {
    __m256i words = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)c));
    return _mm256_slli_epi16(_mm256_sub_epi16(words, _mm256_set1_epi16(128)), 8);
}

/* Luma bytes in the words of y; the chroma terms of the same pixels.  Sums that leave 16 bits saturate above 255, as clamping would. */
static inline rgb_words mix(__m256i y, __m256i red, __m256i green, __m256i blue, const leat_yuv_inverse *k) {
    __m256i centred = _mm256_slli_epi16(_mm256_sub_epi16(y, _mm256_set1_epi16(k->y_offset)), 7);
    __m256i luma = _mm256_add_epi16(_mm256_mulhrs_epi16(centred, _mm256_set1_epi16(k->luma)), _mm256_set1_epi16(32));
    return (rgb_words){_mm256_srai_epi16(_mm256_adds_epi16(luma, red), 6), _mm256_srai_epi16(_mm256_adds_epi16(luma, green), 6),
                       _mm256_srai_epi16(_mm256_adds_epi16(luma, blue), 6)};
}

/* Three vectors of 32 bytes to 96 bytes c0 c1 c2 c0 c1 c2 ...: within each 128-bit lane the three 16-byte parts, then the lanes in order. */
static inline void store_rgb(uint8_t *out, __m256i c0, __m256i c1, __m256i c2) {
    const __m256i a0 = _mm256_setr_epi8(0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5);
    const __m256i a1 = _mm256_setr_epi8(-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1);
    const __m256i a2 = _mm256_setr_epi8(-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1);
    const __m256i b0 = _mm256_setr_epi8(-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1);
    const __m256i b1 = _mm256_setr_epi8(5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10);
    const __m256i b2 = _mm256_setr_epi8(-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, -1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1);
    const __m256i d0 = _mm256_setr_epi8(-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1);
    const __m256i d1 = _mm256_setr_epi8(-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1);
    const __m256i d2 = _mm256_setr_epi8(10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, 10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15);
    __m256i first = _mm256_or_si256(_mm256_or_si256(_mm256_shuffle_epi8(c0, a0), _mm256_shuffle_epi8(c1, a1)), _mm256_shuffle_epi8(c2, a2));
    __m256i second = _mm256_or_si256(_mm256_or_si256(_mm256_shuffle_epi8(c0, b0), _mm256_shuffle_epi8(c1, b1)), _mm256_shuffle_epi8(c2, b2));
    __m256i third = _mm256_or_si256(_mm256_or_si256(_mm256_shuffle_epi8(c0, d0), _mm256_shuffle_epi8(c1, d1)), _mm256_shuffle_epi8(c2, d2));
    _mm256_storeu_si256((__m256i *)out, _mm256_permute2x128_si256(first, second, 0x20));
    _mm256_storeu_si256((__m256i *)(out + 32), _mm256_blend_epi32(third, first, 0xf0));
    _mm256_storeu_si256((__m256i *)(out + 64), _mm256_permute2x128_si256(second, third, 0x31));
}

static inline void store_rgba(uint8_t *out, __m256i c0, __m256i c1, __m256i c2) {
    const __m256i alpha = _mm256_set1_epi8(-1);
    __m256i low01 = _mm256_unpacklo_epi8(c0, c1), high01 = _mm256_unpackhi_epi8(c0, c1);
    __m256i low2a = _mm256_unpacklo_epi8(c2, alpha), high2a = _mm256_unpackhi_epi8(c2, alpha);
    __m256i p0 = _mm256_unpacklo_epi16(low01, low2a), p4 = _mm256_unpackhi_epi16(low01, low2a); /* pixels 0..3 | 16..19, 4..7 | 20..23 */
    __m256i p8 = _mm256_unpacklo_epi16(high01, high2a), p12 = _mm256_unpackhi_epi16(high01, high2a);
    _mm256_storeu_si256((__m256i *)out, _mm256_permute2x128_si256(p0, p4, 0x20));
    _mm256_storeu_si256((__m256i *)(out + 32), _mm256_permute2x128_si256(p8, p12, 0x20));
    _mm256_storeu_si256((__m256i *)(out + 64), _mm256_permute2x128_si256(p0, p4, 0x31));
    _mm256_storeu_si256((__m256i *)(out + 96), _mm256_permute2x128_si256(p8, p12, 0x31));
}

/* 32 pixels a step.  Words stand in the order of unpacking, pixels 0..7 | 16..23 and 8..15 | 24..31, which packing undoes. */
void leat_u8_yuv_to_rgb_avx2(const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *rgb, int step, int n, const leat_yuv_inverse *k) {
    const __m256i zero = _mm256_setzero_si256(), v0 = _mm256_set1_epi16(k->v0), u1 = _mm256_set1_epi16(k->u1), v1 = _mm256_set1_epi16(k->v1),
                  u2 = _mm256_set1_epi16(k->u2);
    int x = 0;
    for (; x + 32 <= n; x += 32) {
        __m256i yy = _mm256_loadu_si256((const __m256i *)(y + x)), uu = load_chroma(u + x / 2), vv = load_chroma(v + x / 2);
        __m256i red = _mm256_mulhrs_epi16(vv, v0), blue = _mm256_mulhrs_epi16(uu, u2);
        __m256i green = _mm256_add_epi16(_mm256_mulhrs_epi16(uu, u1), _mm256_mulhrs_epi16(vv, v1));
        rgb_words a = mix(_mm256_unpacklo_epi8(yy, zero), _mm256_unpacklo_epi16(red, red), _mm256_unpacklo_epi16(green, green), _mm256_unpacklo_epi16(blue, blue), k);
        rgb_words b = mix(_mm256_unpackhi_epi8(yy, zero), _mm256_unpackhi_epi16(red, red), _mm256_unpackhi_epi16(green, green), _mm256_unpackhi_epi16(blue, blue), k);
        __m256i r = _mm256_packus_epi16(a.red, b.red), g = _mm256_packus_epi16(a.green, b.green), bl = _mm256_packus_epi16(a.blue, b.blue);
        __m256i c0 = k->blue_first ? bl : r, c2 = k->blue_first ? r : bl;
        if (step == 3) store_rgb(rgb + (int64_t)x * 3, c0, g, c2);
        else store_rgba(rgb + (int64_t)x * 4, c0, g, c2);
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
