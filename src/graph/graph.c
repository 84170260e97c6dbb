/* graph.c - building, editing and indexing the intermediate representation (contract in graph.h).
 *
 * Arrays grow by doubling inside the model's arena; what they leave behind is small and goes with the arena.
 */
#include "graph/graph.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

/* Grows *list (elements are pointers) so that it holds at least `need`; 0 when out of memory. */
static int grow(leat_arena *arena, void ***list, int *capacity, int count, int need) {
    if (need <= *capacity) return 1;
    int   larger = *capacity ? *capacity * 2 : 16;
    if (larger < need) larger = need;
    void **moved = leat__arena_calloc(arena, (size_t)larger, sizeof(void *));
    if (!moved) return 0;
    if (count) memcpy(moved, *list, (size_t)count * sizeof(void *));
    *list = moved;
    *capacity = larger;
    return 1;
}

leat_value *leat__graph_value(leat_graph *graph, const char *name) {
    leat_value *value = leat__arena_calloc(graph->arena, 1, sizeof *value);
    if (!value) return NULL;
    if (!name) name = leat__arena_printf(graph->arena, "leat:%d", graph->n_values);
    if (!name || !grow(graph->arena, (void ***)&graph->values, &graph->cap_values, graph->n_values, graph->n_values + 1))
        return NULL;
    value->name = name;
    value->rank = -1;
    value->graph = graph;
    for (int i = 0; i < LEAT_MAX_RANK; i++) value->dims[i] = value->probe[i] = -1;
    graph->values[graph->n_values++] = value;
    return value;
}

leat_value *leat__graph_find(const leat_graph *graph, const char *name) {
    for (; graph; graph = graph->parent)
        for (int i = 0; i < graph->n_values; i++)
            if (strcmp(graph->values[i]->name, name) == 0) return graph->values[i];
    return NULL;
}

leat_node *leat__graph_node(leat_graph *graph, int at, const char *domain, const char *op_type, int opset, int n_in, int n_out) {
    leat_arena *arena = graph->arena;
    leat_node  *node = leat__arena_calloc(arena, 1, sizeof *node);
    if (!node || !grow(arena, (void ***)&graph->nodes, &graph->cap_nodes, graph->n_nodes, graph->n_nodes + 1)) return NULL;
    node->in = leat__arena_calloc(arena, (size_t)n_in + 1, sizeof *node->in);
    node->out = leat__arena_calloc(arena, (size_t)n_out + 1, sizeof *node->out);
    if (!node->in || !node->out) return NULL;
    node->name = "";
    node->domain = domain;
    node->op_type = op_type;
    node->opset = opset;
    node->op = leat__op_find(domain, op_type, opset);
    node->n_in = n_in;
    node->n_out = n_out;
    node->graph = graph;
    if (at < 0 || at > graph->n_nodes) at = graph->n_nodes;
    memmove(graph->nodes + at + 1, graph->nodes + at, (size_t)(graph->n_nodes - at) * sizeof *graph->nodes);
    graph->nodes[at] = node;
    graph->n_nodes++;
    return node;
}

leat_value *leat__graph_constant(leat_graph *graph, leat_dtype dtype, int rank, const int64_t *dims) {
    leat_value  *value = leat__graph_value(graph, NULL);
    leat_tensor *tensor = leat__arena_calloc(graph->arena, 1, sizeof *tensor);
    if (!value || !tensor) return NULL;
    leat__tensor_set(tensor, dtype, rank, dims);
    size_t bytes = leat_tensor_bytes(tensor);
    if (bytes == SIZE_MAX) return NULL;
    tensor->data = leat__arena_alloc_aligned(graph->arena, bytes);
    if (!tensor->data) return NULL;
    memset(tensor->data, 0, bytes);
    value->constant = tensor;
    value->dtype = dtype;
    value->rank = rank;
    memcpy(value->dims, dims, (size_t)rank * sizeof *dims);
    return value;
}

/* ---- attributes ---------------------------------------------------------------------------------------------------- */

leat_attr *leat__node_attr_add(leat_node *node, const char *name, leat_attr_type type) {
    leat_arena *arena = node->graph->arena;
    leat_attr  *slot = NULL;
    for (int i = 0; i < node->attrs.n; i++)
        if (strcmp(node->attrs.list[i].name, name) == 0) slot = &node->attrs.list[i];
    if (!slot) {
        leat_attr *list = leat__arena_calloc(arena, (size_t)node->attrs.n + 1, sizeof *list);
        node->graph->failed |= !list;
        if (!list) return NULL;
        if (node->attrs.n) memcpy(list, node->attrs.list, (size_t)node->attrs.n * sizeof *list);
        node->attrs.list = list;
        slot = &list[node->attrs.n++];
    }
    *slot = (leat_attr){.name = leat__arena_strndup(arena, name, strlen(name)), .type = type};
    node->graph->failed |= !slot->name;
    return slot->name ? slot : NULL;
}

