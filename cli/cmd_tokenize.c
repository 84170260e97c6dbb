/* cmd_tokenize.c - `leat tokenize`: text to token ids and back, by the vocabulary of a GGUF file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "leat/tokenizer.h"
#include "lm_request.h"
#include "lm_setup.h"
#include "options.h"
#include "report.h"
#include "term.h"

/* Reads the argument, --file, or standard input.  NULL after a message. */
static char *read_input(const cli_args *args, size_t *bytes) {
    const char *path = cli_text(args, OPT_FILE);
    if (args->n_positional && path) {
        cli_usage("give a text or --file, not both");
        return NULL;
    }
    if (args->n_positional) {
        *bytes = strlen(args->positional[0]);
        return strdup(args->positional[0]);
    }
    return cli_read_text(path ? path : "-", bytes);
}

/* ---- encoding --------------------------------------------------------------------------------------------------------------- */

static void print_ids(const cli_args *args, const int32_t *tokens, int64_t count) {
    if (cli_int(args, OPT_JSON)) {
        cli_print_json(json_pack("{s:o}", "tokens", cli_json_tokens(tokens, count)));
        return;
    }
    for (int64_t i = 0; i < count; i++) printf(i ? " %d" : "%d", tokens[i]);
    putchar('\n');
}

static int encode(const cli_args *args, const leat_tokenizer *tokenizer, const char *text, size_t bytes) {
    uint32_t flags = (cli_int(args, OPT_NO_BOS) ? 0 : LEAT_TOKENIZE_SPECIALS) | (cli_int(args, OPT_SPECIAL) ? LEAT_TOKENIZE_PARSE : 0);
    int64_t  count;
    int32_t *tokens = cli_tokenise(tokenizer, "the text", text, bytes, flags, &count);
    if (tokens) print_ids(args, tokens, count);
    free(tokens);
    return tokens ? CLI_DONE : CLI_FAILED;
}

/* ---- decoding --------------------------------------------------------------------------------------------------------------- */

/* Numbers between anything that is not one, so that the JSON of the other direction is read too.  -1 after a message. */
static int64_t parse_ids(const char *text, int32_t *tokens, int32_t vocabulary) {
    const char *all = text;
    int64_t count = 0;
    for (char *end; *text; text = end) {
        while (*text && (*text < '0' || *text > '9') && *text != '-') text++;
        if (!*text) break;
        long id = strtol(text, &end, 10);
        if (end == text || id < 0 || id >= vocabulary) {
            cli_usage("'%.*s' is not a token of this vocabulary of %d", (int)(end > text ? end - text : 1), text, vocabulary);
            return -1;
        }
        tokens[count++] = (int32_t)id;
    }
    if (count || !all[strspn(all, " \t\r\n[]")]) return count;
    cli_usage("'%.20s' has no ids of tokens in it", all);
    return -1;
}

static int print_decoded(const cli_args *args, const leat_tokenizer *tokenizer, const int32_t *tokens, int64_t count) {
    uint32_t flags = cli_int(args, OPT_SPECIAL) ? LEAT_DETOKENIZE_SPECIALS : 0;
    size_t bytes = 0;
    leat_tokenizer_decode(tokenizer, tokens, count, flags, NULL, 0, &bytes);
    char *text = malloc(bytes + 1);
    if (!text) return cli_fail("out of memory");
    leat_tokenizer_decode(tokenizer, tokens, count, flags, text, bytes, &bytes);
    text[bytes] = 0;
    if (cli_int(args, OPT_JSON)) {
        cli_print_json(json_pack("{s:o, s:o}", "tokens", cli_json_tokens(tokens, count), "text", cli_json_text(text)));
    } else {
        fwrite(text, 1, bytes, stdout);
        putchar('\n');
    }
    free(text);
    return CLI_DONE;
}

static int decode(const cli_args *args, const leat_tokenizer *tokenizer, char *text, size_t bytes) {
    leat_tokenizer_info info;
    int32_t *tokens = malloc((bytes + 1) * sizeof *tokens);
    char *ended = realloc(text, bytes + 1);
    int status = CLI_FAILED;
    leat_tokenizer_get_info(tokenizer, &info);
    if (ended && tokens) {
        ended[bytes] = 0;
        int64_t count = parse_ids(ended, tokens, info.tokens);
        status = count < 0 ? CLI_USAGE : print_decoded(args, tokenizer, tokens, count);
    } else {
        cli_fail("out of memory");
    }
    free(ended ? ended : text);
    free(tokens);
    return status;
}

int cli_tokenize(const cli_args *args) {
    leat_gguf *file = NULL;
    leat_tokenizer *tokenizer = NULL;
    leat_error error = {0};
    size_t bytes;
    if (!cli_text(args, OPT_MODEL)) return cli_usage("-m MODEL.gguf is needed");
    int failed = leat_gguf_open(cli_text(args, OPT_MODEL), &file, &error);
    if (failed == LEAT_OK) {
        failed = leat_tokenizer_open(file, &tokenizer, &error);
        if (failed) cli_name_file(&error, cli_text(args, OPT_MODEL));
    }
    int status = failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
    char *text = failed == LEAT_OK ? read_input(args, &bytes) : NULL;
    if (failed == LEAT_OK && !text) status = args->n_positional ? CLI_USAGE : CLI_FAILED;
    if (text && cli_int(args, OPT_DECODE)) {
        status = decode(args, tokenizer, text, bytes);
    } else if (text) {
        status = encode(args, tokenizer, text, bytes);
        free(text);
    }
    leat_tokenizer_close(tokenizer);
    leat_gguf_close(file);
    return status;
}
