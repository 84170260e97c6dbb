/* test_lm_arguments.c - wrong arguments to the public calls of language models: refused by name, never a crash, nothing handed over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "leat/leat.h"

#define MODEL "models/tiny_lm.gguf"

static int marker; /* what an out-pointer must not hold after a failure */
#define MARK ((void *)&marker)

static leat_error error;

/* A refusal whose message names what was wrong. */
#define REFUSED(call, word)                                                                              \
    do {                                                                                                 \
        error = (leat_error){0};                                                                         \
        assert_int_equal(call, LEAT_EINVAL);                                                             \
        assert_int_equal(error.status, LEAT_EINVAL);                                                     \
        if (!strstr(error.message, word)) fail_msg("'%s' does not name '%s'", error.message, word);      \
    } while (0)
#define REFUSED_NULL(call, word, handle) \
    do {                                 \
        handle = MARK;                   \
        REFUSED(call, word);             \
        assert_null(handle);             \
    } while (0)

typedef struct fixture {
    leat_lm         *lm;
    leat_lm_session *session;
} fixture;

static int open_all(void **state) {
    static fixture f;
    if (leat_lm_open(MODEL, NULL, &f.lm, &error) || leat_lm_session_open(f.lm, NULL, &f.session, &error)) fail_msg("%s", error.message);
    *state = &f;
    return 0;
}

static int close_all(void **state) {
    fixture *f = *state;
    leat_lm_session_close(f->session);
    leat_lm_unref(f->lm);
    return 0;
}

/* ---- files and models ------------------------------------------------------------------------------------------------------- */

static void test_gguf(void **state) {
    const leat_gguf *file = leat_lm_gguf(((fixture *)*state)->lm);
    const leat_gguf_value *tokens = leat_gguf_find(file, "tokenizer.ggml.tokens"), *name = leat_gguf_find(file, "general.architecture");
    leat_gguf_info info = {.values = 7};
    leat_gguf *none;
    const char *text;
    uint64_t    at = 0, length;
    int64_t     number;
    double      real;
    float       value;
    REFUSED_NULL(leat_gguf_open(NULL, &none, &error), "path", none);
    REFUSED(leat_gguf_open(MODEL, NULL, &error), "file");
    REFUSED_NULL(leat_gguf_open_memory(NULL, 0, &none, &error), "data", none);
    REFUSED(leat_gguf_open_memory("GGUF", 4, NULL, &error), "file");
    assert_int_equal(leat_gguf_open(NULL, NULL, NULL), LEAT_EINVAL);
    leat_gguf_get_info(NULL, &info);
    assert_int_equal(info.values, 0);
    leat_gguf_get_info(file, NULL);
    assert_null(leat_gguf_value_at(NULL, 0));
    assert_null(leat_gguf_tensor_at(NULL, 0));
    assert_null(leat_gguf_find(NULL, "general.architecture"));
    assert_null(leat_gguf_find(file, NULL));
    assert_null(leat_gguf_find_tensor(NULL, "token_embd.weight"));
    assert_null(leat_gguf_find_tensor(file, NULL));
    assert_int_equal(leat_gguf_integer(NULL, 0, &number), LEAT_EINVAL);
    assert_int_equal(leat_gguf_integer(name, 0, NULL), LEAT_EINVAL);
    assert_int_equal(leat_gguf_real(NULL, 0, &real), LEAT_EINVAL);
    assert_int_equal(leat_gguf_real(name, 0, NULL), LEAT_EINVAL);
    assert_int_equal(leat_gguf_string(NULL, &at, &text, &length), LEAT_EINVAL);
    assert_int_equal(leat_gguf_string(name, NULL, &text, &length), LEAT_EINVAL);
    assert_int_equal(leat_gguf_string(name, &at, NULL, &length), LEAT_EINVAL);
    assert_int_equal(leat_gguf_string(name, &at, &text, NULL), LEAT_EINVAL);
    assert_int_equal(leat_gguf_string(name, &at, &text, &length), LEAT_OK);
    assert_int_equal(leat_gguf_string(name, &at, &text, &length), LEAT_EEND);
    for (at = 1; at < 4; at++) { /* a string has one element, which begins at 0 */
        uint64_t own = at;
        assert_int_equal(leat_gguf_string(name, &own, &text, &length), LEAT_EEND);
    }
    for (at = tokens->bytes - 7; at < tokens->bytes; at++) { /* no length fits there */
        uint64_t own = at;
        assert_int_equal(leat_gguf_string(tokens, &own, &text, &length), LEAT_EINVAL);
    }
    for (at = 0; at < tokens->bytes; at++) { /* wherever it begins, nothing behind the array is handed over */
        uint64_t own = at;
        if (leat_gguf_string(tokens, &own, &text, &length) == LEAT_OK) assert_true((const uint8_t *)text + length <= tokens->data + tokens->bytes);
    }
    assert_int_equal(leat_gguf_dequantize(NULL, 0, 0, &value), LEAT_EINVAL);
    leat_gguf_close(NULL);
}

