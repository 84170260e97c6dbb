/* vmath_init.c - the vector-math table and the row functions that are built on it. */
#include <math.h>

#include "cpu/cpu.h"
#include "cpu/vmath.h"

static leat_vmath_table vmath;

void leat__vmath_init(leat_isa level) {
    leat__vmath_fill_ref(&vmath);
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__vmath_fill_avx2(&vmath);
    if (level >= LEAT_ISA_AVX512) leat__vmath_fill_avx512(&vmath);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__vmath_fill_neon(&vmath);
#else
    (void)level;
#endif
}

const leat_vmath_table *leat__vmath(void) { return &vmath; }

void leat__softmax_row(const float *x, float *y, int64_t n) {
    const leat_vmath_table *v = &vmath;
    float max = v->red[LEAT_VRED_MAX](x, n);
    float sum = v->expsum(x, y, n, max);
    v->vs[LEAT_VBIN_MUL](y, 1.0f / sum, y, n);
}

void leat__log_softmax_row(const float *x, float *y, int64_t n) {
    enum { PIECE = 256 };
    const leat_vmath_table *v = &vmath;
    float max = v->red[LEAT_VRED_MAX](x, n), spill[PIECE];
    double sum = 0;
    for (int64_t i = 0; i < n; i += PIECE) sum += v->expsum(x + i, spill, n - i < PIECE ? n - i : PIECE, max);
    v->vs[LEAT_VBIN_SUB](x, max + (float)log(sum), y, n);
}

void leat__layer_norm_row(const float *x, const float *scale, const float *bias, float *y, int64_t n, float eps, float *mean, float *inv_std) {
    const leat_vmath_table *v = &vmath;
    float m = (float)(v->sum64(x, n) / (double)n);
    float inv = (float)(1.0 / sqrt(v->dev64(x, n, m) / (double)n + (double)eps));
    if (mean) *mean = m;
    if (inv_std) *inv_std = inv;
    v->vs[LEAT_VBIN_SUB](x, m, y, n);
    v->vs[LEAT_VBIN_MUL](y, inv, y, n);
    if (scale && bias) v->affine(y, scale, bias, y, n);
    else if (scale) v->vv[LEAT_VBIN_MUL](y, scale, y, n);
    else if (bias) v->vv[LEAT_VBIN_ADD](y, bias, y, n);
}

void leat__rms_norm_row(const float *x, const float *scale, float *y, int64_t n, float eps, float *inv_rms) {
    const leat_vmath_table *v = &vmath;
    float inv = (float)(1.0 / sqrt(v->dev64(x, n, 0) / (double)n + (double)eps));
    if (inv_rms) *inv_rms = inv;
    v->vs[LEAT_VBIN_MUL](x, inv, y, n);
    if (scale) v->vv[LEAT_VBIN_MUL](y, scale, y, n);
}
