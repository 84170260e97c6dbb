/* test_pass_fuse.c - activations, norms, convolution and matrix product fusion, attention, inverted residuals. */
#include "graph_build.h"

static const char *act_of(const leat_node *node) { return leat__attr_string(&node->attrs, "act", "none"); }

/* ---- activations ----------------------------------------------------------------------------------------------------------- */

static void x_sigmoid_x_is_one_node(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 2, 3, 5);
    gb_output(g, gb_op(g, "Mul", 2, gb_op(g, "Sigmoid", 1, x), x));
    gb_optimise(g, 0);
    assert_int_equal(g->graph.n_nodes, 1);
}

static leat_value *relu6_plus3(gb *g, leat_value *x) {
    leat_value *y = gb_op(g, "Add", 2, x, gb_scalar(g, 3));
    return gb_op(g, "Min", 2, gb_op(g, "Max", 2, y, gb_scalar(g, 0)), gb_scalar(g, 6));
}

static void hard_swish_in_steps_is_one_node(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 2, 3, 5);
    gb_output(g, gb_op(g, "Div", 2, gb_op(g, "Mul", 2, x, relu6_plus3(g, x)), gb_scalar(g, 6)));
    gb_output(g, gb_op(g, "Mul", 2, x, gb_op(g, "Mul", 2, gb_scalar(g, 1.0 / 6), relu6_plus3(g, x))));
    gb_output(g, gb_op(g, "Div", 2, relu6_plus3(g, x), gb_scalar(g, 6)));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "HardSwish") + gb_count(g, "", "HardSigmoid"), g->graph.n_nodes);
    assert_int_equal(gb_count(g, "", "HardSigmoid"), 1);
}

static leat_value *erf_of(gb *g, leat_value *x) { return gb_op(g, "Erf", 1, gb_op(g, "Div", 2, x, gb_scalar(g, sqrt(2)))); }

static void gelu_in_any_order_is_one_node(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 2, 3, 5), *half = gb_scalar(g, 0.5), *one = gb_scalar(g, 1);
    leat_value *a = gb_op(g, "Add", 2, erf_of(g, x), one), *b = gb_op(g, "Exp", 1, x), *c = gb_op(g, "Neg", 1, x);
    gb_output(g, gb_op(g, "Mul", 2, gb_op(g, "Mul", 2, x, a), half));
    gb_output(g, gb_op(g, "Mul", 2, gb_op(g, "Mul", 2, b, half), gb_op(g, "Add", 2, one, erf_of(g, b))));
    gb_output(g, gb_op(g, "Mul", 2, gb_op(g, "Mul", 2, half, gb_op(g, "Add", 2, erf_of(g, c), one)), c));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Gelu"), 3);
    assert_int_equal(g->graph.n_nodes, 5);
}

static void tanh_gelu_is_one_node(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 2, 3, 5);
    leat_value *cube = gb_op(g, "Mul", 2, gb_scalar(g, 0.044715), gb_op(g, "Pow", 2, x, gb_scalar(g, 3)));
    leat_value *t = gb_op(g, "Tanh", 1, gb_op(g, "Mul", 2, gb_op(g, "Add", 2, x, cube), gb_scalar(g, 0.7978845608)));
    gb_output(g, gb_op(g, "Mul", 2, gb_op(g, "Mul", 2, x, gb_scalar(g, 0.5)), gb_op(g, "Add", 2, t, gb_scalar(g, 1))));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Gelu"), 1);
    assert_int_equal(g->graph.n_nodes, 1);
}

static void a_gate_of_another_value_stays(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 2, 3, 5), *y = gb_input(g, 2, 3, 5);
    gb_output(g, gb_op(g, "Mul", 2, gb_op(g, "Sigmoid", 1, x), y));
    gb_optimise(g, 0);
    assert_int_equal(g->graph.n_nodes, 2);
}

/* ---- norms ------------------------------------------------------------------------------------------------------------------ */

static leat_value *mean(gb *g, leat_value *x) {
    leat_value *y = gb_op(g, "ReduceMean", 1, x);
    gb_ints_attr(y, "axes", 1, -1);
    return y;
}

