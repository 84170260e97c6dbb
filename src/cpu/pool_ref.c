/* pool_ref.c - reference of the pooling reductions, and the table of the level in use. */
#include "cpu/pool.h"

#include <math.h>

leat_pool_kernels leat__pool;

static void max_f32_ref(float *out, const float *const *in, int n, int64_t c, int first) {
    for (int64_t j = 0; j < c; j++) {
        float m = first ? in[0][j] : out[j];
        for (int i = 0; i < n; i++) m = m > in[i][j] ? m : in[i][j];
        out[j] = m;
    }
}

static void max_u8_ref(uint8_t *out, const uint8_t *const *in, int n, int64_t c, int first) {
    for (int64_t j = 0; j < c; j++) {
        uint8_t m = first ? in[0][j] : out[j];
        for (int i = 0; i < n; i++) m = m > in[i][j] ? m : in[i][j];
        out[j] = m;
    }
}

static void max_i8_ref(int8_t *out, const int8_t *const *in, int n, int64_t c, int first) {
    for (int64_t j = 0; j < c; j++) {
        int8_t m = first ? in[0][j] : out[j];
        for (int i = 0; i < n; i++) m = m > in[i][j] ? m : in[i][j];
        out[j] = m;
    }
}

static void sum_f32_ref(float *out, const float *const *in, int n, int64_t c, float scale, int first) {
    for (int64_t j = 0; j < c; j++) {
        float s = first ? 0.0f : out[j];
        for (int i = 0; i < n; i++) s += in[i][j];
        out[j] = s * scale;
    }
}

static void max_run_f32_ref(float *out, const float *const *in, int n, int64_t c, int64_t count, int64_t step) {
    for (int64_t at = 0; at < count * step; at += step, out += c)
        for (int64_t j = 0; j < c; j++) {
            float m = in[0][at + j];
            for (int i = 1; i < n; i++) m = m > in[i][at + j] ? m : in[i][at + j];
            out[j] = m;
        }
}

static void sum_run_f32_ref(float *out, const float *const *in, int n, int64_t c, float scale, int64_t count, int64_t step) {
    for (int64_t at = 0; at < count * step; at += step, out += c)
        for (int64_t j = 0; j < c; j++) {
            float s = 0;
            for (int i = 0; i < n; i++) s += in[i][at + j];
            out[j] = s * scale;
        }
}

static void max_row_f32_ref(float *out, const float *in, int64_t n, int64_t stride) {
    for (int64_t i = 0; i < n; i++) out[i] = out[i] > in[i * stride] ? out[i] : in[i * stride];
}

static void add_row_f32_ref(float *out, const float *in, int64_t n, int64_t stride) {
    for (int64_t i = 0; i < n; i++) out[i] += in[i * stride];
}

static float reduce_sum_f32_ref(const float *in, int64_t n) {
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += in[i];
    return (float)s;
}

static float reduce_max_f32_ref(const float *in, int64_t n) {
    float m = -INFINITY;
    for (int64_t i = 0; i < n; i++) m = m > in[i] ? m : in[i];
    return m;
}

void leat__pool_init(leat_isa level) {
    leat__pool = (leat_pool_kernels){max_f32_ref,     max_u8_ref,      max_i8_ref,         sum_f32_ref,        max_run_f32_ref, sum_run_f32_ref,
                                     max_row_f32_ref, add_row_f32_ref, reduce_sum_f32_ref, reduce_max_f32_ref, LEAT_ISA_REF};
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__pool_init_avx2(&leat__pool);
    if (level >= LEAT_ISA_AVX512) leat__pool_init_avx512(&leat__pool);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__pool_init_neon(&leat__pool);
#endif
}
