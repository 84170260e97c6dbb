/* attention.c - ai.onnx Attention (23..), and Attention of domain "leat" that the fusion pass makes.
 *
 * leat.Attention   Q [B,H,S,D], K [B,H,T,D], V [B,H,T,DV], mask or absent (float32, added, broadcastable to [B,H,S,T])  ->  Y [B,H,S,DV]
 *   scale (float, default 1/sqrt(D));  k_transposed (int, 0): K is [B,H,D,T]
 *   q_split, k_split, v_split, y_split (int, 0): 1 = the tensor is [B,S,H,D], as a projection leaves it, so that no transposition is needed
 *
 * ai.onnx Attention: 3-D [B,S,H*D] and 4-D inputs, grouped heads, boolean and float masks, causal and window, softcap, key/value cache in and out,
 * valid lengths, scores as an output.  With a cache, K and V are first concatenated into the outputs (or scratch).
 */
#include <math.h>
#include <string.h>

#include "ops/attn_core.h"

static float *data_of(const leat_tensor *t) { return t ? t->data : NULL; }

static int check_inputs(leat_op_call *call, int rank_low, int rank_high) {
    for (int i = 0; i < 3; i++) {
        const leat_tensor *t = call->in[i];
        if (t->dtype != LEAT_DTYPE_F32) return leat__op_fail(call, LEAT_ETYPE, "input %d is %s, not float32", i, leat_dtype_name(t->dtype));
        if (t->rank < rank_low || t->rank > rank_high || t->rank != call->in[0]->rank)
            return leat__op_fail(call, LEAT_ESHAPE, "input %d has rank %d", i, t->rank);
    }
    return LEAT_OK;
}

/* ---- leat.Attention --------------------------------------------------------------------------------------------------- */

static int flag(const leat_op_call *call, const char *name) { return leat__attr_int(call->attrs, name, 0) != 0; }

static int fused_setup(leat_op_call *call, leat_attn *a) {
    const leat_tensor *q = call->in[0], *k = call->in[1], *v = call->in[2];
    int status = check_inputs(call, 4, 4), transposed = flag(call, "k_transposed");
    int qsp = flag(call, "q_split"), ksp = flag(call, "k_split"), vsp = flag(call, "v_split"), ysp = flag(call, "y_split");
    if (status) return status;
    memset(a, 0, sizeof *a);
    a->B = q->dims[0], a->H = a->HK = q->dims[qsp ? 2 : 1], a->S = q->dims[qsp ? 1 : 2], a->D = q->dims[3];
    a->T = v->dims[vsp ? 1 : 2], a->DV = v->dims[3];
    int64_t kt = transposed ? k->dims[3] : k->dims[ksp ? 1 : 2], kd = transposed ? k->dims[2] : k->dims[3];
    if (transposed && ksp) return leat__op_fail(call, LEAT_EINVAL, "k_transposed and k_split exclude each other");
    if (k->dims[0] != a->B || v->dims[0] != a->B || k->dims[ksp ? 2 : 1] != a->H || v->dims[vsp ? 2 : 1] != a->H || kt != a->T || kd != a->D)
        return leat__op_fail(call, LEAT_ESHAPE, "Q, K and V do not fit each other");
    if (a->D < 1) return leat__op_fail(call, LEAT_ESHAPE, "head size is 0");
    a->qs = leat__attn_strides(a->H, a->S, a->D, qsp);
    a->ks = transposed ? (leat_attn_strides){a->H * a->D * a->T, a->D * a->T, 1, a->T} : leat__attn_strides(a->H, a->T, a->D, ksp);
    a->vs = leat__attn_strides(a->H, a->T, a->DV, vsp);
    a->ys = leat__attn_strides(a->H, a->S, a->DV, ysp);
    a->q = q->data, a->k = k->data, a->v = v->data, a->y = call->out[0]->data;
    a->scale = leat__attr_float(call->attrs, "scale", a->D > 0 ? 1 / sqrtf((float)a->D) : 1);
    a->left = a->right = -1;
    return leat__attn_mask(call, a, leat__op_in(call, 3), 0);
}

static int fused_infer(leat_op_call *call) {
    leat_attn a;
    int status = fused_setup(call, &a), split = flag(call, "y_split");
    if (status) return status;
    leat__tensor_set(call->out[0], LEAT_DTYPE_F32, 4, (int64_t[]){a.B, split ? a.S : a.H, split ? a.H : a.S, a.DV});
    return LEAT_OK;
}

static int fused_prepare(leat_op_call *call) {
    leat_attn a;
    int status = fused_setup(call, &a);
    if (status) return status;
    call->scratch_bytes = leat__attn_scratch(call, &a);
    call->macs = a.B * a.H * a.S * a.T * (a.D + a.DV);
    call->kernel = "attention_blockwise";
    return LEAT_OK;
}

