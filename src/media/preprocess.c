/* preprocess.c - from an image to a network's input in one pass: resize, crop or pad, reorder, normalise, convert.
 *
 * Bilinear resizing is separable.  For each output row the two source rows around it are needed, each shrunk to the output's columns;
 * as output rows go down, a source row serves several of them, so the last two shrunk rows are kept.  Work is therefore one visit to
 * each source row that is used, and the source is never copied.  Scratch: column tables, 2 shrunk rows, an output row.
 * With antialias, an axis that shrinks is summed over its whole footprint instead (antialias.h); the rest stays the same.
 */
#include "leat/media.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "cpu/cpu.h"
#include "cpu/preproc.h"
#include "media/antialias.h"
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

/* ---- the pass ----------------------------------------------------------------------------------------------------------- */

typedef struct pass {
    const leat_preprocess *p;
    const leat_image      *image;
    placement              at;
    int                    begin, end;    /* output columns that the source covers */
    int                    wide;          /* of them, how many may be read 4 bytes at a time */
    int32_t               *at0, *at1;     /* [end - begin] byte offsets in a source row */
    float                 *weight;        /* [end - begin] */
    float                 *shrunk[2][3];  /* source rows at the output's columns, RGB; plane 0 is luma when channels is 1 */
    int                    shrunk_row[2]; /* which rows these are, -1 = none */
    int                    filter_x, filter_y; /* the axis shrinks and antialias is wanted */
    int32_t               *first, *count; /* [end - begin] footprints of the columns, filter_x */
    float                 *weights;       /* of all columns, one after another */
    float                 *sum[2][3];     /* filter_y: output rows y and y + 1 in the making, at y % 2 */
    int                    next_row;      /* first source row that is not in the sums */
    int64_t                sum_row;       /* output row that is complete, -1 = none */
    float                 *line[3];       /* an output row */
    float                 *mixed;         /* the same interleaved */
    float                  mul[3], add[3];
} pass;

static size_t plane_floats(const leat_preprocess *p) { return ((size_t)p->width + 15) / 16 * 16; }

#define PLANES (3 + 6 + 3 + 3)
#define ANTIALIAS_PLANES (2 + 6)

size_t leat_preprocess_scratch_bytes(const leat_preprocess *options) {
    if (!options_are_valid(options)) return 0;
    size_t floats = plane_floats(options) * PLANES;
    if (options->antialias) floats += plane_floats(options) * ANTIALIAS_PLANES + leat__antialias_most_weights(options->width, MAX_SIDE);
    return floats * sizeof(float);
}

static void share_scratch(pass *s, void *scratch) {
    size_t  n = plane_floats(s->p);
    float *next = scratch;
    s->at0 = (int32_t *)next;
    s->at1 = (int32_t *)(next + n);
    s->weight = next + 2 * n;
    for (int c = 0; c < 3; c++) {
        s->shrunk[0][c] = next + (size_t)(3 + c) * n;
        s->shrunk[1][c] = next + (size_t)(6 + c) * n;
        s->line[c] = next + (size_t)(9 + c) * n;
    }
    s->mixed = next + 12 * n;
    if (s->p->antialias) {
        next += PLANES * n;
        s->first = (int32_t *)next;
        s->count = (int32_t *)(next + n);
        for (int c = 0; c < 6; c++) s->sum[c / 3][c % 3] = next + (size_t)(2 + c) * n;
        s->weights = next + ANTIALIAS_PLANES * n;
    }
    s->shrunk_row[0] = s->shrunk_row[1] = -1;
}

/* Source position of output position `to`: the pixel before it and the weight of the next one. */
static int source_position(int64_t to, int64_t start, int64_t resized, int source, float *weight) {
    double at = ((double)(to - start) + 0.5) * source / (double)resized - 0.5;
    if (at <= 0) {
        *weight = 0;
        return 0;
    }
    int before = (int)at;
    if (before >= source - 1) {
        *weight = 0;
        return source - 1;
    }
    *weight = (float)(at - before);
    return before;
}

