/* forward_attention.c - queries, keys and values of a layer, their rotation, the cache, attention.
 *
 * The products of q, k and v are one region; norms of heads, rotation and storing go row by row; attention runs in pieces that attn_kv.h cuts, of all
 * sessions of the step side by side.
 */
#include "cpu/lm_rows.h"
#include "lm/runner.h"

/* ---- angles ---------------------------------------------------------------------------------------------------------------------- */

static float *angles_of(const leat_lm_runner *r, int rope, int64_t t) {
    int64_t half = r->lm->params.rope_width / 2;
    return r->angles + ((rope == LM_ROPE_LOCAL ? r->capacity : 0) + t) * 2 * half;
}

static void angles_row(const leat_lm_runner *r, const leat_lm_span *s, int32_t t) {
    const leat_lm_rope *ropes = r->lm->ropes;
    int32_t half = r->lm->params.rope_width / 2;
    float  *out = angles_of(r, LM_ROPE_MAIN, t);
    leat__lm_rope_angles(&ropes[s->kv->main_rope], half, r->positions[t], out, out + half);
    if (!ropes[LM_ROPE_LOCAL].frequency) return;
    out = angles_of(r, LM_ROPE_LOCAL, t);
    leat__lm_rope_angles(&ropes[LM_ROPE_LOCAL], half, r->positions[t], out, out + half);
}

static void angles_span(void *arg, int64_t index, int worker) {
    const leat_lm_runner *r = arg;
    const leat_lm_span   *s = r->spans;
    int32_t first = (int32_t)index * 8, last = first + 8 < r->n ? first + 8 : r->n;
    for (int32_t t = first; t < last; t++) {
        while (t >= s->first + s->count) s++;
        angles_row(r, s, t);
    }
}

void leat__lm_make_angles(leat_lm_runner *r) {
    if (r->lm->params.rope_width) leat__lm_for(r, (int64_t)r->n * r->lm->params.rope_width * 40, (r->n + 7) / 8, angles_span, r);
}

/* ---- rows into the cache ----------------------------------------------------------------------------------------------------------- */

typedef struct placing {
    leat_lm_runner      *r;
    const leat_lm_layer *layer;
    int32_t              index; /* of the layer */
    int64_t              block; /* rows of a task */
} placing;

static void turn_heads(const placing *p, float *x, int heads, const float *norm, int64_t t) {
    const leat_lm_runner *r = p->r;
    const leat_lm_params *params = &r->lm->params;
    int64_t half = params->rope_width / 2;
    const float *angles = p->layer->rope == LM_ROPE_OFF ? NULL : angles_of(r, p->layer->rope, t);
    for (int h = 0; h < heads; h++, x += params->k_width) {
        if (norm) leat__lm_rows.rms_norm(x, norm, params->norm_eps, params->k_width, x);
        if (!angles) continue;
        if (r->lm->arch->rotation == LM_ROTATE_PAIRS) leat__lm_rows.rope_pairs(x, angles, angles + half, half);
        else leat__lm_rows.rope_halves(x, angles, angles + half, half);
    }
}

static void place_row(const placing *p, const leat_lm_kv *kv, int64_t t) {
    leat_lm_runner *r = p->r;
    const leat_lm_params *params = &r->lm->params;
    float *q = r->qkv + t * params->size[LM_QKV], *k = q + params->size[LM_Q], *v = k + params->size[LM_K];
    turn_heads(p, q, params->heads, p->layer->q_norm, t);
    turn_heads(p, k, params->kv_heads, p->layer->k_norm, t);
    const leat_lm_kv_rows *rows = leat__lm_kv_rows_of(kv, p->layer);
    uint8_t *data = kv->data + kv->offset[p->index];
    int64_t  at = r->positions[t] - rows->first;
    leat__kv_store((leat_kv_format)kv->type, k, params->k_width, params->kv_heads, params->k_width, data + at * kv->k_row, rows->k_head);
    leat__kv_store((leat_kv_format)kv->type, v, params->v_width, params->kv_heads, params->v_width, data + rows->v_offset + at * kv->v_row, rows->v_head);
}

static void place_block(void *arg, int64_t index, int worker) {
    const placing      *p = arg;
    const leat_lm_span *s = p->r->spans;
    for (int64_t t = index * p->block; t < (index + 1) * p->block && t < p->r->n; t++) {
        while (t >= s->first + s->count) s++;
        place_row(p, s->kv, t);
    }
}

