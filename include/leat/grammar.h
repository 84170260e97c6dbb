/* grammar.h - output that follows a grammar (GBNF) or a JSON schema: which tokens may come next.
 *
 * Three objects.  A *grammar* is the compiled text, read-only, shared by any number of states and threads.  A *vocab* is a tokenizer's pieces in the order
 * of a trie, made once per tokenizer and shared likewise.  A *state* is one generation's place in the grammar and belongs to one thread at a time.
 *
 * The loop of a sampler:  leat_grammar_state_mask() -> choose among the set bits -> leat_grammar_state_accept_token() -> ...  until the token chosen is one of the
 * vocab's end tokens, which is allowed exactly where the grammar may end.  Everything fails closed: a grammar in which nothing can follow gives a status,
 * never an open mask.  Text is UTF-8; a token may end in the middle of a character, bytes that are not UTF-8 are never allowed.
 */
#ifndef LEAT_GRAMMAR_H
#define LEAT_GRAMMAR_H

#include "leat/tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct leat_grammar leat_grammar;
typedef struct leat_grammar_vocab leat_grammar_vocab;
typedef struct leat_grammar_state leat_grammar_state;

/* ---- the grammar ------------------------------------------------------------------------------------------------------------ */

/* Compiles GBNF text [bytes]; it is borrowed for the call.  *grammar: the caller takes it, leat_grammar_close().
 *
 *   name ::= item item | item ...   rule; the text must match `root`.  A rule goes on in the next line inside parentheses, behind "::=" and behind or before "|"
 *   "text"  [a-z_]  [^"\\]  .       literal, one character of a class, one not of it, any character
 *   ( ... )  item?  item*  item+  item{3}  item{1,}  item{0,5}      # comment
 *   \n \r \t \" \\ \] ... \x41 \u00e9 \U0001F600                     escapes, in literals and classes; they name characters, not bytes
 *
 * LEAT_EFORMAT (the line is named: syntax, unknown rule, left recursion, a rule that can never end), LEAT_ELIMIT (1 MiB of text, 16384 rules, groups 200
 * deep, repetitions up to 65536, 262144 places in all), LEAT_EUNSUPPORTED, LEAT_ENOMEM.  Any thread. */
int leat_grammar_open(const char *text, size_t bytes, leat_grammar **grammar, leat_error *error);
/* Compiles a JSON schema [bytes], borrowed for the call; see leat_grammar_schema_text().  The same failures, LEAT_EUNSUPPORTED for each keyword that cannot be
 * honoured (named with its path): none is ever ignored. */
int leat_grammar_open_schema(const char *json, size_t bytes, leat_grammar **grammar, leat_error *error);
/* The GBNF that stands for a JSON schema: at most `capacity` bytes to text (not NUL-terminated), the number of all to *length.  LEAT_ELIMIT when it exceeds capacity
 * (nothing is wrong then: error is untouched), else as leat_grammar_open_schema().  Any thread.  Source: JSON Schema 2020-12, the subset of docs/grammar.md. */
int leat_grammar_schema_text(const char *json, size_t bytes, char *text, size_t capacity, size_t *length, leat_error *error);
/* States share the grammar: it may be closed before them.  NULL allowed.  Any thread. */
void leat_grammar_close(leat_grammar *grammar);

/* ---- the vocabulary --------------------------------------------------------------------------------------------------------- */

/* Sorts the pieces of `tokenizer`, which must stay open as long.  ends [n_ends]: the tokens that end a text, borrowed for the call; NULL and 0 = the tokenizer's
 * EOS and EOT.  Control, unknown and unused tokens and those without text are never allowed.  *vocab: the caller takes one reference.  LEAT_EINVAL, LEAT_ELIMIT, LEAT_ENOMEM.
 * Any thread; some 60 ms, 17 bytes a trie node and 16 a token for 128k tokens. */
int leat_grammar_vocab_new(const leat_tokenizer *tokenizer, const int32_t *ends, int64_t n_ends, leat_grammar_vocab **vocab, leat_error *error);
/* Shares: returns the same vocab with one more reference.  Any thread. */
leat_grammar_vocab *leat_grammar_vocab_ref(leat_grammar_vocab *vocab);
/* NULL allowed.  Any thread. */
void leat_grammar_vocab_unref(leat_grammar_vocab *vocab);

/* ---- a place in the grammar ------------------------------------------------------------------------------------------------- */

/* A state at the beginning of `grammar`; both are shared.  vocab may be NULL: then only the calls that take bytes work.  *state: the caller takes it,
 * leat_grammar_state_close().  LEAT_ENOMEM, LEAT_EINVAL.  Any thread.  All later calls on the state allocate nothing (5 MiB are reserved, touched as needed; masks
 * that are worth keeping are kept with the grammar for all states with this vocab, in memory that the first state reserves). */
int leat_grammar_state_open(leat_grammar *grammar, leat_grammar_vocab *vocab, leat_grammar_state **state, leat_error *error);
/* NULL allowed. */
void leat_grammar_state_close(leat_grammar_state *state);
/* Back to the beginning.  RT-safe. */
void leat_grammar_state_reset(leat_grammar_state *state);
/* `to` becomes equal to `from`.  LEAT_EINVAL when they are not of one grammar; LEAT_ELIMIT.  RT-safe. */
int leat_grammar_state_copy(leat_grammar_state *to, const leat_grammar_state *from);

/* Moves over text [bytes].  LEAT_EFORMAT when the grammar does not allow it, LEAT_ELIMIT when more than 16384 ways of reading the text are open at once; the state is
 * unchanged then.  RT-safe. */
int leat_grammar_state_accept(leat_grammar_state *state, const char *text, size_t bytes);
/* The same with the text of a token; an end token is allowed where the grammar may end, and nothing behind it.  LEAT_EINVAL without a vocab or out of range. */
int leat_grammar_state_accept_token(leat_grammar_state *state, int32_t token);
/* 1 when accept() would be LEAT_OK, else 0.  RT-safe. */
int leat_grammar_state_allows(leat_grammar_state *state, const char *text, size_t bytes);
/* 1 when the text so far is whole.  RT-safe. */
int leat_grammar_state_may_end(const leat_grammar_state *state);

/* Fills mask [words], words = ceil(tokens / 32): bit (t % 32) of word t / 32 is 1 exactly when token t may come next (accept_token() may still
 * refuse it with LEAT_ELIMIT, in grammars that can be read in thousands of ways).  LEAT_OK: at least one bit is set.
 * LEAT_EEND: behind an end token.  LEAT_ESTATE: nothing may follow (no token of the vocabulary spells what the grammar wants): the generation must end as a failure.
 * LEAT_ELIMIT as accept(), LEAT_EINVAL (words, no vocab).  On failure all bits are 0.  RT-safe: bounded by the size of the vocabulary's trie; typically some
 * microseconds, see docs/grammar.md. */
int leat_grammar_state_mask(leat_grammar_state *state, uint32_t *mask, int64_t words);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif
#endif
