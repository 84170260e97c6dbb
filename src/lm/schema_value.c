/* schema_value.c - enumerations, integers and numbers with their ranges, strings with their lengths and formats. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "lm/schema_impl.h"

/* ---- literals --------------------------------------------------------------------------------------------------------------- */

void leat__schema_literal(leat_strbuf *out, const char *text, size_t bytes) {
    leat__strbuf_add(out, "\"");
    for (size_t i = 0; i < bytes; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c == '"' || c == '\\') leat__strbuf_addf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7F) leat__strbuf_addf(out, "\\x%02x", c);
        else leat__strbuf_addn(out, text + i, 1);
    }
    leat__strbuf_add(out, "\"");
}

void leat__schema_in_class(leat_strbuf *out, uint32_t c) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) leat__strbuf_addf(out, "%c", (char)c);
    else if (c < 0x80) leat__strbuf_addf(out, "\\x%02x", c);
    else leat__strbuf_addf(out, "\\U%08x", c);
}

/* As JSON text, without blanks; depth is limited by the reader (2048). */
void leat__schema_json(leat_strbuf *out, const json_t *value) {
    const char *key;
    json_t *part;
    size_t i;
    switch (json_typeof(value)) {
    case JSON_NULL: leat__strbuf_add(out, "null"); break;
    case JSON_TRUE: leat__strbuf_add(out, "true"); break;
    case JSON_FALSE: leat__strbuf_add(out, "false"); break;
    case JSON_INTEGER: leat__strbuf_addf(out, "%lld", (long long)json_integer_value(value)); break;
    case JSON_REAL: leat__strbuf_add_number(out, json_real_value(value)); break;
    case JSON_STRING: leat__strbuf_add_json(out, json_string_value(value), json_string_length(value)); break;
    case JSON_ARRAY:
        leat__strbuf_add(out, "[");
        json_array_foreach(value, i, part) {
            if (i) leat__strbuf_add(out, ",");
            leat__schema_json(out, part);
        }
        leat__strbuf_add(out, "]");
        break;
    default:
        i = 0;
        leat__strbuf_add(out, "{");
        json_object_foreach((json_t *)value, key, part) {
            if (i++) leat__strbuf_add(out, ",");
            leat__strbuf_add_json(out, key, strlen(key));
            leat__strbuf_add(out, ":");
            leat__schema_json(out, part);
        }
        leat__strbuf_add(out, "}");
        break;
    }
}

/* ---- enumerations ----------------------------------------------------------------------------------------------------------- */

static int is_kind(const json_t *value, unsigned kinds) {
    if (json_is_number(value)) return kinds & LEAT_SCHEMA_NUMBER || (kinds & LEAT_SCHEMA_INTEGER && json_number_value(value) == floor(json_number_value(value)));
    switch (json_typeof(value)) {
    case JSON_NULL: return (kinds & LEAT_SCHEMA_NULL) != 0;
    case JSON_TRUE: case JSON_FALSE: return (kinds & LEAT_SCHEMA_BOOL) != 0;
    case JSON_STRING: return (kinds & LEAT_SCHEMA_STRING) != 0;
    case JSON_OBJECT: return (kinds & LEAT_SCHEMA_OBJECT) != 0;
    default: return (kinds & LEAT_SCHEMA_ARRAY) != 0;
    }
}

/* Beside an enumeration only "type" is honoured, by leaving out what is of another one. */
int leat__schema_enum(leat_schema *s, const json_t *schema, const json_t *values, leat_strbuf *out) {
    const char *key;
    json_t *value;
    unsigned kinds;
    size_t i, n = 0;
    int status = leat__schema_kinds(s, schema, &kinds);
    if (!json_is_array(values)) return leat__schema_fail(s, LEAT_EFORMAT, "'enum' is not a list");
    json_object_foreach((json_t *)schema, key, value)
        if (strcmp(key, "type") != 0 && strcmp(key, "enum") != 0 && strcmp(key, "const") != 0 && strcmp(key, "$id") != 0 && !leat__schema_is_annotation(key))
            return leat__schema_fail(s, LEAT_EUNSUPPORTED, "'%.80s' beside 'enum' or 'const': leave out of the list what it excludes", key);
    json_array_foreach(values, i, value) {
        leat_strbuf text = {0};
        if (status || !is_kind(value, kinds)) continue;
        if (n++) leat__strbuf_add(out, " | ");
        leat__schema_json(&text, value);
        if (text.failed) out->failed = 1;
        else leat__schema_literal(out, text.text, text.length);
        leat__strbuf_fini(&text);
    }
    if (status) return status;
    return n ? LEAT_OK : leat__schema_fail(s, LEAT_EUNSUPPORTED, "no value satisfies the schema: none in 'enum' is of its 'type'");
}

