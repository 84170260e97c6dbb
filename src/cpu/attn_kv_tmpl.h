/* attn_kv_tmpl.h - the inner kernels of attention over any SIMD width; included once by each attn_kv_<isa>.c, after simd_<isa>.h and
 *
 *   V_F16(p) V_F16N(p, n)           W halves (n in [1, W): the rest reads as 0)      V_F16_STORE(p, v) V_F16_STOREN(p, v, n)
 *   V_I8(p) V_I8_STORE(p, v)        W int8 to float and back, v integral in [-127, 127]
 *   V_TRANSPOSE(v)                  VF v[W] in place      V_SUM4(p, a, b, c, d)   writes the sums of four vectors
 *   V_HALF(p)   one half to all lanes            F16_FLOAT(h) FLOAT_F16(x)   one number
 *   STRIP                           vectors of columns of the product's register tile, which is MR rows high
 *   AT_ONCE                         rows that dots and mix take at once; DOT_POSITIONS(rows), MIX_VECTORS(rows), MIX_POSITIONS: their tiles
 *
 * Formats, rows and widths of register tiles are constants of inline functions, so that each combination is a loop of its own. */
#include <math.h>
#include <string.h>

#include "cpu/vmath_vec.h"

#define INLINE static inline __attribute__((always_inline))

enum { TILE = LEAT_ATTN_TILE, MR = 6, Q8_BLOCK = 32, Q8_BYTES = 34 };

/* ---- rows of the cache ---------------------------------------------------------------------------------------------- */

INLINE const uint8_t *q8_block(const uint8_t *row, int64_t i) { return row + i / Q8_BLOCK * Q8_BYTES; }
INLINE float q8_scale(const uint8_t *block) {
    uint16_t half;
    memcpy(&half, block, sizeof half);
    return F16_FLOAT(half);
}
/* Elements that get() reads at once, all with one scale: whole blocks of Q8_0. */
#define SPAN(format) ((format) == LEAT_KV_FORMAT_Q8_0 ? Q8_BLOCK / W : 1)

/* Vector e of those at i, a multiple of SPAN * W, but for the scale. */
INLINE VF raw(const leat_kv_format format, const uint8_t *row, int64_t i, const int e) {
    if (format == LEAT_KV_FORMAT_F16) return V_F16(row + 2 * i);
    if (format == LEAT_KV_FORMAT_F32) return V_LOAD((const float *)(const void *)row + i);
    return V_I8(q8_block(row, i) + 2 + e * W);
}
INLINE VF get(const leat_kv_format format, const uint8_t *row, int64_t i) {
    VF v = raw(format, row, i, (int)(i % Q8_BLOCK) / W);
    return format == LEAT_KV_FORMAT_Q8_0 ? V_MUL(v, V_HALF(q8_block(row, i))) : v;
}
INLINE VF get_part(const leat_kv_format format, const uint8_t *row, int64_t i, int64_t n) {
    if (format == LEAT_KV_FORMAT_F16) return V_F16N(row + 2 * i, n);
    return V_LOADN((const float *)(const void *)row + i, n); /* blocks of Q8_0 have no rest */
}

INLINE void load_row(const leat_kv_format format, const uint8_t *row, int64_t width, float *x) {
    int64_t i = 0;
    for (; i + W <= width; i += W) V_STORE(x + i, get(format, row, i));
    if (i < width) V_STOREN(x + i, get_part(format, row, i, width - i), width - i);
}

INLINE void widen_rows(const leat_kv_format format, const uint8_t *rows, int64_t stride, int count, int width, float *to, int64_t ldt) {
    for (int j = 0; j < count; j++) load_row(format, rows + j * stride, width, to + j * ldt);
}

static void widen(leat_kv_format format, const uint8_t *rows, int64_t stride, int count, int width, float *to, int64_t ldt) {
    if (format == LEAT_KV_FORMAT_F16) widen_rows(LEAT_KV_FORMAT_F16, rows, stride, count, width, to, ldt);
    else if (format == LEAT_KV_FORMAT_F32) widen_rows(LEAT_KV_FORMAT_F32, rows, stride, count, width, to, ldt);
    else widen_rows(LEAT_KV_FORMAT_Q8_0, rows, stride, count, width, to, ldt);
}

