/* detect_setup.c - options of `leat detect`; see detect_setup.h. */
#include "detect_setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media_options.h"
#include "pipeline_report.h"
#include "session.h"
#include "sidecar.h"
#include "term.h"

#define BUNDLED "coin_bead.onnx"
enum { MOST_CLASSES = sizeof((cli_detect_job *)0)->classes / sizeof(int32_t), TRACE_EVENTS = 1 << 16, LETTERBOX_GREY = 114, MOST_CHOSEN = 16 };

/* ---- values --------------------------------------------------------------------------------------------------------------- */

static int parse_numbers(const char *option, const char *text, char gap, int *out, int n, const char *form) {
    for (int i = 0; i < n; i++) {
        char *end;
        long  v = strtol(text, &end, 10);
        if (end == text || v < 0 || v > 1000000 || *end != (i + 1 < n ? gap : 0)) return cli_usage("--%s: '%s' is not %s", option, text, form);
        out[i] = (int)v;
        text = end + 1;
    }
    return CLI_DONE;
}

static int parse_crop(const cli_args *args, leat_rect *crop) {
    int v[4] = {0};
    if (!cli_text(args, OPT_CROP)) return CLI_DONE;
    int status = parse_numbers("crop", cli_text(args, OPT_CROP), ',', v, 4, "X,Y,W,H in pixels");
    if (status == CLI_DONE && (v[2] < 1 || v[3] < 1)) return cli_usage("--crop: '%s' has no area", cli_text(args, OPT_CROP));
    if (status == CLI_DONE) *crop = (leat_rect){v[0], v[1], v[2], v[3]};
    return status;
}

static int parse_size(const cli_args *args, leat_preprocess *p) {
    int v[2] = {0};
    if (!cli_text(args, OPT_SIZE)) return CLI_DONE;
    int status = parse_numbers("size", cli_text(args, OPT_SIZE), 'x', v, 2, "WxH");
    if (status == CLI_DONE) p->width = v[0], p->height = v[1];
    return status;
}

static int parse_replicas(const cli_args *args, int32_t *replicas) {
    int v = 0;
    const char *text = cli_text(args, OPT_REPLICAS), *count = strncmp(text, "infer=", 6) == 0 ? text + 6 : text;
    int status = parse_numbers("replicas", count, 0, &v, 1, "infer=N");
    if (status == CLI_DONE && (v < 0 || v > LEAT_PIPELINE_MAX_REPLICAS)) return cli_usage("--replicas: 0 to %d", LEAT_PIPELINE_MAX_REPLICAS);
    if (status == CLI_DONE) *replicas = v;
    return status;
}

static int parse_interval(const cli_args *args, int64_t *ns) {
    const char *text = cli_text(args, OPT_STATS);
    if (!text) return CLI_DONE;
    *ns = cli_parse_interval(text);
    return *ns > 0 ? CLI_DONE : cli_usage("--stats: '%s' is not a time such as 1s or 500ms, 0.01 s to an hour", text);
}

static int find_class(const leat_labels *labels, const char *name, size_t n) {
    for (int i = 0; i < leat_labels_count(labels); i++) {
        const char *label = leat_labels_name(labels, i);
        if (strlen(label) == n && strncmp(label, name, n) == 0) return i;
    }
    return -1;
}

/* Names first: a label may look like a number. */
static int parse_classes(cli_detect_job *j, leat_detector_options *o) {
    const char *at = cli_text(j->args, OPT_CLASSES);
    for (; at && *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ',')) {
        size_t n = strcspn(at, ",");
        char  *end;
        long   number = strtol(at, &end, 10);
        int    id = find_class(j->labels, at, n);
        if (id < 0 && n && end == at + n && number >= 0 && number < 1 << 20) id = (int)number;
        if (id < 0) return cli_usage("--classes: '%.*s' is neither a number nor one of the %d labels", (int)n, at, leat_labels_count(j->labels));
        if (o->n_classes == MOST_CLASSES) return cli_usage("--classes: more than %d", MOST_CLASSES);
        j->classes[o->n_classes++] = id;
    }
    o->classes = j->classes;
    return CLI_DONE;
}

