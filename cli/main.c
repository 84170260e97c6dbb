/* main.c - leat: finds the command, parses its options, runs it.  One file each: cmd_<command>.c. */
#include <stdio.h>
#include <string.h>

#include "help.h"
#include "options.h"
#include "term.h"

/* A command of two words wins; *words: how many it has. */
static int find_command(const char *name, const char *next, int *words) {
    char both[64];
    snprintf(both, sizeof both, "%s %s", name, next ? next : "");
    for (*words = 2; *words > 0; --*words) {
        for (int i = 0; cli_commands[i].name; i++)
            if (strcmp(cli_commands[i].name, *words == 2 ? both : name) == 0) return i;
    }
    return -1;
}

static int run_command(int command, int argc, char **argv) {
    cli_args args;
    int status = cli_parse(command, argc, argv, &args);
    if (status == CLI_DONE && cli_int(&args, OPT_HELP)) cli_print_help(stdout, command);
    else if (status == CLI_DONE) {
        cli_set_quiet(cli_int(&args, OPT_QUIET));
        status = cli_commands[command].run(&args);
    }
    cli_args_fini(&args);
    return status;
}

int main(int argc, char **argv) {
    cli_catch_signals();
    if (argc < 2) {
        cli_print_overview(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) name = "help";
    if (strcmp(name, "--version") == 0) name = "version";
    int words, command = find_command(name, argv[2], &words);
    if (command < 0) return cli_usage("no command '%s'; see: leat help", name);
    return cli_finish_output(run_command(command, argc - 1 - words, argv + 1 + words));
}
