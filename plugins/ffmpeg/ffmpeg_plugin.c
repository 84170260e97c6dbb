/* ffmpeg_plugin.c - the plugin's table, its errors and FFmpeg's log, whose last line often says what a code does not ("moov atom not
 * found").  The log callback is one for the process: a program that uses FFmpeg itself sets its own after opening a video. */
#include "ffmpeg_plugin.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char            log_line[256];

static void on_log(void *context, int level, const char *format, va_list args) {
    if (level > AV_LOG_ERROR) return;
    char text[sizeof log_line];
    vsnprintf(text, sizeof text, format, args);
    size_t n = strlen(text);
    while (n && (text[n - 1] == '\n' || text[n - 1] == ' ')) text[--n] = 0;
    if (!n) return;
    pthread_mutex_lock(&log_lock);
    memcpy(log_line, text, n + 1);
    pthread_mutex_unlock(&log_lock);
}

static void install_log(void) { av_log_set_callback(on_log); }

void ff_log_capture(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_log);
}

void ff_log_clear(void) {
    pthread_mutex_lock(&log_lock);
    log_line[0] = 0;
    pthread_mutex_unlock(&log_lock);
}

void ff_log_last(char *text, size_t size) {
    pthread_mutex_lock(&log_lock);
    snprintf(text, size, "%s", log_line);
    pthread_mutex_unlock(&log_lock);
}

int ff_fail(leat_error *error, int status, const char *format, ...) {
    if (!error) return status;
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    error->status = status;
    error->offset = 0;
    return status;
}

int ff_status(int code) {
    switch (code) {
    case AVERROR(ENOMEM): return LEAT_ENOMEM;
    case AVERROR_EXIT: return LEAT_ECANCELLED;
    case AVERROR_EOF: return LEAT_EEND;
    case AVERROR_INVALIDDATA: return LEAT_EFORMAT;
    case AVERROR_DECODER_NOT_FOUND:
    case AVERROR_DEMUXER_NOT_FOUND:
    case AVERROR_ENCODER_NOT_FOUND:
    case AVERROR_PROTOCOL_NOT_FOUND:
    case AVERROR_PATCHWELCOME: return LEAT_EUNSUPPORTED;
    }
    return LEAT_EIO;
}

int ff_fail_code(leat_error *error, int code, const char *what) {
    char text[AV_ERROR_MAX_STRING_SIZE] = "", line[sizeof log_line];
    av_strerror(code, text, sizeof text);
    ff_log_last(line, sizeof line);
    return ff_fail(error, ff_status(code), "%s: %s%s%s%s", what, text, line[0] ? " (" : "", line, line[0] ? ")" : "");
}

ff_format ff_format_of(enum AVPixelFormat pixels) {
    switch (pixels) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P: return (ff_format){LEAT_PIXEL_I420, pixels, 1};
    case AV_PIX_FMT_NV12: return (ff_format){LEAT_PIXEL_NV12, pixels, 1};
    case AV_PIX_FMT_UYVY422: return (ff_format){LEAT_PIXEL_UYVY, pixels, 1};
    case AV_PIX_FMT_YUYV422: return (ff_format){LEAT_PIXEL_YUY2, pixels, 1};
    case AV_PIX_FMT_RGB24: return (ff_format){LEAT_PIXEL_RGB24, pixels, 1};
    case AV_PIX_FMT_BGR24: return (ff_format){LEAT_PIXEL_BGR24, pixels, 1};
    case AV_PIX_FMT_RGB0:
    case AV_PIX_FMT_RGBA: return (ff_format){LEAT_PIXEL_RGBA, pixels, 1};
    case AV_PIX_FMT_BGR0:
    case AV_PIX_FMT_BGRA: return (ff_format){LEAT_PIXEL_BGRA, pixels, 1};
    case AV_PIX_FMT_YUV422P:
    case AV_PIX_FMT_YUVJ422P: return (ff_format){LEAT_PIXEL_UYVY, AV_PIX_FMT_UYVY422, 0};
    default: break;
    }
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(pixels);
    if (d && (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL))) return (ff_format){LEAT_PIXEL_RGB24, AV_PIX_FMT_RGB24, 0};
    return (ff_format){LEAT_PIXEL_I420, AV_PIX_FMT_YUV420P, 0};
}

#pragma GCC visibility push(default)
const leat_video_plugin *leat_video_plugin_1(void);
#pragma GCC visibility pop

const leat_video_plugin *leat_video_plugin_1(void) {
    static leat_video_plugin table = {.size = sizeof table, .reader_open = ff_reader_open, .reader_ready = ff_reader_ready, .reader_read = ff_reader_read,
                                      .reader_skip = ff_reader_skip, .reader_rewind = ff_reader_rewind, .reader_close = ff_reader_close,
                                      .writer_open = ff_writer_open, .writer_buffer = ff_writer_buffer, .writer_send = ff_writer_send,
                                      .writer_finish = ff_writer_finish, .writer_close = ff_writer_close};
    table.version = av_version_info();
    return &table;
}
