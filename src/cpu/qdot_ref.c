/* qdot_ref.c - rounding of activations, and products of every format, in plain C; see qmat.h.
 *
 * Every block format is brought to one form: groups of 32 integers, with a scale and a minimum for each half.  What differs is a function of ten lines. */
#include <math.h>
#include <string.h>

#include "base/fp16.h"
#include "cpu/blocks.h"
#include "cpu/qdot.h"

/* 32 weights: element i is scale[i / 16] * q[i] - minimum[i / 16]. */
typedef struct group {
    int   q[32];
    float scale[2], minimum[2];
} group;

static uint16_t load16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static float half(const uint8_t *p) { return leat__f16_to_f32(load16(p)); }

static void scales(group *g, float scale, float minimum) {
    g->scale[0] = g->scale[1] = scale;
    g->minimum[0] = g->minimum[1] = minimum;
}

/* 16 bytes of nibbles, with the fifth bits in `high`. */
static void nibbles(group *g, const uint8_t *b, uint32_t high, int zero) {
    for (int i = 0; i < 16; i++) {
        g->q[i] = (b[i] & 15) + (int)((high >> i & 1) << 4) - zero;
        g->q[i + 16] = (b[i] >> 4) + (int)((high >> (i + 16) & 1) << 4) - zero;
    }
}
static void steps(group *g) {
    for (int i = 0; i < 32; i++) g->q[i] = leat__iq4_steps[g->q[i]];
}

/* ---- group j of a block ----------------------------------------------------------------------------------------------------- */

static void q8_0_group(const uint8_t *b, int j, group *g) {
    scales(g, half(b), 0);
    for (int i = 0; i < 32; i++) g->q[i] = (int8_t)b[2 + i];
}
static void q4_0_group(const uint8_t *b, int j, group *g) {
    scales(g, half(b), 0);
    nibbles(g, b + 2, 0, 8);
}
static void q4_1_group(const uint8_t *b, int j, group *g) {
    scales(g, half(b), -half(b + 2));
    nibbles(g, b + 4, 0, 0);
}
static void q5_0_group(const uint8_t *b, int j, group *g) {
    scales(g, half(b), 0);
    nibbles(g, b + 6, load16(b + 2) | (uint32_t)load16(b + 4) << 16, 16);
}
static void q5_1_group(const uint8_t *b, int j, group *g) {
    scales(g, half(b), -half(b + 2));
    nibbles(g, b + 8, load16(b + 4) | (uint32_t)load16(b + 6) << 16, 0);
}
static void iq4_nl_group(const uint8_t *b, int j, group *g) {
    scales(g, half(b), 0);
    nibbles(g, b + 2, 0, 0);
    steps(g);
}
static void q2_k_group(const uint8_t *b, int j, group *g) {
    for (int h = 0; h < 2; h++) {
        g->scale[h] = half(b + 80) * (float)(b[2 * j + h] & 15);
        g->minimum[h] = half(b + 82) * (float)(b[2 * j + h] >> 4);
    }
    for (int i = 0; i < 32; i++) g->q[i] = b[16 + j / 4 * 32 + i] >> j % 4 * 2 & 3;
}
static void q3_k_group(const uint8_t *b, int j, group *g) {
    scales(g, 0, 0);
    for (int h = 0; h < 2; h++) g->scale[h] = half(b + 108) * (float)leat__k3_scale(b + 96, 2 * j + h);
    for (int i = 0; i < 32; i++) g->q[i] = (b[32 + j / 4 * 32 + i] >> j % 4 * 2 & 3) - (b[i] >> j & 1 ? 0 : 4);
}
static void k45_scales(const uint8_t *b, int j, group *g) {
    int scale, minimum;
    leat__k4_scale(b + 4, j, &scale, &minimum);
    scales(g, half(b) * (float)scale, half(b + 2) * (float)minimum);
}
static void q4_k_group(const uint8_t *b, int j, group *g) {
    k45_scales(b, j, g);
    for (int i = 0; i < 32; i++) g->q[i] = b[16 + j / 2 * 32 + i] >> j % 2 * 4 & 15;
}
static void q5_k_group(const uint8_t *b, int j, group *g) {
    k45_scales(b, j, g);
    for (int i = 0; i < 32; i++) g->q[i] = (b[48 + j / 2 * 32 + i] >> j % 2 * 4 & 15) | (b[16 + i] >> j & 1) << 4;
}
static void q6_k_group(const uint8_t *b, int j, group *g) {
    const uint8_t *low = b + j / 4 * 64 + j % 2 * 32, *high = b + 128 + j / 4 * 32;
    scales(g, 0, 0);
    for (int h = 0; h < 2; h++) g->scale[h] = half(b + 208) * (float)(int8_t)b[192 + 2 * j + h];
    for (int i = 0; i < 32; i++) g->q[i] = ((low[i] >> j % 4 / 2 * 4 & 15) | (high[i] >> j % 4 * 2 & 3) << 4) - 32;
}
static void iq4_xs_group(const uint8_t *b, int j, group *g) {
    int scale = (b[4 + j / 2] >> j % 2 * 4 & 15) | (load16(b + 2) >> 2 * j & 3) << 4;
    scales(g, half(b) * (float)(scale - 32), 0);
    nibbles(g, b + 8 + 16 * j, 0, 0);
    steps(g);
}

