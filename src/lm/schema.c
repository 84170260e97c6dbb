/* schema.c - JSON schema to GBNF: reading, the visit of each schema, references and alternatives, the rules that all share.
 *
 * What the output looks like, besides what the schema says: blanks where JSON allows them, but at most one space or one line end with its indentation; the properties of
 * an object in the schema's order; no properties that the schema does not mention, unless it has "additionalProperties" or no "properties"; numbers of bounded length.
 * So what is generated always validates, and not everything that validates can be generated.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "leat/grammar.h"
#include "lm/schema_impl.h"

#define MOST_TEXT ((size_t)1 << 20)

int leat__schema_fail(leat_schema *s, int status, const char *format, ...) {
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return leat__fail(s->error, status, "schema: %s: %s", s->path[0] ? s->path : "/", message);
}

int leat__schema_unsupported(leat_schema *s, const char *keyword) {
    return leat__schema_fail(s, LEAT_EUNSUPPORTED, "'%.80s' is not supported: it could not be enforced", keyword);
}

json_t *leat__schema_hold(leat_schema *s, json_t *made) { return made && json_array_append_new(s->held, made) == 0 ? made : NULL; }

/* ---- rules ------------------------------------------------------------------------------------------------------------------ */

int leat__schema_number(leat_schema *s) { return s->n_rules++; }

int leat__schema_rule(leat_schema *s, int number, const leat_strbuf *body) {
    leat__strbuf_addf(&s->out, "s%d ::= ", number);
    leat__strbuf_addn(&s->out, body->text ? body->text : "", body->length);
    leat__strbuf_add(&s->out, "\n");
    if (s->out.failed || body->failed) return leat__schema_fail(s, LEAT_ENOMEM, "out of memory");
    return s->out.length > MOST_TEXT ? leat__schema_fail(s, LEAT_ELIMIT, "the schema's grammar has more than %zu bytes", MOST_TEXT) : LEAT_OK;
}

int leat__schema_count(leat_schema *s, const json_t *schema, const char *keyword, int64_t absent, int64_t *value) {
    const json_t *v = json_object_get(schema, keyword);
    *value = absent;
    if (!v) return LEAT_OK;
    double real = json_number_value(v);
    if (!json_is_number(v) || real < 0 || real != floor(real)) return leat__schema_fail(s, LEAT_EFORMAT, "'%s' is not a whole number of at least 0", keyword);
    if (real > LEAT_SCHEMA_REPEAT) return leat__schema_fail(s, LEAT_ELIMIT, "'%s' is above %d", keyword, LEAT_SCHEMA_REPEAT);
    *value = (int64_t)real;
    return LEAT_OK;
}

/* ---- keywords --------------------------------------------------------------------------------------------------------------- */

static const char *const annotations[] = {"title", "description", "default", "examples", "example", "$schema", "$comment", "deprecated", "readOnly", "writeOnly", "$defs", "definitions",
                                          "contentMediaType", "contentEncoding", "contentSchema"};
static const struct {
    const char *keyword;
    unsigned    kinds; /* 0: any */
} keywords[] = {
    {"type", 0}, {"enum", 0}, {"const", 0}, {"$ref", 0}, {"allOf", 0}, {"anyOf", 0}, {"oneOf", 0},
    {"properties", LEAT_SCHEMA_OBJECT}, {"required", LEAT_SCHEMA_OBJECT}, {"additionalProperties", LEAT_SCHEMA_OBJECT}, {"minProperties", LEAT_SCHEMA_OBJECT}, {"maxProperties", LEAT_SCHEMA_OBJECT},
    {"items", LEAT_SCHEMA_ARRAY}, {"prefixItems", LEAT_SCHEMA_ARRAY}, {"minItems", LEAT_SCHEMA_ARRAY}, {"maxItems", LEAT_SCHEMA_ARRAY}, {"uniqueItems", LEAT_SCHEMA_ARRAY},
    {"minLength", LEAT_SCHEMA_STRING}, {"maxLength", LEAT_SCHEMA_STRING}, {"pattern", LEAT_SCHEMA_STRING}, {"format", LEAT_SCHEMA_STRING},
    {"minimum", LEAT_SCHEMA_NUMBER}, {"maximum", LEAT_SCHEMA_NUMBER}, {"exclusiveMinimum", LEAT_SCHEMA_NUMBER}, {"exclusiveMaximum", LEAT_SCHEMA_NUMBER}, {"multipleOf", LEAT_SCHEMA_NUMBER},
};

