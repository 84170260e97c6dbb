/* gram_mask.c - the tokens that may follow: a walk over the vocabulary's trie beside the automaton of the grammar.
 *
 * For a place of a rule the answer hardly depends on how it was reached: it does only for tokens that go on behind the end of the rule.  So the walk is made once for
 * the place with an empty stack, and what it found is kept with the grammar for all states: a mask, and the *escapes*, the trie nodes at which the rule
 * was over and the token was not.  For a given stack the escapes are walked on from the place to come back to, which is short.  Places where little is
 * allowed are cheaper to walk each time.
 *
 * Places of the copies that a counted repetition is made of ("{1,80}") go the same ways until the shorter of two rests is over: gram_compile.c links them, and the record of one is
 * made from that of the other by a walk over the tokens that are longer than what they have in common.  Besides, each state keeps its last few costly masks by set, for grammars in
 * which the rule ends nearly everywhere.
 */
#include <string.h>

#include "lm/gram.h"

#define MANY_NODES 2000u /* of the trie, visited: worth keeping what they gave */
#define SLAB_BYTES ((size_t)7 << 19)
#define MOST_RECORDS 256u
#define MOST_LINKS 4

/* ---- records ---------------------------------------------------------------------------------------------------------------- */

static leat_gram_masks *make_masks(const leat_grammar *g, leat_grammar_vocab *vocab) {
    leat_gram_masks *m = leat__calloc(1, sizeof *m, LEAT_MEMORY_PLAN);
    if (!m) return NULL;
    m->stride = (sizeof(leat_gram_record) + vocab->words * sizeof(uint32_t) + 63) & ~(size_t)63;
    m->records = SLAB_BYTES / m->stride < MOST_RECORDS ? (uint32_t)(SLAB_BYTES / m->stride) : MOST_RECORDS;
    if (m->records > g->n_bytes_places) m->records = g->n_bytes_places;
    m->slots = leat__calloc(g->n_places, sizeof *m->slots, LEAT_MEMORY_PLAN);
    m->slab = leat__alloc(m->records * m->stride, LEAT_MEMORY_PLAN);
    if (m->slots && m->slab) return m;
    leat__free((void *)m->slots);
    leat__free(m->slab);
    leat__free(m);
    return NULL;
}

leat_gram_masks *leat__gram_masks(leat_grammar *g, leat_grammar_vocab *vocab) {
    pthread_mutex_lock(&g->lock);
    leat_gram_masks *m = g->masks;
    while (m && m->vocab != vocab) m = m->next;
    if (!m && (m = make_masks(g, vocab))) {
        m->vocab = leat_grammar_vocab_ref(vocab);
        m->next = g->masks;
        g->masks = m;
    }
    pthread_mutex_unlock(&g->lock);
    return m;
}

static leat_gram_record *record_at(const leat_gram_masks *m, uint32_t number) { return (leat_gram_record *)(m->slab + number * m->stride); }

/* ---- the walk --------------------------------------------------------------------------------------------------------------- */

typedef struct walk {
    uint32_t *bits;
    uint32_t *escapes;            /* [LEAT_GRAM_ESCAPES], or NULL: the stack is the true one */
    uint32_t  n_escapes, visited; /* n_escapes may exceed the room: then they are not all there */
    uint32_t  beyond;             /* only what has tokens of more bytes is looked at */
} walk;

/* All tokens of a node and of those below it. */
static void take_subtree(const leat_grammar_vocab *v, uint32_t node, uint32_t *bits) {
    for (uint32_t i = v->rank[node]; i < v->rank[v->nodes[node].next]; i++) bits[v->order[i] >> 5] |= 1u << (v->order[i] & 31);
}

/* Whether whatever is below the node is allowed behind `set`, and the rule does not end within it. */
static int is_all_allowed(leat_grammar_state *s, const leat_gram_trie *n, uint32_t set) {
    if (n->plain < 2) return 0;
    uint32_t run = s->sets[set].run == LEAT_GRAM_UNKNOWN ? leat__gram_run(s, set) : s->sets[set].run;
    return run >= n->plain - 1u && !s->sets[set].ends;
}

