/* test_golden.c - every golden-ort record of the shared models: deterministic inputs, outputs of ONNX Runtime.
 *
 * Each record is run at one and at two threads, and as a batch of two where the model leaves its first dimensions free.  The error
 * of an output is its relative L2 distance where the record has the data, else the worst of: L2 norm, mean and first 8 values against
 * the recorded ones, in units of the recorded RMS.  Limits: 1e-4 (float32), 1e-2 (float16), 0.12 (int8 networks run in float: a change
 * of 1e-6 of their input alone moves them by 5 %).
 */
#include "golden.h"

enum { INPUTS_MAX = 8, RECORDS_MAX = 128 };

typedef struct record {
    char    name[128];
    json_t *json;
} record;

static record records[RECORDS_MAX];

static double limit_of(const record *r) {
    if (strstr(r->name, "int8")) return 0.12;
    return strstr(r->name, "fp16") ? 1e-2 : 1e-4;
}

/* ---- inputs ------------------------------------------------------------------------------------------------------------ */

static void read_dims(const json_t *spec, leat_tensor *t) {
    size_t i;
    json_t *d;
    json_array_foreach(json_object_get(spec, "dims"), i, d) t->dims[t->rank++] = json_integer_value(d);
}

static void fill_int64(const json_t *spec, int64_t *out, int64_t n) {
    json_t *value = json_object_get(spec, "value");
    for (int64_t i = 0; i < n; i++)
        out[i] = json_integer_value(json_is_array(value) ? json_array_get(value, (size_t)i) : value);
}

/* Makes the input that a record names, `batch` times over in the first dimension. */
static void make_input(const json_t *spec, int batch, leat_tensor *t) {
    const char *type = json_string_value(json_object_get(spec, "type"));
    memset(t, 0, sizeof *t);
    t->dtype = strcmp(type, "int64") == 0 ? LEAT_DTYPE_I64 : strcmp(type, "float16") == 0 ? LEAT_DTYPE_F16 : LEAT_DTYPE_F32;
    read_dims(spec, t);
    int64_t n = leat_tensor_count(t);
    size_t size = leat_dtype_size(t->dtype);
    float *values = calloc((size_t)n + 1, sizeof *values);
    t->data = calloc((size_t)(n * batch) + LEAT_TAIL_BYTES, size);
    assert_true(n >= 0 && values && t->data);
    if (t->dtype == LEAT_DTYPE_I64) {
        fill_int64(spec, t->data, n);
    } else {
        golden_fill(values, n, (uint32_t)json_integer_value(json_object_get(spec, "seed")),
                    json_number_value(json_object_get(spec, "scale")), json_number_value(json_object_get(spec, "offset")));
        for (int64_t i = 0; i < n; i++) leat__tensor_set_float(t, i, values[i]);
    }
    for (int b = 1; b < batch; b++) memcpy((char *)t->data + (size_t)(n * b) * size, t->data, (size_t)n * size);
    if (batch > 1) t->dims[0] *= batch;
    free(values);
}

/* ---- outputs ----------------------------------------------------------------------------------------------------------- */

static double error_to_file(const leat_tensor *got, int64_t from, int64_t n, const char *file) {
    char path[GOLDEN_PATH], rest[256];
    leat_mapping map;
    snprintf(rest, sizeof rest, "golden-ort/%s", file);
    assert_int_equal(leat__map_file(golden_path(path, rest), &map, NULL), LEAT_OK);
    assert_int_equal(map.bytes, (size_t)n * 4);
    double difference = 0, norm = 0;
    for (int64_t i = 0; i < n; i++) {
        float want;
        memcpy(&want, map.data + 4 * i, 4);
        difference += pow(leat__tensor_get_float(got, from + i) - want, 2);
        norm += (double)want * want;
    }
    leat__unmap(&map);
    /* A record may be all but zero: the segmentation of a background is sigmoids below 1e-5, which the recording engine rounds to multiples of
     * 2^-24.  An RMS of 1e-5 is the least that errors are related to. */
    return sqrt(difference / fmax(norm, (double)n * 1e-10));
}

static double error_to_stats(const leat_tensor *got, int64_t from, int64_t n, const json_t *spec) {
    double l2 = json_number_value(json_object_get(spec, "l2")), rms = l2 / sqrt((double)n), mean = 0, first = 0;
    json_t *first8 = json_object_get(spec, "first8");
    for (int64_t i = 0; i < n; i++) mean += leat__tensor_get_float(got, from + i) / (double)n;
    for (size_t i = 0; i < json_array_size(first8); i++)
        first += pow(leat__tensor_get_float(got, from + (int64_t)i) - json_number_value(json_array_get(first8, i)), 2) / 8;
    double norm_error = fabs(golden_l2(got, from, n) - l2) / l2;
    double mean_error = fabs(mean - json_number_value(json_object_get(spec, "mean"))) / rms;
    return fmax(fmax(norm_error, mean_error), sqrt(first) / rms);
}

