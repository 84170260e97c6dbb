/* pool.c - MaxPool, AveragePool, LpPool.
 *
 * Channels-last tensors: for every output position the positions of its window become a list of row pointers, and a kernel of the
 * pool family reduces the list over all channels at once; padding and dilation cost nothing more.  Plain float32 max and average go
 * by rows (out row op= in row, strided).  Everything else (indices, other types, LpPool) walks one scalar loop over either layout.
 * Work is split by output rows or by planes; an element is always computed by one thread in one order.
 */
#include "ops/pool_internal.h"

#include <math.h>
#include <string.h>

/* ---- infer and prepare ------------------------------------------------------------------------------------------------ */

static int infer_window(leat_op_call *call, leat_window *w) {
    int status = leat__window_init(call, w);
    if (status) return status;
    const leat_tensor *x = call->in[0];
    int64_t dims[LEAT_MAX_RANK] = {x->dims[0], x->dims[1]};
    for (int i = 2; i < x->rank; i++) dims[i] = w->out[LEAT_SPATIAL_MAX - x->rank + i];
    for (int i = 0; i < 2; i++) {
        leat_tensor *y = leat__op_out(call, i);
        if (y) leat__tensor_set(y, i ? LEAT_DTYPE_I64 : x->dtype, x->rank, dims);
    }
    leat__op_same_layout(call);
    if (leat__op_out(call, 1)) call->out[1]->flags = x->flags & LEAT_TENSOR_NHWC;
    return LEAT_OK;
}

static int infer_max(leat_op_call *call) {
    leat_window w;
    const leat_tensor *x = leat__op_in(call, 0);
    if (x && x->dtype != LEAT_DTYPE_F32 && x->dtype != LEAT_DTYPE_F64 && x->dtype != LEAT_DTYPE_U8 && x->dtype != LEAT_DTYPE_I8)
        return leat__op_fail(call, LEAT_ETYPE, "type %s is not supported", leat_dtype_name(x->dtype));
    return infer_window(call, &w);
}

static int infer_float(leat_op_call *call) {
    leat_window w;
    const leat_tensor *x = leat__op_in(call, 0);
    if (x && x->dtype != LEAT_DTYPE_F32 && x->dtype != LEAT_DTYPE_F64)
        return leat__op_fail(call, LEAT_ETYPE, "type %s is not supported", leat_dtype_name(x->dtype));
    if (leat__attr_int(call->attrs, "p", 2) < 1) return leat__op_fail(call, LEAT_EINVAL, "p must be positive");
    return infer_window(call, &w);
}

static int prepare_pool(leat_op_call *call) {
    pool_state *s = leat__op_state(call, sizeof *s);
    if (!s) return LEAT_ENOMEM;
    int status = leat__window_init(call, &s->w);
    s->include_pad = leat__attr_int(call->attrs, "count_include_pad", 0) != 0;
    s->column_major = leat__attr_int(call->attrs, "storage_order", 0) != 0;
    s->p = leat__attr_int(call->attrs, "p", 2);
    leat__op_name_kernel(call, leat__is_nhwc(call->in[0]) ? "pool_rows" : "pool_planes", leat__pool.isa);
    return status;
}

/* ---- channels-last: lists of rows -------------------------------------------------------------------------------------- */

typedef struct {
    const leat_op_call *call;
    const pool_state   *s;
    leat_planes         x, y;
    pool_kind           kind;
} pool_job;

/* Element offsets of the rows of one window, handed out in portions of LIST_MAX. */
typedef struct {
    int64_t k0, k1, k2;          /* next kernel position */
    int64_t first[3], last[3];
    int64_t base[3];             /* input coordinate of kernel position 0 */
    int     done;
} window_walk;

