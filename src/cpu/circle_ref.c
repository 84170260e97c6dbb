/* circle_ref.c - the circle fitter's kernels in plain C; contraction is off, so that each operation rounds once. */
#include "cpu/circle.h"

#include <math.h>

/* ---- geometry ----------------------------------------------------------------------------------------------------------------- */

static int clamp_to_int(double v, int lo, int hi) { return v <= lo ? lo : v >= hi ? hi : (int)v; }

void leat__circle_rows(const double *c, int height, int *y0, int *y1) {
    *y0 = clamp_to_int(c[CIRCLE_Y] - c[CIRCLE_R], 0, height);
    *y1 = clamp_to_int(c[CIRCLE_Y] + c[CIRCLE_R] + 1, 0, height);
}

static int is_inside(double x, double cx, double dy2, double r2) { return (x - cx) * (x - cx) + dy2 <= r2; }

/* The root gives both ends to within a pixel or so; the definition settles them.  A row with any pixel inside has one next to the centre. */
void leat__circle_span(const double *c, int width, int y, int *x0, int *x1) {
    double cx = c[CIRCLE_X], dy = y - c[CIRCLE_Y], dy2 = dy * dy, r2 = c[CIRCLE_R] * c[CIRCLE_R], near = floor(cx);
    *x0 = *x1 = 0;
    if (y < trunc(c[CIRCLE_Y] - c[CIRCLE_R]) || y >= trunc(c[CIRCLE_Y] + c[CIRCLE_R] + 1)) return;
    if (!is_inside(near, cx, dy2, r2) && !is_inside(++near, cx, dy2, r2)) return;
    double half = sqrt(r2 > dy2 ? r2 - dy2 : 0), first = fmin(ceil(cx - half), near), last = fmax(floor(cx + half), near);
    while (!is_inside(first, cx, dy2, r2)) first++;
    while (is_inside(first - 1, cx, dy2, r2)) first--;
    while (!is_inside(last, cx, dy2, r2)) last--;
    while (is_inside(last + 1, cx, dy2, r2)) last++;
    first = fmax(first, trunc(cx - c[CIRCLE_R]));
    last = fmin(last + 1, trunc(cx + c[CIRCLE_R] + 1));
    if (first >= last || first >= width || last <= 0) return;
    *x0 = first < 0 ? 0 : (int)first;
    *x1 = last > width ? width : (int)last;
}

/* Float errors: the root and the sum take 1.5 and 1 units of 2^-24 of the half width; the double r^2 - dy^2 is off by 4e-16 r^2, which the root
 * turns into 2e-16 r^2 / half: below 1e-5 where r^2 - dy^2 >= (2e-11 r^2)^2. */
void leat__circle_lane_set(const leat_circle_lanes *lanes, int slot, const double *c) {
    double r = c[CIRCLE_R], cx = floor(c[CIRCLE_X]), tight = 2e-11 * r * r;
    lanes->cy[slot] = c[CIRCLE_Y];
    lanes->r2[slot] = r * r;
    lanes->fraction[slot] = (float)(c[CIRCLE_X] - cx);
    lanes->base[slot] = (int32_t)cx + 1;
    lanes->slack[slot] = (float)(r * 2.4e-7 + 2e-5);
    lanes->least[slot] = (float)fmax(1e-6, tight * tight);
}

void leat__circle_lane_clear(const leat_circle_lanes *lanes, int slot) {
    lanes->cy[slot] = 0;
    lanes->r2[slot] = -1;
    lanes->fraction[slot] = lanes->slack[slot] = 0;
    lanes->base[slot] = 0;
    lanes->least[slot] = 0.5f;
}

/* Everything is in doubt. */
static void edges_ref(const leat_circle_lanes *lanes, int width, int y, leat_circle_bits *bits) {
    for (int w = 0; w < lanes->slots / CIRCLE_LANES; w++) {
        bits[w] = (leat_circle_bits){0};
        for (int i = 0; i < CIRCLE_LANES; i++) {
            double dy = y - lanes->cy[w * CIRCLE_LANES + i];
            if (dy * dy <= lanes->r2[w * CIRCLE_LANES + i] * 1.000001 + 1) bits[w].doubt |= (uint64_t)(lanes->r2[w * CIRCLE_LANES + i] >= 0) << i;
        }
    }
}

/* ---- colour ------------------------------------------------------------------------------------------------------------------- */

static int paint_byte(double front, double keep, int byte) { return (int)((front + byte * (1.0 / 255.0) * keep) * 255 + 0.5); }

static void map_ref(const double *c, leat_circle_map *map) {
    for (int channel = 0; channel < 3; channel++) {
        double front = c[CIRCLE_RED + channel] * c[CIRCLE_OPACITY];
        for (int b = 0; b < 256; b++) map->table[channel][b] = (uint8_t)paint_byte(front, 1 - c[CIRCLE_OPACITY], b);
    }
}

static int64_t regions_ref(const leat_circle_paint *paints, const uint8_t *ground, const uint64_t *masks, int words, const int32_t *sums, int n) {
    int64_t total = 0;
    for (int i = 0; i < n; i++) {
        int v[3] = {ground[0], ground[1], ground[2]};
        for (int w = 0; w < words; w++)
            for (uint64_t rest = masks[i * words + w]; rest; rest &= rest - 1) {
                const leat_circle_paint *p = &paints[w * CIRCLE_LANES + __builtin_ctzll(rest)];
                for (int c = 0; c < 3; c++) v[c] = paint_byte(p->front[c], p->keep, v[c]);
            }
        for (int c = 0; c < 3; c++) total += v[c] * ((int64_t)v[c] * sums[4 * i + 3] - 2 * (int64_t)sums[4 * i + c]);
    }
    return total;
}

static void lookup_ref(const uint8_t *table, uint8_t *bytes, int64_t n) {
    for (int64_t i = 0; i < n; i++) bytes[i] = table[bytes[i]];
}

static uint64_t sse_ref(const uint8_t *a, const uint8_t *b, int64_t n) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (uint64_t)((a[i] - b[i]) * (a[i] - b[i]));
    return sum;
}

const leat_circle_kernels leat__circle_ref = {edges_ref, regions_ref, map_ref, lookup_ref, sse_ref, "ref"};
