/* test_oom_import.c - the n-th allocation fails during import, for every n: LEAT_ENOMEM each time, nothing leaks, nothing crashes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "../unit/onnx_writer.h"
#include "graph/onnx_import.h"

#define NODES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Something of everything that allocates: weights, strings, sparse data, inner graphs, functions, unsorted nodes, many names. */
static pb rich_model(void) {
    static float weights[30000];
    const float two[2] = {1, 2};
    const int64_t at[2] = {0, 3}, pair[1] = {2};
    pb graph = onnx_graph(NODES("f:F b -> y", "Add x,w -> a", "Add a,s -> b"));
    pb w = onnx_floats("w", 30000, weights), v = onnx_floats("s", 2, two), i = onnx_tensor("", 7, 1, pair, at, 16), sparse = {0};
    pb_message(&sparse, 1, &v);
    pb_message(&sparse, 2, &i);
    pb_int(&sparse, 3, 20000);
    pb_message(&graph, 5, &w);
    pb_message(&graph, 15, &sparse);
    for (int k = 0; k < 300; k++) {
        char text[200];
        snprintf(text, sizeof text, "Neg x -> a_rather_long_name_that_fills_the_arena_with_text_%d", k);
        pb node = onnx_node(text), attr = onnx_attr("list", 7);
        for (int j = 0; j < 8; j++) pb_int(&attr, 8, j);
        pb_message(&node, 5, &attr);
        pb_message(&graph, 1, &node);
    }
    pb branch = onnx_graph(NODES("Neg b -> y")), choice = onnx_node("If x -> c"), then = onnx_attr("then_branch", 5);
    pb_message(&then, 6, &branch);
    pb_message(&choice, 5, &then);
    pb_message(&graph, 1, &choice);
    pb f = {0}, node = onnx_node("Neg p -> q");
    pb_text(&f, 1, "F");
    pb_text(&f, 10, "f");
    onnx_names(&f, 4, "p");
    onnx_names(&f, 5, "q");
    pb_message(&f, 7, &node);
    pb model = onnx_model(&graph);
    pb_message(&model, 25, &f);
    return model;
}

static uint64_t live_bytes(void) {
    leat_memory_stats stats;
    uint64_t sum = 0;
    leat_memory_get(&stats);
    for (int i = 0; i < LEAT_MEMORY_TAGS; i++) sum += stats.live_bytes[i];
    return sum;
}

/* `used` bytes of the arena are taken already, so that another thing is the first that does not fit into a block. */
static int import_once(const pb *model, size_t used, leat_error *error) {
    leat_arena arena;
    leat_onnx_model out;
    *error = (leat_error){0};
    leat__arena_init(&arena, LEAT_MEMORY_GRAPH);
    if (used) leat__arena_calloc(&arena, 1, used);
    int status = leat__onnx_import(model->data, model->n, NULL, 0, 0, &arena, &out, error);
    leat__onnx_import_fini(&out);
    leat__arena_fini(&arena);
    return status;
}

/* Fails allocation n = 1, 2, .. until none is left to fail; how many there were. */
static int fail_each(const pb *model, size_t used, int forever) {
    leat_error error;
    uint64_t before = live_bytes();
    for (int n = 1;; n++) {
        leat__alloc_fail_at((uint64_t)n + (used > 0), forever); /* the first block of a used arena is there already */
        int status = import_once(model, used, &error);
        leat__alloc_fail_at(0, 0);
        assert_int_equal(live_bytes(), before);
        if (status == LEAT_OK) return n - 1;
        if (status != LEAT_ENOMEM || error.status != LEAT_ENOMEM) fail_msg("allocation %d: %d, %s", n, status, error.message);
    }
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    pb model = rich_model();
    int failed = 0;
    for (size_t used = 0; used < 16384; used += 509) {
        int once = fail_each(&model, used, 0), all = fail_each(&model, used, 1);
        assert_int_equal(once, all);
        assert_true(once > 8);
        failed += once + all;
    }
    print_message("%d allocations failed\n", failed);
    pb_free(&model);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
