/* attn_core.c - the blockwise attention of attn_core.h. */
#include "ops/attn_core.h"

#include <math.h>
#include <string.h>

#include "cpu/gemm_f32.h"
#include "cpu/transpose.h"
#include "cpu/vmath.h"

enum { QUERIES = 256, KEYS = 512 };

typedef struct attn_plan {
    const leat_attn *a;
    int64_t          queries, keys, blocks; /* of a task, of a key block, query blocks of a head */
    size_t           packed, turned, scores, rows, gemm, worker; /* bytes */
    char            *scratch;
} attn_plan;

/* What a worker has at hand. */
typedef struct attn_tile {
    float  *packed, *turned, *scores, *max, *sum, *scale;
    void   *gemm;
    int64_t b, h, q0, m; /* batch, head, first query, queries */
} attn_tile;

static size_t padded(size_t bytes) { return (bytes + LEAT_TAIL_BYTES + LEAT_ALIGN - 1) & ~(size_t)(LEAT_ALIGN - 1); }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static const float plain; /* stands for a left-hand side when only sizes are asked */

static leat_gemm scores_gemm(const attn_plan *plan, int64_t m, int64_t n) {
    const leat_attn *a = plan->a;
    leat_gemm g = {.m = m, .n = n, .k = a->D, .taps = 1, .a = &plain, .lda = a->qs.s, .ldc = plan->keys};
    return g;
}

static leat_gemm output_gemm(const attn_plan *plan, int64_t m, int64_t k) {
    const leat_attn *a = plan->a;
    leat_gemm g = {.m = m, .n = a->DV, .k = k, .taps = 1, .a = &plain, .lda = plan->keys, .ldc = a->ys.s};
    return g;
}

static void make_plan(const leat_op_call *call, const leat_attn *a, attn_plan *plan) {
    int64_t heads = a->B * a->H, threads = call->threads > 1 ? call->threads : 1;
    memset(plan, 0, sizeof *plan);
    plan->a = a;
    plan->keys = a->scores ? a->T : min64(a->T, KEYS);
    plan->queries = min64(a->S, QUERIES);
    while (plan->queries > 32 && heads * ((a->S + plan->queries - 1) / plan->queries) < 2 * threads) plan->queries = (plan->queries + 1) / 2;
    if (plan->queries < 1) plan->queries = 1;
    if (plan->keys < 1) plan->keys = 1;
    plan->blocks = (a->S + plan->queries - 1) / plan->queries;
    leat_gemm s = scores_gemm(plan, plan->queries, plan->keys), y = output_gemm(plan, plan->queries, plan->keys);
    size_t kp = leat__f32_gemm_packed_bytes(a->D, plan->keys), vp = leat__f32_gemm_packed_bytes(plan->keys, a->DV);
    size_t gs = leat__f32_gemm_scratch(&s), gy = leat__f32_gemm_scratch(&y);
    plan->packed = padded(kp > vp ? kp : vp);
    plan->scores = padded((size_t)(plan->queries * plan->keys) * sizeof(float));
    plan->rows = padded((size_t)plan->queries * sizeof(float));
    plan->gemm = padded(gs > gy ? gs : gy);
    plan->turned = a->ks.d == 1 ? padded((size_t)(a->D * plan->keys) * sizeof(float)) : 0;
    plan->worker = plan->packed + plan->turned + plan->scores + 3 * plan->rows + plan->gemm;
}

size_t leat__attn_scratch(const leat_op_call *call, const leat_attn *a) {
    attn_plan plan;
    make_plan(call, a, &plan);
    return plan.worker * (size_t)(call->threads > 1 ? call->threads : 1);
}

leat_attn_strides leat__attn_strides(int64_t h, int64_t s, int64_t d, int split) {
    if (split) return (leat_attn_strides){s * h * d, d, h * d, 1};
    return (leat_attn_strides){h * s * d, s * d, d, 1};
}

