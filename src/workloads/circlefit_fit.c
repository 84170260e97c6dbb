/* circlefit_fit.c - the fitter's life and its plan: stages or single circles, then polishing, then done.
 *
 *   stages    sequential: one circle each; batch: some, useless ones pruned and refilled; joint: all.  By an optimiser (circlefit_stage.c) or
 *             by climbing (circlefit_climb.c).  A stage is kept only if the exact cost falls (batch, joint) or does not rise.
 *   polish    sweeps over all circles, each sweep ending with a few moves of the weakest circles to where they are of more use
 * What a step changes is kept only if the exact squared error falls, so the circles at hand are always the best.
 */
#include "workloads/circlefit_fit.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

#define MAX_CIRCLES 10000
#define MAX_PIXELS ((int64_t)1 << 27)
#define RELOCATE_SHARE 4 /* a sweep tries to move one circle in so many, */
#define RELOCATE_MOST 60 /* but no more than this */

static const char *const mode_names[LEAT_CIRCLEFIT_MODES] = {"sequential", "batch", "joint", "polish"};
static const char *const end_names[LEAT_CIRCLEFIT_ENDS] = {"running", "completed", "converged", "refill_limit", "target", "time", "evaluations", "cancelled"};

const char *leat_circlefit_mode_name(leat_circlefit_mode mode) { return (unsigned)mode < LEAT_CIRCLEFIT_MODES ? mode_names[mode] : NULL; }
const char *leat_circlefit_end_name(leat_circlefit_end end) { return (unsigned)end < LEAT_CIRCLEFIT_ENDS ? end_names[end] : NULL; }

/* ---- options -------------------------------------------------------------------------------------------------------------- */

void leat_circlefit_options_default(leat_circlefit_options *o) {
    *o = (leat_circlefit_options){.size = sizeof *o, .algorithm = LEAT_CIRCLEFIT_CLIMB, .circles = 30, .iterations = 100, .population = 30, .batch = 5, .seed = 42,
                                  .residual_seed = 1, .candidates = 600, .climbers = 8, .sweeps = 60, .active = 5, .patience = 3, .threshold = 0.001};
}

static int check_range(leat_error *error, const char *field, double value, double least, double most) {
    if (value >= least && value <= most) return LEAT_OK;
    return leat__fail(error, LEAT_EINVAL, "circle fitting: %s is %g, not in %g..%g", field, value, least, most);
}

static int check_options(const leat_circlefit_options *o, leat_error *error) {
    const struct { const char *name; double value, least, most; } fields[] = {
        {"mode", (double)o->mode, 0, LEAT_CIRCLEFIT_MODES - 1}, {"algorithm", o->algorithm, LEAT_CIRCLEFIT_CLIMB, LEAT_MINIMISE_ALGORITHMS - 1},
        {"circles", o->circles, 1, MAX_CIRCLES}, {"iterations", o->iterations, 1, 100000000}, {"population", o->population, 4, 65536},
        {"batch", o->batch, 1, MAX_CIRCLES}, {"bounds", (double)o->bounds, 0, 1}, {"distance", (double)o->distance, 0, 1}, {"immediate", o->immediate, 0, 1},
        {"solve_color", o->solve_color, 0, 1}, {"residual_seed", o->residual_seed, 0, 1}, {"candidates", o->candidates, 1, 1000000},
        {"climbers", o->climbers, 1, 1000}, {"sweeps", o->sweeps, 0, 1000000}, {"active", o->active, 1, 1000}, {"patience", o->patience, 0, 1000000},
        {"threshold", o->threshold, 0, 1}, {"stagnation", o->stagnation, 0, 100000000}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (check_range(error, fields[i].name, fields[i].value, fields[i].least, fields[i].most) != LEAT_OK) return LEAT_EINVAL;
    }
    if (o->climbers > o->candidates) return leat__fail(error, LEAT_EINVAL, "circle fitting: climbers (%d) are more than candidates (%d)", o->climbers, o->candidates);
    if (o->algorithm == LEAT_CIRCLEFIT_CLIMB && (o->mode == LEAT_CIRCLEFIT_BATCH || o->mode == LEAT_CIRCLEFIT_JOINT))
        return leat__fail(error, LEAT_EINVAL, "circle fitting: mode %s needs an optimiser such as mayfly; climbing is for sequential and polish", mode_names[o->mode]);
    return LEAT_OK;
}

