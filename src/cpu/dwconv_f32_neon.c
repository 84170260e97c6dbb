/* dwconv_f32_neon.c - depthwise convolution and linear mixing on 64-bit ARM, four channels at a time: eight pixels and the weights of five columns fit the
 * registers.  A mask is a number of lanes. */
#include "cpu/dwconv_f32.h"

#include <arm_neon.h>

static const float zeros[4];

/* 0 < n < 4.  Out of line: there are hundreds of places, all of them where channels are no multiple of four. */
static __attribute__((noinline)) float32x4_t load_part(const float *p, int n) {
    float rest[4] = {0};
    for (int i = 0; i < n; i++) rest[i] = p[i];
    return vld1q_f32(rest);
}
static __attribute__((noinline)) void store_part(float *p, float32x4_t v, int n) {
    float rest[4];
    vst1q_f32(rest, v);
    for (int i = 0; i < n; i++) p[i] = rest[i];
}
static inline float32x4_t load_lanes(const float *p, int n) { return n == 4 ? vld1q_f32(p) : n > 0 ? load_part(p, n) : vdupq_n_f32(0.0f); }
static inline void store_lanes(float *p, int n, float32x4_t v) {
    if (n == 4) vst1q_f32(p, v);
    else store_part(p, v, n);
}

#define V float32x4_t
#define VEC 4
#define MASK int
#define LOADU(p) vld1q_f32(p)
#define LOADM(p, m) load_lanes(p, m)
#define LOADE(p, m) vld1q_f32((m) ? (p) : zeros)
#define STOREU(p, v) vst1q_f32(p, v)
#define STOREM(p, m, v) store_lanes(p, m, v)
#define SET1(f) vdupq_n_f32(f)
#define ZERO vdupq_n_f32(0.0f)
#define ADD(a, b) vaddq_f32(a, b)
#define SUB(a, b) vsubq_f32(a, b)
#define MIN(a, b) vminq_f32(a, b)
#define MAX(a, b) vmaxq_f32(a, b)
#define FMADD(a, b, c) vfmaq_f32(c, a, b)
#define TAIL(n) ((n) >= 4 ? 4 : (int)(n))
#define ALL(condition) ((condition) ? 4 : 0)
#define AND(a, b) ((a) < (b) ? (a) : (b))
#define NAME(x) x##_neon

#include "cpu/dwconv_f32_tmpl.h"
