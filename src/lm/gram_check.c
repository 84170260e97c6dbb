/* gram_check.c - what cannot work is refused here, by the rule's name and line: rules that are used and not defined, left recursion (through rules that may be
 * empty too), rules from which no text ever ends.  Then each rule is measured, and small ones are marked to be written out where they are used.
 *
 * Writing out: masks are kept per place of a rule, and are exact as long as a token stays within the rule.  A rule that may end nearly anywhere (a character, a
 * word, blanks) would leave the rest of each token to its caller, so it becomes part of its caller; a rule with a clear end (a quoted string) is called, so that all
 * its uses share their masks.
 */
#include <string.h>

#include "base/error.h"
#include "lm/gram.h"

#define MOST_HEIGHT 2000u
#define SMALL 8u      /* places: always written out */
#define FINITE 64u    /* for texts of limited length */
#define OPEN 1024u    /* for rules that end in a repetition */
#define ROUGHLY 65536u /* places in all, else less is written out */

typedef struct walk {
    leat_gram_tree *tree;
    uint32_t       *first, *to;  /* references of each rule: to[first[r] .. first[r + 1]) */
    uint32_t       *back_first, *back_to; /* who refers to each rule */
    uint32_t        n_refs;
} walk;

/* ---- references ------------------------------------------------------------------------------------------------------------- */

static void count_refs(const leat_gram_node *n, uint32_t *count) {
    if (n->kind == LEAT_GRAM_REF) (*count)++;
    for (const leat_gram_node *c = n->child; c; c = c->next) count_refs(c, count);
}
static void list_refs(const leat_gram_node *n, uint32_t *to, uint32_t *count) {
    if (n->kind == LEAT_GRAM_REF) to[(*count)++] = n->rule;
    for (const leat_gram_node *c = n->child; c; c = c->next) list_refs(c, to, count);
}

static int make_refs(walk *w) {
    leat_gram_tree *t = w->tree;
    uint32_t n = 0;
    for (uint32_t r = 0; r < t->n_rules; r++) count_refs(t->rules[r].body, &n);
    w->n_refs = n;
    w->first = leat__arena_calloc(&t->arena, (size_t)t->n_rules + 1, sizeof(uint32_t));
    w->back_first = leat__arena_calloc(&t->arena, (size_t)t->n_rules + 2, sizeof(uint32_t));
    w->to = leat__arena_calloc(&t->arena, (size_t)n + 1, sizeof(uint32_t));
    w->back_to = leat__arena_calloc(&t->arena, (size_t)n + 1, sizeof(uint32_t));
    if (!w->first || !w->to || !w->back_first || !w->back_to) return LEAT_ENOMEM;
    n = 0;
    for (uint32_t r = 0; r < t->n_rules; r++) {
        list_refs(t->rules[r].body, w->to, &n);
        w->first[r + 1] = n;
    }
    for (uint32_t i = 0; i < n; i++) w->back_first[w->to[i] + 2]++;
    for (uint32_t r = 0; r < t->n_rules; r++) w->back_first[r + 2] += w->back_first[r + 1];
    for (uint32_t r = 0; r < t->n_rules; r++)
        for (uint32_t i = w->first[r]; i < w->first[r + 1]; i++) w->back_to[w->back_first[w->to[i] + 1]++] = r;
    return LEAT_OK;
}

/* ---- may be empty, may end -------------------------------------------------------------------------------------------------- */

/* Whether the item derives a text at all (chars 1) or the empty one (chars 0), by what is known of the rules. */
static int derives(const leat_gram_tree *t, const leat_gram_node *n, int chars) {
    const leat_gram_node *c = n->child;
    switch (n->kind) {
    case LEAT_GRAM_EMPTY: return 1;
    case LEAT_GRAM_CLASS: return chars;
    case LEAT_GRAM_REF: return chars ? t->rules[n->rule].productive : t->rules[n->rule].nullable;
    case LEAT_GRAM_REPEATED: return n->min == 0 || derives(t, c, chars);
    case LEAT_GRAM_SEQ:
        while (c && derives(t, c, chars)) c = c->next;
        return !c;
    default:
        while (c && !derives(t, c, chars)) c = c->next;
        return c != NULL;
    }
}

