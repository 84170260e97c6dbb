/* binary.c - element-wise operators of two tensors: arithmetic, Mod, comparisons, logic, bits, PRelu.
 *
 * float32 arithmetic goes through the vector math when an operand is contiguous or one value; every other case is a strided loop of the element's own
 * type, made by the macros below.  Integers wrap; dividing one by zero gives 0 (ONNX leaves it open, a trap is out of question).
 * Before opset 7 the operators had `broadcast` and `axis` (el_walk.h).
 */
#include <math.h>
#include <string.h>

#include "cpu/vmath.h"
#include "ops/el_walk.h"

typedef void (*binary_fn)(const void *a, int64_t sa, const void *b, int64_t sb, void *y, int64_t n);

#define BINARY(name, T, TO, expression)                                                               \
    static void name(const void *pa, int64_t sa, const void *pb, int64_t sb, void *py, int64_t n) {   \
        const T *a = pa, *b = pb;                                                                     \
        TO      *y = py;                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                             \
            T l = a[i * sa], r = b[i * sb];                                                           \
            y[i] = (TO)(expression);                                                                  \
        }                                                                                             \
    }

/* ---- one set of functions per element type -------------------------------------------------------------------------- */

#define SIGNED_INTS(X) X(i8, int8_t) X(i16, int16_t) X(i32, int32_t) X(i64, int64_t)
#define UNSIGNED_INTS(X) X(u8, uint8_t) X(u16, uint16_t) X(u32, uint32_t) X(u64, uint64_t)
#define FLOATS(X) X(f32, float) X(f64, double)

