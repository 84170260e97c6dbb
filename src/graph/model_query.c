/* model_query.c - what a model is made of: its kinds of operators and its constants (contract in leat/model.h). */
#include <stdlib.h>
#include <string.h>

#include "graph/model_impl.h"

static const char *domain_of(const leat_node *node) { return node->domain[0] ? node->domain : "ai.onnx"; }

static leat_operator_info *find_kind(leat_model *model, const leat_node *node) {
    for (int i = 0; i < model->n_operators; i++) {
        leat_operator_info *kind = &model->operators[i];
        if (strcmp(kind->op, node->op_type) == 0 && strcmp(kind->domain, domain_of(node)) == 0) return kind;
    }
    leat_operator_info *kind = &model->operators[model->n_operators++];
    *kind = (leat_operator_info){.domain = domain_of(node), .op = node->op_type, .opset = node->opset};
    return kind;
}

static void count_graph(leat_model *model, const leat_graph *graph) {
    for (int n = 0; n < graph->n_nodes; n++) {
        const leat_node *node = graph->nodes[n];
        leat_operator_info *kind = find_kind(model, node);
        kind->count++;
        kind->supported += node->op != NULL;
        for (int a = 0; a < node->attrs.n; a++)
            if (node->attrs.list[a].type == LEAT_ATTR_GRAPH) count_graph(model, node->attrs.list[a].graph);
    }
}

static int by_count(const void *a, const void *b) {
    const leat_operator_info *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count) - (x->count > y->count) : strcmp(x->op, y->op);
}

int leat__model_list_operators(leat_model *model) {
    model->operators = leat__arena_calloc(&model->arena, (size_t)model->nodes_file + 1, sizeof *model->operators);
    if (!model->operators) return LEAT_ENOMEM;
    count_graph(model, model->graph);
    qsort(model->operators, (size_t)model->n_operators, sizeof *model->operators, by_count);
    return LEAT_OK;
}

int leat_model_operator(const leat_model *model, int index, leat_operator_info *info) {
    if (index < 0 || index >= model->n_operators) return LEAT_EINVAL;
    *info = model->operators[index];
    return LEAT_OK;
}

int leat_model_constant(const leat_model *model, const char *name, leat_tensor *tensor) {
    const leat_value *value = leat__graph_find(model->graph, name);
    if (!value || !value->constant || leat__is_nhwc(value->constant)) return LEAT_EINVAL;
    *tensor = *value->constant;
    tensor->flags = 0;
    return LEAT_OK;
}
