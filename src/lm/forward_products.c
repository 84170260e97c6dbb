/* forward_products.c - what the parts of a step are made of: regions over the pool, products of weights with all rows, rounding (contract in runner.h).
 *
 * A region costs microseconds, so several products of the same rows share one, and little work has none. */
#include "cpu/lm_rows.h"
#include "lm/runner.h"

#define SERIAL_WORK 20000 /* operations that are not worth a region */
#define ROW_WORK 8        /* operations on each element of a row between two products */

void leat__lm_for(leat_lm_runner *r, int64_t work, int64_t n, leat_task_fn fn, void *arg) {
    if (work < SERIAL_WORK) {
        for (int64_t i = 0; i < n; i++) fn(arg, i, 0);
    } else {
        leat__tpool_for_n(r->lm->pool, r->threads, n, fn, arg);
    }
}

int64_t leat__lm_row_work(int64_t n, int64_t width) { return n > 1 ? n * width * ROW_WORK : 0; }
int64_t leat__lm_row_block(int64_t n) { return n <= LEAT_QMAT_FEW ? 1 : 8; }

void leat__lm_cut(const leat_lm_runner *r, int64_t units, int64_t unit_bytes, int64_t n, int64_t most, leat_lm_cuts *c) {
    const int64_t last_bytes = 16 << 10; /* of the smallest task with few tokens: a microsecond */
    int64_t least = 1 + last_bytes / (unit_bytes + 1), threads = r->threads, at = 0;
    c->units = units;
    c->step = 0;
    c->n = 0;
    for (; n <= LEAT_QMAT_FEW && at < units && c->n < LEAT_LM_CUTS; c->n++) {
        int64_t share = 4 * (units - at) / (5 * threads);
        share = share < least ? least : share;
        c->at[c->n] = at;
        at += share < most ? share : most;
    }
    c->at[c->n] = units;
    if (at >= units) return;
    c->step = units / (4 * threads); /* even ones, of at most 64 rows */
    c->step = c->step < 1 ? 1 : c->step > 4 ? 4 : c->step;
    c->step = c->step < most ? c->step : most;
    c->n = (units + c->step - 1) / c->step;
}

void leat__lm_part(const leat_qmat *w, const leat_qact *act, const float *bias, int64_t first, int64_t count, float *y, int64_t ldy, void *scratch) {
    leat_qmat part = *w;
    part.data += first * w->stride;
    part.rows = count;
    leat__qmat(&part, act, 0, count, y, ldy, scratch);
    for (int64_t t = 0; bias && t < act->n; t++) leat__lm_rows.add(y + t * ldy, bias + first, count, y + t * ldy);
}

typedef struct products {
    leat_lm_runner        *r;
    const leat_lm_product *list;
    int                    count;
    leat_lm_cuts           cuts;
} products;

static void multiply_task(void *arg, int64_t index, int worker) {
    const products *all = arg;
    int64_t at = leat__lm_first(&all->cuts, index), end = leat__lm_last(&all->cuts, index);
    void   *scratch = all->r->scratch + (size_t)worker * all->r->scratch_bytes;
    for (const leat_lm_product *p = all->list; p < all->list + all->count && end > 0; p++) {
        int64_t units = leat__lm_units(p->w->rows), first = at * LEAT_QMAT_ROWS, last = end * LEAT_QMAT_ROWS;
        if (last > p->w->rows) last = p->w->rows;
        if (at < units) leat__lm_part(p->w, p->act, p->bias, first, last - first, p->y + first, p->ldy, scratch);
        at = at < units ? 0 : at - units;
        end -= units;
    }
}

void leat__lm_multiply(leat_lm_runner *r, const leat_lm_product *list, int count) {
    products all = {.r = r, .list = list, .count = count};
    int64_t units = 0, work = 0, bytes = 0;
    for (int i = 0; i < count; i++) {
        units += leat__lm_units(list[i].w->rows);
        bytes += list[i].w->rows * list[i].w->stride;
        work += list[i].w->rows * list[i].w->cols * list[i].act->n;
    }
    leat__lm_cut(r, units, bytes / units, list[0].act->n, INT64_MAX, &all.cuts);
    leat__lm_for(r, work, all.cuts.n, multiply_task, &all);
}

void leat__lm_make_act(const leat_lm_runner *r, leat_qact *act, void *memory, const float *x, int64_t n, int64_t cols) {
    leat__qact_init(act, memory, x, n, cols, cols);
    act->alone = r->threads == 1;
}

typedef struct rounding {
    leat_qact *act;
    int64_t    block;
} rounding;

static void round_block(void *arg, int64_t index, int worker) {
    const rounding *q = arg;
    int64_t first = index * q->block, left = q->act->n - first;
    leat__qact_round(q->act, first, left < q->block ? left : q->block);
}

void leat__lm_round(leat_lm_runner *r, leat_qact *act) {
    rounding q = {act, leat__lm_row_block(act->n)};
    leat__lm_for(r, leat__lm_row_work(act->n, act->cols), (act->n + q.block - 1) / q.block, round_block, &q);
}
