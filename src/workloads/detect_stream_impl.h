/* detect_stream_impl.h - what the stages of a detection stream share: the slot that travels, and the stream. */
#ifndef LEAT_WORKLOADS_DETECT_STREAM_IMPL_H
#define LEAT_WORKLOADS_DETECT_STREAM_IMPL_H

#include <pthread.h>
#include <stdio.h>

#include "base/str.h"
#include "leat/detect_stream.h"
#include "leat/draw.h"

enum { LEAT__PATH = 4096 };

/* The content of a pool item: a frame with everything that becomes known about it. */
typedef struct leat__slot {
    leat_frame        frame;
    uint8_t          *pixels;      /* [pixel_bytes], grown by the source stage */
    size_t            pixel_bytes;
    void             *input;       /* of the network, one image */
    leat_detection   *found;       /* [max_detections] */
    int32_t           count;
    leat_detect_view  view;
    leat_detect_times times;
    double            track_ms, draw_ms;
    leat_tracker_stats tracker;    /* after this frame */
} leat__slot;

/* One replica of the inference. */
typedef struct leat__infer {
    leat_detector     *detector;
    const void       **inputs;  /* [batch] */
    leat_detect_view  *views;
    leat_detection    *found;   /* [batch, max_detections] */
    int32_t           *counts;
    leat_detect_times *times;
} leat__infer;

/* A ".jsonl" file or a sink. */
typedef struct leat__output {
    char       path[LEAT__PATH];
    FILE      *lines;
    leat_sink *sink;
} leat__output;

struct leat_detect_stream {
    leat_detect_stream_options options;
    leat_source_info           source_info;
    leat_detector_info         info;
    leat_source   *source;
    leat_pool     *pool;
    leat_pipeline *pipeline;
    leat__infer   *infers;         /* [replicas] */
    void          *scratch;        /* of the preprocessing */
    leat_tracker  *tracker;
    int64_t        last_index;     /* of the tracker's last frame, -1 = none */
    leat_font     *font;
    leat__output   outputs[LEAT_DETECT_MAX_OUTPUTS];
    int32_t        n_outputs, frames_go_out;
    leat_strbuf    line;
    int            source_status;  /* what ended the source, LEAT_OK = its end */
    leat_error     source_error;
    pthread_mutex_t stats_lock;
    leat_detect_stream_stats stats;
};

/* Adds the stages to s->pipeline. */
int leat__detect_stages(leat_detect_stream *s, leat_error *error);
/* Opens and closes what the options name; close reports the first failure. */
int leat__outputs_open(leat_detect_stream *s, leat_error *error);
int leat__outputs_write(leat_detect_stream *s, const leat_frame *frame, leat_error *error);
int leat__outputs_close(leat_detect_stream *s, leat_error *error);
/* Replaces the line's text by the slot's JSON. */
int leat__slot_json(leat_strbuf *line, const leat__slot *slot, const leat_labels *labels);
/* Draws the slot's detections into its frame. */
void leat__slot_paint(const leat_detect_stream *s, leat__slot *slot);

#endif
