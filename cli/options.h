/* options.h - the one table of options and commands: it drives parsing, help, environment names, completion and docs/cli.md. */
#ifndef LEAT_CLI_OPTIONS_H
#define LEAT_CLI_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

typedef enum cli_kind {
    CLI_FLAG,   /* no argument; 0 or 1 */
    CLI_TEXT,   /* any text */
    CLI_INT,    /* an integer within [least, most] */
    CLI_NUMBER, /* a decimal number within [least, most] */
    CLI_OPTIONAL, /* the same, or nothing, which is 0: taken when the next word is a number; long options only */
    CLI_CHOICE, /* one of the words in `argument`, separated by '|' */
    CLI_LIST    /* any text, may be given several times */
} cli_kind;

typedef enum cli_option_id {
    OPT_ANTIALIAS, OPT_BATCH, OPT_CHECK, OPT_COLOR, OPT_CONF, OPT_CONF_LOW, OPT_CONTEXTS, OPT_DOT, OPT_DUMP, OPT_DURATION, OPT_FIT, OPT_FORMAT, OPT_HELP, OPT_INPUT, OPT_ISA, OPT_JSON,
    OPT_LABELS, OPT_MARKDOWN, OPT_MAX_AGE, OPT_MEAN, OPT_MEASURE, OPT_MIN_HITS, OPT_OUT, OPT_OUTPUT_DIR, OPT_PER_OP, OPT_PRESET, OPT_PROFILE, OPT_QUIET, OPT_RANDOM, OPT_REPS,
    OPT_SHAPE, OPT_SIZE, OPT_STD, OPT_THREADS, OPT_TOP, OPT_TRACKER, OPT_WARMUP,
    OPT_ACTIVE, OPT_ALGORITHM, OPT_BOUNDS, OPT_CANDIDATES, OPT_CANVAS, OPT_CHECKPOINT, OPT_CHECKPOINT_EVERY, OPT_CIRCLES, OPT_CLIMBERS, OPT_COLORMAP, OPT_DIFF,
    OPT_DISTANCE, OPT_FIXTURE, OPT_FRAMES, OPT_GEOMETRIZE, OPT_IMMEDIATE, OPT_INIT, OPT_ITERS, OPT_JSON_FILE, OPT_MAX_EVALUATIONS, OPT_MODE, OPT_PATIENCE, OPT_POP,
    OPT_RESIDUAL_SEED, OPT_RESUME, OPT_SEED, OPT_SOLVE_COLOR, OPT_STAGNATION, OPT_SVG, OPT_SWEEPS, OPT_TARGET_PSNR, OPT_THRESHOLD, OPT_TIME_LIMIT, OPT_TRACE,
    OPT_BUDGET, OPT_CLASSES, OPT_CROP, OPT_DECODER, OPT_DRAW, OPT_EVERY, OPT_FONT, OPT_FPS_LIMIT, OPT_IN_FLIGHT, OPT_IOU,
    OPT_LETTERBOX, OPT_LIVE, OPT_LOGITS, OPT_LOOP, OPT_MAX_LATENCY, OPT_MIN_FPS, OPT_MODEL, OPT_MOST, OPT_NMS, OPT_OUTPUTS, OPT_OVERLAY,
    OPT_CODEC, OPT_QUALITY, OPT_RATE, OPT_RAW, OPT_REPLICAS, OPT_RESIZE, OPT_STATS, OPT_STRETCH, OPT_TRACKER_DETECT,
    OPT_DECODE, OPT_FILE, OPT_NO_BOS, OPT_SPECIAL,
    OPT_CHUNKS, OPT_CONTEXT, OPT_KV_TYPE, OPT_NO_MMAP, OPT_MLOCK, OPT_NEW_TOKENS, OPT_PROMPT_TOKENS,
    OPT_NO_NORMALISE, OPT_POOLING,
    OPT_FREQUENCY_PENALTY, OPT_GRAMMAR, OPT_IGNORE_EOS, OPT_JSON_SCHEMA, OPT_LOGIT_BIAS, OPT_LOGPROBS, OPT_MAX_TOKENS, OPT_MIN_P, OPT_MIROSTAT, OPT_MIROSTAT_ETA,
    OPT_MIROSTAT_TAU, OPT_PENALTY_LAST, OPT_PRESENCE_PENALTY, OPT_PROMPT, OPT_REPEAT_PENALTY, OPT_STOP, OPT_TEMP, OPT_TOP_K, OPT_TOP_P, OPT_TYPICAL,
    OPT_SYSTEM, OPT_TEMPLATE,
    OPT_COUNT
} cli_option_id;

