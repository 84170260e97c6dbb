/* lm_build.h - small language models of every architecture, written by description: weights from a generator that is seeded by each tensor's name, so that the same
 * file comes out everywhere, a vocabulary of bytes.  Their logits by llama.cpp are in lm_arch_expect.json. */
#ifndef LEAT_TESTS_LM_BUILD_H
#define LEAT_TESTS_LM_BUILD_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPEC_VOCABULARY = 262, SPEC_CONTEXT = 512 };

/* What a model has besides q, k, v, o and a gated feed-forward part. */
enum {
    HAS_TIED = 1, HAS_FUSED_QKV = 2, HAS_FUSED_UP = 4, HAS_QKV_BIAS = 8, HAS_HEAD_NORMS = 16, HAS_POST_NORMS = 32, HAS_FACTORS = 64, HAS_LONG = 128,
    HAS_ALL_BIASES = 256
};

typedef struct lm_extra {
    const char *key;  /* behind "<arch>." */
    double      value;
    const char *text; /* or this */
    int         real; /* float32, not u32 */
} lm_extra;

typedef struct lm_spec {
    const char *name, *arch;
    unsigned    has;
    int         layers, width, heads, kv_heads, head, ffn;
    int         experts, used, expert_ffn, shared_ffn;
    lm_extra    extra[4];
} lm_spec;

/* What a test breaks in the file. */
typedef struct lm_damage {
    const char *key;    /* a metadata number that becomes `value`; "<arch>." is left out */
    uint32_t    value;
    const char *drop, *rename, *widen; /* a tensor that is missing, called "stranger", or has one column more */
    int         type;   /* with `widen`: in place of that, its type */
    int         apart;  /* no damage: each expert has tensors of its own, with the same values */
} lm_damage;

typedef struct lm_file {
    uint8_t *bytes;
    size_t   n, capacity;
    uint64_t values, tensors, offset; /* offset: of tensor data so far */
    size_t   counts;                  /* where the two counts stand */
    const lm_spec   *spec;
    const lm_damage *damage;
    int      pass; /* 0: the directory, 1: the data */
} lm_file;

static inline void b_raw(lm_file *f, const void *p, size_t n) {
    if (f->n + n > f->capacity) f->bytes = realloc(f->bytes, f->capacity = (f->n + n) * 2);
    memcpy(f->bytes + f->n, p, n);
    f->n += n;
}
static inline void b_u32(lm_file *f, uint32_t v) { b_raw(f, &v, 4); }
static inline void b_u64(lm_file *f, uint64_t v) { b_raw(f, &v, 8); }
static inline void b_text(lm_file *f, const char *text) {
    b_u64(f, strlen(text));
    b_raw(f, text, strlen(text));
}

/* ---- metadata --------------------------------------------------------------------------------------------------------------- */

enum { B_U32 = 4, B_I32 = 5, B_F32 = 6, B_STRING = 8, B_ARRAY = 9 };

static inline void b_key(lm_file *f, const char *key, uint32_t kind) {
    b_text(f, key);
    b_u32(f, kind);
    f->values++;
}
static inline void b_string(lm_file *f, const char *key, const char *text) {
    b_key(f, key, B_STRING);
    b_text(f, text);
}
/* "<arch>.<key>" */
static inline void b_number(lm_file *f, const char *key, double value, int real) {
    char name[128];
    float as_float = (float)value;
    int hit = f->damage && f->damage->key && strcmp(f->damage->key, key) == 0;
    snprintf(name, sizeof name, "%s.%s", f->spec->arch, key);
    b_key(f, name, real ? B_F32 : B_U32);
    uint32_t word = (uint32_t)value;
    if (real) memcpy(&word, &as_float, 4);
    b_u32(f, hit ? f->damage->value : word);
}

static inline void b_vocabulary(lm_file *f) {
    char token[16];
    b_string(f, "tokenizer.ggml.model", "llama");
    b_key(f, "tokenizer.ggml.tokens", B_ARRAY);
    b_u32(f, B_STRING);
    b_u64(f, SPEC_VOCABULARY);
    for (int i = 0; i < SPEC_VOCABULARY; i++) {
        static const char *const first[] = {"<unk>", "<s>", "</s>"}, *const last[] = {"\xe2\x96\x81", "a", "b"};
        snprintf(token, sizeof token, "<0x%02X>", i - 3);
        b_text(f, i < 3 ? first[i] : i < 259 ? token : last[i - 259]);
    }
    b_key(f, "tokenizer.ggml.scores", B_ARRAY);
    b_u32(f, B_F32);
    b_u64(f, SPEC_VOCABULARY);
    for (int i = 0; i < SPEC_VOCABULARY; i++) b_u32(f, 0);
    b_key(f, "tokenizer.ggml.token_type", B_ARRAY);
    b_u32(f, B_I32);
    b_u64(f, SPEC_VOCABULARY);
    for (int i = 0; i < SPEC_VOCABULARY; i++) b_u32(f, i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1);
    b_key(f, "tokenizer.ggml.bos_token_id", B_U32);
    b_u32(f, 1);
    b_key(f, "tokenizer.ggml.eos_token_id", B_U32);
    b_u32(f, 2);
}

