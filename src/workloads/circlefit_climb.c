/* circlefit_climb.c - the climber: circles are placed, polished and moved by hill climbing over x, y and r alone.
 *
 * Colour and opacity of a circle that is best for its pixels follow in closed form from nine sums (cpu/circle_sums.h), which prefix sums
 * give for any disc at two look-ups a row.  So a candidate costs some hundred nanoseconds and touches no pixel, whatever lies above or
 * beneath the circle.  The model is the drawing without its rounding to 8 bits; what a step finds is kept only if the exact squared error falls.
 *
 * Work happens at a working size: the image shrunk (by averaging) until its long side is at most 256 to 512 pixels, by the number of circles.
 * A table covers a window: the whole image to place a circle, the surroundings of a circle to polish it.  Everything is a function of the
 * circles at hand and of counter-based random numbers; groups of circles whose windows are disjoint are polished at once, on any threads.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/rng.h"
#include "cpu/circle_sums.h"
#include "cpu/cpu.h"
#include "workloads/circlefit_fit.h"

#define GROUP 8             /* circles polished at once, at most */
#define CLIMB_TRIALS 250    /* of each climber when placing */
#define POLISH_TRIALS 300
#define ROWS_A_TASK 16
#define BLOCK 8             /* side of the cells that guide random starts, working pixels */
#define STREAM_PLACE 1
#define STREAM_CLIMB 2
#define STREAM_POLISH 3
#define STREAM_MOVE 4
#define STREAM_NEW 5
#define STREAM_OLD 6
#define NEIGHBOURS 5        /* that settle after a move, at either end */

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
    climb_table tables[GROUP];
    size_t  table_floats;     /* of each table */
    float **rows;             /* [workers][8 * width]: beneath, above, through, zeros */
    disc   *discs;            /* [candidates] */
    double *cells;            /* running sums of the error over blocks */
    int     cells_across, cells_down;
    int64_t group[GROUP];     /* circles in hand */
    int     n_group;
    leat_circle found[GROUP];
    double  gains[GROUP];
    float   least_r, most_r;
    leat_circle *scene, *before; /* [circles] */
} fit_climber;

/* ---- from and to the working size ----------------------------------------------------------------------------------------- */

static disc to_disc(const fit_climber *c, const leat_circle *circle) {
    return (disc){(float)((circle->x + 0.5) * c->sx - 0.5), (float)((circle->y + 0.5) * c->sy - 0.5), (float)(circle->r * c->sr), 0};
}

static void from_disc(const fit_climber *c, const disc *d, leat_circle *circle) {
    circle->x = (d->x + 0.5) / c->sx - 0.5;
    circle->y = (d->y + 0.5) / c->sy - 0.5;
    circle->r = d->r / c->sr;
}

/* Mean of the source pixels that each working pixel covers, partly covered ones by their share. */
static void shrink(const leat_image *image, int width, int height, float *const planes[3]) {
    double step_x = (double)image->width / width, step_y = (double)image->height / height;
    for (int y = 0; y < height; y++) {
        double top = y * step_y, bottom = top + step_y;
        for (int x = 0; x < width; x++) {
            double left = x * step_x, right = left + step_x, sum[3] = {0}, weight = 0;
            for (int v = (int)top; v < image->height && v < bottom; v++) {
                double share_y = fmin(v + 1, bottom) - fmax(v, top);
                const uint8_t *row = image->data + v * image->stride;
                for (int u = (int)left; u < image->width && u < right; u++) {
                    double share = share_y * (fmin(u + 1, right) - fmax(u, left));
                    for (int ch = 0; ch < 3; ch++) sum[ch] += share * row[3 * u + ch];
                    weight += share;
                }
            }
            for (int ch = 0; ch < 3; ch++) planes[ch][y * width + x] = (float)(sum[ch] / (weight * 255));
        }
    }
}

static int working_side(const leat_circlefit *fit) { return fit->o.circles <= 400 ? 256 : fit->o.circles <= 1500 ? 384 : 512; }

