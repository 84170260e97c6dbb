/* qrows_neon.c - integer products on 64-bit ARM: values times an element, 4 rows x 16 columns in registers.
 *
 * Pairs and quads of a column, which lie together for the multiply-adds of x86, are taken apart as they are loaded, once for all rows.  A pair of products
 * of bytes is clamped by a saturating addition: each fits 16 bits. */
#include "cpu/qrows.h"

#include <arm_neon.h>
#include <string.h>

#define UNROLL _Pragma("GCC unroll 4")
#define INLINE static inline __attribute__((always_inline))

/* What becomes of 16 columns of R rows. */
typedef struct sums {
    int32x4_t at[4][4];
} sums;

INLINE void open_sums(sums *a, const int R, const int32_t *init) {
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < 4; v++) a->at[r][v] = init ? vld1q_s32(init + 4 * v) : vdupq_n_s32(0);
}
INLINE void close_sums(const sums *a, const int R, int32_t *y, int64_t ldy) {
    UNROLL for (int r = 0; r < R; r++)
        UNROLL for (int v = 0; v < 4; v++) vst1q_s32(y + r * ldy + 4 * v, a->at[r][v]);
}

/* ---- words ---------------------------------------------------------------------------------------------------------- */

INLINE int16x4_t pair(const int16_t *x) {
    int32_t v;
    memcpy(&v, x, sizeof v);
    return vreinterpret_s16_s32(vset_lane_s32(v, vdup_n_s32(0), 0));
}

INLINE void tile(const int R, int32_t *y, int64_t ldy, const int16_t *x, int64_t ldx, const int64_t *offset, int segments, int64_t pairs, const int16_t *w,
                 int64_t width, const int32_t *init) {
    sums a;
    open_sums(&a, R, init);
    for (int s = 0; s < segments; s++) {
        const int16_t *from = x + offset[s];
        for (int64_t i = 0; i < pairs; i++, w += 2 * width, from += 2) {
            int16x8_t w0 = vld1q_s16(w), w1 = vld1q_s16(w + 8), w2 = vld1q_s16(w + 16), w3 = vld1q_s16(w + 24);
            int16x8_t first[2] = {vuzp1q_s16(w0, w1), vuzp1q_s16(w2, w3)}, second[2] = {vuzp2q_s16(w0, w1), vuzp2q_s16(w2, w3)};
            UNROLL for (int r = 0; r < R; r++) {
                int16x4_t p = pair(from + r * ldx);
                UNROLL for (int v = 0; v < 2; v++) {
                    a.at[r][2 * v] = vmlal_lane_s16(a.at[r][2 * v], vget_low_s16(first[v]), p, 0);
                    a.at[r][2 * v + 1] = vmlal_high_lane_s16(a.at[r][2 * v + 1], first[v], p, 0);
                    a.at[r][2 * v] = vmlal_lane_s16(a.at[r][2 * v], vget_low_s16(second[v]), p, 1);
                    a.at[r][2 * v + 1] = vmlal_high_lane_s16(a.at[r][2 * v + 1], second[v], p, 1);
                }
            }
        }
    }
    close_sums(&a, R, y, ldy);
}

/* ---- bytes ---------------------------------------------------------------------------------------------------------- */

INLINE int16x4_t quad(const uint8_t *x) {
    uint32_t v;
    memcpy(&v, x, sizeof v);
    return vreinterpret_s16_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vset_lane_u32(v, vdup_n_u32(0), 0)))));
}

/* Adds the clamped pairs of 8 columns, one value of each column in each of w. */
INLINE void add_quad(int32x4_t *low, int32x4_t *high, const int16x8_t w[4], int16x4_t x) {
    int16x8_t front = vqaddq_s16(vmulq_lane_s16(w[0], x, 0), vmulq_lane_s16(w[1], x, 1));
    int16x8_t back = vqaddq_s16(vmulq_lane_s16(w[2], x, 2), vmulq_lane_s16(w[3], x, 3));
    *low = vaddw_s16(vaddw_s16(*low, vget_low_s16(front)), vget_low_s16(back));
    *high = vaddw_high_s16(vaddw_high_s16(*high, front), back);
}

