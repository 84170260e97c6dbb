/* attention_ms.c - com.microsoft MultiHeadAttention and Attention.
 *
 * MultiHeadAttention  query [B,S,H*D], key [B,T,H*D], value [B,T,H*DV], bias [H*(2D+DV)], key_padding_mask [B] or [B,T] (int32), attention_bias,
 *                     past_key, past_value [B,H,P,D]  ->  [B,S,H*DV], present_key, present_value
 * Attention           input [B,S,I], weights [I,3*H*D], bias [3*H*D], mask_index [B] or [B,S] (int32), no past, attention_bias  ->  [B,S,H*D]
 *
 * Packed inputs, past in Attention and unequal qkv_hidden_sizes are refused by name.  A masked key is left out altogether, where ONNX Runtime adds
 * mask_filter_value (-10000): the same but for rows that have no key at all, which give zeros here.
 */
#include <math.h>
#include <string.h>

#include "cpu/gemm_f32.h"
#include "cpu/vmath.h"
#include "ops/attn_core.h"

static size_t padded(size_t bytes) { return (bytes + LEAT_TAIL_BYTES + LEAT_ALIGN - 1) & ~(size_t)(LEAT_ALIGN - 1); }

typedef struct ms_attn {
    leat_attn          a;
    const leat_tensor *padding, *bias;
    int64_t            past, fresh;
    size_t             keep, rows, present; /* scratch bytes: keep [B, T]; Q, K, V with the bias added, or the product; K and V with the past */
} ms_attn;

static int is_f32(const leat_tensor *t) { return t->dtype == LEAT_DTYPE_F32; }

/* What both share: heads, scale, masks. */
static int common_setup(leat_op_call *call, ms_attn *m, const leat_tensor *padding, const leat_tensor *extra) {
    leat_attn *a = &m->a;
    a->left = a->right = -1;
    a->causal = leat__attr_int(call->attrs, "unidirectional", 0) != 0;
    a->scale = leat__attr_float(call->attrs, "scale", 0);
    if (a->scale == 0) a->scale = 1 / sqrtf((float)a->D);
    a->offset = m->past;
    m->padding = padding;
    if (padding) {
        int lengths = padding->rank == 1 && padding->dims[0] == a->B, table = padding->rank == 2 && padding->dims[0] == a->B && padding->dims[1] == a->T;
        if (padding->dtype != LEAT_DTYPE_I32 || (!lengths && !table))
            return leat__op_fail(call, LEAT_EUNSUPPORTED, "mask must be int32 [batch] or [batch, keys]");
        m->keep = padded((size_t)(a->B * a->T));
    }
    if (extra && !is_f32(extra)) return leat__op_fail(call, LEAT_ETYPE, "attention_bias must be float32");
    return leat__attn_mask(call, a, extra, 0);
}

static void fill_keep(const ms_attn *m, uint8_t *keep) {
    const int32_t *x = m->padding->data;
    for (int64_t b = 0; b < m->a.B; b++)
        for (int64_t t = 0; t < m->a.T; t++) keep[b * m->a.T + t] = m->padding->rank == 1 ? t < x[b] : x[b * m->a.T + t] != 0;
}

static void run_core(leat_op_call *call, ms_attn *m, char *scratch) {
    if (m->padding) {
        fill_keep(m, (uint8_t *)scratch);
        m->a.keep = (const uint8_t *)scratch;
        m->a.keeps = (leat_attn_strides){m->a.T, 0, 0, 1};
        if (!m->a.mask) m->a.mask_keys = m->a.T;
    }
    leat__attn_run(call, &m->a, scratch + m->keep);
}

static size_t core_scratch(const leat_op_call *call, const ms_attn *m) { return m->keep + leat__attn_scratch(call, &m->a); }

/* ---- MultiHeadAttention ------------------------------------------------------------------------------------------------ */