/* Worst error over the batch of output `spec`; checks its shape. */
static double output_error(const leat_tensor *got, const json_t *spec, int batch) {
    leat_tensor want = {.dtype = got->dtype};
    const char *file = json_string_value(json_object_get(spec, "file"));
    read_dims(spec, &want);
    int64_t n = leat_tensor_count(&want);
    if (batch > 1) want.dims[0] *= batch;
    assert_true(leat__dims_equal(got, &want));
    double worst = 0;
    for (int b = 0; b < batch; b++) {
        double e = file ? error_to_file(got, b * n, n, file) : error_to_stats(got, b * n, n, spec);
        worst = isnan(e) ? INFINITY : fmax(worst, e);
    }
    return worst;
}

/* ---- one record -------------------------------------------------------------------------------------------------------- */

static int batch_is_free(const leat_model *model, const json_t *inputs) {
    leat_value_info info;
    for (int i = 0; i < leat_model_input_count(model); i++) {
        if (leat_model_input_info(model, i, &info) || info.rank < 1 || info.dims[0] != -1) return 0;
        json_t *dims = json_object_get(json_array_get(inputs, (size_t)i), "dims");
        if (json_integer_value(json_array_get(dims, 0)) != 1) return 0;
    }
    for (int i = 0; i < leat_model_output_count(model); i++)
        if (leat_model_output_info(model, i, &info) || info.rank < 1 || info.dims[0] != -1) return 0;
    return 1;
}

static double run_record(const record *r, leat_model *model, leat_context *context, int batch) {
    json_t *inputs = json_object_get(r->json, "inputs"), *outputs = json_object_get(r->json, "outputs"), *spec;
    leat_tensor in[INPUTS_MAX], got;
    leat_error error = {0};
    double worst = 0;
    size_t i;
    json_array_foreach(inputs, i, spec) {
        int index = leat_model_input_index(model, json_string_value(json_object_get(spec, "name")));
        make_input(spec, batch, &in[i]);
        if (leat_context_set_input(context, index, &in[i], &error)) fail_msg("%s: %s", r->name, error.message);
    }
    if (leat_context_run(context, &error)) fail_msg("%s: %s", r->name, error.message);
    json_array_foreach(outputs, i, spec) {
        int index = leat_model_output_index(model, json_string_value(json_object_get(spec, "name")));
        assert_int_equal(leat_context_output(context, index, &got), LEAT_OK);
        worst = fmax(worst, output_error(&got, spec, batch));
    }
    for (i = 0; i < json_array_size(inputs); i++) free(in[i].data);
    return worst;
}

static void record_holds(void **state) {
    const record *r = *state;
    const json_t *inputs = json_object_get(r->json, "inputs");
    double limit = limit_of(r), worst = 0;
    char path[GOLDEN_PATH];
    if (golden_find(json_string_value(json_object_get(r->json, "model")), path)) {
        print_message("skipped: the model of %s is not there\n", r->name);
        skip();
    }
    assert_true(json_array_size(inputs) <= INPUTS_MAX);
    for (int threads = 1; threads <= 2; threads++) {
        leat_model *model;
        leat_context *context;
        golden_open(path, threads, &model, &context);
        double single = run_record(r, model, context, 1);
        double pair = threads == 2 && batch_is_free(model, inputs) ? run_record(r, model, context, 2) : 0;
        print_message("%-32s %d thread%s  error %.2e%s", r->name, threads, threads > 1 ? "s" : " ", single, pair > 0 ? "" : "\n");
        if (pair > 0) print_message("  batch of 2 %.2e\n", pair);
        worst = fmax(worst, fmax(single, pair));
        golden_close(model, context);
    }
    if (!(worst <= limit)) fail_msg("%s: error %.3e, limit %.0e", r->name, worst, limit);
}

/* ---- the list ---------------------------------------------------------------------------------------------------------- */

static void folder_is_there(void **state) {
    char path[GOLDEN_PATH];
    golden_need(golden_path(path, "golden-ort"));
}

static int read_records(void) {
    char folder[GOLDEN_PATH], path[GOLDEN_PATH + 256];
    DIR *dir = opendir(golden_path(folder, "golden-ort"));
    int n = 0;
    for (struct dirent *e; dir && n < RECORDS_MAX && (e = readdir(dir));) {
        const char *tail = strstr(e->d_name, ".json");
        if (!tail || tail[5]) continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        records[n].json = json_load_file(path, 0, NULL);
        snprintf(records[n].name, sizeof records[n].name, "%.*s", (int)(tail - e->d_name), e->d_name);
        n += records[n].json != NULL;
    }
    if (dir) closedir(dir);
    return n;
}

static int by_record(const void *a, const void *b) { return strcmp(((const record *)a)->name, ((const record *)b)->name); }

int main(void) {
    static struct CMUnitTest tests[RECORDS_MAX + 1];
    int n = read_records();
    qsort(records, (size_t)n, sizeof *records, by_record);
    tests[0] = (struct CMUnitTest){.name = "folder_is_there", .test_func = folder_is_there};
    for (int i = 0; i < n; i++)
        tests[i + 1] = (struct CMUnitTest){.name = records[i].name, .test_func = record_holds, .initial_state = &records[i]};
    int failed = _cmocka_run_group_tests("golden", tests, (size_t)n + 1, NULL, NULL);
    for (int i = 0; i < n; i++) json_decref(records[i].json);
    return failed;
}
