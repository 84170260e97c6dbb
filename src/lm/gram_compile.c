/* gram_compile.c - trees to places.  An item is built in front of the place that follows it, from the end of a rule to its beginning, so parts that are the last of
 * their rule lead straight to its end and a call there comes back to nowhere (place 0), which keeps stacks flat in lists written by recursion at the end. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "lm/gram.h"

/* ---- growing tables --------------------------------------------------------------------------------------------------------- */

/* Room for `more` entries of `size` bytes behind `count`. */
static int reserve(leat_gram_build *b, void **block, uint32_t *capacity, uint32_t count, uint32_t more, size_t size, uint32_t most) {
    if (b->status) return 0;
    if (more > most - count) {
        b->status = LEAT_ELIMIT;
        return 0;
    }
    if (count + more <= *capacity) return 1;
    uint32_t larger = *capacity ? *capacity : 256;
    while (larger < count + more) larger *= 2;
    void *grown = leat__realloc(*block, (size_t)larger * size, LEAT_MEMORY_GRAPH);
    if (!grown) {
        b->status = LEAT_ENOMEM;
        return 0;
    }
    *block = grown;
    *capacity = larger;
    return 1;
}

uint32_t leat__gram_place(leat_gram_build *b, leat_gram_place_kind kind, uint32_t first, uint32_t count) {
    leat_grammar *g = b->g;
    if (!reserve(b, (void **)&g->places, &b->cap_places, g->n_places, 1, sizeof *g->places, LEAT_GRAM_PLACES)) return 0;
    g->places[g->n_places] = (leat_gram_place){.kind = kind, .first = first, .count = count};
    g->n_bytes_places += kind == LEAT_GRAM_BYTES;
    return g->n_places++;
}

void leat__gram_edge(leat_gram_build *b, uint8_t from, uint8_t to, uint32_t place) {
    leat_grammar *g = b->g;
    if (!reserve(b, (void **)&g->edges, &b->cap_edges, g->n_edges, 1, sizeof *g->edges, 8 * LEAT_GRAM_PLACES)) return;
    g->edges[g->n_edges++] = (leat_gram_edge){from, to, place};
}

static uint32_t targets_room(leat_gram_build *b, uint32_t count) {
    leat_grammar *g = b->g;
    if (!reserve(b, (void **)&g->targets, &b->cap_targets, g->n_targets, count, sizeof *g->targets, 8 * LEAT_GRAM_PLACES)) return UINT32_MAX;
    g->n_targets += count;
    return g->n_targets - count;
}

uint32_t leat__gram_fork(leat_gram_build *b, const uint32_t *targets, uint32_t count) {
    if (count == 1) return targets[0];
    uint32_t first = targets_room(b, count);
    if (first == UINT32_MAX) return 0;
    memcpy(b->g->targets + first, targets, count * sizeof *targets);
    return leat__gram_place(b, LEAT_GRAM_FORK, first, count);
}

/* ---- items ------------------------------------------------------------------------------------------------------------------ */

static uint32_t build(leat_gram_build *b, const leat_gram_tree *t, const leat_gram_node *n, uint32_t next);

/* The parts in turn, the last first: their list is walked by recursion over halves, so depth stays small for long sequences. */
static uint32_t build_parts(leat_gram_build *b, const leat_gram_tree *t, const leat_gram_node *first, uint32_t count, uint32_t next) {
    if (count == 1) return build(b, t, first, next);
    const leat_gram_node *middle = first;
    for (uint32_t i = 0; i < count / 2; i++) middle = middle->next;
    next = build_parts(b, t, middle, count - count / 2, next);
    return build_parts(b, t, first, count / 2, next);
}

static uint32_t count_parts(const leat_gram_node *n) {
    uint32_t count = 0;
    for (const leat_gram_node *c = n->child; c; c = c->next) count++;
    return count;
}

static uint32_t build_alternatives(leat_gram_build *b, const leat_gram_tree *t, const leat_gram_node *n, uint32_t next) {
    uint32_t count = count_parts(n), first = targets_room(b, count);
    if (first == UINT32_MAX) return 0;
    for (const leat_gram_node *c = n->child; c && !b->status; c = c->next) {
        uint32_t place = build(b, t, c, next);
        b->g->targets[first++] = place;
    }
    return leat__gram_place(b, LEAT_GRAM_FORK, first - count, count);
}

