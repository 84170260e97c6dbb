/* test_pass_random.c - random graphs of the operators that the passes know, compared before and after optimisation.
 *
 * Each graph grows from one image-like input by random steps whose shapes are known, so that it is valid by construction.  All values that nobody
 * reads, and a few others, are outputs.  GRAPHS graphs from LEAT_TEST_SEED (printed; a fixed one by default).
 */
#include "graph_build.h"

enum { GRAPHS = 150, STEPS = 18, VALUES = 64 };

/* A value with the dims that the generator knows. */
typedef struct shaped {
    leat_value *v;
    int         rank;
    int         d[5];
} shaped;

typedef struct maker {
    gb      *g;
    uint64_t seed, draws;
    shaped   list[VALUES];
    int      n;
} maker;

static int draw(maker *m, int below) { return (int)(leat__rng_u64(m->seed, 7, m->draws++) % (uint64_t)below); }

static shaped *put(maker *m, leat_value *v, int rank, const int *d) {
    shaped *s = &m->list[m->n++];
    *s = (shaped){.v = v, .rank = rank};
    memcpy(s->d, d, (size_t)rank * sizeof *d);
    return s;
}

static shaped *same(maker *m, leat_value *v, const shaped *like) { return put(m, v, like->rank, like->d); }

static const shaped *pick(maker *m, int rank) {
    for (int tries = 0; tries < 20; tries++) {
        const shaped *s = &m->list[draw(m, 2) ? m->n - 1 : draw(m, m->n)];
        if (rank == 0 || s->rank == rank) return s;
    }
    return NULL;
}

/* ---- steps ----------------------------------------------------------------------------------------------------------------- */

static void step_conv(maker *m) {
    const shaped *x = pick(m, 4);
    if (!x || x->d[2] < 3 || x->d[3] < 3) return;
    int kernel = draw(m, 2) ? 1 : 3, depthwise = draw(m, 4) == 0, out = depthwise ? x->d[1] : 4 * (1 + draw(m, 8));
    leat_value *y = gb_conv(m->g, x->v, out, x->d[1], kernel, depthwise ? x->d[1] : 1);
    put(m, y, 4, (int[]){x->d[0], out, x->d[2], x->d[3]});
}

static void step_norm(maker *m) {
    const shaped *x = pick(m, 4);
    if (x) same(m, gb_batch_norm(m->g, x->v, x->d[1]), x);
}

static void step_unary(maker *m) {
    static const char *const types[] = {"Relu", "Sigmoid", "Tanh", "LeakyRelu", "HardSwish", "HardSigmoid", "Elu", "Abs", "Identity", "Neg"};
    const shaped *x = pick(m, 0);
    same(m, gb_op(m->g, types[draw(m, 10)], 1, x->v), x);
}

static void step_gate(maker *m) {
    const shaped *x = pick(m, 0);
    leat_value *clip = gb_op(m->g, "Clip", 3, gb_op(m->g, "Add", 2, x->v, gb_scalar(m->g, 3)), gb_scalar(m->g, 0), gb_scalar(m->g, 6));
    if (draw(m, 2)) same(m, gb_op(m->g, "Mul", 2, x->v, gb_op(m->g, "Sigmoid", 1, x->v)), x);
    else same(m, gb_op(m->g, "Div", 2, gb_op(m->g, "Mul", 2, x->v, clip), gb_scalar(m->g, 6)), x);
}

static void step_bounds(maker *m) {
    const shaped *x = pick(m, 0);
    leat_value *low = gb_op(m->g, "Max", 2, x->v, gb_scalar(m->g, -0.3));
    if (draw(m, 2)) same(m, low, x);
    else same(m, gb_op(m->g, "Min", 2, low, gb_scalar(m->g, 0.9)), x);
}

static void step_constant(maker *m) {
    static const char *const types[] = {"Add", "Sub", "Mul", "Div"};
    const shaped *x = pick(m, 0);
    leat_value *c = gb_scalar(m->g, 0.7);
    int last = x->d[x->rank - 1], form = draw(m, 3);
    if (form == 0) c = gb_random(m->g, 0.5, 1.5, 1, last);
    if (form == 1 && x->rank == 4) c = gb_random(m->g, 0.5, 1.5, 3, x->d[1], 1, 1);
    same(m, gb_op(m->g, types[draw(m, 4)], 2, x->v, c), x);
}

