/* onnx_tensor.c - TensorProto and SparseTensorProto to leat_tensor.
 *
 * raw_data (and packed float or double lists, which look the same) is used in place when it is aligned for its element type and
 * LEAT_TAIL_BYTES behind it are readable; everything else is copied or decoded into the arena.  With LEAT_ONNX_IN_PLACE large
 * unaligned data stays where it is, too, and is marked for leat__onnx_settle().
 */
#include <inttypes.h>
#include <string.h>

#include "graph/onnx_internal.h"

#define IN_PLACE_FROM 4096 /* bytes; what is smaller is copied at once */

enum {
    T_DIMS = 1, T_TYPE = 2, T_SEGMENT = 3, T_FLOATS = 4, T_INT32S = 5, T_STRINGS = 6, T_INT64S = 7, T_NAME = 8, T_RAW = 9,
    T_DOUBLES = 10, T_UINT64S = 11, T_EXTERNAL = 13, T_LOCATION = 14
};
enum { S_VALUES = 1, S_INDICES = 2, S_DIMS = 3 };

/* A TensorProto after the first pass over its fields. */
typedef struct proto {
    leat_cursor      message;
    const char      *name;
    int64_t          type;
    int64_t          dims[LEAT_MAX_RANK];
    size_t           rank;
    leat_cursor      raw;
    int              has_raw, external, segmented;
    size_t           counts[T_UINT64S + 1]; /* values in the typed list of that field number */
    leat_onnx_extern where;
} proto;

static int fail(const leat_onnx_source *source, const proto *p, int status, const char *text) {
    uint64_t offset = leat__cursor_offset(&p->message);
    return leat__fail_at(source->error, status, offset, "tensor '%.200s' at byte %" PRIu64 ": %s", p->name, offset, text);
}

int leat__onnx_dtype(int64_t number, leat_dtype *dtype, leat_error *error) {
    static const char *const later[] = {"float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",
                                        "int4",         "float4e2m1",     "float8e8m0", "uint2",          "int2"};
    *dtype = LEAT_DTYPE_NONE;
    if (number > 0 && number < LEAT_DTYPE_COUNT) {
        *dtype = (leat_dtype)number;
        return LEAT_OK;
    }
    if (number >= LEAT_DTYPE_COUNT && number < LEAT_DTYPE_COUNT + (int64_t)(sizeof later / sizeof *later))
        return leat__fail(error, LEAT_EUNSUPPORTED, "element type %s is not supported", later[number - LEAT_DTYPE_COUNT]);
    return leat__fail(error, LEAT_EFORMAT, "unknown element type %" PRId64, number);
}

/* ---- first pass --------------------------------------------------------------------------------------------------------- */

/* How a number of that list is written when packed. */
static int list_wire(uint64_t field) {
    return field == T_FLOATS ? LEAT_WIRE_32 : field == T_DOUBLES ? LEAT_WIRE_64 : LEAT_WIRE_VARINT;
}

/* Appends the dims of one field; dims beyond LEAT_MAX_RANK are counted, not kept. */
static int read_dims(leat_field field, int64_t *dims, size_t *rank) {
    uint64_t value;
    while (leat__wire_number(&field, LEAT_WIRE_VARINT, &value)) {
        if (*rank < LEAT_MAX_RANK) dims[*rank] = (int64_t)value;
        ++*rank;
    }
    return !field.body.failed;
}

static int read_field(leat_onnx_source *source, proto *p, const leat_field *field) {
    switch (field->number) {
    case T_DIMS: return read_dims(*field, p->dims, &p->rank) ? LEAT_OK : fail(source, p, LEAT_EFORMAT, "damaged dims");
    case T_TYPE: p->type = (int64_t)field->value; return LEAT_OK;
    case T_SEGMENT: p->segmented = 1; return LEAT_OK;
    case T_NAME: return leat__wire_name(field, source->arena, &p->name, source->error);
    case T_RAW:
        p->raw = field->body;
        p->has_raw = field->wire == LEAT_WIRE_BYTES;
        return LEAT_OK;
    case T_STRINGS: p->counts[T_STRINGS]++; return LEAT_OK;
    case T_FLOATS: case T_INT32S: case T_INT64S: case T_DOUBLES: case T_UINT64S:
        p->counts[field->number] += leat__wire_count(field, list_wire(field->number));
        return LEAT_OK;
    case T_EXTERNAL: return leat__onnx_extern_entry(source, field->body, &p->where);
    case T_LOCATION: p->external = field->value == 1; return LEAT_OK;
    default: return LEAT_OK;
    }
}

