/* arch_tensors.c - a file's tensors and the fields that they belong to: names, shapes and types checked, all of the file accounted for.
 *
 * Matrices stay where they are in the mapping and are not touched.  Vectors (norms, biases) are small: they become float32 in the model's arena, aligned and
 * with bytes to over-read behind them, as kernels want them.
 *
 * Experts' matrices are one tensor with three dimensions (ffn_up_exps), or in early files one for each expert (ffn_up.E): either way a layer has a list of them.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "lm/gguf_impl.h"
#include "lm/lm_impl.h"

typedef struct field {
    const char *name;
    size_t      offset;  /* in leat_lm_layer, or leat_lm_globals */
    uint8_t     vector, cols, rows, experts; /* sizes */
} field;

#define MATRIX_IN(owner, f, file_name, c, r, e) {file_name, offsetof(owner, f), 0, c, r, e},
#define VECTOR_IN(owner, f, file_name, n) {file_name, offsetof(owner, f), 1, n, LM_ONE, LM_ONE},
#define LAYER_MATRIX(f, n, c, r, e) MATRIX_IN(leat_lm_layer, f, n, c, r, e)
#define LAYER_VECTOR(f, n, c) VECTOR_IN(leat_lm_layer, f, n, c)
#define MODEL_MATRIX(f, n, c, r, e) MATRIX_IN(leat_lm_globals, f, n, c, r, e)
#define MODEL_VECTOR(f, n, c) VECTOR_IN(leat_lm_globals, f, n, c)

/* In the order of leat_lm_tensor. */
static const field fields[LM_TENSORS] = {LEAT_LM_LAYER_MATRICES(LAYER_MATRIX) LEAT_LM_LAYER_VECTORS(LAYER_VECTOR)
                                         LEAT_LM_MODEL_MATRICES(MODEL_MATRIX) LEAT_LM_MODEL_VECTORS(MODEL_VECTOR)};

#define T(f) (UINT64_C(1) << LM_T_##f)
#define DENSE_FFN (T(gate) | T(up) | T(down))
#define SHARED_FFN (T(gate_shared) | T(up_shared) | T(down_shared) | T(shared_router))
#define EXPERT_FFN (T(router) | T(gate_exps) | T(up_exps) | T(down_exps))

typedef struct binder {
    leat_lm    *lm;
    leat_error *error;
    uint64_t    required, optional;
    uint8_t    *taken;  /* [tensors of the file] */
} binder;

static int wrong_shape(binder *b, const leat_gguf_tensor *t, const field *f) {
    const int64_t *size = b->lm->params.size;
    return leat__fail(b->error, LEAT_ESHAPE, "GGUF: tensor '%s' is %" PRIu64 " x %" PRIu64 " x %" PRIu64 ", the hyperparameters say %lld x %lld x %lld", t->name,
                      t->dims[0], t->dims[1], t->dims[2], (long long)size[f->cols], (long long)size[f->rows], (long long)size[f->experts]);
}

static int shape_fits(const leat_lm_params *p, const leat_gguf_tensor *t, const field *f) {
    return t->dims[0] == (uint64_t)p->size[f->cols] && t->dims[1] == (uint64_t)p->size[f->rows] && t->dims[2] == (uint64_t)p->size[f->experts] && t->dims[3] == 1;
}

/* A vector as float32 in the arena. */
static int copy_vector(binder *b, const leat_gguf_tensor *t, const float **out) {
    float *copy = leat__arena_alloc_aligned(&b->lm->arena, (size_t)t->dims[0] * sizeof *copy);
    if (!copy) return leat__fail(b->error, LEAT_ENOMEM, "out of memory while opening a language model");
    *out = copy;
    return leat_gguf_dequantize(t, 0, t->dims[0], copy);
}

