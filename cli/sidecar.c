/* sidecar.c - MODEL.json and the bundled classifier; see sidecar.h. */
#include "sidecar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "term.h"

void cli_set_mean(leat_preprocess *preprocess, const float mean[3]) {
    memcpy(preprocess->mean, mean, sizeof preprocess->mean);
    preprocess->scale = mean[0] > 1 || mean[1] > 1 || mean[2] > 1 ? 1.0f : 1.0f / 255.0f;
}

/* [a, b, c] or one number for all; 1 when `key` is absent or read. */
static int read_triple(const json_t *root, const char *key, float out[3]) {
    const json_t *value = json_object_get(root, key);
    if (!value) return 1;
    for (size_t i = 0; i < 3; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, json_array_size(value) == 1 ? 0 : i) : value;
        if (!json_is_number(item)) return 0;
        out[i] = (float)json_number_value(item);
    }
    return 1;
}

static int read_word(const json_t *root, const char *key, const char *const *words, int n, int *index) {
    const char *text = json_string_value(json_object_get(root, key));
    if (!json_object_get(root, key)) return 1;
    for (int i = 0; text && i < n; i++)
        if (strcmp(text, words[i]) == 0) {
            *index = i;
            return 1;
        }
    return 0;
}

static int read_size(const json_t *root, leat_preprocess *p) {
    const json_t *size = json_object_get(root, "input_size");
    if (!size) return 1;
    json_int_t w = json_integer_value(json_array_get(size, 0)), h = json_integer_value(json_array_get(size, 1));
    if (w < 1 || h < 1 || w > 65535 || h > 65535) return 0;
    p->width = (int32_t)w;
    p->height = (int32_t)h;
    return 1;
}

static int read_labels(const json_t *root, const char *model_path, leat_labels **labels) {
    const json_t *list = json_object_get(root, "labels");
    if (!list) return CLI_DONE;
    if (json_is_string(list)) {
        char path[4096];
        leat_error error = {0};
        const char *slash = strrchr(model_path, '/');
        snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - model_path + 1) : 0, model_path, json_string_value(list));
        int failed = leat_labels_open(path, labels, &error);
        return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
    }
    size_t n = json_array_size(list);
    const char **names = calloc(n + 1, sizeof *names);
    if (!names) return cli_fail("out of memory");
    int status = LEAT_OK;
    for (size_t i = 0; i < n; i++)
        if (!(names[i] = json_string_value(json_array_get(list, i)))) status = LEAT_EINVAL;
    if (status == LEAT_OK) status = leat_labels_from(names, (int)n, labels);
    free(names);
    return status == LEAT_OK ? CLI_DONE : cli_fail("labels: a list of strings or a file name is needed");
}

static int read_all(const json_t *root, leat_preprocess *p) {
    static const char *const colors[] = {"rgb", "bgr"}, *const fits[] = {"stretch", "crop", "letterbox"};
    float mean[3] = {0, 0, 0};
    int fit = LEAT_FIT_STRETCH;
    leat_preprocess_preset(p, "raw");
    p->std[0] = p->std[1] = p->std[2] = 1;
    if (!read_size(root, p) || !read_triple(root, "mean", mean) || !read_triple(root, "std", p->std)) return 0;
    if (!read_word(root, "color", colors, 2, &p->bgr) || !read_word(root, "fit", fits, 3, &fit)) return 0;
    p->fit = (leat_fit)fit;
    p->antialias = !json_is_false(json_object_get(root, "antialias"));
    cli_set_mean(p, mean);
    return 1;
}

int cli_sidecar_read(const char *model_path, leat_classifier_options *options, leat_labels **labels, int *found) {
    char path[4096];
    json_error_t error;
    const char *dot = strrchr(model_path, '.'), *slash = strrchr(model_path, '/');
    int stem = dot && (!slash || dot > slash) ? (int)(dot - model_path) : (int)strlen(model_path);
    snprintf(path, sizeof path, "%.*s.json", stem, model_path);
    *found = access(path, R_OK) == 0;
    if (!*found) return CLI_DONE;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (!root) return cli_fail("%s:%d: %s", path, error.line, error.text);
    int status = read_all(root, &options->preprocess) ? CLI_DONE : cli_fail("%s: input_size, mean, std, color or fit is not as it should be", path);
    if (status == CLI_DONE && !*labels) status = read_labels(root, model_path, labels);
    json_decref(root);
    return status;
}

static char *if_readable(const char *folder, const char *below, const char *name) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s%s", folder, below, name) >= (int)sizeof path) return NULL;
    return access(path, R_OK) == 0 ? strdup(path) : NULL;
}

char *cli_bundled_model(const char *name) {
    char program[4096];
    const char *folder = getenv("LEAT_MODELS");
    char *found = folder ? if_readable(folder, "", name) : NULL;
    if (found || folder) return found;
    if ((found = if_readable(".", "models/", name))) return found;
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0) return NULL;
    program[n] = 0;
    char *slash = strrchr(program, '/');
    if (!slash) return NULL;
    *slash = 0;
    if ((found = if_readable(program, "../models/", name))) return found;
    return if_readable(program, "../share/leat/models/", name);
}
