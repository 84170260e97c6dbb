/* detect_f32_ref.c - detection kernels in plain C: they define the numbers. */
#include <math.h>

#include "cpu/detect_f32.h"

float leat_f32_row_max_ref(const float *x, int64_t n, int32_t *arg) {
    float best = -INFINITY;
    *arg = 0;
    for (int64_t i = 0; i < n; i++)
        if (x[i] > best) best = x[i], *arg = (int32_t)i;
    return best;
}

void leat_f32_column_max_ref(const float *x, int64_t rows, int64_t n, int64_t ld, float *max, int32_t *arg) {
    for (int64_t j = 0; j < n; j++) max[j] = -INFINITY, arg[j] = 0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < n; j++)
            if (x[r * ld + j] > max[j]) max[j] = x[r * ld + j], arg[j] = (int32_t)r;
}

/* Area of the intersection of boxes i and j; 0 in another group. */
static float intersection(const leat__boxes *b, int64_t i, int64_t j) {
    float right = b->x2[i] < b->x2[j] ? b->x2[i] : b->x2[j], left = b->x1[i] > b->x1[j] ? b->x1[i] : b->x1[j];
    float bottom = b->y2[i] < b->y2[j] ? b->y2[i] : b->y2[j], top = b->y1[i] > b->y1[j] ? b->y1[i] : b->y1[j];
    float w = right - left, h = bottom - top;
    if (b->group && b->group[i] != b->group[j]) return 0;
    return (w > 0 ? w : 0) * (h > 0 ? h : 0);
}

void leat_f32_suppress_ref(const leat__boxes *b, int64_t i, int64_t from, int64_t n, float iou) {
    for (int64_t j = from; j < n; j++) {
        float inter = intersection(b, i, j);
        if (inter > iou * ((b->area[i] + b->area[j]) - inter)) b->alive[j] = 0;
    }
}

void leat_f32_overlap_ref(const leat__boxes *b, int64_t i, int64_t n, float *iou) {
    for (int64_t j = 0; j < n; j++) {
        float inter = intersection(b, i, j);
        iou[j] = inter / ((b->area[i] + b->area[j]) - inter);
    }
}
