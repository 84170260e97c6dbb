/* test_gemm.c - every level of the matrix multiply against float64 over odd sizes, strides, epilogues, plain and indirect A. */
#include "kernel_util.h"

#include "cpu/gemm_f32.h"

typedef struct problem {
    leat_gemm g;
    float    *a, *b, *c, *bias, *residual, *packed, *zero;
    int64_t   lda, depth, ldc;
    double   *want;
} problem;

static const float *indirect_run(const problem *p, int64_t m, int64_t tap) {
    return (m + tap) % 5 == 4 ? p->zero : p->a + m * p->lda + tap * p->g.k;
}

static void indirect_rows(const void *arg, int64_t m, int count, const float **rows, int64_t stride) {
    const problem *p = arg;
    for (int64_t t = 0; t < p->g.taps; t++)
        for (int i = 0; i < count; i++) rows[t * stride + i] = indirect_run(p, m + i, t);
}

static double activated(const leat_epilogue *e, double v) {
    if (e->act == LEAT_ACT_RELU) return v < 0 ? 0 : v;
    if (e->act == LEAT_ACT_CLIP) return fmin(fmax(v, e->params.lo), e->params.hi);
    if (e->act == LEAT_ACT_SILU) return v / (1 + exp(-v));
    if (e->act == LEAT_ACT_HARD_SWISH) return v * fmin(fmax(v / 6 + 0.5, 0), 1);
    return v;
}

static void compute_want(problem *p) {
    const leat_gemm *g = &p->g;
    for (int64_t m = 0; m < g->m; m++) {
        for (int64_t n = 0; n < g->n; n++) {
            double sum = p->bias ? p->bias[n] : 0;
            double r = p->residual ? p->residual[m * g->epilogue.ldr + n] : 0;
            if (!g->epilogue.after) sum += r;
            for (int64_t t = 0; t < g->taps; t++) {
                const float *run = g->a ? p->a + m * p->lda + t * g->tap_step : indirect_run(p, m, t);
                for (int64_t k = 0; k < g->k; k++) sum += (double)run[k] * p->b[(t * g->k + k) * g->n + n];
            }
            p->want[m * g->n + n] = activated(&g->epilogue, sum) + (g->epilogue.after ? r : 0);
        }
    }
}

static void setup(problem *p, int64_t m, int64_t n, int64_t k, int64_t taps) {
    static const int acts[] = {LEAT_ACT_NONE, LEAT_ACT_RELU, LEAT_ACT_CLIP, LEAT_ACT_SILU, LEAT_ACT_HARD_SWISH};
    memset(p, 0, sizeof *p);
    p->depth = taps * k;
    p->lda = p->depth + kt_int(0, 3);
    p->ldc = n + kt_int(0, 5);
    p->a = kt_alloc(m * p->lda);
    p->b = kt_alloc(p->depth * n);
    p->c = kt_alloc(m * p->ldc);
    p->zero = kt_alloc(k);
    memset(p->zero, 0, (size_t)k * sizeof(float));
    p->bias = kt_int(0, 3) ? kt_alloc(n) : NULL;
    p->residual = kt_int(0, 1) ? kt_alloc(m * (n + 2)) : NULL;
    p->want = malloc((size_t)(m * n + 1) * sizeof(double));
    leat_epilogue e = {p->bias, p->residual, n + 2, kt_int(0, 1), acts[kt_int(0, 4)], {1, 0, -0.5f, 0.75f}};
    p->g = (leat_gemm){.m = m, .n = n, .k = k, .taps = taps, .c = p->c, .ldc = p->ldc, .epilogue = e};
    if (kt_int(0, 1)) {
        p->g.a = p->a;
        p->g.lda = p->lda;
        p->g.tap_step = k;
    } else {
        p->g.rows = indirect_rows;
        p->g.rows_arg = p;
    }
    compute_want(p);
}

