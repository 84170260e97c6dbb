/* circlefit_fit.h - what the files of the fitter share: its state, and the seams between the plan, the stages and the climber.
 *
 * Everything that a later step depends on is in `state`: the scalars, the circles, their gains and marks; with the minimiser's own state
 * of an open stage it is what a checkpoint holds.  Targets, tables and scratch follow from it.
 */
#ifndef LEAT_WORKLOADS_CIRCLEFIT_FIT_H
#define LEAT_WORKLOADS_CIRCLEFIT_FIT_H

#include "base/tpool.h"
#include "leat/circlefitter.h"

#define FIT_DIMS 7 /* parameters of a circle */

typedef enum fit_phase { FIT_STAGES = 0, FIT_POLISH, FIT_RELOCATE, FIT_DONE, FIT_PHASES } fit_phase;

/* Persistent; only 8-byte members. */
typedef struct fit_scalars {
    int64_t  phase, end;
    int64_t  count;           /* circles so far */
    int64_t  stage, extra;    /* stages done; of them refills */
    int64_t  sweep, stale;
    int64_t  relocated;       /* in this sweep */
    int64_t  evaluations, drawn, pixels, steps;
    int64_t  stage_open, stage_first, stage_active, stage_progress; /* first circle of the suffix, circles optimised, iteration of the last progress */
    uint64_t sse, initial_sse, sweep_sse;
    double   significant;     /* cost that the next stage's gain is measured from; 0 = none yet */
    double   stage_cost;      /* at the last progress within the stage */
} fit_scalars;

struct leat_circlefit {
    leat_circlefit_options o;
    leat_tpool  *pool;
    leat_image   canvas;            /* to begin with; data NULL = white */
    leat_circle_target *target;
    int64_t      frozen;            /* circles in the target's canvas */
    int          width, height;
    uint64_t     reference_hash, canvas_hash;
    /* persistent */
    uint64_t    *state;
    size_t       words;
    fit_scalars *s;
    leat_circle *circles;           /* [options.circles] */
    double      *gain;              /* [circles]: squared error that each one saves */
    int64_t     *marked;            /* [circles]: polished in this sweep; tried to relocate */
    int64_t     *active;            /* [circles]: what the open stage optimises, ascending */
    leat_minimiser *minimiser;      /* of the open stage */
    /* scratch */
    int          workers;
    leat_circle_evaluator **evaluators; /* [workers] */
    leat_circle **scenes;           /* [workers][circles] */
    double      *lower, *upper;     /* [FIT_DIMS] of a circle */
    struct fit_climber *climber;
    int          cancel;            /* atomic */
    int64_t      work_ns;           /* of this process */
};

static inline double leat__fit_mse(const leat_circlefit *fit, uint64_t sse) { return (double)sse / (3.0 * fit->width * fit->height); }
int leat__fit_cancelled(const leat_circlefit *fit);
/* Counts a candidate's pixels: of its disc inside the image, in full-size pixels.  From any worker. */
void leat__fit_count_pixels(leat_circlefit *fit, double pixels);
double leat__fit_area(const leat_circlefit *fit, const leat_circle *circle);

/* The target's canvas = canvas + circles [0, n). */
int leat__fit_freeze(leat_circlefit *fit, int64_t n, leat_error *error);
/* Exact squared error of the target's canvas + circles [count]. */
int leat__fit_measure(leat_circlefit *fit, const leat_circle *circles, int64_t count, uint64_t *sse);
/* Keeps a circle within the bounds of the options. */
void leat__fit_repair(const leat_circlefit *fit, leat_circle *circle);

/* circlefit_stage.c: one iteration of the open stage, or the opening of the next. */
int leat__fit_stage_step(leat_circlefit *fit, leat_error *error);
int leat__fit_stage_reopen(leat_circlefit *fit, const void *state, size_t bytes, leat_error *error);

/* circlefit_climb.c */
int  leat__fit_climber_open(leat_circlefit *fit, leat_error *error);
void leat__fit_climber_close(leat_circlefit *fit);
/* Places the next circle on top of all; polishes a group; moves the weakest circle elsewhere.  Each is one step. */
int leat__fit_climb_place(leat_circlefit *fit, leat_error *error);
int leat__fit_climb_polish(leat_circlefit *fit, leat_error *error);
int leat__fit_climb_relocate(leat_circlefit *fit, leat_error *error);
/* Best colour, in place, of circle index (opacity and place as they are) given all the others. */
void leat__fit_climb_recolor(leat_circlefit *fit, int64_t index);
/* Best colour of a circle that would be painted on circles [0, n); tables are of circles [0, n) after leat__fit_climb_ready(). */
void leat__fit_climb_ready(leat_circlefit *fit, int64_t n);
void leat__fit_climb_color(const leat_circlefit *fit, leat_circle *circle);

/* Guesses from the largest errors of the target's canvas: circles [n], colours in closed form of one pixel (C4). */
int leat__fit_guess(leat_circlefit *fit, leat_circle *circles, int n, leat_error *error);

#endif
