/* resize_avx512.c - channels-last mixing with 512-bit vectors; taps along a row stay with AVX2. */
#include "cpu/resize.h"

#include <immintrin.h>

static void mix4(float *out, const float *const *r, const float *w, int64_t c) {
    __m512 w0 = _mm512_set1_ps(w[0]), w1 = _mm512_set1_ps(w[1]), w2 = _mm512_set1_ps(w[2]), w3 = _mm512_set1_ps(w[3]);
    for (int64_t j = 0; j < c; j += 16) {
        __mmask16 k = c - j >= 16 ? 0xffff : (__mmask16)((1u << (c - j)) - 1);
        __m512 s = _mm512_mul_ps(w0, _mm512_maskz_loadu_ps(k, r[0] + j));
        __m512 u = _mm512_mul_ps(w2, _mm512_maskz_loadu_ps(k, r[2] + j));
        s = _mm512_fmadd_ps(w1, _mm512_maskz_loadu_ps(k, r[1] + j), s);
        u = _mm512_fmadd_ps(w3, _mm512_maskz_loadu_ps(k, r[3] + j), u);
        _mm512_mask_storeu_ps(out + j, k, _mm512_add_ps(s, u));
    }
}

static void mix_f32_avx512(float *out, const float *const *rows, const float *w, int n, int64_t c) {
    if (n == 4) {
        mix4(out, rows, w, c);
        return;
    }
    for (int64_t j = 0; j < c; j += 16) {
        __mmask16 k = c - j >= 16 ? 0xffff : (__mmask16)((1u << (c - j)) - 1);
        __m512 a = _mm512_setzero_ps();
        for (int i = 0; i < n; i++) a = _mm512_fmadd_ps(_mm512_set1_ps(w[i]), _mm512_maskz_loadu_ps(k, rows[i] + j), a);
        _mm512_mask_storeu_ps(out + j, k, a);
    }
}

void leat__resize_init_avx512(leat_resize_kernels *table) {
    table->mix_f32 = mix_f32_avx512;
    table->isa = LEAT_ISA_AVX512;
}
