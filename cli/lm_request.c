/* lm_request.c - see lm_request.h. */
#include "lm_request.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leat/grammar.h"
#include "lm_setup.h"
#include "report.h"
#include "sidecar.h"
#include "term.h"

#define BUNDLED "tiny_lm.gguf"

/* ---- options -> request ------------------------------------------------------------------------------------------------------ */

static int count_items(const cli_args *args, cli_option_id id) {
    int n = 0;
    for (int i = 0; i < args->n_items; i++) n += args->items[i].id == id;
    return n;
}

/* TOKEN=BIAS, or TOKEN=no to forbid it; TOKEN is an id, or a piece as the vocabulary spells it. */
static int parse_bias(const char *text, const leat_lm *lm, leat_logit_bias *bias) {
    const leat_tokenizer *t = leat_lm_tokenizer(lm);
    const char *equals = strrchr(text, '=');
    char *end;
    if (!equals || equals == text) return cli_usage("--logit-bias: '%s' is not TOKEN=BIAS", text);
    long id = strtol(text, &end, 10);
    if (end != equals) id = leat_tokenizer_find(t, text, (size_t)(equals - text));
    if (!leat_tokenizer_type(t, (int32_t)id) || id != (int32_t)id) return cli_usage("--logit-bias: '%s' names no token of the vocabulary", text);
    bias->token = (int32_t)id;
    bias->bias = strcmp(equals + 1, "no") == 0 ? -INFINITY : strtof(equals + 1, &end);
    if (bias->bias != -INFINITY && (end == equals + 1 || *end || !(bias->bias < 1e30f))) return cli_usage("--logit-bias: '%s' is not a number", equals + 1);
    return CLI_DONE;
}

static int read_lists(const cli_args *args, const leat_lm *lm, cli_lm_request *r) {
    int n_bias = count_items(args, OPT_LOGIT_BIAS), n_stop = count_items(args, OPT_STOP), status = CLI_DONE;
    r->bias = calloc((size_t)n_bias + 1, sizeof *r->bias);
    r->stop = calloc((size_t)n_stop + 1, sizeof *r->stop);
    if (!r->bias || !r->stop) return cli_fail("out of memory");
    for (int i = 0; i < args->n_items && status == CLI_DONE; i++) {
        if (args->items[i].id == OPT_STOP && !args->items[i].text[0]) status = cli_usage("--stop: an empty text ends nothing");
        else if (args->items[i].id == OPT_STOP) r->stop[r->request.n_stop++] = args->items[i].text;
        if (args->items[i].id == OPT_LOGIT_BIAS) status = parse_bias(args->items[i].text, lm, &r->bias[r->request.sampling.n_bias++]);
    }
    r->request.stop = r->stop;
    r->request.sampling.bias = r->bias;
    return status;
}

static void read_sampling(const cli_args *args, leat_sampling *s) {
    s->temperature = (float)cli_number(args, OPT_TEMP);
    s->top_k = cli_int(args, OPT_TOP_K);
    s->top_p = (float)cli_number(args, OPT_TOP_P);
    s->min_p = (float)cli_number(args, OPT_MIN_P);
    s->typical_p = (float)cli_number(args, OPT_TYPICAL);
    s->repeat_penalty = (float)cli_number(args, OPT_REPEAT_PENALTY);
    s->presence_penalty = (float)cli_number(args, OPT_PRESENCE_PENALTY);
    s->frequency_penalty = (float)cli_number(args, OPT_FREQUENCY_PENALTY);
    s->penalty_last = cli_int(args, OPT_PENALTY_LAST);
    s->mirostat = cli_int(args, OPT_MIROSTAT);
    s->mirostat_tau = (float)cli_number(args, OPT_MIROSTAT_TAU);
    s->mirostat_eta = (float)cli_number(args, OPT_MIROSTAT_ETA);
    s->seed = (uint64_t)cli_number(args, OPT_SEED);
}

/* The generation would refuse it as well, but not know the file's name. */
static int check_grammar(const char *path, const char *text, size_t bytes, int is_schema) {
    leat_grammar *grammar = NULL;
    leat_error error = {0};
    int failed = is_schema ? leat_grammar_open_schema(text, bytes, &grammar, &error) : leat_grammar_open(text, bytes, &grammar, &error);
    leat_grammar_close(grammar);
    if (failed == LEAT_OK) return CLI_DONE;
    cli_name_file(&error, path);
    return cli_fail_error(failed, &error);
}

static int read_grammar(const cli_args *args, cli_lm_request *r) {
    const char *grammar = cli_text(args, OPT_GRAMMAR), *schema = cli_text(args, OPT_JSON_SCHEMA);
    size_t bytes;
    if (!grammar && !schema) return CLI_DONE;
    if (grammar && schema) return cli_usage("give --grammar or --json-schema, not both");
    char *text = cli_read_text(grammar ? grammar : schema, &bytes), *ended = text ? realloc(text, bytes + 1) : NULL;
    if (!ended) {
        free(text);
        return CLI_FAILED;
    }
    ended[bytes] = 0;
    r->grammar = ended;
    if (memchr(ended, 0, bytes)) return cli_fail("%s is not text", grammar ? grammar : schema);
    *(grammar ? &r->request.grammar : &r->request.json_schema) = ended;
    return check_grammar(grammar ? grammar : schema, ended, bytes, schema != NULL);
}

