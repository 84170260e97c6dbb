/* detect_stream_stages.c - the stages of a detection stream: source, prepare, infer (replicas), track, draw, write.
 *
 * One slot travels from stage to stage; each writes its own part of it.  Only the source (decoders) and the writer (encoders, files)
 * may allocate, the others run under the pipeline's guard.
 */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "detect_stream_impl.h"

static double ms_since(int64_t start) { return (double)(leat__now_ns() - start) / 1e6; }

static leat__slot *slot_of(leat_item *item) { return item->data; }

/* ---- source --------------------------------------------------------------------------------------------------------------- */

static int grow(leat__slot *slot, size_t bytes) {
    if (slot->pixel_bytes >= bytes) return 1;
    leat__free(slot->pixels);
    slot->pixels = leat__alloc(bytes, LEAT_MEMORY_IO);
    slot->pixel_bytes = slot->pixels ? bytes : 0;
    return slot->pixels != NULL;
}

/* Reads into the slot's own buffer, which grows when frames do. */
static int read_frame(leat_detect_stream *s, leat__slot *slot, leat_error *error) {
    leat_source_info info;
    int status = LEAT_ELIMIT;
    for (int tries = 0; status == LEAT_ELIMIT && tries < 2; tries++) {
        leat_source_describe(s->source, &info);
        if (!grow(slot, info.frame_bytes))
            return leat__fail(error, LEAT_ENOMEM, "no memory for a frame of %d x %d", (int)info.width, (int)info.height);
        status = leat_source_next(s->source, slot->pixels, slot->pixel_bytes, &slot->frame, error);
    }
    return status;
}

/* A broken source ends the stream like its end does, so that frames in flight still come out; wait() tells. */
static int run_source(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    leat_detect_stream *s = user;
    leat_item *item;
    int status = leat_stage_get(stage, &item);
    if (status != LEAT_OK) return status;
    leat__slot *slot = slot_of(item);
    status = read_frame(s, slot, &s->source_error);
    if (status != LEAT_OK) {
        leat_item_unref(item);
        if (status != LEAT_EEND && status != LEAT_ECANCELLED) s->source_status = status;
        return LEAT_EEND;
    }
    item->index = slot->frame.index;
    item->pts_ns = slot->frame.pts_ns;
    item->capture_ns = slot->frame.capture_ns;
    return leat_stage_emit(stage, item);
}

static void interrupt_source(void *user) { leat_source_cancel(((leat_detect_stream *)user)->source); }

/* ---- prepare, infer ------------------------------------------------------------------------------------------------------- */

static int run_prepare(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    leat_detect_stream *s = user;
    leat__slot *slot = slot_of(items[0]);
    int64_t start = leat__now_ns();
    if (leat_detector_prepare_frame(s->infers[0].detector, &slot->frame, slot->input, s->scratch, &slot->view) != LEAT_OK) {
        const leat_rect *c = &s->options.detector.crop;
        return leat__fail(error, LEAT_EINVAL, "a frame of %d x %d cannot be prepared, or the crop %d,%d,%d,%d lies outside", (int)slot->frame.width,
                          (int)slot->frame.height, (int)c->x, (int)c->y, (int)c->width, (int)c->height);
    }
    slot->times.preprocess_ms = ms_since(start);
    return leat_stage_emit(stage, leat_item_ref(items[0]));
}

static int infer_one(leat__infer *r, leat__slot *slot, leat_error *error) {
    const void *input = slot->input;
    return leat_detector_infer(r->detector, &input, &slot->view, 1, slot->found, &slot->count, &slot->times, error);
}

static int infer_batch(const leat_detect_stream *s, leat__infer *r, leat_item *const *items, int n, leat_error *error) {
    for (int i = 0; i < n; i++) {
        leat__slot *slot = slot_of(items[i]);
        r->inputs[i] = slot->input;
        r->views[i] = slot->view;
        r->times[i] = slot->times;
    }
    int status = leat_detector_infer(r->detector, r->inputs, r->views, n, r->found, r->counts, r->times, error);
    for (int i = 0; i < n && status == LEAT_OK; i++) {
        leat__slot *slot = slot_of(items[i]);
        slot->count = r->counts[i];
        slot->times = r->times[i];
        memcpy(slot->found, r->found + (size_t)i * (size_t)s->info.max_detections, (size_t)slot->count * sizeof *slot->found);
    }
    return status;
}

static int run_infer(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    leat_detect_stream *s = user;
    leat__infer *r = &s->infers[leat_stage_replica(stage)];
    int status = n == 1 ? infer_one(r, slot_of(items[0]), error) : infer_batch(s, r, items, n, error);
    for (int i = 0; i < n && status == LEAT_OK; i++) status = leat_stage_emit(stage, leat_item_ref(items[i]));
    return status;
}

/* ---- track, draw, write --------------------------------------------------------------------------------------------------- */

static float cut(float x, int32_t most) { return x < 0 ? 0 : x > (float)most ? (float)most : x; }

