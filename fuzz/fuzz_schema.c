/* fuzz_schema.c - any bytes as a JSON schema: a refusal has a message; a grammar that was written compiles, or is refused as too large or as one without an end. */
#include <stdint.h>
#include <stdlib.h>

#include "leat/grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char text[1 << 16];
    leat_grammar *g = NULL;
    leat_grammar_state *s;
    leat_error error = {0};
    size_t length = 0;
    int status = leat_grammar_schema_text((const char *)data, size, text, sizeof text, &length, &error);
    if (status && !(status == LEAT_ELIMIT && length > sizeof text) && !error.message[0]) abort();
    if (leat_grammar_open_schema((const char *)data, size, &g, &error)) {
        if (!error.message[0] || g) abort();
        return 0;
    }
    if (status && length <= sizeof text) abort();
    if (leat_grammar_state_open(g, NULL, &s, &error) == LEAT_OK) {
        if (leat_grammar_state_allows(s, "\n", 1)) abort(); /* no JSON text of ours begins so */
        leat_grammar_state_accept(s, "{\"a\": [", 7);
        leat_grammar_state_close(s);
    }
    leat_grammar_close(g);
    return 0;
}
