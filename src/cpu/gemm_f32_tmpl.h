/* gemm_f32_tmpl.h - the register tile of the matrix multiply: a broadcast of A times vectors of B, one text for all widths.
 *
 * The including file defines V, VEC and the operations on V (FMA1: the first factor a float), and H with the same for half a vector (HALVES 0: never used).  The tile is one
 * inline function whose loops over rows and vectors unroll fully for each constant (mr, nv).  Sums start from the bias, so that a tile ends
 * with its stores; with products of depth 16 all that is not a multiply-add counts.  Rows a fixed distance apart are addressed from one
 * base register in five, since sixteen addresses do not fit the general registers.
 */
#ifndef LEAT_CPU_GEMM_F32_TMPL_H
#define LEAT_CPU_GEMM_F32_TMPL_H

#include <float.h>

#define INLINE static inline __attribute__((always_inline))
#define MAX_BASES 4

/* Where the runs of a tile's rows are: rows[i] and an index, or base[i / 5] and a multiple of ld. */
typedef struct left {
    const float *row[LEAT_GEMM_MAX_MR];
    const char  *base[MAX_BASES];
    int64_t      k, ld, ld3; /* ld in bytes */
} left;

INLINE float left_at(const left *l, const int i, const int u, const int strided) {
    if (!strided) return l->row[i][l->k + u];
    const char *p = l->base[i / 5] + u * (int)sizeof(float);
    const int r = i % 5;
    return *(const float *)(const void *)(r == 3 ? p + l->ld3 : p + r * l->ld);
}

INLINE void advance(left *l, const int by, const int mr, const int strided) {
    l->k += by;
    if (!strided) return;
#pragma GCC unroll 4
    for (int g = 0; g * 5 < mr; g++) {
        l->base[g] += by * (int)sizeof(float);
        __asm__("" : "+r"(l->base[g])); /* or gcc keeps an address per row after all */
    }
}

INLINE void step(V acc[MAX_ACC], H low[LEAT_GEMM_MAX_MR], const left *l, const int u, const float *b, const int mr, const int nv,
                 const int half, const int strided) {
    V bv[3];
    H bl;
    const int full = nv - half;
#pragma GCC unroll 3
    for (int j = 0; j < full; j++) bv[j] = LOAD(b + j * VEC);
    if (half) bl = H_LOAD(b + full * VEC);
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++) {
        float value = left_at(l, i, u, strided);
#pragma GCC unroll 3
        for (int j = 0; j < full; j++) acc[i * full + j] = FMA1(value, bv[j], acc[i * full + j]);
        if (half) low[i] = H_FMA1(value, bl, low[i]);
    }
}

INLINE void open_left(left *l, const leat_gemm_tile *t, int64_t tile, int64_t tap, const int mr, const int strided) {
    l->k = 0;
    if (strided) {
        l->ld = t->lda * (int64_t)sizeof(float);
        l->ld3 = 3 * l->ld;
        __asm__("" : "+r"(l->ld3));
        const char *a = (const char *)(t->a + tile * mr * t->lda + tap * t->tap_step);
#pragma GCC unroll 4
        for (int g = 0; g * 5 < mr; g++) l->base[g] = a + g * 5 * l->ld;
        return;
    }
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++) l->row[i] = t->rows[tap * t->row_stride + tile * mr + i] + t->k0;
}

/* x clip(x / 6 + 1/2, 0, 1), -0 for minus infinity. */
INLINE V hard_swish(V x) {
    V gate = MIN(SET1(1.0f), MAX(SET1(0.0f), FMA(x, SET1(1.0f / 6.0f), SET1(0.5f))));
    return MUL(MAX(SET1(-FLT_MAX), x), gate);
}

INLINE H h_hard_swish(H x) {
    H gate = H_MIN(H_SET1(1.0f), H_MAX(H_SET1(0.0f), H_FMA(x, H_SET1(1.0f / 6.0f), H_SET1(0.5f))));
    return H_MUL(H_MAX(H_SET1(-FLT_MAX), x), gate);
}

