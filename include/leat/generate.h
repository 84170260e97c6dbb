/* generate.h - text from language models: a whole generation in one call, asynchronous, or many prompts at once.
 *
 * A request says what to continue and how; the result is written into the caller's arrays; a callback may look on, and stop it.  Every call crosses into the
 * library once, however many tokens it makes.
 *
 *     leat_lm_generate                        the whole loop in the caller's thread
 *     leat_lm_start, poll, wait, cancel       the same on the session's own thread
 *     leat_lm_generate_batch                  many requests over some sessions, decoded together
 *     leat_lm_cache                           models by path, the least recently used ones closed
 */
#ifndef LEAT_GENERATE_H
#define LEAT_GENERATE_H

#include "leat/lm.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct leat_logit_bias {
    int32_t token;
    float   bias; /* added to the logit; -INFINITY forbids the token */
} leat_logit_bias;

/* The chain, in this order: bias, penalties, grammar, then greedy; or temperature and Mirostat; or top-k, typical, top-p, min-p, temperature and a draw.  A logit that is not a
 * number is never chosen; among equal ones the token of the smaller id comes first. */
typedef struct leat_sampling {
    size_t   size;              /* sizeof, set by _default() */
    float    temperature;       /* 0.8; 0 = greedy, whatever else is set */
    int32_t  top_k;             /* 40; 0 = off */
    float    top_p;             /* 0.95; 1 = off */
    float    min_p;             /* 0.05; 0 = off */
    float    typical_p;         /* 1 = off */
    float    repeat_penalty;    /* 1 = off, 1e-6 to 1e6; divides positive logits of recent tokens, multiplies negative ones */
    float    presence_penalty, frequency_penalty; /* 0 = off, -1e6 to 1e6; subtracted once, and for each occurrence */
    int32_t  penalty_last;      /* recent tokens that count, the prompt's included: 64; -1 = all, 0 = none */
    int32_t  mirostat;          /* 0 = off, 1, 2: in place of top-k, typical, top-p and min-p */
    float    mirostat_tau, mirostat_eta; /* 5, 0.1 */
    uint64_t seed;              /* 0 = from the operating system's randomness; reported in the result.  The draw for position i is value i of the seed's stream, so a
                                   generation that is cut in two goes on as if it had not been */
    const leat_logit_bias *bias; /* borrows [n_bias] during the generation */
    int64_t  n_bias;
} leat_sampling;
void leat_sampling_default(leat_sampling *sampling);

#define LEAT_GENERATE_NO_BOS 1u        /* do not put BOS in front, whatever the file says */
#define LEAT_GENERATE_PARSE 2u         /* control tokens written out in the prompt become their ids */
#define LEAT_GENERATE_IGNORE_EOS 4u    /* end-of-text tokens are never chosen */
#define LEAT_GENERATE_APPEND 8u        /* the prompt continues what the session holds; else the session is synced to the prompt */
#define LEAT_GENERATE_SPECIALS 16u     /* control tokens appear in the text */

/* Borrowed during the generation, with all that it points to. */
typedef struct leat_lm_request {
    size_t             size;         /* sizeof, set by _default() */
    const char        *prompt;       /* text [prompt_bytes], or NULL and tokens */
    size_t             prompt_bytes;
    const int32_t     *tokens;       /* [n_tokens]: used as they are, BOS is not added */
    int64_t            n_tokens;
    uint32_t           flags;        /* LEAT_GENERATE_* */
    int64_t            max_tokens;   /* 128; -1 = as many as the context holds; what it cannot hold is not made either */
    leat_sampling      sampling;
    const char *const *stop;         /* [n_stop] strings that end the text; they are not part of it */
    int32_t            n_stop;
    int32_t            n_top;        /* alternatives reported with each token, 0..64 */
    const char        *grammar;      /* GBNF, NUL-terminated, or NULL */
    const char        *json_schema;  /* in place of a grammar, or NULL */
} leat_lm_request;
void leat_lm_request_default(leat_lm_request *request);

typedef struct leat_token_prob {
    int32_t token;
    float   logprob; /* natural logarithm, of the model's own distribution at temperature 1, before the chain */
} leat_token_prob;

typedef enum leat_finish {
    LEAT_FINISH_NONE = 0, /* still going, or failed */
    LEAT_FINISH_EOS, LEAT_FINISH_STOP, LEAT_FINISH_LENGTH, LEAT_FINISH_CONTEXT, LEAT_FINISH_GRAMMAR /* it was complete */, LEAT_FINISH_CALLBACK,
    LEAT_FINISH_CANCELLED
} leat_finish;
/* "eos", "stop", ...; NULL when out of range.  Any thread, RT-safe. */
const char *leat_finish_name(leat_finish finish);

