/* circle.h - kernels of the circle fitter: where circles cut rows, what they do to bytes, squared error.
 *
 * A circle is seven doubles: x, y, r, red, green, blue, opacity (struct leat_circle).  Pixels are packed RGB.
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
enum { CIRCLE_TILE = 16 };  /* rows that are painted together */
enum { CIRCLE_LANES = 64 }; /* slots of a word of bits; lane arrays are padded to a multiple of it */

/* What painting does to each byte, by channel.  With x = 257 b, ((x * mul >> 16) + add) >> 8 gives the table, or all of it but for `patched`
 * bytes a channel, which are off by one; proved entry by entry when the map is made.  Exact ties of rounding may defeat that: then the table
 * itself is used.  Rings hold R, G, B, R, ... so that any phase of packed pixels is one load. */
typedef enum leat_circle_arithmetic { CIRCLE_PLAIN, CIRCLE_PATCHED, CIRCLE_TABLE } leat_circle_arithmetic;
enum { CIRCLE_RING = 72, CIRCLE_PATCHES = 2 };
typedef struct leat_circle_map {
    leat_circle_arithmetic kind;
    uint16_t mul[12], add[12];                                                   /* rings */
    uint8_t  at[CIRCLE_PATCHES][CIRCLE_RING], change[CIRCLE_PATCHES][CIRCLE_RING]; /* rings: byte, and 0, 1 or 255 added where it stands */
    uint8_t  table[3][256];
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
    /* Spans of rows y .. y + rows - 1, rows <= CIRCLE_TILE; exact; x0 >= x1 where the row is empty. */
    void (*spans)(const double *circle, int width, int y, int rows, int32_t *x0, int32_t *x1);
    /* Paints pixels [x0[i], x1[i]) of row i of packed RGB.  Reads and rewrites up to 64 bytes past the span. */
    void (*paint)(const leat_circle_map *map, uint8_t *rgb, int64_t stride, const int32_t *x0, const int32_t *x1, int rows);
    /* Sum of (a[i] - b[i])^2, i in [0, n), n < 2^20.  Reads up to 64 bytes past the end. */
    uint64_t (*sse)(const uint8_t *a, const uint8_t *b, int64_t n);
    /* The same for map(a) against b, of packed RGB that begins with R. */
    uint64_t (*painted_sse)(const leat_circle_map *map, const uint8_t *a, const uint8_t *b, int64_t n);
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
/* The rest of a map whose table is filled: tries constants until `matches` finds them right.  Returns the number of wrong entries, and the first of them. */
typedef int (*leat_circle_matcher)(const uint8_t *table, uint16_t mul, uint16_t add, uint8_t wrong[CIRCLE_PATCHES]);
void leat__circle_map_fit(leat_circle_map *map, const double *circle, leat_circle_matcher matches);
/* One circle's lane. */
typedef struct leat_circle_lane {
    float   fraction, slack, least;
    int32_t base;
} leat_circle_lane;
leat_circle_lane leat__circle_lane_of(const double *circle);
/* Fills slot `slot` of lanes. */
void leat__circle_lane_set(const leat_circle_lanes *lanes, int slot, const double *circle);
void leat__circle_lane_clear(const leat_circle_lanes *lanes, int slot);

#endif
