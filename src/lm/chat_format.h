/* chat_format.h - the table of chat formats.
 *
 * Each turn is `before` content `after`; \1 stands for the role's name, \2 for the text of BOS, \3 for that of EOS, \4 for an empty block of thoughts where the conversation
 * switches them off, \5 for today ("26 Jul 2024").
 */
#ifndef LEAT_LM_CHAT_H
#define LEAT_LM_CHAT_H

#include "leat/chat.h"

enum {
    LEAT_CHAT_TRIM = 1,        /* blanks around contents go */
    LEAT_CHAT_SYSTEM_FIRST = 2, /* the system's text is put in front of the first user's, between its own before and after */
    LEAT_CHAT_SYSTEM_LAST = 4, /* ... of the last user's, when that is the last message */
    LEAT_CHAT_NO_THOUGHTS = 8, /* of replies before the last user's message only what is behind "</think>" stays */
    LEAT_CHAT_TRIM_REPLY = 16,
    LEAT_CHAT_CUT_THOUGHTS = 32, /* of every reply, and line ends behind them stay */
    LEAT_CHAT_LAST_THOUGHTS = 64, /* a reply behind the last user's message has a block of thoughts, an empty one if need be */
    LEAT_CHAT_RAW_SYSTEM = 128, /* not trimmed */
    LEAT_CHAT_TRIM_WHOLE = 512, /* a user's message is trimmed with the system's text in front of it */
    LEAT_CHAT_SMOLLM3 = 1024, /* the system message is written by leat__chat_smollm3_system(); line ends in front of replies go */
    LEAT_CHAT_NEEDS_SYSTEM = 256 /* the template has a system message of its own that is not among ours: it must be given */
};

typedef struct leat_chat_format {
    const char *name;
    const char *has[4], *lacks[6];  /* fragments of the template, a line end also as \\n; has[0] NULL: by name only */
    unsigned    flags;
    const char *system[2], *user[2], *reply[2], *other[2]; /* before, after; NULL before = no such role */
    const char *prompt;
    const char *start;              /* in front of all, NULL = nothing */
    const char *again;              /* in front of each user's message but the first, NULL = nothing */
    const char *default_system;     /* when there is no system message, NULL = none */
    const char *stop;               /* what follows a reply where no control token does, NULL = nothing */
} leat_chat_format;

typedef struct leat_chat_date {
    int year, month, day; /* month: 1..12 */
} leat_chat_date;

typedef struct leat_chat_writer {
    char          *text;
    size_t         capacity, bytes; /* bytes: of all, also of what has no room */
    char           bos[64], eos[64], today[32];
    const char    *role, *no_thoughts;
    leat_chat_date date;
} leat_chat_writer;
void leat__chat_put(leat_chat_writer *w, const char *text, size_t bytes);
/* Sets w's date and today, from LEAT_DATE where that is given, else from the clock.  LEAT_EINVAL (LEAT_DATE is none). */
int leat__chat_find_today(leat_chat_writer *w, leat_error *error);
/* "July" */
const char *leat__chat_month(int month);

/* SmolLM3's system message, with today's date; system: the conversation's own, or NULL. */
void leat__chat_smollm3_system(leat_chat_writer *w, const char *system);
/* Whether it thinks: it does unless the system message says "/no_think". */
int leat__chat_smollm3_thinks(const char *system);
/* Whether instructions must be given, as the model's own are not here: when it thinks. */
int leat__chat_smollm3_lacks(const char *system);

/* Fragments of templates that look like one of the formats and are not, ending with NULL. */
extern const char *const leat__chat_foreign[];

/* Ends with an entry without a name; the first that fits a template is its format. */
extern const leat_chat_format leat__chat_formats[];

#endif
