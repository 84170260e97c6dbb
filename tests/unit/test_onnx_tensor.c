/* test_onnx_tensor.c - TensorProto in all its spellings, sparse tensors, and sizes that lie. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "onnx_case.h"

typedef struct parsed {
    leat_arena  arena;
    leat_tensor tensor;
    leat_error  error;
    uint8_t    *data;
    int         status;
} parsed;

static void parse(parsed *p, pb *message) {
    memset(p, 0, sizeof *p);
    leat__arena_init(&p->arena, LEAT_MEMORY_GRAPH);
    p->data = malloc(message->n + 1);
    memcpy(p->data, message->data, message->n);
    p->status = leat__onnx_tensor_parse(p->data, message->n, &p->arena, &p->tensor, NULL, &p->error);
    pb_free(message);
}

static void drop(parsed *p) {
    leat__arena_fini(&p->arena);
    free(p->data);
}

static void refuse(pb *message, int status, const char *words) {
    parsed p;
    parse(&p, message);
    if (p.status != status || !strstr(p.error.message, words)) fail_msg("status %d: %s", p.status, p.error.message);
    assert_null(p.tensor.data);
    drop(&p);
}

static pb typed(int type, int64_t n) { return onnx_tensor("t", type, 1, &n, NULL, 0); }

static void raw_bytes_are_used_or_copied(void **state) {
    (void)state;
    float values[100];
    for (int i = 0; i < 100; i++) values[i] = (float)i;
    for (int shift = 0; shift < 8; shift++) {
        char name[16];
        parsed p;
        memset(name, 'n', sizeof name);
        name[shift] = 0; /* moves the data by one byte each time */
        pb message = onnx_floats(name, 100, values), padded = {0};
        pb_raw(&padded, message.data, message.n);
        char doc[80] = {0};
        pb_bytes(&padded, 12, doc, sizeof doc); /* a tail, so that use in place is allowed */
        pb_free(&message);
        parse(&p, &padded);
        assert_int_equal(p.status, LEAT_OK);
        assert_int_equal((uintptr_t)p.tensor.data % sizeof(float), 0);
        assert_memory_equal(p.tensor.data, values, sizeof values);
        drop(&p);
    }
}

static void number_lists_packed_and_not(void **state) {
    (void)state;
    for (int packed = 0; packed < 2; packed++) {
        const int64_t values[4] = {-1, 5, 1ll << 40, INT64_MIN};
        pb message = typed(7, 4), list = {0};
        parsed p;
        for (int i = 0; i < 4; i++) {
            if (packed) pb_var(&list, (uint64_t)values[i]);
            else pb_int(&message, 7, values[i]);
        }
        if (packed) pb_message(&message, 7, &list);
        parse(&p, &message);
        assert_int_equal(p.status, LEAT_OK);
        assert_memory_equal(p.tensor.data, values, sizeof values);
        drop(&p);
    }
    pb message = typed(1, 3), list = {0}; /* both spellings in one tensor */
    const float floats[3] = {1, -2, 3};
    parsed p;
    pb_raw(&list, floats, 8);
    pb_message(&message, 4, &list);
    pb_float(&message, 4, floats[2]);
    parse(&p, &message);
    assert_memory_equal(p.tensor.data, floats, sizeof floats);
    drop(&p);
}

static void small_types_ride_in_int32_data(void **state) {
    (void)state;
    const struct { int type, size; } types[] = {{2, 1}, {3, 1}, {4, 2}, {5, 2}, {6, 4}, {10, 2}, {16, 2}};
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        pb message = typed(types[k].type, 2);
        parsed p;
        pb_int(&message, 5, 0x7f);
        pb_int(&message, 5, -2);
        parse(&p, &message);
        assert_int_equal(p.status, LEAT_OK);
        const int64_t first = 0x7f, second = -2;
        assert_memory_equal(p.tensor.data, &first, types[k].size);
        assert_memory_equal((char *)p.tensor.data + types[k].size, &second, types[k].size);
        drop(&p);
    }
    pb message = typed(9, 3);
    parsed p;
    for (int i = 0; i < 3; i++) pb_int(&message, 5, i * 256); /* 256 is true although its low byte is 0 */
    parse(&p, &message);
    assert_memory_equal(p.tensor.data, "\0\1\1", 3);
    drop(&p);
}