/* Bytes that the node takes at least, as far as that shows; at most LEAT_GRAM_DEPTHS. */
static uint32_t least_bytes(const leat_gram_tree *t, const leat_gram_node *n) {
    uint64_t bytes = 0;
    switch (n->kind) {
    case LEAT_GRAM_EMPTY: return 0;
    case LEAT_GRAM_CLASS: return 1;
    case LEAT_GRAM_REF: return !t->rules[n->rule].nullable;
    case LEAT_GRAM_REPEATED: bytes = (uint64_t)n->min * least_bytes(t, n->child); break;
    case LEAT_GRAM_ALT:
        bytes = LEAT_GRAM_DEPTHS;
        for (const leat_gram_node *c = n->child; c; c = c->next) {
            uint32_t least = least_bytes(t, c);
            if (least < bytes) bytes = least;
        }
        break;
    default:
        for (const leat_gram_node *c = n->child; c && bytes < LEAT_GRAM_DEPTHS; c = c->next) bytes += least_bytes(t, c);
    }
    return bytes < LEAT_GRAM_DEPTHS ? (uint32_t)bytes : LEAT_GRAM_DEPTHS;
}

/* Copies of one part of a rule, each with `size` places: copy i, from 0, begins at first + i * stride, and is followed in the text by i others. */
typedef struct copies {
    uint32_t first, size, stride, count;
} copies;

/* Place k of copy i leads where place k of the copy `to` does for at least `depth` bytes. */
static void link_copy(leat_grammar *g, const copies *c, uint32_t i, uint32_t to, uint64_t depth) {
    uint32_t most = depth < LEAT_GRAM_DEPTHS - 1 ? (uint32_t)depth : LEAT_GRAM_DEPTHS - 2;
    if (most < LEAT_GRAM_ALIKE) return;
    for (uint32_t k = 0; k < c->size; k++) {
        leat_gram_place *p = &g->places[c->first + i * c->stride + k];
        if (p->kind == LEAT_GRAM_BYTES && p->depth < most) p->alike = to + k, p->depth = most;
    }
}

/* Two copies can be told apart when the one that is followed by fewer comes to their end: each of those that follow it takes `least` bytes, and where the part may end
 * behind any of them, at least a byte of its own came before.  Where it may not, the shorter one may be over as soon as they are. */
static void link_copies(leat_grammar *g, const copies *optional, const copies *needed, uint32_t least) {
    uint32_t last = optional->count ? optional->first + (optional->count - 1) * optional->stride : 0;
    for (uint32_t i = 0; i + 1 < optional->count; i++) link_copy(g, optional, i, last, 1 + (uint64_t)i * least);
    for (uint32_t i = 0; i + 1 < needed->count; i++) link_copy(g, needed, i, needed->first + (needed->count - 1) * needed->stride, (uint64_t)i * least);
    if (optional->count && needed->count && optional->size == needed->size) link_copy(g, needed, 0, last, 1 + (uint64_t)(optional->count - 1) * least);
}

static uint32_t build_repeated(leat_gram_build *b, const leat_gram_tree *t, const leat_gram_node *n, uint32_t next) {
    copies optional = {0}, needed = {0};
    if (n->max == LEAT_GRAM_FOREVER) {
        uint32_t first = targets_room(b, 2), loop = leat__gram_place(b, LEAT_GRAM_FORK, first, 2);
        if (b->status) return 0;
        uint32_t body = build(b, t, n->child, loop);
        b->g->targets[first] = body;
        b->g->targets[first + 1] = next;
        next = loop;
    } else {
        uint32_t after = next;
        for (uint32_t i = n->min; i < n->max && !b->status; i++) {
            uint32_t at = b->g->n_places, both[2] = {build(b, t, n->child, next), after};
            if (both[0] == next) break; /* the empty text, however often */
            if (i == n->min) optional = (copies){.first = at, .size = b->g->n_places - at, .stride = b->g->n_places - at + 1};
            optional.count++;
            next = leat__gram_fork(b, both, 2);
        }
    }
    for (uint32_t i = 0, before; i < n->min && !b->status; i++) {
        uint32_t at = b->g->n_places;
        before = next;
        if ((next = build(b, t, n->child, next)) == before) break;
        if (i == 0) needed = (copies){.first = at, .size = b->g->n_places - at, .stride = b->g->n_places - at};
        needed.count++;
    }
    if (!b->status && optional.count + needed.count > LEAT_GRAM_ALIKE / 2) link_copies(b->g, &optional, &needed, least_bytes(t, n->child));
    return next;
}

