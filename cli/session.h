/* session.h - what inspect, run and bench share: open a model, settle the shapes of its inputs, fill them, bind them to contexts. */
#ifndef LEAT_CLI_SESSION_H
#define LEAT_CLI_SESSION_H

#include "leat/model.h"
#include "leat/tensor_io.h"
#include "options.h"

/* What to do with inputs that have no file. */
typedef enum cli_fill { CLI_FILL_NONE /* refuse */, CLI_FILL_RANDOM, CLI_FILL_SHAPES /* dims only, no data */ } cli_fill;

typedef struct cli_inputs {
    leat_tensor *tensors; /* [count], data owned */
    int          count;
} cli_inputs;

/* Opens args' model number `index` with --isa, --threads and `flags`.  0, or an exit status after a message. */
int cli_open_model(const cli_args *args, const char *path, uint32_t flags, leat_model **model);

/* Makes a tensor for each input of the model from --input, --shape and `fill`.  Open dimensions that are not given: the batch is 1, others
 * are an error that shows what to give.  0, or an exit status after a message (none when `silent`).  Free with cli_inputs_fini(). */
int cli_inputs_make(const leat_model *model, const cli_args *args, cli_fill fill, uint64_t seed, int silent, cli_inputs *inputs);
void cli_inputs_fini(cli_inputs *inputs);

/* Binds all inputs and prepares.  0, or an exit status after a message. */
int cli_bind(leat_context *context, const cli_inputs *inputs);

/* "name" and "=rest" of NAME=REST at the first '=' (the last when `last`): length of the name, or 0 when there is none. */
size_t cli_split(const char *text, int last);

#endif
