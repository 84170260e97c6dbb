/* blocks_ref.c - exact values of the block formats; see blocks.h. */
#include "cpu/blocks.h"

#include <stddef.h>
#include <string.h>

#include "base/fp16.h"

const int8_t leat__iq4_steps[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

static uint16_t load16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t load32(const uint8_t *p) { return load16(p) | (uint32_t)load16(p + 2) << 16; }
static float half(const uint8_t *p) { return leat__f16_to_f32(load16(p)); }

static void f32_values(const uint8_t *b, int64_t n, float *out) { memcpy(out, b, (size_t)n * 4); }
static void f16_values(const uint8_t *b, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] = half(b + 2 * i);
}
static void bf16_values(const uint8_t *b, int64_t n, float *out) {
    for (int64_t i = 0; i < n; i++) out[i] = leat__bf16_to_f32(load16(b + 2 * i));
}

/* ---- blocks of 32 --------------------------------------------------------------------------------------------------------- */

static void q8_0_values(const uint8_t *b, int64_t n, float *out) {
    for (; n > 0; n--, b += 34, out += 32) {
        float d = half(b);
        for (int j = 0; j < 32; j++) out[j] = (float)(int8_t)b[2 + j] * d;
    }
}

static void q4_0_values(const uint8_t *b, int64_t n, float *out) {
    for (; n > 0; n--, b += 18, out += 32) {
        float d = half(b);
        for (int j = 0; j < 16; j++) {
            out[j] = (float)((b[2 + j] & 15) - 8) * d;
            out[j + 16] = (float)((b[2 + j] >> 4) - 8) * d;
        }
    }
}

static void q4_1_values(const uint8_t *b, int64_t n, float *out) {
    for (; n > 0; n--, b += 20, out += 32) {
        float d = half(b), m = half(b + 2);
        for (int j = 0; j < 16; j++) {
            out[j] = (float)(b[4 + j] & 15) * d + m;
            out[j + 16] = (float)(b[4 + j] >> 4) * d + m;
        }
    }
}

/* Element j and j + 16 of 16 bytes of nibbles with a fifth bit each. */
static void five_bits(const uint8_t *nibbles, uint32_t high, int j, int q[2]) {
    q[0] = (nibbles[j] & 15) | (int)(high >> j & 1) << 4;
    q[1] = nibbles[j] >> 4 | (int)(high >> (j + 16) & 1) << 4;
}

static void q5_0_values(const uint8_t *b, int64_t n, float *out) {
    for (; n > 0; n--, b += 22, out += 32) {
        float d = half(b);
        for (int j = 0, q[2]; j < 16; j++) {
            five_bits(b + 6, load32(b + 2), j, q);
            out[j] = (float)(q[0] - 16) * d;
            out[j + 16] = (float)(q[1] - 16) * d;
        }
    }
}

static void q5_1_values(const uint8_t *b, int64_t n, float *out) {
    for (; n > 0; n--, b += 24, out += 32) {
        float d = half(b), m = half(b + 2);
        for (int j = 0, q[2]; j < 16; j++) {
            five_bits(b + 8, load32(b + 4), j, q);
            out[j] = (float)q[0] * d + m;
            out[j + 16] = (float)q[1] * d + m;
        }
    }
}

static void iq4_steps(const uint8_t *nibbles, float d, float *out) {
    for (int j = 0; j < 16; j++) {
        out[j] = d * (float)leat__iq4_steps[nibbles[j] & 15];
        out[j + 16] = d * (float)leat__iq4_steps[nibbles[j] >> 4];
    }
}

static void iq4_nl_values(const uint8_t *b, int64_t n, float *out) {
    for (; n > 0; n--, b += 18, out += 32) iq4_steps(b + 2, half(b), out);
}

/* ---- blocks of 256 -------------------------------------------------------------------------------------------------------- */

