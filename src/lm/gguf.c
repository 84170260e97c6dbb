/* gguf.c - the reader of GGUF files: header and directory, checked byte by byte; tensor data stays untouched in the mapping.
 *
 * The file, little-endian:
 *   1. "GGUF", u32 version (2 or 3), u64 number of tensors, u64 number of metadata values
 *   2. values:  string key, u32 kind, then the value; a string is u64 length + bytes, an array u32 kind of its items, u64 count, the items
 *   3. tensors: string name, u32 rank, rank x u64 dims (fastest first), u32 type, u64 offset from the start of the data
 *   4. padding to general.alignment (default 32), then the data of the tensors, each aligned so
 * Guarantees: counts are compared with the bytes that are left before anything is allocated for them; every product of dims and every
 * offset + size is checked against the file; keys and names are unique.  Non-goals: writing, big-endian files, arrays of arrays.
 */
#include "lm/gguf_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/error.h"

#define MAGIC 0x46554747u /* "GGUF" */
#define DEFAULT_ALIGNMENT 32
#define MAX_ALIGNMENT (1u << 20)
#define MAX_NAME 1024     /* bytes of a key or a tensor's name */
#define MIN_VALUE_BYTES 13 /* of an entry: key length, kind, one byte */
#define MIN_TENSOR_BYTES 32

static const uint8_t kind_bytes[LEAT_GGUF_KINDS] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

int leat__gguf_kind_bytes(leat_gguf_kind kind) { return (unsigned)kind < LEAT_GGUF_KINDS ? kind_bytes[kind] : 0; }

typedef struct reader {
    leat_gguf  *file;
    leat_cursor at;
    leat_error *error;
    const char *doing; /* what the message says when the file ends */
} reader;

static int ended(reader *r) {
    return leat__fail_at(r->error, LEAT_EFORMAT, leat__cursor_offset(&r->at), "GGUF: the file ends inside %s: it is truncated or damaged", r->doing);
}

/* A key or name as a NUL-terminated copy. */
static int read_name(reader *r, const char **name) {
    uint64_t offset = leat__cursor_offset(&r->at), length = leat__cursor_u64(&r->at);
    if (r->at.failed || length > leat__cursor_left(&r->at)) return ended(r);
    if (length == 0 || length > MAX_NAME)
        return leat__fail_at(r->error, LEAT_EFORMAT, offset, "GGUF: a name in %s has %llu bytes (1..%d are allowed)", r->doing, (unsigned long long)length, MAX_NAME);
    const uint8_t *text = leat__cursor_bytes(&r->at, (size_t)length);
    if (memchr(text, 0, (size_t)length)) return leat__fail_at(r->error, LEAT_EFORMAT, offset, "GGUF: a name in %s has a zero byte", r->doing);
    *name = leat__arena_strndup(&r->file->arena, (const char *)text, (size_t)length);
    return *name ? LEAT_OK : leat__fail(r->error, LEAT_ENOMEM, "GGUF: out of memory");
}

/* Walks over the strings of an array. */
static int skip_strings(reader *r, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        uint64_t length = leat__cursor_u64(&r->at);
        if (r->at.failed || length > leat__cursor_left(&r->at)) return ended(r);
        leat__cursor_bytes(&r->at, (size_t)length);
    }
    return LEAT_OK;
}

static int read_array(reader *r, leat_gguf_value *v) {
    uint32_t item = leat__cursor_u32(&r->at);
    v->count = leat__cursor_u64(&r->at);
    if (r->at.failed) return ended(r);
    if (item >= LEAT_GGUF_KINDS || item == LEAT_GGUF_ARRAY)
        return leat__fail_at(r->error, LEAT_EUNSUPPORTED, leat__cursor_offset(&r->at), "GGUF: '%s' is an array of kind %u, which is not supported", v->key, item);
    v->item = (leat_gguf_kind)item;
    v->data = r->at.at;
    uint64_t least = item == LEAT_GGUF_STRING ? 8 : kind_bytes[item];
    if (v->count > leat__cursor_left(&r->at) / least) return ended(r);
    if (item == LEAT_GGUF_STRING) {
        int status = skip_strings(r, v->count);
        if (status) return status;
    } else {
        leat__cursor_bytes(&r->at, (size_t)(v->count * least));
    }
    return LEAT_OK;
}

