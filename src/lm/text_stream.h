/* text_stream.h - the text of a generation, token by token: whole UTF-8 characters only, and nothing that may still become a stop string.
 *
 * Bytes wait until they can be shown; what is shown is always valid UTF-8: bytes that belong to no character appear as U+FFFD.  After _begin() nothing allocates. */
#ifndef LEAT_LM_TEXT_STREAM_H
#define LEAT_LM_TEXT_STREAM_H

#include "leat/tokenizer.h"

enum { LM_MOST_STOPS = 256, LM_MOST_STOP_BYTES = 4096 };

typedef struct leat_lm_text {
    const leat_tokenizer *tokenizer;
    uint32_t           flags;       /* LEAT_DETOKENIZE_* */
    int                strip;       /* the space that the tokenizer put in front is yet to come */
    const char *const *stop;        /* [n_stop] borrowed */
    int32_t            n_stop;
    size_t             stop_bytes[LM_MOST_STOPS];
    char              *waiting;     /* [capacity] */
    size_t             bytes, capacity;
    char              *shown;       /* [3 capacity] of the last call */
} leat_lm_text;

/* Zero-initialise before the first use.  strip: no text came before, but for control tokens.  LEAT_EINVAL (a stop string is empty), LEAT_ELIMIT, LEAT_ENOMEM. */
int  leat__text_begin(leat_lm_text *text, const leat_tokenizer *tokenizer, uint32_t flags, int strip, const char *const *stop, int32_t n_stop, leat_error *error);
void leat__text_fini(leat_lm_text *text);
/* Adds a token.  Returns the number of bytes at text->shown.  *stopped: 1 when a stop string is complete; what comes before it is shown then, the rest is gone.  RT-safe. */
size_t leat__text_add(leat_lm_text *text, int32_t token, int *stopped);
/* The same for what is still held back, but for an unfinished character. */
size_t leat__text_flush(leat_lm_text *text);

#endif
