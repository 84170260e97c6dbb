/* lm_request.h - what the commands that generate text share: from options to a request, the loop's ways out, times as JSON. */
#ifndef LEAT_CLI_LM_REQUEST_H
#define LEAT_CLI_LM_REQUEST_H

#include <jansson.h>

#include "leat/generate.h"
#include "options.h"

/* A request as the options say, but for its prompt; owns what it points to. */
typedef struct cli_lm_request {
    leat_lm_request  request;
    leat_logit_bias *bias;
    const char     **stop;    /* the strings are the arguments' */
    char            *grammar; /* text of --grammar or --json-schema */
} cli_lm_request;

/* Sampling, stop strings, grammar, limits and flags.  0, or an exit status after a message; free with _fini() in either case. */
int  cli_lm_request_make(const cli_args *args, const leat_lm *lm, cli_lm_request *request);
void cli_lm_request_fini(cli_lm_request *request);

/* Opens -m, or the bundled model.  0, or an exit status after a message. */
int cli_open_generator(const cli_args *args, leat_lm **lm);
/* Opens a session as --context, --kv-type and --threads say.  0, or an exit status after a message. */
int cli_open_lm_session(const cli_args *args, leat_lm *lm, leat_lm_session **session);

/* Tokens of a text [bytes] as a prompt: BOS as the file says unless --no-bos, nothing behind it, control tokens with --special.  NULL after a message; free() it. */
int32_t *cli_lm_prompt(const cli_args *args, const leat_lm *lm, const char *text, size_t bytes, int64_t *count);

/* The times of a result, named as those of llama.cpp's server where it has them. */
json_t *cli_json_timings(const leat_lm_result *result, int64_t load_ns);
/* One line on stderr, unless --quiet. */
void cli_print_timings(const leat_lm_result *result, int64_t load_ns);
json_t *cli_json_tokens(const int32_t *tokens, int64_t count);

#endif
