/* source_plugin.c - video, streams and cameras through the plugin; pipes are read here and handed on. */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "media/plugin.h"
#include "media/source.h"

typedef struct video {
    const leat_video_plugin *plugin;
    leat_plugin_input        input;
    void                    *reader;
    leat_stream             *stream; /* NULL: the plugin opened the spec */
    char                    *spec;
} video;

static int on_cancelled(void *user) { return atomic_load(&((leat_source *)user)->cancelled); }

static int on_read(void *user, uint8_t *data, int bytes) {
    leat_source *base = user;
    size_t got = 0;
    int status = leat__stream_read_some(((video *)base->state)->stream, data, (size_t)bytes, &got, NULL);
    return status == LEAT_OK ? (int)got : -1;
}

static int64_t on_seek(void *user, int64_t position) {
    leat_source *base = user;
    return leat__stream_seek(((video *)base->state)->stream, position, NULL) == LEAT_OK ? position : -1;
}

static int64_t on_size(void *user) { return leat__stream_size(((video *)((leat_source *)user)->state)->stream); }

static void take_shape(leat_source *base, const leat_plugin_shape *shape) {
    base->next = (leat_source_next_frame){shape->format, shape->matrix, shape->full_range, shape->width, shape->height};
    base->fps = shape->fps;
    base->frames = shape->frames;
    base->damaged = shape->damaged;
    memcpy(base->detail, shape->detail, sizeof base->detail);
    memcpy(base->damage, shape->damage, sizeof base->damage);
}

static int ready(leat_source *base, leat_error *error) {
    video *v = base->state;
    leat_plugin_shape shape;
    int status = v->plugin->reader_ready(v->reader, &shape, error);
    take_shape(base, &shape); /* also at the end: the counters */
    if (status == LEAT_OK) status = leat__source_check_size(base, base->next.width, base->next.height, v->spec, error);
    if (status != LEAT_OK && on_cancelled(base)) return leat__fail(error, LEAT_ECANCELLED, "%s: cancelled", v->spec);
    return status;
}

static int read_frame(leat_source *base, leat_frame *frame, leat_error *error) {
    video *v = base->state;
    return v->plugin->reader_read(v->reader, frame, error);
}

static int skip(leat_source *base, int64_t count, int64_t *left_out, leat_error *error) {
    video *v = base->state;
    return v->plugin->reader_skip(v->reader, count, left_out, error);
}

static int rewind_video(leat_source *base, leat_error *error) {
    video *v = base->state;
    return v->plugin->reader_rewind(v->reader, error);
}

static void close_video(leat_source *base) {
    video *v = base->state;
    if (v->reader) v->plugin->reader_close(v->reader);
    leat__stream_close(v->stream);
    leat__free(v->spec);
    leat__free(v);
}

static const leat_source_kind video_kind = {"video", 0, ready, read_frame, skip, rewind_video, NULL, close_video};
static const leat_source_kind once_kind = {"video", 0, ready, read_frame, skip, NULL, NULL, close_video};
static const leat_source_kind live_kind = {"camera", 1, ready, read_frame, skip, NULL, NULL, close_video};

static int open_reader(video *v, leat_source *base, leat_error *error) {
    leat_plugin_shape shape;
    v->input = (leat_plugin_input){.spec = v->spec, .options = &base->options, .user = base, .cancelled = on_cancelled};
    if (v->stream) {
        v->input.read = on_read;
        v->input.seek = leat__stream_seekable(v->stream) ? on_seek : NULL;
        v->input.size = on_size;
    }
    int status = v->plugin->reader_open(&v->input, &v->reader, &shape, error);
    if (status != LEAT_OK) return status;
    take_shape(base, &shape);
    base->kind = shape.live ? &live_kind : shape.can_rewind ? &video_kind : &once_kind;
    return LEAT_OK;
}

/* Takes the stream on success only, as the caller closes it otherwise. */
int leat__plugin_source_open(const char *spec, leat_stream *stream, leat_source *base, leat_error *error) {
    const leat_video_plugin *plugin;
    int status = leat__video_plugin(&plugin, error);
    if (status != LEAT_OK) return leat__fail_prefix(error, status, "%s", spec);
    video *v = leat__calloc(1, sizeof *v, LEAT_MEMORY_IO);
    char  *copy = leat__strdup(spec, LEAT_MEMORY_IO);
    if (!v || !copy) {
        leat__free(v);
        leat__free(copy);
        return leat__fail(error, LEAT_ENOMEM, "%s: out of memory", spec);
    }
    *v = (video){.plugin = plugin, .stream = stream, .spec = copy};
    base->state = v;
    status = open_reader(v, base, error);
    if (status == LEAT_OK) return LEAT_OK;
    v->stream = NULL;
    close_video(base);
    base->state = NULL;
    base->kind = NULL;
    return status;
}
