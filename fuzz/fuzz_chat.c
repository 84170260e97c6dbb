/* fuzz_chat.c - any text as a template, and as a conversation: pieces cut at zero bytes are roles and contents in turn.  What is counted is what is written; nothing is
 * written behind the room that there is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "leat/chat.h"

enum { MOST = 16, ROOM = 8192 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void render(const char *name, const leat_chat_message *messages, int64_t count) {
    static char text[ROOM + 1], again[ROOM + 1];
    size_t bytes = 0, counted = 0;
    leat_error error = {0};
    int status = leat_chat_render(name, NULL, messages, count, LEAT_CHAT_PROMPT, text, ROOM, &bytes, &error);
    if (status == LEAT_OK && bytes > ROOM) abort();
    if (status && status != LEAT_ELIMIT && !error.message[0]) abort();
    if (status) return;
    if (leat_chat_render(name, NULL, messages, count, LEAT_CHAT_PROMPT, again, bytes / 2, &counted, &error) != (bytes ? LEAT_ELIMIT : LEAT_OK) || counted != bytes) abort();
    if (memcmp(text, again, bytes / 2) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    leat_chat_message messages[MOST];
    char *copy = malloc(size + 1);
    int64_t count = 0;
    if (!copy) return 0;
    memcpy(copy, data, size);
    copy[size] = 0;
    leat_chat_recognise((const char *)data, size);
    for (char *at = copy; at < copy + size && count < MOST; at += strlen(at) + 1) messages[count++] = (leat_chat_message){*at & 0x80 ? at : roles[*at & 3], *at ? at + 1 : at};
    for (int i = 0; leat_chat_name(i); i++) render(leat_chat_name(i), messages, count);
    free(copy);
    return 0;
}