/* f: a field of leat_lm_layer or leat_lm_globals, at: where its pointer or matrix goes. */
static int bind(binder *b, const leat_gguf_tensor *t, const field *f, void *at) {
    if (!shape_fits(&b->lm->params, t, f)) return wrong_shape(b, t, f);
    if (!leat_gguf_type_supported(t->type))
        return leat__fail(b->error, LEAT_EUNSUPPORTED, "GGUF: tensor '%s' is of type %s, which is not supported", t->name, leat_gguf_type_name(t->type));
    if ((uintptr_t)t->data % sizeof(float))
        return leat__fail(b->error, LEAT_EFORMAT, "GGUF: the data of tensor '%s' is not aligned to 4 bytes", t->name);
    b->taken[t - b->lm->file->tensors] = 1;
    if (f->vector) return copy_vector(b, t, at);
    const leat_block_format *format = leat__block_format(t->type);
    *(leat_qmat *)at = (leat_qmat){.data = t->data, .type = t->type, .cols = (int64_t)t->dims[0], .rows = (int64_t)(t->dims[1] * t->dims[2]),
                                           .stride = (int64_t)t->dims[0] / format->length * format->bytes};
    return LEAT_OK;
}

/* The list of a layer's experts for the field. */
static const leat_qmat **list_of(leat_lm_layer *l, const field *f) {
    size_t at = f->offset;
    return at == offsetof(leat_lm_layer, gate_exps) ? &l->each_gate : at == offsetof(leat_lm_layer, up_exps) ? &l->each_up : &l->each_down;
}

/* Rows [first, first + count) of a matrix. */
static leat_qmat rows_of(const leat_qmat *w, int64_t first, int64_t count) {
    leat_qmat part = *w;
    part.data += first * w->stride;
    part.rows = count;
    return part;
}

/* Experts' matrices as a list: parts of the tensor t that has them all, or where that is NULL tensors "ffn_up.0.weight" and so on. */
static int bind_experts(binder *b, const char *prefix, const leat_gguf_tensor *t, const field *f, leat_lm_layer *layer) {
    const leat_lm_params *p = &b->lm->params;
    int   status = t ? bind(b, t, f, (char *)layer + f->offset) : LEAT_OK;
    char  name[96];
    field one = *f;
    one.experts = LM_ONE;
    leat_qmat *list = leat__arena_calloc(&b->lm->arena, (size_t)p->experts, sizeof *list), *all = (leat_qmat *)(void *)((char *)layer + f->offset);
    if (!list) return leat__fail(b->error, LEAT_ENOMEM, "out of memory while opening a language model");
    *list_of(layer, f) = list;
    for (int32_t e = 0; status == LEAT_OK && e < p->experts; e++) {
        snprintf(name, sizeof name, "%s%.*s.%d.weight", prefix, (int)(strstr(f->name, "_exps") - f->name), f->name, (int)e);
        const leat_gguf_tensor *own = t ? NULL : leat_gguf_find_tensor(b->lm->file, name);
        if (t) list[e] = rows_of(all, e * (all->rows / p->experts), all->rows / p->experts);
        else if (own) status = bind(b, own, &one, &list[e]);
        else status = leat__fail(b->error, LEAT_EFORMAT, "GGUF: %s: the tensor '%s' is missing", b->lm->arch->name, name);
    }
    return status;
}

/* Whether a layer has its experts in tensors of their own. */
static int is_apart(const binder *b, const char *prefix, const field *f) {
    char name[96];
    snprintf(name, sizeof name, "%s%.*s.0.weight", prefix, (int)(strstr(f->name, "_exps") - f->name), f->name);
    return leat_gguf_find_tensor(b->lm->file, name) != NULL;
}

/* The tensors [first, last) of `wanted` that names of a layer ("blk.N.") or of the model (prefix "") have. */
static int bind_range(binder *b, const char *prefix, int first, int last, void *owner) {
    char name[96];
    for (int i = first; i < last; i++) {
        uint64_t bit = UINT64_C(1) << i;
        if (!((b->required | b->optional) & bit)) continue;
        snprintf(name, sizeof name, "%s%s", prefix, fields[i].name);
        const leat_gguf_tensor *t = leat_gguf_find_tensor(b->lm->file, name);
        int experts = fields[i].experts == LM_EXPERTS, found = t || (experts && is_apart(b, prefix, &fields[i])), status = LEAT_OK;
        if (!found && (b->required & bit)) return leat__fail(b->error, LEAT_EFORMAT, "GGUF: %s: the tensor '%s' is missing", b->lm->arch->name, name);
        if (found) status = experts ? bind_experts(b, prefix, t, &fields[i], owner) : bind(b, t, &fields[i], (char *)owner + fields[i].offset);
        if (status) return status;
    }
    return LEAT_OK;
}