static void layer_norm_in_steps_is_one_node(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 3, 2, 3, 8), *d = gb_op(g, "Sub", 2, x, mean(g, x));
    leat_value *v = gb_op(g, "Add", 2, mean(g, gb_op(g, "Pow", 2, d, gb_scalar(g, 2))), gb_scalar(g, 1e-3));
    leat_value *y = gb_op(g, "Mul", 2, gb_op(g, "Div", 2, d, gb_op(g, "Sqrt", 1, v)), gb_random(g, 0.5, 1.5, 1, 8));
    gb_output(g, gb_op(g, "Add", 2, y, gb_random(g, -1, 1, 1, 8)));
    gb_optimise(g, 0);
    assert_int_equal(g->graph.n_nodes, 1);
    assert_int_equal(g->graph.nodes[0]->n_in, 3);
    assert_true(fabsf(leat__attr_float(&g->graph.nodes[0]->attrs, "epsilon", 0) - 1e-3f) < 1e-9f);
}

static void a_mean_over_another_axis_stays(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 3, 2, 8, 8), *m = mean(g, x), *d = gb_op(g, "Sub", 2, x, m);
    gb_ints_attr(m, "axes", 1, 1);
    leat_value *v = gb_op(g, "Add", 2, mean(g, gb_op(g, "Mul", 2, d, d)), gb_scalar(g, 1e-3));
    gb_output(g, gb_op(g, "Div", 2, d, gb_op(g, "Sqrt", 1, v)));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "LayerNormalization"), 0);
}

/* ---- convolution ------------------------------------------------------------------------------------------------------------- */

static void batch_norm_scale_and_shift_go_into_the_weights(void **state) {
    gb *g = *state;
    leat_value *y = gb_batch_norm(g, gb_conv(g, gb_input(g, 4, 1, 4, 6, 6), 8, 4, 3, 2), 8);
    y = gb_op(g, "Mul", 2, y, gb_random(g, 0.5, 2, 3, 8, 1, 1));
    y = gb_op(g, "Sub", 2, y, gb_random(g, -1, 1, 4, 1, 8, 1, 1));
    gb_output(g, gb_op(g, "Div", 2, y, gb_scalar(g, 3)));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Conv"), 1);
    assert_int_equal(gb_count(g, "", "BatchNormalization") + gb_count(g, "", "Mul") + gb_count(g, "", "Sub") + gb_count(g, "", "Div"), 0);
}

static void large_weights_are_scaled_when_packed(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 4, 1, 32, 6, 6), *y = gb_conv(g, x, 32, 32, 3, 1), *w = y->producer->in[1];
    y = gb_op(g, "Mul", 2, gb_batch_norm(g, y, 32), gb_random(g, 0.5, 2, 3, 32, 1, 1));
    gb_output(g, gb_op(g, "Relu", 1, gb_op(g, "Add", 2, y, x)));
    gb_optimise(g, 0);
    leat_node *conv = gb_find(g, "leat", "Conv");
    assert_int_equal(g->graph.n_nodes, 3); /* with the two conversions */
    assert_ptr_equal(conv->in[1], w);
    assert_non_null(conv->in[4]);
}

static void a_transposed_convolution_takes_batch_norm(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 4, 1, 4, 5, 5), *y = gb_op(g, "ConvTranspose", 2, x, gb_random(g, -1, 1, 4, 4, 3, 2, 2));
    leat__node_attr_set_int(y->producer, "group", 2);
    gb_output(g, gb_batch_norm(g, y, 6));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "BatchNormalization"), 0);
}

static void a_shift_in_front_needs_no_padding(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 4, 1, 4, 6, 6);
    gb_output(g, gb_conv(g, gb_op(g, "Sub", 2, gb_op(g, "Div", 2, x, gb_scalar(g, 255)), gb_random(g, 0, 1, 3, 4, 1, 1)), 5, 4, 1, 1));
    gb_output(g, gb_conv(g, gb_op(g, "Add", 2, x, gb_random(g, 0, 1, 3, 4, 1, 1)), 5, 4, 3, 1)); /* padded: stays */
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Sub") + gb_count(g, "", "Div"), 0);
    assert_int_equal(gb_count(g, "", "Add"), 1);
}

static void zero_padding_goes_into_the_convolution(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 4, 1, 4, 6, 6), *y = gb_op(g, "Pad", 2, x, gb_ints(g, 8, 0, 0, 1, 0, 0, 0, 1, 2));
    gb_output(g, gb_conv(g, y, 5, 4, 3, 1));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Pad"), 0);
    int n;
    const int64_t *pads = leat__attr_ints(&gb_find(g, "", "Conv")->attrs, "pads", &n);
    assert_int_equal(n, 4);
    assert_int_equal(pads[0], 2);
    assert_int_equal(pads[3], 3);
}

