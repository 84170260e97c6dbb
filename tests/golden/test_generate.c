/* test_generate.c - generations of a small story model: the greedy text of its authors' program, and every way in which a generation can be asked for, ended and refused. */
#include "lm_case.h"

#include "leat/generate.h"

enum { MOST = 600, TEXT = 4096 };

typedef struct made {
    leat_lm_result  result;
    int32_t         tokens[MOST];
    char            text[TEXT];
    leat_token_prob probs[MOST], top[MOST * 5];
} made;

static leat_lm_request greedy(const char *prompt, int64_t n) {
    leat_lm_request r;
    leat_lm_request_default(&r);
    r.prompt = prompt;
    r.prompt_bytes = strlen(prompt);
    r.max_tokens = n;
    r.sampling.temperature = 0;
    return r;
}

static int generate(leat_lm_session *s, const leat_lm_request *r, made *m, leat_lm_token_fn on_token, void *user, leat_error *error) {
    leat_lm_result_init(&m->result);
    m->result.tokens = m->tokens;
    m->result.token_capacity = MOST;
    m->result.text = m->text;
    m->result.text_capacity = TEXT;
    return leat_lm_generate(s, r, &m->result, on_token, user, error);
}

static void must(leat_lm_session *s, const leat_lm_request *r, made *m, leat_finish finish) {
    leat_error error = {0};
    if (generate(s, r, m, NULL, NULL, &error)) fail_msg("%s", error.message);
    assert_string_equal(leat_finish_name(m->result.finish), leat_finish_name(finish));
    assert_int_equal(m->result.text_bytes, strlen(m->text));
}

static void same_tokens(const made *a, const made *b) {
    assert_int_equal(a->result.n_tokens, b->result.n_tokens);
    assert_memory_equal(a->tokens, b->tokens, (size_t)a->result.n_tokens * sizeof *a->tokens);
}

typedef struct fixture {
    leat_lm         *lm;
    leat_lm_session *s;
} fixture;

static fixture f;
static made a, b;

static int skip_without_model(void) {
    char path[GOLDEN_PATH];
    golden_need(golden_path(path, STORIES));
    return 0;
}

static void open_stories(int threads) {
    skip_without_model();
    f.lm = lm_open_stories(threads);
    f.s = lm_session(f.lm, LEAT_KV_F32, 512, 64);
}

static int open_two(void **state) {
    (void)state;
    char path[GOLDEN_PATH];
    struct stat st;
    if (stat(golden_path(path, STORIES), &st) == 0) open_stories(2);
    return 0;
}
static int close_fixture(void **state) {
    (void)state;
    leat_lm_session_close(f.s);
    leat_lm_unref(f.lm);
    f = (fixture){0};
    return 0;
}

/* ---- the text --------------------------------------------------------------------------------------------------------------- */

/* The same at every number of threads; `make check` runs this at every instruction set. */
static void test_golden_text(void **state) {
    (void)state;
    char path[GOLDEN_PATH], want[TEXT] = "";
    golden_need(golden_path(path, "golden-llm/stories260K.llama2c-greedy-200.txt"));
    FILE *file = fopen(path, "rb");
    size_t bytes = fread(want, 1, sizeof want - 1, file);
    fclose(file);
    while (bytes && want[bytes - 1] == '\n') want[--bytes] = 0;
    for (int threads = 1; threads <= 3; threads++) {
        open_stories(threads);
        leat_lm_request r = greedy("", 200);
        must(f.s, &r, &a, LEAT_FINISH_LENGTH);
        assert_int_equal(a.result.n_tokens, 200);
        assert_int_equal(a.result.prompt_tokens, 1);
        while (a.result.text_bytes && a.text[a.result.text_bytes - 1] == '\n') a.text[--a.result.text_bytes] = 0;
        assert_string_equal(a.text, want);
        close_fixture(NULL);
    }
}

