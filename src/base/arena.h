/* arena.h - bump allocator for things that live and die together (a graph, a plan).
 *
 * Blocks of doubling size, 64-byte aligned on request; nothing is freed singly; not thread-safe.
 */
#ifndef LEAT_BASE_ARENA_H
#define LEAT_BASE_ARENA_H

#include <stddef.h>

#include "base/mem.h"

typedef struct leat_arena_block leat_arena_block;
typedef struct leat_arena {
    leat_arena_block *head;
    size_t            used, capacity; /* of the head block */
    size_t            total;          /* bytes of all blocks */
    leat_memory_tag   tag;
} leat_arena;

void leat__arena_init(leat_arena *arena, leat_memory_tag tag);
void leat__arena_fini(leat_arena *arena); /* frees everything; the arena may be used again */
/* Zeroed, 16-byte aligned; NULL when out of memory or count * size overflows. */
void *leat__arena_calloc(leat_arena *arena, size_t count, size_t size);
/* Uninitialised, LEAT_ALIGN-aligned, LEAT_TAIL_BYTES readable past the end. */
void *leat__arena_alloc_aligned(leat_arena *arena, size_t bytes);
char *leat__arena_strndup(leat_arena *arena, const char *text, size_t length); /* NUL-terminated copy */
char *leat__arena_printf(leat_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
