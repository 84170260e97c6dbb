/* mayfly_aoblmoa.c - AOBLMOA (Zhao et al., Biomimetics 2023, 8(4), 381): where the standard would let an individual dance or wander, it hunts
 * like the Aquila Optimizer (Abualigah et al. 2021); mutation gives way to stochastic opposition of every child.
 *
 * Up to two thirds of the iterations males take X2 and females X1 (exploring), then X4 and X3 (exploiting):
 *   X1 = g (1 - t) + mean - g U            X2 = g L + x_r + (y - x) U
 *   X3 = (g - mean) 0.1 - U + (span U + lower) 0.1     X4 = QF g - G1 x U - G2 L + U G1,  QF = k^((2U - 1) / (1 - T)^2), G1 = 2U - 1, G2 = 2 (1 - t)
 * with (x, y) on a spiral and L Levy steps of 0.01. */
#include <math.h>
#include <string.h>

#include "workloads/minimise_impl.h"

#define SWITCH (2.0 / 3)
#define PI 3.14159265358979323846

static double uniform(const leat_minimiser *m, int i, int k) { return leat__minimise_uniform(m, DRAW_AQUILA, i, k); }

/* The males and their mean, into draw[2], before they move: they move at once. */
static void begin(leat_minimiser *m) {
    memcpy(m->sorted, m->male.x, (size_t)m->n * (size_t)m->dims * sizeof(double));
    memset(m->draw[2], 0, (size_t)m->dims * sizeof(double));
    for (int i = 0; i < m->n; i++) {
        const double *x = leat__row(m, m->male.x, i);
        for (int j = 0; j < m->dims; j++) m->draw[2][j] += x[j] / m->n;
    }
}

static void spiral(leat_minimiser *m, int i, double *x) {
    const double *other = leat__row(m, m->sorted, leat__minimise_pick(m, DRAW_AQUILA, i, 0, m->n));
    double first = 1 + floor(20 * uniform(m, i, 1));
    for (int j = 0; j < m->dims; j++) {
        double r = first + 0.00565 * (j + 1), angle = -0.005 * (j + 1) + 1.5 * PI;
        x[j] = m->best[j] * 0.01 * leat__minimise_levy(m, i, j) + other[j] + r * (cos(angle) - sin(angle)) * uniform(m, i, 2 + j);
    }
}

static void swoop(leat_minimiser *m, int i, double *x) {
    double t = leat__minimise_time(m), k = (double)m->s->iteration;
    double whole = 1 - (double)m->o.iterations;
    double quality = m->o.iterations > 1 ? pow(k, (2 * uniform(m, i, 0) - 1) / (whole * whole)) : 1;
    double g1 = 2 * uniform(m, i, 1) - 1, g2 = 2 * (1 - t);
    for (int j = 0; j < m->dims; j++)
        x[j] = quality * m->best[j] - g1 * x[j] * uniform(m, i, 2 + 2 * j) - g2 * 0.01 * leat__minimise_levy(m, i, j) + uniform(m, i, 3 + 2 * j) * g1;
}

static int fly_male(leat_minimiser *m, int i) {
    if (m->male.cost[i] > m->s->best_cost) return 0;
    if (leat__minimise_time(m) <= SWITCH) spiral(m, i, leat__row(m, m->male.x, i));
    else swoop(m, i, leat__row(m, m->male.x, i));
    return 1;
}

static int fly_female(leat_minimiser *m, int i) {
    double *x = leat__row(m, m->female.x, i), t = leat__minimise_time(m);
    const double *mean = m->draw[2];
    if (m->female.cost[i] > m->male.cost[i]) return 0;
    for (int j = 0; j < m->dims; j++) {
        double u = uniform(m, m->n + i, 2 * j), w = uniform(m, m->n + i, 2 * j + 1);
        x[j] = t <= SWITCH ? m->best[j] * (1 - t) + mean[j] - m->best[j] * u
                           : (m->best[j] - mean[j]) * 0.1 - u + (leat__span(m, j) * w + m->lower[j]) * 0.1;
    }
    return 1;
}

/* Every child meets its opposite (lower + upper - x) U; the better one stays. */
static int oppose(leat_minimiser *m, int n) {
    double *opposite = leat__row(m, m->trial, n), *costs = m->trial_cost + n;
    for (int i = 0; i < n; i++) {
        const double *x = leat__row(m, m->trial, i);
        double *to = leat__row(m, opposite, i);
        leat__minimise_uniforms(m, DRAW_OPPOSE, i, m->draw[0]);
        for (int j = 0; j < m->dims; j++) to[j] = (m->lower[j] + m->upper[j] - x[j]) * m->draw[0][j];
        leat__minimise_clamp(m, to);
    }
    if (leat__minimise_evaluate(m, opposite, n, costs)) return 1;
    for (int i = 0; i < n; i++) {
        if (!(costs[i] < m->trial_cost[i])) continue;
        memcpy(leat__row(m, m->trial, i), leat__row(m, opposite, i), (size_t)m->dims * sizeof(double));
        m->trial_cost[i] = costs[i];
    }
    return 0;
}

const mayfly_variant leat__mayfly_aoblmoa = {.begin = begin, .fly_female = fly_female, .fly_male = fly_male, .offspring = oppose};
