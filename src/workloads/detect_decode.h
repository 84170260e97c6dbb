/* detect_decode.h - how the outputs of a detector lie in memory, and the two steps over them: scan for candidates, compute their boxes. */
#ifndef LEAT_WORKLOADS_DETECT_DECODE_H
#define LEAT_WORKLOADS_DETECT_DECODE_H

#include "leat/detect.h"

enum { LEAT__MAX_LEVELS = 4, LEAT__MAX_HEADS = 16 };

/* One stride's grid, and the outputs that belong to it. */
typedef struct leat__level {
    int32_t stride, columns, rows;
    int64_t first, count;            /* anchors */
    int32_t scores, objects, boxes, points; /* index of the output, -1 = none */
} leat__level;

typedef struct leat__layout {
    leat_decoder kind;
    int32_t      classes, bins, levels;   /* bins: of NanoDet's distances */
    int32_t      width, height;           /* of the network's input, pixels */
    int64_t      anchors;
    int64_t      row;                     /* floats from an anchor to the next in output 0 (YOLO), in the scores (others) */
    float        center;                  /* where in its cell an anchor lies: 0.5, or 0 for NanoDet-Plus */
    int32_t      scores, boxes;           /* outputs of SSD */
    leat__level  level[LEAT__MAX_LEVELS];
    float        least;                   /* confidence threshold */
    int32_t      logits;
    uint8_t     *wanted;                  /* [classes] or NULL = all */
} leat__layout;

/* Candidates that reached the threshold, [anchors] of each. */
typedef struct leat__hits {
    float   *score;
    int32_t *anchor, *class_id;
    int32_t  count;
    float   *best; /* [anchors] scratch of the column scan */
} leat__hits;

/* Settles kind and shape from outputs [n]; layout->kind may be AUTO, width and height are set.  LEAT_EUNSUPPORTED, LEAT_ESHAPE. */
int leat__layout_settle(leat__layout *layout, const leat_tensor *outputs, const char *const *names, int n, leat_error *error);

/* Fills *hits.  outputs: pointers to one image's floats. */
void leat__decode_scan(const leat__layout *layout, const float *const *outputs, leat__hits *hits);
/* x1 y1 x2 y2 of an anchor, in pixels of the network's input. */
void leat__decode_box(const leat__layout *layout, const float *const *outputs, int64_t anchor, float box[4]);
/* Landmarks of an anchor, in pixels of the network's input; returns their number. */
int leat__decode_points(const leat__layout *layout, const float *const *outputs, int64_t anchor, float points[LEAT_LANDMARKS][2]);

#endif
