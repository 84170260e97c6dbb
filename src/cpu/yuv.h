/* yuv.h - kernels between RGB and YUV rows, and between the memory orders of YUV.
 *
 * Integer arithmetic on 8-bit samples; all variants give the same bits as the reference.
 *
 *   forward   Y = (ky . (c0, c1, c2) + y_bias) >> 15              c0 c1 c2: the pixel's bytes in memory order
 *             U = (ku . sum over the 2x2 pixels + c_bias) >> 17    V likewise
 *   inverse   R = (m(128 (Y - y_offset), luma) + m(256 (V - 128), v0) + 32) >> 6, G with u1 and v1, B with u2, where
 *             m(a, b) = (a b + 2^14) >> 15, the rounding product of 16-bit words; within 0.53 of the exact value
 *   all clamped to 0..255
 *
 * The order RGB or BGR is in the coefficients alone: leat__yuv_forward() and leat__yuv_inverse() make them.
 * Nothing is read or written past the n pixels.  RT-safe: no allocation, no failure.
 */
#ifndef LEAT_CPU_YUV_H
#define LEAT_CPU_YUV_H

#include <stdint.h>

#include "leat/common.h"

typedef struct leat_yuv_forward {
    int16_t y[3], u[3], v[3]; /* 15 bits of fraction */
    int32_t y_bias, c_bias;
} leat_yuv_forward;

typedef struct leat_yuv_inverse {
    int16_t luma, v0, u1, v1, u2; /* luma has 14 bits of fraction, the others 13: red sees V, green both, blue U */
    int16_t y_offset;
    int16_t blue_first;
} leat_yuv_inverse;

void leat__yuv_forward_make(leat_yuv_forward *k, int bt709, int full_range, int blue_first);
void leat__yuv_inverse_make(leat_yuv_inverse *k, int bt709, int full_range, int blue_first);

typedef struct leat_yuv_table {
    /* Two rows of n pixels of `step` (3 or 4) bytes to y0, y1 [n] and u, v [(n + 1) / 2]; an odd last column counts twice.
     * rgb0 == rgb1 and y0 == y1 are allowed. */
    void (*from_rgb)(const uint8_t *rgb0, const uint8_t *rgb1, int step, uint8_t *y0, uint8_t *y1, uint8_t *u, uint8_t *v, int n,
                     const leat_yuv_forward *k);
    /* y [n], u, v [(n + 1) / 2] to n pixels of `step` bytes, a fourth byte is 255. */
    void (*to_rgb)(const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *rgb, int step, int n, const leat_yuv_inverse *k);
    void (*split)(const uint8_t *pairs, uint8_t *even, uint8_t *odd, int n);       /* n pairs */
    void (*join)(const uint8_t *even, const uint8_t *odd, uint8_t *pairs, int n);  /* n pairs */
    void (*average)(const uint8_t *a, const uint8_t *b, uint8_t *out, int n);      /* (a + b + 1) / 2; out may be a */
    /* n pixels of `from` bytes to pixels of `to` bytes (3 or 4), red and blue exchanged if swap; a fourth byte is 255. */
    void (*reorder)(const uint8_t *in, int from, uint8_t *out, int to, int swap, int n);
} leat_yuv_table;

extern leat_yuv_table leat__yuv;
void leat__yuv_init(leat_isa level);

#define LEAT_YUV_DECLARE(isa)                                                                                                            \
    void leat_u8_yuv_from_rgb_##isa(const uint8_t *rgb0, const uint8_t *rgb1, int step, uint8_t *y0, uint8_t *y1, uint8_t *u, uint8_t *v, \
                                    int n, const leat_yuv_forward *k);                                                                   \
    void leat_u8_yuv_to_rgb_##isa(const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *rgb, int step, int n,                   \
                                  const leat_yuv_inverse *k);                                                                            \
    void leat_u8_split_##isa(const uint8_t *pairs, uint8_t *even, uint8_t *odd, int n);                                                  \
    void leat_u8_join_##isa(const uint8_t *even, const uint8_t *odd, uint8_t *pairs, int n);                                             \
    void leat_u8_average_##isa(const uint8_t *a, const uint8_t *b, uint8_t *out, int n);                                                 \
    void leat_u8_reorder_##isa(const uint8_t *in, int from, uint8_t *out, int to, int swap, int n);
LEAT_YUV_DECLARE(ref)
LEAT_YUV_DECLARE(avx2)
LEAT_YUV_DECLARE(neon)
#undef LEAT_YUV_DECLARE

#endif
