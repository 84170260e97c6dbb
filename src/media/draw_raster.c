/* draw_raster.c - blends shapes into frames of every format.
 *
 * The rectangle is walked in blocks of BLOCK pixels by two rows, aligned to even positions, so that a block holds all pixels that its
 * chroma samples serve.  For each block the shape's coverage times alpha is written to a small mask; luma (or R, G, B) is blended by it,
 * chroma by the mean over the pixels of the sample that exist.  Coverage 255 gives the colour exactly, 0 leaves the byte alone.
 */
#include "media/draw_raster.h"

#include <string.h>

#define BLOCK 64

typedef struct brush {
    const leat_frame *frame;
    uint8_t           value[3]; /* red, green, blue or Y, U, V */
    unsigned          alpha;
} brush;

static uint8_t to_byte(double v) { return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5); }

static brush brush_of(const leat_frame *f, leat_rgba color) {
    double r = color >> 24, g = color >> 16 & 255, b = color >> 8 & 255;
    brush  k = {f, {(uint8_t)r, (uint8_t)g, (uint8_t)b}, color & 255};
    if (f->format < LEAT_PIXEL_UYVY) return k;
    double kr = f->matrix == LEAT_MATRIX_BT601 ? 0.299 : 0.2126, kb = f->matrix == LEAT_MATRIX_BT601 ? 0.114 : 0.0722;
    double y = kr * r + (1 - kr - kb) * g + kb * b, u = (b - y) / (2 * (1 - kb)), v = (r - y) / (2 * (1 - kr));
    double chroma = f->full_range ? 1 : 224.0 / 255;
    k.value[0] = to_byte(f->full_range ? y : 16 + y * 219 / 255);
    k.value[1] = to_byte(128 + u * chroma);
    k.value[2] = to_byte(128 + v * chroma);
    return k;
}

static inline unsigned over_255(unsigned v) { return (v + 128 + ((v + 128) >> 8)) >> 8; } /* v / 255, rounded, v <= 255 * 255 */

static inline void blend(uint8_t *at, uint8_t value, unsigned mask) { *at = (uint8_t)over_255(*at * (255 - mask) + value * mask); }

/* ---- one block: pixels [x, x + n) of rows y and y + 1, mask[row][pixel] -------------------------------------------------- */

static void blend_rgb(const brush *k, int x, int y, int n, const uint8_t *mask) {
    leat_pixel_format f = k->frame->format;
    int      bytes = f == LEAT_PIXEL_RGB24 || f == LEAT_PIXEL_BGR24 ? 3 : 4, red = f == LEAT_PIXEL_BGR24 || f == LEAT_PIXEL_BGRA ? 2 : 0;
    uint8_t  r = k->value[0], g = k->value[1], b = k->value[2];
    uint8_t *at = k->frame->plane[0] + y * k->frame->stride[0] + (int64_t)bytes * x;
    for (int i = 0; i < n; i++, at += bytes) {
        if (mask[i] == 0) continue;
        if (mask[i] == 255) {
            at[red] = r, at[1] = g, at[2 - red] = b;
            continue;
        }
        blend(at + red, r, mask[i]);
        blend(at + 1, g, mask[i]);
        blend(at + 2 - red, b, mask[i]);
    }
}

static void blend_luma(const brush *k, uint8_t *at, int step, int n, const uint8_t *mask) {
    uint8_t value = k->value[0];
    for (int i = 0; i < n; i++, at += step) {
        if (mask[i] == 255) *at = value;
        else if (mask[i]) blend(at, value, mask[i]);
    }
}

static void blend_pairs(const brush *k, int x, int y, int n, const uint8_t *mask) {
    int      yuy2 = k->frame->format == LEAT_PIXEL_YUY2;
    uint8_t *row = k->frame->plane[0] + y * k->frame->stride[0] + 2 * (int64_t)x; /* x is even */
    blend_luma(k, row + !yuy2, 2, n, mask);
    for (int i = 0; i < n; i += 2) {
        unsigned mean = i + 1 < n ? (mask[i] + mask[i + 1] + 1u) / 2 : mask[i];
        blend(row + 2 * i + yuy2, k->value[1], mean);
        blend(row + 2 * i + 2 + yuy2, k->value[2], mean);
    }
}

