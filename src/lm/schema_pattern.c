/* schema_pattern.c - a regular expression of a string ("pattern") as GBNF.
 *
 * The subset that has the same meaning in all dialects: characters, escapes, "." and classes, groups, |, ? * + {m} {m,} {m,n} (lazy or not: the language is the
 * same), ^ at the beginning and $ at the end of the whole or of an alternative of it.  Without ^ or $ anything may come in front or behind, as JSON schema has it.
 * Refused by name: look-around, references back, \b, named groups, \p.
 *
 * The expression is over characters, the text over JSON: quotation mark, backslash and control characters become their escapes; no character has other spellings.
 */
#include <string.h>

#include "lm/schema_impl.h"

#define MOST_DEPTH 60
#define LAST 0x10FFFFu

typedef struct set {
    uint32_t from[64], to[64];
    int      n, full; /* full: there were more ranges than room */
} set;

typedef struct regex {
    leat_schema   *s;
    const uint8_t *at, *end;
    leat_strbuf   *out;
    int            depth;
} regex;

static int refuse(regex *r, const char *what) { return leat__schema_fail(r->s, LEAT_EUNSUPPORTED, "'pattern': %s", what); }
static int peek(const regex *r) { return r->at < r->end ? *r->at : -1; }

/* The text is UTF-8, as the JSON reader has checked. */
static uint32_t next_character(regex *r) {
    uint32_t c = *r->at++;
    int more = c < 0xC0 ? 0 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
    if (more) c &= 0x3Fu >> more;
    for (; more-- && r->at < r->end;) c = c << 6 | (*r->at++ & 0x3F);
    return c;
}

/* ---- sets of characters ----------------------------------------------------------------------------------------------------- */

static void add(set *c, uint32_t from, uint32_t to) {
    if (c->n == 64) c->full = 1;
    else c->from[c->n] = from, c->to[c->n++] = to;
}

static int holds(const set *c, uint32_t x) {
    for (int i = 0; i < c->n; i++)
        if (c->from[i] <= x && x <= c->to[i]) return 1;
    return 0;
}

/* What is not in c, up to `last`. */
static set complement(const set *c, uint32_t last) {
    set out = {.n = 0};
    for (uint32_t at = 0; at <= last;) {
        uint32_t next = last + 1, behind = at;
        for (int i = 0; i < c->n; i++)
            if (c->from[i] <= at && at <= c->to[i] && c->to[i] + 1 > behind) behind = c->to[i] + 1;
        if (behind > at) {
            at = behind;
            continue;
        }
        for (int i = 0; i < c->n; i++)
            if (c->from[i] > at && c->from[i] < next) next = c->from[i];
        add(&out, at, next - 1);
        at = next;
    }
    return out;
}

static void add_all(set *to, const set *c) {
    for (int i = 0; i < c->n; i++) add(to, c->from[i], c->to[i]);
}

/* \d \w \s; the capital ones are held to ASCII, on which the dialects agree. */
static int shorthand(int letter, set *to) {
    set c = {.n = 0};
    switch (letter | 32) {
    case 'd': add(&c, '0', '9'); break;
    case 'w': add(&c, '0', '9'), add(&c, 'A', 'Z'), add(&c, '_', '_'), add(&c, 'a', 'z'); break;
    case 's': add(&c, 9, 13), add(&c, ' ', ' '); break;
    default: return 0;
    }
    if (!(letter & 32)) c = complement(&c, 0x7F);
    add_all(to, &c);
    return 1;
}

