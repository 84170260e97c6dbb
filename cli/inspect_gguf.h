/* inspect_gguf.h - `leat inspect` of a GGUF file. */
#ifndef LEAT_CLI_INSPECT_GGUF_H
#define LEAT_CLI_INSPECT_GGUF_H

#include "options.h"

/* 1 when the file begins as GGUF files do. */
int cli_is_gguf(const char *path);
/* Prints what the file holds.  The exit status: CLI_UNSUPPORTED when a tensor has a type that cannot be computed with. */
int cli_inspect_gguf(const cli_args *args, const char *path);

#endif
