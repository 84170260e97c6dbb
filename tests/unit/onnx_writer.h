/* onnx_writer.h - just enough protobuf to write small ONNX models in tests.
 *
 * A pb is a growing message; pb_message() closes one inside another.  Nodes are written as text: "Op in,in -> out,out".
 */
#ifndef TESTS_ONNX_WRITER_H
#define TESTS_ONNX_WRITER_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct pb {
    uint8_t *data;
    size_t   n, capacity;
} pb;

static inline void pb_raw(pb *p, const void *data, size_t n) {
    if (p->n + n > p->capacity) {
        p->capacity = (p->n + n) * 2 + 64;
        p->data = realloc(p->data, p->capacity);
    }
    if (n) memcpy(p->data + p->n, data, n);
    p->n += n;
}

static inline void pb_var(pb *p, uint64_t value) {
    do {
        uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        pb_raw(p, &byte, 1);
        value >>= 7;
    } while (value);
}

static inline void pb_int(pb *p, int field, int64_t value) {
    pb_var(p, (uint64_t)field << 3);
    pb_var(p, (uint64_t)value);
}

static inline void pb_bytes(pb *p, int field, const void *data, size_t n) {
    pb_var(p, (uint64_t)field << 3 | 2);
    pb_var(p, n);
    pb_raw(p, data, n);
}

static inline void pb_text(pb *p, int field, const char *text) { pb_bytes(p, field, text, strlen(text)); }

static inline void pb_float(pb *p, int field, float value) {
    pb_var(p, (uint64_t)field << 3 | 5);
    pb_raw(p, &value, 4);
}

static inline void pb_free(pb *p) {
    free(p->data);
    *p = (pb){0};
}

/* Appends `inner` as field `field` and frees it. */
static inline void pb_message(pb *p, int field, pb *inner) {
    pb_bytes(p, field, inner->data, inner->n);
    pb_free(inner);
}

/* ---- ONNX ---- */

static inline pb onnx_tensor(const char *name, int type, int rank, const int64_t *dims, const void *raw, size_t bytes) {
    pb t = {0};
    for (int i = 0; i < rank; i++) pb_int(&t, 1, dims[i]);
    pb_int(&t, 2, type);
    pb_text(&t, 8, name);
    if (raw) pb_bytes(&t, 9, raw, bytes);
    return t;
}

static inline pb onnx_floats(const char *name, int64_t n, const float *values) {
    return onnx_tensor(name, 1, 1, &n, values, (size_t)n * 4);
}

/* ValueInfoProto of a float tensor; dim -1 is written as the symbol "N". */
static inline pb onnx_value(const char *name, int type, int rank, const int64_t *dims) {
    pb value = {0}, outer = {0}, tensor = {0}, shape = {0};
    for (int i = 0; i < rank; i++) {
        pb dim = {0};
        if (dims[i] < 0) pb_text(&dim, 2, "N");
        else pb_int(&dim, 1, dims[i]);
        pb_message(&shape, 1, &dim);
    }
    pb_int(&tensor, 1, type);
    if (rank >= 0) pb_message(&tensor, 2, &shape);
    pb_message(&outer, 1, &tensor);
    pb_text(&value, 1, name);
    pb_message(&value, 2, &outer);
    return value;
}

/* Names separated by commas, "_" for an absent one, into repeated field `field`. */
static inline void onnx_names(pb *p, int field, const char *names) {
    while (*names) {
        size_t n = strcspn(names, ",");
        pb_bytes(p, field, names, n == 1 && names[0] == '_' ? 0 : n);
        names += n + (names[n] == ',');
    }
}

/* "Op a,b -> c,d"; "dom:Op" gives a domain.  Its name is "n_" and the first output. */
static inline pb onnx_node(const char *text) {
    char op[64] = "", in[256] = "", out[256] = "", name[300];
    pb node = {0};
    if (sscanf(text, "%63s -> %255s", op, out) != 2) sscanf(text, "%63s %255s -> %255s", op, in, out);
    char *colon = strchr(op, ':');
    onnx_names(&node, 1, in);
    onnx_names(&node, 2, out);
    snprintf(name, sizeof name, "n_%.*s", (int)strcspn(out, ","), out);
    pb_text(&node, 3, name);
    pb_text(&node, 4, colon ? colon + 1 : op);
    if (colon) pb_bytes(&node, 7, op, (size_t)(colon - op));
    return node;
}

static inline pb onnx_attr(const char *name, int type) {
    pb attr = {0};
    pb_text(&attr, 1, name);
    pb_int(&attr, 20, type);
    return attr;
}

static inline void onnx_attr_int(pb *node, const char *name, int64_t value) {
    pb attr = onnx_attr(name, 2);
    pb_int(&attr, 3, value);
    pb_message(node, 5, &attr);
}

static inline void onnx_opset(pb *p, int field, const char *domain, int64_t version) {
    pb opset = {0};
    if (domain[0]) pb_text(&opset, 1, domain);
    pb_int(&opset, 2, version);
    pb_message(p, field, &opset);
}

/* ModelProto around a graph, which is freed. */
static inline pb onnx_model(pb *graph) {
    pb model = {0};
    pb_int(&model, 1, 8);
    pb_text(&model, 2, "leat-test");
    onnx_opset(&model, 8, "", 17);
    pb_message(&model, 7, graph);
    return model;
}

/* A graph x -> y (float[N]) of the nodes given as text, ended by NULL. */
static inline pb onnx_graph(const char *const *nodes) {
    const int64_t dims[1] = {-1};
    pb graph = {0}, in = onnx_value("x", 1, 1, dims), out = onnx_value("y", 1, 1, dims);
    pb_text(&graph, 2, "g");
    for (; *nodes; nodes++) {
        pb node = onnx_node(*nodes);
        pb_message(&graph, 1, &node);
    }
    pb_message(&graph, 11, &in);
    pb_message(&graph, 12, &out);
    return graph;
}

#endif
