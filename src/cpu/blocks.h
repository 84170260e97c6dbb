/* blocks.h - the block formats of quantised language-model weights, and their exact values.
 *
 * A row is a sequence of blocks of `length` elements in `bytes` bytes; d, m are IEEE half scales, s, t small integer ones of 16 or 32 elements.
 *   F32 F16 BF16   plain
 *   Q8_0    32: d, 32 x int8                        x = d q
 *   Q4_0    32: d, 16 bytes                         x = d (q - 8)          low nibbles are elements 0..15, high ones 16..31
 *   Q4_1    32: d, m, 16 bytes                      x = d q + m
 *   Q5_0    32: d, 32 high bits, 16 bytes           x = d (q - 16)
 *   Q5_1    32: d, m, 32 high bits, 16 bytes        x = d q + m
 *   IQ4_NL  32: d, 16 bytes                         x = d v[q]             v: 16 uneven steps
 *   Q2_K   256: 16 x (s, t nibbles), 64 bytes, d, m     x = d s q - m t    of 16
 *   Q3_K   256: 32 bytes high bits, 64 bytes, 12 bytes = 16 x 6-bit s, d   x = d (s - 32) q,  q in -4..3, of 16
 *   Q4_K   256: d, m, 12 bytes = 8 x 6-bit (s, t), 128 bytes               x = d s q - m t    of 32
 *   Q5_K   256: d, m, 12 bytes, 32 bytes high bits, 128 bytes              x = d s q - m t    of 32
 *   Q6_K   256: 128 bytes low nibbles, 64 bytes high pairs, 16 x int8 s, d x = d s (q - 32)   of 16
 *   IQ4_XS 256: d, 16 bits + 4 bytes = 8 x 6-bit s, 128 bytes              x = d (s - 32) v[q]  of 32
 * Products are rounded in the order written (contraction off), so that the values are those of ggml's reference bit for bit.
 * RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_BLOCKS_H
#define LEAT_CPU_BLOCKS_H

#include <stdint.h>

#define LEAT_BLOCK_MAX 256 /* elements of the longest block */

typedef struct leat_block_format {
    const char *name;
    int         length, bytes; /* of a block; 0 = the format has no such number */
    void      (*values)(const uint8_t *blocks, int64_t count, float *out); /* out [count * length]; NULL: known by name only */
} leat_block_format;

/* The format with GGUF's number `type`; NULL when there is none. */
const leat_block_format *leat__block_format(int type);

/* The steps of IQ4_NL and IQ4_XS. */
extern const int8_t leat__iq4_steps[16];
/* 6-bit scale and minimum j (0..7) of the 12 bytes of Q4_K and Q5_K. */
static inline void leat__k4_scale(const uint8_t *packed, int j, int *scale, int *minimum) {
    if (j < 4) {
        *scale = packed[j] & 63;
        *minimum = packed[j + 4] & 63;
    } else {
        *scale = (packed[j + 4] & 15) | (packed[j - 4] >> 6 << 4);
        *minimum = (packed[j + 4] >> 4) | (packed[j] >> 6 << 4);
    }
}
/* 6-bit scale j (0..15) of the 12 bytes of Q3_K, -32..31. */
static inline int leat__k3_scale(const uint8_t *packed, int j) {
    int low = j < 8 ? packed[j] & 15 : packed[j - 8] >> 4;
    return (low | (packed[8 + (j & 3)] >> 2 * (j >> 2) & 3) << 4) - 32;
}

#endif