/* The golden logits' program chose these tokens, where its two best were apart. */
static void test_golden_tokens(void **state) {
    (void)state;
    char path[GOLDEN_PATH];
    json_error_t error;
    skip_without_model();
    golden_need(golden_path(path, "golden-llm/stories260K.golden.json"));
    json_t *golden = json_load_file(path, 0, &error), *steps = json_object_get(golden, "steps");
    leat_lm_request r = greedy(json_string_value(json_object_get(golden, "prompt")), (int64_t)json_array_size(steps));
    must(f.s, &r, &a, LEAT_FINISH_LENGTH);
    assert_int_equal(a.result.prompt_tokens, json_array_size(json_object_get(golden, "prompt_tokens")));
    assert_true(json_array_size(steps) > 10);
    for (size_t i = 0; i < json_array_size(steps); i++) assert_int_equal(a.tokens[i], json_integer_value(json_object_get(json_array_get(steps, i), "token")));
    json_decref(golden);
}

typedef struct seen {
    char     text[TEXT];
    size_t   bytes;
    int64_t  pieces, stop_at;
    uint64_t allocations; /* of the thread, since the second piece */
    leat_lm_session *cancel;
    int      flushed;
} seen;

static int look(void *user, const leat_lm_piece *piece) {
    seen *v = user;
    if (v->pieces == 1) v->allocations = leat__thread_allocations();
    assert_int_equal(leat_utf8_complete(piece->text, piece->bytes), piece->bytes);
    memcpy(v->text + v->bytes, piece->text, piece->bytes);
    v->bytes += piece->bytes;
    v->text[v->bytes] = 0;
    if (piece->token < 0) v->flushed++;
    else assert_int_equal(piece->index, v->pieces++);
    if (v->cancel && v->pieces == v->stop_at) leat_lm_cancel(v->cancel);
    return !v->cancel && v->pieces == v->stop_at;
}

static void test_callback_and_allocations(void **state) {
    (void)state;
    skip_without_model();
    leat_memory_stats before, after;
    const char *const stop[] = {"zebra", "Lily lily"};
    seen v = {.stop_at = -1};
    leat_lm_request r = greedy("", 200);
    r.stop = stop;
    r.n_stop = 2;
    r.n_top = 5;
    r.sampling.repeat_penalty = 1.1f;
    leat_memory_get(&before);
    assert_int_equal(generate(f.s, &r, &a, look, &v, NULL), LEAT_OK);
    assert_int_equal(v.allocations, leat__thread_allocations()); /* none since the second token, not even at the end */
    leat_memory_get(&after);
    assert_int_equal(after.hot_allocations, before.hot_allocations);
    assert_int_equal(v.pieces, 200);
    assert_string_equal(v.text, a.text);
    assert_true(a.result.total_ns >= a.result.first_token_ns + a.result.decode_ns && a.result.first_token_ns >= a.result.prompt_ns && a.result.prompt_ns > 0);
}

/* ---- how it ends ------------------------------------------------------------------------------------------------------------ */

static void test_stop_strings(void **state) {
    (void)state;
    skip_without_model();
    const char *const stop[] = {"not there", "red ball"};
    leat_lm_request r = greedy("", 200);
    r.stop = stop;
    r.n_stop = 2;
    must(f.s, &r, &a, LEAT_FINISH_STOP);
    assert_string_equal(a.text, "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, ");
    seen v = {.stop_at = -1};
    assert_int_equal(generate(f.s, &r, &b, look, &v, NULL), LEAT_OK);
    assert_string_equal(v.text, a.text);
    const char *const late[] = {"Lily's mom told"}; /* held back at the end, then shown */
    r = greedy("", 200);
    must(f.s, &r, &a, LEAT_FINISH_LENGTH);
    int64_t cut = 0;
    for (int64_t n = 1; n < 120 && !cut; n++) {
        r = greedy("", n);
        r.stop = late;
        r.n_stop = 1;
        v = (seen){.stop_at = -1};
        assert_int_equal(generate(f.s, &r, &b, look, &v, NULL), LEAT_OK);
        assert_string_equal(v.text, b.text);
        assert_memory_equal(a.text, b.text, b.result.text_bytes);
        if (v.flushed) cut = n;
    }
    assert_true(cut > 0);
}

