/* test_graph.c - building, sorting, indexing and editing the intermediate representation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "graph/graph.h"

typedef struct fixture {
    leat_arena arena;
    leat_graph graph;
} fixture;

static int open_graph(void **state) {
    static fixture f;
    memset(&f, 0, sizeof f);
    leat__arena_init(&f.arena, LEAT_MEMORY_GRAPH);
    f.graph.arena = &f.arena;
    f.graph.name = "test";
    *state = &f;
    return 0;
}

static int close_graph(void **state) {
    leat__arena_fini(&((fixture *)*state)->arena);
    return 0;
}

static leat_node *unary(leat_graph *graph, leat_value *in, leat_value *out) {
    leat_node *node = leat__graph_node(graph, -1, "", "NoSuchOperator", 13, 1, 1);
    assert_non_null(node);
    node->in[0] = in;
    node->out[0] = out;
    return node;
}

static void sort_puts_producers_first(void **state) {
    leat_graph *graph = &((fixture *)*state)->graph;
    leat_value *v[6];
    for (int i = 0; i < 6; i++) v[i] = leat__graph_value(graph, NULL);
    for (int i = 4; i >= 0; i--) unary(graph, v[i], v[i + 1]);
    leat_error error = {0};
    assert_int_equal(leat__graph_sort(graph, &error), LEAT_OK);
    for (int i = 0; i < 5; i++) assert_ptr_equal(graph->nodes[i]->in[0], v[i]);
}

static void a_cycle_is_an_error_that_names_the_value(void **state) {
    leat_graph *graph = &((fixture *)*state)->graph;
    leat_value *a = leat__graph_value(graph, "a"), *b = leat__graph_value(graph, "b");
    unary(graph, a, b);
    unary(graph, b, a);
    leat_error error = {0};
    assert_int_equal(leat__graph_sort(graph, &error), LEAT_EFORMAT);
    assert_non_null(strstr(error.message, "itself"));
}

static void index_counts_readers(void **state) {
    leat_graph *graph = &((fixture *)*state)->graph;
    leat_value *a = leat__graph_value(graph, "a"), *b = leat__graph_value(graph, "b"), *c = leat__graph_value(graph, "c");
    leat_node  *first = unary(graph, a, b), *second = unary(graph, b, c);
    leat_value *outputs[1] = {c};
    graph->outputs = outputs;
    graph->n_outputs = 1;
    leat__graph_index(graph);
    assert_int_equal(b->uses, 1);
    assert_ptr_equal(b->reader, second);
    assert_ptr_equal(b->producer, first);
    assert_int_equal(c->uses, 1);
    leat__graph_replace_uses(graph, b, a);
    leat__graph_index(graph);
    assert_int_equal(b->uses, 0);
    assert_int_equal(a->uses, 2);
}

static void dead_nodes_go(void **state) {
    leat_graph *graph = &((fixture *)*state)->graph;
    leat_value *a = leat__graph_value(graph, "a"), *b = leat__graph_value(graph, "b");
    leat_node  *first = unary(graph, a, b), *second = unary(graph, b, leat__graph_value(graph, "c"));
    first->dead = 1;
    leat__graph_compact(graph);
    assert_int_equal(graph->n_nodes, 1);
    assert_ptr_equal(graph->nodes[0], second);
    assert_int_equal(leat__graph_at(graph, first), -1);
}

static void attributes_are_replaced_not_repeated(void **state) {
    leat_graph *graph = &((fixture *)*state)->graph;
    leat_node  *node = unary(graph, leat__graph_value(graph, "a"), leat__graph_value(graph, "b"));
    leat__node_attr_set_int(node, "axis", 3);
    leat__node_attr_set_int(node, "axis", 4);
    leat__node_attr_set_string(node, "act", "relu");
    assert_int_equal(node->attrs.n, 2);
    assert_int_equal(leat__attr_int(&node->attrs, "axis", 0), 4);
    assert_string_equal(leat__attr_string(&node->attrs, "act", ""), "relu");
    assert_int_equal(leat__attr_int(&node->attrs, "absent", -7), -7);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_graph, close_graph)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(sort_puts_producers_first), TEST(a_cycle_is_an_error_that_names_the_value), TEST(index_counts_readers),
        TEST(dead_nodes_go), TEST(attributes_are_replaced_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
