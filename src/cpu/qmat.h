/* qmat.h - products of stored weight rows with a few or many activation vectors.
 *
 *   Y[t][r] = sum_k W[r][k] * X[t][k]        W [rows, cols] in a block format of blocks.h, in place      X [n, cols] float32
 *
 * Block formats: X is rounded once, by leat__qact_round(), to 8 bits with one scale for each 32 elements; products are integer sums of 32 (or 16, where a
 * format's scales are of 16), scaled and added in float32.  Scales of a chunk of 256 are whole multiples (1 to 255) of one unit, so that formats whose own
 * scales are integers of 7 bits or less can sum a chunk without leaving the integers, and exactly.  Float formats (F32, F16, BF16) use X as it is.
 *
 *   leat_qact    X in the form that the weights' format wants; one serves any number of matrices
 *   leat_qmat    W
 *   leat__qmat   rows [first, first + count) of Y: few tokens go row by row over W (bound by memory), many through panels of W that are unpacked once
 *
 * The value of Y[t][r] depends on W's row r, on X[t] and on how many tokens there are (on x86 each of the few, else whether few or many: LEAT_QMAT_FEW), not on how rows are cut into calls.
 * Reads up to LEAT_TAIL_BYTES behind X; never behind W (it lies in a file's mapping).  Tolerance against _ref: 1e-5 * sum |w x|,
 * where w counts with the offset that makes it unsigned (128 d in Q8_0, 8 d in Q4_0, ...).  Behind W lines are asked for, not read.
 * RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_QMAT_H
#define LEAT_CPU_QMAT_H

#include <stddef.h>
#include <stdint.h>

#define LEAT_QMAT_FEW 5   /* up to so many tokens go row by row */
#define LEAT_QMAT_ROWS 32 /* first and count of leat__qmat() are multiples, but for the last rows: panels are so high */

typedef struct leat_qmat {
    const uint8_t *data;   /* row r begins at data + r * stride */
    int64_t        rows, cols, stride; /* cols is a multiple of the format's block */
    int            type;   /* GGUF's number of the format */
} leat_qmat;

/* X of at most `capacity` tokens: float32 as given, and rounded where a block format asks for it.  A token has `groups` groups of 32, cols rounded up to
 * 256; what lies behind cols is zero, scales included. */
typedef struct leat_qact {
    int64_t      n, cols, ld;   /* tokens now; ld: floats from one token to the next */
    int          alone;         /* one thread reads the weights, not several: it may ask for them further ahead.  0 after leat__qact_init() */
    const uint8_t *next;        /* with few tokens: what the thread reads behind the last row, asked for in time; NULL: what lies behind.  NULL after leat__qact_init() */
    int64_t      groups;        /* of 32, from one token to the next */
    const float *x;             /* [n, ld], the caller's */
    int8_t      *q;             /* [n, groups, 32] */
    int8_t      *split;         /* x86, few tokens: q, the halves of 4 groups put together: first halves of groups 4i..4i+3, then their second halves */
    int8_t      *pairs;         /* x86, few tokens: q, groups in the order 0 2 1 3 of each 4 */
    float       *scale;         /* [n, groups]: unit * grain */
    float       *bias;          /* [n, groups]: scale * sum of the 32 q */
    int16_t     *sum;           /* [n, groups, 2] of 16 q */
    float       *unit;          /* [n, groups / 8]; NaN where a scale is */
    int16_t     *grain;         /* [n, groups, 2] scale / unit, 0..LEAT_QACT_GRAINS, twice */
    float       *lack;          /* for few tokens: [n, groups] scale * sum of the |q| of negative q: what |q| times w lacks where w's bits, not its sign, are turned over */
    int16_t     *grains;        /* x86, few tokens: [n, groups / 8, 32] grain 0..3, four zeros, grain 4..7, four zeros of each 8 groups, twice */
    float       *biases;        /* x86, few tokens: [n, groups / 8, 16] bias of each 8 groups, twice */
    int32_t     *fours;         /* for few tokens: [n, groups, 8] -32 times the sum of 4 q */
    int8_t      *twice;         /* for few tokens, of AVX2: [n, groups, 2, 32] q, each 16 of them twice */
    int16_t     *eights;        /* for few tokens, of AVX2: [n, groups / 4, 2, 16] 32 times sums of 8 q, in the order of qdotpair_avx2.c's sums of Q6_K */
} leat_qact;

/* Bytes of the memory for X rounded, of n tokens; LEAT_ALIGN-aligned. */
size_t leat__qact_bytes(int64_t n, int64_t cols);
/* Lays *act over `memory` for the tokens at x [n, ld]; rounds nothing yet. */
void leat__qact_init(leat_qact *act, void *memory, const float *x, int64_t n, int64_t cols, int64_t ld);
/* Whether this format wants X rounded. */
int leat__qact_wanted(int type);
/* Rounds tokens [first, first + count).  In each chunk of 256: unit = max|x| / (127 * 255); in each group of 32: grain = max|x| / (127 * unit), rounded up,
 * scale = unit * grain, q = x / scale to nearest even, at most 127 in size.  So a group loses up to a grain of its precision: where it is 1 / n of
 * the chunk's largest, n / 255 at most.  Groups whose max|x| < LEAT_QACT_TINY are zero, scale included; where an x is no finite number all q are 0 and
 * scale is NaN, so that products with it are NaN. */
#define LEAT_QACT_TINY 1e-30f
#define LEAT_QACT_GRAINS 255
void leat__qact_round(leat_qact *act, int64_t first, int64_t count);

/* Bytes of scratch that one thread needs for any product of `cols`. */
size_t leat__qmat_scratch_bytes(int64_t cols);
/* y [n, ldy]: writes columns [first, first + count).  scratch: the thread's own, LEAT_ALIGN-aligned. */
void leat__qmat(const leat_qmat *w, const leat_qact *act, int64_t first, int64_t count, float *y, int64_t ldy, void *scratch);

#endif
