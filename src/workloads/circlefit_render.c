/* circlefit_render.c - scenes of circles on images. */
#include "workloads/circlefit_impl.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "cpu/cpu.h"

_Static_assert(sizeof(leat_circle) == CIRCLE_FIELDS * sizeof(double), "a circle is its parameters and nothing else");

/* ---- checking ----------------------------------------------------------------------------------------------------------------- */

static const char *const field_names[CIRCLE_FIELDS] = {"x", "y", "r", "red", "green", "blue", "opacity"};
static const double      field_least[CIRCLE_FIELDS] = {-LEAT_CIRCLE_REACH, -LEAT_CIRCLE_REACH, 0, 0, 0, 0, 0};
static const double      field_most[CIRCLE_FIELDS] = {LEAT_CIRCLE_REACH, LEAT_CIRCLE_REACH, LEAT_CIRCLE_REACH, 1, 1, 1, 1};

int leat_circles_check(const leat_circle *circles, int64_t count, leat_error *error) {
    if (count < 0 || (count > 0 && !circles)) return leat__fail(error, LEAT_EINVAL, "no circles, or %lld of them", (long long)count);
    if (count > LEAT_CIRCLES_MAX)
        return leat__fail(error, LEAT_ELIMIT, "%lld circles are above the limit of %d", (long long)count, LEAT_CIRCLES_MAX);
    for (int64_t i = 0; i < count; i++)
        for (int f = 0; f < CIRCLE_FIELDS; f++) {
            double v = (&circles[i].x)[f];
            if (v >= field_least[f] && v <= field_most[f]) continue; /* false for NaN */
            return leat__fail(error, LEAT_EINVAL, "circle %lld: %s %g is not in %g..%g", (long long)i, field_names[f], v, field_least[f],
                              field_most[f]);
        }
    return LEAT_OK;
}

int leat__circle_image_is_valid(const leat_image *image) {
    return image && image->data && image->width > 0 && image->height > 0 && image->stride / 3 >= image->width;
}

/* ---- planes -------------------------------------------------------------------------------------------------------------------- */

int leat__circle_planes_alloc(int width, int height, leat_circle_planes *planes) {
    int64_t stride = ((int64_t)width + 63) / 64 * 64;
    memset(planes, 0, sizeof *planes);
    uint8_t *data = leat__calloc((size_t)stride * 3, (size_t)height, LEAT_MEMORY_IO);
    if (!data) return LEAT_ENOMEM;
    *planes = (leat_circle_planes){{data, data + stride * height, data + 2 * stride * height}, stride, width, height};
    return LEAT_OK;
}

void leat__circle_planes_free(leat_circle_planes *planes) {
    leat__free(planes->plane[0]);
    memset(planes, 0, sizeof *planes);
}

void leat__circle_planes_from(const leat_image *image, const leat_circle_planes *p) {
    for (int y = 0; y < p->height; y++) {
        const uint8_t *row = image->data + y * image->stride;
        for (int x = 0; x < p->width; x++)
            for (int c = 0; c < 3; c++) p->plane[c][y * p->stride + x] = row[3 * x + c];
    }
}

void leat__circle_planes_to(const leat_circle_planes *p, const leat_image *image) {
    for (int y = 0; y < p->height; y++) {
        uint8_t *row = image->data + y * image->stride;
        for (int x = 0; x < p->width; x++)
            for (int c = 0; c < 3; c++) row[3 * x + c] = p->plane[c][y * p->stride + x];
    }
}

void leat__circle_planes_copy(const leat_circle_planes *from, const leat_circle_planes *to) {
    for (int c = 0; c < 3; c++) memcpy(to->plane[c], from->plane[c], (size_t)from->stride * (size_t)from->height);
}

uint64_t leat__circle_planes_sse(const leat_circle_planes *a, const leat_circle_planes *b) {
    uint64_t sum = 0;
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < a->height; y++) sum += leat__circle.sse(a->plane[c] + y * a->stride, b->plane[c] + y * b->stride, a->width);
    return sum;
}

uint64_t leat__circle_planes_paint(const leat_circle_planes *p, const leat_circle *circles, int64_t count) {
    leat_circle_map map;
    uint64_t        writes = 0;
    int             y0, y1, x0, x1;
    for (int64_t i = 0; i < count; i++) {
        if (circles[i].opacity == 0) continue;
        leat__circle.map(&circles[i].x, &map);
        leat__circle_rows(&circles[i].x, p->height, &y0, &y1);
        for (int y = y0; y < y1; y++) {
            leat__circle_span(&circles[i].x, p->width, y, &x0, &x1);
            writes += (uint64_t)(x1 - x0);
            for (int c = 0; c < 3; c++) leat__circle.lookup(map.table[c], p->plane[c] + y * p->stride + x0, x1 - x0);
        }
    }
    return writes;
}

/* ---- the renderer --------------------------------------------------------------------------------------------------------------- */

struct leat_circle_renderer {
    int64_t            max_circles;
    leat_circle_planes planes; /* one row band */
    leat_tpool        *pool;
};

int leat_circle_renderer_open(int64_t max_circles, int max_width, leat_tpool *pool, leat_circle_renderer **renderer) {
    if (!renderer) return LEAT_EINVAL;
    leat__cpu_init();
    *renderer = NULL;
    if (max_circles < 0 || max_width < 1) return LEAT_EINVAL;
    if (max_circles > LEAT_CIRCLES_MAX) return LEAT_ELIMIT;
    leat_circle_renderer *r = leat__calloc(1, sizeof *r, LEAT_MEMORY_PLAN);
    if (!r) return LEAT_ENOMEM;
    r->max_circles = max_circles;
    r->pool = pool ? leat_tpool_ref(pool) : NULL;
    *renderer = r;
    return LEAT_OK;
}

void leat_circle_renderer_close(leat_circle_renderer *r) {
    if (!r) return;
    leat_tpool_unref(r->pool);
    leat__free(r);
}

int leat_circle_renderer_draw(leat_circle_renderer *r, const leat_circle *circles, int64_t count, leat_image *canvas, uint64_t *writes) {
    if (!r || !leat__circle_image_is_valid(canvas)) return LEAT_EINVAL;
    if (count > r->max_circles) return LEAT_ELIMIT;
    int status = leat_circles_check(circles, count, NULL);
    if (status != LEAT_OK) return status;
    leat_circle_planes planes;
    if (leat__circle_planes_alloc(canvas->width, canvas->height, &planes) != LEAT_OK) return LEAT_ENOMEM;
    leat__circle_planes_from(canvas, &planes);
    uint64_t painted = leat__circle_planes_paint(&planes, circles, count);
    leat__circle_planes_to(&planes, canvas);
    leat__circle_planes_free(&planes);
    if (writes) *writes = painted;
    return LEAT_OK;
}

int leat_circles_render(const leat_circle *circles, int64_t count, leat_image *canvas, leat_tpool *pool, uint64_t *writes) {
    leat_circle_renderer *r;
    if (!leat__circle_image_is_valid(canvas) || count < 0) return LEAT_EINVAL;
    int status = leat_circle_renderer_open(count, canvas->width, pool, &r);
    if (status != LEAT_OK) return status;
    status = leat_circle_renderer_draw(r, circles, count, canvas, writes);
    leat_circle_renderer_close(r);
    return status;
}
