/* cmd_run.c - `leat run`: one run, outputs to files or described. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "options.h"
#include "report.h"
#include "session.h"
#include "term.h"

#define FIRST_VALUES 8

typedef struct summary {
    int64_t count, nonfinite;
    double  min, max, mean; /* of the finite values; NAN when there are none */
} summary;

static summary summarise(const leat_tensor *tensor) {
    summary s = {.count = leat_tensor_count(tensor), .min = NAN, .max = NAN, .mean = NAN};
    double sum = 0;
    for (int64_t i = 0; i < s.count; i++) {
        double v = leat_tensor_value(tensor, i);
        if (!isfinite(v)) {
            s.nonfinite++;
            continue;
        }
        s.min = v < s.min || isnan(s.min) ? v : s.min;
        s.max = v > s.max || isnan(s.max) ? v : s.max;
        sum += v;
    }
    if (s.count > s.nonfinite) s.mean = sum / (double)(s.count - s.nonfinite);
    return s;
}

/* DIR/<name, '/' as '_'>.npy */
static int output_path(const char *folder, const char *name, char *path, size_t size) {
    int n = snprintf(path, size, "%s/", folder);
    if (n < 0 || (size_t)n >= size || (size_t)snprintf(path + n, size - (size_t)n, "%s.npy", name) >= size - (size_t)n)
        return cli_fail("the name of output '%s' is too long for a file", name);
    for (char *c = path + n; *c; c++)
        if (*c == '/') *c = '_';
    return CLI_DONE;
}

static int make_folder(const char *path) {
    if (mkdir(path, 0777) == 0 || errno == EEXIST) return CLI_DONE;
    return cli_fail("--output-dir %s: %s", path, strerror(errno));
}

static void print_output(const char *name, const leat_tensor *tensor) {
    char shape[256];
    summary s = summarise(tensor);
    printf("%s: %s", name, cli_shape_text(tensor->dtype, tensor->rank, tensor->dims, NULL, shape, sizeof shape));
    if (s.count > s.nonfinite) printf(" min %.6g max %.6g mean %.6g", s.min, s.max, s.mean);
    if (s.nonfinite) printf(" (%lld not finite)", (long long)s.nonfinite);
    printf("\n   ");
    for (int64_t i = 0; i < s.count && i < FIRST_VALUES; i++) printf(" %.6g", leat_tensor_value(tensor, i));
    printf("%s\n", s.count > FIRST_VALUES ? " ..." : "");
}

static json_t *json_output(const char *name, const leat_tensor *tensor, const char *file) {
    summary s = summarise(tensor);
    json_t *first = json_array(), *object = json_pack("{s:o, s:s, s:o}", "name", cli_json_text(name), "dtype", leat_dtype_name(tensor->dtype), "shape",
                                                      cli_json_shape(tensor->rank, tensor->dims, NULL));
    for (int64_t i = 0; i < s.count && i < FIRST_VALUES; i++) {
        double v = leat_tensor_value(tensor, i);
        json_array_append_new(first, cli_json_number(v));
    }
    json_object_set_new(object, "min", cli_json_number(s.min));
    json_object_set_new(object, "max", cli_json_number(s.max));
    json_object_set_new(object, "mean", cli_json_number(s.mean));
    json_object_set_new(object, "nonfinite", json_integer(s.nonfinite));
    json_object_set_new(object, "first", first);
    if (file) json_object_set_new(object, "file", cli_json_text(file));
    return object;
}

/* Saves and describes every output. */
static int deliver(const leat_model *model, const leat_context *context, const cli_args *args, json_t *list) {
    const char *folder = cli_text(args, OPT_OUTPUT_DIR);
    int status = folder ? make_folder(folder) : CLI_DONE;
    for (int i = 0; status == CLI_DONE && i < leat_model_output_count(model); i++) {
        leat_value_info info;
        leat_tensor     tensor;
        leat_error      error = {0};
        char            path[4096];
        leat_model_output_info(model, i, &info);
        int failed = leat_context_output(context, i, &tensor);
        if (failed != LEAT_OK) return cli_fail("output '%s': %s", info.name, leat_status_text(failed));
        if (folder) {
            status = output_path(folder, info.name, path, sizeof path);
            if (status) break;
            failed = leat_tensor_save_npy(path, &tensor, &error);
            if (failed != LEAT_OK) return cli_fail_error(failed, &error);
        }
        if (list) json_array_append_new(list, json_output(info.name, &tensor, folder ? path : NULL));
        else if (folder) cli_note("wrote %s", path);
        else print_output(info.name, &tensor);
    }
    return status;
}

static int run_model(leat_model *model, leat_context *context, const cli_args *args) {
    cli_inputs         inputs = {0};
    leat_error         error = {0};
    leat_context_stats stats;
    leat_model_info    info;
    cli_fill           fill = cli_is_set(args, OPT_RANDOM) ? CLI_FILL_RANDOM : CLI_FILL_NONE;
    int status = cli_inputs_make(model, args, fill, (uint64_t)cli_number(args, OPT_RANDOM), 0, &inputs);
    if (status == CLI_DONE) status = cli_bind(context, &inputs);
    if (status == CLI_DONE) {
        int failed = leat_context_run(context, &error);
        if (failed != LEAT_OK) status = cli_fail_error(failed, &error);
    }
    if (status == CLI_DONE) {
        json_t *list = cli_int(args, OPT_JSON) ? json_array() : NULL;
        status = deliver(model, context, args, list);
        leat_context_get_stats(context, &stats);
        leat_model_get_info(model, &info);
        if (list && status == CLI_DONE)
            cli_print_json(json_pack("{s:o, s:s, s:i, s:f, s:f, s:f, s:O}", "model", cli_json_text(args->positional[0]), "isa",
                                     leat_isa_name(leat_isa_selected()), "threads", stats.threads, "open_ms", (double)info.open_ns / 1e6,
                                     "prepare_ms", (double)stats.prepare_ns / 1e6, "run_ms", (double)stats.last_run_ns / 1e6, "outputs", list));
        json_decref(list);
    }
    cli_inputs_fini(&inputs);
    return status;
}

int cli_run(const cli_args *args) {
    leat_model   *model = NULL;
    leat_context *context = NULL;
    leat_error    error = {0};
    int status = cli_open_model(args, args->positional[0], 0, &model);
    if (status) return status;
    int failed = leat_context_open(model, NULL, &context, &error);
    if (failed == LEAT_OK) {
        cli_register_context(context);
        status = run_model(model, context, args);
        cli_register_context(NULL);
    } else {
        status = cli_fail_error(failed, &error);
    }
    leat_context_close(context);
    leat_model_unref(model);
    return status;
}
