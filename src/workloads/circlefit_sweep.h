/* circlefit_sweep.h - the exact cost of circles on a canvas of one colour, without painting a pixel. */
#ifndef LEAT_WORKLOADS_CIRCLEFIT_SWEEP_H
#define LEAT_WORKLOADS_CIRCLEFIT_SWEEP_H

#include "workloads/circlefit_impl.h"

enum { SWEEP_MOST_WORDS = 4, SWEEP_MOST_CIRCLES = SWEEP_MOST_WORDS * CIRCLE_LANES };

typedef struct leat_circle_sweep leat_circle_sweep;
/* Scratch for up to max_circles (<= SWEEP_MOST_CIRCLES).  NULL when out of memory. */
leat_circle_sweep *leat__circle_sweep_open(int max_circles);
void leat__circle_sweep_close(leat_circle_sweep *sweep);
/* Sum of v * v - 2 v * reference over pixels and channels after painting circles [count] on the target's ground colour. */
int64_t leat__circle_sweep_run(leat_circle_sweep *sweep, const leat_circle_target *target, const leat_circle *circles, int count);

#endif
