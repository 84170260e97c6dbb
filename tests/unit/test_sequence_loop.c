/* test_sequence_loop.c - a Loop that has no condition and carries a sequence: rows of growing length are collected and joined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "leat/model.h"
#include "onnx_writer.h"

#define ANY_RANK (-1)

/* ValueInfoProto of a sequence of float tensors. */
static pb sequence_value(const char *name) {
    pb value = {0}, tensor = {0}, element = {0}, sequence = {0}, type = {0};
    pb_int(&tensor, 1, 1);
    pb_message(&element, 1, &tensor);
    pb_message(&sequence, 1, &element);
    pb_message(&type, 4, &sequence);
    pb_text(&value, 1, name);
    pb_message(&value, 2, &type);
    return value;
}

static void add_nodes(pb *graph, const char *const *nodes) {
    for (; *nodes; nodes++) {
        pb node = onnx_node(*nodes);
        if (strncmp(*nodes, "Cast", 4) == 0) onnx_attr_int(&node, "to", 1);
        if (strncmp(*nodes, "Concat", 6) == 0) onnx_attr_int(&node, "axis", 0);
        pb_message(graph, 1, &node);
    }
}

static void add_value(pb *graph, int field, pb value) { pb_message(graph, field, &value); }

/* Iteration i appends [i, .., i], i + 1 of them. */
static pb body_graph(void) {
    static const char *const nodes[] = {"Cast i -> f", "Add i,one -> n1", "Reshape n1,one -> shape", "Expand f,shape -> row",
                                        "SequenceInsert s_in,row -> s_out", "Identity c_in -> c_out", NULL};
    pb body = {0};
    pb_text(&body, 2, "body");
    add_nodes(&body, nodes);
    add_value(&body, 11, onnx_value("i", 7, 0, NULL));
    add_value(&body, 11, onnx_value("c_in", 9, 0, NULL));
    add_value(&body, 11, sequence_value("s_in"));
    add_value(&body, 12, onnx_value("c_out", 9, 0, NULL));
    add_value(&body, 12, sequence_value("s_out"));
    return body;
}

static pb loop_model(void) {
    static const char *const before[] = {"SequenceEmpty -> s0", NULL};
    static const char *const after[] = {"ConcatFromSequence s1 -> y", "SequenceLength s1 -> len", NULL};
    const int64_t one = 1;
    pb graph = {0}, loop = onnx_node("Loop n,_,s0 -> s1"), attr = onnx_attr("body", 5), body = body_graph();
    pb_text(&graph, 2, "g");
    add_nodes(&graph, before);
    pb_message(&attr, 6, &body);
    pb_message(&loop, 5, &attr);
    pb_message(&graph, 1, &loop);
    add_nodes(&graph, after);
    add_value(&graph, 5, onnx_tensor("one", 7, 1, &one, &one, sizeof one));
    add_value(&graph, 11, onnx_value("n", 7, 0, NULL));
    add_value(&graph, 12, onnx_value("y", 1, ANY_RANK, NULL));
    add_value(&graph, 12, onnx_value("len", 7, ANY_RANK, NULL));
    return onnx_model(&graph);
}

static void test_collects_rows(void **state) {
    static const float want[] = {0, 1, 1, 2, 2, 2, 3, 3, 3, 3};
    pb file = loop_model();
    leat_model *model;
    leat_context *context;
    leat_error error = {0};
    leat_tensor y, len;
    int64_t trips = 4;
    if (leat_model_open_memory(file.data, file.n, NULL, &model, &error)) fail_msg("%s", error.message);
    assert_int_equal(leat_context_open(model, NULL, &context, &error), LEAT_OK);
    for (int round = 0; round < 3; round++) { /* the plan serves any number of iterations */
        trips = round == 1 ? 2 : 4;
        leat_tensor n = {.data = &trips, .dtype = LEAT_DTYPE_I64};
        assert_int_equal(leat_context_set_input(context, 0, &n, &error), LEAT_OK);
        if (leat_context_run(context, &error)) fail_msg("%s", error.message);
        assert_int_equal(leat_context_output(context, 0, &y), LEAT_OK);
        assert_int_equal(leat_context_output(context, 1, &len), LEAT_OK);
        assert_int_equal(y.dims[0], trips * (trips + 1) / 2);
        assert_memory_equal(y.data, want, (size_t)y.dims[0] * sizeof(float));
        assert_int_equal(*(const int64_t *)len.data, trips);
    }
    leat_context_close(context);
    leat_model_unref(model);
    pb_free(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_collects_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