/* The least fixed point of one of the two flags: a rule is asked again when one that it refers to has changed. */
static int settle(walk *w, int chars) {
    leat_gram_tree *t = w->tree;
    uint32_t *todo = leat__arena_calloc(&t->arena, (size_t)t->n_rules + w->n_refs + 1, sizeof *todo), n = 0;
    if (!todo) return LEAT_ENOMEM;
    for (uint32_t r = t->n_rules; r-- > 0;) todo[n++] = r;
    while (n) {
        uint32_t r = todo[--n];
        uint8_t *flag = chars ? &t->rules[r].productive : &t->rules[r].nullable;
        if (*flag || !derives(t, t->rules[r].body, chars)) continue;
        *flag = 1;
        for (uint32_t i = w->back_first[r]; i < w->back_first[r + 1]; i++) todo[n++] = w->back_to[i];
    }
    return LEAT_OK;
}

/* ---- cycles ----------------------------------------------------------------------------------------------------------------- */

/* Tarjan's strongly connected components without recursion.  done(rule, alone) is called for each rule, those it refers to first but for cycles. */
typedef struct scc {
    const uint32_t *first, *to;
    uint32_t       *index, *low, *stack, *call, *at;
    uint8_t        *on;
    uint32_t        n_stack, next;
} scc;

static int scc_make(scc *s, leat_gram_tree *t, const uint32_t *first, const uint32_t *to) {
    uint32_t *block = leat__arena_calloc(&t->arena, 5 * ((size_t)t->n_rules + 1), sizeof *block), n = t->n_rules + 1;
    uint8_t *on = leat__arena_calloc(&t->arena, n, 1);
    if (!block || !on) return LEAT_ENOMEM;
    *s = (scc){first, to, block, block + n, block + 2 * n, block + 3 * n, block + 4 * n, on, 0, 1};
    return LEAT_OK;
}

static void scc_enter(scc *s, uint32_t r) {
    s->index[r] = s->low[r] = s->next++;
    s->stack[s->n_stack++] = r;
    s->on[r] = 1;
    s->at[r] = s->first[r];
}

typedef void (*component_fn)(void *user, const uint32_t *rules, uint32_t count);

static void scc_from(scc *s, uint32_t root, component_fn done, void *user) {
    uint32_t n_call = 0;
    scc_enter(s, s->call[n_call++] = root);
    while (n_call) {
        uint32_t r = s->call[n_call - 1];
        if (s->at[r] < s->first[r + 1]) {
            uint32_t next = s->to[s->at[r]++];
            if (!s->index[next]) scc_enter(s, s->call[n_call++] = next);
            else if (s->on[next] && s->index[next] < s->low[r]) s->low[r] = s->index[next];
            continue;
        }
        if (--n_call && s->low[r] < s->low[s->call[n_call - 1]]) s->low[s->call[n_call - 1]] = s->low[r];
        if (s->low[r] != s->index[r]) continue;
        uint32_t count = 0;
        do s->on[s->stack[--s->n_stack]] = 0, count++;
        while (s->stack[s->n_stack] != r);
        done(user, s->stack + s->n_stack, count);
    }
}

static int components(walk *w, const uint32_t *first, const uint32_t *to, component_fn done, void *user) {
    scc s;
    if (scc_make(&s, w->tree, first, to)) return LEAT_ENOMEM;
    for (uint32_t r = 0; r < w->tree->n_rules; r++)
        if (!s.index[r]) scc_from(&s, r, done, user);
    return LEAT_OK;
}

static int refers_to_itself(const uint32_t *first, const uint32_t *to, uint32_t r) {
    for (uint32_t i = first[r]; i < first[r + 1]; i++)
        if (to[i] == r) return 1;
    return 0;
}

/* ---- left recursion --------------------------------------------------------------------------------------------------------- */

/* Collects the rules that the item may begin with; returns whether it may be empty. */
static int list_left(const leat_gram_tree *t, const leat_gram_node *n, uint32_t *to, uint32_t *count) {
    int empty = n->kind != LEAT_GRAM_ALT, any = 0;
    switch (n->kind) {
    case LEAT_GRAM_EMPTY: return 1;
    case LEAT_GRAM_CLASS: return 0;
    case LEAT_GRAM_REF: to[(*count)++] = n->rule; return t->rules[n->rule].nullable;
    case LEAT_GRAM_REPEATED: return list_left(t, n->child, to, count) || n->min == 0;
    case LEAT_GRAM_SEQ:
        for (const leat_gram_node *c = n->child; c && empty; c = c->next) empty = list_left(t, c, to, count);
        return empty;
    default:
        for (const leat_gram_node *c = n->child; c; c = c->next) any |= list_left(t, c, to, count);
        return any;
    }
}

