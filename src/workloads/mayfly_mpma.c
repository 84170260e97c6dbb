/* mayfly_mpma.c - MPMA (IEEE Access 2022): males are drawn to the median position of all males as well, and the inertia follows
 * 0.5 sqrt(1 - t^2) + 0.4. */
#include <math.h>
#include <stdlib.h>

#include "workloads/minimise_impl.h"

#define WEIGHT 0.5

static int by_value(const void *a, const void *b) {
    double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

/* The medians of all coordinates into draw[2]: they are taken before the males move. */
static void begin(leat_minimiser *m) {
    double t = leat__minimise_time(m);
    m->s->inertia = 0.5 * sqrt(1 - t * t) + 0.4;
    for (int j = 0; j < m->dims; j++) {
        for (int i = 0; i < m->n; i++) m->trial_cost[i] = leat__row(m, m->male.x, i)[j];
        qsort(m->trial_cost, (size_t)m->n, sizeof(double), by_value);
        m->draw[2][j] = m->n % 2 ? m->trial_cost[m->n / 2] : (m->trial_cost[m->n / 2 - 1] + m->trial_cost[m->n / 2]) / 2;
    }
}

static void pull_male(leat_minimiser *m, int i) {
    leat__mayfly_attract(m, leat__row(m, m->male.v, i), leat__row(m, m->male.x, i), m->draw[2], WEIGHT, 1);
}

const mayfly_variant leat__mayfly_mpma = {.begin = begin, .pull_male = pull_male};