/* Whether any step climbs. */
static int climbs(const leat_circlefit_options *o) { return o->algorithm == LEAT_CIRCLEFIT_CLIMB || o->sweeps > 0 || o->solve_color; }

/* ---- bounds --------------------------------------------------------------------------------------------------------------- */

static void set_bounds(leat_circlefit *fit) {
    double w = fit->width, h = fit->height, most = w > h ? w : h;
    int    early = fit->o.bounds == LEAT_CIRCLEFIT_EARLY;
    double lower[FIT_DIMS] = {early ? 0 : -0.5 * w, early ? 0 : -0.5 * h, 1, 0, 0, 0, early ? 0 : 1 / 255.0};
    double upper[FIT_DIMS] = {early ? w : w - 1 + 0.5 * w, early ? h : h - 1 + 0.5 * h, most, 1, 1, 1, 1};
    memcpy(fit->lower, lower, sizeof lower);
    memcpy(fit->upper, upper, sizeof upper);
}

void leat__fit_repair(const leat_circlefit *fit, leat_circle *circle) {
    double v[FIT_DIMS];
    memcpy(v, circle, sizeof v);
    for (int i = 0; i < FIT_DIMS; i++) v[i] = v[i] < fit->lower[i] ? fit->lower[i] : v[i] > fit->upper[i] ? fit->upper[i] : v[i];
    if (fit->o.bounds == LEAT_CIRCLEFIT_WIDE) { /* far enough to cover the nearest pixel */
        double nx = fmin(fmax(round(v[0]), 0), fit->width - 1), ny = fmin(fmax(round(v[1]), 0), fit->height - 1);
        double need = hypot(v[0] - nx, v[1] - ny);
        if (v[2] < need) v[2] = need * (1 + 1e-9);
    }
    memcpy(circle, v, sizeof v);
}

/* ---- life ----------------------------------------------------------------------------------------------------------------- */

/* FNV-1a over the pixels and the size: tells one image from another, not from an enemy's. */
static uint64_t hash_image(const leat_image *image) {
    uint64_t h = 14695981039346656037u;
    if (!image) return 0;
    for (int y = 0; y < image->height; y++) {
        for (int i = 0; i < 3 * image->width; i++) h = (h ^ image->data[y * image->stride + i]) * 1099511628211u;
    }
    return (h ^ (uint64_t)image->width) * 1099511628211u;
}

static int copy_canvas(leat_circlefit *fit, const leat_image *canvas, leat_error *error) {
    if (!canvas) return LEAT_OK;
    int status = leat_image_alloc(canvas->width, canvas->height, &fit->canvas);
    if (status != LEAT_OK) return leat__fail(error, status, "no memory for a canvas of %d x %d", canvas->width, canvas->height);
    for (int y = 0; y < canvas->height; y++)
        memcpy(fit->canvas.data + y * fit->canvas.stride, canvas->data + y * canvas->stride, 3 * (size_t)canvas->width);
    return LEAT_OK;
}

