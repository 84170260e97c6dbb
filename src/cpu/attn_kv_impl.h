/* attn_kv_impl.h - the inner kernels of attention over a cache, and the scratch that they share with the driver (attn_kv.c).
 *
 * A piece has up to ROWS rows: (query, head) pairs of one kv head, query by query.  It walks the positions in tiles of TILE.  Many rows: the tile of K is
 * transposed to float32 once and multiplied as a matrix, so is V.  Few rows (decoding): K and V are read where they lie.
 * Scores are kept in units of log 2, so that a weight is 2^(s - max).  Matrices in scratch have rows of a multiple of LANES floats. */
#ifndef LEAT_CPU_ATTN_KV_IMPL_H
#define LEAT_CPU_ATTN_KV_IMPL_H

#include "cpu/attn_kv.h"
#include "leat/common.h"

#define LEAT_ATTN_ROWS 96
#define LEAT_ATTN_TILE 128
#define LEAT_ATTN_LANES 16
#define LEAT_ATTN_FEW 4 /* up to so many rows read K and V in place */

typedef struct leat_attn_kv_table {
    const char *isa;
    void (*store)(leat_kv_format format, const float *x, int64_t width, uint8_t *row);
    /* Rows [count] of `width` to to [count, ldt]. */
    void (*widen)(leat_kv_format format, const uint8_t *rows, int64_t stride, int count, int width, float *to, int64_t ldt);
    /* Transposes rows [count] of `width` to to [width, TILE]; columns from `count` on are 0. */
    void (*transpose)(leat_kv_format format, const uint8_t *rows, int64_t stride, int count, int width, float *to);
    /* c [rows, ldc] = (add ? c : 0) + a [rows, lda] * b [depth, ldb], on the first `columns` (a multiple of LANES); meanwhile brings `bytes` at `fetch` nearer. */
    void (*product)(const float *a, int64_t lda, const float *b, int64_t ldb, int rows, int columns, int depth, float *c, int64_t ldc, int add,
                    const void *fetch, int64_t bytes);
    /* One row of scores s [TILE] to weights 2^(s - *max): *max and *sum go on; those outside [from, to) become 0.  cap > 0: s = cap * tanh(s) first.
     * Returns what earlier sums must be multiplied with. */
    float (*weights)(float *s, int from, int to, float cap, float *max, float *sum);
    /* x [n] *= factor, n a multiple of LANES. */
    void (*scale)(float *x, int64_t n, float factor);
    /* Few rows, straight from the cache: s [rows, TILE] = q [rows, ldq] * K rows [count] ... */
    void (*dots)(leat_kv_format format, const uint8_t *k, int64_t stride, int count, int width, const float *q, int64_t ldq, int rows, float *s);
    /* ... and o [rows, ldo] += s [rows, TILE] * V rows [count]. */
    void (*mix)(leat_kv_format format, const uint8_t *v, int64_t stride, int count, int width, const float *s, int rows, float *o, int64_t ldo);
} leat_attn_kv_table;

extern leat_attn_kv_table leat__attn_kv_kernels;
void leat__attn_kv_init(leat_isa level);
void leat__attn_kv_fill_ref(leat_attn_kv_table *table);
void leat__attn_kv_fill_avx2(leat_attn_kv_table *table);
void leat__attn_kv_fill_avx512(leat_attn_kv_table *table);
void leat__attn_kv_fill_neon(leat_attn_kv_table *table);

#endif
