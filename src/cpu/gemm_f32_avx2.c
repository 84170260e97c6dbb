/* gemm_f32_avx2.c - register tiles of 6x16, 4x24 and 12x8: twelve accumulators, a broadcast of A times vectors of B.
 *
 * Two FMA a cycle of latency 4 (5 on some) want 8 to 10 chains; twelve and the operands fill the sixteen registers.  The tile is one
 * inline function whose loops over rows and vectors unroll fully for each constant (mr, nv).
 */
#include "cpu/gemm_f32.h"

#include <immintrin.h>

#define VEC 8
#define INLINE static inline __attribute__((always_inline))

INLINE void step(__m256 acc[12], const float *const a[12], int64_t k, const float *b, const int mr, const int nv) {
    __m256 bv[3];
#pragma GCC unroll 3
    for (int j = 0; j < nv; j++) bv[j] = _mm256_loadu_ps(b + j * VEC);
#pragma GCC unroll 12
    for (int i = 0; i < mr; i++) {
        __m256 av = _mm256_broadcast_ss(a[i] + k);
#pragma GCC unroll 3
        for (int j = 0; j < nv; j++) acc[i * nv + j] = _mm256_fmadd_ps(av, bv[j], acc[i * nv + j]);
    }
}

INLINE __m256i column_mask(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Stores the first n < 8 lanes; masked stores are slow on some CPUs. */
INLINE void store_first(float *p, __m256 v, int n) {
    __m128 part = _mm256_castps256_ps128(v);
    if (n & 4) {
        _mm_storeu_ps(p, part);
        part = _mm256_extractf128_ps(v, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)p, part);
        part = _mm_movehl_ps(part, part);
        p += 2;
    }
    if (n & 1) _mm_store_ss(p, part);
}

INLINE __m256 clip(const leat_gemm_tile *t, __m256 v) { /* a NaN in the second operand stays */
    return _mm256_min_ps(_mm256_set1_ps(t->hi), _mm256_max_ps(_mm256_set1_ps(t->lo), v));
}

/* The last columns of a matrix, from a copy of the accumulators [mr][nv vectors]. */
static __attribute__((noinline)) void finish_part(const leat_gemm_tile *t, const float *acc, int mr, int nv) {
    for (int j = 0; j * VEC < t->n; j++) {
        int n = t->n - j * VEC < VEC ? t->n - j * VEC : VEC, at = j * VEC;
        __m256i m = column_mask(n);
        __m256 bias = t->last && t->bias ? _mm256_maskload_ps(t->bias + at, m) : _mm256_setzero_ps();
        for (int i = 0; i < mr; i++) {
            float *c = t->c + i * t->ldc + at;
            __m256 v = _mm256_loadu_ps(acc + (i * nv + j) * VEC);
            if (!t->first) v = _mm256_add_ps(v, _mm256_maskload_ps(c, m));
            v = _mm256_add_ps(v, bias);
            if (t->before) v = _mm256_add_ps(v, _mm256_maskload_ps(t->before + i * t->ldr + at, m));
            if (t->last) v = clip(t, v);
            if (t->after) v = _mm256_add_ps(v, _mm256_maskload_ps(t->after + i * t->ldr + at, m));
            if (n == VEC) _mm256_storeu_ps(c, v);
            else store_first(c, v, n);
        }
    }
}

/* Full tiles of a pass that is not both first and last, or with a residual. */
INLINE void finish(const leat_gemm_tile *t, __m256 acc[12], const int mr, const int nv) {
#pragma GCC unroll 3
    for (int j = 0; j < nv; j++) {
        __m256 bias = t->last && t->bias ? _mm256_loadu_ps(t->bias + j * VEC) : _mm256_setzero_ps();
#pragma GCC unroll 12
        for (int i = 0; i < mr; i++) {
            float *c = t->c + i * t->ldc + j * VEC;
            __m256 v = acc[i * nv + j];
            if (!t->first) v = _mm256_add_ps(v, _mm256_loadu_ps(c));
            v = _mm256_add_ps(v, bias);
            if (t->before) v = _mm256_add_ps(v, _mm256_loadu_ps(t->before + i * t->ldr + j * VEC));
            if (t->last) v = clip(t, v);
            if (t->after) v = _mm256_add_ps(v, _mm256_loadu_ps(t->after + i * t->ldr + j * VEC));
            _mm256_storeu_ps(c, v);
        }
    }
}

