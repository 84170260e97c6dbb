/* circlefit_eval.c - the cost of a candidate, by whichever path is cheapest; all give the same integer.
 *
 *   canvas of one colour, not too many circles   no pixels: circlefit_sweep.c
 *   one circle                                   its spans are mapped and compared in one pass, nothing is stored
 *   else                                         bands of rows are painted in the first cache and compared where they changed
 *
 * The last two start from the error of the bare canvas, take away what its prefix sums say about the changed pixels, and add what they are now.
 */
#include <string.h>

#include "base/mem.h"
#include "workloads/circlefit_sweep.h"

struct leat_circle_evaluator {
    leat_circle_target *target;
    int64_t             max_circles;
    leat_circle_sweep  *sweep;
    leat_circle_brush  *brushes; /* [max_circles] */
    uint8_t            *band;    /* [CIRCLE_TILE rows] */
};

int leat_circle_evaluator_open(leat_circle_target *target, int64_t max_circles, leat_circle_evaluator **evaluator) {
    if (!evaluator) return LEAT_EINVAL;
    *evaluator = NULL;
    if (!target || max_circles < 0) return LEAT_EINVAL;
    if (max_circles > LEAT_CIRCLES_MAX) return LEAT_ELIMIT;
    leat_circle_evaluator *e = leat__calloc(1, sizeof *e, LEAT_MEMORY_PLAN);
    if (!e) return LEAT_ENOMEM;
    e->target = leat_circle_target_ref(target);
    e->max_circles = max_circles;
    e->sweep = leat__circle_sweep_open(max_circles < SWEEP_MOST_CIRCLES ? (int)max_circles : SWEEP_MOST_CIRCLES);
    e->brushes = leat__calloc((size_t)max_circles, sizeof *e->brushes, LEAT_MEMORY_PLAN);
    e->band = leat__calloc(CIRCLE_TILE, (size_t)target->canvas.stride, LEAT_MEMORY_PLAN);
    if (!e->sweep || !e->brushes || !e->band) {
        leat_circle_evaluator_close(e);
        return LEAT_ENOMEM;
    }
    *evaluator = e;
    return LEAT_OK;
}

void leat_circle_evaluator_close(leat_circle_evaluator *e) {
    if (!e) return;
    leat_circle_target_unref(e->target);
    leat__circle_sweep_close(e->sweep);
    leat__free(e->brushes);
    leat__free(e->band);
    leat__free(e);
}

/* What the canvas's error in pixels [x0, x1) of row y is. */
static uint32_t canvas_error(const leat_circle_target *t, int y, int x0, int x1) {
    const uint32_t *row = t->errors + (int64_t)y * (t->canvas.width + 1);
    return row[x1] - row[x0];
}

static uint64_t evaluate_one(leat_circle_evaluator *e, const leat_circle *circle) {
    const leat_circle_target *t = e->target;
    leat_circle_brush        *brush = &e->brushes[0];
    leat_circle_spans         s;
    uint64_t                  sse = t->sse;
    leat__circle_brush_make(circle, t->canvas.height, brush);
    for (int y = brush->y0; y < brush->y1; y += CIRCLE_TILE) {
        int rows = brush->y1 - y < CIRCLE_TILE ? brush->y1 - y : CIRCLE_TILE;
        leat__circle.spans(&brush->outline, &circle->x, t->canvas.width, y, &s);
        for (int i = 0; i < rows; i++) {
            int x0 = s.x0[i], x1 = s.x1[i];
            if (x0 >= x1) continue;
            const uint8_t *a = t->canvas.data + (y + i) * t->canvas.stride, *b = t->reference.data + (y + i) * t->reference.stride;
            sse -= canvas_error(t, y + i, x0, x1);
            sse += leat__circle.painted_sse(&brush->map, a + 3 * x0, b + 3 * x0, 3 * (int64_t)(x1 - x0));
        }
    }
    return sse;
}

/* Rows that any of the brushes covers. */
static void rows_of(const leat_circle_brush *brushes, int64_t count, int *y0, int *y1) {
    *y0 = INT32_MAX;
    *y1 = 0;
    for (int64_t i = 0; i < count; i++) {
        if (brushes[i].y0 >= brushes[i].y1) continue;
        if (brushes[i].y0 < *y0) *y0 = brushes[i].y0;
        if (brushes[i].y1 > *y1) *y1 = brushes[i].y1;
    }
}

static uint64_t evaluate_bands(leat_circle_evaluator *e, const leat_circle *circles, int64_t count) {
    const leat_circle_target *t = e->target;
    int32_t                   reach[CIRCLE_TILE][2];
    uint64_t                  sse = t->sse;
    int                       y, end, step = leat__circle_band_rows(t->canvas.width);
    for (int64_t i = 0; i < count; i++) leat__circle_brush_make(&circles[i], t->canvas.height, &e->brushes[i]);
    for (rows_of(e->brushes, count, &y, &end); y < end; y += step) {
        int rows = end - y < step ? end - y : step;
        memcpy(e->band, t->canvas.data + y * t->canvas.stride, (size_t)(rows * t->canvas.stride));
        leat_circle_band band = {e->band, e->band + rows * t->canvas.stride, t->canvas.stride, 0};
        leat__circle_band_paint(circles, e->brushes, count, band, t->canvas.width, y, rows, reach[0]);
        for (int i = 0; i < rows; i++) {
            int x0 = reach[i][0], x1 = reach[i][1];
            if (x0 >= x1) continue;
            sse -= canvas_error(t, y + i, x0, x1);
            sse += leat__circle.sse(e->band + i * t->canvas.stride + 3 * x0, t->reference.data + (y + i) * t->reference.stride + 3 * x0, 3 * (int64_t)(x1 - x0));
        }
    }
    return sse;
}

int leat_circle_evaluate(leat_circle_evaluator *e, const leat_circle *circles, int64_t count, uint64_t *sse) {
    if (!e || !sse) return LEAT_EINVAL;
    if (count > e->max_circles) return LEAT_ELIMIT;
    int status = leat_circles_check(circles, count, NULL);
    if (status != LEAT_OK) return status;
    const leat_circle_target *t = e->target;
    if (t->is_flat && t->table.within && count <= SWEEP_MOST_CIRCLES) *sse = t->squares + (uint64_t)leat__circle_sweep_run(e->sweep, t, circles, (int)count);
    else *sse = count == 1 ? evaluate_one(e, circles) : evaluate_bands(e, circles, count);
    return LEAT_OK;
}
