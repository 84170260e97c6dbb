/* sink.h - what a kind of sink gives to sink.c, which chooses it, checks the frames and counts them. */
#ifndef LEAT_MEDIA_SINK_H
#define LEAT_MEDIA_SINK_H

#include "leat/video.h"

typedef struct leat_sink_kind {
    int (*write)(leat_sink *base, const leat_frame *frame, leat_error *error); /* frame: valid, later ones as the first if one_shape */
    int (*close)(leat_sink *base, leat_error *error);                          /* finishes and frees its state */
    int one_shape;                                                             /* all frames have one size */
} leat_sink_kind;

struct leat_sink {
    const leat_sink_kind *kind;
    void                 *state;
    leat_sink_options     options; /* complete and in range */
    char                 *spec;
    int64_t               frames;  /* written */
    int32_t               width, height; /* of the first frame */
    leat_error            failure; /* what every further write returns, status LEAT_OK while going on */
};

int leat__pictures_sink_open(leat_sink *base, leat_error *error);
int leat__y4m_sink_open(leat_sink *base, leat_error *error);
int leat__plugin_sink_open(leat_sink *base, leat_error *error);

/* A frame in another format that grows with its input; zero-initialise. */
typedef struct leat_frame_buffer {
    uint8_t *data;
    size_t   capacity;
} leat_frame_buffer;
/* Lays *out out in the buffer, in `format`, with size, matrix and range of `frame`, and converts.  LEAT_ENOMEM. */
int leat__frame_into(leat_frame_buffer *buffer, const leat_frame *frame, leat_pixel_format format, leat_frame *out, leat_error *error);

#endif