/* Window and rotation of layer i, which the row's patterns say. */
static void describe_layer(const leat_lm *lm, int32_t i, leat_lm_layer *layer) {
    const leat_lm_arch *arch = lm->arch;
    int global = arch->global_every && (i + 1) % arch->global_every == 0;
    layer->window = global ? 0 : lm->params.window;
    layer->rope = !global && arch->local_base > 0 ? LM_ROPE_LOCAL : LM_ROPE_MAIN;
    if (lm->params.rope_width == 0 || (arch->unrotated_every && (i + 1) % arch->unrotated_every == 0)) layer->rope = LM_ROPE_OFF;
}

/* What a file has fused becomes parts of it, so that nobody behind must know. */
static void split_fused(const leat_lm_params *p, leat_lm_layer *l) {
    const int64_t *size = p->size;
    if (l->qkv.data) {
        l->q = rows_of(&l->qkv, 0, size[LM_Q]);
        l->k = rows_of(&l->qkv, size[LM_Q], size[LM_K]);
        l->v = rows_of(&l->qkv, size[LM_Q] + size[LM_K], size[LM_V]);
    }
    if (l->qkv_bias) {
        l->q_bias = l->qkv_bias;
        l->k_bias = l->q_bias + size[LM_Q];
        l->v_bias = l->k_bias + size[LM_K];
    }
    if (l->gate_up.data) {
        l->gate = rows_of(&l->gate_up, 0, size[LM_FFN]);
        l->up = rows_of(&l->gate_up, size[LM_FFN], size[LM_FFN]);
    }
}

static int bind_layers(binder *b) {
    leat_lm *lm = b->lm;
    char prefix[32];
    int status = LEAT_OK;
    lm->layers = leat__arena_calloc(&lm->arena, (size_t)lm->params.layers, sizeof *lm->layers);
    if (!lm->layers) return leat__fail(b->error, LEAT_ENOMEM, "out of memory while opening a language model");
    for (int32_t i = 0; status == LEAT_OK && i < lm->params.layers; i++) {
        snprintf(prefix, sizeof prefix, "blk.%d.", (int)i);
        describe_layer(lm, i, &lm->layers[i]);
        status = bind_range(b, prefix, 0, LM_T_embedding, &lm->layers[i]);
        split_fused(&lm->params, &lm->layers[i]);
    }
    return status;
}

/* Names the first tensor that no field took. */
static int refuse_unexpected(const binder *b) {
    const leat_gguf *file = b->lm->file;
    for (uint64_t i = 0; i < file->info.tensors; i++)
        if (!b->taken[i])
            return leat__fail(b->error, LEAT_EUNSUPPORTED, "GGUF: %s: the tensor '%s' is unexpected: the model has parts that are not supported", b->lm->arch->name,
                              file->tensors[i].name);
    return LEAT_OK;
}

int leat__lm_bind_tensors(leat_lm *lm, leat_error *error) {
    binder b = {.lm = lm, .error = error, .required = lm->arch->required, .optional = lm->arch->optional};
    b.required = lm->params.experts ? (b.required & ~DENSE_FFN) | EXPERT_FFN : b.required & ~SHARED_FFN;
    b.taken = leat__arena_calloc(&lm->arena, lm->file->info.tensors + 1, 1);
    if (!b.taken) return leat__fail(error, LEAT_ENOMEM, "out of memory while opening a language model");
    int status = bind_range(&b, "", LM_T_embedding, LM_TENSORS, &lm->tensors);
    if (status == LEAT_OK) status = bind_layers(&b);
    if (status == LEAT_OK) status = refuse_unexpected(&b);
    if (status == LEAT_OK && !lm->tensors.output.data) lm->tensors.output = lm->tensors.embedding;
    return status;
}
