/* minimise_impl.h - what minimise.c, the Mayfly loop, its variants and Differential Evolution share.
 *
 * The whole state that outlives an iteration is one block of 8-byte words (leat_minimiser.state): the scalars, then the arrays.  Saving is
 * copying it; a step that is cancelled copies its own beginning back.  Everything else here is scratch of one iteration.
 */
#ifndef LEAT_WORKLOADS_MINIMISE_IMPL_H
#define LEAT_WORKLOADS_MINIMISE_IMPL_H

#include "leat/minimise.h"

/* Persistent scalars; only 8-byte members. */
typedef struct minimise_scalars {
    int64_t started, iteration, evaluations;
    int64_t improved;               /* the best point changed in this iteration */
    int64_t archived;               /* JADE: rows of the archive in use */
    double  best_cost;
    double  inertia, dance, flight; /* Mayfly: damped */
    double  range, temperature, chaos; /* DESMA, GSASMA, OLCE */
    double  weight, crossover;      /* JADE: adapted means */
} minimise_scalars;

/* One sex of the Mayfly; DE uses `x`, `cost` of the first and `x` of the second as its archive. */
typedef struct minimise_group {
    double *x, *v, *best; /* [population, dims]; best: personal, males only */
    double *cost, *best_cost; /* [population] */
} minimise_group;

struct leat_minimiser {
    leat_minimise_options o;
    int     dims, n;        /* n: population */
    int     children, mutants, most; /* most: rows of trial */
    double *bounds;         /* lower [dims], upper [dims] */
    const double *lower, *upper;
    /* persistent */
    double *state, *before; /* [words]; before: as the step found it */
    size_t  words;
    minimise_scalars *s;
    double *best;           /* [dims] */
    minimise_group male, female;
    /* scratch */
    double *trial, *trial_cost; /* [most, dims], [most] */
    double *sorted;             /* [population, dims] */
    double *draw[3];            /* [dims] */
    struct minimise_rank { double cost; int32_t index; } *rank; /* [population + most] */
    int32_t *axes;              /* [dims] */
    const struct mayfly_variant *variant;
    leat_minimise_cost cost;
    void   *user;
    int     seeded;             /* points put in by leat_minimise_seed() */
    double  seed_sigma;
};

/* The differences of a Mayfly variant from the standard loop; an absent entry is the standard's.  fly_* and pull_* may run for several
 * individuals at once: they write theirs only, and no scratch.  Those that evaluate return 0, or not 0 when cancelled. */
typedef struct mayfly_variant {
    void (*begin)(leat_minimiser *m);                /* schedules of the iteration */
    int  (*fly_female)(leat_minimiser *m, int i);    /* 1 = it has moved female i itself */
    int  (*fly_male)(leat_minimiser *m, int i);      /* 1 = it has moved male i itself */
    void (*pull_male)(leat_minimiser *m, int i);     /* adds to the velocity of male i */
    int  (*refine)(leat_minimiser *m);               /* sorted sexes, before mating */
    void (*mutate)(leat_minimiser *m, int k, double *x);
    int  (*offspring)(leat_minimiser *m, int n);     /* evaluated trial [n], before selection */
    int  (*finish)(leat_minimiser *m);               /* after selection */
} mayfly_variant;

extern const mayfly_variant leat__mayfly_desma, leat__mayfly_olce, leat__mayfly_eobbma, leat__mayfly_gsasma, leat__mayfly_mpma, leat__mayfly_aoblmoa;

/* What a stream of random numbers is for; with iteration and individual it is the stream's number. */
typedef enum minimise_purpose {
    DRAW_MALE_BIRTH = 1, DRAW_FEMALE_BIRTH, DRAW_SEED, DRAW_FEMALE, DRAW_MALE, DRAW_MATE, DRAW_PARENT, DRAW_AXES, DRAW_MUTATE, DRAW_ELITE, DRAW_ORTHOGONAL,
    DRAW_BARE, DRAW_BARE_MALE, DRAW_LEVY, DRAW_OPPOSE, DRAW_GOLDEN, DRAW_ACCEPT, DRAW_CAUCHY, DRAW_AQUILA, DRAW_DE_PICK, DRAW_DE_CROSS, DRAW_DE_ADAPT, DRAW_DE_ARCHIVE
} minimise_purpose;

int leat__mayfly_step(leat_minimiser *m);
int leat__de_step(leat_minimiser *m);

/* Costs of x [n, dims]; counts them.  Not 0 when cancelled. */
int leat__minimise_evaluate(leat_minimiser *m, const double *x, int n, double *costs);
/* Takes x as the best point if its cost is lower. */
void leat__minimise_note(leat_minimiser *m, const double *x, double cost);
/* New velocity first (already in v): limits it, moves x along it, keeps x in bounds. */
void leat__minimise_clamp(const leat_minimiser *m, double *x);

/* Random numbers of this iteration: the k-th of (purpose, individual). */
double leat__minimise_uniform(const leat_minimiser *m, minimise_purpose purpose, int individual, int k);
double leat__minimise_normal(const leat_minimiser *m, minimise_purpose purpose, int individual, int k);
/* Numbers j and j + 1 of leat__minimise_uniforms(), j even. */
void leat__minimise_pair(const leat_minimiser *m, minimise_purpose purpose, int individual, int j, double u[2]);
/* out [dims + 1] uniform in [0, 1). */
void leat__minimise_uniforms(const leat_minimiser *m, minimise_purpose purpose, int individual, double *out);
/* Mantegna's Levy step with index 1.5; `individual` names the stream. */
double leat__minimise_levy(const leat_minimiser *m, int individual, int k);
/* An integer in [0, n). */
int leat__minimise_pick(const leat_minimiser *m, minimise_purpose purpose, int individual, int k, int n);

static inline double *leat__row(const leat_minimiser *m, double *rows, int i) { return rows + (size_t)i * (size_t)m->dims; }
static inline double leat__span(const leat_minimiser *m, int j) { return m->upper[j] - m->lower[j]; }
/* Share of the iterations that lie behind, 0..1. */
static inline double leat__minimise_time(const leat_minimiser *m) { return (double)m->s->iteration / (double)m->o.iterations; }
/* Replaces male i by x at rest. */
void leat__mayfly_replace_male(leat_minimiser *m, int i, const double *x, double cost);
/* v = inertia v + a exp(-beta r^2) (to - x), the first term only when `keep` is not 0. */
void leat__mayfly_attract(const leat_minimiser *m, double *v, const double *x, const double *to, double a, double keep);
/* Standard Gaussian mutation of some coordinates; axes in m->axes. */
int leat__mayfly_pick_axes(leat_minimiser *m, int k);

#endif