static void padding_by_another_value_stays(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 4, 1, 4, 6, 6), *y = gb_op(g, "Pad", 3, x, gb_ints(g, 8, 0, 0, 1, 1, 0, 0, 1, 1), gb_scalar(g, 1));
    gb_output(g, gb_conv(g, y, 5, 4, 3, 1));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Pad"), 1);
}

static void residual_and_activation_in_both_orders(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 4, 1, 8, 6, 6);
    leat_value *a = gb_op(g, "Relu", 1, gb_op(g, "Add", 2, x, gb_conv(g, x, 8, 8, 3, 1)));
    leat_value *s = gb_conv(g, a, 8, 8, 1, 1);
    gb_output(g, gb_op(g, "Add", 2, gb_op(g, "Mul", 2, s, gb_op(g, "Sigmoid", 1, s)), a));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "leat", "Conv"), 2);
    assert_int_equal(gb_count(g, "", "Add") + gb_count(g, "", "Relu") + gb_count(g, "", "Sigmoid"), 0);
    int after = 0;
    for (int i = 0; i < g->graph.n_nodes; i++) after += (int)leat__attr_int(&g->graph.nodes[i]->attrs, "residual_after", 0);
    assert_int_equal(after, 1);
}

static void two_convolutions_meet_in_the_later_one(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 4, 1, 4, 6, 6), *a = gb_conv(g, x, 8, 4, 1, 1), *b = gb_conv(g, x, 8, 4, 3, 1);
    gb_output(g, gb_op(g, "Relu", 1, gb_op(g, "Add", 2, a, b)));
    gb_optimise(g, 0);
    leat_node *fused = gb_find(g, "leat", "Conv");
    assert_int_equal(fused->in[1]->constant->dims[2], 3);
    assert_non_null(fused->in[3]);
    assert_string_equal(act_of(fused), "relu");
}

static void an_addition_that_broadcasts_stays(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 4, 1, 4, 6, 6), *s = gb_input(g, 4, 1, 4, 1, 1);
    gb_output(g, gb_op(g, "Add", 2, gb_conv(g, x, 4, 4, 3, 1), s));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Add"), 1);
}

static void a_residual_of_unknown_size_is_seen_by_the_probe(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 4, -1, 4, -1, -1);
    gb_output(g, gb_op(g, "Add", 2, gb_conv(g, x, 4, 4, 3, 1), x));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Add"), 0);
}

static void a_value_that_others_read_is_not_absorbed(void **state) {
    gb *g = *state;
    leat_value *y = gb_conv(g, gb_input(g, 4, 1, 4, 6, 6), 4, 4, 3, 1);
    gb_output(g, gb_op(g, "Relu", 1, y));
    gb_output(g, y);
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Relu"), 1);
}

static void a_sigmoid_over_few_channels_stays(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 4, 1, 16, 6, 6);
    gb_output(g, gb_op(g, "Sigmoid", 1, gb_conv(g, x, 3, 16, 1, 1)));
    gb_output(g, gb_op(g, "Sigmoid", 1, gb_conv(g, x, 24, 16, 1, 1)));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Sigmoid"), 1);
}

static void an_inverted_residual_is_one_node(void **state) {
    gb *g = *state;
    if (!leat__op_find("leat", "InvertedResidual", 1)) {
        print_message("skipped: the operator table has no InvertedResidual\n");
        skip();
    }
    leat_value *x = gb_input(g, 4, 1, 8, 40, 40), *b6[2] = {gb_scalar(g, 0), gb_scalar(g, 6)};
    leat_value *y = gb_op(g, "Clip", 3, gb_conv(g, x, 48, 8, 1, 1), b6[0], b6[1]);
    y = gb_op(g, "Clip", 3, gb_conv(g, y, 48, 48, 3, 48), b6[0], b6[1]);
    gb_output(g, gb_op(g, "Add", 2, x, gb_conv(g, y, 8, 48, 1, 1)));
    gb_optimise(g, 0);
    leat_node *block = gb_find(g, "leat", "InvertedResidual");
    assert_non_null(block->in[7]);
    assert_string_equal(leat__attr_string(&block->attrs, "actd", ""), "clip");
    assert_true(leat__attr_float(&block->attrs, "act1_hi", 0) == 6);
    assert_int_equal(gb_count(g, "leat", "Conv") + gb_count(g, "", "Conv"), 0);
}

