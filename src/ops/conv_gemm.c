/* conv_gemm.c - convolution as a matrix multiply: rows are output pixels, the depth is kernel position by input channel. */
#include "ops/conv_plan.h"

#define TASK_MACS 500000.0

static size_t align64(size_t bytes) { return (bytes + 63) & ~(size_t)63; }

static int is_pointwise(const leat_conv_shape *s) {
    for (int a = 0; a < 3; a++)
        if (s->kernel[a] != 1 || s->stride[a] != 1 || s->pad[a] || s->pad_end[a]) return 0;
    return 1;
}

static int64_t depth(const leat_conv_shape *s) { return leat__conv_taps(s) * (s->cin / s->group); }

static size_t group_bytes(const conv_plan *p) {
    return align64(leat__f32_gemm_packed_bytes(depth(&p->shape), p->shape.cout / p->shape.group));
}

static size_t packed_bytes(const conv_plan *p) { return group_bytes(p) * (size_t)p->shape.group; }

/* OIHW: element (co, ci, tap) lies at (co * cin + ci) * taps + tap. */
static void pack(const conv_plan *p, const float *w, void *packed) {
    const leat_conv_shape *s = &p->shape;
    int64_t taps = leat__conv_taps(s), cin = s->cin / s->group, cout = s->cout / s->group;
    for (int64_t g = 0; g < s->group; g++)
        leat__f32_gemm_pack(w + g * cout * cin * taps, taps, cin, cout, 1, taps, cin * taps, (float *)((char *)packed + (size_t)g * group_bytes(p)));
}

/* The multiply of group `g`; x may be NULL while only sizes are asked. */
static leat_gemm group_gemm(const conv_run *r, const conv_plan *p, const leat_conv_rows *rows, int64_t g) {
    const leat_conv_shape *s = &p->shape;
    int64_t cin = s->cin / s->group, cout = s->cout / s->group;
    leat_gemm m = {.m = s->n * leat__conv_out_pixels(s), .n = cout, .k = cin, .taps = leat__conv_taps(s), .ldc = s->cout};
    m.epilogue = p->epilogue;
    m.epilogue.ldr = s->cout;
    if (!r) return m;
    const leat_tensor *bias = leat__op_in(r->call, 2);
    m.b = (const float *)((const char *)r->weights + (size_t)g * group_bytes(p));
    m.c = r->y + g * cout;
    m.epilogue.bias = bias ? (const float *)bias->data + g * cout : NULL;
    m.epilogue.residual = r->residual ? r->residual + g * cout : NULL;
    if (is_pointwise(s)) {
        m.a = r->x + g * cin;
        m.lda = s->cin;
    } else {
        m.rows = leat__conv_rows;
        m.rows_arg = rows;
    }
    return m;
}

static void scratch(conv_plan *p, int threads) {
    leat_gemm m = group_gemm(NULL, p, NULL, 0);
    if (is_pointwise(&p->shape)) {
        m.a = (const float *)p; /* only whether there is one counts */
        m.lda = p->shape.cin;
    }
    p->worker_bytes = leat__f32_gemm_scratch(&m);
    p->shared_bytes = (size_t)(p->shape.cin / p->shape.group) * sizeof(float); /* the run of zeros */
}

typedef struct groups_job {
    const conv_run       *r;
    const leat_conv_rows *rows;
    int64_t               parts; /* of the rows of one group */
} groups_job;

static void run_group_part(void *arg, int64_t index, int worker) {
    const groups_job *job = arg;
    const conv_run *r = job->r;
    int64_t g = index / job->parts, i = index % job->parts;
    leat_conv_rows rows = *job->rows;
    rows.channel = g * (rows.shape.cin / rows.shape.group);
    leat_gemm m = group_gemm(r, r->plan, &rows, g);
    leat__f32_gemm_part(&m, i * m.m / job->parts, (i + 1) * m.m / job->parts, 0, m.n, r->workers + (size_t)worker * r->plan->worker_bytes);
}

static void run(const conv_run *r) {
    const conv_plan *p = r->plan;
    const leat_conv_shape *s = &p->shape;
    float *zero = r->shared;
    for (int64_t c = 0; c < s->cin / s->group; c++) zero[c] = 0;
    leat_conv_rows rows = {.shape = *s, .x = r->x, .zero = zero};
    if (s->group == 1) {
        leat_gemm m = group_gemm(r, p, &rows, 0);
        leat__f32_gemm_parallel(&m, r->call->pool, p->threads, p->worker_bytes, r->workers);
        return;
    }
    double macs = (double)r->call->macs / (double)s->group;
    int64_t parts = p->threads > 1 && macs > TASK_MACS ? (int64_t)(macs / TASK_MACS) : 1, most = s->n * leat__conv_out_pixels(s);
    groups_job job = {r, &rows, parts > most ? most : parts};
    leat__tpool_for_n(r->call->pool, p->threads, s->group * job.parts, run_group_part, &job);
}

const conv_algo leat__conv_gemm = {"conv_gemm", 0, packed_bytes, pack, scratch, run};
