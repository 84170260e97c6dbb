/* mayfly_olce.c - OLCE-MA (Zhou, Kang, Su & Yang 2022, doi 10.1007/s13042-022-01617-4): the best males learn along the rows of an orthogonal
 * array, and elites search chaotically around themselves within a radius that falls to 0.
 *
 * L4(2^3): coordinate j of candidate r takes level ROW[r][j mod 3]: 0 = a step to the personal best, 1 = a step to the common best. */
#include <math.h>

#include "workloads/minimise_impl.h"

#define FACTOR 0.3
#define CHAOS_RADIUS 0.1
#define ROWS 4
#define SHARE 0.2 /* of the males that learn */

static const int level[ROWS][3] = {{0, 0, 0}, {0, 1, 1}, {1, 0, 1}, {1, 1, 0}};

static int learners(const leat_minimiser *m) {
    int count = (int)(SHARE * m->n);
    return count < 1 ? 1 : count;
}

static void build(leat_minimiser *m, int i) {
    const double *x = leat__row(m, m->male.x, i), *own = leat__row(m, m->male.best, i);
    for (int r = 0; r < ROWS; r++) {
        double *to = leat__row(m, m->trial, ROWS * i + r);
        leat__minimise_uniforms(m, DRAW_ORTHOGONAL, ROWS * i + r, m->draw[0]);
        for (int j = 0; j < m->dims; j++) {
            const double *target = level[r][j % 3] ? m->best : own;
            to[j] = x[j] + FACTOR * (target[j] - x[j]) + (2 * m->draw[0][j] - 1) * FACTOR * 0.1 * leat__span(m, j) * (1 - leat__minimise_time(m));
        }
        leat__minimise_clamp(m, to);
    }
}

static int learn(leat_minimiser *m) {
    int count = learners(m);
    for (int i = 0; i < count; i++) build(m, i);
    if (leat__minimise_evaluate(m, m->trial, ROWS * count, m->trial_cost)) return 1;
    for (int t = 0; t < ROWS * count; t++) {
        if (m->trial_cost[t] < m->male.cost[t / ROWS]) leat__mayfly_replace_male(m, t / ROWS, leat__row(m, m->trial, t), m->trial_cost[t]);
    }
    return 0;
}

static int exploit(leat_minimiser *m) {
    int    count = learners(m);
    double radius = CHAOS_RADIUS * (1 - leat__minimise_time(m));
    for (int i = 0; i < count; i++) {
        const double *x = leat__row(m, m->male.x, i);
        double *to = leat__row(m, m->trial, i);
        for (int j = 0; j < m->dims; j++) {
            m->s->chaos = fmin(fmax(4 * m->s->chaos * (1 - m->s->chaos), 1e-10), 1 - 1e-10); /* the logistic map, kept off its fixed points */
            to[j] = x[j] + radius * (m->s->chaos - 0.5) * leat__span(m, j);
        }
        leat__minimise_clamp(m, to);
    }
    if (leat__minimise_evaluate(m, m->trial, count, m->trial_cost)) return 1;
    for (int i = 0; i < count; i++) {
        if (m->trial_cost[i] < m->male.cost[i]) leat__mayfly_replace_male(m, i, leat__row(m, m->trial, i), m->trial_cost[i]);
    }
    return 0;
}

const mayfly_variant leat__mayfly_olce = {.refine = learn, .finish = exploit};