int leat__schema_is_annotation(const char *keyword) {
    for (size_t i = 0; i < sizeof annotations / sizeof *annotations; i++)
        if (strcmp(annotations[i], keyword) == 0) return 1;
    return 0;
}

static int kind_named(const char *name, unsigned *kind) {
    static const char *const names[] = {"null", "boolean", "integer", "number", "string", "object", "array"};
    for (unsigned i = 0; i < 7; i++)
        if (name && strcmp(names[i], name) == 0) return *kind |= 1u << i, 1;
    return 0;
}

/* Without "type", keywords of some sorts of values leave these sorts. */
int leat__schema_kinds(leat_schema *s, const json_t *schema, unsigned *kinds) {
    const json_t *type = json_object_get(schema, "type");
    *kinds = 0;
    if (json_is_string(type)) {
        if (!kind_named(json_string_value(type), kinds)) return leat__schema_fail(s, LEAT_EFORMAT, "'type' \"%.40s\" is unknown", json_string_value(type));
    } else if (json_is_array(type) && json_array_size(type)) {
        for (size_t i = 0; i < json_array_size(type); i++)
            if (!kind_named(json_string_value(json_array_get(type, i)), kinds)) return leat__schema_fail(s, LEAT_EFORMAT, "'type' has an unknown entry");
    } else if (type) {
        return leat__schema_fail(s, LEAT_EFORMAT, "'type' is neither a name nor a list of names");
    } else {
        for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
            if (json_object_get(schema, keywords[i].keyword)) *kinds |= keywords[i].kinds;
        if (!*kinds || json_object_get(schema, "enum") || json_object_get(schema, "const")) *kinds = LEAT_SCHEMA_ANY;
    }
    if (*kinds & LEAT_SCHEMA_NUMBER) *kinds &= ~(unsigned)LEAT_SCHEMA_INTEGER;
    return LEAT_OK;
}

/* Every keyword is known, or an annotation. */
static int check_keywords(leat_schema *s, const json_t *schema) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)schema, key, value) {
        size_t i = 0;
        while (i < sizeof keywords / sizeof *keywords && strcmp(keywords[i].keyword, key) != 0) i++;
        int known = i < sizeof keywords / sizeof *keywords || leat__schema_is_annotation(key) || (strcmp(key, "$id") == 0 && schema == s->root);
        if (strcmp(key, "uniqueItems") == 0) known = json_is_false(value);
        if (strcmp(key, "multipleOf") == 0) known = json_is_number(value) && json_number_value(value) == 1;
        if (!known) return leat__schema_unsupported(s, key);
    }
    const json_t *type = json_object_get(schema, "type");
    if (json_object_get(schema, "multipleOf") && !(json_is_string(type) && strcmp(json_string_value(type), "integer") == 0)) return leat__schema_unsupported(s, "multipleOf");
    return LEAT_OK;
}

/* ---- references ------------------------------------------------------------------------------------------------------------- */

/* One step of a JSON pointer: "~1" is a slash, "~0" a tilde. */
static const json_t *step_into(const json_t *at, const char *part, size_t length) {
    char name[256];
    size_t n = 0;
    for (size_t i = 0; i < length && n + 1 < sizeof name; i++) {
        int escape = part[i] == '~' && i + 1 < length && (part[i + 1] == '0' || part[i + 1] == '1');
        name[n++] = escape ? (part[i + 1] == '1' ? '/' : '~') : part[i];
        i += (size_t)escape;
    }
    if (n + 1 == sizeof name) return NULL;
    name[n] = 0;
    if (json_is_object(at)) return json_object_get(at, name);
    char *end;
    unsigned long index = strtoul(name, &end, 10);
    return json_is_array(at) && n && n < 9 && !*end && name[0] >= '0' && name[0] <= '9' ? json_array_get(at, index) : NULL;
}

