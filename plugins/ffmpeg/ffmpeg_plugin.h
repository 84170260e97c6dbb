/* ffmpeg_plugin.h - what the files of the FFmpeg plugin share.
 *
 * The plugin is a shared object of its own because Debian's FFmpeg is under the GPL: libleat never links it, and knows only the table of
 * src/media/plugin.h.  Nothing of libleat is linked here either.
 */
#ifndef LEAT_FFMPEG_PLUGIN_H
#define LEAT_FFMPEG_PLUGIN_H

#include <libavutil/frame.h>

#include "media/plugin.h"

int ff_fail(leat_error *error, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with FFmpeg's text for `code`, and what its log said last. */
int ff_fail_code(leat_error *error, int code, const char *what);
/* The status for an AVERROR. */
int ff_status(int code);
/* Forgets, or copies out, the last error line of FFmpeg's log; empty when there was none. */
void ff_log_clear(void);
void ff_log_last(char *text, size_t size);
/* Sends FFmpeg's log to the above instead of stderr; once for the process. */
void ff_log_capture(void);

int  ff_reader_open(const leat_plugin_input *input, void **reader, leat_plugin_shape *shape, leat_error *error);
int  ff_reader_ready(void *reader, leat_plugin_shape *shape, leat_error *error);
int  ff_reader_read(void *reader, leat_frame *frame, leat_error *error);
int  ff_reader_skip(void *reader, int64_t count, int64_t *left_out, leat_error *error);
int  ff_reader_rewind(void *reader, leat_error *error);
void ff_reader_close(void *reader);

int  ff_writer_open(const leat_plugin_output *output, void **writer, leat_error *error);
int  ff_writer_buffer(void *writer, leat_frame *frame, leat_error *error);
int  ff_writer_send(void *writer, int64_t pts_ns, leat_error *error);
int  ff_writer_finish(void *writer, int flush, leat_error *error);
void ff_writer_close(void *writer);

/* Frame formats of FFmpeg as ours: what a decoded frame is given as, and whether its bytes are that already. */
typedef struct ff_format {
    leat_pixel_format format;
    enum AVPixelFormat as; /* FFmpeg's name of it */
    int               same; /* no conversion */
} ff_format;
ff_format ff_format_of(enum AVPixelFormat pixels);

#endif