void leat__attn_append(float *to, const float *old, int64_t past, const float *x, leat_attn_strides xs, int64_t fresh, int64_t heads, int64_t batch, int64_t d) {
    for (int64_t i = 0; i < batch * heads; i++) {
        float *row = to + i * (past + fresh) * d;
        if (old) memcpy(row, old + i * past * d, (size_t)(past * d) * sizeof *row);
        for (int64_t t = 0; t < fresh; t++) memcpy(row + (past + t) * d, x + i / heads * xs.b + i % heads * xs.h + t * xs.s, (size_t)d * sizeof *row);
    }
}

int leat__attn_mask(leat_op_call *call, leat_attn *a, const leat_tensor *mask, int shorter) {
    int64_t full[4] = {a->B, a->H, a->S, a->T}, strides[LEAT_MAX_RANK];
    leat_attn_strides to = {0, 0, 0, 0};
    int64_t *each[4] = {&to.b, &to.h, &to.s, &to.d};
    a->mask_keys = a->T;
    if (!mask) return LEAT_OK;
    if (mask->rank > 4) return leat__op_fail(call, LEAT_ESHAPE, "mask has rank %d, at most 4 expected", mask->rank);
    leat__strides(mask->dims, mask->rank, strides);
    for (int i = 0; i < mask->rank; i++) {
        int axis = 4 - mask->rank + i;
        int64_t dim = mask->dims[i];
        if (axis == 3 && shorter && dim < a->T) a->mask_keys = dim; /* the rest is masked */
        else if (dim != 1 && dim != full[axis]) return leat__op_fail(call, LEAT_ESHAPE, "mask does not broadcast to [batch, heads, queries, keys]");
        *each[axis] = dim == 1 ? 0 : strides[i];
    }
    if (mask->dtype == LEAT_DTYPE_BOOL) a->keep = mask->data, a->keeps = to;
    else if (mask->dtype == LEAT_DTYPE_F32) a->mask = mask->data, a->ms = to;
    else return leat__op_fail(call, LEAT_ETYPE, "mask is %s; bool and float32 are supported", leat_dtype_name(mask->dtype));
    return LEAT_OK;
}

/* ---- scores ---------------------------------------------------------------------------------------------------------- */

/* Keys [lo, hi) that query i of batch b may see. */
static void visible(const leat_attn *a, int64_t b, int64_t i, int64_t *lo, int64_t *hi) {
    int64_t p = i + (a->lengths ? a->lengths[b] - a->S : a->offset);
    *lo = a->left >= 0 ? min64(max64(0, p - a->left), a->T) : 0;
    *hi = a->T;
    if (a->causal) *hi = min64(*hi, p + 1);
    if (a->right >= 0) *hi = min64(*hi, p + a->right + 1);
    if (a->lengths) *hi = min64(*hi, a->lengths[b]);
    if (a->mask || a->keep) *hi = min64(*hi, a->mask_keys);
    *hi = max64(*hi, *lo);
}

static void fill_masked(float *row, int64_t from, int64_t to) {
    for (int64_t j = from; j < to; j++) row[j] = -INFINITY;
}

/* Mask, causality and window on the scores of query i, keys [k0, k0 + n). */
static void mask_row(const leat_attn *a, int64_t b, int64_t h, int64_t i, int64_t k0, int64_t n, float *row) {
    int64_t lo, hi;
    visible(a, b, i, &lo, &hi);
    int64_t from = min64(max64(lo - k0, 0), n), to = max64(min64(hi - k0, n), from);
    const float *mask = a->mask ? a->mask + b * a->ms.b + h * a->ms.h + i * a->ms.s + (k0 + from) * a->ms.d : NULL;
    const uint8_t *keep = a->keep ? a->keep + b * a->keeps.b + h * a->keeps.h + i * a->keeps.s + (k0 + from) * a->keeps.d : NULL;
    fill_masked(row, 0, from);
    fill_masked(row, to, n);
    if (mask && a->ms.d == 1) leat__vmath()->vv[LEAT_VBIN_ADD](row + from, mask, row + from, to - from);
    else if (mask) leat__vmath()->vs[LEAT_VBIN_ADD](row + from, *mask, row + from, to - from);
    for (int64_t j = from; keep && j < to; j++)
        if (!keep[(j - from) * a->keeps.d]) row[j] = -INFINITY;
}

