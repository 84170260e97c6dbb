/* yuv_ref.c - RGB and YUV rows in plain C: the definition of the numbers. */
#include "cpu/yuv.h"

static uint8_t clamp(int32_t v) { return v < 0 ? 0 : v > 255 ? 255 : (uint8_t)v; }

static int32_t dot(const int16_t *k, int a, int b, int c) { return k[0] * a + k[1] * b + k[2] * c; }

void leat_u8_yuv_from_rgb_ref(const uint8_t *rgb0, const uint8_t *rgb1, int step, uint8_t *y0, uint8_t *y1, uint8_t *u, uint8_t *v, int n,
                              const leat_yuv_forward *k) {
    for (int x = 0; x < n; x += 2) {
        int pair = x + 1 < n ? 1 : 0, next = pair * step, sum[3];
        const uint8_t *a = rgb0 + (int64_t)x * step, *b = rgb1 + (int64_t)x * step;
        for (int c = 0; c < 3; c++) sum[c] = a[c] + a[next + c] + b[c] + b[next + c];
        y0[x] = clamp((dot(k->y, a[0], a[1], a[2]) + k->y_bias) >> 15);
        y1[x] = clamp((dot(k->y, b[0], b[1], b[2]) + k->y_bias) >> 15);
        u[x / 2] = clamp((dot(k->u, sum[0], sum[1], sum[2]) + k->c_bias) >> 17);
        v[x / 2] = clamp((dot(k->v, sum[0], sum[1], sum[2]) + k->c_bias) >> 17);
        if (!pair) break;
        y0[x + 1] = clamp((dot(k->y, a[step], a[step + 1], a[step + 2]) + k->y_bias) >> 15);
        y1[x + 1] = clamp((dot(k->y, b[step], b[step + 1], b[step + 2]) + k->y_bias) >> 15);
    }
}

/* The product of two words of 15 bits of fraction, rounded. */
static int32_t product(int32_t a, int32_t b) { return (a * b + (1 << 14)) >> 15; }

void leat_u8_yuv_to_rgb_ref(const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *rgb, int step, int n, const leat_yuv_inverse *k) {
    int red = k->blue_first ? 2 : 0;
    for (int x = 0; x < n; x++, rgb += step) {
        int32_t luma = product(128 * (y[x] - k->y_offset), k->luma) + 32, cu = 256 * (u[x / 2] - 128), cv = 256 * (v[x / 2] - 128);
        rgb[red] = clamp((luma + product(cv, k->v0)) >> 6);
        rgb[1] = clamp((luma + product(cu, k->u1) + product(cv, k->v1)) >> 6);
        rgb[2 - red] = clamp((luma + product(cu, k->u2)) >> 6);
        if (step == 4) rgb[3] = 255;
    }
}

void leat_u8_split_ref(const uint8_t *pairs, uint8_t *even, uint8_t *odd, int n) {
    for (int i = 0; i < n; i++) {
        even[i] = pairs[2 * i];
        odd[i] = pairs[2 * i + 1];
    }
}

void leat_u8_join_ref(const uint8_t *even, const uint8_t *odd, uint8_t *pairs, int n) {
    for (int i = 0; i < n; i++) {
        pairs[2 * i] = even[i];
        pairs[2 * i + 1] = odd[i];
    }
}

void leat_u8_average_ref(const uint8_t *a, const uint8_t *b, uint8_t *out, int n) {
    for (int i = 0; i < n; i++) out[i] = (uint8_t)((a[i] + b[i] + 1) >> 1);
}

void leat_u8_reorder_ref(const uint8_t *in, int from, uint8_t *out, int to, int swap, int n) {
    int red = swap ? 2 : 0;
    for (int i = 0; i < n; i++, in += from, out += to) {
        out[0] = in[red];
        out[1] = in[1];
        out[2] = in[2 - red];
        if (to == 4) out[3] = 255;
    }
}
