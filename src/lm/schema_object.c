/* schema_object.c - objects and arrays.
 *
 * The properties of an object come in the schema's order.  With n of them the rules are n "rests" (what may follow once something has been written, each with its
 * comma), and the alternatives of what comes first; so the text grows with n and not with its square.  Other properties come last; their names are any but
 * those of the listed ones, which a small trie of rules sees to.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "lm/schema_impl.h"

/* ---- names that are not in a list ------------------------------------------------------------------------------------------- */

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* Bytes of the character at the head of well-formed UTF-8. */
static size_t character_bytes(const char *text) { return (uint8_t)*text < 0x80 ? 1 : (uint8_t)*text < 0xE0 ? 2 : (uint8_t)*text < 0xF0 ? 3 : 4; }

static uint32_t character_at(const char *text) {
    size_t n = character_bytes(text);
    uint32_t c = n == 1 ? (uint8_t)*text : (uint8_t)*text & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) c = c << 6 | ((uint8_t)text[i] & 0x3F);
    return c;
}

/* A rule for what may follow `at` bytes that names [count], sorted, have in common, so that the whole is none of them. */
static int other_rest(leat_schema *s, const char *const *names, size_t count, size_t at, leat_strbuf *out) {
    leat_strbuf body = {0}, excluded = {0};
    int number = leat__schema_number(s), status = LEAT_OK, ends = 0;
    size_t i = 0;
    if (++s->steps > LEAT_SCHEMA_STEPS) return leat__schema_fail(s, LEAT_ELIMIT, "the schema means more than %d schemas", LEAT_SCHEMA_STEPS);
    for (; i < count && !names[i][at]; i++) ends = 1;
    while (i < count && status == LEAT_OK) {
        size_t n = character_bytes(names[i] + at), last = i + 1;
        while (last < count && strncmp(names[last] + at, names[i] + at, n) == 0) last++;
        leat__schema_literal(&body, names[i] + at, n);
        leat__strbuf_add(&body, " ");
        leat__schema_in_class(&excluded, character_at(names[i] + at));
        status = other_rest(s, names + i, last - i, at + n, &body);
        leat__strbuf_add(&body, " | ");
        i = last;
    }
    leat__strbuf_addf(&body, "[^\"\\\\\\x00-\\x1f%s] keychar*", excluded.text ? excluded.text : "");
    if (!ends) leat__strbuf_add(&body, " | \"\"");
    if (status == LEAT_OK) status = leat__schema_rule(s, number, &body);
    leat__strbuf_fini(&body);
    leat__strbuf_fini(&excluded);
    leat__strbuf_addf(out, "s%d", number);
    return status;
}

/* A name that needs an escape in JSON cannot be written by the rule anyway. */
static int is_plain(const char *name) {
    for (; *name; name++)
        if ((uint8_t)*name < 0x20 || *name == '"' || *name == '\\') return 0;
    return 1;
}

static int other_name(leat_schema *s, const json_t *properties, leat_strbuf *out) {
    const char *key, **names = leat__calloc(json_object_size(properties) + 1, sizeof *names, LEAT_MEMORY_OTHER);
    json_t *value;
    size_t n = 0;
    if (!names) return leat__schema_fail(s, LEAT_ENOMEM, "out of memory");
    json_object_foreach((json_t *)properties, key, value) {
        if (strlen(key) > 200) {
            leat__free(names);
            return leat__schema_fail(s, LEAT_ELIMIT, "a property's name of more than 200 bytes beside 'additionalProperties'");
        }
        if (is_plain(key)) names[n++] = key;
    }
    qsort(names, n, sizeof *names, by_text);
    s->used |= LEAT_SCHEMA_USE_KEY;
    leat__strbuf_add(out, "\"\\\"\" ");
    int status = other_rest(s, names, n, 0, out);
    leat__strbuf_add(out, " \"\\\"\"");
    leat__free(names);
    return status;
}

/* ---- objects ---------------------------------------------------------------------------------------------------------------- */

/* The properties that may be written, in order: pairs [name, schema, required]. */
static int add_property(json_t *list, const char *name, const json_t *schema, int required) {
    return json_array_append_new(list, json_pack("[s,O,b]", name, schema, required)) == 0;
}

