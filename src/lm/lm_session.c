/* lm_session.c - a session: the tokens that a cache holds, kept in step with it, and the logits behind the last one (contract in leat/lm.h).
 *
 * All that changes goes through feed(): it runs steps of at most `batch` rows, and tokens[] grows only by what a step has finished.  A step that is cancelled or fails
 * leaves a prefix.
 */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/sized_options.h"
#include "lm/lm_impl.h"

#define DEFAULT_CONTEXT 8192
#define DEFAULT_BATCH 512
#define MAX_CONTEXT (1 << 24)

void leat_lm_session_options_default(leat_lm_session_options *options) {
    if (options) *options = (leat_lm_session_options){.size = sizeof *options};
}

/* ---- opening ----------------------------------------------------------------------------------------------------------------- */

static int check_options(const leat_lm *lm, leat_lm_session_options *o, leat_error *error) {
    if (o->context == 0) o->context = lm->params.train_context < DEFAULT_CONTEXT ? lm->params.train_context : DEFAULT_CONTEXT;
    if (o->context < 1 || o->context > MAX_CONTEXT) return leat__fail(error, LEAT_EINVAL, "context is %d, not in 1..%d", (int)o->context, MAX_CONTEXT);
    if (o->threads < 0 || o->threads > LEAT_MAX_THREADS) return leat__fail(error, LEAT_EINVAL, "threads is %d, not in 0..%d", o->threads, LEAT_MAX_THREADS);
    if (o->batch == 0) o->batch = DEFAULT_BATCH;
    if (lm->arch->traits & LM_TRAIT_ENCODER) { /* all of a text is one step: every token sees every other */
        o->batch = o->context;
        o->kv_type = LEAT_KV_F32;
    }
    if (o->batch > o->context) o->batch = o->context;
    return o->batch < 1 ? leat__fail(error, LEAT_EINVAL, "batch is %d, not positive", (int)o->batch) : LEAT_OK;
}

static int allocate(leat_lm_session *s, const leat_lm_session_options *o, leat_error *error) {
    const leat_lm_params *p = &s->lm->params;
    int status = leat__lm_kv_open(s->lm, o->context, o->batch, o->kv_type, &s->kv, error);
    if (status == LEAT_OK) status = leat__lm_runner_open(s->lm, o->batch, o->batch, o->threads, &s->runner, error);
    if (status) return status;
    s->tokens = leat__calloc((size_t)o->context, sizeof *s->tokens, LEAT_MEMORY_ARENA);
    s->rows = leat__calloc((size_t)o->batch, sizeof *s->rows, LEAT_MEMORY_ARENA);
    s->logits = leat__calloc((size_t)p->vocabulary, sizeof *s->logits, LEAT_MEMORY_ARENA);
    s->vector = leat__calloc((size_t)p->width, sizeof *s->vector, LEAT_MEMORY_ARENA);
    if (!s->tokens || !s->rows || !s->logits || !s->vector) return leat__fail(error, LEAT_ENOMEM, "out of memory for a session");
    s->batch = o->batch;
    s->threads = leat_tpool_threads(s->lm->pool);
    if (o->threads > 0 && o->threads < s->threads) s->threads = o->threads;
    s->stats.kv_bytes = leat__lm_kv_bytes(s->kv);
    s->stats.scratch_bytes = leat__lm_runner_bytes(s->runner);
    s->stats.context = o->context;
    s->stats.threads = s->threads;
    return LEAT_OK;
}

