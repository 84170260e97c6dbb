/* schema_merge.c - schemas that must hold together as one, and whether two can.
 *
 * Limits become the tighter one, properties and items are merged one by one (lazily, as an "allOf" that is merged when it is visited), alternatives are multiplied
 * out.  What has no meaning in common that could be written as one schema (two different patterns) is refused.
 */
#include <string.h>

#include "lm/schema_impl.h"

#define MOST_PRODUCTS 256

static int no_memory(leat_schema *s) { return leat__schema_fail(s, LEAT_ENOMEM, "out of memory"); }

/* What must hold of a part for which the two sides say a and b; NULL says nothing.  Held. */
static json_t *both(leat_schema *s, json_t *a, json_t *b) {
    if (!a || !b || json_is_true(a) || json_is_true(b)) return leat__schema_hold(s, json_incref(!a || json_is_true(a) ? (b ? b : a) : a));
    if (json_is_false(a) || json_is_false(b)) return json_false();
    if (json_equal(a, b)) return leat__schema_hold(s, json_incref(a));
    return leat__schema_hold(s, json_pack("{s:[O,O]}", "allOf", a, b));
}

static int put(leat_schema *s, json_t *to, const char *key, json_t *value) { return value && json_object_set(to, key, value) == 0 ? LEAT_OK : no_memory(s); }

/* ---- flattening ------------------------------------------------------------------------------------------------------------- */

static int flatten_list(leat_schema *s, const json_t *list, json_t **merged) {
    int status = LEAT_OK;
    if (!json_is_array(list) || !json_array_size(list)) return leat__schema_fail(s, LEAT_EFORMAT, "'allOf' is not a list of schemas");
    for (size_t i = 0; status == LEAT_OK && i < json_array_size(list); i++) status = leat__schema_merge(s, *merged, json_array_get(list, i), merged);
    return status;
}

int leat__schema_flatten(leat_schema *s, const json_t *schema, const json_t **flat) {
    const json_t *reference = json_object_get(schema, "$ref"), *all = json_object_get(schema, "allOf");
    *flat = schema;
    if (!reference && !all) return LEAT_OK;
    if (reference && !json_is_string(reference)) return leat__schema_fail(s, LEAT_EFORMAT, "'$ref' is not a string");
    if (++s->depth > LEAT_SCHEMA_DEPTH) return leat__schema_fail(s, LEAT_ELIMIT, "'allOf' and '$ref' lead more than %d deep, or back to themselves", LEAT_SCHEMA_DEPTH);
    if (++s->steps > LEAT_SCHEMA_STEPS) return leat__schema_fail(s, LEAT_ELIMIT, "the schema means more than %d schemas", LEAT_SCHEMA_STEPS);
    json_t *merged = leat__schema_hold(s, json_copy((json_t *)schema));
    if (!merged) return no_memory(s);
    json_object_del(merged, "$ref");
    json_object_del(merged, "allOf");
    int status = LEAT_OK;
    if (reference) {
        const json_t *target = leat__schema_resolve(s, json_string_value(reference));
        status = target ? leat__schema_merge(s, merged, target, &merged) : s->error->status;
    }
    if (status == LEAT_OK && all) status = flatten_list(s, all, &merged);
    *flat = merged;
    s->depth--;
    return status;
}

/* ---- keyword by keyword ----------------------------------------------------------------------------------------------------- */

static int merge_type(leat_schema *s, const json_t *a, const json_t *b, json_t *to) {
    static const char *const names[] = {"null", "boolean", "integer", "number", "string", "object", "array"};
    unsigned x, y;
    int status = leat__schema_kinds(s, a, &x);
    if (status == LEAT_OK) status = leat__schema_kinds(s, b, &y);
    if (status) return status;
    unsigned kinds = x & y;
    if ((x & LEAT_SCHEMA_NUMBER && y & LEAT_SCHEMA_INTEGER) || (y & LEAT_SCHEMA_NUMBER && x & LEAT_SCHEMA_INTEGER)) kinds |= LEAT_SCHEMA_INTEGER;
    if (!kinds) return leat__schema_fail(s, LEAT_EUNSUPPORTED, "no value satisfies the schema: its parts ask for different types");
    json_t *list = leat__schema_hold(s, json_array());
    for (unsigned i = 0; list && i < 7; i++)
        if (kinds & 1u << i) json_array_append_new(list, json_string(names[i]));
    return put(s, to, "type", list);
}