static int is_required(const json_t *required, const char *name) {
    size_t i;
    json_t *entry;
    json_array_foreach(required, i, entry)
        if (strcmp(json_string_value(entry), name) == 0) return 1;
    return 0;
}

static int list_properties(leat_schema *s, const json_t *schema, json_t *list) {
    const json_t *properties = json_object_get(schema, "properties"), *required = json_object_get(schema, "required"), *other = json_object_get(schema, "additionalProperties");
    const char *key;
    json_t *value;
    size_t i, k;
    int ok = 1;
    if (properties && !json_is_object(properties)) return leat__schema_fail(s, LEAT_EFORMAT, "'properties' is not an object");
    if (required && !json_is_array(required)) return leat__schema_fail(s, LEAT_EFORMAT, "'required' is not a list of names");
    json_array_foreach(required, i, value)
        if (!json_is_string(value)) return leat__schema_fail(s, LEAT_EFORMAT, "'required' is not a list of names");
    json_object_foreach((json_t *)properties, key, value) {
        int needed = is_required(required, key);
        if (json_is_false(value) && needed) return leat__schema_fail(s, LEAT_EUNSUPPORTED, "no value satisfies the schema: property '%.80s' is required and forbidden", key);
        if (!json_is_false(value)) ok &= add_property(list, key, value, needed);
    }
    json_array_foreach(required, i, value) {
        const char *name = json_string_value(value);
        int listed = json_object_get(properties, name) != NULL;
        for (k = 0; k < i; k++) listed |= strcmp(json_string_value(json_array_get(required, k)), name) == 0;
        if (listed) continue;
        if (json_is_false(other)) return leat__schema_fail(s, LEAT_EUNSUPPORTED, "no value satisfies the schema: property '%.80s' is required and forbidden", name);
        ok &= add_property(list, name, other ? other : json_true(), 1);
    }
    return ok ? LEAT_OK : leat__schema_fail(s, LEAT_ENOMEM, "out of memory");
}

static void member_name(const char *name, leat_strbuf *out) {
    leat_strbuf text = {0};
    leat__strbuf_add_json(&text, name, strlen(name));
    if (text.failed) out->failed = 1;
    else leat__schema_literal(out, text.text, text.length);
    leat__strbuf_fini(&text);
}

/* One rule for each property: name, colon, value.  Its numbers follow each other from *first. */
static int member_rules(leat_schema *s, const json_t *list, int *first) {
    size_t i;
    json_t *entry;
    int status = LEAT_OK;
    *first = s->n_rules;
    s->n_rules += (int)json_array_size(list);
    json_array_foreach(list, i, entry) {
        leat_strbuf body = {0};
        char key[160];
        const char *name = json_string_value(json_array_get(entry, 0));
        snprintf(key, sizeof key, "properties/%.100s", name);
        member_name(name, &body);
        leat__strbuf_add(&body, " ws \":\" ws ");
        status = leat__schema_visit(s, key, json_array_get(entry, 1), &body);
        if (status == LEAT_OK) status = leat__schema_rule(s, *first + (int)i, &body);
        leat__strbuf_fini(&body);
        if (status) return status;
    }
    return LEAT_OK;
}

/* The rule of any other property; its number, -1 when there is none. */
static int other_rule(leat_schema *s, const json_t *schema, const json_t *list, int *number) {
    const json_t *other = json_object_get(schema, "additionalProperties"), *properties = json_object_get(schema, "properties");
    *number = -1;
    if (json_is_false(other) || (!other && (properties || json_object_get(schema, "required")))) return LEAT_OK;
    json_t *names = leat__schema_hold(s, properties ? json_copy((json_t *)properties) : json_object());
    size_t i;
    json_t *entry;
    json_array_foreach(list, i, entry) json_object_set_new(names, json_string_value(json_array_get(entry, 0)), json_true());
    leat_strbuf body = {0};
    *number = leat__schema_number(s);
    int status = names ? other_name(s, names, &body) : leat__schema_fail(s, LEAT_ENOMEM, "out of memory");
    leat__strbuf_add(&body, " ws \":\" ws ");
    if (status == LEAT_OK) status = leat__schema_visit(s, "additionalProperties", other ? other : json_true(), &body);
    if (status == LEAT_OK) status = leat__schema_rule(s, *number, &body);
    leat__strbuf_fini(&body);
    return status;
}

