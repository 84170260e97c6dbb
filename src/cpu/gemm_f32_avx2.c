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

/* The last columns of a matrix: element by element, from a copy of the accumulators [mr][columns]. */
static void finish_part(const leat_gemm_tile *t, const float *acc, int mr, int columns) {
    for (int i = 0; i < mr; i++) {
        for (int j = 0; j < t->n; j++) {
            float *c = t->c + i * t->ldc + j, v = acc[i * columns + j];
            if (!t->first) v += *c;
            if (t->last) {
                v += t->bias ? t->bias[j] : 0.0f;
                v += t->before ? t->before[i * t->ldr + j] : 0.0f;
                v = v < t->lo ? t->lo : v > t->hi ? t->hi : v;
                v += t->after ? t->after[i * t->ldr + j] : 0.0f;
            }
            *c = v;
        }
    }
}

INLINE void finish(const leat_gemm_tile *t, __m256 acc[12], const int mr, const int nv) {
    __m256 lo = _mm256_set1_ps(t->lo), hi = _mm256_set1_ps(t->hi);
#pragma GCC unroll 3
    for (int j = 0; j < nv; j++) {
        __m256 bias = t->last && t->bias ? _mm256_loadu_ps(t->bias + j * VEC) : _mm256_setzero_ps();
#pragma GCC unroll 12
        for (int i = 0; i < mr; i++) {
            float *c = t->c + i * t->ldc + j * VEC;
            __m256 v = acc[i * nv + j];
            if (!t->first) v = _mm256_add_ps(v, _mm256_loadu_ps(c));
            if (t->last) {
                v = _mm256_add_ps(v, bias);
                if (t->before) v = _mm256_add_ps(v, _mm256_loadu_ps(t->before + i * t->ldr + j * VEC));
                v = _mm256_min_ps(hi, _mm256_max_ps(lo, v)); /* a NaN in the second operand stays */
                if (t->after) v = _mm256_add_ps(v, _mm256_loadu_ps(t->after + i * t->ldr + j * VEC));
            }
            _mm256_storeu_ps(c, v);
        }
    }
}

INLINE void tile(const leat_gemm_tile *t, const int mr, const int nv) {
    __m256 acc[12];
    const float *a[12];
#pragma GCC unroll 12
    for (int i = 0; i < mr * nv; i++) acc[i] = _mm256_setzero_ps();
    const float *b = t->b;
    for (int64_t tap = 0; tap < t->taps; tap++) {
#pragma GCC unroll 12
        for (int i = 0; i < mr; i++) a[i] = t->rows[tap * t->row_stride + i] + t->k0 + tap * t->tap_step;
        int64_t k = 0;
        for (; k + 2 <= t->k; k += 2, b += 2 * nv * VEC) {
            step(acc, a, k, b, mr, nv);
            step(acc, a, k + 1, b + nv * VEC, mr, nv);
        }
        for (; k < t->k; k++, b += nv * VEC) step(acc, a, k, b, mr, nv);
    }
    if (t->n == nv * VEC) {
        finish(t, acc, mr, nv);
        return;
    }
    float part[12 * VEC];
#pragma GCC unroll 12
    for (int i = 0; i < mr * nv; i++) _mm256_storeu_ps(part + i * VEC, acc[i]);
    finish_part(t, part, mr, nv * VEC);
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
