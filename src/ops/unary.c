/* unary.c - element-wise mathematics of one tensor: Abs .. Tanh, Not, BitwiseNot, IsNaN, IsInf, rounding and signs.
 *
 * float32 goes through the vector math where it has the function; all else is a scalar loop of the element's own type.
 * Integers wrap around.  float16 and bfloat16 arrive as float32, by casts that the importer inserts.
 */
#include <math.h>
#include <string.h>

#include "cpu/act.h"
#include "ops/el_walk.h"

typedef void (*unary_fn)(const void *x, void *y, int64_t n);

typedef struct unary_plan {
    unary_fn fn;  /* or NULL: */
    int      act; /* a kind of act.h */
    size_t   size, size_out;
    const char *x;
    char       *y;
} unary_plan;

#define UNARY(name, T, TO, expression)                                \
    static void name(const void *px, void *py, int64_t n) {           \
        const T *x = px;                                              \
        TO      *y = py;                                              \
        for (int64_t i = 0; i < n; i++) {                             \
            T v = x[i];                                               \
            y[i] = (TO)(expression);                                  \
        }                                                             \
    }

/* ---- float functions: float and double ------------------------------------------------------------------------------ */

#define FLOAT_PAIR(name, f32, f64) UNARY(name##_f32, float, float, f32) UNARY(name##_f64, double, double, f64)
#define LIBM_PAIR(name, fn) FLOAT_PAIR(name, fn##f(v), fn(v))

LIBM_PAIR(sin, sin)
LIBM_PAIR(cos, cos)
LIBM_PAIR(tan, tan)
LIBM_PAIR(asin, asin)
LIBM_PAIR(acos, acos)
LIBM_PAIR(atan, atan)
LIBM_PAIR(sinh, sinh)
LIBM_PAIR(cosh, cosh)
LIBM_PAIR(asinh, asinh)
LIBM_PAIR(acosh, acosh)
LIBM_PAIR(atanh, atanh)
LIBM_PAIR(ceil, ceil)
LIBM_PAIR(floor, floor)
LIBM_PAIR(round, rint) /* nearest even: the default rounding mode */
UNARY(exp_f64, double, double, exp(v))
UNARY(log_f64, double, double, log(v))
UNARY(sqrt_f64, double, double, sqrt(v))
UNARY(erf_f64, double, double, erf(v))
UNARY(tanh_f64, double, double, tanh(v))
UNARY(reciprocal_f64, double, double, 1 / v)
UNARY(neg_f64, double, double, -v)
UNARY(abs_f64, double, double, fabs(v))
UNARY(isnan_f32, float, uint8_t, v != v)
UNARY(isnan_f64, double, uint8_t, v != v)
UNARY(isinf_f32, float, uint8_t, v == INFINITY || v == -INFINITY)
UNARY(isinf_f64, double, uint8_t, v == INFINITY || v == -INFINITY)
UNARY(ispinf_f32, float, uint8_t, v == INFINITY)
UNARY(ispinf_f64, double, uint8_t, v == INFINITY)
UNARY(isninf_f32, float, uint8_t, v == -INFINITY)
UNARY(isninf_f64, double, uint8_t, v == -INFINITY)
UNARY(not_bool, uint8_t, uint8_t, !v)

static void isnever(const void *x, void *y, int64_t n) { memset(y, 0, (size_t)n); }

/* ---- integers: one copy per width ----------------------------------------------------------------------------------- */