static void test_limits(void **state) {
    (void)state;
    skip_without_model();
    leat_lm_request r = greedy("Once upon", 0);
    must(f.s, &r, &a, LEAT_FINISH_LENGTH);
    assert_int_equal(a.result.n_tokens, 0);
    const int32_t *held;
    const float   *logits;
    int64_t count;
    leat_lm_session_tokens(f.s, &held, &count);
    assert_int_equal(count, a.result.prompt_tokens);
    assert_int_equal(leat_lm_logits(f.s, &logits), LEAT_OK); /* the prompt is evaluated */
    leat_lm_session *small = lm_session(f.lm, LEAT_KV_F16, 20, 8);
    r = greedy("Once upon a time", -1);
    r.flags = LEAT_GENERATE_IGNORE_EOS;
    must(small, &r, &a, LEAT_FINISH_CONTEXT);
    assert_int_equal(a.result.n_tokens + a.result.prompt_tokens, 20);
    r.max_tokens = a.result.n_tokens;
    must(small, &r, &b, LEAT_FINISH_LENGTH);
    same_tokens(&a, &b);
    int32_t full[21] = {1};
    for (int i = 1; i < 21; i++) full[i] = 300 + i;
    leat_lm_request_default(&r);
    r.tokens = full;
    r.n_tokens = 20;
    must(small, &r, &a, LEAT_FINISH_CONTEXT);
    assert_int_equal(a.result.n_tokens, 0);
    r.n_tokens = 21;
    leat_error error = {0};
    assert_int_equal(generate(small, &r, &a, NULL, NULL, &error), LEAT_ELIMIT);
    assert_non_null(strstr(error.message, "21 tokens"));
    assert_non_null(strstr(error.message, "20"));
    leat_lm_session_close(small);
}

static void test_end_tokens(void **state) {
    (void)state;
    skip_without_model();
    leat_tokenizer_info info;
    leat_tokenizer_get_info(leat_lm_tokenizer(f.lm), &info);
    const leat_logit_bias bias = {info.eos, 1e6f};
    leat_lm_request r = greedy("Once upon a time", 10);
    r.sampling.bias = &bias;
    r.sampling.n_bias = 1;
    must(f.s, &r, &a, LEAT_FINISH_EOS);
    assert_int_equal(a.result.n_tokens, 0);
    assert_string_equal(a.text, "");
    r.flags = LEAT_GENERATE_IGNORE_EOS;
    must(f.s, &r, &a, LEAT_FINISH_LENGTH);
    r = greedy("Once upon a time", 10);
    must(f.s, &r, &b, LEAT_FINISH_LENGTH);
    same_tokens(&a, &b);
}

static void test_callback_ends(void **state) {
    (void)state;
    skip_without_model();
    leat_error error = {0};
    leat_lm_request r = greedy("", 50);
    must(f.s, &r, &b, LEAT_FINISH_LENGTH);
    for (int64_t at = 1; at < 8; at++) {
        seen v = {.stop_at = at};
        assert_int_equal(generate(f.s, &r, &a, look, &v, &error), LEAT_OK);
        assert_int_equal(a.result.finish, LEAT_FINISH_CALLBACK);
        assert_int_equal(a.result.n_tokens, at);
        assert_memory_equal(a.tokens, b.tokens, (size_t)at * sizeof *a.tokens);
        v = (seen){.stop_at = at, .cancel = f.s};
        assert_int_equal(generate(f.s, &r, &a, look, &v, &error), LEAT_ECANCELLED);
        assert_int_equal(a.result.finish, LEAT_FINISH_CANCELLED);
        assert_int_equal(a.result.n_tokens, at);
        assert_int_equal(a.result.text_bytes, strlen(a.text));
    }
    must(f.s, &r, &a, LEAT_FINISH_LENGTH); /* none the worse for it */
    same_tokens(&a, &b);
}

