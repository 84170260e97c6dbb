/* resize_avx2.c - interpolation with 256-bit vectors. */
#include "cpu/resize.h"

#include <immintrin.h>

static __m256i tail_mask(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* The four corners of a pixel: weights stay in registers. */
static void mix4(float *out, const float *const *r, const float *w, int64_t c) {
    __m256 w0 = _mm256_broadcast_ss(w), w1 = _mm256_broadcast_ss(w + 1), w2 = _mm256_broadcast_ss(w + 2), w3 = _mm256_broadcast_ss(w + 3);
    int64_t j = 0;
    for (; j + 8 <= c; j += 8) {
        __m256 s = _mm256_mul_ps(w0, _mm256_loadu_ps(r[0] + j));
        __m256 u = _mm256_mul_ps(w2, _mm256_loadu_ps(r[2] + j));
        s = _mm256_fmadd_ps(w1, _mm256_loadu_ps(r[1] + j), s);
        u = _mm256_fmadd_ps(w3, _mm256_loadu_ps(r[3] + j), u);
        _mm256_storeu_ps(out + j, _mm256_add_ps(s, u));
    }
    if (j == c) return;
    __m256i k = tail_mask(c - j);
    __m256 s = _mm256_mul_ps(w0, _mm256_maskload_ps(r[0] + j, k));
    __m256 u = _mm256_mul_ps(w2, _mm256_maskload_ps(r[2] + j, k));
    s = _mm256_fmadd_ps(w1, _mm256_maskload_ps(r[1] + j, k), s);
    u = _mm256_fmadd_ps(w3, _mm256_maskload_ps(r[3] + j, k), u);
    _mm256_maskstore_ps(out + j, k, _mm256_add_ps(s, u));
}

static void mix_f32_avx2(float *out, const float *const *rows, const float *w, int n, int64_t c) {
    if (n == 4) {
        mix4(out, rows, w, c);
        return;
    }
    int64_t j = 0;
    for (; j + 16 <= c; j += 16) {
        __m256 a = _mm256_setzero_ps(), b = a;
        for (int i = 0; i < n; i++) {
            __m256 f = _mm256_broadcast_ss(w + i);
            a = _mm256_fmadd_ps(f, _mm256_loadu_ps(rows[i] + j), a);
            b = _mm256_fmadd_ps(f, _mm256_loadu_ps(rows[i] + j + 8), b);
        }
        _mm256_storeu_ps(out + j, a);
        _mm256_storeu_ps(out + j + 8, b);
    }
    for (; j < c; j += 8) {
        __m256i k = tail_mask(c - j);
        __m256 a = _mm256_setzero_ps();
        for (int i = 0; i < n; i++) a = _mm256_fmadd_ps(_mm256_broadcast_ss(w + i), _mm256_maskload_ps(rows[i] + j, k), a);
        _mm256_maskstore_ps(out + j, k, a);
    }
}

/* Two taps: indices and weights lie in pairs, eight outputs take two vectors of each. */
static int64_t taps2(float *out, const float *in, const int32_t *index, const float *w, int64_t n) {
    int64_t j = 0;
    for (; j + 8 <= n; j += 8) {
        __m256 a = _mm256_i32gather_ps(in, _mm256_loadu_si256((const __m256i *)(index + 2 * j)), 4);
        __m256 b = _mm256_i32gather_ps(in, _mm256_loadu_si256((const __m256i *)(index + 2 * j + 8)), 4);
        a = _mm256_mul_ps(a, _mm256_loadu_ps(w + 2 * j));
        b = _mm256_mul_ps(b, _mm256_loadu_ps(w + 2 * j + 8));
        __m256 s = _mm256_hadd_ps(a, b);
        _mm256_storeu_ps(out + j, _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(s), _MM_SHUFFLE(3, 1, 2, 0))));
    }
    return j;
}

static void taps_f32_avx2(float *out, const float *in, const int32_t *index, const float *w, int t, int64_t n) {
    int64_t j = t == 2 ? taps2(out, in, index, w, n) : 0;
    for (; j < n; j++) {
        float s = 0;
        for (int i = 0; i < t; i++) s += w[j * t + i] * in[index[j * t + i]];
        out[j] = s;
    }
}

void leat__resize_init_avx2(leat_resize_kernels *table) {
    *table = (leat_resize_kernels){mix_f32_avx2, taps_f32_avx2, LEAT_ISA_AVX2};
}