static int read_proto(leat_onnx_source *source, leat_cursor message, proto *p) {
    leat_field field;
    *p = (proto){.message = message, .name = ""};
    while (leat__wire_next(&message, &field)) {
        int status = read_field(source, p, &field);
        if (status != LEAT_OK) return field.number == T_EXTERNAL ? leat__fail_prefix(source->error, status, "tensor '%.200s'", p->name) : status;
    }
    return leat__wire_end(&message, "a tensor", source->error);
}

/* Element type and dims, with every limit checked; *bytes of its dense data. */
static int check_shape(leat_onnx_source *source, const proto *p, leat_tensor *tensor, size_t *bytes) {
    leat_dtype dtype;
    int status = leat__onnx_dtype(p->type, &dtype, source->error);
    if (status != LEAT_OK) return leat__fail_prefix(source->error, status, "tensor '%.200s'", p->name);
    if (p->segmented) return fail(source, p, LEAT_EUNSUPPORTED, "data in segments is not supported");
    if (p->rank > LEAT_MAX_RANK) return fail(source, p, LEAT_EUNSUPPORTED, "more than 8 dimensions");
    leat__tensor_set(tensor, dtype, (int)p->rank, p->dims);
    for (size_t i = 0; i < p->rank; i++)
        if (p->dims[i] < 0) return fail(source, p, LEAT_EFORMAT, "negative dimension");
    *bytes = leat_tensor_bytes(tensor);
    if (*bytes == SIZE_MAX || *bytes > source->max_bytes) return fail(source, p, LEAT_ELIMIT, "the shape is too large");
    return LEAT_OK;
}

/* ---- data --------------------------------------------------------------------------------------------------------------- */

static size_t alignment_of(leat_dtype dtype) {
    size_t size = leat_dtype_size(dtype);
    return size > 8 ? 8 : size;
}

static int copy_data(leat_onnx_source *source, leat_tensor *tensor, const uint8_t *data, size_t bytes) {
    uint8_t *copy = leat__arena_alloc_aligned(source->arena, bytes);
    if (!copy) return leat__onnx_oom(source->error);
    if (bytes) memcpy(copy, data, bytes);
    if (tensor->dtype == LEAT_DTYPE_BOOL)
        for (size_t i = 0; i < bytes; i++) copy[i] = copy[i] != 0;
    tensor->data = copy;
    return LEAT_OK;
}

/* Little-endian dense data [bytes] in a mapping, `tail` bytes readable behind it. */
static int use_data(leat_onnx_source *source, leat_tensor *tensor, const uint8_t *data, size_t bytes, size_t tail) {
    if (tail < LEAT_TAIL_BYTES || tensor->dtype == LEAT_DTYPE_BOOL || bytes == 0) return copy_data(source, tensor, data, bytes);
    if ((uintptr_t)data % alignment_of(tensor->dtype) != 0) {
        if (!(source->flags & LEAT_ONNX_IN_PLACE) || bytes < IN_PLACE_FROM) return copy_data(source, tensor, data, bytes);
        tensor->flags |= LEAT_TENSOR_UNALIGNED | (source->base_dir ? LEAT_TENSOR_MAPPED : 0);
    }
    tensor->data = (void *)(uintptr_t)data; /* constants are never written */
    return LEAT_OK;
}

int leat__onnx_settle(leat_tensor *tensor, leat_arena *arena, leat_error *error) {
    if (!(tensor->flags & LEAT_TENSOR_UNALIGNED)) return LEAT_OK;
    size_t bytes = leat_tensor_bytes(tensor);
    void *copy = leat__arena_alloc_aligned(arena, bytes);
    if (!copy) return leat__onnx_oom(error);
    memcpy(copy, tensor->data, bytes);
    if (tensor->flags & LEAT_TENSOR_MAPPED) leat__map_release(tensor->data, bytes);
    tensor->data = copy;
    tensor->flags &= ~(LEAT_TENSOR_UNALIGNED | LEAT_TENSOR_MAPPED);
    return LEAT_OK;
}

/* Number of the typed list that carries a type. */
static uint64_t list_of(leat_dtype dtype) {
    switch ((int)dtype) {
    case LEAT_DTYPE_F32: case LEAT_DTYPE_C64: return T_FLOATS;
    case LEAT_DTYPE_F64: case LEAT_DTYPE_C128: return T_DOUBLES;
    case LEAT_DTYPE_I64: return T_INT64S;
    case LEAT_DTYPE_U32: case LEAT_DTYPE_U64: return T_UINT64S;
    case LEAT_DTYPE_STRING: return T_STRINGS;
    default: return T_INT32S;
    }
}

