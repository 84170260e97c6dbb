/* tokenizer.h - text to token ids and back, by the vocabulary inside a GGUF file.
 *
 * Three kinds: SPM (SentencePiece with scores and byte fallback: llama 1-2, mistral, phi-3, gemma), BPE (byte-level pairs in the order of their merges, after
 * a split by the pattern of the family: gpt-2, llama 3, qwen, ...) and WPM (BERT's word pieces).  A tokenizer is read-only after opening: any number
 * of threads may use it at once.
 */
#ifndef LEAT_TOKENIZER_H
#define LEAT_TOKENIZER_H

#include "leat/gguf.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct leat_tokenizer leat_tokenizer;

/* Opens the tokenizer of `file`, which must stay open as long.  *tokenizer: the caller takes it, leat_tokenizer_close().  LEAT_EFORMAT (no or a
 * damaged vocabulary, the key is named), LEAT_EUNSUPPORTED (kind or pre-tokenizer, named), LEAT_ENOMEM.  Any thread. */
int leat_tokenizer_open(const leat_gguf *file, leat_tokenizer **tokenizer, leat_error *error);
/* NULL allowed. */
void leat_tokenizer_close(leat_tokenizer *tokenizer);

typedef struct leat_tokenizer_info {
    const char *kind;                      /* "spm", "bpe", "wpm" */
    char        pre[64];                   /* name of the pre-tokenizer, as the file has it; empty = none */
    int32_t     tokens;                    /* in the vocabulary */
    int32_t     bos, eos, eot, unk, sep, pad; /* ids; -1 = the vocabulary has none */
    int         add_bos, add_eos;          /* whether LEAT_TOKENIZE_SPECIALS puts them around a text (for WPM: [CLS] and [SEP]) */
    int         add_space_prefix;          /* SPM: whether a text gets a space in front */
} leat_tokenizer_info;
/* Fills *info.  RT-safe. */
void leat_tokenizer_get_info(const leat_tokenizer *tokenizer, leat_tokenizer_info *info);

#define LEAT_TOKENIZE_SPECIALS 1u /* put BOS and EOS around the text as the file says */
#define LEAT_TOKENIZE_PARSE 2u    /* control tokens written out in the text ("<|im_end|>") become their ids; else they are plain text */

/* Ids of text [bytes], any bytes; what is not UTF-8 goes by byte tokens where there are any.  Writes at most `capacity` ids to tokens, which may be NULL
 * with capacity 0, and the number of all to *count.  LEAT_ELIMIT when it exceeds capacity; LEAT_ENOMEM, LEAT_EINVAL.  Any thread; allocates. */
int leat_tokenizer_encode(const leat_tokenizer *tokenizer, const char *text, size_t bytes, uint32_t flags, int32_t *tokens, int64_t capacity, int64_t *count);

/* Kind of a token; the numbers are GGUF's. */
typedef enum leat_token_type {
    LEAT_TOKEN_NORMAL = 1, LEAT_TOKEN_UNKNOWN = 2, LEAT_TOKEN_CONTROL = 3, LEAT_TOKEN_USER_DEFINED = 4, LEAT_TOKEN_UNUSED = 5, LEAT_TOKEN_BYTE = 6
} leat_token_type;
/* 0 when out of range.  RT-safe. */
int leat_tokenizer_type(const leat_tokenizer *tokenizer, int32_t token);
/* Score of an SPM piece, 0 where there is none.  RT-safe. */
float leat_tokenizer_score(const leat_tokenizer *tokenizer, int32_t token);
/* The id of the token that is spelled so in the vocabulary; -1 when there is none.  RT-safe. */
int32_t leat_tokenizer_find(const leat_tokenizer *tokenizer, const char *piece, size_t bytes);

#define LEAT_DETOKENIZE_SPECIALS 1u /* write control tokens out; else they are empty */
/* The bytes of one token as text, which need not be whole UTF-8 characters: at most `capacity` to `text` (not NUL-terminated), the number of all to *bytes.
 * LEAT_ELIMIT when it exceeds capacity, LEAT_EINVAL when there is no such token.  Any thread, RT-safe. */
int leat_tokenizer_piece(const leat_tokenizer *tokenizer, int32_t token, uint32_t flags, char *text, size_t capacity, size_t *bytes);
/* The text of tokens [count], without the space that the tokenizer put in front.  As leat_tokenizer_piece(). */
int leat_tokenizer_decode(const leat_tokenizer *tokenizer, const int32_t *tokens, int64_t count, uint32_t flags, char *text, size_t capacity, size_t *bytes);

/* How many of the `bytes` end a text in whole UTF-8 characters: what a stream may show now, the rest (at most 3 bytes) belongs to a character that is not
 * finished.  Bytes that can never be finished count as whole.  RT-safe. */
size_t leat_utf8_complete(const char *text, size_t bytes);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
