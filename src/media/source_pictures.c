/* source_pictures.c - JPEG and PNG files as frames, one at a time, in the order of a list.
 *
 * A picture is decoded when it is made ready, since its size must be known; the file's bytes and the decoded pixels are kept in two
 * buffers that only grow.  A picture that cannot be decoded is left out and counted; if it was the only one, that is the failure.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "media/image_codec.h"
#include "media/source.h"

typedef struct pictures {
    char            **paths;
    int               count, at; /* at: of the next to be decoded, or that is ready */
    int               is_ready;
    leat_image        image;
    leat_image_buffers buffers;
} pictures;

static int ready(leat_source *base, leat_error *error) {
    pictures *p = base->state;
    leat_image_options options;
    leat_image_options_default(&options);
    options.max_pixels = base->options.max_pixels;
    while (!p->is_ready) {
        leat_error failure = {0};
        if (p->at >= p->count) return LEAT_EEND;
        int status = leat__image_load_into(p->paths[p->at], &options, &p->buffers, &p->image, &failure);
        if (status == LEAT_ENOMEM) {
            if (error) *error = failure;
            return status;
        }
        if (status == LEAT_OK) {
            p->is_ready = 1;
            base->next = (leat_source_next_frame){LEAT_PIXEL_RGB24, LEAT_MATRIX_BT601, 1, p->image.width, p->image.height};
            snprintf(base->detail, sizeof base->detail, "%s", p->paths[p->at]);
        } else {
            leat__source_note_damage(base, failure.message);
            p->at++;
            base->at++; /* the frame's number stays that of its file */
        }
    }
    return LEAT_OK;
}

static int read_frame(leat_source *base, leat_frame *frame, leat_error *error) {
    pictures  *p = base->state;
    leat_frame view;
    int status = leat_frame_from_image(&p->image, &view);
    view.pts_ns = (int64_t)((double)p->at * 1e9 / base->options.fps);
    view.index = frame->index;
    if (status == LEAT_OK) status = leat_frame_convert(&view, frame);
    if (status != LEAT_OK) return leat__fail(error, status, "%s: no picture", p->paths[p->at]);
    p->is_ready = 0;
    p->at++;
    return LEAT_OK;
}

static int skip(leat_source *base, int64_t count, int64_t *left_out, leat_error *error) {
    pictures *p = base->state;
    *left_out = count < p->count - p->at ? count : p->count - p->at;
    if (*left_out) p->is_ready = 0;
    p->at += (int)*left_out;
    return LEAT_OK;
}

static int rewind_list(leat_source *base, leat_error *error) {
    pictures *p = base->state;
    p->at = p->is_ready = 0;
    return LEAT_OK;
}

static void close_pictures(leat_source *base) {
    pictures *p = base->state;
    leat__image_buffers_free(&p->buffers);
    leat__paths_free(p->paths, p->count);
    leat__free(p);
}

static const leat_source_kind pictures_kind = {"pictures", 0, ready, read_frame, skip, rewind_list, NULL, close_pictures};

int leat__pictures_source_open(char **paths, int count, leat_source *base, leat_error *error) {
    pictures *p = leat__calloc(1, sizeof *p, LEAT_MEMORY_IO);
    int complete = p && paths;
    for (int i = 0; complete && i < count; i++) complete = paths[i] != NULL;
    if (!complete) {
        leat__paths_free(paths, count);
        leat__free(p);
        return leat__fail(error, LEAT_ENOMEM, "no memory for the list of pictures");
    }
    p->paths = paths;
    p->count = count;
    base->kind = &pictures_kind;
    base->state = p;
    base->frames = count;
    base->fps = base->options.fps;
    int status = ready(base, error); /* so that size is known, and a wrong file is told at once */
    if (status != LEAT_EEND) return status;
    return leat__fail(error, LEAT_EFORMAT, "%s", base->damage);
}
