/* wino_f32_neon.c - tile transforms on 64-bit ARM, 4 channels at a time: a column's six values and a transform's sums fit the registers, in pairs they
 * would not. */
#include "cpu/simd_neon.h"
#include "cpu/wino_f32.h"

#undef W
#define V float32x4_t
#define W 4
#define LOAD(p) vld1q_f32(p)
#define LOAD_PART(p, n) load_some(p, n)
#define STORE(p, v) vst1q_f32(p, v)
#define STORE_PART(p, v, n) store_some(p, v, n)
#define SET(f) vdupq_n_f32(f)
#define ADD(a, b) vaddq_f32(a, b)
#define SUB(a, b) vsubq_f32(a, b)
#define MUL(a, b) vmulq_f32(a, b)
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define CLIP(v, lo, hi) vminq_f32(hi, vmaxq_f32(lo, v))
#define NAME(x) x##_neon

#include "cpu/wino_f32_tmpl.h"

void leat__wino_f32_fill_neon(leat_wino_f32_table *table) {
    *table = (leat_wino_f32_table){"neon", wino_in4_neon, wino_in2_neon, wino_out4_neon, wino_out2_neon};
}