const json_t *leat__schema_resolve(leat_schema *s, const char *reference) {
    const json_t *at = s->root;
    if (reference[0] != '#' || (reference[1] && reference[1] != '/')) {
        leat__schema_fail(s, LEAT_EUNSUPPORTED, "'$ref' \"%.120s\": only references into the schema itself (\"#/...\") are followed", reference);
        return NULL;
    }
    if (strchr(reference, '%')) {
        leat__schema_fail(s, LEAT_EUNSUPPORTED, "'$ref' \"%.120s\": percent signs in references are not supported", reference);
        return NULL;
    }
    for (const char *part = reference + 1; at && *part == '/';) {
        size_t length = strcspn(part + 1, "/");
        at = step_into(at, part + 1, length);
        part += 1 + length;
    }
    if (!at) leat__schema_fail(s, LEAT_EFORMAT, "'$ref' \"%.120s\" leads nowhere", reference);
    return at;
}

/* A reference alone, annotations aside: all its uses share one rule, so it may be recursive. */
static const char *plain_reference(const json_t *schema) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)schema, key, value)
        if (strcmp(key, "$ref") != 0 && !leat__schema_is_annotation(key)) return NULL;
    return json_string_value(json_object_get(schema, "$ref"));
}

static int visit_schema(leat_schema *s, const json_t *schema, int number);

static int visit_reference(leat_schema *s, const char *reference, leat_strbuf *out) {
    const json_t *known = json_object_get(s->by_ref, reference);
    int number = known ? (int)json_integer_value(known) : leat__schema_number(s);
    leat__strbuf_addf(out, "s%d", number);
    if (known) return LEAT_OK;
    if (json_object_set_new(s->by_ref, reference, json_integer(number))) return leat__schema_fail(s, LEAT_ENOMEM, "out of memory");
    const json_t *target = leat__schema_resolve(s, reference);
    if (!target) return s->error && s->error->status ? s->error->status : LEAT_EFORMAT;
    return visit_schema(s, target, number);
}

/* ---- one schema ------------------------------------------------------------------------------------------------------------- */

static int visit_kinds(leat_schema *s, const json_t *schema, leat_strbuf *out) {
    unsigned kinds;
    int status = leat__schema_kinds(s, schema, &kinds), n = 0;
    for (unsigned kind = 1; status == LEAT_OK && kind <= LEAT_SCHEMA_ARRAY; kind *= 2) {
        if (!(kinds & kind)) continue;
        if (n++) leat__strbuf_add(out, " | ");
        switch (kind) {
        case LEAT_SCHEMA_NULL: leat__strbuf_add(out, "\"null\""); break;
        case LEAT_SCHEMA_BOOL: leat__strbuf_add(out, "\"true\" | \"false\""); break;
        case LEAT_SCHEMA_INTEGER: status = leat__schema_integer(s, schema, out); break;
        case LEAT_SCHEMA_NUMBER: status = leat__schema_real(s, schema, out); break;
        case LEAT_SCHEMA_STRING: status = leat__schema_string(s, schema, out); break;
        case LEAT_SCHEMA_OBJECT: status = leat__schema_object(s, schema, out); break;
        default: status = leat__schema_array(s, schema, out); break;
        }
    }
    return status;
}

/* The schema with one keyword less. */
static json_t *without(leat_schema *s, const json_t *schema, const char *keyword) {
    json_t *rest = leat__schema_hold(s, json_copy((json_t *)schema));
    if (rest) json_object_del(rest, keyword);
    return rest;
}

static int check_exclusive(leat_schema *s, const json_t *list) {
    for (size_t i = 0; i < json_array_size(list); i++)
        for (size_t k = 0; k < i; k++)
            if (!leat__schema_disjoint(s, json_array_get(list, k), json_array_get(list, i), 0))
                return leat__schema_fail(s, LEAT_EUNSUPPORTED, "'oneOf': its schemas %zu and %zu may hold together, which could not be prevented; write 'anyOf', or give them different constants",
                                         k, i);
    return LEAT_OK;
}

static int visit_alternatives(leat_schema *s, const json_t *schema, const char *keyword, leat_strbuf *out) {
    const json_t *list = json_object_get(schema, keyword);
    json_t *rest = without(s, schema, keyword), *merged;
    if (!rest) return leat__schema_fail(s, LEAT_ENOMEM, "out of memory");
    if (!json_is_array(list) || !json_array_size(list)) return leat__schema_fail(s, LEAT_EFORMAT, "'%s' is not a list of schemas", keyword);
    int status = keyword[0] == 'o' ? check_exclusive(s, list) : LEAT_OK;
    for (size_t i = 0; status == LEAT_OK && i < json_array_size(list); i++) {
        char key[32];
        snprintf(key, sizeof key, "%s/%zu", keyword, i);
        if (i) leat__strbuf_add(out, " | ");
        merged = json_array_get(list, i);
        const char *name;
        json_t *value;
        int bare = 1;
        json_object_foreach(rest, name, value) bare &= leat__schema_is_annotation(name);
        if (!bare) status = leat__schema_merge(s, rest, merged, &merged);
        if (status == LEAT_OK) status = leat__schema_visit(s, key, merged, out);
    }
    return status;
}