static void teardown(problem *p) {
    kt_free(p->a), kt_free(p->b), kt_free(p->c), kt_free(p->bias), kt_free(p->residual), kt_free(p->zero);
    free(p->want);
}

static void check_result(const problem *p, leat_isa level) {
    const leat_gemm *g = &p->g;
    double limit = 2e-6 * sqrt((double)p->depth + 4) + 1e-7 * (double)p->depth;
    for (int64_t m = 0; m < g->m; m++) {
        for (int64_t n = 0; n < p->ldc; n++) {
            float got = p->c[m * p->ldc + n];
            if (n >= g->n && got != CANARY) fail_msg("column %d past N=%d was written", (int)n, (int)g->n);
            if (n < g->n && !(fabs(got - p->want[m * g->n + n]) <= limit))
                fail_msg("%s M=%d N=%d K=%d taps=%d at [%d,%d]: %g, want %g", leat_isa_name(level), (int)g->m, (int)g->n, (int)g->k,
                         (int)g->taps, (int)m, (int)n, (double)got, p->want[m * g->n + n]);
        }
    }
    kt_check_canaries(p->c, g->m * p->ldc);
}

static void run_level(problem *p, leat_isa level) {
    const leat_gemm *g = &p->g;
    for (int64_t i = 0; i < g->m * p->ldc; i++) p->c[i] = CANARY;
    float *packed = aligned_alloc(64, (leat__f32_gemm_packed_bytes(p->depth, g->n) + 127) & ~(size_t)63);
    void *scratch = malloc(leat__f32_gemm_scratch(g));
    leat__f32_gemm_pack(p->b, g->taps, g->k, g->n, g->k * g->n, g->n, 1, packed);
    p->g.b = packed;
    int64_t parts = kt_int(1, 3), cut = kt_int(0, (int)g->m);
    for (int64_t j = 0; j < parts; j++) {
        int64_t n0 = leat__f32_gemm_column(g->n, j, parts), n1 = leat__f32_gemm_column(g->n, j + 1, parts);
        if (n0 >= n1) continue;
        leat__f32_gemm_part(g, 0, cut, n0, n1, scratch);
        leat__f32_gemm_part(g, cut, g->m, n0, n1, scratch);
    }
    check_result(p, level);
    free(packed);
    free(scratch);
}

/* The residual lies in C itself; a deep product passes over C several times. */
static void run_in_place(const problem *p, leat_isa level) {
    problem q = *p;
    for (int64_t m = 0; m < q.g.m; m++)
        for (int64_t n = 0; n < q.ldc; n++) q.c[m * q.ldc + n] = n < q.g.n ? p->residual[m * p->g.epilogue.ldr + n] : CANARY;
    float *packed = aligned_alloc(64, (leat__f32_gemm_packed_bytes(q.depth, q.g.n) + 127) & ~(size_t)63);
    q.g.epilogue.residual = q.c;
    q.g.epilogue.ldr = q.ldc;
    leat__f32_gemm_pack(q.b, q.g.taps, q.g.k, q.g.n, q.g.k * q.g.n, q.g.n, 1, packed);
    q.g.b = packed;
    void *scratch = malloc(leat__f32_gemm_scratch(&q.g));
    leat__f32_gemm_part(&q.g, 0, q.g.m, 0, q.g.n, scratch);
    check_result(&q, level);
    free(packed);
    free(scratch);
}

static void check_all_levels(int64_t m, int64_t n, int64_t k, int64_t taps) {
    problem p;
    setup(&p, m, n, k, taps);
    KT_EACH_LEVEL(level) {
        run_level(&p, level);
        if (p.residual && !p.g.epilogue.after) run_in_place(&p, level);
    }
    teardown(&p);
}

static void test_small_sizes(void **state) {
    for (int i = 0; i < 300; i++) check_all_levels(kt_int(1, 40), kt_int(1, 100), kt_int(1, 40), kt_int(1, 4) == 4 ? kt_int(2, 9) : 1);
}