static void cap_row(float softcap, float *row, int64_t n) {
    leat_act_params p = {1 / softcap, 0, 0, 0};
    leat__act_f32(LEAT_ACT_AFFINE, row, n, &p);
    leat__act_f32(LEAT_ACT_TANH, row, n, NULL);
    p.alpha = softcap;
    leat__act_f32(LEAT_ACT_AFFINE, row, n, &p);
}

static void keep_scores(const leat_attn *a, const attn_tile *t, int mode, int64_t r, const float *row) {
    if (!a->scores || a->scores_mode != mode) return;
    memcpy(a->scores + ((t->b * a->H + t->h) * a->S + t->q0 + r) * a->T, row, (size_t)a->T * sizeof *row);
}

static int masks(const leat_attn *a) { return a->mask || a->keep || a->causal || a->left >= 0 || a->right >= 0 || a->lengths; }

/* Scores of one row to probabilities that still lack the division by the sum; t->scale[r] = what the old output is multiplied with. */
static void soften_row(const attn_plan *plan, const attn_tile *t, int64_t r, int64_t k0, int64_t n) {
    const leat_attn *a = plan->a;
    const leat_vmath_table *v = leat__vmath();
    float *row = t->scores + r * plan->keys;
    keep_scores(a, t, 0, r, row);
    if (a->softcap > 0) cap_row(a->softcap, row, n);
    keep_scores(a, t, 1, r, row);
    if (masks(a)) mask_row(a, t->b, t->h, t->q0 + r, k0, n, row);
    keep_scores(a, t, 2, r, row);
    float old = t->max[r], best = v->red[LEAT_VRED_MAX](row, n), max = old > best ? old : best;
    if (max == -INFINITY) { /* nothing visible so far */
        memset(row, 0, (size_t)n * sizeof *row);
        t->scale[r] = 0;
        return;
    }
    float sum = v->expsum(row, row, n, max);
    t->scale[r] = old == -INFINITY ? 0 : expf(old - max);
    t->sum[r] = t->sum[r] * t->scale[r] + sum;
    t->max[r] = max;
}

/* ---- one key block ---------------------------------------------------------------------------------------------------- */

/* The scale goes into the packed keys.  Keys that lie feature by feature are turned first: the packing then copies runs. */
static void pack_keys(const leat_attn *a, const attn_tile *t, const float *k, int64_t n) {
    if (a->ks.d != 1) {
        leat__f32_gemm_pack_part(k, 1, a->D, n, 0, a->ks.d, a->ks.s, a->scale, 0, n, t->packed);
        return;
    }
    leat__transpose.b4((const uint8_t *)k, a->ks.s * 4, (uint8_t *)t->turned, n * 4, n, a->D);
    leat__f32_gemm_pack_part(t->turned, 1, a->D, n, 0, n, 1, a->scale, 0, n, t->packed);
}

static void scores_block(const attn_plan *plan, const attn_tile *t, int64_t k0, int64_t n) {
    const leat_attn *a = plan->a;
    leat_gemm g = scores_gemm(plan, t->m, n);
    const float *k = a->k + t->b * a->ks.b + t->h / (a->H / a->HK) * a->ks.h + k0 * a->ks.s;
    pack_keys(a, t, k, n);
    g.a = a->q + t->b * a->qs.b + t->h * a->qs.h + t->q0 * a->qs.s;
    g.b = t->packed;
    g.c = t->scores;
    leat__f32_gemm_part(&g, 0, t->m, 0, n, t->gemm);
    for (int64_t r = 0; r < t->m; r++) soften_row(plan, t, r, k0, n);
}

