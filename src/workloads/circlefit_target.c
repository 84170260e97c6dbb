/* circlefit_target.c - a reference and a canvas that many evaluators share, and the sums over both that make evaluations cheap.
 *
 * Of the reference: prefix sums of R, G, B along each row, for canvases of one colour.  Of the canvas: prefix sums of its squared error along
 * each row, so that a candidate is measured only where it paints.
 */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "cpu/cpu.h"
#include "workloads/circlefit_impl.h"

/* Beyond this the prefix sums of the reference cost more in memory than they save. */
#define MOST_SUMMED_PIXELS ((int64_t)1 << 22)

/* ---- sums ----------------------------------------------------------------------------------------------------------------------------- */

static void sum_row(leat_circle_target *t, int y) {
    const uint8_t *pixel = t->reference.data + y * t->reference.stride;
    uint16_t      *within = t->table.within + (int64_t)y * (t->table.width + 1) * 4;
    int32_t       *before = t->table.before + (int64_t)y * t->table.blocks * 4, sum[4] = {0}, base[4] = {0};
    for (int x = 0; x <= t->table.width; x++, within += 4) {
        if (x % CIRCLE_BLOCK == 0 && x / CIRCLE_BLOCK < t->table.blocks) {
            memcpy(base, sum, sizeof base);
            memcpy(before + x / CIRCLE_BLOCK * 4, sum, sizeof sum);
        }
        for (int c = 0; c < 4; c++) within[c] = (uint16_t)(sum[c] - base[c]);
        if (x == t->table.width) break;
        for (int c = 0; c < 3; c++) sum[c] += *pixel++;
        sum[3]++;
    }
}

static void sum_reference(leat_circle_target *t) {
    for (int y = 0; y < t->reference.height; y++) {
        const uint8_t *pixel = t->reference.data + y * t->reference.stride;
        for (int x = 0; x < 3 * t->reference.width; x++) t->squares += (uint64_t)pixel[x] * pixel[x];
        if (t->table.within) sum_row(t, y);
    }
}

