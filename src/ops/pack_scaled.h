/* pack_scaled.h - packed weights with a factor per output channel, which a folded batch normalisation left behind. */
#ifndef LEAT_OPS_PACK_SCALED_H
#define LEAT_OPS_PACK_SCALED_H

#include "ops/op.h"

/* Packs w [outputs, ..] into `packed`. */
typedef void (*leat_pack_fn)(const float *w, void *packed, void *arg);

/* leat__op_pack() of constant input `w` (float32, axis 0 = output channels), its channel m multiplied by element m of constant input
 * `scale` where the node has that.  NULL and the call's error set when out of memory. */
const void *leat__op_pack_scaled(leat_op_call *call, int w, int scale, uint64_t variant, size_t bytes, leat_pack_fn pack, void *arg);
/* LEAT_ESHAPE unless input `scale` is absent, or constant float32 of `outputs` elements with constant weights at input `w`. */
int leat__op_check_scale(leat_op_call *call, int w, int scale, int64_t outputs);

#endif
