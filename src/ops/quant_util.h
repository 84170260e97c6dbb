/* quant_util.h - small helpers of the quantised operators. */
#ifndef LEAT_OPS_QUANT_UTIL_H
#define LEAT_OPS_QUANT_UTIL_H

#include "ops/op.h"

/* Lowest and highest value of an 8- or 16-bit integer type. */
void leat__quant_range(leat_dtype dtype, float *low, float *high);

/* Scale and zero point that map the range of x [n], widened to hold 0, to 0..255 (DynamicQuantizeLinear). */
typedef struct leat_dynamic_quant {
    float   scale;
    int32_t zero;
} leat_dynamic_quant;
leat_dynamic_quant leat__dynamic_quant_u8(const float *x, int64_t n);

#endif