static void scalars_and_empty_tensors(void **state) {
    (void)state;
    pb scalar = onnx_tensor("s", 1, 0, NULL, NULL, 0);
    parsed p;
    pb_float(&scalar, 4, 7);
    parse(&p, &scalar);
    assert_int_equal(p.status, LEAT_OK);
    assert_int_equal(p.tensor.rank, 0);
    assert_true(*(float *)p.tensor.data == 7);
    drop(&p);
    const int64_t dims[3] = {2, 0, 5};
    pb empty = onnx_tensor("e", 1, 3, dims, NULL, 0);
    parse(&p, &empty);
    assert_int_equal(p.status, LEAT_OK);
    assert_int_equal(leat_tensor_count(&p.tensor), 0);
    assert_non_null(p.tensor.data);
    drop(&p);
}

static void strings_keep_their_bytes(void **state) {
    (void)state;
    pb message = typed(8, 2);
    parsed p;
    pb_bytes(&message, 6, "a\0b", 3);
    pb_bytes(&message, 6, "", 0);
    parse(&p, &message);
    const leat_text *texts = p.tensor.data;
    assert_int_equal(p.status, LEAT_OK);
    assert_int_equal(texts[0].length, 3);
    assert_memory_equal(texts[0].text, "a\0b", 4);
    assert_string_equal(texts[1].text, "");
    drop(&p);
}

static void sizes_that_lie_are_refused(void **state) {
    (void)state;
    const float one = 1;
    const int64_t huge[4] = {1ll << 40, 1ll << 40, 3, 1}, hidden[3] = {0, 1ll << 62, 1ll << 62}, negative[1] = {-4};
    pb t = onnx_tensor("t", 1, 4, huge, &one, 4);
    refuse(&t, LEAT_ELIMIT, "too large");
    t = onnx_tensor("t", 1, 3, hidden, NULL, 0);
    refuse(&t, LEAT_ELIMIT, "too large");
    t = onnx_tensor("t", 1, 1, negative, &one, 4);
    refuse(&t, LEAT_EFORMAT, "negative dimension");
    t = onnx_tensor("t", 1, 0, NULL, &one, 3);
    refuse(&t, LEAT_EFORMAT, "3 bytes of data, but its shape needs 4");
    t = typed(1, 3);
    pb_float(&t, 4, 1);
    refuse(&t, LEAT_EFORMAT, "1 values, but its shape needs 3");
    t = typed(7, 1);
    pb_bytes(&t, 7, "\xff", 1); /* a packed number that is cut off: no complete value */
    refuse(&t, LEAT_EFORMAT, "0 values");
    t = typed(22, 1);
    refuse(&t, LEAT_EUNSUPPORTED, "int4 is not supported");
    t = typed(99, 1);
    refuse(&t, LEAT_EFORMAT, "unknown element type 99");
    t = typed(1, 1);
    pb_bytes(&t, 3, "", 0);
    refuse(&t, LEAT_EUNSUPPORTED, "segments");
    const int64_t ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    t = onnx_tensor("t", 1, 9, ones, &one, 4);
    refuse(&t, LEAT_EUNSUPPORTED, "more than 8 dimensions");
}

/* ---- sparse ---- */

static void open_sparse(onnx_case *c, const int64_t *dims, int rank, const int64_t *indices, int64_t rows, int64_t columns) {
    const float values[2] = {5, 6};
    const int64_t shape[2] = {rows, columns};
    pb sparse = {0}, v = onnx_floats("w", 2, values), i = onnx_tensor("", 7, columns ? 2 : 1, shape, indices, (size_t)(rows * (columns ? columns : 1)) * 8);
    pb_message(&sparse, 1, &v);
    pb_message(&sparse, 2, &i);
    for (int d = 0; d < rank; d++) pb_int(&sparse, 3, dims[d]);
    pb graph = onnx_graph((const char *const[]){"Add x,w -> y", NULL});
    pb_message(&graph, 15, &sparse);
    pb model = onnx_model(&graph);
    case_open(c, &model);
}

