/* graph_build.h - builds small graphs for the tests of the passes, runs them node by node, counts what is in them.
 *
 * A test builds a graph, calls gb_optimise(), which also checks that the outputs did not change, and looks at the structure.
 */
#ifndef LEAT_TESTS_GRAPH_BUILD_H
#define LEAT_TESTS_GRAPH_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cpu/cpu.h"
#include "graph/dump.h"
#include "graph/node_eval.h"
#include "graph/optimize.h"
#include "graph/pass.h"
#include "graph/trace.h"
#include "leat/model.h"

enum { GB_SEED = 20260114, GB_OUT_MAX = 1 << 18 };

typedef struct gb {
    leat_arena arena;
    leat_graph graph;
    int        opset;
    float      tolerance; /* of gb_optimise(), relative to 1 + |value| */
    uint64_t   seed;      /* named in its messages when not 0 */
    float      before[GB_OUT_MAX], after[GB_OUT_MAX];
} gb;

static inline int gb_open(void **state) {
    static gb g;
    memset(&g, 0, sizeof g);
    leat__cpu_init();
    leat__arena_init(&g.arena, LEAT_MEMORY_GRAPH);
    g.graph.arena = &g.arena;
    g.graph.name = "test";
    g.graph.opset = g.opset = 13;
    g.tolerance = 1e-4f;
    *state = &g;
    return 0;
}

static inline int gb_close(void **state) {
    leat__arena_fini(&((gb *)*state)->arena);
    return 0;
}

#define GB_TEST(name) cmocka_unit_test_setup_teardown(name, gb_open, gb_close)

static inline leat_value *gb__shaped(gb *g, leat_value *value, int rank, va_list dims) {
    value->dtype = LEAT_DTYPE_F32;
    value->rank = rank;
    for (int i = 0; i < rank; i++) value->dims[i] = va_arg(dims, int);
    return value;
}

static inline leat_value *gb_input(gb *g, int rank, ...) {
    va_list dims;
    va_start(dims, rank);
    leat_value *value = gb__shaped(g, leat__graph_value(&g->graph, NULL), rank, dims);
    va_end(dims);
    leat_value **more = leat__arena_calloc(&g->arena, (size_t)g->graph.n_inputs + 1, sizeof *more);
    if (g->graph.n_inputs) memcpy(more, g->graph.inputs, (size_t)g->graph.n_inputs * sizeof *more);
    more[g->graph.n_inputs++] = value;
    g->graph.inputs = more;
    value->is_input = 1;
    return value;
}

static inline void gb_output(gb *g, leat_value *value) {
    leat_value **more = leat__arena_calloc(&g->arena, (size_t)g->graph.n_outputs + 1, sizeof *more);
    if (g->graph.n_outputs) memcpy(more, g->graph.outputs, (size_t)g->graph.n_outputs * sizeof *more);
    more[g->graph.n_outputs++] = value;
    g->graph.outputs = more;
    value->is_output = 1;
}

/* Constant of random values in [from, to). */
static inline leat_value *gb_random(gb *g, double from, double to, int rank, ...) {
    va_list dims;
    leat_value shape = {0};
    va_start(dims, rank);
    gb__shaped(g, &shape, rank, dims);
    va_end(dims);
    leat_value *value = leat__graph_constant(&g->graph, LEAT_DTYPE_F32, rank, shape.dims);
    int64_t n = leat_tensor_count(value->constant);
    for (int64_t i = 0; i < n; i++)
        ((float *)value->constant->data)[i] =
            (float)(from + (to - from) * leat__rng_uniform(GB_SEED, (uint64_t)g->graph.n_values, (uint64_t)i));
    return value;
}

static inline leat_value *gb_scalar(gb *g, double x) { return gb_random(g, x, x, 0); }

static inline leat_value *gb_ints(gb *g, int n, ...) {
    int64_t list[16];
    va_list values;
    va_start(values, n);
    for (int i = 0; i < n; i++) list[i] = va_arg(values, int);
    va_end(values);
    return leat__new_ints(&g->graph, list, n);
}

/* New node at the end with one output; NULL among the inputs = absent.  Returns the output; ->producer is the node. */
static inline leat_value *gb_op(gb *g, const char *op_type, int n_in, ...) {
    va_list in;
    leat_node *node = leat__graph_node(&g->graph, -1, "", op_type, g->opset, n_in, 1);
    va_start(in, n_in);
    for (int i = 0; i < n_in; i++) node->in[i] = va_arg(in, leat_value *);
    va_end(in);
    node->out[0] = leat__graph_value(&g->graph, NULL);
    node->out[0]->producer = node;
    if (!node->op) fail_msg("no operator %s", op_type);
    return node->out[0];
}

static inline void gb_ints_attr(leat_value *out, const char *name, int n, ...) {
    int64_t list[16];
    va_list values;
    va_start(values, n);
    for (int i = 0; i < n; i++) list[i] = va_arg(values, int);
    va_end(values);
    leat__node_attr_set_ints(out->producer, name, list, n);
}

