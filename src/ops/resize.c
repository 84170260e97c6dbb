/* resize.c - Resize (10..), Upsample (7, 9): nearest, linear, cubic, all coordinate modes, antialias, axes, aspect policy, crop.
 *
 * Every axis gets a table of taps (resize_axis.c), in the order of memory, so that both layouts take the same code:
 *   nearest             rows are copied block by block; a block is what lies behind the last resized axis (all channels, in NHWC)
 *   linear, two axes    with at least BLOCK_MIN values behind them (NHWC): four corners mixed in one pass over all channels
 *   everything else     one pass per resized axis through scratch
 * Other types than float32 are copied (nearest) or go through float32 and are cut off toward zero, like a cast.
 * Tables of constant scales are made once, in prepare; others at the start of each run, in scratch.
 */
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "cpu/resize.h"
#include "ops/nn_util.h"
#include "ops/resize_axis.h"

#define TABLE_SLACK 4096       /* bytes: scales that give one output size may differ by a few taps */
#define BLOCK_MIN 4            /* channels from which mixing whole pixels beats passes along rows */
#define SIZE_LIMIT (1 << 30)   /* on dimensions: indices are 32 bits */
#define ELEMENT_LIMIT ((size_t)1 << 40) /* of scratch between passes */
#define CHUNK 8192             /* elements of one task */

typedef struct {
    resize_rule rule;
    resize_axis axis[LEAT_MAX_RANK];  /* logical order while being read, memory order in the plan */
    int         rank, ready;          /* ready: tables are built for good */
    int         n_active, active[LEAT_MAX_RANK]; /* axes that are not the identity */
    float       extrapolation;
    size_t      table_bytes;
} resize_plan;

/* ---- attributes and sizes ------------------------------------------------------------------------------------------------ */

static int choice(leat_op_call *call, const char *name, const char *fallback, const char *const *names, int *index) {
    const char *text = leat__attr_string(call->attrs, name, fallback);
    for (int i = 0; names[i]; i++)
        if (strcmp(text, names[i]) == 0) {
            *index = i;
            return LEAT_OK;
        }
    return leat__op_fail(call, LEAT_EUNSUPPORTED, "%s '%s' is unknown", name, text);
}

static int is_upsample(const leat_op_call *call) { return strcmp(call->op->name, "Upsample") == 0; }

static int read_rule(leat_op_call *call, resize_rule *rule) {
    static const char *const modes[] = {"nearest", "linear", "cubic", "bilinear", NULL};
    static const char *const coordinates[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
                                              "tf_crop_and_resize", "tf_half_pixel_for_nn", NULL};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL};
    int legacy = call->opset < 11 || is_upsample(call), mode, coordinate, rounding;
    int status = choice(call, "mode", "nearest", modes, &mode);
    if (!status) status = choice(call, "coordinate_transformation_mode", legacy ? "asymmetric" : "half_pixel", coordinates, &coordinate);
    if (!status) status = choice(call, "nearest_mode", "round_prefer_floor", roundings, &rounding);
    if (status) return status;
    rule->mode = mode == 3 ? RESIZE_LINEAR : (resize_mode)mode;
    rule->coordinate = (resize_coordinate)coordinate;
    rule->nearest = legacy && !leat__attr(call->attrs, "nearest_mode") ? RESIZE_SIMPLE : (resize_nearest)rounding;
    rule->exclude_outside = leat__attr_int(call->attrs, "exclude_outside", 0) != 0;
    rule->antialias = leat__attr_int(call->attrs, "antialias", 0) != 0;
    rule->cubic_a = leat__attr_float(call->attrs, "cubic_coeff_a", -0.75f);
    return LEAT_OK;
}

/* The axes that scales, sizes and roi speak of: attribute `axes`, or all. */
static int read_axes(leat_op_call *call, int rank, int axes[LEAT_MAX_RANK], int *count) {
    int n;
    const int64_t *list = leat__attr_ints(call->attrs, "axes", &n);
    if (!list || n == 0) {
        for (int i = 0; i < rank; i++) axes[i] = i;
        *count = rank;
        return LEAT_OK;
    }
    unsigned seen = 0;
    if (n > rank) return leat__op_fail(call, LEAT_ESHAPE, "%d axes for rank %d", n, rank);
    for (int i = 0; i < n; i++) {
        axes[i] = leat__norm_axis(list[i], rank);
        if (axes[i] < 0 || (seen & 1u << axes[i])) return leat__op_fail(call, LEAT_EINVAL, "axes[%d] is out of range or double", i);
        seen |= 1u << axes[i];
    }
    *count = n;
    return LEAT_OK;
}