static int read_value(reader *r, leat_gguf_value *v) {
    r->doing = "the metadata";
    int status = read_name(r, &v->key);
    if (status) return status;
    r->doing = v->key;
    uint32_t kind = leat__cursor_u32(&r->at);
    if (r->at.failed) return ended(r);
    if (kind >= LEAT_GGUF_KINDS)
        return leat__fail_at(r->error, LEAT_EFORMAT, leat__cursor_offset(&r->at), "GGUF: '%s' has the unknown kind %u", v->key, kind);
    v->kind = v->item = (leat_gguf_kind)kind;
    v->count = 1;
    if (kind == LEAT_GGUF_STRING) v->count = leat__cursor_u64(&r->at);
    v->data = r->at.at;
    if (kind == LEAT_GGUF_ARRAY) {
        status = read_array(r, v);
    } else {
        uint64_t bytes = kind == LEAT_GGUF_STRING ? v->count : kind_bytes[kind];
        if (bytes > leat__cursor_left(&r->at)) return ended(r);
        leat__cursor_bytes(&r->at, (size_t)bytes);
    }
    if (status == LEAT_OK && r->at.failed) status = ended(r);
    v->bytes = (uint64_t)(r->at.at - v->data);
    return status;
}

/* Elements of all dims; 0 when there is none or too many. */
static uint64_t elements_of(const leat_gguf_tensor *t) {
    uint64_t n = 1;
    for (int d = 0; d < t->rank; d++)
        if (t->dims[d] == 0 || __builtin_mul_overflow(n, t->dims[d], &n) || n > INT64_MAX) return 0;
    return n;
}

/* Name, shape and type; data holds the offset until the start of the data is known. */
static int read_tensor(reader *r, leat_gguf_tensor *t) {
    r->doing = "the list of tensors";
    int status = read_name(r, &t->name);
    if (status) return status;
    uint64_t offset = leat__cursor_offset(&r->at);
    uint32_t rank = leat__cursor_u32(&r->at);
    if (r->at.failed) return ended(r);
    if (rank < 1 || rank > 4) return leat__fail_at(r->error, LEAT_EFORMAT, offset, "GGUF: tensor '%s' has %u dimensions (1..4 are allowed)", t->name, rank);
    t->rank = (int)rank;
    for (int d = 0; d < 4; d++) t->dims[d] = d < t->rank ? leat__cursor_u64(&r->at) : 1;
    uint32_t type = leat__cursor_u32(&r->at);
    uint64_t at = leat__cursor_u64(&r->at);
    if (r->at.failed) return ended(r);
    const leat_block_format *format = leat__block_format((int)(type > INT32_MAX ? INT32_MAX : type));
    if (!format) return leat__fail_at(r->error, LEAT_EUNSUPPORTED, offset, "GGUF: tensor '%s' has the unknown type %u", t->name, type);
    t->type = (int)type;
    uint64_t n = elements_of(t);
    if (n == 0 || t->dims[0] % (uint64_t)format->length)
        return leat__fail_at(r->error, LEAT_EFORMAT, offset, "GGUF: tensor '%s' of type %s has an impossible shape (%llu x %llu x %llu x %llu)", t->name, format->name,
                             (unsigned long long)t->dims[0], (unsigned long long)t->dims[1], (unsigned long long)t->dims[2], (unsigned long long)t->dims[3]);
    if (__builtin_mul_overflow(n / (uint64_t)format->length, (uint64_t)format->bytes, &t->bytes))
        return leat__fail_at(r->error, LEAT_EFORMAT, offset, "GGUF: tensor '%s' is too large", t->name);
    r->file->info.parameters += n;
    r->file->offsets[t - r->file->tensors] = at;
    return LEAT_OK;
}

