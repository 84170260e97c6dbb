/* dwconv_f32_avx2.c - depthwise convolution: a tile of output pixels by eight channels, channels innermost in memory and in the loop.
 *
 * For a tile of P pixels and a kernel row of KW, the (P-1)*stride + KW input vectors are loaded once and used by all the pixels that
 * see them: 3x3 stride 1 with P = 4 makes 36 FMA from 27 loads.  Tiles that touch the left or right padding load under masks; the
 * last tile of a row is moved left to end at the row's end (the overlap is computed twice, the same).  Other kernel widths,
 * dilations and rows narrower than a tile take the pixel-by-pixel path.
 */
#include "cpu/dwconv_f32.h"

#include <immintrin.h>

#define VEC 8
#define MAX_COLUMNS 12
#define INLINE static inline __attribute__((always_inline))

INLINE __m256i tail_mask(int64_t n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n > VEC ? VEC : (int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

INLINE __m256 clip(const leat_dwconv *d, __m256 v) {
    return _mm256_min_ps(_mm256_set1_ps(d->hi), _mm256_max_ps(_mm256_set1_ps(d->lo), v));
}

/* One tile: output pixels [ow, ow + p) of which column j of the input is there if valid[j]. */
typedef struct dw_tile {
    const leat_dwconv  *d;
    const float *const *rows;
    int                 first, count;
    int64_t             iw; /* of column 0 */
    float              *y;
    const int          *valid; /* [columns], NULL: all */
} dw_tile;

/* `part`: fewer than VEC channels are left, `mask` names them. */
INLINE void tile_channels(const dw_tile *t, int64_t c, const int kw, const int stride, const int p, const int edge, const int part, __m256i mask) {
    const leat_dwconv *d = t->d;
    int64_t channels = d->channels;
    __m256 acc[8], x[MAX_COLUMNS];
    __m256 bias = !d->bias ? _mm256_setzero_ps() : part ? _mm256_maskload_ps(d->bias + c, mask) : _mm256_loadu_ps(d->bias + c);
    const int columns = (p - 1) * stride + kw;
#pragma GCC unroll 8
    for (int i = 0; i < p; i++) acc[i] = bias;
    for (int r = 0; r < t->count; r++) {
        const float *row = t->rows[r] + t->iw * channels + c;
        const float *w = d->weights + (t->first + r) * kw * channels + c;
#pragma GCC unroll 12
        for (int j = 0; j < columns; j++) {
            if (edge && !t->valid[j]) x[j] = _mm256_setzero_ps();
            else x[j] = part ? _mm256_maskload_ps(row + j * channels, mask) : _mm256_loadu_ps(row + j * channels);
        }
#pragma GCC unroll 8
        for (int k = 0; k < kw; k++) {
            __m256 wv = part ? _mm256_maskload_ps(w + k * channels, mask) : _mm256_loadu_ps(w + k * channels);
#pragma GCC unroll 8
            for (int i = 0; i < p; i++) acc[i] = _mm256_fmadd_ps(x[i * stride + k], wv, acc[i]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < p; i++) {
        if (part) _mm256_maskstore_ps(t->y + i * channels + c, mask, clip(d, acc[i]));
        else _mm256_storeu_ps(t->y + i * channels + c, clip(d, acc[i]));
    }
}

INLINE void tile(const dw_tile *t, const int kw, const int stride, const int p, const int edge) {
    int64_t c = 0, channels = t->d->channels;
    for (; c + VEC <= channels; c += VEC) tile_channels(t, c, kw, stride, p, edge, 0, _mm256_setzero_si256());
    if (c < channels) tile_channels(t, c, kw, stride, p, edge, 1, tail_mask(channels - c));
}

static void edge_tile(dw_tile *t, int columns, void (*fn)(const dw_tile *t)) {
    int valid[MAX_COLUMNS];
    for (int j = 0; j < columns; j++) valid[j] = t->iw + j >= 0 && t->iw + j < t->d->in_width;
    t->valid = valid;
    fn(t);
}

/* A row in tiles of p pixels, the last one moved left. */
INLINE void row_in_tiles(dw_tile *t, float *y, const int kw, const int stride, const int p, void (*inner)(const dw_tile *),
                         void (*edge)(const dw_tile *)) {
    const leat_dwconv *d = t->d;
    const int columns = (p - 1) * stride + kw;
    for (int64_t done = 0; done < d->out_width; done += p) {
        int64_t ow = done + p <= d->out_width ? done : d->out_width - p;
        t->iw = ow * stride - d->pad_w;
        t->y = y + ow * d->channels;
        if (t->iw >= 0 && t->iw + columns <= d->in_width) inner(t);
        else edge_tile(t, columns, edge);
    }
}

#define ROW(kw, stride, p)                                                                                                        \
    static void inner_##kw##s##stride##x##p(const dw_tile *t) { tile(t, kw, stride, p, 0); }                                      \
    static void edge_##kw##s##stride##x##p(const dw_tile *t) { tile(t, kw, stride, p, 1); }                                       \
    static void row_##kw##s##stride##x##p(dw_tile *t, float *y) {                                                                 \
        row_in_tiles(t, y, kw, stride, p, inner_##kw##s##stride##x##p, edge_##kw##s##stride##x##p);                               \
    }
ROW(3, 1, 4)
ROW(3, 2, 4)
ROW(5, 1, 4)
ROW(5, 2, 3)
ROW(7, 1, 4)

/* Any kernel: one pixel, the taps that fall inside. */
static void pixel(const leat_dwconv *d, const float *const *rows, int first, int count, int64_t ow, float *y) {
    int64_t channels = d->channels, start = ow * d->stride_w - d->pad_w;
    for (int64_t c = 0; c < channels; c += VEC) {
        __m256i mask = tail_mask(channels - c);
        __m256 acc = d->bias ? _mm256_maskload_ps(d->bias + c, mask) : _mm256_setzero_ps();
        for (int r = 0; r < count; r++) {
            const float *w = d->weights + (first + r) * d->kernel_w * channels + c;
            for (int64_t k = 0; k < d->kernel_w; k++) {
                int64_t iw = start + k * d->dilation_w;
                if (iw < 0 || iw >= d->in_width) continue;
                __m256 x = _mm256_maskload_ps(rows[r] + iw * channels + c, mask);
                acc = _mm256_fmadd_ps(x, _mm256_maskload_ps(w + k * channels, mask), acc);
            }
        }
        _mm256_maskstore_ps(y + ow * channels + c, mask, clip(d, acc));
    }
}

void leat_f32_dwconv_row_avx2(const leat_dwconv *d, const float *const *rows, int first, int count, float *y) {
    dw_tile t = {.d = d, .rows = rows, .first = first, .count = count};
    int64_t kw = d->dilation_w == 1 && d->out_width >= 4 ? d->kernel_w : 0, s = d->stride_w;
    if (kw == 3 && s == 1) row_3s1x4(&t, y);
    else if (kw == 3 && s == 2) row_3s2x4(&t, y);
    else if (kw == 5 && s == 1) row_5s1x4(&t, y);
    else if (kw == 5 && s == 2) row_5s2x3(&t, y);
    else if (kw == 7 && s == 1) row_7s1x4(&t, y);
    else
        for (int64_t ow = 0; ow < d->out_width; ow++) pixel(d, rows, first, count, ow, y);
}
