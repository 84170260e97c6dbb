/* cursor.h - bounds-checked little-endian reader over a byte range; every parser reads through it.
 *
 * A read past the end sets `failed`, returns zero and moves no further.  Nothing is copied.
 */
#ifndef LEAT_BASE_CURSOR_H
#define LEAT_BASE_CURSOR_H

#include <stddef.h>
#include <stdint.h>

typedef struct leat_cursor {
    const uint8_t *base, *at, *end;
    int            failed;
} leat_cursor;

leat_cursor leat__cursor(const void *data, size_t bytes);
static inline size_t leat__cursor_left(const leat_cursor *c) { return (size_t)(c->end - c->at); }
static inline uint64_t leat__cursor_offset(const leat_cursor *c) { return (uint64_t)(c->at - c->base); }
uint32_t leat__cursor_u32(leat_cursor *c);
uint64_t leat__cursor_u64(leat_cursor *c);
uint64_t leat__cursor_varint(leat_cursor *c); /* protobuf base-128, at most 10 bytes */
const uint8_t *leat__cursor_bytes(leat_cursor *c, size_t n); /* NULL on failure */
leat_cursor leat__cursor_sub(leat_cursor *c, size_t n);      /* the next n bytes as a cursor of their own, base kept at the same origin */

#endif
