/* test_pass_layout.c - which values are stored channels-last, conversions at borders, free transposes, channel shuffle. */
#include "graph_build.h"

static int conversions(const gb *g) { return gb_count(g, "leat", "ToNHWC") + gb_count(g, "leat", "ToNCHW"); }

static leat_value *turned(gb *g, leat_value *x, int a, int b, int c, int d) {
    leat_value *y = gb_op(g, "Transpose", 1, x);
    gb_ints_attr(y, "perm", 4, a, b, c, d);
    return y;
}

static void a_region_converts_at_its_borders_only(void **state) {
    gb *g = *state;
    leat_value *y = gb_conv(g, gb_input(g, 4, 1, 16, 6, 6), 16, 16, 3, 1);
    y = gb_op(g, "Mul", 2, gb_op(g, "Exp", 1, gb_op(g, "Tanh", 1, y)), gb_random(g, 0, 1, 3, 16, 1, 1));
    y = gb_op(g, "Concat", 2, y, gb_conv(g, y, 8, 16, 1, 1));
    leat__node_attr_set_int(y->producer, "axis", 1);
    gb_output(g, gb_conv(g, y, 4, 24, 3, 1));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "leat", "ToNHWC"), 1);
    assert_int_equal(gb_count(g, "leat", "ToNCHW"), 1);
}

static void readers_share_a_conversion(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 4, 1, 16, 6, 6);
    leat_value *y = gb_op(g, "Add", 2, gb_conv(g, x, 16, 16, 3, 1), gb_conv(g, x, 16, 16, 1, 1));
    gb_output(g, gb_op(g, "Reshape", 2, y, gb_ints(g, 2, 4, -1)));
    gb_output(g, gb_op(g, "Reshape", 2, y, gb_ints(g, 2, 8, -1)));
    gb_optimise(g, 0);
    assert_int_equal(conversions(g), 2);
}

static void a_graph_without_convolutions_is_left_alone(void **state) {
    gb *g = *state;
    leat_value *y = gb_op(g, "MaxPool", 1, gb_op(g, "Relu", 1, gb_input(g, 4, 1, 4, 6, 6)));
    gb_ints_attr(y, "kernel_shape", 2, 2, 2);
    gb_output(g, y);
    gb_optimise(g, 0);
    assert_int_equal(conversions(g), 0);
}

static void a_border_wanders_to_where_the_value_is_small(void **state) {
    gb *g = *state;
    leat_value *y = gb_op(g, "Exp", 1, gb_conv(g, gb_input(g, 4, 1, 16, 6, 6), 16, 16, 3, 1)), *z;
    z = gb_op(g, "Resize", 3, y, NULL, gb_random(g, 1, 1, 1, 4));
    ((float *)z->producer->in[2]->constant->data)[2] = ((float *)z->producer->in[2]->constant->data)[3] = 2;
    z = gb_op(g, "Exp", 1, gb_op(g, "Neg", 1, z));
    gb_output(g, z);
    gb_optimise(g, 0);
    assert_int_equal(gb_find(g, "leat", "ToNCHW")->in[0]->dims[2], 6);
}

static void networks_born_channels_last_need_no_transpose(void **state) {
    gb *g = *state;
    leat_value *x = turned(g, gb_input(g, 4, 1, 6, 6, 16), 0, 3, 1, 2);
    gb_output(g, turned(g, gb_op(g, "Exp", 1, gb_conv(g, x, 16, 16, 3, 1)), 0, 2, 3, 1));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "leat", "Relabel"), 2);
    assert_int_equal(gb_count(g, "", "Transpose") + conversions(g), 0);
}

static void a_free_transpose_wins_over_an_input_in_any_layout(void **state) {
    gb *g = *state;
    gb_output(g, gb_conv(g, turned(g, gb_input(g, 4, 1, 6, 6, 3), 0, 3, 1, 2), 16, 3, 3, 1)); /* few channels: either would do */
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Transpose"), 0);
    assert_int_equal(gb_count(g, "leat", "Relabel"), 1);
}

static void tokens_of_a_convolution_are_a_view(void **state) {
    gb *g = *state;
    leat_value *y = gb_op(g, "Transpose", 1, gb_op(g, "Reshape", 2, gb_conv(g, gb_input(g, 4, 2, 3, 6, 6), 16, 3, 3, 1), gb_ints(g, 3, 2, 16, -1)));
    gb_ints_attr(y, "perm", 3, 0, 2, 1);
    y = gb_op(g, "Transpose", 1, gb_op(g, "Exp", 1, y));
    gb_ints_attr(y, "perm", 3, 0, 2, 1);
    gb_output(g, gb_op(g, "Neg", 1, gb_conv(g, gb_op(g, "Reshape", 2, y, gb_ints(g, 4, 2, 16, 6, 6)), 4, 16, 1, 1)));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "", "Transpose"), 0);
    assert_int_equal(gb_count(g, "leat", "Relabel"), 2);
    assert_int_equal(conversions(g), 1);
}