static void test_models(void **state) {
    leat_lm_options options;
    leat_lm *none;
    leat_lm_info info;
    (void)state;
    REFUSED_NULL(leat_lm_open(NULL, NULL, &none, &error), "path", none);
    REFUSED(leat_lm_open(MODEL, NULL, NULL, &error), "lm");
    REFUSED_NULL(leat_lm_open_memory(NULL, 100, NULL, &none, &error), "data", none);
    REFUSED(leat_lm_open_memory("GGUF", 4, NULL, NULL, &error), "lm");
    memset(&options, 0, sizeof options);
    REFUSED_NULL(leat_lm_open(MODEL, &options, &none, &error), "leat_lm_options_default()", none);
    REFUSED_NULL(leat_lm_open_memory("GGUF", 4, &options, &none, &error), "leat_lm_options_default()", none);
    leat_lm_options_default(&options);
    options.threads = -1;
    REFUSED_NULL(leat_lm_open(MODEL, &options, &none, &error), "threads", none);
    options.threads = LEAT_MAX_THREADS + 1;
    REFUSED_NULL(leat_lm_open(MODEL, &options, &none, &error), "threads", none);
    options.threads = 1;
    options.flags = 1u << 31;
    REFUSED_NULL(leat_lm_open(MODEL, &options, &none, &error), "flags", none);
    assert_int_equal(leat_lm_open(NULL, NULL, NULL, NULL), LEAT_EINVAL);
    memset(&info, 1, sizeof info);
    leat_lm_get_info(NULL, &info);
    assert_int_equal(info.layers, 0);
    assert_null(leat_lm_ref(NULL));
    assert_null(leat_lm_tokenizer(NULL));
    assert_null(leat_lm_gguf(NULL));
    leat_lm_unref(NULL);
    leat_lm_options_default(NULL);
}

/* Options of a caller that knows fewer fields, or more. */
static void test_sizes(void **state) {
    struct {
        leat_lm_options options;
        char            more[64];
    } newer;
    leat_lm *lm;
    (void)state;
    memset(&newer, 0x55, sizeof newer);
    leat_lm_options_default(&newer.options);
    newer.options.size = sizeof newer;
    assert_int_equal(leat_lm_open(MODEL, &newer.options, &lm, &error), LEAT_OK);
    leat_lm_unref(lm);
    newer.options.threads = 1;
    newer.options.flags = ~0u; /* not known to that caller */
    newer.options.size = offsetof(leat_lm_options, flags);
    assert_int_equal(leat_lm_open(MODEL, &newer.options, &lm, &error), LEAT_OK);
    leat_lm_unref(lm);
}

static void test_cache(void **state) {
    leat_lm_cache *cache, *no_cache;
    leat_lm_cache_stats stats = {.models = 7};
    leat_lm_options options = {0};
    leat_lm *none;
    (void)state;
    REFUSED(leat_lm_cache_open(0, NULL, NULL, &error), "cache");
    REFUSED_NULL(leat_lm_cache_open(0, &options, &no_cache, &error), "leat_lm_options_default()", no_cache);
    assert_int_equal(leat_lm_cache_open(0, NULL, &cache, &error), LEAT_OK);
    REFUSED_NULL(leat_lm_cache_get(NULL, MODEL, &none, &error), "cache", none);
    REFUSED_NULL(leat_lm_cache_get(cache, NULL, &none, &error), "path", none);
    REFUSED(leat_lm_cache_get(cache, MODEL, NULL, &error), "lm");
    none = MARK;
    assert_int_equal(leat_lm_cache_get(cache, "models/there_is_none.gguf", &none, &error), LEAT_EIO);
    assert_null(none);
    assert_string_equal(error.message, "models/there_is_none.gguf: cannot be read: No such file or directory");
    leat_lm_cache_get_stats(NULL, &stats);
    assert_int_equal(stats.models, 0);
    leat_lm_cache_get_stats(cache, NULL);
    leat_lm_cache_close(cache);
    leat_lm_cache_close(NULL);
}

