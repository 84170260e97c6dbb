/* detect_f32_neon.c - detection kernels on 64-bit ARM, eight floats at a time.  Maxima and minima are comparisons and choices, as in the reference. */
#include <math.h>

#include "cpu/detect_f32.h"
#include "cpu/simd_neon.h"

static inline int any(VM m) { return vmaxvq_u32(vorrq_u32(m.a, m.b)) != 0; }

/* The value first, then where it stands: two short passes beat carrying indices along. */
float leat_f32_row_max_neon(const float *x, int64_t n, int32_t *arg) {
    VF      best = V_SET(-INFINITY);
    int64_t i = 0;
    for (; i + W <= n; i += W) best = V_MAXNUM(V_LOAD(x + i), best);
    float max = V_HMAX(best);
    for (; i < n; i++) max = x[i] > max ? x[i] : max;
    *arg = 0;
    if (max == -INFINITY) return max;
    for (i = 0; i + W <= n && !any(V_EQ(V_LOAD(x + i), V_SET(max))); i += W) continue;
    while (x[i] != max) i++;
    *arg = (int32_t)i;
    return x[i]; /* of zeros, the first */
}

enum { STRIP = 512 }; /* columns whose running best stays in the first-level cache */

static void column_strip(const float *x, int64_t rows, int64_t n, int64_t ld, float *max, int32_t *arg) {
    for (int64_t j = 0; j < n; j++) max[j] = -INFINITY, arg[j] = 0;
    for (int64_t r = 0; r < rows; r++) {
        const float    *row = x + r * ld;
        const int32x4_t index = vdupq_n_s32((int32_t)r);
        int64_t         j = 0;
        for (; j + W <= n; j += W) {
            VF v = V_LOAD(row + j), old = V_LOAD(max + j);
            VM more = V_LT(old, v);
            if (!any(more)) continue;
            V_STORE(max + j, V_SEL(more, v, old));
            vst1q_s32(arg + j, vbslq_s32(more.a, index, vld1q_s32(arg + j)));
            vst1q_s32(arg + j + 4, vbslq_s32(more.b, index, vld1q_s32(arg + j + 4)));
        }
        for (; j < n; j++)
            if (row[j] > max[j]) max[j] = row[j], arg[j] = (int32_t)r;
    }
}

void leat_f32_column_max_neon(const float *x, int64_t rows, int64_t n, int64_t ld, float *max, int32_t *arg) {
    for (int64_t j = 0; j < n; j += STRIP) column_strip(x + j, rows, n - j < STRIP ? n - j : STRIP, ld, max + j, arg + j);
}

/* One box in all lanes. */
typedef struct spread {
    VF        x1, y1, x2, y2, area;
    int32x4_t group;
} spread;

static inline spread spread_box(const leat__boxes *b, int64_t i) {
    return (spread){V_SET(b->x1[i]), V_SET(b->y1[i]), V_SET(b->x2[i]), V_SET(b->y2[i]), V_SET(b->area[i]), vdupq_n_s32(b->group ? b->group[i] : 0)};
}

/* Intersections with boxes j .. j + 7, whatever their group, and unions. */
static inline VF intersect(const spread *s, const leat__boxes *b, int64_t j, VF *join) {
    const VF zero = V_SET(0.0f);
    VF       w = V_SUB(V_MIN(s->x2, V_LOAD(b->x2 + j)), V_MAX(s->x1, V_LOAD(b->x1 + j)));
    VF       h = V_SUB(V_MIN(s->y2, V_LOAD(b->y2 + j)), V_MAX(s->y1, V_LOAD(b->y1 + j)));
    VF       inter = V_MUL(V_MAX(w, zero), V_MAX(h, zero));
    *join = V_SUB(V_ADD(s->area, V_LOAD(b->area + j)), inter);
    return inter;
}

static inline VM same_group(const spread *s, const leat__boxes *b, int64_t j) {
    if (!b->group) return (VM){vdupq_n_u32(~0u), vdupq_n_u32(~0u)};
    return (VM){vceqq_s32(s->group, vld1q_s32(b->group + j)), vceqq_s32(s->group, vld1q_s32(b->group + j + 4))};
}

static inline void clear(int32_t *alive, uint32x4_t over, uint32x4_t same) {
    vst1q_s32(alive, vbicq_s32(vld1q_s32(alive), vreinterpretq_s32_u32(vandq_u32(over, same))));
}

void leat_f32_suppress_neon(const leat__boxes *b, int64_t i, int64_t from, int64_t n, float iou) {
    const spread s = spread_box(b, i);
    const VF     least = V_SET(iou);
    for (int64_t j = from; j < n; j += W) {
        VF join, inter = intersect(&s, b, j, &join);
        VM over = V_LT(V_MUL(least, join), inter);
        if (!any(over)) continue;
        VM same = same_group(&s, b, j);
        clear(b->alive + j, over.a, same.a);
        clear(b->alive + j + 4, over.b, same.b);
    }
}

/* The reference makes the intersection 0 in another group, and then divides: the same bits either way round, as unions are positive. */
void leat_f32_overlap_neon(const leat__boxes *b, int64_t i, int64_t n, float *iou) {
    const spread s = spread_box(b, i);
    for (int64_t j = 0; j < n; j += W) {
        VF join, inter = intersect(&s, b, j, &join), ratio = V_DIV(inter, join);
        VM same = same_group(&s, b, j);
        V_STORE(iou + j, (VF){keep(ratio.a, same.a), keep(ratio.b, same.b)});
    }
}
