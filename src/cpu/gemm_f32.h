/* gemm_f32.h - single-precision matrix multiply, packed right-hand side, fused epilogue; plain or indirect left-hand side.
 *
 *   C[m][n] = act( sum_t sum_k A[m][t][k] * B[t][k][n] + bias[n] + residual[m][n] )        or, with `after`, act(..) + residual
 *
 * A      M rows.  Plain: row-major, stride lda, runs of K floats tap_step apart.  Indirect: `taps` runs of K floats each, whose addresses a
 *        callback writes (implicit im2col: a tap is a kernel position, a run the channels of one NHWC pixel, or a zero row).
 * B      [taps * K, N] packed by leat__f32_gemm_pack() for the level in use: panels of `vec` times 1, 2 or 3 columns, each
 *        panel [taps * K][columns], zero-padded in the last vector.
 * C      [M, N] row-major, stride ldc.  residual [M, N], stride ldr, may be C itself unless `after`.  C may not alias A or B.
 * Never writes outside C; reads nothing outside the operands but the packing's own padding.
 * Tolerance against _ref: 2e-6 * sqrt(taps * K) * max|A| * max|B| for random data, taps * K in place of the root at worst.
 * NaN and Inf propagate.  The result of a row depends neither on the other rows nor on the number of threads, but M = 1 sums in
 * several parts.
 * RT-safe: no allocation, no failure. */
#ifndef LEAT_CPU_GEMM_F32_H
#define LEAT_CPU_GEMM_F32_H

#include <stddef.h>
#include <stdint.h>

#include "base/tpool.h"
#include "cpu/act.h"

#define LEAT_GEMM_MAX_MR 16 /* rows of the tallest tile */
#define LEAT_GEMM_MAX_NV 3  /* vectors of the widest panel */

/* What happens to an element before it is stored. */
typedef struct leat_epilogue {
    const float    *bias;     /* [N] or NULL */
    const float    *residual; /* [M, N] or NULL */
    int64_t         ldr;
    int             after;    /* 1: the residual is added to the activation's result */
    int             act;      /* leat_act */
    leat_act_params params;
} leat_epilogue;

/* `tiles` register tiles, one below the other, each mr rows by one panel, over part of the depth. */
typedef struct leat_gemm_tile {
    int64_t             tiles;
    const float        *a;        /* the strided kind: row i of tap t at a + i * lda + t * tap_step */
    int64_t             lda, tap_step;
    const float *const *rows;     /* the other: [taps][row_stride] addresses, each run from k0 */
    int64_t             row_stride, k0;
    int64_t             taps, k;  /* floats of a run */
    const float        *b;        /* [taps * k][panel columns] */
    float              *c;
    int64_t             ldc;
    int                 n;        /* columns to store, 1..panel columns */
    int                 clips;    /* 1: to [lo, hi]; 2: hard swish instead, the strided kind alone */
    float               lo, hi;
    const float        *bias;     /* [n], what the sums start from; NULL: zero */
    const float        *add;      /* [rows][ldadd], added before the clip, may be c; or NULL */
    int64_t             ldadd;
    const float        *after;    /* [rows][ldafter], added to the clipped value; or NULL */
    int64_t             ldafter;
} leat_gemm_tile;

typedef void (*leat_gemm_tile_fn)(const leat_gemm_tile *t);

typedef struct leat_gemm_f32_table {
    const char       *isa;
    int               vec;                       /* floats per vector */
    int               mr[LEAT_GEMM_MAX_NV + 1];  /* tallest tile of a panel of 1, 2, 3 vectors */
    /* [vectors][rows][1: strided][1: the last vector holds at most vec / 2 columns] */
    leat_gemm_tile_fn tile[LEAT_GEMM_MAX_NV + 1][LEAT_GEMM_MAX_MR + 1][2][2];
} leat_gemm_f32_table;

extern leat_gemm_f32_table leat__gemm_f32;
void leat__gemm_f32_init(leat_isa level);
void leat__gemm_f32_fill_ref(leat_gemm_f32_table *table);
void leat__gemm_f32_fill_avx2(leat_gemm_f32_table *table);
void leat__gemm_f32_fill_avx512(leat_gemm_f32_table *table);
void leat__gemm_f32_fill_neon(leat_gemm_f32_table *table);

/* Writes the runs' addresses of rows [m, m + count) to rows[tap * stride + i]. */
typedef void (*leat_gemm_rows_fn)(const void *arg, int64_t m, int count, const float **rows, int64_t stride);

typedef struct leat_gemm {
    int64_t           m, n, k, taps;
    const float      *a; /* plain left-hand side, or NULL: tap t of row m at a + m * lda + t * tap_step */
    int64_t           lda, tap_step;
    leat_gemm_rows_fn rows; /* indirect left-hand side */
    const void       *rows_arg;
    const float      *b; /* packed */
    float            *c;
    int64_t           ldc;
    leat_epilogue     epilogue;
} leat_gemm;

/* Bytes of a packed B [depth, n], depth = taps * k. */
size_t leat__f32_gemm_packed_bytes(int64_t depth, int64_t n);
/* Packs B: element (tap, k, n) lies at src[tap * st + k * sk + n * sn]. */
void leat__f32_gemm_pack(const float *src, int64_t taps, int64_t k, int64_t n, int64_t st, int64_t sk, int64_t sn, float *packed);
/* The same times `scale`, columns [c0, c1) only, c0 from leat__f32_gemm_column(); `packed` is the whole matrix. */
void leat__f32_gemm_pack_part(const float *src, int64_t taps, int64_t k, int64_t n, int64_t st, int64_t sk, int64_t sn, float scale,
                              int64_t c0, int64_t c1, float *packed);
/* Writes one tap [k, n] of a B that has `taps`: element (k, n) lies at src[k * sk + n * sn], zeros from k_there and n_there on. */
void leat__f32_gemm_pack_tap(const float *src, int64_t taps, int64_t tap, int64_t k, int64_t n, int64_t k_there, int64_t n_there, int64_t sk,
                             int64_t sn, float *packed);
/* to[j][i] = from[i][j], from [rows, columns]. */
void leat__f32_gemm_transpose(const float *from, int64_t rows, int64_t columns, float *to);
/* The panel that begins at column `start`: its width in columns.  Element (row, column) of B lies at
 * packed[start * depth + row * width + (column - start)]; columns from n on must be zero. */
int leat__f32_gemm_panel_width(int64_t n, int64_t start);
/* Names the packed format of the level in use, for the variant of leat__op_pack. */
uint64_t leat__f32_gemm_format(void);

/* Scratch bytes that one worker needs; g->a matters only as NULL or not. */
size_t leat__f32_gemm_scratch(const leat_gemm *g);
/* Computes rows [m0, m1) and columns [n0, n1); n0 from leat__f32_gemm_column(). */
void leat__f32_gemm_part(const leat_gemm *g, int64_t m0, int64_t m1, int64_t n0, int64_t n1, void *scratch);
/* First column of part `index` of `parts` balanced parts of N that start at panels (0 and N for the ends). */
int64_t leat__f32_gemm_column(int64_t n, int64_t index, int64_t parts);
/* Computes all of C on at most `threads` threads; scratch [threads][worker_bytes], worker_bytes >= leat__f32_gemm_scratch(). */
void leat__f32_gemm_parallel(const leat_gemm *g, leat_tpool *pool, int threads, size_t worker_bytes, void *scratch);

#endif
