/* preprocess.c - from an image to a network's input: resize, crop or pad, reorder, normalise, convert, without an intermediate image.
 *
 * Linear resizing is separable.  Each output row is a weighted sum of source rows (2, or more when it shrinks with antialiasing), taken on
 * the bytes as they lie; each output pixel is then a weighted sum of a few pixels of that sum.  Both are contiguous walks.  The weighted
 * row must be held: to need scratch that depends on the options only, the work goes in strips of output columns that span at most
 * STRIP source pixels (one strip for images up to that width).
 */
#include "leat/media.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "cpu/cpu.h"
#include "cpu/preproc.h"
#include "media/image_codec.h"

#define MAX_SIDE 65535

void leat_preprocess_default(leat_preprocess *options) {
    *options = (leat_preprocess){
        .size = sizeof *options, .width = 224, .height = 224, .fit = LEAT_FIT_CROP, .crop_ratio = 256.0f / 224.0f, .antialias = 1,
        .pad = {114, 114, 114}, .channels = 3, .dtype = LEAT_DTYPE_F32, .scale = 1.0f / 255.0f,
        .mean = {0.485f, 0.456f, 0.406f}, .std = {0.229f, 0.224f, 0.225f}};
}

static int options_are_valid(const leat_preprocess *p) {
    if (!p || p->width < 1 || p->height < 1 || p->width > MAX_SIDE || p->height > MAX_SIDE) return 0;
    if (p->channels != 1 && p->channels != 3) return 0;
    if (p->dtype != LEAT_DTYPE_F32 && p->dtype != LEAT_DTYPE_F16 && p->dtype != LEAT_DTYPE_U8) return 0;
    if (p->fit == LEAT_FIT_CROP && !(p->crop_ratio >= 1.0f && p->crop_ratio <= 16.0f)) return 0;
    for (int c = 0; c < p->channels; c++)
        if (p->std[c] == 0.0f || !isfinite(p->std[c]) || !isfinite(p->mean[c])) return 0;
    return isfinite(p->scale);
}

/* ---- placement ---------------------------------------------------------------------------------------------------------- */

typedef struct placement {
    int64_t width, height; /* of the whole resized source */
    int64_t left, top;     /* of it in the output; negative when cropped */
} placement;

static int64_t at_least(double value, int64_t least) {
    int64_t v = (int64_t)value;
    return v > least ? v : least;
}

static placement place(const leat_preprocess *p, int width, int height) {
    double sx = (double)p->width / width, sy = (double)p->height / height;
    if (p->fit == LEAT_FIT_STRETCH) return (placement){p->width, p->height, 0, 0};
    if (p->fit == LEAT_FIT_CROP) {
        double s = (sx > sy ? sx : sy) * p->crop_ratio;
        placement r = {at_least(rint(width * s), p->width), at_least(rint(height * s), p->height), 0, 0};
        r.left = -((r.width - p->width) / 2);
        r.top = -((r.height - p->height) / 2);
        return r;
    }
    double s = sx < sy ? sx : sy;
    placement r = {at_least(rint(width * s), 1), at_least(rint(height * s), 1), 0, 0};
    if (p->fit == LEAT_FIT_LETTERBOX) {
        r.left = (p->width - r.width) / 2;
        r.top = (p->height - r.height) / 2;
    }
    return r;
}

int leat_preprocess_place(const leat_preprocess *options, int width, int height, leat_placement *out) {
    if (!options_are_valid(options) || width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE) return LEAT_EINVAL;
    placement r = place(options, width, height);
    *out = (leat_placement){(float)((double)r.width / width), (float)((double)r.height / height), (float)r.left, (float)r.top,
                            (int32_t)r.width, (int32_t)r.height};
    return LEAT_OK;
}

/* ---- weights ------------------------------------------------------------------------------------------------------------ */

#define STRIP 2048      /* source pixels of a weighted row */
#define MOST_SUPPORT 500 /* half the source pixels that one output pixel may average */
#define ROW_TAPS (2 * MOST_SUPPORT + 4)

