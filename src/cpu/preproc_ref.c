/* preproc_ref.c - image preprocessing kernels in plain C: they define the numbers. */
#include "cpu/preproc.h"

#include <math.h>

#include "base/fp16.h"

/* ---- bilinear samples ---------------------------------------------------------------------------------------------------- */

static float product(const leat_bilinear *job, int x, int j) {
    float across = job->across[8 * (int64_t)x + j];
    int   place = job->order[j];
    if (across == 0 || place > 7) return 0; /* such bytes need not exist */
    int64_t at = (int64_t)job->at[x] + place;
    return ((float)job->upper[at] * job->down[0] + (float)job->lower[at] * job->down[1]) * across;
}

void leat__bilinear_from(const leat_bilinear *job, int from, float *const out[3]) {
    for (int x = from; x < job->n; x++) {
        float s[4];
        for (int k = 0; k < 4; k++) s[k] = product(job, x, k) + product(job, x, k + 4);
        out[0][x] = s[0] + s[3];
        out[1][x] = s[1];
        out[2][x] = s[2];
    }
}

void leat_u8_bilinear_ref(const leat_bilinear *job, float *const out[3]) { leat__bilinear_from(job, 0, out); }

/* ---- weighted sums --------------------------------------------------------------------------------------------------- */

void leat_u8_rows_ref(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n) {
    for (int i = 0; i < n; i++) {
        float sum = w[0] * (float)rows[i];
        for (int r = 1; r < k; r++) sum += w[r] * (float)rows[r * stride + i];
        out[i] = sum;
    }
}

void leat_f32_columns_ref(const float *cells, int cell, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n) {
    for (int x = 0; x < n; w += taps[x], x++)
        for (int c = 0; c < cell && c < 3; c++) {
            const float *at = cells + cell * (int64_t)first[x] + c;
            float sum = 0;
            for (int t = 0; t < taps[x]; t++) sum += w[t] * at[cell * t];
            out[c][x] = sum;
        }
}

void leat_f32_pairs_ref(const float *cells, int cell, const int32_t *first, const float *w, float *const out[2], int n) {
    for (int x = 0; x < n; x++)
        for (int c = 0; c < cell; c++) {
            const float *at = cells + cell * (int64_t)first[x] + c;
            out[c][x] = at[0] * w[2 * x] + at[cell] * w[2 * x + 1];
        }
}

/* ---- colours and types --------------------------------------------------------------------------------------------------- */

static float clamp(float v) {
    v = v > 0.0f ? v : 0.0f;
    return v < 255.0f ? v : 255.0f;
}

void leat_f32_color_ref(const leat_color *k, float *const yuv[3], float *const out[3], int n) {
    for (int x = 0; x < n; x++) {
        float y = k->y * yuv[0][x], u = yuv[1][x], v = yuv[2][x];
        out[0][x] = clamp(y + k->rv * v + k->offset[0]) * k->mul[0] + k->add[0];
        out[1][x] = clamp(y + k->gu * u + k->gv * v + k->offset[1]) * k->mul[1] + k->add[1];
        out[2][x] = clamp(y + k->bu * u + k->offset[2]) * k->mul[2] + k->add[2];
    }
}

void leat_f32_affine_ref(const float *in, float mul, float add, float *out, int n) {
    for (int x = 0; x < n; x++) out[x] = in[x] * mul + add;
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
