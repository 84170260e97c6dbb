/* dump.c - a graph for the eye (text, Graphviz) and for programs (JSON).
 *
 * Text: one line a node,   out[dims] = Op(in, in) {attr=value}   with NHWC values marked by '~' and constants by '#'.
 * JSON: {"name","opset","inputs":[value],"outputs":[value],"nodes":[{"name","op","domain","inputs","outputs","attributes","graphs"}]},
 *       value = {"name","type","dims" (-1 unknown; null when the rank is),"layout","constant"}; absent inputs are null.
 */
#include "graph/dump.h"

#include <string.h>

#define LIST_MAX 16 /* elements of a list attribute that are shown */

typedef struct dumper {
    leat_strbuf *text;
    int          depth;
} dumper;

/* ---- text ---------------------------------------------------------------------------------------------------------------- */

static void text_dims(leat_strbuf *b, const leat_value *value) {
    if (value->rank < 0) {
        leat__strbuf_add(b, "[?]");
        return;
    }
    leat__strbuf_add(b, "[");
    for (int i = 0; i < value->rank; i++) {
        const char *separator = i ? "," : "";
        if (value->dims[i] >= 0) leat__strbuf_addf(b, "%s%lld", separator, (long long)value->dims[i]);
        else leat__strbuf_addf(b, "%s%s", separator, value->dim_names[i] ? value->dim_names[i] : "?");
    }
    leat__strbuf_add(b, "]");
}

static void text_value(leat_strbuf *b, const leat_value *value) {
    if (!value) {
        leat__strbuf_add(b, "-");
        return;
    }
    leat__strbuf_addf(b, "%s%s%s", value->constant ? "#" : "", value->nhwc ? "~" : "", value->name);
    text_dims(b, value);
    if (value->dtype != LEAT_DTYPE_F32) leat__strbuf_addf(b, ":%s", leat_dtype_name(value->dtype));
}

static void text_values(leat_strbuf *b, leat_value *const *list, int n) {
    for (int i = 0; i < n; i++) {
        if (i) leat__strbuf_add(b, ", ");
        text_value(b, list[i]);
    }
}

static void text_attr(leat_strbuf *b, const leat_attr *attr) {
    int shown = attr->n < LIST_MAX ? attr->n : LIST_MAX;
    leat__strbuf_addf(b, "%s=", attr->name);
    switch (attr->type) {
    case LEAT_ATTR_INT: leat__strbuf_addf(b, "%lld", (long long)attr->i); break;
    case LEAT_ATTR_FLOAT: leat__strbuf_addf(b, "%.9g", (double)attr->f); break;
    case LEAT_ATTR_STRING: leat__strbuf_addf(b, "%s", attr->s); break;
    case LEAT_ATTR_INTS:
        for (int i = 0; i < shown; i++) leat__strbuf_addf(b, "%s%lld", i ? "," : "", (long long)attr->ints[i]);
        break;
    case LEAT_ATTR_FLOATS:
        for (int i = 0; i < shown; i++) leat__strbuf_addf(b, "%s%.9g", i ? "," : "", (double)attr->floats[i]);
        break;
    case LEAT_ATTR_GRAPH: leat__strbuf_add(b, "<graph>"); break;
    default: leat__strbuf_add(b, "<tensor>"); break;
    }
    if (attr->n > shown) leat__strbuf_add(b, ",..");
}

static void text_operator(leat_strbuf *b, const leat_node *node) {
    if (node->domain[0]) leat__strbuf_addf(b, "%s.", node->domain);
    leat__strbuf_add(b, node->op_type);
}

