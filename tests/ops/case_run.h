/* case_run.h - runs one conformance case in the calling process: model, inputs, run, comparison.  Included by conformance.c. */
#ifndef LEAT_TESTS_CASE_RUN_H
#define LEAT_TESTS_CASE_RUN_H

#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "case_pb.h"
#include "base/file.h"
#include "base/mem.h"
#include "tensor/tensor_util.h"

enum { CASE_PATH = 1024 };
typedef enum verdict { VERDICT_CRASHED = 0, VERDICT_PASSED, VERDICT_FAILED, VERDICT_SKIPPED } verdict;

/* What a case is; group and name are what reports show. */
typedef struct test_case {
    char   model[CASE_PATH]; /* the .onnx file */
    char   group[64], name[160];
    int    light;            /* made-up input; the recorded output is model with _output_0.pb for .onnx */
    double rtol, atol;
} test_case;

/* What became of it; lives in memory that the runner shares with the child. */
typedef struct outcome {
    verdict  verdict;
    char     message[512];
    pb_model model;
} outcome;

static int settle(outcome *o, verdict v, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int settle(outcome *o, verdict v, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(o->message, sizeof o->message, format, args);
    va_end(args);
    o->verdict = v;
    return -1;
}

/* ---- comparison -------------------------------------------------------------------------------------------------------- */

static int close_enough(double got, double want, const test_case *c) {
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
    if (got == want) return 1;
    return isfinite(want) && fabs(got - want) <= c->atol + c->rtol * fabs(want);
}

static int element_matches(const leat_tensor *got, const leat_tensor *want, int64_t i, const test_case *c) {
    if (leat__dtype_is_int(want->dtype) && leat_dtype_size(want->dtype) == 8 && leat__tensor_get_int(got, i) == leat__tensor_get_int(want, i))
        return 1;
    return close_enough(leat__tensor_get_float(got, i), leat__tensor_get_float(want, i), c);
}

static int compare(outcome *o, const test_case *c, const char *name, leat_tensor *got, leat_tensor *want) {
    char a[96], b[96];
    leat__tensor_text(got, a, sizeof a);
    leat__tensor_text(want, b, sizeof b);
    if (got->dtype != want->dtype || !leat__dims_equal(got, want))
        return settle(o, VERDICT_FAILED, "output '%s' is %s, expected %s", name, a, b);
    int64_t n = leat_tensor_count(want), bad = 0, first = -1;
    for (int64_t i = 0; i < n; i++)
        if (!element_matches(got, want, i, c) && bad++ == 0) first = i;
    if (!bad) return 0;
    return settle(o, VERDICT_FAILED, "output '%s' %s: %lld of %lld elements differ, first at %lld: %.9g, expected %.9g", name, a,
                  (long long)bad, (long long)n, (long long)first, leat__tensor_get_float(got, first), leat__tensor_get_float(want, first));
}

/* ---- one data set ------------------------------------------------------------------------------------------------------ */

static int read_pb(outcome *o, const char *path, leat_tensor *t) {
    char *data = NULL;
    size_t bytes = 0;
    leat_error error = {0};
    if (leat__read_file(path, (size_t)1 << 30, &data, &bytes, &error)) return settle(o, VERDICT_FAILED, "%s", error.message);
    int status = pb_read_tensor(data, bytes, t);
    leat__free(data);
    if (status == LEAT_EUNSUPPORTED) return settle(o, VERDICT_SKIPPED, "data of an element type outside the engine's");
    return status ? settle(o, VERDICT_FAILED, "cannot read %s", path) : 0;
}

static int engine_failed(outcome *o, const char *step, int status, const leat_error *error) {
    verdict v = status == LEAT_EUNSUPPORTED ? VERDICT_SKIPPED : VERDICT_FAILED;
    return settle(o, v, "%s: %s: %s", step, leat_status_text(status), error->message);
}

static int bind_inputs(outcome *o, const char *folder, leat_model *model, leat_context *context) {
    for (int i = 0; i < o->model.n_in; i++) {
        char path[CASE_PATH + 64];
        leat_error error = {0};
        leat_tensor t;
        int index = leat_model_input_index(model, o->model.in[i].name);
        if (index < 0) continue; /* an initializer that is also listed as an input */
        snprintf(path, sizeof path, "%s/input_%d.pb", folder, i);
        if (read_pb(o, path, &t)) return -1;
        int status = leat_context_set_input(context, index, &t, &error);
        if (status) return engine_failed(o, "input", status, &error);
    }
    return 0;
}

static int run_and_compare(outcome *o, const test_case *c, const char *folder, leat_model *model, leat_context *context) {
    leat_error error = {0};
    int status = leat_context_run(context, &error);
    if (status) return engine_failed(o, "run", status, &error);
    for (int i = 0; i < o->model.n_out; i++) {
        char path[CASE_PATH + 64];
        leat_tensor got, want;
        snprintf(path, sizeof path, "%s/output_%d.pb", folder, i);
        if (read_pb(o, path, &want)) return -1;
        int index = leat_model_output_index(model, o->model.out[i].name);
        if (index < 0 || leat_context_output(context, index, &got))
            return settle(o, VERDICT_FAILED, "output '%s' is missing", o->model.out[i].name);
        int bad = compare(o, c, o->model.out[i].name, &got, &want);
        free(want.data);
        if (bad) return -1;
    }
    return 0;
}

static int run_data_sets(outcome *o, const test_case *c, leat_model *model, leat_context *context) {
    char folder[CASE_PATH + 32];
    int sets = 0;
    size_t base = strlen(c->model) - strlen("model.onnx");
    for (;; sets++) {
        snprintf(folder, sizeof folder, "%.*stest_data_set_%d", (int)base, c->model, sets);
        DIR *dir = opendir(folder);
        if (!dir) break;
        closedir(dir);
        if (bind_inputs(o, folder, model, context) || run_and_compare(o, c, folder, model, context)) return -1;
    }
    return sets ? 0 : settle(o, VERDICT_SKIPPED, "no test_data_set_0 beside the model");
}

/* ---- the light networks: a ramp as input, one recorded output ----------------------------------------------------------- */

static int fill_ramp(outcome *o, leat_model *model, leat_tensor *t) {
    leat_value_info info;
    if (leat_model_input_info(model, 0, &info) || info.dtype != LEAT_DTYPE_F32 || info.rank < 0)
        return settle(o, VERDICT_FAILED, "the input is no float tensor");
    *t = (leat_tensor){.dtype = info.dtype, .rank = info.rank};
    for (int i = 0; i < info.rank; i++) t->dims[i] = info.dims[i] > 0 ? info.dims[i] : 1;
    int64_t n = leat_tensor_count(t);
    float *x = calloc((size_t)n + 16, sizeof *x);
    if (!x) return settle(o, VERDICT_FAILED, "out of memory");
    for (int64_t i = 0; i < n; i++) x[i] = (float)((double)i / (double)n);
    t->data = x;
    return 0;
}

static int run_light(outcome *o, const test_case *c, leat_model *model, leat_context *context) {
    char path[CASE_PATH + 32];
    leat_error error = {0};
    leat_tensor in, got, want;
    if (fill_ramp(o, model, &in)) return -1;
    int status = leat_context_set_input(context, 0, &in, &error);
    if (!status) status = leat_context_run(context, &error);
    if (status) return engine_failed(o, "run", status, &error);
    snprintf(path, sizeof path, "%.*s_output_0.pb", (int)(strlen(c->model) - strlen(".onnx")), c->model);
    if (leat_context_output(context, 0, &got)) return settle(o, VERDICT_FAILED, "no output");
    return read_pb(o, path, &want) ? -1 : compare(o, c, "output 0", &got, &want);
}

/* ---- one case ---------------------------------------------------------------------------------------------------------- */

/* Element types that the public API cannot carry; strings are known to it but not to these cases. */
static int signature_supported(outcome *o) {
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < (side ? o->model.n_out : o->model.n_in); i++) {
            const pb_value *v = side ? &o->model.out[i] : &o->model.in[i];
            const char *what = side ? "output" : "input";
            if (v->elem_type < 0) return settle(o, VERDICT_SKIPPED, "%s '%s' is a sequence, optional, map or sparse tensor", what, v->name), 0;
            if (v->elem_type == LEAT_DTYPE_STRING) return settle(o, VERDICT_SKIPPED, "%s '%s' is of strings", what, v->name), 0;
            if (v->elem_type >= LEAT_DTYPE_COUNT)
                return settle(o, VERDICT_SKIPPED, "%s '%s' has the element type %d", what, v->name, v->elem_type), 0;
        }
    return 1;
}

