/* pass_cse.c - common subexpressions: constants of equal bytes become one, then nodes of equal operator, inputs and attributes.
 *
 * Exporters repeat themselves: every layer has its own scalar epsilon, every residual block its own Shape.  Merging small constants
 * first makes such nodes visibly equal.  Large constants are not compared: two equal weight tensors are rare and reading them all
 * would cost more than the rest of opening a model.  Random operators and control flow are never merged.
 */
#include <string.h>

#include "graph/pass.h"

#define SMALL_BYTES 256

typedef struct table {
    void  **slots; /* open addressing, a power of two, at most half full */
    size_t  mask;
} table;

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

static uint64_t mix_bytes(uint64_t hash, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++) hash = (hash ^ p[i]) * 0x100000001b3u;
    return mix(hash, n);
}

static int table_init(table *t, size_t items) {
    size_t size = 16;
    while (size < 2 * items) size *= 2;
    t->slots = leat__calloc(size, sizeof *t->slots, LEAT_MEMORY_GRAPH);
    t->mask = size - 1;
    return t->slots != NULL;
}

/* The item in the table that equals `item`, or NULL after putting it there. */
static void *table_meet(table *t, uint64_t hash, void *item, int (*equal)(const void *, const void *)) {
    size_t i = hash & t->mask;
    for (; t->slots[i]; i = (i + 1) & t->mask)
        if (equal(t->slots[i], item)) return t->slots[i];
    t->slots[i] = item;
    return NULL;
}

/* ---- constants ----------------------------------------------------------------------------------------------------------- */

static int small_constant(const leat_value *value) {
    return value->constant && value->constant->data && value->uses && !value->is_output && !value->is_input &&
           value->constant->dtype != LEAT_DTYPE_STRING && leat_tensor_bytes(value->constant) <= SMALL_BYTES;
}

static uint64_t hash_constant(const leat_tensor *t) {
    uint64_t hash = mix((uint64_t)t->dtype, (uint64_t)t->rank);
    for (int i = 0; i < t->rank; i++) hash = mix(hash, (uint64_t)t->dims[i]);
    return mix_bytes(hash, t->data, leat_tensor_bytes(t));
}

static int equal_constants(const void *a, const void *b) {
    const leat_tensor *x = ((const leat_value *)a)->constant, *y = ((const leat_value *)b)->constant;
    return x->dtype == y->dtype && x->flags == y->flags && leat__dims_equal(x, y) &&
           memcmp(x->data, y->data, leat_tensor_bytes(x)) == 0;
}

/* Equal constants are recorded by id and replaced in one sweep: replacing them singly would be quadratic. */
static void redirect(leat_graph *graph, leat_value *const *first) {
    for (int n = 0; n < graph->n_nodes; n++) {
        leat_node *node = graph->nodes[n];
        for (int i = 0; i < node->n_in; i++)
            if (!node->dead && node->in[i] && first[node->in[i]->id]) leat__set_in(node, i, first[node->in[i]->id]);
        for (int a = 0; a < node->attrs.n; a++)
            if (node->attrs.list[a].type == LEAT_ATTR_GRAPH) redirect(node->attrs.list[a].graph, first);
    }
}

static int max_id(const leat_graph *graph) {
    int largest = -1;
    for (int i = 0; i < graph->n_values; i++)
        if (graph->values[i]->id > largest) largest = graph->values[i]->id;
    for (int n = 0; n < graph->n_nodes; n++)
        for (int a = 0; a < graph->nodes[n]->attrs.n; a++)
            if (graph->nodes[n]->attrs.list[a].type == LEAT_ATTR_GRAPH) {
                int inner = max_id(graph->nodes[n]->attrs.list[a].graph);
                if (inner > largest) largest = inner;
            }
    return largest;
}