static void a_detection_head_is_transposed_once(void **state) {
    gb *g = *state;
    leat_value *y = gb_op(g, "Reshape", 2, gb_conv(g, gb_input(g, 4, 1, 16, 4, 5), 21, 16, 1, 1), gb_ints(g, 5, 1, 3, 7, 4, 5));
    y = gb_op(g, "Transpose", 1, y);
    gb_ints_attr(y, "perm", 5, 0, 1, 3, 4, 2);
    gb_output(g, gb_op(g, "Sigmoid", 1, y));
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "leat", "ToNCHW"), 0);
    assert_int_equal(gb_count(g, "", "Transpose"), 1);
}

static void flattened_space_stays_channels_last(void **state) {
    gb *g = *state;
    leat_value *x = gb_input(g, 4, 1, 16, 6, 6), *a = gb_conv(g, x, 8, 16, 1, 1), *b = gb_conv(g, x, 8, 16, 3, 1);
    leat_value *y = gb_op(g, "Concat", 2, gb_op(g, "Reshape", 2, a, gb_ints(g, 3, 1, 8, 36)), gb_op(g, "Reshape", 2, b, gb_ints(g, 3, 1, 8, 36)));
    leat__node_attr_set_int(y->producer, "axis", 2);
    leat_value *z = gb_op(g, "ReduceMean", 1, y);
    gb_ints_attr(z, "axes", 1, 2);
    leat__node_attr_set_int(z->producer, "keepdims", 0);
    gb_output(g, z);
    gb_optimise(g, 0);
    assert_int_equal(gb_count(g, "leat", "ToNCHW"), 0);
}

static void full_constants_are_rearranged(void **state) {
    gb *g = *state;
    leat_value *y = gb_conv(g, gb_input(g, 4, 1, 16, 6, 6), 16, 16, 3, 1);
    y = gb_op(g, "Mul", 2, gb_op(g, "Exp", 1, y), gb_random(g, -1, 1, 4, 1, 16, 6, 6));
    gb_output(g, gb_conv(g, y, 4, 16, 1, 1));
    gb_optimise(g, 0);
    leat_node *mul = gb_find(g, "", "Mul");
    assert_true(mul->in[0]->nhwc && mul->in[1]->nhwc);
}

static void channel_shuffle_is_one_node(void **state) {
    gb *g = *state;
    leat_value *y = gb_op(g, "Reshape", 2, gb_conv(g, gb_input(g, 4, 1, 12, 4, 5), 12, 12, 1, 1), gb_ints(g, 5, 1, 3, 4, 4, 5));
    y = gb_op(g, "Transpose", 1, y);
    gb_ints_attr(y, "perm", 5, 0, 2, 1, 3, 4);
    gb_output(g, gb_conv(g, gb_op(g, "Reshape", 2, y, gb_ints(g, 4, 1, 12, 4, 5)), 8, 12, 1, 1));
    gb_optimise(g, 0);
    assert_int_equal(leat__attr_int(&gb_find(g, "leat", "ChannelShuffle")->attrs, "groups", 0), 3);
    assert_int_equal(gb_count(g, "", "Reshape"), 0);
    assert_int_equal(conversions(g), 2);
}

static void the_dump_is_there_in_every_format(void **state) {
    gb *g = *state;
    leat_strbuf text = {0}, dot = {0}, json = {0};
    gb_output(g, gb_op(g, "Relu", 1, gb_conv(g, gb_input(g, 4, 1, 16, 6, 6), 4, 16, 3, 1)));
    gb_optimise(g, 0);
    assert_int_equal(leat__graph_dump(&g->graph, LEAT_DUMP_TEXT, &text), LEAT_OK);
    assert_int_equal(leat__graph_dump(&g->graph, LEAT_DUMP_DOT, &dot), LEAT_OK);
    assert_int_equal(leat__graph_dump(&g->graph, LEAT_DUMP_JSON, &json), LEAT_OK);
    assert_non_null(strstr(text.text, "act=relu"));
    assert_non_null(strstr(dot.text, "digraph"));
    assert_non_null(strstr(json.text, "\"act\":\"relu\""));
    leat__strbuf_fini(&text);
    leat__strbuf_fini(&dot);
    leat__strbuf_fini(&json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        GB_TEST(a_region_converts_at_its_borders_only), GB_TEST(readers_share_a_conversion),
        GB_TEST(a_graph_without_convolutions_is_left_alone), GB_TEST(a_border_wanders_to_where_the_value_is_small),
        GB_TEST(networks_born_channels_last_need_no_transpose), GB_TEST(a_free_transpose_wins_over_an_input_in_any_layout),
        GB_TEST(tokens_of_a_convolution_are_a_view),
        GB_TEST(a_detection_head_is_transposed_once), GB_TEST(flattened_space_stays_channels_last),
        GB_TEST(full_constants_are_rearranged), GB_TEST(channel_shuffle_is_one_node), GB_TEST(the_dump_is_there_in_every_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
