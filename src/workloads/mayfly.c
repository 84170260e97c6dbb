/* mayfly.c - one iteration of the Mayfly algorithm (Zervoudakis & Tsafarakis 2020), with the places where its variants differ.
 *
 *   1. females fly to the male of their rank if it is better, else at random;   evaluated together
 *   2. males fly to their own and the common best, or dance;                    evaluated together, or one by one ("immediate")
 *   3. both sexes are sorted; the k-th male mates with the k-th female
 *   4. some children mutate once more; children and mutants are evaluated together
 *   5. the first half of them joins the males, the rest the females; the best of each sex survive
 * With the per-dimension distance it is the Go library's v0.1, in which females do not move the common best; see docs/circlefit.md.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/tpool.h"
#include "workloads/minimise_impl.h"

/* ---- flight --------------------------------------------------------------------------------------------------------------- */

void leat__mayfly_attract(const leat_minimiser *m, double *v, const double *x, const double *to, double a, double keep) {
    double beta = m->o.beta, pull = 0;
    int    common = m->o.distance == LEAT_MINIMISE_CARTESIAN;
    if (common) {
        double r2 = 0;
        for (int j = 0; j < m->dims; j++) r2 += (to[j] - x[j]) * (to[j] - x[j]);
        pull = a * exp(-beta * r2);
    }
    for (int j = 0; j < m->dims; j++) {
        double d = to[j] - x[j];
        v[j] = keep * v[j] + (common ? pull : a * exp(-beta * d * d)) * d;
    }
}

/* v = inertia v + scale * U(-1, 1), for each coordinate. */
static void wander(leat_minimiser *m, double *v, minimise_purpose purpose, int i, double scale) {
    double u[2];
    for (int j = 0; j < m->dims; j++) {
        if (j % 2 == 0) leat__minimise_pair(m, purpose, i, j, u);
        v[j] = m->s->inertia * v[j] + scale * (2 * u[j % 2] - 1);
    }
}

static void move(leat_minimiser *m, double *x, double *v) {
    for (int j = 0; j < m->dims; j++) {
        double most = m->o.velocity * leat__span(m, j);
        v[j] = v[j] > most ? most : v[j] < -most ? -most : v[j];
        x[j] += v[j];
    }
    leat__minimise_clamp(m, x);
}

static void fly_female(void *arg, int64_t index, int worker) {
    leat_minimiser *m = arg;
    int i = (int)index;
    (void)worker;
    double *x = leat__row(m, m->female.x, i), *v = leat__row(m, m->female.v, i);
    if (m->variant->fly_female && m->variant->fly_female(m, i)) {
        leat__minimise_clamp(m, x);
        return;
    }
    if (m->female.cost[i] > m->male.cost[i]) leat__mayfly_attract(m, v, x, leat__row(m, m->male.x, i), m->o.a3, m->s->inertia);
    else wander(m, v, DRAW_FEMALE, i, m->s->flight);
    move(m, x, v);
}

static void fly_male(void *arg, int64_t index, int worker) {
    leat_minimiser *m = arg;
    int i = (int)index;
    (void)worker;
    double *x = leat__row(m, m->male.x, i), *v = leat__row(m, m->male.v, i);
    if (m->variant->fly_male && m->variant->fly_male(m, i)) {
        leat__minimise_clamp(m, x);
        return;
    }
    if (m->male.cost[i] > m->s->best_cost) {
        leat__mayfly_attract(m, v, x, leat__row(m, m->male.best, i), m->o.a1, m->s->inertia);
        leat__mayfly_attract(m, v, x, m->best, m->o.a2, 1);
        if (m->variant->pull_male) m->variant->pull_male(m, i);
    } else {
        wander(m, v, DRAW_MALE, i, m->s->dance);
    }
    move(m, x, v);
}

static void remember_male(leat_minimiser *m, int i) {
    const double *x = leat__row(m, m->male.x, i);
    leat__minimise_note(m, x, m->male.cost[i]);
    if (!(m->male.cost[i] < m->male.best_cost[i])) return;
    memcpy(leat__row(m, m->male.best, i), x, (size_t)m->dims * sizeof(double));
    m->male.best_cost[i] = m->male.cost[i];
}