/* ---- the session ------------------------------------------------------------------------------------------------------------ */

static void test_reuse(void **state) {
    (void)state;
    skip_without_model();
    leat_lm_request r = greedy("Once upon a time, there was a dog.", 10);
    lm_sync(f.s, NULL, 0);
    must(f.s, &r, &a, LEAT_FINISH_LENGTH);
    assert_int_equal(a.result.cached_tokens, 0);
    must(f.s, &r, &b, LEAT_FINISH_LENGTH);
    assert_int_equal(b.result.cached_tokens, b.result.prompt_tokens - 1); /* the last one for its logits */
    same_tokens(&a, &b);
    r = greedy("Once upon a time, there was a cat.", 10);
    must(f.s, &r, &b, LEAT_FINISH_LENGTH);
    assert_true(b.result.cached_tokens > 5 && b.result.cached_tokens < b.result.prompt_tokens);
}

/* Two halves, the second appended, are the whole: also with chance in it, since draws are numbered by position. */
static void test_append(void **state) {
    (void)state;
    skip_without_model();
    for (int chance = 0; chance < 2; chance++) {
        leat_lm_request r = greedy("The sun", 40);
        r.sampling.temperature = (float)chance;
        r.sampling.seed = 7;
        r.flags = LEAT_GENERATE_IGNORE_EOS;
        must(f.s, &r, &a, LEAT_FINISH_LENGTH);
        r.max_tokens = 25;
        must(f.s, &r, &b, LEAT_FINISH_LENGTH);
        assert_memory_equal(a.tokens, b.tokens, 25 * sizeof *a.tokens);
        leat_lm_request rest = r;
        rest.flags |= LEAT_GENERATE_APPEND;
        rest.prompt = NULL;
        rest.prompt_bytes = 0;
        rest.tokens = &a.tokens[24]; /* made, and not evaluated yet */
        rest.n_tokens = 1;
        rest.max_tokens = 15;
        must(f.s, &rest, &b, LEAT_FINISH_LENGTH);
        assert_memory_equal(a.tokens + 25, b.tokens, 15 * sizeof *a.tokens);
    }
}

static void test_seed(void **state) {
    (void)state;
    skip_without_model();
    leat_lm_request r = greedy("One day", 30);
    r.sampling.temperature = 1.2f;
    r.sampling.top_k = 0;
    must(f.s, &r, &a, LEAT_FINISH_LENGTH);
    assert_true(a.result.seed != 0);
    must(f.s, &r, &b, LEAT_FINISH_LENGTH);
    assert_true(a.result.seed != b.result.seed);
    assert_memory_not_equal(a.tokens, b.tokens, 30 * sizeof *a.tokens);
    r.sampling.seed = a.result.seed;
    must(f.s, &r, &b, LEAT_FINISH_LENGTH);
    same_tokens(&a, &b);
}

/* ---- what is reported ------------------------------------------------------------------------------------------------------- */

static void test_probs(void **state) {
    (void)state;
    skip_without_model();
    int32_t vocabulary = lm_vocabulary(f.lm);
    leat_lm_request r = greedy("Once upon a time", 12);
    r.n_top = 5;
    r.sampling.temperature = 1;
    r.sampling.seed = 3;
    leat_lm_result_init(&a.result);
    a.result.tokens = a.tokens;
    a.result.probs = a.probs;
    a.result.top = a.top;
    a.result.token_capacity = 10; /* two are made and not kept */
    a.tokens[10] = -7;
    assert_int_equal(leat_lm_generate(f.s, &r, &a.result, NULL, NULL, NULL), LEAT_OK);
    assert_int_equal(a.result.n_tokens, 12);
    assert_int_equal(a.tokens[10], -7);
    int32_t held[64];
    int64_t n = 0;
    assert_int_equal(leat_tokenizer_encode(leat_lm_tokenizer(f.lm), r.prompt, r.prompt_bytes, LEAT_TOKENIZE_SPECIALS, held, 64, &n), LEAT_OK);
    for (int i = 0; i < 10; i++) {
        const float *x;
        double sum = 0;
        lm_sync(f.s, held, n);
        assert_int_equal(leat_lm_logits(f.s, &x), LEAT_OK);
        for (int32_t t = 0; t < vocabulary; t++) sum += exp((double)x[t]);
        assert_int_equal(a.probs[i].token, a.tokens[i]);
        assert_float_equal((double)a.probs[i].logprob, (double)x[a.tokens[i]] - log(sum), 2e-3);
        assert_int_equal(a.top[5 * i].token, lm_best(f.s));
        for (int k = 0; k < 5; k++) {
            assert_float_equal((double)a.top[5 * i + k].logprob, (double)x[a.top[5 * i + k].token] - log(sum), 2e-3);
            if (k) assert_true(a.top[5 * i + k].logprob <= a.top[5 * i + k - 1].logprob);
        }
        held[n++] = a.tokens[i];
    }
}

