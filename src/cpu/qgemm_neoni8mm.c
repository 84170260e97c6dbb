/* qgemm_neoni8mm.c - tiles of 8 rows x 6 tokens, four times, on the matrix product of FEAT_I8MM: two tokens times two rows, eight of each.
 *
 * A panel holds eight bytes of a row together, [depth / 8][ROWS][8], and the scales of two rows twice; the tokens are brought into the same form before the
 * loop.  Of 32 registers 12 hold sums of integers, 12 sums of floats, 3 activations, up to 4 weights.  With scales of 16 weights there are 4 tokens, since the
 * halves of a group meet in 8 more.
 */
#include "cpu/qgemm.h"

#define NV 4
#define PER 2
#define PIECE 8
#define MOST 3
#define OWN_DOTS

#include "cpu/qgemm_tmpl.h"

#define EACH_T(X, a, b, c, d) X(a, b, c, d, 1) X(a, b, c, d, 2) X(a, b, c, d, 3) X(a, b, c, d, 4) X(a, b, c, d, 5) X(a, b, c, d, 6)

INLINE void dots(VI acc[MOST][NV], const uint8_t *w, const int8_t *x, int64_t ldq, const int quads, const int bits, const int T) {
    UNROLL_K for (int k = 0; k < quads / 2; k++) {
        int8x16_t xv[MOST];
        UNROLL_T for (int i = 0; i < T; i++) xv[i] = vld1q_s8(x + i * ldq + 16 * k);
        UNROLL_V for (int v = 0; v < NV; v++) {
            int8x16_t wv = vreinterpretq_s8_u8(vld1q_u8(w + 8 * (k * ROWS + v * LANES)));
            UNROLL_T for (int i = 0; i < T; i++) acc[i][v] = vmmlaq_s32(acc[i][v], xv[i], wv);
        }
    }
}

DEFINE_TILES(32, 0, 8, 0)
DEFINE_TILES(32_min, 0, 8, 1)
DEFINE_TILES(16, 1, 8, 0)
DEFINE_TILES(16_min, 1, 8, 1)

/* to[c][r] = 8 bytes at from + r * stride + 8 * c */
static void interleave_8(const void *from, int64_t stride, int64_t columns, void *to) {
    for (int r = 0; r < ROWS; r += 2) {
        const int8_t *a = (const int8_t *)from + r * stride, *b = a + stride;
        int8_t       *out = (int8_t *)to + 8 * r;
        for (int64_t c = 0; c + 2 <= columns; c += 2, out += 16 * ROWS) {
            int64x2_t va = vreinterpretq_s64_s8(vld1q_s8(a + 8 * c)), vb = vreinterpretq_s64_s8(vld1q_s8(b + 8 * c));
            vst1q_s8(out, vreinterpretq_s8_s64(vzip1q_s64(va, vb)));
            vst1q_s8(out + 8 * ROWS, vreinterpretq_s8_s64(vzip2q_s64(va, vb)));
        }
    }
}

/* to[c][r / 2] = floats of rows r, r + 1, r, r + 1 at from + r * stride + 4 * c */
static void interleave_scales(const void *from, int64_t stride, int64_t columns, void *to) {
    for (int r = 0; r < ROWS; r += 2) {
        const float *a = (const float *)(const void *)((const char *)from + r * stride), *b = (const float *)(const void *)((const char *)a + stride);
        float       *out = (float *)to + 2 * r;
        for (int64_t c = 0; c < columns; c++, out += WIDTH) {
            float32x2_t pair = vzip1_f32(vld1_dup_f32(a + c), vld1_dup_f32(b + c));
            vst1q_f32(out, vcombine_f32(pair, pair));
        }
    }
}

/* Over neon's, whose unpacked form is the same. */
void leat__qgemm_fill_neoni8mm(leat_qgemm_table *table) {
    table->isa = "neoni8mm";
    table->piece = PIECE;
    table->interleave_bytes = interleave_8;
    table->interleave_scales = interleave_scales;
    table->width = WIDTH;
    SET_TILES(32, LEAT_QGEMM_32_4, 6)
    SET_TILES(32, LEAT_QGEMM_32_5, 6)
    SET_TILES(32, LEAT_QGEMM_32_8, 6)
    SET_TILES(32_min, LEAT_QGEMM_32_4_MIN, 6)
    SET_TILES(32_min, LEAT_QGEMM_32_5_MIN, 6)
    SET_TILES(16, LEAT_QGEMM_16_6, 4)
    SET_TILES(16_min, LEAT_QGEMM_16_6_MIN, 4)
}
