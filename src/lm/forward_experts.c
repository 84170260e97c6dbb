/* forward_experts.c - a mixture of experts: each row goes through the few experts that the router chooses for it.
 *
 * Rows are grouped by expert, so that an expert's weights are read once a step however many rows chose it, and experts that nobody chose are not read at all:
 *
 *   route    scores of all experts -> the best `used`, their weights -> slots (row, expert), sorted by expert
 *   open     one region over (expert, columns): gate and part to be gated of the expert's rows
 *   close    one region over (expert, columns): back to the width; then each row sums its slots in the order of their scores
 *
 * A shared expert is a dense part that all rows go through, weighed by a gate of its own.
 */
#include <math.h>
#include <string.h>

#include "cpu/lm_rows.h"
#include "lm/runner.h"

/* ---- routing ----------------------------------------------------------------------------------------------------------------------- */

/* The `used` best experts of row t in falling order, and what they weigh. */
static void choose(leat_lm_runner *r, int64_t t) {
    const leat_lm_params *p = &r->lm->params;
    leat_lm_moe *m = &r->moe;
    float   *score = m->scores + t * p->experts, *weight = m->weight + t * p->experts_used, sum = 0;
    int32_t *expert = m->expert + t * p->experts_used;
    leat__lm_rows.softmax(score, p->experts);
    for (int32_t k = 0; k < p->experts_used; k++) {
        int64_t best = leat__lm_rows.argmax(score, p->experts);
        expert[k] = (int32_t)best;
        weight[k] = score[best];
        sum += score[best];
        score[best] = -1; /* below all others */
    }
    if (!(r->lm->arch->traits & LM_TRAIT_EXPERT_RAW))
        for (int32_t k = 0; k < p->experts_used; k++) weight[k] /= sum;
}

/* Slots by expert, rows ascending within each. */
static void sort_slots(leat_lm_runner *r) {
    const leat_lm_params *p = &r->lm->params;
    leat_lm_moe *m = &r->moe;
    int32_t slots = r->n * p->experts_used, at = 0;
    memset(m->count, 0, (size_t)p->experts * sizeof *m->count);
    for (int32_t i = 0; i < slots; i++) m->count[m->expert[i]]++;
    m->n_active = 0;
    for (int32_t e = 0; e < p->experts; e++) {
        m->first[e] = at;
        at += m->count[e];
        if (m->count[e]) m->active[m->n_active++] = e;
        m->count[e] = 0;
    }
    for (int32_t i = 0; i < slots; i++) {
        m->slot[i] = m->first[m->expert[i]] + m->count[m->expert[i]]++;
        m->row[m->slot[i]] = i / p->experts_used;
    }
}

/* ---- experts --------------------------------------------------------------------------------------------------------------------------- */

typedef struct visiting {
    leat_lm_runner      *r;
    const leat_lm_layer *layer;
    int64_t              step, tasks; /* rows of a task, tasks of each expert */
} visiting;

/* Even tasks, about eight a thread over all experts. */
static void cut(visiting *v, int64_t rows, int64_t most) {
    int64_t share = leat__lm_units(rows) * v->r->moe.n_active / (8 * (int64_t)v->r->threads);
    share = share < 1 ? 1 : share < most ? share : most;
    v->step = share * LEAT_QMAT_ROWS;
    v->tasks = (rows + v->step - 1) / v->step;
}

/* An expert's rows, side by side and rounded. */
static void gather_expert(void *arg, int64_t index, int worker) {
    const visiting *v = arg;
    leat_lm_runner *r = v->r;
    leat_lm_moe    *m = &r->moe;
    const leat_lm_params *p = &r->lm->params;
    int32_t e = m->active[index];
    leat_qact *act = &m->act_in[e];
    uint8_t *memory = m->memory_in + (size_t)m->first[e] * m->slot_in + (size_t)index * m->slot_in;
    leat__lm_make_act(r, act, memory, m->in + (int64_t)m->first[e] * p->width, m->count[e], p->width);
    for (int64_t i = m->first[e]; i < m->first[e] + m->count[e]; i++)
        memcpy(m->in + i * p->width, r->act_h.x + m->row[i] * (int64_t)p->width, (size_t)p->width * sizeof(float));
    if (leat__qact_wanted(v->layer->each_gate[e].type) || leat__qact_wanted(v->layer->each_up[e].type)) leat__qact_round(act, 0, m->count[e]);
}

