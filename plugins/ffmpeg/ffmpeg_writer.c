/* ffmpeg_writer.c - MP4, MKV and what else FFmpeg writes, as I420, through the host's write and seek.
 *
 * Stamps are in 1/60000 s, which the usual rates divide and MPEG-4 part 2 allows, so frames keep their own times; in containers of one
 * rate (AVI, elementary streams) they are numbers of frames.  Encoders want even sides: an odd last column or row is repeated in the
 * encoder's frame.
 */
#include "ffmpeg_plugin.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/opt.h>

#define IO_BYTES (1 << 17)
#define TICKS 60000
#define DEFAULT_PRESET "ultrafast" /* against "veryfast" at crf 18: a quarter of the time, twice the file, within about 1 dB; see SPEED.md */

typedef struct writer {
    leat_plugin_output output;
    AVFormatContext   *container;
    AVIOContext       *io;
    AVCodecContext    *encoder;
    AVStream          *stream;
    AVPacket          *packet;
    AVFrame           *frame;
    int64_t            last; /* stamp of the frame sent last */
    int                started;
} writer;

static int on_write(void *opaque, uint8_t *data, int bytes) {
    writer *w = opaque;
    int n = w->output.write(w->output.user, data, bytes);
    return n >= 0 ? n : AVERROR(EIO);
}

static int64_t on_seek(void *opaque, int64_t offset, int whence) {
    writer *w = opaque;
    return whence == SEEK_SET ? w->output.seek(w->output.user, offset) : AVERROR(ENOSYS);
}

static int open_container(writer *w, leat_error *error) {
    const char *name = w->output.name;
    const AVOutputFormat *format = av_guess_format(NULL, name, NULL);
    if (!format || format->flags & AVFMT_NOFILE) return ff_fail(error, LEAT_EUNSUPPORTED, "%s: no container for this suffix; .mp4 and .mkv are the usual ones", name);
    int code = avformat_alloc_output_context2(&w->container, format, NULL, NULL);
    uint8_t *buffer = av_malloc(IO_BYTES);
    w->io = buffer ? avio_alloc_context(buffer, IO_BYTES, 1, w, NULL, on_write, on_seek) : NULL;
    w->stream = code >= 0 ? avformat_new_stream(w->container, NULL) : NULL;
    w->packet = av_packet_alloc();
    w->frame = av_frame_alloc();
    if (!w->io) av_free(buffer);
    if (!w->io || !w->stream || !w->packet || !w->frame) return ff_fail(error, LEAT_ENOMEM, "%s: out of memory", name);
    w->container->pb = w->io;
    w->container->flags |= AVFMT_FLAG_CUSTOM_IO;
    return LEAT_OK;
}

/* H.264 unless the container refuses it; one that cannot tell (MPEG-TS) takes it. */
static const AVCodec *choose_codec(const writer *w) {
    const AVOutputFormat *format = w->container->oformat;
    char name[sizeof w->output.options->codec];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(w->output.options->codec, ":"), w->output.options->codec);
    if (name[0]) return avcodec_find_encoder_by_name(name);
    const AVCodec *x264 = avcodec_find_encoder_by_name("libx264"), *mpeg4 = avcodec_find_encoder(AV_CODEC_ID_MPEG4);
    if (x264 && avformat_query_codec(format, AV_CODEC_ID_H264, FF_COMPLIANCE_NORMAL) != 0) return x264;
    if (mpeg4 && avformat_query_codec(format, AV_CODEC_ID_MPEG4, FF_COMPLIANCE_NORMAL) != 0) return mpeg4;
    return avcodec_find_encoder(format->video_codec);
}

/* I420 under one of FFmpeg's two names, or none. */
static enum AVPixelFormat choose_pixels(const AVCodec *codec) {
    enum AVPixelFormat found = AV_PIX_FMT_NONE;
    if (!codec->pix_fmts) return AV_PIX_FMT_YUV420P;
    for (const enum AVPixelFormat *p = codec->pix_fmts; *p != AV_PIX_FMT_NONE; p++) {
        if (*p == AV_PIX_FMT_YUV420P) return *p;
        if (*p == AV_PIX_FMT_YUVJ420P) found = *p;
    }
    return found;
}

