/* mem.h - the only allocator: aligned, tagged, counted, guarded in hot phases, failable on purpose.
 *
 * Every block is LEAT_ALIGN-aligned and has LEAT_TAIL_BYTES readable, zeroed bytes behind it, so that vector kernels may over-read.
 * Counters are process-wide atomics; the hot-phase depth is per thread.  Sizes are checked: an overflowing request returns NULL.
 */
#ifndef LEAT_BASE_MEM_H
#define LEAT_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "leat/common.h"

/* Returns `bytes` uninitialised bytes, or NULL.  bytes 0 is allowed and returns a valid pointer. */
void *leat__alloc(size_t bytes, leat_memory_tag tag);
/* The same, zeroed; NULL also when count * size overflows. */
void *leat__calloc(size_t count, size_t size, leat_memory_tag tag);
/* Grows or shrinks, keeping the tag and the content; on failure returns NULL and the old block stays. */
void *leat__realloc(void *block, size_t bytes, leat_memory_tag tag);
void leat__free(void *block);
size_t leat__alloc_size(const void *block);
char *leat__strdup(const char *text, leat_memory_tag tag);

/* Checked arithmetic: true on overflow. */
static inline int leat__mul_overflows(size_t a, size_t b, size_t *product) { return __builtin_mul_overflow(a, b, product); }
static inline int leat__add_overflows(size_t a, size_t b, size_t *sum) { return __builtin_add_overflow(a, b, sum); }

/* Hot phase of this thread: nestable; an allocation inside is counted in hot_allocations (and by leat__thread_hot_allocations). */
void leat__hot_enter(void);
void leat__hot_leave(void);
uint64_t leat__thread_hot_allocations(void); /* by this thread since its start */
uint64_t leat__thread_allocations(void);     /* all, by this thread since its start */

/* Tests only: the n-th allocation from now fails (n >= 1), with `forever` all after it too; 0 switches off. */
void leat__alloc_fail_at(uint64_t n, int forever);

#endif
