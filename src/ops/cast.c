/* cast.c - Cast and CastLike among all numeric types and bool.
 *
 * float to integer truncates and saturates (NaN gives 0); integer to integer wraps; anything to bool is "not zero".  Halves go through float32
 * in pieces that stay in the first-level cache.  Strings and the 8-bit and 4-bit types are not supported and are named as such.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "cpu/vmath.h"
#include "ops/el_walk.h"

typedef void (*cast_fn)(const void *x, void *y, int64_t n);

#define CAST(name, T, TO, expression)                      \
    static void name(const void *px, void *py, int64_t n) { \
        const T *x = px;                                   \
        TO      *y = py;                                   \
        for (int64_t i = 0; i < n; i++) {                  \
            T v = x[i];                                    \
            y[i] = (TO)(expression);                       \
        }                                                  \
    }

/* Upper bounds are exclusive powers of two, exact in both float and double. */
#define SATURATE(TO, lo, hi, below) (v != v ? (TO)0 : v >= (hi) ? (TO)(below) : v <= (lo) ? (TO)(lo) : (TO)v)

#define FROM_INT(s, T)                   \
    CAST(s##_u8, T, uint8_t, v)          \
    CAST(s##_u16, T, uint16_t, v)        \
    CAST(s##_u32, T, uint32_t, v)        \
    CAST(s##_u64, T, uint64_t, v)        \
    CAST(s##_f32, T, float, v)           \
    CAST(s##_f64, T, double, v)          \
    CAST(s##_bool, T, uint8_t, v != 0)
FROM_INT(u8, uint8_t)
FROM_INT(u16, uint16_t)
FROM_INT(u32, uint32_t)
FROM_INT(u64, uint64_t)
FROM_INT(i8, int8_t)
FROM_INT(i16, int16_t)
FROM_INT(i32, int32_t)
FROM_INT(i64, int64_t)

#define FROM_FLOAT(s, T)                                                                          \
    CAST(s##_u8, T, uint8_t, SATURATE(uint8_t, 0, 256.0f, UINT8_MAX))                             \
    CAST(s##_u16, T, uint16_t, SATURATE(uint16_t, 0, 65536.0f, UINT16_MAX))                       \
    CAST(s##_u32, T, uint32_t, SATURATE(uint32_t, 0, 4294967296.0f, UINT32_MAX))                  \
    CAST(s##_u64, T, uint64_t, SATURATE(uint64_t, 0, 18446744073709551616.0f, UINT64_MAX))        \
    CAST(s##_i8, T, int8_t, SATURATE(int8_t, -128.0f, 128.0f, INT8_MAX))                          \
    CAST(s##_i16, T, int16_t, SATURATE(int16_t, -32768.0f, 32768.0f, INT16_MAX))                  \
    CAST(s##_i32, T, int32_t, SATURATE(int32_t, -2147483648.0f, 2147483648.0f, INT32_MAX))        \
    CAST(s##_i64, T, int64_t, SATURATE(int64_t, -9223372036854775808.0f, 9223372036854775808.0f, INT64_MAX)) \
    CAST(s##_bool, T, uint8_t, v != 0)
FROM_FLOAT(f32, float)
FROM_FLOAT(f64, double)
CAST(f32_f64, float, double, v)
CAST(f64_f32, double, float, v)

static void f16_f32(const void *x, void *y, int64_t n) { leat__vmath()->f16_to_f32(x, y, n); }
static void bf16_f32(const void *x, void *y, int64_t n) { leat__vmath()->bf16_to_f32(x, y, n); }
static void f32_f16(const void *x, void *y, int64_t n) { leat__vmath()->f32_to_f16(x, y, n); }
static void f32_bf16(const void *x, void *y, int64_t n) { leat__vmath()->f32_to_bf16(x, y, n); }

/* Narrowing an integer keeps its low bits, so signed and unsigned targets share a function. */
#define INT_TARGETS(s)                                                                                                           \
    [LEAT_DTYPE_U8] = s##_u8, [LEAT_DTYPE_I8] = s##_u8, [LEAT_DTYPE_U16] = s##_u16, [LEAT_DTYPE_I16] = s##_u16, [LEAT_DTYPE_U32] = s##_u32, \
    [LEAT_DTYPE_I32] = s##_u32, [LEAT_DTYPE_U64] = s##_u64, [LEAT_DTYPE_I64] = s##_u64, [LEAT_DTYPE_F32] = s##_f32, [LEAT_DTYPE_F64] = s##_f64, \
    [LEAT_DTYPE_BOOL] = s##_bool
#define FLOAT_TARGETS(s)                                                                                                         \
    [LEAT_DTYPE_U8] = s##_u8, [LEAT_DTYPE_I8] = s##_i8, [LEAT_DTYPE_U16] = s##_u16, [LEAT_DTYPE_I16] = s##_i16, [LEAT_DTYPE_U32] = s##_u32, \
    [LEAT_DTYPE_I32] = s##_i32, [LEAT_DTYPE_U64] = s##_u64, [LEAT_DTYPE_I64] = s##_i64, [LEAT_DTYPE_BOOL] = s##_bool

static const cast_fn casts[LEAT_DTYPE_COUNT][LEAT_DTYPE_COUNT] = {
    [LEAT_DTYPE_U8] = {INT_TARGETS(u8)},
    [LEAT_DTYPE_U16] = {INT_TARGETS(u16)},
    [LEAT_DTYPE_U32] = {INT_TARGETS(u32)},
    [LEAT_DTYPE_U64] = {INT_TARGETS(u64)},
    [LEAT_DTYPE_I8] = {INT_TARGETS(i8)},
    [LEAT_DTYPE_I16] = {INT_TARGETS(i16)},
    [LEAT_DTYPE_I32] = {INT_TARGETS(i32)},
    [LEAT_DTYPE_I64] = {INT_TARGETS(i64)},
    [LEAT_DTYPE_BOOL] = {INT_TARGETS(u8)},
    [LEAT_DTYPE_F32] = {FLOAT_TARGETS(f32), [LEAT_DTYPE_F64] = f32_f64, [LEAT_DTYPE_F16] = f32_f16, [LEAT_DTYPE_BF16] = f32_bf16},
    [LEAT_DTYPE_F64] = {FLOAT_TARGETS(f64), [LEAT_DTYPE_F32] = f64_f32},
    [LEAT_DTYPE_F16] = {[LEAT_DTYPE_F32] = f16_f32},
    [LEAT_DTYPE_BF16] = {[LEAT_DTYPE_F32] = bf16_f32},
};

static int is_castable(leat_dtype dtype) {
    return dtype > LEAT_DTYPE_NONE && dtype < LEAT_DTYPE_COUNT && dtype != LEAT_DTYPE_STRING && dtype != LEAT_DTYPE_C64 && dtype != LEAT_DTYPE_C128;
}

typedef struct cast_job {
    leat_dtype from, to;
    const char *x;
    char       *y;
} cast_job;

static void via_f32(const cast_job *job, const char *x, char *y, int64_t n) {
    enum { PIECE = 1024 };
    float middle[PIECE];
    size_t from = leat_dtype_size(job->from), to = leat_dtype_size(job->to);
    for (int64_t i = 0; i < n; i += PIECE) {
        int64_t part = n - i < PIECE ? n - i : PIECE;
        casts[job->from][LEAT_DTYPE_F32](x + (size_t)i * from, middle, part);
        casts[LEAT_DTYPE_F32][job->to](middle, y + (size_t)i * to, part);
    }
}

static void cast_span(const void *arg, int64_t from, int64_t n) {
    const cast_job *job = arg;
    size_t size = leat_dtype_size(job->from), size_out = leat_dtype_size(job->to);
    const char *x = job->x + (size_t)from * size;
    char *y = job->y + (size_t)from * size_out;
    if (job->from == job->to) {
        if (x != y) memcpy(y, x, (size_t)n * size);
    } else if (casts[job->from][job->to]) casts[job->from][job->to](x, y, n);
    else via_f32(job, x, y, n);
}

static int infer_to(leat_op_call *call, int64_t to) {
    if (!is_castable(call->in[0]->dtype))
        return leat__op_fail(call, LEAT_EUNSUPPORTED, "casting from %s is not supported", leat_dtype_name(call->in[0]->dtype));
    if (to < 0 || to >= LEAT_DTYPE_COUNT || !is_castable((leat_dtype)to)) {
        const char *name = to == LEAT_DTYPE_STRING ? "string" : to >= 17 && to <= 20 ? "float8" : to == 21 || to == 22 ? "4-bit integer" :
                           to == 23 ? "float4" : "this type";
        return leat__op_fail(call, LEAT_EUNSUPPORTED, "casting to %s (attribute to = %lld) is not supported", name, (long long)to);
    }
    int status = leat__infer_same(call);
    call->out[0]->dtype = (leat_dtype)to;
    return status;
}

/* Before opset 6 the attribute was the type's name. */
static int64_t target(const leat_op_call *call) {
    const char *name = leat__attr_string(call->attrs, "to", NULL);
    if (!name) return leat__attr_int(call->attrs, "to", 0);
    for (int i = 1; i < LEAT_DTYPE_COUNT; i++) {
        const char *ours = leat_dtype_name((leat_dtype)i);
        if (strcasecmp(ours, name) == 0 || (i == LEAT_DTYPE_F32 && strcasecmp(name, "float") == 0) || (i == LEAT_DTYPE_F64 && strcasecmp(name, "double") == 0))
            return i;
    }
    return 0;
}

static int cast_infer(leat_op_call *call) { return infer_to(call, target(call)); }
static int cast_like_infer(leat_op_call *call) { return infer_to(call, call->in[1]->dtype); }

static int cast_run(leat_op_call *call) {
    cast_job job = {call->in[0]->dtype, call->out[0]->dtype, call->in[0]->data, call->out[0]->data};
    leat__el_spans(call, leat_tensor_count(call->out[0]), cast_span, &job);
    return LEAT_OK;
}

const leat_op leat__ops_cast[] = {
    {"", "Cast", 1, 0, 1, 1, 1, 1, LEAT_OP_INPLACE | LEAT_OP_F16, LEAT_OP_ANY, 0, cast_infer, NULL, cast_run},
    {"", "CastLike", 15, 0, 2, 2, 1, 1, LEAT_OP_INPLACE | LEAT_OP_F16, LEAT_OP_ANY, 0, cast_like_infer, NULL, cast_run},
    {0}};