/* Which commands an option belongs to: bit i = command i of cli_commands. */
enum {
    IN_INSPECT = 1 << 0,
    IN_RUN = 1 << 1,
    IN_BENCH = 1 << 2,
    IN_CLASSIFY = 1 << 3,
    IN_DETECT = 1 << 4,
    IN_TRACK = 1 << 5,
    IN_CPU = 1 << 6,
    IN_COMPLETION = 1 << 7,
    IN_VERSION = 1 << 8,
    IN_HELP = 1 << 9,
    IN_CIRCLEFIT = 1 << 10,
    IN_FIT_BENCH = 1 << 11,
    IN_FIT_SCORE = 1 << 12,
    IN_VIDEO = 1 << 13,
    IN_TOKENIZE = 1 << 14,
    IN_PERPLEXITY = 1 << 15,
    IN_EMBED = 1 << 16,
    IN_GENERATE = 1 << 17,
    IN_CHAT = 1 << 18,
    IN_ALL = (1 << 19) - 1
};

typedef struct cli_option {
    cli_option_id id;
    const char   *name;     /* long, without dashes; LEAT_<NAME> in the environment */
    char          letter;   /* 0 = none */
    cli_kind      kind;
    const char   *argument; /* as help shows it */
    const char   *fallback; /* default, NULL = none */
    double        least, most;
    unsigned      commands;
    const char   *help;
} cli_option;

typedef struct cli_value {
    const char *text;    /* as given, or the default; NULL = absent */
    double      number;  /* INT, NUMBER, FLAG; index of the word for CHOICE */
    int         is_set;  /* by flag or environment */
} cli_value;

typedef struct cli_item {
    cli_option_id id;
    const char   *text;
} cli_item;

typedef struct cli_args {
    cli_value value[OPT_COUNT];
    cli_item *items; /* of LIST options, in order */
    int       n_items;
    char    **positional;
    int       n_positional;
} cli_args;

typedef struct cli_command {
    const char *name, *arguments, *summary, *details;
    const char *examples[6];
    int         least, most; /* positional arguments; most -1 = any number */
    int (*run)(const cli_args *args);
} cli_command;

/* A name may be of two words ("circlefit bench"): then it wins over the command of the first. */
extern const cli_option  cli_options[]; /* ends with a NULL name */
extern const cli_command cli_commands[]; /* ends with a NULL name */

/* Parses what follows the command's name.  0, or exit status 2 after a message on stderr.  Free with cli_args_fini(). */
int cli_parse(int command, int argc, char **argv, cli_args *args);
void cli_args_fini(cli_args *args);
/* "LEAT_OUTPUT_DIR" of "output-dir". */
void cli_environment_name(const cli_option *option, char *name, size_t size);

/* Notes each of these options that is given (ids: ends with OPT_HELP): they are for models of the other kind. */
void cli_note_unused(const cli_args *args, const cli_option_id *ids, const char *kind);

static inline const char *cli_text(const cli_args *args, cli_option_id id) { return args->value[id].text; }
static inline double cli_number(const cli_args *args, cli_option_id id) { return args->value[id].number; }
static inline int cli_int(const cli_args *args, cli_option_id id) { return (int)args->value[id].number; }
static inline int cli_is_set(const cli_args *args, cli_option_id id) { return args->value[id].is_set; }

int cli_inspect(const cli_args *args);
int cli_run(const cli_args *args);
int cli_bench(const cli_args *args);
int cli_classify(const cli_args *args);
int cli_detect(const cli_args *args);
int cli_track(const cli_args *args);
int cli_cpu(const cli_args *args);
int cli_completion(const cli_args *args);
int cli_version(const cli_args *args);
int cli_help(const cli_args *args);
int cli_circlefit(const cli_args *args);
int cli_circlefit_bench(const cli_args *args);
int cli_circlefit_score(const cli_args *args);
int cli_video(const cli_args *args);
int cli_tokenize(const cli_args *args);
int cli_perplexity(const cli_args *args);
int cli_embed(const cli_args *args);
int cli_generate(const cli_args *args);
int cli_chat(const cli_args *args);

#endif
