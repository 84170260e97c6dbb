/* test_gguf_lessons.c - what went wrong in other readers of GGUF, each case once: products and sums of sizes that wrap, lengths from the file that are believed, alignments
 * of any value and type, dimensions of zero, tensors that reach behind the end, hyperparameters that divide by zero or ask for the world. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf_build.h"
#include "leat/lm.h"

/* In a block of its exact size, so that a sanitizer sees any read behind it. */
static int open_exact(const uint8_t *bytes, size_t n, leat_error *error) {
    leat_gguf *file = NULL;
    uint8_t *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    int status = leat_gguf_open_memory(copy, n, &file, error);
    leat_gguf_close(file);
    free(copy);
    return status;
}

static void refused(const gguf_out *o, const char *what) {
    leat_error error = {0};
    int status = open_exact(o->bytes, o->n, &error);
    if (status != LEAT_EFORMAT && status != LEAT_EUNSUPPORTED && status != LEAT_ELIMIT) fail_msg("%s: %s", what, leat_status_name(status));
    if (!error.message[0]) fail_msg("%s: no message", what);
}

static void tensor_of(gguf_out *o, uint32_t rank, const uint64_t dims[4], uint32_t type, uint64_t offset) {
    o->n = 0;
    g_header(o, 3, 1, 0);
    g_text(o, "t");
    g_u32(o, rank);
    for (uint32_t i = 0; i < rank && i < 8; i++) g_u64(o, dims[i % 4]);
    g_u32(o, type);
    g_u64(o, offset);
    g_pad(o, 32);
    for (int i = 0; i < 32; i++) g_u32(o, 0);
}

/* Element counts and byte counts that wrap to something small. */
static void test_products(void **state) {
    static const uint64_t dims[][4] = {
        {UINT64_C(1) << 32, UINT64_C(1) << 32, 1, 1}, {UINT64_C(1) << 33, UINT64_C(1) << 31, 2, 1}, {UINT64_C(1) << 16, UINT64_C(1) << 16, UINT64_C(1) << 16, UINT64_C(1) << 16},
        {UINT64_C(1) << 62, 1, 1, 1}, {UINT64_C(1) << 62, 4, 1, 1}, {UINT64_C(1) << 63, 1, 1, 1}, {UINT64_C(1) << 63, 2, 1, 1}, {UINT64_MAX, 1, 1, 1}, {UINT64_MAX, UINT64_MAX, 1, 1},
        {32, UINT64_C(0x0800000000000001), 1, 1}, /* bytes wrap to those of one row */
        {UINT64_C(0x4000000000000001), 4, 1, 1},  /* elements wrap to 4 */
        {UINT64_C(1) << 31, UINT64_C(1) << 31, UINT64_C(1) << 31, 1}, {0, 1, 1, 1}, {1, 0, 1, 1}, {32, 1, 1, 0}, {INT64_MAX, 1, 1, 1}, {32, INT64_MAX, 1, 1},
    };
    static const uint32_t types[] = {LEAT_GGUF_T_F32, LEAT_GGUF_T_F16, LEAT_GGUF_T_Q8_0, LEAT_GGUF_T_Q4_K, LEAT_GGUF_T_IQ4_XS};
    gguf_out o;
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
            tensor_of(&o, 4, dims[i], types[t], 0);
            refused(&o, "dims");
        }
}

static void test_ranks_and_offsets(void **state) {
    static const uint64_t ones[4] = {16, 1, 1, 1};
    static const uint64_t offsets[] = {1, 31, 96, 128, UINT64_C(1) << 62, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 31, UINT64_MAX - 63, INT64_MAX};
    static const uint32_t ranks[] = {5, 6, UINT32_C(1) << 16, UINT32_C(1) << 31, UINT32_MAX};
    gguf_out o;
    tensor_of(&o, 2, ones, LEAT_GGUF_T_F32, 0);
    leat_error error = {0};
    assert_int_equal(open_exact(o.bytes, o.n, &error), LEAT_OK);
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        tensor_of(&o, 2, ones, LEAT_GGUF_T_F32, offsets[i]);
        refused(&o, "offset");
    }
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
        tensor_of(&o, ranks[i], ones, LEAT_GGUF_T_F32, 0);
        refused(&o, "rank");
    }
    tensor_of(&o, 2, ones, LEAT_GGUF_T_F32, 64); /* the data begins within the file and ends behind it */
    o.n -= 1;
    refused(&o, "end");
}