static int set_scale(leat_op_call *call, resize_axis *a, float scale) {
    if (!(scale > 0) || !(scale < 1e9f)) return leat__op_fail(call, LEAT_EINVAL, "scale %g is not positive", (double)scale);
    float out = floorf((float)a->in * scale);
    if (out > SIZE_LIMIT) return leat__op_fail(call, LEAT_ELIMIT, "scaled dimension %g is too large", (double)out);
    a->scale = scale;
    a->out = (int64_t)out;
    return LEAT_OK;
}

static int from_scales(leat_op_call *call, resize_plan *p, const float *scales, int64_t n, const int *axes, int n_axes) {
    if (n != n_axes) return leat__op_fail(call, LEAT_ESHAPE, "%lld scales for %d axes", (long long)n, n_axes);
    for (int i = 0; i < n_axes; i++) {
        int status = set_scale(call, &p->axis[axes[i]], scales[i]);
        if (status) return status;
    }
    return LEAT_OK;
}

/* keep_aspect_ratio_policy other than "stretch": one scale for all axes, sizes rounded half up. */
static int keep_aspect(leat_op_call *call, resize_plan *p, int smaller, const int *axes, int n_axes) {
    double scale = smaller ? 0 : INFINITY;
    for (int i = 0; i < n_axes; i++) {
        const resize_axis *a = &p->axis[axes[i]];
        double s = a->in ? (double)a->out / (double)a->in : 1;
        scale = smaller ? fmax(scale, s) : fmin(scale, s);
    }
    for (int i = 0; i < n_axes; i++) {
        resize_axis *a = &p->axis[axes[i]];
        double out = floor(scale * (double)a->in + 0.5);
        if (out > SIZE_LIMIT) return leat__op_fail(call, LEAT_ELIMIT, "dimension %g is too large", out);
        a->out = (int64_t)out;
        a->scale = (float)scale;
    }
    return LEAT_OK;
}

static int from_sizes(leat_op_call *call, resize_plan *p, const leat_tensor *sizes, const int *axes, int n_axes) {
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller", NULL};
    int policy, status = choice(call, "keep_aspect_ratio_policy", "stretch", policies, &policy);
    if (status) return status;
    if (sizes->dtype != LEAT_DTYPE_I64) return leat__op_fail(call, LEAT_ETYPE, "sizes must be int64");
    if (leat_tensor_count(sizes) != n_axes) return leat__op_fail(call, LEAT_ESHAPE, "sizes does not match the %d axes", n_axes);
    for (int i = 0; i < n_axes; i++) {
        int64_t out = ((const int64_t *)sizes->data)[i];
        resize_axis *a = &p->axis[axes[i]];
        if (out < 0 || out > SIZE_LIMIT) return leat__op_fail(call, LEAT_EINVAL, "sizes[%d] = %lld is out of range", i, (long long)out);
        a->out = out;
        a->scale = a->in ? (float)out / (float)a->in : 1;
    }
    return policy == 0 ? LEAT_OK : keep_aspect(call, p, policy == 2, axes, n_axes);
}

static int read_roi(leat_op_call *call, resize_plan *p, const int *axes, int n_axes) {
    const leat_tensor *roi = leat__op_in(call, 1);
    if (p->rule.coordinate != RESIZE_TF_CROP) return LEAT_OK;
    if (!roi) return leat__op_fail(call, LEAT_EINVAL, "tf_crop_and_resize needs the input roi");
    if (leat_tensor_count(roi) != 2 * (int64_t)n_axes) return leat__op_fail(call, LEAT_ESHAPE, "roi does not match the %d axes", n_axes);
    if (!leat__dtype_is_float(roi->dtype)) return leat__op_fail(call, LEAT_ETYPE, "roi must be of a float type");
    if (!roi->data) return LEAT_EDYNAMIC;
    for (int i = 0; i < n_axes; i++) {
        p->axis[axes[i]].roi_begin = (float)leat__tensor_get_float(roi, i);
        p->axis[axes[i]].roi_end = (float)leat__tensor_get_float(roi, n_axes + i);
    }
    return LEAT_OK;
}