/* The source pixels [first, first + taps) that make one output pixel, in one direction. */
typedef struct span {
    int first, taps;
} span;

static double support_of(const leat_preprocess *p, int64_t resized, int source) {
    double scale = (double)source / (double)resized;
    if (!p->antialias || scale < 1) return 1;
    return scale < MOST_SUPPORT ? scale : MOST_SUPPORT;
}

/* Triangle of half width `support` around the centre of output pixel `to` (of the resized image); weights [ROW_TAPS] sum to 1. */
static span weigh(int64_t to, int64_t resized, int source, double support, float *weights) {
    double centre = ((double)to + 0.5) * source / (double)resized, sum = 0;
    int    low = (int)(centre - support + 0.5), high = (int)(centre + support + 0.5);
    if (low < 0 || centre - support + 0.5 < 0) low = 0;
    if (high > source) high = source;
    for (int i = low; i < high; i++) {
        double w = 1 - fabs(i + 0.5 - centre) / support;
        weights[i - low] = w > 0 ? (float)w : 0;
        sum += weights[i - low];
    }
    for (int i = low; i < high; i++) weights[i - low] = (float)(weights[i - low] / sum);
    while (high - low > 1 && weights[high - low - 1] == 0) high--;
    return (span){low, high - low};
}

/* ---- the pass ----------------------------------------------------------------------------------------------------------- */

typedef struct pass {
    const leat_preprocess *p;
    const leat_image      *image;
    placement              at;
    double                 support_x, support_y;
    int                    begin, end;  /* output columns of this strip */
    int                    from, to;    /* of them, those that the source covers */
    int                    source, n_source; /* source columns of the strip */
    int32_t               *first, *taps; /* [to - from] relative to `source` */
    float                 *column_weights, *row_weights;
    float                 *sum;         /* [STRIP][3] weighted source row */
    float                 *line[3];     /* an output row of the strip */
    float                 *mixed;       /* the same interleaved */
    float                  mul[3], add[3];
} pass;

static size_t plane_floats(const leat_preprocess *p) { return ((size_t)p->width + 15) / 16 * 16; }
static size_t column_weight_floats(const leat_preprocess *p) { return 2 * STRIP + 4 * plane_floats(p) + ROW_TAPS; }

size_t leat_preprocess_scratch_bytes(const leat_preprocess *options) {
    if (!options_are_valid(options)) return 0;
    return (8 * plane_floats(options) + column_weight_floats(options) + ROW_TAPS + 3 * STRIP + 16) * sizeof(float);
}

static void share_scratch(pass *s, void *scratch) {
    size_t n = plane_floats(s->p);
    float *next = scratch;
    for (int c = 0; c < 3; c++) s->line[c] = next + (size_t)c * n;
    s->mixed = next + 3 * n;
    s->first = (int32_t *)(next + 6 * n);
    s->taps = (int32_t *)(next + 7 * n);
    s->sum = next + 8 * n;
    s->row_weights = s->sum + 3 * STRIP + 16;
    s->column_weights = s->row_weights + ROW_TAPS;
}

/* Takes output columns from s->from on, up to `last`, while they span at most STRIP source pixels and their weights have room. */
static void fill_columns(pass *s, int last) {
    size_t used = 0, room = column_weight_floats(s->p) - ROW_TAPS;
    for (s->to = s->from; s->to < last && used <= room; s->to++) {
        int  x = s->to - s->from;
        span c = weigh(s->to - s->at.left, s->at.width, s->image->width, s->support_x, s->column_weights + used);
        if (x == 0) s->source = c.first;
        if (c.first + c.taps - s->source > STRIP) break;
        s->n_source = c.first + c.taps - s->source;
        s->first[x] = c.first - s->source;
        s->taps[x] = c.taps;
        used += (size_t)c.taps;
    }
}

static void fill(float *to, float value, int n) {
    for (int x = 0; x < n; x++) to[x] = value;
}

static float luma(float r, float g, float b) { return 0.299f * r + 0.587f * g + 0.114f * b; }

static int plane_of(const pass *s, int c) { return s->p->channels == 1 ? 0 : s->p->bgr ? 2 - c : c; }

