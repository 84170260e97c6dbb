/* qgemm_neondot.c - tiles of 8 rows x 6 tokens, four times, on the dot product of FEAT_DotProd: four weights of four rows, times four activations of a
 * token, which the instruction takes from a quarter of a register that holds sixteen.
 *
 * It wants signed bytes: weights of fewer than 8 bits are that, those of 8 bits are unpacked signed (qgemm_neon.c).  Of 32 registers 12 hold sums of integers, 12 sums of
 * floats, 6 activations, 2 weights.  With scales of 16 weights there are 4 tokens, since the halves of a group meet in 8 more.
 */
#include "cpu/qgemm.h"

#define NV 2
#define MOST 6
#define OWN_DOTS

#include "cpu/qgemm_tmpl.h"

#define EACH_T(X, a, b, c, d) X(a, b, c, d, 1) X(a, b, c, d, 2) X(a, b, c, d, 3) X(a, b, c, d, 4) X(a, b, c, d, 5) X(a, b, c, d, 6)

/* Quad `lane` of the sixteen weights that begin at w. */
#define ADD_QUAD(lane)                                                                                                   \
    UNROLL_V for (int v = 0; v < NV; v++) {                                                                              \
        int8x16_t wv = vreinterpretq_s8_u8(vld1q_u8(w + 4 * ((k + lane) * ROWS + v * LANES)));                           \
        UNROLL_T for (int i = 0; i < T; i++) acc[i][v] = vdotq_laneq_s32(acc[i][v], wv, xv[i], lane);                    \
    }

INLINE void dots(VI acc[MOST][NV], const uint8_t *w, const int8_t *x, int64_t ldq, const int quads, const int bits, const int T) {
    UNROLL_K for (int k = 0; k < quads; k += 4) {
        int8x16_t xv[MOST];
        UNROLL_T for (int i = 0; i < T; i++) xv[i] = vld1q_s8(x + i * ldq + 4 * k);
        ADD_QUAD(0)
        ADD_QUAD(1)
        ADD_QUAD(2)
        ADD_QUAD(3)
    }
}

DEFINE_TILES(32, 0, 8, 0)
DEFINE_TILES(32_min, 0, 8, 1)
DEFINE_TILES(16, 1, 8, 0)
DEFINE_TILES(16_min, 1, 8, 1)

/* Over neon's, whose unpacked form is the same. */
void leat__qgemm_fill_neondot(leat_qgemm_table *table) {
    table->isa = "neondot";
    table->piece = PIECE;
    table->interleave_bytes = table->interleave_scales; /* four bytes each, too */
    SET_TILES(32, LEAT_QGEMM_32_4, 6)
    SET_TILES(32, LEAT_QGEMM_32_5, 6)
    SET_TILES(32, LEAT_QGEMM_32_8, 6)
    SET_TILES(32_min, LEAT_QGEMM_32_4_MIN, 6)
    SET_TILES(32_min, LEAT_QGEMM_32_5_MIN, 6)
    SET_TILES(16, LEAT_QGEMM_16_6, 4)
    SET_TILES(16_min, LEAT_QGEMM_16_6_MIN, 4)
}