/* ---- sessions --------------------------------------------------------------------------------------------------------------- */

static void test_session_options(void **state) {
    leat_lm *lm = ((fixture *)*state)->lm;
    leat_lm_session_options options = {0};
    leat_lm_session *none;
    REFUSED_NULL(leat_lm_session_open(NULL, NULL, &none, &error), "lm", none);
    REFUSED(leat_lm_session_open(lm, NULL, NULL, &error), "session");
    REFUSED_NULL(leat_lm_session_open(lm, &options, &none, &error), "leat_lm_session_options_default()", none);
    leat_lm_session_options_default(&options);
    options.context = -1;
    REFUSED_NULL(leat_lm_session_open(lm, &options, &none, &error), "context", none);
    options.context = 16;
    options.batch = -1;
    REFUSED_NULL(leat_lm_session_open(lm, &options, &none, &error), "batch", none);
    options.batch = 8;
    options.threads = -1;
    REFUSED_NULL(leat_lm_session_open(lm, &options, &none, &error), "threads", none);
    options.threads = 0;
    options.kv_type = (leat_kv_type)9;
    REFUSED_NULL(leat_lm_session_open(lm, &options, &none, &error), "kv_type", none);
    leat_lm_session_options_default(NULL);
}

static void test_sessions(void **state) {
    leat_lm_session *s = ((fixture *)*state)->session;
    const int32_t   *tokens = MARK, one[1] = {1}, bad[1] = {-1};
    const float     *found = MARK;
    float            some[8];
    int64_t          count = 7;
    leat_lm_session_stats stats = {.context = 7};
    REFUSED(leat_lm_sync(NULL, one, 1, &error), "session");
    REFUSED(leat_lm_sync(s, NULL, 1, &error), "tokens");
    REFUSED(leat_lm_sync(s, one, -1, &error), "count");
    REFUSED(leat_lm_sync(s, bad, 1, &error), "token 0 is -1");
    REFUSED(leat_lm_sync_logits(NULL, one, 1, some, &error), "session");
    REFUSED(leat_lm_sync_logits(s, one, 1, NULL, &error), "logits");
    REFUSED(leat_lm_sync_logits(s, NULL, 1, some, &error), "tokens");
    REFUSED(leat_lm_session_save(NULL, "x", &error), "session");
    REFUSED(leat_lm_session_save(s, NULL, &error), "path");
    REFUSED(leat_lm_session_load(NULL, "x", &error), "session");
    REFUSED(leat_lm_session_load(s, NULL, &error), "path");
    assert_int_equal(leat_lm_logits(NULL, &found), LEAT_EINVAL);
    assert_null(found);
    assert_int_equal(leat_lm_logits(s, NULL), LEAT_EINVAL);
    leat_lm_session_tokens(NULL, &tokens, &count);
    assert_null(tokens);
    assert_int_equal(count, 0);
    leat_lm_session_tokens(s, NULL, NULL);
    assert_null(leat_lm_session_model(NULL));
    leat_lm_cancel(NULL);
    leat_lm_session_get_stats(NULL, &stats);
    assert_int_equal(stats.context, 0);
    leat_lm_session_get_stats(s, NULL);
    leat_lm_session_close(NULL);
    assert_int_equal(leat_lm_sync(s, NULL, 0, &error), LEAT_OK);
}