/* Reads scales or sizes, from wherever this opset keeps them.  Fills out and scale of every axis. */
static int read_sizes(leat_op_call *call, resize_plan *p) {
    int axes[LEAT_MAX_RANK], n_axes = 0, n, legacy = call->opset < 11 || is_upsample(call);
    int status = read_axes(call, p->rank, axes, &n_axes);
    if (!status && !legacy) status = read_roi(call, p, axes, n_axes);
    if (status) return status;
    const leat_tensor *scales = leat__op_in(call, legacy ? 1 : 2), *sizes = legacy ? NULL : leat__op_in(call, 3);
    if (!scales && !sizes) {
        const float *list = leat__attr_floats(call->attrs, "scales", &n);
        if (!list) return leat__op_fail(call, LEAT_EINVAL, "neither scales nor sizes are given");
        return from_scales(call, p, list, n, axes, n_axes);
    }
    if (sizes && leat_tensor_count(sizes) > 0) return sizes->data ? from_sizes(call, p, sizes, axes, n_axes) : LEAT_EDYNAMIC;
    if (!scales || leat_tensor_count(scales) == 0) return leat__op_fail(call, LEAT_EINVAL, "neither scales nor sizes are given");
    if (scales->dtype != LEAT_DTYPE_F32) return leat__op_fail(call, LEAT_ETYPE, "scales must be float32");
    return scales->data ? from_scales(call, p, scales->data, leat_tensor_count(scales), axes, n_axes) : LEAT_EDYNAMIC;
}

static int read_plan(leat_op_call *call, resize_plan *p) {
    const leat_tensor *x = leat__op_in(call, 0);
    if (!x || x->rank < 1) return leat__op_fail(call, LEAT_ESHAPE, "an input of rank >= 1 is expected");
    int status = read_rule(call, &p->rule);
    if (status) return status;
    p->rank = x->rank;
    p->extrapolation = leat__attr_float(call->attrs, "extrapolation_value", 0);
    for (int i = 0; i < x->rank; i++) {
        if (x->dims[i] > SIZE_LIMIT) return leat__op_fail(call, LEAT_ELIMIT, "input dimension %d is too large", i);
        p->axis[i] = (resize_axis){.in = x->dims[i], .out = x->dims[i], .scale = 1, .roi_begin = 0, .roi_end = 1};
    }
    return read_sizes(call, p);
}

static int supported_type(leat_dtype dtype, resize_mode mode) {
    if (mode == RESIZE_NEAREST) return dtype != LEAT_DTYPE_STRING;
    return dtype == LEAT_DTYPE_F32 || dtype == LEAT_DTYPE_F64 || dtype == LEAT_DTYPE_U8 || dtype == LEAT_DTYPE_I8 || dtype == LEAT_DTYPE_I32;
}

static int infer_resize(leat_op_call *call) {
    resize_plan p = {0};
    int64_t dims[LEAT_MAX_RANK];
    int status = read_plan(call, &p);
    if (status) return status;
    const leat_tensor *x = call->in[0];
    if (!supported_type(x->dtype, p.rule.mode))
        return leat__op_fail(call, LEAT_ETYPE, "type %s is not supported in this mode", leat_dtype_name(x->dtype));
    for (int i = 0; i < p.rank; i++) {
        if (p.axis[i].in == 0 && p.axis[i].out > 0) return leat__op_fail(call, LEAT_ESHAPE, "axis %d is empty and cannot grow", i);
        dims[i] = p.axis[i].out;
    }
    leat__tensor_set(call->out[0], x->dtype, p.rank, dims);
    leat__op_same_layout(call);
    return LEAT_OK;
}

/* ---- tables -------------------------------------------------------------------------------------------------------------- */

/* Brings the axes into the order of memory, counts taps and bytes. */
static void arrange(const leat_tensor *x, resize_plan *p) {
    resize_axis logical[LEAT_MAX_RANK];
    memcpy(logical, p->axis, sizeof logical);
    p->table_bytes = 0;
    for (int i = 0; i < p->rank; i++) {
        resize_axis *a = &p->axis[leat__physical_axis(x, i)];
        *a = logical[i];
        a->taps = leat__resize_taps(&p->rule, a->scale);
        p->table_bytes += (leat__resize_axis_bytes(&p->rule, a->out, a->taps) + 63) & ~(size_t)63;
    }
}

