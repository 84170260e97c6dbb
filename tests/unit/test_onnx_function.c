/* test_onnx_function.c - model-local functions: inlining, attributes by reference, defaults, nesting, limits. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "onnx_case.h"

#define NODES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* FunctionProto f.NAME: in -> out of the nodes given as text. */
static pb function_of(const char *name, const char *in, const char *out, const char *const *nodes) {
    pb f = {0};
    pb_text(&f, 1, name);
    pb_text(&f, 10, "f");
    onnx_names(&f, 4, in);
    onnx_names(&f, 5, out);
    onnx_opset(&f, 9, "", 13);
    for (; *nodes; nodes++) {
        pb node = onnx_node(*nodes);
        pb_message(&f, 7, &node);
    }
    return f;
}

static pb model_of(const char *const *nodes) {
    pb graph = onnx_graph(nodes), model = onnx_model(&graph);
    onnx_opset(&model, 8, "f", 1);
    return model;
}

static void open_failing(onnx_case *c, pb *model, int status, const char *words) {
    case_open(c, model);
    if (c->status != status || !strstr(c->error.message, words)) fail_msg("status %d: %s", c->status, c->error.message);
    case_close(c);
}

static void a_call_is_replaced_by_the_body(void **state) {
    (void)state;
    onnx_case c;
    pb model = model_of(NODES("f:Twice x -> a", "f:Twice a -> y"));
    pb f = function_of("Twice", "in", "out", NODES("Add in,in -> x", "Identity x -> out")); /* its x is not the graph's x */
    pb_message(&model, 25, &f);
    case_open(&c, &model);
    assert_int_equal(c.status, LEAT_OK);
    leat_graph *g = c.model.graph;
    assert_int_equal(g->n_nodes, 4);
    assert_string_equal(g->nodes[0]->op_type, "Add");
    assert_int_equal(g->nodes[0]->opset, 13);
    assert_ptr_equal(g->nodes[0]->in[0], g->inputs[0]);
    assert_ptr_equal(g->nodes[2]->in[1], g->nodes[1]->out[0]);
    assert_ptr_equal(g->nodes[3]->out[0], g->outputs[0]);
    assert_string_not_equal(g->nodes[0]->out[0]->name, g->nodes[2]->out[0]->name);
    assert_true(strstr(g->nodes[0]->name, "n_a") == g->nodes[0]->name);
    case_close(&c);
}

/* Leaky with alpha by reference; default 0.5 when `with_default`. */
static pb leaky(int with_default) {
    pb f = function_of("Leaky", "in", "out", NODES("Identity in -> i")), node = onnx_node("LeakyRelu i -> out");
    pb attr = onnx_attr("alpha", 1);
    pb_text(&attr, 21, "slope");
    pb_message(&node, 5, &attr);
    pb_message(&f, 7, &node);
    if (with_default) {
        pb given = onnx_attr("slope", 1);
        pb_float(&given, 2, 0.5f);
        pb_message(&f, 11, &given);
    } else {
        pb_text(&f, 6, "slope");
    }
    return f;
}

static void open_leaky(onnx_case *c, int with_default, int with_value) {
    pb graph = onnx_graph(NODES("Neg x -> a")), call = onnx_node("f:Leaky a -> y"), f = leaky(with_default);
    if (with_value) {
        pb attr = onnx_attr("slope", 1);
        pb_float(&attr, 2, 0.25f);
        pb_message(&call, 5, &attr);
    }
    pb_message(&graph, 1, &call);
    pb model = onnx_model(&graph);
    pb_message(&model, 25, &f);
    case_open(c, &model);
    assert_int_equal(c->status, LEAT_OK);
}

static void attributes_are_passed(void **state) {
    (void)state;
    const struct { int with_default, with_value; float expected; } cases[] = {{0, 1, 0.25f}, {1, 1, 0.25f}, {1, 0, 0.5f}, {0, 0, -1}};
    for (int i = 0; i < 4; i++) {
        onnx_case c;
        open_leaky(&c, cases[i].with_default, cases[i].with_value);
        assert_true(leat__attr_float(&c.model.graph->nodes[2]->attrs, "alpha", -1) == cases[i].expected);
        case_close(&c);
    }
}

