/* minimise.c - the minimiser's life: options, one block of state, random streams, steps that can be taken back, save and load.
 *
 * The state is laid out once: scalars, best point, then the arrays of both sexes.  A loaded state is checked before it replaces the own
 * one: counters within the options, points within the bounds, no NaN, so that no file can make a later step read out of its arrays.
 */
#include "leat/minimise.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "workloads/minimise_impl.h"

#define MAX_DIMS 1000000
#define MAX_POPULATION 65536
#define MAX_ITERATIONS 100000000
#define MAX_WORDS ((size_t)1 << 27)

static const char *const names[LEAT_MINIMISE_ALGORITHMS] = {"mayfly", "desma", "olce", "eobbma", "gsasma", "mpma", "aoblmoa", "de", "de-best", "jade"};
static const mayfly_variant standard = {0};
static const mayfly_variant *const variants[] = {&standard, &leat__mayfly_desma, &leat__mayfly_olce, &leat__mayfly_eobbma, &leat__mayfly_gsasma,
                                                 &leat__mayfly_mpma, &leat__mayfly_aoblmoa};

/* ---- options -------------------------------------------------------------------------------------------------------------- */

const char *leat_minimise_name(leat_minimise_algorithm algorithm) {
    return (unsigned)algorithm < LEAT_MINIMISE_ALGORITHMS ? names[algorithm] : NULL;
}

int leat_minimise_parse(const char *name, leat_minimise_algorithm *algorithm) {
    for (int i = 0; i < LEAT_MINIMISE_ALGORITHMS; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *algorithm = (leat_minimise_algorithm)i;
        return LEAT_OK;
    }
    return LEAT_EINVAL;
}

static int is_de(leat_minimise_algorithm a) { return a >= LEAT_MINIMISE_DE_RAND; }

int leat_minimise_options_default(leat_minimise_algorithm algorithm, leat_minimise_options *options) {
    if ((unsigned)algorithm >= LEAT_MINIMISE_ALGORITHMS) return LEAT_EINVAL;
    *options = (leat_minimise_options){
        .size = sizeof *options, .algorithm = algorithm, .population = is_de(algorithm) ? 50 : 20, .iterations = 2000, .seed = 1, .offspring = 20,
        .mutants = -1, .inertia = 0.8, .inertia_damp = 1, .a1 = 1, .a2 = 1.5, .a3 = 1.5, .beta = 2, .dance = 5, .dance_damp = 0.8, .flight = 1,
        .flight_damp = 0.99, .mutation_rate = 0.01, .mutation_sigma = 0.1, .velocity = 0.1, .weight = 0.5, .crossover = algorithm == LEAT_MINIMISE_JADE ? 0.5 : 0.9};
    return LEAT_OK;
}

static int bad(leat_error *error, const char *field, double value, const char *range) {
    return leat__fail(error, LEAT_EINVAL, "minimiser: %s is %g, not in %s", field, value, range);
}

static int check_real(leat_error *error, const char *field, double value, double most) {
    return value >= 0 && value <= most ? LEAT_OK : leat__fail(error, LEAT_EINVAL, "minimiser: %s is %g, not in 0..%g", field, value, most);
}

static int check_options(const leat_minimise_options *o, leat_error *error) {
    const struct { const char *name; double value, most; } reals[] = {
        {"inertia", o->inertia, 10}, {"inertia_damp", o->inertia_damp, 1}, {"a1", o->a1, 100}, {"a2", o->a2, 100}, {"a3", o->a3, 100}, {"beta", o->beta, 1e6},
        {"dance", o->dance, 1e6}, {"dance_damp", o->dance_damp, 1}, {"flight", o->flight, 1e6}, {"flight_damp", o->flight_damp, 1},
        {"mutation_rate", o->mutation_rate, 1}, {"mutation_sigma", o->mutation_sigma, 10}, {"velocity", o->velocity, 1}, {"weight", o->weight, 2},
        {"crossover", o->crossover, 1}};
    if ((unsigned)o->algorithm >= LEAT_MINIMISE_ALGORITHMS) return bad(error, "algorithm", (double)o->algorithm, "the list");
    if (o->population < 4 || o->population > MAX_POPULATION) return bad(error, "population", o->population, "4..65536");
    if (o->iterations < 1 || o->iterations > MAX_ITERATIONS) return bad(error, "iterations", o->iterations, "1..100000000");
    if (o->offspring < 0 || o->offspring > 2 * o->population || o->offspring % 2) return bad(error, "offspring", o->offspring, "0, 2, .. 2 * population");
    if (o->mutants < -1 || o->mutants > o->population) return bad(error, "mutants", o->mutants, "-1..population");
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        if (check_real(error, reals[i].name, reals[i].value, reals[i].most) != LEAT_OK) return LEAT_EINVAL;
    }
    return LEAT_OK;
}