static int fused_run(leat_op_call *call) {
    leat_attn a;
    int status = fused_setup(call, &a);
    if (status) return status;
    leat__attn_run(call, &a, call->scratch);
    return LEAT_OK;
}

/* ---- ai.onnx Attention ------------------------------------------------------------------------------------------------ */

typedef struct onnx_attn {
    leat_attn a;
    int64_t   past, fresh; /* keys in the cache and in this call's K */
    int       flat;        /* 3-D inputs */
    size_t    k_bytes, v_bytes; /* of concatenated K and V that no output takes */
} onnx_attn;

static int onnx_shape(leat_op_call *call, onnx_attn *o) {
    const leat_tensor *q = call->in[0], *k = call->in[1], *v = call->in[2], *past = leat__op_in(call, 4), *past_v = leat__op_in(call, 5);
    leat_attn *a = &o->a;
    o->flat = q->rank == 3;
    a->H = o->flat ? leat__attr_int(call->attrs, "q_num_heads", 0) : q->dims[1];
    a->HK = o->flat ? leat__attr_int(call->attrs, "kv_num_heads", 0) : k->dims[1];
    if (a->H < 1 || a->HK < 1 || a->H % a->HK != 0)
        return leat__op_fail(call, LEAT_ESHAPE, "%lld query heads and %lld key heads do not fit", (long long)a->H, (long long)a->HK);
    if (o->flat && (q->dims[2] % a->H || k->dims[2] % a->HK || v->dims[2] % a->HK)) return leat__op_fail(call, LEAT_ESHAPE, "heads do not divide the hidden size");
    a->B = q->dims[0], a->S = q->dims[o->flat ? 1 : 2], a->D = o->flat ? q->dims[2] / a->H : q->dims[3];
    o->fresh = k->dims[o->flat ? 1 : 2];
    a->DV = o->flat ? v->dims[2] / a->HK : v->dims[3];
    int64_t kd = o->flat ? k->dims[2] / a->HK : k->dims[3];
    if (k->dims[0] != a->B || v->dims[0] != a->B || v->dims[o->flat ? 1 : 2] != o->fresh || kd != a->D || (!o->flat && v->dims[1] != a->HK))
        return leat__op_fail(call, LEAT_ESHAPE, "Q, K and V do not fit each other");
    if (a->D < 1) return leat__op_fail(call, LEAT_ESHAPE, "head size is 0");
    if (!past != !past_v) return leat__op_fail(call, LEAT_EFORMAT, "past_key and past_value must come together");
    if (past && (past->dtype != LEAT_DTYPE_F32 || past_v->dtype != LEAT_DTYPE_F32)) return leat__op_fail(call, LEAT_ETYPE, "the cache must be float32");
    if (past && (past->rank != 4 || past_v->rank != 4 || past->dims[0] != a->B || past->dims[1] != a->HK || past->dims[3] != a->D ||
                 past_v->dims[0] != a->B || past_v->dims[1] != a->HK || past_v->dims[2] != past->dims[2] || past_v->dims[3] != a->DV))
        return leat__op_fail(call, LEAT_ESHAPE, "past_key or past_value does not fit");
    o->past = past ? past->dims[2] : 0;
    a->T = o->past + o->fresh;
    return LEAT_OK;
}

/* K and V as they will be read: the inputs, or [B, HK, T, D] after concatenation. */
static void onnx_sources(const leat_op_call *call, onnx_attn *o) {
    leat_attn *a = &o->a;
    const leat_tensor *present_k = leat__op_out(call, 1), *present_v = leat__op_out(call, 2);
    a->ks = leat__attn_strides(a->HK, a->T, a->D, o->flat && !o->past);
    a->vs = leat__attn_strides(a->HK, a->T, a->DV, o->flat && !o->past);
    a->k = call->in[1]->data;
    a->v = call->in[2]->data;
    if (!o->past) return;
    if (present_k) a->k = present_k->data;
    else o->k_bytes = (size_t)(a->B * a->HK * a->T * a->D) * sizeof(float);
    if (present_v) a->v = present_v->data;
    else o->v_bytes = (size_t)(a->B * a->HK * a->T * a->DV) * sizeof(float);
}