static void store_q8(const float *x, uint8_t *block) {
    VF largest = V_SET(0.0f);
    for (int i = 0; i < Q8_BLOCK; i += W) largest = V_MAXNUM(V_ABS(V_LOAD(x + i)), largest); /* a NaN is passed over */
    float lanes[W], most = 0;
    V_STORE(lanes, largest);
    for (int i = 0; i < W; i++) most = lanes[i] > most ? lanes[i] : most;
    uint16_t half = FLOAT_F16(most / 127.0f);
    memcpy(block, &half, sizeof half);
    float    scale = q8_scale(block);
    const VF inverse = V_SET(scale > 0 ? 1.0f / scale : 0.0f);
    for (int i = 0; i < Q8_BLOCK; i += W) {
        VF q = V_MAXNUM(V_RINT(V_MUL(V_LOAD(x + i), inverse)), V_SET(-127.0f));
        V_I8_STORE(block + 2 + i, V_ATMOST(V_SET(127.0f), q));
    }
}

static void store(leat_kv_format format, const float *x, int64_t width, uint8_t *row) {
    int64_t i = 0;
    if (format == LEAT_KV_FORMAT_F32) memcpy(row, x, (size_t)width * sizeof *x);
    if (format == LEAT_KV_FORMAT_Q8_0)
        for (; i < width; i += Q8_BLOCK) store_q8(x + i, row + i / Q8_BLOCK * Q8_BYTES);
    if (format != LEAT_KV_FORMAT_F16) return;
    for (; i + W <= width; i += W) V_F16_STORE(row + 2 * i, V_LOAD(x + i));
    if (i < width) V_F16_STOREN(row + 2 * i, V_LOADN(x + i, width - i), width - i);
}

/* W positions of W elements, or of the last n. */
INLINE void transpose_square(const leat_kv_format format, const uint8_t *rows, int64_t stride, int count, int i, int n, float *to) {
    VF v[W];
#pragma GCC unroll 16
    for (int j = 0; j < W; j++)
        v[j] = j >= count ? V_SET(0.0f) : n == W ? get(format, rows + j * stride, i) : get_part(format, rows + j * stride, i, n);
    V_TRANSPOSE(v);
#pragma GCC unroll 16
    for (int e = 0; e < W; e++)
        if (e < n) V_STORE(to + e * TILE, v[e]);
}

INLINE void transpose_rows(const leat_kv_format format, const uint8_t *rows, int64_t stride, int count, int width, float *to) {
    for (int j = 0; j < count; j += W) {
        int i = 0, here = count - j;
        if (here >= W)
            for (; i + W <= width; i += W) transpose_square(format, rows + j * stride, stride, W, i, W, to + i * TILE + j);
        for (; i < width; i += W) transpose_square(format, rows + j * stride, stride, here, i, width - i < W ? width - i : W, to + i * TILE + j);
    }
}

static void transpose(leat_kv_format format, const uint8_t *rows, int64_t stride, int count, int width, float *to) {
    for (int i = 0; i < width && count < TILE; i++) /* whole groups of LANES columns are multiplied */
        for (int j = count / LEAT_ATTN_LANES * LEAT_ATTN_LANES; j < TILE; j += W) V_STORE(to + i * TILE + j, V_SET(0.0f));
    if (format == LEAT_KV_FORMAT_F16) transpose_rows(LEAT_KV_FORMAT_F16, rows, stride, count, width, to);
    else if (format == LEAT_KV_FORMAT_F32) transpose_rows(LEAT_KV_FORMAT_F32, rows, stride, count, width, to);
    else transpose_rows(LEAT_KV_FORMAT_Q8_0, rows, stride, count, width, to);
}

/* ---- product -------------------------------------------------------------------------------------------------------- */

