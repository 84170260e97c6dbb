/* qgemm_neon.c - tiles of 4 rows x 6 tokens, eight times, on products of 8 bits that are summed in 16, and what all ARM levels share: unpacking.
 *
 * A panel holds sixteen bytes of a row together, [depth / 16][ROWS][16]: a row's products with a token need no copies into all lanes, and each lane sums only four of a
 * group of 32.  What then remains is to add the lanes of four rows to each other, in 16 bits as long as the weights' bits allow:
 *   4 bits   4 x 15 x 127, doubled twice, fits
 *   5 bits   4 x 31 x 127, doubled once, fits; and 6 bits in a group of 16: 2 x 63 x 127, doubled once
 *   8 bits   signed: 2 x 128 x 127 fits
 * The multiplier is one pipe on small cores and adding another, so that adding costs little there.
 */
#include "cpu/qgemm.h"

#define UNPACK_NEON
#define FLIP 0 /* weights of 8 bits stay signed */
#include "cpu/qgemm_unpack_tmpl.h"

#define NV 1
#define PIECE 16
#define MOST 6
#define OWN_DOTS

#include "cpu/qgemm_tmpl.h"

#define EACH_T(X, a, b, c, d) X(a, b, c, d, 1) X(a, b, c, d, 2) X(a, b, c, d, 3) X(a, b, c, d, 4) X(a, b, c, d, 5) X(a, b, c, d, 6)

/* p[r] = or += sixteen products of each of four rows, in eight lanes: row after row, since cores in order wait for a sum that is added to at once. */
INLINE void multiply(int16x8_t p[4], const int8x16_t w[4], int8x16_t x, const int add) {
    UNROLL_K for (int r = 0; r < 4; r++) {
        int8x8_t low = vget_low_s8(w[r]), x_low = vget_low_s8(x);
        p[r] = add ? vmlal_s8(p[r], low, x_low) : vmull_s8(low, x_low);
        STAY(p[r]);
    }
    UNROLL_K for (int r = 0; r < 4; r++) p[r] = vmlal_high_s8(p[r], w[r], x);
}

/* acc + the sums over the lanes of four rows. */
INLINE VI add_rows_4(VI acc, const int16x8_t p[4]) { return vpadalq_s16(acc, vpaddq_s16(vpaddq_s16(p[0], p[1]), vpaddq_s16(p[2], p[3]))); }
INLINE VI add_rows_5(VI acc, const int16x8_t p[4]) {
    return vaddq_s32(acc, vpaddq_s32(vpaddlq_s16(vpaddq_s16(p[0], p[1])), vpaddlq_s16(vpaddq_s16(p[2], p[3]))));
}

/* acc += 16 or 32 products of w [halves][ROWS][16], four rows, and x [halves][16]. */
INLINE VI dot_small(VI acc, const int8x16_t *w, const int8x16_t *x, const int pieces, const int bits) {
    int16x8_t p[4];
    multiply(p, w, x[0], 0);
    if (pieces == 2) multiply(p, w + 4, x[1], 1);
    return bits == 4 ? add_rows_4(acc, p) : add_rows_5(acc, p);
}

INLINE VI dot_8(VI acc, const int8x16_t *w, const int8x16_t *x, const int pieces) {
    int16x8_t p[4];
    VI        sum[4];
    multiply(p, w, x[0], 0);
    UNROLL_K for (int r = 0; r < 4; r++) sum[r] = vpaddlq_s16(p[r]);
    if (pieces == 2) {
        multiply(p, w + 4, x[1], 0);
        UNROLL_K for (int r = 0; r < 4; r++) sum[r] = vpadalq_s16(sum[r], p[r]);
    }
    return vaddq_s32(acc, vpaddq_s32(vpaddq_s32(sum[0], sum[1]), vpaddq_s32(sum[2], sum[3])));
}

