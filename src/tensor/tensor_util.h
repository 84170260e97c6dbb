/* tensor_util.h - internal helpers over leat_tensor: shapes, strides, broadcasting, layout.  No arithmetic on elements.
 *
 * Layout: dims are always the logical (ONNX) dims.  With LEAT_TENSOR_NHWC set in flags a rank >= 3 tensor [N, C, d1, .., dk] is
 * stored channels-last, i.e. in memory as [N, d1, .., dk, C].  leat__tensor_physical() gives the dims in memory order.
 */
#ifndef LEAT_TENSOR_UTIL_H
#define LEAT_TENSOR_UTIL_H

#include "base/error.h"
#include "leat/tensor.h"

#define LEAT_TENSOR_NHWC 1u
#define LEAT_TENSOR_UNALIGNED 2u /* data is not aligned for its type: constants on their way from the file only */
#define LEAT_TENSOR_MAPPED 4u    /* with UNALIGNED: data is a file's mapping, whose pages may be given back (never true of a caller's memory) */

/* Element of a STRING tensor. */
typedef struct leat_text {
    const char *text; /* NUL-terminated; NULL = "" */
    size_t      length;
} leat_text;

static inline int leat__is_nhwc(const leat_tensor *t) { return (t->flags & LEAT_TENSOR_NHWC) != 0; }
int leat__dtype_is_float(leat_dtype dtype); /* F16 BF16 F32 F64 */
int leat__dtype_is_int(leat_dtype dtype);   /* signed and unsigned, not BOOL */
int leat__dtype_is_signed(leat_dtype dtype);

/* Sets dtype, rank and dims (flags cleared, data kept). */
void leat__tensor_set(leat_tensor *t, leat_dtype dtype, int rank, const int64_t *dims);
int leat__dims_equal(const leat_tensor *a, const leat_tensor *b);
int64_t leat__dims_count(const int64_t *dims, int rank); /* -1 on negative or overflow */
/* Dims in memory order into out[rank]: as they are, or channels moved last for NHWC. */
void leat__tensor_physical(const leat_tensor *t, int64_t out[LEAT_MAX_RANK]);
/* Memory-order axis of logical axis `axis`. */
int leat__physical_axis(const leat_tensor *t, int axis);
/* 1 when plain and channels-last storage of t would be the same bytes: rank < 3, one channel, or all spatial dims 1. */
int leat__layouts_equal(const leat_tensor *t);
/* Row-major strides in elements of `dims` [rank]. */
void leat__strides(const int64_t *dims, int rank, int64_t *strides);

/* axis in [-rank, rank-1] to [0, rank-1]; -1 when outside. */
int leat__norm_axis(int64_t axis, int rank);

/* Numpy broadcasting of a and b into out; LEAT_ESHAPE if they do not match. */
int leat__broadcast_dims(const int64_t *a, int ra, const int64_t *b, int rb, int64_t *out, int *ro);

/* Strides in elements for walking `t` (physical dims [rank_t]) under the broadcast shape of rank `rank`; 0 on broadcast axes. */
void leat__broadcast_strides(const int64_t *dims, int rank_t, const int64_t *out_dims, int rank, int64_t *strides);

/* Element i of an integer or float tensor as int64 / double (any dtype but string and complex). */
int64_t leat__tensor_get_int(const leat_tensor *t, int64_t i);
double leat__tensor_get_float(const leat_tensor *t, int64_t i);
void leat__tensor_set_int(leat_tensor *t, int64_t i, int64_t value);
void leat__tensor_set_float(leat_tensor *t, int64_t i, double value);

/* "float32[1,3,224,224]" into buf; returns buf. */
const char *leat__tensor_text(const leat_tensor *t, char *buf, size_t n);

#endif
