/* onnx_wire.c - the protobuf walk. */
#include "graph/onnx_wire.h"

#include <string.h>

int leat__wire_next(leat_cursor *message, leat_field *field) {
    if (message->failed || message->at == message->end) return 0;
    uint64_t key = leat__cursor_varint(message);
    field->number = key >> 3;
    field->wire = (int)(key & 7);
    field->value = 0;
    field->body = (leat_cursor){message->base, message->at, message->at, 0};
    switch (field->wire) {
    case LEAT_WIRE_VARINT: field->value = leat__cursor_varint(message); break;
    case LEAT_WIRE_64: field->value = leat__cursor_u64(message); break;
    case LEAT_WIRE_32: field->value = leat__cursor_u32(message); break;
    case LEAT_WIRE_BYTES: {
        uint64_t length = leat__cursor_varint(message);
        if (length > leat__cursor_left(message)) message->failed = 1;
        else field->body = leat__cursor_sub(message, (size_t)length);
        break;
    }
    default: message->failed = 1;
    }
    if (field->number == 0 || field->number > 0x1fffffff) message->failed = 1;
    return !message->failed;
}

int leat__wire_end(const leat_cursor *message, const char *what, leat_error *error) {
    if (!message->failed) return LEAT_OK;
    uint64_t offset = leat__cursor_offset(message);
    return leat__fail_at(error, LEAT_EFORMAT, offset, "%s is damaged or cut off at byte %llu", what, (unsigned long long)offset);
}

char *leat__wire_text(const leat_field *field, leat_arena *arena) {
    return leat__arena_strndup(arena, (const char *)field->body.at, leat__cursor_left(&field->body));
}

int leat__wire_name(const leat_field *field, leat_arena *arena, const char **name, leat_error *error) {
    size_t length = leat__cursor_left(&field->body);
    if (length && memchr(field->body.at, 0, length))
        return leat__fail_at(error, LEAT_EFORMAT, leat__cursor_offset(&field->body), "a name has a NUL byte inside");
    *name = leat__wire_text(field, arena);
    return *name ? LEAT_OK : leat__fail(error, LEAT_ENOMEM, "out of memory while reading the model");
}

size_t leat__wire_count(const leat_field *field, int element_wire) {
    if (field->wire != LEAT_WIRE_BYTES) return field->wire == element_wire;
    size_t bytes = leat__cursor_left(&field->body);
    if (element_wire == LEAT_WIRE_64) return bytes / 8;
    if (element_wire == LEAT_WIRE_32) return bytes / 4;
    size_t count = 0;
    for (const uint8_t *at = field->body.at; at < field->body.end; at++) count += *at < 0x80;
    return count;
}

int leat__wire_number(leat_field *field, int element_wire, uint64_t *value) {
    if (field->wire == LEAT_WIRE_BYTES) {
        if (field->body.failed || field->body.at == field->body.end) return 0;
        if (element_wire == LEAT_WIRE_VARINT) *value = leat__cursor_varint(&field->body);
        else *value = element_wire == LEAT_WIRE_64 ? leat__cursor_u64(&field->body) : leat__cursor_u32(&field->body);
        return !field->body.failed;
    }
    if (field->wire != element_wire) return 0;
    field->wire = -1; /* a single number is read once */
    *value = field->value;
    return 1;
}