typedef struct left_search {
    const uint32_t *first, *to;
    uint32_t        rule, count; /* the first in the text that is left-recursive, and how many there are on its way */
} left_search;

static void note_left(void *user, const uint32_t *rules, uint32_t count) {
    left_search *s = user;
    if (count == 1 && !refers_to_itself(s->first, s->to, rules[0])) return;
    for (uint32_t i = 0; i < count; i++)
        if (rules[i] < s->rule) {
            s->rule = rules[i];
            s->count = count;
        }
}

static int refuse_left_recursion(walk *w, leat_error *error) {
    leat_gram_tree *t = w->tree;
    uint32_t *first = leat__arena_calloc(&t->arena, (size_t)t->n_rules + 1, sizeof *first), *to = leat__arena_calloc(&t->arena, (size_t)w->n_refs + 1, sizeof *to), n = 0;
    if (!first || !to) return LEAT_ENOMEM;
    for (uint32_t r = 0; r < t->n_rules; r++) {
        list_left(t, t->rules[r].body, to, &n);
        first[r + 1] = n;
    }
    left_search s = {first, to, UINT32_MAX, 0};
    if (components(w, first, to, note_left, &s)) return LEAT_ENOMEM;
    if (s.rule == UINT32_MAX) return LEAT_OK;
    const leat_gram_rule *r = &t->rules[s.rule];
    return leat__fail(error, LEAT_EFORMAT, "grammar: line %u: rule '%s' is left-recursive%s: it may begin with itself; write the repetition with * or +, or the recursion at the end",
                      r->line, r->name, s.count > 1 ? " (through other rules)" : "");
}

/* ---- sizes ------------------------------------------------------------------------------------------------------------------ */

typedef struct measure {
    uint64_t size;
    uint32_t height;
    uint8_t  endless, open_tail; /* texts of any length; the end is a repetition */
} measure;

static measure measure_node(const leat_gram_tree *t, const leat_gram_node *n);

static measure measure_parts(const leat_gram_tree *t, const leat_gram_node *n) {
    measure all = {1, 0, 0, 0};
    for (const leat_gram_node *c = n->child; c; c = c->next) {
        measure m = measure_node(t, c);
        all.size += m.size;
        if (m.height + 1 > all.height) all.height = m.height + 1;
        all.endless |= m.endless;
        all.open_tail = n->kind == LEAT_GRAM_ALT || derives(t, c, 0) ? all.open_tail | m.open_tail : m.open_tail;
    }
    return all;
}

static measure measure_node(const leat_gram_tree *t, const leat_gram_node *n) {
    measure m = {1, 1, 0, 0};
    switch (n->kind) {
    case LEAT_GRAM_EMPTY: break;
    case LEAT_GRAM_CLASS: m.size = leat__gram_class_size(n->ranges, n->n_ranges); break;
    case LEAT_GRAM_REF: {
        const leat_gram_rule *r = &t->rules[n->rule];
        if (r->written_out) m = (measure){r->size, r->height + 1, r->endless, r->open_tail};
        else m = (measure){1, 1, r->endless || r->recursive, r->open_tail};
        break;
    }
    case LEAT_GRAM_REPEATED: {
        m = measure_node(t, n->child);
        uint64_t times = n->max == LEAT_GRAM_FOREVER ? (uint64_t)n->min + 1 : n->max;
        m.size = m.size > LEAT_GRAM_PLACES ? m.size : 1 + (m.size + 1) * times;
        m.height++;
        m.endless |= n->max == LEAT_GRAM_FOREVER;
        m.open_tail |= n->max > 4;
        break;
    }
    default: m = measure_parts(t, n); break;
    }
    if (m.size > 2 * (uint64_t)LEAT_GRAM_PLACES) m.size = 2 * (uint64_t)LEAT_GRAM_PLACES; /* enough to be refused, no sum overflows */
    return m;
}

typedef struct sizing {
    walk    *w;
    uint32_t finite, open;
} sizing;

