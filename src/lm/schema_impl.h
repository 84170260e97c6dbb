/* schema_impl.h - inside of the way from a JSON schema to GBNF.
 *
 *   schema.c          reads the JSON, visits each schema once, references, alternatives; the public calls
 *   schema_merge.c    what must hold together as one schema; whether two schemas can hold together at all
 *   schema_value.c    enumerations, numbers and their ranges, strings and formats
 *   schema_pattern.c  regular expressions
 *   schema_object.c   objects and arrays
 *
 * Each schema becomes a rule; the rules are written to one text as they are done.  What is not understood is refused with its path: nothing is skipped.
 */
#ifndef LEAT_LM_SCHEMA_IMPL_H
#define LEAT_LM_SCHEMA_IMPL_H

#include <jansson.h>

#include "base/str.h"
#include "leat/status.h"

#define LEAT_SCHEMA_DEPTH 64
#define LEAT_SCHEMA_STEPS 65536 /* schemas visited and merged */
#define LEAT_SCHEMA_REPEAT 65536

/* Sorts of values, as bits. */
enum {
    LEAT_SCHEMA_NULL = 1, LEAT_SCHEMA_BOOL = 2, LEAT_SCHEMA_INTEGER = 4, LEAT_SCHEMA_NUMBER = 8, LEAT_SCHEMA_STRING = 16, LEAT_SCHEMA_OBJECT = 32,
    LEAT_SCHEMA_ARRAY = 64, LEAT_SCHEMA_ANY = 123 /* a number may be an integer */
};
/* Shared rules that were used. */
enum { LEAT_SCHEMA_USE_VALUE = 1, LEAT_SCHEMA_USE_STRING = 2, LEAT_SCHEMA_USE_NUMBER = 4, LEAT_SCHEMA_USE_CHAR = 8, LEAT_SCHEMA_USE_WS = 16, LEAT_SCHEMA_USE_KEY = 32 };

typedef struct leat_schema {
    json_t      *root;
    json_t      *held;       /* an array of all that was made on the way */
    json_t      *by_ref;     /* reference -> number of its rule */
    leat_strbuf  out;        /* finished rules */
    char         path[512];  /* of the schema at hand, as a JSON pointer */
    int          depth, steps, n_rules;
    unsigned     used;
    leat_error  *error;
} leat_schema;

/* Refuses: "schema: PATH: ...".  Returns status. */
int leat__schema_fail(leat_schema *s, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
int leat__schema_unsupported(leat_schema *s, const char *keyword);
/* Keeps a value that was made, until the end; NULL stays NULL. */
json_t *leat__schema_hold(leat_schema *s, json_t *made);

/* Appends the name of the rule for `schema`, which is at `key` below the path. */
int leat__schema_visit(leat_schema *s, const char *key, const json_t *schema, leat_strbuf *out);
/* The schema that a reference names; NULL after a failure. */
const json_t *leat__schema_resolve(leat_schema *s, const char *reference);
/* A new rule: its number; its text is appended by leat__schema_rule(). */
int  leat__schema_number(leat_schema *s);
int  leat__schema_rule(leat_schema *s, int number, const leat_strbuf *body);
/* A whole number >= 0 at `keyword`, or `absent`.  Numbers above LEAT_SCHEMA_REPEAT are refused. */
int leat__schema_count(leat_schema *s, const json_t *schema, const char *keyword, int64_t absent, int64_t *value);
/* Sorts of values that the schema's type and keywords leave. */
int leat__schema_kinds(leat_schema *s, const json_t *schema, unsigned *kinds);
int leat__schema_is_annotation(const char *keyword);

/* One schema that holds where both do; NULL after a failure.  *merged is held. */
int leat__schema_merge(leat_schema *s, const json_t *a, const json_t *b, json_t **merged);
/* The schema without "$ref" and "allOf".  *flat is held or part of the input. */
int leat__schema_flatten(leat_schema *s, const json_t *schema, const json_t **flat);
/* 1 when no value can satisfy both. */
int leat__schema_disjoint(leat_schema *s, const json_t *a, const json_t *b, int depth);

/* Expressions of GBNF, appended. */
int leat__schema_enum(leat_schema *s, const json_t *schema, const json_t *values, leat_strbuf *out);
int leat__schema_integer(leat_schema *s, const json_t *schema, leat_strbuf *out);
int leat__schema_real(leat_schema *s, const json_t *schema, leat_strbuf *out);
int leat__schema_string(leat_schema *s, const json_t *schema, leat_strbuf *out);
int leat__schema_pattern(leat_schema *s, const char *pattern, size_t length, leat_strbuf *out);
int leat__schema_object(leat_schema *s, const json_t *schema, leat_strbuf *out);
int leat__schema_array(leat_schema *s, const json_t *schema, leat_strbuf *out);
/* Appends text [bytes] as a literal, in quotes; a character of a class. */
void leat__schema_literal(leat_strbuf *out, const char *text, size_t bytes);
void leat__schema_in_class(leat_strbuf *out, uint32_t character);
/* Appends a JSON value as JSON text. */
void leat__schema_json(leat_strbuf *out, const json_t *value);

#endif
