/* test_grammar.c - GBNF: what is read, what is refused and where; texts accepted and refused; masks equal to asking for every token; nothing is allocated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "gguf_build.h"
#include "leat/grammar.h"

static leat_grammar *compiled(const char *text) {
    leat_grammar *g = NULL;
    leat_error error = {0};
    if (leat_grammar_open(text, strlen(text), &g, &error)) fail_msg("%s", error.message);
    return g;
}

/* 0 = refused, 1 = may go on, 2 = whole (and may go on or not). */
static int verdict(const char *grammar, const char *text) {
    leat_grammar *g = compiled(grammar);
    leat_grammar_state *s;
    assert_int_equal(leat_grammar_state_open(g, NULL, &s, NULL), LEAT_OK);
    leat_grammar_close(g); /* the state shares it */
    int status = leat_grammar_state_accept(s, text, strlen(text));
    int result = status ? 0 : 1 + leat_grammar_state_may_end(s);
    leat_grammar_state_close(s);
    return result;
}

static void test_language(void **state) {
    static const struct {
        const char *grammar, *text;
        int         want;
    } cases[] = {
        {"root ::= \"abc\"", "abc", 2},
        {"root ::= \"abc\"", "ab", 1},
        {"root ::= \"abc\"", "abd", 0},
        {"root ::= \"abc\"", "abcd", 0},
        {"root ::= \"\"", "", 2},
        {"root ::= [a-c] [^a-c] .", "bxa", 2},
        {"root ::= [a-c] [^a-c]", "bb", 0},
        {"root ::= [a\\-z\\]]+", "-]az", 2},
        {"root ::= [a-]+", "a-", 2},
        {"root ::= \"\\x41\\u00e9\\U0001F600\\n\\\"\\\\\"", "A\xC3\xA9\xF0\x9F\x98\x80\n\"\\", 2},
        {"root ::= [\xC3\xA0-\xC3\xBF]+", "\xC3\xA9\xC3\xA0\xC3\xBF", 2},
        {"root ::= [\xC3\xA0-\xC3\xBF]+", "\xC3", 1}, /* half a character */
        {"root ::= [\xC3\xA0-\xC3\xBF]+", "\xC3\x9F", 0},
        {"root ::= .", "\xF4\x8F\xBF\xBF", 2},
        {"root ::= .", "\xF4\x90\x80\x80", 0}, /* above U+10FFFF */
        {"root ::= .", "\xED\xA0\x80", 0},     /* a surrogate */
        {"root ::= .", "\xC0\x80", 0},         /* overlong */
        {"root ::= .", "\x80", 0},
        {"root ::= [^a]", "\xE2\x82\xAC", 2},
        {"root ::= [\\u0080-\\U0010FFFF]", "\xEF\xBF\xBF", 2},
        {"root ::= [\\u0080-\\U0010FFFF]", "\x7F", 0},
        {"root ::= \"a\"?", "", 2},
        {"root ::= \"ab\"*", "ababab", 2},
        {"root ::= \"ab\"*", "aba", 1},
        {"root ::= \"a\"+", "", 1},
        {"root ::= \"a\"{3}", "aaa", 2},
        {"root ::= \"a\"{3}", "aaaa", 0},
        {"root ::= \"a\"{3}", "aa", 1},
        {"root ::= \"a\"{2,}", "aaaaaa", 2},
        {"root ::= \"a\"{2,}", "a", 1},
        {"root ::= \"a\"{1, 3} \"b\"", "aaab", 2},
        {"root ::= \"a\"{1,3} \"b\"", "aaaab", 0},
        {"root ::= \"a\"{0} \"b\"", "b", 2},
        {"root ::= (\"a\" | \"b\" \"c\"?)+", "abcab", 2},
        {"root ::= (\"a\" | ) \"b\"", "b", 2},
        {"root ::= \"\"{65536} (\"\"{65536}){65536} \"b\"", "b", 2},
        {"root ::= x y # comment \"not read\"\n\nx ::= \"1\" |\n \"2\"\n # a line\ny ::= (\n \"3\"\n | \"4\" )\n  | \"5\"", "25", 2},
        {"root ::= l\nl ::= \"(\" l* \")\"", "(()(()))", 2},
        {"root ::= l\nl ::= \"(\" l* \")\"", "(()", 1},
        {"root ::= l\nl ::= \"(\" l* \")\"", "())", 0},
        {"root ::= \"a\" root | \"b\"", "aaaab", 2},
        {"root ::= \"a\" root \"b\" | \"c\"", "aaacbb", 1},
        {"root ::= \"a\" root \"b\" | \"c\"", "aaacbbb", 2},
        {"root ::= \"a\" root \"b\" | \"c\"", "aaacbbbb", 0},
        {"root ::= n*\nn ::= \"x\" | \"\"", "xxx", 2},
        {"root ::= ((\"a\"*)*)*", "aaaa", 2},
        {"root ::= a b\na ::= \"x\"?\nb ::= a \"y\" b | \"z\"", "xxyyz", 2},
        {"a-b_C1 ::= \"q\"\nroot ::= a-b_C1\r\n", "q", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (verdict(cases[i].grammar, cases[i].text) != cases[i].want)
            fail_msg("%s\non '%s': %d, not %d", cases[i].grammar, cases[i].text, verdict(cases[i].grammar, cases[i].text), cases[i].want);
}

static void test_refused(void **state) {
    static const struct {
        const char *grammar;
        int         status;
        const char *says;
    } cases[] = {
        {"", LEAT_EFORMAT, "no rule 'root'"},
        {"x ::= \"a\"", LEAT_EFORMAT, "no rule 'root'"},
        {"root ::= x", LEAT_EFORMAT, "'x' is used but not defined"},
        {"root ::= \"a\"\n\nroot ::= \"b\"", LEAT_EFORMAT, "line 3: rule 'root' is defined already in line 1"},
        {"root ::= \"a", LEAT_EFORMAT, "does not end"},
        {"root ::= \"a\nb\"", LEAT_EFORMAT, "does not end in its line"},
        {"root ::= [a", LEAT_EFORMAT, "does not end"},
        {"root ::= []", LEAT_EFORMAT, "without any character"},
        {"root ::= [^\\U00000000-\\U0010FFFF]", LEAT_EFORMAT, "without any character"},
        {"root ::= [z-a]", LEAT_EFORMAT, "wrong way round"},
        {"root ::= (\"a\"", LEAT_EFORMAT, "')' is missing"},
        {"root ::= \"a\")", LEAT_EFORMAT, "without '('"},
        {"root ::= \"a\" }", LEAT_EFORMAT, "item is expected"},
        {"root ::= *", LEAT_EFORMAT, "item is expected"},
        {"root = \"a\"", LEAT_EFORMAT, "'::=' is expected"},
        {"root ::= (\"a\"\nb ::= \"c\"", LEAT_EFORMAT, "line 2: a rule begins inside"},
        {"root ::= \"\\q\"", LEAT_EFORMAT, "unknown escape"},
        {"root ::= \"\\x4\"", LEAT_EFORMAT, "hexadecimal"},
        {"root ::= \"\\uD800\"", LEAT_EFORMAT, "names no character"},
        {"root ::= \"\\U00110000\"", LEAT_EFORMAT, "names no character"},
        {"root ::= \"\xC3(\"", LEAT_EFORMAT, "not UTF-8"},
        {"root ::= \"\xED\xA0\x80\"", LEAT_EFORMAT, "not UTF-8"},
        {"root ::= \"a\"{3,2}", LEAT_EFORMAT, "below the lower"},
        {"root ::= \"a\"{x}", LEAT_EFORMAT, "{m,n}"},
        {"root ::= \"a\"{-1}", LEAT_EFORMAT, "{m,n}"},
        {"root ::= \"a\"{65537}", LEAT_ELIMIT, "more than 65536"},
        {"root ::= \"a\"{99999999999999999999}", LEAT_ELIMIT, "more than 65536"},
        {"root ::= ((\"a\"{60000}){60000}){60000}", LEAT_ELIMIT, "too large"},
        {"root ::= \"a\"????? ", LEAT_EFORMAT, "four repetitions"},
        {"root ::= <think>", LEAT_EUNSUPPORTED, "not supported"},
        {"root ::= root \"a\" | \"b\"", LEAT_EFORMAT, "line 1: rule 'root' is left-recursive"},
        {"root ::= \"x\" a\n\na ::= b \"1\" | \"2\"\nb ::= c? a \"z\"\nc ::= \"q\"", LEAT_EFORMAT, "line 3: rule 'a' is left-recursive (through other rules)"},
        {"root ::= e root \"a\" | \"b\"\ne ::= \"e\"?", LEAT_EFORMAT, "left-recursive"},
        {"root ::= (root)* \"b\"", LEAT_EFORMAT, "left-recursive"},
        {"root ::= \"a\" x\nx ::= \"b\" x", LEAT_EFORMAT, "line 2: rule 'x' can never end"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        leat_grammar *g = (leat_grammar *)1;
        leat_error error = {0};
        int status = leat_grammar_open(cases[i].grammar, strlen(cases[i].grammar), &g, &error);
        if (status != cases[i].status || error.status != status || !strstr(error.message, cases[i].says) || g)
            fail_msg("%s\ngave %d '%s', not %d '%s'", cases[i].grammar, status, error.message, cases[i].status, cases[i].says);
    }
}

/* Nesting at the limits: refused, or taken, and never a fault (the lesson of parsers that recurse as deep as their input). */
static void test_deep(void **state) {
    static char text[1 << 21];
    leat_grammar *g;
    leat_error error = {0};
    for (int depth = 100; depth <= 400000; depth *= 10) {
        char *at = text + sprintf(text, "root ::= ");
        memset(at, '(', (size_t)depth);
        strcpy(at + depth, "\"a\"");
        memset(at + depth + 3, ')', (size_t)depth);
        assert_int_equal(leat_grammar_open(text, (size_t)(at - text) + 2 * (size_t)depth + 3, &g, &error), depth <= 200 ? LEAT_OK : LEAT_ELIMIT);
        leat_grammar_close(g);
    }
    memset(text, ' ', sizeof text);
    assert_int_equal(leat_grammar_open(text, sizeof text, &g, &error), LEAT_ELIMIT);
    char *at = text; /* a chain of rules, each of the next */
    at += sprintf(at, "root ::= r0\n");
    for (int i = 0; i < 16000; i++) at += sprintf(at, "r%d ::= \"a\" r%d\n", i, i + 1);
    at += sprintf(at, "r16000 ::= \"b\"\n");
    assert_int_equal(leat_grammar_open(text, (size_t)(at - text), &g, &error), LEAT_OK);
    leat_grammar_close(g);
    for (int i = 0; i < 1000; i++) at += sprintf(at, "s%d ::= \"b\"\n", i);
    assert_int_equal(leat_grammar_open(text, (size_t)(at - text), &g, &error), LEAT_ELIMIT);
    assert_non_null(strstr(error.message, "more than 16384 rules"));
}

/* Texts that can be read in more and more ways: an error, or an answer, in bounded time. */
static void test_ambiguous(void **state) {
    leat_grammar *g = compiled("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"d\"");
    leat_grammar_state *s;
    assert_int_equal(leat_grammar_state_open(g, NULL, &s, NULL), LEAT_OK);
    int status = LEAT_OK, n = 0;
    for (; status == LEAT_OK && n < 100; n++) status = leat_grammar_state_accept(s, "a", 1);
    assert_int_equal(status, LEAT_ELIMIT);
    assert_true(n > 10 && n < 30);
    assert_true(leat_grammar_state_allows(s, "d", 1)); /* it stands where it stood */
    leat_grammar_state_close(s);
    leat_grammar_close(g);
    assert_int_equal(verdict("root ::= (\"a\"* \"a\"* \"a\"*)* \"b\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"), 2);
}

/* Depth 3000 of brackets, then back: stacks are shared, and the tables forget what is not needed. */
static void test_long(void **state) {
    leat_grammar *g = compiled("root ::= v\nv ::= \"[\" (v (\",\" v)*)? \"]\" | [0-9]+");
    leat_grammar_state *s;
    assert_int_equal(leat_grammar_state_open(g, NULL, &s, NULL), LEAT_OK);
    uint64_t before = leat__thread_allocations();
    for (int round = 0; round < 20; round++) {
        leat_grammar_state_reset(s);
        for (int i = 0; i < 3000 + 500 * round; i++) assert_int_equal(leat_grammar_state_accept(s, "[12,", 4), LEAT_OK);
        assert_int_equal(leat_grammar_state_accept(s, "7", 1), LEAT_OK);
        for (int i = 0; i < 3000 + 500 * round; i++) {
            assert_false(leat_grammar_state_may_end(s));
            assert_int_equal(leat_grammar_state_accept(s, "]", 1), LEAT_OK);
        }
        assert_true(leat_grammar_state_may_end(s));
        assert_int_equal(leat_grammar_state_accept(s, "]", 1), LEAT_EFORMAT);
    }
    assert_int_equal(leat__thread_allocations(), before);
    leat_grammar_state_close(s);
    leat_grammar_close(g);
}

/* ---- masks ------------------------------------------------------------------------------------------------------------------ */

/* An SPM vocabulary: <unk> <s> </s>, 256 byte tokens, words. */
static const char *const words[] = {
    "{", "}", "[", "]", "\"", ":", ",", " ", "\n", "\xE2\x96\x81", "true", "tru", "e", "fal", "se", "null", "\":", "\", \"", "\"}", "}]", "],", "12", "3.", "1e",
    "abc", "bc", "b", "\xC3\xA9t\xC3\xA9", "\xE2\x82\xAC", "\\\"", "\\u00", "\xE2\x96\x81the", "the", "then", "\":\xE2\x96\x81", "\"\xE2\x96\x81", "abc\",", "true}", "1,", "2]", "]}",
    "dddddddddddd", "dddddddddddddddddddddddddddddd", "dddddddddddddddddddddddddddddde", "dededededededede", "dededededededededededededededededededede", "d-d-d-d-d-d-d-d-d-",
    "eeeeeeeeeeeeeeeeeeeeeee-", "dddddddddddddddd\n", "- ddddddddddddddd\n- d", "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", "deeddeeddeedde-",
    "--------------------", "--------------------------------d",
};
enum { WORDS = sizeof words / sizeof *words, TOKENS = 3 + 256 + WORDS };

static leat_tokenizer *small_vocabulary(leat_gguf **file) {
    static gguf_out o;
    char name[16];
    o.n = 0;
    g_header(&o, 3, 0, 5);
    g_key(&o, "tokenizer.ggml.model", LEAT_GGUF_STRING);
    g_text(&o, "llama");
    g_key(&o, "tokenizer.ggml.eos_token_id", LEAT_GGUF_U32);
    g_u32(&o, 2);
    g_key(&o, "tokenizer.ggml.tokens", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_STRING);
    g_u64(&o, TOKENS);
    g_text(&o, "<unk>");
    g_text(&o, "<s>");
    g_text(&o, "</s>");
    for (int i = 0; i < 256; i++) {
        snprintf(name, sizeof name, "<0x%02X>", i);
        g_text(&o, name);
    }
    for (int i = 0; i < WORDS; i++) g_text(&o, words[i]);
    g_key(&o, "tokenizer.ggml.scores", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_F32);
    g_u64(&o, TOKENS);
    for (int i = 0; i < TOKENS; i++) g_f32(&o, 0);
    g_key(&o, "tokenizer.ggml.token_type", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_I32);
    g_u64(&o, TOKENS);
    for (int i = 0; i < TOKENS; i++) g_u32(&o, i == 0 ? LEAT_TOKEN_UNKNOWN : i < 3 ? LEAT_TOKEN_CONTROL : i < 259 ? LEAT_TOKEN_BYTE : LEAT_TOKEN_NORMAL);
    leat_error error = {0};
    leat_tokenizer *tokenizer = NULL;
    if (leat_gguf_open_memory(o.bytes, o.n, file, &error) || leat_tokenizer_open(*file, &tokenizer, &error)) fail_msg("%s", error.message);
    return tokenizer;
}

static const char json_grammar[] = "root ::= value\n"
                                   "value ::= object | array | string | number | (\"true\" | \"false\" | \"null\") ws\n"
                                   "object ::= \"{\" ws (string \":\" ws value (\",\" ws string \":\" ws value)*)? \"}\" ws\n"
                                   "array ::= \"[\" ws (value (\",\" ws value)*)? \"]\" ws\n"
                                   "string ::= \"\\\"\" char* \"\\\"\" ws\n"
                                   "char ::= [^\"\\\\\\x00-\\x1f] | \"\\\\\" ([\"\\\\/bfnrt] | \"u\" [0-9a-fA-F]{4})\n"
                                   "number ::= \"-\"? (\"0\" | [1-9] [0-9]*) (\".\" [0-9]+)? ([eE] [-+]? [0-9]+)? ws\n"
                                   "ws ::= [ \\t\\n]*\n";

typedef struct vocab_fixture {
    leat_gguf          *file;
    leat_tokenizer     *tokenizer;
    leat_grammar_vocab *vocab;
} vocab_fixture;

static vocab_fixture open_vocab(void) {
    vocab_fixture f;
    leat_error error = {0};
    f.tokenizer = small_vocabulary(&f.file);
    if (leat_grammar_vocab_new(f.tokenizer, NULL, 0, &f.vocab, &error)) fail_msg("%s", error.message);
    return f;
}
static void close_vocab(vocab_fixture *f) {
    leat_grammar_vocab_unref(f->vocab);
    leat_tokenizer_close(f->tokenizer);
    leat_gguf_close(f->file);
}

/* What the mask must be, token by token. */
static int token_allowed(leat_grammar_state *s, const leat_tokenizer *t, int32_t token) {
    char piece[64];
    size_t bytes;
    if (token == 2) return leat_grammar_state_may_end(s);
    if (token < 3) return 0;
    assert_int_equal(leat_tokenizer_piece(t, token, 0, piece, sizeof piece, &bytes), LEAT_OK);
    return bytes && leat_grammar_state_allows(s, piece, bytes);
}

/* Random walks: at each step the mask is compared with the answer for each token, then one of those allowed is taken.  Returns how many steps were made before the text could
 * be read in too many ways. */
static int walk_grammar(const char *text, uint64_t seed, int steps) {
    vocab_fixture f = open_vocab();
    leat_grammar *g = compiled(text);
    leat_grammar_state *s, *copy;
    uint32_t mask[(TOKENS + 31) / 32];
    leat_error error = {0};
    assert_int_equal(leat_grammar_state_open(g, f.vocab, &s, &error), LEAT_OK);
    assert_int_equal(leat_grammar_state_open(g, f.vocab, &copy, &error), LEAT_OK);
    uint64_t allocations = leat__thread_allocations();
    int step = 0;
    for (; step < steps; step++) {
        int32_t allowed[TOKENS], n = 0;
        int status = leat_grammar_state_mask(s, mask, (TOKENS + 31) / 32);
        if (status == LEAT_ELIMIT) break;
        for (int32_t t = 0; t < TOKENS; t++) {
            int bit = mask[t / 32] >> t % 32 & 1;
            if (bit != token_allowed(s, f.tokenizer, t)) fail_msg("%s: seed %llu step %d token %d: mask %d, status %d", text, (unsigned long long)seed, step, t, bit, status);
            if (bit) allowed[n++] = t;
        }
        assert_int_equal(status, n ? LEAT_OK : LEAT_ESTATE);
        if (!n) break;
        int32_t next = allowed[leat__rng_u64(seed, 1, (uint64_t)step) % (uint64_t)n];
        if (step % 7 == 3) { /* a copy goes on in its place */
            leat_grammar_state *other = copy;
            assert_int_equal(leat_grammar_state_copy(copy, s), LEAT_OK);
            copy = s;
            s = other;
        }
        assert_int_equal(leat_grammar_state_accept_token(s, next), LEAT_OK);
        if (next != 2) continue;
        assert_int_equal(leat_grammar_state_mask(s, mask, (TOKENS + 31) / 32), LEAT_EEND);
        assert_int_equal(leat_grammar_state_accept_token(s, 259), LEAT_EFORMAT);
        leat_grammar_state_reset(s);
    }
    assert_int_equal(leat__thread_allocations(), allocations);
    leat_grammar_state_close(s);
    leat_grammar_state_close(copy);
    leat_grammar_close(g);
    close_vocab(&f);
    return step;
}

static void test_masks(void **state) {
    static const char *const grammars[] = {
        json_grammar,
        "root ::= word (\" \" word)*\nword ::= [a-z]+",
        "root ::= p\np ::= \"a\" p \"c\" | \"a\" p \"b\" | \"b\"",
        "root ::= (\"the\" | \"then\" | \"abc\") \" \"* root | \"1\"{2,5}",
        "root ::= item{0,40}\nitem ::= q | [\\u00e0-\\u20ac]\nq ::= \"\\\"\" [^\"]* \"\\\"\"",
        "root ::= list\nlist ::= \"[\" (list (\",\" list)*)? \"]\" | \"{\" list \"}\" | [0-9]+ (\".\" [0-9]+)?",
    };
    for (size_t i = 0; i < sizeof grammars / sizeof *grammars; i++)
        for (uint64_t seed = 1; seed <= 3; seed++) assert_int_equal(walk_grammar(grammars[i], seed, 400), 400);
}

/* Counted repetitions, whose copies share masks as far as they are alike: fixed ones, and nests of random ones over d, e, - and e with an accent. */
static char *random_part(char *at, uint64_t seed, uint64_t *draws, int depth) {
    static const char *const atoms[] = {"[de]", "\"d\"", "[^-]", "\"de\"", "\"-\"", "(\"d\" | \"ed\")", "x", "[d\\u00e9]", "\"e\"?", "y", "\"d-\""};
    int parts = 1 + (int)(leat__rng_u64(seed, 2, (*draws)++) % 3);
    for (int i = 0; i < parts; i++) {
        uint64_t kind = leat__rng_u64(seed, 2, (*draws)++) % 4, least = leat__rng_u64(seed, 2, (*draws)++) % 30, more = leat__rng_u64(seed, 2, (*draws)++) % 24;
        if (kind == 0 && depth) {
            at = random_part(at + sprintf(at, "("), seed, draws, depth - 1);
            at += sprintf(at, "){%d,%d} ", (int)least / 6, (int)(least / 6 + more / 6 + 1));
            continue;
        }
        at += sprintf(at, "%s", atoms[leat__rng_u64(seed, 2, (*draws)++) % (sizeof atoms / sizeof *atoms)]);
        at += kind == 1 ? sprintf(at, " ") : kind == 2 ? sprintf(at, "{%d,} ", (int)least) : sprintf(at, "{%d,%d} ", (int)least, (int)(least + more + 1));
    }
    return at;
}

static void test_copies(void **state) {
    static const char *const grammars[] = {
        "root ::= (\"- \" [^\\n]{1,80} \"\\n\"){1,10}",
        "root ::= [de]{20,60} \"-\"{0,30} | word \"-\" word\nword ::= [d-f]{3,40}",
        "root ::= line{30,}\nline ::= [d-e]{0,14} \"-\" | \"d\"{16}",
        "root ::= (\"d\"{0,20} \"e\"?){2,20}", /* parts that may be empty */
        "root ::= w{1,30}\nw ::= \"d\" w \"-\" | \"e\" | [\\u00e9]{1,12}",
        "root ::= [de]{1,31} \"\\n\"?",
        "root ::= [de]{31} \"-\"",
        "root ::= \"a\" r \"e\" | \"b\" r \"-\"\nr ::= [de]{31} | \"(\" r \")\"",
        "root ::= ((\"d\" | \"-\"){15,30} \"\\n\"){14,20}",
    };
    for (size_t i = 0; i < sizeof grammars / sizeof *grammars; i++)
        for (uint64_t seed = 1; seed <= 3; seed++) assert_int_equal(walk_grammar(grammars[i], seed, 300), 300);
    int walked = 0;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        char text[8192], *at = text + sprintf(text, "root ::= ");
        uint64_t draws = 0;
        at = random_part(at, seed, &draws, 2);
        sprintf(at, "\nx ::= [de]{2,20}\ny ::= \"-\"{13,20} | \"e\"");
        leat_grammar *g;
        leat_error error = {0};
        if (leat_grammar_open(text, strlen(text), &g, &error)) { /* too large, at most */
            assert_int_equal(error.status, LEAT_ELIMIT);
            continue;
        }
        leat_grammar_close(g);
        walked += walk_grammar(text, seed, 25);
    }
    assert_true(walked > 24 * 25 / 2);
}

/* Threads with states of their own share one grammar and its masks: each sees what one alone sees. */
typedef struct thread_walk {
    leat_grammar       *g;
    leat_grammar_vocab *vocab;
    uint64_t            hash;
} thread_walk;

static void *walk_alone(void *user) {
    thread_walk *w = user;
    leat_grammar_state *s;
    uint32_t mask[(TOKENS + 31) / 32];
    w->hash = 0;
    if (leat_grammar_state_open(w->g, w->vocab, &s, NULL)) return NULL;
    for (int step = 0; step < 2000; step++) {
        if (leat_grammar_state_mask(s, mask, (TOKENS + 31) / 32)) {
            leat_grammar_state_reset(s);
            continue;
        }
        int32_t allowed[TOKENS], n = 0;
        for (int32_t t = 0; t < TOKENS; t++)
            if (mask[t / 32] >> t % 32 & 1) allowed[n++] = t;
        for (int i = 0; i < (TOKENS + 31) / 32; i++) w->hash = w->hash * 31 + mask[i];
        leat_grammar_state_accept_token(s, allowed[leat__rng_u64(9, 1, (uint64_t)step) % (uint64_t)n]);
    }
    leat_grammar_state_close(s);
    return NULL;
}

static void test_threads(void **state) {
    vocab_fixture f = open_vocab();
    leat_grammar *alone = compiled(json_grammar), *shared = compiled(json_grammar);
    thread_walk want = {alone, f.vocab, 0}, walks[4];
    pthread_t threads[4];
    walk_alone(&want);
    assert_true(want.hash != 0);
    for (int i = 0; i < 4; i++) {
        walks[i] = (thread_walk){shared, f.vocab, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, walk_alone, &walks[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_true(walks[i].hash == want.hash);
    }
    leat_grammar_close(alone);
    leat_grammar_close(shared);
    close_vocab(&f);
}

/* A vocabulary that cannot spell what the grammar wants: a failure, never an open mask. */
static void test_fails_closed(void **state) {
    vocab_fixture f = open_vocab();
    int32_t none = 2;
    leat_grammar_vocab *no_end;
    leat_error error = {0};
    assert_int_equal(leat_grammar_vocab_new(f.tokenizer, &none, 0, &no_end, &error), LEAT_OK);
    leat_grammar *g = compiled("root ::= \"a\"");
    leat_grammar_state *s;
    uint32_t mask[(TOKENS + 31) / 32];
    assert_int_equal(leat_grammar_state_open(g, no_end, &s, &error), LEAT_OK);
    assert_int_equal(leat_grammar_state_mask(s, mask, (TOKENS + 31) / 32), LEAT_OK);
    assert_int_equal(leat_grammar_state_accept(s, "a", 1), LEAT_OK);
    assert_int_equal(leat_grammar_state_mask(s, mask, (TOKENS + 31) / 32), LEAT_ESTATE); /* whole, but there is no token to end it */
    for (int i = 0; i < (TOKENS + 31) / 32; i++) assert_int_equal(mask[i], 0);
    assert_int_equal(leat_grammar_state_mask(s, mask, 1), LEAT_EINVAL);
    assert_int_equal(leat_grammar_state_accept_token(s, TOKENS), LEAT_EINVAL);
    assert_int_equal(leat_grammar_state_accept_token(s, -1), LEAT_EINVAL);
    assert_int_equal(leat_grammar_state_accept_token(s, 1), LEAT_EFORMAT);
    leat_grammar_state_close(s);
    int32_t wrong = TOKENS;
    leat_grammar_vocab *bad;
    assert_int_equal(leat_grammar_vocab_new(f.tokenizer, &wrong, 1, &bad, &error), LEAT_EINVAL);
    leat_grammar_vocab_unref(no_end);
    leat_grammar_close(g);
    close_vocab(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_language),  cmocka_unit_test(test_refused), cmocka_unit_test(test_deep),         cmocka_unit_test(test_ambiguous),
        cmocka_unit_test(test_long),      cmocka_unit_test(test_masks), cmocka_unit_test(test_copies),   cmocka_unit_test(test_fails_closed), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