static void test_every_tile(void **state) {
    for (int m = 1; m <= 25; m++)
        for (int n = 1; n <= 50; n += 7) check_all_levels(m, n, kt_int(1, 9), 1);
}

static void test_blocking(void **state) {
    for (int i = 0; i < 6; i++) check_all_levels(13, 33, 1024, 1); /* some with a residual */
    check_all_levels(200, 33, 1024, 1);
    check_all_levels(101, 70, 1536, 1);
    check_all_levels(7, 48, 300, 9);
    check_all_levels(100, 17, 800, 3);
}

/* Rows 4 KiB apart. */
static void test_aliasing_rows(void **state) {
    problem p;
    setup(&p, 50, 80, 512, 1);
    kt_free(p.a);
    p.lda = 1024;
    p.a = kt_alloc(50 * p.lda);
    p.g.rows = NULL;
    p.g.a = p.a;
    p.g.lda = p.lda;
    compute_want(&p);
    KT_EACH_LEVEL(level) run_level(&p, level);
    teardown(&p);
}

/* Any number of threads gives the same bits. */
static void check_threads(int m, int n, int k, leat_tpool *pool) {
    problem p;
    setup(&p, m, n, k, 1);
    float *packed = aligned_alloc(64, (leat__f32_gemm_packed_bytes(k, n) + 127) & ~(size_t)63), *one = malloc((size_t)(m * p.ldc) * sizeof(float));
    size_t worker_bytes = leat__f32_gemm_scratch(&p.g);
    void *scratch = malloc(4 * worker_bytes);
    leat__f32_gemm_pack(p.b, 1, k, n, 0, n, 1, packed);
    p.g.b = packed;
    for (int threads = 1; threads <= 4; threads++) {
        for (int64_t i = 0; i < m * p.ldc; i++) p.c[i] = CANARY;
        leat__f32_gemm_parallel(&p.g, pool, threads, worker_bytes, scratch);
        if (threads == 1) memcpy(one, p.c, (size_t)(m * p.ldc) * sizeof(float));
        else if (memcmp(one, p.c, (size_t)(m * p.ldc) * sizeof(float)) != 0) fail_msg("M=%d N=%d K=%d: %d threads differ", m, n, k, threads);
    }
    check_result(&p, leat__cpu_level());
    free(packed), free(scratch), free(one);
    teardown(&p);
}

static void test_threads(void **state) {
    static const int shapes[][3] = {{49, 160, 960},   {49, 320, 300},  {196, 480, 80},  {197, 384, 64}, {1, 1000, 1024}, {2, 2000, 700},
                                    {3, 2010, 900},   {5, 1500, 1100}, {500, 24, 400},  {64, 112, 900}, {20, 2100, 300}, {130, 300, 256}};
    leat_tpool *pool;
    assert_int_equal(leat_tpool_new(4, &pool), LEAT_OK);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_threads(shapes[i][0], shapes[i][1], shapes[i][2], pool);
    leat_tpool_unref(pool);
}

static void test_nan_and_inf(void **state) {
    KT_EACH_LEVEL(level) {
        float a[2] = {NAN, INFINITY}, b[1] = {1}, c[2] = {0, 0}, packed[64] = {0};
        char scratch[4096];
        leat_gemm g = {.m = 2, .n = 1, .k = 1, .taps = 1, .a = a, .lda = 1, .b = packed, .c = c, .ldc = 1};
        g.epilogue.act = LEAT_ACT_RELU;
        leat__f32_gemm_pack(b, 1, 1, 1, 1, 1, 1, packed);
        leat__f32_gemm_part(&g, 0, 2, 0, 1, scratch);
        assert_true(isnan(c[0]));
        assert_true(isinf(c[1]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_sizes), cmocka_unit_test(test_every_tile),  cmocka_unit_test(test_blocking),
        cmocka_unit_test(test_aliasing_rows), cmocka_unit_test(test_threads),     cmocka_unit_test(test_nan_and_inf),
    };
    return cmocka_run_group_tests(tests, kt_seed, NULL);
}
