/* options.c - parsing: flags over the environment over defaults.
 *
 * Accepted are --name VALUE, --name=VALUE, -n VALUE, -nVALUE, clusters of one-letter flags (-qj), options after arguments, and "--" to
 * end them.  A flag may be switched off with --name=no, so that it can win over the environment.  Values are checked here, so that a
 * command only reads them.
 */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "term.h"

void cli_environment_name(const cli_option *option, char *name, size_t size) {
    snprintf(name, size, "LEAT_%s", option->name);
    for (char *c = name; *c; c++) *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

/* Index of `text` among the words of "a|b|c", or -1. */
static int find_word(const char *words, const char *text) {
    size_t n = strlen(text);
    for (int i = 0;; i++) {
        size_t length = strcspn(words, "|");
        if (length == n && strncmp(words, text, n) == 0) return i;
        if (!words[length]) return -1;
        words += length + 1;
    }
}

static int parse_flag(const char *text, double *value) {
    static const char *const words[] = {"0", "no", "false", "off", "", "1", "yes", "true", "on"};
    for (int i = 0; i < 9; i++)
        if (strcmp(text, words[i]) == 0) {
            *value = i > 4;
            return 1;
        }
    return 0;
}

static int parse_number(const cli_option *o, const char *text, double *value) {
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    if (end == text || *end || errno || !isfinite(*value)) return 0;
    if (o->kind == CLI_INT && *value != floor(*value)) return 0;
    return *value >= o->least && *value <= o->most;
}

static int looks_like_a_number(const char *text) {
    char *end;
    return strtod(text, &end) >= 0 && end != text && !*end;
}

static int set_number(const cli_option *o, const char *text, cli_value *value, const char *source) {
    int ok = o->kind == CLI_FLAG ? parse_flag(text, &value->number) : parse_number(o, text, &value->number);
    if (ok) return 0;
    if (o->kind == CLI_FLAG) return cli_usage("%s: '%s' is neither yes nor no", source, text);
    if (o->kind == CLI_INT) return cli_usage("%s: '%s' is not an integer from %.0f to %.0f", source, text, o->least, o->most);
    return cli_usage("%s: '%s' is not a number from %.15g to %.15g", source, text, o->least, o->most);
}

/* Stores a value; `source` names where it comes from in messages. */
static int set_value(cli_args *args, const cli_option *o, const char *text, const char *source) {
    cli_value *value = &args->value[o->id];
    value->is_set = 1;
    value->text = text;
    if (o->kind == CLI_TEXT) return 0;
    if (o->kind == CLI_LIST) {
        args->items[args->n_items++] = (cli_item){o->id, text};
        return 0;
    }
    if (o->kind != CLI_CHOICE) return set_number(o, text, value, source);
    int index = find_word(o->argument, text);
    if (index < 0) return cli_usage("%s: '%s' is not one of %s", source, text, o->argument);
    value->number = index;
    return 0;
}

static int is_of(const cli_option *o, int command) { return (o->commands >> command & 1u) != 0; }

static const cli_option *find_long(int command, const char *name, size_t n) {
    for (const cli_option *o = cli_options; o->name; o++)
        if (is_of(o, command) && strlen(o->name) == n && strncmp(o->name, name, n) == 0) return o;
    return NULL;
}

static const cli_option *find_letter(int command, char letter) {
    for (const cli_option *o = cli_options; o->name; o++)
        if (is_of(o, command) && o->letter == letter) return o;
    return NULL;
}

static int unknown(int command, const char *text) {
    return cli_usage("no option '%s'; see: leat %s --help", text, cli_commands[command].name);
}

static int parse_long(int command, char **argv, int *at, int argc, cli_args *args) {
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    const cli_option *o = find_long(command, name, n);
    char source[64];
    if (!o) return unknown(command, argv[*at]);
    snprintf(source, sizeof source, "--%s", o->name);
    if (equals) return set_value(args, o, equals + 1, source);
    if (o->kind == CLI_FLAG) return set_value(args, o, "1", source);
    if (o->kind == CLI_OPTIONAL && (*at + 1 >= argc || !looks_like_a_number(argv[*at + 1]))) return set_value(args, o, "0", source);
    if (*at + 1 >= argc) return cli_usage("--%s needs an argument: %s", o->name, o->argument);
    return set_value(args, o, argv[++*at], source);
}

static int parse_letters(int command, char **argv, int *at, int argc, cli_args *args) {
    for (const char *c = argv[*at] + 1; *c; c++) {
        const cli_option *o = find_letter(command, *c);
        char source[3] = {'-', *c, 0};
        if (!o) return unknown(command, source);
        if (o->kind != CLI_FLAG) {
            if (c[1]) return set_value(args, o, c + 1, source);
            if (*at + 1 >= argc) return cli_usage("-%c needs an argument: %s", *c, o->argument);
            return set_value(args, o, argv[++*at], source);
        }
        int status = set_value(args, o, "1", source);
        if (status) return status;
    }
    return 0;
}

static int parse_words(int command, int argc, char **argv, cli_args *args) {
    int only_words = 0;
    for (int at = 0; at < argc; at++) {
        const char *word = argv[at];
        int status = 0;
        if (only_words || word[0] != '-' || !word[1]) args->positional[args->n_positional++] = argv[at];
        else if (strcmp(word, "--") == 0) only_words = 1;
        else if (word[1] == '-') status = parse_long(command, argv, &at, argc, args);
        else status = parse_letters(command, argv, &at, argc, args);
        if (status) return status;
    }
    return 0;
}

/* Defaults and environment for what no flag has set. */
static int fill_rest(int command, cli_args *args) {
    for (const cli_option *o = cli_options; o->name; o++) {
        char name[64];
        if (!is_of(o, command) || args->value[o->id].is_set || o->id == OPT_HELP) continue;
        cli_environment_name(o, name, sizeof name);
        const char *text = getenv(name);
        int status = 0;
        if (text && *text) status = set_value(args, o, text, name);
        else if (o->fallback) {
            status = set_value(args, o, o->fallback, o->name);
            args->value[o->id].is_set = 0;
        }
        if (status) return status;
    }
    return 0;
}

int cli_parse(int command, int argc, char **argv, cli_args *args) {
    const cli_command *c = &cli_commands[command];
    memset(args, 0, sizeof *args);
    args->positional = calloc((size_t)argc + 1, sizeof *args->positional);
    args->items = calloc((size_t)argc + OPT_COUNT, sizeof *args->items);
    if (!args->positional || !args->items) return cli_fail("out of memory");
    int status = parse_words(command, argc, argv, args);
    if (status == 0) status = fill_rest(command, args);
    if (status || cli_int(args, OPT_HELP)) return status;
    const char *space = *c->arguments ? " " : "";
    if (args->n_positional < c->least) return cli_usage("usage: leat %s [OPTION]...%s%s", c->name, space, c->arguments);
    if (c->most >= 0 && args->n_positional > c->most)
        return cli_usage("'%s' is one argument too many; usage: leat %s [OPTION]...%s%s", args->positional[c->most], c->name, space, c->arguments);
    return 0;
}

void cli_note_unused(const cli_args *args, const cli_option_id *ids, const char *kind) {
    for (; *ids != OPT_HELP; ids++)
        for (const cli_option *o = cli_options; o->name; o++)
            if (o->id == *ids && cli_is_set(args, *ids)) {
                cli_note("--%s is for %s and changes nothing here", o->name, kind);
                break;
            }
}

void cli_args_fini(cli_args *args) {
    free(args->positional);
    free(args->items);
}
