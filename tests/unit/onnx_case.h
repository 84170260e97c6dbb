/* onnx_case.h - imports a model written in a test and keeps what is needed to look at it. */
#ifndef TESTS_ONNX_CASE_H
#define TESTS_ONNX_CASE_H

#include "graph/onnx_import.h"
#include "onnx_writer.h"

typedef struct onnx_case {
    uint8_t        *data; /* exactly as long as the model, so that sanitizers see a step outside */
    leat_arena      arena;
    leat_onnx_model model;
    leat_error      error;
    int             status;
} onnx_case;

/* Imports and frees `model`. */
static inline void case_open(onnx_case *c, pb *model) {
    memset(c, 0, sizeof *c);
    leat__arena_init(&c->arena, LEAT_MEMORY_GRAPH);
    c->data = malloc(model->n ? model->n : 1);
    if (model->n) memcpy(c->data, model->data, model->n);
    c->status = leat__onnx_import(c->data, model->n, NULL, 0, (uint64_t)1 << 20, &c->arena, &c->model, &c->error);
    pb_free(model);
}

static inline void case_close(onnx_case *c) {
    leat__onnx_import_fini(&c->model);
    leat__arena_fini(&c->arena);
    free(c->data);
}

#endif
