/* circlefit_target.c - a reference and a canvas that many evaluators share. */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "cpu/cpu.h"
#include "workloads/circlefit_impl.h"

/* Beyond this the prefix sums cost more in memory than they save. */
#define MOST_SUMMED_PIXELS ((int64_t)1 << 22)

static int sum_reference(leat_circle_target *t) {
    const leat_circle_planes *p = &t->reference;
    int64_t                   pixels = (int64_t)p->width * p->height;
    for (int64_t i = 0; i < p->stride * p->height * 3; i++) t->squares += (uint64_t)p->plane[0][i] * p->plane[0][i]; /* the padding is 0 */
    if (pixels > MOST_SUMMED_PIXELS) return LEAT_OK;
    t->sums = leat__calloc((size_t)(pixels + p->height), 4 * sizeof *t->sums, LEAT_MEMORY_PLAN);
    if (!t->sums) return LEAT_ENOMEM;
    for (int y = 0; y < p->height; y++) {
        int32_t *row = t->sums + (int64_t)y * (p->width + 1) * 4;
        for (int x = 0; x < p->width; x++, row += 4) {
            for (int c = 0; c < 3; c++) row[4 + c] = row[c] + p->plane[c][y * p->stride + x];
            row[7] = x + 1;
        }
    }
    return LEAT_OK;
}

static void find_ground(leat_circle_target *t) {
    const leat_circle_planes *p = &t->canvas;
    t->is_flat = 1;
    for (int c = 0; c < 3; c++) {
        t->ground[c] = p->plane[c][0];
        for (int y = 0; y < p->height && t->is_flat; y++)
            for (int x = 0; x < p->width && t->is_flat; x++) t->is_flat = p->plane[c][y * p->stride + x] == t->ground[c];
    }
}

static int load_canvas(leat_circle_target *t, const leat_image *canvas, leat_error *error) {
    if (canvas && !leat__circle_image_is_valid(canvas)) return leat__fail(error, LEAT_EINVAL, "the canvas has no pixels");
    if (canvas && (canvas->width != t->reference.width || canvas->height != t->reference.height))
        return leat__fail(error, LEAT_ESHAPE, "the canvas is %d x %d, the reference %d x %d", (int)canvas->width, (int)canvas->height,
                          t->reference.width, t->reference.height);
    if (canvas) leat__circle_planes_from(canvas, &t->canvas);
    else memset(t->canvas.plane[0], 255, (size_t)t->canvas.stride * 3 * (size_t)t->canvas.height);
    t->sse = leat__circle_planes_sse(&t->canvas, &t->reference);
    find_ground(t);
    return LEAT_OK;
}

int leat_circle_target_open(const leat_image *reference, const leat_image *canvas, leat_circle_target **target, leat_error *error) {
    if (!target) return leat__fail(error, LEAT_EINVAL, "nowhere to put the target");
    *target = NULL;
    if (!leat__circle_image_is_valid(reference)) return leat__fail(error, LEAT_EINVAL, "the reference has no pixels");
    leat_circle_target *t = leat__calloc(1, sizeof *t, LEAT_MEMORY_PLAN);
    if (!t) return leat__fail(error, LEAT_ENOMEM, "no memory for a target");
    t->refs = 1;
    leat__cpu_init();
    int status = leat__circle_planes_alloc(reference->width, reference->height, &t->reference);
    if (status == LEAT_OK) status = leat__circle_planes_alloc(reference->width, reference->height, &t->canvas);
    if (status == LEAT_OK) {
        leat__circle_planes_from(reference, &t->reference);
        status = sum_reference(t);
    }
    if (status == LEAT_ENOMEM) leat__fail(error, status, "no memory for images of %d x %d", (int)reference->width, (int)reference->height);
    if (status == LEAT_OK) {
        status = load_canvas(t, canvas, error);
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
    leat__circle_planes_free(&t->reference);
    leat__circle_planes_free(&t->canvas);
    leat__free(t->sums);
    leat__free(t);
}

int leat_circle_target_freeze(leat_circle_target *t, const leat_circle *circles, int64_t count, leat_error *error) {
    int status = t ? leat_circles_check(circles, count, error) : leat__fail(error, LEAT_EINVAL, "no target");
    if (status != LEAT_OK) return status;
    leat__circle_planes_paint(&t->canvas, circles, count);
    t->sse = leat__circle_planes_sse(&t->canvas, &t->reference);
    find_ground(t);
    return LEAT_OK;
}

int leat_circle_target_reset(leat_circle_target *t, const leat_image *canvas, leat_error *error) {
    return t ? load_canvas(t, canvas, error) : leat__fail(error, LEAT_EINVAL, "no target");
}

int leat_circle_target_width(const leat_circle_target *t) { return t->reference.width; }
int leat_circle_target_height(const leat_circle_target *t) { return t->reference.height; }
uint64_t leat_circle_target_sse(const leat_circle_target *t) { return t->sse; }

static int copy_out(const leat_circle_planes *planes, leat_image *image) {
    if (!leat__circle_image_is_valid(image)) return LEAT_EINVAL;
    if (image->width != planes->width || image->height != planes->height) return LEAT_ESHAPE;
    leat__circle_planes_to(planes, image);
    return LEAT_OK;
}

int leat_circle_target_canvas(const leat_circle_target *t, leat_image *image) { return t ? copy_out(&t->canvas, image) : LEAT_EINVAL; }
int leat_circle_target_reference(const leat_circle_target *t, leat_image *image) { return t ? copy_out(&t->reference, image) : LEAT_EINVAL; }
