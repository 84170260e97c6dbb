/* cmd_perplexity.c - `leat perplexity`: how well a model foretells a text.
 *
 * As usual for such figures: the text's tokens are cut into chunks of --context tokens; in each the first token is replaced by BOS where the file puts one in front,
 * and only tokens of the second half count, so that each has at least half a context before it.  The perplexity is e to the mean of their surprise.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lm_request.h"
#include "lm_setup.h"
#include "report.h"
#include "term.h"

typedef struct perplexity_job {
    const cli_args  *args;
    leat_lm         *lm;
    leat_lm_session *session;
    int32_t         *tokens; /* [n_tokens] of the text */
    float           *logits; /* [context, vocabulary] */
    int64_t          n_tokens, context, chunks;
    int32_t          vocabulary, bos; /* bos: -1 = none in front */
    double           sum, squares;    /* of nats */
    int64_t          counted;
    int64_t          start_ns;
} perplexity_job;

/* -log of the softmax of logits [n] at `token`. */
static double surprise(const float *logits, int32_t n, int32_t token) {
    float  top = logits[0];
    double sum = 0;
    for (int32_t i = 1; i < n; i++) top = logits[i] > top ? logits[i] : top;
    for (int32_t i = 0; i < n; i++) sum += expf(logits[i] - top);
    return log(sum) - (double)(logits[token] - top);
}

static int read_chunk(perplexity_job *j, int64_t chunk) {
    leat_error error = {0};
    int32_t   *tokens = j->tokens + chunk * j->context, first = tokens[0];
    if (j->bos >= 0) tokens[0] = j->bos;
    int failed = leat_lm_sync_logits(j->session, tokens, j->context, j->logits, &error);
    tokens[0] = first;
    if (failed != LEAT_OK) return cli_fail_error(failed, &error);
    for (int64_t i = j->context / 2; i + 1 < j->context; i++) {
        double nats = surprise(j->logits + i * j->vocabulary, j->vocabulary, tokens[i + 1]);
        j->sum += nats;
        j->squares += nats * nats;
        j->counted++;
    }
    return CLI_DONE;
}

static int read_chunks(perplexity_job *j) {
    cli_progress progress;
    int          status = CLI_DONE;
    int64_t      done = 0;
    cli_progress_start(&progress, "perplexity");
    j->start_ns = cli_now_ns();
    while (status == CLI_DONE && done < j->chunks && !cli_interrupted()) {
        status = read_chunk(j, done);
        done += status == CLI_DONE;
        cli_progress_show(&progress, (double)(done * j->context), (double)(j->chunks * j->context), "tokens");
    }
    cli_progress_end(&progress);
    if (status == CLI_DONE && done < j->chunks) status = CLI_INTERRUPTED;
    j->chunks = done;
    return status;
}

static void report(const perplexity_job *j) {
    leat_lm_info info;
    leat_lm_get_info(j->lm, &info);
    double n = (double)j->counted, mean = j->sum / n, seconds = (double)(cli_now_ns() - j->start_ns) / 1e9;
    double error = n > 1 ? sqrt((j->squares / n - mean * mean) / (n - 1)) : 0, rate = (double)(j->chunks * j->context) / seconds;
    if (cli_int(j->args, OPT_JSON))
        cli_print_json(json_pack("{s:o, s:o, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:f}", "model", cli_json_text(info.name), "file",
                                 cli_json_text(cli_text(j->args, OPT_FILE)), "perplexity", exp(mean), "perplexity_error", exp(mean) * error, "nats_per_token", mean,
                                 "tokens", (json_int_t)j->n_tokens, "counted_tokens", (json_int_t)j->counted, "chunks", (json_int_t)j->chunks, "context",
                                 (json_int_t)j->context, "tokens_per_s", rate));
    else
        printf("perplexity %.4f +- %.4f (%.5f nats a token) over %lld of %lld tokens, %lld chunk%s of %lld, %.1f tokens/s\n", exp(mean), exp(mean) * error, mean,
               (long long)j->counted, (long long)j->n_tokens, (long long)j->chunks, j->chunks == 1 ? "" : "s", (long long)j->context, rate);
}

/* ---- the text --------------------------------------------------------------------------------------------------------------- */

static int tokenise(perplexity_job *j, const char *text, size_t bytes) {
    const leat_tokenizer *tokenizer = leat_lm_tokenizer(j->lm);
    leat_tokenizer_info   words;
    leat_tokenizer_get_info(tokenizer, &words);
    j->bos = words.add_bos ? words.bos : -1;
    j->tokens = cli_tokenise(tokenizer, "the text", text, bytes, LEAT_TOKENIZE_SPECIALS, &j->n_tokens);
    return j->tokens ? CLI_DONE : CLI_FAILED;
}

/* Settles the length and number of chunks, and opens the session. */
static int cut(perplexity_job *j) {
    leat_lm_session_options options;
    leat_error   error = {0};
    leat_lm_info info;
    leat_lm_get_info(j->lm, &info);
    j->vocabulary = info.vocabulary;
    j->context = cli_int(j->args, OPT_CONTEXT);
    if (info.encoder) return cli_usage("%s only makes embeddings", info.name);
    if (j->n_tokens < 4) return cli_fail("the text has %lld token%s: too few, 4 at least are needed", (long long)j->n_tokens, j->n_tokens == 1 ? "" : "s");
    if (j->n_tokens < j->context) j->context = j->n_tokens;
    j->chunks = j->n_tokens / j->context;
    if (cli_is_set(j->args, OPT_CHUNKS) && cli_int(j->args, OPT_CHUNKS) < j->chunks) j->chunks = cli_int(j->args, OPT_CHUNKS);
    leat_lm_session_options_default(&options);
    options.context = (int32_t)j->context;
    options.kv_type = cli_kv_type(j->args);
    int failed = leat_lm_session_open(j->lm, &options, &j->session, &error);
    if (failed != LEAT_OK) return cli_fail_error(failed, &error);
    cli_register_lm_session(j->session);
    j->logits = malloc((size_t)j->context * (size_t)j->vocabulary * sizeof *j->logits);
    return j->logits ? CLI_DONE : cli_fail("out of memory");
}

int cli_perplexity(const cli_args *args) {
    perplexity_job j = {.args = args};
    size_t bytes = 0;
    if (!cli_text(args, OPT_FILE)) return cli_usage("-f TEXT is needed");
    char *text = cli_read_text(cli_text(args, OPT_FILE), &bytes);
    if (!text) return CLI_FAILED;
    int status = cli_open_generator(args, &j.lm);
    if (status == CLI_DONE) status = tokenise(&j, text, bytes);
    free(text);
    if (status == CLI_DONE) status = cut(&j);
    if (status == CLI_DONE) status = read_chunks(&j);
    if (j.counted) report(&j);
    cli_register_lm_session(NULL);
    leat_lm_session_close(j.session);
    leat_lm_unref(j.lm);
    free(j.logits);
    free(j.tokens);
    return status;
}
