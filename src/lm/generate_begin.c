/* generate_begin.c - a request is checked and made ready: prompt, tokens that end, grammar, stop strings, sampler, seed. */
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "lm/generation.h"

/* ---- tokens that end -------------------------------------------------------------------------------------------------------- */

static void add_end(int32_t ends[LM_MOST_ENDS], int32_t *n, int64_t token, int32_t vocabulary) {
    if (token < 0 || token >= vocabulary || *n == LM_MOST_ENDS) return;
    for (int32_t i = 0; i < *n; i++)
        if (ends[i] == token) return;
    ends[(*n)++] = (int32_t)token;
}

int32_t leat__lm_ends(const leat_tokenizer *tokenizer, const leat_gguf *file, int32_t ends[LM_MOST_ENDS]) {
    static const char *const keys[] = {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
    static const char *const names[] = {"<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>", "<|im_end|>", "<|end|>", "<end_of_turn>",
                                        "<|end_of_turn|>", "<|endofturn|>", "<|return|>", "<|call|>", "<EOT>", "_<EOT>", "<|END_OF_TURN_TOKEN|>",
                                        ("<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>")};
    leat_tokenizer_info info;
    int32_t n = 0;
    leat_tokenizer_get_info(tokenizer, &info);
    add_end(ends, &n, info.eos, info.tokens);
    add_end(ends, &n, info.eot, info.tokens);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const leat_gguf_value *value = leat_gguf_find(file, keys[i]);
        int64_t token;
        if (value && leat_gguf_integer(value, 0, &token) == LEAT_OK) add_end(ends, &n, token, info.tokens);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int32_t token = leat_tokenizer_find(tokenizer, names[i], strlen(names[i]));
        if (leat_tokenizer_type(tokenizer, token) == LEAT_TOKEN_CONTROL) add_end(ends, &n, token, info.tokens);
    }
    return n;
}

/* ---- first use -------------------------------------------------------------------------------------------------------------- */

static int make_once(leat_lm_generation *g, leat_error *error) {
    const leat_lm *lm = g->session->lm;
    if (g->prompt) return LEAT_OK;
    int32_t vocabulary = lm->params.vocabulary;
    g->words = (vocabulary + 31) / 32;
    if (!g->sampler && leat__sampler_open(vocabulary, &g->sampler) != LEAT_OK) return leat__fail(error, LEAT_ENOMEM, "out of memory for the sampler");
    if (!g->mask) g->mask = leat__calloc((size_t)g->words, sizeof *g->mask, LEAT_MEMORY_ARENA);
    if (!g->end_mask) g->end_mask = leat__calloc((size_t)g->words, sizeof *g->end_mask, LEAT_MEMORY_ARENA);
    if (!g->mask || !g->end_mask) return leat__fail(error, LEAT_ENOMEM, "out of memory for the masks of tokens");
    g->n_ends = leat__lm_ends(lm->tokenizer, lm->file, g->ends);
    for (int32_t i = 0; i < g->n_ends; i++) g->end_mask[g->ends[i] / 32] |= 1u << g->ends[i] % 32;
    g->prompt = leat__calloc((size_t)g->session->kv->capacity, sizeof *g->prompt, LEAT_MEMORY_ARENA);
    return g->prompt ? LEAT_OK : leat__fail(error, LEAT_ENOMEM, "out of memory for the prompt");
}

/* ---- the request ------------------------------------------------------------------------------------------------------------ */

static int check_request(leat_lm_generation *g, const leat_lm_request *request, leat_error *error) {
    const leat_lm *lm = g->session->lm;
    leat_lm_request *r = &g->request;
    if (request->size < sizeof *r) return leat__fail(error, LEAT_EINVAL, "request.size is %zu, not %zu: begin with leat_lm_request_default()", request->size, sizeof *r);
    *r = *request;
    if (lm->info.encoder) return leat__fail(error, LEAT_EUNSUPPORTED, "%s models embed texts and do not continue them", lm->info.architecture);
    if (r->prompt && r->tokens) return leat__fail(error, LEAT_EINVAL, "request.prompt and request.tokens are both given");
    if (!r->prompt && r->prompt_bytes) return leat__fail(error, LEAT_EINVAL, "request.prompt is NULL, of %zu bytes", r->prompt_bytes);
    if (r->n_tokens < 0 || (!r->tokens && r->n_tokens)) return leat__fail(error, LEAT_EINVAL, "request.n_tokens is %lld", (long long)r->n_tokens);
    if (r->max_tokens < -1) return leat__fail(error, LEAT_EINVAL, "request.max_tokens is %lld; -1 is as many as the context holds", (long long)r->max_tokens);
    if (r->n_top < 0 || r->n_top > LM_TOP_MOST) return leat__fail(error, LEAT_EINVAL, "request.n_top is %d, not in 0..%d", r->n_top, LM_TOP_MOST);
    if (r->grammar && r->json_schema) return leat__fail(error, LEAT_EINVAL, "request.grammar and request.json_schema are both given");
    if (r->flags >= LEAT_GENERATE_SPECIALS << 1) return leat__fail(error, LEAT_EINVAL, "request.flags is %#x", r->flags);
    return leat__sampling_check(&r->sampling, lm->params.vocabulary, error);
}

