/* yuv_neon.c - RGB and YUV rows on 64-bit ARM, 16 pixels at a time: loads and stores that take packed pixels apart do the order, tails are the reference's. */
#include "cpu/yuv.h"

#include <arm_neon.h>

/* Three of the memory's channels; a fourth, if there is one, is left out. */
static inline uint8x16x3_t load_pixels(const uint8_t *p, int step) {
    if (step == 3) return vld3q_u8(p);
    uint8x16x4_t four = vld4q_u8(p);
    return (uint8x16x3_t){{four.val[0], four.val[1], four.val[2]}};
}
static inline void store_pixels(uint8_t *p, int step, uint8x16_t a, uint8x16_t b, uint8x16_t c) {
    if (step == 3) vst3q_u8(p, ((uint8x16x3_t){{a, b, c}}));
    else vst4q_u8(p, ((uint8x16x4_t){{a, b, c, vdupq_n_u8(255)}}));
}

/* ---- from RGB ------------------------------------------------------------------------------------------------------------ */

static inline int32x4_t dot(const int16_t *k, int16x4_t a, int16x4_t b, int16x4_t c, int32x4_t bias) {
    return vmlal_n_s16(vmlal_n_s16(vmlal_n_s16(bias, a, k[0]), b, k[1]), c, k[2]);
}

/* Eight bytes of (k . (a, b, c) + bias) >> SHIFT, clamped. */
#define WEIGHED(name, SHIFT)                                                                                                              \
    static inline uint8x8_t name(const int16_t *k, int16x8_t a, int16x8_t b, int16x8_t c, int32x4_t bias) {                               \
        int32x4_t low = vshrq_n_s32(dot(k, vget_low_s16(a), vget_low_s16(b), vget_low_s16(c), bias), SHIFT);                              \
        int32x4_t high = vshrq_n_s32(dot(k, vget_high_s16(a), vget_high_s16(b), vget_high_s16(c), bias), SHIFT);                          \
        return vqmovn_u16(vqmovun_high_s32(vqmovun_s32(low), high));                                                                      \
    }
WEIGHED(luma_bytes, 15)
WEIGHED(chroma_bytes, 17)

static inline int16x8_t low_words(uint8x16_t v) { return vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(v))); }
static inline int16x8_t high_words(uint8x16_t v) { return vreinterpretq_s16_u16(vmovl_high_u8(v)); }

static inline void put_luma(const leat_yuv_forward *k, uint8x16x3_t p, uint8_t *y) {
    const int32x4_t bias = vdupq_n_s32(k->y_bias);
    vst1_u8(y, luma_bytes(k->y, low_words(p.val[0]), low_words(p.val[1]), low_words(p.val[2]), bias));
    vst1_u8(y + 8, luma_bytes(k->y, high_words(p.val[0]), high_words(p.val[1]), high_words(p.val[2]), bias));
}

static inline int16x8_t square_sums(uint8x16_t upper, uint8x16_t lower) { return vreinterpretq_s16_u16(vpadalq_u8(vpaddlq_u8(upper), lower)); }

void leat_u8_yuv_from_rgb_neon(const uint8_t *rgb0, const uint8_t *rgb1, int step, uint8_t *y0, uint8_t *y1, uint8_t *u, uint8_t *v, int n,
                               const leat_yuv_forward *coefficients) {
    const leat_yuv_forward k = *coefficients; /* a copy, which the stores cannot change */
    const int32x4_t        bias = vdupq_n_s32(k.c_bias);
    int                    x = 0;
    for (; x + 16 <= n; x += 16) {
        uint8x16x3_t p = load_pixels(rgb0 + (int64_t)x * step, step), q = load_pixels(rgb1 + (int64_t)x * step, step);
        int16x8_t    a = square_sums(p.val[0], q.val[0]), b = square_sums(p.val[1], q.val[1]), c = square_sums(p.val[2], q.val[2]);
        put_luma(&k, p, y0 + x);
        put_luma(&k, q, y1 + x);
        vst1_u8(u + x / 2, chroma_bytes(k.u, a, b, c, bias));
        vst1_u8(v + x / 2, chroma_bytes(k.v, a, b, c, bias));
    }
    if (x < n) leat_u8_yuv_from_rgb_ref(rgb0 + (int64_t)x * step, rgb1 + (int64_t)x * step, step, y0 + x, y1 + x, u + x / 2, v + x / 2, n - x, &k);
}

