/* tok_bpe.c - byte-level pair encoding: each word of the splitter is written in 256 printable characters, one for each byte, and these are joined in the
 * order in which the vocabulary learnt its merges.  (Radford et al. 2019; the characters: bytes that print in Latin-1 stand for themselves, the other
 * 68 are U+0100 onwards in their order.)
 */
#include <math.h>
#include <utf8proc.h>

#include "base/mem.h"
#include "base/str.h"
#include "lm/tok.h"

static int prints(int byte) { return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE; }

/* How many bytes below this one have no printable character. */
static int rank_among_others(int byte) { return byte <= 32 ? byte : byte <= 0xA0 ? byte - 127 + 33 : 67; }

size_t leat__tok_byte_text(uint8_t byte, char text[2]) {
    int code = prints(byte) ? byte : 256 + rank_among_others(byte);
    if (code < 128) {
        text[0] = (char)code;
        return 1;
    }
    text[0] = (char)(0xC0 | code >> 6);
    text[1] = (char)(0x80 | (code & 63));
    return 2;
}

int leat__tok_text_byte(const char *text, size_t bytes) {
    int code = (uint8_t)text[0];
    if (bytes == 2 && (code & 0xE0) == 0xC0) code = (code & 31) << 6 | ((uint8_t)text[1] & 63);
    else if (bytes != 1 || code >= 128) return -1;
    if (code < 256) return prints(code) ? code : -1;
    code -= 256;
    return code <= 32 ? code : code <= 66 ? code - 33 + 127 : code == 67 ? 0xAD : -1;
}

static double by_rank(const leat_tokenizer *t, const char *text, size_t left, size_t bytes) {
    int64_t rank = leat__tok_rank(t, text, left, bytes);
    return rank < 0 ? -INFINITY : -(double)rank;
}

/* A symbol that is no piece falls apart into its characters. */
static void put_piece(const leat_tokenizer *t, const char *text, size_t bytes, leat_tok_out *out) {
    int32_t id = leat__tok_find(t, text, bytes);
    if (id >= 0) {
        leat__tok_put(out, id);
        return;
    }
    for (size_t at = 0, length; at < bytes; at += length) {
        length = leat__utf8_length(text + at, bytes - at);
        if ((id = leat__tok_find(t, text + at, length)) < 0) id = t->info.unk;
        if (id >= 0) leat__tok_put(out, id);
    }
}

typedef struct bpe_job {
    const leat_tokenizer *t;
    leat_tok_out         *out;
    leat_strbuf           spelled; /* the word in the 256 characters */
} bpe_job;

static int encode_word(void *user, const char *word, size_t bytes) {
    static const leat_tok_join join = {by_rank, put_piece};
    bpe_job *job = user;
    job->spelled.length = 0;
    for (size_t i = 0; i < bytes; i++) {
        char text[2];
        leat__strbuf_addn(&job->spelled, text, leat__tok_byte_text((uint8_t)word[i], text));
    }
    if (job->spelled.failed) return LEAT_ENOMEM;
    int32_t whole = job->t->ignore_merges ? leat__tok_find(job->t, job->spelled.text, job->spelled.length) : -1;
    if (whole < 0) return leat__tok_merge(job->t, &join, job->spelled.text, job->spelled.length, job->out);
    leat__tok_put(job->out, whole);
    return LEAT_OK;
}

static int encode_text(const leat_tokenizer *t, const char *text, size_t bytes, leat_tok_out *out) {
    bpe_job job = {t, out, {0}};
    int status = leat__tok_split(t->splitter, text, bytes, encode_word, &job);
    leat__strbuf_fini(&job.spelled);
    return status;
}

/* All characters below U+0300 are in Unicode's form C, and their first bytes below 0xCC. */
static int may_need_composing(const char *text, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        if ((uint8_t)text[i] >= 0xCC) return 1;
    return 0;
}

/* In Unicode's form C: *composed, to be given back.  NULL: it is not UTF-8, and stays as it is. */
static int compose(const char *text, size_t bytes, char **composed, size_t *length) {
    const utf8proc_uint8_t *from = (const utf8proc_uint8_t *)text;
    const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    *composed = NULL;
    utf8proc_ssize_t n = utf8proc_decompose(from, (utf8proc_ssize_t)bytes, NULL, 0, options);
    if (n < 0) return LEAT_OK;
    utf8proc_int32_t *characters = leat__calloc((size_t)n + 1, sizeof *characters, LEAT_MEMORY_OTHER); /* one more for the zero that ends the text */
    if (!characters) return LEAT_ENOMEM;
    n = utf8proc_decompose(from, (utf8proc_ssize_t)bytes, characters, n, options);
    n = n < 0 ? n : utf8proc_reencode(characters, n, options);
    if (n < 0) {
        leat__free(characters);
        return LEAT_OK;
    }
    *composed = (char *)characters;
    *length = (size_t)n;
    return LEAT_OK;
}

int leat__tok_bpe(const leat_tokenizer *t, const char *text, size_t bytes, leat_tok_out *out) {
    char *composed = NULL;
    if (leat__tok_splitter_composed(t->splitter) && may_need_composing(text, bytes)) {
        int status = compose(text, bytes, &composed, &bytes);
        if (status) return status;
    }
    int status = encode_text(t, composed ? composed : text, bytes, out);
    leat__free(composed);
    return status;
}
