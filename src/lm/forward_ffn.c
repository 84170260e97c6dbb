/* forward_ffn.c - the dense feed-forward part of a layer: two regions.
 *
 * A task of the first one makes some columns of the gate and of the part that it gates, in its thread's scratch, and writes their product, so that neither
 * travels through memory.  The second region is the product back to the width.
 */
#include "cpu/lm_rows.h"
#include "lm/runner.h"

static void activate(const leat_lm_runner *r, const float *gate, const float *up, int64_t n, float *out) {
    switch (r->lm->arch->activation) {
    case LM_SILU: leat__lm_rows.silu_mul(gate, up, n, out); break;
    case LM_GELU_TANH: leat__lm_rows.gelu_mul(gate, up, n, out); break;
    case LM_GELU_ERF: leat__lm_rows.gelu_erf(gate, n, out); break; /* ungated, of encoders */
    }
}

int64_t leat__lm_fitting(const leat_lm_runner *r, int64_t n) {
    int64_t floats = (int64_t)((r->scratch_bytes - r->kernel_bytes - LEAT_ALIGN) / sizeof(float));
    return floats / (2 * n) / LEAT_QMAT_ROWS;
}

void leat__lm_open_part(leat_lm_runner *r, const leat_qmat *up, const leat_qmat *gate, const float *up_bias, const float *gate_bias, const leat_qact *act,
                        int64_t first, int64_t count, float *out, int worker, const uint8_t *next) {
    uint8_t *scratch = r->scratch + (size_t)worker * r->scratch_bytes;
    float   *ups = (float *)(void *)(scratch + r->kernel_bytes), *gates = ups + act->n * count;
    leat__lm_part(up, act, up_bias, first, count, ups, count, scratch, gate->data ? gate->data + first * gate->stride : next);
    if (gate->data) leat__lm_part(gate, act, gate_bias, first, count, gates, count, scratch, next);
    for (int64_t t = 0; t < act->n; t++)
        activate(r, gate->data ? gates + t * count : ups + t * count, gate->data ? ups + t * count : NULL, count, out + t * up->rows + first);
}

typedef struct opening {
    leat_lm_runner      *r;
    const leat_lm_dense *dense;
    leat_lm_cuts         cuts; /* of columns */
} opening;

static void open_task(void *arg, int64_t index, int worker) {
    const opening *o = arg;
    const leat_lm_dense *d = o->dense;
    for (leat_lm_run run = {0}; leat__lm_take(&o->cuts, index, worker, &run);) {
        int64_t first = run.first * LEAT_QMAT_ROWS, last = run.last * LEAT_QMAT_ROWS;
        if (last > d->up->rows) last = d->up->rows;
        const uint8_t *next = run.ends ? o->r->next[worker] : d->up->data + last * d->up->stride;
        leat__lm_open_part(o->r, d->up, d->gate, d->up_bias, d->gate_bias, &o->r->act_h, first, last - first, o->r->ffn, worker, next);
    }
}

void leat__lm_run_dense(leat_lm_runner *r, const leat_lm_dense *d, int32_t next, float *out) {
    opening o = {.r = r, .dense = d};
    leat_qact act;
    leat__lm_cut(r, leat__lm_units(d->up->rows), 2 * LEAT_QMAT_ROWS * d->up->stride, r->n, leat__lm_fitting(r, r->n), &o.cuts);
    leat__lm_follow(r, (const leat_qmat *[]){d->down}, 1);
    leat__lm_for(r, d->up->rows * d->up->cols * r->n, o.cuts.n, open_task, &o);
    leat__lm_make_act(r, &act, r->memory_ffn, r->ffn, r->n, d->up->rows);
    if (leat__qact_wanted(d->down->type)) leat__lm_round(r, &act);
    leat_lm_product down = {.w = d->down, .act = &act, .bias = d->down_bias, .y = out, .ldy = r->lm->params.width};
    leat__lm_follow_layer(r, next);
    leat__lm_multiply(r, &down, 1);
}

void leat__lm_ffn(leat_lm_runner *r, const leat_lm_layer *l, int32_t index) {
    leat_lm_dense dense = {&l->up, &l->gate, &l->down, l->up_bias, l->gate_bias, l->down_bias};
    leat__lm_run_dense(r, &dense, index + 1, r->o);
}
