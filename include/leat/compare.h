/* compare.h - how alike two images are: squared error, PSNR, SSIM, and a picture of the differences. */
#ifndef LEAT_COMPARE_H
#define LEAT_COMPARE_H

#include "leat/media.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* *sse = sum of squared byte differences over pixels and channels; the mean squared error is sse / (3.0 * width * height), 0..65025.
 * LEAT_EINVAL (no pixels), LEAT_ESHAPE (sizes differ).  Any thread, RT-safe. */
int leat_image_sse(const leat_image *a, const leat_image *b, uint64_t *sse);

/* Peak signal-to-noise ratio of a mean squared error, 20 log10(255 / sqrt(mse)); infinite for 0.  RT-safe. */
double leat_psnr_db(double mse);

/* *ssim = structural similarity (Wang et al. 2004), -1..1: Gaussian window of 11 x 11 pixels, sigma 1.5, K1 0.01, K2 0.03, borders reflected without
 * repeating the edge, mean over pixels and over R, G and B.  LEAT_EINVAL, LEAT_ESHAPE, LEAT_ENOMEM.  Any thread; allocates scratch. */
int leat_image_ssim(const leat_image *a, const leat_image *b, double *ssim);

typedef enum leat_colormap { LEAT_COLORMAP_TURBO = 0, LEAT_COLORMAP_MAGMA, LEAT_COLORMAP_GREY, LEAT_COLORMAPS } leat_colormap;
/* "turbo", "magma", "grey"; NULL when out of range.  RT-safe. */
const char *leat_colormap_name(leat_colormap map);
/* Colour of value 0..255 -> rgb [3].  LEAT_EINVAL: no such map.  RT-safe. */
int leat_colormap_rgb(leat_colormap map, int value, uint8_t rgb[3]);

/* Fills *out (of the same size, caller's memory; may be a or b): the mean absolute difference of each pixel's bytes, rounded to nearest, in colour.
 * LEAT_EINVAL, LEAT_ESHAPE.  Any thread, RT-safe. */
int leat_image_difference(const leat_image *a, const leat_image *b, leat_colormap map, leat_image *out);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
