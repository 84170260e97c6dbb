/* minimise.h - black-box minimisation within bounds: the Mayfly algorithm, its variants, and Differential Evolution.
 *
 * A minimiser owns a population and asks for costs a batch at a time, so that the caller may compute a batch on any number of threads.
 * Random numbers are counter-based (Philox; the stream is iteration, individual and purpose): the same seed gives the same run for any
 * number of threads, and a run that was saved and loaded goes on exactly as if it had never stopped.
 *
 * Sources: standard Mayfly: Zervoudakis & Tsafarakis 2020, doi 10.1016/j.cie.2020.106559; DESMA: doi 10.1371/journal.pone.0273155;
 * OLCE-MA: doi 10.1007/s13042-022-01617-4; AOBLMOA: Biomimetics 2023, 8(4), 381; DE: Storn & Price 1997; JADE: Zhang & Sanderson 2009,
 * doi 10.1109/TEVC.2009.2014613; EOBBMA, GSASMA, MPMA: see docs/circlefit.md.
 */
#ifndef LEAT_MINIMISE_H
#define LEAT_MINIMISE_H

#include <stddef.h>
#include <stdint.h>

#include "leat/common.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef enum leat_minimise_algorithm {
    LEAT_MINIMISE_MAYFLY = 0, /* standard */
    LEAT_MINIMISE_DESMA,      /* dynamic elite strategy */
    LEAT_MINIMISE_OLCE,       /* orthogonal learning, chaotic exploitation */
    LEAT_MINIMISE_EOBBMA,     /* elite opposition, bare bones */
    LEAT_MINIMISE_GSASMA,     /* golden sine, simulated annealing */
    LEAT_MINIMISE_MPMA,       /* median position */
    LEAT_MINIMISE_AOBLMOA,    /* Aquila strategies, stochastic opposition */
    LEAT_MINIMISE_DE_RAND,    /* Differential Evolution rand/1/bin */
    LEAT_MINIMISE_DE_BEST,    /* Differential Evolution best/1/bin */
    LEAT_MINIMISE_JADE,       /* Differential Evolution current-to-pbest/1 with adapted F and CR */
    LEAT_MINIMISE_ALGORITHMS
} leat_minimise_algorithm;

/* "mayfly", "desma", ..., "de" (rand/1/bin), "de-best", "jade"; NULL when out of range.  Any thread, RT-safe. */
const char *leat_minimise_name(leat_minimise_algorithm algorithm);
/* LEAT_EINVAL when the name is unknown.  Any thread, RT-safe. */
int leat_minimise_parse(const char *name, leat_minimise_algorithm *algorithm);

/* What the attraction exp(-beta r^2) takes for r. */
typedef enum leat_minimise_distance {
    LEAT_MINIMISE_CARTESIAN = 0, /* one distance for all coordinates, as published */
    LEAT_MINIMISE_PER_DIMENSION  /* each coordinate on its own, as the Go library up to v0.6 */
} leat_minimise_distance;

typedef struct leat_minimise_options {
    size_t   size;        /* sizeof(leat_minimise_options), set by _default() */
    leat_minimise_algorithm algorithm;
    int32_t  population;  /* Mayfly: of each sex; DE: of all; 4..65536 */
    int32_t  iterations;  /* what schedules count on; leat_minimise_step() goes no further; 1..100000000 */
    uint64_t seed;
    leat_minimise_distance distance;
    int32_t  immediate;   /* Mayfly: 1 = males see the best of the males before them, one evaluation a batch, as published; 0 = of the last phase */
    int32_t  offspring;   /* Mayfly: children of an iteration, even; 0..2 * population */
    int32_t  mutants;     /* Mayfly: mutated children of an iteration; -1 = 5 % of the population */
    double   inertia, inertia_damp, a1, a2, a3, beta, dance, dance_damp, flight, flight_damp, mutation_rate; /* Mayfly */
    double   mutation_sigma, velocity; /* Mayfly: as a share of upper - lower */
    double   weight, crossover;        /* DE: F and CR; JADE begins with them */
    leat_tpool *pool;     /* moves individuals on it; shared by the minimiser, NULL = the calling thread; makes no difference to the result */
} leat_minimise_options;

/* Fills *options with the published settings of `algorithm`.  LEAT_EINVAL when out of range.  Any thread, RT-safe. */
int leat_minimise_options_default(leat_minimise_algorithm algorithm, leat_minimise_options *options);

/* Computes costs [n] of the points x [n, dims] (row-major, borrowed during the call).  Lower is better; NaN counts as infinite.
 * Not 0 ends the step with LEAT_ECANCELLED, the state as at its start.  Called on the thread of leat_minimise_step(). */
typedef int (*leat_minimise_cost)(void *user, const double *x, int32_t n, double *costs);

typedef struct leat_minimiser leat_minimiser;

/* Makes a minimiser over [lower, upper] (each [dims], copied, finite, lower <= upper); dims 1..1000000.  Nothing is evaluated yet.
 * options: borrows, NULL = standard Mayfly.  *minimiser: the caller takes it.  LEAT_EINVAL (names the field), LEAT_ELIMIT (more than
 * 2^27 numbers of state), LEAT_ENOMEM.  Any thread; one thread at a time for a minimiser. */
int leat_minimise_open(int32_t dims, const double *lower, const double *upper, const leat_minimise_options *options,
                       leat_minimiser **minimiser, leat_error *error);
/* NULL allowed. */
void leat_minimise_close(leat_minimiser *minimiser);

/* Before the first step: the points [n, dims] (borrowed, clamped to the bounds) take the place of the first random individuals;
 * sigma > 0 fills half of the population with the first point + normal noise of sigma * (upper - lower) in each coordinate.
 * LEAT_EINVAL (n above the population), LEAT_ESTATE after the first step. */
int leat_minimise_seed(leat_minimiser *minimiser, const double *points, int32_t n, double sigma);

/* Runs one iteration (the first call evaluates the initial population only).  LEAT_OK; LEAT_ESTATE when options.iterations are done;
 * LEAT_ECANCELLED.  Allocates nothing. */
int leat_minimise_step(leat_minimiser *minimiser, leat_minimise_cost cost, void *user);

/* Best point so far [dims], borrowed until the next call on this minimiser; NULL before the first step.  RT-safe. */
const double *leat_minimise_best(const leat_minimiser *minimiser);
double leat_minimise_best_cost(const leat_minimiser *minimiser);       /* +infinity before the first step */
int64_t leat_minimise_iterations(const leat_minimiser *minimiser);     /* done, the initial one not counted */
int64_t leat_minimise_evaluations(const leat_minimiser *minimiser);
const leat_minimise_options *leat_minimise_settings(const leat_minimiser *minimiser); /* borrowed */

/* Bytes that leat_minimise_save() writes: it depends on options and dims only.  RT-safe. */
size_t leat_minimise_state_bytes(const leat_minimiser *minimiser);
/* Writes the whole state (little-endian; checked by its reader, without checksum of its own) into state [state_bytes].  RT-safe. */
void leat_minimise_save(const leat_minimiser *minimiser, void *state);
/* Takes over a state written by a minimiser of the same dims, bounds and options.  LEAT_EFORMAT when it is none: then the minimiser is as it was
 * opened.  Allocates nothing. */
int leat_minimise_load(leat_minimiser *minimiser, const void *state, size_t bytes, leat_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
