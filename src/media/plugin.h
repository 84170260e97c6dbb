/* plugin.h - the C ABI between the library and leat_ffmpeg.so, which alone links FFmpeg's libraries.
 *
 * The plugin exports one function, LEAT_VIDEO_PLUGIN_SYMBOL, that returns a table; the number in its name changes with anything in this
 * file.  Statuses and errors are those of leat/status.h; the plugin calls back only through the pointers it is given, and keeps its own
 * memory.  Nothing here is public API.
 */
#ifndef LEAT_MEDIA_PLUGIN_H
#define LEAT_MEDIA_PLUGIN_H

#include "leat/video.h"

#define LEAT_VIDEO_PLUGIN_SYMBOL "leat_video_plugin_1"

/* What a reader is opened with; borrowed for its life. */
typedef struct leat_plugin_input {
    const char                *spec;
    const leat_source_options *options;
    void                      *user;
    int (*cancelled)(void *user);                           /* asked while waiting */
    int (*read)(void *user, uint8_t *data, int bytes);      /* bytes read, 0 = end, -1 = failed; NULL: the plugin opens the spec */
    int64_t (*seek)(void *user, int64_t position);          /* NULL: a pipe */
    int64_t (*size)(void *user);
} leat_plugin_input;

typedef struct leat_plugin_shape {
    leat_pixel_format format;
    leat_color_matrix matrix;
    int32_t           full_range, width, height; /* of the frame that is ready, or expected */
    double            fps;                       /* 0 = unknown */
    int64_t           frames;                    /* -1 = unknown */
    int32_t           live, can_rewind;
    int64_t           damaged;                   /* packets or frames left out so far ... */
    char              damage[256];               /* ... and what was wrong with the last */
    char              detail[96];
} leat_plugin_shape;

/* What a writer is opened with; borrowed for its life. */
typedef struct leat_plugin_output {
    const char              *name;    /* whose suffix tells the container */
    const leat_sink_options *options;
    leat_plugin_shape        shape;   /* width, height, matrix, full_range, fps of the frames */
    void                    *user;
    int (*write)(void *user, const uint8_t *data, int bytes); /* bytes, or -1 */
    int64_t (*seek)(void *user, int64_t position);
} leat_plugin_output;

typedef struct leat_video_plugin {
    size_t      size;    /* sizeof(leat_video_plugin) */
    const char *version; /* of FFmpeg's libraries */
    int (*reader_open)(const leat_plugin_input *input, void **reader, leat_plugin_shape *shape, leat_error *error);
    int (*reader_ready)(void *reader, leat_plugin_shape *shape, leat_error *error);   /* LEAT_EEND at the end */
    int (*reader_read)(void *reader, leat_frame *frame, leat_error *error);           /* pts_ns INT64_MIN when unknown */
    int (*reader_skip)(void *reader, int64_t count, int64_t *left_out, leat_error *error);
    int (*reader_rewind)(void *reader, leat_error *error);
    void (*reader_close)(void *reader);
    int (*writer_open)(const leat_plugin_output *output, void **writer, leat_error *error);
    int (*writer_buffer)(void *writer, leat_frame *frame, leat_error *error);         /* planes to be filled with the next frame */
    int (*writer_send)(void *writer, int64_t pts_ns, leat_error *error);              /* encodes them */
    int (*writer_finish)(void *writer, int flush, leat_error *error);                 /* flush 0: the disk is full, only the trailer */
    void (*writer_close)(void *writer);
} leat_video_plugin;

typedef const leat_video_plugin *(*leat_video_plugin_get)(void);

/* Loads the plugin once for the process.  LEAT_EUNSUPPORTED with where it was looked for and what to install. */
int leat__video_plugin(const leat_video_plugin **plugin, leat_error *error);

#endif
