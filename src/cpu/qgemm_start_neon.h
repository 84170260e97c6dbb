/* qgemm_start_neon.h - the names of qgemm_tmpl.h in Advanced SIMD, 4 lanes, and what it makes before its loop.
 *
 * What belongs to a token is stored as a whole vector, for in the loop a load costs less than a copy into all lanes: loads have pipes of their own.
 * Integer sums start from the bits of 1.5 x 2^23, where a float's last bit is 1, so that they are floats as soon as they are summed: taking it away is one
 * instruction on any pipe, a conversion is one of two halves on the first pipe of small cores.  Sums stay below 2^22: 32 x 128 x 127.
 *
 * With PER == 2 a vector is 2 tokens x 2 rows: token 0's two rows, then token 1's.  An odd token is its own neighbour, whose sums nobody stores.
 */
#include <arm_neon.h>

#define VI int32x4_t
#define VF float32x4_t
#define LOADF vld1q_f32
#define STOREF vst1q_f32
#define ZERO_BITS 0x4b400000 /* of 1.5 x 2^23 */
#define CVT(v) vsubq_f32(vreinterpretq_f32_s32(v), vreinterpretq_f32_s32(vdupq_n_s32(ZERO_BITS)))
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define MUL vmulq_f32
#define STAY(v) __asm__("" : "+w"(v)) /* or the compiler multiplies in another order */
#define AGAIN(s) again(s)
#define TOKEN_I(values) vld1q_s32(values)
#define TOKEN_F(values) vld1q_f32(values)
#define TOKENS_SCALE(t, s, i, g) vld1q_f32((s)->scale[i][g])

/* Of each vector of tokens and each group (or half): what its integer sum starts from, the factor of the minimum; and the activations' scale. */
typedef struct start {
    _Alignas(16) int32_t sum[MOST][HALVES][4];
    float factor[MOST][HALVES][4];
    float scale[MOST][HALVES / 2][4];
#if PER == 2
    int8_t q[MOST][LEAT_QGEMM_DEPTH / 8][16]; /* 8 of a token, 8 of its neighbour */
#endif
} start;

/* The same place, which the compiler does not know to be the same: it loads from it instead of copying registers, which takes the pipes that multiply. */
INLINE const start *again(const start *s) {
    __asm__ volatile("" : "+r"(s));
    return s;
}

#if PER == 2
#define LANES 2
#define TOKENS_Q(t, s, k) (*(s)->q[0] + 2 * (k))
#define TOKENS_LDQ(t) (2 * LEAT_QGEMM_DEPTH)
#define LOAD_Y(t, i, row, tokens) load_pair((t)->y + 2 * (i) * (t)->ldy + (row), 2 * (i) + 1 < (tokens) ? (t)->ldy : 0)
#define STORE_Y(t, i, row, v, tokens) store_pair((t)->y + 2 * (i) * (t)->ldy + (row), 2 * (i) + 1 < (tokens) ? (t)->ldy : 0, v)

INLINE VF load_pair(const float *y, int64_t ldy) { return vcombine_f32(vld1_f32(y), vld1_f32(y + ldy)); }
INLINE void store_pair(float *y, int64_t ldy, VF v) {
    if (ldy) vst1_f32(y + ldy, vget_high_f32(v));
    vst1_f32(y, vget_low_f32(v));
}

/* to[j] = a[j] a[j] b[j] b[j] */
INLINE void spread_f32(float to[4][4], VF a, VF b) {
    float64x2_t a0 = vreinterpretq_f64_f32(vzip1q_f32(a, a)), a1 = vreinterpretq_f64_f32(vzip2q_f32(a, a));
    float64x2_t b0 = vreinterpretq_f64_f32(vzip1q_f32(b, b)), b1 = vreinterpretq_f64_f32(vzip2q_f32(b, b));
    vst1q_f32(to[0], vreinterpretq_f32_f64(vzip1q_f64(a0, b0)));
    vst1q_f32(to[1], vreinterpretq_f32_f64(vzip2q_f64(a0, b0)));
    vst1q_f32(to[2], vreinterpretq_f32_f64(vzip1q_f64(a1, b1)));
    vst1q_f32(to[3], vreinterpretq_f32_f64(vzip2q_f64(a1, b1)));
}