/* What may follow once something is written: rules [rest, rest + n]; the last one is of the other properties. */
static int rest_rules(leat_schema *s, const json_t *list, int members, int other, int rest) {
    size_t n = json_array_size(list);
    for (size_t i = 0; i <= n; i++) {
        leat_strbuf body = {0};
        int required = i < n && json_is_true(json_array_get(json_array_get(list, i), 2));
        if (i < n) leat__strbuf_addf(&body, required ? "ws \",\" ws s%d s%d" : "(ws \",\" ws s%d)? s%d", members + (int)i, rest + (int)i + 1);
        else if (other >= 0) leat__strbuf_addf(&body, "(ws \",\" ws s%d)*", other);
        else leat__strbuf_add(&body, "\"\"");
        int status = leat__schema_rule(s, rest + (int)i, &body);
        leat__strbuf_fini(&body);
        if (status) return status;
    }
    return LEAT_OK;
}

/* Counts of properties are honoured only where the rest of the schema sees to them. */
static int check_counts(leat_schema *s, const json_t *schema, const json_t *list, int other) {
    int64_t low, high, required = 0;
    size_t i;
    json_t *entry;
    int status = leat__schema_count(s, schema, "minProperties", 0, &low);
    if (status == LEAT_OK) status = leat__schema_count(s, schema, "maxProperties", INT64_MAX, &high);
    if (status) return status;
    json_array_foreach(list, i, entry) required += json_is_true(json_array_get(entry, 2));
    if (low > required) return leat__schema_unsupported(s, "minProperties");
    if (high < INT64_MAX && (other >= 0 || high < (int64_t)json_array_size(list))) return leat__schema_unsupported(s, "maxProperties");
    return LEAT_OK;
}

int leat__schema_object(leat_schema *s, const json_t *schema, leat_strbuf *out) {
    json_t *list = leat__schema_hold(s, json_array()), *entry;
    int members, other, first_required = 0;
    size_t i;
    int status = list ? list_properties(s, schema, list) : leat__schema_fail(s, LEAT_ENOMEM, "out of memory");
    if (status == LEAT_OK) status = other_rule(s, schema, list, &other);
    if (status == LEAT_OK) status = check_counts(s, schema, list, other);
    if (status == LEAT_OK) status = member_rules(s, list, &members);
    if (status) return status;
    int rest = s->n_rules;
    s->n_rules += (int)json_array_size(list) + 1;
    s->used |= LEAT_SCHEMA_USE_WS;
    status = rest_rules(s, list, members, other, rest);
    if (status) return status;
    leat__strbuf_add(out, "\"{\" ws (");
    json_array_foreach(list, i, entry) {
        leat__strbuf_addf(out, "%ss%d s%d", i ? " | " : "", members + (int)i, rest + (int)i + 1);
        first_required = json_is_true(json_array_get(entry, 2));
        if (first_required) break;
    }
    if (!first_required && other >= 0) leat__strbuf_addf(out, "%ss%d s%d", json_array_size(list) ? " | " : "", other, rest + (int)json_array_size(list));
    if (!first_required && other < 0 && !json_array_size(list)) leat__strbuf_add(out, "\"\"");
    leat__strbuf_add(out, first_required ? " ws) \"}\"" : " ws)? \"}\"");
    return LEAT_OK;
}

/* ---- arrays ----------------------------------------------------------------------------------------------------------------- */

static int visit_items(leat_schema *s, const json_t *schema, const json_t *prefix, int any, leat_strbuf *names, int64_t *at, leat_strbuf *item) {
    json_t *entry;
    size_t i;
    int status = LEAT_OK;
    json_array_foreach(prefix, i, entry) {
        char key[40];
        snprintf(key, sizeof key, "prefixItems/%zu", i);
        at[i] = (int64_t)names->length;
        if (status == LEAT_OK) status = leat__schema_visit(s, key, entry, names);
        leat__strbuf_addn(names, "", 1);
    }
    const json_t *items = json_object_get(schema, "items");
    if (status == LEAT_OK && any) status = leat__schema_visit(s, "items", items ? items : json_true(), item);
    return status;
}

