/* arch_table.c - the architectures, one row each.
 *
 * What a row says comes from the models' papers and reference implementations, and the names of keys and tensors from the GGUF convention.  A file may lack
 * what is optional; output.weight is (the embedding then serves, transposed), and so are biases, which some fine-tunes add.
 */
#include <string.h>

#include "lm/arch.h"

#define T(field) (UINT64_C(1) << LM_T_##field)

#define ENDS (T(embedding) | T(output_norm))
#define QKV (T(attn_norm) | T(q) | T(k) | T(v) | T(o))
#define QKV_FUSED (T(attn_norm) | T(qkv) | T(o))
#define QKV_BIAS (T(q_bias) | T(k_bias) | T(v_bias))
#define HEAD_NORMS (T(q_norm) | T(k_norm))
#define GATED (T(ffn_norm) | T(gate) | T(up) | T(down))
#define GATED_FUSED (T(ffn_norm) | T(gate_up) | T(down))
#define SHARED (T(gate_shared) | T(up_shared) | T(down_shared) | T(shared_router))
#define POST_NORMS (T(attn_post_norm) | T(ffn_post_norm))
#define ANY (T(output) | QKV_BIAS | T(o_bias) | T(gate_bias) | T(up_bias) | T(down_bias) | T(rope_factors))
#define BERT_ENDS (T(embedding) | T(types) | T(embedding_norm) | T(embedding_norm_bias))
#define BERT_NORMS (T(attn_out_norm) | T(attn_out_norm_bias) | T(layer_out_norm) | T(layer_out_norm_bias))

static const leat_lm_arch table[] = {
    {.name = "llama", .rotation = LM_ROTATE_PAIRS, .required = ENDS | QKV | GATED, .optional = ANY}, /* 1 to 3, mistral, mixtral, smollm, tinyllama */
    {.name = "smollm3", .rotation = LM_ROTATE_PAIRS, .unrotated_every = 4, .required = ENDS | QKV | GATED, .optional = ANY},
    {.name = "qwen2", .rotation = LM_ROTATE_HALVES, .required = ENDS | QKV | QKV_BIAS | GATED, .optional = ANY},
    {.name = "qwen3", .rotation = LM_ROTATE_HALVES, .required = ENDS | QKV | HEAD_NORMS | GATED, .optional = ANY},
    {.name = "qwen2moe", .traits = LM_TRAIT_EXPERT_RAW, .rotation = LM_ROTATE_HALVES, .required = ENDS | QKV | QKV_BIAS | GATED | SHARED, .optional = ANY},
    {.name = "qwen3moe", .rotation = LM_ROTATE_HALVES, .required = ENDS | QKV | HEAD_NORMS | GATED, .optional = ANY},
    {.name = "phi3", .rotation = LM_ROTATE_HALVES, .required = ENDS | QKV_FUSED | GATED_FUSED, .optional = T(output) | T(rope_long) | T(rope_short)},
    {.name = "gemma", .traits = LM_TRAIT_SCALED_EMBEDDING, .rotation = LM_ROTATE_HALVES, .activation = LM_GELU_TANH, .required = ENDS | QKV | GATED,
     .optional = T(output)},
    {.name = "gemma2", .traits = LM_TRAIT_SCALED_EMBEDDING, .rotation = LM_ROTATE_HALVES, .activation = LM_GELU_TANH,
     .required = ENDS | QKV | GATED | POST_NORMS, .optional = T(output), .global_every = 2, .width_scaled_layers = 46},
    {.name = "gemma3", .traits = LM_TRAIT_SCALED_EMBEDDING, .rotation = LM_ROTATE_HALVES, .activation = LM_GELU_TANH,
     .required = ENDS | QKV | HEAD_NORMS | GATED | POST_NORMS, .optional = T(output), .global_every = 6, .local_base = 10000.0f, .width_scaled_layers = 62},
    {.name = "bert", .traits = LM_TRAIT_ENCODER | LM_TRAIT_LAYER_NORM, .activation = LM_GELU_ERF,
     .required = BERT_ENDS | BERT_NORMS | T(positions) | T(q) | T(k) | T(v) | T(o) | T(up) | T(down),
     .optional = QKV_BIAS | T(o_bias) | T(up_bias) | T(down_bias)},
    {.name = "nomic-bert", .traits = LM_TRAIT_ENCODER | LM_TRAIT_LAYER_NORM, .rotation = LM_ROTATE_HALVES,
     .required = BERT_ENDS | BERT_NORMS | T(qkv) | T(o) | T(gate) | T(up) | T(down), .optional = T(qkv_bias) | T(o_bias) | T(up_bias) | T(down_bias)},
};

const leat_lm_arch *leat__lm_arch_at(int index) { return index >= 0 && index < (int)(sizeof table / sizeof *table) ? &table[index] : NULL; }

const leat_lm_arch *leat__lm_arch_find(const char *name, size_t length) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0) return &table[i];
    return NULL;
}
