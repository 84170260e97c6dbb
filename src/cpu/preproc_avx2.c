/* preproc_avx2.c - image preprocessing kernels, 8 values at a time; same bits as the reference (no fused multiply-add). */
#include "cpu/preproc.h"

#include <immintrin.h>

static inline __m256 load_bytes(const uint8_t *at) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)at))); }

/* ---- bilinear samples ---------------------------------------------------------------------------------------------------- */

typedef struct sampler {
    __m256i spread; /* byte order[j] to the 32 bits j */
    __m256  upper, lower;
} sampler;

static sampler sampler_of(const leat_bilinear *job) {
    uint32_t control[8];
    for (int j = 0; j < 8; j++) control[j] = 0x80808000u | (job->order[j] < 8 ? job->order[j] : 0x80u);
    return (sampler){_mm256_loadu_si256((const __m256i *)control), _mm256_set1_ps(job->down[0]), _mm256_set1_ps(job->down[1])};
}

static inline __m256 eight(const sampler *s, const uint8_t *at) {
    __m256i both = _mm256_broadcastq_epi64(_mm_loadl_epi64((const __m128i *)at));
    return _mm256_cvtepi32_ps(_mm256_shuffle_epi8(both, s->spread));
}

static inline __m256 products(const sampler *s, const leat_bilinear *job, int x) {
    __m256 upper = _mm256_mul_ps(eight(s, job->upper + job->at[x]), s->upper);
    __m256 lower = _mm256_mul_ps(eight(s, job->lower + job->at[x]), s->lower);
    return _mm256_mul_ps(_mm256_add_ps(upper, lower), _mm256_loadu_ps(job->across + 8 * (int64_t)x));
}

/* The four sums of pixel x in the low half, of pixel x + 4 in the high one. */
static inline __m256 sums(const sampler *s, const leat_bilinear *job, int x) {
    __m256 a = products(s, job, x), b = products(s, job, x + 4);
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

void leat_u8_bilinear_avx2(const leat_bilinear *job, float *const out[3]) {
    sampler s = sampler_of(job);
    int     x = 0, end = job->safe < job->n ? job->safe : job->n;
    for (; x + 8 <= end; x += 8) { /* four sums of eight pixels, transposed */
        __m256 a = sums(&s, job, x), b = sums(&s, job, x + 1), c = sums(&s, job, x + 2), d = sums(&s, job, x + 3);
        __m256 ab = _mm256_unpacklo_ps(a, b), cd = _mm256_unpacklo_ps(c, d);
        __m256 ef = _mm256_unpackhi_ps(a, b), gh = _mm256_unpackhi_ps(c, d);
        __m256 s0 = _mm256_shuffle_ps(ab, cd, 0x44), s3 = _mm256_shuffle_ps(ef, gh, 0xee);
        _mm256_storeu_ps(out[0] + x, _mm256_add_ps(s0, s3));
        _mm256_storeu_ps(out[1] + x, _mm256_shuffle_ps(ab, cd, 0xee));
        _mm256_storeu_ps(out[2] + x, _mm256_shuffle_ps(ef, gh, 0x44));
    }
    leat__bilinear_from(job, x, out);
}

/* ---- weighted sums --------------------------------------------------------------------------------------------------- */

static inline __m256 weighed(const uint8_t *at, __m256 weight) { return _mm256_mul_ps(weight, load_bytes(at)); }

/* 32 sums of k rows; four accumulators hide the latency of the additions. */
static inline void sum_rows(const uint8_t *rows, int64_t stride, const float *w, int k, float *out) {
    __m256 weight = _mm256_set1_ps(w[0]);
    __m256 a = weighed(rows, weight), b = weighed(rows + 8, weight), c = weighed(rows + 16, weight), d = weighed(rows + 24, weight);
    for (int r = 1; r < k; r++) {
        const uint8_t *row = rows + r * stride;
        weight = _mm256_set1_ps(w[r]);
        a = _mm256_add_ps(a, weighed(row, weight));
        b = _mm256_add_ps(b, weighed(row + 8, weight));
        c = _mm256_add_ps(c, weighed(row + 16, weight));
        d = _mm256_add_ps(d, weighed(row + 24, weight));
    }
    _mm256_storeu_ps(out, a);
    _mm256_storeu_ps(out + 8, b);
    _mm256_storeu_ps(out + 16, c);
    _mm256_storeu_ps(out + 24, d);
}

void leat_u8_rows_avx2(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n) {
    int i = 0;
    if (k == 2) /* the usual case, unrolled */
        for (; i + 32 <= n; i += 32) sum_rows(rows + i, stride, w, 2, out + i);
    for (; i + 32 <= n; i += 32) sum_rows(rows + i, stride, w, k, out + i);
    for (; i + 8 <= n; i += 8) {
        __m256 sum = _mm256_mul_ps(_mm256_set1_ps(w[0]), load_bytes(rows + i));
        for (int r = 1; r < k; r++) sum = _mm256_add_ps(sum, _mm256_mul_ps(_mm256_set1_ps(w[r]), load_bytes(rows + r * stride + i)));
        _mm256_storeu_ps(out + i, sum);
    }
    leat_u8_rows_ref(rows + i, stride, w, k, out + i, n - i);
}

void leat_f32_columns_avx2(const float *cells, int cell, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n) {
    if (cell == 1) {
        leat_f32_columns_ref(cells, cell, first, taps, w, out, n);
        return;
    }
    for (int x = 0; x < n; w += taps[x], x++) {
        const float *at = cells + cell * (int64_t)first[x];
        __m128 sum = _mm_setzero_ps(); /* the first three floats of each cell (or the next one's), and what is dropped */
        for (int t = 0; t < taps[x]; t++) sum = _mm_add_ps(sum, _mm_mul_ps(_mm_set1_ps(w[t]), _mm_loadu_ps(at + cell * t)));
        out[0][x] = _mm_cvtss_f32(sum);
        out[1][x] = _mm_cvtss_f32(_mm_shuffle_ps(sum, sum, 1));
        if (cell > 2) out[2][x] = _mm_cvtss_f32(_mm_shuffle_ps(sum, sum, 2));
    }
}

/* The pairs of floats at a and b, one in each half's low part; those of c and d in the high one. */
static inline __m256 four_pairs(const float *a, const float *b, const float *c, const float *d) {
    __m128 low = _mm_loadh_pi(_mm_castpd_ps(_mm_load_sd((const double *)(const void *)a)), (const __m64 *)(const void *)b);
    __m128 high = _mm_loadh_pi(_mm_castpd_ps(_mm_load_sd((const double *)(const void *)c)), (const __m64 *)(const void *)d);
    return _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
}

/* first[k], [k + 1], [k + 4], [k + 5]: so that a shuffle of two such gives eight in order. */
static inline __m256 gather_pairs(const float *cells, int cell, const int32_t *k) {
    return four_pairs(cells + cell * (int64_t)k[0], cells + cell * (int64_t)k[1], cells + cell * (int64_t)k[4], cells + cell * (int64_t)k[5]);
}

static inline __m256 pair_weights(const float *w) { return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(w)), _mm_loadu_ps(w + 8), 1); }