/* ---- detector ------------------------------------------------------------------------------------------------------------- */

static int read_sidecar(cli_detect_job *j, const char *path, leat_detector_options *o) {
    leat_classifier_options beside;
    int found = 0;
    leat_classifier_options_default(&beside);
    memset(beside.preprocess.pad, LETTERBOX_GREY, sizeof beside.preprocess.pad);
    int status = cli_sidecar_read(path, &beside, &j->labels, &found);
    if (status == CLI_DONE && found) o->preprocess = beside.preprocess, o->own_preprocess = 1;
    return status;
}

static int open_labels(cli_detect_job *j) {
    leat_error error = {0};
    const char *path = cli_text(j->args, OPT_LABELS);
    int failed = path ? leat_labels_open(path, &j->labels, &error) : LEAT_OK;
    return failed == LEAT_OK ? CLI_DONE : cli_fail_error(failed, &error);
}

static int set_detector(cli_detect_job *j, const char *path, leat_detector_options *o) {
    const cli_args *args = j->args;
    int status = open_labels(j);
    if (status == CLI_DONE) status = read_sidecar(j, path, o);
    if (status == CLI_DONE) status = parse_size(args, &o->preprocess);
    if (status == CLI_DONE) status = parse_crop(args, &o->crop);
    if (status == CLI_DONE) status = parse_classes(j, o);
    if (cli_int(args, OPT_LETTERBOX) && cli_int(args, OPT_STRETCH)) return cli_usage("--letterbox and --stretch exclude each other");
    if (cli_int(args, OPT_LETTERBOX)) o->fit = LEAT_FIT_LETTERBOX;
    if (cli_int(args, OPT_STRETCH)) o->fit = LEAT_FIT_STRETCH;
    if (cli_text(args, OPT_RESIZE)) o->antialias = cli_int(args, OPT_RESIZE);
    o->decoder = (leat_decoder)cli_int(args, OPT_DECODER);
    o->logits = cli_int(args, OPT_LOGITS);
    o->nms.kind = (leat_nms_kind)cli_int(args, OPT_NMS);
    o->nms.score = (float)cli_number(args, OPT_CONF);
    o->nms.iou = (float)cli_number(args, OPT_IOU);
    o->nms.max_kept = cli_int(args, OPT_MOST);
    if (o->nms.top_k < o->nms.max_kept) o->nms.top_k = o->nms.max_kept;
    o->batch = cli_int(args, OPT_BATCH);
    return status;
}

/* ByteTrack wants to see boxes of low scores; --conf then is the score from which they start tracks. */
static void set_tracker(const cli_args *args, leat_detect_stream_options *o) {
    leat_tracker_options *t = &o->tracker;
    t->kind = (leat_track_kind)cli_int(args, OPT_TRACKER_DETECT);
    t->high = t->start = (float)cli_number(args, OPT_CONF);
    t->low = (float)cli_number(args, OPT_CONF_LOW);
    if (t->low > t->high) t->low = t->high;
    t->max_age = (float)cli_number(args, OPT_MAX_AGE);
    t->min_hits = cli_int(args, OPT_MIN_HITS);
    if (t->kind == LEAT_TRACK_BYTE) o->detector.nms.score = t->low;
}

/* ---- stream --------------------------------------------------------------------------------------------------------------- */

static int set_outputs(cli_detect_job *j, leat_detect_stream_options *o) {
    const cli_args *args = j->args;
    for (int i = 0; i < args->n_items; i++) {
        if (args->items[i].id != OPT_OUTPUTS) continue;
        const char *text = args->items[i].text;
        if (o->n_outputs == LEAT_DETECT_MAX_OUTPUTS) return cli_usage("--out: more than %d", LEAT_DETECT_MAX_OUTPUTS);
        if (strcmp(text, "-") == 0 && cli_int(args, OPT_JSON)) return cli_usage("--json prints a summary on standard output, where --out - writes frames");
        j->outputs[o->n_outputs++] = strcmp(text, "null") == 0 ? "null:" : text;
    }
    o->outputs = j->outputs;
    o->draw = (leat_detect_draw)cli_int(args, OPT_DRAW);
    o->overlay = cli_int(args, OPT_OVERLAY);
    o->font = cli_text(args, OPT_FONT);
    return cli_set_sink(args, &o->sink);
}

