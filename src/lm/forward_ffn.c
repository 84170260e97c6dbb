/* forward_ffn.c - the dense feed-forward part of a layer: two regions.
 *
 * A task of the first one makes some columns of the gate and of the part that it gates, in its thread's scratch, and writes their product, so that neither
 * travels through memory.  The second region is the product back to the width.
 */
#include "cpu/lm_rows.h"
#include "lm/runner.h"

void leat__lm_gate(const leat_lm_runner *r, const float *gate, const float *up, int64_t n, float *out) {
    switch (r->lm->arch->activation) {
    case LM_SILU: leat__lm_rows.silu_mul(gate, up, n, out); break;
    case LM_GELU_TANH: leat__lm_rows.gelu_mul(gate, up, n, out); break;
    case LM_GELU_ERF: /* ungated, of encoders */ leat__lm_rows.gelu_erf(gate, n, out); break;
    }
}

typedef struct opening {
    leat_lm_runner      *r;
    const leat_lm_layer *layer;
    int64_t              step; /* columns of a task */
} opening;

static void open_chunk(void *arg, int64_t index, int worker) {
    const opening  *o = arg;
    leat_lm_runner *r = o->r;
    const leat_lm_layer *l = o->layer;
    int64_t width = l->up.rows, first = index * o->step, count = width - first < o->step ? width - first : o->step, n = r->n;
    uint8_t *scratch = r->scratch + (size_t)worker * r->scratch_bytes;
    float   *up = (float *)(void *)(scratch + r->kernel_bytes), *gate = up + n * o->step;
    leat__lm_part(&l->up, &r->act_h, l->up_bias, first, count, up, o->step, scratch);
    if (l->gate.data) leat__lm_part(&l->gate, &r->act_h, l->gate_bias, first, count, gate, o->step, scratch);
    for (int64_t t = 0; t < n; t++)
        leat__lm_gate(r, l->gate.data ? gate + t * o->step : up + t * o->step, l->gate.data ? up + t * o->step : NULL, count, r->ffn + t * width + first);
}

void leat__lm_ffn(leat_lm_runner *r, const leat_lm_layer *l) {
    opening o = {.r = r, .layer = l, .step = leat__lm_chunk(r, l->up.stride, l->up.rows, r->n)};
    int64_t most = (int64_t)((r->scratch_bytes - r->kernel_bytes - LEAT_ALIGN) / sizeof(float)) / (2 * r->n) / LEAT_QMAT_ROWS * LEAT_QMAT_ROWS;
    if (o.step > most) o.step = most;
    leat__lm_for(r, l->up.rows * l->up.cols * r->n, (l->up.rows + o.step - 1) / o.step, open_chunk, &o);
    if (leat__qact_wanted(l->down.type)) leat__lm_round(r, &r->act_ffn);
    leat_lm_product down = {.w = &l->down, .act = &r->act_ffn, .bias = l->down_bias, .y = r->o, .ldy = r->lm->params.width};
    leat__lm_multiply(r, &down, 1);
}
