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

void leat__raster(leat_frame *frame, leat_rgba color, int64_t x1, int64_t y1, int64_t x2, int64_t y2, leat_cover_fn cover, const void *shape) {
    if (!leat_frame_is_valid(frame)) return;
    int   width = frame->width, height = frame->height;
    area  a = {(int)clip(x1, width), (int)clip(y1, height), (int)clip(x2, width), (int)clip(y2, height)};
    brush k = brush_of(frame, color);
    if (a.x1 >= a.x2 || a.y1 >= a.y2 || k.alpha == 0) return;
    for (int y = a.y1 & ~1; y < a.y2; y += 2)
        for (int x = a.x1 & ~1; x < a.x2; x += BLOCK) {
            /* To the end of the pair, so that the last chroma sample knows that its other pixel is bare. */
            int     end = (a.x2 + 1) & ~1, n = end - x < BLOCK ? end - x : BLOCK, rows = height - y < 2 ? 1 : 2;
            uint8_t mask[2][BLOCK];
            if (x + n > width) n = width - x;
            for (int r = 0; r < rows; r++) fill_mask(&k, &a, x, y + r, n, cover, shape, mask[r]);
            blend_block(&k, x, y, n, rows, mask);
        }
}

void leat__raster_fill(leat_frame *frame, leat_rgba color, int64_t x1, int64_t y1, int64_t x2, int64_t y2) {
    leat__raster(frame, color, x1, y1, x2, y2, NULL, NULL);
}
