/* preproc_avx2.c - image preprocessing kernels, 8 values at a time; same bits as the reference (no fused multiply-add). */
#include "cpu/preproc.h"

#include <immintrin.h>
#include <string.h>

static inline __m256 load_bytes(const uint8_t *at) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)at))); }

/* ---- bilinear samples ---------------------------------------------------------------------------------------------------- */

/* The eight bytes of output pixel x, the same in both halves. */
static inline __m256i eight_bytes(const leat_bilinear *job, leat_sampling sampling, const uint8_t *const row[3], int x) {
    const uint8_t *first = row[0] + job->at[0][x];
    uint16_t luma, u, v;
    uint32_t pairs;
    if (sampling == LEAT_SAMPLE_PACKED) return _mm256_broadcastq_epi64(_mm_loadl_epi64((const __m128i *)first));
    memcpy(&luma, first, 2);
    if (sampling == LEAT_SAMPLE_SEMI) memcpy(&pairs, row[1] + job->at[1][x], 4);
    else {
        memcpy(&u, row[1] + job->at[1][x], 2);
        memcpy(&v, row[2] + job->at[1][x], 2);
        pairs = u | (uint32_t)v << 16;
    }
    return _mm256_set1_epi64x((int64_t)((uint64_t)pairs << 32 | luma));
}

typedef struct sampler {
    __m256i spread; /* byte order[j] to the 32 bits j */
    __m256  upper, lower;
} sampler;

static sampler sampler_of(const leat_bilinear *job) {
    sampler  s;
    uint32_t control[8];
    for (int j = 0; j < 8; j++) control[j] = 0x80808000u | (job->order[j] < 8 ? job->order[j] : 0x80u);
    s.spread = _mm256_loadu_si256((const __m256i *)control);
    s.upper = _mm256_broadcast_ps((const __m128 *)job->down[0]);
    s.lower = _mm256_broadcast_ps((const __m128 *)job->down[1]);
    return s;
}

static inline __m256 products(const sampler *s, const leat_bilinear *job, leat_sampling sampling, int x) {
    __m256 upper = _mm256_cvtepi32_ps(_mm256_shuffle_epi8(eight_bytes(job, sampling, job->upper, x), s->spread));
    __m256 lower = _mm256_cvtepi32_ps(_mm256_shuffle_epi8(eight_bytes(job, sampling, job->lower, x), s->spread));
    __m256 mixed = _mm256_add_ps(_mm256_mul_ps(upper, s->upper), _mm256_mul_ps(lower, s->lower));
    return _mm256_mul_ps(mixed, _mm256_loadu_ps(job->across + 8 * (int64_t)x));
}

/* The four sums of pixel x in the low half, of pixel x + 4 in the high one. */
static inline __m256 sums(const sampler *s, const leat_bilinear *job, leat_sampling sampling, int x) {
    __m256 a = products(s, job, sampling, x), b = products(s, job, sampling, x + 4);
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

static inline void bilinear(const leat_bilinear *job, leat_sampling sampling, float *const out[3]) {
    sampler s = sampler_of(job);
    int     x = 0, end = job->safe < job->n ? job->safe : job->n;
    for (; x + 8 <= end; x += 8) { /* four sums of eight pixels, transposed */
        __m256 a = sums(&s, job, sampling, x), b = sums(&s, job, sampling, x + 1);
        __m256 c = sums(&s, job, sampling, x + 2), d = sums(&s, job, sampling, x + 3);
        __m256 ab = _mm256_unpacklo_ps(a, b), cd = _mm256_unpacklo_ps(c, d);
        __m256 ef = _mm256_unpackhi_ps(a, b), gh = _mm256_unpackhi_ps(c, d);
        __m256 s0 = _mm256_shuffle_ps(ab, cd, 0x44), s3 = _mm256_shuffle_ps(ef, gh, 0xee);
        _mm256_storeu_ps(out[0] + x, _mm256_add_ps(s0, s3));
        _mm256_storeu_ps(out[1] + x, _mm256_shuffle_ps(ab, cd, 0xee));
        _mm256_storeu_ps(out[2] + x, _mm256_shuffle_ps(ef, gh, 0x44));
    }
    leat__bilinear_from(job, sampling, x, out);
}

void leat_u8_bilinear_packed_avx2(const leat_bilinear *job, float *const out[3]) { bilinear(job, LEAT_SAMPLE_PACKED, out); }
void leat_u8_bilinear_semi_avx2(const leat_bilinear *job, float *const out[3]) { bilinear(job, LEAT_SAMPLE_SEMI, out); }
void leat_u8_bilinear_planar_avx2(const leat_bilinear *job, float *const out[3]) { bilinear(job, LEAT_SAMPLE_PLANAR, out); }

/* ---- averages ------------------------------------------------------------------------------------------------------------ */

void leat_u8_rows_avx2(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n) {
    int i = 0;
    for (; i + 32 <= n; i += 32) { /* four accumulators hide the latency of the sum */
        __m256 weight = _mm256_set1_ps(w[0]), sum[4];
        for (int j = 0; j < 4; j++) sum[j] = _mm256_mul_ps(weight, load_bytes(rows + i + 8 * j));
        for (int r = 1; r < k; r++) {
            weight = _mm256_set1_ps(w[r]);
            for (int j = 0; j < 4; j++)
                sum[j] = _mm256_add_ps(sum[j], _mm256_mul_ps(weight, load_bytes(rows + r * stride + i + 8 * j)));
        }
        for (int j = 0; j < 4; j++) _mm256_storeu_ps(out + i + 8 * j, sum[j]);
    }
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