void leat__node_attr_set_int(leat_node *node, const char *name, int64_t value) {
    leat_attr *attr = leat__node_attr_add(node, name, LEAT_ATTR_INT);
    if (attr) attr->i = value;
}

void leat__node_attr_set_float(leat_node *node, const char *name, float value) {
    leat_attr *attr = leat__node_attr_add(node, name, LEAT_ATTR_FLOAT);
    if (attr) attr->f = value;
}

void leat__node_attr_set_string(leat_node *node, const char *name, const char *value) {
    leat_attr *attr = leat__node_attr_add(node, name, LEAT_ATTR_STRING);
    if (!attr) return;
    attr->s_len = strlen(value);
    attr->s = leat__arena_strndup(node->graph->arena, value, attr->s_len);
    node->graph->failed |= !attr->s;
}

int leat__node_attr_set_ints(leat_node *node, const char *name, const int64_t *values, int n) {
    leat_attr *attr = leat__node_attr_add(node, name, LEAT_ATTR_INTS);
    int64_t   *copy = leat__arena_calloc(node->graph->arena, (size_t)n + 1, sizeof *copy);
    if (!attr || !copy) return LEAT_ENOMEM;
    if (n) memcpy(copy, values, (size_t)n * sizeof *copy);
    attr->ints = copy;
    attr->n = n;
    return LEAT_OK;
}

void leat__node_attr_copy(leat_node *to, const leat_node *from) {
    leat_attr *list = leat__arena_calloc(to->graph->arena, (size_t)from->attrs.n + 1, sizeof *list);
    if (!list) return;
    if (from->attrs.n) memcpy(list, from->attrs.list, (size_t)from->attrs.n * sizeof *list);
    to->attrs.list = list;
    to->attrs.n = from->attrs.n;
}

/* ---- walking inner graphs -------------------------------------------------------------------------------------------- */

static void replace_in(leat_graph *graph, leat_value *old_value, leat_value *new_value) {
    for (int n = 0; n < graph->n_nodes; n++) {
        leat_node *node = graph->nodes[n];
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i] == old_value) node->in[i] = new_value;
        for (int a = 0; a < node->attrs.n; a++)
            if (node->attrs.list[a].type == LEAT_ATTR_GRAPH) replace_in(node->attrs.list[a].graph, old_value, new_value);
    }
    for (int i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == old_value) graph->outputs[i] = new_value;
}

void leat__graph_replace_uses(leat_graph *graph, leat_value *old_value, leat_value *new_value) {
    replace_in(graph, old_value, new_value);
}

static void reset_values(leat_graph *graph, int32_t *id) {
    for (int i = 0; i < graph->n_values; i++) {
        leat_value *value = graph->values[i];
        value->uses = 0;
        value->producer = NULL;
        value->reader = NULL;
        value->is_output = 0;
        value->id = (*id)++;
    }
    for (int n = 0; n < graph->n_nodes; n++)
        for (int a = 0; a < graph->nodes[n]->attrs.n; a++)
            if (graph->nodes[n]->attrs.list[a].type == LEAT_ATTR_GRAPH) reset_values(graph->nodes[n]->attrs.list[a].graph, id);
}

static void count_uses(leat_graph *graph) {
    for (int n = 0; n < graph->n_nodes; n++) {
        leat_node *node = graph->nodes[n];
        if (node->dead) continue;
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i]) {
                node->in[i]->uses++;
                node->in[i]->reader = node;
            }
        for (int o = 0; o < node->n_out; o++)
            if (node->out[o]) node->out[o]->producer = node;
        for (int a = 0; a < node->attrs.n; a++)
            if (node->attrs.list[a].type == LEAT_ATTR_GRAPH) count_uses(node->attrs.list[a].graph);
    }
    for (int i = 0; i < graph->n_outputs; i++) {
        graph->outputs[i]->uses++;
        graph->outputs[i]->is_output = 1;
    }
}

void leat__graph_index(leat_graph *root) {
    int32_t id = 0;
    reset_values(root, &id);
    count_uses(root);
}

void leat__graph_compact(leat_graph *graph) {
    int kept = 0;
    for (int n = 0; n < graph->n_nodes; n++)
        if (!graph->nodes[n]->dead) graph->nodes[kept++] = graph->nodes[n];
    graph->n_nodes = kept;
}

int leat__graph_at(const leat_graph *graph, const leat_node *node) {
    for (int n = 0; n < graph->n_nodes; n++)
        if (graph->nodes[n] == node) return n;
    return -1;
}

/* ---- topological order ----------------------------------------------------------------------------------------------- */

typedef struct sorter {
    leat_graph  *graph;
    leat_node  **order;
    uint8_t     *state; /* 0 new, 1 on the stack, 2 placed; by node index */
    leat_value **needs; /* of all nodes, one after the other; those of node i are first[i] .. first[i + 1] - 1 */
    size_t      *first;
    size_t      *next;  /* the next of its needs to look at; by node index */
    int         *stack; /* explicit: node indices */
    int          placed;
} sorter;

