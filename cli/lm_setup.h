/* lm_setup.h - what the commands for language models share: open a model, options of a session. */
#ifndef LEAT_CLI_LM_SETUP_H
#define LEAT_CLI_LM_SETUP_H

#include "leat/lm.h"
#include "options.h"

/* Opens the model at --isa with `threads`, as --no-mmap and --mlock say.  0, or an exit status after a message. */
int cli_open_lm(const cli_args *args, const char *path, int threads, leat_lm **lm);
/* --kv-type; F16 where the command has none. */
leat_kv_type cli_kv_type(const cli_args *args);
/* The whole file, at most 128 MiB; "-" is standard input.  NULL after a message; free() it. */
char *cli_read_text(const char *path, size_t *bytes);
/* The tokens of a text; flags: LEAT_TOKENIZE_*.  NULL after a message that calls it `what`; free() it. */
int32_t *cli_tokenise(const leat_tokenizer *tokenizer, const char *what, const char *text, size_t bytes, uint32_t flags, int64_t *count);
/* Memory of the process that is resident now, the touched parts of mapped files among it; 0 where that is not told. */
int64_t cli_rss_bytes(void);

#endif
