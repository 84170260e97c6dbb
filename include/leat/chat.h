/* chat.h - conversations as the text that a chat model was trained on.
 *
 * A model's file has its format as a program in a template language ("tokenizer.chat_template").  Leat does not run it: it recognises the family by fragments that only its
 * template has, and writes the family's text by a table.  A template that is not recognised is refused by name, never guessed.
 */
#ifndef LEAT_CHAT_H
#define LEAT_CHAT_H

#include "leat/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct leat_chat_message {
    const char *role, *content; /* NUL-terminated; "system", "user", "assistant", some formats take others ("tool") */
} leat_chat_message;

/* Names of the formats, "chatml", "llama3", ...; NULL behind the last one.  Any thread, RT-safe. */
const char *leat_chat_name(int index);
/* The format of a template's text [bytes]; NULL when it is not recognised.  Any thread, RT-safe. */
const char *leat_chat_recognise(const char *text, size_t bytes);
/* The format of a model's file.  LEAT_EUNSUPPORTED: it has no template, or an unknown one (its beginning is named). */
int leat_chat_of_file(const leat_gguf *file, const char **name, leat_error *error);

/* Text that ends a reply besides the end tokens, for formats that mark turns by words; NULL = none, or no such format.  Any thread, RT-safe. */
const char *leat_chat_stop(const char *name);

#define LEAT_CHAT_PROMPT 1u /* end with what the assistant's reply begins with */

/* Writes messages [count] in the format `name`: at most `capacity` bytes to text (not NUL-terminated), the number of all to *bytes; LEAT_ELIMIT when it exceeds capacity.
 * Formats that tell the date ("smollm3", "llama3.2") take it from the environment's LEAT_DATE ("2024-07-26"; LEAT_EINVAL when it is none) or the local clock.
 * BOS is not part of it: encode it with LEAT_TOKENIZE_SPECIALS | LEAT_TOKENIZE_PARSE.  tokenizer: borrows, spells BOS and EOS where they stand between messages; NULL = "<s>" and "</s>".
 * Control tokens that are spelled out in a content become control tokens: strip them from what is not trusted.  LEAT_EINVAL (field named; no such format: all are listed),
 * LEAT_EUNSUPPORTED (a role that the format has no place for).  Any thread, RT-safe. */
int leat_chat_render(const char *name, const leat_tokenizer *tokenizer, const leat_chat_message *messages, int64_t count, uint32_t flags, char *text, size_t capacity,
                     size_t *bytes, leat_error *error);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