/* A smoothed box may lean over the edge of the frame. */
static void cut_to_frame(leat__slot *slot) {
    for (int i = 0; i < slot->count; i++) {
        leat_detection *d = &slot->found[i];
        d->x1 = cut(d->x1, slot->frame.width), d->x2 = cut(d->x2, slot->frame.width);
        d->y1 = cut(d->y1, slot->frame.height), d->y2 = cut(d->y2, slot->frame.height);
    }
}

static int run_track(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    leat_detect_stream *s = user;
    leat__slot *slot = slot_of(items[0]);
    int     count = 0;
    int64_t start = leat__now_ns(), passed = s->last_index < 0 ? 1 : slot->frame.index - s->last_index;
    int     status = leat_tracker_update(s->tracker, slot->found, slot->count, passed > 0 ? (float)passed : 0, slot->found, &count);
    if (status != LEAT_OK) return leat__fail(error, status, "the tracker refused %d detections", (int)slot->count);
    slot->count = count;
    cut_to_frame(slot);
    s->last_index = slot->frame.index;
    leat_tracker_get_stats(s->tracker, &slot->tracker);
    slot->track_ms = ms_since(start);
    return leat_stage_emit(stage, leat_item_ref(items[0]));
}

static int run_draw(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    leat__slot *slot = slot_of(items[0]);
    int64_t start = leat__now_ns();
    leat__slot_paint(user, slot);
    slot->draw_ms = ms_since(start);
    return leat_stage_emit(stage, leat_item_ref(items[0]));
}

static void add_up(leat_detect_stream *s, const leat__slot *slot, double write_ms) {
    leat_detect_stream_stats *t = &s->stats;
    pthread_mutex_lock(&s->stats_lock);
    t->frames++;
    t->detections += slot->count;
    t->candidates += slot->times.candidates;
    t->preprocess_ms += slot->times.preprocess_ms;
    t->infer_ms += slot->times.infer_ms;
    t->decode_ms += slot->times.decode_ms;
    t->nms_ms += slot->times.nms_ms;
    t->track_ms += slot->track_ms;
    t->draw_ms += slot->draw_ms;
    t->write_ms += write_ms;
    t->tracker = slot->tracker;
    pthread_mutex_unlock(&s->stats_lock);
}

static int run_write(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error) {
    leat_detect_stream *s = user;
    leat__slot *slot = slot_of(items[0]);
    int64_t start = leat__now_ns();
    if (leat__slot_json(&s->line, slot, s->options.labels) != LEAT_OK) return leat__fail(error, LEAT_ENOMEM, "no memory for a line of %d boxes", (int)slot->count);
    int status = leat__outputs_write(s, &slot->frame, error);
    if (status != LEAT_OK) return status;
    if (s->options.result) {
        const leat_detect_result result = {&slot->frame, slot->found, slot->count, &slot->times, s->line.text, s->line.length};
        s->options.result(s->options.user, &result);
    }
    add_up(s, slot, ms_since(start));
    return LEAT_OK;
}

static int flush_write(leat_stage *stage, void *user, leat_error *error) { return leat__outputs_close(user, error); }

/* After a failure nothing was flushed: what can be kept is kept, the failure is told already. */
static void close_write(leat_stage *stage, void *user) { leat__outputs_close(user, NULL); }

/* ---- assembly ------------------------------------------------------------------------------------------------------------- */

typedef int (*process_fn)(leat_stage *stage, void *user, leat_item *const *items, int n, leat_error *error);

static leat_stage_options stage_named(leat_detect_stream *s, const char *name, process_fn process) {
    leat_stage_options o;
    leat_stage_options_default(&o);
    o.name = name;
    o.process = process;
    o.user = s;
    return o;
}

int leat__detect_stages(leat_detect_stream *s, leat_error *error) {
    leat_stage_options source = stage_named(s, "source", run_source), prepare = stage_named(s, "prepare", run_prepare);
    leat_stage_options infer = stage_named(s, "infer", run_infer), track = stage_named(s, "track", run_track);
    leat_stage_options draw = stage_named(s, "draw", run_draw), write = stage_named(s, "write", run_write);
    source.flags = write.flags = LEAT_STAGE_ALLOCATES;
    source.output.pool = s->pool;
    source.interrupt = interrupt_source;
    infer.replicas = s->options.replicas;
    infer.batch = s->info.batch;
    write.flush = flush_write;
    write.close = close_write;
    int status = leat_pipeline_add(s->pipeline, &source, error);
    if (status == LEAT_OK) status = leat_pipeline_add(s->pipeline, &prepare, error);
    if (status == LEAT_OK) status = leat_pipeline_add(s->pipeline, &infer, error);
    if (status == LEAT_OK && s->tracker) status = leat_pipeline_add(s->pipeline, &track, error);
    if (status == LEAT_OK && s->frames_go_out && s->options.draw) status = leat_pipeline_add(s->pipeline, &draw, error);
    return status == LEAT_OK ? leat_pipeline_add(s->pipeline, &write, error) : status;
}
