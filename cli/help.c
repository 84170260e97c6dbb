/* help.c - the overview, --help and the reference docs/cli.md, all from the option table. */
#include <string.h>

#include "help.h"
#include "options.h"
#include "term.h"

static int is_of(const cli_option *o, int command) { return (o->commands >> command & 1u) != 0; }

void cli_print_overview(FILE *to) {
    fputs("leat - neural networks, video and pictures on this machine's CPU\n\nusage: leat COMMAND [OPTION]... [ARGUMENT]...\n\n", to);
    for (const cli_command *c = cli_commands; c->name; c++) fprintf(to, "  %-16s %s\n", c->name, c->summary);
    fputs("\nleat COMMAND --help shows the options of a command.\n", to);
}

static void print_option(FILE *to, const cli_option *o) {
    char head[160], environment[64];
    cli_environment_name(o, environment, sizeof environment);
    int n = snprintf(head, sizeof head, "  %c%c%s --%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name);
    if (o->argument) snprintf(head + n, sizeof head - (size_t)n, " %s", o->argument);
    fprintf(to, strlen(head) < 30 ? "%-30s" : "%s\n                              ", head);
    fputs(o->help, to);
    if (o->fallback) fprintf(to, " (%s)", o->fallback);
    if (o->id != OPT_HELP) fprintf(to, " [%s]", environment);
    fputc('\n', to);
}

void cli_print_help(FILE *to, int command) {
    const cli_command *c = &cli_commands[command];
    fprintf(to, "leat %s - %s\n\nusage: leat %s [OPTION]...%s%s\n", c->name, c->summary, c->name, *c->arguments ? " " : "", c->arguments);
    if (*c->details) fprintf(to, "\n%s\n", c->details);
    fputs("\noptions (default) [environment]:\n", to);
    for (const cli_option *o = cli_options; o->name; o++)
        if (is_of(o, command)) print_option(to, o);
    fputs("\nexamples:\n", to);
    for (int i = 0; i < 6 && c->examples[i]; i++) fprintf(to, "  %s\n", c->examples[i]);
}

/* ---- docs/cli.md ---------------------------------------------------------------------------------------------------------- */

static void print_cell(FILE *to, const char *text) {
    for (; *text; text++) {
        if (*text == '|') fputc('\\', to);
        fputc(*text, to);
    }
}

static void print_markdown_option(FILE *to, const cli_option *o) {
    char environment[64];
    cli_environment_name(o, environment, sizeof environment);
    fputs("| `", to);
    if (o->letter) fprintf(to, "-%c`, `", o->letter);
    fprintf(to, "--%s", o->name);
    if (o->argument) fputc(' ', to), print_cell(to, o->argument);
    fprintf(to, "` | %s | ", o->fallback ? o->fallback : "");
    if (o->id != OPT_HELP) fprintf(to, "`%s`", environment);
    fputs(" | ", to);
    print_cell(to, o->help);
    fputs(" |\n", to);
}

static void print_markdown_command(FILE *to, int command) {
    const cli_command *c = &cli_commands[command];
    fprintf(to, "\n## leat %s\n\n    leat %s [OPTION]...%s%s\n\n%c%s.\n", c->name, c->name, *c->arguments ? " " : "", c->arguments,
            *c->summary - 32, c->summary + 1);
    if (*c->details) fprintf(to, "%s\n", c->details);
    fputs("\n| option | default | environment | meaning |\n|---|---|---|---|\n", to);
    for (const cli_option *o = cli_options; o->name; o++)
        if (is_of(o, command)) print_markdown_option(to, o);
    fputc('\n', to);
    for (int i = 0; i < 6 && c->examples[i]; i++) fprintf(to, "    %s\n", c->examples[i]);
}

static const char *const reference_head =
    "# The command line\n\n"
    "Made by `leat help --markdown` from the option table (`cli/option_table.c`); a test compares the two.\n\n"
    "Data goes to standard output, everything else to standard error. `NO_COLOR` is honoured. Every option can be given by the\n"
    "environment name in its row; the flag wins. A switch is turned off by `--name=no`. `--` ends the options.\n\n"
    "| exit status | meaning |\n|---|---|\n| 0 | done |\n| 1 | failed at run time (also: standard output was closed or full) |\n"
    "| 2 | wrong usage |\n| 3 | model or input not supported |\n| 4 | a budget or comparison was not met |\n"
    "| 130 | interrupted; what was finished is kept |\n";

static const char *const reference_tail =
    "\n## JSON\n\n"
    "With `--json` standard output holds exactly one object (`classify`: one a line for each image; `bench -o jsonl`: one a line for each\n"
    "model). Names carry the unit; a number that is unknown is null or absent. Dimensions that a model leaves open are -1 or their name.\n\n"
    "- `inspect`: `model`, `producer`, `graph`, `ir_version`, `opset`, `file_bytes`, `open_ms`, `parameters`, `nodes_file`, `nodes_run`,\n"
    "  `inputs` and `outputs` (`name`, `dtype`, `shape`), `operators` (`domain`, `op`, `opset`, `count`, `supported`), `unsupported` (texts), and\n"
    "  when the shapes are known `plan`: `macs`, `arena_bytes`, `weight_bytes_mapped`, `weight_bytes_packed`, `largest` (`name`, `op`, `shape`, `bytes`).\n"
    "- `run`: `model`, `isa`, `threads`, `open_ms`, `prepare_ms`, `run_ms`, `outputs` (`name`, `dtype`, `shape`, `min`, `max`, `mean`, `nonfinite`,\n"
    "  `first` values, `file` when written).\n"
    "- `bench`: `machine` (as `cpu`) and `results`, one for each model: `model`, `isa`, `threads`, `contexts`, `runs`, `mean_ms`, `sd_ms`, `min_ms`,\n"
    "  `p50_ms`, `p90_ms`, `p95_ms`, `p99_ms`, `p999_ms`, `inferences_per_s`, `macs`, `gflops` (of all contexts), `peak_gflops`, `peak_percent`,\n"
    "  `peak_rss_bytes`, `weight_bytes`, `arena_bytes` (of one context), `run_allocations`, `cpu_percent` (100 = one CPU), `open_ms`,\n"
    "  `prepare_ms`; with `--per-op` `ops`: `name`, `op`, `kernel`, `isa`, `shape`, `ms`, `percent`, `gflops`, `peak_percent`, `gbytes_per_s`.\n"
    "- `classify`: `image`, `top` (`class`, `label` or null, `prob`), `preprocess_ms`, `infer_ms` (the run over the images in it), `postprocess_ms`; an image\n"
    "  that cannot be read gives `image` and `error`, and the exit status is 1.\n"
    "- `cpu`: `cpu_name`, `cpus`, `isa_supported`, `isa_selected`, `l1d_kib`, `l2_kib`, `l3_kib` and, when measured, `threads_nt`, `fma_gflops_1t`,\n"
    "  `fma_gflops_nt`, `int8_gops_1t`, `int8_gops_nt`, `read_gbps_1t`, `read_gbps_nt`, `copy_gbps_1t`, `copy_gbps_nt`\n"
    "  (1t = one thread, nt = `threads_nt` threads).\n"
    "- `circlefit bench`: `writes` (pixels painted), `sum` (of the R, G and B bytes), `fnv1a` (over the RGBA bytes), `same` (as they must be),\n"
    "  `us_per_render`, `us_per_eval` (one thread), `threads`, `isa`.\n"
    "- `circlefit score`: `width`, `height`, `circles`, `writes`, `sse`, `mse`, `psnr_db` (null when infinite), `psnr_infinite`, `ssim`.\n"
    "- `version`: `version`, `library`.\n";

void cli_print_markdown(FILE *to) {
    fputs(reference_head, to);
    for (int i = 0; cli_commands[i].name; i++) print_markdown_command(to, i);
    fputs(reference_tail, to);
}
