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
enum { CIRCLE_LANES = 64 }; /* circles of a word of bits */
enum { CIRCLE_EDGES = 4 };   /* edges that are looked at together */
enum { CIRCLE_BATCH = 16 }; /* regions that are coloured together */

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

/* Where a circle's edges are, ready for CIRCLE_TILE rows at a time.  The float estimate of an edge is off by less than `slack`; where it is that close
 * to an integer, or the row that close to the circle's top or bottom, the definition decides. */
typedef struct leat_circle_outline {
    double  cy, r2;
    float   fraction, slack; /* cx - floor(cx); pixels */
    float   least;           /* smallest |r^2 - dy^2| that is beyond doubt */
    int32_t base;            /* floor(cx) + 1 */
} leat_circle_outline;

/* Spans of CIRCLE_TILE rows, clipped to the canvas; those of empty rows are empty, but may lie anywhere. */
typedef struct leat_circle_spans {
    int32_t x0[CIRCLE_TILE], x1[CIRCLE_TILE];
} leat_circle_spans;

/* A bit a row: the span is not empty; its left edge > 0; its right edge < width.  Kept in one word, or passing it would go through memory in pieces. */
typedef struct leat_circle_flags {
    uint64_t bits; /* 16 bits each, in this order */
} leat_circle_flags;
static inline leat_circle_flags leat__circle_flags(unsigned alive, unsigned left, unsigned right) {
    return (leat_circle_flags){alive | (uint64_t)left << 16 | (uint64_t)right << 32};
}
static inline unsigned leat__circle_alive(leat_circle_flags f) { return f.bits & 0xffff; }
static inline unsigned leat__circle_left(leat_circle_flags f) { return f.bits >> 16 & 0xffff; }
static inline unsigned leat__circle_right(leat_circle_flags f) { return f.bits >> 32 & 0xffff; }

/* Prefix sums along the rows of an image: left of x on row y are, of R, G, B and 1,
 *     within[(y * (width + 1) + x) * 4 ..] + before[(y * blocks + x / CIRCLE_BLOCK) * 4 ..],
 * the second only where the row has several blocks of columns.  Rows are padded to a multiple of CIRCLE_TILE. */
enum { CIRCLE_BLOCK = 256 }; /* columns whose sums 16 bits hold; one block may hold CIRCLE_BLOCK + 1 */
typedef struct leat_circle_table {
    uint16_t *within;
    int32_t  *before;
    int32_t   width, blocks;
} leat_circle_table;

/* Edges that cut a row, from left to right, with the runs between them.  Whole groups of CIRCLE_EDGES are read and written: the edges from n on stand at the
 * canvas's right border. */
typedef struct leat_circle_list {
    const uint32_t *edges; /* [n + 1] place in x of each one's column */
    int32_t        *at;    /* [n + 1] their x on a row */
    int32_t        *sums;  /* [n + 1, 4] of the run left of each: reference R, G, B and pixels */
    int             n, is_located; /* 1: `at` is filled for the first row, and in order */
} leat_circle_list;

/* What a circle does to a colour: v = trunc((front + v * (1 / 255.0) * keep) * 255 + 0.5); and the same in integers modulo 2^32: (v * scale + shift) >>
 * CIRCLE_FRACTION, which is right unless the low bits of the sum are below CIRCLE_DOUBT. */
enum { CIRCLE_FRACTION = 24, CIRCLE_DOUBT = 256 };
typedef struct leat_circle_paint {
    double   front[3], keep; /* colour * a, 1 - a */
    uint32_t shift[3], scale;
} leat_circle_paint;

/* Rows of packed RGB that one thread owns: row i begins at rgb + i * stride; of what follows it, the bytes before limit + i * limit_step are the thread's, too. */
typedef struct leat_circle_band {
    uint8_t       *rgb;
    const uint8_t *limit;
    int64_t        stride, limit_step;
} leat_circle_band;

typedef struct leat_circle_kernels {
    /* Fills *spans for rows y .. y + CIRCLE_TILE - 1. */
    leat_circle_flags (*spans)(const leat_circle_outline *outline, const double *circle, int width, int y, leat_circle_spans *spans);
    /* Rows y, y + 1, ..: at[i] = x[edges[i] + row], i in [0, n]; sums[i] += P(at[i]) - P(at[i - 1]), P being what the table has left of x, P(at[-1]) = 0.
     * Stops at a row on which some at[i] > at[i + 1], when `at` is filled but nothing added; returns the rows done. */
    int (*add_rows)(const leat_circle_table *table, int y, int rows, const int32_t *x, const leat_circle_list *list);
    /* Regions of one colour each: region i is `ground` painted by the circles in masks [words, stride]; sums [n, 4] are over its pixels: reference R, G, B
     * and 1, below 2^22 pixels.  Returns the sum over i and channels of v * (v * ones - 2 * sum), an exact integer.  Up to CIRCLE_BATCH - 1 regions after
     * the last one are read: their sums are 0. */
    int64_t (*regions)(const leat_circle_paint *paints, const uint8_t *ground, const uint64_t *masks, int words, int stride, const int32_t *sums, int n);
    void (*map)(const double *circle, leat_circle_map *map);
    /* Paints pixels [x0[i], x1[i]) of row i of packed RGB.  Bytes behind a span may be read and written back as they were, up to the band's limit. */
    void (*paint)(const leat_circle_map *map, const leat_circle_band *band, const int32_t *x0, const int32_t *x1, int rows);
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
void leat__circle_fill_neon(leat_circle_kernels *kernels);
extern const leat_circle_kernels leat__circle_ref;

/* Rows [*y0, *y1) of a canvas `height` high that the circle's box covers; empty when *y0 >= *y1. */
void leat__circle_rows(const double *circle, int height, int *y0, int *y1);
/* Exact span of any row y of the canvas; empty: *x0 = *x1. */
void leat__circle_span(const double *circle, int width, int y, int *x0, int *x1);
/* The rest of a map whose table is filled: tries constants until `matches` finds them right.  Returns the number of wrong entries, and the first of them. */
typedef int (*leat_circle_matcher)(const uint8_t *table, uint16_t mul, uint16_t add, uint8_t wrong[CIRCLE_PATCHES]);
void leat__circle_map_fit(leat_circle_map *map, const double *circle, leat_circle_matcher matches);
void leat__circle_outline_of(const double *circle, leat_circle_outline *outline);
void leat__circle_paint_of(const double *circle, leat_circle_paint *paint);
/* Settles the rows in `doubt` by the definition. */
leat_circle_flags leat__circle_settle(const double *circle, int width, int y, unsigned doubt, leat_circle_flags flags, leat_circle_spans *spans);

#endif