/* What is fetched meanwhile: a line a step, until there is none. */
typedef struct ahead {
    const char *at;
    int64_t     bytes;
} ahead;

INLINE void product_tile(const float *a, int64_t lda, const float *b, int64_t ldb, int depth, float *c, int64_t ldc, int add, ahead *next, const int rows,
                         const int vectors) {
    const char *fetch = next->at;
    int64_t     line = next->bytes > 0 ? 64 : 0;
    VF acc[MR * STRIP];
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) acc[r * vectors + v] = add ? V_LOAD(c + r * ldc + v * W) : V_SET(0.0f);
    for (int d = 0; d < depth; d++, b += ldb) {
        VF bv[STRIP];
        __builtin_prefetch(fetch);
        fetch += line;
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) bv[v] = V_LOAD(b + v * W);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++) {
            float av = a[r * lda + d];
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++) acc[r * vectors + v] = V_FMA1(av, bv[v], acc[r * vectors + v]);
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++) V_STORE(c + r * ldc + v * W, acc[r * vectors + v]);
    next->bytes -= fetch - next->at;
    next->at = fetch;
}

INLINE void product_strip(const float *a, int64_t lda, const float *b, int64_t ldb, int rows, int depth, float *c, int64_t ldc, int add, ahead *next,
                          const int vectors) {
    int r = 0;
    for (; r + MR <= rows; r += MR) product_tile(a + r * lda, lda, b, ldb, depth, c + r * ldc, ldc, add, next, MR, vectors);
    a += r * lda;
    c += r * ldc;
    switch (rows - r) {
    case 5: product_tile(a, lda, b, ldb, depth, c, ldc, add, next, 5, vectors); break;
    case 4: product_tile(a, lda, b, ldb, depth, c, ldc, add, next, 4, vectors); break;
    case 3: product_tile(a, lda, b, ldb, depth, c, ldc, add, next, 3, vectors); break;
    case 2: product_tile(a, lda, b, ldb, depth, c, ldc, add, next, 2, vectors); break;
    case 1: product_tile(a, lda, b, ldb, depth, c, ldc, add, next, 1, vectors); break;
    }
}

static void product(const float *a, int64_t lda, const float *b, int64_t ldb, int rows, int columns, int depth, float *c, int64_t ldc, int add,
                    const void *fetch, int64_t bytes) {
    ahead next = {fetch, bytes};
    int   j = 0;
    for (; j + STRIP * W <= columns; j += STRIP * W) product_strip(a, lda, b + j, ldb, rows, depth, c + j, ldc, add, &next, STRIP);
    switch ((columns - j) / W) {
#if STRIP > 3
    case 3: product_strip(a, lda, b + j, ldb, rows, depth, c + j, ldc, add, &next, 3); break;
    case 2: product_strip(a, lda, b + j, ldb, rows, depth, c + j, ldc, add, &next, 2); break;
#endif
    case 1: product_strip(a, lda, b + j, ldb, rows, depth, c + j, ldc, add, &next, 1); break;
    }
}

/* ---- weights -------------------------------------------------------------------------------------------------------- */

/* 2^t for t <= 0, by the polynomial of v_silu; what is below 2^-125 stays there. */
INLINE VF power(VF t) {
    t = V_ATLEAST(V_SET(-125.0f), t);
    VF n = V_RINT(t), f = V_SUB(t, n), p = V_SET(0.00132646988f);
    p = V_FMA(p, f, V_SET(0.009671508823f));
    p = V_FMA(p, f, V_SET(0.05550733776f));
    p = V_FMA(p, f, V_SET(0.2402224215f));
    p = V_FMA(p, f, V_SET(0.6931469776f));
    return V_SCALE_NEAR(V_FMA(p, f, V_SET(1.0f)), n);
}