static void test_prompt_logits(void **state) {
    (void)state;
    skip_without_model();
    leat_error error = {0};
    int32_t vocabulary = lm_vocabulary(f.lm), tokens[] = {1, 403, 407, 261, 378, 432};
    float *x = calloc((size_t)(6 * vocabulary), sizeof *x), *y = calloc((size_t)(6 * vocabulary), sizeof *y);
    leat_lm_request r;
    leat_lm_request_default(&r);
    r.tokens = tokens;
    r.n_tokens = 6;
    r.max_tokens = 0;
    leat_lm_result_init(&a.result);
    a.result.prompt_logits = x;
    a.result.logits_capacity = 6 * vocabulary - 1;
    assert_int_equal(leat_lm_generate(f.s, &r, &a.result, NULL, NULL, &error), LEAT_ELIMIT);
    assert_non_null(strstr(error.message, "logits_capacity"));
    a.result.logits_capacity++;
    assert_int_equal(leat_lm_generate(f.s, &r, &a.result, NULL, NULL, &error), LEAT_OK);
    assert_int_equal(leat_lm_sync_logits(f.s, tokens, 6, y, &error), LEAT_OK);
    assert_memory_equal(x, y, (size_t)(6 * vocabulary) * sizeof *x);
    free(x);
    free(y);
}

static void test_text_capacity(void **state) {
    (void)state;
    skip_without_model();
    char small[12];
    leat_lm_request r = greedy("", 40);
    must(f.s, &r, &a, LEAT_FINISH_LENGTH);
    memset(small, 'x', sizeof small);
    leat_lm_result_init(&b.result);
    b.result.text = small;
    b.result.text_capacity = sizeof small - 1;
    assert_int_equal(leat_lm_generate(f.s, &r, &b.result, NULL, NULL, NULL), LEAT_OK);
    assert_int_equal(b.result.text_bytes, a.result.text_bytes);
    assert_int_equal(b.result.n_tokens, 40);
    assert_memory_equal(small, a.text, sizeof small - 2);
    assert_int_equal(small[sizeof small - 2], 0);
    assert_int_equal(small[sizeof small - 1], 'x');
}

/* ---- grammars --------------------------------------------------------------------------------------------------------------- */

static void test_grammar(void **state) {
    (void)state;
    skip_without_model();
    leat_error error = {0};
    leat_lm_request r = greedy("Was it a dog?", 40);
    r.grammar = "root ::= \" \"? (\"yes\" | \"no\") \"!\"";
    must(f.s, &r, &a, LEAT_FINISH_GRAMMAR);
    assert_true(strstr(a.text, "yes!") || strstr(a.text, "no!"));
    r.grammar = "root ::= [0-9]+";
    r.sampling.temperature = 1;
    r.sampling.seed = 5;
    must(f.s, &r, &a, LEAT_FINISH_LENGTH);
    assert_int_equal(strspn(a.text, "0123456789"), a.result.text_bytes);
    assert_true(a.result.text_bytes >= 40);
    r.grammar = "root ::= [0-9";
    assert_int_equal(generate(f.s, &r, &a, NULL, NULL, &error), LEAT_EFORMAT);
    assert_non_null(strstr(error.message, "line 1"));
    r.grammar = "root ::= \"\"";
    must(f.s, &r, &a, LEAT_FINISH_GRAMMAR);
    assert_int_equal(a.result.n_tokens, 0);
    r.grammar = "root ::= \"a\"";
    r.json_schema = "{}";
    assert_int_equal(generate(f.s, &r, &a, NULL, NULL, &error), LEAT_EINVAL);
}

