/* gram_state.c - where a text stands in a grammar.
 *
 * A *config* is a place with a stack; what a text may still be read as is a set of configs.  Stacks share their lower parts and are made once each (as sets are), so
 * equal ones have equal numbers, and the moves from a set by a byte are kept in a table: reading text that was met before costs a look-up a byte, whatever the
 * grammar.  All tables have a fixed size.  When one is full, what is not needed any more is forgotten (leat__gram_compact) and the work is done again; memory
 * never grows, and a grammar that needs more at once than there is gets LEAT_ELIMIT.
 */
#include <string.h>

#include "base/error.h"
#include "lm/gram.h"

#define SET_SLOTS (2 * LEAT_GRAM_SETS_MOST)
#define STACK_SLOTS (2 * LEAT_GRAM_STACKS)

static uint32_t mix(uint64_t key) {
    key *= 0x9E3779B97F4A7C15u;
    return (uint32_t)(key >> 32) ^ (uint32_t)key >> 7;
}

/* ---- stacks ----------------------------------------------------------------------------------------------------------------- */

/* The stack of `back` upon `below`; LEAT_GRAM_FULL. */
static uint32_t push(leat_grammar_state *s, uint32_t back, uint32_t below) {
    uint32_t at = mix((uint64_t)back << 32 | below), slot;
    for (; (slot = s->stack_table[at &= STACK_SLOTS - 1]); at++)
        if (s->stacks[slot - 1].back == back && s->stacks[slot - 1].below == below) return slot - 1;
    if (s->n_stacks == LEAT_GRAM_STACKS) return LEAT_GRAM_FULL;
    s->stacks[s->n_stacks] = (leat_gram_stack){back, below};
    s->stack_table[at] = s->n_stacks + 1;
    return s->n_stacks++;
}

/* ---- sets ------------------------------------------------------------------------------------------------------------------- */

static int before(leat_gram_config a, leat_gram_config b) { return a.place != b.place ? a.place < b.place : a.stack < b.stack; }

/* Shell's sort with Ciura's gaps: in place, and sets are small. */
static void sort(leat_gram_config *c, uint32_t count) {
    static const uint32_t gaps[] = {8861, 3938, 1750, 701, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof *gaps; g++)
        for (uint32_t i = gaps[g]; i < count; i++) {
            leat_gram_config held = c[i];
            uint32_t k = i;
            for (; k >= gaps[g] && before(held, c[k - gaps[g]]); k -= gaps[g]) c[k] = c[k - gaps[g]];
            c[k] = held;
        }
}

static uint32_t hash_configs(const leat_gram_config *c, uint32_t count) {
    uint64_t hash = count;
    for (uint32_t i = 0; i < count; i++) hash = (hash ^ ((uint64_t)c[i].place << 32 | c[i].stack)) * 0x9E3779B97F4A7C15u, hash ^= hash >> 29;
    return (uint32_t)(hash >> 32);
}

uint32_t leat__gram_set(leat_grammar_state *s, leat_gram_config *c, uint32_t count) {
    if (!count) return 0;
    sort(c, count);
    uint32_t hash = hash_configs(c, count), at = hash, slot;
    for (; (slot = s->set_table[at &= SET_SLOTS - 1]); at++) {
        const leat_gram_set *set = &s->sets[slot - 1];
        if (set->hash == hash && set->count == count && memcmp(s->configs + set->first, c, count * sizeof *c) == 0) return slot - 1;
    }
    if (s->n_sets == s->most_sets || count > LEAT_GRAM_CONFIGS - s->n_configs) return LEAT_GRAM_FULL;
    memcpy(s->configs + s->n_configs, c, count * sizeof *c);
    s->sets[s->n_sets] = (leat_gram_set){s->n_configs, count, hash, c[0].place == LEAT_GRAM_END, LEAT_GRAM_UNKNOWN};
    memset(s->moves + (size_t)s->n_sets * s->g->n_classes, 0xFF, s->g->n_classes * sizeof *s->moves);
    s->n_configs += count;
    s->set_table[at] = s->n_sets + 1;
    return s->n_sets++;
}

/* ---- closure ---------------------------------------------------------------------------------------------------------------- */

