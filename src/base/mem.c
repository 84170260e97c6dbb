/* mem.c - the allocator behind mem.h.
 *
 * Each block: [padding][head, 64 bytes][content][LEAT_TAIL_BYTES zeroed].  The head keeps the raw pointer, size and tag.  Content of
 * 4 MiB and more is advised to use huge pages, which saves TLB misses in weights and activations.
 */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define HEAD_BYTES 64
#define HUGE_FROM ((size_t)4 << 20)
#define HUGE_PAGE ((size_t)2 << 20)

typedef struct block_head {
    void    *raw;
    size_t   bytes;
    uint32_t tag;
} block_head;

static _Atomic uint64_t live_by_tag[LEAT_MEMORY_TAGS];
static _Atomic uint64_t live_total, peak_total, n_allocations, n_hot;
static _Atomic uint64_t fail_countdown; /* 0 = off */
static _Atomic int fail_forever;

static _Thread_local int hot_depth;
static _Thread_local uint64_t thread_hot, thread_all;

void leat__hot_enter(void) { hot_depth++; }
void leat__hot_leave(void) { hot_depth--; }
uint64_t leat__thread_hot_allocations(void) { return thread_hot; }
uint64_t leat__thread_allocations(void) { return thread_all; }

void leat__alloc_fail_at(uint64_t n, int forever) {
    atomic_store(&fail_forever, forever);
    atomic_store(&fail_countdown, n);
}

/* True when this allocation was chosen to fail. */
static int must_fail(void) {
    uint64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    while (left != 0) {
        uint64_t next = left == 1 && atomic_load(&fail_forever) ? 1 : left - 1;
        if (atomic_compare_exchange_weak(&fail_countdown, &left, next)) return left == 1;
    }
    return 0;
}

static void count_in(size_t bytes, uint32_t tag) {
    atomic_fetch_add_explicit(&live_by_tag[tag], bytes, memory_order_relaxed);
    uint64_t now = atomic_fetch_add_explicit(&live_total, bytes, memory_order_relaxed) + bytes;
    uint64_t peak = atomic_load_explicit(&peak_total, memory_order_relaxed);
    while (now > peak && !atomic_compare_exchange_weak_explicit(&peak_total, &peak, now, memory_order_relaxed, memory_order_relaxed)) {}
}

static void count_out(size_t bytes, uint32_t tag) {
    atomic_fetch_sub_explicit(&live_by_tag[tag], bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&live_total, bytes, memory_order_relaxed);
}

static void count_call(void) {
    atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed);
    thread_all++;
    if (hot_depth > 0) {
        thread_hot++;
        atomic_fetch_add_explicit(&n_hot, 1, memory_order_relaxed);
    }
}

static block_head *head_of(const void *block) { return (block_head *)((uintptr_t)block - HEAD_BYTES); }

/* Huge pages inside [content, content + bytes); advice only, so the result does not matter. */
static void advise_huge(void *content, size_t bytes) {
    uintptr_t from = ((uintptr_t)content + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
    uintptr_t to = ((uintptr_t)content + bytes) & ~(uintptr_t)(HUGE_PAGE - 1);
    if (to > from) (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}

static void *allocate(size_t bytes, leat_memory_tag tag, int zero) {
    size_t raw_bytes;
    if (leat__add_overflows(bytes, HEAD_BYTES + LEAT_ALIGN + LEAT_TAIL_BYTES, &raw_bytes) || raw_bytes > PTRDIFF_MAX) return NULL;
    count_call();
    if (must_fail()) return NULL;
    char *raw = zero ? calloc(1, raw_bytes) : malloc(raw_bytes);
    if (!raw) return NULL;
    char *content = (char *)(((uintptr_t)raw + HEAD_BYTES + LEAT_ALIGN - 1) & ~(uintptr_t)(LEAT_ALIGN - 1));
    if (bytes >= HUGE_FROM) advise_huge(content, bytes);
    block_head *head = head_of(content);
    head->raw = raw;
    head->bytes = bytes;
    head->tag = (unsigned)tag < LEAT_MEMORY_TAGS ? (uint32_t)tag : LEAT_MEMORY_OTHER;
    memset(content + bytes, 0, LEAT_TAIL_BYTES);
    count_in(bytes, head->tag);
    return content;
}

void *leat__alloc(size_t bytes, leat_memory_tag tag) { return allocate(bytes, tag, 0); }

void *leat__calloc(size_t count, size_t size, leat_memory_tag tag) {
    size_t bytes;
    if (leat__mul_overflows(count, size, &bytes)) return NULL;
    return allocate(bytes, tag, 1);
}

void *leat__realloc(void *block, size_t bytes, leat_memory_tag tag) {
    if (!block) return leat__alloc(bytes, tag);
    block_head *head = head_of(block);
    void *grown = leat__alloc(bytes, (leat_memory_tag)head->tag);
    if (!grown) return NULL;
    memcpy(grown, block, head->bytes < bytes ? head->bytes : bytes);
    leat__free(block);
    return grown;
}

void leat__free(void *block) {
    if (!block) return;
    block_head *head = head_of(block);
    count_out(head->bytes, head->tag);
    free(head->raw);
}

size_t leat__alloc_size(const void *block) { return block ? head_of(block)->bytes : 0; }

char *leat__strdup(const char *text, leat_memory_tag tag) {
    if (!text) return NULL;
    size_t bytes = strlen(text) + 1;
    char *copy = leat__alloc(bytes, tag);
    return copy ? memcpy(copy, text, bytes) : NULL;
}

void leat_memory_get(leat_memory_stats *stats) {
    for (int i = 0; i < LEAT_MEMORY_TAGS; i++) stats->live_bytes[i] = atomic_load_explicit(&live_by_tag[i], memory_order_relaxed);
    stats->peak_bytes = atomic_load_explicit(&peak_total, memory_order_relaxed);
    stats->allocations = atomic_load_explicit(&n_allocations, memory_order_relaxed);
    stats->hot_allocations = atomic_load_explicit(&n_hot, memory_order_relaxed);
}

const char *leat_memory_tag_name(leat_memory_tag tag) {
    static const char *const names[LEAT_MEMORY_TAGS] = {"other", "graph", "weights", "plan", "arena", "io"};
    return (unsigned)tag < LEAT_MEMORY_TAGS ? names[tag] : NULL;
}
