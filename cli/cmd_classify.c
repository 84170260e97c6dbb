/* cmd_classify.c - `leat classify`: images in batches through a classifier, answers as text or one JSON object a line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "options.h"
#include "report.h"
#include "session.h"
#include "sidecar.h"
#include "term.h"

#define BUNDLED "abacus_cells.onnx"

typedef struct job {
    const cli_args      *args;
    leat_model          *model;
    leat_classifier     *classifier;
    leat_labels         *labels;
    char               **paths;  /* [n] images */
    int                  n;
    leat_image          *images; /* [batch] */
    const char         **names;  /* [batch] of the images in hand */
    leat_class          *top;    /* [batch, top_k] */
    leat_classify_times *times;  /* [batch] */
    int                  status;
} job;

static int is_image(const char *path) {
    const char *dot = strrchr(path, '.');
    return dot && (strcasecmp(dot, ".jpg") == 0 || strcasecmp(dot, ".jpeg") == 0 || strcasecmp(dot, ".png") == 0);
}

/* ---- options -------------------------------------------------------------------------------------------------------------- */

static int parse_triple(const char *option, const char *text, float out[3]) {
    char end;
    int n = sscanf(text, "%f,%f,%f%c", &out[0], &out[1], &out[2], &end);
    if (n == 1 && !strchr(text, ',')) out[1] = out[2] = out[0];
    else if (n != 3) return cli_usage("--%s: '%s' is not three numbers such as 0.485,0.456,0.406", option, text);
    return CLI_DONE;
}

static int parse_size(const char *text, leat_preprocess *p) {
    int width, height;
    char end;
    int n = sscanf(text, "%dx%d%c", &width, &height, &end);
    if (n != 2 || width < 1 || height < 1 || width > 65535 || height > 65535) return cli_usage("--size: '%s' is not WxH such as 224x224", text);
    p->width = width;
    p->height = height;
    return CLI_DONE;
}

/* Preset or sidecar first, then the single options over them. */
static int settle_options(job *j, const char *model_path, leat_classifier_options *options) {
    const cli_args  *args = j->args;
    leat_preprocess *p = &options->preprocess;
    float triple[3];
    int   found = 0, status = CLI_DONE;
    options->batch = cli_int(args, OPT_BATCH);
    options->top_k = cli_int(args, OPT_TOP);
    if (cli_text(args, OPT_PRESET)) leat_preprocess_preset(p, cli_text(args, OPT_PRESET));
    else status = cli_sidecar_read(model_path, options, &j->labels, &found);
    if (status == CLI_DONE && cli_text(args, OPT_SIZE)) status = parse_size(cli_text(args, OPT_SIZE), p);
    if (status == CLI_DONE && cli_text(args, OPT_MEAN)) {
        status = parse_triple("mean", cli_text(args, OPT_MEAN), triple);
        if (status == CLI_DONE) cli_set_mean(p, triple);
    }
    if (status == CLI_DONE && cli_text(args, OPT_STD)) {
        status = parse_triple("std", cli_text(args, OPT_STD), triple);
        memcpy(p->std, triple, sizeof p->std);
    }
    if (cli_text(args, OPT_COLOR)) p->bgr = cli_int(args, OPT_COLOR);
    if (cli_text(args, OPT_ANTIALIAS)) p->antialias = cli_int(args, OPT_ANTIALIAS);
    if (cli_text(args, OPT_FIT)) p->fit = (leat_fit)cli_int(args, OPT_FIT);
    return status;
}