static void begin_closure(leat_grammar_state *s) {
    if (++s->stamp == 0) {
        memset(s->seen_at, 0, LEAT_GRAM_SEEN * sizeof *s->seen_at);
        s->stamp = 1;
    }
    s->n_todo = s->n_found = s->n_seen = 0;
}

/* Notes a config that is to be looked at; 0 when there are too many. */
static int want(leat_grammar_state *s, uint32_t place, uint32_t stack) {
    uint64_t key = (uint64_t)place << 32 | stack;
    uint32_t at = mix(key);
    for (; s->seen_at[at &= LEAT_GRAM_SEEN - 1] == s->stamp; at++)
        if (s->seen[at] == key) return 1;
    if (s->n_seen == LEAT_GRAM_SEEN / 2) return 0;
    s->seen_at[at] = s->stamp;
    s->seen[at] = key;
    s->n_seen++;
    s->todo[s->n_todo++] = (leat_gram_config){place, stack};
    return 1;
}

/* Follows forks, calls and ends from what is wanted until only places that take a byte are left, and makes their set. */
static uint32_t end_closure(leat_grammar_state *s) {
    while (s->n_todo) {
        leat_gram_config c = s->todo[--s->n_todo];
        const leat_gram_place *p = &s->g->places[c.place];
        uint32_t stack = c.stack;
        int room = 1;
        if (p->kind == LEAT_GRAM_BYTES || (p->kind == LEAT_GRAM_END && !c.stack)) {
            if (s->n_found == LEAT_GRAM_WAYS) return LEAT_GRAM_TOO_MANY;
            s->found[s->n_found++] = c;
        } else if (p->kind == LEAT_GRAM_END) {
            room = want(s, s->stacks[stack].back, s->stacks[stack].below);
        } else if (p->kind == LEAT_GRAM_FORK) {
            for (uint32_t i = p->count; room && i-- > 0;) room = want(s, s->g->targets[p->first + i], stack);
        } else {
            if (p->count) stack = push(s, p->count, stack);
            if (stack == LEAT_GRAM_FULL) return LEAT_GRAM_FULL;
            room = want(s, p->first, stack);
        }
        if (!room) return LEAT_GRAM_TOO_MANY;
    }
    return leat__gram_set(s, s->found, s->n_found);
}

uint32_t leat__gram_closure(leat_grammar_state *s, uint32_t place, uint32_t stack) {
    begin_closure(s);
    want(s, place, stack);
    return end_closure(s);
}

uint32_t leat__gram_move(leat_grammar_state *s, uint32_t set, uint32_t klass) {
    uint32_t *move = &s->moves[(size_t)set * s->g->n_classes + klass];
    if (*move < LEAT_GRAM_SET_LIMIT) return *move;
    const leat_gram_set *from = &s->sets[set];
    uint8_t byte = s->g->example[klass];
    begin_closure(s);
    for (uint32_t i = 0; i < from->count; i++) {
        leat_gram_config c = s->configs[from->first + i];
        const leat_gram_place *p = &s->g->places[c.place];
        if (p->kind != LEAT_GRAM_BYTES) continue;
        for (uint32_t k = p->first; k < p->first + p->count; k++)
            if (s->g->edges[k].from <= byte && byte <= s->g->edges[k].to && !want(s, s->g->edges[k].place, c.stack)) return LEAT_GRAM_TOO_MANY;
    }
    uint32_t to = end_closure(s);
    if (to < LEAT_GRAM_SET_LIMIT) *move = to;
    return to;
}

/* ---- runs of plain bytes ---------------------------------------------------------------------------------------------------- */

#define LONGEST_RUN 64u /* steps looked ahead */
#define LOOP_RUN 255u

/* The set behind any plain byte, when it is one and not the end; 0. */
static uint32_t behind_plain(leat_grammar_state *s, uint32_t set) {
    uint32_t to = s->g->n_plain ? leat__gram_move(s, set, s->g->plain[0]) : 0;
    for (uint32_t i = 1; i < s->g->n_plain && to; i++)
        if (leat__gram_move(s, set, s->g->plain[i]) != to) return 0;
    return to < LEAT_GRAM_SET_LIMIT && !s->sets[to].ends ? to : 0;
}

