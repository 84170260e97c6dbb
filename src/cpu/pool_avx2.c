/* pool_avx2.c - pooling reductions with 256-bit vectors. */
#include "cpu/pool.h"

#include <immintrin.h>
#include <math.h>

static __m256i tail_mask(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static void max_f32_avx2(float *out, const float *const *in, int n, int64_t c, int first) {
    int64_t j = 0;
    for (; j + 32 <= c; j += 32) {
        const float *s = first ? in[0] + j : out + j;
        __m256 a = _mm256_loadu_ps(s), b = _mm256_loadu_ps(s + 8), d = _mm256_loadu_ps(s + 16), e = _mm256_loadu_ps(s + 24);
        for (int i = first ? 1 : 0; i < n; i++) {
            const float *p = in[i] + j;
            a = _mm256_max_ps(a, _mm256_loadu_ps(p));
            b = _mm256_max_ps(b, _mm256_loadu_ps(p + 8));
            d = _mm256_max_ps(d, _mm256_loadu_ps(p + 16));
            e = _mm256_max_ps(e, _mm256_loadu_ps(p + 24));
        }
        _mm256_storeu_ps(out + j, a);
        _mm256_storeu_ps(out + j + 8, b);
        _mm256_storeu_ps(out + j + 16, d);
        _mm256_storeu_ps(out + j + 24, e);
    }
    for (; j < c; j += 8) {
        __m256i k = tail_mask(c - j);
        __m256 a = _mm256_maskload_ps(first ? in[0] + j : out + j, k);
        for (int i = first ? 1 : 0; i < n; i++) a = _mm256_max_ps(a, _mm256_maskload_ps(in[i] + j, k));
        _mm256_maskstore_ps(out + j, k, a);
    }
}

static void sum_f32_avx2(float *out, const float *const *in, int n, int64_t c, float scale, int first) {
    __m256 f = _mm256_set1_ps(scale);
    int64_t j = 0;
    for (; j + 32 <= c; j += 32) {
        __m256 a = _mm256_setzero_ps(), b = a, d = a, e = a;
        if (!first) {
            a = _mm256_loadu_ps(out + j);
            b = _mm256_loadu_ps(out + j + 8);
            d = _mm256_loadu_ps(out + j + 16);
            e = _mm256_loadu_ps(out + j + 24);
        }
        for (int i = 0; i < n; i++) {
            const float *p = in[i] + j;
            a = _mm256_add_ps(a, _mm256_loadu_ps(p));
            b = _mm256_add_ps(b, _mm256_loadu_ps(p + 8));
            d = _mm256_add_ps(d, _mm256_loadu_ps(p + 16));
            e = _mm256_add_ps(e, _mm256_loadu_ps(p + 24));
        }
        _mm256_storeu_ps(out + j, _mm256_mul_ps(a, f));
        _mm256_storeu_ps(out + j + 8, _mm256_mul_ps(b, f));
        _mm256_storeu_ps(out + j + 16, _mm256_mul_ps(d, f));
        _mm256_storeu_ps(out + j + 24, _mm256_mul_ps(e, f));
    }
    for (; j < c; j += 8) {
        __m256i k = tail_mask(c - j);
        __m256 a = first ? _mm256_setzero_ps() : _mm256_maskload_ps(out + j, k);
        for (int i = 0; i < n; i++) a = _mm256_add_ps(a, _mm256_maskload_ps(in[i] + j, k));
        _mm256_maskstore_ps(out + j, k, _mm256_mul_ps(a, f));
    }
}

static void max_run_f32_avx2(float *out, const float *const *in, int n, int64_t c, int64_t count, int64_t step) {
    for (int64_t at = 0; at < count * step; at += step, out += c) {
        int64_t j = 0;
        for (; j + 32 <= c; j += 32) {
            const float *p = in[0] + at + j;
            __m256 a = _mm256_loadu_ps(p), b = _mm256_loadu_ps(p + 8), d = _mm256_loadu_ps(p + 16), e = _mm256_loadu_ps(p + 24);
            for (int i = 1; i < n; i++) {
                p = in[i] + at + j;
                a = _mm256_max_ps(a, _mm256_loadu_ps(p));
                b = _mm256_max_ps(b, _mm256_loadu_ps(p + 8));
                d = _mm256_max_ps(d, _mm256_loadu_ps(p + 16));
                e = _mm256_max_ps(e, _mm256_loadu_ps(p + 24));
            }
            _mm256_storeu_ps(out + j, a);
            _mm256_storeu_ps(out + j + 8, b);
            _mm256_storeu_ps(out + j + 16, d);
            _mm256_storeu_ps(out + j + 24, e);
        }
        for (; j < c; j += 8) {
            __m256i k = tail_mask(c - j);
            __m256 a = _mm256_maskload_ps(in[0] + at + j, k);
            for (int i = 1; i < n; i++) a = _mm256_max_ps(a, _mm256_maskload_ps(in[i] + at + j, k));
            _mm256_maskstore_ps(out + j, k, a);
        }
    }
}

static void sum_run_f32_avx2(float *out, const float *const *in, int n, int64_t c, float scale, int64_t count, int64_t step) {
    __m256 f = _mm256_set1_ps(scale);
    for (int64_t at = 0; at < count * step; at += step, out += c) {
        int64_t j = 0;
        for (; j + 32 <= c; j += 32) {
            __m256 a = _mm256_setzero_ps(), b = a, d = a, e = a;
            for (int i = 0; i < n; i++) {
                const float *p = in[i] + at + j;
                a = _mm256_add_ps(a, _mm256_loadu_ps(p));
                b = _mm256_add_ps(b, _mm256_loadu_ps(p + 8));
                d = _mm256_add_ps(d, _mm256_loadu_ps(p + 16));
                e = _mm256_add_ps(e, _mm256_loadu_ps(p + 24));
            }
            _mm256_storeu_ps(out + j, _mm256_mul_ps(a, f));
            _mm256_storeu_ps(out + j + 8, _mm256_mul_ps(b, f));
            _mm256_storeu_ps(out + j + 16, _mm256_mul_ps(d, f));
            _mm256_storeu_ps(out + j + 24, _mm256_mul_ps(e, f));
        }
        for (; j < c; j += 8) {
            __m256i k = tail_mask(c - j);
            __m256 a = _mm256_setzero_ps();
            for (int i = 0; i < n; i++) a = _mm256_add_ps(a, _mm256_maskload_ps(in[i] + at + j, k));
            _mm256_maskstore_ps(out + j, k, _mm256_mul_ps(a, f));
        }
    }
}

static void max_u8_avx2(uint8_t *out, const uint8_t *const *in, int n, int64_t c, int first) {
    int64_t j = 0;
    for (; j + 32 <= c; j += 32) {
        __m256i a = _mm256_loadu_si256((const __m256i *)((first ? in[0] : out) + j));
        for (int i = 0; i < n; i++) a = _mm256_max_epu8(a, _mm256_loadu_si256((const __m256i *)(in[i] + j)));
        _mm256_storeu_si256((__m256i *)(out + j), a);
    }
    for (; j < c; j++) {
        uint8_t m = first ? in[0][j] : out[j];
        for (int i = 0; i < n; i++) m = m > in[i][j] ? m : in[i][j];
        out[j] = m;
    }
}

static void max_i8_avx2(int8_t *out, const int8_t *const *in, int n, int64_t c, int first) {
    int64_t j = 0;
    for (; j + 32 <= c; j += 32) {
        __m256i a = _mm256_loadu_si256((const __m256i *)((first ? in[0] : out) + j));
        for (int i = 0; i < n; i++) a = _mm256_max_epi8(a, _mm256_loadu_si256((const __m256i *)(in[i] + j)));
        _mm256_storeu_si256((__m256i *)(out + j), a);
    }
    for (; j < c; j++) {
        int8_t m = first ? in[0][j] : out[j];
        for (int i = 0; i < n; i++) m = m > in[i][j] ? m : in[i][j];
        out[j] = m;
    }
}

/* Eight values in[0], in[stride], ..: strides 1 and 2 are what networks use, and a gather would cost more than scalar loads. */
static __m256 load_stride2(const float *in) {
    __m256 a = _mm256_loadu_ps(in), b = _mm256_loadu_ps(in + 7);
    __m256 even = _mm256_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 2, 0));
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(even), _MM_SHUFFLE(3, 1, 2, 0)));
}

