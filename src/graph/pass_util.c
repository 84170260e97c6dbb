/* pass_util.c - matching and editing helpers of the passes (contract in pass.h).
 *
 * Use counts are conservative while a pass edits: a removed use lowers the count, an added one raises it, and the remembered reader is
 * checked against the node's real inputs before it is believed.  So a helper may say "not the only reader" wrongly, until the next
 * leat__graph_index(), but never "the only reader" wrongly.
 */
#include <string.h>

#include "graph/pass.h"

/* ---- walking ------------------------------------------------------------------------------------------------------------ */

int leat__pass_each(leat_pass *pass, leat_rewrite fn) {
    leat_graph *graph = pass->graph;
    for (int i = 0; i < graph->n_nodes; i++) {
        leat_node *node = graph->nodes[i];
        if (node->dead) continue;
        int before = graph->n_nodes;
        int result = fn(pass, node);
        if (graph->failed) result = LEAT_ENOMEM;
        if (result < 0) return leat__fail(pass->error, result, "graph '%s': out of memory while optimising", graph->name);
        pass->changed += result;
        i += graph->n_nodes - before; /* nodes put in front of the anchor have shifted it */
    }
    return LEAT_OK;
}

/* ---- matching ----------------------------------------------------------------------------------------------------------- */

int leat__is_in(const leat_node *node, const char *domain, const char *op_type) {
    if (!node || node->dead || node->op_type[0] != op_type[0] || strcmp(node->op_type, op_type) != 0) return 0; /* called very often */
    const char *own = strcmp(node->domain, "ai.onnx") == 0 ? "" : node->domain;
    return strcmp(own, domain) == 0;
}

int leat__is(const leat_node *node, const char *op_type) {
    return leat__is_in(node, "", op_type);
}

leat_value *leat__in(const leat_node *node, int i) {
    return i < node->n_in ? node->in[i] : NULL;
}

leat_node *leat__from(const leat_node *node, int i, const char *op_type) {
    leat_value *value = leat__in(node, i);
    if (!value || !value->producer || value->producer->graph != node->graph) return NULL;
    return value == value->producer->out[0] && leat__is(value->producer, op_type) ? value->producer : NULL;
}

int leat__in_index(const leat_node *node, const leat_value *value) {
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] == value) return i;
    return -1;
}

leat_node *leat__only_reader(const leat_value *value) {
    if (!value || value->uses != 1 || value->is_output || !value->reader) return NULL;
    leat_node *reader = value->reader;
    if (reader->dead || reader->graph != value->graph || leat__in_index(reader, value) < 0) return NULL;
    return reader;
}

int leat__feeds_only(const leat_node *node, const leat_node *reader) {
    return leat__only_reader(node->out[0]) == reader;
}

leat_value *leat__other(const leat_node *node, const leat_value *value) {
    if (node->n_in != 2) return NULL;
    if (node->in[0] == value) return node->in[1];
    return node->in[1] == value ? node->in[0] : NULL;
}

int leat__const_scalar(const leat_value *value, double *x) {
    if (!value || !value->constant || !value->constant->data || leat_tensor_count(value->constant) != 1) return 0;
    leat_dtype dtype = value->constant->dtype;
    if (!leat__dtype_is_float(dtype) && !leat__dtype_is_int(dtype)) return 0;
    *x = leat__tensor_get_float(value->constant, 0);
    return 1;
}

int leat__const_ints(const leat_value *value, int64_t *out, int max) {
    if (!value || !value->constant || !value->constant->data || !leat__dtype_is_int(value->constant->dtype)) return -1;
    int64_t n = leat_tensor_count(value->constant);
    if (n < 0 || n > max) return -1;
    for (int i = 0; i < (int)n; i++) out[i] = leat__tensor_get_int(value->constant, i);
    return (int)n;
}

int leat__with_scalar(const leat_node *node, int right, double *x, leat_value **other) {
    if (!node || node->n_in != 2 || !node->in[0] || !node->in[1]) return 0;
    for (int i = 1; i >= right; i--) {
        if (!leat__const_scalar(node->in[i], x)) continue;
        *other = node->in[1 - i];
        if (node->in[i]->constant->rank == 0 || (*other)->rank >= node->in[i]->constant->rank) return 1;
    }
    return 0;
}

int leat__is_f32(const leat_value *value) {
    return value && value->dtype == LEAT_DTYPE_F32;
}

int leat__known_dims(const leat_value *value) {
    if (!value || value->rank < 0) return 0;
    for (int i = 0; i < value->rank; i++)
        if (value->dims[i] < 0) return 0;
    return 1;
}

int leat__same_shape(const leat_value *a, const leat_value *b) {
    return leat__known_dims(a) && leat__known_dims(b) && a->rank == b->rank &&
           memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims) == 0;
}

int leat__surely_same_shape(const leat_value *a, const leat_value *b) {
    if (!a || !b || a->rank < 0 || a->rank != b->rank) return 0;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i] || (a->dims[i] < 0 && (a->probe[i] < 0 || a->probe[i] != b->probe[i]))) return 0;
    return 1;
}

int leat__attr_ints_are(const leat_node *node, const char *name, int64_t value, int64_t absent) {
    int            n;
    const int64_t *ints = leat__attr_ints(&node->attrs, name, &n);
    if (!ints) return value == absent;
    for (int i = 0; i < n; i++)
        if (ints[i] != value) return 0;
    return 1;
}