static int check_bounds(int dims, const double *lower, const double *upper, leat_error *error) {
    if (dims < 1 || dims > MAX_DIMS) return bad(error, "dims", dims, "1..1000000");
    for (int j = 0; j < dims; j++) {
        if (isfinite(lower[j]) && isfinite(upper[j]) && lower[j] <= upper[j] && isfinite(upper[j] - lower[j])) continue;
        return leat__fail(error, LEAT_EINVAL, "minimiser: bounds of dimension %d are %g and %g", j, lower[j], upper[j]);
    }
    return LEAT_OK;
}

/* ---- life ----------------------------------------------------------------------------------------------------------------- */

static double *take(double **at, size_t words) {
    double *p = *at;
    *at += words;
    return p;
}

/* Words of the arrays of one sex. */
static size_t group_words(size_t n, size_t dims) { return n * dims * 3 + n * 2; }

static void place_group(minimise_group *g, double **at, size_t n, size_t dims) {
    g->x = take(at, n * dims);
    g->v = take(at, n * dims);
    g->best = take(at, n * dims);
    g->cost = take(at, n);
    g->best_cost = take(at, n);
}

static void place_state(leat_minimiser *m) {
    double *at = m->state + sizeof(minimise_scalars) / sizeof(double);
    m->s = (minimise_scalars *)(void *)m->state;
    m->best = take(&at, (size_t)m->dims);
    place_group(&m->male, &at, (size_t)m->n, (size_t)m->dims);
    place_group(&m->female, &at, (size_t)m->n, (size_t)m->dims);
}

static void reset(leat_minimiser *m) {
    memset(m->state, 0, m->words * sizeof(double));
    m->s->best_cost = INFINITY;
    m->s->inertia = m->o.inertia;
    m->s->dance = m->o.dance;
    m->s->flight = m->o.flight;
    m->s->range = 0.1;
    m->s->temperature = 100;
    m->s->chaos = 0.7;
    m->s->weight = m->o.weight;
    m->s->crossover = m->o.crossover;
}

static int allocate(leat_minimiser *m) {
    size_t dims = (size_t)m->dims, n = (size_t)m->n, most = (size_t)m->most;
    m->state = leat__calloc(m->words, sizeof(double), LEAT_MEMORY_OTHER);
    m->before = leat__calloc(m->words, sizeof(double), LEAT_MEMORY_OTHER);
    m->bounds = leat__calloc(2 * dims, sizeof(double), LEAT_MEMORY_OTHER);
    m->trial = leat__calloc(most * dims, sizeof(double), LEAT_MEMORY_OTHER);
    m->trial_cost = leat__calloc(most, sizeof(double), LEAT_MEMORY_OTHER);
    m->sorted = leat__calloc(n * dims, sizeof(double), LEAT_MEMORY_OTHER);
    m->rank = leat__calloc(n + most, sizeof *m->rank, LEAT_MEMORY_OTHER);
    m->axes = leat__calloc(dims, sizeof *m->axes, LEAT_MEMORY_OTHER);
    int ok = m->state && m->before && m->bounds && m->trial && m->trial_cost && m->sorted && m->rank && m->axes;
    for (int i = 0; i < 3; i++) ok &= (m->draw[i] = leat__calloc(dims + 1, sizeof(double), LEAT_MEMORY_OTHER)) != NULL;
    return ok;
}