static void test_embedding(void **state) {
    leat_lm_session *s = ((fixture *)*state)->session;
    const float     *none;
    const int32_t    one[1] = {1};
    int64_t          size = 7;
    REFUSED_NULL(leat_lm_embed(NULL, "a", 1, LEAT_POOLING_MEAN, 1, &none, &size, &error), "session", none);
    REFUSED_NULL(leat_lm_embed(s, NULL, 1, LEAT_POOLING_MEAN, 1, &none, &size, &error), "text", none);
    REFUSED_NULL(leat_lm_embed(s, "a", 1, (leat_pooling)9, 1, &none, &size, &error), "pooling", none);
    REFUSED_NULL(leat_lm_embed(s, "a", 1, LEAT_POOLING_MEAN, 1, &none, NULL, &error), "size", none);
    REFUSED(leat_lm_embed(s, "a", 1, LEAT_POOLING_MEAN, 1, NULL, &size, &error), "vector");
    REFUSED_NULL(leat_lm_embed_tokens(NULL, one, 1, LEAT_POOLING_MEAN, 1, &none, &size, &error), "session", none);
    REFUSED_NULL(leat_lm_embed_tokens(s, NULL, 1, LEAT_POOLING_MEAN, 1, &none, &size, &error), "tokens", none);
    REFUSED_NULL(leat_lm_embed_tokens(s, one, -1, LEAT_POOLING_MEAN, 1, &none, &size, &error), "no tokens", none);
    assert_int_equal(size, 0);
}

/* ---- generations ------------------------------------------------------------------------------------------------------------ */

static void test_requests(void **state) {
    leat_lm_session *s = ((fixture *)*state)->session;
    leat_lm_request  request, blank = {0};
    leat_lm_result   result, no_size = {0};
    leat_lm_request_default(&request);
    leat_lm_result_init(&result);
    request.prompt = "One";
    request.prompt_bytes = 3;
    REFUSED(leat_lm_generate(NULL, &request, &result, NULL, NULL, &error), "session");
    REFUSED(leat_lm_generate(s, NULL, &result, NULL, NULL, &error), "request");
    REFUSED(leat_lm_generate(s, &request, NULL, NULL, NULL, &error), "result");
    REFUSED(leat_lm_generate(s, &blank, &result, NULL, NULL, &error), "leat_lm_request_default()");
    REFUSED(leat_lm_generate(s, &request, &no_size, NULL, NULL, &error), "leat_lm_result_init()");
    request.sampling.size = 0;
    REFUSED(leat_lm_generate(s, &request, &result, NULL, NULL, &error), "leat_sampling_default()");
    leat_sampling_default(&request.sampling);
    request.max_tokens = -2;
    REFUSED(leat_lm_generate(s, &request, &result, NULL, NULL, &error), "max_tokens");
    request.max_tokens = 1;
    request.n_stop = -1;
    REFUSED(leat_lm_generate(s, &request, &result, NULL, NULL, &error), "n_stop");
    request.n_stop = 1;
    REFUSED(leat_lm_generate(s, &request, &result, NULL, NULL, &error), "n_stop");
    request.n_stop = 0;
    request.sampling.n_bias = -1;
    REFUSED(leat_lm_generate(s, &request, &result, NULL, NULL, &error), "n_bias");
    request.sampling.n_bias = 0;
    request.n_top = -1;
    REFUSED(leat_lm_generate(s, &request, &result, NULL, NULL, &error), "n_top");
    request.n_top = 0;
    request.n_tokens = -1;
    REFUSED(leat_lm_generate(s, &request, &result, NULL, NULL, &error), "n_tokens");
    request.n_tokens = 0;
    result.token_capacity = -1;
    REFUSED(leat_lm_generate(s, &request, &result, NULL, NULL, &error), "capacity");
    result.token_capacity = 0;
    assert_int_equal(leat_lm_generate(s, &request, &result, NULL, NULL, &error), LEAT_OK);
    leat_lm_request_default(NULL);
    leat_lm_result_init(NULL);
    leat_sampling_default(NULL);
}

static void test_threads_and_batches(void **state) {
    leat_lm_session *s = ((fixture *)*state)->session, *with_hole[2] = {s, NULL};
    leat_lm_request  request;
    leat_lm_result   result;
    int              statuses[2] = {7, 7};
    leat_lm_request_default(&request);
    leat_lm_result_init(&result);
    REFUSED(leat_lm_start(NULL, &request, &result, NULL, NULL, NULL, &error), "session");
    assert_int_equal(leat_lm_poll(NULL), LEAT_EINVAL);
    REFUSED(leat_lm_wait(NULL, 0, &error), "session");
    assert_int_equal(leat_lm_start(s, NULL, NULL, NULL, NULL, NULL, &error), LEAT_OK); /* told by its end, as all that a request has wrong */
    REFUSED(leat_lm_wait(s, -1, &error), "request");
    REFUSED(leat_lm_generate_batch(NULL, 1, &request, &result, 1, NULL, NULL, NULL, &error), "sessions");
    REFUSED(leat_lm_generate_batch(&s, 0, &request, &result, 1, NULL, NULL, NULL, &error), "n_sessions");
    REFUSED(leat_lm_generate_batch(&s, 1, NULL, &result, 1, NULL, NULL, NULL, &error), "requests");
    REFUSED(leat_lm_generate_batch(&s, 1, &request, NULL, 1, NULL, NULL, NULL, &error), "results");
    REFUSED(leat_lm_generate_batch(&s, 1, &request, &result, -1, NULL, NULL, NULL, &error), "count");
    REFUSED(leat_lm_generate_batch(with_hole, 2, &request, &result, 1, NULL, NULL, statuses, &error), "sessions[1]");
    assert_int_equal(statuses[0], LEAT_EINVAL);
    assert_int_equal(statuses[1], 7);
}

