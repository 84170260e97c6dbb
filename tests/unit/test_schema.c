/* test_schema.c - JSON schema to grammar: instances that must be taken and refused (recorded from the validator of Python's jsonschema 4.23, 2020-12, formats checked), and
 * schemas that must be refused by the name of the keyword. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "leat/grammar.h"

static leat_grammar *compiled(const char *schema) {
    leat_grammar *g = NULL;
    leat_error error = {0};
    if (leat_grammar_open_schema(schema, strlen(schema), &g, &error)) fail_msg("%s\n%s", schema, error.message);
    return g;
}

static int takes(leat_grammar_state *s, const char *text) {
    leat_grammar_state_reset(s);
    return leat_grammar_state_accept(s, text, strlen(text)) == LEAT_OK && leat_grammar_state_may_end(s);
}

#define MOST 12
typedef struct recorded {
    const char *schema, *valid[MOST], *invalid[MOST];
} recorded;

static const recorded cases[] = {
    {"true", {"1", "\"a\"", "[]", "{\"a\": {\"b\": [1, null]}}", "-1.5e3", "{\n  \"a\": 1\n}"}, {"", "tru", "[1,]", "{a: 1}", "01", "\"\x01\"", "1 2", "\"\\ud800\"", "{}\n"}},
    {"{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":150}},"
     "\"required\":[\"name\",\"age\"],\"additionalProperties\":false}",

     {"{\"name\": \"Ann\", \"age\": 30}", "{\"name\":\"\\u00e9\\ud83d\\ude00\",\"age\":150}", "{\n    \"name\": \"\",\n    \"age\": 0\n}"},
     {"{}", "{\"name\": \"Ann\"}", "{\"name\": \"Ann\", \"age\": 151}", "{\"name\": \"Ann\", \"age\": -1}", "{\"name\": 1, \"age\": 1}", "{\"name\": \"Ann\", \"age\": 3, \"x\": 1}", "[]"}},
    {"{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"ab\":{\"type\":\"string\"},\"b\":{}},\"required\":[\"ab\"],\"additionalProperties\":{\"type\":\"integer\"}}",
     {"{\"ab\": \"\"}", "{\"a\": 1, \"ab\": \"x\", \"b\": [], \"abc\": 7, \"\": 2}", "{\"ab\": \"\", \"c\": 1}"},
     {"{}", "{\"ab\": 1}", "{\"ab\": \"\", \"abc\": \"x\"}", "{\"ab\": \"\", \"ab\": 3}", "{\"ab\": \"\", \"a\": \"x\"}", "{\"ab\": \"\", \"\\u0061\": \"x\"}"}},
    {"{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":2,\"maxItems\":4}", {"[1,2]", "[1, 2, 3, 4]"}, {"[]", "[1]", "[1,2,3,4,5]", "[1,\"a\"]", "[1,2"}},
    {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"string\"},{\"type\":\"integer\"},{\"type\":\"null\"}],\"items\":{\"type\":\"boolean\"},\"minItems\":2,\"maxItems\":5}",
     {"[\"a\", 1]", "[\"a\", 1, null]", "[\"a\", 1, null, true, false]"}, {"[]", "[\"a\"]", "[1, \"a\"]", "[\"a\", 1, true]", "[\"a\", 1, null, 1]", "[\"a\", 1, null, true, false, true]"}},
    {"{\"type\":\"array\",\"prefixItems\":[{\"type\":\"string\"},{\"type\":\"integer\"}],\"items\":false}", {"[]", "[\"a\"]", "[\"a\", 2]"}, {"[1]", "[\"a\", 2, 3]"}},
    {"{\"type\":\"array\",\"maxItems\":0}", {"[]"}, {"[1]"}},
    {"{\"enum\":[\"red\",3,2.5,null,true,{\"a\":[1]},\"q\\\"\\\\\\n\"]}",
     {"\"red\"", "3", "2.5", "null", "true", "{\"a\":[1]}", "\"q\\\"\\\\\\n\""}, {"\"re\"", "4", "false", "\"redd\"", "{\"a\":[2]}"}},
    {"{\"type\":\"string\",\"enum\":[\"a\",1,\"b\"]}", {"\"a\"", "\"b\""}, {"1", "\"c\""}},
    {"{\"const\":\"a\",\"enum\":[\"a\",\"b\"],\"type\":\"string\"}", {"\"a\""}, {"\"b\""}},
    {"{\"$defs\":{\"C\":{\"enum\":[\"x\",\"y\"],\"title\":\"C\",\"type\":\"string\"}},\"properties\":{\"c\":{\"allOf\":[{\"$ref\":\"#/$defs/C\"}],\"default\":\"x\"},"
     "\"n\":{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}],\"default\":null,\"title\":\"N\"}},\"required\":[\"n\"],\"title\":\"M\",\"type\":\"object\"}",
     {"{\"c\": \"y\", \"n\": null}", "{\"n\": 3}"}, {"{\"c\": \"z\", \"n\": 1}", "{\"c\": \"x\"}"}},
    {"{\"const\":{\"x\":[1,2]}}", {"{\"x\":[1,2]}"}, {"{\"x\":[1]}", "1"}},
    {"{\"anyOf\":[{\"type\":\"string\",\"maxLength\":3},{\"type\":\"integer\",\"minimum\":-5,\"maximum\":5}]}", {"\"abc\"", "\"\"", "-5", "5", "0"}, {"\"abcd\"", "6", "-6", "null"}},
    {"{\"oneOf\":[{\"type\":\"object\",\"properties\":{\"k\":{\"const\":\"a\"},\"v\":{\"type\":\"integer\"}},\"required\":[\"k\","
     "\"v\"]},{\"type\":\"object\",\"properties\":{\"k\":{\"const\":\"b\"}},\"required\":[\"k\"]}]}",

     {"{\"k\": \"a\", \"v\": 1}", "{\"k\": \"b\"}"}, {"{\"k\": \"a\"}", "{\"k\": \"c\"}", "{\"k\": \"b\", \"v\": 1}" /* valid; not generated */}},
    {"{\"allOf\":[{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\",\"minimum\":3}},"
     "\"required\":[\"a\"]},{\"properties\":{\"a\":{\"maximum\":7},\"b\":{\"type\":\"string\"}},\"required\":[\"b\"]}]}",

     {"{\"a\": 3, \"b\": \"\"}", "{\"a\": 7, \"b\": \"x\"}"}, {"{\"a\": 2, \"b\": \"\"}", "{\"a\": 8, \"b\": \"\"}", "{\"a\": 5}", "{\"b\": \"\"}"}},
    {"{\"$defs\":{\"node\":{\"type\":\"object\",\"properties\":{\"v\":{\"type\":\"integer\"},"
     "\"next\":{\"anyOf\":[{\"$ref\":\"#/$defs/node\"},{\"type\":\"null\"}]}},\"required\":[\"v\",\"next\"]}},\"$ref\":\"#/$defs/node\"}",

     {"{\"v\": 1, \"next\": null}", "{\"v\": 1, \"next\": {\"v\": 2, \"next\": {\"v\": 3, \"next\": null}}}"}, {"{\"v\": 1}", "{\"v\": 1, \"next\": {\"v\": 2}}", "null"}},
    {"{\"type\":\"object\",\"properties\":{\"children\":{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}},\"required\":[\"children\"]}",
     {"{\"children\": []}", "{\"children\": [{\"children\": [{\"children\": []}]}, {\"children\": []}]}"}, {"{}", "{\"children\": [1]}", "{\"children\": [{}]}"}},
    {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":4}", {"\"ab\"", "\"a\\nb\\u00e9\"", "\"\\ud83d\\ude00\xF0\x9F\x98\x80\""}, {"\"a\"", "\"abcde\"", "\"\\ud83d\\ude00\""}},
    {"{\"type\":\"string\",\"pattern\":\"^[a-z]{2,4}-\\\\d+$\"}", {"\"ab-1\"", "\"abcd-123\""}, {"\"a-1\"", "\"ab-\"", "\"ab-1x\"", "\"xab-1 \""}},
    {"{\"type\":\"string\",\"pattern\":\"foo|^bar.*\\\"x\\\\\\\\$\"}", {"\"a foo b\"", "\"foo\"", "\"barz\\\"x\\\\\""}, {"\"fo\"", "\"xbar\\\"x\\\\\"", "\"bar\\\"x\\\\y\""}},
    {"{\"type\":\"string\",\"pattern\":\"^(?:\\\\w+\\\\s)*[^a-z\\\\d]?$\"}", {"\"\"", "\"ab \"", "\"ab c3\\t!\"", "\"A\"", "\"\\\"\""}, {"\"a\"", "\"ab  !\"", "\"7\""}},
    {"{\"type\":\"string\",\"pattern\":\"^a*?(b|c(d|))+\\\\.[\\\\]\\\\-]$\"}", {"\"b.]\"", "\"aacdcb.-\""}, {"\".]\"", "\"ab.x\""}},
    {"{\"type\":\"string\",\"format\":\"date\"}",
     {"\"2024-02-29\"", "\"2000-02-29\"", "\"1999-12-31\"", "\"0001-01-01\""}, {"\"2023-02-29\"", "\"1900-02-29\"", "\"2024-04-31\"", "\"2024-13-01\"", "\"0000-01-01\"", "\"2024-1-1\""}},
    {"{\"type\":\"string\",\"format\":\"date-time\"}",
     {"\"2024-02-29T23:59:59Z\"", "\"1985-04-12T23:20:50.52+01:30\""}, {"\"2024-02-29 23:59:59Z\"", "\"2024-02-29T24:00:00Z\"", "\"2024-02-29T23:59:59\""}},
    {"{\"type\":\"string\",\"format\":\"time\"}", {"\"23:59:59Z\"", "\"00:00:00.5-23:00\""}, {"\"23:59\"", "\"23:60:00Z\""}},
    {"{\"type\":\"string\",\"format\":\"uuid\"}", {"\"2eb8aa08-aa98-11ea-b4aa-73b441d16380\""}, {"\"2eb8aa08-aa98-11ea-b4aa73b441d16380\"", "\"2eb8aa08-aa98-11ea-b4aa-73b441d1638\""}},
    {"{\"type\":[\"string\",\"null\",\"integer\"]}", {"\"\"", "null", "12"}, {"true", "[]", "1.5"}},
    {"{\"type\":\"integer\",\"exclusiveMinimum\":-13,\"exclusiveMaximum\":113}", {"-12", "0", "112", "99", "100", "-9"}, {"-13", "113", "1000", "00", "-0", "+1", "1.5"}},
    {"{\"type\":\"integer\",\"minimum\":1234,\"maximum\":567890}", {"1234", "1299", "9999", "10000", "499999", "567890", "567889"}, {"1233", "567891", "999999", "01234", "234"}},
    {"{\"type\":\"integer\",\"minimum\":-305,\"maximum\":-17}", {"-305", "-17", "-100", "-18", "-299"}, {"-306", "-16", "17", "0", "-1000"}},
    {"{\"type\":\"integer\",\"minimum\":0.5,\"maximum\":9.5}", {"1", "9"}, {"0", "10"}},
    {"{\"type\":\"number\",\"minimum\":-3,\"maximum\":12}", {"-3", "-3.0", "-2.999", "0", "-0.5", "11.999999", "12", "12.00"}, {"-3.1", "12.1", "13", "1e1"}},
    {"{\"type\":\"number\",\"exclusiveMinimum\":0,\"exclusiveMaximum\":1}", {"0.5", "0.001", "0.9"}, {"0", "0.0", "1", "1.0", "-0.1"}},
    {"{\"type\":\"object\"}", {"{}", "{\"a\": 1, \"b\": {}}"}, {"[]", "{\"a\"}"}},
    {"{\"type\":\"object\",\"properties\":{\"\\u00e9\":{\"type\":\"integer\"},\"\\u00e9a\":{\"type\":\"null\"},\"\\\"q\":{\"type\":\"integer\"}},"
     "\"additionalProperties\":{\"type\":\"string\"}}",

     {"{\"\xC3\xA9\": 1, \"\xC3\xA9" "a\": null, \"\\\"q\": 3, \"z\": \"\"}", "{\"\xC3\xA9" "b\": \"x\"}", "{}"}, {"{\"\xC3\xA9\": \"x\"}", "{\"\xC3\xA9" "a\": \"x\"}", "{\"\\\"q\": \"x\"}"}},
    {"{\"anyOf\":[{\"required\":[\"a\"]},{\"properties\":{\"b\":{\"type\":\"integer\"}},\"required\":[\"b\"]}],\"properties\":{\"a\":{\"type\":\"string\"}},\"type\":\"object\"}",
     {"{\"a\": \"x\"}", "{\"a\": \"x\", \"b\": 1}", "{\"b\": 1}"}, {"{}", "{\"b\": \"x\"}", "{\"a\": 1}"}},
};