/* Decodes the numbers of list `list` into tensor->data, `unit` bytes each (the low ones of the written number). */
static int decode_list(leat_onnx_source *source, const proto *p, uint64_t list, size_t unit, leat_tensor *tensor) {
    leat_cursor message = p->message;
    leat_field field;
    uint8_t *at = tensor->data;
    size_t left = p->counts[list];
    while (leat__wire_next(&message, &field)) {
        uint64_t value;
        if (field.number != list) continue;
        while (left > 0 && leat__wire_number(&field, list_wire(list), &value)) {
            if (tensor->dtype == LEAT_DTYPE_BOOL) value = value != 0;
            memcpy(at, &value, unit);
            at += unit;
            left--;
        }
    }
    return left == 0 ? LEAT_OK : fail(source, p, LEAT_EFORMAT, "a damaged list of values");
}

static int decode_strings(leat_onnx_source *source, const proto *p, leat_tensor *tensor) {
    leat_cursor message = p->message;
    leat_field field;
    leat_text *at = tensor->data;
    while (leat__wire_next(&message, &field)) {
        if (field.number != T_STRINGS) continue;
        at->length = leat__cursor_left(&field.body);
        at->text = leat__wire_text(&field, source->arena);
        if (!at->text) return leat__onnx_oom(source->error);
        at++;
    }
    return LEAT_OK;
}

static int read_list(leat_onnx_source *source, const proto *p, leat_tensor *tensor, size_t bytes) {
    uint64_t list = list_of(tensor->dtype);
    size_t per_element = tensor->dtype == LEAT_DTYPE_C64 || tensor->dtype == LEAT_DTYPE_C128 ? 2 : 1;
    size_t unit = leat_dtype_size(tensor->dtype) / per_element;
    if (p->counts[list] != bytes / unit) {
        uint64_t offset = leat__cursor_offset(&p->message);
        return leat__fail_at(source->error, LEAT_EFORMAT, offset, "tensor '%.200s' at byte %" PRIu64 ": %zu values, but its shape needs %zu",
                             p->name, offset, p->counts[list], bytes / unit);
    }
    tensor->data = leat__arena_alloc_aligned(source->arena, bytes);
    if (!tensor->data) return leat__onnx_oom(source->error);
    if (list == T_STRINGS) return decode_strings(source, p, tensor);
    return decode_list(source, p, list, unit, tensor);
}

static int read_external(leat_onnx_source *source, const proto *p, leat_tensor *tensor, size_t bytes) {
    const uint8_t *data;
    if (tensor->dtype == LEAT_DTYPE_STRING) return fail(source, p, LEAT_EFORMAT, "strings cannot be external data");
    int status = leat__onnx_extern_data(source, &p->where, bytes, &data);
    if (status != LEAT_OK) return leat__fail_prefix(source->error, status, "tensor '%.200s'", p->name);
    return use_data(source, tensor, data, bytes, LEAT_TAIL_BYTES); /* leat__map_file leaves a page behind the file */
}

int leat__onnx_tensor(leat_onnx_source *source, leat_cursor message, leat_tensor *tensor, const char **name) {
    proto p;
    size_t bytes = 0;
    *tensor = (leat_tensor){0};
    int status = read_proto(source, message, &p);
    *name = p.name;
    if (status == LEAT_OK) status = check_shape(source, &p, tensor, &bytes);
    if (status != LEAT_OK) return status;
    if (p.external) return read_external(source, &p, tensor, bytes);
    if (!p.has_raw) return read_list(source, &p, tensor, bytes);
    if (tensor->dtype == LEAT_DTYPE_STRING) return fail(source, &p, LEAT_EFORMAT, "strings cannot be raw data");
    if (leat__cursor_left(&p.raw) != bytes) {
        uint64_t offset = leat__cursor_offset(&p.message);
        return leat__fail_at(source->error, LEAT_EFORMAT, offset, "tensor '%.200s' at byte %" PRIu64 ": %zu bytes of data, but its shape needs %zu",
                             p.name, offset, leat__cursor_left(&p.raw), bytes);
    }
    return use_data(source, tensor, p.raw.at, bytes, (size_t)(source->end - p.raw.end) + source->tail);
}

int leat__onnx_tensor_parse(const void *data, size_t bytes, leat_arena *arena, leat_tensor *tensor, const char **name, leat_error *error) {
    leat_cursor message = leat__cursor(data, bytes);
    leat_onnx_source source = {.end = message.end, .max_bytes = LEAT_ONNX_MAX_BYTES, .arena = arena, .error = error};
    const char *ignored;
    int status = leat__onnx_tensor(&source, message, tensor, name ? name : &ignored);
    if (status != LEAT_OK) *tensor = (leat_tensor){0};
    return status;
}