/* ---- words, grammars, conversations ------------------------------------------------------------------------------------------ */

static void test_tokenizer(void **state) {
    const leat_tokenizer *t = leat_lm_tokenizer(((fixture *)*state)->lm);
    leat_tokenizer_info info = {.tokens = 7};
    leat_tokenizer *none;
    int32_t tokens[4], bad[1] = {-1};
    int64_t count;
    size_t  bytes;
    char    text[8];
    REFUSED_NULL(leat_tokenizer_open(NULL, &none, &error), "file", none);
    REFUSED(leat_tokenizer_open(leat_lm_gguf(((fixture *)*state)->lm), NULL, &error), "tokenizer");
    leat_tokenizer_get_info(NULL, &info);
    assert_int_equal(info.tokens, 0);
    assert_int_equal(info.bos, -1);
    leat_tokenizer_get_info(t, NULL);
    assert_int_equal(leat_tokenizer_type(NULL, 0), 0);
    assert_true(leat_tokenizer_score(NULL, 0) == 0);
    assert_int_equal(leat_tokenizer_find(NULL, "a", 1), -1);
    assert_int_equal(leat_tokenizer_find(t, NULL, 1), -1);
    assert_int_equal(leat_tokenizer_encode(NULL, "a", 1, 0, tokens, 4, &count), LEAT_EINVAL);
    assert_int_equal(leat_tokenizer_encode(t, NULL, 1, 0, tokens, 4, &count), LEAT_EINVAL);
    assert_int_equal(leat_tokenizer_encode(t, "a", 1, 0, NULL, 4, &count), LEAT_EINVAL);
    assert_int_equal(leat_tokenizer_encode(t, "a", 1, 0, tokens, -1, &count), LEAT_EINVAL);
    assert_int_equal(leat_tokenizer_encode(t, "a", 1, 0, tokens, 4, NULL), LEAT_EINVAL);
    assert_int_equal(leat_tokenizer_piece(NULL, 0, 0, text, 8, &bytes), LEAT_EINVAL);
    assert_int_equal(leat_tokenizer_piece(t, -1, 0, text, 8, &bytes), LEAT_EINVAL);
    assert_int_equal(leat_tokenizer_piece(t, 0, 0, NULL, 8, &bytes), LEAT_EINVAL);
    assert_int_equal(leat_tokenizer_piece(t, 0, 0, text, 8, NULL), LEAT_EINVAL);
    assert_int_equal(leat_tokenizer_decode(NULL, tokens, 0, 0, text, 8, &bytes), LEAT_EINVAL);
    assert_int_equal(leat_tokenizer_decode(t, NULL, 1, 0, text, 8, &bytes), LEAT_EINVAL);
    assert_int_equal(leat_tokenizer_decode(t, bad, 1, 0, text, 8, &bytes), LEAT_EINVAL);
    assert_int_equal(leat_tokenizer_decode(t, tokens, -1, 0, text, 8, &bytes), LEAT_EINVAL);
    assert_int_equal(leat_utf8_complete(NULL, 3), 0);
    leat_tokenizer_close(NULL);
}

