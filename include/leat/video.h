/* video.h - frames, and where they come from and go to: sources and sinks.
 *
 * A source fills buffers of the caller, one frame at a time; so a pipeline's pool buffers are filled directly, as many as it likes are in
 * flight, and a frame may be drawn upon:
 *
 *     leat_source *source = NULL;
 *     leat_source_info info;
 *     int status = leat_source_open("clip.mp4", NULL, &source, &error);
 *     leat_source_describe(source, &info);
 *     uint8_t *buffer = aligned_alloc(64, (info.frame_bytes + 127) / 64 * 64);
 *     leat_frame frame;
 *     while ((status = leat_source_next(source, buffer, info.frame_bytes, &frame, &error)) == LEAT_OK) use(&frame);
 *     ok = status == LEAT_EEND;
 *     leat_source_close(source);
 *
 * What a source or sink is told (spec):
 *
 *     clip.mp4  rtsp://...  /dev/video0   whatever FFmpeg's libraries read, through the plugin leat_ffmpeg.so
 *     clip.y4m  photo.jpg  photo.png      told apart by content
 *     folder/   'shots/f*.jpg'            the JPEG and PNG files in it, in natural order (f2 before f10)
 *     -                                   standard input: Y4M, raw frames (options.raw_width), else through the plugin
 *     scene:[KEY=VALUE,...]               a synthetic scene with ground truth (docs/scene.md)
 *     out.mp4 .mkv   out.y4m   -          sinks: video through the plugin; Y4M into a file or to standard output
 *     f%04d.jpg .png   folder/   null:    sinks: one picture a frame (a folder gets %06d.jpg); nothing
 */
#ifndef LEAT_VIDEO_H
#define LEAT_VIDEO_H

#include "leat/media.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* ---- frames --------------------------------------------------------------------------------------------------------------- */

/* X(name, number, text, planes, bytes of a pixel or pair in plane 0, pixels they cover, chroma is halved in height). */
#define LEAT_PIXEL_LIST(X)           \
    X(RGB24, 0, "rgb24", 1, 3, 1, 0) \
    X(BGR24, 1, "bgr24", 1, 3, 1, 0) \
    X(RGBA, 2, "rgba", 1, 4, 1, 0)   \
    X(BGRA, 3, "bgra", 1, 4, 1, 0)   \
    X(UYVY, 4, "uyvy", 1, 4, 2, 0)   \
    X(YUY2, 5, "yuy2", 1, 4, 2, 0)   \
    X(NV12, 6, "nv12", 2, 1, 1, 1)   \
    X(I420, 7, "i420", 3, 1, 1, 1)

/* Memory order of the bytes: UYVY is U0 Y0 V0 Y1, YUY2 is Y0 U0 Y1 V0, NV12 has interleaved U V in plane[1], I420 has U in plane[1] and
 * V in plane[2].  Odd sizes: chroma and pairs are rounded up.  8 bits a sample. */
typedef enum leat_pixel_format {
#define LEAT_PIXEL_ENUM(name, number, text, planes, bytes, pixels, halved) LEAT_PIXEL_##name = number,
    LEAT_PIXEL_LIST(LEAT_PIXEL_ENUM)
#undef LEAT_PIXEL_ENUM
    LEAT_PIXEL_COUNT
} leat_pixel_format;

typedef enum leat_color_matrix { LEAT_MATRIX_BT601 = 0, LEAT_MATRIX_BT709 = 1 } leat_color_matrix;

#define LEAT_FRAME_MAX_SIDE 65535

/* A picture with its place in time.  It borrows its pixels; each function says whose they are. */
typedef struct leat_frame {
    leat_pixel_format format;
    leat_color_matrix matrix;     /* of YUV formats */
    int32_t  full_range;          /* YUV: 1 = 0..255, 0 = 16..235 (chroma 16..240) */
    int32_t  width, height;       /* pixels */
    uint8_t *plane[3];            /* unused ones NULL */
    int64_t  stride[3];           /* bytes from a row to the next */
    int64_t  index;               /* number of the frame in its source, from 0; frames that were left out count */
    int64_t  pts_ns;              /* presentation time from the start of the source, strictly increasing */
    int64_t  capture_ns;          /* CLOCK_MONOTONIC: camera: of the capture; paced: when it was due; else when reading it began */
} leat_frame;

