/* conv_phases.c - ConvTranspose as ordinary matrix multiplies, one for each phase of the output.
 *
 * y[o] sums x[i] w[t] over i * stride - pad + t * dilation = o.  All output positions with the same remainder of o by the stride use
 * the same kernel positions, so the pixels of one phase in one output row are the rows of a product: A = the input pixels that they
 * see (or zeros), B = the kernel positions of the phase, C = every stride-th pixel of the row.  No product is computed twice, nothing
 * is scattered, and rows are independent tasks.
 *
 * Packed weights: for each group, phases in order (d, h, w), each [its kernel positions x cin / group][cout / group].  The positions
 * before a phase are counted axis by axis, so no table is needed whatever the strides.
 */
#include "ops/conv_plan.h"

static size_t align64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

/* Whether kernel position k contributes to outputs o with o mod stride = phase. */
static int in_phase(const leat_conv_shape *s, int a, int64_t phase, int64_t k) {
    return (phase + s->pad[a] - k * s->dilation[a]) % s->stride[a] == 0;
}

static int64_t phase_taps(const leat_conv_shape *s, int a, int64_t phase) {
    int64_t n = 0;
    for (int64_t k = 0; k < s->kernel[a]; k++) n += in_phase(s, a, phase, k);
    return n;
}

/* Kernel positions of all phases before this one: of axis a, the phase of k is (k * dilation - pad) mod stride. */
static int64_t taps_before(const leat_conv_shape *s, int a, int64_t phase) {
    int64_t n = 0;
    for (int64_t k = 0; k < s->kernel[a]; k++) {
        int64_t own = (k * s->dilation[a] - s->pad[a]) % s->stride[a];
        n += (own < 0 ? own + s->stride[a] : own) < phase;
    }
    return n;
}

typedef struct phase_info {
    int64_t taps[3], before; /* before: of all phases ahead in the packed order */
} phase_info;

static phase_info phase_of(const leat_conv_shape *s, const int64_t *phase) {
    phase_info p;
    for (int a = 0; a < 3; a++) p.taps[a] = phase_taps(s, a, phase[a]);
    int64_t rows = taps_before(s, 1, phase[1]) * s->kernel[2] + p.taps[1] * taps_before(s, 2, phase[2]);
    p.before = taps_before(s, 0, phase[0]) * s->kernel[1] * s->kernel[2] + p.taps[0] * rows;
    return p;
}

static size_t tap_bytes(const leat_conv_shape *s) { return leat__f32_gemm_packed_bytes(s->cin / s->group, s->cout / s->group); }
static size_t group_bytes(const leat_conv_shape *s) { return align64(tap_bytes(s) * (size_t)leat__conv_taps(s)); }
static size_t packed_bytes(const conv_plan *p) { return group_bytes(&p->shape) * (size_t)p->shape.group; }

/* ---- packing ------------------------------------------------------------------------------------------------------------- */

static int64_t phases_on(const leat_conv_shape *s, int a) { return s->stride[a] < s->out[a] ? s->stride[a] : s->out[a]; }

/* Kernel positions of a phase in packed order, as indices into [kd, kh, kw]. */
static void pack_phase(const leat_conv_shape *s, const int64_t *phase, const float *w, char *group) {
    phase_info info = phase_of(s, phase);
    int64_t cin = s->cin / s->group, cout = s->cout / s->group, all = leat__conv_taps(s), taps = info.taps[0] * info.taps[1] * info.taps[2];
    float *to = (float *)(group + (size_t)info.before * tap_bytes(s));
    int64_t index = 0;
    for (int64_t kd = 0; kd < s->kernel[0]; kd++)
        for (int64_t kh = 0; kh < s->kernel[1]; kh++)
            for (int64_t kw = 0; kw < s->kernel[2]; kw++) {
                if (!in_phase(s, 0, phase[0], kd) || !in_phase(s, 1, phase[1], kh) || !in_phase(s, 2, phase[2], kw)) continue;
                const float *src = w + (kd * s->kernel[1] + kh) * s->kernel[2] + kw;
                leat__f32_gemm_pack_tap(src, taps, index++, cin, cout, cin, cout, cout * all, all, to);
            }
}

static void pack(const conv_plan *p, const float *w, void *packed) {
    const leat_conv_shape *s = &p->shape;
    int64_t group_floats = s->cin / s->group * (s->cout / s->group) * leat__conv_taps(s), phase[3];
    for (int64_t g = 0; g < s->group; g++)
        for (phase[0] = 0; phase[0] < phases_on(s, 0); phase[0]++)
            for (phase[1] = 0; phase[1] < phases_on(s, 1); phase[1]++)
                for (phase[2] = 0; phase[2] < phases_on(s, 2); phase[2]++)
                    pack_phase(s, phase, w + g * group_floats, (char *)packed + (size_t)g * group_bytes(s));
}

/* ---- run ----------------------------------------------------------------------------------------------------------------- */

typedef struct phase_row {
    const leat_conv_shape *s;
    const float           *x, *zero; /* x: the image from the group's first channel */
    int64_t                o[3];     /* output position of row 0; row m lies at o[2] + m * stride */
} phase_row;

