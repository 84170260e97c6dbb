/* circlefitter.h - fits translucent circles to an image: strategies over leat/minimise.h and leat/circlefit.h, exact resume.
 *
 * A fitter goes forward a step at a time; a step is one iteration of an optimiser, one circle placed, or one group of circles polished.  Between
 * steps it can be asked, saved, or dropped: leat_circlefit_circles() is always the best that is known.  A seed gives the same circles for any
 * number of threads, and a saved fitter goes on to the same end as one that was never stopped.
 */
#ifndef LEAT_CIRCLEFITTER_H
#define LEAT_CIRCLEFITTER_H

#include "leat/circlefit.h"
#include "leat/minimise.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef enum leat_circlefit_mode {
    LEAT_CIRCLEFIT_SEQUENTIAL = 0, /* one circle after the other, those before are frozen */
    LEAT_CIRCLEFIT_BATCH,          /* some at a time; useless ones are pruned and refilled */
    LEAT_CIRCLEFIT_JOINT,          /* all at once */
    LEAT_CIRCLEFIT_POLISH,         /* no new ones: the initial circles are improved */
    LEAT_CIRCLEFIT_MODES
} leat_circlefit_mode;
/* "sequential", "batch", "joint", "polish"; NULL when out of range.  RT-safe. */
const char *leat_circlefit_mode_name(leat_circlefit_mode mode);

/* Where circles may lie (W, H of the image). */
typedef enum leat_circlefit_bounds {
    LEAT_CIRCLEFIT_WIDE = 0, /* centres up to half the image outside, each circle covers a pixel, opacity >= 1/255 */
    LEAT_CIRCLEFIT_EARLY     /* x in 0..W, y in 0..H, r in 1..max(W, H), opacity in 0..1: as the Go original began */
} leat_circlefit_bounds;

#define LEAT_CIRCLEFIT_CLIMB (-1) /* options.algorithm: hill climbing over closed-form colours and opacities, no population */

typedef struct leat_circlefit_options {
    size_t   size;            /* sizeof(leat_circlefit_options), set by _default() */
    leat_circlefit_mode mode;
    int32_t  algorithm;       /* LEAT_CIRCLEFIT_CLIMB (sequential and polish only) or a leat_minimise_algorithm */
    int32_t  circles;         /* in all, the initial ones counted; 1..10000 */
    int32_t  iterations;      /* of the optimiser in each stage */
    int32_t  population;      /* of each sex, or of DE */
    int32_t  batch;           /* circles of a stage of LEAT_CIRCLEFIT_BATCH */
    uint64_t seed;
    leat_circlefit_bounds bounds;
    leat_minimise_distance distance;
    int32_t  immediate;       /* as leat_minimise_options.immediate */
    int32_t  solve_color;     /* 1 = colours in closed form: in sequential mode each candidate's, else the result's of each stage; climbing always does */
    int32_t  residual_seed;   /* 1 = populations begin around guesses from the largest errors */
    int32_t  candidates;      /* climbing: random starts for a circle */
    int32_t  climbers;        /* climbing: of the starts, how many are climbed from */
    int32_t  sweeps;          /* polishing rounds at most after the last circle (and all there is in LEAT_CIRCLEFIT_POLISH) */
    int32_t  active;          /* polishing with an optimiser: circles of a stage */
    int32_t  patience;        /* stages, or sweeps, without progress before the end; 0 = go on */
    double   threshold;       /* relative gain of a stage or sweep that counts as progress */
    int32_t  stagnation;      /* iterations of a stage without progress before its end; 0 = all iterations */
} leat_circlefit_options;

/* Fills *options: sequential climbing of 30 circles, 100 iterations, population 30.  RT-safe. */
void leat_circlefit_options_default(leat_circlefit_options *options);

/* When to stop before the plan is done; 0 = no limit.  They are no part of the saved state. */
typedef struct leat_circlefit_limits {
    double  mse;          /* at or below it */
    double  seconds;      /* of this process's work */
    int64_t evaluations;  /* in all */
} leat_circlefit_limits;

typedef enum leat_circlefit_end {
    LEAT_CIRCLEFIT_RUNNING = 0,
    LEAT_CIRCLEFIT_COMPLETED,    /* the plan is done */
    LEAT_CIRCLEFIT_CONVERGED,    /* stages or sweeps made no progress */
    LEAT_CIRCLEFIT_REFILL_LIMIT, /* batch: extra stages are used up */
    LEAT_CIRCLEFIT_TARGET, LEAT_CIRCLEFIT_TIME, LEAT_CIRCLEFIT_EVALUATIONS, /* a limit */
    LEAT_CIRCLEFIT_CANCELLED,
    LEAT_CIRCLEFIT_ENDS
} leat_circlefit_end;
/* "running", "completed", "converged", ...; NULL when out of range.  RT-safe. */
const char *leat_circlefit_end_name(leat_circlefit_end end);

