/* test_base.c - each part of base/ does the plain thing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/fp16.h"
#include "base/rng.h"
#include "base/stats.h"
#include "base/str.h"

static void arena_gives_zeroed_aligned_memory(void **state) {
    (void)state;
    leat_arena arena;
    leat__arena_init(&arena, LEAT_MEMORY_GRAPH);
    for (int i = 0; i < 1000; i++) {
        char *p = leat__arena_calloc(&arena, 37, (size_t)i), *q = leat__arena_alloc_aligned(&arena, (size_t)i * 7);
        assert_non_null(p);
        assert_int_equal((uintptr_t)q % LEAT_ALIGN, 0);
        for (int k = 0; k < 37 * i; k++) assert_int_equal(p[k], 0);
        memset(p, 1, 37 * (size_t)i);
        memset(q, 2, (size_t)i * 7);
    }
    assert_string_equal(leat__arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
    assert_string_equal(leat__arena_strndup(&arena, "abcdef", 3), "abc");
    assert_null(leat__arena_calloc(&arena, SIZE_MAX / 2, 3));
    assert_null(leat__arena_alloc_aligned(&arena, SIZE_MAX - 3));
    leat__arena_fini(&arena);
}

static void errors_carry_prefixes(void **state) {
    (void)state;
    leat_error e = {0};
    assert_int_equal(leat__fail_at(&e, LEAT_EFORMAT, 12, "bad %s", "thing"), LEAT_EFORMAT);
    leat__fail_prefix(&e, LEAT_EFORMAT, "file %d", 3);
    assert_string_equal(e.message, "file 3: bad thing");
    assert_int_equal(e.offset, 12);
    assert_string_equal(leat_status_name(LEAT_ESHAPE), "LEAT_ESHAPE");
    assert_string_equal(leat_status_text(-999), "unknown status");
}

static void halves_round_trip_and_round_to_even(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 0x10000; h++) {
        float f = leat__f16_to_f32((uint16_t)h);
        if (isnan(f)) assert_true(isnan(leat__f16_to_f32(leat__f32_to_f16(f))));
        else assert_int_equal(leat__f32_to_f16(f), h);
    }
    assert_int_equal(leat__f32_to_f16(65519.996f), 0x7bff);
    assert_int_equal(leat__f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(leat__f32_to_f16(1.0f + 0x1p-11f), 0x3c00);
    assert_int_equal(leat__f32_to_f16(1.0f + 3 * 0x1p-11f), 0x3c02);
    assert_int_equal(leat__f32_to_f16(0x1p-25f), 0);
    assert_int_equal(leat__f32_to_f16(0x1.8p-25f), 1);
    assert_int_equal(leat__f32_to_bf16(1.0f + 0x1p-8f), 0x3f80);
    assert_int_equal(leat__f32_to_bf16(1.0f + 3 * 0x1p-8f), 0x3f82);
}

static void philox_gives_the_known_answer(void **state) {
    (void)state;
    uint32_t w[4];
    leat__rng_block(0, 0, 0, w); /* Random123's kat_vectors */
    assert_int_equal(w[0], 0x6627e8d5u);
    assert_int_equal(w[1], 0xe169c58du);
    assert_int_equal(w[2], 0xbc57ac4cu);
    assert_int_equal(w[3], 0x9b00dbd8u);
}

static void summary_of_five(void **state) {
    (void)state;
    double v[5] = {5, 1, 4, 2, 3};
    leat_summary s;
    leat__summarise(v, 5, &s);
    assert_true(s.mean == 3 && s.p50 == 3 && s.min == 1 && s.max == 5);
    assert_true(fabs(s.sd - sqrt(2.5)) < 1e-12 && fabs(s.p90 - 4.6) < 1e-12);
}

static void json_text_is_escaped(void **state) {
    (void)state;
    leat_strbuf buf = {0};
    leat__strbuf_add_json(&buf, "a\"\\\n\x01\xff\xc3\xa9", 8);
    leat__strbuf_add_number(&buf, 0.1);
    leat__strbuf_add_number(&buf, NAN);
    char *text = leat__strbuf_take(&buf);
    assert_string_equal(text, "\"a\\\"\\\\\\n\\u0001\xef\xbf\xbd\xc3\xa9\"0.1null");
    leat__free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_gives_zeroed_aligned_memory),   cmocka_unit_test(errors_carry_prefixes),
        cmocka_unit_test(halves_round_trip_and_round_to_even), cmocka_unit_test(philox_gives_the_known_answer),
        cmocka_unit_test(summary_of_five),                     cmocka_unit_test(json_text_is_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