static void walk_start(const leat_window *w, const int64_t o[3], window_walk *walk) {
    walk->done = 0;
    for (int a = 0; a < 3; a++) {
        leat__window_clip(w, a, o[a], &walk->first[a], &walk->last[a]);
        walk->base[a] = o[a] * w->stride[a] - w->pad_begin[a];
        if (walk->first[a] >= walk->last[a]) walk->done = 1;
    }
    walk->k0 = walk->first[0];
    walk->k1 = walk->first[1];
    walk->k2 = walk->first[2];
}

static int walk_next(const leat_window *w, window_walk *k, int64_t offsets[LIST_MAX]) {
    int n = 0;
    while (!k->done && n < LIST_MAX) {
        int64_t i0 = k->base[0] + k->k0 * w->dilation[0], i1 = k->base[1] + k->k1 * w->dilation[1];
        int64_t row = (i0 * w->in[1] + i1) * w->in[2] + k->base[2];
        for (; k->k2 < k->last[2] && n < LIST_MAX; k->k2++) offsets[n++] = row + k->k2 * w->dilation[2];
        if (k->k2 < k->last[2]) break;
        k->k2 = k->first[2];
        if (++k->k1 < k->last[1]) continue;
        k->k1 = k->first[1];
        if (++k->k0 >= k->last[0]) k->done = 1;
    }
    return n;
}

static int64_t divisor(const pool_state *s, const int64_t o[3], const window_walk *k) {
    int64_t count = 1;
    for (int a = 0; a < 3; a++)
        count *= s->include_pad ? leat__window_padded(&s->w, a, o[a]) : k->last[a] - k->first[a];
    return count > 0 ? count : 1;
}

static void reduce_list(const pool_job *job, char *out, const char *in, const int64_t *at, int n, int64_t c, float scale, int first) {
    const void *rows[LIST_MAX];
    size_t size = leat_dtype_size(job->call->in[0]->dtype);
    for (int i = 0; i < n; i++) rows[i] = in + (size_t)(at[i] * c) * size;
    if (job->kind == POOL_AVERAGE) leat__pool.sum_f32((float *)out, (const float *const *)rows, n, c, scale, first);
    else if (size == 4) leat__pool.max_f32((float *)out, (const float *const *)rows, n, c, first);
    else if (job->call->in[0]->dtype == LEAT_DTYPE_U8) leat__pool.max_u8((uint8_t *)out, (const uint8_t *const *)rows, n, c, first);
    else leat__pool.max_i8((int8_t *)out, (const int8_t *const *)rows, n, c, first);
}

/* A window that lies wholly in the padding: zero for averages, the lowest value for maxima. */
static void fill_empty(leat_dtype dtype, pool_kind kind, char *out, int64_t c) {
    if (kind == POOL_MAX && dtype == LEAT_DTYPE_F32)
        for (int64_t j = 0; j < c; j++) ((float *)out)[j] = -INFINITY;
    else memset(out, kind == POOL_MAX && dtype == LEAT_DTYPE_I8 ? 0x80 : 0, (size_t)c * leat_dtype_size(dtype));
}

/* Output positions [*first, *last) on the last axis whose windows lie wholly inside the input. */
static void full_range(const leat_window *w, int64_t *first, int64_t *last) {
    int64_t room = w->in[2] + w->pad_begin[2] - (w->kernel[2] - 1) * w->dilation[2] - 1;
    *first = leat__min64(w->out[2], leat__ceil_div(w->pad_begin[2], w->stride[2]));
    *last = room < 0 ? *first : leat__max64(*first, leat__min64(w->out[2], room / w->stride[2] + 1));
}

/* One output position by the list of its rows. */
static void list_position(const pool_job *job, const char *in, char *out, const int64_t o[3]) {
    const leat_window *w = &job->s->w;
    int64_t offsets[LIST_MAX];
    window_walk walk;
    walk_start(w, o, &walk);
    if (walk.done) {
        fill_empty(job->call->in[0]->dtype, job->kind, out, job->x.c);
        return;
    }
    float scale = job->kind == POOL_AVERAGE ? 1.0f / (float)divisor(job->s, o, &walk) : 1.0f;
    for (int first = 1; !walk.done; first = 0) {
        int count = walk_next(w, &walk, offsets);
        reduce_list(job, out, in, offsets, count, job->x.c, walk.done ? scale : 1.0f, first);
    }
}

