/* frame.h - geometry of pixel formats, shared inside the media room.  The format must be in range. */
#ifndef LEAT_MEDIA_FRAME_H
#define LEAT_MEDIA_FRAME_H

#include "leat/video.h"

typedef struct leat_pixel_traits {
    const char *name;
    int         planes;
    int         bytes, pixels; /* plane 0: bytes of a group of pixels */
    int         halved;        /* chroma has half the rows */
} leat_pixel_traits;

const leat_pixel_traits *leat__pixel_traits(leat_pixel_format format); /* NULL when out of range */
int64_t leat__plane_row_bytes(leat_pixel_format format, int plane, int width);
int leat__plane_rows(leat_pixel_format format, int plane, int height);

#endif
