/* quant_util.c - small helpers of the quantised operators. */
#include "ops/quant_util.h"

#include <math.h>

#include "cpu/vmath.h"

void leat__quant_range(leat_dtype dtype, float *low, float *high) {
    switch (dtype) {
        case LEAT_DTYPE_I8: *low = -128, *high = 127; break;
        case LEAT_DTYPE_U16: *low = 0, *high = 65535; break;
        case LEAT_DTYPE_I16: *low = -32768, *high = 32767; break;
        default: *low = 0, *high = 255;
    }
}

leat_dynamic_quant leat__dynamic_quant_u8(const float *x, int64_t n) {
    float low = fminf(0, leat__vmath()->red[LEAT_VRED_MIN](x, n)), high = fmaxf(0, leat__vmath()->red[LEAT_VRED_MAX](x, n));
    leat_dynamic_quant q = {(high - low) / 255.0f, 0};
    if (q.scale == 0) q.scale = 1;
    float zero = rintf(fminf(fmaxf(-low / q.scale, 0), 255));
    q.zero = (int32_t)zero;
    return q;
}
