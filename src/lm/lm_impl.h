/* lm_impl.h - the objects behind leat/lm.h. */
#ifndef LEAT_LM_LM_IMPL_H
#define LEAT_LM_LM_IMPL_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/tpool.h"
#include "leat/grammar.h"
#include "lm/arch.h"
#include "lm/forward.h"

struct leat_lm {
    atomic_int          references;
    leat_gguf          *file;
    leat_tokenizer     *tokenizer;
    leat_tpool         *pool;       /* NULL: one thread */
    leat_arena          arena;      /* layers, vectors, names */
    const leat_lm_arch *arch;
    leat_lm_params      params;
    leat_lm_globals     tensors;
    leat_lm_layer      *layers;     /* [params.layers] */
    leat_lm_rope        ropes[LM_ROPES];
    leat_lm_info        info;
    uint32_t            flags;
    int                 holds_level;
    _Atomic(leat_grammar_vocab *) grammar_vocab; /* made by the first generation with a grammar */
};

/* Binds every tensor of the file to the fields of *lm: shapes and types checked, missing and unexpected ones named. */
int leat__lm_bind_tensors(leat_lm *lm, leat_error *error);
/* Makes the angles of the rotations. */
int leat__lm_make_ropes(leat_lm *lm, leat_error *error);
/* Writes cos and sin [half] of position `position`. */
void leat__lm_rope_angles(const leat_lm_rope *rope, int32_t half, int64_t position, float *cosines, float *sines);

/* The rows of layers of one kind: those that see all positions, or those with a window (kv.c). */
typedef struct leat_lm_kv_rows {
    int32_t places, first;          /* rows there is room for; position of row 0 */
    int64_t k_head, v_head;         /* bytes of one head's rows */
    int64_t v_offset, layer_bytes;  /* of V in a layer; of a layer */
} leat_lm_kv_rows;

/* A cache: [layer][K, V][kv head][row]. */
struct leat_lm_kv {
    const leat_lm  *lm;
    uint8_t        *data;
    int32_t         capacity, length;
    leat_kv_type    type;
    int             main_rope;      /* LM_ROPE_MAIN or LM_ROPE_LONG */
    int64_t         k_row, v_row;   /* bytes of a row */
    leat_lm_kv_rows all, sliding;
    int64_t         bytes, offset[]; /* of data; of each layer */
};
static inline const leat_lm_kv_rows *leat__lm_kv_rows_of(const leat_lm_kv *kv, const leat_lm_layer *layer) { return layer->window > 0 ? &kv->sliding : &kv->all; }

struct leat_lm_session {
    leat_lm        *lm;
    leat_lm_kv     *kv;
    leat_lm_runner *runner;
    int32_t        *tokens;     /* [kv->capacity], as many as the cache holds */
    float          *logits;     /* [vocabulary] behind the last token */
    int             has_logits; /* 0: they are not of the last token */
    leat_lm_row    *rows;       /* [batch] */
    int32_t         batch;
    int             threads;
    atomic_int      cancelled;  /* cleared by whoever begins an operation */
    uint64_t        seed, draws; /* of the random numbers: stream, and how many were drawn */
    float          *vector;     /* [width] of the last embedding */
    leat_lm_session_stats stats;
    /* of its generations: made by leat__lm_generation_open() */
    void           *generation;
    int           (*generation_busy)(const leat_lm_session *session);  /* one is in flight */
    void          (*generation_close)(leat_lm_session *session);       /* stops it and frees what belongs to it */
};

/* leat_lm_sync() without the clearing of `cancelled`; logits: [count, vocabulary] or NULL. */
int leat__lm_session_sync(leat_lm_session *session, const int32_t *tokens, int64_t count, float *logits, leat_error *error);
/* Appends tokens [count] to what it holds, and has their last one's logits. */
int leat__lm_session_extend(leat_lm_session *session, const int32_t *tokens, int64_t count, leat_error *error);
/* What leat/generate.h needs of a session: fills the three fields above.  LEAT_ENOMEM. */
int leat__lm_generation_open(leat_lm_session *session, leat_error *error);
/* Whether a public call may use the session now: LEAT_EINVAL (NULL), LEAT_ESTATE (a generation has it). */
int leat__lm_session_free(const leat_lm_session *session, const char *call, leat_error *error);
/* LEAT_EINVAL names the first token out of the vocabulary. */
int leat__lm_check_tokens(const leat_lm *lm, const int32_t *tokens, int64_t count, leat_error *error);

#endif
