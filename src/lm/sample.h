/* sample.h - the chain that turns logits into a token: see leat_sampling in leat/generate.h for its parts and their order.
 *
 * A sampler owns the scratch for one vocabulary; it belongs to one thread at a time.  After _open() nothing allocates.  The outcome depends on the logits, the
 * options and the draw's number only: draw i of a seed is value i of a counter-based stream, so a generation that is cut in two goes on as if it had not been.
 *
 * Numbers: a NaN is as good as -INFINITY (never chosen), +INFINITY as 1e30.  Among equal logits the token of the smaller id comes first, in greedy and in every cut. */
#ifndef LEAT_LM_SAMPLE_H
#define LEAT_LM_SAMPLE_H

#include "leat/generate.h"

enum { LM_SAMPLE_BLOCK = 256, LM_SAMPLE_RADIX = 2048, LM_TOP_MOST = 64 };

/* The tokens that are still in the running, by ascending id: [n] of each. */
typedef struct leat_lm_candidates {
    int32_t *ids;
    float   *values;  /* logits behind bias, penalties and masks */
    float   *weights; /* e^(value - the largest) */
    int64_t  n;
} leat_lm_candidates;

typedef struct leat_lm_sampler {
    leat_sampling      options;
    int32_t            vocabulary;
    float             *logits;     /* [vocabulary] of this step, changed by bias, penalties, masks */
    float             *exps;       /* [vocabulary] */
    float             *block_most; /* [blocks of LM_SAMPLE_BLOCK] largest logit of each */
    int32_t            blocks;
    int32_t           *counts;     /* [vocabulary] zero between steps */
    leat_lm_candidates pick;
    uint32_t          *keys;       /* [vocabulary] scratch of the selection */
    double            *sums;       /* [LM_SAMPLE_RADIX] */
    float              mu;         /* of Mirostat, bits */
} leat_lm_sampler;

/* LEAT_ENOMEM. */
int  leat__sampler_open(int32_t vocabulary, leat_lm_sampler **sampler);
void leat__sampler_close(leat_lm_sampler *sampler);
/* LEAT_EINVAL names the field. */
int  leat__sampling_check(const leat_sampling *sampling, int32_t vocabulary, leat_error *error);
/* Begins a generation; options->bias stays borrowed. */
void leat__sampler_begin(leat_lm_sampler *sampler, const leat_sampling *options);

/* What one choice is made from. */
typedef struct leat_lm_choice {
    const float    *logits;    /* [vocabulary] */
    const int32_t  *recent;    /* [n_recent] all tokens so far; the penalties look at the last of them */
    int64_t         n_recent;
    const uint32_t *mask;      /* bit t % 32 of word t / 32: token t is allowed; NULL = all are */
    const int32_t  *forbidden; /* [n_forbidden] */
    int64_t         n_forbidden;
    uint64_t        draw;      /* number of the random draw */
} leat_lm_choice;
/* *token: the choice.  LEAT_EINVAL when every token is forbidden or not a number.  RT-safe. */
int leat__sample(leat_lm_sampler *sampler, const leat_lm_choice *choice, int32_t *token);

/* Natural logarithms of the softmax of logits [vocabulary]: of `token`, and of the n_top (at most LM_TOP_MOST) most probable tokens to top, best first; what the vocabulary
 * does not fill has token -1.  RT-safe. */
float leat__sample_logprobs(leat_lm_sampler *sampler, const float *logits, int32_t token, leat_token_prob *top, int32_t n_top);

/* ---- selection (sample_select.c) -------------------------------------------------------------------------------------------- */

/* Largest logit of each block; returns the largest of all, -INFINITY when there is none. */
float leat__sample_blocks(leat_lm_sampler *sampler);
/* Fills `pick` with the tokens whose logit is >= least (and above -INFINITY). */
void  leat__sample_collect(leat_lm_sampler *sampler, float least);
/* A logit that at least `count` tokens reach, close below the count-th largest; -INFINITY when that is not known. */
float leat__sample_bound(leat_lm_sampler *sampler, int64_t count);
/* Keeps the shortest beginning of the candidates in the order of falling `keys` [n] (smaller id first among equals) whose weights reach `enough` in sum, or whose
 * number does when `weights` is NULL; one at least.  Time is linear, whatever the input. */
void  leat__sample_keep(leat_lm_sampler *sampler, const float *keys, const float *weights, double enough);

/* ---- Mirostat (sample_mirostat.c) ------------------------------------------------------------------------------------------- */

/* Chooses by Mirostat 1 or 2.  `most`: the largest logit. */
int32_t leat__sample_mirostat(leat_lm_sampler *sampler, float most, double uniform);
/* Chooses among the candidates by their weights.  uniform in [0, 1). */
int64_t leat__sample_draw(const leat_lm_candidates *pick, double uniform);

#endif
