/* circlefit_stage.c - stages by an optimiser: some circles (the active ones) of a suffix vary, the circles before it lie in the target's canvas.
 *
 * The optimiser works in [0, 1]^n, n = 7 parameters of each active circle (4 where the colour is solved), which are spread over the bounds; a
 * candidate's cost is its exact mean squared error.  Candidates of a batch go to the threads of the pool, each with an evaluator of its own.
 * A stage's seed is drawn from the run's by the stage's number.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "workloads/circlefit_fit.h"

#define STREAM_STAGE 0x5354414745ull /* seeds of stages */
#define MAX_EXTRA 3                  /* refills */
#define PRUNE_MSE 0.01               /* a circle that saves no more is useless */
#define SEED_SIGMA 0.05
#define POLISH_SIGMA 0.02
#define EARLY_OFFSPRING 20

static const int solved_axes[4] = {0, 1, 2, 6};

static int axes_of(const leat_circlefit *fit) { return fit->o.solve_color && fit->o.mode == LEAT_CIRCLEFIT_SEQUENTIAL ? 4 : FIT_DIMS; }

static int axis_at(int axes, int i) { return axes == FIT_DIMS ? i : solved_axes[i]; }

static int64_t suffix_count(const leat_circlefit *fit) {
    const fit_scalars *s = fit->s;
    int64_t last = fit->active[s->stage_active - 1] + 1;
    return (last > s->count ? last : s->count) - s->stage_first;
}

/* ---- candidates ----------------------------------------------------------------------------------------------------------- */

/* Writes the active circles of a point into scene, which holds the suffix. */
static void decode(const leat_circlefit *fit, const double *x, leat_circle *scene) {
    int axes = axes_of(fit);
    for (int64_t a = 0; a < fit->s->stage_active; a++, x += axes) {
        leat_circle *circle = &scene[fit->active[a] - fit->s->stage_first];
        double v[FIT_DIMS] = {0};
        for (int i = 0; i < axes; i++) {
            int j = axis_at(axes, i);
            v[j] = fit->lower[j] + x[i] * (fit->upper[j] - fit->lower[j]);
        }
        memcpy(circle, v, sizeof v);
        leat__fit_repair(fit, circle);
        if (axes != FIT_DIMS) leat__fit_climb_color(fit, circle);
    }
}

static void encode(const leat_circlefit *fit, const leat_circle *circles, double *x) {
    int axes = axes_of(fit);
    for (int64_t a = 0; a < fit->s->stage_active; a++, x += axes) {
        double v[FIT_DIMS];
        memcpy(v, &circles[a], sizeof v);
        for (int i = 0; i < axes; i++) {
            int j = axis_at(axes, i);
            x[i] = (v[j] - fit->lower[j]) / (fit->upper[j] - fit->lower[j]);
        }
    }
}

typedef struct batch_call {
    leat_circlefit *fit;
    const double   *x;
    double         *costs;
    size_t          dims;
    int64_t         count; /* circles of a scene */
} batch_call;

static void measure_one(void *arg, int64_t index, int worker) {
    batch_call *b = arg;
    uint64_t sse = 0;
    leat_circle *scene = b->fit->scenes[worker];
    double area = 0;
    decode(b->fit, b->x + (size_t)index * b->dims, scene);
    int status = leat_circle_evaluate(b->fit->evaluators[worker], scene, b->count, &sse);
    for (int64_t i = 0; i < b->count; i++) area += leat__fit_area(b->fit, &scene[i]);
    leat__fit_count_pixels(b->fit, area);
    b->costs[index] = status == LEAT_OK ? leat__fit_mse(b->fit, sse) : INFINITY;
}

static int costs_of(void *user, const double *x, int32_t n, double *costs) {
    leat_circlefit *fit = user;
    batch_call call = {fit, x, costs, (size_t)fit->s->stage_active * (size_t)axes_of(fit), suffix_count(fit)};
    if (leat__fit_cancelled(fit)) return 1;
    leat__tpool_for(fit->pool, n, measure_one, &call);
    return 0;
}

/* The circles that no stage varies, into every worker's scene. */
static void fill_scenes(leat_circlefit *fit) {
    const fit_scalars *s = fit->s;
    size_t behind = s->count > s->stage_first ? (size_t)(s->count - s->stage_first) : 0;
    for (int w = 0; w < fit->workers; w++) memcpy(fit->scenes[w], fit->circles + s->stage_first, behind * sizeof(leat_circle));
}

