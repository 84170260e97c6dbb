/* test_attn_kv.c - attention over a cache against float64: every level and format, odd widths, windows, soft caps, blocks, spans, guard pages. */
#include "kernel_util.h"

#include <sys/mman.h>

#include "cpu/attn_kv.h"
#include "cpu/blocks.h"

enum { PAGE = 4096 };

/* Memory that ends where an unreadable page begins, so that a byte read behind it is a fault. */
typedef struct guarded {
    uint8_t *map, *data;
    size_t   size;
} guarded;

static guarded guard(size_t bytes) {
    guarded g = {.size = (bytes + PAGE - 1) / PAGE * PAGE + PAGE};
    g.map = mmap(NULL, g.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(g.map != MAP_FAILED);
    assert_int_equal(mprotect(g.map + g.size - PAGE, PAGE, PROT_NONE), 0);
    g.data = g.map + g.size - PAGE - bytes;
    return g;
}

/* ---- one case ------------------------------------------------------------------------------------------------------- */

typedef struct attn_case {
    int64_t        n, length;
    int            heads, kv_heads, k_width, v_width, causal, window;
    float          softcap;
    leat_kv_format format;
} attn_case;

/* What a row of the cache holds, by the formats of files. */
static void load_row(leat_kv_format format, const uint8_t *row, int width, float *x) {
    const leat_block_format *f = leat__block_format(format == LEAT_KV_FORMAT_F32 ? 0 : format == LEAT_KV_FORMAT_F16 ? 1 : 8);
    f->values(row, width / f->length, x);
}

static void fill_cache(leat_kv_format format, uint8_t *data, int64_t rows, int width, float *exact) {
    size_t bytes = leat__kv_row_bytes(format, width);
    float  row[512 + 64];
    for (int64_t r = 0; r < rows; r++) {
        for (int i = 0; i < width; i++) row[i] = kt_float() * (r % 7 == 3 ? 3.0f : 1.0f);
        leat__kv_store(format, row, width, 1, width, data + (size_t)r * bytes, (int64_t)bytes);
        load_row(format, data + (size_t)r * bytes, width, exact + r * width);
    }
}

/* One output vector in double from the exact values of the cache, k [length, k_width] and v of its kv head. */
static void attend64(const attn_case *c, const leat_attn_kv *a, int64_t query, const float *q, const float *k, const float *v, double *out) {
    int64_t own = a->first_position + query, to = c->causal ? own + 1 : a->length, from = c->window ? own - c->window + 1 : 0;
    double *s = malloc((size_t)a->length * sizeof *s), max = -INFINITY, sum = 0;
    for (int i = 0; i < c->v_width; i++) out[i] = 0;
    for (int64_t p = from < 0 ? 0 : from; p < to; p++) {
        s[p] = 0;
        for (int i = 0; i < c->k_width; i++) s[p] += (double)q[i] * (double)k[p * c->k_width + i];
        s[p] *= (double)a->scale;
        if (c->softcap > 0) s[p] = (double)c->softcap * tanh(s[p] / (double)c->softcap);
        max = s[p] > max ? s[p] : max;
    }
    for (int64_t p = from < 0 ? 0 : from; p < to; p++) {
        double w = exp(s[p] - max);
        sum += w;
        for (int i = 0; i < c->v_width; i++) out[i] += w * (double)v[p * c->v_width + i];
    }
    for (int i = 0; i < c->v_width; i++) out[i] /= sum;
    free(s);
}

static void check_outputs(const attn_case *c, const leat_attn_kv *a, const float *k, const float *v) {
    double want[512], tolerance = 2e-5 * 3;
    int    group = c->heads / c->kv_heads, step = c->n * c->heads > 600 ? 17 : 1;
    for (int64_t r = 0; r < c->n * c->heads; r += step) {
        int64_t query = r / c->heads, head = r % c->heads, g = head / group;
        attend64(c, a, query, a->q + query * a->ldq + head * c->k_width, k + g * c->length * c->k_width, v + g * c->length * c->v_width, want);
        for (int i = 0; i < c->v_width; i++) {
            double got = (double)a->out[query * a->ldo + head * c->v_width + i];
            if (!(fabs(got - want[i]) <= tolerance))
                fail_msg("%s, format %d, n %d, length %d, heads %d/%d, widths %d %d, causal %d, window %d: query %d, head %d, [%d] = %.9g, not %.9g",
                         leat_isa_name(leat__cpu_level()), c->format, (int)c->n, (int)c->length, c->heads, c->kv_heads, c->k_width, c->v_width, c->causal,
                         c->window, (int)query, (int)head, i, got, want[i]);
        }
    }
}

/* Runs all pieces, forwards or backwards, each with scratch of its own: neither may change a bit. */
static void run(const leat_attn_kv *a, int backwards) {
    int64_t pieces = leat__attn_kv_pieces(a);
    size_t  bytes = leat__attn_kv_scratch_bytes(a->k_width, a->v_width) + 64;
    void   *shared = aligned_alloc(64, (leat__attn_kv_shared_bytes(a->heads, a->v_width) + 63) / 64 * 64);
    for (int64_t i = 0; i < pieces; i++) {
        void *scratch = aligned_alloc(64, (bytes + 63) / 64 * 64);
        memset(scratch, 0xff, bytes); /* NaN */
        leat__attn_kv_piece(a, backwards ? pieces - 1 - i : i, scratch, shared);
        free(scratch);
    }
    leat__attn_kv_finish(a, shared);
    free(shared);
}

static void check_case(const attn_case *c) {
    int64_t ldq = c->heads * c->k_width + 3, ldo = c->heads * c->v_width + 5;
    size_t  k_row = leat__kv_row_bytes(c->format, c->k_width), v_row = leat__kv_row_bytes(c->format, c->v_width);
    guarded k = guard((size_t)(c->kv_heads * c->length) * k_row), v = guard((size_t)(c->kv_heads * c->length) * v_row);
    float  *k_exact = malloc((size_t)(c->kv_heads * c->length * c->k_width) * 4), *v_exact = malloc((size_t)(c->kv_heads * c->length * c->v_width) * 4);
    float  *q = kt_alloc(c->n * ldq), *out = kt_alloc(c->n * ldo), *again = kt_alloc(c->n * ldo);
    fill_cache(c->format, k.data, c->kv_heads * c->length, c->k_width, k_exact);
    fill_cache(c->format, v.data, c->kv_heads * c->length, c->v_width, v_exact);
    for (int64_t i = 0; i < c->n * ldo; i++) out[i] = again[i] = CANARY;
    leat_attn_kv a = {.q = q, .out = out, .n = c->n, .ldq = ldq, .ldo = ldo, .k = k.data, .v = v.data, .k_head = c->length * (int64_t)k_row,
                      .k_row = (int64_t)k_row, .v_head = c->length * (int64_t)v_row, .v_row = (int64_t)v_row, .format = c->format, .length = c->length,
                      .first_position = c->length - c->n, .causal = c->causal, .window = c->window, .heads = c->heads, .kv_heads = c->kv_heads,
                      .k_width = c->k_width, .v_width = c->v_width, .scale = 2.0f / sqrtf((float)c->k_width), .softcap = c->softcap};
    run(&a, 0);
    check_outputs(c, &a, k_exact, v_exact);
    kt_check_canaries(out, c->n * ldo);
    for (int64_t i = 0; i < c->n; i++)
        for (int64_t j = c->heads * c->v_width; j < ldo; j++) assert_true(out[i * ldo + j] == CANARY);
    a.out = again;
    run(&a, 1);
    assert_memory_equal(out, again, (size_t)(c->n * ldo) * sizeof *out);
    kt_free(q), kt_free(out), kt_free(again);
    free(k_exact), free(v_exact);
    munmap(k.map, k.size), munmap(v.map, v.size);
}

/* ---- tests ---------------------------------------------------------------------------------------------------------- */

static void test_decode(void **state) {
    static const int lengths[] = {1, 2, 3, 15, 16, 17, 63, 64, 65, 255, 256, 257, 1000, 5000};
    (void)state;
    KT_EACH_LEVEL(level)
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            for (int format = 0; format < 3; format++) {
                int group = kt_int(1, 9), kv = kt_int(1, 3), width = 32 * kt_int(1, 5);
                check_case(&(attn_case){.n = 1, .length = lengths[i], .heads = group * kv, .kv_heads = kv, .k_width = width, .v_width = width, .causal = 1,
                                        .window = kt_int(0, 2) ? 0 : kt_int(1, 700), .softcap = kt_int(0, 2) ? 0 : 5, .format = (leat_kv_format)format});
            }
}

static void test_head_widths(void **state) {
    static const int widths[] = {1, 7, 8, 12, 16, 31, 33, 48, 64, 80, 96, 112, 128, 160, 255, 256, 512};
    (void)state;
    KT_EACH_LEVEL(level)
        for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
            for (int format = 0; format < 3; format++)
                for (int n = 1; n <= 41; n += 20) {
                    int width = widths[i], other = widths[kt_int(0, 12)];
                    if (format == LEAT_KV_FORMAT_Q8_0) width = (width + 31) / 32 * 32, other = (other + 31) / 32 * 32;
                    check_case(&(attn_case){.n = n, .length = n + kt_int(0, 150), .heads = 4, .kv_heads = kt_int(0, 1) ? 4 : 2, .k_width = width,
                                            .v_width = kt_int(0, 3) ? width : other, .causal = 1, .format = (leat_kv_format)format});
                }
}

static void test_prefill(void **state) {
    (void)state;
    KT_EACH_LEVEL(level)
        for (int i = 0; i < 60; i++) {
            int n = kt_int(2, 150), past = kt_int(0, 2) ? 0 : kt_int(1, 300), group = kt_int(1, 8), kv = kt_int(1, 3), width = 32 * kt_int(1, 3);
            check_case(&(attn_case){.n = n, .length = n + past, .heads = group * kv, .kv_heads = kv, .k_width = width, .v_width = width,
                                    .causal = kt_int(0, 4) > 0, .window = kt_int(0, 2) ? 0 : kt_int(1, 100), .softcap = kt_int(0, 2) ? 0 : 3,
                                    .format = (leat_kv_format)kt_int(0, 2)});
        }
}

/* Heads that share one kv head may be more than a block holds. */
static void test_many_heads(void **state) {
    (void)state;
    KT_EACH_LEVEL(level)
        for (int n = 1; n <= 3; n++)
            check_case(&(attn_case){.n = n, .length = 700, .heads = 71, .kv_heads = 1, .k_width = 64, .v_width = 64, .causal = 1});
}

/* What is stored is within half a step of what was given; every level stores the same bytes. */
static void test_store(void **state) {
    float   x[256 + 64], y[256];
    uint8_t first[1024], bytes[1024];
    (void)state;
    for (int i = 0; i < 256; i++) x[i] = kt_float() * (float)(1 + i / 32);
    memset(x + 64, 0, 32 * sizeof *x);
    x[40] = 1e-9f;
    for (int format = 0; format < 3; format++)
        KT_EACH_LEVEL(level) {
            size_t size = leat__kv_row_bytes((leat_kv_format)format, 256);
            memset(bytes, 0x5a, sizeof bytes);
            leat__kv_store((leat_kv_format)format, x, 256, 1, 256, bytes, (int64_t)size);
            for (size_t i = size; i < sizeof bytes; i++) assert_int_equal(bytes[i], 0x5a);
            if (level == LEAT_ISA_REF) memcpy(first, bytes, sizeof bytes);
            assert_memory_equal(first, bytes, size);
            load_row((leat_kv_format)format, bytes, 256, y);
            for (int i = 0; i < 256; i++) {
                float step = format == LEAT_KV_FORMAT_F32 ? 0 : format == LEAT_KV_FORMAT_F16 ? fabsf(x[i]) / 2048 + 1e-7f : (float)(1 + i / 32) / 127 * 0.51f;
                assert_true(fabsf(x[i] - y[i]) <= step);
            }
        }
    /* infinities and NaN in a hostile model end nothing */
    x[0] = INFINITY, x[33] = NAN;
    KT_EACH_LEVEL(level) for (int format = 0; format < 3; format++) leat__kv_store((leat_kv_format)format, x, 256, 1, 256, bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_store), cmocka_unit_test(test_decode), cmocka_unit_test(test_head_widths),
                                       cmocka_unit_test(test_prefill), cmocka_unit_test(test_many_heads)};
    return cmocka_run_group_tests(tests, kt_seed, NULL);
}