/* What is rare: columns that fill no vector, a residual added to the clipped value.  sums [mr][nv * VEC]. */
static __attribute__((noinline)) void finish_slowly(const leat_gemm_tile *t, int64_t tile, const float *sums, int mr, int width) {
    V lo = SET1(t->lo), hi = SET1(t->hi);
    for (int64_t i = 0; i < mr; i++) {
        int64_t row = tile * mr + i;
        for (int j = 0; j < t->n; j += VEC) {
            int n = t->n - j < VEC ? t->n - j : VEC;
            V v = LOAD(sums + i * width + j);
            if (t->add) v = ADD(v, load_first(t->add + row * t->ldadd + j, n));
            if (t->clips) v = t->clips == 2 ? hard_swish(v) : MIN(hi, MAX(lo, v));
            if (t->after) v = ADD(v, load_first(t->after + row * t->ldafter + j, n));
            store_first(t->c + row * t->ldc + j, v, n);
        }
    }
}

INLINE void spill(const leat_gemm_tile *t, int64_t tile, const V *acc, const H *low, const int mr, const int nv, const int half) {
    float sums[MAX_ACC * VEC];
    const int full = nv - half;
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++) {
#pragma GCC unroll 3
        for (int j = 0; j < full; j++) STORE(sums + (i * nv + j) * VEC, acc[i * full + j]);
        if (half) H_STORE(sums + (i * nv + full) * VEC, low[i]);
    }
    finish_slowly(t, tile, sums, mr, nv * VEC);
}

INLINE void add_rows(const float *add, int64_t ld, V *acc, H *low, const int mr, const int nv, const int half) {
    const int full = nv - half;
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++, add += ld) {
#pragma GCC unroll 3
        for (int j = 0; j < full; j++) acc[i * full + j] = ADD(acc[i * full + j], LOAD(add + j * VEC));
        if (half) low[i] = H_ADD(low[i], H_LOAD(add + full * VEC));
    }
}

/* A NaN in the second operand of MIN and MAX stays. */
INLINE void clip(const leat_gemm_tile *t, V *acc, H *low, const int mr, const int nv, const int half) {
#pragma GCC unroll 48
    for (int i = 0; i < mr * (nv - half); i++) acc[i] = MIN(SET1(t->hi), MAX(SET1(t->lo), acc[i]));
#pragma GCC unroll 16
    for (int i = 0; half && i < mr; i++) low[i] = H_MIN(H_SET1(t->hi), H_MAX(H_SET1(t->lo), low[i]));
}

INLINE void swish(V *acc, H *low, const int mr, const int nv, const int half) {
#pragma GCC unroll 48
    for (int i = 0; i < mr * (nv - half); i++) acc[i] = hard_swish(acc[i]);
#pragma GCC unroll 16
    for (int i = 0; half && i < mr; i++) low[i] = h_hard_swish(low[i]);
}

INLINE void store(const leat_gemm_tile *t, int64_t tile, const V *acc, const H *low, const int mr, const int nv, const int half) {
    const int full = nv - half;
    const int64_t ldc = t->ldc; /* the stores might change it, for all the compiler knows */
    float *c = t->c + tile * mr * ldc;
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++, c += ldc) {
#pragma GCC unroll 3
        for (int j = 0; j < full; j++) STORE(c + j * VEC, acc[i * full + j]);
        if (half) H_STORE(c + full * VEC, low[i]);
    }
}

INLINE void finish(const leat_gemm_tile *t, int64_t tile, V *acc, H *low, const int mr, const int nv, const int half, const int strided) {
    if (t->n != nv * VEC - (half ? VEC / 2 : 0) || t->after) {
        spill(t, tile, acc, low, mr, nv, half);
        return;
    }
    if (t->add) add_rows(t->add + tile * mr * t->ldadd, t->ldadd, acc, low, mr, nv, half);
    if (strided && t->clips == 2) swish(acc, low, mr, nv, half);
    else if (t->clips) clip(t, acc, low, mr, nv, half);
    store(t, tile, acc, low, mr, nv, half);
}

