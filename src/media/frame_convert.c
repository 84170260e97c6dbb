/* frame_convert.c - leat_frame_convert(): any pixel format to any other, in tiles of two rows by TILE pixels.
 *
 * A tile is brought into one of two shapes: *yuv*, two rows of Y with one row of U and V for each (the same one for both rows of 4:2:0),
 * or *rgb*, two rows of pixels.  Pointers go straight into the frames where their layout is that of the shape; else the tile passes
 * through scratch on the stack, which stays in the first-level cache.  Between YUV formats of one matrix and range nothing is computed,
 * samples only move; otherwise they go through RGB.
 */
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/yuv.h"
#include "media/frame.h"

#define TILE 1024 /* pixels, a multiple of 64 */

typedef struct yuv_rows {
    uint8_t *y[2], *u[2], *v[2]; /* u[1] == u[0] where two rows share chroma */
} yuv_rows;

typedef struct scratch {
    uint8_t y[2][TILE], u[2][TILE / 2], v[2][TILE / 2], pairs[TILE], rgb[2][TILE * 3];
} scratch;

typedef struct job {
    const leat_frame *source;
    leat_frame       *target;
    leat_yuv_inverse  inverse;
    leat_yuv_forward  forward;
    scratch           s;
} job;

static int is_yuv(leat_pixel_format f) { return f >= LEAT_PIXEL_UYVY; }
static int is_packed(leat_pixel_format f) { return f == LEAT_PIXEL_UYVY || f == LEAT_PIXEL_YUY2; }
static int rgb_step(leat_pixel_format f) { return f == LEAT_PIXEL_RGB24 || f == LEAT_PIXEL_BGR24 ? 3 : 4; }
static int blue_first(leat_pixel_format f) { return f == LEAT_PIXEL_BGR24 || f == LEAT_PIXEL_BGRA; }

/* The byte of plane p at pixel x (even) of row y; plane 1 and 2 in their own rows. */
static uint8_t *at(const leat_frame *f, int p, int x, int y) {
    const leat_pixel_traits *t = leat__pixel_traits(f->format);
    int64_t offset = p == 0 ? (int64_t)x / t->pixels * t->bytes : (int64_t)x / 2 * (t->planes == 2 ? 2 : 1);
    return f->plane[p] + (int64_t)(p && t->halved ? y / 2 : y) * f->stride[p] + offset;
}

/* ---- tiles of a YUV frame -------------------------------------------------------------------------------------------------- */

/* Splits `groups` groups of four bytes into 2 * groups of luma, and chroma; the frame's row may end inside its last group's luma. */
static void split_packed(job *j, const uint8_t *row, int groups, uint8_t *y, uint8_t *u, uint8_t *v) {
    int luma_first = j->source->format == LEAT_PIXEL_YUY2;
    leat__yuv.split(row, luma_first ? y : j->s.pairs, luma_first ? j->s.pairs : y, 2 * groups);
    leat__yuv.split(j->s.pairs, u, v, groups);
}

/* The tile at (x, y) of the source as rows; y1 is y + 1 or, below an odd height, y. */
static yuv_rows load_yuv(job *j, int x, int y, int y1, int n) {
    const leat_frame *f = j->source;
    scratch *s = &j->s;
    int half = (n + 1) / 2;
    if (is_packed(f->format)) {
        split_packed(j, at(f, 0, x, y), half, s->y[0], s->u[0], s->v[0]);
        split_packed(j, at(f, 0, x, y1), half, s->y[1], s->u[1], s->v[1]);
        return (yuv_rows){{s->y[0], s->y[1]}, {s->u[0], s->u[1]}, {s->v[0], s->v[1]}};
    }
    yuv_rows r = {{at(f, 0, x, y), at(f, 0, x, y1)}, {s->u[0], s->u[0]}, {s->v[0], s->v[0]}};
    if (f->format == LEAT_PIXEL_NV12) leat__yuv.split(at(f, 1, x, y), s->u[0], s->v[0], half);
    else r.u[0] = r.u[1] = at(f, 1, x, y), r.v[0] = r.v[1] = at(f, 2, x, y);
    return r;
}

