/* preprocess_pass.h - what the parts of the fused preprocessing share.
 *
 * preprocess.c checks, places and cuts the output into bands of rows; preprocess_bilinear.c (two by two neighbours in
 * packed formats) or preprocess_weighted.c (the others, and averages) make the components of a row; preprocess_emit.c turns them into output.
 */
#ifndef LEAT_MEDIA_PREPROCESS_PASS_H
#define LEAT_MEDIA_PREPROCESS_PASS_H

#include "cpu/preproc.h"
#include "leat/media.h"
#include "leat/video.h"

/* Where the rectangle that is used lies in the source, and where it lands in the output. */
typedef struct leat_pre_place {
    int64_t x, y, crop_width, crop_height; /* in the source */
    int64_t width, height;                 /* of it, resized */
    int64_t left, top;                     /* of the resized one in the output; negative when cut */
} leat_pre_place;

/* One band of rows, by one thread. */
typedef struct leat_pre_pass {
    const leat_preprocess *p;
    const leat_frame      *frame;
    leat_pre_place         at;
    int                    is_yuv, is_planar;
    int                    from, to;       /* output columns that the source covers */
    float                  mul[3], add[3]; /* by output channel */
    leat_color             color;          /* is_yuv */
    float                 *line[3];        /* [width] the row's components: red, green, blue or Y, U, V */
    float                 *made[3];        /* [width] red, green, blue, normalised, unless they go straight to the output */
    float                 *mixed;          /* [3 * width] the same interleaved */
    float                 *rest;           /* scratch of the resampler */
    void                  *out;
} leat_pre_pass;

/* The source position of output coordinate `to` (of the resized rectangle): a pixel index whose fraction lies between two centres. */
static inline double leat__pre_position(int64_t to, int64_t first, int64_t source, int64_t resized) {
    return ((double)to + 0.5) * (double)source / (double)resized - 0.5 + (double)first;
}

/* Floats of scratch in `rest` for an output `width` columns wide (a multiple of 16). */
size_t leat__pre_bilinear_floats(size_t width);
size_t leat__pre_weighted_floats(size_t width);
/* Make output rows [begin, end). */
void leat__pre_bilinear(leat_pre_pass *pass, int begin, int end);
void leat__pre_weighted(leat_pre_pass *pass, int begin, int end);

/* Fills the factors of normalisation and of the colour matrix. */
void leat__pre_emit_init(leat_pre_pass *pass);
/* Writes columns [begin, end) of output row y: those in [from, to) from pass->line[][0..to - from), the others padding. */
void leat__pre_emit(leat_pre_pass *pass, int64_t y, int begin, int end, int from, int to);

#endif
