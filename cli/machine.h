/* machine.h - the level of kernels in use, and the measured ceilings as JSON. */
#ifndef LEAT_CLI_MACHINE_H
#define LEAT_CLI_MACHINE_H

#include <jansson.h>

#include "leat/common.h"
#include "options.h"

/* Applies --isa.  0, or an exit status after a message. */
int cli_select_isa(const cli_args *args);
json_t *cli_json_machine(const leat_machine *machine);

#endif