INLINE void pair_up(int8_t to[][16], const int8_t *a, const int8_t *b, int64_t groups) {
    for (int64_t i = 0; i < 2 * groups; i++) {
        int64x2_t va = vreinterpretq_s64_s8(vld1q_s8(a + 16 * i)), vb = vreinterpretq_s64_s8(vld1q_s8(b + 16 * i));
        vst1q_s8(to[2 * i], vreinterpretq_s8_s64(vzip1q_s64(va, vb)));
        vst1q_s8(to[2 * i + 1], vreinterpretq_s8_s64(vzip2q_s64(va, vb)));
    }
}
#else
#define LANES 4
#define TOKENS_Q(t, s, k) ((t)->q + (k))
#define TOKENS_LDQ(t) ((t)->ldq)
#define LOAD_Y(t, i, row, tokens) vld1q_f32((t)->y + (i) * (t)->ldy + (row))
#define STORE_Y(t, i, row, v, tokens) vst1q_f32((t)->y + (i) * (t)->ldy + (row), v)

INLINE void spread_f32(float to[4][4], VF a, VF b) {
    vst1q_f32(to[0], vdupq_laneq_f32(a, 0));
    vst1q_f32(to[1], vdupq_laneq_f32(a, 1));
    vst1q_f32(to[2], vdupq_laneq_f32(a, 2));
    vst1q_f32(to[3], vdupq_laneq_f32(a, 3));
}
#endif

INLINE VI sums_from(VI sums, int offset) { return vmlsq_n_s32(vdupq_n_s32(ZERO_BITS), sums, offset); }

/* Four sums of tokens a and b. */
INLINE void spread_sums(int32_t to[4][4], VI a, VI b, int offset) {
    a = sums_from(a, offset), b = sums_from(b, offset);
    spread_f32((float(*)[4])to, vreinterpretq_f32_s32(a), vreinterpretq_f32_s32(b)); /* moved, not computed with */
}

/* The sums of 16 at `sum`, or of 32. */
INLINE VI load_sums(const int16_t *sum, const int halves) { return halves ? vmovl_s16(vld1_s16(sum)) : vpaddlq_s16(vld1q_s16(sum)); }

/* scale[0 .. 3], or scale[0 1] twice each. */
INLINE VF load_scales(const float *scale, const int halves) {
    if (!halves) return vld1q_f32(scale);
    float32x2_t both = vld1_f32(scale);
    return vcombine_f32(vzip1_f32(both, both), vzip2_f32(both, both));
}

/* Of tokens a and b: four groups or halves at a time, up to three of them behind the last, which all arrays have room for. */
INLINE void prepare_vector(start *s, const leat_qgemm_tile *t, int i, int64_t a, int64_t b, const int halves, const int min) {
    const int16_t *sum_a = t->sum + 2 * a * t->ldscale, *sum_b = t->sum + 2 * b * t->ldscale;
    const float   *scale_a = t->x_scale + a * t->ldscale, *scale_b = t->x_scale + b * t->ldscale;
    const int      each = halves ? 1 : 2;
    for (int64_t g = 0; g < t->groups; g += 4) spread_f32(s->scale[i] + g, vld1q_f32(scale_a + g), vld1q_f32(scale_b + g));
    for (int64_t h = 0; h < t->groups * 2 / each; h += 4) {
        VI va = load_sums(sum_a + each * h, halves), vb = load_sums(sum_b + each * h, halves);
        spread_sums(s->sum[i] + h, va, vb, t->offset);
        if (!min) continue;
        VF fa = vmulq_f32(vcvtq_f32_s32(va), load_scales(scale_a + each * h / 2, halves));
        VF fb = vmulq_f32(vcvtq_f32_s32(vb), load_scales(scale_b + each * h / 2, halves));
        spread_f32(s->factor[i] + h, fa, fb);
    }
}

INLINE void prepare(start *s, const leat_qgemm_tile *t, const int halves, const int min, const int tokens) {
    for (int i = 0; i < tokens; i += PER) {
        int64_t b = i + PER - 1 < tokens ? i + PER - 1 : i;
        prepare_vector(s, t, i / PER, i, b, halves, min);
#if PER == 2
        pair_up(s->q[i / 2], t->q + i * t->ldq, t->q + b * t->ldq, t->groups);
#endif
    }
}
