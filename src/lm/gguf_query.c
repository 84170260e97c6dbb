/* gguf_query.c - questions to an open GGUF file: values as numbers and strings, look-ups, exact tensor values. */
#include <stdlib.h>
#include <string.h>

#include "lm/gguf_impl.h"

static const char *const kind_names[LEAT_GGUF_KINDS] = {"u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"};

const char *leat_gguf_kind_name(leat_gguf_kind kind) { return (unsigned)kind < LEAT_GGUF_KINDS ? kind_names[kind] : NULL; }

const char *leat_gguf_type_name(int type) {
    const leat_block_format *format = leat__block_format(type);
    return format ? format->name : NULL;
}

int leat_gguf_type_supported(int type) {
    const leat_block_format *format = leat__block_format(type);
    return format && format->values;
}

void leat_gguf_get_info(const leat_gguf *file, leat_gguf_info *info) {
    if (info) *info = file ? file->info : (leat_gguf_info){0};
}

const leat_gguf_value *leat_gguf_value_at(const leat_gguf *file, uint64_t index) { return file && index < file->info.values ? &file->values[index] : NULL; }
const leat_gguf_tensor *leat_gguf_tensor_at(const leat_gguf *file, uint64_t index) { return file && index < file->info.tensors ? &file->tensors[index] : NULL; }

static int key_is(const void *key, const void *entry) { return strcmp(key, (*(leat_gguf_value *const *)entry)->key); }
static int name_is(const void *name, const void *entry) { return strcmp(name, (*(leat_gguf_tensor *const *)entry)->name); }

const leat_gguf_value *leat_gguf_find(const leat_gguf *file, const char *key) {
    if (!file || !key) return NULL;
    leat_gguf_value **found = bsearch(key, file->by_key, file->info.values, sizeof *file->by_key, key_is);
    return found ? *found : NULL;
}

const leat_gguf_tensor *leat_gguf_find_tensor(const leat_gguf *file, const char *name) {
    if (!file || !name) return NULL;
    leat_gguf_tensor **found = bsearch(name, file->by_name, file->info.tensors, sizeof *file->by_name, name_is);
    return found ? *found : NULL;
}

/* ---- numbers and strings -------------------------------------------------------------------------------------------------- */

/* Element `index` as its raw little-endian bits, extended with zeros. */
static int element_bits(const leat_gguf_value *v, uint64_t index, uint64_t *bits) {
    uint64_t bytes = (uint64_t)leat__gguf_kind_bytes(v->item);
    if (bytes == 0) return LEAT_ETYPE;
    if (index >= v->count) return LEAT_EINVAL;
    *bits = 0;
    memcpy(bits, v->data + index * bytes, bytes);
    return LEAT_OK;
}

static double real_of(leat_gguf_kind kind, uint64_t bits) {
    if (kind == LEAT_GGUF_F64) {
        double d;
        memcpy(&d, &bits, sizeof d);
        return d;
    }
    float f;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

int leat_gguf_integer(const leat_gguf_value *value, uint64_t index, int64_t *number) {
    uint64_t bits;
    if (!value || !number) return LEAT_EINVAL;
    int status = element_bits(value, index, &bits);
    if (status) return status;
    switch (value->item) {
    case LEAT_GGUF_I8: *number = (int8_t)bits; return LEAT_OK;
    case LEAT_GGUF_I16: *number = (int16_t)bits; return LEAT_OK;
    case LEAT_GGUF_I32: *number = (int32_t)bits; return LEAT_OK;
    case LEAT_GGUF_U64:
        if (bits > INT64_MAX) return LEAT_ETYPE;
        break;
    case LEAT_GGUF_F32: case LEAT_GGUF_F64: return LEAT_ETYPE;
    default: break;
    }
    *number = (int64_t)bits;
    return LEAT_OK;
}

int leat_gguf_real(const leat_gguf_value *value, uint64_t index, double *number) {
    uint64_t bits;
    int64_t integer;
    if (!value || !number) return LEAT_EINVAL;
    int status = element_bits(value, index, &bits);
    if (status) return status;
    if (value->item == LEAT_GGUF_F32 || value->item == LEAT_GGUF_F64) {
        *number = real_of(value->item, bits);
        return LEAT_OK;
    }
    if ((status = leat_gguf_integer(value, index, &integer))) return status;
    *number = (double)integer;
    return LEAT_OK;
}

int leat_gguf_string(const leat_gguf_value *value, uint64_t *at, const char **text, uint64_t *length) {
    if (!value || !at || !text || !length) return LEAT_EINVAL;
    if (value->item != LEAT_GGUF_STRING) return LEAT_ETYPE;
    uint64_t head = value->kind == LEAT_GGUF_ARRAY ? 8 : 0, bytes = value->bytes;
    if (head ? *at >= bytes : *at > 0) return LEAT_EEND;
    if (head) { /* lengths were checked when the file was opened; *at is the caller's */
        if (bytes - *at < head) return LEAT_EINVAL;
        memcpy(length, value->data + *at, sizeof *length);
        if (*length > bytes - *at - head) return LEAT_EINVAL;
    } else {
        *length = bytes;
    }
    *text = (const char *)value->data + *at + head;
    *at += head ? head + *length : bytes + 1;
    return LEAT_OK;
}

int leat_gguf_dequantize(const leat_gguf_tensor *tensor, uint64_t first, uint64_t count, float *out) {
    if (!tensor) return LEAT_EINVAL;
    const leat_block_format *format = leat__block_format(tensor->type);
    if (!format || !format->values) return LEAT_EUNSUPPORTED;
    uint64_t length = (uint64_t)format->length, total = tensor->bytes / (uint64_t)format->bytes * length;
    if (first > total || count > total - first || first % length || count % length || (count && !out)) return LEAT_EINVAL;
    format->values(tensor->data + first / length * (uint64_t)format->bytes, (int64_t)(count / length), out);
    return LEAT_OK;
}
