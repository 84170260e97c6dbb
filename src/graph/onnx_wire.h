/* onnx_wire.h - protobuf wire format, read in place.
 *
 *   message  = field*
 *   field    = key (varint: number << 3 | wire type), then by wire type
 *              0  varint                          1  8 bytes, little-endian
 *              2  length (varint) and as many bytes: string, message or packed numbers
 *              5  4 bytes, little-endian          3, 4  groups: not used by ONNX, refused
 *
 * Everything is bounds-checked by the cursor; offsets are those of the whole content, since sub-cursors keep its base.
 */
#ifndef LEAT_GRAPH_ONNX_WIRE_H
#define LEAT_GRAPH_ONNX_WIRE_H

#include "base/arena.h"
#include "base/cursor.h"
#include "base/error.h"

enum { LEAT_WIRE_VARINT = 0, LEAT_WIRE_64 = 1, LEAT_WIRE_BYTES = 2, LEAT_WIRE_32 = 5 };

typedef struct leat_field {
    uint64_t    number; /* of the field; 0 never occurs */
    int         wire;
    uint64_t    value;  /* of wire types 0, 1 and 5 */
    leat_cursor body;   /* of wire type 2 */
} leat_field;

/* Reads the next field: 1, or 0 at the end or when malformed (then cursor->failed is set). */
int leat__wire_next(leat_cursor *message, leat_field *field);
/* LEAT_OK, or LEAT_EFORMAT if the cursor failed, naming `what`. */
int leat__wire_end(const leat_cursor *message, const char *what, leat_error *error);

/* Text of a bytes field: NUL-terminated copy in the arena, "" for other wire types; NULL when out of memory. */
char *leat__wire_text(const leat_field *field, leat_arena *arena);
/* The same, but fails with LEAT_EFORMAT when the text has a NUL inside, as no name may. */
int leat__wire_name(const leat_field *field, leat_arena *arena, const char **name, leat_error *error);

/* Repeated numbers, packed or not: how many values the field holds (0 and cursor `failed` untouched when malformed: reading fails). */
size_t leat__wire_count(const leat_field *field, int element_wire);
/* Reads the next number out of `field` (a copy of it): 1, or 0 at its end.  element_wire: how one is written when packed. */
int leat__wire_number(leat_field *field, int element_wire, uint64_t *value);

#endif