static int allocate(leat_circlefit *fit, leat_error *error) {
    size_t k = (size_t)fit->o.circles, scalars = sizeof(fit_scalars) / 8;
    fit->words = scalars + k * (FIT_DIMS + 3);
    fit->workers = leat_tpool_threads(fit->pool);
    fit->state = leat__calloc(fit->words, 8, LEAT_MEMORY_OTHER);
    fit->evaluators = leat__calloc((size_t)fit->workers, sizeof *fit->evaluators, LEAT_MEMORY_OTHER);
    fit->scenes = leat__calloc((size_t)fit->workers, sizeof *fit->scenes, LEAT_MEMORY_OTHER);
    fit->lower = leat__calloc(2 * FIT_DIMS, sizeof(double), LEAT_MEMORY_OTHER);
    int ok = fit->state && fit->evaluators && fit->scenes && fit->lower;
    for (int i = 0; ok && i < fit->workers; i++) {
        ok = (fit->scenes[i] = leat__calloc(k + 1, sizeof(leat_circle), LEAT_MEMORY_OTHER)) != NULL &&
             leat_circle_evaluator_open(fit->target, fit->o.circles, &fit->evaluators[i]) == LEAT_OK;
    }
    if (!ok) return leat__fail(error, LEAT_ENOMEM, "no memory to fit %d circles on %d threads", fit->o.circles, fit->workers);
    fit->upper = fit->lower + FIT_DIMS;
    fit->s = (fit_scalars *)(void *)fit->state;
    fit->circles = (leat_circle *)(void *)(fit->state + scalars);
    fit->gain = (double *)(void *)(fit->state + scalars + k * FIT_DIMS);
    fit->marked = (int64_t *)(void *)(fit->gain + k);
    fit->active = fit->marked + k;
    return LEAT_OK;
}

static int check_images(const leat_image *reference, const leat_image *canvas, int64_t count, const leat_circlefit_options *o, leat_error *error) {
    if (!reference || !reference->data || reference->width < 1 || reference->height < 1) return leat__fail(error, LEAT_EINVAL, "circle fitting: no reference image");
    if ((int64_t)reference->width * reference->height > MAX_PIXELS)
        return leat__fail(error, LEAT_ELIMIT, "circle fitting: %d x %d are more than 2^27 pixels", reference->width, reference->height);
    if (canvas && (canvas->width != reference->width || canvas->height != reference->height))
        return leat__fail(error, LEAT_ESHAPE, "the canvas has %d x %d pixels, the reference %d x %d", canvas->width, canvas->height, reference->width, reference->height);
    if (count < 0 || count > o->circles)
        return leat__fail(error, LEAT_EINVAL, "circle fitting: %lld initial circles, but %d in all were asked for", (long long)count, o->circles);
    if (o->mode == LEAT_CIRCLEFIT_POLISH && count == 0) return leat__fail(error, LEAT_EINVAL, "circle fitting: polishing needs initial circles");
    return LEAT_OK;
}

static int begin(leat_circlefit *fit, const leat_circle *initial, int64_t count, leat_error *error) {
    if (count > 0) memcpy(fit->circles, initial, (size_t)count * sizeof *initial);
    fit->s->count = count;
    if (fit->o.mode == LEAT_CIRCLEFIT_POLISH) fit->s->phase = FIT_POLISH;
    int status = leat__fit_measure(fit, fit->circles, count, &fit->s->sse);
    if (status != LEAT_OK) return leat__fail(error, status, "circle fitting: the initial circles cannot be measured");
    fit->s->initial_sse = fit->s->sweep_sse = fit->s->sse;
    return LEAT_OK;
}

int leat_circlefit_open(const leat_image *reference, const leat_image *canvas, const leat_circle *initial, int64_t count, const leat_circlefit_options *options,
                        leat_tpool *pool, leat_circlefit **out, leat_error *error) {
    leat_circlefit_options defaults;
    leat_circlefit_options_default(&defaults);
    if (!options) options = &defaults;
    *out = NULL;
    int status = check_options(options, error);
    if (status == LEAT_OK) status = check_images(reference, canvas, count, options, error);
    if (status == LEAT_OK) status = leat_circles_check(initial, count, error);
    if (status != LEAT_OK) return status;
    leat_circlefit *fit = leat__calloc(1, sizeof *fit, LEAT_MEMORY_OTHER);
    if (!fit) return leat__fail(error, LEAT_ENOMEM, "no memory for a circle fitter");
    fit->o = *options;
    fit->pool = pool ? leat_tpool_ref(pool) : NULL;
    fit->width = reference->width;
    fit->height = reference->height;
    fit->reference_hash = hash_image(reference);
    fit->canvas_hash = hash_image(canvas);
    status = leat_circle_target_open(reference, canvas, &fit->target, error);
    if (status == LEAT_OK) status = copy_canvas(fit, canvas, error);
    if (status == LEAT_OK) status = allocate(fit, error);
    if (status == LEAT_OK) set_bounds(fit);
    if (status == LEAT_OK && climbs(options)) status = leat__fit_climber_open(fit, error);
    if (status == LEAT_OK) status = begin(fit, initial, count, error);
    if (status != LEAT_OK) {
        leat_circlefit_close(fit);
        return status;
    }
    *out = fit;
    return LEAT_OK;
}

