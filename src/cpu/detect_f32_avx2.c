/* detect_f32_avx2.c - detection kernels, eight floats at a time. */
#include <immintrin.h>
#include <math.h>

#include "cpu/detect_f32.h"

static float largest(__m256 v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_shuffle_ps(m, m, 1)));
}

/* The value first, then where it stands: two short passes beat carrying indices along. */
float leat_f32_row_max_avx2(const float *x, int64_t n, int32_t *arg) {
    __m256  best = _mm256_set1_ps(-INFINITY);
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) best = _mm256_max_ps(_mm256_loadu_ps(x + i), best); /* the second operand stays when the first is NaN */
    float max = largest(best);
    for (; i < n; i++) max = x[i] > max ? x[i] : max;
    *arg = 0;
    if (max == -INFINITY) return max;
    for (i = 0; i + 8 <= n; i += 8) {
        int hit = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(max), _CMP_EQ_OQ));
        if (hit) return *arg = (int32_t)(i + __builtin_ctz((unsigned)hit)), max;
    }
    while (x[i] != max) i++;
    *arg = (int32_t)i;
    return max;
}

enum { STRIP = 512 }; /* columns whose running best stays in the first-level cache */

static void column_strip(const float *x, int64_t rows, int64_t n, int64_t ld, float *max, int32_t *arg) {
    for (int64_t j = 0; j < n; j++) max[j] = -INFINITY, arg[j] = 0;
    for (int64_t r = 0; r < rows; r++) {
        const float  *row = x + r * ld;
        const __m256i index = _mm256_set1_epi32((int32_t)r);
        int64_t j = 0;
        for (; j + 8 <= n; j += 8) {
            __m256 v = _mm256_loadu_ps(row + j), old = _mm256_loadu_ps(max + j), more = _mm256_cmp_ps(v, old, _CMP_GT_OQ);
            if (_mm256_testz_ps(more, more)) continue;
            _mm256_storeu_ps(max + j, _mm256_blendv_ps(old, v, more));
            _mm256_maskstore_epi32(arg + j, _mm256_castps_si256(more), index);
        }
        for (; j < n; j++)
            if (row[j] > max[j]) max[j] = row[j], arg[j] = (int32_t)r;
    }
}

void leat_f32_column_max_avx2(const float *x, int64_t rows, int64_t n, int64_t ld, float *max, int32_t *arg) {
    for (int64_t j = 0; j < n; j += STRIP) column_strip(x + j, rows, n - j < STRIP ? n - j : STRIP, ld, max + j, arg + j);
}

/* One box in all lanes. */
typedef struct spread {
    __m256  x1, y1, x2, y2, area;
    __m256i group;
} spread;

static inline spread spread_box(const leat__boxes *b, int64_t i) {
    return (spread){_mm256_set1_ps(b->x1[i]), _mm256_set1_ps(b->y1[i]), _mm256_set1_ps(b->x2[i]), _mm256_set1_ps(b->y2[i]),
                    _mm256_set1_ps(b->area[i]), _mm256_set1_epi32(b->group ? b->group[i] : 0)};
}

/* Intersections with boxes j .. j + 7, whatever their group, and unions. */
static inline __m256 intersect(const spread *s, const leat__boxes *b, int64_t j, __m256 *join) {
    const __m256 zero = _mm256_setzero_ps();
    __m256 w = _mm256_sub_ps(_mm256_min_ps(s->x2, _mm256_loadu_ps(b->x2 + j)), _mm256_max_ps(s->x1, _mm256_loadu_ps(b->x1 + j)));
    __m256 h = _mm256_sub_ps(_mm256_min_ps(s->y2, _mm256_loadu_ps(b->y2 + j)), _mm256_max_ps(s->y1, _mm256_loadu_ps(b->y1 + j)));
    __m256 inter = _mm256_mul_ps(_mm256_max_ps(w, zero), _mm256_max_ps(h, zero));
    *join = _mm256_sub_ps(_mm256_add_ps(s->area, _mm256_loadu_ps(b->area + j)), inter);
    return inter;
}

static inline __m256i same_group(const spread *s, const leat__boxes *b, int64_t j) {
    return b->group ? _mm256_cmpeq_epi32(s->group, _mm256_loadu_si256((const __m256i *)(b->group + j))) : _mm256_set1_epi32(-1);
}

void leat_f32_suppress_avx2(const leat__boxes *b, int64_t i, int64_t from, int64_t n, float iou) {
    const spread s = spread_box(b, i);
    const __m256 least = _mm256_set1_ps(iou);
    for (int64_t j = from; j < n; j += 8) {
        __m256 join, inter = intersect(&s, b, j, &join), over = _mm256_cmp_ps(inter, _mm256_mul_ps(least, join), _CMP_GT_OQ);
        if (_mm256_testz_ps(over, over)) continue;
        __m256i *alive = (__m256i *)(b->alive + j), out = _mm256_and_si256(_mm256_castps_si256(over), same_group(&s, b, j));
        _mm256_storeu_si256(alive, _mm256_andnot_si256(out, _mm256_loadu_si256(alive)));
    }
}

/* The reference makes the intersection 0 in another group, and then divides: the same bits either way round, as unions are positive. */
void leat_f32_overlap_avx2(const leat__boxes *b, int64_t i, int64_t n, float *iou) {
    const spread s = spread_box(b, i);
    for (int64_t j = 0; j < n; j += 8) {
        __m256 join, inter = intersect(&s, b, j, &join);
        _mm256_storeu_ps(iou + j, _mm256_and_ps(_mm256_div_ps(inter, join), _mm256_castsi256_ps(same_group(&s, b, j))));
    }
}