/* Nodes [first, last) of the trie, all of them below a node of depth `depth` that `set` stands behind.  LEAT_GRAM_FULL and LEAT_GRAM_TOO_MANY end it; 0. */
static uint32_t walk_trie(leat_grammar_state *s, uint32_t first, uint32_t last, uint32_t depth, uint32_t set, walk *w) {
    const leat_gram_trie *nodes = s->vocab->nodes;
    const uint8_t *class_of = s->g->class_of;
    const uint32_t classes = s->g->n_classes;
    const uint8_t *deepest = s->vocab->deepest;
    const uint32_t beyond = w->beyond;
    uint32_t *path = s->path, visited = 0;
    path[depth] = set;
    for (uint32_t i = first; i < last;) {
        const leat_gram_trie *n = &nodes[i];
        if (beyond && deepest[i] <= beyond) {
            i = n->next;
            continue;
        }
        uint32_t from = path[n->depth - 1], klass = class_of[n->byte], to = s->moves[(size_t)from * classes + klass];
        visited++;
        if (to == LEAT_GRAM_UNKNOWN && (to = leat__gram_move(s, from, klass)) >= LEAT_GRAM_SET_LIMIT) return to;
        if (!to) {
            i = n->next;
            continue;
        }
        if (is_all_allowed(s, n, to)) {
            take_subtree(s->vocab, i, w->bits);
            i = n->next;
            continue;
        }
        path[n->depth] = to;
        for (int32_t t = n->token; t >= 0; t = s->vocab->twin[t]) w->bits[t >> 5] |= 1u << (t & 31);
        i++;
        if (w->escapes && n->next > i && s->sets[to].ends && n->depth > beyond) {
            if (w->n_escapes < LEAT_GRAM_ESCAPES) w->escapes[w->n_escapes] = i - 1;
            w->n_escapes++;
        }
    }
    w->visited += visited;
    return 0;
}

static int is_worth_keeping(const leat_grammar_state *s, uint32_t visited) { return visited >= MANY_NODES || visited >= s->vocab->n_nodes / 8; }

/* ---- one place -------------------------------------------------------------------------------------------------------------- */

/* s->made for the whole trie, from the place alone. */
static uint32_t make_record(leat_grammar_state *s, uint32_t place, walk *w) {
    leat_gram_config config = {place, 0};
    uint32_t set = leat__gram_set(s, &config, 1);
    if (set >= LEAT_GRAM_SET_LIMIT) return set;
    *w = (walk){.bits = s->made->bits, .escapes = s->made->escapes};
    memset(s->made->bits, 0, s->vocab->words * sizeof *s->made->bits);
    return walk_trie(s, 0, s->vocab->n_nodes, 0, set, w);
}

/* s->made from the record of a place that is alike: only tokens of more bytes than the two have in common are looked at. */
static uint32_t derive_record(leat_grammar_state *s, uint32_t place, const leat_gram_record *base, walk *w) {
    const leat_grammar_vocab *v = s->vocab;
    leat_gram_record *r = s->made;
    leat_gram_config  config = {place, 0};
    uint32_t depth = s->g->places[place].depth, set = leat__gram_set(s, &config, 1), n = 0;
    if (set >= LEAT_GRAM_SET_LIMIT) return set;
    if (base != r) memcpy(r, base, s->masks->stride);
    for (uint32_t i = 0; i < v->longer[depth]; i++) r->bits[v->by_length[i] >> 5] &= ~(1u << (v->by_length[i] & 31));
    for (uint32_t i = 0; i < r->n_escapes; i++)
        if (v->nodes[r->escapes[i]].depth <= depth) r->escapes[n++] = r->escapes[i];
    *w = (walk){.bits = r->bits, .escapes = r->escapes, .n_escapes = n, .beyond = depth};
    return walk_trie(s, 0, v->n_nodes, 0, set, w);
}

/* Keeps s->made with the grammar, if it was costly and there is room. */
static void keep_record(leat_grammar_state *s, uint32_t place, uint32_t visited) {
    leat_gram_masks *m = s->masks;
    uint32_t number;
    if (!is_worth_keeping(s, visited) || atomic_load_explicit(&m->used, memory_order_relaxed) >= m->records || (number = atomic_fetch_add(&m->used, 1)) >= m->records) return;
    memcpy(record_at(m, number), s->made, m->stride);
    atomic_store_explicit(&m->slots[place], number + 1, memory_order_release); /* two threads may make equal ones; either is right */
}

/* The record of a place: kept, else made now, and valid until the next one is.  *record: NULL when the place is to be walked with its stack.  links: how many places that are
 * alike may be followed. */
static uint32_t place_record(leat_grammar_state *s, uint32_t place, int links, const leat_gram_record **record) {
    leat_gram_masks *m = s->masks;
    const leat_gram_place *p = &s->g->places[place];
    uint32_t slot = atomic_load_explicit(&m->slots[place], memory_order_acquire), failed;
    walk w;
    *record = slot && slot != LEAT_GRAM_DIRECT ? record_at(m, slot - 1) : NULL;
    if (slot) return 0;
    if (p->alike && links > 0 && (failed = place_record(s, p->alike, links - 1, record))) return failed;
    const leat_gram_record *base = *record;
    *record = NULL;
    if (!base && atomic_load_explicit(&m->used, memory_order_relaxed) >= m->records) return 0;
    failed = base ? derive_record(s, place, base, &w) : make_record(s, place, &w);
    if (failed) return failed;
    s->made->n_escapes = w.n_escapes;
    if (w.n_escapes <= LEAT_GRAM_ESCAPES && (base || is_worth_keeping(s, w.visited))) {
        keep_record(s, place, w.visited);
        *record = s->made;
    } else {
        atomic_store_explicit(&m->slots[place], LEAT_GRAM_DIRECT, memory_order_release);
    }
    return 0;
}

