/* case_pb.h - what the test runners need of ONNX files besides the engine itself: TensorProto data and a model's signature.
 *
 * Protobuf fields read here:
 *   ModelProto   7 graph, 8 opset_import {1 domain, 2 version}
 *   GraphProto   1 node {4 op_type, 7 domain}, 11 input, 12 output: ValueInfoProto {1 name, 2 type}
 *   TypeProto    1 tensor_type {1 elem_type}; any other member is a sequence, map, optional or sparse tensor
 *   TensorProto  1 dims, 2 data_type, 4 float_data, 5 int32_data, 7 int64_data, 8 name, 9 raw_data, 10 double_data, 11 uint64_data
 */
#ifndef LEAT_TESTS_CASE_PB_H
#define LEAT_TESTS_CASE_PB_H

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "leat/model.h"

enum { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };
enum { PB_NAME_MAX = 128, PB_IO_MAX = 32, PB_OPS_MAX = 64 };

typedef struct pb_field {
    uint64_t    number, value; /* value: of varints and fixed fields */
    int         wire;
    leat_cursor bytes;         /* of PB_BYTES */
} pb_field;

/* Reads the next field; 0 at the end or on malformed content (then c->failed). */
static inline int pb_next(leat_cursor *c, pb_field *f) {
    if (c->failed || leat__cursor_left(c) == 0) return 0;
    uint64_t key = leat__cursor_varint(c);
    *f = (pb_field){.number = key >> 3, .wire = (int)(key & 7)};
    switch (f->wire) {
    case PB_VARINT: f->value = leat__cursor_varint(c); break;
    case PB_FIXED64: f->value = leat__cursor_u64(c); break;
    case PB_FIXED32: f->value = leat__cursor_u32(c); break;
    case PB_BYTES: {
        uint64_t n = leat__cursor_varint(c);
        if (c->failed || n > leat__cursor_left(c)) return c->failed = 1, 0;
        f->bytes = leat__cursor_sub(c, (size_t)n);
        break;
    }
    default: c->failed = 1;
    }
    return !c->failed;
}

static inline void pb_text(const leat_cursor *bytes, char out[PB_NAME_MAX]) {
    size_t n = leat__cursor_left(bytes);
    if (n >= PB_NAME_MAX) n = PB_NAME_MAX - 1;
    memcpy(out, bytes->at, n);
    out[n] = 0;
}

/* ---- a model's signature ---------------------------------------------------------------------------------------------------- */

typedef struct pb_value {
    char name[PB_NAME_MAX];
    int  elem_type; /* TensorProto.DataType; -1 when it is no dense tensor */
} pb_value;

typedef struct pb_model {
    pb_value in[PB_IO_MAX], out[PB_IO_MAX];
    int      n_in, n_out, n_ops, opset;
    char     ops[PB_OPS_MAX][PB_NAME_MAX]; /* distinct, "domain.Op" or "Op" for ai.onnx */
} pb_model;

static inline int pb_elem_type(leat_cursor type) {
    pb_field f, g;
    while (pb_next(&type, &f)) {
        if (f.number != 1) return -1;
        while (pb_next(&f.bytes, &g))
            if (g.number == 1) return (int)g.value;
        return 0;
    }
    return 0;
}

static inline void pb_read_value(leat_cursor info, pb_value *list, int *n) {
    if (*n == PB_IO_MAX) return;
    pb_value *value = &list[(*n)++];
    pb_field f;
    while (pb_next(&info, &f)) {
        if (f.number == 1) pb_text(&f.bytes, value->name);
        if (f.number == 2) value->elem_type = pb_elem_type(f.bytes);
    }
}

static inline void pb_read_node(leat_cursor node, pb_model *model) {
    char op[PB_NAME_MAX] = "", domain[PB_NAME_MAX] = "", full[PB_NAME_MAX * 2 + 2];
    pb_field f;
    while (pb_next(&node, &f)) {
        if (f.number == 4) pb_text(&f.bytes, op);
        if (f.number == 7) pb_text(&f.bytes, domain);
    }
    int plain = !domain[0] || strcmp(domain, "ai.onnx") == 0;
    size_t head = plain ? 0 : strlen(domain);
    memcpy(full, domain, head);
    if (!plain) full[head++] = '.';
    memcpy(full + head, op, strlen(op) + 1);
    full[PB_NAME_MAX - 1] = 0;
    for (int i = 0; i < model->n_ops; i++)
        if (strcmp(model->ops[i], full) == 0) return;
    if (model->n_ops < PB_OPS_MAX) memcpy(model->ops[model->n_ops++], full, PB_NAME_MAX);
}

