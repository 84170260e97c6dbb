/* call_cost.c - the worker in C of bench_bindings.py: opens a model once, then generates when it is told to.
 *
 *     call_cost MODEL THREADS TOKENS      reads lines from standard input, answers each with one line:
 *       once       one call of leat_lm_generate, no callback        -> ns calls checksum
 *       callback   the same with a callback for each token          -> ns calls checksum
 *       tokens     a call for each step: sync, logits, decode       -> ns calls checksum
 *       cross N    N calls of a function that does nothing much     -> ns of one
 *       back N     N callbacks                                      -> ns of one
 *       memory     peak and anonymous resident memory, kB
 */
#include <leat/leat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PROMPT = 16, MAX_TOKENS = 4096 };

typedef struct worker {
    leat_lm         *lm;
    leat_lm_session *session;
    int64_t          want;
    int32_t          prompt[PROMPT], tokens[PROMPT + MAX_TOKENS];
    char             text[MAX_TOKENS * 64];
    leat_error       error;
    int64_t          calls, last; /* of the measured stretch: crossings, and the tokens' sum */
} worker;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t sum(const int32_t *tokens, int64_t count) {
    int64_t s = 0;
    for (int64_t i = 0; i < count; i++) s += tokens[i] * (i + 1);
    return s;
}

static int heard(void *user, const leat_lm_piece *piece) {
    worker *w = user;
    w->calls += 1;
    w->last = piece->token;
    return 0;
}

static int once(worker *w, leat_lm_token_fn on_token) {
    leat_lm_request request;
    leat_lm_result  result;
    leat_lm_request_default(&request);
    leat_lm_result_init(&result);
    request.tokens = w->prompt;
    request.n_tokens = PROMPT;
    request.max_tokens = w->want;
    request.sampling.temperature = 0;
    request.flags = LEAT_GENERATE_IGNORE_EOS;
    result.tokens = w->tokens;
    result.token_capacity = MAX_TOKENS;
    result.text = w->text;
    result.text_capacity = sizeof w->text;
    w->calls = 1;
    int status = leat_lm_generate(w->session, &request, &result, on_token, w, &w->error);
    w->last = sum(w->tokens, result.n_tokens);
    return status;
}

static int32_t argmax(const float *logits, int32_t count) {
    int32_t best = 0;
    for (int32_t i = 1; i < count; i++)
        if (logits[i] > logits[best]) best = i;
    return best;
}

static int each_token(worker *w) {
    leat_lm_info info;
    leat_lm_get_info(w->lm, &info);
    const leat_tokenizer *tokenizer = leat_lm_tokenizer(w->lm);
    memcpy(w->tokens, w->prompt, sizeof w->prompt);
    int status = leat_lm_sync(w->session, w->tokens, PROMPT, &w->error);
    w->calls = 1;
    for (int64_t n = 0; n < w->want && status == LEAT_OK; n++) {
        const float *logits;
        size_t       bytes;
        leat_lm_logits(w->session, &logits);
        w->tokens[PROMPT + n] = argmax(logits, info.vocabulary);
        leat_tokenizer_piece(tokenizer, w->tokens[PROMPT + n], 0, w->text, sizeof w->text, &bytes);
        if (n + 1 < w->want) status = leat_lm_sync(w->session, w->tokens, PROMPT + n + 1, &w->error);
        w->calls += 3;
    }
    w->calls--; /* no step behind the last token */
    w->last = sum(w->tokens + PROMPT, w->want);
    return status;
}

static void memory(void) {
    char  line[256];
    long  peak = 0, anonymous = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file)) {
        sscanf(line, "VmHWM: %ld", &peak);
        sscanf(line, "RssAnon: %ld", &anonymous);
    }
    if (file) fclose(file);
    printf("%ld %ld\n", peak, anonymous);
}

static void cross(worker *w, long count, int back) {
    volatile size_t  total = 0;
    leat_lm_piece    piece = {.token = 1};
    int (*volatile callback)(void *, const leat_lm_piece *) = heard;
    int64_t start = now();
    for (long i = 0; i < count; i++) total += back ? (size_t)callback(w, &piece) : leat_utf8_complete("", 0);
    printf("%.3f\n", (double)(now() - start) / (double)count);
}

static int measured(worker *w, const char *what) {
    int     status = leat_lm_sync(w->session, NULL, 0, &w->error);
    int64_t start = now();
    if (status == LEAT_OK)
        status = !strcmp(what, "once") ? once(w, NULL) : !strcmp(what, "callback") ? once(w, heard) : !strcmp(what, "tokens") ? each_token(w) : LEAT_EINVAL;
    printf("%lld %lld %lld\n", (long long)(now() - start), (long long)w->calls, (long long)w->last);
    return status;
}

int main(int argc, char **argv) {
    static worker w;
    char          line[64];
    if (argc != 4) return fprintf(stderr, "usage: call_cost MODEL THREADS TOKENS\n"), 2;
    leat_lm_options         options;
    leat_lm_session_options wanted;
    leat_lm_options_default(&options);
    leat_lm_session_options_default(&wanted);
    options.threads = atoi(argv[2]);
    w.want = atoi(argv[3]) < MAX_TOKENS ? atoi(argv[3]) : MAX_TOKENS;
    wanted.context = 1024;
    for (int i = 0; i < PROMPT; i++) w.prompt[i] = 100 + 7 * i;
    int status = leat_lm_open(argv[1], &options, &w.lm, &w.error);
    if (status == LEAT_OK) status = leat_lm_session_open(w.lm, &wanted, &w.session, &w.error);
    while (status == LEAT_OK && fgets(line, sizeof line, stdin)) {
        char what[32] = "";
        long count = 0;
        sscanf(line, "%31s %ld", what, &count);
        if (!strcmp(what, "memory")) memory();
        else if (!strcmp(what, "cross")) cross(&w, count, 0);
        else if (!strcmp(what, "back")) cross(&w, count, 1);
        else status = measured(&w, what);
        fflush(stdout);
    }
    if (status != LEAT_OK) fprintf(stderr, "call_cost: %s\n", w.error.message);
    leat_lm_session_close(w.session);
    leat_lm_unref(w.lm);
    return status != LEAT_OK;
}