#define INT_SET(s, T)                                        \
    BINARY(add_##s, T, T, (uint64_t)l + (uint64_t)r)         \
    BINARY(sub_##s, T, T, (uint64_t)l - (uint64_t)r)         \
    BINARY(mul_##s, T, T, (uint64_t)l *(uint64_t)r)          \
    BINARY(shl_##s, T, T, (uint64_t)r < 64 ? (uint64_t)l << r : 0) \
    BINARY(and_##s, T, T, l &r)                              \
    BINARY(or_##s, T, T, l | r)                              \
    BINARY(xor_##s, T, T, l ^ r)
SIGNED_INTS(INT_SET)
UNSIGNED_INTS(INT_SET)

/* -1 as a divisor is a negation, which cannot trap as INT_MIN / -1 would. */
#define SIGNED_SET(s, T)                                                                       \
    BINARY(div_##s, T, T, r == 0 ? 0 : r == -1 ? (T)((uint64_t)0 - (uint64_t)l) : l / r)       \
    BINARY(fmod_##s, T, T, r == 0 || r == -1 ? 0 : l % r)                                      \
    BINARY(mod_##s, T, T, r == 0 || r == -1 ? 0 : l % r != 0 && (l < 0) != (r < 0) ? l % r + r : l % r)
SIGNED_INTS(SIGNED_SET)
#define UNSIGNED_SET(s, T)                                             \
    BINARY(div_##s, T, T, r == 0 ? 0 : l / r)                          \
    BINARY(mod_##s, T, T, r == 0 ? 0 : l % r)                          \
    BINARY(shr_##s, T, T, (uint64_t)r < 64 ? (uint64_t)l >> r : 0)
UNSIGNED_INTS(UNSIGNED_SET)

static double mod_floor(double l, double r) {
    double m = fmod(l, r);
    return m != 0 && (m < 0) != (r < 0) ? m + r : m;
}
#define FLOAT_SET(s, T)                                     \
    BINARY(add_##s, T, T, l + r)                            \
    BINARY(sub_##s, T, T, l - r)                            \
    BINARY(mul_##s, T, T, l *r)                             \
    BINARY(div_##s, T, T, l / r)                            \
    BINARY(fmod_##s, T, T, fmod((double)l, (double)r))      \
    BINARY(mod_##s, T, T, mod_floor((double)l, (double)r))
FLOATS(FLOAT_SET)

#define COMPARE_SET(s, T)                      \
    BINARY(equal_##s, T, uint8_t, l == r)      \
    BINARY(less_##s, T, uint8_t, l < r)        \
    BINARY(less_equal_##s, T, uint8_t, l <= r) \
    BINARY(greater_##s, T, uint8_t, l > r)     \
    BINARY(greater_equal_##s, T, uint8_t, l >= r)
SIGNED_INTS(COMPARE_SET)
UNSIGNED_INTS(COMPARE_SET)
FLOATS(COMPARE_SET)

BINARY(prelu_i32, int32_t, int32_t, l < 0 ? (uint32_t)l * (uint32_t)r : (uint32_t)l)
BINARY(prelu_i64, int64_t, int64_t, l < 0 ? (uint64_t)l * (uint64_t)r : (uint64_t)l)
#define PRELU_SET(s, T) BINARY(prelu_##s, T, T, l < 0 ? l * r : l)
BINARY(prelu_u32, uint32_t, uint32_t, ((void)r, l)) /* never negative */
BINARY(prelu_u64, uint64_t, uint64_t, ((void)r, l))
FLOATS(PRELU_SET)

BINARY(and_bool, uint8_t, uint8_t, l && r)
BINARY(or_bool, uint8_t, uint8_t, l || r)
BINARY(xor_bool, uint8_t, uint8_t, !l != !r)
BINARY(equal_bool, uint8_t, uint8_t, !l == !r)

/* ---- the table ------------------------------------------------------------------------------------------------------ */

typedef struct binary_row {
    const char *name;
    int         vbin; /* leat_vbin + 1 for float32, or 0 */
    uint8_t     to_bool;
    binary_fn   by_type[LEAT_DTYPE_COUNT];
} binary_row;

#define SIGNED_ROWS(op) [LEAT_DTYPE_I8] = op##_i8, [LEAT_DTYPE_I16] = op##_i16, [LEAT_DTYPE_I32] = op##_i32, [LEAT_DTYPE_I64] = op##_i64
#define UNSIGNED_ROWS(op) [LEAT_DTYPE_U8] = op##_u8, [LEAT_DTYPE_U16] = op##_u16, [LEAT_DTYPE_U32] = op##_u32, [LEAT_DTYPE_U64] = op##_u64
#define FLOAT_ROWS(op) [LEAT_DTYPE_F32] = op##_f32, [LEAT_DTYPE_F64] = op##_f64
#define ALL_ROWS(op) SIGNED_ROWS(op), UNSIGNED_ROWS(op), FLOAT_ROWS(op)

static const binary_row rows[] = {
    {"Add", LEAT_VBIN_ADD + 1, 0, {ALL_ROWS(add)}},
    {"Sub", LEAT_VBIN_SUB + 1, 0, {ALL_ROWS(sub)}},
    {"Mul", LEAT_VBIN_MUL + 1, 0, {ALL_ROWS(mul)}},
    {"Div", LEAT_VBIN_DIV + 1, 0, {ALL_ROWS(div)}},
    {"Mod", 0, 0, {ALL_ROWS(mod)}},
    {"Mod:fmod", 0, 0, {SIGNED_ROWS(fmod), UNSIGNED_ROWS(mod), FLOAT_ROWS(fmod)}},
    {"PRelu", LEAT_VBIN_PRELU + 1, 0, {FLOAT_ROWS(prelu), [LEAT_DTYPE_I32] = prelu_i32, [LEAT_DTYPE_I64] = prelu_i64, [LEAT_DTYPE_U32] = prelu_u32,
                     [LEAT_DTYPE_U64] = prelu_u64}},
    {"BitShift:LEFT", 0, 0, {SIGNED_ROWS(shl), UNSIGNED_ROWS(shl)}},
    {"BitShift:RIGHT", 0, 0, {UNSIGNED_ROWS(shr)}},
    {"BitwiseAnd", 0, 0, {SIGNED_ROWS(and), UNSIGNED_ROWS(and)}},
    {"BitwiseOr", 0, 0, {SIGNED_ROWS(or), UNSIGNED_ROWS(or)}},
    {"BitwiseXor", 0, 0, {SIGNED_ROWS(xor), UNSIGNED_ROWS(xor)}},
    {"And", 0, 1, {[LEAT_DTYPE_BOOL] = and_bool}},
    {"Or", 0, 1, {[LEAT_DTYPE_BOOL] = or_bool}},
    {"Xor", 0, 1, {[LEAT_DTYPE_BOOL] = xor_bool}},
    {"Equal", 0, 1, {ALL_ROWS(equal), [LEAT_DTYPE_BOOL] = equal_bool}},
    {"Less", 0, 1, {ALL_ROWS(less)}},
    {"LessOrEqual", 0, 1, {ALL_ROWS(less_equal)}},
    {"Greater", 0, 1, {ALL_ROWS(greater)}},
    {"GreaterOrEqual", 0, 1, {ALL_ROWS(greater_equal)}},
};

static const char *variant_name(const leat_op_call *call) {
    const char *name = call->op->name;
    if (strcmp(name, "Mod") == 0) return leat__attr_int(call->attrs, "fmod", 0) ? "Mod:fmod" : name;
    if (strcmp(name, "BitShift") != 0) return name;
    return strcmp(leat__attr_string(call->attrs, "direction", "LEFT"), "RIGHT") == 0 ? "BitShift:RIGHT" : "BitShift:LEFT";
}

static const binary_row *row_of(const leat_op_call *call) {
    const char *name = variant_name(call);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0) return &rows[i];
    return NULL;
}

/* ---- infer ---------------------------------------------------------------------------------------------------------- */

/* Second operand as it is laid against the first: old opsets, and PRelu's slope per channel of opset 6. */
static int second_view(leat_op_call *call, leat_tensor *view) {
    const leat_tensor *a = call->in[0], *b = call->in[1];
    int status = leat__el_legacy(call, a, b, view);
    if (status || call->opset >= 7 || strcmp(call->op->name, "PRelu") != 0 || b->rank != 1 || a->rank < 2) return status;
    while (view->rank < a->rank - 1) view->dims[view->rank++] = 1;
    return LEAT_OK;
}

static int binary_infer(leat_op_call *call) {
    const leat_tensor *a = call->in[0], *b = call->in[1];
    const binary_row *row = row_of(call);
    leat_tensor view;
    if (a->dtype != b->dtype)
        return leat__op_fail(call, LEAT_ETYPE, "inputs have different element types %s and %s", leat_dtype_name(a->dtype), leat_dtype_name(b->dtype));
    if (a->dtype <= LEAT_DTYPE_NONE || a->dtype >= LEAT_DTYPE_COUNT || !row->by_type[a->dtype])
        return leat__op_fail(call, LEAT_ETYPE, "inputs have element type %s, which the operator does not take", leat_dtype_name(a->dtype));
    int status = second_view(call, &view);
    if (status) return status;
    const leat_tensor *operands[] = {a, &view};
    status = leat__el_infer(call, operands, 2, row->to_bool ? LEAT_DTYPE_BOOL : a->dtype);
    if (status || strcmp(call->op->name, "PRelu") != 0 || leat__dims_equal(a, call->out[0])) return status;
    return leat__op_fail(call, LEAT_ESHAPE, "slope does not broadcast to the input's shape");
}

/* ---- run ------------------------------------------------------------------------------------------------------------ */

typedef struct binary_job {
    binary_fn   fn;
    int         vbin;
    const char *a, *b;
    char       *y;
    size_t      size, size_out;
    int64_t     period;   /* one operand is a row of this many values, repeated; 0 = no */
    int         periodic; /* which: 0 or 1 */
} binary_job;

enum { PERIODS = 512, LONGEST_PERIOD = 256 };

/* A row against many rows (a channel factor on a channels-last tensor): the two inner axes become one, along which the row repeats. */
static void find_period(binary_job *job, leat_el_walk *w) {
    int in = w->rank - 1, out = w->rank - 2;
    if (!job->vbin || out < 0 || w->dims[in] < 1 || w->dims[in] > LONGEST_PERIOD || w->dims[out] < 4) return;
    for (int o = 0; o < 2; o++) {
        if (w->stride[o][in] != 1 || w->stride[o][out] != 0 || w->stride[!o][in] != 1 || w->stride[!o][out] != w->dims[in]) continue;
        job->period = w->dims[in];
        job->periodic = o;
        w->dims[out] *= w->dims[in];
        w->stride[!o][out] = 1;
        w->rank--;
        return;
    }
}

/* The row is laid out as often as fits a tile, starting at the piece's phase; then whole tiles are done at once. */
static void periodic_piece(const binary_job *job, const int64_t *at, int64_t to, int64_t n) {
    const leat_vmath_table *v = leat__vmath();
    const float *row = (const float *)(const void *)(job->periodic ? job->b : job->a) + at[job->periodic];
    const float *x = (const float *)(const void *)(job->periodic ? job->a : job->b) + at[!job->periodic];
    float *y = (float *)(void *)job->y + to, tile[PERIODS];
    int64_t period = job->period, phase = to % period, length = PERIODS / period * period;
    if (length > n) length = n;
    for (int64_t i = 0; i < length; i++) {
        tile[i] = row[phase];
        phase = phase + 1 == period ? 0 : phase + 1;
    }
    for (int64_t i = 0; i < n; i += length) {
        int64_t k = n - i < length ? n - i : length;
        if (job->periodic) v->vv[job->vbin - 1](x + i, tile, y + i, k);
        else v->vv[job->vbin - 1](tile, x + i, y + i, k);
    }
}

static int run_vector(const binary_job *job, int64_t sa, int64_t sb, const int64_t *at, int64_t to, int64_t n) {
    const leat_vmath_table *v = leat__vmath();
    const float *a = (const float *)(const void *)job->a + at[0], *b = (const float *)(const void *)job->b + at[1];
    float *y = (float *)(void *)job->y + to;
    if (sa == 1 && sb == 1) v->vv[job->vbin - 1](a, b, y, n);
    else if (sa == 1 && sb == 0) v->vs[job->vbin - 1](a, *b, y, n);
    else if (sa == 0 && sb == 1) v->sv[job->vbin - 1](*a, b, y, n);
    else return 0;
    return 1;
}

static void binary_piece(const void *arg, const leat_el_walk *w, const int64_t *at, int64_t to, int64_t n) {
    const binary_job *job = arg;
    if (job->period) {
        periodic_piece(job, at, to, n);
        return;
    }
    int64_t sa = w->stride[0][w->rank - 1], sb = w->stride[1][w->rank - 1];
    if (job->vbin && run_vector(job, sa, sb, at, to, n)) return;
    job->fn(job->a + (size_t)at[0] * job->size, sa, job->b + (size_t)at[1] * job->size, sb, job->y + (size_t)to * job->size_out, n);
}

/* Rows too short for a vector call each, as with few channels channels-last: operands that broadcast are spread out into a tile of
 * many rows, and the vector kernel runs over the whole tile. */
enum { SHORT_ROW = 32, TILE = 1024 };

typedef struct short_job {
    const binary_job   *job;
    const leat_el_walk *walk;
} short_job;

/* Rows [row, row + count) of operand o, dense.  A tile that repeats the same row stays as it is after the first time. */
static const float *dense_rows(const leat_el_walk *w, int o, const char *data, int64_t row, int64_t count, int first, float *tile) {
    int64_t d = w->dims[1], outer = w->stride[o][0], inner = w->stride[o][1];
    const float *x = (const float *)(const void *)data + row * outer;
    if (inner == 1 && outer == d) return x;
    if (outer == 0 && !first) return tile;
    for (int64_t r = 0; r < count; r++)
        for (int64_t i = 0; i < d; i++) tile[r * d + i] = x[r * outer + i * inner];
    return tile;
}

static void short_span(const void *arg, int64_t from, int64_t n) {
    const short_job *s = arg;
    float tile_a[TILE], tile_b[TILE];
    int64_t d = s->walk->dims[1], step = TILE / d;
    for (int64_t row = from; row < from + n; row += step) {
        int64_t count = from + n - row < step ? from + n - row : step;
        const float *a = dense_rows(s->walk, 0, s->job->a, row, count, row == from, tile_a);
        const float *b = dense_rows(s->walk, 1, s->job->b, row, count, row == from, tile_b);
        leat__vmath()->vv[s->job->vbin - 1](a, b, (float *)(void *)s->job->y + row * d, count * d);
    }
}

static int binary_run(leat_op_call *call) {
    const binary_row *row = row_of(call);
    leat_tensor view;
    leat_el_walk walk;
    int status = second_view(call, &view);
    if (status) return status;
    const leat_tensor *operands[] = {call->in[0], &view};
    leat_dtype dtype = call->in[0]->dtype;
    binary_job job = {row->by_type[dtype], dtype == LEAT_DTYPE_F32 ? row->vbin : 0, call->in[0]->data, call->in[1]->data, call->out[0]->data,
                      leat_dtype_size(dtype), leat_dtype_size(call->out[0]->dtype), 0, 0};
    leat__el_walk(&walk, call->out[0], operands, 2);
    find_period(&job, &walk);
    if (!job.period && job.vbin && walk.rank == 2 && walk.dims[1] > 0 && walk.dims[1] <= SHORT_ROW && walk.dims[0] > 1) {
        short_job s = {&job, &walk};
        leat__el_rows(call, walk.dims[0], walk.dims[1], short_span, &s);
    } else leat__el_run(call, &walk, binary_piece, &job);
    return LEAT_OK;
}

#define ROW(name) {"", name, 1, 0, 2, 2, 1, 1, LEAT_OP_INPLACE | LEAT_OP_INPLACE1, LEAT_OP_ANY, 0, binary_infer, leat__el_prepare, binary_run}

const leat_op leat__ops_binary[] = {
    ROW("Add"), ROW("Sub"), ROW("Mul"), ROW("Div"), ROW("Mod"), ROW("PRelu"), ROW("BitShift"), ROW("BitwiseAnd"), ROW("BitwiseOr"),
    ROW("BitwiseXor"), ROW("And"), ROW("Or"), ROW("Xor"), ROW("Equal"), ROW("Less"), ROW("LessOrEqual"), ROW("Greater"), ROW("GreaterOrEqual"),
    {0}};
