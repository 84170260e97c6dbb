/* circle_neon.c - the circle fitter on 64-bit ARM: sums of runs, painting and squared errors; edges and colours of regions stay with the reference.
 *
 * Painting looks bytes up in the whole table, 64 entries an instruction: exact for every map, so that none needs fitting. */
#include "cpu/circle.h"

#include <arm_neon.h>

/* ---- rows ------------------------------------------------------------------------------------------------------------- */

static int locate(const int32_t *x, const leat_circle_list *list) {
    int disorder = 0;
    for (int i = 0; i <= list->n; i++) list->at[i] = x[list->edges[i]];
    for (int i = 0; i < list->n; i++) disorder |= list->at[i] > list->at[i + 1];
    return disorder;
}

static void add_runs(const leat_circle_table *t, int y, const leat_circle_list *list) {
    const uint16_t *within = t->within + (int64_t)y * (t->width + 1) * 4;
    const int32_t  *before = t->before + (int64_t)y * t->blocks * 4;
    int32x4_t       last = vdupq_n_s32(0);
    for (int i = 0; i <= list->n; i++) {
        int32x4_t here = vreinterpretq_s32_u32(vmovl_u16(vld1_u16(within + 4 * (int64_t)list->at[i])));
        int32_t  *sums = list->sums + 4 * (int64_t)i;
        here = vaddq_s32(here, vld1q_s32(before + (t->blocks > 1 ? list->at[i] / CIRCLE_BLOCK : 0) * 4));
        vst1q_s32(sums, vaddq_s32(vld1q_s32(sums), vsubq_s32(here, last)));
        last = here;
    }
}

static int add_rows(const leat_circle_table *t, int y, int rows, const int32_t *x, const leat_circle_list *list) {
    for (int row = 0; row < rows; row++) {
        if ((row > 0 || !list->is_located) && locate(x + row, list)) return row;
        add_runs(t, y + row, list);
    }
    return rows;
}

/* ---- pixels ----------------------------------------------------------------------------------------------------------- */

static inline uint8x16_t look_up(const uint8_t *table, uint8x16_t v) {
    const uint8x16_t quarter = vdupq_n_u8(64);
    uint8x16_t       found = vqtbl4q_u8(vld1q_u8_x4(table), v); /* 0 beyond 63; the others leave what they do not have */
#pragma GCC unroll 3
    for (int i = 1; i < 4; i++) {
        v = vsubq_u8(v, quarter);
        found = vqtbx4q_u8(found, vld1q_u8_x4(table + 64 * i), v);
    }
    return found;
}

static inline uint8x16x3_t mapped(const leat_circle_map *map, const uint8_t *p) {
    uint8x16x3_t v = vld3q_u8(p);
    return (uint8x16x3_t){{look_up(map->table[0], v.val[0]), look_up(map->table[1], v.val[1]), look_up(map->table[2], v.val[2])}};
}

static void paint(const leat_circle_map *map, const leat_circle_band *band, const int32_t *x0, const int32_t *x1, int rows) {
    for (int i = 0; i < rows; i++) {
        uint8_t *row = band->rgb + i * band->stride, *p = row + 3 * (int64_t)x0[i], *end = row + 3 * (int64_t)x1[i];
        for (; end - p >= 48; p += 48) vst3q_u8(p, mapped(map, p));
        for (; p < end; p += 3) {
            p[0] = map->table[0][p[0]];
            p[1] = map->table[1][p[1]];
            p[2] = map->table[2][p[2]];
        }
    }
}

enum { FLUSH = 49152 }; /* bytes whose squares the lanes hold in 32 bits */

static inline uint32x4_t add_squares(uint32x4_t sum, uint8x16_t a, uint8x16_t b) {
    uint8x16_t d = vabdq_u8(a, b);
    return vpadalq_u16(vpadalq_u16(sum, vmull_u8(vget_low_u8(d), vget_low_u8(d))), vmull_high_u8(d, d));
}

static uint64_t sse(const uint8_t *a, const uint8_t *b, int64_t n) {
    uint64_t total = 0;
    int64_t  i = 0;
    while (i + 16 <= n) {
        uint32x4_t sum = vdupq_n_u32(0);
        for (int64_t end = i + FLUSH; i + 16 <= n && i < end; i += 16) sum = add_squares(sum, vld1q_u8(a + i), vld1q_u8(b + i));
        total += vaddlvq_u32(sum);
    }
    for (; i < n; i++) total += (uint64_t)((a[i] - b[i]) * (a[i] - b[i]));
    return total;
}

static uint64_t painted_sse(const leat_circle_map *map, const uint8_t *a, const uint8_t *b, int64_t n) {
    uint64_t total = 0;
    int64_t  i = 0;
    while (i + 48 <= n) {
        uint32x4_t sum = vdupq_n_u32(0);
        for (int64_t end = i + FLUSH; i + 48 <= n && i < end; i += 48) {
            uint8x16x3_t v = mapped(map, a + i), w = vld3q_u8(b + i);
            sum = add_squares(add_squares(add_squares(sum, v.val[0], w.val[0]), v.val[1], w.val[1]), v.val[2], w.val[2]);
        }
        total += vaddlvq_u32(sum);
    }
    return total + leat__circle_ref.painted_sse(map, a + i, b + i, n - i);
}

void leat__circle_fill_neon(leat_circle_kernels *kernels) {
    kernels->add_rows = add_rows;
    kernels->paint = paint;
    kernels->sse = sse;
    kernels->painted_sse = painted_sse;
    kernels->name = "neon";
}
