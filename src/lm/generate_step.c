/* generate_step.c - from the logits of a step to a token: chosen, recorded, shown; and everything that ends a generation. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "lm/generation.h"

/* ---- the grammar ------------------------------------------------------------------------------------------------------------ */

/* The mask of the next token.  Where nothing but the end may follow, the text is complete: no more is asked for. */
static int look_ahead(leat_lm_generation *g, leat_error *error) {
    uint32_t others = 0;
    if (!g->place) return LEAT_OK;
    int status = leat_grammar_state_mask(g->place, g->mask, g->words);
    if (status == LEAT_ESTATE) return leat__fail(error, LEAT_EUNSUPPORTED, "no token of the vocabulary can continue the text as the grammar wants it");
    if (status) return leat__fail(error, status, "the grammar is too ambiguous here: %s", leat_status_text(status));
    for (int64_t i = 0; i < g->words; i++) others |= g->mask[i] & ~g->end_mask[i];
    if (!others) g->finish = LEAT_FINISH_GRAMMAR;
    return LEAT_OK;
}

static int is_end(const leat_lm_generation *g, int32_t token) { return g->end_mask[token / 32] >> token % 32 & 1; }

/* ---- what a token leaves behind --------------------------------------------------------------------------------------------- */

static void add_text(leat_lm_generation *g, const char *text, size_t bytes) {
    leat_lm_result *r = g->result;
    size_t held = r->text_bytes;
    r->text_bytes += bytes;
    if (!r->text || !r->text_capacity || g->cut || !bytes) return;
    size_t room = r->text_capacity - 1 - held, fits = bytes <= room ? bytes : leat_utf8_complete(text, room);
    memcpy(r->text + held, text, fits);
    r->text[held + fits] = 0;
    g->cut = fits < bytes;
}

static void record(leat_lm_generation *g, int32_t token, float logprob) {
    leat_lm_result *r = g->result;
    int64_t at = r->n_tokens++;
    if (at >= r->token_capacity) return;
    if (r->tokens) r->tokens[at] = token;
    if (r->probs) r->probs[at] = (leat_token_prob){token, logprob};
    if (r->top && g->request.n_top) memcpy(r->top + at * g->request.n_top, g->top, (size_t)g->request.n_top * sizeof *r->top);
}

/* Outside the hot phase: a callback may do as it likes. */
static int tell(leat_lm_generation *g, int32_t token, size_t bytes, float logprob) {
    const leat_lm_piece piece = {.index = token < 0 ? g->result->n_tokens : g->result->n_tokens - 1, .token = token, .text = g->text.shown, .bytes = bytes,
                                 .logprob = logprob, .top = g->top, .n_top = token < 0 ? 0 : g->request.n_top};
    if (!g->on_token) return 0;
    leat__hot_leave();
    int stop = g->on_token(g->user, &piece);
    leat__hot_enter();
    return stop;
}

static int wants_logprobs(const leat_lm_generation *g) { return g->on_token || g->result->probs || (g->result->top && g->request.n_top); }

/* ---- a step ----------------------------------------------------------------------------------------------------------------- */

static int choose(leat_lm_generation *g, const float *logits, int32_t *token, leat_error *error) {
    const leat_lm_session *s = g->session;
    int ignore = (g->request.flags & LEAT_GENERATE_IGNORE_EOS) != 0;
    const leat_lm_choice choice = {.logits = logits, .recent = s->tokens, .n_recent = s->kv->length, .mask = g->place ? g->mask : NULL, .forbidden = g->ends,
                                   .n_forbidden = ignore ? g->n_ends : 0, .draw = (uint64_t)s->kv->length};
    if (leat__sample(g->sampler, &choice, token) == LEAT_OK) return LEAT_OK;
    return leat__fail(error, LEAT_EINVAL, "no token can be chosen: bias, grammar or IGNORE_EOS forbid them all, or the logits are not numbers");
}

