/* lm.h - language models: open a GGUF file once, evaluate tokens in any number of sessions.
 *
 * A leat_lm is immutable, shared and ref-counted: weights are used in place from the mapped file.  A leat_lm_session is one conversation: its KV cache, and the
 * tokens that the cache holds.  Sessions of one model may work at once, one thread each; leat/generate.h has the loop around them.
 *
 * What all calls do with wrong arguments is said in leat/gguf.h.
 *
 *     leat_lm_open -> leat_lm_session_open -> leat_lm_generate (generate.h), or leat_lm_sync + leat_lm_logits, or leat_lm_embed
 */
#ifndef LEAT_LM_H
#define LEAT_LM_H

#include "leat/common.h"
#include "leat/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct leat_lm         leat_lm;
typedef struct leat_lm_session leat_lm_session;

#define LEAT_LM_PREFETCH 1u /* read the weights ahead while opening, instead of at first use */
#define LEAT_LM_LOCK 2u     /* keep the weights in memory (mlock); fails with LEAT_ELIMIT where that is not allowed */
#define LEAT_LM_COPY 4u     /* read the file into memory of this process, in huge pages, instead of mapping it: not shared with other processes, opening takes as long as
                             * reading; decodes faster where the system holds the file in small pages (see docs/generate.md).  Of leat_lm_open() alone. */

typedef struct leat_lm_options {
    size_t      size;    /* sizeof, set by _default() */
    int         threads; /* of the model's own pool, 0 = all usable CPUs, 1 = none; ignored when pool is given */
    uint32_t    flags;   /* LEAT_LM_* */
    leat_tpool *pool;    /* shares: the caller's pool, or NULL */
} leat_lm_options;
/* Fills *options with the defaults.  RT-safe. */
void leat_lm_options_default(leat_lm_options *options);

/* Opens the GGUF file `path`: maps it, reads its directory, checks every tensor that the architecture needs; touches no weights.  options: borrows, NULL =
 * defaults.  *lm: the caller takes one reference; NULL on failure.  LEAT_EIO, LEAT_EFORMAT (names the key or tensor), LEAT_EUNSUPPORTED (architecture, type,
 * tokenizer: named), LEAT_ESHAPE (a tensor's shape, with the expected one), LEAT_EINVAL (options), LEAT_ENOMEM, LEAT_ELIMIT.  Any thread. */
int leat_lm_open(const char *path, const leat_lm_options *options, leat_lm **lm, leat_error *error);
/* The same from memory [bytes], borrowed until the model is gone. */
int leat_lm_open_memory(const void *data, size_t bytes, const leat_lm_options *options, leat_lm **lm, leat_error *error);
/* Shares: one more reference.  Any thread. */
leat_lm *leat_lm_ref(leat_lm *lm);
/* Drops a reference; sessions hold their own, so closing during a generation is safe.  NULL allowed.  Any thread. */
void leat_lm_unref(leat_lm *lm);

/* How the vectors of tokens become the one of a text. */
typedef enum leat_pooling {
    LEAT_POOLING_MODEL = 0, /* as the file says; mean for a model that does not say */
    LEAT_POOLING_MEAN = 1, LEAT_POOLING_CLS = 2, LEAT_POOLING_LAST = 3
} leat_pooling;

/* What a model is.  Strings are owned by the model. */
typedef struct leat_lm_info {
    const char  *architecture, *name, *file_type; /* "llama", general.name or "", "Q4_K_M" or "" */
    int          encoder;          /* 1: embeddings only (BERT family) */
    int32_t      layers, width, heads, kv_heads, head_width, ffn_width, experts, experts_used, vocabulary;
    int32_t      train_context;    /* tokens that it was made for */
    int32_t      window;           /* of sliding attention, 0 = none */
    leat_pooling pooling;          /* of the file; LEAT_POOLING_MODEL = it does not say */
    uint64_t     parameters, weight_bytes, file_bytes;
    uint64_t     weight_bytes_token; /* that one token of decoding reads */
    uint64_t     kv_bytes_token;   /* of a session at LEAT_KV_F16 */
    int64_t      open_ns;
} leat_lm_info;
void leat_lm_get_info(const leat_lm *lm, leat_lm_info *info);
/* The model's tokenizer and file; valid as long as the model.  RT-safe. */
const leat_tokenizer *leat_lm_tokenizer(const leat_lm *lm);
const leat_gguf      *leat_lm_gguf(const leat_lm *lm);

typedef enum leat_kv_type { LEAT_KV_F16 = 0, LEAT_KV_F32 = 1, LEAT_KV_Q8_0 = 2 } leat_kv_type;

