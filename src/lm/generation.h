/* generation.h - a session's generation: from a request to a result, step by step.
 *
 *   generate.c          the public call: one after the other in the caller's thread; defaults
 *   generation.c        opening, claiming, closing
 *   generate_begin.c    a request is checked; prompt, grammar, text and sampler are made ready
 *   generate_step.c     from logits to a token, its text, the callback; where it ends
 *   generate_async.c    the session's own thread
 *   generate_batch.c    many requests over some sessions
 *
 * Whoever has claimed a session (one at a time) runs  _begin, then the prompt's evaluation, then _step and the evaluation of `next` in turn until `finish` is set, then
 * _end.  Between begin and end nothing allocates. */
#ifndef LEAT_LM_GENERATION_H
#define LEAT_LM_GENERATION_H

#include <pthread.h>

#include "leat/generate.h"
#include "leat/grammar.h"
#include "lm/lm_impl.h"
#include "lm/sample.h"
#include "lm/text_stream.h"

enum { LM_MOST_ENDS = 32 };

/* The generation on the session's own thread. */
typedef struct leat_lm_async {
    pthread_mutex_t lock;
    pthread_cond_t  changed;
    pthread_t       thread;
    int             created, quit, requested;
    int             claimed;  /* the session is in someone's hands */
    int             status;   /* of the last one */
    leat_error      error;    /* of the last one */
    /* what the thread is asked for */
    const leat_lm_request *request;
    leat_lm_result        *result;
    leat_lm_token_fn       on_token;
    leat_lm_complete_fn    on_complete;
    void                  *user;
} leat_lm_async;

typedef struct leat_lm_generation {
    leat_lm_session *session;
    leat_lm_async    async;
    /* made at the first request, kept */
    leat_lm_sampler *sampler;
    leat_lm_text     text;
    int32_t         *prompt;        /* [context] */
    int32_t          ends[LM_MOST_ENDS], n_ends;
    uint32_t        *mask, *end_mask; /* [words] */
    int64_t          words;
    /* of the request in work */
    leat_lm_request  request;
    leat_lm_result  *result;
    leat_lm_token_fn on_token;
    void            *user;
    leat_grammar       *grammar;
    leat_grammar_state *place;      /* NULL: no grammar */
    int64_t          n_prompt, max_tokens, evaluated; /* evaluated: by the session, when it began */
    int32_t          next;          /* the token that is to be evaluated */
    leat_finish      finish;
    int              cut;           /* the result's text is full */
    int64_t          start_ns, first_ns;
    leat_token_prob  top[LM_TOP_MOST];
} leat_lm_generation;

/* Takes the session for one generation.  LEAT_ESTATE.  Any thread. */
int  leat__generation_claim(leat_lm_session *session, leat_error *error);
/* Gives it back: what leat_lm_poll() says from now on. */
void leat__generation_release(leat_lm_session *session, int status, const leat_error *error);

/* Reads the request.  Failures as leat_lm_generate(); after one, _end() is called all the same. */
int  leat__generation_begin(leat_lm_generation *g, const leat_lm_request *request, leat_lm_result *result, leat_lm_token_fn on_token, void *user, leat_error *error);
/* Tells that the prompt is evaluated: fills times and counts; a request for no token is done. */
int  leat__generation_prefilled(leat_lm_generation *g, leat_error *error);
/* Chooses the token behind the session's last one by its logits [vocabulary]: sets `next`, or `finish`. */
int  leat__generation_step(leat_lm_generation *g, const float *logits, leat_error *error);
/* Shows what was held back, completes the result, lets go of the request.  Returns `status`. */
int  leat__generation_end(leat_lm_generation *g, int status);
/* All of it, the session being claimed. */
int  leat__generation_run(leat_lm_generation *g, const leat_lm_request *request, leat_lm_result *result, leat_lm_token_fn on_token, void *user, leat_error *error);
/* Evaluates the prompt, once begun. */
int  leat__generation_prefill(leat_lm_generation *g, leat_error *error);

/* Fills ends: the tokens that end a text or a turn, by the file's keys and by the names that are known.  Returns their number. */
int32_t leat__lm_ends(const leat_tokenizer *tokenizer, const leat_gguf *file, int32_t ends[LM_MOST_ENDS]);

#endif
