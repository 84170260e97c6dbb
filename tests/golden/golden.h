/* golden.h - what the golden tests share: where the shared models lie, the deterministic inputs, error measures. */
#ifndef LEAT_TESTS_GOLDEN_H
#define LEAT_TESTS_GOLDEN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../ops/case_pb.h"
#include "base/file.h"
#include "base/mem.h"
#include "leat/model.h"
#include "tensor/tensor_util.h"

enum { GOLDEN_PATH = 1024 };

/* "$LEAT_SHARED/models/<rest>", LEAT_SHARED being ../shared unless set. */
static inline const char *golden_path(char out[GOLDEN_PATH], const char *rest) {
    const char *shared = getenv("LEAT_SHARED");
    snprintf(out, GOLDEN_PATH, "%s/models/%s", shared && *shared ? shared : "../shared", rest);
    return out;
}

/* Ends the running test as skipped, with the reason, when `path` does not exist. */
static inline void golden_need(const char *path) {
    struct stat st;
    if (stat(path, &st) == 0) return;
    print_message("skipped: %s is not there (set LEAT_SHARED)\n", path);
    skip();
}

/* Finds `file` in one of the folders of the shared models; 0 when found. */
static inline int golden_find(const char *file, char out[GOLDEN_PATH]) {
    char root[GOLDEN_PATH];
    struct stat st;
    DIR *dir = opendir(golden_path(root, ""));
    int found = 0;
    for (struct dirent *e; dir && !found && (e = readdir(dir));) {
        if (e->d_name[0] == '.') continue;
        found = snprintf(out, GOLDEN_PATH, "%s%s/%s", root, e->d_name, file) < GOLDEN_PATH && stat(out, &st) == 0;
    }
    if (dir) closedir(dir);
    return found ? 0 : -1;
}

/* The records' generator: s = s * 1664525 + 1013904223 mod 2^32, value = float32(s / 2^32 * scale + offset). */
static inline void golden_fill(float *out, int64_t n, uint32_t seed, double scale, double offset) {
    uint32_t s = seed;
    for (int64_t i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        out[i] = (float)((double)s / 4294967296.0 * scale + offset);
    }
}

/* Reads a TensorProto file; the data is the caller's to free(). */
static inline void golden_read_pb(const char *path, leat_tensor *t) {
    char *data = NULL;
    size_t bytes = 0;
    assert_int_equal(leat__read_file(path, (size_t)1 << 30, &data, &bytes, NULL), LEAT_OK);
    assert_int_equal(pb_read_tensor(data, bytes, t), LEAT_OK);
    leat__free(data);
}

static inline double golden_l2(const leat_tensor *t, int64_t from, int64_t n) {
    double sum = 0;
    for (int64_t i = from; i < from + n; i++) sum += pow(leat__tensor_get_float(t, i), 2);
    return sqrt(sum);
}

static inline int64_t golden_argmax(const leat_tensor *t) {
    int64_t best = 0, n = leat_tensor_count(t);
    for (int64_t i = 1; i < n; i++)
        if (leat__tensor_get_float(t, i) > leat__tensor_get_float(t, best)) best = i;
    return best;
}

/* Opens a model with its context at `threads`; fails the test with the engine's message. */
static inline void golden_open(const char *path, int threads, leat_model **model, leat_context **context) {
    leat_model_options options;
    leat_error error = {0};
    leat_model_options_default(&options);
    options.threads = threads;
    if (leat_model_open(path, &options, model, &error)) fail_msg("%s: %s", path, error.message);
    if (leat_context_open(*model, NULL, context, &error)) fail_msg("%s: %s", path, error.message);
}

static inline void golden_close(leat_model *model, leat_context *context) {
    leat_context_close(context);
    leat_model_unref(model);
}

#endif
