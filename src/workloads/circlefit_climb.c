/* circlefit_climb.c - the climber: circles are found by hill climbing over x, y and r alone.
 *
 * Colour and opacity that are best for a circle follow in closed form (circlefit_closed.c) from sums that a table gives for any disc at two look-ups
 * a row.  So a candidate costs some hundred nanoseconds and touches no pixel, whatever lies above or beneath it.  The model is the drawing
 * without its rounding to 8 bits; what a step finds is kept only if the exact squared error falls.  Random numbers are counter-based, so that
 * a step is a function of the circles at hand and its number. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "workloads/circlefit_climb.h"

#define CLIMB_TRIALS 250 /* of each climber */

/* ---- climbing ------------------------------------------------------------------------------------------------------------- */

static uint64_t stream_of(const leat_circlefit *fit, int purpose, int64_t individual) {
    return (uint64_t)fit->s->steps << 24 | (uint64_t)individual << 4 | (uint64_t)purpose;
}

double leat__climb_uniform(const leat_circlefit *fit, int purpose, int64_t individual, int k) {
    return leat__rng_uniform(fit->o.seed, stream_of(fit, purpose, individual), (uint64_t)k);
}

/* Two approximately normal numbers (sums of four uniforms, sd 1) and two uniform ones from a block. */
typedef struct draw {
    float normal[3], uniform;
} draw;

static draw draw_of(const leat_circlefit *fit, int purpose, int64_t individual, int trial) {
    uint32_t w[4];
    draw d;
    leat__rng_block(fit->o.seed, stream_of(fit, purpose, individual), (uint64_t)trial, w);
    for (int i = 0; i < 3; i++) {
        uint32_t bytes = (w[i] & 255) + (w[i] >> 8 & 255) + (w[i] >> 16 & 255) + (w[i] >> 24);
        d.normal[i] = ((float)bytes - 510) * (1 / 147.8f);
    }
    d.uniform = (float)(w[3] >> 8) * 0x1p-24f;
    return d;
}

/* Whether the part of the disc inside the image lies in the window, and the disc within the bounds. */
static int is_allowed(const leat_circlefit *fit, const window *w, const disc *d) {
    const fit_climber *c = fit->climber;
    double x = (d->x + 0.5) / c->sx - 0.5, y = (d->y + 0.5) / c->sy - 0.5;
    if (x < fit->lower[0] || x > fit->upper[0] || y < fit->lower[1] || y > fit->upper[1] || d->r < c->least_r || d->r > c->most_r) return 0;
    return (w->x == 0 || d->x - d->r >= (float)w->x) && (w->y == 0 || d->y - d->r >= (float)w->y) &&
           (w->x + w->width == c->width || d->x + d->r <= (float)(w->x + w->width - 1)) &&
           (w->y + w->height == c->height || d->y + d->r <= (float)(w->y + w->height - 1));
}

/* (1 + 1) evolution: steps grow after success, shrink after failure; one coordinate group at a time half of the time. */
void leat__climb_ascend(leat_circlefit *fit, const climb_table *t, disc *best, int trials, int purpose, int64_t individual) {
    float  step = 0.25f;
    double pixels = 0;
    paint  p;
    for (int k = 0; k < trials && step > 0.002f; k++) {
        draw  z = draw_of(fit, purpose, individual, k);
        float scale = step * (best->r + 2);
        disc  next = *best;
        if (z.uniform < 0.75f) {
            next.x += z.normal[0] * scale;
            next.y += z.normal[1] * scale;
        }
        if (z.uniform > 0.5f) next.r *= expf(z.normal[2] * step * 0.7f);
        pixels += 3.14159265358979 * next.r * next.r;
        next.gain = is_allowed(fit, &t->w, &next) ? leat__climb_gain(fit, t, &next, &p) : -1;
        if (next.gain > best->gain) {
            *best = next;
            step = step < 0.5f ? step * 1.6f : step;
        } else {
            step *= 0.93f;
        }
    }
    leat__fit_count_pixels(fit, pixels / (fit->climber->sr * fit->climber->sr));
}

/* ---- placing -------------------------------------------------------------------------------------------------------------- */

/* Running sums of the error over cells, for starts where it is large. */
static void sum_cells(fit_climber *c) {
    double total = 0;
    for (int v = 0; v < c->cells_down; v++) {
        for (int u = 0; u < c->cells_across; u++) {
            for (int y = v * CLIMB_BLOCK; y < (v + 1) * CLIMB_BLOCK && y < c->height; y++) {
                for (int x = u * CLIMB_BLOCK; x < (u + 1) * CLIMB_BLOCK && x < c->width; x++) {
                    size_t at = (size_t)y * (size_t)c->width + (size_t)x;
                    for (int ch = 0; ch < 3; ch++) {
                        float e = c->reference[ch][at] - c->beneath[ch][at];
                        total += e * e;
                    }
                }
            }
            c->cells[v * c->cells_across + u] = total;
        }
    }
}