typedef struct leat_lm_session_options {
    size_t       size;     /* sizeof, set by _default() */
    int32_t      context;  /* tokens that the session can hold; 0 = the model's, at most 8192 */
    int32_t      batch;    /* tokens evaluated at once at most, 0 = 512 */
    leat_kv_type kv_type;
    int          threads;  /* at most this many of the pool's threads, 0 = all */
} leat_lm_session_options;
void leat_lm_session_options_default(leat_lm_session_options *options);

/* Opens a session and allocates all that it will ever need.  Shares the model.  options: borrows, NULL = defaults.  LEAT_ENOMEM, LEAT_EINVAL,
 * LEAT_ELIMIT.  Any thread. */
int leat_lm_session_open(leat_lm *lm, const leat_lm_session_options *options, leat_lm_session **session, leat_error *error);
/* Cancels and waits for a started generation, then frees.  NULL allowed. */
void leat_lm_session_close(leat_lm_session *session);
/* The session's model, not a new reference.  RT-safe. */
leat_lm *leat_lm_session_model(const leat_lm_session *session);

/* Makes the session hold exactly tokens [count]: what it has in common with them from the start is kept, the rest is forgotten, what is missing is evaluated.
 * count 0 empties it.  A sync to what it already holds evaluates nothing, but for the last token where its logits were lost.  Layers with a sliding window keep their last rows
 * only: of such a model going back by more than min(window, 1024) tokens may have all evaluated anew.  LEAT_EINVAL (a token out of range, named), LEAT_ELIMIT
 * (longer than the context), LEAT_ECANCELLED (it then holds a prefix), LEAT_ESTATE (a generation is in flight).  The session's thread; allocates nothing. */
int leat_lm_sync(leat_lm_session *session, const int32_t *tokens, int64_t count, leat_error *error);
/* The same, and writes the logits of every one of the `count` positions to logits [count, vocabulary], never NULL; evaluates all anew. */
int leat_lm_sync_logits(leat_lm_session *session, const int32_t *tokens, int64_t count, float *logits, leat_error *error);
/* *tokens: the tokens that it holds [*count], valid until the next call.  RT-safe. */
void leat_lm_session_tokens(const leat_lm_session *session, const int32_t **tokens, int64_t *count);
/* *logits: of the token after the last one [vocabulary], valid until the next call.  LEAT_ESTATE when it holds no token.  RT-safe. */
int leat_lm_logits(const leat_lm_session *session, const float **logits);

/* Writes tokens, KV cache and the state of the random numbers to `path` (a temporary name, then renamed).  LEAT_EIO, LEAT_ENOMEM. */
int leat_lm_session_save(const leat_lm_session *session, const char *path, leat_error *error);
/* Reads what leat_lm_session_save() wrote, for the same model and kv_type and a context that it fits in.  On failure the session is empty.  LEAT_EIO, LEAT_EFORMAT,
 * LEAT_ESTATE (another model: both are named), LEAT_ELIMIT. */
int leat_lm_session_load(leat_lm_session *session, const char *path, leat_error *error);

/* The vector of a text [bytes]: *vector [*size], of Euclidean norm 1 when `normalise`, is the session's own and valid until its next call; no copy.  The
 * session is empty afterwards.  For an encoder as the file says; for a decoder of the last layer's normalised states.  *vector is NULL on failure: LEAT_ELIMIT (longer than the
 * context: both are named), LEAT_EINVAL (no tokens, a token out of range, an unknown pooling), LEAT_ESTATE, LEAT_ECANCELLED.  The session's thread; the text's
 * tokenisation allocates, leat_lm_embed_tokens() does not. */
int leat_lm_embed(leat_lm_session *session, const char *text, size_t bytes, leat_pooling pooling, int normalise, const float **vector, int64_t *size,
                  leat_error *error);
/* The same of tokens [count]. */
int leat_lm_embed_tokens(leat_lm_session *session, const int32_t *tokens, int64_t count, leat_pooling pooling, int normalise, const float **vector,
                         int64_t *size, leat_error *error);

/* Asks whatever the session is doing to stop, within a token: it returns LEAT_ECANCELLED.  Any thread, RT-safe. */
void leat_lm_cancel(leat_lm_session *session);

/* What a session holds and did since it was opened. */
typedef struct leat_lm_session_stats {
    uint64_t kv_bytes, scratch_bytes;
    int64_t  evaluated_tokens, reused_tokens;
    int64_t  prompt_ns, prompt_tokens; /* in steps of more than one token */
    int64_t  decode_ns, decode_tokens; /* in steps of one token, batched sessions each in full */
    uint64_t allocations;              /* heap allocations by evaluation; 0 */
    int32_t  context, threads;
} leat_lm_session_stats;
void leat_lm_session_get_stats(const leat_lm_session *session, leat_lm_session_stats *stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