static void multiply_qkv(leat_lm_runner *r, const leat_lm_layer *l) {
    const int64_t *size = r->lm->params.size;
    float *q = r->qkv, *k = q + size[LM_Q], *v = k + size[LM_K];
    leat_lm_product list[] = {{.w = &l->q, .act = &r->act_h, .bias = l->q_bias, .y = q, .ldy = size[LM_QKV]},
                              {.w = &l->k, .act = &r->act_h, .bias = l->k_bias, .y = k, .ldy = size[LM_QKV]},
                              {.w = &l->v, .act = &r->act_h, .bias = l->v_bias, .y = v, .ldy = size[LM_QKV]}};
    leat__lm_follow(r, (const leat_qmat *[]){&l->o}, 1);
    leat__lm_multiply(r, list, 3);
}

/* ---- attention ----------------------------------------------------------------------------------------------------------------------- */

typedef struct attending {
    leat_lm_runner *r;
    int             count;
    leat_attn_kv    call[LEAT_LM_SPANS];
    int64_t         pieces[LEAT_LM_SPANS];
} attending;

static leat_attn_kv call_of(const leat_lm_runner *r, const leat_lm_layer *l, int32_t index, const leat_lm_span *s) {
    const leat_lm_params *p = &r->lm->params;
    const leat_lm_kv     *kv = s->kv;
    int encoder = (r->lm->arch->traits & LM_TRAIT_ENCODER) != 0;
    const leat_lm_kv_rows *rows = leat__lm_kv_rows_of(kv, l);
    const uint8_t *data = kv->data + kv->offset[index];
    return (leat_attn_kv){
        .q = r->qkv + s->query * p->size[LM_QKV], .ldq = p->size[LM_QKV], .n = s->queries, .out = r->att + s->query * p->size[LM_O], .ldo = p->size[LM_O],
        .k = data, .k_head = rows->k_head, .k_row = kv->k_row, .v = data + rows->v_offset, .v_head = rows->v_head, .v_row = kv->v_row,
        .format = (leat_kv_format)kv->type, .length = r->positions[s->first] + s->count - rows->first, .first_position = r->positions[s->query] - rows->first, .causal = !encoder,
        .window = l->window, .heads = p->heads, .kv_heads = p->kv_heads, .k_width = p->k_width, .v_width = p->v_width, .scale = p->attention_scale,
        .softcap = p->attention_cap};
}

static void attend_piece(void *arg, int64_t index, int worker) {
    const attending *a = arg;
    int i = 0;
    while (index >= a->pieces[i]) index -= a->pieces[i++];
    leat__attn_kv_piece(&a->call[i], index, a->r->scratch + (size_t)worker * a->r->scratch_bytes, a->r->shared + (size_t)i * a->r->shared_bytes);
}

static void attend_group(attending *a) {
    int64_t pieces = 0, work = 0;
    for (int i = 0; i < a->count; i++) {
        const leat_attn_kv *c = &a->call[i];
        pieces += a->pieces[i] = leat__attn_kv_pieces(c);
        work += c->n * c->length * c->heads * (c->k_width + c->v_width);
    }
    leat__lm_for(a->r, work, pieces, attend_piece, a);
    for (int i = 0; i < a->count; i++) leat__attn_kv_finish(&a->call[i], a->r->shared + (size_t)i * a->r->shared_bytes);
}

void leat__lm_attend(leat_lm_runner *r, const leat_lm_layer *layer, int32_t index) {
    placing   p = {.r = r, .layer = layer, .index = index, .block = leat__lm_row_block(r->n)};
    attending a = {.r = r};
    multiply_qkv(r, layer);
    leat__lm_for(r, leat__lm_row_work(r->n, r->lm->params.size[LM_QKV]), (r->n + p.block - 1) / p.block, place_block, &p);
    for (int32_t i = 0; i < r->n_spans; i++) {
        if (r->spans[i].queries > 0) a.call[a.count++] = call_of(r, layer, index, &r->spans[i]);
        if (a.count < LEAT_LM_SPANS && (i + 1 < r->n_spans || a.count == 0)) continue;
        attend_group(&a);
        a.count = 0;
    }
}
