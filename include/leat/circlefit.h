/* circlefit.h - images made of translucent circles: drawing them, and the exact cost of a candidate against a reference.
 *
 * The numbers: pixel (x, y) lies in a circle when (x - cx)^2 + (y - cy)^2 <= r^2 in float64, within the box [trunc(cx - r), trunc(cx + r + 1)) and the
 * same for y; circles are painted in order; each channel becomes trunc((c * a + byte / 255 * (1 - a)) * 255 + 0.5), so it is rounded to 8
 * bits after every circle.  Cost = sum of squared byte differences over pixels and channels, an exact integer.  Every instruction set,
 * number of threads and evaluation path gives the same bytes and the same sum.
 */
#ifndef LEAT_CIRCLEFIT_H
#define LEAT_CIRCLEFIT_H

#include "leat/media.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define LEAT_CIRCLE_REACH 1e6   /* largest |x|, |y| and radius, pixels */
#define LEAT_CIRCLES_MAX 65536  /* circles of one scene */
#define LEAT_CIRCLE_MAX_SIDE 16384 /* pixels a side of a target */

/* Seven doubles without padding, so that an array of them is a vector of 7 * count parameters. */
typedef struct leat_circle {
    double x, y, r;          /* centre and radius, pixels; pixel centres are the integers; |x|, |y| <= reach, 0 <= r <= reach */
    double red, green, blue; /* 0..1, not premultiplied */
    double opacity;          /* 0..1; 0 paints nothing */
} leat_circle;

/* Checks ranges of circles [count].  LEAT_OK; LEAT_EINVAL with index and field in *error; LEAT_ELIMIT above LEAT_CIRCLES_MAX.  Any thread, RT-safe. */
int leat_circles_check(const leat_circle *circles, int64_t count, leat_error *error);

/* Paints circles [count] over *canvas, in order.  pool: borrows, NULL = one thread.  *writes, unless NULL: pixels painted, counted once a circle.
 * LEAT_EINVAL, LEAT_ELIMIT (as leat_circles_check), LEAT_ENOMEM: *canvas is as it was.  Any thread; allocates scratch. */
int leat_circles_render(const leat_circle *circles, int64_t count, leat_image *canvas, leat_tpool *pool, uint64_t *writes);

/* The same without allocating: scratch for scenes of up to max_circles on images up to max_width wide.  *renderer: the caller takes it.
 * pool: shares, NULL = one thread.  LEAT_EINVAL, LEAT_ELIMIT, LEAT_ENOMEM. */
typedef struct leat_circle_renderer leat_circle_renderer;
int leat_circle_renderer_open(int64_t max_circles, int max_width, leat_tpool *pool, leat_circle_renderer **renderer);
void leat_circle_renderer_close(leat_circle_renderer *renderer); /* NULL allowed */
/* LEAT_EINVAL, LEAT_ELIMIT: *canvas is as it was.  One thread at a time, RT-safe. */
int leat_circle_renderer_draw(leat_circle_renderer *renderer, const leat_circle *circles, int64_t count, leat_image *canvas, uint64_t *writes);

/* What candidates are measured against: the reference, the canvas that they are painted on, and sums over both.  Ref-counted; while
 * evaluators run it is only read, so that they share it whatever their number. */
typedef struct leat_circle_target leat_circle_target;
/* reference, canvas: borrow, the pixels are copied.  canvas NULL = white; else of the reference's size.  *target: the caller takes one reference.
 * LEAT_EINVAL, LEAT_ESHAPE (sizes differ), LEAT_ELIMIT (larger than the limit), LEAT_ENOMEM.  Any thread. */
int leat_circle_target_open(const leat_image *reference, const leat_image *canvas, leat_circle_target **target, leat_error *error);
leat_circle_target *leat_circle_target_ref(leat_circle_target *target); /* any thread */
void leat_circle_target_unref(leat_circle_target *target);              /* NULL allowed */
/* Paints circles on the target's canvas for good (a frozen prefix): candidates are painted on top of them.
 * LEAT_EINVAL, LEAT_ELIMIT, LEAT_ENOMEM: nothing is changed.  Not while an evaluation runs. */
int leat_circle_target_freeze(leat_circle_target *target, const leat_circle *circles, int64_t count, leat_error *error);
/* Replaces the canvas, NULL = white.  LEAT_EINVAL, LEAT_ESHAPE, LEAT_ENOMEM: nothing is changed.  Not while an evaluation runs. */
int leat_circle_target_reset(leat_circle_target *target, const leat_image *canvas, leat_error *error);
/* Any thread, RT-safe. */
int leat_circle_target_width(const leat_circle_target *target);
int leat_circle_target_height(const leat_circle_target *target);
uint64_t leat_circle_target_sse(const leat_circle_target *target); /* of the bare canvas */
/* Copies the canvas or the reference into *image, which has the target's size (caller's memory).  LEAT_EINVAL, LEAT_ESHAPE.  RT-safe. */
int leat_circle_target_canvas(const leat_circle_target *target, leat_image *image);
int leat_circle_target_reference(const leat_circle_target *target, leat_image *image);

/* One thread's scratch to measure candidates of up to max_circles on a target. */
typedef struct leat_circle_evaluator leat_circle_evaluator;
/* target: shares.  *evaluator: the caller takes it.  LEAT_EINVAL, LEAT_ELIMIT, LEAT_ENOMEM.  Any thread. */
int leat_circle_evaluator_open(leat_circle_target *target, int64_t max_circles, leat_circle_evaluator **evaluator);
void leat_circle_evaluator_close(leat_circle_evaluator *evaluator); /* NULL allowed */
/* *sse = sum of squared differences after painting circles [count] on the target's canvas; MSE = sse / (3.0 * width * height).
 * Chooses by itself among paths that give the same integer.  LEAT_EINVAL, LEAT_ELIMIT (as leat_circles_check, or count > max_circles).
 * One thread at a time, RT-safe. */
int leat_circle_evaluate(leat_circle_evaluator *evaluator, const leat_circle *circles, int64_t count, uint64_t *sse);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