static void fill_columns(pass *s) {
    int64_t end = s->at.left + s->at.width;
    s->begin = s->at.left > 0 ? (int)s->at.left : 0;
    s->end = end < s->p->width ? (int)end : s->p->width;
    for (int x = s->begin; x < s->end; x++) {
        int i = x - s->begin;
        int before = source_position(x, s->at.left, s->at.width, s->image->width, &s->weight[i]);
        int after = s->weight[i] > 0 ? before + 1 : before;
        s->at0[i] = before * 3;
        s->at1[i] = after * 3;
        if (after < s->image->width - 1) s->wide = i + 1; /* 4 bytes of the row's last pixel would leave it */
    }
}

static void fill_footprints(pass *s) {
    float *w = s->weights;
    for (int x = s->begin; x < s->end; x++) {
        leat_footprint f = leat__footprint(x - s->at.left, s->at.width, s->image->width);
        s->first[x - s->begin] = f.first;
        s->count[x - s->begin] = f.count;
        for (int i = 0; i < f.count; i++) *w++ = (float)leat__footprint_weight(&f, f.first + i);
    }
}

static void to_luma(float *const plane[3], int n) {
    for (int x = 0; x < n; x++) plane[0][x] = 0.299f * plane[0][x] + 0.587f * plane[1][x] + 0.114f * plane[2][x];
}

/* Returns the slot that holds source row `row`, filling one that is not `keep`. */
static int shrink_row(pass *s, int row, int keep) {
    for (int slot = 0; slot < 2; slot++)
        if (s->shrunk_row[slot] == row) return slot;
    int slot = keep == 0 ? 1 : keep == 1 ? 0 : s->shrunk_row[0] > s->shrunk_row[1];
    const uint8_t *data = s->image->data + row * s->image->stride;
    if (s->filter_x) leat__preproc.taps(data, s->image->width, s->first, s->count, s->weights, s->shrunk[slot], s->end - s->begin);
    else leat__preproc.columns(data, s->at0, s->at1, s->weight, s->shrunk[slot], s->end - s->begin, s->wide);
    if (s->p->channels == 1) to_luma(s->shrunk[slot], s->end - s->begin);
    s->shrunk_row[slot] = row;
    return slot;
}

/* Adds source row `row` to output row `y`, if it lies in its footprint. */
static void add_row(pass *s, int64_t y, const leat_footprint *f, int row, int slot) {
    if (row < f->first || row >= f->first + f->count) return;
    float w = (float)leat__footprint_weight(f, row);
    for (int c = 0; c < s->p->channels; c++) leat__preproc.gather(s->shrunk[slot][c], w, s->sum[y % 2][c], s->end - s->begin);
}

static void clear_sum(pass *s, int64_t y) {
    for (int c = 0; c < 3; c++) memset(s->sum[y % 2][c], 0, (size_t)(s->end - s->begin) * sizeof(float));
}

/* Completes the sum of resized row `y`; rows are asked for in ascending order, each by all its channels. */
static void sum_rows(pass *s, int64_t y) {
    if (s->sum_row == y) return;
    leat_footprint now = leat__footprint(y, s->at.height, s->image->height), then = leat__footprint(y + 1, s->at.height, s->image->height);
    if (s->sum_row < 0 || s->sum_row != y - 1) {
        clear_sum(s, y);
        s->next_row = now.first;
    }
    clear_sum(s, y + 1);
    for (; s->next_row < now.first + now.count; s->next_row++) {
        int slot = shrink_row(s, s->next_row, -1);
        add_row(s, y, &now, s->next_row, slot);
        add_row(s, y + 1, &then, s->next_row, slot);
    }
    s->sum_row = y;
}

static void fill(float *to, float value, int n) {
    for (int x = 0; x < n; x++) to[x] = value;
}

