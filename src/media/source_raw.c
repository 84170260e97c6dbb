/* source_raw.c - frames without a header, from a file or pipe: rows without gaps, read straight into the caller's buffer. */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "media/source.h"

typedef struct raw {
    leat_stream *stream;
    int64_t      first;  /* position of the first frame */
    int64_t      number; /* of the next frame, in this loop */
    size_t       frame_bytes;
} raw;

static int fail_cut(const raw *r, size_t got, leat_error *error) {
    return leat__fail_at(error, LEAT_EFORMAT, (uint64_t)leat__stream_position(r->stream),
                         "%s: frame %lld is cut off after %zu of %zu bytes; are size and pixel format right?", leat__stream_name(r->stream),
                         (long long)r->number, got, r->frame_bytes);
}

static int ready(leat_source *base, leat_error *error) {
    raw *r = base->state;
    const uint8_t *data;
    size_t got;
    int status = leat__stream_peek(r->stream, 1, &data, &got, error);
    return status == LEAT_OK && got == 0 ? LEAT_EEND : status;
}

static int read_frame(leat_source *base, leat_frame *frame, leat_error *error) {
    raw   *r = base->state;
    size_t got;
    int status = leat__stream_read(r->stream, frame->plane[0], r->frame_bytes, &got, error);
    if (status != LEAT_OK) return status;
    if (got < r->frame_bytes) return fail_cut(r, got, error);
    frame->pts_ns = (int64_t)((double)r->number * 1e9 / base->fps);
    r->number++;
    return LEAT_OK;
}

static int skip(leat_source *base, int64_t count, int64_t *left_out, leat_error *error) {
    raw *r = base->state;
    for (*left_out = 0; *left_out < count; ++*left_out) {
        int64_t got;
        int status = leat__stream_skip(r->stream, (int64_t)r->frame_bytes, &got, error);
        if (status != LEAT_OK || got == 0) return status;
        if ((size_t)got < r->frame_bytes) return fail_cut(r, (size_t)got, error);
        r->number++;
    }
    return LEAT_OK;
}

static int rewind_raw(leat_source *base, leat_error *error) {
    raw *r = base->state;
    r->number = 0;
    return leat__stream_seek(r->stream, r->first, error);
}

static void close_raw(leat_source *base) {
    raw *r = base->state;
    leat__stream_close(r->stream);
    leat__free(r);
}

static const leat_source_kind file_kind = {"raw", 0, ready, read_frame, skip, rewind_raw, NULL, close_raw};
static const leat_source_kind pipe_kind = {"raw", 0, ready, read_frame, skip, NULL, NULL, close_raw};

int leat__raw_source_open(leat_stream *stream, leat_source *base, leat_error *error) {
    const leat_source_options *o = &base->options;
    int status = leat__source_check_size(base, o->raw_width, o->raw_height, leat__stream_name(stream), error);
    if (status != LEAT_OK) return status;
    raw *r = leat__calloc(1, sizeof *r, LEAT_MEMORY_IO);
    if (!r) return leat__fail(error, LEAT_ENOMEM, "%s: out of memory", leat__stream_name(stream));
    r->stream = stream;
    r->first = leat__stream_position(stream);
    r->frame_bytes = leat_frame_bytes(o->raw_format, o->raw_width, o->raw_height);
    int64_t size = leat__stream_size(stream);
    base->kind = size >= 0 ? &file_kind : &pipe_kind;
    base->state = r;
    base->next = (leat_source_next_frame){o->raw_format, leat__matrix_of_size(o->raw_width, o->raw_height), 0, o->raw_width, o->raw_height};
    base->fps = o->fps;
    if (size >= 0) base->frames = (size - r->first) / (int64_t)r->frame_bytes;
    return LEAT_OK;
}
