/* cmd_embed.c - `leat embed`: the vectors of texts.
 *
 * Texts are the arguments, or the lines of --file or standard input, one vector each in their order.  The session is as long as the longest text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leat/tensor_io.h"
#include "lm_setup.h"
#include "report.h"
#include "term.h"
#include "text_file.h"

typedef struct embed_text {
    const char *text;
    size_t      bytes;
    int64_t     tokens;
} embed_text;

typedef struct embed_job {
    const cli_args  *args;
    leat_lm         *lm;
    leat_lm_session *session;
    leat_lm_info     info;
    char            *file;   /* what lines point into */
    embed_text      *texts;  /* [n] */
    int64_t          n, done;
    float           *matrix; /* [n, width] for --output */
    leat_pooling     pooling;
    int              normalise;
} embed_job;

/* ---- texts ------------------------------------------------------------------------------------------------------------------ */

/* The lines of the file, without what ends them; a last line without an end is one too. */
static int take_lines(embed_job *j, size_t bytes) {
    int64_t lines = 1;
    for (size_t i = 0; i < bytes; i++) lines += j->file[i] == '\n';
    j->texts = calloc((size_t)lines, sizeof *j->texts);
    if (!j->texts) return cli_fail("out of memory");
    for (size_t at = 0; at < bytes;) {
        const char *line = j->file + at, *end = memchr(line, '\n', bytes - at);
        size_t      length = end ? (size_t)(end - line) : bytes - at;
        at += length + 1;
        if (length && line[length - 1] == '\r') length--;
        j->texts[j->n++] = (embed_text){.text = line, .bytes = length};
    }
    return j->n ? CLI_DONE : cli_fail("there is no text");
}

static int take_texts(embed_job *j) {
    const char *path = cli_text(j->args, OPT_FILE);
    size_t      bytes = 0;
    if (j->args->n_positional && path) return cli_usage("give texts or --file, not both");
    if (!j->args->n_positional) {
        j->file = cli_read_text(path ? path : "-", &bytes);
        return j->file ? take_lines(j, bytes) : CLI_FAILED;
    }
    j->n = j->args->n_positional;
    j->texts = calloc((size_t)j->n, sizeof *j->texts);
    if (!j->texts) return cli_fail("out of memory");
    for (int64_t i = 0; i < j->n; i++) j->texts[i] = (embed_text){.text = j->args->positional[i], .bytes = strlen(j->args->positional[i])};
    return CLI_DONE;
}

/* ---- vectors ---------------------------------------------------------------------------------------------------------------- */