/* ---- opening -------------------------------------------------------------------------------------------------------------- */

typedef struct distance {
    double  d;
    int64_t index;
} distance;

/* The active set of a polishing stage: the circles nearest to the cell of a 4 x 4 grid whose turn it is, by falling error. */
static void choose_active(leat_circlefit *fit) {
    fit_scalars *s = fit->s;
    int64_t want = fit->o.active < s->count ? fit->o.active : s->count, cell = s->sweep % 16;
    double cx = (cell % 4 + 0.5) * fit->width / 4, cy = (cell / 4 + 0.5) * fit->height / 4;
    memset(fit->marked, 0, (size_t)fit->o.circles * sizeof *fit->marked);
    for (int64_t k = 0; k < want; k++) {
        distance nearest = {INFINITY, 0};
        for (int64_t i = 0; i < s->count; i++) {
            double d = hypot(fit->circles[i].x - cx, fit->circles[i].y - cy);
            if (!fit->marked[i] && d < nearest.d) nearest = (distance){d, i};
        }
        fit->marked[nearest.index] = 1;
    }
    s->stage_active = 0;
    for (int64_t i = 0; i < s->count; i++) {
        if (fit->marked[i]) fit->active[s->stage_active++] = i;
    }
    s->stage_first = fit->active[0];
}

static void choose_stage(leat_circlefit *fit) {
    fit_scalars *s = fit->s;
    if (s->phase == FIT_POLISH) {
        choose_active(fit);
        return;
    }
    int64_t left = fit->o.circles - s->count, joint = fit->o.mode == LEAT_CIRCLEFIT_JOINT;
    int64_t size = joint ? fit->o.circles : fit->o.mode == LEAT_CIRCLEFIT_BATCH ? (fit->o.batch < left ? fit->o.batch : left) : 1;
    s->stage_first = joint ? 0 : s->count;
    s->stage_active = size;
    for (int64_t i = 0; i < size; i++) fit->active[i] = s->stage_first + i;
}

static int open_minimiser(leat_circlefit *fit, leat_error *error) {
    leat_minimise_options o;
    size_t dims = (size_t)fit->s->stage_active * (size_t)axes_of(fit);
    leat_minimise_options_default((leat_minimise_algorithm)fit->o.algorithm, &o);
    o.population = fit->o.population;
    o.iterations = fit->o.iterations;
    o.distance = fit->o.distance;
    o.immediate = fit->o.immediate;
    o.pool = fit->pool;
    o.offspring = fit->o.bounds == LEAT_CIRCLEFIT_EARLY ? EARLY_OFFSPRING : o.population / 2 * 2;
    if (o.offspring > 2 * o.population) o.offspring = 2 * o.population;
    o.seed = leat__rng_u64(fit->o.seed, STREAM_STAGE, (uint64_t)(fit->s->stage + (fit->s->sweep << 32)));
    double *bounds = leat__calloc(2 * dims, sizeof(double), LEAT_MEMORY_OTHER);
    if (!bounds) return leat__fail(error, LEAT_ENOMEM, "no memory for a stage of %zu dimensions", dims);
    for (size_t j = 0; j < dims; j++) bounds[dims + j] = 1;
    int status = leat_minimise_open((int32_t)dims, bounds, bounds + dims, &o, &fit->minimiser, error);
    leat__free(bounds);
    return status;
}

