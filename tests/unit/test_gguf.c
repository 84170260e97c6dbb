/* test_gguf.c - the GGUF reader: a file written here is read back; truncation at every byte, hostile sizes; exact values of every block format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "gguf_build.h"
#include "leat/gguf.h"

/* One value of each sort and two tensors; `data_at` is where their data begins. */
static gguf_out good(uint32_t version) {
    gguf_out o = {.n = 0};
    g_header(&o, version, 2, 6);
    g_key(&o, "general.architecture", LEAT_GGUF_STRING);
    g_text(&o, "llama");
    g_key(&o, "a.count", LEAT_GGUF_U32);
    g_u32(&o, 7);
    g_key(&o, "a.scale", LEAT_GGUF_F32);
    g_f32(&o, 0.5f);
    g_key(&o, "a.negative", LEAT_GGUF_I32);
    g_u32(&o, (uint32_t)-3);
    g_key(&o, "a.names", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_STRING);
    g_u64(&o, 3);
    g_text(&o, "one");
    g_text(&o, "");
    g_text(&o, "three");
    g_key(&o, "a.scores", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_F32);
    g_u64(&o, 2);
    g_f32(&o, 1.5f);
    g_f32(&o, -2.0f);
    g_tensor(&o, "zeta.weight", LEAT_GGUF_T_F32, 4, 2, 0);
    g_tensor(&o, "alpha.weight", LEAT_GGUF_T_Q8_0, 32, 1, 32);
    g_pad(&o, 32);
    for (int i = 0; i < 8; i++) g_f32(&o, (float)i);
    o.bytes[o.n++] = 0;
    o.bytes[o.n++] = 0x3c; /* 1.0 as a half */
    for (int i = 0; i < 32; i++) o.bytes[o.n++] = (uint8_t)(i - 16);
    return o;
}

static leat_gguf *open_good(const gguf_out *o) {
    leat_gguf *file;
    leat_error error = {0};
    if (leat_gguf_open_memory(o->bytes, o->n, &file, &error)) fail_msg("%s", error.message);
    return file;
}

static void test_values(void **state) {
    gguf_out o = good(3);
    leat_gguf *file = open_good(&o);
    int64_t integer = 0;
    double real = 0;
    uint64_t at = 0, length = 0;
    const char *text = NULL;
    assert_int_equal(leat_gguf_integer(leat_gguf_find(file, "a.count"), 0, &integer), LEAT_OK);
    assert_int_equal(integer, 7);
    assert_int_equal(leat_gguf_integer(leat_gguf_find(file, "a.negative"), 0, &integer), LEAT_OK);
    assert_int_equal(integer, -3);
    assert_int_equal(leat_gguf_integer(leat_gguf_find(file, "a.count"), 1, &integer), LEAT_EINVAL);
    assert_int_equal(leat_gguf_integer(leat_gguf_find(file, "a.scale"), 0, &integer), LEAT_ETYPE);
    assert_int_equal(leat_gguf_real(leat_gguf_find(file, "a.scores"), 1, &real), LEAT_OK);
    assert_true(real == -2.0);
    assert_int_equal(leat_gguf_string(leat_gguf_find(file, "general.architecture"), &at, &text, &length), LEAT_OK);
    assert_int_equal(length, 5);
    assert_memory_equal(text, "llama", 5);
    assert_int_equal(leat_gguf_string(leat_gguf_find(file, "general.architecture"), &at, &text, &length), LEAT_EEND);
    assert_int_equal(leat_gguf_string(leat_gguf_find(file, "a.count"), &at, &text, &length), LEAT_ETYPE);
    assert_null(leat_gguf_find(file, "a.coun"));
    assert_null(leat_gguf_value_at(file, 6));
    leat_gguf_close(file);
}

static void test_string_array(void **state) {
    static const char *const want[] = {"one", "", "three"};
    gguf_out o = good(2);
    leat_gguf *file = open_good(&o);
    const leat_gguf_value *names = leat_gguf_find(file, "a.names");
    uint64_t at = 0, length;
    const char *text;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(leat_gguf_string(names, &at, &text, &length), LEAT_OK);
        assert_int_equal(length, strlen(want[i]));
        assert_memory_equal(text, want[i], length);
    }
    assert_int_equal(leat_gguf_string(names, &at, &text, &length), LEAT_EEND);
    leat_gguf_close(file);
}

