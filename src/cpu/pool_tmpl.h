/* pool_tmpl.h - channels-last reductions over windows, one text for every width of vectors; needs simd_<isa>.h.
 *
 * Four vectors of channels at once hide the latency of the reduction. */
#ifndef LEAT_CPU_POOL_TMPL_H
#define LEAT_CPU_POOL_TMPL_H

#include "cpu/pool.h"

#define INLINE static inline __attribute__((always_inline))

enum { MAX, SUM, STEP = 4 * W };

INLINE VF pool_join(const int op, VF a, VF b) { return op == MAX ? V_MAX(a, b) : V_ADD(a, b); }
INLINE VF pool_done(const int op, VF a, VF scale) { return op == MAX ? a : V_MUL(a, scale); }

/* One window: channels [0, c) of in[i] + at, i in [0, n).  A maximum begins with the first position, a sum with 0, both with `out` unless first. */
INLINE void pool_window(const int op, float *out, const float *const *in, int n, int64_t at, int64_t c, VF scale, int first) {
    const int i0 = first && op == MAX;
    int64_t   j = 0;
    for (; j + STEP <= c; j += STEP) {
        const float *s = first ? in[0] + at + j : out + j;
        VF a = V_SET(0), b = a, d = a, e = a;
        if (!first || op == MAX) a = V_LOAD(s), b = V_LOAD(s + W), d = V_LOAD(s + 2 * W), e = V_LOAD(s + 3 * W);
        for (int i = i0; i < n; i++) {
            const float *p = in[i] + at + j;
            a = pool_join(op, a, V_LOAD(p));
            b = pool_join(op, b, V_LOAD(p + W));
            d = pool_join(op, d, V_LOAD(p + 2 * W));
            e = pool_join(op, e, V_LOAD(p + 3 * W));
        }
        V_STORE(out + j, pool_done(op, a, scale));
        V_STORE(out + j + W, pool_done(op, b, scale));
        V_STORE(out + j + 2 * W, pool_done(op, d, scale));
        V_STORE(out + j + 3 * W, pool_done(op, e, scale));
    }
    for (; j + W <= c; j += W) {
        VF a = first ? op == MAX ? V_LOAD(in[0] + at + j) : V_SET(0) : V_LOAD(out + j);
        for (int i = i0; i < n; i++) a = pool_join(op, a, V_LOAD(in[i] + at + j));
        V_STORE(out + j, pool_done(op, a, scale));
    }
    if (j < c) {
        VF a = first ? op == MAX ? V_LOADN(in[0] + at + j, c - j) : V_SET(0) : V_LOADN(out + j, c - j);
        for (int i = i0; i < n; i++) a = pool_join(op, a, V_LOADN(in[i] + at + j, c - j));
        V_STOREN(out + j, pool_done(op, a, scale), c - j);
    }
}

static void max_f32(float *out, const float *const *in, int n, int64_t c, int first) { pool_window(MAX, out, in, n, 0, c, V_SET(1), first); }
static void sum_f32(float *out, const float *const *in, int n, int64_t c, float scale, int first) { pool_window(SUM, out, in, n, 0, c, V_SET(scale), first); }

static void max_run_f32(float *out, const float *const *in, int n, int64_t c, int64_t count, int64_t step) {
    for (int64_t i = 0; i < count; i++) pool_window(MAX, out + i * c, in, n, i * step, c, V_SET(1), 1);
}

static void sum_run_f32(float *out, const float *const *in, int n, int64_t c, float scale, int64_t count, int64_t step) {
    for (int64_t i = 0; i < count; i++) pool_window(SUM, out + i * c, in, n, i * step, c, V_SET(scale), 1);
}

INLINE void pool_fill(leat_pool_kernels *table) {
    table->max_f32 = max_f32;
    table->sum_f32 = sum_f32;
    table->max_run_f32 = max_run_f32;
    table->sum_run_f32 = sum_run_f32;
}

#endif
