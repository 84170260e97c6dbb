/* compare.c - squared error of two images, and their difference in colour. */
#include "leat/compare.h"

#include <math.h>
#include <stddef.h>

#include "media/image_codec.h"

static int check_pair(const leat_image *a, const leat_image *b) {
    if (!leat__image_is_valid(a) || !leat__image_is_valid(b)) return LEAT_EINVAL;
    return a->width == b->width && a->height == b->height ? LEAT_OK : LEAT_ESHAPE;
}

int leat_image_sse(const leat_image *a, const leat_image *b, uint64_t *sse) {
    int status = sse ? check_pair(a, b) : LEAT_EINVAL;
    if (status != LEAT_OK) return status;
    *sse = 0;
    for (int y = 0; y < a->height; y++) {
        const uint8_t *p = a->data + y * a->stride, *q = b->data + y * b->stride;
        uint64_t       row = 0;
        for (int x = 0; x < 3 * a->width; x++) row += (uint64_t)((p[x] - q[x]) * (p[x] - q[x]));
        *sse += row;
    }
    return LEAT_OK;
}

double leat_psnr_db(double mse) { return mse > 0 ? 10 * log10(65025 / mse) : INFINITY; }

/* ---- colour maps ------------------------------------------------------------------------------------------------------------- */

static const char *const map_names[LEAT_COLORMAPS] = {"turbo", "magma", "grey"};

const char *leat_colormap_name(leat_colormap map) { return (unsigned)map < LEAT_COLORMAPS ? map_names[map] : NULL; }

static uint8_t to_byte(double v) { return v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)(v + 0.5); }

/* Fifth-degree fits of the Turbo map, lowest power first. */
static void turbo(double t, uint8_t rgb[3]) {
    static const double power[3][6] = {{34.61, 1172.33, -10793.56, 33300.12, -38394.49, 14825.05},
                                       {23.31, 557.33, 1225.33, -3574.96, 1073.77, 707.56},
                                       {27.20, 3211.10, -15327.97, 27814, -22569.18, 6838.66}};
    for (int c = 0; c < 3; c++) {
        double v = 0;
        for (int k = 5; k >= 0; k--) v = v * t + power[c][k];
        rgb[c] = to_byte(v);
    }
}

static void magma(double t, uint8_t rgb[3]) {
    static const uint8_t stops[11][3] = {{0, 0, 4},      {24, 15, 61},   {61, 15, 112},  {101, 21, 110}, {140, 41, 97},  {183, 55, 75},
                                         {222, 73, 47},  {246, 112, 25}, {253, 165, 10}, {249, 220, 92}, {252, 253, 191}};
    int    i = t >= 1 ? 9 : (int)(t * 10);
    double part = t * 10 - i;
    for (int c = 0; c < 3; c++) rgb[c] = to_byte(stops[i][c] + part * (stops[i + 1][c] - stops[i][c]));
}

int leat_colormap_rgb(leat_colormap map, int value, uint8_t rgb[3]) {
    if ((unsigned)map >= LEAT_COLORMAPS || value < 0 || value > 255) return LEAT_EINVAL;
    if (map == LEAT_COLORMAP_TURBO) turbo(value / 255.0, rgb);
    else if (map == LEAT_COLORMAP_MAGMA) magma(value / 255.0, rgb);
    else rgb[0] = rgb[1] = rgb[2] = (uint8_t)value;
    return LEAT_OK;
}

static int distance(int a, int b) { return a > b ? a - b : b - a; }

int leat_image_difference(const leat_image *a, const leat_image *b, leat_colormap map, leat_image *out) {
    uint8_t colours[256][3];
    int status = check_pair(a, b);
    if (status == LEAT_OK) status = check_pair(a, out);
    if (status != LEAT_OK) return status;
    for (int v = 0; v < 256; v++)
        if (leat_colormap_rgb(map, v, colours[v]) != LEAT_OK) return LEAT_EINVAL;
    for (int y = 0; y < a->height; y++) {
        const uint8_t *p = a->data + y * a->stride, *q = b->data + y * b->stride;
        uint8_t       *o = out->data + y * out->stride;
        for (int x = 0; x < a->width; x++, p += 3, q += 3, o += 3) {
            const uint8_t *colour = colours[(2 * (distance(p[0], q[0]) + distance(p[1], q[1]) + distance(p[2], q[2])) + 3) / 6];
            for (int c = 0; c < 3; c++) o[c] = colour[c];
        }
    }
    return LEAT_OK;
}