static int fly_in_turn(leat_minimiser *m) {
    for (int i = 0; i < m->n; i++) {
        fly_male(m, i, 0);
        if (leat__minimise_evaluate(m, leat__row(m, m->male.x, i), 1, m->male.cost + i)) return 1;
        remember_male(m, i);
    }
    return 0;
}

static int fly(leat_minimiser *m) {
    leat__tpool_for(m->o.pool, m->n, fly_female, m);
    if (leat__minimise_evaluate(m, m->female.x, m->n, m->female.cost)) return 1;
    for (int i = 0; i < m->n && m->o.distance == LEAT_MINIMISE_CARTESIAN; i++) leat__minimise_note(m, leat__row(m, m->female.x, i), m->female.cost[i]);
    if (m->o.immediate) return fly_in_turn(m);
    leat__tpool_for(m->o.pool, m->n, fly_male, m);
    if (leat__minimise_evaluate(m, m->male.x, m->n, m->male.cost)) return 1;
    for (int i = 0; i < m->n; i++) remember_male(m, i);
    return 0;
}

/* ---- selection ------------------------------------------------------------------------------------------------------------ */

static int by_cost(const void *a, const void *b) {
    const struct minimise_rank *p = a, *q = b;
    return p->cost < q->cost ? -1 : p->cost > q->cost ? 1 : (p->index > q->index) - (p->index < q->index);
}

/* Rows of the group with index below n, and of trial rows [first, first + extra) after them. */
static const double *row_of(const leat_minimiser *m, const double *own, const double *other, int32_t index) {
    return index < m->n ? own + (size_t)index * (size_t)m->dims : other + (size_t)(index - m->n) * (size_t)m->dims;
}

/* rows[k] = the row of rank k. */
static void reorder(leat_minimiser *m, double *rows, const double *newcomers) {
    for (int k = 0; k < m->n; k++)
        memcpy(leat__row(m, m->sorted, k), row_of(m, rows, newcomers, m->rank[k].index), (size_t)m->dims * sizeof(double));
    memcpy(rows, m->sorted, (size_t)m->n * (size_t)m->dims * sizeof(double));
}

/* Velocities: a newcomer's is 0. */
static void reorder_velocity(leat_minimiser *m, double *rows) {
    for (int k = 0; k < m->n; k++) {
        double *to = leat__row(m, m->sorted, k);
        if (m->rank[k].index < m->n) memcpy(to, leat__row(m, rows, m->rank[k].index), (size_t)m->dims * sizeof(double));
        else memset(to, 0, (size_t)m->dims * sizeof(double));
    }
    memcpy(rows, m->sorted, (size_t)m->n * (size_t)m->dims * sizeof(double));
}

static void reorder_costs(leat_minimiser *m, double *costs, const double *newcomers) {
    for (int k = 0; k < m->n; k++) m->sorted[k] = m->rank[k].index < m->n ? costs[m->rank[k].index] : newcomers[m->rank[k].index - m->n];
    memcpy(costs, m->sorted, (size_t)m->n * sizeof(double));
}

/* The best n of the group and of trial rows [first, first + extra), sorted; a newcomer's personal best is where it is. */
static void survive(leat_minimiser *m, minimise_group *g, int male, int first, int extra) {
    const double *x = leat__row(m, m->trial, first), *cost = m->trial_cost + first;
    for (int i = 0; i < m->n; i++) m->rank[i] = (struct minimise_rank){g->cost[i], i};
    for (int i = 0; i < extra; i++) m->rank[m->n + i] = (struct minimise_rank){cost[i], m->n + i};
    qsort(m->rank, (size_t)(m->n + extra), sizeof *m->rank, by_cost);
    reorder(m, g->x, x);
    reorder_velocity(m, g->v);
    reorder_costs(m, g->cost, cost);
    if (!male) return;
    reorder(m, g->best, x);
    reorder_costs(m, g->best_cost, cost);
}