/* ---- rows --------------------------------------------------------------------------------------------------------------------- */

static int dot16(const int *a, const int8_t *b) {
    int sum = 0;
    for (int i = 0; i < 16; i++) sum += a[i] * b[i];
    return sum;
}

static float row_dot(const uint8_t *w, int64_t groups, int length, int bytes, void (*unpack)(const uint8_t *, int, group *), const leat_qact *act, int64_t t) {
    const int8_t  *q = act->q + t * act->groups * 32;
    const int16_t *sum = act->sum + t * act->groups * 2;
    float          y = 0;
    for (int64_t i = 0; i < groups; i++) {
        group g;
        unpack(w + i * 32 / length * bytes, (int)(i * 32 % length / 32), &g);
        float part = 0;
        for (int h = 0; h < 2; h++) part += g.scale[h] * (float)dot16(g.q + 16 * h, q + 32 * i + 16 * h) - g.minimum[h] * (float)sum[2 * i + h];
        y += part * act->scale[t * act->groups + i];
    }
    return y;
}

#define ROWS(name, length, bytes)                                                                                                   \
    static void name##_rows(const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {           \
        for (int64_t t = 0; t < act->n; t++)                                                                                         \
            for (int64_t r = 0; r < rows; r++) y[t * ldy + r] = row_dot(w + r * stride, act->cols / 32, length, bytes, name##_group, act, t); \
    }
ROWS(q8_0, 32, 34)
ROWS(q4_0, 32, 18)
ROWS(q4_1, 32, 20)
ROWS(q5_0, 32, 22)
ROWS(q5_1, 32, 24)
ROWS(iq4_nl, 32, 18)
ROWS(q2_k, 256, 84)
ROWS(q3_k, 256, 110)
ROWS(q4_k, 256, 144)
ROWS(q5_k, 256, 176)
ROWS(q6_k, 256, 210)
ROWS(iq4_xs, 256, 136)

static float f32_at(const uint8_t *w, int64_t i) {
    float value;
    memcpy(&value, w + 4 * i, 4);
    return value;
}
static float f16_at(const uint8_t *w, int64_t i) { return half(w + 2 * i); }
static float bf16_at(const uint8_t *w, int64_t i) { return leat__bf16_to_f32(load16(w + 2 * i)); }

#define FLOAT_ROWS(name)                                                                                                   \
    static void name##_rows(const uint8_t *w, int64_t stride, int64_t rows, const leat_qact *act, float *y, int64_t ldy) {  \
        for (int64_t t = 0; t < act->n; t++)                                                                                \
            for (int64_t r = 0; r < rows; r++) {                                                                            \
                double sum = 0;                                                                                             \
                for (int64_t i = 0; i < act->cols; i++) sum += (double)name##_at(w + r * stride, i) * act->x[t * act->ld + i]; \
                y[t * ldy + r] = (float)sum;                                                                                \
            }                                                                                                               \
    }