static int open_labels(job *j) {
    leat_error error = {0};
    const char *path = cli_text(j->args, OPT_LABELS);
    if (!path) return CLI_DONE;
    int failed = leat_labels_open(path, &j->labels, &error);
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

static int open_classifier(job *j, const char *model_path) {
    leat_classifier_options options;
    leat_error error = {0};
    leat_classifier_options_default(&options);
    int status = open_labels(j);
    if (status == CLI_DONE) status = settle_options(j, model_path, &options);
    if (status == CLI_DONE) status = cli_open_model(j->args, model_path, 0, &j->model);
    if (status) return status;
    int failed = leat_classifier_open(j->model, &options, &j->classifier, &error);
    if (failed == LEAT_ESHAPE) return cli_usage("%s: %s", model_path, error.message);
    if (failed != LEAT_OK) return cli_fail_error(failed, &error);
    int classes = leat_classifier_classes(j->classifier), names = leat_labels_count(j->labels);
    if (j->labels && names != classes) cli_note("%d class names for %d classes", names, classes);
    size_t batch = (size_t)leat_classifier_batch(j->classifier), top_k = (size_t)leat_classifier_top_k(j->classifier);
    j->images = calloc(batch, sizeof *j->images);
    j->names = calloc(batch, sizeof *j->names);
    j->top = calloc(batch * top_k, sizeof *j->top);
    j->times = calloc(batch, sizeof *j->times);
    return j->images && j->names && j->top && j->times ? CLI_DONE : cli_fail("out of memory");
}

/* ---- answers -------------------------------------------------------------------------------------------------------------- */

static void print_json_answer(const job *j, int i) {
    int k = leat_classifier_top_k(j->classifier);
    json_t *list = json_array();
    for (int t = 0; t < k; t++) {
        leat_class c = j->top[i * k + t];
        json_array_append_new(list, json_pack("{s:i, s:o, s:o}", "class", c.index, "label", cli_json_text(leat_labels_name(j->labels, c.index)),
                                              "prob", cli_json_number((double)c.probability)));
    }
    cli_print_json(json_pack("{s:o, s:o, s:f, s:f, s:f}", "image", cli_json_text(j->names[i]), "top", list, "preprocess_ms", j->times[i].preprocess_ms, "infer_ms",
                             j->times[i].infer_ms, "postprocess_ms", j->times[i].postprocess_ms));
}

static void print_answer(const job *j, int i) {
    int k = leat_classifier_top_k(j->classifier);
    const leat_classify_times *t = &j->times[i];
    printf("%s  (preprocess %.2f ms, infer %.2f ms, postprocess %.3f ms)\n", j->names[i], t->preprocess_ms, t->infer_ms, t->postprocess_ms);
    for (int n = 0; n < k; n++) {
        leat_class c = j->top[i * k + n];
        const char *label = leat_labels_name(j->labels, c.index);
        printf("  %6.2f %%  %4d  %s\n", 100.0 * (double)c.probability, c.index, label ? label : "");
    }
}

static void report_failure(job *j, const char *path, int failed, const leat_error *error) {
    int status = cli_fail_error(failed, error);
    if (j->status == CLI_DONE) j->status = status;
    if (cli_int(j->args, OPT_JSON)) cli_print_json(json_pack("{s:o, s:o}", "image", cli_json_text(path), "error", cli_json_text(error->message)));
}

/* Classifies the images in hand and frees them. */
static void flush_batch(job *j, int n) {
    leat_error error = {0};
    int failed = n && !cli_interrupted() ? leat_classifier_run(j->classifier, j->images, n, j->top, j->times, &error) : LEAT_OK;
    for (int i = 0; i < n; i++) {
        if (failed != LEAT_OK) report_failure(j, j->names[i], failed, &error);
        else if (cli_interrupted()) continue;
        else if (cli_int(j->args, OPT_JSON)) print_json_answer(j, i);
        else print_answer(j, i);
    }
    for (int i = 0; i < n; i++) leat_image_free(&j->images[i]);
}

static int classify_all(job *j) {
    cli_progress progress;
    int batch = leat_classifier_batch(j->classifier), held = 0;
    cli_progress_start(&progress, "classify");
    for (int i = 0; i < j->n && !cli_interrupted() && !ferror(stdout); i++) {
        leat_error error = {0};
        int failed = leat_image_load(j->paths[i], NULL, &j->images[held], &error);
        if (failed != LEAT_OK) {
            report_failure(j, j->paths[i], failed, &error);
            continue;
        }
        j->names[held++] = j->paths[i];
        if (held == batch) {
            flush_batch(j, held);
            held = 0;
        }
        cli_progress_show(&progress, i + 1, j->n, "images");
    }
    flush_batch(j, held);
    cli_progress_end(&progress);
    return cli_interrupted() ? CLI_INTERRUPTED : j->status;
}

int cli_classify(const cli_args *args) {
    job   j = {.args = args};
    int   bundled = is_image(args->positional[0]), status;
    char *model_path = bundled ? cli_bundled_model(BUNDLED) : strdup(args->positional[0]);
    j.paths = args->positional + !bundled;
    j.n = args->n_positional - !bundled;
    if (!model_path) return cli_fail("the bundled model %s was not found; name a MODEL before the images, or its folder by LEAT_MODELS", BUNDLED);
    if (j.n == 0) status = cli_usage("no image after the model; usage: leat classify [MODEL] IMAGE...");
    else status = open_classifier(&j, model_path);
    if (status == CLI_DONE) status = classify_all(&j);
    leat_classifier_close(j.classifier);
    leat_labels_close(j.labels);
    leat_model_unref(j.model);
    free(j.images);
    free(j.names);
    free(j.top);
    free(j.times);
    free(model_path);
    return status;
}
