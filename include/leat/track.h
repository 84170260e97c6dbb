/* track.h - which detections of successive frames are the same object; and MOT Challenge text files.
 *
 *     leat_tracker_open -> leat_tracker_update (each frame) -> leat_tracker_close
 */
#ifndef LEAT_TRACK_H
#define LEAT_TRACK_H

#include "leat/detect.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef enum leat_track_kind {
    LEAT_TRACK_NONE = 0, /* detections pass as they are, those below `high` go */
    LEAT_TRACK_SORT = 1, /* one pass over detections of at least `high` (Bewley et al. 2016, with optimal assignment) */
    LEAT_TRACK_BYTE = 2  /* a second pass gives detections of `low`..`high` to the tracks that found none (Zhang et al. 2022) */
} leat_track_kind;
/* "none", "sort", "byte"; NULL when out of range.  Any thread, RT-safe. */
const char *leat_track_name(leat_track_kind kind);

typedef struct leat_tracker_options {
    size_t          size;           /* sizeof(leat_tracker_options), set by _default() */
    leat_track_kind kind;
    float           high, low;      /* scores */
    float           start;          /* score from which a detection without a track starts one */
    float           iou;            /* least overlap of a detection with where its track is expected, first pass */
    float           iou_low;        /* the same in the second pass */
    float           max_age;        /* frames that a track waits for its object to come back */
    int32_t         min_hits;       /* frames in a row before a track is reported; those of the first update are at once */
    int32_t         any_class;      /* 1 = classes may change within a track */
    float           box_weight;     /* of the new box in the smoothed one, 0..1; 1 = no smoothing */
    int32_t         score_window;   /* the score is the median of the track's last so many, 1..15 */
    int32_t         max_tracks;     /* alive at once; the one lost for longest gives way */
    int32_t         max_detections; /* of one update; the rest, behind them, is left out */
} leat_tracker_options;

/* Fills *options: byte, high 0.25, low 0.1, start 0.35, IoU 0.2 and 0.4, max_age 30, min_hits 2, box_weight 0.7, score_window 5, 512 tracks
 * and detections.  RT-safe. */
void leat_tracker_options_default(leat_tracker_options *options);

/* Tracks of one stream of frames.  One thread at a time. */
typedef struct leat_tracker leat_tracker;

/* Opens a tracker; all memory is made here.  options: borrows, NULL = defaults.  *tracker: the caller takes it.  LEAT_EINVAL names the
 * option, LEAT_ENOMEM.  Any thread. */
int leat_tracker_open(const leat_tracker_options *options, leat_tracker **tracker, leat_error *error);
/* NULL allowed. */
void leat_tracker_close(leat_tracker *tracker);

/* Takes the detections [n] of the next frame, `elapsed` frames after the last one (1, or more when frames were dropped).  Fills tracked [room
 * for n; may be `detections` itself] with those that belong to a reported track, in their order: track set, box and score smoothed,
 * all else as it was; *count: their number.  Boxes that are not finite or have no area are left out.  LEAT_EINVAL.  RT-safe. */
int leat_tracker_update(leat_tracker *tracker, const leat_detection *detections, int n, float elapsed, leat_detection *tracked, int *count);

typedef struct leat_tracker_stats {
    int64_t frames;    /* updates */
    int64_t tracks;    /* reported so far */
    int32_t alive;     /* now, the lost ones included */
    int32_t most;      /* at once so far */
    int64_t displaced; /* tracks that gave way to new ones for want of room */
} leat_tracker_stats;
/* RT-safe. */
void leat_tracker_get_stats(const leat_tracker *tracker, leat_tracker_stats *stats);

/* ---- MOT Challenge text --------------------------------------------------------------------------------------------------- */

/* A line: frame, id, left, top, width, height, score[, class[, ...]].  id and class -1 = none (track 0, class_id -1). */
typedef struct leat_mot_row {
    int64_t        frame; /* 0..2^53, usually from 1 */
    leat_detection detection;
} leat_mot_row;

/* Reads text [bytes], or the file `path` ("-" is standard input).  Fields are separated by commas or blanks; empty lines and those that begin with '#'
 * are skipped; a score that is missing is 1.  *rows [*count]: the caller takes it, leat_mot_free(); in order of frames, within a frame as
 * they stood.  LEAT_EFORMAT names the line, LEAT_EIO, LEAT_ELIMIT, LEAT_ENOMEM.  Any thread. */
int leat_mot_parse(const char *text, size_t bytes, leat_mot_row **rows, int64_t *count, leat_error *error);
int leat_mot_read(const char *path, leat_mot_row **rows, int64_t *count, leat_error *error);
/* NULL allowed. */
void leat_mot_free(leat_mot_row *rows);
/* Writes the line of `row`, with its line end, to `line` [LEAT_MOT_LINE]; returns its length.  Any thread, RT-safe. */
#define LEAT_MOT_LINE 320
int leat_mot_format(const leat_mot_row *row, char *line);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