static void pairs_of_one(const float *cells, const int32_t *first, const float *w, float *out, int n) {
    for (int x = 0; x < n; x += 8) {
        __m256 a = _mm256_mul_ps(gather_pairs(cells, 1, first + x), pair_weights(w + 2 * x));
        __m256 b = _mm256_mul_ps(gather_pairs(cells, 1, first + x + 2), pair_weights(w + 2 * x + 4));
        _mm256_storeu_ps(out + x, _mm256_add_ps(_mm256_shuffle_ps(a, b, 0x88), _mm256_shuffle_ps(a, b, 0xdd)));
    }
}

/* Two components of pixels x, x + 1, x + 4, x + 5. */
static inline __m256 mixed_pairs(const float *cells, const int32_t *first, const float *w) {
    __m256 weights = pair_weights(w);
    __m256 left = _mm256_mul_ps(gather_pairs(cells, 2, first), _mm256_moveldup_ps(weights));
    return _mm256_add_ps(left, _mm256_mul_ps(gather_pairs(cells + 2, 2, first), _mm256_movehdup_ps(weights)));
}

static void pairs_of_two(const float *cells, const int32_t *first, const float *w, float *const out[2], int n) {
    for (int x = 0; x < n; x += 8) {
        __m256 a = mixed_pairs(cells, first + x, w + 2 * x), b = mixed_pairs(cells, first + x + 2, w + 2 * x + 4);
        _mm256_storeu_ps(out[0] + x, _mm256_shuffle_ps(a, b, 0x88));
        _mm256_storeu_ps(out[1] + x, _mm256_shuffle_ps(a, b, 0xdd));
    }
}

void leat_f32_pairs_avx2(const float *cells, int cell, const int32_t *first, const float *w, float *const out[2], int n) {
    int eights = n & ~7;
    if (cell == 1) pairs_of_one(cells, first, w, out[0], eights);
    else pairs_of_two(cells, first, w, out, eights);
    float *const rest[2] = {out[0] + eights, cell == 2 ? out[1] + eights : NULL};
    leat_f32_pairs_ref(cells, cell, first + eights, w + 2 * (int64_t)eights, rest, n - eights);
}

