/* pool_avx512.c - channels-last pooling reductions with 512-bit vectors; the rest stays with AVX2. */
#include "cpu/pool.h"

#include <immintrin.h>

static void max_f32_avx512(float *out, const float *const *in, int n, int64_t c, int first) {
    int64_t j = 0;
    int i0 = first ? 1 : 0;
    for (; j + 64 <= c; j += 64) {
        const float *s = first ? in[0] + j : out + j;
        __m512 a = _mm512_loadu_ps(s), b = _mm512_loadu_ps(s + 16), d = _mm512_loadu_ps(s + 32), e = _mm512_loadu_ps(s + 48);
        for (int i = i0; i < n; i++) {
            const float *p = in[i] + j;
            a = _mm512_max_ps(a, _mm512_loadu_ps(p));
            b = _mm512_max_ps(b, _mm512_loadu_ps(p + 16));
            d = _mm512_max_ps(d, _mm512_loadu_ps(p + 32));
            e = _mm512_max_ps(e, _mm512_loadu_ps(p + 48));
        }
        _mm512_storeu_ps(out + j, a);
        _mm512_storeu_ps(out + j + 16, b);
        _mm512_storeu_ps(out + j + 32, d);
        _mm512_storeu_ps(out + j + 48, e);
    }
    for (; j < c; j += 16) {
        __mmask16 k = c - j >= 16 ? 0xffff : (__mmask16)((1u << (c - j)) - 1);
        __m512 a = _mm512_maskz_loadu_ps(k, first ? in[0] + j : out + j);
        for (int i = i0; i < n; i++) a = _mm512_max_ps(a, _mm512_maskz_loadu_ps(k, in[i] + j));
        _mm512_mask_storeu_ps(out + j, k, a);
    }
}

static void sum_f32_avx512(float *out, const float *const *in, int n, int64_t c, float scale, int first) {
    __m512 f = _mm512_set1_ps(scale);
    int64_t j = 0;
    for (; j + 64 <= c; j += 64) {
        __m512 a = _mm512_setzero_ps(), b = a, d = a, e = a;
        if (!first) {
            a = _mm512_loadu_ps(out + j);
            b = _mm512_loadu_ps(out + j + 16);
            d = _mm512_loadu_ps(out + j + 32);
            e = _mm512_loadu_ps(out + j + 48);
        }
        for (int i = 0; i < n; i++) {
            const float *p = in[i] + j;
            a = _mm512_add_ps(a, _mm512_loadu_ps(p));
            b = _mm512_add_ps(b, _mm512_loadu_ps(p + 16));
            d = _mm512_add_ps(d, _mm512_loadu_ps(p + 32));
            e = _mm512_add_ps(e, _mm512_loadu_ps(p + 48));
        }
        _mm512_storeu_ps(out + j, _mm512_mul_ps(a, f));
        _mm512_storeu_ps(out + j + 16, _mm512_mul_ps(b, f));
        _mm512_storeu_ps(out + j + 32, _mm512_mul_ps(d, f));
        _mm512_storeu_ps(out + j + 48, _mm512_mul_ps(e, f));
    }
    for (; j < c; j += 16) {
        __mmask16 k = c - j >= 16 ? 0xffff : (__mmask16)((1u << (c - j)) - 1);
        __m512 a = first ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(k, out + j);
        for (int i = 0; i < n; i++) a = _mm512_add_ps(a, _mm512_maskz_loadu_ps(k, in[i] + j));
        _mm512_mask_storeu_ps(out + j, k, _mm512_mul_ps(a, f));
    }
}

static void max_run_f32_avx512(float *out, const float *const *in, int n, int64_t c, int64_t count, int64_t step) {
    for (int64_t at = 0; at < count * step; at += step, out += c) {
        int64_t j = 0;
        for (; j + 64 <= c; j += 64) {
            const float *p = in[0] + at + j;
            __m512 a = _mm512_loadu_ps(p), b = _mm512_loadu_ps(p + 16), d = _mm512_loadu_ps(p + 32), e = _mm512_loadu_ps(p + 48);
            for (int i = 1; i < n; i++) {
                p = in[i] + at + j;
                a = _mm512_max_ps(a, _mm512_loadu_ps(p));
                b = _mm512_max_ps(b, _mm512_loadu_ps(p + 16));
                d = _mm512_max_ps(d, _mm512_loadu_ps(p + 32));
                e = _mm512_max_ps(e, _mm512_loadu_ps(p + 48));
            }
            _mm512_storeu_ps(out + j, a);
            _mm512_storeu_ps(out + j + 16, b);
            _mm512_storeu_ps(out + j + 32, d);
            _mm512_storeu_ps(out + j + 48, e);
        }
        for (; j < c; j += 16) {
            __mmask16 k = c - j >= 16 ? 0xffff : (__mmask16)((1u << (c - j)) - 1);
            __m512 a = _mm512_maskz_loadu_ps(k, in[0] + at + j);
            for (int i = 1; i < n; i++) a = _mm512_max_ps(a, _mm512_maskz_loadu_ps(k, in[i] + at + j));
            _mm512_mask_storeu_ps(out + j, k, a);
        }
    }
}

static void sum_run_f32_avx512(float *out, const float *const *in, int n, int64_t c, float scale, int64_t count, int64_t step) {
    __m512 f = _mm512_set1_ps(scale);
    for (int64_t at = 0; at < count * step; at += step, out += c) {
        int64_t j = 0;
        for (; j + 64 <= c; j += 64) {
            __m512 a = _mm512_setzero_ps(), b = a, d = a, e = a;
            for (int i = 0; i < n; i++) {
                const float *p = in[i] + at + j;
                a = _mm512_add_ps(a, _mm512_loadu_ps(p));
                b = _mm512_add_ps(b, _mm512_loadu_ps(p + 16));
                d = _mm512_add_ps(d, _mm512_loadu_ps(p + 32));
                e = _mm512_add_ps(e, _mm512_loadu_ps(p + 48));
            }
            _mm512_storeu_ps(out + j, _mm512_mul_ps(a, f));
            _mm512_storeu_ps(out + j + 16, _mm512_mul_ps(b, f));
            _mm512_storeu_ps(out + j + 32, _mm512_mul_ps(d, f));
            _mm512_storeu_ps(out + j + 48, _mm512_mul_ps(e, f));
        }
        for (; j < c; j += 16) {
            __mmask16 k = c - j >= 16 ? 0xffff : (__mmask16)((1u << (c - j)) - 1);
            __m512 a = _mm512_setzero_ps();
            for (int i = 0; i < n; i++) a = _mm512_add_ps(a, _mm512_maskz_loadu_ps(k, in[i] + at + j));
            _mm512_mask_storeu_ps(out + j, k, _mm512_mul_ps(a, f));
        }
    }
}

void leat__pool_init_avx512(leat_pool_kernels *table) {
    table->max_f32 = max_f32_avx512;
    table->sum_f32 = sum_f32_avx512;
    table->max_run_f32 = max_run_f32_avx512;
    table->sum_run_f32 = sum_run_f32_avx512;
    table->isa = LEAT_ISA_AVX512;
}
