/* gemm_f32_avx512.c - register tiles of 12x32, 9x48 and 16x16: 16 to 27 accumulators, a broadcast of A times vectors of B.
 *
 * The same shape as the AVX2 tiles with twice the registers of twice the width; the last columns are stored under a mask.
 */
#include "cpu/gemm_f32.h"

#include <immintrin.h>

#define VEC 16
#define MAX_ACC 27
#define INLINE static inline __attribute__((always_inline))

INLINE void step(__m512 acc[MAX_ACC], const float *const a[16], int64_t k, const float *b, const int mr, const int nv) {
    __m512 bv[3];
#pragma GCC unroll 3
    for (int j = 0; j < nv; j++) bv[j] = _mm512_loadu_ps(b + j * VEC);
#pragma GCC unroll 27
    for (int i = 0; i < mr; i++) {
        __m512 av = _mm512_set1_ps(a[i][k]);
#pragma GCC unroll 3
        for (int j = 0; j < nv; j++) acc[i * nv + j] = _mm512_fmadd_ps(av, bv[j], acc[i * nv + j]);
    }
}

INLINE __mmask16 column_mask(int n) { return n >= VEC ? 0xffff : n <= 0 ? 0 : (__mmask16)((1u << n) - 1); }

/* Tiles of a pass that is not both first and last, or with a residual, or with the last columns. */
INLINE void finish(const leat_gemm_tile *t, __m512 acc[MAX_ACC], const int mr, const int nv) {
    __m512 lo = _mm512_set1_ps(t->lo), hi = _mm512_set1_ps(t->hi);
#pragma GCC unroll 3
    for (int j = 0; j < nv; j++) {
        __mmask16 m = column_mask(t->n - j * VEC);
        __m512 bias = t->bias ? _mm512_maskz_loadu_ps(m, t->bias + j * VEC) : _mm512_setzero_ps();
#pragma GCC unroll 27
        for (int i = 0; i < mr; i++) {
            float *c = t->c + i * t->ldc + j * VEC;
            __m512 v = acc[i * nv + j];
            if (!t->first) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(m, c));
            v = _mm512_add_ps(v, bias);
            if (t->before) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(m, t->before + i * t->ldr + j * VEC));
            if (t->last) v = _mm512_min_ps(hi, _mm512_max_ps(lo, v)); /* a NaN in the second operand stays */
            if (t->after) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(m, t->after + i * t->ldr + j * VEC));
            _mm512_mask_storeu_ps(c, m, v);
        }
    }
}

/* Full tiles of the only pass, without a residual: the common case, without a branch. */
INLINE void finish_simple(const leat_gemm_tile *t, __m512 acc[MAX_ACC], const int mr, const int nv) {
    __m512 lo = _mm512_set1_ps(t->lo), hi = _mm512_set1_ps(t->hi);
#pragma GCC unroll 3
    for (int j = 0; j < nv; j++) {
        __m512 bias = t->bias ? _mm512_loadu_ps(t->bias + j * VEC) : _mm512_setzero_ps();
#pragma GCC unroll 27
        for (int i = 0; i < mr; i++)
            _mm512_storeu_ps(t->c + i * t->ldc + j * VEC, _mm512_min_ps(hi, _mm512_max_ps(lo, _mm512_add_ps(acc[i * nv + j], bias))));
    }
}

/* One row: the depth in four parts, since two or three chains alone would wait for the FMA. */
INLINE void row(__m512 acc[MAX_ACC], const float *a, int64_t depth, const float **panel, const int nv) {
    const float *b = *panel;
    int64_t k = 0;
    for (; k + 4 <= depth; k += 4, b += 4 * nv * VEC) {
#pragma GCC unroll 4
        for (int u = 0; u < 4; u++) {
            __m512 av = _mm512_set1_ps(a[k + u]);
#pragma GCC unroll 3
            for (int j = 0; j < nv; j++)
                acc[u * nv + j] = _mm512_fmadd_ps(av, _mm512_loadu_ps(b + (u * nv + j) * VEC), acc[u * nv + j]);
        }
    }
    for (; k < depth; k++, b += nv * VEC) {
#pragma GCC unroll 3
        for (int j = 0; j < nv; j++) acc[j] = _mm512_fmadd_ps(_mm512_set1_ps(a[k]), _mm512_loadu_ps(b + j * VEC), acc[j]);
    }
    *panel = b;
}

INLINE void add_parts(__m512 acc[MAX_ACC], const int nv) {
#pragma GCC unroll 3
    for (int j = 0; j < nv; j++) acc[j] = _mm512_add_ps(_mm512_add_ps(acc[j], acc[nv + j]), _mm512_add_ps(acc[2 * nv + j], acc[3 * nv + j]));
}

INLINE void tile(const leat_gemm_tile *t, const int mr, const int nv) {
    __m512 acc[MAX_ACC];
    const float *a[16], *b = t->b;
    const int chains = mr == 1 ? 4 * nv : mr * nv;
#pragma GCC unroll 27
    for (int i = 0; i < chains; i++) acc[i] = _mm512_setzero_ps();
    for (int64_t tap = 0; tap < t->taps; tap++) {
#pragma GCC unroll 27
        for (int i = 0; i < mr; i++) a[i] = t->rows[tap * t->row_stride + i] + t->k0 + tap * t->tap_step;
        if (mr == 1) {
            row(acc, a[0], t->k, &b, nv);
            continue;
        }
        int64_t k = 0;
        for (; k + 2 <= t->k; k += 2, b += 2 * nv * VEC) {
            step(acc, a, k, b, mr, nv);
            step(acc, a, k + 1, b + nv * VEC, mr, nv);
        }
        for (; k < t->k; k++, b += nv * VEC) step(acc, a, k, b, mr, nv);
    }
    if (mr == 1) add_parts(acc, nv);
    if (t->n == nv * VEC && t->first && t->last && !t->before && !t->after) finish_simple(t, acc, mr, nv);
    else finish(t, acc, mr, nv);
}

#define EACH_1_9(X, nv) X(1, nv) X(2, nv) X(3, nv) X(4, nv) X(5, nv) X(6, nv) X(7, nv) X(8, nv) X(9, nv)
#define EACH_16(X) EACH_1_9(X, 1) X(10, 1) X(11, 1) X(12, 1) X(13, 1) X(14, 1) X(15, 1) X(16, 1)
#define EACH_32(X) EACH_1_9(X, 2) X(10, 2) X(11, 2) X(12, 2)
#define EACH_48(X) EACH_1_9(X, 3)

#define TILE(mr, nv) \
    static void leat_f32_gemm_##mr##x##nv##_avx512(const leat_gemm_tile *t) { tile(t, mr, nv); }
EACH_16(TILE)
EACH_32(TILE)
EACH_48(TILE)

#define SET(mr, nv) table->tile[nv][mr] = leat_f32_gemm_##mr##x##nv##_avx512;
void leat__gemm_f32_fill_avx512(leat_gemm_f32_table *table) {
    *table = (leat_gemm_f32_table){.isa = "avx512", .vec = VEC, .mr = {0, 16, 12, 9}};
    EACH_16(SET)
    EACH_32(SET)
    EACH_48(SET)
}
