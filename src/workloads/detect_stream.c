/* detect_stream.c - a detection stream put together: detectors, tracker, pool, outputs, pipeline. */
#include "leat/detect_stream.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "detect_stream_impl.h"

enum { MOST_REPLICAS = 64, LIVE_ITEMS = 12, SPARE_ITEMS = 3, LEAST_ITEMS = 4 };
#define MOST_POOL_BYTES ((size_t)2 << 30) /* of frames that wait: large ones mean fewer in flight */

void leat_detect_stream_options_default(leat_detect_stream_options *options) {
    *options = (leat_detect_stream_options){.size = sizeof *options, .replicas = 1, .draw = LEAT_DETECT_DRAW_BOXES};
    leat_detector_options_default(&options->detector);
    leat_tracker_options_default(&options->tracker);
    options->tracker.kind = LEAT_TRACK_NONE;
    leat_pipeline_options_default(&options->pipeline, 0);
    leat_sink_options_default(&options->sink);
    options->sink.fps = 0;
}

/* ---- parts ---------------------------------------------------------------------------------------------------------------- */

static int open_infer(leat_detect_stream *s, leat_model *model, leat__infer *r, leat_error *error) {
    int status = leat_detector_open(model, &s->options.detector, &r->detector, error);
    if (status != LEAT_OK) return status;
    leat_detector_get_info(r->detector, &s->info);
    size_t batch = (size_t)s->info.batch;
    r->inputs = leat__calloc(batch, sizeof *r->inputs, LEAT_MEMORY_IO);
    r->views = leat__calloc(batch, sizeof *r->views, LEAT_MEMORY_IO);
    r->counts = leat__calloc(batch, sizeof *r->counts, LEAT_MEMORY_IO);
    r->times = leat__calloc(batch, sizeof *r->times, LEAT_MEMORY_IO);
    r->found = leat__calloc(batch * (size_t)s->info.max_detections, sizeof *r->found, LEAT_MEMORY_IO);
    return r->inputs && r->views && r->counts && r->times && r->found ? LEAT_OK : leat__fail(error, LEAT_ENOMEM, "no memory for a batch of %zu", batch);
}

static int open_detectors(leat_detect_stream *s, leat_model *model, leat_error *error) {
    int n = s->options.replicas;
    if (n < 1 || n > MOST_REPLICAS) return leat__fail(error, LEAT_EINVAL, "%d replicas are not in 1..%d", n, MOST_REPLICAS);
    s->infers = leat__calloc((size_t)n, sizeof *s->infers, LEAT_MEMORY_IO);
    if (!s->infers) return leat__fail(error, LEAT_ENOMEM, "no memory for %d detectors", n);
    for (int i = 0; i < n; i++) {
        int status = open_infer(s, model, &s->infers[i], error);
        if (status != LEAT_OK) return status;
    }
    s->scratch = leat__calloc(s->info.scratch_bytes, 1, LEAT_MEMORY_IO);
    return s->scratch ? LEAT_OK : leat__fail(error, LEAT_ENOMEM, "no memory for the preprocessing");
}

static int open_tracker(leat_detect_stream *s, leat_error *error) {
    leat_tracker_options *o = &s->options.tracker;
    if (o->kind == LEAT_TRACK_NONE) return LEAT_OK;
    if (o->max_detections < s->info.max_detections) o->max_detections = s->info.max_detections;
    return leat_tracker_open(o, &s->tracker, error);
}

static int name_outputs(leat_detect_stream *s, const leat_detect_stream_options *o, leat_error *error) {
    if (o->n_outputs < 0 || o->n_outputs > LEAT_DETECT_MAX_OUTPUTS)
        return leat__fail(error, LEAT_EINVAL, "%d outputs; %d are the most", (int)o->n_outputs, LEAT_DETECT_MAX_OUTPUTS);
    for (int i = 0; i < o->n_outputs; i++) {
        size_t n = strlen(o->outputs[i]);
        if (n + 1 > LEAT__PATH) return leat__fail(error, LEAT_EINVAL, "the name of output %d is too long", i + 1);
        memcpy(s->outputs[i].path, o->outputs[i], n + 1);
        s->frames_go_out |= n < 6 || strcmp(o->outputs[i] + n - 6, ".jsonl") != 0;
    }
    s->n_outputs = o->n_outputs;
    return leat__outputs_open(s, error);
}

/* Text is a nicety: without a font boxes are drawn without it. */
static void open_font(leat_detect_stream *s) {
    float height = s->source_info.height > 0 ? (float)s->source_info.height : 720, pixels = 24 * height / 1080;
    if (!s->frames_go_out || !s->options.draw) return;
    if (leat_font_open(s->options.font, pixels < 11 ? 11 : pixels > 96 ? 96 : pixels, &s->font, NULL) != LEAT_OK) s->font = NULL;
}

/* ---- pool ----------------------------------------------------------------------------------------------------------------- */

