/* pool_neon.c - pooling reductions on 64-bit ARM.  Maxima are comparisons and choices, not FMAX, which treats a NaN differently from every other level. */
#include <math.h>

#include "cpu/simd_neon.h"

#include "cpu/pool_tmpl.h"

static void max_u8(uint8_t *out, const uint8_t *const *in, int n, int64_t c, int first) {
    int64_t j = 0;
    for (; j + 16 <= c; j += 16) {
        uint8x16_t a = vld1q_u8((first ? in[0] : out) + j);
        for (int i = 0; i < n; i++) a = vmaxq_u8(a, vld1q_u8(in[i] + j));
        vst1q_u8(out + j, a);
    }
    for (; j < c; j++) {
        uint8_t m = first ? in[0][j] : out[j];
        for (int i = 0; i < n; i++) m = m > in[i][j] ? m : in[i][j];
        out[j] = m;
    }
}

static void max_i8(int8_t *out, const int8_t *const *in, int n, int64_t c, int first) {
    int64_t j = 0;
    for (; j + 16 <= c; j += 16) {
        int8x16_t a = vld1q_s8((first ? in[0] : out) + j);
        for (int i = 0; i < n; i++) a = vmaxq_s8(a, vld1q_s8(in[i] + j));
        vst1q_s8(out + j, a);
    }
    for (; j < c; j++) {
        int8_t m = first ? in[0][j] : out[j];
        for (int i = 0; i < n; i++) m = m > in[i][j] ? m : in[i][j];
        out[j] = m;
    }
}

/* in[0], in[2], in[4], in[6]; in[7] is read too. */
static inline float32x4_t load_stride2(const float *in) { return vld2q_f32(in).val[0]; }

static void max_row_f32(float *out, const float *in, int64_t n, int64_t stride) {
    int64_t i = 0;
    if (stride == 1)
        for (; i + W <= n; i += W) V_STORE(out + i, V_MAX(V_LOAD(out + i), V_LOAD(in + i)));
    else if (stride == 2)
        for (; i + 5 <= n; i += 4) {
            float32x4_t a = vld1q_f32(out + i), b = load_stride2(in + 2 * i);
            vst1q_f32(out + i, NEON_ABOVE(a, b));
        }
    for (; i < n; i++) out[i] = out[i] > in[i * stride] ? out[i] : in[i * stride];
}

static void add_row_f32(float *out, const float *in, int64_t n, int64_t stride) {
    int64_t i = 0;
    if (stride == 1)
        for (; i + W <= n; i += W) V_STORE(out + i, V_ADD(V_LOAD(out + i), V_LOAD(in + i)));
    else if (stride == 2)
        for (; i + 5 <= n; i += 4) vst1q_f32(out + i, vaddq_f32(vld1q_f32(out + i), load_stride2(in + 2 * i)));
    for (; i < n; i++) out[i] += in[i * stride];
}

static float reduce_sum_f32(const float *in, int64_t n) {
    VF      a = V_SET(0.0f), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 4 * W <= n; i += 4 * W) {
        a = V_ADD(a, V_LOAD(in + i));
        b = V_ADD(b, V_LOAD(in + i + W));
        c = V_ADD(c, V_LOAD(in + i + 2 * W));
        d = V_ADD(d, V_LOAD(in + i + 3 * W));
    }
    for (; i + W <= n; i += W) a = V_ADD(a, V_LOAD(in + i));
    if (i < n) b = V_ADD(b, V_LOADN(in + i, n - i));
    return V_HSUM(V_ADD(V_ADD(a, b), V_ADD(c, d)));
}

static float reduce_max_f32(const float *in, int64_t n) {
    VF      a = V_SET(-INFINITY), b = a;
    int64_t i = 0;
    for (; i + 2 * W <= n; i += 2 * W) {
        a = V_MAX(a, V_LOAD(in + i));
        b = V_MAX(b, V_LOAD(in + i + W));
    }
    float lanes[W], m = -INFINITY;
    V_STORE(lanes, V_MAX(a, b));
    for (int k = 0; k < W; k++) m = m > lanes[k] ? m : lanes[k];
    for (; i < n; i++) m = m > in[i] ? m : in[i];
    return m;
}

void leat__pool_init_neon(leat_pool_kernels *table) {
    *table = (leat_pool_kernels){.max_u8 = max_u8, .max_i8 = max_i8, .max_row_f32 = max_row_f32, .add_row_f32 = add_row_f32, .reduce_sum_f32 = reduce_sum_f32,
                                 .reduce_max_f32 = reduce_max_f32, .isa = LEAT_ISA_NEON};
    pool_fill(table);
}
