/* detect_f32.h - kernels of detection: the best class of rows and columns, overlap of one box with many.
 *
 * All variants give the same bits as the reference (no contraction, no reordering of sums).  NaN never wins a comparison.
 * Reads up to LEAT_TAIL_BYTES past the inputs where noted.  RT-safe: no allocation, no failure.
 */
#ifndef LEAT_CPU_DETECT_F32_H
#define LEAT_CPU_DETECT_F32_H

#include <stdint.h>

#include "leat/common.h"

/* Boxes as columns, sorted by score; `group` NULL = one group. */
typedef struct leat__boxes {
    float   *x1, *y1, *x2, *y2, *area;
    int32_t *group;
    int32_t *alive; /* -1 = in, 0 = out */
} leat__boxes;

typedef struct leat_detect_f32_table {
    const char *name;
    /* Largest of x [n], n >= 1, and the lowest index that has it; -inf and 0 when all are NaN. */
    float (*row_max)(const float *x, int64_t n, int32_t *arg);
    /* max[j], arg[j] = the same over r of x[r * ld + j], r in [0, rows), j in [0, n). */
    void (*column_max)(const float *x, int64_t rows, int64_t n, int64_t ld, float *max, int32_t *arg);
    /* alive[j] = 0 for j in [from, n) of box i's group with inter > iou * union.  The arrays are readable and alive writable up to the next
     * multiple of 16 past n. */
    void (*suppress)(const leat__boxes *boxes, int64_t i, int64_t from, int64_t n, float iou);
    /* iou[j] of boxes i and j in [0, n), 0 in another group.  Arrays as above, iou writable up to the next multiple of 16. */
    void (*overlap)(const leat__boxes *boxes, int64_t i, int64_t n, float *iou);
} leat_detect_f32_table;

extern leat_detect_f32_table leat__detect_f32;
void leat__detect_f32_init(leat_isa level);

float leat_f32_row_max_ref(const float *x, int64_t n, int32_t *arg);
void leat_f32_column_max_ref(const float *x, int64_t rows, int64_t n, int64_t ld, float *max, int32_t *arg);
void leat_f32_suppress_ref(const leat__boxes *boxes, int64_t i, int64_t from, int64_t n, float iou);
void leat_f32_overlap_ref(const leat__boxes *boxes, int64_t i, int64_t n, float *iou);

float leat_f32_row_max_avx2(const float *x, int64_t n, int32_t *arg);
void leat_f32_column_max_avx2(const float *x, int64_t rows, int64_t n, int64_t ld, float *max, int32_t *arg);
void leat_f32_suppress_avx2(const leat__boxes *boxes, int64_t i, int64_t from, int64_t n, float iou);
void leat_f32_overlap_avx2(const leat__boxes *boxes, int64_t i, int64_t n, float *iou);

void leat_f32_suppress_avx512(const leat__boxes *boxes, int64_t i, int64_t from, int64_t n, float iou);

float leat_f32_row_max_neon(const float *x, int64_t n, int32_t *arg);
void leat_f32_column_max_neon(const float *x, int64_t rows, int64_t n, int64_t ld, float *max, int32_t *arg);
void leat_f32_suppress_neon(const leat__boxes *boxes, int64_t i, int64_t from, int64_t n, float iou);
void leat_f32_overlap_neon(const leat__boxes *boxes, int64_t i, int64_t n, float *iou);

#endif