static void join_packed(job *j, uint8_t *row, int n, const uint8_t *y, const uint8_t *u, const uint8_t *v) {
    int luma_first = j->target->format == LEAT_PIXEL_YUY2, half = (n + 1) / 2, whole = n / 2 * 2;
    leat__yuv.join(u, v, j->s.pairs, half);
    leat__yuv.join(luma_first ? y : j->s.pairs, luma_first ? j->s.pairs : y, row, whole);
    if (whole == n) return;
    uint8_t *last = row + 2 * (int64_t)whole; /* an odd last pixel is repeated */
    last[luma_first ? 0 : 1] = last[luma_first ? 2 : 3] = y[whole];
    last[luma_first ? 1 : 0] = u[half - 1];
    last[luma_first ? 3 : 2] = v[half - 1];
}

/* Rows into a packed target. */
static void store_packed(job *j, yuv_rows r, int x, int y, int y1, int n) {
    leat_frame *f = j->target;
    join_packed(j, at(f, 0, x, y), n, r.y[0], r.u[0], r.v[0]);
    if (y1 != y) join_packed(j, at(f, 0, x, y1), n, r.y[1], r.u[1], r.v[1]);
}

/* ---- between the shapes ---------------------------------------------------------------------------------------------------- */

static void yuv_to_rgb(job *j, yuv_rows r, uint8_t *out0, uint8_t *out1, int step, int n) {
    leat__yuv.to_rgb(r.y[0], r.u[0], r.v[0], out0, step, n, &j->inverse);
    if (out1 != out0) leat__yuv.to_rgb(r.y[1], r.u[1], r.v[1], out1, step, n, &j->inverse);
}

/* Two rows of pixels into the YUV target. */
static void rgb_to_yuv(job *j, const uint8_t *in0, const uint8_t *in1, int step, int x, int y, int y1, int n) {
    leat_frame *f = j->target;
    scratch *s = &j->s;
    if (is_packed(f->format)) { /* each row has its own chroma: a row with itself */
        leat__yuv.from_rgb(in0, in0, step, s->y[0], s->y[0], s->u[0], s->v[0], n, &j->forward);
        leat__yuv.from_rgb(in1, in1, step, s->y[1], s->y[1], s->u[1], s->v[1], n, &j->forward);
        store_packed(j, (yuv_rows){{s->y[0], s->y[1]}, {s->u[0], s->u[1]}, {s->v[0], s->v[1]}}, x, y, y1, n);
        return;
    }
    int planar = f->format == LEAT_PIXEL_I420;
    uint8_t *u = planar ? at(f, 1, x, y) : s->u[0], *v = planar ? at(f, 2, x, y) : s->v[0];
    leat__yuv.from_rgb(in0, in1, step, at(f, 0, x, y), at(f, 0, x, y1), u, v, n, &j->forward);
    if (!planar) leat__yuv.join(u, v, at(f, 1, x, y), (n + 1) / 2);
}

static int same_yuv(const leat_frame *a, const leat_frame *b) {
    return a->matrix == b->matrix && !a->full_range == !b->full_range;
}

static void convert_tile(job *j, int x, int y, int y1, int n) {
    const leat_frame *source = j->source;
    leat_frame *target = j->target;
    if (is_yuv(source->format)) {
        yuv_rows r = load_yuv(j, x, y, y1, n);
        if (!is_yuv(target->format)) {
            yuv_to_rgb(j, r, at(target, 0, x, y), at(target, 0, x, y1), rgb_step(target->format), n);
        } else if (same_yuv(source, target)) {
            store_packed(j, r, x, y, y1, n);
        } else {
            yuv_to_rgb(j, r, j->s.rgb[0], y1 != y ? j->s.rgb[1] : j->s.rgb[0], 3, n);
            rgb_to_yuv(j, j->s.rgb[0], y1 != y ? j->s.rgb[1] : j->s.rgb[0], 3, x, y, y1, n);
        }
        return;
    }
    int step = rgb_step(source->format);
    if (is_yuv(target->format)) {
        rgb_to_yuv(j, at(source, 0, x, y), at(source, 0, x, y1), step, x, y, y1, n);
        return;
    }
    int swap = blue_first(source->format) != blue_first(target->format), to = rgb_step(target->format);
    for (int row = y; row <= y1; row++) leat__yuv.reorder(at(source, 0, x, row), step, at(target, 0, x, row), to, swap, n);
}

/* ---- between YUV formats of one matrix and range, without scratch where that is possible ------------------------------------ */