static void text_graph(dumper *d, const leat_graph *graph) {
    leat_strbuf *b = d->text;
    int          indent = 2 * d->depth;
    leat__strbuf_addf(b, "%*sgraph %s (", indent, "", graph->name ? graph->name : "");
    text_values(b, graph->inputs, graph->n_inputs);
    leat__strbuf_add(b, ") -> (");
    text_values(b, graph->outputs, graph->n_outputs);
    leat__strbuf_add(b, ")\n");
    for (int n = 0; n < graph->n_nodes; n++) {
        const leat_node *node = graph->nodes[n];
        leat__strbuf_addf(b, "%*s", indent + 2, "");
        text_values(b, node->out, node->n_out);
        leat__strbuf_add(b, " = ");
        text_operator(b, node);
        leat__strbuf_add(b, "(");
        text_values(b, node->in, node->n_in);
        leat__strbuf_add(b, ")");
        for (int a = 0; a < node->attrs.n; a++) {
            leat__strbuf_add(b, a ? " " : " {");
            text_attr(b, &node->attrs.list[a]);
        }
        leat__strbuf_add(b, node->attrs.n ? "}\n" : "\n");
        d->depth += 2;
        for (int a = 0; a < node->attrs.n; a++)
            if (node->attrs.list[a].type == LEAT_ATTR_GRAPH) text_graph(d, node->attrs.list[a].graph);
        d->depth -= 2;
    }
}

/* ---- Graphviz ------------------------------------------------------------------------------------------------------------ */

/* Text inside a DOT string: quotes and backslashes escaped. */
static void dot_text(leat_strbuf *b, const char *text) {
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\') leat__strbuf_add(b, "\\");
        leat__strbuf_addn(b, c, 1);
    }
}

static void dot_port(leat_strbuf *b, const leat_value *value, const char *shape) {
    leat__strbuf_addf(b, "  v%d [shape=%s,label=\"", value->id, shape);
    dot_text(b, value->name);
    leat__strbuf_add(b, "\"];\n");
}

static void dot_edge(leat_strbuf *b, const leat_value *value, const leat_graph *graph, int to) {
    if (value->constant || value->graph != graph) return;
    int from = value->producer ? leat__graph_at(graph, value->producer) : -1;
    if (from >= 0) leat__strbuf_addf(b, "  n%d -> n%d [label=\"", from, to);
    else leat__strbuf_addf(b, "  v%d -> n%d [label=\"", value->id, to);
    text_dims(b, value);
    leat__strbuf_addf(b, "\"%s];\n", value->nhwc ? ",color=blue" : "");
}

