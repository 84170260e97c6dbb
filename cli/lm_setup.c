/* lm_setup.c - opening language models for the commands. */
#include "lm_setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine.h"
#include "term.h"

#define MOST_BYTES ((size_t)128 << 20)

int cli_open_lm(const cli_args *args, const char *path, int threads, leat_lm **lm) {
    leat_lm_options options;
    leat_error      error = {0};
    int status = cli_select_isa(args);
    if (status) return status;
    leat_lm_options_default(&options);
    options.threads = threads;
    if (cli_int(args, OPT_NO_MMAP)) options.flags |= LEAT_LM_COPY;
    if (cli_int(args, OPT_MLOCK)) options.flags |= LEAT_LM_LOCK;
    int failed = leat_lm_open(path, &options, lm, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

leat_kv_type cli_kv_type(const cli_args *args) {
    const char *name = cli_text(args, OPT_KV_TYPE);
    if (name && strcmp(name, "f32") == 0) return LEAT_KV_F32;
    return name && strcmp(name, "q8_0") == 0 ? LEAT_KV_Q8_0 : LEAT_KV_F16;
}

static char *read_all(FILE *file, const char *name, size_t *bytes) {
    size_t capacity = 1 << 16;
    char  *text = malloc(capacity), *larger;
    *bytes = 0;
    while (text && (*bytes += fread(text + *bytes, 1, capacity - *bytes, file)) == capacity && capacity < MOST_BYTES) {
        larger = realloc(text, capacity *= 2);
        if (!larger) free(text);
        text = larger;
    }
    if (!text) cli_fail("%s: out of memory", name);
    else if (ferror(file)) cli_fail("%s: %s", name, strerror(errno));
    else if (*bytes == capacity) cli_fail("%s: more than %zu MiB of text", name, MOST_BYTES >> 20);
    else return text;
    free(text);
    return NULL;
}

char *cli_read_text(const char *path, size_t *bytes) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!file) {
        cli_fail("%s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = read_all(file, file == stdin ? "standard input" : path, bytes);
    if (file != stdin) fclose(file);
    return text;
}

int32_t *cli_tokenise(const leat_tokenizer *tokenizer, const char *what, const char *text, size_t bytes, uint32_t flags, int64_t *count) {
    int64_t  room = (int64_t)bytes + 16; /* a token has a byte at least, but for the added ones, and what normalisation adds: then the second try has room */
    int32_t *tokens = NULL;
    int      failed = LEAT_ELIMIT;
    for (int tries = 0; failed == LEAT_ELIMIT && tries < 2; tries++, room = *count) {
        free(tokens);
        tokens = malloc((size_t)room * sizeof *tokens);
        failed = tokens ? leat_tokenizer_encode(tokenizer, text, bytes, flags, tokens, room, count) : LEAT_ENOMEM;
    }
    if (failed == LEAT_OK) return tokens;
    cli_fail("%s cannot be tokenised: %s", what, leat_status_text(failed));
    free(tokens);
    return NULL;
}

int64_t cli_rss_bytes(void) {
    long long all = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file) {
        if (fscanf(file, "%lld %lld", &all, &resident) != 2) resident = 0;
        fclose(file);
    }
    return resident * sysconf(_SC_PAGESIZE);
}