/* Packed 4:2:2 to 4:2:0: luma straight to its place; the rows' chroma averaged while it is still interleaved. */
static void packed_tile(job *j, int x, int y, int y1, int n) {
    leat_frame *target = j->target;
    int luma_first = j->source->format == LEAT_PIXEL_YUY2, half = (n + 1) / 2, whole = n / 2 * 2;
    uint8_t *pairs[2] = {j->s.pairs, j->s.rgb[0]};
    for (int r = 0; r < 2; r++) {
        const uint8_t *row = at(j->source, 0, x, r ? y1 : y);
        uint8_t *luma = at(target, 0, x, r ? y1 : y);
        leat__yuv.split(row, luma_first ? luma : pairs[r], luma_first ? pairs[r] : luma, whole);
        if (whole == n) continue; /* an odd width ends inside a group */
        const uint8_t *last = row + 2 * (int64_t)whole;
        luma[whole] = last[luma_first ? 0 : 1];
        pairs[r][whole] = last[luma_first ? 1 : 0];
        pairs[r][whole + 1] = last[luma_first ? 3 : 2];
    }
    uint8_t *chroma = target->format == LEAT_PIXEL_NV12 ? at(target, 1, x, y) : pairs[0];
    leat__yuv.average(pairs[0], pairs[1], chroma, 2 * half);
    if (target->format == LEAT_PIXEL_I420) leat__yuv.split(chroma, at(target, 1, x, y), at(target, 2, x, y), half);
}

static void copy_plane(const leat_frame *source, leat_frame *target, int p) {
    size_t bytes = (size_t)leat__plane_row_bytes(source->format, p, source->width);
    int rows = leat__plane_rows(source->format, p, source->height);
    if (source->stride[p] == (int64_t)bytes && target->stride[p] == (int64_t)bytes) bytes *= (size_t)rows, rows = 1;
    for (int y = 0; y < rows; y++) memcpy(target->plane[p] + y * target->stride[p], source->plane[p] + y * source->stride[p], bytes);
}

/* NV12 to I420 or back. */
static void relay_planes(const leat_frame *source, leat_frame *target) {
    int half = (source->width + 1) / 2;
    copy_plane(source, target, 0);
    for (int y = 0; y < source->height; y += 2) {
        if (source->format == LEAT_PIXEL_NV12) leat__yuv.split(at(source, 1, 0, y), at(target, 1, 0, y), at(target, 2, 0, y), half);
        else leat__yuv.join(at(source, 1, 0, y), at(source, 2, 0, y), at(target, 1, 0, y), half);
    }
}

static void copy_planes(const leat_frame *source, leat_frame *target) {
    for (int p = 0; p < leat__pixel_traits(source->format)->planes; p++) copy_plane(source, target, p);
}

static void convert_tiles(job *j, void (*tile)(job *j, int x, int y, int y1, int n)) {
    int width = j->source->width, height = j->source->height;
    for (int y = 0; y < height; y += 2)
        for (int x = 0; x < width; x += TILE) tile(j, x, y, y + 1 < height ? y + 1 : y, width - x < TILE ? width - x : TILE);
}

int leat_frame_convert(const leat_frame *source, leat_frame *target) {
    if (!leat_frame_is_valid(source) || !leat_frame_is_valid(target) || source->width != target->width || source->height != target->height)
        return LEAT_EINVAL;
    target->index = source->index;
    target->pts_ns = source->pts_ns;
    target->capture_ns = source->capture_ns;
    if (source->format == target->format && (!is_yuv(source->format) || same_yuv(source, target))) {
        copy_planes(source, target);
        return LEAT_OK;
    }
    leat__cpu_init();
    job j;
    j.source = source;
    j.target = target;
    int through_rgb = is_yuv(target->format); /* the scratch between two YUV formats is red first */
    leat__yuv_inverse_make(&j.inverse, source->matrix == LEAT_MATRIX_BT709, source->full_range != 0, through_rgb ? 0 : blue_first(target->format));
    leat__yuv_forward_make(&j.forward, target->matrix == LEAT_MATRIX_BT709, target->full_range != 0, blue_first(source->format));
    int same = is_yuv(source->format) && is_yuv(target->format) && same_yuv(source, target), to_420 = same && !is_packed(target->format);
    if (to_420 && !is_packed(source->format)) relay_planes(source, target);
    else convert_tiles(&j, to_420 ? packed_tile : convert_tile);
    return LEAT_OK;
}