FLOAT_ROWS(f32)
FLOAT_ROWS(f16)
FLOAT_ROWS(bf16)

/* ---- activations ------------------------------------------------------------------------------------------------------------ */

/* The largest size of 32; 0 where that is next to nothing, NaN where an x is no finite number. */
static float size_of(const float *x) {
    float largest = 0;
    for (int i = 0; i < 32; i++) {
        if (!(fabsf(x[i]) <= 3.4028235e38f)) return NAN;
        if (fabsf(x[i]) > largest) largest = fabsf(x[i]);
    }
    return largest < LEAT_QACT_TINY ? 0 : largest;
}

/* What kernels for few tokens read besides. */
static void add_for_few(const leat_qact *act, int64_t g) {
    const int8_t *q = act->q + 32 * g;
    int           negative = 0;
    for (int i = 0; i < 32; i++)
        if (q[i] < 0) negative -= q[i];
    for (int i = 0; i < 8; i++) act->fours[8 * g + i] = -32 * (q[4 * i] + q[4 * i + 1] + q[4 * i + 2] + q[4 * i + 3]);
    act->lack[g] = act->scale[g] * (float)negative;
}

static void round_group(const float *x, float factor, const leat_qact *act, int64_t g) {
    int8_t  *q = act->q + 32 * g;
    int16_t *sum = act->sum + 2 * g;
    sum[0] = sum[1] = 0;
    for (int i = 0; i < 32; i++) {
        q[i] = factor > 0 ? (int8_t)rintf(x[i] * factor) : 0;
        sum[i / 16] = (int16_t)(sum[i / 16] + q[i]);
    }
    act->bias[g] = act->scale[g] * (float)(sum[0] + sum[1]);
    if (act->n <= LEAT_QMAT_FEW) add_for_few(act, g);
}

/* 256 elements, groups from g on. */
static void round_chunk(const float *x, const leat_qact *act, int64_t g) {
    float size[8], most = 0;
    int   finite = 1;
    for (int j = 0; j < 8; j++) {
        size[j] = size_of(x + 32 * j);
        if (isnan(size[j])) finite = 0;
        else if (size[j] > most) most = size[j];
    }
    const float unit = most / (127.0f * LEAT_QACT_GRAINS), step = most > 0 ? LEAT_QACT_GRAINS / most : 0;
    act->unit[g / 8] = finite ? unit : NAN;
    for (int j = 0; j < 8; j++) {
        float grain = size[j] > 0 ? fmaxf(1, fminf(ceilf(size[j] * step), LEAT_QACT_GRAINS)) : 0, scale = unit * grain;
        act->scale[g + j] = isnan(size[j]) ? NAN : scale;
        act->grain[2 * (g + j)] = act->grain[2 * (g + j) + 1] = (int16_t)grain;
        round_group(x + 32 * j, grain > 0 ? 1.0f / scale : 0, act, g + j);
    }
}

static void round_token(const leat_qact *act, int64_t t) {
    const float *x = act->x + t * act->ld;
    int64_t      g = t * act->groups, i = 0;
    for (; i + 256 <= act->cols; i += 256, g += 8) round_chunk(x + i, act, g);
    if (i == act->cols) return;
    float rest[256] = {0};
    memcpy(rest, x + i, (size_t)(act->cols - i) * sizeof *x);
    round_chunk(rest, act, g);
}

void leat__qdot_fill_ref(leat_qdot_kernels *t) {
    *t = (leat_qdot_kernels){.round = round_token, .isa = LEAT_ISA_REF,
                             .rows = {[0] = f32_rows, [1] = f16_rows, [2] = q4_0_rows, [3] = q4_1_rows, [6] = q5_0_rows, [7] = q5_1_rows, [8] = q8_0_rows,
                                      [10] = q2_k_rows, [11] = q3_k_rows, [12] = q4_k_rows, [13] = q5_k_rows, [14] = q6_k_rows, [20] = iq4_nl_rows,
                                      [23] = iq4_xs_rows, [30] = bf16_rows}};
}
