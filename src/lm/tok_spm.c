/* tok_spm.c - SentencePiece: spaces become U+2581, pieces are joined by their scores, what is in no piece goes byte by byte. */
#include <math.h>

#include "base/str.h"
#include "lm/tok.h"

static double by_score(const leat_tokenizer *t, const char *text, size_t left, size_t bytes) {
    int32_t id = bytes <= t->longest ? leat__tok_find(t, text, bytes) : -1;
    return id < 0 ? -INFINITY : (double)t->scores[id];
}

static void put_piece(const leat_tokenizer *t, const char *text, size_t bytes, leat_tok_out *out) {
    int32_t id = leat__tok_find(t, text, bytes);
    if (id >= 0) {
        leat__tok_put(out, id);
        return;
    }
    for (size_t i = 0; i < bytes; i++) {
        int32_t byte = t->bytes[(uint8_t)text[i]];
        if (byte < 0) byte = t->info.unk;
        if (byte >= 0) leat__tok_put(out, byte);
    }
}

int leat__tok_spm(const leat_tokenizer *t, const char *text, size_t bytes, int prefix, leat_tok_out *out) {
    static const leat_tok_join join = {by_score, put_piece};
    leat_strbuf escaped = {0};
    if (prefix) leat__strbuf_addn(&escaped, "\xE2\x96\x81", 3);
    for (size_t at = 0, end; at < bytes; at = end) {
        for (end = at; end < bytes && text[end] != ' '; end++) continue;
        leat__strbuf_addn(&escaped, text + at, end - at);
        if (end < bytes) {
            leat__strbuf_addn(&escaped, "\xE2\x96\x81", 3);
            end++;
        }
    }
    int status = escaped.failed ? LEAT_ENOMEM : leat__tok_merge(t, &join, escaped.text, escaped.length, out);
    leat__strbuf_fini(&escaped);
    return status;
}
