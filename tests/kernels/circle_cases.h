/* circle_cases.h - the original's definition of a scene, pixel by pixel, its benchmark fixture, and random scenes; shared by the circle fitter's tests. */
#ifndef LEAT_TESTS_CIRCLE_CASES_H
#define LEAT_TESTS_CIRCLE_CASES_H

#include <stdlib.h>

#include "kernel_util.h"
#include "leat/leat.h"

static inline double cc_uniform(void) { return (double)(kt_next() >> 11) / 9007199254740992.0; }

static inline int cc_clip(double v, int most) { return v <= 0 ? 0 : v >= most ? most : (int)v; }

/* Double loop over the box, float64, on packed RGB. */
static inline uint64_t cc_paint(const leat_circle *c, uint8_t *rgb, int width, int height) {
    uint64_t writes = 0;
    if (c->opacity == 0) return 0;
    int x0 = cc_clip(c->x - c->r, width), x1 = cc_clip(c->x + c->r + 1, width), y0 = cc_clip(c->y - c->r, height), y1 = cc_clip(c->y + c->r + 1, height);
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            double dx = x - c->x, dy = y - c->y;
            if (dx * dx + dy * dy > c->r * c->r) continue;
            uint8_t *p = rgb + 3 * ((int64_t)y * width + x);
            for (int k = 0; k < 3; k++) {
                double bg = p[k] * (1.0 / 255.0);
                p[k] = (uint8_t)(((&c->red)[k] * c->opacity + bg * (1 - c->opacity)) * 255 + 0.5);
            }
            writes++;
        }
    return writes;
}

static inline uint64_t cc_sse(const uint8_t *a, const uint8_t *b, int64_t n) {
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (uint64_t)((a[i] - b[i]) * (a[i] - b[i]));
    return sum;
}

/* Phase 9 fixture of the original: no random numbers. */
static inline void cc_fixture(leat_circle *circles, int k, int width, int height) {
    int m = (width < height ? width : height) / 4;
    for (int c = 0; c < k; c++)
        circles[c] = (leat_circle){37 * c % width + 0.25, 53 * c % height + 0.75, 2 + 11 * c % m, 29 * c % 256 / 255.0, 47 * c % 256 / 255.0,
                                   71 * c % 256 / 255.0, 0.25 + 0.7 * (17 * c % 100) / 100};
}

/* A circle of any kind that may be met: mostly ordinary; sometimes on integers, tiny, beyond the canvas, opaque, invisible, or nearly so. */
static inline leat_circle cc_random(int width, int height) {
    double      side = width > height ? width : height, o = cc_uniform();
    leat_circle c = {cc_uniform() * width, cc_uniform() * height, 1 + cc_uniform() * (side - 1), cc_uniform(), cc_uniform(), cc_uniform(), o};
    int         kind = kt_int(0, 15);
    if (kind < 4) c.r = 1 + cc_uniform() * side / 6;
    if (kind == 4) c.x = kt_int(-3, width + 3), c.y = kt_int(-3, height + 3), c.r = kt_int(1, (int)side + 1);
    if (kind == 5) c.x = kt_int(0, 2 * width) * 0.5, c.y = kt_int(0, 2 * height) * 0.5, c.r = kt_int(0, 2 * (int)side) * 0.5;
    if (kind == 6) c.x = (cc_uniform() * 2 - 0.5) * width, c.y = (cc_uniform() * 2 - 0.5) * height, c.r = side * 3 * cc_uniform();
    if (kind == 7) c.x = -cc_uniform() * 900000, c.y = cc_uniform() * 1000 - 500, c.r = -c.x + cc_uniform() * width - 0.3;
    if (kind == 8) c.r = cc_uniform() * 1.5;
    if (kind == 9) c.opacity = kt_int(0, 2) * 0.5;
    if (kind == 10) c.opacity = cc_uniform() * 0.01;
    if (kind == 11) c.opacity = 1 - cc_uniform() * 1e-3;
    if (kind == 12) c.red = kt_int(0, 1), c.green = kt_int(0, 255) / 255.0, c.blue = kt_int(0, 1), c.opacity = kt_int(0, 256) / 256.0;
    if (kind == 13) c.x = kt_int(0, width) , c.y = kt_int(0, height), c.r = 5 * kt_int(1, 40), c.x += kt_int(0, 3) * 1e-13;
    return c;
}

static inline leat_image cc_noise(int width, int height) {
    leat_image image;
    assert_int_equal(leat_image_alloc(width, height, &image), LEAT_OK);
    for (int64_t i = 0; i < image.stride * height; i++) image.data[i] = (uint8_t)kt_next();
    return image;
}

#endif