/* Masks the scores outside [from, to) to minus infinity and returns the largest. */
INLINE VF masked(float *s, int from, int to, float cap) {
    const VF lanes = V_RAMP, scale = V_SET(cap);
    VF       best = V_SET(-INFINITY);
    for (int j = 0; j < TILE; j += W) {
        VF v = V_LOAD(s + j), at = V_ADD(lanes, V_SET((float)j));
        if (cap > 0) v = V_MUL(scale, v_tanh(v));
        v = V_SEL(V_LT(at, V_SET((float)from)), V_SET(-INFINITY), v);
        v = V_SEL(V_LT(at, V_SET((float)to)), v, V_SET(-INFINITY));
        V_STORE(s + j, v);
        best = V_MAXNUM(v, best);
    }
    return best;
}

/* s to 2^(s - shift), and their sum; where some are masked, those become 0 exactly. */
INLINE VF raise(float *s, float shift, const int some_masked) {
    const VF c = V_SET(shift), least = V_SET(-INFINITY);
    VF       total = V_SET(0.0f);
#pragma GCC unroll 2
    for (int j = 0; j < TILE; j += W) {
        VF t = V_LOAD(s + j), p = power(V_SUB(t, c));
        if (some_masked) p = V_SEL(V_EQ(t, least), V_SET(0.0f), p);
        V_STORE(s + j, p);
        total = V_ADD(total, p);
    }
    return total;
}

static float weights(float *s, int from, int to, float cap, float *max, float *sum) {
    int all = from == 0 && to == TILE && cap == 0;
    VF  best = V_SET(-INFINITY), next = best;
    if (all)
        for (int j = 0; j < TILE; j += 2 * W) best = V_MAXNUM(V_LOAD(s + j), best), next = V_MAXNUM(V_LOAD(s + j + W), next);
    else best = masked(s, from, to, cap);
    float before = *max, here = V_HMAX(V_MAXNUM(best, next)), top = here > before ? here : before, factor = 1;
    float total = V_HSUM(top > -INFINITY && all ? raise(s, top, 0) : raise(s, top > -INFINITY ? top : 0.0f, 1));
    if (top > before) factor = before > -INFINITY ? exp2f(before - top) : 0.0f;
    *max = top;
    *sum = *sum * factor + total;
    return factor;
}

static void scale(float *x, int64_t n, float factor) {
    const VF f = V_SET(factor);
    for (int64_t i = 0; i < n; i += W) V_STORE(x + i, V_MUL(V_LOAD(x + i), f));
}

/* ---- few rows: K and V where they lie ------------------------------------------------------------------------------- */

/* Adds the products of the elements at i of one position with those of `rows` rows of q. */
INLINE void dot_step(const leat_kv_format format, const uint8_t *k, int64_t i, const float *q, int64_t ldq, VF *sum, const int rows) {
    VF part[4];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) part[r] = V_SET(0.0f);
#pragma GCC unroll 4
    for (int e = 0; e < Q8_BLOCK / W; e++) { /* a constant end, or gcc does not unroll it */
        if (e >= SPAN(format)) break;
        VF kv = raw(format, k, i, e);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            VF qv = V_LOAD(q + r * ldq + i + e * W);
            if (format != LEAT_KV_FORMAT_Q8_0) sum[r] = V_FMA(kv, qv, sum[r]);
            else part[r] = e ? V_FMA(kv, qv, part[r]) : V_MUL(kv, qv);
        }
    }
    if (format != LEAT_KV_FORMAT_Q8_0) return;
    const VF scale_of = V_HALF(q8_block(k, i));
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) sum[r] = V_FMA(part[r], scale_of, sum[r]);
}

/* One position, in two sums that wait for each other less; rows of q are padded with zeros.  Row after row of K, as the hardware fetches ahead best. */
INLINE void dot_position(const leat_kv_format format, const uint8_t *k, int width, const float *q, int64_t ldq, VF *acc, const int rows, const int step) {
    const int64_t span = SPAN(format) * W;
    int64_t       i = 0;
    VF            even[4], odd[4];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) even[r] = odd[r] = V_SET(0.0f);
    for (; i + 2 * span <= width; i += 2 * span) {
        dot_step(format, k, i, q, ldq, even, rows);
        dot_step(format, k, i + span, q, ldq, odd, rows);
    }
    if (i + span <= width) dot_step(format, k, i, q, ldq, even, rows), i += span;
    if (i < width) {
        VF kv = get_part(format, k, i, width - i);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) odd[r] = V_FMA(kv, V_LOAD(q + r * ldq + i), odd[r]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) acc[r * step] = V_ADD(even[r], odd[r]);
}

