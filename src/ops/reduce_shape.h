/* reduce_shape.h - a reduction as groups of axes: the input's axes in memory order, neighbours of one kind (kept or reduced) merged. */
#ifndef LEAT_OPS_REDUCE_SHAPE_H
#define LEAT_OPS_REDUCE_SHAPE_H

#include "tensor/tensor_util.h"

typedef struct leat_reduce_shape {
    int     n;                         /* groups */
    int     ordered;                   /* kept groups follow each other in the output's memory */
    int64_t dims[LEAT_MAX_RANK], in_stride[LEAT_MAX_RANK], out_stride[LEAT_MAX_RANK];
    uint8_t reduced[LEAT_MAX_RANK];
    int64_t outputs, inputs_each;
} leat_reduce_shape;

/* Bit i of mask: logical axis i is reduced.  `out` has the input's rank (kept as 1) or lacks the reduced axes. */
void leat__reduce_shape(const leat_tensor *in, const leat_tensor *out, uint32_t mask, leat_reduce_shape *s);
/* Offset into the input of the index-th combination of the first `groups` groups that are (reduced 1) or are not reduced; *out_at: the output's. */
int64_t leat__reduce_offset(const leat_reduce_shape *s, int reduced, int groups, int64_t index, int64_t *out_at);

#endif
