/* chat_talk.h - the messages of a conversation: kept, written to a file, as the tokens of a prompt. */
#ifndef LEAT_CLI_CHAT_TALK_H
#define LEAT_CLI_CHAT_TALK_H

#include "leat/chat.h"
#include "leat/lm.h"

typedef struct chat_talk {
    leat_chat_message *messages; /* owned, roles too */
    int64_t            count, capacity;
    const char        *format;
    char              *text;     /* what the tokens stand for */
    int32_t           *tokens;   /* prompt and reply of the last turn */
    int64_t            n_tokens;
} chat_talk;

void chat_talk_fini(chat_talk *talk);
/* All return 0, or an exit status after a message. */
int  chat_talk_add(chat_talk *talk, const char *role, const char *content);
void chat_talk_drop(chat_talk *talk, int64_t index);
/* A system message first, or none for NULL. */
int  chat_talk_system(chat_talk *talk, const char *content);
/* Tokens of the whole conversation, up to where the reply begins, in talk->tokens.  What follows the last turn is encoded alone where that gives the same, so that
 * the session finds all that it has evaluated. */
int  chat_talk_prompt(chat_talk *talk, const leat_lm *lm);
/* The reply that was made, behind the prompt. */
int  chat_talk_reply(chat_talk *talk, const leat_lm *lm, const char *text, const int32_t *tokens, int64_t count);
/* JSON: {"template": NAME, "messages": [{"role", "content"}]}. */
int  chat_talk_save(const chat_talk *talk, const char *path);
int  chat_talk_load(chat_talk *talk, const char *path);

#endif
