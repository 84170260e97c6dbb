/* mayfly_desma.c - DESMA: a few elites are tried around the best point within a range that grows after success and shrinks after failure.
 * The best elite takes the place of the best male if it is better (Du & Zhu, PLoS ONE 2022, doi 10.1371/journal.pone.0273155).  Inertia falls
 * from 0.9 to 0.4. */
#include "workloads/minimise_impl.h"

#define ELITES 5
#define ENLARGE 1.05
#define REDUCE 0.95

static void begin(leat_minimiser *m) { m->s->inertia = 0.9 - 0.5 * leat__minimise_time(m); }

static int finish(leat_minimiser *m) {
    int best = 0;
    m->s->range *= m->s->improved ? ENLARGE : REDUCE;
    if (m->s->range > 1) m->s->range = 1;
    for (int e = 0; e < ELITES; e++) {
        double *x = leat__row(m, m->trial, e);
        leat__minimise_uniforms(m, DRAW_ELITE, e, m->draw[0]);
        for (int j = 0; j < m->dims; j++) x[j] = m->best[j] + (2 * m->draw[0][j] - 1) * m->s->range * leat__span(m, j);
        leat__minimise_clamp(m, x);
    }
    if (leat__minimise_evaluate(m, m->trial, ELITES, m->trial_cost)) return 1;
    for (int e = 1; e < ELITES; e++) best = m->trial_cost[e] < m->trial_cost[best] ? e : best;
    if (m->trial_cost[best] < m->male.cost[0]) leat__mayfly_replace_male(m, 0, leat__row(m, m->trial, best), m->trial_cost[best]);
    return 0;
}

const mayfly_variant leat__mayfly_desma = {.begin = begin, .finish = finish};