int cli_lm_request_make(const cli_args *args, const leat_lm *lm, cli_lm_request *r) {
    *r = (cli_lm_request){0};
    leat_lm_request_default(&r->request);
    r->request.max_tokens = (int64_t)cli_number(args, OPT_MAX_TOKENS);
    r->request.n_top = cli_int(args, OPT_LOGPROBS);
    if (cli_int(args, OPT_IGNORE_EOS)) r->request.flags |= LEAT_GENERATE_IGNORE_EOS;
    if (cli_int(args, OPT_SPECIAL)) r->request.flags |= LEAT_GENERATE_SPECIALS;
    read_sampling(args, &r->request.sampling);
    int status = read_lists(args, lm, r);
    return status == CLI_DONE ? read_grammar(args, r) : status;
}

void cli_lm_request_fini(cli_lm_request *r) {
    free(r->bias);
    free(r->stop);
    free(r->grammar);
    *r = (cli_lm_request){0};
}

/* ---- model, session, prompt -------------------------------------------------------------------------------------------------- */

int cli_open_generator(const cli_args *args, leat_lm **lm) {
    char *path = cli_text(args, OPT_MODEL) ? strdup(cli_text(args, OPT_MODEL)) : cli_bundled_model(BUNDLED);
    if (!path) return cli_fail("the bundled model %s was not found; name one with --model, or its folder by LEAT_MODELS", BUNDLED);
    int status = cli_open_lm(args, path, cli_int(args, OPT_THREADS), lm);
    free(path);
    leat_lm_info info = {0};
    if (status == CLI_DONE) leat_lm_get_info(*lm, &info);
    if (status == CLI_DONE && cli_int(args, OPT_CONTEXT) > info.train_context)
        cli_note("the model was made for %d tokens: what it says behind them may be of no use", info.train_context);
    return status;
}

int cli_open_lm_session(const cli_args *args, leat_lm *lm, leat_lm_session **session) {
    leat_lm_session_options options;
    leat_error error = {0};
    leat_lm_session_options_default(&options);
    options.context = cli_int(args, OPT_CONTEXT);
    options.kv_type = cli_kv_type(args);
    int failed = leat_lm_session_open(lm, &options, session, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

int32_t *cli_lm_prompt(const cli_args *args, const leat_lm *lm, const char *text, size_t bytes, int64_t *count) {
    const leat_tokenizer *t = leat_lm_tokenizer(lm);
    uint32_t flags = (cli_int(args, OPT_NO_BOS) ? 0 : LEAT_TOKENIZE_SPECIALS) | (cli_int(args, OPT_SPECIAL) ? LEAT_TOKENIZE_PARSE : 0);
    leat_tokenizer_info info;
    leat_tokenizer_get_info(t, &info);
    int32_t *tokens = cli_tokenise(t, "the prompt", text, bytes, flags, count);
    if (tokens && (flags & LEAT_TOKENIZE_SPECIALS) && info.add_eos && *count > 0) --*count;
    return tokens;
}

/* ---- times -------------------------------------------------------------------------------------------------------------------- */

static double per_second(int64_t n, int64_t ns) { return n > 0 && ns > 0 ? (double)n * 1e9 / (double)ns : 0; }

json_t *cli_json_timings(const leat_lm_result *r, int64_t load_ns) {
    int64_t evaluated = r->prompt_tokens - r->cached_tokens;
    return json_pack("{s:f, s:I, s:I, s:f, s:f, s:f, s:I, s:f, s:f, s:f}", "load_ms", (double)load_ns / 1e6, "cache_n", (json_int_t)r->cached_tokens, "prompt_n",
                     (json_int_t)evaluated, "prompt_ms", (double)r->prompt_ns / 1e6, "prompt_per_second", per_second(evaluated, r->prompt_ns), "first_token_ms",
                     (double)r->first_token_ns / 1e6, "predicted_n", (json_int_t)r->n_tokens, "predicted_ms", (double)r->decode_ns / 1e6, "predicted_per_second",
                     per_second(r->n_tokens - 1, r->decode_ns), "total_ms", (double)r->total_ns / 1e6);
}

static const char *plural(int64_t n) { return n == 1 ? "" : "s"; }

/* " (512.0/s)", or nothing where no rate is known: a single token that was made has none. */
static const char *told_rate(char text[32], double rate) {
    *text = 0;
    if (rate > 0) snprintf(text, 32, " (%.1f/s)", rate);
    return text;
}

void cli_print_timings(const leat_lm_result *r, int64_t load_ns) {
    char prompt[32], made[32];
    int64_t evaluated = r->prompt_tokens - r->cached_tokens;
    cli_note("%s; opened in %.1f ms, prompt of %lld token%s in %.1f ms%s, first token after %.1f ms, made %lld token%s%s, seed %llu", leat_finish_name(r->finish), (double)load_ns / 1e6,
             (long long)evaluated, plural(evaluated), (double)r->prompt_ns / 1e6, told_rate(prompt, per_second(evaluated, r->prompt_ns)), (double)r->first_token_ns / 1e6,
             (long long)r->n_tokens, plural(r->n_tokens), told_rate(made, per_second(r->n_tokens - 1, r->decode_ns)), (unsigned long long)r->seed);
}

json_t *cli_json_tokens(const int32_t *tokens, int64_t count) {
    json_t *list = json_array();
    for (int64_t i = 0; i < count; i++) json_array_append_new(list, json_integer(tokens[i]));
    return list;
}
