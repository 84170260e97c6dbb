/* forward.c - a step: rows of tokens through all layers (contract in forward.h, the parts in runner.h).
 *
 *   embed -> [ attention -> join -> ffn -> join ] x layers -> output matrix
 *
 * A join adds a branch to the running sum and makes the next branch's input of it, normalised and rounded to what the next weights want, so that each row is
 * touched once between two products.  In the last layer only rows that want something go on behind the keys and values.
 */
#include <string.h>

#include "base/error.h"
#include "cpu/blocks.h"
#include "cpu/lm_rows.h"
#include "lm/runner.h"

/* n rows from here on. */
static void set_rows(leat_lm_runner *r, int32_t n) {
    const int64_t *size = r->lm->params.size;
    int encoder = (r->lm->arch->traits & LM_TRAIT_ENCODER) != 0;
    r->n = n;
    leat__lm_make_act(r, &r->act_h, r->memory_h, encoder ? r->x : r->h, n, size[LM_WIDTH]);
    leat__lm_make_act(r, &r->act_att, r->memory_att, r->att, n, size[LM_O]);
}

/* ---- rows between products ----------------------------------------------------------------------------------------------------- */

typedef struct joint {
    leat_lm_runner *r;
    const float    *branch_norm; /* of the branch before it is added, or NULL */
    const float    *norm, *norm_bias;
    int             round;       /* act_h is wanted rounded */
    int64_t         block;       /* rows of a task */
} joint;

static void normalise(const leat_lm_runner *r, const float *x, const float *weight, const float *bias, float *out) {
    const leat_lm_params *p = &r->lm->params;
    if (r->lm->arch->traits & LM_TRAIT_LAYER_NORM) leat__lm_rows.layer_norm(x, weight, bias, p->norm_eps, p->width, out);
    else leat__lm_rows.rms_norm(x, weight, p->norm_eps, p->width, out);
}

/* The next branch's input from the running sum of row t. */
static void enter(const joint *j, int64_t t) {
    leat_lm_runner *r = j->r;
    int64_t width = r->lm->params.width;
    float *x = r->x + t * width;
    if (r->lm->arch->traits & LM_TRAIT_ENCODER) {
        if (j->norm) normalise(r, x, j->norm, j->norm_bias, x);
    } else {
        normalise(r, x, j->norm, NULL, r->h + t * width);
    }
    if (j->round) leat__qact_round(&r->act_h, t, 1);
}

static void join_row(const joint *j, int64_t t) {
    leat_lm_runner *r = j->r;
    int64_t width = r->lm->params.width;
    float *x = r->x + t * width, *o = r->o + t * width;
    if (j->branch_norm) normalise(r, o, j->branch_norm, NULL, o);
    leat__lm_rows.add(x, o, width, x);
    enter(j, t);
}

static void embed_row(const joint *j, int64_t t) {
    leat_lm_runner *r = j->r;
    const leat_lm_globals *g = &r->lm->tensors;
    const leat_lm_params  *p = &r->lm->params;
    const leat_qmat *e = &g->embedding;
    const leat_block_format *format = leat__block_format(e->type);
    float *x = r->x + t * p->width, *extra = r->o + t * p->width;
    format->values(e->data + r->rows[t].token * e->stride, e->cols / format->length, x);
    if (p->embedding_scale != 1) leat__lm_rows.scale(x, p->embedding_scale, p->width, x);
    const leat_qmat *more[] = {&g->types, &g->positions};
    const int64_t    row[] = {0, r->positions[t]};
    for (int i = 0; i < 2; i++) {
        if (!more[i]->data) continue;
        format = leat__block_format(more[i]->type);
        format->values(more[i]->data + row[i] * more[i]->stride, p->width / format->length, extra);
        leat__lm_rows.add(x, extra, p->width, x);
    }
    enter(j, t);
}

static void join_block(void *arg, int64_t index, int worker) {
    const joint *j = arg;
    for (int64_t t = index * j->block; t < (index + 1) * j->block && t < j->r->n; t++) join_row(j, t);
}

