/* forward.h - one step of evaluation: rows of tokens, of one or several sessions, through the model.
 *
 * The contract between the model below and sessions, sampling and batches above.  A runner holds the scratch of a step; it belongs to one thread at a time.  Rows
 * of one KV cache must have consecutive positions, beginning where the cache ends; rows of several caches may follow each other in one step: they share
 * the passes over the weights.  The outcome for a row does not depend on the number of threads. */
#ifndef LEAT_LM_FORWARD_H
#define LEAT_LM_FORWARD_H

#include <stdatomic.h>

#include "leat/lm.h"

typedef struct leat_lm_kv     leat_lm_kv;     /* the KV cache of one session */
typedef struct leat_lm_runner leat_lm_runner;

/* Allocates a cache of `context` positions, for steps of at most `batch` rows.  LEAT_ENOMEM, LEAT_ELIMIT. */
int    leat__lm_kv_open(const leat_lm *lm, int32_t context, int32_t batch, leat_kv_type type, leat_lm_kv **kv, leat_error *error);
void   leat__lm_kv_close(leat_lm_kv *kv);
/* Forgets what is behind `length`.  What is left: `length`, or 0 where rows are gone that go with it (kv.c). */
int32_t leat__lm_kv_truncate(leat_lm_kv *kv, int32_t length);
/* Makes room for `count` rows behind those that it has.  0: more than its session's batch. */
int    leat__lm_kv_make_room(leat_lm_kv *kv, int32_t count);
/* The first position that is worth keeping of layers with a window, 0 without; whether a cache may begin there. */
int32_t leat__lm_kv_first(const leat_lm_kv *kv);
int    leat__lm_kv_may_begin(const leat_lm_kv *kv, uint32_t first, uint32_t length);
uint64_t leat__lm_kv_bytes(const leat_lm_kv *kv);

/* Allocates the scratch of steps of at most `rows` rows, of which at most `wanted` ask for logits.  threads: of the model's pool at most, 0 = all. */
int  leat__lm_runner_open(leat_lm *lm, int32_t rows, int32_t wanted, int threads, leat_lm_runner **runner, leat_error *error);
void leat__lm_runner_close(leat_lm_runner *runner);
uint64_t leat__lm_runner_bytes(const leat_lm_runner *runner);
uint64_t leat__lm_runner_allocations(const leat_lm_runner *runner); /* by its steps; 0 */

typedef struct leat_lm_row {
    leat_lm_kv *kv;
    int32_t     token;
    int32_t     want;   /* 1: its logits (of an encoder, or with `states`: its last hidden state) are written */
} leat_lm_row;

/* What a step writes for the rows that want it, in their order. */
typedef struct leat_lm_outputs {
    float *logits;  /* [wanted, vocabulary], or NULL */
    float *states;  /* [wanted, width] after the last norm, or NULL */
    float *sum;     /* [width] gets these states added, or NULL */
} leat_lm_outputs;

/* Runs rows [n] and appends them to their caches.  *cancel is looked at between layers: LEAT_ECANCELLED, and the caches are as before.  LEAT_ELIMIT when a cache is full.
 * Allocates nothing. */
int leat__lm_forward(leat_lm_runner *runner, const leat_lm_row *rows, int32_t n, const leat_lm_outputs *out, const atomic_int *cancel, leat_error *error);

#endif
