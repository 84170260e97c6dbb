/* thin_f32_neon.c - thin products on 64-bit ARM, 4 floats of depth at a time: sums, a vector of each pixel and one of the weights fit the registers. */
#include "cpu/simd_neon.h"
#include "cpu/thin_f32.h"

#undef W
#define W 4
#define V float32x4_t
#define ZERO vdupq_n_f32(0.0f)
#define LOAD(p) vld1q_f32(p)
#define LOAD_PART(p, n) load_some(p, n)
#define FMA(a, b, c) vfmaq_f32(c, a, b)
#define SUM(v) vaddvq_f32(v)
#define NAME(x) x##_neon
#define P1 12
#define P2 10
#define P3 7
#define P4 6

#include "cpu/thin_f32_tmpl.h"

void leat__thin_f32_fill_neon(leat_thin_f32_table *table) { FILL(table, "neon"); }
