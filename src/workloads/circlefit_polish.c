/* circlefit_polish.c - circles climb again among all others, in groups whose surroundings are disjoint; weak ones move elsewhere. */
#include <math.h>
#include <string.h>

#include "workloads/circlefit_climb.h"

#define POLISH_TRIALS 300
#define NEIGHBOURS 5 /* that settle after a move, at either end */

/* ---- polishing ------------------------------------------------------------------------------------------------------------ */

window leat__climb_window(const fit_climber *c, const disc *d) {
    float margin = fmaxf(6, 0.5f * d->r);
    int   x0 = (int)fmaxf(0, d->x - d->r - margin), y0 = (int)fmaxf(0, d->y - d->r - margin);
    int   x1 = (int)fminf((float)c->width, d->x + d->r + margin + 1), y1 = (int)fminf((float)c->height, d->y + d->r + margin + 1);
    if (x0 >= c->width) x0 = c->width - 1; /* wholly outside: a window that is empty of it */
    if (y0 >= c->height) y0 = c->height - 1;
    return (window){x0, y0, x1 > x0 ? x1 - x0 : 1, y1 > y0 ? y1 - y0 : 1};
}

static int overlap(const window *a, const window *b) {
    return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height && b->y < a->y + a->height;
}

/* The first circles that wait for their turn, as far as their windows are disjoint. */
static void choose_group(leat_circlefit *fit) {
    fit_climber *c = fit->climber;
    c->n_group = 0;
    for (int64_t i = 0; i < fit->s->count && c->n_group < CLIMB_GROUP; i++) {
        if (fit->marked[i]) continue;
        disc   d = leat__climb_to_disc(c, &fit->circles[i]);
        window w = leat__climb_window(c, &d);
        int    free_of_all = 1;
        for (int k = 0; k < c->n_group; k++) free_of_all &= !overlap(&w, &c->tables[k].w);
        if (!free_of_all) continue;
        c->tables[c->n_group].w = w;
        c->group[c->n_group++] = i;
    }
}

static void polish_one(void *arg, int64_t k, int worker) {
    leat_circlefit *fit = arg;
    fit_climber *c = fit->climber;
    leat_circle *circle = &c->found[k];
    paint p = {{0}, 1};
    *circle = fit->circles[c->group[k]];
    disc d = leat__climb_to_disc(c, circle);
    if (c->n_group > 1) leat__climb_fill_alone(fit, &c->tables[k], c->group[k], worker);
    d.gain = leat__climb_gain(fit, &c->tables[k], &d, &p);
    leat__climb_ascend(fit, &c->tables[k], &d, POLISH_TRIALS, CLIMB_DRAW_POLISH, c->group[k]);
    c->gains[k] = leat__climb_gain(fit, &c->tables[k], &d, &p);
    if (c->gains[k] > 0) leat__climb_apply(fit, &d, &p, circle);
}

/* Takes over what was found for the group if the exact error falls. */
static void take_group(leat_circlefit *fit) {
    fit_climber *c = fit->climber;
    uint64_t sse;
    memcpy(c->scene, fit->circles, (size_t)fit->s->count * sizeof *c->scene);
    for (int k = 0; k < c->n_group; k++) {
        fit->marked[c->group[k]] = 1;
        fit->gain[c->group[k]] = c->gains[k];
        c->scene[c->group[k]] = c->found[k];
    }
    if (leat__fit_measure(fit, c->scene, fit->s->count, &sse) != LEAT_OK || sse >= fit->s->sse) return;
    for (int k = 0; k < c->n_group; k++) fit->circles[c->group[k]] = c->found[k];
    fit->s->sse = sse;
    c->composed = -1;
}

int leat__fit_climb_polish(leat_circlefit *fit, leat_error *error) {
    fit_climber *c = fit->climber;
    int status = leat__fit_freeze(fit, 0, error);
    if (status != LEAT_OK) return status;
    choose_group(fit);
    if (c->n_group == 1) {
        leat__climb_fill(fit, &c->tables[0], c->group[0]);
        polish_one(fit, 0, 0);
    } else {
        leat__tpool_for(fit->pool, c->n_group, polish_one, fit);
    }
    fit->s->evaluations += (int64_t)c->n_group * POLISH_TRIALS;
    fit->s->drawn += (int64_t)c->n_group * POLISH_TRIALS;
    take_group(fit);
    return LEAT_OK;
}