static int has_value(const json_t *list, const json_t *value) {
    size_t i = 0;
    while (i < json_array_size(list) && !json_equal(json_array_get(list, i), value)) i++;
    return i < json_array_size(list);
}

static int visit_body(leat_schema *s, const json_t *schema, leat_strbuf *out) {
    if (json_is_true(schema)) {
        s->used |= LEAT_SCHEMA_USE_VALUE;
        leat__strbuf_add(out, "value");
        return LEAT_OK;
    }
    if (json_is_false(schema)) return leat__schema_fail(s, LEAT_EUNSUPPORTED, "no value satisfies the schema");
    if (!json_is_object(schema)) return leat__schema_fail(s, LEAT_EFORMAT, "a schema is an object, true or false");
    const char *reference = plain_reference(schema);
    if (reference) return visit_reference(s, reference, out);
    const json_t *flat;
    int status = leat__schema_flatten(s, schema, &flat);
    if (status) return status;
    if (flat != schema && !json_is_object(flat)) return visit_body(s, flat, out);
    status = check_keywords(s, flat);
    if (status) return status;
    if (json_object_get(flat, "anyOf")) return visit_alternatives(s, flat, "anyOf", out);
    if (json_object_get(flat, "oneOf")) return visit_alternatives(s, flat, "oneOf", out);
    const json_t *only = json_object_get(flat, "const"), *values = json_object_get(flat, "enum");
    if (only) values = leat__schema_hold(s, json_pack("[O]", only));
    if (only && json_object_get(flat, "enum") && !has_value(json_object_get(flat, "enum"), only))
        return leat__schema_fail(s, LEAT_EUNSUPPORTED, "no value satisfies the schema: 'const' is not in 'enum'");
    unsigned kinds;
    if (values) return leat__schema_enum(s, flat, values, out);
    status = leat__schema_kinds(s, flat, &kinds);
    if (status == LEAT_OK && kinds == LEAT_SCHEMA_ANY && !json_object_get(flat, "type")) return visit_body(s, json_true(), out);
    return status ? status : visit_kinds(s, flat, out);
}

static int visit_schema(leat_schema *s, const json_t *schema, int number) {
    leat_strbuf body = {0};
    if (++s->depth > LEAT_SCHEMA_DEPTH) return leat__schema_fail(s, LEAT_ELIMIT, "schemas are nested more than %d deep", LEAT_SCHEMA_DEPTH);
    if (++s->steps > LEAT_SCHEMA_STEPS) return leat__schema_fail(s, LEAT_ELIMIT, "the schema means more than %d schemas", LEAT_SCHEMA_STEPS);
    int status = visit_body(s, schema, &body);
    if (status == LEAT_OK) status = leat__schema_rule(s, number, &body);
    leat__strbuf_fini(&body);
    s->depth--;
    return status;
}

int leat__schema_visit(leat_schema *s, const char *key, const json_t *schema, leat_strbuf *out) {
    size_t length = strlen(s->path);
    snprintf(s->path + length, sizeof s->path - length, "/%s", key);
    int number = leat__schema_number(s), status = visit_schema(s, schema, number);
    leat__strbuf_addf(out, "s%d", number);
    if (status == LEAT_OK) s->path[length] = 0; /* a failure keeps the path of its place */
    return status;
}

/* ---- the whole -------------------------------------------------------------------------------------------------------------- */