/* Positions [o[2], o[2] + count) of float32 with full windows that fit one list: its rows just move on.  Returns 0 if they do not fit. */
static int run_positions(const pool_job *job, const char *in, char *out, const int64_t o[3], int64_t count) {
    const leat_window *w = &job->s->w;
    int64_t offsets[LIST_MAX], step = w->stride[2] * job->x.c;
    const float *rows[LIST_MAX];
    window_walk walk;
    if (job->call->in[0]->dtype != LEAT_DTYPE_F32) return 0;
    walk_start(w, o, &walk);
    float scale = 1.0f / (float)divisor(job->s, o, &walk);
    int n = walk_next(w, &walk, offsets);
    if (n == 0 || !walk.done) return 0;
    for (int i = 0; i < n; i++) rows[i] = (const float *)in + offsets[i] * job->x.c;
    if (job->kind == POOL_MAX) leat__pool.max_run_f32((float *)out, rows, n, job->x.c, count, step);
    else leat__pool.sum_run_f32((float *)out, rows, n, job->x.c, scale, count, step);
    return 1;
}

static void rows_task(void *arg, int64_t index, int worker) {
    const pool_job *job = arg;
    const leat_window *w = &job->s->w;
    size_t size = leat_dtype_size(job->call->in[0]->dtype), pixel = (size_t)job->x.c * size;
    int64_t o[3] = {index / w->out[1] % w->out[0], index % w->out[1], 0}, n = index / (w->out[0] * w->out[1]), first, last;
    const char *in = (const char *)job->call->in[0]->data + (size_t)(n * job->x.n_stride) * size;
    char *out = (char *)job->call->out[0]->data + (size_t)(index * w->out[2]) * pixel;
    full_range(w, &first, &last);
    while (o[2] < w->out[2]) {
        int64_t count = 1;
        if (o[2] == first && last - first > 1 && run_positions(job, in, out + (size_t)o[2] * pixel, o, last - first)) count = last - first;
        else list_position(job, in, out + (size_t)o[2] * pixel, o);
        o[2] += count;
    }
}

/* ---- plain float32: rows of a plane ------------------------------------------------------------------------------------ */

/* Output positions [*first, *last) on the last axis whose kernel position k lies inside the input. */
static void inside(const leat_window *w, int64_t k, int64_t *first, int64_t *last) {
    int64_t shift = k * w->dilation[2] - w->pad_begin[2], s = w->stride[2];
    *first = shift < 0 ? (-shift + s - 1) / s : 0;
    *last = shift >= w->in[2] ? 0 : leat__min64(w->out[2], (w->in[2] - shift + s - 1) / s);
}

static void plane_row(const pool_job *job, const float *in, float *out, const int64_t o[3]) {
    const leat_window *w = &job->s->w;
    window_walk k;
    walk_start(w, o, &k);
    for (int64_t i = 0; i < w->out[2]; i++) out[i] = job->kind == POOL_MAX ? -INFINITY : 0.0f;
    for (int64_t k0 = k.first[0]; k0 < k.last[0]; k0++)
        for (int64_t k1 = k.first[1]; k1 < k.last[1]; k1++) {
            int64_t i0 = k.base[0] + k0 * w->dilation[0], i1 = k.base[1] + k1 * w->dilation[1];
            const float *row = in + (i0 * w->in[1] + i1) * w->in[2];
            for (int64_t k2 = 0; k2 < w->kernel[2]; k2++) {
                int64_t a, b;
                inside(w, k2, &a, &b);
                if (a >= b) continue;
                const float *from = row + a * w->stride[2] - w->pad_begin[2] + k2 * w->dilation[2];
                if (job->kind == POOL_MAX) leat__pool.max_row_f32(out + a, from, b - a, w->stride[2]);
                else leat__pool.add_row_f32(out + a, from, b - a, w->stride[2]);
            }
        }
    if (job->kind == POOL_MAX) return;
    int64_t at[3] = {o[0], o[1], 0}, first, last;
    full_range(w, &first, &last);
    for (float scale = 0; at[2] < w->out[2]; at[2]++) {
        if (at[2] <= first || at[2] >= last) {
            walk_start(w, at, &k);
            scale = 1.0f / (float)divisor(job->s, at, &k);
        }
        out[at[2]] *= scale;
    }
}