static int merge_limits(leat_schema *s, const json_t *b, json_t *to) {
    static const char *const upper[] = {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"},
                      *const lower[] = {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"};
    for (int i = 0; i < 10; i++) {
        const char *key = i < 5 ? upper[i] : lower[i - 5];
        json_t *x = json_object_get(to, key), *y = json_object_get(b, key);
        if (!y) continue;
        if ((x && !json_is_number(x)) || !json_is_number(y)) return leat__schema_fail(s, LEAT_EFORMAT, "'%s' is not a number", key);
        int tighter = !x || (i < 5 ? json_number_value(y) < json_number_value(x) : json_number_value(y) > json_number_value(x));
        if (tighter && put(s, to, key, y)) return LEAT_ENOMEM;
    }
    return LEAT_OK;
}

static int merge_required(leat_schema *s, const json_t *b, json_t *to) {
    json_t *x = json_object_get(to, "required"), *y = json_object_get(b, "required");
    if (!y || !x) return y ? put(s, to, "required", y) : LEAT_OK;
    if (!json_is_array(x) || !json_is_array(y)) return leat__schema_fail(s, LEAT_EFORMAT, "'required' is not a list of names");
    json_t *list = leat__schema_hold(s, json_copy(x));
    for (size_t i = 0; list && i < json_array_size(y); i++) json_array_append(list, json_array_get(y, i));
    return put(s, to, "required", list);
}

/* The side's word on a property that it may not list. */
static json_t *property_of(const json_t *side, const char *name) {
    json_t *own = json_object_get(json_object_get(side, "properties"), name);
    return own ? own : json_object_get(side, "additionalProperties");
}

static int merge_objects(leat_schema *s, const json_t *a, const json_t *b, json_t *to) {
    json_t *x = json_object_get(a, "properties"), *y = json_object_get(b, "properties"), *value;
    json_t *more_a = json_object_get(a, "additionalProperties"), *more_b = json_object_get(b, "additionalProperties");
    const char *name;
    if ((x && !json_is_object(x)) || (y && !json_is_object(y))) return leat__schema_fail(s, LEAT_EFORMAT, "'properties' is not an object");
    if (more_a || more_b)
        if (put(s, to, "additionalProperties", both(s, more_a, more_b))) return LEAT_ENOMEM;
    if (!x && !y) return LEAT_OK;
    json_t *all = leat__schema_hold(s, json_object());
    if (!all) return no_memory(s);
    json_object_foreach(x, name, value)
        if (put(s, all, name, both(s, value, property_of(b, name)))) return LEAT_ENOMEM;
    json_object_foreach(y, name, value)
        if (!json_object_get(x, name) && put(s, all, name, both(s, property_of(a, name), value))) return LEAT_ENOMEM;
    return put(s, to, "properties", all);
}

static json_t *item_of(const json_t *side, size_t index) {
    json_t *own = json_array_get(json_object_get(side, "prefixItems"), index);
    return own ? own : json_object_get(side, "items");
}

static int merge_arrays(leat_schema *s, const json_t *a, const json_t *b, json_t *to) {
    size_t x = json_array_size(json_object_get(a, "prefixItems")), y = json_array_size(json_object_get(b, "prefixItems"));
    json_t *items_a = json_object_get(a, "items"), *items_b = json_object_get(b, "items");
    if (items_a || items_b)
        if (put(s, to, "items", both(s, items_a, items_b))) return LEAT_ENOMEM;
    if (!x && !y) return LEAT_OK;
    json_t *list = leat__schema_hold(s, json_array());
    for (size_t i = 0; list && i < (x > y ? x : y); i++) {
        json_t *item = both(s, item_of(a, i), item_of(b, i));
        if (json_array_append(list, item ? item : json_true())) return no_memory(s);
    }
    return put(s, to, "prefixItems", list);
}

/* "const" is an enumeration of one. */
static json_t *values_of(leat_schema *s, const json_t *side) {
    json_t *only = json_object_get(side, "const");
    return only ? leat__schema_hold(s, json_pack("[O]", only)) : json_object_get(side, "enum");
}

static int merge_values(leat_schema *s, const json_t *a, const json_t *b, json_t *to) {
    json_t *x = values_of(s, a), *y = values_of(s, b);
    if (!x && !y) return LEAT_OK;
    json_object_del(to, "const");
    if (!x || !y) return put(s, to, "enum", x ? x : y);
    json_t *common = leat__schema_hold(s, json_array());
    for (size_t i = 0; common && i < json_array_size(x); i++)
        for (size_t k = 0; k < json_array_size(y); k++)
            if (json_equal(json_array_get(x, i), json_array_get(y, k))) {
                json_array_append(common, json_array_get(x, i));
                break;
            }
    if (common && !json_array_size(common)) return leat__schema_fail(s, LEAT_EUNSUPPORTED, "no value satisfies the schema: its parts have no constant in common");
    return put(s, to, "enum", common);
}

/* (x1 or x2) and (y1 or y2): all pairs. */
static int merge_alternatives(leat_schema *s, const char *keyword, const json_t *b, json_t *to) {
    json_t *x = json_object_get(to, keyword), *y = json_object_get(b, keyword);
    if (!x || !y) return y ? put(s, to, keyword, y) : LEAT_OK;
    json_t *pairs = leat__schema_hold(s, json_array());
    if (json_array_size(x) * json_array_size(y) > MOST_PRODUCTS) return leat__schema_fail(s, LEAT_ELIMIT, "'%s' in several parts makes more than %d pairs", keyword, MOST_PRODUCTS);
    for (size_t i = 0; pairs && i < json_array_size(x); i++)
        for (size_t k = 0; k < json_array_size(y); k++) json_array_append_new(pairs, json_pack("{s:[O,O]}", "allOf", json_array_get(x, i), json_array_get(y, k)));
    return put(s, to, keyword, pairs);
}

/* Keywords without a meaning in common must be equal; annotations are the first one's. */
static int merge_others(leat_schema *s, const json_t *b, json_t *to) {
    static const char *const done[] = {"type", "required", "properties", "additionalProperties", "items", "prefixItems", "const", "enum", "anyOf", "oneOf", "maximum",
                                       "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)b, key, value) {
        int known = leat__schema_is_annotation(key);
        for (size_t i = 0; i < sizeof done / sizeof *done; i++) known |= strcmp(done[i], key) == 0;
        if (known) continue;
        const json_t *mine = json_object_get(to, key);
        if (mine && !json_equal(mine, value)) return leat__schema_fail(s, LEAT_EUNSUPPORTED, "'%.80s' with two different values in parts that must hold together", key);
        if (!mine && put(s, to, key, value)) return LEAT_ENOMEM;
    }
    return LEAT_OK;
}

int leat__schema_merge(leat_schema *s, const json_t *first, const json_t *second, json_t **merged) {
    const json_t *a, *b;
    int status = leat__schema_flatten(s, first, &a);
    if (status == LEAT_OK) status = leat__schema_flatten(s, second, &b);
    if (status) return status;
    if (++s->steps > LEAT_SCHEMA_STEPS) return leat__schema_fail(s, LEAT_ELIMIT, "the schema means more than %d schemas", LEAT_SCHEMA_STEPS);
    if (!json_is_object(a) || !json_is_object(b)) {
        if ((!json_is_object(a) && !json_is_boolean(a)) || (!json_is_object(b) && !json_is_boolean(b))) return leat__schema_fail(s, LEAT_EFORMAT, "a schema is an object, true or false");
        *merged = json_is_true(a) || json_is_false(b) ? (json_t *)b : (json_t *)a;
        return LEAT_OK;
    }
    json_t *to = leat__schema_hold(s, json_copy((json_t *)a));
    if (!to) return no_memory(s);
    *merged = to;
    status = json_object_get(a, "type") || json_object_get(b, "type") ? merge_type(s, a, b, to) : LEAT_OK;
    if (status == LEAT_OK) status = merge_limits(s, b, to);
    if (status == LEAT_OK) status = merge_required(s, b, to);
    if (status == LEAT_OK) status = merge_objects(s, a, b, to);
    if (status == LEAT_OK) status = merge_arrays(s, a, b, to);
    if (status == LEAT_OK) status = merge_values(s, a, b, to);
    if (status == LEAT_OK) status = merge_alternatives(s, "anyOf", b, to);
    if (status == LEAT_OK) status = merge_alternatives(s, "oneOf", b, to);
    if (status == LEAT_OK) status = merge_others(s, b, to);
    return status;
}

/* ---- disjoint --------------------------------------------------------------------------------------------------------------- */

static unsigned kind_of(const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_NULL: return LEAT_SCHEMA_NULL;
    case JSON_TRUE: case JSON_FALSE: return LEAT_SCHEMA_BOOL;
    case JSON_STRING: return LEAT_SCHEMA_STRING;
    case JSON_OBJECT: return LEAT_SCHEMA_OBJECT;
    case JSON_ARRAY: return LEAT_SCHEMA_ARRAY;
    default: return LEAT_SCHEMA_NUMBER | LEAT_SCHEMA_INTEGER;
    }
}

/* Sorts that the values of a schema are surely of. */
static unsigned sure_kinds(leat_schema *s, const json_t *schema, const json_t *values) {
    unsigned kinds = 0;
    for (size_t i = 0; i < json_array_size(values); i++) kinds |= kind_of(json_array_get(values, i));
    if (values) return kinds;
    if (!json_object_get(schema, "type") || leat__schema_kinds(s, schema, &kinds)) return LEAT_SCHEMA_ANY | LEAT_SCHEMA_INTEGER;
    return kinds & LEAT_SCHEMA_NUMBER ? kinds | LEAT_SCHEMA_INTEGER : kinds;
}

static int no_common_value(const json_t *x, const json_t *y) {
    for (size_t i = 0; i < json_array_size(x); i++)
        for (size_t k = 0; k < json_array_size(y); k++) {
            const json_t *p = json_array_get(x, i), *q = json_array_get(y, k);
            if (json_equal(p, q) || (json_is_number(p) && json_is_number(q) && json_number_value(p) == json_number_value(q))) return 0;
        }
    return 1;
}

static int requires(const json_t *schema, const char *name) {
    json_t *list = json_object_get(schema, "required"), *entry;
    size_t i;
    json_array_foreach(list, i, entry)
        if (json_is_string(entry) && strcmp(json_string_value(entry), name) == 0) return 1;
    return 0;
}

/* Objects: one requires a property that the other forbids, or both require one with values that exclude each other. */
static int objects_disjoint(leat_schema *s, const json_t *a, const json_t *b, int depth) {
    json_t *list = json_object_get(a, "required"), *entry;
    size_t i;
    json_array_foreach(list, i, entry) {
        const char *name = json_string_value(entry);
        const json_t *x = name ? property_of(a, name) : NULL, *y = name ? property_of(b, name) : NULL;
        if (name && json_is_false(y)) return 1;
        if (x && y && requires(b, name) && leat__schema_disjoint(s, x, y, depth + 1)) return 1;
    }
    json_array_foreach(json_object_get(b, "required"), i, entry)
        if (json_is_string(entry) && json_is_false(property_of(a, json_string_value(entry)))) return 1;
    return 0;
}

static int ranges_disjoint(const json_t *a, const json_t *b) {
    const json_t *high = json_object_get(a, "maximum"), *low = json_object_get(b, "minimum");
    if (json_is_number(high) && json_is_number(low) && json_number_value(high) < json_number_value(low)) return 1;
    high = json_object_get(a, "exclusiveMaximum");
    return json_is_number(high) && json_is_number(low) && json_number_value(high) <= json_number_value(low);
}

int leat__schema_disjoint(leat_schema *s, const json_t *a, const json_t *b, int depth) {
    for (int i = 0; i < 8 && json_is_string(json_object_get(a, "$ref")) && a; i++) a = leat__schema_resolve(s, json_string_value(json_object_get(a, "$ref")));
    for (int i = 0; i < 8 && json_is_string(json_object_get(b, "$ref")) && b; i++) b = leat__schema_resolve(s, json_string_value(json_object_get(b, "$ref")));
    if (json_is_false(a) || json_is_false(b)) return 1;
    if (!json_is_object(a) || !json_is_object(b) || depth > 8) return 0;
    const json_t *x = values_of(s, a), *y = values_of(s, b);
    unsigned common = sure_kinds(s, a, x) & sure_kinds(s, b, y);
    if (!common) return 1;
    if (x && y && no_common_value(x, y)) return 1;
    unsigned numbers = LEAT_SCHEMA_NUMBER | LEAT_SCHEMA_INTEGER;
    if (!(common & ~numbers) && (ranges_disjoint(a, b) || ranges_disjoint(b, a))) return 1;
    return common == LEAT_SCHEMA_OBJECT && objects_disjoint(s, a, b, depth);
}
