/* circlefit_guess.c - first guesses where the canvas is furthest from the reference.
 *
 * Pixels are taken by falling squared error, as long as they keep 2 r apart, r = max(1, min(W, H) / 20); opacity 0.5, the colour that would make
 * that pixel right, clamped.  When every pixel is near one that is taken, the distance is halved. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "workloads/circlefit_fit.h"

#define OPACITY 0.5

typedef struct pixel {
    int32_t error, index;
} pixel;

static int by_error(const void *a, const void *b) {
    const pixel *p = a, *q = b;
    return p->error != q->error ? (p->error < q->error) - (p->error > q->error) : (p->index > q->index) - (p->index < q->index);
}

static double clamp01(double v) { return v < 0 ? 0 : v > 1 ? 1 : v; }

static leat_circle guess_at(const leat_image *reference, const leat_image *canvas, int x, int y, double r) {
    const uint8_t *want = reference->data + y * reference->stride + 3 * x, *have = canvas->data + y * canvas->stride + 3 * x;
    double color[3];
    for (int ch = 0; ch < 3; ch++) color[ch] = clamp01((want[ch] - (1 - OPACITY) * have[ch]) / (OPACITY * 255));
    return (leat_circle){x, y, r, color[0], color[1], color[2], OPACITY};
}

static int is_apart(const leat_circle *circles, int n, int x, int y, double distance) {
    for (int i = 0; i < n; i++) {
        if (hypot(circles[i].x - x, circles[i].y - y) < distance) return 0;
    }
    return 1;
}

static void pick(leat_circlefit *fit, const leat_image *reference, const leat_image *canvas, const pixel *pixels, int64_t n_pixels, leat_circle *circles, int n) {
    double r = fmax(1, fmin(fit->width, fit->height) / 20.0), apart = 2 * r;
    int    found = 0;
    while (found < n) {
        for (int64_t i = 0; i < n_pixels && found < n; i++) {
            int x = pixels[i].index % fit->width, y = pixels[i].index / fit->width;
            if (!is_apart(circles, found, x, y, apart)) continue;
            circles[found] = guess_at(reference, canvas, x, y, r);
            leat__fit_repair(fit, &circles[found++]);
        }
        apart = apart < 0.5 ? 0 : apart / 2;
    }
}

int leat__fit_guess(leat_circlefit *fit, leat_circle *circles, int n, leat_error *error) {
    int64_t count = (int64_t)fit->width * fit->height;
    leat_image reference = {0}, canvas = {0};
    pixel *pixels = leat__calloc((size_t)count, sizeof *pixels, LEAT_MEMORY_OTHER);
    int ok = pixels && leat_image_alloc(fit->width, fit->height, &reference) == LEAT_OK && leat_image_alloc(fit->width, fit->height, &canvas) == LEAT_OK;
    if (ok) {
        leat_circle_target_reference(fit->target, &reference);
        leat_circle_target_canvas(fit->target, &canvas);
        for (int64_t i = 0; i < count; i++) {
            const uint8_t *a = reference.data + i / fit->width * reference.stride + 3 * (i % fit->width);
            const uint8_t *b = canvas.data + i / fit->width * canvas.stride + 3 * (i % fit->width);
            for (int ch = 0; ch < 3; ch++) pixels[i].error += (a[ch] - b[ch]) * (a[ch] - b[ch]);
            pixels[i].index = (int32_t)i;
        }
        qsort(pixels, (size_t)count, sizeof *pixels, by_error);
        pick(fit, &reference, &canvas, pixels, count, circles, n);
    }
    leat_image_free(&reference);
    leat_image_free(&canvas);
    leat__free(pixels);
    return ok ? LEAT_OK : leat__fail(error, LEAT_ENOMEM, "no memory to look for the largest errors");
}
