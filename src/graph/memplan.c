/* memplan.c - greedy-by-size placement (contract in memplan.h). */
#include "graph/memplan.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/mem.h"

static int overlaps(const leat_memreq *a, const leat_memreq *b) { return a->first <= b->last && b->first <= a->last; }

static int larger_first(const void *a, const void *b) {
    const leat_memreq *x = *(leat_memreq *const *)a, *y = *(leat_memreq *const *)b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->first != y->first ? (x->first < y->first ? -1 : 1) : (x < y ? -1 : x > y);
}

/* Bytes that a block takes: padded so that the next one is aligned and its tail may be read. */
static size_t padded(size_t bytes) { return (bytes + LEAT_TAIL_BYTES + LEAT_ALIGN - 1) / LEAT_ALIGN * LEAT_ALIGN; }

/* Lowest gap between the already placed blocks (sorted by offset) that share a step with `r`. */
static size_t lowest_gap(leat_memreq **placed, int n, const leat_memreq *r, size_t need) {
    size_t at = 0;
    for (int i = 0; i < n; i++) {
        if (!overlaps(placed[i], r)) continue;
        if (placed[i]->offset >= at && placed[i]->offset - at >= need) break;
        size_t end = placed[i]->offset + padded(placed[i]->bytes);
        if (end > at) at = end;
    }
    return at;
}

static void insert_sorted(leat_memreq **placed, int n, leat_memreq *r) {
    int i = n;
    for (; i > 0 && placed[i - 1]->offset > r->offset; i--) placed[i] = placed[i - 1];
    placed[i] = r;
}

int leat__memplan(leat_memreq *requests, int n, size_t *total) {
    *total = 0;
    leat_memreq **order = leat__calloc((size_t)n * 2 + 1, sizeof *order, LEAT_MEMORY_PLAN);
    if (!order) return LEAT_ENOMEM;
    leat_memreq **placed = order + n;
    for (int i = 0; i < n; i++) order[i] = &requests[i];
    qsort(order, (size_t)n, sizeof *order, larger_first);
    int status = LEAT_OK;
    for (int i = 0; i < n && status == LEAT_OK; i++) {
        leat_memreq *r = order[i];
        if (r->bytes > SIZE_MAX / 4 || *total > SIZE_MAX / 4) status = LEAT_ELIMIT;
        size_t need = padded(r->bytes);
        r->offset = lowest_gap(placed, i, r, need);
        insert_sorted(placed, i, r);
        if (r->offset + need > *total) *total = r->offset + need;
    }
    leat__free(order);
    return status;
}

size_t leat__memplan_lower_bound(const leat_memreq *requests, int n) {
    size_t best = 0;
    for (int i = 0; i < n; i++) { /* the sum can only peak where some block begins */
        size_t sum = 0;
        for (int j = 0; j < n; j++)
            if (requests[j].first <= requests[i].first && requests[i].first <= requests[j].last) sum += padded(requests[j].bytes);
        if (sum > best) best = sum;
    }
    return best;
}
