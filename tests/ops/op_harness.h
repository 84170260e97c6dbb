/* op_harness.h - runs one operator by hand, without a graph: build a case, run it, look at its outputs.
 *
 *     op_case c;
 *     op_open(&c, "", "Add", 13);
 *     op_in(&c, LEAT_DTYPE_F32, 2, (int64_t[]){2, 3}, a);      inputs are copied; op_absent(&c) for a missing one
 *     op_attr_int(&c, "axis", 1);
 *     op_out(&c);                                              one call per output
 *     assert_int_equal(op_run(&c), LEAT_OK);                   infer, allocate, prepare, run
 *     op_f32(&c, 0)[5]
 *     op_close(&c);
 */
#ifndef LEAT_TESTS_OP_HARNESS_H
#define LEAT_TESTS_OP_HARNESS_H

#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "ops/op.h"

enum { OP_MAX = 24, OP_BLOCKS = 64 };

typedef struct op_case {
    leat_op_call call;
    leat_tensor  in[OP_MAX], out[OP_MAX];
    leat_tensor *in_list[OP_MAX], *out_list[OP_MAX];
    uint8_t      in_const[OP_MAX];
    leat_attr    attr[OP_MAX];
    leat_attrs   attrs;
    void        *blocks[OP_BLOCKS]; /* freed by op_close */
    int          n_blocks;
    leat_error   error;
} op_case;

static inline void *op_block(op_case *c, size_t bytes) {
    if (c->n_blocks == OP_BLOCKS) return NULL;
    return c->blocks[c->n_blocks++] = leat__calloc(bytes + 1, 1, LEAT_MEMORY_OTHER);
}

static inline const void *op_pack(leat_op_call *call, const void *key, uint64_t variant, size_t bytes, void (*fill)(void *, void *), void *arg) {
    void *block = op_block(call->owner, bytes);
    if (block) fill(block, arg);
    return block;
}

static inline void *op_state(leat_op_call *call, size_t bytes) { return op_block(call->owner, bytes); }

static inline void op_open(op_case *c, const char *domain, const char *name, int opset) {
    static const leat_op_services services = {.pack = op_pack, .state = op_state};
    memset(c, 0, sizeof *c);
    leat__cpu_init();
    c->attrs.list = c->attr;
    c->call = (leat_op_call){.op = leat__op_find(domain, name, opset), .attrs = &c->attrs, .name = "case", .opset = opset, .in = c->in_list,
                             .out = c->out_list, .in_const = c->in_const, .threads = 1, .services = &services, .owner = c, .error = &c->error};
}

static inline leat_tensor *op_in(op_case *c, leat_dtype dtype, int rank, const int64_t *dims, const void *data) {
    leat_tensor *t = &c->in[c->call.n_in];
    t->dtype = dtype;
    t->rank = rank;
    if (rank) memcpy(t->dims, dims, (size_t)rank * sizeof *dims);
    size_t bytes = leat_tensor_bytes(t);
    t->data = op_block(c, bytes);
    if (data && bytes) memcpy(t->data, data, bytes);
    c->in_list[c->call.n_in++] = t;
    return t;
}

static inline void op_absent(op_case *c) { c->in_list[c->call.n_in++] = NULL; }
static inline leat_tensor *op_out(op_case *c) { return c->out_list[c->call.n_out] = &c->out[c->call.n_out], &c->out[c->call.n_out++]; }

static inline leat_attr *op_attr(op_case *c, const char *name, leat_attr_type type) {
    leat_attr *a = &c->attr[c->attrs.n++];
    a->name = name;
    a->type = type;
    return a;
}
static inline void op_attr_int(op_case *c, const char *name, int64_t value) { op_attr(c, name, LEAT_ATTR_INT)->i = value; }
static inline void op_attr_float(op_case *c, const char *name, float value) { op_attr(c, name, LEAT_ATTR_FLOAT)->f = value; }
static inline void op_attr_string(op_case *c, const char *name, const char *value) {
    leat_attr *a = op_attr(c, name, LEAT_ATTR_STRING);
    a->s = value;
    a->s_len = strlen(value);
}
static inline void op_attr_ints(op_case *c, const char *name, const int64_t *values, int n) {
    leat_attr *a = op_attr(c, name, LEAT_ATTR_INTS);
    a->ints = values;
    a->n = n;
}
static inline void op_attr_floats(op_case *c, const char *name, const float *values, int n) {
    leat_attr *a = op_attr(c, name, LEAT_ATTR_FLOATS);
    a->floats = values;
    a->n = n;
}

static inline int op_allocate(op_case *c) {
    for (int i = 0; i < c->call.n_out; i++) {
        size_t bytes = leat_tensor_bytes(&c->out[i]);
        c->out[i].data = bytes == SIZE_MAX ? NULL : op_block(c, bytes);
        if (!c->out[i].data) return LEAT_ENOMEM;
    }
    return LEAT_OK;
}

static inline int op_run(op_case *c) {
    if (!c->call.op) return LEAT_EUNSUPPORTED;
    int status = c->call.op->infer(&c->call);
    if (!status) status = op_allocate(c);
    if (!status && c->call.op->prepare) status = c->call.op->prepare(&c->call);
    if (status) return status;
    c->call.scratch = op_block(c, c->call.scratch_bytes);
    return c->call.scratch ? c->call.op->run(&c->call) : LEAT_ENOMEM;
}

static inline void op_close(op_case *c) {
    for (int i = 0; i < c->n_blocks; i++) leat__free(c->blocks[i]);
}

static inline const float *op_f32(const op_case *c, int i) { return c->out[i].data; }
static inline const int64_t *op_i64(const op_case *c, int i) { return c->out[i].data; }

#endif
