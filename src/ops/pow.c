/* pow.c - Pow: the result has the base's type, the exponent any numeric type; both broadcast.
 *
 * A float32 base with one small exponent for all (2, 3, 1/2, -1, 1) becomes multiplications or a root.  Integer bases with integer exponents are
 * raised by squaring and wrap; a negative exponent gives 0, or +-1 for a base of +-1.
 */
#include <math.h>
#include <string.h>

#include "cpu/vmath.h"
#include "ops/el_walk.h"

typedef struct pow_job {
    const leat_tensor *a, *b;
    leat_tensor       *y;
} pow_job;

static int pow_infer(leat_op_call *call) {
    const leat_tensor *a = call->in[0], *b = call->in[1];
    leat_tensor view;
    for (int i = 0; i < 2; i++)
        if (!leat__dtype_is_float(call->in[i]->dtype) && !leat__dtype_is_int(call->in[i]->dtype))
            return leat__op_fail(call, LEAT_ETYPE, "input %d has element type %s, which the operator does not take", i, leat_dtype_name(call->in[i]->dtype));
    int status = leat__el_legacy(call, a, b, &view);
    if (status) return status;
    const leat_tensor *operands[] = {a, &view};
    return leat__el_infer(call, operands, 2, a->dtype);
}

static int64_t pow_integer(int64_t base, int64_t exponent) {
    uint64_t result = 1, b = (uint64_t)base;
    if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent & 1 ? -1 : 1) : 0;
    for (uint64_t e = (uint64_t)exponent; e; e >>= 1, b *= b)
        if (e & 1) result *= b;
    return (int64_t)result;
}

/* 1 when the vector math has done it. */
static int small_exponent(const float *x, float e, float *y, int64_t n) {
    const leat_vmath_table *v = leat__vmath();
    if (e == 2) v->vv[LEAT_VBIN_MUL](x, x, y, n);
    else if (e == 1) memmove(y, x, (size_t)n * sizeof *y);
    else if (e == -1) v->act[LEAT_ACT_RECIPROCAL](x, y, n, NULL);
    else return 0;
    return 1;
}

static void pow_f32(const float *x, int64_t sx, const float *e, int64_t se, float *y, int64_t n) {
    if (se == 0 && sx == 1 && small_exponent(x, *e, y, n)) return;
    if (se == 0 && *e == 0.5f) {
        for (int64_t i = 0; i < n; i++) y[i] = sqrtf(x[i * sx] + 0.0f); /* pow(-0, 1/2) is +0 */
    } else if (se == 0 && *e == 3) {
        for (int64_t i = 0; i < n; i++) y[i] = x[i * sx] * x[i * sx] * x[i * sx];
    } else {
        for (int64_t i = 0; i < n; i++) y[i] = powf(x[i * sx], e[i * se]);
    }
}

static void pow_piece(const void *arg, const leat_el_walk *w, const int64_t *at, int64_t to, int64_t n) {
    const pow_job *job = arg;
    int64_t sa = w->stride[0][w->rank - 1], sb = w->stride[1][w->rank - 1];
    if (job->a->dtype == LEAT_DTYPE_F32 && job->b->dtype == LEAT_DTYPE_F32) {
        pow_f32((const float *)job->a->data + at[0], sa, (const float *)job->b->data + at[1], sb, (float *)job->y->data + to, n);
        return;
    }
    int integers = leat__dtype_is_int(job->a->dtype) && leat__dtype_is_int(job->b->dtype);
    for (int64_t i = 0; i < n; i++) {
        int64_t l = at[0] + i * sa, r = at[1] + i * sb;
        if (integers) leat__tensor_set_int(job->y, to + i, pow_integer(leat__tensor_get_int(job->a, l), leat__tensor_get_int(job->b, r)));
        else leat__tensor_set_float(job->y, to + i, pow(leat__tensor_get_float(job->a, l), leat__tensor_get_float(job->b, r)));
    }
}

static int pow_run(leat_op_call *call) {
    leat_tensor view;
    leat_el_walk walk;
    pow_job job = {call->in[0], call->in[1], call->out[0]};
    int status = leat__el_legacy(call, job.a, job.b, &view);
    if (status) return status;
    const leat_tensor *operands[] = {job.a, &view};
    leat__el_walk(&walk, job.y, operands, 2);
    leat__el_run(call, &walk, pow_piece, &job);
    return LEAT_OK;
}

const leat_op leat__ops_pow[] = {{"", "Pow", 1, 0, 2, 2, 1, 1, LEAT_OP_INPLACE, LEAT_OP_ANY, 0, pow_infer, leat__el_prepare, pow_run}, {0}};