int leat_minimise_open(int32_t dims, const double *lower, const double *upper, const leat_minimise_options *options, leat_minimiser **minimiser,
                       leat_error *error) {
    leat_minimise_options standard_options;
    leat_minimise_options_default(LEAT_MINIMISE_MAYFLY, &standard_options);
    const leat_minimise_options *o = options ? options : &standard_options;
    *minimiser = NULL;
    if (check_options(o, error) != LEAT_OK || check_bounds(dims, lower, upper, error) != LEAT_OK) return LEAT_EINVAL;
    size_t n = (size_t)o->population, d = (size_t)dims;
    if (n * d > MAX_WORDS / 16)
        return leat__fail(error, LEAT_ELIMIT, "minimiser: a population of %zu times %zu dimensions is more than %zu numbers", n, d, MAX_WORDS / 16);
    leat_minimiser *m = leat__calloc(1, sizeof *m, LEAT_MEMORY_OTHER);
    if (!m) return leat__fail(error, LEAT_ENOMEM, "no memory for a minimiser");
    m->o = *o;
    m->o.pool = o->pool ? leat_tpool_ref(o->pool) : NULL;
    m->dims = dims;
    m->n = o->population;
    m->children = o->offspring;
    m->mutants = o->mutants >= 0 ? o->mutants : (int)lround(0.05 * m->n);
    m->most = 2 * (m->children + m->mutants) > 4 * m->n ? 2 * (m->children + m->mutants) : 4 * m->n; /* each child may meet its opposite */
    if (!is_de(o->algorithm)) m->variant = variants[o->algorithm];
    m->words = sizeof(minimise_scalars) / sizeof(double) + d + 2 * group_words(n, d);
    if (!allocate(m)) {
        leat_minimise_close(m);
        return leat__fail(error, LEAT_ENOMEM, "no memory for a population of %d in %d dimensions", (int)o->population, (int)dims);
    }
    memcpy(m->bounds, lower, d * sizeof(double));
    memcpy(m->bounds + d, upper, d * sizeof(double));
    m->lower = m->bounds;
    m->upper = m->bounds + d;
    place_state(m);
    reset(m);
    *minimiser = m;
    return LEAT_OK;
}

void leat_minimise_close(leat_minimiser *m) {
    if (!m) return;
    leat_tpool_unref(m->o.pool);
    for (int i = 0; i < 3; i++) leat__free(m->draw[i]);
    leat__free(m->axes);
    leat__free(m->rank);
    leat__free(m->sorted);
    leat__free(m->trial_cost);
    leat__free(m->trial);
    leat__free(m->bounds);
    leat__free(m->before);
    leat__free(m->state);
    leat__free(m);
}

const double *leat_minimise_best(const leat_minimiser *m) { return m->s->started ? m->best : NULL; }
double leat_minimise_best_cost(const leat_minimiser *m) { return m->s->best_cost; }
int64_t leat_minimise_iterations(const leat_minimiser *m) { return m->s->iteration; }
int64_t leat_minimise_evaluations(const leat_minimiser *m) { return m->s->evaluations; }
const leat_minimise_options *leat_minimise_settings(const leat_minimiser *m) { return &m->o; }

/* ---- random streams ------------------------------------------------------------------------------------------------------- */

static uint64_t stream_of(const leat_minimiser *m, minimise_purpose purpose, int individual) {
    return (uint64_t)m->s->iteration << 32 | (uint64_t)(uint32_t)individual << 8 | (uint64_t)purpose;
}

double leat__minimise_uniform(const leat_minimiser *m, minimise_purpose purpose, int individual, int k) {
    return leat__rng_uniform(m->o.seed, stream_of(m, purpose, individual), (uint64_t)k);
}

double leat__minimise_normal(const leat_minimiser *m, minimise_purpose purpose, int individual, int k) {
    return leat__rng_normal(m->o.seed, stream_of(m, purpose, individual), (uint64_t)k);
}

int leat__minimise_pick(const leat_minimiser *m, minimise_purpose purpose, int individual, int k, int n) {
    return (int)(leat__minimise_uniform(m, purpose, individual, k) * n);
}

