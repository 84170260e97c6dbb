/* gram_parse.c - GBNF text to trees.
 *
 *   grammar      rule*
 *   rule         name "::=" alternatives end-of-line
 *   alternatives sequence ("|" sequence)*
 *   sequence     (item ("?" | "*" | "+" | "{m}" | "{m,}" | "{m,n}")*)*
 *   item         "literal" | [class] | . | name | ( alternatives )
 *
 * Recursion is as deep as parentheses are, which is limited; every failure names its line.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "lm/gram.h"

typedef struct parser {
    const char      *at, *end;
    uint32_t         line;
    int              depth;
    leat_gram_tree  *tree;
    leat_error      *error;
    leat_gram_range *ranges; /* of the class being read */
    uint32_t         n_ranges, cap_ranges;
} parser;

#define MOST_NODES (1u << 20)
#define LAST_CHARACTER 0x10FFFFu

static int wrong(parser *p, const char *what) { return leat__fail(p->error, LEAT_EFORMAT, "grammar: line %u: %s", p->line, what); }
static int no_memory(parser *p) { return leat__fail(p->error, LEAT_ENOMEM, "grammar: out of memory"); }

static int is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }
static int peek(const parser *p) { return p->at < p->end ? (uint8_t)*p->at : -1; }

/* Blanks and comments; line ends too where the text goes on behind them. */
static void skip_blank(parser *p, int lines) {
    for (; p->at < p->end; p->at++) {
        if (*p->at == '#')
            while (p->at < p->end && *p->at != '\n') p->at++;
        if (p->at == p->end || (*p->at == '\n' && !lines) || (*p->at != ' ' && *p->at != '\t' && *p->at != '\r' && *p->at != '\n')) return;
        if (*p->at == '\n') p->line++;
    }
}

static leat_gram_node *node(parser *p, leat_gram_kind kind) {
    if (p->tree->n_nodes == MOST_NODES) return NULL;
    leat_gram_node *n = leat__arena_calloc(&p->tree->arena, 1, sizeof *n);
    if (!n) return NULL;
    p->tree->n_nodes++;
    n->kind = kind;
    n->line = p->line;
    return n;
}
static int no_node(parser *p) {
    return p->tree->n_nodes == MOST_NODES ? leat__fail(p->error, LEAT_ELIMIT, "grammar: line %u: more than %u items", p->line, MOST_NODES) : no_memory(p);
}

/* ---- rules by name ---------------------------------------------------------------------------------------------------------- */

static uint32_t hash_name(const char *name, size_t length) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)name[i]) * 16777619u;
    return hash ^ hash >> 15;
}

static int grow_rules(parser *p) {
    leat_gram_tree *t = p->tree;
    uint32_t capacity = t->cap_rules ? 2 * t->cap_rules : 64;
    leat_gram_rule *rules = leat__realloc(t->rules, capacity * sizeof *rules, LEAT_MEMORY_GRAPH);
    if (rules) t->rules = rules;
    uint32_t *table = leat__calloc(4 * (size_t)capacity, sizeof *table, LEAT_MEMORY_GRAPH);
    if (!rules || !table) {
        leat__free(table);
        return no_memory(p);
    }
    leat__free(t->table);
    t->table = table;
    t->mask = 4 * capacity - 1;
    t->cap_rules = capacity;
    for (uint32_t i = 0; i < t->n_rules; i++) {
        uint32_t at = hash_name(rules[i].name, strlen(rules[i].name));
        while (table[at &= t->mask]) at++;
        table[at] = i + 1;
    }
    return LEAT_OK;
}

/* The number of the rule of this name, which may be new. */
static int find_rule(parser *p, const char *name, size_t length, uint32_t *rule) {
    leat_gram_tree *t = p->tree;
    if (t->n_rules == t->cap_rules && grow_rules(p)) return LEAT_ENOMEM;
    uint32_t at = hash_name(name, length), slot;
    for (; (slot = t->table[at &= t->mask]); at++)
        if (strncmp(t->rules[slot - 1].name, name, length) == 0 && !t->rules[slot - 1].name[length]) {
            *rule = slot - 1;
            return LEAT_OK;
        }
    if (t->n_rules == LEAT_GRAM_RULES) return leat__fail(p->error, LEAT_ELIMIT, "grammar: line %u: more than %u rules", p->line, LEAT_GRAM_RULES);
    char *copy = leat__arena_strndup(&t->arena, name, length);
    if (!copy) return no_memory(p);
    t->rules[t->n_rules] = (leat_gram_rule){.name = copy, .line = p->line, .start = UINT32_MAX};
    t->table[at] = t->n_rules + 1;
    *rule = t->n_rules++;
    return LEAT_OK;
}