static int check_result(const leat_lm_result *r, leat_error *error) {
    if (r->size < sizeof *r) return leat__fail(error, LEAT_EINVAL, "result.size is %zu, not %zu: begin with leat_lm_result_init()", r->size, sizeof *r);
    if (r->token_capacity < 0 || r->logits_capacity < 0) return leat__fail(error, LEAT_EINVAL, "a capacity of the result is negative");
    return LEAT_OK;
}

static void clear_result(leat_lm_result *r) {
    r->n_tokens = r->prompt_tokens = r->cached_tokens = 0;
    r->text_bytes = 0;
    r->finish = LEAT_FINISH_NONE;
    r->seed = 0;
    r->prompt_ns = r->first_token_ns = r->decode_ns = r->total_ns = 0;
    if (r->text && r->text_capacity) r->text[0] = 0;
}

/* Tokens of the text behind the first `base`: BOS in front only of an empty session's, and nothing behind it. */
static int encode(leat_lm_generation *g, int32_t base, int64_t *count, leat_error *error) {
    const leat_lm_request *r = &g->request;
    const leat_tokenizer  *t = g->session->lm->tokenizer;
    leat_tokenizer_info info;
    leat_tokenizer_get_info(t, &info);
    int with_bos = base == 0 && !(r->flags & LEAT_GENERATE_NO_BOS);
    uint32_t flags = (with_bos ? LEAT_TOKENIZE_SPECIALS : 0) | (r->flags & LEAT_GENERATE_PARSE ? LEAT_TOKENIZE_PARSE : 0);
    int64_t room = g->session->kv->capacity - base;
    int status = leat_tokenizer_encode(t, r->prompt ? r->prompt : "", r->prompt_bytes, flags, g->prompt + base, room, count);
    if (with_bos && info.add_eos && *count > 0 && (status == LEAT_OK || *count == room + 1)) { /* the one at the end is not wanted */
        --*count;
        status = LEAT_OK;
    }
    if (status == LEAT_OK || status == LEAT_ELIMIT) return LEAT_OK; /* the length is looked at by the caller */
    return leat__fail(error, status, "the prompt cannot be tokenised: %s", leat_status_text(status));
}

static int make_prompt(leat_lm_generation *g, leat_error *error) {
    const leat_lm_request *r = &g->request;
    leat_lm_session *s = g->session;
    int32_t base = r->flags & LEAT_GENERATE_APPEND ? s->kv->length : 0;
    int64_t count = r->n_tokens, most = s->kv->capacity;
    memcpy(g->prompt, s->tokens, (size_t)base * sizeof *g->prompt);
    int status = r->tokens ? LEAT_OK : encode(g, base, &count, error);
    if (status) return status;
    if (count > most - base)
        return leat__fail(error, LEAT_ELIMIT, "the prompt has %lld tokens%s, and the context holds %lld: shorten it, or open the session with a larger context",
                          (long long)count, base ? " behind those that are held" : "", (long long)most);
    if (r->tokens) {
        status = leat__lm_check_tokens(s->lm, r->tokens, count, error);
        if (status == LEAT_OK && count) memcpy(g->prompt + base, r->tokens, (size_t)count * sizeof *g->prompt);
    }
    g->n_prompt = base + count;
    if (status == LEAT_OK && g->n_prompt == 0) return leat__fail(error, LEAT_EINVAL, "the prompt is empty and has no BOS in front: give a text, or let BOS begin it where the model has one");
    return status;
}

