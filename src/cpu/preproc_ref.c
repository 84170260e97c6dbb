/* preproc_ref.c - image preprocessing kernels in plain C: they define the numbers. */
#include "cpu/preproc.h"

#include <math.h>

#include "base/fp16.h"

void leat_u8_rows_ref(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n) {
    for (int i = 0; i < n; i++) {
        float sum = w[0] * (float)rows[i];
        for (int r = 1; r < k; r++) sum += w[r] * (float)rows[r * stride + i];
        out[i] = sum;
    }
}

void leat_f32_columns_ref(const float *rgb, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n) {
    for (int x = 0; x < n; w += taps[x], x++)
        for (int c = 0; c < 3; c++) {
            const float *at = rgb + 3 * (int64_t)first[x] + c;
            float sum = 0;
            for (int t = 0; t < taps[x]; t++) sum += w[t] * at[3 * t];
            out[c][x] = sum;
        }
}

void leat_f32_affine_ref(float *line, float mul, float add, int n) {
    for (int x = 0; x < n; x++) line[x] = line[x] * mul + add;
}

void leat_f32_to_f16_ref(const float *in, uint16_t *out, int n) {
    for (int x = 0; x < n; x++) out[x] = leat__f32_to_f16(in[x]);
}

void leat_f32_to_u8_ref(const float *in, uint8_t *out, int n) {
    for (int x = 0; x < n; x++) {
        float v = in[x] > 0.0f ? in[x] : 0.0f;
        out[x] = (uint8_t)lrintf(v < 255.0f ? v : 255.0f);
    }
}

void leat_f32_interleave3_ref(const float *a, const float *b, const float *c, float *out, int n) {
    for (int x = 0; x < n; x++) {
        out[3 * x] = a[x];
        out[3 * x + 1] = b[x];
        out[3 * x + 2] = c[x];
    }
}