/* Input index on axis a that kernel position k takes to output o, or -1. */
static int64_t source(const leat_conv_shape *s, int a, int64_t o, int64_t k) {
    int64_t at = o + s->pad[a] - k * s->dilation[a];
    if (at < 0 || at % s->stride[a]) return -1;
    at /= s->stride[a];
    return at < s->in[a] ? at : -1;
}

static void tap_rows(const phase_row *r, const float *x, int64_t kw, int64_t m, int count, const float **out) {
    const leat_conv_shape *s = r->s;
    int64_t iw = (r->o[2] + s->pad[2] - kw * s->dilation[2]) / s->stride[2] + m; /* exact: kw belongs to the phase */
    for (int i = 0; i < count; i++, iw++) out[i] = x && iw >= 0 && iw < s->in[2] ? x + iw * s->cin : r->zero;
}

static void phase_rows(const void *arg, int64_t m, int count, const float **rows, int64_t stride) {
    const phase_row *r = arg;
    const leat_conv_shape *s = r->s;
    const int64_t *o = r->o;
    for (int i = 0; i < count; i++) rows[i] = r->zero; /* for a phase without kernel positions */
    for (int64_t kd = 0; kd < s->kernel[0]; kd++) {
        if (!in_phase(s, 0, o[0] % s->stride[0], kd)) continue;
        for (int64_t kh = 0; kh < s->kernel[1]; kh++) {
            if (!in_phase(s, 1, o[1] % s->stride[1], kh)) continue;
            int64_t id = source(s, 0, o[0], kd), ih = source(s, 1, o[1], kh);
            const float *x = id < 0 || ih < 0 ? NULL : r->x + (id * s->in[1] + ih) * s->in[2] * s->cin;
            for (int64_t kw = 0; kw < s->kernel[2]; kw++) {
                if (!in_phase(s, 2, o[2] % s->stride[2], kw)) continue;
                tap_rows(r, x, kw, m, count, rows);
                rows += stride;
            }
        }
    }
}

static leat_gemm row_gemm(const conv_plan *p, int64_t m, int64_t taps) {
    const leat_conv_shape *s = &p->shape;
    leat_gemm g = {.m = m, .n = s->cout / s->group, .k = taps ? s->cin / s->group : 0, .taps = taps ? taps : 1, .rows = phase_rows};
    g.ldc = g.epilogue.ldr = s->stride[2] * s->cout;
    return g;
}

static void scratch(conv_plan *p, int threads) {
    const leat_conv_shape *s = &p->shape;
    leat_gemm g = row_gemm(p, s->out[2] / s->stride[2] + 1, leat__conv_taps(s));
    p->worker_bytes = leat__f32_gemm_scratch(&g);
    p->shared_bytes = (size_t)(s->cin / s->group + 1) * sizeof(float);
}

static void run_phase(const conv_run *r, int64_t n, const int64_t *o, int64_t group, void *scratch_memory) {
    const conv_plan *p = r->plan;
    const leat_conv_shape *s = &p->shape;
    int64_t cin = s->cin / s->group, cout = s->cout / s->group, phase[3];
    for (int a = 0; a < 3; a++) phase[a] = o[a] % s->stride[a];
    phase_info info = phase_of(s, phase);
    phase_row rows = {s, r->x + n * leat__conv_in_pixels(s) * s->cin + group * cin, r->shared, {o[0], o[1], o[2]}};
    leat_gemm g = row_gemm(p, (s->out[2] - o[2] + s->stride[2] - 1) / s->stride[2], info.taps[0] * info.taps[1] * info.taps[2]);
    int64_t at = (((n * s->out[0] + o[0]) * s->out[1] + o[1]) * s->out[2] + o[2]) * s->cout + group * cout;
    const leat_tensor *bias = leat__op_in(r->call, 2);
    g.rows_arg = &rows;
    g.b = (const float *)((const char *)r->weights + (size_t)group * group_bytes(s) + (size_t)info.before * tap_bytes(s));
    g.c = r->y + at;
    g.epilogue.act = p->epilogue.act;
    g.epilogue.params = p->epilogue.params;
    g.epilogue.bias = bias ? (const float *)bias->data + group * cout : NULL;
    leat__f32_gemm_part(&g, 0, g.m, 0, g.n, scratch_memory);
}

static void run_row(void *arg, int64_t index, int worker) {
    const conv_run *r = arg;
    const leat_conv_shape *s = &r->plan->shape;
    int64_t row = index / s->group, o[3] = {row / s->out[1] % s->out[0], row % s->out[1], 0};
    for (; o[2] < phases_on(s, 2); o[2]++)
        run_phase(r, row / (s->out[0] * s->out[1]), o, index % s->group, r->workers + (size_t)worker * r->plan->worker_bytes);
}

static void run(const conv_run *r) {
    const leat_conv_shape *s = &r->plan->shape;
    float *zero = r->shared;
    for (int64_t c = 0; c < s->cin / s->group; c++) zero[c] = 0;
    leat__tpool_for_n(r->call->pool, r->plan->threads, s->n * s->out[0] * s->out[1] * s->group, run_row, (void *)r);
}

const conv_algo leat__conv_phases = {"conv_transpose", 0, packed_bytes, pack, scratch, run};
