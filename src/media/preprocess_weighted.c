/* preprocess_weighted.c - output pixels as weighted sums, first of rows, then of columns: planar formats, and shrinking with antialiasing.
 *
 * Resizing is separable.  Each output row is a weighted sum of source rows, taken on the bytes as they lie; each output pixel is
 * then a weighted sum of a few cells of that sum.  Both are contiguous walks.  The weighted row must be held: to need scratch that
 * depends on the options only, the work goes in strips of output columns that span at most STRIP source pixels (one strip for
 * pictures up to that width).  4:2:0 chroma planes are walked on their own, half as large, chroma sample c standing at pixel 2c.
 *
 * Without antialiasing two neighbours are mixed in each direction, which has a kernel of its own.  Packed formats do that faster from their
 * bytes (preprocess_bilinear.c); planes do not: the bytes that belong to an output pixel lie in three places.
 */
#include "media/preprocess_pass.h"

#include <math.h>

#define STRIP 2048       /* source pixels of a weighted row */
#define MOST_SUPPORT 500 /* half the source pixels that one output pixel may average */
#define ROW_TAPS (2 * MOST_SUPPORT + 4)

/* The source pixels [first, first + taps) that make one output pixel, in one direction. */
typedef struct span {
    int first, taps;
} span;

/* One direction of one plane. */
typedef struct axis {
    int64_t first, crop, resized, size; /* of the plane 0; size of this one */
    int     halved, box, pairs;         /* pairs: two neighbours, always */
    double  support;                    /* half width of the window */
} axis;

/* The weights of one group of columns in the planes of one size. */
typedef struct columns {
    axis     x, y;
    int      source, n_source; /* source columns of the strip */
    int32_t *first, *taps;     /* [width], relative to `source` */
    float   *weights;
} columns;

typedef struct mixer {
    leat_pre_pass *pass;
    columns        luma, chroma;         /* chroma: 4:2:0 only */
    int            begin, end, from, to; /* of the strip; of them, columns that the source covers */
    float         *sum, *spread, *row_weights;
} mixer;

static axis axis_of(int64_t first, int64_t crop, int64_t resized, int64_t size, int halved, int antialias) {
    double scale = (double)crop / (double)resized * (halved ? 0.5 : 1);
    int    shrinks = antialias != LEAT_ANTIALIAS_NONE && scale > 1;
    axis   a = {.first = first, .crop = crop, .resized = resized, .size = halved ? (size + 1) / 2 : size, .halved = halved, .support = 1};
    a.box = shrinks && antialias == LEAT_ANTIALIAS_AREA;
    a.pairs = !shrinks && a.size > 1;
    if (shrinks) a.support = a.box ? scale / 2 : scale;
    if (a.support > MOST_SUPPORT) a.support = MOST_SUPPORT;
    return a;
}

static double weight_of(const axis *a, double centre, int i) {
    if (!a->box) return 1 - fabs(i + 0.5 - centre) / a->support;
    return fmin(i + 1, centre + a->support) - fmax(i, centre - a->support);
}

/* Two neighbours around position s, clamped. */
static span weigh_pair(const axis *a, double s, float *weights) {
    double below = fmin(fmax(floor(s), 0), (double)(a->size - 2)), fraction = fmin(fmax(s - below, 0), 1);
    weights[0] = (float)(1 - fraction);
    weights[1] = (float)fraction;
    return (span){(int)below, 2};
}

/* A triangle or a box around the centre of output coordinate `to` (of the resized rectangle); weights [ROW_TAPS] sum to 1. */
static span weigh(const axis *a, int64_t to, float *weights) {
    double position = leat__pre_position(to, a->first, a->crop, a->resized), s = a->halved ? position * 0.5 : position, centre = s + 0.5, sum = 0;
    if (a->pairs) return weigh_pair(a, s, weights);
    int    low = (int)fmax(floor(centre - a->support), 0), high = (int)fmin(ceil(centre + a->support), (double)a->size);
    for (; low < high - 1 && weight_of(a, centre, low) <= 0; low++) continue;
    for (; low < high - 1 && weight_of(a, centre, high - 1) <= 0; high--) continue;
    for (int i = low; i < high; i++) {
        double w = weight_of(a, centre, i);
        weights[i - low] = w > 0 ? (float)w : 0;
        sum += weights[i - low];
    }
    for (int i = low; i < high; i++) weights[i - low] = (float)(weights[i - low] / sum);
    return (span){low, high - low};
}

static size_t weight_floats(size_t width) { return 2 * STRIP + 4 * width + ROW_TAPS; }

size_t leat__pre_weighted_floats(size_t width) { return 2 * (2 * width + weight_floats(width)) + 2 * (4 * STRIP + 16) + ROW_TAPS; }

static float *share_columns(columns *c, float *next, size_t width) {
    c->first = (int32_t *)next;
    c->taps = (int32_t *)(next + width);
    c->weights = next + 2 * width;
    return c->weights + weight_floats(width);
}

static void start(mixer *a, leat_pre_pass *pass) {
    const leat_pre_place *at = &pass->at;
    const leat_frame     *f = pass->frame;
    size_t width = ((size_t)pass->p->width + 15) / 16 * 16;
    float *next = pass->rest;
    *a = (mixer){.pass = pass, .from = pass->from, .to = pass->from};
    for (int halved = 0; halved < 2; halved++) {
        columns *c = halved ? &a->chroma : &a->luma;
        c->x = axis_of(at->x, at->crop_width, at->width, f->width, halved, pass->p->antialias);
        c->y = axis_of(at->y, at->crop_height, at->height, f->height, halved, pass->p->antialias);
        next = share_columns(c, next, width);
    }
    a->sum = next;
    a->spread = a->sum + 4 * STRIP + 16;
    a->row_weights = a->spread + 4 * STRIP + 16;
}

