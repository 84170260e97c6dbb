/* ffmpeg_reader.c - video files, streams and V4L2 cameras, frame by frame.
 *
 * reader_ready() decodes until a frame is there; reader_read() moves it into the caller's planes, byte by byte where the decoder's format
 * is one of ours (I420, NV12, packed 4:2:2, RGB), else by libswscale to the nearest of them.  A packet or frame that cannot be decoded is
 * counted and left out; an error of the container ends the input, after the frames that are still in the decoder.
 * A file decodes with frame threads; a live input with slice threads and without delay, because frame threads hold frames back.
 */
#include "ffmpeg_plugin.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libavcodec/avcodec.h>
#include <libavdevice/avdevice.h>
#include <libavformat/avformat.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#define IO_BYTES 65536
#define CLOCK_SLACK_NS 10000000000ll /* a camera's stamp within this of CLOCK_MONOTONIC is taken to be of that clock */

typedef struct reader {
    leat_plugin_input  input;
    AVFormatContext   *container;
    AVIOContext       *io; /* over input.read; NULL when FFmpeg opened the spec */
    AVCodecContext    *decoder;
    AVStream          *stream;
    AVPacket          *packet;
    AVFrame           *frame;
    struct SwsContext *scaler;
    leat_plugin_shape  shape;
    int64_t            start;  /* stamp of the first frame in the stream's time base, AV_NOPTS_VALUE before */
    int                is_ready, is_camera, drained;
    int                broken; /* AVERROR of the container, reported once the decoder is empty */
} reader;

/* ---- bytes from the host ---------------------------------------------------------------------------------------------------- */

static int on_read(void *opaque, uint8_t *data, int bytes) {
    reader *r = opaque;
    int n = r->input.read(r->input.user, data, bytes);
    return n > 0 ? n : n == 0 ? AVERROR_EOF : r->input.cancelled(r->input.user) ? AVERROR_EXIT : AVERROR(EIO);
}

static int64_t on_seek(void *opaque, int64_t offset, int whence) {
    reader *r = opaque;
    if (whence & AVSEEK_SIZE) return r->input.size(r->input.user);
    return (whence & ~AVSEEK_FORCE) == SEEK_SET ? r->input.seek(r->input.user, offset) : AVERROR(EINVAL);
}

static int on_interrupt(void *opaque) {
    reader *r = opaque;
    return r->input.cancelled(r->input.user);
}

/* ---- opening ---------------------------------------------------------------------------------------------------------------- */

static int starts_with(const char *text, const char *head) { return strncmp(text, head, strlen(head)) == 0; }