#define SIGNED_SET(suffix, T, U)                                          \
    UNARY(neg_##suffix, T, T, (U)0 - (U)v)                                \
    UNARY(abs_##suffix, T, T, v < 0 ? (U)0 - (U)v : (U)v)                 \
    UNARY(sign_##suffix, T, T, (v > 0) - (v < 0))
SIGNED_SET(i8, int8_t, uint8_t)
SIGNED_SET(i16, int16_t, uint16_t)
SIGNED_SET(i32, int32_t, uint32_t)
SIGNED_SET(i64, int64_t, uint64_t)
UNARY(sign_f32, float, float, v != v ? v : (float)((v > 0) - (v < 0)))
UNARY(sign_f64, double, double, v != v ? v : (double)((v > 0) - (v < 0)))
UNARY(sign_u8, uint8_t, uint8_t, v > 0)
UNARY(sign_u16, uint16_t, uint16_t, v > 0)
UNARY(sign_u32, uint32_t, uint32_t, v > 0)
UNARY(sign_u64, uint64_t, uint64_t, v > 0)
UNARY(bitnot_8, uint8_t, uint8_t, ~v)
UNARY(bitnot_16, uint16_t, uint16_t, ~v)
UNARY(bitnot_32, uint32_t, uint32_t, ~v)
UNARY(bitnot_64, uint64_t, uint64_t, ~v)
UNARY(copy_8, uint8_t, uint8_t, v)
UNARY(copy_16, uint16_t, uint16_t, v)
UNARY(copy_32, uint32_t, uint32_t, v)
UNARY(copy_64, uint64_t, uint64_t, v)

/* ---- the table ------------------------------------------------------------------------------------------------------ */

typedef struct unary_row {
    const char *name;
    int         act; /* float32 by vector math, or 0 */
    uint8_t     to_bool;
    unary_fn    by_type[LEAT_DTYPE_COUNT];
} unary_row;

#define F32 [LEAT_DTYPE_F32]
#define F64 [LEAT_DTYPE_F64]
#define BY_FLOAT(name) {F32 = name##_f32, F64 = name##_f64}
#define BY_WIDTH(name)                                                                                                             \
    [LEAT_DTYPE_U8] = name##_8, [LEAT_DTYPE_I8] = name##_8, [LEAT_DTYPE_U16] = name##_16, [LEAT_DTYPE_I16] = name##_16,             \
    [LEAT_DTYPE_U32] = name##_32, [LEAT_DTYPE_I32] = name##_32, [LEAT_DTYPE_U64] = name##_64, [LEAT_DTYPE_I64] = name##_64
#define BY_SIGNED(name) [LEAT_DTYPE_I8] = name##_i8, [LEAT_DTYPE_I16] = name##_i16, [LEAT_DTYPE_I32] = name##_i32, [LEAT_DTYPE_I64] = name##_i64
#define BY_UNSIGNED(name) [LEAT_DTYPE_U8] = name##_u8, [LEAT_DTYPE_U16] = name##_u16, [LEAT_DTYPE_U32] = name##_u32, [LEAT_DTYPE_U64] = name##_u64
#define COPY_UNSIGNED [LEAT_DTYPE_U8] = copy_8, [LEAT_DTYPE_U16] = copy_16, [LEAT_DTYPE_U32] = copy_32, [LEAT_DTYPE_U64] = copy_64

static const unary_row rows[] = {
    {"Abs", LEAT_ACT_ABS, 0, {F64 = abs_f64, BY_SIGNED(abs), COPY_UNSIGNED}},
    {"Neg", LEAT_ACT_NEG, 0, {F64 = neg_f64, BY_SIGNED(neg)}},
    {"Sign", 0, 0, {F32 = sign_f32, F64 = sign_f64, BY_SIGNED(sign), BY_UNSIGNED(sign)}},
    {"Exp", LEAT_ACT_EXP, 0, {F64 = exp_f64}},
    {"Log", LEAT_ACT_LOG, 0, {F64 = log_f64}},
    {"Sqrt", LEAT_ACT_SQRT, 0, {F64 = sqrt_f64}},
    {"Reciprocal", LEAT_ACT_RECIPROCAL, 0, {F64 = reciprocal_f64}},
    {"Erf", LEAT_ACT_ERF, 0, {F64 = erf_f64}},
    {"Tanh", LEAT_ACT_TANH, 0, {F64 = tanh_f64}},
    {"Sin", 0, 0, BY_FLOAT(sin)},
    {"Cos", 0, 0, BY_FLOAT(cos)},
    {"Tan", 0, 0, BY_FLOAT(tan)},
    {"Asin", 0, 0, BY_FLOAT(asin)},
    {"Acos", 0, 0, BY_FLOAT(acos)},
    {"Atan", 0, 0, BY_FLOAT(atan)},
    {"Sinh", 0, 0, BY_FLOAT(sinh)},
    {"Cosh", 0, 0, BY_FLOAT(cosh)},
    {"Asinh", 0, 0, BY_FLOAT(asinh)},
    {"Acosh", 0, 0, BY_FLOAT(acosh)},
    {"Atanh", 0, 0, BY_FLOAT(atanh)},
    {"Ceil", 0, 0, {F32 = ceil_f32, F64 = ceil_f64, BY_WIDTH(copy)}},
    {"Floor", 0, 0, {F32 = floor_f32, F64 = floor_f64, BY_WIDTH(copy)}},
    {"Round", 0, 0, {F32 = round_f32, F64 = round_f64, BY_WIDTH(copy)}},
    {"Not", 0, 0, {[LEAT_DTYPE_BOOL] = not_bool}},
    {"BitwiseNot", 0, 0, {BY_WIDTH(bitnot)}},
    {"IsNaN", 0, 1, BY_FLOAT(isnan)},
    {"IsInf", 0, 1, BY_FLOAT(isinf)},
};

static const unary_row *row_of(const leat_op_call *call) {
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, call->op->name) == 0) return &rows[i];
    return NULL;
}

static unary_fn isinf_fn(const leat_op_call *call) {
    int is64 = call->in[0]->dtype == LEAT_DTYPE_F64;
    int positive = leat__attr_int(call->attrs, "detect_positive", 1) != 0, negative = leat__attr_int(call->attrs, "detect_negative", 1) != 0;
    if (positive && negative) return is64 ? isinf_f64 : isinf_f32;
    if (positive) return is64 ? ispinf_f64 : ispinf_f32;
    if (negative) return is64 ? isninf_f64 : isninf_f32;
    return isnever;
}

static int choose(const leat_op_call *call, unary_plan *plan) {
    const unary_row *row = row_of(call);
    leat_dtype dtype = call->in[0]->dtype;
    memset(plan, 0, sizeof *plan);
    if (dtype <= LEAT_DTYPE_NONE || dtype >= LEAT_DTYPE_COUNT) return 0;
    if (dtype == LEAT_DTYPE_F32 && row->act) plan->act = row->act;
    else plan->fn = row->by_type[dtype];
    if (plan->fn && strcmp(row->name, "IsInf") == 0) plan->fn = isinf_fn(call);
    plan->size = leat_dtype_size(dtype);
    plan->size_out = row->to_bool ? 1 : plan->size;
    return plan->act || plan->fn;
}

static int unary_infer(leat_op_call *call) {
    unary_plan plan;
    if (!choose(call, &plan)) return leat__op_fail(call, LEAT_ETYPE, "input has element type %s, which the operator does not take",
                                                   leat_dtype_name(call->in[0]->dtype));
    int status = leat__infer_same(call);
    if (!status && row_of(call)->to_bool) call->out[0]->dtype = LEAT_DTYPE_BOOL;
    return status;
}

static void unary_span(const void *arg, int64_t from, int64_t n) {
    const unary_plan *plan = arg;
    const char *x = plan->x + (size_t)from * plan->size;
    char *y = plan->y + (size_t)from * plan->size_out;
    if (plan->fn) plan->fn(x, y, n);
    else leat__act_map_f32(plan->act, (const float *)(const void *)x, (float *)(void *)y, n, NULL);
}

static int unary_run(leat_op_call *call) {
    unary_plan plan;
    choose(call, &plan);
    plan.x = call->in[0]->data;
    plan.y = call->out[0]->data;
    leat__el_spans(call, leat_tensor_count(call->out[0]), unary_span, &plan);
    return LEAT_OK;
}

#define ROW(name) {"", name, 1, 0, 1, 1, 1, 1, LEAT_OP_INPLACE, LEAT_OP_ANY, 0, unary_infer, leat__el_prepare, unary_run}

const leat_op leat__ops_unary[] = {
    ROW("Abs"), ROW("Neg"), ROW("Sign"), ROW("Exp"), ROW("Log"), ROW("Sqrt"), ROW("Reciprocal"), ROW("Erf"), ROW("Tanh"),
    ROW("Sin"), ROW("Cos"), ROW("Tan"), ROW("Asin"), ROW("Acos"), ROW("Atan"), ROW("Sinh"), ROW("Cosh"), ROW("Asinh"),
    ROW("Acosh"), ROW("Atanh"), ROW("Ceil"), ROW("Floor"), ROW("Round"), ROW("Not"), ROW("BitwiseNot"), ROW("IsNaN"), ROW("IsInf"),
    {0}};
