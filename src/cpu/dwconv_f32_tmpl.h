/* dwconv_f32_tmpl.h - depthwise convolution over a vector type: a tile of output pixels by one vector of channels, channels innermost in
 * memory and in the loop; included by dwconv_f32_{avx2,avx512,neon}.c.
 *
 * For a tile of P pixels and a kernel row of KW, the (P-1)*stride + KW input vectors are loaded once and used by all the pixels that
 * see them: 3x3 stride 1 with P = 8 makes 72 FMA from 39 loads.  P is chosen so that a row falls into tiles with the least overlap: the
 * last tile of a row is moved left to end at the row's end (the overlap is computed twice, the same).  Tiles that touch the left or
 * right padding take zeros for the columns outside.  16 and 32 channels, the blocks of the fused inverted residual, have the distance
 * of pixels as a constant.  Other kernel widths, dilations and rows narrower than a tile take the pixel-by-pixel path.
 *
 * The includer defines V, VEC, MASK and the operations LOADU, LOADM, LOADE (by a mask of all or none), STOREU, STOREM, SET1, ZERO, ADD, SUB, MIN, MAX, FMADD, TAIL(n) (mask of the
 * first n lanes), ALL(condition), AND(a, b) of masks, and NAME(x).
 */
#define MAX_COLUMNS 20
#define MAX_KW 7
#define INLINE static inline __attribute__((always_inline))

INLINE V clip(V v, V lo, V hi) { return MIN(hi, MAX(lo, v)); } /* this order keeps a NaN */

/* One tile of output pixels; lanes of input column j that are there are set in valid[j]. */
typedef struct dw_tile {
    const leat_dwconv  *d;
    const float *const *rows;
    int                 first, count;
    int64_t             iw; /* of column 0 */
    float              *y;
    int64_t             step; /* floats from a pixel to the next of the tile: channels * dilation */
    MASK             valid[MAX_COLUMNS];
} dw_tile;

INLINE V load(const float *p, const int part, MASK mask) { return part ? LOADM(p, mask) : LOADU(p); }

/* `part`: fewer than VEC channels are left, `mask` names them.  Column j of the input meets kernel column k at output i if
 * i * stride + k = j.  Up to five pixels, two sums each (even and odd kernel columns) hide the latency of the FMA. */
