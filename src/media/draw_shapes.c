/* draw_shapes.c - rectangles, boxes, corner brackets, lines, discs, bars.
 *
 * Straight parts lie on whole pixels and are filled; arcs, discs and slanted lines are covered by the distance of a pixel's centre from
 * their edge (1 inside, 0 outside, linear over the pixel that the edge crosses).  Parts of one figure never overlap, so that alpha
 * blends each pixel once.
 */
#include "media/draw_raster.h"

#include <math.h>

/* Beyond this the arithmetic of pixels would lose its grip; frames end at 65535. */
#define FAR 1e6f

static int all_near(const float *v, int n) {
    for (int i = 0; i < n; i++)
        if (!(fabsf(v[i]) < FAR)) return 0;
    return 1;
}

/* A box that overlaps the frame's surroundings at most: corners far outside are pulled to where they are not seen. */
static int take_box(const float box[4], int64_t out[4]) {
    for (int i = 0; i < 4; i++) {
        if (isnan(box[i])) return 0;
        out[i] = (int64_t)lrintf(fminf(fmaxf(box[i], -FAR), FAR));
    }
    if (out[2] <= out[0]) out[2] = out[0] + 1;
    if (out[3] <= out[1]) out[3] = out[1] + 1;
    return 1;
}

static uint8_t covered(float distance_inside) {
    float v = (distance_inside + 0.5f) * 255.0f + 0.5f;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

leat_rgba leat_draw_palette(int index) {
    /* The hue goes round by the golden angle, with two brightnesses in turn. */
    float hue = (float)((uint32_t)index * 2654435769u >> 8) / 16777216.0f * 6, value = index & 1 ? 0.80f : 1.0f, saturation = 0.72f;
    int   sector = (int)hue % 6;
    float f = hue - (float)(int)hue, p = value * (1 - saturation), q = value * (1 - saturation * f), t = value * (1 - saturation * (1 - f));
    const float rgb[6][3] = {{value, t, p}, {q, value, p}, {p, value, t}, {p, q, value}, {t, p, value}, {value, p, q}};
    const float *c = rgb[sector];
    return LEAT_RGBA((int)(c[0] * 255), (int)(c[1] * 255), (int)(c[2] * 255), 255);
}

leat_rgba leat_draw_contrast(leat_rgba background) {
    unsigned luma = 299 * (background >> 24) + 587 * (background >> 16 & 255) + 114 * (background >> 8 & 255);
    return luma > 140 * 1000 ? LEAT_RGBA(0, 0, 0, 255) : LEAT_RGBA(255, 255, 255, 255);
}

float leat_draw_scale(const leat_frame *frame) {
    float s = frame ? (float)frame->height / 1080.0f : 1;
    return s > 0.1f ? s : 0.1f;
}

void leat_draw_fill(leat_frame *frame, int x, int y, int width, int height, leat_rgba color) {
    leat__raster_fill(frame, color, x, y, (int64_t)x + width, (int64_t)y + height);
}

void leat_draw_box(leat_frame *frame, const float box[4], int thickness, leat_rgba color) {
    int64_t b[4], t = thickness > 1 ? thickness : 1;
    if (!take_box(box, b)) return;
    if (2 * t >= b[2] - b[0] || 2 * t >= b[3] - b[1]) {
        leat__raster_fill(frame, color, b[0], b[1], b[2], b[3]);
        return;
    }
    leat__raster_fill(frame, color, b[0], b[1], b[2], b[1] + t);
    leat__raster_fill(frame, color, b[0], b[3] - t, b[2], b[3]);
    leat__raster_fill(frame, color, b[0], b[1] + t, b[0] + t, b[3] - t);
    leat__raster_fill(frame, color, b[2] - t, b[1] + t, b[2], b[3] - t);
}

/* ---- corners --------------------------------------------------------------------------------------------------------------- */

typedef struct ring {
    float x, y, outer, inner;
} ring;

static void cover_ring(const void *shape, int x, int y, int n, uint8_t *mask) {
    const ring *r = shape;
    float dy = (float)y + 0.5f - r->y;
    for (int i = 0; i < n; i++) {
        float dx = (float)(x + i) + 0.5f - r->x, distance = sqrtf(dx * dx + dy * dy);
        mask[i] = covered(fminf(r->outer - distance, distance - r->inner));
    }
}

typedef struct bracket {
    int64_t x, y;              /* of the corner itself */
    int64_t to_x, to_y;        /* +1 or -1: where the arms go */
    int64_t arm_x, arm_y, radius, thickness;
} bracket;

/* The rectangle from `at` on, `length` in direction `to`. */
static int64_t low_end(int64_t at, int64_t to, int64_t from, int64_t length) { return to > 0 ? at + from : at - from - length; }

static void part(leat_frame *frame, const bracket *b, leat_rgba color, int64_t fx, int64_t fy, int64_t width, int64_t height) {
    int64_t x = low_end(b->x, b->to_x, fx, width), y = low_end(b->y, b->to_y, fy, height);
    if (width > 0 && height > 0) leat__raster_fill(frame, color, x, y, x + width, y + height);
}

static void draw_bracket(leat_frame *frame, const bracket *b, leat_rgba color) {
    ring    r = {(float)(b->x + b->to_x * b->radius), (float)(b->y + b->to_y * b->radius), (float)b->radius, (float)(b->radius - b->thickness)};
    int64_t x = low_end(b->x, b->to_x, 0, b->radius), y = low_end(b->y, b->to_y, 0, b->radius);
    leat__raster(frame, color, x, y, x + b->radius, y + b->radius, cover_ring, &r);
    part(frame, b, color, b->radius, 0, b->arm_x - b->radius, b->thickness);
    part(frame, b, color, 0, b->radius, b->thickness, b->arm_y - b->radius);
}

static int64_t at_most(int64_t v, int64_t most) { return v < most ? v : most; }

void leat_draw_brackets(leat_frame *frame, const float box[4], leat_rgba color) {
    int64_t b[4];
    if (!leat_frame_is_valid(frame) || !take_box(box, b)) return;
    float   s = leat_draw_scale(frame), shorter = (float)at_most(b[2] - b[0], b[3] - b[1]);
    float   length = fminf(fmaxf(0.22f * shorter, 18 * s), 40 * s);
    int64_t half_x = (b[2] - b[0] + 1) / 2, half_y = (b[3] - b[1] + 1) / 2;
    int64_t half = at_most((b[2] - b[0]) / 2, (b[3] - b[1]) / 2);
    int64_t arm = (int64_t)lrintf(fmaxf(length, 1)), radius = at_most((int64_t)lrintf(fmaxf(fmaxf(0.3f * length, 4 * s), 1)), half > 1 ? half : 1);
    int64_t thickness = at_most((int64_t)lrintf(fmaxf(3 * s, 1)), radius);
    for (int corner = 0; corner < 4; corner++) { /* arms of opposite corners meet in the middle, the odd pixel belongs to the first */
        int right = corner & 1, low = corner >> 1;
        bracket k = {right ? b[2] : b[0], low ? b[3] : b[1], right ? -1 : 1, low ? -1 : 1, at_most(arm, right ? b[2] - b[0] - half_x : half_x),
                     at_most(arm, low ? b[3] - b[1] - half_y : half_y), radius, thickness};
        draw_bracket(frame, &k, color);
    }
}

/* ---- lines, discs, bars ----------------------------------------------------------------------------------------------------- */

typedef struct capsule {
    float x, y, dx, dy, length2, radius;
} capsule;

static void cover_capsule(const void *shape, int x, int y, int n, uint8_t *mask) {
    const capsule *c = shape;
    float py = (float)y + 0.5f - c->y;
    for (int i = 0; i < n; i++) {
        float px = (float)(x + i) + 0.5f - c->x, along = c->length2 > 0 ? (px * c->dx + py * c->dy) / c->length2 : 0;
        along = along < 0 ? 0 : along > 1 ? 1 : along;
        float ex = px - along * c->dx, ey = py - along * c->dy;
        mask[i] = covered(c->radius - sqrtf(ex * ex + ey * ey));
    }
}

/* Rows y and y + 1 of the capsule: only as far as they can be covered, so that a slanted line costs its length, not its rectangle. */
static void draw_rows(leat_frame *frame, const capsule *c, int y, int bottom, leat_rgba color) {
    float reach = c->radius + 1, first = 0, last = 1;
    if (c->dy != 0) {
        float a = ((float)y - reach - c->y) / c->dy, b = ((float)y + 2 + reach - c->y) / c->dy;
        first = fmaxf(fminf(a, b), 0);
        last = fminf(fmaxf(a, b), 1);
    }
    if (first > last) return;
    float from = c->x + first * c->dx, to = c->x + last * c->dx;
    leat__raster(frame, color, (int64_t)floorf(fminf(from, to) - reach), y, (int64_t)ceilf(fmaxf(from, to) + reach), bottom < y + 2 ? bottom : y + 2,
                 cover_capsule, c);
}

void leat_draw_line(leat_frame *frame, float x1, float y1, float x2, float y2, float thickness, leat_rgba color) {
    const float given[5] = {x1, y1, x2, y2, thickness};
    if (!leat_frame_is_valid(frame) || !all_near(given, 5) || !(thickness > 0)) return;
    capsule c = {x1, y1, x2 - x1, y2 - y1, (x2 - x1) * (x2 - x1) + (y2 - y1) * (y2 - y1), thickness / 2};
    float   reach = c.radius + 1, top = fmaxf(floorf(fminf(y1, y2) - reach), 0), bottom = fminf(ceilf(fmaxf(y1, y2) + reach), (float)frame->height);
    for (int y = (int)top & ~1; y < (int)bottom; y += 2) draw_rows(frame, &c, y, (int)bottom, color);
}

void leat_draw_disc(leat_frame *frame, float x, float y, float radius, leat_rgba color) { leat_draw_line(frame, x, y, x, y, 2 * radius, color); }

void leat_draw_bar(leat_frame *frame, int x, int y, int width, int height, int gap, int segments, float value) {
    if (segments < 1 || segments > 64 || width < 1 || height < 1 || gap < 0 || !leat_frame_is_valid(frame)) return;
    int lit = value > 0 ? (int)ceilf(fminf(value, 1) * (float)segments) : 0, line = (int)lrintf(fmaxf(2 * leat_draw_scale(frame), 1));
    for (int i = 0; i < segments; i++) { /* from the bottom */
        float bottom = (float)y + (float)height - (float)i * ((float)height + (float)gap) / (float)segments;
        float top = (float)y + (float)height - (float)(i + 1) * ((float)height + (float)gap) / (float)segments + (float)gap;
        float box[4] = {(float)x, top, (float)x + (float)width, bottom};
        int64_t b[4];
        if (!(bottom - top >= 1) || !take_box(box, b)) continue;
        leat__raster_fill(frame, i < lit ? LEAT_RGBA(255, 255, 255, 255) : LEAT_RGBA(80, 80, 80, 255), b[0] + line, b[1] + line, b[2] - line, b[3] - line);
        leat_draw_box(frame, box, line, LEAT_RGBA(220, 220, 220, 255));
    }
}
