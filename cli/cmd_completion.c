/* cmd_completion.c - completion scripts for bash, zsh and fish, from the option table. */
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "term.h"

static int is_of(const cli_option *o, int command) { return (o->commands >> command & 1u) != 0; }

/* Commands of two words are left to the first: completion looks at one. */
static int is_offered(const cli_command *c) { return strchr(c->name, ' ') == NULL; }

static int takes_file(const cli_option *o) { return o->kind == CLI_TEXT || o->kind == CLI_LIST; }

static void print_words(const char *words) {
    for (; *words; words++) putchar(*words == '|' ? ' ' : *words);
}

static void print_commands(void) {
    for (const cli_command *c = cli_commands; c->name; c++)
        if (is_offered(c)) printf("%s%s", c == cli_commands ? "" : " ", c->name);
}

static void print_bash(void) {
    printf("_leat() {\n    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    if [ \"$COMP_CWORD\" -eq 1 ]; then COMPREPLY=($(compgen -W \"");
    print_commands();
    printf("\" -- \"$word\")); return; fi\n    case $before in\n");
    for (const cli_option *o = cli_options; o->name; o++) {
        if (o->kind != CLI_CHOICE) continue;
        printf("    --%s) COMPREPLY=($(compgen -W \"", o->name);
        print_words(o->argument);
        printf("\" -- \"$word\")); return ;;\n");
    }
    printf("    esac\n    local options=\n    case ${COMP_WORDS[1]} in\n");
    for (int i = 0; cli_commands[i].name; i++) {
        if (!is_offered(&cli_commands[i])) continue;
        printf("    %s) options=\"", cli_commands[i].name);
        for (const cli_option *o = cli_options; o->name; o++)
            if (is_of(o, i)) printf("--%s ", o->name);
        printf("\" ;;\n");
    }
    printf("    esac\n    case $word in\n    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
           "    *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n    esac\n}\ncomplete -o filenames -F _leat leat\n");
}

/* In zsh's single quotes, within a specification where ':' and brackets mean something. */
static void print_zsh_text(const char *text) {
    for (; *text; text++) {
        if (*text == '\'') fputs("'\\''", stdout);
        else if (strchr(":[]", *text)) printf("\\%c", *text);
        else putchar(*text);
    }
}

static void print_zsh(void) {
    printf("#compdef leat\n_leat() {\n    local -a commands\n    commands=(\n");
    for (const cli_command *c = cli_commands; c->name; c++) {
        if (!is_offered(c)) continue;
        printf("        '%s:", c->name);
        print_zsh_text(c->summary);
        printf("'\n");
    }
    printf("    )\n    if (( CURRENT == 2 )); then _describe command commands; return; fi\n    case ${words[2]} in\n");
    for (int i = 0; cli_commands[i].name; i++) {
        if (!is_offered(&cli_commands[i])) continue;
        printf("    %s) _arguments", cli_commands[i].name);
        for (const cli_option *o = cli_options; o->name; o++) {
            if (!is_of(o, i)) continue;
            printf(" \\\n        '%s--%s[", o->kind == CLI_LIST ? "*" : "", o->name);
            print_zsh_text(o->help);
            putchar(']');
            if (o->kind == CLI_CHOICE) printf(":value:("), print_words(o->argument), putchar(')');
            else if (o->kind != CLI_FLAG) printf(":value:%s", takes_file(o) ? "_files" : "");
            putchar('\'');
        }
        printf(" \\\n        '*:file:_files' ;;\n");
    }
    printf("    esac\n}\n_leat \"$@\"\n");
}

static void print_fish_text(const char *text) {
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') putchar('\\');
        putchar(*text);
    }
}

static void print_fish(void) {
    for (const cli_command *c = cli_commands; c->name; c++) {
        if (!is_offered(c)) continue;
        printf("complete -c leat -n __fish_use_subcommand -f -a %s -d '", c->name);
        print_fish_text(c->summary);
        puts("'");
    }
    for (int i = 0; cli_commands[i].name; i++)
        for (const cli_option *o = cli_options; o->name; o++) {
            if (!is_of(o, i) || !is_offered(&cli_commands[i])) continue;
            printf("complete -c leat -n '__fish_seen_subcommand_from %s' -l %s", cli_commands[i].name, o->name);
            if (o->letter) printf(" -s %c", o->letter);
            if (o->kind == CLI_CHOICE) printf(" -x -a '"), print_words(o->argument), putchar('\'');
            else if (o->kind != CLI_FLAG) printf(takes_file(o) ? " -r" : " -x");
            printf(" -d '");
            print_fish_text(o->help);
            puts("'");
        }
}

int cli_completion(const cli_args *args) {
    const char *shell = args->positional[0];
    if (strcmp(shell, "bash") == 0) print_bash();
    else if (strcmp(shell, "zsh") == 0) print_zsh();
    else if (strcmp(shell, "fish") == 0) print_fish();
    else return cli_usage("'%s' is not one of bash|zsh|fish", shell);
    return CLI_DONE;
}