/* What the sums start from: the bias or zero, laid out for full vectors.  In memory, since registers are scarce in between. */
INLINE void load_bias(const leat_gemm_tile *t, float start[3 * VEC], const int nv) {
#pragma GCC unroll 3
    for (int j = 0; j < nv; j++) {
        int n = t->n - j * VEC;
        STORE(start + j * VEC, !t->bias || n <= 0 ? SET1(0.0f) : n >= VEC ? LOAD(t->bias + j * VEC) : load_first(t->bias + j * VEC, n));
    }
}

INLINE void start_sums(const float start[3 * VEC], V *acc, H *low, const int mr, const int nv, const int half) {
    const int full = nv - half;
#pragma GCC unroll 3
    for (int j = 0; j < full; j++) {
        V bias = LOAD(start + j * VEC);
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) acc[i * full + j] = bias;
    }
    if (!half) return;
    H bias = H_LOAD(start + full * VEC);
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++) low[i] = bias;
}

INLINE void tiles(const leat_gemm_tile *t, const int mr, const int nv, const int half, const int strided) {
    _Alignas(64) float start[3 * VEC];
    load_bias(t, start, nv);
    for (int64_t tile = 0; tile < t->tiles; tile++) {
        V acc[MAX_ACC];
        H low[LEAT_GEMM_MAX_MR];
        left l;
        const float *b = t->b;
        start_sums(start, acc, low, mr, nv, half);
        for (int64_t tap = 0; tap < t->taps; tap++) {
            open_left(&l, t, tile, tap, mr, strided);
            for (int64_t k = t->k >> 1; k; k--, b += 2 * nv * VEC) {
                step(acc, low, &l, 0, b, mr, nv, half, strided);
                step(acc, low, &l, 1, b + nv * VEC, mr, nv, half, strided);
                advance(&l, 2, mr, strided);
            }
            if (t->k & 1) {
                step(acc, low, &l, 0, b, mr, nv, half, strided);
                b += nv * VEC;
            }
        }
        finish(t, tile, acc, low, mr, nv, half, strided);
    }
}

/* ---- one row: the depth in four parts, since two or three chains alone would wait for the FMA ---------------------------- */

INLINE const float *row_run(V *acc, const float *a, int64_t depth, const float *b, const int nv) {
    int64_t k = 0;
    for (; k + 4 <= depth; k += 4, b += 4 * nv * VEC) {
#pragma GCC unroll 12
        for (int u = 0; u < 4 * nv; u++) acc[u] = FMA1(a[k + u / nv], LOAD(b + u * VEC), acc[u]);
    }
    for (; k < depth; k++, b += nv * VEC) {
#pragma GCC unroll 3
        for (int j = 0; j < nv; j++) acc[j] = FMA1(a[k], LOAD(b + j * VEC), acc[j]);
    }
    return b;
}

INLINE void row(const leat_gemm_tile *t, const int nv, const int strided) {
    _Alignas(64) float start[3 * VEC];
    V acc[12];
    H low[1];
    const float *b = t->b;
    load_bias(t, start, nv);
    start_sums(start, acc, low, 1, nv, 0);
#pragma GCC unroll 12
    for (int i = nv; i < 4 * nv; i++) acc[i] = SET1(0.0f);
    for (int64_t tap = 0; tap < t->taps; tap++)
        b = row_run(acc, strided ? t->a + tap * t->tap_step : t->rows[tap * t->row_stride] + t->k0, t->k, b, nv);
#pragma GCC unroll 3
    for (int j = 0; j < nv; j++) acc[j] = ADD(ADD(acc[j], acc[nv + j]), ADD(acc[2 * nv + j], acc[3 * nv + j]));
    finish(t, 0, acc, low, 1, nv, 0, strided);
}

#endif
