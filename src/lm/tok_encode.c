/* tok_encode.c - text to ids: special tokens are cut out at the leftmost place, the longest first; the text between goes to the vocabulary's kind. */
#include <string.h>

#include "lm/tok.h"

typedef struct encoder {
    const leat_tokenizer *t;
    uint32_t              flags;
    int                   after_special; /* SPM puts its space only there */
    leat_tok_out          out;
} encoder;

static int encode_plain(encoder *e, const char *text, size_t bytes) {
    if (bytes == 0) return LEAT_OK;
    int prefix = e->t->info.add_space_prefix && e->after_special;
    e->after_special = 0;
    switch (e->t->kind) {
    case LEAT_TOK_SPM: return leat__tok_spm(e->t, text, bytes, prefix, &e->out);
    case LEAT_TOK_BPE: return leat__tok_bpe(e->t, text, bytes, &e->out);
    default: return leat__tok_wpm(e->t, text, bytes, &e->out);
    }
}

/* The special token that the text begins with; -1.  User-defined ones count always, control tokens only when the caller wants them. */
static int32_t special_at(const encoder *e, const char *text, size_t bytes) {
    const leat_tokenizer *t = e->t;
    if (!t->special_first[(uint8_t)*text]) return -1;
    for (int32_t i = 0; i < t->n_specials; i++) {
        int32_t id = t->specials[i];
        const leat_tok_text *p = &t->pieces[id];
        if (!(e->flags & LEAT_TOKENIZE_PARSE) && t->types[id] != LEAT_TOKEN_USER_DEFINED) continue;
        if (p->bytes <= bytes && memcmp(p->text, text, p->bytes) == 0) return id;
    }
    return -1;
}

static int encode_text(encoder *e, const char *text, size_t bytes) {
    size_t plain = 0; /* where the text that is not done yet begins */
    int status = LEAT_OK;
    for (size_t at = 0; status == LEAT_OK && at < bytes;) {
        int32_t id = special_at(e, text + at, bytes - at);
        if (id < 0) {
            at++;
            continue;
        }
        status = encode_plain(e, text + plain, at - plain);
        if (status == LEAT_OK) leat__tok_put(&e->out, id);
        e->after_special = 1;
        plain = at += e->t->pieces[id].bytes;
    }
    return status == LEAT_OK ? encode_plain(e, text + plain, bytes - plain) : status;
}

int leat_tokenizer_encode(const leat_tokenizer *t, const char *text, size_t bytes, uint32_t flags, int32_t *tokens, int64_t capacity, int64_t *count) {
    if (!t || !count || (!text && bytes) || capacity < 0 || (!tokens && capacity) || bytes > INT32_MAX / 8) return LEAT_EINVAL;
    encoder e = {t, flags, 1, {tokens, capacity, 0}};
    int around = (flags & LEAT_TOKENIZE_SPECIALS) != 0;
    if (around && t->info.add_bos) leat__tok_put(&e.out, t->info.bos);
    int status = encode_text(&e, text, bytes);
    if (around && t->info.add_eos) leat__tok_put(&e.out, t->info.eos);
    *count = e.out.count;
    return status == LEAT_OK && e.out.count > capacity ? LEAT_ELIMIT : status;
}