void leat__minimise_pair(const leat_minimiser *m, minimise_purpose purpose, int individual, int j, double u[2]) {
    uint32_t w[4];
    leat__rng_block(m->o.seed, stream_of(m, purpose, individual), (uint64_t)j >> 1, w);
    u[0] = (double)(((uint64_t)w[1] << 32 | w[0]) >> 11) * 0x1p-53;
    u[1] = (double)(((uint64_t)w[3] << 32 | w[2]) >> 11) * 0x1p-53;
}

void leat__minimise_uniforms(const leat_minimiser *m, minimise_purpose purpose, int individual, double *out) {
    for (int j = 0; j < m->dims; j += 2) leat__minimise_pair(m, purpose, individual, j, out + j); /* out has room for one more */
}

double leat__minimise_levy(const leat_minimiser *m, int individual, int k) {
    const double alpha = 1.5, sigma = 0.69657450255769682; /* Mantegna's sigma_u for 1.5 */
    double u = leat__minimise_normal(m, DRAW_LEVY, individual, 2 * k) * sigma;
    double v = fabs(leat__minimise_normal(m, DRAW_LEVY, individual, 2 * k + 1));
    return u / pow(v > DBL_MIN ? v : DBL_MIN, 1 / alpha);
}

/* ---- steps ---------------------------------------------------------------------------------------------------------------- */

int leat__minimise_evaluate(leat_minimiser *m, const double *x, int n, double *costs) {
    if (n == 0) return 0;
    if (m->cost(m->user, x, n, costs) != 0) return 1;
    for (int i = 0; i < n; i++) {
        if (isnan(costs[i])) costs[i] = INFINITY;
    }
    m->s->evaluations += n;
    return 0;
}

void leat__minimise_note(leat_minimiser *m, const double *x, double cost) {
    if (!(cost < m->s->best_cost)) return;
    memcpy(m->best, x, (size_t)m->dims * sizeof(double));
    m->s->best_cost = cost;
    m->s->improved = 1;
}

void leat__minimise_clamp(const leat_minimiser *m, double *x) {
    for (int j = 0; j < m->dims; j++) {
        x[j] = x[j] < m->upper[j] ? x[j] : m->upper[j];
        x[j] = x[j] > m->lower[j] ? x[j] : m->lower[j]; /* NaN (infinity minus infinity of a Levy step) ends at upper */
    }
}

int leat_minimise_seed(leat_minimiser *m, const double *points, int32_t n, double sigma) {
    if (m->s->started) return LEAT_ESTATE;
    if (n < 0 || n > m->n || (n == 0 && sigma > 0) || !(sigma >= 0)) return LEAT_EINVAL;
    for (int32_t i = 0; i < n; i++) {
        double *x = leat__row(m, m->male.x, i);
        memcpy(x, points + (size_t)i * (size_t)m->dims, (size_t)m->dims * sizeof(double));
        leat__minimise_clamp(m, x);
    }
    m->seeded = n;
    m->seed_sigma = sigma;
    return LEAT_OK;
}

static void birth(leat_minimiser *m, minimise_group *g, minimise_purpose purpose, int first) {
    for (int i = first; i < m->n; i++) {
        double *x = leat__row(m, g->x, i);
        leat__minimise_uniforms(m, purpose, i, m->draw[0]);
        for (int j = 0; j < m->dims; j++) x[j] = m->lower[j] + m->draw[0][j] * leat__span(m, j);
        if (m->seed_sigma > 0 && i < m->n / 2) {
            for (int j = 0; j < m->dims; j++) x[j] = m->male.x[j] + leat__minimise_normal(m, DRAW_SEED, 2 * i + (g == &m->female), j) * m->seed_sigma * leat__span(m, j);
        }
        leat__minimise_clamp(m, x);
    }
}

static int first_step(leat_minimiser *m) {
    int de = is_de(m->o.algorithm);
    for (int i = 0; i < m->seeded; i++) leat__minimise_clamp(m, leat__row(m, m->male.x, i));
    birth(m, &m->male, DRAW_MALE_BIRTH, m->seeded);
    if (leat__minimise_evaluate(m, m->male.x, m->n, m->male.cost)) return 1;
    for (int i = 0; i < m->n; i++) leat__minimise_note(m, leat__row(m, m->male.x, i), m->male.cost[i]);
    memcpy(m->male.best, m->male.x, (size_t)m->n * (size_t)m->dims * sizeof(double));
    memcpy(m->male.best_cost, m->male.cost, (size_t)m->n * sizeof(double));
    m->s->started = 1;
    if (de) return 0;
    birth(m, &m->female, DRAW_FEMALE_BIRTH, 0);
    return leat__minimise_evaluate(m, m->female.x, m->n, m->female.cost);
}