/* ---- to RGB -------------------------------------------------------------------------------------------------------------- */

/* 128 (Y - offset) times luma, and the rounding of the last shift. */
static inline int16x8_t luma_words(const leat_yuv_inverse *k, uint8x8_t y) {
    int16x8_t v = vsubq_s16(vreinterpretq_s16_u16(vmovl_u8(y)), vdupq_n_s16(k->y_offset));
    return vaddq_s16(vqrdmulhq_n_s16(vshlq_n_s16(v, 7), k->luma), vdupq_n_s16(32));
}

static inline int16x8_t centred(const uint8_t *p) { return vshlq_n_s16(vsubq_s16(vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p))), vdupq_n_s16(128)), 8); }

/* 16 bytes of a colour: eight words of chroma serve two pixels each.  Sums that leave 16 bits have long been white. */
static inline uint8x16_t colour(int16x8_t luma0, int16x8_t luma1, int16x8_t chroma) {
    int16x8_t low = vqaddq_s16(luma0, vzip1q_s16(chroma, chroma)), high = vqaddq_s16(luma1, vzip2q_s16(chroma, chroma));
    return vqshrun_high_n_s16(vqshrun_n_s16(low, 6), high, 6);
}

void leat_u8_yuv_to_rgb_neon(const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *rgb, int step, int n, const leat_yuv_inverse *coefficients) {
    const leat_yuv_inverse k = *coefficients;
    int                    x = 0;
    for (; x + 16 <= n; x += 16) {
        int16x8_t  luma0 = luma_words(&k, vld1_u8(y + x)), luma1 = luma_words(&k, vld1_u8(y + x + 8)), cu = centred(u + x / 2), cv = centred(v + x / 2);
        uint8x16_t red = colour(luma0, luma1, vqrdmulhq_n_s16(cv, k.v0)), blue = colour(luma0, luma1, vqrdmulhq_n_s16(cu, k.u2));
        uint8x16_t green = colour(luma0, luma1, vaddq_s16(vqrdmulhq_n_s16(cu, k.u1), vqrdmulhq_n_s16(cv, k.v1)));
        store_pixels(rgb + (int64_t)x * step, step, k.blue_first ? blue : red, green, k.blue_first ? red : blue);
    }
    leat_u8_yuv_to_rgb_ref(y + x, u + x / 2, v + x / 2, rgb + (int64_t)x * step, step, n - x, &k);
}

/* ---- orders -------------------------------------------------------------------------------------------------------------- */

void leat_u8_split_neon(const uint8_t *pairs, uint8_t *even, uint8_t *odd, int n) {
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        uint8x16x2_t p = vld2q_u8(pairs + 2 * i);
        vst1q_u8(even + i, p.val[0]);
        vst1q_u8(odd + i, p.val[1]);
    }
    leat_u8_split_ref(pairs + 2 * i, even + i, odd + i, n - i);
}

void leat_u8_join_neon(const uint8_t *even, const uint8_t *odd, uint8_t *pairs, int n) {
    int i = 0;
    for (; i + 16 <= n; i += 16) vst2q_u8(pairs + 2 * i, ((uint8x16x2_t){{vld1q_u8(even + i), vld1q_u8(odd + i)}}));
    leat_u8_join_ref(even + i, odd + i, pairs + 2 * i, n - i);
}

void leat_u8_average_neon(const uint8_t *a, const uint8_t *b, uint8_t *out, int n) {
    int i = 0;
    for (; i + 16 <= n; i += 16) vst1q_u8(out + i, vrhaddq_u8(vld1q_u8(a + i), vld1q_u8(b + i)));
    leat_u8_average_ref(a + i, b + i, out + i, n - i);
}

void leat_u8_reorder_neon(const uint8_t *in, int from, uint8_t *out, int to, int swap, int n) {
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        uint8x16x3_t p = load_pixels(in + (int64_t)i * from, from);
        store_pixels(out + (int64_t)i * to, to, p.val[swap ? 2 : 0], p.val[1], p.val[swap ? 0 : 2]);
    }
    leat_u8_reorder_ref(in + (int64_t)i * from, from, out + (int64_t)i * to, to, swap, n - i);
}