static void embed_block(void *arg, int64_t index, int worker) {
    const joint *j = arg;
    for (int64_t t = index * j->block; t < (index + 1) * j->block && t < j->r->n; t++) embed_row(j, t);
}

static void for_rows(joint *j, leat_task_fn fn) {
    int64_t n = j->r->n;
    j->block = leat__lm_row_block(n);
    leat__lm_for(j->r, leat__lm_row_work(n, j->r->lm->params.width), (n + j->block - 1) / j->block, fn, j);
}

static int wants(const leat_qmat *w) { return w->data && leat__qact_wanted(w->type); }

static int attention_wants(const leat_lm_layer *l) { return wants(&l->q) || wants(&l->k) || wants(&l->v); }
/* Experts round what they gather. */
static int ffn_wants(const leat_lm_layer *l) {
    return wants(&l->gate) || wants(&l->up) || wants(&l->router) || wants(&l->gate_shared) || wants(&l->up_shared);
}

/* ---- the step -------------------------------------------------------------------------------------------------------------------- */

/* Groups the rows by cache, and checks them. */
static int make_spans(leat_lm_runner *r, const leat_lm_row *rows, int32_t n, leat_error *error) {
    r->n_spans = r->n_wanted = 0;
    for (int32_t i = 0; i < n; i++) {
        leat_lm_span *s = r->n_spans ? &r->spans[r->n_spans - 1] : NULL;
        if (!s || s->kv != rows[i].kv) {
            s = &r->spans[r->n_spans++];
            *s = (leat_lm_span){.kv = rows[i].kv, .first = i};
        }
        r->positions[i] = s->kv->length + s->count++;
        if (r->positions[i] >= s->kv->capacity)
            return leat__fail(error, LEAT_ELIMIT, "the context of %d tokens is full", (int)s->kv->capacity);
        if (r->lm->tensors.positions.data && r->positions[i] >= r->lm->tensors.positions.rows)
            return leat__fail(error, LEAT_ELIMIT, "the model has places for %d tokens only", (int)r->lm->tensors.positions.rows);
        if (rows[i].want) r->wanted[r->n_wanted++] = i;
    }
    for (int32_t i = 0; i < r->n_spans; i++)
        if (!leat__lm_kv_make_room(r->spans[i].kv, r->spans[i].count))
            return leat__fail(error, LEAT_EINVAL, "a step of %d rows of a session whose batch is smaller", (int)r->spans[i].count);
    return LEAT_OK;
}

/* Of the last layer: queries from the first to the last row of a span that wants something. */
static void narrow_queries(leat_lm_runner *r) {
    int32_t w = 0;
    for (int32_t i = 0; i < r->n_spans; i++) {
        leat_lm_span *s = &r->spans[i];
        int32_t first = w;
        while (w < r->n_wanted && r->wanted[w] < s->first + s->count) w++;
        s->query = w > first ? r->wanted[first] : s->first;
        s->queries = w > first ? r->wanted[w - 1] + 1 - s->query : 0;
    }
}

/* Only rows that want something go on: they move to the front. */
static void keep_wanted(leat_lm_runner *r) {
    int64_t width = r->lm->params.width, heads = r->lm->params.size[LM_O];
    for (int32_t i = 0; i < r->n_wanted; i++) {
        int32_t from = r->wanted[i];
        if (from == i) continue;
        memcpy(r->x + i * width, r->x + from * width, (size_t)width * sizeof *r->x);
        memcpy(r->att + i * heads, r->att + from * heads, (size_t)heads * sizeof *r->att);
    }
    set_rows(r, r->n_wanted);
}

static void attention_out(leat_lm_runner *r, const leat_lm_layer *l) {
    if (wants(&l->o)) leat__lm_round(r, &r->act_att);
    leat_lm_product product = {.w = &l->o, .act = &r->act_att, .bias = l->o_bias, .y = r->o, .ldy = r->lm->params.width};
    leat__lm_follow(r, (const leat_qmat *[]){&l->up}, !l->router.data);
    leat__lm_multiply(r, &product, 1);
}

