/* test_onnx_import.c - graphs: order, names, constants, inner graphs, versions, and what is refused with which words. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/clock.h"
#include "onnx_case.h"

static void open_nodes(onnx_case *c, const char *const *nodes) {
    pb graph = onnx_graph(nodes), model = onnx_model(&graph);
    case_open(c, &model);
}

static void expect_failure(onnx_case *c, int status, const char *words) {
    if (c->status != status || !strstr(c->error.message, words)) fail_msg("status %d, message '%s', wanted %d, '%s'", c->status, c->error.message, status, words);
    assert_null(c->model.graph);
    case_close(c);
}

static void refuse_nodes(const char *const *nodes, int status, const char *words) {
    onnx_case c;
    open_nodes(&c, nodes);
    expect_failure(&c, status, words);
}
#define NODES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const leat_value *value_of(const onnx_case *c, const char *name) {
    const leat_value *value = leat__graph_find(c->model.graph, name);
    assert_non_null(value);
    return value;
}

static void a_chain_is_read(void **state) {
    (void)state;
    onnx_case c;
    open_nodes(&c, NODES("Relu x -> a", "Clip a,_,m -> y", "Constant -> unused"));
    expect_failure(&c, LEAT_EFORMAT, "node 'n_y' (Clip) at byte");
    open_nodes(&c, NODES("Relu x -> a", "Clip a,_,x -> y"));
    assert_int_equal(c.status, LEAT_OK);
    leat_graph *g = c.model.graph;
    assert_int_equal(g->n_nodes, 2);
    assert_int_equal(g->opset, 17);
    assert_string_equal(g->nodes[1]->name, "n_y");
    assert_int_equal(g->nodes[1]->n_in, 3);
    assert_null(g->nodes[1]->in[1]);
    assert_ptr_equal(g->nodes[1]->in[0]->producer, g->nodes[0]);
    assert_int_equal(g->inputs[0]->uses, 2);
    assert_int_equal(g->inputs[0]->dims[0], -1);
    assert_string_equal(g->inputs[0]->dim_names[0], "N");
    assert_int_equal(g->outputs[0]->is_output, 1);
    assert_string_equal(c.model.producer, "leat-test");
    case_close(&c);
}

static void unordered_nodes_are_sorted(void **state) {
    (void)state;
    onnx_case c;
    open_nodes(&c, NODES("Neg c -> y", "Neg b -> c", "Neg a -> b", "Neg x -> a"));
    assert_int_equal(c.status, LEAT_OK);
    for (int i = 0; i + 1 < 4; i++) assert_ptr_equal(c.model.graph->nodes[i + 1]->in[0], c.model.graph->nodes[i]->out[0]);
    case_close(&c);
}

static void broken_graphs_are_named(void **state) {
    (void)state;
    refuse_nodes(NODES("Add x,b -> a", "Neg a -> b", "Neg b -> y"), LEAT_EFORMAT, "depends on itself");
    refuse_nodes(NODES("Add x,y -> y"), LEAT_EFORMAT, "depends on itself");
    refuse_nodes(NODES("Neg x -> y", "Neg x -> y"), LEAT_EFORMAT, "value 'y' is defined twice");
    refuse_nodes(NODES("Neg x -> x", "Neg x -> y"), LEAT_EFORMAT, "value 'x' is defined twice");
    refuse_nodes(NODES("Neg z -> y"), LEAT_EFORMAT, "input 0: value 'z' is not defined");
    refuse_nodes(NODES("Neg x -> z"), LEAT_EFORMAT, "output of graph 'g': value 'y' is not defined");
    refuse_nodes(NODES("Constant -> a", "Neg x -> y"), LEAT_EFORMAT, "a Constant without a value");
}

static void unknown_operators_stay_for_the_list(void **state) {
    (void)state;
    onnx_case c;
    open_nodes(&c, NODES("NoSuchOp x -> a", "com.example:Thing a -> y"));
    assert_int_equal(c.status, LEAT_OK);
    assert_null(c.model.graph->nodes[0]->op);
    assert_string_equal(c.model.graph->nodes[1]->domain, "com.example");
    assert_int_equal(c.model.graph->nodes[1]->opset, 1);
    case_close(&c);
}

static void initializers_become_constants(void **state) {
    (void)state;
    onnx_case c;
    const float values[3] = {1, 2, 3};
    const int64_t dims[1] = {3};
    pb graph = onnx_graph(NODES("Add x,w -> y")), w = onnx_floats("w", 3, values), also_input = onnx_value("w", 1, 1, dims);
    pb_message(&graph, 11, &also_input);
    pb_message(&graph, 5, &w);
    pb model = onnx_model(&graph);
    case_open(&c, &model);
    assert_int_equal(c.status, LEAT_OK);
    assert_int_equal(c.model.graph->n_inputs, 1);
    assert_int_equal(c.model.parameters, 3);
    const leat_value *value = value_of(&c, "w");
    assert_memory_equal(value->constant->data, values, sizeof values);
    assert_int_equal((uintptr_t)value->constant->data % 4, 0);
    assert_int_equal(value->dtype, LEAT_DTYPE_F32);
    case_close(&c);
}

static void initializer_twice_is_refused(void **state) {
    (void)state;
    onnx_case c;
    const float one = 1;
    pb graph = onnx_graph(NODES("Add x,w -> y"));
    for (int i = 0; i < 2; i++) {
        pb w = onnx_floats("w", 1, &one);
        pb_message(&graph, 5, &w);
    }
    pb model = onnx_model(&graph);
    case_open(&c, &model);
    expect_failure(&c, LEAT_EFORMAT, "value 'w' is defined twice");
}

/* A graph with one Constant node "c" that has the attribute. */
static void open_constant(onnx_case *c, pb *attr) {
    pb graph = onnx_graph(NODES("Add x,c -> y")), node = onnx_node("Constant -> c");
    pb_message(&node, 5, attr);
    pb_message(&graph, 1, &node);
    pb model = onnx_model(&graph);
    case_open(c, &model);
    assert_int_equal(c->status, LEAT_OK);
    assert_int_equal(c->model.graph->n_nodes, 1);
}

