/* test_npy.c - .npy files: round trips of every type, versions, orders, and headers that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "tensor/npy.h"

/* An .npy file in memory: version 1 or 2, `header` without padding, then `bytes` of data. */
static size_t make_npy(uint8_t *to, int version, const char *header, const void *data, size_t bytes) {
    size_t length = strlen(header), at = version == 1 ? 10 : 12;
    memcpy(to, "\x93NUMPY", 6);
    to[6] = (uint8_t)version;
    to[7] = 0;
    for (size_t i = 8; i < at; i++) to[i] = (uint8_t)(length >> (8 * (i - 8)));
    memcpy(to + at, header, length);
    memcpy(to + at + length, data, bytes);
    return at + length + bytes;
}

static int parse(int version, const char *header, const void *data, size_t bytes, leat_tensor *t, leat_error *e) {
    uint8_t file[1024];
    *e = (leat_error){0};
    return leat__npy_parse(file, make_npy(file, version, header, data, bytes), t, e);
}

static void test_round_trip_of_every_type(void **state) {
    (void)state;
    char path[] = "/tmp/leat-npy-XXXXXX";
    close(mkstemp(path));
    for (int type = 1; type < LEAT_DTYPE_COUNT; type++) {
        if (type == LEAT_DTYPE_STRING || type == LEAT_DTYPE_BF16) continue;
        for (int rank = 0; rank <= 3; rank++) {
            leat_tensor t = {.dtype = (leat_dtype)type, .rank = rank, .dims = {2, 3, 5}}, back;
            leat_error  e = {0};
            assert_int_equal(leat_tensor_alloc(&t), LEAT_OK);
            size_t bytes = leat_tensor_bytes(&t);
            for (size_t i = 0; i < bytes; i++) ((uint8_t *)t.data)[i] = type == LEAT_DTYPE_BOOL ? i & 1 : (uint8_t)(i * 7 + 1);
            assert_int_equal(leat_tensor_save_npy(path, &t, &e), LEAT_OK);
            char *file = NULL;
            size_t n = 0;
            assert_int_equal(leat__read_file(path, 1 << 20, &file, &n, &e), LEAT_OK);
            assert_int_equal((n - bytes) % 64, 0);
            assert_int_equal(leat__npy_parse(file, n, &back, &e), LEAT_OK);
            assert_int_equal(back.dtype, t.dtype);
            assert_int_equal(back.rank, rank);
            assert_memory_equal(back.dims, t.dims, sizeof(int64_t) * (size_t)rank);
            assert_memory_equal(back.data, t.data, bytes);
            leat__free(file);
            leat_tensor_free(&back);
            leat_tensor_free(&t);
        }
    }
    unlink(path);
}

static void test_bfloat16_is_widened(void **state) {
    (void)state;
    char        path[] = "/tmp/leat-npy-XXXXXX";
    uint16_t    ones[2] = {0x3f80, 0xc000};
    leat_tensor t = {.data = ones, .dtype = LEAT_DTYPE_BF16, .rank = 1, .dims = {2}}, back;
    leat_error  e = {0};
    char       *file = NULL;
    size_t      n = 0;
    close(mkstemp(path));
    assert_int_equal(leat_tensor_save_npy(path, &t, &e), LEAT_OK);
    assert_int_equal(leat__read_file(path, 1 << 20, &file, &n, &e), LEAT_OK);
    assert_int_equal(leat__npy_parse(file, n, &back, &e), LEAT_OK);
    assert_int_equal(back.dtype, LEAT_DTYPE_F32);
    assert_true(((float *)back.data)[0] == 1.0f && ((float *)back.data)[1] == -2.0f);
    leat__free(file);
    leat_tensor_free(&back);
    unlink(path);
}

static void test_orders_and_versions(void **state) {
    (void)state;
    leat_tensor t;
    leat_error  e;
    int16_t     column_major[6] = {1, 4, 2, 5, 3, 6}, row_major[6] = {1, 2, 3, 4, 5, 6};
    assert_int_equal(parse(1, "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }\n", column_major, 12, &t, &e), LEAT_OK);
    assert_memory_equal(t.data, row_major, 12);
    leat_tensor_free(&t);
    uint8_t big[4] = {0x3f, 0x80, 0, 0};
    assert_int_equal(parse(2, "{\"shape\":(1,),\"descr\":\">f4\",\"fortran_order\":False}", big, 4, &t, &e), LEAT_OK);
    assert_true(*(float *)t.data == 1.0f);
    leat_tensor_free(&t);
    assert_int_equal(parse(3, "{'descr': '|b1', 'fortran_order': False, 'shape': (), }", "\x07", 1, &t, &e), LEAT_OK);
    assert_int_equal(t.rank, 0);
    assert_int_equal(*(uint8_t *)t.data, 1);
    leat_tensor_free(&t);
    assert_int_equal(parse(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 7), }", "", 0, &t, &e), LEAT_OK);
    assert_int_equal(leat_tensor_count(&t), 0);
    leat_tensor_free(&t);
}

static void test_lying_headers_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", "{", "{}", "[1]", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9223372036854775807), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, ), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }",
        "{'descr': '<O8', 'fortran_order': False, 'shape': (1,), }", "{'descr': '<U3', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "{'descr': '', 'fortran_order': False, 'shape': (1,), }",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }", "{'descr': '<ffffffffffffffffffffffffffffff4', 'shape': (1,), }"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        leat_tensor t;
        leat_error  e;
        int status = parse(1, bad[i], "12345678", 8, &t, &e);
        assert_true(status == LEAT_EFORMAT || status == LEAT_EUNSUPPORTED);
        assert_true(e.message[0] != 0 && e.status == status);
        assert_null(t.data);
    }
}

static void test_every_truncation_is_refused(void **state) {
    (void)state;
    uint8_t file[256];
    float   data[2] = {1, 2};
    size_t  n = make_npy(file, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n", data, sizeof data);
    for (size_t cut = 0; cut < n; cut++) {
        leat_tensor t;
        uint8_t    *exact = leat__alloc(cut, LEAT_MEMORY_OTHER);
        memcpy(exact, file, cut);
        assert_int_not_equal(leat__npy_parse(exact, cut, &t, NULL), LEAT_OK);
        leat__free(exact);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip_of_every_type), cmocka_unit_test(test_bfloat16_is_widened),
        cmocka_unit_test(test_orders_and_versions),      cmocka_unit_test(test_lying_headers_are_refused),
        cmocka_unit_test(test_every_truncation_is_refused),
    };
    return cmocka_run_group_tests_name("npy", tests, NULL, NULL);
}
