/* circle_sums_ref.c - prefix sums of a row, and the sums of a disc from them, in plain C. */
#include <math.h>
#include <string.h>

#include "cpu/circle_sums.h"

void leat_circle_sums_row_ref(const float *const reference[3], const float *const beneath[3], const float *const above[3], const float *through, int n,
                              float *entries) {
    float sum[LEAT_CIRCLE_SUMS] = {0};
    memset(entries, 0, sizeof sum);
    for (int x = 0; x < n; x++) {
        float t = through[x], etb = 0, ttbb = 0;
        entries += LEAT_CIRCLE_SUMS;
        for (int c = 0; c < 3; c++) {
            float tb = t * beneath[c][x], e = reference[c][x] - above[c][x] - tb;
            sum[LEAT_CIRCLE_ET + c] += e * t;
            sum[LEAT_CIRCLE_TTB + c] += t * tb;
            etb += e * tb;
            ttbb += tb * tb;
        }
        sum[LEAT_CIRCLE_ETB] += etb;
        sum[LEAT_CIRCLE_TTBB] += ttbb;
        sum[LEAT_CIRCLE_TT] += t * t;
        memcpy(entries, sum, sizeof sum);
    }
}

void leat_circle_sums_disc_ref(const float *table, int width, int height, float cx, float cy, float r, float sums[LEAT_CIRCLE_SUMS]) {
    float acc[LEAT_CIRCLE_SUMS] = {0};
    int   y0, y1, x0, x1;
    leat__circle_sums_rows(height, cy, r, &y0, &y1);
    for (int y = y0; y < y1; y++) {
        float dy = (float)y - cy, rest = r * r - dy * dy;
        if (rest < 0) continue;
        leat__circle_sums_span(width, cx, sqrtf(rest), &x0, &x1);
        if (x0 >= x1) continue;
        const float *row = table + (size_t)y * (size_t)(width + 1) * LEAT_CIRCLE_SUMS;
        const float *from = row + (size_t)x0 * LEAT_CIRCLE_SUMS, *to = row + (size_t)x1 * LEAT_CIRCLE_SUMS;
        for (int i = 0; i < LEAT_CIRCLE_SUMS; i++) acc[i] += to[i] - from[i];
    }
    memcpy(sums, acc, sizeof acc);
}
