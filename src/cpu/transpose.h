/* transpose.h - two-dimensional transposition of elements of 1, 2, 4 or 8 bytes.
 *
 *   dst[j][i] = src[i][j]      i in [0, rows), j in [0, cols)
 *
 * src rows are contiguous in j and src_stride bytes apart; dst rows are contiguous in i and dst_stride bytes apart (strides may
 * be negative or any size).  Only bytes move, so every level gives the same result.  src and dst may not overlap.  Nothing
 * outside the two blocks is read or written.
 * RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_TRANSPOSE_H
#define LEAT_CPU_TRANSPOSE_H

#include "leat/common.h"

typedef void (*leat_transpose_fn)(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows,
                                  int64_t cols);

typedef struct leat_transpose_kernels {
    leat_transpose_fn b1, b2, b4, b8; /* by bytes of an element */
    const char       *name;           /* ISA level of the set */
} leat_transpose_kernels;

extern leat_transpose_kernels leat__transpose;

void leat__transpose_init(leat_isa level);

/* The kernel for elements of `bytes`, NULL when there is none. */
static inline leat_transpose_fn leat__transpose_of(size_t bytes) {
    const leat_transpose_kernels *k = &leat__transpose;
    return bytes == 1 ? k->b1 : bytes == 2 ? k->b2 : bytes == 4 ? k->b4 : bytes == 8 ? k->b8 : NULL;
}

void leat_b1_transpose_ref(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols);
void leat_b2_transpose_ref(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols);
void leat_b4_transpose_ref(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols);
void leat_b8_transpose_ref(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols);
void leat_b1_transpose_avx2(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols);
void leat_b2_transpose_avx2(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols);
void leat_b4_transpose_avx2(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols);
void leat_b8_transpose_avx2(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols);
void leat_b1_transpose_neon(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols);
void leat_b2_transpose_neon(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols);
void leat_b4_transpose_neon(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols);
void leat_b8_transpose_neon(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols);

#endif