/* All that the grammar allows is forbidden otherwise: a failure, and not free text. */
static void test_grammar_fails_closed(void **state) {
    (void)state;
    skip_without_model();
    leat_error error = {0};
    const leat_tokenizer *t = leat_lm_tokenizer(f.lm);
    leat_logit_bias bias[2] = {{leat_tokenizer_find(t, "b", 1), -INFINITY}, {leat_tokenizer_find(t, "<0x62>", 6), -INFINITY}};
    assert_true(bias[0].token > 0 && bias[1].token > 0);
    leat_lm_request r = greedy("Once", 5);
    r.grammar = "root ::= \"b\"";
    r.sampling.bias = bias;
    r.sampling.n_bias = 2;
    assert_int_equal(generate(f.s, &r, &a, NULL, NULL, &error), LEAT_EINVAL);
    assert_non_null(strstr(error.message, "no token can be chosen"));
    assert_int_equal(a.result.n_tokens, 0);
    assert_int_equal(a.result.finish, LEAT_FINISH_NONE);
}

/* ---- refusals --------------------------------------------------------------------------------------------------------------- */

static void refuse(leat_lm_request r, int status, const char *says) {
    leat_error error = {0};
    int got = generate(f.s, &r, &a, NULL, NULL, &error);
    if (got != status || !strstr(error.message, says)) fail_msg("%s: %d '%s'", says, got, error.message);
}

static void test_refused(void **state) {
    (void)state;
    skip_without_model();
    const leat_lm_request good = greedy("Once", 3);
    leat_error error = {0};
    leat_lm_request r;
    int32_t wrong[] = {1, 512}, below[] = {-1};
#define REFUSE(says, ...) r = good, __VA_ARGS__, refuse(r, LEAT_EINVAL, says)
    REFUSE("request.size", r.size = 0);
    REFUSE("request.tokens are both", r.tokens = wrong);
    REFUSE("token 1 is 512", (r.prompt = NULL, r.prompt_bytes = 0, r.tokens = wrong, r.n_tokens = 2));
    REFUSE("token 0 is -1", (r.prompt = NULL, r.prompt_bytes = 0, r.tokens = below, r.n_tokens = 1));
    REFUSE("n_tokens is -1", (r.prompt = NULL, r.prompt_bytes = 0, r.tokens = wrong, r.n_tokens = -1));
    REFUSE("prompt is NULL", r.prompt = NULL);
    REFUSE("max_tokens is -2", r.max_tokens = -2);
    REFUSE("n_top is 65", r.n_top = 65);
    REFUSE("n_stop is -1", r.n_stop = -1);
    REFUSE("temperature", r.sampling.temperature = -1);
    REFUSE("flags", r.flags = 1u << 20);
    REFUSE("prompt is empty", (r.flags = LEAT_GENERATE_NO_BOS, r.prompt_bytes = 0));
    assert_int_equal(leat_lm_generate(f.s, &good, NULL, NULL, NULL, &error), LEAT_EINVAL);
    leat_lm_result_init(&a.result);
    a.result.size = 3;
    assert_int_equal(leat_lm_generate(f.s, &good, &a.result, NULL, NULL, &error), LEAT_EINVAL);
    char *large = malloc(8000);
    memset(large, 'x', 8000);
    r = good;
    r.prompt = large;
    r.prompt_bytes = 8000;
    refuse(r, LEAT_ELIMIT, "the context holds 512");
    free(large);
    must(f.s, &good, &a, LEAT_FINISH_LENGTH);
}

