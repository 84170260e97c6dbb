/* arch.h - architectures by description: what a family's layers are made of, one table row each, and what a file fills in.
 *
 *   leat_lm_arch     a row of arch_table.c: traits and the tensors that a layer must or may have
 *   leat_lm_params   the file's hyperparameters, in range (arch_params.c)
 *   leat_lm_layer    the tensors of one layer, in place in the mapping (arch_tensors.c)
 *
 * A layer, before the differences that traits name:
 *
 *     h = norm(x);  q, k, v = h Wq, h Wk, h Wv (+ biases);  q, k = norm per head;  q, k = rotated;  x += attention(q, K, V) Wo
 *     h = norm(x);  x += (act(h Wgate) * (h Wup)) Wdown           or the same by the experts that h Wrouter chooses
 *
 * The forward pass asks what is there (a bias, a norm behind the attention, ...) and never which architecture it is.
 */
#ifndef LEAT_LM_ARCH_H
#define LEAT_LM_ARCH_H

#include <stdint.h>

#include "cpu/qmat.h"
#include "leat/lm.h"

/* Sizes that shapes of tensors are given in. */
typedef enum leat_lm_size {
    LM_ONE, LM_WIDTH, LM_Q /* heads * key width */, LM_K /* kv heads * key width */, LM_V, LM_QKV, LM_O /* heads * value width */, LM_HEAD /* key width */,
    LM_FFN, LM_FFN2, LM_VOCABULARY, LM_EXPERTS, LM_EXPERT_FFN, LM_SHARED_FFN, LM_ROPE_HALF, LM_CONTEXT, LM_TYPES, LM_SIZES
} leat_lm_size;

/* X(field, name in "blk.N.<name>.weight", columns (inputs), rows (outputs), experts): matrices, used in place. */
#define LEAT_LM_LAYER_MATRICES(X)                                    \
    X(q, "attn_q.weight", LM_WIDTH, LM_Q, LM_ONE)                    \
    X(k, "attn_k.weight", LM_WIDTH, LM_K, LM_ONE)                    \
    X(v, "attn_v.weight", LM_WIDTH, LM_V, LM_ONE)                    \
    X(qkv, "attn_qkv.weight", LM_WIDTH, LM_QKV, LM_ONE)              \
    X(o, "attn_output.weight", LM_O, LM_WIDTH, LM_ONE)               \
    X(gate, "ffn_gate.weight", LM_WIDTH, LM_FFN, LM_ONE)             \
    X(up, "ffn_up.weight", LM_WIDTH, LM_FFN, LM_ONE)                 \
    X(gate_up, "ffn_up.weight", LM_WIDTH, LM_FFN2, LM_ONE)           \
    X(down, "ffn_down.weight", LM_FFN, LM_WIDTH, LM_ONE)             \
    X(router, "ffn_gate_inp.weight", LM_WIDTH, LM_EXPERTS, LM_ONE)   \
    X(gate_exps, "ffn_gate_exps.weight", LM_WIDTH, LM_EXPERT_FFN, LM_EXPERTS) \
    X(up_exps, "ffn_up_exps.weight", LM_WIDTH, LM_EXPERT_FFN, LM_EXPERTS)     \
    X(down_exps, "ffn_down_exps.weight", LM_EXPERT_FFN, LM_WIDTH, LM_EXPERTS) \
    X(gate_shared, "ffn_gate_shexp.weight", LM_WIDTH, LM_SHARED_FFN, LM_ONE)  \
    X(up_shared, "ffn_up_shexp.weight", LM_WIDTH, LM_SHARED_FFN, LM_ONE)      \
    X(down_shared, "ffn_down_shexp.weight", LM_SHARED_FFN, LM_WIDTH, LM_ONE)

/* X(field, name, elements): vectors, copied to float32 when the model is opened. */
#define LEAT_LM_LAYER_VECTORS(X)                            \
    X(attn_norm, "attn_norm.weight", LM_WIDTH)              \
    X(q_bias, "attn_q.bias", LM_Q)                          \
    X(k_bias, "attn_k.bias", LM_K)                          \
    X(v_bias, "attn_v.bias", LM_V)                          \
    X(qkv_bias, "attn_qkv.bias", LM_QKV)                    \
    X(q_norm, "attn_q_norm.weight", LM_HEAD)                \
    X(k_norm, "attn_k_norm.weight", LM_HEAD)                \
    X(o_bias, "attn_output.bias", LM_WIDTH)                 \
    X(attn_post_norm, "post_attention_norm.weight", LM_WIDTH) \
    X(attn_out_norm, "attn_output_norm.weight", LM_WIDTH)   \
    X(attn_out_norm_bias, "attn_output_norm.bias", LM_WIDTH) \
    X(ffn_norm, "ffn_norm.weight", LM_WIDTH)                \
    X(gate_bias, "ffn_gate.bias", LM_FFN)                   \
    X(up_bias, "ffn_up.bias", LM_FFN)                       \
    X(down_bias, "ffn_down.bias", LM_WIDTH)                 \
    X(ffn_post_norm, "post_ffw_norm.weight", LM_WIDTH)      \
    X(layer_out_norm, "layer_output_norm.weight", LM_WIDTH) \
    X(layer_out_norm_bias, "layer_output_norm.bias", LM_WIDTH) \
    X(shared_router, "ffn_gate_inp_shexp.weight", LM_WIDTH)

/* The same of the whole model, "<name>". */
#define LEAT_LM_MODEL_MATRICES(X)                                   \
    X(embedding, "token_embd.weight", LM_WIDTH, LM_VOCABULARY, LM_ONE) \
    X(output, "output.weight", LM_WIDTH, LM_VOCABULARY, LM_ONE)     \
    X(positions, "position_embd.weight", LM_WIDTH, LM_CONTEXT, LM_ONE) \
    X(types, "token_types.weight", LM_WIDTH, LM_TYPES, LM_ONE)