/* ---- characters ------------------------------------------------------------------------------------------------------------- */

/* One character of well-formed UTF-8. */
static int utf8(parser *p, uint32_t *c) {
    const uint8_t *s = (const uint8_t *)p->at;
    size_t left = (size_t)(p->end - p->at), n = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;
    if (!n || n > left) return wrong(p, "the text is not UTF-8");
    uint32_t value = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) return wrong(p, "the text is not UTF-8");
        value = value << 6 | (s[i] & 0x3F);
    }
    if ((n == 3 && value < 0x800) || (n == 4 && (value < 0x10000 || value > LAST_CHARACTER)) || (value >= 0xD800 && value < 0xE000)) return wrong(p, "the text is not UTF-8");
    p->at += n;
    *c = value;
    return LEAT_OK;
}

static int hex_digits(parser *p, int digits, uint32_t *c) {
    uint32_t value = 0;
    for (int i = 0; i < digits; i++, p->at++) {
        int d = peek(p);
        int v = d >= '0' && d <= '9' ? d - '0' : d >= 'a' && d <= 'f' ? d - 'a' + 10 : d >= 'A' && d <= 'F' ? d - 'A' + 10 : -1;
        if (v < 0) return wrong(p, "\\x wants 2 hexadecimal digits, \\u 4 and \\U 8");
        value = value << 4 | (uint32_t)v;
    }
    if (value > LAST_CHARACTER || (value >= 0xD800 && value < 0xE000)) return wrong(p, "an escape names no character (surrogates, or above U+10FFFF)");
    *c = value;
    return LEAT_OK;
}

/* A character inside a literal or class, escapes resolved. */
static int character(parser *p, uint32_t *c) {
    if (*p->at == '\n') return wrong(p, "a literal or class does not end in its line");
    if (*p->at != '\\') return utf8(p, c);
    p->at++;
    int e = peek(p);
    if (e < 0) return wrong(p, "the text ends in an escape");
    p->at++;
    switch (e) {
    case 'n': *c = '\n'; return LEAT_OK;
    case 'r': *c = '\r'; return LEAT_OK;
    case 't': *c = '\t'; return LEAT_OK;
    case 'x': return hex_digits(p, 2, c);
    case 'u': return hex_digits(p, 4, c);
    case 'U': return hex_digits(p, 8, c);
    default: break;
    }
    if (e < '!' || e > '~' || (is_name((char)e) && e != '-' && e != '_')) return wrong(p, "unknown escape (there are \\n \\r \\t \\x \\u \\U and those of punctuation)");
    *c = (uint32_t)e;
    return LEAT_OK;
}

/* ---- items ------------------------------------------------------------------------------------------------------------------ */

static int class_node(parser *p, uint32_t from, uint32_t to, leat_gram_node **out) {
    leat_gram_node *n = node(p, LEAT_GRAM_CLASS);
    leat_gram_range *range = n ? leat__arena_calloc(&p->tree->arena, 1, sizeof *range) : NULL;
    if (!range) return no_node(p);
    *range = (leat_gram_range){from, to};
    n->ranges = range;
    n->n_ranges = 1;
    *out = n;
    return LEAT_OK;
}

static int literal(parser *p, leat_gram_node **out) {
    leat_gram_node *sequence = node(p, LEAT_GRAM_SEQ);
    if (!sequence) return no_node(p);
    leat_gram_node **link = &sequence->child;
    for (p->at++; peek(p) != '"';) {
        uint32_t c;
        if (p->at == p->end) return wrong(p, "a literal does not end");
        int status = character(p, &c);
        if (status == LEAT_OK) status = class_node(p, c, c, link);
        if (status) return status;
        link = &(*link)->next;
    }
    p->at++;
    if (!sequence->child) sequence->kind = LEAT_GRAM_EMPTY;
    *out = sequence->child && !sequence->child->next ? sequence->child : sequence;
    return LEAT_OK;
}

static int add_range(parser *p, uint32_t from, uint32_t to) {
    if (from > to) return wrong(p, "a range of a class is the wrong way round");
    if (p->n_ranges == p->cap_ranges) {
        uint32_t capacity = p->cap_ranges ? 2 * p->cap_ranges : 64;
        leat_gram_range *more = leat__realloc(p->ranges, capacity * sizeof *more, LEAT_MEMORY_GRAPH);
        if (!more) return no_memory(p);
        p->ranges = more;
        p->cap_ranges = capacity;
    }
    p->ranges[p->n_ranges++] = (leat_gram_range){from, to};
    return LEAT_OK;
}

