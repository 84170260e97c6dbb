/* help.h - texts made from the option table. */
#ifndef LEAT_CLI_HELP_H
#define LEAT_CLI_HELP_H

#include <stdio.h>

void cli_print_overview(FILE *to);
void cli_print_help(FILE *to, int command);
void cli_print_markdown(FILE *to);

#endif