static void set_size(leat_circlefit *fit, fit_climber *c) {
    int side = working_side(fit), most = fit->width > fit->height ? fit->width : fit->height;
    double s = most > side ? (double)side / most : 1;
    c->width = (int)fmax(1, round(fit->width * s));
    c->height = (int)fmax(1, round(fit->height * s));
    c->sx = (double)c->width / fit->width;
    c->sy = (double)c->height / fit->height;
    c->sr = sqrt(c->sx * c->sy);
    c->most_r = (float)(fit->upper[2] * c->sr);
    c->least_r = (float)fmin(fmax(0.8, c->sr), c->most_r);
    c->cells_across = (c->width + BLOCK - 1) / BLOCK;
    c->cells_down = (c->height + BLOCK - 1) / BLOCK;
}

static int load_planes(leat_circlefit *fit, fit_climber *c, leat_error *error) {
    leat_image image = {0};
    int status = leat_image_alloc(fit->width, fit->height, &image);
    if (status != LEAT_OK) return leat__fail(error, status, "no memory for an image of %d x %d", fit->width, fit->height);
    leat_circle_target_reference(fit->target, &image);
    shrink(&image, c->width, c->height, c->reference);
    leat_circle_target_canvas(fit->target, &image); /* nothing is frozen yet */
    shrink(&image, c->width, c->height, c->canvas);
    leat_image_free(&image);
    return LEAT_OK;
}

static int allocate(leat_circlefit *fit, fit_climber *c) {
    size_t pixels = (size_t)c->width * (size_t)c->height;
    c->table_floats = (size_t)c->height * (size_t)(c->width + 1) * LEAT_CIRCLE_SUMS;
    c->planes = leat__calloc(9 * pixels, sizeof(float), LEAT_MEMORY_OTHER);
    c->rows = leat__calloc((size_t)fit->workers, sizeof *c->rows, LEAT_MEMORY_OTHER);
    c->discs = leat__calloc((size_t)fit->o.candidates, sizeof *c->discs, LEAT_MEMORY_OTHER);
    c->cells = leat__calloc((size_t)c->cells_across * (size_t)c->cells_down, sizeof *c->cells, LEAT_MEMORY_OTHER);
    c->scene = leat__calloc((size_t)fit->o.circles, sizeof *c->scene, LEAT_MEMORY_OTHER);
    c->before = leat__calloc((size_t)fit->o.circles, sizeof *c->before, LEAT_MEMORY_OTHER);
    int ok = c->planes && c->rows && c->discs && c->cells && c->scene && c->before;
    for (int i = 0; ok && i < GROUP; i++) ok = (c->tables[i].table = leat__alloc(c->table_floats * sizeof(float), LEAT_MEMORY_OTHER)) != NULL;
    for (int i = 0; ok && i < fit->workers; i++) ok = (c->rows[i] = leat__calloc((size_t)c->width * 8, sizeof(float), LEAT_MEMORY_OTHER)) != NULL;
    for (int ch = 0; ok && ch < 3; ch++) {
        c->reference[ch] = c->planes + (size_t)ch * pixels;
        c->canvas[ch] = c->planes + (size_t)(3 + ch) * pixels;
        c->beneath[ch] = c->planes + (size_t)(6 + ch) * pixels;
    }
    return ok;
}

int leat__fit_climber_open(leat_circlefit *fit, leat_error *error) {
    fit_climber *c = leat__calloc(1, sizeof *c, LEAT_MEMORY_OTHER);
    fit->climber = c;
    if (!c) return leat__fail(error, LEAT_ENOMEM, "no memory for a climber");
    leat__cpu_init();
    set_size(fit, c);
    c->composed = -1;
    if (!allocate(fit, c)) {
        if (c->rows && !c->rows[0]) leat__free(c->rows), c->rows = NULL;
        return leat__fail(error, LEAT_ENOMEM, "no memory to climb at %d x %d pixels", c->width, c->height);
    }
    return load_planes(fit, c, error);
}