static int mha_shape(leat_op_call *call, ms_attn *m) {
    const leat_tensor *q = call->in[0], *k = leat__op_in(call, 1), *v = leat__op_in(call, 2), *pk = leat__op_in(call, 6), *pv = leat__op_in(call, 7);
    leat_attn *a = &m->a;
    int64_t h = leat__attr_int(call->attrs, "num_heads", 0);
    if (!k || !v || q->rank != 3 || k->rank != 3 || v->rank != 3) return leat__op_fail(call, LEAT_EUNSUPPORTED, "packed or 4-D query, key and value are not supported");
    if (!is_f32(q) || !is_f32(k) || !is_f32(v)) return leat__op_fail(call, LEAT_ETYPE, "query, key and value must be float32");
    if (h < 1 || q->dims[2] % h || q->dims[2] == 0 || v->dims[2] % h) return leat__op_fail(call, LEAT_EINVAL, "num_heads %lld does not divide the hidden size", (long long)h);
    a->B = q->dims[0], a->S = q->dims[1], a->H = a->HK = h, a->D = q->dims[2] / h, a->DV = v->dims[2] / h;
    m->fresh = k->dims[1];
    if (k->dims[0] != a->B || v->dims[0] != a->B || v->dims[1] != m->fresh || k->dims[2] != q->dims[2]) return leat__op_fail(call, LEAT_ESHAPE, "query, key and value do not fit");
    if (!pk != !pv) return leat__op_fail(call, LEAT_EFORMAT, "past_key and past_value must come together");
    if (pk) {
        int fits = is_f32(pk) && is_f32(pv) && pk->rank == 4 && pv->rank == 4 && pk->dims[0] == a->B && pv->dims[0] == a->B && pk->dims[1] == h &&
                   pv->dims[1] == h && pk->dims[2] == pv->dims[2] && pk->dims[3] == a->D && pv->dims[3] == a->DV;
        if (!fits) return leat__op_fail(call, LEAT_ESHAPE, "past_key or past_value does not fit");
        m->past = pk->dims[2];
    }
    if (leat__op_in(call, 8) || leat__op_in(call, 9)) return leat__op_fail(call, LEAT_EUNSUPPORTED, "past_sequence_length and cache_indirection are not supported");
    a->T = m->past + m->fresh;
    return LEAT_OK;
}

static int mha_setup(leat_op_call *call, ms_attn *m) {
    leat_attn *a = &m->a;
    memset(m, 0, sizeof *m);
    int status = mha_shape(call, m);
    if (!status) status = common_setup(call, m, leat__op_in(call, 4), leat__op_in(call, 5));
    if (status) return status;
    m->bias = leat__op_in(call, 3);
    if (m->bias && (!is_f32(m->bias) || leat_tensor_count(m->bias) != a->H * (2 * a->D + a->DV))) return leat__op_fail(call, LEAT_ESHAPE, "bias does not fit");
    if (m->bias) m->rows = padded((size_t)(a->B * a->H * (a->S * a->D + m->fresh * (a->D + a->DV))) * sizeof(float));
    int copied = m->past || leat__op_out(call, 1) || leat__op_out(call, 2);
    if (copied) m->present = padded((size_t)(a->B * a->H * a->T * (a->D + a->DV)) * sizeof(float));
    a->qs = leat__attn_strides(a->H, a->S, a->D, 1);
    a->ks = leat__attn_strides(a->H, a->T, a->D, !copied);
    a->vs = leat__attn_strides(a->H, a->T, a->DV, !copied);
    a->ys = leat__attn_strides(a->H, a->S, a->DV, 1);
    a->q = call->in[0]->data, a->k = call->in[1]->data, a->v = call->in[2]->data, a->y = call->out[0]->data;
    return LEAT_OK;
}

static int mha_infer(leat_op_call *call) {
    ms_attn m;
    int status = mha_setup(call, &m);
    if (status) return status;
    const leat_attn *a = &m.a;
    leat__tensor_set(call->out[0], LEAT_DTYPE_F32, 3, (int64_t[]){a->B, a->S, a->H * a->DV});
    if (leat__op_out(call, 1)) leat__tensor_set(call->out[1], LEAT_DTYPE_F32, 4, (int64_t[]){a->B, a->H, a->T, a->D});
    if (leat__op_out(call, 2)) leat__tensor_set(call->out[2], LEAT_DTYPE_F32, 4, (int64_t[]){a->B, a->H, a->T, a->DV});
    return LEAT_OK;
}