static void build_tables(resize_plan *p, char *memory) {
    p->n_active = 0;
    for (int i = 0; i < p->rank; i++) {
        leat__resize_axis_build(&p->rule, &p->axis[i], memory);
        memory += (leat__resize_axis_bytes(&p->rule, p->axis[i].out, p->axis[i].taps) + 63) & ~(size_t)63;
        if (!p->axis[i].identity) p->active[p->n_active++] = i;
    }
}

/* Largest tensor between two passes, in elements: axes shrink or grow one after the other.  SIZE_MAX on overflow. */
static size_t largest_pass(const resize_plan *p) {
    size_t largest = 0;
    for (int done = 0; done <= p->rank; done++) {
        size_t n = 1;
        for (int i = 0; i < p->rank; i++)
            if (leat__mul_overflows(n, (size_t)(i < done ? p->axis[i].out : p->axis[i].in), &n)) return SIZE_MAX;
        if (n > largest) largest = n;
    }
    return largest > SIZE_MAX - 16 ? SIZE_MAX : (largest + 15) & ~(size_t)15;
}

static int64_t behind(const resize_plan *p, int axis) {
    int64_t n = 1;
    for (int i = axis + 1; i < p->rank; i++) n *= p->axis[i].in;
    return n;
}

/* Two neighbouring axes with two taps each and whole pixels behind them: one pass does both. */
static int mixes_corners(const resize_plan *p) {
    return p->n_active == 2 && p->active[1] == p->active[0] + 1 && p->axis[p->active[0]].taps == 2 && behind(p, p->active[1]) >= BLOCK_MIN;
}

/* Tensors between passes that are alive at once; the tables of a ready plan tell which axes change at all. */
static size_t pass_buffers(const resize_plan *p) {
    if (!p->ready || p->n_active > 2) return 2;
    return p->n_active < 2 || mixes_corners(p) ? 0 : 1;
}

static int all_const(const leat_op_call *call) {
    for (int i = 1; i < call->n_in; i++)
        if (call->in[i] && leat_tensor_count(call->in[i]) > 0 && !call->in_const[i]) return 0;
    return 1;
}

static int prepare_resize(leat_op_call *call) {
    static const char *const kernels[] = {"resize_nearest", "resize_linear", "resize_cubic"};
    resize_plan p = {0};
    int status = read_plan(call, &p);
    if (status) return status;
    arrange(call->in[0], &p);
    p.ready = all_const(call);
    resize_plan *state = leat__op_state(call, sizeof p + (p.ready ? p.table_bytes : 0));
    if (!state) return LEAT_ENOMEM;
    *state = p;
    if (p.ready) build_tables(state, (char *)(state + 1));
    else call->scratch_bytes = (p.table_bytes + TABLE_SLACK + 63) & ~(size_t)63;
    if (p.rule.mode != RESIZE_NEAREST) {
        size_t elements = largest_pass(&p), buffers = call->in[0]->dtype == LEAT_DTYPE_F32 ? pass_buffers(state) : 4;
        if (elements >= ELEMENT_LIMIT) return leat__op_fail(call, LEAT_ELIMIT, "intermediate tensors are too large");
        call->scratch_bytes += buffers * elements * sizeof(float);
    }
    leat__op_name_kernel(call, kernels[p.rule.mode], p.rule.mode == RESIZE_NEAREST ? LEAT_ISA_REF : leat__resize.isa);
    return LEAT_OK;
}

/* ---- nearest ------------------------------------------------------------------------------------------------------------- */

typedef struct {
    const resize_plan *p;
    const char        *in;
    char              *out;
    int                first, last; /* resized axes */
    size_t             block;       /* bytes behind the last one */
} copy_job;

static void copy_blocks(char *out, const char *in, const int32_t *index, int64_t n, size_t block) {
    switch (block) {
        case 1:
            for (int64_t i = 0; i < n; i++) out[i] = in[index[i]];
            break;
        case 4:
            for (int64_t i = 0; i < n; i++) memcpy(out + 4 * i, in + 4 * (size_t)index[i], 4);
            break;
        default:
            for (int64_t i = 0; i < n; i++) memcpy(out + (size_t)i * block, in + (size_t)index[i] * block, block);
    }
}

static void copy_task(void *arg, int64_t row, int worker) {
    const copy_job *job = arg;
    const resize_axis *axis = job->p->axis;
    int64_t rest = row, from = 0, stride = 1;
    for (int i = job->last - 1; i >= 0; i--) {
        int64_t o = rest % axis[i].out;
        rest /= axis[i].out;
        from += (i < job->first ? o : axis[i].index[o]) * stride;
        stride *= axis[i].in;
    }
    const resize_axis *a = &axis[job->last];
    copy_blocks(job->out + (size_t)(row * a->out) * job->block, job->in + (size_t)(from * a->in) * job->block, a->index, a->out, job->block);
}

