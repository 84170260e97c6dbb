/* preproc_ref.c - image preprocessing kernels in plain C: they define the numbers. */
#include "cpu/preproc.h"

#include <math.h>

#include "base/fp16.h"

void leat_u8_columns_ref(const uint8_t *row, const int32_t *at0, const int32_t *at1, const float *w, float *const out[3], int n, int wide) {
    (void)wide;
    for (int x = 0; x < n; x++)
        for (int c = 0; c < 3; c++) {
            float p = row[at0[x] + c], q = row[at1[x] + c];
            out[c][x] = p + (q - p) * w[x];
        }
}

void leat_f32_rows_ref(const float *a, const float *b, float w, float mul, float add, float *out, int n) {
    for (int x = 0; x < n; x++) out[x] = (a[x] + (b[x] - a[x]) * w) * mul + add;
}

void leat_u8_taps_ref(const uint8_t *row, int width, const int32_t *first, const int32_t *count, const float *w, float *const out[3], int n) {
    (void)width;
    for (int x = 0; x < n; x++) {
        float sum[3] = {0, 0, 0};
        const uint8_t *pixel = row + 3 * first[x];
        for (int t = 0; t < count[x]; t++, pixel += 3, w++)
            for (int c = 0; c < 3; c++) sum[c] += (float)pixel[c] * *w;
        for (int c = 0; c < 3; c++) out[c][x] = sum[c];
    }
}

void leat_f32_gather_ref(const float *a, float w, float *sum, int n) {
    for (int x = 0; x < n; x++) sum[x] += a[x] * w;
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