/* Chroma of 4:2:0: x and y are even; `rows` of the two rows are in the frame. */
static void blend_chroma(const brush *k, int x, int y, int n, int rows, uint8_t mask[2][BLOCK]) {
    const leat_frame *f = k->frame;
    int      step = f->format == LEAT_PIXEL_NV12 ? 2 : 1;
    uint8_t *u = f->plane[1] + y / 2 * f->stride[1] + (int64_t)step * (x / 2);
    uint8_t *v = step == 2 ? u + 1 : f->plane[2] + y / 2 * f->stride[2] + x / 2;
    for (int i = 0; i < n; i += 2) {
        int      columns = i + 1 < n ? 2 : 1;
        unsigned sum = 0, pixels = (unsigned)(rows * columns);
        for (int r = 0; r < rows; r++) sum += mask[r][i] + (columns == 2 ? mask[r][i + 1] : 0u);
        blend(u + (int64_t)step * (i / 2), k->value[1], (sum + pixels / 2) / pixels);
        blend(v + (int64_t)step * (i / 2), k->value[2], (sum + pixels / 2) / pixels);
    }
}

static void blend_block(const brush *k, int x, int y, int n, int rows, uint8_t mask[2][BLOCK]) {
    const leat_frame *f = k->frame;
    for (int r = 0; r < rows; r++) {
        if (f->format < LEAT_PIXEL_UYVY) blend_rgb(k, x, y + r, n, mask[r]);
        else if (f->format < LEAT_PIXEL_NV12) blend_pairs(k, x, y + r, n, mask[r]);
        else blend_luma(k, f->plane[0] + (y + r) * f->stride[0] + x, 1, n, mask[r]);
    }
    if (f->format >= LEAT_PIXEL_NV12) blend_chroma(k, x, y, n, rows, mask);
}

/* ---- the walk ------------------------------------------------------------------------------------------------------------- */

typedef struct area {
    int x1, y1, x2, y2;
} area;

static int64_t clip(int64_t v, int64_t most) { return v < 0 ? 0 : v > most ? most : v; }

/* Coverage times alpha of pixels [x, x + n) of row y, 0 outside the area. */
static void fill_mask(const brush *k, const area *a, int x, int y, int n, leat_cover_fn cover, const void *shape, uint8_t mask[BLOCK]) {
    int from = x > a->x1 ? x : a->x1, to = x + n < a->x2 ? x + n : a->x2;
    memset(mask, 0, BLOCK);
    if (y < a->y1 || y >= a->y2 || from >= to) return;
    if (cover) cover(shape, from, y, to - from, mask + (from - x));
    else memset(mask + (from - x), 255, (size_t)(to - from));
    if (k->alpha == 255) return;
    for (int i = from - x; i < to - x; i++) mask[i] = (uint8_t)over_255(mask[i] * k->alpha);
}

static int clip_area(const leat_frame *f, int64_t x1, int64_t y1, int64_t x2, int64_t y2, area *a) {
    *a = (area){(int)clip(x1, f->width), (int)clip(y1, f->height), (int)clip(x2, f->width), (int)clip(y2, f->height)};
    return a->x1 < a->x2 && a->y1 < a->y2;
}

static void walk(const brush *k, const area *a, leat_cover_fn cover, const void *shape) {
    int width = k->frame->width, height = k->frame->height;
    for (int y = a->y1 & ~1; y < a->y2; y += 2)
        for (int x = a->x1 & ~1; x < a->x2; x += BLOCK) {
            /* To the end of the pair, so that the last chroma sample knows that its other pixel is bare. */
            int     end = (a->x2 + 1) & ~1, n = end - x < BLOCK ? end - x : BLOCK, rows = height - y < 2 ? 1 : 2;
            uint8_t mask[2][BLOCK];
            if (x + n > width) n = width - x;
            for (int r = 0; r < rows; r++) fill_mask(k, a, x, y + r, n, cover, shape, mask[r]);
            blend_block(k, x, y, n, rows, mask);
        }
}

void leat__raster(leat_frame *frame, leat_rgba color, int64_t x1, int64_t y1, int64_t x2, int64_t y2, leat_cover_fn cover, const void *shape) {
    area a;
    if (!leat_frame_is_valid(frame) || (color & 255) == 0 || !clip_area(frame, x1, y1, x2, y2, &a)) return;
    brush k = brush_of(frame, color);
    walk(&k, &a, cover, shape);
}

/* ---- opaque rectangles ---------------------------------------------------------------------------------------------------- */

