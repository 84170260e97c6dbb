/* tok.h - inside of the tokenizers.
 *
 *   tok_vocab.c    opens: pieces, scores, types, ids of special tokens, tables from text to number
 *   tok_encode.c   the public call: special tokens are cut out, the text between goes to one of
 *   tok_spm.c tok_bpe.c tok_wpm.c
 *   tok_merge.c    joining neighbours by priority, for SPM (scores) and BPE (ranks)
 *   tok_split.c    BPE's patterns, by PCRE2
 *   tok_decode.c   back to text
 */
#ifndef LEAT_LM_TOK_H
#define LEAT_LM_TOK_H

#include "leat/tokenizer.h"

typedef struct leat_tok_text {
    const char *text;
    uint32_t    bytes;
} leat_tok_text;

/* A merge "left right" of a BPE vocabulary, in place; its rank is its number. */
typedef struct leat_tok_merge {
    const char *line;
    uint32_t    bytes, left; /* of the line; of its left part */
} leat_tok_merge;

/* Open addressing from text to a number; slots hold number + 1. */
typedef struct leat_tok_table {
    uint32_t *slots;
    uint32_t  mask;
} leat_tok_table;

typedef enum leat_tok_kind { LEAT_TOK_SPM, LEAT_TOK_BPE, LEAT_TOK_WPM } leat_tok_kind;
typedef struct leat_tok_splitter leat_tok_splitter;

struct leat_tokenizer {
    leat_tok_kind       kind;
    leat_tokenizer_info info;
    leat_tok_text      *pieces; /* [info.tokens], in the mapping */
    float              *scores; /* [info.tokens], zeros where the file has none */
    uint8_t            *types;  /* [info.tokens] */
    leat_tok_table      by_text;
    int32_t             bytes[256];  /* SPM: id of the byte token, -1 = none */
    int32_t            *specials;    /* tokens that are cut out of a text, longest first */
    int32_t             n_specials;
    uint8_t             special_first[256]; /* whether a special token begins with this byte */
    uint32_t            longest;     /* bytes of the longest piece */
    leat_tok_merge     *merges;
    uint32_t            n_merges;
    leat_tok_table      by_pair;
    leat_tok_splitter  *splitter;    /* BPE */
    int                 ignore_merges; /* BPE: a word that is a piece stays whole */
};

/* Collects ids: writes what fits, counts all. */
typedef struct leat_tok_out {
    int32_t *tokens;
    int64_t  capacity, count;
} leat_tok_out;
static inline void leat__tok_put(leat_tok_out *out, int32_t token) {
    if (out->count < out->capacity) out->tokens[out->count] = token;
    out->count++;
}

/* Id of a piece; -1. */
int32_t leat__tok_find(const leat_tokenizer *t, const char *text, size_t bytes);
/* Rank of the merge of [text, text + left) and [text + left, text + bytes); -1. */
int64_t leat__tok_rank(const leat_tokenizer *t, const char *text, size_t left, size_t bytes);

/* Ids of text without special tokens.  LEAT_ENOMEM. */
int leat__tok_spm(const leat_tokenizer *t, const char *text, size_t bytes, int prefix, leat_tok_out *out);
int leat__tok_bpe(const leat_tokenizer *t, const char *text, size_t bytes, leat_tok_out *out);
int leat__tok_wpm(const leat_tokenizer *t, const char *text, size_t bytes, leat_tok_out *out);

/* Joins the UTF-8 characters of text [bytes] pairwise: always the pair of the highest priority, the left one among equals, as long as one has a
 * priority.  priority: -INFINITY = never.  Calls put() for each symbol that is left. */
typedef struct leat_tok_join {
    double (*priority)(const leat_tokenizer *t, const char *text, size_t left, size_t bytes);
    void   (*put)(const leat_tokenizer *t, const char *text, size_t bytes, leat_tok_out *out);
} leat_tok_join;
int leat__tok_merge(const leat_tokenizer *t, const leat_tok_join *join, const char *text, size_t bytes, leat_tok_out *out);

/* Bytes of the UTF-8 character that a first byte announces (1 for stray ones), at most `left`. */
size_t leat__utf8_length(const char *text, size_t left);

/* The byte of a byte-level vocabulary's character (one or two bytes of UTF-8), and back; -1 when it is none of the 256. */
size_t leat__tok_byte_text(uint8_t byte, char text[2]);
int leat__tok_text_byte(const char *text, size_t bytes);

/* The pattern of the pre-tokenizer `name`.  LEAT_EUNSUPPORTED names it. */
int  leat__tok_splitter_open(const char *name, leat_tok_splitter **splitter, leat_error *error);
void leat__tok_splitter_close(leat_tok_splitter *splitter);
/* Whether words of this family that are pieces stay whole, merges or not. */
int  leat__tok_splitter_whole_words(const leat_tok_splitter *splitter);
/* Whether texts of this family are brought to Unicode's form C first. */
int  leat__tok_splitter_composed(const leat_tok_splitter *splitter);
/* Calls word() for each piece of the text, in order.  The first failure of word() ends it. */
typedef int (*leat_tok_word_fn)(void *user, const char *word, size_t bytes);
int leat__tok_split(const leat_tok_splitter *splitter, const char *text, size_t bytes, leat_tok_word_fn word, void *user);

#endif
