/* circle_sums_avx2.c - the sums of a disc: eight of the nine in one register, the last beside it. */
#include <immintrin.h>

#include "cpu/circle_sums.h"

void leat_circle_sums_disc_avx2(const float *table, int width, int height, float cx, float cy, float r, float sums[LEAT_CIRCLE_SUMS]) {
    __m256 low = _mm256_setzero_ps();
    __m128 high = _mm_setzero_ps();
    int    y0, y1, x0, x1;
    leat__circle_sums_rows(height, cy, r, &y0, &y1);
    for (int y = y0; y < y1; y++) {
        float dy = (float)y - cy, rest = r * r - dy * dy;
        if (rest < 0) continue;
        leat__circle_sums_span(width, cx, _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(rest))), &x0, &x1);
        if (x0 >= x1) continue;
        const float *row = table + (size_t)y * (size_t)(width + 1) * LEAT_CIRCLE_SUMS;
        const float *from = row + (size_t)x0 * LEAT_CIRCLE_SUMS, *to = row + (size_t)x1 * LEAT_CIRCLE_SUMS;
        low = _mm256_add_ps(low, _mm256_sub_ps(_mm256_loadu_ps(to), _mm256_loadu_ps(from)));
        high = _mm_add_ps(high, _mm_sub_ps(_mm_loadu_ps(to + 8), _mm_loadu_ps(from + 8)));
    }
    _mm256_storeu_ps(sums, low);
    _mm_storeu_ps(sums + 8, high);
}
