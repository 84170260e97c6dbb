/* test_cursor.c - reads at and past the end, varints, sub-cursors, and the protobuf walk on top. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "graph/onnx_wire.h"

static void numbers_are_little_endian_and_stop_at_the_end(void **state) {
    (void)state;
    const uint8_t bytes[15] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    leat_cursor c = leat__cursor(bytes, sizeof bytes);
    assert_int_equal(*leat__cursor_bytes(&c, 3), 1); /* so that the rest is not aligned */
    assert_int_equal(leat__cursor_u32(&c), 0x07060504);
    assert_int_equal(leat__cursor_offset(&c), 7);
    assert_int_equal(leat__cursor_u64(&c), 0x0f0e0d0c0b0a0908);
    assert_int_equal(c.failed, 0);
    assert_int_equal(leat__cursor_u32(&c), 0);
    assert_int_equal(c.failed, 1);
    assert_int_equal(leat__cursor_offset(&c), 15);
}

static void a_failed_cursor_stays_failed(void **state) {
    (void)state;
    leat_cursor c = leat__cursor("abcd", 4);
    assert_null(leat__cursor_bytes(&c, 5));
    assert_null(leat__cursor_bytes(&c, 1));
    assert_int_equal(leat__cursor_varint(&c), 0);
    leat_cursor sub = leat__cursor_sub(&c, 1);
    assert_int_equal(sub.failed, 1);
    leat_cursor empty = leat__cursor(NULL, 7);
    assert_int_equal(leat__cursor_left(&empty), 0);
    assert_non_null(leat__cursor_bytes(&empty, 0));
}

static void sub_cursors_keep_the_offset(void **state) {
    (void)state;
    leat_cursor c = leat__cursor("0123456789abcdef", 16);
    leat__cursor_bytes(&c, 3);
    leat_cursor sub = leat__cursor_sub(&c, 4);
    assert_int_equal(leat__cursor_offset(&sub), 3);
    assert_int_equal(leat__cursor_left(&sub), 4);
    assert_int_equal(leat__cursor_offset(&c), 7);
    leat__cursor_bytes(&sub, 4);
    assert_int_equal(leat__cursor_u32(&sub), 0); /* not the bytes behind it, though they are there */
    assert_int_equal(sub.failed, 1);
}

static void varints(void **state) {
    (void)state;
    const struct { const char *bytes; size_t n; uint64_t value; int failed; } cases[] = {
        {"\x00", 1, 0, 0},
        {"\x7f", 1, 127, 0},
        {"\x80\x01", 2, 128, 0},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, UINT64_MAX, 0},
        {"\x80", 1, 0, 1},
        {"", 0, 0, 1},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_cursor c = leat__cursor(cases[i].bytes, cases[i].n);
        assert_int_equal(leat__cursor_varint(&c), cases[i].value);
        assert_int_equal(c.failed, cases[i].failed);
        if (!c.failed) assert_int_equal(leat__cursor_left(&c), 0);
    }
}

/* Walks the message to its end: number of fields, or -1 if it failed. */
static int walk(const char *bytes, size_t n) {
    char *exact = malloc(n + !n); /* sanitizers watch its end */
    memcpy(exact, bytes, n);
    leat_cursor c = leat__cursor(exact, n);
    leat_field field;
    int fields = 0;
    while (leat__wire_next(&c, &field)) fields++;
    int failed = c.failed;
    free(exact);
    return failed ? -1 : fields;
}

static void fields_are_walked_and_bad_ones_refused(void **state) {
    (void)state;
    assert_int_equal(walk("", 0), 0);
    assert_int_equal(walk("\x08\x05\x12\x02hi\x1d" "1234" "\x21" "12345678", 20), 4);
    assert_int_equal(walk("\x12\x03hi", 4), -1);                                                     /* longer than what is left */
    assert_int_equal(walk("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11), -1);                  /* 2^64 - 1 bytes */
    assert_int_equal(walk("\x0b\x0c", 2), -1);                                                       /* a group */
    assert_int_equal(walk("\x00\x01", 2), -1);                                                       /* field 0 */
    assert_int_equal(walk("\x1d" "123", 4), -1);
    assert_int_equal(walk("\x08", 1), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_little_endian_and_stop_at_the_end), cmocka_unit_test(a_failed_cursor_stays_failed),
        cmocka_unit_test(sub_cursors_keep_the_offset),                   cmocka_unit_test(varints),
        cmocka_unit_test(fields_are_walked_and_bad_ones_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
