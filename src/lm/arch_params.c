/* arch_params.c - a file's hyperparameters: which keys, which ranges, what stands in for those that may be missing.
 *
 * Whatever passes here may be multiplied in 64 bits without a look: no size exceeds 2^24.  A number that a file gives for each layer must be the same for all.
 */
#include "lm/arch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define MOST (INT64_C(1) << 24)
#define MAX_LAYERS 1024
#define MAX_HEAD 512     /* elements of a head: the attention kernels' limit */
#define MAX_HEADS 1024
#define MAX_EXPERTS 1024

typedef struct reader {
    const leat_gguf    *file;
    const leat_lm_arch *arch;
    leat_error         *error;
    int                 status; /* the first failure */
    char                key[128];
} reader;

static const leat_gguf_value *find(reader *r, const char *name) {
    snprintf(r->key, sizeof r->key, "%s.%s", r->arch->name, name);
    return leat_gguf_find(r->file, r->key);
}

/* An integer, or an array of equal ones. */
static int integer_of(const leat_gguf_value *value, int64_t *number) {
    uint64_t count = value->kind == LEAT_GGUF_ARRAY ? value->count : 1;
    int64_t  other;
    if (count == 0 || leat_gguf_integer(value, 0, number)) return 0;
    for (uint64_t i = 1; i < count; i++)
        if (leat_gguf_integer(value, i, &other) || other != *number) return 0;
    return 1;
}

/* The number of the key in [least, most]; absent: `otherwise`, or a failure where that is negative. */
static int32_t integer(reader *r, const char *name, int64_t least, int64_t most, int64_t otherwise) {
    const leat_gguf_value *value = find(r, name);
    int64_t number = otherwise;
    if (r->status) return (int32_t)least;
    if (!value && otherwise < 0) {
        r->status = leat__fail(r->error, LEAT_EFORMAT, "GGUF: '%s' is missing", r->key);
    } else if (value && !integer_of(value, &number)) {
        r->status = leat__fail(r->error, LEAT_EUNSUPPORTED, "GGUF: '%s' is not an integer, nor the same one for all layers", r->key);
    } else if (value && (number < least || number > most)) {
        r->status = leat__fail(r->error, LEAT_EFORMAT, "GGUF: '%s' is %lld, not in %lld..%lld", r->key, (long long)number, (long long)least, (long long)most);
    }
    return r->status ? (int32_t)least : (int32_t)number;
}

/* The same of a real number; NaN as `otherwise` = must be there. */
static float real(reader *r, const char *name, double least, double most, double otherwise) {
    const leat_gguf_value *value = find(r, name);
    double number = otherwise;
    if (r->status) return (float)least;
    if (!value && isnan(otherwise)) r->status = leat__fail(r->error, LEAT_EFORMAT, "GGUF: '%s' is missing", r->key);
    if (value && (leat_gguf_real(value, 0, &number) || !(number >= least && number <= most)))
        r->status = leat__fail(r->error, LEAT_EFORMAT, "GGUF: '%s' is not a number in %g..%g", r->key, least, most);
    return (float)number;
}

static int refuse(reader *r, int status, const char *text) {
    return r->status ? r->status : (r->status = leat__fail(r->error, status, "GGUF: %s: %s", r->arch->name, text));
}

static void read_heads(reader *r, leat_lm_params *p) {
    p->heads = integer(r, "attention.head_count", 1, MAX_HEADS, -1);
    p->kv_heads = integer(r, "attention.head_count_kv", 1, MAX_HEADS, p->heads);
    if (p->heads % p->kv_heads) refuse(r, LEAT_EFORMAT, "attention.head_count is not a multiple of attention.head_count_kv");
    int32_t head = p->width / p->heads;
    if (!find(r, "attention.key_length") && (p->width % p->heads || head > MAX_HEAD || head < 1))
        refuse(r, LEAT_EFORMAT, "embedding_length / attention.head_count is not an integer in 1..512");
    p->k_width = integer(r, "attention.key_length", 1, MAX_HEAD, head);
    p->v_width = integer(r, "attention.value_length", 1, MAX_HEAD, p->k_width);
    p->rope_width = r->arch->rotation == LM_ROTATE_NONE ? 0 : integer(r, "rope.dimension_count", 0, p->k_width, p->k_width & ~1);
    if (p->rope_width & 1) refuse(r, LEAT_EFORMAT, "rope.dimension_count is odd");
    int scaled = r->arch->width_scaled_layers && p->layers == r->arch->width_scaled_layers;
    p->attention_scale = 1.0f / sqrtf(scaled ? (float)p->width / (float)p->heads : (float)p->k_width);
    p->attention_scale = real(r, "attention.scale", 1e-6, 1e3, p->attention_scale);
    p->attention_cap = real(r, "attn_logit_softcapping", 0, 1e6, 0);
    p->window = integer(r, "attention.sliding_window", 0, INT32_MAX, 0);
}