static void planes_task(void *arg, int64_t index, int worker) {
    const pool_job *job = arg;
    const float *in = (const float *)job->call->in[0]->data + index * job->x.size;
    float *out = (float *)job->call->out[0]->data + index * job->y.size;
    const leat_window *w = &job->s->w;
    for (int64_t o0 = 0; o0 < w->out[0]; o0++)
        for (int64_t o1 = 0; o1 < w->out[1]; o1++) {
            int64_t o[3] = {o0, o1, 0};
            plane_row(job, in, out + (o0 * w->out[1] + o1) * w->out[2], o);
        }
}

/* ---- everything else ---------------------------------------------------------------------------------------------------- */

static double load_scalar(leat_dtype dtype, const void *data, int64_t i) {
    switch (dtype) {
        case LEAT_DTYPE_F32: return ((const float *)data)[i];
        case LEAT_DTYPE_F64: return ((const double *)data)[i];
        case LEAT_DTYPE_U8: return ((const uint8_t *)data)[i];
        default: return ((const int8_t *)data)[i];
    }
}

static void store_scalar(leat_dtype dtype, void *data, int64_t i, double v) {
    switch (dtype) {
        case LEAT_DTYPE_F32: ((float *)data)[i] = (float)v; break;
        case LEAT_DTYPE_F64: ((double *)data)[i] = v; break;
        case LEAT_DTYPE_U8: ((uint8_t *)data)[i] = (uint8_t)v; break;
        default: ((int8_t *)data)[i] = (int8_t)v;
    }
}

typedef struct {
    double  value;
    int64_t at; /* position of the maximum in its plane, -1 = window without a position */
} reduced;

static void accumulate(const pool_job *job, double v, int64_t at, reduced *r) {
    switch (job->kind) {
        case POOL_MAX:
            if (r->at < 0 || v > r->value) *r = (reduced){v, at};
            break;
        case POOL_AVERAGE: r->value += v; break;
        default: r->value += job->s->p == 2 ? v * v : job->s->p == 1 ? fabs(v) : pow(fabs(v), (double)job->s->p);
    }
}

static reduced reduce_window(const pool_job *job, int64_t base, const int64_t o[3]) {
    const leat_window *w = &job->s->w;
    const leat_tensor *x = job->call->in[0];
    int64_t offsets[LIST_MAX];
    reduced r = {0, -1};
    window_walk walk;
    walk_start(w, o, &walk);
    double count = (double)divisor(job->s, o, &walk);
    while (!walk.done) {
        int n = walk_next(w, &walk, offsets);
        for (int i = 0; i < n; i++) accumulate(job, load_scalar(x->dtype, x->data, base + offsets[i] * job->x.p_stride), offsets[i], &r);
    }
    if (job->kind == POOL_AVERAGE) r.value /= count;
    else if (job->kind == POOL_LP) r.value = job->s->p == 2 ? sqrt(r.value) : job->s->p == 1 ? r.value : pow(r.value, 1.0 / (double)job->s->p);
    else if (r.at < 0) r.value = x->dtype == LEAT_DTYPE_U8 ? 0 : x->dtype == LEAT_DTYPE_I8 ? -128 : -INFINITY;
    return r;
}

