/* fuzz_grammar.c - any text as a grammar (up to a zero byte), and any bytes read by it.  Every refusal has a message; what is allowed is accepted; a refusal changes
 * nothing; a copy behaves as its original; a mask says for each token of a small vocabulary what asking for its text says. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/unit/gguf_build.h"
#include "leat/grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const words[] = {"aa", "ab", "abc", "aaa", "a b", "b", "bc", "end", "the", "\"a", "\"a\"", "\",", "((", "()", "1", "12", "12.5", "\xC3\xA9", ("\xE2\x82\xAC" "a"), "\n", " \n",
                                    "aaaaaaaaaaaaaaaaaaaaaaaa", "abababababababab", "------------------------------", "1234567890123456", "                \n"};
enum { WORDS = sizeof words / sizeof *words, TOKENS = 259 + WORDS, MASK = (TOKENS + 31) / 32 };

static leat_gguf      *file; /* both live as long as the program */
static leat_tokenizer *tokenizer;

/* An SPM vocabulary: three specials, the bytes, the words. */
static leat_grammar_vocab *make_vocab(void) {
    static gguf_out o;
    leat_grammar_vocab *vocab;
    leat_error error = {0};
    char name[16];
    g_header(&o, 3, 0, 5);
    g_key(&o, "tokenizer.ggml.model", LEAT_GGUF_STRING);
    g_text(&o, "llama");
    g_key(&o, "tokenizer.ggml.eos_token_id", LEAT_GGUF_U32);
    g_u32(&o, 2);
    g_key(&o, "tokenizer.ggml.tokens", LEAT_GGUF_ARRAY);
    g_u32(&o, LEAT_GGUF_STRING);
    g_u64(&o, TOKENS);
    for (int i = 0; i < 3; i++) g_text(&o, i == 0 ? "<unk>" : i == 1 ? "<s>" : "</s>");
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
    for (int i = 0; i < TOKENS; i++) g_u32(&o, i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1);
    if (leat_gguf_open_memory(o.bytes, o.n, &file, &error) || leat_tokenizer_open(file, &tokenizer, &error) || leat_grammar_vocab_new(tokenizer, NULL, 0, &vocab, &error)) abort();
    return vocab;
}

/* A mask looks at each place by itself, so a token may be in it that opens more ways of reading than a state holds. */
static int opens_too_many(const leat_grammar_state *from, leat_grammar *g, const char *text, size_t bytes) {
    leat_grammar_state *s;
    if (leat_grammar_state_open(g, NULL, &s, NULL)) abort();
    int too_many = leat_grammar_state_copy(s, from) == LEAT_OK && leat_grammar_state_accept(s, text, bytes) == LEAT_ELIMIT;
    leat_grammar_state_close(s);
    return too_many;
}

static void check_mask(leat_grammar_state *s, leat_grammar *g) {
    uint32_t mask[MASK], any = 0;
    int status = leat_grammar_state_mask(s, mask, MASK);
    if (status == LEAT_ELIMIT) return;
    for (int32_t t = 0; t < TOKENS; t++) {
        char piece[64];
        size_t bytes = 0;
        int want = t == 2 ? leat_grammar_state_may_end(s) : 0, got = mask[t / 32] >> t % 32 & 1;
        if (t > 2 && leat_tokenizer_piece(tokenizer, t, 0, piece, sizeof piece, &bytes) == LEAT_OK) want = leat_grammar_state_allows(s, piece, bytes);
        if (got != want && !(got && t > 2 && opens_too_many(s, g, piece, bytes))) abort();
        any |= (uint32_t)got;
    }
    if ((status == LEAT_OK) != any) abort();
}

static void read_bytes(leat_grammar *g, leat_grammar_vocab *vocab, const char *text, size_t bytes) {
    leat_grammar_state *s, *copy = NULL;
    leat_error error = {0};
    if (leat_grammar_state_open(g, vocab, &s, &error)) {
        if (!error.message[0]) abort();
        return;
    }
    if (bytes % 8 == 7 && leat_grammar_state_open(g, NULL, &copy, NULL)) abort();
    check_mask(s, g);
    for (size_t i = 0; i < bytes; i++) {
        int allows = leat_grammar_state_allows(s, text + i, 1), ends = leat_grammar_state_may_end(s);
        if (copy && i % 8 == 7 && leat_grammar_state_copy(copy, s) == LEAT_OK)
            if (leat_grammar_state_may_end(copy) != ends || leat_grammar_state_allows(copy, text + i, 1) != allows) abort();
        int status = leat_grammar_state_accept(s, text + i, 1);
        if ((status == LEAT_OK) != allows) abort();
        if (i < 4) check_mask(s, g);
        if (status == LEAT_OK) continue;
        if (leat_grammar_state_may_end(s) != ends) abort();
        break;
    }
    leat_grammar_state_close(s);
    leat_grammar_state_close(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static leat_grammar_vocab *vocab;
    if (!vocab) vocab = make_vocab();
    const uint8_t *cut = size ? memchr(data, 0, size) : NULL;
    size_t head = cut ? (size_t)(cut - data) : size;
    leat_grammar *g = NULL;
    leat_error error = {0};
    if (leat_grammar_open((const char *)data, head, &g, &error)) {
        if (!error.message[0] || g) abort();
        return 0;
    }
    read_bytes(g, vocab, cut ? (const char *)cut + 1 : "a", cut ? size - head - 1 : 1);
    leat_grammar_close(g);
    return 0;
}
