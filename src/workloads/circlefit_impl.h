/* circlefit_impl.h - what the files of the circle fitter share: planes of bytes and drawing on them. */
#ifndef LEAT_WORKLOADS_CIRCLEFIT_IMPL_H
#define LEAT_WORKLOADS_CIRCLEFIT_IMPL_H

#include "cpu/circle.h"
#include "leat/circlefit.h"

/* Three planes of bytes, rows `stride` apart. */
typedef struct leat_circle_planes {
    uint8_t *plane[3];
    int64_t  stride;
    int      width, height;
} leat_circle_planes;

struct leat_circle_target {
    int64_t            refs; /* atomic */
    leat_circle_planes reference, canvas;
    uint64_t           sse;    /* of the bare canvas */
    uint64_t           squares; /* sum of reference^2 over pixels and channels */
    int32_t           *sums;   /* [height, width + 1, 4] of the reference left of x: R, G, B and pixels; NULL = too large an image */
    uint8_t            ground[3]; /* the canvas's one colour */
    int                is_flat;   /* it has one */
};

/* Allocates planes with rows padded to 64 bytes.  LEAT_ENOMEM. */
int  leat__circle_planes_alloc(int width, int height, leat_circle_planes *planes);
void leat__circle_planes_free(leat_circle_planes *planes);
void leat__circle_planes_from(const leat_image *image, const leat_circle_planes *planes);
void leat__circle_planes_to(const leat_circle_planes *planes, const leat_image *image);
void leat__circle_planes_copy(const leat_circle_planes *from, const leat_circle_planes *to);
uint64_t leat__circle_planes_sse(const leat_circle_planes *a, const leat_circle_planes *b);
/* Paints circles [count]; returns the number of pixels painted. */
uint64_t leat__circle_planes_paint(const leat_circle_planes *planes, const leat_circle *circles, int64_t count);
/* Whether image has pixels and a stride that holds them. */
int leat__circle_image_is_valid(const leat_image *image);

#endif
