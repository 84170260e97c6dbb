/* rnn_ref.c - reference of the recurrent kernels, packing, and the table of the level in use. */
#include "cpu/rnn.h"

leat_rnn_kernels leat__rnn;

static int64_t panel_width(int64_t left) { return left < LEAT_RNN_PANEL ? leat__rnn_round(left) : LEAT_RNN_PANEL; }

void leat__rnn_pack(float *to, const float *w, int64_t k, int64_t n) {
    for (int64_t p = 0; p < n; p += LEAT_RNN_PANEL) {
        int64_t width = panel_width(n - p);
        for (int64_t i = 0; i < k; i++)
            for (int64_t j = 0; j < width; j++) *to++ = p + j < n ? w[(p + j) * k + i] : 0.0f;
    }
}

static void rows_f32_ref(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t rows, const float *w, int64_t k, int64_t n) {
    for (int64_t p = 0; p < n; p += LEAT_RNN_PANEL) {
        int64_t width = panel_width(n - p);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; j < width; j++) {
                float s = 0;
                for (int64_t i = 0; i < k; i++) s += x[r * ldx + i] * w[i * width + j];
                y[r * ldy + p + j] += s;
            }
        w += width * k;
    }
}

static void lstm_cell_ref(float *c, const float *in, const float *f, const float *g, int64_t n) {
    for (int64_t i = 0; i < n; i++) c[i] = f[i] * c[i] + in[i] * g[i];
}

static void gru_cell_ref(float *h, const float *z, const float *g, int64_t n) {
    for (int64_t i = 0; i < n; i++) h[i] = (1.0f - z[i]) * g[i] + z[i] * h[i];
}

void leat__rnn_init(leat_isa level) {
    leat__rnn = (leat_rnn_kernels){rows_f32_ref, lstm_cell_ref, gru_cell_ref, LEAT_ISA_REF};
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__rnn_init_avx2(&leat__rnn);
    if (level >= LEAT_ISA_AVX512) leat__rnn_init_avx512(&leat__rnn);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__rnn_init_neon(&leat__rnn);
#endif
}