INLINE void tile_bytes(const int R, int32_t *y, int64_t ldy, const uint8_t *x, int64_t ldx, const int64_t *offset, int segments, int64_t quads, const int8_t *w,
                       int64_t width, const int32_t *init) {
    sums a;
    open_sums(&a, R, init);
    for (int s = 0; s < segments; s++) {
        const uint8_t *from = x + offset[s];
        for (int64_t i = 0; i < quads; i++, w += 4 * width, from += 4) {
            int8x16x4_t b = vld4q_s8(w);
            int16x8_t   left[4], right[4];
            UNROLL for (int t = 0; t < 4; t++) left[t] = vmovl_s8(vget_low_s8(b.val[t])), right[t] = vmovl_high_s8(b.val[t]);
            UNROLL for (int r = 0; r < R; r++) {
                int16x4_t q = quad(from + r * ldx);
                add_quad(&a.at[r][0], &a.at[r][1], left, q);
                add_quad(&a.at[r][2], &a.at[r][3], right, q);
            }
        }
    }
    close_sums(&a, R, y, ldy);
}

#include "cpu/qrows_tiles_tmpl.h"

/* ---- windows, widening ---------------------------------------------------------------------------------------------- */

static void window_i16(int32_t *y, const int16_t *x, const int64_t *offset, int positions, const int16_t *w, int64_t c, const int32_t *init) {
    int64_t width = leat__qrows_round(c);
    for (int64_t j = 0; j < width; j += 8) {
        int32x4_t      low = init ? vld1q_s32(init + j) : vdupq_n_s32(0), high = init ? vld1q_s32(init + j + 4) : low, low1 = vdupq_n_s32(0), high1 = low1;
        const int16_t *from = w + 2 * j;
        for (int p = 0; p < positions; p += 2, from += 2 * width) {
            int16x8_t   u = vld1q_s16(x + offset[p] + j);
            int16x8x2_t both = vld2q_s16(from);
            low = vmlal_s16(low, vget_low_s16(u), vget_low_s16(both.val[0]));
            high = vmlal_high_s16(high, u, both.val[0]);
            if (p + 1 == positions) break;
            u = vld1q_s16(x + offset[p + 1] + j);
            low1 = vmlal_s16(low1, vget_low_s16(u), vget_low_s16(both.val[1]));
            high1 = vmlal_high_s16(high1, u, both.val[1]);
        }
        vst1q_s32(y + j, vaddq_s32(low, low1));
        vst1q_s32(y + j + 4, vaddq_s32(high, high1));
    }
}

static void widen_u8(int16_t *y, const uint8_t *x, int64_t n, int32_t zero) {
    const int16x8_t z = vdupq_n_s16((int16_t)zero);
    int64_t         i = 0;
    for (; i + 8 <= n; i += 8) vst1q_s16(y + i, vsubq_s16(vreinterpretq_s16_u16(vmovl_u8(vld1_u8(x + i))), z));
    for (; i < n; i++) y[i] = (int16_t)(x[i] - zero);
}

static void widen_i8(int16_t *y, const int8_t *x, int64_t n, int32_t zero) {
    const int16x8_t z = vdupq_n_s16((int16_t)zero);
    int64_t         i = 0;
    for (; i + 8 <= n; i += 8) vst1q_s16(y + i, vsubq_s16(vmovl_s8(vld1_s8(x + i)), z));
    for (; i < n; i++) y[i] = (int16_t)(x[i] - zero);
}

void leat__qrows_init_neon(leat_qrows_kernels *table) {
    *table = (leat_qrows_kernels){rows_i16, rows_u8s8, window_i16, widen_u8, widen_i8, LEAT_ISA_NEON};
}