/* `count` cells: the `bytes` bytes of `cell`, `step` bytes apart (those in between stay). */
static void repeat(uint8_t *at, const uint8_t *cell, int bytes, int step, int count) {
    uint8_t a = cell[0], b = bytes > 1 ? cell[1] : 0, c = bytes > 2 ? cell[2] : 0;
    if (bytes == 1) memset(at, a, (size_t)count);
    else if (bytes == 4)
        for (int i = 0; i < count; i++) memcpy(at + 4 * (int64_t)i, cell, 4);
    else if (bytes == 3)
        for (int i = 0; i < count; i++, at += step) at[0] = a, at[1] = b, at[2] = c;
    else
        for (int i = 0; i < count; i++, at += step) at[0] = a, at[1] = b;
}

/* Bytes of one row of the rectangle in a plane: a cell covers `pixels` pixels; 4:2:0 chroma has half the rows. */
static void fill_plane(const brush *k, const area *a, int plane, const uint8_t *cell, int bytes, int step, int pixels, int halved) {
    const leat_frame *f = k->frame;
    for (int y = a->y1 >> halved; y < a->y2 >> halved; y++)
        repeat(f->plane[plane] + y * f->stride[plane] + (int64_t)step * (a->x1 / pixels), cell, bytes, step, (a->x2 - a->x1) / pixels);
}

/* A rectangle whose sides lie between chroma samples. */
static void fill_aligned(const brush *k, const area *a) {
    uint8_t r = k->value[0], g = k->value[1], b = k->value[2];
    switch (k->frame->format) {
    case LEAT_PIXEL_RGB24: fill_plane(k, a, 0, (uint8_t[]){r, g, b}, 3, 3, 1, 0); break;
    case LEAT_PIXEL_BGR24: fill_plane(k, a, 0, (uint8_t[]){b, g, r}, 3, 3, 1, 0); break;
    case LEAT_PIXEL_RGBA: fill_plane(k, a, 0, (uint8_t[]){r, g, b}, 3, 4, 1, 0); break;
    case LEAT_PIXEL_BGRA: fill_plane(k, a, 0, (uint8_t[]){b, g, r}, 3, 4, 1, 0); break;
    case LEAT_PIXEL_UYVY: fill_plane(k, a, 0, (uint8_t[]){g, r, b, r}, 4, 4, 2, 0); break; /* r is Y, g is U, b is V */
    case LEAT_PIXEL_YUY2: fill_plane(k, a, 0, (uint8_t[]){r, g, r, b}, 4, 4, 2, 0); break;
    case LEAT_PIXEL_NV12:
        fill_plane(k, a, 0, &r, 1, 1, 1, 0);
        fill_plane(k, a, 1, (uint8_t[]){g, b}, 2, 2, 2, 1);
        break;
    default:
        fill_plane(k, a, 0, &r, 1, 1, 1, 0);
        fill_plane(k, a, 1, &g, 1, 1, 2, 1);
        fill_plane(k, a, 2, &b, 1, 1, 2, 1);
    }
}

/* The inside between chroma samples at once, rows and columns that share their samples with bare pixels by blending. */
void leat__raster_fill(leat_frame *frame, leat_rgba color, int64_t x1, int64_t y1, int64_t x2, int64_t y2) {
    area a;
    if (!leat_frame_is_valid(frame) || (color & 255) == 0 || !clip_area(frame, x1, y1, x2, y2, &a)) return;
    brush k = brush_of(frame, color);
    int   odd_x = frame->format >= LEAT_PIXEL_UYVY, odd_y = frame->format >= LEAT_PIXEL_NV12;
    area  in = {a.x1 + (a.x1 & odd_x), a.y1 + (a.y1 & odd_y), a.x2 - (a.x2 & odd_x), a.y2 - (a.y2 & odd_y)};
    if (k.alpha < 255 || in.x1 >= in.x2 || in.y1 >= in.y2) {
        walk(&k, &a, NULL, NULL);
        return;
    }
    const area rim[4] = {{a.x1, a.y1, a.x2, in.y1}, {a.x1, in.y2, a.x2, a.y2}, {a.x1, in.y1, in.x1, in.y2}, {in.x2, in.y1, a.x2, in.y2}};
    fill_aligned(&k, &in);
    for (int i = 0; i < 4; i++)
        if (rim[i].x1 < rim[i].x2 && rim[i].y1 < rim[i].y2) walk(&k, &rim[i], NULL, NULL);
}