int leat_minimise_step(leat_minimiser *m, leat_minimise_cost cost, void *user) {
    if (m->s->started && m->s->iteration >= m->o.iterations) return LEAT_ESTATE;
    m->cost = cost;
    m->user = user;
    memcpy(m->before, m->state, m->words * sizeof(double));
    int cancelled;
    if (!m->s->started) {
        cancelled = first_step(m);
    } else {
        m->s->iteration++;
        m->s->improved = 0;
        cancelled = is_de(m->o.algorithm) ? leat__de_step(m) : leat__mayfly_step(m);
    }
    if (cancelled) memcpy(m->state, m->before, m->words * sizeof(double));
    return cancelled ? LEAT_ECANCELLED : LEAT_OK;
}

/* ---- save and load -------------------------------------------------------------------------------------------------------- */

size_t leat_minimise_state_bytes(const leat_minimiser *m) { return m->words * sizeof(double); }

void leat_minimise_save(const leat_minimiser *m, void *state) { memcpy(state, m->state, m->words * sizeof(double)); }

static int scalars_are_sound(const leat_minimiser *m) {
    const minimise_scalars *s = m->s;
    return (s->started == 0 || s->started == 1) && s->iteration >= 0 && s->iteration <= m->o.iterations && s->evaluations >= 0 &&
           s->evaluations < (int64_t)1 << 62 &&
           (s->improved == 0 || s->improved == 1) && s->archived >= 0 && s->archived <= m->n && !isnan(s->best_cost) && isfinite(s->inertia) &&
           isfinite(s->dance) && isfinite(s->flight) && s->range >= 0 && s->range <= 1e300 && s->temperature >= 0 && isfinite(s->temperature) &&
           s->chaos >= 0 && s->chaos <= 1 && s->weight >= 0 && s->weight <= 2 && s->crossover >= 0 && s->crossover <= 1;
}

static int rows_are_inside(const leat_minimiser *m, const double *x, int rows) {
    for (int i = 0; i < rows; i++) {
        for (int j = 0; j < m->dims; j++, x++) {
            if (!(*x >= m->lower[j] && *x <= m->upper[j])) return 0;
        }
    }
    return 1;
}

static int are_numbers(const double *x, size_t n, int finite) {
    for (size_t i = 0; i < n; i++) {
        if (finite ? !isfinite(x[i]) : isnan(x[i])) return 0;
    }
    return 1;
}

static int arrays_are_sound(const leat_minimiser *m) {
    size_t n = (size_t)m->n, all = n * (size_t)m->dims;
    int    de = is_de(m->o.algorithm);
    if (!m->s->started) return 1; /* a step begins with new arrays */
    return rows_are_inside(m, m->best, 1) && rows_are_inside(m, m->male.x, m->n) && rows_are_inside(m, m->male.best, m->n) &&
           rows_are_inside(m, m->female.x, de ? (int)m->s->archived : m->n) && are_numbers(m->male.v, all, 1) && are_numbers(m->female.v, all, 1) &&
           are_numbers(m->male.cost, n, 0) && are_numbers(m->male.best_cost, n, 0) && are_numbers(m->female.cost, n, 0);
}

int leat_minimise_load(leat_minimiser *m, const void *state, size_t bytes, leat_error *error) {
    if (bytes != m->words * sizeof(double))
        return leat__fail(error, LEAT_EFORMAT, "state of the optimiser has %zu bytes, %zu were expected", bytes, m->words * sizeof(double));
    memcpy(m->state, state, bytes);
    if (scalars_are_sound(m) && arrays_are_sound(m)) return LEAT_OK;
    reset(m);
    return leat__fail(error, LEAT_EFORMAT, "state of the optimiser holds counters, points or costs that are out of range");
}