static void test_recorded(void **state) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_grammar *g = compiled(cases[i].schema);
        leat_grammar_state *s;
        assert_int_equal(leat_grammar_state_open(g, NULL, &s, NULL), LEAT_OK);
        for (int k = 0; k < MOST && cases[i].valid[k]; k++)
            if (!takes(s, cases[i].valid[k])) fail_msg("%s\nrefuses %s", cases[i].schema, cases[i].valid[k]);
        for (int k = 0; k < MOST && cases[i].invalid[k]; k++)
            if (takes(s, cases[i].invalid[k])) fail_msg("%s\ntakes %s", cases[i].schema, cases[i].invalid[k]);
        leat_grammar_state_close(s);
        leat_grammar_close(g);
    }
}

static void test_refused(void **state) {
    static const struct {
        const char *schema;
        int         status;
        const char *says;
    } refused[] = {
        {"{", LEAT_EFORMAT, "not JSON"},
        {"{\"type\": \"string\", \"type\": \"null\"}", LEAT_EFORMAT, "not JSON"}, /* twice the same key */
        {"\"\xC3\"", LEAT_EFORMAT, "not JSON"},
        {"3", LEAT_EFORMAT, "a schema is"},
        {"false", LEAT_EUNSUPPORTED, "no value"},
        {"{\"type\": \"strin\"}", LEAT_EFORMAT, "\"strin\" is unknown"},
        {"{\"type\": []}", LEAT_EFORMAT, "'type'"},
        {"{\"properties\": {\"a\": {\"type\": \"object\", \"patternProperties\": {}}}}", LEAT_EUNSUPPORTED, "/properties/a: 'patternProperties' is not supported"},
        {"{\"not\": {}}", LEAT_EUNSUPPORTED, "'not'"},
        {"{\"if\": {}}", LEAT_EUNSUPPORTED, "'if'"},
        {"{\"type\": \"array\", \"contains\": {}}", LEAT_EUNSUPPORTED, "'contains'"},
        {"{\"type\": \"array\", \"uniqueItems\": true}", LEAT_EUNSUPPORTED, "'uniqueItems'"},
        {"{\"type\": \"number\", \"multipleOf\": 0.5}", LEAT_EUNSUPPORTED, "'multipleOf'"},
        {"{\"type\": \"object\", \"minProperties\": 1}", LEAT_EUNSUPPORTED, "'minProperties'"},
        {"{\"type\": \"object\", \"maxProperties\": 1}", LEAT_EUNSUPPORTED, "'maxProperties'"},
        {"{\"dependentRequired\": {}}", LEAT_EUNSUPPORTED, "'dependentRequired'"},
        {"{\"unevaluatedProperties\": false}", LEAT_EUNSUPPORTED, "'unevaluatedProperties'"},
        {"{\"propertyNames\": {}}", LEAT_EUNSUPPORTED, "'propertyNames'"},
        {"{\"$dynamicRef\": \"#x\"}", LEAT_EUNSUPPORTED, "'$dynamicRef'"},
        {"{\"madeUp\": 1}", LEAT_EUNSUPPORTED, "'madeUp'"},
        {"{\"$ref\": \"http://x/y\"}", LEAT_EUNSUPPORTED, "only references into the schema"},
        {"{\"$ref\": \"#/$defs/x\"}", LEAT_EFORMAT, "leads nowhere"},
        {"{\"$ref\": \"#\"}", LEAT_EFORMAT, "never end"},
        {"{\"allOf\": [{\"$ref\": \"#\"}]}", LEAT_ELIMIT, "back to themselves"},
        {"{\"anyOf\": [{\"$ref\": \"#\"}, {\"type\": \"null\"}]}", LEAT_EFORMAT, "left-recursive"},
        {"{\"type\": \"object\", \"properties\": {\"a\": {\"$ref\": \"#\"}}, \"required\": [\"a\"]}", LEAT_EFORMAT, "never end"},
        {"{\"oneOf\": [{\"type\": \"string\"}, {\"maxLength\": 3}]}", LEAT_EUNSUPPORTED, "may hold together"},
        {"{\"allOf\": [{\"type\": \"string\"}, {\"type\": \"null\"}]}", LEAT_EUNSUPPORTED, "different types"},
        {"{\"allOf\": [{\"pattern\": \"a\"}, {\"pattern\": \"b\"}]}", LEAT_EUNSUPPORTED, "'pattern' with two"},
        {"{\"enum\": [1, 2], \"minimum\": 2}", LEAT_EUNSUPPORTED, "'minimum' beside 'enum'"},
        {"{\"const\": 3, \"enum\": [1]}", LEAT_EUNSUPPORTED, "'const' is not in 'enum'"},
        {"{\"type\": \"string\", \"enum\": [1]}", LEAT_EUNSUPPORTED, "none in 'enum'"},
        {"{\"type\": \"string\", \"minLength\": -1}", LEAT_EFORMAT, "'minLength'"},
        {"{\"type\": \"string\", \"minLength\": 1.5}", LEAT_EFORMAT, "'minLength'"},
        {"{\"type\": \"string\", \"minLength\": 9223372036854775807}", LEAT_ELIMIT, "'minLength'"},
        {"{\"type\": \"string\", \"maxLength\": 99999999999999999999}", LEAT_EFORMAT, "not JSON"}, /* beyond 64 bits */
        {"{\"type\": \"string\", \"minLength\": 3, \"maxLength\": 2}", LEAT_EUNSUPPORTED, "no string"},
        {"{\"type\": \"array\", \"minItems\": 3, \"maxItems\": 2}", LEAT_EUNSUPPORTED, "no array"},
        {"{\"type\": \"array\", \"items\": [{}]}", LEAT_EUNSUPPORTED, "prefixItems"},
        {"{\"type\": \"integer\", \"minimum\": 5, \"maximum\": 4}", LEAT_EUNSUPPORTED, "no integer"},
        {"{\"type\": \"integer\", \"minimum\": 0.2, \"maximum\": 0.8}", LEAT_EUNSUPPORTED, "no integer"},
        {"{\"type\": \"integer\", \"minimum\": \"5\"}", LEAT_EFORMAT, "'minimum'"},
        {"{\"type\": \"number\", \"minimum\": 0.5}", LEAT_EUNSUPPORTED, "not whole"},
        {"{\"type\": \"string\", \"format\": \"email\"}", LEAT_EUNSUPPORTED, "\"email\""},
        {"{\"type\": \"string\", \"pattern\": \"a\", \"maxLength\": 3}", LEAT_EUNSUPPORTED, "more than one of"},
        {"{\"pattern\": \"(?=a)\"}", LEAT_EUNSUPPORTED, "(?"},
        {"{\"pattern\": \"(a)\\\\1\"}", LEAT_EUNSUPPORTED, "'\\1'"},
        {"{\"pattern\": \"\\\\bx\"}", LEAT_EUNSUPPORTED, "'\\b'"},
        {"{\"pattern\": \"a^b\"}", LEAT_EUNSUPPORTED, "'^'"},
        {"{\"pattern\": \"a)\"}", LEAT_EUNSUPPORTED, "')'"},
        {"{\"pattern\": \"(a\"}", LEAT_EUNSUPPORTED, "')' is missing"},
        {"{\"pattern\": \"[a\"}", LEAT_EUNSUPPORTED, "does not end"},
        {"{\"pattern\": \"a{2\"}", LEAT_EUNSUPPORTED, "{m,n}"},
        {"{\"pattern\": \"a**\"}", LEAT_EUNSUPPORTED, "repetition"},
        {"{\"required\": [\"a\"], \"additionalProperties\": false}", LEAT_EUNSUPPORTED, "required and forbidden"},
        {"{\"properties\": []}", LEAT_EFORMAT, "'properties'"},
        {"{\"required\": [1]}", LEAT_EFORMAT, "'required'"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        leat_grammar *g = NULL;
        leat_error error = {0};
        int status = leat_grammar_open_schema(refused[i].schema, strlen(refused[i].schema), &g, &error);
        if (status != refused[i].status || error.status != status || !strstr(error.message, refused[i].says) || g)
            fail_msg("%s\ngave %d '%s', not %d '%s'", refused[i].schema, status, error.message, refused[i].status, refused[i].says);
    }
}

/* Nesting that would end the stack of a parser which follows it: refused. */
static void test_deep(void **state) {
    static char text[1 << 21];
    leat_error error = {0};
    leat_grammar *g;
    memset(text, '[', 200000);
    assert_int_equal(leat_grammar_open_schema(text, 200000, &g, &error), LEAT_EFORMAT);
    for (int depth = 10; depth <= 1000; depth *= 10) {
        char *at = text;
        for (int i = 0; i < depth; i++) at += sprintf(at, "{\"items\":");
        at += sprintf(at, "true");
        for (int i = 0; i < depth; i++) at += sprintf(at, "}");
        assert_int_equal(leat_grammar_open_schema(text, (size_t)(at - text), &g, &error), depth == 10 ? LEAT_OK : LEAT_ELIMIT);
        leat_grammar_close(g);
    }
    char *at = text + sprintf(text, "{\"pattern\":\"^"); /* groups of a pattern */
    for (int i = 0; i < 5000; i++) at += sprintf(at, "(");
    at += sprintf(at, "\"}");
    assert_int_equal(leat_grammar_open_schema(text, (size_t)(at - text), &g, &error), LEAT_ELIMIT);
    memset(text, ' ', sizeof text);
    assert_int_equal(leat_grammar_open_schema(text, sizeof text, &g, &error), LEAT_ELIMIT);
    at = text + sprintf(text, "{\"allOf\":["); /* alternatives that multiply */
    for (int i = 0; i < 12; i++) at += sprintf(at, "%s{\"anyOf\":[{\"minimum\":%d},{\"maximum\":%d}]}", i ? "," : "", i, 100 + i);
    at += sprintf(at, "]}");
    assert_int_equal(leat_grammar_open_schema(text, (size_t)(at - text), &g, &error), LEAT_ELIMIT);
}

/* Whatever is generated by chance can be read back by the same grammar, and has balanced quotes and brackets at its end. */
static void test_samples(void **state) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_grammar *g = compiled(cases[i].schema);
        leat_grammar_state *s;
        static char text[4096];
        assert_int_equal(leat_grammar_state_open(g, NULL, &s, NULL), LEAT_OK);
        for (uint64_t seed = 0; seed < 8; seed++) {
            size_t n = 0;
            leat_grammar_state_reset(s);
            while (n < sizeof text - 1 && !(leat_grammar_state_may_end(s) && leat__rng_u64(seed, 1, n) % 3 == 0)) {
                char allowed[256];
                int count = 0;
                for (int c = 1; c < 256; c++) {
                    char byte = (char)c;
                    if (leat_grammar_state_allows(s, &byte, 1)) allowed[count++] = byte;
                }
                if (!count) break;
                text[n] = allowed[leat__rng_u64(seed, 2, n) % (uint64_t)count];
                assert_int_equal(leat_grammar_state_accept(s, text + n, 1), LEAT_OK);
                n++;
            }
            text[n] = 0;
            if (leat_grammar_state_may_end(s)) assert_true(takes(s, text));
        }
        leat_grammar_state_close(s);
        leat_grammar_close(g);
    }
}

static void test_text(void **state) {
    static const char schema[] = "{\"type\":\"boolean\"}";
    char text[256];
    size_t length = 0;
    leat_error error = {0};
    assert_int_equal(leat_grammar_schema_text(schema, strlen(schema), NULL, 0, &length, &error), LEAT_ELIMIT);
    assert_int_equal(error.status, 0);
    size_t all = length;
    assert_int_equal(leat_grammar_schema_text(schema, strlen(schema), text, all - 1, &length, &error), LEAT_ELIMIT);
    assert_int_equal(leat_grammar_schema_text(schema, strlen(schema), text, all, &length, &error), LEAT_OK);
    assert_int_equal(length, all);
    text[length] = 0;
    assert_string_equal(text, "root ::= s0\ns0 ::= \"true\" | \"false\"\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded), cmocka_unit_test(test_refused), cmocka_unit_test(test_deep), cmocka_unit_test(test_samples), cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
