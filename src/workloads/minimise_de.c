/* minimise_de.c - one generation of Differential Evolution: rand/1/bin and best/1/bin (Storn & Price 1997), and JADE (Zhang & Sanderson 2009):
 * current-to-pbest/1 with an archive of beaten parents, F and CR drawn for each trial and their means learnt from those that won.
 * A coordinate that leaves the bounds is set halfway between the parent's and the bound. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "workloads/minimise_impl.h"

#define PI 3.14159265358979323846
#define JADE_BEST 0.05  /* share of the population that counts as the best */
#define JADE_LEARN 0.1

typedef struct factors {
    double weight, crossover;
} factors;

/* Different rows, none of them i: others [count], each in [0, n). */
static void pick_others(const leat_minimiser *m, int i, int n, int count, int *others) {
    for (int got = 0, k = 0; got < count; k++) {
        int r = leat__minimise_pick(m, DRAW_DE_PICK, i, k, n), fresh = r != i;
        for (int j = 0; j < got; j++) fresh &= others[j] != r;
        if (fresh) others[got++] = r;
    }
}

static factors draw_factors(const leat_minimiser *m, int i) {
    factors f = {m->o.weight, m->o.crossover};
    if (m->o.algorithm != LEAT_MINIMISE_JADE) return f;
    f.weight = 0;
    for (int k = 1; f.weight <= 0; k++) f.weight = m->s->weight + 0.1 * tan(PI * (leat__minimise_uniform(m, DRAW_DE_ADAPT, i, k) - 0.5));
    f.weight = fmin(f.weight, 1);
    f.crossover = fmin(fmax(m->s->crossover + 0.1 * leat__minimise_normal(m, DRAW_DE_ADAPT, m->n + i, 0), 0), 1);
    return f;
}

/* mutant[j] = base[j] + towards (best - base) + F (one - two), for the three schemes. */
static double mutant(const leat_minimiser *m, const double *const rows[4], const factors *f, int j) {
    double difference = rows[2][j] - rows[3][j];
    if (m->o.algorithm == LEAT_MINIMISE_JADE) return rows[0][j] + f->weight * (rows[1][j] - rows[0][j]) + f->weight * difference;
    return rows[1][j] + f->weight * difference;
}

/* rows: the parent, the base (or the p-best of JADE), and the two of the difference. */
static void choose_rows(leat_minimiser *m, int i, const double *rows[4]) {
    int r[3];
    rows[0] = leat__row(m, m->male.x, i);
    if (m->o.algorithm == LEAT_MINIMISE_JADE) {
        int top = (int)ceil(JADE_BEST * m->n), best = leat__minimise_pick(m, DRAW_DE_ADAPT, 2 * m->n + i, 0, top < 2 ? 2 : top);
        pick_others(m, i, m->n, 1, r);
        int two = r[0];
        for (int k = 0; two == r[0] || two == i; k++) two = leat__minimise_pick(m, DRAW_DE_ARCHIVE, i, k, m->n + (int)m->s->archived);
        rows[1] = leat__row(m, m->male.x, m->rank[best].index);
        rows[2] = leat__row(m, m->male.x, r[0]);
        rows[3] = two < m->n ? leat__row(m, m->male.x, two) : leat__row(m, m->female.x, two - m->n);
        return;
    }
    pick_others(m, i, m->n, 3, r);
    rows[1] = m->o.algorithm == LEAT_MINIMISE_DE_BEST ? m->best : leat__row(m, m->male.x, r[2]);
    rows[2] = leat__row(m, m->male.x, r[0]);
    rows[3] = leat__row(m, m->male.x, r[1]);
}

static void build(leat_minimiser *m, int i) {
    const double *rows[4];
    factors f = draw_factors(m, i);
    double *to = leat__row(m, m->trial, i);
    int     sure = leat__minimise_pick(m, DRAW_DE_PICK, m->n + i, 0, m->dims);
    choose_rows(m, i, rows);
    leat__minimise_uniforms(m, DRAW_DE_CROSS, i, m->draw[0]);
    for (int j = 0; j < m->dims; j++) {
        to[j] = j == sure || m->draw[0][j] < f.crossover ? mutant(m, rows, &f, j) : rows[0][j];
        if (to[j] < m->lower[j]) to[j] = (rows[0][j] + m->lower[j]) / 2;
        if (to[j] > m->upper[j]) to[j] = (rows[0][j] + m->upper[j]) / 2;
    }
    leat__minimise_clamp(m, to);
}

static int by_cost(const void *a, const void *b) {
    const struct minimise_rank *p = a, *q = b;
    return p->cost < q->cost ? -1 : p->cost > q->cost ? 1 : (p->index > q->index) - (p->index < q->index);
}

static void archive(leat_minimiser *m, int i) {
    int at = m->s->archived < m->n ? (int)m->s->archived++ : leat__minimise_pick(m, DRAW_DE_ARCHIVE, m->n + i, 0, m->n);
    memcpy(leat__row(m, m->female.x, at), leat__row(m, m->male.x, i), (size_t)m->dims * sizeof(double));
}

/* Moves the means to what won: Lehmer mean of F, mean of CR. */
static void learn(leat_minimiser *m, double weights, double squares, double crossovers, int winners) {
    if (winners == 0) return;
    m->s->weight = (1 - JADE_LEARN) * m->s->weight + JADE_LEARN * squares / weights;
    m->s->crossover = (1 - JADE_LEARN) * m->s->crossover + JADE_LEARN * crossovers / winners;
}

static void select_winners(leat_minimiser *m) {
    double weights = 0, squares = 0, crossovers = 0;
    int    winners = 0, jade = m->o.algorithm == LEAT_MINIMISE_JADE;
    for (int i = 0; i < m->n; i++) {
        if (!(m->trial_cost[i] <= m->male.cost[i])) continue;
        if (jade && m->trial_cost[i] < m->male.cost[i]) {
            factors f = draw_factors(m, i); /* the same numbers again: they are a function of iteration and individual */
            weights += f.weight;
            squares += f.weight * f.weight;
            crossovers += f.crossover;
            winners++;
            archive(m, i);
        }
        memcpy(leat__row(m, m->male.x, i), leat__row(m, m->trial, i), (size_t)m->dims * sizeof(double));
        m->male.cost[i] = m->trial_cost[i];
        leat__minimise_note(m, leat__row(m, m->male.x, i), m->male.cost[i]);
    }
    learn(m, weights, squares, crossovers, winners);
}

int leat__de_step(leat_minimiser *m) {
    if (m->o.algorithm == LEAT_MINIMISE_JADE) {
        for (int i = 0; i < m->n; i++) m->rank[i] = (struct minimise_rank){m->male.cost[i], i};
        qsort(m->rank, (size_t)m->n, sizeof *m->rank, by_cost);
    }
    for (int i = 0; i < m->n; i++) build(m, i);
    if (leat__minimise_evaluate(m, m->trial, m->n, m->trial_cost)) return 1;
    select_winners(m);
    return 0;
}