int leat__node_axes(const leat_node *node, int64_t *axes, int max) {
    int            n = 0;
    const int64_t *ints = leat__attr_ints(&node->attrs, "axes", &n);
    if (ints && n <= max) memcpy(axes, ints, (size_t)n * sizeof *axes);
    if (ints) return n <= max ? n : -1;
    return leat__in(node, 1) ? leat__const_ints(node->in[1], axes, max) : 0;
}

/* ---- editing ------------------------------------------------------------------------------------------------------------ */

static void drop_use(leat_value *value) {
    if (value && value->uses > 0) value->uses--;
}

void leat__set_in(leat_node *node, int i, leat_value *value) {
    if (node->in[i] == value) return;
    drop_use(node->in[i]);
    node->in[i] = value;
    if (!value) return;
    value->uses++;
    value->reader = node;
}

int leat__grow_in(leat_node *node, int n_in) {
    if (n_in <= node->n_in) return 1;
    leat_value **in = leat__arena_calloc(node->graph->arena, (size_t)n_in + 1, sizeof *in);
    if (!in) return 0;
    memcpy(in, node->in, (size_t)node->n_in * sizeof *in);
    node->in = in;
    node->n_in = n_in;
    return 1;
}

int leat__become(leat_node *node, const char *domain, const char *op_type, int opset, int n_in) {
    leat_value **in = leat__arena_calloc(node->graph->arena, (size_t)n_in + 1, sizeof *in);
    if (!in) return 0;
    for (int i = 0; i < node->n_in; i++) drop_use(node->in[i]);
    node->in = in;
    node->n_in = n_in;
    node->domain = domain;
    node->op_type = op_type;
    node->opset = opset;
    node->op = leat__op_find(domain, op_type, opset);
    node->attrs = (leat_attrs){0};
    return 1;
}

int leat__copy_attrs(leat_node *to, const leat_node *from) {
    leat__node_attr_copy(to, from);
    return to->attrs.n == from->attrs.n;
}

void leat__drop_attr(leat_node *node, const char *name) {
    int kept = 0;
    for (int i = 0; i < node->attrs.n; i++)
        if (strcmp(node->attrs.list[i].name, name) != 0) node->attrs.list[kept++] = node->attrs.list[i];
    node->attrs.n = kept;
}

void leat__kill(leat_node *node) {
    if (node->dead) return;
    node->dead = 1;
    for (int i = 0; i < node->n_in; i++) drop_use(node->in[i]);
}

/* Output `out` of the graph is to be computed by `from`'s producer under out's name. */
static int take_over_output(leat_pass *pass, leat_node *node, leat_value *from) {
    leat_value *out = node->out[0];
    leat_node  *producer = from->producer;
    if (!producer || producer->graph != node->graph || from->is_output || from->is_input || from->constant) return 0;
    if (from->graph != out->graph) return 0;
    leat__kill(node);
    leat__graph_replace_uses(node->graph, from, out);
    for (int o = 0; o < producer->n_out; o++)
        if (producer->out[o] == from) producer->out[o] = out;
    out->producer = producer;
    out->uses += from->uses;
    out->reader = from->reader;
    from->uses = 0;
    return 1;
}

int leat__bypass(leat_pass *pass, leat_node *node, leat_value *with) {
    leat_value *out = node->out[0];
    if (!out || !with || out == with) return 0;
    if (out->is_output) return take_over_output(pass, node, with);
    leat__kill(node);
    leat__graph_replace_uses(node->graph, out, with);
    with->uses += out->uses;
    with->reader = out->reader;
    out->uses = 0;
    return 1;
}

leat_value *leat__new_value(leat_graph *graph, const leat_value *like) {
    leat_value *value = leat__graph_value(graph, NULL);
    if (!value || !like) return value;
    value->dtype = like->dtype;
    value->rank = like->rank;
    memcpy(value->dims, like->dims, sizeof value->dims);
    memcpy(value->probe, like->probe, sizeof value->probe);
    return value;
}

leat_value *leat__insert(leat_node *before, const char *domain, const char *op_type, int opset, int n_in, leat_value **in,
                         const leat_value *like) {
    leat_graph *graph = before->graph;
    leat_node  *node = leat__graph_node(graph, leat__graph_at(graph, before), domain, op_type, opset, n_in, 1);
    leat_value *out = leat__new_value(graph, like);
    if (!node || !out) return NULL;
    for (int i = 0; i < n_in; i++) leat__set_in(node, i, in[i]);
    node->out[0] = out;
    node->name = before->name;
    out->producer = node;
    return out;
}

leat_value *leat__new_ints(leat_graph *graph, const int64_t *values, int n) {
    leat_value *value = leat__graph_constant(graph, LEAT_DTYPE_I64, 1, &(int64_t){n});
    if (value && n) memcpy(value->constant->data, values, (size_t)n * sizeof *values);
    return value;
}

leat_value *leat__new_f32(leat_graph *graph, int rank, const int64_t *dims) {
    static const int64_t none[1] = {0};
    return leat__graph_constant(graph, LEAT_DTYPE_F32, rank, rank ? dims : none);
}
