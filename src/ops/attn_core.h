/* attn_core.h - scaled dot-product attention, blockwise: Y = softmax(softcap(scale Q K^T) + mask) V for every batch and head.
 *
 * A task is one head and a block of queries; it walks over blocks of keys, keeping running maxima and sums (online softmax, Milakov and Gimelshein
 * 2018), so nothing larger than one tile of scores exists.  Both products use the packed GEMM.  Key blocks are cut by size only: results do not
 * depend on the number of threads.  A row whose keys are all masked gives zeros.
 */
#ifndef LEAT_OPS_ATTN_CORE_H
#define LEAT_OPS_ATTN_CORE_H

#include "ops/op.h"

typedef struct leat_attn_strides {
    int64_t b, h, s, d; /* elements: batch, head, position, feature */
} leat_attn_strides;

typedef struct leat_attn {
    const float      *q, *k, *v;
    float            *y;
    leat_attn_strides qs, ks, vs, ys;           /* qs.d, vs.d and ys.d are 1 */
    int64_t           B, H, HK, S, T, D, DV;    /* H query heads, HK key heads (H % HK == 0), S queries, T keys, feature sizes */
    const float      *mask;                     /* added to the scores, or NULL */
    const uint8_t    *keep;                     /* boolean mask (0 = masked), or NULL */
    leat_attn_strides ms, keeps;                /* of mask and keep: d = key; 0 = broadcast */
    int64_t           mask_keys;                /* with a mask: keys from here on are masked */
    float             scale, softcap;           /* softcap 0 = none */
    int               causal;                   /* key j is seen by query i if j <= i + offset */
    int64_t           left, right;              /* window about i + offset, -1 = open */
    int64_t           offset;                   /* position of query 0 among the keys */
    const int64_t    *lengths;                  /* [B] valid keys, and offset = lengths[b] - S; or NULL */
    float            *scores;                   /* [B, H, S, T] or NULL */
    int               scores_mode;              /* 0 raw, 1 after softcap, 2 after mask, 3 after softmax */
} leat_attn;

/* [B, H, S, D] or, split, [B, S, H, D]. */
leat_attn_strides leat__attn_strides(int64_t h, int64_t s, int64_t d, int split);
/* to [B, HK, past + fresh, D] = old [B, HK, past, D] or NULL, then x [fresh] at strides xs. */
void leat__attn_append(float *to, const float *old, int64_t past, const float *x, leat_attn_strides xs, int64_t fresh, int64_t heads, int64_t batch, int64_t d);
/* Reads a mask that broadcasts to [B, H, S, T] into *attn; with `shorter` its keys may be fewer.  LEAT_ESHAPE, LEAT_ETYPE. */
int leat__attn_mask(leat_op_call *call, leat_attn *attn, const leat_tensor *mask, int shorter);

/* Scratch bytes of one run on call->threads threads. */
size_t leat__attn_scratch(const leat_op_call *call, const leat_attn *attn);
void leat__attn_run(leat_op_call *call, const leat_attn *attn, void *scratch);

#endif
