/* wino_f32.h - Winograd convolution, 3x3, stride 1, channels-last: F(4x4, 3x3) and F(2x2, 3x3) (Lavin and Gray, 2015).
 *
 *   V = B^T d B (input tile d)     U = G g G^T (kernel g)     M_p = V_p U_p (a matrix product for each of the P points)     y = A^T M A
 *
 * P = 36 for 4x4 output tiles (a quarter of the multiplications), 16 for 2x2 (four ninths).  Interpolation points of F(4x4):
 * 0, +-3/4, +-3/2, infinity.  Their transforms are exact in binary and better scaled than the usual 0, +-1, +-2: relative L2 error
 * 1.1e-6 against float64 on random data with 128 channels, against 2.7e-6 (F(2x2): 0.4e-6; direct: 0.3e-6).
 *
 * x [N, H, W, C], y [N, H', W', CO] channels-last; padding by a row of zeros.  Work goes in blocks of tiles so that V and M stay in L2;
 * the epilogue (bias, residual, activation) happens as a tile leaves.  Results do not depend on the number of threads.
 * Tolerance against float64: 1e-5 (4x4), 3e-6 (2x2) relative L2.  NaN and Inf spread over the output tile that reads them.
 * RT-safe: no allocation, no failure. */
#ifndef LEAT_CPU_WINO_F32_H
#define LEAT_CPU_WINO_F32_H

#include "base/tpool.h"
#include "cpu/gemm_f32.h"
#include "leat/common.h"

#define LEAT_WINO_MAX_POINTS 36
#define LEAT_WINO_MAX_OUTPUTS 16

/* Epilogue of a tile's pixels: y[i] and residual[i] are addresses of pixels, NULL outside the image. */
typedef struct leat_wino_out {
    const float *m;         /* [P][m_stride] of one tile */
    int64_t      m_stride;
    int64_t      n;         /* channels */
    const float *bias;      /* [n] or NULL */
    float       *y[LEAT_WINO_MAX_OUTPUTS];
    const float *before[LEAT_WINO_MAX_OUTPUTS]; /* residual before the clip, or NULL */
    const float *after[LEAT_WINO_MAX_OUTPUTS];  /* residual after the clip, or NULL */
    float        lo, hi;
} leat_wino_out;

/* v[p * v_stride + c] for one tile of pixels px[(m + 2)^2], each [c]; v's rows are padded to whole vectors, x is read exactly. */
typedef void (*leat_wino_in_fn)(const float *const *px, int64_t c, float *v, int64_t v_stride);
typedef void (*leat_wino_out_fn)(const leat_wino_out *o);

typedef struct leat_wino_f32_table {
    const char      *isa;
    leat_wino_in_fn  in4, in2;
    leat_wino_out_fn out4, out2;
} leat_wino_f32_table;

extern leat_wino_f32_table leat__wino_f32;
void leat__wino_f32_init(leat_isa level);
void leat__wino_f32_fill_ref(leat_wino_f32_table *table);
void leat__wino_f32_fill_avx2(leat_wino_f32_table *table);
void leat__wino_f32_fill_avx512(leat_wino_f32_table *table);
void leat__wino_f32_fill_neon(leat_wino_f32_table *table);

typedef struct leat_wino {
    int          tile;            /* 4 or 2: outputs along one side */
    int64_t      n, h, w, c;      /* input */
    int64_t      pad_top, pad_left;
    int64_t      oh, ow, co;      /* output */
    const float *x;               /* [n, h, w, c] */
    const float *u;               /* packed kernels of leat__wino_f32_pack() */
    float       *y;               /* [n, oh, ow, co] */
    leat_epilogue epilogue;       /* ldr = co */
} leat_wino;

/* The tile (4 or 2) that is expected to beat the direct convolution for this geometry, or 0. */
int leat__wino_f32_choose(int64_t n, int64_t oh, int64_t ow, int64_t c, int64_t co);
/* Bytes of the packed kernels, and packing from w [co, c, 3, 3]. */
size_t leat__wino_f32_packed_bytes(int tile, int64_t c, int64_t co);
void leat__wino_f32_pack(int tile, const float *w, int64_t c, int64_t co, float *u);
/* Scratch bytes for `threads` threads. */
size_t leat__wino_f32_scratch(const leat_wino *g, int threads);
void leat__wino_f32_run(const leat_wino *g, leat_tpool *pool, int threads, void *scratch);

#endif
