/* resize_ref.c - reference of the interpolation kernels, and the table of the level in use. */
#include "cpu/resize.h"

leat_resize_kernels leat__resize;

static void mix_f32_ref(float *out, const float *const *rows, const float *w, int n, int64_t c) {
    for (int64_t j = 0; j < c; j++) {
        float s = 0;
        for (int i = 0; i < n; i++) s += w[i] * rows[i][j];
        out[j] = s;
    }
}

static void taps_f32_ref(float *out, const float *in, const int32_t *index, const float *w, int t, int64_t n) {
    for (int64_t j = 0; j < n; j++, index += t, w += t) {
        float s = 0;
        for (int i = 0; i < t; i++) s += w[i] * in[index[i]];
        out[j] = s;
    }
}

void leat__resize_init(leat_isa level) {
    leat__resize = (leat_resize_kernels){mix_f32_ref, taps_f32_ref, LEAT_ISA_REF};
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__resize_init_avx2(&leat__resize);
    if (level >= LEAT_ISA_AVX512) leat__resize_init_avx512(&leat__resize);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__resize_init_neon(&leat__resize);
#endif
}
