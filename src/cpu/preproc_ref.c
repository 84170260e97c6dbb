/* preproc_ref.c - image preprocessing kernels in plain C: they define the numbers. */
#include "cpu/preproc.h"

#include <math.h>

#include "base/fp16.h"

/* ---- bilinear samples ---------------------------------------------------------------------------------------------------- */

/* The byte at place `k` of the eight, of the row whose planes are `row`. */
static int byte_at(const leat_bilinear *job, leat_sampling sampling, const uint8_t *const row[3], int x, int k) {
    if (sampling == LEAT_SAMPLE_PACKED) return row[0][job->at[0][x] + k];
    if (k < 2) return row[0][job->at[0][x] + k];
    if (sampling == LEAT_SAMPLE_SEMI) return row[1][job->at[1][x] + k - 4];
    return k < 6 ? row[1][job->at[1][x] + k - 4] : row[2][job->at[1][x] + k - 6];
}

static float product(const leat_bilinear *job, leat_sampling sampling, int x, int j) {
    float across = job->across[8 * (int64_t)x + j];
    int   place = job->order[j];
    if (across == 0 || place > 7) return 0; /* such bytes need not exist */
    float upper = (float)byte_at(job, sampling, job->upper, x, place), lower = (float)byte_at(job, sampling, job->lower, x, place);
    return (upper * job->down[0][j & 3] + lower * job->down[1][j & 3]) * across;
}

void leat__bilinear_from(const leat_bilinear *job, leat_sampling sampling, int from, float *const out[3]) {
    for (int x = from; x < job->n; x++) {
        float s[4];
        for (int k = 0; k < 4; k++) s[k] = product(job, sampling, x, k) + product(job, sampling, x, k + 4);
        out[0][x] = s[0] + s[3];
        out[1][x] = s[1];
        out[2][x] = s[2];
    }
}

void leat_u8_bilinear_packed_ref(const leat_bilinear *job, float *const out[3]) { leat__bilinear_from(job, LEAT_SAMPLE_PACKED, 0, out); }
void leat_u8_bilinear_semi_ref(const leat_bilinear *job, float *const out[3]) { leat__bilinear_from(job, LEAT_SAMPLE_SEMI, 0, out); }
void leat_u8_bilinear_planar_ref(const leat_bilinear *job, float *const out[3]) { leat__bilinear_from(job, LEAT_SAMPLE_PLANAR, 0, out); }

/* ---- averages ------------------------------------------------------------------------------------------------------------ */

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
