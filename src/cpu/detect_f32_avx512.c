/* detect_f32_avx512.c - overlap of one box with sixteen at a time. */
#include <immintrin.h>

#include "cpu/detect_f32.h"

void leat_f32_suppress_avx512(const leat__boxes *b, int64_t i, int64_t from, int64_t n, float iou) {
    const __m512 x1 = _mm512_set1_ps(b->x1[i]), y1 = _mm512_set1_ps(b->y1[i]), x2 = _mm512_set1_ps(b->x2[i]), y2 = _mm512_set1_ps(b->y2[i]);
    const __m512 area = _mm512_set1_ps(b->area[i]), least = _mm512_set1_ps(iou), zero = _mm512_setzero_ps();
    const __m512i group = _mm512_set1_epi32(b->group ? b->group[i] : 0);
    for (int64_t j = from; j < n; j += 16) {
        __m512 w = _mm512_sub_ps(_mm512_min_ps(x2, _mm512_loadu_ps(b->x2 + j)), _mm512_max_ps(x1, _mm512_loadu_ps(b->x1 + j)));
        __m512 h = _mm512_sub_ps(_mm512_min_ps(y2, _mm512_loadu_ps(b->y2 + j)), _mm512_max_ps(y1, _mm512_loadu_ps(b->y1 + j)));
        __m512 inter = _mm512_mul_ps(_mm512_max_ps(w, zero), _mm512_max_ps(h, zero));
        __m512 join = _mm512_sub_ps(_mm512_add_ps(area, _mm512_loadu_ps(b->area + j)), inter);
        __mmask16 over = _mm512_cmp_ps_mask(inter, _mm512_mul_ps(least, join), _CMP_GT_OQ);
        if (!over) continue;
        if (b->group) over = _mm512_mask_cmpeq_epi32_mask(over, group, _mm512_loadu_si512(b->group + j));
        _mm512_mask_storeu_epi32(b->alive + j, over, _mm512_setzero_si512());
    }
}
