/* circlefit_eval.c - the cost of a candidate. */
#include "base/mem.h"
#include "workloads/circlefit_sweep.h"

struct leat_circle_evaluator {
    leat_circle_target *target;
    int64_t             max_circles;
    leat_circle_planes  scratch;
    leat_circle_sweep  *sweep;
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
    if (!e->sweep || leat__circle_planes_alloc(target->reference.width, target->reference.height, &e->scratch) != LEAT_OK) {
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
    leat__circle_planes_free(&e->scratch);
    leat__free(e);
}

int leat_circle_evaluate(leat_circle_evaluator *e, const leat_circle *circles, int64_t count, uint64_t *sse) {
    if (!e || !sse) return LEAT_EINVAL;
    if (count > e->max_circles) return LEAT_ELIMIT;
    int status = leat_circles_check(circles, count, NULL);
    if (status != LEAT_OK) return status;
    if (e->target->is_flat && e->target->sums && count <= SWEEP_MOST_CIRCLES) {
        *sse = e->target->squares + (uint64_t)leat__circle_sweep_run(e->sweep, e->target, circles, (int)count);
        return LEAT_OK;
    }
    leat__circle_planes_copy(&e->target->canvas, &e->scratch);
    leat__circle_planes_paint(&e->scratch, circles, count);
    *sse = leat__circle_planes_sse(&e->scratch, &e->target->reference);
    return LEAT_OK;
}