static int read_header(reader *r) {
    leat_gguf_info *info = &r->file->info;
    r->doing = "its header";
    uint32_t magic = leat__cursor_u32(&r->at), version = leat__cursor_u32(&r->at);
    info->tensors = leat__cursor_u64(&r->at);
    info->values = leat__cursor_u64(&r->at);
    if (magic != MAGIC) return leat__fail(r->error, LEAT_EFORMAT, "not a GGUF file: it does not begin with \"GGUF\"");
    if (r->at.failed) return ended(r);
    if (version & 0xffff0000u) return leat__fail_at(r->error, LEAT_EUNSUPPORTED, 4, "GGUF: big-endian files are not supported");
    if (version < 2 || version > 3) return leat__fail_at(r->error, LEAT_EUNSUPPORTED, 4, "GGUF: version %u is not supported (2 and 3 are)", version);
    info->version = (int)version;
    size_t left = leat__cursor_left(&r->at);
    if (info->values > left / MIN_VALUE_BYTES || info->tensors > left / MIN_TENSOR_BYTES)
        return leat__fail_at(r->error, LEAT_EFORMAT, 8, "GGUF: %llu tensors and %llu values do not fit the %zu bytes of the file", (unsigned long long)info->tensors,
                             (unsigned long long)info->values, r->file->bytes);
    return LEAT_OK;
}

static int read_alignment(reader *r) {
    leat_gguf *file = r->file;
    int64_t alignment = DEFAULT_ALIGNMENT;
    for (uint64_t i = 0; i < file->info.values; i++)
        if (strcmp(file->values[i].key, "general.alignment") == 0 && (leat_gguf_integer(&file->values[i], 0, &alignment) || file->values[i].kind == LEAT_GGUF_ARRAY))
            alignment = 0;
    if (alignment < 1 || alignment > MAX_ALIGNMENT || (alignment & (alignment - 1)))
        return leat__fail(r->error, LEAT_EFORMAT, "GGUF: general.alignment is not a power of two between 1 and %u", MAX_ALIGNMENT);
    file->info.alignment = (uint32_t)alignment;
    return LEAT_OK;
}

/* From offsets to pointers, when all of the directory is read. */
static int place_tensors(reader *r) {
    leat_gguf *file = r->file;
    uint64_t mask = file->info.alignment - 1, start = (leat__cursor_offset(&r->at) + mask) & ~mask;
    file->info.data_offset = start;
    for (uint64_t i = 0; i < file->info.tensors; i++) {
        leat_gguf_tensor *t = &file->tensors[i];
        uint64_t offset = file->offsets[i], end;
        if (offset & mask) return leat__fail(r->error, LEAT_EFORMAT, "GGUF: the data of tensor '%s' is not aligned to %u bytes", t->name, file->info.alignment);
        if (__builtin_add_overflow(offset, start, &offset) || __builtin_add_overflow(offset, t->bytes, &end) || end > file->bytes)
            return leat__fail(r->error, LEAT_EFORMAT, "GGUF: the data of tensor '%s' (%llu bytes at offset %llu) reaches past the end of the file (%zu bytes): it is truncated",
                              t->name, (unsigned long long)t->bytes, (unsigned long long)offset, file->bytes);
        t->data = file->data + offset;
    }
    return LEAT_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(leat_gguf_tensor *const *)a)->name, (*(leat_gguf_tensor *const *)b)->name);
}
static int by_key(const void *a, const void *b) {
    return strcmp((*(leat_gguf_value *const *)a)->key, (*(leat_gguf_value *const *)b)->key);
}

/* Sorted pointers for look-ups; equal neighbours are refused. */
static int index_names(reader *r) {
    leat_gguf *file = r->file;
    for (uint64_t i = 0; i < file->info.tensors; i++) file->by_name[i] = &file->tensors[i];
    for (uint64_t i = 0; i < file->info.values; i++) file->by_key[i] = &file->values[i];
    if (file->info.tensors) qsort(file->by_name, file->info.tensors, sizeof *file->by_name, by_name);
    if (file->info.values) qsort(file->by_key, file->info.values, sizeof *file->by_key, by_key);
    for (uint64_t i = 1; i < file->info.tensors; i++)
        if (by_name(&file->by_name[i - 1], &file->by_name[i]) == 0)
            return leat__fail(r->error, LEAT_EFORMAT, "GGUF: two tensors are called '%s'", file->by_name[i]->name);
    for (uint64_t i = 1; i < file->info.values; i++)
        if (by_key(&file->by_key[i - 1], &file->by_key[i]) == 0) return leat__fail(r->error, LEAT_EFORMAT, "GGUF: the key '%s' appears twice", file->by_key[i]->key);
    return LEAT_OK;
}