static void dot_graph(leat_strbuf *b, const leat_graph *graph) {
    leat__strbuf_add(b, "digraph leat {\n  node [shape=box,fontsize=10];\n  edge [fontsize=8];\n");
    for (int i = 0; i < graph->n_inputs; i++) dot_port(b, graph->inputs[i], "ellipse");
    for (int n = 0; n < graph->n_nodes; n++) {
        const leat_node *node = graph->nodes[n];
        leat__strbuf_addf(b, "  n%d [label=\"", n);
        text_operator(b, node);
        leat__strbuf_add(b, "\\n");
        dot_text(b, node->name);
        leat__strbuf_add(b, "\"];\n");
        for (int i = 0; i < node->n_in; i++)
            if (node->in[i]) dot_edge(b, node->in[i], graph, n);
    }
    for (int i = 0; i < graph->n_outputs; i++) {
        const leat_value *out = graph->outputs[i];
        if (!out->producer) continue;
        leat__strbuf_addf(b, "  o%d [shape=ellipse,label=\"", i);
        dot_text(b, out->name);
        leat__strbuf_addf(b, "\"];\n  n%d -> o%d;\n", leat__graph_at(graph, out->producer), i);
    }
    leat__strbuf_add(b, "}\n");
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------------- */

static void json_string(leat_strbuf *b, const char *text) {
    leat__strbuf_add_json(b, text ? text : "", text ? strlen(text) : 0);
}

static void json_value(leat_strbuf *b, const leat_value *value) {
    leat__strbuf_add(b, "{\"name\":");
    json_string(b, value->name);
    leat__strbuf_add(b, ",\"type\":");
    json_string(b, leat_dtype_name(value->dtype));
    leat__strbuf_add(b, ",\"dims\":");
    if (value->rank < 0) leat__strbuf_add(b, "null");
    else leat__strbuf_add(b, "[");
    for (int i = 0; i < value->rank; i++) leat__strbuf_addf(b, "%s%lld", i ? "," : "", (long long)value->dims[i]);
    if (value->rank >= 0) leat__strbuf_add(b, "]");
    leat__strbuf_addf(b, ",\"layout\":\"%s\",\"constant\":%s}", value->nhwc ? "nhwc" : "plain", value->constant ? "true" : "false");
}

static void json_values(leat_strbuf *b, const char *key, leat_value *const *list, int n) {
    leat__strbuf_addf(b, "\"%s\":[", key);
    for (int i = 0; i < n; i++) {
        if (i) leat__strbuf_add(b, ",");
        if (list[i]) json_value(b, list[i]);
        else leat__strbuf_add(b, "null");
    }
    leat__strbuf_add(b, "],");
}

static void json_attr(leat_strbuf *b, const leat_attr *attr) {
    json_string(b, attr->name);
    leat__strbuf_add(b, ":");
    switch (attr->type) {
    case LEAT_ATTR_INT: leat__strbuf_addf(b, "%lld", (long long)attr->i); break;
    case LEAT_ATTR_FLOAT: leat__strbuf_add_number(b, (double)attr->f); break;
    case LEAT_ATTR_STRING: leat__strbuf_add_json(b, attr->s, attr->s_len); break;
    case LEAT_ATTR_INTS:
    case LEAT_ATTR_FLOATS:
        leat__strbuf_add(b, "[");
        for (int i = 0; i < attr->n; i++) {
            if (i) leat__strbuf_add(b, ",");
            if (attr->type == LEAT_ATTR_INTS) leat__strbuf_addf(b, "%lld", (long long)attr->ints[i]);
            else leat__strbuf_add_number(b, (double)attr->floats[i]);
        }
        leat__strbuf_add(b, "]");
        break;
    default: leat__strbuf_add(b, "null"); break;
    }
}

static void json_graph(leat_strbuf *b, const leat_graph *graph);

static void json_node(leat_strbuf *b, const leat_node *node) {
    leat__strbuf_add(b, "{\"name\":");
    json_string(b, node->name);
    leat__strbuf_add(b, ",\"op\":");
    json_string(b, node->op_type);
    leat__strbuf_add(b, ",\"domain\":");
    json_string(b, node->domain);
    leat__strbuf_add(b, ",");
    json_values(b, "inputs", node->in, node->n_in);
    json_values(b, "outputs", node->out, node->n_out);
    leat__strbuf_add(b, "\"attributes\":{");
    for (int a = 0; a < node->attrs.n; a++) {
        if (a) leat__strbuf_add(b, ",");
        json_attr(b, &node->attrs.list[a]);
    }
    leat__strbuf_add(b, "},\"graphs\":[");
    for (int a = 0, found = 0; a < node->attrs.n; a++) {
        if (node->attrs.list[a].type != LEAT_ATTR_GRAPH) continue;
        if (found++) leat__strbuf_add(b, ",");
        json_graph(b, node->attrs.list[a].graph);
    }
    leat__strbuf_add(b, "]}");
}

static void json_graph(leat_strbuf *b, const leat_graph *graph) {
    leat__strbuf_add(b, "{\"name\":");
    json_string(b, graph->name);
    leat__strbuf_addf(b, ",\"opset\":%d,", graph->opset);
    json_values(b, "inputs", graph->inputs, graph->n_inputs);
    json_values(b, "outputs", graph->outputs, graph->n_outputs);
    leat__strbuf_add(b, "\"nodes\":[");
    for (int n = 0; n < graph->n_nodes; n++) {
        if (n) leat__strbuf_add(b, ",");
        json_node(b, graph->nodes[n]);
    }
    leat__strbuf_add(b, "]}");
}

int leat__graph_dump(const leat_graph *graph, leat_dump_format format, leat_strbuf *text) {
    dumper d = {.text = text};
    if (format == LEAT_DUMP_TEXT) text_graph(&d, graph);
    else if (format == LEAT_DUMP_DOT) dot_graph(text, graph);
    else if (format == LEAT_DUMP_JSON) json_graph(text, graph);
    else return LEAT_EINVAL;
    return LEAT_OK;
}
