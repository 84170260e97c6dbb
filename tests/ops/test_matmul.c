/* test_matmul.c - MatMul, Gemm and their fused forms against float64: ranks, broadcasting, transposes, constant or not, types, threads. */
#include "../kernels/kernel_util.h"

#include "op_harness.h"

static leat_tpool *pool;

static int64_t count_of(const int64_t *dims, int rank) {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= dims[i];
    return n;
}

static leat_tensor *add_random(op_case *c, int rank, const int64_t *dims) {
    float *data = kt_alloc(count_of(dims, rank));
    leat_tensor *t = op_in(c, LEAT_DTYPE_F32, rank, dims, data);
    kt_free(data);
    return t;
}

/* Batch index of an operand with `rank` batch axes for position `at` under `out`. */
static int64_t operand_index(const int64_t *dims, int rank, const int64_t *out, int out_rank, int64_t at) {
    int64_t index = 0, scale = 1;
    for (int d = out_rank - 1; d >= 0; d--) {
        int64_t i = at % out[d];
        at /= out[d];
        int own = d - (out_rank - rank);
        if (own < 0) continue;
        if (dims[own] > 1) index += i * scale;
        scale *= dims[own];
    }
    return index;
}

typedef struct mm {
    int64_t m, n, k;
    int     ta, tb, out_rank;
    int64_t out[8];
    float   alpha;
} mm;

static double element(const mm *s, const float *a, const float *b, int64_t i, int64_t j) {
    double sum = 0;
    for (int64_t k = 0; k < s->k; k++)
        sum += (double)a[s->ta ? k * s->m + i : i * s->k + k] * b[s->tb ? j * s->k + k : k * s->n + j];
    return sum * s->alpha;
}

static void compare(op_case *c, const mm *s, const float *bias, const float *residual) {
    const leat_tensor *a = c->call.in[0], *b = c->call.in[1];
    int64_t batch = count_of(s->out, s->out_rank);
    for (int64_t q = 0; q < batch; q++) {
        const float *am = (const float *)a->data + operand_index(a->dims, a->rank - 2, s->out, s->out_rank, q) * s->m * s->k;
        const float *bm = (const float *)b->data + operand_index(b->dims, b->rank - 2, s->out, s->out_rank, q) * s->k * s->n;
        for (int64_t i = 0; i < s->m; i++)
            for (int64_t j = 0; j < s->n; j++) {
                int64_t at = (q * s->m + i) * s->n + j;
                double want = element(s, am, bm, i, j) + (bias ? bias[j] : 0) + (residual ? residual[at] : 0), got = op_f32(c, 0)[at];
                if (!(fabs(want - got) <= 4e-6 * sqrt((double)s->k + 1) + 1e-7 * (double)s->k))
                    fail_msg("%s batch %d [%d,%d] of %dx%dx%d ta %d tb %d: %g, want %g", c->call.kernel, (int)q, (int)i, (int)j, (int)s->m,
                             (int)s->n, (int)s->k, s->ta, s->tb, got, want);
            }
    }
}

static void finish(op_case *c, int threads) {
    c->call.pool = threads > 1 ? pool : NULL;
    c->call.threads = threads;
    c->in_const[1] = (uint8_t)kt_int(0, 1);
    op_out(c);
    if (op_run(c) != LEAT_OK) fail_msg("%s", c->error.message);
}

/* Batch dims of one operand: those of the result, or 1 where it broadcasts, or fewer axes. */
static int operand_dims(const mm *s, int64_t rows, int64_t columns, int64_t *dims) {
    int skip = kt_int(0, s->out_rank), rank = 0;
    for (int d = skip; d < s->out_rank; d++) dims[rank++] = kt_int(0, 2) ? s->out[d] : 1;
    dims[rank++] = rows;
    dims[rank++] = columns;
    return rank;
}

static void test_batched(void **state) {
    for (int t = 0; t < 300; t++) {
        leat__cpu_select((leat_isa)kt_int(0, leat__cpu_detect()));
        mm s = {.m = kt_int(1, 30), .n = kt_int(1, 40), .k = kt_int(1, 50), .ta = kt_int(0, 1), .tb = kt_int(0, 1), .out_rank = kt_int(0, 3), .alpha = 0.5f};
        op_case c;
        int64_t da[8], db[8];
        for (int d = 0; d < s.out_rank; d++) s.out[d] = kt_int(1, 4);
        op_open(&c, "leat", "MatMul", 1);
        int ra = operand_dims(&s, s.ta ? s.k : s.m, s.ta ? s.m : s.k, da), rb = operand_dims(&s, s.tb ? s.n : s.k, s.tb ? s.k : s.n, db);
        int batch_rank;
        assert_int_equal(leat__broadcast_dims(da, ra - 2, db, rb - 2, s.out, &batch_rank), LEAT_OK);
        s.out_rank = batch_rank;
        add_random(&c, ra, da);
        add_random(&c, rb, db);
        float *bias = NULL, *residual = NULL;
        if (kt_int(0, 1)) bias = add_random(&c, 1, &s.n)->data;
        else op_absent(&c);
        int64_t full[10];
        memcpy(full, s.out, sizeof s.out);
        full[s.out_rank] = s.m, full[s.out_rank + 1] = s.n;
        if (kt_int(0, 1)) residual = add_random(&c, s.out_rank + 2, full)->data;
        op_attr_int(&c, "trans_a", s.ta);
        op_attr_int(&c, "trans_b", s.tb);
        op_attr_float(&c, "alpha", s.alpha);
        finish(&c, kt_int(1, 3));
        compare(&c, &s, bias, residual);
        op_close(&c);
    }
}