static void concat_in_front(gb *g, int side) {
    leat_value *x = gb_input(g, 4, 1, 24, side, side), *y = gb_op(g, "Concat", 2, gb_conv(g, x, 12, 24, 1, 1), gb_conv(g, x, 12, 24, 1, 1));
    leat__node_attr_set_int(y->producer, "axis", 1);
    y = gb_op(g, "Relu", 1, gb_batch_norm(g, gb_conv(g, y, 48, 24, 1, 1), 48));
    y = gb_op(g, "Relu", 1, gb_conv(g, y, 48, 48, 3, 48));
    gb_output(g, gb_conv(g, y, 4, 48, 1, 1));
    gb_optimise(g, 0);
    assert_non_null(gb_find(g, "leat", "InvertedResidual")->in[11]);
    assert_int_equal(gb_count(g, "", "Concat"), 0);
}

static void an_inverted_residual_reads_both_parts_of_a_concat(void **state) { concat_in_front(*state, 36); }
static void the_same_in_tiles(void **state) { concat_in_front(*state, 116); }

/* A decoder: a tensor enlarged by two beside a skip connection, the enlarged one first or second. */
static void decoder(gb *g, int side, int up_first, const char *mode) {
    leat_value *x = gb_input(g, 4, 1, 24, side, side), *low = gb_input(g, 4, 1, 6, side / 2, side / 2), *scales = gb_random(g, 1, 1, 1, 4);
    ((float *)scales->constant->data)[2] = ((float *)scales->constant->data)[3] = 2;
    leat_value *skip = gb_conv(g, x, 10, 24, 1, 1), *small = gb_conv(g, low, 14, 6, 1, 1), *up = gb_op(g, "Resize", 3, small, NULL, scales);
    leat__node_attr_set_string(up->producer, "mode", "linear");
    leat__node_attr_set_string(up->producer, "coordinate_transformation_mode", mode);
    leat_value *y = gb_op(g, "Concat", 2, up_first ? up : skip, up_first ? skip : up);
    leat__node_attr_set_int(y->producer, "axis", 1);
    y = gb_op(g, "Relu", 1, gb_conv(g, gb_op(g, "Relu", 1, gb_conv(g, y, 48, 24, 1, 1)), 48, 48, 3, 48));
    gb_output(g, gb_conv(g, y, 4, 48, 1, 1));
    gb_optimise(g, 0);
    assert_non_null(gb_find(g, "leat", "InvertedResidual")->in[12]);
    assert_int_equal(gb_count(g, "", "Concat") + gb_count(g, "", "Resize"), 0);
}

static void an_enlarged_tensor_is_expanded_small(void **state) { decoder(*state, 36, 1, "align_corners"); }
static void an_enlarged_tensor_may_stand_behind(void **state) { decoder(*state, 36, 0, "half_pixel"); }
static void an_enlarged_tensor_in_tiles(void **state) { decoder(*state, 116, 1, "asymmetric"); }

/* ---- matrix products ----------------------------------------------------------------------------------------------------------- */

static void bias_activation_and_residual_go_into_the_product(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 3, 2, 5, 8);
    leat_value *y = gb_op(g, "Add", 2, gb_random(g, -1, 1, 3, 1, 1, 16), gb_op(g, "MatMul", 2, x, gb_random(g, -1, 1, 2, 8, 16)));
    y = gb_op(g, "MatMul", 2, gb_op(g, "Relu", 1, y), gb_random(g, -1, 1, 2, 16, 8));
    gb_output(g, gb_op(g, "Add", 2, gb_op(g, "Add", 2, y, gb_random(g, -1, 1, 1, 8)), x));
    gb_optimise(g, 0);
    assert_int_equal(g->graph.n_nodes, 2);
    assert_string_equal(act_of(g->graph.nodes[0]), "relu");
    assert_ptr_equal(g->graph.nodes[1]->in[3], x);
}