typedef struct leat_circlefit_info {
    leat_circlefit_end end;
    int64_t  circles;       /* of the best so far */
    double   mse, psnr_db;  /* of the best so far; psnr infinite for mse 0 */
    double   initial_mse;   /* of the canvas with the initial circles */
    int64_t  evaluations;   /* candidates measured, exactly or by closed form */
    int64_t  drawn;         /* circles in those candidates */
    int64_t  pixels;        /* about as many as drawing them would write */
    int64_t  steps, stage, iteration, sweep; /* where it is; stage and sweep count from 0 */
    double   progress;      /* 0..1, of the plan by its counts; -1 = unknown */
    const char *phase;      /* "place", "optimise", "polish", "done" */
} leat_circlefit_info;

typedef struct leat_circlefit leat_circlefit;

/* Makes a fitter.  reference, canvas (NULL = white): borrow, copied.  initial [count] (may be NULL): circles to begin with: frozen in sequential and
 * batch mode, improved in joint and polish mode.  pool: shares, NULL = one thread.  options: borrows, NULL = defaults.  *fit: the caller takes it.
 * LEAT_EINVAL (names the field), LEAT_ESHAPE, LEAT_ELIMIT, LEAT_ENOMEM.  Any thread; one thread at a time for a fitter. */
int leat_circlefit_open(const leat_image *reference, const leat_image *canvas, const leat_circle *initial, int64_t count,
                        const leat_circlefit_options *options, leat_tpool *pool, leat_circlefit **fit, leat_error *error);
/* NULL allowed. */
void leat_circlefit_close(leat_circlefit *fit);

/* One step.  LEAT_OK; LEAT_ESTATE when there is nothing more to do; LEAT_ECANCELLED: the step never was; LEAT_ENOMEM.  limits NULL = none. */
int leat_circlefit_step(leat_circlefit *fit, const leat_circlefit_limits *limits, leat_error *error);
/* Steps until the end.  progress, unless NULL, is called after each step; not 0 ends the run with LEAT_ECANCELLED. */
typedef int (*leat_circlefit_progress)(void *user, const leat_circlefit *fit);
int leat_circlefit_run(leat_circlefit *fit, const leat_circlefit_limits *limits, leat_circlefit_progress progress, void *user, leat_error *error);
/* Makes a step in progress return LEAT_ECANCELLED soon.  Any thread, signal handlers too, RT-safe. */
void leat_circlefit_cancel(leat_circlefit *fit);

/* Fills *info.  RT-safe. */
void leat_circlefit_get(const leat_circlefit *fit, leat_circlefit_info *info);
/* The best circles so far [*count], borrowed until the next step.  RT-safe. */
const leat_circle *leat_circlefit_circles(const leat_circlefit *fit, int64_t *count);
/* Paints them over the canvas into *image, of the reference's size (caller's memory).  LEAT_EINVAL, LEAT_ESHAPE, LEAT_ENOMEM. */
int leat_circlefit_render(const leat_circlefit *fit, leat_image *image);
const leat_circlefit_options *leat_circlefit_settings(const leat_circlefit *fit); /* borrowed */

/* Checkpoints: version, sizes, hashes of both images, options, state, checksum (see circlefit_state.c). */
/* Writes the fitter to `path` under a temporary name, then renames.  LEAT_EIO, LEAT_ENOMEM. */
int leat_circlefit_save(const leat_circlefit *fit, const char *path, leat_error *error);
/* Opens a fitter as it was saved; options and initial circles come from the checkpoint, images must be the same.
 * LEAT_EIO, LEAT_EFORMAT (no checkpoint, truncated, damaged, other images: the message says which), LEAT_EUNSUPPORTED (version), LEAT_ENOMEM. */
int leat_circlefit_resume(const leat_image *reference, const leat_image *canvas, const char *path, leat_tpool *pool, leat_circlefit **fit,
                          leat_error *error);
/* The same from memory [bytes], borrowed during the call. */
int leat_circlefit_resume_from(const leat_image *reference, const leat_image *canvas, const void *data, size_t bytes, leat_tpool *pool,
                               leat_circlefit **fit, leat_error *error);

/* Writers of the result; each goes through a temporary name.  LEAT_EIO, LEAT_ENOMEM.  Any thread. */
/* SVG: width x height, background #rrggbb, one <circle> each. */
int leat_circles_save_svg(const char *path, const leat_circle *circles, int64_t count, int width, int height, const uint8_t background[3], leat_error *error);
/* {"width", "height", "background", "circles": [{"x", "y", "r", "red", "green", "blue", "opacity", "color": "#rrggbb"}]}: reading it back gives the same doubles. */
int leat_circles_save_json(const char *path, const leat_circle *circles, int64_t count, int width, int height, const uint8_t background[3], leat_error *error);
/* As geometrize writes it: [{"type": 0, "data": [0, 0, w, h], "color": [r, g, b, 255], "score": 0}, {"type": 32, "data": [x, y, r], "color": [r, g, b, a], "score"}]. */
int leat_circles_save_geometrize(const char *path, const leat_circle *circles, int64_t count, int width, int height, const uint8_t background[3], leat_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
