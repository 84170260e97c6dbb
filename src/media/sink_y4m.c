/* sink_y4m.c - Y4M into a file or to standard output; everything is written as 4:2:0, I420 as it is. */
#include "media/y4m.h"

#include "base/error.h"
#include "base/mem.h"
#include "media/frame.h"
#include "media/out_file.h"
#include "media/sink.h"

typedef struct y4m_sink {
    leat_out_file    *file;
    leat_frame_buffer buffer;
    int64_t           whole; /* bytes up to the end of the last whole frame */
} y4m_sink;

/* The planes are one block, as the stream wants them. */
static int is_contiguous(const leat_frame *f) {
    leat_frame tight;
    leat_frame_layout(&tight, f->format, f->width, f->height, f->plane[0]);
    for (int p = 0; p < 3; p++)
        if (f->plane[p] != tight.plane[p] || f->stride[p] != tight.stride[p]) return 0;
    return 1;
}

static int write_header(y4m_sink *y, leat_sink *base, const leat_frame *frame, leat_error *error) {
    char line[256];
    int n = leat__y4m_format(frame, base->options.fps, line, sizeof line);
    return leat__out_write(y->file, line, (size_t)n, error);
}

static int write_frame(leat_sink *base, const leat_frame *frame, leat_error *error) {
    y4m_sink  *y = base->state;
    leat_frame converted;
    int status = LEAT_OK;
    if (frame->format != LEAT_PIXEL_I420 || !is_contiguous(frame)) {
        status = leat__frame_into(&y->buffer, frame, LEAT_PIXEL_I420, &converted, error);
        frame = &converted;
    }
    if (status == LEAT_OK && base->frames == 0) status = write_header(y, base, frame, error);
    if (status == LEAT_OK) status = leat__out_write(y->file, "FRAME\n", 6, error);
    if (status == LEAT_OK) status = leat__out_write(y->file, frame->plane[0], leat_frame_bytes(frame->format, frame->width, frame->height), error);
    if (status == LEAT_OK) y->whole = leat__out_position(y->file);
    else leat__out_cut(y->file, y->whole);
    return status;
}

static int close_y4m(leat_sink *base, leat_error *error) {
    y4m_sink *y = base->state;
    int status = leat__out_close(y->file, base->frames > 0, error);
    leat__free(y->buffer.data);
    leat__free(y);
    return status;
}

static const leat_sink_kind y4m_kind = {write_frame, close_y4m, 1};

int leat__y4m_sink_open(leat_sink *base, leat_error *error) {
    y4m_sink *y = leat__calloc(1, sizeof *y, LEAT_MEMORY_IO);
    if (!y) return leat__fail(error, LEAT_ENOMEM, "%s: out of memory", base->spec);
    int status = leat__out_open(base->spec, &y->file, error);
    if (status != LEAT_OK) {
        leat__free(y);
        return status;
    }
    base->kind = &y4m_kind;
    base->state = y;
    return LEAT_OK;
}
