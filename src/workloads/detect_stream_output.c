/* detect_stream_output.c - what leaves a detection stream: JSON lines, drawn boxes, files and sinks.
 *
 * JSON lines are written straight to their file and flushed frame by frame, so that a reader follows and nothing is lost when the
 * process dies; sinks keep their own promise (video.h).
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "detect_stream_impl.h"

/* ---- JSON ----------------------------------------------------------------------------------------------------------------- */

static void add_label(leat_strbuf *line, const leat_labels *labels, int32_t class_id) {
    const char *name = leat_labels_name(labels, class_id);
    if (name) leat__strbuf_add_json(line, name, strlen(name));
    else leat__strbuf_add(line, "null");
}

static void add_detection(leat_strbuf *line, const leat_detection *d, const leat_labels *labels) {
    if (d->track > 0) leat__strbuf_addf(line, "{\"track\":%d,\"class\":%d,\"label\":", (int)d->track, (int)d->class_id);
    else leat__strbuf_addf(line, "{\"track\":null,\"class\":%d,\"label\":", (int)d->class_id);
    add_label(line, labels, d->class_id);
    leat__strbuf_addf(line, ",\"score\":%.4f,\"box\":[%.2f,%.2f,%.2f,%.2f]", (double)d->score, (double)d->x1, (double)d->y1, (double)d->x2, (double)d->y2);
    for (int i = 0; i < d->landmarks; i++)
        leat__strbuf_addf(line, "%s[%.2f,%.2f]", i ? "," : ",\"landmarks\":[", (double)d->points[i][0], (double)d->points[i][1]);
    leat__strbuf_add(line, d->landmarks ? "]}" : "}");
}

int leat__slot_json(leat_strbuf *line, const leat__slot *slot, const leat_labels *labels) {
    line->length = 0;
    leat__strbuf_addf(line, "{\"frame\":%lld,\"pts_ns\":%lld,\"detections\":[", (long long)slot->frame.index, (long long)slot->frame.pts_ns);
    for (int i = 0; i < slot->count; i++) {
        if (i) leat__strbuf_add(line, ",");
        add_detection(line, &slot->found[i], labels);
    }
    leat__strbuf_add(line, "]}\n");
    return line->failed ? LEAT_ENOMEM : LEAT_OK;
}

/* ---- drawing -------------------------------------------------------------------------------------------------------------- */

static void paint_detection(const leat_detect_stream *s, leat_frame *frame, const leat_detection *d) {
    const float box[4] = {d->x1, d->y1, d->x2, d->y2}, scale = leat_draw_scale(frame);
    leat_rgba   color = leat_draw_palette(d->track > 0 ? d->track : d->class_id);
    const char *label = leat_labels_name(s->options.labels, d->class_id);
    char        text[128], name[24], track[16] = "";
    int         thickness = (int)lrintf(3 * scale);
    if (s->options.draw == LEAT_DETECT_DRAW_BRACKETS) leat_draw_brackets(frame, box, color);
    else leat_draw_box(frame, box, thickness > 1 ? thickness : 1, color);
    for (int i = 0; i < d->landmarks; i++) leat_draw_disc(frame, d->points[i][0], d->points[i][1], 1 + 3 * scale, color);
    if (!s->font) return;
    snprintf(name, sizeof name, "class %d", (int)d->class_id);
    if (d->track > 0) snprintf(track, sizeof track, "  #%d", (int)d->track);
    snprintf(text, sizeof text, "%.80s %.2f%s", label ? label : name, (double)d->score, track);
    leat_draw_label(frame, s->font, (int)d->x1, (int)d->y1, text, color);
}

void leat__slot_paint(const leat_detect_stream *s, leat__slot *slot) {
    char text[256];
    /* the least certain first, so that the best lie on top */
    for (int i = slot->count - 1; i >= 0; i--) paint_detection(s, &slot->frame, &slot->found[i]);
    if (!s->options.overlay || !s->font) return;
    snprintf(text, sizeof text, "frame %lld: %d\npreprocess %.2f ms\ninfer %.2f ms\ndecode %.2f ms\ntrack %.3f ms", (long long)slot->frame.index,
             (int)slot->count, slot->times.preprocess_ms, slot->times.infer_ms, slot->times.decode_ms + slot->times.nms_ms, slot->track_ms);
    leat_draw_panel(&slot->frame, s->font, 0, text);
}

/* ---- files ---------------------------------------------------------------------------------------------------------------- */

static int ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

int leat__outputs_open(leat_detect_stream *s, leat_error *error) {
    leat_sink_options sink = s->options.sink;
    if (sink.fps <= 0) sink.fps = s->source_info.fps;
    for (int i = 0; i < s->n_outputs; i++) {
        leat__output *o = &s->outputs[i];
        if (!ends_with(o->path, ".jsonl")) {
            int status = leat_sink_open(o->path, &sink, &o->sink, error);
            if (status != LEAT_OK) return status;
            continue;
        }
        o->lines = fopen(o->path, "we");
        if (!o->lines) return leat__fail(error, LEAT_EIO, "%s: %s", o->path, strerror(errno));
    }
    return LEAT_OK;
}

static int write_line(const leat_detect_stream *s, leat__output *o, leat_error *error) {
    if (fwrite(s->line.text, 1, s->line.length, o->lines) == s->line.length && fflush(o->lines) == 0) return LEAT_OK;
    return leat__fail(error, LEAT_EIO, "%s: %s", o->path, strerror(errno));
}

int leat__outputs_write(leat_detect_stream *s, const leat_frame *frame, leat_error *error) {
    int status = LEAT_OK;
    for (int i = 0; i < s->n_outputs && status == LEAT_OK; i++) {
        leat__output *o = &s->outputs[i];
        status = o->sink ? leat_sink_write(o->sink, frame, error) : write_line(s, o, error);
    }
    return status;
}

int leat__outputs_close(leat_detect_stream *s, leat_error *error) {
    int status = LEAT_OK;
    for (int i = 0; i < s->n_outputs; i++) {
        leat__output *o = &s->outputs[i];
        leat_error    failure = {0};
        int           closed = o->sink ? leat_sink_close(o->sink, &failure) : LEAT_OK;
        if (o->lines && fclose(o->lines) != 0) closed = leat__fail(&failure, LEAT_EIO, "%s: %s", o->path, strerror(errno));
        o->sink = NULL;
        o->lines = NULL;
        if (closed == LEAT_OK || status != LEAT_OK) continue;
        status = closed;
        if (error) *error = failure;
    }
    return status;
}
