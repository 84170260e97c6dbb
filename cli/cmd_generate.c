/* cmd_generate.c - `leat generate`: continues a text, or several at once.
 *
 * One prompt is shown as it grows; several are decoded together by at most --batch sessions, and shown in their order when all are done.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leat/tensor_io.h"
#include "lm_request.h"
#include "lm_setup.h"
#include "report.h"
#include "term.h"
#include "text_file.h"

typedef struct generate_item {
    const char     *text; /* the argument's, or the job's own */
    size_t          bytes;
    int32_t        *prompt;
    int64_t         n_prompt;
    leat_lm_result  result;
    int             status;
    int             shows; /* pieces go to standard output as they come */
} generate_item;

typedef struct generate_job {
    const cli_args   *args;
    leat_lm          *lm;
    leat_lm_info      info;
    cli_lm_request    request;
    leat_lm_session **sessions;
    int               n_sessions;
    generate_item    *items;
    int               n;
    char             *file; /* of --file */
    leat_tensor       logits;
    int64_t           context;
} generate_job;

/* ---- prompts ----------------------------------------------------------------------------------------------------------------- */

static int take_texts(generate_job *j) {
    const char *path = cli_text(j->args, OPT_FILE);
    j->items = calloc((size_t)j->args->n_items + 1, sizeof *j->items);
    if (!j->items) return cli_fail("out of memory");
    for (int i = 0; i < j->args->n_items; i++)
        if (j->args->items[i].id == OPT_PROMPT) j->items[j->n++] = (generate_item){.text = j->args->items[i].text, .bytes = strlen(j->args->items[i].text)};
    if (path && j->n) return cli_usage("give --prompt or --file, not both");
    if (!path && !j->n) return cli_usage("-p PROMPT or --file FILE is needed; -p '' begins from nothing");
    if (path) {
        j->file = cli_read_text(path, &j->items[0].bytes);
        if (!j->file) return CLI_FAILED;
        j->items[j->n++].text = j->file;
    }
    if (cli_text(j->args, OPT_LOGITS) && j->n > 1) return cli_usage("--logits takes one prompt");
    return cli_text(j->args, OPT_LOGITS) ? cli_check_place(cli_text(j->args, OPT_LOGITS)) : CLI_DONE;
}

static int encode_prompts(generate_job *j) {
    for (int i = 0; i < j->n; i++) {
        j->items[i].prompt = cli_lm_prompt(j->args, j->lm, j->items[i].text, j->items[i].bytes, &j->items[i].n_prompt);
        if (!j->items[i].prompt) return CLI_FAILED;
    }
    return CLI_DONE;
}

/* ---- sessions and results ---------------------------------------------------------------------------------------------------- */

static int open_sessions(generate_job *j) {
    int most = cli_int(j->args, OPT_BATCH), status = CLI_DONE;
    if (j->n < most) most = j->n;
    j->sessions = calloc((size_t)most, sizeof *j->sessions);
    if (!j->sessions) return cli_fail("out of memory");
    while (j->n_sessions < most && status == CLI_DONE) {
        status = cli_open_lm_session(j->args, j->lm, &j->sessions[j->n_sessions]);
        if (status == CLI_DONE) cli_register_lm_session(j->sessions[j->n_sessions++]);
    }
    if (status == CLI_DONE) {
        leat_lm_session_stats stats;
        leat_lm_session_get_stats(j->sessions[0], &stats);
        j->context = stats.context;
    }
    return status;
}

/* As many tokens as there can be; a token of more than 256 bytes is none that models have. */
static int make_room(generate_job *j, generate_item *item) {
    int64_t most = j->request.request.max_tokens, left = j->context - item->n_prompt;
    leat_lm_result *r = &item->result;
    if (most < 0 || most > left) most = left > 0 ? left : 0;
    leat_lm_result_init(r);
    r->token_capacity = most;
    r->text_capacity = (size_t)most * 256 + 256;
    r->tokens = calloc((size_t)most + 1, sizeof *r->tokens);
    r->text = malloc(r->text_capacity);
    if (j->request.request.n_top) {
        r->probs = calloc((size_t)most + 1, sizeof *r->probs);
        r->top = calloc((size_t)(most + 1) * (size_t)j->request.request.n_top, sizeof *r->top);
    }
    if (!r->tokens || !r->text || (j->request.request.n_top && (!r->probs || !r->top))) return cli_fail("out of memory");
    return CLI_DONE;
}

static int make_logits(generate_job *j) {
    if (!cli_text(j->args, OPT_LOGITS)) return CLI_DONE;
    j->logits = (leat_tensor){.dtype = LEAT_DTYPE_F32, .rank = 2, .dims = {j->items[0].n_prompt, j->info.vocabulary}};
    if (leat_tensor_alloc(&j->logits) != LEAT_OK) return cli_fail("out of memory for the logits of %lld tokens", (long long)j->items[0].n_prompt);
    j->items[0].result.prompt_logits = j->logits.data;
    j->items[0].result.logits_capacity = j->items[0].n_prompt * j->info.vocabulary;
    return CLI_DONE;
}

/* ---- the run ----------------------------------------------------------------------------------------------------------------- */

static int on_token(void *user, const leat_lm_piece *piece) {
    const generate_item *item = user;
    if (item->shows && piece->bytes) {
        fwrite(piece->text, 1, piece->bytes, stdout);
        fflush(stdout);
    }
    return cli_interrupted() || (item->shows && ferror(stdout));
}

