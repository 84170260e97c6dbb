/* test_pass_clean.c - folding, tidying, equal nodes, transposes in a row, widening. */
#include "graph_build.h"

/* ---- fold ---------------------------------------------------------------------------------------------------------------- */

static void constants_are_computed_at_load(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 2, 2, 3), *sum = gb_op(g, "Add", 2, gb_random(g, 0, 1, 2, 2, 3), gb_random(g, 0, 1, 1, 3));
    gb_output(g, gb_op(g, "Mul", 2, x, gb_op(g, "Exp", 1, sum)));
    gb_optimise(g, LEAT_MODEL_NO_FUSION);
    assert_int_equal(g->graph.n_nodes, 1);
    assert_non_null(g->graph.nodes[0]->in[1]->constant);
}

static void large_expansions_stay(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 1, 1), *wide = gb_op(g, "Expand", 2, gb_scalar(g, 2), gb_ints(g, 1, 2000000));
    gb_output(g, gb_op(g, "ReduceMax", 1, gb_op(g, "Add", 2, x, wide)));
    gb_optimise(g, LEAT_MODEL_NO_FUSION);
    assert_int_equal(gb_count(g, "", "Expand"), 1);
}

static void known_dims_of_a_partly_unknown_shape_fold(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 2, -1, 6), *index = gb_ints(g, 1, 1);
    leat_value *width = gb_op(g, "Gather", 2, gb_op(g, "Shape", 1, x), index);
    gb_output(g, gb_op(g, "Reshape", 2, x, gb_op(g, "Concat", 2, gb_ints(g, 1, -1), width)));
    leat__node_attr_set_int(g->graph.nodes[2], "axis", 0);
    gb_optimise(g, LEAT_MODEL_NO_FUSION);
    assert_int_equal(gb_count(g, "", "Shape") + gb_count(g, "", "Gather") + gb_count(g, "", "Concat"), 0);
}

static leat_graph *branch(gb *g, leat_value *x, const char *op_type) {
    leat_graph *inner = leat__arena_calloc(&g->arena, 1, sizeof *inner);
    inner->arena = &g->arena;
    inner->parent = &g->graph;
    inner->name = op_type;
    leat_node *node = leat__graph_node(inner, -1, "", op_type, g->opset, 1, 1);
    node->in[0] = x;
    node->out[0] = leat__graph_value(inner, "y");
    inner->outputs = leat__arena_calloc(&g->arena, 1, sizeof *inner->outputs);
    inner->outputs[inner->n_outputs++] = node->out[0];
    return inner;
}

static void a_decided_condition_leaves_one_branch(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 1, 4), *condition = leat__graph_constant(&g->graph, LEAT_DTYPE_BOOL, 0, (int64_t[]){0});
    *(uint8_t *)condition->constant->data = 1;
    leat_value *y = gb_op(g, "If", 1, condition);
    leat__node_attr_add(y->producer, "then_branch", LEAT_ATTR_GRAPH)->graph = branch(g, x, "Exp");
    leat__node_attr_add(y->producer, "else_branch", LEAT_ATTR_GRAPH)->graph = branch(g, x, "Neg");
    gb_output(g, y);
    leat_error error = {0};
    assert_int_equal(leat__graph_optimize(&g->graph, 0, &error), LEAT_OK);
    assert_int_equal(g->graph.n_nodes, 1);
    assert_int_equal(gb_count(g, "", "Exp"), 1);
    assert_ptr_equal(g->graph.nodes[0]->out[0], y);
    assert_int_equal(gb_run(g, g->after), 4);
}

/* ---- tidy ---------------------------------------------------------------------------------------------------------------- */

static void what_computes_nothing_goes(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 2, 2, 3), *y = gb_op(g, "Relu", 1, gb_op(g, "Identity", 1, x));
    y = gb_op(g, "Mul", 2, gb_op(g, "Add", 2, y, gb_scalar(g, 0)), gb_scalar(g, 1));
    y = gb_op(g, "Reshape", 2, gb_op(g, "Dropout", 1, y), gb_ints(g, 2, 2, 3));
    gb_op(g, "Exp", 1, y); /* nobody reads it */
    leat_value *out = gb_op(g, "Identity", 1, y);
    gb_output(g, out);
    gb_optimise(g, LEAT_MODEL_NO_FUSION);
    assert_int_equal(g->graph.n_nodes, 1);
    assert_ptr_equal(g->graph.nodes[0]->out[0], out); /* the name of the output stays */
}

static void an_identity_from_input_to_output_stays(void **state) {
    gb *g = *state;
    gb_output(g, gb_op(g, "Identity", 1, gb_input(g, 1, 4)));
    gb_optimise(g, 0);
    assert_int_equal(g->graph.n_nodes, 1);
}

static void a_one_that_broadcasts_stays(void **state) {
    gb *g = *state;
    gb_output(g, gb_op(g, "Mul", 2, gb_input(g, 1, 4), gb_random(g, 1, 1, 3, 1, 1, 1)));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Mul"), 1);
}

/* ---- equal nodes ----------------------------------------------------------------------------------------------------------- */

static void equal_nodes_become_one(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 1, 8);
    leat_value *a = gb_op(g, "Exp", 1, gb_op(g, "Mul", 2, x, gb_scalar(g, 0.5)));
    leat_value *b = gb_op(g, "Exp", 1, gb_op(g, "Mul", 2, x, gb_scalar(g, 0.5)));
    leat_value *c = gb_op(g, "Exp", 1, gb_op(g, "Mul", 2, x, gb_scalar(g, 0.25)));
    gb_output(g, gb_op(g, "Add", 2, gb_op(g, "Add", 2, a, b), c));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Exp"), 2);
    assert_int_equal(gb_count(g, "", "Mul"), 2);
}