static int is_live_url(const char *spec) {
    static const char *const heads[] = {"rtsp://", "rtsps://", "rtp://", "udp://", "srt://", "rtmp://"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (starts_with(spec, heads[i])) return 1;
    return 0;
}

/* What is asked of a camera: rate, and size and format when the options name them. */
static void camera_options(const leat_source_options *o, AVDictionary **dict) {
    static const char *const formats[LEAT_PIXEL_COUNT] = {"rgb24", "bgr24", NULL, NULL, "uyvy422", "yuyv422", "nv12", "yuv420p"};
    char text[48];
    snprintf(text, sizeof text, "%g", o->fps);
    av_dict_set(dict, "framerate", text, 0);
    if (!o->raw_width) return;
    snprintf(text, sizeof text, "%dx%d", o->raw_width, o->raw_height);
    av_dict_set(dict, "video_size", text, 0);
    if (formats[o->raw_format]) av_dict_set(dict, "pixel_format", formats[o->raw_format], 0);
}

static int open_container(reader *r, leat_error *error) {
    const char *spec = r->input.spec;
    char url[4200];
    const AVInputFormat *format = NULL;
    AVDictionary *dict = NULL;
    r->container = avformat_alloc_context();
    if (!r->container) return ff_fail(error, LEAT_ENOMEM, "%s: out of memory", spec);
    r->container->interrupt_callback = (AVIOInterruptCB){on_interrupt, r};
    if (r->input.read) {
        uint8_t *buffer = av_malloc(IO_BYTES);
        r->io = buffer ? avio_alloc_context(buffer, IO_BYTES, 0, r, on_read, NULL, r->input.seek ? on_seek : NULL) : NULL;
        if (!r->io) return av_free(buffer), ff_fail(error, LEAT_ENOMEM, "%s: out of memory", spec);
        r->container->pb = r->io;
    }
    if (r->is_camera) {
        format = av_find_input_format("video4linux2");
        if (!format) return ff_fail(error, LEAT_EUNSUPPORTED, "%s: these FFmpeg libraries have no V4L2 input", spec);
        camera_options(r->input.options, &dict);
    }
    if (r->shape.live) r->container->flags |= AVFMT_FLAG_NOBUFFER;
    int is_file = !r->input.read && !r->is_camera && !strstr(spec, "://");
    snprintf(url, sizeof url, "%s%s", is_file ? "file:" : "", r->input.read ? "" : spec); /* a name with a colon is a file all the same */
    int code = avformat_open_input(&r->container, url, format, &dict);
    av_dict_free(&dict);
    if (code >= 0) code = avformat_find_stream_info(r->container, NULL);
    if (code >= 0) return LEAT_OK;
    return ff_fail_code(error, code == AVERROR_EOF ? AVERROR_INVALIDDATA : code, spec); /* the end inside a header is damage */
}

static int has_sound(const reader *r) {
    return av_find_best_stream(r->container, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0) >= 0;
}

static int open_decoder(reader *r, leat_error *error) {
    const char *spec = r->input.spec;
    const AVCodec *codec = NULL;
    int index = av_find_best_stream(r->container, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (index == AVERROR_STREAM_NOT_FOUND)
        return has_sound(r) ? ff_fail(error, LEAT_EUNSUPPORTED, "%s: no video in it", spec)
                            : ff_fail(error, LEAT_EFORMAT, "%s: no video in its header; it may be cut off", spec);
    if (index < 0) return ff_fail_code(error, index, spec);
    r->stream = r->container->streams[index];
    for (unsigned i = 0; i < r->container->nb_streams; i++)
        if ((int)i != index) r->container->streams[i]->discard = AVDISCARD_ALL;
    r->decoder = avcodec_alloc_context3(codec);
    if (!r->decoder) return ff_fail(error, LEAT_ENOMEM, "%s: out of memory", spec);
    int code = avcodec_parameters_to_context(r->decoder, r->stream->codecpar);
    r->decoder->pkt_timebase = r->stream->time_base;
    r->decoder->thread_count = r->input.options->threads;
    r->decoder->thread_type = r->shape.live ? FF_THREAD_SLICE : FF_THREAD_FRAME | FF_THREAD_SLICE;
    if (r->shape.live) r->decoder->flags |= AV_CODEC_FLAG_LOW_DELAY;
    r->decoder->max_pixels = (int64_t)r->input.options->max_pixels;
    if (code >= 0) code = avcodec_open2(r->decoder, codec, NULL);
    return code >= 0 ? LEAT_OK : ff_fail_code(error, code, spec);
}

static void describe(reader *r) {
    leat_plugin_shape *s = &r->shape;
    const AVCodecParameters *p = r->stream->codecpar;
    AVRational rate = av_guess_frame_rate(r->container, r->stream, NULL);
    s->width = p->width;
    s->height = p->height;
    s->format = ff_format_of((enum AVPixelFormat)p->format).format;
    s->fps = rate.num > 0 && rate.den > 0 ? av_q2d(rate) : 0;
    if (!(s->fps >= 1e-3 && s->fps <= 1e6)) s->fps = 0;
    s->frames = !s->live && r->stream->nb_frames > 0 ? r->stream->nb_frames : -1;
    s->can_rewind = !s->live && r->container->pb && (r->container->pb->seekable & AVIO_SEEKABLE_NORMAL);
    snprintf(s->detail, sizeof s->detail, "%s in %.*s", avcodec_get_name(p->codec_id), (int)strcspn(r->container->iformat->name, ","),
             r->container->iformat->name);
}

int ff_reader_open(const leat_plugin_input *input, void **out, leat_plugin_shape *shape, leat_error *error) {
    reader *r = calloc(1, sizeof *r);
    *out = NULL;
    if (!r) return ff_fail(error, LEAT_ENOMEM, "%s: out of memory", input->spec);
    ff_log_capture();
    ff_log_clear();
    r->input = *input;
    r->start = AV_NOPTS_VALUE;
    r->is_camera = starts_with(input->spec, "/dev/video");
    r->shape.live = r->is_camera || is_live_url(input->spec);
    if (r->is_camera) avdevice_register_all();
    r->packet = av_packet_alloc();
    r->frame = av_frame_alloc();
    int status = r->packet && r->frame ? LEAT_OK : ff_fail(error, LEAT_ENOMEM, "%s: out of memory", input->spec);
    if (status == LEAT_OK) status = open_container(r, error);
    if (status == LEAT_OK) status = open_decoder(r, error);
    if (status == LEAT_OK) {
        describe(r);
        status = ff_reader_ready(r, shape, error); /* so that size and format are those of a real frame */
        if (status == LEAT_EEND)
            status = ff_fail(error, LEAT_EFORMAT, "%s: no frame could be decoded%s%s", input->spec, r->shape.damaged ? ": " : "", r->shape.damage);
    }
    if (status == LEAT_OK) *out = r;
    else ff_reader_close(r);
    return status;
}

void ff_reader_close(void *reader_) {
    reader *r = reader_;
    sws_freeContext(r->scaler);
    av_frame_free(&r->frame);
    av_packet_free(&r->packet);
    avcodec_free_context(&r->decoder);
    avformat_close_input(&r->container);
    if (r->io) {
        av_freep(&r->io->buffer);
        avio_context_free(&r->io);
    }
    free(r);
}

/* ---- decoding --------------------------------------------------------------------------------------------------------------- */

static void note_damage(reader *r, const char *what, int code) {
    char text[AV_ERROR_MAX_STRING_SIZE] = "", line[160];
    if (code) av_strerror(code, text, sizeof text);
    ff_log_last(line, sizeof line);
    r->shape.damaged++;
    snprintf(r->shape.damage, sizeof r->shape.damage, "%s%s%s%s%s%s", what, code ? ": " : "", text, line[0] ? " (" : "", line, line[0] ? ")" : "");
}

/* Gives the decoder its next packet, or tells it that there are no more. */
static void feed(reader *r) {
    int code = av_read_frame(r->container, r->packet);
    if (code == AVERROR(EAGAIN)) {
        struct timespec pause = {0, 1000000}; /* a device without a frame; most wait by themselves */
        nanosleep(&pause, NULL);
        return;
    }
    if (code < 0) {
        if (code != AVERROR_EOF) r->broken = code;
        else if (r->container->pb && r->container->pb->error < 0) r->broken = r->container->pb->error;
        r->drained = 1;
        avcodec_send_packet(r->decoder, NULL);
        return;
    }
    if (r->packet->stream_index == r->stream->index) {
        if (r->packet->flags & AV_PKT_FLAG_CORRUPT) note_damage(r, "a packet is cut off", 0);
        code = avcodec_send_packet(r->decoder, r->packet);
        if (code < 0 && code != AVERROR(EAGAIN)) note_damage(r, "a packet cannot be decoded", code);
    }
    av_packet_unref(r->packet);
}

static int decode(reader *r, leat_error *error) {
    for (;;) {
        if (r->input.cancelled(r->input.user)) return ff_fail(error, LEAT_ECANCELLED, "%s: cancelled", r->input.spec);
        int code = avcodec_receive_frame(r->decoder, r->frame);
        if (code == 0) return LEAT_OK;
        if (code == AVERROR_EOF) return r->broken ? ff_fail_code(error, r->broken, r->input.spec) : LEAT_EEND;
        if (code == AVERROR(EAGAIN) && !r->drained) feed(r);
        else if (code == AVERROR(EAGAIN)) return LEAT_EEND;
        else if (code == AVERROR(ENOMEM)) return ff_fail_code(error, code, r->input.spec);
        else note_damage(r, "a frame cannot be decoded", code);
    }
}

/* What is not told is limited, but for grey, which nobody limits. */
static int is_full_range(const AVFrame *f) {
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get((enum AVPixelFormat)f->format);
    if (f->format == AV_PIX_FMT_YUVJ420P || f->format == AV_PIX_FMT_YUVJ422P || f->format == AV_PIX_FMT_YUVJ444P) return 1;
    return f->color_range == AVCOL_RANGE_JPEG || (f->color_range != AVCOL_RANGE_MPEG && d && d->nb_components <= 2);
}

static void take_shape(reader *r) {
    const AVFrame *f = r->frame;
    leat_plugin_shape *s = &r->shape;
    int small = f->width < 1280 && f->height < 720;
    s->width = f->width;
    s->height = f->height;
    s->format = ff_format_of((enum AVPixelFormat)f->format).format;
    s->full_range = is_full_range(f);
    s->matrix = small ? LEAT_MATRIX_BT601 : LEAT_MATRIX_BT709;
    if (f->colorspace == AVCOL_SPC_BT709 || f->colorspace == AVCOL_SPC_BT2020_NCL) s->matrix = LEAT_MATRIX_BT709;
    if (f->colorspace == AVCOL_SPC_BT470BG || f->colorspace == AVCOL_SPC_SMPTE170M) s->matrix = LEAT_MATRIX_BT601;
}

int ff_reader_ready(void *reader_, leat_plugin_shape *shape, leat_error *error) {
    reader *r = reader_;
    int status = r->is_ready ? LEAT_OK : decode(r, error);
    if (status == LEAT_OK && !r->is_ready) {
        take_shape(r);
        r->is_ready = 1;
    }
    *shape = r->shape;
    return status;
}

static int convert(reader *r, leat_frame *out, ff_format format, leat_error *error) {
    AVFrame *f = r->frame;
    int strides[4] = {(int)out->stride[0], (int)out->stride[1], (int)out->stride[2], 0};
    uint8_t *planes[4] = {out->plane[0], out->plane[1], out->plane[2], NULL};
    r->scaler = sws_getCachedContext(r->scaler, f->width, f->height, (enum AVPixelFormat)f->format, f->width, f->height, format.as, SWS_BILINEAR, NULL, NULL,
                                     NULL);
    if (!r->scaler) return ff_fail(error, LEAT_EUNSUPPORTED, "%s: pixel format %d cannot be converted", r->input.spec, f->format);
    const int *table = sws_getCoefficients(out->matrix == LEAT_MATRIX_BT709 ? SWS_CS_ITU709 : SWS_CS_ITU601);
    sws_setColorspaceDetails(r->scaler, table, out->full_range, table, out->full_range, 0, 1 << 16, 1 << 16); /* samples keep their range */
    int code = sws_scale(r->scaler, (const uint8_t *const *)f->data, f->linesize, 0, f->height, planes, strides);
    return code >= 0 ? LEAT_OK : ff_fail_code(error, code, r->input.spec);
}

/* A camera's stamps are of the kernel's clock, in the stream's time base. */
static int64_t capture_time(const reader *r, int64_t stamp) {
    struct timespec now;
    if (!r->is_camera || stamp == AV_NOPTS_VALUE) return 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t at = av_rescale_q(stamp, r->stream->time_base, (AVRational){1, 1000000000}), now_ns = now.tv_sec * 1000000000ll + now.tv_nsec;
    return at <= now_ns && now_ns - at < CLOCK_SLACK_NS ? at : 0;
}

int ff_reader_read(void *reader_, leat_frame *out, leat_error *error) {
    reader *r = reader_;
    AVFrame *f = r->frame;
    ff_format format = ff_format_of((enum AVPixelFormat)f->format);
    int status = LEAT_OK;
    if (format.same) {
        int strides[4] = {(int)out->stride[0], (int)out->stride[1], (int)out->stride[2], 0};
        uint8_t *planes[4] = {out->plane[0], out->plane[1], out->plane[2], NULL};
        av_image_copy(planes, strides, (const uint8_t **)f->data, f->linesize, format.as, f->width, f->height);
    } else {
        status = convert(r, out, format, error);
    }
    int64_t stamp = f->best_effort_timestamp;
    if (stamp != AV_NOPTS_VALUE && r->start == AV_NOPTS_VALUE)
        r->start = r->stream->start_time != AV_NOPTS_VALUE && r->stream->start_time <= stamp ? r->stream->start_time : stamp;
    out->pts_ns = stamp == AV_NOPTS_VALUE ? INT64_MIN : av_rescale_q(stamp - r->start, r->stream->time_base, (AVRational){1, 1000000000});
    out->capture_ns = capture_time(r, stamp);
    av_frame_unref(f);
    r->is_ready = 0;
    return status;
}

int ff_reader_skip(void *reader_, int64_t count, int64_t *left_out, leat_error *error) {
    reader *r = reader_;
    for (*left_out = 0; *left_out < count; ++*left_out) {
        int status = r->is_ready ? LEAT_OK : decode(r, error);
        if (status == LEAT_EEND) return LEAT_OK;
        if (status != LEAT_OK) return status;
        av_frame_unref(r->frame);
        r->is_ready = 0;
    }
    return LEAT_OK;
}

int ff_reader_rewind(void *reader_, leat_error *error) {
    reader *r = reader_;
    int64_t start = r->stream->start_time != AV_NOPTS_VALUE ? r->stream->start_time : 0;
    int code = avformat_seek_file(r->container, r->stream->index, INT64_MIN, start, start, 0);
    if (code < 0) return ff_fail_code(error, code, r->input.spec);
    avcodec_flush_buffers(r->decoder);
    r->is_ready = r->drained = r->broken = 0;
    return LEAT_OK;
}