static int set_pipeline(const cli_args *args, leat_detect_stream_options *o) {
    leat_pipeline_options *p = &o->pipeline;
    leat_pipeline_options_default(p, cli_is_set(args, OPT_LIVE));
    p->in_flight = cli_int(args, OPT_IN_FLIGHT);
    p->max_fps = cli_number(args, OPT_FPS_LIMIT);
    p->latency_target_ns = (int64_t)(cli_number(args, OPT_MAX_LATENCY) * 1e6);
    if (cli_text(args, OPT_TRACE)) p->trace_events = TRACE_EVENTS;
    int status = parse_interval(args, &p->report_ns);
    return status == CLI_DONE ? parse_replicas(args, &o->replicas) : status;
}

/* Where frames wait to be read, as many are inferred at once as there are threads, each by one: no run waits for the threads of its own.
 * A camera wants each answer soon: one at a time, by all threads.  Replicas that were asked for share the threads. */
static void choose_replicas(const cli_detect_job *j, leat_detect_stream_options *o) {
    leat_source_info info;
    int given = cli_int(j->args, OPT_THREADS), threads = given > 0 ? given : leat_cpu_count();
    leat_source_describe(j->source, &info);
    int few = info.frames >= 0 && info.frames < 2 * (int64_t)threads;
    int can_wait = !info.live && !o->pipeline.live && !few && o->detector.batch == 1;
    if (o->replicas <= 0) o->replicas = !can_wait ? 1 : threads < MOST_CHOSEN ? threads : MOST_CHOSEN;
    o->detector.threads = threads / o->replicas > 1 ? threads / o->replicas : 1;
}

static int check_labels(const cli_detect_job *j) {
    leat_detector_info info;
    leat_detect_stream_get_detector(j->stream, &info);
    if (j->labels && leat_labels_count(j->labels) != info.classes) cli_note("%d labels for %d classes", leat_labels_count(j->labels), (int)info.classes);
    return CLI_DONE;
}

static int open_stream(cli_detect_job *j, const char *path, void (*result)(void *user, const leat_detect_result *result)) {
    leat_detect_stream_options o;
    leat_error error = {0};
    leat_detect_stream_options_default(&o);
    int status = set_detector(j, path, &o.detector);
    if (status == CLI_DONE) status = set_pipeline(j->args, &o);
    if (status == CLI_DONE) status = set_outputs(j, &o);
    if (status == CLI_DONE) status = cli_open_source(j->args, &j->source);
    if (status == CLI_DONE) status = cli_open_model(j->args, path, 0, &j->model);
    if (status) return status;
    set_tracker(j->args, &o);
    choose_replicas(j, &o);
    o.labels = j->labels;
    o.result = result;
    o.user = j;
    o.pipeline.report = cli_pipeline_live;
    int failed = leat_detect_stream_open(j->model, j->source, &o, &j->stream, &error);
    if (failed == LEAT_EINVAL || failed == LEAT_ESHAPE) return cli_usage("%s", error.message);
    return failed == LEAT_OK ? check_labels(j) : cli_fail_error(failed, &error);
}

int cli_detect_open(cli_detect_job *j, void (*result)(void *user, const leat_detect_result *result)) {
    const char *named = cli_text(j->args, OPT_MODEL);
    char *path = named ? strdup(named) : cli_bundled_model(BUNDLED);
    if (!path) return cli_fail("the bundled model %s was not found; name one with --model, or its folder by LEAT_MODELS", BUNDLED);
    int status = open_stream(j, path, result);
    free(path);
    return status;
}

void cli_detect_close(cli_detect_job *j) {
    leat_detect_stream_close(j->stream);
    leat_source_close(j->source);
    leat_labels_close(j->labels);
    leat_model_unref(j->model);
}