static void q2_k_values(const uint8_t *b, int64_t n, float *out) {
    for (; n > 0; n--, b += 84, out += 256) {
        float d = half(b + 80), m = half(b + 82);
        for (int i = 0; i < 256; i++) {
            int scale = b[i / 16], q = b[16 + i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
            out[i] = d * (float)(scale & 15) * (float)q - m * (float)(scale >> 4);
        }
    }
}

static void q3_k_values(const uint8_t *b, int64_t n, float *out) {
    for (; n > 0; n--, b += 110, out += 256) {
        float d = half(b + 108);
        for (int i = 0; i < 256; i++) {
            int q = b[32 + i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3, high = b[i % 32] >> i / 32 & 1;
            out[i] = d * (float)leat__k3_scale(b + 96, i / 16) * (float)(q - (high ? 0 : 4));
        }
    }
}

/* Q4_K and Q5_K: 32 values of group j from nibbles and, unless NULL, fifth bits. */
static void k45_group(const uint8_t *b, int j, const uint8_t *nibbles, const uint8_t *high, float *out) {
    int scale, minimum;
    leat__k4_scale(b + 4, j, &scale, &minimum);
    float d = half(b) * (float)scale, m = half(b + 2) * (float)minimum;
    for (int i = 0; i < 32; i++) {
        int q = nibbles[j / 2 * 32 + i] >> j % 2 * 4 & 15;
        if (high) q += (high[i] >> j & 1) << 4;
        out[i] = d * (float)q - m;
    }
}

static void q4_k_values(const uint8_t *b, int64_t n, float *out) {
    for (; n > 0; n--, b += 144, out += 256)
        for (int j = 0; j < 8; j++) k45_group(b, j, b + 16, NULL, out + 32 * j);
}

static void q5_k_values(const uint8_t *b, int64_t n, float *out) {
    for (; n > 0; n--, b += 176, out += 256)
        for (int j = 0; j < 8; j++) k45_group(b, j, b + 48, b + 16, out + 32 * j);
}

static void q6_k_values(const uint8_t *b, int64_t n, float *out) {
    for (; n > 0; n--, b += 210, out += 256) {
        float d = half(b + 208);
        for (int i = 0; i < 256; i++) {
            int part = i / 128, group = i % 128 / 32, l = i % 32;
            int low = b[64 * part + (group & 1) * 32 + l] >> (group >> 1) * 4 & 15, high = b[128 + 32 * part + l] >> 2 * group & 3;
            out[i] = d * (float)(int8_t)b[192 + i / 16] * (float)((low | high << 4) - 32);
        }
    }
}

static void iq4_xs_values(const uint8_t *b, int64_t n, float *out) {
    for (; n > 0; n--, b += 136, out += 256)
        for (int j = 0; j < 8; j++) {
            int scale = (b[4 + j / 2] >> j % 2 * 4 & 15) | (load16(b + 2) >> 2 * j & 3) << 4;
            iq4_steps(b + 8 + 16 * j, half(b) * (float)(scale - 32), out + 32 * j);
        }
}

/* ---- the table ------------------------------------------------------------------------------------------------------------ */

static const leat_block_format formats[] = {
    [0] = {"F32", 1, 4, f32_values},         [1] = {"F16", 1, 2, f16_values},         [2] = {"Q4_0", 32, 18, q4_0_values},
    [3] = {"Q4_1", 32, 20, q4_1_values},     [6] = {"Q5_0", 32, 22, q5_0_values},     [7] = {"Q5_1", 32, 24, q5_1_values},
    [8] = {"Q8_0", 32, 34, q8_0_values},     [9] = {"Q8_1", 32, 36, NULL},            [10] = {"Q2_K", 256, 84, q2_k_values},
    [11] = {"Q3_K", 256, 110, q3_k_values},  [12] = {"Q4_K", 256, 144, q4_k_values},  [13] = {"Q5_K", 256, 176, q5_k_values},
    [14] = {"Q6_K", 256, 210, q6_k_values},  [15] = {"Q8_K", 256, 292, NULL},         [16] = {"IQ2_XXS", 256, 66, NULL},
    [17] = {"IQ2_XS", 256, 74, NULL},        [18] = {"IQ3_XXS", 256, 98, NULL},       [19] = {"IQ1_S", 256, 50, NULL},
    [20] = {"IQ4_NL", 32, 18, iq4_nl_values}, [21] = {"IQ3_S", 256, 110, NULL},       [22] = {"IQ2_S", 256, 82, NULL},
    [23] = {"IQ4_XS", 256, 136, iq4_xs_values}, [24] = {"I8", 1, 1, NULL},            [25] = {"I16", 1, 2, NULL},
    [26] = {"I32", 1, 4, NULL},              [27] = {"I64", 1, 8, NULL},              [28] = {"F64", 1, 8, NULL},
    [29] = {"IQ1_M", 256, 56, NULL},         [30] = {"BF16", 1, 2, bf16_values},      [34] = {"TQ1_0", 256, 54, NULL},
    [35] = {"TQ2_0", 256, 66, NULL},         [39] = {"MXFP4", 32, 17, NULL},
};

const leat_block_format *leat__block_format(int type) {
    if (type < 0 || type >= (int)(sizeof formats / sizeof *formats) || !formats[type].length) return NULL;
    return &formats[type];
}