static void open_task(void *arg, int64_t index, int worker) {
    const visiting *v = arg;
    leat_lm_runner *r = v->r;
    leat_lm_moe    *m = &r->moe;
    int32_t e = m->active[index / v->tasks];
    const leat_qmat *up = &v->layer->each_up[e], *gate = &v->layer->each_gate[e];
    const leat_qact *act = &m->act_in[e];
    int64_t first = index % v->tasks * v->step, count = up->rows - first < v->step ? up->rows - first : v->step;
    leat__lm_open_part(r, up, gate, NULL, NULL, act, first, count, m->mid + m->first[e] * up->rows, worker, NULL);
}

static void round_expert(void *arg, int64_t index, int worker) {
    const visiting *v = arg;
    leat_lm_moe    *m = &v->r->moe;
    int64_t   width = v->r->lm->params.expert_width;
    int32_t   e = m->active[index];
    uint8_t  *memory = m->memory_mid + (size_t)m->first[e] * m->slot_mid + (size_t)index * m->slot_mid;
    leat__lm_make_act(v->r, &m->act_mid[e], memory, m->mid + m->first[e] * width, m->count[e], width);
    if (leat__qact_wanted(v->layer->each_down[e].type)) leat__qact_round(&m->act_mid[e], 0, m->count[e]);
}

static void close_task(void *arg, int64_t index, int worker) {
    const visiting *v = arg;
    leat_lm_runner *r = v->r;
    leat_lm_moe    *m = &r->moe;
    int32_t e = m->active[index / v->tasks];
    const leat_qmat *down = &v->layer->each_down[e];
    int64_t first = index % v->tasks * v->step, count = down->rows - first < v->step ? down->rows - first : v->step;
    leat__lm_part(down, &m->act_mid[e], NULL, first, count, m->in + m->first[e] * down->rows + first, down->rows, r->scratch + (size_t)worker * r->scratch_bytes,
                  NULL);
}

/* A row's slots, by falling score. */
static void sum_row(leat_lm_runner *r, int64_t t) {
    const leat_lm_params *p = &r->lm->params;
    const leat_lm_moe    *m = &r->moe;
    float *o = r->o + t * p->width;
    for (int32_t k = 0; k < p->experts_used; k++) {
        float *part = m->in + (int64_t)m->slot[t * p->experts_used + k] * p->width;
        leat__lm_rows.scale(part, m->weight[t * p->experts_used + k], p->width, k ? part : o);
        if (k) leat__lm_rows.add(o, part, p->width, o);
    }
}

static void visit(leat_lm_runner *r, const leat_lm_layer *l) {
    leat_lm_moe *m = &r->moe;
    const leat_lm_params *p = &r->lm->params;
    visiting v = {.r = r, .layer = l};
    int64_t work = (int64_t)r->n * p->experts_used * p->expert_width * p->width;
    leat__lm_for(r, (int64_t)r->n * p->experts_used * p->width, m->n_active, gather_expert, &v);
    cut(&v, p->expert_width, leat__lm_fitting(r, r->n));
    leat__lm_for(r, work, m->n_active * v.tasks, open_task, &v);
    leat__lm_for(r, (int64_t)r->n * p->experts_used * p->expert_width, m->n_active, round_expert, &v);
    cut(&v, p->width, INT64_MAX);
    leat__lm_for(r, work, m->n_active * v.tasks, close_task, &v);
}

/* The part that all rows go through: [n, width] into what the experts were gathered in, which is free again. */
static void add_shared(leat_lm_runner *r, const leat_lm_layer *l, int32_t index) {
    int64_t width = r->lm->params.width;
    leat_lm_dense shared = {&l->up_shared, &l->gate_shared, &l->down_shared, NULL, NULL, NULL};
    leat__lm_run_dense(r, &shared, index + 1, r->moe.in);
    for (int64_t t = 0; t < r->n; t++) {
        const float *h = r->act_h.x + t * width;
        double gate = 0;
        for (int64_t i = 0; i < width; i++) gate += (double)h[i] * l->shared_router[i];
        float *part = r->moe.in + t * width;
        leat__lm_rows.scale(part, (float)(1 / (1 + exp(-gate))), width, part);
        leat__lm_rows.add(r->o + t * width, part, width, r->o + t * width);
    }
}

void leat__lm_experts(leat_lm_runner *r, const leat_lm_layer *l, int32_t index) {
    leat_lm_product router = {.w = &l->router, .act = &r->act_h, .y = r->moe.scores, .ldy = r->lm->params.experts};
    leat__lm_follow(r, NULL, 0);
    leat__lm_multiply(r, &router, 1);
    for (int64_t t = 0; t < r->n; t++) choose(r, t);
    sort_slots(r);
    visit(r, l);
    for (int64_t t = 0; t < r->n; t++) sum_row(r, t);
    if (l->up_shared.data) add_shared(r, l, index);
}