void leat__fit_climber_close(leat_circlefit *fit) {
    fit_climber *c = fit->climber;
    if (!c) return;
    for (int i = 0; c->rows && i < fit->workers; i++) leat__free(c->rows[i]);
    for (int i = 0; i < GROUP; i++) leat__free(c->tables[i].table);
    leat__free(c->scene);
    leat__free(c->before);
    leat__free(c->cells);
    leat__free(c->discs);
    leat__free(c->rows);
    leat__free(c->planes);
    leat__free(c);
}

/* ---- compositing without rounding ----------------------------------------------------------------------------------------- */

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
static void compose(leat_circlefit *fit, int64_t n) {
    fit_climber *c = fit->climber;
    if (c->composed < 0 || c->composed > n) {
        memcpy(c->beneath[0], c->canvas[0], 3 * (size_t)c->width * (size_t)c->height * sizeof(float));
        c->composed = 0;
    }
    for (; c->composed < n; c->composed++) {
        const leat_circle *circle = &fit->circles[c->composed];
        const double colors[3] = {circle->red, circle->green, circle->blue};
        disc d = to_disc(c, circle);
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
        disc d = to_disc(c, circle);
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
    int last = (int)(task + 1) * ROWS_A_TASK < w->height ? (int)(task + 1) * ROWS_A_TASK : w->height;
    if (call->index < 0) {
        for (int ch = 0; ch < 3; ch++) memset(p.above[ch], 0, (size_t)w->width * sizeof(float));
        for (int x = 0; x < w->width; x++) p.through[x] = 1;
    }
    for (int y = (int)task * ROWS_A_TASK; y < last; y++) {
        size_t at = (size_t)(w->y + y) * (size_t)c->width + (size_t)w->x;
        if (call->index >= 0) split_row(call->fit, w, call->index, w->y + y, &p);
        else for (int ch = 0; ch < 3; ch++) p.beneath[ch] = c->beneath[ch] + at;
        fill_row(call->fit, call->table, y, &p);
    }
}

static void fill_table(leat_circlefit *fit, climb_table *table, int64_t index, int threads) {
    fill_call call = {fit, table, index};
    leat__tpool_for_n(fit->pool, threads, (table->w.height + ROWS_A_TASK - 1) / ROWS_A_TASK, fill_rows, &call);
}

/* ---- the closed form ------------------------------------------------------------------------------------------------------ */

typedef struct paint {
    double color[3], opacity;
} paint;

static double clamp01(double v) { return v < 0 ? 0 : v > 1 ? 1 : v; }

static void best_colors(const float *sums, paint *p) {
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
        best_colors(sums, p);
        terms(sums, p, &linear, &quadratic);
        double a = quadratic > 1e-12 ? linear / quadratic : p->opacity;
        p->opacity = a < least_opacity ? least_opacity : a > 1 ? 1 : a;
    }
    best_colors(sums, p);
    terms(sums, p, &linear, &quadratic);
    return p->opacity * (2 * linear - p->opacity * quadratic);
}

static double least_opacity(const leat_circlefit *fit) { return fmax(fit->lower[6], 1 / 255.0); }

static double gain_of(const leat_circlefit *fit, const climb_table *t, const disc *d, paint *p) {
    float sums[LEAT_CIRCLE_SUMS];
    leat__circle_sums.disc(t->table, t->w.width, t->w.height, d->x - (float)t->w.x, d->y - (float)t->w.y, d->r, sums);
    return solve(sums, least_opacity(fit), p);
}

static void apply(const leat_circlefit *fit, const disc *d, const paint *p, leat_circle *circle) {
    from_disc(fit->climber, d, circle);
    circle->red = p->color[0];
    circle->green = p->color[1];
    circle->blue = p->color[2];
    circle->opacity = p->opacity;
    leat__fit_repair(fit, circle);
}

/* ---- climbing ------------------------------------------------------------------------------------------------------------- */

static uint64_t stream_of(const leat_circlefit *fit, int purpose, int64_t individual) {
    return (uint64_t)fit->s->steps << 24 | (uint64_t)individual << 4 | (uint64_t)purpose;
}

