/* vmath_neon.c - vector math on 64-bit ARM: 8 lanes; see vmath_tmpl.h. */
#include "cpu/simd_neon.h"
#include "cpu/vmath.h"

/* ---- half precision: tails go through a padded block ------------------------------------------------------------------ */

static inline uint16x4_t shorten_bf16(float32x4_t v) {
    uint32x4_t bits = vreinterpretq_u32_f32(v), odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff))), quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
    return vshrn_n_u32(vbslq_u32(vceqq_f32(v, v), rounded, quiet), 16);
}
static inline uint16x8_t narrow_bf16(VF v) { return vcombine_u16(shorten_bf16(v.a), shorten_bf16(v.b)); }
static inline VF widen_bf16(uint16x8_t h) {
    return (VF){vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(h), 16)), vreinterpretq_f32_u32(vshll_high_n_u16(h, 16))};
}

#define TO_F32(name, widen)                                                             \
    static void name(const uint16_t *x, float *y, int64_t n) {                          \
        int64_t i = 0;                                                                  \
        for (; i + W <= n; i += W) V_STORE(y + i, widen(vld1q_u16(x + i)));             \
        if (i < n) {                                                                    \
            uint16_t rest[W] = {0};                                                     \
            memcpy(rest, x + i, (size_t)(n - i) * sizeof *x);                           \
            V_STOREN(y + i, widen(vld1q_u16(rest)), n - i);                             \
        }                                                                               \
    }
#define FROM_F32(name, narrow)                                                          \
    static void name(const float *x, uint16_t *y, int64_t n) {                          \
        int64_t i = 0;                                                                  \
        for (; i + W <= n; i += W) vst1q_u16(y + i, narrow(V_LOAD(x + i)));             \
        if (i < n) {                                                                    \
            uint16_t rest[W];                                                           \
            vst1q_u16(rest, narrow(V_LOADN(x + i, n - i)));                             \
            memcpy(y + i, rest, (size_t)(n - i) * sizeof *y);                           \
        }                                                                               \
    }
TO_F32(f16_to_f32, widen_f16)
TO_F32(bf16_to_f32, widen_bf16)
FROM_F32(f32_to_f16, narrow_f16)
FROM_F32(f32_to_bf16, narrow_bf16)

#include "cpu/vmath_tmpl.h"

void leat__vmath_fill_neon(leat_vmath_table *table) {
    table->isa = "neon";
    fill_table(table);
}