static inline void b_metadata(lm_file *f) {
    const lm_spec *s = f->spec;
    b_string(f, "general.architecture", s->arch);
    b_string(f, "general.name", "random weights"); /* llama.cpp has ideas of its own about a vocabulary whose model is called phi3 */
    b_number(f, "block_count", s->layers, 0);
    b_number(f, "context_length", SPEC_CONTEXT, 0);
    b_number(f, "embedding_length", s->width, 0);
    b_number(f, "feed_forward_length", s->ffn, 0);
    b_number(f, "attention.head_count", s->heads, 0);
    b_number(f, "attention.head_count_kv", s->kv_heads, 0);
    b_number(f, "attention.key_length", s->head, 0);
    b_number(f, "attention.value_length", s->head, 0);
    b_number(f, "rope.dimension_count", s->head, 0);
    b_number(f, "attention.layer_norm_rms_epsilon", 1e-5, 1);
    if (s->experts) b_number(f, "expert_count", s->experts, 0);
    if (s->experts) b_number(f, "expert_used_count", s->used, 0);
    if (s->expert_ffn) b_number(f, "expert_feed_forward_length", s->expert_ffn, 0);
    if (s->shared_ffn) b_number(f, "expert_shared_feed_forward_length", s->shared_ffn, 0);
    for (int i = 0; i < 4 && s->extra[i].key; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s.%s", s->arch, s->extra[i].key);
        if (s->extra[i].text) b_string(f, name, s->extra[i].text);
        else b_number(f, s->extra[i].key, s->extra[i].value, s->extra[i].real);
    }
    b_vocabulary(f);
}

/* ---- tensors ---------------------------------------------------------------------------------------------------------------- */

/* Uniform values around `centre`, of the generator of the tensor `name`, the first ones left out. */
static inline void b_values(lm_file *f, const char *name, uint64_t left_out, uint64_t count, double centre, double spread) {
    uint32_t state = 2166136261u;
    for (const char *p = name; *p; p++) state = (state ^ (uint8_t)*p) * 16777619u;
    for (uint64_t i = 0; i < left_out + count; i++) {
        state = state * 1664525u + 1013904223u;
        if (i < left_out) continue;
        float value = (float)(centre + spread * (2 * (double)state / 4294967296.0 - 1));
        b_raw(f, &value, 4);
    }
}

/* `of`: the tensor whose values these are, from `left_out` on. */
static inline void b_tensor_of(lm_file *f, const char *name, int cols, int rows, int depth, const char *of, uint64_t left_out, double centre, double spread) {
    const lm_damage *d = f->damage;
    if (d && d->drop && strcmp(d->drop, name) == 0) return;
    int wide = d && d->widen && strcmp(d->widen, name) == 0, c = cols + (wide && !d->type);
    uint64_t count = (uint64_t)c * (uint64_t)rows * (uint64_t)depth, bytes = (count * 4 + 31) / 32 * 32;
    if (f->pass == 1) {
        b_values(f, of, left_out, count, centre, spread);
        while (f->n % 32) b_raw(f, "", 1);
        return;
    }
    b_text(f, d && d->rename && strcmp(d->rename, name) == 0 ? "stranger" : name);
    b_u32(f, depth > 1 ? 3 : rows > 1 ? 2 : 1);
    b_u64(f, (uint64_t)c);
    if (rows > 1 || depth > 1) b_u64(f, (uint64_t)rows);
    if (depth > 1) b_u64(f, (uint64_t)depth);
    b_u32(f, wide ? (uint32_t)d->type : 0);
    b_u64(f, f->offset);
    f->offset += bytes;
    f->tensors++;
}
static inline void b_tensor(lm_file *f, const char *name, int cols, int rows, int depth, double centre, double spread) {
    b_tensor_of(f, name, cols, rows, depth, name, 0, centre, spread);
}

