/* where.c - Where: elements of X or Y by a boolean tensor, all three broadcast. */
#include <string.h>

#include "ops/el_walk.h"

typedef struct where_job {
    const uint8_t *condition;
    const char    *x, *y;
    char          *out;
    size_t         size;
} where_job;

static int where_infer(leat_op_call *call) {
    const leat_tensor *const *in = (const leat_tensor *const *)call->in;
    if (in[0]->dtype != LEAT_DTYPE_BOOL) return leat__op_fail(call, LEAT_ETYPE, "condition is %s, not bool", leat_dtype_name(in[0]->dtype));
    if (in[1]->dtype != in[2]->dtype || leat_dtype_size(in[1]->dtype) == 0)
        return leat__op_fail(call, LEAT_ETYPE, "X is %s, Y is %s", leat_dtype_name(in[1]->dtype), leat_dtype_name(in[2]->dtype));
    return leat__el_infer(call, in, 3, in[1]->dtype);
}

#define SELECT(T)                                                                                                        \
    do {                                                                                                                 \
        const T *x = (const T *)(const void *)job->x + at[1], *y = (const T *)(const void *)job->y + at[2];              \
        T       *out = (T *)(void *)job->out + to;                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                                                \
            T l = x[i * sx], r = y[i * sy];                                                                              \
            out[i] = c[i * sc] ? l : r;                                                                                  \
        }                                                                                                                \
    } while (0)

static void where_piece(const void *arg, const leat_el_walk *w, const int64_t *at, int64_t to, int64_t n) {
    const where_job *job = arg;
    int last = w->rank - 1;
    int64_t sc = w->stride[0][last], sx = w->stride[1][last], sy = w->stride[2][last];
    const uint8_t *c = job->condition + at[0];
    switch (job->size) {
    case 1: SELECT(uint8_t); break;
    case 2: SELECT(uint16_t); break;
    case 4: SELECT(uint32_t); break;
    case 8: SELECT(uint64_t); break;
    default:
        for (int64_t i = 0; i < n; i++) {
            const char *from = c[i * sc] ? job->x + (size_t)(at[1] + i * sx) * job->size : job->y + (size_t)(at[2] + i * sy) * job->size;
            memcpy(job->out + (size_t)(to + i) * job->size, from, job->size);
        }
    }
}

static int where_run(leat_op_call *call) {
    leat_el_walk walk;
    where_job job = {call->in[0]->data, call->in[1]->data, call->in[2]->data, call->out[0]->data, leat_dtype_size(call->out[0]->dtype)};
    leat__el_walk(&walk, call->out[0], (const leat_tensor *const *)call->in, 3);
    leat__el_run(call, &walk, where_piece, &job);
    return LEAT_OK;
}

const leat_op leat__ops_where[] = {{"", "Where", 1, 0, 3, 3, 1, 1, LEAT_OP_F16, LEAT_OP_ANY, 0, where_infer, NULL, where_run}, {0}};
