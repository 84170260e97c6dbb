/* draw_raster.h - how a shape gets into a frame: it says how much of each pixel it covers, the raster blends. */
#ifndef LEAT_MEDIA_DRAW_RASTER_H
#define LEAT_MEDIA_DRAW_RASTER_H

#include "leat/draw.h"

/* Fills mask [n] with how much of pixels [x, x + n) of row y the shape covers, 0..255. */
typedef void (*leat_cover_fn)(const void *shape, int x, int y, int n, uint8_t *mask);

/* Blends `color` into the pixels of [x1, x2) x [y1, y2) that are in the frame; cover NULL: all of each pixel. */
void leat__raster(leat_frame *frame, leat_rgba color, int64_t x1, int64_t y1, int64_t x2, int64_t y2, leat_cover_fn cover, const void *shape);
/* The same where every pixel is covered, faster. */
void leat__raster_fill(leat_frame *frame, leat_rgba color, int64_t x1, int64_t y1, int64_t x2, int64_t y2);

#endif