void leat_circlefit_close(leat_circlefit *fit) {
    if (!fit) return;
    for (int i = 0; i < fit->workers; i++) {
        if (fit->evaluators) leat_circle_evaluator_close(fit->evaluators[i]);
        if (fit->scenes) leat__free(fit->scenes[i]);
    }
    leat_minimise_close(fit->minimiser);
    leat__fit_climber_close(fit);
    leat__free(fit->evaluators);
    leat__free(fit->scenes);
    leat__free(fit->lower);
    leat__free(fit->state);
    leat_circle_target_unref(fit->target);
    leat_image_free(&fit->canvas);
    leat_tpool_unref(fit->pool);
    leat__free(fit);
}

/* ---- measuring ------------------------------------------------------------------------------------------------------------ */

int leat__fit_freeze(leat_circlefit *fit, int64_t n, leat_error *error) {
    int status = LEAT_OK;
    if (n < fit->frozen) {
        status = leat_circle_target_reset(fit->target, fit->canvas.data ? &fit->canvas : NULL, error);
        if (status == LEAT_OK) fit->frozen = 0;
    }
    if (status == LEAT_OK && n > fit->frozen) status = leat_circle_target_freeze(fit->target, fit->circles + fit->frozen, n - fit->frozen, error);
    if (status == LEAT_OK) fit->frozen = n;
    return status;
}

int leat__fit_measure(leat_circlefit *fit, const leat_circle *circles, int64_t count, uint64_t *sse) {
    return leat_circle_evaluate(fit->evaluators[0], circles, count, sse);
}

/* About: the share of its box that lies inside the image is taken for the share of the disc. */
double leat__fit_area(const leat_circlefit *fit, const leat_circle *c) {
    double w = fmin(c->x + c->r, fit->width) - fmax(c->x - c->r, 0), h = fmin(c->y + c->r, fit->height) - fmax(c->y - c->r, 0);
    return w > 0 && h > 0 ? 0.7853981633974483 * w * h : 0;
}

void leat__fit_count_pixels(leat_circlefit *fit, double pixels) { __atomic_fetch_add(&fit->s->pixels, (int64_t)pixels, __ATOMIC_RELAXED); }

int leat__fit_cancelled(const leat_circlefit *fit) { return __atomic_load_n(&fit->cancel, __ATOMIC_RELAXED); }

void leat_circlefit_cancel(leat_circlefit *fit) { __atomic_store_n(&fit->cancel, 1, __ATOMIC_RELAXED); }

/* ---- the plan ------------------------------------------------------------------------------------------------------------- */

static void finish(leat_circlefit *fit, leat_circlefit_end end) {
    fit->s->phase = FIT_DONE;
    fit->s->end = end;
}

static void begin_polish(leat_circlefit *fit) {
    fit->s->phase = FIT_POLISH;
    fit->s->stale = 0;
    fit->s->sweep_sse = fit->s->sse;
    memset(fit->marked, 0, (size_t)fit->o.circles * sizeof *fit->marked);
}

/* After the last circle of the plan. */
static void end_stages(leat_circlefit *fit, leat_circlefit_end end) {
    if (fit->o.sweeps > 0 && fit->s->count > 0) begin_polish(fit);
    else finish(fit, end);
}