static int make_tables(leat_gguf *file) {
    leat_arena *arena = &file->arena;
    file->values = leat__arena_calloc(arena, file->info.values + 1, sizeof *file->values);
    file->tensors = leat__arena_calloc(arena, file->info.tensors + 1, sizeof *file->tensors);
    file->offsets = leat__arena_calloc(arena, file->info.tensors + 1, sizeof *file->offsets);
    file->by_key = leat__arena_calloc(arena, file->info.values + 1, sizeof *file->by_key);
    file->by_name = leat__arena_calloc(arena, file->info.tensors + 1, sizeof *file->by_name);
    return file->values && file->tensors && file->offsets && file->by_key && file->by_name;
}

static int read_directory(leat_gguf *file, leat_error *error) {
    reader r = {file, leat__cursor(file->data, file->bytes), error, NULL};
    int status = read_header(&r);
    if (status == LEAT_OK && !make_tables(file)) status = leat__fail(error, LEAT_ENOMEM, "GGUF: out of memory");
    for (uint64_t i = 0; status == LEAT_OK && i < file->info.values; i++) status = read_value(&r, &file->values[i]);
    if (status == LEAT_OK) status = read_alignment(&r);
    for (uint64_t i = 0; status == LEAT_OK && i < file->info.tensors; i++) status = read_tensor(&r, &file->tensors[i]);
    if (status == LEAT_OK) status = place_tensors(&r);
    if (status == LEAT_OK) status = index_names(&r);
    return status;
}

static int open_bytes(leat_mapping mapping, const void *data, size_t bytes, leat_gguf **out, leat_error *error) {
    leat_gguf *file = leat__calloc(1, sizeof *file, LEAT_MEMORY_GRAPH);
    *out = NULL;
    if (!file) {
        leat__unmap(&mapping);
        return leat__fail(error, LEAT_ENOMEM, "GGUF: out of memory");
    }
    file->mapping = mapping;
    file->data = data;
    file->bytes = file->info.file_bytes = bytes;
    leat__arena_init(&file->arena, LEAT_MEMORY_GRAPH);
    int status = read_directory(file, error);
    if (status == LEAT_OK) *out = file;
    else leat_gguf_close(file);
    return status;
}

int leat__gguf_open(const char *path, int own, leat_gguf **file, leat_error *error) {
    leat_mapping mapping;
    *file = NULL;
    int status = own ? leat__map_copy(path, &mapping, error) : leat__map_file(path, &mapping, error);
    if (status) return status;
    if (!own) leat__map_in_huge_pages(&mapping); /* before the first read, which decides how the file comes into memory */
    status = open_bytes(mapping, mapping.data, mapping.bytes, file, error);
    return status ? leat__fail_prefix(error, status, "%s", path) : LEAT_OK;
}

int leat_gguf_open(const char *path, leat_gguf **file, leat_error *error) {
    if (file) *file = NULL;
    if (!path || !file) return leat__fail(error, LEAT_EINVAL, "leat_gguf_open: path and file may not be NULL");
    return leat__gguf_open(path, 0, file, error);
}

int leat_gguf_open_memory(const void *data, size_t bytes, leat_gguf **file, leat_error *error) {
    if (file) *file = NULL;
    if (!data || !file) return leat__fail(error, LEAT_EINVAL, "leat_gguf_open_memory: data and file may not be NULL");
    return open_bytes((leat_mapping){0}, data, bytes, file, error);
}

void leat_gguf_close(leat_gguf *file) {
    if (!file) return;
    leat__arena_fini(&file->arena);
    leat__unmap(&file->mapping);
    leat__free(file);
}
