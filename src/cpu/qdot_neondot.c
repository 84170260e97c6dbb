/* qdot_neondot.c - products for few tokens with the dot products of four bytes. */
#include "cpu/qdot.h"

#include <arm_neon.h>

typedef int32x4_t narrow;

static inline int32x4_t add16(const int32_t *start, int8x16_t w, int8x16_t x) { return vdotq_s32(vld1q_s32(start), w, x); }
static inline int32x4_t wide32(const int32_t *z, int8x16_t w0, int8x16_t x0, int8x16_t w1, int8x16_t x1) {
    return vdotq_s32(add16(z, w0, x0), w1, x1);
}
static inline narrow narrow16(const int32_t *z, int8x16_t w, int8x16_t x) { return add16(z, w, x); }
static inline narrow narrow32(const int32_t *z, int8x16_t w0, int8x16_t x0, int8x16_t w1, int8x16_t x1) {
    return wide32(z, w0, x0, w1, x1);
}
static inline int32x4_t join_narrow(narrow a, narrow b, narrow c, narrow d) {
    return vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d));
}

#include "cpu/qdot_neon_tmpl.h"

void leat__qdot_fill_neondot(leat_qdot_kernels *table) {
    fill(table);
    table->isa = LEAT_ISA_NEONDOT;
}