/* Items from `n_prefix` on: `low` to `high` of them, high < 0 = any number; the first without a comma when nothing stands before it. */
static void write_tail(leat_strbuf *out, const char *item, int64_t low, int64_t high, int bare) {
    if (high == 0) {
        leat__strbuf_add(out, "\"\"");
        return;
    }
    if (bare) leat__strbuf_addf(out, "%s ", item);
    if (bare) low = low ? low - 1 : 0, high -= high > 0;
    if (high < 0) leat__strbuf_addf(out, "(ws \",\" ws %s){%lld,}", item, (long long)low);
    else leat__strbuf_addf(out, "(ws \",\" ws %s){%lld,%lld}", item, (long long)low, (long long)high);
}

/* Each item in front opens a parenthesis that may be left out once `low` items are there. */
static int write_array(leat_schema *s, const leat_strbuf *names, const int64_t *at, int64_t n_prefix, const char *item, int64_t low, int64_t high, leat_strbuf *out) {
    int64_t in_front = high >= 0 && high < n_prefix ? high : n_prefix;
    leat__strbuf_add(out, "\"[\" ws ");
    if (high == 0) {
        leat__strbuf_add(out, "\"]\"");
        return LEAT_OK;
    }
    leat__strbuf_add(out, "(");
    for (int64_t i = 0; i < in_front; i++) leat__strbuf_addf(out, i ? "(ws \",\" ws %s " : "%s ", names->text + at[i]);
    write_tail(out, item, low > n_prefix ? low - n_prefix : 0, high < 0 ? -1 : high - in_front, n_prefix == 0);
    for (int64_t i = in_front - 1; i > 0; i--) leat__strbuf_add(out, i < low ? ")" : ")?");
    leat__strbuf_add(out, low > 0 ? " ws) \"]\"" : " ws)? \"]\"");
    return out->failed ? leat__schema_fail(s, LEAT_ENOMEM, "out of memory") : LEAT_OK;
}

int leat__schema_array(leat_schema *s, const json_t *schema, leat_strbuf *out) {
    const json_t *prefix = json_object_get(schema, "prefixItems"), *items = json_object_get(schema, "items");
    leat_strbuf names = {0}, item = {0};
    int64_t low, high, at[LEAT_SCHEMA_DEPTH], n = (int64_t)json_array_size(prefix);
    int status = leat__schema_count(s, schema, "minItems", 0, &low);
    if (status == LEAT_OK) status = leat__schema_count(s, schema, "maxItems", -1, &high);
    if (status) return status;
    if (prefix && !json_is_array(prefix)) return leat__schema_fail(s, LEAT_EFORMAT, "'prefixItems' is not a list");
    if (n > LEAT_SCHEMA_DEPTH) return leat__schema_fail(s, LEAT_ELIMIT, "'prefixItems' has more than %d schemas", LEAT_SCHEMA_DEPTH);
    if (json_is_array(items)) return leat__schema_fail(s, LEAT_EUNSUPPORTED, "'items' as a list is not supported, write 'prefixItems'");
    if (json_is_false(items) && (high < 0 || high > n)) high = n;
    for (int64_t i = 0; i < n; i++)
        if (json_is_false(json_array_get(prefix, (size_t)i)) && (high < 0 || high > i)) high = n = i;
    if (high >= 0 && low > high) return leat__schema_fail(s, LEAT_EUNSUPPORTED, "no array is within its limits");
    json_t *used = leat__schema_hold(s, json_array());
    for (int64_t i = 0; used && i < n; i++) json_array_append(used, json_array_get(prefix, (size_t)i));
    s->used |= LEAT_SCHEMA_USE_WS;
    status = used ? visit_items(s, schema, used, high < 0 || high > n, &names, at, &item) : leat__schema_fail(s, LEAT_ENOMEM, "out of memory");
    if (status == LEAT_OK && (names.failed || item.failed)) status = leat__schema_fail(s, LEAT_ENOMEM, "out of memory");
    if (status == LEAT_OK) status = write_array(s, &names, at, n, item.text ? item.text : "", low, high, out);
    leat__strbuf_fini(&names);
    leat__strbuf_fini(&item);
    return status;
}
