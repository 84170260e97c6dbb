/* gram_vocab.c - the pieces of a tokenizer as a trie in preorder: one pass over it meets each common beginning once, and leaves a subtree by a jump. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "lm/gram.h"

#define MOST_TRIE_NODES ((size_t)1 << 28)

typedef struct piece_ref {
    const char *text;
    uint32_t    bytes;
    int32_t     token;
} piece_ref;

/* Twins stay in the order of their numbers. */
static int by_text(const void *a, const void *b) {
    const piece_ref *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->bytes < y->bytes ? x->bytes : y->bytes);
    if (order) return order;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
    return x->token < y->token ? -1 : x->token > y->token;
}

static int is_text(const leat_tokenizer *t, int32_t token) {
    int type = leat_tokenizer_type(t, token);
    return type == LEAT_TOKEN_NORMAL || type == LEAT_TOKEN_BYTE || type == LEAT_TOKEN_USER_DEFINED;
}

/* All texts one behind the other; *text and *refs are the caller's, also on failure. */
static int gather(const leat_tokenizer *t, const leat_grammar_vocab *v, char **text, piece_ref **refs, uint32_t *count) {
    size_t total = 0, bytes, at = 0;
    for (int32_t i = 0; i < v->tokens; i++) {
        if (!is_text(t, i)) continue;
        leat_tokenizer_piece(t, i, 0, NULL, 0, &bytes);
        total += bytes;
    }
    *text = leat__alloc(total, LEAT_MEMORY_GRAPH);
    *refs = leat__alloc((size_t)v->tokens * sizeof **refs, LEAT_MEMORY_GRAPH);
    if (!*text || !*refs) return LEAT_ENOMEM;
    for (int32_t i = 0; i < v->tokens; i++) {
        int is_end = 0;
        for (int32_t k = 0; k < v->n_ends; k++) is_end |= v->ends[k] == i;
        if (is_end || !is_text(t, i) || leat_tokenizer_piece(t, i, 0, *text + at, total - at, &bytes) || !bytes) continue;
        (*refs)[(*count)++] = (piece_ref){*text + at, (uint32_t)bytes, i};
        at += bytes;
    }
    return LEAT_OK;
}

static uint32_t common(const piece_ref *a, const piece_ref *b) {
    uint32_t n = a->bytes < b->bytes ? a->bytes : b->bytes, i = 0;
    while (i < n && a->text[i] == b->text[i]) i++;
    return i;
}

static int count_nodes(leat_grammar_vocab *v, const piece_ref *refs, uint32_t count, leat_error *error) {
    size_t nodes = 0;
    for (uint32_t i = 0; i < count; i++) {
        nodes += refs[i].bytes - (i ? common(&refs[i - 1], &refs[i]) : 0);
        if (refs[i].bytes > v->depth) v->depth = refs[i].bytes;
    }
    if (nodes > MOST_TRIE_NODES) return leat__fail(error, LEAT_ELIMIT, "grammar: the vocabulary's trie has %zu nodes, the limit is %zu", nodes, MOST_TRIE_NODES);
    v->nodes = leat__alloc((nodes + 1) * sizeof *v->nodes, LEAT_MEMORY_GRAPH);
    v->twin = leat__alloc((size_t)v->tokens * sizeof *v->twin, LEAT_MEMORY_GRAPH);
    v->order = leat__alloc((size_t)v->tokens * sizeof *v->order, LEAT_MEMORY_GRAPH);
    v->rank = leat__alloc((nodes + 1) * sizeof *v->rank, LEAT_MEMORY_GRAPH);
    v->deepest = leat__alloc(nodes + 1, LEAT_MEMORY_GRAPH);
    v->by_length = leat__alloc((size_t)v->tokens * sizeof *v->by_length, LEAT_MEMORY_GRAPH);
    return v->nodes && v->twin && v->order && v->rank && v->deepest && v->by_length ? LEAT_OK : leat__fail(error, LEAT_ENOMEM, "grammar: out of memory");
}

/* path [depth]: the node at each depth of the text before. */
static void add_piece(leat_grammar_vocab *v, const piece_ref *p, uint32_t shared, uint32_t depth_before, uint32_t *path) {
    for (uint32_t d = shared; d < depth_before; d++) v->nodes[path[d]].next = v->n_nodes;
    for (uint32_t d = shared; d < p->bytes; d++) {
        path[d] = v->n_nodes;
        v->nodes[v->n_nodes++] = (leat_gram_trie){0, -1, (uint16_t)(d + 1), (uint8_t)p->text[d], 0};
    }
    leat_gram_trie *last = &v->nodes[path[p->bytes - 1]];
    v->twin[p->token] = last->token;
    last->token = p->token;
}

/* From the last node to the first, so that what is below a node is known: whether it is plain, and how deep. */
static void find_plain(leat_grammar_vocab *v) {
    for (uint32_t i = v->n_nodes; i-- > 0;) {
        uint32_t deepest = 0, plain = 1;
        for (uint32_t c = i + 1; c < v->nodes[i].next; c = v->nodes[c].next) {
            plain &= leat__gram_is_plain(v->nodes[c].byte) && v->nodes[c].plain != 0;
            if (v->nodes[c].plain > deepest) deepest = v->nodes[c].plain;
        }
        v->nodes[i].plain = (uint8_t)(plain && deepest < 255 ? deepest + 1 : 0);
    }
}

static uint8_t length_of(const leat_gram_trie *n) { return n->depth < LEAT_GRAM_DEPTHS ? (uint8_t)n->depth : LEAT_GRAM_DEPTHS - 1; }

