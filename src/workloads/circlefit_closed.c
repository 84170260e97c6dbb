/* circlefit_closed.c - the closed form: colour and opacity of a circle that are best for its pixels, from nine sums over them. */
#include <math.h>

#include "cpu/circle_sums.h"
#include "workloads/circlefit_climb.h"

static double clamp01(double v) { return v < 0 ? 0 : v > 1 ? 1 : v; }

void leat__climb_best_colors(const float *sums, paint *p) {
    double tt = sums[LEAT_CIRCLE_TT];
    for (int ch = 0; ch < 3; ch++) p->color[ch] = clamp01((sums[LEAT_CIRCLE_ET + ch] / p->opacity + sums[LEAT_CIRCLE_TTB + ch]) / tt);
}

/* Linear and quadratic terms of the change in opacity: change = -2 a linear + a^2 quadratic. */
static void terms(const float *sums, const paint *p, double *linear, double *quadratic) {
    *linear = -(double)sums[LEAT_CIRCLE_ETB];
    *quadratic = sums[LEAT_CIRCLE_TTBB];
    for (int ch = 0; ch < 3; ch++) {
        *linear += p->color[ch] * sums[LEAT_CIRCLE_ET + ch];
        *quadratic += p->color[ch] * (p->color[ch] * sums[LEAT_CIRCLE_TT] - 2 * (double)sums[LEAT_CIRCLE_TTB + ch]);
    }
}

/* Best colour and opacity for the sums, and what the squared error (colours 0..1) falls by.  Without clamping the best opacity has a closed
 * form; where a colour is clamped, opacity and colours take turns. */
static double solve(const float *sums, double least_opacity, paint *p) {
    double tt = sums[LEAT_CIRCLE_TT], up = -(double)sums[LEAT_CIRCLE_ETB], down = sums[LEAT_CIRCLE_TTBB], linear, quadratic;
    if (!(tt > 1e-4)) return 0;
    for (int ch = 0; ch < 3; ch++) {
        up += (double)sums[LEAT_CIRCLE_ET + ch] * sums[LEAT_CIRCLE_TTB + ch] / tt;
        down -= (double)sums[LEAT_CIRCLE_TTB + ch] * sums[LEAT_CIRCLE_TTB + ch] / tt;
    }
    p->opacity = up <= 0 ? 0.02 : down > up ? up / down : 1;
    p->opacity = p->opacity < least_opacity ? least_opacity : p->opacity;
    for (int turn = 0; turn < 3; turn++) {
        leat__climb_best_colors(sums, p);
        terms(sums, p, &linear, &quadratic);
        double a = quadratic > 1e-12 ? linear / quadratic : p->opacity;
        p->opacity = a < least_opacity ? least_opacity : a > 1 ? 1 : a;
    }
    leat__climb_best_colors(sums, p);
    terms(sums, p, &linear, &quadratic);
    return p->opacity * (2 * linear - p->opacity * quadratic);
}

static double least_opacity(const leat_circlefit *fit) { return fmax(fit->lower[6], 1 / 255.0); }

double leat__climb_gain(const leat_circlefit *fit, const climb_table *t, const disc *d, paint *p) {
    float sums[LEAT_CIRCLE_SUMS];
    leat__circle_sums.disc(t->table, t->w.width, t->w.height, d->x - (float)t->w.x, d->y - (float)t->w.y, d->r, sums);
    return solve(sums, least_opacity(fit), p);
}

void leat__climb_apply(const leat_circlefit *fit, const disc *d, const paint *p, leat_circle *circle) {
    leat__climb_from_disc(fit->climber, d, circle);
    circle->red = p->color[0];
    circle->green = p->color[1];
    circle->blue = p->color[2];
    circle->opacity = p->opacity;
    leat__fit_repair(fit, circle);
}

/* ---- colours for the stages ----------------------------------------------------------------------------------------------- */

void leat__fit_climb_recolor(leat_circlefit *fit, int64_t index) {
    fit_climber *c = fit->climber;
    leat_circle *circle = &fit->circles[index];
    disc  d = leat__climb_to_disc(c, circle);
    float sums[LEAT_CIRCLE_SUMS];
    paint p = {{circle->red, circle->green, circle->blue}, fmax(circle->opacity, least_opacity(fit))};
    c->tables[0].w = leat__climb_window(c, &d);
    leat__climb_fill(fit, &c->tables[0], index);
    leat__circle_sums.disc(c->tables[0].table, c->tables[0].w.width, c->tables[0].w.height, d.x - (float)c->tables[0].w.x, d.y - (float)c->tables[0].w.y, d.r, sums);
    if (!(sums[LEAT_CIRCLE_TT] > 1e-4f)) return;
    leat__climb_best_colors(sums, &p);
    circle->red = p.color[0];
    circle->green = p.color[1];
    circle->blue = p.color[2];
    c->composed = -1;
}

void leat__fit_climb_ready(leat_circlefit *fit, int64_t n) {
    fit_climber *c = fit->climber;
    leat__climb_compose(fit, n);
    c->tables[0].w = (window){0, 0, c->width, c->height};
    leat__climb_fill(fit, &c->tables[0], -1);
}

void leat__fit_climb_color(const leat_circlefit *fit, leat_circle *circle) {
    const climb_table *t = &fit->climber->tables[0];
    float sums[LEAT_CIRCLE_SUMS];
    disc  d = leat__climb_to_disc(fit->climber, circle);
    paint p = {{0}, fmax(circle->opacity, 1 / 255.0)};
    leat__circle_sums.disc(t->table, t->w.width, t->w.height, d.x, d.y, d.r, sums);
    if (sums[LEAT_CIRCLE_TT] > 1e-4f) leat__climb_best_colors(sums, &p);
    circle->red = p.color[0];
    circle->green = p.color[1];
    circle->blue = p.color[2];
}
