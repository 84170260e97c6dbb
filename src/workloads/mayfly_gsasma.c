/* mayfly_gsasma.c - GSASMA: the best males make a golden-sine step that simulated annealing may accept although it is worse; mutation is Cauchy
 * early and Gaussian late; now and then the best point is set against its opposite.
 *
 * Golden sine (Tanyildizi & Demir 2017): x' = x |sin r1| - r2 sin r1 |x1 g - x2 x|, r1 in [0, 2 pi], r2 in [0, pi],
 * x1 = -pi + (1 - tau) 2 pi, x2 = -pi + tau 2 pi, tau = (sqrt 5 - 1) / 2.  The temperature falls by 0.95 an iteration from 100. */
#include <math.h>

#include "workloads/minimise_impl.h"

#define SHARE 0.2
#define COOLING 0.95
#define OPPOSE_EVERY 10
#define CAUCHY_SCALE 0.1 /* of upper - lower; steps end at 3 of them */
#define PI 3.14159265358979323846
#define TAU ((2.23606797749978969641 - 1) / 2)

static void build(leat_minimiser *m, int i) {
    const double *x = leat__row(m, m->male.x, i);
    const double x1 = -PI + (1 - TAU) * 2 * PI, x2 = -PI + TAU * 2 * PI;
    double *to = leat__row(m, m->trial, i);
    double r1 = 2 * PI * leat__minimise_uniform(m, DRAW_GOLDEN, i, 0), r2 = PI * leat__minimise_uniform(m, DRAW_GOLDEN, i, 1);
    for (int j = 0; j < m->dims; j++) to[j] = x[j] * fabs(sin(r1)) - r2 * sin(r1) * fabs(x1 * m->best[j] - x2 * x[j]);
    leat__minimise_clamp(m, to);
}

static int refine(leat_minimiser *m) {
    int count = (int)ceil(SHARE * m->n);
    for (int i = 0; i < count; i++) build(m, i);
    if (leat__minimise_evaluate(m, m->trial, count, m->trial_cost)) return 1;
    for (int i = 0; i < count; i++) {
        double worse = m->trial_cost[i] - m->male.cost[i];
        if (worse < 0 || leat__minimise_uniform(m, DRAW_ACCEPT, i, 0) < exp(-worse / fmax(m->s->temperature, 1e-300)))
            leat__mayfly_replace_male(m, i, leat__row(m, m->trial, i), m->trial_cost[i]);
    }
    m->s->temperature *= COOLING;
    return 0;
}

static void mutate(leat_minimiser *m, int k, double *x) {
    int    count = leat__mayfly_pick_axes(m, k);
    double t = leat__minimise_time(m), p = t < 1.0 / 3 ? 0.7 : t < 2.0 / 3 ? 0.5 : 0.3;
    int    cauchy = leat__minimise_uniform(m, DRAW_CAUCHY, k, 0) < p;
    for (int j = 0; j < count; j++) {
        int    axis = m->axes[j];
        double step = leat__minimise_normal(m, DRAW_MUTATE, k, j) * m->o.mutation_sigma;
        if (cauchy) step = fmin(fmax(CAUCHY_SCALE * tan(PI * (leat__minimise_uniform(m, DRAW_CAUCHY, k, 1 + j) - 0.5)), -3), 3);
        x[axis] += step * leat__span(m, axis);
    }
}

static int oppose(leat_minimiser *m) {
    if (m->s->iteration % OPPOSE_EVERY) return 0;
    for (int j = 0; j < m->dims; j++) m->trial[j] = m->lower[j] + m->upper[j] - m->best[j];
    leat__minimise_clamp(m, m->trial); /* the sum rounds */
    if (leat__minimise_evaluate(m, m->trial, 1, m->trial_cost)) return 1;
    if (m->trial_cost[0] < m->s->best_cost) leat__mayfly_replace_male(m, m->n - 1, m->trial, m->trial_cost[0]);
    return 0;
}

const mayfly_variant leat__mayfly_gsasma = {.refine = refine, .mutate = mutate, .finish = oppose};