static void gemm_takes_an_activation(void **state) {
    gb *g = *state;
    leat_value *y = gb_op(g, "Gemm", 3, gb_input(g, 2, 5, 8), gb_random(g, -1, 1, 2, 6, 8), gb_random(g, -1, 1, 1, 6));
    leat__node_attr_set_int(y->producer, "transB", 1);
    leat__node_attr_set_float(y->producer, "alpha", 0.5f);
    gb_output(g, gb_op(g, "Tanh", 1, y));
    gb_optimise(g, 0);
    assert_int_equal(g->graph.n_nodes, 1);
    assert_string_equal(act_of(g->graph.nodes[0]), "tanh");
}

static leat_value *turned(gb *g, leat_value *x, int a, int b, int c, int d) {
    leat_value *y = gb_op(g, "Transpose", 1, x);
    gb_ints_attr(y, "perm", 4, a, b, c, d);
    return y;
}

static void transposes_and_scale_go_into_the_product(void **state) {
    gb *g = *state;
    leat_value *a = gb_input(g, 4, 2, 5, 3, 8), *b = gb_input(g, 4, 2, 6, 3, 8);
    leat_value *y = gb_op(g, "MatMul", 2, turned(g, a, 0, 2, 1, 3), turned(g, b, 0, 2, 3, 1));
    gb_output(g, gb_op(g, "Div", 2, y, gb_scalar(g, 4)));
    gb_optimise(g, 0);
    leat_node *product = gb_find(g, "leat", "MatMul");
    assert_int_equal(leat__attr_int(&product->attrs, "trans_b", 0), 1);
    assert_int_equal(leat__attr_int(&product->attrs, "trans_a", 0), 0);
    assert_true(leat__attr_float(&product->attrs, "alpha", 0) == 0.25f);
    assert_int_equal(g->graph.n_nodes, 3); /* both transposes move rows now */
}

static void attention_is_one_node(void **state) {
    gb *g = *state;
    leat_value *q = gb_input(g, 4, 2, 5, 3, 8), *k = gb_input(g, 4, 2, 7, 3, 8), *v = gb_input(g, 4, 2, 7, 3, 8);
    leat_value *scores = gb_op(g, "MatMul", 2, turned(g, q, 0, 2, 1, 3), turned(g, k, 0, 2, 3, 1));
    scores = gb_op(g, "Add", 2, gb_op(g, "Mul", 2, scores, gb_scalar(g, 0.3)), gb_input(g, 4, 2, 1, 1, 7));
    leat_value *y = gb_op(g, "MatMul", 2, gb_op(g, "Softmax", 1, scores), turned(g, v, 0, 2, 1, 3));
    gb_output(g, turned(g, y, 0, 2, 1, 3));
    gb_optimise(g, 0);
    assert_int_equal(g->graph.n_nodes, 1);
    assert_int_equal(gb_count(g, "leat", "Attention"), 1);
}

static void attention_over_packed_heads_reads_them_directly(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 3, 2, 5, 72), *heads[3];
    leat_value *t = gb_op(g, "Transpose", 1, gb_op(g, "Reshape", 2, x, gb_ints(g, 5, 2, 5, 3, 3, 8)));
    gb_ints_attr(t, "perm", 5, 2, 0, 3, 1, 4);
    for (int i = 0; i < 3; i++) {
        leat_value *index = leat__graph_constant(&g->graph, LEAT_DTYPE_I64, 0, (int64_t[]){0});
        *(int64_t *)index->constant->data = i;
        heads[i] = gb_op(g, "Gather", 2, t, index);
    }
    leat_value *p = gb_op(g, "Softmax", 1, gb_op(g, "MatMul", 2, heads[0], turned(g, heads[1], 0, 1, 3, 2)));
    gb_output(g, turned(g, gb_op(g, "MatMul", 2, p, heads[2]), 0, 2, 1, 3));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "leat", "Attention"), 1);
    assert_int_equal(gb_count(g, "", "Transpose"), 0);
}

/* ---- focus ---------------------------------------------------------------------------------------------------------------- */

static leat_value *gb_slice(gb *g, leat_value *x, int start, int end, int axis, int step) {
    return gb_op(g, "Slice", 5, x, gb_ints(g, 1, start), gb_ints(g, 1, end), gb_ints(g, 1, axis), gb_ints(g, 1, step));
}

