/* source.h - what a kind of source gives to source.c, which does what they share.
 *
 * source.c chooses the kind by the spec, and over it applies stride, loop, max_frames, pacing, numbering, strictly increasing time stamps
 * and cancelling.  A kind only knows its input once through, frame by frame:
 *
 *     int leat__scene_source_open(const char *spec, leat_source *base, leat_error *error)
 *     {
 *         scene *s = leat__calloc(1, sizeof *s, LEAT_MEMORY_IO);
 *         ... base->options are checked and complete ...
 *         base->kind = &scene_kind; base->state = s;
 *         base->next = (leat_source_next_frame){LEAT_PIXEL_NV12, LEAT_MATRIX_BT709, 0, width, height};
 *         base->fps = 30; base->frames = -1;
 *     }
 *
 * On failure open() frees what it made and leaves base->kind NULL.
 */
#ifndef LEAT_MEDIA_SOURCE_H
#define LEAT_MEDIA_SOURCE_H

#include <pthread.h>
#include <stdatomic.h>

#include "leat/video.h"
#include "media/stream.h"

/* Shape of the frame that comes next. */
typedef struct leat_source_next_frame {
    leat_pixel_format format;
    leat_color_matrix matrix;
    int32_t           full_range, width, height;
} leat_source_next_frame;

#define LEAT_NO_PTS INT64_MIN

typedef struct leat_source_kind {
    const char *name; /* leat_source_info.kind */
    int         live; /* frames come at their own pace */
    /* Makes the next frame ready and sets base->next to its shape, without giving it: LEAT_OK, LEAT_EEND, or a failure.  Called again
     * before read(), it does nothing.  NULL: the shape never changes and there is always a next frame. */
    int (*ready)(leat_source *base, leat_error *error);
    /* Fills the planes of *frame (laid out by leat_frame_layout() for base->next) with the frame that is ready and moves on; sets
     * frame->pts_ns from the start of the input or to LEAT_NO_PTS, and frame->capture_ns unless 0 is right (= when reading began).
     * What can fail belongs into ready(): after a failure of read() the source has ended. */
    int (*read)(leat_source *base, leat_frame *frame, leat_error *error);
    /* Leaves the next `count` frames out, the one that is ready first; *left_out is smaller when the input ended before. */
    int (*skip)(leat_source *base, int64_t count, int64_t *left_out, leat_error *error);
    /* Back to the first frame.  NULL: cannot be played again. */
    int (*rewind)(leat_source *base, leat_error *error);
    /* See leat_source_truth(); index counts from the start of the input.  NULL: no ground truth. */
    int (*truth)(const leat_source *base, int64_t index, leat_truth *objects, int capacity, int *count);
    void (*close)(leat_source *base);
} leat_source_kind;

struct leat_source {
    const leat_source_kind *kind;
    void                   *state;      /* the kind's own */
    leat_source_options     options;    /* complete and in range */
    leat_source_next_frame  next;
    double                  fps;        /* of the input, 0 = unknown */
    int64_t                 frames;     /* of the input, once through; -1 = unknown or endless */
    char                    detail[96]; /* leat_source_info.detail */
    int64_t                 damaged;    /* counted by the kind, ... */
    char                    damage[256]; /* ... and what was wrong with the last */
    /* From here on source.c's own. */
    int64_t    at;           /* index of the input's next frame, over all loops */
    int64_t    loop_start;   /* index of the first frame of this loop */
    int32_t    loops_left;   /* after this one; -1 = for ever */
    int64_t    given, late, retimed;
    int64_t    last_pts;     /* of the frame given last, -1 before */
    int64_t    loop_pts;     /* added to the input's stamps in this loop */
    int64_t    live_start;   /* CLOCK_MONOTONIC of frame 0 when paced, 0 before */
    int        cancel_fd;    /* eventfd that is readable once cancelled */
    atomic_int cancelled;
    pthread_mutex_t  shown_lock;
    leat_source_info shown;  /* what describe() tells: as of the last open() or next() */
    leat_error failure;      /* what every further next() returns, status LEAT_OK while going on */
};

/* The matrix of YUV that does not name it: BT.709 from 1280 x 720 on, else BT.601. */
leat_color_matrix leat__matrix_of_size(int width, int height);
/* Refuses sizes over the limits.  `what` names the frame in the message. */
int leat__source_check_size(const leat_source *base, int64_t width, int64_t height, const char *what, leat_error *error);
/* Counts a picture or packet that cannot be decoded. */
void leat__source_note_damage(leat_source *base, const char *text);
/* Waits until fd (or nothing, -1) is readable or `until_ns` (CLOCK_MONOTONIC; INT64_MAX = no limit) has come: 1 readable, 0 time is up,
 * -1 cancelled. */
int leat__source_wait(leat_source *base, int fd, int64_t until_ns);

/* The kinds: each sets base->kind and what belongs to it. */
int leat__scene_source_open(const char *spec, leat_source *base, leat_error *error); /* spec: what follows "scene:" */
/* paths [count]: takes them, also on failure. */
int leat__pictures_source_open(char **paths, int count, leat_source *base, leat_error *error);
/* The JPEG and PNG files of a folder or that match a glob, in natural order; *paths: leat__paths_free(). */
int leat__paths_of_folder(const char *folder, char ***paths, int *count, leat_error *error);
int leat__paths_of_glob(const char *pattern, char ***paths, int *count, leat_error *error);
void leat__paths_free(char **paths, int count);
/* Whether a file is named as JPEG and PNG files are. */
int leat__names_picture(const char *name);
/* On a stream, which is taken on success. */
int leat__y4m_source_open(leat_stream *stream, leat_source *base, leat_error *error);
int leat__raw_source_open(leat_stream *stream, leat_source *base, leat_error *error);
/* Through the plugin; stream NULL: the plugin opens the spec itself. */
int leat__plugin_source_open(const char *spec, leat_stream *stream, leat_source *base, leat_error *error);

#endif
