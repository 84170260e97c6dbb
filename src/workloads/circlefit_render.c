/* circlefit_render.c - scenes of circles on images. */
#include "workloads/circlefit_impl.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/tpool.h"
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

int leat__circle_image_alloc(int width, int height, leat_image *image) {
    int64_t stride = (3 * (int64_t)width + 127) / 64 * 64;
    *image = (leat_image){leat__calloc((size_t)stride, (size_t)height, LEAT_MEMORY_IO), width, height, stride};
    return image->data ? LEAT_OK : LEAT_ENOMEM;
}

void leat__circle_image_copy(const leat_image *from, leat_image *to) {
    for (int y = 0; y < from->height; y++) memcpy(to->data + y * to->stride, from->data + y * from->stride, 3 * (size_t)from->width);
}

/* ---- bands ---------------------------------------------------------------------------------------------------------------------- */

int leat__circle_band_rows(int width) { return width <= 640 ? CIRCLE_TILE : CIRCLE_TILE / 2; }

void leat__circle_brush_make(const leat_circle *circle, int height, leat_circle_brush *brush) {
    leat__circle_rows(&circle->x, height, &brush->y0, &brush->y1);
    if (circle->opacity == 0 || brush->y0 >= brush->y1) {
        brush->y0 = brush->y1 = 0;
        return;
    }
    leat__circle_outline_of(&circle->x, &brush->outline);
    leat__circle.map(&circle->x, &brush->map);
}

uint64_t leat__circle_band_paint(const leat_circle *circles, const leat_circle_brush *brushes, int64_t count, leat_circle_band band, int width, int y, int rows,
                                 int32_t *reach) {
    leat_circle_spans s;
    uint64_t          writes = 0;
    for (int i = 0; reach && i < rows; i++) {
        reach[2 * i] = width;
        reach[2 * i + 1] = 0;
    }
    for (int64_t k = 0; k < count; k++) {
        int first = brushes[k].y0 > y ? brushes[k].y0 - y : 0, end = brushes[k].y1 < y + rows ? brushes[k].y1 - y : rows;
        if (first >= end) continue;
        leat__circle.spans(&brushes[k].outline, &circles[k].x, width, y + first, &s);
        leat_circle_band part = {band.rgb + first * band.stride, band.limit + first * band.limit_step, band.stride, band.limit_step};
        leat__circle.paint(&brushes[k].map, &part, s.x0, s.x1, end - first);
        for (int i = 0; i < end - first; i++) {
            if (s.x0[i] >= s.x1[i]) continue;
            writes += (uint64_t)(s.x1[i] - s.x0[i]);
            if (!reach) continue;
            int32_t *r = reach + 2 * (first + i);
            if (s.x0[i] < r[0]) r[0] = s.x0[i];
            if (s.x1[i] > r[1]) r[1] = s.x1[i];
        }
    }
    return writes;
}

/* ---- the renderer --------------------------------------------------------------------------------------------------------------- */

/* Bands of rows go to the threads, and each is painted by all circles in order while it is in the first cache.  Threads never touch each other's
 * rows, not even to write back what was there, so that the result does not depend on their number. */
struct leat_circle_renderer {
    int64_t            max_circles;
    int                max_width;
    leat_tpool        *pool;
    leat_circle_brush *brushes; /* [max_circles] */
};

typedef struct draw_job {
    leat_circle_renderer *renderer;
    const leat_circle    *circles;
    int64_t               count;
    leat_image           *canvas;
    int                   band_rows;
    uint64_t              writes; /* atomic */
} draw_job;

enum { BRUSHES_A_TASK = 64 };

int leat_circle_renderer_open(int64_t max_circles, int max_width, leat_tpool *pool, leat_circle_renderer **renderer) {
    if (!renderer) return LEAT_EINVAL;
    *renderer = NULL;
    if (max_circles < 0 || max_width < 1) return LEAT_EINVAL;
    if (max_circles > LEAT_CIRCLES_MAX) return LEAT_ELIMIT;
    leat__cpu_init();
    leat_circle_renderer *r = leat__calloc(1, sizeof *r, LEAT_MEMORY_PLAN);
    if (!r) return LEAT_ENOMEM;
    r->max_circles = max_circles;
    r->max_width = max_width;
    r->pool = pool ? leat_tpool_ref(pool) : NULL;
    r->brushes = leat__calloc((size_t)max_circles, sizeof *r->brushes, LEAT_MEMORY_PLAN);
    if (!r->brushes) {
        leat_circle_renderer_close(r);
        return LEAT_ENOMEM;
    }
    *renderer = r;
    return LEAT_OK;
}

void leat_circle_renderer_close(leat_circle_renderer *r) {
    if (!r) return;
    leat_tpool_unref(r->pool);
    leat__free(r->brushes);
    leat__free(r);
}

static void make_brushes(void *arg, int64_t index, int worker) {
    draw_job *job = arg;
    int64_t   end = (index + 1) * BRUSHES_A_TASK < job->count ? (index + 1) * BRUSHES_A_TASK : job->count;
    for (int64_t i = index * BRUSHES_A_TASK; i < end; i++) leat__circle_brush_make(&job->circles[i], job->canvas->height, &job->renderer->brushes[i]);
}

static void draw_band(void *arg, int64_t index, int worker) {
    draw_job   *job = arg;
    leat_image *canvas = job->canvas;
    int         y = (int)index * job->band_rows, rows = canvas->height - y < job->band_rows ? canvas->height - y : job->band_rows;
    uint8_t    *first = canvas->data + y * canvas->stride;
    int         is_dense = canvas->stride == 3 * (int64_t)canvas->width; /* else what stands between rows may be someone else's */
    leat_circle_band band = {first, is_dense ? first + rows * canvas->stride : first + 3 * (int64_t)canvas->width, canvas->stride, is_dense ? 0 : canvas->stride};
    uint64_t writes = leat__circle_band_paint(job->circles, job->renderer->brushes, job->count, band, canvas->width, y, rows, NULL);
    __atomic_add_fetch(&job->writes, writes, __ATOMIC_RELAXED);
}

int leat_circle_renderer_draw(leat_circle_renderer *r, const leat_circle *circles, int64_t count, leat_image *canvas, uint64_t *writes) {
    if (!r || !leat__circle_image_is_valid(canvas)) return LEAT_EINVAL;
    if (count > r->max_circles || canvas->width > r->max_width) return LEAT_ELIMIT;
    int status = leat_circles_check(circles, count, NULL);
    if (status != LEAT_OK) return status;
    draw_job job = {r, circles, count, canvas, leat__circle_band_rows(canvas->width), 0};
    leat__tpool_for(r->pool, (count + BRUSHES_A_TASK - 1) / BRUSHES_A_TASK, make_brushes, &job);
    leat__tpool_for(r->pool, (canvas->height + job.band_rows - 1) / job.band_rows, draw_band, &job);
    if (writes) *writes = job.writes;
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
