/* source_y4m.c - Y4M from a file or pipe.
 *
 * 4:2:0 is I420 as it lies in the stream and is read straight into the caller's buffer.  4:2:2 becomes UYVY without loss; 4:4:4 is
 * averaged to I420; mono gets grey chroma.
 */
#include "media/y4m.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "media/source.h"

typedef struct y4m {
    leat_stream    *stream;
    leat_y4m_header header;
    int64_t         first;       /* position of the first frame */
    int64_t         number;      /* of the next frame, in this loop */
    int             is_ready;    /* the next frame's FRAME line has been taken */
    size_t          frame_bytes; /* of the planes in the stream */
    uint8_t        *planes;      /* [frame_bytes] when they are not read in place, else NULL */
} y4m;

static int fail_cut(const y4m *y, size_t got, leat_error *error) {
    return leat__fail_at(error, LEAT_EFORMAT, (uint64_t)leat__stream_position(y->stream), "%s: frame %lld is cut off after %zu of %zu bytes",
                         leat__stream_name(y->stream), (long long)y->number, got, y->frame_bytes);
}

/* Takes a line up to its newline, which becomes a NUL; *bytes 0 with LEAT_EEND at the very end. */
static int take_line(leat_stream *stream, char *line, size_t *bytes, leat_error *error) {
    const uint8_t *data;
    size_t got, taken;
    int status = leat__stream_peek(stream, 6, &data, &got, error); /* all lines are at least that long; a longer peek may wait for ever */
    *bytes = 0;
    if (status != LEAT_OK || got == 0) return status != LEAT_OK ? status : LEAT_EEND;
    while (*bytes < LEAT_Y4M_MAX_LINE) {
        status = leat__stream_read(stream, line + *bytes, 1, &taken, error);
        if (status != LEAT_OK) return status;
        if (taken == 0) break;
        if (line[*bytes] == '\n') {
            line[*bytes] = 0;
            return LEAT_OK;
        }
        ++*bytes;
    }
    return leat__fail_at(error, LEAT_EFORMAT, (uint64_t)leat__stream_position(stream), "%s: a Y4M header line %s", leat__stream_name(stream),
                         *bytes < LEAT_Y4M_MAX_LINE ? "is cut off" : "is too long");
}

static int ready(leat_source *base, leat_error *error) {
    y4m   *y = base->state;
    char   line[LEAT_Y4M_MAX_LINE + 1];
    size_t n;
    if (y->is_ready) return LEAT_OK;
    int status = take_line(y->stream, line, &n, error);
    if (status != LEAT_OK) return status;
    if (n < 5 || memcmp(line, "FRAME", 5) != 0 || (n > 5 && line[5] != ' '))
        return leat__fail_at(error, LEAT_EFORMAT, (uint64_t)leat__stream_position(y->stream), "%s: no FRAME line before frame %lld",
                             leat__stream_name(y->stream), (long long)y->number);
    y->is_ready = 1;
    return LEAT_OK;
}

/* ---- from the stream's planes to the frame --------------------------------------------------------------------------------- */

static void pack_422(const y4m *y, leat_frame *f) {
    int64_t w = f->width, half = (w + 1) / 2;
    const uint8_t *luma = y->planes, *u = luma + w * f->height, *v = u + half * f->height;
    for (int r = 0; r < f->height; r++) {
        uint8_t *out = f->plane[0] + r * f->stride[0];
        for (int64_t x = 0; x < half; x++) {
            out[4 * x] = u[r * half + x];
            out[4 * x + 1] = luma[r * w + 2 * x];
            out[4 * x + 2] = v[r * half + x];
            out[4 * x + 3] = luma[r * w + (2 * x + 1 < w ? 2 * x + 1 : 2 * x)];
        }
    }
}

/* One chroma plane of full size to half of each side. */
static void halve(const uint8_t *in, int64_t w, int64_t h, uint8_t *out, int64_t stride) {
    for (int64_t r = 0; r < (h + 1) / 2; r++) {
        const uint8_t *a = in + 2 * r * w, *b = 2 * r + 1 < h ? a + w : a;
        for (int64_t x = 0; x < (w + 1) / 2; x++) {
            int64_t next = 2 * x + 1 < w ? 2 * x + 1 : 2 * x;
            out[r * stride + x] = (uint8_t)((a[2 * x] + a[next] + b[2 * x] + b[next] + 2) >> 2);
        }
    }
}

static void unpack_444(const y4m *y, leat_frame *f) {
    int64_t pixels = (int64_t)f->width * f->height;
    memcpy(f->plane[0], y->planes, (size_t)pixels);
    halve(y->planes + pixels, f->width, f->height, f->plane[1], f->stride[1]);
    halve(y->planes + 2 * pixels, f->width, f->height, f->plane[2], f->stride[2]);
}