/* Layer `index`; 0 when nothing wants to go on. */
static int run_layer(leat_lm_runner *r, int32_t index) {
    const leat_lm *lm = r->lm;
    const leat_lm_layer *l = &lm->layers[index], *next = l + 1;
    int last = index + 1 == lm->params.layers, encoder = (lm->arch->traits & LM_TRAIT_ENCODER) != 0;
    if (last) narrow_queries(r);
    leat__lm_attend(r, l, index);
    if (last) keep_wanted(r);
    if (r->n == 0) return 0;
    attention_out(r, l);
    joint middle = {.r = r, .branch_norm = l->attn_post_norm, .norm = encoder ? l->attn_out_norm : l->ffn_norm, .norm_bias = l->attn_out_norm_bias,
                    .round = ffn_wants(l)};
    for_rows(&middle, join_block);
    if (l->router.data) leat__lm_experts(r, l, index);
    else leat__lm_ffn(r, l, index);
    joint end = {.r = r, .branch_norm = l->ffn_post_norm, .norm = encoder ? l->layer_out_norm : last ? lm->tensors.output_norm : next->attn_norm,
                 .norm_bias = l->layer_out_norm_bias, .round = last ? !encoder && wants(&lm->tensors.output) : attention_wants(next)};
    for_rows(&end, join_block);
    return 1;
}

static void write_outputs(leat_lm_runner *r, const leat_lm_outputs *out) {
    const leat_lm_params *p = &r->lm->params;
    const float *states = r->act_h.x;
    if (out->states) memcpy(out->states, states, (size_t)r->n * (size_t)p->width * sizeof *states);
    for (int64_t t = 0; out->sum && t < r->n; t++) leat__lm_rows.add(out->sum, states + t * p->width, p->width, out->sum);
    if (!out->logits || r->n == 0) return;
    leat_lm_product product = {.w = &r->lm->tensors.output, .act = &r->act_h, .y = out->logits, .ldy = p->vocabulary};
    leat__lm_follow_layer(r, 0);
    leat__lm_multiply(r, &product, 1);
    for (int64_t t = 0; p->logit_cap > 0 && t < r->n; t++)
        leat__lm_rows.softcap(out->logits + t * p->vocabulary, p->logit_cap, p->vocabulary, out->logits + t * p->vocabulary);
}

static int step(leat_lm_runner *r, const leat_lm_outputs *out, const atomic_int *cancel, leat_error *error) {
    const leat_lm *lm = r->lm;
    int encoder = (lm->arch->traits & LM_TRAIT_ENCODER) != 0, going = 1;
    joint begin = {.r = r, .norm = encoder ? lm->tensors.embedding_norm : lm->layers[0].attn_norm, .norm_bias = lm->tensors.embedding_norm_bias,
                   .round = attention_wants(&lm->layers[0])};
    for_rows(&begin, embed_block);
    leat__lm_make_angles(r);
    for (int32_t i = 0; going && i < lm->params.layers; i++) {
        if (cancel && atomic_load_explicit(cancel, memory_order_relaxed)) return leat__fail(error, LEAT_ECANCELLED, "cancelled");
        going = run_layer(r, i);
    }
    if (going) write_outputs(r, out);
    for (int32_t i = 0; i < r->n_spans; i++) r->spans[i].kv->length += r->spans[i].count;
    return LEAT_OK;
}

int leat__lm_forward(leat_lm_runner *r, const leat_lm_row *rows, int32_t n, const leat_lm_outputs *out, const atomic_int *cancel, leat_error *error) {
    if (n < 1 || n > r->capacity) return leat__fail(error, LEAT_EINVAL, "a step of %d rows; the runner takes 1..%d", (int)n, (int)r->capacity);
    int status = make_spans(r, rows, n, error);
    if (status) return status;
    r->rows = rows;
    set_rows(r, n);
    for (int32_t i = 0; i < r->n_spans; i++) r->spans[i].query = r->spans[i].first, r->spans[i].queries = r->spans[i].count;
    uint64_t before = leat__thread_hot_allocations();
    leat__hot_enter();
    status = step(r, out, cancel, error);
    leat__hot_leave();
    r->hot_allocations += leat__thread_hot_allocations() - before;
    return status;
}
