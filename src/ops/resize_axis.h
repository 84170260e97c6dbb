/* resize_axis.h - one axis of a Resize: which input positions an output position is made of, and with what weights. */
#ifndef LEAT_OPS_RESIZE_AXIS_H
#define LEAT_OPS_RESIZE_AXIS_H

#include <stddef.h>
#include <stdint.h>

typedef enum { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC } resize_mode;
typedef enum {
    RESIZE_HALF_PIXEL, RESIZE_HALF_PIXEL_SYMMETRIC, RESIZE_PYTORCH_HALF_PIXEL, RESIZE_ALIGN_CORNERS, RESIZE_ASYMMETRIC, RESIZE_TF_CROP,
    RESIZE_TF_HALF_PIXEL_NN
} resize_coordinate;
typedef enum { RESIZE_ROUND_PREFER_FLOOR, RESIZE_ROUND_PREFER_CEIL, RESIZE_FLOOR, RESIZE_CEIL, RESIZE_SIMPLE } resize_nearest;

typedef struct {
    resize_mode       mode;
    resize_coordinate coordinate;
    resize_nearest    nearest;
    int               exclude_outside, antialias;
    float             cubic_a;
} resize_rule;

typedef struct {
    int64_t  in, out;
    float    scale;              /* out per in */
    float    roi_begin, roi_end; /* RESIZE_TF_CROP */
    int      taps;
    int      identity;           /* out = in, nothing to do */
    int32_t *index;              /* [out, taps], all inside the input */
    float   *weight;             /* [out, taps] */
    uint8_t *outside;            /* [out] 1 = extrapolated; NULL unless RESIZE_TF_CROP */
} resize_axis;

/* Taps for every output position of an axis scaled by `scale`. */
int leat__resize_taps(const resize_rule *rule, float scale);
/* Bytes that the tables of one axis take. */
size_t leat__resize_axis_bytes(const resize_rule *rule, int64_t out, int taps);
/* Fills index, weight, outside, identity from in, out, scale, roi, taps; tables lie in `memory`. */
void leat__resize_axis_build(const resize_rule *rule, resize_axis *axis, void *memory);

#endif