static void read_experts(reader *r, leat_lm_params *p) {
    p->experts = integer(r, "expert_count", 0, MAX_EXPERTS, 0);
    if (!p->experts) return;
    p->experts_used = integer(r, "expert_used_count", 1, p->experts, -1);
    p->expert_width = integer(r, "expert_feed_forward_length", 1, MOST, p->ffn_width);
    p->shared_width = integer(r, "expert_shared_feed_forward_length", 0, MOST, p->ffn_width);
}

static void read_pooling(reader *r, leat_lm_params *p) {
    int kind = integer(r, "pooling_type", 0, 4, 0);
    if (kind == 4) refuse(r, LEAT_EUNSUPPORTED, "pooling_type 4 (ranking) is not supported");
    p->pooling = (leat_pooling)kind;
}

static void fill_sizes(leat_lm_params *p) {
    int64_t *s = p->size;
    s[LM_ONE] = 1;
    s[LM_WIDTH] = p->width;
    s[LM_Q] = (int64_t)p->heads * p->k_width;
    s[LM_K] = (int64_t)p->kv_heads * p->k_width;
    s[LM_V] = (int64_t)p->kv_heads * p->v_width;
    s[LM_QKV] = s[LM_Q] + s[LM_K] + s[LM_V];
    s[LM_O] = (int64_t)p->heads * p->v_width;
    s[LM_HEAD] = p->k_width;
    s[LM_FFN] = p->ffn_width;
    s[LM_FFN2] = 2 * (int64_t)p->ffn_width;
    s[LM_VOCABULARY] = p->vocabulary;
    s[LM_EXPERTS] = p->experts;
    s[LM_EXPERT_FFN] = p->expert_width;
    s[LM_SHARED_FFN] = p->shared_width;
    s[LM_ROPE_HALF] = p->rope_width / 2;
    s[LM_CONTEXT] = p->train_context;
}

/* Sizes that only tensors tell: the vocabulary, the number of token types. */
static void read_from_tensors(reader *r, leat_lm_params *p) {
    const leat_gguf_tensor *embedding = leat_gguf_find_tensor(r->file, "token_embd.weight"), *types = leat_gguf_find_tensor(r->file, "token_types.weight");
    if (!embedding) refuse(r, LEAT_EFORMAT, "the tensor 'token_embd.weight' is missing");
    else if (embedding->dims[1] > (uint64_t)MOST) refuse(r, LEAT_ELIMIT, "the vocabulary of 'token_embd.weight' is too large");
    else p->vocabulary = (int32_t)embedding->dims[1];
    p->size[LM_TYPES] = types && types->dims[1] >= 1 && types->dims[1] <= 256 ? (int64_t)types->dims[1] : 2;
}

int leat__lm_read_params(const leat_gguf *file, const leat_lm_arch *arch, leat_lm_params *p, leat_error *error) {
    reader r = {.file = file, .arch = arch, .error = error};
    int    layer_norm = (arch->traits & LM_TRAIT_LAYER_NORM) != 0;
    *p = (leat_lm_params){0};
    p->layers = integer(&r, "block_count", 1, MAX_LAYERS, -1);
    p->width = integer(&r, "embedding_length", 1, MOST, -1);
    p->ffn_width = integer(&r, "feed_forward_length", 0, MOST, find(&r, "expert_count") ? 0 : -1);
    p->train_context = integer(&r, "context_length", 1, INT32_MAX, -1);
    read_heads(&r, p);
    read_experts(&r, p);
    read_pooling(&r, p);
    p->norm_eps = real(&r, layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon", 0, 1, NAN);
    p->logit_cap = real(&r, "final_logit_softcapping", 0, 1e6, 0);
    p->original_context = integer(&r, "rope.scaling.original_context_length", 1, INT32_MAX, p->train_context);
    p->embedding_scale = arch->traits & LM_TRAIT_SCALED_EMBEDDING ? sqrtf((float)p->width) : 1.0f;
    if (!p->experts && p->ffn_width == 0) refuse(&r, LEAT_EFORMAT, "feed_forward_length is 0");
    if (p->experts && p->expert_width == 0) refuse(&r, LEAT_EFORMAT, "expert_feed_forward_length is missing");
    read_from_tensors(&r, p);
    fill_sizes(p);
    return r.status;
}