/* Full tiles of the only pass, without a residual: the common case, without a branch. */
INLINE void finish_simple(const leat_gemm_tile *t, __m256 acc[12], const int mr, const int nv) {
    __m256 lo = _mm256_set1_ps(t->lo), hi = _mm256_set1_ps(t->hi);
#pragma GCC unroll 3
    for (int j = 0; j < nv; j++) {
        __m256 bias = t->bias ? _mm256_loadu_ps(t->bias + j * VEC) : _mm256_setzero_ps();
#pragma GCC unroll 12
        for (int i = 0; i < mr; i++)
            _mm256_storeu_ps(t->c + i * t->ldc + j * VEC, _mm256_min_ps(hi, _mm256_max_ps(lo, _mm256_add_ps(acc[i * nv + j], bias))));
    }
}

/* One row: the depth in four parts, since two or three chains alone would wait for the FMA. */
INLINE void row(__m256 acc[12], const float *a, int64_t depth, const float **panel, const int nv) {
    const float *b = *panel;
    int64_t k = 0;
    for (; k + 4 <= depth; k += 4, b += 4 * nv * VEC) {
#pragma GCC unroll 4
        for (int u = 0; u < 4; u++) {
            __m256 av = _mm256_broadcast_ss(a + k + u);
#pragma GCC unroll 3
            for (int j = 0; j < nv; j++)
                acc[u * nv + j] = _mm256_fmadd_ps(av, _mm256_loadu_ps(b + (u * nv + j) * VEC), acc[u * nv + j]);
        }
    }
    for (; k < depth; k++, b += nv * VEC) {
#pragma GCC unroll 3
        for (int j = 0; j < nv; j++) acc[j] = _mm256_fmadd_ps(_mm256_broadcast_ss(a + k), _mm256_loadu_ps(b + j * VEC), acc[j]);
    }
    *panel = b;
}

INLINE void add_parts(__m256 acc[12], const int nv) {
#pragma GCC unroll 3
    for (int j = 0; j < nv; j++) acc[j] = _mm256_add_ps(_mm256_add_ps(acc[j], acc[nv + j]), _mm256_add_ps(acc[2 * nv + j], acc[3 * nv + j]));
}

INLINE void tile(const leat_gemm_tile *t, const int mr, const int nv) {
    __m256 acc[12];
    const float *a[12], *b = t->b;
    const int chains = mr == 1 ? 4 * nv : mr * nv;
#pragma GCC unroll 12
    for (int i = 0; i < chains; i++) acc[i] = _mm256_setzero_ps();
    for (int64_t tap = 0; tap < t->taps; tap++) {
#pragma GCC unroll 12
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
    if (t->n < nv * VEC) {
        float part[12 * VEC];
#pragma GCC unroll 12
        for (int i = 0; i < mr * nv; i++) _mm256_storeu_ps(part + i * VEC, acc[i]);
        finish_part(t, part, mr, nv);
    } else if (t->first && t->last && !t->before && !t->after) {
        finish_simple(t, acc, mr, nv);
    } else {
        finish(t, acc, mr, nv);
    }
}

#define EACH_8(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(9, 1) X(10, 1) X(11, 1) X(12, 1)
#define EACH_16(X) X(1, 2) X(2, 2) X(3, 2) X(4, 2) X(5, 2) X(6, 2)
#define EACH_24(X) X(1, 3) X(2, 3) X(3, 3) X(4, 3)

#define TILE(mr, nv) \
    static void leat_f32_gemm_##mr##x##nv##_avx2(const leat_gemm_tile *t) { tile(t, mr, nv); }
EACH_8(TILE)
EACH_16(TILE)
EACH_24(TILE)

#define SET(mr, nv) table->tile[nv][mr] = leat_f32_gemm_##mr##x##nv##_avx2;
void leat__gemm_f32_fill_avx2(leat_gemm_f32_table *table) {
    *table = (leat_gemm_f32_table){.isa = "avx2", .vec = VEC, .mr = {0, 12, 6, 4}};
    EACH_8(SET)
    EACH_16(SET)
    EACH_24(SET)
}