/* Tokens that go on behind the rule's end, from where the stack comes back to. */
static uint32_t follow_escapes(leat_grammar_state *s, const leat_gram_record *r, uint32_t stack, walk *w) {
    if (!stack || !r->n_escapes) return 0;
    uint32_t set = leat__gram_closure(s, s->stacks[stack].back, s->stacks[stack].below);
    if (set >= LEAT_GRAM_SET_LIMIT) return set;
    for (uint32_t i = 0; set && i < r->n_escapes; i++) {
        const leat_gram_trie *n = &s->vocab->nodes[r->escapes[i]];
        uint32_t failed = walk_trie(s, r->escapes[i] + 1, n->next, n->depth, set, w);
        if (failed) return failed;
    }
    return 0;
}

/* ---- the mask --------------------------------------------------------------------------------------------------------------- */

/* What config `index` of the current set allows; *direct: it has no record. */
static uint32_t add_place(leat_grammar_state *s, uint32_t index, uint32_t *mask, walk *w, int *direct) {
    leat_gram_config c = s->configs[s->sets[s->current].first + index];
    const leat_gram_record *r;
    *direct = 0;
    if (s->g->places[c.place].kind != LEAT_GRAM_BYTES) return 0;
    uint32_t failed = place_record(s, c.place, MOST_LINKS, &r);
    *direct = !r;
    if (failed || !r) return failed;
    for (uint32_t k = 0; k < s->vocab->words; k++) mask[k] |= r->bits[k];
    return follow_escapes(s, r, c.stack, w);
}

static uint32_t gather(leat_grammar_state *s, uint32_t *mask, uint32_t *visited) {
    walk w = {.bits = mask};
    uint32_t n_direct = 0, count = s->sets[s->current].count, failed;
    memset(mask, 0, s->vocab->words * sizeof *mask);
    for (uint32_t i = 0; i < count; i++) {
        int direct;
        failed = add_place(s, i, mask, &w, &direct);
        if (failed == LEAT_GRAM_FULL) { /* by what the places before have left in the tables */
            leat__gram_compact(s, &s->current, 1);
            failed = add_place(s, i, mask, &w, &direct);
        }
        if (failed) return failed;
        if (direct) s->direct[n_direct++].place = i;
    }
    if (n_direct) {
        for (uint32_t i = 0; i < n_direct; i++) s->direct[i] = s->configs[s->sets[s->current].first + s->direct[i].place];
        uint32_t set = leat__gram_set(s, s->direct, n_direct);
        if (set >= LEAT_GRAM_SET_LIMIT) return set;
        if ((failed = walk_trie(s, 0, s->vocab->n_nodes, 0, set, &w))) return failed;
    }
    *visited = w.visited;
    return 0;
}

static uint32_t find_mask(leat_grammar_state *s, uint32_t *mask) {
    uint32_t visited = 0, words = s->vocab->words;
    for (int i = 0; i < LEAT_GRAM_KEPT; i++)
        if (s->kept_set[i] == s->current) {
            memcpy(mask, s->kept[i], words * sizeof *mask);
            return 0;
        }
    uint32_t failed = gather(s, mask, &visited);
    if (failed || !is_worth_keeping(s, visited)) return failed;
    uint32_t place = s->next_kept++ % LEAT_GRAM_KEPT;
    memcpy(s->kept[place], mask, words * sizeof *mask);
    s->kept_set[place] = s->current;
    return 0;
}

int leat_grammar_state_mask(leat_grammar_state *s, uint32_t *mask, int64_t words) {
    if (!s || !s->vocab || !mask || words != (int64_t)s->vocab->words) return LEAT_EINVAL;
    uint32_t failed = 0, any = 0;
    if (!s->finished && (failed = find_mask(s, mask)) == LEAT_GRAM_FULL) {
        leat__gram_compact(s, &s->current, 1);
        failed = find_mask(s, mask);
    }
    if (s->finished || failed) {
        memset(mask, 0, (size_t)words * sizeof *mask);
        return failed ? LEAT_ELIMIT : LEAT_EEND;
    }
    if (leat_grammar_state_may_end(s))
        for (int32_t i = 0; i < s->vocab->n_ends; i++) mask[s->vocab->ends[i] >> 5] |= 1u << (s->vocab->ends[i] & 31);
    for (int64_t i = 0; i < words; i++) any |= mask[i];
    return any ? LEAT_OK : LEAT_ESTATE;
}
