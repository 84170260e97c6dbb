/* gemm_f32_neon.c - register tiles of 6x16, 4x24 and 12x8: 24 registers of sums.
 *
 * Two FMA a cycle of latency 4 want 8 chains, four want 16.  A step of the tile of 6x16 is 24 FMA by an element of a register, four registers of B and six
 * numbers of A: 34 instructions and what the loop costs.
 */
#include "cpu/gemm_f32.h"
#include "cpu/simd_neon.h"

#define VEC W
#define MAX_ACC 12
#define V VF
#define LOAD V_LOAD
#define STORE V_STORE
#define SET1 V_SET
#define FMA V_FMA
#define FMA1 multiply_add
#define MUL V_MUL
#define ADD V_ADD
#define MIN V_ATMOST
#define MAX V_ATLEAST
#define H float32x4_t
#define H_LOAD vld1q_f32
#define H_STORE vst1q_f32
#define H_SET1 vdupq_n_f32
#define H_FMA(a, b, c) vfmaq_f32(c, a, b)
#define H_FMA1(a, b, c) vfmaq_n_f32(c, b, a)
#define H_MUL vmulq_f32
#define H_ADD vaddq_f32
#define H_MIN vminq_f32
#define H_MAX vmaxq_f32

/* av + c into c's own register: gcc likes to take others for the result and then moves sums within the loop, and to spread a over a register first. */
static inline V multiply_add(float a, V v, V c) {
    __asm__("fmla %0.4s, %1.4s, %2.s[0]" : "+w"(c.a) : "w"(v.a), "w"(a));
    __asm__("fmla %0.4s, %1.4s, %2.s[0]" : "+w"(c.b) : "w"(v.b), "w"(a));
    return c;
}

/* The first n lanes, 0 < n <= VEC; nothing else is touched. */
static inline V load_first(const float *p, int n) { return n == VEC ? V_LOAD(p) : V_LOADN(p, n); }
static inline void store_first(float *p, V v, int n) {
    if (n == VEC) V_STORE(p, v);
    else V_STOREN(p, v, n);
}

#include "cpu/gemm_f32_tmpl.h"

#define EACH_8(X) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(9, 1) X(10, 1) X(11, 1) X(12, 1)
#define EACH_16(X) X(2, 2) X(3, 2) X(4, 2) X(5, 2) X(6, 2)
#define EACH_24(X) X(2, 3) X(3, 3) X(4, 3)

#define TILE(mr, nv)                                                                                         \
    static void leat_f32_gemm_##mr##x##nv##_neon(const leat_gemm_tile *t) { tiles(t, mr, nv, 0, 1); }        \
    static void leat_f32_gemm_##mr##x##nv##_rows_neon(const leat_gemm_tile *t) { tiles(t, mr, nv, 0, 0); }
EACH_8(TILE)
EACH_16(TILE)
EACH_24(TILE)

#define ROW(nv)                                                                            \
    static void leat_f32_gemm_1x##nv##_neon(const leat_gemm_tile *t) { row(t, nv, 1); }    \
    static void leat_f32_gemm_1x##nv##_rows_neon(const leat_gemm_tile *t) { row(t, nv, 0); }
ROW(1)
ROW(2)
ROW(3)

#define SET(mr, nv)                                                                                                \
    table->tile[nv][mr][0][0] = table->tile[nv][mr][0][1] = leat_f32_gemm_##mr##x##nv##_rows_neon;                 \
    table->tile[nv][mr][1][0] = table->tile[nv][mr][1][1] = leat_f32_gemm_##mr##x##nv##_neon;
void leat__gemm_f32_fill_neon(leat_gemm_f32_table *table) {
    *table = (leat_gemm_f32_table){.isa = "neon", .vec = VEC, .mr = {0, 12, 6, 4}};
    SET(1, 1) SET(1, 2) SET(1, 3)
    EACH_8(SET)
    EACH_16(SET)
    EACH_24(SET)
}