/* ---- colours and types --------------------------------------------------------------------------------------------------- */

/* max(v, 0) with v first gives 0 for NaN, as the reference does */
static inline __m256 clamp(__m256 v) { return _mm256_min_ps(_mm256_max_ps(v, _mm256_setzero_ps()), _mm256_set1_ps(255.0f)); }
static inline __m256 times(float k, __m256 v) { return _mm256_mul_ps(_mm256_set1_ps(k), v); }

static inline void put_color(const leat_color *k, int c, __m256 v, float *out) {
    v = clamp(_mm256_add_ps(v, _mm256_set1_ps(k->offset[c])));
    _mm256_storeu_ps(out, _mm256_add_ps(times(k->mul[c], v), _mm256_set1_ps(k->add[c])));
}

void leat_f32_color_avx2(const leat_color *color, float *const yuv[3], float *const out[3], int n) {
    leat_color k = *color; /* a copy, which the stores cannot change */
    int x = 0;
    for (; x + 8 <= n; x += 8) {
        __m256 y = times(k.y, _mm256_loadu_ps(yuv[0] + x)), u = _mm256_loadu_ps(yuv[1] + x), v = _mm256_loadu_ps(yuv[2] + x);
        put_color(&k, 0, _mm256_add_ps(y, times(k.rv, v)), out[0] + x);
        put_color(&k, 1, _mm256_add_ps(_mm256_add_ps(y, times(k.gu, u)), times(k.gv, v)), out[1] + x);
        put_color(&k, 2, _mm256_add_ps(y, times(k.bu, u)), out[2] + x);
    }
    float *const in_rest[3] = {yuv[0] + x, yuv[1] + x, yuv[2] + x}, *const out_rest[3] = {out[0] + x, out[1] + x, out[2] + x};
    leat_f32_color_ref(&k, in_rest, out_rest, n - x);
}

void leat_f32_affine_avx2(const float *in, float mul, float add, float *out, int n) {
    int x = 0;
    for (; x + 8 <= n; x += 8) _mm256_storeu_ps(out + x, _mm256_add_ps(times(mul, _mm256_loadu_ps(in + x)), _mm256_set1_ps(add)));
    leat_f32_affine_ref(in + x, mul, add, out + x, n - x);
}

void leat_f32_to_f16_avx2(const float *in, uint16_t *out, int n) {
    int x = 0;
    for (; x + 8 <= n; x += 8) {
        __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(in + x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128((__m128i *)(out + x), half);
    }
    leat_f32_to_f16_ref(in + x, out + x, n - x);
}

void leat_f32_to_u8_avx2(const float *in, uint8_t *out, int n) {
    int x = 0;
    for (; x + 8 <= n; x += 8) {
        __m256i words = _mm256_cvtps_epi32(clamp(_mm256_loadu_ps(in + x)));
        __m128i shorts = _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
        _mm_storel_epi64((__m128i *)(out + x), _mm_packus_epi16(shorts, shorts));
    }
    leat_f32_to_u8_ref(in + x, out + x, n - x);
}

void leat_f32_interleave3_avx2(const float *a, const float *b, const float *c, float *out, int n) {
    int x = 0;
    for (; x + 8 <= n; x += 8) {
        __m256 p = _mm256_loadu_ps(a + x), q = _mm256_loadu_ps(b + x), r = _mm256_loadu_ps(c + x);
        p = _mm256_permutevar8x32_ps(p, _mm256_setr_epi32(0, 3, 6, 1, 4, 7, 2, 5)); /* each where it stands in its 8 x 3 columns */
        q = _mm256_permutevar8x32_ps(q, _mm256_setr_epi32(5, 0, 3, 6, 1, 4, 7, 2));
        r = _mm256_permutevar8x32_ps(r, _mm256_setr_epi32(2, 5, 0, 3, 6, 1, 4, 7));
        _mm256_storeu_ps(out + 3 * x, _mm256_blend_ps(_mm256_blend_ps(p, q, 0x92), r, 0x24));
        _mm256_storeu_ps(out + 3 * x + 8, _mm256_blend_ps(_mm256_blend_ps(p, q, 0x24), r, 0x49));
        _mm256_storeu_ps(out + 3 * x + 16, _mm256_blend_ps(_mm256_blend_ps(p, q, 0x49), r, 0x92));
    }
    leat_f32_interleave3_ref(a + x, b + x, c + x, out + 3 * x, n - x);
}