#define LEAT_LM_MODEL_VECTORS(X)                         \
    X(output_norm, "output_norm.weight", LM_WIDTH)       \
    X(embedding_norm, "token_embd_norm.weight", LM_WIDTH) \
    X(embedding_norm_bias, "token_embd_norm.bias", LM_WIDTH) \
    X(rope_factors, "rope_freqs.weight", LM_ROPE_HALF)   \
    X(rope_long, "rope_factors_long.weight", LM_ROPE_HALF) \
    X(rope_short, "rope_factors_short.weight", LM_ROPE_HALF)

/* Numbers of the tensors, for the sets of a row. */
typedef enum leat_lm_tensor {
#define LEAT_LM_MATRIX_ID(field, name, cols, rows, experts) LM_T_##field,
#define LEAT_LM_VECTOR_ID(field, name, count) LM_T_##field,
    LEAT_LM_LAYER_MATRICES(LEAT_LM_MATRIX_ID) LEAT_LM_LAYER_VECTORS(LEAT_LM_VECTOR_ID)
    LEAT_LM_MODEL_MATRICES(LEAT_LM_MATRIX_ID) LEAT_LM_MODEL_VECTORS(LEAT_LM_VECTOR_ID)
    LM_TENSORS
} leat_lm_tensor;
_Static_assert(LM_TENSORS <= 64, "a set of tensors is 64 bits");

/* data or pointer NULL: the layer has none */
typedef struct leat_lm_layer {
#define LEAT_LM_MATRIX_FIELD(field, name, cols, rows, experts) leat_qmat field;
#define LEAT_LM_VECTOR_FIELD(field, name, count) const float *field;
    LEAT_LM_LAYER_MATRICES(LEAT_LM_MATRIX_FIELD)
    LEAT_LM_LAYER_VECTORS(LEAT_LM_VECTOR_FIELD)
    const leat_qmat *each_gate, *each_up, *each_down; /* [experts]: parts of the three above, or tensors of their own; NULL without experts */
    int rope;       /* LEAT_LM_ROPE_*: which angles turn q and k */
    int32_t window; /* of sliding attention, 0 = none */
} leat_lm_layer;

typedef struct leat_lm_globals {
    LEAT_LM_MODEL_MATRICES(LEAT_LM_MATRIX_FIELD)
    LEAT_LM_MODEL_VECTORS(LEAT_LM_VECTOR_FIELD)
} leat_lm_globals;

typedef enum leat_lm_rotation { LM_ROTATE_NONE, LM_ROTATE_PAIRS, LM_ROTATE_HALVES } leat_lm_rotation;
typedef enum leat_lm_activation { LM_SILU, LM_GELU_TANH, LM_GELU_ERF } leat_lm_activation;

#define LM_TRAIT_ENCODER 1u        /* embeddings only; norms behind the sums, every token sees every other */
#define LM_TRAIT_LAYER_NORM 2u     /* mean and variance, with biases; else the root of the mean square */
#define LM_TRAIT_SCALED_EMBEDDING 4u /* times sqrt(width) */
#define LM_TRAIT_EXPERT_RAW 8u     /* weights of the chosen experts as the softmax over all gives them, not made to sum to 1 */
#define LM_TRAIT_NEEDS_KEY_WIDTH 16u

typedef struct leat_lm_arch {
    const char        *name;           /* general.architecture */
    uint32_t           traits;
    leat_lm_rotation   rotation;
    leat_lm_activation activation;
    uint64_t           required, optional; /* sets of leat_lm_tensor; with experts, their tensors take the place of the dense ones' */
    int                global_every;   /* every n-th layer sees all, the others slide over the window; 0: all slide, where the file has a window */
    int                unrotated_every; /* every n-th layer has no rotation; 0: all have */
    float              local_base;     /* of the rotation in sliding layers, 0 = as the others */
    int                width_scaled_layers; /* with so many layers scores are divided by sqrt(width / heads) */
} leat_lm_arch;

/* The row with this name; NULL when there is none. */
const leat_lm_arch *leat__lm_arch_find(const char *name, size_t length);
/* Row `index`; NULL behind the last. */
const leat_lm_arch *leat__lm_arch_at(int index);

/* Angles of the rotation. */
enum { LM_ROPE_OFF = -1, LM_ROPE_MAIN, LM_ROPE_LOCAL, LM_ROPE_LONG /* in place of _MAIN in contexts longer than the original one */, LM_ROPES };
typedef struct leat_lm_rope {
    const float *frequency; /* [half] radians a position; NULL: not used */
    float        magnitude; /* of the rotated vector */
} leat_lm_rope;

typedef struct leat_lm_params {
    int64_t size[LM_SIZES];  /* of tensors */
    int32_t layers, width, heads, kv_heads, k_width, v_width, ffn_width, vocabulary, train_context;
    int32_t experts, experts_used, expert_width, shared_width;
    int32_t rope_width;      /* rotated elements of a head, even */
    int32_t window;
    int32_t original_context; /* before the rotation was stretched */
    float   norm_eps, attention_scale, attention_cap, logit_cap, embedding_scale; /* caps: 0 = none */
    leat_pooling pooling;
} leat_lm_params;

/* Reads and checks the hyperparameters.  LEAT_EFORMAT, LEAT_EUNSUPPORTED; the key is named. */
int leat__lm_read_params(const leat_gguf *file, const leat_lm_arch *arch, leat_lm_params *params, leat_error *error);

#endif
