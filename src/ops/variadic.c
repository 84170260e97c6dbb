/* variadic.c - Sum, Mean, Min, Max of any number of tensors: folded into the output one input after another.
 * Not in place: the same tensor may be several of the inputs. */
#include <math.h>
#include <string.h>

#include "cpu/vmath.h"
#include "ops/el_walk.h"

typedef void (*fold_fn)(void *y, const void *x, int64_t sx, int64_t n); /* y = y op x */

#define FOLD(name, T, expression)                                              \
    static void name(void *py, const void *px, int64_t sx, int64_t n) {        \
        const T *x = px;                                                       \
        T       *y = py;                                                       \
        for (int64_t i = 0; i < n; i++) {                                      \
            T l = y[i], r = x[i * sx];                                         \
            y[i] = (T)(expression);                                            \
        }                                                                      \
    }
#define INT_FOLDS(s, T)                                 \
    FOLD(add_##s, T, (uint64_t)l + (uint64_t)r)         \
    FOLD(min_##s, T, r < l ? r : l)                     \
    FOLD(max_##s, T, r > l ? r : l)
#define FLOAT_FOLDS(s, T)                               \
    FOLD(add_##s, T, l + r)                             \
    FOLD(min_##s, T, r < l || r != r ? r : l)           \
    FOLD(max_##s, T, r > l || r != r ? r : l)
INT_FOLDS(i8, int8_t)
INT_FOLDS(i16, int16_t)
INT_FOLDS(i32, int32_t)
INT_FOLDS(i64, int64_t)
INT_FOLDS(u8, uint8_t)
INT_FOLDS(u16, uint16_t)
INT_FOLDS(u32, uint32_t)
INT_FOLDS(u64, uint64_t)
FLOAT_FOLDS(f32, float)
FLOAT_FOLDS(f64, double)

#define BY_TYPE(op)                                                                                                                      \
    {[LEAT_DTYPE_I8] = op##_i8, [LEAT_DTYPE_I16] = op##_i16, [LEAT_DTYPE_I32] = op##_i32, [LEAT_DTYPE_I64] = op##_i64, [LEAT_DTYPE_U8] = op##_u8, \
     [LEAT_DTYPE_U16] = op##_u16, [LEAT_DTYPE_U32] = op##_u32, [LEAT_DTYPE_U64] = op##_u64, [LEAT_DTYPE_F32] = op##_f32, [LEAT_DTYPE_F64] = op##_f64}

static const struct {
    const char *name;
    leat_vbin   vbin;
    fold_fn     by_type[LEAT_DTYPE_COUNT];
} rows[] = {
    {"Sum", LEAT_VBIN_ADD, BY_TYPE(add)},
    {"Mean", LEAT_VBIN_ADD, BY_TYPE(add)},
    {"Min", LEAT_VBIN_MIN, BY_TYPE(min)},
    {"Max", LEAT_VBIN_MAX, BY_TYPE(max)},
};

static int row_of(const leat_op_call *call) {
    int i = 0;
    while (strcmp(rows[i].name, call->op->name) != 0) i++;
    return i;
}

static int variadic_infer(leat_op_call *call) {
    leat_dtype dtype = call->in[0] ? call->in[0]->dtype : LEAT_DTYPE_NONE;
    for (int i = 0; i < call->n_in; i++)
        if (!call->in[i] || call->in[i]->dtype != dtype) return leat__op_fail(call, LEAT_ETYPE, "input %d is absent or of another element type", i);
    if (dtype >= LEAT_DTYPE_COUNT || !rows[row_of(call)].by_type[dtype])
        return leat__op_fail(call, LEAT_ETYPE, "inputs have element type %s, which the operator does not take", leat_dtype_name(dtype));
    return leat__el_infer(call, (const leat_tensor *const *)call->in, call->n_in, dtype);
}

typedef struct fold_job {
    fold_fn     fn;
    int         vbin, first;
    const char *x;
    char       *y;
    size_t      size;
} fold_job;

static void copy_strided(const fold_job *job, char *y, const char *x, int64_t stride, int64_t n) {
    if (stride == 1) {
        if (y != x) memmove(y, x, (size_t)n * job->size);
        return;
    }
    for (int64_t i = 0; i < n; i++) memcpy(y + (size_t)i * job->size, x + (size_t)(i * stride) * job->size, job->size);
}

static void fold_piece(const void *arg, const leat_el_walk *w, const int64_t *at, int64_t to, int64_t n) {
    const fold_job *job = arg;
    const leat_vmath_table *v = leat__vmath();
    int64_t stride = w->stride[0][w->rank - 1];
    const char *x = job->x + (size_t)at[0] * job->size;
    char *y = job->y + (size_t)to * job->size;
    float *yf = (float *)(void *)y;
    const float *xf = (const float *)(const void *)x;
    if (job->first) copy_strided(job, y, x, stride, n);
    else if (job->vbin >= 0 && stride == 1) v->vv[job->vbin](yf, xf, yf, n);
    else if (job->vbin >= 0 && stride == 0) v->vs[job->vbin](yf, *xf, yf, n);
    else job->fn(y, x, stride, n);
}

static void scale_mean(leat_op_call *call) {
    leat_tensor *y = call->out[0];
    int64_t n = leat_tensor_count(y);
    if (y->dtype == LEAT_DTYPE_F32) {
        leat__vmath()->vs[LEAT_VBIN_DIV](y->data, (float)call->n_in, y->data, n);
        return;
    }
    for (int64_t i = 0; i < n; i++) leat__tensor_set_float(y, i, leat__tensor_get_float(y, i) / call->n_in);
}

static int variadic_run(leat_op_call *call) {
    int row = row_of(call);
    leat_dtype dtype = call->out[0]->dtype;
    fold_job job = {rows[row].by_type[dtype], dtype == LEAT_DTYPE_F32 ? (int)rows[row].vbin : -1, 1, NULL, call->out[0]->data, leat_dtype_size(dtype)};
    for (int i = 0; i < call->n_in; i++, job.first = 0) {
        leat_el_walk walk;
        const leat_tensor *operand = call->in[i];
        job.x = operand->data;
        leat__el_walk(&walk, call->out[0], &operand, 1);
        leat__el_run(call, &walk, fold_piece, &job);
    }
    if (strcmp(call->op->name, "Mean") == 0) scale_mean(call);
    return LEAT_OK;
}

#define ROW(name) {"", name, 1, 0, 1, -1, 1, 1, 0, LEAT_OP_ANY, 0, variadic_infer, leat__el_prepare, variadic_run}

const leat_op leat__ops_variadic[] = {ROW("Sum"), ROW("Mean"), ROW("Min"), ROW("Max"), {0}};