/* ---- batches ---------------------------------------------------------------------------------------------------------------- */

enum { REQUESTS = 11 };

static void test_batch(void **state) {
    (void)state;
    skip_without_model();
    static const char *const prompts[] = {"Once upon a time", "The big dog", "", "One day, a little girl named Lily went to the park to play with her friends and her dog.", "Tom"};
    static made many[REQUESTS];
    leat_lm_request requests[REQUESTS];
    leat_lm_result  results[REQUESTS];
    leat_lm_session *sessions[3];
    seen seens[REQUESTS];
    void *users[REQUESTS];
    int   statuses[REQUESTS];
    for (int n = 1; n <= 3; n++) {
        for (int i = 0; i < n; i++) sessions[i] = lm_session(f.lm, LEAT_KV_F32, 256, i ? 16 : 40);
        for (int i = 0; i < REQUESTS; i++) {
            requests[i] = greedy(prompts[i % 5], 5 + 7 * i);
            requests[i].sampling.temperature = (float)(i % 2);
            requests[i].sampling.seed = 5;
            if (i == 6) requests[i].sampling.top_k = -1; /* refused */
            leat_lm_result_init(&results[i]);
            results[i].tokens = many[i].tokens;
            results[i].token_capacity = MOST;
            results[i].text = many[i].text;
            results[i].text_capacity = TEXT;
            seens[i] = (seen){.stop_at = -1};
            users[i] = &seens[i];
        }
        leat_memory_stats before, after;
        leat_error error = {0};
        leat_memory_get(&before);
        assert_int_equal(leat_lm_generate_batch(sessions, n, requests, results, REQUESTS, look, users, statuses, &error), LEAT_EINVAL);
        leat_memory_get(&after);
        assert_int_equal(after.hot_allocations, before.hot_allocations);
        assert_non_null(strstr(error.message, "top_k"));
        for (int i = 0; i < REQUESTS; i++) {
            assert_int_equal(statuses[i], i == 6 ? LEAT_EINVAL : LEAT_OK);
            if (i == 6) continue;
            must(f.s, &requests[i], &a, LEAT_FINISH_LENGTH);
            assert_int_equal(results[i].finish, LEAT_FINISH_LENGTH);
            assert_int_equal(results[i].n_tokens, a.result.n_tokens);
            assert_int_equal(results[i].prompt_tokens, a.result.prompt_tokens);
            assert_memory_equal(many[i].tokens, a.tokens, (size_t)a.result.n_tokens * sizeof *a.tokens);
            assert_string_equal(seens[i].text, a.text);
            assert_string_equal(many[i].text, a.text);
        }
        for (int i = 0; i < n; i++) leat_lm_session_close(sessions[i]);
    }
}

static struct {
    int made, made_before; /* tokens of the short prompt: in all, and before the long one's first */
} order;

static int note_order(void *user, const leat_lm_piece *piece) {
    int is_long = *(const int *)user;
    if (!is_long) order.made++;
    else if (piece->index == 0) order.made_before = order.made;
    return 0;
}

/* While a long prompt is evaluated, who decodes goes on: a token for each 32 of the prompt at least. */
static void test_batch_does_not_freeze(void **state) {
    (void)state;
    skip_without_model();
    leat_lm_session *sessions[2] = {lm_session(f.lm, LEAT_KV_F32, 512, 40), lm_session(f.lm, LEAT_KV_F32, 512, 40)};
    leat_lm_request requests[2] = {greedy("Tom", 40), greedy("", 3)};
    leat_lm_result  results[2];
    int32_t prompt[300];
    for (int i = 0; i < 300; i++) prompt[i] = i ? 260 + i % 200 : 1;
    requests[1].prompt = NULL;
    requests[1].tokens = prompt;
    requests[1].n_tokens = 300;
    int is_long[2] = {0, 1};
    void *users[2] = {&is_long[0], &is_long[1]};
    order.made = order.made_before = 0;
    for (int i = 0; i < 2; i++) leat_lm_result_init(&results[i]);
    assert_int_equal(leat_lm_generate_batch(sessions, 2, requests, results, 2, note_order, users, NULL, NULL), LEAT_OK);
    assert_true(order.made_before >= (300 - 40) / 32 && order.made_before < 40);
    assert_int_equal(order.made, 40);
    leat_lm_session_close(sessions[0]);
    leat_lm_session_close(sessions[1]);
}