/* Three of four starts lie where the error is, in proportion to it. */
static disc start_of(const leat_circlefit *fit, int64_t index) {
    const fit_climber *c = fit->climber;
    int    n = c->cells_across * c->cells_down, low = 0, high = n - 1;
    double u = leat__climb_uniform(fit, CLIMB_DRAW_PLACE, index, 0), v = leat__climb_uniform(fit, CLIMB_DRAW_PLACE, index, 1), w = leat__climb_uniform(fit, CLIMB_DRAW_PLACE, index, 2);
    double most = fmax(0.5 * (c->width > c->height ? c->width : c->height), c->least_r), least = fmin(fmax(c->least_r, 1.5), most);
    disc   d = {(float)(u * c->width), (float)(v * c->height), (float)(least * pow(most / least, w)), 0};
    if (index % 4 != 3 && c->cells[n - 1] > 0) {
        double target = leat__climb_uniform(fit, CLIMB_DRAW_PLACE, index, 3) * c->cells[n - 1];
        while (low < high) {
            int middle = (low + high) / 2;
            if (c->cells[middle] <= target) low = middle + 1;
            else high = middle;
        }
        d.x = (float)(low % c->cells_across + u) * CLIMB_BLOCK;
        d.y = (float)(low / c->cells_across + v) * CLIMB_BLOCK;
    }
    d.x = fminf(d.x, (float)(c->width - 1));
    d.y = fminf(d.y, (float)(c->height - 1));
    return d;
}

static void try_start(void *arg, int64_t index, int worker) {
    leat_circlefit *fit = arg;
    fit_climber *c = fit->climber;
    paint p;
    (void)worker;
    c->discs[index] = start_of(fit, index);
    c->discs[index].gain = leat__climb_gain(fit, &c->tables[0], &c->discs[index], &p);
}

static void climb_start(void *arg, int64_t index, int worker) {
    leat_circlefit *fit = arg;
    (void)worker;
    leat__climb_ascend(fit, &fit->climber->tables[0], &fit->climber->discs[index], CLIMB_TRIALS, CLIMB_DRAW_CLIMB, index);
}

/* The best starts to the front, in order; the earlier one on equal gains. */
static void select_starts(fit_climber *c, int candidates, int climbers) {
    for (int k = 0; k < climbers; k++) {
        int best = k;
        for (int i = k + 1; i < candidates; i++) best = c->discs[i].gain > c->discs[best].gain ? i : best;
        disc d = c->discs[best];
        memmove(&c->discs[k + 1], &c->discs[k], (size_t)(best - k) * sizeof d);
        c->discs[k] = d;
    }
}

/* The best circle on top of `beneath`: its gain, 0 = none. */
double leat__climb_search(leat_circlefit *fit, leat_circle *found) {
    fit_climber *c = fit->climber;
    paint p = {{0}, 1};
    c->tables[0].w = (window){0, 0, c->width, c->height};
    leat__climb_fill(fit, &c->tables[0], -1);
    sum_cells(c);
    leat__tpool_for(fit->pool, fit->o.candidates, try_start, fit);
    select_starts(c, fit->o.candidates, fit->o.climbers);
    leat__tpool_for(fit->pool, fit->o.climbers, climb_start, fit);
    select_starts(c, fit->o.climbers, 1);
    fit->s->evaluations += fit->o.candidates + (int64_t)fit->o.climbers * CLIMB_TRIALS;
    fit->s->drawn += fit->o.candidates + (int64_t)fit->o.climbers * CLIMB_TRIALS;
    double gain = leat__climb_gain(fit, &c->tables[0], &c->discs[0], &p);
    leat__climb_apply(fit, &c->discs[0], &p, found);
    return gain;
}

int leat__fit_climb_place(leat_circlefit *fit, leat_error *error) {
    fit_scalars *s = fit->s;
    uint64_t sse;
    int status = leat__fit_freeze(fit, s->count, error);
    if (status != LEAT_OK) return status;
    leat__climb_compose(fit, s->count);
    leat_circle *next = &fit->circles[s->count];
    double gain = leat__climb_search(fit, next);
    s->stage++;
    if (gain > 0 && leat__fit_measure(fit, next, 1, &sse) == LEAT_OK && sse < s->sse) {
        fit->gain[s->count] = gain;
        s->count++;
        s->sse = sse;
        s->stale = 0;
    } else if (++s->stale >= 3) {
        s->end = LEAT_CIRCLEFIT_CONVERGED; /* no circle helps any more */
    }
    return LEAT_OK;
}
