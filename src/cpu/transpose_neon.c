/* transpose_neon.c - transposition by register tiles: 8x8 of 2 and 1 bytes, 4x4 of 4, 2x2 of 8.
 *
 * Rows i and i + n / 2 interleaved element by element are the rows of the next round; log2(n) rounds transpose n rows.
 */
#include "cpu/transpose.h"

#include <arm_neon.h>

#include "cpu/transpose_walk.h"

static inline __attribute__((always_inline)) void tile_b1(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds) {
    uint8x8_t r[8], t[8];
    UNROLL for (int i = 0; i < 8; i++) r[i] = vld1_u8(src + i * ss);
    UNROLL for (int i = 0; i < 4; i++) t[2 * i] = vzip1_u8(r[i], r[i + 4]), t[2 * i + 1] = vzip2_u8(r[i], r[i + 4]);
    UNROLL for (int i = 0; i < 4; i++) r[2 * i] = vzip1_u8(t[i], t[i + 4]), r[2 * i + 1] = vzip2_u8(t[i], t[i + 4]);
    UNROLL for (int i = 0; i < 4; i++) {
        vst1_u8(dst + 2 * i * ds, vzip1_u8(r[i], r[i + 4]));
        vst1_u8(dst + (2 * i + 1) * ds, vzip2_u8(r[i], r[i + 4]));
    }
}

static inline uint16x8_t load_u16(const uint8_t *p) { return vreinterpretq_u16_u8(vld1q_u8(p)); }
static inline uint32x4_t load_u32(const uint8_t *p) { return vreinterpretq_u32_u8(vld1q_u8(p)); }
static inline uint64x2_t load_u64(const uint8_t *p) { return vreinterpretq_u64_u8(vld1q_u8(p)); }

static inline __attribute__((always_inline)) void tile_b2(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds) {
    uint16x8_t r[8], t[8];
    UNROLL for (int i = 0; i < 8; i++) r[i] = load_u16(src + i * ss);
    UNROLL for (int i = 0; i < 4; i++) t[2 * i] = vzip1q_u16(r[i], r[i + 4]), t[2 * i + 1] = vzip2q_u16(r[i], r[i + 4]);
    UNROLL for (int i = 0; i < 4; i++) r[2 * i] = vzip1q_u16(t[i], t[i + 4]), r[2 * i + 1] = vzip2q_u16(t[i], t[i + 4]);
    UNROLL for (int i = 0; i < 4; i++) {
        vst1q_u8(dst + 2 * i * ds, vreinterpretq_u8_u16(vzip1q_u16(r[i], r[i + 4])));
        vst1q_u8(dst + (2 * i + 1) * ds, vreinterpretq_u8_u16(vzip2q_u16(r[i], r[i + 4])));
    }
}

static inline __attribute__((always_inline)) void tile_b4(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds) {
    uint32x4_t a = load_u32(src), b = load_u32(src + ss), c = load_u32(src + 2 * ss), d = load_u32(src + 3 * ss);
    uint32x4_t ac = vzip1q_u32(a, c), ac2 = vzip2q_u32(a, c), bd = vzip1q_u32(b, d), bd2 = vzip2q_u32(b, d);
    vst1q_u8(dst, vreinterpretq_u8_u32(vzip1q_u32(ac, bd)));
    vst1q_u8(dst + ds, vreinterpretq_u8_u32(vzip2q_u32(ac, bd)));
    vst1q_u8(dst + 2 * ds, vreinterpretq_u8_u32(vzip1q_u32(ac2, bd2)));
    vst1q_u8(dst + 3 * ds, vreinterpretq_u8_u32(vzip2q_u32(ac2, bd2)));
}

static inline __attribute__((always_inline)) void tile_b8(const uint8_t *src, int64_t ss, uint8_t *dst, int64_t ds) {
    uint64x2_t a = load_u64(src), b = load_u64(src + ss);
    vst1q_u8(dst, vreinterpretq_u8_u64(vzip1q_u64(a, b)));
    vst1q_u8(dst + ds, vreinterpretq_u8_u64(vzip2q_u64(a, b)));
}

void leat_b1_transpose_neon(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols) {
    walk(src, src_stride, dst, dst_stride, rows, cols, 1, 8, tile_b1, leat_b1_transpose_ref);
}
void leat_b2_transpose_neon(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols) {
    walk(src, src_stride, dst, dst_stride, rows, cols, 2, 8, tile_b2, leat_b2_transpose_ref);
}
void leat_b4_transpose_neon(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols) {
    walk(src, src_stride, dst, dst_stride, rows, cols, 4, 4, tile_b4, leat_b4_transpose_ref);
}
void leat_b8_transpose_neon(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols) {
    walk(src, src_stride, dst, dst_stride, rows, cols, 8, 2, tile_b8, leat_b8_transpose_ref);
}