void leat__mayfly_replace_male(leat_minimiser *m, int i, const double *x, double cost) {
    size_t bytes = (size_t)m->dims * sizeof(double);
    memcpy(leat__row(m, m->male.x, i), x, bytes);
    m->male.cost[i] = cost;
    leat__minimise_note(m, x, cost);
    if (!(cost < m->male.best_cost[i])) return;
    memcpy(leat__row(m, m->male.best, i), x, bytes);
    m->male.best_cost[i] = cost;
}

/* ---- mating --------------------------------------------------------------------------------------------------------------- */

static void mate(void *arg, int64_t index, int worker) {
    leat_minimiser *m = arg;
    int k = (int)index;
    const double *father = leat__row(m, m->male.x, k % m->n), *mother = leat__row(m, m->female.x, k % m->n);
    double *one = leat__row(m, m->trial, 2 * k), *two = leat__row(m, m->trial, 2 * k + 1), u[2];
    (void)worker;
    for (int j = 0; j < m->dims; j++) {
        if (j % 2 == 0) leat__minimise_pair(m, DRAW_MATE, k, j, u);
        double share = u[j % 2];
        one[j] = share * father[j] + (1 - share) * mother[j];
        two[j] = share * mother[j] + (1 - share) * father[j];
    }
}

int leat__mayfly_pick_axes(leat_minimiser *m, int k) {
    int count = (int)ceil(m->o.mutation_rate * m->dims);
    for (int j = 0; j < m->dims; j++) m->axes[j] = j;
    for (int j = 0; j < count; j++) { /* the beginning of a random permutation */
        int other = j + leat__minimise_pick(m, DRAW_AXES, k, j, m->dims - j);
        int32_t axis = m->axes[j];
        m->axes[j] = m->axes[other];
        m->axes[other] = axis;
    }
    return count;
}

static void mutate_gaussian(leat_minimiser *m, int k, double *x) {
    int count = leat__mayfly_pick_axes(m, k);
    for (int j = 0; j < count; j++) {
        int axis = m->axes[j];
        x[axis] += leat__minimise_normal(m, DRAW_MUTATE, k, j) * m->o.mutation_sigma * leat__span(m, axis);
    }
}

static void mutate(leat_minimiser *m) {
    for (int k = 0; k < m->mutants; k++) {
        int parent = leat__minimise_pick(m, DRAW_PARENT, k, 0, m->children ? m->children : m->n);
        double *x = leat__row(m, m->trial, m->children + k);
        memcpy(x, leat__row(m, m->children ? m->trial : m->male.x, parent), (size_t)m->dims * sizeof(double));
        if (m->variant->mutate) m->variant->mutate(m, k, x);
        else mutate_gaussian(m, k, x);
        leat__minimise_clamp(m, x);
    }
}

/* ---- iteration ------------------------------------------------------------------------------------------------------------ */

int leat__mayfly_step(leat_minimiser *m) {
    const mayfly_variant *variant = m->variant;
    int n = m->children + m->mutants;
    if (variant->begin) variant->begin(m);
    if (fly(m)) return 1;
    survive(m, &m->male, 1, 0, 0);
    survive(m, &m->female, 0, 0, 0);
    if (variant->refine && variant->refine(m)) return 1;
    leat__tpool_for(m->o.pool, m->children / 2, mate, m);
    mutate(m);
    if (leat__minimise_evaluate(m, m->trial, n, m->trial_cost)) return 1;
    if (variant->offspring && variant->offspring(m, n)) return 1;
    for (int i = 0; i < n; i++) leat__minimise_note(m, leat__row(m, m->trial, i), m->trial_cost[i]);
    survive(m, &m->male, 1, 0, n / 2);
    survive(m, &m->female, 0, n / 2, n - n / 2);
    if (variant->finish && variant->finish(m)) return 1;
    m->s->inertia *= m->o.inertia_damp;
    m->s->dance *= m->o.dance_damp;
    m->s->flight *= m->o.flight_damp;
    return 0;
}
