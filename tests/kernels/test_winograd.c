/* test_winograd.c - every level of the Winograd convolution against float64 over odd sizes, paddings, channels and epilogues. */
#include "kernel_util.h"

#include "cpu/wino_f32.h"

typedef struct problem {
    leat_wino g;
    float    *x, *w, *u, *y, *bias, *residual;
    int64_t   outputs;
    double   *want;
} problem;

static double activated(const leat_epilogue *e, double v) {
    if (e->act == LEAT_ACT_RELU) return v < 0 ? 0 : v;
    if (e->act == LEAT_ACT_CLIP) return fmin(fmax(v, e->params.lo), e->params.hi);
    if (e->act == LEAT_ACT_SILU) return v / (1 + exp(-v));
    return v;
}

static double direct(const problem *p, int64_t n, int64_t y, int64_t x, int64_t o) {
    const leat_wino *g = &p->g;
    double           sum = 0;
    for (int64_t r = 0; r < 3; r++)
        for (int64_t s = 0; s < 3; s++) {
            int64_t iy = y - g->pad_top + r, ix = x - g->pad_left + s;
            if (iy < 0 || iy >= g->h || ix < 0 || ix >= g->w) continue;
            const float *pixel = p->x + ((n * g->h + iy) * g->w + ix) * g->c;
            for (int64_t c = 0; c < g->c; c++) sum += (double)pixel[c] * p->w[(o * g->c + c) * 9 + r * 3 + s];
        }
    return sum;
}

static void compute_want(problem *p) {
    const leat_wino *g = &p->g;
    int64_t          i = 0;
    for (int64_t n = 0; n < g->n; n++)
        for (int64_t y = 0; y < g->oh; y++)
            for (int64_t x = 0; x < g->ow; x++)
                for (int64_t o = 0; o < g->co; o++, i++) {
                    double v = direct(p, n, y, x, o) + (p->bias ? p->bias[o] : 0);
                    if (p->residual && !g->epilogue.after) v += p->residual[i];
                    v = activated(&g->epilogue, v);
                    if (p->residual && g->epilogue.after) v += p->residual[i];
                    p->want[i] = v;
                }
}

static void setup(problem *p, int tile, int64_t n, int64_t h, int64_t w, int64_t c, int64_t co) {
    static const int acts[] = {LEAT_ACT_NONE, LEAT_ACT_RELU, LEAT_ACT_CLIP, LEAT_ACT_SILU};
    int64_t          pad = kt_int(0, 1), pad_end = kt_int(0, 2);
    memset(p, 0, sizeof *p);
    p->g = (leat_wino){.tile = tile, .n = n, .h = h, .w = w, .c = c, .co = co, .pad_top = pad, .pad_left = kt_int(0, 1)};
    p->g.oh = h + pad + pad_end - 2;
    p->g.ow = w + p->g.pad_left + kt_int(0, 2) - 2;
    p->outputs = n * p->g.oh * p->g.ow * co;
    p->x = kt_alloc(n * h * w * c);
    p->w = kt_alloc(co * c * 9);
    p->y = kt_alloc(p->outputs);
    p->bias = kt_int(0, 3) ? kt_alloc(co) : NULL;
    p->residual = kt_int(0, 1) ? kt_alloc(p->outputs) : NULL;
    p->want = malloc((size_t)(p->outputs + 1) * sizeof(double));
    p->g.x = p->x;
    p->g.y = p->y;
    p->g.epilogue = (leat_epilogue){.bias = p->bias, .residual = p->residual, .ldr = co, .after = kt_int(0, 1), .act = acts[kt_int(0, 3)],
                                    .params = {1, 0, -0.5f, 0.75f}};
    compute_want(p);
}

static void teardown(problem *p) {
    kt_free(p->x);
    kt_free(p->w);
    kt_free(p->y);
    kt_free(p->bias);
    kt_free(p->residual);
    free(p->want);
}

static double error_of(const problem *p) {
    double diff = 0, norm = 1e-30;
    for (int64_t i = 0; i < p->outputs; i++) {
        double d = p->y[i] - p->want[i];
        if (!(d == d)) return INFINITY;
        diff += d * d;
        norm += p->want[i] * p->want[i];
    }
    return sqrt(diff / norm);
}

static void run_at_level(problem *p, leat_tpool *pool, int threads) {
    leat_wino *g = &p->g;
    size_t     bytes = leat__wino_f32_scratch(g, threads);
    float     *scratch = aligned_alloc(64, (bytes + 63) / 64 * 64);
    p->u = aligned_alloc(64, (leat__wino_f32_packed_bytes(g->tile, g->c, g->co) + 63) / 64 * 64);
    memset(scratch, 0xff, bytes); /* NaN: nothing may be used before it is written */
    leat__wino_f32_pack(g->tile, p->w, g->c, g->co, p->u);
    g->u = p->u;
    for (int64_t i = 0; i < p->outputs; i++) p->y[i] = CANARY;
    leat__wino_f32_run(g, pool, threads, scratch);
    kt_check_canaries(p->y, p->outputs);
    free(p->u);
    free(scratch);
}

static void agrees_with_float64(void **state) {
    double worst[2] = {0};
    for (int round = 0; round < 40; round++) {
        problem p;
        int     tile = round % 2 ? 4 : 2;
        setup(&p, tile, kt_int(1, 2), kt_int(3, 19), kt_int(3, 19), kt_int(1, 70), kt_int(1, 70));
        KT_EACH_LEVEL(level) {
            run_at_level(&p, NULL, 1);
            double e = error_of(&p);
            if (e > worst[round % 2]) worst[round % 2] = e;
            if (!(e < (tile == 4 ? 1e-5 : 3e-6))) fail_msg("tile %d, level %s: error %g", tile, leat_isa_name(level), e);
        }
        teardown(&p);
    }
    print_message("worst relative L2: F(2x2) %.2g, F(4x4) %.2g\n", worst[0], worst[1]);
}

static void threads_do_not_change_a_bit(void **state) {
    leat_tpool *pool;
    assert_int_equal(leat_tpool_new(3, &pool), LEAT_OK);
    for (int round = 0; round < 6; round++) {
        problem p;
        setup(&p, round % 2 ? 4 : 2, 1, kt_int(6, 40), kt_int(6, 40), 32, kt_int(60, 130));
        run_at_level(&p, NULL, 1);
        float *alone = kt_alloc(p.outputs);
        memcpy(alone, p.y, (size_t)p.outputs * sizeof(float));
        run_at_level(&p, pool, 3);
        assert_memory_equal(alone, p.y, (size_t)p.outputs * sizeof(float));
        kt_free(alone);
        teardown(&p);
    }
    leat_tpool_unref(pool);
}

static void choice_follows_the_arithmetic(void **state) {
    assert_int_equal(leat__wino_f32_choose(1, 56, 56, 64, 64), 4);
    assert_int_equal(leat__wino_f32_choose(1, 56, 56, 3, 64), 0);
    assert_int_equal(leat__wino_f32_choose(1, 1, 1, 512, 512), 0);
}

int main(void) {
    kt_seed(NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_float64),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(choice_follows_the_arithmetic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
