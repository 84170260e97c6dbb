/* y4m.h - the header lines of YUV4MPEG2, apart from any stream, for the reader, the writer and the fuzzer.
 *
 *     YUV4MPEG2 W<width> H<height> [F<num>:<den>] [I<interlacing>] [A<aspect>] [C<chroma>] [X<comment>]... \n
 *     FRAME [parameters] \n, then the planes Y, U, V without gaps, for each frame
 *
 * 8-bit 4:2:0 (all sitings), 4:2:2, 4:4:4 and mono are read; other chroma is refused by its name.  XCOLORRANGE=FULL|LIMITED is as
 * FFmpeg's and mjpegtools' programs write it; XLEAT_MATRIX=BT601|BT709 is ours, which others pass over.
 */
#ifndef LEAT_MEDIA_Y4M_H
#define LEAT_MEDIA_Y4M_H

#include "leat/video.h"

#define LEAT_Y4M_MAX_LINE 1024

typedef enum leat_y4m_chroma { LEAT_Y4M_420, LEAT_Y4M_422, LEAT_Y4M_444, LEAT_Y4M_MONO } leat_y4m_chroma;

typedef struct leat_y4m_header {
    int64_t           width, height;
    double            fps;        /* 0 = not told */
    leat_y4m_chroma   chroma;
    int               full_range;
    int               matrix;     /* leat_color_matrix, -1 = not told */
} leat_y4m_header;

/* Parses the line [bytes], without its newline.  LEAT_EFORMAT, LEAT_EUNSUPPORTED. */
int leat__y4m_parse(const char *line, size_t bytes, leat_y4m_header *header, leat_error *error);
/* Writes the header line with its newline for frames like `frame`; returns its length. */
int leat__y4m_format(const leat_frame *frame, double fps, char *line, size_t size);

#endif