static void destroy_slot(void *user, leat_item *item) {
    leat__slot *slot = item->data;
    leat__free(slot->pixels);
    leat__free(slot->input);
    leat__free(slot->found);
}

/* An item that could not be made is not destroyed by the pool. */
static int make_slot(void *user, leat_item *item) {
    const leat_detector_info *info = user;
    leat__slot *slot = item->data;
    slot->input = leat__calloc(info->input_bytes, 1, LEAT_MEMORY_IO);
    slot->found = leat__calloc((size_t)info->max_detections, sizeof *slot->found, LEAT_MEMORY_IO);
    if (slot->input && slot->found) return LEAT_OK;
    destroy_slot(user, item);
    return LEAT_ENOMEM;
}

static int make_pool(leat_detect_stream *s, leat_error *error) {
    leat_pool_options o;
    leat_pipeline_options *p = &s->options.pipeline;
    size_t each = s->source_info.frame_bytes + s->info.input_bytes;
    leat_pool_options_default(&o);
    if (p->in_flight <= 0 && !p->live) p->in_flight = 2 * s->options.replicas * s->info.batch + 3;
    o.count = (p->in_flight > 0 ? p->in_flight : LIVE_ITEMS) + SPARE_ITEMS;
    while (o.count > LEAST_ITEMS && (size_t)o.count * each > MOST_POOL_BYTES) o.count--;
    o.item_bytes = sizeof(leat__slot);
    o.user = &s->info;
    o.make = make_slot;
    o.destroy = destroy_slot;
    int status = leat_pool_new(&o, &s->pool);
    return status == LEAT_OK ? status : leat__fail(error, status, "no memory for %d frames in flight", o.count);
}

/* ---- open and close ------------------------------------------------------------------------------------------------------- */

int leat_detect_stream_open(leat_model *model, leat_source *source, const leat_detect_stream_options *options, leat_detect_stream **stream,
                            leat_error *error) {
    *stream = NULL;
    leat_detect_stream *s = leat__calloc(1, sizeof *s, LEAT_MEMORY_IO);
    if (!s) return leat__fail(error, LEAT_ENOMEM, "no memory for a detection stream");
    s->options = *options;
    s->options.outputs = NULL;
    s->source = source;
    s->last_index = -1;
    pthread_mutex_init(&s->stats_lock, NULL);
    leat_source_describe(source, &s->source_info);
    s->options.pipeline.live |= s->source_info.live;
    int status = open_detectors(s, model, error);
    if (status == LEAT_OK) status = open_tracker(s, error);
    if (status == LEAT_OK) status = make_pool(s, error);
    if (status == LEAT_OK) status = leat_pipeline_open(&s->options.pipeline, &s->pipeline, error);
    if (status == LEAT_OK) status = name_outputs(s, options, error);
    if (status == LEAT_OK) open_font(s);
    if (status == LEAT_OK) status = leat__detect_stages(s, error);
    if (status != LEAT_OK) {
        leat_detect_stream_close(s);
        return status;
    }
    *stream = s;
    return LEAT_OK;
}

int leat_detect_stream_start(leat_detect_stream *s, leat_error *error) { return leat_pipeline_start(s->pipeline, error); }

int leat_detect_stream_wait(leat_detect_stream *s, int64_t timeout_ns, leat_error *error) {
    int status = leat_pipeline_wait(s->pipeline, timeout_ns, error);
    if (status != LEAT_OK || s->source_status == LEAT_OK) return status;
    if (error) *error = s->source_error;
    return s->source_status;
}

void leat_detect_stream_finish(leat_detect_stream *s) { leat_pipeline_finish(s->pipeline); }

void leat_detect_stream_close(leat_detect_stream *s) {
    if (!s) return;
    leat_pipeline_close(s->pipeline);
    leat__outputs_close(s, NULL);
    leat_pool_unref(s->pool);
    for (int i = 0; s->infers && i < s->options.replicas; i++) {
        leat__infer *r = &s->infers[i];
        leat_detector_close(r->detector);
        leat__free(r->inputs);
        leat__free(r->views);
        leat__free(r->counts);
        leat__free(r->times);
        leat__free(r->found);
    }
    leat__free(s->infers);
    leat__free(s->scratch);
    leat_tracker_close(s->tracker);
    leat_font_close(s->font);
    leat__strbuf_fini(&s->line);
    pthread_mutex_destroy(&s->stats_lock);
    leat__free(s);
}

/* ---- facts ---------------------------------------------------------------------------------------------------------------- */

void leat_detect_stream_get_detector(const leat_detect_stream *s, leat_detector_info *info) { *info = s->info; }
leat_pipeline *leat_detect_stream_pipeline(leat_detect_stream *s) { return s->pipeline; }

void leat_detect_stream_get_stats(leat_detect_stream *s, leat_detect_stream_stats *stats) {
    pthread_mutex_lock(&s->stats_lock);
    *stats = s->stats;
    pthread_mutex_unlock(&s->stats_lock);
}
