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

void leat__lm_part(const leat_qmat *w, const leat_qact *act, const float *bias, int64_t first, int64_t count, float *y, int64_t ldy, void *scratch, const uint8_t *next) {
    leat_qmat part = *w;
    leat_qact own = *act;
    part.data += first * w->stride;
    part.rows = count;
    own.next = next;
    leat__qmat(&part, &own, 0, count, y, ldy, scratch);
    for (int64_t t = 0; bias && t < act->n; t++) leat__lm_rows.add(y + t * ldy, bias + first, count, y + t * ldy);
}

typedef struct products {
    leat_lm_runner        *r;
    const leat_lm_product *list;
    int                    count;
    leat_lm_cuts           cuts;
} products;

static void multiply_run(const products *all, const leat_lm_run *run, int worker) {
    int64_t at = run->first, end = run->last;
    void   *scratch = all->r->scratch + (size_t)worker * all->r->scratch_bytes;
    for (const leat_lm_product *p = all->list; p < all->list + all->count && end > 0; p++) {
        int64_t units = leat__lm_units(p->w->rows), first = at * LEAT_QMAT_ROWS, last = end * LEAT_QMAT_ROWS;
        const uint8_t *next = end <= units && run->ends ? all->r->next[worker] : end >= units && p + 1 < all->list + all->count ? p[1].w->data : NULL;
        if (last > p->w->rows) last = p->w->rows;
        if (at < units) leat__lm_part(p->w, p->act, p->bias, first, last - first, p->y + first, p->ldy, scratch, next);
        at = at < units ? 0 : at - units;
        end -= units;
    }
}

static void multiply_task(void *arg, int64_t index, int worker) {
    const products *all = arg;
    leat_lm_run     run = {0};
    while (leat__lm_take(&all->cuts, index, worker, &run)) multiply_run(all, &run, worker);
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
