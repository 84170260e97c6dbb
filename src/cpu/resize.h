/* resize.h - weighted sums of rows and of taps: the inner loops of interpolation.
 *
 *   mix:   out[j] = sum over i < n of w[i] * rows[i][j],  j < c          (channels-last bilinear: four rows; vertical passes)
 *   taps:  out[j] = sum over i < t of w[j * t + i] * in[index[j * t + i]],  j < n      (passes along contiguous elements)
 * Tolerance against _ref: 1e-6 * n * max|rows| absolute (fused multiply-add).  NaN and Inf propagate.
 * RT-safe: no allocation, no lock, no failure.  Reads and writes nothing out of range. */
#ifndef LEAT_CPU_RESIZE_H
#define LEAT_CPU_RESIZE_H

#include <stdint.h>

#include "cpu/cpu.h"

typedef struct leat_resize_kernels {
    void (*mix_f32)(float *out, const float *const *rows, const float *w, int n, int64_t c);
    void (*taps_f32)(float *out, const float *in, const int32_t *index, const float *w, int t, int64_t n);
    leat_isa isa;
} leat_resize_kernels;

extern leat_resize_kernels leat__resize;
void leat__resize_init(leat_isa level);
void leat__resize_init_avx2(leat_resize_kernels *table);
void leat__resize_init_avx512(leat_resize_kernels *table);
void leat__resize_init_neon(leat_resize_kernels *table);

#endif