INLINE void dot_tile(const leat_kv_format format, const uint8_t *k, int64_t stride, int width, const float *q, int64_t ldq, float *s, const int rows,
                     const int positions) {
    VF acc[16];
#pragma GCC unroll 8
    for (int p = 0; p < positions; p++) dot_position(format, k + p * stride, width, q, ldq, acc + p, rows, positions);
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
        const VF *a = acc + r * positions;
        if (positions == 1) s[r * TILE] = V_HSUM(a[0]);
#pragma GCC unroll 2
        for (int p = 0; p + 4 <= positions; p += 4) V_SUM4(s + r * TILE + p, a[p], a[p + 1], a[p + 2], a[p + 3]);
    }
}

INLINE void dots_rows(const leat_kv_format format, const uint8_t *k, int64_t stride, int count, int width, const float *q, int64_t ldq, float *s, const int rows) {
    int j = 0;
    for (; j + DOT_POSITIONS(rows) <= count; j += DOT_POSITIONS(rows)) dot_tile(format, k + j * stride, stride, width, q, ldq, s + j, rows, DOT_POSITIONS(rows));
    for (; j < count; j++) dot_tile(format, k + j * stride, stride, width, q, ldq, s + j, rows, 1);
}

/* Columns i .. i + n of V, times the weights; n < W: the rest of a row. */
INLINE void mix_tile(const leat_kv_format format, const uint8_t *v, int64_t stride, int count, int64_t i, int64_t n, const float *s, float *o, int64_t ldo,
                     const int rows, const int vectors) {
    VF acc[16];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int c = 0; c < vectors; c++) acc[r * vectors + c] = V_LOAD(o + r * ldo + i + c * W);
    const int within = vectors < SPAN(format) ? (int)(i % Q8_BLOCK) / W : 0; /* a part of a block */
    for (int j = 0; j < count; j++) {
        const uint8_t *row = v + j * stride;
#pragma GCC unroll 8
        for (int c = 0; c < vectors; c++) {
            const int64_t at = i + c / SPAN(format) * SPAN(format) * W;
            VF x = n < W ? get_part(format, row, i, n) : raw(format, row, at, within + c % SPAN(format));
#pragma GCC unroll 4
            for (int r = 0; r < rows; r++) {
                float weight = s[r * TILE + j];
                if (format == LEAT_KV_FORMAT_Q8_0) weight *= q8_scale(q8_block(row, at));
                acc[r * vectors + c] = V_FMA1(weight, x, acc[r * vectors + c]);
            }
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 8
        for (int c = 0; c < vectors; c++) V_STORE(o + r * ldo + i + c * W, acc[r * vectors + c]);
}

INLINE void mix_positions(const leat_kv_format format, const uint8_t *v, int64_t stride, int count, int width, const float *s, float *o, int64_t ldo, const int rows) {
    int i = 0;
    for (; i + MIX_VECTORS(rows) * W <= width; i += MIX_VECTORS(rows) * W) mix_tile(format, v, stride, count, i, W, s, o, ldo, rows, MIX_VECTORS(rows));
    for (; MIX_VECTORS(rows) > 4 && i + 4 * W <= width; i += 4 * W) mix_tile(format, v, stride, count, i, W, s, o, ldo, rows, 4);
    for (; MIX_VECTORS(rows) > 2 && i + 2 * W <= width; i += 2 * W) mix_tile(format, v, stride, count, i, W, s, o, ldo, rows, 2);
    if (format == LEAT_KV_FORMAT_Q8_0) return;
    for (; i + W <= width; i += W) mix_tile(format, v, stride, count, i, W, s, o, ldo, rows, 1);
    if (i < width) mix_tile(format, v, stride, count, i, width - i, s, o, ldo, rows, 1);
}

/* Few positions at a time, so that a second strip of columns finds the rows in the first-level cache. */
INLINE void mix_rows(const leat_kv_format format, const uint8_t *v, int64_t stride, int count, int width, const float *s, float *o, int64_t ldo, const int rows) {
    for (int j = 0; j < count; j += MIX_POSITIONS)
        mix_positions(format, v + j * stride, stride, count - j < MIX_POSITIONS ? count - j : MIX_POSITIONS, width, s + j, o, ldo, rows);
}

/* One function for each format and number of rows. */
#define FEW_ROWS(suffix, format, rows)                                                                                                          \
    static void dots_##suffix##_##rows(const uint8_t *k, int64_t stride, int count, int width, const float *q, int64_t ldq, float *s) {         \
        dots_rows(format, k, stride, count, width, q, ldq, s, rows);                                                                            \
    }                                                                                                                                           \
    static void mix_##suffix##_##rows(const uint8_t *v, int64_t stride, int count, int width, const float *s, float *o, int64_t ldo) {          \
        mix_rows(format, v, stride, count, width, s, o, ldo, rows);                                                                             \
    }
