/* preproc_neon.c - image preprocessing kernels on 64-bit ARM; same bits as the reference (no fused multiply-add). */
#include "cpu/preproc.h"
#include "cpu/simd_neon.h"

static inline float32x4_t scaled(float32x4_t v, float k) { return vmulq_n_f32(v, k); }

/* ---- bilinear samples ---------------------------------------------------------------------------------------------------- */

typedef struct sampler {
    uint8x16_t spread[2]; /* bytes order[0] .. [3] and order[4] .. [7] to 32 bits each; a place beyond the eight gives 0 */
    float      upper, lower;
} sampler;

static sampler sampler_of(const leat_bilinear *job) {
    uint32_t control[8];
    for (int j = 0; j < 8; j++) control[j] = 0xffffff00u | (job->order[j] < 8 ? job->order[j] : 0xffu);
    return (sampler){{vreinterpretq_u8_u32(vld1q_u32(control)), vreinterpretq_u8_u32(vld1q_u32(control + 4))}, job->down[0], job->down[1]};
}

static inline float32x4_t four(uint8x16_t bytes, uint8x16_t spread) { return vcvtq_f32_u32(vreinterpretq_u32_u8(vqtbl1q_u8(bytes, spread))); }

static inline float32x4_t products(const sampler *s, uint8x16_t upper, uint8x16_t lower, const float *across, int half) {
    float32x4_t sum = vaddq_f32(scaled(four(upper, s->spread[half]), s->upper), scaled(four(lower, s->spread[half]), s->lower));
    return vmulq_f32(sum, vld1q_f32(across + 4 * half));
}

/* The four sums of pixel x. */
static inline float32x4_t sums(const sampler *s, const leat_bilinear *job, int x) {
    uint8x16_t   upper = vcombine_u8(vld1_u8(job->upper + job->at[x]), vdup_n_u8(0)), lower = vcombine_u8(vld1_u8(job->lower + job->at[x]), vdup_n_u8(0));
    const float *across = job->across + 8 * (int64_t)x;
    return vaddq_f32(products(s, upper, lower, across, 0), products(s, upper, lower, across, 1));
}

void leat_u8_bilinear_neon(const leat_bilinear *job, float *const out[3]) {
    const sampler s = sampler_of(job);
    int           x = 0, end = job->safe < job->n ? job->safe : job->n;
    for (; x + 4 <= end; x += 4) { /* four sums of four pixels, transposed */
        float32x4_t a = sums(&s, job, x), b = sums(&s, job, x + 1), c = sums(&s, job, x + 2), d = sums(&s, job, x + 3);
        float64x2_t even0 = vreinterpretq_f64_f32(vtrn1q_f32(a, b)), even1 = vreinterpretq_f64_f32(vtrn1q_f32(c, d));
        float64x2_t odd0 = vreinterpretq_f64_f32(vtrn2q_f32(a, b)), odd1 = vreinterpretq_f64_f32(vtrn2q_f32(c, d));
        vst1q_f32(out[0] + x, vaddq_f32(vreinterpretq_f32_f64(vtrn1q_f64(even0, even1)), vreinterpretq_f32_f64(vtrn2q_f64(odd0, odd1))));
        vst1q_f32(out[1] + x, vreinterpretq_f32_f64(vtrn1q_f64(odd0, odd1)));
        vst1q_f32(out[2] + x, vreinterpretq_f32_f64(vtrn2q_f64(even0, even1)));
    }
    leat__bilinear_from(job, x, out);
}

/* ---- weighted sums --------------------------------------------------------------------------------------------------- */

static inline VF load_bytes(const uint8_t *at) {
    uint16x8_t v = vmovl_u8(vld1_u8(at));
    return (VF){vcvtq_f32_u32(vmovl_u16(vget_low_u16(v))), vcvtq_f32_u32(vmovl_high_u16(v))};
}

/* 32 sums of k rows. */
static inline void sum_rows(const uint8_t *rows, int64_t stride, const float *w, int k, float *out) {
    VF sum[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) sum[i] = V_MUL(V_SET(w[0]), load_bytes(rows + W * i));
    for (int r = 1; r < k; r++) {
        const uint8_t *row = rows + r * stride;
        const VF       weight = V_SET(w[r]);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) sum[i] = V_ADD(sum[i], V_MUL(weight, load_bytes(row + W * i)));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) V_STORE(out + W * i, sum[i]);
}

void leat_u8_rows_neon(const uint8_t *rows, int64_t stride, const float *w, int k, float *out, int n) {
    int i = 0;
    for (; i + 4 * W <= n; i += 4 * W) sum_rows(rows + i, stride, w, k, out + i);
    for (; i + W <= n; i += W) {
        VF sum = V_MUL(V_SET(w[0]), load_bytes(rows + i));
        for (int r = 1; r < k; r++) sum = V_ADD(sum, V_MUL(V_SET(w[r]), load_bytes(rows + r * stride + i)));
        V_STORE(out + i, sum);
    }
    leat_u8_rows_ref(rows + i, stride, w, k, out + i, n - i);
}

void leat_f32_columns_neon(const float *cells, int cell, const int32_t *first, const int32_t *taps, const float *w, float *const out[3], int n) {
    if (cell == 1) {
        leat_f32_columns_ref(cells, cell, first, taps, w, out, n);
        return;
    }
    for (int x = 0; x < n; w += taps[x], x++) {
        const float *at = cells + cell * (int64_t)first[x];
        float32x4_t  sum = vdupq_n_f32(0.0f); /* the first three floats of each cell (or the next one's), and what is dropped */
        for (int t = 0; t < taps[x]; t++) sum = vaddq_f32(sum, scaled(vld1q_f32(at + cell * t), w[t]));
        out[0][x] = vgetq_lane_f32(sum, 0);
        out[1][x] = vgetq_lane_f32(sum, 1);
        if (cell > 2) out[2][x] = vgetq_lane_f32(sum, 2);
    }
}

