/* gemm_f32_ref.c - the register tile in plain C: one accumulator per element, products added in order. */
#include "cpu/gemm_f32.h"

#define VEC 8
#define MR 4

static const float *run_of(const leat_gemm_tile *t, int64_t row, int64_t tap) {
    return t->a ? t->a + row * t->lda + tap * t->tap_step : t->rows[tap * t->row_stride + row] + t->k0;
}

static float dot(const leat_gemm_tile *t, int64_t row, int column, int columns) {
    float sum = t->bias ? t->bias[column] : 0.0f;
    const float *b = t->b + column;
    for (int64_t tap = 0; tap < t->taps; tap++) {
        const float *a = run_of(t, row, tap);
        for (int64_t k = 0; k < t->k; k++, b += columns) sum += a[k] * *b;
    }
    return sum;
}

static float finish(const leat_gemm_tile *t, int64_t row, int column, float value) {
    if (t->add) value += t->add[row * t->ldadd + column];
    if (t->clips == 2) leat__act_f32(LEAT_ACT_HARD_SWISH, &value, 1, NULL);
    if (t->clips == 1 && value < t->lo) value = t->lo;
    if (t->clips == 1 && value > t->hi) value = t->hi;
    if (t->after) value += t->after[row * t->ldafter + column];
    return value;
}

static void tile(const leat_gemm_tile *t, int mr, int columns) {
    for (int64_t i = 0; i < mr * t->tiles; i++)
        for (int j = 0; j < t->n; j++) t->c[i * t->ldc + j] = finish(t, i, j, dot(t, i, j, columns));
}

#define TILE(mr, nv) static void leat_f32_gemm_##mr##x##nv##_ref(const leat_gemm_tile *t) { tile(t, mr, nv * VEC); }
#define TILES(nv) TILE(1, nv) TILE(2, nv) TILE(3, nv) TILE(4, nv)
TILES(1)
TILES(2)
TILES(3)

#define SET(mr, nv) \
    for (int i = 0; i < 4; i++) table->tile[nv][mr][i / 2][i % 2] = leat_f32_gemm_##mr##x##nv##_ref;
#define SETS(nv) SET(1, nv) SET(2, nv) SET(3, nv) SET(4, nv)
void leat__gemm_f32_fill_ref(leat_gemm_f32_table *table) {
    *table = (leat_gemm_f32_table){.isa = "ref", .vec = VEC, .mr = {0, MR, MR, MR}};
    SETS(1)
    SETS(2)
    SETS(3)
}