/* Preset, and quality 1..100 as constant rate factor or quantiser: 90 gives crf 18, quantiser 5.  0: there is no such preset. */
static int set_quality(writer *w) {
    const leat_sink_options *o = w->output.options;
    AVCodecContext *e = w->encoder;
    const char *colon = strchr(o->codec, ':');
    if (colon && av_opt_set(e->priv_data, "preset", colon + 1, 0) < 0) return 0;
    if (!colon) av_opt_set(e->priv_data, "preset", DEFAULT_PRESET, 0); /* what is no x264 may not know it */
    if (o->bitrate_kbps > 0) {
        e->bit_rate = (int64_t)o->bitrate_kbps * 1000;
    } else if (av_opt_find(e->priv_data, "crf", NULL, 0, 0)) {
        av_opt_set_double(e->priv_data, "crf", 51.0 - 0.367 * o->quality, 0);
        e->bit_rate = 0;
    } else {
        e->flags |= AV_CODEC_FLAG_QSCALE;
        e->global_quality = FF_QP2LAMBDA * (int)lrint(2.0 + (100 - o->quality) * 0.29);
    }
    return 1;
}

static int has_one_rate(const writer *w, const AVCodec *codec) {
    const AVOutputFormat *format = w->container->oformat;
    return format->flags & AVFMT_NOTIMESTAMPS || strcmp(format->name, "avi") == 0 || codec->id == AV_CODEC_ID_MPEG2VIDEO || codec->id == AV_CODEC_ID_MPEG1VIDEO;
}

static int open_encoder(writer *w, leat_error *error) {
    const leat_plugin_shape *s = &w->output.shape;
    const AVCodec *codec = choose_codec(w);
    const char *wanted = w->output.options->codec;
    if (!codec) return ff_fail(error, LEAT_EUNSUPPORTED, "%s: these FFmpeg libraries have no encoder '%s'", w->output.name, wanted[0] ? wanted : "libx264 or mpeg4");
    enum AVPixelFormat pixels = codec->type == AVMEDIA_TYPE_VIDEO ? choose_pixels(codec) : AV_PIX_FMT_NONE;
    if (pixels == AV_PIX_FMT_NONE) return ff_fail(error, LEAT_EUNSUPPORTED, "%s: encoder '%s' does not take 8-bit 4:2:0 video", w->output.name, codec->name);
    AVCodecContext *e = w->encoder = avcodec_alloc_context3(codec);
    if (!e) return ff_fail(error, LEAT_ENOMEM, "%s: out of memory", w->output.name);
    e->width = (s->width + 1) & ~1;
    e->height = (s->height + 1) & ~1;
    e->pix_fmt = pixels;
    e->framerate = av_d2q(s->fps, TICKS);
    e->time_base = has_one_rate(w, codec) ? av_inv_q(e->framerate) : (AVRational){1, TICKS};
    if (has_one_rate(w, codec)) e->max_b_frames = 0; /* reordered frames would need stamps */
    e->colorspace = s->matrix == LEAT_MATRIX_BT709 ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
    e->color_range = s->full_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    e->thread_count = w->output.options->threads;
    if (w->container->oformat->flags & AVFMT_GLOBALHEADER) e->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
    if (!set_quality(w)) return ff_fail(error, LEAT_EUNSUPPORTED, "%s: encoder '%s' has no presets", w->output.name, codec->name);
    int code = avcodec_open2(e, codec, NULL);
    if (code >= 0) code = avcodec_parameters_from_context(w->stream->codecpar, e);
    w->stream->time_base = e->time_base;
    w->stream->avg_frame_rate = e->framerate;
    if (code >= 0) code = avformat_write_header(w->container, NULL);
    if (code < 0) return ff_fail_code(error, code, w->output.name);
    w->started = 1;
    return LEAT_OK;
}