/* Where a generation writes: arrays are the caller's, NULL = not wanted.  What exceeds a capacity is made all the same, and not kept. */
typedef struct leat_lm_result {
    size_t           size;            /* sizeof, set by _init() */
    int32_t         *tokens;          /* [token_capacity] made, the prompt's not among them */
    int64_t          token_capacity;
    char            *text;            /* [text_capacity] UTF-8, NUL-terminated where there is room for any */
    size_t           text_capacity;   /* bytes; text that exceeds it is cut behind a whole character */
    leat_token_prob *probs;           /* [token_capacity] of each made token */
    leat_token_prob *top;             /* [token_capacity, n_top], the most probable first */
    float           *prompt_logits;   /* [prompt tokens, vocabulary]: evaluates the whole prompt anew */
    int64_t          logits_capacity; /* floats */
    /* filled by the generation */
    int64_t          n_tokens;
    size_t           text_bytes;      /* of the whole text, also when it exceeds the capacity */
    int64_t          prompt_tokens, cached_tokens; /* of the prompt; of these, found in the session */
    leat_finish      finish;
    uint64_t         seed;            /* used */
    int64_t          prompt_ns, first_token_ns, decode_ns, total_ns; /* prefill; from the call to the first token; of all tokens after it; all */
} leat_lm_result;
/* Zeroes *result and sets its size.  RT-safe. */
void leat_lm_result_init(leat_lm_result *result);

/* A made token; those that end the text (LEAT_FINISH_EOS) are not reported.  text [bytes]: what can be shown now, whole UTF-8 characters, never a part of a stop string; may be
 * empty.  Bytes that belong to no character appear as U+FFFD, a character that the end cut off does not.  Valid during the call. */
typedef struct leat_lm_piece {
    int64_t                index; /* of the token, from 0 */
    int32_t                token; /* -1: only text that was held back, at the end */
    const char            *text;
    size_t                 bytes;
    float                  logprob;
    const leat_token_prob *top;   /* [n_top] */
    int32_t                n_top;
} leat_lm_piece;
/* Called in the generating thread.  Not 0 = stop (LEAT_FINISH_CALLBACK, status LEAT_OK).  It may cancel, but not use the session otherwise. */
typedef int (*leat_lm_token_fn)(void *user, const leat_lm_piece *piece);
/* Called once, last, in the generating thread; the session may be used again once leat_lm_poll() says so. */
typedef void (*leat_lm_complete_fn)(void *user, int status, const leat_lm_result *result);

/* Generates.  on_token: NULL allowed.  The session then holds prompt and made tokens that were evaluated (all but the last, as a rule); a request for 0 tokens
 * evaluates the prompt.  LEAT_EINVAL (field named), LEAT_ELIMIT (prompt longer than the context: both lengths), LEAT_EFORMAT (grammar, schema: line),
 * LEAT_EUNSUPPORTED (an encoder; or no token can continue what the grammar wants), LEAT_ECANCELLED, LEAT_ESTATE, LEAT_ENOMEM; the result holds what was made
 * until then.  The session's thread. */
int leat_lm_generate(leat_lm_session *session, const leat_lm_request *request, leat_lm_result *result, leat_lm_token_fn on_token, void *user, leat_error *error);

/* Starts the same on the session's own thread (made on the first call).  request and result: borrowed until it has ended.  LEAT_ESTATE when one is in flight. */
int leat_lm_start(leat_lm_session *session, const leat_lm_request *request, leat_lm_result *result, leat_lm_token_fn on_token, leat_lm_complete_fn on_complete,
                  void *user, leat_error *error);
/* LEAT_EAGAIN while it is in flight, else its status.  Any thread, RT-safe. */
int leat_lm_poll(leat_lm_session *session);
/* Waits at most timeout_ns (negative: for ever) and returns as leat_lm_poll().  Any thread but the callbacks'.  A session that is closed meanwhile cancels and waits itself. */
int leat_lm_wait(leat_lm_session *session, int64_t timeout_ns, leat_error *error);

/* Generates `count` requests over `n_sessions` sessions of one model, as many at once as there are sessions: their tokens are decoded in one pass over the weights, prefill goes
 * in chunks between, a session that is done takes the next request.  users: [count] or NULL.  statuses: [count], filled, or NULL.  Returns the first failure;
 * the others are still done.  LEAT_EINVAL when the sessions are of several models.  leat_lm_cancel() of a session ends its current request only. */
int leat_lm_generate_batch(leat_lm_session *const *sessions, int32_t n_sessions, const leat_lm_request *requests, leat_lm_result *results, int64_t count,
                           leat_lm_token_fn on_token, void *const *users, int *statuses, leat_error *error);

/* Models by path: opened at first use, closed when the bytes of all exceed the limit, least recently used first.  Those that someone still holds stay open, and count; the
 * next call after they were dropped closes them.  Any number of threads. */
typedef struct leat_lm_cache leat_lm_cache;
/* max_bytes: of weights, 0 = no limit.  options: borrows, of every model; NULL = defaults.  LEAT_ENOMEM, LEAT_EINVAL. */
int leat_lm_cache_open(uint64_t max_bytes, const leat_lm_options *options, leat_lm_cache **cache, leat_error *error);
/* Drops the cache's references; no call on it may be under way.  NULL allowed. */
void leat_lm_cache_close(leat_lm_cache *cache);
/* *lm: the caller takes one reference.  Two threads that ask for one path at once open it once.  A file that changed since (size or time) is opened anew.
 * LEAT_EIO, and as leat_lm_open(). */
int leat_lm_cache_get(leat_lm_cache *cache, const char *path, leat_lm **lm, leat_error *error);
typedef struct leat_lm_cache_stats {
    int64_t  models, hits, misses, evictions;
    uint64_t bytes, max_bytes;
} leat_lm_cache_stats;
void leat_lm_cache_get_stats(leat_lm_cache *cache, leat_lm_cache_stats *stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