static int check_logits(const leat_lm_generation *g, leat_error *error) {
    const leat_lm_result *r = g->result;
    int64_t vocabulary = g->session->lm->params.vocabulary;
    if (!r->prompt_logits || r->logits_capacity / vocabulary >= g->n_prompt) return LEAT_OK;
    return leat__fail(error, LEAT_ELIMIT, "result.logits_capacity is %lld; logits of %lld tokens are %lld floats", (long long)r->logits_capacity,
                      (long long)g->n_prompt, (long long)(g->n_prompt * vocabulary));
}

/* The sorted vocabulary is made once for a model; whoever comes second drops his own. */
static int grammar_vocab(leat_lm_generation *g, leat_grammar_vocab **vocab, leat_error *error) {
    leat_lm *lm = g->session->lm;
    leat_grammar_vocab *made = NULL, *none = NULL;
    *vocab = atomic_load(&lm->grammar_vocab);
    if (*vocab) return LEAT_OK;
    int status = leat_grammar_vocab_new(lm->tokenizer, g->ends, g->n_ends, &made, error);
    if (status) return status;
    if (!atomic_compare_exchange_strong(&lm->grammar_vocab, &none, made)) leat_grammar_vocab_unref(made);
    *vocab = atomic_load(&lm->grammar_vocab);
    return LEAT_OK;
}

static int open_grammar(leat_lm_generation *g, leat_error *error) {
    const char *text = g->request.grammar, *schema = g->request.json_schema;
    leat_grammar_vocab *vocab;
    if (!text && !schema) return LEAT_OK;
    int status = grammar_vocab(g, &vocab, error);
    if (status == LEAT_OK) status = schema ? leat_grammar_open_schema(schema, strlen(schema), &g->grammar, error)
                                          : leat_grammar_open(text, strlen(text), &g->grammar, error);
    if (status == LEAT_OK) status = leat_grammar_state_open(g->grammar, vocab, &g->place, error);
    return status;
}

/* Whether only control tokens came before: then the text begins with the first token, and with it the space that belongs to the tokenizer. */
static int begins_text(const leat_lm_generation *g) {
    const leat_tokenizer *t = g->session->lm->tokenizer;
    leat_tokenizer_info info;
    leat_tokenizer_get_info(t, &info);
    for (int64_t i = 0; i < g->n_prompt; i++)
        if (leat_tokenizer_type(t, g->prompt[i]) != LEAT_TOKEN_CONTROL) return 0;
    return info.add_space_prefix;
}

static uint64_t fresh_seed(void) {
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) seed = (uint64_t)leat__now_ns();
    seed &= (UINT64_C(1) << 53) - 1; /* so that JSON can tell it */
    return seed ? seed : 1;
}

static int prepare(leat_lm_generation *g, leat_error *error) {
    const leat_lm_request *r = &g->request;
    int status = make_prompt(g, error);
    if (status == LEAT_OK) status = check_logits(g, error);
    if (status == LEAT_OK) status = open_grammar(g, error);
    if (status == LEAT_OK)
        status = leat__text_begin(&g->text, g->session->lm->tokenizer, r->flags & LEAT_GENERATE_SPECIALS ? LEAT_DETOKENIZE_SPECIALS : 0, begins_text(g), r->stop, r->n_stop, error);
    return status;
}

int leat__generation_begin(leat_lm_generation *g, const leat_lm_request *request, leat_lm_result *result, leat_lm_token_fn on_token, void *user, leat_error *error) {
    g->start_ns = leat__now_ns();
    g->result = NULL;
    if (!request || !result) return leat__fail(error, LEAT_EINVAL, "request or result is NULL");
    int status = check_result(result, error);
    if (status) return status;
    g->result = result;
    g->on_token = on_token;
    g->user = user;
    g->finish = LEAT_FINISH_NONE;
    g->cut = 0;
    g->first_ns = 0;
    g->n_prompt = 0;
    g->evaluated = g->session->stats.evaluated_tokens;
    clear_result(result);
    status = check_request(g, request, error);
    if (status == LEAT_OK) status = make_once(g, error);
    if (status == LEAT_OK) status = prepare(g, error);
    if (status) return status;
    if (!g->request.sampling.seed) g->request.sampling.seed = fresh_seed();
    g->session->seed = result->seed = g->request.sampling.seed;
    leat__sampler_begin(g->sampler, &g->request.sampling);
    result->prompt_tokens = g->n_prompt;
    return LEAT_OK;
}