static inline void pb_read_graph(leat_cursor graph, pb_model *model) {
    pb_field f;
    while (pb_next(&graph, &f)) {
        if (f.number == 1) pb_read_node(f.bytes, model);
        if (f.number == 11) pb_read_value(f.bytes, model->in, &model->n_in);
        if (f.number == 12) pb_read_value(f.bytes, model->out, &model->n_out);
    }
}

static inline void pb_read_opset(leat_cursor import, pb_model *model) {
    char domain[PB_NAME_MAX] = "";
    uint64_t version = 0;
    pb_field f;
    while (pb_next(&import, &f)) {
        if (f.number == 1) pb_text(&f.bytes, domain);
        if (f.number == 2) version = f.value;
    }
    if (!domain[0] || strcmp(domain, "ai.onnx") == 0) model->opset = (int)version;
}

static inline int pb_read_model(const void *data, size_t bytes, pb_model *model) {
    leat_cursor c = leat__cursor(data, bytes);
    pb_field f;
    memset(model, 0, sizeof *model);
    while (pb_next(&c, &f)) {
        if (f.number == 7 && f.wire == PB_BYTES) pb_read_graph(f.bytes, model);
        if (f.number == 8 && f.wire == PB_BYTES) pb_read_opset(f.bytes, model);
    }
    return c.failed ? LEAT_EFORMAT : LEAT_OK;
}

/* ---- TensorProto ------------------------------------------------------------------------------------------------------------ */

/* Appends the varints or fixed values of one field, packed or not, to out[at..count) as elements of `size` bytes. */
static inline void pb_put(uint8_t *out, size_t size, int64_t count, int64_t *at, uint64_t value) {
    if (*at < count) memcpy(out + (size_t)(*at)++ * size, &value, size);
}

static inline void pb_collect(pb_field *f, int fixed, uint8_t *out, size_t size, int64_t count, int64_t *at) {
    if (f->wire != PB_BYTES) {
        pb_put(out, size, count, at, f->value);
        return;
    }
    while (leat__cursor_left(&f->bytes) && !f->bytes.failed)
        pb_put(out, size, count, at,
               fixed == 4 ? leat__cursor_u32(&f->bytes) : fixed == 8 ? leat__cursor_u64(&f->bytes) : leat__cursor_varint(&f->bytes));
}

static inline int pb_dims(leat_cursor c, leat_tensor *t) {
    pb_field f;
    while (pb_next(&c, &f)) {
        if (f.number == 2) t->dtype = (leat_dtype)f.value;
        if (f.number != 1) continue;
        do {
            if (t->rank == LEAT_MAX_RANK) return LEAT_EUNSUPPORTED;
            t->dims[t->rank++] = (int64_t)(f.wire == PB_BYTES ? leat__cursor_varint(&f.bytes) : f.value);
        } while (f.wire == PB_BYTES && leat__cursor_left(&f.bytes));
    }
    return c.failed ? LEAT_EFORMAT : LEAT_OK;
}

static inline int pb_fill(leat_cursor c, leat_tensor *t) {
    int64_t count = leat_tensor_count(t), at = 0;
    size_t size = leat_dtype_size(t->dtype), bytes = leat_tensor_bytes(t);
    int complex = t->dtype == LEAT_DTYPE_C64 || t->dtype == LEAT_DTYPE_C128;
    size_t part = complex ? size / 2 : size;
    pb_field f;
    while (pb_next(&c, &f)) {
        if (f.number == 9 && f.wire == PB_BYTES) {
            if (leat__cursor_left(&f.bytes) != bytes) return LEAT_EFORMAT;
            if (bytes) memcpy(t->data, f.bytes.at, bytes);
            at = count;
        }
        int fixed = f.number == 4 ? 4 : f.number == 10 ? 8 : 0;
        if (fixed || f.number == 5 || f.number == 7 || f.number == 11)
            pb_collect(&f, fixed, t->data, part, complex ? 2 * count : count, &at);
    }
    return at >= count ? LEAT_OK : LEAT_EFORMAT;
}

/* Fills *t from a TensorProto; t->data comes from calloc and the caller frees it.  LEAT_EUNSUPPORTED: strings and exotic types. */
static inline int pb_read_tensor(const void *data, size_t bytes, leat_tensor *t) {
    memset(t, 0, sizeof *t);
    int status = pb_dims(leat__cursor(data, bytes), t);
    if (status) return status;
    if (t->dtype == LEAT_DTYPE_STRING || leat_dtype_size(t->dtype) == 0) return LEAT_EUNSUPPORTED;
    size_t need = leat_tensor_bytes(t);
    if (need == SIZE_MAX) return LEAT_EFORMAT;
    t->data = calloc(1, need + LEAT_TAIL_BYTES);
    return t->data ? pb_fill(leat__cursor(data, bytes), t) : LEAT_ENOMEM;
}

#endif