/* What the population begins around: what is there, else guesses. */
static int seed_minimiser(leat_circlefit *fit, leat_error *error) {
    const fit_scalars *s = fit->s;
    size_t n = (size_t)s->stage_active;
    int    polish = s->phase == FIT_POLISH, status = LEAT_OK;
    int64_t known = 0; /* of the active circles, those that exist */
    for (size_t a = 0; a < n; a++) known += fit->active[a] < s->count;
    if (known < (int64_t)n && (!fit->o.residual_seed || fit->o.bounds == LEAT_CIRCLEFIT_EARLY)) return LEAT_OK;
    leat_circle *guess = leat__calloc(n, sizeof *guess, LEAT_MEMORY_OTHER);
    double *x = leat__calloc(n * FIT_DIMS, sizeof *x, LEAT_MEMORY_OTHER);
    if (!guess || !x) status = leat__fail(error, LEAT_ENOMEM, "no memory for a stage of %zu circles", n);
    for (int64_t a = 0; status == LEAT_OK && a < known; a++) guess[a] = fit->circles[fit->active[a]];
    if (status == LEAT_OK && known < (int64_t)n) status = leat__fit_guess(fit, guess + known, (int)((int64_t)n - known), error);
    if (status == LEAT_OK) {
        encode(fit, guess, x);
        status = leat_minimise_seed(fit->minimiser, x, 1, polish ? POLISH_SIGMA : SEED_SIGMA);
    }
    leat__free(guess);
    leat__free(x);
    return status;
}

static int prepare(leat_circlefit *fit, leat_error *error) {
    int status = leat__fit_freeze(fit, fit->s->stage_first, error);
    if (status != LEAT_OK) return status;
    fill_scenes(fit);
    if (axes_of(fit) != FIT_DIMS) leat__fit_climb_ready(fit, fit->s->count);
    return open_minimiser(fit, error);
}

static int open_stage(leat_circlefit *fit, leat_error *error) {
    choose_stage(fit);
    int status = prepare(fit, error);
    if (status == LEAT_OK) status = seed_minimiser(fit, error);
    if (status != LEAT_OK) {
        leat_minimise_close(fit->minimiser);
        fit->minimiser = NULL;
        return status;
    }
    fit->s->stage_open = 1;
    fit->s->stage_progress = 0;
    fit->s->stage_cost = INFINITY;
    return LEAT_OK;
}

int leat__fit_stage_reopen(leat_circlefit *fit, const void *state, size_t bytes, leat_error *error) {
    int status = prepare(fit, error);
    return status == LEAT_OK ? leat_minimise_load(fit->minimiser, state, bytes, error) : status;
}

/* ---- closing -------------------------------------------------------------------------------------------------------------- */

/* Squared error without circle `skip` of scene [count]. */
static uint64_t without(leat_circlefit *fit, const leat_circle *scene, int64_t count, int64_t skip, leat_circle *room) {
    uint64_t sse = UINT64_MAX;
    memcpy(room, scene, (size_t)skip * sizeof *scene);
    memcpy(room + skip, scene + skip + 1, (size_t)(count - skip - 1) * sizeof *scene);
    leat__fit_measure(fit, room, count - 1, &sse);
    return sse;
}

/* Removes new circles that save next to nothing from circles [first, *count); keeps *sse. */
static void prune(leat_circlefit *fit, int64_t first, int64_t *count, uint64_t *sse) {
    double limit = PRUNE_MSE * 3 * fit->width * fit->height;
    while (*count > first) {
        uint64_t least = UINT64_MAX;
        int64_t  which = first;
        for (int64_t i = first; i < *count; i++) {
            uint64_t s = without(fit, fit->circles + first, *count - first, i - first, fit->scenes[0]);
            if (s < least) least = s, which = i;
        }
        if (least > *sse && (double)(least - *sse) > limit) return;
        memmove(fit->circles + which, fit->circles + which + 1, (size_t)(*count - which - 1) * sizeof(leat_circle));
        *count -= 1;
        *sse = least;
    }
}

/* Colours of circles [first, s->count) in closed form, each kept if it helps. */
static void recolor(leat_circlefit *fit, int64_t first) {
    fit_scalars *s = fit->s;
    for (int64_t i = first; i < s->count; i++) {
        leat_circle old = fit->circles[i];
        uint64_t sse;
        leat__fit_climb_recolor(fit, i);
        if (leat__fit_measure(fit, fit->circles + first, s->count - first, &sse) == LEAT_OK && sse < s->sse) s->sse = sse;
        else fit->circles[i] = old;
    }
}

/* Whether the stages have stopped making progress; measures from the last significant cost. */
static void note_progress(leat_circlefit *fit) {
    fit_scalars *s = fit->s;
    double cost = (double)s->sse;
    if (s->significant == 0) {
        s->significant = cost;
    } else if (s->significant - cost >= fit->o.threshold * s->significant) {
        s->significant = cost;
        s->stale = 0;
    } else if (fit->o.patience > 0 && ++s->stale >= fit->o.patience) {
        s->end = LEAT_CIRCLEFIT_CONVERGED;
    }
}