static int read_frame(leat_source *base, leat_frame *frame, leat_error *error) {
    y4m   *y = base->state;
    size_t got;
    int status = leat__stream_read(y->stream, y->planes ? y->planes : frame->plane[0], y->frame_bytes, &got, error);
    if (status != LEAT_OK) return status;
    if (got < y->frame_bytes) return fail_cut(y, got, error);
    if (y->header.chroma == LEAT_Y4M_422) pack_422(y, frame);
    if (y->header.chroma == LEAT_Y4M_444) unpack_444(y, frame);
    if (y->header.chroma == LEAT_Y4M_MONO) memset(frame->plane[1], 128, leat_frame_bytes(frame->format, frame->width, frame->height) - y->frame_bytes);
    frame->pts_ns = (int64_t)((double)y->number * 1e9 / base->fps);
    y->number++;
    y->is_ready = 0;
    return LEAT_OK;
}

static int skip(leat_source *base, int64_t count, int64_t *left_out, leat_error *error) {
    y4m *y = base->state;
    for (*left_out = 0; *left_out < count; ++*left_out) {
        int64_t got;
        int status = ready(base, error);
        if (status == LEAT_EEND) return LEAT_OK;
        if (status == LEAT_OK) status = leat__stream_skip(y->stream, (int64_t)y->frame_bytes, &got, error);
        if (status != LEAT_OK) return status;
        if ((size_t)got < y->frame_bytes) return fail_cut(y, (size_t)got, error);
        y->number++;
        y->is_ready = 0;
    }
    return LEAT_OK;
}

static int rewind_y4m(leat_source *base, leat_error *error) {
    y4m *y = base->state;
    y->number = y->is_ready = 0;
    return leat__stream_seek(y->stream, y->first, error);
}

static void close_y4m(leat_source *base) {
    y4m *y = base->state;
    leat__stream_close(y->stream);
    leat__free(y->planes);
    leat__free(y);
}

static const leat_source_kind file_kind = {"y4m", 0, ready, read_frame, skip, rewind_y4m, NULL, close_y4m};
static const leat_source_kind pipe_kind = {"y4m", 0, ready, read_frame, skip, NULL, NULL, close_y4m};

/* ---- opening ---------------------------------------------------------------------------------------------------------------- */

static size_t stream_frame_bytes(const leat_y4m_header *h) {
    size_t w = (size_t)h->width, n = (size_t)h->height, half = (w + 1) / 2;
    switch (h->chroma) {
    case LEAT_Y4M_420: return w * n + 2 * half * ((n + 1) / 2);
    case LEAT_Y4M_422: return w * n + 2 * half * n;
    case LEAT_Y4M_444: return 3 * w * n;
    default: return w * n;
    }
}

static int read_header(y4m *y, leat_source *base, leat_error *error) {
    char   line[LEAT_Y4M_MAX_LINE + 1];
    size_t n;
    const char *name = leat__stream_name(y->stream);
    int status = take_line(y->stream, line, &n, error);
    if (status != LEAT_OK) return status;
    status = leat__y4m_parse(line, n, &y->header, error);
    if (status != LEAT_OK) return leat__fail_prefix(error, status, "%s", name);
    const leat_y4m_header *h = &y->header;
    status = leat__source_check_size(base, h->width, h->height, name, error);
    if (status != LEAT_OK) return status;
    y->frame_bytes = stream_frame_bytes(h);
    y->first = leat__stream_position(y->stream);
    int in_place = h->chroma == LEAT_Y4M_420 || h->chroma == LEAT_Y4M_MONO;
    if (!in_place && !(y->planes = leat__alloc(y->frame_bytes, LEAT_MEMORY_IO))) return leat__fail(error, LEAT_ENOMEM, "%s: no memory for a frame", name);
    base->next = (leat_source_next_frame){h->chroma == LEAT_Y4M_422 ? LEAT_PIXEL_UYVY : LEAT_PIXEL_I420,
                                          h->matrix >= 0 ? (leat_color_matrix)h->matrix : leat__matrix_of_size((int)h->width, (int)h->height),
                                          h->full_range, (int32_t)h->width, (int32_t)h->height};
    base->fps = h->fps > 0 ? h->fps : base->options.fps;
    return LEAT_OK;
}

int leat__y4m_source_open(leat_stream *stream, leat_source *base, leat_error *error) {
    y4m *y = leat__calloc(1, sizeof *y, LEAT_MEMORY_IO);
    if (!y) return leat__fail(error, LEAT_ENOMEM, "%s: out of memory", leat__stream_name(stream));
    y->stream = stream;
    int status = read_header(y, base, error);
    if (status != LEAT_OK) {
        leat__free(y->planes);
        leat__free(y);
        return status;
    }
    if (leat__stream_seekable(stream)) base->frames = (leat__stream_size(stream) - y->first) / (int64_t)(y->frame_bytes + 6);
    base->kind = leat__stream_seekable(stream) ? &file_kind : &pipe_kind;
    base->state = y;
    return LEAT_OK;
}