static void step_binary(maker *m) {
    static const char *const types[] = {"Add", "Add", "Mul", "Sub", "Max"};
    const shaped *a = pick(m, 0);
    for (int i = 0; i < m->n; i++) {
        const shaped *b = &m->list[(i + m->n / 2) % m->n];
        if (b->v == a->v || b->rank != a->rank || memcmp(a->d, b->d, (size_t)a->rank * sizeof(int)) != 0) continue;
        same(m, gb_op(m->g, types[draw(m, 5)], 2, a->v, b->v), a);
        return;
    }
}

static void step_concat(maker *m) {
    const shaped *x = pick(m, 4);
    if (!x || x->d[1] > 48) return;
    leat_value *y = gb_op(m->g, "Concat", 2, x->v, gb_op(m->g, "Tanh", 1, x->v));
    leat__node_attr_set_int(y->producer, "axis", 1);
    put(m, y, 4, (int[]){x->d[0], 2 * x->d[1], x->d[2], x->d[3]});
}

static void step_pool(maker *m) {
    const shaped *x = pick(m, 4);
    if (!x || x->d[2] < 4 || x->d[3] < 4) return;
    leat_value *y = gb_op(m->g, draw(m, 2) ? "MaxPool" : "AveragePool", 1, x->v);
    gb_ints_attr(y, "kernel_shape", 2, 2, 2);
    put(m, y, 4, (int[]){x->d[0], x->d[1], x->d[2] - 1, x->d[3] - 1});
}

static void step_pad(maker *m) {
    const shaped *x = pick(m, 4);
    if (!x || x->d[2] > 9) return;
    leat_value *y = gb_op(m->g, "Pad", 3, x->v, gb_ints(m->g, 8, 0, 0, 1, 1, 0, 0, 1, 1), gb_scalar(m->g, draw(m, 2) * 0.5));
    put(m, y, 4, (int[]){x->d[0], x->d[1], x->d[2] + 2, x->d[3] + 2});
}

static void step_transpose(maker *m) {
    static const int orders[4][4] = {{0, 2, 3, 1}, {0, 3, 1, 2}, {0, 1, 3, 2}, {0, 2, 1, 3}};
    const shaped *x = pick(m, 4);
    if (!x) return;
    const int *p = orders[draw(m, 4)];
    leat_value *y = gb_op(m->g, "Transpose", 1, x->v);
    gb_ints_attr(y, "perm", 4, p[0], p[1], p[2], p[3]);
    put(m, y, 4, (int[]){x->d[p[0]], x->d[p[1]], x->d[p[2]], x->d[p[3]]});
}

static void step_tokens(maker *m) {
    const shaped *x = pick(m, 4);
    if (!x) return;
    leat_value *flat = gb_op(m->g, "Reshape", 2, x->v, gb_ints(m->g, 3, x->d[0], x->d[1], -1)), *y = gb_op(m->g, "Transpose", 1, flat);
    gb_ints_attr(y, "perm", 3, 0, 2, 1);
    put(m, y, 3, (int[]){x->d[0], x->d[2] * x->d[3], x->d[1]});
}

static void step_product(maker *m) {
    const shaped *x = pick(m, 0);
    int k = x->d[x->rank - 1], n = 4 + draw(m, 9), d[5];
    leat_value *y = gb_op(m->g, "MatMul", 2, x->v, gb_random(m->g, -0.5, 0.5, 2, k, n));
    if (draw(m, 2)) y = gb_op(m->g, "Add", 2, y, gb_random(m->g, -1, 1, 1, n));
    memcpy(d, x->d, sizeof d);
    d[x->rank - 1] = n;
    put(m, y, x->rank, d);
}

static void step_shuffle(maker *m) {
    const shaped *x = pick(m, 4);
    if (!x || x->d[1] % 2) return;
    leat_value *y = gb_op(m->g, "Reshape", 2, x->v, gb_ints(m->g, 5, x->d[0], 2, x->d[1] / 2, x->d[2], x->d[3]));
    y = gb_op(m->g, "Transpose", 1, y);
    gb_ints_attr(y, "perm", 5, 0, 2, 1, 3, 4);
    same(m, gb_op(m->g, "Reshape", 2, y, gb_ints(m->g, 4, x->d[0], x->d[1], x->d[2], x->d[3])), x);
}

static void step_excite(maker *m) {
    const shaped *x = pick(m, 4);
    if (!x) return;
    leat_value *s = gb_conv(m->g, gb_op(m->g, "GlobalAveragePool", 1, x->v), x->d[1], x->d[1], 1, 1);
    same(m, gb_op(m->g, "Mul", 2, x->v, gb_op(m->g, "Sigmoid", 1, s)), x);
}

