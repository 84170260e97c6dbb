/* qgemm.h - products of stored weight rows with many activation vectors; see qmat.h, which calls it for more than LEAT_QMAT_FEW tokens.
 *
 * Rows go in panels of LEAT_QGEMM_ROWS, the depth in slices of LEAT_QGEMM_DEPTH.  A slice of a panel is unpacked once into the thread's scratch:
 *   bytes   [depth / 4][LEAT_QGEMM_ROWS][4], or more than 4 of a row together (`piece`): the weights' small integers plus the format's offset, so that they are
 *           unsigned; on ARM integers of 8 bits stay signed
 *   scale   [depth / group][LEAT_QGEMM_ROWS] float, group 32 or 16; in the form that the tiles want, at most twice as many (`width`)
 *   added   the same for formats with minima: what is added to each weight of the group
 * and then multiplied with all tokens, a tile of LEAT_QGEMM_ROWS x up to `most` tokens at a time:
 *   Y[t][r] += sum_g scale[g][r] * scale_x[t][g] * (sum_k bytes * q - offset * sum_k q)  +  added[g][r] * scale_x[t][g] * sum_k q
 * with the integer sums exact.  Float formats become float panels for the matrix multiply of gemm_f32.h.
 *
 * Reads up to LEAT_TAIL_BYTES behind act->scale and act->sum; never behind the weights.
 * RT-safe: no allocation, no lock, no failure. */
#ifndef LEAT_CPU_QGEMM_H
#define LEAT_CPU_QGEMM_H

#include "cpu/cpu.h"
#include "cpu/qmat.h"

#define LEAT_QGEMM_ROWS 32   /* of a panel */
#define LEAT_QGEMM_DEPTH 512 /* of a slice */
#define LEAT_QGEMM_MOST 6    /* tokens of the largest tile */
#define LEAT_QGEMM_TYPES 31  /* GGUF's numbers of formats are below */

/* What a tile must know of a format: the group of its scales, whether it has minima, and how many bits its integers have at most. */
typedef enum leat_qgemm_kind {
    LEAT_QGEMM_32_4,     /* Q4_0 */
    LEAT_QGEMM_32_5,     /* Q5_0 */
    LEAT_QGEMM_32_8,     /* Q8_0 IQ4_NL IQ4_XS */
    LEAT_QGEMM_32_4_MIN, /* Q4_1 Q4_K */
    LEAT_QGEMM_32_5_MIN, /* Q5_1 Q5_K */
    LEAT_QGEMM_16_6,     /* Q3_K Q6_K */
    LEAT_QGEMM_16_6_MIN, /* Q2_K */
    LEAT_QGEMM_KINDS
} leat_qgemm_kind;

/* Weights that are unpacked next: asked for while tiles are computed, some cache lines a group. */
typedef struct leat_qgemm_ahead {
    const uint8_t *at;            /* next line */
    int64_t        left;          /* bytes of this row behind it */
    int64_t        row, stride;   /* bytes of a row's part, and from one row to the next */
    int64_t        lines;         /* for each group of a tile */
    int            rows;          /* that are left, this one included */
} leat_qgemm_ahead;

/* One slice of one panel times `tokens` tokens. */
typedef struct leat_qgemm_tile {
    const uint8_t *bytes;
    const float   *scale, *added;
    int64_t        groups;   /* of 32, in the slice */
    int            offset;
    const int8_t  *q;        /* [tokens][ldq] */
    const float   *x_scale;  /* [tokens][ldscale] */
    const int16_t *sum;      /* [tokens][2 * ldscale] */
    int64_t        ldq, ldscale;
    float         *y;        /* [tokens][ldy], LEAT_QGEMM_ROWS of each */
    int64_t        ldy;
    leat_qgemm_ahead *ahead;
} leat_qgemm_tile;

/* Adds to y. */
typedef void (*leat_qgemm_tile_fn)(const leat_qgemm_tile *t);
/* `groups` times 32 weights of a row: q [32 * groups] unsigned, scale and added [groups or twice]. */
typedef void (*leat_qgemm_unpack_fn)(const uint8_t *blocks, int64_t groups, uint8_t *q, float *scale, float *added);

typedef struct leat_qgemm_format {
    leat_qgemm_unpack_fn unpack; /* NULL: a float format, or none */
    leat_qgemm_kind      kind;
    int                  offset; /* of the integers that unpack writes */
} leat_qgemm_format;

typedef struct leat_qgemm_table {
    const char        *isa;
    int                most[LEAT_QGEMM_KINDS]; /* tokens of the best tile, <= LEAT_QGEMM_MOST */
    leat_qgemm_tile_fn tile[LEAT_QGEMM_KINDS][LEAT_QGEMM_MOST + 1];
    leat_qgemm_format  format[LEAT_QGEMM_TYPES];
    /* Of kinds of 8 bits, NULL where the tiles take them as they are: turns `groups` groups of a panel into signed integers; added [groups][LEAT_QGEMM_ROWS]
     * becomes what the integer sums start from, instead of the offset. */
    void             (*make_signed)(uint8_t *bytes, int64_t groups, int32_t *added);
    /* to[c][r] = `piece` bytes at from + r * stride + piece * c, r < LEAT_QGEMM_ROWS: weights; 4, 8 or 16 bytes, columns a multiple of 32 / piece. */
    void             (*interleave_bytes)(const void *from, int64_t stride, int64_t columns, void *to);
    int                piece;
    /* The same with floats, `width` of a column: LEAT_QGEMM_ROWS, or twice that where r, r + 1, r, r + 1 stand together. */
    void             (*interleave_scales)(const void *from, int64_t stride, int64_t columns, void *to);
    int                width;
} leat_qgemm_table;

extern leat_qgemm_table leat__qgemm_kernels;
void leat__qgemm_init(leat_isa level);
void leat__qgemm_fill_ref(leat_qgemm_table *table);
void leat__qgemm_fill_avx2(leat_qgemm_table *table);
void leat__qgemm_fill_avx512(leat_qgemm_table *table);
void leat__qgemm_fill_avx512vnni(leat_qgemm_table *table);
void leat__qgemm_fill_neon(leat_qgemm_table *table);
void leat__qgemm_fill_neondot(leat_qgemm_table *table);
void leat__qgemm_fill_neoni8mm(leat_qgemm_table *table);

/* Bytes of scratch that one thread needs; LEAT_ALIGN-aligned. */
size_t leat__qgemm_scratch_bytes(int64_t cols);
/* As leat__qmat(), for any number of tokens; act rounded where the format wants it (`split`, `pairs` and `bias` are not read). */
void leat__qgemm(const leat_qmat *w, const leat_qact *act, int64_t first, int64_t count, float *y, int64_t ldy, void *scratch);

#endif