#define FEW_FORMATS(rows) FEW_ROWS(f16, LEAT_KV_FORMAT_F16, rows) FEW_ROWS(f32, LEAT_KV_FORMAT_F32, rows) FEW_ROWS(q8, LEAT_KV_FORMAT_Q8_0, rows)

typedef void (*dots_fn)(const uint8_t *k, int64_t stride, int count, int width, const float *q, int64_t ldq, float *s);
typedef void (*mix_fn)(const uint8_t *v, int64_t stride, int count, int width, const float *s, float *o, int64_t ldo);

FEW_FORMATS(1)
FEW_FORMATS(2)
#if AT_ONCE == 4
FEW_FORMATS(3)
FEW_FORMATS(4)
static const dots_fn dots_of[3][AT_ONCE] = {{dots_f16_1, dots_f16_2, dots_f16_3, dots_f16_4}, {dots_f32_1, dots_f32_2, dots_f32_3, dots_f32_4},
                                            {dots_q8_1, dots_q8_2, dots_q8_3, dots_q8_4}};
static const mix_fn  mix_of[3][AT_ONCE] = {{mix_f16_1, mix_f16_2, mix_f16_3, mix_f16_4}, {mix_f32_1, mix_f32_2, mix_f32_3, mix_f32_4},
                                           {mix_q8_1, mix_q8_2, mix_q8_3, mix_q8_4}};
#else
static const dots_fn dots_of[3][AT_ONCE] = {{dots_f16_1, dots_f16_2}, {dots_f32_1, dots_f32_2}, {dots_q8_1, dots_q8_2}};
static const mix_fn  mix_of[3][AT_ONCE] = {{mix_f16_1, mix_f16_2}, {mix_f32_1, mix_f32_2}, {mix_q8_1, mix_q8_2}};
#endif

static void dots(leat_kv_format format, const uint8_t *k, int64_t stride, int count, int width, const float *q, int64_t ldq, int rows, float *s) {
    for (int r = 0; r < rows; r += AT_ONCE) dots_of[format][(rows - r < AT_ONCE ? rows - r : AT_ONCE) - 1](k, stride, count, width, q + r * ldq, ldq, s + r * TILE);
}
static void mix(leat_kv_format format, const uint8_t *v, int64_t stride, int count, int width, const float *s, int rows, float *o, int64_t ldo) {
    for (int r = 0; r < rows; r += AT_ONCE) mix_of[format][(rows - r < AT_ONCE ? rows - r : AT_ONCE) - 1](v, stride, count, width, s + r * TILE, o + r * ldo, ldo);
}

#define ATTN_KV_TABLE(name)                                                                                                                             \
    {.isa = name, .store = store, .widen = widen, .transpose = transpose, .product = product, .weights = weights, .scale = scale, .dots = dots, .mix = mix}