static double uniform(const leat_circlefit *fit, int purpose, int64_t individual, int k) {
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
static void climb(leat_circlefit *fit, const climb_table *t, disc *best, int trials, int purpose, int64_t individual) {
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
        next.gain = is_allowed(fit, &t->w, &next) ? gain_of(fit, t, &next, &p) : -1;
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
            for (int y = v * BLOCK; y < (v + 1) * BLOCK && y < c->height; y++) {
                for (int x = u * BLOCK; x < (u + 1) * BLOCK && x < c->width; x++) {
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
    double u = uniform(fit, STREAM_PLACE, index, 0), v = uniform(fit, STREAM_PLACE, index, 1), w = uniform(fit, STREAM_PLACE, index, 2);
    double most = fmax(0.5 * (c->width > c->height ? c->width : c->height), c->least_r), least = fmin(fmax(c->least_r, 1.5), most);
    disc   d = {(float)(u * c->width), (float)(v * c->height), (float)(least * pow(most / least, w)), 0};
    if (index % 4 != 3 && c->cells[n - 1] > 0) {
        double target = uniform(fit, STREAM_PLACE, index, 3) * c->cells[n - 1];
        while (low < high) {
            int middle = (low + high) / 2;
            if (c->cells[middle] <= target) low = middle + 1;
            else high = middle;
        }
        d.x = (float)(low % c->cells_across + u) * BLOCK;
        d.y = (float)(low / c->cells_across + v) * BLOCK;
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
    c->discs[index].gain = gain_of(fit, &c->tables[0], &c->discs[index], &p);
}

static void climb_start(void *arg, int64_t index, int worker) {
    leat_circlefit *fit = arg;
    (void)worker;
    climb(fit, &fit->climber->tables[0], &fit->climber->discs[index], CLIMB_TRIALS, STREAM_CLIMB, index);
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
static double search(leat_circlefit *fit, leat_circle *found) {
    fit_climber *c = fit->climber;
    paint p = {{0}, 1};
    c->tables[0].w = (window){0, 0, c->width, c->height};
    fill_table(fit, &c->tables[0], -1, 0);
    sum_cells(c);
    leat__tpool_for(fit->pool, fit->o.candidates, try_start, fit);
    select_starts(c, fit->o.candidates, fit->o.climbers);
    leat__tpool_for(fit->pool, fit->o.climbers, climb_start, fit);
    select_starts(c, fit->o.climbers, 1);
    fit->s->evaluations += fit->o.candidates + (int64_t)fit->o.climbers * CLIMB_TRIALS;
    fit->s->drawn += fit->o.candidates + (int64_t)fit->o.climbers * CLIMB_TRIALS;
    double gain = gain_of(fit, &c->tables[0], &c->discs[0], &p);
    apply(fit, &c->discs[0], &p, found);
    return gain;
}

int leat__fit_climb_place(leat_circlefit *fit, leat_error *error) {
    fit_scalars *s = fit->s;
    uint64_t sse;
    int status = leat__fit_freeze(fit, s->count, error);
    if (status != LEAT_OK) return status;
    compose(fit, s->count);
    leat_circle *next = &fit->circles[s->count];
    double gain = search(fit, next);
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

/* ---- polishing ------------------------------------------------------------------------------------------------------------ */

static window window_of(const fit_climber *c, const disc *d) {
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
    for (int64_t i = 0; i < fit->s->count && c->n_group < GROUP; i++) {
        if (fit->marked[i]) continue;
        disc   d = to_disc(c, &fit->circles[i]);
        window w = window_of(c, &d);
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
    disc d = to_disc(c, circle);
    if (c->n_group > 1) {
        fill_call call = {fit, &c->tables[k], c->group[k]};
        for (int64_t task = 0; task * ROWS_A_TASK < c->tables[k].w.height; task++) fill_rows(&call, task, worker);
    }
    d.gain = gain_of(fit, &c->tables[k], &d, &p);
    climb(fit, &c->tables[k], &d, POLISH_TRIALS, STREAM_POLISH, c->group[k]);
    c->gains[k] = gain_of(fit, &c->tables[k], &d, &p);
    if (c->gains[k] > 0) apply(fit, &d, &p, circle);
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
        fill_table(fit, &c->tables[0], c->group[0], 0);
        polish_one(fit, 0, 0);
    } else {
        leat__tpool_for(fit->pool, c->n_group, polish_one, fit);
    }
    fit->s->evaluations += (int64_t)c->n_group * POLISH_TRIALS;
    fit->s->drawn += (int64_t)c->n_group * POLISH_TRIALS;
    take_group(fit);
    return LEAT_OK;
}

void leat__fit_climb_recolor(leat_circlefit *fit, int64_t index) {
    fit_climber *c = fit->climber;
    leat_circle *circle = &fit->circles[index];
    disc  d = to_disc(c, circle);
    float sums[LEAT_CIRCLE_SUMS];
    paint p = {{circle->red, circle->green, circle->blue}, fmax(circle->opacity, least_opacity(fit))};
    c->tables[0].w = window_of(c, &d);
    fill_table(fit, &c->tables[0], index, 0);
    leat__circle_sums.disc(c->tables[0].table, c->tables[0].w.width, c->tables[0].w.height, d.x - (float)c->tables[0].w.x, d.y - (float)c->tables[0].w.y, d.r, sums);
    if (!(sums[LEAT_CIRCLE_TT] > 1e-4f)) return;
    best_colors(sums, &p);
    circle->red = p.color[0];
    circle->green = p.color[1];
    circle->blue = p.color[2];
    c->composed = -1;
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
    if (which < 0 || fit->s->relocated % 2) which = (int64_t)(uniform(fit, STREAM_MOVE, 0, 0) * (double)fit->s->count);
    return which;
}

static int touch(const leat_circle *a, const leat_circle *b) { return hypot(a->x - b->x, a->y - b->y) < a->r + b->r; }

/* Polishes up to NEIGHBOURS circles that touch `moved`, in random order, without asking for the exact error. */
static void settle_neighbours(leat_circlefit *fit, const leat_circle *moved, int64_t except, int purpose) {
    fit_climber *c = fit->climber;
    int64_t count = fit->s->count, start = (int64_t)(uniform(fit, purpose, 0, 1) * (double)count);
    int     settled = 0;
    c->n_group = 1;
    for (int64_t k = 0; k < count && settled < NEIGHBOURS; k++) {
        int64_t i = (start + k) % count;
        if (i == except || !touch(&fit->circles[i], moved)) continue;
        disc d = to_disc(c, &fit->circles[i]);
        c->group[0] = i;
        c->tables[0].w = window_of(c, &d);
        fill_table(fit, &c->tables[0], i, 0);
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
    compose(fit, last);
    double gain = search(fit, &fit->circles[last]);
    leat_circle moved = fit->circles[last];
    settle_neighbours(fit, &moved, last, STREAM_NEW);
    settle_neighbours(fit, &c->before[which], last, STREAM_OLD);
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

/* ---- colours for the stages ----------------------------------------------------------------------------------------------- */

void leat__fit_climb_ready(leat_circlefit *fit, int64_t n) {
    fit_climber *c = fit->climber;
    compose(fit, n);
    c->tables[0].w = (window){0, 0, c->width, c->height};
    fill_table(fit, &c->tables[0], -1, 0);
}

void leat__fit_climb_color(const leat_circlefit *fit, leat_circle *circle) {
    const climb_table *t = &fit->climber->tables[0];
    float sums[LEAT_CIRCLE_SUMS];
    disc  d = to_disc(fit->climber, circle);
    paint p = {{0}, fmax(circle->opacity, 1 / 255.0)};
    leat__circle_sums.disc(t->table, t->w.width, t->w.height, d.x, d.y, d.r, sums);
    if (sums[LEAT_CIRCLE_TT] > 1e-4f) best_colors(sums, &p);
    circle->red = p.color[0];
    circle->green = p.color[1];
    circle->blue = p.color[2];
}
