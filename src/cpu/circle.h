/* circle.h - kernels of the circle fitter: where circles cut rows, what they do to bytes, squared error.
 *
 * A circle is seven doubles: x, y, r, red, green, blue, opacity (struct leat_circle).  Channels lie in planes of bytes.
 *
 *   span:  pixel x of row y is inside when fl((x - cx)^2) + fl((y - cy)^2) <= fl(r^2), and x, y are in [trunc(c - r), trunc(c + r + 1));
 *          rounding is monotone, so that the inside is one interval [x0, x1), clipped to [0, width), empty when x0 >= x1.
 *   paint: byte b of channel c becomes trunc((colour * a + b * (1 / 255.0) * (1 - a)) * 255 + 0.5), each step rounded to float64.
 *
 * All levels give the same integers.  RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_CIRCLE_H
#define LEAT_CPU_CIRCLE_H

#include <stddef.h>

#include "leat/common.h"

enum { CIRCLE_X, CIRCLE_Y, CIRCLE_R, CIRCLE_RED, CIRCLE_GREEN, CIRCLE_BLUE, CIRCLE_OPACITY, CIRCLE_FIELDS };
enum { CIRCLE_LANES = 64 }; /* slots of a word of bits; lane arrays are padded to a multiple of it */

/* What painting does to each byte, by channel. */
typedef struct leat_circle_map {
    uint8_t table[3][256];
} leat_circle_map;

/* Circles as lanes, for the edges of all of them on one row.  The float estimate of an edge is off by less than `slack`; where it is that
 * close to an integer, or the row that close to the circle's top or bottom, the lane is in doubt and the exact span decides. */
typedef struct leat_circle_lanes {
    double  *cy, *r2;       /* [slots]; r2 < 0: an empty lane */
    float   *fraction;      /* [slots] cx - floor(cx) */
    int32_t *base;          /* [slots] floor(cx) + 1 */
    float   *slack, *least; /* [slots] pixels; smallest |r^2 - dy^2| that is beyond doubt */
    int32_t *x0, *x1;       /* [slots] out: span of the row, clipped to the canvas */
    int      slots, used;   /* room, a multiple of CIRCLE_LANES; slots from `used` on are empty */
} leat_circle_lanes;

/* One bit a slot, of one word of slots. */
typedef struct leat_circle_bits {
    uint64_t alive, left, right; /* span not empty; its left edge > 0; its right edge < width */
    uint64_t doubt;              /* not settled: the other bits and the span are to be found out exactly */
} leat_circle_bits;

/* What a circle does to a colour: v = trunc((front + v * (1 / 255.0) * keep) * 255 + 0.5). */
typedef struct leat_circle_paint {
    double front[3], keep; /* colour * a, 1 - a */
} leat_circle_paint;

typedef struct leat_circle_kernels {
    /* Fills lanes->x0, x1 and bits [slots / CIRCLE_LANES] for row y. */
    void (*edges)(const leat_circle_lanes *lanes, int width, int y, leat_circle_bits *bits);
    /* Regions of one colour each: region i is white painted by the circles in masks [n, words], sums [n, 4] are over its pixels: reference
     * R, G, B and 1.  Returns the sum over i and channels of v * (v * ones - 2 * sum), an exact integer. */
    int64_t (*regions)(const leat_circle_paint *paints, const uint8_t *ground, const uint64_t *masks, int words, const int32_t *sums, int n);
    void (*map)(const double *circle, leat_circle_map *map);
    /* bytes[i] = table[bytes[i]], i in [0, n). */
    void (*lookup)(const uint8_t *table, uint8_t *bytes, int64_t n);
    /* Sum of (a[i] - b[i])^2, i in [0, n). */
    uint64_t (*sse)(const uint8_t *a, const uint8_t *b, int64_t n);
    const char *name;
} leat_circle_kernels;

extern leat_circle_kernels leat__circle;
void leat__circle_init(leat_isa level);
void leat__circle_fill_avx2(leat_circle_kernels *kernels);
void leat__circle_fill_avx512(leat_circle_kernels *kernels);
extern const leat_circle_kernels leat__circle_ref;

/* Rows [*y0, *y1) of a canvas `height` high that the circle's box covers; empty when *y0 >= *y1. */
void leat__circle_rows(const double *circle, int height, int *y0, int *y1);
/* Exact span of any row y of the canvas; empty: *x0 = *x1. */
void leat__circle_span(const double *circle, int width, int y, int *x0, int *x1);
/* Fills slot `slot` of lanes. */
void leat__circle_lane_set(const leat_circle_lanes *lanes, int slot, const double *circle);
void leat__circle_lane_clear(const leat_circle_lanes *lanes, int slot);

#endif