/* Lengths that are believed before they are compared with what is left: 43 bytes that ask for 2^63 elements. */
static void test_lengths(void **state) {
    static const uint64_t lengths[] = {UINT64_C(1) << 31, UINT64_C(1) << 32, UINT64_C(1) << 60, UINT64_C(1) << 61, UINT64_C(1) << 62, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 7, INT64_MAX};
    gguf_out o;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (uint32_t item = 0; item < LEAT_GGUF_KINDS; item++) { /* an array's elements */
            o.n = 0;
            g_header(&o, 3, 0, 1);
            g_key(&o, "k", LEAT_GGUF_ARRAY);
            g_u32(&o, item);
            g_u64(&o, lengths[i]);
            refused(&o, "array");
            g_u64(&o, 0);
            refused(&o, "array and 8 bytes");
        }
        o.n = 0; /* a string */
        g_header(&o, 3, 0, 1);
        g_key(&o, "k", LEAT_GGUF_STRING);
        g_u64(&o, lengths[i]);
        refused(&o, "string");
        o.n = 0; /* a key, the name of a tensor */
        g_header(&o, 3, 0, 1);
        g_u64(&o, lengths[i]);
        refused(&o, "key");
        o.n = 0;
        g_header(&o, 3, 1, 0);
        g_u64(&o, lengths[i]);
        refused(&o, "name");
        o.n = 0; /* numbers of values and tensors */
        g_header(&o, 3, lengths[i], 0);
        refused(&o, "tensors");
        o.n = 0;
        g_header(&o, 3, 0, lengths[i]);
        refused(&o, "values");
        o.n = 0; /* a string within an array */
        g_header(&o, 3, 0, 1);
        g_key(&o, "k", LEAT_GGUF_ARRAY);
        g_u32(&o, LEAT_GGUF_STRING);
        g_u64(&o, 1);
        g_u64(&o, lengths[i]);
        refused(&o, "string of an array");
    }
}

/* Any number as the alignment, and things that are no number. */
static void test_alignment(void **state) {
    static const uint32_t values[] = {0, 3, 33, 48, UINT32_C(1) << 30, UINT32_C(1) << 31, UINT32_MAX, UINT32_MAX - 31};
    gguf_out o;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        o.n = 0;
        g_header(&o, 3, 1, 1);
        g_key(&o, "general.alignment", LEAT_GGUF_U32);
        g_u32(&o, values[i]);
        g_tensor(&o, "t", LEAT_GGUF_T_F32, 1, 1, 0);
        g_pad(&o, 64);
        g_u32(&o, 0);
        refused(&o, "alignment");
    }
    o.n = 0;
    g_header(&o, 3, 0, 1);
    g_key(&o, "general.alignment", LEAT_GGUF_STRING);
    g_text(&o, "32");
    refused(&o, "alignment that is text");
    o.n = 0;
    g_header(&o, 3, 0, 1);
    g_key(&o, "general.alignment", LEAT_GGUF_U64);
    g_u64(&o, (UINT64_C(1) << 32) + 32); /* 32 when it is cut to 32 bits */
    refused(&o, "alignment of 64 bits");
    o.n = 0;
    g_header(&o, 3, 0, 1);
    g_key(&o, "general.alignment", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_U32);
    g_u64(&o, 0);
    refused(&o, "alignment that is an empty array");
}

/* ---- whole models ----------------------------------------------------------------------------------------------------------- */