static inline leat_value *gb_conv(gb *g, leat_value *x, int out, int in, int kernel, int group) {
    leat_value *w = gb_random(g, -0.5, 0.5, 4, out, in / group, kernel, kernel), *b = gb_random(g, -1, 1, 1, out);
    leat_value *y = gb_op(g, "Conv", 3, x, w, b);
    gb_ints_attr(y, "kernel_shape", 2, kernel, kernel);
    gb_ints_attr(y, "pads", 4, kernel / 2, kernel / 2, kernel / 2, kernel / 2);
    leat__node_attr_set_int(y->producer, "group", group);
    return y;
}

static inline leat_value *gb_batch_norm(gb *g, leat_value *x, int channels) {
    return gb_op(g, "BatchNormalization", 5, x, gb_random(g, 0.5, 1.5, 1, channels), gb_random(g, -1, 1, 1, channels),
                 gb_random(g, -1, 1, 1, channels), gb_random(g, 0.5, 2, 1, channels));
}

static inline int gb_count(const gb *g, const char *domain, const char *op_type) {
    int n = 0;
    for (int i = 0; i < g->graph.n_nodes; i++) n += leat__is_in(g->graph.nodes[i], domain, op_type);
    return n;
}

static inline leat_node *gb_find(const gb *g, const char *domain, const char *op_type) {
    for (int i = 0; i < g->graph.n_nodes; i++)
        if (leat__is_in(g->graph.nodes[i], domain, op_type)) return g->graph.nodes[i];
    fail_msg("no node %s.%s", domain, op_type);
    return NULL;
}

/* Runs the graph on random inputs; unknown input dims become 3.  The float outputs one after another go to out; returns their number. */
static inline int gb_run(gb *g, float *out) {
    leat__graph_index(&g->graph);
    int ids = leat__graph_id_count(&g->graph), total = 0;
    leat_tensor *values = calloc((size_t)ids + 1, sizeof *values);
    leat_arena arena;
    leat__arena_init(&arena, LEAT_MEMORY_GRAPH);
    for (int i = 0; i < g->graph.n_values; i++)
        if (g->graph.values[i]->constant) values[g->graph.values[i]->id] = *g->graph.values[i]->constant;
    for (int i = 0; i < g->graph.n_inputs; i++) {
        const leat_value *value = g->graph.inputs[i];
        leat_tensor *t = &values[value->id];
        leat__tensor_set(t, value->dtype, value->rank, value->dims);
        for (int d = 0; d < t->rank; d++) t->dims[d] = t->dims[d] < 0 ? 3 : t->dims[d];
        t->data = leat__arena_alloc_aligned(&arena, leat_tensor_bytes(t));
        for (int64_t k = 0; k < leat_tensor_count(t); k++)
            leat__tensor_set_float(t, k, 4 * leat__rng_uniform(GB_SEED, (uint64_t)i, (uint64_t)k) - 2);
    }
    for (int n = 0; n < g->graph.n_nodes; n++) {
        const leat_node *node = g->graph.nodes[n];
        leat_tensor *in[64], results[64];
        leat_error error = {0};
        for (int i = 0; i < node->n_in; i++) in[i] = node->in[i] ? &values[node->in[i]->id] : NULL;
        if (leat__node_eval(node, in, results, &arena, SIZE_MAX, &error)) fail_msg("node %d: %s", n, error.message);
        for (int o = 0; o < node->n_out; o++)
            if (node->out[o]) values[node->out[o]->id] = results[o];
    }
    for (int i = 0; i < g->graph.n_outputs; i++) {
        const leat_tensor *t = &values[g->graph.outputs[i]->id];
        assert_int_equal(t->flags, 0); /* outputs are in logical order */
        for (int64_t k = 0; k < leat_tensor_count(t); k++) {
            assert_true(total < GB_OUT_MAX);
            out[total++] = (float)leat__tensor_get_float(t, k);
        }
    }
    leat__arena_fini(&arena);
    free(values);
    return total;
}

/* Optimises and checks that the outputs are what they were. */
static inline void gb_optimise(gb *g, uint32_t flags) {
    leat_error error = {0};
    int n = gb_run(g, g->before);
    if (leat__graph_optimize(&g->graph, flags, &error)) fail_msg("%s", error.message);
    assert_int_equal(gb_run(g, g->after), n);
    assert_true(n > 0);
    for (int i = 0; i < n; i++)
        if (!(fabsf(g->before[i] - g->after[i]) <= g->tolerance * (1 + fabsf(g->before[i]))))
            fail_msg("LEAT_TEST_SEED=%llu element %d: %g before, %g after", (unsigned long long)g->seed, i, (double)g->before[i], (double)g->after[i]);
}

#endif