static int run(generate_job *j) {
    leat_lm_request *requests = calloc((size_t)j->n, sizeof *requests);
    leat_lm_result  *results = calloc((size_t)j->n, sizeof *results);
    void **users = calloc((size_t)j->n, sizeof *users);
    int   *statuses = calloc((size_t)j->n, sizeof *statuses);
    leat_error error = {0};
    int failed = LEAT_ENOMEM;
    if (requests && results && users && statuses) {
        for (int i = 0; i < j->n; i++) {
            requests[i] = j->request.request;
            requests[i].tokens = j->items[i].prompt;
            requests[i].n_tokens = j->items[i].n_prompt;
            results[i] = j->items[i].result;
            users[i] = &j->items[i];
        }
        if (j->n == 1) failed = leat_lm_generate(j->sessions[0], requests, results, on_token, users[0], &error);
        else failed = leat_lm_generate_batch(j->sessions, j->n_sessions, requests, results, j->n, on_token, users, statuses, &error);
        for (int i = 0; i < j->n; i++) {
            j->items[i].result = results[i];
            j->items[i].status = j->n == 1 ? failed : statuses[i];
        }
    }
    free(requests);
    free(results);
    free(users);
    free(statuses);
    if (failed == LEAT_OK) return cli_interrupted() ? CLI_INTERRUPTED : CLI_DONE;
    if (j->items[0].shows && j->items[0].result.text_bytes) putchar('\n');
    return cli_fail_error(failed, &error);
}

/* ---- what is told ------------------------------------------------------------------------------------------------------------ */

static json_t *json_prob(const generate_job *j, leat_token_prob prob) {
    char piece[256];
    size_t bytes = 0;
    if (leat_tokenizer_piece(leat_lm_tokenizer(j->lm), prob.token, LEAT_DETOKENIZE_SPECIALS, piece, sizeof piece - 1, &bytes) != LEAT_OK) bytes = 0;
    piece[bytes] = 0;
    return json_pack("{s:i, s:o, s:o}", "token", prob.token, "text", cli_json_text(piece), "logprob", cli_json_number((double)prob.logprob));
}

static json_t *json_probs(const generate_job *j, const leat_lm_result *r) {
    json_t *list = json_array();
    int32_t n_top = j->request.request.n_top;
    for (int64_t i = 0; i < r->n_tokens && i < r->token_capacity; i++) {
        json_t *one = json_prob(j, r->probs[i]), *top = json_array();
        for (int32_t k = 0; k < n_top && r->top[i * n_top + k].token >= 0; k++) json_array_append_new(top, json_prob(j, r->top[i * n_top + k]));
        json_object_set_new(one, "top", top);
        json_array_append_new(list, one);
    }
    return list;
}

/* What is in the buffer: all, unless it was too small. */
static size_t text_length(const leat_lm_result *r) { return r->text_bytes < r->text_capacity ? r->text_bytes : strlen(r->text); }

static void print_json(const generate_job *j, const generate_item *item) {
    const leat_lm_result *r = &item->result;
    int64_t kept = r->n_tokens < r->token_capacity ? r->n_tokens : r->token_capacity;
    json_t *o = json_pack("{s:o, s:o, s:o, s:s, s:I, s:o}", "prompt_tokens", cli_json_tokens(item->prompt, item->n_prompt), "tokens", cli_json_tokens(r->tokens, kept),
                          "text", json_stringn(r->text, text_length(r)), "finish", leat_finish_name(r->finish), "seed", (json_int_t)r->seed, "timings",
                          cli_json_timings(r, j->info.open_ns));
    if (r->probs) json_object_set_new(o, "logprobs", json_probs(j, r));
    cli_print_json(o);
}

static void report(const generate_job *j) {
    for (int i = 0; i < j->n; i++) {
        const generate_item *item = &j->items[i];
        if (item->status != LEAT_OK && item->status != LEAT_ECANCELLED) continue;
        if (cli_int(j->args, OPT_JSON)) {
            print_json(j, item);
            continue;
        }
        if (!item->shows) fwrite(item->result.text, 1, text_length(&item->result), stdout);
        putchar('\n');
        cli_print_timings(&item->result, j->info.open_ns);
    }
}

static int save_logits(const generate_job *j) {
    leat_error error = {0};
    if (!j->logits.data) return CLI_DONE;
    int failed = leat_tensor_save_npy(cli_text(j->args, OPT_LOGITS), &j->logits, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

static void close_job(generate_job *j) {
    cli_register_lm_session(NULL);
    for (int i = 0; i < j->n; i++) {
        free(j->items[i].prompt);
        free(j->items[i].result.tokens);
        free(j->items[i].result.text);
        free(j->items[i].result.probs);
        free(j->items[i].result.top);
    }
    for (int i = 0; i < j->n_sessions; i++) leat_lm_session_close(j->sessions[i]);
    free(j->sessions);
    free(j->items);
    free(j->file);
    leat_tensor_free(&j->logits);
    cli_lm_request_fini(&j->request);
    leat_lm_unref(j->lm);
}

int cli_generate(const cli_args *args) {
    generate_job j = {.args = args};
    int status = take_texts(&j);
    if (status == CLI_DONE) status = cli_open_generator(args, &j.lm);
    if (status == CLI_DONE) leat_lm_get_info(j.lm, &j.info);
    if (status == CLI_DONE) status = cli_lm_request_make(args, j.lm, &j.request);
    if (status == CLI_DONE) status = encode_prompts(&j);
    if (status == CLI_DONE) status = open_sessions(&j);
    for (int i = 0; i < j.n && status == CLI_DONE; i++) status = make_room(&j, &j.items[i]);
    if (status == CLI_DONE) status = make_logits(&j);
    if (status == CLI_DONE) {
        j.items[0].shows = j.n == 1 && !cli_int(args, OPT_JSON);
        status = run(&j);
        if (status == CLI_DONE || status == CLI_INTERRUPTED || j.n > 1) report(&j);
        if (status == CLI_DONE) status = save_logits(&j);
    }
    close_job(&j);
    return status;
}