/* What comes after the token, in the order in which it counts. */
static int conclude(leat_lm_generation *g, int32_t token, int stopped, int refused, leat_error *error) {
    const leat_lm_session *s = g->session;
    g->next = token;
    if (refused) g->finish = LEAT_FINISH_CALLBACK;
    else if (stopped) g->finish = LEAT_FINISH_STOP;
    if (g->finish) return LEAT_OK;
    int status = g->place ? leat_grammar_state_accept_token(g->place, token) : LEAT_OK;
    if (status) return leat__fail(error, status == LEAT_ELIMIT ? LEAT_ELIMIT : LEAT_EINTERNAL, "the grammar does not take token %d: %s", (int)token, leat_status_text(status));
    status = look_ahead(g, error);
    if (status || g->finish) return status;
    if (g->result->n_tokens == g->max_tokens) g->finish = LEAT_FINISH_LENGTH;
    else if (s->kv->length + 1 >= s->kv->capacity) g->finish = LEAT_FINISH_CONTEXT;
    return LEAT_OK;
}

int leat__generation_step(leat_lm_generation *g, const float *logits, leat_error *error) {
    int32_t token;
    int     stopped;
    float   logprob = 0;
    if (atomic_load_explicit(&g->session->cancelled, memory_order_relaxed)) return leat__fail(error, LEAT_ECANCELLED, "cancelled");
    int status = choose(g, logits, &token, error);
    if (status) return status;
    if (!g->first_ns) g->first_ns = leat__now_ns();
    if (is_end(g, token)) {
        g->finish = LEAT_FINISH_EOS;
        return LEAT_OK;
    }
    if (wants_logprobs(g)) logprob = leat__sample_logprobs(g->sampler, logits, token, g->top, g->request.n_top);
    record(g, token, logprob);
    size_t bytes = leat__text_add(&g->text, token, &stopped);
    add_text(g, g->text.shown, bytes);
    int refused = tell(g, token, bytes, logprob);
    return conclude(g, token, stopped, refused, error);
}

/* ---- begin and end ---------------------------------------------------------------------------------------------------------- */

int leat__generation_prefilled(leat_lm_generation *g, leat_error *error) {
    leat_lm_result *r = g->result;
    const leat_lm_session *s = g->session;
    int64_t limit = s->kv->capacity - s->kv->length, wanted = g->request.max_tokens;
    r->prompt_ns = leat__now_ns() - g->start_ns;
    r->cached_tokens = g->n_prompt - (s->stats.evaluated_tokens - g->evaluated);
    g->max_tokens = wanted < 0 ? INT64_MAX : wanted;
    if (g->max_tokens == 0) g->finish = LEAT_FINISH_LENGTH;
    else if (limit == 0) g->finish = LEAT_FINISH_CONTEXT;
    return g->finish ? LEAT_OK : look_ahead(g, error);
}

static void finish_text(leat_lm_generation *g, int status) {
    size_t bytes = leat__text_flush(&g->text);
    add_text(g, g->text.shown, bytes);
    leat__hot_enter();
    if (bytes && status == LEAT_OK && g->finish != LEAT_FINISH_CALLBACK) (void)tell(g, -1, bytes, 0);
    leat__hot_leave();
}

int leat__generation_end(leat_lm_generation *g, int status) {
    leat_lm_result *r = g->result;
    leat_grammar_state_close(g->place);
    leat_grammar_close(g->grammar);
    g->place = NULL;
    g->grammar = NULL;
    if (!r) return status;
    if (status == LEAT_ECANCELLED) g->finish = LEAT_FINISH_CANCELLED;
    else if (status) g->finish = LEAT_FINISH_NONE;
    if (r->prompt_tokens) finish_text(g, status);
    int64_t now = leat__now_ns();
    r->finish = g->finish;
    r->total_ns = now - g->start_ns;
    if (g->first_ns) {
        r->first_token_ns = g->first_ns - g->start_ns;
        r->decode_ns = now - g->first_ns;
    }
    g->session->draws = (uint64_t)g->session->kv->length;
    g->result = NULL;
    return status;
}