static void nested_calls_absent_inputs_and_results(void **state) {
    (void)state;
    onnx_case c;
    pb model = model_of(NODES("f:Outer x -> y,_"));
    pb outer = function_of("Outer", "a,b", "r,s", NODES("f:Inner a,b -> r", "Neg a -> s"));
    pb inner = function_of("Inner", "a,b", "r", NODES("Clip a,b -> r"));
    pb_message(&model, 25, &outer);
    pb_message(&model, 25, &inner);
    case_open(&c, &model);
    assert_int_equal(c.status, LEAT_OK);
    leat_graph *g = c.model.graph;
    assert_int_equal(g->n_nodes, 2);
    assert_string_equal(g->nodes[0]->op_type, "Clip");
    assert_null(g->nodes[0]->in[1]);
    assert_ptr_equal(g->nodes[0]->out[0], g->outputs[0]);
    case_close(&c);
}

static void an_input_passed_through_is_copied(void **state) {
    (void)state;
    onnx_case c;
    pb model = model_of(NODES("f:Same x -> y")), f = function_of("Same", "a", "a", NODES("Neg a -> unused"));
    pb_message(&model, 25, &f);
    case_open(&c, &model);
    assert_int_equal(c.status, LEAT_OK);
    assert_string_equal(c.model.graph->nodes[1]->op_type, "Identity");
    assert_ptr_equal(c.model.graph->nodes[1]->out[0], c.model.graph->outputs[0]);
    case_close(&c);
}

static void what_a_function_may_not_do(void **state) {
    (void)state;
    onnx_case c;
    pb model = model_of(NODES("f:Loop x -> y")), f = function_of("Loop", "a", "r", NODES("f:Loop a -> r"));
    pb_message(&model, 25, &f);
    open_failing(&c, &model, LEAT_EFORMAT, "calls itself");
    model = model_of(NODES("Neg x -> outer", "f:Peek x -> y"));
    f = function_of("Peek", "a", "r", NODES("Neg outer -> r"));
    pb_message(&model, 25, &f);
    open_failing(&c, &model, LEAT_EFORMAT, "value 'outer' is not defined");
    model = model_of(NODES("f:Few x,x -> y"));
    f = function_of("Few", "a", "r", NODES("Neg a -> r"));
    pb_message(&model, 25, &f);
    open_failing(&c, &model, LEAT_EFORMAT, "the call has 2 inputs");
    model = model_of(NODES("f:None x -> y"));
    f = function_of("None", "a", "r", NODES("Neg a -> b"));
    pb_message(&model, 25, &f);
    open_failing(&c, &model, LEAT_EFORMAT, "does not make its output 'r'");
    model = model_of(NODES("Neg x -> y"));
    for (int i = 0; i < 2; i++) {
        f = function_of("Same", "a", "r", NODES("Neg a -> r"));
        pb_message(&model, 25, &f);
    }
    open_failing(&c, &model, LEAT_EFORMAT, "function 'Same' is defined twice");
}

static void exponential_growth_is_stopped(void **state) {
    (void)state;
    onnx_case c;
    pb model = model_of(NODES("f:F0 x -> y"));
    for (int i = 0; i < 30; i++) {
        char name[16], first[64], second[64];
        snprintf(name, sizeof name, "F%d", i);
        snprintf(first, sizeof first, i < 29 ? "f:F%d a -> t" : "Neg a -> t", i + 1);
        snprintf(second, sizeof second, i < 29 ? "f:F%d t -> r" : "Neg t -> r", i + 1);
        pb f = function_of(name, "a", "r", NODES(first, second));
        pb_message(&model, 25, &f);
    }
    open_failing(&c, &model, LEAT_ELIMIT, "too many nodes");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_replaced_by_the_body),    cmocka_unit_test(attributes_are_passed),
        cmocka_unit_test(nested_calls_absent_inputs_and_results), cmocka_unit_test(an_input_passed_through_is_copied),
        cmocka_unit_test(what_a_function_may_not_do),        cmocka_unit_test(exponential_growth_is_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