static int stages_step(leat_circlefit *fit, leat_error *error) {
    fit_scalars *s = fit->s;
    int status = fit->o.algorithm == LEAT_CIRCLEFIT_CLIMB ? leat__fit_climb_place(fit, error) : leat__fit_stage_step(fit, error);
    if (status != LEAT_OK || s->stage_open) return status;
    int joint = fit->o.mode == LEAT_CIRCLEFIT_JOINT;
    if (s->end != LEAT_CIRCLEFIT_RUNNING) end_stages(fit, (leat_circlefit_end)s->end);
    else if (joint || s->count >= fit->o.circles) end_stages(fit, LEAT_CIRCLEFIT_COMPLETED);
    return LEAT_OK;
}

/* The end of a sweep: was it worth it? */
static void end_sweep(leat_circlefit *fit) {
    fit_scalars *s = fit->s;
    double gain = s->sweep_sse > 0 ? (double)(s->sweep_sse - s->sse) / (double)s->sweep_sse : 0;
    s->stale = gain >= fit->o.threshold ? 0 : s->stale + 1;
    s->sweep++;
    int64_t stale = s->stale, sweep = s->sweep;
    if (s->sse == 0 || sweep >= fit->o.sweeps) finish(fit, LEAT_CIRCLEFIT_COMPLETED);
    else if (fit->o.patience > 0 && stale >= fit->o.patience) finish(fit, LEAT_CIRCLEFIT_CONVERGED);
    else begin_polish(fit);
    s->stale = stale;
}

static int all_marked(const leat_circlefit *fit) {
    for (int64_t i = 0; i < fit->s->count; i++) {
        if (!fit->marked[i]) return 0;
    }
    return 1;
}

static int polish_step(leat_circlefit *fit, leat_error *error) {
    fit_scalars *s = fit->s;
    int by_optimiser = fit->o.mode == LEAT_CIRCLEFIT_POLISH && fit->o.algorithm != LEAT_CIRCLEFIT_CLIMB;
    int status = by_optimiser ? leat__fit_stage_step(fit, error) : leat__fit_climb_polish(fit, error);
    if (status != LEAT_OK || s->stage_open) return status;
    if (by_optimiser) {
        end_sweep(fit);
    } else if (all_marked(fit)) {
        memset(fit->marked, 0, (size_t)fit->o.circles * sizeof *fit->marked);
        s->phase = FIT_RELOCATE;
        s->relocated = 0;
    }
    return LEAT_OK;
}

static int relocate_step(leat_circlefit *fit, leat_error *error) {
    int64_t tries = (fit->s->count + RELOCATE_SHARE - 1) / RELOCATE_SHARE;
    if (tries > RELOCATE_MOST) tries = RELOCATE_MOST;
    int status = leat__fit_climb_relocate(fit, error);
    if (status == LEAT_OK && ++fit->s->relocated >= tries) end_sweep(fit);
    return status;
}

static leat_circlefit_end limit_reached(const leat_circlefit *fit, const leat_circlefit_limits *limits) {
    if (!limits) return LEAT_CIRCLEFIT_RUNNING;
    if (limits->mse > 0 && leat__fit_mse(fit, fit->s->sse) <= limits->mse) return LEAT_CIRCLEFIT_TARGET;
    if (limits->evaluations > 0 && fit->s->evaluations >= limits->evaluations) return LEAT_CIRCLEFIT_EVALUATIONS;
    if (limits->seconds > 0 && (double)fit->work_ns / 1e9 >= limits->seconds) return LEAT_CIRCLEFIT_TIME;
    return LEAT_CIRCLEFIT_RUNNING;
}

