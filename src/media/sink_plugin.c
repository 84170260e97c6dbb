/* sink_plugin.c - MP4, MKV and others through the plugin, which is opened with the first frame.
 *
 * The bytes go through out_file.c.  An MP4 is worthless without the index at its end, so room for that is kept on the disk; when the disk
 * is found full the frame in hand is refused, and closing writes the index of those before it.
 */
#include "base/error.h"
#include "base/mem.h"
#include "media/out_file.h"
#include "media/plugin.h"
#include "media/sink.h"

#define RESERVE_BYTES ((int64_t)2 << 20) /* buffers that are still to be written ... */
#define RESERVE_PER_FRAME 64             /* ... and the index */

typedef struct video_sink {
    const leat_video_plugin *plugin;
    leat_plugin_output       output;
    void                    *writer; /* NULL before the first frame */
    leat_out_file           *file;
    int                      broken; /* the encoder or the file failed: nothing more goes in */
} video_sink;

static int on_write(void *user, const uint8_t *data, int bytes) {
    leat_out_file *file = user;
    return leat__out_write(file, data, (size_t)bytes, NULL) == LEAT_OK ? bytes : -1;
}

static int64_t on_seek(void *user, int64_t position) { return leat__out_seek(user, position, NULL) == LEAT_OK ? position : -1; }

static int open_writer(video_sink *v, leat_sink *base, const leat_frame *frame, leat_error *error) {
    int from_rgb = frame->format < LEAT_PIXEL_UYVY, large = frame->width >= 1280 || frame->height >= 720;
    v->output = (leat_plugin_output){.name = base->spec, .options = &base->options, .user = v->file, .write = on_write, .seek = on_seek};
    v->output.shape = (leat_plugin_shape){.format = LEAT_PIXEL_I420, .width = frame->width, .height = frame->height, .fps = base->options.fps,
                                          .matrix = from_rgb ? (large ? LEAT_MATRIX_BT709 : LEAT_MATRIX_BT601) : frame->matrix,
                                          .full_range = from_rgb ? 0 : frame->full_range};
    leat__out_reserve(v->file, RESERVE_BYTES);
    return v->plugin->writer_open(&v->output, &v->writer, error);
}

static int encode(video_sink *v, const leat_frame *frame, leat_error *error) {
    leat_frame target = {.matrix = v->output.shape.matrix, .full_range = v->output.shape.full_range};
    int status = v->plugin->writer_buffer(v->writer, &target, error);
    if (status == LEAT_OK) status = leat_frame_convert(frame, &target);
    if (status == LEAT_OK) status = v->plugin->writer_send(v->writer, frame->pts_ns, error);
    return status;
}

static int write_video(leat_sink *base, const leat_frame *frame, leat_error *error) {
    video_sink *v = base->state;
    int status = v->writer ? LEAT_OK : open_writer(v, base, frame, error);
    if (status == LEAT_OK) {
        leat__out_reserve(v->file, RESERVE_BYTES + RESERVE_PER_FRAME * base->frames);
        status = leat__out_is_full(v->file) ? LEAT_EIO : encode(v, frame, error);
    }
    if (leat__out_is_full(v->file)) return leat__fail(error, LEAT_EIO, "%s: no space left on the disk", base->spec);
    if (status != LEAT_OK) v->broken = 1;
    return status;
}

static int close_video(leat_sink *base, leat_error *error) {
    video_sink *v = base->state;
    int status = LEAT_OK;
    if (v->writer) {
        status = v->plugin->writer_finish(v->writer, !v->broken && !leat__out_is_full(v->file), error);
        v->plugin->writer_close(v->writer);
    }
    int closed = leat__out_close(v->file, base->frames > 0, status == LEAT_OK ? error : NULL);
    leat__free(v);
    return status == LEAT_OK ? closed : status;
}

static const leat_sink_kind video_kind = {write_video, close_video, 1};

int leat__plugin_sink_open(leat_sink *base, leat_error *error) {
    const leat_video_plugin *plugin;
    int status = leat__video_plugin(&plugin, error);
    if (status != LEAT_OK) return leat__fail_prefix(error, status, "%s", base->spec);
    video_sink *v = leat__calloc(1, sizeof *v, LEAT_MEMORY_IO);
    if (!v) return leat__fail(error, LEAT_ENOMEM, "%s: out of memory", base->spec);
    v->plugin = plugin;
    status = leat__out_open(base->spec, &v->file, error);
    if (status != LEAT_OK) {
        leat__free(v);
        return status;
    }
    base->kind = &video_kind;
    base->state = v;
    return LEAT_OK;
}