/* ---- moving a circle ------------------------------------------------------------------------------------------------------ */

static int64_t weakest(const leat_circlefit *fit) {
    int64_t which = -1;
    for (int64_t i = 0; i < fit->s->count; i++) {
        if (!fit->marked[i] && (which < 0 || fit->gain[i] < fit->gain[which])) which = i;
    }
    return which;
}

/* The weakest that has not been tried in this sweep, or every other time any. */
static int64_t choose_mover(const leat_circlefit *fit) {
    int64_t which = weakest(fit);
    if (which < 0 || fit->s->relocated % 2) which = (int64_t)(leat__climb_uniform(fit, CLIMB_DRAW_MOVE, 0, 0) * (double)fit->s->count);
    return which;
}

static int touch(const leat_circle *a, const leat_circle *b) { return hypot(a->x - b->x, a->y - b->y) < a->r + b->r; }

/* Polishes up to NEIGHBOURS circles that touch `moved`, in random order, without asking for the exact error. */
static void settle_neighbours(leat_circlefit *fit, const leat_circle *moved, int64_t except, int purpose) {
    fit_climber *c = fit->climber;
    int64_t count = fit->s->count, start = (int64_t)(leat__climb_uniform(fit, purpose, 0, 1) * (double)count);
    int     settled = 0;
    c->n_group = 1;
    for (int64_t k = 0; k < count && settled < NEIGHBOURS; k++) {
        int64_t i = (start + k) % count;
        if (i == except || !touch(&fit->circles[i], moved)) continue;
        disc d = leat__climb_to_disc(c, &fit->circles[i]);
        c->group[0] = i;
        c->tables[0].w = leat__climb_window(c, &d);
        leat__climb_fill(fit, &c->tables[0], i);
        polish_one(fit, 0, 0);
        fit->circles[i] = c->found[0];
        fit->gain[i] = c->gains[0];
        settled++;
    }
    fit->s->evaluations += (int64_t)settled * POLISH_TRIALS;
    fit->s->drawn += (int64_t)settled * POLISH_TRIALS;
}

/* Takes a circle out, places one anew on top of the others, lets both neighbourhoods settle; undone unless the exact error falls. */
int leat__fit_climb_relocate(leat_circlefit *fit, leat_error *error) {
    fit_scalars *s = fit->s;
    fit_climber *c = fit->climber;
    uint64_t sse;
    int64_t  which = choose_mover(fit), last = s->count - 1;
    size_t   bytes = (size_t)s->count * sizeof(leat_circle);
    int status = leat__fit_freeze(fit, 0, error);
    if (status != LEAT_OK) return status;
    fit->marked[which] = 1;
    memcpy(c->before, fit->circles, bytes);
    memmove(fit->circles + which, fit->circles + which + 1, (size_t)(last - which) * sizeof(leat_circle));
    c->composed = -1;
    leat__climb_compose(fit, last);
    double gain = leat__climb_search(fit, &fit->circles[last]);
    leat_circle moved = fit->circles[last];
    settle_neighbours(fit, &moved, last, CLIMB_DRAW_NEW);
    settle_neighbours(fit, &c->before[which], last, CLIMB_DRAW_OLD);
    if (gain > 0 && leat__fit_measure(fit, fit->circles, s->count, &sse) == LEAT_OK && sse < s->sse) {
        memmove(fit->gain + which, fit->gain + which + 1, (size_t)(last - which) * sizeof *fit->gain);
        memmove(fit->marked + which, fit->marked + which + 1, (size_t)(last - which) * sizeof *fit->marked);
        fit->gain[last] = gain;
        fit->marked[last] = 1;
        s->sse = sse;
    } else {
        memcpy(fit->circles, c->before, bytes);
    }
    c->composed = -1;
    return LEAT_OK;
}