int leat_circlefit_step(leat_circlefit *fit, const leat_circlefit_limits *limits, leat_error *error) {
    static int (*const steps[])(leat_circlefit *, leat_error *) = {stages_step, polish_step, relocate_step};
    if (fit->s->phase == FIT_DONE) return LEAT_ESTATE;
    leat_circlefit_end end = limit_reached(fit, limits);
    if (end == LEAT_CIRCLEFIT_RUNNING && fit->s->phase == FIT_STAGES && fit->s->stage == 0 && !fit->s->stage_open && fit->o.mode != LEAT_CIRCLEFIT_JOINT &&
        fit->s->count >= fit->o.circles) {
        end_stages(fit, LEAT_CIRCLEFIT_COMPLETED); /* as many initial circles as asked for */
        return LEAT_OK;
    }
    if (end != LEAT_CIRCLEFIT_RUNNING) {
        finish(fit, end);
        return LEAT_OK;
    }
    if (leat__fit_cancelled(fit)) return leat__fail(error, LEAT_ECANCELLED, "circle fitting was cancelled");
    int64_t start = leat__now_ns();
    int status = steps[fit->s->phase](fit, error);
    fit->work_ns += leat__now_ns() - start;
    if (status == LEAT_OK) fit->s->steps++;
    return status;
}

int leat_circlefit_run(leat_circlefit *fit, const leat_circlefit_limits *limits, leat_circlefit_progress progress, void *user, leat_error *error) {
    int status;
    while ((status = leat_circlefit_step(fit, limits, error)) == LEAT_OK) {
        if (progress && progress(user, fit) != 0) return leat__fail(error, LEAT_ECANCELLED, "circle fitting was cancelled by its progress callback");
    }
    return status == LEAT_ESTATE ? LEAT_OK : status;
}

/* ---- looking -------------------------------------------------------------------------------------------------------------- */

static double progress_of(const leat_circlefit *fit) {
    const fit_scalars *s = fit->s;
    double stage = fit->minimiser ? (double)leat_minimise_iterations(fit->minimiser) / fit->o.iterations : 0;
    if (s->phase == FIT_DONE) return 1;
    if (s->phase != FIT_STAGES || fit->o.sweeps > 0) return -1;
    if (fit->o.mode == LEAT_CIRCLEFIT_JOINT) return stage;
    return fmin(((double)s->count + stage * (double)s->stage_active) / fit->o.circles, 1);
}

void leat_circlefit_get(const leat_circlefit *fit, leat_circlefit_info *info) {
    static const char *const phases[FIT_PHASES] = {"optimise", "polish", "relocate", "done"};
    const fit_scalars *s = fit->s;
    double mse = leat__fit_mse(fit, s->sse);
    *info = (leat_circlefit_info){.end = (leat_circlefit_end)s->end, .circles = s->count, .mse = mse, .psnr_db = mse > 0 ? 10 * log10(65025 / mse) : INFINITY,
                                  .initial_mse = leat__fit_mse(fit, s->initial_sse), .evaluations = s->evaluations, .drawn = s->drawn, .pixels = s->pixels, .steps = s->steps,
                                  .stage = s->stage, .iteration = fit->minimiser ? leat_minimise_iterations(fit->minimiser) : 0, .sweep = s->sweep,
                                  .progress = progress_of(fit), .phase = phases[s->phase]};
    if (s->phase == FIT_STAGES && fit->o.algorithm == LEAT_CIRCLEFIT_CLIMB) info->phase = "place";
}

const leat_circle *leat_circlefit_circles(const leat_circlefit *fit, int64_t *count) {
    *count = fit->s->count;
    return fit->circles;
}

const leat_circlefit_options *leat_circlefit_settings(const leat_circlefit *fit) { return &fit->o; }

int leat_circlefit_render(const leat_circlefit *fit, leat_image *image) {
    if (!image || !image->data || image->width != fit->width || image->height != fit->height) return LEAT_ESHAPE;
    for (int y = 0; y < image->height; y++) {
        uint8_t *row = image->data + y * image->stride;
        if (fit->canvas.data) memcpy(row, fit->canvas.data + y * fit->canvas.stride, 3 * (size_t)image->width);
        else memset(row, 255, 3 * (size_t)image->width);
    }
    return leat_circles_render(fit->circles, fit->s->count, image, fit->pool, NULL);
}
