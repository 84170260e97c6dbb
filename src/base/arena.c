/* arena.c - bump allocator; blocks double from 16 KiB to 1 MiB, larger requests get a block of their own behind the head. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define FIRST_BLOCK ((size_t)16 << 10)
#define LAST_BLOCK ((size_t)1 << 20)

struct leat_arena_block {
    leat_arena_block *next;
    char              pad[LEAT_ALIGN - sizeof(void *)]; /* content starts LEAT_ALIGN-aligned */
    char              content[];
};

void leat__arena_init(leat_arena *arena, leat_memory_tag tag) {
    memset(arena, 0, sizeof *arena);
    arena->tag = tag;
}

void leat__arena_fini(leat_arena *arena) {
    leat_arena_block *block = arena->head;
    while (block) {
        leat_arena_block *next = block->next;
        leat__free(block);
        block = next;
    }
    leat__arena_init(arena, arena->tag);
}

static leat_arena_block *new_block(leat_arena *arena, size_t capacity) {
    size_t bytes;
    if (leat__add_overflows(capacity, sizeof(leat_arena_block), &bytes)) return NULL;
    leat_arena_block *block = leat__alloc(bytes, arena->tag);
    if (!block) return NULL;
    block->next = NULL;
    arena->total += bytes;
    return block;
}

/* A request too large for the doubling blocks: it gets its own, so that what is left in the head stays usable. */
static void *own_block(leat_arena *arena, size_t bytes) {
    leat_arena_block *block = new_block(arena, bytes);
    if (!block) return NULL;
    if (arena->head) {
        block->next = arena->head->next;
        arena->head->next = block;
    } else {
        arena->head = block;
        arena->used = arena->capacity = bytes;
    }
    return block->content;
}

static void *take(leat_arena *arena, size_t bytes, size_t align) {
    size_t at = (arena->used + align - 1) & ~(align - 1);
    if (arena->head && at <= arena->capacity && bytes <= arena->capacity - at) {
        arena->used = at + bytes;
        return arena->head->content + at;
    }
    size_t capacity = arena->total < FIRST_BLOCK ? FIRST_BLOCK : arena->total > LAST_BLOCK ? LAST_BLOCK : arena->total;
    if (bytes > capacity / 2) return own_block(arena, bytes);
    leat_arena_block *block = new_block(arena, capacity);
    if (!block) return NULL;
    block->next = arena->head;
    arena->head = block;
    arena->capacity = capacity;
    arena->used = bytes;
    return block->content;
}

void *leat__arena_calloc(leat_arena *arena, size_t count, size_t size) {
    size_t bytes;
    if (leat__mul_overflows(count, size, &bytes)) return NULL;
    void *memory = take(arena, bytes ? bytes : 1, 16);
    return memory ? memset(memory, 0, bytes) : NULL;
}

void *leat__arena_alloc_aligned(leat_arena *arena, size_t bytes) {
    size_t with_tail;
    if (leat__add_overflows(bytes, LEAT_TAIL_BYTES, &with_tail)) return NULL;
    char *memory = take(arena, with_tail, LEAT_ALIGN);
    if (memory) memset(memory + bytes, 0, LEAT_TAIL_BYTES);
    return memory;
}

char *leat__arena_strndup(leat_arena *arena, const char *text, size_t length) {
    size_t bytes;
    if (leat__add_overflows(length, 1, &bytes)) return NULL;
    char *copy = take(arena, bytes, 1);
    if (!copy) return NULL;
    if (length) memcpy(copy, text, length);
    copy[length] = 0;
    return copy;
}

char *leat__arena_printf(leat_arena *arena, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : take(arena, (size_t)length + 1, 1);
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