static int by_from(const void *a, const void *b) {
    const leat_gram_range *x = a, *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

/* Sorts, joins what touches, turns the class inside out. */
static int close_class(parser *p, int negated, leat_gram_node *n) {
    uint32_t count = 0, after = 0;
    if (p->n_ranges) qsort(p->ranges, p->n_ranges, sizeof *p->ranges, by_from);
    leat_gram_range *out = leat__arena_calloc(&p->tree->arena, (size_t)p->n_ranges + 1, sizeof *out);
    if (!out) return no_memory(p);
    for (uint32_t i = 0; i < p->n_ranges; i++) {
        if (count && p->ranges[i].from <= out[count - 1].to + 1) {
            if (p->ranges[i].to > out[count - 1].to) out[count - 1].to = p->ranges[i].to;
        } else {
            out[count++] = p->ranges[i];
        }
    }
    if (negated) {
        uint32_t kept = 0, n_in = count;
        for (uint32_t i = 0; i <= n_in; i++) {
            uint32_t from = after, to = i < n_in ? out[i].from : LAST_CHARACTER + 1;
            if (i < n_in) after = out[i].to + 1;
            if (from < to) out[kept++] = (leat_gram_range){from, to - 1};
        }
        count = kept;
    }
    n->ranges = out;
    n->n_ranges = count;
    return count ? LEAT_OK : wrong(p, "a class without any character");
}

static int char_class(parser *p, leat_gram_node **out) {
    leat_gram_node *n = node(p, LEAT_GRAM_CLASS);
    if (!n) return no_node(p);
    p->at++;
    int negated = peek(p) == '^', status = LEAT_OK;
    if (negated) p->at++;
    for (p->n_ranges = 0; status == LEAT_OK && peek(p) != ']';) {
        uint32_t from, to;
        if (p->at == p->end) return wrong(p, "a class does not end");
        if ((status = character(p, &from))) return status;
        to = from;
        if (p->end - p->at >= 2 && p->at[0] == '-' && p->at[1] != ']') {
            p->at++;
            if ((status = character(p, &to))) return status;
        }
        status = add_range(p, from, to);
    }
    p->at++;
    *out = n;
    return status ? status : close_class(p, negated, n);
}

static int alternatives(parser *p, int nested, leat_gram_node **out);

static int group(parser *p, leat_gram_node **out) {
    if (++p->depth > LEAT_GRAM_DEPTH) return leat__fail(p->error, LEAT_ELIMIT, "grammar: line %u: parentheses are more than %d deep", p->line, LEAT_GRAM_DEPTH);
    p->at++;
    int status = alternatives(p, 1, out);
    if (status) return status;
    if (peek(p) != ')') return wrong(p, "')' is missing");
    p->at++;
    p->depth--;
    return LEAT_OK;
}

static int reference(parser *p, leat_gram_node **out) {
    const char *name = p->at;
    while (p->at < p->end && is_name(*p->at)) p->at++;
    leat_gram_node *n = node(p, LEAT_GRAM_REF);
    if (!n) return no_node(p);
    int status = find_rule(p, name, (size_t)(p->at - name), &n->rule);
    if (status) return status;
    skip_blank(p, 0);
    if (p->end - p->at >= 3 && memcmp(p->at, "::=", 3) == 0) return wrong(p, "a rule begins inside another one (each begins in a line of its own; is a ')' missing?)");
    *out = n;
    return LEAT_OK;
}

static int item(parser *p, leat_gram_node **out) {
    switch (peek(p)) {
    case '"': return literal(p, out);
    case '[': return char_class(p, out);
    case '(': return group(p, out);
    case '.': p->at++; return class_node(p, 0, LAST_CHARACTER, out);
    case '<': case '!':
        return leat__fail(p->error, LEAT_EUNSUPPORTED, "grammar: line %u: tokens by name or number ('<...>') are not supported, write their text as a literal", p->line);
    default: return reference(p, out);
    }
}

/* ---- repetition, sequence, alternatives, rules ------------------------------------------------------------------------------ */

static int number(parser *p, uint32_t *value) {
    uint64_t v = 0;
    if (peek(p) < '0' || peek(p) > '9') return wrong(p, "a repetition is written {m}, {m,} or {m,n}");
    for (; peek(p) >= '0' && peek(p) <= '9'; p->at++)
        if ((v = 10 * v + (uint64_t)(*p->at - '0')) > LEAT_GRAM_REPEAT)
            return leat__fail(p->error, LEAT_ELIMIT, "grammar: line %u: a repetition of more than %u", p->line, LEAT_GRAM_REPEAT);
    *value = (uint32_t)v;
    skip_blank(p, 0);
    return LEAT_OK;
}

static int counted(parser *p, uint32_t *min, uint32_t *max) {
    p->at++;
    skip_blank(p, 0);
    int status = number(p, min);
    *max = *min;
    if (status == LEAT_OK && peek(p) == ',') {
        p->at++;
        skip_blank(p, 0);
        *max = LEAT_GRAM_FOREVER;
        if (peek(p) != '}') status = number(p, max);
    }
    if (status) return status;
    if (peek(p) != '}') return wrong(p, "a repetition is written {m}, {m,} or {m,n}");
    p->at++;
    return *min <= *max ? LEAT_OK : wrong(p, "a repetition's upper limit is below the lower one");
}

static int repetitions(parser *p, leat_gram_node **out) {
    for (int n = 0;; n++) {
        uint32_t min = 0, max = LEAT_GRAM_FOREVER;
        int status = LEAT_OK;
        skip_blank(p, 0);
        switch (peek(p)) {
        case '*': p->at++; break;
        case '+': p->at++; min = 1; break;
        case '?': p->at++; max = 1; break;
        case '{': status = counted(p, &min, &max); break;
        default: return LEAT_OK;
        }
        if (status) return status;
        if (n == 4) return wrong(p, "more than four repetitions in a row");
        leat_gram_node *r = node(p, LEAT_GRAM_REPEATED);
        if (!r) return no_node(p);
        r->child = *out;
        r->min = min;
        r->max = max;
        *out = r;
    }
}

static int sequence(parser *p, int nested, leat_gram_node **out) {
    leat_gram_node *s = node(p, LEAT_GRAM_SEQ);
    if (!s) return no_node(p);
    leat_gram_node **link = &s->child;
    for (;;) {
        skip_blank(p, nested);
        int c = peek(p);
        if (c < 0 || c == '|' || c == ')' || c == '\n') break;
        if (c != '"' && c != '[' && c != '(' && c != '.' && c != '<' && c != '!' && !is_name((char)c)) return wrong(p, "an item is expected: \"literal\", [class], . , a rule's name or ( ... )");
        int status = item(p, link);
        if (status == LEAT_OK) status = repetitions(p, link);
        if (status) return status;
        link = &(*link)->next;
    }
    if (!s->child) s->kind = LEAT_GRAM_EMPTY;
    *out = s->child && !s->child->next ? s->child : s;
    return LEAT_OK;
}

static int alternatives(parser *p, int nested, leat_gram_node **out) {
    leat_gram_node *a = node(p, LEAT_GRAM_ALT);
    if (!a) return no_node(p);
    leat_gram_node **link = &a->child;
    skip_blank(p, 1);
    for (;;) {
        int status = sequence(p, nested, link);
        if (status) return status;
        link = &(*link)->next;
        skip_blank(p, 1); /* a line may begin with the next alternative */
        if (peek(p) != '|') break;
        p->at++;
        skip_blank(p, 1);
    }
    *out = a->child->next ? a : a->child;
    return LEAT_OK;
}

static int rule(parser *p) {
    const char *name = p->at;
    uint32_t number_of, line = p->line;
    while (p->at < p->end && is_name(*p->at)) p->at++;
    if (p->at == name) return wrong(p, "a rule is expected: name ::= ...");
    int status = find_rule(p, name, (size_t)(p->at - name), &number_of);
    if (status) return status;
    skip_blank(p, 0);
    if (p->end - p->at < 3 || memcmp(p->at, "::=", 3) != 0) return wrong(p, "'::=' is expected behind the name of a rule");
    p->at += 3;
    if (p->tree->rules[number_of].body)
        return leat__fail(p->error, LEAT_EFORMAT, "grammar: line %u: rule '%s' is defined already in line %u", line, p->tree->rules[number_of].name, p->tree->rules[number_of].line);
    leat_gram_node *body = NULL;
    status = alternatives(p, 0, &body);
    if (status) return status;
    if (peek(p) == ')') return wrong(p, "')' without '('");
    p->tree->rules[number_of].body = body;
    p->tree->rules[number_of].line = line;
    return LEAT_OK;
}

int leat__gram_parse(const char *text, size_t bytes, leat_gram_tree *tree, leat_error *error) {
    memset(tree, 0, sizeof *tree);
    leat__arena_init(&tree->arena, LEAT_MEMORY_GRAPH);
    if (bytes > LEAT_GRAM_TEXT) return leat__fail(error, LEAT_ELIMIT, "grammar: %zu bytes, the limit is %zu", bytes, LEAT_GRAM_TEXT);
    parser p = {.at = text, .end = text + bytes, .line = 1, .tree = tree, .error = error};
    int status = LEAT_OK;
    for (skip_blank(&p, 1); status == LEAT_OK && p.at < p.end; skip_blank(&p, 1)) status = rule(&p);
    leat__free(p.ranges);
    return status;
}

void leat__gram_tree_fini(leat_gram_tree *tree) {
    leat__free(tree->rules);
    leat__free(tree->table);
    leat__arena_fini(&tree->arena);
}