static void sum_errors(leat_circle_target *t) {
    const leat_image *p = &t->canvas;
    t->sse = 0;
    t->is_flat = 1;
    memcpy(t->ground, p->data, 3);
    for (int y = 0; y < p->height; y++) {
        const uint8_t *a = p->data + y * p->stride, *b = t->reference.data + y * t->reference.stride;
        uint32_t      *row = t->errors + (int64_t)y * (p->width + 1);
        for (int x = 0; x < p->width; x++, a += 3, b += 3) {
            int d[3] = {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
            row[x + 1] = row[x] + (uint32_t)(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
            t->is_flat &= a[0] == t->ground[0] && a[1] == t->ground[1] && a[2] == t->ground[2];
        }
        t->sse += row[p->width];
    }
}

static int load_canvas(leat_circle_target *t, const leat_image *canvas, leat_error *error) {
    if (canvas && !leat__circle_image_is_valid(canvas)) return leat__fail(error, LEAT_EINVAL, "the canvas has no pixels");
    if (canvas && (canvas->width != t->reference.width || canvas->height != t->reference.height))
        return leat__fail(error, LEAT_ESHAPE, "the canvas is %d x %d, the reference %d x %d", (int)canvas->width, (int)canvas->height,
                          (int)t->reference.width, (int)t->reference.height);
    if (canvas) leat__circle_image_copy(canvas, &t->canvas);
    else memset(t->canvas.data, 255, (size_t)t->canvas.stride * (size_t)t->canvas.height);
    sum_errors(t);
    return LEAT_OK;
}

/* ---- life cycle ------------------------------------------------------------------------------------------------------------------------- */

static int allocate(leat_circle_target *t, int width, int height) {
    size_t pixels = (size_t)width * (size_t)height;
    if (leat__circle_image_alloc(width, height, &t->reference) != LEAT_OK) return LEAT_ENOMEM;
    if (leat__circle_image_alloc(width, height, &t->canvas) != LEAT_OK) return LEAT_ENOMEM;
    t->errors = leat__calloc(pixels + (size_t)height, sizeof *t->errors, LEAT_MEMORY_PLAN);
    if (!t->errors) return LEAT_ENOMEM;
    if (pixels > MOST_SUMMED_PIXELS) return LEAT_OK;
    size_t rows = ((size_t)height + CIRCLE_TILE - 1) / CIRCLE_TILE * CIRCLE_TILE;
    t->table.width = width;
    t->table.blocks = width <= CIRCLE_BLOCK + 1 ? 1 : width / CIRCLE_BLOCK + 1;
    t->table.within = leat__calloc(rows * ((size_t)width + 1), 4 * sizeof *t->table.within, LEAT_MEMORY_PLAN);
    t->table.before = leat__calloc(rows * (size_t)t->table.blocks, 4 * sizeof *t->table.before, LEAT_MEMORY_PLAN);
    return t->table.within && t->table.before ? LEAT_OK : LEAT_ENOMEM;
}

int leat_circle_target_open(const leat_image *reference, const leat_image *canvas, leat_circle_target **target, leat_error *error) {
    if (!target) return leat__fail(error, LEAT_EINVAL, "nowhere to put the target");
    *target = NULL;
    if (!leat__circle_image_is_valid(reference)) return leat__fail(error, LEAT_EINVAL, "the reference has no pixels");
    if (reference->width > LEAT_CIRCLE_MAX_SIDE || reference->height > LEAT_CIRCLE_MAX_SIDE)
        return leat__fail(error, LEAT_ELIMIT, "the reference is %d x %d pixels; the limit is %d a side", (int)reference->width, (int)reference->height,
                          LEAT_CIRCLE_MAX_SIDE);
    leat__cpu_init();
    leat_circle_target *t = leat__calloc(1, sizeof *t, LEAT_MEMORY_PLAN);
    int status = t ? allocate(t, reference->width, reference->height) : LEAT_ENOMEM;
    if (t) t->refs = 1;
    if (status == LEAT_OK) {
        leat__circle_image_copy(reference, &t->reference);
        sum_reference(t);
        status = load_canvas(t, canvas, error);
    } else {
        leat__fail(error, status, "no memory for images of %d x %d", (int)reference->width, (int)reference->height);
    }
    if (status == LEAT_OK) *target = t;
    else leat_circle_target_unref(t);
    return status;
}

leat_circle_target *leat_circle_target_ref(leat_circle_target *t) {
    __atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
    return t;
}

void leat_circle_target_unref(leat_circle_target *t) {
    if (!t || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
    leat__free(t->reference.data);
    leat__free(t->canvas.data);
    leat__free(t->table.within);
    leat__free(t->table.before);
    leat__free(t->errors);
    leat__free(t);
}

/* ---- changing and asking ------------------------------------------------------------------------------------------------------------------ */

int leat_circle_target_freeze(leat_circle_target *t, const leat_circle *circles, int64_t count, leat_error *error) {
    if (!t) return leat__fail(error, LEAT_EINVAL, "no target");
    int status = leat_circles_check(circles, count, error);
    if (status != LEAT_OK) return status;
    status = leat_circles_render(circles, count, &t->canvas, NULL, NULL);
    if (status != LEAT_OK) return leat__fail(error, status, "no memory to paint %lld circles", (long long)count);
    sum_errors(t);
    return LEAT_OK;
}

int leat_circle_target_reset(leat_circle_target *t, const leat_image *canvas, leat_error *error) {
    return t ? load_canvas(t, canvas, error) : leat__fail(error, LEAT_EINVAL, "no target");
}

int leat_circle_target_width(const leat_circle_target *t) { return t->reference.width; }
int leat_circle_target_height(const leat_circle_target *t) { return t->reference.height; }
uint64_t leat_circle_target_sse(const leat_circle_target *t) { return t->sse; }

static int copy_out(const leat_image *from, leat_image *image) {
    if (!leat__circle_image_is_valid(image)) return LEAT_EINVAL;
    if (image->width != from->width || image->height != from->height) return LEAT_ESHAPE;
    leat__circle_image_copy(from, image);
    return LEAT_OK;
}

int leat_circle_target_canvas(const leat_circle_target *t, leat_image *image) { return t ? copy_out(&t->canvas, image) : LEAT_EINVAL; }
int leat_circle_target_reference(const leat_circle_target *t, leat_image *image) { return t ? copy_out(&t->reference, image) : LEAT_EINVAL; }