static void test_grammar(void **state) {
    const leat_tokenizer *t = leat_lm_tokenizer(((fixture *)*state)->lm);
    leat_grammar *grammar, *none;
    leat_grammar_vocab *no_vocab;
    leat_grammar_state *no_state;
    const int32_t ends[1] = {-1};
    uint32_t mask[1];
    size_t   length;
    REFUSED_NULL(leat_grammar_open(NULL, 1, &none, &error), "text", none);
    REFUSED(leat_grammar_open("root ::= \"a\"", 12, NULL, &error), "grammar");
    REFUSED_NULL(leat_grammar_open_schema(NULL, 1, &none, &error), "schema", none);
    REFUSED(leat_grammar_open_schema("{}", 2, NULL, &error), "grammar");
    REFUSED(leat_grammar_schema_text("{}", 2, NULL, 8, &length, &error), "text");
    REFUSED(leat_grammar_schema_text("{}", 2, NULL, 0, NULL, &error), "length");
    assert_int_equal(leat_grammar_open("root ::= \"a\"", 12, &grammar, &error), LEAT_OK);
    REFUSED_NULL(leat_grammar_vocab_new(NULL, NULL, 0, &no_vocab, &error), "tokenizer", no_vocab);
    REFUSED_NULL(leat_grammar_vocab_new(t, ends, 1, &no_vocab, &error), "ends", no_vocab);
    REFUSED_NULL(leat_grammar_vocab_new(t, ends, -1, &no_vocab, &error), "ends", no_vocab);
    REFUSED_NULL(leat_grammar_vocab_new(t, NULL, 1, &no_vocab, &error), "ends", no_vocab);
    REFUSED(leat_grammar_vocab_new(t, NULL, 0, NULL, &error), "vocab");
    assert_null(leat_grammar_vocab_ref(NULL));
    REFUSED_NULL(leat_grammar_state_open(NULL, NULL, &no_state, &error), "grammar", no_state);
    REFUSED(leat_grammar_state_open(grammar, NULL, NULL, &error), "state");
    assert_int_equal(leat_grammar_state_copy(NULL, NULL), LEAT_EINVAL);
    assert_int_equal(leat_grammar_state_accept(NULL, "a", 1), LEAT_EINVAL);
    assert_int_equal(leat_grammar_state_accept_token(NULL, 0), LEAT_EINVAL);
    assert_int_equal(leat_grammar_state_allows(NULL, "a", 1), 0);
    assert_int_equal(leat_grammar_state_may_end(NULL), 0);
    assert_int_equal(leat_grammar_state_mask(NULL, mask, 1), LEAT_EINVAL);
    leat_grammar_state_reset(NULL);
    leat_grammar_state_close(NULL);
    leat_grammar_vocab_unref(NULL);
    leat_grammar_close(grammar);
    leat_grammar_close(NULL);
}

static void test_chat(void **state) {
    const leat_chat_message holes[1] = {{"user", NULL}}, user[1] = {{"user", "Hello"}};
    const char *none = MARK;
    char   text[8];
    size_t bytes;
    (void)state;
    error = (leat_error){0};
    assert_int_equal(leat_chat_of_file(NULL, &none, &error), LEAT_EINVAL);
    assert_null(none);
    assert_null(leat_chat_name(-1));
    assert_null(leat_chat_recognise(NULL, 5));
    assert_null(leat_chat_stop(NULL));
    REFUSED(leat_chat_render(NULL, NULL, user, 1, 0, text, 8, &bytes, &error), "chatml");
    REFUSED(leat_chat_render("chatml", NULL, NULL, 1, 0, text, 8, &bytes, &error), "messages");
    REFUSED(leat_chat_render("chatml", NULL, user, -1, 0, text, 8, &bytes, &error), "messages");
    REFUSED(leat_chat_render("chatml", NULL, user, 1, 0, NULL, 8, &bytes, &error), "text");
    REFUSED(leat_chat_render("chatml", NULL, user, 1, 0, text, 8, NULL, &error), "bytes");
    REFUSED(leat_chat_render("chatml", NULL, holes, 1, 0, text, 8, &bytes, &error), "message 0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf), cmocka_unit_test(test_models), cmocka_unit_test(test_sizes), cmocka_unit_test(test_cache), cmocka_unit_test(test_session_options),
        cmocka_unit_test(test_sessions), cmocka_unit_test(test_embedding), cmocka_unit_test(test_requests), cmocka_unit_test(test_threads_and_batches),
        cmocka_unit_test(test_tokenizer), cmocka_unit_test(test_grammar), cmocka_unit_test(test_chat)};
    return cmocka_run_group_tests(tests, open_all, close_all);
}
