/* circlefit_tables.c - what lies beneath and above a circle, without rounding to 8 bits, and the table of its sums (cpu/circle_sums.h).
 *
 * A table covers a window: the whole image to place a circle, its surroundings to polish one.  It is a function of the circles at hand alone:
 * nothing is carried from step to step but `beneath`, which grows circle by circle in the order of drawing, as it would from nothing. */
#include <math.h>
#include <string.h>

#include "cpu/circle_sums.h"
#include "workloads/circlefit_climb.h"

/* Span of disc d in row y within columns [from, from + width), relative to `from`; 0 when empty. */
static int span_of(const disc *d, int y, int from, int width, int *x0, int *x1) {
    float dy = (float)y - d->y, rest = d->r * d->r - dy * dy;
    if (rest < 0) return 0;
    leat__circle_sums_span(width, d->x - (float)from, sqrtf(rest), x0, x1);
    return *x0 < *x1;
}

static void blend(float *row, int x0, int x1, float color, float a) {
    float add = color * a, keep = 1 - a;
    for (int x = x0; x < x1; x++) row[x] = row[x] * keep + add;
}

/* Composes circles [c->composed, n) into `beneath`. */
void leat__climb_compose(leat_circlefit *fit, int64_t n) {
    fit_climber *c = fit->climber;
    if (c->composed < 0 || c->composed > n) {
        memcpy(c->beneath[0], c->canvas[0], 3 * (size_t)c->width * (size_t)c->height * sizeof(float));
        c->composed = 0;
    }
    for (; c->composed < n; c->composed++) {
        const leat_circle *circle = &fit->circles[c->composed];
        const double colors[3] = {circle->red, circle->green, circle->blue};
        disc d = leat__climb_to_disc(c, circle);
        int  y0, y1, x0, x1;
        leat__circle_sums_rows(c->height, d.y, d.r, &y0, &y1);
        for (int y = y0; y < y1; y++) {
            if (!span_of(&d, y, 0, c->width, &x0, &x1)) continue;
            for (int ch = 0; ch < 3; ch++) blend(c->beneath[ch] + (size_t)y * (size_t)c->width, x0, x1, (float)colors[ch], (float)circle->opacity);
        }
    }
}

typedef struct row_parts {
    float *beneath[3], *above[3], *through;
} row_parts;

static row_parts parts_of(const fit_climber *c, int worker) {
    float *r = c->rows[worker];
    int    w = c->width;
    return (row_parts){{r, r + w, r + 2 * w}, {r + 3 * w, r + 4 * w, r + 5 * w}, r + 6 * w};
}

static int misses(const disc *d, const window *w) {
    return d->x + d->r < (float)w->x || d->x - d->r > (float)(w->x + w->width) || d->y + d->r < (float)w->y || d->y - d->r > (float)(w->y + w->height);
}

/* What lies beneath and above circle `index` in row y of the window. */
static void split_row(const leat_circlefit *fit, const window *w, int64_t index, int y, const row_parts *p) {
    const fit_climber *c = fit->climber;
    size_t at = (size_t)y * (size_t)c->width + (size_t)w->x, bytes = (size_t)w->width * sizeof(float);
    int    x0, x1;
    for (int ch = 0; ch < 3; ch++) {
        memcpy(p->beneath[ch], c->canvas[ch] + at, bytes);
        memset(p->above[ch], 0, bytes);
    }
    for (int x = 0; x < w->width; x++) p->through[x] = 1;
    for (int64_t i = 0; i < fit->s->count; i++) {
        const leat_circle *circle = &fit->circles[i];
        disc d = leat__climb_to_disc(c, circle);
        if (i == index || misses(&d, w) || !span_of(&d, y, w->x, w->width, &x0, &x1)) continue;
        const double colors[3] = {circle->red, circle->green, circle->blue};
        for (int ch = 0; ch < 3; ch++) blend(i < index ? p->beneath[ch] : p->above[ch], x0, x1, (float)colors[ch], (float)circle->opacity);
        if (i > index) blend(p->through, x0, x1, 0, (float)circle->opacity);
    }
}

static void fill_row(const leat_circlefit *fit, climb_table *t, int y, const row_parts *p) {
    const fit_climber *c = fit->climber;
    size_t at = (size_t)(t->w.y + y) * (size_t)c->width + (size_t)t->w.x;
    const float *reference[3] = {c->reference[0] + at, c->reference[1] + at, c->reference[2] + at};
    const float *beneath[3] = {p->beneath[0], p->beneath[1], p->beneath[2]}, *above[3] = {p->above[0], p->above[1], p->above[2]};
    leat__circle_sums.row(reference, beneath, above, p->through, t->w.width, t->table + (size_t)y * (size_t)(t->w.width + 1) * LEAT_CIRCLE_SUMS);
}

typedef struct fill_call {
    leat_circlefit *fit;
    climb_table    *table;
    int64_t         index; /* the circle that is left out; -1: one on top of `beneath` */
} fill_call;

static void fill_rows(void *arg, int64_t task, int worker) {
    fill_call *call = arg;
    const fit_climber *c = call->fit->climber;
    const window *w = &call->table->w;
    row_parts p = parts_of(c, worker);
    int last = (int)(task + 1) * CLIMB_TASK_ROWS < w->height ? (int)(task + 1) * CLIMB_TASK_ROWS : w->height;
    if (call->index < 0) {
        for (int ch = 0; ch < 3; ch++) memset(p.above[ch], 0, (size_t)w->width * sizeof(float));
        for (int x = 0; x < w->width; x++) p.through[x] = 1;
    }
    for (int y = (int)task * CLIMB_TASK_ROWS; y < last; y++) {
        size_t at = (size_t)(w->y + y) * (size_t)c->width + (size_t)w->x;
        if (call->index >= 0) split_row(call->fit, w, call->index, w->y + y, &p);
        else for (int ch = 0; ch < 3; ch++) p.beneath[ch] = c->beneath[ch] + at;
        fill_row(call->fit, call->table, y, &p);
    }
}

void leat__climb_fill(leat_circlefit *fit, climb_table *table, int64_t index) {
    fill_call call = {fit, table, index};
    leat__tpool_for(fit->pool, (table->w.height + CLIMB_TASK_ROWS - 1) / CLIMB_TASK_ROWS, fill_rows, &call);
}

void leat__climb_fill_alone(leat_circlefit *fit, climb_table *table, int64_t index, int worker) {
    fill_call call = {fit, table, index};
    for (int64_t task = 0; task * CLIMB_TASK_ROWS < table->w.height; task++) fill_rows(&call, task, worker);
}