INLINE void dots(VI acc[MOST][NV], const uint8_t *w, const int8_t *x, int64_t ldq, const int quads, const int bits, const int T) {
    const int pieces = quads / 4;
    int8x16_t wv[8];
    UNROLL_K for (int i = 0; i < 4 * pieces; i++) wv[i] = vreinterpretq_s8_u8(vld1q_u8(w + 16 * (i / 4 * ROWS + i % 4)));
    UNROLL_T for (int i = 0; i < T; i++) {
        int8x16_t xv[2];
        UNROLL_V for (int h = 0; h < pieces; h++) xv[h] = vld1q_s8(x + i * ldq + 16 * h);
        acc[i][0] = bits == 8 ? dot_8(acc[i][0], wv, xv, pieces) : dot_small(acc[i][0], wv, xv, pieces, bits);
    }
}

DEFINE_TILES(32_4, 0, 4, 0)
DEFINE_TILES(32_5, 0, 5, 0)
DEFINE_TILES(32_8, 0, 8, 0)
DEFINE_TILES(32_4_min, 0, 4, 1)
DEFINE_TILES(32_5_min, 0, 5, 1)
DEFINE_TILES(16_6, 1, 6, 0)
DEFINE_TILES(16_6_min, 1, 6, 1)

/* Tiles of 4 rows x 4 columns. */
static void interleave(const void *from, int64_t stride, int64_t columns, void *to) {
    int64_t c = 0;
    for (; c + 4 <= columns; c += 4)
        for (int r = 0; r < ROWS; r += 4) {
            const int8_t *p = (const int8_t *)from + r * stride + 4 * c;
            int32_t      *out = (int32_t *)to + c * ROWS + r;
            int32x4_t a = vreinterpretq_s32_s8(vld1q_s8(p)), b = vreinterpretq_s32_s8(vld1q_s8(p + stride));
            int32x4_t d = vreinterpretq_s32_s8(vld1q_s8(p + 2 * stride)), e = vreinterpretq_s32_s8(vld1q_s8(p + 3 * stride));
            int64x2_t ab = vreinterpretq_s64_s32(vzip1q_s32(a, b)), ab2 = vreinterpretq_s64_s32(vzip2q_s32(a, b));
            int64x2_t de = vreinterpretq_s64_s32(vzip1q_s32(d, e)), de2 = vreinterpretq_s64_s32(vzip2q_s32(d, e));
            vst1q_s32(out, vreinterpretq_s32_s64(vzip1q_s64(ab, de)));
            vst1q_s32(out + ROWS, vreinterpretq_s32_s64(vzip2q_s64(ab, de)));
            vst1q_s32(out + 2 * ROWS, vreinterpretq_s32_s64(vzip1q_s64(ab2, de2)));
            vst1q_s32(out + 3 * ROWS, vreinterpretq_s32_s64(vzip2q_s64(ab2, de2)));
        }
    for (; c < columns; c++)
        for (int r = 0; r < ROWS; r++) memcpy((char *)to + 4 * (c * ROWS + r), (const char *)from + r * stride + 4 * c, 4);
}

/* to[c][r] = 16 bytes at from + r * stride + 16 * c */
static void interleave_16(const void *from, int64_t stride, int64_t columns, void *to) {
    for (int r = 0; r < ROWS; r++)
        for (int64_t c = 0; c < columns; c++) memcpy((char *)to + 16 * (c * ROWS + r), (const char *)from + r * stride + 16 * c, 16);
}

void leat__qgemm_fill_neon(leat_qgemm_table *table) {
    table->isa = "neon";
    table->piece = PIECE;
    table->interleave_bytes = interleave_16;
    table->interleave_scales = interleave;
    memcpy(table->format, unpackers, sizeof unpackers);
    SET_TILES(32_4, LEAT_QGEMM_32_4, 6)
    SET_TILES(32_5, LEAT_QGEMM_32_5, 6)
    SET_TILES(32_8, LEAT_QGEMM_32_8, 6)
    SET_TILES(32_4_min, LEAT_QGEMM_32_4_MIN, 6)
    SET_TILES(32_5_min, LEAT_QGEMM_32_5_MIN, 6)
    SET_TILES(16_6, LEAT_QGEMM_16_6, 6)
    SET_TILES(16_6_min, LEAT_QGEMM_16_6_MIN, 6)
}
