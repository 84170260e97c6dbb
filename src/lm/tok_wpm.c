/* tok_wpm.c - BERT's word pieces: lower case without accents, words cut at spaces, punctuation and CJK characters, each word into the longest
 * pieces from the left.  (Devlin et al. 2018.)  GGUF spells a piece that begins a word with U+2581 and one that continues it bare.
 *
 * The ids are those of Hugging Face's tokenizers for all characters that Unicode 8 has; about later ones (marks and punctuation) the tables here know more.
 */
#include <string.h>

#include <utf8proc.h>

#include "base/str.h"
#include "lm/tok.h"

static int is_cjk(utf8proc_int32_t c) {
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
           (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static int is_space(utf8proc_int32_t c, utf8proc_category_t category) {
    return c == '\t' || c == '\n' || c == '\r' || category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

static int is_control(utf8proc_category_t category) {
    return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_CO || category == UTF8PROC_CATEGORY_CS;
}

static int stands_alone(utf8proc_int32_t c, utf8proc_category_t category) {
    int punctuation = category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
    int symbol = category >= UTF8PROC_CATEGORY_SM && category <= UTF8PROC_CATEGORY_SO;
    return punctuation || (c < 128 && symbol) || is_cjk(c);
}

enum {
    MARK = 3,      /* bytes of U+2581, which every word begins with */
    LONGEST = 100, /* characters of a word; a longer one is unknown */
};

typedef struct wpm_job {
    const leat_tokenizer *t;
    leat_tok_out         *out;
    leat_strbuf           word; /* with its mark */
    uint32_t              characters; /* of it, without the mark */
} wpm_job;

/* The longest piece that the text begins with, and its bytes; -1.  A mark in the text must not find the pieces that begin words. */
static int32_t longest_piece(const leat_tokenizer *t, const char *text, size_t bytes, int within, size_t *length) {
    int32_t id;
    int     marked = within && bytes > MARK && memcmp(text, "\xE2\x96\x81", MARK) == 0;
    size_t  most = bytes < t->longest ? bytes : t->longest;
    if (marked && most > MARK) most = MARK;
    for (*length = most; *length > 0; --*length)
        if ((id = leat__tok_find(t, text, *length)) >= 0) return id;
    return -1;
}

/* Longest pieces from the left; a word with a rest that is no piece is one unknown token. */
static int end_word(wpm_job *job) {
    leat_strbuf *w = &job->word;
    int64_t first = job->out->count;
    if (w->failed) return LEAT_ENOMEM;
    if (w->length <= MARK) return LEAT_OK;
    for (size_t at = 0, length; at < w->length; at += length) {
        int32_t id = job->characters > LONGEST ? -1 : longest_piece(job->t, w->text + at, w->length - at, at > 0, &length);
        if (id < 0) {
            job->out->count = first;
            if (job->t->info.unk >= 0) leat__tok_put(job->out, job->t->info.unk);
            break;
        }
        leat__tok_put(job->out, id);
    }
    job->characters = 0;
    w->length = MARK;
    return LEAT_OK;
}

static int add_character(wpm_job *job, utf8proc_int32_t c) {
    utf8proc_category_t category = utf8proc_category(c);
    utf8proc_uint8_t text[4];
    if (is_space(c, category)) return end_word(job);
    if (c == 0 || c == 0xFFFD || is_control(category) || category == UTF8PROC_CATEGORY_MN) return LEAT_OK;
    int alone = stands_alone(c, category);
    int status = alone ? end_word(job) : LEAT_OK;
    leat__strbuf_addn(&job->word, (const char *)text, (size_t)utf8proc_encode_char(utf8proc_tolower(c), text));
    job->characters++;
    return status == LEAT_OK && alone ? end_word(job) : status;
}

int leat__tok_wpm(const leat_tokenizer *t, const char *text, size_t bytes, leat_tok_out *out) {
    wpm_job job = {.t = t, .out = out};
    int status = LEAT_OK;
    leat__strbuf_addn(&job.word, "\xE2\x96\x81", MARK);
    for (size_t at = 0; status == LEAT_OK && at < bytes;) {
        utf8proc_int32_t c, parts[32];
        utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(bytes - at), &c);
        at += used > 0 ? (size_t)used : 1;
        if (used <= 0) continue; /* not UTF-8 */
        int boundary = 0;
        utf8proc_ssize_t n = utf8proc_decompose_char(c, parts, 32, UTF8PROC_DECOMPOSE, &boundary);
        for (utf8proc_ssize_t i = 0; status == LEAT_OK && i < n && i < 32; i++) status = add_character(&job, parts[i]);
    }
    if (status == LEAT_OK) status = end_word(&job);
    leat__strbuf_fini(&job.word);
    return status;
}