static void test_tensors(void **state) {
    gguf_out o = good(3);
    leat_gguf *file = open_good(&o);
    leat_gguf_info info;
    float out[32];
    leat_gguf_get_info(file, &info);
    assert_int_equal(info.parameters, 40);
    assert_int_equal(info.data_offset % 32, 0);
    const leat_gguf_tensor *q = leat_gguf_find_tensor(file, "alpha.weight"), *f = leat_gguf_find_tensor(file, "zeta.weight");
    assert_int_equal(leat_gguf_dequantize(q, 0, 32, out), LEAT_OK);
    for (int i = 0; i < 32; i++) assert_true(out[i] == (float)(i - 16));
    assert_int_equal(leat_gguf_dequantize(f, 3, 5, out), LEAT_OK);
    assert_true(out[0] == 3 && out[4] == 7);
    assert_int_equal(leat_gguf_dequantize(f, 4, 5, out), LEAT_EINVAL);
    assert_int_equal(leat_gguf_dequantize(q, 1, 31, out), LEAT_EINVAL);
    assert_null(leat_gguf_find_tensor(file, "beta.weight"));
    leat_gguf_close(file);
}

/* ---- bad files -------------------------------------------------------------------------------------------------------------- */

/* On a heap copy of exactly n bytes, so that a read past the end is seen by the sanitizers. */
static void refuse(const gguf_out *o, size_t n, int status, const char *says) {
    leat_gguf *file = (leat_gguf *)1;
    leat_error error = {0};
    uint8_t *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, o->bytes, n);
    int got = leat_gguf_open_memory(copy, n, &file, &error);
    free(copy);
    assert_null(file);
    if (got != status || (says && !strstr(error.message, says))) fail_msg("%zu bytes: %s \"%s\" (expected %s \"%s\")", n, leat_status_name(got), error.message, leat_status_name(status), says);
    assert_true(error.message[0]);
}

static void test_truncated(void **state) {
    gguf_out o = good(3);
    for (size_t n = 0; n < o.n; n++) refuse(&o, n, LEAT_EFORMAT, n < 4 ? "not a GGUF file" : NULL);
}

static void test_hostile_header(void **state) {
    gguf_out o = {.n = 0};
    g_header(&o, 3, UINT64_MAX / 2, 0);
    refuse(&o, o.n, LEAT_EFORMAT, "do not fit");
    o.n = 0;
    g_header(&o, 3, 0, UINT64_MAX);
    refuse(&o, o.n, LEAT_EFORMAT, "do not fit");
    o.n = 0;
    g_header(&o, 4, 0, 0);
    refuse(&o, o.n, LEAT_EUNSUPPORTED, "version 4");
    o.n = 0;
    g_header(&o, 0x03000000, 0, 0);
    refuse(&o, o.n, LEAT_EUNSUPPORTED, "big-endian");
}

static void one_value(gguf_out *o, const char *key, uint32_t kind) {
    o->n = 0;
    g_header(o, 3, 0, 1);
    g_key(o, key, kind);
}

static void test_hostile_values(void **state) {
    gguf_out o;
    one_value(&o, "k", LEAT_GGUF_STRING);
    g_u64(&o, UINT64_MAX);
    refuse(&o, o.n, LEAT_EFORMAT, "ends inside k");
    one_value(&o, "k", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_U64);
    g_u64(&o, UINT64_MAX / 8 + 2); /* times 8 wraps to 8 */
    g_u64(&o, 0);
    refuse(&o, o.n, LEAT_EFORMAT, "ends inside k");
    one_value(&o, "k", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_ARRAY);
    g_u64(&o, 1);
    refuse(&o, o.n, LEAT_EUNSUPPORTED, "array of kind 9");
    one_value(&o, "k", 13);
    g_u32(&o, 0);
    refuse(&o, o.n, LEAT_EFORMAT, "unknown kind 13");
    one_value(&o, "", LEAT_GGUF_U8);
    g_u64(&o, 0);
    refuse(&o, o.n, LEAT_EFORMAT, "0 bytes");
    one_value(&o, "general.alignment", LEAT_GGUF_U32);
    g_u32(&o, 0);
    refuse(&o, o.n, LEAT_EFORMAT, "general.alignment");
    one_value(&o, "general.alignment", LEAT_GGUF_U32);
    g_u32(&o, 48);
    refuse(&o, o.n, LEAT_EFORMAT, "power of two");
}

