/* tok_merge.c - joins neighbouring symbols by priority: a linked list of symbols and a heap of the pairs.
 *
 * A pair in the heap is out of date when one of its symbols has grown or gone since: its size tells.  O(n log n).
 */
#include <math.h>

#include "base/mem.h"
#include "lm/tok.h"

enum { FEW = 64 }; /* bytes of a word that needs no allocation */

typedef struct symbol {
    const char *text;
    uint32_t    bytes;      /* 0 = joined to its left neighbour */
    int32_t     prev, next; /* -1 = none */
} symbol;

typedef struct pair {
    double   priority;
    int32_t  left, right;
    uint32_t bytes; /* of both, when the pair was made */
} pair;

typedef struct merger {
    const leat_tokenizer *t;
    const leat_tok_join  *join;
    symbol *symbols;
    pair   *heap;
    int64_t n_heap;
} merger;

size_t leat__utf8_length(const char *text, size_t left) {
    static const uint8_t by_nibble[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
    size_t length = by_nibble[(uint8_t)*text >> 4];
    return length < left ? length : left;
}

static int before(const pair *a, const pair *b) { return a->priority > b->priority || (a->priority == b->priority && a->left < b->left); }

static void push(merger *m, pair p) {
    int64_t at = m->n_heap++;
    for (; at > 0 && before(&p, &m->heap[(at - 1) / 2]); at = (at - 1) / 2) m->heap[at] = m->heap[(at - 1) / 2];
    m->heap[at] = p;
}

static pair pop(merger *m) {
    pair top = m->heap[0], last = m->heap[--m->n_heap];
    int64_t at = 0;
    for (int64_t child; (child = 2 * at + 1) < m->n_heap; at = child) {
        if (child + 1 < m->n_heap && before(&m->heap[child + 1], &m->heap[child])) child++;
        if (!before(&m->heap[child], &last)) break;
        m->heap[at] = m->heap[child];
    }
    m->heap[at] = last;
    return top;
}

static void try_pair(merger *m, int32_t left, int32_t right) {
    if (left < 0 || right < 0) return;
    const symbol *l = &m->symbols[left], *r = &m->symbols[right];
    double priority = m->join->priority(m->t, l->text, l->bytes, (size_t)l->bytes + r->bytes);
    if (priority > -INFINITY) push(m, (pair){priority, left, right, l->bytes + r->bytes});
}

static void join_pair(merger *m, const pair *p) {
    symbol *l = &m->symbols[p->left], *r = &m->symbols[p->right];
    if (l->bytes == 0 || r->bytes == 0 || l->bytes + r->bytes != p->bytes) return;
    l->bytes += r->bytes;
    r->bytes = 0;
    l->next = r->next;
    if (r->next >= 0) m->symbols[r->next].prev = p->left;
    try_pair(m, l->prev, p->left);
    try_pair(m, p->left, l->next);
}

static int32_t split_characters(symbol *symbols, const char *text, size_t bytes) {
    int32_t n = 0;
    for (size_t at = 0; at < bytes; n++) {
        size_t length = leat__utf8_length(text + at, bytes - at);
        symbols[n] = (symbol){text + at, (uint32_t)length, n - 1, n + 1};
        at += length;
    }
    if (n) symbols[n - 1].next = -1;
    return n;
}

int leat__tok_merge(const leat_tokenizer *t, const leat_tok_join *join, const char *text, size_t bytes, leat_tok_out *out) {
    symbol few_symbols[FEW];
    pair   few_pairs[3 * FEW];
    merger m = {t, join, few_symbols, few_pairs, 0};
    void  *block = NULL;
    if (bytes > FEW) { /* a join adds two pairs and there are fewer joins than symbols: 3 pairs for each are enough */
        size_t size;
        if (leat__mul_overflows(bytes, sizeof(symbol) + 3 * sizeof(pair), &size) || !(block = leat__alloc(size, LEAT_MEMORY_OTHER))) return LEAT_ENOMEM;
        m.heap = block;
        m.symbols = (symbol *)(m.heap + 3 * bytes);
    }
    int32_t n = split_characters(m.symbols, text, bytes);
    for (int32_t i = 0; i + 1 < n; i++) try_pair(&m, i, i + 1);
    while (m.n_heap > 0) {
        pair p = pop(&m);
        join_pair(&m, &p);
    }
    for (int32_t i = n ? 0 : -1; i >= 0; i = m.symbols[i].next) join->put(t, m.symbols[i].text, m.symbols[i].bytes, out);
    leat__free(block);
    return LEAT_OK;
}