static void fill_padding(pass *s, int c, int from, int n) {
    const uint8_t *pad = s->p->pad;
    float v = s->p->channels == 1 ? luma(pad[0], pad[1], pad[2]) : pad[plane_of(s, c)];
    fill(s->line[plane_of(s, c)] + from, v * s->mul[c] + s->add[c], n);
}

/* Computes the strip of output row y into s->line, normalised. */
static void make_lines(pass *s, int64_t y) {
    int covered = y >= s->at.top && y < s->at.top + s->at.height, left = s->from - s->begin, n = s->to - s->from;
    if (!covered) {
        for (int c = 0; c < s->p->channels; c++) fill_padding(s, c, 0, s->end - s->begin);
        return;
    }
    if (n > 0) {
        span rows = weigh(y - s->at.top, s->at.height, s->image->height, s->support_y, s->row_weights);
        float *const out[3] = {s->line[0] + left, s->line[1] + left, s->line[2] + left};
        const uint8_t *source = s->image->data + rows.first * s->image->stride + 3 * (int64_t)s->source;
        leat__preproc.rows(source, s->image->stride, s->row_weights, rows.taps, s->sum, 3 * s->n_source);
        leat__preproc.columns(s->sum, s->first, s->taps, s->column_weights, out, n);
        for (int x = 0; s->p->channels == 1 && x < n; x++) out[0][x] = luma(out[0][x], out[1][x], out[2][x]);
    }
    for (int c = 0; c < s->p->channels; c++) {
        leat__preproc.affine(s->line[plane_of(s, c)] + left, s->mul[c], s->add[c], n);
        fill_padding(s, c, 0, left);
        fill_padding(s, c, left + n, s->end - s->to);
    }
}

static void store(const pass *s, const float *from, void *out, size_t at, int n) {
    if (s->p->dtype == LEAT_DTYPE_F16) leat__preproc.to_f16(from, (uint16_t *)out + at, n);
    else if (s->p->dtype == LEAT_DTYPE_U8) leat__preproc.to_u8(from, (uint8_t *)out + at, n);
    else memcpy((float *)out + at, from, (size_t)n * sizeof(float));
}

static void store_lines(pass *s, int64_t y, void *out) {
    size_t width = (size_t)s->p->width, plane = width * (size_t)s->p->height, at = (size_t)y * width + (size_t)s->begin;
    int n = s->end - s->begin;
    if (s->p->nhwc && s->p->channels == 3) {
        leat__preproc.interleave(s->line[plane_of(s, 0)], s->line[1], s->line[plane_of(s, 2)], s->mixed, n);
        store(s, s->mixed, out, at * 3, n * 3);
        return;
    }
    for (int c = 0; c < s->p->channels; c++) store(s, s->line[plane_of(s, c)], out, (size_t)c * plane + at, n);
}

int leat_preprocess_run(const leat_preprocess *options, const leat_image *image, void *out, void *scratch) {
    if (!options_are_valid(options) || !leat__image_is_valid(image) || image->width > MAX_SIDE || image->height > MAX_SIDE || !out || !scratch)
        return LEAT_EINVAL;
    leat__cpu_init();
    pass s = {.p = options, .image = image, .at = place(options, image->width, image->height)};
    int64_t right = s.at.left + s.at.width;
    int     last = right < options->width ? (int)right : options->width;
    s.support_x = support_of(options, s.at.width, image->width);
    s.support_y = support_of(options, s.at.height, image->height);
    share_scratch(&s, scratch);
    for (int c = 0; c < options->channels; c++) {
        s.mul[c] = options->scale / options->std[c];
        s.add[c] = -options->mean[c] / options->std[c];
    }
    for (s.from = s.at.left > 0 ? (int)s.at.left : 0; s.begin < options->width; s.begin = s.end, s.from = s.to) {
        fill_columns(&s, last);
        s.end = s.to == last ? options->width : s.to;
        for (int64_t y = 0; y < options->height; y++) {
            make_lines(&s, y);
            store_lines(&s, y, out);
        }
    }
    return LEAT_OK;
}
