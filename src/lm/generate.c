/* generate.c - the public face of leat/generate.h: defaults, and a generation in the caller's thread. */
#include "leat/generate.h"

#include "base/error.h"
#include "base/mem.h"
#include "lm/generation.h"

void leat_lm_request_default(leat_lm_request *request) {
    if (!request) return;
    *request = (leat_lm_request){.size = sizeof *request, .max_tokens = 128};
    leat_sampling_default(&request->sampling);
}

void leat_lm_result_init(leat_lm_result *result) {
    if (result) *result = (leat_lm_result){.size = sizeof *result};
}

const char *leat_finish_name(leat_finish finish) {
    static const char *const names[] = {"none", "eos", "stop", "length", "context", "grammar", "callback", "cancelled"};
    return (unsigned)finish < sizeof names / sizeof *names ? names[finish] : NULL;
}

int leat__generation_prefill(leat_lm_generation *g, leat_error *error) {
    leat_lm_session *s = g->session;
    int status = leat__lm_session_sync(s, g->prompt, g->n_prompt, g->result->prompt_logits, error);
    return status == LEAT_OK ? leat__generation_prefilled(g, error) : status;
}

int leat__generation_run(leat_lm_generation *g, const leat_lm_request *request, leat_lm_result *result, leat_lm_token_fn on_token, void *user, leat_error *error) {
    leat_lm_session *s = g->session;
    int status = leat__generation_begin(g, request, result, on_token, user, error);
    leat__hot_enter();
    if (status == LEAT_OK) status = leat__generation_prefill(g, error);
    while (status == LEAT_OK && !g->finish) {
        status = leat__generation_step(g, s->logits, error);
        if (status == LEAT_OK && !g->finish) status = leat__lm_session_extend(s, &g->next, 1, error);
    }
    leat__hot_leave();
    return leat__generation_end(g, status);
}

int leat_lm_generate(leat_lm_session *session, const leat_lm_request *request, leat_lm_result *result, leat_lm_token_fn on_token, void *user, leat_error *error) {
    int status = leat__generation_claim(session, error);
    if (status) return status;
    leat_error own = {0}, *failure = error ? error : &own;
    status = leat__generation_run(session->generation, request, result, on_token, user, failure);
    leat__generation_release(session, status, status ? failure : NULL);
    return status;
}