INLINE void tile_channels(const dw_tile *t, int64_t c, int64_t channels, int64_t step, const int kw, const int stride, const int p,
                          const int edge, const int part, MASK mask) {
    const leat_dwconv *d = t->d;
    const int columns = (p - 1) * stride + kw, sums = p <= 5 ? 2 : 1;
    V acc[2][8], w[MAX_KW], lo = SET1(d->lo), hi = SET1(d->hi);
    V bias = d->bias ? load(d->bias + c, part, mask) : ZERO;
#pragma GCC unroll 8
    for (int i = 0; i < p; i++) {
        acc[0][i] = bias;
        acc[1][i] = ZERO;
    }
    for (int r = 0; r < t->count; r++) {
        const float *row = t->rows[r] + t->iw * step + c, *wr = d->weights + (t->first + r) * kw * channels + c;
        __asm__("" : "+r"(row)); /* one base register: left alone, gcc keeps an index for every column, most of them on the stack */
#pragma GCC unroll 8
        for (int k = 0; k < kw; k++) w[k] = load(wr + k * channels, part, mask);
#pragma GCC unroll 20
        for (int j = 0; j < columns; j++) {
            V x = edge && !part ? LOADE(row + j * step, t->valid[j]) : load(row + j * step, part, edge ? AND(mask, t->valid[j]) : mask);
#pragma GCC unroll 8
            for (int k = j % stride; k < kw; k += stride) {
                const int i = (j - k) / stride;
                if (j >= k && i < p) acc[k % sums][i] = FMADD(x, w[k], acc[k % sums][i]);
            }
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < p; i++) {
        V v = clip(sums == 2 ? ADD(acc[0][i], acc[1][i]) : acc[0][i], lo, hi);
        if (part) STOREM(t->y + i * step + c, mask, v);
        else STOREU(t->y + i * step + c, v);
    }
}

/* `fixed`: the number of channels when it is a constant, else 0. */
INLINE void tile(const dw_tile *t, const int kw, const int stride, const int p, const int edge, const int fixed) {
    int64_t c = 0, channels = fixed ? fixed : t->d->channels, step = fixed ? fixed : t->step;
    for (; c + VEC <= channels; c += VEC) tile_channels(t, c, channels, step, kw, stride, p, edge, 0, ALL(0));
    if (!fixed && c < channels) tile_channels(t, c, channels, step, kw, stride, p, edge, 1, TAIL(channels - c));
}

/* `out` pixels in tiles of p, the last one moved left; `in` columns are there, `pad` more to the left. */
INLINE void row_in_tiles(dw_tile *t, float *y, int64_t out, int64_t in, int64_t pad, const int kw, const int stride, const int p,
                         void (*inner)(const dw_tile *), void (*edge)(const dw_tile *)) {
    const int columns = (p - 1) * stride + kw;
    for (int64_t done = 0; done < out; done += p) {
        int64_t ow = done + p <= out ? done : out - p;
        t->iw = ow * stride - pad;
        t->y = y + ow * t->step;
        if (t->iw >= 0 && t->iw + columns <= in) {
            inner(t);
            continue;
        }
        for (int j = 0; j < columns; j++) t->valid[j] = ALL(t->iw + j >= 0 && t->iw + j < in);
        edge(t);
    }
}

#define ROW(kw, st, px, ch)                                                                                                    \
    static void inner_##kw##s##st##x##px##c##ch(const dw_tile *t) { tile(t, kw, st, px, 0, ch); }                              \
    static void edge_##kw##s##st##x##px##c##ch(const dw_tile *t) { tile(t, kw, st, px, 1, ch); }                               \
    static void NAME(leat_f32_dwconv_##kw##s##st##x##px##c##ch)(const leat_dwconv *d, const float *const *rows, int first, int count, \
                                                                 float *y) {                                                   \
        dw_tile t = {.d = d, .rows = rows, .first = first, .count = count, .step = d->channels};                               \
        row_in_tiles(&t, y, d->out_width, d->in_width, d->pad_w, kw, st, px, inner_##kw##s##st##x##px##c##ch, edge_##kw##s##st##x##px##c##ch);                      \
    }
#define EACH_WIDTH(X, kw, st, ch) X(kw, st, 4, ch) X(kw, st, 5, ch) X(kw, st, 7, ch) X(kw, st, 8, ch)
#define EACH_BLOCK(X, kw, st) EACH_WIDTH(X, kw, st, 0) EACH_WIDTH(X, kw, st, 16) EACH_WIDTH(X, kw, st, 32)
#define EACH_KERNEL(X) EACH_BLOCK(X, 3, 1) EACH_BLOCK(X, 3, 2) EACH_BLOCK(X, 5, 1) EACH_BLOCK(X, 5, 2) EACH_WIDTH(X, 7, 1, 0)
EACH_KERNEL(ROW)

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* Dilation D, stride 1: outputs r, r + D, r + 2D, .. see only every D-th column, so that they are a row without dilation. */
static void NAME(leat_f32_dwconv_3s1x4_dilated)(const leat_dwconv *d, const float *const *rows, int first, int count, float *y) {
    const float *shifted[LEAT_DWCONV_MAX_ROWS];
    int64_t dilation = d->dilation_w;
    for (int64_t r = 0; r < dilation; r++) {
        int64_t at = r - d->pad_w, offset = (at % dilation + dilation) % dilation, whole = (at - offset) / dilation;
        for (int i = 0; i < count; i++) shifted[i] = rows[i] + offset * d->channels;
        dw_tile t = {.d = d, .rows = shifted, .first = first, .count = count, .step = d->channels * dilation};
        int64_t out = ceil_div(d->out_width - r, dilation), in = d->in_width > offset ? ceil_div(d->in_width - offset, dilation) : 0;
        row_in_tiles(&t, y + r * d->channels, out, in, -whole, 3, 1, 4, inner_3s1x4c0, edge_3s1x4c0);
    }
}

/* Any kernel: one pixel, the taps that fall inside. */
static void pixel(const leat_dwconv *d, const float *const *rows, int first, int count, int64_t ow, float *y) {
    int64_t channels = d->channels, start = ow * d->stride_w - d->pad_w;
    for (int64_t c = 0; c < channels; c += VEC) {
        MASK mask = TAIL(channels - c);
        V acc = d->bias ? LOADM(d->bias + c, mask) : ZERO;
        for (int r = 0; r < count; r++) {
            const float *w = d->weights + (first + r) * d->kernel_w * channels + c;
            for (int64_t k = 0; k < d->kernel_w; k++) {
                int64_t iw = start + k * d->dilation_w;
                if (iw < 0 || iw >= d->in_width) continue;
                V x = LOADM(rows[r] + iw * channels + c, mask);
                acc = FMADD(x, LOADM(w + k * channels, mask), acc);
            }
        }
        STOREM(y + ow * channels + c, mask, clip(acc, SET1(d->lo), SET1(d->hi)));
    }
}

static void NAME(leat_f32_dwconv_any)(const leat_dwconv *d, const float *const *rows, int first, int count, float *y) {
    for (int64_t ow = 0; ow < d->out_width; ow++) pixel(d, rows, first, count, ow, y);
}

/* Pixels of a tile: the width that takes the least time for the row, counting a pixel's worth of overhead for each tile. */
static int tile_width(int64_t out_width) {
    static const int widths[] = {8, 7, 5, 4};
    int best = 0;
    int64_t least = INT64_MAX;
    for (int i = 0; i < 4; i++) {
        int64_t time = (out_width + widths[i] - 1) / widths[i] * (widths[i] + 1);
        if (widths[i] > out_width || time >= least) continue;
        least = time;
        best = widths[i];
    }
    return best;
}

leat_dwconv_row_fn NAME(leat__f32_dwconv_choose)(const leat_dwconv *d) {
    int width = d->dilation_w == 1 ? tile_width(d->out_width) : 0, fixed = d->channels == 16 || d->channels == 32 ? (int)d->channels : 0;
    if (d->kernel_w == 7) fixed = 0;
#define PICK(kw, st, px, ch) \
    if (d->kernel_w == kw && d->stride_w == st && width == px && fixed == ch) return NAME(leat_f32_dwconv_##kw##s##st##x##px##c##ch);
    EACH_KERNEL(PICK)
    if (d->kernel_w == 3 && d->stride_w == 1 && d->out_width >= 4 * d->dilation_w) return NAME(leat_f32_dwconv_3s1x4_dilated);
    return NAME(leat_f32_dwconv_any);
}

void NAME(leat_f32_lerp)(const float *a, const float *b, float weight, int64_t n, float *y) {
    V w = SET1(weight);
    int64_t i = 0;
    for (; i + VEC <= n; i += VEC) {
        V av = LOADU(a + i);
        STOREU(y + i, FMADD(w, SUB(LOADU(b + i), av), av));
    }
    for (; i < n; i++) y[i] = a[i] + weight * (b[i] - a[i]);
}