static void test_twice(void **state) {
    gguf_out o = {.n = 0};
    g_header(&o, 3, 0, 2);
    for (int i = 0; i < 2; i++) {
        g_key(&o, "same", LEAT_GGUF_U64);
        g_u64(&o, 1);
    }
    refuse(&o, o.n, LEAT_EFORMAT, "'same' appears twice");
    o.n = 0;
    g_header(&o, 3, 2, 0);
    for (int i = 0; i < 2; i++) g_tensor(&o, "t", LEAT_GGUF_T_F32, 1, 1, 0);
    g_pad(&o, 32);
    g_f32(&o, 1);
    refuse(&o, o.n, LEAT_EFORMAT, "two tensors");
}

static void one_tensor(uint32_t type, uint64_t columns, uint64_t rows, uint64_t offset, int status, const char *says) {
    gguf_out o = {.n = 0};
    g_header(&o, 3, 1, 0);
    g_tensor(&o, "t", type, columns, rows, offset);
    g_pad(&o, 32);
    for (int i = 0; i < 16; i++) g_u32(&o, 0);
    refuse(&o, o.n, status, says);
}

static void test_hostile_tensors(void **state) {
    one_tensor(LEAT_GGUF_T_F32, 0, 1, 0, LEAT_EFORMAT, "impossible shape");
    one_tensor(LEAT_GGUF_T_F32, UINT64_MAX, 2, 0, LEAT_EFORMAT, "impossible shape");
    one_tensor(LEAT_GGUF_T_F32, (uint64_t)1 << 62, 1, 0, LEAT_EFORMAT, "too large");
    one_tensor(LEAT_GGUF_T_Q4_0, 31, 1, 0, LEAT_EFORMAT, "impossible shape");
    one_tensor(LEAT_GGUF_T_F32, 16, 1, 16, LEAT_EFORMAT, "not aligned");
    one_tensor(LEAT_GGUF_T_F32, 16, 1, 32, LEAT_EFORMAT, "past the end");
    one_tensor(LEAT_GGUF_T_F32, 16, 1, UINT64_MAX - 31, LEAT_EFORMAT, "past the end");
    one_tensor(5, 16, 1, 0, LEAT_EUNSUPPORTED, "unknown type 5");
    one_tensor(UINT32_MAX, 16, 1, 0, LEAT_EUNSUPPORTED, "unknown type");
}

/* ---- exact values ----------------------------------------------------------------------------------------------------------- */

/* quant-vectors.gguf: q.TYPE and, as float32, dq.TYPE as ggml computes it. */
static void test_quant_vectors(void **state) {
    static float out[16 * 256];
    const char *shared = getenv("LEAT_SHARED");
    char path[512];
    leat_gguf *file;
    leat_error error = {0};
    int formats = 0;
    snprintf(path, sizeof path, "%s/models/llm/quant-vectors.gguf", shared ? shared : "../shared");
    if (leat_gguf_open(path, &file, &error)) {
        print_message("skipped: %s\n", error.message);
        skip();
    }
    for (uint64_t i = 0; leat_gguf_tensor_at(file, i); i++) {
        const leat_gguf_tensor *q = leat_gguf_tensor_at(file, i);
        if (strncmp(q->name, "q.", 2) || !leat_gguf_type_supported(q->type)) continue;
        snprintf(path, sizeof path, "d%s", q->name);
        const leat_gguf_tensor *want = leat_gguf_find_tensor(file, path);
        assert_non_null(want);
        assert_int_equal(want->bytes, sizeof out);
        assert_int_equal(leat_gguf_dequantize(q, 0, 16 * 256, out), LEAT_OK);
        if (memcmp(out, want->data, sizeof out)) fail_msg("%s differs from ggml", q->name);
        formats++;
    }
    leat_gguf_close(file);
    assert_true(formats >= 14);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),         cmocka_unit_test(test_string_array),   cmocka_unit_test(test_tensors),
        cmocka_unit_test(test_truncated),      cmocka_unit_test(test_hostile_header), cmocka_unit_test(test_hostile_values),
        cmocka_unit_test(test_twice),          cmocka_unit_test(test_hostile_tensors), cmocka_unit_test(test_quant_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