/* Collects the values of `graph` that `node` needs: its inputs and what its inner graphs capture.  list NULL: counts them only. */
static size_t inner_needs(const leat_graph *inner, const leat_graph *graph, leat_value **list);

static size_t node_needs(const leat_node *node, const leat_graph *graph, leat_value **list) {
    size_t n = 0;
    for (int i = 0; i < node->n_in; i++) {
        if (!node->in[i] || node->in[i]->graph != graph) continue;
        if (list) list[n] = node->in[i];
        n++;
    }
    for (int a = 0; a < node->attrs.n; a++)
        if (node->attrs.list[a].type == LEAT_ATTR_GRAPH) n += inner_needs(node->attrs.list[a].graph, graph, list ? list + n : NULL);
    return n;
}

static size_t inner_needs(const leat_graph *inner, const leat_graph *graph, leat_value **list) {
    size_t n = 0;
    for (int k = 0; k < inner->n_nodes; k++) n += node_needs(inner->nodes[k], graph, list ? list + n : NULL);
    for (int i = 0; i < inner->n_outputs; i++) {
        if (inner->outputs[i]->graph != graph) continue;
        if (list) list[n] = inner->outputs[i];
        n++;
    }
    return n;
}

/* Depth-first from node `root`; LEAT_EFORMAT when it meets itself.  During the sort a value's id is the index of its producer. */
static int visit(sorter *s, int root, leat_error *error) {
    int depth = 0;
    s->stack[0] = root;
    s->state[root] = 1;
    while (depth >= 0) {
        int current = s->stack[depth];
        if (s->next[current] == s->first[current + 1]) {
            s->state[current] = 2;
            s->order[s->placed++] = s->graph->nodes[current];
            depth--;
            continue;
        }
        const leat_value *need = s->needs[s->next[current]++];
        if (!need->producer) continue;
        int producer = need->id;
        if (s->state[producer] == 1)
            return leat__fail(error, LEAT_EFORMAT, "graph '%s': node '%s' (%s) depends on itself through value '%s'", s->graph->name,
                              s->graph->nodes[current]->name, s->graph->nodes[current]->op_type, need->name);
        if (s->state[producer] == 2) continue;
        s->state[producer] = 1;
        s->stack[++depth] = producer;
    }
    return LEAT_OK;
}

/* Producers and needs of all nodes; 0 when out of memory. */
static int sorter_init(sorter *s, leat_graph *graph) {
    size_t n = (size_t)graph->n_nodes, total = 0;
    *s = (sorter){.graph = graph};
    s->order = leat__calloc(n + 1, sizeof *s->order, LEAT_MEMORY_GRAPH);
    s->state = leat__calloc(n + 1, 1, LEAT_MEMORY_GRAPH);
    s->stack = leat__calloc(n + 1, sizeof *s->stack, LEAT_MEMORY_GRAPH);
    s->first = leat__calloc(n + 1, sizeof *s->first, LEAT_MEMORY_GRAPH);
    s->next = leat__calloc(n + 1, sizeof *s->next, LEAT_MEMORY_GRAPH);
    for (size_t i = 0; i < n; i++) total += node_needs(graph->nodes[i], graph, NULL);
    s->needs = leat__calloc(total + 1, sizeof *s->needs, LEAT_MEMORY_GRAPH);
    if (!s->order || !s->state || !s->stack || !s->first || !s->next || !s->needs) return 0;
    for (size_t i = 0; i < n; i++) {
        s->next[i] = s->first[i];
        s->first[i + 1] = s->first[i] + node_needs(graph->nodes[i], graph, s->needs + s->first[i]);
    }
    for (int i = 0; i < graph->n_values; i++) graph->values[i]->producer = NULL;
    for (int i = 0; i < graph->n_nodes; i++)
        for (int o = 0; o < graph->nodes[i]->n_out; o++)
            if (graph->nodes[i]->out[o]) {
                graph->nodes[i]->out[o]->producer = graph->nodes[i];
                graph->nodes[i]->out[o]->id = i;
            }
    return 1;
}

static void sorter_fini(sorter *s) {
    leat__free(s->order);
    leat__free(s->state);
    leat__free(s->stack);
    leat__free(s->first);
    leat__free(s->next);
    leat__free(s->needs);
}

int leat__graph_sort(leat_graph *graph, leat_error *error) {
    sorter s;
    int    status = sorter_init(&s, graph) ? LEAT_OK : leat__fail(error, LEAT_ENOMEM, "out of memory while sorting nodes");
    for (int i = 0; i < graph->n_nodes && status == LEAT_OK; i++)
        if (s.state[i] == 0) status = visit(&s, i, error);
    if (status == LEAT_OK && graph->n_nodes) memcpy(graph->nodes, s.order, (size_t)graph->n_nodes * sizeof *s.order);
    sorter_fini(&s);
    return status;
}