static int mha_prepare(leat_op_call *call) {
    ms_attn m;
    int status = mha_setup(call, &m);
    if (status) return status;
    call->scratch_bytes = m.rows + m.present + core_scratch(call, &m);
    call->macs = m.a.B * m.a.H * m.a.S * m.a.T * (m.a.D + m.a.DV);
    call->kernel = "attention_blockwise";
    return LEAT_OK;
}

static const float *with_bias(const float *x, const float *bias, float *to, int64_t rows, int64_t n) {
    for (int64_t r = 0; r < rows; r++) leat__vmath()->vv[LEAT_VBIN_ADD](x + r * n, bias, to + r * n, n);
    return to;
}

static void add_biases(ms_attn *m, float *rows) {
    leat_attn *a = &m->a;
    int64_t d = a->H * a->D, dv = a->H * a->DV, s = a->B * a->S, t = a->B * m->fresh;
    const float *bias = m->bias->data;
    a->q = with_bias(a->q, bias, rows, s, d);
    a->k = with_bias(a->k, bias + d, rows + s * d, t, d);
    a->v = with_bias(a->v, bias + 2 * d, rows + (s + t) * d, t, dv);
}

static int mha_run(leat_op_call *call) {
    ms_attn m;
    leat_attn *a = &m.a;
    int status = mha_setup(call, &m);
    if (status) return status;
    char *scratch = call->scratch;
    if (m.bias) add_biases(&m, (float *)(void *)scratch);
    if (m.present) {
        const leat_tensor *pk = leat__op_in(call, 6), *pv = leat__op_in(call, 7), *ok = leat__op_out(call, 1), *ov = leat__op_out(call, 2);
        float *k = (float *)(void *)(scratch + m.rows), *v = k + a->B * a->H * a->T * a->D;
        if (ok) k = ok->data;
        if (ov) v = ov->data;
        leat__attn_append(k, pk ? pk->data : NULL, m.past, a->k, leat__attn_strides(a->H, m.fresh, a->D, 1), m.fresh, a->H, a->B, a->D);
        leat__attn_append(v, pv ? pv->data : NULL, m.past, a->v, leat__attn_strides(a->H, m.fresh, a->DV, 1), m.fresh, a->H, a->B, a->DV);
        a->k = k, a->v = v;
    }
    run_core(call, &m, scratch + m.rows + m.present);
    return LEAT_OK;
}

/* ---- Attention: the projection, then the same --------------------------------------------------------------------------- */

static int ms_setup(leat_op_call *call, ms_attn *m) {
    const leat_tensor *x = call->in[0], *w = call->in[1], *bias = leat__op_in(call, 2);
    leat_attn *a = &m->a;
    int n;
    int64_t h = leat__attr_int(call->attrs, "num_heads", 0);
    const int64_t *sizes = leat__attr_ints(call->attrs, "qkv_hidden_sizes", &n);
    memset(m, 0, sizeof *m);
    if (!is_f32(x) || !is_f32(w) || x->rank != 3 || w->rank != 2 || w->dims[0] != x->dims[2]) return leat__op_fail(call, LEAT_ESHAPE, "input must be float32 [B,S,I], weights [I,N]");
    if (sizes && (n != 3 || sizes[0] != sizes[1] || sizes[0] != sizes[2])) return leat__op_fail(call, LEAT_EUNSUPPORTED, "unequal qkv_hidden_sizes are not supported");
    if (h < 1 || w->dims[1] == 0 || w->dims[1] % (3 * h)) return leat__op_fail(call, LEAT_EINVAL, "num_heads %lld does not divide the hidden size", (long long)h);
    if (bias && (!is_f32(bias) || leat_tensor_count(bias) != w->dims[1])) return leat__op_fail(call, LEAT_ESHAPE, "bias must be [%lld]", (long long)w->dims[1]);
    if (leat__op_in(call, 4) || leat__op_in(call, 6) || leat__attr_int(call->attrs, "do_rotary", 0)) return leat__op_fail(call, LEAT_EUNSUPPORTED, "past and rotary embedding are not supported");
    m->bias = bias;
    a->B = x->dims[0], a->S = a->T = m->fresh = x->dims[1], a->H = a->HK = h, a->D = a->DV = w->dims[1] / (3 * h);
    int64_t hidden = h * a->D;
    a->qs = a->ks = a->vs = (leat_attn_strides){a->S * 3 * hidden, a->D, 3 * hidden, 1};
    a->ys = leat__attn_strides(h, a->S, a->D, 1);
    a->y = call->out[0]->data;
    m->rows = padded((size_t)(a->B * a->S * 3 * hidden) * sizeof(float));
    return common_setup(call, m, leat__op_in(call, 3), leat__op_in(call, 5));
}