static void test_vectors(void **state) {
    for (int t = 0; t < 40; t++) {
        mm s = {.m = t % 2 ? kt_int(1, 9) : 1, .n = t % 2 ? 1 : kt_int(1, 9), .k = kt_int(1, 9), .alpha = 1};
        op_case c;
        op_open(&c, "", "MatMul", 13);
        int64_t a[2] = {s.m, s.k}, b[2] = {s.k, s.n};
        add_random(&c, t % 2 ? 2 : 1, t % 2 ? a : a + 1);
        add_random(&c, t % 2 ? 1 : 2, b);
        finish(&c, 1);
        assert_int_equal(c.out[0].rank, 1);
        assert_int_equal(c.out[0].dims[0], t % 2 ? s.m : s.n);
        compare(&c, &s, NULL, NULL);
        op_close(&c);
    }
}

/* Few rows by many columns are split by columns. */
static void test_wide_rows(void **state) {
    for (int m = 1; m <= 5; m += 2) {
        mm s = {.m = m, .n = 600 + m, .k = 1100, .alpha = 1};
        op_case c;
        op_open(&c, "", "MatMul", 13);
        add_random(&c, 2, (int64_t[]){s.m, s.k});
        add_random(&c, 2, (int64_t[]){s.k, s.n});
        finish(&c, 3);
        compare(&c, &s, NULL, NULL);
        op_close(&c);
    }
}

static void test_gemm_op(void **state) {
    for (int t = 0; t < 150; t++) {
        mm s = {.m = kt_int(1, 20), .n = kt_int(1, 40), .k = kt_int(1, 60), .ta = kt_int(0, 1), .tb = kt_int(0, 1), .alpha = 1.5f};
        op_case c;
        op_open(&c, "", "Gemm", 13);
        add_random(&c, 2, (int64_t[]){s.ta ? s.k : s.m, s.ta ? s.m : s.k});
        add_random(&c, 2, (int64_t[]){s.tb ? s.n : s.k, s.tb ? s.k : s.n});
        int64_t cd[2] = {kt_int(0, 1) ? s.m : 1, kt_int(0, 1) ? s.n : 1};
        int rank = cd[0] == 1 ? kt_int(0, 2) : 2;
        const float *cdata = kt_int(0, 3) ? add_random(&c, rank, cd + 2 - rank)->data : NULL;
        if (rank == 0) cd[1] = 1;
        op_attr_float(&c, "alpha", s.alpha);
        op_attr_float(&c, "beta", 0.5f);
        op_attr_int(&c, "transA", s.ta);
        op_attr_int(&c, "transB", s.tb);
        finish(&c, 1);
        float *residual = kt_alloc(s.m * s.n);
        for (int64_t i = 0; i < s.m * s.n; i++)
            residual[i] = cdata ? 0.5f * cdata[(cd[0] > 1 ? i / s.n * cd[1] : 0) + (cd[1] > 1 ? i % s.n : 0)] : 0;
        compare(&c, &s, NULL, residual);
        kt_free(residual);
        op_close(&c);
    }
}

static void test_integers(void **state) {
    op_case c;
    op_open(&c, "", "MatMul", 13);
    op_in(&c, LEAT_DTYPE_I64, 2, (int64_t[]){2, 2}, (int64_t[]){1, 2, 3, 4});
    op_in(&c, LEAT_DTYPE_I64, 2, (int64_t[]){2, 2}, (int64_t[]){5, -6, 7, 8});
    finish(&c, 1);
    const int64_t want[4] = {19, 10, 43, 14};
    assert_memory_equal(op_i64(&c, 0), want, sizeof want);
    op_close(&c);
}

static void test_refuses(void **state) {
    op_case c;
    op_open(&c, "", "MatMul", 13);
    op_in(&c, LEAT_DTYPE_F32, 2, (int64_t[]){2, 3}, NULL);
    op_in(&c, LEAT_DTYPE_F32, 2, (int64_t[]){2, 3}, NULL);
    op_out(&c);
    assert_int_equal(op_run(&c), LEAT_ESHAPE);
    op_close(&c);
}

static void test_empty(void **state) {
    op_case c;
    op_open(&c, "", "MatMul", 13);
    op_in(&c, LEAT_DTYPE_F32, 2, (int64_t[]){2, 0}, NULL);
    op_in(&c, LEAT_DTYPE_F32, 2, (int64_t[]){0, 3}, NULL);
    finish(&c, 1);
    for (int i = 0; i < 6; i++) assert_true(op_f32(&c, 0)[i] == 0);
    op_close(&c);
}

static int open_pool(void **state) { return kt_seed(state) || leat_tpool_new(3, &pool); }
static int close_pool(void **state) { return leat_tpool_unref(pool), 0; }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batched),  cmocka_unit_test(test_vectors), cmocka_unit_test(test_gemm_op),
        cmocka_unit_test(test_wide_rows), cmocka_unit_test(test_integers), cmocka_unit_test(test_refuses), cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, open_pool, close_pool);
}
