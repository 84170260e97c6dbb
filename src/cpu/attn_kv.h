/* attn_kv.h - attention of query vectors over a cache of keys and values, in one pass (online softmax).
 *
 *   out[i][h] = sum_p softmax_p( scale * <Q[i][h], K[h / group][p]> , softcapped ) * V[h / group][p]       p over the positions that query i may see
 *
 * Query i stands at position `first_position + i`; it sees positions p <= its own (all `length` of them when not causal), and with a window w > 0 only p > own - w.
 * The cache of one layer is [kv_heads][capacity] rows of K, and the same of V; a row is `width` elements F32, F16, or Q8_0 blocks of 32 (width % 32 == 0).
 * A query that sees nothing gets zeros.  Scores and sums are float32.  Tolerance against _ref: 2e-5 * max|V| (F32), the same on the rounded values of F16 and
 * Q8_0.  Nothing is read outside the rows, nothing written outside `out` and the scratch.  What a query gets depends on its own row, the cache and how the step is
 * cut into blocks (n, length), not on threads or the order of pieces.
 * RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_ATTN_KV_H
#define LEAT_CPU_ATTN_KV_H

#include <stddef.h>
#include <stdint.h>

typedef enum leat_kv_format { LEAT_KV_FORMAT_F16, LEAT_KV_FORMAT_F32, LEAT_KV_FORMAT_Q8_0 } leat_kv_format; /* as leat_kv_type */

/* Bytes of a row of `width` elements. */
size_t leat__kv_row_bytes(leat_kv_format format, int64_t width);
/* Converts rows x [count, ldx] into rows at `row`, `stride` bytes apart. */
void leat__kv_store(leat_kv_format format, const float *x, int64_t ldx, int64_t count, int64_t width, uint8_t *row, int64_t stride);

typedef struct leat_attn_kv {
    const float   *q;       /* [n, ldq], head h at column h * k_width */
    float         *out;     /* [n, ldo], head h at column h * v_width */
    int64_t        n, ldq, ldo;
    const uint8_t *k, *v;   /* head g, position p at k + g * k_head + p * k_row */
    int64_t        k_head, k_row, v_head, v_row; /* bytes */
    leat_kv_format format;
    int64_t        length;  /* positions in the cache, the queries' own included */
    int64_t        first_position; /* of query 0 */
    int            causal;
    int64_t        window;  /* 0 = none */
    int            heads, kv_heads;
    int            k_width, v_width; /* <= 512 */
    float          scale, softcap; /* softcap c > 0: s = c * tanh(s / c); 0 = none */
} leat_attn_kv;

/* Independent pieces that leat__attn_kv() can be cut into (kv heads x blocks of queries x, for long caches and few queries, spans of positions). */
int64_t leat__attn_kv_pieces(const leat_attn_kv *a);
/* Bytes of scratch: one for each thread; and one shared by all pieces of a call (partial results).  Both LEAT_ALIGN-aligned. */
size_t leat__attn_kv_scratch_bytes(int k_width, int v_width);
size_t leat__attn_kv_shared_bytes(int heads, int v_width);
/* Runs piece i (dear ones have low numbers); the outcome does not depend on threads or order.  After all pieces leat__attn_kv_finish() joins spans (any one
 * thread; nothing to do and at once back when there are none). */
void leat__attn_kv_piece(const leat_attn_kv *a, int64_t piece, void *scratch, void *shared);
void leat__attn_kv_finish(const leat_attn_kv *a, void *shared);

#endif