static leat_gemm projection(const leat_op_call *call, const ms_attn *m) {
    const leat_tensor *x = call->in[0], *w = call->in[1];
    leat_gemm g = {.m = m->a.B * m->a.S, .n = w->dims[1], .k = w->dims[0], .taps = 1, .a = x->data, .lda = x->dims[2], .ldc = w->dims[1]};
    if (!g.a) g.a = (const float *)&leat__gemm_f32; /* sizes only: told from NULL */
    return g;
}

static void pack_weights(void *block, void *arg) {
    const leat_tensor *w = arg;
    leat__f32_gemm_pack(w->data, 1, w->dims[0], w->dims[1], 0, w->dims[1], 1, block);
}

static int ms_infer(leat_op_call *call) {
    ms_attn m;
    int status = ms_setup(call, &m);
    if (!status) leat__tensor_set(call->out[0], LEAT_DTYPE_F32, 3, (int64_t[]){m.a.B, m.a.S, m.a.H * m.a.D});
    return status;
}

typedef struct ms_state {
    const void *packed; /* or NULL: packed into scratch by every run */
} ms_state;

static int ms_prepare(leat_op_call *call) {
    ms_attn m;
    int status = ms_setup(call, &m);
    if (status) return status;
    ms_state *state = leat__op_state(call, sizeof *state);
    if (!state) return LEAT_ENOMEM;
    leat_gemm g = projection(call, &m);
    size_t packed = leat__f32_gemm_packed_bytes(g.k, g.n), workers = padded(leat__f32_gemm_scratch(&g)) * (size_t)(call->threads > 1 ? call->threads : 1);
    if (leat__op_is_const(call, 1)) {
        state->packed = leat__op_pack(call, call->in[1]->data, leat__f32_gemm_format(), packed, pack_weights, call->in[1]);
        if (!state->packed) return LEAT_ENOMEM;
    }
    size_t core = core_scratch(call, &m), first = workers + padded(packed);
    call->scratch_bytes = m.rows + (core > first ? core : first);
    call->macs = g.m * g.n * g.k + m.a.B * m.a.H * m.a.S * m.a.T * 2 * m.a.D;
    call->kernel = "attention_blockwise";
    return LEAT_OK;
}

static int ms_run(leat_op_call *call) {
    ms_attn m;
    int status = ms_setup(call, &m);
    if (status) return status;
    const ms_state *state = call->state;
    char *scratch = call->scratch;
    leat_gemm g = projection(call, &m);
    size_t worker = padded(leat__f32_gemm_scratch(&g)), workers = worker * (size_t)(call->threads > 1 ? call->threads : 1);
    if (!state->packed) pack_weights(scratch + m.rows + workers, call->in[1]);
    g.b = state->packed ? state->packed : (const float *)(const void *)(scratch + m.rows + workers);
    g.c = (float *)(void *)scratch;
    g.epilogue.bias = m.bias ? m.bias->data : NULL;
    leat__f32_gemm_parallel(&g, call->pool, call->threads, worker, scratch + m.rows);
    m.a.q = g.c;
    m.a.k = g.c + g.n / 3;
    m.a.v = g.c + g.n / 3 * 2;
    run_core(call, &m, scratch + m.rows);
    return LEAT_OK;
}

const leat_op leat__ops_attention_ms[] = {
    {"com.microsoft", "MultiHeadAttention", 1, 0, 1, 10, 1, 3, 0, LEAT_OP_PLAIN, 0, mha_infer, mha_prepare, mha_run},
    {"com.microsoft", "Attention", 1, 0, 2, 7, 1, 1, 0, LEAT_OP_PLAIN, 0, ms_infer, ms_prepare, ms_run},
    {0}};
