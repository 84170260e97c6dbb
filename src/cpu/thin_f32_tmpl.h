/* thin_f32_tmpl.h - thin products over a vector type; included by thin_f32_{ref,avx2,avx512,neon}.c.
 *
 * The includer defines V, W, ZERO, LOAD(p), LOAD_PART(p, n) (other lanes zero), FMA(a, b, c), SUM(v), NAME(x) and P1..P4: the pixels of
 * a register tile for 1..4 columns, so that P * N sums hide the latency and still fit the registers.
 */
#define INLINE static inline __attribute__((always_inline))

/* One tile: p pixels (constant), n columns (constant). */
/* The pragmas keep the sums in registers: -O2 alone would leave the constant loops rolled and the sums in memory. */
INLINE void NAME(tile)(const leat_thin *t, const float *const *rows, int64_t row_stride, const int p, const int n, float *y, int64_t ldy) {
    V       sum[12 * LEAT_THIN_MAX_N];
    int64_t depth = t->taps * t->k;
#pragma GCC unroll 48
    for (int i = 0; i < p * n; i++) sum[i] = ZERO;
    for (int64_t tap = 0; tap < t->taps; tap++) {
        const float *const *x = rows + tap * row_stride;
        const float        *w = t->w + tap * t->k;
        int64_t             k = 0;
        for (; k + W <= t->k; k += W)
#pragma GCC unroll 4
            for (int j = 0; j < n; j++) {
                V wv = LOAD(w + j * depth + k);
#pragma GCC unroll 12
                for (int i = 0; i < p; i++) sum[i * n + j] = FMA(LOAD(x[i] + k), wv, sum[i * n + j]);
            }
        if (k < t->k)
#pragma GCC unroll 4
            for (int j = 0; j < n; j++) {
                V wv = LOAD_PART(w + j * depth + k, t->k - k);
#pragma GCC unroll 12
                for (int i = 0; i < p; i++) sum[i * n + j] = FMA(LOAD_PART(x[i] + k, t->k - k), wv, sum[i * n + j]);
            }
    }
#pragma GCC unroll 12
    for (int i = 0; i < p; i++)
#pragma GCC unroll 4
        for (int j = 0; j < n; j++) y[i * ldy + j] = SUM(sum[i * n + j]);
}

#define COLUMNS(n, p)                                                                                                              \
    static void NAME(columns##n)(const leat_thin *t, const float *const *rows, int64_t row_stride, int64_t count, float *y,         \
                                 int64_t ldy) {                                                                                     \
        int64_t i = 0;                                                                                                              \
        for (; i + p <= count; i += p) NAME(tile)(t, rows + i, row_stride, p, n, y + i * ldy, ldy);                                 \
        for (; i < count; i++) NAME(tile)(t, rows + i, row_stride, 1, n, y + i * ldy, ldy);                                         \
    }

COLUMNS(1, P1)
COLUMNS(2, P2)
COLUMNS(3, P3)
COLUMNS(4, P4)

#define FILL(table, name)                                                                                                          \
    *(table) = (leat_thin_f32_table) { name, { 0, NAME(columns1), NAME(columns2), NAME(columns3), NAME(columns4) } }