static int merge_constants(leat_pass *pass) {
    leat_graph  *graph = pass->graph;
    table t;
    int   found = 0;
    leat__graph_index(pass->root); /* constants that this round has made must have ids of their own */
    leat_value **first = leat__calloc((size_t)max_id(pass->root) + 2, sizeof *first, LEAT_MEMORY_GRAPH);
    if (!first || !table_init(&t, (size_t)graph->n_values)) {
        leat__free(first);
        return LEAT_ENOMEM;
    }
    for (int i = 0; i < graph->n_values; i++) {
        leat_value *value = graph->values[i];
        if (!small_constant(value)) continue;
        first[value->id] = table_meet(&t, hash_constant(value->constant), value, equal_constants);
        found |= first[value->id] != NULL;
    }
    if (found) redirect(graph, first);
    leat__free(t.slots);
    leat__free(first);
    return LEAT_OK;
}

/* ---- nodes --------------------------------------------------------------------------------------------------------------- */

static int mergeable(const leat_node *node) {
    if (node->dead || !node->op || (node->op->flags & (LEAT_OP_NONDET | LEAT_OP_CONTROL)) || node->n_in == 0) return 0;
    for (int o = 0; o < node->n_out; o++)
        if (node->out[o] && node->out[o]->is_output) return 0;
    return 1;
}

static uint64_t hash_node(const leat_node *node) {
    uint64_t hash = mix_bytes(mix((uint64_t)node->n_in, (uint64_t)node->attrs.n), node->op_type, strlen(node->op_type));
    for (int i = 0; i < node->n_in; i++) hash = mix(hash, (uint64_t)(uintptr_t)node->in[i]);
    return hash;
}

static int equal_attr(const leat_attr *a, const leat_attr *b) {
    if (!b || a->type != b->type) return 0;
    switch (a->type) {
    case LEAT_ATTR_INT: return a->i == b->i;
    case LEAT_ATTR_FLOAT: return a->f == b->f;
    case LEAT_ATTR_STRING: return a->s_len == b->s_len && memcmp(a->s, b->s, a->s_len) == 0;
    case LEAT_ATTR_INTS: return a->n == b->n && (a->n == 0 || memcmp(a->ints, b->ints, (size_t)a->n * sizeof *a->ints) == 0);
    case LEAT_ATTR_FLOATS: return a->n == b->n && (a->n == 0 || memcmp(a->floats, b->floats, (size_t)a->n * sizeof *a->floats) == 0);
    case LEAT_ATTR_TENSOR: return a->t == b->t;
    default: return 0;
    }
}

static int equal_nodes(const void *left, const void *right) {
    const leat_node *a = left, *b = right;
    if (a->op != b->op || a->opset != b->opset || a->n_in != b->n_in || a->n_out != b->n_out || a->attrs.n != b->attrs.n) return 0;
    if (memcmp(a->in, b->in, (size_t)a->n_in * sizeof *a->in) != 0) return 0;
    for (int i = 0; i < a->attrs.n; i++)
        if (!equal_attr(&a->attrs.list[i], leat__attr(&b->attrs, a->attrs.list[i].name))) return 0;
    for (int o = 0; o < a->n_out; o++)
        if (!a->out[o] != !b->out[o]) return 0;
    return 1;
}

static void merge_into(leat_pass *pass, leat_node *first, leat_node *again) {
    leat__kill(again);
    for (int o = 0; o < again->n_out; o++) {
        if (!again->out[o]) continue;
        leat__graph_replace_uses(pass->graph, again->out[o], first->out[o]);
        first->out[o]->uses += again->out[o]->uses;
        first->out[o]->reader = again->out[o]->reader;
        again->out[o]->uses = 0;
    }
    pass->changed++;
}

int leat__pass_cse(leat_pass *pass) {
    table t;
    if (merge_constants(pass) != LEAT_OK || !table_init(&t, (size_t)pass->graph->n_nodes))
        return leat__fail(pass->error, LEAT_ENOMEM, "out of memory while merging equal nodes");
    for (int n = 0; n < pass->graph->n_nodes; n++) {
        leat_node *node = pass->graph->nodes[n];
        if (!mergeable(node)) continue;
        leat_node *first = table_meet(&t, hash_node(node), node, equal_nodes);
        if (first) merge_into(pass, first, node);
    }
    leat__free(t.slots);
    return LEAT_OK;
}
