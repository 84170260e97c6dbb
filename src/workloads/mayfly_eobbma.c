/* mayfly_eobbma.c - EOBBMA: bare bones flight (positions are drawn, there is no velocity) and opposition within the bounds of the elite
 * (Arabian Journal for Science and Engineering, 2024).
 *
 * A female whose male is better is drawn from N((f + m) / 2, sqrt|m - f|); other females and the best male take a Levy step x (1 + L);
 * the other males are drawn from N((g + p) / 2, |g - p| + U |x_r1 - x_r2| exp(f(g) - f(x))).  What leaves the bounds comes back by
 * c + (border - c)^2 / (x - c), c the point it came from.  The best males are then set against their opposites k (da + db) - x, with da and db
 * the least and greatest coordinates among the elite. */
#include <math.h>
#include <string.h>

#include "workloads/minimise_impl.h"

#define ELITE_SHARE 0.2

/* Brings a drawn coordinate back into its bounds; c lies within them. */
static double repair(const leat_minimiser *m, int j, double x, double c) {
    double border = x < m->lower[j] ? m->lower[j] : m->upper[j];
    if (x >= m->lower[j] && x <= m->upper[j]) return x;
    return x == c ? border : c + (border - c) * (border - c) / (x - c);
}

static void levy_step(leat_minimiser *m, double *x, int stream) {
    for (int j = 0; j < m->dims; j++) x[j] = repair(m, j, x[j] * (1 + leat__minimise_levy(m, stream, j)), x[j]);
}

static int fly_female(leat_minimiser *m, int i) {
    double *x = leat__row(m, m->female.x, i);
    const double *mate = leat__row(m, m->male.x, i);
    if (!(m->male.cost[i] < m->female.cost[i])) {
        levy_step(m, x, i);
        return 1;
    }
    for (int j = 0; j < m->dims; j++) {
        double z = leat__minimise_normal(m, DRAW_BARE, i, j);
        x[j] = repair(m, j, (x[j] + mate[j]) / 2 + z * sqrt(fabs(mate[j] - x[j])), x[j]);
    }
    return 1;
}

/* Where the males were before they moved: they move at once. */
static void begin(leat_minimiser *m) { memcpy(m->sorted, m->male.x, (size_t)m->n * (size_t)m->dims * sizeof(double)); }

static int fly_male(leat_minimiser *m, int i) {
    double *x = leat__row(m, m->male.x, i);
    const double *own = leat__row(m, m->male.best, i);
    if (!(m->male.cost[i] > m->s->best_cost)) {
        levy_step(m, x, m->n + i);
        return 1;
    }
    const double *one = leat__row(m, m->sorted, leat__minimise_pick(m, DRAW_PARENT, i, 2, m->n));
    const double *two = leat__row(m, m->sorted, leat__minimise_pick(m, DRAW_PARENT, i, 3, m->n));
    double fade = exp(m->s->best_cost - m->male.cost[i]);
    for (int j = 0; j < m->dims; j++) {
        double z = leat__minimise_normal(m, DRAW_BARE_MALE, i, 2 * j), u = leat__minimise_uniform(m, DRAW_BARE_MALE, m->n + i, j);
        double sigma = fabs(m->best[j] - own[j]) + u * fabs(one[j] - two[j]) * fade;
        x[j] = repair(m, j, (m->best[j] + own[j]) / 2 + z * sigma, x[j]);
    }
    return 1;
}

static int oppose(leat_minimiser *m) {
    int count = (int)ceil(ELITE_SHARE * m->n);
    for (int j = 0; j < m->dims; j++) {
        double least = INFINITY, most = -INFINITY;
        for (int i = 0; i < count; i++) {
            double x = leat__row(m, m->male.x, i)[j];
            least = fmin(least, x);
            most = fmax(most, x);
        }
        for (int i = 0; i < count; i++) {
            double k = leat__minimise_uniform(m, DRAW_OPPOSE, i, 0), u = leat__minimise_uniform(m, DRAW_OPPOSE, i, 1 + j);
            double to = k * (least + most) - leat__row(m, m->male.x, i)[j];
            leat__row(m, m->trial, i)[j] = to >= m->lower[j] && to <= m->upper[j] ? to : least + u * (most - least);
        }
    }
    if (leat__minimise_evaluate(m, m->trial, count, m->trial_cost)) return 1;
    for (int i = 0; i < count; i++) {
        if (m->trial_cost[i] < m->male.cost[i]) leat__mayfly_replace_male(m, i, leat__row(m, m->trial, i), m->trial_cost[i]);
    }
    return 0;
}

const mayfly_variant leat__mayfly_eobbma = {.begin = begin, .fly_female = fly_female, .fly_male = fly_male, .refine = oppose};