/* ---- sparse ------------------------------------------------------------------------------------------------------------- */

typedef struct sparse {
    leat_tensor values, indices;
    const char *name;
    int64_t     dims[LEAT_MAX_RANK];
    size_t      rank;
} sparse;

static int read_sparse(leat_onnx_source *source, leat_cursor message, sparse *s) {
    leat_field field;
    const char *ignored;
    int status = LEAT_OK;
    *s = (sparse){.name = ""};
    while (status == LEAT_OK && leat__wire_next(&message, &field)) {
        if (field.number == S_VALUES) status = leat__onnx_tensor(source, field.body, &s->values, &s->name);
        if (field.number == S_INDICES) status = leat__onnx_tensor(source, field.body, &s->indices, &ignored);
        if (field.number == S_DIMS && !read_dims(field, s->dims, &s->rank)) message.failed = 1;
    }
    return status != LEAT_OK ? status : leat__wire_end(&message, "a sparse tensor", source->error);
}

/* Row-major position of entry i: linear indices [NNZ], or one row of coordinates [NNZ, rank] each; -1 when outside. */
static int64_t sparse_position(const sparse *s, const leat_tensor *dense, int64_t i) {
    const int64_t *indices = s->indices.data;
    if (s->indices.rank == 1) return indices[i] >= 0 && indices[i] < leat_tensor_count(dense) ? indices[i] : -1;
    int64_t position = 0;
    for (int d = 0; d < dense->rank; d++) {
        int64_t at = indices[i * dense->rank + d];
        if (at < 0 || at >= dense->dims[d]) return -1;
        position = position * dense->dims[d] + at;
    }
    return position;
}

static int fail_sparse(const leat_onnx_source *source, const sparse *s, int status, const char *text) {
    return leat__fail(source->error, status, "sparse tensor '%.200s': %s", s->name, text);
}

/* Values and indices belong together and the dense tensor stays within the limit. */
static int check_sparse(leat_onnx_source *source, const sparse *s, leat_tensor *tensor, size_t *bytes) {
    if (s->rank > LEAT_MAX_RANK) return fail_sparse(source, s, LEAT_EUNSUPPORTED, "more than 8 dimensions");
    if (!s->values.data || s->values.rank != 1 || s->values.dtype == LEAT_DTYPE_STRING)
        return fail_sparse(source, s, LEAT_EFORMAT, "its values must be a list of numbers");
    if (!s->indices.data || s->indices.dtype != LEAT_DTYPE_I64 || s->indices.rank < 1 || s->indices.rank > 2 ||
        s->indices.dims[0] != s->values.dims[0] || (s->indices.rank == 2 && s->indices.dims[1] != (int64_t)s->rank))
        return fail_sparse(source, s, LEAT_EFORMAT, "its indices must be int64[NNZ] or int64[NNZ, rank]");
    leat__tensor_set(tensor, s->values.dtype, (int)s->rank, s->dims);
    *bytes = leat_tensor_bytes(tensor);
    if (*bytes == SIZE_MAX || *bytes > source->max_bytes || source->expanded_bytes > source->max_bytes - *bytes)
        return fail_sparse(source, s, LEAT_ELIMIT, "negative or too large when expanded");
    source->expanded_bytes += *bytes;
    return LEAT_OK;
}

int leat__onnx_sparse(leat_onnx_source *source, leat_cursor message, leat_tensor *tensor, const char **name) {
    sparse s;
    size_t bytes = 0;
    *tensor = (leat_tensor){0};
    int status = read_sparse(source, message, &s);
    *name = s.name;
    if (status == LEAT_OK) status = leat__onnx_settle(&s.indices, source->arena, source->error);
    if (status == LEAT_OK) status = check_sparse(source, &s, tensor, &bytes);
    if (status != LEAT_OK) return status;
    tensor->data = leat__arena_alloc_aligned(source->arena, bytes);
    if (!tensor->data) return leat__onnx_oom(source->error);
    memset(tensor->data, 0, bytes);
    size_t size = leat_dtype_size(tensor->dtype);
    for (int64_t i = 0; i < s.values.dims[0]; i++) {
        int64_t position = sparse_position(&s, tensor, i);
        if (position < 0) return fail_sparse(source, &s, LEAT_EFORMAT, "an index is outside of the shape");
        memcpy((char *)tensor->data + (size_t)position * size, (const char *)s.values.data + (size_t)i * size, size);
    }
    return LEAT_OK;
}
