/* onnx_external.c - tensor data in files beside the model.
 *
 * Entries are key = value texts: location (relative path), offset and length (decimal); others (checksum, ...) are ignored.  A file is
 * mapped once, however many tensors it holds; leat__map_beneath() keeps it under the model's folder.
 */
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "graph/onnx_internal.h"
#include "leat/model.h"

/* Decimal text to number; 0 on anything else or overflow. */
static int parse_decimal(const char *text, uint64_t *value) {
    *value = 0;
    if (!*text) return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return 0;
        if (__builtin_mul_overflow(*value, 10u, value) || __builtin_add_overflow(*value, (uint64_t)(*text - '0'), value)) return 0;
    }
    return 1;
}

int leat__onnx_extern_entry(leat_onnx_source *source, leat_cursor message, leat_onnx_extern *where) {
    leat_field field;
    const char *key = "", *value = "";
    while (leat__wire_next(&message, &field)) {
        const char **text = field.number == 1 ? &key : field.number == 2 ? &value : NULL;
        int status = text ? leat__wire_name(&field, source->arena, text, source->error) : LEAT_OK;
        if (status != LEAT_OK) return status;
    }
    int status = leat__wire_end(&message, "an external data entry", source->error);
    if (status != LEAT_OK) return status;
    int fine = 1;
    if (leat__streq(key, "location")) where->location = value;
    if (leat__streq(key, "offset")) fine = parse_decimal(value, &where->offset);
    if (leat__streq(key, "length")) fine = where->has_length = parse_decimal(value, &where->length);
    return fine ? LEAT_OK : leat__fail(source->error, LEAT_EFORMAT, "external data: %s '%.60s' is not a number", key, value);
}

/* Room for one more file; 0 when out of memory. */
static int reserve_file(leat_onnx_source *source) {
    if (source->n_files < source->cap_files) return 1;
    int larger = source->cap_files ? source->cap_files * 2 : 8;
    leat_onnx_file *files = leat__arena_calloc(source->arena, (size_t)larger, sizeof *files);
    if (!files) return 0;
    if (source->n_files) memcpy(files, source->files, (size_t)source->n_files * sizeof *files);
    source->files = files;
    source->cap_files = larger;
    return 1;
}

/* The mapping of that location, made now if it is new. */
static int open_file(leat_onnx_source *source, const char *location, leat_mapping *mapping) {
    for (int i = 0; i < source->n_files; i++)
        if (strcmp(source->files[i].location, location) == 0) {
            *mapping = source->files[i].mapping;
            return LEAT_OK;
        }
    if (!reserve_file(source)) return leat__onnx_oom(source->error);
    int links = (source->flags & LEAT_MODEL_ALLOW_LINKS) != 0;
    int status = leat__map_beneath(source->base_dir, location, links, mapping, source->error);
    if (status == LEAT_OK) source->files[source->n_files++] = (leat_onnx_file){location, *mapping};
    return status;
}

int leat__onnx_extern_data(leat_onnx_source *source, const leat_onnx_extern *where, size_t bytes, const uint8_t **data) {
    static const uint8_t nothing[LEAT_TAIL_BYTES];
    *data = nothing;
    if (!where->location) return leat__fail(source->error, LEAT_EFORMAT, "external data without a location");
    if (!source->base_dir)
        return leat__fail(source->error, LEAT_EUNSUPPORTED, "external data '%.300s' needs a model opened from a file, not from memory",
                          where->location);
    if (where->has_length && where->length != bytes)
        return leat__fail(source->error, LEAT_EFORMAT, "external data: length %" PRIu64 ", but the shape needs %zu bytes", where->length, bytes);
    if (bytes == 0) return LEAT_OK;
    leat_mapping mapping;
    int status = open_file(source, where->location, &mapping);
    if (status != LEAT_OK) return status;
    if (where->offset > mapping.bytes || bytes > mapping.bytes - where->offset)
        return leat__fail(source->error, LEAT_EFORMAT, "external data: bytes %" PRIu64 " to %" PRIu64 "+%zu are outside of '%.300s' (%zu bytes)",
                          where->offset, where->offset, bytes, where->location, mapping.bytes);
    *data = mapping.data + where->offset;
    return LEAT_OK;
}

void leat__onnx_extern_fini(leat_onnx_source *source) {
    for (int i = 0; i < source->n_files; i++) leat__unmap(&source->files[i].mapping);
    source->n_files = 0;
}