static uint32_t build(leat_gram_build *b, const leat_gram_tree *t, const leat_gram_node *n, uint32_t next) {
    if (b->status) return 0;
    switch (n->kind) {
    case LEAT_GRAM_EMPTY: return next;
    case LEAT_GRAM_CLASS: return leat__gram_class(b, n->ranges, n->n_ranges, next);
    case LEAT_GRAM_REF:
        if (t->rules[n->rule].written_out) return build(b, t, t->rules[n->rule].body, next);
        return leat__gram_place(b, LEAT_GRAM_CALL, n->rule, next); /* the rule's first place once all are built */
    case LEAT_GRAM_SEQ: return build_parts(b, t, n->child, count_parts(n), next);
    case LEAT_GRAM_ALT: return build_alternatives(b, t, n, next);
    default: return build_repeated(b, t, n, next);
    }
}

/* ---- the whole -------------------------------------------------------------------------------------------------------------- */

static void build_rules(leat_gram_build *b, leat_gram_tree *t) {
    leat_grammar *g = b->g;
    leat__gram_place(b, LEAT_GRAM_END, 0, 0);
    uint32_t first = b->status ? 0 : build(b, t, t->rules[t->root].body, 0);
    t->rules[t->root].start = g->start = first;
    for (uint32_t at = 0; at < g->n_places && !b->status; at++) { /* places are added behind while rules are built */
        if (g->places[at].kind != LEAT_GRAM_CALL) continue;
        leat_gram_rule *r = &t->rules[g->places[at].first];
        if (r->start == UINT32_MAX) r->start = build(b, t, r->body, 0);
    }
    for (uint32_t at = 0; at < g->n_places && !b->status; at++)
        if (g->places[at].kind == LEAT_GRAM_CALL) g->places[at].first = t->rules[g->places[at].first].start;
}

/* Bytes that no edge tells apart are of one class. */
static void class_bytes(leat_grammar *g) {
    uint8_t cut[257] = {0};
    for (uint32_t i = 0; i < g->n_edges; i++) cut[g->edges[i].from] = cut[g->edges[i].to + 1] = 1;
    uint32_t klass = 0;
    for (int i = 0; i < 256; i++) {
        if (i && cut[i]) klass++;
        g->class_of[i] = (uint8_t)klass;
        g->example[klass] = (uint8_t)i;
    }
    g->n_classes = klass + 1;
    for (int i = 0; i < 256; i++)
        if (leat__gram_is_plain((uint8_t)i) && (!g->n_plain || g->plain[g->n_plain - 1] != g->class_of[i])) g->plain[g->n_plain++] = g->class_of[i];
}

static int compile(leat_gram_tree *tree, leat_grammar *g, leat_error *error) {
    leat_gram_build b = {.g = g};
    build_rules(&b, tree);
    if (b.status == LEAT_ELIMIT) return leat__fail(error, LEAT_ELIMIT, "grammar: too large: more than %u places; lower its repetitions", LEAT_GRAM_PLACES);
    if (b.status) return leat__fail(error, b.status, "grammar: out of memory");
    class_bytes(g);
    return LEAT_OK;
}

int leat_grammar_open(const char *text, size_t bytes, leat_grammar **grammar, leat_error *error) {
    if (grammar) *grammar = NULL;
    if (!grammar || (!text && bytes)) return leat__fail(error, LEAT_EINVAL, "grammar: text and grammar are needed");
    leat_gram_tree tree;
    leat_grammar *g = NULL;
    int status = leat__gram_parse(text, bytes, &tree, error);
    if (status == LEAT_OK) status = leat__gram_check(&tree, error);
    if (status == LEAT_OK && (!(g = leat__calloc(1, sizeof *g, LEAT_MEMORY_GRAPH)) || pthread_mutex_init(&g->lock, NULL) != 0)) {
        leat__free(g);
        g = NULL;
        status = leat__fail(error, LEAT_ENOMEM, "grammar: out of memory");
    }
    if (g) {
        atomic_init(&g->refs, 1);
        status = compile(&tree, g, error);
    }
    leat__gram_tree_fini(&tree);
    if (status == LEAT_OK) *grammar = g;
    else leat_grammar_close(g);
    return status;
}

leat_grammar *leat__grammar_ref(leat_grammar *g) {
    atomic_fetch_add(&g->refs, 1);
    return g;
}

void leat_grammar_close(leat_grammar *g) {
    if (!g || atomic_fetch_sub(&g->refs, 1) > 1) return;
    for (leat_gram_masks *m = g->masks, *next; m; m = next) {
        next = m->next;
        leat_grammar_vocab_unref(m->vocab);
        leat__free((void *)m->slots);
        leat__free(m->slab);
        leat__free(m);
    }
    pthread_mutex_destroy(&g->lock);
    leat__free(g->places);
    leat__free(g->edges);
    leat__free(g->targets);
    leat__free(g);
}