static inline void b_matrix(lm_file *f, int layer, const char *name, int cols, int rows, int depth) {
    char full[96];
    snprintf(full, sizeof full, layer < 0 ? "%.0d%s.weight" : "blk.%d.%s.weight", layer < 0 ? 0 : layer, name);
    b_tensor(f, full, cols, rows, depth, 0, 1.7 / sqrt(cols));
}
/* One tensor "<name>_exps", or with `apart` one an expert, "<name>.E". */
static inline void b_experts(lm_file *f, int layer, const char *name, int cols, int rows, int experts) {
    char all[96], own[96];
    snprintf(all, sizeof all, "blk.%d.%s_exps.weight", layer, name);
    if (!f->damage || !f->damage->apart) b_tensor(f, all, cols, rows, experts, 0, 1.7 / sqrt(cols));
    for (int e = 0; f->damage && f->damage->apart && e < experts; e++) {
        snprintf(own, sizeof own, "blk.%d.%s.%d.weight", layer, name, e);
        b_tensor_of(f, own, cols, rows, 1, all, (uint64_t)e * (uint64_t)cols * (uint64_t)rows, 0, 1.7 / sqrt(cols));
    }
}
static inline void b_norm(lm_file *f, int layer, const char *name, int count) {
    char full[96];
    snprintf(full, sizeof full, layer < 0 ? "%.0d%s.weight" : "blk.%d.%s.weight", layer < 0 ? 0 : layer, name);
    b_tensor(f, full, count, 1, 1, 1, 0.3);
}
static inline void b_bias(lm_file *f, int layer, const char *name, int count) {
    char full[96];
    snprintf(full, sizeof full, "blk.%d.%s.bias", layer, name);
    b_tensor(f, full, count, 1, 1, 0, 0.3);
}

static inline void b_attention(lm_file *f, int i) {
    const lm_spec *s = f->spec;
    int q = s->heads * s->head, kv = s->kv_heads * s->head;
    b_norm(f, i, "attn_norm", s->width);
    if (s->has & HAS_FUSED_QKV) {
        b_matrix(f, i, "attn_qkv", s->width, q + 2 * kv, 1);
    } else {
        b_matrix(f, i, "attn_q", s->width, q, 1);
        b_matrix(f, i, "attn_k", s->width, kv, 1);
        b_matrix(f, i, "attn_v", s->width, kv, 1);
    }
    if (s->has & (HAS_QKV_BIAS | HAS_ALL_BIASES)) {
        b_bias(f, i, "attn_q", q);
        b_bias(f, i, "attn_k", kv);
        b_bias(f, i, "attn_v", kv);
    }
    if (s->has & HAS_HEAD_NORMS) {
        b_norm(f, i, "attn_q_norm", s->head);
        b_norm(f, i, "attn_k_norm", s->head);
    }
    b_matrix(f, i, "attn_output", q, s->width, 1);
    if (s->has & HAS_ALL_BIASES) b_bias(f, i, "attn_output", s->width);
    if (s->has & HAS_POST_NORMS) b_norm(f, i, "post_attention_norm", s->width);
}

static inline void b_feed_forward(lm_file *f, int i) {
    const lm_spec *s = f->spec;
    int expert = s->expert_ffn ? s->expert_ffn : s->ffn;
    b_norm(f, i, "ffn_norm", s->width);
    if (s->experts) {
        b_matrix(f, i, "ffn_gate_inp", s->width, s->experts, 1);
        b_experts(f, i, "ffn_gate", s->width, expert, s->experts);
        b_experts(f, i, "ffn_up", s->width, expert, s->experts);
        b_experts(f, i, "ffn_down", expert, s->width, s->experts);
        if (s->shared_ffn) {
            b_matrix(f, i, "ffn_gate_inp_shexp", s->width, 1, 1);
            b_matrix(f, i, "ffn_gate_shexp", s->width, s->shared_ffn, 1);
            b_matrix(f, i, "ffn_up_shexp", s->width, s->shared_ffn, 1);
            b_matrix(f, i, "ffn_down_shexp", s->shared_ffn, s->width, 1);
        }
    } else {
        if (!(s->has & HAS_FUSED_UP)) b_matrix(f, i, "ffn_gate", s->width, s->ffn, 1);
        b_matrix(f, i, "ffn_up", s->width, s->has & HAS_FUSED_UP ? 2 * s->ffn : s->ffn, 1);
        b_matrix(f, i, "ffn_down", s->ffn, s->width, 1);
        if (s->has & HAS_ALL_BIASES) {
            b_bias(f, i, "ffn_gate", s->ffn);
            b_bias(f, i, "ffn_up", s->ffn);
            b_bias(f, i, "ffn_down", s->width);
        }
    }
    if (s->has & HAS_POST_NORMS) b_norm(f, i, "post_ffw_norm", s->width);
}

static inline void b_tensors(lm_file *f) {
    const lm_spec *s = f->spec;
    b_matrix(f, -1, "token_embd", s->width, SPEC_VOCABULARY, 1);
    b_norm(f, -1, "output_norm", s->width);
    if (!(s->has & HAS_TIED)) b_matrix(f, -1, "output", s->width, SPEC_VOCABULARY, 1);
    if (s->has & HAS_FACTORS) b_tensor(f, "rope_freqs.weight", s->head / 2, 1, 1, 4, 3);
    if (s->has & HAS_LONG) b_tensor(f, "rope_factors_long.weight", s->head / 2, 1, 1, 6, 3);
    if (s->has & HAS_LONG) b_tensor(f, "rope_factors_short.weight", s->head / 2, 1, 1, 1.5, 0.4);
    for (int i = 0; i < s->layers; i++) {
        b_attention(f, i);
        b_feed_forward(f, i);
    }
}