static void output_block(const attn_plan *plan, const attn_tile *t, int64_t k0, int64_t n) {
    const leat_attn *a = plan->a;
    leat_gemm g = output_gemm(plan, t->m, n);
    const float *v = a->v + t->b * a->vs.b + t->h / (a->H / a->HK) * a->vs.h + k0 * a->vs.s;
    float *y = a->y + t->b * a->ys.b + t->h * a->ys.h + t->q0 * a->ys.s;
    leat__f32_gemm_pack(v, 1, n, a->DV, 0, a->vs.s, 1, t->packed);
    for (int64_t r = 0; k0 > 0 && r < t->m; r++) leat__vmath()->vs[LEAT_VBIN_MUL](y + r * a->ys.s, t->scale[r], y + r * a->ys.s, a->DV);
    g.a = t->scores;
    g.b = t->packed;
    g.c = y;
    if (k0 > 0) {
        g.epilogue.residual = y;
        g.epilogue.ldr = a->ys.s;
    }
    leat__f32_gemm_part(&g, 0, t->m, 0, a->DV, t->gemm);
}

static void finish(const attn_plan *plan, const attn_tile *t) {
    const leat_attn *a = plan->a;
    float *y = a->y + t->b * a->ys.b + t->h * a->ys.h + t->q0 * a->ys.s;
    for (int64_t r = 0; r < t->m; r++) {
        float inverse = t->sum[r] > 0 ? 1 / t->sum[r] : t->sum[r] == 0 ? 0 : t->sum[r]; /* a NaN goes on */
        float *row = t->scores + r * plan->keys;
        leat__vmath()->vs[LEAT_VBIN_MUL](y + r * a->ys.s, inverse, y + r * a->ys.s, a->DV);
        if (a->scores && a->scores_mode == 3) leat__vmath()->vs[LEAT_VBIN_MUL](row, inverse, row, a->T);
        keep_scores(a, t, 3, r, row);
    }
}

/* Keys that no query of the tile can see are not computed, unless their scores are asked for. */
static void key_range(const leat_attn *a, const attn_tile *t, int64_t *from, int64_t *to) {
    int64_t lo, hi;
    *from = a->T;
    *to = 0;
    for (int64_t r = 0; r < t->m; r++) {
        visible(a, t->b, t->q0 + r, &lo, &hi);
        *from = min64(*from, lo);
        *to = max64(*to, hi);
    }
    if (a->scores) *from = 0, *to = a->T;
}

static void attn_task(void *arg, int64_t index, int worker) {
    const attn_plan *plan = arg;
    const leat_attn *a = plan->a;
    char *p = plan->scratch + (size_t)worker * plan->worker;
    int64_t head = index / plan->blocks, from, to;
    attn_tile t = {.b = head / a->H, .h = head % a->H, .q0 = index % plan->blocks * plan->queries};
    t.m = min64(plan->queries, a->S - t.q0);
    t.packed = (float *)(void *)p, p += plan->packed;
    t.turned = (float *)(void *)p, p += plan->turned;
    t.scores = (float *)(void *)p, p += plan->scores;
    t.max = (float *)(void *)p, p += plan->rows;
    t.sum = (float *)(void *)p, p += plan->rows;
    t.scale = (float *)(void *)p, p += plan->rows;
    t.gemm = p;
    for (int64_t r = 0; r < t.m; r++) t.max[r] = -INFINITY, t.sum[r] = 0;
    float *y = a->y + t.b * a->ys.b + t.h * a->ys.h + t.q0 * a->ys.s;
    for (int64_t r = 0; r < t.m; r++) memset(y + r * a->ys.s, 0, (size_t)a->DV * sizeof *y);
    key_range(a, &t, &from, &to);
    for (int64_t k0 = from / plan->keys * plan->keys; k0 < to; k0 += plan->keys) {
        int64_t n = min64(plan->keys, a->T - k0);
        scores_block(plan, &t, k0, n);
        output_block(plan, &t, k0, n);
    }
    finish(plan, &t);
}

void leat__attn_run(leat_op_call *call, const leat_attn *a, void *scratch) {
    attn_plan plan;
    make_plan(call, a, &plan);
    plan.scratch = scratch;
    int64_t tasks = a->B * a->H * plan.blocks;
    if (call->pool && call->threads != 1) leat__tpool_for_n(call->pool, call->threads, tasks, attn_task, &plan);
    else
        for (int64_t i = 0; i < tasks; i++) attn_task(&plan, i, 0);
}
