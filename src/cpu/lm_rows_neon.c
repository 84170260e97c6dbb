/* lm_rows_neon.c - rows of a language model on 64-bit ARM, 8 lanes; see lm_rows_tmpl.h. */
#include "cpu/lm_rows.h"
#include "cpu/simd_neon.h"

NEON_1(V_SWAP, VF, VF, vrev64q_f32)

static inline VF V_PAIRS(const float *p) {
    float32x4_t v = vld1q_f32(p);
    return (VF){vzip1q_f32(v, v), vzip2q_f32(v, v)};
}

static inline VF V_MULSUBADD(VF a, VF b, VF c) {
    const uint32x4_t even = vreinterpretq_u32_u64(vdupq_n_u64(0x80000000u));
#define MINUS_EVEN(v) vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(v), even))
    return V_FMA(a, b, (VF){MINUS_EVEN(c.a), MINUS_EVEN(c.b)});
}

#include "cpu/lm_rows_tmpl.h"

void leat__lm_rows_fill_neon(leat_lm_rows *table) { *table = (leat_lm_rows)LM_ROWS_TABLE("neon"); }
