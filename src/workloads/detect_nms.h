/* detect_nms.h - sorted candidates and what is kept of them; shared by leat_nms_run() and the decoders. */
#ifndef LEAT_WORKLOADS_DETECT_NMS_H
#define LEAT_WORKLOADS_DETECT_NMS_H

#include "cpu/detect_f32.h"
#include "leat/detect.h"

/* Room for `capacity` candidates, carved out of the caller's memory. */
typedef struct leat__nms {
    leat__boxes boxes;        /* [count], best first */
    float      *score;        /* [count] */
    float      *iou, *rank;   /* of the soft kinds: overlaps with one box; score, or -1 for what is decided */
    int32_t    *slot;         /* [count]: which candidate this was before sorting */
    uint64_t   *keys, *spare; /* of the sort */
    int32_t     capacity, count;
} leat__nms;

size_t leat__nms_bytes(int capacity);
void leat__nms_bind(leat__nms *nms, void *memory, int capacity);

/* Sorts scores [n] (>= 0, no NaN) in descending order, the lower slot first on equal ones, keeps the best `top_k` (0 = all) and fills score,
 * slot and count. */
void leat__nms_sort(leat__nms *nms, const float *scores, int n, int top_k);
/* Sets box `at`; 0 when it is not finite or has no area, then nothing is set. */
int leat__nms_set_box(leat__nms *nms, int at, float x1, float y1, float x2, float y2, int32_t group);
/* Moves candidate `from` (score and slot) to `to`, when boxes in between were refused. */
static inline void leat__nms_move(leat__nms *nms, int to, int from) {
    nms->score[to] = nms->score[from];
    nms->slot[to] = nms->slot[from];
}
/* Suppresses among the first `count`; fills kept [..] with positions, best first; returns their number.  Soft kinds change score. */
int leat__nms_suppress(leat__nms *nms, const leat_nms_options *options, int32_t *kept);

#endif