uint32_t leat__gram_run(leat_grammar_state *s, uint32_t set) {
    uint32_t chain[LONGEST_RUN], n = 0, at = set;
    while (n < LONGEST_RUN && s->sets[at].run == LEAT_GRAM_UNKNOWN) {
        uint32_t to = behind_plain(s, at);
        if (!to || to == at) {
            s->sets[at].run = to ? LOOP_RUN : 0;
            break;
        }
        chain[n++] = at;
        at = to;
    }
    uint32_t known = s->sets[at].run != LEAT_GRAM_UNKNOWN, base = known ? s->sets[at].run : 0;
    for (uint32_t k = n; k-- > 0;) {
        uint32_t run = base + (n - k) < LOOP_RUN ? base + (n - k) : LOOP_RUN;
        if (known || run >= LONGEST_RUN / 2) s->sets[chain[k]].run = run; /* what was cut short is not kept where it is short */
    }
    return s->sets[set].run;
}

/* ---- room ------------------------------------------------------------------------------------------------------------------- */

static void clear_tables(leat_grammar_state *s) {
    memset(s->set_table, 0, SET_SLOTS * sizeof *s->set_table);
    memset(s->stack_table, 0, STACK_SLOTS * sizeof *s->stack_table);
    for (int i = 0; i < LEAT_GRAM_KEPT; i++) s->kept_set[i] = 0;
    s->n_sets = s->n_stacks = 1; /* set 0: none, stack 0: empty */
    s->n_configs = 0;
}

/* Moves the stacks that are marked in `map` down to their new numbers, the lower ones first as each refers to lower ones. */
static uint32_t squeeze_stacks(leat_grammar_state *s, uint32_t count) {
    uint32_t kept = 1;
    for (uint32_t i = count; i-- > 1;)
        if (s->map[i]) s->map[s->stacks[i].below] = 1;
    s->map[0] = 0;
    for (uint32_t i = 1; i < count; i++) {
        if (!s->map[i]) continue;
        s->stacks[kept] = (leat_gram_stack){s->stacks[i].back, s->map[s->stacks[i].below]};
        s->map[i] = kept++;
    }
    return kept;
}

void leat__gram_compact(leat_grammar_state *s, uint32_t *keep, uint32_t count) {
    leat_gram_config *held = s->todo; /* the closure's scratch has room for two sets */
    uint32_t n_held[2] = {0}, n_stacks = s->n_stacks;
    memset(s->map, 0, n_stacks * sizeof *s->map);
    for (uint32_t k = 0; k < count; k++) {
        const leat_gram_set *set = &s->sets[keep[k]];
        n_held[k] = keep[k] ? set->count : 0;
        for (uint32_t i = 0; i < n_held[k]; i++) {
            held[k * LEAT_GRAM_WAYS + i] = s->configs[set->first + i];
            s->map[s->configs[set->first + i].stack] = 1;
        }
    }
    uint32_t kept = squeeze_stacks(s, n_stacks);
    clear_tables(s);
    for (uint32_t i = 1; i < kept; i++) push(s, s->stacks[i].back, s->stacks[i].below); /* each gets its own number again */
    for (uint32_t k = 0; k < count; k++) {
        for (uint32_t i = 0; i < n_held[k]; i++) held[k * LEAT_GRAM_WAYS + i].stack = s->map[held[k * LEAT_GRAM_WAYS + i].stack];
        keep[k] = leat__gram_set(s, held + k * LEAT_GRAM_WAYS, n_held[k]);
    }
}

/* ---- life ------------------------------------------------------------------------------------------------------------------- */