/* The file of a spec, damaged or not (NULL); *bytes is the caller's to free(). */
static inline uint8_t *lm_build(const lm_spec *spec, const lm_damage *damage, size_t *bytes) {
    lm_file f = {.spec = spec, .damage = damage};
    b_raw(&f, "GGUF", 4);
    b_u32(&f, 3);
    b_u64(&f, 0);
    b_u64(&f, 0);
    b_metadata(&f);
    b_tensors(&f);
    while (f.n % 32) b_raw(&f, "", 1);
    memcpy(f.bytes + 8, &f.tensors, 8);
    memcpy(f.bytes + 16, &f.values, 8);
    f.pass = 1;
    b_tensors(&f);
    *bytes = f.n;
    return f.bytes;
}

/* ---- the models ------------------------------------------------------------------------------------------------------------- */

#define SIZES .layers = 2, .width = 32, .heads = 4, .kv_heads = 2, .head = 8, .ffn = 40

static const lm_spec lm_specs[] = {
    {"llama", "llama", 0, SIZES},
    {"llama-tied-biases", "llama", HAS_TIED | HAS_ALL_BIASES, SIZES},
    {"llama-linear", "llama", 0, SIZES, .extra = {{.key = "rope.scaling.type", .text = "linear"}, {.key = "rope.scaling.factor", .value = 4, .real = 1}}},
    {"llama-yarn", "llama", 0, SIZES,
     .extra = {{.key = "rope.scaling.type", .text = "yarn"}, {.key = "rope.scaling.factor", .value = 8, .real = 1}, {.key = "rope.scaling.original_context_length", .value = 64}}},
    {"llama-factors", "llama", HAS_FACTORS, SIZES, .extra = {{.key = "rope.freq_base", .value = 500000, .real = 1}}},
    {"mixtral", "llama", 0, SIZES, .experts = 5, .used = 2},
    {"smollm3", "smollm3", HAS_TIED, .layers = 5, .width = 32, .heads = 4, .kv_heads = 2, .head = 8, .ffn = 24},
    {"qwen2", "qwen2", HAS_QKV_BIAS, SIZES},
    {"qwen3", "qwen3", HAS_HEAD_NORMS, .layers = 2, .width = 32, .heads = 4, .kv_heads = 1, .head = 16, .ffn = 40},
    {"qwen2moe", "qwen2moe", HAS_QKV_BIAS, SIZES, .experts = 6, .used = 3, .expert_ffn = 24, .shared_ffn = 56},
    {"qwen3moe", "qwen3moe", HAS_HEAD_NORMS, SIZES, .experts = 6, .used = 2, .expert_ffn = 24},
    {"phi3", "phi3", HAS_FUSED_QKV | HAS_FUSED_UP, SIZES},
    {"phi3-short", "phi3", HAS_FUSED_QKV | HAS_FUSED_UP | HAS_LONG, SIZES,
     .extra = {{.key = "rope.scaling.original_context_length", .value = 256}, {.key = "rope.scaling.attn_factor", .value = 1.19, .real = 1}}},
    {"phi3-long", "phi3", HAS_FUSED_QKV | HAS_FUSED_UP | HAS_LONG, SIZES,
     .extra = {{.key = "rope.scaling.original_context_length", .value = 128}, {.key = "rope.scaling.attn_factor", .value = 1.19, .real = 1}}},
    {"gemma", "gemma", HAS_TIED, SIZES},
    {"gemma2", "gemma2", HAS_TIED | HAS_POST_NORMS, SIZES,
     .extra = {{.key = "attention.sliding_window", .value = 7}, {.key = "attn_logit_softcapping", .value = 5, .real = 1}, {.key = "final_logit_softcapping", .value = 9, .real = 1}}},
    {"gemma3", "gemma3", HAS_TIED | HAS_POST_NORMS | HAS_HEAD_NORMS, .layers = 7, .width = 32, .heads = 4, .kv_heads = 2, .head = 8, .ffn = 24,
     .extra = {{.key = "attention.sliding_window", .value = 7}, {.key = "rope.freq_base", .value = 1e6, .real = 1},
               {.key = "rope.scaling.type", .text = "linear"}, {.key = "rope.scaling.factor", .value = 8, .real = 1}}},
};
enum { LM_SPECS = sizeof lm_specs / sizeof *lm_specs };

#endif