/* Both taps of two pixels. */
static inline float32x4_t two_pairs(const float *cells, const int32_t *k) { return vcombine_f32(vld1_f32(cells + k[0]), vld1_f32(cells + k[1])); }

static void pairs_of_one(const float *cells, const int32_t *first, const float *w, float *out, int n) {
    for (int x = 0; x < n; x += 4) {
        float32x4_t a = vmulq_f32(two_pairs(cells, first + x), vld1q_f32(w + 2 * x)), b = vmulq_f32(two_pairs(cells, first + x + 2), vld1q_f32(w + 2 * x + 4));
        vst1q_f32(out + x, vpaddq_f32(a, b));
    }
}

/* Two components of two pixels. */
static inline float32x4_t mixed_pairs(const float *cells, const int32_t *k, const float *w) {
    float32x4_t weights = vld1q_f32(w);
    float32x4_t a = vmulq_f32(vld1q_f32(cells + 2 * (int64_t)k[0]), vzip1q_f32(weights, weights));
    float32x4_t b = vmulq_f32(vld1q_f32(cells + 2 * (int64_t)k[1]), vzip2q_f32(weights, weights));
    return vcombine_f32(vadd_f32(vget_low_f32(a), vget_high_f32(a)), vadd_f32(vget_low_f32(b), vget_high_f32(b)));
}

static void pairs_of_two(const float *cells, const int32_t *first, const float *w, float *const out[2], int n) {
    for (int x = 0; x < n; x += 4) {
        float32x4_t a = mixed_pairs(cells, first + x, w + 2 * x), b = mixed_pairs(cells, first + x + 2, w + 2 * x + 4);
        vst1q_f32(out[0] + x, vuzp1q_f32(a, b));
        vst1q_f32(out[1] + x, vuzp2q_f32(a, b));
    }
}

void leat_f32_pairs_neon(const float *cells, int cell, const int32_t *first, const float *w, float *const out[2], int n) {
    int fours = n & ~3;
    if (cell == 1) pairs_of_one(cells, first, w, out[0], fours);
    else pairs_of_two(cells, first, w, out, fours);
    float *const rest[2] = {out[0] + fours, cell == 2 ? out[1] + fours : NULL};
    leat_f32_pairs_ref(cells, cell, first + fours, w + 2 * (int64_t)fours, rest, n - fours);
}

/* ---- colours and types --------------------------------------------------------------------------------------------------- */

/* A NaN becomes 0, as in the reference. */
static inline float32x4_t clamp(float32x4_t v) { return vminq_f32(vmaxnmq_f32(v, vdupq_n_f32(0.0f)), vdupq_n_f32(255.0f)); }

static inline void put_color(const leat_color *k, int c, float32x4_t v, float *out) {
    v = clamp(vaddq_f32(v, vdupq_n_f32(k->offset[c])));
    vst1q_f32(out, vaddq_f32(scaled(v, k->mul[c]), vdupq_n_f32(k->add[c])));
}

void leat_f32_color_neon(const leat_color *color, float *const yuv[3], float *const out[3], int n) {
    leat_color k = *color; /* a copy, which the stores cannot change */
    int        x = 0;
    for (; x + 4 <= n; x += 4) {
        float32x4_t y = scaled(vld1q_f32(yuv[0] + x), k.y), u = vld1q_f32(yuv[1] + x), v = vld1q_f32(yuv[2] + x);
        put_color(&k, 0, vaddq_f32(y, scaled(v, k.rv)), out[0] + x);
        put_color(&k, 1, vaddq_f32(vaddq_f32(y, scaled(u, k.gu)), scaled(v, k.gv)), out[1] + x);
        put_color(&k, 2, vaddq_f32(y, scaled(u, k.bu)), out[2] + x);
    }
    float *const in_rest[3] = {yuv[0] + x, yuv[1] + x, yuv[2] + x}, *const out_rest[3] = {out[0] + x, out[1] + x, out[2] + x};
    leat_f32_color_ref(&k, in_rest, out_rest, n - x);
}

void leat_f32_affine_neon(const float *in, float mul, float add, float *out, int n) {
    int x = 0;
    for (; x + W <= n; x += W) V_STORE(out + x, V_ADD(V_MUL(V_SET(mul), V_LOAD(in + x)), V_SET(add)));
    leat_f32_affine_ref(in + x, mul, add, out + x, n - x);
}

void leat_f32_to_f16_neon(const float *in, uint16_t *out, int n) {
    int x = 0;
    for (; x + W <= n; x += W) vst1q_u16(out + x, narrow_f16(V_LOAD(in + x)));
    leat_f32_to_f16_ref(in + x, out + x, n - x);
}

void leat_f32_to_u8_neon(const float *in, uint8_t *out, int n) {
    int x = 0;
    for (; x + W <= n; x += W) {
        VF v = V_LOAD(in + x);
        vst1_u8(out + x, vmovn_u16(vmovn_high_u32(vmovn_u32(vcvtnq_u32_f32(clamp(v.a))), vcvtnq_u32_f32(clamp(v.b)))));
    }
    leat_f32_to_u8_ref(in + x, out + x, n - x);
}

void leat_f32_interleave3_neon(const float *a, const float *b, const float *c, float *out, int n) {
    int x = 0;
    for (; x + 4 <= n; x += 4) vst3q_f32(out + 3 * x, ((float32x4x3_t){{vld1q_f32(a + x), vld1q_f32(b + x), vld1q_f32(c + x)}}));
    leat_f32_interleave3_ref(a + x, b + x, c + x, out + 3 * x, n - x);
}
