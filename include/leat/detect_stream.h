/* detect_stream.h - detection on a stream of frames: source, preprocessing, inference, tracking, drawing and outputs as one pipeline.
 *
 *     leat_detect_stream_open -> leat_detect_stream_start -> leat_detect_stream_wait (loop) -> leat_detect_stream_close
 *
 * The source fills pool buffers, the preprocessing writes the buffer that the model reads, boxes are decoded from the model's own outputs and
 * drawn into the frame that the source filled: pixels are copied nowhere, and while frames flow nothing is allocated outside of
 * sources and sinks.
 */
#ifndef LEAT_DETECT_STREAM_H
#define LEAT_DETECT_STREAM_H

#include "leat/pipeline.h"
#include "leat/track.h"
#include "leat/video.h"
#include "leat/workload.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* One frame's answer.  Everything is borrowed, for the time of the call. */
typedef struct leat_detect_result {
    const leat_frame        *frame;      /* drawn upon, if an output takes frames and options.draw is set */
    const leat_detection    *detections; /* [count] */
    int32_t                  count;
    const leat_detect_times *times;
    const char              *json;       /* {"frame":0,"pts_ns":0,"detections":[{"track":1,"class":0,"label":"..","score":0.9,"box":[x1,y1,x2,y2]}]} and a
                                            line end; track and label may be null; "landmarks":[[x,y],..] where the model has them */
    size_t                   json_bytes;
} leat_detect_result;

typedef enum leat_detect_draw { LEAT_DETECT_DRAW_NONE = 0, LEAT_DETECT_DRAW_BOXES = 1, LEAT_DETECT_DRAW_BRACKETS = 2 } leat_detect_draw;

enum { LEAT_DETECT_MAX_OUTPUTS = 8 };

typedef struct leat_detect_stream_options {
    size_t                size;      /* sizeof(leat_detect_stream_options), set by _default() */
    leat_detector_options detector;  /* .batch: frames of one run at most, taken as they come */
    leat_tracker_options  tracker;   /* .kind NONE: no tracks; byte wants boxes from .low on: set detector.nms.score to it */
    const leat_labels    *labels;    /* borrows until close; NULL = none */
    int32_t               replicas;  /* of the inference, 1.. */
    leat_pipeline_options pipeline;  /* .in_flight 0 = chosen; .live as leat_source_info.live says, unless set */
    const char *const    *outputs;   /* [n_outputs] ".jsonl" files, or sinks (video.h); copied */
    int32_t               n_outputs;
    leat_sink_options     sink;      /* .fps 0 = the source's */
    leat_detect_draw      draw;      /* into frames, if an output takes them */
    int32_t               overlay;   /* 1 = a panel with frame number and stage times */
    const char           *font;      /* file, NULL = the system's DejaVu Sans; without one boxes are drawn without text */
    void (*result)(void *user, const leat_detect_result *result); /* each frame in order, on the last stage's thread; or NULL */
    void *user;
} leat_detect_stream_options;

/* Fills *options: default detector, no tracks, one replica, boxes drawn.  RT-safe. */
void leat_detect_stream_options_default(leat_detect_stream_options *options);

typedef struct leat_detect_stream leat_detect_stream;

/* Opens detectors, tracker, outputs and the pipeline.  Shares the model; borrows the source until close; options: borrows.
 * *stream: the caller takes it.  What leat_detector_open(), leat_tracker_open() and leat_sink_open() return, LEAT_EINVAL, LEAT_ENOMEM.  Any thread. */
int leat_detect_stream_open(leat_model *model, leat_source *source, const leat_detect_stream_options *options, leat_detect_stream **stream,
                            leat_error *error);
/* Starts the threads.  What leat_pipeline_start() returns. */
int leat_detect_stream_start(leat_detect_stream *stream, leat_error *error);
/* Waits at most timeout_ns (negative: until the end).  LEAT_EAGAIN while it runs; LEAT_OK when the source has ended or was finished, and all
 * outputs are closed; else the failure that ended it: frames before it are in the outputs.  One thread. */
int leat_detect_stream_wait(leat_detect_stream *stream, int64_t timeout_ns, leat_error *error);
/* Ends the input; what is in flight is finished and written.  Any thread, not in a signal handler. */
void leat_detect_stream_finish(leat_detect_stream *stream);
/* Ends at once if it runs, frees.  NULL allowed. */
void leat_detect_stream_close(leat_detect_stream *stream);

/* The detectors' common facts, and the pipeline for its telemetry (owned by the stream). */
void leat_detect_stream_get_detector(const leat_detect_stream *stream, leat_detector_info *info);
leat_pipeline *leat_detect_stream_pipeline(leat_detect_stream *stream);

/* Sums over all frames so far.  Any thread. */
typedef struct leat_detect_stream_stats {
    int64_t frames, detections, candidates;
    double  preprocess_ms, infer_ms, decode_ms, nms_ms, track_ms, draw_ms, write_ms; /* sums */
    leat_tracker_stats tracker;
} leat_detect_stream_stats;
void leat_detect_stream_get_stats(leat_detect_stream *stream, leat_detect_stream_stats *stats);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
