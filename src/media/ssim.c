/* ssim.c - structural similarity (Z. Wang, A. Bovik, H. Sheikh, E. Simoncelli, "Image quality assessment", 2004).
 *
 * The window is separable: rows are filtered along x as they come into reach, five quantities each (a, b, a^2, b^2, ab); the last eleven rows are
 * kept, and filtered along y.  Memory is a few rows, whatever the height.
 */
#include <math.h>

#include "base/mem.h"
#include "leat/compare.h"
#include "media/image_codec.h"

enum { TAPS = 11, REACH = TAPS / 2, KINDS = 5 };

typedef struct filter {
    const leat_image *a, *b;
    double            weight[TAPS];
    double           *padded; /* [KINDS, width + 2 * REACH] */
    double           *rows;   /* [TAPS, KINDS, width] row y in slot y % TAPS */
} filter;

static void make_weights(double weight[TAPS]) {
    double sum = 0;
    for (int i = 0; i < TAPS; i++) sum += weight[i] = exp(-(i - REACH) * (i - REACH) / (2 * 1.5 * 1.5));
    for (int i = 0; i < TAPS; i++) weight[i] /= sum;
}

/* Reflects at 0 and n - 1 without repeating them. */
static int reflect(int i, int n) {
    if (n == 1) return 0;
    int period = 2 * (n - 1);
    i = (i % period + period) % period;
    return i < n ? i : period - i;
}

static void filter_row(filter *f, int channel, int y) {
    int width = f->a->width, wide = width + 2 * REACH;
    const uint8_t *a = f->a->data + y * f->a->stride + channel, *b = f->b->data + y * f->b->stride + channel;
    for (int x = 0; x < wide; x++) {
        int    from = 3 * reflect(x - REACH, width);
        double v = a[from], w = b[from], all[KINDS] = {v, w, v * v, w * w, v * w};
        for (int k = 0; k < KINDS; k++) f->padded[k * wide + x] = all[k];
    }
    for (int k = 0; k < KINDS; k++) {
        double *out = f->rows + ((y % TAPS) * KINDS + k) * (int64_t)width;
        for (int x = 0; x < width; x++) {
            double sum = 0;
            for (int i = 0; i < TAPS; i++) sum += f->weight[i] * f->padded[k * wide + x + i];
            out[x] = sum;
        }
    }
}

static double similarity(const double m[KINDS]) {
    const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
    double va = m[2] - m[0] * m[0], vb = m[3] - m[1] * m[1], both = m[4] - m[0] * m[1];
    return (2 * m[0] * m[1] + c1) * (2 * both + c2) / ((m[0] * m[0] + m[1] * m[1] + c1) * (va + vb + c2));
}

static double row_similarity(const filter *f, int y) {
    int    width = f->a->width;
    double sum = 0;
    for (int x = 0; x < width; x++) {
        double m[KINDS] = {0};
        for (int i = 0; i < TAPS; i++) {
            const double *row = f->rows + (reflect(y + i - REACH, f->a->height) % TAPS) * KINDS * (int64_t)width + x;
            for (int k = 0; k < KINDS; k++) m[k] += f->weight[i] * row[k * (int64_t)width];
        }
        sum += similarity(m);
    }
    return sum;
}

static double channel_similarity(filter *f, int channel) {
    int    ready = 0, height = f->a->height;
    double sum = 0;
    for (int y = 0; y < height; y++) {
        while (ready < height && ready <= y + REACH) filter_row(f, channel, ready++);
        sum += row_similarity(f, y);
    }
    return sum / ((double)f->a->width * height);
}

int leat_image_ssim(const leat_image *a, const leat_image *b, double *ssim) {
    if (!ssim || !leat__image_is_valid(a) || !leat__image_is_valid(b)) return LEAT_EINVAL;
    if (a->width != b->width || a->height != b->height) return LEAT_ESHAPE;
    filter f = {.a = a, .b = b};
    make_weights(f.weight);
    f.padded = leat__calloc(KINDS * sizeof(double), (size_t)a->width + 2 * REACH, LEAT_MEMORY_IO);
    f.rows = leat__calloc(TAPS * KINDS * sizeof(double), (size_t)a->width, LEAT_MEMORY_IO);
    int status = f.padded && f.rows ? LEAT_OK : LEAT_ENOMEM;
    if (status == LEAT_OK) *ssim = (channel_similarity(&f, 0) + channel_similarity(&f, 1) + channel_similarity(&f, 2)) / 3;
    leat__free(f.padded);
    leat__free(f.rows);
    return status;
}