int ff_writer_open(const leat_plugin_output *output, void **out, leat_error *error) {
    writer *w = calloc(1, sizeof *w);
    *out = NULL;
    if (!w) return ff_fail(error, LEAT_ENOMEM, "%s: out of memory", output->name);
    ff_log_capture();
    ff_log_clear();
    w->output = *output;
    w->last = -1;
    int status = open_container(w, error);
    if (status == LEAT_OK) status = open_encoder(w, error);
    if (status == LEAT_OK) *out = w;
    else ff_writer_close(w);
    return status;
}

int ff_writer_buffer(void *writer_, leat_frame *frame, leat_error *error) {
    writer *w = writer_;
    AVFrame *f = w->frame;
    int code = 0;
    if (!f->data[0] || !av_frame_is_writable(f)) { /* an encoder that looks ahead holds the last one */
        av_frame_unref(f);
        f->format = w->encoder->pix_fmt;
        f->width = w->encoder->width;
        f->height = w->encoder->height;
        code = av_frame_get_buffer(f, 0);
    }
    if (code < 0) return ff_fail_code(error, code, w->output.name);
    frame->format = LEAT_PIXEL_I420;
    frame->width = w->output.shape.width;
    frame->height = w->output.shape.height;
    for (int p = 0; p < 3; p++) {
        frame->plane[p] = f->data[p];
        frame->stride[p] = f->linesize[p];
    }
    return LEAT_OK;
}

static void repeat_edges(const writer *w) {
    AVFrame *f = w->frame;
    int width = w->output.shape.width, height = w->output.shape.height;
    if (width & 1)
        for (int y = 0; y < height; y++) f->data[0][y * f->linesize[0] + width] = f->data[0][y * f->linesize[0] + width - 1];
    if (height & 1) memcpy(f->data[0] + height * f->linesize[0], f->data[0] + (height - 1) * f->linesize[0], (size_t)f->width);
}

/* Moves finished packets into the container. */
static int drain(writer *w) {
    for (;;) {
        int code = avcodec_receive_packet(w->encoder, w->packet);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF) return 0;
        if (code < 0) return code;
        if (w->packet->duration <= 0) w->packet->duration = av_rescale_q(1, av_inv_q(w->encoder->framerate), w->encoder->time_base);
        av_packet_rescale_ts(w->packet, w->encoder->time_base, w->stream->time_base);
        w->packet->stream_index = w->stream->index;
        code = av_write_frame(w->container, w->packet);
        av_packet_unref(w->packet);
        if (code < 0) return code;
    }
}

int ff_writer_send(void *writer_, int64_t pts_ns, leat_error *error) {
    writer *w = writer_;
    int64_t stamp = av_rescale_q(pts_ns, (AVRational){1, 1000000000}, w->encoder->time_base);
    if (stamp <= w->last) stamp = w->last + 1;
    w->frame->pts = w->last = stamp;
    w->frame->pict_type = AV_PICTURE_TYPE_NONE;
    repeat_edges(w);
    int code = avcodec_send_frame(w->encoder, w->frame);
    if (code >= 0) code = drain(w);
    return code >= 0 ? LEAT_OK : ff_fail_code(error, code, w->output.name);
}

int ff_writer_finish(void *writer_, int flush, leat_error *error) {
    writer *w = writer_;
    int code = 0;
    if (flush) {
        code = avcodec_send_frame(w->encoder, NULL);
        if (code >= 0) code = drain(w);
    }
    int trailer = av_write_trailer(w->container);
    avio_flush(w->io);
    w->started = 0;
    if (code >= 0) code = trailer < 0 ? trailer : w->io->error < 0 ? w->io->error : 0;
    return code >= 0 ? LEAT_OK : ff_fail_code(error, code, w->output.name);
}

void ff_writer_close(void *writer_) {
    writer *w = writer_;
    av_frame_free(&w->frame);
    av_packet_free(&w->packet);
    avcodec_free_context(&w->encoder);
    if (w->io) {
        av_freep(&w->io->buffer);
        avio_context_free(&w->io);
    }
    if (w->container) {
        w->container->pb = NULL;
        avformat_free_context(w->container);
    }
    free(w);
}
