/* bench_grammar.c - what constrained output costs a token: masks and moves over the vocabulary of a model, along random walks through grammars.
 *
 * usage: bench_grammar MODEL.gguf [GRAMMAR.gbnf ...]      without files: JSON, words, a list with counted characters
 *
 * Each row: time to build the trie, to compile, to open a state; then per token the mean, median, 99th percentile and worst time of a mask, and the mean of a move.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "leat/grammar.h"

enum { STEPS = 5000, MOST_TEXT = 1 << 20 };

static const char *const own[][2] = {
    {"json", "root ::= value\nvalue ::= object | array | string | number | (\"true\" | \"false\" | \"null\") ws\n"
             "object ::= \"{\" ws (string \":\" ws value (\",\" ws string \":\" ws value)*)? \"}\" ws\narray ::= \"[\" ws (value (\",\" ws value)*)? \"]\" ws\n"
             "string ::= \"\\\"\" char* \"\\\"\" ws\nchar ::= [^\"\\\\\\x00-\\x1f] | \"\\\\\" ([\"\\\\/bfnrt] | \"u\" [0-9a-fA-F]{4})\n"
             "number ::= \"-\"? (\"0\" | [1-9] [0-9]*) (\".\" [0-9]+)? ([eE] [-+]? [0-9]+)? ws\nws ::= [ \\t\\n]*\n"},
    {"words", "root ::= word (\" \" word)*\nword ::= [a-z]+\n"},
    {"list", "root ::= (\"- \" [^\\n]{1,80} \"\\n\"){1,10}\n"},
};

static int ascending(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int give_up(const char *what, const leat_error *error) {
    fprintf(stderr, "bench_grammar: %s: %s\n", what, error->message);
    return 1;
}

/* The n-th set bit. */
static int32_t nth(const uint32_t *mask, int64_t words, uint64_t n) {
    for (int64_t i = 0; i < words; i++)
        for (uint32_t m = mask[i]; m; m &= m - 1)
            if (n-- == 0) return (int32_t)(32 * i + __builtin_ctz(m));
    return -1;
}

static void walk(leat_grammar_state *s, uint32_t *mask, int64_t words) {
    static int64_t ns[STEPS];
    int64_t total = 0, moves = 0;
    int n = 0;
    for (int step = 0; step < STEPS; step++) {
        uint64_t count = 0;
        int64_t start = leat__now_ns();
        int status = leat_grammar_state_mask(s, mask, words);
        int64_t end = leat__now_ns();
        if (status) {
            leat_grammar_state_reset(s);
            continue;
        }
        total += ns[n++] = end - start;
        for (int64_t i = 0; i < words; i++) count += (uint64_t)__builtin_popcount(mask[i]);
        int32_t token = nth(mask, words, leat__rng_u64(7, 1, (uint64_t)step) % count);
        start = leat__now_ns();
        leat_grammar_state_accept_token(s, token);
        moves += leat__now_ns() - start;
    }
    qsort(ns, (size_t)n, sizeof *ns, ascending);
    printf("%9.2f %9.2f %9.2f %9.2f %9.2f\n", (double)total / n / 1e3, (double)ns[n / 2] / 1e3, (double)ns[n * 99 / 100] / 1e3, (double)ns[n - 1] / 1e3, (double)moves / n / 1e3);
}

static int measure(leat_grammar_vocab *vocab, int64_t words, const char *name, const char *text, size_t bytes) {
    leat_grammar *g;
    leat_grammar_state *s;
    leat_error error = {0};
    int64_t start = leat__now_ns();
    if (leat_grammar_open(text, bytes, &g, &error)) return give_up(name, &error);
    int64_t compiled = leat__now_ns();
    if (leat_grammar_state_open(g, vocab, &s, &error)) return give_up(name, &error);
    printf("%-24.24s %9.3f %9.3f ", name, (double)(compiled - start) / 1e6, (double)(leat__now_ns() - compiled) / 1e6);
    uint32_t *mask = calloc((size_t)words, sizeof *mask);
    if (mask) walk(s, mask, words);
    free(mask);
    leat_grammar_state_close(s);
    leat_grammar_close(g);
    return 0;
}

int main(int argc, char **argv) {
    leat_gguf *file;
    leat_tokenizer *tokenizer;
    leat_grammar_vocab *vocab;
    leat_tokenizer_info info;
    leat_error error = {0};
    static char text[MOST_TEXT];
    int failed = 0;
    if (argc < 2) return fprintf(stderr, "usage: bench_grammar MODEL.gguf [GRAMMAR.gbnf ...]\n"), 2;
    if (leat_gguf_open(argv[1], &file, &error) || leat_tokenizer_open(file, &tokenizer, &error)) return give_up(argv[1], &error);
    leat_tokenizer_get_info(tokenizer, &info);
    int64_t start = leat__now_ns(), words = (info.tokens + 31) / 32;
    if (leat_grammar_vocab_new(tokenizer, NULL, 0, &vocab, &error)) return give_up(argv[1], &error);
    printf("%d tokens, trie in %.1f ms\n%-24s %9s %9s %9s %9s %9s %9s %9s\n", info.tokens, (double)(leat__now_ns() - start) / 1e6, "grammar", "compile_ms", "state_ms", "mean_us", "median_us",
           "p99_us", "worst_us", "move_us");
    for (int i = 2; i < argc; i++) {
        FILE *in = fopen(argv[i], "rb");
        size_t bytes = in ? fread(text, 1, sizeof text, in) : 0;
        if (in) fclose(in);
        failed |= measure(vocab, words, argv[i], text, bytes);
    }
    for (size_t i = 0; argc == 2 && i < sizeof own / sizeof *own; i++) failed |= measure(vocab, words, own[i][0], own[i][1], strlen(own[i][1]));
    leat_grammar_vocab_unref(vocab);
    leat_tokenizer_close(tokenizer);
    leat_gguf_close(file);
    return failed;
}
