/* graph_infer.c - what can be known about shapes when the model is opened.
 *
 * Instead of symbolic arithmetic the graph is traced twice with different stand-ins for every unknown dimension.  A dimension that comes
 * out the same both times does not depend on the stand-ins; one that differs is unknown.  The stand-ins are multiples of 32 so
 * that strided networks meet their own divisibility rules; where a trace fails all the same, that value simply stays unknown.
 */
#include "graph/trace.h"

#include <string.h>

/* The same symbol gets the same stand-in everywhere; `round` tells the two traces apart. */
static int64_t stand_in(const char *symbol, int axis, int round) {
    if (axis == 0) return 2 + round;
    uint32_t hash = 0;
    for (const char *c = symbol ? symbol : ""; *c; c++) hash = hash * 31 + (uint8_t)*c;
    return 64 + 32 * (int64_t)(symbol ? hash % 3 : 0) + 96 * round;
}

static void probe_inputs(const leat_graph *graph, int round, leat_tensor *inputs) {
    for (int i = 0; i < graph->n_inputs; i++) {
        const leat_value *value = graph->inputs[i];
        inputs[i] = (leat_tensor){.dtype = value->dtype, .rank = value->rank};
        for (int d = 0; d < value->rank; d++)
            inputs[i].dims[d] = value->dims[d] >= 0 ? value->dims[d] : stand_in(value->dim_names[d], d, round);
    }
}

static void merge(leat_value *value, const leat_trace *a, const leat_trace *b) {
    if (b->known[value->id] != LEAT_KNOWN_NOTHING) memcpy(value->probe, b->tensors[value->id].dims, sizeof value->probe);
    if (value->is_input || value->constant) return;
    if (a->known[value->id] == LEAT_KNOWN_NOTHING || b->known[value->id] == LEAT_KNOWN_NOTHING) return;
    const leat_tensor *x = &a->tensors[value->id], *y = &b->tensors[value->id];
    if (x->dtype != y->dtype || x->rank != y->rank) return;
    value->dtype = x->dtype;
    value->rank = x->rank;
    for (int d = 0; d < x->rank; d++) value->dims[d] = x->dims[d] == y->dims[d] ? x->dims[d] : -1;
}

static void forget(leat_graph *graph) {
    for (int i = 0; i < graph->n_values; i++) {
        leat_value *value = graph->values[i];
        if (value->is_input || value->constant || value->is_output) continue;
        value->rank = -1;
        for (int d = 0; d < LEAT_MAX_RANK; d++) value->dims[d] = value->probe[d] = -1;
    }
}

int leat__graph_infer(leat_graph *graph, leat_error *error) {
    leat__graph_index(graph);
    leat_tensor *inputs = leat__calloc((size_t)graph->n_inputs + 1, sizeof *inputs, LEAT_MEMORY_GRAPH);
    if (!inputs) return leat__fail(error, LEAT_ENOMEM, "out of memory while inferring shapes");
    leat_trace a, b;
    leat_error ignored = {0};
    uint64_t   limit = UINT64_C(1) << 34;
    probe_inputs(graph, 0, inputs);
    int status = leat__trace(&a, graph, inputs, NULL, NULL, 1, limit, 1, &ignored);
    if (status == LEAT_OK) {
        probe_inputs(graph, 1, inputs);
        status = leat__trace(&b, graph, inputs, NULL, NULL, 1, limit, 1, &ignored);
        if (status == LEAT_OK) {
            forget(graph);
            for (int i = 0; i < graph->n_values; i++) merge(graph->values[i], &a, &b);
            leat__trace_fini(&b);
        }
        leat__trace_fini(&a);
    }
    leat__free(inputs);
    return status == LEAT_ENOMEM ? leat__fail(error, status, "out of memory while inferring shapes") : LEAT_OK;
}
