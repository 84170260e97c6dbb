/* session.c - models and their inputs for inspect, run and bench; see session.h. */
#include "session.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "machine.h"
#include "report.h"
#include "term.h"

int cli_open_model(const cli_args *args, const char *path, uint32_t flags, leat_model **model) {
    leat_model_options options;
    leat_error         error = {0};
    int status = cli_select_isa(args);
    if (status) return status;
    leat_model_options_default(&options);
    options.threads = cli_int(args, OPT_THREADS);
    options.flags = flags;
    int failed = leat_model_open(path, &options, model, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

size_t cli_split(const char *text, int last) {
    const char *equals = last ? strrchr(text, '=') : strchr(text, '=');
    return equals ? (size_t)(equals - text) : 0;
}

static int is_named(const char *text, size_t n, const char *name) { return strlen(name) == n && strncmp(text, name, n) == 0; }

/* ---- shapes --------------------------------------------------------------------------------------------------------------- */

/* "1x3x224x224" (also with commas) into dims; "" and "scalar" are rank 0.  Returns the rank, or -1. */
static int parse_shape(const char *text, int64_t dims[LEAT_MAX_RANK]) {
    int rank = 0;
    if (!*text || strcmp(text, "scalar") == 0) return 0;
    for (;;) {
        char *end;
        if (rank == LEAT_MAX_RANK || !isdigit((unsigned char)*text)) return -1;
        long long dim = strtoll(text, &end, 10);
        if (dim > INT32_MAX) return -1;
        dims[rank++] = dim;
        if (!*end) return rank;
        if (*end != 'x' && *end != ',') return -1;
        text = end + 1;
    }
}

/* The --shape text for `name`, or NULL: the last one given wins. */
static const char *find_item(const cli_args *args, cli_option_id id, const char *name) {
    const char *found = NULL;
    for (int i = 0; i < args->n_items; i++) {
        size_t n = args->items[i].id == id ? cli_split(args->items[i].text, 0) : 0;
        if (n && is_named(args->items[i].text, n, name)) found = args->items[i].text + n + 1;
    }
    return found;
}

static int complain(int silent, int status, const char *format, const char *a, const char *b) {
    char text[512];
    if (silent) return status;
    snprintf(text, sizeof text, format, a, b);
    return status == CLI_USAGE ? cli_usage("%s", text) : cli_fail("%s", text);
}

/* Names of open dimensions as a --shape that would settle them. */
static int complain_open(const leat_value_info *info, int silent) {
    char hint[256], shape[256];
    size_t n = 0;
    for (int d = 0; d < info->rank && n < sizeof hint; d++) {
        int64_t dim = info->dims[d] >= 0 ? info->dims[d] : d == 0 ? 1 : 224;
        n += (size_t)snprintf(hint + n, sizeof hint - n, "%s%lld", d ? "x" : "", (long long)dim);
    }
    cli_shape_text(info->dtype, info->rank, info->dims, info->dim_names, shape, sizeof shape);
    if (info->rank < 0) snprintf(hint, sizeof hint, "1x3x224x224");
    if (silent) return CLI_USAGE;
    return cli_usage("input '%s' is %s: its open dimensions are not known; give its shape, e.g. --shape %s=%s", info->name, shape, info->name, hint);
}

static int is_batch(const leat_value_info *info, int d) {
    const char *name = info->dim_names[d];
    if (d == 0) return 1;
    return name && (strcasecmp(name, "batch") == 0 || strcasecmp(name, "batch_size") == 0 || strcasecmp(name, "N") == 0);
}

/* Settles the dims of one input from --shape NAME=..., --shape SYMBOL=..., the declaration and the batch rule. */
static int settle_dims(const leat_value_info *info, const cli_args *args, int silent, leat_tensor *tensor) {
    const char *given = find_item(args, OPT_SHAPE, info->name);
    tensor->dtype = info->dtype;
    tensor->rank = info->rank;
    if (given) {
        tensor->rank = parse_shape(given, tensor->dims);
        return tensor->rank >= 0 ? CLI_DONE : complain(silent, CLI_USAGE, "--shape %s=%s: not a shape such as 1x3x224x224", info->name, given);
    }
    if (info->rank < 0) return complain_open(info, silent);
    for (int d = 0; d < info->rank; d++) {
        const char *symbol = info->dim_names[d] ? find_item(args, OPT_SHAPE, info->dim_names[d]) : NULL;
        int64_t one[LEAT_MAX_RANK];
        tensor->dims[d] = info->dims[d];
        if (info->dims[d] >= 0) continue;
        if (symbol && parse_shape(symbol, one) == 1) tensor->dims[d] = one[0];
        else if (is_batch(info, d)) tensor->dims[d] = 1;
        else return complain_open(info, silent);
    }
    return CLI_DONE;
}

/* ---- data ----------------------------------------------------------------------------------------------------------------- */

static int load_input(const leat_value_info *info, const char *path, leat_tensor *tensor) {
    leat_error error = {0};
    int failed = leat_tensor_load(path, tensor, &error);
    if (failed != LEAT_OK) return cli_fail_error(failed, &error);
    if (tensor->dtype == info->dtype) return CLI_DONE;
    return cli_fail("%s holds %s, input '%s' wants %s: convert it", path, leat_dtype_name(tensor->dtype), info->name, leat_dtype_name(info->dtype));
}

static int make_input(const leat_model *model, const cli_args *args, int index, cli_fill fill, uint64_t seed, int silent, leat_tensor *tensor) {
    leat_value_info info;
    leat_model_input_info(model, index, &info);
    const char *path = find_item(args, OPT_INPUT, info.name);
    if (path) return load_input(&info, path, tensor);
    int status = settle_dims(&info, args, silent, tensor);
    if (status || fill == CLI_FILL_SHAPES) return status;
    if (fill == CLI_FILL_NONE)
        return complain(silent, CLI_USAGE, "input '%s' has no content: give --input %s=FILE or --random SEED", info.name, info.name);
    int failed = leat_tensor_alloc(tensor);
    if (failed == LEAT_OK) failed = leat_tensor_fill_random(tensor, seed, (uint64_t)index);
    return failed == LEAT_OK ? CLI_DONE : complain(silent, CLI_FAILED, "input '%s': %s", info.name, leat_status_text(failed));
}

/* Does NAME of a --shape or --input mean an input, or (shape) a symbolic dimension of one? */
static int is_known(const leat_model *model, const cli_item *item, size_t n) {
    for (int i = 0; i < leat_model_input_count(model); i++) {
        leat_value_info info;
        leat_model_input_info(model, i, &info);
        if (is_named(item->text, n, info.name)) return 1;
        for (int d = 0; item->id == OPT_SHAPE && d < info.rank; d++)
            if (info.dim_names[d] && is_named(item->text, n, info.dim_names[d])) return 1;
    }
    return 0;
}

static int check_names(const leat_model *model, const cli_args *args) {
    for (int i = 0; i < args->n_items; i++) {
        const cli_item *item = &args->items[i];
        if (item->id != OPT_SHAPE && item->id != OPT_INPUT) continue;
        const char *option = item->id == OPT_SHAPE ? "--shape" : "--input";
        size_t n = cli_split(item->text, 0);
        if (!n) return cli_usage("%s %s: NAME=... is needed", option, item->text);
        if (!is_known(model, item, n))
            return cli_usage("%s %s: the model has no input '%.*s'; see: leat inspect", option, item->text, (int)n, item->text);
    }
    return CLI_DONE;
}

int cli_inputs_make(const leat_model *model, const cli_args *args, cli_fill fill, uint64_t seed, int silent, cli_inputs *inputs) {
    inputs->count = leat_model_input_count(model);
    inputs->tensors = calloc((size_t)inputs->count + 1, sizeof *inputs->tensors);
    if (!inputs->tensors) return cli_fail("out of memory");
    /* with several models a name need not fit all of them */
    int status = args->n_positional == 1 ? check_names(model, args) : CLI_DONE;
    for (int i = 0; status == CLI_DONE && i < inputs->count; i++)
        status = make_input(model, args, i, fill, seed, silent, &inputs->tensors[i]);
    return status;
}

void cli_inputs_fini(cli_inputs *inputs) {
    for (int i = 0; inputs->tensors && i < inputs->count; i++) leat_tensor_free(&inputs->tensors[i]);
    free(inputs->tensors);
    *inputs = (cli_inputs){0};
}

int cli_bind(leat_context *context, const cli_inputs *inputs) {
    leat_error error = {0};
    for (int i = 0; i < inputs->count; i++) {
        int failed = leat_context_set_input(context, i, &inputs->tensors[i], &error);
        if (failed != LEAT_OK) return cli_fail_error(failed, &error);
    }
    int failed = leat_context_prepare(context, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}
