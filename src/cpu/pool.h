/* pool.h - reductions over windows: the inner loops of max and average pooling and of global pooling.
 *
 * Channels-last form: `in` is a list of n pointers, one for each position of a window, each to c consecutive values; the result has c
 * values.  `first` 0 continues from what is in `out` (windows with more positions than one list holds).
 *   max:  out[j] = max over i of in[i][j]         sum:  out[j] = scale * (sum over i of in[i][j]),  (out[j] + ..) when continuing
 * Run form: `count` windows next to each other, full of n positions each: in[i] moves on by `step` values, out by c.
 * Row form (plain layout): out[i] = max(out[i], in[i * stride]), out[i] += in[i * stride].
 * The order of additions over i is the order of the list in every variant, so all levels give the same bits in the channels-last form.
 * reduce_sum: lanes are summed apart; tolerance against _ref 1e-6 * n * max|x|.
 * RT-safe: no allocation, no lock, no failure.  Reads and writes nothing out of range. */
#ifndef LEAT_CPU_POOL_H
#define LEAT_CPU_POOL_H

#include <stdint.h>

#include "cpu/cpu.h"

typedef struct leat_pool_kernels {
    void (*max_f32)(float *out, const float *const *in, int n, int64_t c, int first);
    void (*max_u8)(uint8_t *out, const uint8_t *const *in, int n, int64_t c, int first);
    void (*max_i8)(int8_t *out, const int8_t *const *in, int n, int64_t c, int first);
    void (*sum_f32)(float *out, const float *const *in, int n, int64_t c, float scale, int first);
    void (*max_run_f32)(float *out, const float *const *in, int n, int64_t c, int64_t count, int64_t step);
    void (*sum_run_f32)(float *out, const float *const *in, int n, int64_t c, float scale, int64_t count, int64_t step);
    void (*max_row_f32)(float *out, const float *in, int64_t n, int64_t stride);
    void (*add_row_f32)(float *out, const float *in, int64_t n, int64_t stride);
    float (*reduce_sum_f32)(const float *in, int64_t n);
    float (*reduce_max_f32)(const float *in, int64_t n); /* -inf for n = 0 */
    leat_isa isa;
} leat_pool_kernels;

extern leat_pool_kernels leat__pool;
void leat__pool_init(leat_isa level);
void leat__pool_init_avx2(leat_pool_kernels *table);
void leat__pool_init_avx512(leat_pool_kernels *table);
void leat__pool_init_neon(leat_pool_kernels *table);

#endif
