/* circlefit_climb.h - what the parts of the climber share: the working size, tables of sums, the closed form, climbing.
 *
 *   circlefit_climber.c   life; from and to the working size
 *   circlefit_tables.c    compositing without rounding; tables over windows
 *   circlefit_closed.c    best colour and opacity from the sums of a disc
 *   circlefit_climb.c     climbing; placing a circle
 *   circlefit_polish.c    polishing groups; moving a circle
 */
#ifndef LEAT_WORKLOADS_CIRCLEFIT_CLIMB_H
#define LEAT_WORKLOADS_CIRCLEFIT_CLIMB_H

#include "workloads/circlefit_fit.h"

#define CLIMB_GROUP 8       /* circles polished at once, at most */
#define CLIMB_BLOCK 8       /* side of the cells that guide random starts, working pixels */
#define CLIMB_TASK_ROWS 16  /* of a table, by one thread */

/* What random numbers are for. */
enum { CLIMB_DRAW_PLACE = 1, CLIMB_DRAW_CLIMB, CLIMB_DRAW_POLISH, CLIMB_DRAW_MOVE, CLIMB_DRAW_NEW, CLIMB_DRAW_OLD };

typedef struct window {
    int x, y, width, height; /* working pixels */
} window;

/* One thread's table and rows. */
typedef struct climb_table {
    window w;
    float *table; /* [height, width + 1, LEAT_CIRCLE_SUMS] */
} climb_table;

/* A disc in working pixels of the whole image, and what it gains. */
typedef struct disc {
    float  x, y, r;
    double gain;
} disc;

typedef struct fit_climber {
    int     width, height;    /* working size */
    double  sx, sy, sr;       /* working = full * s */
    float  *planes;           /* reference [3], canvas [3], beneath [3], each [height, width] */
    float  *reference[3], *canvas[3], *beneath[3];
    int64_t composed;         /* circles in `beneath` */
    climb_table tables[CLIMB_GROUP];
    size_t  table_floats;     /* of each table */
    float **rows;             /* [workers][8 * width]: beneath, above, through, zeros */
    disc   *discs;            /* [candidates] */
    double *cells;            /* running sums of the error over blocks */
    int     cells_across, cells_down;
    int64_t group[CLIMB_GROUP];     /* circles in hand */
    int     n_group;
    leat_circle found[CLIMB_GROUP];
    double  gains[CLIMB_GROUP];
    float   least_r, most_r;
    leat_circle *scene, *before; /* [circles] */
} fit_climber;

typedef struct paint {
    double color[3], opacity;
} paint;

/* Between full and working pixels. */
disc leat__climb_to_disc(const fit_climber *c, const leat_circle *circle);
void leat__climb_from_disc(const fit_climber *c, const disc *d, leat_circle *circle);

/* Composes circles [0, n) into c->beneath, going on from what is there (c->composed; -1 = nothing). */
void leat__climb_compose(leat_circlefit *fit, int64_t n);
/* Fills table->w's sums: without circle `index` among all others; index -1: for a circle on top of c->beneath. */
void leat__climb_fill(leat_circlefit *fit, climb_table *table, int64_t index);
/* The same on one thread, which has this worker's rows. */
void leat__climb_fill_alone(leat_circlefit *fit, climb_table *table, int64_t index, int worker);

/* Best colours for p->opacity from the sums of a disc. */
void leat__climb_best_colors(const float *sums, paint *p);
/* What the squared error (colours 0..1) falls by with the best paint, *p, of a disc. */
double leat__climb_gain(const leat_circlefit *fit, const climb_table *t, const disc *d, paint *p);
void leat__climb_apply(const leat_circlefit *fit, const disc *d, const paint *p, leat_circle *circle);

/* Number k of this step, purpose and individual, [0, 1). */
double leat__climb_uniform(const leat_circlefit *fit, int purpose, int64_t individual, int k);
/* Climbs from *best, whose gain is known, within the table's window. */
void leat__climb_ascend(leat_circlefit *fit, const climb_table *t, disc *best, int trials, int purpose, int64_t individual);
/* The best circle on top of c->beneath: its gain, 0 = none. */
double leat__climb_search(leat_circlefit *fit, leat_circle *found);
/* The surroundings that a disc may be polished in. */
window leat__climb_window(const fit_climber *c, const disc *d);

#endif
