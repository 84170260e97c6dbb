/* pool_avx2.c - pooling reductions with 256-bit vectors. */
#include <immintrin.h>
#include <math.h>
#include <stdint.h>

#include "cpu/simd_avx2.h"

#include "cpu/pool_tmpl.h"

static void max_u8(uint8_t *out, const uint8_t *const *in, int n, int64_t c, int first) {
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

static void max_i8(int8_t *out, const int8_t *const *in, int n, int64_t c, int first) {
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

static void max_row_f32(float *out, const float *in, int64_t n, int64_t stride) {
    int64_t i = 0;
    if (stride == 1)
        for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_max_ps(_mm256_loadu_ps(out + i), _mm256_loadu_ps(in + i)));
    else if (stride == 2)
        for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_max_ps(_mm256_loadu_ps(out + i), load_stride2(in + 2 * i)));
    for (; i < n; i++) out[i] = out[i] > in[i * stride] ? out[i] : in[i * stride];
}

static void add_row_f32(float *out, const float *in, int64_t n, int64_t stride) {
    int64_t i = 0;
    if (stride == 1)
        for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_add_ps(_mm256_loadu_ps(out + i), _mm256_loadu_ps(in + i)));
    else if (stride == 2)
        for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_add_ps(_mm256_loadu_ps(out + i), load_stride2(in + 2 * i)));
    for (; i < n; i++) out[i] += in[i * stride];
}

static float reduce_sum_f32(const float *in, int64_t n) {
    __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        a = _mm256_add_ps(a, _mm256_loadu_ps(in + i));
        b = _mm256_add_ps(b, _mm256_loadu_ps(in + i + 8));
        c = _mm256_add_ps(c, _mm256_loadu_ps(in + i + 16));
        d = _mm256_add_ps(d, _mm256_loadu_ps(in + i + 24));
    }
    for (; i < n; i += 8) a = _mm256_add_ps(a, V_LOADN(in + i, n - i));
    float lanes[8];
    _mm256_storeu_ps(lanes, _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
    return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

static float reduce_max_f32(const float *in, int64_t n) {
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
    *table = (leat_pool_kernels){.max_u8 = max_u8, .max_i8 = max_i8, .max_row_f32 = max_row_f32, .add_row_f32 = add_row_f32, .reduce_sum_f32 = reduce_sum_f32,
                                 .reduce_max_f32 = reduce_max_f32, .isa = LEAT_ISA_AVX2};
    pool_fill(table);
}