static void run_nearest(leat_op_call *call, const resize_plan *p) {
    copy_job job = {p, call->in[0]->data, call->out[0]->data, p->active[0], p->active[p->n_active - 1], leat_dtype_size(call->in[0]->dtype)};
    int64_t rows = 1;
    for (int i = 0; i < job.last; i++) rows *= p->axis[i].out;
    for (int i = job.last + 1; i < p->rank; i++) job.block *= (size_t)p->axis[i].out;
    leat__op_for(call, rows, p->axis[job.last].out * (int64_t)(job.block + 15) / 16, copy_task, &job);
}

/* ---- linear and cubic ------------------------------------------------------------------------------------------------------ */

typedef struct {
    const resize_axis *y, *x;
    const float       *in;
    float             *out;
    int64_t            inner;
} mix_job;

/* One output row: four corners of each pixel, all channels. */
static void corners_task(void *arg, int64_t row, int worker) {
    const mix_job *job = arg;
    const resize_axis *y = job->y, *x = job->x;
    int64_t image = row / y->out, o = row % y->out, line = x->in * job->inner;
    const float *top = job->in + (image * y->in + y->index[2 * o]) * line, *bottom = job->in + (image * y->in + y->index[2 * o + 1]) * line;
    float wt = y->weight[2 * o], wb = y->weight[2 * o + 1], *out = job->out + row * x->out * job->inner;
    for (int64_t i = 0; i < x->out; i++, out += job->inner) {
        int64_t l = x->index[2 * i] * job->inner, r = x->index[2 * i + 1] * job->inner;
        const float *rows[4] = {top + l, top + r, bottom + l, bottom + r};
        float w[4] = {wt * x->weight[2 * i], wt * x->weight[2 * i + 1], wb * x->weight[2 * i], wb * x->weight[2 * i + 1]};
        leat__resize.mix_f32(out, rows, w, 4, job->inner);
    }
}

/* Output position o of an axis with contiguous rows behind it; long filters go in portions, continuing from what is there. */
static void mix_position(const mix_job *job, const float *in, float *out, int64_t o) {
    enum { PORTION = 64 };
    const resize_axis *a = job->y;
    const float *rows[PORTION];
    float w[PORTION];
    int n = 0;
    for (int t = 0; t < a->taps; t++) {
        w[n] = a->weight[o * a->taps + t];
        if (w[n] == 0) continue;
        rows[n++] = in + a->index[o * a->taps + t] * job->inner;
        if (n < PORTION) continue;
        leat__resize.mix_f32(out, rows, w, n, job->inner);
        rows[0] = out;
        w[0] = 1;
        n = 1;
    }
    leat__resize.mix_f32(out, rows, w, n, job->inner);
}

static int64_t chunk_positions(const mix_job *job) { return leat__max64(1, CHUNK / leat__max64(1, job->inner)); }

static void pass_task(void *arg, int64_t index, int worker) {
    const mix_job *job = arg;
    const resize_axis *a = job->y;
    int64_t chunk = chunk_positions(job), chunks = leat__ceil_div(a->out, chunk), outer = index / chunks;
    int64_t from = index % chunks * chunk, to = leat__min64(a->out, from + chunk);
    const float *in = job->in + outer * a->in * job->inner;
    float *out = job->out + outer * a->out * job->inner;
    if (job->inner == 1) leat__resize.taps_f32(out + from, in, a->index + from * a->taps, a->weight + from * a->taps, a->taps, to - from);
    else
        for (int64_t o = from; o < to; o++) mix_position(job, in, out + o * job->inner, o);
}

/* One pass along `axis`; axes before it have their output size already, those behind still their input size. */
static void run_pass(leat_op_call *call, const resize_plan *p, int axis, const float *in, float *out) {
    mix_job job = {&p->axis[axis], NULL, in, out, behind(p, axis)};
    int64_t outer = 1;
    for (int i = 0; i < axis; i++) outer *= p->axis[i].out;
    int64_t chunks = leat__ceil_div(p->axis[axis].out, chunk_positions(&job));
    leat__op_for(call, outer * chunks, leat__min64(CHUNK, p->axis[axis].out * job.inner) * p->axis[axis].taps, pass_task, &job);
}