static int read_signature(outcome *o, const test_case *c) {
    leat_mapping map;
    leat_error error = {0};
    if (leat__map_file(c->model, &map, &error)) return settle(o, VERDICT_FAILED, "%s", error.message);
    int status = pb_read_model(map.data, map.bytes, &o->model);
    leat__unmap(&map);
    return status ? settle(o, VERDICT_FAILED, "malformed model") : 0;
}

/* ONNX fixes no generator of random numbers, so that another engine's values cannot be expected. */
static int is_random(const pb_model *model) {
    static const char *const names[] = {"Bernoulli", "RandomUniform", "RandomNormal", "RandomUniformLike", "RandomNormalLike", "Multinomial"};
    for (int i = 0; i < model->n_ops; i++)
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (strcmp(model->ops[i], names[k]) == 0) return 1;
    return 0;
}

/* Runs the whole case and writes what became of it into *o. */
static void case_run(const test_case *c, outcome *o) {
    leat_model_options options;
    leat_model *model = NULL;
    leat_context *context = NULL;
    leat_error error = {0};
    if (read_signature(o, c) || !signature_supported(o)) return;
    leat_model_options_default(&options);
    options.threads = 1;
    int status = leat_model_open(c->model, &options, &model, &error);
    if (!status) status = leat_context_open(model, NULL, &context, &error);
    if (status) {
        engine_failed(o, "open", status, &error);
        return;
    }
    if (c->light ? run_light(o, c, model, context) : run_data_sets(o, c, model, context)) {
        if (is_random(&o->model)) settle(o, VERDICT_SKIPPED, "the expected values are random numbers");
        return;
    }
    leat_context_close(context);
    leat_model_unref(model);
    o->verdict = VERDICT_PASSED;
}

#endif