/* "uyvy", ...; NULL when out of range.  Any thread, RT-safe. */
const char *leat_pixel_format_name(leat_pixel_format format);
/* Parses a name.  LEAT_EINVAL when unknown.  Any thread, RT-safe. */
int leat_pixel_format_parse(const char *name, leat_pixel_format *format);

/* Bytes of a width x height frame as leat_frame_layout() lays it out; 0 when a value is out of range.  Any thread, RT-safe. */
size_t leat_frame_bytes(leat_pixel_format format, int width, int height);
/* Sets format, width, height, planes and strides of *frame: the planes one after the other from `buffer` on [leat_frame_bytes()], rows
 * without gaps, nothing else touched.  The frame borrows the buffer.  LEAT_EINVAL.  Any thread, RT-safe. */
int leat_frame_layout(leat_frame *frame, leat_pixel_format format, int width, int height, void *buffer);
/* 1 when the format, size, planes and strides of *frame can be walked without leaving it.  Any thread, RT-safe. */
int leat_frame_is_valid(const leat_frame *frame);
/* Fills *frame: an RGB24 view of `image`, which is borrowed; index and times 0.  LEAT_EINVAL.  Any thread, RT-safe. */
int leat_frame_from_image(const leat_image *image, leat_frame *frame);
/* Converts the pixels of `source` into those of `target`, whose format, size, planes, matrix and range the caller has set; both of one
 * size, not overlapping.  Chroma is repeated upwards and averaged downwards; alpha becomes 255.  index and times are copied.
 * LEAT_EINVAL.  Any thread, RT-safe. */
int leat_frame_convert(const leat_frame *source, leat_frame *target);

/* ---- sources -------------------------------------------------------------------------------------------------------------- */

/* One thread at a time, but for leat_source_describe(), _cancel() and _truth(). */
typedef struct leat_source leat_source;

typedef struct leat_source_options {
    size_t  size;            /* sizeof(leat_source_options), set by _default() */
    double  live_fps;        /* > 0: paced like a camera of this rate; frames whose time is over are left out and counted */
    int32_t loop;            /* times that the input is played; 1, 0 = for ever */
    int32_t stride;          /* every n-th frame; 1 */
    int64_t max_frames;      /* frames given in all; 0 = no limit */
    uint64_t max_pixels;     /* refuse larger frames; 2^28 */
    int32_t raw_width, raw_height; /* > 0: the input is raw frames without a header, of this size ... */
    leat_pixel_format raw_format;  /* ... and this format, rows without gaps; also asked of a camera with raw_width */
    double  fps;             /* rate of inputs that have none (pictures, raw frames), or asked of a camera; 30 */
    int32_t threads;         /* of a video decoder, 0 = its own choice */
} leat_source_options;

/* Fills *options with the defaults above, 0 where none is named.  RT-safe. */
void leat_source_options_default(leat_source_options *options);

/* Opens `spec` (see the top).  options: borrows, NULL = defaults.  *source: the caller takes it, leat_source_close().  LEAT_EIO,
 * LEAT_EFORMAT, LEAT_EUNSUPPORTED (also a missing plugin; the message names the package), LEAT_ELIMIT, LEAT_EINVAL, LEAT_ENOMEM.
 * Any thread; may wait for the first frame. */
int leat_source_open(const char *spec, const leat_source_options *options, leat_source **source, leat_error *error);
/* Opens the pictures `paths` [count], in that order; they are copied. */
int leat_source_open_list(const char *const *paths, int count, const leat_source_options *options, leat_source **source, leat_error *error);
/* NULL allowed. */
void leat_source_close(leat_source *source);

typedef struct leat_source_info {
    const char       *kind;          /* "y4m", "pictures", "raw", "scene", "video", "camera"; static */
    char              detail[96];    /* such as "h264 in mov,mp4"; may be empty */
    leat_pixel_format format;        /* of the next frame, as far as known; it may change in mid-stream, as may the size */
    leat_color_matrix matrix;
    int32_t           full_range;
    int32_t           width, height; /* pixels; 0 when nothing is known before the first frame */
    double            fps;           /* frames a second, 0 = unknown or varying */
    int64_t           frames;        /* in all with loop, stride and max_frames applied; -1 = unknown or endless */
    int32_t           live;          /* 1 = frames come at their own pace: a camera, a stream, live_fps */
    size_t            frame_bytes;   /* buffer that the next frame needs */
    /* Counters. */
    int64_t           given;         /* frames that leat_source_next() has filled */
    int64_t           late;          /* left out because their time was over (live_fps), or dropped by the camera */
    int64_t           damaged;       /* pictures or packets that could not be decoded and were left out */
    char              damage[256];   /* what was wrong with the last of them */
    int64_t           retimed;       /* frames whose time stamp was absent or not increasing, and was made up */
} leat_source_info;

