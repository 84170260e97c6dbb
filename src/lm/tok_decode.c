/* tok_decode.c - ids back to text: SPM's U+2581 becomes a space, byte tokens and byte-level characters their byte, WPM's pieces join their word. */
#include <string.h>

#include "lm/tok.h"

/* Collects bytes: writes what fits, counts all. */
typedef struct text_out {
    char  *text;
    size_t capacity, bytes;
} text_out;

static void put(text_out *out, const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++, out->bytes++)
        if (out->bytes < out->capacity) out->text[out->bytes] = text[i];
}

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static int begins_with_mark(const leat_tok_text *p) { return p->bytes >= 3 && memcmp(p->text, "\xE2\x96\x81", 3) == 0; }

static void put_spm(const leat_tok_text *p, text_out *out) {
    for (uint32_t at = 0; at < p->bytes;) {
        if (p->bytes - at >= 3 && memcmp(p->text + at, "\xE2\x96\x81", 3) == 0) {
            put(out, " ", 1);
            at += 3;
        } else {
            put(out, p->text + at++, 1);
        }
    }
}

static void put_bpe(const leat_tok_text *p, text_out *out) {
    for (size_t at = 0, length; at < p->bytes; at += length) {
        length = leat__utf8_length(p->text + at, p->bytes - at);
        int  byte = leat__tok_text_byte(p->text + at, length);
        char c = (char)byte;
        if (byte >= 0) put(out, &c, 1);
        else put(out, p->text + at, length);
    }
}

static void put_byte_token(const leat_tok_text *p, text_out *out) {
    char c = 0;
    if (p->bytes == 6 && hex(p->text[3]) >= 0 && hex(p->text[4]) >= 0) c = (char)(hex(p->text[3]) << 4 | hex(p->text[4]));
    put(out, &c, 1);
}

static void put_token(const leat_tokenizer *t, int32_t token, uint32_t flags, text_out *out) {
    const leat_tok_text *p = &t->pieces[token];
    switch (t->types[token]) {
    case LEAT_TOKEN_CONTROL: case LEAT_TOKEN_UNKNOWN:
        if (flags & LEAT_DETOKENIZE_SPECIALS) put(out, p->text, p->bytes);
        return;
    case LEAT_TOKEN_USER_DEFINED: put(out, p->text, p->bytes); return;
    case LEAT_TOKEN_BYTE: put_byte_token(p, out); return;
    case LEAT_TOKEN_UNUSED: return;
    default: break;
    }
    if (t->kind == LEAT_TOK_BPE) put_bpe(p, out);
    else put_spm(p, out);
}

int leat_tokenizer_piece(const leat_tokenizer *t, int32_t token, uint32_t flags, char *text, size_t capacity, size_t *bytes) {
    if (!t || !bytes || (!text && capacity) || token < 0 || token >= t->info.tokens) return LEAT_EINVAL;
    text_out out = {text, capacity, 0};
    put_token(t, token, flags, &out);
    *bytes = out.bytes;
    return out.bytes > capacity ? LEAT_ELIMIT : LEAT_OK;
}

int leat_tokenizer_decode(const leat_tokenizer *t, const int32_t *tokens, int64_t count, uint32_t flags, char *text, size_t capacity, size_t *bytes) {
    if (!t || !bytes || (!text && capacity) || count < 0 || (!tokens && count)) return LEAT_EINVAL;
    text_out out = {text, capacity, 0};
    int strip = t->info.add_space_prefix || t->kind == LEAT_TOK_WPM;
    for (int64_t i = 0; i < count; i++) {
        if (tokens[i] < 0 || tokens[i] >= t->info.tokens) return LEAT_EINVAL;
        leat_tok_text whole = t->pieces[tokens[i]], rest = {whole.text + 3, whole.bytes - 3};
        if (strip && t->types[tokens[i]] == LEAT_TOKEN_NORMAL && begins_with_mark(&whole)) put_spm(&rest, &out);
        else put_token(t, tokens[i], flags, &out);
        if (t->types[tokens[i]] != LEAT_TOKEN_CONTROL) strip = 0;
    }
    *bytes = out.bytes;
    return out.bytes > capacity ? LEAT_ELIMIT : LEAT_OK;
}

/* Whether text [bytes >= 1], of which all but the first are continuations, is the beginning of a character and not all of it.  Source: Unicode 15, table 3-7. */
static int is_begun(const uint8_t *text, size_t bytes) {
    uint8_t first = text[0];
    size_t  length = first >= 0xF0 && first < 0xF5 ? 4 : first >= 0xE0 && first < 0xF0 ? 3 : first >= 0xC2 && first < 0xE0 ? 2 : 1;
    if (bytes >= length) return 0;
    if (bytes == 1) return 1;
    uint8_t low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80, high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    return text[1] >= low && text[1] <= high;
}

size_t leat_utf8_complete(const char *text, size_t bytes) {
    if (!text) return 0;
    for (size_t back = 1; back <= 3 && back <= bytes; back++)
        if (((uint8_t)text[bytes - back] & 0xC0) != 0x80) /* else a continuation: its first byte is further left */
            return is_begun((const uint8_t *)text + bytes - back, back) ? bytes - back : bytes;
    return bytes;
}
