/* circle.h - kernels of the circle fitter: row spans, compositing, squared error.
 *
 * A circle is seven doubles: x, y, r, red, green, blue, opacity (struct leat_circle).  Channels lie in planes of bytes.
 *
 *   span:  pixel x of row y is inside when fl((x - cx)^2) + fl((y - cy)^2) <= fl(r^2), and x is in [trunc(cx - r), trunc(cx + r + 1));
 *          rounding is monotone, so that the inside is one interval [x0, x1), clipped to [0, width), empty when x0 >= x1.
 *   paint: byte b of channel c becomes map[c][b] = trunc((colour * a + b * (1 / 255.0) * (1 - a)) * 255 + 0.5), each step rounded to float64.
 *
 * All levels give the same integers.  RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_CIRCLE_H
#define LEAT_CPU_CIRCLE_H

#include "leat/common.h"

enum { CIRCLE_X, CIRCLE_Y, CIRCLE_R, CIRCLE_RED, CIRCLE_GREEN, CIRCLE_BLUE, CIRCLE_OPACITY, CIRCLE_FIELDS };

/* What painting does to each byte, by channel. */
typedef struct leat_circle_map {
    uint8_t table[3][256];
} leat_circle_map;

/* Rows [*y0, *y1) of a canvas `height` high that the circle's box covers; empty when *y0 >= *y1. */
void leat__circle_rows(const double *circle, int height, int *y0, int *y1);
/* Span of row y, which lies within the box. */
void leat_circle_span_ref(const double *circle, int width, int y, int *x0, int *x1);
void leat_circle_map_ref(const double *circle, leat_circle_map *map);
/* bytes[i] = table[bytes[i]], i in [0, n). */
void leat_u8_lookup_ref(const uint8_t *table, uint8_t *bytes, int64_t n);
/* Sum of (a[i] - b[i])^2, i in [0, n). */
uint64_t leat_u8_sse_ref(const uint8_t *a, const uint8_t *b, int64_t n);

#endif