static int open_session(embed_job *j) {
    leat_lm_session_options options;
    leat_error error = {0};
    int64_t    longest = 1;
    for (int64_t i = 0; i < j->n; i++) {
        embed_text *t = &j->texts[i];
        int failed = leat_tokenizer_encode(leat_lm_tokenizer(j->lm), t->text, t->bytes, LEAT_TOKENIZE_SPECIALS, NULL, 0, &t->tokens);
        if (failed != LEAT_OK && failed != LEAT_ELIMIT) return cli_fail("text %lld cannot be tokenised: %s", (long long)i + 1, leat_status_text(failed));
        if (t->tokens > longest) longest = t->tokens;
    }
    leat_lm_session_options_default(&options);
    options.context = longest < j->info.train_context ? (int32_t)longest : j->info.train_context;
    int failed = leat_lm_session_open(j->lm, &options, &j->session, &error);
    if (failed == LEAT_OK) cli_register_lm_session(j->session);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

static const char *pooling_name(leat_pooling pooling) {
    static const char *const names[] = {"mean", "mean", "cls", "last"}; /* mean where nobody says */
    return names[pooling];
}

static void print_vector(const embed_job *j, int64_t index, const float *vector, double ms) {
    if (!cli_int(j->args, OPT_JSON)) {
        for (int32_t i = 0; i < j->info.width; i++) printf(i ? " %.9g" : "%.9g", (double)vector[i]);
        putchar('\n');
        return;
    }
    json_t *list = json_array();
    for (int32_t i = 0; i < j->info.width; i++) json_array_append_new(list, cli_json_number((double)vector[i]));
    cli_print_json(json_pack("{s:I, s:I, s:s, s:b, s:f, s:o}", "index", (json_int_t)index, "tokens", (json_int_t)j->texts[index].tokens, "pooling",
                             pooling_name(j->pooling ? j->pooling : j->info.pooling), "normalised", j->normalise, "embed_ms", ms, "embedding", list));
}

static int embed_all(embed_job *j) {
    cli_progress progress;
    int          status = CLI_DONE;
    cli_progress_start(&progress, "embed");
    for (; status == CLI_DONE && j->done < j->n && !cli_interrupted(); j->done++) {
        const embed_text *t = &j->texts[j->done];
        const float *vector;
        int64_t      size, start = cli_now_ns();
        leat_error   error = {0};
        int failed = leat_lm_embed(j->session, t->text, t->bytes, j->pooling, j->normalise, &vector, &size, &error);
        if (failed == LEAT_ECANCELLED && cli_interrupted()) break;
        if (failed != LEAT_OK) {
            status = cli_fail("text %lld: %s", (long long)j->done + 1, error.message);
            break;
        }
        if (j->matrix) memcpy(j->matrix + j->done * size, vector, (size_t)size * sizeof *vector);
        else print_vector(j, j->done, vector, (double)(cli_now_ns() - start) / 1e6);
        if (j->matrix) cli_progress_show(&progress, (double)(j->done + 1), (double)j->n, "texts");
    }
    cli_progress_end(&progress);
    return status == CLI_DONE && j->done < j->n ? CLI_INTERRUPTED : status;
}

/* What was finished is written, also after an interrupt. */
static int write_matrix(const embed_job *j) {
    leat_error  error = {0};
    leat_tensor tensor = {.data = j->matrix, .dtype = LEAT_DTYPE_F32, .rank = 2, .dims = {j->done, j->info.width}};
    int failed = leat_tensor_save_npy(cli_text(j->args, OPT_OUT), &tensor, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

static int make_matrix(embed_job *j) {
    if (!cli_text(j->args, OPT_OUT)) return CLI_DONE;
    j->matrix = calloc((size_t)j->n, (size_t)j->info.width * sizeof *j->matrix);
    return j->matrix ? CLI_DONE : cli_fail("out of memory");
}

int cli_embed(const cli_args *args) {
    embed_job j = {.args = args, .pooling = (leat_pooling)cli_int(args, OPT_POOLING), .normalise = !cli_int(args, OPT_NO_NORMALISE)};
    if (!cli_text(args, OPT_MODEL)) return cli_usage("-m MODEL.gguf is needed");
    if (cli_int(args, OPT_JSON) && cli_text(args, OPT_OUT)) return cli_usage("--json prints the vectors, --output writes them: give one");
    int status = cli_text(args, OPT_OUT) ? cli_check_place(cli_text(args, OPT_OUT)) : CLI_DONE;
    if (status == CLI_DONE) status = take_texts(&j);
    if (status == CLI_DONE) status = cli_open_lm(args, cli_text(args, OPT_MODEL), cli_int(args, OPT_THREADS), &j.lm);
    if (status == CLI_DONE) {
        leat_lm_get_info(j.lm, &j.info);
        status = open_session(&j);
    }
    if (status == CLI_DONE) status = make_matrix(&j);
    if (status == CLI_DONE) status = embed_all(&j);
    if (j.matrix && j.done && (status == CLI_DONE || status == CLI_INTERRUPTED)) {
        int written = write_matrix(&j);
        status = written == CLI_DONE ? status : written;
    }
    cli_register_lm_session(NULL);
    leat_lm_session_close(j.session);
    leat_lm_unref(j.lm);
    free(j.matrix);
    free(j.texts);
    free(j.file);
    return status;
}
