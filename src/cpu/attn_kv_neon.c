/* attn_kv_neon.c - the inner kernels of attention on 64-bit ARM, 8 lanes; see attn_kv_tmpl.h.
 *
 * The product's tile of six rows by 16 columns is 24 registers of sums; the tiles of few rows are 16 registers of sums at most. */
#include "cpu/attn_kv_impl.h"
#include "cpu/simd_neon.h"

#define STRIP 2
#define AT_ONCE 4
#define DOT_POSITIONS(rows) ((rows) == 1 ? 8 : 4)
#define MIX_VECTORS(rows) ((rows) == 1 ? 8 : (rows) == 2 ? 4 : 2)
#define MIX_POSITIONS LEAT_ATTN_TILE

static const float ramp[W] = {0, 1, 2, 3, 4, 5, 6, 7};
#define V_RAMP V_LOAD(ramp)

static inline VF V_F16(const void *p) { return widen_f16(vreinterpretq_u16_u8(vld1q_u8(p))); }
static inline void V_F16_STORE(void *p, VF v) { vst1q_u8(p, vreinterpretq_u8_u16(narrow_f16(v))); }
static inline VF V_F16N(const void *p, int64_t n) {
    uint16_t rest[W] = {0};
    memcpy(rest, p, (size_t)n * sizeof *rest);
    return V_F16(rest);
}
static inline void V_F16_STOREN(void *p, VF v, int64_t n) {
    uint16_t rest[W];
    V_F16_STORE(rest, v);
    memcpy(p, rest, (size_t)n * sizeof *rest);
}
/* With 128 added, under the exponent of 2^23: conversions of integers have one pipe on many cores, this has them all. */
static inline VF V_I8(const void *p) {
    const uint16x8_t  exponent = vdupq_n_u16(0x4b00), v = vreinterpretq_u16_s16(vaddw_s8(vdupq_n_s16(128), vld1_s8(p)));
    const float32x4_t offset = vdupq_n_f32(8388608.0f + 128.0f);
    return (VF){vsubq_f32(vreinterpretq_f32_u16(vzip1q_u16(v, exponent)), offset), vsubq_f32(vreinterpretq_f32_u16(vzip2q_u16(v, exponent)), offset)};
}
static inline void V_I8_STORE(void *p, VF v) { vst1_s8(p, vmovn_s16(vmovn_high_s32(vmovn_s32(vcvtq_s32_f32(v.a)), vcvtq_s32_f32(v.b)))); }
static inline VF V_HALF(const uint8_t *p) {
    uint16_t half;
    memcpy(&half, p, sizeof half);
    return V_SET(F16_FLOAT(half));
}
static inline void V_SUM4(float *p, VF a, VF b, VF c, VF d) {
    float32x4_t first = vpaddq_f32(vaddq_f32(a.a, a.b), vaddq_f32(b.a, b.b)), second = vpaddq_f32(vaddq_f32(c.a, c.b), vaddq_f32(d.a, d.b));
    vst1q_f32(p, vpaddq_f32(first, second));
}

/* Four registers in place. */
static inline __attribute__((always_inline)) void transpose_4x4(float32x4_t *a, float32x4_t *b, float32x4_t *c, float32x4_t *d) {
#define PAIRS(op, x, y) vreinterpretq_f32_f64(op(vreinterpretq_f64_f32(x), vreinterpretq_f64_f32(y)))
    float32x4_t ab0 = vtrn1q_f32(*a, *b), ab1 = vtrn2q_f32(*a, *b), cd0 = vtrn1q_f32(*c, *d), cd1 = vtrn2q_f32(*c, *d);
    *a = PAIRS(vtrn1q_f64, ab0, cd0);
    *b = PAIRS(vtrn1q_f64, ab1, cd1);
    *c = PAIRS(vtrn2q_f64, ab0, cd0);
    *d = PAIRS(vtrn2q_f64, ab1, cd1);
}
static inline __attribute__((always_inline)) void V_TRANSPOSE(VF v[W]) {
    transpose_4x4(&v[0].a, &v[1].a, &v[2].a, &v[3].a);
    transpose_4x4(&v[0].b, &v[1].b, &v[2].b, &v[3].b);
    transpose_4x4(&v[4].a, &v[5].a, &v[6].a, &v[7].a);
    transpose_4x4(&v[4].b, &v[5].b, &v[6].b, &v[7].b);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        float32x4_t upper = v[i].b;
        v[i].b = v[i + 4].a;
        v[i + 4].a = upper;
    }
}

#include "cpu/attn_kv_tmpl.h"

void leat__attn_kv_fill_neon(leat_attn_kv_table *table) { *table = (leat_attn_kv_table)ATTN_KV_TABLE("neon"); }