static void constant_nodes_become_constants(void **state) {
    (void)state;
    onnx_case c;
    pb attr = onnx_attr("value_ints", 7);
    for (int i = 0; i < 3; i++) pb_int(&attr, 8, i - 1);
    open_constant(&c, &attr);
    const leat_tensor *t = value_of(&c, "c")->constant;
    assert_int_equal(t->dtype, LEAT_DTYPE_I64);
    assert_int_equal(t->dims[0], 3);
    assert_int_equal(((const int64_t *)t->data)[0], -1);
    case_close(&c);
    attr = onnx_attr("value_float", 0); /* a file that leaves the type out */
    pb_float(&attr, 2, 2.5f);
    open_constant(&c, &attr);
    t = value_of(&c, "c")->constant;
    assert_int_equal(t->rank, 0);
    assert_true(((const float *)t->data)[0] == 2.5f);
    case_close(&c);
    attr = onnx_attr("value_strings", 8);
    pb_text(&attr, 9, "ab");
    pb_text(&attr, 9, "");
    open_constant(&c, &attr);
    t = value_of(&c, "c")->constant;
    assert_int_equal(t->dtype, LEAT_DTYPE_STRING);
    assert_string_equal(((const leat_text *)t->data)[0].text, "ab");
    assert_int_equal(((const leat_text *)t->data)[1].length, 0);
    case_close(&c);
}

/* If on x whose branches read the outer value `captured`, `depth` levels deep. */
static pb nested_if(const char *captured, int depth) {
    pb branch = {0}, out = onnx_value("r", 1, -1, NULL);
    pb_text(&branch, 2, "branch");
    if (depth == 0) {
        char text[64];
        snprintf(text, sizeof text, "Neg %s -> r", captured);
        pb node = onnx_node(text);
        pb_message(&branch, 1, &node);
    } else {
        pb node = onnx_node("If x -> r"), attr = onnx_attr("then_branch", 5), inner = nested_if(captured, depth - 1);
        pb_message(&attr, 6, &inner);
        pb_message(&node, 5, &attr);
        pb_message(&branch, 1, &node);
    }
    pb_message(&branch, 12, &out);
    return branch;
}

