/* circlefit_impl.h - what the files of the circle fitter share: padded images and painting on bands of rows. */
#ifndef LEAT_WORKLOADS_CIRCLEFIT_IMPL_H
#define LEAT_WORKLOADS_CIRCLEFIT_IMPL_H

#include "cpu/circle.h"
#include "leat/circlefit.h"

struct leat_circle_target {
    int64_t    refs;      /* atomic */
    leat_image reference, canvas; /* padded */
    uint64_t   sse;       /* of the bare canvas */
    uint64_t   squares;   /* sum of reference^2 over pixels and channels */
    leat_circle_table table; /* of the reference; within NULL: too large an image */
    uint32_t  *errors;    /* [height, width + 1] squared error of the canvas left of x */
    uint8_t    ground[3]; /* the canvas's one colour */
    int        is_flat;   /* it has one */
};

/* Images whose rows, `stride` bytes apart, are followed by at least 64 bytes that belong to them.  LEAT_ENOMEM. */
int  leat__circle_image_alloc(int width, int height, leat_image *image);
void leat__circle_image_copy(const leat_image *from, leat_image *to);
/* Whether image has pixels and a stride that holds them. */
int leat__circle_image_is_valid(const leat_image *image);

/* Circles made ready for painting. */
typedef struct leat_circle_brush {
    leat_circle_map     map;
    leat_circle_outline outline;
    int32_t             y0, y1; /* rows that its box covers; y0 = y1: nothing to paint */
} leat_circle_brush;

/* Rows painted at once, so that a band of `width` stays in the first cache. */
int leat__circle_band_rows(int width);
void leat__circle_brush_make(const leat_circle *circle, int height, leat_circle_brush *brush);
/* Paints circles [count] on rows [y, y + rows) of a canvas, which the band holds.  reach [rows, 2], unless NULL: the interval of x that was painted, or empty
 * (first > last).  Returns the pixels painted. */
uint64_t leat__circle_band_paint(const leat_circle *circles, const leat_circle_brush *brushes, int64_t count, leat_circle_band band, int width, int y, int rows,
                                 int32_t *reach);

#endif