/* Flat index that ONNX wants: of the whole tensor in plain order, or column-major inside the plane. */
static int64_t onnx_index(const pool_job *job, int64_t plane, int64_t at) {
    const int64_t *d = job->x.d;
    if (at < 0) at = 0;
    if (job->s->column_major) {
        int64_t i2 = at % d[2], i1 = at / d[2] % d[1], i0 = at / (d[2] * d[1]);
        at = i0 + (i1 + i2 * d[1]) * d[0];
    }
    return plane * job->x.size + at;
}

static void scalar_task(void *arg, int64_t plane, int worker) {
    const pool_job *job = arg;
    const leat_window *w = &job->s->w;
    const leat_tensor *y = job->call->out[0], *indices = leat__op_out(job->call, 1);
    int64_t n = plane / job->x.c, c = plane % job->x.c, o[3], at = 0;
    int64_t in = n * job->x.n_stride + c * job->x.c_stride, out = n * job->y.n_stride + c * job->y.c_stride;
    for (o[0] = 0; o[0] < w->out[0]; o[0]++)
        for (o[1] = 0; o[1] < w->out[1]; o[1]++)
            for (o[2] = 0; o[2] < w->out[2]; o[2]++, at++) {
                reduced r = reduce_window(job, in, o);
                int64_t to = out + at * job->y.p_stride;
                if (y) store_scalar(y->dtype, y->data, to, r.value);
                if (indices) ((int64_t *)indices->data)[to] = onnx_index(job, plane, r.at);
            }
}

/* ---- run ---------------------------------------------------------------------------------------------------------------- */

/* Positions that one window really reads, for the cost of a loop: a kernel may be (much) larger than the input. */
static int64_t window_size(const leat_window *w) {
    int64_t n = 1;
    for (int a = 0; a < 3; a++) n *= leat__min64(w->kernel[a], w->in[a] + 1);
    return n;
}

static int run_pool(leat_op_call *call, pool_kind kind) {
    const pool_state *s = call->state;
    const leat_tensor *x = call->in[0], *y = call->out[0] ? call->out[0] : call->out[1];
    pool_job job = {call, s, leat__planes(x), leat__planes(y), kind};
    int64_t planes = job.x.n * job.x.c;
    if (planes * job.y.size == 0) return LEAT_OK;
    int listed = x->dtype == LEAT_DTYPE_F32 || (kind == POOL_MAX && x->dtype != LEAT_DTYPE_F64);
    if (leat__op_out(call, 1) || kind == POOL_LP || x->dtype == LEAT_DTYPE_F64 || (!leat__is_nhwc(x) && x->dtype != LEAT_DTYPE_F32))
        leat__op_for(call, planes, job.y.size * window_size(&s->w), scalar_task, &job);
    else if (leat__is_nhwc(x) && listed)
        leat__op_for(call, job.x.n * s->w.out[0] * s->w.out[1], s->w.out[2] * window_size(&s->w) * job.x.c, rows_task, &job);
    else leat__op_for(call, planes, job.y.size * window_size(&s->w), planes_task, &job);
    return LEAT_OK;
}

static int run_max(leat_op_call *call) { return run_pool(call, POOL_MAX); }
static int run_average(leat_op_call *call) { return run_pool(call, POOL_AVERAGE); }
static int run_lp(leat_op_call *call) { return run_pool(call, POOL_LP); }

const leat_op leat__ops_pool[] = {
    {"", "MaxPool", 1, 0, 1, 1, 1, 2, 0, LEAT_OP_NHWC, 0, infer_max, prepare_pool, run_max},
    {"", "AveragePool", 1, 0, 1, 1, 1, 1, 0, LEAT_OP_NHWC, 0, infer_float, prepare_pool, run_average},
    {"", "LpPool", 2, 0, 1, 1, 1, 1, 0, LEAT_OP_NHWC, 0, infer_float, prepare_pool, run_lp},
    {0},
};
