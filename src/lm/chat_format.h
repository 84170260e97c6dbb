/* chat_format.h - the table of chat formats.
 *
 * Each turn is `before` content `after`; \1 stands for the role's name, \2 for the text of BOS, \3 for that of EOS.
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

/* Fragments of templates that look like one of the formats and are not, ending with NULL. */
extern const char *const leat__chat_foreign[];

/* Ends with an entry without a name; the first that fits a template is its format. */
extern const leat_chat_format leat__chat_formats[];

#endif