static int take_memory(leat_grammar_state *s) {
    uint32_t classes = s->g->n_classes, sets = LEAT_GRAM_MOVES / classes;
    s->most_sets = sets < LEAT_GRAM_SETS_MOST ? sets : LEAT_GRAM_SETS_MOST;
    s->configs = leat__alloc(LEAT_GRAM_CONFIGS * sizeof *s->configs, LEAT_MEMORY_PLAN);
    s->stacks = leat__alloc(LEAT_GRAM_STACKS * sizeof *s->stacks, LEAT_MEMORY_PLAN);
    s->sets = leat__alloc(LEAT_GRAM_SETS_MOST * sizeof *s->sets, LEAT_MEMORY_PLAN);
    s->moves = leat__alloc((size_t)s->most_sets * classes * sizeof *s->moves, LEAT_MEMORY_PLAN);
    s->set_table = leat__alloc(SET_SLOTS * sizeof *s->set_table, LEAT_MEMORY_PLAN);
    s->stack_table = leat__alloc(STACK_SLOTS * sizeof *s->stack_table, LEAT_MEMORY_PLAN);
    s->map = leat__alloc(LEAT_GRAM_STACKS * sizeof *s->map, LEAT_MEMORY_PLAN);
    s->todo = leat__alloc(LEAT_GRAM_SEEN / 2 * sizeof *s->todo, LEAT_MEMORY_PLAN);
    s->found = leat__alloc(LEAT_GRAM_WAYS * sizeof *s->found, LEAT_MEMORY_PLAN);
    s->seen = leat__alloc(LEAT_GRAM_SEEN * sizeof *s->seen, LEAT_MEMORY_PLAN);
    s->seen_at = leat__calloc(LEAT_GRAM_SEEN, sizeof *s->seen_at, LEAT_MEMORY_PLAN);
    if (!s->configs || !s->stacks || !s->sets || !s->moves || !s->set_table || !s->stack_table || !s->map || !s->todo || !s->found || !s->seen || !s->seen_at) return 0;
    if (!s->vocab) return 1;
    s->path = leat__alloc(((size_t)s->vocab->depth + 1) * sizeof *s->path, LEAT_MEMORY_PLAN);
    s->piece = leat__alloc((size_t)s->vocab->depth + 1, LEAT_MEMORY_PLAN);
    s->direct = leat__alloc(LEAT_GRAM_WAYS * sizeof *s->direct, LEAT_MEMORY_PLAN);
    s->masks = leat__gram_masks(s->g, s->vocab);
    if (s->masks) s->made = leat__alloc(s->masks->stride, LEAT_MEMORY_PLAN);
    int all = s->path && s->piece && s->made && s->direct;
    for (int i = 0; i < LEAT_GRAM_KEPT; i++) all &= (s->kept[i] = leat__alloc(s->vocab->words * sizeof *s->kept[i], LEAT_MEMORY_PLAN)) != NULL;
    return all;
}

int leat_grammar_state_open(leat_grammar *grammar, leat_grammar_vocab *vocab, leat_grammar_state **state, leat_error *error) {
    if (state) *state = NULL;
    if (!grammar || !state) return leat__fail(error, LEAT_EINVAL, "grammar: grammar and state are needed");
    leat_grammar_state *s = leat__calloc(1, sizeof *s, LEAT_MEMORY_PLAN);
    if (!s) return leat__fail(error, LEAT_ENOMEM, "grammar: out of memory");
    s->g = leat__grammar_ref(grammar);
    s->vocab = vocab ? leat_grammar_vocab_ref(vocab) : NULL;
    int status = LEAT_OK;
    if (!take_memory(s)) status = leat__fail(error, LEAT_ENOMEM, "grammar: out of memory");
    if (status == LEAT_OK) {
        clear_tables(s);
        s->current = leat__gram_closure(s, s->g->start, 0);
        if (s->current >= LEAT_GRAM_SET_LIMIT) status = leat__fail(error, LEAT_ELIMIT, "grammar: a text may begin in more than %u ways", LEAT_GRAM_WAYS);
    }
    if (status == LEAT_OK) *state = s;
    else leat_grammar_state_close(s);
    return status;
}

void leat_grammar_state_close(leat_grammar_state *s) {
    if (!s) return;
    void *const blocks[] = {s->configs, s->stacks, s->sets, s->moves, s->set_table, s->stack_table, s->map, s->todo, s->found, s->seen, s->seen_at,
                            s->path, s->piece, s->made, s->direct};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) leat__free(blocks[i]);
    for (int i = 0; i < LEAT_GRAM_KEPT; i++) leat__free(s->kept[i]);
    leat_grammar_close(s->g);
    leat_grammar_vocab_unref(s->vocab);
    leat__free(s);
}

void leat_grammar_state_reset(leat_grammar_state *s) {
    if (!s) return;
    s->finished = 0;
    s->current = leat__gram_closure(s, s->g->start, 0);
    if (s->current < LEAT_GRAM_SET_LIMIT) return;
    clear_tables(s); /* it found room in empty tables when the state was opened */
    s->current = leat__gram_closure(s, s->g->start, 0);
}