static void run_passes(leat_op_call *call, const resize_plan *p, const float *in, float *out, float *buffer[2]) {
    if (mixes_corners(p)) {
        mix_job job = {&p->axis[p->active[0]], &p->axis[p->active[1]], in, out, behind(p, p->active[1])};
        int64_t rows = 1;
        for (int i = 0; i <= p->active[0]; i++) rows *= p->axis[i].out;
        leat__op_for(call, rows, job.x->out * job.inner * 4, corners_task, &job);
        return;
    }
    for (int k = 0; k < p->n_active; k++) {
        float *to = k == p->n_active - 1 ? out : buffer[k & 1];
        run_pass(call, p, p->active[k], in, to);
        in = to;
    }
}

static void load_floats(const leat_tensor *x, float *to, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] = (float)leat__tensor_get_float(x, i);
}

static void store_floats(leat_tensor *y, const float *from, int64_t n) {
    float low = y->dtype == LEAT_DTYPE_U8 ? 0 : y->dtype == LEAT_DTYPE_I8 ? -128 : -2147483648.0f;
    float high = y->dtype == LEAT_DTYPE_U8 ? 255 : y->dtype == LEAT_DTYPE_I8 ? 127 : 2147483520.0f;
    for (int64_t i = 0; i < n; i++)
        leat__tensor_set_float(y, i, y->dtype == LEAT_DTYPE_F64 ? from[i] : truncf(fminf(fmaxf(from[i], low), high)));
}

/* ---- run ------------------------------------------------------------------------------------------------------------------- */

/* tf_crop_and_resize: positions with a coordinate outside the input get the extrapolation value. */
static void extrapolate(const resize_plan *p, leat_tensor *y) {
    int64_t count = leat_tensor_count(y);
    for (int64_t i = 0; i < count; i++) {
        int64_t rest = i;
        for (int a = p->rank - 1; a >= 0; a--) {
            int64_t o = rest % p->axis[a].out;
            rest /= p->axis[a].out;
            if (!p->axis[a].outside[o]) continue;
            leat__tensor_set_float(y, i, p->extrapolation);
            break;
        }
    }
}

static int run_resize(leat_op_call *call) {
    const leat_tensor *x = call->in[0];
    leat_tensor *y = call->out[0];
    resize_plan fresh = {0}, *p = call->state;
    char *scratch = call->scratch;
    int64_t count = leat_tensor_count(y);
    if (count == 0) return LEAT_OK;
    if (!p->ready) {
        int status = read_plan(call, &fresh);
        if (status) return status;
        arrange(x, &fresh);
        if (fresh.table_bytes > p->table_bytes + TABLE_SLACK) return leat__op_fail(call, LEAT_EINTERNAL, "scales changed within a plan");
        build_tables(&fresh, scratch);
        scratch += (p->table_bytes + TABLE_SLACK + 63) & ~(size_t)63;
        p = &fresh;
    }
    if (p->n_active == 0) memmove(y->data, x->data, leat_tensor_bytes(x));
    else if (p->rule.mode == RESIZE_NEAREST) run_nearest(call, p);
    else {
        float *buffer[2] = {(float *)scratch, (float *)scratch + largest_pass(p)};
        if (x->dtype == LEAT_DTYPE_F32) run_passes(call, p, x->data, y->data, buffer);
        else {
            float *in = buffer[1] + largest_pass(p), *out = in + largest_pass(p);
            load_floats(x, in, leat_tensor_count(x));
            run_passes(call, p, in, out, buffer);
            store_floats(y, out, count);
        }
    }
    if (p->rule.coordinate == RESIZE_TF_CROP) extrapolate(p, y);
    return LEAT_OK;
}

const leat_op leat__ops_resize[] = {
    {"", "Resize", 10, 10, 2, 2, 1, 1, 0, LEAT_OP_NHWC, 2, infer_resize, prepare_resize, run_resize},
    {"", "Resize", 11, 0, 1, 4, 1, 1, 0, LEAT_OP_NHWC, 14, infer_resize, prepare_resize, run_resize},
    {"", "Upsample", 7, 8, 1, 1, 1, 1, 0, LEAT_OP_NHWC, 0, infer_resize, prepare_resize, run_resize},
    {"", "Upsample", 9, 0, 2, 2, 1, 1, 0, LEAT_OP_NHWC, 2, infer_resize, prepare_resize, run_resize},
    {0},
};