int leat_lm_session_open(leat_lm *lm, const leat_lm_session_options *options, leat_lm_session **out, leat_error *error) {
    leat_lm_session_options wanted;
    leat_lm_session_options_default(&wanted);
    if (out) *out = NULL;
    if (!lm || !out) return leat__fail(error, LEAT_EINVAL, "leat_lm_session_open: lm and session may not be NULL");
    int status = leat__take_options(&wanted, sizeof wanted, options, "leat_lm_session_options", error);
    if (status == LEAT_OK) status = check_options(lm, &wanted, error);
    if (status) return status;
    leat_lm_session *s = leat__calloc(1, sizeof *s, LEAT_MEMORY_PLAN);
    if (!s) return leat__fail(error, LEAT_ENOMEM, "out of memory for a session");
    s->lm = leat_lm_ref(lm);
    atomic_init(&s->cancelled, 0);
    status = allocate(s, &wanted, error);
    if (status == LEAT_OK) status = leat__lm_generation_open(s, error);
    if (status) leat_lm_session_close(s);
    else *out = s;
    return status;
}

void leat_lm_session_close(leat_lm_session *s) {
    if (!s) return;
    if (s->generation_close) s->generation_close(s);
    leat__lm_runner_close(s->runner);
    leat__lm_kv_close(s->kv);
    leat__free(s->tokens);
    leat__free(s->rows);
    leat__free(s->logits);
    leat__free(s->vector);
    leat_lm_unref(s->lm);
    leat__free(s);
}

leat_lm *leat_lm_session_model(const leat_lm_session *session) { return session ? session->lm : NULL; }

/* ---- evaluation ---------------------------------------------------------------------------------------------------------------- */

int leat__lm_check_tokens(const leat_lm *lm, const int32_t *tokens, int64_t count, leat_error *error) {
    for (int64_t i = 0; i < count; i++)
        if (tokens[i] < 0 || tokens[i] >= lm->params.vocabulary)
            return leat__fail(error, LEAT_EINVAL, "token %lld is %d, not in 0..%d", (long long)i, (int)tokens[i], (int)lm->params.vocabulary - 1);
    return LEAT_OK;
}

/* How many tokens are left: `length`, or 0 where rows are missing that those behind would need. */
static int32_t forget(leat_lm_session *s, int32_t length) {
    if (length >= s->kv->length) return length;
    s->has_logits = 0;
    return leat__lm_kv_truncate(s->kv, length);
}

static void count_time(leat_lm_session *s, int32_t rows, int64_t ns) {
    s->stats.evaluated_tokens += rows;
    if (rows > 1) s->stats.prompt_ns += ns, s->stats.prompt_tokens += rows;
    else s->stats.decode_ns += ns, s->stats.decode_tokens += 1;
}

/* One step of tokens [count <= batch].  all: logits of every one; else of the last one where `last`. */
static int feed_step(leat_lm_session *s, const int32_t *tokens, int32_t count, int last, float *all, leat_error *error) {
    int32_t at = s->kv->length;
    int64_t start = leat__now_ns();
    for (int32_t i = 0; i < count; i++) s->rows[i] = (leat_lm_row){s->kv, tokens[i], all != NULL || (last && i + 1 == count)};
    leat_lm_outputs out = {.logits = all ? all : s->logits};
    s->has_logits = 0;
    int status = leat__lm_forward(s->runner, s->rows, count, &out, &s->cancelled, error);
    s->stats.allocations = leat__lm_runner_allocations(s->runner);
    if (status) return status;
    memmove(s->tokens + at, tokens, (size_t)count * sizeof *tokens); /* they may be the session's own */
    if (all && last) memcpy(s->logits, all + (int64_t)(count - 1) * s->lm->params.vocabulary, (size_t)s->lm->params.vocabulary * sizeof *all);
    s->has_logits = last;
    count_time(s, count, leat__now_ns() - start);
    return LEAT_OK;
}

static int feed(leat_lm_session *s, const int32_t *tokens, int64_t count, float *all, leat_error *error) {
    for (int64_t at = 0; at < count;) {
        int32_t n = count - at < s->batch ? (int32_t)(count - at) : s->batch;
        int status = feed_step(s, tokens + at, n, at + n == count, all ? all + at * s->lm->params.vocabulary : NULL, error);
        if (status) return status;
        at += n;
    }
    return LEAT_OK;
}

