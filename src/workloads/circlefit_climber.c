/* circlefit_climber.c - the climber's life, and the working size: the image shrunk (by averaging) until its long side is at most 256 to 512
 * pixels, by the number of circles. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "cpu/circle_sums.h"
#include "cpu/cpu.h"
#include "workloads/circlefit_climb.h"

disc leat__climb_to_disc(const fit_climber *c, const leat_circle *circle) {
    return (disc){(float)((circle->x + 0.5) * c->sx - 0.5), (float)((circle->y + 0.5) * c->sy - 0.5), (float)(circle->r * c->sr), 0};
}

void leat__climb_from_disc(const fit_climber *c, const disc *d, leat_circle *circle) {
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
    c->cells_across = (c->width + CLIMB_BLOCK - 1) / CLIMB_BLOCK;
    c->cells_down = (c->height + CLIMB_BLOCK - 1) / CLIMB_BLOCK;
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
    for (int i = 0; ok && i < CLIMB_GROUP; i++) ok = (c->tables[i].table = leat__alloc(c->table_floats * sizeof(float), LEAT_MEMORY_OTHER)) != NULL;
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
    if (!allocate(fit, c)) return leat__fail(error, LEAT_ENOMEM, "no memory to climb at %d x %d pixels", c->width, c->height);
    return load_planes(fit, c, error);
}

void leat__fit_climber_close(leat_circlefit *fit) {
    fit_climber *c = fit->climber;
    if (!c) return;
    for (int i = 0; c->rows && i < fit->workers; i++) leat__free(c->rows[i]);
    for (int i = 0; i < CLIMB_GROUP; i++) leat__free(c->tables[i].table);
    leat__free(c->scene);
    leat__free(c->before);
    leat__free(c->cells);
    leat__free(c->discs);
    leat__free(c->rows);
    leat__free(c->planes);
    leat__free(c);
}
