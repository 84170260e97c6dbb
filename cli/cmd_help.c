/* cmd_help.c - `leat help`: the overview, one command, or all as Markdown (docs/cli.md). */
#include <stdio.h>
#include <string.h>

#include "help.h"
#include "options.h"
#include "term.h"

int cli_help(const cli_args *args) {
    if (cli_int(args, OPT_MARKDOWN)) {
        cli_print_markdown(stdout);
        return CLI_DONE;
    }
    if (args->n_positional == 0) {
        cli_print_overview(stdout);
        return CLI_DONE;
    }
    char name[128];
    snprintf(name, sizeof name, "%s%s%s", args->positional[0], args->n_positional > 1 ? " " : "", args->n_positional > 1 ? args->positional[1] : "");
    for (int i = 0; cli_commands[i].name; i++)
        if (strcmp(cli_commands[i].name, name) == 0) {
            cli_print_help(stdout, i);
            return CLI_DONE;
        }
    return cli_usage("no command '%s'; see: leat help", name);
}