/* How deep the nodes below each are, and the tokens by their lengths. */
static void find_lengths(leat_grammar_vocab *v) {
    uint32_t first[LEAT_GRAM_DEPTHS] = {0}, count = 0;
    for (uint32_t i = v->n_nodes; i-- > 0;) {
        v->deepest[i] = length_of(&v->nodes[i]);
        for (uint32_t c = i + 1; c < v->nodes[i].next; c = v->nodes[c].next)
            if (v->deepest[c] > v->deepest[i]) v->deepest[i] = v->deepest[c];
        for (int32_t t = v->nodes[i].token; t >= 0; t = v->twin[t]) first[length_of(&v->nodes[i])]++;
    }
    for (uint32_t d = LEAT_GRAM_DEPTHS; d-- > 0;) {
        uint32_t here = first[d];
        first[d] = v->longer[d] = count;
        count += here;
    }
    for (uint32_t i = 0; i < v->n_nodes; i++)
        for (int32_t t = v->nodes[i].token; t >= 0; t = v->twin[t]) v->by_length[first[length_of(&v->nodes[i])]++] = t;
}

static void list_tokens(leat_grammar_vocab *v) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->n_nodes; i++) {
        v->rank[i] = n;
        for (int32_t t = v->nodes[i].token; t >= 0; t = v->twin[t]) v->order[n++] = t;
    }
    v->rank[v->n_nodes] = n;
}

static int make_trie(leat_grammar_vocab *v, leat_error *error) {
    char *text = NULL;
    piece_ref *refs = NULL;
    uint32_t count = 0, *path = NULL;
    int status = gather(v->tokenizer, v, &text, &refs, &count);
    if (status) leat__fail(error, status, "grammar: out of memory");
    if (status == LEAT_OK) {
        if (count) qsort(refs, count, sizeof *refs, by_text);
        status = count_nodes(v, refs, count, error);
    }
    if (status == LEAT_OK && !(path = leat__alloc(((size_t)v->depth + 1) * sizeof *path, LEAT_MEMORY_GRAPH))) status = leat__fail(error, LEAT_ENOMEM, "grammar: out of memory");
    if (status == LEAT_OK) {
        memset(v->twin, 0xFF, (size_t)v->tokens * sizeof *v->twin);
        for (uint32_t i = 0; i < count; i++) add_piece(v, &refs[i], i ? common(&refs[i - 1], &refs[i]) : 0, i ? refs[i - 1].bytes : 0, path);
        for (uint32_t d = 0; count && d < refs[count - 1].bytes; d++) v->nodes[path[d]].next = v->n_nodes;
        find_plain(v);
        find_lengths(v);
        list_tokens(v);
    }
    leat__free(path);
    leat__free(refs);
    leat__free(text);
    return status;
}

/* Which tokens end a text. */
static int take_ends(leat_grammar_vocab *v, const leat_tokenizer_info *info, const int32_t *ends, int64_t n_ends, leat_error *error) {
    int32_t own[2];
    if (!ends) {
        n_ends = 0;
        if (info->eos >= 0) own[n_ends++] = info->eos;
        if (info->eot >= 0 && info->eot != info->eos) own[n_ends++] = info->eot;
        ends = own;
    }
    if (n_ends < 0 || n_ends > 64) return leat__fail(error, LEAT_EINVAL, "grammar: ends: %lld tokens, 0..64 are allowed", (long long)n_ends);
    for (int64_t i = 0; i < n_ends; i++)
        if (ends[i] < 0 || ends[i] >= info->tokens) return leat__fail(error, LEAT_EINVAL, "grammar: ends: there is no token %d", ends[i]);
    v->ends = leat__alloc((size_t)n_ends * sizeof *ends, LEAT_MEMORY_GRAPH);
    if (!v->ends) return leat__fail(error, LEAT_ENOMEM, "grammar: out of memory");
    memcpy(v->ends, ends, (size_t)n_ends * sizeof *ends);
    v->n_ends = (int32_t)n_ends;
    return LEAT_OK;
}

int leat_grammar_vocab_new(const leat_tokenizer *tokenizer, const int32_t *ends, int64_t n_ends, leat_grammar_vocab **vocab, leat_error *error) {
    if (vocab) *vocab = NULL;
    if (!tokenizer || !vocab) return leat__fail(error, LEAT_EINVAL, "grammar: tokenizer and vocab are needed");
    if (!ends && n_ends) return leat__fail(error, LEAT_EINVAL, "grammar: ends is NULL, and n_ends %lld", (long long)n_ends);
    leat_tokenizer_info info;
    leat_tokenizer_get_info(tokenizer, &info);
    leat_grammar_vocab *v = leat__calloc(1, sizeof *v, LEAT_MEMORY_GRAPH);
    if (!v) return leat__fail(error, LEAT_ENOMEM, "grammar: out of memory");
    atomic_init(&v->refs, 1);
    v->tokenizer = tokenizer;
    v->tokens = info.tokens;
    v->words = ((uint32_t)info.tokens + 31) / 32;
    int status = take_ends(v, &info, ends, n_ends, error);
    if (status == LEAT_OK) status = make_trie(v, error);
    if (status == LEAT_OK) *vocab = v;
    else leat_grammar_vocab_unref(v);
    return status;
}

leat_grammar_vocab *leat_grammar_vocab_ref(leat_grammar_vocab *v) {
    if (v) atomic_fetch_add(&v->refs, 1);
    return v;
}

void leat_grammar_vocab_unref(leat_grammar_vocab *v) {
    if (!v || atomic_fetch_sub(&v->refs, 1) > 1) return;
    leat__free(v->nodes);
    leat__free(v->twin);
    leat__free(v->order);
    leat__free(v->rank);
    leat__free(v->deepest);
    leat__free(v->by_length);
    leat__free(v->ends);
    leat__free(v);
}
