/* qrows_ref.c - reference of the integer products, packing, and the table of the level in use. */
#include "cpu/qrows.h"

leat_qrows_kernels leat__qrows;

static int64_t panel_width(int64_t left) { return left < LEAT_QROWS_PANEL ? leat__qrows_round(left) : LEAT_QROWS_PANEL; }

static int16_t weight(const leat_qrows_source *w, int64_t s, int64_t i, int64_t j) {
    int64_t at = s * w->segment_stride + i / w->inner * w->outer_stride + i % w->inner * w->inner_stride + j * w->n_stride;
    if (w->is_signed) return (int16_t)(((const int8_t *)w->data)[at] - (w->zero ? ((const int8_t *)w->zero)[j * w->zero_step] : 0));
    return (int16_t)(((const uint8_t *)w->data)[at] - (w->zero ? ((const uint8_t *)w->zero)[j * w->zero_step] : 0));
}

void leat__qrows_pack(int16_t *to, const leat_qrows_source *w, int segments, int64_t k, int64_t n) {
    for (int64_t p = 0; p < n; p += LEAT_QROWS_PANEL) {
        int64_t width = panel_width(n - p);
        for (int s = 0; s < segments; s++)
            for (int64_t i = 0; i < k; i += 2)
                for (int64_t j = p; j < p + width; j++) {
                    *to++ = j < n ? weight(w, s, i, j) : 0;
                    *to++ = j < n && i + 1 < k ? weight(w, s, i + 1, j) : 0;
                }
    }
}

void leat__qrows_pack_bytes(int8_t *to, const leat_qrows_source *w, int segments, int64_t k, int64_t n) {
    for (int64_t p = 0; p < n; p += LEAT_QROWS_PANEL) {
        int64_t width = panel_width(n - p);
        for (int s = 0; s < segments; s++)
            for (int64_t i = 0; i < k; i += 4)
                for (int64_t j = p; j < p + width; j++)
                    for (int64_t t = i; t < i + 4; t++) *to++ = j < n && t < k ? (int8_t)weight(w, s, t, j) : 0;
    }
}

void leat__qrows_pack_window(int16_t *to, const leat_qrows_source *w, int positions, int64_t c) {
    int64_t width = leat__qrows_round(c);
    for (int p = 0; p < positions; p += 2)
        for (int64_t j = 0; j < width; j++) {
            *to++ = j < c ? weight(w, p, 0, j) : 0;
            *to++ = j < c && p + 1 < positions ? weight(w, p + 1, 0, j) : 0;
        }
}

static void rows_i16_ref(int32_t *y, int64_t ldy, const int16_t *x, int64_t ldx, int64_t rows, const int64_t *offset, int segments, int64_t pairs,
                         const int16_t *w, int64_t n, const int32_t *init) {
    for (int64_t p = 0; p < n; p += LEAT_QROWS_PANEL) {
        int64_t width = panel_width(n - p), step = 2 * width * pairs;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; j < width; j++) {
                uint32_t sum = init ? (uint32_t)init[p + j] : 0;
                for (int s = 0; s < segments; s++)
                    for (int64_t i = 0; i < 2 * pairs; i++)
                        sum += (uint32_t)(x[r * ldx + offset[s] + i] * w[s * step + (i / 2 * width + j) * 2 + i % 2]);
                y[r * ldy + p + j] = (int32_t)sum;
            }
        w += segments * step;
    }
}

static int32_t clamp16(int32_t v) { return v < -32768 ? -32768 : v > 32767 ? 32767 : v; }

static void rows_u8s8_ref(int32_t *y, int64_t ldy, const uint8_t *x, int64_t ldx, int64_t rows, const int64_t *offset, int segments, int64_t quads,
                          const int8_t *w, int64_t n, const int32_t *init) {
    for (int64_t p = 0; p < n; p += LEAT_QROWS_PANEL) {
        int64_t width = panel_width(n - p), step = 4 * width * quads;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t j = 0; j < width; j++) {
                uint32_t sum = (uint32_t)init[p + j];
                for (int s = 0; s < segments; s++)
                    for (int64_t i = 0; i < 4 * quads; i += 2) {
                        const uint8_t *a = x + r * ldx + offset[s] + i;
                        const int8_t *b = w + s * step + (i / 4 * width + j) * 4 + i % 4;
                        sum += (uint32_t)clamp16(a[0] * b[0] + a[1] * b[1]);
                    }
                y[r * ldy + p + j] = (int32_t)sum;
            }
        w += segments * step;
    }
}

static void window_i16_ref(int32_t *y, const int16_t *x, const int64_t *offset, int positions, const int16_t *w, int64_t c, const int32_t *init) {
    int64_t width = leat__qrows_round(c);
    for (int64_t j = 0; j < width; j++) {
        uint32_t sum = init ? (uint32_t)init[j] : 0;
        for (int p = 0; p < positions; p++) sum += (uint32_t)(x[offset[p] + j] * w[(p / 2 * width + j) * 2 + p % 2]);
        y[j] = (int32_t)sum;
    }
}

static void widen_u8_ref(int16_t *y, const uint8_t *x, int64_t n, int32_t zero) {
    for (int64_t i = 0; i < n; i++) y[i] = (int16_t)(x[i] - zero);
}

static void widen_i8_ref(int16_t *y, const int8_t *x, int64_t n, int32_t zero) {
    for (int64_t i = 0; i < n; i++) y[i] = (int16_t)(x[i] - zero);
}

void leat__qrows_init(leat_isa level) {
    leat__qrows = (leat_qrows_kernels){rows_i16_ref, rows_u8s8_ref, window_i16_ref, widen_u8_ref, widen_i8_ref, LEAT_ISA_REF};
#if LEAT_CPU_X86
    if (level >= LEAT_ISA_AVX2) leat__qrows_init_avx2(&leat__qrows);
    if (level >= LEAT_ISA_AVX512) leat__qrows_init_avx512(&leat__qrows);
    if (level >= LEAT_ISA_AVX512VNNI) leat__qrows_init_avx512vnni(&leat__qrows);
#elif LEAT_CPU_ARM
    if (level >= LEAT_ISA_NEON) leat__qrows_init_neon(&leat__qrows);
#endif
}