static void max_row_f32_avx2(float *out, const float *in, int64_t n, int64_t stride) {
    int64_t i = 0;
    if (stride == 1)
        for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_max_ps(_mm256_loadu_ps(out + i), _mm256_loadu_ps(in + i)));
    else if (stride == 2)
        for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_max_ps(_mm256_loadu_ps(out + i), load_stride2(in + 2 * i)));
    for (; i < n; i++) out[i] = out[i] > in[i * stride] ? out[i] : in[i * stride];
}

static void add_row_f32_avx2(float *out, const float *in, int64_t n, int64_t stride) {
    int64_t i = 0;
    if (stride == 1)
        for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_add_ps(_mm256_loadu_ps(out + i), _mm256_loadu_ps(in + i)));
    else if (stride == 2)
        for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_add_ps(_mm256_loadu_ps(out + i), load_stride2(in + 2 * i)));
    for (; i < n; i++) out[i] += in[i * stride];
}

static float reduce_sum_f32_avx2(const float *in, int64_t n) {
    __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        a = _mm256_add_ps(a, _mm256_loadu_ps(in + i));
        b = _mm256_add_ps(b, _mm256_loadu_ps(in + i + 8));
        c = _mm256_add_ps(c, _mm256_loadu_ps(in + i + 16));
        d = _mm256_add_ps(d, _mm256_loadu_ps(in + i + 24));
    }
    for (; i < n; i += 8) a = _mm256_add_ps(a, _mm256_maskload_ps(in + i, tail_mask(n - i < 8 ? n - i : 8)));
    float lanes[8];
    _mm256_storeu_ps(lanes, _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
    return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

static float reduce_max_f32_avx2(const float *in, int64_t n) {
    __m256 a = _mm256_set1_ps(-INFINITY), b = a;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) {
        a = _mm256_max_ps(a, _mm256_loadu_ps(in + i));
        b = _mm256_max_ps(b, _mm256_loadu_ps(in + i + 8));
    }
    float lanes[8], m = -INFINITY;
    _mm256_storeu_ps(lanes, _mm256_max_ps(a, b));
    for (int k = 0; k < 8; k++) m = m > lanes[k] ? m : lanes[k];
    for (; i < n; i++) m = m > in[i] ? m : in[i];
    return m;
}

void leat__pool_init_avx2(leat_pool_kernels *table) {
    *table = (leat_pool_kernels){max_f32_avx2,     max_u8_avx2,      max_i8_avx2,         sum_f32_avx2,        max_run_f32_avx2, sum_run_f32_avx2,
                                 max_row_f32_avx2, add_row_f32_avx2, reduce_sum_f32_avx2, reduce_max_f32_avx2, LEAT_ISA_AVX2};
}