/* New circles stay if the exact error falls. */
static void close_appending(leat_circlefit *fit) {
    fit_scalars *s = fit->s;
    int64_t first = s->stage_first, count = first + s->stage_active;
    uint64_t sse;
    decode(fit, leat_minimise_best(fit->minimiser), fit->circles + first);
    if (leat__fit_measure(fit, fit->circles + first, s->stage_active, &sse) != LEAT_OK) sse = UINT64_MAX;
    if (fit->o.mode == LEAT_CIRCLEFIT_BATCH) prune(fit, first, &count, &sse);
    if (sse < s->sse) {
        s->count = count;
        s->sse = sse;
        if (fit->o.solve_color && fit->o.mode == LEAT_CIRCLEFIT_BATCH) recolor(fit, first);
    }
    if (s->count < first + s->stage_active && s->end == LEAT_CIRCLEFIT_RUNNING && ++s->extra > MAX_EXTRA) s->end = LEAT_CIRCLEFIT_REFILL_LIMIT;
    if (s->end == LEAT_CIRCLEFIT_RUNNING) note_progress(fit);
}

/* Joint and polish: what the optimiser has found takes effect at once, if it is better than what was there. */
static void adopt(leat_circlefit *fit) {
    fit_scalars *s = fit->s;
    int64_t  count = suffix_count(fit);
    uint64_t sse;
    if (!(leat_minimise_best_cost(fit->minimiser) < leat__fit_mse(fit, s->sse))) return;
    leat_circle *scene = fit->scenes[0];
    decode(fit, leat_minimise_best(fit->minimiser), scene);
    if (leat__fit_measure(fit, scene, count, &sse) != LEAT_OK || sse >= s->sse) return;
    memcpy(fit->circles + s->stage_first, scene, (size_t)count * sizeof *scene);
    s->count = s->stage_first + count;
    s->sse = sse;
}

static void drop_stage(leat_circlefit *fit) {
    leat_minimise_close(fit->minimiser);
    fit->minimiser = NULL;
    fit->s->stage_open = 0;
}

static void close_stage(leat_circlefit *fit) {
    fit_scalars *s = fit->s;
    int appending = s->phase == FIT_STAGES && fit->o.mode != LEAT_CIRCLEFIT_JOINT;
    if (appending) close_appending(fit);
    else if (fit->o.solve_color && s->count > s->stage_first) recolor(fit, s->stage_first);
    drop_stage(fit);
    s->stage++;
}

/* ---- stepping ------------------------------------------------------------------------------------------------------------- */

static int is_stagnant(leat_circlefit *fit) {
    fit_scalars *s = fit->s;
    int64_t iteration = leat_minimise_iterations(fit->minimiser);
    double  cost = leat_minimise_best_cost(fit->minimiser);
    if (cost < s->stage_cost) {
        s->stage_cost = cost;
        s->stage_progress = iteration;
    }
    return fit->o.stagnation > 0 && iteration - s->stage_progress >= fit->o.stagnation;
}

int leat__fit_stage_step(leat_circlefit *fit, leat_error *error) {
    fit_scalars *s = fit->s;
    if (!s->stage_open) {
        int status = open_stage(fit, error);
        if (status != LEAT_OK) return status;
    }
    int64_t before = leat_minimise_evaluations(fit->minimiser);
    int status = leat_minimise_step(fit->minimiser, costs_of, fit);
    if (status == LEAT_ECANCELLED) {
        if (!leat_minimise_best(fit->minimiser)) drop_stage(fit); /* nothing of it is worth saving */
        return leat__fail(error, status, "circle fitting was cancelled");
    }
    if (status == LEAT_OK) {
        int64_t done = leat_minimise_evaluations(fit->minimiser) - before;
        s->evaluations += done;
        s->drawn += done * suffix_count(fit);
        if (s->phase == FIT_POLISH || fit->o.mode == LEAT_CIRCLEFIT_JOINT) adopt(fit);
    }
    if (status == LEAT_ESTATE || is_stagnant(fit) || leat_minimise_iterations(fit->minimiser) >= fit->o.iterations) close_stage(fit);
    return LEAT_OK;
}