static void sparse_initializers_are_expanded(void **state) {
    (void)state;
    const int64_t dims[2] = {2, 3}, linear[2] = {1, 5}, pairs[4] = {0, 1, 1, 2}, outside[2] = {1, 6}, huge[2] = {1 << 20, 1 << 20};
    const float expected[6] = {0, 5, 0, 0, 0, 6};
    for (int form = 0; form < 2; form++) {
        onnx_case c;
        open_sparse(&c, dims, 2, form ? pairs : linear, 2, form ? 2 : 0);
        assert_int_equal(c.status, LEAT_OK);
        assert_memory_equal(leat__graph_find(c.model.graph, "w")->constant->data, expected, sizeof expected);
        case_close(&c);
    }
    onnx_case c;
    open_sparse(&c, dims, 2, outside, 2, 0);
    assert_int_equal(c.status, LEAT_EFORMAT);
    case_close(&c);
    open_sparse(&c, huge, 2, linear, 2, 0);
    assert_int_equal(c.status, LEAT_ELIMIT);
    case_close(&c);
    open_sparse(&c, dims, 2, linear, 1, 0);
    assert_int_equal(c.status, LEAT_EFORMAT);
    case_close(&c);
}

/* Weights in the caller's memory must survive: giving back their pages would zero them. */
static void memory_of_the_caller_is_left_alone(void **state) {
    (void)state;
    enum { N = 40000 };
    leat_arena arena;
    leat_onnx_model model;
    float *values = malloc(N * sizeof *values);
    for (int i = 0; i < N; i++) values[i] = (float)i;
    for (int shift = 0; shift < 4; shift++) {
        pb graph = onnx_graph((const char *const[]){"Add x,w -> y", NULL}), w = onnx_floats("w", N, values), doc = {0};
        pb_message(&graph, 5, &w);
        pb_bytes(&graph, 10, "a tail of more than 64 bytes behind the weights, so that they may be used in place", 80);
        pb_bytes(&doc, 6, "abc", (size_t)shift);
        pb inner = onnx_model(&graph);
        pb_raw(&doc, inner.data, inner.n);
        uint8_t *copy = malloc(doc.n);
        memcpy(copy, doc.data, doc.n);
        leat__arena_init(&arena, LEAT_MEMORY_GRAPH);
        assert_int_equal(leat__onnx_import(doc.data, doc.n, NULL, LEAT_ONNX_IN_PLACE, 0, &arena, &model, NULL), LEAT_OK);
        leat_tensor *constant = leat__graph_find(model.graph, "w")->constant;
        assert_true((uint8_t *)constant->data > doc.data && (uint8_t *)constant->data < doc.data + doc.n);
        assert_int_equal(leat__onnx_settle(constant, &arena, NULL), LEAT_OK);
        assert_int_equal((uintptr_t)constant->data % sizeof(float), 0);
        assert_memory_equal(constant->data, values, N * sizeof *values);
        assert_memory_equal(doc.data, copy, doc.n);
        leat__arena_fini(&arena);
        free(copy);
        pb_free(&doc);
        pb_free(&inner);
    }
    free(values);
}

static void settle_copies_what_is_unaligned(void **state) {
    (void)state;
    leat_arena arena;
    leat__arena_init(&arena, LEAT_MEMORY_GRAPH);
    char bytes[64 + 5] = "xabcd";
    leat_tensor t = {.data = bytes + 1};
    const int64_t dims[1] = {1};
    leat__tensor_set(&t, LEAT_DTYPE_F32, 1, dims);
    assert_int_equal(leat__onnx_settle(&t, &arena, NULL), LEAT_OK);
    assert_ptr_equal(t.data, bytes + 1);
    t.flags = LEAT_TENSOR_UNALIGNED;
    assert_int_equal(leat__onnx_settle(&t, &arena, NULL), LEAT_OK);
    assert_ptr_not_equal(t.data, bytes + 1);
    assert_memory_equal(t.data, "abcd", 4);
    assert_int_equal(t.flags, 0);
    leat__arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_bytes_are_used_or_copied),    cmocka_unit_test(number_lists_packed_and_not),
        cmocka_unit_test(small_types_ride_in_int32_data),  cmocka_unit_test(scalars_and_empty_tensors),
        cmocka_unit_test(strings_keep_their_bytes),        cmocka_unit_test(sizes_that_lie_are_refused),
        cmocka_unit_test(sparse_initializers_are_expanded), cmocka_unit_test(settle_copies_what_is_unaligned),
        cmocka_unit_test(memory_of_the_caller_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
