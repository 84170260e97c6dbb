/* circle_sums.h - what one circle would change, from sums over its pixels, without touching them.
 *
 * Let a pixel show  U + T ((1 - a) B + a c)  where B is what lies beneath the circle, T and U what the circles above let through and add, and
 * let E = reference - U - T B be the error without the circle.  With the circle the squared error changes, summed over its pixels, by
 *
 *   sum -2 a E T (c - B) + a^2 T^2 (c - B)^2,
 *
 * which needs nine sums only: T^2, E T and T^2 B of each channel, and E T B and T^2 B^2 over all channels.  They are kept as prefix sums
 * along each row, so that a circle costs two look-ups a row; the best colour and opacity follow in closed form.
 *
 * A table covers a window of `width` x `height` pixels; row y, entry x holds the sums of the pixels left of x: [height, width + 1,
 * LEAT_CIRCLE_SUMS].  Colours are 0..1.  Every instruction set gives the same floats.  RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_CIRCLE_SUMS_H
#define LEAT_CPU_CIRCLE_SUMS_H

#include <stddef.h>

/* Places in an entry. */
enum {
    LEAT_CIRCLE_ET = 0,   /* E T, three channels */
    LEAT_CIRCLE_ETB = 3,  /* E T B over the channels */
    LEAT_CIRCLE_TTB = 4,  /* T^2 B, three channels */
    LEAT_CIRCLE_TTBB = 7, /* T^2 B^2 over the channels */
    LEAT_CIRCLE_TT = 8,   /* T^2 */
    LEAT_CIRCLE_SUMS = 12 /* padded */
};

typedef struct leat_circle_sums_kernels {
    /* One row: reference, beneath, above [3][n] each, through [n] -> entries [n + 1, LEAT_CIRCLE_SUMS]. */
    void (*row)(const float *const reference[3], const float *const beneath[3], const float *const above[3], const float *through, int n, float *entries);
    /* Adds up the pixels (x, y) of the window with (x - cx)^2 + (y - cy)^2 <= r^2; |cx|, |cy|, r <= 1e6. */
    void (*disc)(const float *table, int width, int height, float cx, float cy, float r, float sums[LEAT_CIRCLE_SUMS]);
    const char *name;
} leat_circle_sums_kernels;

extern leat_circle_sums_kernels leat__circle_sums;

void leat_circle_sums_row_ref(const float *const reference[3], const float *const beneath[3], const float *const above[3], const float *through, int n,
                              float *entries);
void leat_circle_sums_disc_ref(const float *table, int width, int height, float cx, float cy, float r, float sums[LEAT_CIRCLE_SUMS]);
void leat_circle_sums_disc_avx2(const float *table, int width, int height, float cx, float cy, float r, float sums[LEAT_CIRCLE_SUMS]);
void leat_circle_sums_disc_neon(const float *table, int width, int height, float cx, float cy, float r, float sums[LEAT_CIRCLE_SUMS]);

/* Rows [*y0, *y1) of the window that a circle reaches. */
static inline void leat__circle_sums_rows(int height, float cy, float r, int *y0, int *y1) {
    float top = cy - r, bottom = cy + r;
    *y0 = top <= 0 ? 0 : (int)top + ((float)(int)top < top);
    *y1 = bottom < 0 ? 0 : (int)bottom + 1 < height ? (int)bottom + 1 : height;
}

/* Span [*x0, *x1) at half chord `half` around cx, within [0, width); may be empty (x0 >= x1). */
static inline void leat__circle_sums_span(int width, float cx, float half, int *x0, int *x1) {
    float left = cx - half, right = cx + half;
    *x0 = left <= 0 ? 0 : (int)left + ((float)(int)left < left);
    *x1 = right < 0 ? 0 : (int)right + 1 < width ? (int)right + 1 : width;
}

#endif