static int check_request(const leat_lm_session *s, const int32_t *tokens, int64_t count, leat_error *error) {
    if (count > 0 && s->lm->arch->traits & LM_TRAIT_ENCODER) return leat__fail(error, LEAT_EUNSUPPORTED, "%s models embed texts and do not continue them", s->lm->arch->name);
    if (count < 0) return leat__fail(error, LEAT_EINVAL, "count is %lld: the number of tokens may not be negative", (long long)count);
    if (count > 0 && !tokens) return leat__fail(error, LEAT_EINVAL, "tokens is NULL, and count %lld", (long long)count);
    if (count > s->kv->capacity)
        return leat__fail(error, LEAT_ELIMIT, "%lld tokens do not fit the context of %d", (long long)count, (int)s->kv->capacity);
    return leat__lm_check_tokens(s->lm, tokens, count, error);
}

int leat__lm_session_sync(leat_lm_session *s, const int32_t *tokens, int64_t count, float *logits, leat_error *error) {
    int status = check_request(s, tokens, count, error);
    if (status) return status;
    int32_t common = 0;
    while (!logits && common < s->kv->length && common < count && s->tokens[common] == tokens[common]) common++;
    if (common == count && common > 0 && !(s->has_logits && s->kv->length == common)) common--; /* the last one once more, for its logits */
    common = forget(s, common);
    s->stats.reused_tokens += common;
    return feed(s, tokens + common, count - common, logits, error);
}

int leat__lm_session_extend(leat_lm_session *s, const int32_t *tokens, int64_t count, leat_error *error) {
    int status = check_request(s, tokens, count, error);
    if (status == LEAT_OK && count > s->kv->capacity - s->kv->length)
        status = leat__fail(error, LEAT_ELIMIT, "%lld more tokens do not fit the context of %d, which holds %d", (long long)count, (int)s->kv->capacity, (int)s->kv->length);
    return status ? status : feed(s, tokens, count, NULL, error);
}

/* ---- the public calls ------------------------------------------------------------------------------------------------------------ */

/* Whether a call may use the session now, for itself. */
int leat__lm_session_free(const leat_lm_session *s, const char *call, leat_error *error) {
    if (!s) return leat__fail(error, LEAT_EINVAL, "%s: session may not be NULL", call);
    return s->generation_busy && s->generation_busy(s) ? leat__fail(error, LEAT_ESTATE, "a generation of this session is in flight") : LEAT_OK;
}

int leat_lm_sync(leat_lm_session *s, const int32_t *tokens, int64_t count, leat_error *error) {
    int status = leat__lm_session_free(s, "leat_lm_sync", error);
    if (status) return status;
    atomic_store(&s->cancelled, 0);
    return leat__lm_session_sync(s, tokens, count, NULL, error);
}

int leat_lm_sync_logits(leat_lm_session *s, const int32_t *tokens, int64_t count, float *logits, leat_error *error) {
    int status = leat__lm_session_free(s, "leat_lm_sync_logits", error);
    if (status == LEAT_OK && !logits && count > 0) status = leat__fail(error, LEAT_EINVAL, "logits is NULL, and count %lld", (long long)count);
    if (status) return status;
    atomic_store(&s->cancelled, 0);
    return leat__lm_session_sync(s, tokens, count, logits, error);
}

void leat_lm_session_tokens(const leat_lm_session *s, const int32_t **tokens, int64_t *count) {
    if (tokens) *tokens = s ? s->tokens : NULL;
    if (count) *count = s ? s->kv->length : 0;
}

int leat_lm_logits(const leat_lm_session *s, const float **logits) {
    if (logits) *logits = NULL;
    if (!s || !logits) return LEAT_EINVAL;
    if (!s->has_logits) return LEAT_ESTATE;
    *logits = s->logits;
    return LEAT_OK;
}

void leat_lm_cancel(leat_lm_session *s) {
    if (s) atomic_store(&s->cancelled, 1);
}

void leat_lm_session_get_stats(const leat_lm_session *s, leat_lm_session_stats *stats) {
    if (stats) *stats = s ? s->stats : (leat_lm_session_stats){0};
}