/* Quarters in the order of YOLOv5: (0, 0), (1, 0), (0, 1), (1, 1) as row, column; `wrong` spoils one of them. */
static leat_value *gb_focus(gb *g, leat_value *x, int wrong) {
    leat_value *part[4];
    for (int i = 0; i < 4; i++) {
        leat_value *rows = gb_slice(g, x, i & 1, INT32_MAX, 2, 2);
        part[i] = gb_slice(g, rows, wrong && i == 3 ? 0 : i >> 1, i == 2 ? 1 << 20 : INT32_MAX, -1, 2);
    }
    leat_value *joined = gb_op(g, "Concat", 4, part[0], part[1], part[2], part[3]);
    leat__node_attr_set_int(joined->producer, "axis", 1);
    return joined;
}

static void quarters_go_into_a_larger_kernel(void **state) {
    gb *g = *state;
    leat_value *y = gb_conv(g, gb_focus(g, gb_input(g, 4, 1, 3, 12, 20), 0), 5, 12, 3, 1);
    leat_value *z = gb_conv(g, gb_focus(g, gb_input(g, 4, 2, 2, 14, 10), 0), 4, 8, 1, 1);
    gb_ints_attr(z, "strides", 2, 2, 1);
    gb_ints_attr(z, "pads", 4, 0, 1, 2, 3);
    gb_output(g, y), gb_output(g, z);
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Slice") + gb_count(g, "", "Concat"), 0);
    assert_int_equal(gb_count(g, "", "Conv") + gb_count(g, "leat", "Conv"), 2);
}

static void what_only_looks_like_quarters_stays(void **state) {
    gb *g = *state;
    leat_value *twice = gb_focus(g, gb_input(g, 4, 1, 3, 8, 8), 1), *shared = gb_focus(g, gb_input(g, 4, 1, 3, 8, 8), 0);
    leat_value *wide = gb_focus(g, gb_input(g, 4, 1, 16, 8, 8), 0), *dilated = gb_conv(g, gb_focus(g, gb_input(g, 4, 1, 3, 8, 8), 0), 4, 12, 3, 1);
    gb_ints_attr(dilated, "dilations", 2, 2, 2);
    gb_output(g, gb_conv(g, twice, 4, 12, 3, 1)), gb_output(g, gb_conv(g, shared, 4, 12, 3, 1)), gb_output(g, shared);
    gb_output(g, gb_conv(g, wide, 4, 64, 3, 1)), gb_output(g, dilated);
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Concat"), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        GB_TEST(x_sigmoid_x_is_one_node), GB_TEST(hard_swish_in_steps_is_one_node), GB_TEST(gelu_in_any_order_is_one_node),
        GB_TEST(tanh_gelu_is_one_node), GB_TEST(a_gate_of_another_value_stays), GB_TEST(layer_norm_in_steps_is_one_node),
        GB_TEST(a_mean_over_another_axis_stays), GB_TEST(batch_norm_scale_and_shift_go_into_the_weights),
        GB_TEST(large_weights_are_scaled_when_packed), GB_TEST(a_transposed_convolution_takes_batch_norm), GB_TEST(a_shift_in_front_needs_no_padding),
        GB_TEST(zero_padding_goes_into_the_convolution), GB_TEST(padding_by_another_value_stays),
        GB_TEST(residual_and_activation_in_both_orders), GB_TEST(two_convolutions_meet_in_the_later_one),
        GB_TEST(an_addition_that_broadcasts_stays), GB_TEST(a_residual_of_unknown_size_is_seen_by_the_probe),
        GB_TEST(a_value_that_others_read_is_not_absorbed), GB_TEST(an_inverted_residual_is_one_node), GB_TEST(an_inverted_residual_reads_both_parts_of_a_concat),
        GB_TEST(an_enlarged_tensor_is_expanded_small), GB_TEST(an_enlarged_tensor_may_stand_behind), GB_TEST(an_enlarged_tensor_in_tiles),
        GB_TEST(the_same_in_tiles),
        GB_TEST(a_sigmoid_over_few_channels_stays),
        GB_TEST(bias_activation_and_residual_go_into_the_product), GB_TEST(gemm_takes_an_activation),
        GB_TEST(transposes_and_scale_go_into_the_product), GB_TEST(attention_is_one_node),
        GB_TEST(attention_over_packed_heads_reads_them_directly),
        GB_TEST(quarters_go_into_a_larger_kernel), GB_TEST(what_only_looks_like_quarters_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