/* The set that is current in `from`, in the numbers of `to`.  map: the stacks of `from` to those of `to`, made in ascending order. */
static uint32_t translate(leat_grammar_state *to, const leat_grammar_state *from) {
    const leat_gram_set *set = &from->sets[from->current];
    uint32_t count = from->current ? set->count : 0;
    memset(to->map, 0, from->n_stacks * sizeof *to->map);
    for (uint32_t i = 0; i < count; i++) to->map[from->configs[set->first + i].stack] = 1;
    for (uint32_t i = from->n_stacks; i-- > 1;)
        if (to->map[i]) to->map[from->stacks[i].below] = 1;
    to->map[0] = 0;
    for (uint32_t i = 1; i < from->n_stacks; i++) {
        if (!to->map[i]) continue;
        to->map[i] = push(to, from->stacks[i].back, to->map[from->stacks[i].below]);
        if (to->map[i] == LEAT_GRAM_FULL) return LEAT_GRAM_FULL;
    }
    for (uint32_t i = 0; i < count; i++) to->found[i] = (leat_gram_config){from->configs[set->first + i].place, to->map[from->configs[set->first + i].stack]};
    return leat__gram_set(to, to->found, count);
}

int leat_grammar_state_copy(leat_grammar_state *to, const leat_grammar_state *from) {
    if (!to || !from || to->g != from->g) return LEAT_EINVAL;
    if (to == from) return LEAT_OK;
    uint32_t set = translate(to, from);
    if (set == LEAT_GRAM_FULL) {
        clear_tables(to);
        set = translate(to, from);
    }
    if (set >= LEAT_GRAM_SET_LIMIT) {
        leat_grammar_state_reset(to);
        return LEAT_ELIMIT;
    }
    to->current = set;
    to->finished = from->finished;
    return LEAT_OK;
}

/* ---- reading text ----------------------------------------------------------------------------------------------------------- */

/* The set behind the text; the current one keeps its meaning, though it may get another number. */
static int read_text(leat_grammar_state *s, const char *text, size_t bytes, uint32_t *set) {
    *set = s->current;
    if (s->finished && bytes) return LEAT_EFORMAT;
    for (size_t i = 0; i < bytes && *set; i++) {
        uint32_t klass = s->g->class_of[(uint8_t)text[i]], to = leat__gram_move(s, *set, klass);
        if (to == LEAT_GRAM_FULL) {
            uint32_t keep[2] = {s->current, *set};
            leat__gram_compact(s, keep, 2);
            s->current = keep[0];
            to = leat__gram_move(s, keep[1], klass);
        }
        if (to >= LEAT_GRAM_SET_LIMIT) return LEAT_ELIMIT;
        *set = to;
    }
    return *set ? LEAT_OK : LEAT_EFORMAT;
}

int leat_grammar_state_accept(leat_grammar_state *s, const char *text, size_t bytes) {
    if (!s || (!text && bytes)) return LEAT_EINVAL;
    uint32_t set;
    int status = read_text(s, text, bytes, &set);
    if (status == LEAT_OK) s->current = set;
    return status;
}

int leat_grammar_state_allows(leat_grammar_state *s, const char *text, size_t bytes) {
    uint32_t set;
    return s && (text || !bytes) && read_text(s, text, bytes, &set) == LEAT_OK;
}

int leat_grammar_state_may_end(const leat_grammar_state *s) { return s && s->current && s->sets[s->current].ends; }

int leat_grammar_state_accept_token(leat_grammar_state *s, int32_t token) {
    if (!s || !s->vocab || token < 0 || token >= s->vocab->tokens) return LEAT_EINVAL;
    size_t bytes;
    if (s->finished) return LEAT_EFORMAT;
    for (int32_t i = 0; i < s->vocab->n_ends; i++)
        if (s->vocab->ends[i] == token) {
            s->finished = leat_grammar_state_may_end(s);
            return s->finished ? LEAT_OK : LEAT_EFORMAT;
        }
    int type = leat_tokenizer_type(s->vocab->tokenizer, token);
    if (type == LEAT_TOKEN_CONTROL || type == LEAT_TOKEN_UNKNOWN || type == LEAT_TOKEN_UNUSED) return LEAT_EFORMAT;
    if (leat_tokenizer_piece(s->vocab->tokenizer, token, 0, s->piece, (size_t)s->vocab->depth + 1, &bytes) || !bytes) return LEAT_EFORMAT;
    return leat_grammar_state_accept(s, s->piece, bytes);
}
