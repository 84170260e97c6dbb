/* sink.c - what all sinks share: the choice of a kind, checks, counting, the first failure.  See sink.h. */
#include "media/sink.h"

#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/mem.h"

void leat_sink_options_default(leat_sink_options *options) {
    *options = (leat_sink_options){.size = sizeof *options, .fps = 30, .quality = 90};
}

int leat__frame_into(leat_frame_buffer *buffer, const leat_frame *frame, leat_pixel_format format, leat_frame *out, leat_error *error) {
    size_t bytes = leat_frame_bytes(format, frame->width, frame->height);
    if (bytes > buffer->capacity) {
        leat__free(buffer->data);
        buffer->data = leat__alloc(bytes, LEAT_MEMORY_IO);
        buffer->capacity = buffer->data ? bytes : 0;
        if (!buffer->data) return leat__fail(error, LEAT_ENOMEM, "no memory for a frame of %zu bytes", bytes);
    }
    /* RGB has no range of its own: as YUV it becomes limited BT.709 or BT.601, as everybody expects of a video. */
    int from_rgb = frame->format < LEAT_PIXEL_UYVY;
    *out = (leat_frame){.matrix = from_rgb ? (frame->width >= 1280 || frame->height >= 720 ? LEAT_MATRIX_BT709 : LEAT_MATRIX_BT601) : frame->matrix,
                        .full_range = from_rgb ? 0 : frame->full_range};
    leat_frame_layout(out, format, frame->width, frame->height, buffer->data);
    return leat_frame_convert(frame, out);
}

/* ---- null ------------------------------------------------------------------------------------------------------------------ */

static int write_null(leat_sink *base, const leat_frame *frame, leat_error *error) { return LEAT_OK; }
static int close_null(leat_sink *base, leat_error *error) { return LEAT_OK; }
static const leat_sink_kind null_kind = {write_null, close_null, 0};

/* ---- opening --------------------------------------------------------------------------------------------------------------- */

static int check_options(leat_sink_options *o, leat_error *error) {
    const char *wrong = NULL;
    if (o->fps == 0) o->fps = 30;
    if (o->size != sizeof *o) wrong = "size (call leat_sink_options_default() first)";
    else if (!(o->fps >= 1e-3 && o->fps <= 1e6)) wrong = "fps, 0.001..1e6";
    else if (o->quality < 1 || o->quality > 100) wrong = "quality, 1..100";
    else if (o->bitrate_kbps < 0) wrong = "bitrate_kbps, 0 or more";
    else if (!memchr(o->codec, 0, sizeof o->codec)) wrong = "codec, a string";
    else if (o->threads < 0 || o->threads > LEAT_MAX_THREADS) wrong = "threads";
    return wrong ? leat__fail(error, LEAT_EINVAL, "leat_sink_options: %s", wrong) : LEAT_OK;
}

static int has_suffix(const char *spec, const char *suffix) {
    size_t n = strlen(spec), m = strlen(suffix);
    return n > m && strcasecmp(spec + n - m, suffix) == 0;
}

static int is_folder(const char *spec) {
    struct stat st;
    return spec[strlen(spec) - 1] == '/' || (stat(spec, &st) == 0 && S_ISDIR(st.st_mode));
}

static int open_kind(leat_sink *base, leat_error *error) {
    const char *spec = base->spec;
    if (strcmp(spec, "null:") == 0) {
        base->kind = &null_kind;
        return LEAT_OK;
    }
    if (strcmp(spec, "-") == 0 || has_suffix(spec, ".y4m")) return leat__y4m_sink_open(base, error);
    if (is_folder(spec) || has_suffix(spec, ".jpg") || has_suffix(spec, ".jpeg") || has_suffix(spec, ".png")) return leat__pictures_sink_open(base, error);
    return leat__plugin_sink_open(base, error);
}

int leat_sink_open(const char *spec, const leat_sink_options *options, leat_sink **sink, leat_error *error) {
    leat_sink_options o;
    leat_sink_options_default(&o);
    if (options) o = *options;
    *sink = NULL;
    if (!spec || !*spec) return leat__fail(error, LEAT_EINVAL, "no output is named");
    int status = check_options(&o, error);
    if (status != LEAT_OK) return status;
    leat_sink *base = leat__calloc(1, sizeof *base, LEAT_MEMORY_IO);
    char *copy = leat__strdup(spec, LEAT_MEMORY_IO);
    if (!base || !copy) {
        leat__free(base);
        leat__free(copy);
        return leat__fail(error, LEAT_ENOMEM, "%s: out of memory", spec);
    }
    base->options = o;
    base->spec = copy;
    status = open_kind(base, error);
    if (status == LEAT_OK) {
        *sink = base;
        return LEAT_OK;
    }
    leat__free(copy);
    leat__free(base);
    return status;
}

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

static int write_checked(leat_sink *base, const leat_frame *frame, leat_error *error) {
    if (!leat_frame_is_valid(frame)) return leat__fail(error, LEAT_EINVAL, "%s: the frame is not valid", base->spec);
    if (base->frames == 0) {
        base->width = frame->width;
        base->height = frame->height;
    } else if (base->kind->one_shape && (frame->width != base->width || frame->height != base->height)) {
        return leat__fail(error, LEAT_ESHAPE, "%s: a frame of %d x %d pixels in a video of %d x %d", base->spec, frame->width, frame->height, base->width,
                          base->height);
    }
    return base->kind->write(base, frame, error);
}

int leat_sink_write(leat_sink *sink, const leat_frame *frame, leat_error *error) {
    leat_error local = {0};
    if (sink->failure.status == LEAT_OK) {
        int status = write_checked(sink, frame, &local);
        if (status == LEAT_OK) {
            sink->frames++;
            return LEAT_OK;
        }
        if (status == LEAT_EIO || status == LEAT_ENOMEM) sink->failure = local; /* the others are the frame's fault */
        if (error) *error = local;
        return status;
    }
    if (error) *error = sink->failure;
    return sink->failure.status;
}

int64_t leat_sink_frames(const leat_sink *sink) { return sink->frames; }

int leat_sink_close(leat_sink *sink, leat_error *error) {
    if (!sink) return LEAT_OK;
    int status = sink->kind->close(sink, error);
    leat__free(sink->spec);
    leat__free(sink);
    return status;
}