static void step_attend(maker *m) {
    static const int orders[3][4] = {{0, 2, 1, 3}, {0, 2, 3, 1}, {0, 2, 1, 3}};
    const shaped *x = pick(m, 3);
    leat_value *part[3];
    if (!x || x->d[2] % 2 || x->d[1] > 64) return;
    for (int i = 0; i < 3; i++) {
        part[i] = gb_op(m->g, "MatMul", 2, x->v, gb_random(m->g, -0.5, 0.5, 2, x->d[2], x->d[2]));
        part[i] = gb_op(m->g, "Reshape", 2, part[i], gb_ints(m->g, 4, x->d[0], x->d[1], 2, x->d[2] / 2));
        part[i] = gb_op(m->g, "Transpose", 1, part[i]);
        gb_ints_attr(part[i], "perm", 4, orders[i][0], orders[i][1], orders[i][2], orders[i][3]);
    }
    leat_value *p = gb_op(m->g, "Mul", 2, gb_op(m->g, "MatMul", 2, part[0], part[1]), gb_scalar(m->g, 0.4));
    if (draw(m, 2)) p = gb_op(m->g, "Add", 2, p, gb_random(m->g, -1, 1, 1, x->d[1]));
    leat_value *y = gb_op(m->g, "Transpose", 1, gb_op(m->g, "MatMul", 2, gb_op(m->g, "Softmax", 1, p), part[2]));
    gb_ints_attr(y, "perm", 4, 0, 2, 1, 3);
    same(m, gb_op(m->g, "Reshape", 2, y, gb_ints(m->g, 3, x->d[0], x->d[1], x->d[2])), x);
}

static void step_block(maker *m) {
    const shaped *x = pick(m, 4);
    if (!x || x->d[1] > 16 || x->d[2] < 3 || x->d[3] < 3) return;
    int wide = 4 * x->d[1];
    leat_value *y = gb_op(m->g, "Relu", 1, gb_conv(m->g, x->v, wide, x->d[1], 1, 1));
    y = gb_conv(m->g, gb_op(m->g, "Relu", 1, gb_conv(m->g, y, wide, wide, 3, wide)), x->d[1], wide, 1, 1);
    same(m, draw(m, 2) ? gb_op(m->g, "Add", 2, x->v, y) : y, x);
}

/* ---- the test -------------------------------------------------------------------------------------------------------------- */

static void mark_outputs(maker *m) {
    leat__graph_index(&m->g->graph);
    for (int i = 1; i < m->n; i++)
        if (m->list[i].v->uses == 0 || draw(m, 6) == 0) gb_output(m->g, m->list[i].v);
}

static void one_graph(gb *g, uint64_t seed) {
    static void (*const steps[])(maker *) = {step_conv, step_conv, step_conv, step_norm, step_unary, step_unary, step_gate, step_bounds,
                                             step_constant, step_constant, step_binary, step_binary, step_concat, step_pool, step_pad,
                                             step_transpose, step_tokens, step_product, step_shuffle, step_excite, step_attend, step_block};
    maker m = {.g = g, .seed = seed};
    int dims[4] = {1 + draw(&m, 2), 4 * (1 + draw(&m, 4)), 5 + draw(&m, 8), 5 + draw(&m, 8)};
    put(&m, gb_input(g, 4, dims[0], dims[1], dims[2], dims[3]), 4, dims);
    for (int i = 0; i < STEPS && m.n < VALUES - 4; i++) steps[draw(&m, sizeof steps / sizeof *steps)](&m);
    mark_outputs(&m);
    if (g->graph.n_outputs) gb_optimise(g, 0);
}

static void random_graphs_keep_their_outputs(void **state) {
    const char *given = getenv("LEAT_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : GB_SEED;
    for (int i = 0; i < GRAPHS; i++) {
        void *opened;
        gb_open(&opened);
        gb *g = opened;
        g->tolerance = 5e-3f; /* a chain of layers amplifies what rounding does to the first; a wrong rewrite is far beyond this */
        g->seed = seed + (uint64_t)i;
        one_graph(g, g->seed);
        gb_close(&opened);
    }
    print_message("%d graphs from LEAT_TEST_SEED=%llu\n", GRAPHS, (unsigned long long)seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_graphs_keep_their_outputs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
