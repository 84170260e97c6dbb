/* qdot_neon.c - products for few tokens with baseline Advanced SIMD: products of bytes as 16-bit numbers, added in pairs. */
#include "cpu/qdot.h"

#include <arm_neon.h>

/* A lane of narrow32 holds 4 products, of narrow16 2: at most 2 * 63 * 127, twice that once two units are added. */
typedef int16x8_t narrow;

static inline int16x8_t products(int8x16_t w, int8x16_t x) {
    return vmlal_high_s8(vmull_s8(vget_low_s8(w), vget_low_s8(x)), w, x);
}

static inline narrow narrow16(const int32_t *z, int8x16_t w, int8x16_t x) { return products(w, x); }
static inline narrow narrow32(const int32_t *z, int8x16_t w0, int8x16_t x0, int8x16_t w1, int8x16_t x1) {
    return vmlal_high_s8(vmlal_s8(products(w0, x0), vget_low_s8(w1), vget_low_s8(x1)), w1, x1);
}
static inline int32x4_t join_narrow(narrow a, narrow b, narrow c, narrow d) {
    return vpaddq_s32(vpaddlq_s16(vpaddq_s16(a, b)), vpaddlq_s16(vpaddq_s16(c, d)));
}
/* Two products of -128 * 127 still fit. */
static inline int32x4_t wide32(const int32_t *z, int8x16_t w0, int8x16_t x0, int8x16_t w1, int8x16_t x1) {
    return vpadalq_s16(vpaddlq_s16(products(w0, x0)), products(w1, x1));
}
static inline int32x4_t add16(const int32_t *start, int8x16_t w, int8x16_t x) {
    return vpadalq_s16(vld1q_s32(start), products(w, x));
}

#include "cpu/qdot_neon_tmpl.h"

void leat__qdot_fill_neon(leat_qdot_kernels *table) {
    fill(table);
    table->isa = LEAT_ISA_NEON;
}