/* Opens, and where that works evaluates two tokens: any status will do, as long as there is one. */
static void try_model(const uint8_t *bytes, size_t n, const char *what) {
    leat_lm *lm = NULL;
    leat_lm_session *session = NULL;
    leat_lm_options options;
    leat_lm_session_options small;
    leat_error error = {0};
    static const int32_t tokens[] = {1, 2};
    leat_lm_options_default(&options);
    options.threads = 1;
    if (leat_lm_open_memory(bytes, n, &options, &lm, &error)) {
        if (!error.message[0] || lm) fail_msg("%s: refused without a message", what);
        return;
    }
    leat_lm_session_options_default(&small);
    small.context = 16;
    small.batch = 4;
    if (leat_lm_session_open(lm, &small, &session, &error) == LEAT_OK) {
        leat_lm_sync(session, tokens, 2, &error);
        leat_lm_session_close(session);
    }
    leat_lm_unref(lm);
}

static uint8_t *read_model(size_t *n) {
    const char *shared = getenv("LEAT_SHARED");
    char path[512];
    snprintf(path, sizeof path, "%s/models/llm/stories260K.gguf", shared ? shared : "../shared");
    FILE *file = fopen(path, "rb");
    if (!file) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    uint8_t *bytes = malloc(4 << 20);
    assert_non_null(bytes);
    *n = fread(bytes, 1, 4 << 20, file);
    fclose(file);
    return bytes;
}

/* Every number among the metadata becomes zero, one, negative, huge. */
static void test_hyperparameters(void **state) {
    static const uint64_t hostile[] = {0, 1, 3, UINT64_C(0x7FFFFFFF), UINT64_C(0x80000000), UINT64_C(0xFFFFFFFF), UINT64_C(0x7FC00000) /* NaN */, UINT64_C(0x7F800000) /* infinity */};
    size_t n;
    uint8_t *bytes = read_model(&n);
    leat_gguf *file;
    leat_error error = {0};
    int tried = 0;
    assert_int_equal(leat_gguf_open_memory(bytes, n, &file, &error), LEAT_OK);
    for (uint64_t i = 0; leat_gguf_value_at(file, i); i++) {
        const leat_gguf_value *v = leat_gguf_value_at(file, i);
        if (v->kind == LEAT_GGUF_STRING || v->kind == LEAT_GGUF_ARRAY || v->bytes > 8) continue;
        uint8_t *at = bytes + (v->data - bytes), kept[8];
        memcpy(kept, at, v->bytes);
        for (size_t k = 0; k < sizeof hostile / sizeof *hostile; k++, tried++) {
            memcpy(at, &hostile[k], v->bytes);
            try_model(bytes, n, v->key);
        }
        memcpy(at, kept, v->bytes);
    }
    leat_gguf_close(file);
    free(bytes);
    assert_true(tried > 50);
}

/* The file ends anywhere; the dimensions, types and offsets of tensors are others. */
static void test_directory(void **state) {
    size_t n;
    uint8_t *bytes = read_model(&n);
    leat_gguf *file;
    leat_error error = {0};
    leat_gguf_info info;
    assert_int_equal(leat_gguf_open_memory(bytes, n, &file, &error), LEAT_OK);
    leat_gguf_get_info(file, &info);
    leat_gguf_close(file);
    for (size_t cut = 0; cut < info.data_offset; cut += 61) {
        uint8_t *copy = malloc(cut ? cut : 1);
        assert_non_null(copy);
        memcpy(copy, bytes, cut);
        try_model(copy, cut, "cut");
        free(copy);
    }
    for (size_t at = (size_t)info.data_offset - 4000; at + 4 <= info.data_offset; at += 7) {
        static const uint32_t words[] = {0, 1, 0x80000000u, 0xFFFFFFFFu};
        uint32_t kept;
        memcpy(&kept, bytes + at, 4);
        for (int k = 0; k < 4; k++) {
            memcpy(bytes + at, &words[k], 4);
            try_model(bytes, n, "directory");
        }
        memcpy(bytes + at, &kept, 4);
    }
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products), cmocka_unit_test(test_ranks_and_offsets), cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_alignment), cmocka_unit_test(test_hyperparameters),  cmocka_unit_test(test_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