/* Appends output column `column` as number x of the strip; false when it would reach beyond what a strip may span. */
static int add_column(columns *c, int64_t column, int x, size_t *used) {
    span s = weigh(&c->x, column, c->weights + *used);
    if (x == 0) c->source = s.first;
    if (s.first + s.taps - c->source > STRIP) return 0;
    c->n_source = s.first + s.taps - c->source;
    c->first[x] = s.first - c->source;
    c->taps[x] = s.taps;
    *used += (size_t)s.taps;
    return 1;
}

/* Takes output columns from a->from on, as many as fit. */
static void fill_strip(mixer *a) {
    size_t used = 0, chroma_used = 0, room = weight_floats((size_t)a->pass->p->width) - ROW_TAPS;
    for (a->to = a->from; a->to < a->pass->to && used <= room && chroma_used <= room; a->to++) {
        int64_t column = a->to - a->pass->at.left;
        if (!add_column(&a->luma, column, a->to - a->from, &used)) break;
        if (a->pass->is_planar && !add_column(&a->chroma, column, a->to - a->from, &chroma_used)) break;
    }
}

/* Mixes `plane`, cells of `bytes` bytes, into out[0..bytes). */
static void mix_plane(mixer *a, const columns *c, int plane, int bytes, int64_t row, float *const out[3]) {
    const leat_frame *f = a->pass->frame;
    span rows = weigh(&c->y, row, a->row_weights);
    const uint8_t *source = f->plane[plane] + rows.first * f->stride[plane] + (int64_t)bytes * c->source;
    leat__preproc.rows(source, f->stride[plane], a->row_weights, rows.taps, a->sum, bytes * c->n_source);
    if (c->x.pairs && bytes < 3) leat__preproc.pairs(a->sum, bytes, c->first, c->weights, out, a->to - a->from);
    else leat__preproc.columns(a->sum, bytes, c->first, c->taps, c->weights, out, a->to - a->from);
}

/* 4:2:2: the weighted row of pairs becomes one of pixels [Y U V -]. */
static void mix_packed_pairs(mixer *a, int64_t row) {
    const leat_frame *f = a->pass->frame;
    const columns    *c = &a->luma;
    int   yuy2 = f->format == LEAT_PIXEL_YUY2, first = c->source / 2, pairs = (c->source + c->n_source + 1) / 2 - first;
    span  rows = weigh(&c->y, row, a->row_weights);
    leat__preproc.rows(f->plane[0] + rows.first * f->stride[0] + 4 * (int64_t)first, f->stride[0], a->row_weights, rows.taps, a->sum, 4 * pairs);
    for (int i = 0; i < c->n_source; i++) {
        int          odd = (c->source + i) & 1;
        const float *pair = a->sum + 4 * ((c->source + i) / 2 - first);
        float       *to = a->spread + 4 * (int64_t)i;
        to[0] = pair[yuy2 ? 2 * odd : 2 * odd + 1];
        to[1] = pair[yuy2 ? 1 : 0];
        to[2] = pair[yuy2 ? 3 : 2];
    }
    leat__preproc.columns(a->spread, 4, c->first, c->taps, c->weights, a->pass->line, a->to - a->from);
}

static void mix_row(mixer *a, int64_t row) {
    float *const *line = a->pass->line, *const reversed[3] = {line[2], line[1], line[0]}, *const u[3] = {line[1], line[2]}, *const v[3] = {line[2]};
    switch (a->pass->frame->format) {
    case LEAT_PIXEL_RGB24: mix_plane(a, &a->luma, 0, 3, row, line); break;
    case LEAT_PIXEL_BGR24: mix_plane(a, &a->luma, 0, 3, row, reversed); break;
    case LEAT_PIXEL_RGBA: mix_plane(a, &a->luma, 0, 4, row, line); break;
    case LEAT_PIXEL_BGRA: mix_plane(a, &a->luma, 0, 4, row, reversed); break;
    case LEAT_PIXEL_UYVY:
    case LEAT_PIXEL_YUY2: mix_packed_pairs(a, row); break;
    case LEAT_PIXEL_NV12:
        mix_plane(a, &a->luma, 0, 1, row, line);
        mix_plane(a, &a->chroma, 1, 2, row, u);
        break;
    default:
        mix_plane(a, &a->luma, 0, 1, row, line);
        mix_plane(a, &a->chroma, 1, 1, row, u);
        mix_plane(a, &a->chroma, 2, 1, row, v);
    }
}

void leat__pre_weighted(leat_pre_pass *pass, int begin, int end) {
    const leat_pre_place *at = &pass->at;
    mixer a;
    start(&a, pass);
    for (; a.begin < pass->p->width; a.begin = a.end, a.from = a.to) {
        fill_strip(&a);
        a.end = a.to == pass->to ? pass->p->width : a.to;
        for (int64_t y = begin; y < end; y++) {
            int covered = y >= at->top && y < at->top + at->height;
            if (covered) mix_row(&a, y - at->top);
            leat__pre_emit(pass, y, a.begin, a.end, covered ? a.from : a.begin, covered ? a.to : a.begin);
        }
    }
}