static void open_if(onnx_case *c, const char *captured, int depth) {
    pb node = onnx_node("If x -> y"), attr = onnx_attr("then_branch", 5), branch = nested_if(captured, depth), graph = {0};
    pb later = onnx_node("Neg x -> a"), in = onnx_value("x", 9, 0, NULL), out = onnx_value("y", 1, -1, NULL);
    pb_message(&attr, 6, &branch);
    pb_message(&node, 5, &attr);
    pb_message(&graph, 1, &node);
    pb_message(&graph, 1, &later); /* the If must move behind it */
    pb_message(&graph, 11, &in);
    pb_message(&graph, 12, &out);
    pb model = onnx_model(&graph);
    case_open(c, &model);
}

static void inner_graphs_capture_outer_values(void **state) {
    (void)state;
    onnx_case c;
    open_if(&c, "a", 2);
    assert_int_equal(c.status, LEAT_OK);
    leat_graph *g = c.model.graph;
    assert_string_equal(g->nodes[0]->op_type, "Neg");
    leat_graph *inner = g;
    for (int i = 0; i < 3; i++) {
        leat_graph *parent = inner;
        inner = leat__attr(&inner->nodes[inner == g]->attrs, "then_branch")->graph;
        assert_ptr_equal(inner->parent, parent);
    }
    assert_ptr_equal(inner->nodes[0]->in[0], g->nodes[0]->out[0]);
    case_close(&c);
    open_if(&c, "nowhere", 1);
    expect_failure(&c, LEAT_EFORMAT, "value 'nowhere' is not defined");
    open_if(&c, "a", 40);
    expect_failure(&c, LEAT_ELIMIT, "nested too deeply");
}

static void open_versions(onnx_case *c, int64_t ir, int64_t opset, const char *domain) {
    pb graph = onnx_graph(NODES("Neg x -> y")), model = {0};
    pb_int(&model, 1, ir);
    if (opset) onnx_opset(&model, 8, domain, opset);
    pb_message(&model, 7, &graph);
    case_open(c, &model);
}

static void versions_are_checked(void **state) {
    (void)state;
    onnx_case c;
    const int64_t fine[][2] = {{3, 6}, {13, 28}, {8, 17}};
    for (int i = 0; i < 3; i++) {
        open_versions(&c, fine[i][0], fine[i][1], "ai.onnx");
        assert_int_equal(c.status, LEAT_OK);
        assert_int_equal(c.model.opset, fine[i][1]);
        case_close(&c);
    }
    open_versions(&c, 14, 17, "");
    expect_failure(&c, LEAT_EUNSUPPORTED, "IR version 14");
    open_versions(&c, 8, 5, "");
    expect_failure(&c, LEAT_EUNSUPPORTED, "opset 5 of ai.onnx");
    open_versions(&c, 8, 29, "");
    expect_failure(&c, LEAT_EUNSUPPORTED, "opset 29");
    open_versions(&c, 8, 3, "com.example");
    expect_failure(&c, LEAT_EFORMAT, "imports no opset of ai.onnx");
}

static void what_is_no_model_is_refused(void **state) {
    (void)state;
    onnx_case c;
    pb nothing = {0}, noise = {0}, cut = {0};
    case_open(&c, &nothing);
    expect_failure(&c, LEAT_EFORMAT, "this is not an ONNX model");
    pb_raw(&noise, "GIF89a and so on", 16);
    case_open(&c, &noise);
    expect_failure(&c, LEAT_EFORMAT, "damaged or cut off");
    pb_raw(&cut, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13); /* a varint of more than 10 bytes */
    case_open(&c, &cut);
    expect_failure(&c, LEAT_EFORMAT, "damaged or cut off at byte 1");
}