/* A cancelled request ends alone; one that wants its prompt's logits is served too. */
static void test_batch_mixed(void **state) {
    (void)state;
    skip_without_model();
    leat_lm_session *sessions[2] = {lm_session(f.lm, LEAT_KV_F32, 128, 32), lm_session(f.lm, LEAT_KV_F32, 128, 32)};
    leat_lm_request requests[4];
    leat_lm_result  results[4];
    seen seens[4] = {{.stop_at = 3, .cancel = sessions[0]}, {.stop_at = -1}, {.stop_at = 2}, {.stop_at = -1}};
    void *users[4] = {&seens[0], &seens[1], &seens[2], &seens[3]};
    int statuses[4];
    int32_t vocabulary = lm_vocabulary(f.lm);
    float *logits = calloc(64 * (size_t)vocabulary, sizeof *logits);
    for (int i = 0; i < 4; i++) {
        requests[i] = greedy("Once upon a time", i == 3 ? 0 : 20);
        leat_lm_result_init(&results[i]);
    }
    results[1].prompt_logits = results[3].prompt_logits = logits;
    results[1].logits_capacity = results[3].logits_capacity = 64 * vocabulary;
    assert_int_equal(leat_lm_generate_batch(sessions, 2, requests, results, 4, look, users, statuses, NULL), LEAT_ECANCELLED);
    assert_int_equal(statuses[0], LEAT_ECANCELLED);
    assert_int_equal(results[0].finish, LEAT_FINISH_CANCELLED);
    assert_int_equal(results[0].n_tokens, 3);
    assert_int_equal(results[1].finish, LEAT_FINISH_LENGTH);
    assert_int_equal(results[1].n_tokens, 20);
    assert_int_equal(results[2].finish, LEAT_FINISH_CALLBACK);
    assert_int_equal(results[2].n_tokens, 2);
    assert_int_equal(results[3].n_tokens, 0);
    assert_true(logits[0] != 0);
    leat_lm_session *twice[2] = {sessions[0], sessions[0]};
    assert_int_equal(leat_lm_generate_batch(twice, 2, requests, results, 4, NULL, NULL, NULL, NULL), LEAT_ESTATE);
    assert_int_equal(leat_lm_generate_batch(sessions, 0, requests, results, 4, NULL, NULL, NULL, NULL), LEAT_EINVAL);
    assert_int_equal(leat_lm_generate_batch(sessions, 2, requests, results, 0, NULL, NULL, NULL, NULL), LEAT_OK);
    leat_lm *other = lm_open_stories(1);
    leat_lm_session *mixed[2] = {sessions[0], lm_session(other, LEAT_KV_F16, 64, 8)};
    assert_int_equal(leat_lm_generate_batch(mixed, 2, requests, results, 1, NULL, NULL, NULL, NULL), LEAT_EINVAL);
    leat_lm_session_close(mixed[1]);
    leat_lm_unref(other);
    leat_lm_session_close(sessions[0]);
    leat_lm_session_close(sessions[1]);
    free(logits);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_text),
#define T(name) cmocka_unit_test_setup_teardown(name, open_two, close_fixture)
        T(test_golden_tokens), T(test_callback_and_allocations), T(test_stop_strings), T(test_limits), T(test_end_tokens), T(test_callback_ends), T(test_reuse),
        T(test_append), T(test_seed), T(test_probs), T(test_prompt_logits), T(test_text_capacity), T(test_grammar), T(test_grammar_fails_closed), T(test_refused),
        T(test_batch), T(test_batch_does_not_freeze), T(test_batch_mixed),
    };
    return cmocka_run_group_tests_name("generate", tests, NULL, NULL);
}