/* The set as GBNF: plain characters as a class, the others as JSON's escapes. */
static void write_set(regex *r, const set *c) {
    static const char special[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    set plain = *c, escaped = {.n = 0};
    add(&escaped, 0, 0x1F), add(&escaped, '"', '"'), add(&escaped, '\\', '\\'), add(&escaped, 0xD800, 0xDFFF);
    set inverse = complement(c, LAST);
    add_all(&inverse, &escaped);
    plain = complement(&inverse, LAST);
    if (inverse.full || plain.full) {
        leat__schema_fail(r->s, LEAT_ELIMIT, "'pattern': a class of too many ranges");
        r->out->failed = 1;
    }
    int parts = 0;
    leat__strbuf_add(r->out, "(");
    if (plain.n) {
        leat__strbuf_add(r->out, "[");
        for (int i = 0; i < plain.n; i++) {
            leat__schema_in_class(r->out, plain.from[i]);
            if (plain.to[i] == plain.from[i]) continue;
            leat__strbuf_add(r->out, "-");
            leat__schema_in_class(r->out, plain.to[i]);
        }
        leat__strbuf_add(r->out, "]");
        parts++;
    }
    for (uint32_t x = 1; x < 0x60; x++) {
        const char *found = x < 0x80 && (x < 0x20 || x == '"' || x == '\\') ? strchr(special, (int)x) : NULL;
        if (!holds(c, x) || !(x < 0x20 || x == '"' || x == '\\')) continue;
        if (parts++) leat__strbuf_add(r->out, " | ");
        if (found && (names[found - special] == '"' || names[found - special] == '\\')) leat__strbuf_addf(r->out, "\"\\\\\\%c\"", names[found - special]);
        else if (found) leat__strbuf_addf(r->out, "\"\\\\%c\"", names[found - special]);
        else leat__strbuf_addf(r->out, "\"\\\\u%04x\"", x);
    }
    leat__strbuf_add(r->out, ") ");
}

/* ---- escapes and classes ---------------------------------------------------------------------------------------------------- */

static int hex(regex *r, int digits, uint32_t *c) {
    *c = 0;
    for (int i = 0; i < digits; i++) {
        int d = peek(r), v = d >= '0' && d <= '9' ? d - '0' : d >= 'a' && d <= 'f' ? d - 'a' + 10 : d >= 'A' && d <= 'F' ? d - 'A' + 10 : -1;
        if (v < 0) return refuse(r, "\\x wants two hexadecimal digits, \\u four");
        *c = *c << 4 | (uint32_t)v;
        r->at++;
    }
    return *c < 0xD800 || *c > 0xDFFF ? LEAT_OK : refuse(r, "surrogates in \\u are not supported");
}

/* Behind a backslash: one character, or a set of them (*c is UINT32_MAX then). */
static int escape(regex *r, uint32_t *c, set *to) {
    int e = peek(r);
    if (e < 0) return refuse(r, "it ends in a backslash");
    r->at++;
    *c = UINT32_MAX;
    if (shorthand(e, to)) return LEAT_OK;
    switch (e) {
    case 'n': *c = '\n'; return LEAT_OK;
    case 'r': *c = '\r'; return LEAT_OK;
    case 't': *c = '\t'; return LEAT_OK;
    case 'f': *c = '\f'; return LEAT_OK;
    case 'v': *c = '\v'; return LEAT_OK;
    case 'x': return hex(r, 2, c);
    case 'u': return hex(r, 4, c);
    default: break;
    }
    if ((e >= '0' && e <= '9') || (e >= 'a' && e <= 'z') || (e >= 'A' && e <= 'Z') || e >= 0x80)
        return leat__schema_fail(r->s, LEAT_EUNSUPPORTED, "'pattern': '\\%c' is not supported", e < 0x80 ? e : '?');
    *c = (uint32_t)e;
    return LEAT_OK;
}

static int char_class(regex *r, set *to) {
    int negated = peek(r) == '^', status;
    if (negated) r->at++;
    while (peek(r) != ']') {
        if (peek(r) < 0) return refuse(r, "a class does not end");
        uint32_t from = next_character(r), last;
        if (from == '[' || (from == '&' && peek(r) == '&')) return refuse(r, "'[' and '&&' in a class mean different things in different dialects; write \\[");
        if (from == '\\' && (status = escape(r, &from, to))) return status;
        last = from;
        if (from != UINT32_MAX && r->end - r->at >= 2 && r->at[0] == '-' && r->at[1] != ']') {
            r->at++;
            last = next_character(r);
            if (last == '\\' && (status = escape(r, &last, to))) return status;
            if (last == UINT32_MAX || last < from) return refuse(r, "a range of a class is the wrong way round");
        }
        if (from != UINT32_MAX) add(to, from, last);
    }
    r->at++;
    if (to->full) return leat__schema_fail(r->s, LEAT_ELIMIT, "'pattern': a class of too many ranges");
    if (negated) *to = complement(to, LAST);
    return to->n ? LEAT_OK : refuse(r, "a class without any character");
}

/* ---- items ------------------------------------------------------------------------------------------------------------------ */

static int alternatives(regex *r, int top);

static int quantifier(regex *r) {
    int c = peek(r);
    if (c == '*' || c == '+' || c == '?') {
        leat__strbuf_addf(r->out, "%c", c);
        r->at++;
    } else if (c == '{') {
        const uint8_t *from = r->at++;
        while (r->at < r->end && ((*r->at >= '0' && *r->at <= '9') || *r->at == ',')) r->at++;
        if (peek(r) != '}' || from[1] < '0' || from[1] > '9' || r->at - from > 16) return refuse(r, "'{' that is not {m}, {m,} or {m,n}");
        r->at++;
        leat__strbuf_addn(r->out, (const char *)from, (size_t)(r->at - from));
    } else {
        return LEAT_OK;
    }
    if (peek(r) == '+') return refuse(r, "possessive repetition is not supported");
    if (peek(r) == '?') r->at++; /* lazy: the same language */
    if (peek(r) == '*' || peek(r) == '+' || peek(r) == '?' || peek(r) == '{') return refuse(r, "a repetition of a repetition");
    leat__strbuf_add(r->out, " ");
    return LEAT_OK;
}

static int group(regex *r) {
    if (++r->depth > MOST_DEPTH) return leat__schema_fail(r->s, LEAT_ELIMIT, "'pattern': groups are nested more than %d deep", MOST_DEPTH);
    if (peek(r) == '?') {
        if (r->end - r->at < 2 || r->at[1] != ':') return refuse(r, "'(?' is not supported, but for (?:");
        r->at += 2;
    }
    leat__strbuf_add(r->out, "(");
    int status = alternatives(r, 0);
    leat__strbuf_add(r->out, ") ");
    if (status == LEAT_OK && peek(r) != ')') return refuse(r, "')' is missing");
    r->at++;
    r->depth--;
    return status;
}

static int item(regex *r) {
    set c = {.n = 0};
    uint32_t x = next_character(r);
    int status = LEAT_OK;
    switch (x) {
    case '(': status = group(r); break;
    case '[':
        status = char_class(r, &c);
        if (status == LEAT_OK) write_set(r, &c);
        break;
    case '.': {
        set ends = {.n = 0};
        add(&ends, '\n', '\n'), add(&ends, '\r', '\r'), add(&ends, 0x2028, 0x2029);
        c = complement(&ends, LAST);
        write_set(r, &c);
        break;
    }
    case '\\':
        status = escape(r, &x, &c);
        if (x != UINT32_MAX) add(&c, x, x);
        if (status == LEAT_OK) write_set(r, &c);
        break;
    case '*': case '+': case '?': case '{': case '}': case ']': return refuse(r, "a repetition of nothing, or an unpaired bracket");
    case '^': case '$': return refuse(r, "'^' or '$' within it is not supported");
    default:
        add(&c, x, x);
        write_set(r, &c);
        break;
    }
    return status ? status : quantifier(r);
}

/* top: of the whole expression, where ^ and $ may stand and free text fills their absence. */
static int one_alternative(regex *r, int top) {
    int begins = top && peek(r) == '^', ends = 0, items = 0, status = LEAT_OK;
    if (begins) r->at++;
    else if (top) leat__strbuf_add(r->out, "char* ");
    while (status == LEAT_OK && peek(r) >= 0 && peek(r) != '|' && peek(r) != ')') {
        if (top && peek(r) == '$' && (r->at + 1 == r->end || r->at[1] == '|')) {
            ends = 1;
            r->at++;
            break;
        }
        status = item(r);
        items++;
    }
    if (top && !ends) leat__strbuf_add(r->out, "char* ");
    else if (!items && (!top || begins)) leat__strbuf_add(r->out, "\"\" ");
    return status;
}

static int alternatives(regex *r, int top) {
    for (;;) {
        int status = one_alternative(r, top);
        if (status || peek(r) != '|') return status;
        r->at++;
        leat__strbuf_add(r->out, "| ");
    }
}

int leat__schema_pattern(leat_schema *s, const char *pattern, size_t length, leat_strbuf *out) {
    regex r = {.s = s, .at = (const uint8_t *)pattern, .end = (const uint8_t *)pattern + length, .out = out};
    s->used |= LEAT_SCHEMA_USE_CHAR;
    leat__strbuf_add(out, "\"\\\"\" (");
    int status = alternatives(&r, 1);
    if (status == LEAT_OK && r.at < r.end) status = refuse(&r, "')' without '('");
    leat__strbuf_add(out, ") \"\\\"\"");
    return status ? status : s->error->status;
}