static void constants_made_by_a_pass_are_not_mixed_up(void **state) {
    gb *g = *state;
    leat_value *a = gb_op(g, "Max", 2, gb_input(g, 2, 4, 5), gb_scalar(g, -0.3)), *b = gb_op(g, "Div", 2, a, gb_scalar(g, 0.5));
    gb_output(g, gb_op(g, "Min", 2, a, gb_scalar(g, 0.9)));
    gb_output(g, gb_op(g, "Min", 2, gb_op(g, "Max", 2, b, gb_scalar(g, -0.3)), gb_scalar(g, 0.9)));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Clip"), 1);
}

static void nodes_of_different_attributes_stay_two(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 1, 8), *a = gb_op(g, "LeakyRelu", 1, x), *b = gb_op(g, "LeakyRelu", 1, x);
    leat__node_attr_set_float(a->producer, "alpha", 0.1f);
    leat__node_attr_set_float(b->producer, "alpha", 0.2f);
    gb_output(g, gb_op(g, "Add", 2, a, b));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "LeakyRelu"), 2);
}

/* ---- transposes and reshapes ------------------------------------------------------------------------------------------------ */

static leat_value *transpose(gb *g, leat_value *x, int a, int b, int c) {
    leat_value *y = gb_op(g, "Transpose", 1, x);
    gb_ints_attr(y, "perm", 3, a, b, c);
    return y;
}

static void transposes_cancel(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 3, 2, 3, 4);
    gb_output(g, gb_op(g, "Exp", 1, transpose(g, transpose(g, x, 1, 2, 0), 2, 0, 1)));
    gb_optimise(g, 0);
    assert_int_equal(g->graph.n_nodes, 1);
}

static void transposes_merge(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 3, 2, 3, 4);
    gb_output(g, gb_op(g, "Exp", 1, transpose(g, transpose(g, x, 1, 0, 2), 1, 2, 0)));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Transpose"), 1);
}

static void a_transpose_of_ones_is_a_reshape(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 3, 5, 1, 4);
    gb_output(g, gb_op(g, "Exp", 1, transpose(g, x, 1, 0, 2)));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Transpose"), 0);
    assert_int_equal(gb_count(g, "", "Reshape"), 1);
}

static void only_the_last_reshape_counts(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 3, 2, 3, 4);
    leat_value *y = gb_op(g, "Unsqueeze", 2, gb_op(g, "Flatten", 1, x), gb_ints(g, 1, 0));
    gb_output(g, gb_op(g, "Exp", 1, gb_op(g, "Reshape", 2, y, gb_ints(g, 2, 6, -1))));
    gb_optimise(g, 0);
    assert_int_equal(g->graph.n_nodes, 2);
}

/* ---- widen ----------------------------------------------------------------------------------------------------------------- */

static void halves_compute_in_float32(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 2, 4, 8), *w = leat__graph_constant(&g->graph, LEAT_DTYPE_F16, 2, (int64_t[]){8, 3});
    leat_value *one = leat__graph_constant(&g->graph, LEAT_DTYPE_F16, 1, (int64_t[]){3});
    x->dtype = LEAT_DTYPE_F16;
    for (int i = 0; i < 24; i++) leat__tensor_set_float(w->constant, i, 0.125 * i);
    for (int i = 0; i < 3; i++) leat__tensor_set_float(one->constant, i, 1);
    leat_value *y = gb_op(g, "Add", 2, gb_op(g, "MatMul", 2, x, w), one);
    gb_output(g, y);
    y->dtype = LEAT_DTYPE_F16;
    leat_error error = {0};
    assert_int_equal(leat__graph_optimize(&g->graph, LEAT_MODEL_NO_FUSION, &error), LEAT_OK);
    assert_int_equal(gb_count(g, "", "Cast"), 2);
    assert_int_equal(gb_find(g, "", "MatMul")->in[1]->constant->dtype, LEAT_DTYPE_F32);
    assert_int_equal(x->dtype, LEAT_DTYPE_F16);
    assert_int_equal(g->graph.outputs[0]->dtype, LEAT_DTYPE_F16);
    assert_int_equal(gb_run(g, g->after), 12);
    for (int i = 0; i < 12; i++) assert_true(isfinite(g->after[i]));
}

/* The number of parts is a Split's number of outputs, read or not. */
static void unread_parts_still_count(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 1, 12);
    leat_node *split = leat__graph_node(&g->graph, -1, "", "Split", 13, 1, 4);
    split->in[0] = x;
    for (int o = 0; o < 4; o++) (split->out[o] = leat__graph_value(&g->graph, NULL))->producer = split;
    gb_output(g, gb_op(g, "Sub", 2, split->out[2], split->out[0]));
    gb_optimise(g, LEAT_MODEL_NO_FUSION);
    assert_int_equal(gb_run(g, g->after), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        GB_TEST(constants_are_computed_at_load), GB_TEST(large_expansions_stay), GB_TEST(known_dims_of_a_partly_unknown_shape_fold),
        GB_TEST(a_decided_condition_leaves_one_branch),
        GB_TEST(what_computes_nothing_goes), GB_TEST(an_identity_from_input_to_output_stays), GB_TEST(a_one_that_broadcasts_stays),
        GB_TEST(equal_nodes_become_one), GB_TEST(constants_made_by_a_pass_are_not_mixed_up),
        GB_TEST(nodes_of_different_attributes_stay_two), GB_TEST(transposes_cancel),
        GB_TEST(transposes_merge), GB_TEST(a_transpose_of_ones_is_a_reshape), GB_TEST(only_the_last_reshape_counts),
        GB_TEST(halves_compute_in_float32), GB_TEST(unread_parts_still_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
