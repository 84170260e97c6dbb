/* transpose_ref.c - the plain C transposition: blocks of a cache line each way, so that every line is read and written once. */
#include "cpu/transpose.h"

#include <string.h>

/* Element size is a compile-time constant at each call, so memcpy becomes one load and one store. */
static inline __attribute__((always_inline)) void walk(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride,
                                                       int64_t rows, int64_t cols, int64_t elem) {
    const int64_t block = 64 / elem;
    for (int64_t j0 = 0; j0 < cols; j0 += block)
        for (int64_t i0 = 0; i0 < rows; i0 += block) {
            int64_t j1 = j0 + block < cols ? j0 + block : cols, i1 = i0 + block < rows ? i0 + block : rows;
            for (int64_t j = j0; j < j1; j++) {
                const uint8_t *from = src + i0 * src_stride + j * elem;
                uint8_t *to = dst + j * dst_stride + i0 * elem;
                for (int64_t i = i0; i < i1; i++, from += src_stride, to += elem) memcpy(to, from, (size_t)elem);
            }
        }
}

void leat_b1_transpose_ref(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols) {
    walk(src, src_stride, dst, dst_stride, rows, cols, 1);
}
void leat_b2_transpose_ref(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols) {
    walk(src, src_stride, dst, dst_stride, rows, cols, 2);
}
void leat_b4_transpose_ref(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols) {
    walk(src, src_stride, dst, dst_stride, rows, cols, 4);
}
void leat_b8_transpose_ref(const uint8_t *src, int64_t src_stride, uint8_t *dst, int64_t dst_stride, int64_t rows, int64_t cols) {
    walk(src, src_stride, dst, dst_stride, rows, cols, 8);
}
