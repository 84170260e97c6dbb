/* combine.h - "dst = dst op src" for every numeric type: the reductions of the Scatter operators and of Col2Im. */
#ifndef LEAT_OPS_COMBINE_H
#define LEAT_OPS_COMBINE_H

#include "leat/tensor.h"

typedef enum leat_combine {
    LEAT_COMBINE_NONE, LEAT_COMBINE_ADD, LEAT_COMBINE_MUL, LEAT_COMBINE_MAX, LEAT_COMBINE_MIN, LEAT_COMBINE_UNKNOWN
} leat_combine;

/* dst[i] = dst[i] op src[i] for i in [0, n).  Integers wrap; max and min pass NaN on; float16 and bfloat16 are computed in
 * float32. */
typedef void (*leat_combine_fn)(void *dst, const void *src, int64_t n, leat_combine op);

/* "none", "add", "mul", "max", "min"; LEAT_COMBINE_UNKNOWN for others. */
leat_combine leat__combine_parse(const char *text);
/* NULL for types without arithmetic (strings, complex). */
leat_combine_fn leat__combine_of(leat_dtype dtype);

#endif
