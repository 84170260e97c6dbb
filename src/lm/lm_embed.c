/* lm_embed.c - the vector of a text (contract in leat/lm.h).
 *
 * The tokens go through the layers in steps of at most `batch` (an encoder's batch is its context, so it sees all of a text at once), and only rows that the pooling
 * looks at go on behind the last layer's keys and values: all for the mean, the first, or the last one.  The forward pass adds them up where they are made;
 * there is no memory of states.  The session is empty afterwards. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "lm/lm_impl.h"

static int fits(const leat_lm_session *s, int64_t count, leat_error *error) {
    int64_t places = s->lm->tensors.positions.data && s->lm->tensors.positions.rows < s->kv->capacity ? s->lm->tensors.positions.rows : s->kv->capacity;
    if (count <= places) return LEAT_OK;
    return leat__fail(error, LEAT_ELIMIT, "a text of %lld tokens does not fit the context of %lld", (long long)count, (long long)places);
}

/* One step of tokens [at, at + count) of `total`, adding what the pooling wants to s->vector. */
static int embed_step(leat_lm_session *s, const int32_t *tokens, int64_t at, int32_t count, int64_t total, leat_pooling pooling, leat_error *error) {
    leat_lm_outputs out = {.sum = s->vector};
    for (int32_t i = 0; i < count; i++) {
        int want = pooling == LEAT_POOLING_MEAN || (pooling == LEAT_POOLING_CLS ? at + i == 0 : at + i + 1 == total);
        s->rows[i] = (leat_lm_row){s->kv, tokens[at + i], want};
    }
    return leat__lm_forward(s->runner, s->rows, count, &out, &s->cancelled, error);
}

static int embed(leat_lm_session *s, const int32_t *tokens, int64_t count, leat_pooling pooling, leat_error *error) {
    int64_t  start = leat__now_ns();
    uint64_t allocated = leat__thread_hot_allocations();
    int      status = LEAT_OK;
    leat__lm_kv_truncate(s->kv, 0);
    s->has_logits = 0;
    memset(s->vector, 0, (size_t)s->lm->params.width * sizeof *s->vector);
    for (int64_t at = 0; status == LEAT_OK && at < count; at += s->batch) {
        int32_t n = count - at < s->batch ? (int32_t)(count - at) : s->batch;
        status = embed_step(s, tokens, at, n, count, pooling, error);
    }
    leat__lm_kv_truncate(s->kv, 0);
    s->stats.allocations += leat__thread_hot_allocations() - allocated;
    if (status) return status;
    s->stats.evaluated_tokens += count;
    s->stats.prompt_tokens += count;
    s->stats.prompt_ns += leat__now_ns() - start;
    return LEAT_OK;
}

/* The mean's divisor matters where the vector is not normalised. */
static void finish(leat_lm_session *s, int64_t rows, int normalise) {
    int32_t width = s->lm->params.width;
    double  squares = 0, factor = 1.0 / (double)rows;
    for (int32_t i = 0; i < width; i++) squares += (double)s->vector[i] * (double)s->vector[i];
    if (normalise && squares > 0) factor = 1.0 / sqrt(squares);
    for (int32_t i = 0; i < width; i++) s->vector[i] = (float)((double)s->vector[i] * factor);
}

static int settle(const leat_lm_session *s, leat_pooling *pooling, const float **vector, int64_t *size, leat_error *error) {
    if (vector) *vector = NULL;
    if (size) *size = 0;
    int status = leat__lm_session_free(s, "leat_lm_embed", error);
    if (status) return status;
    if (!vector || !size) return leat__fail(error, LEAT_EINVAL, "leat_lm_embed: vector and size may not be NULL");
    if ((unsigned)*pooling > LEAT_POOLING_LAST) return leat__fail(error, LEAT_EINVAL, "pooling %d is unknown", (int)*pooling);
    if (*pooling == LEAT_POOLING_MODEL) *pooling = s->lm->params.pooling;
    if (*pooling == LEAT_POOLING_MODEL) *pooling = LEAT_POOLING_MEAN;
    return LEAT_OK;
}

static int run(leat_lm_session *s, const int32_t *tokens, int64_t count, leat_pooling pooling, int normalise, const float **vector, int64_t *size, leat_error *error) {
    int status = count < 1 ? leat__fail(error, LEAT_EINVAL, "a text of no tokens has no vector") : fits(s, count, error);
    if (status == LEAT_OK) status = leat__lm_check_tokens(s->lm, tokens, count, error);
    if (status == LEAT_OK) status = embed(s, tokens, count, pooling, error);
    if (status) return status;
    finish(s, pooling == LEAT_POOLING_MEAN ? count : 1, normalise);
    *vector = s->vector;
    *size = s->lm->params.width;
    return LEAT_OK;
}

int leat_lm_embed_tokens(leat_lm_session *s, const int32_t *tokens, int64_t count, leat_pooling pooling, int normalise, const float **vector, int64_t *size,
                         leat_error *error) {
    int status = settle(s, &pooling, vector, size, error);
    if (status) return status;
    if (!tokens && count > 0) return leat__fail(error, LEAT_EINVAL, "tokens is NULL, and count %lld", (long long)count);
    atomic_store(&s->cancelled, 0);
    return run(s, tokens, count, pooling, normalise, vector, size, error);
}

int leat_lm_embed(leat_lm_session *s, const char *text, size_t bytes, leat_pooling pooling, int normalise, const float **vector, int64_t *size, leat_error *error) {
    int64_t count = 0;
    int status = settle(s, &pooling, vector, size, error);
    if (status) return status;
    if (!text && bytes) return leat__fail(error, LEAT_EINVAL, "text is NULL, of %zu bytes", bytes);
    atomic_store(&s->cancelled, 0);
    leat__lm_kv_truncate(s->kv, 0); /* its tokens give their place */
    s->has_logits = 0;
    status = leat_tokenizer_encode(s->lm->tokenizer, text, bytes, LEAT_TOKENIZE_SPECIALS, s->tokens, s->kv->capacity, &count);
    if (status == LEAT_ELIMIT) return fits(s, count, error);
    if (status) return leat__fail(error, status, "the text cannot be tokenised");
    return run(s, s->tokens, count, pooling, normalise, vector, size, error);
}
