/* fuzz_grammar.c - any text as a grammar (up to a zero byte), and any bytes read by it.  Every refusal has a message; what is allowed is accepted; a refusal changes
 * nothing; a copy behaves as its original. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "leat/grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_bytes(leat_grammar *g, const char *text, size_t bytes) {
    leat_grammar_state *s, *copy;
    leat_error error = {0};
    if (leat_grammar_state_open(g, NULL, &s, &error)) {
        if (!error.message[0]) abort();
        return;
    }
    if (leat_grammar_state_open(g, NULL, &copy, NULL)) abort();
    for (size_t i = 0; i < bytes; i++) {
        int allows = leat_grammar_state_allows(s, text + i, 1), ends = leat_grammar_state_may_end(s);
        if (i % 8 == 7 && leat_grammar_state_copy(copy, s) == LEAT_OK)
            if (leat_grammar_state_may_end(copy) != ends || leat_grammar_state_allows(copy, text + i, 1) != allows) abort();
        int status = leat_grammar_state_accept(s, text + i, 1);
        if ((status == LEAT_OK) != allows) abort();
        if (status == LEAT_OK) continue;
        if (leat_grammar_state_may_end(s) != ends) abort();
        break;
    }
    leat_grammar_state_reset(s);
    leat_grammar_state_accept(s, text, bytes);
    leat_grammar_state_close(s);
    leat_grammar_state_close(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *cut = size ? memchr(data, 0, size) : NULL;
    size_t head = cut ? (size_t)(cut - data) : size;
    leat_grammar *g = NULL;
    leat_error error = {0};
    if (leat_grammar_open((const char *)data, head, &g, &error)) {
        if (!error.message[0] || g) abort();
        return 0;
    }
    read_bytes(g, cut ? (const char *)cut + 1 : "a", cut ? size - head - 1 : 1);
    leat_grammar_close(g);
    return 0;
}
