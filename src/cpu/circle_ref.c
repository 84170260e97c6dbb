/* circle_ref.c - the circle fitter's kernels in plain C; contraction is off, so that each operation rounds once. */
#include "cpu/circle.h"

#include <math.h>

static int clamp_to_int(double v, int lo, int hi) { return v <= lo ? lo : v >= hi ? hi : (int)v; }

void leat__circle_rows(const double *c, int height, int *y0, int *y1) {
    *y0 = clamp_to_int(c[CIRCLE_Y] - c[CIRCLE_R], 0, height);
    *y1 = clamp_to_int(c[CIRCLE_Y] + c[CIRCLE_R] + 1, 0, height);
}

void leat_circle_span_ref(const double *c, int width, int y, int *x0, int *x1) {
    int    first = clamp_to_int(c[CIRCLE_X] - c[CIRCLE_R], 0, width), end = clamp_to_int(c[CIRCLE_X] + c[CIRCLE_R] + 1, 0, width);
    double dy = y - c[CIRCLE_Y], dy2 = dy * dy, r2 = c[CIRCLE_R] * c[CIRCLE_R];
    while (first < end && (first - c[CIRCLE_X]) * (first - c[CIRCLE_X]) + dy2 > r2) first++;
    while (end > first && (end - 1 - c[CIRCLE_X]) * (end - 1 - c[CIRCLE_X]) + dy2 > r2) end--;
    *x0 = first;
    *x1 = end;
}

void leat_circle_map_ref(const double *c, leat_circle_map *map) {
    double a = c[CIRCLE_OPACITY], keep = 1 - a;
    for (int channel = 0; channel < 3; channel++) {
        double front = c[CIRCLE_RED + channel] * a;
        for (int b = 0; b < 256; b++) map->table[channel][b] = (uint8_t)((front + b * (1.0 / 255.0) * keep) * 255 + 0.5);
    }
}

void leat_u8_lookup_ref(const uint8_t *table, uint8_t *bytes, int64_t n) {
    for (int64_t i = 0; i < n; i++) bytes[i] = table[bytes[i]];
}

uint64_t leat_u8_sse_ref(const uint8_t *a, const uint8_t *b, int64_t n) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (uint64_t)((a[i] - b[i]) * (a[i] - b[i]));
    return sum;
}