/* ---- ranges of digits ------------------------------------------------------------------------------------------------------- */

#define MOST_INTEGER INT64_C(999999999999999999)

/* Numbers of equal length between two strings of digits [n], both included. */
static void digit_range(leat_strbuf *out, const char *low, const char *high, int n) {
    int same = 0;
    while (same < n && low[same] == high[same]) same++;
    if (same) leat__schema_literal(out, low, (size_t)same);
    if (same == n) return;
    const char *l = low + same, *h = high + same;
    int rest = n - same - 1, low_full = 1, high_full = 1;
    for (int i = 1; i <= rest; i++) {
        low_full &= l[i] == '0';
        high_full &= h[i] == '9';
    }
    char from = (char)(l[0] + !low_full), to = (char)(h[0] - !high_full);
    int parts = 0;
    leat__strbuf_add(out, " (");
    if (!low_full) {
        char nines[32];
        memset(nines, '9', sizeof nines);
        leat__strbuf_addf(out, "\"%c\" ", l[0]);
        digit_range(out, l + 1, nines, rest);
        parts++;
    }
    if (from <= to) leat__strbuf_addf(out, "%s[%c-%c]", parts++ ? " | " : "", from, to);
    if (from <= to && rest) leat__strbuf_addf(out, " [0-9]{%d}", rest);
    if (!high_full) {
        char zeros[32];
        memset(zeros, '0', sizeof zeros);
        leat__strbuf_addf(out, "%s\"%c\" ", parts ? " | " : "", h[0]);
        digit_range(out, zeros, h + 1, rest);
    }
    leat__strbuf_add(out, ")");
}

/* Whole numbers from low to high, 0 <= low <= high, as alternatives in parentheses. */
static void natural_range(leat_strbuf *out, int64_t low, int64_t high) {
    char from[32], to[32];
    int a = snprintf(from, sizeof from, "%lld", (long long)low), b = snprintf(to, sizeof to, "%lld", (long long)high);
    leat__strbuf_add(out, "(");
    for (int n = a; n <= b; n++) {
        char l[32], h[32];
        memset(l, '0', sizeof l);
        memset(h, '9', sizeof h);
        l[0] = n == 1 ? '0' : '1';
        if (n > a) leat__strbuf_add(out, " | ");
        digit_range(out, n == a ? from : l, n == b ? to : h, n);
    }
    leat__strbuf_add(out, ")");
}

/* Reads the limits as doubles; absent ones are infinite. */
static int read_limits(leat_schema *s, const json_t *schema, double limit[2], int open[2]) {
    static const char *const closed_name[] = {"minimum", "maximum"}, *const open_name[] = {"exclusiveMinimum", "exclusiveMaximum"};
    for (int i = 0; i < 2; i++) {
        const json_t *closed = json_object_get(schema, closed_name[i]), *excluded = json_object_get(schema, open_name[i]);
        limit[i] = i ? HUGE_VAL : -HUGE_VAL;
        open[i] = 0;
        if (closed && !json_is_number(closed)) return leat__schema_fail(s, LEAT_EFORMAT, "'%s' is not a number", closed_name[i]);
        if (excluded && !json_is_number(excluded)) return leat__schema_fail(s, LEAT_EFORMAT, "'%s' is not a number", open_name[i]);
        if (closed) limit[i] = json_number_value(closed);
        if (!excluded) continue;
        double value = json_number_value(excluded);
        if (i ? value <= limit[i] : value >= limit[i]) limit[i] = value, open[i] = 1;
    }
    return LEAT_OK;
}