static int onnx_setup(leat_op_call *call, onnx_attn *o) {
    leat_attn *a = &o->a;
    const leat_tensor *lengths = leat__op_in(call, 6);
    memset(o, 0, sizeof *o);
    int status = check_inputs(call, 3, 4);
    if (!status) status = onnx_shape(call, o);
    if (!status) status = leat__attn_mask(call, a, leat__op_in(call, 3), 1);
    if (status) return status;
    if (lengths && (lengths->dtype != LEAT_DTYPE_I64 || leat_tensor_count(lengths) != a->B))
        return leat__op_fail(call, LEAT_ESHAPE, "nonpad_kv_seqlen must be int64 [batch]");
    a->qs = leat__attn_strides(a->H, a->S, a->D, o->flat);
    a->ys = leat__attn_strides(a->H, a->S, a->DV, o->flat);
    a->q = call->in[0]->data;
    a->y = call->out[0]->data;
    onnx_sources(call, o);
    a->scale = leat__attr_float(call->attrs, "scale", a->D > 0 ? 1 / sqrtf((float)a->D) : 1);
    a->softcap = leat__attr_float(call->attrs, "softcap", 0);
    a->causal = leat__attr_int(call->attrs, "is_causal", 0) != 0;
    a->left = leat__attr_int(call->attrs, "left_window_size", -1);
    a->right = leat__attr_int(call->attrs, "right_window_size", -1);
    if (a->left < -1 || a->right < -1 || a->left > INT32_MAX || a->right > INT32_MAX) return leat__op_fail(call, LEAT_EINVAL, "window size out of range");
    a->offset = o->past;
    a->lengths = lengths ? lengths->data : NULL;
    a->scores = data_of(leat__op_out(call, 3));
    a->scores_mode = (int)leat__attr_int(call->attrs, "qk_matmul_output_mode", 0);
    return LEAT_OK;
}

static int onnx_infer(leat_op_call *call) {
    onnx_attn o;
    int status = onnx_setup(call, &o);
    if (status) return status;
    const leat_attn *a = &o.a;
    if (o.flat) leat__tensor_set(call->out[0], LEAT_DTYPE_F32, 3, (int64_t[]){a->B, a->S, a->H * a->DV});
    else leat__tensor_set(call->out[0], LEAT_DTYPE_F32, 4, (int64_t[]){a->B, a->H, a->S, a->DV});
    if (leat__op_out(call, 1)) leat__tensor_set(call->out[1], LEAT_DTYPE_F32, 4, (int64_t[]){a->B, a->HK, a->T, a->D});
    if (leat__op_out(call, 2)) leat__tensor_set(call->out[2], LEAT_DTYPE_F32, 4, (int64_t[]){a->B, a->HK, a->T, a->DV});
    if (leat__op_out(call, 3)) leat__tensor_set(call->out[3], LEAT_DTYPE_F32, 4, (int64_t[]){a->B, a->H, a->S, a->T});
    return LEAT_OK;
}

static int onnx_prepare(leat_op_call *call) {
    onnx_attn o;
    int status = onnx_setup(call, &o);
    if (status) return status;
    if (leat__op_out(call, 3)) o.a.scores = (float *)&o; /* sizes only: the tile has to hold whole rows */
    call->scratch_bytes = leat__attn_scratch(call, &o.a) + ((o.k_bytes + o.v_bytes + LEAT_ALIGN - 1) & ~(size_t)(LEAT_ALIGN - 1));
    call->macs = o.a.B * o.a.H * o.a.S * o.a.T * (o.a.D + o.a.DV);
    call->kernel = "attention_blockwise";
    return LEAT_OK;
}

static void append(float *to, const leat_tensor *past, const leat_tensor *fresh, const onnx_attn *o, int64_t d) {
    const leat_attn *a = &o->a;
    leat__attn_append(to, data_of(past), o->past, fresh->data, leat__attn_strides(a->HK, o->fresh, d, o->flat), o->fresh, a->HK, a->B, d);
}

static int onnx_run(leat_op_call *call) {
    onnx_attn o;
    int status = onnx_setup(call, &o);
    if (status) return status;
    char *scratch = call->scratch;
    leat_tensor *present_k = leat__op_out(call, 1), *present_v = leat__op_out(call, 2);
    if (o.a.lengths)
        for (int64_t b = 0; b < o.a.B; b++)
            if (o.a.lengths[b] < 0 || o.a.lengths[b] > o.a.T) return leat__op_fail(call, LEAT_EINVAL, "nonpad_kv_seqlen[%lld] is outside the keys", (long long)b);
    float *k = present_k ? present_k->data : (float *)(void *)scratch, *v = present_v ? present_v->data : (float *)(void *)(scratch + o.k_bytes);
    if (present_k || o.past) append(k, leat__op_in(call, 4), call->in[1], &o, o.a.D);
    if (present_v || o.past) append(v, leat__op_in(call, 5), call->in[2], &o, o.a.DV);
    if (o.past) o.a.k = k, o.a.v = v;
    leat__attn_run(call, &o.a, scratch + ((o.k_bytes + o.v_bytes + LEAT_ALIGN - 1) & ~(size_t)(LEAT_ALIGN - 1)));
    return LEAT_OK;
}

const leat_op leat__ops_attention[] = {
    {"leat", "Attention", 1, 0, 3, 4, 1, 1, 0, LEAT_OP_PLAIN, 0, fused_infer, fused_prepare, fused_run},
    {"", "Attention", 23, 0, 3, 7, 1, 4, 0, LEAT_OP_PLAIN, 0, onnx_infer, onnx_prepare, onnx_run},
    {0}};
