/* detect_decode_scan.c - which anchors reach the threshold, their class and score.
 *
 * Where there is an objectness, it is looked at first: a class score is at most 1, so anchors below the threshold go at once, by a loop without
 * branches (most anchors fail, and those that pass come in bursts that no predictor learns).  The best class comes from a vector kernel.
 * A NaN compares as false everywhere and so never passes.
 */
#include <math.h>

#include "cpu/detect_f32.h"
#include "detect_decode.h"

/* Anchors [first, first + n): values of anchor i start at data + i * row. */
typedef struct rows {
    const float *data;
    int64_t      first, n, row;
    int32_t      object, classes; /* offsets in a row; object -1 = none */
} rows;

static float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

/* The least raw value whose sigmoid reaches the threshold, a hair below so that rounding decides nothing. */
static float raw_threshold(const leat__layout *l) {
    if (!l->logits) return l->least;
    if (l->least <= 0) return -INFINITY;
    return l->least >= 1 ? 15.0f : logf(l->least / (1 - l->least)) - 1e-3f;
}

static void add_hit(const leat__layout *l, leat__hits *hits, int64_t anchor, int32_t class_id, float score) {
    if (!(score >= l->least && score < INFINITY) || (l->wanted && !l->wanted[class_id])) return;
    hits->score[hits->count] = score;
    hits->anchor[hits->count] = (int32_t)anchor;
    hits->class_id[hits->count++] = class_id;
}

/* Indices of the values at data[i * row] that are >= least, into `index`; returns their number.  `index` may be hits->anchor past the
 * count: an entry is read before add_hit() can overwrite it. */
static int32_t pass(const float *data, int64_t n, int64_t row, float least, int32_t *index) {
    int32_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        index[count] = (int32_t)i;
        count += data[i * row] >= least;
    }
    return count;
}

static void scan_rows(const leat__layout *l, const rows *r, leat__hits *hits) {
    int      one = l->classes == 1, filter = r->object >= 0 || one;
    float    least = raw_threshold(l);
    int32_t *index = hits->anchor + hits->count;
    int32_t  n = filter ? pass(r->data + (r->object >= 0 ? r->object : r->classes), r->n, r->row, least, index) : (int32_t)r->n;
    for (int32_t k = 0; k < n; k++) {
        int32_t i = filter ? index[k] : k, class_id = 0;
        const float *row = r->data + i * r->row;
        float best = one ? row[r->classes] : leat__detect_f32.row_max(row + r->classes, l->classes, &class_id);
        if (!(best >= least)) continue;
        float score = l->logits ? sigmoid(best) : best;
        if (r->object >= 0) score *= l->logits ? sigmoid(row[r->object]) : row[r->object];
        add_hit(l, hits, r->first + i, class_id, score);
    }
}

/* YOLOv8: a row for each class, a column for each anchor. */
static void scan_columns(const leat__layout *l, const float *scores, leat__hits *hits) {
    float least = raw_threshold(l);
    leat__detect_f32.column_max(scores, l->classes, l->anchors, l->anchors, hits->best, hits->class_id);
    int32_t n = pass(hits->best, l->anchors, 1, least, hits->anchor);
    for (int32_t k = 0; k < n; k++) {
        int32_t i = hits->anchor[k];
        add_hit(l, hits, i, hits->class_id[i], l->logits ? sigmoid(hits->best[i]) : hits->best[i]);
    }
}

static float in_unit(float x) { return x < 0 ? 0 : x > 1 ? 1 : x; }

/* score = sqrt(class * objectness), each cut to 0..1. */
static void scan_yunet(const leat__layout *l, const float *const *outputs, leat__hits *hits) {
    float least = l->logits ? raw_threshold(l) : l->least * l->least;
    for (int32_t v = 0; v < l->levels; v++) {
        const leat__level *level = &l->level[v];
        const float *scores = outputs[level->scores], *objects = outputs[level->objects];
        int32_t *index = hits->anchor + hits->count, n = pass(scores, level->count, 1, least, index);
        for (int32_t k = 0; k < n; k++) {
            int32_t i = index[k];
            float s = l->logits ? sigmoid(scores[i]) : in_unit(scores[i]), o = l->logits ? sigmoid(objects[i]) : in_unit(objects[i]);
            add_hit(l, hits, level->first + i, 0, sqrtf(s * o));
        }
    }
}

static void scan_nanodet(const leat__layout *l, const float *const *outputs, leat__hits *hits) {
    for (int32_t v = 0; v < l->levels; v++) {
        const leat__level *level = &l->level[v];
        const float *data = outputs[level->scores] + (level->scores == level->boxes ? level->first * l->row : 0);
        scan_rows(l, &(rows){data, level->first, level->count, l->row, -1, 0}, hits);
    }
}

void leat__decode_scan(const leat__layout *l, const float *const *outputs, leat__hits *hits) {
    hits->count = 0;
    switch (l->kind) {
    case LEAT_DECODER_YOLOV5:
    case LEAT_DECODER_YOLOX: scan_rows(l, &(rows){outputs[0], 0, l->anchors, l->row, 4, 5}, hits); return;
    case LEAT_DECODER_YOLOV8: scan_columns(l, outputs[0] + 4 * l->anchors, hits); return;
    case LEAT_DECODER_NANODET: scan_nanodet(l, outputs, hits); return;
    case LEAT_DECODER_SSD:
    case LEAT_DECODER_PRIORS: scan_rows(l, &(rows){outputs[l->scores], 0, l->anchors, l->row, -1, 1}, hits); return;
    case LEAT_DECODER_YUNET: scan_yunet(l, outputs, hits); return;
    default: return;
    }
}