int leat__schema_integer(leat_schema *s, const json_t *schema, leat_strbuf *out) {
    double limit[2];
    int open[2], status = read_limits(s, schema, limit, open);
    if (status) return status;
    for (int i = 0; i < 2; i++)
        if (isfinite(limit[i]) && fabs(limit[i]) > 9007199254740992.0) return leat__schema_fail(s, LEAT_EUNSUPPORTED, "a limit of an integer beyond 2^53");
    if (isinf(limit[0]) && isinf(limit[1])) {
        leat__strbuf_add(out, "\"-\"? (\"0\" | [1-9] [0-9]{0,17})");
        return LEAT_OK;
    }
    int64_t low = isinf(limit[0]) ? -MOST_INTEGER : (int64_t)ceil(limit[0]), high = isinf(limit[1]) ? MOST_INTEGER : (int64_t)floor(limit[1]);
    if (open[0] && (double)low == limit[0]) low++;
    if (open[1] && (double)high == limit[1]) high--;
    if (low > high) return leat__schema_fail(s, LEAT_EUNSUPPORTED, "no integer is within its limits");
    leat__strbuf_add(out, "(");
    if (low < 0) {
        leat__strbuf_add(out, "\"-\" ");
        natural_range(out, high < 0 ? -high : 1, -low);
    }
    if (low < 0 && high >= 0) leat__strbuf_add(out, " | ");
    if (high >= 0) natural_range(out, low > 0 ? low : 0, high);
    leat__strbuf_add(out, ")");
    return LEAT_OK;
}

/* Decimals from low to high, 0 <= low <= high, whole limits; either may be excluded.  Six digits behind the point, so that no rounding crosses a limit. */
static void decimal_range(leat_strbuf *out, int64_t low, int low_open, int64_t high, int high_open) {
    static const char fraction[] = "(\".\" [0-9]{1,6})?", zeros[] = "(\".\" \"0\"{1,6})?", above[] = "\".\" \"0\"{0,2} [1-9] [0-9]{0,3}";
    int parts = 0;
    leat__strbuf_add(out, "(");
    if (low_open && low < high) {
        leat__strbuf_addf(out, "\"%lld\" %s", (long long)low, above);
        parts++;
    }
    if (low + low_open <= high - 1) {
        leat__strbuf_add(out, parts++ ? " | " : "");
        natural_range(out, low + low_open, high - 1);
        leat__strbuf_addf(out, " %s", fraction);
    }
    if (!high_open && !(low_open && low == high)) leat__strbuf_addf(out, "%s\"%lld\" %s", parts ? " | " : "", (long long)high, zeros);
    leat__strbuf_add(out, ")");
}

int leat__schema_real(leat_schema *s, const json_t *schema, leat_strbuf *out) {
    double limit[2];
    int open[2], status = read_limits(s, schema, limit, open);
    if (status) return status;
    if (isinf(limit[0]) && isinf(limit[1])) {
        s->used |= LEAT_SCHEMA_USE_NUMBER;
        leat__strbuf_add(out, "number");
        return LEAT_OK;
    }
    for (int i = 0; i < 2; i++)
        if (isfinite(limit[i]) && (limit[i] != floor(limit[i]) || fabs(limit[i]) > 1e9))
            return leat__schema_fail(s, LEAT_EUNSUPPORTED, "a limit of a number that is not whole, or beyond 1e9");
    int64_t low = isinf(limit[0]) ? -1000000000 : (int64_t)limit[0], high = isinf(limit[1]) ? 1000000000 : (int64_t)limit[1];
    if (low > high || (low == high && (open[0] || open[1]))) return leat__schema_fail(s, LEAT_EUNSUPPORTED, "no number is within its limits");
    leat__strbuf_add(out, "(");
    if (low < 0) {
        leat__strbuf_add(out, "\"-\" ");
        if (high < 0) decimal_range(out, -high, open[1], -low, open[0]);
        else decimal_range(out, 0, high == 0 && open[1], -low, open[0]);
    }
    if (low < 0 && (high > 0 || (high == 0 && !open[1]))) leat__strbuf_add(out, " | ");
    if (high > 0 || (high == 0 && !open[1])) decimal_range(out, low > 0 ? low : 0, low >= 0 && open[0], high, open[1]);
    leat__strbuf_add(out, ")");
    return LEAT_OK;
}

