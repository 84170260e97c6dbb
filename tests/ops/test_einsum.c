/* test_einsum.c - Einsum: the matrix-product path in float32 against the same equation in float64 by the general path and against sums
 * written out; equations that must be refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/rng.h"
#include "op_harness.h"

#define DIMS(...) (int64_t[]){__VA_ARGS__}

static void open_case(op_case *c, leat_dtype dtype, const char *equation, int ra, const int64_t *da, int rb, const int64_t *db) {
    op_open(c, "", "Einsum", 12);
    for (int i = 0; i < (rb < 0 ? 1 : 2); i++) {
        leat_tensor *t = op_in(c, dtype, i ? rb : ra, i ? db : da, NULL);
        for (int64_t k = 0; k < leat_tensor_count(t); k++) leat__tensor_set_float(t, k, (double)leat__rng_uniformf(7, (uint64_t)i, (uint64_t)k) - 0.5);
    }
    op_attr_string(c, "equation", equation);
    op_out(c);
}

static void compare(const char *equation, int ra, const int64_t *da, int rb, const int64_t *db, double depth) {
    op_case fast, slow;
    open_case(&fast, LEAT_DTYPE_F32, equation, ra, da, rb, db);
    open_case(&slow, LEAT_DTYPE_F64, equation, ra, da, rb, db);
    assert_int_equal(op_run(&fast), LEAT_OK);
    assert_int_equal(op_run(&slow), LEAT_OK);
    assert_true(leat__dims_equal(&fast.out[0], &slow.out[0]));
    for (int64_t i = 0; i < leat_tensor_count(&fast.out[0]); i++) {
        double difference = fabs(leat__tensor_get_float(&fast.out[0], i) - leat__tensor_get_float(&slow.out[0], i));
        if (!(difference <= 1e-6 * depth)) fail_msg("%s: element %lld is off by %g", equation, (long long)i, difference);
    }
    op_close(&fast);
    op_close(&slow);
}

static void test_products(void **state) {
    compare("ij,jk->ik", 2, DIMS(17, 33), 2, DIMS(33, 19), 33);
    compare("bij,bjk->bik", 3, DIMS(3, 17, 9), 3, DIMS(3, 9, 21), 9);
    compare("bhqd,bhkd->bhqk", 4, DIMS(2, 3, 7, 16), 4, DIMS(2, 3, 11, 16), 16);
    compare("bqhd,bkhd->bhqk", 4, DIMS(2, 7, 3, 16), 4, DIMS(2, 11, 3, 16), 16);
    compare("bhqk,bkhd->bqhd", 4, DIMS(2, 3, 7, 11), 4, DIMS(2, 11, 3, 16), 11);
    compare("abc,cde->eadb", 3, DIMS(4, 5, 6), 3, DIMS(6, 7, 8), 6);
    compare("...ij,...jk", 4, DIMS(2, 1, 8, 9), 3, DIMS(3, 9, 10), 9);
    compare("ijkl,jl->ki", 4, DIMS(9, 5, 8, 6), 2, DIMS(5, 6), 30); /* two depth labels apart */
    compare("ij,ij->i", 2, DIMS(40, 50), 2, DIMS(40, 50), 50);
    compare("i,j->ij", 1, DIMS(40), 1, DIMS(50), 1);
    compare("ij,jk->k", 2, DIMS(17, 33), 2, DIMS(33, 19), 33 * 17);  /* i is summed in one input only: general path */
    compare("ii,ij->j", 2, DIMS(20, 20), 2, DIMS(20, 30), 20);
    compare("ij->", 2, DIMS(5, 6), -1, NULL, 30);
}

static void test_general_path_itself(void **state) {
    op_case c;
    open_case(&c, LEAT_DTYPE_F64, "bij, bjk -> kb", 3, DIMS(2, 3, 4), 3, DIMS(2, 4, 5));
    assert_int_equal(op_run(&c), LEAT_OK);
    const double *a = c.in[0].data, *b = c.in[1].data, *y = c.out[0].data;
    assert_int_equal(c.out[0].dims[0], 5);
    for (int k = 0; k < 5; k++)
        for (int n = 0; n < 2; n++) {
            double sum = 0;
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 4; j++) sum += a[(n * 3 + i) * 4 + j] * b[(n * 4 + j) * 5 + k];
            assert_true(fabs(sum - y[k * 2 + n]) < 1e-12);
        }
    op_close(&c);
}

static void test_refused(void **state) {
    static const char *const equations[] = {"ij,jk->iik", "ij,jk->im", "ij", "ij,jk,kl->il", "i.j,jk->ik", "ijk,jk->ik", "ij,ik->jk",
                                            "ij,jk->ik->", "ij,jk-ik", "......ij,jk->ik", ""};
    for (size_t i = 0; i < sizeof equations / sizeof *equations; i++) {
        op_case c;
        open_case(&c, LEAT_DTYPE_F32, equations[i], 2, DIMS(2, 3), 2, DIMS(3, 4));
        if (op_run(&c) == LEAT_OK) fail_msg("'%s' was accepted", equations[i]);
        assert_true(c.error.message[0]);
        op_close(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_general_path_itself),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