static void shared_rules(leat_schema *s) {
    static const char value[] = "value ::= object | array | string | number | \"true\" | \"false\" | \"null\"\n"
                                "object ::= \"{\" ws (member (ws \",\" ws member)* ws)? \"}\"\n"
                                "member ::= string ws \":\" ws value\n"
                                "array ::= \"[\" ws (value (ws \",\" ws value)* ws)? \"]\"\n";
    static const char character[] = "char ::= [^\"\\\\\\x00-\\x1f] | \"\\\\\" ([\"\\\\/bfnrt] | \"u\" (unit | [dD] [89abAB] hex hex \"\\\\u\" [dD] [c-fC-F] hex hex))\n"
                                    "unit ::= [0-9a-cefA-CEF] hex hex hex | [dD] [0-7] hex hex\n"
                                    "hex ::= [0-9a-fA-F]\n";
    unsigned used = s->used;
    if (used & LEAT_SCHEMA_USE_VALUE) used |= LEAT_SCHEMA_USE_STRING | LEAT_SCHEMA_USE_NUMBER | LEAT_SCHEMA_USE_WS, leat__strbuf_add(&s->out, value);
    if (used & LEAT_SCHEMA_USE_STRING) used |= LEAT_SCHEMA_USE_CHAR, leat__strbuf_add(&s->out, "string ::= \"\\\"\" char* \"\\\"\"\n");
    if (used & LEAT_SCHEMA_USE_CHAR) leat__strbuf_add(&s->out, character);
    if (used & LEAT_SCHEMA_USE_KEY) leat__strbuf_add(&s->out, "keychar ::= [^\"\\\\\\x00-\\x1f]\n");
    if (used & LEAT_SCHEMA_USE_NUMBER)
        leat__strbuf_add(&s->out, "number ::= \"-\"? (\"0\" | [1-9] [0-9]{0,15}) (\".\" [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?\n");
    if (used & LEAT_SCHEMA_USE_WS) leat__strbuf_add(&s->out, "ws ::= (\" \" | \"\\r\"? \"\\n\" [ \\t]{0,40})?\n");
}

static int convert(leat_schema *s) {
    leat__strbuf_add(&s->out, "root ::= s0\n");
    int status = visit_schema(s, s->root, leat__schema_number(s));
    if (status) return status;
    shared_rules(s);
    return s->out.failed ? leat__schema_fail(s, LEAT_ENOMEM, "out of memory") : LEAT_OK;
}

/* The grammar's text in s->out, which is the caller's also after a failure. */
static int schema_text(const char *json, size_t bytes, leat_strbuf *text, leat_error *error) {
    json_error_t wrong;
    leat_error own = {0}; /* the failure is read back on the way */
    if (!json && bytes) return leat__fail(error, LEAT_EINVAL, "schema: no text");
    if (bytes > MOST_TEXT) return leat__fail(error, LEAT_ELIMIT, "schema: %zu bytes, the limit is %zu", bytes, MOST_TEXT);
    leat_schema s = {.error = &own};
    s.root = json_loadb(json, bytes, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &wrong);
    if (!s.root) return leat__fail_at(error, LEAT_EFORMAT, wrong.position > 0 ? (uint64_t)wrong.position : 0, "schema: line %d: not JSON: %s", wrong.line, wrong.text);
    s.held = json_array();
    s.by_ref = json_object();
    int status = s.held && s.by_ref ? convert(&s) : leat__schema_fail(&s, LEAT_ENOMEM, "out of memory");
    json_decref(s.by_ref);
    json_decref(s.held);
    json_decref(s.root);
    *text = s.out;
    if (status && error) *error = own;
    return status;
}

int leat_grammar_schema_text(const char *json, size_t bytes, char *text, size_t capacity, size_t *length, leat_error *error) {
    leat_strbuf made = {0};
    if (!length || (!text && capacity)) return leat__fail(error, LEAT_EINVAL, "schema: length is needed, and text where there is capacity");
    int status = schema_text(json, bytes, &made, error);
    if (status == LEAT_OK) {
        *length = made.length;
        if (text) memcpy(text, made.text, made.length < capacity ? made.length : capacity);
        if (made.length > capacity) status = LEAT_ELIMIT;
    }
    leat__strbuf_fini(&made);
    return status;
}

int leat_grammar_open_schema(const char *json, size_t bytes, leat_grammar **grammar, leat_error *error) {
    leat_strbuf made = {0};
    if (!grammar) return leat__fail(error, LEAT_EINVAL, "schema: grammar is needed");
    *grammar = NULL;
    int status = schema_text(json, bytes, &made, error);
    if (status == LEAT_OK) {
        status = leat_grammar_open(made.text, made.length, grammar, error);
        if (status) leat__fail_prefix(error, status, "schema");
    }
    leat__strbuf_fini(&made);
    return status;
}
