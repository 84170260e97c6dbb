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

int64_t leat__lm_fitting(const leat_lm_runner *r, int64_t step, int64_t n) {
    int64_t floats = (int64_t)((r->scratch_bytes - r->kernel_bytes - LEAT_ALIGN) / sizeof(float));
    int64_t most = floats / (2 * n) / LEAT_QMAT_ROWS * LEAT_QMAT_ROWS;
    return step < most ? step : most;
}

void leat__lm_open_part(leat_lm_runner *r, const leat_qmat *up, const leat_qmat *gate, const float *up_bias, const float *gate_bias, const leat_qact *act,
                        int64_t first, int64_t count, float *out, int worker) {
    uint8_t *scratch = r->scratch + (size_t)worker * r->scratch_bytes;
    float   *ups = (float *)(void *)(scratch + r->kernel_bytes), *gates = ups + act->n * count;
    leat__lm_part(up, act, up_bias, first, count, ups, count, scratch);
    if (gate->data) leat__lm_part(gate, act, gate_bias, first, count, gates, count, scratch);
    for (int64_t t = 0; t < act->n; t++)
        activate(r, gate->data ? gates + t * count : ups + t * count, gate->data ? ups + t * count : NULL, count, out + t * up->rows + first);
}

typedef struct opening {
    leat_lm_runner  *r;
    const leat_qmat *up, *gate;
    const float     *up_bias, *gate_bias;
    int64_t          step; /* columns of a task */
} opening;

static void open_chunk(void *arg, int64_t index, int worker) {
    const opening *o = arg;
    int64_t first = index * o->step, left = o->up->rows - first;
    leat__lm_open_part(o->r, o->up, o->gate, o->up_bias, o->gate_bias, &o->r->act_h, first, left < o->step ? left : o->step, o->r->ffn, worker);
}

void leat__lm_run_dense(leat_lm_runner *r, const leat_lm_dense *d, float *out) {
    opening o = {r, d->up, d->gate, d->up_bias, d->gate_bias, leat__lm_chunk(r, d->up->stride, d->up->rows, r->n)};
    leat_qact act;
    o.step = leat__lm_fitting(r, o.step, r->n);
    leat__lm_for(r, d->up->rows * d->up->cols * r->n, (d->up->rows + o.step - 1) / o.step, open_chunk, &o);
    leat__qact_init(&act, r->memory_ffn, r->ffn, r->n, d->up->rows, d->up->rows);
    if (leat__qact_wanted(d->down->type)) leat__lm_round(r, &act);
    leat_lm_product down = {.w = d->down, .act = &act, .bias = d->down_bias, .y = out, .ldy = r->lm->params.width};
    leat__lm_multiply(r, &down, 1);
}

void leat__lm_ffn(leat_lm_runner *r, const leat_lm_layer *l) {
    leat_lm_dense dense = {&l->up, &l->gate, &l->down, l->up_bias, l->gate_bias, l->down_bias};
    leat__lm_run_dense(r, &dense, r->o);
}
