/* bench_machine.h - the ceilings that `leat bench` compares rates with. */
#ifndef LEAT_CLI_BENCH_MACHINE_H
#define LEAT_CLI_BENCH_MACHINE_H

#include "leat/common.h"
#include "options.h"

/* Measures the machine's ceilings at `threads` (0 or too many: all), in a child, whose large buffers stay out of our peak RSS.  Exit status. */
int bench_machine(const cli_args *args, int threads, leat_machine *machine);

#endif