static float pad_value(const pass *s, int c) {
    const uint8_t *pad = s->p->pad;
    int plane = s->p->bgr ? 2 - c : c;
    float v = s->p->channels == 1 ? 0.299f * pad[0] + 0.587f * pad[1] + 0.114f * pad[2] : pad[plane];
    return v * s->mul[c] + s->add[c];
}

/* Computes channel c of output row y into `out` [width]. */
static void make_line(pass *s, int64_t y, int c, float *out) {
    float pad = pad_value(s, c), weight;
    if (y < s->at.top || y >= s->at.top + s->at.height) {
        fill(out, pad, s->p->width);
        return;
    }
    int plane = s->p->channels == 1 ? 0 : s->p->bgr ? 2 - c : c;
    fill(out, pad, s->begin);
    fill(out + s->end, pad, s->p->width - s->end);
    if (s->filter_y) {
        sum_rows(s, y - s->at.top);
        const float *sum = s->sum[(y - s->at.top) % 2][plane];
        leat__preproc.rows(sum, sum, 0, s->mul[c], s->add[c], out + s->begin, s->end - s->begin);
        return;
    }
    int above = source_position(y, s->at.top, s->at.height, s->image->height, &weight);
    int a = shrink_row(s, above, -1);
    int b = weight > 0 ? shrink_row(s, above + 1, a) : a;
    leat__preproc.rows(s->shrunk[a][plane], s->shrunk[b][plane], weight, s->mul[c], s->add[c], out + s->begin, s->end - s->begin);
}

static void store(const pass *s, const float *from, void *out, size_t at, int n) {
    if (s->p->dtype == LEAT_DTYPE_F16) leat__preproc.to_f16(from, (uint16_t *)out + at, n);
    else if (s->p->dtype == LEAT_DTYPE_U8) leat__preproc.to_u8(from, (uint8_t *)out + at, n);
    else memcpy((float *)out + at, from, (size_t)n * sizeof(float));
}

static void store_planes(pass *s, int64_t y, void *out) {
    size_t width = (size_t)s->p->width, plane = width * (size_t)s->p->height;
    for (int c = 0; c < s->p->channels; c++) {
        size_t at = (size_t)c * plane + (size_t)y * width;
        if (s->p->dtype == LEAT_DTYPE_F32) {
            make_line(s, y, c, (float *)out + at);
        } else {
            make_line(s, y, c, s->line[0]);
            store(s, s->line[0], out, at, s->p->width);
        }
    }
}

static void store_interleaved(pass *s, int64_t y, void *out) {
    for (int c = 0; c < 3; c++) make_line(s, y, c, s->line[c]);
    leat__preproc.interleave(s->line[0], s->line[1], s->line[2], s->mixed, s->p->width);
    store(s, s->mixed, out, (size_t)y * (size_t)s->p->width * 3, s->p->width * 3);
}

int leat_preprocess_run(const leat_preprocess *options, const leat_image *image, void *out, void *scratch) {
    if (!options_are_valid(options) || !leat__image_is_valid(image) || image->width > MAX_SIDE || image->height > MAX_SIDE || !out || !scratch)
        return LEAT_EINVAL;
    leat__cpu_init();
    pass s = {.p = options, .image = image, .at = place(options, image->width, image->height)};
    s.filter_x = options->antialias && s.at.width < image->width;
    s.filter_y = options->antialias && s.at.height < image->height;
    s.sum_row = -1;
    share_scratch(&s, scratch);
    fill_columns(&s);
    if (s.filter_x) fill_footprints(&s);
    for (int c = 0; c < options->channels; c++) {
        s.mul[c] = options->scale / options->std[c];
        s.add[c] = -options->mean[c] / options->std[c];
    }
    for (int64_t y = 0; y < options->height; y++) {
        if (options->nhwc && options->channels == 3) store_interleaved(&s, y, out);
        else store_planes(&s, y, out);
    }
    return LEAT_OK;
}