/* ---- strings ---------------------------------------------------------------------------------------------------------------- */

#define YEAR "(\"000\" [1-9] | \"00\" [1-9] [0-9] | \"0\" [1-9] [0-9]{2} | [1-9] [0-9]{3})"
#define LEAP4 "(\"0\" [48] | [2468] [048] | [13579] [26])"
#define DAY28 "(\"0\" [1-9] | \"1\" [0-9] | \"2\" [0-8])"
#define DATE                                                                                                                                                  \
    "(" YEAR " \"-\" ((\"0\" [13578] | \"1\" [02]) \"-\" (\"0\" [1-9] | [12] [0-9] | \"3\" [01]) | (\"0\" [469] | \"11\") \"-\" (\"0\" [1-9] | [12] [0-9] | \"30\") | \"02-\" " DAY28 \
    ") | ([0-9]{2} " LEAP4 " | " LEAP4 " \"00\") \"-02-29\")"
#define TIME "(([01] [0-9] | \"2\" [0-3]) (\":\" [0-5] [0-9]){2} (\".\" [0-9]{1,6})? (\"Z\" | [-+] ([01] [0-9] | \"2\" [0-3]) \":\" [0-5] [0-9]))"
#define HEX(n) "[0-9a-fA-F]{" #n "}"

static const char *format_named(const char *name) {
    static const char *const formats[][2] = {
        {"date", DATE},
        {"time", TIME},
        {"date-time", DATE " \"T\" " TIME},
        {"uuid", "(" HEX(8) " (\"-\" " HEX(4) "){3} \"-\" " HEX(12) ")"},
    };
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i][0], name) == 0) return formats[i][1];
    return NULL;
}

static int string_format(leat_schema *s, const json_t *format, leat_strbuf *out) {
    const char *name = json_string_value(format), *text = name ? format_named(name) : NULL;
    if (!name) return leat__schema_fail(s, LEAT_EFORMAT, "'format' is not a string");
    if (!text) return leat__schema_fail(s, LEAT_EUNSUPPORTED, "'format' \"%.40s\" is not supported (date, time, date-time and uuid are)", name);
    leat__strbuf_addf(out, "\"\\\"\" %s \"\\\"\"", text);
    return LEAT_OK;
}

int leat__schema_string(leat_schema *s, const json_t *schema, leat_strbuf *out) {
    const json_t *pattern = json_object_get(schema, "pattern"), *format = json_object_get(schema, "format");
    int64_t low, high;
    int status = leat__schema_count(s, schema, "minLength", 0, &low);
    if (status == LEAT_OK) status = leat__schema_count(s, schema, "maxLength", -1, &high);
    if (status) return status;
    if ((pattern || format) && (low > 0 || high >= 0 || (pattern && format)))
        return leat__schema_fail(s, LEAT_EUNSUPPORTED, "more than one of 'pattern', 'format' and limits of the length");
    if (pattern && !json_is_string(pattern)) return leat__schema_fail(s, LEAT_EFORMAT, "'pattern' is not a string");
    if (pattern) return leat__schema_pattern(s, json_string_value(pattern), json_string_length(pattern), out);
    if (format) return string_format(s, format, out);
    if (high >= 0 && low > high) return leat__schema_fail(s, LEAT_EUNSUPPORTED, "no string is within its limits");
    s->used |= low > 0 || high >= 0 ? LEAT_SCHEMA_USE_CHAR : LEAT_SCHEMA_USE_STRING;
    if (high >= 0) leat__strbuf_addf(out, "\"\\\"\" char{%lld,%lld} \"\\\"\"", (long long)low, (long long)high);
    else if (low > 0) leat__strbuf_addf(out, "\"\\\"\" char{%lld,} \"\\\"\"", (long long)low);
    else leat__strbuf_add(out, "string");
    return LEAT_OK;
}