/* Called with the rules in an order in which those referred to come first. */
static void size_rules(void *user, const uint32_t *rules, uint32_t count) {
    const sizing *s = user;
    leat_gram_tree *t = s->w->tree;
    int recursive = count > 1 || refers_to_itself(s->w->first, s->w->to, rules[0]);
    for (uint32_t i = 0; i < count; i++) {
        leat_gram_rule *r = &t->rules[rules[i]];
        r->recursive = (uint8_t)recursive;
        r->written_out = 0;
    }
    for (uint32_t i = 0; i < count; i++) {
        leat_gram_rule *r = &t->rules[rules[i]];
        measure m = measure_node(t, r->body);
        r->size = m.size;
        r->height = m.height;
        r->endless = m.endless || r->recursive;
        r->open_tail = m.open_tail;
        uint32_t limit = m.open_tail ? s->open : m.endless ? SMALL : s->finite;
        r->written_out = !recursive && m.height < MOST_HEIGHT && m.size <= (limit > SMALL ? limit : SMALL);
    }
}

static int choose_written_out(walk *w, leat_error *error) {
    static const uint32_t limits[][2] = {{FINITE, OPEN}, {16, 64}, {0, 0}};
    leat_gram_tree *t = w->tree;
    uint64_t total = 0;
    for (int i = 0; i < 3; i++) {
        sizing s = {w, limits[i][0], limits[i][1]};
        if (components(w, w->first, w->to, size_rules, &s)) return LEAT_ENOMEM;
        total = 0;
        for (uint32_t r = 0; r < t->n_rules; r++) total += t->rules[r].written_out ? 0 : t->rules[r].size;
        if (total <= ROUGHLY) break;
    }
    if (total <= 8 * (uint64_t)LEAT_GRAM_PLACES) return LEAT_OK; /* an upper limit: what is made is counted when it is made */
    uint32_t largest = 0;
    for (uint32_t r = 1; r < t->n_rules; r++)
        if (t->rules[r].size > t->rules[largest].size) largest = r;
    return leat__fail(error, LEAT_ELIMIT, "grammar: line %u: too large: rule '%s' alone is about %llu places, the limit is %u in all; lower its repetitions",
                      t->rules[largest].line, t->rules[largest].name, (unsigned long long)t->rules[largest].size, LEAT_GRAM_PLACES);
}

/* Names the rule that is to blame: one that needs itself, were all others well. */
static int refuse_endless(leat_gram_tree *t, leat_error *error) {
    uint32_t first = UINT32_MAX, own = UINT32_MAX;
    for (uint32_t r = 0; r < t->n_rules && first == UINT32_MAX; r++)
        if (!t->rules[r].productive) first = r;
    if (first == UINT32_MAX) return LEAT_OK;
    for (uint32_t r = 0; r < t->n_rules; r++) t->rules[r].nullable = t->rules[r].productive;
    for (uint32_t r = 0; r < t->n_rules; r++) t->rules[r].productive = 1;
    for (uint32_t r = first; r < t->n_rules && own == UINT32_MAX; r++) {
        t->rules[r].productive = 0;
        if (!t->rules[r].nullable && !derives(t, t->rules[r].body, 1)) own = r;
        t->rules[r].productive = 1;
    }
    const leat_gram_rule *rule = &t->rules[own == UINT32_MAX ? first : own];
    return leat__fail(error, LEAT_EFORMAT, "grammar: line %u: rule '%s' can never end: whichever alternative is taken, it needs %s again", rule->line, rule->name,
                      own == UINT32_MAX ? "rules that need it" : "itself");
}

int leat__gram_check(leat_gram_tree *t, leat_error *error) {
    walk w = {.tree = t};
    t->root = UINT32_MAX;
    for (uint32_t r = 0; r < t->n_rules; r++) {
        if (!t->rules[r].body) return leat__fail(error, LEAT_EFORMAT, "grammar: line %u: rule '%s' is used but not defined", t->rules[r].line, t->rules[r].name);
        if (strcmp(t->rules[r].name, "root") == 0) t->root = r;
    }
    if (t->root == UINT32_MAX) return leat__fail(error, LEAT_EFORMAT, "grammar: there is no rule 'root', which the text must match");
    if (make_refs(&w) || settle(&w, 0) || settle(&w, 1)) return leat__fail(error, LEAT_ENOMEM, "grammar: out of memory");
    int status = refuse_endless(t, error);
    if (status == LEAT_OK) status = refuse_left_recursion(&w, error);
    if (status == LEAT_OK) status = choose_written_out(&w, error);
    return status == LEAT_ENOMEM ? leat__fail(error, LEAT_ENOMEM, "grammar: out of memory") : status;
}
