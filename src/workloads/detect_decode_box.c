/* detect_decode_box.c - the box of an anchor, from the offsets that the network gives, in pixels of the network's input.
 *
 *   YOLOv5, v8  cx cy w h as they are (Ultralytics)
 *   YOLOX       (x + dx) * stride, (y + dy) * stride, exp(w) * stride, exp(h) * stride (Ge et al. 2021)
 *   NanoDet     distances left, top, right, bottom from the anchor: the mean of a softmax over bins, times the stride (Li et al. 2020)
 *   SSD         x1 y1 x2 y2 in 0..1; PRIORS: centre and size relative to priors, variances 0.1 and 0.2 (Liu et al. 2016)
 *   YuNet       as YOLOX, landmarks (x + dx) * stride (Wu et al. 2023)
 */
#include <math.h>

#include "detect_decode.h"

typedef struct cell {
    const leat__level *level;
    int64_t            index; /* in the level */
    float              x, y;  /* column and row */
} cell;

static cell find_cell(const leat__layout *l, int64_t anchor) {
    int32_t v = 0;
    while (v + 1 < l->levels && anchor >= l->level[v + 1].first) v++;
    const leat__level *level = &l->level[v];
    int64_t index = anchor - level->first;
    return (cell){level, index, (float)(index % level->columns), (float)(index / level->columns)};
}

static void from_center(float cx, float cy, float w, float h, float box[4]) {
    box[0] = cx - w / 2, box[1] = cy - h / 2;
    box[2] = cx + w / 2, box[3] = cy + h / 2;
}

/* Offsets in cells and logarithms of the size. */
static void from_cell(const cell *c, const float *b, float box[4]) {
    float stride = (float)c->level->stride;
    from_center((c->x + b[0]) * stride, (c->y + b[1]) * stride, expf(b[2]) * stride, expf(b[3]) * stride, box);
}

/* The mean bin of a softmax over bins [n]. */
static float distance(const float *x, int32_t n) {
    float largest = x[0], sum = 0, mean = 0;
    for (int32_t i = 1; i < n; i++) largest = x[i] > largest ? x[i] : largest;
    for (int32_t i = 0; i < n; i++) {
        float e = expf(x[i] - largest);
        sum += e;
        mean += e * (float)i;
    }
    return mean / sum;
}

static void nanodet_box(const leat__layout *l, const float *const *outputs, int64_t anchor, float box[4]) {
    cell  c = find_cell(l, anchor);
    float stride = (float)c.level->stride, x = (c.x + l->center) * stride, y = (c.y + l->center) * stride;
    const float *d = c.level->boxes == c.level->scores ? outputs[c.level->boxes] + anchor * l->row + l->classes
                                                       : outputs[c.level->boxes] + c.index * 4 * l->bins;
    box[0] = x - distance(d, l->bins) * stride, box[1] = y - distance(d + l->bins, l->bins) * stride;
    box[2] = x + distance(d + 2 * l->bins, l->bins) * stride, box[3] = y + distance(d + 3 * l->bins, l->bins) * stride;
}

/* ---- UltraFace's priors --------------------------------------------------------------------------------------------------- */

static const float prior_sizes[LEAT__MAX_LEVELS][3] = {{10, 16, 24}, {32, 48}, {64, 96}, {128, 192, 256}};
static const int32_t prior_counts[LEAT__MAX_LEVELS] = {3, 2, 2, 3};

static float in_unit(float x) { return x < 0 ? 0 : x > 1 ? 1 : x; }

static void prior_box(const leat__layout *l, const float *b, int64_t anchor, float box[4]) {
    int32_t v = 0;
    while (v + 1 < l->levels && anchor >= l->level[v + 1].first) v++;
    const leat__level *level = &l->level[v];
    int64_t at = (anchor - level->first) / prior_counts[v], size = (anchor - level->first) % prior_counts[v];
    float width = (float)l->width, height = (float)l->height, stride = (float)level->stride;
    float cx = in_unit(((float)(at % level->columns) + 0.5f) * stride / width), cy = in_unit(((float)(at / level->columns) + 0.5f) * stride / height);
    float w = in_unit(prior_sizes[v][size] / width), h = in_unit(prior_sizes[v][size] / height);
    from_center((cx + b[0] * 0.1f * w) * width, (cy + b[1] * 0.1f * h) * height, expf(b[2] * 0.2f) * w * width, expf(b[3] * 0.2f) * h * height, box);
}

/* ---- all ------------------------------------------------------------------------------------------------------------------ */

void leat__decode_box(const leat__layout *l, const float *const *outputs, int64_t anchor, float box[4]) {
    const float *b = outputs[0] + anchor * l->row, n = (float)l->width, m = (float)l->height;
    cell c;
    switch (l->kind) {
    case LEAT_DECODER_YOLOV5: from_center(b[0], b[1], b[2], b[3], box); return;
    case LEAT_DECODER_YOLOV8:
        b = outputs[0] + anchor;
        from_center(b[0], b[l->anchors], b[2 * l->anchors], b[3 * l->anchors], box);
        return;
    case LEAT_DECODER_YOLOX:
        c = find_cell(l, anchor);
        from_cell(&c, b, box);
        return;
    case LEAT_DECODER_NANODET: nanodet_box(l, outputs, anchor, box); return;
    case LEAT_DECODER_SSD:
        b = outputs[l->boxes] + 4 * anchor;
        box[0] = b[0] * n, box[1] = b[1] * m, box[2] = b[2] * n, box[3] = b[3] * m;
        return;
    case LEAT_DECODER_PRIORS: prior_box(l, outputs[l->boxes] + 4 * anchor, anchor, box); return;
    default:
        c = find_cell(l, anchor);
        from_cell(&c, outputs[c.level->boxes] + 4 * c.index, box);
    }
}

int leat__decode_points(const leat__layout *l, const float *const *outputs, int64_t anchor, float points[LEAT_LANDMARKS][2]) {
    if (l->kind != LEAT_DECODER_YUNET) return 0;
    cell  c = find_cell(l, anchor);
    float stride = (float)c.level->stride;
    const float *p = outputs[c.level->points] + 2 * LEAT_LANDMARKS * c.index;
    for (int i = 0; i < LEAT_LANDMARKS; i++) {
        points[i][0] = (c.x + p[2 * i]) * stride;
        points[i][1] = (c.y + p[2 * i + 1]) * stride;
    }
    return LEAT_LANDMARKS;
}