static void sequences_and_high_ranks_are_refused(void **state) {
    (void)state;
    onnx_case c;
    pb graph = onnx_graph(NODES("Neg x -> y")), value = {0}, type = {0}, sequence = {0};
    pb_message(&type, 4, &sequence);
    pb_text(&value, 1, "s");
    pb_message(&value, 2, &type);
    pb_message(&graph, 11, &value);
    pb model = onnx_model(&graph);
    case_open(&c, &model);
    expect_failure(&c, LEAT_EUNSUPPORTED, "value 's' is a sequence");
    const int64_t nine[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    graph = onnx_graph(NODES("Neg x -> y"));
    value = onnx_value("r", 1, 9, nine);
    pb_message(&graph, 11, &value);
    model = onnx_model(&graph);
    case_open(&c, &model);
    expect_failure(&c, LEAT_EUNSUPPORTED, "more than 8 dimensions");
    graph = onnx_graph(NODES("Neg x -> y"));
    value = onnx_value("q", 22, 0, NULL);
    pb_message(&graph, 11, &value);
    model = onnx_model(&graph);
    case_open(&c, &model);
    expect_failure(&c, LEAT_EUNSUPPORTED, "int4");
}

static void many_nodes_open_fast(void **state) {
    (void)state;
    enum { N = 20000 };
    onnx_case c;
    pb graph = onnx_graph(NODES("Neg x -> v0"));
    for (int i = 1; i <= N; i++) {
        char text[64];
        snprintf(text, sizeof text, i < N ? "Neg v%d -> v%d" : "Neg v%d -> y", i - 1, i);
        pb node = onnx_node(text);
        pb_message(&graph, 1, &node);
    }
    pb model = onnx_model(&graph);
    case_open(&c, &model);
    assert_int_equal(c.status, LEAT_OK);
    assert_int_equal(c.model.graph->n_nodes, N + 1);
    case_close(&c);
}

/* One node that reads what all the others, which stand behind it, make: sorting must not be quadratic in its inputs. */
static void a_wide_unsorted_node_is_sorted_fast(void **state) {
    (void)state;
    enum { N = 30000 };
    onnx_case c;
    pb graph = {0}, sum = {0}, in = onnx_value("x", 1, 0, NULL), out = onnx_value("y", 1, 0, NULL);
    char name[32];
    pb_text(&sum, 4, "Sum");
    pb_text(&sum, 2, "y");
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "v%d", i);
        pb_text(&sum, 1, name);
    }
    pb_message(&graph, 1, &sum);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "Neg x -> v%d", i);
        pb node = onnx_node(name);
        pb_message(&graph, 1, &node);
    }
    pb_message(&graph, 11, &in);
    pb_message(&graph, 12, &out);
    pb model = onnx_model(&graph);
    int64_t start = leat__cpu_ns();
    case_open(&c, &model);
    assert_int_equal(c.status, LEAT_OK);
    assert_string_equal(c.model.graph->nodes[N]->op_type, "Sum");
    assert_true(leat__cpu_ns() - start < 400000000); /* 10 ms; 450 million steps if every input were looked for anew */
    case_close(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_is_read),
        cmocka_unit_test(unordered_nodes_are_sorted),
        cmocka_unit_test(broken_graphs_are_named),
        cmocka_unit_test(unknown_operators_stay_for_the_list),
        cmocka_unit_test(initializers_become_constants),
        cmocka_unit_test(initializer_twice_is_refused),
        cmocka_unit_test(constant_nodes_become_constants),
        cmocka_unit_test(inner_graphs_capture_outer_values),
        cmocka_unit_test(versions_are_checked),
        cmocka_unit_test(what_is_no_model_is_refused),
        cmocka_unit_test(sequences_and_high_ranks_are_refused),
        cmocka_unit_test(many_nodes_open_fast),
        cmocka_unit_test(a_wide_unsorted_node_is_sorted_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