/* Fills *info, as of the last call of next().  Any thread; takes a lock that next() holds for a copy. */
void leat_source_describe(const leat_source *source, leat_source_info *info);

/* Reads the next frame into `buffer` [bytes; 64-byte aligned for speed; NULL with 0] and fills *frame, which borrows the buffer.
 * LEAT_EEND after the last one.  LEAT_ELIMIT when the frame needs more than `bytes`: nothing is lost, call again with
 * leat_source_info.frame_bytes.  LEAT_EFORMAT, LEAT_EIO: the input is broken from here on; what came before was whole.
 * LEAT_ECANCELLED.  Not RT-safe: reads, decodes, waits; allocates only when the size of frames grows. */
int leat_source_next(leat_source *source, void *buffer, size_t bytes, leat_frame *frame, leat_error *error);
/* Makes a next() in progress and all later ones return LEAT_ECANCELLED soon.  Any thread, signal handlers too; RT-safe. */
void leat_source_cancel(leat_source *source);

/* An object that is known to be in a frame of a synthetic scene. */
typedef struct leat_truth {
    int32_t track;         /* identity over frames, from 1 */
    int32_t class_index;   /* 0 coin, 1 bead */
    float   box[4];        /* x1, y1, x2, y2 in frame pixels, clipped to the frame */
    float   visible;       /* fraction of the object's area that is inside the frame and not covered, 0..1 */
} leat_truth;

/* Fills objects [capacity] with those of frame `index`, one that leat_source_next() gave not long ago (the last 128 are kept), and *count
 * with their number, which may be above capacity.  objects may be NULL with capacity 0.  LEAT_EUNSUPPORTED for sources without ground
 * truth, LEAT_EINVAL.  Any thread, RT-safe. */
int leat_source_truth(const leat_source *source, int64_t index, leat_truth *objects, int capacity, int *count);

/* ---- sinks ---------------------------------------------------------------------------------------------------------------- */

/* One thread at a time. */
typedef struct leat_sink leat_sink;

typedef struct leat_sink_options {
    size_t  size;            /* sizeof(leat_sink_options), set by _default() */
    double  fps;             /* of the output, for its header and constant-rate formats; 0 = 30 */
    int32_t quality;         /* 1..100: of JPEG as usual, of video on the same scale (90 is visually lossless); default 90 */
    int32_t bitrate_kbps;    /* video: > 0 instead of quality */
    char    codec[32];       /* video: an FFmpeg encoder, with its preset after a colon ("libx264:veryfast"); empty = libx264:ultrafast if
                                there is one, else mpeg4 */
    int32_t threads;         /* of a video encoder, 0 = its own choice */
} leat_sink_options;

/* Fills *options with the defaults above.  RT-safe. */
void leat_sink_options_default(leat_sink_options *options);

/* Opens `spec` (see the top); files are written under a temporary name beside it and renamed by leat_sink_close().  options: borrows,
 * NULL = defaults.  *sink: the caller takes it.  LEAT_EIO, LEAT_EUNSUPPORTED (unknown suffix, missing plugin or encoder), LEAT_EINVAL,
 * LEAT_ENOMEM.  Any thread. */
int leat_sink_open(const char *spec, const leat_sink_options *options, leat_sink **sink, leat_error *error);
/* Writes a frame, borrowed during the call.  The first one settles size and format of a video; later ones of another size are
 * LEAT_ESHAPE.  Times must increase, or are made up.  LEAT_EIO (disk full, pipe closed): what was written so far stays whole.
 * Not RT-safe: writes, encodes. */
int leat_sink_write(leat_sink *sink, const leat_frame *frame, leat_error *error);
/* Frames written so far.  RT-safe. */
int64_t leat_sink_frames(const leat_sink *sink);
/* Finishes the file, renames it to its name (nothing is left when no frame was written), frees the sink in any case.  NULL allowed.
 * LEAT_EIO; what could be kept is kept. */
int leat_sink_close(leat_sink *sink, leat_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
